"""Write SpikeGLX runs of any length, with every truth about them known.

    python examples/spikeglx_run.py OUTDIR --seconds 10 --probes 2 --truth truth.json

Folders, file names, meta keys and their order follow recordings made by SpikeGLX itself. In a gate there is
one true time, 0 at the start of its first trigger; a device takes sample i at start_s + i / true rate. The
sync wave is high for the first half of every true second. The noise is one short block, tiled with a
different offset and different low bits each time, so a run is written about as fast as the disk takes it.

Needs numpy and the standard library only.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

BLOCK = 16384  # samples written at once
SYNC_BIT = 6  # of the SY word of a probe
CHANNELS = 384

# What a kind of probe says of itself: header flavour -> facts.
_NP1 = {
    "type": 0,
    "part": "PRB_1_4_0480_1_C",
    "range": 0.6,
    "max_int": 512,
    "shanks": 1,
    "lf": True,
}
_NP2 = {"range": 0.62, "max_int": 2048, "gain": 100, "lf": False}
_NP2_OLD = {"range": 0.5, "max_int": 8192, "gain": 80, "lf": False}
KINDS = {
    ("NP1.0", "geom"): {**_NP1, "app": "20230411", "unused": [191]},
    ("NP1.0", "shank"): {**_NP1, "app": "20201024", "unused": [191]},
    ("NP2.0-1shank", "geom"): {
        **_NP2,
        "type": 2003,
        "part": "NP2003",
        "shanks": 1,
        "app": "20230815",
        "unused": [],
    },
    ("NP2.0-1shank", "shank"): {
        **_NP2_OLD,
        "type": 21,
        "part": "PRB2_1_2_0640_0",
        "shanks": 1,
        "app": "20201103",
        "unused": [127],
    },
    ("NP2.0-4shank", "geom"): {
        **_NP2,
        "type": 2013,
        "part": "NP2013",
        "shanks": 4,
        "app": "20230815",
        "unused": [],
    },
    ("NP2.0-4shank", "shank"): {
        **_NP2_OLD,
        "type": 24,
        "part": "NP2010",
        "shanks": 4,
        "app": "20201103",
        "unused": [127],
    },
    ("3A", "shank"): {
        **_NP1,
        "app": "20180829",
        "unused": [36, 75, 112, 151, 188, 227, 264, 303, 340, 379],
    },
}
# Which of the 48-channel blocks record the two lowest electrode blocks of each shank (the "stripe" at the tip).
_STRIPE = {0: (0, 2), 1: (1, 3), 2: (4, 6), 3: (5, 7)}
_RATES = (30000.123456, 29999.941586, 30000.390639481, 29999.757983)


# ---------------------------------------------------------------- what to write


@dataclass(frozen=True)
class Probe:
    """One probe. Gains are one number or one per channel (384); channels are counted as acquired, from 0."""

    index: int = 0
    kind: str = "NP1.0"  # NP1.0 | NP2.0-1shank | NP2.0-4shank | 3A
    bands: Sequence[str] | None = None  # of "ap", "lf"; None: what the kind has
    ap_gain: int | Sequence[int] = 500  # NP1.0 and 3A; the gain of NP2.0 is fixed
    lf_gain: int | Sequence[int] = 250
    save_channels: Iterable[int] | None = None  # None: all
    save_sync: bool = True
    rate: float | None = None  # as in the header; None: one of a few calibrated rates, by index
    drift_ppm: float = 0.0  # true rate = rate * (1 + drift_ppm / 1e6)
    start_s: float | None = None  # true time of the device's sample 0
    serial: int | None = None
    geometry: str | None = (
        None  # "geom" (~snsGeomMap) | "shank" (~snsShankMap); None: geom, for 3A shank
    )
    units: int = 8
    firing_rate_hz: float = 8.0


@dataclass(frozen=True)
class Pulses:
    """Pulses on one digital line, in true time; jitter is a part of the period."""

    line: int
    rate_hz: float
    width_s: float = 0.005
    start_s: float = 0.5
    jitter: float = 0.0
    name: str = ""


@dataclass(frozen=True)
class Nidq:
    rate: float = 25000.654321
    drift_ppm: float = 0.0
    start_s: float = -3.0
    mn: int = 0  # channels, after demultiplexing
    ma: int = 0
    xa: int = 1
    lines: int = 8  # digital lines; every 16 (begun) make one word
    sync_line: int = 0
    pulses: Sequence[Pulses] | None = (
        None  # None: camera (line 1), trials (line 2), the last line if above 8
    )
    mn_gain: float = 200
    ma_gain: float = 1
    ai_range: float = 5
    mux_factor: int | None = None  # None: 32 where it divides the counts, else 1
    max_int: int | None = 32768  # None: header of an old release, which leaves it out


# ---------------------------------------------------------------- what was written


@dataclass
class FileTruth:
    """One .bin. Sample numbers count from the start of the file."""

    path: str  # relative to out_dir, as is meta
    meta: str
    device: str  # imec0, imec1, ..., imec (3A), nidq
    band: str  # ap | lf | nidq
    gate: int
    trigger: int | str  # "cat" for CatGT
    n_samples: int
    n_channels: int
    rate: float  # header
    true_rate: float
    first_sample: int  # header
    start_s: float  # true time of the first sample in the file
    create_time: str
    sha1: str
    channels: list[int]  # saved analog channels: channel of the probe, or 0.. of the nidq
    volts_per_count: list[float]  # of these channels
    sync_rising: list[int]
    sync_falling: list[int]
    lines: dict[int, dict[str, list[int]]] = field(
        default_factory=dict
    )  # nidq: line -> rising, falling
    spikes: list[dict] = field(
        default_factory=list
    )  # ap: {unit, channel, column, counts, samples}; the troughs


@dataclass
class DeviceTruth:
    start_s: float  # true time of sample 0 of each gate's acquisition
    rate: float  # as the headers say
    true_rate: float


@dataclass
class Truth:
    run: str
    seed: int
    out_dir: str
    devices: dict[str, DeviceTruth] = field(default_factory=dict)
    line_names: dict[int, str] = field(default_factory=dict)
    files: list[FileTruth] = field(default_factory=list)

    def find(
        self, device: str, band: str | None = None, gate: int | None = None, trigger=None
    ) -> FileTruth:
        """The first file of this device (band, gate, trigger)."""
        wanted = {"device": device, "band": band, "gate": gate, "trigger": trigger}
        for f in self.files:
            if all(v is None or getattr(f, k) == v for k, v in wanted.items()):
                return f
        raise KeyError(wanted)

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=1)


# ---------------------------------------------------------------- small helpers


def _number(x: float) -> str:
    return str(int(x)) if float(x).is_integer() else repr(float(x))


def _ranges(numbers: Sequence[int]) -> str:
    """0:35,72:95,384 as SpikeGLX abbreviates a list of channels."""
    runs: list[list[int]] = []
    for n in numbers:
        if runs and n == runs[-1][1] + 1:
            runs[-1][1] = n
        else:
            runs.append([n, n])
    return ",".join(str(a) if a == b else f"{a}:{b}" for a, b in runs)


def _pairs(text: str) -> dict[str, str]:
    """Constant header keys, written `key=value key=value`."""
    return dict(pair.split("=", 1) for pair in text.split())


def _entries(head: str, entries: Iterable[str]) -> str:
    return f"({head})" + "".join(f"({e})" for e in entries)


@dataclass
class _Clock:
    rate: float
    true_rate: float
    start_s: float

    def first_at(self, t):
        """Index, counted from the device's sample 0, of the first sample at or after true time t."""
        return np.ceil((np.asarray(t) - self.start_s) * self.true_rate).astype(np.int64)


