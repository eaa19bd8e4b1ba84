"""Flat binaries: positioned reads over many files, columns, threads, damage."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from nwbkit.errors import DamagedInput, NoInput
from nwbkit.formats.io.flat import FlatArray, FlatFile, complete_rows, reread_rows, sha1


def flat(tmp_path: Path, lengths: list[int], *, width=5, dtype="<i2", header=0):
    rng = np.random.default_rng(1)
    parts, files = [], []
    for i, n in enumerate(lengths):
        part = rng.integers(-1000, 1000, (n, width)).astype(dtype)
        path = tmp_path / f"{i}.bin"
        path.write_bytes(b"h" * header + part.tobytes())
        parts.append(part)
        files.append(FlatFile(path, n, header))
    data = np.concatenate(parts).astype(dtype)
    array = FlatArray(
        id="rows", name="rows", role="rows", shape=data.shape, dtype=data.dtype, files=tuple(files)
    )
    return data, array


@pytest.mark.parametrize("dtype", ["<i2", ">i2", "<f4", ">f8", "u1"])
@pytest.mark.parametrize("header", [0, 13])
def test_rows_are_those_of_the_bytes(tmp_path, dtype, header):
    data, array = flat(tmp_path, [7, 0, 1, 40], dtype=dtype, header=header)
    for start, stop in [(0, 48), (0, 0), (6, 9), (7, 8), (8, 48), (47, 48), (48, 48)]:
        assert np.array_equal(array.read(start, stop), data[start:stop])
        files = [(f.path, f.n_rows, f.header) for f in array.files]
        assert np.array_equal(reread_rows(files, data.dtype, 5, start, stop), data[start:stop])
    assert array.read(0, 2).dtype == data.dtype
    array.close()
    array.close()


def test_out_is_filled_in_place_also_when_strided(tmp_path):
    data, array = flat(tmp_path, [20])
    out = np.empty((10, 5), "<i2")
    assert array.read(5, 15, out) is out
    assert np.array_equal(out, data[5:15])
    wide = np.zeros((10, 9), "<i4")
    array.read(5, 15, wide[:, 2:7])
    assert np.array_equal(wide[:, 2:7], data[5:15])
    with pytest.raises(ValueError, match="shape"):
        array.read(0, 3, out)


@pytest.mark.parametrize(("start", "stop"), [(-1, 2), (5, 4), (0, 21)])
def test_rows_outside_are_refused(tmp_path, start, stop):
    _, array = flat(tmp_path, [20])
    with pytest.raises(IndexError):
        array.read(start, stop)


def test_columns_share_rows_and_group(tmp_path):
    data, array = flat(tmp_path, [30])
    left = array.cut(slice(0, 3), id="a", name="a", role="raw")
    right = array.cut(slice(3, 5), id="b", name="b", role="sync")
    assert left.group == right.group == array.group
    assert left.parent is array
    assert left.shape == (30, 3)
    assert np.array_equal(left.read(4, 9), data[4:9, :3])
    assert right.read(4, 9).flags.c_contiguous


def test_many_threads_many_files_few_descriptors(tmp_path):
    data, array = flat(tmp_path, [3] * 300)
    array._open._limit = 4
    spans = [(i, min(i + 11, 900)) for i in range(0, 900, 7)]
    high = []

    def read(span):
        rows = array.read(*span)
        high.append(len(array._open))
        return np.array_equal(rows, data[slice(*span)])

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(read, spans * 5))
    assert max(high) <= 4 + 8
    array.close()
    assert len(array._open) == 0
    assert np.array_equal(array.read(0, 1), data[:1])


def test_a_file_that_shrinks_is_damaged_not_a_crash(tmp_path):
    _, array = flat(tmp_path, [100])
    array.read(0, 1)
    with open(array.files[0].path, "r+b") as f:
        f.truncate(505)
    with pytest.raises(DamagedInput, match=r"'0.bin' ends at byte 505, where 495 more were"):
        array.read(0, 100)


def test_a_file_that_is_gone_is_no_input(tmp_path):
    _, array = flat(tmp_path, [10])
    array.files[0].path.unlink()
    with pytest.raises(NoInput, match="no such file"):
        array.read(0, 1)


def test_short_reads_are_continued(tmp_path, monkeypatch):
    import os

    data, array = flat(tmp_path, [50])
    whole = os.preadv
    monkeypatch.setattr(os, "preadv", lambda fd, b, o: whole(fd, [b[0][:7]], o))
    assert np.array_equal(array.read(3, 47), data[3:47])


def test_complete_rows(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"x" * 107)
    assert complete_rows(path, 10) == (10, 7)
    assert complete_rows(path, 10, header=7) == (10, 0)
    assert complete_rows(path, 10, header=200) == (0, -93)
    with pytest.raises(NoInput):
        complete_rows(tmp_path / "gone", 10)


def test_sha1_with_progress(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"abc")
    seen: list[int] = []
    assert sha1(path, seen.append) == "A9993E364706816ABA3E25717850C26C9CD0D89D"
    assert seen == [3]


@pytest.mark.parametrize("width", [1, 65, 385])
def test_any_stretch_will_do(tmp_path, width):
    """A preference of ours would keep the engine from slabs of whole chunks."""
    _, array = flat(tmp_path, [100], width=width)
    assert (
        array.block_rows == 0
        and array.cut(slice(0, 1), id="a", name="a", role="raw").block_rows == 0
    )
    array.close()
