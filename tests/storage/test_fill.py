"""What fill writes, stock h5py reads; each row is read once; failures come out as they are."""

from __future__ import annotations

import _thread
import errno
import threading
import time

import h5py
import numpy as np
import pytest

from nwbkit.errors import DamagedInput, InternalError, IOFailure, TryAgain, UsageError
from nwbkit.storage.digests import digest_array
from nwbkit.storage.feeds import Feed
from nwbkit.storage.hdf5 import ChunkFile
from nwbkit.storage.holes import hole
from nwbkit.storage.pipeline import fill, memory_needed
from nwbkit.storage.planning import DatasetPlan

from .conftest import Memory, skeleton, values_of

P = DatasetPlan
CASES = [
    # shape, dtype, plan
    ((1000, 10), "<i2", None),
    ((1000, 10), ">i2", P((64, 4))),
    ((1001, 13), "<i2", P((64, 4))),
    ((1001, 13), "<u2", P((100, 13))),
    ((333, 7), "<f4", P((32, 3))),
    ((333, 7), ">f8", P((32, 3))),
    ((5001,), "<i8", P((512,))),
    ((5001,), "|u1", P((512,))),
    ((5001,), "|b1", P((512,))),
    ((5001,), "<c16", P((512,))),
    ((51, 9, 11), "<u2", P((4, 5, 11))),
    ((21, 9, 11, 3), "|u1", P((4, 9, 4, 3))),
    ((1, 10), "<i2", P((1, 4))),
    ((1, 1), "<i2", None),
    ((0, 10), "<i2", None),
    ((10, 0), "<i2", None),
    ((0,), "<f8", P((100,))),
    ((1000, 10), "<i2", P((64, 4), codec="none")),
    ((1000, 10), "<i2", P((64, 4), codec="none", shuffle=False)),
    ((1000, 10), "<i2", P((64, 4), level=0)),
    ((1000, 10), "<i2", P((64, 4), level=3, shuffle=False)),
    ((1000, 10), "<i2", P(())),
    ((700_000, 3), "<f8", None),
]


@pytest.mark.parametrize(("shape", "dtype", "plan"), CASES)
def test_stock_h5py_reads_it(filled, shape, dtype, plan):
    values = values_of(shape, dtype)
    path, each, result = filled(values, plan)
    with h5py.File(path) as f:
        dataset = f[each.path]
        assert dataset.dtype == values.dtype.newbyteorder("<")
        np.testing.assert_array_equal(dataset[...], values)
    assert result.digests == {each.path: digest_array(values)}
    assert (each.source.counts == 1).all()
    assert result.measured.raw == values.nbytes


@pytest.mark.parametrize("jobs", [1, 2, 5])
@pytest.mark.parametrize("plan", [P((64, 4)), P((1000, 16)), P((7, 3)), P(())])
@pytest.mark.parametrize("block_rows", [0, 100, 1000, 10**9])
def test_digest_independent_of_threads_chunks_and_reading(tmp_path, jobs, plan, block_rows):
    values = values_of((5003, 16), "<i2")
    each = hole(values.shape, "<i2", plan, source=Memory(values, block_rows=block_rows), key="a/b")
    path = skeleton(tmp_path / "f.h5", [each])
    result = fill(path, [each], jobs=jobs, max_memory=1 << 24)
    assert result.digests[each.path] == digest_array(values)
    with h5py.File(path) as f:
        np.testing.assert_array_equal(f[each.path][...], values)


def band_and_word(values, n_ap, concurrency="threads"):
    parent = Memory(values, id="p", concurrency=concurrency)
    cut = {"group": "g", "parent": parent}
    band = Memory(values[:, :n_ap], columns=slice(0, n_ap), **cut)
    picks = np.array([3, 1, n_ap])
    some = Memory(values[:, picks], columns=picks, **cut)
    word = Memory(values[:, n_ap:], columns=slice(n_ap, n_ap + 1), **cut)
    holes = [
        hole(band.shape, "<i2", P((512, 5)), source=band, key="a/ap"),
        hole(some.shape, "<i2", P((300, 3)), source=some, key="a/some"),
        hole((len(values),), "<i2", P((70_000,)), source=word, key="a/sync"),
    ]
    return parent, holes


