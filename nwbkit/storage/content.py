"""What an NWB file holds: its objects, links and attributes, and one digest of it all.

The digest is of logical content. It does not depend on chunks, compression, the order in
which things were created, or threads. The cached schema (``/specifications``, and the root's
``.specloc`` that points there) and ``/file_create_date`` are listed and stay out of it.
"""

from __future__ import annotations

import json
import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import h5py
import xxhash

from nwbkit.errors import InternalError
from nwbkit.storage.backends import names_of
from nwbkit.storage.digests import DatasetDigest
from nwbkit.storage.values import describe, digest_dataset, type_name

Kind = Literal["group", "dataset", "datatype", "soft_link", "external_link", "alias"]

_OUTSIDE = ("/specifications", "/file_create_date")


@dataclass(frozen=True)
class ObjectRecord:
    """One path in a file.

    Parameters
    ----------
    kind : {"group", "dataset", "datatype", "soft_link", "external_link", "alias"}
        ``alias``: a further hard link to an object that is listed under another path.
    dtype : str
        Canonical element type, datasets only.
    shape : tuple of int, optional
        None for what is no dataset, and for a dataset without a dataspace.
    attributes : dict of str to str
        Canonical descriptions: type and literal or digest.
    target : str
        Where a link points; ``file:path`` for an external one.
    """

    kind: Kind
    dtype: str = ""
    shape: tuple[int, ...] | None = None
    attributes: dict[str, str] = field(default_factory=dict)
    target: str = ""


class Names:
    """Canonical path of every object of a file, and of what references point to.

    Of several hard links the first in sorted depth-first order counts.

    Parameters
    ----------
    file : h5py.File
    """

    def __init__(self, file: h5py.File) -> None:
        self._file = file
        self._paths: dict[Any, str] = {}
        #: path -> kind and target, of everything there is
        self.objects: dict[str, tuple[Kind, str]] = {}
        for path, kind, target in self._walk(file, "/"):
            self.objects[path] = (kind, target)

    def _walk(self, item: Any, path: str) -> Iterator[tuple[str, Kind, str]]:
        key = _identity(item)
        if key in self._paths:
            yield path, "alias", self._paths[key]
            return
        self._paths[key] = path
        if isinstance(item, h5py.Dataset):
            yield path, "dataset", ""
            return
        if not isinstance(item, h5py.Group):
            yield path, "datatype", ""
            return
        yield path, "group", ""
        for name in sorted(item):
            below = posixpath.join(path, name)
            link = item.get(name, getlink=True)
            if isinstance(link, h5py.SoftLink):
                yield below, "soft_link", posixpath.normpath(posixpath.join(path, link.path))
            elif isinstance(link, h5py.ExternalLink):
                yield below, "external_link", f"{link.filename}:{link.path}"
            else:
                yield from self._walk(item[name], below)

    def of_kind(self, kind: Kind) -> set[str]:
        """Return all paths of one kind."""
        return {path for path, (found, _) in self.objects.items() if found == kind}

    def canonical(self, path: str) -> str:
        """Return the path under which the object at `path` is listed."""
        kind, target = self.objects.get(path, ("", ""))
        return target if kind == "alias" else path

    def resolve(self, reference: Any) -> str:
        """Return the path that `reference` points to; ``null`` and ``dangling`` where none."""
        if not reference:
            return "null"
        try:
            path = self._paths[_identity(self._file[reference])]
        except (KeyError, ValueError, RuntimeError):
            return "dangling"
        if isinstance(reference, h5py.RegionReference):
            return f"{path}{_selection(h5py.h5r.get_region(reference, self._file.id))}"
        return path


def _selection(space: Any) -> str:
    """Return the selected blocks or points of a region, as text."""
    kind = space.get_select_type()
    if kind == h5py.h5s.SEL_HYPERSLABS:
        return str(space.get_select_hyper_blocklist().tolist())
    if kind == h5py.h5s.SEL_POINTS:
        return str(space.get_select_elem_pointlist().tolist())
    return "[]" if kind == h5py.h5s.SEL_NONE else "[all]"


def _identity(item: Any) -> Any:
    info = h5py.h5o.get_info(item.id)
    return (info.fileno, info.addr)


def walk(file: h5py.File, names: Names | None = None) -> dict[str, ObjectRecord]:
    """Return a record of every object and link in `file`, by path.

    External links are listed, never followed.

    Parameters
    ----------
    file : h5py.File or nwbkit.zarrs.tree.File
        Open for reading.
    names : Names, optional
        Of the same file, where they are known already.
    """
    names = names or names_of(file)
    records: dict[str, ObjectRecord] = {}
    for path, (kind, target) in names.objects.items():
        if kind in ("soft_link", "external_link", "alias"):
            records[path] = ObjectRecord(kind, target=target)
            continue
        item = file[path]
        attributes = {name: _attribute(item, name, names) for name in sorted(item.attrs)}
        if kind == "dataset":
            records[path] = ObjectRecord(kind, type_name(item.dtype), item.shape, attributes)
        else:
            dtype = type_name(item.dtype) if kind == "datatype" else ""
            records[path] = ObjectRecord(kind, dtype, attributes=attributes)
    return records


def _attribute(item: Any, name: str, names: Names) -> str:
    known = isinstance(item, h5py.HLObject)  # Zarr states no types of attributes
    dtype = item.attrs.get_id(name).dtype if known else None
    return describe(item.attrs[name], dtype, names.resolve)


def digest_rest(
    file: h5py.File, known: Mapping[str, DatasetDigest], names: Names | None = None
) -> dict[str, DatasetDigest]:
    """Return digests of all datasets: those `known`, and the others read here, in blocks."""
    names = names or names_of(file)
    known = {names.canonical(path): digest for path, digest in known.items()}
    digests = {}
    for path, (kind, _) in names.objects.items():
        if kind == "dataset" and not is_outside(path):
            digests[path] = known.get(path) or digest_dataset(file[path], names.resolve)
    return digests


def is_outside(path: str) -> bool:
    """Whether `path` is listed but stays out of the content digest."""
    return path in _OUTSIDE or path.startswith(_OUTSIDE[0] + "/")


def content_digest(
    records: Mapping[str, ObjectRecord], dataset_digests: Mapping[str, DatasetDigest]
) -> str:
    """Return one digest of a file's logical content, 32 hex digits.

    Parameters
    ----------
    records : mapping of str to ObjectRecord
        From :func:`walk`.
    dataset_digests : mapping of str to DatasetDigest
        Of every dataset in `records` that counts.

    Raises
    ------
    nwbkit.errors.InternalError
        Where a dataset has no digest.
    """
    machine = xxhash.xxh3_128()
    for path in sorted(records):
        if is_outside(path):
            continue
        record = records[path]
        digest = ""
        if record.kind == "dataset":
            if path not in dataset_digests:
                raise InternalError(f"no digest of '{path}' was taken")
            digest = dataset_digests[path].digest
        attributes = dict(record.attributes)
        if path == "/":
            attributes.pop(".specloc", None)
        line = [path, record.kind, record.dtype, record.shape, attributes, record.target, digest]
        machine.update(json.dumps(line, sort_keys=True, separators=(",", ":")).encode() + b"\n")
    return machine.hexdigest()
