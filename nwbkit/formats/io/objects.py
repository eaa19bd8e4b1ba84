"""Object arrays of .npy files (pickles of dicts, lists and numpy arrays), without unpickling.

``numpy.save`` writes an array of Python objects as a header and one pickle. The opcodes are read
by the inert machine of :mod:`nwbkit.formats.io.pickles`; the few calls that stand for numpy's
own arrays, dtypes and scalars are recognised by name and put together here, from plain values.
numpy's own ``__setstate__`` and ``__reduce__`` are never called: with a forged dtype they take
bytes for pointers. An object of any other class leaves a gap (None) and its class's name.

Facts of the format: numpy/core/src/multiarray/methods.c (array_reduce), descriptor.c
(arraydescr_reduce), numpy/lib/format.py; Python's pickletools.
"""

from __future__ import annotations

import codecs
import math
import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from nwbkit.errors import DamagedInput, NoInput
from nwbkit.formats.io.npy import MAGIC
from nwbkit.formats.io.pickles import _OPAQUE, Opaque, _Machine, _NotPlain, opcodes

#: A pickle of more bytes or steps is no list of ROIs.
MAX_BYTES = 4 << 30
MAX_OPCODES = 50_000_000
_MAX_HEADER = 64 << 10
_MAX_DIMENSIONS = 32
_OBJECTS = re.compile(rb"'descr':\s*'\|?O\d*'")
_SHAPE = re.compile(rb"'shape':\s*\(([\d,\s]*)\)")
_TYPE = re.compile(r"[biufcSUV]\d{0,6}|M8|m8|b1|O8?")


_LEAVES = frozenset({int, float, str, bytes, bool, type(None)})


class _Name:
    """A module's attribute that a pickle names; never looked up."""

    def __init__(self, module: str, name: str) -> None:
        self.full = f"{module}.{name}"


class _Type:
    """A numpy dtype as pickled: type string, then byte order from its state."""

    def __init__(self, text: str) -> None:
        if not _TYPE.fullmatch(text):
            raise _NotPlain(f"it holds an array of type {text!r:.40}")
        self.text = text
        self.order = "|"

    def set(self, state: Any) -> None:
        version, order, subtype, names, fields = state[:5]
        if version not in (3, 4) or subtype is not None or names is not None or fields is not None:
            raise _NotPlain("it holds an array of compound elements")
        if order not in ("<", ">", "|", "="):
            raise _NotPlain("it holds an array of unknown byte order")
        self.order = order

    def numpy(self) -> np.dtype[Any]:
        if self.text in ("M8", "m8"):
            raise _NotPlain("it holds an array of dates")
        return np.dtype(self.order.replace("=", "<") + self.text)


class _Array:
    """An array that its state has not filled yet."""

    def __init__(self) -> None:
        self.value: Any = None

    def set(self, state: Any) -> None:
        version, shape, dtype, fortran, data = state
        self.value = _array(version, shape, dtype, fortran, data)


class _Path:
    """A pathlib path, kept as its text."""

    def __init__(self, parts: tuple[str, ...], separator: str) -> None:
        root = parts[0] if parts and parts[0].endswith(("/", "\\")) else ""
        rest = parts[1:] if root else parts
        self.text = root + separator.join(rest)


def _array(version: Any, shape: Any, dtype: Any, fortran: Any, data: Any) -> Any:
    if version != 1 or not isinstance(dtype, _Type) or not _is_shape(shape):
        raise _NotPlain("it holds an array whose state is not numpy's")
    count = math.prod(shape)
    order: Any = "F" if fortran else "C"
    if dtype.text.startswith("O"):
        if not isinstance(data, list) or len(data) != count:
            raise _NotPlain("it holds an array of objects whose number is not its shape's")
        flat = np.empty(count, object)
        for index, item in enumerate(data):
            flat[index] = item
        return flat.reshape(shape, order=order)
    kind = dtype.numpy()
    if isinstance(data, str):  # Python 2 wrote the bytes of an array as a text
        data = data.encode("latin-1")
    if not isinstance(data, bytes) or len(data) != count * kind.itemsize:
        raise _NotPlain("it holds an array whose bytes are not as many as its shape needs")
    if not data:
        return np.empty(shape, kind)
    return np.frombuffer(data, kind).reshape(shape, order=order)


def _is_shape(shape: Any) -> bool:
    return (
        isinstance(shape, tuple)
        and len(shape) <= _MAX_DIMENSIONS
        and all(type(n) is int and n >= 0 for n in shape)
    )


