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
        Option("rate", "float", "samples per second, for times counted in samples or frames"),
        Option(
            "zero",
            "str",
            "the session's start (2024-05-01T10:00:00+02:00): what a column of dates counts from",
        ),
        Option("timezone", "str", "zone of dates that state none (Europe/Berlin)"),
        Option("header", "int", "line or row with the names of the columns, from 1"),
        Option("sheet", "str", "the only sheet of a workbook to read; hidden ones too"),
        Option("name", "str", "name of the table in NWB"),
        Option("columns", "str", "names of the columns, with commas between, for a file without"),
        Option("delimiter", "str", "what separates cells", choices=("comma", "semicolon", "tab")),
        Option("decimal", "str", "what separates decimals", choices=("point", "comma")),
    ),
    recognised="A header row that names a time as people do (start, stop_time, onset_ms, Begin "
    "Time (s), timestamp) over rows that fit it; any table that the user names, or that is called "
    "trials, epochs or invalid_times. Files that other programs are known to write are left alone.",
    variants=(
        "commas, semicolons, tabs; UTF-8, UTF-16, Latin-1; decimal commas; quoted line breaks; "
        "comment lines above the header, or as the header",
        "intervals by start and stop, or start and duration (BIDS events.tsv); events by one time",
        "s, ms, us, ns, min, h, h:mm:ss, samples and frames (with a rate), dates (with a zero)",
        "Excel .xlsx and .xlsm: each visible sheet with times is a table, called like the sheet",
        "columns of booleans, integers, numbers (missing: NaN) and text (lists stay text)",
    ),
    limits=(
        "No table says what its times count from: --offset, align, or --unaligned keep.",
        "Dates are read year first only.",
        ".xls, .xlsb and .ods are refused; so are formulas whose value was never stored.",
        "A JSON file beside a BIDS events.tsv is not read.",
    ),
)