@dataclass
class _Line:
    """A digital line over the samples 0..n of one file: its level at 0 and where it toggles."""

    high: bool
    toggles: np.ndarray

    @classmethod
    def from_pulses(cls, on: np.ndarray, off: np.ndarray, n: int) -> _Line:
        keep = (off > on) & (off > 0) & (on < n)
        on, off = on[keep], off[keep]
        toggles = np.stack([on, off], 1).ravel()
        return cls(bool(len(on) and on[0] <= 0), toggles[(toggles > 0) & (toggles < n)])

    def edges(self) -> tuple[list[int], list[int]]:
        first = int(self.high)  # after a high start the first toggle falls
        return self.toggles[first::2].tolist(), self.toggles[1 - first :: 2].tolist()

    def put(self, column: np.ndarray, start: int, bit: int) -> None:
        stop = start + len(column)
        i, j = (
            np.searchsorted(self.toggles, start, "right"),
            np.searchsorted(self.toggles, stop, "left"),
        )
        bounds = [start, *self.toggles[i:j].tolist(), stop]
        high = self.high ^ bool(i & 1)
        for a, b in zip(bounds[1 - high :: 2], bounds[2 - high :: 2], strict=False):
            column[a - start : b - start] |= np.uint16(1 << bit)


def _write_blocks(path: Path, n: int, noise: _Noise, finish, with_sha1: bool) -> str:
    sha1 = hashlib.sha1()
    buffer = np.empty((min(BLOCK, n), noise.width), "<i2")
    with open(path, "wb", buffering=0) as f:
        for start in range(0, n, BLOCK):
            block = buffer[: min(BLOCK, n - start)]
            noise.fill(block)
            finish(block, start)
            data = memoryview(block).cast("B")
            if with_sha1:
                sha1.update(data)
            while data:  # an unbuffered write may stop half-way
                data = data[f.write(data) :]
    return sha1.hexdigest().upper() if with_sha1 else "0"


