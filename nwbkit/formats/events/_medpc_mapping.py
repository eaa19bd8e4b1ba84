"""What a lab's MED-PC program keeps in its arrays: a mapping that only its people can give.

Written in one line (``left_poke=A,port_entry=G/E``: times in G, durations in E), as YAML::

    unit: s                       # of all times and durations; or --set SOURCE.unit=s
    events:
      left_poke: A
      port_entry: {times: G, durations: E, description: entries into the port}
      press: {times: C, columns: {lever: H}}
      trial: {times: T, codes: 3, labels: {990: start}}   # 12.990: time 12, code 990

or as NeuroConv's metadata for MedPCInterface (``medpc_name_to_info_dict`` with ``Events`` and
``IntervalSeries``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nwbkit.errors import DamagedInput, NoInput, UsageError
from nwbkit.formats.io import yaml

#: ``(numerator, denominator)`` of one unit in seconds.
UNITS: dict[str, tuple[float, float]] = {
    "s": (1, 1),
    "seconds": (1, 1),
    "ms": (1, 1000),
    "milliseconds": (1, 1000),
    "min": (60, 1),
    "minutes": (60, 1),
    "h": (3600, 1),
}
_FIELDS = ("times", "durations", "columns", "description", "codes", "labels")


@dataclass(frozen=True)
class Events:
    """One table of events.

    Parameters
    ----------
    name : str
        Of the table in NWB.
    times : str
        The array with the times.
    durations : str, optional
    columns : dict of str to str
        Further columns: the array of each.
    description : str
    codes : int
        So many digits behind the point of a time are a code, not part of the time; 0: none.
    labels : dict of int to str
        Meaning of codes.
    """

    name: str
    times: str
    durations: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    description: str = ""
    codes: int = 0
    labels: Mapping[int, str] = field(default_factory=dict)

    def arrays(self) -> list[str]:
        """Every array that it is made of."""
        return [a for a in (self.times, self.durations, *self.columns.values()) if a]


@dataclass(frozen=True)
class Mapped:
    """A mapping as read: tables of events, the unit where it says one, the file it is in."""

    events: tuple[Events, ...]
    unit: str | None = None
    path: Path | None = None


def read(text: str, folder: Path, where: str) -> Mapped:
    """The mapping that an option says, in one line or by the path of a file.

    Raises
    ------
    nwbkit.errors.UsageError
        Where it is neither.
    nwbkit.errors.NoInput, nwbkit.errors.DamagedInput
        Where the file cannot be read.
    """
    if text.lower().endswith((".yaml", ".yml", ".json")):
        path = next((p for p in (Path(text), folder / text) if p.is_file()), None)
        if path is None:
            raise NoInput(f"cannot open '{text}': no such file")
        data = yaml.load(path)
        if not isinstance(data, dict):
            raise DamagedInput(f"'{path.name}' holds no mapping")
        events, unit = parse(data, path.name)
        return Mapped(events, unit, path.resolve())
    found = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*([^=,/]+?)\s*=\s*([A-Z])\s*(?:/\s*([A-Z]))?\s*", part)
        if match is None:
            raise UsageError(
                f"'{where}' takes name=ARRAY or name=TIMES/DURATIONS with commas between, or a "
                f".yaml file, not '{part.strip()}'"
            )
        found.append(Events(match[1], match[2], match[3]))
    return Mapped(_unique(tuple(found), where))


def parse(data: dict[str, Any], where: str) -> tuple[tuple[Events, ...], str | None]:
    """The mapping in the data of a YAML file, and the unit that it says."""
    inner = data.get("MedPC", data)
    if isinstance(inner, dict) and "medpc_name_to_info_dict" in inner:
        return _unique(_neuroconv(inner, where), where), _text(inner.get("unit"))
    events = data.get("events")
    unknown = sorted(set(data) - {"unit", "events"})
    if not isinstance(events, dict) or unknown:
        said = f"the key '{unknown[0]}'" if unknown else "no mapping 'events'"
        raise DamagedInput(
            f"'{where}' has {said}", hint="write 'unit: s' and 'events: {left_poke: A}'"
        )
    found = tuple(_events(str(name), said, where) for name, said in events.items())
    return _unique(found, where), _text(data.get("unit"))


def _events(name: str, said: Any, where: str) -> Events:
    if isinstance(said, str):
        said = {"times": said}
    if not isinstance(said, dict) or not isinstance(said.get("times"), str):
        raise DamagedInput(f"'{where}': events '{name}' has no 'times: ARRAY'")
    unknown = sorted(set(map(str, said)) - set(_FIELDS))
    if unknown:
        raise DamagedInput(
            f"'{where}': events '{name}' has the unknown key '{unknown[0]}'",
            hint=f"known: {', '.join(_FIELDS)}",
        )
    columns = said.get("columns") or {}
    labels = said.get("labels") or {}
    codes = said.get("codes") or 0
    durations = said.get("durations")
    try:
        return Events(
            name,
            said["times"],
            None if durations is None else str(durations),
            {str(k): str(v) for k, v in columns.items()},
            str(said.get("description") or ""),
            int(codes),
            {int(k): str(v) for k, v in labels.items()},
        )
    except (AttributeError, TypeError, ValueError):
        raise DamagedInput(f"'{where}': events '{name}' cannot be read") from None


def _neuroconv(data: dict[str, Any], where: str) -> tuple[Events, ...]:
    """NeuroConv names arrays first, then refers to those names."""
    info = data["medpc_name_to_info_dict"]
    if not isinstance(info, dict):
        raise DamagedInput(f"'{where}': medpc_name_to_info_dict is no mapping")
    letters = {
        str(said.get("name")): str(letter)
        for letter, said in info.items()
        if isinstance(said, dict) and said.get("is_array", True)
    }

    def letter(name: Any) -> str:
        if str(name) not in letters:
            raise DamagedInput(f"'{where}': no array of medpc_name_to_info_dict is called '{name}'")
        return letters[str(name)]

    found = []
    for said in _dicts(data.get("Events")):
        name = str(said.get("name"))
        found.append(Events(name, letter(name), description=_text(said.get("description")) or ""))
    for said in _dicts(data.get("IntervalSeries")):
        found.append(
            Events(
                str(said.get("name")),
                letter(said.get("onset_name")),
                letter(said["duration_name"]) if said.get("duration_name") else None,
                description=_text(said.get("description")) or "",
            )
        )
    if not found:  # only names: each array of them is one of times
        raise DamagedInput(
            f"'{where}' names arrays, but neither Events nor IntervalSeries say which hold times"
        )
    return tuple(found)


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [v for v in value if isinstance(v, dict)] if isinstance(value, list) else []


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _unique(events: tuple[Events, ...], where: str) -> tuple[Events, ...]:
    names = [e.name for e in events]
    for each in events:
        if names.count(each.name) > 1:
            raise UsageError(f"'{where}' names '{each.name}' twice")
        wrong = [a for a in each.arrays() if not re.fullmatch(r"[A-Z]", a)]
        if wrong:
            raise UsageError(f"'{where}': '{wrong[0]}' is no array of MED-PC: they are A to Z")
    return events


def scale(unit: str, where: str) -> tuple[float, float]:
    """Numerator and denominator of `unit` in seconds; a bare number is seconds itself.

    Raises
    ------
    nwbkit.errors.UsageError
        For an unknown unit.
    """
    if unit in UNITS:
        return UNITS[unit]
    try:
        seconds = float(unit)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 1e6:
        raise UsageError(
            f"'{where}' takes one of {', '.join(UNITS)}, or the seconds of one tick (0.01), "
            f"not '{unit}'"
        )
    return seconds, 1
