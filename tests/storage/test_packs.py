"""Packs: what is committed counts, torn and damaged pieces do not, and joined they are the fill."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from nwbkit.errors import IOFailure, TryAgain
from nwbkit.storage import packs
from nwbkit.storage.digests import digest_array
from nwbkit.storage.hdf5 import ChunkFile
from nwbkit.storage.holes import hole
from nwbkit.storage.jobs import Joined, Layout, fill_packs
from nwbkit.storage.planning import DatasetPlan

from .conftest import Memory, skeleton, values_of

P = DatasetPlan
CASES = [
    # shape, dtype, plan, how many parts
    ((1000, 10), "<i2", None, 1),
    ((100_000, 40), "<i2", P((4096, 16)), 3),
    ((100_003, 40), ">i2", P((1000, 40)), 4),  # no whole digest block ends where a chunk does
    ((700_000, 3), "<f8", None, 2),
    ((5_000_001,), "<i8", P((65536,)), 5),
    ((300, 64, 65), "<u2", None, 2),
    ((1000, 10), "<i2", P(()), 1),
    ((1000, 10), "<i2", P((64, 4), codec="none"), 2),
    ((0, 10), "<i2", None, 2),
    ((1, 10), "|u1", None, 3),
]
LIMITS = {"jobs": 2, "max_memory": 256 << 20}


def layout_of(*arrays, plans=None):
    made = [
        hole(a.shape, a.dtype, plan, source=a, key=f"s/{i}:data")
        for i, (a, plan) in enumerate(zip(arrays, plans or [None] * len(arrays), strict=True))
    ]
    return Layout.of(made)


def join(tmp_path, layout, slabs):
    path = skeleton(tmp_path / "out.h5", layout.holes)
    with ChunkFile(path, layout.holes) as sink:
        return path, Joined(layout, slabs).write(sink, **LIMITS)


@pytest.mark.parametrize("shape, dtype, plan, n_parts", CASES)
def test_parts_join_to_what_was_read(tmp_path, shape, dtype, plan, n_parts):
    values = values_of(shape, dtype)
    source = Memory(values)
    layout = layout_of(source, plans=[plan])
    for k in reversed(range(n_parts)):
        fill_packs(layout, layout.part(k, n_parts), tmp_path, **LIMITS)
    assert (source.counts == 1).all()
    path, filled = join(tmp_path, layout, list(packs.slabs_of(tmp_path)))
    with h5py.File(path) as file:
        np.testing.assert_array_equal(file[layout.holes[0].path][...], values)
    stored = values.astype(np.dtype(dtype).newbyteorder("<"))
    assert filled.digests[layout.holes[0].path] == digest_array(stored)


def test_columns_of_one_file_are_read_once(tmp_path):
    values = values_of((200_000, 41), "<i2")
    whole = Memory(values)
    parts = [
        Memory(values[:, s], group="g", parent=whole, columns=s)
        for s in (slice(0, 40), slice(40, 41))
    ]
    layout = layout_of(*parts)
    fill_packs(layout, layout.spans(), tmp_path, **LIMITS)
    assert (whole.counts == 1).all() and not parts[0].counts.any()
    slabs = list(packs.slabs_of(tmp_path))
    # the single column's chunks are longer than a slab: its rows are kept, not chunks
    assert {p.hole for s in slabs for p in s.pieces if p.rows} == {1}
    path, filled = join(tmp_path, layout, slabs)
    with h5py.File(path) as file:
        for each, part in zip(layout.holes, parts, strict=True):
            np.testing.assert_array_equal(file[each.path][...], part.values)
            assert filled.digests[each.path] == digest_array(np.ascontiguousarray(part.values))


def test_parts_are_disjoint_and_whole():
    layout = layout_of(Memory(values_of((400_000, 16), "<i2")), Memory(values_of((99, 4), "<i2")))
    for count in (1, 2, 3, 7, 100):
        parts = [layout.part(k, count) for k in range(count)]
        assert [s for part in parts for s in part] == layout.spans()


def torn(index, data):
    index.write_bytes(index.read_bytes()[:-7])


def flipped_line(index, data):
    raw = bytearray(index.read_bytes())
    raw[len(raw) // 2] ^= 1
    index.write_bytes(raw)


def flipped_byte(index, data):
    raw = bytearray(data.read_bytes())
    raw[len(raw) // 2] ^= 1
    data.write_bytes(raw)


def short(index, data):
    data.write_bytes(data.read_bytes()[:-100])


def gone(index, data):
    data.unlink()


@pytest.mark.parametrize("damage", [torn, flipped_line, flipped_byte, short, gone])
def test_what_is_damaged_is_done_again(tmp_path, damage):
    values = values_of((400_000, 16), "<i2")
    source = Memory(values)
    layout = layout_of(source)
    fill_packs(layout, layout.spans(), tmp_path, **LIMITS)
    (index,) = tmp_path.glob("*.idx")
    before = list(packs.intact(packs.slabs_of(tmp_path)))
    assert len(before) == len(layout.spans()) > 2
    damage(index, index.with_suffix(".bin"))
    left = list(packs.intact(packs.slabs_of(tmp_path)))
    assert len(left) < len(before)
    have = {(s.feed, s.start) for s in left}
    todo = [span for span in layout.spans() if span[:2] not in have]
    source.counts[:] = 0
    fill_packs(layout, todo, tmp_path, **LIMITS)
    assert source.counts.sum() == sum(stop - start for _, start, stop in todo)
    path, _ = join(tmp_path, layout, list(packs.intact(packs.slabs_of(tmp_path))))
    with h5py.File(path) as file:
        np.testing.assert_array_equal(file[layout.holes[0].path][...], values)


def test_a_damaged_pack_is_never_joined(tmp_path):
    layout = layout_of(Memory(values_of((400_000, 16), "<i2")))
    fill_packs(layout, layout.spans(), tmp_path, **LIMITS)
    (index,) = tmp_path.glob("*.idx")
    flipped_byte(index, index.with_suffix(".bin"))
    with pytest.raises(IOFailure, match="is damaged at byte"):
        join(tmp_path, layout, list(packs.slabs_of(tmp_path)))


def test_a_cancelled_fill_commits_whole_slabs_only(tmp_path):
    import threading

    cancel = threading.Event()
    values = values_of((400_000, 16), "<i2")

    class Cancelling(Memory):
        def deliver(self, start, stop, out):
            if start > 100_000:
                cancel.set()
            return super().deliver(start, stop, out)

    layout = layout_of(Cancelling(values))
    with pytest.raises(TryAgain):
        fill_packs(layout, layout.spans(), tmp_path, cancel=cancel, **LIMITS)
    found = list(packs.slabs_of(tmp_path))
    assert found == list(packs.intact(found)) and len(found) < len(layout.spans())


def test_remove_leaves_what_is_not_ours(tmp_path):
    layout = layout_of(Memory(values_of((1000, 16), "<i2")))
    fill_packs(layout, layout.spans(), tmp_path, **LIMITS)
    (tmp_path / "notes.txt").write_text("mine")
    packs.remove(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["notes.txt"]


def test_rows_that_are_kept_count_as_memory():
    """Chunks that do not end with slabs are made when packs are joined: all rows are held."""
    values = np.zeros((600_000, 16), "<i2")
    source = Memory(values, piecewise=True)
    each = hole(values.shape, "<i2", P((777, 16)), source=source, key="a")
    layout = Layout.of([each])
    feed = layout.feeds[0]
    assert layout.keeps_rows(feed, feed.members[0])
    needed, feed.kept_row_bytes = feed.worker_bytes(), 0
    assert needed - feed.worker_bytes() == 2 * feed.slab_rows * feed.row_bytes
