"""The tables of a SLEAP labels file (``.slp``), held against each other.

HDF5 as written by SLEAP and sleap-io (``sleap/io/format/hdf5.py``, "SLP File Format"): frames
refer to instances, instances to points, by ranges of row numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nwbkit.errors import DamagedInput
from nwbkit.formats.behavior import _sleap_json as sj
from nwbkit.formats.io.hdf5 import GuardedFile

AnyArray = npt.NDArray[Any]
#: Points are read in stretches of so many rows.
BLOCK = 1 << 20
#: Before this format the corner of the first pixel was (0, 0), since then its centre is.
CENTRED = 1.1
USER, PREDICTED = 0, 1
_FIELDS = {
    "frames": ("video", "frame_idx", "instance_id_start", "instance_id_end"),
    "instances": ("instance_type", "skeleton", "track", "point_id_start", "point_id_end"),
    "points": ("x", "y", "visible"),
    "pred_points": ("x", "y", "visible", "score"),
}


@dataclass
class Labels:
    """A labels file without its points.

    Parameters
    ----------
    path : Path
    format_id : float or None
    frames, instances : numpy.ndarray
        The tables as stored.
    video_of, frame_of : numpy.ndarray of int64, shape (instances,)
        Where each instance was seen; -1 where no frame has it.
    order : numpy.ndarray of int64, shape (instances,)
        Its place among the instances of its frame.
    skeletons, videos, tracks
    provenance : dict
    counts : dict of str to int
        Rows of ``points`` and ``pred_points``.
    """

    path: Path
    format_id: float | None
    frames: AnyArray
    instances: AnyArray
    video_of: npt.NDArray[np.int64]
    frame_of: npt.NDArray[np.int64]
    order: npt.NDArray[np.int64]
    skeletons: list[sj.Skeleton]
    videos: list[sj.Video]
    tracks: list[str]
    provenance: Any
    counts: dict[str, int]
    losses: list[str] = field(default_factory=list)

    @property
    def shift(self) -> float:
        """What brings stored coordinates to pixels whose centres are whole numbers."""
        return -0.5 if self.format_id is not None and self.format_id < CENTRED else 0.0


def read(path: Path, *, salvage: bool = False) -> Labels:
    """Read the labels file at `path`.

    Raises
    ------
    nwbkit.errors.DamagedInput
        Where it is no such file, or its tables contradict each other.
    """
    with GuardedFile(path) as file:
        raw = _metadata(file)
        data = sj.loads(raw, f"'{path.name}': metadata")
        if not isinstance(data, dict):
            raise DamagedInput(f"'{path.name}': metadata is no mapping")
        tables = {name: _table(file, name) for name in ("frames", "instances")}
        counts = {name: _length(file, name) for name in ("points", "pred_points")}
        nowhere = np.full(len(tables["instances"]), -1, np.int64)
        where = f"'{path.name}'"
        provenance = _provenance(file, data, where)
        labels = Labels(
            path,
            _format_id(file),
            tables["frames"],
            tables["instances"],
            nowhere.copy(),
            nowhere.copy(),
            nowhere.copy(),
            sj.skeletons(data, f"{where}: metadata"),
            _videos(file, where),
            sj.tracks(_texts(file, "tracks_json"), f"{where}: tracks_json"),
            provenance,
            counts,
        )
    _check(labels, salvage)
    return labels


def points(
    path: Path, predicted: bool, rows: npt.NDArray[np.int64]
) -> tuple[AnyArray, AnyArray, AnyArray]:
    """``(x and y, score, visible)`` of some points, given by ascending row numbers.

    Scores of points that a person labelled are NaN: nobody gave any.
    """
    name = "pred_points" if predicted else "points"
    xy = np.empty((len(rows), 2))
    score = np.full(len(rows), np.nan)
    visible = np.empty(len(rows), bool)
    with GuardedFile(path) as file:
        dataset = file.dataset(name)
        if dataset is None:
            raise DamagedInput(f"'{path.name}' has no table '{name}'")
        for start, chosen in _blocks(rows, len(dataset)):
            block = file.rows(dataset, start, min(start + BLOCK, len(dataset)))
            part = block[rows[chosen] - start]
            xy[chosen, 0], xy[chosen, 1] = part["x"], part["y"]
            visible[chosen] = part["visible"].astype(bool)
            if predicted:
                score[chosen] = part["score"]
    return xy, score, visible


def _blocks(rows: npt.NDArray[np.int64], n: int) -> Iterator[tuple[int, slice]]:
    for start in range(0, n, BLOCK):
        low, high = np.searchsorted(rows, [start, start + BLOCK])
        if high > low:
            yield start, slice(int(low), int(high))


def _videos(file: GuardedFile, where: str) -> list[sj.Video]:
    """The videos; of embedded ones a group of the file may say from which they were cut."""
    found = sj.videos(_texts(file, "videos_json"), f"{where}: videos_json")
    for position, video in enumerate(found):
        place = f"video{video.key}/source_video"
        if not video.embedded or video.name or file.group(place) is None:
            continue
        raw = file.raw(place, "json")
        if raw:
            source = sj.videos([raw.decode("utf-8", "replace")], f"{where}: {place}")[0]
            found[position] = replace(video, name=source.name)
    return found


def _metadata(file: GuardedFile) -> bytes:
    raw = file.raw("metadata", "json") if file.group("metadata") is not None else None
    if raw is None:
        raise DamagedInput(f"'{file.path.name}' has no SLEAP metadata")
    return raw


def _format_id(file: GuardedFile) -> float | None:
    group = file.group("metadata")
    value = group.attrs.get("format_id") if group is not None else None
    try:
        return None if value is None else float(np.asarray(value).reshape(-1)[0])
    except (TypeError, ValueError, IndexError):
        return None


def _provenance(file: GuardedFile, data: dict[str, Any], where: str) -> Any:
    texts = _texts(file, "provenance_json")
    return sj.loads(texts[0], f"{where}: provenance_json") if texts else data.get("provenance")


def _table(file: GuardedFile, name: str) -> AnyArray:
    dataset = file.dataset(name)
    fields = set(_FIELDS[name])
    if dataset is None or dataset.dtype.names is None or not fields <= set(dataset.dtype.names):
        raise DamagedInput(f"'{file.path.name}' has no table '{name}' with {', '.join(fields)}")
    rows: AnyArray = file.rows(dataset, 0, dataset.shape[0])
    return rows


def _length(file: GuardedFile, name: str) -> int:
    dataset = file.dataset(name)
    if dataset is None or not dataset.shape or not dataset.shape[0]:
        return 0
    names = dataset.dtype.names
    if names is None or not set(_FIELDS[name]) <= set(names):
        raise DamagedInput(f"'{file.path.name}': table '{name}' lacks x, y, visible or score")
    return int(dataset.shape[0])


def _texts(file: GuardedFile, name: str) -> list[str]:
    """A dataset of texts; numbers stand there where nothing does."""
    dataset = file.dataset(name)
    if dataset is None or dataset.shape is None or dataset.dtype.kind not in "SO":
        return []
    values = dataset[()] if not dataset.shape else file.rows(dataset, 0, dataset.shape[0])
    flat = np.asarray(values).reshape(-1).tolist()
    return [v.decode("utf-8", "replace") if isinstance(v, bytes) else str(v) for v in flat]


def _check(labels: Labels, salvage: bool) -> None:
    """Place every instance, and refuse ranges that lead nowhere."""
    name, n = labels.path.name, len(labels.instances)
    starts = labels.frames["instance_id_start"].astype(np.int64)
    stops = labels.frames["instance_id_end"].astype(np.int64)
    keys = {video.key: index for index, video in enumerate(labels.videos)}
    wrong = (starts < 0) | (stops < starts) | (stops > n)
    frames = labels.frames["frame_idx"].astype(np.int64)
    if (frames < 0).any():
        raise DamagedInput(f"'{name}': frames holds the frame number {int(frames.min())}")
    if wrong.any():
        k = int(np.flatnonzero(wrong)[0])
        problem = (
            f"'{name}': frame {int(frames[k])} has the instances {starts[k]} to {stops[k]}, "
            f"the table holds {n}"
        )
        if not salvage:
            raise DamagedInput(problem, hint="--salvage leaves such frames out")
        labels.losses.append(f"{problem}; {int(wrong.sum())} such frames were left out")
    for k in np.flatnonzero(~wrong & (stops > starts)).tolist():
        video = int(labels.frames["video"][k])
        if video not in keys:
            raise DamagedInput(f"'{name}' has frames of video {video}, videos_json has none such")
        part = slice(int(starts[k]), int(stops[k]))
        labels.video_of[part], labels.frame_of[part] = keys[video], frames[k]
        labels.order[part] = np.arange(stops[k] - starts[k])
    _check_points(labels, salvage)


def _check_points(labels: Labels, salvage: bool) -> None:
    rows, name = labels.instances, labels.path.name
    skeleton = rows["skeleton"].astype(np.int64)
    if len(rows) and int(skeleton.max()) >= len(labels.skeletons):
        raise DamagedInput(
            f"'{name}': an instance has skeleton {skeleton.max()}, there are "
            f"{len(labels.skeletons)}"
        )
    if len(rows) and int(rows["track"].max()) >= len(labels.tracks):
        raise DamagedInput(
            f"'{name}': an instance has track {int(rows['track'].max())}, there are "
            f"{len(labels.tracks)}"
        )
    sizes = np.array([len(s.nodes) for s in labels.skeletons], np.int64)[skeleton]
    starts = rows["point_id_start"].astype(np.int64)
    stops = rows["point_id_end"].astype(np.int64)
    limits = np.where(
        rows["instance_type"] == PREDICTED, labels.counts["pred_points"], labels.counts["points"]
    )
    wrong = (stops - starts != sizes) | (starts < 0) | (stops > limits)
    wrong &= labels.frame_of >= 0
    if not wrong.any():
        return
    k = int(np.flatnonzero(wrong)[0])
    problem = (
        f"'{name}': instance {k} has the points {starts[k]} to {stops[k]}, expected "
        f"{sizes[k]} of {limits[k]}"
    )
    if not salvage:
        raise DamagedInput(problem, hint="--salvage leaves such instances out")
    labels.losses.append(f"{problem}; {int(wrong.sum())} such instances were left out")
    labels.frame_of[wrong] = -1
