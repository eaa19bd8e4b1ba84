"""MED-PC (Med Associates): operant sessions as text, one or many in a file."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from nwbkit.formats.base import Format, Match, Option, Reader, Source, Strength
from nwbkit.formats.events import _medpc_text
from nwbkit.formats.events._medpc_text import Session
from nwbkit.formats.listing import Listing

#: MED-PC's files have no suffix of their own: ``!2019-04-09_10h34m.Subject 95``, ``95.259``.
PATTERNS = ("*",)
_SUFFIX = re.compile(r"\.?|\.(txt|mpc|med|dat|text|\d+|subject.*)", re.I)
_START = re.compile(rb"^Start Date: *\d", re.M)
_REST = (b"Subject:", b"Start Time:", b"MSN:")
_MIN_BYTES = 60


def look(listing: Listing) -> Iterator[Match]:
    """One Match a session; sessions of one file share it."""
    for entry in listing.entries:
        named = _SUFFIX.fullmatch(entry.path.suffix) or entry.name.startswith("!")
        if not named or entry.size < _MIN_BYTES:
            continue
        head = listing.head(entry.path)
        if not _START.search(head) or not all(word in head for word in _REST):
            continue
        sessions = _medpc_text.heads(entry.path)
        yield from _matches(entry.path, sessions)


def _matches(path: Path, sessions: list[Session]) -> Iterator[Match]:
    labels = _medpc_text.session_labels(sessions)
    stems = [_stem(s) for s in sessions]
    counts = Counter(stems)
    for session, label, stem in zip(sessions, labels, stems, strict=True):
        alone = len(sessions) == 1
        if alone:
            name = _file_stem(path)
        else:
            name = stem if counts[stem] == 1 else f"{stem}_{_plain(label)}"
        number = f", {len(sessions)} sessions in the file" if not alone else ""
        yield Match(
            (path,),
            Strength.MAGIC,
            f"a head with Start Date, Subject, Box and MSN '{session.head.get('MSN', '')}'{number}",
            name,
            name,
            path.parent,
            options={} if alone else {"session": label},
            # of many sessions only one can be that of a recording beside the file
            companion=alone,
        )


def _file_stem(path: Path) -> str:
    """The file's name; what looks like a suffix may be part of it (``95.259``)."""
    return path.stem if re.fullmatch(r"\.(txt|mpc|med|dat|text)", path.suffix, re.I) else path.name


def _stem(session: Session) -> str:
    """``95.259_2019-04-09_10-34-30``."""
    start = session.start()
    when = start.strftime("%Y-%m-%d_%H-%M-%S") if start else _plain(session.start_text)
    return f"{session.head.get('Subject', 'session')}_{when}"


def _plain(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "-", text).strip("-")


def _open(source: Source) -> Reader:
    from nwbkit.formats.events._medpc_reader import MedPCReader

    return MedPCReader(source)


FORMAT = Format(
    id="medpc",
    title="MED-PC",
    room="events",
    patterns=PATTERNS,
    look=look,
    open=_open,
    options=(
        Option(
            "session",
            "str",
            "which session of the file: its start date and time as printed, with the box where "
            "several start at once",
        ),
        Option(
            "arrays",
            "str",
            "what the arrays hold: name=TIMES or name=TIMES/DURATIONS with commas between "
            "(left_poke=A,port_entry=G/E), or a .yaml file",
        ),
        Option("unit", "str", "unit of all times: s, ms, min, h, or the seconds of one tick"),
        Option(
            "date_order",
            "str",
            "month or day first in dates; MED-PC writes mdy",
            choices=("mdy", "dmy"),
        ),
    ),
    recognised="A text file of any name with the lines Start Date, Subject, Start Time and MSN; "
    "each session in it is a source.",
    variants=(
        "MED-PC IV and V data files, one or many sessions, one or many columns an array",
        "a mapping of arrays in one line, as YAML, or as NeuroConv's metadata for MedPCInterface",
    ),
    limits=(
        "What an array holds and the unit of its times are not in the file: without a mapping "
        "all numbers go to the table MedPCVariables, and there are no events.",
        "Start times have no zone.",
        "Files in MED-PC's stripped or comma-separated layouts are not read.",
    ),
)
