"""When samples were taken: segments with a rate, or lazily read timestamps.

Never a materialised vector of times: an hour at 30 kHz would be 0.86 GB.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from nwbkit.streams.clock import ClockMap

Times = npt.NDArray[np.float64]
ReadTimes = Callable[[int, int], Times]

#: A series is written as starting_time + rate only if no sample is displaced by more
#: than this, or by more than a tenth of a sample period, whichever is smaller.
MAX_DISPLACEMENT_S = 1e-6


@dataclass(frozen=True)
class Segment:
    """A stretch of a stream without a gap.

    Parameters
    ----------
    first_sample : int
        Index of the segment's first sample in the stream.
    n_samples : int
        Number of samples in the segment.
    t0 : float
        Time of the first sample in seconds on the stream's clock.
    rate : float
        Samples per second exactly as the source states it. (The rate rather than the
        period is kept, since NWB stores a rate and ``1 / (1 / rate)`` is not ``rate``.)
    """

    first_sample: int
    n_samples: int
    t0: float
    rate: float

    @property
    def stop_sample(self) -> int:
        """One past the segment's last sample."""
        return self.first_sample + self.n_samples

    @property
    def end(self) -> float:
        """Time at which the sample after the segment's last one would be taken."""
        return self.t0 + self.n_samples / self.rate

    def times(self, start: int, stop: int) -> Times:
        """Times in seconds of the stream's samples ``start..stop``, all inside the segment."""
        index = np.arange(start - self.first_sample, stop - self.first_sample, dtype=np.float64)
        index /= self.rate
        index += self.t0
        return index


