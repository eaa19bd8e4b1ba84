"""FicTrac: units, radius, time stamps of three kinds, missing frames; the samples."""

from __future__ import annotations

import math
import shutil
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from nwbkit.errors import DamagedInput, MissingFact, UsageError
from nwbkit.formats import registry
from nwbkit.formats.behavior import _fictrac_table
from tests.data import DATA, needs_data
from tests.expected.behavior2 import FICTRAC
from tests.formats.behavior_files import assert_sound, convert, encode

EPOCH = 1690191055440.6


def rows(n: int = 30, width: int = 25, **columns: Any) -> list[list[float]]:
    """Lines of FicTrac; `columns`, called ``c22`` and so on, replace some of them."""
    rng = np.random.default_rng(1)
    values = rng.normal(size=(n, 25))
    values[:, 0] = values[:, 22] = np.arange(n)
    values[:, 5:8] = values[:, 1:4][:, [1, 2, 0]]  # the same angle about another axis
    values[:, 21] = 10.0 * (np.arange(n) + 1)
    values[:, 23], values[:, 24] = 10.0, 30_000_000 + 10.0 * np.arange(n)
    for name, column in columns.items():
        values[:, int(name[1:]) - 1] = column
    return [row[:width] for row in values.tolist()]


def write(path: Path, lines: list[list[float]], end: str = "\n") -> Path:
    text = end.join(", ".join(f"{v:.14g}" for v in row) for row in lines) + end
    path.write_text(text)
    return path


def opened(path: Path, *, salvage: bool = False, **options: Any) -> Any:
    (source,) = [s for s in registry.detect([path]).sources() if s.format == "fictrac"]
    again = source.source(salvage=salvage)
    return registry.open_source(
        type(again)(source.id, source.format, source.paths, options, salvage)
    )


@pytest.mark.parametrize("width", [23, 24, 25])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_columns_of_every_version(tmp_path: Path, width: int, end: str) -> None:
    lines = rows(3000, width)
    reader = opened(write(tmp_path / "ball.dat", lines, end))
    table = np.array([[float(f"{v:.14g}") for v in row] for row in lines])
    assert ("time_of_day" in [s.id for s in reader.streams]) is (width == 25)
    for stream in reader.streams:
        first, last = (int(n) - 1 for n in str(stream.facts["columns"]).split("-"))
        wanted = table[:, first : last + 1]
        wanted = wanted if last > first else wanted[:, 0]
        for a, b in ((0, 3000), (1000, 1030), (2999, 3000), (5, 5)):
            assert np.array_equal(stream.read(a, b), wanted[a:b])
        assert np.array_equal(reader.reread(stream.id, 7, 1500), wanted[7:1500])


#: TRAPS: the radius multiplied angles and errors too, radians per frame were called radians.
UNITS = {
    "rotation_delta_cam": ("radians/frame", "radians/frame"),
    "rotation_delta_error": ("n.a.", "n.a."),
    "rotation_delta_lab": ("radians/frame", "radians/frame"),
    "rotation_cam": ("radians", "radians"),
    "rotation_lab": ("radians", "radians"),
    "position": ("radians", "meters"),
    "heading": ("radians", "radians"),
    "movement_direction": ("radians", "radians"),
    "movement_speed": ("radians/frame", "meters/frame"),
    "integrated_motion": ("radians", "meters"),
}


@pytest.mark.parametrize("radius", [None, 0.0045])
def test_the_radius_scales_lengths_only(tmp_path: Path, radius: float | None) -> None:
    path = write(tmp_path / "ball.dat", rows())
    reader = opened(path, **({} if radius is None else {"radius_m": radius}))
    for name, units in UNITS.items():
        stream = reader.stream(name)
        unit = units[radius is not None]
        assert stream.unit == unit
        assert stream.gain.tolist() == [radius if unit.startswith("meters") else 1.0]


def test_positions_in_a_video_are_the_times(tmp_path: Path) -> None:
    reader = opened(write(tmp_path / "ball.dat", rows()))
    base = reader.streams[0].timebase
    assert np.allclose(base.times(0, 30), 0.01 * np.arange(1, 31))
    assert reader.metadata() == {}


def test_the_first_position_is_zero_not_the_time_of_day(tmp_path: Path) -> None:
    stamps = [EPOCH, *(100 / 3 * k for k in range(1, 30))]
    reader = opened(write(tmp_path / "ball.dat", rows(c22=stamps)))
    base = reader.streams[0].timebase
    assert np.allclose(base.times(0, 30), np.arange(30) / 30)
    # when a video was processed is not when it was recorded
    assert reader.metadata() == {}


