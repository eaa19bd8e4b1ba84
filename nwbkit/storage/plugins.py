"""Reading what needs HDF5 filters that h5py does not bring along: zstd and blosc.

Nothing is loaded because a file asks for it: :func:`read_rows` decodes by itself, and
:func:`enable` imports hdf5plugin, which the user installed, where its filters are needed.
"""

from __future__ import annotations

import contextlib
import importlib
import itertools
from typing import Any

import h5py
import numpy as np

from nwbkit.errors import MissingExtra
from nwbkit.storage.codec import BLOSC, ZSTD, AnyArray, Scratch, Undecodable, decodable, decode


def _missing(dataset: h5py.Dataset) -> tuple[int, ...]:
    """Filters of a dataset, in their order, where HDF5 lacks one that we have; else nothing."""
    create = dataset.id.get_create_plist()
    filters = tuple(create.get_filter(i)[0] for i in range(create.get_nfilters()))
    lacking = {n for n in filters if n in (BLOSC, ZSTD) and not h5py.h5z.filter_avail(n)}
    return filters if lacking else ()


def enable(file: Any) -> None:
    """Make the zstd and blosc datasets of an opened output readable through h5py.

    Raises
    ------
    nwbkit.errors.MissingExtra
        Where there are some and hdf5plugin is not installed.
    """
    if not isinstance(file, h5py.File):
        return

    def look(name: str, item: Any) -> bool | None:
        return True if isinstance(item, h5py.Dataset) and _missing(item) else None

    if not file.visititems(look):
        return
    with contextlib.suppress(ImportError):
        importlib.import_module("hdf5plugin")
    if file.visititems(look):
        raise MissingExtra(f"reading '{file.filename}'", "codecs", package="hdf5plugin")


def refuse_missing(dataset: h5py.Dataset) -> None:
    """Tell a dataset that cannot be decoded for want of a library from a damaged one.

    Raises
    ------
    nwbkit.errors.MissingExtra
        Where it is zstd or blosc, and neither numcodecs nor hdf5plugin is there.
    """
    filters = _missing(dataset)
    if filters and not decodable(filters):
        raise MissingExtra(f"decoding '{dataset.name}'", "codecs", package="numcodecs")


def read_rows(dataset: Any, start: int, stop: int) -> AnyArray:
    """Rows of a dataset; chunks that h5py cannot decode are decoded here.

    Raises
    ------
    OSError
        Where a chunk cannot be read.
    """
    filters = _missing(dataset) if isinstance(dataset, h5py.Dataset) else ()
    if not filters:
        rows: AnyArray = dataset[start:stop]
        return rows
    out = np.empty((stop - start, *dataset.shape[1:]), dataset.dtype)
    scratch = Scratch()
    chunks = dataset.chunks
    first = start - start % chunks[0]
    steps = [range(first, stop, chunks[0])]
    steps += [range(0, n, c) for n, c in zip(dataset.shape[1:], chunks[1:], strict=True)]
    for corner in itertools.product(*steps):
        mask, data = dataset.id.read_direct_chunk(corner)
        try:
            values = decode(data, filters, mask, chunks, dataset.dtype, scratch)
        except Undecodable as error:
            raise OSError(f"chunk at {list(corner)}: {error}") from None
        low, high = max(corner[0], start), min(corner[0] + chunks[0], stop)
        place = (slice(low - start, high - start), *_inside(corner, chunks, dataset.shape))
        part = out[place]
        cut = tuple(slice(0, n) for n in part.shape[1:])
        part[...] = values[(slice(low - corner[0], high - corner[0]), *cut)]
    return out


def _inside(
    corner: tuple[int, ...], chunks: tuple[int, ...], shape: tuple[int, ...]
) -> tuple[slice, ...]:
    """Where the columns of a chunk lie in the dataset."""
    return tuple(
        slice(at, min(at + c, n))
        for at, c, n in zip(corner[1:], chunks[1:], shape[1:], strict=True)
    )
