"""Many processes on one output: one wins."""

from __future__ import annotations

from pathlib import Path

from .base import SUFFIXES, Outcome, command, remove, start, whole


def racers(raw: Path, folder: Path, count: int) -> Outcome:
    """Start `count` converts to one output at once, for each back end."""
    outcome = Outcome("racers")
    for suffix in SUFFIXES:
        out = folder / f"raced{suffix}"
        remove(out)
        started = [start(command(raw, out)) for _ in range(count)]
        statuses = []
        for process in started:
            process.communicate(timeout=300)
            statuses.append(process.returncode)
        for status in statuses:
            outcome.counts[f"{suffix}: exit status {status}"] += 1
        if statuses.count(0) != 1 or set(statuses) - {0, 73, 75}:
            outcome.failures.append(f"{suffix}: exit statuses {sorted(statuses)}")
        if not whole(out):
            outcome.failures.append(f"{suffix}: the output is not whole")
        left = [p.name for p in folder.iterdir() if p.name.startswith(f".{out.name}")]
        if left:
            outcome.failures.append(f"{suffix}: left behind {left}")
    return outcome
