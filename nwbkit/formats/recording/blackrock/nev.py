"""Packets of a nev file: spikes, digital and serial input, comments, video, tracking, and more.

Every packet has one size: a time stamp (4 bytes, 8 since 3.0), a packet id (2 bytes), and what
the id says: 0 digital or serial input, 1 to 2048 a spike of that electrode, 0xFFFB to 0xFFFF
configuration, button, tracking, video, comment; since 3.0 0xFFF9 recording, 0xFFFA log.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nwbkit.errors import DamagedInput
from nwbkit.formats.io.complaints import Complaints
from nwbkit.formats.recording.blackrock.headers import (
    MAX_CHANNELS,
    NEV_BASIC,
    NEV_EXTRA,
    BadHeader,
    NevHeader,
    read_nev,
)
from nwbkit.formats.recording.blackrock.nsx import head_bytes
from nwbkit.streams.kinds import AnyArray

DIGITAL = 0
MAX_ELECTRODE = 2048
RECORDING, LOG, CONFIGURATION, BUTTON, TRACKING, VIDEO, COMMENT = range(0xFFF9, 0x10000)
#: What Central writes as it sets the clock to zero.
RESTART = b"critical load restart"
_PIECE = 32 << 20

Ints = npt.NDArray[np.int64]


@dataclass
class NevFile:
    """A nev file, its packets counted and their heads read.

    Parameters
    ----------
    path : Path
    header : NevHeader
    n : int
        Packets.
    ticks, ids, codes : numpy.ndarray
        Of every packet: time stamp (int64), packet id (uint16), the byte behind it (uint8: unit
        class of a spike, reason of a digital input).
    """

    path: Path
    header: NevHeader
    n: int
    ticks: Ints
    ids: npt.NDArray[np.uint16]
    codes: npt.NDArray[np.uint8]

    @property
    def long(self) -> bool:
        """Whether time stamps have 8 bytes."""
        return self.header.spec[0] >= 3

    @property
    def body(self) -> int:
        """Bytes of a packet before what its id says."""
        return 10 if self.long else 6

    def spikes(self) -> npt.NDArray[np.intp]:
        """Indices of the packets that are spikes."""
        return np.flatnonzero((self.ids >= 1) & (self.ids <= MAX_ELECTRODE))

    def pick(self, wanted: npt.NDArray[np.intp]) -> AnyArray:
        """The bytes behind the id of the packets `wanted` (ascending), shape (wanted, bytes)."""
        parts = []
        for first, raw in pieces(self.path, self.header, self.n):
            low, high = np.searchsorted(wanted, [first, first + len(raw)])
            if low < high:
                parts.append(raw[wanted[low:high] - first, self.body :])
        width = self.header.packet - self.body
        return np.concatenate(parts) if parts else np.empty((0, width), np.uint8)

    def resets(self, threshold_s: float) -> list[int]:
        """Packets with which the clock begins again, by time going back or Central's comment."""
        back = np.diff(self.ticks) < -threshold_s * self.header.resolution
        found = set((np.flatnonzero(back) + 1).tolist())
        comments = np.flatnonzero(self.ids == COMMENT)
        for index, raw in zip(comments.tolist(), self.pick(comments), strict=True):
            again = index == 0 or self.ticks[index] <= self.ticks[index - 1]
            if raw[6:].tobytes().startswith(RESTART) and again:
                found.add(index)
                # the comment itself is what goes back, or the packet behind it
                found.discard(index + 1)
        return sorted(found - {0})


def pieces(path: Path, header: NevHeader, n: int) -> Iterator[tuple[int, AnyArray]]:
    """Packets as bytes: ``(first, array of shape (packets, bytes))``."""
    each = max(1, _PIECE // header.packet)
    for first in range(0, n, each):
        count = min(each, n - first)
        flat = np.fromfile(
            path, np.uint8, count=count * header.packet, offset=header.size + first * header.packet
        )
        yield first, flat.reshape(count, header.packet)


def open_nev(path: Path, complaints: Complaints) -> NevFile:
    """Read the header of a nev file and the heads of its packets.

    Raises
    ------
    nwbkit.errors.DamagedInput
    nwbkit.errors.NoInput
    """
    try:
        header = read_nev(head_bytes(path, NEV_BASIC + NEV_EXTRA * MAX_CHANNELS))
    except BadHeader as error:
        raise DamagedInput(f"'{path.name}' {error}") from None
    n, rest = divmod(os.path.getsize(path) - header.size, header.packet)
    if rest:
        complaints(
            f"'{path.name}' ends inside a packet: {rest} bytes after packet {n}",
            f"reads the {n} complete ones",
        )
    long = header.spec[0] >= 3
    ticks = np.empty(n, np.int64)
    ids, codes = np.empty(n, np.uint16), np.empty(n, np.uint8)
    stamp = "<u8" if long else "<u4"
    body = 10 if long else 6
    for first, raw in pieces(path, header, n):
        part = slice(first, first + len(raw))
        ticks[part] = _column(raw, 0, stamp)
        ids[part] = _column(raw, body - 2, "<u2")
        codes[part] = raw[:, body]
    return NevFile(path, header, n, ticks, ids, codes)


def _column(raw: AnyArray, at: int, dtype: str) -> AnyArray:
    size = np.dtype(dtype).itemsize
    found: AnyArray = np.ascontiguousarray(raw[:, at : at + size]).view(dtype)[:, 0]
    return found


def column(raw: AnyArray, at: int, dtype: str) -> AnyArray:
    """One field of packets: the bytes from `at` on (behind the id) as `dtype`."""
    return _column(raw, at, dtype)


def wave_type(header: NevHeader, electrode: int) -> np.dtype[Any]:
    """The integers that an electrode's waveforms consist of."""
    said = header.electrodes.get(electrode)
    size = 2 if header.flags & 1 or said is None else said.wave_bytes
    return np.dtype({0: "i1", 1: "i1", 2: "<i2", 4: "<i4"}.get(size, "<i2"))
