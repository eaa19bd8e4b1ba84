"""Cells with dates, and with hours, minutes and seconds: as seconds since a moment, or of a span.

Only what is written year first is read as a date: ``01/05/2024`` is January to some, May to
others. Fractions are kept whole, however many digits a program writes.
"""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from nwbkit.errors import MissingFact, UsageError
from nwbkit.formats.tables.csv.cells import NotNumber, is_missing, is_wall_clock
from nwbkit.streams.kinds import AnyArray

_DATE = re.compile(
    r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})[T ]+(\d{1,2}):(\d\d)(?::(\d\d)(?:[.,](\d+))?)?"
    r"\s*(Z|[+-]\d\d:?\d\d)?",
    re.IGNORECASE,
)
_SPAN = re.compile(r"(?:(\d+):)?(\d+):(\d\d)(?:[.,](\d+))?")


@dataclass(frozen=True)
class Zero:
    """The moment from which dates are counted.

    Parameters
    ----------
    moment : datetime
        With a zone or without.
    zone : ZoneInfo, optional
        Of dates that state none.
    """

    moment: datetime.datetime
    zone: ZoneInfo | None = None


def zero_of(source_id: str, options: Mapping[str, Any]) -> Zero | None:
    """What the options ``zero`` and ``timezone`` say; None without the first.

    Raises
    ------
    nwbkit.errors.UsageError
        Where they are no moment, or no zone.
    """
    said, name = options.get("zero"), options.get("timezone")
    zone = None
    if name is not None:
        try:
            zone = ZoneInfo(str(name))
        except (ValueError, LookupError, OSError):
            raise UsageError(
                f"--set {source_id}.timezone takes a zone like Europe/Berlin, not '{name}'"
            ) from None
    if said is None:
        return None
    try:
        moment = datetime.datetime.fromisoformat(str(said))
    except ValueError:
        raise UsageError(
            f"--set {source_id}.zero takes a moment like 2024-05-01T10:00:00+02:00, not '{said}'"
        ) from None
    if moment.tzinfo is None and zone is not None:
        moment = moment.replace(tzinfo=zone)
    return Zero(moment, zone)


def refuse(where: str, column: str, source_id: str, cell: Any) -> MissingFact:
    """The refusal of a column of dates or times of day that nothing relates to the session."""
    said = f"{where}: column '{column}' holds "
    if isinstance(cell, str) and _SPAN.fullmatch(cell.strip()):
        return MissingFact(
            f"{said}'{cell.strip()[:30]}': a time of day, or hours, minutes and seconds since "
            "the start",
            hint=f"--set {source_id}.unit=hms where they count from the start; else give seconds",
        )
    return MissingFact(
        f"{said}dates or times of day ('{str(cell)[:30]}'), which nothing relates to the "
        "session's start",
        hint=f"--set {source_id}.zero=2024-05-01T10:00:00+02:00 (the session's start; and "
        f"--set {source_id}.timezone=ZONE for dates without one), or name a column in seconds: "
        f"--set {source_id}.start=COLUMN, or --set {source_id}.time=COLUMN",
    )


def holds_dates(column: Sequence[Any]) -> Any:
    """The first cell that is a date or a time of day; None where there is none."""
    return next((c for c in column if is_wall_clock(c)), None)


def since(cell: Any, zero: Zero, where: str, source_id: str) -> float:
    """Seconds from `zero` to the date in `cell`; NaN where it is missing.

    Raises
    ------
    NotNumber
        For what is no date, or one that may be read in two ways.
    nwbkit.errors.MissingFact
        Where one of the two has a zone and the other none.
    """
    if is_missing(cell):
        return math.nan
    moment, fraction = _moment(cell)
    if moment.tzinfo is None and zero.zone is not None:
        moment = moment.replace(tzinfo=zero.zone)
    if (moment.tzinfo is None) is not (zero.moment.tzinfo is None):
        lacks = "dates" if moment.tzinfo is None else "zero"
        raise MissingFact(
            f"{where}: the {lacks} say no time zone ('{str(cell)[:40]}' against "
            f"'{zero.moment.isoformat()}')",
            hint=f"--set {source_id}.timezone=ZONE (Europe/Berlin)",
        )
    apart = _utc(moment) - _utc(zero.moment)
    micros = (apart.days * 86400 + apart.seconds) * 10**6 + apart.microseconds
    return float(Fraction(micros, 10**6) + fraction)


