"""Writer of sorted units: the Units table, spike times in seconds through a hole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from nwbkit.errors import MissingFact
from nwbkit.streams import Array, Electrode, Ragged, Timebase
from nwbkit.streams.kinds import AnyArray

if TYPE_CHECKING:
    from hdmf.common import DynamicTable, VectorData

    from nwbkit.nwb.assemble import Assembler

Floats = npt.NDArray[np.float64]
#: Timestamps are looked at in stretches of as many samples.
_STRETCH = 1 << 20
_NAME_OF_ALL = "units"


class MeanWaveforms(Protocol):
    """Mean waveforms as a stream of units may have them.

    ``data`` is float32 of shape (units, samples, channels), NaN where a unit has fewer
    channels; a unit's channels are in the order of its electrodes.
    """

    @property
    def data(self) -> npt.NDArray[np.float32]:
        """The waveforms."""

    @property
    def unit(self) -> str:
        """Unit of the values."""

    @property
    def description(self) -> str:
        """What the values are."""


class SpikeTimes(Array):
    """The times of all spikes, unit after unit, in session seconds; computed as they are read."""

    def __init__(self, address: str, values: AnyArray, timebase: Timebase | None = None) -> None:
        super().__init__(
            id=f"{address}-spike-times",
            name="spike_times",
            role="timestamps",
            shape=values.shape,
            dtype=np.dtype("<f8"),
            unit="seconds",
        )
        self.values = values
        #: In session time; what the values are samples of. None: they are seconds.
        self.samples_of = timebase

    def read(self, start: int, stop: int, out: AnyArray | None = None) -> AnyArray:
        """The times ``start..stop``."""
        part = self.values[start:stop]
        return _given(part if self.samples_of is None else seconds_of(part, self.samples_of), out)


class Values(Array):
    """An array that is in memory already."""

    def __init__(self, name: str, values: AnyArray) -> None:
        super().__init__(id=name, name=name, role="values", shape=values.shape, dtype=values.dtype)
        self.values = values

    def read(self, start: int, stop: int, out: AnyArray | None = None) -> AnyArray:
        """The rows ``start..stop``."""
        return _given(self.values[start:stop], out)


def _given(part: AnyArray, out: AnyArray | None) -> AnyArray:
    if out is None:
        return np.ascontiguousarray(part)
    np.copyto(out, part)
    return out


def write_units(assembler: Assembler, address: str, stream: Ragged) -> list[str]:
    """Write sorted units; returns the NWB path.

    One sorting is ``/units``. Of two, one needs another name, and so lies in
    ``/processing/ecephys``.

    Raises
    ------
    nwbkit.errors.MissingFact
        For a second sorting without a name of its own, and where no rate is known.
    """
    from pynwb.misc import Units

    facts = assembler.stream_facts(address)
    name = str(facts.get("name") or _NAME_OF_ALL)
    path = f"/{name}" if name == _NAME_OF_ALL else f"/processing/ecephys/{name}"
    assembler.taken(path.rpartition("/")[0].strip("/")).claim(name, address)
    timebase = _timebase_of(address, stream)
    region = electrode_rows(assembler, stream)
    waveforms = waveforms_of(stream, sparse=region is not None)
    columns, names = _columns(assembler, address, stream, timebase, path, region, waveforms)
    description = [str(facts.get("description") or stream.description or "sorted units")]
    description += [text for text in (facts.get("comments"), assembler.remark(stream)) if text]
    rate = timebase.rate
    settings: dict[str, Any] = {"resolution": 1.0 / rate} if rate else {}
    if waveforms is not None:
        settings["waveform_unit"] = waveforms.unit
        if rate:
            settings["waveform_rate"] = rate
    ids = ids_of(stream)
    assembler.expected[f"{path}/id"] = ids
    table = Units(
        name=name,
        description=". ".join(description),
        id=ids,
        columns=columns,
        colnames=names,
        **settings,
    )
    assembler.rows[address] = len(ids)
    _place(assembler, table)
    return [path]


def _timebase_of(address: str, stream: Ragged) -> Timebase:
    if stream.timebase is None:
        source = address.partition("/")[0]
        raise MissingFact(
            f"'{address}' has no sampling rate to turn samples into seconds",
            hint=f"--set {source}.rate=HZ",
        )
    return stream.timebase


def _place(assembler: Assembler, table: DynamicTable) -> None:
    if table.name == _NAME_OF_ALL:
        assembler.nwbfile.units = table
        return
    module = assembler.module("ecephys", "processed extracellular electrophysiology data")
    module.add(table)


def ids_of(stream: Ragged) -> npt.NDArray[np.int64]:
    """Row ids: the sorter's own where they are whole numbers, else 0, 1, ..."""
    if all(i.lstrip("-").isdecimal() and len(i) < 19 for i in stream.ids):
        numbers = np.array([int(i) for i in stream.ids], np.int64)
        if len(np.unique(numbers)) == len(numbers):
            return numbers
    return np.arange(len(stream.ids))


