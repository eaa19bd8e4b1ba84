"""Views of streams: a window of rows, and the times of a timebase as an array."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import numpy as np

from nwbkit.streams.kinds import AnyArray, Array, Pose, Ragged, Stream, Table
from nwbkit.streams.timebase import Segment, Timebase


class Window(Array):
    """Rows ``first..stop`` of another array stream, as a stream of its own.

    Parameters
    ----------
    base : Array
    first, stop : int
        Rows of `base`.
    """

    def __init__(self, base: Array, first: int, stop: int) -> None:
        values: dict[str, Any] = {f.name: getattr(base, f.name) for f in fields(Array)}
        values["shape"] = (stop - first, *base.shape[1:])
        if base.timebase is not None:
            values["timebase"] = cut(base.timebase, first, stop)
        if base.parent is not None:
            values["parent"] = Window(base.parent, first, stop)
            values["group"] = (base.group, first, stop)
        values["hdf5"] = None
        if base.reopen is not None:
            values["reopen"] = functools.partial(_window_again, base.reopen, first, stop)
        super().__init__(**values)
        self.base = base
        self.first = first

    def read(self, start: int, stop: int, out: AnyArray | None = None) -> AnyArray:
        """Rows ``start..stop`` of the window."""
        return self.base.read(self.first + start, self.first + stop, out)


def _window_again(reopen: Callable[[], Array], first: int, stop: int) -> Array:
    return Window(reopen(), first, stop)


class Times(Array):
    """The times of a timebase as a float64 array, computed as it is read."""

    def __init__(self, timebase: Timebase, *, id: str) -> None:
        super().__init__(
            id=id,
            name=id,
            role="timestamps",
            shape=(timebase.n_samples,),
            dtype=np.dtype("<f8"),
            unit="seconds",
            concurrency="threads" if timebase.read_times is None else "serial",
        )
        self.times_of = timebase

    def read(self, start: int, stop: int, out: AnyArray | None = None) -> AnyArray:
        """Times of the samples ``start..stop`` in seconds."""
        times = self.times_of.times(start, stop)
        if out is None:
            return times
        np.copyto(out, times)
        return out


class PoseHead(Pose):
    """The first frames of a pose stream."""

    def __init__(self, base: Pose, n_frames: int) -> None:
        values: dict[str, Any] = {f.name: getattr(base, f.name) for f in fields(Pose)}
        values["n_frames"] = n_frames
        if base.timebase is not None:
            values["timebase"] = cut(base.timebase, 0, n_frames)
        super().__init__(**values)
        self.base = base

    def read(self, keypoint: int) -> tuple[AnyArray, AnyArray]:
        """``(positions, confidence)`` of one keypoint."""
        positions, confidence = self.base.read(keypoint)
        return positions[: self.n_frames], confidence[: self.n_frames]


class TableHead(Table):
    """The rows of an event or interval table that begin before `stop_s` on its clock."""

    def __init__(self, base: Table, stop_s: float) -> None:
        values: dict[str, Any] = {f.name: getattr(base, f.name) for f in fields(Table)}
        super().__init__(**values)
        self.base = base
        self.stop_s = stop_s

    def read(self) -> dict[str, AnyArray]:
        """The rows that begin before the end of the stub."""
        rows = self.base.read()
        starts = [c for c in self.columns if c.role in ("timestamp", "start")]
        if not starts:
            return rows
        times = rows[starts[0].name]
        if starts[0].unit == "samples":
            assert self.timebase is not None
            times = self.timebase.time_of(times)
        keep = times < self.stop_s
        return {name: values[keep] for name, values in rows.items()}


def cut(timebase: Timebase, first: int, stop: int) -> Timebase:
    """The timebase of the samples ``first..stop``, counted from 0."""
    if timebase.read_times is not None:
        read = timebase.read_times
        return replace(
            timebase,
            n_timestamps=stop - first,
            read_times=lambda a, b: read(first + a, first + b),
        )
    segments = []
    for segment in timebase.segments:
        begin, end = max(segment.first_sample, first), min(segment.stop_sample, stop)
        if begin < end:
            t0 = segment.t0
            if begin > segment.first_sample:
                t0 += (begin - segment.first_sample) / segment.rate
            segments.append(Segment(begin - first, end - begin, t0, segment.rate))
    return replace(timebase, segments=tuple(segments))


def rows_before(timebase: Timebase, stop_s: float) -> int:
    """Number of leading samples taken before `stop_s` (seconds on the clock)."""
    low, high = 0, timebase.n_samples
    while low < high:
        middle = (low + high) // 2
        if timebase.times(middle, middle + 1)[0] < stop_s:
            low = middle + 1
        else:
            high = middle
    return low


def head(stream: Stream, seconds: float) -> Stream:
    """The first `seconds` of a stream, counted from its clock's zero; for ``--stub``."""
    if isinstance(stream, Array) and stream.timebase is not None:
        return Window(stream, 0, rows_before(stream.timebase, seconds))
    if isinstance(stream, Table) and stream.timebase is not None:
        return TableHead(stream, seconds)
    if isinstance(stream, Pose) and stream.timebase is not None:
        return PoseHead(stream, rows_before(stream.timebase, seconds))
    if isinstance(stream, Ragged):
        return stream.before(seconds)
    return stream  # a video is referred to, not copied: it stays whole
