"""What Zarr has no place for, said by name before anything is written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import h5py
import numpy as np

from nwbkit.errors import MissingFact
from nwbkit.storage.codec import AnyArray
from nwbkit.storage.repacking.tree import Node, shown
from nwbkit.storage.values import is_plain
from nwbkit.zarrs.nodes import HOUSEKEEPING
from nwbkit.zarrs.tree import Reference

#: Attributes by which HDF5 keeps dimension scales.
_SCALES = ("DIMENSION_LIST", "REFERENCE_LIST")


class Unkeepable(Exception):
    """What Zarr has no place for. Never leaves this room."""


def unkeepable(file: Any, nodes: list[Node]) -> list[str]:
    """What of the input cannot be kept in Zarr: path and what stands there, in a few words."""
    found: list[str] = []
    if getattr(file, "userblock_size", 0) and any(_userblock(file)):
        found.append("the user block before the file's own data")
    for node in nodes:
        path = shown(node.path)
        problem = _problem(file, node)
        if problem is not None:
            found.append(f"'{path}' ({problem})")
        if node.kind in ("group", "dataset"):
            found += [f"attribute '{n}' of '{path}' ({p})" for n, p in _attributes(file, node)]
    return found


def _userblock(file: Any) -> bytes:
    with open(file.filename, "rb") as f:
        return f.read(file.userblock_size)


def _problem(file: Any, node: Node) -> str | None:
    try:
        node.name.encode()
    except UnicodeEncodeError:
        return "a name that is no UTF-8"
    if node.path != "/" and (node.name.startswith(".") or "\\" in node.name):
        return "a name that means something else in Zarr"
    if node.kind == "datatype":
        return "a named type"
    if node.kind == "external_link" and isinstance(file, h5py.File):
        return f"a link into the file '{shown(node.filename)}'"
    if node.kind == "dataset":
        return _element(file[node.path])
    return None


def _element(dataset: Any) -> str | None:
    dtype = dataset.dtype
    if dataset.shape is None:
        return "a dataset without a dataspace"
    if h5py.check_string_dtype(dtype) is not None or dtype.kind in "SU":
        return None
    reference = h5py.check_ref_dtype(dtype)
    if reference is not None:
        if reference is h5py.RegionReference:
            return "references to regions"
        return "a single reference" if dataset.shape == () else None
    return _odd(dtype)


def _odd(dtype: np.dtype[Any]) -> str | None:
    """What is not plain numbers, or no numbers that hdmf-zarr knows."""
    if h5py.check_vlen_dtype(dtype) is not None:
        return "lists of any length"
    if h5py.check_enum_dtype(dtype) is not None and dtype.kind != "b":
        return "an enumeration"
    if dtype.subdtype is not None:
        return "elements that are arrays"
    if dtype.kind == "V" and dtype.names is None:
        return "opaque bytes"
    if dtype.kind == "f" and dtype.itemsize > 8:
        return "floats of more than 64 bits"
    if dtype.names is None:
        return None if is_plain(dtype) else "an element type that Zarr does not have"
    for name in dtype.names:
        inner = dtype[name]
        if h5py.check_ref_dtype(inner) is not None:
            return f"rows that refer to other objects, field '{name}'"
        if inner.hasobject or inner.kind in "SU":
            return f"rows with texts in them, field '{name}'"
        if inner.names is not None:
            return f"rows within rows, field '{name}'"
        problem = _odd(inner)
        if problem is not None:
            return f"{problem}, field '{name}'"
    return None


def _attributes(file: Any, node: Node) -> Iterator[tuple[str, str]]:
    item = file[node.path]
    for name in item.attrs:
        if name in HOUSEKEEPING:
            yield name, "a name that hdmf-zarr uses itself"
            continue
        if name in _SCALES and isinstance(file, h5py.File):
            yield name, "a dimension scale"
            continue
        value = item.attrs[name]
        if isinstance(value, h5py.Empty):
            yield name, "an attribute without a dataspace"
            continue
        try:
            as_json(value, item, name, lambda reference: "/")
        except Unkeepable as problem:
            yield name, str(problem)


def as_json(value: Any, item: Any, name: str, resolve: Any) -> Any:
    """An attribute as JSON keeps it.

    Raises
    ------
    Unkeepable
    """
    if isinstance(value, str):
        encodable(value)
        return value
    if isinstance(value, h5py.RegionReference):
        raise Unkeepable("a reference to a region")
    if isinstance(value, h5py.Reference | Reference):
        if not value:
            raise Unkeepable("a reference to nothing")
        return {"zarr_dtype": "object", "value": resolve(value)}
    dtype = item.attrs.get_id(name).dtype if isinstance(item, h5py.HLObject) else None
    if isinstance(value, bytes):
        return decoded(value)
    array = np.asarray(value)
    if dtype is not None and h5py.check_string_dtype(dtype) is None:
        if h5py.check_ref_dtype(dtype) is not None:
            raise Unkeepable("a list of references")
        problem = _odd(dtype)
        if problem is None and dtype.names is not None:
            problem = "rows with fields"
        if problem is None and dtype.kind == "c":
            problem = "complex numbers"
        if problem is not None:
            raise Unkeepable(problem)
    if array.dtype.kind in "biuf":
        return array.tolist()
    if array.dtype.kind in "OSU":
        return _texts(array)
    raise Unkeepable("an element type that JSON does not have")


def _texts(array: AnyArray) -> Any:
    if array.ndim:
        return [_texts(np.asarray(row, object)) for row in array]
    value: Any = array.item()
    return decoded(value) if isinstance(value, bytes) else encodable(str(value))


def decoded(value: bytes) -> str:
    """Bytes as text.

    Raises
    ------
    Unkeepable
    """
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise Unkeepable("text that is no UTF-8") from None


def encodable(value: Any) -> Any:
    """The text `value`, which can be written as UTF-8.

    Raises
    ------
    Unkeepable
    """
    if not isinstance(value, str):
        raise Unkeepable("an element type that JSON does not have")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise Unkeepable("text that is no UTF-8") from None
    return value


def refusal(found: list[str]) -> MissingFact:
    """The error that names what Zarr cannot keep."""
    more = f" and {len(found) - 3} more" if len(found) > 3 else ""
    return MissingFact(
        f"Zarr cannot keep {', '.join(found[:3])}{more}",
        hint="-o OUT.nwb keeps everything" + ("; -n lists all" if more else ""),
    )
