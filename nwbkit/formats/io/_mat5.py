"""MATLAB files of version 5, 6 and 7: tagged elements, each of version 7 deflated.

Our own parser rather than scipy's: that one allocates what a header declares before it looks
whether so much is there.
"""

from __future__ import annotations

import math
import struct
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nwbkit.errors import DamagedInput, IOFailure
from nwbkit.formats.io.mat import HEADER, MAX_DEPTH, MAX_VALUES, Sparse, Unread, follow

if TYPE_CHECKING:  # detecting must not load numpy
    import numpy.typing as npt

#: Element types: number of the type to numpy's short form.
_TYPES = {
    1: "i1",
    2: "u1",
    3: "i2",
    4: "u2",
    5: "i4",
    6: "u4",
    7: "f4",
    9: "f8",
    12: "i8",
    13: "u8",
}
_MATRIX, _COMPRESSED, _UTF8, _UTF16, _UTF32 = 14, 15, 16, 17, 18
#: Array classes of numbers.
_CLASSES = {
    6: "f8",
    7: "f4",
    8: "i1",
    9: "u1",
    10: "i2",
    11: "u2",
    12: "i4",
    13: "u4",
    14: "i8",
    15: "u8",
}
_CELL, _STRUCT, _OBJECT, _CHAR, _SPARSE, _FUNCTION, _OPAQUE = 1, 2, 3, 4, 5, 16, 17
_COMPLEX, _LOGICAL = 0x0800, 0x0200
#: Deflated data may unfold to this in any case, and to so many times their size.
_FREE_BYTES = 512 << 20
_MAX_RATIO = 100
#: Where the name of a deflated variable stands at the latest.
_NAME_BYTES = 1024


class _Cut(Exception):
    """Bytes end where more were declared."""


class Mat5:
    """Reads variables by name.

    Parameters
    ----------
    path : Path

    Raises
    ------
    nwbkit.errors.DamagedInput
        Where it is cut off.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._raw = memoryview(path.read_bytes())
        except OSError as error:
            raise IOFailure(
                f"cannot read '{path}': {(error.strerror or str(error)).lower()}"
            ) from None
        self._order = "<" if bytes(self._raw[126:128]) == b"IM" else ">"
        self._values: dict[str, Any] = {}
        self._at: dict[str, tuple[int, int, int]] = {}
        for kind, start, stop in self._elements():
            try:
                name = _name_of(self._raw[start:stop], kind, self._order)
            except (_Cut, ValueError, IndexError, struct.error) as error:
                raise DamagedInput(
                    f"'{path.name}': the variable at byte {start} is damaged: {error}"
                ) from None
            if name:
                self._at[name] = (kind, start, stop)

    def names(self) -> list[str]:
        """Names of the variables, in the file's order."""
        return list(self._at)

    def get(self, name: str) -> Any:
        """The value at ``variable/field/...``; None where there is none."""
        variable, *fields = [p for p in name.split("/") if p]
        if variable not in self._at:
            return None
        if variable not in self._values:
            self._values[variable] = self._value(variable)
        return follow(self._values[variable], fields)

    def fields(self, name: str) -> list[str]:
        """Names of the fields of a struct."""
        value = self.get(name)
        return list(value) if isinstance(value, dict) else []

    def close(self) -> None:
        """Forget the values."""
        self._values.clear()

    def _elements(self) -> list[tuple[int, int, int]]:
        found, at = [], HEADER
        while at < len(self._raw):
            try:
                kind, start, stop, at = _tag(self._raw, at, self._order)
            except ValueError as error:
                raise DamagedInput(
                    f"'{self._path.name}' is damaged at byte {at}: {error}"
                ) from None
            except _Cut:
                raise DamagedInput(
                    f"'{self._path.name}' ends at byte {len(self._raw)} inside a variable that "
                    f"begins at byte {at}: it is cut off"
                ) from None
            if kind in (_MATRIX, _COMPRESSED):
                found.append((kind, start, stop))
        return found

    def _value(self, name: str) -> Any:
        kind, start, stop = self._at[name]
        body = self._raw[start:stop]
        try:
            if kind == _COMPRESSED:
                body = memoryview(self._inflated(name, body))
                kind, start, stop, _ = _tag(body, 0, self._order)
                body = body[start:stop]
            return _Parser(body, self._order).matrix()
        except (_Cut, ValueError, IndexError, struct.error) as error:
            reason = str(error) or "it ends early"
            raise DamagedInput(
                f"'{self._path.name}': variable '{name}' is damaged: {reason}"
            ) from None

    def _inflated(self, name: str, body: memoryview) -> bytes:
        limit = max(_FREE_BYTES, _MAX_RATIO * len(body))
        unfold = zlib.decompressobj()
        try:
            data = unfold.decompress(body, limit)
        except zlib.error as error:
            raise DamagedInput(
                f"'{self._path.name}': variable '{name}' cannot be inflated: {error}"
            ) from None
        if unfold.unconsumed_tail:
            raise DamagedInput(
                f"'{self._path.name}': variable '{name}' unfolds to more than {limit} bytes from "
                f"{len(body)}"
            )
        return data


