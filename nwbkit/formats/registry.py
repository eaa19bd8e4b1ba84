"""Which formats there are, what they recognise in a tree, and how a Source is opened.

Nothing heavy is imported: a format's module may load the standard library only; its
reader and its vendor library are imported when a source is opened.
"""

from __future__ import annotations

import functools
import importlib
import os
import pkgutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from nwbkit.errors import MissingExtra, NoInput, NwbkitError, UnknownFormat, UsageError
from nwbkit.formats.base import Format, Match, Reader, Room, Source, Strength
from nwbkit.formats.claims import Claim, resolve
from nwbkit.formats.detection import DetectedSession, DetectedSource, Detection, Report
from nwbkit.formats.listing import Listing
from nwbkit.formats.naming import Named, unique_ids
from nwbkit.formats.patterns import fold
from nwbkit.formats.relating import group, relations

if TYPE_CHECKING:
    from nwbkit.documents.sources import SourcesDocument

#: Third parties declare formats under this entry-point group.
ENTRY_POINTS = "nwbkit.formats"


@functools.cache
def builtin_formats() -> tuple[dict[str, Format], tuple[Report, ...]]:
    """The formats of nwbkit itself, by id, and what went wrong while loading them."""
    import nwbkit.formats as house

    found: dict[str, Format] = {}
    reports: list[Report] = []
    for room in get_args(Room):
        for folder in house.__path__:
            for module in sorted(pkgutil.iter_modules([os.path.join(folder, room)])):
                if not module.name.startswith("_"):
                    name = f"{house.__name__}.{room}.{module.name}"
                    _load(name, functools.partial(_declared, name), found, reports)
    return found, tuple(reports)


@functools.cache
def plugin_formats() -> tuple[dict[str, Format], tuple[Report, ...]]:
    """The formats that other installed packages declare, and what went wrong with them."""
    from importlib.metadata import entry_points

    found: dict[str, Format] = {}
    reports: list[Report] = []
    for point in sorted(entry_points(group=ENTRY_POINTS), key=lambda p: (p.name, p.value)):
        _load(point.value, point.load, found, reports, taken=builtin_formats()[0])
    return found, tuple(reports)


def formats() -> dict[str, Format]:
    """Every format by id: nwbkit's own, then those of plug-ins."""
    return {**builtin_formats()[0], **plugin_formats()[0]}


def _declared(module: str) -> object:
    # a module without FORMAT is a helper of its room
    return getattr(importlib.import_module(module), "FORMAT", None)


def _load(
    name: str,
    load: Callable[[], object],
    found: dict[str, Format],
    reports: list[Report],
    taken: Mapping[str, Format] | None = None,
) -> None:
    try:
        declared = load()
    except Exception as error:  # noqa: BLE001 - one broken format must not end detection
        reports.append(Report("warning", f"format '{name}' cannot be loaded: {_first_line(error)}"))
        return
    if declared is None:
        return
    if not isinstance(declared, Format):
        reports.append(Report("warning", f"format '{name}' declares no Format object"))
    elif declared.id in found or declared.id in (taken or {}):
        reports.append(
            Report("warning", f"format '{name}' is left out: the id '{declared.id}' is taken")
        )
    else:
        found[declared.id] = declared


