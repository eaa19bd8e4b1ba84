"""Opening a SLEAP labels file: one Pose a track and video."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nwbkit.errors import NwbkitError
from nwbkit.formats.base import Source
from nwbkit.formats.behavior import _sleap_json as sj
from nwbkit.formats.behavior import _sleap_reread, _sleap_slp
from nwbkit.formats.behavior._sleap_base import Labelled, SleapPose, SleapReader
from nwbkit.formats.behavior._sleap_slp import PREDICTED, USER, Labels

AnyArray = npt.NDArray[Any]
Rows = npt.NDArray[np.int64]
#: Points of one stream up to this size are read at once and kept.
KEEP_BYTES = 64 << 20


class LabelsReader(SleapReader):
    """A ``.slp`` file."""

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self.labels = labels = _sleap_slp.read(self.path, salvage=source.salvage)
        self.losses += labels.losses
        self.facts = sj.provenance_facts(labels.provenance)
        if labels.format_id is not None:
            self.facts["format_id"] = labels.format_id
        self._notes()
        rows = np.flatnonzero((labels.frame_of >= 0) & ~self._superseded())
        for number, video in enumerate(labels.videos):
            mine = rows[labels.video_of[rows] == number]
            if not len(mine):
                continue
            n_frames = int(labels.frame_of[mine].max()) + 1
            entry = Labelled(video.name, n_frames, video.n_frames, video.rate)
            entry.poses = self._poses(mine, n_frames)
            self.labelled.append(entry)
        self.finish()

    def _notes(self) -> None:
        labels = self.labels
        if labels.shift:
            self.notes.append(
                f"format {labels.format_id:g} counts from the corner of the first pixel; 0.5 was "
                "taken off, as SLEAP does, to count from its centre"
            )
        if labels.format_id is None:
            self.notes.append("no format_id: coordinates are taken to count from pixel centres")
        embedded = sum(v.embedded for v in labels.videos)
        if embedded:
            self.notes.append(f"images of {embedded} videos are embedded; they are not converted")
        seen = labels.frame_of >= 0
        n_user = int((seen & (labels.instances["instance_type"] == USER)).sum())
        if n_user:
            self.notes.append(
                f"{n_user} of {int(seen.sum())} instances were labelled by a person: they stand "
                "before predictions of the same frame and track, without confidence"
            )

    def _superseded(self) -> npt.NDArray[np.bool_]:
        """Predictions that a person corrected: the correction refers to them."""
        rows = self.labels.instances
        out = np.zeros(len(rows), bool)
        if rows.dtype.names is None or not {"from_predicted", "instance_id"} <= set(
            rows.dtype.names
        ):
            return out
        user = (rows["instance_type"] == USER) & (rows["from_predicted"] >= 0)
        corrected = rows["from_predicted"][user].astype(np.int64)
        predicted = rows["instance_type"] == PREDICTED
        out[:] = predicted & np.isin(rows["instance_id"].astype(np.int64), corrected)
        return out

    def _poses(self, rows: Rows, n_frames: int) -> list[SleapPose]:
        """One stream a track (and skeleton), then those without a track by their order."""
        labels = self.labels
        poses = []
        skeletons = labels.instances["skeleton"][rows].astype(np.int64)
        tracks = labels.instances["track"][rows].astype(np.int64)
        for skeleton in np.unique(skeletons).tolist():
            for track in np.unique(tracks[skeletons == skeleton]).tolist():
                mine = rows[(skeletons == skeleton) & (tracks == track)]
                if track >= 0:
                    chosen = self._one_a_frame(mine, labels.tracks[track])
                    poses.append(self._stream(chosen, skeleton, n_frames, labels.tracks[track]))
                else:
                    poses += self._untracked(mine, skeleton, n_frames)
        tracked = [p for p in poses if not (p.subject or "untracked").startswith("untracked")]
        return tracked + [p for p in poses if p not in tracked]

    def _one_a_frame(self, rows: Rows, track: str) -> Rows:
        """The instance of each frame: what a person labelled before what was predicted."""
        rows = self._sorted(rows)
        frames, kinds = self.labels.frame_of[rows], self.labels.instances["instance_type"][rows]
        again = np.diff(frames) == 0
        twice = again & (np.diff(kinds.astype(np.int64)) == 0)
        if twice.any():
            frame = int(frames[1:][twice][0])
            self.contradiction(
                f"'{self.path.name}' has two instances of the track '{track}' in frame {frame}"
                f" ({int(twice.sum())} such frames)",
                "--salvage keeps the first one of each frame",
            )
        chosen: Rows = rows[np.concatenate([[True], ~again])]
        return chosen

    def _sorted(self, rows: Rows) -> Rows:
        labels = self.labels
        kinds = labels.instances["instance_type"][rows]
        order: Rows = rows[np.lexsort((labels.order[rows], kinds, labels.frame_of[rows]))]
        return order

    def _untracked(self, rows: Rows, skeleton: int, n_frames: int) -> list[SleapPose]:
        """Instances without a track: first of each frame, second of each frame, ..."""
        rows = self._sorted(rows)
        frames = self.labels.frame_of[rows]
        firsts = np.flatnonzero(np.diff(frames, prepend=-1))
        sizes = np.diff(np.append(firsts, len(rows)))
        rank = np.arange(len(rows)) - np.repeat(firsts, sizes)
        most = int(rank.max()) + 1
        if most == 1 and not self.labels.tracks:
            return [self._stream(rows, skeleton, n_frames, None)]
        self.notes.append(
            f"{len(rows)} instances belong to no track, up to {most} in a frame: 'untracked0' is "
            "the first one of each frame, which need not be the same animal"
        )
        return [
            self._stream(rows[rank == k], skeleton, n_frames, f"untracked{k}") for k in range(most)
        ]

    def _stream(self, rows: Rows, skeleton: int, n_frames: int, subject: str | None) -> SleapPose:
        bones = self.labels.skeletons[skeleton]
        whose = f" of the track '{subject}'" if subject else ""
        facts = dict(self.facts)
        facts["n_instances"] = len(rows)
        if (self.labels.instances["instance_type"][rows] == PREDICTED).any():
            facts["confidence_definition"] = "point score as SLEAP wrote it"
        return SleapPose(
            id="pose",
            name=self.path.name,
            role="pose",
            description=f"Tracked by SLEAP: {len(bones.nodes)} keypoints{whose}, in "
            f"{len(rows)} frames",
            facts=facts,
            keypoints=bones.nodes,
            edges=bones.edges,
            n_frames=n_frames,
            subject=subject,
            get=Gather(self.labels, rows, n_frames, len(bones.nodes)),
        )

    def reread(self, stream_id: str, start: int, stop: int) -> AnyArray | None:
        """x, y, score of frames ``start..stop``, shape (frames, keypoints, 3).

        From the bytes of the tables in the file, one instance after the other.
        """
        video, pose = self.pose(stream_id)
        assert isinstance(pose.get, Gather)
        try:
            return _sleap_reread.labels(
                self.path, pose.get.rows, len(pose.keypoints), start, stop, video.n_frames
            )
        except (NwbkitError, OSError, ValueError):
            return None


@dataclass
class Gather:
    """Puts the points of some instances at their frames.

    Parameters
    ----------
    labels : Labels
    rows : numpy.ndarray of int64
        Of the instances, one a frame at most.
    n_frames, n_points : int
    """

    labels: Labels
    rows: Rows
    n_frames: int
    n_points: int
    _kept: AnyArray | None = None

    def __call__(self, keypoint: int) -> tuple[AnyArray, AnyArray]:
        """``(positions, confidence)`` of one keypoint in every frame."""
        if self._kept is None and len(self.rows) * self.n_points * 24 <= KEEP_BYTES:
            self._kept = self._points(np.arange(self.n_points))
        part = self._points(np.array([keypoint])) if self._kept is None else self._kept
        values = part[:, 0 if self._kept is None else keypoint]
        dense = np.full((self.n_frames, 3), np.nan)
        dense[self.labels.frame_of[self.rows]] = values
        return np.ascontiguousarray(dense[:, :2]), np.ascontiguousarray(dense[:, 2])

    def _points(self, which: Rows) -> AnyArray:
        """x, y, score of some points of each instance, shape (instances, points, 3)."""
        out = np.full((len(self.rows), len(which), 3), np.nan)
        instances = self.labels.instances[self.rows]
        for kind in (USER, PREDICTED):
            mine = np.flatnonzero(instances["instance_type"] == kind)
            if not len(mine):
                continue
            starts = instances["point_id_start"][mine].astype(np.int64)
            wanted = (starts[:, None] + which).reshape(-1)
            order = np.argsort(wanted, kind="stable")
            xy, score, visible = _sleap_slp.points(
                self.labels.path, kind == PREDICTED, wanted[order]
            )
            values = np.column_stack([xy + self.labels.shift, score])
            # a point that is not visible has a place for the program's own drawing only
            values[~visible, :2] = np.nan
            back = np.empty_like(values)
            back[order] = values
            out[mine] = back.reshape(len(mine), len(which), 3)
        return out


def open_labels(source: Source) -> SleapReader:
    """The reader of the kind of file that `source` is."""
    from nwbkit.formats.behavior import _sleap_analysis

    suffix = Path(source.paths[0]).suffix.lower()
    if suffix == ".slp":
        return LabelsReader(source)
    if suffix == ".csv":
        return _sleap_analysis.CsvReader(source)
    return _sleap_analysis.AnalysisReader(source)
