"""Chunks that are built up piece by piece are those that are cut from whole rows."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest

from nwbkit.errors import InternalError
from nwbkit.storage import past, pipeline
from nwbkit.storage.codec import Scratch
from nwbkit.storage.digests import BlockDigester, digest_array
from nwbkit.storage.folders import files_of, store_checksum
from nwbkit.storage.holes import hole
from nwbkit.storage.ledger import Ledger
from nwbkit.storage.planning import DatasetPlan
from nwbkit.storage.zarr import ChunkFolder
from nwbkit.storage.zarr_codecs import array_metadata
from nwbkit.zarrs.blosc import Blocks, sealed_blosc

from .conftest import Memory, values_of

P = DatasetPlan


class Kept(dict):
    """A sink that keeps chunks by hole and offset."""

    lock_wait_s, stored, sums = 0.0, 0, {}

    def put(self, each, offset, data):
        assert (each.key, offset) not in self
        self[each.key, offset] = bytes(data)

    def put_rows(self, each, start, rows):
        self[each.key, (start,)] = rows.tobytes()


def chunks_of(holes, jobs=2):
    sink = Kept()
    for each in holes:
        each.path = each.key
    report = pipeline.Reporter(None)
    found = pipeline.fill_into(sink, holes, Ledger(), jobs=jobs, max_memory=1 << 30, report=report)
    return sink, found


@pytest.fixture
def pieces(monkeypatch):
    """Makes slabs be read in pieces of about so many bytes."""

    def set_to(size):
        monkeypatch.setattr("nwbkit.storage.feeds.MAX_SLAB_BYTES", 0)
        monkeypatch.setattr("nwbkit.storage.feeds.PIECE_BYTES", size)

    return set_to


SHAPES = [
    ((1003, 12), (256, 5)),
    ((1003, 12), (1003, 12)),
    ((1003, 12), (300, 12)),
    ((1003,), (512,)),
    ((41, 9, 11), (16, 9, 11)),
    ((41, 9, 11), (16, 4, 6)),
]
CODECS = [
    ("hdf5", {}),
    ("hdf5", {"shuffle": False}),
    ("hdf5", {"fletcher32": True}),
    ("hdf5", {"codec": "none"}),
    ("hdf5", {"codec": "zstd"}),
    ("hdf5", {"codec": "blosc-zstd"}),
    ("zarr", {"codec": "blosc-zstd"}),
    ("zarr", {"codec": "blosc-zstd", "shuffle": False}),
    ("zarr", {"codec": "blosc-lz4"}),
    ("zarr", {"codec": "zstd", "fletcher32": True}),
]


@pytest.mark.parametrize(("backend", "settings"), CODECS)
@pytest.mark.parametrize(("shape", "chunks"), SHAPES)
@pytest.mark.parametrize("dtype", [">i2", "u1", "<f8", "<c16"])
def test_pieces_make_the_same_chunks(monkeypatch, pieces, backend, settings, shape, chunks, dtype):
    for module in ("nwbkit.zarrs.blosc", "nwbkit.storage.zarr_codecs"):
        monkeypatch.setattr(f"{module}.BLOCK_BYTES", 1 << 10)
    values = values_of(shape, dtype)
    values[: len(values) // 2] = values[0]  # so that some of it packs

    def made(**reader):
        source = Memory(values, **reader)
        each = hole(shape, dtype, P(chunks, **settings), source=source, key="a", backend=backend)
        return source, chunks_of([each])

    whole, wanted = made()
    pieces(700)
    source, found = made(piecewise=True)
    assert found == wanted
    assert (source.counts == 1).all()
    assert len(source.starts) > len(whole.starts)
    assert found[1]["a"] == digest_array(values)


@pytest.mark.parametrize("block_rows", [0, 7, 5000])
def test_members_with_other_chunks(pieces, block_rows):
    """A word beside channels has chunks that reach over many slabs; a third has none at all."""
    values = values_of((5003, 9), "<i2")

    def made(**reader):
        parent = Memory(values, id="p", **reader)
        parts = [(slice(0, 8), (512, 3)), (slice(8, 9), (2000, 1)), (slice(2, 4), ())]
        holes = []
        for number, (columns, chunks) in enumerate(parts):
            source = Memory(values[:, columns], columns=columns, group="g", parent=parent)
            holes.append(hole(source.shape, "<i2", P(chunks), source=source, key=str(number)))
        chunks, digests = chunks_of(holes)
        rows = sorted((k, v) for k, v in chunks.items() if k[0] == "2")
        # rows without chunks come in other stretches, and are the same rows
        return (
            {k: v for k, v in chunks.items() if k[0] != "2"},
            b"".join(v for _, v in rows),
            digests,
        )

    wanted = made()
    pieces(1000)
    assert made(piecewise=True, block_rows=block_rows) == wanted


NOISE = np.random.default_rng(1).integers(0, 65536, 9000).astype("<u2")
BLOCKS = {
    "noise": NOISE,
    "zeros": np.zeros(9000, "<u2"),
    "some noise": np.concatenate([np.zeros(3000, "<u2"), NOISE[:4000], np.zeros(3333, "<u2")]),
    "noise last": np.concatenate([np.zeros(4096, "<u2"), NOISE[:77]]),
    "odd items": np.zeros(3001, "V3"),
    "floats": np.random.default_rng(2).standard_normal(5001),
    "one over": np.arange(4097, dtype="<u2"),
}


@pytest.mark.parametrize("shuffle", [0, 1, 2])
@pytest.mark.parametrize("name", BLOCKS)
def test_blocks_make_the_same_buffer(monkeypatch, name, shuffle):
    numcodecs = pytest.importorskip("numcodecs")
    monkeypatch.setattr("nwbkit.zarrs.blosc.BLOCK_BYTES", 4096)
    values = BLOCKS[name]
    raw = values.view(np.uint8)
    blocks = Blocks(values.nbytes, values.dtype, 1, shuffle)
    for start in range(0, values.nbytes, blocks.size):
        blocks.add(raw[start : start + blocks.size])
    made = blocks.finish()
    assert made == sealed_blosc(values, 1, shuffle)
    assert numcodecs.Blosc().decode(made) == values.tobytes()


@pytest.mark.parametrize(("start", "stop"), [(0, 100), (8, 72), (3, 93), (96, 100)])
@pytest.mark.parametrize("step", [1, 3, 8, 50])
def test_a_run_is_the_same_as_its_rows(monkeypatch, start, stop, step):
    monkeypatch.setattr("nwbkit.storage.digests.block_rows", lambda shape, itemsize: 8)
    values = values_of((100, 3), "<i4")
    digester = BlockDigester(values.shape, values.dtype)
    digester.add(0, values[:start])
    run = digester.run(start, stop)
    for low, high in itertools.pairwise([*range(start, stop, step), stop]):
        run.add(values[low:high])
    digester.add(stop, values[stop:])
    assert digester.result() == digest_array(values)
    with pytest.raises(InternalError):
        run.add(values[:1])


def on_disk(path, size=100_001):
    """A file that is no longer in the page cache; skips where that cannot be had."""
    path.write_bytes(np.random.default_rng(3).bytes(size))
    with open(path, "rb") as file:
        past.os.fsync(file.fileno())
        past.give_back(file.fileno())
        if past.in_memory(file.fileno(), 0, size):
            pytest.skip("this file system keeps files in memory")
    return path


def test_a_file_that_is_not_in_memory_is_read_past_it(tmp_path):
    path = on_disk(tmp_path / "f")
    data = bytes(past.read_file(path, Scratch(), "x"))
    with open(path, "rb") as file:
        assert not past.in_memory(file.fileno(), 0, len(data))
        assert file.read() == data
        assert past.in_memory(file.fileno(), 0, len(data))
    assert bytes(past.read_file(path, Scratch(), "x")) == data


@pytest.mark.parametrize("size", [0, 1, 4096, 100_001])
@pytest.mark.parametrize("unable", ["O_DIRECT", "mincore", "refused"])
def test_where_the_cache_cannot_be_passed(tmp_path, monkeypatch, size, unable):
    path = tmp_path / "f"
    path.write_bytes(bytes(range(256)) * (size // 256 + 1))
    with open(path, "r+b") as file:
        file.truncate(size)
    if unable == "O_DIRECT":
        monkeypatch.delattr("os.O_DIRECT", raising=False)
    elif unable == "mincore":
        monkeypatch.setattr(past, "_mincore", None)
    else:
        monkeypatch.setattr(past, "in_memory", lambda fd, place, size: False)
        real = past.os.preadv
        refused = [OSError(past.errno.EINVAL, "not here")]

        def preadv(*args):
            if refused:
                raise refused.pop()
            return real(*args)

        monkeypatch.setattr("os.preadv", preadv)
    assert bytes(past.read_file(path, Scratch(), "x")) == path.read_bytes()


def test_a_stores_checksum_needs_no_chunk_read_again(tmp_path, monkeypatch):
    values = values_of((4000, 8), "<i2")
    plan = P((256, 4), "blosc-zstd")
    each = hole(values.shape, "<i2", plan, source=Memory(values), key="a", backend="zarr")
    each.path = "/a"
    store = tmp_path / "s.zarr"
    (store / "a").mkdir(parents=True)
    (store / "a" / ".zarray").write_text(json.dumps(array_metadata(values.shape, each.dtype, plan)))
    monkeypatch.setattr("nwbkit.storage.zarr.RECENT_BYTES", 5000)
    with ChunkFolder(store, [each]) as sink:
        report = pipeline.Reporter(None)
        pipeline.fill_into(sink, [each], Ledger(), jobs=2, max_memory=1 << 28, report=report)
    assert not sink._recent
    chunks = [name for name in files_of(store) if not name.rpartition("/")[2].startswith(".")]
    assert sorted(sink.sums) == sorted(chunks)
    assert len(chunks) == 32
    assert store_checksum(store, known=sink.sums) == store_checksum(store)
