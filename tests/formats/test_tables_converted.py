"""Tables as they stand in a finished NWB file, and what verify --against makes of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from nwbkit import convert as journey
from nwbkit import verify as verifying
from nwbkit.convert import Request
from nwbkit.formats.tables.csv import cells
from tests.data import DATA, needs_data
from tests.expected.tables import SAMPLES
from tests.formats.tabled import written
from tests.formats.test_workbooks import book, fill

LAB = """
NWBFile:
  session_start_time: "2024-05-01T10:00:00+02:00"
  session_description: a session
  experimenter: "Doe, Jane"
Subject: {subject_id: M1, species: Mus musculus, sex: F, age: P90D}
"""


def converted(raw: Path, out: Path, more: str = "", **options: Any) -> Path:
    lab = out.with_name("lab.yaml")
    lab.write_text(LAB + more)
    settings = {"metadata": [str(lab)], "jobs": 2, **options}
    result = journey.convert(Request(inputs=[str(raw)], output=str(out), **settings))
    assert result.status == (3 if options.get("salvage") else 0)
    return out


def assert_good(path: Path, raw: Path, *, reader: str = "independent") -> None:
    """Valid, without critical findings, equal to its source."""
    import pynwb
    from nwbinspector import Importance, inspect_nwbfile

    assert pynwb.validate(path=str(path)) == []
    found = inspect_nwbfile(nwbfile_path=str(path), importance_threshold=Importance.CRITICAL)
    assert list(found) == []
    document = verifying.verify(str(path), against=[str(raw)], jobs=2)
    assert document.ok, document.findings
    checks = [c for c in document.checked if c.what in ("intervals", "events")]
    assert {c.reader for c in checks} == {reader}


def rows(path: Path, where: str) -> dict[str, list[Any]]:
    with h5py.File(path) as f:
        table = f[where]
        found = {}
        for name in table.attrs["colnames"]:
            column = table[name]
            text = h5py.check_string_dtype(column.dtype)
            found[str(name)] = (column.asstr() if text else column)[...].tolist()
        return found


@needs_data
@pytest.mark.parametrize("sample", SAMPLES, ids=lambda s: Path(s[0]).name)
def test_the_samples_are_what_a_person_reads_in_them(sample: Any, tmp_path: Path) -> None:
    file, session, where, wanted = sample
    raw = DATA / file
    out = converted(raw.parent, tmp_path / "out.nwb", session=session)
    assert rows(out, where) == wanted
    assert_good(out, raw)


FULL = (
    "start,stop,Größe in mm,who,ok,go_time,gap,id\n"
    '0.5,1,3,"Zoë ""z"", the\nfirst",True,0.7,1,5\n'
    "1.5,,4,,False,1.7,,6\n"
)


def test_every_type_and_name(tmp_path: Path) -> None:
    raw = written(tmp_path / "a folder", "läufe am tag.csv", FULL)
    out = converted(raw, tmp_path / "out.nwb", sets=["csv.times=go_time"], offsets=["*=10"])
    assert_good(out, raw)
    found = rows(out, "/intervals/läufe am tag")
    assert found.pop("stop_time")[0] == 11.0
    gap = found.pop("gap")
    assert (gap[0], np.isnan(gap[1])) == (1.0, True)
    assert found == {
        "start_time": [10.5, 11.5],
        "Größe in mm": [3, 4],
        "who": ['Zoë "z", the\nfirst', ""],
        "ok": [True, False],
        "go_time": [10.7, 11.7],
        "id_column": [5, 6],
    }


OTHERS = {
    "epochs": ("epochs.csv", "start,stop,a\n0,1,x\n", [], "/intervals/epochs"),
    "invalid times": ("invalid_times.csv", "start,stop,a\n0,1,x\n", [], "/intervals/invalid_times"),
    "samples": (
        "trials.csv",
        "start_sample,stop_sample,a\n5,10,1\n15,20,2\n",
        ["trials.rate=30000.5"],
        "/intervals/trials",
    ),
    "no rows": ("trials.csv", "start,stop,a\n", [], "/intervals/trials"),
    "events": ("licks.csv", "time_ms,duration,side\n1,0.5,left\n", [], "/events/EventsLicks"),
    "events without rows": ("licks.csv", "time,side\n", [], "/events/EventsLicks"),
    "semicolons": ("trials.csv", "start;stop;a\n0,5;1,5;2,25\n", [], "/intervals/trials"),
    "duration": ("trials.csv", "onset,duration_ms\n0.5,250\n", [], "/intervals/trials"),
}


@pytest.mark.parametrize("case", OTHERS)
def test_other_tables_convert_and_verify(case: str, tmp_path: Path) -> None:
    name, content, sets, where = OTHERS[case]
    raw = written(tmp_path, name, content)
    out = converted(raw, tmp_path / "out.nwb", sets=sets)
    assert_good(out, raw)
    with h5py.File(out) as f:
        assert len(f[where]) > 2  # id and columns
        if name != "licks.csv":
            assert len(f[where].attrs["colnames"]) == len(f[where]) - 1


def test_samples_become_seconds_once(tmp_path: Path) -> None:
    raw = written(tmp_path, "trials.csv", "start_sample,stop_sample\n5,10\n")
    out = converted(raw, tmp_path / "out.nwb", sets=["trials.rate=30000.5"])
    assert rows(out, "/intervals/trials") == {
        "start_time": [5 / 30000.5],
        "stop_time": [10 / 30000.5],
    }


def test_sheets_of_a_workbook_in_one_file(tmp_path: Path) -> None:
    def make(workbook: Any) -> None:
        fill(workbook.active, ["start", "stop"], [0.5, 1])
        workbook.active.title = "trials"
        fill(workbook.create_sheet("Läufe"), ["start", "duration", "a"], [0.5, 1, None])
        fill(workbook.create_sheet("licks"), ["time"], [0.5])

    raw = book(tmp_path / "day.xlsx", make)
    out = converted(raw, tmp_path / "out.nwb")
    assert_good(out, raw)
    assert rows(out, "/intervals/Läufe")["stop_time"] == [1.5]
    assert rows(out, "/events/EventsLicks") == {"timestamp": [0.5]}


def test_what_the_metadata_says_of_tables_is_written(tmp_path: Path) -> None:
    raw = written(tmp_path, "trials.csv", "start,stop,cond\n0,1,2\n")
    out = converted(
        raw,
        tmp_path / "out.nwb",
        more="""
