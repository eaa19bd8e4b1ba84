"""The rules: each found where broken, none found where kept."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from nwbkit.documents import envelope
from nwbkit.documents.findings import FindingsDocument
from nwbkit.metadata.merge import apply_set
from nwbkit.metadata.rules import RULES
from nwbkit.metadata.validate import LEVELS, render, validate
from tests.metadata.helpers import FakeReader, meta, probe

GOOD = meta(
    """
NWBFile:
  session_start_time: 2020-11-03T10:35:10+01:00
  session_description: A mouse licks for water
  experimenter: ["Doe, Jane", "van der Roe, R. H."]
  institution: University of Bern
  lab: Doe Lab
  keywords: [cortex]
  related_publications: [doi:10.1038/nature24636, https://doi.org/10.1/x]
Subject: {subject_id: M1, species: Mus musculus, sex: F, age: P90D, weight: 0.025 kg}
"""
)
NOW = datetime(2026, 1, 1, tzinfo=UTC)

#: change to GOOD, rule found, key path, part of message or hint
BROKEN: list[tuple[str, str, str, str]] = [
    ("NWBFile.session_start_time=null", "start-time", "NWBFile.session_start_time", "missing"),
    ("NWBFile.session_start_time=yesterday", "start-time", "NWBFile.session_start_time", "ISO"),
    (
        "NWBFile.session_start_time=2020-11-03T10:35:10",
        "start-time",
        "NWBFile.session_start_time",
        "--timezone",
    ),
    (
        "NWBFile.timestamps_reference_time=2020-11-03T10:35:10",
        "reference-time",
        "NWBFile.timestamps_reference_time",
        "no time zone",
    ),
    ("NWBFile.identifier=' '", "identifier-empty", "NWBFile.identifier", "empty"),
    ("Subject.date_of_birth=1/2/20", "birth-unreadable", "Subject.date_of_birth", "ISO"),
    ("Subject.age__reference=weaning", "age-reference", "Subject.age__reference", "gestational"),
    ("Devices.d.name=a/b", "object-name", "Devices.d.name", "'a/b'"),
    ("Streams.a/ap.name=.hidden", "object-name", "Streams.a/ap.name", "'.hidden'"),
    ("NWBFile.session_description=null", "description-missing", "NWBFile.session_description", ""),
    ("NWBFile.experimenter=null", "experimenter", "NWBFile.experimenter", "missing"),
    ("NWBFile.experimenter=Jane Doe", "experimenter", "NWBFile.experimenter", "'Doe, Jane'"),
    ("NWBFile.institution=null", "institution-missing", "NWBFile.institution", ""),
    ("NWBFile.lab=null", "lab-missing", "NWBFile.lab", ""),
    ("NWBFile.keywords=null", "keywords-missing", "NWBFile.keywords", ""),
    ("NWBFile.session_description=TODO", "placeholder", "NWBFile.session_description", "nothing"),
    ("Devices.d.description=No description.", "placeholder", "Devices.d.description", "nothing"),
    (
        "NWBFile.session_start_time=2026-01-01T00:00:01Z",
        "start-in-future",
        "NWBFile.session_start_time",
        "future",
    ),
    (
        "NWBFile.session_start_time=1970-01-01T00:00:00Z",
        "start-too-old",
        "NWBFile.session_start_time",
        "1980",
    ),
    ("Subject.date_of_birth=2021-01-01", "born-after-session", "Subject.date_of_birth", "after"),
    (
        "NWBFile.related_publications=My paper",
        "publication-form",
        "NWBFile.related_publications",
        "doi:",
    ),
    ("Subject.subject_id=null", "subject-id-missing", "Subject.subject_id", "M123"),
    ("Subject.species=null", "species-missing", "Subject.species", "Mus musculus"),
    ("Subject.sex=null", "sex-missing", "Subject.sex", "=F"),
    ("Subject.age=null", "age-missing", "Subject.age", "date_of_birth"),
    ("Subject.subject_id=a/b", "subject-id-form", "Subject.subject_id", "'/'"),
    ("Subject.species=mouse", "species-form", "Subject.species", "Mus musculus"),
    ("Subject.species=rattus norvegicus", "species-form", "Subject.species", "Rattus norvegicus"),
    ("Subject.sex=female", "sex-form", "Subject.sex", "Subject.sex=F"),
    ("Subject.age=90 days", "age-form", "Subject.age", "P90D means 90 days"),
    ("Subject.age=P", "age-form", "Subject.age", "duration"),
    ("Subject.age=P1DT", "age-form", "Subject.age", "duration"),
    ("Subject.age=/P3D", "age-form", "Subject.age", "duration"),
    ("Subject.weight=25 g", "weight-form", "Subject.weight", "'0.025 kg'"),
    ("Subject.weight=0.025", "weight-form", "Subject.weight", "kg"),
]

KEPT = [
    "NWBFile.session_start_time=2025-12-31T23:59:59Z",
    "NWBFile.timestamps_reference_time=2020-11-03T10:35:10Z",
    "NWBFile.identifier=x",
    "Subject.date_of_birth=2020-11-03",
    "Subject.age__reference=gestational",
    "Subject.species=http://purl.obolibrary.org/obo/NCBITaxon_10090",
    "Subject.species=Mustela putorius furo",
    "Subject.sex=O",
    "Subject.age=P1Y/P3Y",
    "Subject.age=P1Y/",
    "Subject.age=P2.5W",
    "Subject.age=P1DT12H",
    "Subject.weight=12 kg",
    "Devices.d.name=Probe 1",
    "Devices.d.description=Neuropixels 1.0",
]


def codes(findings: FindingsDocument) -> list[str]:
    return [finding.code for finding in findings.findings]


@pytest.mark.parametrize("level", LEVELS)
def test_good_metadata_is_enough_for_all(level: Any) -> None:
    findings = validate(GOOD, level=level, now=NOW)
    assert codes(findings) == []
    assert findings.ok


@pytest.mark.parametrize("change", KEPT)
def test_kept(change: str) -> None:
    assert codes(validate(apply_set(GOOD, change), level="dandi", now=NOW)) == []


@pytest.mark.parametrize(("change", "code", "where", "words"), BROKEN)
def test_broken(change: str, code: str, where: str, words: str) -> None:
    rule = next(rule for rule in RULES if rule.code == code)
    for level in LEVELS:
        findings = validate(apply_set(GOOD, change), level=level, now=NOW)
        assert codes(findings) == [code]
        (found,) = findings.findings
        assert found.where == where
        assert words in f"{found.message} {found.hint}"
        if rule.level == "nwb" or (level == "dandi" and rule.dandi_refuses):
            assert found.severity == "error"
        else:
            assert found.severity == ("info" if level == "nwb" else "warning")
        enough = {"error": False, "warning": level == "dandi", "info": True}
        assert findings.ok is enough[found.severity]


def test_every_rule_has_a_case() -> None:
    assert {code for _, code, _, _ in BROKEN} | {"sources-disagree"} == {r.code for r in RULES}
    assert len({r.code for r in RULES}) == len(RULES)


def test_timezone_completes_a_naive_start() -> None:
    naive = apply_set(GOOD, "NWBFile.session_start_time=2020-11-03T10:35:10")
    assert codes(validate(naive, timezone="Europe/Berlin", now=NOW)) == []


def test_birth_stands_for_age() -> None:
    doc = apply_set(apply_set(GOOD, "Subject.age=null"), "Subject.date_of_birth=2020-08-01")
    assert codes(validate(doc, level="dandi", now=NOW)) == []


def test_errors_come_first() -> None:
    findings = validate(meta("NWBFile: {lab: todo}"), level="dandi", now=NOW)
    severities = [f.severity for f in findings.findings]
    assert severities == sorted(severities, key=["error", "warning", "info"].index)
    assert severities[0] == "error"
    assert severities[-1] == "warning"


# ------------------------------------------------------------------ against the data

SAID = {
    "Devices": {"Probe": {"name": "P"}},
    "ElectrodeGroups": {"Shank0": {"device": "Probe"}},
    "ImagingPlanes": {"plane": {"device": "Probe"}},
}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Streams: {a/ap: {name: X}, 'a/*': {name: Y}, a: {name: Z}, a/ap/3: {name: L}}", []),
        ("Streams: {a/app: {name: X}}", [("matches-nothing", "Streams.a/app", "'a/ap'?")]),
        ("Streams: {'b*': {name: X}}", [("matches-nothing", "Streams.b*", "in the data: a/ap")]),
        ("Electrodes: {Shank0/e1: {x: 1}, 'Shank*/e?': {y: 1}, Shank0: {z: 1}}", []),
        ("Electrodes: {Shank0/e9: {x: 1}}", [("matches-nothing", "Electrodes.Shank0/e9", "'Sh")]),
        ("Devices: {Probe: {name: Q}}", []),
        ("Devices: {Prob: {name: Q}}", [("matches-nothing", "Devices.Prob", "'Probe'?")]),
        ("Devices: {Rig: {name: R}}\nStreams: {a/ap: {device: Rig}}", []),
        ("ElectrodeGroups: {shank0: {location: CA1}}",
         [("matches-nothing", "ElectrodeGroups.shank0", "'Shank0'?")]),
        ("ElectrodeGroups: {Shank0: {device: Prove}}",
         [("no-such-entry", "ElectrodeGroups.Shank0.device", "'Probe'?")]),
        ("Streams: {a/ap: {imaging_plane: plan}}",
         [("no-such-entry", "Streams.a/ap.imaging_plane", "'plane'?")]),
    ],
)  # fmt: skip
def test_against_the_data(text: str, found: list[tuple[str, str, str]]) -> None:
    readers = [FakeReader("a", SAID, [probe()])]
    findings = validate(meta(text), readers=readers, now=NOW)
    about = [f for f in findings.findings if f.code in ("matches-nothing", "no-such-entry")]
    assert [(f.code, f.where) for f in about] == [(code, where) for code, where, _ in found]
    for finding, (_, _, hint) in zip(about, found, strict=True):
        assert hint in (finding.hint or "")


def test_what_the_files_say_counts() -> None:
    said = {"NWBFile": {"session_start_time": "2020-11-03T10:35:10Z"}}
    assert codes(validate(meta("{}"), now=NOW))[0] == "start-time"
    findings = validate(meta("{}"), readers=[FakeReader("a", said)], now=NOW)
    assert "start-time" not in codes(findings)
    assert findings.ok


def test_sources_that_disagree_are_found_until_somebody_decides() -> None:
    readers = [FakeReader(i, {"NWBFile": {"lab": f"lab {i}"}}) for i in "ab"]
    undecided = validate(meta("{}"), readers=readers, level="best", now=NOW)
    (found,) = [f for f in undecided.findings if f.code == "sources-disagree"]
    assert found.where == "NWBFile.lab"
    assert "fake a.bin" in found.message
    assert "'lab b' (fake b.bin)" in found.message
    decided = validate(meta("NWBFile: {lab: lab b}"), readers=readers, level="best", now=NOW)
    assert "sources-disagree" not in codes(decided)


def test_render_and_document() -> None:
    findings = validate(meta("Subject: {sex: female}"), level="dandi", now=NOW)
    text = render(findings)
    assert "error: Subject.sex: 'female' is none of M, F, U, O" in text
    assert "    hint: --set-meta Subject.sex=F" in text
    assert text.splitlines()[-1].startswith("not enough: ")
    again = envelope.check(json.loads(envelope.dumps(findings)), FindingsDocument)
    assert again.ok is False
    assert codes(again) == codes(findings)
