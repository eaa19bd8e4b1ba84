"""Holes: datasets that the skeleton leaves empty and the pipeline fills."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from nwbkit.errors import InternalError
from nwbkit.storage.codec import (
    DEFLATE,
    FLETCHER32,
    SHUFFLE,
    AnyArray,
    Bytes,
    Planes,
    Scratch,
    corner_of,
    encode,
    filters_of,
    shuffles,
)
from nwbkit.storage.digests import little
from nwbkit.storage.planning import DatasetPlan, default_plan
from nwbkit.streams import Array

if TYPE_CHECKING:
    from hdmf.backends.hdf5 import H5DataIO

    from nwbkit.storage.cutting import Builder


class Hole:
    """One dataset to be filled from `source`. Made by :func:`hole`.

    Attributes
    ----------
    key : str
        Name of the data in messages and documents: the stream's address.
    shape : tuple of int
    dtype : numpy.dtype
        Little-endian.
    plan : DatasetPlan
    source : nwbkit.streams.Array
    backend : {"hdf5", "zarr"}
        What it is a hole in.
    """

    def __init__(
        self,
        key: str,
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        plan: DatasetPlan,
        source: Array,
        backend: str = "hdf5",
    ) -> None:
        self.key = key
        self.shape = shape
        self.dtype = dtype
        self.plan = plan
        self.source = source
        self.backend = backend
        self._placeholder: Any = None
        self._path: str | None = None

    def __repr__(self) -> str:
        return f"Hole({self.key!r}, {self.shape}, {self.dtype}, {self._path})"

    @property
    def nbytes(self) -> int:
        """Raw size in bytes."""
        return math.prod(self.shape) * self.dtype.itemsize

    def encode(self, block: AnyArray, scratch: Scratch) -> Bytes:
        """Return the stored bytes of one chunk; see :func:`nwbkit.storage.codec.encode`."""
        if self.backend == "zarr":
            from nwbkit.storage.zarr_codecs import encode as encode_zarr

            return encode_zarr(block, self.plan, scratch)
        return encode(block, self.plan, scratch)

    def builder(self, scratch: Scratch, name: str) -> Builder:
        """A chunk whose rows will come piece by piece; it keeps them in `scratch` by `name`."""
        if self.backend == "zarr":
            from nwbkit.storage.zarr_codecs import Frames, builds_frames

            if builds_frames(self.plan, self.dtype):
                return Frames(self.plan, self.dtype, scratch, name)
        elif shuffles(self.plan, self.dtype):
            return Planes(self.plan, self.dtype, scratch, name)
        return _Rows(self, scratch, name)

    @property
    def placeholder(self) -> Any:
        """What pynwb is given as ``data=``: a dataset of this shape without values."""
        if self._placeholder is None and self.backend == "zarr":
            from nwbkit.storage.zarr import placeholder

            self._placeholder = placeholder(self)
        if self._placeholder is None:
            settings: dict[str, Any] = {"chunks": self.plan.chunks} if self.plan.chunks else {}
            made = _placeholder_class()(shape=self.shape, dtype=self.dtype, **settings)
            # Past hdmf's own check: it asks whether the filter can be run in this process,
            # and nothing runs it here. Chunks are put in ready made.
            made.io_settings.update(_filter_settings(self.plan, self.dtype))
            self._placeholder = made
        return self._placeholder

    @property
    def path(self) -> str:
        """Path of the dataset in the file.

        Raises
        ------
        nwbkit.errors.InternalError
            Before the skeleton has been written, or where it left this hole out.
        """
        if self._path is None:
            dataset = getattr(self._placeholder, "dataset", None)
            name = dataset.name if dataset is not None and dataset.id.valid else None
            if self.backend == "zarr":
                name = getattr(self._placeholder, "path", None)
            if name is None:
                raise InternalError(f"the hole for '{self.key}' is not in the written skeleton")
            self._path = str(name)
        return self._path

    @path.setter
    def path(self, value: str) -> None:
        self._path = value


class _Rows:
    """A chunk that is gathered as it is, and encoded when it is whole."""

    def __init__(self, hole: Hole, scratch: Scratch, name: str) -> None:
        self._hole, self._scratch = hole, scratch
        self._rows = scratch.array(name, hole.plan.chunks, hole.dtype)
        self._at = 0

    def add(self, rows: AnyArray) -> None:
        """Take in the next rows."""
        part = self._rows[self._at : self._at + len(rows)]
        self._at += len(rows)
        corner_of(part, rows.shape)[...] = rows

    def finish(self) -> Bytes:
        """The stored bytes."""
        self._rows[self._at :] = np.zeros((), self._rows.dtype)
        return self._hole.encode(self._rows, self._scratch)


def _filter_settings(plan: DatasetPlan, dtype: np.dtype[Any]) -> dict[str, Any]:
    """What h5py's create_dataset is told of a plan's filters."""
    settings: dict[str, Any] = {}
    for number, values in filters_of(plan, dtype):
        if number == SHUFFLE:
            settings["shuffle"] = True
        elif number == FLETCHER32:
            settings["fletcher32"] = True
        elif number == DEFLATE:
            settings.update(compression="gzip", compression_opts=values[0])
        else:
            settings.update(compression=number, compression_opts=values, allow_unknown_filter=True)
    return settings


@functools.cache
def _placeholder_class() -> type[H5DataIO]:
    from hdmf.backends.hdf5 import H5DataIO

    class Placeholder(H5DataIO):  # type: ignore[misc]
        """An H5DataIO without data that is true where its shape has rows.

        hdmf's own is false, and of a DynamicTable all of whose columns are false it writes an
        empty ``colnames``: a table of nothing but holes would read back without columns.
        """

        def __bool__(self) -> bool:
            return bool(self.shape and self.shape[0])

    return Placeholder


def hole(
    shape: Sequence[int],
    dtype: np.dtype[Any] | str,
    plan: DatasetPlan | None = None,
    *,
    source: Array,
    key: str,
    backend: str = "hdf5",
) -> Hole:
    """Return a hole of `shape` that `source` will fill.

    Parameters
    ----------
    shape : sequence of int
        The source's shape, or ``(n,)`` where the source is ``(n, 1)``.
    dtype : numpy.dtype
        The source's dtype; stored little-endian whatever its byte order.
    plan : DatasetPlan, optional
        Default: :func:`nwbkit.storage.planning.default_plan`. Chunks longer than the
        dataset are cut to it, as HDF5 demands.
    source : nwbkit.streams.Array
    key : str
        The stream's address.
    backend : {"hdf5", "zarr"}

    Raises
    ------
    nwbkit.errors.UsageError
        Where the plan does not fit the shape.
    nwbkit.errors.InternalError
        Where the source has another shape or dtype.
    """
    shape = tuple(int(n) for n in shape)
    stored = little(np.dtype(dtype))
    if little(np.dtype(source.dtype)) != stored or math.prod(source.shape) != math.prod(shape):
        raise InternalError(
            f"'{key}' is {source.shape} {source.dtype}, not {shape} {stored}, as its hole is"
        )
    plan = plan or default_plan(shape, stored, backend)
    if 0 in shape:
        plan = DatasetPlan(chunks=(), codec="none", shuffle=False)
    plan.check(shape)
    if plan.chunks:
        chunks = tuple(min(c, n) for c, n in zip(plan.chunks, shape, strict=True))
        shuffled = plan.shuffle and stored.itemsize > 1
        plan = replace(plan, chunks=chunks, shuffle=shuffled)
    return Hole(key, shape, stored, plan, source, backend)


def resolve(holes: Iterable[Hole]) -> None:
    """Fix each hole's path; call after the skeleton is written and before it is closed."""
    for each in holes:
        _ = each.path
