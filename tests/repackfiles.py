"""NWB files as others write them, and a way of comparing two of them that shares no code."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import h5py
import numpy as np

TEXT = h5py.string_dtype()
START = datetime.datetime(2024, 5, 1, 10, tzinfo=datetime.UTC)


def base(path: Path, **settings: Any) -> h5py.File:
    """The least that an NWB file has, to be filled by hand."""
    file = h5py.File(path, "w", **settings)
    file.attrs["nwb_version"] = "2.5.0"
    file.attrs["namespace"] = "core"
    file.attrs["neurodata_type"] = "NWBFile"
    file.attrs["object_id"] = "0b1a5f6e-0000-4000-8000-000000000001"
    for name in ("identifier", "session_description", "session_start_time"):
        file[name] = {"session_start_time": "2024-05-01T10:00:00+00:00"}.get(name, name)
    file["file_create_date"] = np.array(["2024-05-02T10:00:00+00:00"], dtype=object)
    for name in ("acquisition", "processing", "stimulus", "general", "analysis"):
        file.create_group(name)
    return file


def series(file: h5py.File, name: str, data: Any, **settings: Any) -> h5py.Dataset:
    """A TimeSeries below /acquisition."""
    group = file.create_group(f"acquisition/{name}")
    group.attrs["neurodata_type"] = "TimeSeries"
    group.attrs["namespace"] = "core"
    group.attrs["object_id"] = f"0b1a5f6e-0000-4000-8000-{abs(hash(name)) % 10**12:012d}"
    dataset = group.create_dataset("data", data=data, **settings)
    dataset.attrs["unit"] = "volts"
    dataset.attrs["conversion"] = np.float32(0.195)
    group["starting_time"] = 0.0
    group["starting_time"].attrs["rate"] = 30000.0
    return dataset


def noise(rows: int, columns: int = 70, dtype: str = "<i2") -> np.ndarray:
    """Numbers that do not repeat."""
    drawn = np.random.default_rng(rows).integers(-300, 300, (rows, columns))
    return drawn.astype(dtype)


def everything(path: Path, userblock: int = 1024) -> None:
    """All that HDF5 has a word for."""
    with base(path, track_order=True, userblock_size=userblock) as file:
        data = series(file, "Zeta", noise(20_000), chunks=(1000, 70), maxshape=(None, 70))
        series(file, "Alpha", noise(3000, 3, ">f4"))  # big-endian, contiguous
        file.attrs["huge"] = np.arange(20_000.0)
        _attributes(file, data)
        _datasets(file, file.create_group("analysis/odd"), data)
        _links(file, data)
        file.create_group("specifications/core/2.5.0")["namespace"] = '{"namespaces": []}'
        file.attrs[".specloc"] = file["specifications"].ref
    with open(path, "r+b" if userblock else "ab") as raw:
        raw.write(b"#!/bin/sh\necho a user block\n" if userblock else b"")


def _attributes(file: h5py.File, data: h5py.Dataset) -> None:
    file["analysis/named"] = np.dtype([("a", "<i4"), ("b", "<f8")])
    attributes = data.attrs
    attributes["texts"] = np.array(["α", "b", ""], dtype=object)
    attributes.create("ascii", "plain", dtype=h5py.string_dtype("ascii"))
    attributes["fixed"] = np.array([b"abc", b"de"])
    attributes.create("fixed8", "pädded".encode(), dtype=h5py.string_dtype("utf-8", 12))
    attributes["empty"] = h5py.Empty("f4")
    attributes["none"] = np.zeros((0, 3), "<i2")
    attributes["flag"] = True
    attributes["flags"] = np.array([True, False])
    attributes["big"] = np.arange(5, dtype=">i2")
    attributes["enum"] = np.array([1, 2], dtype=h5py.enum_dtype({"A": 1, "B": 2}, "u1"))
    attributes["complex"] = 1 + 2j
    attributes["half"] = np.float16(0.1)
    attributes["opaque"] = np.void(b"ab\0cd")
    attributes["object"] = file["acquisition"].ref
    attributes["region"] = data.regionref[3:7, 1:3]
    attributes["nothing"] = h5py.Reference()
    rows = np.empty(2, h5py.vlen_dtype("f4"))
    rows[0], rows[1] = np.arange(3, dtype="f4"), np.arange(0, dtype="f4")
    attributes.create("lists", rows, dtype=h5py.vlen_dtype("f4"))
    kind = np.dtype([("name", "S4"), ("what", h5py.ref_dtype), ("said", TEXT)])
    cells = np.empty(2, kind)
    cells[0] = (b"x", data.ref, "hello")
    cells[1] = (b"yy", h5py.Reference(), "wörld")
    attributes.create("cells", cells, dtype=kind)
    attributes.create("typed", (5, 0.5), dtype=file["analysis/named"])
    attributes["nan"] = np.float64("nan")
    attributes["grid"] = np.arange(6).reshape(2, 3)


def _datasets(file: h5py.File, odd: h5py.Group, data: h5py.Dataset) -> None:
    odd.attrs["neurodata_type"] = "Something"
    odd["scalar"] = 5
    odd["text"] = "with\nlines and ü"
    odd.create_dataset("fixed", data=np.array([b"left", b"right"] * 400))
    odd.create_dataset("texts", data=np.array(["α", "", "c" * 300] * 500, dtype=object))
    odd["empty"] = h5py.Empty("i4")
    odd.create_dataset("growing", (0, 4), "<i2", maxshape=(None, 4), chunks=(512, 4))
    odd.create_dataset("filled", (50, 100), "<i4", fillvalue=-7, chunks=(10, 100))[:10] = 3
    odd.create_dataset("unwritten", (300,), "<f8", fillvalue=np.nan)
    odd.create_dataset("bools", data=np.arange(3000) % 3 == 0)
    odd.create_dataset("enums", data=np.arange(3000) % 2, dtype=h5py.enum_dtype({"N": 0, "Y": 1}))
    odd.create_dataset(
        "references", data=np.array([data.ref, odd.ref, data.ref] * 80, h5py.ref_dtype)
    )
    odd.create_dataset(
        "regions", data=[data.regionref[0:4], data.regionref[5:9, 0]], dtype=h5py.regionref_dtype
    )
    kind = np.dtype([("start", "<i4"), ("count", "<i4"), ("series", h5py.ref_dtype)])
    rows = np.empty(300, kind)
    for i in range(300):
        rows[i] = (i, 1, data.ref if i % 2 else odd.ref)
    odd.create_dataset("timeseries", data=rows, maxshape=(None,), chunks=(100,))
    pixels = np.zeros(2000, [("x", "<u4"), ("y", "<u4"), ("weight", "<f4")])
    pixels["x"], pixels["weight"] = np.arange(2000), 0.5
    odd.create_dataset("pixel_mask", data=pixels)
    padded = np.zeros(
        500,
        np.dtype(
            {"names": ["a", "b"], "formats": ["<i2", "<f8"], "offsets": [0, 8], "itemsize": 24}
        ),
    )
    padded["a"] = np.arange(500)
    odd.create_dataset("padded", data=padded)
    lists = odd.create_dataset("lists", (40,), dtype=h5py.vlen_dtype("<i4"))
    for i in range(40):
        lists[i] = np.arange(i)
    odd.create_dataset("typed", (600,), dtype=file["analysis/named"])[:] = (4, 0.25)
    odd.create_dataset("vectors", data=np.zeros(30, [("v", "<f4", (3,))]))
    odd.create_dataset("complex", data=np.arange(500) * (1 + 1j))
    odd.create_dataset("cube", data=noise(60, 500).reshape(60, 20, 25), fletcher32=True)
    compact = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    compact.set_layout(h5py.h5d.COMPACT)
    space = h5py.h5s.create_simple((400,))
    made = h5py.h5d.create(odd.id, b"compact", h5py.h5t.NATIVE_INT64, space, dcpl=compact)
    made.write(h5py.h5s.ALL, h5py.h5s.ALL, np.arange(400))
    odd.create_dataset("scaled", data=np.arange(5000, dtype="i4"), scaleoffset=0, chunks=(1000,))
    odd.create_dataset("lzf", data=noise(2000, 5), compression="lzf")
    scale = odd.create_dataset("scale", data=np.arange(70.0))
    scale.make_scale("channel")
    data.dims[1].attach_scale(scale)
    data.dims[1].label = "channels"


def _links(file: h5py.File, data: h5py.Dataset) -> None:
    links = file.create_group("analysis/links", track_order=True)
    links["z-soft"] = h5py.SoftLink("/acquisition/Zeta/data")
    links["relative"] = h5py.SoftLink("../odd/scalar")
    links["dangling"] = h5py.SoftLink("/nowhere/at/all")
    links["outside"] = h5py.ExternalLink("raw/other.h5", "/data")
    links["absolute"] = h5py.ExternalLink("/somewhere/other.h5", "/d:a")
    links["again"] = data
    links["a-group"] = file["acquisition/Alpha"]
    links["circle"] = file["analysis"]
    links["naïve name"] = np.int8(3)


def pynwb_kinds(path: Path) -> None:
    """Electrodes, units, trials that refer to series, patch clamp tables, pose, sound."""
    import pynwb
    from hdmf.common import DynamicTable
    from ndx_pose import PoseEstimation, PoseEstimationSeries, Skeleton, Skeletons
    from ndx_sound import AcousticWaveformSeries
    from pynwb.base import TimeSeriesReference

    nwb = pynwb.NWBFile("kinds", "kinds-1", START)
    device = nwb.create_device("probe")
    group = nwb.create_electrode_group("shank", "a shank", "CA1", device)
    for i in range(8):
        nwb.add_electrode(group=group, location="CA1", rel_x=float(i), rel_y=0.0)
    region = nwb.create_electrode_table_region(list(range(8)), "all")
    raw = pynwb.ecephys.ElectricalSeries("Raw", noise(30_000, 8), region, rate=30000.0)
    nwb.add_acquisition(raw)
    stamps = pynwb.TimeSeries("A", np.arange(500.0), unit="a.u.", timestamps=np.arange(500) / 10)
    nwb.add_acquisition(stamps)
    nwb.add_acquisition(pynwb.TimeSeries("B", np.arange(500), unit="a.u.", timestamps=stamps))
    for i in range(30):
        nwb.add_unit(spike_times=np.arange(i) / 7, electrodes=[i % 8])
    module = nwb.create_processing_module("behavior", "pose")
    skeleton = Skeleton(
        name="mouse", nodes=["nose", "tail"], edges=np.array([[0, 1]], dtype="uint8")
    )
    points = PoseEstimationSeries(
        name="nose", data=np.random.default_rng(1).random((400, 2)), unit="pixels",
        reference_frame="corner", rate=30.0, confidence=np.ones(400),
    )  # fmt: skip
    pose = PoseEstimation(
        name="pose", pose_estimation_series=[points], skeleton=skeleton, devices=[]
    )
    module.add(Skeletons(skeletons=[skeleton]))
    module.add(pose)
    nwb.add_acquisition(
        AcousticWaveformSeries("sound", np.sin(np.arange(5000.0)), rate=44100.0, description="beep")
    )
    table = DynamicTable("texts", "a table of texts")
    table.add_column("word", "a word")
    for word in ("ein", "zwei", "drei"):
        table.add_row(word=word)
    nwb.add_analysis(table)
    nwb.add_trial_column("hit", "whether it was a hit")
    for i in range(20):
        nwb.add_trial(start_time=float(i), stop_time=i + 0.5, hit=bool(i % 2))
    _ = TimeSeriesReference
    with pynwb.NWBHDF5IO(str(path), "w") as io:
        io.write(nwb)


def pynwb_compound(path: Path) -> None:
    """What Zarr cannot keep: rows of numbers and a reference."""
    import pynwb

    nwb = pynwb.NWBFile("compound", "compound-1", START)
    ts = pynwb.TimeSeries("A", np.arange(500.0), unit="a.u.", rate=10.0)
    nwb.add_acquisition(ts)
    for i in range(20):
        nwb.add_trial(start_time=float(i), stop_time=i + 0.5, timeseries=[ts])
    with pynwb.NWBHDF5IO(str(path), "w") as io:
        io.write(nwb)


def neuroconv_like(path: Path) -> None:
    """Chunks of about 10 MB, gzip level 4, as NeuroConv's defaults make them."""
    import pynwb
    from hdmf.backends.hdf5 import H5DataIO

    nwb = pynwb.NWBFile("neuroconv", "nc-1", START)
    device = nwb.create_device("probe")
    group = nwb.create_electrode_group("shank", "a shank", "CA1", device)
    for _ in range(128):
        nwb.add_electrode(group=group, location="CA1")
    region = nwb.create_electrode_table_region(list(range(128)), "all")
    data = H5DataIO(noise(40_000, 128), chunks=(16384, 64), compression="gzip", compression_opts=4)
    nwb.add_acquisition(pynwb.ecephys.ElectricalSeries("ElectricalSeries", data, region, rate=3e4))
    with pynwb.NWBHDF5IO(str(path), "w") as io:
        io.write(nwb)


