"""Neuralynx video tracking: positions and directions on the clock of the recording."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from nwbkit import convert as journey
from nwbkit.convert import Request
from nwbkit.errors import NwbkitError
from nwbkit.formats.behavior import _nvt_reader
from tests.formats.helpers import found, opened
from tests.formats.neuralynx_files import ncs, nvt, stamps
from tests.formats.test_neuralynx_folders import T0, arrays, convert


def track(folder: Path, n: int = 40, first: int = T0 + 1000, **fields: Any) -> np.ndarray:
    times = first + np.arange(n) * 33367
    xy = np.stack([np.arange(n) + 10, 200 - np.arange(n)], axis=1)
    xy[5] = 0
    nvt(folder / "VT1.nvt", times.tolist(), xy, **fields)
    return times


def test_video_is_on_the_clock_of_the_recording(tmp_path: Path) -> None:
    """TRAPS: readers subtract the video's own first timestamp."""
    ncs(tmp_path / "CSC1.ncs", stamps(64))
    times = track(tmp_path, angle=(np.arange(40) * 9).tolist())
    sources = found(tmp_path)
    (tracked,) = [s for s in sources if s.format == "neuralynx_nvt"]
    assert [r.source for r in tracked.relations] == [
        s.id for s in sources if s.format == "neuralynx"
    ]
    convert(tmp_path, tmp_path / "o.nwb")
    with h5py.File(tmp_path / "o.nwb") as f:
        position = f["processing/behavior/Position/SpatialSeriesVT1"]
        assert position["timestamps"][...] == pytest.approx((times - T0) / 1e6, abs=1e-9)
        assert np.isnan(position["data"][5]).all() and not np.isnan(position["data"][6]).any()
        direction = f["processing/behavior/CompassDirection/SpatialSeriesVT1Direction"]
        assert direction["data"][6] == 54 and np.isnan(direction["data"][5])
        assert direction["data"].attrs["unit"] == "degrees"
        assert "clockwise" in direction["reference_frame"].asstr()[()]


def test_without_the_guard_the_shared_clock_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ncs(tmp_path / "CSC1.ncs", stamps(64))
    track(tmp_path)
    monkeypatch.setattr(_nvt_reader.NvtReader, "relate", lambda self, relation, other: None)
    with pytest.raises(NwbkitError, match="clock"):
        journey.convert(
            Request(inputs=[str(tmp_path)], output=str(tmp_path / "o.nwb"), timezone="UTC")
        )


def test_video_that_begins_first_begins_the_session(tmp_path: Path) -> None:
    ncs(tmp_path / "CSC1.ncs", stamps(64))
    track(tmp_path, first=T0 - 20_000)
    convert(tmp_path, tmp_path / "o.nwb")
    with h5py.File(tmp_path / "o.nwb") as f:
        assert f["processing/behavior/Position/SpatialSeriesVT1/timestamps"][0] == 0.0
        start = f["acquisition/ElectricalSeries/starting_time"][()]
        assert start == pytest.approx(0.02, abs=1e-9)


def test_video_of_another_session_stays_apart(tmp_path: Path) -> None:
    ncs(tmp_path / "CSC1.ncs", stamps(64))
    track(tmp_path, SessionUUID="1", OriginalFileName='"D:\\x\\2001-01-01_00-00-00\\VT1.nvt"')
    assert not any(s.relations for s in found(tmp_path))
    ncs(tmp_path / "sub" / "CSC1.ncs", stamps(64))
    (tmp_path / "CSC1.ncs").unlink()
    track(tmp_path)  # the folder above, but of the same session
    assert [len(s.relations) for s in found(tmp_path)] == [0, 1] or any(
        s.relations for s in found(tmp_path)
    )


def test_pixels_become_meters_where_the_user_says(tmp_path: Path) -> None:
    track(tmp_path)
    convert(tmp_path, tmp_path / "o.nwb", sets=["VT1.meters_per_pixel=0.002"])
    with h5py.File(tmp_path / "o.nwb") as f:
        data = f["processing/behavior/Position/SpatialSeriesVT1/data"]
        assert (data.attrs["conversion"], data.attrs["unit"]) == (0.002, "meters")
        assert data[0].tolist() == [10, 200]


def test_angles_that_are_none(tmp_path: Path) -> None:
    track(tmp_path, angle=[450] + [10] * 39)
    reader = opened(tmp_path)
    values = arrays(reader)[1].read(0, 40)
    assert np.flatnonzero(np.isnan(values)).tolist() == [0, 5]
    assert np.array_equal(reader.reread("direction", 0, 40), values, equal_nan=True)
    assert any("beyond 360" in n for n in reader.notes)


def test_dropped_frames_and_damage_of_video_are_named(tmp_path: Path) -> None:
    times = track(tmp_path)
    times[20:] += 3 * 33367
    xy = np.ones((40, 2), int)
    nvt(tmp_path / "VT1.nvt", times.tolist(), xy)
    assert any("3 frames are missing at 1 places" in n for n in opened(tmp_path).notes)
    times[30] = times[29]
    nvt(tmp_path / "VT1.nvt", times.tolist(), xy)
    with pytest.raises(NwbkitError, match="do not increase at record 30"):
        opened(tmp_path)
    assert len(opened(tmp_path, salvage=True).losses) == 1
    with open(tmp_path / "VT1.nvt", "r+b") as f:
        f.truncate(16384 + 1828 * 20 + 9)
    with pytest.raises(NwbkitError, match="9 more than 20 records of 1828 bytes"):
        opened(tmp_path)
    with open(tmp_path / "VT1.nvt", "r+b") as f:
        f.truncate(16384)
        f.seek(16384)
        f.write(b"")
    assert not opened(tmp_path).streams
