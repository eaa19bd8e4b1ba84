"""What the real Intan samples hold, read from their bytes; and a maker of small recordings.

Samples, edges and event counts: numpy on the bytes. Header sizes, names and settings: checked
with neo's header parser. Scales: Intan's own readers (read_Intan_RHD2000_file.m, its RHS sibling)
and the source of RHX. No real sample has stimulation flags, temperatures, gaps, a header before
1.5, or RHS data in .dat files: those are held by the made recordings below only.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

AMP_V = 0.195e-6
#: By folder below intan/: stream -> (rows, columns, rate, gain, offset, first row's first and
#: last row's last value).
SAMPLES: dict[str, dict[str, Any]] = {
    "rhd_traditional_A": {
        "start": None,
        "port": {"PortA": 32},
        "notes": "this is a note 1\nNOTE2!\nFinally, note 3.",
        "filtering": "analog band 0.0945291 to 7603.77 Hz, digital high-pass 0.777219 Hz",
        "streams": {
            "ElectricalSeries": (19440, 32, 20000.0, AMP_V, -32768 * AMP_V),
            "TimeSeriesAuxiliary": (4860, 3, 5000.0, 37.4e-6, 0.0),
            "TimeSeriesSupplyVoltage": (324, 1, 20000 / 60, 74.8e-6, 0.0),
        },
        "events": {},
    },
    "SYNTH_rhs_traditional": {
        "start": "2024-01-01T12:00:00",
        "port": {"PortA": 8},
        "notes": "note one",
        "filtering": "analog band 1 to 7600 Hz, digital high-pass 1 Hz, notch 60 Hz",
        "streams": {
            "ElectricalSeries": (5120, 8, 30000.0, AMP_V, -32768 * AMP_V),
            "ElectricalSeriesDC": (5120, 8, 30000.0, -0.01923, 512 * 0.01923),
            "TimeSeriesADC": (5120, 2, 30000.0, 312.5e-6, -10.24),
            "TimeSeriesDAC": (5120, 1, 30000.0, 312.5e-6, -10.24),
            "TimeSeriesDigitalIn": (5120, 1, 30000.0, 1.0, 0.0),
            "TimeSeriesStimulation": (5120, 8, 30000.0, float(np.float32(1e-6)), 0.0),
        },
        "events": {"EventsDigitalIn": 4, "EventsStimulationFlags": 0},
    },
    "fps_one_file_per_signal": {
        "start": None,
        "port": {"PortA": 32, "PortB": 32},
        "notes": None,
        "filtering": "analog band 0.0945291 to 7603.77 Hz, digital high-pass 1.16583 Hz",
        "streams": {
            "ElectricalSeries": (24320, 64, 30000.0, AMP_V, 0.0),
            "TimeSeriesAuxiliary": (24320, 6, 30000.0, 37.4e-6, 0.0),
            "TimeSeriesADC": (24320, 1, 30000.0, 312.5e-6, -10.24),
            "TimeSeriesDigitalIn": (24320, 1, 30000.0, 1.0, 0.0),
        },
        "events": {"EventsDigitalIn": 2},
    },
}
SAMPLES["fpc_one_file_per_channel"] = SAMPLES["fps_one_file_per_signal"]


def raw_of(root: Path, name: str, series: str) -> np.ndarray[Any, Any]:
    """A stream of a sample by numpy alone: offsets in the blocks counted by hand."""
    folder = root / name
    if name == "rhd_traditional_A":  # 32 amplifiers, 3 auxiliary, 1 supply; blocks of 60
        kind = [
            ("t", "<i4", 60),
            ("amp", "<u2", (32, 60)),
            ("aux", "<u2", (3, 15)),
            ("vdd", "<u2", (1, 1)),
        ]
        part = {
            "ElectricalSeries": "amp",
            "TimeSeriesAuxiliary": "aux",
            "TimeSeriesSupplyVoltage": "vdd",
        }
        blocks = np.fromfile(folder / "sampledata.rhd", kind, offset=4926)[part[series]]
        return np.moveaxis(blocks, 2, 1).reshape(-1, blocks.shape[1])
    if name == "SYNTH_rhs_traditional":  # 8 amplifiers, 2 ADC, 1 DAC, digital in; blocks of 128
        kind = [("t", "<i4", 128), ("amp", "<u2", (8, 128)), ("dc", "<u2", (8, 128))]
        kind += [("stim", "<u2", (8, 128)), ("adc", "<u2", (2, 128)), ("dac", "<u2", (1, 128))]
        kind += [("din", "<u2", (1, 128))]
        part = {
            "ElectricalSeries": "amp", "ElectricalSeriesDC": "dc", "TimeSeriesADC": "adc",
            "TimeSeriesDAC": "dac", "TimeSeriesDigitalIn": "din", "TimeSeriesStimulation": "stim",
        }  # fmt: skip
        file = folder / "synth_rhs_240101_120000.rhs"
        blocks = np.fromfile(file, kind, offset=1386)[part[series]]
        rows = np.moveaxis(blocks, 2, 1).reshape(-1, blocks.shape[1])
        if series == "TimeSeriesStimulation":
            return np.where(rows & 0x100, -(rows & 0xFF).astype(int), rows & 0xFF).astype("<i2")
        return rows
    kind_of = "<i2" if series == "ElectricalSeries" else "<u2"
    if name == "fps_one_file_per_signal":
        file = {"ElectricalSeries": "amplifier", "TimeSeriesAuxiliary": "auxiliary"}
        file |= {"TimeSeriesADC": "analogin", "TimeSeriesDigitalIn": "digitalin"}
        return np.fromfile(folder / f"{file[series]}.dat", kind_of).reshape(24320, -1)
    pattern = {"ElectricalSeries": "amp-*", "TimeSeriesAuxiliary": "aux-*"}
    pattern |= {"TimeSeriesADC": "board-ANALOG-*", "TimeSeriesDigitalIn": "board-DIGITAL-*"}
    files = sorted(folder.glob(f"{pattern[series]}.dat"))
    return np.stack([np.fromfile(f, kind_of) for f in files], axis=1)


# ------------------------------------------------------------------ small recordings

MAGIC = {"rhd": 0xC6912702, "rhs": 0xD69127AC}
TYPES = {
    "rhd": {
        "amplifier": 0,
        "auxiliary": 1,
        "supply": 2,
        "adc": 3,
        "digital_in": 4,
        "digital_out": 5,
    },
    "rhs": {"amplifier": 0, "adc": 3, "dac": 4, "digital_in": 5, "digital_out": 6},
}


def qstring(text: str | None) -> bytes:
    if text is None:
        return struct.pack("<I", 0xFFFFFFFF)
    raw = text.encode("utf-16-le")
    return struct.pack("<I", len(raw)) + raw


@dataclass
class Made:
    """A small recording.

    Attributes
    ----------
    data : dict of str to array
        By stream: rows as they should come out.
    words : dict of str to array
        Stimulation words as written.
    """

    kind: str = "rhd"
    version: tuple[int, int] = (3, 0)
    amplifiers: int = 3
    auxiliary: int = 2
    supply: int = 1
    temperatures: int = 0
    adc: int = 1
    dac: int = 1
    lines: Sequence[int] = (0, 3)
    outs: Sequence[int] = (1,)
    dc: bool = True
    mode: int = 13
    rate: float = 30000.0
    counters: Iterable[int] = field(default_factory=lambda: range(256 * 3))
    impedance: float = 0.0
    disabled: bool = True
    seed: int = 0
    notes: tuple[str | None, ...] = ("a", None, "µ ok")

    def __post_init__(self) -> None:
        if self.kind == "rhs":
            self.auxiliary = self.supply = self.temperatures = 0
        else:
            self.dac, self.dc = 0, False
        self.counters = np.array(list(self.counters), np.int64)
        self.data = {k: v for k, v in self._values().items() if v.size}
        self.words = {}
        if self.kind == "rhs" and self.amplifiers:
            rng = np.random.default_rng(self.seed + 1)
            n = len(self.counters)
            words = rng.integers(0, 512, (n, self.amplifiers)).astype("<u2")
            words[n // 4 : n // 3, 0] |= 0x2000  # amplifier settle
            words[n // 3 : n // 2, 1] |= 0xC000  # charge recovery, compliance limit
            self.words["stim"] = words
            sign = np.where(words & 256, -1, 1)
            self.data["stim"] = ((words & 255).astype(int) * sign).astype("<i2")

    @property
    def block(self) -> int:
        return 128 if self.kind == "rhs" or self.version >= (2, 0) else 60

    def _values(self) -> dict[str, np.ndarray[Any, Any]]:
        rng = np.random.default_rng(self.seed)
        n = len(self.counters)  # type: ignore[arg-type]

        def some(rows: int, columns: int, kind: str = "<u2") -> np.ndarray[Any, Any]:
            return rng.integers(0, 60000, (rows, columns)).astype(kind)

        word = np.zeros((n, 1), "<u2")
        for k, bit in enumerate(self.lines):
            word[n // 5 * (k + 1) : n // 5 * (k + 1) + 40, 0] |= 1 << bit
        out = np.repeat(np.arange(n // 64 + 1) % 2, 64)[:n, None].astype("<u2") << 1
        return {
            "amplifier": some(n, self.amplifiers),
            "dc_amplifier": some(n, self.amplifiers) if self.dc else np.empty(0),
            "auxiliary": some(n // 4, self.auxiliary),
            "supply": some(n // self.block, self.supply),
            "temperature": (some(n // self.block, self.temperatures) // 20).astype("<i2"),
            "adc": some(n, self.adc),
            "dac": some(n, self.dac),
            "digital_in": word if self.lines else np.empty(0),
            "digital_out": out if self.outs else np.empty(0),
        }

    def names(self, signal: str) -> list[str]:
        if signal == "amplifier" and not self.amplifiers:
            return []
        if signal == "amplifier":
            return [f"A-{i:03d}" for i in range(self.amplifiers - 1)] + ["B-000"]
        if signal in ("auxiliary", "supply"):
            return [
                f"A-{'AUX' if signal == 'auxiliary' else 'VDD'}{i + 1}"
                for i in range(getattr(self, signal))
            ]
        if signal in ("adc", "dac"):
            return [
                f"ANALOG-{'IN' if signal == 'adc' else 'OUT'}-{i + 1}"
                for i in range(getattr(self, signal))
            ]
        bits = self.lines if signal == "digital_in" else self.outs
        return [f"DIGITAL-{'IN' if signal == 'digital_in' else 'OUT'}-{b + 1:02d}" for b in bits]

    def header(self) -> bytes:
        rhs = self.kind == "rhs"
        raw = struct.pack("<Ihhf", MAGIC[self.kind], *self.version, self.rate)
        raw += struct.pack("<h", 1)
        raw += struct.pack(
            "<8f" if rhs else "<6f",
            *(
                [1.5, 0.1, 100.0, 7500.0, 1, 0.1, 100, 7500]
                if rhs
                else [1.5, 0.1, 7500.0, 1, 0.1, 7500]
            ),
        )
        raw += struct.pack("<hff", 2, 1000, 1000)
        if rhs:
            raw += struct.pack("<hhfff", 0, 1, 5e-6, 1e-8, 0.0)
        raw += b"".join(qstring(n) for n in self.notes)
        if rhs:
            raw += struct.pack("<hh", int(self.dc), 14) + qstring("n/a")
        else:
            if self.version >= (1, 1):
                raw += struct.pack("<h", self.temperatures)
            if self.version >= (1, 3):
                raw += struct.pack("<h", self.mode)
            if self.version >= (2, 0):
                raw += qstring("A-001")
        groups = [
            ("Port A", "A", ["amplifier", "auxiliary", "supply"]),
            ("Port B", "B", ["amplifier"]),
        ]
        groups += [
            ("Analog Input", "ANALOG", ["adc", "dac"]),
            ("Digital", "DIGITAL", ["digital_in", "digital_out"]),
        ]
        raw += struct.pack("<h", len(groups) + 1)
        for port, prefix, signals in groups:
            channels = [
                c for s in signals if s in TYPES[self.kind] for c in self._channels(s, port)
            ]
            raw += qstring(port) + qstring(prefix) + struct.pack("<hhh", 1, len(channels), 0)
            raw += b"".join(channels)
        return raw + qstring("Port C") + qstring("C") + struct.pack("<hhh", 0, 7, 7)

    def _channels(self, signal: str, port: str) -> list[bytes]:
        names = self.names(signal)
        if signal == "amplifier":
            names = [n for n in names if n.startswith(port[-1])]
        bits = {"digital_in": self.lines, "digital_out": self.outs}.get(signal, range(len(names)))
        found = [
            self._channel(n, b, TYPES[self.kind][signal], 1)
            for n, b in zip(names, bits, strict=True)
        ]
        return (
            [*found, self._channel("A-099", 99, 0, 0)]
            if signal == "amplifier" and self.disabled
            else found
        )

    def _channel(self, name: str, order: int, kind: int, enabled: int) -> bytes:
        custom = "tetrode µ" if name == "A-000" else name
        more = 7 if self.kind == "rhs" else 6
        raw = qstring(name) + qstring(custom) + struct.pack("<hhhh", order, order, kind, enabled)
        return (
            raw + struct.pack(f"<{more}h", *range(more)) + struct.pack("<ff", self.impedance, -30.0)
        )

    def stored(self, signal: str) -> np.ndarray[Any, Any]:
        return self.words.get(signal, self.data.get(signal, np.empty((0, 0))))

    def blocks(self) -> bytes:
        order = [
            "amplifier",
            "dc_amplifier",
            "stim",
            "auxiliary",
            "supply",
            "temperature",
            "adc",
            "dac",
            "digital_in",
            "digital_out",
        ]
        signed = self.kind == "rhs" or self.version >= (1, 2)
        stamps = (np.asarray(self.counters) & 0xFFFFFFFF).astype("<u4")
        assert signed or (np.asarray(self.counters) >= 0).all()
        parts = []
        n_blocks = len(stamps) // self.block
        for k in range(n_blocks):
            parts.append(stamps[k * self.block : (k + 1) * self.block].tobytes())
            for signal in order:
                values = self.stored(signal)
                if values.size:
                    per_block = len(values) // n_blocks
                    parts.append(values[k * per_block : (k + 1) * per_block].T.tobytes())
        return b"".join(parts)

    # -------------------------------------------------------------- the layouts

    def traditional(self, folder: Path, name: str = "run_240502_100000") -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{name}.{self.kind}"
        path.write_bytes(self.header() + self.blocks())
        return path

    def flat(self, signal: str) -> np.ndarray[Any, Any]:
        """Rows as .dat files hold them: amplifiers signed, slow inputs repeated."""
        values = self.stored(signal)
        if signal == "amplifier":
            return (values.astype(int) - 32768).astype("<i2")
        n = len(np.asarray(self.counters))
        return np.repeat(values, n // len(values), axis=0) if len(values) else values

    def _info(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"info.{self.kind}").write_bytes(self.header())
        stamps = np.asarray(self.counters) & 0xFFFFFFFF
        (folder / "time.dat").write_bytes(stamps.astype("<u4").tobytes())

    def per_signal(self, folder: Path) -> Path:
        self._info(folder)
        names = {
            "amplifier": "amplifier",
            "dc_amplifier": "dcamplifier",
            "stim": "stim",
            "auxiliary": "auxiliary",
        }
        names |= {
            "supply": "supply",
            "adc": "analogin",
            "dac": "analogout",
            "digital_in": "digitalin",
        }
        names |= {"digital_out": "digitalout"}
        for signal, name in names.items():
            if self.stored(signal).size:
                self.flat(signal).tofile(folder / f"{name}.dat")
        return folder

    def per_channel(self, folder: Path) -> Path:
        self._info(folder)
        prefixes = {
            "amplifier": "amp",
            "dc_amplifier": "dc",
            "stim": "stim",
            "auxiliary": "aux",
            "supply": "vdd",
        }
        for signal, prefix in prefixes.items():
            own = signal if signal in ("auxiliary", "supply") else "amplifier"
            values = self.flat(signal)
            for k, name in enumerate(self.names(own) if values.size else []):
                values[:, k].tofile(folder / f"{prefix}-{name}.dat")
        for signal in ("adc", "dac", "digital_in", "digital_out"):
            values = self.stored(signal)
            bits = {"digital_in": self.lines, "digital_out": self.outs}.get(signal)
            for k, name in enumerate(self.names(signal) if values.size else []):
                column = values[:, k] if bits is None else values[:, 0] >> bits[k] & 1
                column.astype("<u2").tofile(folder / f"board-{name}.dat")
        return folder