def _dtype(arguments: Any) -> _Type:
    return _Type(str(arguments[0]).lstrip("<>|="))


def _reconstruct(arguments: Any) -> _Array:
    if not isinstance(arguments[0], _Name) or arguments[0].full != "numpy.ndarray":
        raise _NotPlain("it holds an array of a class that is not numpy's")
    return _Array()


def _scalar(arguments: Any) -> Any:
    kind, data = arguments
    if isinstance(data, str):
        data = data.encode("latin-1")
    if not isinstance(kind, _Type) or kind.text.startswith("O"):
        raise _NotPlain("it holds a number of unknown type")
    dtype = kind.numpy()
    if not isinstance(data, bytes) or len(data) != dtype.itemsize:
        raise _NotPlain("it holds a number of the wrong size")
    return np.frombuffer(data, dtype)[0]


def _frombuffer(arguments: Any) -> Any:
    """Protocol 5: ``numpy._core.numeric._frombuffer(bytes, dtype, shape, order)``."""
    data, dtype, shape, order = arguments
    if isinstance(data, bytearray):
        data = bytes(data)
    return _array(1, shape, dtype, order == "F", data)


def _encode(arguments: Any) -> bytes:
    """Protocol 2 keeps bytes as text and ``_codecs.encode(text, 'latin1')``."""
    text, codec = arguments
    if not isinstance(text, str) or codecs.lookup(str(codec)).name != "iso8859-1":
        raise _NotPlain("it holds bytes in an unknown coding")
    return text.encode("latin-1")


def _plain_path(separator: str) -> Callable[[Any], _Path]:
    return lambda parts: _Path(tuple(str(p) for p in parts), separator)


def _date(arguments: Any) -> str:
    """``datetime.datetime(b'..10 bytes..')`` as ISO text without zone."""
    raw = arguments[0]
    raw = raw.encode("latin-1") if isinstance(raw, str) else raw
    if len(arguments) != 1 or not isinstance(raw, bytes) or len(raw) != 10:
        raise _NotPlain("it holds a date with a zone")
    year, month, day, hour, minute, second = struct.unpack(">HBBBBB", raw[:7])
    micro = int.from_bytes(raw[7:], "big")
    return f"{year:04d}-{month:02d}-{day:02d}T{hour:02d}:{minute:02d}:{second:02d}.{micro:06d}"


_CORES = ("numpy.core", "numpy._core")
_BUILDERS: dict[str, Callable[[Any], Any]] = {
    **{f"{core}.multiarray._reconstruct": _reconstruct for core in _CORES},
    **{f"{core}.multiarray.scalar": _scalar for core in _CORES},
    **{f"{core}.numeric._frombuffer": _frombuffer for core in _CORES},
    "numpy.dtype": _dtype,
    "_codecs.encode": _encode,
    **dict.fromkeys(
        ("builtins.bytes", "__builtin__.bytes", "builtins.bytearray", "__builtin__.bytearray"),
        lambda a: _encode(a) if a else b"",
    ),
    "pathlib.PosixPath": _plain_path("/"),
    "pathlib.PurePosixPath": _plain_path("/"),
    "pathlib._local.PosixPath": _plain_path("/"),
    "pathlib.WindowsPath": _plain_path("\\"),
    "pathlib.PureWindowsPath": _plain_path("\\"),
    "pathlib._local.WindowsPath": _plain_path("\\"),
    "datetime.datetime": _date,
    "collections.OrderedDict": lambda a: {},
    **dict.fromkeys(("builtins.slice", "__builtin__.slice"), lambda a: ["slice", *a]),
}


_OWN = frozenset({"BUILD", "REDUCE", "NEWOBJ", "GLOBAL", "STACK_GLOBAL", "BYTEARRAY8"})


class _Objects(_Machine):
    """The machine that also knows numpy's arrays by name."""

    def __init__(self, unknown: set[str]) -> None:
        super().__init__(opaque=True)
        self._unknown = unknown

    def step(self, name: str, argument: Any) -> None:
        if name not in _OWN:
            super().step(name, argument)
        elif name == "BUILD":
            (state,) = self._drop(1)
            target = self.stack[-1]
            if isinstance(target, _Type | _Array):
                target.set(state)
            elif not isinstance(target, _Path | Opaque):
                raise _NotPlain("it holds the state of an unknown object")
        elif name in ("REDUCE", "NEWOBJ"):
            called, arguments = self._drop(2)
            self.stack.append(self._call(called, arguments))
        elif name == "GLOBAL":
            module, _, attribute = str(argument).partition(" ")
            self.stack.append(_Name(module, attribute))
        elif name == "STACK_GLOBAL":
            module, attribute = self._drop(2)
            self.stack.append(_Name(str(module), str(attribute)))
        else:  # BYTEARRAY8
            self.stack.append(bytes(argument))

    def _call(self, called: Any, arguments: Any) -> Any:
        if isinstance(called, _Name) and isinstance(arguments, tuple):
            builder = _BUILDERS.get(called.full)
            if builder is not None:
                return builder(arguments)
            self._unknown.add(called.full)
        return _OPAQUE


