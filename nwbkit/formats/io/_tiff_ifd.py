"""Image file directories of a TIFF, by the standard library: entries and their values."""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass

#: Tags by name (TIFF 6.0, BigTIFF, and what microscopes add).
WIDTH, LENGTH, BITS, COMPRESSION, PHOTOMETRIC, DESCRIPTION = 256, 257, 258, 259, 262, 270
STRIP_OFFSETS, SAMPLES, ROWS_PER_STRIP, STRIP_COUNTS = 273, 277, 278, 279
X_RESOLUTION, Y_RESOLUTION, PLANAR, RESOLUTION_UNIT = 282, 283, 284, 296
SOFTWARE, DATE_TIME, ARTIST, PREDICTOR = 305, 306, 315, 317
TILE_WIDTH, TILE_LENGTH, TILE_OFFSETS, TILE_COUNTS = 322, 323, 324, 325
SUBFILE, SAMPLE_FORMAT, UIC2 = 254, 339, 33629
MAKE, MODEL = 271, 272

#: Struct codes of the types; rationals are two longs.
_CODES = {1: "B", 2: "B", 3: "H", 4: "I", 5: "II", 6: "b", 7: "B", 8: "h", 9: "i", 10: "ii"}
_CODES |= {11: "f", 12: "d", 13: "I", 16: "Q", 17: "q", 18: "Q"}
SIZES = {kind: struct.calcsize("=" + code) for kind, code in _CODES.items()}

#: A directory has 15 to 30 entries; one with more than this is not one.
MAX_ENTRIES = 4096
#: What is read where a directory begins: it and most of what it refers to.
NEAR = 4096


class BrokenTiff(Exception):
    """A directory that cannot be read; the text says why, without the file's name."""


@dataclass(frozen=True)
class Header:
    """The first bytes of a TIFF.

    Parameters
    ----------
    order : {"<", ">"}
    big : bool
        BigTIFF: offsets of eight bytes.
    first : int
        Offset of the first directory.
    """

    order: str
    big: bool
    first: int


@dataclass(frozen=True)
class Entry:
    """One entry of a directory.

    Parameters
    ----------
    kind, count : int
        Type and number of values.
    at : int
        Offset in the file of the values (inside the directory where they are short).
    """

    kind: int
    count: int
    at: int

    @property
    def size(self) -> int:
        """Bytes of the values."""
        return SIZES.get(self.kind, 0) * self.count


@dataclass(frozen=True)
class Directory:
    """One directory: its entries by tag and where the next one is (0: none)."""

    offset: int
    end: int
    entries: dict[int, Entry]
    next: int


def parse_header(head: bytes) -> Header | None:
    """The header in the first 16 bytes of a file; None where it is no TIFF."""
    order = {b"II": "<", b"MM": ">"}.get(head[:2])
    if order is None or len(head) < 8:
        return None
    version = struct.unpack_from(order + "H", head, 2)[0]
    if version == 42:
        return Header(order, False, struct.unpack_from(order + "I", head, 4)[0])
    if version == 43 and len(head) >= 16:
        width, zero, first = struct.unpack_from(order + "HHQ", head, 4)
        if width == 8 and zero == 0:
            return Header(order, True, first)
    return None


class Bytes:
    """A file read at positions, with the last piece kept: directories lie together."""

    def __init__(self, fd: int, size: int) -> None:
        self.fd, self.size = fd, size
        self._start, self._kept = 0, b""

    def at(self, offset: int, size: int) -> bytes:
        """`size` bytes at `offset`; fewer at the end of the file."""
        if offset >= self.size:
            return b""
        begin = offset - self._start
        if begin >= 0 and begin + size <= len(self._kept):
            return self._kept[begin : begin + size]
        if size > NEAR:
            return os.pread(self.fd, size, offset)
        self._start, self._kept = offset, os.pread(self.fd, max(size, NEAR), offset)
        return self._kept[:size]


def parse_directory(source: Bytes, header: Header, offset: int) -> Directory:
    """The directory at `offset`.

    Raises
    ------
    BrokenTiff
        Where it lies behind the end of the file or is none.
    """
    count_code, entry_code, width, next_code = "H", "HHI", 12, "I"
    if header.big:
        count_code, entry_code, width, next_code = "Q", "HHQ", 20, "Q"
    first = struct.calcsize("=" + count_code)
    raw = source.at(offset, first)
    if len(raw) < first:
        raise BrokenTiff(f"its directory lies at byte {offset}, the file ends at {source.size}")
    n = struct.unpack(header.order + count_code, raw)[0]
    if not 0 < n <= MAX_ENTRIES:
        raise BrokenTiff(f"the directory at byte {offset} has {n} entries")
    size = first + n * width + struct.calcsize("=" + next_code)
    raw = source.at(offset, size)
    if len(raw) < size:
        raise BrokenTiff(f"its directory at byte {offset} is cut off, the file ends in it")
    entries: dict[int, Entry] = {}
    pointer = 8 if header.big else 4
    for k in range(n):
        at = first + k * width
        tag, kind, count = struct.unpack_from(header.order + entry_code, raw, at)
        value = at + width - pointer
        place = offset + value
        if SIZES.get(kind, 1) * count > pointer:
            place = struct.unpack_from(header.order + next_code, raw, value)[0]
        entries.setdefault(tag, Entry(kind, count, place))
    following = struct.unpack_from(header.order + next_code, raw, size - pointer)[0]
    return Directory(offset, offset + size, entries, following)


def values(source: Bytes, header: Header, entry: Entry, limit: int = 1 << 26) -> tuple[float, ...]:
    """The numbers of an entry (two a rational).

    Raises
    ------
    BrokenTiff
        Where they lie behind the end of the file, or are of no known type.
    """
    code = _CODES.get(entry.kind)
    if code is None:
        raise BrokenTiff(f"a value has the unknown type {entry.kind}")
    if entry.size > min(limit, source.size):
        raise BrokenTiff(f"a value says it has {entry.size} bytes")
    raw = source.at(entry.at, entry.size)
    if len(raw) < entry.size:
        raise BrokenTiff(f"a value lies at byte {entry.at}, the file ends at {source.size}")
    return struct.unpack(f"{header.order}{entry.count * len(code)}{code[0]}", raw)


def text(source: Bytes, entry: Entry, limit: int = 64 << 20) -> str:
    """The text of an entry, without trailing zeros; Latin-1 where it is not UTF-8."""
    raw = source.at(entry.at, min(entry.size, limit)).rstrip(b"\0")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")
