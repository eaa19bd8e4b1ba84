"""CaImAn's spatial background components as images."""

from __future__ import annotations

from typing import Any

import numpy as np

from nwbkit.formats.segmentation._hdf5 import Compressed, slab
from nwbkit.streams import Array
from nwbkit.streams.kinds import AnyArray


class Background(Array):
    """Images of background components, shape (components, height, width[, planes]).

    Parameters
    ----------
    found : h5py.Dataset or h5py.Group
        ``b``: pixels by components, pixels numbered in Fortran order.
    sparse : Compressed, optional
        The same, where it is kept as compressed columns.
    """

    def __init__(
        self,
        found: Any,
        sparse: Compressed | None,
        n: int,
        shape: tuple[int, ...],
        where: str,
    ) -> None:
        dtype = sparse.data.dtype if sparse is not None else found.dtype
        super().__init__(
            id="background_masks",
            name="b",
            role="masks",
            nwb_name="BackgroundPlaneSegmentation",
            shape=(n, *shape),
            dtype=dtype.newbyteorder("<"),
            channel_names=tuple(str(i) for i in range(n)),
            description="Spatial background components that CaImAn found",
            concurrency="hdf5",
        )
        self._dataset = found
        self._sparse = sparse
        self._image = shape
        self._where = where
        pixels = int(np.prod(shape))
        #: Components that the dataset holds; -1 where it is not of this image.
        self.found = -1
        if sparse is not None:
            self.found = len(sparse.starts) - 1
        elif found.shape[:1] == (pixels,) and found.ndim <= 2:
            self.found = found.shape[1] if found.ndim == 2 else 1

    def read(self, start: int, stop: int, out: AnyArray | None = None) -> AnyArray:
        """The images ``start..stop``."""
        if out is None:
            out = np.empty((stop - start, *self._image), self.dtype)
        for index in range(start, stop):
            out[index - start] = self._flat(index).reshape(self._image, order="F")
        return out

    def _flat(self, index: int) -> AnyArray:
        if self._sparse is None:
            if self._dataset.ndim == 1:
                return slab(self._dataset, (slice(None),), self._where)
            return slab(self._dataset, (slice(None), slice(index, index + 1)), self._where)[:, 0]
        whole = np.zeros(int(np.prod(self._image)), self.dtype)
        first, last = self._sparse.starts[index : index + 2]
        place = (slice(int(first), int(last)),)
        whole[slab(self._sparse.indices, place, self._where)] = slab(
            self._sparse.data, place, self._where
        )
        return whole
