"""A Zarr v2 store of NWB as h5py shows a file: groups, datasets, attributes, links.

Only what nwbkit asks of h5py is here. Metadata are read from each object's own files, not
from ``.zmetadata``; values are decoded chunk by chunk, and a missing chunk is damage, since
hdmf-zarr writes all of them. Nothing outside of the store is opened.

Sources: Zarr v2 specification; hdmf-zarr 0.13, "Storage specification" (``zarr_dtype``,
``zarr_link``, references as ``{source, path}``).
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import h5py

from nwbkit.zarrs.arrays import Dataset
from nwbkit.zarrs.nodes import Node, Reference, TreeError

__all__ = ["CONSOLIDATED", "Dataset", "File", "Group", "Reference", "TreeError"]

CONSOLIDATED = ".zmetadata"


class Group(Node):
    """A group. Links inside the store are followed by name, others are not."""

    @property
    def links(self) -> dict[str, tuple[str, str]]:
        """By name: store and path that each link points to."""
        found = self.attrs.raw.get("zarr_link", [])
        links = {}
        for link in found if isinstance(found, list) else []:
            if isinstance(link, dict) and isinstance(link.get("name"), str):
                links[link["name"]] = (str(link.get("source", ".")), str(link.get("path", "")))
        return links

    def __iter__(self) -> Iterator[str]:
        names = set(self.links)
        with os.scandir(self.folder) as entries:
            for entry in entries:
                if not entry.name.startswith(".") and is_node(Path(entry.path)):
                    names.add(entry.name)
        return iter(sorted(names))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def keys(self) -> list[str]:
        """Names of what is below."""
        return list(self)

    def items(self) -> Iterator[tuple[str, Any]]:
        """Names and objects of what is below."""
        return ((name, self[name]) for name in self)

    def values(self) -> Iterator[Any]:
        """Objects of what is below."""
        return (self[name] for name in self)

    def __contains__(self, name: str) -> bool:
        try:
            self[name]
        except KeyError:
            return False
        return True

    def __getitem__(self, name: Any) -> Any:
        if isinstance(name, Reference):
            if not name or name.source != ".":
                raise KeyError("a reference out of the store")
            return self.file[name.path]
        at: Any = self.file if name.startswith("/") else self
        for part in filter(None, name.split("/")):
            if not isinstance(at, Group) or part in (".", ".."):
                raise KeyError(name)
            at = at._child(part)
        return at

    def _child(self, name: str, depth: int = 0) -> Any:
        link = self.links.get(name)
        if link is not None:
            if link[0] != "." or self.file.following > 16:
                raise KeyError(name)
            self.file.following += 1
            try:
                return self.file[posixpath.join("/", link[1])]
            finally:
                self.file.following -= 1
        return self.file.open(posixpath.join(self.name, name))

    def get(self, name: str, default: Any = None, getlink: bool = False) -> Any:
        """As h5py: the object called `name`, or its link."""
        if not getlink:
            try:
                return self[name]
            except KeyError:
                return default
        link = self.links.get(name)
        if link is None:
            return h5py.HardLink() if is_node(self.folder / name) else default
        if link[0] != ".":
            return h5py.ExternalLink(link[0], link[1])
        return h5py.SoftLink(link[1])


class File(Group):
    """An opened store; a context manager.

    Parameters
    ----------
    path : path
        Of the folder.

    Raises
    ------
    TreeError
        Where it is no Zarr v2 group, or its metadata are damaged.
    """

    def __init__(self, path: str | Path) -> None:
        self.filename = os.fspath(path)
        self.folder: Path = Path(path)
        self.following = 0
        self._open: dict[str, Any] = {"/": self}
        if not (self.folder / ".zgroup").exists():
            what = "no such folder" if not self.folder.is_dir() else "no Zarr v2 group"
            raise TreeError(f"'{self.folder.name}' is {what}")
        super().__init__(self, "/")

    def open(self, name: str) -> Any:
        """The group or dataset at a path without links in it."""
        if name not in self._open:
            folder = self.folder.joinpath(*name.split("/")[1:])
            if (folder / ".zarray").exists():
                self._open[name] = Dataset(self, name)
            elif (folder / ".zgroup").exists():
                self._open[name] = Group(self, name)
            else:
                raise KeyError(f"there is no '{name}'")
        return self._open[name]

    def __enter__(self) -> File:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.clear()


def is_node(folder: Path) -> bool:
    """Whether a folder is a Zarr v2 group or array."""
    return (folder / ".zarray").exists() or (folder / ".zgroup").exists()
