"""What the models themselves know: counting findings, precedence of globs, spelled numbers."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nwbkit.documents import envelope, yamlio
from nwbkit.documents.findings import Checked, Finding, FindingsDocument
from nwbkit.documents.metadata import MetadataDocument
from nwbkit.documents.plan import DatasetPlan
from nwbkit.documents.problems import did_you_mean, show


def meta(text: str) -> MetadataDocument:
    return envelope.check(yamlio.load(text, "f"), MetadataDocument, where="f")


def finding(severity: Any) -> Finding:
    return Finding(severity=severity, code="c", where="w", message="m")


@pytest.mark.parametrize(
    ("severities", "equal", "ok", "counts"),
    [
        ([], [], True, (0, 0, 0, 0)),
        (["warning", "info", "info"], [True], True, (0, 1, 2, 1)),
        (["error"], [True, True], False, (1, 0, 0, 2)),
        ([], [True, False], False, (0, 0, 0, 2)),
    ],
)
def test_findings_are_counted(
    severities: list[str], equal: list[bool], ok: bool, counts: tuple[int, ...]
) -> None:
    doc = FindingsDocument.of(
        map(finding, severities), [Checked(address="a/b", what="data", equal=e) for e in equal]
    )
    assert doc.ok is ok
    summary = doc.summary
    assert (summary.errors, summary.warnings, summary.infos, summary.checked) == counts


STREAMS = """
Streams:
  imec0/ap: {name: Exact}
  "imec*/ap": {name: Long, description: d2}
  "*": {name: Any, description: d1, comments: c1}
  nidq: {comments: source}
  gone: null
"""


@pytest.mark.parametrize(
    ("address", "fields"),
    [
        ("imec0/ap", {"name": "Exact", "description": "d2", "comments": "c1"}),
        ("imec1/ap", {"name": "Long", "description": "d2", "comments": "c1"}),
        ("nidq/XA0", {"name": "Any", "description": "d1", "comments": "source"}),
        ("cam/video", {"name": "Any", "description": "d1", "comments": "c1"}),
    ],
)
def test_the_most_specific_key_wins_whatever_the_order(address: str, fields: Any) -> None:
    doc = meta(STREAMS)
    assert doc.matched("Streams", address) == fields
    again = envelope.check(json.loads(envelope.dumps(doc)), MetadataDocument)
    assert again.matched("Streams", address) == fields


def test_texts_keep_the_spelling_of_numbers_and_free_columns_do_not() -> None:
    doc = meta(
        "Subject: {subject_id: 007, weight: 25.50, sex: no}\n"
        "NWBFile: {keywords: [1.10, b], experimenter: 'Doe, J'}\n"
        "Electrodes: {'g/e': {location: 3, shank: 007, mine: 1.50}}\n"
    )
    assert doc.fields("Subject") == {"subject_id": "007", "weight": "25.50", "sex": "no"}
    assert doc.fields("NWBFile") == {"keywords": ["1.10", "b"], "experimenter": ["Doe, J"]}
    free = doc.fields("Electrodes", "g/e")
    assert free == {"location": "3", "shank": 7, "mine": 1.5}
    assert (type(free["shank"]), type(free["mine"])) == (int, float)


def test_null_is_kept_and_empty_is_not() -> None:
    doc = meta("Subject:\nDevices: null\nNWBFile: {lab: , notes: ~}\nCameras: {a: , b: null}")
    assert doc.body() == {"Devices": None, "NWBFile": {"notes": None}, "Cameras": {"b": None}}
    assert doc.fields("NWBFile") == {}
    assert doc.entries("Cameras") == {}


def test_a_key_left_empty_is_checked_all_the_same() -> None:
    with pytest.raises(envelope.DocumentError, match="unknown key 'Sujbect'"):
        meta("Sujbect:\n")


def test_numpy_values_become_plain() -> None:
    plan = DatasetPlan(chunks=[np.int64(3), np.uint8(4)])  # type: ignore[list-item]
    assert plan.plain() == {"chunks": [3, 4]}
    doc = envelope.check(
        {"Electrodes": {"a/b": {"x": np.float32(1.5), "n": np.arange(2)}}}, MetadataDocument
    )
    assert doc.fields("Electrodes", "a/b") == {"x": 1.5, "n": [0, 1]}
    assert type(doc.fields("Electrodes", "a/b")["x"]) is float


@pytest.mark.parametrize(
    ("word", "known", "answer"),
    [
        ("subject", ["Subject", "Streams"], "Subject"),
        ("sesion", ["session", "version"], "session"),
        ("zzz", ["session"], None),
    ],
)
def test_did_you_mean(word: str, known: list[str], answer: str | None) -> None:
    assert did_you_mean(word, known) == answer


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        ("a\nb", "'a\\nb'"),
        ("x" * 100, f"'{'x' * 57}...'"),
        ([1], "a list [1]"),
        ({"a": 1}, "a mapping {'a': 1}"),
    ],
)
def test_show_is_one_short_line(value: Any, text: str) -> None:
    assert show(value) == text


@pytest.mark.parametrize("module", ["envelope", "sources", "metadata", "conversion", "schemas"])
def test_documents_import_nothing_heavy(module: str) -> None:
    code = (
        f"import sys, nwbkit.documents.{module}; "
        "print([m for m in ('pynwb', 'h5py', 'numpy', 'yaml', 'click') if m in sys.modules])"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=root, check=True
    )
    assert done.stdout.strip() == "[]"
