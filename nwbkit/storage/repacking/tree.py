"""What a file or store holds, in the order in which it is written again.

The input is not trusted. Data that lie in other files, datasets that declare more than can be
there, filters that nobody has, groups without an end: each is refused by name before anything
is written. External links are listed and never opened.
"""

from __future__ import annotations

import contextlib
import importlib
import math
import os
import posixpath
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
from h5py import h5, h5g, h5l, h5o, h5p, h5t, h5z

from nwbkit.errors import DamagedInput, MissingExtra, NoInput, NwbkitError
from nwbkit.storage.codec import decodable
from nwbkit.storage.content import Kind
from nwbkit.storage.planning import MAX_CHUNK_BYTES
from nwbkit.storage.stored import filter_numbers
from nwbkit.zarrs.blosc import ChunkError

#: Deeper groups than this nobody makes; every reader of such a file would stumble.
MAX_DEPTH = 200

#: Up to this size a dataset may declare anything.
_FREE_BYTES = 64 << 20
#: Deflate cannot pack more than 1032 bytes into one; zstd and blosc can, of constant data.
_DEFLATE_RATIO = 1100
_OTHER_RATIO = 1 << 18
#: deflate, shuffle, fletcher32, szip, nbit, scaleoffset: numbers below are HDF5's own.
_OWN = {1: "deflate", 2: "shuffle", 3: "fletcher32", 4: "szip", 5: "nbit", 6: "scaleoffset"}
#: Those of hdf5plugin, and what they are called.
_PLUGIN = {
    307: "bzip2",
    32000: "lzf",
    32001: "blosc",
    32004: "lz4",
    32008: "bitshuffle",
    32013: "zfp",
    32015: "zstd",
    32017: "sz",
    32018: "fcidecomp",
    32024: "sz3",
    32026: "blosc2",
    32028: "sperr",
}


#: What filters are called.
FILTERS = _OWN | _PLUGIN


@dataclass(frozen=True)
class Node:
    """One path of the input.

    Parameters
    ----------
    path : str
    kind : {"group", "dataset", "datatype", "soft_link", "external_link", "alias"}
        ``alias``: a further hard link to what was met before.
    target : str
        Of a soft link and an alias: the path it names, as it names it.
    filename : str
        Of an external link.
    utf8 : bool
        Whether HDF5 has the name down as UTF-8.
    """

    path: str
    kind: Kind
    target: str = ""
    filename: str = ""
    utf8: bool = False

    @property
    def parent(self) -> str:
        """Path of the group it lies in."""
        return posixpath.dirname(self.path)

    @property
    def name(self) -> str:
        """Its own name."""
        return posixpath.basename(self.path)


def raw(path: str) -> bytes:
    """A path as HDF5 keeps it."""
    return path.encode("utf-8", "surrogateescape")


def shown(path: str) -> str:
    """A path as a message shows it."""
    return raw(path).decode("utf-8", "backslashreplace")


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Any]:
    """The input for reading: an h5py.File, or a store in its shape.

    What h5py raises inside, met with a damaged file, leaves as DamagedInput.

    Raises
    ------
    nwbkit.errors.NoInput, nwbkit.errors.DamagedInput, nwbkit.errors.MissingExtra
    """
    try:
        if path.is_dir():
            from nwbkit.zarrs.blosc import need_numcodecs
            from nwbkit.zarrs.tree import File

            need_numcodecs()
            with File(path) as store:
                yield store
            return
        with h5py.File(path, "r", locking="best-effort") as file:
            yield file
    except ChunkError as error:
        raise DamagedInput(f"'{path.name}' cannot be read as Zarr: {error}") from error
    except PermissionError as error:
        if error.filename is not None and Path(os.fsdecode(error.filename)) != path:
            raise
        raise NoInput(f"cannot open '{path}': permission denied") from None
    except (OSError, RuntimeError, KeyError, ValueError) as error:
        if not _of_reader(error):
            raise
        kind = "Zarr" if path.is_dir() else "HDF5"
        raise DamagedInput(f"'{path.name}' cannot be read as {kind}: {_said(error)}") from error


