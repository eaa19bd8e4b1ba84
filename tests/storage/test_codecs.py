"""Chunks of every codec: as HDF5's own filters read them, and refused when a bit is wrong."""

import json
import subprocess
import sys

import h5py
import numpy as np
import pytest

from nwbkit.errors import MissingExtra, UsageError
from nwbkit.storage import codec
from nwbkit.storage.codec import Scratch, Undecodable, decodable, decode, encode, filters_of
from nwbkit.storage.planning import CODECS, DatasetPlan, default_plan, parse_codec

from .conftest import environment

PLUGIN = ("zstd", "blosc-zstd", "blosc-lz4")
#: codec, level, shuffle, fletcher32
SETTINGS = [
    ("gzip", 0, True, False),
    ("gzip", 1, True, False),
    ("gzip", 3, False, True),
    ("gzip", 9, True, False),
    ("none", 0, True, True),
    ("none", 0, False, False),
    ("zstd", 1, True, False),
    ("zstd", 19, False, True),
    ("blosc-zstd", 3, True, True),
    ("blosc-zstd", 1, False, False),
    ("blosc-lz4", 5, True, False),
    ("blosc-lz4", 9, True, True),
]
DTYPES = ["<i2", "|u1", "<f8", "<u4", "|b1"]


def values_of(dtype, shape=(1000, 7)):
    rng = np.random.default_rng(5)
    walk = rng.integers(-3, 4, shape).cumsum(axis=0)
    return (walk % 2 == 0) if dtype == "|b1" else walk.astype(dtype)


def stored(values, plan):
    """Encoded chunks by offset, edges padded."""
    scratch = Scratch()
    chunks = {}
    for row in range(0, values.shape[0], plan.chunks[0]):
        for column in range(0, values.shape[1], plan.chunks[1]):
            block = values[row : row + plan.chunks[0], column : column + plan.chunks[1]]
            chunks[row, column] = bytes(encode(block, plan, scratch))
    return chunks


def create(file, name, values, plan):
    """A dataset with the plan's filters, whether or not this process could run them."""
    create_list = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    create_list.set_chunk(plan.chunks)
    for number, given in filters_of(plan, values.dtype):
        if number == codec.SHUFFLE:
            create_list.set_shuffle()
        elif number == codec.FLETCHER32:
            create_list.set_fletcher32()
        else:
            create_list.set_filter(number, h5py.h5z.FLAG_OPTIONAL, given)
    kind = h5py.h5t.py_create(values.dtype, logical=True)
    space = h5py.h5s.create_simple(values.shape)
    made = h5py.h5d.create(file.id, name.encode(), kind, space, create_list)
    for offset, data in stored(values, plan).items():
        made.write_direct_chunk(offset, data)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """One file that stock HDF5 reads and one that needs plug-ins; names tell the settings."""
    folder = tmp_path_factory.mktemp("codecs")
    paths = {True: folder / "stock.h5", False: folder / "plugin.h5"}
    for everywhere, path in paths.items():
        with h5py.File(path, "w") as file:
            for name, level, shuffle, checked in SETTINGS:
                if CODECS[name].everywhere is not everywhere:
                    continue
                for dtype in DTYPES:
                    plan = DatasetPlan((64, 4), name, level, shuffle, checked)
                    key = f"{name}:{level} {shuffle} {checked} {dtype.strip('<|')}"
                    create(file, key, values_of(dtype), plan)
    return paths


READER = """
import sys, json, h5py
if sys.argv[2] == "plugin":
    import hdf5plugin
found = {}
with h5py.File(sys.argv[1]) as file:
    for name in file:
        try:
            found[name] = file[name][...].tolist()
        except OSError as error:
            found[name] = str(error)
print(json.dumps(found))
"""


