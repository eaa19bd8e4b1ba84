"""MATLAB files of version 7.3: HDF5, read through the guarded file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nwbkit.errors import DamagedInput
from nwbkit.formats.io._mat5 import checked_sparse
from nwbkit.formats.io.hdf5 import GuardedFile
from nwbkit.formats.io.mat import MAX_DEPTH, Unread

if TYPE_CHECKING:
    import h5py

_PLAIN = {
    "double",
    "single",
    "int8",
    "uint8",
    "int16",
    "uint16",
    "int32",
    "uint32",
    "int64",
    "uint64",
}
#: Where MATLAB keeps the values that cells refer to, and what objects are made of.
_HIDDEN = ("#refs#", "#subsystem#")
#: Bytes of a class's name.
_LONGEST_CLASS = 256
#: Following a reference takes a tenth of a millisecond; cells may refer to cells many times over.
MAX_VALUES = 300_000
#: What is read at once may be as large in any case, or so many times the file.
_FREE_BYTES = 1 << 30
_MAX_RATIO = 200


class Mat73:
    """Reads variables by name.

    Parameters
    ----------
    path : Path

    Attributes
    ----------
    file : GuardedFile
    """

    def __init__(self, path: Path) -> None:
        self.file = GuardedFile(path)
        self._name = path.name
        self._left, self._bytes = MAX_VALUES, 0
        self._addresses: dict[int, str] | None = None

    def names(self) -> list[str]:
        """Names of the variables."""
        return [n for n in self.file.names() if n not in _HIDDEN]

    def get(self, name: str) -> Any:
        """The value at ``variable/field/...``; None where there is none."""
        self._left, self._bytes = MAX_VALUES, max(_FREE_BYTES, _MAX_RATIO * self.file.size)
        found = self._find(name)
        return None if found is None else self._value(found, 0)

    def _find(self, name: str) -> Any:
        return self.file.find(name)

    def fields(self, name: str) -> list[str]:
        """Names of the fields of a struct."""
        group = self._find(name)
        if group is None or hasattr(group, "dtype") or _class_of(group) not in ("struct", ""):
            return []
        return self.file.names(name)

    def close(self) -> None:
        """Close the file."""
        self.file.close()

    def _value(self, found: Any, depth: int) -> Any:
        self._left -= 1
        if self._left < 0 or depth > MAX_DEPTH:
            raise DamagedInput(
                f"'{self._name}': {found.name} holds more than {MAX_VALUES} values, or is nested "
                f"more than {MAX_DEPTH} deep"
            )
        if "MATLAB_object_decode" in found.attrs:
            return Unread("object")
        kind = _class_of(found)
        if not hasattr(found, "dtype"):
            return self._group(found, kind, depth)
        if "MATLAB_empty" in found.attrs and int(found.attrs["MATLAB_empty"]):
            return self._empty(found, kind)
        if kind == "cell":
            return [self._value(each, depth + 1) for each in self._referred(found)]
        if kind == "char":
            return self._text(found)
        # other programs that write such files leave the class out
        if kind in _PLAIN or kind == "logical" or (not kind and found.dtype.kind in "iufb"):
            return self._array(found, kind)
        return Unread(kind or "untyped")

    def _empty(self, found: h5py.Dataset, kind: str) -> Any:
        """What has no values: the dataset holds its dimensions instead."""
        if kind == "char":
            return ""
        if kind in ("cell", "struct"):
            return []
        if kind not in _PLAIN and kind != "logical":
            return Unread(kind)
        shape = [int(n) for n in found[...].reshape(-1)] if found.size <= 32 else [0, 0]
        if not shape or 0 not in shape or max(shape) > 1 << 40:
            shape = [0, 0]
        return np.empty(shape, bool if kind == "logical" else _dtype(kind))

    def _array(self, found: h5py.Dataset, kind: str) -> Any:
        # cells may refer to one large dataset over and over
        self._bytes -= found.size * found.dtype.itemsize
        if self._bytes < 0:
            raise DamagedInput(f"'{self._name}': its values unfold to too many bytes")
        values = found[...]
        if values.dtype.names is not None:  # complex
            if set(values.dtype.names) != {"real", "imag"}:
                return Unread("compound")
            values = values["real"] + 1j * values["imag"]
        values = values.T
        if kind == "logical":
            values = values.astype(bool)
        return values if values.ndim >= 2 else values.reshape(-1, 1)

    def _text(self, found: h5py.Dataset) -> Any:
        codes = np.atleast_2d(found[...].T)
        if codes.dtype.kind not in "iu":
            return Unread("char")
        rows = [
            row.astype("<u2").tobytes().decode("utf-16-le", "replace")
            for row in codes.reshape(codes.shape[0], -1, order="F")
        ]
        return rows[0] if len(rows) == 1 else [row.rstrip() for row in rows]

    def _group(self, found: h5py.Group, kind: str, depth: int) -> Any:
        if "MATLAB_sparse" in found.attrs:
            return self._sparse(found)
        if kind not in ("struct", ""):
            return Unread(kind)
        members = {}
        for name in self.file.names(found.name):
            member = self._find(f"{found.name}/{name}")
            if member is not None:
                members[name] = member
        # the fields of an array of structs are references without a class of their own
        arrays = [
            m for m in members.values() if _is_references(m) and "MATLAB_class" not in m.attrs
        ]
        if arrays and len(arrays) == len(members) and len({m.shape for m in arrays}) == 1:
            columns = {
                name: [self._value(each, depth + 1) for each in self._referred(m)]
                for name, m in members.items()
            }
            n = len(next(iter(columns.values())))
            return [{name: values[i] for name, values in columns.items()} for i in range(n)]
        return {name: self._value(member, depth + 1) for name, member in members.items()}

    def _referred(self, found: h5py.Dataset) -> Iterator[Any]:
        """What a dataset of references leads to, in MATLAB's column order."""
        if not _is_references(found):
            raise DamagedInput(f"'{self._name}': {found.name} is a cell without references")
        if found.size > self._left:
            raise DamagedInput(f"'{self._name}': {found.name} declares {found.size} cells")
        for reference in found[...].reshape(-1):
            target = self._target(reference, found) if reference else None
            if target is None:
                raise DamagedInput(f"'{self._name}': a cell of {found.name} leads nowhere")
            yield target

    def _target(self, reference: h5py.Reference, found: h5py.Dataset) -> Any:
        """The object behind a reference, found again by its name so that it is checked.

        HDF5 would look for that name in the whole file, once for each reference: where MATLAB
        keeps such objects, their addresses are listed once.
        """
        import h5py

        if self._addresses is None:
            self._addresses = {}
            group = self.file.group(_HIDDEN[0])
            for name in self.file.names(_HIDDEN[0]):
                if group is not None and isinstance(group.get(name, getlink=True), h5py.HardLink):
                    info = h5py.h5o.get_info(group.id, name.encode())
                    self._addresses[info.addr] = f"{_HIDDEN[0]}/{name}"
        target = h5py.h5r.dereference(reference, found.id)
        known = self._addresses.get(h5py.h5o.get_info(target).addr)
        if known is None:
            name = h5py.h5r.get_name(reference, found.id)
            known = name.decode() if name else None
        return None if known is None else self._find(known)

    def _sparse(self, found: h5py.Group) -> Any:
        parts = {}
        for name in ("data", "ir", "jc"):
            member = self.file.dataset(f"{found.name}/{name}")
            parts[name] = np.empty(0) if member is None else member[...].reshape(-1)
        rows = int(found.attrs["MATLAB_sparse"])
        starts = parts["jc"].astype("i8")
        try:
            return checked_sparse(
                (rows, max(starts.size - 1, 0)), parts["ir"].astype("i8"), starts, parts["data"]
            )
        except ValueError as error:
            raise DamagedInput(f"'{self._name}': {found.name}: {error}") from None


def _class_of(found: Any) -> str:
    """What MATLAB says an object is; empty where it says nothing, or nothing short."""
    import h5py

    if "MATLAB_class" not in found.attrs:
        return ""
    if h5py.h5a.open(found.id, b"MATLAB_class").get_storage_size() > _LONGEST_CLASS:
        return ""
    value = found.attrs["MATLAB_class"]
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _is_references(found: Any) -> bool:
    import h5py

    return hasattr(found, "dtype") and h5py.check_ref_dtype(found.dtype) is h5py.Reference


def _dtype(kind: str) -> str:
    return {"double": "f8", "single": "f4"}.get(kind, kind)
