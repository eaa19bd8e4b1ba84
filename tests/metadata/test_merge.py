"""Merging: who wins, what null does, where each value came from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nwbkit.documents import envelope
from nwbkit.documents.envelope import dumps
from nwbkit.documents.model import InputRef
from nwbkit.errors import DocumentError, InternalError, UsageError
from nwbkit.metadata.extract import extract
from nwbkit.metadata.files import merge_files, rows
from nwbkit.metadata.merge import apply_set, merge
from tests.metadata.helpers import FakeReader, meta

CASES: list[tuple[str, list[str], dict[str, Any], dict[str, str]]] = [
    (
        "later wins, field by field",
        ["NWBFile: {lab: A, notes: a}", "NWBFile: {lab: B}"],
        {"NWBFile": {"lab": "B", "notes": "a"}},
        {"NWBFile.lab": "1", "NWBFile.notes": "0"},
    ),
    (
        "lists are replaced whole",
        ["NWBFile: {keywords: [a, b]}", "NWBFile: {keywords: [c]}"],
        {"NWBFile": {"keywords": ["c"]}},
        {"NWBFile.keywords": "1"},
    ),
    (
        "deep in a section",
        [
            "ImagingPlanes: {p: {optical_channel: {c: {name: C, emission_lambda: 510}}}}",
            "ImagingPlanes: {p: {optical_channel: {c: {emission_lambda: 520}}}}",
        ],
        {"ImagingPlanes": {"p": {"optical_channel": {"c": {"name": "C", "emission_lambda": 520}}}}},
        {
            "ImagingPlanes.p.optical_channel.c.emission_lambda": "1",
            "ImagingPlanes.p.optical_channel.c.name": "0",
        },
    ),
    (
        "null deletes a value",
        ["Subject: {sex: M, age: P1D}", "Subject: {age: null}"],
        {"Subject": {"sex": "M"}},
        {"Subject.sex": "0"},
    ),
    (
        "null deletes an entry, and not its neighbour whose id begins alike",
        ["Devices: {a: {name: A}, a.b: {name: B}}", "Devices: {a: null}"],
        {"Devices": {"a.b": {"name": "B"}}},
        {"Devices.a.b.name": "0"},
    ),
    ("null deletes a section", ["Subject: {sex: M}", "Subject: null"], {}, {}),
    (
        "what was deleted can be given again",
        ["Subject: {sex: M, age: P1D}", "Subject: null", "Subject: {sex: F}"],
        {"Subject": {"sex": "F"}},
        {"Subject.sex": "2"},
    ),
    ("null of nothing is nothing", ["Subject: {age: null}"], {}, {}),
    (
        "left empty changes nothing",
        ["Subject: {age: P1D}\nNWBFile: {lab: A}", "Subject:\nNWBFile:\n  lab:\n"],
        {"Subject": {"age": "P1D"}, "NWBFile": {"lab": "A"}},
        {"Subject.age": "0", "NWBFile.lab": "0"},
    ),
    (
        "origins of an earlier merge are kept, and go with their values",
        [
            "NWBFile: {lab: A, notes: a}\norigins: {NWBFile.lab: old.yaml, NWBFile.gone: x}",
            "NWBFile: {notes: b}",
        ],
        {"NWBFile": {"lab": "A", "notes": "b"}},
        {"NWBFile.lab": "old.yaml", "NWBFile.notes": "1"},
    ),
    ("keys of one's own", ["x-a: {b: 1, c: 2}", "x-a: {c: 3}"], {"x-a": {"b": 1, "c": 3}}, {}),
    (
        "free columns",
        ["Electrodes: {g/*: {shank: 1}}", "Electrodes: {g/*: {q: 2, shank: null}}"],
        {"Electrodes": {"g/*": {"q": 2}}},
        {"Electrodes.g/*.q": "1"},
    ),
]


@pytest.mark.parametrize(
    ("texts", "body", "origins"), [c[1:] for c in CASES], ids=[c[0] for c in CASES]
)
def test_merge(texts: list[str], body: Any, origins: Any) -> None:
    docs = [(str(i), meta(text)) for i, text in enumerate(texts)]
    before = [dumps(doc) for _, doc in docs]
    merged = merge(docs)
    assert merged.body() == body
    assert (merged.origins or {}) == origins
    assert [dumps(doc) for _, doc in docs] == before


def test_a_merge_of_some_still_deletes_when_it_is_laid_over_others() -> None:
    a, b, c = meta("Subject: {age: P1D}"), meta("Subject: {age: null}"), meta("NWBFile: {lab: L}")
    parts = merge([("b", b), ("c", c)], keep_nulls=True)
    assert parts.body() == {"Subject": {"age": None}, "NWBFile": {"lab": "L"}}
    assert merge([("a", a), ("bc", parts)]).body() == {"NWBFile": {"lab": "L"}}


@pytest.mark.parametrize("between", [[], ["Subject: null"]])
def test_a_value_of_unknown_origin_does_not_inherit_one(between: list[str]) -> None:
    docs = [("a", meta("Subject: {sex: M}")), *(("b", meta(text)) for text in between)]
    merged = merge([*docs, ("", meta("Subject: {sex: F}"))])
    assert merged.body() == {"Subject": {"sex": "F"}}
    assert merged.origins is None


def test_origins_hold_nobodys_folders() -> None:
    doc = meta("NWBFile: {lab: L}")
    assert merge([("/home/jane/lab.yaml", doc)]).origins == {"NWBFile.lab": "lab.yaml"}
    assert merge([("meta/lab.yaml", doc)]).origins == {"NWBFile.lab": "meta/lab.yaml"}


def test_merge_files(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("NWBFile: {lab: A}\nSubject: {age: null}\n")
    (tmp_path / "b.json").write_text('{"NWBFile": {"lab": "B"}}')
    paths = [str(tmp_path / name) for name in ("a.yaml", "b.json")]
    merged = merge_files(paths, ["NWBFile.notes=no"])
    assert merged.body() == {"NWBFile": {"lab": "B", "notes": "no"}, "Subject": {"age": None}}
    assert [(ref.path, ref.size) for ref in merged.inputs] == [
        (tmp_path / "a.yaml", 39),
        (tmp_path / "b.json", 25),
    ]
    assert ("NWBFile.notes", "no", "--set-meta") in rows(merged)
    envelope.write(merged, tmp_path / "m.json")
    again = envelope.read(tmp_path / "m.json", type(merged))
    assert dumps(again) == dumps(merged)


# ------------------------------------------------------------------ --set-meta

SETS: list[tuple[str, dict[str, Any]]] = [
    ("NWBFile.lab=Foo", {"NWBFile": {"lab": "Foo"}}),
    ("NWBFile.notes=a: b = c # d", {"NWBFile": {"notes": "a: b = c # d"}}),
    ("NWBFile.lab=no", {"NWBFile": {"lab": "no"}}),
    (
        "NWBFile.session_start_time=2020-11-03T10:35:10+01:00",
        {"NWBFile": {"session_start_time": "2020-11-03T10:35:10+01:00"}},
    ),
    ("NWBFile.experimenter=Doe, Jane", {"NWBFile": {"experimenter": ["Doe, Jane"]}}),
    (
        'NWBFile.experimenter=["Doe, J", "Roe, R"]',
        {"NWBFile": {"experimenter": ["Doe, J", "Roe, R"]}},
    ),
    ("NWBFile.keywords=[a, b]", {"NWBFile": {"keywords": ["a", "b"]}}),
    ("NWBFile.lab='null'", {"NWBFile": {"lab": "null"}}),
    ("Subject.subject_id=007", {"Subject": {"subject_id": "007"}}),
    ("Devices.p.name=X", {"Devices": {"p": {"name": "X"}}}),
    ("Devices.p.1.name=X", {"Devices": {"p.1": {"name": "X"}}}),
    ("Streams.nidq/XD0.3.name=Lick", {"Streams": {"nidq/XD0.3": {"name": "Lick"}}}),
    ("Streams.imec*/ap.name=AP", {"Streams": {"imec*/ap": {"name": "AP"}}}),
    ("Electrodes.g/e.1.my=2", {"Electrodes": {"g/e.1": {"my": 2}}}),
    ("Electrodes.g/*.x=1.5", {"Electrodes": {"g/*": {"x": 1.5}}}),
    (
        "ImagingPlanes.p.1.optical_channel.c.emission_lambda=510",
        {"ImagingPlanes": {"p.1": {"optical_channel": {"c": {"emission_lambda": 510.0}}}}},
    ),
    (
        "Tables.trials.columns.go.labels.1=yes",
        {"Tables": {"trials": {"columns": {"go": {"labels": {"1": "yes"}}}}}},
    ),
    ("x-mine.a=1", {"x-mine": {"a": 1}}),
]


@pytest.mark.parametrize(("text", "body"), SETS)
def test_set(text: str, body: Any) -> None:
    changed = apply_set(meta("{}"), text)
    assert changed.body() == body
    if not text.startswith("x-"):
        assert set((changed.origins or {}).values()) == {"--set-meta"}


def test_set_keeps_the_rest_and_null_deletes() -> None:
    doc = meta("NWBFile: {lab: A, notes: n}\norigins: {NWBFile.lab: f, NWBFile.notes: f}")
    changed = apply_set(apply_set(doc, "NWBFile.lab=B"), "NWBFile.notes=null")
    assert changed.body() == {"NWBFile": {"lab": "B"}}
    assert changed.origins == {"NWBFile.lab": "--set-meta"}
    assert doc.fields("NWBFile") == {"lab": "A", "notes": "n"}


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("NWBFile.lab", "is not key=value", "NWBFile.lab=MyLab"),
        ("=x", "is not key=value", None),
        ("NWBFile.lab=", "gives no value", "null deletes"),
        ("nwbfile.lab=x", "unknown key 'nwbfile'", "did you mean 'NWBFile'?"),
        ("NWBFile.labb=x", "unknown key 'NWBFile.labb'", "did you mean 'lab'?"),
        ("Subject.wieght=x", "unknown key 'Subject.wieght'", "did you mean 'weight'?"),
        ("Streams.a/b.nam=x", "unknown key 'Streams.a/b.nam'", "did you mean 'name'?"),
        ("origins.x=y", "unknown key 'origins'", None),
        ("NWBFile=x", "'NWBFile' in '--set-meta NWBFile=x': expected a mapping", None),
        ("Electrodes.g/e.x=abc", "expected a number, found 'abc'", None),
        ("NWBFile.keywords=[a", "is not YAML", None),
    ],
)
def test_set_refused(text: str, message: str, hint: str | None) -> None:
    with pytest.raises(UsageError) as caught:
        apply_set(meta("{}"), text)
    assert message in str(caught.value)
    assert hint is None or hint in (caught.value.hint or "")


# ------------------------------------------------------------------ extract


def test_extract_says_where_each_value_came_from() -> None:
    doc = extract(
        [
            FakeReader("a", {"NWBFile": {"session_start_time": "2020-01-01T00:00:00"}}),
            FakeReader(
                "b",
                {"Devices": {"d": {"name": "D"}}, "origins": {"Devices.d.name": "fake b.meta:sn"}},
            ),
        ]
    )
    assert doc.body() == {
        "NWBFile": {"session_start_time": "2020-01-01T00:00:00"},
        "Devices": {"d": {"name": "D"}},
    }
    assert doc.origins == {
        "NWBFile.session_start_time": "fake a.bin",
        "Devices.d.name": "fake b.meta:sn",
    }
    assert doc.inputs == [InputRef(path=Path(f"/data/{i}.bin"), size=None) for i in "ab"]


def test_sources_that_disagree_are_not_silently_settled() -> None:
    readers = [
        FakeReader("a", {"NWBFile": {"lab": "A"}, "Devices": {"d": {"name": "D"}}}),
        FakeReader("b", {"NWBFile": {"lab": "B"}, "Devices": {"d": {"name": "D"}}}),
    ]
    doc = extract(readers)
    assert doc.fields("NWBFile") == {"lab": "A"}
    conflicts = {"NWBFile.lab": [{"value": "B", "origin": "fake b.bin"}]}
    assert doc.model_extra == {"x-conflicts": conflicts}
    assert merge([("x", doc)]).model_extra == {"x-conflicts": conflicts}
    assert apply_set(doc, "NWBFile.lab=B").model_extra == {}
    assert apply_set(doc, "NWBFile.notes=B").model_extra == {"x-conflicts": conflicts}


@pytest.mark.parametrize("unknown", [float("nan"), np.float32("nan"), float("inf"), None])
def test_a_vendors_word_for_unknown_is_no_value(unknown: Any) -> None:
    said = {"Electrodes": {"g/e": {"imp": unknown, "x": np.float32(2.5)}}}
    readers = [FakeReader("a", {"Electrodes": {"g/e": {"imp": 1.0}}}), FakeReader("b", said)]
    assert extract(readers).body() == {"Electrodes": {"g/e": {"imp": 1.0, "x": 2.5}}}


def test_a_reader_that_breaks_the_shape_is_our_mistake() -> None:
    with pytest.raises(InternalError, match=r"fake: unknown key 'NWBFile.foo'.*source 'a'"):
        extract([FakeReader("a", {"NWBFile": {"foo": 1}})])


def test_nothing_said() -> None:
    assert extract([FakeReader("a", {})]).body() == {}
    assert merge([]).body() == {}


def test_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("NWBFile: {labb: A}")
    with pytest.raises(DocumentError, match=r"unknown key 'NWBFile.labb' in '.*a\.yaml'"):
        merge_files([str(tmp_path / "a.yaml")])
