"""The content digest changes with everything that is content, and with nothing else."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from nwbkit.errors import InternalError
from nwbkit.storage.content import Names, content_digest, digest_rest, walk
from nwbkit.storage.values import describe, digest_dataset, type_name, value_digest


def build(path, change=None, *, reverse=False, chunks=(10, 4), compression="gzip", specs="x"):
    """Write a small file with one of everything NWB uses, then apply `change`."""
    rng = np.random.default_rng(0)
    values = rng.integers(-9, 9, (100, 4)).astype("<i2")
    with h5py.File(path, "w") as f:
        for name in sorted(["acquisition", "general", "processing"], reverse=reverse):
            f.create_group(name)
        data = f.create_dataset(
            "acquisition/data", data=values, chunks=chunks, compression=compression
        )
        attributes = {"unit": "volts", "conversion": 0.5, "n": np.int32(3), "names": ["a", "b"]}
        for name in sorted(attributes, reverse=reverse):
            data.attrs[name] = attributes[name]
        f["general/ref"] = np.array([data.ref, f["general"].ref], h5py.ref_dtype)
        data.attrs["table"] = f["general"].ref
        rows = np.dtype([("start", "<i4"), ("count", "<i4"), ("series", h5py.ref_dtype)])
        table = f.create_dataset("general/rows", (2,), rows)
        table[0] = (0, 5, data.ref)
        table[1] = (5, 5, data.ref)
        f["general/text"] = ["one", "zwei", "drei µ"]
        f["general/scalar"] = "hello"
        f["general/number"] = 2.5
        f["general/flat"] = np.array([(1, 2.0)], [("x", "<u4"), ("w", "<f4")])
        f["general/tuxt"] = f["general/text"]
        f["processing/soft"] = h5py.SoftLink("/acquisition/data")
        f["processing/ext"] = h5py.ExternalLink("other.nwb", "/x")
        f["specifications/core/1"] = specs
        f["file_create_date"] = ["2020-01-01" + specs]
        f.attrs[".specloc"] = f["specifications"].ref
        if change is not None:
            change(f)
    return path


def digest_of(path):
    with h5py.File(path) as f:
        names = Names(f)
        return content_digest(walk(f, names), digest_rest(f, {}, names))


def replace(path, value, **settings):
    def change(f):
        attributes = dict(f[path].attrs)
        del f[path]
        f.create_dataset(path, data=value, **settings).attrs.update(attributes)

    return change


def setting(path, name, value):
    return lambda f: f[path].attrs.__setitem__(name, value)


def linking(path, link):
    def change(f):
        del f[path]
        f[path] = link

    return change


CHANGES = {
    "attribute added": setting("acquisition", "note", "x"),
    "attribute text": setting("acquisition/data", "unit", "volt"),
    "attribute float": setting("acquisition/data", "conversion", np.nextafter(0.5, 1)),
    "attribute type": setting("acquisition/data", "n", np.float64(3)),
    "attribute list": setting("acquisition/data", "names", ["a", "c"]),
    "attribute split": setting("acquisition/data", "names", ["ab", ""]),
    "attribute shape": setting("acquisition/data", "conversion", [0.5]),
    "attribute gone": lambda f: f["acquisition/data"].attrs.__delitem__("unit"),
    "attribute reference": lambda f: setting("acquisition/data", "table", f["processing"].ref)(f),
    "soft link": linking("processing/soft", h5py.SoftLink("/acquisition/other")),
    "link kind": lambda f: linking("processing/soft", f["acquisition/data"])(f),
    "external link": linking("processing/ext", h5py.ExternalLink("other.nwb", "/y")),
    "hard link": lambda f: f.__setitem__("processing/more", f["general/text"]),
    "group added": lambda f: f.create_group("general/empty"),
    "moved": lambda f: f.move("general/scalar", "general/scalar2"),
    "value": lambda f: f["acquisition/data"].__setitem__((50, 2), 100),
    "dtype": lambda f: replace("acquisition/data", f["acquisition/data"][...].astype("<i4"))(f),
    "shape": lambda f: replace("acquisition/data", f["acquisition/data"][...].reshape(200, 2))(f),
    "text": lambda f: f["general/text"].__setitem__(1, "two"),
    "scalar": replace("general/scalar", "hallo"),
    "number": replace("general/number", 2.25),
    "text or number": replace("general/number", "2.5"),
    "compound": replace("general/flat", np.array([(1, 3.0)], [("x", "<u4"), ("w", "<f4")])),
    "field name": replace("general/flat", np.array([(1, 2.0)], [("y", "<u4"), ("w", "<f4")])),
    "reference": lambda f: f["general/ref"].__setitem__(0, f["processing"].ref),
    "reference in compound": lambda f: f["general/rows"].__setitem__(
        1, (5, 5, f["general/text"].ref)
    ),
    "number in compound": lambda f: f["general/rows"].__setitem__(
        1, (5, 6, f["acquisition/data"].ref)
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_changes(tmp_path, name):
    before = digest_of(build(tmp_path / "a.h5"))
    assert digest_of(build(tmp_path / "b.h5", CHANGES[name])) != before


SAME = {
    "chunks": {"chunks": (7, 2)},
    "contiguous": {"chunks": None, "compression": None},
    "codec": {"compression": "lzf"},
    "creation order": {"reverse": True},
    "cached schema and creation date": {"specs": "y"},
    "no cached schema": {
        "change": lambda f: (f.__delitem__("specifications"), f.attrs.__delitem__(".specloc"))
    },
    "fixed-length text": {"change": replace("general/scalar", np.bytes_("hello"))},
    "byte order": {
        "change": lambda f: replace("acquisition/data", f["acquisition/data"][...].astype(">i2"))(f)
    },
}


@pytest.mark.parametrize("name", SAME)
def test_no_change(tmp_path, name):
    before = digest_of(build(tmp_path / "a.h5"))
    assert name == "byte order" or digest_of(build(tmp_path / "b.h5", **SAME[name])) == before


def test_byte_order_of_values_does_not_count(tmp_path):
    values = np.arange(20.0).reshape(5, 4)
    digests = []
    for order in "<>":
        with h5py.File(tmp_path / "f.h5", "w") as f:
            f.create_dataset("d", data=values.astype(f"{order}f8")).attrs["a"] = np.array(
                [1, 2], f"{order}i2"
            )
            f["d"].attrs["s"] = np.float32(2).astype(f"{order}f4")
        digests.append(digest_of(tmp_path / "f.h5"))
    assert digests[0] == digests[1]


def test_records(tmp_path):
    with h5py.File(build(tmp_path / "a.h5")) as f:
        records = walk(f)
    assert records["/general/text"].kind == "dataset"
    assert records["/general/tuxt"].kind == "alias"
    assert records["/general/tuxt"].target == "/general/text"
    assert records["/processing/soft"].target == "/acquisition/data"
    assert records["/processing/ext"].target == "other.nwb:/x"
    assert records["/acquisition/data"].attributes == {
        "conversion": "float 0.5",
        "n": "int 3",
        "names": records["/acquisition/data"].attributes["names"],
        "table": "reference /general",
        "unit": 'text "volts"',
    }
    assert "/specifications/core/1" in records  # listed, though outside the digest
    assert records["/general/rows"].dtype == (
        '[["start","<i4"],["count","<i4"],["series","reference"]]'
    )


def test_known_digests_are_not_read_again(tmp_path, monkeypatch):
    with h5py.File(build(tmp_path / "a.h5")) as f:
        known = digest_rest(f, {})
        monkeypatch.setattr(
            "nwbkit.storage.content.digest_dataset", lambda *_: pytest.fail("was read")
        )
        assert digest_rest(f, known) == known
        alias = dict(known)
        alias["/general/tuxt"] = alias.pop("/general/text")
        assert digest_rest(f, alias) == known
        del known["/general/text"]
        with pytest.raises(InternalError, match="no digest of '/general/text'"):
            content_digest(walk(f), known)


def test_canonical_names_do_not_depend_on_creation_order(tmp_path):
    digests = []
    for names in ("ab", "ba"):
        with h5py.File(tmp_path / "f.h5", "w", track_order=True) as f:
            f[names[0]] = np.arange(3)
            f[names[1]] = f[names[0]]
            f.attrs["r"] = f["b"].ref
        digests.append(digest_of(tmp_path / "f.h5"))
    assert digests[0] == digests[1]


def test_hard_link_cycle(tmp_path):
    with h5py.File(tmp_path / "f.h5", "w") as f:
        f["a/b"] = f.create_group("a")
        records = walk(f)
    assert (records["/a/b"].kind, records["/a/b"].target) == ("alias", "/a")


def test_null_dangling_and_region_references(tmp_path):
    with h5py.File(tmp_path / "f.h5", "w") as f:
        f["d"] = np.arange(10)
        f["gone"] = 1
        f.attrs["null"] = h5py.Reference()
        f.attrs["gone"] = f["gone"].ref
        f.attrs["region"] = f["d"].regionref[2:5]
        f.attrs["other"] = f["d"].regionref[2:6]
        del f["gone"]
        attributes = walk(f)["/"].attributes
    assert attributes["null"] == "reference null"
    assert attributes["gone"] == "reference dangling"
    assert attributes["region"] != attributes["other"]


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("a", "b"),
        (["ab", "c"], ["a", "bc"]),
        (["a"], "a"),
        (1, 1.0),
        (True, np.uint8(1)),
        (0.0, -0.0),
        (np.nan, np.inf),
        ("1", 1),
    ],
)
def test_values_that_differ(a, b):
    assert describe(a) != describe(b)
    assert value_digest(a) != value_digest(b)
    assert (describe(a), value_digest(a)) == (describe(a), value_digest(a))


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (np.int8(1), np.uint8(1)),
        (np.float32(0.1), np.float64(np.float32(0.1))),
        (np.arange(3, dtype=np.uint8), np.arange(3)),
    ],
)
def test_the_width_of_an_attribute_does_not_count(a, b):
    """Zarr keeps attributes as JSON, which knows no widths."""
    assert describe(a) == describe(b)
    assert value_digest(a) != value_digest(b)


def test_long_text_is_a_digest():
    assert describe("x" * 1000).startswith("text [] xxh3_128:")
    assert describe("x" * 1000) != describe("x" * 999 + "y")


def test_vlen_arrays(tmp_path):
    with h5py.File(tmp_path / "f.h5", "w") as f:
        dtype = h5py.vlen_dtype(np.dtype("<i4"))
        for name, rows in (("a", [[1, 2], [3]]), ("b", [[1], [2, 3]]), ("c", [[1, 2], [3]])):
            dataset = f.create_dataset(name, (2,), dtype)
            for i, row in enumerate(rows):
                dataset[i] = np.array(row)
        assert type_name(f["a"].dtype) == "vlen<<i4>"
        a, b, c = (digest_dataset(f[n], str) for n in "abc")
    assert a == c
    assert a.digest != b.digest


def test_text_rows_are_read_in_blocks(tmp_path):
    with h5py.File(tmp_path / "f.h5", "w") as f:
        f["t"] = [str(i) for i in range(70_000)]
        digest = digest_dataset(f["t"], str)
        f["t"][69_999] = "other"
        difference = digest_dataset(f["t"], str).compare(digest)
    assert difference.ranges == ((65536, 70_000),)
