"""Neuralynx video tracking (.nvt): where the target was in each frame, and where it faced.

Sources: Neuralynx, "Data File Formats": records of 1828 bytes behind the 16 kB header. The
extracted position is in pixels of the video frame, (0, 0) where no target was found; the
extracted angle is in degrees clockwise from the positive y axis, 0 where angle tracking is
off. Timestamps are microseconds of the acquisition system's clock, which .ncs, .nev and
spike files of the same session share.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from nwbkit.formats.base import Candidate, Format, Match, Option, Reader, Relation, Source, Strength
from nwbkit.formats.io.neuralynx import HEADER_BYTES, Header, parse

if TYPE_CHECKING:
    from pathlib import Path

    from nwbkit.formats.listing import Listing


def look(listing: Listing) -> Iterator[Match]:
    """One Match per file."""
    for entry in listing.match("*.nvt"):
        header = parse(listing.head(entry.path, HEADER_BYTES))
        if header is None:
            continue
        size = header.text("Resolution").replace(" ", " x ")
        yield Match(
            files=(entry.path,),
            strength=Strength.MAGIC,
            evidence="a .nvt file with a Neuralynx header"
            + (f", video of {size} pixels" if size else ""),
            stem=entry.path.stem,
            session=entry.path.parent.name or entry.path.stem,
            root=entry.path.parent,
            companion=True,
        )


def relate(match: Match, candidates: Sequence[Candidate]) -> Iterable[Relation]:
    """The recording of the same session: by what the headers say, else by the folder."""
    mine = _header(match.files[0])
    known = [c for c in candidates if c.format == "neuralynx"]
    # spikes in a folder of their own take the recording's clock themselves
    recordings = [c for c in known if not c.match.companion] or known
    if mine is None:
        return
    for key, said in ((_uuid, "the same SessionUUID"), (_folder, "the same original folder")):
        wanted = key(mine)
        same = [
            c for c in recordings if wanted and any(key(h) == wanted for h in _headers(c.match))
        ]
        beside = [c for c in same if c.match.files[0].parent == match.files[0].parent] or same
        if len(beside) == 1:
            evidence = f"the headers name {said}: one clock"
            yield Relation("derived_from", beside[0].id, evidence=evidence)
            return
    beside = [c for c in recordings if c.match.files[0].parent == match.files[0].parent]
    named = beside and any(_folder(h) or _uuid(h) for h in _headers(beside[0].match))
    if len(beside) == 1 and not (named and (_folder(mine) or _uuid(mine))):
        yield Relation("derived_from", beside[0].id, evidence="lies beside the recording's files")


def _header(path: Path) -> Header | None:
    try:
        with open(path, "rb") as f:
            return parse(f.read(HEADER_BYTES))
    except OSError:
        return None


def _headers(match: Match) -> Iterator[Header]:
    for path in match.files:
        header = _header(path)
        if header is not None:
            yield header


def _uuid(header: Header) -> str:
    return header.text("SessionUUID").lower()


def _folder(header: Header) -> str:
    return header.origin


def _open(source: Source) -> Reader:
    from nwbkit.formats.behavior._nvt_reader import NvtReader

    return NvtReader(source)


FORMAT = Format(
    id="neuralynx_nvt",
    title="Neuralynx video tracking",
    room="behavior",
    patterns=("*.nvt",),
    look=look,
    open=_open,
    relate=relate,
    options=(
        Option(
            "meters_per_pixel",
            "float",
            "size of a pixel in meters: positions are then written with this conversion, in meters",
        ),
    ),
    recognised="By the text '######## Neuralynx' at the beginning of a .nvt file. It shares the "
    "clock of the Neuralynx recording that its header names (SessionUUID, or the original "
    "folder), or that lies beside it.",
    variants=("Cheetah 4 to 6 and Pegasus: records of 1828 bytes",),
    limits=(
        "Targets and points of single colours are not converted.",
        "Angles that are all zero are taken as angle tracking switched off.",
    ),
)
