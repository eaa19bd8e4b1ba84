"""Finding every page of a TIFF file by its directories, once."""

from __future__ import annotations

import json
import math
import re
import struct
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from nwbkit.errors import DamagedInput, UnknownFormat
from nwbkit.formats.io import _tiff_ifd as ifd
from nwbkit.formats.io._tiff_pages import Kind, TiffIndex, opened

#: Pages of up to this size are believed; larger ones only where their bytes can hold them.
BELIEVED_BYTES = 256 << 20
#: Colours, or channels of one pixel; more is damage.
MAX_SAMPLES = 256
#: No codec of a TIFF packs noise-free images much tighter than deflate's 1:1032.
MAX_RATIO = 2000

_KINDS = {1: "u", 2: "i", 3: "f"}

#: Tags that decide what a page is.
_DECIDING = {ifd.WIDTH, ifd.LENGTH, ifd.BITS, ifd.COMPRESSION, ifd.PHOTOMETRIC, ifd.SAMPLES}
_DECIDING |= {ifd.STRIP_OFFSETS, ifd.ROWS_PER_STRIP, ifd.STRIP_COUNTS, ifd.PLANAR, ifd.PREDICTOR}
_DECIDING |= {ifd.TILE_WIDTH, ifd.TILE_LENGTH, ifd.TILE_OFFSETS, ifd.TILE_COUNTS}
_DECIDING |= {ifd.SUBFILE, ifd.SAMPLE_FORMAT, ifd.UIC2}


def index(path: Path) -> TiffIndex:
    """Find every page of the file at `path`.

    Pages that are smaller copies of others (thumbnails, pyramids) are left out, with a note.
    Damage is not raised but told in :attr:`TiffIndex.problem`, with the pages before it, so
    that ``--salvage`` has something to keep.

    Raises
    ------
    nwbkit.errors.NoInput
        Where it is missing or may not be read.
    nwbkit.errors.UnknownFormat
        Where it is no TIFF.
    nwbkit.errors.DamagedInput
        Where not even one page can be read, or a page cannot be what it says.
    """
    with opened(path) as source:
        header = ifd.parse_header(source.at(0, 16))
        if header is None:
            reason = "is empty" if not source.size else "is no TIFF file"
            raise UnknownFormat(f"'{path.name}' {reason}")
        return _Indexer(path, source, header).run()


@dataclass(frozen=True)
class _Pattern:
    """A directory that others are like.

    Parameters
    ----------
    size : int
        Bytes.
    strip_at : int
        Where in it the place of the pixels stands.
    spans : tuple of (int, int)
        What may differ: places and lengths of texts; first byte and number of bytes.
    wanted : bytes
        The rest, with zeros where it may differ.
    """

    size: int
    strip_at: int
    spans: tuple[tuple[int, int], ...]
    wanted: bytes

    def blanked(self, raw: bytes) -> bytes:
        """`raw` without what may differ."""
        whole = bytearray(raw)
        for at, n in self.spans:
            whole[at : at + n] = bytes(n)
        return bytes(whole)


