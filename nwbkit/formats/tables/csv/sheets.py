"""The sheets of an .xlsx by zipfile and XML: for looking, for checking, and as a second reader.

Standard library only. Source: ECMA-376, part 1, 18.2 (workbook), 18.3 (sheets), 18.4.8 (shared
strings). openpyxl reads the values that are converted; nothing here goes into a file.
"""

from __future__ import annotations

import posixpath
import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import IO
from xml.etree import ElementTree

#: A workbook whose parts unpack to more is refused unread.
MAX_UNPACKED = 512 << 20
#: What zipfile, ElementTree and numbers that are none raise.
_BROKEN = (
    ElementTree.ParseError,
    zipfile.BadZipFile,
    zlib.error,
    LookupError,
    EOFError,
    RuntimeError,
    NotImplementedError,
    UnicodeError,
    OSError,
)
Value = str | int | float | bool | None


class Refused(ValueError):
    """The file is no workbook that can be read here."""


@dataclass(frozen=True)
class Sheet:
    """A worksheet: its name, whether Excel hides it, and its part in the archive."""

    name: str
    hidden: bool
    part: str


@dataclass(frozen=True)
class Cell:
    """A value; `formula` where one stands behind it, `error` for ``#DIV/0!`` and its like."""

    value: Value
    formula: bool = False
    error: bool = False


@dataclass(frozen=True)
class Row:
    """A row's number (from 1) and its cells by column (from 0)."""

    number: int
    cells: dict[int, Cell]

    def texts(self) -> list[str]:
        """The cells as text, empty ones in between as empty text."""
        width = max(self.cells, default=-1) + 1
        values = [self.cells[i].value if i in self.cells else None for i in range(width)]
        return ["" if v is None else str(v) for v in values]


