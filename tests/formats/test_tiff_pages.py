"""TIFF pages: every layout gives the pixels that were written; damage is named by page."""

from __future__ import annotations

import itertools
import os
import struct
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from nwbkit.errors import DamagedInput, NoInput, NwbkitError, UnknownFormat
from nwbkit.formats.io import tiff
from nwbkit.formats.io.flat import MAX_OPEN
from tests.formats.movie_files import pages

DATA = pages(4, 50, 41)


STACKS: list[tiff.Stack] = []


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    while STACKS:
        STACKS.pop().close()


def movie(*paths: Path, sample: int = 0) -> tiff.Movie:
    stack = tiff.Stack([tiff.index(p) for p in paths])
    STACKS.append(stack)
    kind = stack.kind
    return tiff.Movie(
        id="m",
        name="m",
        role="two_photon",
        shape=(stack.n_pages, kind.height, kind.width),
        dtype=kind.dtype,
        stack=stack,
        pages=np.arange(stack.n_pages),
        sample=sample,
    )


def write(path: Path, data: np.ndarray, **how: Any) -> Path:
    outer = {k: how.pop(k) for k in ("byteorder", "bigtiff") if k in how}
    with tifffile.TiffWriter(path, **outer) as file:
        for page in data:
            file.write(page, contiguous=False, metadata=None, **how)
    return path


LAYOUTS = [
    {"byteorder": order, "bigtiff": big, "compression": codec, **cut}
    for (order, big), codec, cut in itertools.product(
        (("<", False), (">", True)),
        (None, "zlib", "lzw", "packbits", "zstd", "lzma"),
        ({}, {"rowsperstrip": 16}, {"tile": (16, 32)}),
    )
]


@pytest.mark.parametrize("dtype", ["u1", "i2", "f4", "f8"])
def test_every_layout_reads_as_written(tmp_path: Path, dtype: str) -> None:
    data = DATA.astype(dtype)
    for how in LAYOUTS:
        predictors = (False, True) if how["compression"] not in (None, "packbits") else (False,)
        for predictor in predictors:
            path = write(tmp_path / "a.tif", data, predictor=predictor, **how)
            read = movie(path)
            assert np.array_equal(read.read(0, 4), data), (how, predictor)
            assert np.array_equal(read.reread(1, 3), data[1:3]), (how, predictor)
            out = np.empty((2, 50, 41), dtype)
            assert read.read(2, 4, out=out) is out and np.array_equal(out, data[2:])
            read.stack.close()


@pytest.mark.parametrize("codec", [None, "zlib"])
@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_colours(tmp_path: Path, codec: str | None, planar: str) -> None:
    data = pages(12, 20, 16, "u1").reshape(4, 3, 20, 16)
    stored = data if planar == "separate" else np.moveaxis(data, 1, -1)
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, stored, photometric="rgb", planarconfig=planar, compression=codec)
    for sample in range(3):
        read = movie(path, sample=sample)
        assert np.array_equal(read.read(0, 4), data[:, sample])
        assert np.array_equal(read.reread(0, 4), data[:, sample])


def test_what_imagecodecs_alone_cannot_is_left_to_tifffile(tmp_path: Path) -> None:
    data = pages(2, 64, 64, "u1") // 16
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, data, compression="jpeg", photometric="minisblack")
    read = movie(path)
    assert np.array_equal(read.read(0, 2), tifffile.imread(path))


def test_threads_get_the_right_pages(tmp_path: Path) -> None:
    """One tifffile object shared by threads gives 404 wrong frames of 600."""
    data = pages(60, 32, 32, "u1")
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, data, compression="jpeg", photometric="minisblack")
    expected, read = tifffile.imread(path), movie(path)

    def wrong(seed: int) -> int:
        order = np.random.default_rng(seed).integers(0, 60, 100).tolist()
        return sum(not np.array_equal(read.read(k, k + 1)[0], expected[k]) for k in order)

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(wrong, range(4))) == [0, 0, 0, 0]


@pytest.mark.parametrize(
    "how",
    [
        {"imagej": True},
        {"photometric": "minisblack"},
        {"photometric": "minisblack", "bigtiff": True},
        {"photometric": "minisblack", "truncate": True},
        {"imagej": True, "truncate": True},
    ],
)
def test_half_a_contiguous_stack_is_found(tmp_path: Path, how: dict[str, Any]) -> None:
    """tifffile reads what is left of a stack with one directory as one frame."""
    data = pages(8, 20, 16, "u2")
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, data, **how)
    found = tiff.index(path)
    assert (found.n_pages, found.problem) == (8, "")
    assert np.array_equal(movie(path).read(0, 8), data)
    assert np.array_equal(movie(path).reread(0, 8), data)
    start = int(found.offsets[0])
    os.truncate(path, start + 4 * 640 + 100)
    found = tiff.index(path)
    assert found.n_pages == 4
    assert "description says 8 pages of 640 bytes, it holds 4 whole ones" in found.problem
    assert np.array_equal(movie(path).read(0, 4), data[:4])