def names_in_head(head: bytes) -> list[str]:
    """Names of the variables that begin in the first bytes of a file."""
    order = "<" if head[126:128] == b"IM" else ">"
    raw, at, found = memoryview(head), HEADER, []
    while at + 8 <= len(raw):
        kind, size = struct.unpack_from(f"{order}II", raw, at)
        if kind not in (_MATRIX, _COMPRESSED):
            break
        found.append(_name_of(raw[at + 8 : at + 8 + size], kind, order))
        at += 8 + size + (-size % 8 if kind == _MATRIX else 0)
    return [name for name in found if name]


def _name_of(body: memoryview, kind: int, order: str) -> str:
    """Name of the variable in an element; empty where it cannot be told."""
    try:
        if kind == _COMPRESSED:
            body = memoryview(
                zlib.decompressobj().decompress(bytes(body[:_NAME_BYTES]), _NAME_BYTES)
            )
            body = body[8:]
        at = 0
        for _ in range(2):  # flags, dimensions
            *_, at = _tag(body, at, order)
        _, start, stop, _ = _tag(body, at, order)
        return bytes(body[start:stop]).decode("latin-1")
    except (_Cut, ValueError, zlib.error, struct.error):
        return ""


def _tag(raw: memoryview, at: int, order: str) -> tuple[int, int, int, int]:
    """Type, start and stop of the data of the element at `at`, and where the next begins."""
    if at + 8 > len(raw):
        raise _Cut
    kind, size = struct.unpack_from(f"{order}II", raw, at)
    if kind >> 16:  # small: type and size in four bytes, data in the next four
        size, kind = kind >> 16, kind & 0xFFFF
        if size > 4:
            raise ValueError(f"a small element of {size} bytes")
        return kind, at + 4, at + 4 + size, at + 8
    start, stop = at + 8, at + 8 + size
    if stop > len(raw):
        raise _Cut
    return kind, start, stop, stop if kind == _COMPRESSED else stop + -size % 8


