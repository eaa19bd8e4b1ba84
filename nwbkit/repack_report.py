"""convert -n of an NWB file: each dataset's old and new layout, and what must be known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nwbkit.text import count_text, size_text

if TYPE_CHECKING:
    from nwbkit.repack_work import Repack
    from nwbkit.storage.holes import Hole


def describe(work: Repack) -> str:
    """What a repack would do, as text."""
    from nwbkit.storage.pipeline import memory_needed
    from nwbkit.storage.planning import format_size
    from nwbkit.storage.policies import n_objects
    from nwbkit.storage.sampling import expected_bytes

    holes, backend = work.layout.holes, work.layout.backend
    lines = [f"would write '{work.request.output}' with the content of '{work.source.name}'"]
    total = 0
    for hole in holes:
        stored = expected_bytes(hole, len(holes))
        total += stored
        lines.append(f"  {hole.path}: {hole.dtype} {list(hole.shape)}, {size_text(hole.nbytes)}")
        lines.append(f"    from {_old(work.file[hole.path])}")
        count = n_objects(hole.plan, hole.shape, backend)
        text = f"    to {_new(hole)}, about {size_text(stored)}"
        lines.append(f"{text} in {count_text(count, 'object')}")
    others = [n for n in work.layout.nodes if n.kind == "dataset"]
    lines.append(f"  and {count_text(len(others) - len(holes), 'small dataset')}")
    raw = sum(hole.nbytes for hole in holes)
    lines.append(f"disk: about {size_text(total)}, {size_text(raw)} before compression")
    lines.append(f"memory: {format_size(memory_needed(holes))} of buffers for each of the jobs")
    lines += [f"note: {note}" for note in work.notes]
    name = "Zarr" if backend == "zarr" else "HDF5"
    lines += [f"error: {name} cannot keep {each}" for each in work.refused]
    return "\n".join(lines) + "\n"


def _new(hole: Hole) -> str:
    from nwbkit.chunk_plan import codec_text

    return f"chunks {list(hole.plan.chunks)}, {codec_text(hole.plan)}"


def _old(dataset: Any) -> str:
    """How a dataset is stored now."""
    if not hasattr(dataset, "id"):
        names = [f.get("id") for f in dataset.chain.filters]
        names += [dataset.chain.compressor["id"]] if dataset.chain.compressor else []
        return f"chunks {list(dataset.chunks)}, {' '.join(map(str, names)) or 'none'}"
    if not dataset.chunks:
        return "one piece, none"
    from nwbkit.storage.repacking.tree import FILTERS
    from nwbkit.storage.stored import filter_numbers

    names = [FILTERS.get(n, f"filter {n}") for n in filter_numbers(dataset.id)]
    return f"chunks {list(dataset.chunks)}, {' '.join(names) or 'none'}"
