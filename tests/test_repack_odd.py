"""Element types, layouts and references that nobody would think of, kept all the same."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
from h5py import h5a, h5d, h5p, h5s, h5t

from nwbkit.convert import Request, convert
from nwbkit.errors import NwbkitError
from nwbkit.verify import verify
from tests import repackfiles as r


def int12(f):
    t = h5t.NATIVE_INT16.copy()
    t.set_precision(12)
    p = h5p.create(h5p.DATASET_CREATE)
    p.set_chunk((1000,))
    p.set_deflate(1)
    d = h5d.create(f.id, b"acquisition/x", t, h5s.create_simple((4000,)), dcpl=p)
    d.write(h5s.ALL, h5s.ALL, np.arange(-2000, 2000, dtype="i2"))


def int12be(f):
    t = h5t.STD_I16BE.copy()
    t.set_precision(12)
    t.set_offset(2)
    d = h5d.create(f.id, b"acquisition/x", t, h5s.create_simple((4000,)))
    d.write(h5s.ALL, h5s.ALL, np.arange(-2000, 2000, dtype="i2"))


def bitfield(f):
    d = h5d.create(f.id, b"acquisition/x", h5t.STD_B8LE, h5s.create_simple((4000,)))
    d.write(h5s.ALL, h5s.ALL, np.arange(4000).astype("u1"), mtype=h5t.STD_B8LE)


def badtext(f):
    f["acquisition"].attrs.create("t", b"\xff\xfeab", dtype="S4")
    d = f["acquisition"].create_dataset("x", (3,), h5py.string_dtype())
    d[:] = np.array([b"\xff\xfe", b"ok", b""], dtype=object)
    f["acquisition"].attrs.create("v", b"\xff\xfeab", dtype=h5py.string_dtype())


def badname(f):
    f.id.links.create_soft(b"\xff\xfe", b"/\xfe")
    h5py.h5g.create(f.id, b"acquisition/g\xff")
    h5a.create(f["acquisition"].id, b"n\xff", h5t.NATIVE_INT32, h5s.create(h5s.SCALAR)).write(
        np.array(5, "i4")
    )


def nullstr(f):
    d = f["acquisition"].create_dataset("x", (300,), h5py.string_dtype())
    d[0] = "a"
    h5a.create(
        f["acquisition"].id,
        b"n",
        h5t.py_create(h5py.string_dtype(), logical=True),
        h5s.create_simple((3,)),
    )


def longdouble(f):
    f["acquisition"].create_dataset("x", data=np.arange(500, dtype="longdouble") / 3)


def f16be(f):
    f["acquisition"].create_dataset("x", data=np.arange(5000).astype(">f2"))


def manyattrs(f):
    for i in range(300):
        f["acquisition"].attrs[f"a{i}"] = i


def manychildren(f):
    for i in range(300):
        f[f"acquisition/g{i}"] = i


def vlenstr_in_vlen(f):
    d = f["acquisition"].create_dataset("x", (3,), h5py.vlen_dtype(h5py.string_dtype()))
    d[0] = np.array(["a", "bb"], dtype=object)


def vlencomp(f):
    dt = h5py.vlen_dtype(np.dtype([("a", "i4"), ("b", "f8")]))
    d = f["acquisition"].create_dataset("x", (3,), dt)
    d[0] = np.zeros(4, [("a", "i4"), ("b", "f8")])


def vlenref(f):
    dt = h5py.vlen_dtype(h5py.ref_dtype)
    d = f["acquisition"].create_dataset("x", (3,), dt)
    v = np.empty(2, h5py.ref_dtype)
    v[0] = f.ref
    v[1] = f["analysis"].ref
    d[0] = v


def nested(f):
    i = np.dtype([("r", h5py.ref_dtype), ("n", "i4")])
    dt = np.dtype([("in", i), ("t", h5py.string_dtype()), ("arr", "f4", (2, 2))])
    a = np.empty(3, dt)
    for k in range(3):
        a[k] = ((f["analysis"].ref, k), "x" * k, np.ones((2, 2)))
    f["acquisition"].create_dataset("x", data=a)


def refarr(f):
    dt = np.dtype([("r", h5py.ref_dtype, (2,)), ("n", "i4")])
    a = np.empty(3, dt)
    for k in range(3):
        a[k]["r"][0] = f["analysis"].ref
        a[k]["r"][1] = f.ref
        a[k]["n"] = k
    f["acquisition"].create_dataset("x", data=a)


def deleted(f):
    f["acquisition/t"] = 1
    f["acquisition"].attrs["r"] = f["acquisition/t"].ref
    del f["acquisition/t"]


def pointregion(f):
    f["acquisition"].create_dataset("x", data=np.arange(100).reshape(10, 10))
    sid = h5s.create_simple((10, 10))
    sid.select_elements(np.array([[1, 2], [3, 4]]))
    f["acquisition"].attrs.create(
        "r",
        h5py.h5r.create(f.id, b"acquisition/x", h5py.h5r.DATASET_REGION, sid),
        dtype=h5py.regionref_dtype,
    )


def regionall(f):
    d = f["acquisition"].create_dataset("x", data=np.arange(100))
    f["acquisition"].attrs.create("r", d.regionref[...], dtype=h5py.regionref_dtype)


def badbool(f):
    d = f["acquisition"].create_dataset("x", data=np.zeros(5000, bool))
    d.id.write(h5s.ALL, h5s.ALL, np.arange(5000).astype("u1"), mtype=d.id.get_type())


def zstd(f):
    import hdf5plugin

    f["acquisition"].create_dataset("x", data=r.noise(20000, 4), **hdf5plugin.Zstd())
    f["acquisition"].create_dataset("y", data=r.noise(20000, 4), **hdf5plugin.Blosc())
    f["acquisition"].create_dataset("z", data=r.noise(20000, 4), **hdf5plugin.Blosc2())
    f["acquisition"].create_dataset("b", data=r.noise(20000, 4), **hdf5plugin.Bitshuffle())
    f["acquisition"].create_dataset("l", data=r.noise(20000, 4), **hdf5plugin.LZ4())
    f["acquisition"].create_dataset("s", data=np.array([b"abc"] * 50000), **hdf5plugin.LZ4())


def szip(f):
    f["acquisition"].create_dataset("x", data=r.noise(20000, 4), compression="szip")


def nbit(f):
    p = h5p.create(h5p.DATASET_CREATE)
    p.set_chunk((1000,))
    p.set_filter(5, 0, ())
    t = h5t.NATIVE_INT32.copy()
    t.set_precision(17)
    d = h5d.create(f.id, b"acquisition/x", t, h5s.create_simple((4000,)), dcpl=p)
    d.write(h5s.ALL, h5s.ALL, np.arange(4000, dtype="i4"))


def edge(f):
    f["acquisition"].create_dataset("x", data=r.noise(1003, 7), chunks=(100, 3), compression="gzip")
    f["acquisition"].create_dataset(
        "y", (1000, 1000), "f4", chunks=(64, 64), fillvalue=3.5, compression="gzip"
    )[10:20, 10:900] = 1


def sizes(f):
    f["acquisition"].create_dataset("x", (5, 0, 3), "f4")
    f["acquisition"].create_dataset("o", (1, 1, 1, 2), "f4", maxshape=(None,) * 4)
    f["acquisition"].create_dataset("g", (3,), "f4", maxshape=(None,))
    f["acquisition"].create_dataset("h", (3000,), "f4", maxshape=(3000,))
    f["acquisition"].create_dataset("lim", data=np.arange(3.0), maxshape=(7,))


def fixedtext(f):
    f["acquisition"].create_dataset(
        "x",
        data=np.array([f"ä{i}".encode() for i in range(1000)], dtype="S9").astype(
            h5py.string_dtype("utf-8", 9)
        ),
    )


def complex_t(f):
    f["acquisition"].create_dataset("x", data=(np.arange(1000) + 1j).astype("c8"))


def selfref(f):
    f["acquisition/self"] = f["/"]
    f["acquisition"].attrs["me"] = f["acquisition/self"].ref


def slash(f):
    f["acquisition/a:b@c*[x]"] = np.arange(5000)


KEPT = [
    int12, int12be, bitfield, badtext, nullstr, longdouble, f16be, manyattrs, manychildren,
    vlenstr_in_vlen, vlencomp, vlenref, nested, refarr, pointregion, regionall, badbool, zstd,
    szip, nbit, edge, sizes, fixedtext, complex_t, selfref, slash,
]  # fmt: skip
REFUSED = [deleted, badname]
#: What Zarr has no place for.
HDF5_ONLY = [
    badtext, longdouble, vlenstr_in_vlen, vlencomp, vlenref, nested, refarr, pointregion,
    regionall,
]  # fmt: skip


def repack(source, out):
    return convert(Request(inputs=[str(source)], output=str(out), jobs=2)).document


def make(path, build):
    if build is zstd:
        pytest.importorskip("hdf5plugin")
    with r.base(path) as file:
        build(file)
    return path


@pytest.mark.parametrize("build", KEPT, ids=lambda b: b.__name__)
def test_kept(tmp_path, build):
    source, out = make(tmp_path / "in.nwb", build), tmp_path / "out.nwb"
    repack(source, out)
    assert r.same_file(source, out) == []
    assert verify(str(out), against=[str(source)]).ok


@pytest.mark.parametrize("build", [*KEPT, *REFUSED], ids=lambda b: b.__name__)
def test_kept_in_zarr_or_refused(tmp_path, build):
    source, store = make(tmp_path / "in.nwb", build), tmp_path / "out.nwb.zarr"
    if build in HDF5_ONLY or build in REFUSED:
        with pytest.raises(NwbkitError) as caught:
            repack(source, store)
        assert caught.value.status == 65
        assert "acquisition" in caught.value.message or build is badname
        assert sorted(p.name for p in tmp_path.iterdir()) == ["in.nwb"]
        return
    made = repack(source, store)
    assert verify(str(store), against=[str(source)]).ok
    back = repack(store, tmp_path / "back.nwb")
    assert back.content == made.content


@pytest.mark.parametrize("build", REFUSED, ids=lambda b: b.__name__)
def test_refused(tmp_path, build):
    source = make(tmp_path / "in.nwb", build)
    with pytest.raises(NwbkitError) as caught:
        repack(source, tmp_path / "out.nwb")
    assert caught.value.status == 65
