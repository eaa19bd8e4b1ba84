"""Frame times from a container's own index: mp4 and mov (moov), avi (strh, idx1).

A second way beside FFmpeg, for ``verify --against``; shares no code with it. Layouts as in
ISO/IEC 14496-12 (stts, ctts, elst, mdhd, hdlr) and Microsoft's AVI RIFF reference.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from nwbkit.formats.behavior._containers import boxes, sniff

#: Larger sample tables are not read: an hour at 1 kHz is 29 MB.
MAX_TABLE = 256 << 20

Times = npt.NDArray[np.float64]


def frame_times(path: Path) -> Times | None:
    """Presentation times of the video's frames, ascending, in seconds; None where unknown."""
    with open(path, "rb") as f:
        size = path.stat().st_size
        container = sniff(f.read(16))
        try:
            if container == "mov":
                return _mov(f, size)
            if container == "avi":
                return _avi(f, size)
        except (struct.error, ValueError, IndexError):
            return None
    return None


def _mov(f: BinaryIO, size: int) -> Times | None:
    moov = _inside(f, (0, size), b"moov")
    if moov is None:
        return None
    movie_scale = _scale(f, _inside(f, moov, b"mvhd"))
    for kind, start, stop in boxes(f, *moov):
        if kind != b"trak":
            continue
        media = _inside(f, (start, stop), b"mdia")
        handler = _body(f, _inside(f, media, b"hdlr"))
        if handler[8:12] == b"vide":
            return _track(f, (start, stop), media, movie_scale)
    return None


def _track(
    f: BinaryIO, track: tuple[int, int], media: tuple[int, int] | None, movie_scale: int
) -> Times | None:
    scale = _scale(f, _inside(f, media, b"mdhd"))
    table = _inside(f, _inside(f, media, b"minf"), b"stbl")
    durations = _runs(_body(f, _inside(f, table, b"stts")), np.dtype(">u4"))
    if not durations.size:
        return None  # fragments, whose times stand elsewhere
    decode = np.concatenate([[0], np.cumsum(durations)[:-1]])
    offsets = _inside(f, table, b"ctts")
    if offsets is not None:
        decode = decode + _runs(_body(f, offsets), np.dtype(">i4"))[: len(decode)]
    shift = 0.0
    edits = _inside(f, _inside(f, track, b"edts"), b"elst")
    if edits is not None:
        listed = _edits(_body(f, edits))
        if len(listed) > 2 or sum(media_time >= 0 for _, media_time in listed) != 1:
            return None
        for length, media_time in listed:
            if media_time < 0:
                shift += length / movie_scale  # an empty edit: nothing is shown yet
            else:
                decode = decode - media_time
        if decode.min() < 0:
            return None  # frames are cut off
    return np.sort(decode) / scale + shift


def _edits(body: bytes) -> list[tuple[int, int]]:
    wide = body[0] == 1
    count = struct.unpack(">I", body[4:8])[0]
    layout, step = (">Qqi", 20) if wide else (">Iii", 12)
    return [struct.unpack_from(layout, body, 8 + step * i)[:2] for i in range(count)]


def _runs(body: bytes, second: np.dtype[Any]) -> npt.NDArray[np.int64]:
    """A table of ``(count, value)`` spelled out."""
    count = struct.unpack(">I", body[4:8])[0]
    rows = np.frombuffer(body, np.dtype([("n", ">u4"), ("v", second)]), count, 8)
    if int(rows["n"].sum(dtype=np.int64)) > MAX_TABLE // 8:
        raise ValueError("more frames than can be")
    return np.repeat(rows["v"].astype(np.int64), rows["n"])


def _scale(f: BinaryIO, place: tuple[int, int] | None) -> int:
    body = _body(f, place)
    return int(struct.unpack(">I", body[20:24] if body[0] == 1 else body[12:16])[0])


def _inside(f: BinaryIO, place: tuple[int, int] | None, kind: bytes) -> tuple[int, int] | None:
    if place is None:
        return None
    for found, start, stop in boxes(f, *place):
        if found == kind:
            return start, stop
    return None


def _body(f: BinaryIO, place: tuple[int, int] | None) -> bytes:
    if place is None:
        raise ValueError("a box is missing")
    if place[1] - place[0] > MAX_TABLE:
        raise ValueError("a box is too large")
    f.seek(place[0])
    return f.read(place[1] - place[0])


def _avi(f: BinaryIO, size: int) -> Times | None:
    """Chunks of the video stream in the index, at the rate of its header."""
    number, scale, rate = None, 0, 0
    streams = 0
    index = b""
    for tag, start, stop in _chunks(f, 12, size):
        if tag == b"hdrl":
            for kind, begin, end in _chunks(f, start, stop):
                if kind != b"strl":
                    continue
                for inner, at, last in _chunks(f, begin, end):
                    if inner == b"strh":
                        header = _body(f, (at, last))
                        if header[:4] == b"vids" and number is None:
                            number = streams
                            scale, rate = struct.unpack("<II", header[20:28])
                streams += 1
        elif tag == b"idx1":
            index = _body(f, (start, stop))
        elif tag == b"RIFF":
            return None  # OpenDML: the index is spread over the file
    if number is None or not (scale and rate and index):
        return None
    entries = np.frombuffer(index, np.dtype([("id", "S4"), ("flags", "<u4"), ("at", "<u4", 2)]))
    mine = b"%02d" % number
    chosen = [e[:2] == mine and e[2:] in (b"dc", b"db") for e in entries["id"].tolist()]
    which = np.flatnonzero(chosen)
    lengths = entries["at"][which, 1]
    return np.flatnonzero(lengths > 0) * scale / rate


def _chunks(f: BinaryIO, start: int, stop: int) -> list[tuple[bytes, int, int]]:
    """``(name, start, end)`` of RIFF chunks; a LIST goes by its own name."""
    found = []
    at = start
    while at + 8 <= stop:
        f.seek(at)
        tag, length = struct.unpack("<4sI", f.read(8))
        body = at + 8
        if tag == b"LIST":
            tag = f.read(4)
            found.append((tag, body + 4, body + length))
        else:
            found.append((tag, body, body + length))
        at = body + length + (length & 1)
    return found
