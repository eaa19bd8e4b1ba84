"""Streams of a recording's text files: head orientation, notes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nwbkit.streams.kinds import AnyArray, Array, Table


@dataclass(kw_only=True, eq=False)
class Orientation(Array):
    """Quaternions, shape (samples, 4): qw, qx, qy, qz.

    Parameters
    ----------
    path : Path
    values : numpy.ndarray of float64
    order : tuple of int
        Columns of the file.
    """

    path: Path
    values: npt.NDArray[np.float64]
    order: tuple[int, ...]

    def read(self, start: int, stop: int, out: AnyArray | None = None) -> AnyArray:
        """Rows ``start..stop``."""
        if out is None:
            return self.values[start:stop].copy()
        np.copyto(out, self.values[start:stop])
        return out

    def reread(self, start: int, stop: int) -> AnyArray:
        """Rows ``start..stop`` by numpy's own reading of texts."""
        if stop <= start:
            return np.empty((0, 4))
        rows = np.genfromtxt(
            self.path, delimiter=",", usecols=self.order, skip_header=1, invalid_raise=False
        )
        return np.asarray(np.atleast_2d(rows)[start:stop])


@dataclass(kw_only=True)
class Notes(Table):
    """What the experimenter typed while recording."""

    times: npt.NDArray[np.float64]
    texts: list[str]

    def read(self) -> dict[str, AnyArray]:
        """All rows."""
        return {"timestamp": self.times, "note": np.array(self.texts, object)}
