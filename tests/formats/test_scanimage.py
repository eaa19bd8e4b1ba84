"""ScanImage: pages into channels, slices and volumes; times, gaps, runs of several files."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nwbkit.errors import DamagedInput, NwbkitError, UsageError
from nwbkit.formats.base import Strength
from nwbkit.streams import Segment
from tests.formats.movie_files import found, frame_text, old, opened, pages, scanimage, settings

STACK: dict[str, Any] = {"hStackManager__enable": "true", "hStackManager__numSlices": "3"}
FLYBACK = {**STACK, "hStackManager__numFramesPerVolumeWithFlyback": "5"}


def all_of(reader: Any, stream: str) -> np.ndarray:
    s = reader.stream(stream)
    frames = s.read(0, s.shape[0])
    assert np.array_equal(frames, s.reread(0, s.shape[0]))
    return np.asarray(frames)


def test_channels_are_every_other_page(tmp_path: Path) -> None:
    data = pages(8)
    with opened(scanimage(tmp_path / "a.tif", data, channels=2)) as r:
        assert [(s.id, s.name, s.nwb_name) for s in r.streams] == [
            ("GCaMP", "GCaMP", "TwoPhotonSeriesGCaMP"),
            ("TdTomato", "tdTomato", "TwoPhotonSeriesTdTomato"),
        ]
        assert np.array_equal(all_of(r, "GCaMP"), data[::2])
        assert np.array_equal(all_of(r, "TdTomato"), data[1::2])
        assert r.streams[0].timebase.segments == (Segment(0, 4, 0.0, 30.0),)


def test_saved_channels_keep_their_own_names(tmp_path: Path) -> None:
    path = scanimage(tmp_path / "a.tif", pages(2), hChannels__channelSave="2")
    with opened(path) as r:
        assert [s.id for s in r.streams] == ["TdTomato"]


def test_flyback_frames_are_left_out(tmp_path: Path) -> None:
    data = pages(20)
    with opened(scanimage(tmp_path / "a.tif", data, **FLYBACK)) as r:
        volumes = data.reshape(4, 5, 6, 8)[:, :3]
        assert np.array_equal(all_of(r, "GCaMP"), np.moveaxis(volumes, 1, -1))
        assert "2 flyback frames of every volume are left out" in r.notes
        times = r.streams[0].timebase.times(0, 4)
        assert times == pytest.approx(np.arange(4) * 5 / 30, abs=1e-8)


def test_planes_on_their_own_have_their_own_times(tmp_path: Path) -> None:
    data = pages(20)
    path = scanimage(tmp_path / "a.tif", data, **FLYBACK)
    with opened(path, planes="split") as r:
        assert [s.id for s in r.streams] == ["GCaMPPlane0", "GCaMPPlane1", "GCaMPPlane2"]
        assert np.array_equal(all_of(r, "GCaMPPlane1"), data[1::5])
        assert r.stream("GCaMPPlane2").timebase.times(0, 1)[0] == pytest.approx(2 / 30, abs=1e-8)


def test_an_incomplete_volume_is_left_out_and_counted(tmp_path: Path) -> None:
    data = pages(18)
    path = scanimage(tmp_path / "a.tif", data, **FLYBACK)
    with opened(path) as r:
        assert r.streams[0].shape == (4, 6, 8, 3)  # the cut is among the flyback frames
    path = scanimage(tmp_path / "a.tif", data[:17], **FLYBACK)
    with opened(path) as r:
        assert r.streams[0].shape == (3, 6, 8, 3)
        assert any(n.startswith("2 frames of incomplete volumes are left out") for n in r.notes)
    with opened(path, planes="split") as r:
        assert [s.shape[0] for s in r.streams] == [4, 4, 3]


def test_flyback_frames_that_were_not_saved(tmp_path: Path) -> None:
    data = pages(20).reshape(4, 5, 6, 8)[:, :3]
    numbers = [5 * v + s + 1 for v in range(4) for s in range(3)]
    path = scanimage(tmp_path / "a.tif", data.reshape(12, 6, 8), numbers=numbers, **FLYBACK)
    with opened(path) as r:
        assert np.array_equal(all_of(r, "GCaMP"), np.moveaxis(data, 1, -1))
        assert not any("missing" in n for n in r.notes)


def test_several_frames_a_slice(tmp_path: Path) -> None:
    data = pages(12)
    change = {**STACK, "hStackManager__framesPerSlice": "2"}
    with opened(scanimage(tmp_path / "a.tif", data, **change)) as r:
        volumes = data.reshape(2, 3, 2, 6, 8).transpose(0, 2, 3, 4, 1).reshape(4, 6, 8, 3)
        assert np.array_equal(all_of(r, "GCaMP"), volumes)
        times = r.streams[0].timebase.times(0, 4)
        assert times == pytest.approx(np.array([0, 1, 6, 7]) / 30, abs=1e-8)


def test_a_slow_stack_goes_by_frame_numbers(tmp_path: Path) -> None:
    data = pages(6)
    change = {**STACK, "hStackManager__stackMode": "'slow'"}
    path = scanimage(
        tmp_path / "a.tif",
        data,
        times=[0, 1, 2, 7, 8, 9],
        acquisitions=range(1, 7),
        within=[1] * 6,
        **change,
    )
    with opened(path) as r:
        assert np.array_equal(all_of(r, "GCaMP"), np.moveaxis(data.reshape(2, 3, 6, 8), 1, -1))


def test_averaged_frames(tmp_path: Path) -> None:
    data = pages(4)
    path = scanimage(
        tmp_path / "a.tif",
        data,
        numbers=[1, 5, 9, 13],
        times=[k * 4 / 30 for k in range(4)],
        hScan2D__logAverageFactor="4",
    )
    with opened(path) as r:
        assert r.streams[0].timebase.segments == (Segment(0, 4, 0.0, 7.5),)
        assert not any("missing" in n for n in r.notes)


def test_dropped_frames_become_a_gap(tmp_path: Path) -> None:
    numbers = [1, 2, 3, 7, 8, 9]
    with opened(scanimage(tmp_path / "a.tif", pages(6), numbers=numbers)) as r:
        segments = r.streams[0].timebase.segments
        assert [(s.first_sample, s.n_samples) for s in segments] == [(0, 3), (3, 3)]
        assert segments[1].t0 == pytest.approx(0.2, abs=1e-8)
        assert "'a.tif': 3 frames are missing before frame 7 (page 4)" in r.notes


def test_a_dropped_slice_does_not_shift_the_planes(tmp_path: Path) -> None:
    data = pages(9)
    keep = [0, 1, 2, 3, 5, 6, 7, 8]  # frame 5, the middle of the second volume
    path = scanimage(tmp_path / "a.tif", data[keep], numbers=[k + 1 for k in keep], **STACK)
    with opened(path) as r:
        assert np.array_equal(
            all_of(r, "GCaMP"), np.moveaxis(data.reshape(3, 3, 6, 8)[[0, 2]], 1, -1)
        )


def test_times_that_are_no_rate_are_kept(tmp_path: Path) -> None:
    times = np.arange(30) / 30 + np.random.default_rng(0).uniform(0, 1e-3, 30)
    with opened(scanimage(tmp_path / "a.tif", pages(30), times=times)) as r:
        assert r.streams[0].timebase.times(0, 30) == pytest.approx(times, abs=1e-9)
        assert r.streams[0].timebase.as_rate() is None


def test_the_frame_times_win_over_the_settings(tmp_path: Path) -> None:
    times = np.arange(30) / 58.0
    with opened(scanimage(tmp_path / "a.tif", pages(30), times=times)) as r:
        assert r.streams[0].timebase.as_rate()[1] == pytest.approx(58, rel=1e-6)
        assert any("58 Hz, the settings say 30 Hz: the times are used" in n for n in r.notes)


def test_files_of_one_run_are_joined_in_order(tmp_path: Path) -> None:
    data = pages(12)
    for k in (2, 0, 1):  # written in any order, and past 9
        name = f"x_00001_{k + 9:05d}.tif"
        scanimage(tmp_path / name, data[4 * k : 4 * k + 4], numbers=range(4 * k + 1, 4 * k + 5))
    with opened(tmp_path) as r:
        assert [p.name[-9:-4] for p in r.source.paths] == ["00009", "00010", "00011"]
        assert np.array_equal(all_of(r, "GCaMP"), data)
        assert r.streams[0].timebase.segments == (Segment(0, 12, 0.0, 30.0),)
    (tmp_path / "x_00001_00010.tif").unlink()
    with opened(tmp_path) as r:
        assert len(r.streams[0].timebase.segments) == 2
        assert any("4 frames are missing before frame 9" in n for n in r.notes)


def test_a_loop_of_acquisitions(tmp_path: Path) -> None:
    """Acquisitions that each begin a volume of their own; numbers go on or begin again."""
    data = pages(8)
    times = [0, 0.1, 0.2, 0.3, 5.0, 5.1, 5.2, 5.3]
    for numbers in ([1, 2, 3, 4, 5, 6, 7, 8], [1, 2, 3, 4, 1, 2, 3, 4]):
        path = scanimage(
            tmp_path / "a.tif",
            data,
            numbers=numbers,
            times=times,
            acquisitions=[1] * 4 + [2] * 4,
            within=[1, 2, 3, 4] * 2,
            **STACK,
        )
        with opened(path) as r:
            assert np.array_equal(
                all_of(r, "GCaMP"), np.moveaxis(data.reshape(2, 4, 6, 8)[:, :3], 1, -1)
            )
            assert r.streams[0].timebase.times(0, 2).tolist() == [0.0, 5.0]


def test_runs_of_other_beginnings_stay_apart(tmp_path: Path) -> None:
    scanimage(tmp_path / "x_00001_00001.tif", pages(2))
    path = scanimage(tmp_path / "x_00002_00001.tif", pages(2))
    raw = path.read_bytes()
    path.write_bytes(raw.replace(b"[2024  5  2 10 20 30.25]", b"[2024  5  2 10 21 30.25]"))
    assert len(found(tmp_path)) == 2


def test_copies_of_a_file_are_not_joined(tmp_path: Path) -> None:
    for name in ("x_00001_00001.tif", "x_00001_00002.tif"):
        scanimage(tmp_path / name, pages(2))
    assert [len(s.paths) for s in found(tmp_path)] == [1, 1]


def test_renamed_files_are_still_recognised(tmp_path: Path) -> None:
    scanimage(tmp_path / "x.tif", pages(2))
    (source,) = found(tmp_path)
    assert (source.format, source.strength) == ("scanimage", Strength.MAGIC)


def test_what_the_settings_say(tmp_path: Path) -> None:
    path = scanimage(tmp_path / "a b é.tif", pages(3), **STACK)
    with opened(path) as r:
        said = r.metadata()
        assert said["NWBFile"]["session_start_time"] == "2024-05-02T10:20:30.250000"
        ((plane_id, plane),) = said["ImagingPlanes"].items()
        assert plane_id == r.streams[0].plane
        assert plane["grid_spacing"] == [1.0, 1.0, 5.0]
        assert "zoom 2.5" in plane["description"]
        assert "ScanImage 2022.1.0" in said["Devices"]["Microscope"]["description"]


def test_several_regions_are_told(tmp_path: Path) -> None:
    artist = json.dumps(
        {"RoiGroups": {"imagingRoiGroup": {"rois": [{"enable": 1}, {"enable": 1}]}}}
    )
    path = scanimage(tmp_path / "a.tif", pages(2), artist=artist, hRoiManager__mroiEnable="true")
    with opened(path) as r:
        assert any(n.startswith("2 scan fields (mROI)") for n in r.notes)
        assert "grid_spacing" not in r.metadata()["ImagingPlanes"][r.streams[0].plane]


def test_settings_in_the_description(tmp_path: Path) -> None:
    """ScanImage 5: no Software tag, ``scanimage.SI.`` lines behind those of the frame."""
    import tifffile

    data = pages(4)
    lines = settings().replace("SI.", "scanimage.SI5.")
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        for k, page in enumerate(data):
            text = f"Frame Number = {k + 1:010d}\nFrame Timestamp(s) = {k / 30:.9f}\n{lines}"
            file.write(page, description=text, metadata=None, contiguous=False)
    with opened(tmp_path / "a.tif") as r:
        assert np.array_equal(all_of(r, "GCaMP"), data)
        assert r.streams[0].timebase.segments == (Segment(0, 4, 0.0, 30.0),)


def test_settings_as_json_and_in_the_block(tmp_path: Path) -> None:
    from nwbkit.formats.imaging.scanimage._text import Settings, block_of

    said = {"SI": {"hChannels": {"channelSave": [1, 2], "channelName": ["it's", "b"]}, "x": True}}
    read = Settings(json.dumps(said))
    assert read.numbers("hChannels.channelSave") == [1.0, 2.0] and read.true("x")
    assert Settings("{" * 100_000).values == {}
    text = settings().encode()
    head = struct.pack("<2sHHHQIIII", b"II", 43, 8, 0, 16, 117637889, 4, len(text), 0)
    (tmp_path / "a").write_bytes(head + text)
    assert Settings(block_of(tmp_path / "a")).word("hStackManager.stackMode") == "fast"


def test_a_plane_that_was_not_reached(tmp_path: Path) -> None:
    path = scanimage(tmp_path / "a.tif", pages(2), **STACK)
    with opened(path, planes="split") as r:
        assert [s.id for s in r.streams] == ["GCaMPPlane0", "GCaMPPlane1"]
        assert "no frame of plane 2 of 'GCaMP' was taken" in r.notes
    assert "holds no whole volume" in refused(path).message


def test_version_3(tmp_path: Path) -> None:
    data = pages(8, dtype="u2")
    old(tmp_path / "x001.tif", data[:4], state__acq__savingChannel2="1")
    later = "5/2/2024 10:20:40.750"
    old(tmp_path / "x002.tif", data[4:], later, state__acq__savingChannel2="1")
    with opened(tmp_path) as r:
        assert [s.id for s in r.streams] == ["Channel1", "Channel2"]
        assert np.array_equal(all_of(r, "Channel2"), data[1::2])
        segments = (Segment(0, 2, 0.0, 3.90625), Segment(2, 2, 10.5, 3.90625))
        assert r.streams[0].timebase.segments == segments
        assert r.metadata()["NWBFile"]["session_start_time"] == "2024-05-02T10:20:30.250000"


def test_version_3_stack(tmp_path: Path) -> None:
    data = pages(6, dtype="u2")
    change = {"state__acq__numberOfZSlices": "3", "state__acq__numberOfFrames": "2"}
    with opened(old(tmp_path / "x001.tif", data, **change)) as r:
        assert np.array_equal(all_of(r, "Channel1"), np.moveaxis(data.reshape(3, 2, 6, 8), 0, -1))


def test_no_rate_at_all_is_asked_for(tmp_path: Path) -> None:
    path = old(tmp_path / "x001.tif", pages(2), state__acq__frameRate=None)
    with opened(path) as r:
        assert r.streams[0].timebase is None
    with opened(path, rate=5.0) as r:
        assert r.streams[0].timebase.rate == 5.0


# ------------------------------------------------------------------ damage


def refused(path: Path, **options: Any) -> NwbkitError:
    with pytest.raises(NwbkitError) as error:
        opened(path, **options)
    assert "\n" not in error.value.message and not error.value.message.endswith(".")
    return error.value


def test_a_truncated_file(tmp_path: Path) -> None:
    data = pages(8)
    path = scanimage(tmp_path / "a.tif", data, channels=2)
    raw = path.read_bytes()
    path.write_bytes(raw[: len(raw) * 6 // 10])
    error = refused(path)
    assert isinstance(error, DamagedInput) and "'a.tif': page 5:" in error.message
    with opened(path, salvage=True) as r:
        assert r.losses and np.array_equal(all_of(r, "GCaMP"), data[:4:2])


def test_a_page_too_few(tmp_path: Path) -> None:
    path = scanimage(tmp_path / "a.tif", pages(7), channels=2)
    error = refused(path)
    assert "holds 7 pages, which is no multiple of its 2 saved channels" in error.message
    with opened(path, salvage=True) as r:
        assert r.streams[0].shape[0] == 3 and len(r.losses) == 1


def test_a_wrong_number_of_channels(tmp_path: Path) -> None:
    path = scanimage(tmp_path / "a.tif", pages(8), hChannels__channelSave="[1 2]")
    assert "are frames [7, 8], expected one frame of 2 channels" in refused(path).message


def test_frames_that_go_back(tmp_path: Path) -> None:
    path = scanimage(tmp_path / "a.tif", pages(4), numbers=[1, 2, 2, 3])
    assert "page 3 is frame 2, after frame 2 (frameNumbers)" in refused(path).message


def test_a_page_without_a_frame(tmp_path: Path) -> None:
    path = scanimage(tmp_path / "a.tif", pages(4))
    raw = path.read_bytes()
    path.write_bytes(raw.replace(b"frameNumbers = 3", b"frameXumbers = 3"))
    assert "page 3 does not say which frame it is" in refused(path).message
    with opened(path, salvage=True) as r:
        assert r.losses and r.streams[0].timebase.rate == 30.0


def test_settings_that_do_not_fit(tmp_path: Path) -> None:
    change = {**STACK, "hStackManager__numFramesPerVolumeWithFlyback": "2"}
    assert "which do not fit" in refused(scanimage(tmp_path / "a.tif", pages(6), **change)).message


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hStackManager__numSlices": "100000000"}, "volumes have 100000000 slices"),
        ({"hStackManager__numSlices": "9000"}, "holds no whole volume"),
    ],
)
def test_sizes_that_cannot_be(tmp_path: Path, change: dict[str, str], message: str) -> None:
    path = scanimage(tmp_path / "a.tif", pages(6), **{**STACK, **change})
    assert message in refused(path).message


def test_numbers_that_leap_take_no_memory(tmp_path: Path) -> None:
    change = {**STACK, "hStackManager__framesPerSlice": "1000000000"}
    numbers = [1, 2, 10**12]
    path = scanimage(tmp_path / "a.tif", pages(3), numbers=numbers, times=[0, 1, 2], **change)
    assert "holds no whole volume" in refused(path).message


def test_a_rate_beside_frame_times_is_refused(tmp_path: Path) -> None:
    assert isinstance(refused(scanimage(tmp_path / "a.tif", pages(2)), rate=9.0), UsageError)


def test_other_tiffs_are_not_taken(tmp_path: Path) -> None:
    import tifffile

    tifffile.imwrite(tmp_path / "a.tif", pages(3), photometric="minisblack")
    assert [s.format for s in found(tmp_path)] == ["tiff"]


def test_a_frame_text_is_read() -> None:
    from nwbkit.formats.imaging.scanimage._text import Frame, epoch_of, frame_of, numbers, words

    assert frame_of(frame_text(7, 0.25, 2, 3)) == Frame(7, 2, 3, 0.25)
    assert frame_of("nothing") is None and epoch_of("epoch = [1 2]") is None
    assert epoch_of("epoch = [2024 13 2 10 20 30]") is None
    assert numbers("[1 -2.5e3;inf]") == [1.0, -2500.0, float("inf")]
    assert words("{'a''b' 'c'}") == ["a'b", "c"]
