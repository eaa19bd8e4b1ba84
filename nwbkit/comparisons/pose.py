"""Poses: every position and confidence of every keypoint, frame times, the skeleton."""

from __future__ import annotations

from typing import Any

import numpy as np

from nwbkit.comparisons.base import Comparison
from nwbkit.comparisons.video import compare_times
from nwbkit.errors import NwbkitError
from nwbkit.streams import Pose


def compare_pose(c: Comparison) -> None:
    """Compare the pose of one animal with the PoseEstimation it became."""
    stream = c.stream
    assert isinstance(stream, Pose)
    group = c.file[c.record.nwb_paths[0]]
    try:
        again = c.reader.reread(stream.id, 0, stream.n_frames)
    except NwbkitError as error:
        c.check("keypoints", error.message, reader="independent")
        return
    who = "same" if again is None else "independent"
    problem = None
    for index, keypoint in enumerate(stream.keypoints):
        name = _series(keypoint)
        if again is None:
            positions, confidence = stream.read(index)
        else:
            positions, confidence = again[:, index, :-1], again[:, index, -1]
        problem = problem or _keypoint(group, name, positions, confidence)
    c.check("keypoints", problem, reader=who, rows=stream.n_frames)
    c.check("skeleton", _skeleton(group, stream))
    for keypoint in stream.keypoints:
        name = _series(keypoint)
        if name in group:
            compare_times(c, f"{c.record.nwb_paths[0]}/{name}")
            break


def _series(keypoint: str) -> str:
    """What nwb/pose.py calls the series of a keypoint."""
    return keypoint.replace("/", "-").replace(":", "-") or "unknown"


def _keypoint(group: Any, name: str, positions: Any, confidence: Any) -> str | None:
    if name not in group:
        return f"keypoint '{name}' is missing"
    series = group[name]
    for what, wanted in (("data", positions), ("confidence", confidence)):
        found = series[what][...]
        if found.shape != wanted.shape:
            return f"'{name}' has {what} of shape {found.shape}, the source {wanted.shape}"
        same = (found == wanted) | (np.isnan(found) & np.isnan(wanted))
        if not same.all():
            row = int(np.argwhere(~same)[0][0])
            return f"{what} of '{name}' differ from frame {row} on"
    return None


def _skeleton(group: Any, stream: Pose) -> str | None:
    # ndx-pose gives the link no name of its own: it has that of the skeleton
    kinds = {name: group[name].attrs.get("neurodata_type") for name in group}
    linked = [name for name, kind in kinds.items() if kind == "Skeleton"]
    if len(linked) != 1:
        return f"it is linked to {len(linked)} skeletons, expected 1"
    skeleton = group[linked[0]]
    nodes = tuple(str(n) for n in skeleton["nodes"].asstr()[...].tolist())
    edges: Any = skeleton["edges"][...].tolist() if "edges" in skeleton else []
    if nodes != stream.keypoints:
        return f"its nodes are {list(nodes)}, the source has {list(stream.keypoints)}"
    if tuple(tuple(e) for e in edges) != stream.edges:
        return f"its edges are {edges}, the source has {list(map(list, stream.edges))}"
    return None