def matnwb_like(path: Path) -> None:
    """As MatNWB's H5 writer does it: fixed-length texts with null padding, one-element rows.

    Source: MatNWB, +io/writeAttribute.m, +io/writeDataset.m, +io/writeCompound.m: chars are
    H5T_C_S1 of their length, cell arrays of chars variable in length, scalars scalar
    dataspaces, references in compounds made after all objects are there.
    """
    with base(path) as file:
        for name, text in (("identifier", "mat-1"), ("session_description", "from MATLAB")):
            del file[name]
            file.create_dataset(name, data=np.bytes_(text))
            file[name].attrs.create("note", np.bytes_("α".encode()), dtype="S2")
        data = series(file, "Raw", noise(5000, 4, "<f8"), chunks=(5000, 1), compression="gzip")
        table = file.create_group("general/extracellular_ephys/electrodes")
        table.attrs["colnames"] = np.array(["group", "x"], dtype=object)
        table.create_dataset("group", data=np.array([table.ref] * 4, h5py.ref_dtype))
        table.create_dataset("id", data=np.arange(4), maxshape=(None,), chunks=(4,))
        kind = np.dtype([("idx_start", "<i4"), ("count", "<i4"), ("timeseries", h5py.ref_dtype)])
        rows = np.empty((3, 1), kind)
        for i in range(3):
            rows[i, 0] = (i, 2, data.ref)
        file.create_group("intervals/trials").create_dataset("timeseries", data=rows)
        file["intervals/trials/timeseries_index"] = np.array([1, 2, 3], "<u1")
        file["intervals/trials/timeseries_index"].attrs["target"] = file[
            "intervals/trials/timeseries"
        ].ref


