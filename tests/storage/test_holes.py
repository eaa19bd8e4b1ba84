"""Holes in a skeleton that pynwb writes."""

from __future__ import annotations

import datetime
import os

import h5py
import numpy as np
import pytest

from nwbkit.errors import InternalError
from nwbkit.storage.holes import hole, resolve
from nwbkit.storage.pipeline import fill
from nwbkit.storage.planning import DatasetPlan

from .conftest import Memory, values_of

os.environ.setdefault("PYNWB_NO_CACHE_DIR", "1")


def make(shape, dtype, plan=None):
    values = values_of(shape, dtype)
    return hole(shape, dtype, plan, source=Memory(values), key="a/b")


def test_series_and_columns(tmp_path):
    from hdmf.common import DynamicTable, VectorData
    from pynwb import NWBHDF5IO, NWBFile, TimeSeries

    start = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    nwbfile = NWBFile("d", "i", start)
    holes = {
        "/acquisition/s/data": make((5000, 10), "<i2", DatasetPlan((512, 4))),
        "/acquisition/s/timestamps": make((5000,), "<f8"),
        "/acquisition/none/data": make((0, 3), "<i2"),
        "/scratch/t/a": make((77,), "<f8"),
        "/scratch/t/b": make((77,), "<i4"),
    }
    h = list(holes.values())
    with pytest.raises(InternalError, match="not in the written skeleton"):
        resolve(h)
    series = {"data": h[0].placeholder, "timestamps": h[1].placeholder, "unit": "volts"}
    nwbfile.add_acquisition(TimeSeries(name="s", **series))
    nwbfile.add_acquisition(TimeSeries(name="none", data=h[2].placeholder, unit="m", rate=1.0))
    columns = [
        VectorData(name="a", description="d", data=h[3].placeholder),
        VectorData(name="b", description="d", data=h[4].placeholder),
    ]
    nwbfile.add_scratch(
        DynamicTable(name="t", description="d", columns=columns, id=list(range(77)))
    )
    path = tmp_path / "f.nwb"
    with NWBHDF5IO(path, "w") as io:
        io.write(nwbfile)
        resolve(h)
    assert [each.path for each in h] == list(holes)
    assert path.stat().st_size < 1_000_000
    fill(path, h, jobs=2, max_memory=1 << 28)
    with NWBHDF5IO(path, "r") as io:
        read = io.read()
        np.testing.assert_array_equal(read.acquisition["s"].data[:], h[0].source.values)
        table = read.scratch["t"]
        np.testing.assert_array_equal(table["b"][:], h[4].source.values)
    with h5py.File(path) as f:
        for name, each in holes.items():
            np.testing.assert_array_equal(f[name][...], each.source.values)
        assert f["/acquisition/s/data"].chunks == (512, 4)
        # hdmf leaves out the names of columns that it takes for empty
        assert list(f["/scratch/t"].attrs["colnames"]) == ["a", "b"]


def test_chunks_are_cut_to_the_dataset():
    assert make((10, 3), "<i2", DatasetPlan((1000, 64))).plan.chunks == (10, 3)
    assert not make((10, 3), "|u1", DatasetPlan((5, 3))).plan.shuffle


def test_byte_order_is_little():
    assert make((10, 3), ">i2").dtype == np.dtype("<i2")
