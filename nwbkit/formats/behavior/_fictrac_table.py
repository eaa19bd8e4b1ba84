"""FicTrac's text table: 23 to 25 numbers a line, without a header.

Columns as in FicTrac's ``doc/data_header.txt``; columns 24 (since the last frame, ms) and 25
(time of day at which the frame was taken from its source, ms) came with version 2.1.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nwbkit.errors import DamagedInput
from nwbkit.streams import Array

AnyArray = npt.NDArray[Any]
WIDTHS = (23, 24, 25)
#: Rows whose place in the file is remembered.
STEP = 1024
_BLOCK = 4 << 20
COUNTER, TIMESTAMP, SEQUENCE = 0, 21, 22


@dataclass
class Index:
    """Where the rows lie, and the columns that tell when they were taken.

    Parameters
    ----------
    width : int
        Numbers a row.
    n_rows : int
    offsets : list of int
        Byte at which every :data:`STEP`-th row begins, and the end of the last row.
    counter, timestamp, sequence : numpy.ndarray of float64, shape (rows,)
        Columns 1, 22 and 23.
    """

    width: int
    n_rows: int
    offsets: list[int]
    counter: AnyArray
    timestamp: AnyArray
    sequence: AnyArray


def scan(path: Path, losses: list[str], *, salvage: bool) -> Index:
    """Read the table at `path` once, and hold every line against the first one.

    Raises
    ------
    nwbkit.errors.DamagedInput
        For a line of another width, a cell that is no number, or a last line that is cut
        off; with `salvage` the rows before are kept.
    """
    width, n_rows, offsets = 0, 0, [0]
    parts: list[AnyArray] = []
    problem = None
    for start, text in _blocks(path):
        lines = text.split(b"\n")
        whole = lines[:-1]
        if lines[-1].strip():
            problem = f"row {n_rows + len(whole)} is cut off"
        if whole and not width:
            width = whole[0].count(b",") + 1
            if width not in WIDTHS:
                raise DamagedInput(f"'{path.name}' has {width} columns, FicTrac's have 23 to 25")
        rows = parse(b"\n".join(whole), len(whole), width)
        if rows is None:
            good, why = _good(whole, width)
            problem, whole = f"row {n_rows + good} {why}", whole[:good]
            rows = parse(b"\n".join(whole), good, width)
            assert rows is not None
        at = start
        for number, line in enumerate(whole, n_rows):
            if number % STEP == 0 and number:
                offsets.append(at)
            at += len(line) + 1
        parts.append(rows[:, [COUNTER, TIMESTAMP, SEQUENCE]])
        n_rows += len(whole)
        end = at
        if problem:
            break
    if problem:
        if not salvage or not n_rows:
            raise DamagedInput(f"'{path.name}': {problem}", hint="--salvage keeps what is before")
        losses.append(f"'{path.name}': {problem}; the {n_rows} rows before it were kept")
    if not n_rows:
        raise DamagedInput(f"'{path.name}' is empty")
    offsets.append(end)
    columns = np.concatenate(parts)
    return Index(width, n_rows, offsets, columns[:, 0], columns[:, 1], columns[:, 2])


def _blocks(path: Path) -> Iterator[tuple[int, bytes]]:
    """``(first byte, text)`` in stretches that end with a line; the last as it is."""
    start, rest = 0, b""
    with open(path, "rb") as f:
        while block := f.read(_BLOCK):
            text = rest + block
            cut = text.rfind(b"\n") + 1
            if cut:
                yield start, text[:cut]
            start, rest = start + cut, text[cut:]
            if len(rest) > _BLOCK:
                raise DamagedInput(f"'{path.name}' has a line of more than {_BLOCK} bytes")
    if rest:
        yield start, rest


def parse(text: bytes, n_rows: int, width: int) -> AnyArray | None:
    """The numbers in `text`, shape (rows, width); None where they are not as many."""
    if not n_rows:
        return np.empty((0, max(width, 1)))
    lines = text.replace(b"\r", b"").split(b"\n")
    if any(line.count(b",") + 1 != width for line in lines):
        return None
    try:
        flat = np.array(b",".join(lines).split(b","), dtype=np.float64)
    except ValueError:
        return None
    return flat.reshape(n_rows, width)


def _good(lines: list[bytes], width: int) -> tuple[int, str]:
    """How many lines before the first bad one, and what is wrong with that."""
    for number, line in enumerate(lines):
        found = line.count(b",") + 1
        if found != width:
            return number, f"has {found} columns, expected {width}"
        if parse(line, 1, width) is None:
            return number, "holds a cell that is no number"
    return len(lines), "cannot be read"


@dataclass(kw_only=True)
class Rows(Array):
    """All columns of the table, as float64."""

    path: Path
    index: Index

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._last: tuple[int, int, AnyArray] | None = None

    def read(self, start: int, stop: int, out: AnyArray | None = None) -> AnyArray:
        """Rows ``start..stop``."""
        rows = self._rows(start, stop)
        if out is None:
            return rows
        np.copyto(out, rows)
        return out

    def _rows(self, start: int, stop: int) -> AnyArray:
        index = self.index
        if stop <= start:
            return np.empty((0, index.width))
        low, high = start // STEP, -(-stop // STEP)
        begin, end = index.offsets[low], index.offsets[min(high, len(index.offsets) - 1)]
        with self._lock:
            last = self._last
        if last is None or (last[0], last[1]) != (begin, end):
            descriptor = os.open(self.path, os.O_RDONLY)
            try:
                text = os.pread(descriptor, end - begin, begin)
            finally:
                os.close(descriptor)
            n = min(high * STEP, index.n_rows) - low * STEP
            rows = parse(text.rstrip(b"\r\n"), n, index.width) if len(text) == end - begin else None
            if rows is None:
                raise DamagedInput(f"'{self.path.name}' has changed since it was opened")
            last = (begin, end, rows)
            with self._lock:  # streams cut from the same rows ask for them one after the other
                self._last = last
        part: AnyArray = last[2][start - low * STEP : stop - low * STEP]
        return np.ascontiguousarray(part)


@dataclass(kw_only=True)
class Columns(Array):
    """Some columns of the table; a single one has no second axis."""

    def read(self, start: int, stop: int, out: AnyArray | None = None) -> AnyArray:
        """Rows ``start..stop``."""
        assert self.parent is not None and self.columns is not None
        part = self.parent.read(start, stop)[:, self.columns]
        part = np.ascontiguousarray(part.reshape(stop - start, *self.shape[1:]))
        if out is None:
            return part
        np.copyto(out, part)
        return out
