"""Opening Lightning Pose's predictions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from nwbkit.formats.io.pose_csv import read_csv
from nwbkit.formats.io.pose_reader import AnyArray, TracksReader
from nwbkit.formats.io.pose_table import Tracks

_COORDS = ("x", "y", "likelihood")


class LightningPoseReader(TracksReader):
    """One table of predictions."""

    software = "Lightning Pose"
    #: Columns of the file that were kept.
    kept: tuple[int, ...] = ()
    n_columns = 0

    def read_tracks(self) -> Tracks:
        """The table without the ensemble smoother's own statistics."""
        tracks = read_csv(self.path, salvage=self.source.salvage)
        at = tracks.levels.index("coords")
        self.n_columns = len(tracks.columns)
        self.kept = tuple(i for i, c in enumerate(tracks.columns) if c[at] in _COORDS)
        if len(self.kept) == self.n_columns or not self.kept:
            return tracks
        others = sorted({c[at] for c in tracks.columns} - set(_COORDS))
        self.notes.append(f"not read: the columns {', '.join(others)} of each keypoint")
        return replace(
            tracks,
            columns=[tracks.columns[i] for i in self.kept],
            values=tracks.values[:, list(self.kept)],
        )

    def independent(self) -> AnyArray | None:
        """The table by numpy's own parser."""
        whole = np.genfromtxt(
            self.path,
            delimiter=",",
            skip_header=len(self.tracks.levels),
            comments="\0",
            encoding="utf-8-sig",
            ndmin=2,
        )
        if whole.shape[1] != self.n_columns + 1:
            return None
        return np.asarray(whole[:, 1:][:, list(self.kept)])
