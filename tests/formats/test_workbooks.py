"""Excel workbooks: what is read, what is refused."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pytest

from nwbkit.errors import DamagedInput, MissingFact, NwbkitError, UsageError
from nwbkit.formats.tables.csv import grid as gridding
from nwbkit.formats.tables.csv.sheets import Workbook
from tests.formats.tabled import TIMES, assert_rows, opened, sole


def book(path: Path, make: Callable[[Any], None]) -> Path:
    workbook = openpyxl.Workbook()
    make(workbook)
    workbook.save(path)
    return path


def fill(sheet: Any, *rows: Any) -> None:
    for row in rows:
        sheet.append(row)


def edited(path: Path, part: str, old: bytes, new: bytes) -> Path:
    """Replace bytes inside one part of a workbook."""
    with zipfile.ZipFile(path) as z:
        parts = {name: z.read(name) for name in z.namelist()}
    assert old in parts[part]
    parts[part] = parts[part].replace(old, new)
    with zipfile.ZipFile(path, "w") as z:
        for name, raw in parts.items():
            z.writestr(name, raw)
    return path


SHEET = "xl/worksheets/sheet1.xml"


def simple(workbook: Any) -> None:
    fill(workbook.active, ["start", "stop", "who"], [0.5, 1, "a"], [1.5, 2, None])


def test_a_workbook_is_read_and_reread_alike(tmp_path: Path) -> None:
    reader = opened(book(tmp_path / "trials.xlsx", simple))
    stream = sole(reader)
    wanted = {**TIMES, "who": ["a", ""]}
    assert_rows(stream.read(), wanted)
    again = reader.reread_table(stream.id)
    assert again is not None
    assert_rows(again, wanted)
    assert stream.nwb_name == "trials"  # 'Sheet' is nobody's name


def several(workbook: Any) -> None:
    simple(workbook)
    workbook.active.title = "Läufe 1"
    fill(workbook.create_sheet("licks"), ["time"], [0.5])
    fill(workbook.create_sheet("notes"), ["text", "more"], ["a", "b"])
    fill(workbook.create_sheet("old"), ["time"], [0.7])
    workbook["old"].sheet_state = "hidden"


def test_each_sheet_is_a_stream_and_what_is_left_out_is_said(tmp_path: Path) -> None:
    path = book(tmp_path / "x.xlsx", several)
    reader = opened(path)
    assert [(s.id, s.role, s.nwb_name) for s in reader.streams] == [
        ("L-ufe-1", "intervals", "Läufe 1"),
        ("licks", "events", None),
    ]
    notes = " ".join(reader.notes)
    assert "'old' of 'x.xlsx' is hidden" in notes
    assert "sheet 'notes'" in notes
    assert [s.name for s in opened(path, sheet="old").streams] == ["old"]
    with pytest.raises(UsageError) as error:
        opened(path, sheet="new")
    assert "'licks'" in (error.value.hint or "")


def formulas(workbook: Any) -> None:
    fill(workbook.active, ["start", "stop"], [0.5, "=A2+1"])


def merged(workbook: Any) -> None:
    fill(workbook.active, ["start", "stop", "who"], [0.5, 1, "a"], [1.5, 2, None])
    workbook.active.merge_cells("C2:C3")


def dates(workbook: Any) -> None:
    import datetime

    fill(workbook.active, ["start", "stop"], [datetime.datetime(2024, 5, 1, 10), 2])


WORKBOOKS: dict[str, tuple[Callable[[Any], None], type[NwbkitError], list[str]]] = {
    "formulas": (formulas, DamagedInput, ["cell B2", "formula without a stored value"]),
    "merged cells": (merged, DamagedInput, ["merged cells (C2:C3)"]),
    "dates": (dates, MissingFact, ["dates or times of day"]),
    "empty": (lambda w: None, DamagedInput, ["is empty"]),
}


@pytest.mark.parametrize("case", WORKBOOKS)
def test_workbooks_that_mislead_are_refused(case: str, tmp_path: Path) -> None:
    make, kind, said = WORKBOOKS[case]
    with pytest.raises(kind) as error:
        opened(book(tmp_path / "x.xlsx", make))
    for words in said:
        assert words in error.value.message


def test_errors_in_cells_are_named(tmp_path: Path) -> None:
    path = book(tmp_path / "x.xlsx", simple)
    edited(path, SHEET, b'<c r="A2" t="n"><v>0.5</v></c>', b'<c r="A2" t="e"><v>#DIV/0!</v></c>')
    with pytest.raises(DamagedInput, match="cell A2 holds the error #DIV/0!"):
        opened(path)
    reader = opened(path, salvage=True)
    assert sole(reader).read()["start_time"].tolist() == [1.5]


def test_a_formula_with_its_value_is_that_value(tmp_path: Path) -> None:
    path = book(tmp_path / "x.xlsx", simple)
    edited(path, SHEET, b'<c r="A2" t="n"><v>0.5</v></c>', b'<c r="A2"><f>1/4</f><v>0.25</v></c>')
    assert sole(opened(path)).read()["start_time"].tolist() == [0.25, 1.5]


def test_dates_beside_the_times_become_text(tmp_path: Path) -> None:
    import datetime

    def make(workbook: Any) -> None:
        fill(workbook.active, ["start", "stop", "day"], [1, 2, datetime.datetime(2024, 5, 1, 10)])

    reader = opened(book(tmp_path / "x.xlsx", make))
    assert sole(reader).read()["day"].tolist() == ["2024-05-01T10:00:00"]
    assert reader.reread_table("intervals") is None


# ---- traps: what a library alone gets wrong -------------------------------------------------


def wrong_dimension(folder: Path) -> Path:
    path = book(folder / "x.xlsx", simple)
    return edited(path, SHEET, b'<dimension ref="A1:C3"', b'<dimension ref="A1:C2"')


def test_a_wrong_dimension_cuts_nothing_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from openpyxl.worksheet._read_only import ReadOnlyWorksheet

    path = wrong_dimension(tmp_path)
    assert sole(opened(path)).n_rows == 2
    monkeypatch.setattr(ReadOnlyWorksheet, "reset_dimensions", lambda self: None)
    assert sole(opened(path)).n_rows == 1  # so openpyxl alone


def test_without_the_check_a_formula_is_an_empty_cell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gridding, "_check_cells", lambda *a: None)
    stop = sole(opened(book(tmp_path / "x.xlsx", formulas))).read()["stop_time"]
    assert np.isnan(stop).all()


def test_rows_out_of_order_are_refused(tmp_path: Path) -> None:
    path = edited(book(tmp_path / "x.xlsx", simple), SHEET, b'<row r="2">', b'<row r="4">')
    with pytest.raises(DamagedInput, match="row 3 after row 4"):  # openpyxl drops the second one
        opened(path)


def _unreadable(workbook: Any) -> None:
    fill(workbook.active, ["start", "stop", "who"], [0.5, 1, "a"])


BROKEN = {
    "xml": (b"<sheetData>", b"<sheetData"),
    "number": (b"<v>0.5</v>", b"<v>0.5.5</v>"),
    "text out of its table": (b't="n"><v>0.5</v>', b't="s"><v>99</v>'),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_parts_are_damage(case: str, tmp_path: Path) -> None:
    path = edited(book(tmp_path / "x.xlsx", _unreadable), SHEET, *BROKEN[case])
    with pytest.raises(DamagedInput) as error:
        opened(path)
    assert "'x.xlsx'" in error.value.message
    assert "\n" not in error.value.message


HOSTILE = {
    "entities": (
        "xl/workbook.xml",
        b"<workbook",
        b'<!DOCTYPE w [<!ENTITY a "x">]><workbook',
        "entities",
    ),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_workbooks_are_refused_unread(case: str, tmp_path: Path) -> None:
    part, old, new, said = HOSTILE[case]
    path = edited(book(tmp_path / "x.xlsx", simple), part, old, new)
    with pytest.raises(DamagedInput, match=said):
        opened(path)


def test_a_workbook_that_unpacks_to_too_much_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nwbkit.formats.tables.csv import sheets

    path = book(tmp_path / "x.xlsx", simple)
    with Workbook(path):
        pass
    monkeypatch.setattr(sheets, "MAX_UNPACKED", 1000)
    with pytest.raises(DamagedInput, match="would unpack to"):
        opened(path)
