"""HDF5 or Zarr: what filling, proving and publishing ask of a back end.

An output is Zarr where its name ends in ``.nwb.zarr``; what lies on the disk is Zarr where it
is a folder. Everything that differs between the two is reached from here.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from nwbkit.storage.content import Names
    from nwbkit.storage.holes import Hole

Backend = Literal["hdf5", "zarr"]

SUFFIXES: dict[Backend, str] = {"hdf5": ".nwb", "zarr": ".nwb.zarr"}


def backend_of(out: str | Path) -> Backend:
    """The back end that the name of an output asks for."""
    return "zarr" if os.fspath(out).rstrip("/").endswith(SUFFIXES["zarr"]) else "hdf5"


def is_folder(path: str | Path) -> bool:
    """Whether what lies at `path` is a Zarr store (a folder), not an HDF5 file."""
    return os.path.isdir(path)


def sink_of(
    path: str | Path, holes: Sequence[Hole], *, passing: bool = False
) -> AbstractContextManager[Any]:
    """What takes the encoded chunks of `holes` into the skeleton at `path`.

    With `passing`, what the disk has does not stay in the page cache: nobody reads it soon,
    or all of it is read in order.
    """
    if is_folder(path):
        from nwbkit.storage.zarr import ChunkFolder

        return ChunkFolder(path, holes, passing=passing)
    from nwbkit.storage.hdf5 import ChunkFile

    return ChunkFile(path, holes, passing=passing)


def open_output(path: str | Path) -> AbstractContextManager[Any]:
    """A finished output for reading: an h5py.File, or a Zarr store in its shape.

    Raises
    ------
    OSError
        Where it cannot be opened.
    """
    if is_folder(path):
        from nwbkit.zarrs.tree import File

        return File(path)
    import h5py

    return h5py.File(path, "r")  # type: ignore[no-any-return]


def names_of(file: Any) -> Names:
    """The objects of an opened output."""
    from nwbkit.zarrs.tree import File

    if isinstance(file, File):
        from nwbkit.storage.zarr_content import ZarrNames

        return ZarrNames(file)
    from nwbkit.storage.content import Names

    return Names(file)
