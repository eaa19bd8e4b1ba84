"""NumPy's .npy files, read without pickle and without trusting what their headers claim.

Facts of the format: numpy/lib/format.py (versions 1.0, 2.0 and 3.0). Parsing a header needs the
standard library only, so that ``look`` may do it.
"""

from __future__ import annotations

import ast
import math
import os
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nwbkit.errors import DamagedInput, IOFailure, NoInput

if TYPE_CHECKING:  # detecting must not load numpy
    import numpy.typing as npt

MAGIC = b"\x93NUMPY"
#: numpy writes 128 bytes or little more; one of 4 GB is a bomb for whoever parses it.
MAX_HEADER = 64 << 10
_MAX_DIMENSIONS = 32
_PLAIN = re.compile(r"[<>|=]?([biufc])(\d{1,2})")
_TEXT = re.compile(r"[<>|=]?[SU]\d{1,6}")

#: Takes ``(message, hint)`` of a contradiction: raises, or with ``--salvage`` notes the loss.
Complain = Callable[[str, str], None]


@dataclass(frozen=True)
class NpyHeader:
    """What the header of a .npy file says.

    Parameters
    ----------
    descr : str
        Element type in numpy's short form, for example ``<i8``.
    shape : tuple of int
    fortran : bool
        Whether the first index runs fastest.
    offset : int
        Bytes before the first element.
    """

    descr: str
    shape: tuple[int, ...]
    fortran: bool
    offset: int

    @property
    def count(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)


def parse_header(raw: bytes, name: str, *, texts: bool = False) -> NpyHeader:
    """The header at the beginning of `raw`; `name` is the file's, for messages.

    With `texts`, arrays of text of one length are admitted beside those of numbers.

    Raises
    ------
    nwbkit.errors.DamagedInput
        Where it is none, is cut off, holds Python objects or a type that is no plain number.
    """
    if raw[:6] != MAGIC:
        what = "is empty" if not raw else "does not begin as a .npy file does"
        raise _damaged(f"'{name}' {what}")
    if len(raw) < 10:
        raise _damaged(f"'{name}' ends inside its header")
    wide = raw[6] >= 2
    if raw[6] not in (1, 2, 3) or raw[7] != 0:
        raise _damaged(f"'{name}' has .npy version {raw[6]}.{raw[7]}, known are 1.0 to 3.0")
    start = 12 if wide else 10
    if len(raw) < start:
        raise _damaged(f"'{name}' ends inside its header")
    (length,) = struct.unpack_from("<I" if wide else "<H", raw, 8)
    if length > MAX_HEADER:
        raise _damaged(f"'{name}' claims a header of {length} bytes, at most {MAX_HEADER} do")
    text = raw[start : start + length]
    if len(text) < length:
        raise _damaged(f"'{name}' ends inside its header")
    return _read_fields(text, name, start + length, texts)


def _read_fields(text: bytes, name: str, offset: int, texts: bool) -> NpyHeader:
    try:
        fields = ast.literal_eval(
            text.decode("utf-8" if text.isascii() else "latin-1").strip(" \n")
        )
        descr, fortran, shape = (fields[k] for k in ("descr", "fortran_order", "shape"))
    except (ValueError, SyntaxError, TypeError, KeyError, MemoryError, RecursionError):
        raise _damaged(f"the header of '{name}' cannot be read") from None
    if not (
        isinstance(shape, tuple)
        and len(shape) <= _MAX_DIMENSIONS
        and all(type(n) is int and n >= 0 for n in shape)
        and isinstance(fortran, bool)
    ):
        raise _damaged(f"the header of '{name}' says shape {shape!r:.80}")
    if "O" in str(descr):
        raise _damaged(
            f"'{name}' holds Python objects (descr {descr!r:.80}), which are not read: "
            "loading them could run code"
        )
    known = isinstance(descr, str) and (
        _PLAIN.fullmatch(descr) or (texts and _TEXT.fullmatch(descr))
    )
    if not known:
        raise _damaged(f"'{name}' holds no plain numbers (descr {descr!r:.80})")
    return NpyHeader(descr, shape, fortran, offset)


def read_header(path: Path, *, texts: bool = False) -> NpyHeader:
    """The header of the file at `path`; `texts` as of :func:`parse_header`.

    Raises
    ------
    nwbkit.errors.NoInput
        Where it cannot be read.
    nwbkit.errors.DamagedInput
        As :func:`parse_header`.
    """
    try:
        with open(path, "rb") as f:
            return parse_header(f.read(MAX_HEADER + 16), path.name, texts=texts)
    except OSError as error:
        raise _cannot(path, error) from None


def read_npy(path: Path, complain: Complain | None = None) -> npt.NDArray[Any]:
    """The array in the file at `path`, in native byte order.

    No more memory is asked for than the file has bytes, whatever its header claims.

    Parameters
    ----------
    path : Path
    complain : callable, optional
        Told of a file that is shorter or longer than its header says; where it returns, the
        complete rows that are there are read.

    Raises
    ------
    nwbkit.errors.NoInput
        Where the file cannot be read.
    nwbkit.errors.DamagedInput
        As :func:`parse_header`; without `complain` also for a wrong size.
    """
    import numpy as np

    header = read_header(path)
    try:
        dtype = np.dtype(header.descr)
    except TypeError:
        raise _damaged(f"'{path.name}' holds elements of type {header.descr!r}") from None
    try:
        found = os.stat(path).st_size - header.offset
    except OSError as error:
        raise _cannot(path, error) from None
    shape = header.shape
    if found != header.count * dtype.itemsize:
        shape = _shape_found(path, header, dtype.itemsize, found, complain)
    count = math.prod(shape)
    try:
        flat = np.fromfile(path, dtype, count=count, offset=header.offset)
    except OSError as error:
        raise IOFailure(f"cannot read '{path}': {error}") from None
    if flat.size != count:
        raise _damaged(f"'{path.name}' has become shorter since it was opened")
    array = flat.reshape(shape, order="F" if header.fortran else "C")
    return array.astype(dtype.newbyteorder("="), copy=False)


def _shape_found(
    path: Path, header: NpyHeader, itemsize: int, found: int, complain: Complain | None
) -> tuple[int, ...]:
    """The shape of what is there, once the contradiction has been complained of."""
    said = header.count * itemsize
    message = (
        f"'{path.name}' holds {found} bytes of data, its header says {said} "
        f"(shape {header.shape}, {header.descr})"
    )
    if complain is None:
        raise _damaged(message)
    linear = sum(n != 1 for n in header.shape) <= 1
    if found < said and (not header.shape or (header.fortran and not linear)):
        raise _damaged(message)  # columns of different length: no row is complete
    if found > said:
        complain(message, f"--salvage reads the {header.count} elements of the header")
        return header.shape
    axis = max(range(len(header.shape)), key=lambda i: header.shape[i]) if linear else 0
    row = itemsize * (header.count // header.shape[axis])
    rows = found // row
    complain(message, f"--salvage reads the {rows} complete rows that are there")
    return (*header.shape[:axis], rows, *header.shape[axis + 1 :])


def _damaged(message: str) -> DamagedInput:
    return DamagedInput(message, hint="copy the file from where it was written, or export it again")


def _cannot(path: Path, error: OSError) -> NoInput:
    return NoInput(f"cannot open '{path}': {(error.strerror or str(error)).lower()}")
