"""The header of .rhd and .rhs files, standard library only.

Source: Intan Technologies, "RHD2000 Application Note: Data File Formats" and "RHS2000
Application Note: Data File Formats". All numbers are little-endian; texts are a length in bytes
(0xFFFFFFFF: none) and UTF-16. Fields came with versions: temperature sensors with 1.1, signed
time stamps with 1.2, the board mode with 1.3, the reference channel with 2.0.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from nwbkit.errors import DamagedInput, NoInput

RHD_MAGIC, RHS_MAGIC = 0xC6912702, 0xD69127AC
MAGIC = {RHD_MAGIC.to_bytes(4, "little"): "rhd", RHS_MAGIC.to_bytes(4, "little"): "rhs"}
#: A header of 1024 channels takes 100 kB.
MAX_HEADER = 4 << 20
_NO_TEXT = 0xFFFFFFFF
_MAX_CHANNELS = 4096
Kind = Literal["rhd", "rhs"]

#: What the signal types of channels mean in either format.
SIGNALS: dict[str, dict[int, str]] = {
    "rhd": dict(
        enumerate(("amplifier", "auxiliary", "supply", "adc", "digital_in", "digital_out"))
    ),
    "rhs": {0: "amplifier", 3: "adc", 4: "dac", 5: "digital_in", 6: "digital_out"},
}


class NotIntan(Exception):
    """A file that does not begin with either magic number."""


class Short(Exception):
    """Bytes end inside the header."""


@dataclass(frozen=True)
class Channel:
    """One enabled channel.

    Parameters
    ----------
    native : str
        The hardware's name, ``A-000``; also part of file names.
    custom : str
        The user's name.
    order : int
        Native order; of digital lines the bit of the word.
    signal : str
        ``amplifier``, ``auxiliary``, ``supply``, ``adc``, ``dac``, ``digital_in``, ``digital_out``.
    port : str
        Name of the signal group, ``Port A``.
    prefix : str
        The group's prefix, ``A``.
    impedance, phase : float
        Ohms and degrees; 0 where it was not measured.
    """

    native: str
    custom: str
    order: int
    signal: str
    port: str
    prefix: str
    impedance: float
    phase: float


@dataclass(frozen=True)
class Header:
    """What a header says.

    Parameters
    ----------
    kind : {"rhd", "rhs"}
    version : tuple of int
    rate : float
        Amplifier samples per second, the float32 of the file.
    dsp : float, optional
        Cut-off of the digital high-pass in Hz; None where it was off.
    lower, upper : float
        Amplifier bandwidth in Hz.
    notch : int
        0, 50 or 60 Hz.
    notes : tuple of str
    temperatures : int
        Number of temperature sensors.
    board_mode : int, optional
        Tells the range of the ADC inputs; None before version 1.3.
    reference : str
    dc_saved : bool
        Of .rhs: whether DC amplifiers were saved.
    stim_step : float
        Of .rhs: amperes per step of stimulation.
    settings : dict
        Further numbers, by name.
    channels : tuple of Channel
        The enabled ones, in the order of the file.
    size : int
        Bytes of the header.
    """

    kind: Kind
    version: tuple[int, int]
    rate: float
    dsp: float | None
    lower: float
    upper: float
    notch: int
    notes: tuple[str, ...]
    temperatures: int
    board_mode: int | None
    reference: str
    dc_saved: bool
    stim_step: float
    channels: tuple[Channel, ...]
    size: int
    settings: dict[str, float] = field(default_factory=dict)

    @property
    def block(self) -> int:
        """Samples of a data block: 60, since version 2 and in .rhs 128."""
        return 128 if self.kind == "rhs" or self.version >= (2, 0) else 60

    @property
    def signed_time(self) -> bool:
        """Whether time stamps are signed."""
        return self.kind == "rhs" or self.version >= (1, 2)

    def of(self, signal: str) -> tuple[Channel, ...]:
        """The enabled channels of one kind."""
        return tuple(c for c in self.channels if c.signal == signal)

    def same_setup(self, other: Header) -> bool:
        """Whether two headers differ in notes and measurements at most."""
        return self._setup() == other._setup()

    def _setup(self) -> tuple[object, ...]:
        channels = tuple(replace(c, impedance=0.0, phase=0.0) for c in self.channels)
        return (
            self.kind, self.version, self.rate, self.dsp, self.lower, self.upper, self.temperatures,
            self.board_mode, self.dc_saved, self.stim_step, channels,
        )  # fmt: skip


class _Bytes:
    """Reads little-endian values one after the other."""

    def __init__(self, raw: bytes) -> None:
        self.raw, self.at = raw, 0

    def one(self, kind: str) -> float:
        size = struct.calcsize(f"<{kind}")
        if self.at + size > len(self.raw):
            raise Short
        (value,) = struct.unpack_from(f"<{kind}", self.raw, self.at)
        self.at += size
        return value  # type: ignore[no-any-return]

    def number(self) -> int:
        return int(self.one("h"))

    def text(self) -> str:
        size = int(self.one("I"))
        if size == _NO_TEXT:
            return ""
        if size > MAX_HEADER or size % 2:
            raise ValueError(f"a text of {size} bytes")
        if self.at + size > len(self.raw):
            raise Short
        raw = self.raw[self.at : self.at + size]
        self.at += size
        return raw.decode("utf-16-le", "replace").rstrip("\0")


def parse_header(raw: bytes) -> Header:
    """The header at the beginning of `raw`.

    Raises
    ------
    NotIntan, Short
    ValueError
        Where a value cannot be; the message says which.
    """
    if raw[:4] not in MAGIC:
        raise NotIntan
    kind: Kind = MAGIC[raw[:4]]  # type: ignore[assignment]
    b = _Bytes(raw)
    b.at = 4
    version = (b.number(), b.number())
    if not 1 <= version[0] <= 99 or not 0 <= version[1] <= 99:
        raise ValueError(f"version {version[0]}.{version[1]}")
    found = _rhs_globals(b) if kind == "rhs" else _rhd_globals(b, version)
    rate = found.pop("rate")
    if not (math.isfinite(rate) and rate > 0):
        raise ValueError(f"a sampling rate of {rate} Hz")
    channels = tuple(_channels(b, kind))
    return Header(
        kind=kind, version=version, rate=rate, channels=channels, size=b.at, **found
    )  # fmt: skip


def _rhd_globals(b: _Bytes, version: tuple[int, int]) -> dict[str, Any]:
    rate, dsp_on = b.one("f"), b.number()
    dsp, lower, upper, *desired = (b.one("f") for _ in range(6))
    notch = b.number()
    impedance = [b.one("f") for _ in range(2)]
    notes = tuple(b.text() for _ in range(3))
    temperatures = b.number() if version >= (1, 1) else 0
    mode = b.number() if version >= (1, 3) else None
    reference = b.text() if version >= (2, 0) else ""
    if not 0 <= temperatures <= _MAX_CHANNELS:
        raise ValueError(f"{temperatures} temperature sensors")
    return {
        **_common(rate, dsp if dsp_on else None, lower, upper, notch, notes, reference),
        "temperatures": temperatures, "board_mode": mode, "dc_saved": False, "stim_step": 0.0,
        "settings": _settings(desired, impedance),
    }  # fmt: skip


def _rhs_globals(b: _Bytes) -> dict[str, Any]:
    rate, dsp_on = b.one("f"), b.number()
    dsp, lower, settle, upper, *desired = (b.one("f") for _ in range(8))
    notch = b.number()
    impedance = [b.one("f") for _ in range(2)]
    amp_settle, recovery = b.number(), b.number()
    step, limit, target = (b.one("f") for _ in range(3))
    notes = tuple(b.text() for _ in range(3))
    dc_saved, mode, reference = b.number(), b.number(), b.text()
    settings = _settings([desired[0], desired[1], desired[3]], impedance)
    settings |= {
        "lower settle bandwidth (Hz)": settle, "amplifier settle mode": amp_settle,
        "charge recovery mode": recovery, "charge recovery current limit (A)": limit,
        "charge recovery target voltage (V)": target,
    }  # fmt: skip
    return {
        **_common(rate, dsp if dsp_on else None, lower, upper, notch, notes, reference),
        "temperatures": 0, "board_mode": mode, "dc_saved": bool(dc_saved), "stim_step": step,
        "settings": settings,
    }  # fmt: skip


def _common(
    rate: float, dsp: float | None, lower: float, upper: float, notch: int, notes: tuple[str, ...],
    reference: str,
) -> dict[str, Any]:  # fmt: skip
    return {
        "rate": rate, "dsp": dsp, "lower": lower, "upper": upper,
        "notch": {1: 50, 2: 60}.get(notch, 0), "notes": notes, "reference": reference,
    }  # fmt: skip


def _settings(desired: list[float], impedance: list[float]) -> dict[str, float]:
    return {
        "desired DSP cutoff (Hz)": desired[0], "desired lower bandwidth (Hz)": desired[1],
        "desired upper bandwidth (Hz)": desired[2],
        "desired impedance test frequency (Hz)": impedance[0],
        "impedance test frequency (Hz)": impedance[1],
    }  # fmt: skip


def _channels(b: _Bytes, kind: Kind) -> list[Channel]:
    found: list[Channel] = []
    groups = b.number()
    if not 0 <= groups <= _MAX_CHANNELS:
        raise ValueError(f"{groups} signal groups")
    for _ in range(groups):
        port, prefix = b.text(), b.text()
        enabled, count, _ = b.number(), b.number(), b.number()
        if count < 0 or count > _MAX_CHANNELS:
            raise ValueError(f"{count} channels in signal group '{port}'")
        if enabled <= 0:
            continue  # the channels of a disabled group are not written
        for _ in range(count):
            channel, on = _channel(b, kind, port, prefix)
            if on:
                found.append(channel)
    return found


def _channel(b: _Bytes, kind: Kind, port: str, prefix: str) -> tuple[Channel, bool]:
    native, custom = b.text(), b.text()
    order, _, signal, enabled, _ = (b.number() for _ in range(5))
    for _ in range(6 if kind == "rhs" else 5):  # stream numbers and the spike scope's trigger
        b.number()
    impedance, phase = b.one("f"), b.one("f")
    if enabled and signal not in SIGNALS[kind]:
        raise ValueError(f"signal type {signal} of channel '{native}'")
    named = SIGNALS[kind].get(signal, "")
    return Channel(native, custom, order, named, port, prefix, impedance, phase), enabled > 0


def read_header(path: Path) -> Header:
    """The header of a file.

    Raises
    ------
    nwbkit.errors.NoInput
        Where it may not be read.
    nwbkit.errors.DamagedInput
        Where it is none.
    """
    try:
        with open(path, "rb") as f:
            raw = f.read(MAX_HEADER)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise NoInput(f"cannot open '{path}': {reason}") from None
    try:
        return parse_header(raw)
    except NotIntan:
        found = f"0x{int.from_bytes(raw[:4], 'little'):08X}"
        if len(raw) < 4:
            raise DamagedInput(f"'{path.name}' holds {len(raw)} bytes: no Intan header") from None
        raise DamagedInput(
            f"'{path.name}' is no Intan file: its magic number is {found}, expected "
            f"0x{RHD_MAGIC:08X} (.rhd) or 0x{RHS_MAGIC:08X} (.rhs)"
        ) from None
    except Short:
        raise DamagedInput(f"'{path.name}' ends at byte {len(raw)} inside its header") from None
    except ValueError as error:
        raise DamagedInput(f"the header of '{path.name}' is damaged: it says {error}") from None
