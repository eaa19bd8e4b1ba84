"""The envelope: what is refused, with which words, and what comes back unchanged."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any, ClassVar

import pytest

from nwbkit.documents import envelope, schemas
from nwbkit.documents.alignment import AlignmentDocument
from nwbkit.documents.conversion import ConversionDocument
from nwbkit.documents.metadata import MetadataDocument
from nwbkit.documents.model import Document
from nwbkit.documents.plan import PlanDocument
from nwbkit.documents.sources import SourcesDocument
from nwbkit.errors import (
    DocumentError,
    NoInput,
)
from tests.documents.helpers import conversion, one, source, sources

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
