"""The .npy files of a recording, opened without pickle and held against their size."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nwbkit.errors import DamagedInput, IOFailure, NoInput
from nwbkit.formats.io.npy import read_header
from nwbkit.formats.recording.openephys_binary.complaints import Complaints, name_of
from nwbkit.streams.kinds import AnyArray


@dataclass(frozen=True)
class Npy:
    """One array on disk; `rows` are those that are really there."""

    path: Path
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    offset: int
    rows: int

    @property
    def is_seconds(self) -> bool:
        """Whether it holds floating point numbers."""
        return self.dtype.kind == "f"

    def read(self, start: int = 0, stop: int | None = None) -> AnyArray:
        """Rows ``start..stop``.

        Raises
        ------
        nwbkit.errors.DamagedInput
            Where the file has become shorter since it was opened.
        nwbkit.errors.IOFailure
            Where the system cannot read it.
        """
        stop = self.rows if stop is None else stop
        width = math.prod(self.shape[1:])
        try:
            flat = np.fromfile(
                self.path,
                dtype=self.dtype,
                count=(stop - start) * width,
                offset=self.offset + start * width * self.dtype.itemsize,
            )
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise IOFailure(f"cannot read '{self.path}': {reason}") from None
        if len(flat) != (stop - start) * width:
            raise DamagedInput(f"'{name_of(self.path)}' has become shorter since it was opened")
        return flat.reshape(-1, *self.shape[1:])


def open_npy(path: Path, complaints: Complaints, *, dimensions: int = 1) -> Npy:
    """Read the header of a .npy file of at most `dimensions` dimensions.

    The GUI writes the number of rows when recording ends, so a recording that was not
    ended has a header that contradicts the file's size.

    Raises
    ------
    nwbkit.errors.NoInput
        Where the file cannot be read.
    nwbkit.errors.DamagedInput
        Where it is no .npy, holds pickled objects, or another number of rows than it says.
    """
    try:
        header = read_header(path, texts=True)
        dtype = np.dtype(header.descr)
        size = os.stat(path).st_size
    except DamagedInput as error:
        raise complaints.damaged(error.message) from None
    except OSError as error:
        raise NoInput(f"cannot open '{path}': {(error.strerror or str(error)).lower()}") from None
    except TypeError:
        raise complaints.damaged(f"'{name_of(path)}' holds elements of an unknown type") from None
    shape, offset = header.shape, header.offset
    if not shape or (header.fortran and len(shape) > 1):
        raise complaints.damaged(f"'{name_of(path)}' holds an array that is not in rows")
    if len(shape) > dimensions:
        raise complaints.damaged(f"'{name_of(path)}' has {len(shape)} dimensions, not {dimensions}")
    row = math.prod(shape[1:]) * dtype.itemsize
    rows = (size - offset) // row if row else 0
    if row and shape[0] * row != size - offset:
        complaints(
            f"'{name_of(path)}' holds {size - offset} bytes of data, "
            f"its header says {shape[0] * row} ({shape[0]} rows)",
            hint=f"--salvage reads the {rows} complete rows that are there",
        )
    return Npy(path, shape, dtype, offset, rows)