@pytest.mark.parametrize("concurrency", ["threads", "serial", "hdf5", "process"])
def test_a_group_is_read_once(tmp_path, monkeypatch, concurrency):
    monkeypatch.setattr("nwbkit.storage.feeds.MIN_SLAB_BYTES", 1)
    values = values_of((100_003, 13), "<i2")
    parent, holes = band_and_word(values, 12, concurrency)
    path = skeleton(tmp_path / "f.h5", holes)
    result = fill(path, holes, jobs=4, max_memory=1 << 28)
    assert (parent.counts == 1).all()
    assert all(h.source.counts.sum() == 0 for h in holes)
    wanted = [values[:, :12], values[:, [3, 1, 12]], values[:, 12]]
    with h5py.File(path) as f:
        for each, want in zip(holes, wanted, strict=True):
            np.testing.assert_array_equal(f[each.path][...], want)
            assert result.digests[each.path] == digest_array(np.ascontiguousarray(want))
    if concurrency != "threads":
        assert parent.most_at_once == 1
        assert parent.starts == sorted(parent.starts)


def test_columns_beside_each_other(tmp_path):
    values = values_of((200_003, 131), "<i2")
    whole = Memory(values)
    holes = [
        hole((len(values), s.stop - s.start), "<i2", plan, source=part, key=f"s/{i}:data")
        for i, (s, plan) in enumerate(
            [(slice(0, 128), None), (slice(128, 130), P((999, 2))), (slice(130, 131), None)]
        )
        for part in [Memory(values[:, s], group="g", parent=whole, columns=s)]
    ]
    path = skeleton(tmp_path / "f.h5", holes)
    result = fill(path, holes, jobs=2, max_memory=256 << 20)
    assert (whole.counts == 1).all()
    with h5py.File(path) as file:
        for each in holes:
            expected = np.ascontiguousarray(each.source.values)
            np.testing.assert_array_equal(file[each.path][...], expected)
            assert result.digests[each.path] == digest_array(expected)


def test_columns_without_group_are_cut_once(tmp_path):
    values = values_of((100, 6), "<i2")
    cut = Memory(values[:, 2:5], parent=Memory(values), columns=slice(2, 5))
    each = hole(cut.shape, "<i2", source=cut, key="a/b")
    path = skeleton(tmp_path / "f.h5", [each])
    fill(path, [each], jobs=1, max_memory=1 << 28)
    with h5py.File(path) as f:
        np.testing.assert_array_equal(f[each.path][...], values[:, 2:5])


def test_slabs_follow_the_sources_blocks():
    values = values_of((100_000, 16), "<i2")
    source = Memory(values, block_rows=30_000)
    each = hole(values.shape, "<i2", P((4096, 16)), source=source, key="a/b")
    feed = Feed(source, [each])
    assert feed.slab_rows % 30_000 == 0 or feed.slab_rows == len(values)


@pytest.mark.parametrize("block_rows", [0, 60, 512])
def test_slabs_are_whole_chunks_where_the_source_allows_it(tmp_path, monkeypatch, block_rows):
    """Bands and blocks that do not end with slabs are copied once more, into fresh memory."""
    values = values_of((100_000, 130), "<i2")
    source = Memory(values, block_rows=block_rows)
    each = hole(values.shape, "<i2", source=source, key="a/b")
    path = skeleton(tmp_path / "f.h5", [each])
    for name in ("cutting.Bands.gather", "digests.BlockDigester._gather"):
        monkeypatch.setattr(f"nwbkit.storage.{name}", None)
    fill(path, [each], jobs=2, max_memory=1 << 28)
    assert all(start % each.plan.chunks[0] == 0 for start in source.starts)


def test_progress_adds_up(tmp_path):
    values = values_of((10_000, 16), "<i2")
    each = hole(values.shape, "<i2", P((100, 16)), source=Memory(values), key="a/b")
    path = skeleton(tmp_path / "f.h5", [each])
    done = []
    fill(path, [each], jobs=3, max_memory=1 << 28, progress=done.append)
    assert sum(done) == values.nbytes


class Failing(Memory):
    def deliver(self, start, stop, out):
        if start >= 2000:
            raise self.error
        return super().deliver(start, stop, out)


class Short(Memory):
    def deliver(self, start, stop, out):
        return self.values[start : min(stop, 4321)]


def start_fill(tmp_path, source, monkeypatch, **settings):
    monkeypatch.setattr("nwbkit.storage.feeds.MIN_SLAB_BYTES", 1)
    each = hole(source.shape, source.dtype, P((100, 4)), source=source, key="a/b")
    path = skeleton(tmp_path / "f.h5", [each])
    return fill(path, [each], jobs=3, max_memory=1 << 28, **settings)


def no_thread_left():
    return not [t for t in threading.enumerate() if t.name.startswith("nwbkit-")]


