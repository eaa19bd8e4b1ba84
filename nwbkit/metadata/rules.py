"""The rules that metadata is held against: a table, and one small check for each row."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple

from nwbkit.documents.metadata import FLAT_SECTIONS, SECTIONS, MetadataDocument
from nwbkit.documents.problems import did_you_mean
from nwbkit.errors import NwbkitError
from nwbkit.metadata import times
from nwbkit.metadata.merge import CONFLICTS

Level = Literal["nwb", "best", "dandi"]


class Problem(NamedTuple):
    """What a check found: the key path, one sentence, what mends it."""

    where: str
    message: str
    hint: str | None = None


@dataclass(frozen=True)
class Context:
    """What a check may look at."""

    doc: MetadataDocument
    timezone: str | None = None
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def nwbfile(self) -> dict[str, Any]:
        """The given fields of NWBFile."""
        return self.doc.fields("NWBFile")

    @property
    def subject(self) -> dict[str, Any]:
        """The given fields of Subject."""
        return self.doc.fields("Subject")


Check = Callable[[Context], Iterable[Problem]]


class Rule(NamedTuple):
    """A check, from which level on it counts, and whether DANDI refuses what breaks it."""

    code: str
    level: Level
    check: Check
    dandi_refuses: bool = False


_PLACEHOLDERS = {
    *("", "none", "null", "nan", "n/a", "na", "todo", "tbd", "tba", "fixme", "xxx", "..."),
    *("unknown", "test", "description", "no description", "no comments", "placeholder"),
    *("session_description", "session description", "session", "change me", "changeme", "-", "?"),
}
_BINOMIAL = re.compile(r"[A-Z][a-z]+ [a-z]+( [a-z]+)?")
_TAXON = re.compile(r"https?://purl\.obolibrary\.org/obo/NCBITaxon_\d+")
_NUMBER = r"\d+(\.\d+)?"
_DURATION = re.compile(
    rf"P(?=[\dT])({_NUMBER}Y)?({_NUMBER}M)?({_NUMBER}W)?({_NUMBER}D)?"
    rf"(T(?=\d)({_NUMBER}H)?({_NUMBER}M)?({_NUMBER}S)?)?"
)
_WEIGHT = re.compile(rf"{_NUMBER} kg")
_GRAMS = re.compile(rf"({_NUMBER}) ?g(rams?)?")
_DOI = re.compile(r"(doi:|https?://(dx\.)?doi\.org/).+", re.IGNORECASE)
_BAD_NAME = re.compile(r"[/:]|^\.|^$|[\x00-\x1f]")
_COMMON = {
    "mouse": "Mus musculus",
    "house mouse": "Mus musculus",
    "rat": "Rattus norvegicus",
    "human": "Homo sapiens",
    "macaque": "Macaca mulatta",
    "rhesus": "Macaca mulatta",
    "marmoset": "Callithrix jacchus",
    "zebrafish": "Danio rerio",
    "fruit fly": "Drosophila melanogaster",
    "fly": "Drosophila melanogaster",
    "ferret": "Mustela putorius furo",
    "zebra finch": "Taeniopygia guttata",
    "c. elegans": "Caenorhabditis elegans",
}
_SEXES = {"male": "M", "m": "M", "female": "F", "f": "F", "unknown": "U", "u": "U", "other": "O"}


def _moment(context: Context, name: str) -> datetime | None:
    """A time of NWBFile, or None where another rule finds it missing or wrong."""
    text = context.nwbfile.get(name)
    try:
        return times.localise(text, context.timezone, what=name) if text else None
    except NwbkitError:
        return None


def _start_time(context: Context) -> Iterator[Problem]:
    text = context.nwbfile.get("session_start_time")
    if not text:
        yield Problem(
            "NWBFile.session_start_time",
            "session_start_time is missing",
            "--set-meta NWBFile.session_start_time=2020-11-03T10:35:10+01:00",
        )
        return
    yield from _readable("session_start_time", text, context)


def _reference_time(context: Context) -> Iterator[Problem]:
    text = context.nwbfile.get("timestamps_reference_time")
    if text:
        yield from _readable("timestamps_reference_time", text, context)


def _readable(name: str, text: str, context: Context) -> Iterator[Problem]:
    try:
        times.localise(text, context.timezone, what=name)
    except NwbkitError as error:
        yield Problem(f"NWBFile.{name}", error.message, error.hint)


def _identifier(context: Context) -> Iterator[Problem]:
    text = context.nwbfile.get("identifier")
    if text is not None and not text.strip():
        yield Problem(
            "NWBFile.identifier", "the identifier is empty", "leave it out: nwbkit makes one"
        )


def _birth_readable(context: Context) -> Iterator[Problem]:
    text = context.subject.get("date_of_birth")
    if text:
        try:
            times.parse_date(text)
        except NwbkitError as error:
            yield Problem("Subject.date_of_birth", error.message, error.hint)


def _age_reference(context: Context) -> Iterator[Problem]:
    text = context.subject.get("age__reference")
    if text is not None and text not in ("birth", "gestational"):
        yield Problem("Subject.age__reference", f"'{text}' is neither 'birth' nor 'gestational'")


def _object_names(context: Context) -> Iterator[Problem]:
    for section in SECTIONS:
        if section in FLAT_SECTIONS:
            continue
        for key, fields in context.doc.entries(section).items():
            name = fields.get("name")
            if isinstance(name, str) and _BAD_NAME.search(name):
                yield Problem(
                    f"{section}.{key}.name",
                    f"'{name}' cannot be the name of an NWB object",
                    "a name holds no '/', ':' or control character and does not begin with '.'",
                )


def _conflicts(context: Context) -> Iterator[Problem]:
    for path, claims in ((context.doc.model_extra or {}).get(CONFLICTS) or {}).items():
        others = ", ".join(f"'{c['value']}' ({c['origin']})" for c in claims)
        origin = (context.doc.origins or {}).get(path, "the first source")
        yield Problem(
            path,
            f"sources disagree: taken from {origin}, others say {others}",
            f"--set-meta {path}=VALUE decides",
        )


def _experimenter(context: Context) -> Iterator[Problem]:
    people = context.nwbfile.get("experimenter")
    if not people:
        yield _missing("NWBFile", "experimenter", '["Doe, Jane"]')
    for person in people or ():
        if not re.fullmatch(r"[^,]*\w[^,]*, [^,]*\w[^,]*", person):
            words = person.replace(",", " ").split()
            guess = f"{words[-1]}, {' '.join(words[:-1])}" if len(words) > 1 else "Doe, Jane"
            yield Problem(
                "NWBFile.experimenter", f"'{person}' is not 'Last, First'", f"perhaps '{guess}'"
            )


def _missing(section: str, name: str, example: str) -> Problem:
    return Problem(
        f"{section}.{name}", f"{name} is missing", f"--set-meta '{section}.{name}={example}'"
    )


def _absent(section: str, name: str, example: str) -> Check:
    def check(context: Context) -> Iterator[Problem]:
        if not context.doc.fields(section).get(name):
            yield _missing(section, name, example)

    return check


def _placeholders(context: Context) -> Iterator[Problem]:
    for name in ("session_description", "experiment_description", "institution", "lab"):
        yield from _placeholder(f"NWBFile.{name}", context.nwbfile.get(name))
    yield from _placeholder("Subject.description", context.subject.get("description"))
    for section in SECTIONS:
        if section not in FLAT_SECTIONS:
            for key, fields in context.doc.entries(section).items():
                yield from _placeholder(f"{section}.{key}.description", fields.get("description"))


def _placeholder(where: str, text: Any) -> Iterator[Problem]:
    if isinstance(text, str) and text.strip().strip(".").lower() in _PLACEHOLDERS:
        yield Problem(where, f"'{text}' says nothing", "describe it, or leave it out")


def _in_the_future(context: Context) -> Iterator[Problem]:
    start = _moment(context, "session_start_time")
    if start is not None and start > context.now:
        yield Problem("NWBFile.session_start_time", f"'{start.isoformat()}' lies in the future")


def _too_old(context: Context) -> Iterator[Problem]:
    start = _moment(context, "session_start_time")
    if start is not None and start.year < 1980:
        yield Problem(
            "NWBFile.session_start_time",
            f"'{start.isoformat()}' lies before 1980: a device without a clock?",
        )


def _born_later(context: Context) -> Iterator[Problem]:
    start = _moment(context, "session_start_time")
    text = context.subject.get("date_of_birth")
    if start is None or not text or any(True for _ in _birth_readable(context)):
        return
    if times.parse_date(text) > start.date():
        yield Problem("Subject.date_of_birth", f"'{text}' lies after the session")


def _publications(context: Context) -> Iterator[Problem]:
    for text in context.nwbfile.get("related_publications") or ():
        if not _DOI.fullmatch(text):
            yield Problem(
                "NWBFile.related_publications", f"'{text}' is no DOI", "doi:10.1038/nature24636"
            )


def _subject_id_form(context: Context) -> Iterator[Problem]:
    text = context.subject.get("subject_id")
    if text and "/" in text:
        yield Problem("Subject.subject_id", f"'{text}' holds a '/'", "DANDI names folders after it")


def _sex_form(context: Context) -> Iterator[Problem]:
    text = context.subject.get("sex")
    if text and text not in ("M", "F", "U", "O"):
        meant = _SEXES.get(text.lower())
        yield Problem(
            "Subject.sex",
            f"'{text}' is none of M, F, U, O",
            f"--set-meta Subject.sex={meant}" if meant else None,
        )


def _species_form(context: Context) -> Iterator[Problem]:
    text = context.subject.get("species")
    if text and not _BINOMIAL.fullmatch(text) and not _TAXON.fullmatch(text):
        meant = _COMMON.get(text.strip().lower())
        near = did_you_mean(text, _COMMON.values())
        yield Problem(
            "Subject.species",
            f"'{text}' is neither a Latin binomial nor an NCBI taxonomy link",
            f"--set-meta 'Subject.species={meant or near or 'Mus musculus'}'",
        )


def _age_form(context: Context) -> Iterator[Problem]:
    text = context.subject.get("age")
    if text is None:
        return
    low, slash, high = text.partition("/")
    if not _DURATION.fullmatch(low) or (slash and high and not _DURATION.fullmatch(high)):
        digits = re.match(r"\d+", text)
        days = digits.group() if digits else "90"
        yield Problem(
            "Subject.age",
            f"'{text}' is not an ISO 8601 duration",
            f"P{days}D means {days} days, P8W 8 weeks, P1Y/P3Y from 1 to 3 years",
        )


def _weight_form(context: Context) -> Iterator[Problem]:
    text = context.subject.get("weight")
    if text is not None and not _WEIGHT.fullmatch(text):
        grams = _GRAMS.fullmatch(text.strip())
        meant = f"{float(grams[1]) / 1000:g} kg" if grams else "0.025 kg"
        yield Problem("Subject.weight", f"'{text}' is not a weight in kg", f"write it as '{meant}'")


def _age_or_birth(context: Context) -> Iterator[Problem]:
    if not context.subject.get("age") and not context.subject.get("date_of_birth"):
        yield Problem(
            "Subject.age", "neither age nor date_of_birth is given", "--set-meta Subject.age=P90D"
        )


RULES: tuple[Rule, ...] = (
    Rule("start-time", "nwb", _start_time),
    Rule("reference-time", "nwb", _reference_time),
    Rule("identifier-empty", "nwb", _identifier),
    Rule("birth-unreadable", "nwb", _birth_readable),
    Rule("age-reference", "nwb", _age_reference),
    Rule("object-name", "nwb", _object_names),
    Rule("sources-disagree", "best", _conflicts),
    Rule("description-missing", "best", _absent("NWBFile", "session_description", "...")),
    Rule("experimenter", "best", _experimenter),
    Rule("institution-missing", "best", _absent("NWBFile", "institution", "University of Bern")),
    Rule("lab-missing", "best", _absent("NWBFile", "lab", "Doe Lab")),
    Rule("keywords-missing", "best", _absent("NWBFile", "keywords", "[cortex, licking]")),
    Rule("placeholder", "best", _placeholders),
    Rule("start-in-future", "best", _in_the_future),
    Rule("start-too-old", "best", _too_old),
    Rule("born-after-session", "best", _born_later),
    Rule("publication-form", "best", _publications),
    Rule("subject-id-missing", "best", _absent("Subject", "subject_id", "M123"), True),
    Rule("species-missing", "best", _absent("Subject", "species", "Mus musculus"), True),
    Rule("sex-missing", "best", _absent("Subject", "sex", "F"), True),
    Rule("age-missing", "best", _age_or_birth, True),
    Rule("subject-id-form", "best", _subject_id_form, True),
    Rule("species-form", "best", _species_form, True),
    Rule("sex-form", "best", _sex_form, True),
    Rule("age-form", "best", _age_form, True),
    Rule("weight-form", "best", _weight_form),
)
