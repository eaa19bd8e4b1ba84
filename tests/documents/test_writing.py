"""Paths round trip, the same content gives the same bytes, files appear whole or not at all."""

from __future__ import annotations

import io
import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from nwbkit.documents import envelope
from nwbkit.documents.alignment import AlignmentDocument
from nwbkit.documents.conversion import ConversionDocument
from nwbkit.documents.model import InputRef
from nwbkit.documents.sources import SourcesDocument
from nwbkit.errors import (
    InternalError,
    OutputRefused,
)
from tests.documents.helpers import NOT_UTF8, conversion, one


def paths_of(doc: SourcesDocument) -> list[Path]:
    return doc.sessions[0].sources[0].paths


@pytest.mark.parametrize(
    ("base", "path", "written", "written_base"),
    [
        (None, "below/a.bin", "below/a.bin", None),
        (None, "/elsewhere/a.bin", "/elsewhere/a.bin", None),
        (None, f"below/{NOT_UTF8}", {"bytes": "YmVsb3cvY2Fm6S5iaW4="}, None),
        (None, f"/e/{NOT_UTF8}", {"bytes": "L2UvY2Fm6S5iaW4="}, None),
        ("below", "below/a.bin", "a.bin", "below"),
        ("/data", "/data/x/a.bin", "x/a.bin", "/data"),
        ("/data", "below/a.bin", "{folder}/below/a.bin", "/data"),
        (None, "../sister/a.bin", "{parent}/sister/a.bin", None),
    ],
)
def test_paths_round_trip(
    base: str | None, path: str, written: Any, written_base: str | None, tmp_path: Path
) -> None:
    folder = tmp_path / "docs"
    folder.mkdir()
    absolute = Path(os.path.abspath(folder / path))
    doc = SourcesDocument(
        base=folder / base if base else None,
        sessions=[envelope.check(one(paths=[absolute]), SourcesDocument).sessions[0]],
        inputs=[InputRef(path=folder / "in.txt", size=3)],
    )
    envelope.write(doc, folder / "s.json")
    on_disk = json.loads((folder / "s.json").read_text())
    if isinstance(written, str):
        written = written.format(folder=folder, parent=tmp_path)
    assert on_disk["sessions"][0]["sources"][0]["paths"] == [written]
    assert on_disk.get("base") == written_base
    assert on_disk["inputs"][0]["path"] == "in.txt"
    again = envelope.read(folder / "s.json", SourcesDocument)
    assert paths_of(again) == [absolute]
    assert again.inputs[0].path == folder / "in.txt"
    assert again.base == doc.base


