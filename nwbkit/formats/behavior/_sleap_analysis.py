"""SLEAP's exports for analysis: a matrix of all tracks as HDF5, or a table as csv.

HDF5 as ``sleap/info/write_tracking_h5.py`` and sleap-io's ``analysis_h5`` write it. Axes are
told by ``dims`` (sleap-io), by ``transpose`` (older sleap-io), else by their lengths: SLEAP
itself writes ``(tracks, 2, nodes, frames)``.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nwbkit.errors import DamagedInput, NwbkitError
from nwbkit.formats.base import Source
from nwbkit.formats.behavior import _sleap_json as sj
from nwbkit.formats.behavior import _sleap_reread
from nwbkit.formats.behavior._sleap_base import MAX_FRAMES, Labelled, SleapPose, SleapReader
from nwbkit.formats.io.hdf5 import GuardedFile

AnyArray = npt.NDArray[Any]
Axes = tuple[str, ...]
MATLAB: Axes = ("track", "xy", "node", "frame")
#: Most likely first: SLEAP's own, sleap-io's "standard", SLEAP's without transposing.
LAYOUTS: tuple[Axes, ...] = (
    MATLAB,
    ("frame", "track", "node", "xy"),
    ("frame", "node", "xy", "track"),
)


@dataclass
class MatrixPart:
    """One track of the matrix: x, y and score of one node in every frame."""

    path: Path
    axes: Axes
    track: int
    n_frames: int
    scores: bool

    def __call__(self, node: int) -> tuple[AnyArray, AnyArray]:
        """``(positions, confidence)``."""
        with GuardedFile(self.path) as file:
            positions = self._cut(file, "tracks", self.axes, node)
            if self.scores:
                score = self._cut(file, "point_scores", without_xy(self.axes), node)
            else:
                score = np.full(self.n_frames, np.nan)
        return positions, score

    def _cut(self, file: GuardedFile, name: str, axes: Axes, node: int) -> AnyArray:
        dataset = file.dataset(name)
        if dataset is None:
            raise DamagedInput(f"'{self.path.name}' has no dataset '{name}'")
        at = {"track": self.track, "node": node}
        part = dataset[tuple(at.get(axis, slice(None)) for axis in axes)]
        left = [a for a in axes if a not in at]
        return np.ascontiguousarray(part.T if left == ["xy", "frame"] else part)


class AnalysisReader(SleapReader):
    """An analysis ``.h5``."""

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        with GuardedFile(self.path) as file:
            self._read(file)
        self.finish()

    def _read(self, file: GuardedFile) -> None:
        name = self.path.name
        nodes = _names(file, "node_names")
        tracks = _names(file, "track_names")
        dataset = file.dataset("tracks")
        if dataset is None or dataset.ndim != 4 or dataset.dtype.kind != "f" or not nodes:
            raise DamagedInput(f"'{name}' has no SLEAP matrix 'tracks' with node_names")
        self.axes = axes_of(file, dataset.shape, len(tracks) or 1, len(nodes))
        shape = dict(zip(self.axes, dataset.shape, strict=True))
        self._check(file, shape)
        scores = file.dataset("point_scores") is not None
        provenance = _text(file, "provenance")
        facts = sj.provenance_facts(sj.loads(provenance, name) if provenance else None)
        if scores:
            facts["confidence_definition"] = "point score as SLEAP wrote it"
        edges = _edges(file, len(nodes))
        if not shape["frame"]:
            raise DamagedInput(f"'{name}' has no frame")
        entry = Labelled(sj.base(_text(file, "video_path") or ""), shape["frame"])
        for number, track in enumerate(tracks or [""]):
            entry.poses.append(
                SleapPose(
                    id="pose",
                    name=name,
                    role="pose",
                    description=f"Tracked by SLEAP: {len(nodes)} keypoints"
                    + (f" of the track '{track}'" if track else ""),
                    facts=dict(facts),
                    keypoints=tuple(nodes),
                    edges=edges,
                    n_frames=shape["frame"],
                    subject=track or None,
                    get=MatrixPart(self.path, self.axes, number, shape["frame"], scores),
                )
            )
        self.labelled.append(entry)

    def _check(self, file: GuardedFile, shape: dict[str, int]) -> None:
        """The other matrices must be of the same tracks and frames."""
        wanted = {
            "point_scores": [shape[a] for a in without_xy(self.axes)],
            "instance_scores": [shape[a] for a in self.axes if a in ("track", "frame")],
            "tracking_scores": [shape[a] for a in self.axes if a in ("track", "frame")],
            "track_occupancy": [shape["frame"], shape["track"]],
        }
        for name, expected in wanted.items():
            dataset = file.dataset(name)
            if dataset is None:
                continue
            found = list(dataset.shape)
            # SLEAP has the occupancy the other way round than the scores
            if found != expected and (name != "track_occupancy" or found[::-1] != expected):
                raise DamagedInput(
                    f"'{self.path.name}': {name} has the shape {found}, expected {expected}"
                )

    def reread(self, stream_id: str, start: int, stop: int) -> AnyArray | None:
        """x, y, score of frames ``start..stop``, from the bytes of the matrices' chunks."""
        _, pose = self.pose(stream_id)
        part = pose.get
        assert isinstance(part, MatrixPart)
        try:
            return _sleap_reread.matrix(self.path, part.axes, part.track, part.scores, start, stop)
        except (NwbkitError, OSError, ValueError):
            return None


