"""Recognising tables with times among whatever no other format claimed.

Many folders hold a .csv or .txt of some program's own. A table is claimed in a walk only if
its header names a time as people name it, its rows fit its header, the times are numbers, and
it is not a file that another program is known to write. A file that the user names, or calls
trials, epochs or invalid_times, is meant: there a header is enough, and damage is told when it
is opened instead of passing it over.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice, pairwise
from pathlib import Path
from statistics import median

from nwbkit.formats.base import Match, Strength
from nwbkit.formats.listing import Entry, Listing
from nwbkit.formats.tables.csv import text as delimited
from nwbkit.formats.tables.csv.roles import Ambiguous, find, kind_of, take_apart

PATTERNS = ("*.csv", "*.tsv", "*.tab", "*.txt", "*.xlsx", "*.xlsm", "*.xls", "*.xlsb", "*.ods")
WORKBOOKS = (".xlsx", ".xlsm")
#: Workbooks that are refused with a hint, where the user names them.
UNREAD = (".xls", ".xlsb", ".ods")
#: NWB's own tables of intervals.
OWN = ("trials", "epochs", "invalid_times")
_HEAD = 64 << 10
#: Header names (all of them) by which a program's own files are known. Their times mean more
#: than rows of events, or count from several zeros: they wait for formats of their own.
_FOREIGN = (
    {"frame number", "time stamp (ms)", "buffer index"},  # Miniscope DAQ
    {"framecounter", "timestamp"},  # Neurophotometrics
    {"observation id"},  # BORIS: each observation has its own zero
    {"scorer"},  # DeepLabCut, Lightning Pose
    {"cluster_id"},  # Phy
)
#: So many evenly spaced rows with fractions in them are a sampled signal.
_MANY = 20


def look(listing: Listing) -> Iterator[Match]:
    """Yield each file that reads as a table of intervals or events."""
    named = set(listing.roots)
    found: dict[Path, str] = {}
    for entry in listing.match(*PATTERNS):
        meant = entry.path in named or entry.path.stem.lower() in OWN
        evidence: str | None
        if entry.path.suffix.lower() in UNREAD:
            evidence = f"a workbook by its name ({entry.path.suffix})" if meant else None
        elif is_workbook(entry.path):
            evidence = _workbook(listing, entry, meant)
        else:
            evidence = _text(listing, entry, meant)
        if evidence:
            found[entry.path] = evidence
    stems = Counter(path.with_suffix("") for path in found)
    for path, evidence in found.items():
        # trials.csv beside trials.xlsx: the suffix tells them apart
        stem = path.stem if stems[path.with_suffix("")] == 1 else path.name
        yield Match((path,), Strength.FALLBACK, evidence, stem, stem, path.parent, companion=True)


def _text(listing: Listing, entry: Entry, meant: bool) -> str | None:
    raw = listing.head(entry.path, _HEAD)
    if len(raw) < entry.size:
        raw = raw[: raw.rfind(b"\n") + 1]
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        raw = raw[: len(raw) // 2 * 2]
    try:
        text, _ = delimited.without_preamble(delimited.decode(raw)[0])
        delimiter = delimited.delimiter_of(text)
        records = islice(delimited.rows(text, delimiter), delimited.SNIFFED + 1)
        rows = [record.cells for record in records]
    except (delimited.NotText, csv.Error):
        return None
    if not rows:
        return "an empty table" if meant and not text.strip() else None
    header = [c.strip() for c in rows[0]]
    header[0] = header[0].lstrip("#%/ ")
    body = [delimited.trimmed(cells, len(header)) for cells in rows[1:]]
    how = {",": "comma", ";": "semicolon", "\t": "tab"}.get(delimiter, delimiter)
    if entry.path.suffix.lower() == ".txt" and len(header) < 2:
        return None
    found = _evidence(header, body, f"{how}-separated table")
    if found is None and meant:
        return f"{how}-separated table of {len(header)} columns"
    return found


def _workbook(listing: Listing, entry: Entry, meant: bool) -> str | None:
    from nwbkit.formats.tables.csv.sheets import Refused, Workbook

    try:
        with Workbook(entry.path) as book:
            for sheet in book.sheets:
                if sheet.hidden:
                    continue
                rows = [r.texts() for r in book.rows(sheet, limit=delimited.SNIFFED + 1)]
                if rows and (found := _evidence(rows[0], rows[1:], f"sheet '{sheet.name}'")):
                    return found
    except Refused:
        pass
    return "an Excel workbook" if meant and listing.head(entry.path, 2) == b"PK" else None


def _evidence(header: Sequence[str], rows: Sequence[Sequence[str]], where: str) -> str | None:
    """One sentence, where header and rows are those of a table with times."""
    header = [c.strip() for c in header]
    while header and not header[-1]:
        header.pop()
    names = [c for c in header if c]
    lower = {n.lower() for n in names}
    if any(foreign <= lower for foreign in _FOREIGN):
        return None
    # a row that does not fit is damage, to be told; many are no table
    long = sum(any(c.strip() for c in row[len(header) :]) for row in rows)
    if long * 10 > len(rows) * 2:
        return None
    try:
        roles = find(names, {})
    except Ambiguous as several:
        roles = {several.role: several.names[0]}
    kind = kind_of(roles)
    if kind is None:
        return None
    used = [roles[r] for r in ("start", "stop", "duration", "time") if r in roles]
    if kind == "events":
        used = [roles.get("time") or roles["start"]]
    if not all(_numbers(rows, header.index(name)) for name in used):
        return None
    if kind == "events" and _sampled(rows, header, used[0]):
        return None
    return f"{where} with the time column{'s' if len(used) > 1 else ''} {', '.join(used)}"


def _cells(rows: Sequence[Sequence[str]], at: int) -> list[str]:
    return [row[at].strip() for row in rows if at < len(row)]


def _numbers(rows: Sequence[Sequence[str]], at: int) -> bool:
    """Whether most of a column's cells are numbers; one that is not is damage, to be told."""
    cells = [c for c in _cells(rows, at) if c.lower() not in delimited.MISSING]
    good = sum(delimited.is_number(c) for c in cells)
    return good * 10 >= len(cells) * 8


def _sampled(rows: Sequence[Sequence[str]], header: Sequence[str], time: str) -> bool:
    """Whether rows step evenly and hold fractions: a signal with its time, not events."""
    cells = [c.replace(",", ".") for c in _cells(rows, header.index(time))]
    try:
        times = [float(c) for c in cells]
    except ValueError:
        return False
    steps = [b - a for a, b in pairwise(times)]
    if len(times) < _MANY:
        return False
    middle = median(steps)
    if middle <= 0 or any(abs(s - middle) > 0.1 * middle for s in steps):
        return False
    others = [i for i, n in enumerate(header) if n and n != time and take_apart(n).base != "time"]
    return any(
        all(delimited.is_number(c) for c in _cells(rows, i))
        and any("." in c or "," in c for c in _cells(rows, i))
        for i in others
    )


def is_workbook(path: Path) -> bool:
    """Whether a path is that of an Excel workbook."""
    return path.suffix.lower() in WORKBOOKS
