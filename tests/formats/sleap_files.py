"""Small SLEAP files of any kind, as SLEAP and sleap-io lay them out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np

NODES = ["head", "thorax", "tail"]
_EDGE = {"py/reduce": [{"py/type": "sleap.skeleton.EdgeType"}, {"py/tuple": [1]}]}
_SYMMETRY = {"py/reduce": [{"py/type": "sleap.skeleton.EdgeType"}, {"py/tuple": [2]}]}
_FRAMES = [
    ("frame_id", "<u8"),
    ("video", "<u4"),
    ("frame_idx", "<u8"),
    ("instance_id_start", "<u8"),
    ("instance_id_end", "<u8"),
]
_INSTANCES = [
    ("instance_id", "<i8"),
    ("instance_type", "u1"),
    ("frame_id", "<u8"),
    ("skeleton", "<u4"),
    ("track", "<i4"),
    ("from_predicted", "<i8"),
    ("score", "<f4"),
    ("point_id_start", "<u8"),
    ("point_id_end", "<u8"),
]
_POINT = [("x", "<f8"), ("y", "<f8"), ("visible", "?"), ("complete", "?")]


def instance(
    value: float, track: int = 0, *, user: bool = False, of: int = -1, hidden: tuple[int, ...] = ()
) -> dict[str, Any]:
    """An instance whose node k lies at (value + k, value - k), with the score value / 1000."""
    return {"value": value, "track": track, "user": user, "of": of, "hidden": hidden}


def predictions(n: int = 10, tracks: int = 2) -> list[tuple[int, int, list[dict[str, Any]]]]:
    """Every frame with every track, the last track absent in frame 3."""
    return [
        (0, f, [instance(100 * t + f, t) for t in range(tracks) if (t, f) != (tracks - 1, 3)])
        for f in range(n)
    ]


def write_slp(
    path: Path,
    frames: list[tuple[int, int, list[dict[str, Any]]]],
    *,
    tracks: list[str] | None = None,
    videos: list[Any] | None = None,
    format_id: float | None = 1.2,
    chunks: bool = False,
    metadata: dict[str, Any] | None = None,
) -> Path:
    """A labels file; `frames` are ``(video, frame number, instances)``."""
    rows, instances, points, predicted = [], [], [], []
    for number, (video, frame, present) in enumerate(frames):
        start = len(instances)
        for each in present:
            table = points if each["user"] else predicted
            first = len(table)
            for k in range(len(NODES)):
                point = (each["value"] + k, each["value"] - k, k not in each["hidden"], False)
                table.append(point if each["user"] else (*point, each["value"] / 1000))
            kind = 0 if each["user"] else 1
            instances.append(
                (len(instances), kind, number, 0, each["track"], each["of"], 0.5)
                + (first, len(table))
                + ((0.9,) if (format_id or 0) >= 1.2 else ())
            )
        rows.append((number, video, frame, start, len(instances)))
    body = {
        "version": "2.0.0",
        "skeletons": [_skeleton()],
        "nodes": [{"name": n, "weight": 1.0} for n in ("tail", "head", "unused", "thorax")],
        "videos": [],
        "tracks": [],
        "negative_anchors": {},
        "provenance": {"sleap_version": "1.3.3", "model_paths": ["m/net/training_config.json"]},
        **(metadata or {}),
    }
    videos = videos if videos is not None else [media("cam.mp4")]
    extra = [("tracking_score", "<f4")] if (format_id or 0) >= 1.2 else []
    how = {"compression": "gzip", "shuffle": True} if chunks else {}
    with h5py.File(path, "w") as f:
        group = f.create_group("metadata")
        if format_id is not None:
            group.attrs["format_id"] = format_id
        group.attrs["json"] = np.bytes_(json.dumps(body))
        f["videos_json"] = [np.bytes_(json.dumps(v)) for v in videos]
        names = ["a", "b"] if tracks is None else tracks
        f["tracks_json"] = [np.bytes_(json.dumps([0, n])) for n in names] or np.empty(0)
        f["suggestions_json"] = np.empty(0)
        for name, values, dtype in (
            ("frames", rows, _FRAMES),
            ("instances", instances, _INSTANCES + extra),
            ("points", points, _POINT),
            ("pred_points", predicted, [*_POINT, ("score", "<f8")]),
        ):
            table = np.array(values, dtype=np.dtype(dtype))
            f.create_dataset(name, data=table, **(how if len(table) else {}))
    return path


def media(name: str, **more: Any) -> dict[str, Any]:
    """A video as SLEAP notes it."""
    return {"backend": {"filename": name, "grayscale": True, "bgr": True, **more}}


def _skeleton() -> dict[str, Any]:
    """Nodes head, thorax, tail; edges thorax-head then thorax-tail; head and tail symmetric."""
    return {
        "directed": True,
        "graph": {"name": "Skeleton-0", "num_edges_inserted": 3},
        "links": [
            {"edge_insert_idx": 2, "key": 0, "source": 1, "target": 0, "type": _SYMMETRY},
            {"edge_insert_idx": 1, "key": 0, "source": 3, "target": 0, "type": _EDGE},
            {"edge_insert_idx": 0, "key": 0, "source": 3, "target": 1, "type": {"py/id": 2}},
        ],
        "multigraph": True,
        "nodes": [{"id": 1}, {"id": 3}, {"id": 0}],
    }


EDGES = ((1, 0), (1, 2))


def write_analysis(
    path: Path,
    values: Any,
    scores: Any,
    *,
    axes: tuple[str, ...] = ("track", "xy", "node", "frame"),
    dims: bool = False,
    tracks: list[str] | None = None,
    **more: Any,
) -> Path:
    """An analysis file of `values` (frames, tracks, nodes, 2) and `scores` (the same less one)."""
    whole = ("frame", "track", "node", "xy")
    order = [whole.index(a) for a in axes]
    left = [a for a in axes if a != "xy"]
    n_frames, n_tracks = values.shape[:2]
    with h5py.File(path, "w") as f:
        f["track_names"] = [np.bytes_(t) for t in (tracks if tracks is not None else ["a", "b"])]
        f["node_names"] = [np.bytes_(n) for n in NODES]
        f["edge_inds"] = np.array(EDGES)
        f.create_dataset("tracks", data=values.transpose(order), compression="gzip")
        if dims:
            f["tracks"].attrs["dims"] = json.dumps(list(axes))
        f["track_occupancy"] = np.ones((n_frames, n_tracks), np.uint8)
        points = scores.transpose([whole.index(a) for a in left])
        f.create_dataset("point_scores", data=points, compression="gzip")
        for name, value in more.items():
            f[name] = value
    return path


def matrix(n_frames: int = 12, n_tracks: int = 2) -> tuple[Any, Any]:
    """Values and scores for :func:`write_analysis`."""
    rng = np.random.default_rng(5)
    values = rng.random((n_frames, n_tracks, len(NODES), 2)) * 500
    values[3, 0] = np.nan
    return values, rng.random((n_frames, n_tracks, len(NODES)))


def write_csv(path: Path, values: Any, scores: Any, names: list[str]) -> Path:
    """An analysis csv; frames whose instance is NaN have no row."""
    header = ["track", "frame_idx", "instance.score"]
    header += [f"{n}.{c}" for n in NODES for c in ("x", "y", "score")]
    lines = [",".join(header)]
    for track, name in enumerate(names):
        for frame in range(len(values)):
            if np.isnan(values[frame, track]).all():
                continue
            cells = [name, str(frame), "0.5"]
            for node in range(len(NODES)):
                cells += [repr(float(v)) for v in values[frame, track, node]]
                cells.append(repr(float(scores[frame, track, node])))
            lines.append(",".join(cells))
    path.write_text("\n".join(lines) + "\n")
    return path
