"""The envelope: what is refused, with which words, and what comes back unchanged."""

from __future__ import annotations

import io
import json
import os
import stat
from pathlib import Path
from typing import Any, ClassVar

import pytest

from nwbkit.documents import envelope, schemas
from nwbkit.documents.alignment import AlignmentDocument
from nwbkit.documents.conversion import ConversionDocument
from nwbkit.documents.metadata import MetadataDocument
from nwbkit.documents.model import Document, InputRef
from nwbkit.documents.plan import PlanDocument
from nwbkit.documents.sources import SourcesDocument
from nwbkit.errors import (
    DocumentError,
    InternalError,
    NoInput,
    OutputRefused,
    UsageError,
)

NOT_UTF8 = os.fsdecode(b"caf\xe9.bin")


def source(**changes: Any) -> dict[str, Any]:
    return {"id": "imec0", "format": "spikeglx", "paths": ["a.bin"], "strength": "magic", **changes}


def sources(**changes: Any) -> dict[str, Any]:
    return {
        "schema": "nwbkit/sources",
        "version": 1,
        "sessions": [{"id": "run", "sources": [source()]}],
        **changes,
    }


def conversion(**changes: Any) -> dict[str, Any]:
    return {
        "schema": "nwbkit/conversion",
        "version": 1,
        "output": {"name": "o.nwb", "backend": "hdf5"},
        "identity": "ab12",
        "session": {"id": "run", "sources": [source()]},
        "datasets": {
            "/acquisition/E/data": {
                "key": "imec0/ap:data",
                "shape": [10, 4],
                "dtype": "int16",
                "block_rows": 5,
                "digest": "ff",
                "blocks": ["00", "01"],
            }
        },
        **changes,
    }


def one(**changes: Any) -> dict[str, Any]:
    return sources(sessions=[{"id": "run", "sources": [source(**changes)]}])


REFUSED: list[tuple[Any, type[Document], str, str | None]] = [
    # the envelope itself
    ([], SourcesDocument, "expected a mapping, found a list []", "nwbkit detect"),
    ({}, SourcesDocument, "'f' has no 'schema': expected 'nwbkit/sources'", "nwbkit detect"),
    (
        sources(schema="nwbkit/plan"),
        SourcesDocument,
        "'f' has the schema 'nwbkit/plan', expected 'nwbkit/sources'",
        "nwbkit detect",
    ),
    (
        sources(version=2, producer="nwbkit 9.9"),
        SourcesDocument,
        "'f' is of version 2 of 'nwbkit/sources' (written by nwbkit 9.9), newer than the 1",
        "pip install --upgrade nwbkit",
    ),
    (sources(version="1"), SourcesDocument, "expected a whole number from 1, found '1'", None),
    (sources(version=True), SourcesDocument, "expected a whole number from 1, found true", None),
    ({"version": 1}, MetadataDocument, "has a 'version' but no 'schema'", "schema: nwbkit/metad"),
    # unknown keys, at several depths
    (sources(sesions=[]), SourcesDocument, "unknown key 'sesions'", "did you mean 'sessions'?"),
    (
        one(formt="x"),
        SourcesDocument,
        "unknown key 'sessions[0].sources[0].formt' in 'f'",
        "did you mean 'format'?",
    ),
    (
        one(relations=[{"kind": "video_of", "source": "imec0", "steam": "ap"}]),
        SourcesDocument,
        "unknown key 'sessions[0].sources[0].relations[0].steam'",
        "did you mean 'stream'?",
    ),
    (
        {"ImagingPlanes": {"p": {"optical_channel": {"c": {"emission_lamda": 5}}}}},
        MetadataDocument,
        "unknown key 'ImagingPlanes.p.optical_channel.c.emission_lamda'",
        "did you mean 'emission_lambda'?",
    ),
    ({"subject": {}}, MetadataDocument, "unknown key 'subject'", "did you mean 'Subject'?"),
    ({"Subject": {"qqq": 1}}, MetadataDocument, "unknown key 'Subject.qqq'", "'x-'"),
    (
        conversion(metadata={"NWBFile": {"labb": "x"}}),
        ConversionDocument,
        "unknown key 'metadata.NWBFile.labb'",
        "did you mean 'lab'?",
    ),
    # values: key path, expected, found
    ({"Subject": 3}, MetadataDocument, "'Subject' in 'f': expected a mapping, found 3", "--schema"),
    (
        {"Subject": {"weight": ["a"]}},
        MetadataDocument,
        "'Subject.weight' in 'f': expected a text, found a list ['a']",
        "--schema metadata",
    ),
    (
        {"Subject": {"sex": True}},
        MetadataDocument,
        "'Subject.sex' in 'f': expected a text, found true",
        None,
    ),
    (
        {"Subject": {"sex": True, "age": [1]}},
        MetadataDocument,
        "(and 1 more)",
        None,
    ),
    (
        {"Electrodes": {"g/e": {"x": float("nan")}}},
        MetadataDocument,
        "'Electrodes.g/e.x' in 'f': expected a finite number, found nan",
        None,
    ),
    (
        {"Electrodes": {"g/e": {"mine": float("inf")}}},
        MetadataDocument,
        "'Electrodes.g/e.mine' in 'f': expected a finite number, found inf",
        None,
    ),
    (
        {"clocks": {"a/b": {"offset_s": "1"}}},
        AlignmentDocument,
        "'clocks.a/b.offset_s' in 'f': expected a number, found '1'",
        None,
    ),
    ({"clocks": {"a/b": {}}}, AlignmentDocument, "lacks the key 'clocks.a/b.offset_s'", None),
    ({"clocks": {"a/b": {"offset_s": 0, "scale": 0}}}, AlignmentDocument, "scale", None),
    ({"datasets": {"a": {"chunks": [0]}}}, PlanDocument, "'datasets.a.chunks[0]' in 'f'", None),
    (
        {"datasets": {"a": {"shuffle": 1}}},
        PlanDocument,
        "expected true or false, found 1",
        None,
    ),
    (
        one(strength="sure"),
        SourcesDocument,
        "expected one of magic, key, name, fallback, found 'sure'",
        None,
    ),
    (one(id="a b"), SourcesDocument, "expected a source id of letters", None),
    (one(id=""), SourcesDocument, "expected a source id of letters", None),
    (one(paths=[]), SourcesDocument, "neither 'paths' nor 'patterns'", None),
    (one(paths=[{"bytes": "!"}]), SourcesDocument, "paths[0]' in 'f': expected a path", None),
    (one(paths=["a\0b"]), SourcesDocument, "paths[0]' in 'f': expected a path", None),
    (one(paths=["\udce9"]), SourcesDocument, "paths[0]' in 'f': expected a path", None),
    (
        sources(sessions=[{"id": "../x", "sources": [source()]}]),
        SourcesDocument,
        "expected a session id without '/'",
        None,
    ),
    (
        sources(sessions=[{"id": "r", "sources": [source(), source()]}]),
        SourcesDocument,
        "the source id 'imec0' is given twice in 'r'",
        None,
    ),
    (
        sources(sessions=[{"id": "r", "sources": [source()]}] * 2),
        SourcesDocument,
        "the session id 'r' is given twice",
        None,
    ),
    (
        one(relations=[{"kind": "video_of", "source": "imec1"}]),
        SourcesDocument,
        "'imec0' relates to 'imec1', which is no source of 'run'",
        "did you mean 'imec0'?",
    ),
    (conversion(identity="xyz"), ConversionDocument, "'identity' in 'f'", None),
]


