"""What a repacking settles before a byte is written: objects, layout, links, identity."""

from __future__ import annotations

import hashlib
import json
import math
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nwbkit import __version__
from nwbkit.errors import UnknownFormat
from nwbkit.repack_plans import Plans, read_repack_plan
from nwbkit.session import fingerprint

if TYPE_CHECKING:
    from nwbkit.convert import Request
    from nwbkit.documents.sources import SessionEntry
    from nwbkit.storage.backends import Backend
    from nwbkit.storage.holes import Hole
    from nwbkit.storage.repacking.layout import Layout

#: Objects that a note names; the rest is counted.
_NAMED = 3

#: Chunk files of a store whose bytes make its fingerprint, beside its metadata.
_SAMPLED = 64


@dataclass
class Repack:
    """A repacking under way.

    Attributes
    ----------
    request : Request
    entry : SessionEntry
        Of the one source.
    source : Path
    file : h5py.File or nwbkit.zarrs.tree.File
        Open.
    prints : str
        Fingerprint of the source.
    plans : Plans
    layout : Layout
    refused : list of str
        What the output's back end cannot keep.
    notes : list of str
    """

    request: Request
    entry: SessionEntry
    source: Path
    file: Any
    prints: str
    plans: Plans
    layout: Layout
    refused: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    began: float = field(default_factory=time.perf_counter)
    measured: dict[str, Any] = field(default_factory=dict)
    sums: bytes | None = None

    @property
    def out(self) -> Path:
        """Where the output will lie."""
        return Path(self.request.output)

    @property
    def parts(self) -> dict[str, Any]:
        """What decides what the output holds."""
        return {
            "nwbkit": __version__.rpartition(".")[0],
            "repack": True,
            "source": self.prints,
            "plan": self.plans,
            "backend": self.layout.backend,
            "external": self.layout.external,
        }

    @property
    def identity(self) -> str:
        """Digest of :attr:`parts`."""
        text = json.dumps(self.parts, sort_keys=True, default=str)
        return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()

    @property
    def across(self) -> bool:
        """Whether the output has another back end than the input."""
        return self.source.is_dir() != (self.layout.backend == "zarr")


@contextmanager
def prepared(request: Request, entry: SessionEntry) -> Iterator[Repack]:
    """Open the source and settle what becomes of it; nothing is written yet."""
    from nwbkit.storage.backends import backend_of
    from nwbkit.storage.repacking import tree
    from nwbkit.storage.repacking.from_zarr import unkeepable_here
    from nwbkit.storage.repacking.layout import lay_out
    from nwbkit.storage.repacking.zarr_limits import unkeepable

    source = Path(entry.sources[0].paths[0])
    backend = backend_of(request.output)
    with tree.opened(source) as file:
        if "nwb_version" not in file.attrs:
            kind = "a Zarr store" if source.is_dir() else "an HDF5 file"
            raise UnknownFormat(f"'{source.name}' is {kind} without nwb_version: no NWB file")
        nodes = tree.nodes_of(file, by_name=backend == "zarr")
        tree.check(file, nodes)
        prints = source_print(source)
        plans = read_repack_plan(request.plan, codec=request.codec, backend=backend)
        plans.bind(entry.sources[0].id, prints)
        layout = lay_out(source, file, nodes, backend, plans.plan_of)
        plans.check_used([node.path for node in nodes if node.kind == "dataset"])
        work = Repack(request, entry, source, file, prints, plans, layout)
        _external(work)
        if backend == "zarr":
            work.refused = unkeepable(file, nodes)
        elif source.is_dir():
            work.refused = unkeepable_here(file, nodes)
        work.notes += _notes(work)
        yield work


@contextmanager
def stored_holes(entry: SessionEntry, backend: Backend) -> Iterator[tuple[list[Hole], Path, str]]:
    """The large datasets of an NWB file, its path and its fingerprint, for ``chunk-plan``."""
    from nwbkit.storage.repacking import tree
    from nwbkit.storage.repacking.layout import lay_out

    source = Path(entry.sources[0].paths[0])
    with tree.opened(source) as file:
        nodes = tree.nodes_of(file)
        tree.check(file, nodes)
        layout = lay_out(source, file, nodes, backend, Plans(backend=backend).plan_of)
        yield layout.holes, source, source_print(source)


