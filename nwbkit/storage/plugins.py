"""Reading what needs HDF5 filters that h5py does not bring along: zstd and blosc.

Nothing is loaded because a file asks for it: what is read past HDF5 is decoded without them, and
:func:`enable` imports hdf5plugin, which the user installed, where its filters are needed.
"""

from __future__ import annotations

import contextlib
import importlib
from typing import Any

import h5py

from nwbkit.errors import MissingExtra
from nwbkit.storage.codec import BLOSC, ZSTD, decodable
from nwbkit.storage.stored import filter_numbers


def _missing(dataset: h5py.Dataset) -> tuple[int, ...]:
    """Filters of a dataset, in their order, where HDF5 lacks one that we have; else nothing."""
    filters = filter_numbers(dataset.id)
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
