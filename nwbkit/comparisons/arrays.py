"""Array streams: every sample, scale, times, electrodes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from nwbkit.comparisons.base import Comparison, digest_rows
from nwbkit.streams import Array, Timebase
from nwbkit.streams.turned import as_stored
from nwbkit.streams.views import Times, Window, cut


def compare_array(c: Comparison) -> None:
    """Compare a stream of samples with the series it became."""
    stream = c.stream
    assert isinstance(stream, Array)
    for nwb_path, part, first in _parts(stream, c.record.nwb_paths):
        _samples(c, nwb_path, part, first)
        _times(c, nwb_path, part, first)
    _scale(c, c.record.nwb_paths[0], stream)
    if stream.electrodes is not None:
        _electrodes(c, c.record.nwb_paths[0], stream)


def _parts(stream: Array, paths: Sequence[str]) -> Iterator[tuple[str, Array, int]]:
    """``(nwb path, rows it holds, first row)``: one, or one a segment."""
    if len(paths) == 1:
        yield paths[0], stream, 0
        return
    assert stream.timebase is not None
    segments = [s for s in stream.timebase.segments if s.n_samples]
    for nwb_path, s in zip(paths, segments, strict=True):
        yield nwb_path, Window(stream, s.first_sample, s.stop_sample), s.first_sample


def _samples(c: Comparison, nwb_path: str, part: Array, first: int) -> None:
    """Every sample, bit by bit."""
    independent = c.reader.reread(part.id, 0, 0) is not None

    stored = as_stored(part)

    def read(start: int, stop: int) -> Any:
        if not independent:
            return stored.read(start, stop)
        rows = c.reader.reread(part.id, first + start, first + stop)
        # turned here by numpy's own words, and not by the view that convert reads through
        return np.swapaxes(rows, 1, 2) if stored is not part and rows is not None else rows

    whole = part.parent if part.parent is not None else part
    row_bytes = math.prod(whole.shape[1:]) * whole.dtype.itemsize
    expected = digest_rows(read, stored.shape, part.dtype, jobs=c.jobs, row_bytes=row_bytes)
    found = c.digest_at(f"{nwb_path}/data")
    difference = "could not be decoded" if found is None else found.compare(expected)
    c.check(
        "samples",
        str(difference) if difference is not None else None,
        reader="independent" if independent else "same",
        rows=part.shape[0],
    )


def _times(c: Comparison, nwb_path: str, part: Array, first: int) -> None:
    """Start and rate, or every timestamp."""
    assert part.timebase is not None
    clock = part.timebase.clock
    clock_map = c.clock_map(clock)
    facts = c.reader.reread_facts(part.id)
    regular = part.timebase.mapped(clock_map).as_rate()
    if regular is not None:
        _start_and_rate(c, nwb_path, *regular, "same")
        if facts is not None:
            at = float(Timebase(clock, facts["segments"]).times(first, first + 1)[0])
            _start_and_rate(c, nwb_path, clock_map(at), facts["rate"], "independent")
        return
    expected, who = part.timebase, "same"
    if facts is not None:
        whole = Timebase(clock, facts["segments"])
        expected, who = cut(whole, first, first + part.shape[0]), "independent"
    times = Times(expected.mapped(clock_map), id="times")
    digest = digest_rows(times.read, times.shape, times.dtype, jobs=c.jobs)
    found = c.digest_at(f"{nwb_path}/timestamps")
    difference = "could not be decoded" if found is None else found.compare(digest)
    problem = str(difference) if difference is not None else None
    c.check("times", problem, reader=who, rows=part.shape[0])


def _start_and_rate(c: Comparison, nwb_path: str, start: float, rate: float, who: str) -> None:
    group = c.file[nwb_path]
    problem = None
    if "starting_time" not in group:
        problem = "has timestamps, where the source has a constant rate"
    else:
        found_start = float(group["starting_time"][()])
        found_rate = float(group["starting_time"].attrs["rate"])
        if found_rate != rate:
            problem = f"rate is {found_rate} Hz, the source says {rate} Hz"
        elif abs(found_start - start) > 1e-9:
            problem = f"starts at {found_start} s, the source says {start} s"
    c.check("times", problem, reader=who)


def _scale(c: Comparison, nwb_path: str, stream: Array) -> None:
    """Gain and offset of every channel."""
    group = c.file[nwb_path]
    n = stream.shape[1] if len(stream.shape) == 2 else 1
    gain = np.broadcast_to(float(group["data"].attrs["conversion"]), n)
    if "channel_conversion" in group:
        gain = gain * group["channel_conversion"][...]
    offset = float(group["data"].attrs.get("offset", 0.0))
    claims = [("same", stream.gain, stream.offset)]
    facts = c.reader.reread_facts(stream.id)
    if facts is not None:
        claims.append(("independent", facts["gain"], facts["offset"]))
    for who, gains, offsets in claims:
        said = np.broadcast_to(gains, n)
        wrong = np.flatnonzero(gain != said)
        problem = None
        if wrong.size:
            k = int(wrong[0])
            problem = f"gain of channel {k} is {gain[k]}, the source says {said[k]}"
            if wrong.size > 1:
                problem += f" ({wrong.size} channels differ)"
        elif not np.all(np.asarray(offsets) == offset):
            problem = f"offset is {offset}, the source says {np.asarray(offsets).tolist()}"
        c.check("scale", problem, reader=who)


def _electrodes(c: Comparison, nwb_path: str, stream: Array) -> None:
    """Which electrode each channel is, and where it lies."""
    table = c.file["general/extracellular_ephys/electrodes"]
    electrodes = stream.electrodes or ()
    rows = c.file[nwb_path]["electrodes"][...]
    names = table["electrode_name"].asstr()[...]
    positions = {axis: table[axis][...] for axis in ("rel_x", "rel_y") if axis in table}
    problem = None
    if len(rows) != len(electrodes):
        problem = f"{len(rows)} electrodes, the source has {len(electrodes)}"
    for channel, (row, electrode) in enumerate(zip(rows, electrodes, strict=False)):
        found = (names[row], *(float(p[row]) for p in positions.values()))
        wanted = (electrode.name, *(getattr(electrode, axis) for axis in positions))
        if problem is None and found != wanted:
            problem = f"channel {channel} is electrode {found}, the source says {wanted}"
    c.check("electrodes", problem, rows=len(rows))
