"""Opening DeepLabCut's tracks: csv or h5, what the project says beside them."""

from __future__ import annotations

from nwbkit.formats.behavior import _dlc_project, _dlc_reread
from nwbkit.formats.behavior._dlc_h5 import read_h5
from nwbkit.formats.io.pose_csv import read_csv
from nwbkit.formats.io.pose_reader import AnyArray, Edges, TracksReader
from nwbkit.formats.io.pose_table import Tracks


class DeepLabCutReader(TracksReader):
    """One table of DeepLabCut's."""

    software = "DeepLabCut"

    def read_tracks(self) -> Tracks:
        """The table, by what its name ends in."""
        reading = read_csv if self.path.suffix.lower() == ".csv" else read_h5
        return reading(self.path, salvage=self.source.salvage)

    def look_beside(self) -> None:
        """Its twin, and the project."""
        self._check_twin()
        self.project = _dlc_project.read(self.source.paths, self.notes)

    def edges(self, keypoints: tuple[str, ...]) -> Edges:
        """The skeleton in config.yaml."""
        return self.project.edges(keypoints, self.notes)

    def noted_rate(self) -> float | None:
        """``fps`` in the ``_meta.pickle``."""
        if self.project.rate is not None:
            self.notes.append(
                f"rate {self.project.rate!r} Hz from fps in '{self.project.meta_name}'"
            )
        return self.project.rate

    def independent(self) -> AnyArray | None:
        """Csv by numpy's own parser; h5 by the bytes of its chunks in the file."""
        return _dlc_reread.table(self.path, len(self.tracks.levels))

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
                self.contradiction(
                    f"'{self.path.name}' has {mine} {what}, '{twins[0].name}' has {other}",
                    "--salvage reads the former",
                )

    def _own_clock(self) -> None:
        """Times of its own, once the number of frames agrees with what was noted."""
        noted = self.project.n_frames
        frames = self.tracks.frames
        if noted is not None and frames is not None and not self.losses and noted != frames[-1] + 1:
            self.contradiction(
                f"'{self.path.name}' ends with frame {frames[-1]}, "
                f"'{self.project.meta_name}' says {noted} frames",
                "--salvage reads the frames that are there",
            )
        super()._own_clock()