def waveforms_of(stream: Ragged, *, sparse: bool) -> MeanWaveforms | None:
    """Mean waveforms, where the stream has a method ``waveforms`` and it gives some.

    With `sparse` their channels are each unit's electrodes, else all that the sorter used.
    """
    load = getattr(stream, "waveforms", None)
    found: MeanWaveforms | None = load(sparse=sparse) if load is not None else None
    return found if found is not None and found.data.size else None


def _columns(
    assembler: Assembler,
    address: str,
    stream: Ragged,
    timebase: Timebase,
    path: str,
    region: Sequence[npt.NDArray[np.int64]] | None,
    waveforms: MeanWaveforms | None,
) -> tuple[list[Any], list[str]]:
    from hdmf.common import VectorData, VectorIndex

    columns: list[Any] = []
    names: list[str] = []

    def add(column: VectorData, stops: npt.NDArray[np.int64] | None = None) -> None:
        if stops is not None:  # an index stands before its target: what hdmf-zarr needs
            columns.append(VectorIndex(name=f"{column.name}_index", target=column, data=stops))
            assembler.expected[f"{path}/{column.name}_index"] = stops
        columns.append(column)
        names.append(column.name)

    def small(name: str, described: str, values: Any, stops: Any = None) -> None:
        assembler.expected[f"{path}/{name}"] = values
        add(VectorData(name=name, description=described, data=values), stops)

    small("unit_name", "the sorter's own id of the unit", list(stream.ids))
    spikes = spike_times(address, stream, timebase, assembler)
    hole = assembler.hole(f"{address}:spike_times", "spike_times", spikes)
    times = VectorData(name="spike_times", description="times of the spikes in seconds", data=hole)
    add(times, np.cumsum(stream.counts()))
    intervals = observed_intervals(stream, assembler.in_session(timebase))
    if intervals is not None:
        n = len(stream.ids)
        stops = np.arange(1, n + 1) * len(intervals)
        described = "when the data that were sorted were recorded (start, stop; seconds)"
        small("obs_intervals", described, np.tile(intervals, (n, 1)), stops)
    if region is not None:
        add(*_region(assembler, path, region))
    if waveforms is not None:
        array = Values("waveform_mean", np.ascontiguousarray(waveforms.data, "<f4"))
        data = assembler.hole(f"{address}:waveform_mean", "waveform_mean", array)
        add(VectorData(name="waveform_mean", description=waveforms.description, data=data))
    for name, described, values in quality_of(stream):
        small(name, described, values)
    return columns, names


def quality_of(stream: Ragged) -> Iterator[tuple[str, str, Any]]:
    """Name, description and values of each property column, texts as a list."""
    table = stream.properties
    if table is None:
        return
    rows = table.read()
    for column in table.columns:
        values = rows[column.name]
        plain = [str(v) for v in values] if values.dtype == object else values
        yield column.name, column.description or column.name, plain


def spike_times(
    address: str, stream: Ragged, timebase: Timebase, assembler: Assembler
) -> SpikeTimes:
    """Session times of all spikes, unit after unit.

    Samples at a steady rate become seconds as they are read, by all workers; where each sample
    has a timestamp of its own, at once, since the timestamps are to be read but once.
    """
    values = stream.read(0, len(stream.ids))
    if stream.unit == "seconds":
        return SpikeTimes(address, assembler.clock_map(timebase.clock)(values.astype(np.float64)))
    mapped = assembler.in_session(timebase)
    if mapped.read_times is None:
        return SpikeTimes(address, values, mapped)
    return SpikeTimes(address, seconds_of(values, mapped))


