"""convert -n: the tree that would be written, what is missing, and what it takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

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
    from nwbkit.storage.pipeline import memory_needed
    from nwbkit.storage.planning import format_size

    lines = [f"would write '{output}'", f"  session_start_time {settled.start.isoformat()}"]
    for address, where in written.items():
        rows = f", {where.rows} rows" if where.rows is not None else ""
        lines += [f"  {path}  from {address}{rows}" for path in where.nwb_paths]
        lines += [
            f"    {hole.key.rpartition(':')[2]}: {hole.dtype} {list(hole.shape)}, "
            f"chunks {list(hole.plan.chunks)}, {hole.plan.codec}"
            for hole in holes
            if hole.key.rpartition(":")[0] == address
        ]
    for name, anchor in settled.clocks.anchors.items():
        lines.append(f"  clock {name}: offset {anchor.session_offset_s} s ({anchor.how})")
    raw = sum(hole.nbytes for hole in holes)
    lines.append(f"disk: {format_size(raw)} before compression")
    lines.append(f"memory: {format_size(memory_needed(holes))} of buffers for each of the jobs")
    for finding in validate(settled.metadata, timezone=timezone).findings:
        lines.append(f"{finding.severity}: {finding.where}: {finding.message}")
    return "\n".join(lines) + "\n"