def without_xy(axes: Axes) -> Axes:
    """The axes of the point scores."""
    return tuple(a for a in axes if a != "xy")


def axes_of(file: GuardedFile, shape: tuple[int, ...], n_tracks: int, n_nodes: int) -> Axes:
    """What the axes of the matrix are.

    Raises
    ------
    nwbkit.errors.DamagedInput
        Where no order fits the names of tracks and nodes.
    """
    text = file.text("tracks", "dims")
    if text:
        named = sj.loads(text, f"'{file.path.name}': dims")
        if isinstance(named, list) and sorted(map(str, named)) == sorted(MATLAB):
            layouts: tuple[Axes, ...] = (tuple(str(n) for n in named),)
        else:
            raise DamagedInput(f"'{file.path.name}': tracks has the dimensions {text}")
    else:
        others = tuple(p for p in permutations(MATLAB) if p not in LAYOUTS)
        layouts = (*LAYOUTS, *others)
    occupancy = file.dataset("track_occupancy")
    n_frames = None
    if occupancy is not None and occupancy.ndim == 2:
        a, b = occupancy.shape
        n_frames = a if b == n_tracks else b if a == n_tracks else None
    wanted = {"track": n_tracks, "node": n_nodes, "xy": 2}
    if n_frames is not None:
        wanted["frame"] = n_frames
    for layout in layouts:
        sizes = dict(zip(layout, shape, strict=True))
        if all(sizes[axis] == size for axis, size in wanted.items()):
            return layout
    raise DamagedInput(
        f"'{file.path.name}': tracks has the shape {list(shape)}, expected axes of "
        + ", ".join(f"{size} {axis}" for axis, size in wanted.items())
    )


def _names(file: GuardedFile, name: str) -> list[str]:
    dataset = file.dataset(name)
    if dataset is None or dataset.dtype.kind not in "SO" or not dataset.shape:
        return []
    values = file.rows(dataset, 0, dataset.shape[0]).reshape(-1).tolist()
    return [v.decode("utf-8", "replace") if isinstance(v, bytes) else str(v) for v in values]


def _text(file: GuardedFile, name: str) -> str | None:
    dataset = file.dataset(name)
    if dataset is None or dataset.shape is None or dataset.dtype.kind not in "SO":
        return None
    value = np.asarray(dataset[()]).reshape(-1).tolist()
    first = value[0] if value else b""
    return first.decode("utf-8", "replace") if isinstance(first, bytes) else str(first)