def seconds_of(samples: npt.NDArray[np.int64], timebase: Timebase) -> Floats:
    """Times of samples in any order; no more than a stretch is looked at at once."""
    if timebase.read_times is None:
        regular = np.empty(len(samples), np.float64)
        for at in range(0, len(samples), _STRETCH):
            regular[at : at + _STRETCH] = timebase.time_of(samples[at : at + _STRETCH])
        return regular
    order = np.argsort(samples, kind="stable")
    ascending = samples[order]
    seconds = np.empty(len(samples), np.float64)
    at = 0
    while at < len(ascending):
        first = int(ascending[at])
        stop = int(np.searchsorted(ascending, first + _STRETCH))
        times = timebase.times(first, int(ascending[stop - 1]) + 1)
        seconds[order[at:stop]] = times[ascending[at:stop] - first]
        at = stop
    return seconds


def observed_intervals(stream: Ragged, timebase: Timebase) -> Floats | None:
    """When the sorted data were recorded, shape (intervals, 2); None where it is not known.

    Segments that follow each other without a gap are one interval. With a timestamp a
    sample, a step of more than one and a half nominal periods is a gap.
    """
    extent = getattr(stream, "observed", None)
    if extent is None:
        return None
    first, stop = extent
    if stop <= first:
        return None
    if timebase.read_times is not None:
        return _between_timestamps(timebase, first, stop)
    found: list[tuple[float, float]] = []
    for s in timebase.segments:
        low, high = max(first, s.first_sample), min(stop, s.stop_sample)
        if low >= high:
            continue
        begin = s.t0 + (low - s.first_sample) / s.rate
        end = s.t0 + (high - s.first_sample) / s.rate
        if found and abs(begin - found[-1][1]) <= min(1e-6, 0.1 / s.rate):
            begin = found.pop()[0]
        found.append((begin, end))
    return np.array(found, np.float64).reshape(-1, 2)


def _between_timestamps(timebase: Timebase, first: int, stop: int) -> Floats | None:
    if timebase.nominal_rate is None:
        return None
    period = 1.0 / timebase.nominal_rate
    begins, ends = [], []
    last: float | None = None
    for start in range(first, stop, _STRETCH):
        times = timebase.times(start, min(start + _STRETCH, stop))
        before = np.concatenate([[times[0] - period if last is None else last], times[:-1]])
        gaps = np.flatnonzero((times - before > 1.5 * period) | (times < before))
        begins += times[gaps].tolist()
        ends += (before[gaps] + period).tolist()
        begins = begins if last is not None else [float(times[0]), *begins]
        last = float(times[-1])
    assert last is not None
    return np.array([begins, [*ends, last + period]], np.float64).T


def electrode_rows(assembler: Assembler, stream: Ragged) -> list[npt.NDArray[np.int64]] | None:
    """Rows of the electrodes table behind each unit; None where they are not in the file."""
    mine: Sequence[Sequence[Electrode]] | None = getattr(stream, "unit_electrodes", None)
    if mine is None or assembler.nwbfile.electrodes is None:
        return None
    distinct = list({e.key: e for unit in mine for e in unit}.values())
    asked = Array(
        id="electrodes",
        name="electrodes",
        role="raw",
        shape=(0, len(distinct)),
        dtype=np.dtype("<i2"),
        electrodes=tuple(distinct),
    )
    try:
        rows = assembler.electrodes.region(asked, assembler.nwbfile).data
    except KeyError:  # the recording's stream was left out of this file
        return None
    at = {e.key: int(row) for e, row in zip(distinct, rows, strict=True)}
    return [np.array([at[e.key] for e in unit], np.int64) for unit in mine]


def _region(
    assembler: Assembler, path: str, rows: Sequence[npt.NDArray[np.int64]]
) -> tuple[Any, npt.NDArray[np.int64]]:
    from hdmf.common import DynamicTableRegion

    flat = np.concatenate([np.empty(0, np.int64), *rows])
    assembler.expected[f"{path}/electrodes"] = flat
    region = DynamicTableRegion(
        name="electrodes",
        description="the electrodes on which the sorter found the unit",
        data=flat,
        table=assembler.nwbfile.electrodes,
    )
    return region, np.cumsum([len(r) for r in rows])
