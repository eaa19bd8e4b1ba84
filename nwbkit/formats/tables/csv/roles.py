"""What a column is for, by its name: start, stop, duration, time, and their unit."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

#: Seconds in one of each; samples need a rate.
UNITS: dict[str, float | None] = {
    "s": 1.0,
    "ms": 1e-3,
    "us": 1e-6,
    "ns": 1e-9,
    "min": 60.0,
    "h": 3600.0,
    "hms": 1.0,
    "samples": None,
}
_SPELLED = {
    **{u: u for u in UNITS if u != "hms"},
    **dict.fromkeys(("sec", "secs", "second", "seconds"), "s"),
    **dict.fromkeys(("msec", "msecs", "millisecond", "milliseconds", "millis"), "ms"),
    **dict.fromkeys(("usec", "usecs", "microsecond", "microseconds", "micros"), "us"),
    **dict.fromkeys(("nsec", "nanosecond", "nanoseconds", "nanos"), "ns"),
    **dict.fromkeys(("mins", "minute", "minutes"), "min"),
    **dict.fromkeys(("hr", "hrs", "hour", "hours"), "h"),
    **dict.fromkeys(("sample", "frame", "frames"), "samples"),
}
#: ``frame_start`` counts frames as ``start_frame`` does; a ``frame_time`` is a time.
_COUNTED = ("start", "stop", "onset", "offset", "begin", "end", "number", "index")
_WHAT = "(?:trial|event|epoch|interval|block|bout|stim|stimulus)"
#: Names of a switch's state too: times only where both are there, and no other time is.
_ON = f"(?:t_|{_WHAT}_)?on(?:_time)?"
_OFF = f"(?:t_|{_WHAT}_)?off(?:_time)?"
#: By role, surest first; names are lower case, words joined by ``_``, units taken off.
_NAMES: dict[str, tuple[str, ...]] = {
    "start": (
        "start_time|starttime|start_timestamp",
        "start|t_start|tstart|time_start|begin|begin_time|t_begin",
        "onset|onset_time|t_onset|time_onset",
        f"{_WHAT}_(?:start|onset|begin)(?:_time)?",
        _ON,
    ),
    "stop": (
        "stop_time|stoptime|stop_timestamp|end_time|endtime|end_timestamp",
        "stop|end|t_stop|tstop|t_end|tend|time_stop|time_end",
        "offset|offset_time|t_offset|time_offset",
        f"{_WHAT}_(?:stop|offset|end)(?:_time)?",
        _OFF,
    ),
    "duration": ("duration", "dur", f"{_WHAT}_duration"),
    "time": (
        "timestamp|timestamps|time_stamp|time_stamps",
        "time|times",
        "t",
        f"{_WHAT}_(?:time|timestamp)",
    ),
}


@dataclass(frozen=True)
class Name:
    """A column's name taken apart.

    Parameters
    ----------
    base : str
        Lower case, words joined by ``_``, without the unit.
    unit : str, optional
        A key of :data:`UNITS`; None where the name says none.
    foreign : str, optional
        What stands in brackets where that is no unit known here.
    """

    base: str
    unit: str | None = None
    foreign: str | None = None


def take_apart(name: str) -> Name:
    """``Start Time (ms)`` -> ``start_time`` in ``ms``."""
    text = name.strip().replace("µ", "u").replace("μ", "u")
    bracket = re.fullmatch(r"(.*?)\s*[(\[{]([^)\]}]*)[)\]}]", text)
    if bracket:
        said = bracket[2].strip().lower()
        base = "_".join(_words(bracket[1]))
        unit = _SPELLED.get(said)
        return Name(base, unit, None if unit else said)
    words = _words(text)
    if len(words) == 2 and _SPELLED.get(words[0]) == "samples" and words[1] in _COUNTED:
        return Name(words[1], "samples")
    if len(words) > 1 and words[-1] in _SPELLED:
        return Name("_".join(words[:-1]), _SPELLED[words[-1]])
    return Name("_".join(words))


def _words(text: str) -> list[str]:
    spaced = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", text)
    return [w.lower() for w in re.split(r"[\W_]+", spaced) if w]


class Ambiguous(Exception):
    """Several columns could play one role equally well."""

    def __init__(self, role: str, names: Sequence[str]) -> None:
        super().__init__(role)
        self.role = role
        self.names = tuple(names)


def find(names: Sequence[str], fixed: Mapping[str, str]) -> dict[str, str]:
    """Which column plays which role.

    Parameters
    ----------
    names : sequence of str
        Of all columns.
    fixed : mapping of str to str
        Role to column as the user chose; that role is looked for no further.

    Returns
    -------
    dict of str to str
        ``start``, ``stop``, ``duration``, ``time`` to a column's name, where there is one.

    Raises
    ------
    Ambiguous
        Where the names alone do not decide.
    """
    roles = dict(fixed)
    taken = set(fixed.values())
    for role, patterns in _NAMES.items():
        if role in roles:
            continue
        for pattern in patterns:
            hits = [
                n for n in names if n not in taken and re.fullmatch(pattern, take_apart(n).base)
            ]
            if len(hits) > 1:
                raise Ambiguous(role, hits)
            if hits:
                roles[role] = hits[0]
                break
    _drop_switches(roles, fixed)
    if "stop" in roles and "stop" not in fixed and not _paired(roles):
        del roles["stop"]
    return roles


def _drop_switches(roles: dict[str, str], fixed: Mapping[str, str]) -> None:
    """Leave ``on`` and ``off`` alone where they do not come as a pair of times."""
    for role, other, pattern in (("start", "stop", _ON), ("stop", "start", _OFF)):
        if role in fixed or role not in roles:
            continue
        if re.fullmatch(pattern, take_apart(roles[role]).base) and (
            "time" in roles or other not in roles
        ):
            del roles[role]


def _paired(roles: Mapping[str, str]) -> bool:
    """An ``offset`` is an end only beside an ``onset``; else it may be anything."""
    if "start" not in roles:
        return False
    stop, start = take_apart(roles["stop"]).base, take_apart(roles["start"]).base
    if re.fullmatch(_OFF, stop):
        return bool(re.fullmatch(_ON, start))
    return "offset" not in stop or "onset" in start


def kind_of(roles: Mapping[str, str]) -> str | None:
    """``intervals``, ``events``, or None where no column is a time."""
    if "start" in roles and ("stop" in roles or "duration" in roles):
        return "intervals"
    return "events" if "time" in roles or "start" in roles else None


def looks_like_time(name: str) -> bool:
    """Whether a further column may hold times, by its name."""
    words = take_apart(name).base.split("_")
    last = words[-1] if words else ""
    return last in ("time", "times", "timestamp", "onset", "offset", "start", "stop", "end", "t")
