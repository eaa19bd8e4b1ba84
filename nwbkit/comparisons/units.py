"""Sorted units: every spike as the sample it stands for, quality, electrodes, waveforms."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from nwbkit.comparisons.base import Comparison
from nwbkit.proving import same_values
from nwbkit.streams import Ragged, Timebase
from nwbkit.streams.timebase import Times

#: Spikes are looked at in stretches of as many.
_STRETCH = 1 << 20


def compare_units(c: Comparison) -> None:
    """Compare sorted units with the Units table they became."""
    stream = c.stream
    assert isinstance(stream, Ragged)
    group = c.file[c.record.nwb_paths[0]]
    rows = None if c.stub else c.reader.reread_table(stream.id)
    if stream.timebase is None:
        c.check("spikes", "the source has no sampling rate")
        return
    who = "same" if rows is None else "independent"
    ids, counts, times = _source(stream, rows)
    found_ids = group["unit_name"].asstr()[...].tolist()
    stops = group["spike_times_index"][...].astype(np.int64)
    if found_ids != ids:
        c.check("units", f"are {_few(found_ids)}, the source has {_few(ids)}", reader=who)
        return
    c.check("units", None, reader=who, rows=len(ids))
    problem = None
    wrong = np.flatnonzero(np.diff(stops, prepend=0) != counts)
    if wrong.size:
        k = int(wrong[0])
        n = int(np.diff(stops, prepend=0)[k])
        problem = f"unit {ids[k]} has {n} spikes, the source {int(counts[k])}"
    else:
        problem = _times(c, group, stream, ids, stops, times)
    c.check("spikes", problem, reader=who, rows=int(counts.sum()))
    _resolution(c, group, stream.timebase)
    _quality(c, group, stream, ids)
    _intervals(c, group, stream, len(ids))
    _electrodes(c, group, stream, ids)
    _waveforms(c, group, stream)


def _few(ids: list[str]) -> str:
    return f"{', '.join(ids[:3])}, ... ({len(ids)})"


def _source(stream: Ragged, rows: dict[str, Any] | None) -> tuple[list[str], Any, Any]:
    """Ids, counts and times, unit after unit; from spikes in file order where these are given."""
    if rows is None:
        return list(stream.ids), stream.counts(), stream.read(0, len(stream.ids))
    units, counts = np.unique(rows["unit"], return_counts=True)
    order = np.lexsort((rows["time"], rows["unit"]))
    return [str(u) for u in units.tolist()], counts, rows["time"][order]


def _times(
    c: Comparison, group: Any, stream: Ragged, ids: list[str], stops: Any, times: Any
) -> str | None:
    """``rint((t - t0) * rate)`` is the source's sample; or the seconds themselves."""
    assert stream.timebase is not None
    seconds = group["spike_times"][...]
    clock_map = c.clock_map(stream.timebase.clock)
    if stream.unit == "seconds":
        same = seconds == clock_map(times.astype(np.float64))
    else:
        timebase = stream.timebase.mapped(clock_map)
        # a time may be nearest to the right sample and still be some way off it
        same = np.abs(seconds - _seconds(times, timebase)) <= 1e-9
        if _invertible(timebase):
            for at in range(0, len(times), _STRETCH):
                part = slice(at, at + _STRETCH)
                same[part] &= timebase.sample_of(seconds[part]) == times[part]
    wrong = np.flatnonzero(~same)
    if not wrong.size:
        return None
    k = int(wrong[0])
    unit = int(np.searchsorted(stops, k, side="right"))
    return (
        f"unit {ids[unit]} has a spike at {seconds[k]:.9f} s, the source at {stream.unit} "
        f"{times[k]} ({wrong.size} spikes differ)"
    )


def _seconds(samples: Any, timebase: Timebase) -> Times:
    """Times of samples; of a timebase with timestamps, those of one stretch after the other."""
    seconds = np.empty(len(samples), np.float64)
    if timebase.read_times is None:
        for at in range(0, len(samples), _STRETCH):
            seconds[at : at + _STRETCH] = timebase.time_of(samples[at : at + _STRETCH])
        return seconds
    stretches = samples // _STRETCH
    for stretch in np.unique(stretches).tolist():
        mine = stretches == stretch
        first = stretch * _STRETCH
        times = timebase.times(first, min(first + _STRETCH, timebase.n_samples))
        seconds[mine] = times[samples[mine] - first]
    return seconds


def _invertible(timebase: Timebase) -> bool:
    """Whether each time belongs to one sample: segments that do not overlap."""
    segments = [s for s in timebase.segments if s.n_samples] or list(timebase.segments)
    return timebase.read_times is None and all(
        a.end <= b.t0 + 0.1 / b.rate for a, b in pairwise(segments)
    )


def _resolution(c: Comparison, group: Any, timebase: Timebase) -> None:
    said = group["spike_times"].attrs.get("resolution")
    wanted = 1.0 / timebase.rate if timebase.rate else None
    problem = f"resolution is {said} s, the source's {wanted} s" if said != wanted else None
    c.check("resolution", problem)


