"""The second, independent reader: struct and numpy on the bytes, sharing no code with the first."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from nwbkit.streams import Segment
from nwbkit.streams.kinds import AnyArray


class SecondReader:
    """Reads the same files by other means.

    Parameters
    ----------
    ns : sequence of Path
    nev : Path, optional
    zero : int
        Time stamp of the clock's zero.
    """

    def __init__(self, ns: Sequence[Path], nev: Path | None, zero: int) -> None:
        self._ns = {p.suffix.lower()[1:]: p for p in ns}
        self._nev = nev
        self._zero = zero
        self._parts: dict[Path, list[tuple[int, int, int]]] = {}

    def _path(self, stream_id: str) -> Path:
        return self._ns[stream_id[:3]]

    @staticmethod
    def _names(path: Path) -> list[str]:
        with open(path, "rb") as f:
            raw = f.read(1 << 20)
        if raw.startswith(b"NEURALSG"):
            ids = np.frombuffer(raw, "<u4", struct.unpack_from("<I", raw, 28)[0], 32)
            return [f"chan{i}" if i < 129 else f"ainp{i - 128}" for i in ids.tolist()]
        n = struct.unpack_from("<I", raw, 310)[0]
        names = []
        for k in range(n):
            label = raw[318 + 66 * k : 334 + 66 * k].split(b"\0")[0].decode("latin-1").strip()
            names.append(label or f"ch{struct.unpack_from('<H', raw, 316 + 66 * k)[0]}")
        return names

    def _blocks(self, path: Path) -> list[tuple[int, int, int]]:
        """``(tick, samples, byte of the first)``, contiguous where the file is."""
        if path not in self._parts:
            self._parts[path] = list(self._walk(path))
        return self._parts[path]

    def _walk(self, path: Path) -> Any:
        width, size = len(self._names(path)), path.stat().st_size
        with open(path, "rb") as f:
            raw = f.read(314)
            if raw.startswith(b"NEURALSG"):
                at = 32 + 4 * width
                yield 0, (size - at) // (2 * width), at
                return
            at = int.from_bytes(raw[10:14], "little")
            wide = 8 if raw[8] > 2 else 4
            while at + 5 + wide <= size:
                f.seek(at + 1)
                tick = int.from_bytes(f.read(wide), "little")
                n = int.from_bytes(f.read(4), "little")
                at += 5 + wide
                held = (size - at) // (2 * width)
                # with --salvage: a block that was not closed reaches to the end
                n = held if n == 0xFFFFFFFF else min(n, held)
                if n:
                    yield tick, n, at
                at += n * 2 * width

    def rows(self, stream_id: str, names: Sequence[str], start: int, stop: int) -> AnyArray | None:
        """Rows ``start..stop`` of the channels `names`; None for a file of very many blocks."""
        path = self._path(stream_id)
        every = self._names(path)
        if len(set(every)) != len(every) or not set(names) <= set(every):
            return None  # labels that are no texts, or not unique
        columns = [every.index(n) for n in names]
        parts, before = [], 0
        for _, n, at in self._blocks(path):
            low, high = max(start - before, 0), min(stop - before, n)
            before += n
            if low < high:
                flat = np.fromfile(
                    path,
                    "<i2",
                    count=(high - low) * len(every),
                    offset=at + low * len(every) * 2,
                )
                parts.append(flat.reshape(-1, len(every))[:, columns])
        if not parts:
            return np.empty((0, len(columns)), "<i2")
        return np.ascontiguousarray(np.concatenate(parts))

    def facts(self, stream_id: str, names: Sequence[str]) -> dict[str, Any] | None:
        """Gain, offset, rate and segments."""
        path = self._path(stream_id)
        every = self._names(path)
        if len(set(every)) != len(every) or not set(names) <= set(every):
            return None
        with open(path, "rb") as f:
            raw = f.read(314 + 66 * len(every))
        old = raw.startswith(b"NEURALSG")
        period = struct.unpack_from("<I", raw, 24 if old else 286)[0]
        per_second = 30000 if old else struct.unpack_from("<I", raw, 290)[0]
        scales = [self._scale(raw, every.index(n), old) for n in names]
        segments, first = [], 0
        for tick, n, _ in self._joined(path, period * per_second / 30000):
            t0 = (tick - self._zero) / per_second
            segments.append(Segment(first, n, t0, 30000 / period))
            first += n
        if len(segments) > 10_000 or not segments:
            return None
        return {
            "gain": np.array([g for g, _ in scales]),
            "offset": np.array([o for _, o in scales]),
            "rate": 30000 / period,
            "segments": tuple(segments),
        }

    def _joined(self, path: Path, step: float) -> list[tuple[int, int, int]]:
        """Blocks, joined where one begins as the one before ends.

        Packets of one sample are joined where the next comes about a period later.
        """
        blocks = self._blocks(path)
        packets = len(blocks) > 1 and all(n == 1 for _, n, _ in blocks)
        slack = 0.5 if packets else 0.0
        found = [list(b) for b in blocks[:1]]
        for (before, n, _), (tick, count, at) in pairwise(blocks):
            if abs((tick - before) / step - n) <= slack:
                found[-1][1] += count
            else:
                found.append([tick, count, at])
        return [(tick, n, at) for tick, n, at in found]

    def _scale(self, raw: bytes, k: int, old: bool) -> tuple[float, float]:
        if old:
            electrode = struct.unpack_from("<I", raw, 32 + 4 * k)[0]
            nanovolts = self._factor(electrode)
            return nanovolts * 1e-9, 0.0
        dmin, dmax, amin, amax = struct.unpack_from("<4h", raw, 314 + 66 * k + 22)
        unit = raw[314 + 66 * k + 30 : 314 + 66 * k + 46].split(b"\0")[0].decode("latin-1").strip()
        per = {"uV": 1e-6, "mV": 1e-3, "V": 1.0, "nV": 1e-9}.get(unit, 1.0)
        slope = (amax - amin) / (dmax - dmin)
        rest = amin - dmin * slope
        return slope * per, 0.0 if abs(rest) < 1e-9 * (amax - amin) else rest * per

    def _factor(self, electrode: int) -> float:
        assert self._nev is not None
        with open(self._nev, "rb") as f:
            raw = f.read(336)
            raw += f.read(32 * int.from_bytes(raw[332:336], "little"))
        for at in range(336, len(raw), 32):
            if raw[at : at + 8] == b"NEUEVWAV":
                number, _, _, factor = struct.unpack_from("<HBBH", raw, at + 8)
                if number == electrode:
                    return 152592.547 if factor == 21516 else float(factor)
        raise KeyError(electrode)

    @staticmethod
    def _view(path: Path) -> AnyArray:
        with open(path, "rb") as f:
            raw = f.read(336)
        size, packet = struct.unpack_from("<II", raw, 12)
        kinds = {"tick": "<u8" if raw[8] > 2 else "<u4", "id": "<u2", "code": "u1", "more": "u1"}
        dtype = np.dtype(list(kinds.items()))
        dtype = np.dtype([*dtype.descr, ("rest", "u1", (packet - dtype.itemsize,))])
        n = (path.stat().st_size - size) // packet
        return np.fromfile(path, dtype, count=n, offset=size)

    def spikes(self, path: Path) -> dict[str, AnyArray]:
        """One row a spike, in the file's order: ``unit`` and ``time``."""
        found = self._view(path)
        found = found[(found["id"] > 0) & (found["id"] < 2049)]
        pairs = zip(found["id"].tolist(), found["code"].tolist(), strict=True)
        return {
            "unit": np.array([f"ch{e}#{c}" for e, c in pairs], dtype=str),
            "time": found["tick"].astype(np.int64) - self._zero,
        }

    def inputs(self, kind: str, names: Sequence[str]) -> dict[str, AnyArray]:
        """Digital or serial input."""
        assert self._nev is not None
        found = self._view(self._nev)
        found = found[found["id"] == 0]
        found = found[(found["code"] > 127) == (kind == "serial")]
        rest = np.ascontiguousarray(found["rest"])
        columns = {
            "timestamp": found["tick"].astype(np.int64) - self._zero,
            "reason": found["code"],
            "value": rest[:, 0] + rest[:, 1].astype(np.uint16) * np.uint16(256),
        }
        for i in range(1, 6):
            if f"analog_{i}" in names:
                columns[f"analog_{i}"] = rest[:, 2 * i : 2 * i + 2].copy().view("<i2")[:, 0]
        return {name: columns[name] for name in names}
