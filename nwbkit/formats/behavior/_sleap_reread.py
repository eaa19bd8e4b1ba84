"""Poses of SLEAP's files by a second way, for verify: the bytes of datasets in the file.

Contiguous data and chunks are read with numpy and inflated with zlib, without HDF5's own
reading; points are put together one instance after the other.
"""

from __future__ import annotations

import zlib
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nwbkit.formats.io.hdf5 import GuardedFile

if TYPE_CHECKING:
    import h5py

AnyArray = npt.NDArray[Any]
#: Above this the second way is not gone: it holds whole tables.
MAX_BYTES = 1 << 30
_DEFLATE, _SHUFFLE, _FLETCHER = 1, 2, 3


def labels(
    path: Path, rows: npt.NDArray[np.int64], n_points: int, start: int, stop: int, n_frames: int
) -> AnyArray | None:
    """x, y, score of the instances `rows` at their frames, shape (frames, points, 3)."""
    with GuardedFile(path) as file:
        tables: dict[str, Any] = {}
        for name in ("frames", "instances", "points", "pred_points"):
            dataset = file.dataset(name)
            found = raw(path, dataset) if dataset is not None else np.empty(0)
            if found is None:
                return None
            tables[name] = found
        group = file.group("metadata")
        version = group.attrs.get("format_id", 2.0) if group is not None else 2.0
    frame_of: dict[int, int] = {}
    names = ("frame_idx", "instance_id_start", "instance_id_end")
    for frame, begin, end in zip(*(tables["frames"][n].tolist() for n in names), strict=True):
        frame_of.update(dict.fromkeys(range(begin, end), frame))
    out = np.full((n_frames, n_points, 3), np.nan)
    for number in rows.tolist():
        instance = tables["instances"][number]
        table = tables["pred_points" if instance["instance_type"] == 1 else "points"]
        first = int(instance["point_id_start"])
        points = table[first : first + n_points]
        off = 0.5 if float(version) < 1.1 else 0.0
        place = out[frame_of[number]]
        for axis, name in enumerate(("x", "y")):
            place[:, axis] = np.where(points["visible"], points[name] - off, np.nan)
        if instance["instance_type"] == 1:
            place[:, 2] = points["score"]
    return out[start:stop]


def matrix(
    path: Path, axes: tuple[str, ...], track: int, scores: bool, start: int, stop: int
) -> AnyArray | None:
    """x, y, score of one track of an analysis file, shape (frames, nodes, 3)."""
    with GuardedFile(path) as file:
        whole = raw(path, file.dataset("tracks"))
        score = raw(path, file.dataset("point_scores")) if scores else None
    if whole is None or (scores and score is None):
        return None
    order = [axes.index(a) for a in ("track", "frame", "node", "xy")]
    xy = whole.transpose(order)[track, start:stop]
    out = np.full((*xy.shape[:2], 3), np.nan)
    out[..., :2] = xy
    if score is not None:
        left = [a for a in axes if a != "xy"]
        out[..., 2] = score.transpose([left.index(a) for a in ("track", "frame", "node")])[
            track, start:stop
        ]
    return out


def raw(path: Path, dataset: h5py.Dataset | None) -> AnyArray | None:
    """All of a dataset from the file's bytes; None where its storage is of another kind."""
    if dataset is None or dataset.nbytes > MAX_BYTES:
        return None
    if dataset.chunks is None:
        offset = dataset.id.get_offset()
        if offset is None:
            return np.zeros(dataset.shape, dataset.dtype) if not dataset.size else None
        flat = np.fromfile(path, dataset.dtype, dataset.size, offset=offset)
        return flat.reshape(dataset.shape)
    properties = dataset.id.get_create_plist()
    filters = [properties.get_filter(i)[0] for i in range(properties.get_nfilters())]
    if not set(filters) <= {_DEFLATE, _SHUFFLE, _FLETCHER}:
        return None
    places: list[tuple[tuple[int, ...], int, int, int]] = []
    dataset.id.chunk_iter(
        lambda c: places.append((c.chunk_offset, c.byte_offset, c.size, c.filter_mask))
    )
    if len(places) != len(
        list(product(*(range(0, n, c) for n, c in zip(dataset.shape, dataset.chunks, strict=True))))
    ):
        return None
    out = np.empty(dataset.shape, dataset.dtype)
    with open(path, "rb") as f:
        for at, offset, size, mask in places:
            if mask:
                return None
            f.seek(offset)
            block = _decoded(f.read(size), filters, dataset.dtype).reshape(dataset.chunks)
            spots = tuple(
                slice(a, min(a + c, n))
                for a, c, n in zip(at, dataset.chunks, dataset.shape, strict=True)
            )
            out[spots] = block[tuple(slice(0, s.stop - s.start) for s in spots)]
    return out


def _decoded(data: bytes, filters: list[int], dtype: np.dtype[Any]) -> AnyArray:
    for each in reversed(filters):
        if each == _FLETCHER:
            data = data[:-4]
        elif each == _DEFLATE:
            data = zlib.decompress(data)
        else:
            width = dtype.itemsize
            data = np.frombuffer(data, np.uint8).reshape(width, -1).T.tobytes()
    return np.frombuffer(data, dtype)
