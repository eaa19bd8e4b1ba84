"""HDF5 sources read past HDF5, and sources read in processes of their own."""

from __future__ import annotations

import functools
import os

import h5py
import numpy as np
import pytest

from nwbkit.errors import DamagedInput, InternalError
from nwbkit.storage.feeds import Feed
from nwbkit.storage.holes import hole
from nwbkit.storage.pipeline import fill
from nwbkit.storage.reading import ProcessRows, StoredRows, served

from .conftest import Memory, skeleton, values_of

LAYOUTS = [
    {},
    {"chunks": (100, 7)},
    {"chunks": (64, 3), "compression": "gzip"},
    {"chunks": (64, 7), "compression": "gzip", "shuffle": True, "fletcher32": True},
    {"chunks": (1001, 7), "shuffle": True},
]


def stored(path, values, shape=None, **layout):
    with h5py.File(path, "w") as file:
        file.create_dataset("a/b", data=values, **layout)
    return Memory(
        values if shape is None else values.reshape(shape),
        concurrency="hdf5",
        hdf5=(path, "/a/b"),
    )


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", ["<i2", ">i4", "<f8", "|u1"])
def test_rows_are_those_of_hdf5(tmp_path, layout, dtype):
    values = values_of((1001, 7), dtype)
    array = stored(tmp_path / "a.h5", values, **layout)
    rows = served(array)
    assert isinstance(rows, StoredRows) and rows.concurrency == "threads"
    for start, stop in [(0, 1001), (0, 1), (63, 65), (990, 1001), (5, 700)]:
        np.testing.assert_array_equal(rows.read(start, stop), values[start:stop])
    assert not array.counts.any()
    rows.close()


def test_chunks_never_written_are_the_fill_value(tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        data = file.create_dataset("a/b", (100, 4), "<i2", chunks=(10, 4), fillvalue=-7)
        data[20:30] = 1
        values = data[...]
    array = Memory(values, concurrency="hdf5", hdf5=(path, "/a/b"))
    np.testing.assert_array_equal(served(array).read(0, 100), values)


def external_link(path, values):
    with h5py.File(path, "w") as file:
        file["a"] = h5py.ExternalLink(os.fspath(path.with_name("b.h5")), "/a")
    with h5py.File(path.with_name("b.h5"), "w") as file:
        file["a/b"] = values


def external_storage(path, values):
    path.with_name("b.bin").write_bytes(values.tobytes())
    with h5py.File(path, "w") as file:
        names = [(os.fspath(path.with_name("b.bin")), 0, values.nbytes)]
        file.create_dataset("a/b", values.shape, values.dtype, external=names)


def other_type(path, values):
    with h5py.File(path, "w") as file:
        file["a/b"] = values.astype("<f4")


def other_shape(path, values):
    with h5py.File(path, "w") as file:
        file["a/b"] = values.T


@pytest.mark.parametrize("made", [external_link, external_storage, other_type, other_shape])
def test_what_only_the_reader_may_read_is_left_to_it(tmp_path, made):
    values = values_of((100, 4), "<i2")
    path = tmp_path / "a.h5"
    made(path, values)
    array = Memory(values, concurrency="hdf5", hdf5=(path, "/a/b"))
    assert served(array) is array


def test_damage_is_named(tmp_path):
    path = tmp_path / "a.h5"
    values = values_of((1000, 8), "<i2")
    array = stored(path, values, chunks=(100, 8), compression="gzip")
    with h5py.File(path) as file:
        info = file["a/b"].id.get_chunk_info_by_coord((300, 0))
    raw = bytearray(path.read_bytes())
    raw[info.byte_offset + info.size // 2] ^= 4
    path.write_bytes(raw)
    with pytest.raises(DamagedInput, match=r"a\.h5:/a/b': the chunk at \[300, 0\] is damaged"):
        served(array).read(0, 1000)


def test_an_hdf5_source_is_filled_by_many_threads(tmp_path):
    values = values_of((200_000, 16), "<i2")
    array = stored(tmp_path / "a.h5", values, chunks=(10_000, 16), compression="gzip")
    made = hole(array.shape, array.dtype, source=array, key="s/a:data")
    path = skeleton(tmp_path / "out.h5", [made])
    assert Feed(array, [made]).reader.concurrency == "threads"
    fill(path, [made], jobs=2, max_memory=64 << 20)
    with h5py.File(path) as file:
        np.testing.assert_array_equal(file[made.path][...], values)


def opened(n_rows, fails_at=None):
    """A stream that another process opens; it says which process reads."""
    values = np.arange(n_rows * 4, dtype="<i4").reshape(n_rows, 4)

    class Elsewhere(Memory):
        def deliver(self, start, stop, out):
            if fails_at is not None and start <= fails_at < stop:
                raise DamagedInput("'x' is torn", hint="--salvage")
            rows = values[start:stop].copy()
            rows[:, 3] = os.getpid()
            return rows

    return Elsewhere(values, concurrency="process")


def process_rows(n_rows, **how):
    array = opened(n_rows)
    array.reopen = functools.partial(opened, n_rows, **how)
    return served(array), array.values


def test_rows_come_from_other_processes():
    rows, values = process_rows(1000)
    assert isinstance(rows, ProcessRows)
    try:
        for start, stop in [(0, 10), (10, 1000), (3, 4)]:
            found = rows.read(start, stop)
            np.testing.assert_array_equal(found[:, :3], values[start:stop, :3])
            assert os.getpid() not in found[:, 3]
    finally:
        rows.close()


def test_failures_there_are_failures_here():
    rows, _ = process_rows(1000, fails_at=500)
    try:
        with pytest.raises(DamagedInput, match="'x' is torn") as caught:
            rows.read(400, 600)
        assert caught.value.hint == "--salvage"
        assert len(rows.read(0, 10)) == 10
    finally:
        rows.close()


def test_a_process_that_dies_is_told_of():
    rows, _ = process_rows(1000)
    try:
        rows.read(0, 1)
        rows._all[0]._process.kill()
        with pytest.raises(InternalError, match="has died"):
            rows.read(0, 1)
    finally:
        rows.close()


def test_views_are_never_read_as_what_they_are_cut_from(tmp_path):
    from nwbkit.streams.turned import Turned
    from nwbkit.streams.views import Window

    values = values_of((20, 6, 6), "<u2")
    array = stored(tmp_path / "a.h5", values)
    np.testing.assert_array_equal(served(Turned(array)).read(0, 20), values.swapaxes(1, 2))
    np.testing.assert_array_equal(served(Window(array, 5, 20)).read(0, 15), values[5:])
    rows, values = process_rows(100)
    rows.close()
    base = opened(100)
    base.reopen = functools.partial(opened, 100)
    window = served(Window(base, 40, 100))
    try:
        np.testing.assert_array_equal(window.read(0, 60)[:, :3], values[40:, :3])
    finally:
        window.close()