@pytest.mark.parametrize(("data", "model", "message", "hint"), REFUSED)
def test_refused(data: Any, model: type[Document], message: str, hint: str | None) -> None:
    with pytest.raises(DocumentError) as caught:
        envelope.check(data, model, where="f")
    assert caught.value.status == 65
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    if hint is not None:
        assert hint in (caught.value.hint or "")


UNREADABLE: list[tuple[bytes, type[Document], str, str | None]] = [
    (b"", SourcesDocument, "found an empty file", "nwbkit detect"),
    (b"{", SourcesDocument, "is not JSON", None),
    (b'{"schema": "nwbkit/sources",}', SourcesDocument, "line 1, column", None),
    (b'{"a": 1, "a": 2}', SourcesDocument, "the key 'a' is given twice", None),
    (b'{"a": NaN}', SourcesDocument, "'NaN' is not a JSON number", None),
    (b"[" * 200_000, SourcesDocument, "", None),
    (b"\x00\x01\x02", SourcesDocument, "it is binary", None),
    (b"\x00\x01\x02", MetadataDocument, "it is binary", None),
    (b'{"a": "\xff"}', SourcesDocument, "byte 0xff at line 1, column 8", "iconv"),
    (b"a: 1\nlab: caf\xe9\n", MetadataDocument, "byte 0xe9 at line 2, column 9", "iconv"),
    (b"schema: nwbkit/sources\nversion: 1\n", SourcesDocument, "is not JSON", None),
    (b'{"schema": 1}\n{"schema": 1}\n', SourcesDocument, "second at line 2", "--task K"),
]


@pytest.mark.parametrize(("raw", "model", "message", "hint"), UNREADABLE)
@pytest.mark.parametrize("through", ["file", "stdin"])
def test_unreadable(
    raw: bytes,
    model: type[Document],
    message: str,
    hint: str | None,
    through: str,
    tmp_path: Path,
) -> None:
    path = tmp_path / "doc"
    path.write_bytes(raw)
    with pytest.raises(DocumentError) as caught:
        if through == "file":
            envelope.read(path, model)
        else:
            envelope.read("-", model, stdin=io.BytesIO(raw))
    assert message in str(caught.value)
    assert (str(path) if through == "file" else "'-'") in str(caught.value)
    assert hint is None or hint in (caught.value.hint or "")