Tables:
  trials:
    description: what the mouse did
    columns:
      cond: {name: stimulus, description: what was shown, labels: {2: grating}}
""",
    )
    with h5py.File(out) as f:
        table = f["/intervals/trials"]
        assert table.attrs["description"].startswith("what the mouse did")
        assert table["stimulus"].attrs["description"] == "what was shown (2: grating)"
    assert_good(out, raw)


def test_unaligned_tables_say_so(tmp_path: Path) -> None:
    written(tmp_path / "raw", "trials.csv", "start,stop\n0,1\n")
    written(tmp_path / "raw", "epochs.csv", "start,stop\n0,1\n")
    from nwbkit.documents.envelope import read
    from nwbkit.documents.sources import SourcesDocument
    from nwbkit.formats import registry

    document = registry.to_document(registry.detect([tmp_path / "raw"]))
    sources = [s for session in document.sessions for s in session.sources]
    text = document.model_copy(
        update={"sessions": [document.sessions[0].model_copy(update={"sources": sources})]}
    )
    from nwbkit.documents import envelope

    joined = tmp_path / "sources.json"
    joined.write_text(envelope.dumps(text, relative_to=tmp_path))
    assert read(joined, SourcesDocument)
    out = converted(joined, tmp_path / "out.nwb", unaligned="keep")
    with h5py.File(out) as f:
        assert "Unaligned clock 'trials/table'" in f["/intervals/trials"].attrs["description"]


def test_salvaged_rows_are_left_out_of_both(tmp_path: Path) -> None:
    raw = written(tmp_path, "trials.csv", "start,stop\n0,1\n3\n5,4\n6,7\n")
    out = converted(raw, tmp_path / "out.nwb", salvage=True)
    assert rows(out, "/intervals/trials")["start_time"] == [0.0, 6.0]
    assert_good(out, raw)


def _change(column: str, value: Any) -> Any:
    def change(f: h5py.File) -> None:
        f[f"/intervals/trials/{column}"][0] = value

    return change


CHANGES = {
    "start": (_change("start_time", 0.25), "start_time"),
    "stop": (_change("stop_time", 1.0000001), "stop_time"),
    "value": (_change("n", 8), "n"),
    "text": (_change("who", "B"), "who"),
    "bool": (_change("ok", False), "ok"),
}


@pytest.mark.parametrize("case", CHANGES)
def test_a_changed_cell_is_found_against_the_source(case: str, tmp_path: Path) -> None:
    raw = written(tmp_path, "trials.csv", "start,stop,n,who,ok\n0.5,1,7,b,True\n")
    out = converted(raw, tmp_path / "out.nwb")
    change, column = CHANGES[case]
    with h5py.File(out, "r+") as f:
        change(f)
    document = verifying.verify(str(out), against=[str(raw)], jobs=2)
    assert not document.ok
    assert any(f"column '{column}' differs" in f.message for f in document.findings)


def test_a_reader_that_is_wrong_is_found_by_the_second_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = written(tmp_path, "trials.csv", "start_ms,stop_ms\n500,1000\n")
    right = cells.in_seconds
    with monkeypatch.context() as patch:
        patch.setattr(cells, "in_seconds", lambda v, unit, rate: right(v, "us", rate))
        out = converted(raw, tmp_path / "out.nwb")
        document = verifying.verify(str(out), against=[str(raw)], jobs=2)
    assert not document.ok


def test_pynapple_like_readers_see_trials(tmp_path: Path) -> None:
    from pynwb import NWBHDF5IO

    raw = written(tmp_path, "trials.csv", "start,stop,n\n0.5,1,7\n")
    with NWBHDF5IO(str(converted(raw, tmp_path / "out.nwb")), "r") as io:
        trials = io.read().trials.to_dataframe()
    assert trials["stop_time"].tolist() == [1.0]
    assert trials["n"].tolist() == [7]


def test_a_stub_has_the_rows_that_begin_in_it(tmp_path: Path) -> None:
    raw = written(tmp_path, "trials.csv", "start,stop\n0.5,1\n1.5,2\n2.5,3\n")
    out = converted(raw, tmp_path / "out.nwb", stub=2.0)
    assert rows(out, "/intervals/trials")["start_time"] == [0.5, 1.5]
    assert_good(out, raw, reader="same")


@pytest.mark.parametrize(
    "name",
    [
        "trials.csv",
        "licks.csv",
    ],
)
def test_an_offset_moves_the_table_and_verify_knows(name: str, tmp_path: Path) -> None:
    raw = written(tmp_path, name, {"licks.csv": "time,a\n1,2\n"}.get(name, "start,stop\n1,2\n"))
    out = converted(raw, tmp_path / "out.nwb", offsets=["*=0.1"])
    assert_good(out, raw)
