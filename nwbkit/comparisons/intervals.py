"""Interval tables: every row and column; times as the samples or seconds they stand for."""

from __future__ import annotations

from typing import Any

import numpy as np

from nwbkit.comparisons.base import Comparison
from nwbkit.proving import same_values
from nwbkit.streams import Column, Table

_NAMES = {"start": "start_time", "stop": "stop_time"}
_TIMES = ("start", "stop", "time_property")


def compare_intervals(c: Comparison) -> None:
    """Compare a table of intervals with the TimeIntervals it became."""
    stream = c.stream
    assert isinstance(stream, Table)
    rows = None if c.stub else c.reader.reread_table(stream.id)
    who = "same" if rows is None else "independent"
    rows = stream.read() if rows is None else rows
    group = c.file[c.record.nwb_paths[0]]
    written = [str(name) for name in group.attrs["colnames"]]
    problems = []
    if len(written) != len(stream.columns):
        problems.append(f"{len(written)} columns, the source has {len(stream.columns)}")
    for index, column in enumerate(stream.columns):
        # the metadata may have renamed a column: then its place tells which it is
        at = _NAMES.get(column.role, column.name)
        name = at if at in written else written[index] if index < len(written) else at
        if name not in group:
            problems.append(f"column '{name}' is missing")
        elif not _same(c, stream, column, group[name], rows[column.name]):
            problems.append(f"column '{name}' differs")
    n = len(next(iter(rows.values()))) if rows else 0
    c.check("intervals", "; ".join(problems) or None, reader=who, rows=n)


def _same(c: Comparison, stream: Table, column: Column, dataset: Any, values: Any) -> bool:
    if column.role not in _TIMES or stream.timebase is None:
        return same_values(dataset, values)
    found = dataset[...]
    if found.shape != values.shape:
        return False
    clock_map = c.clock_map(stream.timebase.clock)
    if column.unit == "samples":
        samples = stream.timebase.mapped(clock_map).sample_of(found)
        return bool(np.array_equal(samples, values))
    return bool(np.array_equal(found, clock_map(values.astype(np.float64)), equal_nan=True))
