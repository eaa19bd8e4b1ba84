"""Small videos and DeepLabCut tables of any kind, and what every conversion of them must pass."""

from __future__ import annotations

import csv
import pickle
from fractions import Fraction
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from nwbkit import convert as journey
from nwbkit import verify as verifying
from nwbkit.convert import Request
from nwbkit.formats import registry

LAB = """
NWBFile:
  session_start_time: 2024-05-01T10:00:00+02:00
Subject:
  subject_id: M1
  species: Mus musculus
  sex: F
  age: P90D
"""


def encode(path: Path, codec: str = "mpeg4", n: int = 40, **options: Any) -> Path:
    """A small video of `n` frames at 25 Hz, or at `pts` ticks of a millisecond."""
    pts = options.get("pts")
    import av

    with av.open(str(path), "w", options=options.get("container") or {}) as out:
        stream = out.add_stream(codec, rate=options.get("rate", 25))
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.max_b_frames = options.get("b_frames", 0)
        tick = Fraction(1, 1000)
        if pts is not None:
            stream.codec_context.time_base = tick
        for i in range(n):
            noise = np.random.default_rng(i).integers(0, 255, (48, 64, 3), dtype=np.uint8)
            frame = av.VideoFrame.from_ndarray(noise, format="rgb24")
            if pts is not None:
                frame.pts, frame.time_base = pts[i], tick
            for packet in stream.encode(frame):
                out.mux(packet)
        for packet in stream.encode():
            out.mux(packet)
    return path


def convert(raw: Path, out: Path, **options: Any) -> Any:
    lab = out.parent / "lab.yaml"
    lab.write_text(LAB)
    request = Request(inputs=[str(raw)], output=str(out), metadata=[str(lab)], **options)
    return journey.convert(request)


def assert_sound(out: Path, raw: Path) -> None:
    """Valid, best practice without CRITICAL, equal to the source."""
    import pynwb
    from nwbinspector import inspect_nwbfile

    assert not pynwb.validate(path=str(out))
    found = [m for m in inspect_nwbfile(nwbfile_path=str(out)) if m.importance.name == "CRITICAL"]
    assert not found
    report = verifying.verify(str(out), against=[str(raw)])
    assert report.ok, report.findings


NET = "DLC_resnet50_openfieldMay1shuffle1_1000"
PARTS = ["nose", "tail"]


def numbers(rows: int, columns: int) -> Any:
    values = np.random.default_rng(3).random((rows, columns)) * 400
    values[1, 0] = np.nan
    return values


def write_csv(
    path: Path,
    rows: int = 40,
    *,
    animals: list[str] | None = None,
    index: list[str] | None = None,
    scorers: list[str] | None = None,
) -> Any:
    """A table of tracks; returns its values."""
    columns = [
        (NET, animal, part, coord)
        for animal in animals or [""]
        for part in PARTS
        for coord in ("x", "y", "likelihood")
    ]
    values = numbers(rows, len(columns))
    names = ["scorer", "individuals", "bodyparts", "coords"]
    with open(path, "w", newline="") as f:
        writer = csv.writer(f)
        for level, name in enumerate(names):
            if name == "individuals" and not animals:
                continue
            cells = [c[level] for c in columns]
            writer.writerow([name, *(scorers if scorers and level == 0 else cells)])
        for row in range(rows):
            cells = ["" if np.isnan(v) else repr(float(v)) for v in values[row]]
            writer.writerow([index[row] if index else row, *cells])
    return values


def write_table(path: Path, values: Any, *, kind: bytes | None = None, **links: Any) -> None:
    """What pandas' ``format="table"`` makes of it, attributes and all."""
    columns = [(NET, part, coord) for part in PARTS for coord in ("x", "y", "likelihood")]
    names = ["scorer", "bodyparts", "coords"]
    dtype = np.dtype([("index", "<i8"), ("values_block_0", "<f8", (len(columns),))])
    rows = np.zeros(len(values), dtype)
    rows["index"], rows["values_block_0"] = np.arange(len(values)), values
    with h5py.File(path, "w") as f:
        group = f.create_group("df_with_missing")
        attributes(
            group,
            pandas_type=b"frame_table",
            table_type=b"appendable_frame",
            values_cols=pickle.dumps(["values_block_0"], 0),
            non_index_axes=pickle.dumps([(1, columns)], 0),
            info=pickle.dumps({1: {"names": names, "type": "MultiIndex"}, "index": {}}, 0),
        )
        table = group.create_dataset("table", data=rows, chunks=(max(len(rows), 1),), **links)
        attributes(
            table,
            index_kind=b"integer",
            NROWS=np.int64(len(rows)),
            values_block_0_kind=kind or pickle.dumps(columns, 0),
        )


def write_fixed(path: Path, values: Any) -> None:
    """What pandas' ``format="fixed"`` makes of it: levels and codes in datasets."""
    levels = [[NET], PARTS, ["x", "y", "likelihood"]]
    codes = [[0] * 6, [0, 0, 0, 1, 1, 1], [0, 1, 2] * 2]
    with h5py.File(path, "w") as f:
        group = f.create_group("df_with_missing")
        group.attrs["pandas_type"], group.attrs["nblocks"] = b"frame", 1
        for axis in ("axis0", "block0_items"):
            group.attrs[f"{axis}_nlevels"] = 3
            for n, name in enumerate(("scorer", "bodyparts", "coords")):
                group.attrs[f"{axis}_name{n}"] = np.bytes_(pickle.dumps(name, 0))
                group[f"{axis}_level{n}"] = np.array(levels[n], "S")
                group[f"{axis}_label{n}"] = np.array(codes[n], "i1")
        group["axis1"] = np.arange(len(values))
        group["block0_values"] = values
        group["block0_values"].attrs["transposed"] = True


def attributes(holder: Any, **values: Any) -> None:
    for name, value in values.items():
        holder.attrs[name] = np.bytes_(value) if isinstance(value, bytes) else value


def opened(path: Path, *, salvage: bool = False, **options: Any) -> Any:
    (source,) = [s for s in registry.detect([path]).sources() if s.format == "dlc"]
    again = source.source(salvage=salvage)
    return registry.open_source(
        type(again)(source.id, "dlc", source.paths, options, salvage, source.relations)
    )


def table_of(stream: Any) -> Any:
    """Positions and confidence of every keypoint side by side."""
    parts = [stream.read(k) for k in range(len(stream.keypoints))]
    return np.concatenate([np.column_stack([p, c]) for p, c in parts], axis=1)
