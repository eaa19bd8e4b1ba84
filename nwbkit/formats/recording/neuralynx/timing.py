"""When the samples of .ncs records were taken: gaps to the sample, rates unrounded.

A record's timestamp is that of its first sample, in whole microseconds, cut off or rounded.
Between the timestamps of neighbouring records lie as many periods as the first one has valid
samples; what is more than the two cut-off microseconds can explain is a gap or an overlap.
Where the timestamps scatter more than that throughout, they are not of the sampling clock,
and only half a sample and more is a gap; the samples then have the times that the records
say, and no rate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from nwbkit.formats.recording.neuralynx.files import ROOM, Complaints
from nwbkit.streams import Segment, Timebase
from nwbkit.streams.timebase import MAX_DISPLACEMENT_S, Times

Ints = npt.NDArray[np.int64]
#: Two timestamps cut off to microseconds, and the median of such differences.
_QUANTUM_US = 2.0
#: More steps than this fraction of the records are scatter, not gaps.
_SCATTER = 0.02
#: A crystal is off by less; a header's rate may be rounded to a whole number besides.
_CRYSTAL = 2e-3
#: Of more stretches than this the samples have the times of their records, not segments.
MAX_SEGMENTS = 4096
#: How far float64 arithmetic itself may move a time, microseconds.
_FLOAT_US = 1e-3


@dataclass(frozen=True)
class Records:
    """What the records of a channel say besides samples.

    Parameters
    ----------
    times : array of int64
        Microseconds, of each record that has samples.
    valid : array of int64
        Samples in each.
    """

    times: Ints
    valid: Ints

    @property
    def firsts(self) -> Ints:
        """Index of each record's first sample; one more at the end."""
        return np.concatenate([np.zeros(1, np.int64), np.cumsum(self.valid)])


@dataclass(frozen=True)
class Nominal:
    """The rate that headers state.

    Parameters
    ----------
    rate : float
        Hz.
    whole_us : bool
        The sampling clock divides 1 MHz: the period is a whole number of microseconds.
    """

    rate: float
    whole_us: bool = False

    @property
    def period_us(self) -> float:
        """The period in microseconds as the hardware makes it."""
        period = 1e6 / self.rate
        return float(max(1, int(period))) if self.whole_us else period


def period_of(records: Records, nominal: Nominal) -> float:
    """The period in microseconds: the records' own where it is near what the header says."""
    full = np.flatnonzero(records.valid[:-1] == ROOM)
    if full.size:
        steps = records.times[full + 1] - records.times[full]
        measured = float(np.median(steps)) / ROOM
        # a rate rounded to a whole number of Hz is off by so much
        allowed = max(_CRYSTAL, 0.5 / nominal.rate)
        for expected in (nominal.period_us, 1e6 / nominal.rate):
            if abs(measured / expected - 1) <= allowed:
                return measured
    return nominal.period_us


def cuts_of(records: Records, period_us: float) -> Ints:
    """Records that do not follow on the one before, as indices."""
    if len(records.times) < 2:
        return np.empty(0, np.int64)
    steps = np.diff(records.times)
    off = np.abs(steps - records.valid[:-1] * period_us)
    # of partial records the product is exact to less than of full ones
    cuts = np.flatnonzero(off > _QUANTUM_US)
    if len(cuts) > max(16, _SCATTER * len(steps)):
        cuts = np.flatnonzero((off > period_us / 2) | (steps <= 0))
    return cuts.astype(np.int64) + 1


@dataclass(frozen=True)
class Gap:
    """A place where records do not follow each other; negative: they overlap."""

    sample: int
    missing: float
    seconds: float


def gaps_of(records: Records, period_us: float, cuts: Ints) -> list[Gap]:
    """Each cut with the number of samples that are missing."""
    firsts = records.firsts
    found = []
    for k in cuts.tolist():
        step = int(records.times[k] - records.times[k - 1])
        missing = step - int(records.valid[k - 1]) * period_us
        found.append(Gap(int(firsts[k]), missing / period_us, missing / 1e6))
    return found