@dataclass(frozen=True)
class Timebase:
    """The times of a stream's samples on one clock.

    Either `segments` (regular sampling) or `read_times` (the device wrote a time per
    sample) is given, never both. With `read_times`, `segments` may not be used.

    Parameters
    ----------
    clock : str
        Id of the clock, ``SOURCE/clockname``.
    segments : tuple of Segment
        In order, covering the stream's samples without overlap.
    read_times : callable, optional
        ``read_times(start, stop)`` returns float64 seconds on the clock.
    n_timestamps : int
        Number of samples, with `read_times`.
    nominal_rate : float, optional
        Samples per second as stated by the source, with `read_times`.
    """

    clock: str
    segments: tuple[Segment, ...] = ()
    read_times: ReadTimes | None = field(default=None, compare=False)
    n_timestamps: int = 0
    nominal_rate: float | None = None

    def __post_init__(self) -> None:
        if self.read_times is not None and self.segments:
            raise ValueError("a timebase has segments or read_times, not both")
        expected = 0
        for segment in self.segments:
            if segment.first_sample != expected or segment.n_samples < 0:
                raise ValueError("segments must cover the samples in order, without overlap")
            if not (segment.rate > 0 and np.isfinite(segment.rate)):
                raise ValueError(f"a rate must be positive and finite, not {segment.rate}")
            expected = segment.stop_sample

    @classmethod
    def regular(cls, clock: str, n_samples: int, rate: float, t0: float = 0.0) -> Timebase:
        """One segment of `n_samples` from `t0` (seconds) at `rate` (Hz)."""
        return cls(clock, (Segment(0, n_samples, t0, rate),))

    @classmethod
    def irregular(
        cls, clock: str, n_samples: int, read_times: ReadTimes, nominal_rate: float | None = None
    ) -> Timebase:
        """A time for every sample, read when asked for."""
        return cls(clock, (), read_times, n_samples, nominal_rate)

    @property
    def n_samples(self) -> int:
        """Number of samples."""
        if self.read_times is not None:
            return self.n_timestamps
        return self.segments[-1].stop_sample if self.segments else 0

    @property
    def rate(self) -> float | None:
        """The stated sampling rate in Hz; None where there is none, or more than one."""
        if self.read_times is not None:
            return self.nominal_rate
        rates = {segment.rate for segment in self.segments}
        return rates.pop() if len(rates) == 1 else None

    def times(self, start: int, stop: int) -> Times:
        """Times of the samples ``start..stop``, float64 seconds on the clock."""
        if self.read_times is not None:
            return np.asarray(self.read_times(start, stop), dtype=np.float64)
        parts = [
            segment.times(max(start, segment.first_sample), min(stop, segment.stop_sample))
            for segment in self.segments
            if segment.first_sample < stop and segment.stop_sample > start
        ]
        if len(parts) == 1:
            return parts[0]
        return np.concatenate(parts) if parts else np.empty(0, np.float64)

    def time_of(self, samples: npt.NDArray[np.integer]) -> Times:
        """Times of arbitrary sample indices (shape kept), float64 seconds on the clock.

        Indices at or beyond the end belong to the last segment, as a falling edge that
        coincides with the end of the recording does.
        """
        samples = np.asarray(samples, dtype=np.int64)
        if self.read_times is not None:
            if samples.size == 0:
                return np.empty(samples.shape, np.float64)
            low = int(samples.min())
            picked: Times = self.times(low, int(samples.max()) + 1)[samples - low]
            return picked
        firsts = np.array([s.first_sample for s in self.segments], np.int64)
        rates = np.array([s.rate for s in self.segments], np.float64)
        t0s = np.array([s.t0 for s in self.segments], np.float64)
        which = np.maximum(np.searchsorted(firsts, samples, side="right") - 1, 0)
        times: Times = t0s[which] + (samples - firsts[which]) / rates[which]
        return times

    def sample_of(self, times: Times) -> npt.NDArray[np.int64]:
        """Nearest sample index of each time (seconds on the clock), regular timebases only."""
        if self.read_times is not None:
            raise ValueError("sample_of needs segments")
        times = np.asarray(times, dtype=np.float64)
        t0s = np.array([s.t0 for s in self.segments], np.float64)
        firsts = np.array([s.first_sample for s in self.segments], np.int64)
        rates = np.array([s.rate for s in self.segments], np.float64)
        half = 0.5 / rates
        which = np.maximum(np.searchsorted(t0s - half, times, side="right") - 1, 0)
        return firsts[which] + np.rint((times - t0s[which]) * rates[which]).astype(np.int64)

    def mapped(self, clock_map: ClockMap) -> Timebase:
        """The same samples in session time."""
        if self.read_times is not None:
            read = self.read_times
            return replace(self, read_times=lambda a, b: clock_map(np.asarray(read(a, b), float)))
        return replace(
            self,
            segments=tuple(
                replace(s, t0=clock_map(s.t0), rate=_scaled_rate(s.rate, clock_map.scale))
                for s in self.segments
            ),
        )

    def as_rate(self) -> tuple[float, float] | None:
        """``(starting_time, rate)`` where they displace no sample too far; else None."""
        segments = [s for s in self.segments if s.n_samples]
        rate = self.rate
        if self.read_times is not None or not segments or rate is None:
            return None
        start = segments[0].t0
        allowed = min(MAX_DISPLACEMENT_S, 0.1 / rate)
        first = segments[0].first_sample
        for segment in segments:
            if abs(start + (segment.first_sample - first) / rate - segment.t0) > allowed:
                return None
        return start, rate

    def gaps(self) -> Iterator[tuple[int, float]]:
        """``(first sample after the gap, seconds missing)`` of each gap between segments.

        Negative seconds mean that the clock went back: an overlap or a reset.
        """
        for before, after in _pairs([s for s in self.segments if s.n_samples]):
            missing = after.t0 - before.end
            if abs(missing) > min(MAX_DISPLACEMENT_S, 0.1 / after.rate):
                yield after.first_sample, missing


def _pairs(items: Sequence[Segment]) -> Iterator[tuple[Segment, Segment]]:
    return itertools.pairwise(items)


def _scaled_rate(rate: float, scale: float) -> float:
    return rate if scale == 1.0 else rate / scale
