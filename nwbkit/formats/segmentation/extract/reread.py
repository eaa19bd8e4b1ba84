"""EXTRACT's results a second time: by h5py or scipy alone, sharing nothing with the reader."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np

from nwbkit.streams.kinds import AnyArray

#: Cells that are read and kept together: MATLAB's chunks span many of them.
_STEP = 64


@functools.lru_cache(maxsize=1)
def _cells(path: Path, written: int, place: str, at: int) -> AnyArray:
    import h5py

    with h5py.File(path, "r") as file:
        values = file[place]
        cells = values[...][None] if values.ndim == 2 else values[at : at + _STEP]
        return np.asarray(cells).transpose(0, 2, 1)


def reread(path: Path, name: str, field: str, start: int, stop: int) -> AnyArray | None:
    """Cells ``start..stop`` of masks (cells, height, width), or frames of traces."""
    import h5py

    if h5py.is_hdf5(path):
        if field not in ("spatial_weights", "filters"):
            with h5py.File(path, "r") as file:
                values = file[f"{name}/{field}"]
                # MATLAB's cells x frames lie as frames x cells
                return np.asarray(
                    values[start:stop] if field == "traces" else values[:, start:stop].T
                )
        parts = []
        for at in range(start - start % _STEP, stop, _STEP):
            block = _cells(path, path.stat().st_mtime_ns, f"{name}/{field}", at)
            parts.append(block[max(start - at, 0) : stop - at])
        return np.concatenate(parts) if parts else np.empty(0)
    try:
        from scipy.io import loadmat  # type: ignore[import-untyped]
    except ImportError:
        return None
    found: Any = loadmat(path, variable_names=[name])[name][field][0, 0]
    if field in ("spatial_weights", "filters"):
        cells = np.atleast_3d(found)
        return np.ascontiguousarray(np.moveaxis(cells[:, :, start:stop], 2, 0))
    return np.ascontiguousarray((found.T if field == "traces" else found)[start:stop])