def test_an_error_of_the_source_comes_out_as_it_is(tmp_path, monkeypatch):
    source = Failing(values_of((100_000, 4), "<i2"))
    source.error = DamagedInput("'x.bin' is truncated", hint="look")
    with pytest.raises(DamagedInput) as caught:
        start_fill(tmp_path, source, monkeypatch)
    assert caught.value is source.error
    assert source.counts.sum() < 20_000  # the others have stopped
    assert no_thread_left()


def test_a_short_read_is_damage(tmp_path, monkeypatch):
    with pytest.raises(DamagedInput, match="'a/b' ends at row 4321 of 10000"):
        start_fill(tmp_path, Short(values_of((10_000, 4), "<i2")), monkeypatch)
    assert no_thread_left()


class Slow(Memory):
    def deliver(self, start, stop, out):
        time.sleep(0.01)
        return super().deliver(start, stop, out)


class Interrupting(Slow):
    """Does to the main thread what Ctrl-C does."""

    def deliver(self, start, stop, out):
        if start == 1000:
            _thread.interrupt_main()
        return super().deliver(start, stop, out)


def test_ctrl_c_stops_the_workers(tmp_path, monkeypatch):
    source = Interrupting(values_of((1_000_000, 4), "<i2"))
    with pytest.raises(KeyboardInterrupt):
        start_fill(tmp_path, source, monkeypatch)
    assert no_thread_left()
    assert source.counts.sum() < 500_000


def test_cancel(tmp_path, monkeypatch):
    source = Slow(values_of((1_000_000, 4), "<i2"))
    cancel = threading.Event()
    threading.Timer(0.1, cancel.set).start()
    with pytest.raises(TryAgain, match="cancelled"):
        start_fill(tmp_path, source, monkeypatch, cancel=cancel)
    assert no_thread_left()


class Full:
    """Stands in for a dataset on a full disk."""

    def __init__(self):
        self.id = self

    def write_direct_chunk(self, offset, data):
        raise OSError(errno.ENOSPC, "Can't write chunk data (No space left on device)")


def test_a_full_disk_is_an_io_failure(tmp_path, monkeypatch):
    original = ChunkFile._checked

    def checked(self, each):
        original(self, each)
        return Full()

    monkeypatch.setattr(ChunkFile, "_checked", checked)
    with pytest.raises(IOFailure, match="no space left on device"):
        start_fill(tmp_path, Memory(values_of((10_000, 4), "<i2")), monkeypatch)
    assert no_thread_left()


def test_what_cannot_fit_is_refused_with_what_is_needed(filled):
    values = values_of((10_000, 100), "<i2")
    with pytest.raises(UsageError, match="--max-memory is 1M") as caught:
        filled(values, P((10_000, 10)), max_memory=1 << 20)
    needed = int(caught.value.hint.split()[1].rstrip("M,")) << 20
    _, each, result = filled(values, P((10_000, 10)), max_memory=needed, jobs=8)
    assert result.measured.workers == 1
    assert memory_needed([each]) <= needed


def test_source_blocks_give_way_to_memory(filled, tmp_path):
    values = values_of((100_000, 100), "<i2")
    source = Memory(values, block_rows=100_000)
    each = hole(values.shape, "<i2", P((1000, 100)), source=source, key="a/b")
    path = skeleton(tmp_path / "g.h5", [each])
    fill(path, [each], jobs=1, max_memory=12 << 20)
    assert len(source.starts) > 1


def test_a_skeleton_that_is_not_the_holes_is_refused(tmp_path):
    values = values_of((100, 4), "<i2")
    each = hole(values.shape, "<i2", P((10, 4)), source=Memory(values), key="a/b")
    path = tmp_path / "f.h5"
    each.path = "/d"
    for settings in (
        {"shape": (100, 4), "dtype": "<u2", "chunks": (10, 4), "shuffle": True},
        {"shape": (100, 4), "dtype": "<i2", "chunks": (20, 4), "shuffle": True},
        {"shape": (100, 4), "dtype": "<i2", "chunks": (10, 4), "shuffle": False},
    ):
        with h5py.File(path, "w") as f:
            f.create_dataset("d", compression="gzip", **settings)
        with pytest.raises(InternalError, match="skeleton"):
            fill(path, [each], jobs=1, max_memory=1 << 28)


def test_hole_refuses_a_source_of_another_shape():
    with pytest.raises(InternalError):
        hole((10, 4), "<i2", source=Memory(values_of((10, 5), "<i2")), key="a/b")
    with pytest.raises(InternalError):
        hole((10, 4), "<u2", source=Memory(values_of((10, 4), "<i2")), key="a/b")
