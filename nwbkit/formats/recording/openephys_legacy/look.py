"""Recognise Open Ephys legacy files by their headers; one source per folder and experiment."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from nwbkit.formats.base import Match, Strength
from nwbkit.formats.listing import Listing

PATTERNS = ("*.continuous", "*.spikes", "*.events")
_FORMAT = re.compile(r"header\.format\s*=\s*'?\s*Open Ephys Data Format", re.I)
_FIELD = re.compile(r"header\.(\w+)\s*=\s*(.*?)\s*;?\s*$", re.M)
HEADER = 1024


def fields(text: str) -> dict[str, str]:
    """The fields of a header: ``header.NAME = VALUE;`` a line; quotes are taken off."""
    found = {}
    for name, value in _FIELD.findall(text):
        found[name] = value.strip().rstrip(";").strip().strip("'\"").strip()
    return found


def place(stem: str, channel: str) -> tuple[str, str, str, int]:
    """Processor, stream, channel and experiment that a file name says.

    Names are ``PROCESSOR_CHANNEL`` (``PROCESSOR_STREAM_CHANNEL`` since 0.6), and ``_N`` behind
    from the second experiment on; `channel` is what the header says, which names may have
    without blanks and underscores.
    """
    number, _, rest = stem.partition("_")
    if not rest or not number.isdecimal():
        number, rest = "", stem
    spoken = channel.replace(" ", "")
    for said in dict.fromkeys((channel, spoken, spoken.replace("_", "-"))):
        named = re.fullmatch(rf"(?:(.*)_)?{re.escape(said)}(?:_(\d+))?", rest) if said else None
        if named:
            return number, named[1] or "", channel, int(named[2] or 1)
    base, experiment = numbered(rest)
    stream, _, last = base.rpartition("_")
    return number, stream, last or base, experiment


def numbered(stem: str) -> tuple[str, int]:
    """A stem without ``_N``, and N (1 where there is none)."""
    named = re.fullmatch(r"(.+)_(\d{1,4})", stem)
    return (named[1], int(named[2])) if named else (stem, 1)


def beside(folder: Path, experiment: int) -> list[Path]:
    """What the GUI writes beside the data of an experiment; whether it is there or not."""
    suffix = f"_{experiment}" if experiment > 1 else ""
    names = (
        f"messages{suffix}.events",
        f"settings{suffix}.xml",
        f"structure{suffix}.openephys",
        f"Continuous_Data{suffix}.openephys",
    )
    return [folder / name for name in names]


def look(listing: Listing) -> Iterator[Match]:
    """One Match per folder and experiment."""
    groups: dict[tuple[Path, int], list[Path]] = {}
    versions: dict[tuple[Path, int], str] = {}
    for entry in listing.match(*PATTERNS):
        text = listing.head(entry.path, HEADER).decode("latin-1")
        if not _FORMAT.search(text):
            continue
        said = fields(text)
        stem, suffix = entry.path.stem, entry.path.suffix.lower()
        if suffix == ".continuous":
            experiment = place(stem, said.get("channel", ""))[3]
        else:
            experiment = _experiment(stem, said.get("electrode", ""))
        key = (entry.path.parent, experiment)
        groups.setdefault(key, []).append(entry.path)
        versions.setdefault(key, said.get("version", ""))
    several = {folder for folder, n in groups if n > 1}
    for (folder, experiment), paths in sorted(groups.items()):
        yield _match(listing, folder, experiment, paths, versions[folder, experiment], several)


def _experiment(stem: str, electrode: str) -> int:
    """Of spikes and events; an electrode's own name may end in a number."""
    spoken = electrode.replace(" ", "")
    if spoken and stem == spoken:
        return 1
    return numbered(stem)[1] if not re.fullmatch(r"\d+_\d+", stem) else 1


def _match(
    listing: Listing,
    folder: Path,
    experiment: int,
    paths: list[Path],
    version: str,
    several: set[Path],
) -> Match:
    continuous = [p for p in paths if p.suffix.lower() == ".continuous"]
    paths = sorted(paths, key=lambda p: (p.suffix.lower() != ".continuous", os.fsencode(p)))
    stamps = [
        p
        for p in (e.path for e in listing.match("*.timestamps"))
        if p.parent == folder and numbered(p.stem.partition("_")[2])[1] == experiment
    ]
    more = [p for p in beside(folder, experiment) if listing.size(p) is not None]
    said = f"{len(continuous)} .continuous files" if continuous else "no .continuous file"
    others = len(paths) - len(continuous)
    stem = folder.name or "recording"
    if folder in several:
        stem += f"_{experiment}"
    return Match(
        files=(*paths, *stamps, *more),
        strength=Strength.MAGIC,
        evidence=f"{said} and {others} of events and spikes with headers of the Open Ephys "
        f"Data Format, version {version or 'unknown'}",
        stem=stem,
        session=f"experiment{experiment}",
        root=folder,
    )
