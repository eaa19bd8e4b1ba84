"""A Zarr store as an HDF5 file, but for its large datasets.

Texts become UTF-8 of variable length, references and links become HDF5's own, and what hdmf
makes so that rows can be appended (objects with a type of their own) can grow here too.
"""

from __future__ import annotations

import posixpath
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from h5py import h5p, h5r

from nwbkit.errors import MissingFact
from nwbkit.storage.codec import AnyArray
from nwbkit.storage.planning import DatasetPlan, block_rows
from nwbkit.storage.repacking.elements import translated
from nwbkit.storage.repacking.hdf5 import lay_out, new_file, reading, writing
from nwbkit.storage.repacking.layout import SMALL, Layout
from nwbkit.storage.repacking.tree import Node, raw, shown
from nwbkit.storage.values import blocks
from nwbkit.zarrs.arrays import REFERENCE, TEXT
from nwbkit.zarrs.tree import Reference

#: Larger attributes than this do not fit an object's header.
_HEADER_BYTES = 60_000

_ITEM = 16


def unkeepable_here(file: Any, nodes: list[Node]) -> list[str]:
    """What of a store cannot be kept in HDF5: path and what stands there, in a few words."""
    found = []
    for node in nodes:
        path = shown(node.path)
        if node.kind == "external_link":
            found.append(f"'{path}' (a link into the store '{shown(node.filename)}')")
        if node.kind not in ("group", "dataset"):
            continue
        for name, value in file[node.path].attrs.items():
            array = np.asarray(value) if not isinstance(value, Reference) else None
            if isinstance(value, Reference):
                if value.source != "." or not value:
                    found.append(f"attribute '{name}' of '{path}' (a reference out of the store)")
            elif not _is_known(array):
                found.append(f"attribute '{name}' of '{path}' (an object of JSON)")
    return found


def _is_known(array: Any) -> bool:
    if array.dtype.kind == "O":
        return all(isinstance(v, str) for v in array.reshape(-1).tolist())
    return array.dtype.kind in "biufSU"


def write_from_store(file: Any, layout: Layout, part: Path) -> None:
    """Write everything but the rows of `layout`'s holes to the new file `part`.

    Raises
    ------
    nwbkit.errors.IOFailure
    nwbkit.errors.DamagedInput
        Where the store cannot be read.
    """
    with writing(part):
        oldest = "v108" if _has_long_attributes(file, layout.nodes) else "earliest"
        out = h5py.File(new_file(part, h5p.create(h5p.FILE_CREATE), oldest))
        try:
            _Make(file, out, layout).run()
        finally:
            out.close()


def _has_long_attributes(file: Any, nodes: list[Node]) -> bool:
    return any(
        isinstance(value, str | np.ndarray)
        and (len(value) if isinstance(value, str) else value.size * _ITEM) > _HEADER_BYTES
        for node in nodes
        if node.kind in ("group", "dataset")
        for value in file[node.path].attrs.values()
    )


