"""A copy of an HDF5 file but for its large datasets, object by object.

Types, attributes, links and creation properties are taken over as HDF5 has them, not as h5py
shows them: elements without pointers (numbers of any kind, texts of fixed length, bit fields)
are copied as bytes, and only texts of variable length and references go through numpy.
References are made anew, to the objects of the new file.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from h5py import h5a, h5d, h5g, h5o, h5p, h5r, h5s, h5t

from nwbkit.errors import DamagedInput, MissingFact
from nwbkit.storage.codec import AnyArray, filters_of
from nwbkit.storage.hdf5 import io_failure
from nwbkit.storage.planning import DatasetPlan
from nwbkit.storage.repacking.elements import (
    is_flat,
    itemsize_of,
    key_of,
    stand_in,
    translated,
)
from nwbkit.storage.repacking.layout import SMALL, Layout
from nwbkit.storage.repacking.rows import little_type
from nwbkit.storage.repacking.tree import Node, raw, shown
from nwbkit.zarrs.blosc import ChunkError

#: Larger attributes than this do not fit an object's header; older HDF5 (before 1.8) cannot
#: read the files that keep them elsewhere.
_HEADER_BYTES = 60_000

#: Rows of small datasets are copied in pieces of about this size.
_PIECE_BYTES = 4 << 20


#: Where named types wait until their place in the tree comes.
_WAITING = b".nwbkit-types"


def write_copy(file: h5py.File, layout: Layout, part: Path) -> None:
    """Write everything but the rows of `layout`'s holes to the new file `part`.

    Raises
    ------
    nwbkit.errors.IOFailure
    nwbkit.errors.DamagedInput
        Where the input cannot be read.
    nwbkit.errors.MissingFact
        For a reference to what has no name.
    """
    with writing(part):
        out = _create(file, layout, part)
        try:
            _Copy(file, out, layout).run()
        finally:
            out.close()


@contextlib.contextmanager
def writing(part: Path) -> Iterator[None]:
    """Tell failures to write from failures to read: the latter are DamagedInput by now."""
    try:
        yield
    except OSError as error:
        raise io_failure(part, error) from error


@contextlib.contextmanager
def reading(path: str) -> Iterator[None]:
    """What HDF5 raises inside is damage of the object at `path`."""
    try:
        yield
    except (OSError, RuntimeError, ValueError, KeyError, TypeError, ChunkError) as error:
        reason = " ".join(str(error).strip("'\"").split()).lower()
        raise DamagedInput(f"{_quoted(path)} cannot be read: {reason}") from error


def _quoted(where: str) -> str:
    """A path, or an attribute and its path, for a message."""
    attribute, of, path = where.rpartition(" of /")
    return (
        f"{attribute} of '/{shown(path)}'" if of and attribute[:1] == "a" else f"'{shown(where)}'"
    )


def _create(file: h5py.File, layout: Layout, part: Path) -> h5py.File:
    oldest = "v108" if _has_long_attributes(file, layout.nodes) else "earliest"
    root = h5g.open(file.id, b"/").get_create_plist()
    create = h5p.create(h5p.FILE_CREATE)
    create.set_userblock(file.userblock_size)
    create.set_link_creation_order(root.get_link_creation_order())
    create.set_attr_creation_order(root.get_attr_creation_order())
    return h5py.File(new_file(part, create, oldest))


def new_file(part: Path, create: Any, oldest: str) -> Any:
    """A new HDF5 file that readers of today and of ten years ago open."""
    access = h5p.create(h5p.FILE_ACCESS)
    access.set_fclose_degree(h5py.h5f.CLOSE_STRONG)
    low = h5py.h5f.LIBVER_EARLIEST if oldest == "earliest" else h5py.h5f.LIBVER_V18
    access.set_libver_bounds(low, h5py.h5f.LIBVER_V110)
    return h5py.h5f.create(raw(str(part)), h5py.h5f.ACC_EXCL, fcpl=create, fapl=access)


def _has_long_attributes(file: h5py.File, nodes: list[Node]) -> bool:
    for node in nodes:
        if node.kind not in ("group", "dataset", "datatype"):
            continue
        item = h5o.open(file.id, raw(node.path))
        for index in range(h5a.get_num_attrs(item)):
            attribute = h5a.open(item, index=index)
            elements = math.prod(attribute.shape) if attribute.shape is not None else 0
            if elements * attribute.get_type().get_size() > _HEADER_BYTES:
                return True
    return False


class _Copy:
    """One copy under way."""

    def __init__(self, file: h5py.File, out: h5py.File, layout: Layout) -> None:
        self.file, self.out, self.layout = file, out, layout
        self.holes = layout.by_path
        #: What references and named types point to -> path in both files.
        self.paths: dict[tuple[int, int], str] = {}
        self.types: dict[tuple[int, int], h5t.TypeID] = {}

    def run(self) -> None:
        """Objects first, then what may refer to them."""
        for node in self.layout.nodes:
            if node.kind in ("group", "dataset", "datatype"):
                self.paths[key_of(h5o.open(self.file.id, raw(node.path)))] = node.path
        self._name_types()
        for node in self.layout.nodes:
            if node.path != "/":
                self._make(node)
        if self.types:
            self.out.id.unlink(_WAITING)
        for node in self.layout.nodes:
            if node.kind in ("group", "dataset", "datatype"):
                self._fill(node)

    def _name_types(self) -> None:
        named = [node for node in self.layout.nodes if node.kind == "datatype"]
        if not named:
            return
        waiting = h5g.create(self.out.id, _WAITING)
        for number, node in enumerate(named):
            with reading(node.path):
                old = h5t.open(self.file.id, raw(node.path))
                made = old.copy()
            made.commit(waiting, str(number).encode())
            self.types[key_of(old)] = made

    def _type(self, tid: h5t.TypeID) -> h5t.TypeID:
        """A type of the old file in the new one: named ones stay one and the same."""
        if not tid.committed():
            return tid
        return self.types.get(key_of(tid)) or tid.copy()

    def _make(self, node: Node) -> None:
        path = raw(node.path)
        link = h5p.create(h5p.LINK_CREATE)
        link.set_char_encoding(h5t.CSET_UTF8 if node.utf8 else h5t.CSET_ASCII)
        parent = h5g.open(self.out.id, raw(node.parent))
        name = raw(node.name)
        if node.kind == "soft_link":
            parent.links.create_soft(name, raw(node.target), lcpl=link)
        elif node.kind == "external_link":
            filename = self.layout.external.get(node.path, node.filename)
            parent.links.create_external(name, raw(filename), raw(node.target), lcpl=link)
        elif node.kind == "alias":
            h5o.link(h5o.open(self.out.id, raw(node.target)), parent, name, lcpl=link)
        elif node.kind == "group":
            # not the old group's own list: HDF5 leaves addresses of the old file in it
            old = h5g.open(self.file.id, path).get_create_plist()
            properties = h5p.create(h5p.GROUP_CREATE)
            properties.set_link_creation_order(old.get_link_creation_order())
            properties.set_attr_creation_order(old.get_attr_creation_order())
            h5g.create(parent, name, lcpl=link, gcpl=properties)
        elif node.kind == "datatype":
            h5o.link(self.types[key_of(h5t.open(self.file.id, path))], parent, name, lcpl=link)
        else:
            made = self._dataset(node)
            h5o.link(made, parent, name, lcpl=link)

    def _dataset(self, node: Node) -> h5d.DatasetID:
        with reading(node.path):
            old = h5d.open(self.file.id, raw(node.path))
            space, tid = old.get_space(), old.get_type()
            properties = old.get_create_plist()
        shape, limits = _extent(space)
        hole = self.holes.get(node.path)
        if hole is not None:
            plan = hole.plan
            kept = little_type(tid, old.dtype)
            tid = self._type(tid) if kept is tid else kept
        else:
            plan = self._small_plan(node.path, tid, shape, limits, properties)
            tid = self._type(tid)
        lay_out(properties, plan, hole.dtype if hole is not None else stand_in(tid))
        return h5d.create(self.out.id, None, tid, space, dcpl=properties)

    def _small_plan(
        self,
        path: str,
        tid: h5t.TypeID,
        shape: tuple[int, ...],
        limits: tuple[int, ...],
        properties: Any,
    ) -> DatasetPlan:
        itemsize = itemsize_of(tid)
        growing = shape != limits
        if not shape or (not growing and math.prod(shape) * itemsize <= SMALL):
            return DatasetPlan(chunks=(), codec="none", shuffle=False)
        if 0 in shape or math.prod(shape) * itemsize <= SMALL:
            chunked = properties.get_layout() == h5d.CHUNKED
            chunks = properties.get_chunk() if chunked else tuple(max(1, n) for n in shape)
            if not growing:
                return DatasetPlan(chunks=(), codec="none", shuffle=False)
            return DatasetPlan(_bounded(chunks, itemsize))
        plan = self.layout.plan(path, shape, stand_in(tid))
        if plan.codec != "gzip":  # HDF5 itself packs these: with what it has everywhere
            plan = DatasetPlan(plan.chunks, shuffle=plan.shuffle)
        return DatasetPlan(
            tuple(min(c, n) for c, n in zip(plan.chunks, shape, strict=True)),
            plan.codec,
            plan.level,
            plan.shuffle and itemsize > 1,
            plan.fletcher32,
        )

    def _fill(self, node: Node) -> None:
        old, new = (h5o.open(f.id, raw(node.path)) for f in (self.file, self.out))
        if node.kind == "dataset" and node.path not in self.holes:
            self._rows(node, old, new)
        for index in range(h5a.get_num_attrs(old)):
            self._attribute(node, h5a.open(old, index=index, index_type=self._order(old)), new)

    def _order(self, item: Any) -> int:
        """Attributes are copied in the order in which they were made, where that is known."""
        create = item.get_create_plist() if hasattr(item, "get_create_plist") else None
        tracked = create is not None and create.get_attr_creation_order() & h5p.CRT_ORDER_TRACKED
        return int(h5py.h5.INDEX_CRT_ORDER if tracked else h5py.h5.INDEX_NAME)

    def _attribute(self, node: Node, old: h5a.AttrID, new: Any) -> None:
        where = f"attribute '{shown(old.name.decode('utf-8', 'surrogateescape'))}' of {node.path}"
        with reading(where):
            space, tid = old.get_space(), old.get_type()
        made = h5a.create(new, old.name, self._type(tid), space)
        if space.get_simple_extent_type() == h5s.NULL or 0 in old.shape:
            return
        if is_flat(tid):
            data = np.empty(max(1, math.prod(old.shape)) * tid.get_size(), np.uint8)
            with reading(where):
                old.read(data, mtype=tid)
            made.write(data, mtype=tid)
            return
        values = np.empty(old.shape, old.dtype)
        with reading(where):
            old.read(values)
        made.write(self._translated(values, old.dtype, where))

    def _rows(self, node: Node, old: h5d.DatasetID, new: h5d.DatasetID) -> None:
        space, tid = old.get_space(), old.get_type()
        if space.get_simple_extent_type() == h5s.NULL or 0 in old.shape:
            return
        flat, dtype = is_flat(tid), old.dtype
        for memory, place, shape in _pieces(space, itemsize_of(tid)):
            if flat:
                data = np.empty(max(1, math.prod(shape)) * tid.get_size(), np.uint8)
                with reading(node.path):
                    old.read(memory, place, data, mtype=tid)
                new.write(memory, place, data, mtype=tid)
                continue
            values = np.empty(shape, dtype)
            with reading(node.path):
                old.read(memory, place, values)
            new.write(memory, place, self._translated(values, dtype, node.path))

    def _translated(self, values: AnyArray, dtype: np.dtype[Any], where: str) -> AnyArray:
        return translated(values, dtype, lambda reference: self._reference(reference, where))

    def _reference(self, reference: Any, where: str) -> Any:
        """The same reference into the new file."""
        if not reference:
            return reference
        try:
            target = h5r.dereference(reference, self.file.id)
            path = raw(self.paths[key_of(target)])
        except (KeyError, ValueError, RuntimeError, OSError):
            raise MissingFact(
                f"{_quoted(where)} refers to what has no name in the file any more, which "
                "cannot be kept",
            ) from None
        if isinstance(reference, h5py.RegionReference):
            region = h5r.get_region(reference, self.file.id)
            return h5r.create(self.out.id, path, h5r.DATASET_REGION, region)
        return h5r.create(self.out.id, path, h5r.OBJECT)


def _extent(space: h5s.SpaceID) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Shape and maxshape (the largest number for "no limit"); both empty for scalars."""
    if space.get_simple_extent_type() != h5s.SIMPLE:
        return (), ()
    return space.get_simple_extent_dims(), space.get_simple_extent_dims(True)


