"""Frame times from a text file beside a video: found by name, unit and column told or asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from nwbkit import verify as verifying
from nwbkit.errors import DamagedInput, MissingFact, NoInput, UsageError
from nwbkit.formats import registry
from tests.formats.behavior_files import NET, assert_sound, convert, encode, write_csv
from tests.formats.sleap_files import predictions, write_slp

pytest.importorskip("av")

N = 30
#: Seconds: 25 Hz, unsteady, two frames lost in the middle.
TIMES = 5.0 + np.arange(N) * 0.04 + np.random.default_rng(4).normal(0, 0.0005, N)
TIMES[17:] += 0.08


def video(folder: Path, name: str = "cam.mkv", n: int = N) -> Path:
    folder.mkdir(exist_ok=True)
    return encode(folder / name, n=n)


def opened(path: Path, *, salvage: bool = False, **options: Any) -> Any:
    (source,) = [s for s in registry.detect([path]).sources() if s.format == "video"]
    again = source.source(salvage=salvage)
    return registry.open_source(type(again)(source.id, "video", source.paths, options, salvage))


def times(reader: Any) -> Any:
    base = reader.streams[0].timebase
    return base.times(0, base.n_samples)


FILES: dict[str, tuple[str, float, dict[str, str]]] = {
    "a column of seconds": ("\n".join(f"{t:.6f}" for t in TIMES) + "\n", 1, {}),
    "a column of ms": ("\n".join(f"{t * 1e3:.3f}" for t in TIMES), 1, {}),
    "number and us": ("".join(f"{k},{t * 1e6:.0f}\n" for k, t in enumerate(TIMES)), 1, {}),
    "Miniscope": (
        "Frame Number,Time Stamp (ms),Buffer Index\n"
        + "".join(f"{k},{t * 1e3:.3f},0\n" for k, t in enumerate(TIMES)),
        1,
        {},
    ),
    "a header with seconds": (
        "frame;time [s];value\r\n" + "".join(f"{k};{t:.6f};1.5\r\n" for k, t in enumerate(TIMES)),
        1,
        {},
    ),
    "asked column": (
        "t1,t2\n" + "".join(f"{k * 0.5},{t:.6f}\n" for k, t in enumerate(TIMES)),
        1,
        {"timestamps_column": "t2"},
    ),
    "asked unit": (
        "".join(f"{t * 1e3:.3f}\n" for t in TIMES),
        1000,
        {"timestamps_unit": "s"},
    ),
    "blanks": ("".join(f"{k} {t:.6f}\n" for k, t in enumerate(TIMES)), 1, {}),
}


@pytest.mark.parametrize("case", FILES)
def test_files_of_many_programs(tmp_path: Path, case: str) -> None:
    text, factor, options = FILES[case]
    video(tmp_path)
    (tmp_path / "cam_timestamps.csv").write_bytes(text.encode())
    reader = opened(tmp_path, **options)
    assert np.allclose(times(reader), TIMES * factor, atol=1e-5)
    second = reader.reread_facts("frames")
    assert np.array_equal(second["times"], times(reader)) and second["n_frames"] == N
    assert any("frames may be missing there" in note for note in reader.notes)


def test_dates_and_seconds_since_1970_begin_at_zero(tmp_path: Path) -> None:
    video(tmp_path)
    start = np.datetime64("2024-05-01T10:00:00.000000000")
    stamps = [start + np.timedelta64(round((t - TIMES[0]) * 1e9), "ns") for t in TIMES]
    path = tmp_path / "cam_timestamps.csv"
    path.write_text("".join(f"{k},{str(s)[:-2]}+02:00\n" for k, s in enumerate(stamps)))
    reader = opened(tmp_path)
    assert np.allclose(times(reader), TIMES - TIMES[0], atol=1e-6)
    assert reader.streams[0].facts["first_timestamp"] == "2024-05-01T10:00:00.0000000+02:00"
    path.write_text("".join(f"{1714550400 + t - TIMES[0]:.6f}\n" for t in TIMES))
    reader = opened(tmp_path)
    assert np.allclose(times(reader), TIMES - TIMES[0], atol=1e-5)
    assert str(reader.streams[0].facts["first_timestamp"]).startswith("2024-05-01T08:00:00")


NAMES = {
    "cam_timestamps.csv": True,
    "cam.timestamps.txt": True,
    "camTimeStamps.CSV": True,
    "timestamps_cam.csv": True,
    "timeStamps.csv": True,
    "video_timestamps.csv": True,
    "cam_frame_times.csv": True,
    "times.csv": False,  # of anything
    "other_timestamps.csv": False,
    "cam.csv": False,
}


@pytest.mark.parametrize("name", NAMES)
def test_names(tmp_path: Path, name: str) -> None:
    path = video(tmp_path, n=3)
    (tmp_path / name).write_text("0.00\n0.04\n0.08\n")
    (source,) = [s for s in registry.detect([tmp_path]).sources() if s.format == "video"]
    assert source.paths == ((path, tmp_path / name) if NAMES[name] else (path,))


def test_of_two_videos_each_has_its_own(tmp_path: Path) -> None:
    a, b = video(tmp_path, "a.mkv", 3), video(tmp_path, "b.mkv", 3)
    (tmp_path / "timestamps.csv").write_text("0.0\n0.1\n0.2\n")
    (tmp_path / "b_timestamps.csv").write_text("time\n0.0\n0.1\n0.2\n")
    found = {s.paths[0]: s.paths[1:] for s in registry.detect([tmp_path]).sources()}
    assert found[a] == () and found[b] == (tmp_path / "b_timestamps.csv",)


def test_wrong_length_is_refused(tmp_path: Path) -> None:
    video(tmp_path)
    path = tmp_path / "cam_timestamps.csv"
    path.write_text("".join(f"{t:.6f}\n" for t in TIMES[:-3]))
    with pytest.raises(
        DamagedInput, match=r"has the times of 27 frames, 'cam.mkv' has 30"
    ) as error:
        opened(tmp_path)
    assert "--set cam.timestamps=none" in (error.value.hint or "")
    reader = opened(tmp_path, salvage=True)
    assert len(times(reader)) == 27 and reader.streams[0].n_frames == 27
    assert "first 27 were kept" in reader.losses[0]
    assert opened(tmp_path, timestamps="none").streams[0].timebase.rate == 25.0


ODD = {
    "goes back": ("0.00\n0.04\n0.03\n", DamagedInput, "row 2 follows"),
    "no number": ("0.00\n0.04\nx\n", DamagedInput, "no number"),
    "other width": ("0,0.00\n1,0.04\n0.08\n", DamagedInput, "has 1 cells"),
    "unit unknown": ("0\n7\n14\n", MissingFact, "in which unit"),
    "two columns": ("a time,b time\n0.5,0.7\n1.1,1.2\n1.5,1.6\n", MissingFact, "2 columns"),
}


@pytest.mark.parametrize("case", ODD)
def test_odd_files(tmp_path: Path, case: str) -> None:
    text, error, message = ODD[case]
    video(tmp_path, n=3)
    (tmp_path / "cam_timestamps.csv").write_text(text)
    with pytest.raises(error, match=message):
        opened(tmp_path)


def test_a_file_that_the_user_names(tmp_path: Path) -> None:
    video(tmp_path)
    (tmp_path / "pulses.csv").write_text("".join(f"{t:.6f}\n" for t in TIMES))
    reader = opened(tmp_path, timestamps="pulses.csv")
    assert np.allclose(times(reader), TIMES, atol=1e-5)
    assert tmp_path / "pulses.csv" in reader.files()
    with pytest.raises(NoInput, match=r"cannot open 'gone.csv'"):
        opened(tmp_path, timestamps="gone.csv")
    with pytest.raises(UsageError, match="has no column '7'"):
        opened(tmp_path, timestamps="pulses.csv", timestamps_column="7")


def test_poses_of_the_video_have_these_times(tmp_path: Path) -> None:
    pytest.importorskip("ndx_pose")
    raw = tmp_path / "raw"
    video(raw)
    (raw / "cam_timestamps.csv").write_text("".join(f"{t:.6f}\n" for t in TIMES))
    write_csv(raw / f"cam{NET}.csv", N)
    write_slp(raw / "cam.slp", predictions(N))
    out = tmp_path / "o.nwb"
    convert(raw, out)
    with h5py.File(out) as f:
        wanted = np.round(TIMES, 6)
        assert np.array_equal(f["acquisition/VideoCam/timestamps"][...], wanted)
        place = f["processing/behavior"]
        names = [n for n in place if n.startswith("PoseEstimation")]
        assert len(names) == 3
        for name in names:
            node = "nose" if "nose" in place[name] else "head"
            assert np.array_equal(place[name][node]["timestamps"][...], wanted)
    assert_sound(out, raw)
    (raw / "cam_timestamps.csv").write_text("".join(f"{t + 1e-3:.6f}\n" for t in TIMES))
    report = verifying.verify(str(out), against=[str(raw)])
    assert any("frame 0 is at" in finding.message for finding in report.findings)
