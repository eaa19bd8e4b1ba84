"""The chunks of WAV, RIFX, RF64, BW64 and Sony Wave64.

Sources: Multimedia Programming Interface and Data Specifications 1.0 (IBM, Microsoft, 1991);
mmreg.h (WAVE_FORMAT_EXTENSIBLE); EBU Tech 3285 (bext) and 3306 (RF64); ITU-R BS.2088 (BW64);
Sony Pictures Digital: Wave64 file format. A JUNK, bext or LIST chunk may stand before ``fmt``.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from nwbkit.formats.behavior.audio.layout import (
    MAX_CHUNKS,
    Coding,
    Layout,
    NoSound,
    file_size,
    settle_size,
    text_of,
)
from nwbkit.formats.behavior.audio.look import W64_TAIL

_PCM, _FLOAT, _ALAW, _ULAW, _EXTENSIBLE = 0x0001, 0x0003, 0x0006, 0x0007, 0xFFFE
_CODINGS: dict[int, Coding] = {_PCM: "pcm", _FLOAT: "float", _ALAW: "alaw", _ULAW: "ulaw"}
#: What follows the format tag in the SubFormat of WAVE_FORMAT_EXTENSIBLE.
_GUID_TAIL = bytes.fromhex("000000001000800000aa00389b71")
#: What a recorder that was cut off, or wrote into a pipe, leaves for a size.
_UNSET = (0, 0xFFFFFFFF)
_TITLES = {"wav": "WAV", "rifx": "RIFX", "rf64": "RF64", "w64": "Wave64"}


@dataclass(frozen=True)
class Chunk:
    """A chunk's id, and offset and stated size of what it holds."""

    id: bytes
    offset: int
    size: int


@dataclass
class _Walk:
    """The chunks met, the size in the first header, and the byte that the walk ended on."""

    chunks: list[Chunk]
    total: int
    reached: int = 0


def read_layout(path: Path, container: str) -> Layout:
    """The layout of a file that begins as `container`.

    Raises
    ------
    NoSound
        Without a format or samples, or with a format that contradicts itself.
    """
    end = file_size(path)
    layout = Layout(_TITLES[container], big_endian=container == "rifx")
    order = ">" if layout.big_endian else "<"
    with open(path, "rb") as f:
        if container == "w64":
            walk = _w64_chunks(f, end)
        else:
            walk = _chunks(f, end, order, layout)
        chunks = walk.chunks
        fmt = [c for c in chunks if c.id == b"fmt "]
        data = [c for c in chunks if c.id == b"data"]
        if not fmt:
            raise NoSound("has no chunk 'fmt ', which says how samples are coded")
        if not data:
            raise NoSound("has no chunk 'data': no samples")
        if len(fmt) > 1 or len(data) > 1:
            which = "fmt " if len(fmt) > 1 else "data"
            layout.problems.append(f"{len(fmt) * len(data)} chunks '{which}', where one is allowed")
        _format(layout, text_of(f, fmt[0].offset, min(fmt[0].size, 4096)), order)
        layout.offset, layout.size = data[0].offset, data[0].size
        _texts(layout, f, chunks, order)
    settle_size(layout, end)
    if not layout.problems:
        _check_total(layout, walk, end, header=0 if container == "w64" else 8)
    return layout


def _chunks(f: BinaryIO, end: int, order: str, layout: Layout) -> _Walk:
    f.seek(0)
    walk = _Walk([], struct.unpack(order + "4xI4x", f.read(12))[0])
    large: dict[bytes, int] = {}
    at = 12
    while at + 8 <= end and len(walk.chunks) < MAX_CHUNKS:
        at, name, size = _header(f, at, order, walk.chunks)
        if not name:
            break
        if name == b"ds64":
            large, walk.total = _ds64(f, at + 8, size)
        elif size == 0xFFFFFFFF and name in large:
            size = large[name]
        elif name == b"data" and _is_unset(f, at + 8, size, end):
            layout.problems.append(
                f"the size of chunk 'data' is {size:#x}, as a recorder leaves it that never "
                f"closed its file; {end - at - 8} bytes follow"
            )
            size = end - at - 8
        walk.chunks.append(Chunk(name, at + 8, size))
        at += 8 + size + size % 2
    walk.reached = at
    return walk


