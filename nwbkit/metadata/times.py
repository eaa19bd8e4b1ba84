"""Dates and times as people and devices write them, and the zone they were meant in."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo

from nwbkit.errors import DocumentError, MissingFact, UsageError

_OFFSET = re.compile(r"([+-])(\d\d):?(\d\d)?")
_DATE_ONLY = re.compile(r"\d{4}-?\d\d-?\d\d")
#: The zones that people live in lie between -12:00 and +14:00.
_MAX_OFFSET = timedelta(hours=14)


def parse(text: str, *, what: str = "session_start_time", of: str | None = None) -> datetime:
    """The moment that the ISO 8601 text means; naive where it names no zone.

    Parameters
    ----------
    text : str
    what : str
        The field it stands in, for messages.
    of : str, optional
        Whose it is: a session, a file.

    Raises
    ------
    nwbkit.errors.DocumentError
        It is no ISO 8601 date and time.
    """
    subject = _subject(text, what, of)
    text = text.strip()
    if _DATE_ONLY.fullmatch(text):
        raise DocumentError(
            f"{subject} has no time of day", hint=f"write it as {_iso_date(text)}T10:35:10+01:00"
        )
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise DocumentError(
            f"{subject} is not an ISO 8601 date and time",
            hint="write it as 2020-11-03T10:35:10+01:00",
        ) from None


def parse_date(text: str, *, what: str = "date_of_birth") -> date:
    """The day that an ISO 8601 date, or date and time, means."""
    try:
        return datetime.fromisoformat(text.strip()).date()
    except ValueError:
        raise DocumentError(
            f"{what} '{text}' is not an ISO 8601 date", hint="write it as 2020-11-03"
        ) from None


def localise(
    text: str,
    timezone_name: str | None = None,
    *,
    what: str = "session_start_time",
    of: str | None = None,
) -> datetime:
    """The moment that `text` means, with its offset from UTC.

    Parameters
    ----------
    text : str
        ISO 8601. A zone in it wins over `timezone_name`.
    timezone_name : str, optional
        ``Europe/Berlin`` or ``+02:00``, for a text that names none.
    what, of : str
        For messages.

    Returns
    -------
    datetime
        Aware, with a fixed offset.

    Raises
    ------
    nwbkit.errors.MissingFact
        It names no zone and none was given; or the clock change makes it ambiguous or
        impossible in the zone given.
    nwbkit.errors.DocumentError
        It is no date and time.
    nwbkit.errors.UsageError
        There is no such zone.
    """
    zone = zone_of(timezone_name) if timezone_name else None
    moment = parse(text, what=what, of=of)
    if moment.tzinfo is not None:
        return moment
    subject = _subject(text, what, of)
    if zone is None:
        raise MissingFact(f"{subject} has no time zone", hint="--timezone Europe/Berlin")
    _refuse_clock_change(moment, zone, subject, str(timezone_name))
    return moment.replace(tzinfo=timezone(moment.replace(tzinfo=zone).utcoffset() or timedelta(0)))


def _refuse_clock_change(moment: datetime, zone: tzinfo, subject: str, name: str) -> None:
    early, late = (moment.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    offsets = [_offset_text(each) for each in (early, late)]
    if offsets[0] != offsets[1]:
        # clocks going back repeat an hour (both readings exist), going forward they skip one
        exists = early.astimezone(UTC).astimezone(zone).replace(tzinfo=None) == moment
        problem = "comes twice" if exists else "does not exist"
        raise MissingFact(
            f"{subject} {problem} in '{name}': the clocks change",
            hint=f"say which: --timezone {offsets[0]} or --timezone {offsets[1]}",
        )


def zone_of(name: str) -> tzinfo:
    """The time zone called `name`: an IANA name, ``UTC``, ``Z`` or an offset ``+02:00``.

    Raises
    ------
    nwbkit.errors.UsageError
        With the name that was probably meant.
    """
    if name.upper() in ("Z", "UTC"):
        return UTC
    if match := _OFFSET.fullmatch(name):
        sign = -1 if match[1] == "-" else 1
        offset = timedelta(hours=int(match[2]), minutes=int(match[3] or 0))
        if int(match[3] or 0) > 59 or offset > _MAX_OFFSET:
            raise UsageError(f"there is no time zone '{name}'", hint="for example +02:00")
        return timezone(sign * offset)
    return _iana_zone(name)


def _iana_zone(name: str) -> tzinfo:
    import zoneinfo

    from nwbkit.documents.problems import did_you_mean

    names = zoneinfo.available_timezones()
    if name not in names:
        # people know the city: Berlin
        near = did_you_mean(name, names) or did_you_mean(
            name, {n.rpartition("/")[2] for n in names}
        )
        full = min((n for n in names if n == near or n.endswith(f"/{near}")), default=None)
        hint = f"did you mean '{full}'?" if full else "for example Europe/Berlin or +02:00"
        raise UsageError(f"there is no time zone '{name}'", hint=hint)
    return zoneinfo.ZoneInfo(name)


def _offset_text(moment: datetime) -> str:
    return moment.isoformat()[-6:]


def _iso_date(text: str) -> str:
    digits = text.replace("-", "")
    return f"{digits[:4]}-{digits[4:6]}-{digits[6:]}"


def _subject(text: str, what: str, of: str | None) -> str:
    return f"{what} '{text}'" + (f" of '{of}'" if of else "")
