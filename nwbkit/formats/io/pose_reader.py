"""Opening a table of tracks: one Pose an animal, timed by the video or by the user.

What DeepLabCut and Lightning Pose have in common; each has a reader of its own on top.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nwbkit.errors import DamagedInput, NwbkitError
from nwbkit.formats.base import Reader, Relation, Source
from nwbkit.formats.io.frames import at_frames, given_rate, video_of, video_times
from nwbkit.formats.io.pose_table import Animal, Tracks, animals, scorer_of
from nwbkit.streams import Clock, External, Pose, Timebase

AnyArray = npt.NDArray[Any]
Edges = tuple[tuple[int, int], ...]


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


class TracksReader(Reader):
    """One table: a stream ``pose`` (or ``pose-ANIMAL`` each) on the video's clock, or its own.

    Subclasses say which program wrote it, read the table, and know what stands beside it.
    """

    software: str

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self.path = source.paths[0]
        self.tracks = self.read_tracks()
        self.losses += self.tracks.losses
        self.scorer = scorer_of(self.tracks)
        self.animals = animals(self.tracks)
        if not len(self.tracks.values):
            raise DamagedInput(f"'{self.path.name}' has no row behind its header")
        self.look_beside()
        labels = self.tracks.frames is None
        edges = [self.edges(a.keypoints) for a in self.animals]
        for animal, skeleton in zip(self.animals, edges, strict=True):
            self.streams.append(self._stream(animal, skeleton, labels))
        if not labels:
            self._own_clock()

    def read_tracks(self) -> Tracks:
        """The table."""
        raise NotImplementedError

    def look_beside(self) -> None:
        """Read what lies beside the table."""

    def edges(self, keypoints: tuple[str, ...]) -> Edges:
        """The skeleton as indices into `keypoints`; empty where none is known."""
        return ()

    def noted_rate(self) -> float | None:
        """Frames per second (Hz) as the program noted it beside the table."""
        return None

    def independent(self) -> AnyArray | None:
        """The values of the table by a second way, shape (rows, columns)."""
        return None

    @property
    def poses(self) -> list[Track]:
        """The streams."""
        return [s for s in self.streams if isinstance(s, Track)]

    def _stream(self, animal: Animal, edges: Edges, labels: bool) -> Track:
        whose = f" of '{animal.name}'" if animal.name else ""
        facts: dict[str, str | int | float | bool] = {
            "scorer": self.scorer,
            "source_software": self.software,
        }
        if (animal.places[:, 2] >= 0).any():
            facts["confidence_definition"] = f"likelihood as {self.software} wrote it"
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

    def _own_clock(self) -> None:
        """Times by ``--set``, else by what was noted on the video; none without either."""
        clock = f"{self.source.id}/frames"
        self.clocks = [
            Clock(clock, f"frames of the video that '{self.path.name}' was tracked in; first at 0")
        ]
        rate = given_rate(self.source)
        if rate is None:
            rate = self.noted_rate()
        if rate is not None:
            self._set_times(Timebase.regular(clock, self.n_video(), rate))

    def n_video(self) -> int:
        """Number of frames up to the last one in the table."""
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
        video = video_of(relation, other)
        if video is None or relation.kind != "derived_from" or self.tracks.frames is None:
            return
        self._check_length(video, other)
        for pose in self.poses:
            pose.video = other.address(video)
        timebase = video_times(video, given_rate(self.source), self.notes)
        if timebase is None:
            return
        self.notes = [n for n in self.notes if not n.startswith("rate ")]
        self._set_times(timebase)
        self.clocks = []

    def _check_length(self, video: External, other: Reader) -> None:
        assert self.tracks.frames is not None
        if self.n_video() == video.n_frames:
            return
        self.contradiction(
            f"'{self.path.name}' ends with frame {self.tracks.frames[-1]}, the video "
            f"'{video.name}' has {video.n_frames} frames",
            f"--salvage keeps the frames that both have, or --exclude {other.source.id}",
        )
        kept = int(np.searchsorted(self.tracks.frames, video.n_frames))
        if not kept:
            raise DamagedInput(f"'{self.path.name}' and '{video.name}' share no frame")
        for pose in self.poses:
            pose.n_frames = kept

    def contradiction(self, problem: str, hint: str) -> None:
        """Refuse a contradiction, or record it with ``--salvage``."""
        if not self.source.salvage:
            raise DamagedInput(problem, hint=hint)
        self.losses.append(problem)

    def metadata(self) -> dict[str, Any]:
        """Nothing: the table knows neither session nor subject."""
        return {}

    def reread(self, stream_id: str, start: int, stop: int) -> AnyArray | None:
        """x, y, likelihood of rows ``start..stop``, shape (rows, keypoints, 3), a second way."""
        pose = next(p for p in self.poses if p.id == stream_id)
        try:
            table = self.independent()
        except (NwbkitError, OSError, ValueError):
            return None
        if table is None or table.shape[1] != len(self.tracks.columns):
            return None
        places = pose.animal.places
        rows = table[start:stop][:, np.maximum(places, 0)]
        rows[:, places < 0] = np.nan
        return rows