def test_a_camera_tells_when_the_session_started(tmp_path: Path) -> None:
    stamps = EPOCH + 8.0 * np.arange(30)
    stamps[20:] += 100
    reader = opened(write(tmp_path / "ball.dat", rows(c22=stamps)))
    start = reader.metadata()["NWBFile"]["session_start_time"]
    assert start == "2023-07-24T09:30:55.440600+00:00"
    times = reader.streams[0].timebase.times(0, 30)
    assert times[0] == 0 and abs(times[20] - 0.26) < 1e-3
    assert any("more than half a frame late" in note for note in reader.notes)


@pytest.mark.parametrize(
    "stamps",
    [[5.0] * 30, [10.0 * (30 - k) for k in range(30)], [*(10.0 * k for k in range(1, 30)), EPOCH]],
    ids=["still", "back", "mixed"],
)
def test_stamps_that_are_no_times_are_not_used(tmp_path: Path, stamps: Any) -> None:
    path = write(tmp_path / "ball.dat", rows(c22=stamps))
    assert opened(path).streams[0].timebase is None
    with pytest.raises(MissingFact) as error:
        convert(path, tmp_path / "o.nwb")
    assert "--set ball.rate=" in (error.value.hint or "")
    timed = opened(path, rate=50.0)
    assert timed.streams[0].timebase.as_rate() == (0.0, 50.0)


def test_missing_frames_and_restarts(tmp_path: Path) -> None:
    counter = np.arange(30.0)
    counter[10:] += 4
    sequence = counter.copy()
    sequence[20:] = np.arange(1, 11)
    path = write(tmp_path / "ball.dat", rows(c1=counter, c23=sequence))
    reader = opened(path, rate=10.0)
    assert any("4 frames are missing at 1 places" in n and "frame 9" in n for n in reader.notes)
    assert any("started again 1 times" in n for n in reader.notes)
    times = reader.streams[0].timebase.times(0, 30)
    assert np.allclose(times, counter / 10)


