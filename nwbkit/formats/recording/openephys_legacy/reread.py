"""The second, independent reader: struct, re and numpy on the bytes."""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nwbkit.streams import Segment
from nwbkit.streams.kinds import AnyArray


class SecondReader:
    """Reads the same files by other means, sharing no code with what opens a source."""

    def __init__(self) -> None:
        self._kept: dict[Path, AnyArray] = {}

    @staticmethod
    def _said(path: Path, name: str) -> str:
        with open(path, "rb") as f:
            text = f.read(1024).decode("latin-1")
        found = re.search(rf"header\.{name} = '?([^';\n]*)", text)
        return found[1] if found else ""

    def _size(self, path: Path) -> int:
        """Bytes of a record: where the first marker ends."""
        with open(path, "rb") as f:
            f.seek(1024)
            raw = f.read(2100)
        return raw.index(bytes([0, 1, 2, 3, 4, 5, 6, 7, 8, 255])) + 10 if raw else 2070

    def _heads(self, path: Path) -> tuple[list[int], list[int]]:
        size = self._size(path)
        n = (path.stat().st_size - 1024) // size
        ticks, numbers = [], []
        with open(path, "rb") as f:
            for k in range(n):
                f.seek(1024 + k * size)
                tick, _, number = struct.unpack("<qHH", f.read(12))
                ticks.append(tick)
                numbers.append(number if size == 2070 else 0)
        return ticks, numbers

    def _keep(self, path: Path) -> AnyArray:
        """``(first row, record, rows)`` of each record."""
        if path not in self._kept:
            ticks, _ = self._heads(path)
            rows, at = [], 0
            for k, tick in enumerate(ticks):
                n = 1024
                if k + 1 < len(ticks) and 0 < ticks[k + 1] - tick < 1024:
                    n = ticks[k + 1] - tick
                rows.append((at, k, n))
                at += n
            self._kept[path] = np.array(rows, np.int64).reshape(-1, 3)
        return self._kept[path]

    def rows(self, paths: Sequence[Path], start: int, stop: int) -> AnyArray:
        """Rows ``start..stop``, one column a file."""
        kept = self._keep(paths[0])
        mine = kept[(kept[:, 0] < stop) & (kept[:, 0] + kept[:, 2] > start)]
        found = np.empty((stop - start, len(paths)), "<i2")
        for column, path in enumerate(paths):
            size = self._size(path)
            if not len(mine):
                break
            first, last = int(mine[0, 1]), int(mine[-1, 1])
            raw = np.fromfile(
                path, "u1", count=(last - first + 1) * size, offset=1024 + first * size
            )
            raw = raw.reshape(-1, size)[:, size - 2058 : size - 10]
            values = np.ascontiguousarray(raw).view(">i2")
            for row, record, n in mine.tolist():
                low, high = max(start, row), min(stop, row + n)
                found[low - start : high - start, column] = values[
                    record - first, low - row : high - row
                ]
        return found

    def facts(self, paths: Sequence[Path], analog: bool) -> dict[str, Any] | None:
        """Gain, offset, rate and segments."""
        rate = float(self._said(paths[0], "sampleRate"))
        gains = []
        for path in paths:
            value = float(self._said(path, "bitVolts"))
            gains.append(value if analog and value * 32768 <= 100 else value * 1e-6)
        ticks, numbers = self._heads(paths[0])
        if not ticks or len(ticks) > 1_000_000:
            return None
        segments: list[Segment] = []
        for (row, k, n), tick in zip(self._keep(paths[0]).tolist(), ticks, strict=True):
            joined = k and tick == ticks[k - 1] + 1024 and numbers[k] == numbers[k - 1]
            if joined:
                last = segments.pop()
                segments.append(Segment(last.first_sample, last.n_samples + n, last.t0, last.rate))
            else:
                segments.append(Segment(row, n, (tick - ticks[0]) / rate, rate))
        return {
            "gain": np.array(gains[:1] if analog else gains),
            "offset": np.zeros(1),
            "rate": rate,
            "segments": tuple(segments),
        }

    def ttl(self, path: Path, channel: Path) -> dict[str, AnyArray]:
        """Columns of TTL changes."""
        with open(channel, "rb") as f:
            f.seek(1024)
            zero = int.from_bytes(f.read(8), "little", signed=True)
        raw = path.read_bytes()[1024:]
        rows = [r for r in struct.iter_unpack("<qhBBBBH", raw[: len(raw) // 16 * 16]) if r[2] == 3]
        after: dict[tuple[int, int, int], int] = {}
        durations = [-1] * len(rows)
        for k in range(len(rows) - 1, -1, -1):
            tick, _, _, processor, _, line, recording = rows[k]
            later = after.get((processor, line, recording))
            durations[k] = later - tick if later is not None and later >= tick else -1
            after[processor, line, recording] = tick
        return {
            "timestamp": np.array([r[0] - zero for r in rows], np.int64),
            "duration": np.array(durations, np.int64),
            "line": np.array([f"TTL{r[5] + 1}" for r in rows], object),
            "value": np.array([r[4] > 0 for r in rows], np.uint8),
            "processor": np.array([r[3] for r in rows], np.uint8),
        }
