"""Recognising ScanImage's TIFFs, and which of them follow each other."""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from nwbkit.formats.base import Match, Strength
from nwbkit.formats.imaging.scanimage import _text
from nwbkit.formats.io import _tiff_ifd as ifd
from nwbkit.formats.listing import Entry, Listing

PATTERNS = ("*.tif", "*.tiff", "*.btf", "*.tf8")
_VERSION = re.compile(r"(?:SI\d*\.VERSION_MAJOR = '?|state\.software\.version=)([\w.]+)")


@dataclass(frozen=True)
class Seen:
    """What the first page of a file says.

    Parameters
    ----------
    evidence : str
    epoch : str
        When the run began, as written; files of one run share it.
    first : int
        Grows with the acquisition and the number of the first frame.
    """

    evidence: str
    epoch: str
    first: int


def look(listing: Listing) -> Iterator[Match]:
    """One Match a run: the files of one folder and stem that name the same beginning."""
    runs: dict[tuple[Path, str, str], list[tuple[int, str, Path]]] = {}
    evidence: dict[Path, str] = {}
    for entry in listing.match(*PATTERNS):
        seen = _see(listing, entry)
        if seen is None:
            continue
        evidence[entry.path] = seen.evidence
        key = (entry.path.parent, _stem(entry.path), seen.epoch or entry.name)
        runs.setdefault(key, []).append((seen.first, entry.name, entry.path))
    for (folder, stem, _), files in runs.items():
        files.sort()
        firsts = [first for first, _, _ in files]
        together = len(set(firsts)) == len(firsts)
        for group in [files] if together else [[f] for f in files]:
            paths = tuple(path for _, _, path in group)
            name = stem if together and len(group) > 1 else paths[0].stem
            yield Match(paths, Strength.MAGIC, evidence[paths[0]], name, name, folder)


def _stem(path: Path) -> str:
    """The name without the counters of acquisition and file that ScanImage appends."""
    return re.sub(r"(?:_\d{3,5})+$|(?<=\D)\d{3}$", "", path.stem) or path.stem


def _see(listing: Listing, entry: Entry) -> Seen | None:
    header = ifd.parse_header(listing.head(entry.path, 16))
    if header is None:
        return None
    try:
        fd = os.open(entry.path, os.O_RDONLY)
    except OSError:
        return None
    try:
        return _first_page(ifd.Bytes(fd, entry.size), header)
    except (ifd.BrokenTiff, OSError, struct.error):
        return None
    finally:
        os.close(fd)


def _first_page(source: ifd.Bytes, header: ifd.Header) -> Seen | None:
    found = ifd.parse_directory(source, header, header.first)
    entries = found.entries

    def text(tag: int, limit: int) -> str:
        return ifd.text(source, entries[tag], limit) if tag in entries else ""

    software = text(ifd.SOFTWARE, 1 << 16)
    description = text(ifd.DESCRIPTION, 1 << 16)
    if software.startswith("SI."):
        where, said = "Software tag begins with 'SI.'", software
    elif description.startswith("state.") and "state.acq." in description:
        where, said = "description begins with ScanImage 3's 'state.' settings", description
    elif re.search(r"^scanimage\.SI\d*\.", description, re.MULTILINE):
        where, said = "description holds 'scanimage.SI' settings", description
    elif _has_block(source, header):
        where, said = "ScanImage's settings follow the header", ""
    else:
        return None
    version = _VERSION.search(said)
    evidence = f"the {where}" + (f" (version {version[1]})" if version else "")
    epoch = _text.epoch_of(description)
    frame = _text.frame_of(description)
    first = (frame.acquisition << 40) + frame.number if frame is not None else 0
    if said.startswith("state."):
        settings = _text.Settings(said)
        key = "state.internal.trigger"
        epoch = _text.state_time(settings.word(f"{key}TimeFirstString", f"{key}TimeString"))
        mine = _text.state_time(settings.word(f"{key}TimeString"))
        if epoch is not None and mine is not None:
            first = round((mine - epoch).total_seconds() * 1000)
    return Seen(evidence, epoch.isoformat() if epoch is not None else "", first)


def _has_block(source: ifd.Bytes, header: ifd.Header) -> bool:
    """Whether the block of settings that ScanImage 2016 and later puts first is there."""
    raw = source.at(16, 4)
    return header.big and len(raw) == 4 and struct.unpack("<I", raw)[0] == _text.MAGIC
