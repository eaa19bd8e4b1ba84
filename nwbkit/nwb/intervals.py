"""Writer of interval tables: pynwb TimeIntervals (trials, epochs, invalid times, others)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nwbkit.nwb.columns import column
from nwbkit.nwb.events import in_seconds
from nwbkit.nwb.facts import lookup
from nwbkit.streams import Column, Table

if TYPE_CHECKING:
    from nwbkit.nwb.assemble import Assembler

#: Tables that NWB has a place of their own for.
OWN = ("trials", "epochs", "invalid_times")
_NAMES = {"start": "start_time", "stop": "stop_time"}


def write_intervals(assembler: Assembler, address: str, stream: Table) -> list[str]:
    """Write a table of intervals; returns the NWB paths.

    ``start`` and ``stop`` columns become ``start_time`` and ``stop_time`` in session seconds.
    Descriptions and names of table and columns come from ``Tables`` in the metadata, keyed by
    the stream's address or the table's name, else from the stream.
    """
    from pynwb.epoch import TimeIntervals

    facts = {**lookup(assembler.metadata, "Tables", address), **assembler.stream_facts(address)}
    name = str(facts.get("name") or stream.nwb_name or stream.name)
    facts = {**lookup(assembler.metadata, "Tables", name), **facts}
    assembler.taken("intervals").claim(name, address)
    rows = stream.read()
    assembler.rows[address] = n = len(next(iter(rows.values()))) if rows else 0
    columns = []
    for each in stream.columns:
        values = _values(assembler, stream, each, rows)
        made = _column(each, values, facts)
        assembler.expected[f"/intervals/{name}/{made.name}"] = values
        columns.append(made)
    table = TimeIntervals(
        name=name,
        description=_description(assembler, stream, facts),
        columns=columns,
        colnames=[c.name for c in columns],
        id=np.arange(n),
    )
    if name in OWN:
        setattr(assembler.nwbfile, name, table)
    else:
        assembler.nwbfile.add_time_intervals(table)
    return [f"/intervals/{name}"]


def _values(assembler: Assembler, stream: Table, column: Column, rows: dict[str, Any]) -> Any:
    if column.role == "time_property" and column.unit == "seconds" and stream.timebase is not None:
        return assembler.clock_map(stream.timebase.clock)(rows[column.name].astype(np.float64))
    return in_seconds(assembler, stream, column, rows)


def _column(described: Column, values: Any, facts: dict[str, Any]) -> Any:
    """The column; codes with known labels say them in their description."""
    from hdmf.common import VectorData

    said = (facts.get("columns") or {}).get(described.name) or {}
    name = _NAMES.get(described.role) or str(said.get("name") or described.name)
    description = str(said.get("description") or described.description or described.name)
    labels = said.get("labels") or described.labels
    if labels:
        listed = ", ".join(f"{code}: {label}" for code, label in labels.items())
        description = f"{description} ({listed})"
    return column(VectorData, name=name, description=description, data=values)


def _description(assembler: Assembler, stream: Table, facts: dict[str, Any]) -> str:
    parts = [str(facts.get("description") or stream.description or stream.name)]
    remark = assembler.remark(stream)
    return ". ".join([*parts, remark] if remark else parts)
