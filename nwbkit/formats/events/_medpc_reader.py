"""Opening one session of a MED-PC file: its variables as printed, its named arrays as events."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nwbkit.errors import DamagedInput, MissingFact, UsageError
from nwbkit.formats.base import Reader, Source
from nwbkit.formats.events import _medpc_mapping as mapping
from nwbkit.formats.events import _medpc_reread, _medpc_text
from nwbkit.formats.events._medpc_text import Session
from nwbkit.streams import Clock, Column, Ragged, Table, Timebase

AnyArray = npt.NDArray[Any]


@dataclass(kw_only=True)
class Variables(Ragged):
    """Every variable and array of a session, numbers as printed."""

    values: dict[str, list[str]]

    def counts(self) -> npt.NDArray[np.int64]:
        """How many numbers each has."""
        return np.array([len(self.values[i]) for i in self.ids], np.int64)

    def read(self, start: int, stop: int) -> AnyArray:
        """The numbers of variables ``start..stop``."""
        return np.array([float(c) for i in self.ids[start:stop] for c in self.values[i]])


@dataclass(kw_only=True)
class Happened(Table):
    """Events out of one or more arrays."""

    rows: dict[str, AnyArray]

    def read(self) -> dict[str, AnyArray]:
        """All rows."""
        return self.rows


class MedPCReader(Reader):
    """One session: the stream ``variables``, and one stream for each table of events."""

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self.path = source.paths[0]
        self.session = self._chosen(_medpc_text.read(self.path))
        for problem in self.session.problems:
            self._contradiction(
                f"'{self.path.name}': {problem}", "--salvage keeps the numbers before it"
            )
        if not self.session.variables:
            raise DamagedInput(f"'{self.path.name}' holds no variable in {self._which()}")
        text = source.options.get("arrays")
        where = f"{source.id}.arrays"
        self.mapped = mapping.read(text, self.path.parent, where) if text else mapping.Mapped(())
        self.clock = f"{source.id}/medpc"
        self.clocks = [Clock(self.clock, "MED-PC's time; zero at the start of the session")]
        self.streams = [self._variables(), *(self._events(e) for e in self.mapped.events)]
        ids = [s.id for s in self.streams]
        alike = [i for i in ids if ids.count(i) > 1]
        if alike:
            raise UsageError(
                f"'{where}' names two tables alike, or one like MED-PC's own: '{alike[0]}'"
            )
        self._tell()

    def files(self) -> Sequence[Path]:
        """The data file, and the file with the mapping."""
        return (*self.source.paths, *([self.mapped.path] if self.mapped.path else []))

    def _chosen(self, sessions: list[Session]) -> Session:
        wanted = self.source.options.get("session")
        labels = _medpc_text.session_labels(sessions)
        if wanted is None:
            if len(sessions) == 1:
                return sessions[0]
            raise MissingFact(
                f"'{self.path.name}' holds {len(sessions)} sessions: "
                + ", ".join(f"'{label}'" for label in labels[:5]),
                hint=f"--set '{self.source.id}.session={labels[0]}'",
            )
        named = [s for s, label in zip(sessions, labels, strict=True) if label == str(wanted)]
        named = named or [s for s in sessions if s.start_text == str(wanted)]
        if len(named) != 1:
            raise UsageError(
                f"'{self.path.name}' has {len(named)} sessions '{wanted}'",
                hint="sessions: " + ", ".join(labels[:20]),
            )
        return named[0]

    def _which(self) -> str:
        return f"the session of {self.session.start_text or 'an unknown time'}"

    def _contradiction(self, problem: str, hint: str) -> None:
        if not self.source.salvage:
            raise DamagedInput(problem, hint=hint)
        self.losses.append(problem)

    def _variables(self) -> Variables:
        head = self.session.head
        facts: dict[str, str | int | float | bool] = {"software": "MED-PC"}
        for key in ("MSN", "Box", "End Date", "End Time"):
            if head.get(key):
                facts[key.lower().replace(" ", "_")] = head[key]
        return Variables(
            id="variables",
            name="MedPCVariables",
            role="values",
            nwb_name="MedPCVariables",
            description="Variables and arrays of a MED-PC session, numbers as printed"
            + (f" by the program '{head['MSN']}'" if head.get("MSN") else ""),
            facts=facts,
            ids=tuple(self.session.variables),
            dtype=np.dtype(np.float64),
            unit="n.a.",
            values=self.session.variables,
        )

    def _unit(self) -> str:
        unit = self.source.options.get("unit") or self.mapped.unit
        if unit is None:
            raise MissingFact(
                f"'{self.path.name}' does not say in which unit its times are",
                hint=f"--set {self.source.id}.unit=s, or ms, min, or the seconds of one tick",
            )
        return str(unit)

    def _events(self, events: mapping.Events) -> Happened:
        for letter in events.arrays():
            if letter not in self.session.arrays:
                known = ", ".join(sorted(self.session.arrays)) or "none"
                raise UsageError(
                    f"'{events.name}' is to be made of array {letter}, which "
                    f"{self._which()} has not",
                    hint=f"arrays: {known}",
                )
        unit = self._unit()
        numerator, denominator = mapping.scale(unit, f"{self.source.id}.unit")
        values, codes = self._times(events)
        rows = {"timestamp": values * numerator / denominator}
        said = f"array {events.times}, in {unit}"
        columns = [Column("timestamp", "timestamp", "seconds", f"Time ({said})")]
        n = len(values)
        if events.durations:
            rows["duration"] = self._beside(events, events.durations, n) * numerator / denominator
            about = f"Duration (array {events.durations}, in {unit})"
            columns.append(Column("duration", "duration", "seconds", about))
        if codes is not None:
            rows["code"] = codes
            labels = dict(events.labels) or None
            columns.append(Column("code", "value", "", "Digits behind the point", labels))
        for name, letter in events.columns.items():
            rows[name] = self._beside(events, letter, n)
            columns.append(Column(name, "value", "", f"{name} (array {letter})"))
        return Happened(
            id=re.sub(r"[^A-Za-z0-9_.-]+", "_", events.name),
            name=events.name,
            role="events",
            nwb_name=events.name.replace("/", "-").replace(":", "-"),
            timebase=Timebase(self.clock),
            description=events.description or f"{events.name} (MED-PC {said})",
            columns=tuple(columns),
            rows=rows,
        )

    def _times(self, events: mapping.Events) -> tuple[AnyArray, AnyArray | None]:
        """Times in their own unit, and the codes behind their points."""
        cells = self.session.variables[events.times]
        codes = None
        if events.codes:
            codes = np.array([_fraction(c, events.codes) for c in cells], np.int64)
            values = np.array([float(int(float(c))) for c in cells])
        else:
            values = np.array([float(c) for c in cells])
        kept = np.flatnonzero(np.array([float(c) for c in cells]))
        n = int(kept[-1]) + 1 if kept.size else min(len(values), 1)
        if n < len(values):
            self.notes.append(
                f"{len(values) - n} zeros at the end of array {events.times} are places that "
                f"were not used; they are no '{events.name}'"
            )
            values, codes = values[:n], None if codes is None else codes[:n]
        back = np.flatnonzero(np.diff(values) < 0)
        if back.size:
            k = int(back[0])
            self._contradiction(
                f"array {events.times} of '{self.path.name}' goes back from {values[k]:g} to "
                f"{values[k + 1]:g} at index {k + 1}: no times of '{events.name}'",
                "check which array holds the times, and whether digits behind their points are "
                "codes (codes: 3 in a .yaml mapping); --salvage takes them as they are",
            )
        return values, codes

    def _beside(self, events: mapping.Events, letter: str, n: int) -> AnyArray:
        """`n` numbers of an array that goes along with the times; NaN where it ends before."""
        values = np.array([float(c) for c in self.session.variables[letter]])
        if np.count_nonzero(values[n:]):
            self._contradiction(
                f"'{events.name}': array {letter} has {len(values)} values for {n} times in "
                f"array {events.times} of '{self.path.name}'",
                "--salvage leaves the last ones out",
            )
        if len(values) < n:
            self.notes.append(
                f"'{events.name}': array {letter} has {len(values)} values for {n} times; the "
                "last ones are NaN"
            )
        out = np.full(n, np.nan)
        out[: min(n, len(values))] = values[:n]
        return out

    def _tell(self) -> None:
        used = {a for e in self.mapped.events for a in e.arrays()}
        left = [a for a in self.session.variables if a in self.session.arrays and a not in used]
        filled = [f"{a} ({len(self.session.variables[a])})" for a in left if self._filled(a)]
        if filled:
            self.notes.append(
                f"arrays without a meaning: {', '.join(filled)}; they stand in the table "
                f"MedPCVariables; --set {self.source.id}.arrays=name={filled[0][0]},... makes "
                "events of those that hold times"
            )
        if self.session.comments:
            self.notes.append("comments: " + "; ".join(self.session.comments))

    def _filled(self, letter: str) -> bool:
        return bool(self.session.variables[letter])

    def metadata(self) -> dict[str, Any]:
        """Start (of no zone), program, animal; experiment, group and box as notes."""
        head = self.session.head
        nwbfile: dict[str, Any] = {}
        day_first = self.source.options.get("date_order") == "dmy"
        start = self.session.start(day_first)
        if start is not None:
            nwbfile["session_start_time"] = start.isoformat()
        if head.get("MSN"):
            nwbfile["protocol"] = f"MED-PC program '{head['MSN']}'"
        said = [f"{key} {head[key]}" for key in ("Experiment", "Group", "Box") if head.get(key)]
        said += self.session.comments
        if said:
            nwbfile["notes"] = "MED-PC: " + "; ".join(said)
        found: dict[str, Any] = {"NWBFile": nwbfile}
        if head.get("Subject"):
            found["Subject"] = {"subject_id": head["Subject"]}
        return found

    def reread_table(self, stream_id: str) -> dict[str, AnyArray] | None:
        """The same numbers out of the text by a search of its own."""
        if self.losses:
            return None
        found = _medpc_reread.variables(self.path, self.session.first_line)
        if stream_id == "variables":
            return _medpc_reread.flat(found)
        events = next(
            e
            for e, s in zip(self.mapped.events, self.streams[1:], strict=True)
            if s.id == stream_id
        )
        if events.codes:
            return None
        numerator, denominator = mapping.scale(self._unit(), "unit")
        n = len(self.stream(stream_id).rows["timestamp"])  # type: ignore[attr-defined]
        rows = {"timestamp": found[events.times][:n] * numerator / denominator}
        beside = dict(events.columns)
        if events.durations:
            beside["duration"] = events.durations
        for name, letter in beside.items():
            values = np.full(n, np.nan)
            values[: len(found[letter])] = found[letter][:n]
            rows[name] = values * numerator / denominator if name == "duration" else values
        return rows


def _fraction(cell: str, digits: int) -> int:
    """The code in ``12.990``: the digits behind the point, as printed."""
    behind = cell.partition(".")[2]
    return int(behind[:digits].ljust(digits, "0") or 0)
