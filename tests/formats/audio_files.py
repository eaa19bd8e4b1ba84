"""Sound files made byte by byte, with headers of any kind."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np

from nwbkit.formats import registry
from nwbkit.formats.behavior.audio.look import W64_RIFF, W64_TAIL

GUID = bytes.fromhex("000000001000800000aa00389b71")


def chunk(name: bytes, body: bytes, order: str = "<", size: int | None = None) -> bytes:
    """A RIFF chunk, padded; `size` is what its header lies."""
    stated = len(body) if size is None else size
    return name + struct.pack(order + "I", stated) + body + b"\0" * (len(body) % 2)


def fmt(
    bits: int = 16,
    channels: int = 2,
    rate: int = 250_000,
    tag: int = 1,
    order: str = "<",
    *,
    align: int | None = None,
    byte_rate: int | None = None,
    extensible: bool = False,
    valid: int | None = None,
) -> bytes:
    align = align if align is not None else channels * ((bits + 7) // 8)
    byte_rate = byte_rate if byte_rate is not None else rate * align
    code = 0xFFFE if extensible else tag
    head = struct.pack(order + "HHIIHH", code, channels, rate, byte_rate, align, bits)
    if extensible:
        head += struct.pack(order + "HHIH", 22, valid or bits, 3, tag) + GUID
    elif tag != 1:
        head += struct.pack(order + "H", 0)
    return chunk(b"fmt ", head, order)


def riff(*chunks: bytes, tag: bytes = b"RIFF", total: int | None = None, order: str = "<") -> bytes:
    body = b"WAVE" + b"".join(chunks)
    return tag + struct.pack(order + "I", len(body) if total is None else total) + body


def rf64(
    fmt_chunk: bytes, data: bytes, *, tag: bytes = b"RF64", stated: int | None = None
) -> bytes:
    stated = len(data) if stated is None else stated
    tail = fmt_chunk + chunk(b"data", data, size=0xFFFFFFFF)
    ds64 = chunk(b"ds64", struct.pack("<QQQI", 4 + 36 + len(tail), stated, 0, 0))
    return riff(ds64, tail, tag=tag, total=0xFFFFFFFF)


def w64(fmt_chunk: bytes, data: bytes) -> bytes:
    def part(name: bytes, body: bytes) -> bytes:
        size = 24 + len(body)
        return name + W64_TAIL + struct.pack("<Q", size) + body + b"\0" * (-size % 8)

    body = b"wave" + W64_TAIL + part(b"junk", b"x" * 11) + part(b"fmt ", fmt_chunk[8:])
    body += part(b"data", data)
    return W64_RIFF + struct.pack("<Q", 24 + len(body)) + body


def bext(
    description: str = "", originator: str = "", date: str = "", time: str = "", samples: int = 0
) -> bytes:
    body = description.encode().ljust(256, b"\0") + originator.encode().ljust(32, b"\0")
    body += bytes(32) + date.encode().ljust(10, b"\0") + time.encode().ljust(8, b"\0")
    return chunk(b"bext", (body + struct.pack("<QH", samples, 1)).ljust(602, b"\0"))


def info(**texts: str) -> bytes:
    body = b"".join(chunk(k.encode(), v.encode() + b"\0") for k, v in texts.items())
    return chunk(b"LIST", b"INFO" + body)


def extended(rate: float) -> bytes:
    """80 bits of IEEE 754."""
    mantissa, exponent = np.frexp(rate)
    return struct.pack(">HQ", int(exponent) + 16382, int(mantissa * 2.0**64))


def aiff(
    data: bytes,
    *,
    channels: int = 2,
    frames: int | None = None,
    bits: int = 16,
    rate: float = 44100.0,
    kind: bytes | None = None,
    skip: int = 0,
    size: int | None = None,
) -> bytes:
    width = (bits + 7) // 8 * channels
    frames = len(data) // width if frames is None else frames
    common = struct.pack(">HIH", channels, frames, bits) + extended(rate)
    if kind is not None:
        common += kind + b"\0\0"
    body = b"AIFC" if kind is not None else b"AIFF"
    body += chunk(b"NAME", b"odd", ">") + chunk(b"COMM", common, ">")
    body += chunk(b"SSND", struct.pack(">II", skip, 0) + bytes(skip) + data, ">", size)
    return b"FORM" + struct.pack(">I", len(body)) + body


def pack24(values: Any, order: str = "<") -> bytes:
    raw = np.asarray(values, "<i4").view(np.uint8).reshape(-1, 4)[:, :3]
    return (raw if order == "<" else raw[:, ::-1]).tobytes()


def opened(path: Path, *, salvage: bool = False, **options: Any) -> Any:
    (source,) = [s for s in registry.detect([path]).sources() if s.format == "audio"]
    again = source.source(salvage=salvage)
    return registry.open_source(type(again)(source.id, "audio", source.paths, options, salvage))
