"""Rows taken in pieces give the same chunks and digests as slabs carried whole."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from nwbkit.storage import slabs
from nwbkit.storage.digests import digest_array
from nwbkit.storage.holes import hole
from nwbkit.storage.pipeline import fill
from nwbkit.storage.planning import DatasetPlan

from .conftest import Memory, skeleton, values_of

P = DatasetPlan
CASES = [
    # shape, dtype, plan
    ((100_000, 130), "<i2", None),
    ((65_536, 128), "<u2", None),
    ((100_001, 130), ">i2", None),
    ((100_001, 130), "<f4", None),
    ((70_001, 65), "<i4", P((4096, 33))),
    ((701, 64, 65), "<u2", None),
    ((701, 64, 65), "<u2", P((128, 50, 40))),
    ((301, 32, 31, 5), "<u2", P((32, 32, 16, 5))),
]
CARRIED = [
    ((100_000, 130), "|u1", None),
    ((100_000, 130), "<f8", None),
    ((100_000, 130), "<i2", P((1000, 130))),
    ((100_000, 130), "<i2", P((8192, 64), shuffle=False)),
    ((100_000, 130), "<i2", P((8192, 64), codec="none")),
    ((500_000,), "<i2", None),
]


@pytest.mark.parametrize(
    "shape, dtype, plan, in_pieces",
    [(*case, True) for case in CASES] + [(*case, False) for case in CARRIED],
)
def test_chunks_and_digests(tmp_path, monkeypatch, shape, dtype, plan, in_pieces):
    values = values_of(shape, dtype)
    taken = []
    monkeypatch.setattr(slabs, "_Planes", _counting(slabs._Planes, taken))
    source = Memory(values)
    each = hole(shape, dtype, plan, source=source, key="s/a:data")
    path = skeleton(tmp_path / "f.h5", [each])
    filled = fill(path, [each], jobs=2, max_memory=256 << 20)
    assert bool(taken) == in_pieces and (source.counts == 1).all()
    with h5py.File(path) as file:
        np.testing.assert_array_equal(file[each.path][...], values)
    stored = values.astype(np.dtype(dtype).newbyteorder("<"))
    assert filled.digests[each.path] == digest_array(stored)


def _counting(kind, taken):
    class Counting(kind):
        def __init__(self, *args):
            taken.append(args)
            super().__init__(*args)

    return Counting


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
    filled = fill(path, holes, jobs=2, max_memory=256 << 20)
    assert (whole.counts == 1).all()
    with h5py.File(path) as file:
        for each in holes:
            expected = np.ascontiguousarray(each.source.values)
            np.testing.assert_array_equal(file[each.path][...], expected)
            assert filled.digests[each.path] == digest_array(expected)


def test_what_a_source_reads_at_once_is_not_cut_up(tmp_path):
    values = values_of((100_000, 130), "<i2")
    source = Memory(values, block_rows=8192)
    each = hole(values.shape, "<i2", source=source, key="s/a:data")
    fill(skeleton(tmp_path / "f.h5", [each]), [each], jobs=1, max_memory=256 << 20)
    assert all(start % 8192 == 0 for start in source.starts)