def _of_reader(error: BaseException) -> bool:
    """Whether an exception comes out of h5py or our reader of Zarr, not out of who uses them."""
    from nwbkit.zarrs.tree import TreeError

    if isinstance(error, TreeError):
        return True
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    file = trace.tb_frame.f_code.co_filename if trace is not None else ""
    return "h5py" in file or f"{os.sep}zarrs{os.sep}" in file


def _said(error: BaseException) -> str:
    text = " ".join(str(error).strip("'\"").split())
    return text or type(error).__name__


def nodes_of(file: Any, *, by_name: bool = False) -> list[Node]:
    """Everything in a file or store, groups before what is in them.

    HDF5 groups that remember in which order things were put in are listed in that order.
    With `by_name` all go by name, so that of several names of one object the same one comes
    first as in :class:`nwbkit.storage.content.Names`.

    Raises
    ------
    nwbkit.errors.DamagedInput
        For links of a kind that only some program knows, and groups without an end.
    """
    if isinstance(file, h5py.File):
        return list(_walk(file, by_name))
    from nwbkit.storage.zarr_content import ZarrNames

    found = []
    for path, (kind, _) in ZarrNames(file).objects.items():
        target = filename = ""
        if kind in ("soft_link", "external_link"):
            parent = file[posixpath.dirname(path)]
            link = parent.get(posixpath.basename(path), getlink=True)
            target, filename = link.path, getattr(link, "filename", "")
        found.append(Node(path, kind, target, filename, True))
    return found


def _walk(file: h5py.File, by_name: bool) -> Iterator[Node]:
    root = h5o.open(file.id, b"/")
    seen = {_key(root): "/"}
    yield Node("/", "group")
    stack = [(root, "/", _links(root, by_name))]
    while stack:
        group, path, names = stack[-1]
        if not names:
            stack.pop()
            continue
        name = names.pop()
        below = posixpath.join(path, name.decode("utf-8", "surrogateescape"))
        info = group.links.get_info(name)
        utf8 = info.cset == h5t.CSET_UTF8
        if info.type == h5l.TYPE_SOFT:
            yield Node(below, "soft_link", _text(group.links.get_val(name)), "", utf8)
            continue
        if info.type == h5l.TYPE_EXTERNAL:
            filename, target = group.links.get_val(name)
            yield Node(below, "external_link", _text(target), _text(filename), utf8)
            continue
        if info.type != h5l.TYPE_HARD:
            raise DamagedInput(f"'{shown(below)}' is a link of a kind that is not known here")
        item = h5o.open(group, name)
        key = _key(item)
        if key in seen:
            yield Node(below, "alias", seen[key], "", utf8)
            continue
        seen[key] = below
        if isinstance(item, h5g.GroupID):
            if len(stack) >= MAX_DEPTH:
                raise DamagedInput(f"'{shown(below)}' lies deeper than {MAX_DEPTH} groups")
            stack.append((item, below, _links(item, by_name)))
            yield Node(below, "group", utf8=utf8)
        else:
            dataset = isinstance(item, h5py.h5d.DatasetID)
            yield Node(below, "dataset" if dataset else "datatype", utf8=utf8)


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")


def _key(item: Any) -> tuple[int, int]:
    info = h5o.get_info(item)
    return info.fileno, info.addr


def _links(group: h5g.GroupID, by_name: bool) -> list[bytes]:
    """Names in a group, the last one first."""
    tracked = group.get_create_plist().get_link_creation_order() & h5p.CRT_ORDER_TRACKED
    tracked = tracked and not by_name
    names: list[bytes] = []
    group.links.iterate(
        names.append, idx_type=h5.INDEX_CRT_ORDER if tracked else h5.INDEX_NAME, order=h5.ITER_INC
    )
    return names[::-1]


