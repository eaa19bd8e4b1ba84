"""Writers of array streams: ElectricalSeries, LFP, analog and sync TimeSeries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nwbkit.nwb.names import camel
from nwbkit.streams import Array, Timebase
from nwbkit.streams.views import Times, Window

if TYPE_CHECKING:
    from pynwb import TimeSeries

    from nwbkit.nwb.assemble import Assembler

_GENERIC = {
    "raw": "ElectricalSeries",
    "lfp_band": "ElectricalSeriesLF",
    "lfp": "ElectricalSeriesLFP",
}


def write_electrical(assembler: Assembler, address: str, stream: Array) -> list[str]:
    """Write an extracellular stream; returns the NWB paths."""
    from pynwb.ecephys import ElectricalSeries

    facts = assembler.stream_facts(address)
    paths = []
    for name, part in parts(assembler, address, stream, _GENERIC[stream.role]):
        arguments = common_arguments(assembler, address, part, name, facts)
        arguments["electrodes"] = assembler.electrodes.region(stream, assembler.nwbfile)
        if facts.get("filtering") is not None:
            arguments["filtering"] = str(facts["filtering"])
        _scale_electrical(part, arguments)
        series = ElectricalSeries(**arguments)
        paths.append(_place(assembler, address, stream, series))
        assembler.remember_times(part.timebase, series)
    return paths


def write_series(assembler: Assembler, address: str, stream: Array) -> list[str]:
    """Write an analog, auxiliary or sync stream as TimeSeries; returns the NWB paths."""
    from pynwb import TimeSeries

    facts = assembler.stream_facts(address)
    paths = []
    for name, part in parts(assembler, address, stream, "TimeSeries" + camel(stream.name)):
        arguments = common_arguments(assembler, address, part, name, facts)
        arguments["unit"] = stream.unit
        arguments["conversion"], arguments["offset"] = single_scale(address, part)
        series = TimeSeries(**arguments)
        paths.append(_place(assembler, address, stream, series))
        assembler.remember_times(part.timebase, series)
    return paths


def parts(
    assembler: Assembler, address: str, stream: Array, generic: str
) -> list[tuple[str, Array]]:
    """The series to write: one, or one per segment with ``--segments split``."""
    facts = assembler.stream_facts(address)
    name = str(facts.get("name") or stream.nwb_name or generic)
    timebase = stream.timebase
    if timebase is None:
        raise ValueError(f"array stream {address} has no timebase")
    segments = [s for s in timebase.segments if s.n_samples]
    if assembler.segments != "split" or len(segments) < 2 or timebase.as_rate() is not None:
        return [(name, stream)]
    return [
        (f"{name}_seg{i}", Window(stream, s.first_sample, s.stop_sample))
        for i, s in enumerate(segments)
    ]


def common_arguments(
    assembler: Assembler,
    address: str,
    stream: Array,
    name: str,
    facts: dict[str, Any],
    *,
    data: Array | None = None,
) -> dict[str, Any]:
    """Name, data, description, comments and times of a series.

    `data` is what is stored where that is another view of the stream than itself.
    """
    arguments: dict[str, Any] = {
        "name": name,
        "data": assembler.hole(f"{address}:data", name, stream if data is None else data),
    }
    description = facts.get("description") or stream.description
    if description:
        arguments["description"] = str(description)
    comments = [str(c) for c in (facts.get("comments"), assembler.remark(stream)) if c]
    if comments:
        arguments["comments"] = ". ".join(comments)
    arguments.update(_times(assembler, address, stream, name))
    return arguments


def _times(assembler: Assembler, address: str, stream: Array, name: str) -> dict[str, Any]:
    """``starting_time`` and ``rate`` where they hold to a microsecond, else timestamps."""
    assert stream.timebase is not None
    timebase = assembler.in_session(stream.timebase)
    regular = timebase.as_rate()
    if regular is not None:
        return {"starting_time": regular[0], "rate": regular[1]}
    shared = assembler.times_of(stream.timebase)
    if shared is not None:
        return {"timestamps": shared}
    times = Times(timebase, id=f"{stream.id}-times")
    return {"timestamps": assembler.hole(f"{address}:timestamps", name, times)}


def _scale_electrical(stream: Array, arguments: dict[str, Any]) -> None:
    """Volts through ``conversion`` where the gains are equal, else ``channel_conversion``."""
    gains, offsets = np.unique(stream.gain), np.unique(stream.offset)
    if offsets.size != 1:
        raise ValueError("an ElectricalSeries has one offset")
    arguments["offset"] = float(offsets[0])
    if gains.size == 1:
        arguments["conversion"] = float(gains[0])
    else:
        arguments["channel_conversion"] = np.asarray(stream.gain, np.float64)


def single_scale(address: str, stream: Array) -> tuple[float, float]:
    """One conversion and offset for all channels; formats split streams whose gains differ."""
    gains, offsets = np.unique(stream.gain), np.unique(stream.offset)
    if gains.size != 1 or offsets.size != 1:
        raise ValueError(f"stream {address}: a TimeSeries has one conversion and one offset")
    return float(gains[0]), float(offsets[0])


def _place(assembler: Assembler, address: str, stream: Array, series: TimeSeries) -> str:
    if stream.role == "lfp":
        from pynwb.ecephys import LFP

        assembler.taken("processing/ecephys/LFP").claim(series.name, address)
        module = assembler.module("ecephys", "processed extracellular electrophysiology data")
        if "LFP" not in module.data_interfaces:
            module.add(LFP(name="LFP"))
        module.data_interfaces["LFP"].add_electrical_series(series)
        return f"/processing/ecephys/LFP/{series.name}"
    place = "stimulus/presentation" if stream.role == "stimulus" else "acquisition"
    assembler.taken(place).claim(series.name, address)
    if stream.role == "stimulus":
        assembler.nwbfile.add_stimulus(series)
    else:
        assembler.nwbfile.add_acquisition(series)
    return f"/{place}/{series.name}"


def written_as(timebase: Timebase) -> str:
    """How the times of a timebase appear in the file: ``rate`` or ``timestamps``."""
    return "rate" if timebase.as_rate() is not None else "timestamps"
