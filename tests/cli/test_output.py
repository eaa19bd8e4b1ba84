"""Tables, sizes, safe text, documents on stdout and in files, progress."""

import errno
import fcntl
import io
import json
import os
import pty
import struct
import subprocess
import sys
import termios

import pytest

from nwbkit import text
from nwbkit.cli import output, progress
from nwbkit.cli.console import CONSOLE, Console
from nwbkit.documents.sources import SourcesDocument
from nwbkit.errors import IOFailure

from .conftest import ENV, FAKE

PRINTABLE = [
    ("plain µm", "plain µm"),
    ("a\nb\tc", "a\\nb\\tc"),
    ("\x1b[31m", "\\x1b[31m"),
    (os.fsdecode(b"caf\xe9"), "caf\\xe9"),
    ("\ud800", "\\ud800"),
    ("evil\u202etxt", "evil\\u202etxt"),
    ("日本", "日本"),
]


@pytest.mark.parametrize(("given", "shown"), PRINTABLE)
def test_printable(given, shown):
    assert text.printable(given) == shown


SIZES = [
    (0, "0 B"),
    (999, "999 B"),
    (1000, "1.0 kB"),
    (1_234_567, "1.2 MB"),
    (123_456_789, "123 MB"),
    (999_960_000, "1.0 GB"),
    (2.5e15, "2.5 PB"),
]


@pytest.mark.parametrize(("n", "shown"), SIZES)
def test_size_text(n, shown):
    assert text.size_text(n) == shown


DURATIONS = [
    (0, "0.0 s"),
    (12.34, "12.3 s"),
    (59.99, "1 min 0 s"),
    (725, "12 min 5 s"),
    (12000, "3 h 20 min"),
]


@pytest.mark.parametrize(("seconds", "shown"), DURATIONS)
def test_duration_text(seconds, shown):
    assert text.duration_text(seconds) == shown


def test_table_fits_and_loses_nothing():
    path = "/a/very/long/path/" + "x" * 90
    shown = text.table(
        ("NAME", "N", "PATH"),
        [("a", 5, path), ("b", 1000, "short words here")],
        width=60,
        right=(1,),
    )
    lines = shown.splitlines()
    assert max(map(len, lines)) <= 60
    assert lines[0].split() == ["NAME", "N", "PATH"]
    assert "".join(line[12:] for line in lines[1:-1]).replace(" ", "") == path
    assert lines[-1] == "b     1000  short words here"


def test_table_narrower_than_can_be():
    assert text.table(("A", "B"), [("x" * 30, "y" * 30)], width=1)


# ---------------------------------------------------------------- documents


def sources(tmp_path):
    source = {"id": "a", "format": "x", "paths": [str(tmp_path / "a.bin")], "strength": "key"}
    return SourcesDocument.model_validate({"sessions": [{"id": "s", "sources": [source]}]})


@pytest.fixture
def console():
    yield CONSOLE
    vars(CONSOLE).update(vars(Console()))


def test_a_document_is_json_off_a_terminal(tmp_path, capsysbinary):
    output.emit_document(sources(tmp_path), table=lambda width: "table")
    document = json.loads(capsysbinary.readouterr().out)
    assert document["sessions"][0]["sources"][0]["paths"] == [str(tmp_path / "a.bin")]


def test_a_document_is_a_table_on_a_terminal(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(output, "is_terminal", lambda stream: True)
    monkeypatch.setenv("COLUMNS", "100")
    output.emit_document(sources(tmp_path), table=lambda width: f"{width} wide")
    assert capsys.readouterr().out == "100 wide\n"
    output.emit_document(sources(tmp_path), as_json=True, table=lambda width: "no")
    assert json.loads(capsys.readouterr().out)


def test_a_document_in_a_file_leaves_stdout_empty(tmp_path, capsys):
    path = tmp_path / "sources.json"
    output.emit_document(sources(tmp_path), output=str(path), table=lambda width: "table")
    assert capsys.readouterr().out == ""
    assert json.loads(path.read_text())["sessions"][0]["sources"][0]["paths"] == ["a.bin"]
    output.emit_document(sources(tmp_path), output=str(path), as_json=True)
    assert json.loads(capsys.readouterr().out)


def test_a_report_is_text_and_its_file_the_document(tmp_path, capsys):
    path = tmp_path / "sources.json"
    output.emit_report(sources(tmp_path), lambda width: f"{width} wide", output=str(path))
    assert capsys.readouterr().out == "80 wide\n"
    assert json.loads(path.read_text())["schema"] == "nwbkit/sources"
    output.emit_report(sources(tmp_path), lambda width: "text", as_json=True)
    assert json.loads(capsys.readouterr().out)["schema"] == "nwbkit/sources"


def test_text_with_odd_names_is_utf8(capsysbinary):
    output.emit_text("µ" + os.fsdecode(b"\xe9"))
    assert capsysbinary.readouterr().out == "µ\\udce9\n".encode()


def test_stdout_that_fails(monkeypatch):
    class Full(io.StringIO):
        def flush(self):
            raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(sys, "stdout", Full())
    with pytest.raises(IOFailure, match="standard output: input/output error"):
        output.emit_text("x")


# ---------------------------------------------------------------- progress


def run_progress(*args, **kwargs):
    return subprocess.run(
        [*FAKE, "progress", *args], env=ENV, capture_output=True, text=True, timeout=30, **kwargs
    )


def test_progress_off_a_terminal_is_plain_lines():
    lines = run_progress(check=True).stderr.splitlines()
    assert len(lines) == 4
    assert lines[0].startswith("nwbkit progress: converting: 1.0 MB of 4.0 MB (25 %), ")
    assert lines[-1].startswith("nwbkit progress: converting: 4.0 MB of 4.0 MB (100 %), ")


@pytest.mark.parametrize("option", ["-q", "--no-progress"])
def test_no_progress(option):
    assert run_progress(option, check=True).stderr == ""


def test_progress_as_json():
    records = [json.loads(line) for line in run_progress("--log-format=json").stderr.splitlines()]
    assert [r["done"] for r in records] == [1_000_000, 2_000_000, 3_000_000, 4_000_000]
    assert {r["total"] for r in records} == {4_000_000}


@pytest.mark.parametrize(("term", "has_bar"), [("xterm", True), ("dumb", False)])
def test_progress_on_a_terminal_is_a_bar(term, has_bar):
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    subprocess.run([*FAKE, "progress"], env={**ENV, "TERM": term}, stderr=theirs, check=True)
    os.close(theirs)
    shown = b""
    while True:
        try:
            part = os.read(ours, 4096)
        except OSError:  # how a pty says end of file
            break
        if not part:
            break
        shown += part
    os.close(ours)
    assert (b"\r" in shown.replace(b"\r\n", b"\n")) == has_bar
    assert b"converting" in shown


def test_a_short_step_shows_nothing(monkeypatch, capsys, console):
    with progress.Progress("converting", 10) as done:
        done(10)
    assert done.done == 10
    assert capsys.readouterr().err == ""


def test_messages_pass_a_bar(monkeypatch, capsys, console):
    class Bar:
        seen: list[str] = []  # noqa: RUF012

        def clear(self):
            self.seen.append("clear")

        def refresh(self):
            self.seen.append("refresh")

    console.bar = Bar()
    console.warn("look")
    assert Bar.seen == ["clear", "refresh"]
    assert capsys.readouterr().err == "nwbkit: warning: look\n"
