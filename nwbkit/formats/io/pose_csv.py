"""DeepLabCut's csv: three or four header rows, then one row a frame (or a labelled image)."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from nwbkit.errors import DamagedInput
from nwbkit.formats.io.pose_table import (
    LEVELS,
    SALVAGE,
    Tracks,
    check_frames,
    check_levels,
)

_BLOCK = 8192


def read_csv(path: Path, *, salvage: bool = False) -> Tracks:
    """Read the table at `path`.

    Header rows as DeepLabCut writes them: ``scorer``, optional ``individuals``,
    ``bodyparts``, ``coords``, each padded by as many empty cells as the index of labelled
    images has more columns than one.

    Raises
    ------
    nwbkit.errors.DamagedInput
        For other header rows, rows of another width, cells that are no number, or a last line
        that is cut off; with `salvage` the rows before are kept.
    """
    try:
        with open(path, encoding="utf-8-sig", newline="") as f:
            return _Table(path, csv.reader(f), salvage).read()
    except UnicodeDecodeError:
        raise DamagedInput(f"'{path.name}' is not UTF-8 text") from None
    except csv.Error as error:
        raise DamagedInput(f"'{path.name}' is no csv: {error}") from None


class _Table:
    def __init__(self, path: Path, lines: Iterator[list[str]], salvage: bool) -> None:
        self.path, self.lines, self.salvage = path, lines, salvage
        self.losses: list[str] = []
        self.blocks: list[np.ndarray] = []
        self.frames: list[int] = []
        self.n_rows = 0

    def read(self) -> Tracks:
        """All of it."""
        header, first = self._header()
        levels = check_levels(self.path, [row[0].strip() for row in header])
        widths = {len(row) for row in header}
        if len(widths) != 1:
            raise DamagedInput(
                f"'{self.path.name}' has header rows of {min(widths)} to {max(widths)} cells"
            )
        width = widths.pop()
        n_index = 1
        while n_index < width and not any(row[n_index].strip() for row in header):
            n_index += 1
        columns = list(zip(*(row[n_index:] for row in header), strict=True))
        if not columns:
            raise DamagedInput(f"'{self.path.name}' has header rows without a keypoint")
        labels = n_index > 1 or (first is not None and _frame(first[0]) is None)
        self._rows(first, width, n_index, labels)
        if not self.losses:
            self._end()
        n_columns = len(columns)
        values = np.concatenate([*self.blocks, np.empty((0, n_columns))])[: self.n_rows]
        frames = None
        if not labels:
            frames = check_frames(self.path, np.array(self.frames[: self.n_rows], np.int64))
        return Tracks(self.path, levels, columns, frames, values, self.losses)

    def _header(self) -> tuple[list[list[str]], list[str] | None]:
        header: list[list[str]] = []
        for row in self.lines:
            if row and row[0].strip() in LEVELS and len(header) < len(LEVELS):
                header.append(row)
            elif row:
                return header, row
        return header, None

    def _rows(self, first: list[str] | None, width: int, n_index: int, labels: bool) -> None:
        block: list[list[float]] = []
        row = first
        while row is not None:
            problem = self._row(row, width, n_index, labels, block)
            if problem is not None:
                self._lose(f"row {self.n_rows} {problem}")
                break
            if len(block) == _BLOCK:
                self.blocks.append(np.array(block))
                block = []
            row = next((r for r in self.lines if r), None)
        if block:
            self.blocks.append(np.array(block))

    def _row(
        self, row: list[str], width: int, n_index: int, labels: bool, block: list[list[float]]
    ) -> str | None:
        """Take one row; returns what is wrong with it."""
        if len(row) != width:
            return f"has {len(row)} cells, expected {width}"
        try:
            values = [float(cell) if cell.strip() else np.nan for cell in row[n_index:]]
        except ValueError:
            return "holds a cell that is no number"
        if not labels:
            frame = _frame(row[0])
            if frame is None:
                return f"has the frame number '{row[0]}'"
            self.frames.append(frame)
        block.append(values)
        self.n_rows += 1
        return None

    def _end(self) -> None:
        """A line without its end may be a line without its last digits."""
        with open(self.path, "rb") as f:
            f.seek(-1, 2)
            if f.read(1) in (b"\n", b"\r"):
                return
        self._lose(f"row {self.n_rows - 1} has no end of line, so its last number may be cut off")
        self.n_rows = max(self.n_rows - 1, 0)

    def _lose(self, problem: str) -> None:
        if not self.salvage:
            raise DamagedInput(f"'{self.path.name}': {problem}", hint=SALVAGE)
        self.losses.append(f"'{self.path.name}': {problem}; the rows before it were kept")


def _frame(cell: str) -> int | None:
    """A frame number; whole numbers only, also written as ``12.0``."""
    try:
        number = float(cell)
    except ValueError:
        return None
    return int(number) if number.is_integer() and abs(number) < 2**53 else None
