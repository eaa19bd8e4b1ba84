"""Writers of behavior: measured series in processing/behavior, and values without a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nwbkit.errors import MissingFact
from nwbkit.nwb.columns import column
from nwbkit.nwb.names import camel
from nwbkit.nwb.series import common_arguments, parts, single_scale
from nwbkit.streams import Array, Ragged

if TYPE_CHECKING:
    from nwbkit.nwb.assemble import Assembler

_PLACE = "processing/behavior"
_ABOUT = "processed behavioral data"


def write_behavior(assembler: Assembler, address: str, stream: Array) -> list[str]:
    """Write what was measured of an animal as TimeSeries in processing/behavior.

    Raises
    ------
    nwbkit.errors.MissingFact
        Where nobody knows when its rows were taken.
    """
    from pynwb import TimeSeries

    if stream.timebase is None:
        source = address.partition("/")[0]
        raise MissingFact(
            f"stream '{address}' has no times",
            hint=f"--set {source}.rate=30, with its frames per second (Hz)",
        )
    facts = assembler.stream_facts(address)
    module = assembler.module("behavior", _ABOUT)
    paths = []
    for name, part in parts(assembler, address, stream, camel(stream.name)):
        arguments = common_arguments(assembler, address, part, name, facts)
        arguments["unit"] = stream.unit
        arguments["conversion"], arguments["offset"] = single_scale(address, part)
        series = TimeSeries(**arguments)
        assembler.taken(_PLACE).claim(name, address)
        module.add(series)
        assembler.remember_times(part.timebase, series)
        paths.append(f"/{_PLACE}/{name}")
    return paths


def write_values(assembler: Assembler, address: str, stream: Ragged) -> list[str]:
    """Write named lists of numbers without a time as a DynamicTable in /acquisition.

    One row a list: ``variable`` is what the program calls it, ``values`` are its numbers.
    """
    from hdmf.common import DynamicTable, VectorData, VectorIndex

    facts = assembler.stream_facts(address)
    name = str(facts.get("name") or stream.nwb_name or camel(stream.name))
    assembler.taken("acquisition").claim(name, address)
    path = f"/acquisition/{name}"
    counts = stream.counts()
    ids = list(stream.ids)
    values = stream.read(0, len(ids))
    ends = np.cumsum(counts).astype(np.uint64)
    flat = VectorData(name="values", description="The numbers, as printed", data=values)
    index = VectorIndex(name="values_index", target=flat, data=ends)
    columns = [column(VectorData, name="variable", description="The program's name", data=ids)]
    table = DynamicTable(
        name=name,
        description=str(facts.get("description") or stream.description or stream.name),
        columns=[*columns, index, flat],
        colnames=["variable", "values"],
        id=np.arange(len(ids)),
    )
    assembler.nwbfile.add_acquisition(table)
    assembler.expected[f"{path}/variable"] = ids
    assembler.expected[f"{path}/values"] = values
    assembler.expected[f"{path}/values_index"] = ends
    assembler.rows[address] = len(ids)
    return [path]
