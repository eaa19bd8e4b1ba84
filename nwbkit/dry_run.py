"""convert -n: the tree that would be written, what is missing, and what it takes."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nwbkit.text import count_text, size_text

if TYPE_CHECKING:
    from nwbkit.nwb.assemble import Written
    from nwbkit.preparing import Settled
    from nwbkit.storage.holes import Hole


def describe(
    settled: Settled,
    output: str,
    timezone: str | None,
    holes: Sequence[Hole],
    written: Mapping[str, Written],
) -> str:
    """What a convert to `output` would do, as text."""
    from nwbkit.metadata.validate import validate
    from nwbkit.storage.backends import backend_of
    from nwbkit.storage.pipeline import memory_needed
    from nwbkit.storage.planning import format_size, layout_warnings
    from nwbkit.storage.policies import n_objects
    from nwbkit.storage.sampling import expected_bytes

    backend = backend_of(output)
    stored = {hole.key: expected_bytes(hole, len(holes)) for hole in holes}
    lines = [f"would write '{output}'", f"  session_start_time {settled.start.isoformat()}"]
    for address, where in written.items():
        rows = f", {where.rows} rows" if where.rows is not None else ""
        lines += [f"  {path}  from {address}{rows}" for path in where.nwb_paths]
        for hole in holes:
            if hole.key.rpartition(":")[0] == address:
                lines += _layout(hole, stored[hole.key], n_objects(hole.plan, hole.shape, backend))
    for name, anchor in settled.clocks.anchors.items():
        lines.append(f"  clock {name}: offset {anchor.session_offset_s} s ({anchor.how})")
    raw, needed = sum(hole.nbytes for hole in holes), sum(stored.values())
    lines.append(f"disk: about {size_text(needed)}, {size_text(raw)} before compression")
    lines.append(f"memory: {format_size(memory_needed(holes))} of buffers for each of the jobs")
    count = sum(n_objects(hole.plan, hole.shape, backend) for hole in holes)
    lines.append(f"objects: {count_text(count, 'file' if backend == 'zarr' else 'chunk')}")
    if warning := _room(output, needed):
        lines.append(f"warning: {warning}")
    plans = {hole.key: hole.plan for hole in holes}
    lines += [f"warning: {each}" for each in layout_warnings(plans, backend)]
    for finding in validate(settled.metadata, timezone=timezone).findings:
        lines.append(f"{finding.severity}: {finding.where}: {finding.message}")
    return "\n".join(lines) + "\n"


def _layout(hole: Hole, stored: int, objects: int) -> list[str]:
    from nwbkit.chunk_plan import codec_text
    from nwbkit.storage.planning import peak_memory

    plan = hole.plan
    memory = peak_memory(plan, hole.shape, hole.dtype)
    chunks = f"chunks {list(plan.chunks)}, " if plan.chunks else ""
    return [
        f"    {hole.key.rpartition(':')[2]}: {hole.dtype} {list(hole.shape)}, "
        f"{chunks}{codec_text(plan)}",
        f"      {size_text(hole.nbytes)} as about {size_text(stored)} "
        f"in {count_text(objects, 'object')}, {size_text(memory)} of memory",
    ]


def _room(output: str, needed: int) -> str | None:
    """A warning where the file system of `output` seems to lack the room.

    No refusal: what is needed comes from samples, `--tmp-dir` may lie elsewhere, quotas and
    the room that an overwritten file gives back are not known here.
    """
    folder = Path(os.path.abspath(output)).parent
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    try:
        status = os.statvfs(folder)
    except OSError:
        return None
    free = status.f_bavail * status.f_frsize
    if needed <= free:
        return None
    return f"'{folder}' has {size_text(free)} free, about {size_text(needed)} are needed"
