"""The second way: a header parsed by numpy, structured types for blocks, files read by numpy.

Shares no code with what opens the source, on purpose.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from nwbkit.streams import Segment
from nwbkit.streams.kinds import AnyArray

_CHUNK = 1 << 18


class _Said:
    """What a header says, as far as samples, scale and times depend on it."""

    def __init__(self, path: Path) -> None:
        raw = np.fromfile(path, np.uint8, count=4 << 20)
        self._raw, self._at = raw, 0
        self.rhs = self._take("<u4") == 0xD69127AC
        major, minor = self._take("<i2"), self._take("<i2")
        version = major * 100 + minor
        self.rate = float(self._take("<f4"))
        self._skip(2 + (8 if self.rhs else 6) * 4 + 2 + 8)
        self.step = 0.0
        if self.rhs:
            self._skip(4)
            self.step = float(self._take("<f4"))
            self._skip(8)
        for _ in range(3):
            self._text()
        self.sensors = self.mode = 0
        self.dc = False
        if self.rhs:
            self.dc = self._take("<i2") != 0
            self._skip(2)
            self._text()
        else:
            self.sensors = int(self._take("<i2")) if version >= 101 else 0
            self.mode = int(self._take("<i2")) if version >= 103 else 0
            if version >= 200:
                self._text()
        self.stamps = "<u4" if not self.rhs and version < 102 else "<i4"
        self.block = 60 if not self.rhs and version < 200 else 128
        self.channels: dict[int, list[tuple[str, int]]] = {}
        for _ in range(int(self._take("<i2"))):
            self._group()
        self.size = self._at

    def _take(self, kind: str) -> Any:
        dtype = np.dtype(kind)
        value = self._raw[self._at : self._at + dtype.itemsize].view(dtype)[0]
        self._at += dtype.itemsize
        return value

    def _skip(self, n: int) -> None:
        self._at += n

    def _text(self) -> str:
        n = int(self._take("<u4"))
        if n == 0xFFFFFFFF:
            return ""
        part = self._raw[self._at : self._at + n].tobytes()
        self._at += n
        return part.decode("utf-16-le", "replace")

    def _group(self) -> None:
        self._text()
        self._text()
        enabled, count, _ = (int(self._take("<i2")) for _ in range(3))
        for _ in range(count if enabled > 0 else 0):
            name = self._text()
            self._text()
            order, _, kind, on = (int(self._take("<i2")) for _ in range(4))
            self._skip((7 if self.rhs else 6) * 2 + 8)
            if on > 0:
                self.channels.setdefault(kind, []).append((name, order))

    def count(self, kind: int) -> int:
        return len(self.channels.get(kind, ()))


#: Signal type of each stream in .rhd and .rhs headers.
_KINDS = {
    "amplifier": (0, 0), "lowpass": (0, 0), "highpass": (0, 0), "dc_amplifier": (0, 0),
    "stim": (0, 0), "auxiliary": (1, -1), "supply": (2, -1), "adc": (3, 3), "dac": (-1, 4),
    "digital_in": (4, 5), "digital_out": (5, 6),
}  # fmt: skip


class SecondReader:
    """Reads the same streams by other means.

    Parameters
    ----------
    mains : sequence of Path
        The files with headers.
    paths : mapping of str to sequence of Path
        The files of each signal.
    layout : {"blocks", "signals", "channels"}
    zero : int
        Counter at the clock's zero.
    mode : int, optional
        Board mode as the user says.
    """

    def __init__(
        self,
        mains: Sequence[Path],
        paths: Mapping[str, Sequence[Path]],
        layout: str,
        zero: int,
        mode: int | None,
    ) -> None:
        self._mains, self._paths, self._layout = mains, paths, layout
        self._zero, self._mode = zero, mode
        self._saids: dict[Path, _Said] = {}
        self._segments: list[tuple[int, int, int]] | None = None

    def _said(self, path: Path | None = None) -> _Said:
        path = path or self._mains[0]
        if path not in self._saids:
            self._saids[path] = _Said(path)
        return self._saids[path]

    # -------------------------------------------------------------- samples

    def _block(self, said: _Said) -> np.dtype[Any]:
        n, amplifiers = said.block, said.count(0)
        kinds = (3, 4, 5, 6) if said.rhs else (3, -1, 4, 5)
        fields = [("time", said.stamps, (n,)), ("amplifier", "<u2", (amplifiers, n))]
        if said.rhs:
            fields.append(("dc_amplifier", "<u2", (amplifiers if said.dc else 0, n)))
            fields.append(("stim", "<u2", (amplifiers, n)))
        else:
            fields.append(("auxiliary", "<u2", (said.count(1), n // 4)))
            fields.append(("supply", "<u2", (said.count(2), 1)))
            fields.append(("temperature", "<i2", (said.sensors, 1)))
        fields.append(("adc", "<u2", (said.count(kinds[0]), n)))
        fields.append(("dac", "<u2", (said.count(kinds[1]), n)))
        fields.append(("digital_in", "<u2", (min(1, said.count(kinds[2])), n)))
        fields.append(("digital_out", "<u2", (min(1, said.count(kinds[3])), n)))
        return np.dtype(fields)

    def rows(self, stream_id: str, start: int, stop: int) -> AnyArray | None:
        """Rows ``start..stop`` of an array stream."""
        if stream_id not in self._paths:
            return None
        rows = self._raw(stream_id, start, stop)
        if stream_id != "stim":
            return rows
        current = (rows % 256).astype(np.int16)
        return np.where(rows // 256 % 2 == 1, -current, current).astype(np.int16)

    def _raw(self, signal: str, start: int, stop: int) -> AnyArray:
        if self._layout == "blocks":
            return self._from_blocks(signal, start, stop)
        kind = "<i2" if signal in ("amplifier", "lowpass", "highpass") else "<u2"
        paths = self._paths[signal]
        if self._layout == "channels":
            columns = [np.fromfile(p, kind, stop - start, offset=2 * start) for p in paths]
            return np.stack(columns, axis=1)
        said = self._said()
        own = 1 if signal.startswith("digital") else self._width(said, signal)
        width, first = own, 0
        if paths[0].name.lower() == "amplifier.dat" and self._merged():
            width, first = (
                said.count(0) + said.count(1),
                0 if signal == "amplifier" else said.count(0),
            )
            kind = "<i2"
        flat = np.fromfile(paths[0], kind, (stop - start) * width, offset=2 * start * width)
        return flat.reshape(-1, width)[:, first : first + own]

    def _merged(self) -> bool:
        return self._paths.get("auxiliary") == self._paths.get("amplifier")

    def _width(self, said: _Said, signal: str) -> int:
        return said.count(_KINDS[signal][1 if said.rhs else 0])

    def _from_blocks(self, signal: str, start: int, stop: int) -> AnyArray:
        parts, before = [], 0
        for path in self._mains:
            said = self._said(path)
            dtype = self._block(said)
            per_block = dtype[signal].shape[1]
            blocks = (path.stat().st_size - said.size) // dtype.itemsize
            low, high = max(start - before, 0), min(stop - before, blocks * per_block)
            before += blocks * per_block
            if low >= high:
                continue
            first, last = low // per_block, -(-high // per_block)
            found = np.fromfile(
                path, dtype, last - first, offset=said.size + first * dtype.itemsize
            )[signal]
            values = np.concatenate(list(found), axis=1).T
            parts.append(values[low - first * per_block : high - first * per_block])
        if parts:
            return np.concatenate(parts)
        dtype = self._block(self._said())
        return np.empty((0, dtype[signal].shape[0]), dtype[signal].base)

    # -------------------------------------------------------------- scale and times

    def facts(self, stream_id: str) -> dict[str, Any] | None:
        """Gain, offset, rate and segments of an array stream."""
        if stream_id not in self._paths:
            return None
        said = self._said()
        gain, offset = self._scale(stream_id, said)
        factor = self._factor(stream_id, said)
        segments = []
        for first, n, counter in self._stretches():
            a, b = -(-first // factor), -(-(first + n) // factor)
            late = (a * factor - first) / said.rate
            t0 = (counter - self._zero) / said.rate + late
            segments.append(Segment(a, b - a, t0, said.rate / factor))
        return {
            "gain": np.array([gain]),
            "offset": np.array([offset]),
            "rate": said.rate / factor,
            "segments": tuple(segments),
        }

    def _scale(self, signal: str, said: _Said) -> tuple[float, float]:
        if signal in ("amplifier", "lowpass", "highpass"):
            return 1.95e-07, -0.00638976 if self._layout == "blocks" else 0.0
        if signal == "auxiliary":
            return 3.74e-05, 1.2255232 if self._merged() and self._layout == "signals" else 0.0
        if signal in ("adc", "dac"):
            mode = said.mode if self._mode is None else self._mode
            table = {0: (5.0354e-05, 0.0), 1: (1.5259e-04, -5.00006912), 13: (3.125e-04, -10.24)}
            return table[13 if said.rhs else mode]
        if signal == "dc_amplifier":
            return -0.01923, 9.84576
        fixed = {"supply": 7.48e-05, "temperature": 0.01, "stim": said.step}
        return fixed.get(signal, 1.0), 0.0

    def _factor(self, signal: str, said: _Said) -> int:
        if signal == "lowpass":
            width = 1 if self._layout == "channels" else said.count(0)
            rows = self._paths[signal][0].stat().st_size // (2 * width)
            return sum(n for _, n, _ in self._stretches()) // rows
        if self._layout != "blocks":
            return 1
        return {"auxiliary": 4, "supply": said.block, "temperature": said.block}.get(signal, 1)

    def _counters(self) -> Iterator[AnyArray]:
        said = self._said()
        if self._layout != "blocks":
            path = self._mains[0].parent / "time.dat"
            for i in range(0, path.stat().st_size // 4, _CHUNK):
                yield np.fromfile(path, said.stamps, _CHUNK, offset=4 * i).astype(np.int64)
            return
        for path in self._mains:
            said = self._said(path)
            dtype = self._block(said)
            blocks = (path.stat().st_size - said.size) // dtype.itemsize
            step = max(1, (32 << 20) // dtype.itemsize)
            for i in range(0, blocks, step):
                offset = said.size + i * dtype.itemsize
                found = np.fromfile(path, dtype, min(step, blocks - i), offset=offset)
                yield found["time"].ravel().astype(np.int64)

    def _stretches(self) -> list[tuple[int, int, int]]:
        """``(first sample, samples, counter)`` of each stretch."""
        if self._segments is not None:
            return self._segments
        starts: list[tuple[int, int]] = []
        at, expected = 0, None
        for numbers in self._counters():
            turned = (
                numbers
                if expected is None
                else numbers + round((expected - int(numbers[0])) / 2**32) * 2**32
            )
            turned = turned + np.concatenate([[0], np.cumsum(np.diff(turned) < -(2**31)) * 2**32])
            jumps = [0] if expected is None or turned[0] != expected else []
            jumps += (np.nonzero(turned[1:] - turned[:-1] != 1)[0] + 1).tolist()
            starts += [(at + k, int(turned[k])) for k in jumps]
            expected, at = int(turned[-1]) + 1, at + len(turned)
        edges = [first for first, _ in starts] + [at]
        self._segments = [
            (a, b - a, counter)
            for (a, b), (_, counter) in zip(pairwise(edges), starts, strict=True)
        ]
        return self._segments

    # -------------------------------------------------------------- events

    def table(self, stream_id: str) -> dict[str, AnyArray] | None:
        """Rows of an event table, line by line."""
        said = self._said()
        if stream_id == "stim_flags":
            names = self._stim_names(said)
            lines = [
                ({"channel": name, "flag": flag}, "stim", i, bit)
                for i, name in enumerate(names)
                for bit, flag in (
                    (13, "amplifier settle"),
                    (14, "charge recovery"),
                    (15, "compliance limit"),
                )
            ]
        elif stream_id.endswith("_lines"):
            signal = stream_id.removesuffix("_lines")
            listed = said.channels.get(_KINDS[signal][1 if said.rhs else 0], [])
            if self._layout == "channels":
                there = {p.stem.lower() for p in self._paths[signal]}
                listed = [c for c in listed if f"board-{c[0]}".lower() in there]
            lines = [
                (
                    {"line": name},
                    signal,
                    i if self._layout == "channels" else 0,
                    0 if self._layout == "channels" else order,
                )
                for i, (name, order) in enumerate(listed)
            ]
        else:
            return None
        found = self._changes([line[1:] for line in lines]) if lines else []
        found.sort()
        result: dict[str, AnyArray] = {
            "timestamp": np.array([f[0] for f in found], np.int64),
            "duration": np.array([f[2] for f in found], np.int64),
            "value": np.array([f[3] for f in found], np.uint8),
        }
        for name in lines[0][0] if lines else ():
            result[name] = np.array([lines[f[1]][0][name] for f in found], object)
        return result

    def _stim_names(self, said: _Said) -> list[str]:
        names = [name for name, _ in said.channels.get(0, [])]
        if self._layout == "channels":
            there = {p.stem.lower() for p in self._paths["stim"]}
            names = [n for n in names if f"stim-{n}".lower() in there]
        return names

    def _changes(self, lines: Sequence[tuple[str, int, int]]) -> list[tuple[int, int, int, int]]:
        """``(sample, line, samples to the next, level)``; all lines are of one signal."""
        found = []
        for first, n, _ in self._stretches():
            mine: list[list[tuple[int, int]]] = [[] for _ in lines]
            last: list[int] = []
            for at in range(first, first + n, _CHUNK):
                words = self._raw(lines[0][0], at, min(at + _CHUNK, first + n))
                levels = [words[:, column] // 2**bit % 2 for _, column, bit in lines]
                for number, level in enumerate(levels):
                    before = last[number] if last else level[0]
                    turns = np.nonzero(level != np.concatenate([[before], level[:-1]]))[0]
                    mine[number] += [(at + int(k), int(level[k])) for k in turns]
                last = [int(level[-1]) for level in levels]
            for number, changes in enumerate(mine):
                ends = [t for t, _ in changes[1:]]
                for k, (t, value) in enumerate(changes):
                    found.append((t, number, ends[k] - t if k < len(ends) else -1, value))
        return found