def test_missing_file() -> None:
    with pytest.raises(NoInput, match="cannot open '/none/x': no such file"):
        envelope.read("/none/x", SourcesDocument)


def test_json_suffix_keeps_json_errors(tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    path.write_text("Subject: {}")
    with pytest.raises(DocumentError, match="is not JSON"):
        envelope.read(path, MetadataDocument)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("m.yaml", "NWBFile: {lab: L}"),
        ("m.yml", "schema: nwbkit/metadata\nversion: 1\nNWBFile: {lab: L}"),
        ("m", "NWBFile:\n  lab: L\n"),
        ("m", '{"NWBFile": {"lab": "L"}}'),
        ("m.json", '\ufeff{"NWBFile": {"lab": "L"}}'),
    ],
)
def test_hand_written_needs_no_envelope(name: str, text: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    doc = envelope.read(path, MetadataDocument)
    assert doc.fields("NWBFile") == {"lab": "L"}
    assert json.loads(envelope.dumps(doc))["version"] == 1


# ------------------------------------------------------------------ versions


class Fake(Document):
    SCHEMA: ClassVar[str] = "nwbkit/fake"
    VERSION: ClassVar[int] = 3

    colour: str = ""


def test_older_versions_are_upgraded_step_by_step(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = {
        1: lambda data: {"color": data["kolor"], **{k: data[k] for k in data if k != "kolor"}},
        2: lambda data: {"colour": data["color"], **{k: data[k] for k in data if k != "color"}},
    }
    monkeypatch.setitem(envelope.UPGRADES, "nwbkit/fake", steps)
    old: dict[str, Any] = {"schema": "nwbkit/fake", "version": 1, "kolor": "red"}
    assert envelope.check(old, Fake).colour == "red"
    assert envelope.check({"schema": "nwbkit/fake", "version": 2, "color": "r"}, Fake).colour == "r"
    assert old == {"schema": "nwbkit/fake", "version": 1, "kolor": "red"}
    assert envelope.check(old, Fake).version == 3


def test_every_document_can_be_upgraded_from_version_one() -> None:
    for name in schemas.schema_names():
        model = schemas.model_of(name)
        steps = envelope.UPGRADES.get(model.SCHEMA, {})
        assert sorted(steps) == list(range(1, model.VERSION))


# ------------------------------------------------------------------ x- keys


def test_x_keys_pass_through_at_every_level() -> None:
    data = one(**{"x-src": [1, {"b": None}]})
    data["x-top"] = {"z": 1, "a": "no"}
    data["sessions"][0]["x-s"] = True
    data["inputs"] = [{"path": "/a", "x-i": 1.5}]
    doc = envelope.check(data, SourcesDocument)
    again = json.loads(envelope.dumps(doc))
    assert again["x-top"] == {"a": "no", "z": 1}
    assert again["sessions"][0]["x-s"] is True
    assert again["sessions"][0]["sources"][0]["x-src"] == [1, {"b": None}]
    assert again["inputs"][0]["x-i"] == 1.5


# ------------------------------------------------------------------ paths


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


# ------------------------------------------------------------------ writing


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


def test_special_files_are_written_into_not_replaced() -> None:
    envelope.write_text("x", "/dev/null")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


# ------------------------------------------------------------------ sniffing

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
        (b"\x00schema: nwbkit/metadata\n", False),
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


# ------------------------------------------------------------------ JSON Lines


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
        assert paths_of(task) == [Path(f"/d/{name}.bin")]
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


# ------------------------------------------------------------------ schemas


@pytest.mark.parametrize("name", schemas.schema_names())
def test_shipped_schemas_are_fresh(name: str) -> None:
    shipped = (schemas.FOLDER / f"{name}.json").read_text(encoding="utf-8")
    assert shipped == schemas.schema_text(name), "run python -m nwbkit.documents.schemas"


def test_no_schema_is_left_over() -> None:
    shipped = sorted(path.stem for path in schemas.FOLDER.iterdir())
    assert shipped == schemas.schema_names()


def test_schema_says_what_the_model_does() -> None:
    schema = schemas.json_schema("nwbkit/sources")
    assert schema["properties"]["schema"] == {"const": "nwbkit/sources"}
    assert schema["properties"]["version"] == {"const": 1}
    assert schema["additionalProperties"] is False
    assert "^x-" in schema["patternProperties"]
    assert schemas.json_schema("metadata").get("required") is None
    free = schemas.json_schema("metadata")["$defs"]["ElectrodeFields"]
    assert free["additionalProperties"] is True


def test_unknown_schema() -> None:
    with pytest.raises(UsageError, match="no schema 'source'") as caught:
        schemas.json_schema("source")
    assert caught.value.hint == "did you mean 'sources'?"
