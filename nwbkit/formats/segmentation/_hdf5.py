"""Traces and pixel lists that lie in HDF5 files, read piece by piece."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from nwbkit.errors import DamagedInput
from nwbkit.formats.segmentation._rois import from_flat
from nwbkit.streams import Array
from nwbkit.streams.kinds import AnyArray

#: Frames that are read at once: datasets have a row a ROI, so short stretches cost most.
BLOCK_FRAMES = 4096


def is_array(dataset: Any) -> bool:
    """Whether an HDF5 object is a dataset of numbers with at least one value."""
    return (
        dataset is not None
        and hasattr(dataset, "dtype")
        and dataset.shape is not None
        and len(dataset.shape) > 0
        and dataset.size > 0
        and dataset.dtype.kind in "biuf"
    )


def slab(dataset: Any, place: tuple[slice, ...], where: str) -> AnyArray:
    """A part of a dataset.

    Raises
    ------
    nwbkit.errors.DamagedInput
        Where HDF5 cannot read it.
    """
    try:
        part: AnyArray = dataset[place]
    except (OSError, RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise DamagedInput(f"'{where}': {dataset.name} cannot be read: {reason}") from None
    return part


class Traces(Array):
    """Traces of ROIs, shape (frames, rois), as the sum of datasets.

    Parameters
    ----------
    parts : sequence of h5py.Dataset
        All of one shape.
    frames_first : bool
        Whether the datasets are (frames, rois) as they lie, not (rois, frames).
    where : str
        The file's name, for messages.
    """

    def __init__(self, parts: Sequence[Any], frames_first: bool, where: str, **facts: Any) -> None:
        shape = parts[0].shape if frames_first else parts[0].shape[::-1]
        dtype = np.result_type(*(p.dtype for p in parts)).newbyteorder("<")
        super().__init__(
            role="traces",
            shape=shape,
            dtype=dtype,
            block_rows=BLOCK_FRAMES,
            concurrency="hdf5",
            **facts,
        )
        self._parts = tuple(parts)
        self._frames_first = frames_first
        self._where = where

    def read(self, start: int, stop: int, out: AnyArray | None = None) -> AnyArray:
        """Frames ``start..stop`` of all ROIs."""
        total: Any = None
        for part in self._parts:
            if self._frames_first:
                rows = slab(part, (slice(start, stop), slice(None)), self._where)
            else:
                rows = slab(part, (slice(None), slice(start, stop)), self._where).T
            total = rows if total is None else total + rows
        if out is None:
            return np.ascontiguousarray(total, self.dtype)
        np.copyto(out, total)
        return out


class Compressed:
    """A sparse matrix of pixels by ROIs in compressed columns: one column a ROI.

    Parameters
    ----------
    data, indices : h5py.Dataset or numpy.ndarray, shape (values,)
        Weight and pixel of each value.
    starts : numpy.ndarray, shape (rois + 1,)
        Where each ROI's values begin.
    shape : sequence of int
        (height, width[, planes]) of the image; pixels are numbered column by column.
    where : str
        For messages.

    Raises
    ------
    nwbkit.errors.DamagedInput
        Where the parts do not fit each other.
    """

    def __init__(
        self,
        data: Any,
        indices: Any,
        starts: npt.NDArray[Any],
        shape: Sequence[int],
        where: str,
    ) -> None:
        self.starts = starts.astype(np.int64)
        steps = np.diff(self.starts)
        if self.starts[0] != 0 or (steps < 0).any() or self.starts[-1] != len(data):
            raise DamagedInput(
                f"'{where}': indptr ends at {int(self.starts[-1])}, there are {len(data)} values"
            )
        if len(indices) != len(data):
            raise DamagedInput(f"'{where}': {len(data)} values and {len(indices)} indices")
        self.data, self.indices, self.shape, self.where = data, indices, tuple(shape), where

    @property
    def counts(self) -> npt.NDArray[np.int64]:
        """Pixels of each ROI."""
        return np.diff(self.starts)

    def items(self, start: int, stop: int) -> AnyArray:
        """Pixels of the ROIs ``start..stop``."""
        place = (slice(int(self.starts[start]), int(self.starts[stop])),)
        pixels = slab(self.indices, place, self.where).astype(np.int64)
        if pixels.size and not 0 <= pixels.min() <= pixels.max() < int(np.prod(self.shape)):
            size = " x ".join(str(n) for n in self.shape)
            raise DamagedInput(
                f"'{self.where}': a ROI has pixel {int(pixels.max())}, the image has {size}"
            )
        return from_flat(pixels, slab(self.data, place, self.where), self.shape)
