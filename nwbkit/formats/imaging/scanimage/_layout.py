"""Which page of a run is which channel, slice and volume, and when it was taken."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nwbkit.errors import DamagedInput
from nwbkit.formats.imaging.scanimage._text import Frame, Settings
from nwbkit.streams import Segment, Timebase
from nwbkit.streams.timebase import MAX_DISPLACEMENT_S

#: Steps of the focus; more is damage.
MAX_SLICES = 10_000

Indices = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Stacks:
    """How slices follow each other.

    Parameters
    ----------
    slices : int
        1 where no stack was taken.
    repeats : int
        Saved frames of a slice before the next one.
    flyback : int
        Saved frames at the end of each volume while the focus returns.
    fast : bool
        Whether the focus moves within an acquisition.
    average : int
        Scanned frames that one saved frame is the mean of.
    """

    slices: int = 1
    repeats: int = 1
    flyback: int = 0
    fast: bool = True
    average: int = 1

    @property
    def per_volume(self) -> int:
        """Saved frames from one volume's beginning to the next one's."""
        return self.slices * self.repeats + self.flyback


def channels_of(settings: Settings) -> list[int]:
    """Numbers of the saved channels, from 1, in the order in which they are saved."""
    saved = settings.numbers("hChannels.channelSave", "channelsSave")
    if saved:
        return [int(n) for n in saved]
    return [n for n in range(1, 9) if settings.true(f"state.acq.savingChannel{n}")] or [1]


def stacks_of(settings: Settings, name: str) -> Stacks:
    """How slices follow each other, of the settings in the file called `name`.

    Raises
    ------
    nwbkit.errors.DamagedInput
        Where the settings contradict each other.
    """
    if "state.acq.numberOfZSlices" in settings.values:
        return _old_stacks(settings)
    average = (
        settings.whole(
            "hScan2D.logAverageFactor", "hChannels.logAverageFactor", "acqNumAveragedFrames"
        )
        or 1
    )
    enabled = "hStackManager.enable" not in settings.values
    enabled = enabled or settings.true("hStackManager.enable")
    fast = settings.word("hStackManager.stackMode") == "fast" or (
        "hStackManager.stackMode" not in settings.values
        and settings.true("hFastZ.enable", "fastZEnable")
    )
    repeats = settings.whole("hStackManager.framesPerSlice") or 1
    slices = settings.whole(
        "hStackManager.actualNumSlices", "hStackManager.numSlices", "stackNumSlices"
    )
    if not enabled or not slices or slices < 2:
        return Stacks(average=average)
    if slices > MAX_SLICES:
        raise DamagedInput(f"'{name}' says its volumes have {slices} slices")
    flyback = 0
    if fast:
        flyback = settings.whole("hFastZ.numDiscardFlybackFrames", "fastZNumDiscardFrames") or 0
        whole = settings.whole("hStackManager.numFramesPerVolumeWithFlyback")
        if whole is not None:
            flyback = whole - slices * repeats
    frames = slices * repeats + flyback
    if flyback < 0 or repeats % average or frames % average:
        if average > 1 and repeats == 1:
            return Stacks(slices, 1, flyback // average, fast, average)
        raise DamagedInput(
            f"'{name}' says {slices} slices of {repeats} frames, {flyback} flyback frames and "
            f"the mean of {average} saved, which do not fit"
        )
    return Stacks(slices, repeats // average, flyback // average, fast, average)


def _old_stacks(settings: Settings) -> Stacks:
    """Of ScanImage 3: all frames of a slice, then the focus moves."""
    average = 1
    if settings.true("state.acq.averaging"):
        average = settings.whole("state.acq.numAvgFramesSave") or 1
    slices = settings.whole("state.acq.numberOfZSlices") or 1
    frames = settings.whole("state.acq.numberOfFrames") or 1
    if slices == 1:
        return Stacks(average=average)
    return Stacks(slices, max(1, frames // average), 0, False, average)


@dataclass(frozen=True)
class Frames:
    """What the frames of a run say of themselves; the pages of a frame's channels agree.

    Parameters
    ----------
    numbers, acquisitions, within : numpy.ndarray of int64
        From 1.
    times : numpy.ndarray of float64, optional
        Seconds since the epoch; None where the pages hold none.
    """

    numbers: Indices
    acquisitions: Indices
    within: Indices
    times: npt.NDArray[np.float64] | None

    @classmethod
    def of(cls, frames: Iterable[Frame | None]) -> Frames:
        """Of each frame in order; counted where a page says nothing."""
        listed = list(frames)
        if not listed or any(f is None for f in listed):
            count = np.arange(1, len(listed) + 1, dtype=np.int64)
            return cls(count, np.ones_like(count), count, None)
        known = [f for f in listed if f is not None]
        acquisitions = np.array([f.acquisition for f in known], np.int64)
        return cls(
            _continued(np.array([f.number for f in known], np.int64), acquisitions),
            acquisitions,
            np.array([f.within for f in known], np.int64),
            np.array([f.time for f in known], np.float64),
        )

    @property
    def step(self) -> int:
        """By how much the number of frames in a row differs: more than 1 where averaged."""
        steps = np.diff(self.numbers)
        steps = steps[steps > 0]
        return int(np.median(steps)) if steps.size else 1


def _continued(numbers: Indices, acquisitions: Indices) -> Indices:
    """Numbers of frames that go on where an acquisition of a loop begins from 1 again."""
    again = (np.diff(numbers) <= 0) & (np.diff(acquisitions) > 0)
    before = np.concatenate([[0], np.where(again, numbers[:-1], 0)])
    return np.asarray(numbers + np.cumsum(before), np.int64)


def volumes(frames: Frames, stacks: Stacks) -> tuple[Indices, int]:
    """``(frame of each volume and slice, frames left out)``, shape (volumes, slices).

    With several frames a slice, the first frame of each slice makes a volume, then the second
    ones. A volume of which frames are missing is left out.
    """
    volume, slot = _places(frames, stacks)
    kept = slot < stacks.slices * stacks.repeats
    slices, repeat = slot // stacks.repeats, slot % stacks.repeats
    _, rank = np.unique(volume, return_inverse=True)
    # only volumes of which there is something: numbers of frames may leap
    known, rows = np.unique(rank.reshape(-1) * stacks.repeats + repeat, return_inverse=True)
    rows = rows.reshape(-1)
    if stacks.slices > len(frames.numbers):
        return np.empty((0, stacks.slices), np.int64), len(frames.numbers)
    table = np.full((len(known), stacks.slices), -1, np.int64)
    which = np.flatnonzero(kept)
    table[rows[which], slices[which]] = which
    whole = (table >= 0).all(axis=1)
    return table[whole], int((table[~whole] >= 0).sum())


def only_flyback(frames: Frames, stacks: Stacks, k: int) -> bool:
    """Whether the frames missing before frame `k` are the flyback of one volume, unsaved."""
    if not stacks.flyback:
        return False
    before, after = ((int(frames.numbers[j]) - 1) // frames.step for j in (k - 1, k))
    last = stacks.slices * stacks.repeats - 1
    whole = before % stacks.per_volume == last and after % stacks.per_volume == 0
    return whole and after - before == stacks.flyback + 1


def of_slice(frames: Frames, stacks: Stacks, number: int) -> Indices:
    """The frames of one slice, in order."""
    _, slot = _places(frames, stacks)
    inside = slot < stacks.slices * stacks.repeats
    return np.flatnonzero(inside & (slot // stacks.repeats == number)).astype(np.int64)


def _places(frames: Frames, stacks: Stacks) -> tuple[Indices, Indices]:
    """``(volume, place in it)`` of each frame."""
    count = (frames.numbers - 1) // frames.step
    if stacks.fast and len(np.unique(frames.acquisitions)) > 1:
        # each acquisition of a loop begins with a volume of its own
        count = (frames.within - 1) // frames.step
        _, acquisition = np.unique(frames.acquisitions, return_inverse=True)
        longest = int(count.max()) // stacks.per_volume + 1
        volume = acquisition.reshape(-1) * longest + count // stacks.per_volume
        return volume.astype(np.int64), count % stacks.per_volume
    return count // stacks.per_volume, count % stacks.per_volume


def timebase(clock: str, times: npt.NDArray[np.float64], nominal: float | None) -> Timebase:
    """A constant rate where the times keep to it, one a gap-free run, else every time.

    Parameters
    ----------
    times : numpy.ndarray of float64
        Seconds, ascending.
    nominal : float, optional
        Hz.
    """
    steps = np.diff(times)
    if not steps.size:
        if nominal is None:
            return _as_written(clock, times, None)
        return Timebase.regular(clock, len(times), nominal, float(times[0]))
    breaks = np.flatnonzero(steps > 1.5 * np.median(steps)) + 1
    segments = []
    for low, high in zip([0, *breaks], [*breaks, len(times)], strict=True):
        rate = _rate_of(times[low:high], nominal)
        if rate is None:
            return _as_written(clock, times, nominal)
        segments.append(Segment(int(low), int(high - low), float(times[low]), rate))
    return Timebase(clock, tuple(segments))


def _as_written(clock: str, times: npt.NDArray[np.float64], nominal: float | None) -> Timebase:
    def read(start: int, stop: int) -> npt.NDArray[np.float64]:
        return times[start:stop]

    return Timebase.irregular(clock, len(times), read, nominal)


def _rate_of(times: npt.NDArray[np.float64], nominal: float | None) -> float | None:
    n = len(times)
    candidates = [nominal]
    if n > 1:
        candidates.append(float((n - 1) / (times[-1] - times[0])))
    for rate in candidates:
        if rate is not None and rate > 0:
            regular = times[0] + np.arange(n) / rate
            if np.abs(regular - times).max() <= min(MAX_DISPLACEMENT_S, 0.1 / rate):
                return rate
    return None
