"""Times of video frames, as what was tracked in a video takes them over.

Tables of tracks number frames and hold no time. The times come from the video, or from a rate
that the user gives; a row number is never a time.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from nwbkit.errors import UsageError
from nwbkit.formats.base import Reader, Relation, Source
from nwbkit.streams import External, Segment, Timebase


def given_rate(source: Source) -> float | None:
    """The option ``rate`` (Hz); None where it is not given.

    Raises
    ------
    nwbkit.errors.UsageError
        Where it is not positive.
    """
    rate = source.options.get("rate")
    if rate is not None and not rate > 0:
        raise UsageError(f"'{source.id}.rate' takes a positive number, not '{rate}'")
    return None if rate is None else float(rate)


def video_of(relation: Relation, other: Reader) -> External | None:
    """The video that a relation names among the streams of `other`; None where it names none."""
    if relation.kind not in ("derived_from", "video_of"):
        return None
    videos = [s for s in other.streams if isinstance(s, External)]
    named = [v for v in videos if relation.stream in (None, v.id)]
    return named[0] if named else None


def video_times(video: External, rate: float | None, notes: list[str]) -> Timebase | None:
    """Times of all frames of `video`: its own, or at `rate` (Hz) from its first frame on.

    A rate that differs from what the video says is told in `notes`. None where nobody knows.
    """
    timebase = video.timebase
    if timebase is None or rate is None:
        return timebase
    stated = timebase.rate
    if stated != rate:
        said = f"{stated:.12g} Hz" if stated else "no constant rate"
        notes.append(f"times by --set rate={rate:.12g}; the video '{video.name}' says {said}")
    start = float(timebase.times(0, 1)[0])
    return Timebase.regular(timebase.clock, video.n_frames, rate, start)


def at_frames(video: Timebase, frames: npt.NDArray[np.int64]) -> Timebase:
    """The times of some of a video's frames.

    Parameters
    ----------
    video : Timebase
        Of all frames.
    frames : numpy.ndarray of int64
        Ascending.
    """
    n = len(frames)
    if n == video.n_samples and n and frames[-1] == n - 1:
        return video
    if video.read_times is not None or len(video.segments) != 1:
        times = video.time_of(frames)
        return Timebase.irregular(video.clock, n, lambda a, b: times[a:b], video.rate)
    (whole,) = video.segments
    firsts = np.flatnonzero(np.diff(frames, prepend=-2) != 1)
    stops: Sequence[int] = [*firsts[1:].tolist(), n]
    return Timebase(
        video.clock,
        tuple(
            Segment(
                int(first), stop - int(first), whole.t0 + frames[first] / whole.rate, whole.rate
            )
            for first, stop in zip(firsts.tolist(), stops, strict=True)
        ),
    )
