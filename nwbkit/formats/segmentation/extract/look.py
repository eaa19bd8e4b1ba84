"""Recognising EXTRACT's results: names in the file, standard library only."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from nwbkit.formats.base import Candidate, Match, Relation, Strength
from nwbkit.formats.io.hdf5_names import group_names
from nwbkit.formats.io.mat import HEADER, version_of
from nwbkit.formats.listing import Listing
from nwbkit.formats.segmentation._finding import movie_candidates
from nwbkit.formats.segmentation._mat5 import beginnings

#: Fields of the struct that ``extractor`` returns, and of the one that calciumImagingAnalysis
#: (CIAtah) makes of it.
NEW = ("spatial_weights", "temporal_weights")
OLD = ("filters", "traces")
#: Names that the tutorials and CIAtah give the struct.
NEW_NAME, OLD_NAME = "output", "extractAnalysisOutput"
_MAX_VARIABLES = 100


def look(listing: Listing) -> Iterator[Match]:
    """One Match a .mat file with such a struct, of any name for the newer kind."""
    for entry in listing.match("*.mat"):
        version = version_of(listing.head(entry.path, HEADER))
        found = None
        if version == "7.3":
            found = _in_hdf5(entry.path)
        elif version == "5":
            found = _in_mat5(entry.path)
        if found is None:
            continue
        name, fields = found
        yield Match(
            (entry.path,),
            Strength.MAGIC,
            f"MATLAB struct '{name}' with {fields[0]} and {fields[1]}",
            entry.path.stem,
            entry.path.stem,
            entry.path.parent,
            {"variable": name},
            companion=True,
        )


def _in_hdf5(path: Path) -> tuple[str, tuple[str, str]] | None:
    names = group_names(path) or set()
    for name in sorted(names, key=lambda n: (n != NEW_NAME, n != OLD_NAME, n))[:_MAX_VARIABLES]:
        fields = group_names(path, name) or set()
        if fields.issuperset(NEW):
            return name, NEW
        if name == OLD_NAME and fields.issuperset(OLD):
            return name, OLD
    return None


def _in_mat5(path: Path) -> tuple[str, tuple[str, str]] | None:
    """The beginning of each variable: a struct's name and those of its fields stand there."""
    for begin, order in beginnings(path):
        try:
            found = _struct(begin, order)
        except (struct.error, IndexError):
            continue
        if found is not None:
            return found
    return None


def _struct(begin: bytes, order: str) -> tuple[str, tuple[str, str]] | None:
    """Name and fields of a struct, from the bytes behind its tag; None where it is another."""
    # flags: 8 bytes tag, 8 bytes value; the class is in the lowest byte of the first word
    (flags,) = struct.unpack_from(order + "I", begin, 8)
    if flags & 0xFF != 2:
        return None
    (size,) = struct.unpack_from(order + "I", begin, 20)
    at = 24 + size + -size % 8
    (kind,) = struct.unpack_from(order + "I", begin, at)
    if kind >> 16:  # a short element: size and text within eight bytes
        name = begin[at + 4 : at + 4 + (kind >> 16)]
        at += 8
    else:
        (size,) = struct.unpack_from(order + "I", begin, at + 4)
        name = begin[at + 8 : at + 8 + size]
        at += 8 + size + -size % 8
    (width,) = struct.unpack_from(order + "I", begin, at + 4)
    (size,) = struct.unpack_from(order + "I", begin, at + 12)
    raw = begin[at + 16 : at + 16 + size]
    fields = {
        raw[i : i + width].split(b"\0", 1)[0].decode("ascii", "replace")
        for i in range(0, len(raw), max(width, 1))
    }
    text = name.decode("ascii", "replace")
    if fields.issuperset(NEW):
        return text, NEW
    return (text, OLD) if text == OLD_NAME and fields.issuperset(OLD) else None


def relate(match: Match, candidates: Sequence[Candidate]) -> Iterable[Relation]:
    """The movie that was segmented: the only one beside the file (EXTRACT does not name it)."""
    for candidate, evidence in movie_candidates(match, candidates, ()):
        yield Relation("plane_of", candidate.id, None, evidence)
