"""Canonical paths of what a Zarr store holds; the twin of :class:`nwbkit.storage.content.Names`.

Zarr knows neither links nor references: hdmf-zarr keeps them as attributes and as JSON, with
paths. Here they become what HDF5's are, so that the content digests of both agree.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from typing import Any

import h5py

from nwbkit.storage.content import Kind, Names
from nwbkit.zarrs.tree import Dataset, Reference


class ZarrNames(Names):
    """Canonical path of every object of a store, and of what references point to."""

    def _walk(self, item: Any, path: str) -> Iterator[tuple[str, Kind, str]]:
        if isinstance(item, Dataset):
            yield path, "dataset", ""
            return
        yield path, "group", ""
        for name in item:
            below = posixpath.join(path, name)
            link = item.get(name, getlink=True)
            if isinstance(link, h5py.ExternalLink):
                yield below, "external_link", f"{link.filename}:{link.path}"
            elif isinstance(link, h5py.SoftLink):
                yield below, "soft_link", posixpath.normpath(posixpath.join(path, link.path))
            else:
                yield from self._walk(item[name], below)

    def resolve(self, reference: Any) -> str:
        """Return the path that `reference` points to; ``null`` and ``dangling`` where none."""
        if not isinstance(reference, Reference) or not reference:
            return "null"
        path = posixpath.normpath(posixpath.join("/", reference.path))
        kind, _ = self.objects.get(path, ("", ""))
        known = kind in ("group", "dataset") and reference.source == "."
        return path if known else "dangling"