def test_a_video_gives_its_times(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    encode(raw / "cam.mkv", n=30)
    (raw / "config.txt").write_text(
        "## FicTrac v2.1.1 config file (build date Jul 24 2023)\nsrc_fn           : x/cam.mkv\n"
    )
    write(raw / "any-20230724_113055.dat", rows(c22=[EPOCH, *range(10, 300, 10)]))
    (source,) = [s for s in registry.detect([raw]).sources() if s.format == "fictrac"]
    assert [r.evidence for r in source.relations] == ["src_fn in 'config.txt' is 'cam.mkv'"]
    out = tmp_path / "o.nwb"
    convert(raw, out, sets=["fictrac.radius_m=0.01"])
    with h5py.File(out) as f:
        place = f["processing/behavior"]
        position = place["Position/FicTracPosition"]
        assert position["starting_time"].attrs["rate"] == 25.0
        assert position["data"].attrs["unit"] == "meters"
        assert position["data"].attrs["conversion"] == 0.01
        assert place["CompassDirection/FicTracHeading/data"].shape == (30,)
        assert place["FicTracRotationDeltaCam/data"].attrs["unit"] == "radians/frame"
    assert_sound(out, raw)


#: Frames in the table, and which of the video's 30 they are; None: it cannot be told.
COUNTERS = {
    "from 0": (range(30), range(30)),
    "from 1": (range(1, 31), range(30)),
    "stopped early": (range(12), range(12)),
    "some not tracked": ([0, 1, 2, 7, 8, 29], [0, 1, 2, 7, 8, 29]),
    "one or zero": (range(1, 12), None),
    "more than there are": (range(31), None),
    "begun in the middle": (range(10, 20), None),
}


@pytest.mark.parametrize("case", COUNTERS)
def test_frames_of_the_video(tmp_path: Path, case: str) -> None:
    counter, wanted = (None if c is None else list(c) for c in COUNTERS[case])
    assert counter is not None
    encode(tmp_path / "cam.mkv", n=30)
    write(tmp_path / "cam-20230724_113055.dat", rows(len(counter), c1=counter))
    readers = {
        s.format: registry.open_source(s.source()) for s in registry.detect([tmp_path]).sources()
    }
    fictrac, video = readers["fictrac"], readers["video"]
    (relation,) = fictrac.source.relations
    fictrac.relate(relation, video)
    base = fictrac.streams[0].timebase
    if wanted is None:
        assert base.clock.startswith("cam-2023") and any(
            "cannot be told" in n for n in fictrac.notes
        )
    else:
        assert base.clock == "cam/frames"
        assert np.allclose(base.times(0, len(counter)), np.array(wanted) / 25)


def test_damage_is_told(tmp_path: Path) -> None:
    text = write(tmp_path / "ball.dat", rows()).read_text()
    lines = text.splitlines()
    cases = {
        "cut off": text[:-20],
        "has 24 columns, expected 25": "\n".join([*lines[:20], lines[20].rpartition(",")[0], ""]),
        "no number": text.replace(lines[20].split(", ")[3], "1.#QNAN", 1),
        "follows frame": "\n".join([*lines, lines[4], ""]),
    }
    for message, changed in cases.items():
        (tmp_path / "bad.dat").write_text(changed)
        with pytest.raises(DamagedInput, match=message):
            opened(tmp_path / "bad.dat")
        reader = opened(tmp_path / "bad.dat", salvage=True)
        assert reader.losses and reader.streams[0].n_samples >= 20
    with pytest.raises(UsageError):
        opened(tmp_path / "ball.dat", radius_m=-1.0)


def test_what_is_not_fictracs(tmp_path: Path) -> None:
    values = np.random.default_rng(2).normal(size=(20, 25))
    np.savetxt(tmp_path / "numbers.dat", values, delimiter=", ")
    values.tofile(tmp_path / "binary.dat")
    (tmp_path / "empty.dat").write_bytes(b"")
    (tmp_path / "text.dat").write_text("1 hello, world\n")
    assert not [s for s in registry.detect([tmp_path]).sources() if s.format == "fictrac"]


def test_blocks_end_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "ball.dat", rows(300))
    reader = opened(path)
    spans = [(0, 300), (100, 113), (7, 14), (299, 300)]
    wanted = [s.read(a, b) for s in reader.streams for a, b in spans]
    monkeypatch.setattr(_fictrac_table, "_BLOCK", 1009)
    monkeypatch.setattr(_fictrac_table, "STEP", 7)
    found = [s.read(a, b) for s in opened(path).streams for a, b in spans]
    assert all(np.array_equal(a, b) for a, b in zip(wanted, found, strict=True))


@needs_data
@pytest.mark.parametrize("sample", FICTRAC, ids=lambda s: Path(s["file"]).stem)
def test_samples(tmp_path: Path, sample: dict[str, Any]) -> None:
    raw = tmp_path / "x"
    raw.mkdir()
    shutil.copyfile(DATA / "fictrac" / sample["file"], raw / "x.dat")
    reader = opened(raw)
    assert reader.index.n_rows == sample["rows"]
    for number, cells in ((1, sample["second"]), (sample["rows"] - 1, sample["last"])):
        row = reader.parent.read(number, number + 1)[0]
        assert {c: row[c - 1] for c in cells} == cells
    base = reader.streams[0].timebase
    if sample["times"] is None:
        assert base is None
        assert any("9 of 300 time stamps" in n for n in reader.notes)
    else:
        assert base.times(0, sample["rows"]).tolist() == pytest.approx(sample["times"], abs=1e-12)
    row = reader.parent.read(1, 2)[0]
    assert math.isclose(np.hypot.reduce(row[1:4]), np.hypot.reduce(row[5:8]), rel_tol=1e-9)


@needs_data
def test_the_sample_with_its_video(tmp_path: Path) -> None:
    raw = DATA / "fictrac/sample"
    out = tmp_path / "o.nwb"
    convert(raw, out)
    with h5py.File(out) as f:
        speed = f["processing/behavior/FicTracMovementSpeed"]
        assert speed["starting_time"].attrs["rate"] == 30.0
        assert speed["data"][-1] == FICTRAC[0]["last"][19]
    assert_sound(out, raw)
    nap = pytest.importorskip("pynapple")
    path = nap.load_file(str(out))["FicTracPosition"]
    lines = (raw / "sample/sample-20230724_113055.dat").read_text().splitlines()
    wanted = [[float(c) for c in line.split(",")[14:16]] for line in lines]
    assert np.array_equal(path.values, wanted)
    assert np.allclose(path.times(), np.arange(300) / 30, atol=1e-6)