def read_elsewhere(path, plugin):
    done = subprocess.run(
        [sys.executable, "-c", READER, str(path), plugin],
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


@pytest.mark.parametrize(("everywhere", "plugin"), [(True, "stock"), (False, "plugin")])
def test_hdf5_reads_what_we_wrote(files, everywhere, plugin):
    if plugin == "plugin":
        pytest.importorskip("hdf5plugin")
    found = read_elsewhere(files[everywhere], plugin)
    assert len(found) == len(DTYPES) * sum(CODECS[s[0]].everywhere is everywhere for s in SETTINGS)
    for name, values in found.items():
        wanted = next(d for d in DTYPES if d.strip("<|") == name.rsplit(" ", 1)[1])
        assert values == values_of(wanted).tolist(), name


def test_stock_hdf5_refuses_plug_in_codecs_and_says_so(files):
    """The reason why they are no default; if this begins to fail, h5py ships them."""
    found = read_elsewhere(files[False], "stock")
    assert found
    assert all(isinstance(text, str) and "plugin" in text.lower() for text in found.values())


@pytest.mark.parametrize(("name", "level", "shuffle", "checked"), SETTINGS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_round_trip(name, level, shuffle, checked, dtype):
    values = values_of(dtype)
    plan = DatasetPlan((64, 4), name, level, shuffle, checked)
    filters = tuple(number for number, _ in filters_of(plan, values.dtype))
    assert decodable(filters)
    back = np.zeros_like(values)
    for (row, column), data in stored(values, plan).items():
        chunk = decode(data, filters, 0, plan.chunks, values.dtype, Scratch())
        part = back[row : row + 64, column : column + 4]
        part[...] = chunk[: part.shape[0], : part.shape[1]]
    assert np.array_equal(back, values)


@pytest.mark.parametrize("chunk_by", ["hdf5plugin", "h5py"])
def test_we_decode_what_the_filters_wrote(tmp_path, chunk_by):
    """Not only our own chunks: those that HDF5's filters made."""
    values = values_of("<i2")
    if chunk_by == "hdf5plugin":
        hdf5plugin = pytest.importorskip("hdf5plugin")
        kinds = [
            hdf5plugin.Zstd(clevel=3),
            hdf5plugin.Blosc(cname="zstd", clevel=3, shuffle=hdf5plugin.Blosc.BITSHUFFLE),
            hdf5plugin.Blosc(cname="lz4", clevel=9, shuffle=hdf5plugin.Blosc.SHUFFLE),
        ]
        settings = [
            {**kind, "shuffle": s, "fletcher32": s} for kind in kinds for s in (True, False)
        ]
    else:
        settings = [{"compression": "gzip", "fletcher32": True}, {"fletcher32": True}]
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for i, each in enumerate(settings):
            dataset = file.create_dataset(str(i), data=values, chunks=(250, 7), **each)
            create_list = dataset.id.get_create_plist()
            filters = tuple(create_list.get_filter(k)[0] for k in range(create_list.get_nfilters()))
            mask, data = dataset.id.read_direct_chunk((250, 0))
            found = decode(data, filters, mask, (250, 7), values.dtype, Scratch())
            assert np.array_equal(found, values[250:500]), each


PROTECTED = [s for s in SETTINGS if DatasetPlan((64, 4), *s).protected]


@pytest.mark.parametrize(("name", "level", "shuffle", "checked"), PROTECTED)
def test_every_flipped_bit_is_found(name, level, shuffle, checked):
    values = values_of("<i2", (64, 4))
    plan = DatasetPlan((64, 4), name, level, shuffle, checked)
    filters = tuple(number for number, _ in filters_of(plan, values.dtype))
    data = stored(values, plan)[0, 0]
    for bit in range(0, 8 * len(data), 7):
        broken = bytearray(data)
        broken[bit // 8] ^= 1 << bit % 8
        try:
            found = decode(bytes(broken), filters, 0, (64, 4), values.dtype, Scratch())
        except Undecodable:
            continue
        # a bit that plays no part in decoding (a header's unused one) may change nothing
        assert np.array_equal(found, values), bit


@pytest.mark.parametrize("name", CODECS)
@pytest.mark.parametrize(
    "damage",
    [
        lambda d: b"",
        lambda d: d[:3],
        lambda d: d[: len(d) // 2],
        lambda d: d[:-1],
        lambda d: d + b"x",
        lambda d: b"\xff" * len(d),
        lambda d: bytes(len(d)),
    ],
)
def test_torn_chunks_are_refused(name, damage):
    values = values_of("<i2", (64, 4))
    plan = DatasetPlan((64, 4), name, fletcher32=False)
    filters = tuple(number for number, _ in filters_of(plan, values.dtype))
    data = damage(stored(values, plan)[0, 0])
    if name == "none" and len(data) == values.nbytes:
        return  # nothing tells values from other values
    if name == "gzip" and data.endswith(b"x"):
        # HDF5 ignores what follows a deflate stream, and so do we: the values are right
        found = decode(data, filters, 0, (64, 4), values.dtype, Scratch())
        assert np.array_equal(found, values)
        return
    with pytest.raises(Undecodable):
        decode(data, filters, 0, (64, 4), values.dtype, Scratch())


@pytest.mark.parametrize("name", ["zstd", "blosc-zstd", "gzip"])
def test_a_chunk_that_would_grow_is_not_followed(name):
    """A megabyte of zeros in a chunk of 512 bytes."""
    bomb = np.zeros((1 << 18, 4), "<i2")
    plan = DatasetPlan(bomb.shape, name, shuffle=False, fletcher32=False)
    filters = tuple(number for number, _ in filters_of(plan, bomb.dtype))
    data = encode(bomb, plan, Scratch())
    with pytest.raises(Undecodable):
        decode(data, filters, 0, (64, 4), bomb.dtype, Scratch())


def test_what_lets_a_bit_through_gets_a_checksum():
    assert {n: DatasetPlan((4,), n).fletcher32 for n in CODECS} == {
        "gzip": False,
        "zstd": False,
        "blosc-zstd": True,
        "blosc-lz4": True,
        "none": True,
    }
    assert all(DatasetPlan((4,), n).protected for n in CODECS)
    assert not DatasetPlan((4,), "none", fletcher32=False).protected
    assert not DatasetPlan((), "none").protected


@pytest.mark.parametrize("name", PLUGIN)
def test_a_codec_without_its_library_is_refused(monkeypatch, name):
    monkeypatch.setattr(codec, "_have_numcodecs", lambda: False)
    with pytest.raises(MissingExtra, match=f"'{name}' needs the package 'numcodecs'") as caught:
        codec.require(name)
    assert caught.value.status == 69
    assert caught.value.hint == "pip install 'nwbkit[codecs]'"
    assert not decodable((codec.ZSTD,))
    codec.require("gzip")


@pytest.mark.parametrize(
    ("text", "codec_and_level"),
    [("zstd", ("zstd", None)), ("zstd:19", ("zstd", 19)), ("none", ("none", None))],
)
def test_parse_codec(text, codec_and_level):
    assert parse_codec(text) == codec_and_level


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lzma", "unknown codec 'lzma'"),
        ("zstd:99", "level 99 is not a level of zstd"),
        ("zstd:", "'' is no level of codec 'zstd'"),
        ("gzip:-1", "'-1' is no level of codec 'gzip'"),
        ("blosc-lz4:fast", "'fast' is no level of codec 'blosc-lz4'"),
    ],
)
def test_parse_codec_refuses(text, message):
    with pytest.raises(UsageError, match=message):
        parse_codec(text)


ZARR = [
    # shape, dtype, chunks
    ((54_000_000, 384), "<i2", (65536, 128)),
    ((54_000_000, 385), "<i2", (131072, 97)),
    ((54_000_000,), "<f8", (2097152,)),
    ((10_000, 512, 512), "<u2", (32, 512, 512)),
    ((1000, 64), "<i2", (1000, 64)),
    ((0, 64), "<i2", ()),
]


@pytest.mark.parametrize(("shape", "dtype", "chunks"), ZARR)
def test_zarr_chunks_are_of_16_mib_or_more(shape, dtype, chunks):
    plan = default_plan(shape, dtype, "zarr")
    assert plan.chunks == chunks
    if chunks and chunks != shape:
        size = np.prod(chunks) * np.dtype(dtype).itemsize
        assert 16 << 20 <= size < 32 << 20
        assert plan.protected


WITHOUT_PLUGIN = """
import sys
sys.modules["hdf5plugin"] = None  # as if it were not installed
if sys.argv[2] == "nothing":
    sys.modules["numcodecs"] = None
    from nwbkit.storage import codec
    codec._have_numcodecs = lambda: False
import h5py, json
from nwbkit.errors import NwbkitError
from pathlib import Path
from nwbkit.storage.plugins import enable
from nwbkit.storage.reading import served
from nwbkit.streams import Array
from nwbkit.storage.prove import decode_digests
found = {}
with h5py.File(sys.argv[1]) as file:
    try:
        enable(file)
        found["enable"] = "fine"
    except NwbkitError as error:
        found["enable"] = [error.status, str(error), error.hint]
    if sys.argv[2] != "nothing":
        found["rows"] = {}
        for n, data in file.items():
            stream = Array(id="s", name="s", role="raw", shape=data.shape, dtype=data.dtype,
                           concurrency="hdf5", hdf5=(Path(sys.argv[1]), n))
            found["rows"][n] = served(stream).read(100, 303).tolist()
try:
    proof = decode_digests(sys.argv[1], jobs=1, max_memory=1 << 28)
    found["proof"] = [len(proof.digests), list(proof.problems)]
except NwbkitError as error:
    found["proof"] = [error.status, str(error), error.hint]
print(json.dumps(found))
"""


def without_plugin(path, what):
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_PLUGIN, str(path), what],
        capture_output=True,
        text=True,
        check=True,
        env=environment(),
    )
    return json.loads(done.stdout)


def test_proof_and_rows_need_no_hdf5plugin(files):
    found = without_plugin(files[False], "plugin")
    assert found["proof"][1] == []
    assert len(found["rows"]) == found["proof"][0]
    for name, rows in found["rows"].items():
        wanted = next(d for d in DTYPES if d.strip("<|") == name.rsplit(" ", 1)[1])
        assert rows == values_of(wanted)[100:303].tolist(), name


def test_what_needs_hdf5plugin_says_so(files):
    status, message, hint = without_plugin(files[False], "plugin")["enable"]
    assert (status, hint) == (69, "pip install 'nwbkit[codecs]'")
    assert "needs the package 'hdf5plugin'" in message
    assert without_plugin(files[True], "plugin")["enable"] == "fine"


def test_a_file_that_cannot_be_decoded_here_is_not_called_damaged(files):
    status, message, _ = without_plugin(files[False], "nothing")["proof"]
    assert status == 69
    assert "needs the package 'numcodecs'" in message
