"""A table of tracks as DeepLabCut lays it out, whatever file it came from.

Columns, frame numbers, values. Lightning Pose writes the same header rows.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nwbkit.errors import DamagedInput

LEVELS = ("scorer", "individuals", "bodyparts", "coords")
SALVAGE = "--salvage keeps the rows before it"


@dataclass
class Tracks:
    """What a csv or h5 holds.

    Parameters
    ----------
    path : Path
    levels : tuple of str
        Names of the header rows.
    columns : list of tuple of str
        One name a level for each column of `values`.
    frames : numpy.ndarray of int64, shape (rows,), or None
        Number of the video frame of each row; None for labels of single images.
    values : numpy.ndarray of float, shape (rows, columns)
    losses : list of str
    """

    path: Path
    levels: tuple[str, ...]
    columns: list[tuple[str, ...]]
    frames: npt.NDArray[np.int64] | None
    values: npt.NDArray[Any]
    losses: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Animal:
    """One individual's keypoints, as columns of the table.

    Parameters
    ----------
    name : str or None
        None where the table knows of no individuals.
    keypoints : tuple of str
    places : numpy.ndarray of int, shape (keypoints, 3)
        Columns of x, y and likelihood; -1 where there is no likelihood.
    """

    name: str | None
    keypoints: tuple[str, ...]
    places: npt.NDArray[np.intp]


def scorer_of(tracks: Tracks) -> str:
    """The network (or person) that all columns come from.

    A program that knows one header row only numbers repeated names (``net``, ``net.1``,
    ``net.2``); these are one.
    """
    at = tracks.levels.index("scorer")
    names = list(dict.fromkeys(c[at] for c in tracks.columns))
    bare = {re.sub(r"\.\d+$", "", n) if n != names[0] else n for n in names}
    if len(bare) != 1:
        listed = ", ".join(f"'{n}'" for n in sorted(bare)[:3])
        raise DamagedInput(f"'{tracks.path.name}' mixes {len(bare)} scorers: {listed}")
    return names[0]


def animals(tracks: Tracks) -> list[Animal]:
    """The individuals of a table, in the order of its columns.

    Raises
    ------
    nwbkit.errors.DamagedInput
        For a keypoint without x or y, or a coordinate given twice or unknown.
    """
    levels = tracks.levels
    found: dict[str | None, dict[str, dict[str, int]]] = {}
    for index, column in enumerate(tracks.columns):
        named = dict(zip(levels, column, strict=True))
        keypoints = found.setdefault(named.get("individuals"), {})
        coords = keypoints.setdefault(named["bodyparts"], {})
        coord = named["coords"]
        if coord not in ("x", "y", "likelihood"):
            raise DamagedInput(
                f"'{tracks.path.name}' has the coordinate '{coord}', "
                "found beside x, y and likelihood; only tracks in one image are read"
            )
        if coord in coords:
            raise DamagedInput(f"'{tracks.path.name}' gives {'/'.join(column[1:])} twice")
        coords[coord] = index
    return [_animal(tracks, name, keypoints) for name, keypoints in found.items()]


def _animal(tracks: Tracks, name: str | None, keypoints: dict[str, dict[str, int]]) -> Animal:
    places = np.full((len(keypoints), 3), -1, np.intp)
    for row, (keypoint, coords) in enumerate(keypoints.items()):
        for column, coord in enumerate(("x", "y", "likelihood")):
            if coord in coords:
                places[row, column] = coords[coord]
            elif coord != "likelihood":
                raise DamagedInput(f"'{tracks.path.name}': keypoint '{keypoint}' has no '{coord}'")
    return Animal(name, tuple(keypoints), places)


def check_levels(path: Path, levels: Sequence[str]) -> tuple[str, ...]:
    """`levels` where they are DeepLabCut's; DamagedInput else."""
    if tuple(levels) not in (LEVELS, tuple(n for n in LEVELS if n != "individuals")):
        raise DamagedInput(
            f"'{path.name}' has the header rows {', '.join(map(str, levels)) or 'none'}, "
            f"expected {', '.join(LEVELS)} (individuals may be absent)"
        )
    return tuple(levels)


def check_frames(path: Path, frames: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """`frames` where they count up; DamagedInput else."""
    if frames.size and frames[0] < 0:
        raise DamagedInput(f"'{path.name}' has the frame number {frames[0]}")
    wrong = np.flatnonzero(np.diff(frames) <= 0)
    if wrong.size:
        k = int(wrong[0])
        raise DamagedInput(
            f"'{path.name}': frame {frames[k + 1]} follows frame {frames[k]} in row {k + 1}"
        )
    return frames
