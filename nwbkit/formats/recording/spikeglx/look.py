"""Recognise SpikeGLX runs: by the content of their .meta files, whatever these are called."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from nwbkit.formats.base import Match, Strength
from nwbkit.formats.listing import Listing
from nwbkit.formats.recording.spikeglx.grouping import Item, group, label
from nwbkit.formats.recording.spikeglx.meta import MAX_META, decode, kind_of, parse

PATTERNS = ("*.meta", "*.bin", "*.cbin")
_SUFFIXES = (".bin", ".BIN", ".Bin")


def look(listing: Listing) -> Iterator[Match]:
    """One Match per run and gate; CatGT output and the raw run are separate ones."""
    items = []
    for path in _headers(listing):
        fields, _ = parse(decode(listing.head(path, MAX_META)))
        kind = kind_of(fields)
        if kind is not None:
            items.append(Item.of(path, fields, kind))
    matches = [_match(run) for run in group(items)]
    names = Counter((m.root, m.session) for m in matches)
    for match in matches:
        if names[match.root, match.session] > 1:  # a copy or an export beside the run itself
            own = _own_name(match.files)
            match = replace(match, session=own, stem=own)
        yield match


def _headers(listing: Listing) -> Iterable[Path]:
    """Every .meta, also one that lies beside a .bin that was given alone."""
    found = {entry.path: None for entry in listing.match("*.meta")}
    for entry in listing.match("*.bin", "*.cbin"):
        if entry.path in listing.roots:
            for suffix in (".meta", ".META"):
                beside = entry.path.with_suffix(suffix)
                if beside not in found and listing.size(beside) is not None:
                    found[beside] = None
    return sorted(found, key=os.fsencode)


def _own_name(files: Sequence[Path]) -> str:
    first = next(f for f in files if f.suffix.lower() == ".meta")
    return first.name[: -len(".meta")]


def binary_of(meta: Path) -> Path | None:
    """The .bin beside a .meta; None where there is none."""
    for suffix in _SUFFIXES:
        path = meta.with_suffix(suffix)
        if path.is_file():
            return path
    return None


def _match(run: Sequence[Item]) -> Match:
    pairs = [(item.path, binary_of(item.path)) for item in run]
    files = [binary for _, binary in pairs if binary is not None]
    files += [meta for meta, _ in pairs]
    missing = [meta for meta, binary in pairs if binary is None]
    stem = label(run)
    return Match(
        files=tuple(files),
        strength=Strength.MAGIC,
        evidence=_evidence(run, missing),
        stem=stem,
        session=stem,
        root=_root([item.path.parent for item in run]),
    )


def _evidence(run: Sequence[Item], missing: Sequence[Path]) -> str:
    kinds = sorted({item.kind for item in run})
    said = f"{len(run)} .meta with typeThis={', '.join(kinds)} and its channel counts"
    if missing:
        more = f" and of {len(missing) - 1} more" if len(missing) > 1 else ""
        said += f"; the .bin of '{missing[0].name}'{more} is missing"
    return said


def _root(folders: Sequence[Path]) -> Path:
    # a run with a folder per probe is rooted in the folder above them, also where it has one
    root = Path(os.path.commonpath([str(folder) for folder in folders]))
    return root.parent if re.search(r"_(imec|obx)\d*$", root.name) else root