def test_above_four_gigabytes_with_one_directory(tmp_path: Path) -> None:
    """ImageJ's way: one directory, the pages behind each other."""
    page, n = 1 << 20, 4500
    text = f"ImageJ=1.53t\nimages={n}\nframes={n}\n\0".encode()
    entries = [(256, 4, 1024), (257, 4, 1024), (258, 3, 8 << 16), (262, 3, 1 << 16)]
    entries += [(277, 3, 1 << 16), (278, 4, 1024), (279, 4, page)]
    head = b"MM\0*\0\0\0\x08" + struct.pack(">H", len(entries) + 2)
    place = 8 + 2 + (len(entries) + 2) * 12 + 4
    rows = [struct.pack(">HHII", tag, kind, 1, value) for tag, kind, value in entries]
    rows.append(struct.pack(">HHII", 270, 2, len(text), place))
    rows.append(struct.pack(">HHII", 273, 4, 1, place + len(text)))
    path = tmp_path / "a.tif"
    with open(path, "wb") as f:
        f.write(head + b"".join(sorted(rows)) + bytes(4) + text)
        f.truncate(place + len(text) + n * page)  # sparse
        f.seek(place + len(text) + 4400 * page)
        f.write(b"\7" * page)
    read = movie(path)
    assert read.shape == (n, 1024, 1024)
    assert (read.read(4400, 4401) == 7).all() and not read.read(4399, 4400).any()


def test_a_text_copied_from_a_larger_stack_is_no_damage(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, pages(1)[0], metadata=None, description="ImageJ=1.49i\nimages=3500\n")
    assert "holds 1 whole" in tiff.index(path).problem
    raw = bytearray(path.read_bytes())  # the same, with the directory behind the data
    place = struct.unpack_from("<I", raw, 4)[0]
    n = struct.unpack_from("<H", raw, place)[0]
    directory = raw[place : place + 2 + n * 12 + 4]
    raw[4:8] = struct.pack("<I", len(raw))
    path.write_bytes(bytes(raw) + bytes(directory))
    found = tiff.index(path)
    assert (found.n_pages, found.problem) == (1, "")
    assert "says 3500 pages; the file is complete and holds 1" in found.notes[0]


