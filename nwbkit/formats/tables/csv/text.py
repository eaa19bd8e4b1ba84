"""Delimited text: encoding, delimiter, rows with their line numbers. Standard library only."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t"}
#: Rows that decide about the delimiter.
SNIFFED = 50
#: A number with a decimal point; a leading zero makes a name (``007``), not a number.
POINT = re.compile(r"[+-]?(?:(?:0|[1-9]\d*)(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?")
#: The same with a decimal comma.
COMMA = re.compile(r"[+-]?(?:(?:0|[1-9]\d*)(?:,\d*)?|,\d+)(?:[eE][+-]?\d+)?")
#: What stands for a missing number.
MISSING = frozenset(("", "nan", "na", "n/a", "null", "none", "-nan", "<na>", "#n/a"))
#: A header further down must be named.
MAX_PREAMBLE = 1000
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
_CONTROL = re.compile("[\x00-\x08\x0e-\x1f]")


class NotText(ValueError):
    """The bytes are no text."""


@dataclass(frozen=True)
class Row:
    """The cells of a row and the line (from 1) that it ends on."""

    line: int
    cells: list[str]


def decode(raw: bytes) -> tuple[str, str]:
    """``(text, encoding)``: what the byte order mark says, else UTF-8, else Latin-1.

    Raises
    ------
    NotText
        For NUL and other control characters, or broken UTF-16.
    """
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        encoding = "utf-16"
    else:
        encoding = "utf-8-sig"
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError as error:
        if encoding == "utf-16":
            raise NotText(f"is not the UTF-16 that it begins as: {error.reason}") from None
        encoding = "latin-1"
        text = raw.decode(encoding)
    control = _CONTROL.search(text)
    if control:
        line = text.count("\n", 0, control.start()) + 1
        raise NotText(f"line {line}: holds the byte 0x{ord(control[0]):02x}, which no text has")
    return text, encoding


def delimiter_of(text: str) -> str:
    """The delimiter under which the first rows agree best with their header."""
    said = re.match(r"sep=(.)\r?\n", text)  # what Excel writes for its own sake
    if said:
        return said[1]
    best = (False, 0.0, 0, 0)
    chosen = ","
    for order, delimiter in enumerate((",", ";", "\t")):
        lengths = _lengths(text, delimiter)
        if not lengths:
            continue
        n = lengths[0]
        agreeing = sum(m == n for m in lengths) / len(lengths)
        score = (n > 1, agreeing, n, -order)
        if score > best:
            best, chosen = score, delimiter
    return chosen


def _lengths(text: str, delimiter: str) -> list[int]:
    lengths: list[int] = []
    try:
        for row in rows(text, delimiter):
            lengths.append(len(row.cells))
            if len(lengths) == SNIFFED:
                break
    except csv.Error:
        pass  # what came before the damage decides
    return lengths


def without_preamble(text: str, header: int | None = None) -> tuple[str, int]:
    """`text` from its header on, and the number of lines before it.

    Parameters
    ----------
    text : str
    header : int, optional
        The header's line, from 1, as the user says. Else lines that begin with ``#``, ``%`` or
        ``//`` are passed over; the last of them is the header where it has as many cells as the
        row of numbers that follows.
    """
    starts = [m.start() for m in islice(_LINE.finditer(text), MAX_PREAMBLE)]
    if header is not None:
        n = min(max(header - 1, 0), len(starts))
        return (text[starts[n] :] if n < len(starts) else ""), n
    n = 0
    while n < len(starts) and text.startswith(("#", "%", "//"), starts[n]):
        n += 1
    if n == 0 or n == len(starts):
        return text, 0
    row, last = _line(text, starts[n]), _line(text, starts[n - 1])
    for mark in (",", ";", "\t"):
        cells = row.split(mark)
        alike = len(cells) > 1 and len(cells) == len(last.split(mark))
        if alike and any(is_number(c) for c in cells):
            n -= 1
            break
    return text[starts[n] :], n


def _line(text: str, at: int) -> str:
    match = _LINE.match(text, at)
    return match[0].rstrip("\r\n") if match else ""


def has_sep_line(text: str) -> bool:
    """Whether a text begins with the ``sep=;`` that Excel writes."""
    return bool(re.match(r"sep=.\r?\n", text))


def rows(text: str, delimiter: str, before: int = 0) -> Iterator[Row]:
    """Every row that is not blank; `before` lines of the file stand above `text`.

    Raises
    ------
    csv.Error
        For a quote that is never closed, or a field beyond the csv module's limit; its
        message begins with the line.
    """
    lines = io.StringIO(text, newline="")
    skipped = before
    if has_sep_line(text):
        lines.readline()
        skipped += 1
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True, strict=True)
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise csv.Error(f"line {reader.line_num + skipped}: {error}") from None
        if any(cell.strip() for cell in cells):
            yield Row(reader.line_num + skipped, cells)


def is_number(cell: str) -> bool:
    """Whether a cell reads as a number with a decimal point or comma."""
    cell = cell.strip()
    return bool(POINT.fullmatch(cell) or COMMA.fullmatch(cell))


def is_nameless(header: Sequence[str]) -> bool:
    """Whether a first row is numbers, so that the columns have no names."""
    named = [c for c in header if c.strip()]
    return bool(named) and all(is_number(c) for c in named)


def trimmed(cells: Sequence[str], n: int) -> list[str]:
    """`cells` without empty ones beyond the `n`-th, which a trailing delimiter makes."""
    cut = len(cells)
    while cut > n and not cells[cut - 1].strip():
        cut -= 1
    return list(cells[:cut])