def read_objects(path: Path, unknown: set[str] | None = None) -> Any:
    """What an object .npy file holds: a dict or list, or a list where it is an array.

    Numbers, texts, dicts, lists, tuples and numpy arrays of numbers come out as themselves, paths
    and dates as text; None stands for an object of any other class. A file of plain numbers is not
    one of objects and is refused.

    Parameters
    ----------
    path : Path
    unknown : set of str, optional
        The names of classes and functions that were not called are added.

    Raises
    ------
    nwbkit.errors.NoInput
        Where it cannot be read.
    nwbkit.errors.DamagedInput
        Where it is cut off or no such file.
    """
    try:
        raw = path.read_bytes() if path.stat().st_size <= MAX_BYTES else b""
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise NoInput(f"cannot open '{path}': {reason}") from None
    if raw[:6] != MAGIC or len(raw) < 12:
        raise DamagedInput(f"'{path.name}' is no .npy file")
    start, size = (10, "<H") if raw[6] == 1 else (12, "<I")
    (length,) = struct.unpack_from(size, raw, 8)
    header = raw[start : start + length]
    shape = _SHAPE.search(header)
    if length > _MAX_HEADER or not _OBJECTS.search(header) or shape is None:
        raise DamagedInput(f"'{path.name}' holds no Python objects, as it should")
    value = loads(raw[start + length :], path.name, unknown)
    # numpy pickles the array itself; a single object lies in an array without dimensions
    if isinstance(value, np.ndarray) and value.dtype == object:
        value = value.item() if value.ndim == 0 else value.tolist()
    return value


def loads(raw: bytes, where: str, unknown: set[str] | None = None) -> Any:
    """The plain data and arrays that the pickle `raw` describes; `where` names it in messages.

    `unknown` is as of :func:`read_objects`.

    Raises
    ------
    nwbkit.errors.DamagedInput
        Where it is no pickle, or is cut off.
    """
    machine = _Objects(unknown if unknown is not None else set())
    quick = machine.quick
    try:
        for count, (name, argument) in enumerate(opcodes(raw)):
            if count > MAX_OPCODES:
                raise _NotPlain("too many opcodes")
            follow = quick.get(name)
            if follow is not None:
                follow(argument)
            elif name == "STOP":
                return _settled(machine.result(), {}, 0)
            else:
                machine.step(name, argument)
    except _NotPlain as error:
        raise DamagedInput(f"'{where}' is not plain data: {error}") from None
    except (ValueError, IndexError, KeyError, TypeError, OverflowError, AttributeError):
        raise DamagedInput(f"'{where}' is damaged or cut off") from None
    except (MemoryError, RecursionError, LookupError, struct.error):
        raise DamagedInput(f"'{where}' is damaged") from None
    raise DamagedInput(f"'{where}' is cut off")


def _settled(value: Any, seen: dict[int, Any], depth: int) -> Any:
    """`value` with arrays in place of what stood for them."""
    if depth > 50:
        raise _NotPlain("it is nested too deeply")
    if type(value) in _LEAVES or isinstance(value, np.generic):
        return value
    if isinstance(value, _Array):
        return _settled(value.value, seen, depth)
    if isinstance(value, _Path):
        return value.text
    if isinstance(value, _Type | _Name | Opaque):
        return None
    known = seen.get(id(value))
    if known is not None:
        return known
    if isinstance(value, dict):
        made: Any = {}
        seen[id(value)] = made
        for key, item in value.items():
            made[key] = _settled(item, seen, depth + 1)
    elif isinstance(value, list):
        made = []
        seen[id(value)] = made
        made += [_settled(item, seen, depth + 1) for item in value]
    elif isinstance(value, tuple):
        made = tuple(_settled(item, seen, depth + 1) for item in value)
        seen[id(value)] = made
    elif isinstance(value, np.ndarray) and value.dtype == object:
        made = np.empty(value.shape, object)
        seen[id(value)] = made
        for index, item in np.ndenumerate(value):
            made[index] = _settled(item, seen, depth + 1)
    else:
        made = value
    return made