def test_moving_document_and_data_together_keeps_paths(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    envelope.write(envelope.check(one(paths=[old / "a.bin"]), SourcesDocument), old / "s.json")
    old.rename(new)
    assert paths_of(envelope.read(new / "s.json", SourcesDocument)) == [new / "a.bin"]


def test_stdout_is_absolute_and_stdin_is_from_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    raw = json.dumps({**one(), "base": "raw"}).encode()
    doc = envelope.read("-", SourcesDocument, stdin=io.BytesIO(raw))
    assert paths_of(doc) == [tmp_path / "raw" / "a.bin"]
    text = json.loads(envelope.dumps(doc))
    assert text["base"] == str(tmp_path / "raw")
    assert text["sessions"][0]["sources"][0]["paths"] == [str(tmp_path / "raw" / "a.bin")]


def test_file_patterns_are_paths_too(tmp_path: Path) -> None:
    pattern = {"pattern": "frames/*.tif", "count": 100_000, "digest": "ab"}
    path = tmp_path / "s.json"
    path.write_text(json.dumps(one(paths=[], patterns=[pattern])))
    doc = envelope.read(path, SourcesDocument)
    assert doc.sessions[0].sources[0].patterns[0].pattern == tmp_path / "frames" / "*.tif"
    written = json.loads(envelope.dumps(doc, relative_to=tmp_path))
    assert written["sessions"][0]["sources"][0]["patterns"] == [pattern]


def test_the_same_content_gives_the_same_bytes() -> None:
    first = one(options={"b": 1, "a": {"d": 1, "c": 2}}, evidence="µ", **{"x-b": 1, "x-a": 2})
    second = json.loads(json.dumps(first))
    second["sessions"][0]["sources"][0] = dict(
        reversed(second["sessions"][0]["sources"][0].items())
    )
    second["sessions"][0]["sources"][0]["options"] = {"a": {"c": 2, "d": 1}, "b": 1}
    second = dict(reversed(second.items()))
    texts = [envelope.dumps(envelope.check(data, SourcesDocument)) for data in (first, second)]
    assert texts[0] == texts[1]
    assert texts[0].startswith('{\n  "schema": "nwbkit/sources",\n  "version": 1,\n  "producer"')
    assert texts[0].endswith("\n}\n")
    assert "µ" in texts[0]
    again = envelope.check(json.loads(texts[0]), SourcesDocument)
    assert envelope.dumps(again) == texts[0]


def test_conversion_round_trip(tmp_path: Path) -> None:
    data = conversion(
        metadata={"NWBFile": {"lab": "L"}, "origins": {"NWBFile.lab": "lab.yaml"}},
        inputs=[{"path": "a.bin", "size": 4, "mtime_ns": 1, "fingerprint": "ff"}],
        alignment={"imec0/probe": {"offset_s": 0.5, "how": "user"}},
        measured={"seconds": 1.5},
    )
    path = tmp_path / "o.nwb.json"
    path.write_text(json.dumps(data))
    doc = envelope.read(path, ConversionDocument)
    assert doc.session.sources[0].paths == [tmp_path / "a.bin"]
    assert doc.inputs[0].path == tmp_path / "a.bin"
    assert doc.metadata.fields("NWBFile") == {"lab": "L"}
    written = json.loads(envelope.dumps(doc, relative_to=tmp_path))
    assert written["inputs"] == data["inputs"]
    assert written["metadata"] == data["metadata"]
    assert written["datasets"] == data["datasets"]
    assert written["measured"] == {"seconds": 1.5}
    assert list(written["metadata"]) == ["NWBFile", "origins"]


def test_a_sentence_that_quotes_a_path_not_in_utf8_can_be_written() -> None:
    doc = envelope.check(one(evidence=f"'{NOT_UTF8}' begins with RHD"), SourcesDocument)
    envelope.dumps(doc).encode("utf-8")
    assert "caf\\\\udce9.bin" in envelope.dumps(doc)


def test_what_json_cannot_hold_is_our_mistake() -> None:
    doc = AlignmentDocument()
    doc.measured = {"a": float("nan")}
    with pytest.raises(InternalError):
        envelope.dumps(doc)


def test_write_replaces_whole_and_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "s.json"
    path.write_text("old")
    path.chmod(0o640)
    before = path.stat().st_ino
    envelope.write(envelope.check(one(), SourcesDocument), path)
    assert path.stat().st_ino != before
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert os.listdir(tmp_path) == ["s.json"]


def test_a_new_file_has_the_mode_of_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        envelope.write_text("x", tmp_path / "a")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640


def test_a_failed_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_rename(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    (tmp_path / "a").write_text("old")
    monkeypatch.setattr(os, "replace", no_rename)
    with pytest.raises(OutputRefused, match=r"cannot create '.*a': permission denied"):
        envelope.write_text("new", tmp_path / "a")
    assert (tmp_path / "a").read_text() == "old"
    assert os.listdir(tmp_path) == ["a"]


@pytest.mark.parametrize(
    ("name", "reason"), [("none/a", "no such file or directory"), (".", "is a directory")]
)
def test_where_nothing_can_be_created(name: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(OutputRefused, match=reason) as caught:
        envelope.write_text("x", tmp_path / name)
    assert caught.value.status == 73


def test_special_files_are_written_into_not_replaced(tmp_path: Path) -> None:
    # a FIFO of our own: were the guard broken, a device like /dev/null would be lost
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    try:
        envelope.write_text("x", fifo)
        assert os.read(reader, 10) == b"x"
    finally:
        os.close(reader)
    assert stat.S_ISFIFO(fifo.stat().st_mode)
