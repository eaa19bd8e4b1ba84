"""What all of SLEAP's files have in common once read: poses per video, and their times."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from nwbkit.errors import DamagedInput
from nwbkit.formats.base import Reader, Relation, Source
from nwbkit.formats.io.frames import at_frames, given_rate, video_of, video_times
from nwbkit.formats.io.names import camel
from nwbkit.streams import Clock, External, Pose, Timebase

AnyArray = npt.NDArray[Any]
ReadPart = Callable[[int], tuple[AnyArray, AnyArray]]
#: No video is longer: two weeks at 25 Hz. Each keypoint's rows are held in memory.
MAX_FRAMES = 1 << 25
#: Where SLEAP's coordinates count from.
CENTRE = "(0, 0) is the centre of the top left pixel of the video, x to the right, y down"


@dataclass
class Labelled:
    """One video of a file, and the poses in it.

    Parameters
    ----------
    name : str
        The video file's own name; may be empty.
    n_frames : int
        Frames up to the last labelled one.
    stated : int, optional
        Frames of the whole video, where the file says so.
    rate : float, optional
        Hz, where the file says so.
    """

    name: str
    n_frames: int
    stated: int | None = None
    rate: float | None = None
    poses: list[SleapPose] = field(default_factory=list)


@dataclass(kw_only=True)
class SleapPose(Pose):
    """One track in one video; rows are the video's frames, NaN where it was not seen."""

    get: ReadPart
    _last: tuple[int, tuple[AnyArray, AnyArray]] | None = field(default=None, repr=False)

    def read(self, keypoint: int) -> tuple[AnyArray, AnyArray]:
        """``(positions, confidence)``: pixels and score of each frame."""
        # the writer asks for one keypoint again and again
        if self._last is None or self._last[0] != keypoint:
            self._last = (keypoint, self.get(keypoint))
        positions, confidence = self._last[1]
        return positions[: self.n_frames], confidence[: self.n_frames]


class SleapReader(Reader):
    """Poses of one file, each video's on the clock of that video, or on one of its own."""

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self.path = source.paths[0]
        self.labelled: list[Labelled] = []

    def finish(self) -> None:
        """Name the streams and give them times, once :attr:`labelled` is filled.

        Raises
        ------
        nwbkit.errors.DamagedInput
            Where there is no pose.
        """
        self.labelled = [v for v in self.labelled if v.poses]
        if not self.labelled:
            raise DamagedInput(f"'{self.path.name}' holds no instance in any frame")
        longest = max(v.n_frames for v in self.labelled)
        if longest > MAX_FRAMES:
            raise DamagedInput(
                f"'{self.path.name}' has the frame number {longest - 1}, more than any video has"
            )
        several = len(self.labelled) > 1
        for number, video in enumerate(self.labelled):
            stem = video.name.rpartition(".")[0] or video.name or f"video{number}"
            for pose in video.poses:
                said = [stem if several else "", pose.subject or ""]
                pose.id = "-".join(["pose", *(plain(s) for s in said if s)])
                if several:
                    words = " ".join([self.source.id, *said])
                    pose.nwb_name = "PoseEstimation" + camel(words)
            clock = f"{self.source.id}/frames" + (f"-{plain(stem)}" if several else "")
            self._own_times(video, clock)
        self._unique()

    def _unique(self) -> None:
        """Ids and names that two tracks would share get the track's number."""
        poses = [p for v in self.labelled for p in v.poses]
        ids = [p.id for p in poses]
        for number, pose in enumerate(poses):
            if ids.count(ids[number]) > 1:
                pose.id = f"{pose.id}-{number}"
                pose.nwb_name = f"PoseEstimation{camel(self.source.id)}{number}"
        self.streams = list(poses)

    def _own_times(self, video: Labelled, clock: str) -> None:
        what = f"the video '{video.name}'" if video.name else "the video"
        self.clocks.append(
            Clock(clock, f"frames of {what} that '{self.path.name}' was tracked in; first at 0")
        )
        rate = given_rate(self.source)
        if rate is None and video.rate is not None:
            rate = video.rate
            self.notes.append(f"rate {rate!r} Hz from fps in '{self.path.name}'")
        if rate is not None:
            for pose in video.poses:
                pose.timebase = Timebase.regular(clock, pose.n_frames, rate)

    def relate(self, relation: Relation, other: Reader) -> None:
        """Take frame times and clock from a video that was labelled.

        Raises
        ------
        nwbkit.errors.DamagedInput
            Where the video has fewer frames than were labelled, or not as many as stated.
        """
        video = video_of(relation, other)
        mine = self._meant(video) if video is not None else None
        if video is None or mine is None:
            return
        self._check_length(mine, video, other)
        for pose in mine.poses:
            pose.video = other.address(video)
        timebase = video_times(video, given_rate(self.source), self.notes)
        if timebase is None:
            return
        if mine.rate is not None:
            self.notes = [
                n
                for n in self.notes
                if n != f"rate {mine.rate!r} Hz from fps in '{self.path.name}'"
            ]
        for pose in mine.poses:
            pose.timebase = at_frames(timebase, np.arange(pose.n_frames))
        used = {p.timebase.clock for v in self.labelled for p in v.poses if p.timebase is not None}
        open_ = any(p.timebase is None for v in self.labelled for p in v.poses)
        self.clocks = [c for c in self.clocks if c.id in used or open_]

    def _meant(self, video: External) -> Labelled | None:
        """Which of the labelled videos `video` is: by name, else the only one."""
        names = {path.name for path in video.paths}
        named = [v for v in self.labelled if v.name in names]
        if len(named) == 1:
            return named[0]
        return self.labelled[0] if len(self.labelled) == 1 else None

    def _check_length(self, mine: Labelled, video: External, other: Reader) -> None:
        if mine.stated is not None and mine.stated != video.n_frames:
            said = (
                f"'{self.path.name}' says that its video has {mine.stated} frames, "
                f"'{video.name}' has {video.n_frames}"
            )
            # OpenCV, whom SLEAP asks, estimates the number from duration and rate
            if abs(mine.stated - video.n_frames) <= max(2, video.n_frames // 1000):
                self.notes.append(said)
            else:
                self.contradiction(
                    said,
                    f"--salvage keeps the frames that both have, or --exclude {other.source.id}",
                )
        if mine.n_frames > video.n_frames:
            self.contradiction(
                f"'{self.path.name}' ends with frame {mine.n_frames - 1}, the video "
                f"'{video.name}' has {video.n_frames} frames",
                f"--salvage keeps the frames that both have, or --exclude {other.source.id}",
            )
            for pose in mine.poses:
                pose.n_frames = min(pose.n_frames, video.n_frames)

    def contradiction(self, problem: str, hint: str) -> None:
        """Refuse a contradiction, or record it with ``--salvage``."""
        if not self.source.salvage:
            raise DamagedInput(problem, hint=hint)
        self.losses.append(problem)

    def metadata(self) -> dict[str, Any]:
        """Where the coordinates count from; labels know neither session nor subject."""
        return {"Streams": {self.address(s): {"reference_frame": CENTRE} for s in self.streams}}

    def pose(self, stream_id: str) -> tuple[Labelled, SleapPose]:
        """A stream, and the video that it is of."""
        for video in self.labelled:
            for pose in video.poses:
                if pose.id == stream_id:
                    return video, pose
        raise KeyError(stream_id)


def plain(text: str) -> str:
    """`text` as part of a stream's id."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", text).strip("_") or "_"
