"""UCLA Miniscope: layouts, devices, times, movies decoded, what is missing or wrong."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from nwbkit.errors import MissingFact
from nwbkit.formats import registry
from nwbkit.formats.imaging.miniscope import _texts
from nwbkit.streams import External
from tests.formats import miniscope_files as files
from tests.formats.miniscope_files import all_of, found, opened, refused

pytest.importorskip("av")
SCOPE, CAMERA = "My_V4_Miniscope", "My_WebCam"


# ------------------------------------------------------------------ layouts


def test_a_recording(tmp_path: Path) -> None:
    root = files.recording(tmp_path / "2022_09_19" / "09_18_41")
    with opened(root) as r:
        assert [(s.id, s.role, s.nwb_name) for s in r.streams] == [
            (SCOPE, "one_photon", "OnePhotonSeries"),
            (CAMERA, "video", "VideoMyWebCam"),
        ]
        assert r.source.id == "2022_09_19_09_18_41"
        assert np.array_equal(all_of(r, SCOPE), files.frames(50))
        timebase = r.streams[0].timebase
        assert timebase.times(0, 3).tolist() == [-0.02, 0.03, 0.08]
        video = r.stream(CAMERA)
        assert isinstance(video, External)
        assert video.frames_per_file == (20, 20, 10) and video.n_frames == 50
        assert [p.name for p in video.paths] == ["0.avi", "1.avi", "2.avi"]
        assert video.timebase.clock == timebase.clock
        facts = r.reread_facts(CAMERA)
        assert facts["n_frames"] == 50
        assert facts["times"].tolist() == video.timebase.times(0, 50).tolist()


def test_what_is_said_of_session_and_devices(tmp_path: Path) -> None:
    with opened(files.recording(tmp_path / "a")) as r:
        said = r.metadata()
        assert said["NWBFile"] == {
            # 09:18:41 local is 13:18 UTC, by msecSinceEpoch... in the file's own words
            "session_start_time": said["NWBFile"]["session_start_time"],
            "experimenter": "Dr Stage",
            "experiment_description": "maze",
        }
        assert said["Subject"] == {"subject_id": "m7"}
        assert said["Devices"]["a_MyV4Miniscope"]["name"] == "MyV4Miniscope"
        about = said["Devices"]["a_MyV4Miniscope"]["description"]
        assert "deviceType Miniscope_V4_BNO" in about and "led0 25" in about and "ewl 12" in about
        assert "C:/" not in about
        plane = said["ImagingPlanes"]["a_MyV4Miniscope"]
        assert plane["imaging_rate"] == pytest.approx(20)


@pytest.mark.parametrize(
    "change, expected",
    [
        ({}, "2022-09-19T09:18:41.007000-05:00"),
        ({"msecSinceEpoch": 0}, "2022-09-19T09:18:41.007000"),
        ({"msecSinceEpoch": 1663597121007 + 123456}, "2022-09-19T09:18:41.007000"),  # clock was set
        ({"hour": 14, "msecSinceEpoch": 1663597121007}, "2022-09-19T14:18:41.007000+00:00"),
        ({"month": 13}, None),
    ],
)
def test_start_times(change: dict[str, int], expected: str | None) -> None:
    # 1663597121.007 s after 1970 is 14:18:41.007 UTC
    when = {**files.SESSION["recordingStartTime"], **change}
    for said in ({"recordingStartTime": when}, when):  # newer and older programs
        begun = _texts.start(said)
        assert (begun.isoformat() if begun else None) == expected


@pytest.mark.parametrize("name", ["x", "H10_M19_S59", "mouse 3 – day 2"])
def test_any_folder_names(tmp_path: Path, name: str) -> None:
    root = files.recording(tmp_path / "date" / name)
    (root / SCOPE).rename(root / "x")
    (root / CAMERA).rename(root / "y ü")
    with opened(tmp_path) as r:
        assert [s.role for s in r.streams] == ["one_photon", "video"]


def test_without_the_sessions_json(tmp_path: Path) -> None:
    root = files.recording(tmp_path / "a")
    (root / "metaData.json").unlink()
    with opened(root) as r:
        assert [s.role for s in r.streams] == ["one_photon", "video"]
        assert "NWBFile" not in r.metadata()
    shutil.rmtree(root / CAMERA)
    with opened(root) as r:
        assert [s.id for s in r.streams] == [SCOPE]


def test_old_metadata_of_the_session(tmp_path: Path) -> None:
    flat = {**files.SESSION, **files.SESSION["recordingStartTime"]}
    del flat["recordingStartTime"]
    root = files.recording(tmp_path / "a")
    (root / "metaData.json").write_text(json.dumps(flat))
    with opened(root) as r:
        assert r.metadata()["NWBFile"]["session_start_time"].startswith("2022-09-19T09:18:41.007")


def test_two_miniscopes(tmp_path: Path) -> None:
    root = files.recording(tmp_path / "a", session={"miniscopes": ["My V4 Miniscope", "scope B"]})
    said = {**files.SCOPE, "deviceName": "scope B"}
    files.device(root / "scope_B", files.frames(30, seed=5), said)
    with opened(root) as r:
        names = sorted(s.nwb_name for s in r.streams if s.role == "one_photon")
        assert names == ["OnePhotonSeriesMyV4Miniscope", "OnePhotonSeriesScopeB"]
        assert len(r.metadata()["ImagingPlanes"]) == 2
        assert np.array_equal(all_of(r, "scope_B"), files.frames(30, seed=5))


def test_sessions_beside_each_other(tmp_path: Path) -> None:
    files.recording(tmp_path / "09_18_41")
    files.recording(tmp_path / "09_20_00")
    detection = registry.detect([tmp_path])
    assert len(detection.sessions) == 2 and not detection.reports
    assert {s.format for s in detection.sources()} == {"miniscope"}


# ------------------------------------------------------------------ head orientation, notes


def test_head_orientation(tmp_path: Path) -> None:
    rows = [[50 * k - 20, 1 - k / 50, 0, 0, 0] for k in range(50)]
    root = files.recording(tmp_path / "a", orientation=rows)
    with opened(root) as r:
        stream = r.stream(f"{SCOPE}_orientation")
        assert (stream.role, stream.nwb_name) == ("behavior", "HeadOrientation")
        assert np.array_equal(all_of(r, stream.id), np.array(rows)[:, 1:])
        assert stream.timebase.times(0, 2).tolist() == [-0.02, 0.03]
        assert any("quaternions are not of length 1" in n for n in r.notes)


def test_notes(tmp_path: Path) -> None:
    root = files.recording(tmp_path / "a")
    (root / "notes.csv").write_text("1500,lever, pressed\n4200,rest\n")
    with opened(root) as r:
        rows = r.stream("notes").read()
        assert rows["timestamp"].tolist() == [1.5, 4.2]
        assert rows["note"].tolist() == ["lever, pressed", "rest"]
    (root / "notes.csv").write_text("")
    with opened(root) as r:
        assert len(r.streams) == 2


# ------------------------------------------------------------------ times


def test_dropped_frames_are_told(tmp_path: Path) -> None:
    times = [50 * k for k in range(30)] + [50 * k + 400 for k in range(30, 50)]
    with opened(files.recording(tmp_path / "a", times=times)) as r:
        assert any("1 steps are longer" in n and "behind frame 29" in n for n in r.notes)
        assert "imaging_rate" not in r.metadata()["ImagingPlanes"]["a_MyV4Miniscope"]


def test_frame_numbers_are_looked_at(tmp_path: Path) -> None:
    root = files.recording(tmp_path / "a")
    path = root / SCOPE / "timeStamps.csv"
    lines = path.read_text().splitlines()
    lines[31:] = [f"{int(n) + 4},{rest}" for n, rest in (x.split(",", 1) for x in lines[31:])]
    path.write_text("\n".join(lines))
    with opened(root) as r:
        assert any(
            "4 frames are missing by their numbers, first before frame 34" in n for n in r.notes
        )


def test_times_that_go_back_are_refused(tmp_path: Path) -> None:
    times = [50 * k for k in range(49)] + [7]
    root = files.recording(tmp_path / "a", times=times)
    refused(root, "frame 49 is at 0.007 s")
    with opened(root, salvage=True) as r:
        assert r.streams[0].timebase.times(49, 50).tolist() == [0.007]


@pytest.mark.parametrize("n", [45, 55])
def test_another_number_of_times_is_refused(tmp_path: Path, n: int) -> None:
    root = files.recording(tmp_path / "a", times=[50 * k for k in range(n)])
    refused(root, f"the times of {n} frames, the movies hold 50")
    with opened(root, salvage=True) as r:
        kept = min(n, 50)
        assert r.stream(SCOPE).shape[0] == kept == r.stream(SCOPE).timebase.n_samples
        assert np.array_equal(all_of(r, SCOPE), files.frames(50)[:kept])


def test_a_missing_movie_file(tmp_path: Path) -> None:
    root = files.recording(tmp_path / "a")
    (root / SCOPE / "1.avi").unlink()
    refused(root, "lacks 1.avi")
    with opened(root, salvage=True) as r:
        # the frames of 2.avi keep their own times
        assert r.stream(SCOPE).timebase.times(20, 21).tolist() == [40 * 0.05 - 0.02]
        assert np.array_equal(all_of(r, SCOPE), files.frames(50)[np.r_[:20, 40:50]])


def test_without_times(tmp_path: Path) -> None:
    root = files.recording(tmp_path / "a")
    (root / SCOPE / "timeStamps.csv").unlink()
    error = refused(root, "no timeStamps.csv", kind=MissingFact)
    assert error.hint is not None and "--set a.rate=20" in error.hint
    with opened(root, rate=20.0) as r:
        assert r.streams[0].timebase.clock != r.streams[1].timebase.clock
        assert r.streams[0].timebase.rate == 20


def test_a_cut_list_of_times(tmp_path: Path) -> None:
    root = files.recording(tmp_path / "a")
    path = root / SCOPE / "timeStamps.csv"
    path.write_text(path.read_text()[:-8])
    refused(root, "its last row is '49'")


# ------------------------------------------------------------------ the older program


@pytest.mark.parametrize("header", [True, False])
def test_the_older_layout(tmp_path: Path, header: bool) -> None:
    root = files.older(tmp_path / "6_22_2017" / "H10_M19_S59", header=header)
    with opened(root) as r:
        assert [(s.id, s.role) for s in r.streams] == [
            ("msCam", "one_photon"),
            ("behavCam", "video"),
            ("notes", "events"),
        ]
        assert np.array_equal(all_of(r, "msCam"), files.frames(25))
        assert r.streams[0].timebase.times(0, 2).tolist() == [0.005, 0.055]
        # the first value of the program's counter is none
        assert r.streams[1].timebase.times(0, 2).tolist() == [0.0, 0.033]
        said = r.metadata()
        assert said["NWBFile"] == {"session_start_time": "2017-06-22T10:19:59"}
        assert said["Subject"] == {"subject_id": "m3"}
        assert "excitation 10" in next(iter(said["Devices"].values()))["description"]
        assert r.stream("notes").read()["note"].tolist() == ["fell asleep"]


def test_cameras_of_equal_length_need_a_choice(tmp_path: Path) -> None:
    root = files.older(tmp_path / "a", 25, 25)
    error = refused(root, "cannot be told", kind=MissingFact)
    assert error.hint is not None and ".miniscope_camera=" in error.hint
    with opened(root, miniscope_camera=1) as r:
        assert r.streams[0].timebase.times(1, 2).tolist() == [0.055]


def test_more_than_nine_files_are_in_order(tmp_path: Path) -> None:
    files.device(tmp_path / "a", files.frames(24), per_file=2)
    with opened(tmp_path) as r:
        assert np.array_equal(all_of(r, SCOPE), files.frames(24))


def test_foreign_files_stay_foreign(tmp_path: Path) -> None:
    (tmp_path / "metaData.json").write_text('{"cameras": 3}')
    (tmp_path / "timestamp.dat").write_text("1 2 3")
    (tmp_path / "deep.json").write_text("[" * 100000)
    files.movie(tmp_path / "clip.avi", files.frames(3), "mjpeg", "yuvj420p")
    assert [s.format for s in found(tmp_path)] == ["video"]
