"""The template: loadable as it is, changing nothing, asking for what is missing."""

from __future__ import annotations

import re

import pytest

from nwbkit.documents.metadata import MetadataDocument, NWBFileFields, SubjectFields
from nwbkit.metadata.merge import merge
from nwbkit.metadata.template import FIELDS, Facts, facts_of, template
from nwbkit.metadata.validate import validate
from tests.metadata.helpers import FakeReader, meta, probe

KNOWN = meta(
    """
NWBFile: {session_start_time: '2020-11-03T10:35:10', lab: "A: 'b' #c", notes: "two\\nlines \\u2028"}
Subject: {date_of_birth: '2020-01-01', strain: C57}
ElectrodeGroups: {Shank0: {location: CA1}, "Shank 1": {description: d}}
Streams: {a/ap: {name: AP}}
origins: {NWBFile.lab: lab.yaml}
"""
)
FACTS = facts_of("run g0", [FakeReader("a", {}, [probe(), probe("lf", "Shank2")])])
DOCS = [(meta("{}"), Facts()), (meta("{}"), FACTS), (KNOWN, Facts()), (KNOWN, FACTS)]


@pytest.mark.parametrize(("doc", "facts"), DOCS)
def test_loadable_as_it_is_and_changes_nothing(doc: MetadataDocument, facts: Facts) -> None:
    loaded = meta(template(doc, facts))
    values = merge([("known", doc), ("template", loaded)])
    for section in ("NWBFile", "Subject"):
        assert values.fields(section) == doc.fields(section)
    assert values.entries("Streams") == doc.entries("Streams")
    for group, fields in doc.entries("ElectrodeGroups").items():
        assert values.fields("ElectrodeGroups", group) == fields
    assert values.origins == merge([("known", doc)]).origins


@pytest.mark.parametrize(("doc", "facts"), DOCS)
def test_uncommented_it_gives_what_is_known(doc: MetadataDocument, facts: Facts) -> None:
    uncommented = re.sub(r"(?m)^  #(?=\w+: )", "  ", template(doc, facts))
    loaded = meta(uncommented)
    expected = doc.fields("NWBFile")
    expected.pop("session_start_time", None)  # it has no zone: asked for, not shown as known
    assert loaded.fields("NWBFile") == expected
    assert loaded.fields("Subject") == doc.fields("Subject")


def lines(doc: MetadataDocument, facts: Facts | None = None) -> list[str]:
    return template(doc, facts).splitlines()


def test_every_field_is_known_to_the_model_and_explained() -> None:
    text = lines(meta("{}"))
    models = {"NWBFile": NWBFileFields, "Subject": SubjectFields}
    for each in FIELDS:
        assert each.name in models[each.section].model_fields
        place = text.index(f"  {'#' if each.need == 'optional' else ''}{each.name}:")
        assert text[place - 1].startswith(f"  # {each.need}: {each.text}")


def test_required_comes_first_in_its_section() -> None:
    text = lines(meta("{}"))
    assert text[text.index("NWBFile:") + 2] == "  session_start_time:"
    asked = [line for line in text if re.match(r"  \w+:$", line)]
    assert asked[-7:-2] == [
        f"  {n}:" for n in ("subject_id", "species", "sex", "age", "date_of_birth")
    ]


def test_what_is_known_is_shown_and_not_asked_for() -> None:
    text = lines(KNOWN, FACTS)
    assert "  lab:" not in text
    assert "  #lab: \"A: 'b' #c\"" in text
    assert any(line.startswith("  # known from lab.yaml") for line in text)
    assert "  age:" not in text
    assert '  #notes: "two\\nlines \\u2028"' in text


def test_a_naive_start_is_asked_for_with_its_zone() -> None:
    text = lines(KNOWN)
    place = text.index("  session_start_time:")
    assert "2020-11-03T10:35:10" in text[place - 1]
    assert "--timezone Europe/Berlin" in text[place - 1]
    aware = meta("NWBFile: {session_start_time: '2020-11-03T10:35:10Z'}")
    assert "  session_start_time:" not in lines(aware)


def test_groups_and_streams_of_the_data_are_offered() -> None:
    text = lines(KNOWN, FACTS)
    assert "  #Shank0:" in text
    assert '  "Shank 1":' in text
    assert "  Shank2:" in text
    assert '#  "a/ap":  # 384 channels at 30 kHz' in text
    assert '#    name: "AP"' in text


def test_filled_in_it_is_enough_for_dandi() -> None:
    text = template(meta("{}"))
    filled = {each.name: each.example for each in FIELDS if each.need != "optional"}
    filled["experiment_description"] = "What cortex does"
    for name, example in filled.items():
        text = text.replace(f"\n  {name}:\n", f"\n  {name}: {example}\n")
    findings = validate(meta(text), level="dandi")
    assert [f.code for f in findings.findings] == []
    assert findings.ok


def test_a_hostile_name_cannot_leave_its_comment() -> None:
    facts = Facts("x\nNWBFile: {lab: evil}", (("a/b", "say\nSubject: {sex: M}"),), ("g\n- x",))
    loaded = meta(template(meta("{}"), facts))
    assert loaded.fields("NWBFile") == {}
    assert loaded.fields("Subject") == {}
    assert list(loaded.entries("ElectrodeGroups")) == ["g\n- x"]
