"""Which clock each stream is on, and what the zero of each clock is.

A record node of GUI 0.6 and later finds, from a sync pulse that all its devices receive,
how each stream runs beside the main one, and writes the time of every sample on the main
stream's time. Such streams are on one clock, that of the main stream: their rates are as
measured. A stream without synchronised times keeps the time of its own device, sample
number over nominal rate; AP and LFP band of a probe, and the copies of a stream that two
record nodes made, have one device. The zero of a clock is the first sample recorded on it,
as session_start_time is when recording began, not when acquisition did.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from nwbkit.formats.recording.openephys_binary.tracks import Part, Track, probe_of
from nwbkit.streams import Clock, Segment, Timebase
from nwbkit.streams.kinds import AnyArray

#: Streams of one device that began further apart than this do not count from one zero.
SAME_START_S = 1.0


@dataclass(frozen=True)
class Basis:
    """How the times of a track are made.

    Parameters
    ----------
    clock : Clock
    synchronised : bool
        From the seconds that Open Ephys wrote; else from sample numbers.
    zero : Fraction
        Device time of the clock's zero in seconds.
    """

    clock: Clock
    synchronised: bool
    zero: Fraction


def settle(
    source: str,
    tracks: Sequence[Track],
    labels: Mapping[int, str],
    mains: Mapping[int | None, tuple[int, str]],
) -> list[Basis]:
    """One Basis per track.

    Parameters
    ----------
    source : str
        Id of the source.
    tracks : sequence of Track
    labels : mapping of int to str
        Names of the tracks, by index.
    mains : mapping of node to (processor id, stream)
        Main stream of each record node as settings.xml says.
    """
    synchronised: dict[int, tuple[object, ...]] = {}
    for node in {t.node for t in tracks}:
        members = [i for i, t in enumerate(tracks) if t.node == node and t.synchronised]
        believed = _believed(tracks, members, mains.get(node))
        synchronised.update(dict.fromkeys(believed, _main_of(tracks, believed, node)))
    groups: dict[tuple[object, ...], list[int]] = {}
    for i, track in enumerate(tracks):
        # a copy of the main stream that another node made is on the main stream's time as well
        groups.setdefault(synchronised.get(i, ("device", *track.hardware)), []).append(i)
    bases: dict[int, Basis] = {}
    names: set[str] = set()
    for members in groups.values():
        for part in _same_start(tracks, members, synchronised):
            clock, zero = _clock(source, tracks, part, labels, synchronised, names)
            bases.update({i: Basis(clock, i in synchronised, zero) for i in part})
    return [bases[i] for i in range(len(tracks))]


def _main_of(
    tracks: Sequence[Track], members: Sequence[int], node: int | None
) -> tuple[object, ...]:
    """What the synchronised time of a node is: that of its main device, where it is known."""
    devices = {tracks[i].hardware for i in members if all(p.own_time() for p in tracks[i].parts)}
    return ("device", *devices.pop()) if len(devices) == 1 else ("synchronised", node)


def _believed(
    tracks: Sequence[Track], members: Sequence[int], main: tuple[int, str] | None
) -> list[int]:
    """Those tracks of a node whose seconds are on one time.

    Only the main stream's seconds are its own sample numbers; where those of several
    devices are, nobody synchronised them.
    """
    own = [i for i in members if all(p.own_time() for p in tracks[i].parts)]
    devices = {tracks[i].hardware for i in own}
    if len(devices) > 1:
        keep = (main[0], probe_of(main[1])) if main is not None else None
        members = [i for i in members if i not in own or tracks[i].hardware == keep]
    others = {tracks[i].hardware for i in members}
    if len(others) == 1 and set(members) <= set(own):
        return []  # a device alone: its sample numbers say the same, exactly
    return list(members)


def _same_start(
    tracks: Sequence[Track], members: Sequence[int], synchronised: Container[int]
) -> list[list[int]]:
    """Tracks of one device that count from one zero; synchronised ones do."""
    parts: list[list[int]] = [[i for i in members if i in synchronised]]
    for i in (i for i in members if i not in synchronised):
        start = first_time(tracks[i], False)
        for part in parts:
            begun = [first_time(tracks[k], k in synchronised) for k in part]
            if begun and abs(min(begun) - start) <= SAME_START_S:
                part.append(i)
                break
        else:
            parts.append([i])
    return [part for part in parts if part]


def first_time(track: Track, synchronised: bool) -> Fraction:
    """Device time of a track's earliest sample."""
    times = []
    for part in track.parts:
        if synchronised and part.seconds is not None:
            times.append(Fraction(float(part.seconds.read(0, 1)[0])))
        else:
            times.append(part.runs[0].number / Fraction(part.continuous.rate))
    return min(times)


def _clock(
    source: str,
    tracks: Sequence[Track],
    members: Sequence[int],
    labels: Mapping[int, str],
    synchronised: Container[int],
    names: set[str],
) -> tuple[Clock, Fraction]:
    zero, first = min((first_time(tracks[i], i in synchronised), i) for i in members)
    track = tracks[first]
    name = labels[first]
    whose = f"clock of the device behind {labels[first]}"
    if sum(i in synchronised for i in members) > 1:
        name = "synchronized"
        whose = "time that Open Ephys synchronised its streams to"
    candidates = [name, f"{name}-node{track.node}", *(f"{name}-{labels[i]}" for i in members)]
    name = next(c for c in candidates if c not in names)
    names.add(name)
    number = track.parts[0].runs[0].number
    said = f"{whose}; its zero is sample {number} of {labels[first]}, at {float(zero):.9g} s"
    return Clock(f"{source}/{name}", f"{said} since acquisition began"), zero


def timebase_of(track: Track, basis: Basis) -> Timebase:
    """The times of a track's rows."""
    if basis.synchronised and any(line is None for _, _, line in track.runs()):
        return Timebase.irregular(
            basis.clock.id, track.rows, _Reading(track, basis.zero), track.continuous.rate
        )
    segments, first = [], 0
    for part, run, line in track.runs():
        t0 = float(run.number / Fraction(part.continuous.rate) - basis.zero)
        rate = part.continuous.rate
        if basis.synchronised and line is not None:
            t0, rate = line.t0 - float(basis.zero), line.rate
        segments.append(Segment(first + run.first, run.n, t0, rate))
        if run is part.runs[-1]:
            first += part.rows
    return Timebase(basis.clock.id, tuple(segments))


class _Reading:
    """Reads the seconds of a track's rows."""

    def __init__(self, track: Track, zero: Fraction) -> None:
        self._parts: list[Part] = list(track.parts)
        self._zero = float(zero)

    def __call__(self, start: int, stop: int) -> AnyArray:
        import numpy as np

        found, before = [], 0
        for part in self._parts:
            low, high = max(start - before, 0), min(stop - before, part.rows)
            if low < high and part.seconds is not None:
                found.append(part.seconds.read(low, high).astype(np.float64))
            before += part.rows
        times = np.concatenate(found) if found else np.empty(0, np.float64)
        return times - self._zero
