"""convert of NWB files to Zarr and back."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import pytest

from nwbkit.convert import Request, convert
from nwbkit.errors import NwbkitError
from nwbkit.verify import verify
from tests import repackfiles

pytest.importorskip("hdmf_zarr")

pytestmark = pytest.mark.filterwarnings("ignore:.*positional arguments:FutureWarning")

FILES = {
    "pynwb": repackfiles.pynwb_kinds,
    "neuroconv": repackfiles.neuroconv_like,
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("in")

    def make(name: str) -> Path:
        path = folder / f"{name}.nwb"
        if not path.exists():
            FILES[name](path)
        return path

    return make


def repack(source: Path, out: Path, **settings):
    return convert(Request(inputs=[str(source)], output=str(out), jobs=2, **settings)).document


@pytest.mark.parametrize("name", FILES)
def test_there_and_back(made, tmp_path, name):
    store, out, again = tmp_path / "s.nwb.zarr", tmp_path / "b.nwb", tmp_path / "t.nwb.zarr"
    documents = [repack(made(name), store), repack(store, out), repack(store, again)]
    assert len({d.content for d in documents}) == 1
    for path, source in ((store, made(name)), (out, store), (again, store)):
        assert verify(str(path)).ok
        assert verify(str(path), against=[str(source)]).ok
    wrong = repackfiles.same_file(made(name), out)
    allowed = ("type ", " became ", "fill value", "second name")
    assert [w for w in wrong if not any(a in w for a in allowed)] == []
    with h5py.File(made(name)) as a, h5py.File(out) as b:
        compare_values(a, b)


def compare_values(a, b):
    """All values through h5py, whatever the width of numbers and the kind of text."""
    names = []
    a.visititems(lambda name, item: names.append(name))
    for name in names:
        x, y = a[name], b[name]
        assert set(x.attrs) == set(y.attrs), name
        for key in x.attrs:
            one, other = x.attrs[key], y.attrs[key]
            if isinstance(one, h5py.Reference):
                assert a[one].name == b[other].name
            else:
                assert np.array_equal(
                    np.asarray(one), np.asarray(other), equal_nan=np.asarray(one).dtype.kind == "f"
                ), (name, key)
        if not isinstance(x, h5py.Dataset):
            continue
        if h5py.check_ref_dtype(x.dtype):
            assert [a[r].name for r in x[:]] == [b[r].name for r in y[:]]
        else:
            assert np.array_equal(x[()], y[()], equal_nan=x.dtype.kind == "f"), name
            assert x.dtype.kind == y.dtype.kind and x.shape == y.shape


def test_readers_open_both(made, tmp_path):
    from hdmf_zarr.nwb import NWBZarrIO
    from pynwb import NWBHDF5IO

    store, out = tmp_path / "s.nwb.zarr", tmp_path / "b.nwb"
    repack(made("pynwb"), store)
    repack(store, out)
    for kind, path in ((NWBHDF5IO, made("pynwb")), (NWBHDF5IO, out), (NWBZarrIO, store)):
        with kind(str(path), "r") as io:
            nwb = io.read()
            raw = nwb.acquisition["Raw"]
            assert np.array_equal(raw.data[:], repackfiles.noise(30_000, 8))
            assert list(raw.electrodes.to_dataframe().location) == ["CA1"] * 8
            assert nwb.trials.to_dataframe().hit.sum() == 10
            assert len(nwb.units["spike_times"][29]) == 29
            assert nwb.acquisition["B"].timestamps[3] == 0.3
            assert list(nwb.get_analysis("texts").word[:]) == ["ein", "zwei", "drei"]
            pose = nwb.processing["behavior"]["pose"]
            assert pose.skeleton.nodes[:].tolist() == ["nose", "tail"]


def test_spikeinterface_opens_both(made, tmp_path):
    from spikeinterface.extractors import read_nwb_recording

    for out in (tmp_path / "s.nwb.zarr", tmp_path / "b.nwb"):
        repack(made("neuroconv"), out)
        recording = read_nwb_recording(out, electrical_series_path="acquisition/ElectricalSeries")
        assert recording.get_num_channels() == 128
        traces = recording.get_traces(start_frame=20_000, end_frame=20_100)
        assert np.array_equal(traces, repackfiles.noise(40_000, 128)[20_000:20_100])


UNKEEPABLE = {
    "region": lambda f, d: d.attrs.__setitem__("where", d.regionref[0:3]),
    "vlen": lambda f, d: f.create_dataset("analysis/x", (3,), h5py.vlen_dtype("i4")),
    "external": lambda f, d: f.__setitem__("analysis/x", h5py.ExternalLink("o.h5", "/d")),
    "compound": lambda f, d: f.create_dataset(
        "analysis/x", (3,), np.dtype([("a", "i4"), ("r", h5py.ref_dtype)])
    ),
    "named": lambda f, d: f.__setitem__("analysis/x", np.dtype("i4")),
    "enum": lambda f, d: f.create_dataset("analysis/x", (3,), h5py.enum_dtype({"A": 1})),
    "nowhere": lambda f, d: f.__setitem__("analysis/x", h5py.Empty("i4")),
    "empty attribute": lambda f, d: d.attrs.__setitem__("x", h5py.Empty("i4")),
    "null reference": lambda f, d: d.attrs.__setitem__("x", h5py.Reference()),
    "opaque": lambda f, d: d.attrs.__setitem__("x", np.void(b"abc")),
    "not utf-8": lambda f, d: d.attrs.create("x", b"\xff\xfe", dtype="S2"),
    "scale": lambda f, d: (
        f["stimulus"].create_dataset("x", data=[1.0]).make_scale("x")
        or d.dims[0].attach_scale(f["stimulus/x"])
    ),
    "complex": lambda f, d: d.attrs.__setitem__("x", 1j),
    "hidden": lambda f, d: f.create_group("analysis/.x"),
    "empty grid": lambda f, d: d.attrs.__setitem__("x", np.zeros((0, 3))),
    "texts in rows": lambda f, d: f.create_dataset(
        "analysis/x", (2,), np.dtype([("a", h5py.string_dtype())])
    ),
    "reserved": lambda f, d: d.attrs.__setitem__("zarr_dtype", "x"),
}


@pytest.mark.parametrize("name", UNKEEPABLE)
def test_what_zarr_cannot_keep_is_named(tmp_path, name):
    source = tmp_path / "in.nwb"
    with repackfiles.base(source) as file:
        UNKEEPABLE[name](file, repackfiles.series(file, "Raw", repackfiles.noise(500, 2)))
    with pytest.raises(NwbkitError) as caught:
        repack(source, tmp_path / "out.nwb.zarr")
    assert caught.value.status == 65
    named = "/analysis/x" if "analysis/x" in h5_names(source) else "/acquisition/Raw/data"
    assert (named if name != "hidden" else "/analysis/.x") in caught.value.message
    assert not (tmp_path / "out.nwb.zarr").exists()
    assert [p.name for p in tmp_path.iterdir()] == ["in.nwb"]
    repack(source, tmp_path / "out.nwb")
    assert repackfiles.same_file(source, tmp_path / "out.nwb") == []


def h5_names(path):
    with h5py.File(path) as file:
        return ["analysis/x"] if "x" in list(file["analysis"]) else []


def test_second_names_become_links(tmp_path):
    source, out = tmp_path / "in.nwb", tmp_path / "out.nwb.zarr"
    with repackfiles.base(source) as file:
        data = repackfiles.series(file, "Raw", repackfiles.noise(500, 2))
        file["analysis/again"] = data
        file["analysis/soft"] = h5py.SoftLink("../acquisition/Raw")
    document = repack(source, out)
    assert any("/analysis/again" in note for note in document.notes)
    links = json.loads((out / "acquisition/Raw/.zattrs").read_text()).get("zarr_link", [])
    links += json.loads((out / "analysis/.zattrs").read_text()).get("zarr_link", [])
    assert {(link["name"], link["path"]) for link in links} == {
        ("again", "/acquisition/Raw/data"), ("soft", "/acquisition/Raw"),
    }  # fmt: skip
    assert verify(str(out), against=[str(source)]).ok


def test_store_with_a_damaged_chunk(made, tmp_path):
    store = tmp_path / "s.nwb.zarr"
    repack(made("neuroconv"), store)
    chunk = sorted((store / "acquisition/ElectricalSeries/data").glob("[0-9]*"))[0]
    raw = bytearray(chunk.read_bytes())
    raw[len(raw) // 2] ^= 1
    chunk.write_bytes(raw)
    for out in (tmp_path / "o.nwb", tmp_path / "o.nwb.zarr"):
        with pytest.raises(NwbkitError, match=r"ElectricalSeries/data.*chunk") as caught:
            repack(store, out)
        assert caught.value.status == 65 and not out.exists()


def test_stores_that_hdmf_zarr_writes_itself(made, tmp_path):
    """References in pickles, links, blosc-lz4: what NeuroConv's Zarr back end makes."""
    from hdmf_zarr.nwb import NWBZarrIO
    from pynwb import NWBHDF5IO

    theirs = tmp_path / "theirs.nwb.zarr"
    with NWBHDF5IO(str(made("pynwb")), "r") as read, NWBZarrIO(str(theirs), "w") as write:
        write.export(src_io=read, write_args={"link_data": False})
    same = repack(made("pynwb"), tmp_path / "same.nwb").content
    assert repack(theirs, tmp_path / "out.nwb").content == same
    assert repack(theirs, tmp_path / "out.nwb.zarr").content == same
