"""Data of ns files: blocks with a time stamp each, or packets of one sample each.

Spec 2.1 has samples from the header to the end. Since 2.2 they lie in blocks: 0x01, a time stamp
(4 bytes, 8 since 3.0), a number of points (4 bytes), the points. Each pause begins a new block.
With PTP (3.0, nanoseconds) every block holds one point.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nwbkit.errors import DamagedInput, NoInput
from nwbkit.formats.io.complaints import Complaints
from nwbkit.formats.io.flat import FlatArray, FlatFile
from nwbkit.formats.recording.blackrock.headers import (
    MAX_CHANNELS,
    NS_BASIC,
    NS_CHANNEL,
    PTP_RESOLUTION,
    BadHeader,
    NsHeader,
    read_ns,
)
from nwbkit.streams.kinds import AnyArray, Array

#: Packets are looked through in pieces of about this many bytes.
_PIECE = 16 << 20
#: More runs of packets than these are no gaps.
_MOST_RUNS = 100_000
_OPEN_END = 0xFFFFFFFF


@dataclass(frozen=True)
class Block:
    """Samples without a gap: first time stamp, number, byte of the first sample."""

    tick: int
    n: int
    offset: int

    def end(self, step: float) -> float:
        """Tick at which the sample after the last one would be taken."""
        return self.tick + self.n * step


@dataclass
class NsFile:
    """An ns file whose blocks are known.

    Parameters
    ----------
    path : Path
    header : NsHeader
    blocks : list of Block
        In order; with `packet`, runs of packets whose times follow each other.
    packet : int
        Bytes of a packet of one sample, with its header; 0 where the file has none.
    even : bool
        With `packet`: whether each packet's time is that of its place in its run, to within
        min(1 us, a tenth of a sample).
    """

    path: Path
    header: NsHeader
    blocks: list[Block] = field(default_factory=list)
    packet: int = 0
    even: bool = True

    @property
    def number(self) -> str:
        """``ns5`` of ``run.ns5``."""
        return self.path.suffix.lower().lstrip(".")

    @property
    def width(self) -> int:
        """Channels."""
        return len(self.header.channels)

    @property
    def rows(self) -> int:
        """Samples."""
        return sum(b.n for b in self.blocks)


def head_bytes(path: Path, n: int) -> bytes:
    """The first `n` bytes of a file.

    Raises
    ------
    nwbkit.errors.NoInput
    """
    try:
        with open(path, "rb") as f:
            return f.read(n)
    except OSError as error:
        raise NoInput(f"cannot open '{path}': {(error.strerror or str(error)).lower()}") from None


def open_ns(path: Path, complaints: Complaints) -> NsFile:
    """Read the header of an ns file and find its blocks.

    Raises
    ------
    nwbkit.errors.DamagedInput
    nwbkit.errors.NoInput
    """
    try:
        header = read_ns(head_bytes(path, NS_BASIC + NS_CHANNEL * MAX_CHANNELS))
    except BadHeader as error:
        raise DamagedInput(f"'{path.name}' {error}") from None
    found = NsFile(path, header)
    size = os.path.getsize(path)
    if not found.width:
        complaints.note(f"'{path.name}' holds no channels")
        return found
    if header.spec == (2, 1) and header.magic == "NEURALSG":
        n, rest = divmod(size - header.size, 2 * found.width)
        if rest:
            complaints(
                f"'{path.name}' ends inside a sample: {rest} bytes after sample {n}",
                f"reads the {n} complete ones",
            )
        found.blocks = [Block(0, n, header.size)] if n else []
        return found
    if size == header.size:
        complaints.note(f"'{path.name}' holds a header and no data")
    elif not _packets(found, size, complaints):
        found.blocks = _blocks(found, size, complaints)
    return found


def _block_head(header: NsHeader) -> struct.Struct:
    return struct.Struct("<BQI" if header.spec[0] >= 3 else "<BII")


def _blocks(found: NsFile, size: int, complaints: Complaints) -> list[Block]:
    head, name = _block_head(found.header), found.path.name
    row = 2 * found.width
    at = found.header.size
    blocks: list[Block] = []
    with open(found.path, "rb") as f:
        while at < size:
            f.seek(at)
            raw = f.read(head.size)
            if len(raw) < head.size:
                complaints(
                    f"'{name}' ends inside the header of a block at byte {at}",
                    f"reads the {len(blocks)} blocks before it",
                )
                break
            flag, tick, n = head.unpack(raw)
            if flag != 1:
                complaints(
                    f"'{name}' has {flag:#04x} at byte {at}, where a block begins, expected 0x01",
                    f"reads the {len(blocks)} blocks before it",
                )
                break
            data = at + head.size
            held = (size - data) // row
            if n == _OPEN_END or (n == 0 and size > data and not _chains(f, head, data, size, row)):
                complaints(
                    f"'{name}' says {n} points of its last block at byte {at}, {held} follow: "
                    "it was not closed",
                    f"reads these {held}",
                )
                n = held
                at = size
            elif n > held:
                complaints(
                    f"'{name}' ends after {held} of the {n} points of its block at byte {at}",
                    f"reads these {held}",
                )
                n, at = held, size
            else:
                at = data + n * row
            if n:
                blocks.append(Block(tick, n, data))
    return blocks


def _chains(f: Any, head: struct.Struct, at: int, size: int, row: int) -> bool:
    """Whether blocks, and nothing else, lie from byte `at` on (a few of them are looked at)."""
    for _ in range(8):
        if at == size:
            return True
        f.seek(at)
        raw = f.read(head.size)
        if len(raw) < head.size or raw[0] != 1:
            return False
        n = head.unpack(raw)[2]
        if n == _OPEN_END or at + head.size + n * row > size:
            return False
        at += head.size + n * row
    return True


# -------------------------------------------------------------- one sample a packet


def _packet_dtype(width: int) -> np.dtype[Any]:
    return np.dtype([("flag", "u1"), ("tick", "<u8"), ("n", "<u4"), ("rows", "<i2", (width,))])


def _pieces(found: NsFile, n: int) -> Iterator[tuple[int, AnyArray]]:
    dtype = _packet_dtype(found.width)
    each = max(1, _PIECE // dtype.itemsize)
    for first in range(0, n, each):
        piece = np.fromfile(
            found.path,
            dtype,
            count=min(each, n - first),
            offset=found.header.size + first * dtype.itemsize,
        )
        yield first, piece


def _packets(found: NsFile, size: int, complaints: Complaints) -> bool:
    """Take the file as packets of one sample each; False where it is not made of such."""
    header = found.header
    packet = _packet_dtype(found.width).itemsize
    n, rest = divmod(size - header.size, packet)
    if header.spec[0] < 3 or n < 1:
        return False
    with open(found.path, "rb") as f:
        f.seek(header.size)
        first = f.read(packet * 2)
    two = np.frombuffer(first[: len(first) // packet * packet], _packet_dtype(found.width))
    # with PTP the first byte is reserved
    ptp = header.resolution == PTP_RESOLUTION
    if (two["n"] != 1).any() or not (ptp or (two["flag"] == 1).all()):
        return False
    scan = _Scan(header)
    for at, piece in _pieces(found, n):
        bad = np.flatnonzero((piece["n"] != 1) | ((piece["flag"] != 1) & (not ptp)))
        if bad.size:
            if not ptp:
                return False  # blocks, of which the first have one sample
            k = at + int(bad[0])
            complaints(
                f"'{found.path.name}' says {int(piece['n'][bad[0]])} points of packet {k}, "
                "expected 1",
                f"reads the {k} packets before it",
            )
            scan.take(at, piece["tick"][: int(bad[0])])
            n, rest = k, 0
            break
        scan.take(at, piece["tick"])
    if rest:
        complaints(
            f"'{found.path.name}' ends inside a packet: {rest} bytes after packet {n}",
            f"reads the {n} complete ones",
        )
    found.packet, found.blocks = packet, scan.blocks(n, header.size, packet)
    found.even = scan.even
    return True


class _Scan:
    """Finds runs of packets: a step below a half or above one and a half periods ends one."""

    def __init__(self, header: NsHeader) -> None:
        self._step = header.ticks
        self._allowed = min(1e-6 * header.resolution, 0.1 * header.ticks)
        self._places: list[npt.NDArray[np.int64]] = []
        self._ticks: list[npt.NDArray[np.int64]] = []
        self._start = (0, 0)
        self._last: int | None = None
        self.even = True

    def take(self, at: int, ticks: npt.NDArray[np.uint64]) -> None:
        """Look at the ticks of packets from `at` on."""
        if not len(ticks):
            return
        whole = ticks.astype(np.int64)
        begin = self._last is None
        steps = np.diff(whole, prepend=whole[0] if self._last is None else self._last)
        cut = (steps < 0.5 * self._step) | (steps > 1.5 * self._step)
        cut[0] |= begin
        cuts = np.flatnonzero(cut)
        self._places.append(cuts + at)
        self._ticks.append(whole[cuts])
        # where the run of each packet begins: in this piece, or before it
        began = np.maximum.accumulate(np.where(cut, np.arange(len(whole)), -1))
        index = np.where(began < 0, self._start[0], began + at)
        tick = np.where(began < 0, self._start[1], whole[began])
        off = (whole - tick) - (np.arange(at, at + len(whole)) - index) * self._step
        self.even &= bool(np.abs(off).max() <= self._allowed)
        self._start = (int(index[-1]), int(tick[-1]))
        self._last = int(whole[-1])

    def blocks(self, n: int, first: int, packet: int) -> list[Block]:
        """The runs of `n` packets of `packet` bytes, from byte `first` on.

        Very many of them mean that times are not even: they are one then.
        """
        if not n:
            return []
        places, ticks = np.concatenate(self._places), np.concatenate(self._ticks)
        if len(places) > _MOST_RUNS and (np.diff(ticks) > 0).all():
            self.even = False
            return [Block(int(ticks[0]), n, first)]
        stops = [*places[1:].tolist(), n]
        return [
            Block(tick, stop - at, first + at * packet)
            for at, tick, stop in zip(places.tolist(), ticks.tolist(), stops, strict=True)
        ]


@dataclass(kw_only=True, eq=False)
class PacketArray(Array):
    """Samples that lie each in a packet with its time, shape (packets, channels).

    Parameters
    ----------
    packets : FlatArray
        Whole packets as bytes, shape (packets, bytes of one).
    """

    packets: FlatArray

    def read(self, start: int, stop: int, out: AnyArray | None = None) -> AnyArray:
        """Rows ``start..stop``; safe from any number of threads."""
        rows = self._fields(start, stop)["rows"].reshape(stop - start, self.shape[1])
        if out is None:
            return np.ascontiguousarray(rows)
        np.copyto(out, rows)
        return out

    def ticks(self, start: int, stop: int) -> npt.NDArray[np.int64]:
        """Time stamps of the packets ``start..stop``."""
        found: npt.NDArray[np.int64] = self._fields(start, stop)["tick"].astype(np.int64)
        return found

    def _fields(self, start: int, stop: int) -> AnyArray:
        raw = self.packets.read(start, stop)
        return raw.view(_packet_dtype(self.shape[1])).reshape(stop - start)

    def close(self) -> None:
        """Close the file."""
        self.packets.close()


def rows_of(found: NsFile, source: str) -> FlatArray | PacketArray:
    """Whole rows of an ns file; their timebase is set by the reader."""
    facts: dict[str, Any] = {
        "id": f"{found.number}.rows",
        "name": found.number,
        "role": "rows",
        "shape": (found.rows, found.width),
        "dtype": np.dtype("<i2"),
        "group": ("blackrock", source, found.number),
    }
    if not found.packet:
        files = tuple(FlatFile(found.path, b.n, b.offset) for b in found.blocks)
        return FlatArray(files=files, **facts)
    packets = FlatArray(
        id=f"{found.number}.packets",
        name=found.number,
        role="rows",
        shape=(found.rows, found.packet),
        dtype=np.dtype("u1"),
        files=(FlatFile(found.path, found.rows, found.header.size),),
    )
    return PacketArray(packets=packets, **facts)
