"""Which arguments are documents, and documents one a line."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from nwbkit.documents import envelope
from nwbkit.documents.sources import SourcesDocument
from nwbkit.errors import (
    DocumentError,
    UsageError,
)
from tests.documents.helpers import one, source, sources

PAD = json.dumps({"sessions": ["x" * 60] * 100})[1:-1]


@pytest.mark.parametrize(
    ("raw", "answer"),
    [
        (b'{"schema": "nwbkit/sources"}', True),
        (b'\xef\xbb\xbf \n{"version": 1, "schema":"nwbkit/plan"', True),
        (b'{"sessions": [{"schema": "no"}], "schema" : "nwbkit/sources"}', True),
        (f'{{{PAD}, "schema": "nwbkit/sources"}}'.encode(), True),
        (f'{{{PAD}, "schema": "other/sources"}}'.encode(), False),
        (b'{"a": {"schema": "nwbkit/sources"}}', False),
        (b'{"a": "schema", "b": "\\"schema\\": \\"nwbkit/"}', False),
        (b'{"schema": "other"}', False),
        (b'{"schema": "nwbkit"}', False),
        (b'[{"schema": "nwbkit/sources"}]', False),
        (b"version: 1\nschema: nwbkit/metadata\n", True),
        (b"a:\n  schema: nwbkit/metadata\n", False),
        (b"# schema: nwbkit/metadata\n", False),
        (b"schema: nwbkit/metadata\n\x00\x01", False),
        (b'\xff\xfe{"schema": "nwbkit/sources"}', False),
        (b"", False),
    ],
)
def test_is_document(raw: bytes, answer: bool, tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(raw)
    assert envelope.is_document(path) is answer
    assert envelope.is_document(str(path)) is answer


def test_a_character_cut_by_the_head_is_still_text(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(b'{"schema": "nwbkit/sources", "a": "' + "µ".encode() * 5000 + b'"}')
    cut = b'{"schema": "nwbkit/sources", "ab": "' + "µ".encode() * 5000 + b'"}'
    assert envelope.is_document(path)
    path.write_bytes(cut)
    assert envelope.is_document(path)


def test_what_is_no_regular_file_is_no_document(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    assert not envelope.is_document(tmp_path / "fifo")
    assert not envelope.is_document(tmp_path)
    assert not envelope.is_document(tmp_path / "none")
    assert not envelope.is_document("a\0b")


def test_a_fifo_is_not_drained(tmp_path: Path) -> None:
    text = b'{"schema": "nwbkit/sources"}'
    os.mkfifo(tmp_path / "fifo")
    reader = os.open(tmp_path / "fifo", os.O_RDONLY | os.O_NONBLOCK)
    writer = os.open(tmp_path / "fifo", os.O_WRONLY)
    try:
        os.write(writer, text)
        assert not envelope.is_document(tmp_path / "fifo")
        assert os.read(reader, 100) == text
    finally:
        os.close(writer)
        os.close(reader)


def test_huge_files_are_not_read_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "raw"
    with open(path, "wb") as f:
        f.write(b'{"a": "')
        f.seek(1 << 33)
        f.write(b"x")
    taken = []
    real = os.read
    monkeypatch.setattr(os, "read", lambda fd, n: taken.append(n) or real(fd, n))
    assert not envelope.is_document(path)
    assert sum(taken) <= 1 << 20


def test_json_lines_one_session_a_line(tmp_path: Path) -> None:
    two = sources(
        sessions=[{"id": i, "sources": [source(paths=[f"/d/{i}.bin"])]} for i in ("a", "b")]
    )
    doc = envelope.check(two, SourcesDocument)
    path = tmp_path / "s.jsonl"
    path.write_text("".join(envelope.dumps_line(doc.one_session(i)) for i in ("a", "b")))
    assert envelope.is_document(path)
    assert path.read_text().count("\n") == 2
    for k, name in enumerate(("a", "b")):
        task = envelope.read_task(path, k, SourcesDocument)
        assert [s.id for s in task.sessions] == [name]
        assert task.sessions[0].sources[0].paths == [Path(f"/d/{name}.bin")]
    for k in (2, -1):
        with pytest.raises(UsageError, match=f"no task '{k}' .* tasks 0 to 1"):
            envelope.read_task(path, k, SourcesDocument)
    with pytest.raises(DocumentError, match="second at line 2"):
        envelope.read(path, SourcesDocument)


def test_a_broken_line_is_named_by_its_number(tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    path.write_text(json.dumps(sources()) + "\n{}\n")
    with pytest.raises(DocumentError, match=r"s.jsonl:2' has no 'schema'"):
        envelope.read_task(path, 1, SourcesDocument)


def test_unknown_session_or_source_is_a_usage_error() -> None:
    doc = envelope.check(one(), SourcesDocument)
    with pytest.raises(UsageError, match="no session 'rum'") as caught:
        doc.session("rum")
    assert caught.value.hint == "did you mean 'run'?"
    with pytest.raises(UsageError, match="no source 'imec'"):
        doc.session("run").source("imec")