def _bounded(chunks: tuple[int, ...], itemsize: int) -> tuple[int, ...]:
    """A chunk shape of at most 1 MiB, from that of the old file."""
    sizes = list(chunks)
    while math.prod(sizes) * itemsize > 1 << 20 and max(sizes) > 1:
        largest = sizes.index(max(sizes))
        sizes[largest] = -(-sizes[largest] // 2)
    return tuple(sizes)


def lay_out(properties: Any, plan: DatasetPlan, dtype: np.dtype[Any]) -> None:
    """Give a dataset's creation properties the chunks and filters of `plan`; the rest stays."""
    properties.remove_filter(0)  # all of them
    properties.set_alloc_time(h5d.ALLOC_TIME_DEFAULT)
    properties.set_obj_track_times(False)
    if not plan.chunks:
        properties.set_layout(h5d.CONTIGUOUS)
        return
    properties.set_layout(h5d.CHUNKED)
    properties.set_chunk(plan.chunks)
    for number, values in filters_of(plan, dtype):
        if number == h5py.h5z.FILTER_SHUFFLE:
            properties.set_shuffle()
        elif number == h5py.h5z.FILTER_DEFLATE:
            properties.set_deflate(values[0])
        elif number == h5py.h5z.FILTER_FLETCHER32:
            properties.set_fletcher32()
        else:
            properties.set_filter(number, h5py.h5z.FLAG_OPTIONAL, values)


def _pieces(
    space: h5s.SpaceID, itemsize: int
) -> Iterator[tuple[h5s.SpaceID, h5s.SpaceID, tuple[int, ...]]]:
    """Memory space, file space and shape of stretches of rows of a few megabytes."""
    if space.get_simple_extent_type() != h5s.SIMPLE:
        yield h5s.create(h5s.SCALAR), space, ()
        return
    shape = space.get_simple_extent_dims()
    row = max(1, math.prod(shape[1:]) * itemsize)
    step = max(1, _PIECE_BYTES // row)
    for start in range(0, shape[0], step):
        count = (min(step, shape[0] - start), *shape[1:])
        place = space.copy()
        place.select_hyperslab((start, *(0 for _ in shape[1:])), count)
        yield h5s.create_simple(count), place, count


def copy_userblock(source: Path, part: Path, size: int) -> None:
    """Put the bytes before HDF5's own of `source` into `part`."""
    if not size:
        return
    try:
        with open(source, "rb") as old, open(part, "r+b") as new:
            new.write(old.read(size))
    except OSError as error:
        raise io_failure(part, error) from error
