"""The layout of one file per channel: a column is a file.

Source: "One File Per Channel Format" in Intan's application notes on data file formats.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nwbkit.errors import NoInput
from nwbkit.formats.io.flat import read_at
from nwbkit.streams.kinds import AnyArray, Array

#: Rows are best read in blocks of about this many bytes.
STEP_BYTES = 8 << 20
#: Fewer samples of each file at once would be read slowly.
LEAST_ROWS = 4096


@dataclass(kw_only=True, eq=False)
class ChannelFiles(Array):
    """Rows put together from one file a column, shape (samples, channels).

    Parameters
    ----------
    paths : tuple of Path
        Of each column.
    """

    paths: tuple[Path, ...]

    def read(self, start: int, stop: int, out: AnyArray | None = None) -> AnyArray:
        """Rows ``start..stop`` as stored, C order. Safe from any number of threads at once.

        Raises
        ------
        IndexError
            Outside ``0..shape[0]``.
        nwbkit.errors.DamagedInput
            Where a file has become shorter since it was opened.
        """
        if not 0 <= start <= stop <= self.shape[0]:
            raise IndexError(f"rows {start}..{stop} of {self.shape[0]}")
        rows = out if out is not None else np.empty((stop - start, self.shape[1]), self.dtype)
        step = max(LEAST_ROWS, STEP_BYTES // max(1, len(self.paths) * self.dtype.itemsize))
        for first in range(start, stop, step):
            last = min(first + step, stop)
            columns = np.empty((len(self.paths), last - first), self.dtype)
            for path, column in zip(self.paths, columns, strict=True):
                _read(path, memoryview(column.view(np.uint8).data), first * self.dtype.itemsize)
            np.copyto(rows[first - start : last - start], columns.T)
        return rows


def _read(path: Path, view: memoryview, offset: int) -> None:
    try:
        fd = os.open(path, os.O_RDONLY)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise NoInput(f"cannot open '{path}': {reason}") from None
    try:
        read_at(fd, view, offset, path)
    finally:
        os.close(fd)
