"""Elements of HDF5 datasets and attributes: which have pointers in them, and references anew."""

from __future__ import annotations

from typing import Any

import h5py
import numpy as np
from h5py import h5o, h5t

from nwbkit.storage.codec import AnyArray

#: Bytes of an element that lies elsewhere: a text, a reference.
_INDIRECT = 16


def translated(values: AnyArray, dtype: np.dtype[Any], translate: Any) -> AnyArray:
    """`values` with each reference in them replaced; in place.

    Parameters
    ----------
    values : numpy.ndarray
    dtype : numpy.dtype
        As h5py states it.
    translate : callable
        Old reference to new one.
    """
    if h5py.check_ref_dtype(dtype) is not None:
        for index in np.ndindex(values.shape):
            values[index] = translate(values[index])
        return values
    inner = h5py.check_vlen_dtype(dtype)
    if inner is not None:
        inner = np.dtype(inner)
        if _refers(inner):
            for index in np.ndindex(values.shape):
                row = np.array(values[index], dtype=inner, copy=True)
                values[index] = translated(row, inner, translate)
        return values
    if dtype.names is not None:
        for name in dtype.names:
            if _refers(dtype[name]):
                # fields of several elements come with their own axes behind the rows'
                translated(values[name], dtype[name].base, translate)
    return values


def _refers(dtype: np.dtype[Any]) -> bool:
    if h5py.check_ref_dtype(dtype) is not None:
        return True
    inner = h5py.check_vlen_dtype(dtype)
    if inner is not None:
        return _refers(np.dtype(inner))
    if dtype.subdtype is not None:
        return _refers(dtype.subdtype[0])
    return dtype.names is not None and any(_refers(dtype[n]) for n in dtype.names)


def key_of(item: Any) -> tuple[int, int]:
    """What tells an object from all others of its file."""
    info = h5o.get_info(item)
    return info.fileno, info.addr


def is_flat(tid: h5t.TypeID) -> bool:
    """Whether an element is nothing but its own bytes: no text or list elsewhere, no reference."""
    kind = tid.get_class()
    if kind == h5t.STRING:
        return not tid.is_variable_str()
    if kind in (h5t.VLEN, h5t.REFERENCE):
        return False
    if kind == h5t.ARRAY:
        return is_flat(tid.get_super())
    if kind == h5t.COMPOUND:
        return all(is_flat(tid.get_member_type(i)) for i in range(tid.get_nmembers()))
    return True


def itemsize_of(tid: h5t.TypeID) -> int:
    """Bytes of an element in the file, those that lie elsewhere not counted."""
    return int(tid.get_size()) if is_flat(tid) else max(_INDIRECT, int(tid.get_size()))


def stand_in(tid: h5t.TypeID) -> np.dtype[Any]:
    """A dtype of an element's size, for a plan."""
    return np.dtype(f"V{itemsize_of(tid)}")
