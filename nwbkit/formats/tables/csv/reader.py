"""An opened table: one stream a file, or one a sheet."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from nwbkit.errors import DamagedInput, MissingFact, UnknownFormat
from nwbkit.formats.base import Reader, Source
from nwbkit.formats.tables.csv.build import Builder, NoTime
from nwbkit.formats.tables.csv.built import Built
from nwbkit.formats.tables.csv.grid import Grid, read_text, read_workbook
from nwbkit.formats.tables.csv.look import OWN, UNREAD, is_workbook
from nwbkit.formats.tables.csv.reread import reread
from nwbkit.streams import Anchor, Clock, Table, Timebase
from nwbkit.streams.kinds import AnyArray

#: What Excel and its kin call a sheet that nobody named.
_UNNAMED = re.compile(
    r"(?:sheet|tabelle|feuil|feuille|hoja|foglio|blad|planilha|arkusz|лист|工作表)[ _]?\d*", re.I
)


@dataclass(kw_only=True)
class Rows(Table):
    """The rows of a table, in memory."""

    built: Built
    grid: Grid

    def read(self) -> dict[str, AnyArray]:
        """All rows, by column name."""
        return {column.name: self.built.values[column.name] for column in self.columns}


class TableReader(Reader):
    """A .csv, .tsv, .txt or .xlsx with a table of intervals or events in each sheet.

    The times are on a clock of the table's own, not anchored: no file says from which moment
    its seconds count.

    Parameters
    ----------
    source : Source

    Raises
    ------
    nwbkit.errors.DamagedInput
        For rows that do not fit their header, times that are no numbers, intervals that stop
        before they start, formulas without a value.
    nwbkit.errors.MissingFact
        Where the roles or units of columns must be told.
    """

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self._path = source.paths[0]
        self.clocks = [
            Clock(
                f"{source.id}/table",
                f"whatever the times in '{self._path.name}' count from; if that is the session's "
                f"start: --offset {source.id}/table=0",
            )
        ]
        if self._path.suffix.lower() in UNREAD:
            raise UnknownFormat(
                f"'{self._path.name}': workbooks of type {self._path.suffix} are not read",
                hint="save it as .xlsx, or each sheet as .csv",
            )
        if is_workbook(self._path):
            grids = read_workbook(self._path, source.options, self._complain, self.notes)
        else:
            grids = [read_text(self._path, source.options, self._complain)]
            if grids[0].encoding == "latin-1":
                self.notes.append(f"'{self._path.name}' is no UTF-8: read as Latin-1")
        built = self._build(grids)
        if len(built) > 1 and source.options.get("name"):
            raise MissingFact(
                f"'{self._path.name}' holds {len(built)} tables, and one name was given",
                hint=f"--set {source.id}.sheet='{built[0][0].name}'",
            )
        self._zero = next((made.zero for _, made in built if made.zero is not None), None)
        if self._zero is not None:
            moment = self._zero.moment.isoformat()
            self.clocks = [Clock(self.clocks[0].id, f"seconds since {moment}", Anchor(0.0, "user"))]
        for grid, made in built:
            self.streams.append(self._stream(grid, made, sole=len(built) == 1))

    def _complain(self, sentence: str) -> None:
        if not self.source.salvage:
            raise DamagedInput(sentence, hint="mend it, or read the rest with --salvage")
        self.losses.append(sentence)

    def _build(self, grids: list[Grid]) -> list[tuple[Grid, Built]]:
        """Every grid with a time; those without are left out, unless there is no other."""
        built: list[tuple[Grid, Built]] = []
        refused: list[NoTime] = []
        for grid in grids:
            notes: list[str] = []
            try:
                builder = Builder(
                    grid, self.source.id, self.source.options, self._complain, notes.append
                )
            except NoTime as error:
                refused.append(error)
                continue
            built.append((grid, builder.build()))
            self.notes += notes
        if not built:
            raise refused[0]
        self.notes += [f"left out: {error.message}" for error in refused]
        return built

    def _stream(self, grid: Grid, built: Built, *, sole: bool) -> Rows:
        name = self._path.stem
        stem_is_own = name.lower() in OWN
        if grid.sheet is not None and not (
            sole and (stem_is_own or _UNNAMED.fullmatch(grid.sheet.name))
        ):
            name = grid.sheet.name
        stream_id = built.kind if sole else self._stream_id(name)
        return Rows(
            id=stream_id,
            name=name,
            role=built.kind,
            timebase=self._timebase(built),
            description=f"{built.kind} of {grid.where}",
            nwb_name=self._nwb_name(name, built.kind),
            columns=built.columns,
            facts={"times": self._times(built)},
            built=built,
            grid=grid,
        )

    def _stream_id(self, name: str) -> str:
        plain = re.sub(r"[^A-Za-z0-9_.-]+", "-", name).strip("-.")
        taken = {stream.id for stream in self.streams}
        if plain and plain not in taken:
            return plain
        return "-".join(["sheet", *(f"u{ord(c):x}" for c in name)])

    def _nwb_name(self, name: str, kind: str) -> str | None:
        given = self.source.options.get("name")
        if given is not None:
            return str(given)
        if kind != "intervals":
            return None
        if name.lower() in OWN:
            return name.lower()
        return name.replace("/", "_").replace(":", "_")

    def _timebase(self, built: Built) -> Timebase:
        clock = self.clocks[0].id
        if any(c.unit == "samples" for c in built.columns) and built.rate:
            last = max(int(v.max(initial=0)) for n, v in built.values.items() if n in _TIMES)
            return Timebase.regular(clock, last + 1, float(built.rate))
        return Timebase(clock)

    @staticmethod
    def _times(built: Built) -> str:
        return ", ".join(f"'{column}' in {unit}" for column, unit in built.units.items())

    def metadata(self) -> dict[str, Any]:
        """The session's start, where the user counts dates from it; a table says nothing else."""
        if self._zero is None:
            return {}
        return {"NWBFile": {"session_start_time": self._zero.moment.isoformat()}}

    def reread_table(self, stream_id: str) -> dict[str, AnyArray] | None:
        """The rows by a tokeniser of its own, or from the workbook's XML."""
        stream = self.stream(stream_id)
        assert isinstance(stream, Rows)
        return reread(self._path, stream.grid, stream.built, stream.columns)


_TIMES = ("start_time", "stop_time", "timestamp")
