"""Digests say what a dataset holds, whatever way its rows came."""

import itertools
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nwbkit.errors import InternalError
from nwbkit.storage import digests
from nwbkit.storage.digests import BlockDigester, DatasetDigest, digest_array

from .conftest import values_of


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks of eight rows, so that small arrays have many."""
    monkeypatch.setattr(digests, "block_rows", lambda shape, itemsize: 8)


DTYPES = ["<i2", ">i2", "|u1", "<f4", ">f8", "<i8", "|b1", "<c16", [("a", "<i4"), ("b", ">f8")]]


@settings(max_examples=60, deadline=None)
@given(data=st.data(), n=st.integers(1, 100))
def test_any_segmentation_and_order(data, n):
    original, digests.block_rows = digests.block_rows, lambda shape, itemsize: 8
    try:
        values = values_of((n, 3), "<i4", n)
        cuts = sorted({0, n, *data.draw(st.lists(st.integers(0, n), max_size=12))})
        pieces = data.draw(st.permutations(list(itertools.pairwise(cuts))))
        digester = BlockDigester(values.shape, values.dtype)
        for start, stop in pieces:
            digester.add(start, values[start:stop])
        assert digester.result() == digest_array(values)
    finally:
        digests.block_rows = original


def test_threads(small_blocks):
    values = values_of((4001, 3), "<i2")
    digester = BlockDigester(values.shape, values.dtype)
    spans = [(i, min(i + 7, 4001)) for i in range(0, 4001, 7)]

    def work(k):
        for start, stop in spans[k::4]:
            digester.add(start, values[start:stop])

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert digester.result() == digest_array(values)
    assert not digester._partial  # nothing is kept once blocks are whole


@pytest.mark.parametrize("dtype", DTYPES)
def test_byte_order_strides_and_padding_do_not_count(dtype):
    dtype = np.dtype(dtype)
    values = np.zeros((50, 4), dtype)
    values.view(np.uint8)[...] = values_of(values.view(np.uint8).shape, "u1") & 1
    expected = digest_array(values)
    assert digest_array(np.asfortranarray(values)) == expected
    assert digest_array(values.astype(digests.little(dtype))) == expected
    if dtype.names:
        aligned = np.dtype([(n, dtype[n]) for n in dtype.names], align=True)
        assert digest_array(values.astype(aligned)) == expected


def test_type_shape_and_values_count():
    values = values_of((40, 4), "<i2")
    seen = {digest_array(values).digest}
    for other in (values.view("<u2"), values.reshape(80, 2), values[:39], values[::-1]):
        digest = digest_array(np.ascontiguousarray(other)).digest
        assert digest not in seen
        seen.add(digest)


def test_nan_bits_count():
    a = np.array([np.nan, 1.0])
    b = a.copy()
    b.view(np.uint64)[0] ^= 1
    assert np.isnan(b[0])
    assert digest_array(a).digest != digest_array(b).digest


def test_compare_names_rows(small_blocks):
    values = values_of((100, 3), "<i2")
    other = values.copy()
    other[17, 0] ^= 1
    other[24, 1] ^= 1
    other[99, 2] ^= 1
    difference = digest_array(other).compare(digest_array(values))
    assert difference.ranges == ((16, 32), (96, 100))
    assert str(difference) == "values differ in rows 16 to 32 and 1 more ranges"
    assert digest_array(values).compare(digest_array(values)) is None
    assert digest_array(values).compare(digest_array(values[:9])).what == "shape"
    assert digest_array(values).compare(digest_array(values.view("<u2"))).what == "dtype"


def test_json_round_trip_and_contradiction():
    digest = digest_array(values_of((100, 3), "<i2"))
    data = digest.as_json()
    assert DatasetDigest.from_json(data) == digest
    data["shape"] = [50, 6]
    with pytest.raises(ValueError, match="contradict"):
        DatasetDigest.from_json(data)


def test_missing_doubled_and_foreign_rows_are_found(small_blocks):
    values = values_of((20, 3), "<i2")
    digester = BlockDigester(values.shape, values.dtype)
    digester.add(0, values[:8])
    with pytest.raises(InternalError, match="never digested"):
        digester.result()
    with pytest.raises(InternalError, match="twice"):
        digester.add(0, values[:8])
    with pytest.raises(InternalError, match="belong"):
        digester.add(15, values[:8])
    with pytest.raises(InternalError, match="belong"):
        digester.add(8, values[8:16, :2])


def test_no_rows():
    digest = BlockDigester((0, 4), "<i2").result()
    assert digest.blocks == ()
    assert digest.digest != BlockDigester((0, 5), "<i2").result().digest


def test_the_definition_does_not_drift():
    """Digests stand in sidecars for years: this value may never change."""
    values = np.arange(6000 * 384, dtype="<i4").astype("<i2").reshape(6000, 384)
    digest = digest_array(values)
    assert (digest.block_rows, len(digest.blocks)) == (4096, 2)
    assert digest.digest == "054d8ce23ead3231f5a4bb64e7ae507d"