def detect(
    paths: Sequence[Path | str],
    *,
    format: str | None = None,
    known: Mapping[str, Format] | None = None,
) -> Detection:
    """Recognise what lies at and below `paths`.

    One walk of the tree; formats whose name patterns match something look at it. Claims
    on the same files are settled by strength (content before a key file before a name);
    a tie is kept with both formats named. Formats for general file kinds (csv, tiff, wav)
    see only what nobody claimed.

    Parameters
    ----------
    paths : sequence of path
        Files and folders.
    format : str, optional
        Id of the only format to consider.
    known : mapping of str to Format, optional
        Formats to consider; all installed ones by default.

    Returns
    -------
    Detection
        Without sessions where nothing was recognised.

    Raises
    ------
    nwbkit.errors.NoInput
        For a path that is missing or may not be read.
    nwbkit.errors.UsageError
        For an unknown format id.
    """
    listing = _without_own_outputs(Listing([Path(os.fsdecode(p)) for p in paths]))
    reports: list[Report] = []
    if known is None:
        known = formats()
        reports += [*builtin_formats()[1], *plugin_formats()[1]]
    chosen = dict(known) if format is None else {format: _by_id(format, known)}
    if not listing.entries and listing.unreadable:
        folder, reason = listing.unreadable[0]
        raise NoInput(f"cannot open '{folder}': {reason}")
    for folder, reason in listing.unreadable:
        reports.append(Report("warning", f"cannot open '{folder}': {reason}"))
    claims = _claims(listing, chosen, reports)
    unclaimed = tuple(e.path for e in _left(listing, claims).entries)
    sessions = _sessions(claims, chosen, reports)  # adds to the reports
    return Detection(sessions, tuple(reports), unclaimed, listing.roots)


def _claims(listing: Listing, chosen: Mapping[str, Format], reports: list[Report]) -> list[Claim]:
    """Claims of all formats; fallbacks are shown what the others left."""
    first = [f for f in chosen.values() if not f.fallback]
    claims = resolve(_looks(first, listing, reports), chosen, reports)
    last = [f for f in chosen.values() if f.fallback]
    return claims + resolve(_looks(last, _left(listing, claims), reports), chosen, reports)


def _left(listing: Listing, claims: Iterable[Claim]) -> Listing:
    """What no claim has taken."""
    taken = {file for claim in claims for file in claim.match.files}
    return listing.restricted(e for e in listing.entries if e.path not in taken)


def _by_id(format: str, known: Mapping[str, Format]) -> Format:
    if format not in known:
        import difflib

        close = difflib.get_close_matches(format, known, 1)
        hint = f"did you mean '{close[0]}'?" if close else f"formats: {', '.join(sorted(known))}"
        raise UsageError(f"no format '{format}'", hint=hint)
    return known[format]


def _looks(
    candidates: Iterable[Format], listing: Listing, reports: list[Report]
) -> list[tuple[Format, Match]]:
    """What each format sees; one that raises is reported and contributes nothing."""
    found: list[tuple[Format, Match]] = []
    for fmt in candidates:
        if not listing.match(*fmt.patterns):
            continue
        try:
            matches = list(fmt.look(listing))
        except Exception as error:  # noqa: BLE001 - a look that fails must not hide the others
            message = f"format '{fmt.id}' failed while looking: {_first_line(error)}"
            reports.append(Report("warning", message, fmt.id))
            continue
        for match in matches:
            strength = Strength.FALLBACK if fmt.fallback else match.strength
            found.append((fmt, match if strength == match.strength else _weakened(match)))
    return found


def _weakened(match: Match) -> Match:
    from dataclasses import replace

    return replace(match, strength=Strength.FALLBACK)


def _without_own_outputs(listing: Listing) -> Listing:
    """Leave out what nwbkit wrote: an .nwb with its sidecar, the sidecar, locks and parts."""
    names = {entry.path for entry in listing.entries}
    own = set()
    for entry in listing.entries:
        lower = entry.name.lower()
        if lower.endswith((".nwb.json", ".nwb.zarr.json")):
            own.add(entry.path)
            own.add(entry.path.with_name(entry.name[: -len(".json")]))
        elif ".nwbkit-" in lower or lower.endswith((".nwb.lock", ".nwb.part", ".nwb.d")):
            own.add(entry.path)
    given = set(listing.roots)  # what a user names is meant
    own -= given
    if not own & names:
        return listing
    return listing.restricted(e for e in listing.entries if e.path not in own)


