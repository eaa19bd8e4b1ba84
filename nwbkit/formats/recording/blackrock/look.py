"""Recognise Blackrock files by their first bytes; one source per name in a folder."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from nwbkit.formats.base import Match, Strength
from nwbkit.formats.listing import Listing
from nwbkit.formats.recording.blackrock.headers import NEV_MAGIC, NS_MAGIC, origin_of

PATTERNS = ("*.ns[1-9]", "*.nev")
#: Files of one recording say time origins that differ by less than this; those of two, never.
_SAME_S = 0.1
#: What Central writes beside a recording under the same name.
_BESIDE = (".ccf", ".sif")


def look(listing: Listing) -> Iterator[Match]:
    """One Match per recording: the ns files and nev of one name, and later sortings."""
    groups: dict[tuple[Path, str], list[Path]] = {}
    for entry in listing.match(*PATTERNS):
        magic = listing.head(entry.path, 8)[:8]
        wanted = NEV_MAGIC if entry.path.suffix.lower() == ".nev" else NS_MAGIC
        if magic in wanted:
            key = (entry.path.parent, entry.path.stem)
            groups.setdefault(key, []).append(entry.path)
    sorted_later = {key: base for key in groups if (base := _base(listing, groups, key))}
    for key, base in sorted_later.items():
        groups[base] += groups[key]
    for key, paths in groups.items():
        if key not in sorted_later:
            yield _match(listing, key, paths)


def _base(
    listing: Listing, groups: dict[tuple[Path, str], list[Path]], key: tuple[Path, str]
) -> tuple[Path, str] | None:
    """The recording that ``NAME-02.nev`` is a later sorting of: NAME with the same time origin."""
    folder, stem = key
    if [p.suffix.lower() for p in groups[key]] != [".nev"]:
        return None
    bases = [
        other
        for other in groups
        if other[0] == folder and re.match(re.escape(other[1]) + r"[-_. ]", stem)
    ]
    mine = _origin(listing, groups[key][0])
    for base in sorted(bases, key=lambda b: len(b[1])):
        theirs = [_origin(listing, p) for p in groups[base] if p.stem == base[1]]
        known = [t for t in theirs if t is not None]
        if mine is not None and known and abs((mine - known[-1]).total_seconds()) <= _SAME_S:
            return base
    return None


def _origin(listing: Listing, path: Path) -> datetime | None:
    """The time origin of an ns or nev file; spec 2.1 of ns has none."""
    raw = listing.head(path, 310)
    if raw[:8] == b"NEURALSG" or len(raw) < 310:
        return None
    return origin_of(raw[28:44] if path.suffix.lower() == ".nev" else raw[294:310])


def _match(listing: Listing, key: tuple[Path, str], paths: list[Path]) -> Match:
    folder, stem = key
    ns = sorted((p for p in paths if p.suffix.lower() != ".nev"), key=os.fsencode)
    nevs = sorted((p for p in paths if p.suffix.lower() == ".nev"), key=lambda p: (len(p.stem), p))
    said = [
        f"{p.name} begins with {listing.head(p, 8).decode('latin-1')}" for p in [*ns, *nevs[:1]]
    ]
    others = {e.path for e in listing.match(*(f"*{s}" for s in _BESIDE))}
    beside = [p for s in _BESIDE if (p := folder / f"{stem}{s}") in others]
    return Match(
        files=(*ns, *nevs, *beside),
        strength=Strength.MAGIC,
        evidence=", ".join(said) + ("; sorted again later" if len(nevs) > 1 else ""),
        stem=stem,
        session=stem,
        root=folder,
    )
