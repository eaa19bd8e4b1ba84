"""Frames into time series and volumes, and when they were taken."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence as Seq
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from nwbkit.errors import DamagedInput
from nwbkit.formats.imaging.bruker._xml import Frame, Scan, Sequence
from nwbkit.streams import Segment, Timebase
from nwbkit.streams.timebase import MAX_DISPLACEMENT_S

Times = npt.NDArray[np.float64]
#: Cycles whose zero differs by less go on where the one before ended.
_SAME_S = 1e-5
#: Focus positions differ by so many um where a device does not settle exactly.
_SETTLED_UM = 0.5


@dataclass
class Group:
    """Frames that make streams together.

    Parameters
    ----------
    stacked : bool
        Whether `frames` are volumes.
    frames : list of list of Frame
        One list a volume in order of planes; of one frame for time series.
    times : list of list of float
        Seconds from the run's first frame on, of each of those.
    loose : list of (plane, Frame, float)
        Frames of incomplete volumes.
    starts : list of int
        Where cycles begin, for time series.
    """

    stacked: bool
    frames: list[list[Frame]] = field(default_factory=list)
    times: list[list[float]] = field(default_factory=list)
    loose: list[tuple[int, Frame, float]] = field(default_factory=list)
    n_planes: int = 1
    by_position: bool = True
    reordered: int = 0


def seconds(scan: Scan, name: str) -> list[list[float]]:
    """Times of the frames of each cycle, from the first frame on.

    ``relativeTime`` has the fewer digits lost; where it begins anew in a cycle, the cycle's place
    comes from ``absoluteTime``.

    Raises
    ------
    nwbkit.errors.DamagedInput
        Where times go back.
    """
    found: list[list[float]] = []
    zero: float | None = None
    reference: float | None = None
    last = -np.inf
    for sequence in scan.sequences:
        times: list[float] = []
        if sequence.frames:
            first = sequence.frames[0]
            mine = None if first.absolute is None else first.absolute - first.relative
            if zero is None:
                zero, reference = first.relative, mine
            shift = 0.0
            if mine is not None and reference is not None and abs(mine - reference) > _SAME_S:
                shift = mine - reference
            times = [f.relative - zero + shift for f in sequence.frames]
        for k, t in enumerate(times):
            if t <= last:
                raise DamagedInput(
                    f"'{name}': cycle {sequence.cycle}, frame {k + 1} is at {t:.9g} s, the one "
                    f"before at {last:.9g} s (relativeTime, absoluteTime)"
                )
            last = t
        found.append(times)
    return found


def recording_start(scan: Scan, cycle: int, attributes: dict[str, str]) -> float | None:
    """When a voltage recording of a cycle began, on the frames' clock; None where unknown."""
    firsts = [s.frames[0] for s in scan.sequences if s.frames]
    mine = [s.frames[0] for s in scan.sequences if s.frames and s.cycle == cycle]
    try:
        absolute = float(attributes["absoluteTime"])
        assert firsts[0].absolute is not None
        return absolute - firsts[0].absolute
    except (KeyError, ValueError, IndexError, AssertionError):
        pass
    try:
        relative = float(attributes["relativeTime"])
    except (KeyError, ValueError):
        return None
    return relative - firsts[0].relative if mine and mine[0] is firsts[0] else None


def groups(scan: Scan, times: list[list[float]]) -> list[Group]:
    """The frames as time series, and as volumes where cycles are stacks."""
    pairs = [(s, t) for s, t in zip(scan.sequences, times, strict=True) if s.frames]
    stacks = [p for p in pairs if is_stack(p[0])]
    flat = [p for p in pairs if not is_stack(p[0])]
    found = []
    if flat:
        group = Group(False)
        for sequence, mine in flat:
            group.frames += [[f] for f in sequence.frames]
            group.times += [[t] for t in mine]
        found.append(group)
    if stacks:
        found.append(_volumes(stacks))
    return found


def is_stack(sequence: Sequence) -> bool:
    """Whether the frames of a cycle are planes."""
    return "zseries" in sequence.kind.lower().replace(" ", "")


