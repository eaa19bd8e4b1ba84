"""Frame times that a camera's program wrote beside a video, one line a frame.

No program sets the rule here: files of one column or several, with a header or without, in
seconds or milliseconds. What a column is is taken from its header, else from the numbers held
against the video; where neither tells, the user is asked.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nwbkit.errors import DamagedInput, MissingFact, UsageError

AnyArray = npt.NDArray[Any]
#: Larger ones are no list of frames: a day at 500 Hz is 0.9 GB.
MAX_BYTES = 2 << 30
#: Units of time, as parts of a second.
UNITS = {"s": 1, "ms": 1000, "us": 1_000_000, "ns": 1_000_000_000}
_WORDS = {
    "ms": r"ms|msec|millis|milliseconds?",
    "us": r"us|µs|μs|usec|micros|microseconds?",
    "ns": r"ns|nsec|nanoseconds?",
    "s": r"s|sec|secs|seconds?",
}
_TIME = re.compile(r"time|stamp|^ts$|^t$", re.I)
_ISO = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d(?:\.\d+)?)(Z|[+-]\d\d:?\d\d)?$")
#: Seconds since 1970 lie between these: 2001 to 2096.
_EPOCH = (1e9, 4e9)


@dataclass(frozen=True)
class FrameTimes:
    """Times of a video's frames.

    Parameters
    ----------
    path : Path
    seconds : numpy.ndarray of float64, shape (rows,)
        On the file's clock, or from the first row on where that is absolute.
    column : int
    n_header : int
        Lines before the first row.
    delimiter : str
    unit : str
        One of :data:`UNITS`; ``iso`` for dates.
    zero : float
        What was taken off, in seconds.
    first : str, optional
        The first row as date and time, where times are absolute.
    notes : tuple of str
    """

    path: Path
    seconds: AnyArray
    column: int
    n_header: int
    delimiter: str
    unit: str
    zero: float = 0.0
    first: str | None = None
    notes: tuple[str, ...] = ()


def read(
    path: Path,
    source: str,
    *,
    unit: str | None = None,
    column: str | None = None,
    rate: float | None = None,
) -> FrameTimes:
    """Read the frame times in `path`.

    Parameters
    ----------
    path : Path
    source : str
        Id of the source, for hints.
    unit : str, optional
        One of :data:`UNITS`.
    column : str, optional
        Name or number (from 0) of the column with the times.
    rate : float, optional
        What the video's container says, in Hz.

    Raises
    ------
    nwbkit.errors.MissingFact
        Where column or unit cannot be told.
    nwbkit.errors.DamagedInput
        For rows of another width, cells that are no number, times that go back.
    """
    delimiter, header, rows, n_header = _rows(path)
    place = _column(path, header, rows, column, source)
    cells = [row[place].strip() for row in rows]
    notes: list[str] = []
    if _ISO.match(cells[0]):
        seconds, first = _dates(path, cells)
        _ascending(path, seconds)
        return FrameTimes(path, seconds, place, n_header, delimiter, "iso", 0.0, first)
    values = _numbers(path, cells, n_header)
    _ascending(path, values)
    name = header[place] if header else ""
    unit = unit or _named(name) or _fitting(values, rate, path, notes)
    if unit is None:
        raise MissingFact(
            f"'{path.name}' does not say in which unit its times are",
            hint=f"--set {source}.timestamps_unit=ms, or s, us, ns",
        )
    seconds = values / UNITS[unit]
    first_s = float(seconds[0])
    if _EPOCH[0] < first_s < _EPOCH[1]:
        said = str(np.datetime64(round(first_s * 1e6), "us")) + "Z"
        notes.append(f"times in '{path.name}' count from 1970; zero is the first frame, {said}")
        whole = int(values[0]) if float(values[0]).is_integer() else float(values[0])
        seconds = (values - whole) / UNITS[unit]
        return FrameTimes(
            path, seconds, place, n_header, delimiter, unit, float(whole), said, tuple(notes)
        )
    return FrameTimes(path, seconds, place, n_header, delimiter, unit, notes=tuple(notes))


def again(times: FrameTimes) -> AnyArray | None:
    """The same times by numpy's own parser; None where they are dates."""
    if times.unit == "iso":
        return None
    values = np.loadtxt(
        times.path,
        delimiter=times.delimiter if times.delimiter.strip() else None,
        skiprows=times.n_header,
        usecols=times.column,
        encoding="utf-8-sig",
        ndmin=1,
    )
    return np.asarray((values - times.zero) / UNITS[times.unit])


def _rows(path: Path) -> tuple[str, list[str], list[list[str]], int]:
    """``(delimiter, header or [], rows, lines before them)``."""
    if path.stat().st_size > MAX_BYTES:
        raise DamagedInput(f"'{path.name}' is larger than {MAX_BYTES} bytes: no list of frames")
    try:
        with open(path, encoding="utf-8-sig", newline="") as f:
            sample = f.read(4096)
            f.seek(0)
            delimiter = next((d for d in (",", ";", "\t", " ") if d in sample.strip()), ",")
            if delimiter == " " and _ISO.match(sample.split("\n")[0].strip()):
                delimiter = ","
            lines = [r for r in csv.reader(f, delimiter=delimiter, skipinitialspace=True) if r]
    except (UnicodeDecodeError, csv.Error):
        raise DamagedInput(f"'{path.name}' is no text in UTF-8") from None
    if not lines:
        raise DamagedInput(f"'{path.name}' is empty")
    header = [] if any(_is_time(c) for c in lines[0]) else [c.strip() for c in lines[0]]
    rows = lines[1:] if header else lines
    width = len(rows[0]) if rows else 0
    for number, row in enumerate(rows):
        if len(row) != width:
            raise DamagedInput(
                f"'{path.name}': row {number} has {len(row)} cells, expected {width}"
            )
    if not rows:
        raise DamagedInput(f"'{path.name}' holds no row")
    return delimiter, header, rows, 1 if header else 0