def _header(f: BinaryIO, at: int, order: str, before: list[Chunk]) -> tuple[int, bytes, int]:
    """``(offset, id, size)`` of the chunk at `at`; an empty id where there is none."""
    f.seek(at)
    name, size = struct.unpack(order + "4sI", f.read(8))
    if not _is_id(name) and before and before[-1].size % 2:
        # writers that forget the byte which pads a chunk of odd size
        f.seek(at - 1)
        again, other = struct.unpack(order + "4sI", f.read(8))
        if _is_id(again):
            return at - 1, again, other
    return at, name if _is_id(name) else b"", size


def _is_unset(f: BinaryIO, at: int, size: int, end: int) -> bool:
    """Whether `size` is what stands there before a recorder knows the size."""
    if size not in _UNSET or at + size == end:
        return False
    return size != 0 or not _follows(f, at, end)


def _is_id(name: bytes) -> bool:
    return len(name) == 4 and all(0x20 <= c < 0x7F for c in name)


def _follows(f: BinaryIO, at: int, end: int) -> bool:
    """Whether another chunk or nothing follows at `at`: then no samples is what was meant."""
    f.seek(at)
    head = f.read(8)
    if not head:
        return True
    return len(head) == 8 and _is_id(head[:4]) and at + 8 + struct.unpack("<I", head[4:])[0] <= end


