"""The raw grid of a table: header and rows of cells, from delimited text or a workbook."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nwbkit.errors import DamagedInput, MissingFact, UsageError
from nwbkit.formats.tables.csv import text as delimited
from nwbkit.formats.tables.csv.sheets import Refused, Sheet, Workbook

#: Tables are read whole; what is larger is no table of trials.
MAX_BYTES = 512 << 20
#: Takes a sentence: raises it as damage, or with ``--salvage`` records it as a loss.
Complain = Callable[[str], None]


@dataclass
class Grid:
    """A header and the rows below it.

    Parameters
    ----------
    where : str
        What messages call it: ``'trials.csv'``, ``sheet 'A' of 'x.xlsx'``.
    name : str
        Of the table: the file's stem, or the sheet's name.
    header : list of str
    rows : list of list
        Cells: text; from a workbook also numbers, bools, dates and None. As long as the header.
    lines : list of int
        The line or row of the file that each row ends on.
    counted : {"line", "row"}
    delimiter, encoding : str
        Of text files; empty for workbooks.
    sheet : Sheet, optional
    apart : set of int
        Lines that are no rows: the header's, and those left out because they do not fit it.
    before : int
        Lines of a text above its header.
    places : list of int
        Which column of the file each column is, from 0.
    """

    where: str
    name: str
    header: list[str]
    rows: list[list[Any]]
    lines: list[int]
    counted: str = "line"
    delimiter: str = ""
    encoding: str = ""
    sheet: Sheet | None = None
    apart: set[int] = field(default_factory=set)
    before: int = 0
    places: list[int] = field(default_factory=list)

    def keep(self, columns: Sequence[int]) -> None:
        """Leave out all columns but these."""
        if len(columns) < len(self.header):
            self.header = [self.header[i] for i in columns]
            self.rows = [[row[i] for i in columns] for row in self.rows]
            self.places = [self.places[i] for i in columns]

    def line(self, row: int) -> str:
        """``line 7``, ``row 7``: where a row stands in its file."""
        return f"{self.counted} {self.lines[row]}"


def read_text(path: Path, options: Mapping[str, Any], complain: Complain) -> Grid:
    """The grid of a delimited text file.

    Raises
    ------
    nwbkit.errors.DamagedInput
        Where it is empty, no text, or has rows that do not fit its header.
    """
    where = f"'{path.name}'"
    if path.stat().st_size > MAX_BYTES:
        raise DamagedInput(f"{where} is larger than {MAX_BYTES >> 20} MiB, which no table may be")
    raw = path.read_bytes()
    try:
        text, encoding = delimited.decode(raw)
    except delimited.NotText as error:
        raise DamagedInput(f"{where} is no text table: {error}") from None
    text, before = delimited.without_preamble(text, options.get("header"))
    said = options.get("delimiter")
    delimiter = delimited.DELIMITERS[said] if said else delimited.delimiter_of(text)
    try:
        rows = list(delimited.rows(text, delimiter, before))
    except csv.Error as error:
        raise DamagedInput(
            f"{where} {error}", hint="look for a quote that is opened there and never closed"
        ) from None
    if not rows or not text.strip(" \t\r\n,;"):
        raise DamagedInput(f"{where} is empty: no header and no rows")
    grid = Grid(where, path.stem, [], [r.cells for r in rows], [r.line for r in rows])
    grid.delimiter, grid.encoding = delimiter, encoding
    grid.before = before
    if delimited.has_sep_line(text):
        grid.apart.add(before + 1)
    return _fitted(grid, complain)


def read_workbook(
    path: Path, options: Mapping[str, Any], complain: Complain, notes: list[str]
) -> list[Grid]:
    """The grids of a workbook's visible sheets, or of the one that ``sheet`` names.

    Raises
    ------
    nwbkit.errors.DamagedInput
        For formulas whose value Excel never stored, cells in error, merged cells.
    nwbkit.errors.UsageError
        For a sheet that is not there.
    """
    try:
        with Workbook(path) as book:
            chosen = _chosen(book, path, options.get("sheet"), notes)
            for sheet in chosen:
                _check_cells(book, sheet, path, complain)
    except Refused as error:
        raise DamagedInput(f"'{path.name}' {error}") from None
    first = int(options.get("header") or 1)
    grids = [g for g in _values(path, chosen, complain, first) if g is not None]
    if not grids:
        raise DamagedInput(f"'{path.name}' is empty: no visible sheet has cells")
    return grids


def _chosen(book: Workbook, path: Path, wanted: str | None, notes: list[str]) -> list[Sheet]:
    names = ", ".join(f"'{s.name}'" for s in book.sheets)
    if wanted is not None:
        for sheet in book.sheets:
            if sheet.name == wanted:
                return [sheet]
        raise UsageError(f"'{path.name}' has no sheet '{wanted}'", hint=f"sheets: {names}")
    for sheet in book.sheets:
        if sheet.hidden:
            notes.append(f"sheet '{sheet.name}' of '{path.name}' is hidden and left out")
    return [s for s in book.sheets if not s.hidden]


def _check_cells(book: Workbook, sheet: Sheet, path: Path, complain: Complain) -> None:
    """What openpyxl would pass over: merged cells, formulas without a value, errors."""
    where = f"sheet '{sheet.name}' of '{path.name}'"
    merged = book.merged(sheet)
    if merged:
        complain(f"{where} has merged cells ({', '.join(merged[:3])}), of which one holds a value")
    for row in book.rows(sheet):
        for column, cell in row.cells.items():
            at = f"{where}: cell {_letters(column)}{row.number}"
            if cell.formula and cell.value is None:
                complain(
                    f"{at} is a formula without a stored value (open and save it in Excel first)"
                )
            elif cell.error:
                complain(f"{at} holds the error {cell.value}")


def _values(
    path: Path, sheets: Sequence[Sheet], complain: Complain, first: int
) -> list[Grid | None]:
    """The cells as openpyxl reads them."""
    import openpyxl

    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True, keep_links=False)
        try:
            pages = []
            for sheet in sheets:
                page = book[sheet.name]
                # a wrong <dimension>, which some programs write, would cut rows off silently
                page.reset_dimensions()
                pages.append([[_plain(cell) for cell in row] for row in page.iter_rows()])
        finally:
            book.close()
    except Exception as error:  # noqa: BLE001 - openpyxl fails in as many ways as workbooks do
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise DamagedInput(f"'{path.name}' is no workbook that openpyxl reads: {reason}") from None
    return [_grid(path, s, rows, complain, first) for s, rows in zip(sheets, pages, strict=True)]


def _grid(
    path: Path, sheet: Sheet, rows: Sequence[list[Any]], complain: Complain, first: int
) -> Grid | None:
    where = f"sheet '{sheet.name}' of '{path.name}'"
    cells, lines, above = [], [], set()
    for number, values in enumerate(rows, 1):
        if number < first:
            above.add(number)
        elif any(v is not None and str(v).strip() for v in values):
            cells.append(values)
            lines.append(number)
    if not cells:
        return None
    grid = Grid(where, sheet.name, [], cells, lines, "row", sheet=sheet, apart=above)
    return _fitted(grid, complain)


def _plain(cell: Any) -> Any:
    return None if cell.data_type == "e" else cell.value


def _fitted(grid: Grid, complain: Complain) -> Grid:
    """Take the first row off as the header, and hold every row against it."""
    first = [_text(c) for c in grid.rows[0]]
    width = len(first)
    # a trailing delimiter ends each line, the header's too
    while width and not first[width - 1].strip() and not _used(grid.rows[1:], width - 1):
        width -= 1
    # Excel breaks long headings over lines; a name has none
    grid.header = [" ".join(c.split()) for c in first[:width]]
    kept, lines = [], []
    for cells, line in zip(grid.rows[1:], grid.lines[1:], strict=True):
        fitted = list(cells)
        while len(fitted) > width and not _text(fitted[-1]).strip():
            fitted.pop()
        if grid.counted == "row":
            fitted += [None] * (width - len(fitted))
        if len(fitted) != width:
            complain(
                f"{grid.where} {grid.counted} {line} has {len(fitted)} cells, "
                f"the header has {width}"
            )
            grid.apart.add(line)
            continue
        kept.append(fitted)
        lines.append(line)
    # the header's own line, for a file whose first row is data
    grid.rows, grid.lines = [list(first[:width]), *kept], [grid.lines[0], *lines]
    return grid


def _used(rows: Sequence[Sequence[Any]], at: int) -> bool:
    return any(at < len(r) and _text(r[at]).strip() for r in rows)


def named(grid: Grid, source_id: str, columns: str | None, at_time: Sequence[int]) -> Grid:
    """Settle what the columns are called; the header row leaves the rows.

    Parameters
    ----------
    columns : str, optional
        The option of that name: ``a,b,c``.
    at_time : sequence of int
        Positions of time columns among `columns`: numbers there make the first row data.

    Raises
    ------
    nwbkit.errors.MissingFact
        For a first row of numbers, where nobody names the columns.
    nwbkit.errors.DamagedInput
        For a column without a name, or two of one name.
    """
    hint = f"--set {source_id}.columns=NAME,NAME,... (one for each of {len(grid.header)} columns)"
    if columns is None:
        if delimited.is_nameless(grid.header) or _is_row(grid):
            raise MissingFact(
                f"{grid.where} begins with numbers: no row names its columns", hint=hint
            )
        _drop_header(grid)
        # numpy writes its header as a comment
        grid.header[0] = grid.header[0].lstrip("#%/ ") if grid.header else ""
    else:
        names = [n.strip() for n in columns.split(",")]
        if len(names) != len(grid.header):
            raise UsageError(
                f"--set {source_id}.columns names {len(names)} columns, {grid.where} has "
                f"{len(grid.header)}"
            )
        if not any(delimited.is_number(grid.header[i]) for i in at_time):
            _drop_header(grid)
        grid.header = names
    grid.places = list(range(len(grid.header)))
    grid.keep([i for i, n in enumerate(grid.header) if n or _used(grid.rows, i)])
    for number, name in zip((p + 1 for p in grid.places), grid.header, strict=True):
        if not name and not _is_index(grid, number - 1):
            raise DamagedInput(f"{grid.where}: column {number} has no name", hint=hint)
        first = grid.places[grid.header.index(name)] + 1
        if first != number:
            raise DamagedInput(
                f"{grid.where} has two columns '{name}' ({first} and {number})", hint=hint
            )
    return grid


def _is_row(grid: Grid) -> bool:
    """Whether a first row of numbers and texts is like the rows below it: ``0.5, 1.5, song``."""
    kinds = [[delimited.is_number(_text(c)) for c in row] for row in grid.rows[:3]]
    return len(kinds) > 1 and sum(kinds[0]) > 1 and all(k == kinds[0] for k in kinds)


def _drop_header(grid: Grid) -> None:
    grid.apart.add(grid.lines[0])
    grid.rows, grid.lines = grid.rows[1:], grid.lines[1:]


def _is_index(grid: Grid, at: int) -> bool:
    """Whether a nameless first column only counts the rows, as pandas writes it."""
    counts = [_text(r[at]).strip() for r in grid.rows]
    return at == 0 and counts == [str(i) for i in range(len(counts))]


def _text(cell: Any) -> str:
    return "" if cell is None else str(cell)


def _letters(column: int) -> str:
    letters = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(65 + rest) + letters
    return letters
