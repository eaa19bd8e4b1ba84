"""How the variables of a .mat file of version 5 to 7 begin; standard library only."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

from nwbkit.formats.io.mat import HEADER

_MATRIX, _COMPRESSED = 14, 15
_MAX_VARIABLES = 100
#: Of each variable so many bytes are looked at.
LOOK = 16 << 10


def beginnings(path: Path) -> Iterator[tuple[bytes, str]]:
    """``(first bytes behind the tag, byte order)`` of each variable, inflated where need be.

    Ends at what is damaged.
    """
    try:
        with open(path, "rb", buffering=0) as f:
            fd = f.fileno()
            order = "<" if os.pread(fd, 2, 126) == b"IM" else ">"
            at = HEADER
            for _ in range(_MAX_VARIABLES):
                tag = os.pread(fd, 8, at)
                if len(tag) < 8:
                    return
                kind, size = struct.unpack(order + "II", tag)
                begin = os.pread(fd, min(size, LOOK), at + 8)
                if kind == _COMPRESSED:
                    begin = zlib.decompressobj().decompress(begin, LOOK)[8:]
                    at += 8 + size
                elif kind == _MATRIX:
                    at += 8 + size + -size % 8
                else:
                    return
                yield begin, order
    except (OSError, zlib.error, struct.error):
        return
