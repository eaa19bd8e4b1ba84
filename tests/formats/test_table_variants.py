"""Tables as programs and people write them: comments, dates, spans, states, BIDS."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from nwbkit.errors import DamagedInput, MissingFact, NwbkitError, UnknownFormat, UsageError
from nwbkit.formats import registry
from nwbkit.formats.base import Source
from nwbkit.formats.tables.csv import FORMAT
from tests.formats.behavior_files import assert_sound, convert
from tests.formats.tabled import NAN, TIMES, assert_rows, opened, sole, written

DATES = (
    "start,stop\n2024-05-01T10:00:00.5+02:00,2024-05-01T10:00:01+02:00\n"
    "2024-05-01T08:00:01.5Z,2024-05-01 08:00:02+00:00\n"
)
LABELLED = {**TIMES, "label": ["a", "b"]}

#: name -> (file, text, options, rows, whether there is a second way to read)
READS: dict[str, tuple[str, str, dict[str, Any], dict[str, Any], bool]] = {
    "comments": (
        "a.csv",
        '# by "X\n% 2,3\n//\nstart,stop,label\n0.5,1,a\n1.5,2,b\n',
        *({}, LABELLED, True),
    ),
    "comments, crlf": ("a.csv", "# x\r\nstart,stop\r\n0.5,1\r\n1.5,2\r\n", {}, TIMES, True),
    "the header a comment": ("a.txt", "# start\tstop\n0.5\t1\n1.5\t2\n", {}, TIMES, True),
    "the header after comments": (
        "a.csv",
        "# by X\n#label,start,stop\na,0.5,1\nb,1.5,2\n",
        {},
        LABELLED,
        True,
    ),
    "a number sign in a row": (
        "a.csv",
        "start,stop,label\n0.5,1,#1\n1.5,2,#2\n",
        {},
        {**TIMES, "label": ["#1", "#2"]},
        True,
    ),
    "the header's line": (
        "a.csv",
        "Subject,M1,\nDate,today\n\nstart,stop\n0.5,1\n1.5,2\n",
        *({"header": 4}, TIMES, True),
    ),
    "an empty column without a name": (
        "a.csv",
        "start,,stop,,label\n0.5,,1,,a\n1.5,,2,,b\n",
        *({}, LABELLED, True),
    ),
    "pandas' index and an empty column": (
        "a.csv",
        ",start,stop,,label\n0,0.5,1,,a\n1,1.5,2,,b\n",
        *({}, LABELLED, True),
    ),
    "an empty column with a name": (
        "a.csv",
        "start,stop,note\n0.5,1,\n1.5,2,\n",
        *({}, {**TIMES, "note": [NAN, NAN]}, True),
    ),
    "on and off": ("a.csv", "stim_on_time,stim_off_time\n0.5,1\n1.5,2\n", {}, TIMES, True),
    "a state beside a time": (
        "a.csv",
        "time,on\n0.5,1\n1.5,0\n",
        *({}, {"timestamp": [0.5, 1.5], "on": [1, 0]}, True),
    ),
    "a state of both names": (
        "a.csv",
        "time,on,off\n0.5,1,0\n",
        *({}, {"timestamp": [0.5], "on": [1], "off": [0]}, True),
    ),
    "frames": (
        "a.csv",
        "frame_start,frame_stop\n10,20\n30,40\n",
        *({"rate": 20.0}, {"start_time": [10, 30], "stop_time": [20, 40]}, True),
    ),
    "Raven": (
        "a.txt",
        "Begin Time (s)\tEnd Time (s)\tSpecies\n0.5\t1\tx\n1.5\t2\ty\n",
        *({}, {**TIMES, "Species": ["x", "y"]}, True),
    ),
    "Audacity": (
        "a.txt",
        "0.5\t1.0\ta\n1.5\t2.0\tb\n",
        *({"columns": "start,stop,label"}, LABELLED, True),
    ),
    "BIDS": (
        "sub-1_task-x_events.tsv",
        "onset\tduration\ttrial_type\n1.0\t0.5\tgo\n2.0\tn/a\tstop\n3\t0\tgo\n",
        {},
        {
            "start_time": [1.0, 2.0, 3.0],
            "stop_time": [1.5, NAN, 3.0],
            "duration": [0.5, NAN, 0.0],
            "trial_type": ["go", "stop", "go"],
        },
        True,
    ),
    "BIDS as events": (
        "sub-1_task-x_events.tsv",
        "onset\tduration\ttrial_type\n1.0\t0.5\tgo\n",
        {"kind": "events"},
        {"timestamp": [1.0], "duration": [0.5], "trial_type": ["go"]},
        True,
    ),
    "lists": (
        "a.csv",
        'start,stop,licks\n0.5,1,"[1.1, 1.2]"\n1.5,2,[]\n',
        *({}, {**TIMES, "licks": ["[1.1, 1.2]", "[]"]}, True),
    ),
    "spans": (
        "a.csv",
        "start,stop\n0:00:00.5,00:01\n0:00:01.5,00:02\n",
        *({"unit": "hms"}, TIMES, True),
    ),
    "long spans": (
        "a.csv",
        "start,stop\n1:00:01.123456789,100:00\n",
        *({"unit": "hms"}, {"start_time": [3601.123456789], "stop_time": [6000.0]}, True),
    ),
    "dates": ("a.csv", DATES, {"zero": "2024-05-01T10:00:00+02:00"}, TIMES, True),
    "dates to a tenth of a microsecond": (
        "a.csv",
        "time\n2018-05-29T10:46:15.7408007+02:00\n",
        {"zero": "2018-05-29T08:46:15Z"},
        {"timestamp": [0.7408007]},
        True,
    ),
    "dates without zones": (
        "a.csv",
        "start,stop\n2024-05-01 10:00:00.5,2024-05-01 10:00:01\n"
        "2024/05/01 10:00:01.5,2024-05-01 10:00:02\n",
        {"zero": "2024-05-01T10:00:00"},
        TIMES,
        False,
    ),
    "dates over the end of summer time": (
        "a.csv",
        "start,stop\n2024-10-27 01:30,2024-10-27 03:30\n",
        {"zero": "2024-10-27T01:00:00+02:00", "timezone": "Europe/Berlin"},
        {"start_time": [1800.0], "stop_time": [12600.0]},
        False,
    ),
    "a date with a duration": (
        "a.csv",
        "start,duration\n2024-05-01T08:00:00.5Z,0.5\n",
        {"zero": "2024-05-01T10:00:00+02:00"},
        {"start_time": [0.5], "stop_time": [1.0], "duration": [0.5]},
        True,
    ),
}


@pytest.mark.parametrize("case", READS)
def test_it_is_read_and_reread(case: str, tmp_path: Path) -> None:
    name, text, options, wanted, again = READS[case]
    reader = opened(written(tmp_path, name, text), **options)
    stream = sole(reader)
    assert_rows(stream.read(), wanted)
    second = reader.reread_table(stream.id)
    assert (second is not None) is again
    if second is not None:
        assert_rows(second, wanted)


#: name -> (file, text, options, error, in the message, in the hint)
REFUSED: dict[str, tuple[str, str, dict[str, Any], type[NwbkitError], str, str]] = {
    "dates": ("a.csv", DATES, {}, MissingFact, "which nothing relates", "--set t.zero="),
    "spans": ("a.csv", "time\n0:01:02\n", {}, MissingFact, "a time of day", "--set t.unit=hms"),
    "naive dates": (
        "a.csv",
        "time\n2024-05-01 10:00:00\n",
        {"zero": "2024-05-01T10:00:00+02:00"},
        *(MissingFact, "dates say no time zone", "--set t.timezone=ZONE"),
    ),
    "naive zero": (
        "a.csv",
        DATES,
        {"zero": "2024-05-01T10:00:00"},
        *(MissingFact, "zero say no time zone", "--set t.timezone=ZONE"),
    ),
    "no zero": ("a.csv", DATES, {"zero": "noon"}, UsageError, "takes a moment", ""),
    "no zone": ("a.csv", DATES, {"timezone": "../etc/x"}, UsageError, "takes a zone", ""),
    "day first": (
        "a.csv",
        "time\n01/05/2024 10:00:00\n",
        {"zero": "2024-05-01T10:00:00"},
        *(DamagedInput, "is no date like 2024-05-01", "--salvage"),
    ),
    "no such day": (
        "a.csv",
        "time\n2024-13-01 10:00:00\n",
        {"zero": "2024-05-01T10:00:00"},
        *(DamagedInput, "no date that there is", "--salvage"),
    ),
    "60 minutes": ("a.csv", "time\n0:60:00\n", {"unit": "hms"}, DamagedInput, "more than 59", ""),
    "no span": ("a.csv", "time\n17\n", {"unit": "hms"}, DamagedInput, "is no span", "--salvage"),
    "numbers and texts without a header": (
        "a.txt",
        "0.5\t1.0\ta\n1.5\t2.0\tb\n",
        *({}, MissingFact, "no row names its columns", "--set t.columns="),
    ),
    "a column without a name": (
        "a.csv",
        "start,,stop\n0.5,7,1\n",
        *({}, DamagedInput, "column 2 has no name", "--set t.columns="),
    ),
    "a name twice": (
        "a.csv",
        "start,stop,,a,a\n0.5,1,,2,3\n",
        *({}, DamagedInput, "two columns 'a' (4 and 5)", "--set t.columns="),
    ),
    "a header beyond the end": ("a.csv", "start,stop\n1,2\n", {"header": 9}, DamagedInput, "", ""),
    "old Excel": ("a.xls", "\xd0\xcf", {}, UnknownFormat, "type .xls are not read", ".xlsx"),
    "OpenDocument": ("a.ods", "PK", {}, UnknownFormat, "type .ods are not read", ".csv"),
    "only comments": ("a.csv", "# a\n# b\n", {}, NwbkitError, "", ""),
}


@pytest.mark.parametrize("case", REFUSED)
def test_it_is_refused_in_one_line(case: str, tmp_path: Path) -> None:
    name, text, options, error, says, hint = REFUSED[case]
    with pytest.raises(error) as failure:
        opened(written(tmp_path, name, text), **options)
    assert says in str(failure.value) and hint in str(failure.value.hint or "")
    assert "\n" not in str(failure.value)


def test_workbooks_of_other_kinds_are_claimed_only_where_they_are_meant(tmp_path: Path) -> None:
    for name in ("notes.xls", "budget.ods", "trials.xls"):
        written(tmp_path, name, "x")
    found = [p.name for s in registry.detect([tmp_path]).sources() for p in s.paths]
    assert found == ["trials.xls"]
    (source,) = registry.detect([tmp_path / "budget.ods"]).sources()
    assert source.format == "csv"


def test_a_table_with_comments_is_claimed_in_a_walk(tmp_path: Path) -> None:
    written(tmp_path, "a.csv", "# by X\nstart,stop\n0.5,1\n1.5,2\n")
    written(tmp_path, "b.csv", "# start,stop\n0.5,1\n1.5,2\n")
    written(tmp_path, "c.csv", "led,on\n1,0\n0,1\n")
    found = sorted(p.name for s in registry.detect([tmp_path]).sources() for p in s.paths)
    assert found == ["a.csv", "b.csv"]


def test_spans_and_dates_of_excel(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.active.append(["My notes"])
    book.active.append(["start", "stop"])
    book.active.append([datetime.time(0, 0, 1, 500000), datetime.timedelta(hours=25)])
    book.save(tmp_path / "spans.xlsx")
    spans = opened(tmp_path / "spans.xlsx", unit="hms", header=2)
    assert_rows(sole(spans).read(), {"start_time": [1.5], "stop_time": [90000.0]})
    book = openpyxl.Workbook()
    book.active.append(["time"])
    book.active.append([datetime.datetime(2024, 5, 1, 10, 0, 1)])
    book.save(tmp_path / "dates.xlsx")
    zero = {"zero": "2024-05-01T10:00:00+02:00", "timezone": "Europe/Berlin"}
    assert_rows(sole(opened(tmp_path / "dates.xlsx", **zero)).read(), {"timestamp": [1.0]})


def test_dates_are_placed_by_the_session_start_that_was_given(tmp_path: Path) -> None:
    raw = written(tmp_path, "trials.csv", DATES)
    reader = opened(raw, zero="2024-05-01T10:00:00+02:00")
    (clock,) = reader.clocks
    assert clock.anchor is not None and clock.anchor.session_offset_s == 0.0
    start = reader.metadata()["NWBFile"]["session_start_time"]
    assert start == "2024-05-01T10:00:00+02:00"
    out = tmp_path / "out.nwb"
    convert(raw, out, sets=["trials.zero=2024-05-01T10:00:00+02:00"])
    assert_sound(out, raw)
    with h5py.File(out) as f:
        assert f["intervals/trials/start_time"][...].tolist() == TIMES["start_time"]


def test_options_are_listed(tmp_path: Path) -> None:
    assert {"zero", "timezone", "header", "kind", "sheet"} <= {o.name for o in FORMAT.options}
    source = Source("t", "csv", (written(tmp_path, "a.csv", "time\n1\n"),))
    assert registry.open_source(source, known={"csv": FORMAT}).metadata() == {}


def test_thousands_of_dates_take_no_time(tmp_path: Path) -> None:
    day = datetime.datetime(2024, 5, 1, 10)
    lines = [(day + datetime.timedelta(seconds=i)).isoformat() + "Z" for i in range(20_000)]
    raw = written(tmp_path, "a.csv", "time\n" + "\n".join(lines) + "\n")
    begun = datetime.datetime.now()
    reader = opened(raw, zero="2024-05-01T10:00:00Z")
    assert np.array_equal(sole(reader).read()["timestamp"], np.arange(20_000.0))
    assert (datetime.datetime.now() - begun).total_seconds() < 20