class _Parser:
    """Reads the elements of one matrix."""

    def __init__(
        self, raw: memoryview, order: str, depth: int = 0, budget: list[int] | None = None
    ) -> None:
        self._raw, self._order, self._depth = raw, order, depth
        self._at = 0
        self._budget = [MAX_VALUES] if budget is None else budget
        if depth > MAX_DEPTH:
            raise ValueError(f"values nested more than {MAX_DEPTH} deep")

    def _next(self) -> tuple[int, memoryview]:
        kind, start, stop, self._at = _tag(self._raw, self._at, self._order)
        return kind, self._raw[start:stop]

    def _numbers(self) -> npt.NDArray[Any]:
        import numpy as np

        kind, data = self._next()
        if kind not in _TYPES:
            raise ValueError(f"an element of type {kind} where numbers should be")
        dtype = np.dtype(self._order + _TYPES[kind])
        if len(data) % dtype.itemsize:
            raise ValueError(f"{len(data)} bytes of {dtype.itemsize} each")
        return np.frombuffer(data, dtype)

    def matrix(self) -> Any:
        """The value."""
        import numpy as np

        if not len(self._raw):
            return np.empty((0, 0))
        flags = self._numbers()
        if flags.size < 1:
            raise ValueError("a matrix without flags")
        kind, options = int(flags[0]) & 0xFF, int(flags[0])
        if kind in (_FUNCTION, _OPAQUE):
            return Unread({_FUNCTION: "function", _OPAQUE: "opaque"}[kind])
        shape = tuple(int(n) for n in self._numbers())
        if len(shape) < 2 or len(shape) > 32 or min(shape) < 0:
            raise ValueError(f"dimensions {shape[:5]}")
        self._next()  # the name
        if kind == _OBJECT:
            return Unread("object")
        if kind == _CELL:
            return [self._child() for _ in range(self._count(shape, 1))]
        if kind == _STRUCT:
            return self._struct(shape)
        if kind == _CHAR:
            return self._text(shape)
        if kind == _SPARSE:
            return self._sparse(shape, options)
        if kind not in _CLASSES:
            return Unread(f"class {kind}")
        return self._array(shape, kind, options)

    def _count(self, shape: tuple[int, ...], each: int) -> int:
        """Number of values of a cell or struct array, held against the bytes that are there."""
        count = math.prod(shape)
        self._budget[0] -= count * max(each, 1)
        if self._budget[0] < 0 or count * each * 8 > len(self._raw):
            raise ValueError(f"dimensions {shape} declare more values than there is room for")
        return count

    def _child(self) -> Any:
        kind, data = self._next()
        if kind != _MATRIX:
            raise ValueError(f"an element of type {kind} where a value should be")
        return _Parser(data, self._order, self._depth + 1, self._budget).matrix()

    def _struct(self, shape: tuple[int, ...]) -> Any:
        length = int(self._numbers()[0])
        _, data = self._next()
        if length <= 0 or len(data) % length:
            raise ValueError(f"field names of length {length}")
        names = [
            bytes(data[at : at + length]).split(b"\0")[0].decode("latin-1")
            for at in range(0, len(data), length)
        ]
        count = self._count(shape, len(names))
        found = [{name: self._child() for name in names} for _ in range(count)]
        return found[0] if count == 1 else found

    def _text(self, shape: tuple[int, ...]) -> Any:
        import numpy as np

        kind, data = self._next()
        raw = bytes(data)
        if kind in (_UTF8, 1, 2):
            letters = raw.decode("utf-8" if kind == _UTF8 else "latin-1", "replace")
        elif kind in (_UTF16, _UTF32, 4):
            wide = "utf-32" if kind == _UTF32 else "utf-16"
            letters = raw.decode(f"{wide}-{'le' if self._order == '<' else 'be'}", "replace")
        else:
            raise ValueError(f"a text of element type {kind}")
        if shape[0] == 1 or not letters:
            return letters
        if math.prod(shape) != len(letters):
            raise ValueError(f"a text of {len(letters)} characters of dimensions {shape}")
        grid = np.array(list(letters)).reshape(shape[0], -1, order="F")
        return ["".join(row).rstrip() for row in grid]

    def _array(self, shape: tuple[int, ...], kind: int, options: int) -> Any:
        import numpy as np

        values = self._part(shape, kind)
        if options & _COMPLEX:
            values = values + 1j * self._part(shape, kind)
        if options & _LOGICAL:
            values = values.astype(bool)
        return np.reshape(values, shape, order="F")

    def _part(self, shape: tuple[int, ...], kind: int) -> npt.NDArray[Any]:
        values = self._numbers()
        if values.size != math.prod(shape):
            raise ValueError(f"{values.size} numbers of dimensions {shape}")
        return values.astype(_CLASSES[kind])

    def _sparse(self, shape: tuple[int, ...], options: int) -> Sparse:
        rows, starts = (self._numbers().astype("i8") for _ in range(2))
        values = self._numbers()
        if options & _COMPLEX:
            values = values + 1j * self._numbers()
        if options & _LOGICAL:
            values = values.astype(bool)
        return checked_sparse(shape, rows, starts, values)


def checked_sparse(shape: tuple[int, ...], rows: Any, starts: Any, values: Any) -> Sparse:
    """A sparse matrix whose indices fit.

    Raises
    ------
    ValueError
    """
    n = int(starts[-1]) if starts.size else 0
    fits = len(shape) == 2 and starts.size == shape[1] + 1 and starts.size and not starts[0]
    if not fits or (starts[1:] < starts[:-1]).any() or n > min(rows.size, values.size):
        raise ValueError("the columns of a sparse matrix do not fit its dimensions")
    if n and (int(rows[:n].max()) >= shape[0] or int(rows[:n].min()) < 0):
        raise ValueError("a sparse matrix names rows that it does not have")
    return Sparse((shape[0], shape[1]), rows[:n], starts, values[:n])
