"""What a video file's own structure says, read from its bytes with the standard library only.

Layouts: ISO/IEC 14496-12 (boxes of mp4 and mov), Microsoft's AVI RIFF reference and the
OpenDML extension, RFC 8794 and RFC 9559 (EBML, Matroska), Adobe's Video File Format 10.1 (FLV),
Microsoft's ASF specification. Only headers are read, never a frame.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

_BOXES = {b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot", b"moof"}
_ASF = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
_ASF_FILE = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
_FLV_SIZE = b"\x00\x08filesize\x00"
_FLV_HEAD = 4096
_EBML = bytes.fromhex("1a45dfa3")
_SEGMENT = bytes.fromhex("18538067")


@dataclass(frozen=True)
class Problem:
    """A contradiction between what a container says and what the file holds.

    Parameters
    ----------
    field : str
        What says so.
    expected, found : str
    """

    field: str
    expected: str
    found: str

    def __str__(self) -> str:
        return f"{self.field} says {self.expected}, found {self.found}"


def sniff(head: bytes) -> str | None:
    """FFmpeg's name of the container that begins with `head` (16 bytes); None for no video."""
    if head[4:8] in _BOXES:
        return "mov"
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return "avi"
    if head[:4] == _EBML:
        return "matroska"
    if head[:16] == _ASF:
        return "asf"
    if head[:4] == b"FLV\x01":
        return "flv"
    return None


def problems(path: Path, container: str) -> list[Problem]:
    """Where the file at `path` ends before, or holds less than, its structure says.

    Parameters
    ----------
    path : Path
    container : {"mov", "avi", "matroska", "asf", "flv"}
    """
    check = {
        "mov": _check_mov,
        "avi": _check_avi,
        "matroska": _check_matroska,
        "asf": _check_asf,
        "flv": _check_flv,
    }[container]
    size = path.stat().st_size
    with open(path, "rb") as f:
        try:
            return list(check(f, size))
        except struct.error:
            return [Problem("the header", "more bytes than there are", f"{size} bytes")]


def _beyond(what: str, end: int, size: int) -> Problem:
    return Problem(what, f"{end} bytes", f"{size} bytes")


def _check_mov(f: BinaryIO, size: int) -> Iterator[Problem]:
    kinds = set()
    for kind, _, end in boxes(f, 0, size):
        kinds.add(kind)
        if end > size:
            name = kind.decode("latin-1")
            yield _beyond(f"the size of its box '{name}'", end, size)
    if b"moov" not in kinds:
        yield Problem("the format", "a box 'moov' that lists the frames", "none")


def boxes(f: BinaryIO, start: int, stop: int) -> Iterator[tuple[bytes, int, int]]:
    """``(kind, start of the body, end)`` of each ISO media box in ``start..stop``.

    The last one's end may lie beyond `stop`, where the file was cut.
    """
    at = start
    while at + 8 <= stop:
        f.seek(at)
        length, kind = struct.unpack(">I4s", f.read(8))
        body = at + 8
        if length == 1:
            length = struct.unpack(">Q", f.read(8))[0]
            body = at + 16
        elif length == 0:  # to the end of the file
            length = stop - at
        if length < body - at:
            return  # padding, or no box at all
        yield kind, body, at + length
        at += length


def _check_avi(f: BinaryIO, size: int) -> Iterator[Problem]:
    at = 0
    while at + 12 <= size:
        f.seek(at)
        tag, length, _ = struct.unpack("<4sI4s", f.read(12))
        if tag != b"RIFF":
            return  # padding behind the last one
        end = at + 8 + length
        if end > size:
            # a size of 0 or of 4 GiB was never filled in: the recording was not closed
            yield _beyond("the RIFF size", end, size)
            return
        if length < 4:
            yield Problem("the RIFF size", "the size of the file", str(length))
            return
        at = end + (end & 1)


def _check_matroska(f: BinaryIO, size: int) -> Iterator[Problem]:
    at = 0
    while at + 2 <= size:
        f.seek(at)
        head = f.read(12)
        id_length = _vint_length(head[0])
        length, width = _vint(head[id_length:])
        body = at + id_length + width
        if length is None:  # of unknown size: a stream, or a file that was not closed
            return
        if body + length > size:
            name = "Segment" if head[:id_length] == _SEGMENT else head[:id_length].hex()
            yield _beyond(f"the size of its element '{name}'", body + length, size)
            return
        at = body + length


def _vint_length(first: int) -> int:
    return 9 - first.bit_length() if first else 8


def _vint(raw: bytes) -> tuple[int | None, int]:
    """The value of an EBML size (None: unknown), and how many bytes it takes."""
    if not raw:
        raise struct.error("cut off")
    width = _vint_length(raw[0])
    if len(raw) < width:
        raise struct.error("cut off")
    value = int.from_bytes(raw[:width], "big") & ((1 << 7 * width) - 1)
    return (None if value == (1 << 7 * width) - 1 else value), width


def _check_asf(f: BinaryIO, size: int) -> Iterator[Problem]:
    f.seek(16)
    header_size, count = struct.unpack("<QI", f.read(12))
    at = 30
    for _ in range(min(count, 64)):
        f.seek(at)
        kind, length = struct.unpack("<16sQ", f.read(24))
        if kind == _ASF_FILE:
            raw = f.read(72)
            declared = struct.unpack("<Q", raw[16:24])[0]
            flags = struct.unpack("<I", raw[64:68])[0]
            # bit 0: a broadcast, whose sizes mean nothing
            if not flags & 1 and declared > size:
                yield _beyond("the file size of its header", declared, size)
        at += max(length, 24)
        if at >= header_size:
            return


def _check_flv(f: BinaryIO, size: int) -> Iterator[Problem]:
    f.seek(5)
    at = struct.unpack(">I", f.read(4))[0] + 4
    head = f.read(_FLV_HEAD)
    # onMetaData, an AMF number; streaming programs leave it at 0
    place = head.find(_FLV_SIZE)
    if place >= 0:
        declared = struct.unpack_from(">d", head, place + len(_FLV_SIZE))[0]
        if size < declared < 2**62:
            yield _beyond("filesize in its onMetaData", int(declared), size)
            return
    while at + 11 <= size:
        f.seek(at)
        length = int.from_bytes(f.read(4)[1:], "big")
        end = at + 11 + length + 4
        if end > size:
            yield _beyond("the size of its last tag", end, size)
            return
        at = end
    if at != size:
        yield _beyond("the size of its last tag", at + 11, size)