def timebase_of(records: Records, nominal: Nominal, clock: str, zero: int) -> Timebase:
    """Segments where the timestamps keep to a rate, else times between the records' own.

    The header's rate stands where it fits every timestamp to within a microsecond; else the
    rate of the longest stretch, then each stretch's own.

    Parameters
    ----------
    records : Records
    nominal : Nominal
    clock : str
    zero : int
        Timestamp of the clock's zero.
    """
    period = period_of(records, nominal)
    edges = [0, *cuts_of(records, period).tolist(), len(records.times)]
    stretches = [(a, b) for a, b in pairwise(edges) if b > a]
    rates = _rates(records, stretches, nominal) if len(stretches) <= MAX_SEGMENTS else None
    if rates is None:
        return Timebase.irregular(
            clock, int(records.valid.sum()), Between(records, stretches, period, zero), nominal.rate
        )
    firsts = records.firsts
    segments = tuple(
        Segment(int(firsts[a]), int(firsts[b] - firsts[a]), (int(records.times[a]) - zero) / 1e6, r)
        for (a, b), r in zip(stretches, rates, strict=True)
    )
    return Timebase(clock, segments)


def _rates(
    records: Records, stretches: Sequence[tuple[int, int]], nominal: Nominal
) -> list[float] | None:
    """A rate for each stretch; None where the timestamps of one keep to none."""
    candidates = [1e6 / nominal.period_us] if nominal.whole_us else []
    candidates.append(nominal.rate)
    for rate in candidates:
        if all(_fits(records, s, rate) for s in stretches):
            return [rate] * len(stretches)
    longest = max(stretches, key=lambda s: s[1] - s[0])
    common = _measured(records, longest) or nominal.rate
    found = []
    for stretch in stretches:
        own = _measured(records, stretch)
        fitting = [r for r in (common, own) if r is not None and _fits(records, stretch, r)]
        if not fitting:
            return None
        found.append(fitting[0])
    return found


def _measured(records: Records, stretch: tuple[int, int]) -> float | None:
    """Samples over time between the first and the last timestamp, Hz."""
    a, b = stretch
    if b - a < 2:
        return None
    samples = int(records.valid[a : b - 1].sum())
    return samples * 1e6 / int(records.times[b - 1] - records.times[a])


def _fits(records: Records, stretch: tuple[int, int], rate: float) -> bool:
    """Whether no timestamp is off by more than a sample may be displaced."""
    a, b = stretch
    since = np.cumsum(records.valid[a : b - 1]) * (1e6 / rate)
    off = np.abs(since - (records.times[a + 1 : b] - records.times[a]))
    allowed = min(MAX_DISPLACEMENT_S * 1e6, 0.1e6 / rate) + _FLOAT_US
    return not off.size or bool(off.max() <= allowed)


class Between:
    """Times between the timestamps of records: each record's own, straight in between.

    Parameters
    ----------
    records : Records
    stretches : sequence of (int, int)
        Records that follow each other.
    period_us : float
        Used behind the last timestamp of each stretch.
    zero : int
    """

    def __init__(
        self, records: Records, stretches: Sequence[tuple[int, int]], period_us: float, zero: int
    ) -> None:
        self._firsts = records.firsts
        self._starts = (records.times - zero).astype(np.float64)
        periods = np.empty(len(records.times))
        periods[:-1] = np.diff(records.times) / np.maximum(records.valid[:-1], 1)
        for _, stop in stretches:
            periods[stop - 1] = period_us
        self._periods = periods

    def __call__(self, start: int, stop: int) -> Times:
        """Seconds of the samples ``start..stop``."""
        index = np.arange(start, stop)
        which = np.searchsorted(self._firsts, index, side="right") - 1
        since = (index - self._firsts[which]) * self._periods[which]
        seconds: Times = (self._starts[which] + since) / 1e6
        return seconds


def describe_gaps(name: str, gaps: Sequence[Gap], complaints: Complaints) -> None:
    """Name the gaps of a stream in one note."""
    if not gaps:
        return
    texts: list[Any] = []
    for gap in gaps[:5]:
        what = "missing" if gap.missing > 0 else "too many"
        count = round(abs(gap.missing), 1)
        texts.append(f"{count:.10g} samples {what} before sample {gap.sample}")
    more = f" and {len(gaps) - 5} more" if len(gaps) > 5 else ""
    many = f"{len(gaps)} gaps" if len(gaps) > 1 else "a gap"
    complaints.note(f"{name} has {many} by its timestamps: {'; '.join(texts)}{more}")
