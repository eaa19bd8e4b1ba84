"""The text files of a recording: frame times, head orientation, notes, settings.

As Miniscope-DAQ-QT-Software's ``DataSaver`` writes them; times are milliseconds since the
recording began. The older program's ``timestamp.dat`` numbers cameras and has a time a frame.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nwbkit.errors import DamagedInput

#: Larger ones are no list of frames: a week at 60 Hz is 1 GB.
_MAX_BYTES = 2 << 30
Rows = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Listed:
    """Rows of numbers.

    Parameters
    ----------
    path : Path
    names : tuple of str
        Of the columns; empty without a header.
    rows : numpy.ndarray of float64, shape (rows, columns)
    cut : str
        What is wrong with the last line; empty where nothing is.
    """

    path: Path
    names: tuple[str, ...]
    rows: Rows
    cut: str = ""

    def column(self, word: str, default: int) -> Rows:
        """The column whose name begins with `word`, else that at `default`."""
        for k, name in enumerate(self.names):
            if name.lower().startswith(word):
                return self.rows[:, k]
        return self.rows[:, default]


def label(path: Path) -> str:
    """A file as messages name it: with its folder, since devices' files are called alike."""
    return f"{path.parent.name}/{path.name}"


def numbers(path: Path, width: int, delimiter: str | None = ",") -> Listed:
    """A text of `width` columns of numbers, with or without a header.

    Raises
    ------
    nwbkit.errors.DamagedInput
        For a line that is none, but for the last one: that is told in :attr:`Listed.cut`.
    """
    lines = _lines(path)
    names: tuple[str, ...] = ()
    if lines and re.search(r"[A-Za-z]{2}", lines[0]) and not _row(lines[0], delimiter):
        names = tuple(c.strip() for c in lines[0].split(delimiter))
        lines = lines[1:]
    rows, cut = [], ""
    for k, line in enumerate(lines):
        row = _row(line, delimiter)
        if row is None or len(row) < width:
            if k < len(lines) - 1:
                raise DamagedInput(
                    f"'{label(path)}': row {k + 1} is '{line[:40]}', expected {width} numbers"
                )
            cut = f"its last row is '{line[:40]}', expected {width} numbers"
            break
        rows.append(row[:width])
    return Listed(path, names, np.array(rows, np.float64).reshape(len(rows), width), cut)


def _row(line: str, delimiter: str | None) -> list[float] | None:
    try:
        values = [float(c) for c in line.rstrip(", \t").split(delimiter)]
    except ValueError:
        return None
    return values if np.isfinite(values).all() else None


def _lines(path: Path) -> list[str]:
    if path.stat().st_size > _MAX_BYTES:
        raise DamagedInput(f"'{label(path)}' is larger than {_MAX_BYTES} bytes")
    text = path.read_bytes().decode("utf-8-sig", "replace")
    return [line for line in text.splitlines() if line.strip()]


def notes(path: Path) -> tuple[Rows, list[str]]:
    """Times (s) and texts of the notes that were taken while recording."""
    times: list[float] = []
    texts: list[str] = []
    for line in _lines(path):
        when, comma, text = line.partition(",")
        try:
            times.append(float(when) / 1000)
        except ValueError:
            if not texts:
                continue  # a header
            texts[-1] += f" {line.strip()}"  # a note of several lines
            continue
        texts.append(text.strip() if comma else "")
    return np.array(times, np.float64), texts


def settings(path: Path) -> dict[str, Any]:
    """A metaData.json.

    Raises
    ------
    nwbkit.errors.DamagedInput
        Where it is no JSON object.
    """
    try:
        if path.stat().st_size > 4 << 20:
            raise ValueError("larger than 4 MiB")
        said = json.loads(path.read_bytes().decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        reason = str(error).splitlines()[0]
        raise DamagedInput(f"'{label(path)}' is no JSON: {reason}") from None
    if not isinstance(said, dict):
        raise DamagedInput(f"'{label(path)}' is no JSON object")
    return said


def start(said: dict[str, Any]) -> datetime | None:
    """When the recording began, by a session's metaData.json; None where it does not say.

    With its zone where the file has the time since 1970 as well: local time less that is it.
    """
    when = said.get("recordingStartTime")
    when = when if isinstance(when, dict) else said
    try:
        year, month, day = (int(when[k]) for k in ("year", "month", "day"))
        hour, minute, second = (int(when[k]) for k in ("hour", "minute", "second"))
        milli = int(when.get("msec") or 0)
        begun = datetime(year, month, day, hour, minute, second, milli * 1000)
    except (KeyError, TypeError, ValueError):
        return None
    since = when.get("msecSinceEpoch")
    if not isinstance(since, int | float) or not 0 < since < 1e14:
        return begun
    universal = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=since)
    away = begun - universal.replace(tzinfo=None)
    # zones are whole quarters of an hour; anything else is a clock that was set
    if abs(away) <= timedelta(hours=14) and away % timedelta(minutes=15) == timedelta():
        return begun.replace(tzinfo=timezone(away))
    return begun


def old_start(folder: Path) -> datetime | None:
    """When a recording of the older program began, by its folders: ``M_D_YYYY/H10_M19_S59``."""
    clock = re.fullmatch(r"H(\d+)_M(\d+)_S(\d+)", folder.name)
    day = re.fullmatch(r"(\d{1,2})_(\d{1,2})_(\d{4})", folder.parent.name)
    if clock is None or day is None:
        return None
    month, date, year = (int(v) for v in day.groups())
    hour, minute, second = (int(v) for v in clock.groups())
    try:
        return datetime(year, month, date, hour, minute, second)
    except ValueError:
        return None


def old_settings(path: Path) -> tuple[dict[str, str], list[tuple[float, str]]]:
    """``(settings, notes)`` of a settings_and_notes.dat: a line of names, one of values."""
    lines = path.read_bytes()[: 1 << 20].decode("utf-8-sig", "replace").splitlines()
    said: dict[str, str] = {}
    if len(lines) > 1:
        names, values = (line.split("\t") for line in lines[:2])
        pairs = zip(names, values, strict=False)
        said = {n.strip(): v.strip() for n, v in pairs if n.strip() and v.strip()}
    taken: list[tuple[float, str]] = []
    for line in lines[2:]:
        when, tab, text = line.partition("\t")
        if tab and re.fullmatch(r"\s*\d+(?:\.\d+)?\s*", when) and text.strip():
            taken.append((float(when) / 1000, text.strip()))
    return said, taken


def in_order(paths: Sequence[Path]) -> list[Path]:
    """Movie files by the number in their names."""

    def number(path: Path) -> int:
        found = re.search(r"(\d+)\.avi$", path.name, re.IGNORECASE)
        return int(found[1]) if found else 0

    return sorted(paths, key=number)
