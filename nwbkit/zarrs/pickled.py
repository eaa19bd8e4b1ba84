"""References out of the arrays that hdmf-zarr keeps as pickles, without running one.

A reference column of hdmf-zarr's default is a pickled numpy array of dicts. The opcodes are
split by :func:`pickletools.genops`, and the few that make such an array are put together here;
names in them stay names. Nothing is imported, looked up or called.
"""

from __future__ import annotations

import math
import pickletools
from dataclasses import dataclass
from typing import Any

from nwbkit.zarrs.blosc import ChunkError

#: Values in one chunk's pickle; a table of electrodes takes a few dozen each.
MAX_OPCODES = 20_000_000

_MARK = object()
_PUSHED = {
    *("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT"),
    *("BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
    *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8"),
}
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_ARRAY = {("numpy._core.multiarray", "_reconstruct"), ("numpy.core.multiarray", "_reconstruct")}
_REFERENCES = {("hdmf_zarr.utils", "ZarrReference"), ("hdmf_zarr.backend", "ZarrReference")}


@dataclass
class _Named:
    """Where something would be looked up."""

    name: tuple[str, str]


@dataclass
class _Called:
    """Where something would be called, and what it would be given afterwards."""

    what: Any
    state: Any = None


def values(data: bytes) -> list[Any]:
    """The values of a pickled array of objects, in C order.

    Raises
    ------
    ChunkError
        For a pickle of anything else.
    """
    try:
        made = _Machine().run(data)
        _need(isinstance(made, _Called) and made.what.name in _ARRAY)
        _, shape, _, fortran, items = made.state
        _need(not fortran and isinstance(items, list) and len(items) == math.prod(shape))
    except (ValueError, IndexError, KeyError, TypeError, AttributeError) as error:
        raise ChunkError(f"pickle of something else than references {error}".strip()) from None
    return list(items)


def _need(holds: bool) -> None:
    if not holds:
        raise ValueError("")


class _Machine:
    """The stack of a pickle."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.memo: list[Any] = []

    def run(self, data: bytes) -> Any:
        """What the pickle would make, with marks for what it would call."""
        for count, (opcode, argument, _) in enumerate(pickletools.genops(data)):
            if count > MAX_OPCODES:
                raise ValueError("of too many values")
            if opcode.name == "STOP":
                return self.stack.pop()
            self._step(opcode.name, argument)
        raise ValueError("without an end")

    def _step(self, name: str, argument: Any) -> None:
        stack = self.stack
        if name in _PUSHED:
            stack.append(argument)
        elif name in _CONSTANTS:
            stack.append(_CONSTANTS[name])
        elif name in ("PROTO", "FRAME"):
            pass
        elif name == "MEMOIZE":
            self.memo.append(stack[-1])
        elif name in ("BINGET", "LONG_BINGET"):
            stack.append(self.memo[argument])
        elif name in ("BINPUT", "LONG_BINPUT"):
            if argument != len(self.memo):
                raise ValueError("with an odd memo")
            self.memo.append(stack[-1])
        elif name == "MARK":
            stack.append(_MARK)
        elif name in _TUPLES:
            n = _TUPLES[name]
            stack[-n:] = [tuple(stack[-n:])]
        else:
            self._build(name, argument)

    def _build(self, name: str, argument: Any) -> None:
        stack = self.stack
        if name in ("EMPTY_TUPLE", "EMPTY_LIST", "EMPTY_DICT"):
            stack.append({"EMPTY_TUPLE": (), "EMPTY_LIST": [], "EMPTY_DICT": {}}[name])
        elif name == "TUPLE":
            stack.append(tuple(self._marked()))
        elif name in ("APPENDS", "APPEND"):
            items = self._marked() if name == "APPENDS" else [stack.pop()]
            _need(isinstance(stack[-1], list))
            stack[-1].extend(items)
        elif name in ("SETITEMS", "SETITEM"):
            items = self._marked() if name == "SETITEMS" else [stack.pop(-2), stack.pop()]
            _need(isinstance(stack[-1], dict))
            stack[-1].update(zip(items[::2], items[1::2], strict=True))
        elif name in ("STACK_GLOBAL", "GLOBAL"):
            if name == "GLOBAL":
                module, _, what = argument.partition(" ")
            else:
                what, module = stack.pop(), stack.pop()
            stack.append(_Named((module, what)))
        elif name in ("REDUCE", "NEWOBJ"):
            _ = stack.pop()
            what = stack.pop()
            if not isinstance(what, _Named):
                raise ValueError("(a call of what has no name)")
            stack.append({} if what.name in _REFERENCES else _Called(what))
        elif name == "BUILD":
            state = stack.pop()
            _need(isinstance(stack[-1], _Called))
            stack[-1].state = state
        else:
            raise ValueError(f"({name.lower()})")

    def _marked(self) -> list[Any]:
        at = len(self.stack) - 1
        while self.stack[at] is not _MARK:
            at -= 1
        items = self.stack[at + 1 :]
        del self.stack[at:]
        return items
