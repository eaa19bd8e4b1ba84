"""What a DeepLabCut project says beside the table: config.yaml and the ``_meta.pickle``."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nwbkit.errors import NwbkitError
from nwbkit.formats.io import pickles, yaml


@dataclass(frozen=True)
class Project:
    """Facts of a project; all may be absent.

    Parameters
    ----------
    links : tuple of (str, str)
        The skeleton: names of keypoints that belong together.
    bodyparts : tuple of str
        Every keypoint that config.yaml knows.
    rate : float, optional
        ``fps`` of the video as OpenCV told DeepLabCut, in Hz.
    n_frames : int, optional
        Of the video.
    meta_name : str
    """

    links: tuple[tuple[str, str], ...] = ()
    bodyparts: tuple[str, ...] = ()
    rate: float | None = None
    n_frames: int | None = None
    meta_name: str = ""

    def edges(self, keypoints: Sequence[str], notes: list[str]) -> tuple[tuple[int, int], ...]:
        """The skeleton as indices into `keypoints`; links to others are left out."""
        if not self.links:
            return ()
        if not set(keypoints) <= set(self.bodyparts):
            note = "config.yaml knows other bodyparts; its skeleton is not used"
            if note not in notes:
                notes.append(note)
            return ()
        places = {name: index for index, name in enumerate(keypoints)}
        found = [(places[a], places[b]) for a, b in self.links if a in places and b in places]
        return tuple(dict.fromkeys(found))


def read(paths: Sequence[Path], notes: list[str]) -> Project:
    """What the files beside the table say; one that cannot be used is noted, not fatal."""
    facts: dict[str, Any] = {}
    for path in paths[1:]:
        if path.name == "config.yaml":
            try:
                facts.update(_config(yaml.load(path)))
            except NwbkitError as error:
                notes.append(f"no skeleton: {error.message}")
        elif path.name.endswith("_meta.pickle"):
            facts.update(_meta(path, notes))
    return Project(**facts)


def _config(data: Any) -> dict[str, Any]:
    if not isinstance(data, dict):
        return {}
    bodyparts: list[str] = []
    for key in ("bodyparts", "multianimalbodyparts", "uniquebodyparts"):
        if isinstance(data.get(key), list):
            bodyparts += [str(b) for b in data[key]]
    links: list[tuple[str, str]] = []
    skeleton = data.get("skeleton")
    for chain in skeleton if isinstance(skeleton, list) else ():
        if isinstance(chain, list):
            names = [str(n) for n in chain]
            links += list(itertools.pairwise(names))
    return {"bodyparts": tuple(bodyparts), "links": tuple(links)}


def _meta(path: Path, notes: list[str]) -> dict[str, Any]:
    """Rate (fps) and nframes out of the pickle, read as plain data; nothing in it is ever made."""
    try:
        with open(path, "rb") as f:
            raw = f.read(pickles.MAX_BYTES + 1)
        data = pickles.loads(raw, path.name, opaque=True)
    except (NwbkitError, OSError) as error:
        notes.append(f"'{path.name}' is not used: {error}")
        return {}
    data = data.get("data") if isinstance(data, dict) else None
    if not isinstance(data, dict):
        return {}
    facts: dict[str, Any] = {"meta_name": path.name}
    fps, n_frames = data.get("fps"), data.get("nframes")
    if isinstance(fps, int | float) and not isinstance(fps, bool) and 0 < fps < math.inf:
        facts["rate"] = float(fps)
    if isinstance(n_frames, int) and not isinstance(n_frames, bool) and n_frames > 0:
        facts["n_frames"] = n_frames
    return facts
