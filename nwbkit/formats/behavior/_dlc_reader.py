"""Opening DeepLabCut's tracks: one Pose an animal, timed by the video or by the user."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nwbkit.errors import DamagedInput, NwbkitError, UsageError
from nwbkit.formats.base import Reader, Relation, Source
from nwbkit.formats.behavior import _dlc_project, _dlc_reread
from nwbkit.formats.behavior._dlc_csv import read_csv
from nwbkit.formats.behavior._dlc_h5 import read_h5
from nwbkit.formats.behavior._dlc_table import Animal, Tracks, animals, scorer_of
from nwbkit.streams import Clock, External, Pose, Segment, Timebase

AnyArray = npt.NDArray[Any]


@dataclass(kw_only=True)
class Track(Pose):
    """One animal of a table."""

    tracks: Tracks
    animal: Animal

    def read(self, keypoint: int) -> tuple[AnyArray, AnyArray]:
        """``(positions, confidence)``: pixels and likelihood, NaN where the table has none."""
        x, y, likelihood = (int(c) for c in self.animal.places[keypoint])
        values = self.tracks.values[: self.n_frames]
        positions = values[:, [x, y]]
        if likelihood < 0:
            return positions, np.full(len(values), np.nan, values.dtype)
        return positions, values[:, likelihood]


class DeepLabCutReader(Reader):
    """One table: a stream ``pose`` (or ``pose-ANIMAL`` each) on the video's clock, or its own."""

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self.path = source.paths[0]
        reading = read_csv if self.path.suffix.lower() == ".csv" else read_h5
        self.tracks = reading(self.path, salvage=source.salvage)
        self.losses += self.tracks.losses
        self._check_twin()
        self.scorer = scorer_of(self.tracks)
        self.animals = animals(self.tracks)
        if not len(self.tracks.values):
            raise DamagedInput(f"'{self.path.name}' has no row behind its header")
        self.project = _dlc_project.read(source.paths, self.notes)
        labels = self.tracks.frames is None
        edges = [self.project.edges(a.keypoints, self.notes) for a in self.animals]
        for animal, skeleton in zip(self.animals, edges, strict=True):
            self.streams.append(self._stream(animal, skeleton, labels))
        if not labels:
            self._own_clock()

    @property
    def poses(self) -> list[Track]:
        """The streams."""
        return [s for s in self.streams if isinstance(s, Track)]

    def _stream(self, animal: Animal, edges: tuple[tuple[int, int], ...], labels: bool) -> Track:
        whose = f" of '{animal.name}'" if animal.name else ""
        facts: dict[str, str | int | float | bool] = {
            "scorer": self.scorer,
            "source_software": "DeepLabCut",
        }
        if (animal.places[:, 2] >= 0).any():
            facts["confidence_definition"] = "likelihood as DeepLabCut wrote it"
        what = f"Labels by '{self.scorer}'" if labels else f"Tracked by '{self.scorer}'"
        return Track(
            id=self._id(animal),
            name=self.path.name,
            role="labels" if labels else "pose",
            description=f"{what}: {len(animal.keypoints)} keypoints{whose}",
            facts=facts,
            keypoints=animal.keypoints,
            n_frames=len(self.tracks.values),
            edges=edges,
            subject=animal.name,
            tracks=self.tracks,
            animal=animal,
        )

    def _id(self, animal: Animal) -> str:
        if animal.name is None:
            return "pose"
        plain = [re.sub(r"[^A-Za-z0-9_.-]+", "_", a.name or "") for a in self.animals]
        mine = self.animals.index(animal)
        if plain.count(plain[mine]) > 1 or not plain[mine].strip("_"):
            return f"pose-{mine}"
        return f"pose-{plain[mine]}"

    def _check_twin(self) -> None:
        """DeepLabCut may write the same table as csv too: both must be as long."""
        twins = [p for p in self.source.paths[1:] if p.suffix.lower() == ".csv"]
        if not twins:
            return
        twin = read_csv(twins[0], salvage=self.source.salvage)
        for what, mine, other in (
            ("rows", len(self.tracks.values), len(twin.values)),
            ("columns", len(self.tracks.columns), len(twin.columns)),
        ):
            if mine != other:
                self._contradiction(
                    f"'{self.path.name}' has {mine} {what}, '{twins[0].name}' has {other}",
                    "--salvage reads the former",
                )

    def _own_clock(self) -> None:
        """Times by ``--set``, else by what DeepLabCut noted on the video; none without either."""
        clock = f"{self.source.id}/frames"
        self.clocks = [
            Clock(clock, f"frames of the video that '{self.path.name}' was tracked in; first at 0")
        ]
        noted = self.project.n_frames
        frames = self.tracks.frames
        if noted is not None and frames is not None and not self.losses and noted != frames[-1] + 1:
            self._contradiction(
                f"'{self.path.name}' ends with frame {frames[-1]}, "
                f"'{self.project.meta_name}' says {noted} frames",
                "--salvage reads the frames that are there",
            )
        rate = self._given_rate()
        if rate is None and self.project.rate is not None:
            rate = self.project.rate
            self.notes.append(f"rate {rate!r} Hz from fps in '{self.project.meta_name}'")
        if rate is not None:
            self._set_times(Timebase.regular(clock, self._n_video(), rate))

    def _given_rate(self) -> float | None:
        rate = self.source.options.get("rate")
        if rate is not None and not rate > 0:
            raise UsageError(f"'{self.source.id}.rate' takes a positive number, not '{rate}'")
        return None if rate is None else float(rate)

    def _n_video(self) -> int:
        assert self.tracks.frames is not None
        return int(self.tracks.frames[-1]) + 1

    def _set_times(self, video: Timebase) -> None:
        """Give every stream the times of its frames."""
        assert self.tracks.frames is not None
        for pose in self.poses:
            pose.timebase = at_frames(video, self.tracks.frames[: pose.n_frames])

    def relate(self, relation: Relation, other: Reader) -> None:
        """Take frame times and clock from the video.

        Raises
        ------
        nwbkit.errors.DamagedInput
            Where the video has another number of frames.
        """
        if relation.kind != "derived_from" or self.tracks.frames is None:
            return
        videos = [s for s in other.streams if isinstance(s, External)]
        named = [v for v in videos if relation.stream in (None, v.id)]
        if not named:
            return
        video = named[0]
        self._check_length(video, other)
        for pose in self.poses:
            pose.video = other.address(video)
        if video.timebase is None:
            return
        rate = self._given_rate()
        timebase = video.timebase
        if rate is not None:
            stated = timebase.rate
            if stated != rate:
                said = f"{stated:.12g} Hz" if stated else "no constant rate"
                self.notes.append(
                    f"times by --set rate={rate:.12g}; the video '{video.name}' says {said}"
                )
            start = float(timebase.times(0, 1)[0])
            timebase = Timebase.regular(timebase.clock, video.n_frames, rate, start)
        self.notes = [n for n in self.notes if not n.startswith("rate ")]
        self._set_times(timebase)
        self.clocks = []

    def _check_length(self, video: External, other: Reader) -> None:
        assert self.tracks.frames is not None
        if self._n_video() == video.n_frames:
            return
        self._contradiction(
            f"'{self.path.name}' ends with frame {self.tracks.frames[-1]}, the video "
            f"'{video.name}' has {video.n_frames} frames",
            f"--salvage keeps the frames that both have, or --exclude {other.source.id}",
        )
        kept = int(np.searchsorted(self.tracks.frames, video.n_frames))
        if not kept:
            raise DamagedInput(f"'{self.path.name}' and '{video.name}' share no frame")
        for pose in self.poses:
            pose.n_frames = kept

    def _contradiction(self, problem: str, hint: str) -> None:
        if not self.source.salvage:
            raise DamagedInput(problem, hint=hint)
        self.losses.append(problem)

    def metadata(self) -> dict[str, Any]:
        """Nothing: the table knows neither session nor subject."""
        return {}

    def reread(self, stream_id: str, start: int, stop: int) -> AnyArray | None:
        """x, y, likelihood of rows ``start..stop``, shape (rows, keypoints, 3), a second way.

        csv by numpy's own parser; h5 by the bytes of its chunks in the file.
        """
        pose = next(p for p in self.poses if p.id == stream_id)
        try:
            table = _dlc_reread.table(self.path, len(self.tracks.levels))
        except (NwbkitError, OSError, ValueError):
            return None
        if table is None or table.shape[1] != len(self.tracks.columns):
            return None
        places = pose.animal.places
        rows = table[start:stop][:, np.maximum(places, 0)]
        rows[:, places < 0] = np.nan
        return rows


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