def check(file: Any, nodes: list[Node]) -> None:
    """Refuse what cannot be read, or should not be believed.

    Raises
    ------
    nwbkit.errors.DamagedInput
    nwbkit.errors.MissingExtra
        For a filter that is not installed.
    """
    if not isinstance(file, h5py.File):
        return
    size = os.path.getsize(file.filename)
    for node in nodes:
        _check_name(raw(node.name), f"'{shown(node.path)}'")
        if node.kind == "dataset":
            _check_dataset(h5py.h5d.open(file.id, raw(node.path)), shown(node.path), size)
        if node.kind in ("group", "dataset", "datatype"):
            _check_attributes(h5o.open(file.id, raw(node.path)), shown(node.path))


def _check_name(name: bytes, what: str) -> None:
    try:
        name.decode()
    except UnicodeDecodeError:
        raise DamagedInput(
            f"{what} has a name that is no UTF-8, which h5py does not take"
        ) from None


def _check_attributes(item: Any, path: str) -> None:
    for index in range(h5py.h5a.get_num_attrs(item)):
        attribute = h5py.h5a.open(item, index=index)
        _check_name(attribute.name, f"an attribute of '{path}'")
        try:
            _ = attribute.dtype
        except TypeError as error:
            name = _text(attribute.name)
            raise _unknown(f"attribute '{name}' of '{path}'", error) from None


def _unknown(what: str, error: Exception) -> DamagedInput:
    return DamagedInput(f"{what} has an element type that h5py does not read: {_said(error)}")


def _check_dataset(dataset: h5py.h5d.DatasetID, path: str, file_size: int) -> None:
    create = dataset.get_create_plist()
    if create.get_external_count():
        raise DamagedInput(f"the data of '{path}' lie in another file, which is not followed")
    if create.get_layout() == h5py.h5d.VIRTUAL:
        raise DamagedInput(f"'{path}' is put together from other files, which are not followed")
    try:
        _ = dataset.dtype
    except TypeError as error:
        raise _unknown(f"'{path}'", error) from None
    filters = filter_numbers(dataset)
    _check_filters(filters, path)
    itemsize = dataset.get_type().get_size()
    size = math.prod(dataset.shape or ()) * itemsize
    stored = min(dataset.get_storage_size(), file_size)
    ratio = 1
    if filters:
        ratio = _DEFLATE_RATIO if set(filters) <= set(_OWN) else _OTHER_RATIO
    if size > max(_FREE_BYTES, stored * ratio):
        raise DamagedInput(f"'{path}' declares {size} bytes, and {stored} bytes are stored for it")
    if create.get_layout() == h5py.h5d.CHUNKED:
        chunk = math.prod(create.get_chunk()) * itemsize
        if chunk > MAX_CHUNK_BYTES:
            raise DamagedInput(f"'{path}' declares chunks of {chunk} bytes")


def _check_filters(filters: tuple[int, ...], path: str) -> None:
    if decodable(filters) or all(h5z.filter_avail(f) for f in filters):
        return
    with contextlib.suppress(ImportError):
        importlib.import_module("hdf5plugin")
    for number in filters:
        if h5z.filter_avail(number) or decodable((number,)):
            continue
        name = FILTERS.get(number)
        label = f"HDF5 filter {number}" + (f", {name}" if name else "")
        if number in _PLUGIN:
            raise MissingExtra(f"decoding '{path}' ({label})", "codecs", package="hdf5plugin")
        raise _NoFilter(
            f"decoding '{path}' needs {label}, which is not installed and not in hdf5plugin",
            hint="h5repack by whoever has the filter: h5repack -f GZIP=4 IN.nwb OUT.nwb",
        )


class _NoFilter(NwbkitError):
    """A filter that no package we know of brings along."""

    status = 69
