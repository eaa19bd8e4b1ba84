"""Chunks of Zarr stores: what we write, stock numcodecs reads; what is damaged is found."""

from __future__ import annotations

import random
import struct

import numpy as np
import pytest

from nwbkit.storage.codec import Scratch
from nwbkit.storage.planning import DatasetPlan
from nwbkit.storage.zarr_codecs import array_metadata, encode, sealed, table_codec
from nwbkit.zarrs.blosc import ChunkError, check_blosc, sealed_blosc
from nwbkit.zarrs.codecs import Chain

from .conftest import values_of

numcodecs = pytest.importorskip("numcodecs")
RNG = np.random.default_rng(0)
VALUES = {
    "noise": RNG.integers(0, 65536, 1_500_001).astype("<u2"),
    "walk": np.cumsum(RNG.integers(-3, 4, 1_500_001)).astype("<i2"),
    "half noise": np.concatenate([np.zeros(600_000, "<i4"), values_of((300_000,), "<i4")]),
    "floats": RNG.standard_normal(100_003),
    "bools": RNG.random(1000) > 0.5,
    "bytes": RNG.integers(0, 255, 1000).astype("u1"),
    "three": np.arange(3.0),
    "one": np.zeros(1),
    "zeros": np.zeros(2_000_000, "<i8"),
    "compound": np.zeros(5000, [("x", "<u4"), ("y", "<u4"), ("w", "<f4")]),
}


def stock(data: bytes, meta: dict) -> np.ndarray:
    """Decode as zarr-python does."""
    codecs = [*(meta["filters"] or ()), *([meta["compressor"]] if meta["compressor"] else [])]
    for config in reversed(codecs):
        data = numcodecs.get_codec(dict(config)).decode(data)
    dtype = meta["dtype"]
    dtype = np.dtype([tuple(f) for f in dtype]) if isinstance(dtype, list) else np.dtype(dtype)
    return np.frombuffer(bytes(data), dtype).reshape(meta["chunks"])


def chain_of(meta: dict, dtype: np.dtype) -> Chain:
    return Chain(dtype, tuple(meta["chunks"]), "C", meta["compressor"], meta["filters"] or ())


PLANS = [
    ("blosc-zstd", {}),
    ("blosc-zstd", {"shuffle": False}),
    ("blosc-zstd", {"level": 5}),
    ("blosc-lz4", {}),
    ("zstd", {}),
    ("zstd", {"shuffle": False}),
    ("zstd", {"fletcher32": True}),
    ("gzip", {}),
    ("gzip", {"level": 6}),
    ("gzip", {"fletcher32": True}),
    ("none", {}),
]


@pytest.mark.parametrize(("codec", "options"), PLANS)
@pytest.mark.parametrize("shape", [(1000, 12), (999,), (6, 40, 33)])
@pytest.mark.parametrize("dtype", ["<i2", "u1", "<f8", "bool"])
def test_every_codec_is_read_by_numcodecs_and_by_us(codec, options, shape, dtype):
    values = values_of(shape, dtype)
    plan = DatasetPlan(shape, codec, **options)
    meta = array_metadata(shape, np.dtype(dtype), plan)
    data = bytes(encode(values, plan, Scratch()))
    assert np.array_equal(stock(data, meta), values)
    chain = chain_of(meta, np.dtype(dtype))
    assert np.array_equal(chain.decode(data), values)
    out = np.empty(chain.size + 16, np.uint8)
    assert np.array_equal(chain.decode(data, out), values)
    assert chain.checked(data)


def test_an_edge_is_padded():
    plan = DatasetPlan((8, 8), "blosc-zstd")
    block = values_of((5, 3), "<i2")
    meta = array_metadata((5, 3), block.dtype, plan)
    whole = stock(bytes(encode(block, plan, Scratch())), meta)
    assert np.array_equal(whole[:5, :3], block)
    assert not whole[5:].any()


