"""The four commands: what goes where, and with which exit status."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner, Result

from nwbkit import session as session_module
from nwbkit.cli.metadata import metadata
from nwbkit.errors import DocumentError, OutputExists, UsageError
from tests.metadata.helpers import FakeReader, meta, probe

ROOT = Path(__file__).parents[2]


class FakeSession(SimpleNamespace):
    def __enter__(self) -> FakeSession:
        return self

    def __exit__(self, *exc: object) -> None:
        self.calls.append("closed")


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    seen: list[Any] = []
    said = {"NWBFile": {"session_start_time": "2020-11-03T10:35:10", "lab": "L"}}

    def load_sources(inputs: Any, *, format: str | None = None) -> str:
        seen.append((tuple(inputs), format))
        return "document"

    def open_session(document: str, **settings: Any) -> FakeSession:
        seen.append(settings)
        return FakeSession(id="run", readers=[FakeReader("a", said, [probe()])], calls=seen)

    monkeypatch.setattr(session_module, "load_sources", load_sources)
    monkeypatch.setattr(session_module, "open_session", open_session)
    return seen


def run(*args: str, input: str | None = None) -> Result:
    return CliRunner().invoke(metadata, list(args), input=input)


def test_extract(calls: list[Any]) -> None:
    result = run("extract", "raw", "-f", "fake", "--session", "s", "--set", "a.x=1", "--salvage")
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert document["schema"] == "nwbkit/metadata"
    assert document["NWBFile"]["lab"] == "L"
    assert document["origins"]["NWBFile.lab"] == "fake a.bin"
    assert calls == [
        (("raw",), "fake"),
        {"session": "s", "sets": ("a.x=1",), "only": (), "exclude": (), "salvage": True},
        "closed",
    ]


@pytest.mark.parametrize("command", ["extract", "template"])
def test_what_was_salvaged_is_said(
    command: str, calls: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = FakeReader("a", {})
    reader.losses.append("'a.bin' lacks 3 samples")
    damaged = FakeSession(id="run", readers=[reader], calls=calls)
    monkeypatch.setattr(session_module, "open_session", lambda *_, **__: damaged)
    result = run(command, "raw", "--salvage")
    assert result.exit_code == 3
    assert "warning: 'a.bin' lacks 3 samples" in result.stderr
    assert result.stdout != ""


def test_extract_to_a_file(calls: list[Any], tmp_path: Path) -> None:
    result = run("extract", "raw", "-o", str(tmp_path / "m.json"))
    assert result.exit_code == 0
    assert result.stdout == ""
    assert json.loads((tmp_path / "m.json").read_text())["NWBFile"]["lab"] == "L"
    assert calls[-1] == "closed"


def test_merge_reads_files_and_stdin(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("NWBFile: {lab: A, notes: n}")
    args = ["merge", str(tmp_path / "a.yaml"), "-", "--set-meta", "Subject.sex=F"]
    result = run(*args, input="NWBFile: {lab: B}")
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert document["NWBFile"] == {"lab": "B", "notes": "n"}
    assert document["origins"] == {
        "NWBFile.lab": "-",
        "NWBFile.notes": "a.yaml",
        "Subject.sex": "--set-meta",
    }
    assert [ref["path"] for ref in document["inputs"]] == [str(tmp_path / "a.yaml")]


def test_template_is_not_written_over_what_was_filled_in(calls: list[Any], tmp_path: Path) -> None:
    path = tmp_path / "t.yaml"
    (tmp_path / "lab.yaml").write_text("NWBFile: {institution: I}")
    args = ["template", "raw", "-m", str(tmp_path / "lab.yaml"), "-o", str(path)]
    assert run(*args).exit_code == 0
    assert "  #institution:" in path.read_text()
    assert "a/ap" in path.read_text()
    meta(path.read_text())
    path.write_text("mine")
    refused = run(*args)
    assert isinstance(refused.exception, OutputExists)
    assert path.read_text() == "mine"
    assert run(*args, "--overwrite").exit_code == 0
    assert path.read_text() != "mine"
    assert run("template", "raw").stdout.startswith("# Metadata of session")


@pytest.mark.parametrize(
    ("text", "args", "status", "words"),
    [
        ("NWBFile: {session_start_time: 2020-11-03T10:35:10Z}", [], 0, "enough: 0 errors"),
        ("NWBFile: {session_start_time: 2020-11-03T10:35:10}", [], 1, "no time zone"),
        ("NWBFile: {session_start_time: 2020-11-03T10:35:10}", ["--timezone", "+01:00"], 0, ""),
        ("NWBFile: {session_start_time: 2020-11-03T10:35:10Z}", ["--for", "dandi"], 1, "species"),
        ("Streams: {a/app: {name: X}}", ["--sources", "raw"], 1, "did you mean 'a/ap'?"),
    ],
)
def test_validate(
    text: str, args: list[str], status: int, words: str, calls: list[Any], tmp_path: Path
) -> None:
    path = tmp_path / "m.yaml"
    path.write_text(text)
    result = run("validate", str(path), *args)
    assert result.exit_code == status, result.output
    assert words in result.stdout
    as_json = run("validate", str(path), *args, "--json")
    assert as_json.exit_code == status
    assert json.loads(as_json.stdout)["ok"] is (status == 0)
    assert ("closed" in calls) == ("--sources" in args)


@pytest.mark.parametrize(
    ("args", "kind"),
    [
        (["merge", "-", "-"], UsageError),
        (["validate", "-", "--sources", "-"], UsageError),
        (["merge", "-", "--set-meta", "NWBFile.labb=x"], UsageError),
        (["merge", "-"], DocumentError),
    ],
)
def test_refused(args: list[str], kind: type[Exception]) -> None:
    text = "NWBFile: {labb: x}" if kind is DocumentError else "NWBFile: {lab: x}"
    assert isinstance(run(*args, input=text).exception, kind)


def test_behind_the_real_entry_point(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("Subject: {subjct_id: M1}")
    done = subprocess.run(
        [sys.executable, "-m", "nwbkit.cli", "metadata", "merge", str(tmp_path / "a.yaml")],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 65
    assert done.stdout == ""
    assert done.stderr.splitlines() == [
        f"nwbkit metadata merge: error: unknown key 'Subject.subjct_id' in '{tmp_path / 'a.yaml'}'",
        "hint: did you mean 'subject_id'?",
    ]
