"""Recognise Intan recordings by the magic number of their headers. Standard library only.

A header called ``info.rhd`` or ``info.rhs`` belongs to the .dat files beside it; any other holds
its data itself. RHX and its forerunners begin a new file every few minutes: files of one name,
whose headers agree and whose counters go on as their names say, are one recording.
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from nwbkit.formats.base import Match, Strength
from nwbkit.formats.listing import Entry, Listing
from nwbkit.formats.recording.intan.header import (
    MAGIC,
    MAX_HEADER,
    Header,
    NotIntan,
    Short,
    parse_header,
)

PATTERNS = ("*.rhd", "*.rhs")
#: Signals of the layout of one file a signal, by file name.
SIGNAL_FILES = {
    "amplifier.dat": "amplifier",
    "lowpass.dat": "lowpass",
    "highpass.dat": "highpass",
    "dcamplifier.dat": "dc_amplifier",
    "stim.dat": "stim",
    "auxiliary.dat": "auxiliary",
    "supply.dat": "supply",
    "analogin.dat": "adc",
    "analogout.dat": "dac",
    "digitalin.dat": "digital_in",
    "digitalout.dat": "digital_out",
    "spike.dat": "spikes",
}
TIME_FILE = "time.dat"
#: Files of the layout of one file a channel.
CHANNEL_FILE = re.compile(r"(amp|low|high|dc|stim|aux|vdd|board|spike)-.+\.dat", re.IGNORECASE)
_STAMP = re.compile(r"^(.*?)_?(\d{6})_(\d{6})$")
_NOTE = re.compile(rb"\s*\d{1,18}, \d\d:\d\d:\d\d, ")
#: File names tell seconds; saving begins a moment later.
_SLACK_S = 5.0


def stamp_of(name: str) -> tuple[str, datetime | None]:
    """What stands before ``_YYMMDD_HHMMSS`` at the end of a name, and that time."""
    match = _STAMP.match(name)
    if match is None:
        return name, None
    try:
        return match[1], datetime.strptime(match[2] + match[3], "%y%m%d%H%M%S")
    except ValueError:
        return name, None


@dataclass(frozen=True)
class Found:
    """One header as detection sees it.

    Parameters
    ----------
    entry : Entry
    header : Header, optional
        None where it is damaged.
    counter : int, optional
        The first time stamp behind the header.
    """

    entry: Entry
    header: Header | None
    counter: int | None

    @property
    def path(self) -> Path:
        """The file."""
        return self.entry.path


def look(listing: Listing) -> Iterator[Match]:
    """One Match per recording."""
    single: dict[tuple[Path, str], list[Found]] = {}
    for entry in listing.match(*PATTERNS):
        found = _found(listing, entry)
        if found is None:
            continue
        if found.header is None:
            yield _damaged(found)
        elif entry.size <= found.header.size and _is_info(entry.path):
            yield _folder(listing, found)
        else:
            base = stamp_of(entry.path.stem)[0]
            single.setdefault((entry.path.parent, base), []).append(found)
    for group in single.values():
        for run in _runs(group):
            yield _files(listing, run)


def _is_info(path: Path) -> bool:
    return path.stem.lower() == "info" or any(
        name.lower() == TIME_FILE or name.lower() in SIGNAL_FILES for name in _names(path.parent)
    )


def _found(listing: Listing, entry: Entry) -> Found | None:
    """None for a file that does not begin with a magic number."""
    if listing.head(entry.path, 4) not in MAGIC:
        return None
    for size in (64 << 10, MAX_HEADER):
        try:
            with open(entry.path, "rb") as f:
                raw = f.read(size)
            header = parse_header(raw)
        except (NotIntan, ValueError, OSError):
            return Found(entry, None, None)
        except Short:
            continue
        kind = "<i" if header.signed_time else "<I"
        if len(raw) < header.size + 4:
            return Found(entry, header, None)
        return Found(entry, header, struct.unpack_from(kind, raw, header.size)[0])
    return Found(entry, None, None)


def _runs(group: Sequence[Found]) -> Iterator[list[Found]]:
    """Files of one name and folder, cut where one does not go on with the one before."""
    ordered = sorted(group, key=lambda f: (stamp_of(f.path.stem)[1] or datetime.min, f.path.name))
    run: list[Found] = []
    for found in ordered:
        if run and not _goes_on(run, found):
            yield run
            run = []
        run.append(found)
    if run:
        yield run


def _goes_on(run: Sequence[Found], found: Found) -> bool:
    last = run[-1]
    if found.header is None or last.header is None:
        return False
    if last.counter is None or found.counter is None or found.counter <= last.counter:
        return False
    if not found.header.same_setup(last.header):
        return False
    began, now = (stamp_of(f.path.stem)[1] for f in (last, found))
    if began is None or now is None:
        return False
    counted = (found.counter - max(last.counter, 0)) / found.header.rate
    return abs((now - began).total_seconds() - counted) <= _SLACK_S


# ------------------------------------------------------------------ matches


def _files(listing: Listing, run: Sequence[Found]) -> Match:
    header, path = run[0].header, run[0].path
    assert header is not None
    alone = len({e.path for e in listing.match(*PATTERNS) if e.path.parent == path.parent}) == len(
        run
    )
    beside = _beside(path.parent) if alone else []
    files = tuple(f.path for f in run)
    many = f", {len(run)} files whose counters go on" if len(run) > 1 else ""
    return Match(
        files=(*files, *beside),
        strength=Strength.MAGIC,
        evidence=f"{_said(header)}, header and data in one file{many}",
        stem=path.stem,
        session=path.stem,
        root=path.parent,
    )


def _folder(listing: Listing, found: Found) -> Match:
    folder = found.path.parent
    names = _names(folder)
    signals = sorted(n for n in names if n.lower() in SIGNAL_FILES or n.lower() == TIME_FILE)
    channels = sorted(n for n in names if CHANNEL_FILE.fullmatch(n))
    per_signal = any(SIGNAL_FILES.get(n.lower(), "spikes") != "spikes" for n in signals)
    mine = signals if per_signal else [*signals, *channels]
    layout = "one file a signal" if per_signal else "one file a channel"
    assert found.header is not None
    if not mine:
        layout = "without data files"
    stem = folder.name or found.path.stem
    return Match(
        files=(found.path, *(folder / n for n in mine), *_beside(folder)),
        strength=Strength.MAGIC,
        evidence=f"{_said(found.header)}, {layout}",
        stem=stem,
        session=stem,
        root=folder,
    )


def _damaged(found: Found) -> Match:
    """A header that does not parse: claimed by its magic number, so that opening it says why."""
    path = found.path
    return Match(
        files=(path,),
        strength=Strength.MAGIC,
        evidence="it begins with Intan's magic number; its header does not read as one",
        stem=path.stem,
        session=path.stem,
        root=path.parent,
    )


def _said(header: Header) -> str:
    name = "RHD2000" if header.kind == "rhd" else "RHS2000"
    return (
        f"{name} header of version {header.version[0]}.{header.version[1]} with "
        f"{len(header.of('amplifier'))} amplifier channels"
    )


def _beside(folder: Path) -> list[Path]:
    """RHX's settings and live notes, where they are its own."""
    found = []
    for name, test in (("settings.xml", _is_settings), ("notes.txt", _is_notes)):
        path = folder / name
        try:
            with open(path, "rb") as f:
                if test(f.read(1024)):
                    found.append(path)
        except OSError:
            continue
    return found


def _is_settings(head: bytes) -> bool:
    return b"<IntanRHX" in head


def _is_notes(head: bytes) -> bool:
    return _NOTE.match(head) is not None


def _names(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return [e.name for e in entries if e.is_file()]
    except OSError:
        return []