class _Make:
    """One file under way."""

    def __init__(self, file: Any, out: h5py.File, layout: Layout) -> None:
        self.file, self.out, self.layout = file, out, layout
        self.holes = layout.by_path
        self.known = {n.path for n in layout.nodes if n.kind in ("group", "dataset")}

    def run(self) -> None:
        """Objects first, then what may refer to them."""
        for node in self.layout.nodes:
            if node.kind == "group" and node.path != "/":
                self.out.create_group(node.path)
            elif node.kind == "soft_link":
                self.out[node.path] = h5py.SoftLink(posixpath.join(node.parent, node.target))
            elif node.kind == "dataset":
                self._dataset(node)
        for node in self.layout.nodes:
            if node.kind in ("group", "dataset"):
                self._fill(node)

    def _dataset(self, node: Node) -> None:
        dataset = self.file[node.path]
        dtype, shape = _element(dataset), dataset.shape
        hole = self.holes.get(node.path)
        growing = bool(shape) and "neurodata_type" in dataset.attrs
        if hole is not None:
            dtype, plan = hole.dtype, hole.plan
        else:
            plan = self._small_plan(node.path, shape, dtype, growing)
        properties = h5p.create(h5p.DATASET_CREATE)
        lay_out(properties, plan, dtype if not dtype.hasobject else np.dtype("V16"))
        limits = (h5py.h5s.UNLIMITED, *shape[1:]) if growing else shape
        space = h5py.h5s.create_simple(shape, limits) if shape else h5py.h5s.create(h5py.h5s.SCALAR)
        tid = h5py.h5t.py_create(dtype, logical=True)
        parent = self.out[node.parent].id
        h5py.h5d.create(parent, raw(node.name), tid, space, dcpl=properties)

    def _small_plan(
        self, path: str, shape: tuple[int, ...], dtype: np.dtype[Any], growing: bool
    ) -> DatasetPlan:
        nothing = DatasetPlan(chunks=(), codec="none", shuffle=False)
        if not shape:
            return nothing
        size = int(np.prod(shape)) * (_ITEM if dtype.hasobject else dtype.itemsize)
        if size <= SMALL:
            return DatasetPlan(tuple(max(1, n) for n in shape)) if growing else nothing
        plan = self.layout.plan(path, shape, np.dtype("V16"))
        chunks = tuple(min(c, n) for c, n in zip(plan.chunks, shape, strict=True))
        return DatasetPlan(chunks)

    def _fill(self, node: Node) -> None:
        item, made = self.file[node.path], self.out[node.path]
        if node.kind == "dataset" and node.path not in self.holes:
            self._rows(node, item, made)
        for name, value in item.attrs.items():
            self._attribute(node, made, name, value)

    def _attribute(self, node: Node, made: Any, name: str, value: Any) -> None:
        if node.path == "/" and name == ".specloc" and isinstance(value, str):
            # HDF5's root refers to the cached schema, Zarr's names it
            value = Reference(posixpath.join("/", value))
        if isinstance(value, Reference):
            made.attrs.create(name, self._reference(value, node.path), dtype=REFERENCE)
            return
        array = np.asarray(value)
        if array.dtype.kind in "OSU" or not array.size:
            # a list without elements says nothing of their type; those of NWB are of texts
            empty = not array.size and array.dtype.kind not in "OSU"
            data = np.empty(array.shape, object) if empty else array.astype(object)
            made.attrs.create(name, data, array.shape, dtype=TEXT)
            return
        made.attrs.create(name, value)

    def _rows(self, node: Node, dataset: Any, made: h5py.Dataset) -> None:
        dtype = made.dtype
        if dataset.shape == ():
            with reading(node.path):
                value = np.empty((), dtype)
                value[()] = dataset[()]
            made[()] = self._translated(value, dtype, node.path)[()]
            return
        for start, stop in blocks(dataset.shape, block_rows(dataset.shape, 64)):
            with reading(node.path):
                rows = dataset[start:stop]
            made[start:stop] = self._translated(rows, dtype, node.path)

    def _translated(self, rows: AnyArray, dtype: np.dtype[Any], path: str) -> AnyArray:
        values = np.empty(rows.shape, dtype)  # rows with fields come as objects
        values[...] = rows
        return translated(values, dtype, lambda reference: self._reference(reference, path))

    def _reference(self, reference: Any, where: str) -> Any:
        if not isinstance(reference, Reference):
            return reference
        path = posixpath.normpath(posixpath.join("/", reference.path))
        if reference.source != "." or not reference or path not in self.known:
            raise MissingFact(
                f"'{shown(where)}' refers to '{shown(reference.path)}', which is not in the store"
            )
        return h5r.create(self.out.id, raw(path), h5r.OBJECT)


def _element(dataset: Any) -> np.dtype[Any]:
    """The element type that h5py is asked for."""
    dtype: np.dtype[Any] = dataset.dtype
    if getattr(dataset, "is_text", False):
        filters = [f.get("id") for f in dataset.chain.filters]
        return h5py.string_dtype("ascii") if "vlen-bytes" in filters else TEXT
    return dtype if dtype.hasobject else dtype.newbyteorder("<")
