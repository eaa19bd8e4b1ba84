"""CSV, TSV and Excel tables: what is read, what is refused, what is claimed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nwbkit.errors import DamagedInput, MissingFact, NwbkitError, UsageError
from nwbkit.formats import registry
from nwbkit.formats.tables.csv.build import Builder
from tests.data import DATA, needs_data
from tests.formats.tabled import KNOWN, NAN, TIMES, assert_rows, opened, sole, written

READS: dict[str, tuple[str, str | bytes, dict[str, Any], dict[str, Any]]] = {
    "plain": ("a.csv", "start,stop\n0.5,1\n1.5,2\n", {}, TIMES),
    "crlf and no end of line": ("a.csv", "start,stop\r\n0.5,1\r\n1.5,2", {}, TIMES),
    "bom": ("a.csv", b"\xef\xbb\xbfstart,stop\n0.5,1\n1.5,2\n", {}, TIMES),
    "utf-16 of excel": ("a.txt", "start\tstop\r\n0.5\t1\r\n1.5\t2\r\n".encode("utf-16"), {}, TIMES),
    "tabs": ("a.tsv", "start\tstop\n0.5\t1\n1.5\t2\n", {}, TIMES),
    "decimal comma": ("a.csv", "start;stop\n0,5;1,0\n1,5;2\n", {}, TIMES),
    "sep line": ("a.csv", "sep=;\nstart;stop\n0.5;1\n1.5;2\n", {}, TIMES),
    "blank lines": ("a.csv", "\nstart,stop\n\n0.5,1\n , \n1.5,2\n\n", {}, TIMES),
    "trailing delimiters": ("a.csv", "start,stop,\n0.5,1,\n1.5,2,\n", {}, TIMES),
    "spaces": ("a.csv", "start, stop\n 0.5, 1\n1.5 ,2 \n", {}, TIMES),
    "ms in names": ("a.csv", "start_ms,stop_ms\n500,1000\n1500,2000\n", {}, TIMES),
    "brackets": ("a.csv", "Start Time (us),Stop Time [s]\n500000,1\n1500000,2\n", {}, TIMES),
    "camel": ("a.csv", "startTimeMs,stopTime\n500,1\n1500,2\n", {}, TIMES),
    "minutes": (
        "a.csv",
        "start (min),stop (min)\n1,2\n",
        {},
        {"start_time": [60.0], "stop_time": [120.0]},
    ),
    "unit by option": ("a.csv", "start,stop\n500,1000\n1500,2000\n", {"unit": "ms"}, TIMES),
    "samples become integers": (
        "a.csv",
        "start_sample,stop_sample\n5,10.0\n15,20\n",
        {"rate": 10.0},
        {"start_time": [5, 15], "stop_time": [10, 20]},
    ),
    "samples beside seconds": (
        "a.csv",
        "start_sample,stop\n5,1\n15,2\n",
        {"rate": 10.0},
        TIMES,
    ),
    "duration": (
        "a.csv",
        "onset,duration_ms,kind\n0.5,500,x\n1.5,500,y\n",
        {},
        {**TIMES, "duration_ms": [500, 500], "kind": ["x", "y"]},
    ),
    "columns by option": (
        "a.csv",
        "von,bis\n0.5,1\n1.5,2\n",
        {"start": "von", "stop": "bis"},
        TIMES,
    ),
    "names by option": ("a.csv", "0.5,1\n1.5,2\n", {"columns": "start,stop"}, TIMES),
    "other names by option": ("a.csv", "a,a\n0.5,1\n1.5,2\n", {"columns": "start,stop"}, TIMES),
    "an unfinished trial": (
        "a.csv",
        "start,stop\n0.5,1\n1.5,\n",
        {},
        {"start_time": [0.5, 1.5], "stop_time": [1.0, NAN]},
    ),
    "header only": (
        "a.csv",
        "start,stop\n",
        {},
        {"start_time": np.zeros(0), "stop_time": np.zeros(0)},
    ),
    "types": (
        "a.csv",
        'start,stop,ok,n,x,who,code,gap\n0,1,True,7,.5,"a, ""b""\nc",007,3\n1,2,false,-8,2,ß,1,NA\n',
        {},
        {
            "start_time": [0.0, 1.0],
            "stop_time": [1.0, 2.0],
            "ok": [True, False],
            "n": [7, -8],
            "x": [0.5, 2.0],
            "who": ['a, "b"\nc', "ß"],
            "code": ["007", "1"],
            "gap": [3.0, NAN],
        },
    ),
    "integers beyond int64 stay text": (
        "a.csv",
        "start,stop,n\n0,1,99999999999999999999\n",
        {},
        {"start_time": [0.0], "stop_time": [1.0], "n": ["99999999999999999999"]},
    ),
    "a heading over two lines": (
        "a.csv",
        'start,"stop\n(ms)"\n0.5,1000\n1.5,2000\n',
        {},
        TIMES,
    ),
    "index of pandas": (
        "a.csv",
        ",start,stop\n0,0.5,1\n1,1.5,2\n",
        {},
        TIMES,
    ),
    "latin-1": (
        "a.csv",
        "start,stop,größe\n0.5,1,1\n1.5,2,2\n".encode("latin-1"),
        {},
        {**TIMES, "größe": [1, 2]},
    ),
    "reserved and forbidden names": (
        "a.csv",
        "start,stop,id,tags,a/b\n0,1,5,x,2\n",
        {},
        {
            "start_time": [0.0],
            "stop_time": [1.0],
            "id_column": [5],
            "tags_column": ["x"],
            "a_b": [2],
        },
    ),
    "further times": (
        "a.csv",
        "start,stop,cue_time\n500,1000,600\n",
        {"unit": "ms", "times": "cue_time"},
        {"start_time": [0.5], "stop_time": [1.0], "cue_time": [0.6]},
    ),
    "events": (
        "a.csv",
        "timestamp,label\n0.5,x\n0.25,y\n",
        {},
        {"timestamp": [0.5, 0.25], "label": ["x", "y"]},
    ),
    "events with a duration": (
        "a.csv",
        "time_ms,duration\n500,2\n",
        {},
        {"timestamp": [0.5], "duration": [2.0]},
    ),
    "intervals as events": (
        "a.csv",
        "start,stop\n0.5,1\n1.5,2\n",
        {"kind": "events"},
        {"timestamp": [0.5, 1.5], "duration": [0.5, 0.5]},
    ),
    "onsets alone are events": ("a.csv", "onset,x\n1,2\n", {}, {"timestamp": [1.0], "x": [2]}),
    "offset alone is no end": (
        "a.csv",
        "time,offset\n1,2\n",
        {},
        {"timestamp": [1.0], "offset": [2]},
    ),
}


@pytest.mark.parametrize("case", READS)
def test_a_table_is_read_and_reread_alike(case: str, tmp_path: Path) -> None:
    name, content, options, wanted = READS[case]
    reader = opened(written(tmp_path, name, content), **options)
    stream = sole(reader)
    assert stream.role == ("events" if "timestamp" in wanted else "intervals")
    assert_rows(stream.read(), wanted)
    again = reader.reread_table(stream.id)
    assert again is not None
    assert_rows(again, wanted)


#: name, content, options, status, what the message says, what the hint says
REFUSED: dict[str, tuple[str, str | bytes, dict[str, Any], type[NwbkitError], list[str], str]] = {
    "empty": ("a.csv", "", {}, DamagedInput, ["'a.csv' is empty"], ""),
    "only blank lines": ("a.csv", "\n \n,,\n", {}, DamagedInput, ["'a.csv' is empty"], ""),
    "no header": ("a.csv", "0.5,1\n1.5,2\n", {}, MissingFact, ["begins with numbers"], "--set t.columns="),
    "no time": ("a.csv", "a,b\n1,2\n", {}, MissingFact, ["'a', 'b'"], "--set t.start=COLUMN"),
    "no such column": ("a.csv", "a,b\n1,2\n", {"start": "c"}, MissingFact, ["no column 'c'"], "columns: a, b"),
    "intervals without an end": ("a.csv", "start\n1\n", {"kind": "intervals"}, MissingFact, ["stop"], "--set t.stop=COLUMN"),
    "two starts": ("a.csv", "start,begin,stop\n1,1,2\n", {}, MissingFact, ["'start' and 'begin'"], "--set t.start='start'"),
    "duplicate names": ("a.csv", "start,stop,a,a\n1,2,3,4\n", {}, DamagedInput, ["two columns 'a' (3 and 4)"], "--set t.columns="),
    "a nameless column": ("a.csv", "start,,stop\n1,x,2\n", {}, DamagedInput, ["column 2 has no name"], "--set t.columns="),
    "ragged": ("a.csv", "start,stop\n1,2\n3\n4,5\n", {}, DamagedInput, ["line 3", "1 cells", "header has 2"], "--salvage"),
    "too long a row": ("a.csv", "start,stop\n1,2,3\n", {}, DamagedInput, ["line 2", "3 cells"], "--salvage"),
    "no number": ("a.csv", "start,stop\n1,2\nx3,4\n", {}, DamagedInput, ["line 3", "'start'", "'x3' is no number"], "--salvage"),
    "infinite": ("a.csv", "start,stop\n1,1e999\n", {}, DamagedInput, ["line 2", "no finite number"], "--salvage"),
    "stops before it starts": ("a.csv", "start,stop\n1,2\n4,3\n", {}, DamagedInput, ["line 3", "stops at 3", "start at 4"], "--salvage"),
    "stops before it starts in other units": ("a.csv", "start,stop_ms\n4,3000\n", {}, DamagedInput, ["line 2"], "--salvage"),
    "negative duration": ("a.csv", "start,duration\n1,-2\n", {}, DamagedInput, ["line 2", "-2 is negative"], "--salvage"),
    "no start": ("a.csv", "start,stop\n,2\n", {}, DamagedInput, ["line 2", "'start' is empty"], "--salvage"),
    "dates": ("a.csv", "start,stop\n2024-05-01 10:00:00,2024-05-01 10:00:01\n", {}, MissingFact, ["2024-05-01"], "--set t.start=COLUMN"),
    "times of day": ("a.csv", "time\n10:00:01.5\n", {}, MissingFact, ["10:00:01.5", "a time of day"], "--set t.unit=hms"),
    "samples without a rate": ("a.csv", "start_sample,stop_sample\n1,2\n", {}, MissingFact, ["counts samples"], "--set t.rate=HZ"),
    "half a sample": ("a.csv", "start_sample,stop_sample\n1,2.5\n", {"rate": 10.0}, DamagedInput, ["2.5 is no whole number"], "--salvage"),
    "a unit nobody knows": ("a.csv", "time (ticks)\n1\n", {}, MissingFact, ["'ticks'"], "--set t.unit="),
    "thousands or decimals": ("a.csv", "start;stop\n1,234;2,345\n", {}, MissingFact, ["decimals or thousands"], "--set t.decimal=comma"),
    "an open quote": ("a.csv", 'start,stop,a\n1,2,"x\n3,4,5\n', {}, DamagedInput, ["'a.csv' line"], "quote"),
    "a huge field": ("a.csv", "start,stop,a\n1,2," + "x" * 200_000 + "\n", {}, DamagedInput, ["line 2", "field limit"], "quote"),
    "nul bytes": ("a.csv", b"start,stop\n1,2\n\0\0\n", {}, DamagedInput, ["line 3", "0x00"], ""),
    "a picture": ("a.csv", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", {}, DamagedInput, ["no text table"], ""),
    "broken utf-16": ("a.csv", b"\xff\xfea", {}, DamagedInput, ["UTF-16"], ""),
    "columns miscounted": ("a.csv", "1,2\n", {"columns": "start"}, UsageError, ["names 1 columns", "has 2"], ""),
    "names that collide in nwb": ("a.csv", "start,stop,a/b,a_b\n1,2,3,4\n", {}, MissingFact, ["'a_b'"], "--set t.columns="),
    "no workbook": ("a.xlsx", b"start,stop\n1,2\n", {}, DamagedInput, ["'a.xlsx' is no .xlsx workbook"], ""),
    "half a workbook": ("a.xlsx", b"PK\x03\x04" + b"\0" * 60, {}, DamagedInput, ["'a.xlsx' is no .xlsx workbook"], ""),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_read_is_refused_in_one_line(case: str, tmp_path: Path) -> None:
    name, content, options, kind, said, hinted = REFUSED[case]
    with pytest.raises(kind) as error:
        opened(written(tmp_path, name, content), **options)
    assert "\n" not in error.value.message
    for words in said:
        assert words in error.value.message
    assert hinted in (error.value.hint or "")


SALVAGED = {
    "ragged": ("start,stop\n1,2\n3\n4,5\n", "line 3", [1.0, 4.0]),
    "no number": ("start,stop\nx,2\n4,5\n", "line 2", [4.0]),
    "stops early": ("start,stop\n1,2\n4,3\n5,6\n", "line 3", [1.0, 5.0]),
    "no start": ("start,stop\n1,2\n,6\n", "line 3", [1.0]),
}


@pytest.mark.parametrize("case", SALVAGED)
def test_salvage_drops_the_row_and_says_so(case: str, tmp_path: Path) -> None:
    content, loss, starts = SALVAGED[case]
    reader = opened(written(tmp_path, "a.csv", content), salvage=True)
    assert len(reader.losses) == 1
    assert loss in reader.losses[0]
    assert sole(reader).read()["start_time"].tolist() == starts
    again = reader.reread_table(sole(reader).id)
    assert again is not None
    assert again["start_time"].tolist() == starts


NOTES = {
    "seconds": ("start,stop\n1,2\n", "taken as seconds"),
    "columns like times": ("start,stop,go_time\n1,2,1.5\n", "--set t.times='go_time'"),
    "latin-1": ("start,stop,a\n1,2,ü\n".encode("latin-1"), "Latin-1"),
}


@pytest.mark.parametrize("case", NOTES)
def test_what_was_assumed_is_said(case: str, tmp_path: Path) -> None:
    content, said = NOTES[case]
    assert said in " ".join(opened(written(tmp_path, "a.csv", content)).notes)


def test_the_clock_is_the_tables_own_and_not_anchored(tmp_path: Path) -> None:
    reader = opened(written(tmp_path, "a.csv", "start,stop\n1,2\n"))
    (clock,) = reader.clocks
    assert (clock.id, clock.anchor) == ("t/table", None)
    assert "--offset t/table=0" in clock.description


NAMES = {
    "trials.csv": "trials",
    "Trials.CSV": "trials",
    "epochs.csv": "epochs",
    "invalid_times.csv": "invalid_times",
    "Läufe am Tag.csv": "Läufe am Tag",
}


@pytest.mark.parametrize("name", NAMES)
def test_intervals_are_called_like_their_file(name: str, tmp_path: Path) -> None:
    path = written(tmp_path, name, "start,stop\n1,2\n")
    assert sole(opened(path)).nwb_name == NAMES[name]
    assert sole(opened(path, name="other")).nwb_name == "other"


def test_ten_thousand_rows_take_no_time(tmp_path: Path) -> None:
    import time

    rows = "".join(f"{i},{i + 0.5},word{i % 7},{i % 2 == 0}\n" for i in range(20_000))
    path = written(tmp_path, "a.csv", "start,stop,a,b\n" + rows)
    began = time.perf_counter()
    reader = opened(path)
    assert sole(reader).n_rows == 20_000
    assert reader.reread_table("intervals") is not None
    assert time.perf_counter() - began < 5


def test_without_the_check_an_interval_may_end_before_it_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Builder, "_check_rows", lambda *a: None)
    rows = sole(opened(written(tmp_path, "a.csv", "start,stop\n4,3\n"))).read()
    assert rows["stop_time"] < rows["start_time"]


# ---- detection -----------------------------------------------------------------------------

SIGNAL = "time,volts\n" + "".join(f"{i / 100},{i * 0.37:.3f}\n" for i in range(60))
#: Content of a file in a folder, and whether it is claimed there (not named by itself).
LOOKS: dict[str, tuple[str, str | bytes, bool]] = {
    "intervals": ("x.csv", "start,stop\n1,2\n", True),
    "in a txt": ("x.txt", "start\tstop\n1\t2\n", True),
    "header only": ("x.csv", "start_time,stop_time\n", True),
    "one bad row": ("x.csv", "start,stop\n" + "1,2\n" * 9 + "x,2\n", True),
    "decimal comma": ("x.csv", "start;stop\n1,5;2,5\n", True),
    "rare even events": ("x.csv", "time,laser\n" + "".join(f"{i},{i % 2}\n" for i in range(60)), True),
    "a long row": ("x.csv", "start,stop\n" + "1,2\n" * 9 + "3,4,5\n", True),
    "two names alike": ("x.csv", "start,stop,a,a\n1,2,3,4\n", True),
    "trials in dates": ("trials.csv", "start,stop\n2024-05-01 10:00,2024-05-01 10:01\n", True),
    "trials broken": ("Trials.xlsx", b"PK\x03\x04", True),
    "no times": ("x.csv", "a,b\n1,2\n", False),
    "dates": ("x.csv", "time,b\n2024-05-01 10:00,2\n", False),
    "words where times should be": ("x.csv", "time,b\nnoon,2\ntea,3\n", False),
    "prose": ("x.txt", "time flies\nlike an arrow, start to stop\n", False),
    "one column of a txt": ("x.txt", "time\n1\n2\n", False),
    "a signal": ("x.csv", SIGNAL, False),
    "miniscope": ("timeStamps.csv", "Frame Number,Time Stamp (ms),Buffer Index\n0,1,0\n", False),
    "empty": ("x.csv", "", False),
    "binary": ("x.csv", bytes(range(256)) * 20, False),
    "truncated workbook": ("x.xlsx", b"PK\x03\x04", False),
}  # fmt: skip


@pytest.mark.parametrize("case", LOOKS)
def test_only_tables_with_times_are_claimed_in_a_walk(case: str, tmp_path: Path) -> None:
    name, content, claimed = LOOKS[case]
    written(tmp_path / "x", name, content)
    detection = registry.detect([tmp_path], known=KNOWN)
    assert detection.reports == ()
    found = list(detection.sources())
    assert bool(found) is claimed
    if found:
        assert found[0].strength.label == "fallback"


def test_a_file_that_is_named_is_meant(tmp_path: Path) -> None:
    path = written(tmp_path, "x.csv", "a,b\n1,2\n")
    (source,) = registry.detect([path], known=KNOWN).sources()
    assert source.format == "csv"


def test_a_table_joins_the_run_that_it_lies_beside(tmp_path: Path) -> None:
    from tests.formats.helpers import fake

    written(tmp_path, "run.rec", "x")
    written(tmp_path, "trials.csv", "start,stop\n1,2\n")
    (session,) = registry.detect([tmp_path], known={**KNOWN, "rec": fake("rec", "*.rec")}).sessions
    assert {s.format for s in session.sources} == {"rec", "csv"}


@needs_data
def test_outside_its_samples_nothing_is_claimed() -> None:
    found = registry.detect([DATA], known=KNOWN).sources()
    assert {p.parent for s in found for p in s.paths} == {DATA / "text" / "trials"}
