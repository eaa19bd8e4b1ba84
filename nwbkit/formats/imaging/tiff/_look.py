"""Recognising TIFF movies: single files, numbered pages, what an OME-XML holds together."""

from __future__ import annotations

import os
import re
import struct
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from nwbkit.formats.base import Match, Strength
from nwbkit.formats.io import _tiff_ifd as ifd
from nwbkit.formats.listing import Entry, Listing

PATTERNS = ("*.tif", "*.tiff", "*.btf", "*.tf8", "*.tf2", "*.stk")

#: Of a folder of numbered pages so many are opened; their names and the rest's are enough.
SAMPLED = 32
#: OME-XML of long recordings has a line a frame.
MAX_XML = 4 << 20


@dataclass(frozen=True)
class Peek:
    """What the first page says: whether others follow, its size, its OME-XML if any."""

    single: bool
    shape: tuple[int, ...]
    ome: str


def look(listing: Listing) -> Iterator[Match]:
    """One Match a movie."""
    groups: dict[tuple[Path, str], list[Entry]] = defaultdict(list)
    for entry in listing.match(*PATTERNS):
        groups[entry.path.parent, re.sub(r"\d+", "#", entry.name)].append(entry)
    roots = set(listing.roots)
    taken: set[Path] = set()
    alone: list[Entry] = []
    for entries in groups.values():
        for series in _by_other_numbers(entries):
            if _is_movie(series):
                yield _folder_match(series)
            else:
                alone += series
    for entry in alone:
        if entry.path in taken:
            continue
        peek = _peek(entry)
        if peek is None:
            continue
        files = _of_ome(listing, entry.path, peek.ome) if peek.ome else (entry.path,)
        taken.update(files)
        if peek.single and len(files) == 1 and entry.path not in roots:
            continue  # a snapshot is no movie
        kind = "a TIFF header with OME-XML" if peek.ome else "a TIFF header"
        stem = re.sub(r"\.ome$", "", entry.path.stem)
        yield Match(files, Strength.FALLBACK, kind, stem, stem, entry.path.parent)


def numbers_of(name: str) -> tuple[int, ...]:
    """The numbers in a file's name, for sorting as people count."""
    return tuple(int(n) for n in re.findall(r"\d+", name))


def _by_other_numbers(entries: list[Entry]) -> Iterable[list[Entry]]:
    """Split names by all their numbers but the one that takes most values, the counter."""
    if len(entries) < 2:
        return [entries]
    columns = list(zip(*(numbers_of(e.name) for e in entries), strict=True))
    if not columns:
        return [[e] for e in entries]
    # the last of equals: counters stand behind
    counter = max(range(len(columns)), key=lambda k: (len(set(columns[k])), k))
    series: dict[tuple[int, ...], list[Entry]] = defaultdict(list)
    for entry in entries:
        found = numbers_of(entry.name)
        series[found[:counter] + found[counter + 1 :]].append(entry)
    for files in series.values():
        files.sort(key=lambda e: (numbers_of(e.name), e.name))
    return [series[key] for key in sorted(series)]


def _is_movie(series: list[Entry]) -> bool:
    """Whether each of the numbered files holds one page, nearly all of them of one size.

    An odd one among many is for opening to refuse by name; a few pictures of many sizes are
    no movie.
    """
    if len(series) < 2:
        return False
    step = max(1, len(series) // SAMPLED)
    shapes: Counter[tuple[int, ...]] = Counter()
    for entry in dict.fromkeys([*series[::step], series[-1]]):
        peek = _peek(entry)
        if peek is None or not peek.single or peek.ome:
            return False
        shapes[peek.shape] += 1
    return shapes.most_common(1)[0][1] >= 0.75 * shapes.total()


def _folder_match(series: list[Entry]) -> Match:
    first, last = series[0].path, series[-1].path
    stem = re.sub(r"[\W_]*\d+$", "", first.stem) or first.parent.name
    evidence = f"{len(series)} single-page TIFFs, numbered '{first.name}' to '{last.name}'"
    files = tuple(e.path for e in series)
    return Match(files, Strength.FALLBACK, evidence, stem, stem, first.parent)


def _peek(entry: Entry) -> Peek | None:
    try:
        fd = os.open(entry.path, os.O_RDONLY)
    except OSError:
        return None
    try:
        source = ifd.Bytes(fd, entry.size)
        header = ifd.parse_header(source.at(0, 16))
        return _first_page(source, header) if header is not None else None
    except OSError:
        return None
    finally:
        os.close(fd)


def _first_page(source: ifd.Bytes, header: ifd.Header) -> Peek:
    """What is seen of the first page; a TIFF that is cut off is still one, and is refused later."""
    try:
        found = ifd.parse_directory(source, header, header.first)
        entries = found.entries

        def number(tag: int, default: int = 0) -> int:
            entry = entries.get(tag)
            return int(ifd.values(source, header, entry)[0]) if entry is not None else default

        wanted = (ifd.WIDTH, ifd.LENGTH, ifd.BITS, ifd.SAMPLES, ifd.SAMPLE_FORMAT)
        shape = tuple(number(tag, 1) for tag in wanted)
        text = entries.get(ifd.DESCRIPTION)
        said = ifd.text(source, text, MAX_XML) if text is not None else ""
        size = shape[0] * shape[1] * shape[3] * max(8, shape[2]) // 8
        first = number(ifd.STRIP_OFFSETS)
        plain = number(ifd.COMPRESSION, 1) == 1 and ifd.STRIP_OFFSETS in entries
        several = ifd.UIC2 in entries or re.search(r"^images=(?!1$)|^\{\"shape\"", said, re.M)
        hidden = several and plain and size and (source.size - first) // size > 1
    except (ifd.BrokenTiff, struct.error, IndexError):
        return Peek(False, (), "")
    ome = said if re.search(r"<(?:\w+:)?OME\b", said[:2000]) else ""
    return Peek(not found.next and not hidden, shape, ome)


def _of_ome(listing: Listing, path: Path, xml: str) -> tuple[Path, ...]:
    """The file, and those of its folder that its OME-XML names."""
    named = re.findall(r"\b(?:FileName|MetadataFile)=\"([^\"]*)\"", xml)
    files = {path: None}
    for name in named:
        other = path.parent / name
        if Path(name).name == name and listing.size(other):
            files[other] = None
    rest = sorted((f for f in files if f != path), key=lambda f: (numbers_of(f.name), f.name))
    return (path, *rest)