def source_print(source: Path) -> str:
    """A digest that tells whether an NWB file or store is the same, wherever it lies.

    Of a store all names and sizes count, the bytes of its metadata, and those of 64 chunks.
    """
    if not source.is_dir():
        return fingerprint(source)
    files = sorted(p for p in source.rglob("*") if p.is_file())
    chunks = [p for p in files if not p.name.startswith(".")]
    chosen = set(chunks[:: max(1, len(chunks) // _SAMPLED)])
    machine = hashlib.sha256()
    for path in files:
        name = os.fsencode(path.relative_to(source))
        machine.update(b"%d " % path.stat().st_size + name + b"\n")
        if path in chosen or path.name.startswith("."):
            machine.update(fingerprint(path).encode())
    return machine.hexdigest()


def _external(work: Repack) -> None:
    """Have links to other files name the same files from where the output will lie."""
    old = Path(os.path.abspath(work.source))
    new = Path(os.path.abspath(work.out))
    # a store names others from within itself, a file from beside itself
    here, there = (old, new) if work.source.is_dir() else (old.parent, new.parent)
    if here == there:
        return
    for node in work.layout.nodes:
        if node.kind != "external_link" or os.path.isabs(node.filename):
            continue
        moved = os.path.relpath(os.path.join(here, node.filename), there)
        if moved == os.path.normpath(node.filename):
            continue
        work.layout.external[node.path] = moved
        work.notes.append(
            f"the link '{node.path}' into '{node.filename}' names '{moved}' from the new place"
        )


def _notes(work: Repack) -> list[str]:
    """What a user should know of the copy."""
    from nwbkit.storage.planning import layout_warnings

    notes = []
    turned = [h.path for h in work.layout.holes if h.source.dtype != h.dtype]
    if turned:
        notes.append(f"{_few(turned)}: stored little-endian now, with the same values")
    if work.layout.backend == "zarr":
        aliases = [n.path for n in work.layout.nodes if n.kind == "alias"]
        if aliases:
            notes.append(f"{_few(aliases)}: a second name in HDF5, a link in Zarr")
    if Path(os.path.abspath(work.source)).parent != Path(os.path.abspath(work.out)).parent:
        for path in _external_files(work):
            notes.append(
                f"'{path}' names files from where the NWB file lies: they have to come along"
            )
    notes += _tall(work)
    plans = {hole.key: hole.plan for hole in work.layout.holes}
    return notes + layout_warnings(plans, work.layout.backend)


def _tall(work: Repack) -> Iterator[str]:
    """Datasets whose chunks are so tall that few rows of all columns cannot be had cheaply."""
    from nwbkit.storage.planning import format_size

    for hole in work.layout.holes:
        source = hole.source
        line = source.block_rows * math.prod(source.shape[1:]) * source.dtype.itemsize
        chunks = getattr(work.file[hole.path], "chunks", None)
        alone = chunks is not None and tuple(chunks[1:]) == tuple(source.shape[1:])
        if line * 2 > work.request.max_memory and not alone:
            yield (
                f"'{hole.path}' has chunks of {source.block_rows} rows, which are inflated again "
                f"and again where memory is short: --max-memory {format_size(line * 3)} is faster"
            )


def _external_files(work: Repack) -> Iterator[str]:
    """Datasets that name files beside the NWB file, as ImageSeries do."""
    for node in work.layout.nodes:
        if node.kind != "dataset" or node.name != "external_file":
            continue
        dataset = work.file[node.path]
        if not dataset.shape or dataset.shape[0] > 10_000:
            continue
        names = [
            v.decode("utf-8", "replace") if isinstance(v, bytes) else str(v) for v in dataset[:]
        ]
        if any(not os.path.isabs(n) and "://" not in n for n in names):
            yield node.path


def _few(paths: list[str]) -> str:
    more = f" and {len(paths) - _NAMED} more" if len(paths) > _NAMED else ""
    return ", ".join(f"'{p}'" for p in paths[:_NAMED]) + more
