"""The thin commands: what they hand to the journeys, what they show, how they end."""

import json
from pathlib import Path

import pytest

import nwbkit.convert
import nwbkit.inspect
import nwbkit.verify
from nwbkit.cli import main, output
from nwbkit.cli.convert import _closing_line
from nwbkit.cli.detect import _table
from nwbkit.documents.conversion import ConversionDocument
from nwbkit.documents.findings import Finding, FindingsDocument
from nwbkit.documents.inspection import InspectionDocument
from nwbkit.documents.sources import SourcesDocument
from nwbkit.formats import registry
from nwbkit.formats.base import Strength
from nwbkit.formats.detection import DetectedSession, DetectedSource, Detection, Report


@pytest.fixture(autouse=True)
def untouched(monkeypatch):
    """Commands set the console, and the root reroutes warnings: not beyond one test."""
    import logging
    import warnings

    from nwbkit.cli.console import CONSOLE, Console

    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)
    monkeypatch.setattr(logging, "lastResort", logging.lastResort)
    yield
    vars(CONSOLE).update(vars(Console()))


class Recorder:
    """A journey that keeps what it was asked, and answers what it was told to."""

    def __init__(self, answer):
        self.answer, self.args, self.kwargs = answer, None, None

    def __call__(self, *args, **kwargs):
        self.args, self.kwargs = args, kwargs
        return self.answer


def source(name, **more):
    paths = more.pop("paths", (Path(f"/raw/{name}.bin"),))
    return DetectedSource(name, "fake", paths, Strength.MAGIC, "it says so", **more)


@pytest.fixture
def detection(monkeypatch, tmp_path):
    """Two sessions, as if found in tmp_path."""
    paths = (tmp_path / "a.bin", tmp_path / "a.meta")
    found = Detection(
        (
            DetectedSession("run_g0", tmp_path, (source("imec0", paths=paths), source("nidq"))),
            DetectedSession("run_g1", tmp_path, (source("imec0_1"),)),
        ),
        (Report("warning", "format 'x' failed"), Report("note", "a note")),
        (tmp_path / "notes.txt",),
    )
    recorder = Recorder(found)
    monkeypatch.setattr(registry, "detect", recorder)
    return recorder


def test_detect_shows_the_document(detection, capsys):
    assert main._invoke(["detect", "raw", "--format", "fake"]) == 0
    assert [str(p) for p in detection.args[0]] == ["raw"]
    assert detection.kwargs == {"format": "fake"}
    shown = capsys.readouterr()
    document = json.loads(shown.out)
    assert [s["id"] for s in document["sessions"]] == ["run_g0", "run_g1"]
    assert "warning: format 'x' failed" in shown.err
    assert "notes.txt" not in shown.err


def test_detect_verbose_names_what_nobody_claims(detection, capsys):
    main._invoke(["detect", "raw", "-v"])
    assert "notes.txt" in capsys.readouterr().err


