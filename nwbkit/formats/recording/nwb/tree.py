"""Walking a strange file or store: no link out of it is followed, nothing large is read."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard

if TYPE_CHECKING:
    import h5py
    import numpy as np

#: Texts and numbers of the header are small; what declares more stays unread.
MAX_ITEMS = 10_000
_MAX_CHUNK = 64 << 20
_MAX_DEPTH = 64


def is_dataset(obj: Any) -> TypeGuard[h5py.Dataset]:
    """Whether `obj` is an HDF5 dataset, or a Zarr array in its shape."""
    import h5py

    from nwbkit.zarrs.arrays import Dataset

    return isinstance(obj, h5py.Dataset | Dataset)


def is_group(obj: Any) -> TypeGuard[h5py.Group]:
    """Whether `obj` is an HDF5 group, or a Zarr group in its shape."""
    import h5py

    from nwbkit.zarrs.tree import Group

    return isinstance(obj, h5py.Group | Group)


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """A file or store for reading.

    Raises
    ------
    nwbkit.errors.MissingExtra
        For a store, without numcodecs.
    OSError
    """
    if path.is_dir():
        from nwbkit.zarrs.blosc import need_numcodecs
        from nwbkit.zarrs.tree import File

        need_numcodecs()
        with File(path) as store:
            yield store
        return
    import h5py

    with h5py.File(path, "r") as file:
        yield file


def _identity(group: Any) -> Any:
    import h5py

    if isinstance(group, h5py.Group):
        return h5py.h5o.get_info(group.id).addr
    return group.name


def child(group: h5py.Group, name: str, depth: int = 0) -> h5py.Group | h5py.Dataset | None:
    """The object called `name`, through links inside the file only; None where there is none."""
    import h5py

    try:
        link = group.get(name, getlink=True)
        if isinstance(link, h5py.HardLink):
            return group[name]
        if isinstance(link, h5py.SoftLink) and depth < _MAX_DEPTH:
            at: Any = group.file if link.path.startswith("/") else group
            for part in filter(None, link.path.split("/")):
                at = child(at, part, depth + 1) if is_group(at) else None
            return at
    except (KeyError, OSError, RuntimeError):
        return None
    return None


def groups(file: h5py.File, outside: list[str]) -> Iterator[tuple[str, h5py.Group]]:
    """Every group but the cached schema, each once; paths of external links go to `outside`."""
    import h5py

    seen: set[Any] = set()

    def walk(group: h5py.Group, path: str, depth: int) -> Iterator[tuple[str, h5py.Group]]:
        address = _identity(group)
        if address in seen or depth > _MAX_DEPTH:
            return
        seen.add(address)
        yield path, group
        for name in group:
            link = group.get(name, getlink=True)
            below = f"{path}/{name}" if path else name
            if isinstance(link, h5py.ExternalLink):
                outside.append(below)
            elif isinstance(link, h5py.HardLink) and below != "specifications":
                found = child(group, name)
                if is_group(found):
                    yield from walk(found, below, depth + 1)

    yield from walk(file, "", 0)


def is_local(dataset: h5py.Dataset) -> bool:
    """Whether a dataset's values lie in the file itself, in pieces of a size fit to be read."""
    if getattr(dataset, "external", None) is not None or getattr(dataset, "is_virtual", False):
        return False
    chunk = math.prod(dataset.chunks or (1,)) * dataset.dtype.itemsize
    return bool(chunk <= _MAX_CHUNK)


def small(dataset: Any) -> Any:
    """The values of a small dataset in the file itself; None otherwise."""
    import h5py

    if not is_dataset(dataset) or dataset.shape is None:
        return None
    if not is_local(dataset) or math.prod(dataset.shape) > MAX_ITEMS:
        return None
    try:
        if h5py.check_string_dtype(dataset.dtype) is not None:
            return dataset.asstr(errors="replace")[()]
        return dataset[()]
    except (OSError, RuntimeError, ValueError, TypeError):
        return None


def text(value: Any) -> str | None:
    """A value as non-empty text; None where it is none."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, str) and value.strip():
        return value.strip()
    return None


def texts(value: Any) -> list[str]:
    """A value as a list of non-empty texts."""
    if value is None:
        return []
    items = value.ravel().tolist() if hasattr(value, "ravel") else [value]
    return [t for t in map(text, items) if t]


def number(value: Any, default: float | None = None) -> float | None:
    """A value as a finite number; `default` where it is none."""
    try:
        found = float(value)
    except (TypeError, ValueError):
        return default
    return found if math.isfinite(found) else default


def attribute(obj: Any, name: str) -> Any:
    """An attribute's value; None where it is absent or unreadable."""
    try:
        return obj.attrs.get(name)
    except (OSError, RuntimeError, TypeError, ValueError):
        return None


def kind_of(obj: Any) -> str:
    """The object's neurodata_type; empty where it has none."""
    return text(attribute(obj, "neurodata_type")) or ""


def ends(dataset: h5py.Dataset) -> tuple[float, float] | None:
    """First and last value of a one-dimensional dataset of numbers, where they can be read."""
    shape = dataset.shape
    if shape is None or len(shape) != 1 or not shape[0] or not is_local(dataset):
        return None
    if dataset.dtype.kind not in "iuf":
        return None
    try:
        first, last = number(dataset[0]), number(dataset[shape[0] - 1])
    except (OSError, RuntimeError, ValueError):
        return None
    return None if first is None or last is None else (first, last)


def type_name(dtype: np.dtype[Any]) -> str:
    """What a dataset's elements are, as people say it."""
    import h5py

    return "text" if h5py.check_string_dtype(dtype) is not None else str(dtype)
