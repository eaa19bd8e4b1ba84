"""CSV, TSV and Excel tables of intervals and events."""

from __future__ import annotations

from nwbkit.formats.base import Format, Option, Reader, Source
from nwbkit.formats.tables.csv.look import PATTERNS, look
from nwbkit.formats.tables.csv.roles import UNITS


def _open(source: Source) -> Reader:
    from nwbkit.formats.tables.csv.reader import TableReader

    return TableReader(source)


FORMAT = Format(
    id="csv",
    title="CSV, TSV or Excel table",
    room="tables",
    patterns=PATTERNS,
    look=look,
    open=_open,
    extra="tables",
    fallback=True,
    options=(
        Option("kind", "str", "what a row is", choices=("intervals", "events")),
        Option("start", "str", "the column with the time at which an interval starts"),
        Option("stop", "str", "the column with the time at which an interval stops"),
        Option("duration", "str", "the column with the duration of an interval or event"),
        Option("time", "str", "the column with the time of an event"),
        Option(
            "times",
            "str",
            "further columns, with commas between, that hold times on the table's clock",
        ),
        Option("unit", "str", "unit of all times and durations", choices=tuple(UNITS)),
        Option("rate", "float", "samples per second, for times counted in samples"),
        Option("sheet", "str", "the only sheet of a workbook to read; hidden ones too"),
        Option("name", "str", "name of the table in NWB"),
        Option("columns", "str", "names of the columns, with commas between, for a file without"),
        Option("delimiter", "str", "what separates cells", choices=("comma", "semicolon", "tab")),
        Option("decimal", "str", "what separates decimals", choices=("point", "comma")),
    ),
)
