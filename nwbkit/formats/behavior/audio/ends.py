"""Whether a coded sound file is complete, and how far a damaged one can be decoded."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

#: An Ogg page is no larger (RFC 3533: 27 + 255 + 255 * 255).
_PAGE = 65307


def problems(path: Path, container: str, sound: Any) -> list[str]:
    """What is missing or contradicts; each a sentence. `sound` is the file, opened."""
    if sound.frames <= 0 or sound.frames > 1 << 60:
        return [f"the header says {max(sound.frames, 0)} frames: its length was never written"]
    found = {"ogg": _ogg, "mp3": _mp3}.get(container, _nothing)(path)
    return found or _last(sound)


def _nothing(path: Path) -> list[str]:
    return []


def _last(sound: Any) -> list[str]:
    """The last frame must be there, where one can go to it."""
    if not sound.seekable():
        return []
    stated = sound.frames
    sentence = [f"the header says {stated} frames, and the last ones cannot be decoded"]
    try:
        sound.seek(stated - 1)
        return [] if len(sound.read(1, dtype="float64", always_2d=True)) == 1 else sentence
    except RuntimeError:
        return sentence


def _ogg(path: Path) -> list[str]:
    """The last page must be whole and say that it is the last (RFC 3533: flag 4)."""
    size = path.stat().st_size
    with open(path, "rb") as f:
        f.seek(max(0, size - 2 * _PAGE))
        tail = f.read()
    at = tail.rfind(b"OggS")
    if at < 0 or len(tail) < at + 27:
        return ["the last Ogg page is cut off"]
    flags, n = tail[at + 5], tail[at + 26]
    lengths = tail[at + 27 : at + 27 + n]
    if len(lengths) < n or at + 27 + n + sum(lengths) > len(tail):
        return ["the last Ogg page is cut off"]
    if not flags & 4:
        return ["the last Ogg page does not say that it is the last: the file is cut off"]
    return []


def _mp3(path: Path) -> list[str]:
    """The Xing or Info header, where an encoder wrote one, says how many bytes there are."""
    size = path.stat().st_size
    with open(path, "rb") as f:
        head = f.read(10)
        start = 0
        if head[:3] == b"ID3":
            start = 10 + sum((b & 0x7F) << 7 * (3 - k) for k, b in enumerate(head[6:10]))
        f.seek(start)
        frame = f.read(2048)
    for tag in (b"Xing", b"Info"):
        at = frame.find(tag, 0, 64)
        if at < 0 or len(frame) < at + 16:
            continue
        flags = struct.unpack_from(">I", frame, at + 4)[0]
        if flags & 2:
            stated = struct.unpack_from(">I", frame, at + 8 + 4 * (flags & 1))[0]
            if stated and start + stated > size:
                return [f"the header says {stated} bytes of sound, and {size - start} are there"]
    return []


def decodable(path: Path, stated: int) -> int:
    """How many frames can be decoded, front to back; for salvage."""
    limit = stated if 0 < stated < 1 << 60 else None
    total = 0
    # a decoder that fails gives nothing of the block it was asked for: smaller ones get nearer
    for block in (1 << 16, 1 << 10, 1):
        total = _count(path, total, block, limit)
    return total


def _count(path: Path, known: int, block: int, limit: int | None) -> int:
    """Frames that can be decoded in blocks of `block` beyond those that are `known` to be."""
    from nwbkit.formats.behavior.audio.decoded import open_sound

    total = 0
    with open_sound(path) as sound:
        while limit is None or total < limit:
            n = min(known - total, 1 << 16) if total < known else block
            try:
                rows = len(sound.read(n, dtype="float32", always_2d=True))
            except RuntimeError:
                break
            total += rows
            if not rows:
                break
    return max(total, known)
