"""Canonical form of what is not an array of numbers: text, references, compounds, attributes.

Text is its UTF-8 whether the file keeps it fixed or variable in length; a reference is the
path of what it points to; numbers are their little-endian bytes, so that a NaN equals only
a NaN of the same bits.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
import xxhash

from nwbkit.storage.digests import (
    BlockDigester,
    DatasetDigest,
    canonical_bytes,
    canonical_dtype,
    n_blocks,
)
from nwbkit.storage.planning import block_rows
from nwbkit.zarrs.tree import Reference

AnyArray = npt.NDArray[Any]

#: Turns a reference into the canonical path of its target.
Resolve = Callable[[Any], str]

#: Item size that stands in for elements of no fixed size when rows are cut into blocks.
_NOMINAL_ITEM = 64

#: Kinds of number that an attribute may be.
_NUMBERS = {"b": "bool", "i": "int", "u": "int", "f": "float"}

#: Longer attribute text is shown as its digest.
_LITERAL = 120


def type_name(dtype: np.dtype[Any]) -> str:
    """Canonical name of an HDF5 element type as h5py gives it."""
    if h5py.check_string_dtype(dtype) is not None or dtype.kind in "SU":
        return "text"
    reference = h5py.check_ref_dtype(dtype)
    if reference is not None:
        return "reference" if reference is h5py.Reference else "region"
    vlen = h5py.check_vlen_dtype(dtype)
    if vlen is not None:
        return f"vlen<{type_name(np.dtype(vlen))}>"
    labels = h5py.check_enum_dtype(dtype)
    if labels is not None and dtype.kind != "b":
        return f"enum<{canonical_dtype(dtype)}>{json.dumps(labels, sort_keys=True)}"
    if dtype.names is not None:
        fields = [[name, type_name(dtype[name])] for name in dtype.names]
        return json.dumps(fields, separators=(",", ":"))
    if dtype.subdtype is not None:
        base, shape = dtype.subdtype
        return f"{type_name(base)}{list(shape)}"
    return canonical_dtype(dtype)


def stored_as(tid: Any, dtype: np.dtype[Any]) -> bool:
    """Whether elements of the HDF5 type `tid` lie in the file as `dtype` has them in memory.

    Numbers of 12 bits in 16, say, do not: only HDF5 extends their sign.
    """
    try:
        return bool(tid.equal(h5py.h5t.py_create(dtype, logical=True)))
    except TypeError:
        return False


def is_plain(dtype: np.dtype[Any]) -> bool:
    """Whether elements are numbers (or compounds of numbers), digested by their bytes."""
    if dtype.names is not None:
        return all(is_plain(dtype[name]) for name in dtype.names)
    if dtype.subdtype is not None:
        return is_plain(dtype.subdtype[0])
    labels = h5py.check_enum_dtype(dtype)
    return dtype.kind in "biufcV" and (labels is None or dtype.kind == "b")


def _encode(value: Any, dtype: np.dtype[Any], resolve: Resolve) -> Iterator[bytes]:
    """Yield the canonical bytes of one element; lengths first, so that no two values meet."""
    name = type_name(dtype)
    if name == "text":
        data = value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogateescape")
        yield len(data).to_bytes(8, "little") + data
    elif name in ("reference", "region"):
        data = resolve(value).encode()
        yield len(data).to_bytes(8, "little") + data
    elif h5py.check_vlen_dtype(dtype) is not None:
        inner = np.asarray(value)
        yield len(inner).to_bytes(8, "little")
        yield from _encode_all(inner, np.dtype(h5py.check_vlen_dtype(dtype)), resolve)
    elif dtype.names is not None:
        for field in dtype.names:
            yield from _encode(value[field], dtype[field], resolve)
    elif dtype.subdtype is not None:
        yield from _encode_all(np.asarray(value), dtype.subdtype[0], resolve)
    else:
        yield bytes(canonical_bytes(np.asarray(value, dtype)))


def _encode_all(array: AnyArray, dtype: np.dtype[Any], resolve: Resolve) -> Iterator[bytes]:
    if is_plain(dtype):
        yield bytes(canonical_bytes(np.asarray(array, dtype)))
        return
    for item in array.reshape(-1):
        yield from _encode(item, dtype, resolve)


def value_digest(value: Any, dtype: np.dtype[Any] | None = None, resolve: Resolve = str) -> str:
    """Return the digest of a value: 32 hex digits over its type, shape and canonical bytes.

    Parameters
    ----------
    value : scalar or array
        As h5py returns it.
    dtype : numpy.dtype, optional
        As h5py states it; by default what numpy makes of the value, str being text.
    resolve : callable, optional
        Gives the path of a reference's target.
    """
    array, dtype = _as_array(value, dtype)
    machine = xxhash.xxh3_128(json.dumps([type_name(dtype), array.shape]).encode() + b"\0")
    for piece in _encode_all(array, dtype, resolve):
        machine.update(piece)
    return machine.hexdigest()


def _as_array(value: Any, dtype: np.dtype[Any] | None) -> tuple[AnyArray, np.dtype[Any]]:
    if isinstance(value, np.ndarray):
        array = value
    elif isinstance(value, (str, bytes, h5py.Reference, Reference)):
        array = np.empty((), object)
        array[()] = value
    else:
        array = np.asarray(value)
    if dtype is None:
        is_text = array.dtype.kind in "OSU"
        dtype = h5py.string_dtype() if is_text else array.dtype
        if isinstance(value, Reference):
            dtype = h5py.ref_dtype
    return array, np.dtype(dtype)


def describe(value: Any, dtype: np.dtype[Any] | None = None, resolve: Resolve = str) -> str:
    """Return an attribute's canonical description: its type, and itself or its digest.

    Short text, single numbers and references are shown; everything else is its digest. Two
    attributes are equal when their descriptions are. Of numbers only the kind (int, float,
    bool) counts, not the width in bytes, which Zarr does not keep; values count exactly.
    """
    if isinstance(value, h5py.Empty):
        return "null"
    array, dtype = _as_array(value, dtype)
    name = type_name(dtype)
    if array.shape == ():
        item: Any = array[()]
        if name == "text":
            text = item.decode("utf-8", "surrogateescape") if isinstance(item, bytes) else str(item)
            if len(text) <= _LITERAL:
                return f"text {json.dumps(text)}"
        elif name == "reference":
            return f"reference {resolve(item)}"
    if not array.size:
        return f"empty {list(array.shape)}"  # Zarr keeps no type of what is not there
    kind = _NUMBERS.get(dtype.kind) if is_plain(dtype) else None
    if kind is None:
        return f"{name} {list(array.shape)} xxh3_128:{value_digest(array, dtype, resolve)}"
    text = json.dumps(array.tolist())  # exact: what repr shows reads back as the same bits
    if array.shape == ():
        return f"{kind} {text}"
    return f"{kind} {list(array.shape)} xxh3_128:{xxhash.xxh3_128_hexdigest(text.encode())}"


def digest_dataset(dataset: h5py.Dataset, resolve: Resolve) -> DatasetDigest:
    """Return the digest of any dataset, read through h5py in blocks of at most 4 MiB or a row.

    Raises
    ------
    OSError
        Where h5py cannot read it.
    """
    dtype = dataset.dtype
    name = type_name(dtype)
    if dataset.shape is None:
        return DatasetDigest.of_blocks(f"{name} empty", (0,), 1, [])
    plain = is_plain(dtype)
    if dataset.shape == ():
        # compounds come as one numpy.void, which must not be unpacked
        value = np.empty((), dtype if plain else object)
        value[()] = dataset[()]
        return DatasetDigest.of_blocks(name, (), 1, [_block(value, dtype, resolve, plain)])
    if plain:
        digester = BlockDigester(dataset.shape, dtype)
        for start, stop in blocks(dataset.shape, digester.block_rows):
            digester.add(start, dataset[start:stop])
        return digester.result()
    rows = block_rows(dataset.shape, _NOMINAL_ITEM)
    parts = [
        _block(dataset[start:stop], dtype, resolve, plain)
        for start, stop in blocks(dataset.shape, rows)
    ]
    return DatasetDigest.of_blocks(name, dataset.shape, rows, parts)


def _block(rows: AnyArray, dtype: np.dtype[Any], resolve: Resolve, plain: bool) -> str:
    if plain:
        return xxhash.xxh3_128_hexdigest(canonical_bytes(rows))
    machine = xxhash.xxh3_128()
    for piece in _encode_all(rows, dtype, resolve):
        machine.update(piece)
    return machine.hexdigest()


def blocks(shape: tuple[int, ...], rows: int) -> Iterator[tuple[int, int]]:
    """Yield ``start, stop`` of each digest block."""
    for index in range(n_blocks(shape, rows)):
        yield index * rows, min((index + 1) * rows, shape[0])


def nbytes(dataset: h5py.Dataset) -> int:
    """Logical size in bytes, elements of no fixed size at a nominal 64."""
    size = dataset.dtype.itemsize if is_plain(dataset.dtype) else _NOMINAL_ITEM
    return math.prod(dataset.shape or ()) * size
