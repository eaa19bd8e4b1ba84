"""The chunks of AIFF and AIFC.

Sources: Audio Interchange File Format 1.3 (Apple, 1989); AIFF-C (Apple, 1991) and the kinds of
compression that QuickTime added (sowt, fl32, in24). Numbers are big-endian, but samples in sowt.
"""

from __future__ import annotations

import math
import struct
from pathlib import Path

from nwbkit.formats.behavior.audio.layout import (
    MAX_CHUNKS,
    Coding,
    Layout,
    NoSound,
    file_size,
    settle_size,
    text_of,
)

#: Compression -> (coding, bits where it fixes them).
_KINDS: dict[bytes, tuple[Coding, int]] = {
    b"NONE": ("pcm", 0),
    b"twos": ("pcm", 0),
    b"sowt": ("pcm", 0),
    b"raw ": ("pcm", 0),
    b"in24": ("pcm", 24),
    b"in32": ("pcm", 32),
    b"42ni": ("pcm", 24),
    b"23ni": ("pcm", 32),
    b"fl32": ("float", 32),
    b"FL32": ("float", 32),
    b"fl64": ("float", 64),
    b"FL64": ("float", 64),
    b"alaw": ("alaw", 8),
    b"ALAW": ("alaw", 8),
    b"ulaw": ("ulaw", 8),
    b"ULAW": ("ulaw", 8),
}
_LITTLE = (b"sowt", b"42ni", b"23ni")
_TEXTS = (b"NAME", b"AUTH", b"ANNO", b"(c) ")


def read_layout(path: Path) -> Layout:
    """The layout of an AIFF or AIFC file.

    Raises
    ------
    NoSound
        Without a COMM or SSND chunk, or with a COMM that contradicts itself.
    """
    end = file_size(path)
    with open(path, "rb") as f:
        total, form = struct.unpack(">4xI4s", f.read(12))
        layout = Layout(form.decode("ascii"), big_endian=True)
        stated: int | None = None
        at, n = 12, 0
        while at + 8 <= end and n < MAX_CHUNKS:
            f.seek(at)
            name, size = struct.unpack(">4sI", f.read(8))
            if name == b"COMM":
                stated = _common(layout, text_of(f, at + 8, min(size, 4096)), form == b"AIFC")
            elif name == b"SSND":
                _samples(layout, f.read(8), at, size, end)
            elif name in _TEXTS:
                layout.texts.setdefault(name.decode(), text_of(f, at + 8, size))
            at += 8 + size + size % 2
            n += 1
    if stated is None:
        raise NoSound("has no chunk 'COMM', which says how samples are coded")
    if not layout.offset and stated:
        raise NoSound("has no chunk 'SSND': no samples")
    settle_size(layout, end)
    if total + 8 > end + 1 and not layout.problems:
        layout.problems.append(f"the header says {total + 8} bytes in all, and the file has {end}")
    if layout.coding == "other":
        layout.n_frames = stated
    elif stated != layout.n_frames and not layout.problems:
        layout.problems.append(
            f"chunk 'COMM' says {stated} frames, and chunk 'SSND' holds {layout.n_frames}"
        )
    return layout


def _common(layout: Layout, raw: bytes, compressed: bool) -> int:
    """The chunk ``COMM``; returns the number of frames that it states."""
    if len(raw) < 18 or (compressed and len(raw) < 22):
        raise NoSound(f"has a chunk 'COMM' of {len(raw)} bytes, where 18 are the least (AIFC: 22)")
    layout.channels, frames, layout.bits = struct.unpack_from(">HIH", raw)
    layout.rate = extended(raw[8:18])
    if not layout.channels or not layout.rate > 0 or not math.isfinite(layout.rate):
        what = "no channels" if not layout.channels else f"{layout.rate} samples per second"
        raise NoSound(f"says {what} in its chunk 'COMM'")
    kind = raw[18:22] if compressed else b"NONE"
    layout.coding, fixed = _KINDS.get(kind, ("other", 0))
    if layout.coding == "other":
        layout.notes.append(f"coded as '{kind.decode('latin-1')}', unpacked by libsndfile")
        return int(frames)
    layout.big_endian = kind not in _LITTLE
    layout.bits = fixed or layout.bits
    layout.sample_bytes = (layout.bits + 7) // 8
    allowed = {"pcm": (1, 2, 3, 4), "float": (4, 8)}.get(layout.coding, (1,))
    if layout.sample_bytes not in allowed:
        raise NoSound(f"says {layout.bits} bits a sample, which no {layout.coding} sample has")
    layout.unsigned = kind == b"raw " and layout.sample_bytes == 1
    return int(frames)


def _samples(layout: Layout, head: bytes, at: int, size: int, end: int) -> None:
    if layout.offset:
        layout.problems.append("two chunks 'SSND', where one is allowed")
        return
    if len(head) < 8:
        raise NoSound("ends within the header of its chunk 'SSND'")
    skip = struct.unpack(">I4x", head)[0]
    if size in (0, 0xFFFFFFFF) and end > at + 16:
        layout.problems.append(
            f"the size of chunk 'SSND' is {size:#x}, as a recorder leaves it that never closed "
            f"its file; {end - at - 8} bytes follow"
        )
        size = end - at - 8
    layout.offset, layout.size = at + 16 + skip, max(0, size - 8 - skip)


def extended(raw: bytes) -> float:
    """An 80-bit number of IEEE 754, as Apple stores the rate."""
    exponent, mantissa = struct.unpack(">HQ", raw)
    sign = -1.0 if exponent & 0x8000 else 1.0
    exponent &= 0x7FFF
    if exponent == 0x7FFF:
        return math.nan
    try:
        return sign * math.ldexp(mantissa, exponent - 16383 - 63)
    except OverflowError:
        return math.inf
