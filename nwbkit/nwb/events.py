"""Writer of event tables: pynwb.event.EventsTable."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nwbkit.nwb.columns import column
from nwbkit.nwb.names import camel
from nwbkit.streams import Column, Table

if TYPE_CHECKING:
    from nwbkit.nwb.assemble import Assembler


def write_events(assembler: Assembler, address: str, stream: Table) -> list[str]:
    """Write a table of events; returns the NWB paths."""
    from hdmf.common import VectorData
    from pynwb.event import DurationVectorData, EventsTable, TimestampVectorData

    facts = assembler.stream_facts(address)
    name = str(facts.get("name") or stream.nwb_name or "Events" + camel(stream.name))
    assembler.taken("events").claim(name, address)
    rows = stream.read()
    assembler.rows[address] = len(next(iter(rows.values()))) if rows else 0
    columns = []
    for each in stream.columns:
        values = in_seconds(assembler, stream, each, rows)
        described = each.description or each.name
        written = each.role if each.role in ("timestamp", "duration") else each.name
        assembler.expected[f"/events/{name}/{written}"] = values
        arguments: dict[str, Any] = {"name": written, "description": described, "data": values}
        kind: Any = VectorData
        if each.role == "timestamp":
            kind = TimestampVectorData
            resolution = _resolution(stream)
            if resolution is not None:
                arguments["resolution"] = resolution
        elif each.role == "duration":
            kind = DurationVectorData
        columns.append(column(kind, **arguments))
    description = [str(facts.get("description") or stream.description or stream.name)]
    remark = assembler.remark(stream)
    if remark:
        description.append(remark)
    table = EventsTable(
        name=name,
        description=". ".join(description),
        columns=columns,
        colnames=[c.name for c in columns],
        id=np.arange(len(columns[0].data)),
    )
    assembler.nwbfile.add_events_table(table)
    return [f"/events/{name}"]


def in_seconds(
    assembler: Assembler, stream: Table, each: Column, rows: dict[str, npt.NDArray[Any]]
) -> Any:
    """A column's values as written: samples become session seconds, here and nowhere else."""
    values = rows[each.name]
    if values.dtype == object:
        # hdmf cannot tell the type of an empty list
        return [str(v) for v in values] or np.array([], dtype="U1")
    if each.unit == "samples":
        assert stream.timebase is not None
        if each.role == "duration":
            start = next(c for c in stream.columns if c.role in ("timestamp", "start"))
            begin = rows[start.name]
            known = values >= 0
            seconds = np.full(values.shape, np.nan)
            seconds[known] = stream.timebase.time_of(
                begin[known] + values[known]
            ) - stream.timebase.time_of(begin[known])
            return seconds
        return assembler.in_session(stream.timebase).time_of(values)
    if each.role in ("timestamp", "start", "stop", "time_property") and stream.timebase is not None:
        return assembler.clock_map(stream.timebase.clock)(values.astype(np.float64))
    return values


def _resolution(stream: Table) -> float | None:
    rate = stream.timebase.rate if stream.timebase is not None else None
    return 1.0 / rate if rate else None
