"""Holes: datasets that the skeleton leaves empty and the pipeline fills."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nwbkit.errors import InternalError
from nwbkit.storage.digests import little
from nwbkit.storage.planning import DatasetPlan, default_plan
from nwbkit.streams import Array

if TYPE_CHECKING:
    from hdmf.backends.hdf5 import H5DataIO


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
    """

    def __init__(
        self,
        key: str,
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        plan: DatasetPlan,
        source: Array,
    ) -> None:
        self.key = key
        self.shape = shape
        self.dtype = dtype
        self.plan = plan
        self.source = source
        self._placeholder: H5DataIO | None = None
        self._path: str | None = None

    def __repr__(self) -> str:
        return f"Hole({self.key!r}, {self.shape}, {self.dtype}, {self._path})"

    @property
    def nbytes(self) -> int:
        """Raw size in bytes."""
        return math.prod(self.shape) * self.dtype.itemsize

    @property
    def placeholder(self) -> H5DataIO:
        """What pynwb is given as ``data=``: a dataset of this shape without values."""
        if self._placeholder is None:
            settings: dict[str, Any] = {}
            if self.plan.chunks:
                settings["chunks"] = self.plan.chunks
                if self.plan.codec == "gzip":
                    # The level HDF5 stores is 1 to 9; it plays no part in reading.
                    settings["compression"] = "gzip"
                    settings["compression_opts"] = max(1, self.plan.level)
                if self.plan.shuffle and self.dtype.itemsize > 1:
                    settings["shuffle"] = True
            self._placeholder = _placeholder_class()(shape=self.shape, dtype=self.dtype, **settings)
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
            dataset = self._placeholder.dataset if self._placeholder is not None else None
            name = dataset.name if dataset is not None and dataset.id.valid else None
            if name is None:
                raise InternalError(f"the hole for '{self.key}' is not in the written skeleton")
            self._path = str(name)
        return self._path

    @path.setter
    def path(self, value: str) -> None:
        self._path = value


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
    plan = plan or default_plan(shape, stored)
    if 0 in shape:
        plan = DatasetPlan(chunks=(), codec="none", shuffle=False)
    plan.check(shape)
    if plan.chunks:
        chunks = tuple(min(c, n) for c, n in zip(plan.chunks, shape, strict=True))
        shuffled = plan.shuffle and stored.itemsize > 1
        plan = DatasetPlan(chunks, plan.codec, plan.level, shuffled)
    return Hole(key, shape, stored, plan, source)


def resolve(holes: Iterable[Hole]) -> None:
    """Fix each hole's path; call after the skeleton is written and before it is closed."""
    for each in holes:
        _ = each.path
