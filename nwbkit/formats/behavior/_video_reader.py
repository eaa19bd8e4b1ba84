"""Opening a video: frame count, size and true frame times, without decoding a frame."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nwbkit.errors import DamagedInput, NoInput, UnknownFormat, UsageError
from nwbkit.formats.base import Reader, Source
from nwbkit.formats.behavior import _containers, _index, _video_times
from nwbkit.streams import Clock, External, Timebase
from nwbkit.streams.timebase import MAX_DISPLACEMENT_S

_SALVAGE = "--salvage refers to the frames that are there"


@dataclass(frozen=True)
class Scanned:
    """What demuxing told.

    Parameters
    ----------
    ticks : numpy.ndarray, shape (frames,)
        Presentation times in units of `tick`, ascending; None where the container has none.
    tick : Fraction
        Seconds.
    n_frames : int
        Frames that are shown.
    n_packets : int
        All that are stored, those that an edit list cuts off among them.
    n_stated : int
        Frames according to the container's index; 0 where it has none.
    rate : Fraction, optional
        Nominal, in Hz.
    end_s : float, optional
        Length of the video according to the container.
    n_corrupt : int
        Frames that are cut off.
    """

    ticks: npt.NDArray[np.int64] | None
    tick: Fraction
    n_frames: int
    n_packets: int
    n_stated: int
    rate: Fraction | None
    end_s: float | None
    width: int
    height: int
    codec: str
    n_corrupt: int
    n_videos: int
    tags: dict[str, str]


class VideoReader(Reader):
    """One video file: the stream ``frames``, on the clock ``SOURCE/frames``."""

    #: Frame times out of a text file, where one is used.
    times: _video_times.FrameTimes | None = None

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self.path = source.paths[0]
        container = self._container()
        found = [str(p) for p in _containers.problems(self.path, container)]
        scanned = scan(self.path, container, found)
        found += _contradictions(scanned)
        if found and not source.salvage:
            raise DamagedInput(f"'{self.path.name}' is damaged: {found[0]}", hint=_SALVAGE)
        self.losses += [f"'{self.path.name}': {problem}" for problem in found]
        if not scanned.n_frames:
            raise DamagedInput(f"'{self.path.name}' holds no video frame")
        self.scanned = scanned
        self._notes(scanned)
        stream = self._stream(scanned, container, f"{source.id}/frames")
        said = f"presentation times of '{self.path.name}'; its zero is the container's"
        if self.times is not None:
            said = f"times of frames in '{self.times.path.name}'"
            said += "; zero at the first one" if self.times.first else "; its own zero"
        self.clocks.append(Clock(f"{source.id}/frames", said))
        self.streams.append(stream)

    def _container(self) -> str:
        with open(self.path, "rb") as f:
            head = f.read(16)
        container = _containers.sniff(head)
        if container is None:
            problem = "is empty" if not head else "does not begin like any video container"
            raise DamagedInput(f"'{self.path.name}' {problem}")
        return container

    def _stream(self, scanned: Scanned, container: str, clock: str) -> External:
        facts: dict[str, str | int | float | bool] = {
            "container": container,
            "codec": scanned.codec,
            "size": self.path.stat().st_size,
        }
        if scanned.rate is not None:
            facts["container_rate"] = float(scanned.rate)
        if scanned.tags.get("creation_time"):
            facts["creation_time"] = scanned.tags["creation_time"]
        timebase = self._timebase(scanned, clock)
        n_frames = scanned.n_frames
        if self.times is not None and timebase is not None:
            n_frames = timebase.n_samples
            facts["timestamps"] = self.times.path.name
            if self.times.first:
                facts["first_timestamp"] = self.times.first
        return External(
            id="frames",
            name=self.path.name,
            role="video",
            timebase=timebase,
            description=f"Video '{self.path.name}', {scanned.n_frames} frames",
            facts=facts,
            paths=(self.path,),
            n_frames=n_frames,
            frames_per_file=(n_frames,),
            width=scanned.width or None,
            height=scanned.height or None,
        )

    def _timebase(self, scanned: Scanned, clock: str) -> Timebase | None:
        given = self.source.options.get("rate")
        if given is not None:
            if not given > 0:
                raise UsageError(f"'{self.source.id}.rate' takes a positive number, not '{given}'")
            said = f"; the container says {float(scanned.rate):.12g} Hz" if scanned.rate else ""
            self.notes.append(f"frame times are those of --set rate={given:.12g}{said}")
            return Timebase.regular(clock, scanned.n_frames, float(given))
        listed = self._listed(scanned)
        if listed is not None:
            self.times = listed
            seconds = listed.seconds
            return Timebase.irregular(clock, len(seconds), lambda a, b: seconds[a:b])
        if scanned.ticks is None:
            if scanned.rate is None:
                return None
            return Timebase.regular(clock, scanned.n_frames, float(scanned.rate))
        return timebase_of(clock, scanned.ticks, scanned.tick, scanned.rate)

    def _list(self) -> Path | None:
        """The text file with frame times: what the user names, else what lies beside."""
        asked = self.source.options.get("timestamps")
        if asked is None:
            return self.source.paths[1] if len(self.source.paths) > 1 else None
        if str(asked).lower() in ("none", ""):
            return None
        found = [p for p in (Path(asked), self.path.parent / asked) if p.is_file()]
        if not found:
            raise NoInput(f"cannot open '{asked}': no such file")
        return Path(os.path.abspath(found[0]))

    def _listed(self, scanned: Scanned) -> _video_times.FrameTimes | None:
        """Frame times out of a text file, one for each frame.

        Raises
        ------
        nwbkit.errors.DamagedInput
            Where it has another number of rows than the video has frames.
        """
        path = self._list()
        if path is None:
            return None
        options = self.source.options
        listed = _video_times.read(
            path,
            self.source.id,
            unit=options.get("timestamps_unit"),
            column=options.get("timestamps_column"),
            rate=float(scanned.rate) if scanned.rate else None,
        )
        self.notes += listed.notes
        n = len(listed.seconds)
        if n != scanned.n_frames:
            problem = (
                f"'{path.name}' has the times of {n} frames, '{self.path.name}' has "
                f"{scanned.n_frames}"
            )
            if not self.source.salvage:
                raise DamagedInput(
                    problem,
                    hint=f"--set {self.source.id}.timestamps=none ignores the file; "
                    "--salvage keeps the frames that both have",
                )
            self.losses.append(f"{problem}; the first {min(n, scanned.n_frames)} were kept")
            listed = replace(listed, seconds=listed.seconds[: scanned.n_frames])
        self.notes += _video_times.gaps(listed.seconds)
        return listed

    def files(self) -> Sequence[Path]:
        """The video, and the text file with its frame times where one is used."""
        return [self.path, *([self.times.path] if self.times is not None else [])]

    def _notes(self, scanned: Scanned) -> None:
        if scanned.n_videos > 1:
            self.notes.append(f"{scanned.n_videos} video streams; the first one is described")
        hidden = scanned.n_packets - scanned.n_frames
        if hidden:
            self.notes.append(f"{hidden} frames are cut off by the container's edit list")
        dropped = scanned.n_stated - scanned.n_packets
        if dropped > 0 and not self.losses:
            self.notes.append(f"{dropped} frames were dropped: the container counts them, empty")
        if scanned.ticks is not None and len(scanned.ticks) > 1:
            same = int(np.count_nonzero(np.diff(scanned.ticks) == 0))
            if same:
                self.notes.append(f"{same} frames have the time of the frame before")

    def metadata(self) -> dict[str, Any]:
        """Nothing: a container says nothing of session, animal or camera.

        Its ``creation_time`` is when the file was written, often by a later program, and
        stands in the stream's facts.
        """
        return {}

    def reread_facts(self, stream_id: str) -> dict[str, Any] | None:
        """Frame count and times from the container's own index (mp4, mov, avi), without PyAV.

        Returns
        -------
        dict or None
            ``n_frames`` and ``times`` (float64 seconds on the clock); None where the
            container has no index that is read here, or the times are not its own.
        """
        if self.source.options.get("rate") is not None or self.losses:
            return None
        if self.times is not None:
            seconds = _video_times.again(self.times)
            return None if seconds is None else {"n_frames": len(seconds), "times": seconds}
        times = _index.frame_times(self.path)
        return None if times is None else {"n_frames": len(times), "times": times}


def timebase_of(
    clock: str, ticks: npt.NDArray[np.int64], tick: Fraction, nominal: Fraction | None
) -> Timebase:
    """A constant rate where the frame times keep to one exactly enough, else every time.

    Parameters
    ----------
    clock : str
    ticks : numpy.ndarray of int64
        Ascending, in units of `tick` seconds.
    tick : Fraction
    nominal : Fraction, optional
        Hz; tried where the ticks are not equidistant, since a coarse tick rounds them.
    """
    n = len(ticks)
    start = float(ticks[0] * tick)
    since = (ticks - ticks[0]) * tick.numerator / tick.denominator
    candidates = [nominal]
    if n > 1 and ticks[-1] > ticks[0]:
        steps = np.diff(ticks)
        if steps.min() == steps.max():
            candidates.insert(0, 1 / (int(steps[0]) * tick))
    for rate in candidates:
        if rate is None:
            continue
        regular = np.arange(n) / float(rate)
        if np.abs(regular - since).max() <= min(MAX_DISPLACEMENT_S, 0.1 / float(rate)):
            return Timebase.regular(clock, n, float(rate), start)
    times = ticks * tick.numerator / tick.denominator

    def read_times(first: int, stop: int) -> npt.NDArray[np.float64]:
        return np.asarray(times[first:stop], np.float64)

    return Timebase.irregular(clock, n, read_times, float(nominal) if nominal else None)


def scan(path: Path, container: str, known: Sequence[str] = ()) -> Scanned:
    """Demux the first video stream of `path`; no frame is decoded.

    The demuxer is fixed to `container` and may open nothing but this file: FFmpeg would
    otherwise follow a playlist or a list of parts that calls itself ``.mp4``.

    Raises
    ------
    nwbkit.errors.DamagedInput
        Where FFmpeg cannot open it; `known` damage is named first.
    nwbkit.errors.UnknownFormat
        Where there is no video in it.
    """
    import av

    options = {"protocol_whitelist": "file", "format_whitelist": _WHITELISTS[container]}
    try:
        with av.open(
            str(path), format=container, options=options, metadata_errors="replace"
        ) as opened:
            videos = [s for s in opened.streams.video if not _is_picture(s)]
            if not videos:
                if known:  # the list of streams is what was cut off
                    raise DamagedInput(f"'{path.name}' is damaged: {known[0]}")
                raise UnknownFormat(f"'{path.name}' holds no video stream")
            return _demux(opened, videos[0], len(videos))
    except av.FFmpegError as error:
        reason = known[0] if known else (error.strerror or str(error)).lower()
        raise DamagedInput(f"'{path.name}' cannot be opened as video: {reason}") from None


_WHITELISTS = {
    "mov": "mov,mp4,m4a,3gp,3g2,mj2",
    "avi": "avi",
    "matroska": "matroska,webm",
    "asf": "asf",
    "flv": "flv",
}


def _is_picture(stream: Any) -> bool:
    """Whether a stream is a cover picture, not a video."""
    import av

    attached = getattr(getattr(av.stream, "Disposition", None), "attached_pic", None)
    return attached is not None and bool(stream.disposition & attached)


def _demux(opened: Any, stream: Any, n_videos: int) -> Scanned:
    import av

    shown: list[int | None] = []
    n_packets = n_corrupt = 0
    try:
        for packet in opened.demux(stream):
            if packet.size == 0 and packet.dts is None:
                continue  # the mark of the end
            n_packets += 1
            n_corrupt += bool(packet.is_corrupt)
            if not packet.is_discard:
                shown.append(packet.pts)
    except av.FFmpegError:
        n_corrupt += 1
    # attributes of a stream are garbage once its container is closed: copied here
    tick = Fraction(stream.time_base) if stream.time_base else Fraction(1, 1_000_000)
    rate = stream.average_rate or stream.guessed_rate
    ticks = None
    if shown and all(pts is not None for pts in shown):
        ticks = np.sort(np.array(shown, np.int64))
    return Scanned(
        ticks=ticks,
        tick=tick,
        n_frames=len(shown),
        n_packets=n_packets,
        n_stated=int(stream.frames or 0),
        rate=Fraction(rate) if rate else None,
        end_s=_end(opened, stream),
        width=int(getattr(stream, "width", 0) or 0),
        height=int(getattr(stream, "height", 0) or 0),
        # a codec that this FFmpeg does not know has no context
        codec=str(stream.codec_context.name) if stream.codec_context else "unknown",
        n_corrupt=n_corrupt,
        n_videos=n_videos,
        tags={str(k): str(v) for k, v in {**opened.metadata, **stream.metadata}.items()},
    )


def _end(opened: Any, stream: Any) -> float | None:
    """When the video ends on the container's own clock, in seconds; None where it does not say."""
    start = stream.start_time or 0
    if stream.duration is not None and stream.time_base:
        return float((start + stream.duration) * stream.time_base)
    if opened.duration is not None and len(opened.streams) == 1:
        begin = opened.start_time or 0
        return float(begin + opened.duration) / 1e6
    return None


def _contradictions(scanned: Scanned) -> list[str]:
    """What the index and the duration say against the frames that are there."""
    found = []
    if scanned.n_corrupt:
        found.append(f"{scanned.n_corrupt} of {scanned.n_packets} frames are cut off or damaged")
    ticks, rate = scanned.ticks, scanned.rate
    last = float(ticks[-1] * scanned.tick) if ticks is not None else None
    if scanned.n_stated > scanned.n_packets and not _covers(scanned, last):
        found.append(f"its index says {scanned.n_stated} frames, found {scanned.n_packets}")
    elif last is not None and scanned.end_s is not None and rate:
        # the last frame lasts one period; a second of slack for sound and rounding
        missing = scanned.end_s - last - float(1 / rate)
        if missing > max(1.0, 2 / float(rate)):
            found.append(
                f"its duration says {scanned.end_s:.3f} s, the last frame is at {last:.3f} s"
            )
    return found


def _covers(scanned: Scanned, last: float | None) -> bool:
    """Whether fewer packets than stated are dropped frames (AVI), and not a cut end."""
    if last is None or scanned.end_s is None or not scanned.rate:
        return False
    return last + 1.5 / float(scanned.rate) >= scanned.end_s