def test_detect_jsonl_is_a_document_a_line(detection, capsys):
    assert main._invoke(["detect", "raw", "--jsonl"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [[s["id"] for s in line["sessions"]] for line in lines] == [["run_g0"], ["run_g1"]]
    for line in lines:
        assert SourcesDocument.model_validate(line)


def test_detect_table(detection):
    document = registry.to_document(detection.answer)
    lines = _table(document, 80).splitlines()
    assert lines[0].split() == ["SESSION", "SOURCE", "FORMAT", "STRENGTH", "FILES", "EVIDENCE"]
    assert lines[1].split() == ["run_g0", "imec0", "fake", "magic", "2", "it", "says", "so"]
    assert len(lines) == 4


def test_detect_nothing_on_a_terminal(detection, monkeypatch, capsys):
    detection.answer = Detection(())
    monkeypatch.setattr(output, "is_terminal", lambda stream: True)
    assert main._invoke(["detect", "raw"]) == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "error: no known format in 'raw'" in shown.err


def test_inspect(monkeypatch, capsys):
    recorder = Recorder(InspectionDocument())
    monkeypatch.setattr(nwbkit.inspect, "inspect", recorder)
    monkeypatch.setattr(nwbkit.inspect, "render", lambda document, width: f"{width} wide")
    assert main._invoke(["inspect", "a", "b", "--set", "x.y=1", "--only", "z", "--salvage"]) == 0
    assert recorder.args == (("a", "b"),)
    assert recorder.kwargs == {
        "format": None,
        "session": None,
        "sets": ("x.y=1",),
        "only": ("z",),
        "exclude": (),
        "salvage": True,
    }
    assert capsys.readouterr().out == "80 wide\n"
    main._invoke(["inspect", "a", "--json"])
    assert json.loads(capsys.readouterr().out)["schema"] == "nwbkit/inspection"


@pytest.mark.parametrize(("severity", "status"), [("error", 1), ("warning", 0)])
def test_verify(monkeypatch, tmp_path, capsys, severity, status):
    finding = Finding(severity=severity, code="digest-differs", where="/x", message="differs")
    recorder = Recorder(FindingsDocument.of([finding]))
    monkeypatch.setattr(nwbkit.verify, "verify", recorder)
    monkeypatch.setattr(nwbkit.verify, "render", lambda document, width: "findings")
    path = tmp_path / "findings.json"
    args = ["verify", "x.nwb", "--against", "raw", "-j", "2", "--max-memory", "1M", "-o", str(path)]
    assert main._invoke(args) == status
    assert recorder.args == ("x.nwb",)
    progress = recorder.kwargs.pop("progress")
    assert recorder.kwargs == {
        "against": ("raw",),
        "sets": (),
        "quick": False,
        "jobs": 2,
        "max_memory": 1 << 20,
    }
    assert capsys.readouterr().out == "findings\n"
    assert json.loads(path.read_text())["ok"] == (status == 0)
    with progress("verifying", 10) as done:
        done(10)


def converted(**facts):
    source = {"id": "a", "format": "fake", "paths": ["/raw/a.bin"], "strength": "key"}
    session = {"id": "s", "sources": [source]}
    output = {"name": "out.nwb", "backend": "hdf5"}
    facts = {"identity": "ab", "session": session, "output": output, **facts}
    return ConversionDocument.model_validate(facts)


def test_convert_hands_every_option_to_the_request(monkeypatch, tmp_path, capsys):
    out = tmp_path / "out.nwb"
    out.write_bytes(b"x" * 1234)
    answer = nwbkit.convert.Result(converted(losses=["the last block is lost"]), status=3)
    recorder = Recorder(answer)
    monkeypatch.setattr(nwbkit.convert, "convert", recorder)
    args = f"convert raw -o {out} -m a.yaml --set-meta k=v --timezone UTC --offset c=1 -j 2"
    args += " --unaligned keep --segments split --stub 3 --prove sample --max-memory 64M"
    args += " --tmp-dir t --depfile d --overwrite -a align.json -p plan.json --salvage"
    assert main._invoke(args.split()) == 3
    assert recorder.args[0] == nwbkit.convert.Request(
        inputs=("raw",),
        output=str(out),
        metadata=("a.yaml",),
        set_meta=("k=v",),
        timezone="UTC",
        offsets=("c=1",),
        unaligned="keep",
        segments="split",
        stub=3.0,
        prove="sample",
        jobs=2,
        max_memory=64 << 20,
        tmp_dir="t",
        depfile="d",
        overwrite=True,
        alignment="align.json",
        plan="plan.json",
        salvage=True,
    )
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "nwbkit convert: warning: the last block is lost\n" in shown.err
    assert f"nwbkit convert: wrote '{out}': 1.2 kB in " in shown.err


def test_convert_json_dry_run_and_skip(monkeypatch, tmp_path, capsys):
    out = tmp_path / "out.nwb"
    out.write_bytes(b"x")
    recorder = Recorder(nwbkit.convert.Result(converted(), skipped=True))
    monkeypatch.setattr(nwbkit.convert, "convert", recorder)
    assert main._invoke(["convert", "raw", "-o", str(out), "--json", "--skip-existing"]) == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out)["schema"] == "nwbkit/conversion"
    assert "is there already, made from the same inputs" in shown.err

    recorder.answer = nwbkit.convert.Result(None, report="the tree")
    assert main._invoke(["convert", "raw", "-o", str(out), "--dry-run"]) == 0
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("the tree\n", "")


def test_closing_line_has_size_rate_and_time(tmp_path):
    folder = tmp_path / "out.nwb.zarr"
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "0").write_bytes(b"x" * 2000)
    line = _closing_line(str(folder), converted(measured={"raw_bytes": 5_000_000}), 2.0)
    assert line == f"wrote '{folder}': 2.0 kB from 5.0 MB of data in 2.0 s (2.5 MB/s)"