def _edges(file: GuardedFile, n_nodes: int) -> tuple[tuple[int, int], ...]:
    dataset = file.dataset("edge_inds")
    if dataset is None or dataset.ndim != 2 or dataset.dtype.kind not in "iuf":
        return ()
    pairs = np.asarray(dataset[...])
    if pairs.shape[1] != 2 and pairs.shape[0] == 2:
        pairs = pairs.T
    if pairs.shape[1] != 2:
        return ()
    found = [(int(a), int(b)) for a, b in pairs.tolist()]
    return tuple(e for e in dict.fromkeys(found) if all(0 <= i < n_nodes for i in e))


class CsvReader(SleapReader):
    """An analysis csv: ``track, frame_idx, instance.score, NODE.x, NODE.y, NODE.score, ...``."""

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        header, rows = self._rows()
        nodes = [n.removesuffix(".x") for n in header[3:] if n.endswith(".x")]
        expected = [f"{n}.{c}" for n in nodes for c in ("x", "y", "score")]
        if header[3:] != expected or not nodes:
            raise DamagedInput(f"'{self.path.name}' has other columns than x, y, score of nodes")
        if not rows:
            raise DamagedInput(f"'{self.path.name}' has no row behind its header")
        frames = [int(r[1]) for r in rows]
        if max(frames) >= MAX_FRAMES:
            raise DamagedInput(f"'{self.path.name}' has the frame number {max(frames)}")
        entry = Labelled("", max(frames) + 1)
        for track in dict.fromkeys(r[0] for r in rows):
            mine = [r for r in rows if r[0] == track]
            entry.poses.append(self._stream(track, nodes, mine, entry.n_frames))
        self.labelled.append(entry)
        self.finish()

    def _rows(self) -> tuple[list[str], list[list[str]]]:
        try:
            with open(self.path, encoding="utf-8-sig", newline="") as f:
                lines = [r for r in csv.reader(f) if r]
        except (UnicodeDecodeError, csv.Error):
            raise DamagedInput(f"'{self.path.name}' is no csv in UTF-8") from None
        header, rows = ([c.strip() for c in lines[0]], lines[1:]) if lines else ([], [])
        for number, row in enumerate(rows):
            problem = None
            if len(row) != len(header):
                problem = f"has {len(row)} cells, expected {len(header)}"
            elif not row[1].isdecimal():
                problem = f"has the frame number '{row[1]}'"
            if problem:
                self.contradiction(
                    f"'{self.path.name}': row {number} {problem}", "--salvage keeps what is before"
                )
                return header, rows[:number]
        return header, rows

    def _stream(
        self, track: str, nodes: list[str], rows: list[list[str]], n_frames: int
    ) -> SleapPose:
        try:
            values = np.array([[float(c) if c else np.nan for c in r[3:]] for r in rows])
        except ValueError as error:
            raise DamagedInput(
                f"'{self.path.name}' holds a cell that is no number: {error}"
            ) from None
        frames = np.array([int(r[1]) for r in rows])
        if len(np.unique(frames)) != len(frames):
            raise DamagedInput(f"'{self.path.name}' has a frame of '{track}' twice")
        dense = np.full((n_frames, values.shape[1]), np.nan)
        dense[frames] = values

        def get(node: int) -> tuple[AnyArray, AnyArray]:
            return dense[:, 3 * node : 3 * node + 2].copy(), dense[:, 3 * node + 2].copy()

        return SleapPose(
            id="pose",
            name=self.path.name,
            role="pose",
            description=f"Tracked by SLEAP: {len(nodes)} keypoints"
            + (f" of the track '{track}'" if track else ""),
            facts={
                "source_software": "SLEAP",
                "confidence_definition": "point score as SLEAP wrote it",
            },
            keypoints=tuple(nodes),
            n_frames=n_frames,
            subject=track or None,
            get=get,
        )