def _is_time(cell: str) -> bool:
    cell = cell.strip()
    if _ISO.match(cell):
        return True
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _column(
    path: Path, header: list[str], rows: list[list[str]], asked: str | None, source: str
) -> int:
    """Which column holds the times."""
    width = len(rows[0])
    if asked is not None:
        if asked in header:
            return header.index(asked)
        if asked.isdecimal() and int(asked) < width:
            return int(asked)
        known = ", ".join(header) if header else f"0 to {width - 1}"
        raise UsageError(f"'{path.name}' has no column '{asked}'", hint=f"its columns: {known}")
    numeric = [i for i in range(width) if _is_time(rows[0][i])]
    named = [i for i in numeric if i < len(header) and _TIME.search(header[i])]
    if len(named) == 1:
        return named[0]
    candidates = named or [i for i in numeric if not _counts(rows, i)] or numeric
    if len(candidates) == 1:
        return candidates[0]
    shown = ", ".join(header[i] if i < len(header) else str(i) for i in candidates) or "none"
    raise MissingFact(
        f"'{path.name}' has {len(candidates)} columns that may hold the frames' times: {shown}",
        hint=f"--set {source}.timestamps_column=NAME, or its number from 0; "
        f"--set {source}.timestamps=none ignores the file",
    )


def _counts(rows: list[list[str]], at: int) -> bool:
    """Whether a column numbers the rows."""
    try:
        values = np.array([float(row[at]) for row in rows])
    except ValueError:
        return False
    return len(values) > 1 and bool((np.diff(values) == 1).all())


def _numbers(path: Path, cells: list[str], n_header: int) -> AnyArray:
    try:
        values = np.array(cells, dtype=np.float64)
    except ValueError:
        wrong = next(i for i, c in enumerate(cells) if not _is_time(c) or _ISO.match(c))
        raise DamagedInput(
            f"'{path.name}': row {wrong} holds '{cells[wrong][:20]}', no number"
        ) from None
    if not np.isfinite(values).all():
        k = int(np.flatnonzero(~np.isfinite(values))[0])
        raise DamagedInput(f"'{path.name}': row {k} holds {values[k]}, no time")
    return values


def _dates(path: Path, cells: list[str]) -> tuple[AnyArray, str]:
    """Seconds since the first of some dates, and that one."""
    found = [_ISO.match(c) for c in cells]
    wrong = [i for i, m in enumerate(found) if m is None]
    if wrong:
        raise DamagedInput(f"'{path.name}': row {wrong[0]} holds '{cells[wrong[0]][:30]}', no date")
    zones = {m[3] or "" for m in found if m}
    if len(zones) > 1:
        raise DamagedInput(f"'{path.name}' mixes the zones {', '.join(sorted(zones))}")
    stamps = np.array([f"{m[1]}T{m[2]}" for m in found if m], "datetime64[ns]")
    return (stamps - stamps[0]).astype(np.int64) / 1e9, cells[0]


def _ascending(path: Path, values: AnyArray) -> None:
    back = np.flatnonzero(np.diff(values) < 0)
    if back.size:
        k = int(back[0])
        raise DamagedInput(
            f"'{path.name}': time {values[k + 1]!r} in row {k + 1} follows {values[k]!r}",
            hint="the camera's clock was set back; --set SOURCE.timestamps=none ignores the file",
        )


def _named(header: str) -> str | None:
    """The unit that a column's header names."""
    for unit, words in _WORDS.items():
        if re.search(rf"(?:^|[\s_(\[.-])(?:{words})[\s)\].]*$", header, re.I):
            return unit
    return None


def _fitting(values: AnyArray, rate: float | None, path: Path, notes: list[str]) -> str | None:
    """The only unit in which frames are about as far apart as the video says."""
    if rate is None or len(values) < 2:
        return None
    step = float(np.median(np.diff(values)))
    fits = [u for u, per in UNITS.items() if 0.5 <= step / per * rate <= 2.0]
    if len(fits) != 1:
        return None
    notes.append(
        f"times in '{path.name}' are taken as {fits[0]}: steps of {step:g} fit {rate:.6g} frames "
        "per second"
    )
    return fits[0]


def gaps(seconds: AnyArray) -> list[str]:
    """What the steps between frame times tell."""
    steps = np.diff(seconds)
    if not len(steps):
        return []
    usual = float(np.median(steps))
    long, same = np.flatnonzero(steps > 1.5 * usual), int((steps == 0).sum())
    found = [f"{same} frames have the time of the frame before"] if same else []
    if usual > 0 and long.size:
        k = int(long[0])
        found.append(
            f"{long.size} steps are longer than one and a half frames, the first one behind frame "
            f"{k}: {steps[k]:.6g} s where {usual:.6g} s is usual; frames may be missing there"
        )
    return found