def _sessions(
    claims: Sequence[Claim], known: Mapping[str, Format], reports: list[Report]
) -> tuple[DetectedSession, ...]:
    claims = sorted(
        claims, key=lambda c: (os.fsencode(c.match.root), c.match.session, c.format, c.match.files)
    )
    ids = unique_ids(
        [Named(c.match.stem, c.match.root, c.format, c.match.files[0]) for c in claims]
    )
    related = relations(claims, ids, known, reports)
    sources = [
        DetectedSource(
            source_id,
            claim.format,
            claim.match.files,
            claim.match.strength,
            claim.match.evidence,
            claim.alternatives,
            dict(claim.match.options),
            mine,
        )
        for claim, source_id, mine in zip(claims, ids, related, strict=True)
    ]
    groups = group(claims, ids, related, [known[c.format].room for c in claims])
    session_ids = unique_ids(
        [Named(g.label, g.root, main=claims[g.members[0]].match.files[0]) for g in groups]
    )
    return tuple(
        DetectedSession(session_id, g.root, tuple(sources[i] for i in g.members))
        for session_id, g in zip(session_ids, groups, strict=True)
    )


def open_source(source: Source, *, known: Mapping[str, Format] | None = None) -> Reader:
    """Open a Source: headers are parsed and held against the data.

    Raises
    ------
    nwbkit.errors.NoInput
        For a path that is missing or may not be read.
    nwbkit.errors.UnknownFormat
        For a format id that is not installed.
    nwbkit.errors.MissingExtra
        Where the format's own library is not installed.
    nwbkit.errors.DamagedInput
        Where the source contradicts itself.
    """
    fmt = (known if known is not None else formats()).get(source.format)
    if fmt is None:
        raise UnknownFormat(
            f"source '{source.id}' has the unknown format '{source.format}'",
            hint="a plug-in that declares it may not be installed",
        )
    if not source.paths:
        raise NoInput(f"source '{source.id}' has no paths")
    for path in source.paths:
        _check_readable(path)
    subject = f"'{source.paths[0].name}'"
    try:
        return fmt.open(source)
    except ImportError as error:
        if error.name is None or error.name.partition(".")[0] == "nwbkit":
            raise
        raise MissingExtra(subject, fmt.extra or fmt.id, package=error.name) from error
    except NwbkitError:
        raise
    except PermissionError as error:
        raise NoInput(f"cannot open '{error.filename}': permission denied") from error


def _check_readable(path: Path) -> None:
    try:
        os.stat(path)
    except FileNotFoundError:
        raise NoInput(f"cannot open '{path}': no such file or folder") from None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise NoInput(f"cannot open '{path}': {reason}") from None
    if not os.access(path, os.R_OK):
        raise NoInput(f"cannot open '{path}': permission denied")


def to_document(detection: Detection) -> SourcesDocument:
    """The detection as a sources document."""
    from nwbkit.documents.sources import SourcesDocument

    sessions = [
        {
            "id": session.id,
            "sources": [_source_entry(source) for source in session.sources],
        }
        for session in detection.sessions
    ]
    return SourcesDocument.model_validate({"sessions": sessions})


def _source_entry(source: DetectedSource) -> dict[str, object]:
    paths, patterns = fold(source.paths)
    return {
        "id": source.id,
        "format": source.format,
        "paths": paths,
        "patterns": patterns,
        "strength": source.strength.label,
        "evidence": source.evidence,
        "alternatives": [
            {"format": a.format, "strength": a.strength.label, "evidence": a.evidence}
            for a in source.alternatives
        ],
        "options": dict(source.options),
        "relations": [
            {"kind": r.kind, "source": r.source, "stream": r.stream, "evidence": r.evidence}
            for r in source.relations
        ],
    }


def _first_line(error: BaseException) -> str:
    lines = str(error).splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


__all__ = [
    "ENTRY_POINTS",
    "Detection",
    "builtin_formats",
    "detect",
    "formats",
    "open_source",
    "plugin_formats",
    "to_document",
]
