"""From cells to typed columns: bool, int64, float64, text; and to times in seconds or samples."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from nwbkit.formats.tables.csv.text import COMMA, MISSING, POINT
from nwbkit.streams.kinds import AnyArray

_INTEGER = re.compile(r"[+-]?(?:0|[1-9]\d*)")
#: ``1,234``: one and a quarter, or a thousand and more.
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}")
_BOOLS = {"true": True, "false": False}
_CLOCKS = re.compile(r"\s*(?:\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([ T].*)?|\d{1,2}:\d{2}(:\d{2})?.*)\s*")
_INT64 = np.iinfo(np.int64)
#: Beyond, float64 skips integers.
_EXACT = 2**53


class NotNumber(ValueError):
    """A cell where a number must stand; the message says what is there."""


def decimal_of(rows: Iterable[Sequence[Any]], delimiter: str) -> str | None:
    """``point`` or ``comma``, by what cannot be read the other way; None where undecided.

    ``1,234`` alone proves nothing: it may be thousands.
    """
    if delimiter == ",":
        return "point"
    doubtful = False
    point = False
    for row in rows:
        for cell in row:
            text = cell.strip()
            if "," in text and COMMA.fullmatch(text):
                if not _THOUSANDS.fullmatch(text):
                    return "comma"
                doubtful = True
            elif "." in text and POINT.fullmatch(text):
                point = True
    return None if doubtful and not point else "point"


def _number(text: str, decimal: str) -> str | None:
    """`text` as Python spells the number; None where it is none."""
    text = text.strip()
    if decimal == "comma":
        return text.replace(",", ".") if COMMA.fullmatch(text) else None
    return text if POINT.fullmatch(text) else None


def is_missing(cell: Any) -> bool:
    """Whether a cell is empty, or says in words that it holds nothing."""
    return cell is None or (isinstance(cell, str) and cell.strip().lower() in MISSING)


def typed(cells: Sequence[Any], decimal: str = "point") -> AnyArray:
    """A column in the narrowest of bool, int64, float64 (missing: NaN), text (missing: '').

    Parameters
    ----------
    cells : sequence
        Text, or from a workbook also numbers, bools, dates and None.
    decimal : {"point", "comma"}
    """
    present = [c for c in cells if not is_missing(c)]
    complete = len(present) == len(cells)
    if present and complete:
        bools = [c if isinstance(c, bool) else _bool(c) for c in present]
        if None not in bools:
            return np.array(bools, np.bool_)
    numbers = [_value(c, decimal) for c in cells]
    if present and not any(n is None for n in numbers):
        integers = [n for n in numbers if isinstance(n, int)]
        if len(integers) == len(cells):
            if all(_INT64.min <= n <= _INT64.max for n in integers):
                return np.array(integers, np.int64)
        elif all(abs(n) <= _EXACT for n in integers):
            return np.array([float(n) for n in numbers if n is not None], np.float64)
    if not present and cells:
        return np.full(len(cells), np.nan)
    return np.array(["" if c is None else _spelled(c) for c in cells] or [], dtype=object)


def _bool(cell: Any) -> bool | None:
    return _BOOLS.get(cell.strip().lower()) if isinstance(cell, str) else None


def _value(cell: Any, decimal: str) -> int | float | None:
    """The number a cell holds, NaN where it is missing; None where it is no number."""
    if is_missing(cell):
        return math.nan
    if isinstance(cell, bool):
        return None
    if isinstance(cell, int | float):
        return cell
    if not isinstance(cell, str):
        return None
    if decimal == "point" and _INTEGER.fullmatch(cell.strip()):
        return int(cell) if len(cell.strip()) < 25 else None
    number = _number(cell, decimal)
    if number is None:
        return None
    return int(number) if _INTEGER.fullmatch(number) and len(number) < 25 else float(number)


def _spelled(cell: Any) -> str:
    iso = getattr(cell, "isoformat", None)
    return str(iso()) if iso is not None else str(cell)


def is_wall_clock(cell: Any) -> bool:
    """Whether a cell is a date or a time of day, in text or as Excel keeps it."""
    if isinstance(cell, str):
        return bool(_CLOCKS.fullmatch(cell)) and not POINT.fullmatch(cell.strip())
    return hasattr(cell, "isoformat") or hasattr(cell, "total_seconds")


def time_of(cell: Any, decimal: str) -> float:
    """The number in a time column's cell, in the column's unit; NaN where it is missing.

    Raises
    ------
    NotNumber
        For anything else.
    """
    if is_missing(cell):
        return math.nan
    if isinstance(cell, int | float) and not isinstance(cell, bool):
        value = float(cell)
    elif isinstance(cell, str) and (number := _number(cell, decimal)) is not None:
        value = float(number)
    else:
        raise NotNumber(f"'{str(cell)[:40]}' is no number")
    if not math.isfinite(value):
        raise NotNumber(f"'{str(cell)[:40]}' is no finite number")
    return value


def in_seconds(values: AnyArray, unit: str, rate: float | None) -> AnyArray:
    """Times in `unit` as seconds: divided by a whole number or the rate, so rounded once."""
    if unit == "samples":
        assert rate is not None
        return values / rate
    per_second = {"s": 1.0, "hms": 1.0, "date": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}.get(unit)
    if per_second is not None:
        return values / per_second
    return values * {"min": 60.0, "h": 3600.0}[unit]