def _volumes(stacks: Seq[tuple[Sequence, list[float]]]) -> Group:
    counts = Counter(len(s.frames) for s, _ in stacks)
    most = max(counts.values())
    n = max(size for size, count in counts.items() if count == most)
    group = Group(True, n_planes=n)
    model = next(s for s, _ in stacks if len(s.frames) == n)
    places = np.array([_place(f, model) for f in model.frames])
    told = places.ndim == 2 and places.shape[1] > 0 and len(np.unique(places, axis=0)) == n
    group.by_position = bool(told)
    for sequence, times in stacks:
        order = _order(sequence, places if told else None, n)
        whole = len(sequence.frames) == n and sorted(order) == list(range(n))
        if not whole:
            known = [p for p in order if 0 <= p < n]
            if len(set(known)) != len(order):
                raise DamagedInput(
                    f"cycle {sequence.cycle} has {len(sequence.frames)} frames, which are not "
                    f"planes of stacks of {n}"
                )
            group.loose += [
                (p, f, t) for p, f, t in zip(order, sequence.frames, times, strict=True)
            ]
            continue
        group.reordered += order != list(range(n))
        inverse = np.argsort(order)
        group.frames.append([sequence.frames[k] for k in inverse])
        group.times.append([times[k] for k in inverse])
    return group


def _place(frame: Frame, model: Sequence) -> tuple[float, ...]:
    width = min(len(f.z) for f in model.frames)
    return frame.z[:width]


def _order(sequence: Sequence, places: npt.NDArray[np.float64] | None, n: int) -> list[int]:
    """The plane of each frame: by where the focus was, else by its number."""
    numbers = [f.index - 1 for f in sequence.frames]
    if places is None or any(len(f.z) < places.shape[1] for f in sequence.frames):
        return numbers
    mine = np.array([f.z[: places.shape[1]] for f in sequence.frames])
    apart = np.abs(mine[:, None, :] - places[None]).sum(axis=2)
    nearest = apart.argmin(axis=1)
    close = apart[np.arange(len(mine)), nearest] <= _SETTLED_UM
    if close.all() and len(set(nearest.tolist())) == len(mine):
        return [int(k) for k in nearest]
    return numbers


def timebase(clock: str, times: Times, period: float | None) -> Timebase:
    """A constant rate where the times keep to it, one a gap-free run, else every time.

    Parameters
    ----------
    clock : str
    times : numpy.ndarray of float64
        Seconds, ascending.
    period : float, optional
        Seconds from frame to frame as the file says.
    """
    steps = np.diff(times)
    nominal = 1 / period if period else None
    if not steps.size:
        return _as_written(clock, times, None)
    breaks = np.flatnonzero(steps > 1.5 * np.median(steps)) + 1
    runs = list(zip([0, *breaks.tolist()], [*breaks.tolist(), len(times)], strict=True))
    usual = 1 / float(np.median(steps))
    rates = [_rate_of(times[low:high], (nominal, usual)) for low, high in runs]
    if any(r is None for r in rates):
        return _as_written(clock, times, None)
    segments = [
        Segment(low, high - low, float(times[low]), rate)
        for (low, high), rate in zip(runs, rates, strict=True)
        if rate is not None
    ]
    return Timebase(clock, tuple(segments))


def _as_written(clock: str, times: Times, nominal: float | None) -> Timebase:
    def read(start: int, stop: int) -> Times:
        return times[start:stop]

    return Timebase.irregular(clock, len(times), read, nominal)


def _rate_of(times: Times, candidates: Seq[float | None]) -> float | None:
    n = len(times)
    tried = list(candidates)
    if n > 1:
        tried.append(float((n - 1) / (times[-1] - times[0])))
    for rate in tried:
        if rate is not None and rate > 0:
            regular = times[0] + np.arange(n) / rate
            if np.abs(regular - times).max() <= min(MAX_DISPLACEMENT_S, 0.1 / rate):
                return rate
    return None
