"""Plans: deterministic, of bounded chunk size, and refused when they cannot be held."""

import math

import numpy as np
import pytest

from nwbkit.errors import UsageError
from nwbkit.storage.planning import (
    DatasetPlan,
    block_rows,
    default_plan,
    parse_size,
    peak_memory,
)

CASES = [
    # shape, dtype, chunks
    ((54_000_000, 384), "<i2", (8192, 64)),
    ((54_000_000, 385), "<i2", (8192, 55)),
    ((54_000_000, 32), "<i2", (16384, 32)),
    ((54_000_000, 65), "<i2", (8192, 33)),
    ((54_000_000,), "<i2", (1048576,)),
    ((54_000_000,), "<f8", (262144,)),
    ((10_000, 512, 512), "<u2", (4, 512, 512)),
    ((10_000, 480, 640, 3), "|u1", (2, 480, 640, 3)),
    ((100, 2048, 2048), "<u2", (1, 2048, 2048)),
    ((100, 4096, 4096), "<u2", (1, 2048, 2048)),
    ((100, 384), "<i2", (100, 384)),
    ((77,), "<f8", (77,)),
    ((0, 384), "<i2", ()),
    ((5, 0), "<i2", ()),
]


@pytest.mark.parametrize(("shape", "dtype", "chunks"), CASES)
def test_default_plan(shape, dtype, chunks):
    plan = default_plan(shape, dtype)
    assert plan.chunks == chunks
    assert math.prod(plan.chunks) * np.dtype(dtype).itemsize <= 8 << 20
    assert all(c <= n for c, n in zip(plan.chunks, shape, strict=False))


def test_single_bytes_are_not_shuffled():
    assert not default_plan((10_000, 480, 640), "u1").shuffle
    assert default_plan((10_000, 480, 640), "u2").shuffle


@pytest.mark.parametrize(
    ("text", "size"),
    [("256M", 256 << 20), ("1.5GiB", 3 << 29), ("1g", 1 << 30), ("12", 12), ("4 kB", 4096)],
)
def test_parse_size(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "M", "-1", "0", "1X", "1e9", "ten"])
def test_parse_size_refuses(text):
    with pytest.raises(UsageError, match="is not a size"):
        parse_size(text)


@pytest.mark.parametrize(
    ("shape", "itemsize", "rows"),
    [((9, 384), 2, 4096), ((9,), 8, 524288), ((9, 4096, 4096), 2, 1), ((9, 1 << 20), 4, 1)],
)
def test_block_rows(shape, itemsize, rows):
    assert block_rows(shape, itemsize) == rows
    assert rows == 1 or rows * math.prod(shape[1:]) * itemsize <= 4 << 20


def test_peak_memory_counts_the_chunks_abreast():
    plan = DatasetPlan((1000, 10))
    assert peak_memory(plan, (10_000, 100), "i2") >= 1000 * 100 * 2


@pytest.mark.parametrize(
    "plan",
    [
        DatasetPlan((10,)),
        DatasetPlan((0, 10)),
        DatasetPlan((5, 5), codec="lzma"),
        DatasetPlan((5, 5), level=10),
    ],
)
def test_plans_that_do_not_fit_are_refused(plan):
    with pytest.raises(UsageError):
        plan.check((10, 10))
