"""Sample counters: where they run on, where they jump, and the times of slower signals."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nwbkit.errors import NoInput
from nwbkit.streams import Segment, Timebase

#: Counters of 32 bits begin again after 40 hours at 30 kHz.
WRAP = 1 << 32
_STEP = 4 << 20


@dataclass(frozen=True)
class Run:
    """Samples whose counters follow each other.

    Parameters
    ----------
    first : int
        Index of the first sample.
    n : int
    counter : int
        Of the first sample, unwrapped.
    """

    first: int
    n: int
    counter: int


def find_runs(
    stretches: Iterable[npt.NDArray[np.int64]], went_back: Callable[[int, int, int], None]
) -> list[Run]:
    """Cut samples where their counters do not follow each other.

    A counter that wraps round at 32 bits goes on. What follows one that went back is left out,
    after ``went_back(sample, before, after)`` was told, and perhaps raised.
    """
    runs: list[list[int]] = []  # first, counter
    at, last, wraps = 0, 0, 0
    for numbers in stretches:
        if not numbers.size:
            continue
        if not runs:
            runs.append([0, int(numbers[0])])
            last = int(numbers[0]) - 1
        before = np.concatenate([[last], numbers[:-1]])
        steps = numbers - before
        for k in np.flatnonzero(steps != 1).tolist():
            step, shift = int(steps[k]), wraps * WRAP
            if step + WRAP < WRAP // 2:  # a wrap, with or without a gap
                wraps += 1
                if step + WRAP != 1:
                    runs.append([at + k, int(numbers[k]) + wraps * WRAP])
            elif step <= 0:
                went_back(at + k, int(before[k]) + shift, int(numbers[k]) + shift)
                return _closed(runs, at + k)
            else:
                runs.append([at + k, int(numbers[k]) + shift])
        last = int(numbers[-1])
        at += len(numbers)
    return _closed(runs, at)


def _closed(runs: list[list[int]], stop: int) -> list[Run]:
    stops = [first for first, _ in runs[1:]] + [stop]
    return [Run(first, end - first, c) for (first, c), end in zip(runs, stops, strict=True)]


def timebase_of(clock: str, runs: Iterable[Run], rate: float) -> Timebase:
    """The times of the samples: counter / rate."""
    return Timebase(clock, tuple(Segment(r.first, r.n, r.counter / rate, rate) for r in runs))


def every(timebase: Timebase, factor: int) -> Timebase:
    """The times of every `factor`-th sample, from the first on."""
    segments = []
    for s in timebase.segments:
        first, stop = -(-s.first_sample // factor), -(-s.stop_sample // factor)
        t0 = s.t0 + (first * factor - s.first_sample) / s.rate
        segments.append(Segment(first, stop - first, t0, s.rate / factor))
    return Timebase(timebase.clock, tuple(segments))


def counters_in(path: Path, n: int, signed: bool) -> Iterable[npt.NDArray[np.int64]]:
    """The first `n` numbers of time.dat, in stretches."""
    dtype: np.dtype[Any] = np.dtype("<i4" if signed else "<u4")
    try:
        with open(path, "rb") as f:
            left = n
            while left > 0:
                raw = f.read(min(left, _STEP) * 4)
                part = np.frombuffer(raw[: len(raw) // 4 * 4], dtype)
                if not part.size:
                    return
                left -= len(part)
                yield part.astype(np.int64)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise NoInput(f"cannot read '{path}': {reason}") from None
