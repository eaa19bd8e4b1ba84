"""Headers of ns and nev files, by the standard library alone.

Source: Blackrock, "NEV File Format" and "NSx File Format" (LB-0023), specifications 2.1, 2.2,
2.3 and 3.0. All numbers are little-endian. The time origin is a Windows SYSTEMTIME in UTC; it is
the time at which time stamps are zero.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from datetime import UTC, datetime

NS_MAGIC = (b"NEURALSG", b"NEURALCD", b"BRSMPGRP")
NEV_MAGIC = (b"NEURALEV", b"BREVENTS")
#: A period counts ticks of this rate, whatever the time stamps count.
BASE_RATE = 30000
PTP_RESOLUTION = 1_000_000_000
NEV_BASIC = 336
NS_BASIC = 314
NS21_BASIC = 32
NS_CHANNEL = 66
NEV_EXTRA = 32
MAX_CHANNELS = 1 << 16


class BadHeader(Exception):
    """A header that contradicts itself; the text says how."""


@dataclass(frozen=True)
class Filter:
    """Corner frequencies in mHz, orders, types (0 none, 1 Butterworth, 2 Chebyshev)."""

    high_pass: tuple[int, int, int]
    low_pass: tuple[int, int, int]

    def __str__(self) -> str:
        parts = []
        for name, (corner, order, kind) in (
            ("high-pass", self.high_pass),
            ("low-pass", self.low_pass),
        ):
            if kind or corner:
                said = {0: "no filter", 1: "Butterworth", 2: "Chebyshev"}.get(kind, f"type {kind}")
                parts.append(f"{name} {corner / 1000:g} Hz ({said}, order {order})")
        return ", ".join(parts)


@dataclass(frozen=True)
class Channel:
    """One channel of an ns file.

    Parameters
    ----------
    electrode : int
    label : str
    bank, pin : int, optional
    digital, analog : (int, int), optional
        Least and greatest; None where the file says none (spec 2.1).
    unit : str
    """

    electrode: int
    label: str
    bank: int | None = None
    pin: int | None = None
    digital: tuple[int, int] | None = None
    analog: tuple[int, int] | None = None
    unit: str = ""
    filter: Filter | None = None


@dataclass(frozen=True)
class NsHeader:
    """What the header of an ns file says; `size` bytes of it."""

    magic: str
    spec: tuple[int, int]
    size: int
    label: str
    comment: str
    period: int
    resolution: int
    origin: datetime | None
    channels: tuple[Channel, ...]

    @property
    def rate(self) -> float:
        """Samples per second."""
        return BASE_RATE / self.period

    @property
    def ticks(self) -> float:
        """Ticks of the time stamps from sample to sample."""
        return self.period * (self.resolution / BASE_RATE)


@dataclass(frozen=True)
class Electrode:
    """What the nev header says of an electrode; factor in nV a count, width in samples."""

    number: int
    bank: int
    pin: int
    factor: int
    high: int
    low: int
    sorted_units: int
    wave_bytes: int
    width: int


@dataclass
class NevHeader:
    """What the header of a nev file says; `size` bytes of it, `packet` bytes a packet."""

    magic: str
    spec: tuple[int, int]
    flags: int
    size: int
    packet: int
    resolution: int
    wave_rate: int
    origin: datetime | None
    application: str
    comment: str
    electrodes: dict[int, Electrode] = field(default_factory=dict)
    labels: dict[int, str] = field(default_factory=dict)
    filters: dict[int, Filter] = field(default_factory=dict)
    digital: dict[int, str] = field(default_factory=dict)
    videos: dict[int, tuple[str, float]] = field(default_factory=dict)
    trackables: dict[int, str] = field(default_factory=dict)
    array: str = ""
    map_file: str = ""


def text(raw: bytes) -> str:
    """A NUL-terminated text; what is no printable text (old memory behind it) is dropped."""
    said = raw.split(b"\0", 1)[0].decode("latin-1")
    return said.strip() if all(c.isprintable() or c in "\r\n\t" for c in said) else ""


def origin_of(raw: bytes) -> datetime | None:
    """A SYSTEMTIME (year, month, weekday, day, hour, minute, second, ms); None for no time."""
    year, month, _, day, hour, minute, second, ms = struct.unpack("<8H", raw)
    try:
        return datetime(year, month, day, hour, minute, second, ms * 1000, UTC)
    except ValueError:
        return None


def read_ns(raw: bytes) -> NsHeader:
    """The header of an ns file from its first bytes.

    Raises
    ------
    BadHeader
    """
    magic = raw[:8]
    if magic == b"NEURALSG":
        return _read_ns21(raw)
    if magic not in NS_MAGIC:
        raise BadHeader("does not begin with NEURALSG, NEURALCD or BRSMPGRP")
    if len(raw) < NS_BASIC:
        raise BadHeader(f"ends inside its header, after {len(raw)} bytes")
    spec = (raw[8], raw[9])
    (size,) = struct.unpack_from("<I", raw, 10)
    period, resolution = struct.unpack_from("<II", raw, 286)
    (count,) = struct.unpack_from("<I", raw, 310)
    if spec[0] not in (2, 3):
        raise BadHeader(f"says file specification {spec[0]}.{spec[1]}, which is not known")
    _positive(period=period, resolution=resolution)
    if count > MAX_CHANNELS or size != NS_BASIC + NS_CHANNEL * count:
        raise BadHeader(
            f"says bytes in headers {size}, expected {NS_BASIC + NS_CHANNEL * count} "
            f"for its {count} channels"
        )
    if len(raw) < size:
        raise BadHeader(f"ends inside its header, after {len(raw)} of {size} bytes")
    channels = tuple(_channel(raw, NS_BASIC + NS_CHANNEL * i) for i in range(count))
    return NsHeader(
        magic.decode(),
        spec,
        size,
        text(raw[14:30]),
        text(raw[30:286]),
        period,
        resolution,
        origin_of(raw[294:310]),
        channels,
    )


def _positive(**numbers: int) -> None:
    for name, value in numbers.items():
        if value <= 0:
            raise BadHeader(f"says {name} {value}")


def _channel(raw: bytes, at: int) -> Channel:
    kind, electrode, label, bank, pin, dmin, dmax, amin, amax, unit, *filters = struct.unpack_from(
        "<2sH16sBBhhhh16sIIHIIH", raw, at
    )
    if kind != b"CC":
        raise BadHeader(f"has {kind!r} at byte {at}, expected b'CC'")
    return Channel(
        electrode,
        text(label) or f"ch{electrode}",
        bank,
        pin,
        (dmin, dmax),
        (amin, amax),
        text(unit),
        Filter(tuple(filters[:3]), tuple(filters[3:])),
    )


def _read_ns21(raw: bytes) -> NsHeader:
    if len(raw) < NS21_BASIC:
        raise BadHeader(f"ends inside its header, after {len(raw)} bytes")
    period, count = struct.unpack_from("<II", raw, 24)
    _positive(period=period)
    size = NS21_BASIC + 4 * count
    if count > MAX_CHANNELS or len(raw) < size:
        raise BadHeader(f"says {count} channels, and ends inside its header")
    numbers = struct.unpack_from(f"<{count}I", raw, NS21_BASIC)
    channels = tuple(Channel(n, old_label(n)) for n in numbers)
    return NsHeader(
        "NEURALSG", (2, 1), size, text(raw[8:24]), "", period, BASE_RATE, None, channels
    )


def old_label(number: int) -> str:
    """What Central calls a channel that no header names: 1 to 128 electrodes, then inputs."""
    return f"chan{number}" if number <= 128 else f"ainp{number - 128}"


def read_nev(raw: bytes) -> NevHeader:
    """The header of a nev file from its first bytes.

    Raises
    ------
    BadHeader
    """
    if raw[:8] not in NEV_MAGIC:
        raise BadHeader("does not begin with NEURALEV or BREVENTS")
    if len(raw) < NEV_BASIC:
        raise BadHeader(f"ends inside its header, after {len(raw)} bytes")
    spec = (raw[8], raw[9])
    flags, size, packet, resolution, wave_rate = struct.unpack_from("<HIIII", raw, 10)
    (count,) = struct.unpack_from("<I", raw, 332)
    if spec[0] not in (2, 3):
        raise BadHeader(f"says file specification {spec[0]}.{spec[1]}, which is not known")
    _positive(resolution=resolution)
    least = 20 if spec[0] >= 3 else 12
    if not least <= packet <= 1 << 16:
        raise BadHeader(f"says packets of {packet} bytes")
    if count > MAX_CHANNELS * 8 or size != NEV_BASIC + NEV_EXTRA * count:
        raise BadHeader(
            f"says bytes in headers {size}, expected {NEV_BASIC + NEV_EXTRA * count} "
            f"for its {count} extended headers"
        )
    if len(raw) < size:
        raise BadHeader(f"ends inside its header, after {len(raw)} of {size} bytes")
    header = NevHeader(
        raw[:8].decode(),
        spec,
        flags,
        size,
        packet,
        resolution,
        wave_rate,
        origin_of(raw[28:44]),
        text(raw[44:76]),
        text(raw[76:332]),
    )
    comments = [header.comment]
    for i in range(count):
        at = NEV_BASIC + NEV_EXTRA * i
        more = _extend(header, raw[at : at + 8], raw[at + 8 : at + NEV_EXTRA])
        comments += [more] if more else []
    header.comment = "".join(comments).strip()
    return header


def _extend(header: NevHeader, kind: bytes, raw: bytes) -> str:
    """Take one extended header; returns a piece of the comment where it is one."""
    kind = kind.rstrip(b"\0")
    if kind == b"NEUEVWAV":
        number, bank, pin, factor, _, high, low, units, size, width = struct.unpack_from(
            "<HBBHHhhBBH", raw
        )
        width = width if header.spec >= (2, 2) else 0
        header.electrodes[number] = Electrode(
            number, bank, pin, factor, high, low, units, size, width
        )
    elif kind == b"NEUEVLBL":
        header.labels[struct.unpack_from("<H", raw)[0]] = text(raw[2:18])
    elif kind == b"NEUEVFLT":
        number, *said = struct.unpack_from("<HIIHIIH", raw)
        header.filters[number] = Filter(tuple(said[:3]), tuple(said[3:]))
    elif kind == b"DIGLABEL":
        header.digital[raw[16]] = text(raw[:16])
    elif kind == b"VIDEOSYN":
        number, name, rate = struct.unpack_from("<H16sf", raw)
        header.videos[number] = (text(name), rate)
    elif kind == b"TRACKOBJ":
        _, number, _, name = struct.unpack_from("<HHH16s", raw)
        header.trackables[number] = text(name)
    elif kind == b"ARRAYNME":
        header.array = text(raw)
    elif kind == b"MAPFILE":
        header.map_file = text(raw).replace("\\", "/").rpartition("/")[2]
    elif kind in (b"ECOMMENT", b"CCOMMENT"):
        return text(raw) + ("\n" if kind == b"ECOMMENT" else "")
    return ""
