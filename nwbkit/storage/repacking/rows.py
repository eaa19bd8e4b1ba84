"""The large datasets of the input, as what the pipeline reads."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from h5py import h5t

from nwbkit.errors import DamagedInput
from nwbkit.storage.codec import AnyArray
from nwbkit.storage.digests import little
from nwbkit.storage.repacking.tree import raw, shown
from nwbkit.storage.values import is_plain, stored_as
from nwbkit.streams import Array


def is_large(dataset: Any, least: int) -> bool:
    """Whether a dataset goes through the pipeline: numbers, and more than `least` bytes."""
    if not dataset.shape or 0 in dataset.shape or dataset.dtype.hasobject:
        return False
    if getattr(dataset, "is_text", False) or not is_plain(dataset.dtype):
        return False
    if dataset.dtype.subdtype is not None or _has_array(dataset.dtype):
        return False
    return bool(math.prod(dataset.shape) * dataset.dtype.itemsize > least)


def _has_array(dtype: np.dtype[Any]) -> bool:
    """Whether a compound has a field of more than one element."""
    return dtype.names is not None and any(
        dtype[n].subdtype is not None or _has_array(dtype[n]) for n in dtype.names
    )


def source_of(source: Path, file: Any, path: str) -> Array:
    """The rows of a large dataset; None of the checks of :mod:`tree` is done again.

    Parameters
    ----------
    source : Path
    file : h5py.File or nwbkit.zarrs.tree.File
    path : str
    """
    if not isinstance(file, h5py.File):
        return _StoreRows(source, file[path])
    dataset = h5py.Dataset(h5py.h5d.open(file.id, raw(path)))
    return _FileRows(source, dataset, path)


class _FileRows(Array):
    """Rows of an HDF5 dataset, through h5py where its chunks cannot be read past it."""

    def __init__(self, source: Path, dataset: h5py.Dataset, path: str) -> None:
        # elements that are not laid out in the file as numpy has them go through HDF5
        alike = stored_as(dataset.id.get_type(), dataset.dtype)
        super().__init__(
            id="data",
            name=path,
            role="stored",
            shape=dataset.shape,
            dtype=dataset.dtype,
            concurrency="hdf5",
            hdf5=(source, path) if alike else None,
            block_rows=dataset.chunks[0] if dataset.chunks else 0,
        )
        self._dataset = dataset
        self._where = f"{source.name}:{shown(path)}"

    def read(self, start: int, stop: int, out: AnyArray | None = None) -> AnyArray:
        """As of :class:`Array`."""
        try:
            rows: AnyArray = self._dataset[start:stop]
        except (OSError, RuntimeError, ValueError) as error:
            reason = " ".join(str(error).split()).lower()
            place = self._chunk(start, stop)
            raise DamagedInput(f"'{self._where}': {place}: {reason}") from None
        if out is None:
            return rows
        np.copyto(out, rows)
        return out

    def _chunk(self, start: int, stop: int) -> str:
        """The first chunk of rows that cannot be read."""
        import itertools

        chunks = self._dataset.chunks
        if not chunks:
            return f"rows {start} to {stop} cannot be read"
        first = start - start % chunks[0]
        steps = [range(first, stop, chunks[0])]
        steps += [range(0, n, c) for n, c in zip(self.shape[1:], chunks[1:], strict=True)]
        for corner in itertools.product(*steps):
            try:
                _ = self._dataset[
                    tuple(slice(c, c + n) for c, n in zip(corner, chunks, strict=True))
                ]
            except (OSError, RuntimeError, ValueError):
                return f"the chunk at {list(corner)} is damaged"
        return f"rows {start} to {stop} cannot be read"


def little_type(tid: h5t.TypeID, dtype: np.dtype[Any]) -> h5t.TypeID:
    """The HDF5 type for values of `dtype` stored little-endian; `tid` itself where it is that."""
    wanted = little(dtype)
    if wanted == dtype and stored_as(tid, dtype):
        return tid
    if dtype.kind == "b":
        wanted = np.dtype(bool)
    return h5t.py_create(wanted, logical=True)


class _StoreRows(Array):
    """Rows of a Zarr array."""

    def __init__(self, source: Path, dataset: Any) -> None:
        super().__init__(
            id="data",
            name=dataset.name,
            role="stored",
            shape=dataset.shape,
            dtype=dataset.chain.dtype,
            concurrency="threads",
            block_rows=dataset.chunks[0],
        )
        self._dataset = dataset
        self._where = f"{source.name}:{shown(dataset.name)}"
        #: Counted by who fits workers into the memory.
        self.scratch_bytes = 4 * math.prod(dataset.chunks) * dataset.chain.dtype.itemsize

    def read(self, start: int, stop: int, out: AnyArray | None = None) -> AnyArray:
        """As of :class:`Array`."""
        try:
            rows: AnyArray = self._dataset.rows(start, stop)
        except OSError as error:
            raise DamagedInput(f"'{self._where}': {error}") from None
        if out is None:
            return rows
        np.copyto(out, rows)
        return out
