"""ScanImage's texts: ``SI.a.b = value`` lines, per-frame lines, ``state.a.b=value`` of 3.x.

Values are MATLAB literals; they are read as texts, numbers and lists and never evaluated.
Format facts: the vendor's "ScanImage BigTiff Specification"; the samples.
"""

from __future__ import annotations

import json
import math
import re
import struct
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

#: At byte 16 of a BigTIFF by ScanImage 2016 and later.
MAGIC = 117637889
#: The per-frame lines stand first; version 5 has the settings of 20 kB behind them.
FRAME_BYTES = 2048

_LINE = re.compile(r"^(?:scanimage\.)?SI\d*\.([\w.]+) = ?(.*?)\s*$", re.MULTILINE)
_STATE = re.compile(r"^(state\.[\w.]+)=(.*?)\s*$", re.MULTILINE)
_NUMBER = re.compile(r"[-+]?(?:inf|nan|(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)", re.IGNORECASE)
_FRAME = re.compile(
    r"(?:frameNumbers|Frame Number)\s*=\s*(?P<number>\d+)"
    r"(?:.*?acquisitionNumbers = (?P<acquisition>\d+))?"
    r"(?:.*?frameNumberAcquisition = (?P<within>\d+))?"
    r".*?(?:frameTimestamps_sec|Frame Timestamp\(s\))\s*=\s*(?P<time>[-+.\deE]+)",
    re.DOTALL,
)
_EPOCH = re.compile(r"^epoch = \[([^\]]*)\]", re.MULTILINE)


@dataclass(frozen=True)
class Frame:
    """What a page says of itself: numbers from 1, seconds since the epoch."""

    number: int
    acquisition: int
    within: int
    time: float


def frame_of(description: str) -> Frame | None:
    """The per-frame lines of a page's description; None where there are none."""
    found = _FRAME.search(description[:FRAME_BYTES])
    if found is None:
        return None
    try:
        number = int(found["number"])
        within = int(found["within"] or number)
        time = float(found["time"])
        if max(number, within) >= 1 << 40 or not math.isfinite(time):
            return None
        return Frame(number, int(found["acquisition"] or 1), within, time)
    except ValueError:
        return None


def epoch_of(description: str) -> datetime | None:
    """When the acquisition began, of the computer's clock; no zone is said."""
    found = _EPOCH.search(description)
    values = numbers(found[1]) if found else []
    if len(values) != 6 or not all(math.isfinite(v) for v in values):
        return None
    try:
        year, month, day, hour, minute = (int(v) for v in values[:5])
        whole = datetime(year, month, day, hour, minute)
    except (ValueError, OverflowError):
        return None
    return whole + timedelta(seconds=values[5])


def state_time(text: str) -> datetime | None:
    """A time as ScanImage 3 writes it, month first: ``10/9/2017 16:57:07.967``."""
    found = re.fullmatch(
        r"(\d{1,2})/(\d{1,2})/(\d{4}) (\d{1,2}):(\d{1,2}):(\d{1,2}(?:\.\d*)?)", text
    )
    if found is None:
        return None
    try:
        month, day, year, hour, minute = (int(found[k]) for k in range(1, 6))
        return datetime(year, month, day, hour, minute) + timedelta(seconds=float(found[6]))
    except ValueError:
        return None


def settings(text: str) -> dict[str, str]:
    """The microscope's settings, without the leading ``SI.``; of 3.x with ``state.``.

    5.0 wrote ``scanimage.SI5.``, 4.x ``scanimage.SI4.``: the same words without the number.
    """
    if text.lstrip().startswith("{"):
        return _of_json(text)
    found = dict(_LINE.findall(text))
    if not found:
        found = dict(_STATE.findall(text.replace("\r", "\n")))
    return found


def _of_json(text: str) -> dict[str, str]:
    """Settings written as JSON, with values as MATLAB would write them."""
    try:
        tree = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    found: dict[str, str] = {}

    def walk(value: Any, path: tuple[str, ...]) -> None:
        if isinstance(value, dict) and len(path) < 12:
            for key, below in value.items():
                walk(below, (*path, str(key)))
        elif isinstance(value, str):
            found[".".join(path)] = "'" + value.replace("'", "''") + "'"
        elif isinstance(value, bool):
            found[".".join(path)] = str(value).lower()
        else:  # numbers and lists read alike in both
            found[".".join(path)] = json.dumps(value).replace('"', "'")

    walk(tree.get("SI", {}) if isinstance(tree, dict) else {}, ())
    return found


def block_of(path: Path) -> str:
    """The settings behind the header of a BigTIFF; empty where there are none.

    Of four numbers at byte 16: the magic one, a version, the length of the settings, that of
    the regions; then the settings.
    """
    with open(path, "rb") as f:
        head = f.read(32)
        if len(head) < 32 or struct.unpack_from("<I", head, 16)[0] != MAGIC:
            return ""
        raw = f.read(min(struct.unpack_from("<I", head, 24)[0], 4 << 20))
    return raw.rstrip(b"\0").decode("utf-8", "replace")


def numbers(value: str) -> list[float]:
    """All numbers of a MATLAB literal, in the order written; empty where it holds text."""
    if "'" in value:
        return []
    return [float(n) for n in _NUMBER.findall(value)]


def words(value: str) -> list[str]:
    """The texts of a MATLAB literal: one in quotes, or a cell of them."""
    return [w.replace("''", "'") for w in re.findall(r"'((?:[^']|'')*)'", value)]


class Settings:
    """The settings by name, with several spellings of the same one across versions."""

    def __init__(self, text: str) -> None:
        self.values = settings(text)

    def number(self, *names: str) -> float | None:
        """The first number of the first of `names` that has a finite one."""
        for name in names:
            found = numbers(self.values.get(name, ""))
            if found and math.isfinite(found[0]):
                return found[0]
        return None

    def whole(self, *names: str) -> int | None:
        """As :meth:`number`, where it is an integer."""
        found = self.number(*names)
        return int(found) if found is not None and found == int(found) else None

    def numbers(self, *names: str) -> list[float]:
        """All numbers of the first of `names` that has some."""
        for name in names:
            found = numbers(self.values.get(name, ""))
            if found:
                return found
        return []

    def true(self, *names: str) -> bool:
        """Whether the first of `names` that is there says true (or 1)."""
        for name in names:
            if name in self.values:
                return self.values[name].strip().lower() in ("true", "1")
        return False

    def word(self, *names: str) -> str:
        """The text of the first of `names` that has one; empty where none has."""
        for name in names:
            found = words(self.values.get(name, ""))
            if found and found[0]:
                return found[0]
        return ""

    def words(self, name: str) -> list[str]:
        """The texts of a cell."""
        return words(self.values.get(name, ""))
