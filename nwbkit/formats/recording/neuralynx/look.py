"""Recognise Neuralynx folders: by the header of the files, whatever they are called."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from nwbkit.formats.base import Candidate, Match, Relation, Strength
from nwbkit.formats.io.neuralynx import HEADER_BYTES, Header, parse
from nwbkit.formats.listing import Listing

SIGNALS, EVENTS, SPIKES, RAW = (".ncs",), (".nev",), (".nse", ".nst", ".ntt"), (".nrd",)
SUFFIXES = (*SIGNALS, *EVENTS, *SPIKES, *RAW)
PATTERNS = tuple(f"*{suffix}" for suffix in SUFFIXES)
#: Where the first record's timestamp stands behind the header.
_STAMP_AT = {".nev": 6}
_RESTART = re.compile(r"_(\d{4})$")


@dataclass(frozen=True)
class Found:
    """A file as detection sees it; `stamp` is its first timestamp in microseconds."""

    path: Path
    header: Header
    stamp: int | None

    @property
    def restart(self) -> int:
        """The number of the restart that made the file: 1 of ``CSC1_0001.ncs``, else 0."""
        if self.path.stem.lower() == entity_of(self.header).lower():
            return 0  # the channel itself is called so
        found = _RESTART.search(self.path.stem)
        return int(found[1]) if found else 0

    @property
    def uuid(self) -> str:
        """The session's; empty where the header has none."""
        return self.header.text("SessionUUID").lower()

    @property
    def origin(self) -> str:
        """The folder that the file was recorded into; empty where unknown."""
        return self.header.origin


def entity_of(header: Header) -> str:
    """The acquisition entity's name (``CSC1``, ``TT3``); empty where the header has none."""
    return header.text("AcqEntName", "NLX_Base_Class_Name")


def kind_of(path: Path) -> str:
    """The suffix in lower case."""
    return path.suffix.lower()


def look(listing: Listing) -> Iterator[Match]:
    """One Match per folder and session."""
    folders: dict[Path, list[Found]] = {}
    empty: dict[Path, list[Path]] = {}
    for entry in listing.match(*PATTERNS):
        if entry.size == 0:
            empty.setdefault(entry.path.parent, []).append(entry.path)
            continue
        kind = kind_of(entry.path)
        head = listing.head(entry.path, HEADER_BYTES + 16)
        header = parse(head)
        if header is not None:
            at = HEADER_BYTES + _STAMP_AT.get(kind, 0)
            stamp = int.from_bytes(head[at : at + 8], "little") if len(head) >= at + 8 else None
            found = Found(entry.path, header, stamp if kind not in RAW else None)
            folders.setdefault(entry.path.parent, []).append(found)
    for folder, items in folders.items():
        groups = _sessions(items)
        for index, group in enumerate(groups):
            beside = empty.get(folder, []) if index == 0 else []
            yield _match(folder, group, beside, alone=len(groups) == 1)


def _sessions(items: Sequence[Found]) -> list[list[Found]]:
    """Files of one folder by the session that their headers name.

    What names none goes with the only session that there is. A restart whose clock begins
    anew is a session of its own.
    """
    groups: dict[str, list[Found]] = {}
    for item in items:
        if item.uuid:
            groups.setdefault(item.uuid, []).append(item)
    # Cheetah 6 writes a UUID into some kinds of file only
    for item in items:
        if item.origin and not item.uuid:
            homes = [key for key, g in groups.items() if any(f.origin == item.origin for f in g)]
            groups.setdefault(homes[0] if homes else item.origin, []).append(item)
    loose = [item for item in items if not item.uuid and not item.origin]
    found = list(groups.values())
    if loose and len(found) == 1:
        found[0] += loose
    elif loose:
        found.append(loose)
    return [part for group in found for part in _epochs(group)]


def _epochs(group: Sequence[Found]) -> list[list[Found]]:
    """Restarts (``_0001``) whose timestamps run on are one session; else one each."""
    parts: dict[int, list[Found]] = {}
    for item in group:
        parts.setdefault(item.restart, []).append(item)
    epochs: list[list[Found]] = []
    last: int | None = None
    for number in sorted(parts):
        stamps = [f.stamp for f in parts[number] if f.stamp is not None]
        begins_anew = last is not None and bool(stamps) and min(stamps) < last
        if not epochs or begins_anew:
            epochs.append([])
        epochs[-1] += parts[number]
        last = max(stamps) if stamps else last
    return epochs


def _match(folder: Path, group: Sequence[Found], empty: Sequence[Path], *, alone: bool) -> Match:
    ranks = {suffix: n for n, suffix in enumerate(SUFFIXES)}
    group = sorted(group, key=lambda f: (ranks[kind_of(f.path)], _natural(f.path.name)))
    kinds = {kind_of(f.path) for f in group}
    first = group[0]
    label = folder.name if alone else first.header.session or first.path.stem
    return Match(
        files=(*(f.path for f in group), *empty),
        strength=Strength.MAGIC,
        evidence=_evidence(group),
        stem=label or first.path.stem,
        session=label if alone else f"{label}/{first.path.name}",
        root=folder,
        companion=not kinds & {*SIGNALS},
    )


def relate(match: Match, candidates: Sequence[Candidate]) -> Iterator[Relation]:
    """Spikes and events in a folder of their own: the recording whose session their headers name.

    Where several could be it there is no relation: none is guessed.
    """
    if not match.companion:
        return
    mine = _sessions_named(match)
    recordings = [c for c in candidates if c.format == "neuralynx" and not c.match.companion]
    same = [c for c in recordings if mine & _sessions_named(c.match)]
    if len(same) == 1:
        evidence = "the headers name the same session: one clock"
        yield Relation("derived_from", same[0].id, evidence=evidence)


def _sessions_named(match: Match) -> set[str]:
    """UUIDs of sessions; where there is none, the folders that files were recorded into."""
    found: set[str] = set()
    folders: set[str] = set()
    for path in match.files:
        try:
            with open(path, "rb") as f:
                header = parse(f.read(HEADER_BYTES))
        except OSError:
            continue
        if header is not None:
            item = Found(path, header, None)
            found.add(item.uuid)
            folders.add(item.origin)
    return (found | folders) - {""}


def _natural(name: str) -> list[tuple[int, int, str]]:
    parts = re.split(r"(\d+)", name.lower())
    return [(0, int(p), "") if p.isdecimal() else (1, 0, p) for p in parts if p]


def _evidence(group: Sequence[Found]) -> str:
    counts = {s: sum(kind_of(f.path) == s for f in group) for s in SUFFIXES}
    said = ", ".join(f"{n} {suffix}" for suffix, n in counts.items() if n)
    written = dict.fromkeys(" ".join(f.header.application).strip() for f in group)
    by = ", ".join(w for w in written if w)
    return f"{said} with a Neuralynx header" + (f" of {by}" if by else "")


def natural_key(path: Path) -> tuple[list[tuple[int, int, str]], bytes]:
    """Order of channels: CSC2 before CSC10."""
    return _natural(path.name), os.fsencode(path)