def _utc(moment: datetime.datetime) -> datetime.datetime:
    # moments of one zone object would be subtracted by their faces, summer time or not
    return moment if moment.tzinfo is None else moment.astimezone(datetime.UTC)


def _moment(cell: Any) -> tuple[datetime.datetime, Fraction]:
    """The date in a cell to the second, and the rest of its second."""
    if isinstance(cell, datetime.datetime):
        return cell.replace(microsecond=0), Fraction(cell.microsecond, 10**6)
    match = _DATE.fullmatch(cell.strip()) if isinstance(cell, str) else None
    if match is None:
        raise NotNumber(f"'{str(cell)[:40]}' is no date like 2024-05-01 10:00:00")
    *parts, fraction, offset = match.groups()
    try:
        moment = datetime.datetime(*(int(p or 0) for p in parts))  # type: ignore[arg-type]
        if offset:
            sign = -1 if offset[0] == "-" else 1
            digits = re.sub(r"\D", "", offset) or "0000"
            minutes = sign * (int(digits[:2]) * 60 + int(digits[2:]))
            zone = datetime.timezone(datetime.timedelta(minutes=minutes))
            moment = moment.replace(tzinfo=zone)
    except ValueError:
        raise NotNumber(f"'{cell.strip()[:40]}' is no date that there is") from None
    return moment, _fraction(fraction)


def _fraction(digits: str | None) -> Fraction:
    return Fraction(int(digits), 10 ** len(digits)) if digits else Fraction(0)


def elapsed(cell: Any) -> float:
    """Seconds of ``1:02:03.5`` or ``02:03.5``; NaN where it is missing.

    Raises
    ------
    NotNumber
        For anything else.
    """
    if is_missing(cell):
        return math.nan
    if isinstance(cell, datetime.timedelta):
        return cell / datetime.timedelta(seconds=1)
    if isinstance(cell, datetime.time):
        cell = cell.isoformat()
    match = _SPAN.fullmatch(cell.strip()) if isinstance(cell, str) else None
    if match is None:
        raise NotNumber(f"'{str(cell)[:40]}' is no span like 1:02:03.5")
    hours, minutes, seconds, fraction = match.groups()
    if int(seconds) > 59 or (hours is not None and int(minutes) > 59):
        raise NotNumber(f"'{cell.strip()[:40]}' has more than 59 minutes or seconds")
    whole = int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds)
    return float(whole + _fraction(fraction))


class NoWay(Exception):
    """The second reader has no way to read these dates."""


def again(cells: Sequence[Any], unit: str, zero: Zero | None) -> AnyArray:
    """The same by numpy's own dates and by sums, for :mod:`.reread`.

    Raises
    ------
    NoWay
    """
    texts = [str("" if c is None else c).strip() for c in cells]
    if unit == "hms":
        return np.array([_sum(t) for t in texts], np.float64)
    if zero is None or zero.zone is not None:
        raise NoWay
    start = np.datetime64(zero.moment.replace(tzinfo=None), "ns")
    offset = zero.moment.utcoffset()
    if offset is not None:
        start -= np.timedelta64(round(offset.total_seconds()), "s")
    apart = [None if is_missing(t) else int((_numpy(t) - start).astype(np.int64)) for t in texts]
    return np.array([math.nan if n is None else n / 10**9 for n in apart], np.float64)


def _numpy(text: str) -> np.datetime64:
    match = re.fullmatch(
        r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?)(?:Z|([+-]\d\d):?(\d\d))?", text
    )
    if match is None:
        raise NoWay
    day, time, hours, minutes = match.groups()
    moment = np.datetime64(f"{day}T{time}", "ns")
    if hours:
        shift = abs(int(hours)) * 60 + int(minutes)
        moment -= np.timedelta64(-shift if hours[0] == "-" else shift, "m")
    return moment


def _sum(text: str) -> float:
    if is_missing(text):
        return math.nan
    whole, _, digits = text.replace(",", ".").partition(".")
    total = sum(int(p) * 60**k for k, p in enumerate(reversed(whole.split(":"))))
    return float(int(f"{total}{digits}") / 10 ** len(digits))