def _ds64(f: BinaryIO, at: int, size: int) -> tuple[dict[bytes, int], int]:
    """Sizes of chunks beyond 4 GiB, and of the whole: EBU Tech 3306, chunk ``ds64``."""
    raw = text_of(f, at, min(size, 1 << 16))
    if len(raw) < 28:
        raise NoSound(f"has a chunk 'ds64' of {len(raw)} bytes, where 28 are the least")
    riff, data, _, n = struct.unpack_from("<QQQI", raw)
    sizes = {b"data": data}
    for k in range(min(n, (len(raw) - 28) // 12)):
        name, large = struct.unpack_from("<4sQ", raw, 28 + 12 * k)
        sizes[name] = large
    return sizes, riff


def _w64_chunks(f: BinaryIO, end: int) -> _Walk:
    """Chunks of Wave64: a GUID, eight bytes of size (its own 24 included), padded to eight."""
    f.seek(16)
    walk = _Walk([], struct.unpack("<Q", f.read(8))[0])
    at = 40
    while at + 24 <= end and len(walk.chunks) < MAX_CHUNKS:
        f.seek(at)
        guid, size = struct.unpack("<16sQ", f.read(24))
        if size < 24:
            raise NoSound(f"has a chunk at byte {at} whose size is {size}, less than its header")
        name = guid[:4] if guid[4:] == W64_TAIL else b"????"
        walk.chunks.append(Chunk(name, at + 24, size - 24))
        at += (size + 7) // 8 * 8
    walk.reached = at
    return walk


def _check_total(layout: Layout, walk: _Walk, end: int, *, header: int) -> None:
    """The size in the first header: unset, beyond the file, short of the samples, not used up."""
    stated = walk.total + header
    reach = max(c.offset + c.size for c in walk.chunks if c.id == b"data")
    if walk.total in _UNSET:
        layout.problems.append(
            f"the size in the header is {walk.total:#x}, as a recorder leaves it that never closed "
            f"its file; the file has {end} bytes"
        )
    elif stated > end + header:
        layout.problems.append(f"the header says {stated} bytes in all, and the file has {end}")
    elif stated + 1 < reach:
        layout.problems.append(
            f"the header says {stated} bytes in all, and the samples reach to byte {reach}"
        )
    elif walk.reached + 1 < min(stated, end):
        layout.problems.append(
            f"the header says {stated} bytes in all, and its last chunk ends at byte {walk.reached}"
        )
    elif stated > end + 1 and header:
        # many programs forget that the size does not count the eight bytes it stands in
        layout.notes.append(f"the header says {stated} bytes in all, and the file has {end}")
    elif walk.reached + 1 < end:
        layout.notes.append(f"{end - walk.reached} bytes after the last chunk are left out")


def _format(layout: Layout, raw: bytes, order: str) -> None:
    """The chunk ``fmt``: WAVEFORMATEX, WAVEFORMATEXTENSIBLE."""
    if len(raw) < 14:
        raise NoSound(f"has a chunk 'fmt ' of {len(raw)} bytes, where 16 are the least")
    tag, layout.channels, rate, byte_rate, align = struct.unpack_from(order + "HHIIH", raw)
    bits = struct.unpack_from(order + "H", raw, 14)[0] if len(raw) >= 16 else 0
    if tag == _EXTENSIBLE:
        if len(raw) < 40:
            raise NoSound(f"has a chunk 'fmt ' of {len(raw)} bytes, where an extensible one has 40")
        valid = struct.unpack_from(order + "H", raw, 18)[0]
        tag = struct.unpack_from(order + "H", raw, 24)[0]
        if raw[26:40] != _GUID_TAIL:
            tag = _EXTENSIBLE
        if 0 < valid < bits:
            layout.notes.append(f"{valid} of the {bits} bits of each sample are said to be used")
    if not layout.channels or not rate:
        what = "channels" if not layout.channels else "samples per second"
        raise NoSound(f"says 0 {what} in its chunk 'fmt '")
    layout.rate, layout.bits = float(rate), bits
    layout.coding = _CODINGS.get(tag, "other")
    if layout.coding == "other":
        layout.notes.append(f"coded in format {tag:#06x}, unpacked by libsndfile")
        return
    _widths(layout, align, byte_rate)


def _widths(layout: Layout, align: int, byte_rate: int) -> None:
    layout.sample_bytes = (layout.bits + 7) // 8
    allowed = {"pcm": (1, 2, 3, 4), "float": (4, 8)}.get(layout.coding, (1,))
    if layout.sample_bytes not in allowed:
        raise NoSound(f"says {layout.bits} bits a sample, which no {layout.coding} sample has")
    if align != layout.frame_bytes:
        per_channel, rest = divmod(align, layout.channels)
        if rest or per_channel not in allowed or per_channel < layout.sample_bytes:
            raise NoSound(
                f"says {align} bytes for {layout.channels} channels of {layout.bits} bits, where "
                f"{layout.frame_bytes} are needed"
            )
        layout.sample_bytes = per_channel  # 24 bits in 32, left justified
    layout.unsigned = layout.coding == "pcm" and layout.sample_bytes == 1
    expected = int(layout.rate) * layout.frame_bytes
    if byte_rate and byte_rate != expected:
        layout.rate_problem = (
            f"the header says {int(layout.rate)} samples per second and {byte_rate} bytes per "
            f"second, where {layout.frame_bytes} bytes a sample would make {expected}"
        )


def _texts(layout: Layout, f: BinaryIO, chunks: list[Chunk], order: str) -> None:
    """What is said of the recording: bext, GUANO, LIST INFO."""
    for chunk in chunks:
        if chunk.id in (b"bext", b"guan"):
            layout.texts.setdefault(chunk.id.decode(), text_of(f, chunk.offset, chunk.size))
        elif chunk.id == b"LIST":
            raw = text_of(f, chunk.offset, chunk.size)
            if raw[:4] == b"INFO":
                _info(layout, raw, order)


def _info(layout: Layout, raw: bytes, order: str) -> None:
    at = 4
    while at + 8 <= len(raw):
        name, size = struct.unpack_from(order + "4sI", raw, at)
        if _is_id(name):
            layout.texts.setdefault(name.decode(), raw[at + 8 : at + 8 + size])
        at += 8 + size + size % 2