def _quality(c: Comparison, group: Any, stream: Ragged, ids: list[str]) -> None:
    """Each property column as the reader types it, and as its text stands in the tables."""
    facts = c.reader.reread_facts(stream.id) or {}
    texts = facts.get("quality", {})
    problems = []
    n = 0
    rows = stream.properties.read() if stream.properties is not None else {}
    for name, values in rows.items():
        n += 1
        if name not in group:
            problems.append(f"column '{name}' is missing")
        elif not same_values(group[name], values):
            problems.append(f"column '{name}' differs")
        elif name in texts and not _as_said(group[name], texts[name], ids):
            problems.append(f"column '{name}' is not as its table says")
    if n:
        who = "independent" if texts else "same"
        c.check("quality", "; ".join(problems) or None, reader=who, rows=n)


def _as_said(dataset: Any, said: dict[str, str], ids: list[str]) -> bool:
    numbers = dataset.dtype.kind in "if"
    values = dataset[...] if numbers else dataset.asstr()[...]
    for unit, value in zip(ids, values.tolist(), strict=True):
        text = said.get(unit, "").strip()
        if numbers:
            if not (value == float(text) if text and text.lower() != "nan" else np.isnan(value)):
                return False
        elif value != text:
            return False
    return True


def _intervals(c: Comparison, group: Any, stream: Ragged, n: int) -> None:
    assert stream.timebase is not None
    timebase = stream.timebase.mapped(c.clock_map(stream.timebase.clock))
    wanted = _observed(stream, timebase)
    if wanted is None:
        problem = "are there, the source does not say" if "obs_intervals" in group else None
        if problem is not None:
            c.check("obs_intervals", problem)
        return
    problem = None
    if "obs_intervals" not in group:
        problem = "are missing"
    else:
        found, expected = group["obs_intervals"][...], np.tile(wanted, (n, 1))
        counts = np.diff(group["obs_intervals_index"][...].astype(np.int64), prepend=0)
        near = found.shape == expected.shape and np.abs(found - expected).max(initial=0) <= 1e-9
        if not near or (counts != len(wanted)).any():
            problem = "differ from the segments of what was sorted"
    c.check("obs_intervals", problem, rows=len(wanted))


def _observed(stream: Ragged, timebase: Timebase) -> Times | None:
    """Stretches of what was sorted without a gap, in seconds, from their first and last times."""
    first, stop = getattr(stream, "observed", None) or (0, 0)
    rate = timebase.rate
    if stop <= first or (timebase.read_times is not None and rate is None):
        return None
    if timebase.read_times is None:
        edges = [s.first_sample for s in timebase.segments if first < s.first_sample < stop]
    else:
        edges = []
        for at in range(first, stop - 1, _STRETCH):
            steps = np.diff(timebase.times(at, min(at + _STRETCH + 1, stop)))
            breaks = (steps > 1.5 / (rate or 1.0)) | (steps < 0)
            edges += (np.flatnonzero(breaks) + at + 1).tolist()
    found: list[list[float]] = []
    for begin, end in pairwise([first, *edges, stop]):
        start = float(timebase.times(begin, begin + 1)[0])
        last = float(timebase.times(end - 1, end)[0])
        period = 1.0 / (rate or _rate_at(timebase, begin))
        if found and abs(found[-1][1] - start) <= min(1e-6, 0.1 * period):
            found[-1][1] = last + period
        else:
            found.append([start, last + period])
    return np.array(found, np.float64)


def _rate_at(timebase: Timebase, sample: int) -> float:
    return next(s.rate for s in timebase.segments if s.stop_sample > sample)


def _electrodes(c: Comparison, group: Any, stream: Ragged, ids: list[str]) -> None:
    """Which electrodes each unit is on."""
    mine = getattr(stream, "unit_electrodes", None)
    if "electrodes" not in group:
        return  # the recording's stream may have been left out
    if mine is None:
        c.check("electrodes", "are there, the source does not say")
        return
    table = c.file["general/extracellular_ephys/electrodes"]
    names = table["electrode_name"].asstr()[...]
    rows = group["electrodes"][...]
    stops = group["electrodes_index"][...].astype(np.int64)
    problem = None
    for unit, electrodes, stop, start in zip(ids, mine, stops, [0, *stops[:-1]], strict=True):
        found = names[rows[start:stop]].tolist()
        wanted = [e.name for e in electrodes]
        if problem is None and found != wanted:
            problem = f"of unit {unit} are {found[:3]}, the source says {wanted[:3]}"
    c.check("electrodes", problem, rows=len(rows))


def _waveforms(c: Comparison, group: Any, stream: Ragged) -> None:
    load = getattr(stream, "waveforms", None)
    waveforms = load(sparse="electrodes" in group) if load is not None else None
    if waveforms is None or not waveforms.data.size:
        return
    problem = None
    if "waveform_mean" not in group:
        problem = "are missing"
    elif not same_values(group["waveform_mean"], waveforms.data):
        problem = "differ"
    c.check("waveforms", problem, rows=len(waveforms.data))
