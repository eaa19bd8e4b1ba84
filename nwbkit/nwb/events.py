"""Writer of event tables: pynwb.event.EventsTable."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

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
    for column in stream.columns:
        values = in_seconds(assembler, stream, column, rows)
        described = column.description or column.name
        written_name = column.role if column.role in ("timestamp", "duration") else column.name
        assembler.expected[f"/events/{name}/{written_name}"] = values
        if column.role == "timestamp":
            arguments: dict[str, Any] = {"name": "timestamp", "description": described}
            resolution = _resolution(stream)
            if resolution is not None:
                arguments["resolution"] = resolution
            columns.append(TimestampVectorData(data=values, **arguments))
        elif column.role == "duration":
            columns.append(DurationVectorData(name="duration", description=described, data=values))
        else:
            columns.append(VectorData(name=column.name, description=described, data=values))
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
    assembler: Assembler, stream: Table, column: Column, rows: dict[str, npt.NDArray[Any]]
) -> Any:
    """A column's values as written: samples become session seconds, here and nowhere else."""
    values = rows[column.name]
    if values.dtype == object:
        # hdmf cannot tell the type of an empty list
        return [str(v) for v in values] or np.array([], dtype="U1")
    if column.unit == "samples":
        assert stream.timebase is not None
        if column.role == "duration":
            start = next(c for c in stream.columns if c.role in ("timestamp", "start"))
            begin = rows[start.name]
            known = values >= 0
            seconds = np.full(values.shape, np.nan)
            seconds[known] = stream.timebase.time_of(
                begin[known] + values[known]
            ) - stream.timebase.time_of(begin[known])
            return seconds
        return assembler.in_session(stream.timebase).time_of(values)
    if column.role in ("timestamp", "start", "stop") and stream.timebase is not None:
        return assembler.clock_map(stream.timebase.clock)(values.astype(np.float64))
    return values


def _resolution(stream: Table) -> float | None:
    rate = stream.timebase.rate if stream.timebase is not None else None
    return 1.0 / rate if rate else None