class _Noise:
    """An endless stream of noise blocks, made from one short one. The last `words` columns stay 0."""

    def __init__(
        self, rng, longest: int, sigma, offset, slow=None, words: int = 0, cycles=(1, 400)
    ):
        """sigma, offset, slow (a slow common wave): counts, per channel. cycles: of the wave, in the period."""
        channels = len(sigma)
        self.width, self.rng, self.step = channels + words, rng, 12289
        self.period = 4096
        while self.period < min(longest, 2 * BLOCK):
            self.period *= 2
        x = rng.standard_normal((self.period, channels), dtype=np.float32)
        x *= np.asarray(sigma, np.float32)
        x += np.asarray(offset, np.float32)
        if slow is not None:
            f = np.unique(np.geomspace(*cycles, 24).astype(int))
            phase = (
                2 * np.pi * (np.outer(np.arange(self.period) / self.period, f) + rng.random(len(f)))
            )
            weight = np.outer(1 / np.sqrt(f), 1 + 0.1 * rng.standard_normal(channels)) * np.asarray(
                slow
            )
            weight *= np.sqrt(2 / np.sum(1 / f))
            x += np.sin(phase).astype(np.float32) @ weight.astype(np.float32)
            self.step = BLOCK  # keep the wave whole from block to block
        length = self.period + min(BLOCK, longest)
        self.base = np.zeros((length, self.width), "<i2")
        np.rint(x, out=x)
        for a in range(0, length, self.period):
            part = self.base[a : a + self.period, :channels]
            part[:] = x[: len(part)]
        self.flip = np.zeros(self.width, "<i2")
        self.channels, self.count = channels, 0

    def fill(self, block: np.ndarray) -> None:
        a = self.count * self.step % self.period
        self.count += 1
        self.flip[: self.channels] = self.rng.integers(0, 2, self.channels)
        np.bitwise_xor(self.base[a : a + len(block)], self.flip, out=block)


# ---------------------------------------------------------------- one probe


