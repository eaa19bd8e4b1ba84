"""Event tables: every row; times as the samples they stand for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from nwbkit.comparisons.base import Comparison
from nwbkit.proving import same_values
from nwbkit.streams import Column, Table


def compare_events(c: Comparison) -> None:
    """Compare a table of events with the EventsTable it became."""
    stream = c.stream
    assert isinstance(stream, Table)
    rows = None if c.stub else c.reader.reread_table(stream.id)
    who = "same" if rows is None else "independent"
    rows = stream.read() if rows is None else rows
    group = c.file[c.record.nwb_paths[0]]
    problems = []
    for column in stream.columns:
        name = column.role if column.role in ("timestamp", "duration") else column.name
        values = rows[column.name]
        if name not in group:
            problems.append(f"column '{name}' is missing")
        elif column.unit == "samples":
            if not _same_samples(c, group[name], values, column.role, stream, rows):
                problems.append(f"column '{name}' differs")
        elif not same_values(group[name], _in_session(c, column, values)):
            problems.append(f"column '{name}' differs")
    n = len(next(iter(rows.values()))) if rows else 0
    c.check("events", "; ".join(problems) or None, reader=who, rows=n)


def _in_session(c: Comparison, column: Column, values: Any) -> Any:
    """Seconds on the stream's clock as session seconds; other values as they are."""
    timed = column.role in ("timestamp", "start", "stop") and c.stream.timebase is not None
    if not timed or column.unit == "samples":
        return values
    assert c.stream.timebase is not None
    return c.clock_map(c.stream.timebase.clock)(np.asarray(values, np.float64))


def _same_samples(
    c: Comparison,
    dataset: Any,
    samples: Any,
    role: str,
    stream: Table,
    rows: Mapping[str, Any],
) -> bool:
    """Whether seconds in the file are the source's samples: ``rint((t - t0) * rate)``."""
    assert stream.timebase is not None
    seconds = dataset[...]
    if seconds.shape != samples.shape:
        return False
    if role == "duration":
        start = next(x for x in stream.columns if x.role in ("timestamp", "start"))
        known = samples >= 0
        begin = stream.timebase.time_of(rows[start.name][known])
        ends = stream.timebase.time_of(rows[start.name][known] + samples[known])
        near = np.allclose(seconds[known], ends - begin, rtol=0, atol=1e-9)
        return bool(np.isnan(seconds[~known]).all() and near)
    timebase = stream.timebase.mapped(c.clock_map(stream.timebase.clock))
    return bool(np.array_equal(timebase.sample_of(seconds), samples))
