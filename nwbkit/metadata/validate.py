"""Is it enough? For NWB, for best practice, for DANDI; and does it fit the data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from nwbkit.documents.findings import Finding, FindingsDocument, Severity
from nwbkit.documents.metadata import MetadataDocument, means
from nwbkit.documents.problems import did_you_mean
from nwbkit.metadata.extract import extract
from nwbkit.metadata.merge import merge
from nwbkit.metadata.rules import RULES, Context, Level, Problem, Rule

if TYPE_CHECKING:
    from nwbkit.formats.base import Reader

#: What ``--for`` takes, each asking for more than the one before.
LEVELS: tuple[Level, ...] = ("nwb", "best", "dandi")
#: Fields that name an entry of another section.
_REFERENCES = (
    ("ElectrodeGroups", "device", ("Devices", "Cameras")),
    ("ImagingPlanes", "device", ("Devices", "Cameras")),
    ("Streams", "device", ("Devices", "Cameras")),
    ("Streams", "imaging_plane", ("ImagingPlanes",)),
)
_KEYED_BY_ID = ("Devices", "ElectrodeGroups", "ImagingPlanes", "Cameras")


def validate(
    doc: MetadataDocument,
    *,
    readers: Sequence[Reader] | None = None,
    level: Level = "nwb",
    timezone: str | None = None,
    now: datetime | None = None,
) -> FindingsDocument:
    """Hold metadata against the rules, and against the data where `readers` are given.

    Parameters
    ----------
    doc : MetadataDocument
    readers : sequence of Reader, optional
        The opened sources. What they say themselves is laid under `doc`, and keys of `doc`
        that nothing in the data answers to are found.
    level : {"nwb", "best", "dandi"}
        What it is to be enough for. What only a higher level asks for is ``info``.
    timezone : str, optional
        As ``--timezone``.
    now : datetime, optional
        Instead of the present, for what lies in the future.

    Returns
    -------
    FindingsDocument
        `ok` where it is enough: no error, and for best practice no warning either.
    """
    found: list[Finding] = []
    whole = doc
    if readers is not None:
        extracted = extract(readers)
        whole = merge([("extracted", extracted), ("", doc)])
        found += _findings("matches-nothing", "warning", _unmatched(doc, extracted, readers))
        found += _findings("no-such-entry", "error", _dangling(whole))
    context = Context(whole, timezone, *([now] if now else []))
    for rule in RULES:
        found += _findings(rule.code, _severity(rule, level), rule.check(context))
    order = {"error": 0, "warning": 1, "info": 2}
    found.sort(key=lambda finding: order[finding.severity])
    answer = FindingsDocument.of(found)
    answer.ok = answer.ok and not (level == "best" and answer.summary.warnings)
    return answer


def render(findings: FindingsDocument) -> str:
    """The findings as text: one a line, its hint below."""
    lines = []
    for each in findings.findings:
        lines.append(f"{each.severity}: {each.where}: {each.message}")
        if each.hint:
            lines.append(f"    hint: {each.hint}")
    total = findings.summary
    counts = f"{total.errors} errors, {total.warnings} warnings, {total.infos} notes"
    return "\n".join([*lines, f"{'enough' if findings.ok else 'not enough'}: {counts}"])


def _severity(rule: Rule, level: Level) -> Severity:
    if rule.level == "nwb" or (level == "dandi" and rule.dandi_refuses):
        return "error"
    return "info" if level == "nwb" else "warning"


def _findings(code: str, severity: Severity, problems: Iterable[Problem]) -> list[Finding]:
    return [
        Finding(severity=severity, code=code, where=p.where, message=p.message, hint=p.hint)
        for p in problems
    ]


def _unmatched(
    doc: MetadataDocument, extracted: MetadataDocument, readers: Sequence[Reader]
) -> Iterator[Problem]:
    """Keys that nothing in the data answers to: a fact that would be silently lost."""
    addresses = [reader.address(stream) for reader in readers for stream in reader.streams]
    electrodes = list(dict.fromkeys(_electrodes(readers)))
    groups = dict.fromkeys(name.partition("/")[0] for name in electrodes)
    for section, known in (("Streams", addresses), ("Electrodes", electrodes)):
        for key in doc.entries(section):
            # SOURCE/STREAM/LINE: lines are known only once the stream is read
            parent = "/".join(key.split("/")[:2]) if section == "Streams" else key
            if not any(means(key, each) or means(parent, each) for each in known):
                yield _nothing(section, key, known)
    used = _used_ids(doc)
    for section in _KEYED_BY_ID:
        there = list(extracted.entries(section))
        if section == "ElectrodeGroups":
            there += [group for group in groups if group not in there]
        for key in doc.entries(section):
            if key not in there and (section, key) not in used:
                yield _nothing(section, key, there)


def _electrodes(readers: Sequence[Reader]) -> Iterator[str]:
    for reader in readers:
        for stream in reader.streams:
            for electrode in getattr(stream, "electrodes", None) or ():
                yield f"{electrode.group}/{electrode.name}"


def _used_ids(doc: MetadataDocument) -> set[tuple[str, str]]:
    """Entries that other entries of the document refer to: those add something of their own."""
    return {
        (target, fields[name])
        for section, name, targets in _REFERENCES
        for fields in doc.entries(section).values()
        if name in fields
        for target in targets
    }


def _dangling(whole: MetadataDocument) -> Iterator[Problem]:
    for section, name, targets in _REFERENCES:
        known = [key for target in targets for key in whole.entries(target)]
        for key, fields in whole.entries(section).items():
            if name in fields and fields[name] not in known:
                near = did_you_mean(fields[name], known)
                yield Problem(
                    f"{section}.{key}.{name}",
                    f"'{fields[name]}' is no key of {' or '.join(targets)}",
                    f"did you mean '{near}'?" if near else None,
                )


def _nothing(section: str, key: str, known: Sequence[str]) -> Problem:
    near = did_you_mean(key, known)
    some = ", ".join(known[:8]) + (", ..." if len(known) > 8 else "")
    hint = f"did you mean '{near}'?" if near else f"in the data: {some or 'none'}"
    return Problem(f"{section}.{key}", f"'{key}' matches nothing in the data", hint)
