"""CaImAn's results a second time: by h5py and scipy, sharing nothing with the reader."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from nwbkit.formats.segmentation._rois import PIXEL, VOXEL
from nwbkit.streams.kinds import AnyArray


def reread_masks(
    path: Path, shape: Sequence[int], start: int, stop: int, dense: bool
) -> AnyArray | None:
    """Footprints ``start..stop`` by scipy's sparse columns; None where A is no sparse matrix."""
    import h5py

    try:
        from scipy.sparse import csc_matrix  # type: ignore[import-untyped]
    except ImportError:
        return None
    with h5py.File(path, "r") as file:
        group = file["estimates/A"]
        if isinstance(group, h5py.Dataset):
            return None
        parts = (group["data"][...], group["indices"][...], group["indptr"][...])
        matrix = csc_matrix(parts, shape=tuple(group["shape"][...]))[:, start:stop]
    if dense:
        columns = matrix.toarray().astype(np.float32)
        images: AnyArray = np.moveaxis(columns.reshape(*shape, stop - start, order="F"), -1, 0)
        return images
    places = np.unravel_index(matrix.indices, tuple(shape), order="F")
    made: AnyArray = np.empty(len(matrix.data), VOXEL if len(shape) == 3 else PIXEL)
    for axis, values in zip(("y", "x", "z"), places, strict=False):
        made[axis] = values
    made["weight"] = matrix.data
    return made


def reread_traces(path: Path, names: Sequence[str], start: int, stop: int) -> AnyArray:
    """Frames ``start..stop`` of the sum of datasets."""
    import h5py

    with h5py.File(path, "r") as file:
        return np.ascontiguousarray(
            np.add.reduce([file[f"estimates/{name}"][:, start:stop] for name in names]).T
        )
