"""From a grid to the columns of an intervals or events stream."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from nwbkit.errors import MissingFact, UsageError
from nwbkit.formats.tables.csv import cells, clocks, roles
from nwbkit.formats.tables.csv.built import Built
from nwbkit.formats.tables.csv.grid import Complain, Grid, named
from nwbkit.streams.kinds import AnyArray, Column

_UNIT_WORDS = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}
_UNIT_WORDS |= {"min": "minutes", "h": "hours", "samples": "samples", "date": "dates"}
_UNIT_WORDS["hms"] = "hours, minutes and seconds"
_ROLES = ("start", "stop", "duration", "time")
#: Names that NWB keeps for columns of its own meaning.
_RESERVED = {
    "intervals": {"id", "start_time", "stop_time", "tags", "timeseries"},
    "events": {"id", "timestamp", "duration"},
}


class NoTime(MissingFact):
    """No column is a time, or not the column that was asked for."""


class Builder:
    """Builds one table.

    Parameters
    ----------
    grid : Grid
    source_id : str
    options : mapping
    complain : callable
        Takes damage; see :data:`nwbkit.formats.tables.csv.grid.Complain`.
    note : callable
        Takes what a user should know.
    """

    def __init__(
        self,
        grid: Grid,
        source_id: str,
        options: Mapping[str, Any],
        complain: Complain,
        note: Callable[[str], None],
    ) -> None:
        self.grid, self.id, self.options = grid, source_id, options
        self.complain, self.note = complain, note
        self.dropped: set[int] = set()
        self.zero = clocks.zero_of(source_id, options)
        self._settle_names()
        self.roles = self._find_roles()
        self.kind = self._kind()
        self.decimal = self._decimal()
        self.units = {c: self._unit(c) for c in self._time_columns()}

    def _settle_names(self) -> None:
        columns = self.options.get("columns")
        at: list[int] = []
        if columns is not None:
            names = [n.strip() for n in columns.split(",")]
            found = self._find(names)
            at = [names.index(found[r]) for r in _ROLES if found.get(r) in names]
            at = [i for i in at if i < len(self.grid.header)]
        named(self.grid, self.id, columns, at)
        if self.grid.header and not self.grid.header[0]:
            self.note(f"{self.grid.where}: the nameless first column only counts rows; left out")
            self.grid.keep(range(1, len(self.grid.header)))

    def _find(self, names: Sequence[str]) -> dict[str, str]:
        fixed = {r: str(self.options[r]) for r in _ROLES if self.options.get(r) is not None}
        for role, name in fixed.items():
            if name not in names:
                raise NoTime(
                    f"{self.grid.where} has no column '{name}' (--set {self.id}.{role})",
                    hint="columns: " + ", ".join(names),
                )
        try:
            return roles.find(names, fixed)
        except roles.Ambiguous as several:
            listed = " and ".join(f"'{n}'" for n in several.names)
            raise MissingFact(
                f"{self.grid.where}: columns {listed} could each be the {several.role}",
                hint=f"--set {self.id}.{several.role}='{several.names[0]}'",
            ) from None

    def _find_roles(self) -> dict[str, str]:
        return self._find(self.grid.header)

    def _kind(self) -> str:
        known = roles.kind_of(self.roles)
        wanted = self.options.get("kind")
        if known is None:
            columns = ", ".join(f"'{n}'" for n in self.grid.header)
            raise NoTime(
                f"no column of {self.grid.where} is known to be a time (columns: {columns})",
                hint=f"--set {self.id}.start=COLUMN and --set {self.id}.stop=COLUMN for intervals, "
                f"or --set {self.id}.time=COLUMN for events",
            )
        if wanted == "intervals" and known != "intervals":
            if "start" not in self.roles and "duration" in self.roles:
                self.roles["start"] = self.roles.pop("time")
                return "intervals"
            raise MissingFact(
                f"{self.grid.where} has no column for where intervals stop",
                hint=f"--set {self.id}.stop=COLUMN, or --set {self.id}.duration=COLUMN",
            )
        chosen = str(wanted or known)
        if self.options.get("time") and "start" not in self.options and wanted is None:
            chosen = "events"
        if chosen == "events" and not (self.options.get("time") or "start" not in self.roles):
            self.roles["time"] = self.roles["start"]
        return chosen

    def _decimal(self) -> str:
        said = self.options.get("decimal")
        if said or not self.grid.delimiter:
            return str(said or "point")
        found = cells.decimal_of(self.grid.rows, self.grid.delimiter)
        if found is None:
            raise MissingFact(
                f"{self.grid.where}: '1,234' and its like may be decimals or thousands",
                hint=f"--set {self.id}.decimal=comma, or --set {self.id}.decimal=point",
            )
        return found

    def _time_columns(self) -> list[str]:
        wanted = ("start", "stop", "duration") if self.kind == "intervals" else ("time", "duration")
        found = [self.roles[r] for r in wanted if r in self.roles]
        if self.kind == "events" and "duration" not in self.roles and self._spans():
            found.append(self.roles["stop"])
        return list(dict.fromkeys([*found, *self._further()]))

    def _spans(self) -> bool:
        """Whether events are intervals by nature, so that a stop gives their duration."""
        return self.roles.get("start") == self.roles.get("time") and "stop" in self.roles

    def _further(self) -> list[str]:
        names = [n.strip() for n in str(self.options.get("times") or "").split(",") if n.strip()]
        if names and self.kind != "intervals":
            raise UsageError(f"--set {self.id}.times is for tables of intervals")
        for name in names:
            if name not in self.grid.header:
                raise UsageError(
                    f"{self.grid.where} has no column '{name}' (--set {self.id}.times)",
                    hint="columns: " + ", ".join(self.grid.header),
                )
        return names

    def _unit(self, column: str) -> str:
        name = roles.take_apart(column)
        said = self.options.get("unit")
        if said is None and name.foreign is not None:
            raise MissingFact(
                f"{self.grid.where}: column '{column}' is in '{name.foreign}', no unit known here",
                hint=f"--set {self.id}.unit=s (or {', '.join(list(roles.UNITS)[1:])})",
            )
        unit = str(said or name.unit or "s")
        if said and name.unit and said != name.unit:
            self.note(
                f"{self.grid.where}: column '{column}' is read in {_UNIT_WORDS[unit]}, as "
                f"--set {self.id}.unit says, though its name says {_UNIT_WORDS[name.unit]}"
            )
        if unit == "samples" and not self.options.get("rate"):
            raise MissingFact(
                f"{self.grid.where}: column '{column}' counts samples, and no rate is known",
                hint=f"--set {self.id}.rate=HZ, or --set {self.id}.unit=s",
            )
        return unit

    # ---- values ------------------------------------------------------------------------

    def build(self) -> Built:
        """Read every column; rows that contradict themselves are complained of and left out."""
        times = {c: self._numbers(c) for c in list(self.units)}
        self._check_rows(times)
        kept = [i for i in range(len(self.grid.rows)) if i not in self.dropped]
        times = {c: v[kept] for c, v in times.items()}
        built = Built(
            self.kind,
            (),
            {},
            {},
            dict(self.units),
            rate=self.options.get("rate"),
            decimal=self.decimal,
            zero=self.zero if "date" in self.units.values() else None,
        )
        built.dropped = {self.grid.lines[i] for i in self.dropped}
        self._say_units()
        if self.kind == "intervals":
            columns = self._intervals(built, times)
        else:
            columns = self._events(built, times)
        built.columns = (*columns, *self._others(built, times, kept))
        return built

    def _numbers(self, column: str) -> AnyArray:
        """A time column in its own unit; cells that are no number drop their row."""
        at = self.grid.header.index(column)
        read = self._reading(column, [r[at] for r in self.grid.rows])
        values = np.full(len(self.grid.rows), np.nan)
        for i, row in enumerate(self.grid.rows):
            try:
                values[i] = read(row[at])
            except cells.NotNumber as error:
                self._drop(i, f"column '{column}': {error}")
                continue
            if self.units[column] == "samples" and values[i] % 1 > 0:  # not so for NaN
                self._drop(i, f"column '{column}': {values[i]} is no whole number of samples")
        return values

    def _reading(self, column: str, found: Sequence[Any]) -> Callable[[Any], float]:
        """How a time column's cells become numbers: plain ones, spans, dates since ``zero``."""
        if self.units[column] == "hms":
            return clocks.elapsed
        date = clocks.holds_dates(found)
        if date is None:
            return lambda cell: cells.time_of(cell, self.decimal)
        zero, where = self.zero, self.grid.where
        if zero is None:
            raise clocks.refuse(where, column, self.id, date)
        self.units[column] = "date"
        return lambda cell: clocks.since(cell, zero, where, self.id)

    def _drop(self, row: int, why: str) -> None:
        if row not in self.dropped:
            self.complain(f"{self.grid.where} {self.grid.line(row)}: {why}")
            self.dropped.add(row)

    def _check_rows(self, times: Mapping[str, AnyArray]) -> None:
        first = self.roles["start"] if self.kind == "intervals" else self.roles["time"]
        for i in np.flatnonzero(np.isnan(times[first])):
            self._drop(int(i), f"column '{first}' is empty")
        duration = self.roles.get("duration")
        if duration is not None and duration in times:
            for i in np.flatnonzero(times[duration] < 0):
                self._drop(int(i), f"the duration {times[duration][i]:g} is negative")
        stop = self.roles.get("stop")
        if stop is not None and stop in times:
            begin, end = self._seconds(first, times), self._seconds(stop, times)
            for i in np.flatnonzero(end < begin):
                self._drop(
                    int(i),
                    f"stops at {times[stop][i]:g} ({stop}), before its start at "
                    f"{times[first][i]:g} ({first})",
                )

    def _seconds(self, column: str, times: Mapping[str, AnyArray]) -> AnyArray:
        return cells.in_seconds(times[column], self.units[column], self.options.get("rate"))

    def _as_samples(self, *columns: str | None) -> bool:
        return all(self.units.get(c or "") == "samples" for c in columns if c)

    def _in(self, values: AnyArray, column: str, samples: bool) -> AnyArray:
        if samples:
            return values.astype(np.int64)
        return cells.in_seconds(values, self.units[column], self.options.get("rate"))

    def _whole(self, times: Mapping[str, AnyArray], *columns: str | None) -> bool:
        """Whether all of `columns` are samples and none is missing, so that they stay integers."""
        used = [c for c in columns if c]
        return self._as_samples(*used) and not any(np.isnan(times[c]).any() for c in used)

    def _intervals(self, built: Built, times: Mapping[str, AnyArray]) -> list[Column]:
        start, stop = self.roles["start"], self.roles.get("stop")
        duration = self.roles.get("duration") if stop is None else None
        samples = self._whole(times, start, stop, duration)
        unit = "samples" if samples else "seconds"
        built.values["start_time"] = self._in(times[start], start, samples)
        built.sources["start_time"] = start
        if stop is not None:
            built.values["stop_time"] = self._in(times[stop], stop, samples)
            built.sources["stop_time"] = stop
            said = self._said(stop)
        else:
            assert duration is not None
            lengths = self._in(times[duration], duration, samples)
            built.values["stop_time"] = built.values["start_time"] + lengths
            built.sources["stop_time"] = start
            built.durations["stop_time"] = duration
            said = f"start and duration: {self._said(start)} + {self._said(duration)}"
        return [
            Column("start_time", "start", unit, f"start of the interval: {self._said(start)}"),
            Column("stop_time", "stop", unit, f"end of the interval: {said}"),
        ]

    def _events(self, built: Built, times: Mapping[str, AnyArray]) -> list[Column]:
        time, duration = self.roles["time"], self.roles.get("duration")
        stop = self.roles["stop"] if duration is None and self._spans() else None
        samples = self._whole(times, time, duration, stop)
        unit = "samples" if samples else "seconds"
        built.values["timestamp"] = self._in(times[time], time, samples)
        built.sources["timestamp"] = time
        columns = [Column("timestamp", "timestamp", unit, f"time of the event: {self._said(time)}")]
        if duration is not None:
            built.values["duration"] = self._in(times[duration], duration, samples)
            built.sources["duration"] = duration
            said = self._said(duration)
        elif stop is not None:
            built.values["duration"] = (
                self._in(times[stop], stop, samples) - built.values["timestamp"]
            )
            built.sources["duration"] = stop
            built.durations["duration"] = time
            said = f"{self._said(stop)} - {self._said(time)}"
        else:
            return columns
        return [*columns, Column("duration", "duration", unit, f"duration of the event: {said}")]

    def _others(
        self, built: Built, times: Mapping[str, AnyArray], kept: Sequence[int]
    ) -> list[Column]:
        used = {*built.sources.values()}
        if self.kind == "events":
            used |= set(built.durations.values())
        further, columns = self._further(), []
        for at, original in enumerate(self.grid.header):
            if original in used:
                continue
            name = self._name(original, built)
            built.sources[name] = original
            if original in further:
                built.values[name] = self._in(times[original], original, False)
                said = f"time on the table's clock: {self._said(original)}"
                columns.append(Column(name, "time_property", "seconds", said))
                continue
            built.values[name] = cells.typed([self.grid.rows[i][at] for i in kept], self.decimal)
            columns.append(Column(name, "value", "", self._described(original)))
        return columns

    def _name(self, original: str, built: Built) -> str:
        name = original.replace("/", "_").replace(":", "_")
        if name in _RESERVED[self.kind] or name in (".", ".."):
            name = f"{name}_column"
        if name in built.sources:
            raise MissingFact(
                f"{self.grid.where}: two columns would both be '{name}' in NWB",
                hint=f"--set {self.id}.columns=NAME,NAME,... with other names",
            )
        return name

    def _described(self, original: str) -> str:
        text = f"column '{original}' of the table"
        if self.kind == "intervals" and roles.looks_like_time(original):
            text += ", as it stands there"
            self.note(
                f"{self.grid.where}: column '{original}' is kept as it stands and moves with no "
                f"clock; if it holds times: --set {self.id}.times='{original}'"
            )
        return text

    def _said(self, column: str) -> str:
        return f"column '{column}' of the table, in {_UNIT_WORDS[self.units[column]]} there"

    def _say_units(self) -> None:
        silent = [
            c for c, u in self.units.items() if roles.take_apart(c).unit is None and u != "date"
        ]
        if silent and not self.options.get("unit"):
            listed = ", ".join(f"'{c}'" for c in silent)
            self.note(
                f"{self.grid.where}: {listed} taken as seconds, since no unit is named; "
                f"if it is another: --set {self.id}.unit=ms (or {', '.join(list(roles.UNITS)[2:])})"
            )