class Workbook:
    """An .xlsx file, open; a context manager.

    Raises
    ------
    Refused
        Where it is no workbook, is encrypted, or unpacks to more than :data:`MAX_UNPACKED`.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._zip = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
            raise Refused(f"is no .xlsx workbook: {error}".lower()) from None
        try:
            self._check()
            self.sheets = self._list()
        except _BROKEN as error:
            self._zip.close()
            raise Refused(f"is no .xlsx workbook: {error}".lower()) from None
        except Refused:
            self._zip.close()
            raise
        self._shared: list[str] | None = None

    def __enter__(self) -> Workbook:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._zip.close()

    def _check(self) -> None:
        infos = self._zip.infolist()
        total = sum(i.file_size for i in infos)
        if total > MAX_UNPACKED:
            raise Refused(f"would unpack to {total} bytes, more than {MAX_UNPACKED}")
        for info in infos:
            if info.flag_bits & 1:
                raise Refused("is encrypted")
            if info.filename.endswith((".xml", ".rels")):
                with self._zip.open(info) as f:
                    if b"<!DOCTYPE" in f.read(4096).replace(b"\0", b"").upper():
                        raise Refused(f"declares XML entities in '{info.filename}'")

    def _list(self) -> tuple[Sheet, ...]:
        top = self._targets("_rels/.rels", "", "/officeDocument")
        book = next(iter(top.values()), "xl/workbook.xml")
        folder, name = posixpath.split(book)
        parts = self._targets(f"{folder}/_rels/{name}.rels", folder, "/worksheet")
        found = []
        for element in ElementTree.fromstring(self._zip.read(book)).iter():
            if _tag(element) != "sheet":
                continue
            relation = next((v for k, v in element.attrib.items() if k.endswith("}id")), "")
            if relation in parts:  # a chart or macro sheet has no cells
                hidden = element.get("state", "visible") != "visible"
                found.append(Sheet(element.get("name", ""), hidden, parts[relation]))
        return tuple(found)

    def _targets(self, part: str, folder: str, kind: str) -> dict[str, str]:
        targets = {}
        for element in ElementTree.fromstring(self._zip.read(part)):
            if element.get("Type", "").endswith(kind):
                target = posixpath.normpath(posixpath.join("/" + folder, element.get("Target", "")))
                targets[element.get("Id", "")] = target.lstrip("/")
        return targets

    def rows(self, sheet: Sheet, limit: int | None = None) -> Iterator[Row]:
        """The rows that hold something, in order; at most `limit` of them.

        Raises
        ------
        Refused
            Where the sheet's XML cannot be read.
        """
        try:
            yield from islice(self._rows(sheet), limit)
        except _BROKEN as error:
            raise Refused(f"sheet '{sheet.name}' cannot be read: {error}") from None

    def _rows(self, sheet: Sheet) -> Iterator[Row]:
        last = 0
        with self._zip.open(sheet.part) as part:
            for element in _each(part, "row"):
                number = _whole(element.get("r") or str(last + 1))
                if number <= last:
                    # openpyxl passes over such rows without a word
                    raise Refused(f"sheet '{sheet.name}' has row {number} after row {last}")
                last = number
                cells = self._cells(element)
                if cells:
                    yield Row(number, cells)

    def _cells(self, row: ElementTree.Element) -> dict[int, Cell]:
        cells: dict[int, Cell] = {}
        column = -1
        for child in row:
            column = _column(child.get("r")) if child.get("r") else column + 1
            cell = self._cell(child)
            if cell.value is not None or cell.formula:
                cells[column] = cell
        return cells

    def merged(self, sheet: Sheet) -> list[str]:
        """The ranges of merged cells, as ``A1:B2``."""
        try:
            with self._zip.open(sheet.part) as part:
                return [e.get("ref", "") for e in _each(part, "mergeCell")]
        except _BROKEN as error:
            raise Refused(f"sheet '{sheet.name}' cannot be read: {error}") from None

    def _cell(self, element: ElementTree.Element) -> Cell:
        kind = element.get("t", "n")
        children = {_tag(c): c for c in element}
        formula = "f" in children
        if kind == "inlineStr":
            return Cell(_joined(children["is"]) if "is" in children else None, formula)
        node = children.get("v")
        text = node.text if node is not None else None
        if text is None:
            return Cell(None, formula)
        if kind == "s":
            return Cell(self._strings()[_whole(text)], formula)
        if kind == "b":
            return Cell(text.strip() == "1", formula)
        if kind == "n":
            return Cell(_number(text), formula)
        return Cell(text, formula, kind == "e")

    def _strings(self) -> list[str]:
        if self._shared is None:
            names = [n for n in self._zip.namelist() if n.lower().endswith("sharedstrings.xml")]
            self._shared = []
            for name in names[:1]:
                with self._zip.open(name) as part:
                    self._shared = [_joined(e) for e in _each(part, "si")]
        return self._shared


def _whole(text: str) -> int:
    if not re.fullmatch(r"\s*\d{1,9}\s*", text):
        raise Refused(f"'{text[:20]}' stands where a whole number must")
    return int(text)


def _number(text: str) -> int | float:
    if re.fullmatch(r"\s*[+-]?\d{1,25}\s*", text):
        return int(text)
    try:
        return float(text)
    except ValueError:
        raise Refused(f"'{text[:20]}' stands where a number must") from None


def _each(part: IO[bytes], tag: str) -> Iterator[ElementTree.Element]:
    """Each element of one tag, emptied once it was used."""
    for _, element in ElementTree.iterparse(part):
        if _tag(element) == tag:
            yield element
            element.clear()


def _tag(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _joined(element: ElementTree.Element) -> str:
    """The text of a string item: its own and that of its runs, without phonetic hints."""
    texts = []
    for child in element:
        if _tag(child) == "t":
            texts.append(child.text or "")
        elif _tag(child) == "r":
            texts += [t.text or "" for t in child if _tag(t) == "t"]
    return "".join(texts)


def _column(reference: str | None) -> int:
    number = 0
    for letter in re.match(r"[A-Za-z]*", reference or "")[0].upper():  # type: ignore[index]
        number = number * 26 + ord(letter) - 64
    return number - 1
