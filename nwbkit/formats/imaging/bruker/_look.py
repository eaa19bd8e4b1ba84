"""Recognising a PVScan XML, and which of the files around it are its own."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from nwbkit.formats.base import Match, Strength
from nwbkit.formats.listing import Entry, Listing

PATTERNS = ("*.xml",)
_ROOT = re.compile(r"^\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<PVScan\b([^>]*)>", re.DOTALL)
#: What PrairieView appends to a run's name: the cycle, the parameter set, what it is.
CYCLE = re.compile(r"^(.*?)([_-]Cycle\d+(?:[_-].*)?)$", re.IGNORECASE | re.DOTALL)
#: So much of the XML is searched for the first frame's file.
HEAD = 1 << 18


def look(listing: Listing) -> Iterator[Match]:
    """One Match a PVScan XML, with the files of its folder that are called like it."""
    folders: dict[Path, dict[str, list[Entry]]] = {}
    runs = [(e, m) for e in listing.match(*PATTERNS) if (m := _pvscan(listing, e))]
    per_folder: dict[Path, int] = defaultdict(int)
    for entry, _ in runs:
        per_folder[entry.path.parent] += 1
    if runs:
        folders = _by_folder(listing, {e.path.parent for e, _ in runs})
    for entry, attributes in runs:
        folder = entry.path.parent
        stems = folders.get(folder, {})
        mine = [entry.path.stem]
        named = re.search(r'<File\b[^>]*\bfilename="([^"]*)"', listing.text(entry.path, HEAD))
        if named and (cut := CYCLE.match(named[1])):
            mine.append(cut[1])
        if per_folder[folder] == 1 and len(stems) == 1:
            mine += stems
        files = [e.path for stem in dict.fromkeys(mine) for e in stems.get(stem, [])]
        version = re.search(r'\bversion="([\w.]+)"', attributes[1])
        said = f" (PrairieView {version[1]})" if version else ""
        stem = entry.path.stem
        yield Match(
            (entry.path, *dict.fromkeys(f for f in files if f != entry.path)),
            Strength.MAGIC,
            f"the root of the XML is PVScan{said}",
            stem,
            stem,
            folder,
        )


def _pvscan(listing: Listing, entry: Entry) -> re.Match[str] | None:
    text = listing.text(entry.path, 4096).removeprefix("\ufeff").removeprefix("ï»¿")
    return _ROOT.match(text)


def _by_folder(listing: Listing, folders: set[Path]) -> dict[Path, dict[str, list[Entry]]]:
    """Of each folder: the run's name -> what is called like it, there and in ``References``."""
    found: dict[Path, dict[str, list[Entry]]] = {f: defaultdict(list) for f in folders}
    for entry in listing.entries:
        parent = entry.path.parent
        home = parent
        if parent not in folders and parent.name.lower() == "references":
            home = parent.parent
        if home not in folders:
            continue
        stem = re.sub(r"(?:\.ome)?\.[^.]+$", "", entry.name)
        cut = CYCLE.match(stem)
        if cut is not None:
            found[home][cut[1]].append(entry)
        elif entry.name.lower().endswith(".env"):
            found[home][stem].append(entry)
    return found