@pytest.mark.parametrize("shuffle", [0, 1, 2])
@pytest.mark.parametrize("name", VALUES)
def test_flipped_bits_are_found(name, shuffle):
    """No flip gives other values; few (bits that zstd ignores) change nothing."""
    values = VALUES[name]
    data = sealed_blosc(values, 1, shuffle)
    config = {"id": "blosc", "cname": "zstd", "clevel": 1, "shuffle": shuffle}
    assert numcodecs.Blosc().decode(data) == values.tobytes()
    assert check_blosc(data, values.nbytes, values.itemsize, config)
    chain = Chain(values.dtype, values.shape, "C", config, ())
    places = [*range(16 * 8), *random.Random(1).sample(range(128, len(data) * 8), 60)]
    harmless = 0
    for place in places:
        damaged = bytearray(data)
        damaged[place // 8] ^= 1 << place % 8
        try:
            found = chain.decode(bytes(damaged))
        except ChunkError:
            continue
        assert np.array_equal(found, values), place
        harmless += 1
    assert harmless <= 4


@pytest.mark.parametrize("codec", [c for c, o in PLANS if not o])
def test_flips_in_other_codecs_are_found(codec):
    values = values_of((4000, 3), "<i2") // 100
    plan = DatasetPlan(values.shape, codec)
    meta = array_metadata(values.shape, values.dtype, plan)
    data = bytes(encode(values, plan, Scratch()))
    chain = chain_of(meta, values.dtype)
    for place in random.Random(2).sample(range(len(data) * 8), 60):
        damaged = bytearray(data)
        damaged[place // 8] ^= 1 << place % 8
        try:
            assert np.array_equal(chain.decode(bytes(damaged)), values), place
        except ChunkError:
            continue


@pytest.mark.parametrize("cut", [0, 5, 15, 16, 100, -1])
def test_truncated_chunks_are_found(cut):
    values = VALUES["walk"]
    config = {"id": "blosc", "cname": "zstd", "shuffle": 2}
    chain = Chain(values.dtype, values.shape, "C", config, ())
    with pytest.raises(ChunkError):
        chain.decode(sealed_blosc(values, 1, 2)[:cut])


def test_a_chunk_of_another_array_is_found():
    chain = Chain(np.dtype("<i2"), (10,), "C", {"id": "blosc", "cname": "zstd", "shuffle": 2}, ())
    with pytest.raises(ChunkError, match="for a chunk of 20"):
        chain.decode(sealed_blosc(np.zeros(11, "<i2"), 1, 2))


def test_claims_of_size_are_not_believed():
    for codec, data in (
        ({"id": "zstd"}, b"\x28\xb5\x2f\xfd\xe0" + struct.pack("<Q", 1 << 40) + bytes(20)),
        (
            {"id": "blosc", "cname": "zstd"},
            struct.pack("<BBBBIII", 2, 1, 0x90, 1, 0xFFFFFFFF, 1 << 20, 36) + bytes(20),
        ),
    ):
        with pytest.raises(ChunkError):
            Chain(np.dtype(object), (3,), "C", codec, ({"id": "vlen-utf8"},)).decode(data)


def test_pickled_references_are_read_and_nothing_is_run(monkeypatch, tmp_path):
    import pickle

    chain = Chain(np.dtype(object), (2,), "C", None, ({"id": "pickle", "protocol": 5},))
    hdmf_zarr = pytest.importorskip("hdmf_zarr.utils")
    values = np.empty(2, object)
    values[:] = [hdmf_zarr.ZarrReference(source=".", path=p) for p in ("/a", "/b")]
    for protocol in (2, 3, 4, 5):
        found = chain.decode(pickle.dumps(values, protocol))
        assert [dict(v)["path"] for v in found] == ["/a", "/b"]
    victim = tmp_path / "ran"
    for data in (
        b"cos\nsystem\n(S'touch %s'\ntR." % bytes(victim),
        b"\x80\x02cos\nsystem\nX\x05\x00\x00\x00touch\x85R.",
        pickle.dumps([1, 2]),
        pickle.dumps(values)[:-20],
        pickle.dumps(np.arange(2)),
        b"",
        b"(" * 100,
    ):
        with pytest.raises(ChunkError):
            chain.decode(data)
    assert not victim.exists()


@pytest.mark.parametrize("n", [1, 3, 1000, 300_000])
def test_tables_are_plain_blosc_to_others(n):
    codec = table_codec()
    values = np.arange(float(n))
    data = sealed(codec.encode(values), True)
    assert numcodecs.get_codec(codec.get_config()).decode(data) == values.tobytes()
    assert check_blosc(data, values.nbytes, 8, codec.get_config())
    plain = {**codec.get_config(), "shuffle": 0}
    assert check_blosc(sealed(values.tobytes(), False), values.nbytes, 1, plain)


@pytest.mark.parametrize(
    "data", [b"", b"\1\0\0\0", b"\1\0\0\0\5\0\0\0abc", b"\1\0\0\0\1\0\0\0ab", b"\xff\xff\xff\xff"]
)
def test_damaged_texts(data):
    chain = Chain(np.dtype(object), (1,), "C", None, ({"id": "vlen-utf8"},))
    with pytest.raises(ChunkError):
        chain.decode(data)


@pytest.mark.parametrize("data", [b"", b"{}", b"[1,2]", b'["a","|O",[2]]', b"[" * 100_000])
def test_damaged_json(data):
    chain = Chain(np.dtype(object), (1,), "C", None, ({"id": "json2"},))
    with pytest.raises(ChunkError):
        chain.decode(data)