def same_file(one: Path, other: Path, *, external: dict[str, str] | None = None) -> list[str]:
    """Compare two HDF5 files object by object through plain h5py; what differs."""
    wrong: list[str] = []
    with h5py.File(one) as a, h5py.File(other) as b:
        if a.userblock_size != b.userblock_size:
            wrong.append("user block")
        size = a.userblock_size
        if one.read_bytes()[:size] != other.read_bytes()[:size]:
            wrong.append("user block's bytes")
        _same(a, b, a, b, "/", {}, external or {}, wrong)
    return wrong


def _place(item: Any) -> tuple[int, int]:
    info = h5py.h5o.get_info(item.id)
    return info.fileno, info.addr


def _same(
    a: Any,
    b: Any,
    fa: Any,
    fb: Any,
    path: str,
    met: dict[Any, Any],
    external: Any,
    wrong: list[str],
) -> None:
    if type(a) is not type(b):
        wrong.append(f"{path}: {a} became {b}")
        return
    if _place(a) in met:
        if met[_place(a)] != _place(b):
            wrong.append(f"{path}: is another object than it was")
        return
    met[_place(a)] = _place(b)
    if isinstance(a, h5py.Datatype):
        if a.dtype != b.dtype:
            wrong.append(f"{path}: type {a.dtype} became {b.dtype}")
        return
    if list(a.attrs) != list(b.attrs):
        wrong.append(f"{path}: attributes {list(a.attrs)} became {list(b.attrs)}")
        return
    for name in a.attrs:
        x, y = a.attrs.get_id(name), b.attrs.get_id(name)
        if x.get_type() != y.get_type() or x.get_type().committed() != y.get_type().committed():
            wrong.append(f"{path}@{name}: type {x.dtype} became {y.dtype}")
        if x.get_space().get_simple_extent_type() != y.get_space().get_simple_extent_type():
            wrong.append(f"{path}@{name}: dataspace")
        if _plain(a.attrs[name], fa) != _plain(b.attrs[name], fb):
            wrong.append(f"{path}@{name}: {a.attrs[name]} became {b.attrs[name]}")
    if isinstance(a, h5py.Dataset):
        _same_dataset(a, b, fa, fb, path, wrong)
        return
    if list(a) != list(b):
        wrong.append(f"{path}: {list(a)} became {list(b)}")
        return
    for name in a:
        x, y = a.get(name, getlink=True), b.get(name, getlink=True)
        below = f"{path.rstrip('/')}/{name}"
        if type(x) is not type(y):
            wrong.append(f"{below}: {x} became {y}")
        elif isinstance(x, h5py.SoftLink):
            if x.path != y.path:
                wrong.append(f"{below}: {x.path} became {y.path}")
        elif isinstance(x, h5py.ExternalLink):
            if (external.get(below, x.filename), x.path) != (y.filename, y.path):
                wrong.append(f"{below}: {x.filename}:{x.path} became {y.filename}:{y.path}")
        else:
            if a.id.links.get_info(name.encode()).cset != b.id.links.get_info(name.encode()).cset:
                wrong.append(f"{below}: character set of its name")
            _same(a[name], b[name], fa, fb, below, met, external, wrong)


