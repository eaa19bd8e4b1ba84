"""Plain data out of a pickle, without ever running one.

The opcodes are those of :mod:`pickletools`, the bytes are only split, and what they
would build is put together here from the few that make numbers, texts, tuples, lists and
dicts. Nothing is imported, looked up or called: an opcode that would do so is refused, or,
where a caller asks for it, leaves an :class:`Opaque` mark in place of the object.
"""

from __future__ import annotations

import functools
import io
import struct
from collections.abc import Callable, Iterator
from typing import Any

from nwbkit.errors import DamagedInput

#: More is no header.
MAX_BYTES = 8 << 20
MAX_OPCODES = 1_000_000

_MARK = object()

#: Opcodes that push their argument.
_VALUES = {
    *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4"),
    *("FLOAT", "BINFLOAT", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
    *("STRING", "BINSTRING", "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8"),
}
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
#: Opcodes that would look up or call something: ``name: (values taken, values left)``.
_CALLS = {
    "GLOBAL": (0, 1),
    "STACK_GLOBAL": (2, 1),
    "REDUCE": (2, 1),
    "NEWOBJ": (2, 1),
    "NEWOBJ_EX": (3, 1),
    "BUILD": (2, 1),
}


class Opaque:
    """Stands where an object would be that is not plain data."""

    def __repr__(self) -> str:
        return "<opaque>"


_OPAQUE = Opaque()


class _NotPlain(Exception):
    """The pickle holds what is not plain data, or is damaged."""


def loads(raw: bytes, where: str, *, opaque: bool = False) -> Any:
    """The plain data that the pickle `raw` describes.

    Parameters
    ----------
    raw : bytes
    where : str
        What to call it in messages.
    opaque : bool
        Put :class:`Opaque` where an object would be, instead of refusing. Nothing is imported
        or called either way.

    Raises
    ------
    nwbkit.errors.DamagedInput
        Where it is no pickle, is cut off, is too large, or holds more than plain data.
    """
    if len(raw) > MAX_BYTES:
        raise DamagedInput(f"'{where}' is too large: {len(raw)} bytes, at most {MAX_BYTES}")
    machine = _Machine(opaque)
    try:
        for count, (name, argument) in enumerate(opcodes(raw)):
            if count > MAX_OPCODES:
                raise _NotPlain("too many opcodes")
            if name == "STOP":
                return machine.result()
            machine.step(name, argument)
    except _NotPlain as error:
        raise DamagedInput(f"'{where}' is not plain data: {error}") from None
    except (ValueError, IndexError, KeyError, TypeError, OverflowError):
        raise DamagedInput(f"'{where}' is damaged") from None
    raise DamagedInput(f"'{where}' is cut off")


#: Arguments of fixed size, by pickletools' name: how they lie in the bytes.
_FIXED = {
    "uint1": struct.Struct("B"),
    "uint2": struct.Struct("<H"),
    "int4": struct.Struct("<i"),
    "uint4": struct.Struct("<I"),
    "uint8": struct.Struct("<Q"),
    "float8": struct.Struct(">d"),
}
#: Arguments of a length and as many bytes: the length, and what the bytes are.
_COUNTED = {
    "string1": (_FIXED["uint1"], "latin-1"),
    "bytes1": (_FIXED["uint1"], None),
    "bytes4": (_FIXED["uint4"], None),
    "bytes8": (_FIXED["uint8"], None),
    "unicodestring1": (_FIXED["uint1"], "utf-8"),
    "unicodestring4": (_FIXED["uint4"], "utf-8"),
    "unicodestring8": (_FIXED["uint8"], "utf-8"),
}
_Shape = tuple[str, struct.Struct | None, bool, str | None, Callable[[Any], Any] | None]


@functools.cache
def _shapes() -> dict[int, _Shape]:
    """Of each opcode: its name, and how its argument is read."""
    import pickletools

    found: dict[int, _Shape] = {}
    for opcode in pickletools.opcodes:
        kind = opcode.arg.name if opcode.arg is not None else None
        number, packed, counted, coding, reader = ord(opcode.code), None, False, None, None
        if kind in _FIXED:
            packed = _FIXED[kind]
        elif kind in _COUNTED:
            (packed, coding), counted = _COUNTED[kind], True
        elif opcode.arg is not None:
            reader = opcode.arg.reader
        found[number] = opcode.name, packed, counted, coding, reader
    return found


def opcodes(raw: bytes) -> Iterator[tuple[str, Any]]:
    """Name and argument of each opcode, up to STOP: what :func:`pickletools.genops` gives, faster.

    Raises
    ------
    ValueError
        For a byte that is no opcode, and where the bytes end too early.
    """
    shapes, size, at = _shapes(), len(raw), 0
    slow = io.BytesIO(raw)
    while at < size:
        shape = shapes.get(raw[at])
        if shape is None:
            raise ValueError(f"no opcode at {at}")
        name, packed, counted, coding, reader = shape
        at += 1
        argument: Any = None
        if packed is not None:
            if at + packed.size > size:
                raise ValueError("cut off")
            (argument,) = packed.unpack_from(raw, at)
            at += packed.size
            if counted:
                stop = at + argument
                if stop > size:
                    raise ValueError("cut off")
                argument = raw[at:stop]
                at = stop
                if coding is not None:
                    lenient = "surrogatepass" if coding == "utf-8" else "strict"
                    argument = argument.decode(coding, lenient)
        elif reader is not None:
            slow.seek(at)
            argument = reader(slow)
            at = slow.tell()
        yield name, argument
        if name == "STOP":
            return
    raise ValueError("cut off")


class _Machine:
    """The stack and the memo of one pickle."""

    def __init__(self, opaque: bool) -> None:
        self.opaque = opaque
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self._steps: dict[str, Callable[[], None]] = {
            "MARK": lambda: self.stack.append(_MARK),
            "POP": lambda: self._discard(self._drop(1)),
            "POP_MARK": lambda: self._discard(self._to_mark()),
            "DUP": lambda: self.stack.append(self.stack[-1]),
            "MEMOIZE": self._memoize,
            "EMPTY_LIST": lambda: self.stack.append([]),
            "EMPTY_TUPLE": lambda: self.stack.append(()),
            "EMPTY_DICT": lambda: self.stack.append({}),
            "LIST": lambda: self.stack.append(self._to_mark()),
            "TUPLE": lambda: self.stack.append(tuple(self._to_mark())),
            "TUPLE1": lambda: self._tuple(1),
            "TUPLE2": lambda: self._tuple(2),
            "TUPLE3": lambda: self._tuple(3),
            "DICT": lambda: self.stack.append(_pairs(self._to_mark())),
            "APPEND": lambda: self._list(self._drop(1)),
            "APPENDS": lambda: self._list(self._to_mark()),
            "SETITEM": lambda: self._dict(self._drop(2)),
            "SETITEMS": lambda: self._dict(self._to_mark()),
        }

        #: The opcodes that most pickles mostly are, for who follows many: what takes the argument.
        self.quick: dict[str, Callable[[Any], None]] = {
            **dict.fromkeys(_VALUES, self.stack.append),
            **dict.fromkeys(("BINGET", "LONG_BINGET"), self._recall),
            "MEMOIZE": self._memoize,
        }

    def step(self, name: str, argument: Any) -> None:
        """Follow one opcode."""
        follow = self._steps.get(name)
        if follow is not None:
            follow()
        elif name in _VALUES:
            self.stack.append(argument)
        elif name in _CONSTANTS:
            self.stack.append(_CONSTANTS[name])
        elif name in ("PROTO", "FRAME"):
            return
        elif name in ("PUT", "BINPUT", "LONG_BINPUT"):
            self.memo[argument] = self.stack[-1]
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            self.stack.append(self.memo[argument])
        elif self.opaque and name in _CALLS:
            self._drop(_CALLS[name][0])
            self.stack.append(_OPAQUE)
        else:
            raise _NotPlain(f"it holds the opcode {name}, which would make an object")

    def result(self) -> Any:
        """What is left when the pickle ends."""
        (value,) = self.stack
        if value is _MARK:
            raise ValueError
        return value

    def _drop(self, count: int) -> list[Any]:
        if count == 0:
            return []
        values = self.stack[-count:]
        if len(values) < count:
            raise ValueError
        for value in values:
            if value is _MARK:
                raise ValueError
        del self.stack[-count:]
        return values

    def _memoize(self, _: Any = None) -> None:
        self.memo[len(self.memo)] = self.stack[-1]

    def _recall(self, number: Any) -> None:
        self.stack.append(self.memo[number])

    def _to_mark(self) -> list[Any]:
        for index in range(len(self.stack) - 1, -1, -1):
            if self.stack[index] is _MARK:
                values = self.stack[index + 1 :]
                del self.stack[index:]
                return values
        raise ValueError

    def _discard(self, values: list[Any]) -> None:
        values.clear()

    def _tuple(self, count: int) -> None:
        self.stack.append(tuple(self._drop(count)))

    def _list(self, values: list[Any]) -> None:
        if self.stack[-1] is not _OPAQUE:
            if not isinstance(self.stack[-1], list):
                raise ValueError
            self.stack[-1].extend(values)

    def _dict(self, values: list[Any]) -> None:
        if self.stack[-1] is not _OPAQUE:
            if not isinstance(self.stack[-1], dict):
                raise ValueError
            self.stack[-1].update(_pairs(values))


def _pairs(values: list[Any]) -> dict[Any, Any]:
    if len(values) % 2:
        raise ValueError
    return dict(zip(values[::2], values[1::2], strict=True))