class _Imec:
    def __init__(self, p: Probe):
        self.p = p
        flavour = p.geometry or ("shank" if p.kind == "3A" else "geom")
        if (p.kind, flavour) not in KINDS:
            raise ValueError(
                f"no probe of kind {p.kind!r} with geometry {flavour!r}; known: {sorted(KINDS)}"
            )
        self.k, self.flavour, self.is_3a = KINDS[p.kind, flavour], flavour, p.kind == "3A"
        self.bands = tuple(p.bands or (("ap", "lf") if self.k["lf"] else ("ap",)))
        if set(self.bands) - ({"ap", "lf"} if self.k["lf"] else {"ap"}):
            raise ValueError(f"{p.kind} has no such bands: {self.bands}")
        self.device = "imec" if self.is_3a else f"imec{p.index}"
        rate = p.rate or (30000.0 if self.is_3a else _RATES[p.index % len(_RATES)])
        start = -3.161 - 0.017 * p.index if p.start_s is None else p.start_s
        self.clock = _Clock(rate, rate * (1 + p.drift_ppm / 1e6), start)
        self.serial = p.serial or (641251510 if self.is_3a else 19398105682 + 1000 * p.index)
        self.channels = sorted(set(range(CHANNELS) if p.save_channels is None else p.save_channels))
        if not self.channels or self.channels[0] < 0 or self.channels[-1] >= CHANNELS:
            raise ValueError("save_channels: between 0 and 383, at least one")

    def gains(self, band: str) -> np.ndarray:
        """Per acquired channel."""
        gain = self.k.get("gain") or (self.p.ap_gain if band == "ap" else self.p.lf_gain)
        return np.broadcast_to(np.asarray(gain), (CHANNELS,))

    def volts(self, band: str) -> np.ndarray:
        return self.k["range"] / self.k["max_int"] / self.gains(band)[self.channels]

    def sites(self) -> list[tuple[int, int, int]]:
        """shank, column, row of each channel."""
        if self.k["shanks"] == 1:
            return [(0, c % 2, c // 2) for c in range(CHANNELS)]
        return [(s, e % 2, e // 2) for s, e in self._electrodes()]

    def _electrodes(self) -> list[tuple[int, int]]:
        found = {}
        for shank, blocks in _STRIPE.items():
            for e in range(96):
                found[blocks[e // 48] * 48 + e % 48] = (shank, e)
        return [found[c] for c in range(CHANNELS)]

    def tables(self, band: str) -> dict[str, str]:
        """The ~ lines. imroTbl lists every channel, the maps only what is saved."""
        ap, lf = self.gains("ap"), self.gains("lf")
        every = range(CHANNELS)
        if self.is_3a:
            imro = _entries(f"{self.serial},3,384", (f"{c} 0 0 {ap[c]} {lf[c]}" for c in every))
        elif self.k["lf"]:
            imro = _entries("0,384", (f"{c} 0 0 {ap[c]} {lf[c]} 1" for c in every))
        elif self.k["shanks"] == 1:
            imro = _entries(f"{self.k['type']},384", (f"{c} 1 0 {c}" for c in every))
        else:
            electrodes = enumerate(self._electrodes())
            imro = _entries(
                f"{self.k['type']},384", (f"{c} {s} 0 0 {e}" for c, (s, e) in electrodes)
            )
        out = {"~imroTbl": imro}

        n_lf = CHANNELS if self.k["lf"] else 0
        first = CHANNELS if band == "lf" else 0
        names = [f"{band.upper()}{c};{first + c}:{first + c}" for c in self.channels]
        if self.p.save_sync:
            names.append(f"SY0;{CHANNELS + n_lf}:{CHANNELS + n_lf}")
        out["~snsChanMap"] = _entries(f"{CHANNELS},{n_lf},1", names)

        sites = [
            (*site, int(c not in self.k["unused"]))
            for c, site in enumerate(self.sites())
            if c in self.channels
        ]
        if self.flavour == "geom":
            rows, apart = (
                (12, 24) if self.k["lf"] else (16, 32)
            )  # muxes take pairs of channels in turn
            pairs = (
                [(apart * j + 2 * i, apart * j + 2 * i + 1) for j in range(CHANNELS // apart)]
                for i in range(rows)
            )
            mux = (" ".join(f"{a} {b}" for a, b in row) for row in pairs)
            out["~muxTbl"] = _entries(f"{2 * CHANNELS // apart},{rows}", mux)
            pitch = 20 if self.k["lf"] else 15
            x0 = (27, 11) if self.k["lf"] else (27, 27)  # of even and odd rows
            head = f"{self.k['part']},{self.k['shanks']},{0 if self.k['shanks'] == 1 else 250},70"
            out["~snsGeomMap"] = _entries(
                head, (f"{s}:{x0[r % 2] + 32 * c}:{pitch * r}:{u}" for s, c, r, u in sites)
            )
        elif band == "ap":  # SpikeGLX left the shank map out of LF headers
            head = f"{self.k['shanks']},2,{480 if self.k['lf'] else 640}"
            out["~snsShankMap"] = _entries(head, (f"{s}:{c}:{r}:{u}" for s, c, r, u in sites))
        return out

    def header(self, band: str, session: dict) -> dict[str, str]:
        k, p = self.k, self.p
        n_lf, n, sy = CHANNELS if k["lf"] else 0, len(self.channels), int(p.save_sync)
        first = CHANNELS if band == "lf" else 0
        saved = [first + c for c in self.channels] + [CHANNELS + n_lf] * sy
        h = {
            "acqApLfSy": f"{CHANNELS},{n_lf},1",
            "appVersion": k["app"],
            "imAiRangeMax": _number(k["range"]),
            "imAiRangeMin": _number(-k["range"]),
            "imSampRate": _number(self.clock.rate / (12 if band == "lf" else 1)),
            "imStdby": "",
            "nSavedChans": str(len(saved)),
            "snsApLfSy": f"0,{n},{sy}" if band == "lf" else f"{n},0,{sy}",
            "snsSaveChanSubset": _ranges(saved),
            "syncSourceIdx": "3" if session["nidq"] else "0",
            "typeThis": "imec",
        }
        if self.is_3a:
            h |= _pairs("""
                imDoGainCor=true imHpFlt=300 imNoLEDs=true imProbeOpt=3 imRoFile= imSoftStart=true imVersAPI=4.3
                imVersBs=0.3 imVersHwr=4.2 syncImChanType=0 syncImThresh=3
            """)
            h["imProbeSN"], h["syncImChan"] = str(self.serial), str(SYNC_BIT)
            h["typeEnabled"] = "imec,nidq" if session["nidq"] else "imec"
            return h | self.tables(band)
        h |= _pairs("""
            imCalibrated=true imDatApi=3.31 imDatBs_fw=2.0.137 imDatBsc_fw=3.2.176 imDatBsc_hw=2.1
            imDatBsc_pn=NP2_QBSC_00 imDatBsc_sn=412 imDatFx_hw=4.13 imDatFx_pn=NP2_FLEX_0 imDatHs_pn=NP2_HS_30
            imDatPrb_dock=1 imLEDEnable=false imTrgRising=true imTrgSource=0 nDataDirs=1 syncImInputSlot=2
        """)
        h |= {
            "imDatHs_sn": str(411 + p.index),
            "imDatPrb_pn": k["part"],
            "imDatPrb_port": str(1 + p.index % 4),
            "imDatPrb_slot": str(2 + p.index // 4),
            "imDatPrb_sn": str(self.serial),
            "imDatPrb_type": str(k["type"]),
            "imMaxInt": str(k["max_int"]),
            "typeImEnabled": str(session["probes"]),
            "typeNiEnabled": str(int(session["nidq"])),
        }
        if not k["lf"]:
            h |= _pairs("imDatFx_hw=1.8 imDatFx_pn=NPM_FLEX_0 imDatHs_pn=NPM_HS_30")
        if self.flavour == "shank":
            return (
                h | {"imDatHs_fw": "5.1" if k["lf"] else "2.9", "imRoFile": ""} | self.tables(band)
            )
        h |= _pairs("""
            imDatApi=3.60 imDatBs_fw=2.0.169 imDatBsc_fw=3.2.186 imDatFx_sn=0 imIsSvyRun=false imSvyMaxBnk=-1
            imSvySecPerBnk=35 imroFile= typeObEnabled=0
        """)
        h["imDatHs_hw"] = "5.1" if k["lf"] else "3.2"
        if band == "lf":
            h["imChan0lfGain"] = str(self.gains("lf")[0])
        else:
            h |= {
                "imAnyChanFullBand": "false" if k["lf"] else "true",
                "imChan0apGain": str(self.gains("ap")[0]),
            }
        if k["app"] >= "20230815":
            h |= {
                "imErrFlags_IS_CT_SR_LK_PP_SY": "0 0 0 0 0 0",
                "imLowLatency": "false",
                "imTipLength": "206",
            }
        return h | self.tables(band)

    def noise(self, band: str, rng, longest: int) -> _Noise:
        volts, n = self.volts(band), len(self.channels)
        limit = self.k["max_int"]
        spread = rng.uniform(0.75, 1.3, n)
        sigma = np.minimum((3e-6 if band == "lf" else 11e-6) * spread / volts, 0.03 * limit)
        offset = rng.uniform(-0.02, 0.02, n) * limit
        slow = None
        if band == "lf":
            slow = np.minimum(60e-6 / volts, 0.15 * limit)
        elif not self.k["lf"]:
            slow = np.minimum(30e-6 / volts, 0.1 * limit)  # NP 2.0 records one wide band
        cycles = (8, 1500) if band == "lf" else (1, 300)
        return _Noise(rng, longest, sigma, offset, slow, int(self.p.save_sync), cycles)

    def make_units(self, rng) -> list[dict]:
        volts, n = self.volts("ap"), len(self.channels)
        t = np.arange(-20, 41)
        shape = -np.exp(-((t / 4) ** 2)) + 0.3 * np.exp(-(((t - 16) / 9) ** 2))
        units = []
        for u in range(self.p.units):
            column = int((u + 0.5) * n / self.p.units)
            channel, uv = self.channels[column], rng.uniform(150e-6, 300e-6)
            columns = np.array(
                [
                    i
                    for i in range(max(0, column - 4), min(n, column + 5))
                    if abs(self.channels[i] - channel) <= 4
                ]
            )
            fall = np.exp(-np.abs(np.array(self.channels)[columns] - channel) / 2)
            peak = np.minimum(uv / volts[columns], 0.35 * self.k["max_int"]) * fall
            wave = np.rint(np.outer(shape, peak)).astype("<i2")
            units.append(
                {
                    "unit": u,
                    "channel": channel,
                    "column": column,
                    "counts": int(wave[20, np.searchsorted(columns, column)]),
                    "columns": columns,
                    "wave": wave,
                }
            )
        return units


def _spike_samples(rng, n: int, rate: float, hz: float) -> np.ndarray:
    gaps = 0.003 * rate + rng.exponential(rate / hz, int(n / rate * hz * 1.2) + 50)
    samples = 30 + np.cumsum(gaps).astype(np.int64)
    return samples[samples < n - 45]


def _add_spikes(
    block: np.ndarray, start: int, when: np.ndarray, who: np.ndarray, units: list[dict]
) -> None:
    i, j = np.searchsorted(when, (start - 41, start + len(block) + 20))
    for s, u in zip((when[i:j] - start).tolist(), who[i:j].tolist(), strict=True):
        a, b = max(0, s - 20), min(len(block), s + 41)
        if a < b:
            c = units[u]["columns"]
            block[a:b, c[0] : c[-1] + 1] += units[u]["wave"][a - s + 20 : b - s + 20]


# ---------------------------------------------------------------- the nidq


class _Ni:
    device = "nidq"

    def __init__(self, n: Nidq):
        self.n = n
        if not 0 <= n.lines <= 64 or (n.lines and not 0 <= n.sync_line < n.lines):
            raise ValueError("nidq: 0 to 64 lines, the sync line among them")
        self.clock = _Clock(n.rate, n.rate * (1 + n.drift_ppm / 1e6), n.start_s)
        self.mux = n.mux_factor or (32 if n.mn % 32 == n.ma % 32 == 0 else 1)
        if n.mn % self.mux or n.ma % self.mux:
            raise ValueError("nidq: mn and ma must be multiples of mux_factor")
        self.bytes = -(-n.lines // 8)
        self.words = -(-n.lines // 16)
        self.analog = n.mn + n.ma + n.xa
        pulses = n.pulses
        if pulses is None:
            pulses = [
                Pulses(1, 60.0, 0.005, 0.25, 0.0, "camera"),
                Pulses(2, 0.5, 0.1, 0.4, 0.5, "trial"),
            ]
            if n.lines > 8:
                pulses.append(Pulses(n.lines - 1, 3.0, 0.02, 0.1, 0.3, "last"))
            pulses = [p for p in pulses if p.line < n.lines and p.line != n.sync_line]
        for p in pulses:
            if not 0 <= p.line < n.lines or p.line == n.sync_line:
                raise ValueError(f"nidq: no pulses can go on line {p.line}")
            if p.width_s >= (1 - p.jitter) / p.rate_hz:
                raise ValueError(f"nidq: the pulses of line {p.line} would run into each other")
        self.pulses = list(pulses)

    def volts(self) -> np.ndarray:
        n = self.n
        gain = np.repeat([n.mn_gain, n.ma_gain, 1.0], [n.mn, n.ma, n.xa])
        return n.ai_range / (n.max_int or 32768) / gain

    def header(self, band: str, session: dict) -> dict[str, str]:
        n, c = self.n, self.mux
        counts = f"{n.mn},{n.ma},{n.xa},{self.words}"
        mn, ma = n.mn // c, n.ma // c
        names = [f"MN{i // c}C{i % c}" for i in range(n.mn)] + [
            f"MA{i // c}C{i % c}" for i in range(n.ma)
        ]
        names += [f"XA{i}" for i in range(n.xa)] + [f"XD{i}" for i in range(self.words)]
        h = _pairs("""
            niAiTermination=Default niClockLine1=Internal niDev1=PXI1Slot7 niDev1ProductName=PXIe-6363
            niStartEnable=false niStartLine=PXI1Slot7/port0/line0 snsSaveChanSubset=all syncNiChanType=0
            syncNiThresh=1.1 syncSourceIdx=3 typeThis=nidq
        """)
        h |= {
            "acqMnMaXaDw": counts,
            "appVersion": "20230815" if n.max_int else "20190327",
            "nSavedChans": str(self.analog + self.words),
            "niAiRangeMax": _number(n.ai_range),
            "niAiRangeMin": _number(-n.ai_range),
            "niClockSource": f"PXI1Slot7_Int : {n.rate:.6f}",
            "niMAChans1": _ranges(range(mn, mn + ma)),
            "niMAGain": _number(n.ma_gain),
            "niMNChans1": _ranges(range(mn)),
            "niMNGain": _number(n.mn_gain),
            "niMuxFactor": str(c),
            "niSampRate": _number(n.rate),
            "niXAChans1": _ranges(range(mn + ma, mn + ma + n.xa)),
            "niXDBytes1": str(self.bytes),
            "niXDChans1": _ranges(range(n.lines)),
            "snsMnMaXaDw": counts,
            "syncNiChan": str(n.sync_line),
            "~snsChanMap": _entries(
                f"{mn},{ma},{c},{n.xa},{self.words}", (f"{s};{i}:{i}" for i, s in enumerate(names))
            ),
            "~snsShankMap": _entries(
                f"1,2,{n.mn // 2}", (f"0:{i % 2}:{i // 2}:1" for i in range(n.mn))
            ),
        }
        if session["3A"]:
            h["typeEnabled"] = "imec,nidq"
        else:
            h |= {"typeImEnabled": str(session["probes"]), "typeNiEnabled": "1"}
        if n.max_int:
            h |= _pairs(f"niMaxInt={n.max_int} nDataDirs=1 typeObEnabled=0")
            h["imErrFlags_IS_CT_SR_LK_PP_SY"] = "0 0 0 0 0 0"
        return h

    def noise(self, rng, longest: int) -> _Noise:
        size = self.n.max_int or 32768
        n = self.analog
        return _Noise(
            rng,
            longest,
            np.full(n, 3.0),
            rng.uniform(-0.1, 0.1, n) * size,
            np.full(n, 0.1 * size),
            self.words,
            (1, 12),
        )


# ---------------------------------------------------------------- the run


def _write_meta(path: Path, header: dict[str, str], newline: str) -> None:
    """Keys in ASCII order, as Qt's map keeps them."""
    path.write_bytes("".join(f"{k}={header[k]}{newline}" for k in sorted(header)).encode("latin-1"))


@dataclass
class _Run:
    out_dir: Path
    gates: list[int]
    triggers: list[int]
    seconds: float
    gap_s: float
    folder_per_probe: bool
    catgt: bool
    sha1: bool
    created: datetime
    session: dict  # what headers say of the other devices
    truth: Truth

    def __post_init__(self):
        if self.catgt:
            self.gap_s = 0.0
        self.gate_s = len(self.triggers) * (self.seconds + self.gap_s)
        self.length_s = self.gate_s if self.catgt else self.seconds  # of one file
        self.starts = {t: i * (self.seconds + self.gap_s) for i, t in enumerate(self.triggers)}
        if self.catgt:
            self.starts = {"cat": 0.0}
        self.sync = np.arange(-2, int(self.gate_s) + 3, dtype=float)

    def places(self, clock: _Clock, unit: int = 1) -> dict[tuple, tuple[int, int]]:
        """(gate, trigger) -> first sample and count, both whole units."""
        n = max(unit, int(self.length_s * clock.true_rate) // unit * unit)
        firsts = {
            t: -(-int(clock.first_at(start)) // unit) * unit for t, start in self.starts.items()
        }
        if min(firsts.values()) < 0:
            raise ValueError("a device starts after the first trigger: start_s must be 0 or less")
        return {(g, t): (first, n) for g in self.gates for t, first in firsts.items()}

    def write_probe(self, d: _Imec) -> None:
        seed, sync_bit = self.truth.seed, SYNC_BIT
        places = self.places(
            d.clock, 12 if d.k["lf"] else 1
        )  # whole LF samples where there is an LF band
        for band in d.bands:
            every = 12 if band == "lf" else 1
            rng = np.random.default_rng([seed, 1, d.p.index, every])
            noise = d.noise(band, rng, max(n for _, n in places.values()) // every)
            units = (
                d.make_units(np.random.default_rng([seed, 2, d.p.index])) if band == "ap" else []
            )
            for (gate, trigger), (first, n) in places.items():
                first, n = first // every, n // every
                on, off = (
                    -(-d.clock.first_at(t) // every) - first for t in (self.sync, self.sync + 0.5)
                )
                sync = _Line.from_pulses(on, off, n) if d.p.save_sync else None
                rng = np.random.default_rng(
                    [seed, 3, d.p.index, gate, 0 if self.catgt else trigger + 1]
                )
                trains = [
                    _spike_samples(rng, n, d.clock.true_rate, d.p.firing_rate_hz) for _ in units
                ]
                when = np.concatenate([np.empty(0, np.int64), *trains])
                order = np.argsort(when, kind="stable")
                who = np.repeat(np.arange(len(trains)), [len(x) for x in trains])[order]
                when = when[order]

                def finish(block, start, sync=sync, when=when, who=who, units=units):
                    _add_spikes(block, start, when, who, units)
                    if sync:
                        sync.put(block.view("<u2")[:, -1], start, sync_bit)

                said = ("unit", "channel", "column", "counts")
                spikes = [
                    {k: unit[k] for k in said} | {"samples": x.tolist()}
                    for unit, x in zip(units, trains, strict=True)
                ]
                rising, falling = sync.edges() if sync else ([], [])
                known = {
                    "channels": d.channels,
                    "volts_per_count": d.volts(band).tolist(),
                    "spikes": spikes,
                }
                known |= {"sync_rising": rising, "sync_falling": falling}
                self.write_file(d, band, gate, trigger, first, n, noise, finish, known)

    def write_nidq(self, d: _Ni) -> None:
        seed, sync_line = self.truth.seed, d.n.sync_line
        places = self.places(d.clock)
        noise = d.noise(np.random.default_rng([seed, 4]), max(n for _, n in places.values()))
        for (gate, trigger), (first, n) in places.items():
            pulses = {sync_line: (self.sync, 0.5)} if d.n.lines else {}
            for p in d.pulses:
                rng = np.random.default_rng([seed, 5, gate, p.line])
                k = np.arange(max(0, int((self.gate_s - p.start_s) * p.rate_hz) + 1))
                pulses[p.line] = (
                    p.start_s + (k + p.jitter * rng.random(len(k))) / p.rate_hz,
                    p.width_s,
                )
            lines = {}
            for i, (on, width) in sorted(pulses.items()):
                lines[i] = _Line.from_pulses(
                    d.clock.first_at(on) - first, d.clock.first_at(on + width) - first, n
                )

            def finish(block, start, lines=lines):
                for i, line in lines.items():
                    line.put(block.view("<u2")[:, d.analog + i // 16], start, i % 16)

            edges = {
                i: dict(zip(("rising", "falling"), line.edges(), strict=True))
                for i, line in lines.items()
            }
            sync = edges.get(sync_line, {"rising": [], "falling": []})
            known = {
                "channels": list(range(d.analog)),
                "volts_per_count": d.volts().tolist(),
                "lines": edges,
            }
            known |= {"sync_rising": sync["rising"], "sync_falling": sync["falling"]}
            self.write_file(d, "nidq", gate, trigger, first, n, noise, finish, known)

    def write_file(
        self, d, band: str, gate: int, trigger, first: int, n: int, noise: _Noise, finish, known
    ) -> None:
        run, every = self.truth.run, 12 if band == "lf" else 1
        folder = f"{'catgt_' if self.catgt else ''}{run}_g{gate}"
        if self.folder_per_probe and d.device not in ("nidq", "imec"):
            folder += f"/{run}_g{gate}_{d.device}"
        stem = f"{folder}/{run}_g{gate}_t{trigger}.{d.device}" + (
            "" if band == "nidq" else f".{band}"
        )
        (self.out_dir / folder).mkdir(parents=True, exist_ok=True)
        digest = _write_blocks(
            self.out_dir / f"{stem}.bin", n, noise, finish, self.sha1 and not self.catgt
        )

        rate, true_rate = d.clock.rate / every, d.clock.true_rate / every
        elapsed = int(self.gates.index(gate) * (self.gate_s + 60)) + int(self.starts[trigger])
        created = original = (self.created + timedelta(seconds=elapsed)).isoformat()
        header = d.header(band, self.session)
        if self.catgt:
            created = (self.created + timedelta(days=1, seconds=elapsed)).isoformat()
            first_t, last_t = self.triggers[0], self.triggers[-1]
            header |= {
                "catGTCmdline0": f"<CatGT -dir=D:/SGL_DATA -run={run} -g={gate} -t={first_t},{last_t} -prb_fld>",
                "catGVals": f"{gate},{gate}",
                "catNFiles": str(len(self.triggers)),
                "catTVals": f"{first_t},{last_t}",
                "fileCreateTime_original": original,
            }
        header |= _pairs("gateMode=Immediate trigMode=Immediate syncSourcePeriod=1 userNotes=")
        header |= {
            "fileCreateTime": created,
            "fileName": f"D:/SGL_DATA/{stem}.bin",
            "fileSHA1": digest,
            "fileSizeBytes": str(n * noise.width * 2),
            "fileTimeSecs": _number(n / rate),
            "firstSample": str(first),
        }
        _write_meta(self.out_dir / f"{stem}.meta", header, "\n" if self.catgt else "\r\n")
        known |= {"path": f"{stem}.bin", "meta": f"{stem}.meta", "device": d.device, "band": band}
        known |= {"gate": gate, "trigger": trigger, "n_samples": n, "n_channels": noise.width}
        known |= {"rate": rate, "true_rate": true_rate, "first_sample": first}
        known |= {
            "start_s": d.clock.start_s + first / true_rate,
            "create_time": created,
            "sha1": digest,
        }
        self.truth.files.append(FileTruth(**known))


def write_run(
    out_dir,
    *,
    run: str = "demo",
    gates: Sequence[int] = (0,),
    triggers: Sequence[int] = (0,),
    probes: Sequence[Probe] = (Probe(),),
    nidq: Nidq | None = Nidq(),
    seconds: float = 2.0,
    seed: int = 0,
    trigger_gap_s: float = 0.75,
    folder_per_probe: bool = True,
    catgt: bool = False,
    sha1: bool = True,
    create_time: str = "2024-05-02T10:00:00",
    truth_file=None,
) -> Truth:
    """Write a run; every trigger lasts `seconds`, every gate starts its devices afresh.

    catgt: one _tcat file a gate, as CatGT would join its triggers, here without gaps between them.
    sha1: False leaves fileSHA1=0, which is faster.
    """
    imecs = [_Imec(p) for p in probes]
    if len({i.device for i in imecs}) < len(imecs) or (
        len(imecs) > 1 and any(i.is_3a for i in imecs)
    ):
        raise ValueError("probes need different indices, and a phase 3A probe runs alone")
    ni = _Ni(nidq) if nidq else None
    truth = Truth(run, seed, str(out_dir))
    for d in [*imecs, *([ni] if ni else [])]:
        truth.devices[d.device] = DeviceTruth(d.clock.start_s, d.clock.rate, d.clock.true_rate)
    writer = _Run(
        out_dir=Path(out_dir),
        gates=list(gates),
        triggers=list(triggers),
        seconds=seconds,
        gap_s=trigger_gap_s,
        folder_per_probe=folder_per_probe,
        catgt=catgt,
        sha1=sha1,
        created=datetime.fromisoformat(create_time),
        session={"probes": len(imecs), "nidq": ni is not None, "3A": any(i.is_3a for i in imecs)},
        truth=truth,
    )
    for imec in imecs:
        writer.write_probe(imec)
    if ni:
        truth.line_names = {p.line: p.name for p in ni.pulses} | (
            {nidq.sync_line: "sync"} if nidq.lines else {}
        )
        writer.write_nidq(ni)
    if truth_file is not None:
        Path(truth_file).write_text(truth.to_json())
    return truth


def main(argv: Sequence[str] | None = None) -> None:
    ap = argparse.ArgumentParser(
        description="Write a SpikeGLX run.", epilog="See the module for all that it can do."
    )
    ap.add_argument("out_dir", type=Path)
    ap.add_argument("--run", default="demo")
    ap.add_argument("--seconds", type=float, default=10.0, help="of each trigger")
    ap.add_argument("--probes", type=int, default=1)
    ap.add_argument("--kind", default="NP1.0", choices=sorted({k for k, _ in KINDS}))
    ap.add_argument("--bands", default=None, help="ap,lf")
    ap.add_argument("--nidq", action=argparse.BooleanOptionalAction, default=True)
    ap.add_argument("--lines", type=int, default=8, help="digital lines of the nidq")
    ap.add_argument("--gates", type=int, default=1)
    ap.add_argument("--triggers", type=int, default=1)
    ap.add_argument("--trigger-gap", type=float, default=0.75, metavar="S")
    ap.add_argument(
        "--drift-ppm", type=float, default=0.0, help="of every probe against its header"
    )
    ap.add_argument("--flat", action="store_true", help="no folder per probe")
    ap.add_argument("--catgt", action="store_true")
    ap.add_argument("--sha1", action=argparse.BooleanOptionalAction, default=True)
    ap.add_argument("--seed", type=int, default=0)
    ap.add_argument("--create-time", default="2024-05-02T10:00:00")
    ap.add_argument(
        "--truth", type=Path, default=None, metavar="FILE", help="write what is known about the run"
    )
    a = ap.parse_args(argv)
    bands = a.bands.split(",") if a.bands else None
    truth = write_run(
        a.out_dir,
        run=a.run,
        gates=range(a.gates),
        triggers=range(a.triggers),
        probes=[Probe(i, a.kind, bands, drift_ppm=a.drift_ppm) for i in range(a.probes)],
        nidq=Nidq(lines=a.lines) if a.nidq else None,
        seconds=a.seconds,
        seed=a.seed,
        trigger_gap_s=a.trigger_gap,
        folder_per_probe=not a.flat,
        catgt=a.catgt,
        sha1=a.sha1,
        create_time=a.create_time,
        truth_file=a.truth,
    )
    for f in truth.files:
        print(f"{a.out_dir / f.path}  {f.n_samples} x {f.n_channels}")


if __name__ == "__main__":
    main()
