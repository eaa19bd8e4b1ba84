"""A YAML file to fill in: what is missing, required first, each field explained."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from nwbkit.documents.metadata import MetadataDocument
from nwbkit.errors import NwbkitError
from nwbkit.metadata import times

if TYPE_CHECKING:
    from nwbkit.formats.base import Reader

Need = Literal["required", "DANDI", "best practice", "optional"]


class Help(NamedTuple):
    """One field of the template."""

    section: str
    name: str
    need: Need
    text: str
    example: str


#: In the order they are asked for; within a need, the most telling first.
FIELDS: tuple[Help, ...] = (
    Help(
        "NWBFile",
        "session_start_time",
        "required",
        "when the session's clock was zero, ISO 8601 with its time zone",
        "2020-11-03T10:35:10+01:00",
    ),
    Help("Subject", "subject_id", "DANDI", "the lab's name of the animal, without '/'", "M123"),
    Help("Subject", "species", "DANDI", "Latin binomial or NCBI taxonomy link", "Mus musculus"),
    Help("Subject", "sex", "DANDI", "M, F, O (other) or U (unknown)", "F"),
    Help("Subject", "age", "DANDI", "ISO 8601 duration; or give date_of_birth", "P90D"),
    Help("Subject", "date_of_birth", "DANDI", "ISO 8601; or give age", "2020-08-01"),
    Help(
        "NWBFile",
        "session_description",
        "best practice",
        "what was done in this session, one or two sentences",
        "Head-fixed mouse licks for water while the probe records from visual cortex",
    ),
    Help("NWBFile", "experimenter", "best practice", "Last, First; a list", '["Doe, Jane"]'),
    Help("NWBFile", "institution", "best practice", "where it was done", "University of Bern"),
    Help("NWBFile", "lab", "best practice", "in whose lab", "Doe Lab"),
    Help("NWBFile", "keywords", "best practice", "a list", "[visual cortex, licking]"),
    Help("NWBFile", "experiment_description", "best practice", "what the experiment is for", "..."),
    Help("Subject", "strain", "best practice", "of the animal", "C57BL/6J"),
    Help("Subject", "weight", "best practice", "in kg, with the unit", "0.025 kg"),
    Help("Subject", "genotype", "optional", "of the animal", "Pvalb-IRES-Cre/wt"),
    Help("Subject", "description", "optional", "anything else about it", "..."),
    Help("NWBFile", "session_id", "optional", "the lab's own name of the session", "M123_d04"),
    Help("NWBFile", "protocol", "optional", "number or title of the approved protocol", "BE-12/21"),
    Help("NWBFile", "related_publications", "optional", "a list of DOIs", "[doi:10.1038/x]"),
    Help("NWBFile", "surgery", "optional", "surgeries: what, where, when", "..."),
    Help("NWBFile", "virus", "optional", "viruses: construct, titer, volume, site", "..."),
    Help("NWBFile", "pharmacology", "optional", "drugs: which, how much, when", "..."),
    Help("NWBFile", "stimulus_notes", "optional", "what was presented, and how", "..."),
    Help("NWBFile", "data_collection", "optional", "how it was recorded", "..."),
    Help("NWBFile", "notes", "optional", "what else should be known", "..."),
)

_HEAD = """\
# Metadata of session {session}: fill in, then
#   nwbkit convert SOURCES -m THIS.yaml -o OUT.nwb
# A key with nothing behind it counts as not given; null deletes what the files say.
# Lines behind '#' are known already, or optional: uncomment one to say otherwise.
"""
_PLAIN_KEY = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")


@dataclass(frozen=True)
class Facts:
    """What the data themselves show, to be described by a person.

    Parameters
    ----------
    session : str
        Id of the session.
    streams : tuple of (address, sentence)
    electrode_groups : tuple of str
        Ids of the groups that electrodes belong to.
    """

    session: str = ""
    streams: tuple[tuple[str, str], ...] = ()
    electrode_groups: tuple[str, ...] = field(default=())


def facts_of(session: str, readers: Iterable[Reader]) -> Facts:
    """The facts that opened readers show."""
    streams: list[tuple[str, str]] = []
    groups: set[str] = set()
    for reader in readers:
        for stream in reader.streams:
            said = stream.description or f"{stream.kind}, {stream.role}"
            streams.append((reader.address(stream), " ".join(said.split())))
            groups.update(e.group for e in getattr(stream, "electrodes", None) or ())
    return Facts(session, tuple(streams), tuple(sorted(groups)))


def template(doc: MetadataDocument, facts: Facts | None = None) -> str:
    """YAML to fill in, that our own reader takes as it is and that then changes nothing.

    Parameters
    ----------
    doc : MetadataDocument
        What is known already.
    facts : Facts, optional
        What the data show.
    """
    facts = facts or Facts()
    parts = [_HEAD.format(session=_quoted(facts.session) if facts.session else "?")]
    for section in ("NWBFile", "Subject"):
        parts.append("\n".join(_flat_section(doc, section)))
    parts.append("\n".join(_groups(doc, facts)))
    parts.append("\n".join(_streams(doc, facts)))
    return "\n".join(part for part in parts if part).rstrip("\n") + "\n"


def _flat_section(doc: MetadataDocument, section: str) -> Iterator[str]:
    known = doc.fields(section)
    yield f"{section}:"
    helps = [each for each in FIELDS if each.section == section]
    missing = [each for each in helps if not _settled(each, known)]
    for each in missing:
        mark = "#" if each.need == "optional" else ""
        yield f"  # {each.need}: {each.text}; for example {each.example}"
        yield from _naive_note(each, known)
        yield f"  {mark}{each.name}:"
    explained = {each.name: each.text for each in helps}
    for name, value in known.items():
        if name not in {each.name for each in missing}:
            origin = (doc.origins or {}).get(f"{section}.{name}")
            yield f"  # known{_from(origin)}" + (
                f": {explained[name]}" if name in explained else ""
            )
            yield f"  #{name}: {_quoted(value)}"
    yield ""


def _settled(each: Help, known: dict[str, Any]) -> bool:
    if each.name == "session_start_time" and each.name in known:
        return not _is_naive(known[each.name])
    other = {"age": "date_of_birth", "date_of_birth": "age"}.get(each.name, each.name)
    return each.name in known or other in known


def _is_naive(text: str) -> bool:
    try:
        return times.parse(text).tzinfo is None
    except NwbkitError:
        return True


def _naive_note(each: Help, known: dict[str, Any]) -> Iterator[str]:
    if each.name in known:
        yield (
            f"  # the files say {_quoted(known[each.name])}, without a time zone: "
            "write it here with one, or give --timezone Europe/Berlin"
        )


def _groups(doc: MetadataDocument, facts: Facts) -> Iterator[str]:
    known = doc.entries("ElectrodeGroups")
    groups = [*known, *(g for g in facts.electrode_groups if g not in known)]
    if not groups:
        return
    yield "ElectrodeGroups:"
    for group in groups:
        location = known.get(group, {}).get("location")
        if location:
            yield f"  #{_key(group)}:"
            yield f"  #  location: {_quoted(location)}"
        else:
            yield f"  {_key(group)}:"
            yield "    # best practice: the brain area; for example VISp"
            yield "    location:"
    yield ""


def _streams(doc: MetadataDocument, facts: Facts) -> Iterator[str]:
    if not facts.streams:
        return
    yield "# Name or describe streams, by address or glob:"
    yield "#Streams:"
    for address, said in facts.streams:
        stated = doc.matched("Streams", address)
        yield f"#  {_key(address)}:  # {_visible(said)}"
        for name in ("name", "description"):
            yield f"#    {name}:" + (f" {_quoted(stated[name])}" if name in stated else "")
    yield ""


def _from(origin: str | None) -> str:
    return f" from {_visible(origin)}" if origin else ""


def _visible(text: str) -> str:
    """`text` such that it stays on its line, behind ``#``."""
    return text if text.isprintable() else json.dumps(text)[1:-1]


def _key(text: str) -> str:
    return text if _PLAIN_KEY.fullmatch(text) else _quoted(text)


def _quoted(value: Any) -> str:
    # JSON is YAML; what cannot be printed is escaped, since comments may not hold it either
    text = json.dumps(value, ensure_ascii=False)
    return text if text.isprintable() else json.dumps(value)