def test_reduced_copies_are_left_out(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        for page in DATA:
            file.write(page, metadata=None)
            file.write(page[::2, ::2], metadata=None, subfiletype=1)
    found = tiff.index(tmp_path / "a.tif")
    assert (found.n_pages, found.problem) == (4, "")
    assert found.notes == ("4 reduced copies of pages are left out",)


def test_a_hundred_thousand_pages_are_found_quickly(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    n = 100_000
    first = small_page()
    with open(path, "wb") as f:
        f.write(struct.pack("<2sHHHQ", b"II", 43, 8, 0, 16))
        at = 16
        for k in range(n):
            block = first(at, last=k == n - 1)
            f.write(block)
            at += len(block)
    began = time.perf_counter()
    found = tiff.index(path)
    assert time.perf_counter() - began < 5
    assert (found.n_pages, found.problem) == (n, "")
    assert found.directories.nbytes + found.offsets.nbytes == 16 * n


def small_page() -> Any:
    """A BigTIFF page of 2 by 2 pixels: directory, then pixels."""
    entries = [(256, 3, 2), (257, 3, 2), (258, 3, 16), (259, 3, 1), (262, 3, 1), (273, 16, 0)]
    entries += [(277, 3, 1), (278, 3, 2), (279, 16, 8), (339, 3, 2)]
    size = 8 + len(entries) * 20 + 8

    def make(at: int, *, last: bool) -> bytes:
        rows = [
            struct.pack("<HHQQ", tag, kind, 1, at + size if tag == 273 else value)
            for tag, kind, value in entries
        ]
        following = 0 if last else at + size + 8
        raw = struct.pack("<Q", len(entries)) + b"".join(rows) + struct.pack("<Q", following)
        return raw + bytes(8)

    return make


def test_many_files_do_not_stay_open(tmp_path: Path) -> None:
    paths = [write(tmp_path / f"{k}.tif", DATA[:1]) for k in range(MAX_OPEN + 20)]
    read = movie(*paths)
    read.read(0, read.shape[0])
    assert len(read.stack._open) <= MAX_OPEN


# ------------------------------------------------------------------ damage


def broken(path: Path) -> str:
    try:
        found = tiff.index(path)
    except NwbkitError as error:
        return error.message
    return found.problem


@pytest.mark.parametrize("codec", [None, "zlib"])
def test_truncated_pages_are_named(tmp_path: Path, codec: str | None) -> None:
    path = write(tmp_path / "a.tif", DATA, compression=codec)
    size = path.stat().st_size
    os.truncate(path, size * 6 // 10)
    found = tiff.index(path)
    assert found.problem.startswith(f"page {found.n_pages + 1}:") and 0 < found.n_pages < 4
    assert np.array_equal(movie(path).read(0, found.n_pages), DATA[: found.n_pages])
    os.truncate(path, 50)
    with pytest.raises(DamagedInput, match="holds no image"):
        tiff.index(path)


@pytest.mark.parametrize(
    ("codec", "junk"), [("zlib", b"\x80"), ("lzw", b"\0"), ("packbits", b"\x80")]
)
def test_a_damaged_page_is_named_and_never_zeros(tmp_path: Path, codec: str, junk: bytes) -> None:
    path = write(tmp_path / "a.tif", DATA, compression=codec)
    found = tiff.index(path)
    raw = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as file:
        (at,), (n,) = file.pages[2].dataoffsets, file.pages[2].databytecounts
    raw[at + n // 2 : at + n] = junk * (n - n // 2)
    path.write_bytes(raw)
    read = movie(path)
    assert np.array_equal(read.read(0, 2), DATA[:2])
    with pytest.raises(DamagedInput, match=r"'a.tif': page 3 cannot be decoded"):
        read.read(2, 3)
    assert found.n_pages == 4


def test_pages_of_another_size(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(DATA[0], metadata=None)
        file.write(DATA[0, :20], metadata=None)
    assert broken(tmp_path / "a.tif") == "page 2: is 20 x 41 int16, page 1 is 50 x 41 int16"


def test_files_of_another_kind(tmp_path: Path) -> None:
    paths = [write(tmp_path / "a.tif", DATA), write(tmp_path / "b.tif", DATA.astype("u1"))]
    with pytest.raises(DamagedInput, match=r"'b.tif': page 1 is 50 x 41 uint8"):
        movie(*paths)


def test_a_ring_of_directories(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", DATA)
    raw = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as file:
        last, first = file.pages[3].offset, file.pages[0].offset
    n = struct.unpack_from("<H", raw, last)[0]
    struct.pack_into("<I", raw, last + 2 + n * 12, first)
    path.write_bytes(raw)
    assert broken(path) == "page 5: its directory is that of an earlier page"


def patched(path: Path, tag: int, value: int) -> Path:
    """Change a number of the first page."""
    raw = bytearray(path.read_bytes())
    at = struct.unpack_from("<I", raw, 4)[0]
    for k in range(struct.unpack_from("<H", raw, at)[0]):
        entry = at + 2 + 12 * k
        if struct.unpack_from("<H", raw, entry)[0] == tag:
            struct.pack_into("<HII", raw, entry + 2, 4, 1, value)
    path.write_bytes(raw)
    return path


@pytest.mark.parametrize("codec", [None, "zlib"])
def test_a_page_that_says_it_is_huge(tmp_path: Path, codec: str | None) -> None:
    path = write(tmp_path / "a.tif", DATA[:1], compression=codec)
    for tag in (256, 257, 278):
        patched(path, tag, 1_000_000)
    with pytest.raises(DamagedInput, match="1000000 x 1000000 int16, in a file of"):
        tiff.index(path)


def test_a_page_of_too_many_samples(tmp_path: Path) -> None:
    path = patched(write(tmp_path / "a.tif", DATA[:1], compression="zlib"), 277, 50_000)
    with pytest.raises(DamagedInput, match="says it has 50000 samples a pixel"):
        tiff.index(path)


def test_an_offset_beyond_every_file(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    path.write_bytes(struct.pack("<2sHHHQ", b"II", 43, 8, 0, 2**64 - 1))
    with pytest.raises(DamagedInput, match="holds no image"):
        tiff.index(path)


def test_a_page_that_unpacks_to_more_than_it_says(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", np.zeros((1, 2000, 2000), "u1"), compression="zlib")
    patched(patched(path, 257, 10), 278, 10)
    with pytest.raises(DamagedInput, match="cannot be decoded"):
        movie(path).read(0, 1)


def test_pages_that_share_their_data(tmp_path: Path) -> None:
    make = small_page()
    one = bytearray(make(16, last=True))
    body, at = b"", 16
    for k in range(40):
        block = bytearray(one[:-8])
        struct.pack_into("<Q", block, len(block) - 8, 0 if k == 39 else at + len(block))
        body, at = body + block, at + len(block)
    path = tmp_path / "a.tif"
    head = struct.pack("<2sHHHQ", b"II", 43, 8, 0, 16)
    path.write_bytes(
        (head + body)
        .replace(struct.pack("<HHQQ", 256, 3, 1, 2), struct.pack("<HHQQ", 256, 3, 1, 200))
        .replace(struct.pack("<HHQQ", 279, 16, 1, 8), struct.pack("<HHQQ", 279, 16, 1, 800))
    )
    with pytest.raises(DamagedInput, match="pages share their data"):
        tiff.index(path)


@pytest.mark.parametrize(
    ("raw", "kind"), [(b"", UnknownFormat), (b"not a tiff file", UnknownFormat)]
)
def test_what_is_no_tiff(tmp_path: Path, raw: bytes, kind: type) -> None:
    (tmp_path / "a.tif").write_bytes(raw)
    with pytest.raises(kind, match=r"'a\.tif' is"):
        tiff.index(tmp_path / "a.tif")
    with pytest.raises(NoInput):
        tiff.index(tmp_path / "b.tif")


def test_a_file_that_shrinks_while_it_is_read(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", DATA)
    read = movie(path)
    os.truncate(path, 5000)
    with pytest.raises(DamagedInput, match="has become shorter"):
        read.read(0, 4)