@dataclass
class _Indexer:
    """Walks the directories of one file."""

    path: Path
    source: ifd.Bytes
    header: ifd.Header
    directories: list[int] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    kind: Kind | None = None
    first: ifd.Directory | None = None
    stored: int = 0
    last_end: int = 0
    decoded: bool = False
    notes: list[str] = field(default_factory=list)
    _pattern: _Pattern | None = None

    def run(self) -> TiffIndex:
        problem, reduced, seen, offset = "", 0, set[int](), self.header.first
        while offset:
            page = len(self.directories) + 1
            try:
                if offset in seen:
                    raise ifd.BrokenTiff("its directory is that of an earlier page")
                seen.add(offset)
                following = self._quick(offset)
                if following is None:
                    found = ifd.parse_directory(self.source, self.header, offset)
                    following = found.next
                    if self._number(found, ifd.SUBFILE) & 1:
                        reduced += 1
                    else:
                        self._add(found)
            except ifd.BrokenTiff as error:
                problem = f"page {page}: {error}"
                break
            offset = following
        if reduced:
            self.notes.append(f"{reduced} reduced copies of pages are left out")
        if self.kind is None or self.first is None:
            raise DamagedInput(f"'{self.path.name}' holds no image: {problem or 'no page'}")
        return self._finished(problem)

    def _quick(self, offset: int) -> int | None:
        """The next directory's offset where this one is like the last but for places.

        A movie has a hundred thousand directories that differ in two or three numbers only.
        """
        if self._pattern is None:
            return None
        assert self.kind is not None
        pattern = self._pattern
        raw = self.source.at(offset, pattern.size)
        if len(raw) < pattern.size or pattern.blanked(raw) != pattern.wanted:
            return None
        code = self.header.order + ("Q" if self.header.big else "I")
        at = struct.unpack_from(code, raw, pattern.strip_at)[0]
        if at + self.kind.nbytes > self.source.size:
            return None  # told in full
        self._keep(offset, at)
        return int(struct.unpack_from(code, raw, pattern.size - struct.calcsize(code))[0])

    def _keep(self, directory: int, at: int) -> None:
        assert self.kind is not None
        self.directories.append(directory)
        self.offsets.append(at)
        self.stored += self.kind.nbytes
        self.last_end = at + self.kind.nbytes

    def _add(self, found: ifd.Directory) -> None:
        kind = self._kind(found)
        if self.kind is not None and kind != self.kind:
            raise ifd.BrokenTiff(f"is {kind}, page 1 is {self.kind}")
        tags = (ifd.TILE_OFFSETS, ifd.TILE_COUNTS) if kind.tiled else ()
        places, counts = tags or (ifd.STRIP_OFFSETS, ifd.STRIP_COUNTS)
        offsets = self._numbers(found, places)
        sizes = self._numbers(found, counts) or (kind.nbytes,) * (len(offsets) == 1)
        if not offsets or len(offsets) != len(sizes) or not all(sizes):
            raise ifd.BrokenTiff(f"has {len(offsets)} pieces of data with {len(sizes)} sizes")
        total, end = sum(sizes), max(o + s for o, s in zip(offsets, sizes, strict=True))
        in_one = kind.plain and (kind.samples == 1 or kind.planar == 1)
        in_one = in_one and all(
            offsets[i] + sizes[i] == offsets[i + 1] for i in range(len(sizes) - 1)
        )
        if kind.plain and total < kind.nbytes:
            raise ifd.BrokenTiff(f"has {total} bytes of data, expected {kind.nbytes} ({kind})")
        if in_one:
            end = offsets[0] + kind.nbytes
        if end > self.source.size:
            raise ifd.BrokenTiff(f"its data ends at byte {end}, the file at {self.source.size}")
        self.kind, self.first = kind, self.first or found
        self.decoded = self.decoded or not in_one
        self._keep(found.offset, offsets[0])
        if not in_one:
            self.stored += total - kind.nbytes
            self.last_end = end
        self._pattern = self._pattern_of(found) if in_one and len(offsets) == 1 else None

    def _pattern_of(self, found: ifd.Directory) -> _Pattern | None:
        pointer, width = (8, 20) if self.header.big else (4, 12)
        strip = found.entries[ifd.STRIP_OFFSETS]
        if ifd.SIZES[strip.kind] != pointer:
            return None
        size = found.end - found.offset
        first = 8 if self.header.big else 2
        if first + len(found.entries) * width + pointer != size:
            return None  # an entry stands twice
        spans = [(strip.at - found.offset, pointer), (size - pointer, pointer)]
        for k, (tag, entry) in enumerate(found.entries.items()):
            if tag not in _DECIDING:  # texts and the like: how many bytes, and where
                spans.append((first + k * width + 4, 2 * pointer))
            elif entry.size > pointer:
                return None
        pattern = _Pattern(size, spans[0][0], tuple(spans), b"")
        return replace(pattern, wanted=pattern.blanked(self.source.at(found.offset, size)))

    def _kind(self, found: ifd.Directory) -> Kind:
        bits = self._numbers(found, ifd.BITS) or (1,)
        samples = self._number(found, ifd.SAMPLES, 1)
        sample_format = self._number(found, ifd.SAMPLE_FORMAT, 1)
        width, height = self._number(found, ifd.WIDTH), self._number(found, ifd.LENGTH)
        if samples > MAX_SAMPLES:
            raise ifd.BrokenTiff(f"says it has {samples} samples a pixel")
        letter = _KINDS.get(sample_format if sample_format != 4 else 1)
        if not (width > 0 and height > 0 and samples > 0) or len(set(bits)) != 1:
            raise ifd.BrokenTiff(
                f"says it is {height} x {width} pixels, {samples} samples of {bits} bits"
            )
        wide = next((b for b in (8, 16, 32, 64) if b >= bits[0]), 0)
        if letter is None or not wide or bits[0] < 8 or (letter == "f" and wide == 8):
            raise ifd.BrokenTiff(f"has samples of {int(bits[0])} bits and format {sample_format}")
        kind = Kind(
            height,
            width,
            samples,
            np.dtype(f"{self.header.order}{letter}{wide // 8}"),
            self._number(found, ifd.COMPRESSION, 1),
            self._number(found, ifd.PREDICTOR, 1),
            self._number(found, ifd.PHOTOMETRIC, 1),
            self._number(found, ifd.PLANAR, 1),
            ifd.TILE_OFFSETS in found.entries,
            int(bits[0]),
        )
        if kind.nbytes > max(BELIEVED_BYTES, MAX_RATIO * self.source.size):
            raise ifd.BrokenTiff(f"says it is {kind}, in a file of {self.source.size} bytes")
        return kind

    def _numbers(self, found: ifd.Directory, tag: int) -> tuple[int, ...]:
        entry = found.entries.get(tag)
        if entry is None:
            return ()
        return tuple(int(v) for v in ifd.values(self.source, self.header, entry))

    def _number(self, found: ifd.Directory, tag: int, default: int = 0) -> int:
        values = self._numbers(found, tag)
        return values[0] if values else default

    def _finished(self, problem: str) -> TiffIndex:
        assert self.kind is not None and self.first is not None
        if self.stored > self.source.size:
            raise DamagedInput(
                f"'{self.path.name}' says its {len(self.directories)} pages hold {self.stored} "
                f"bytes, the file holds {self.source.size}: pages share their data"
            )
        problem = self._continued(problem)
        return TiffIndex(
            self.path,
            self.source.size,
            self.header,
            self.kind,
            np.array(self.directories, np.int64),
            None if self.decoded else np.array(self.offsets, np.int64),
            self.first,
            problem,
            tuple(self.notes),
        )

    def _continued(self, problem: str) -> str:
        """Add the pages that follow the last one without directories; what is then wrong.

        Their number stands in the first page's description (ImageJ, tifffile) or in a
        table (MetaMorph).
        """
        assert self.kind is not None and self.first is not None
        n, who = self._said()
        have = len(self.directories)
        if n <= have:
            return problem
        apart = have > 1 and self.offsets[1] - self.offsets[0] != self.kind.nbytes
        if self.decoded or apart:
            return problem or f"{who} says {n} pages, it holds {have}"
        start = self.offsets[0]
        there = (self.source.size - start) // self.kind.nbytes
        # directories behind the data were written last: what they belong to is complete
        complete = have > 1 or self.directories[0] >= self.last_end
        if complete and not problem:
            self.notes.append(
                f"{who} says {n} pages; the file is complete and holds {have}: the text was "
                "copied with them from a larger stack"
            )
            return ""
        kept = min(n, there)
        self.directories = [self.directories[0], *([0] * (kept - 1))]
        self.offsets = [start + k * self.kind.nbytes for k in range(kept)]
        if kept < n:
            return f"{who} says {n} pages of {self.kind.nbytes} bytes, it holds {kept} whole ones"
        return ""

    def _said(self) -> tuple[int, str]:
        """``(pages, who says so)``; 0 where nobody does."""
        assert self.first is not None and self.kind is not None
        table = self.first.entries.get(ifd.UIC2)
        if table is not None:
            return table.count, "its MetaMorph table (UIC2)"
        entry = self.first.entries.get(ifd.DESCRIPTION)
        said = ifd.text(self.source, entry, 1 << 16) if entry is not None else ""
        if said.startswith("ImageJ="):
            images = re.search(r"^images=(\d{1,9})\s*$", said, re.MULTILINE)
            return (int(images[1]) if images else 1), "its ImageJ description"
        shape = shaped(said)
        if shape:
            pixels = self.kind.height * self.kind.width * self.kind.samples
            return math.prod(shape) // max(1, pixels), "its description"
        return 0, ""


def shaped(description: str) -> tuple[int, ...] | None:
    """The shape of the whole stack that tifffile writes into the first description."""
    if not description.startswith('{"shape":'):
        return None
    try:
        shape = json.loads(description)["shape"]
    except (ValueError, KeyError, RecursionError):
        return None
    if isinstance(shape, list) and all(isinstance(n, int) and 0 < n < 1 << 31 for n in shape):
        return tuple(shape)
    return None