def _same_dataset(a: Any, b: Any, fa: Any, fb: Any, path: str, wrong: list[str]) -> None:
    if a.shape != b.shape or a.maxshape != b.maxshape:
        wrong.append(f"{path}: {a.shape} {a.maxshape} became {b.shape} {b.maxshape}")
        return
    large = a.dtype.kind in "iufcbV" and a.nbytes > 1024
    if large:
        if a.dtype.newbyteorder("<") != b.dtype.newbyteorder("<") and a.dtype.names is None:
            wrong.append(f"{path}: {a.dtype} became {b.dtype}")
    elif a.id.get_type() != b.id.get_type():
        wrong.append(f"{path}: type {a.dtype} became {b.dtype}")
    if a.shape is None:
        return
    if (
        a.dtype.kind not in "OSg"
        and a.dtype.itemsize <= 16
        and a.dtype != np.longdouble
        and not a.dtype.hasobject
        and np.asarray(a.fillvalue).tobytes() != np.asarray(b.fillvalue, a.dtype).tobytes()
    ):
        wrong.append(f"{path}: fill value {a.fillvalue} became {b.fillvalue}")
    if _plain(a[()], fa) != _plain(b[()], fb):
        wrong.append(f"{path}: values")


def _plain(value: Any, file: h5py.File) -> Any:
    """A value with references as what they point to, comparable with ``==``."""
    if isinstance(value, h5py.RegionReference):
        if not value:
            return "null region"
        space = h5py.h5r.get_region(value, file.id)
        points = space.get_select_type() == h5py.h5s.SEL_POINTS
        chosen = space.get_select_elem_pointlist() if points else space.get_select_bounds()
        return ("region", file[value].name, str(chosen), space.get_select_npoints())
    if isinstance(value, h5py.Reference):
        return ("object", file[value].name if value else None)
    if isinstance(value, h5py.Empty):
        return ("empty", str(value.dtype))
    if isinstance(value, np.ndarray):
        if value.dtype.kind in "iufcbS":
            little = value.astype(value.dtype.newbyteorder("<"))
            return (value.shape, value.dtype.kind, little.tobytes())
        return (value.shape, [_plain(v, file) for v in value.reshape(-1)])
    if isinstance(value, np.void) and value.dtype.names:
        return [_plain(value[name], file) for name in value.dtype.names]
    if isinstance(value, np.generic):
        return value.tobytes()
    return value
