"""The second, independent way to read a table: regular expressions, or the workbook's XML.

It shares with the reader which columns are wanted and which lines were dropped, and nothing
of how text is split and values are made.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nwbkit.formats.tables.csv import clocks
from nwbkit.formats.tables.csv.built import Built
from nwbkit.formats.tables.csv.grid import Grid
from nwbkit.formats.tables.csv.sheets import Workbook
from nwbkit.streams.kinds import AnyArray, Column

_DIVISORS = {"s": 1, "ms": 1000, "us": 1000000, "ns": 1000000000}
_FACTORS = {"min": 60, "h": 3600}
_EMPTY = ("", "nan", "na", "n/a", "null", "none", "-nan", "<na>", "#n/a")


def reread(
    path: Path, grid: Grid, built: Built, columns: Sequence[Column]
) -> dict[str, AnyArray] | None:
    """All rows by column name; None for dates that XML shows as numbers, or in odd spellings."""
    if grid.sheet is None:
        records = _text_records(path, grid)
    else:
        records = _sheet_records(path, grid)
    left_out = grid.apart | built.dropped
    body = [
        [cells[i] if i < len(cells) else None for i in grid.places]
        for line, cells in records
        if line not in left_out
    ]
    if grid.sheet is not None and _has_dates(built, grid):
        return None
    rows: dict[str, AnyArray] = {}
    for column in columns:
        at = grid.header.index(built.sources[column.name])
        try:
            rows[column.name] = _column([row[at] for row in body], column, built, grid, body)
        except clocks.NoWay:
            return None
    return rows


def _has_dates(built: Built, grid: Grid) -> bool:
    return any(hasattr(c, "isoformat") or hasattr(c, "total_seconds") for r in grid.rows for c in r)


def _column(
    cells: Sequence[Any], column: Column, built: Built, grid: Grid, body: Sequence[Sequence[Any]]
) -> AnyArray:
    name = column.name
    if name in ("start_time", "stop_time", "timestamp", "duration") and column.unit:
        values = _time(cells, built.units[built.sources[name]], column, built)
        other = built.durations.get(name)
        if other is not None:
            at = grid.header.index(other)
            more = _time([r[at] for r in body], built.units[other], column, built)
            values = values + more if name == "stop_time" else values - more
        return values
    if column.role == "time_property":
        return _time(cells, built.units[built.sources[name]], column, built)
    kind = built.values[name].dtype.kind
    if kind == "b":
        return np.array([str(c).strip().lower() == "true" for c in cells], np.bool_)
    if kind == "i":
        return np.array([int(str(c).strip()) for c in cells], np.int64)
    if kind == "f":
        return np.array([_float(c, built) for c in cells], np.float64)
    return np.array(["" if c is None else str(c) for c in cells] or [], dtype=object)


def _float(cell: Any, built: Built) -> float:
    text = "" if cell is None else str(cell).strip()
    if text.lower() in _EMPTY:
        return float("nan")
    return float(text.replace(",", ".") if built.decimal == "comma" else text)


def _time(cells: Sequence[Any], unit: str, column: Column, built: Built) -> AnyArray:
    if unit in ("hms", "date"):
        return clocks.again(cells, unit, built.zero)
    values = np.array([_float(c, built) for c in cells], np.float64)
    if column.unit == "samples":
        return values.astype(np.int64)
    if unit == "samples":
        return values / float(built.rate or 0)
    return values / _DIVISORS[unit] if unit in _DIVISORS else values * _FACTORS[unit]


def _text_records(path: Path, grid: Grid) -> Iterator[tuple[int, list[str]]]:
    """``(line the record ends on, cells)``, by one regular expression a cell."""
    encoding = grid.encoding
    text = path.read_bytes().decode(encoding)
    mark = re.escape(grid.delimiter)
    cell = re.compile(rf' *(?:"((?:[^"]|"")*)"|([^{mark}\r\n]*))({mark}|\r\n|\n|\r|\Z)', re.DOTALL)
    at, line, cells = 0, 1, []
    for _ in range(grid.before):
        at, line = re.compile(r"[^\r\n]*(?:\r\n|\n|\r)").match(text, at).end(), line + 1  # type: ignore[union-attr]
    while at < len(text):
        match = cell.match(text, at)
        if match is None:
            raise ValueError(f"'{path.name}' line {line}: cells cannot be told apart")
        quoted, plain, end = match.groups()
        cells.append(quoted.replace('""', '"') if quoted is not None else plain)
        breaks = re.findall(r"\r\n|\n|\r", quoted or "")
        line += len(breaks)
        at = match.end()
        if end != grid.delimiter:
            if any(c.strip() for c in cells):
                yield line, cells
            line, cells = line + 1, []
        elif at == len(text):
            cells.append("")
    if any(c.strip() for c in cells):
        yield line, cells


def _sheet_records(path: Path, grid: Grid) -> Iterator[tuple[int, list[Any]]]:
    """``(row number, cells)`` from the workbook's XML."""
    assert grid.sheet is not None
    with Workbook(path) as book:
        for row in book.rows(grid.sheet):
            width = max(row.cells) + 1
            values = [row.cells[i].value if i in row.cells else None for i in range(width)]
            if any(v is not None and str(v).strip() for v in values):
                yield row.number, values
