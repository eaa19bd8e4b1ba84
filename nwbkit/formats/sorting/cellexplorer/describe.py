"""What ``session`` says: start, people, animal, epochs, where channels lie."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from nwbkit.formats.io.mat import MatFile, items, number, text, texts, vector
from nwbkit.streams import Column, Table
from nwbkit.streams.kinds import AnyArray

_SEX = {"male": "M", "m": "M", "female": "F", "f": "F"}
_EPOCH_TEXTS = ("name", "behavioralParadigm", "environment", "manipulation", "notes")
_SAID = {
    "name": "name of the epoch",
    "behavioralParadigm": "what the animal did",
    "environment": "where the animal was",
    "manipulation": "what was done to the animal",
    "notes": "notes on the epoch",
}


def general_of(session: MatFile) -> dict[str, Any]:
    """Fields of NWBFile; the start is naive, and there only with a time of day."""
    general = session.get("session/general")
    if not isinstance(general, dict):
        return {}
    found: dict[str, Any] = {}
    start = _start(text(general.get("date")), text(general.get("time")))
    if start is not None:
        found["session_start_time"] = start
    name = text(general.get("name")) or text(general.get("baseName"))
    if name:
        found["session_id"] = name
    people = text(general.get("experimenters")) or text(general.get("investigator"))
    if people:
        found["experimenter"] = [p.strip() for p in re.split(r",| and ", people) if p.strip()]
    projects = texts(general.get("projects"))
    if projects and any(p.strip() for p in projects):
        found["experiment_description"] = ", ".join(p.strip() for p in projects if p.strip())
    notes = texts(general.get("notes"))
    if notes and any(n.strip() for n in notes):
        found["notes"] = "\n".join(n.strip() for n in notes if n.strip())
    return found


def _start(date: str | None, time: str | None) -> str | None:
    if date is None or time is None:
        return None
    for form in ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M:%S.%f", "%Y-%m-%d %H:%M"):
        try:
            return datetime.strptime(f"{date} {time}", form).isoformat()
        except ValueError:
            continue
    return None


def subject_of(session: MatFile) -> dict[str, Any]:
    """Fields of Subject, as they are written there."""
    animal = session.get("session/animal")
    if not isinstance(animal, dict):
        return {}
    places = {
        "subject_id": "name",
        "species": "species",
        "strain": "strain",
        "genotype": "geneticLine",
    }
    found = {k: said for k, name in places.items() if (said := text(animal.get(name)))}
    sex = _SEX.get((text(animal.get("sex")) or "").lower())
    return found | ({"sex": sex} if sex else {})


def subject_in_metrics(metrics: MatFile) -> dict[str, Any]:
    """Fields of Subject as ``cell_metrics`` repeats them for every unit, where all agree."""
    places = {"subject_id": "animal", "species": "animal_species", "strain": "animal_strain"}
    places |= {"genotype": "animal_geneticLine", "sex": "animal_sex"}
    found = {}
    for key, name in places.items():
        said = {t.strip() for t in texts(metrics.get(f"cell_metrics/{name}")) or []}
        if len(said) == 1 and (word := said.pop()):
            found[key] = word
    if "sex" in found:
        sex = _SEX.get(found.pop("sex").lower())
        found |= {"sex": sex} if sex else {}
    return found


def rate_of(session: MatFile) -> float | None:
    """Samples per second of the .dat file."""
    return number(session.get("session/extracellular/sr"))


def channels_of(session: MatFile) -> int | None:
    """Number of channels of the .dat file."""
    said = number(session.get("session/extracellular/nChannels"))
    return int(said) if said is not None and said > 0 and said == int(said) else None


@dataclass(frozen=True)
class Site:
    """Where a channel lies; what is not known is None.

    Parameters
    ----------
    x, y : float, optional
        Micrometres.
    region : str, optional
    """

    x: float | None = None
    y: float | None = None
    region: str | None = None


def sites_of(session: MatFile | None, others: Sequence[MatFile]) -> list[Site]:
    """Positions and regions by channel, from 0; empty where no file says any."""
    xy = None
    if session is not None:
        xy = _coordinates(session, "session/extracellular/chanCoords/")
    for other in others:
        xy = xy or _coordinates(other, "chanCoords/") or _coordinates(other, "", "coords")
    regions = _regions(session) if session is not None else {}
    n = max(len(xy[0]) if xy else 0, max(regions, default=-1) + 1)
    found = []
    for k in range(n):
        x, y = (_finite(axis, k) for axis in xy) if xy else (None, None)
        found.append(Site(x, y, regions.get(k)))
    return found


def _finite(values: AnyArray, k: int) -> float | None:
    return float(values[k]) if k < len(values) and np.isfinite(values[k]) else None


def _coordinates(file: MatFile, place: str, suffix: str = "") -> tuple[AnyArray, AnyArray] | None:
    x, y = (vector(file.get(f"{place}{axis}{suffix}")) for axis in "xy")
    if x is None or y is None or len(x) != len(y) or not len(x):
        return None
    return x, y


def _regions(session: MatFile) -> dict[int, str]:
    """``brainRegions.CA1.channels`` counts channels from 1."""
    named: dict[int, list[str]] = {}
    for region in session.fields("session/brainRegions"):
        channels = vector(session.get(f"session/brainRegions/{region}/channels"))
        for channel in [] if channels is None else channels.tolist():
            if channel >= 1 and channel == int(channel):
                named.setdefault(int(channel) - 1, []).append(region)
    return {channel: ", ".join(regions) for channel, regions in named.items()}


# ------------------------------------------------------------------ epochs


@dataclass(kw_only=True)
class Epochs(Table):
    """The epochs of a session, seconds on the clock of the .dat file."""

    values: dict[str, AnyArray]

    def read(self) -> dict[str, AnyArray]:
        """Every column."""
        return dict(self.values)


def epochs_of(session: MatFile, notes: list[str]) -> dict[str, AnyArray] | None:
    """Columns of the epochs; None where there are none that have a start and an end."""
    epochs = [e for e in items(session.get("session/epochs")) if isinstance(e, dict)]
    if not epochs:
        return None
    starts = [number(e.get("startTime")) for e in epochs]
    stops = [number(e.get("stopTime")) for e in epochs]
    times = [(a, b) for a, b in zip(starts, stops, strict=True) if a is not None and b is not None]
    if len(times) < len(epochs) or any(not (0 <= a <= b < np.inf) for a, b in times):
        notes.append(
            "the session's epochs have no start or end, or end before they start: left out"
        )
        return None
    found: dict[str, AnyArray] = {
        "start_time": np.array([a for a, _ in times], np.float64),
        "stop_time": np.array([b for _, b in times], np.float64),
    }
    for name in _EPOCH_TEXTS:
        said = [text(e.get(name)) or "" for e in epochs]
        if any(said):
            found[name] = np.array(said, object)
    return found


def epoch_columns(values: dict[str, AnyArray]) -> tuple[Column, ...]:
    """What the columns are."""
    found = [
        Column("start_time", "start", "seconds", "when the epoch began"),
        Column("stop_time", "stop", "seconds", "when the epoch ended"),
    ]
    return (*found, *(Column(n, "label", "", _SAID[n]) for n in values if n in _SAID))
