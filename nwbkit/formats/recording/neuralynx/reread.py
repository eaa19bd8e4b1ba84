"""The second, independent reader: numpy.fromfile and struct on bytes, headers by regex.

It shares no code with what opens a source: neither the header nor the record layouts, nor
how gaps and rates are found.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from nwbkit.streams import Segment
from nwbkit.streams.kinds import AnyArray


@dataclass(frozen=True)
class Wanted:
    """What makes a stream.

    Parameters
    ----------
    kind : {"signal", "events", "spikes"}
    members : tuple of (str, tuple of Path)
        Name and files of each channel or entity.
    given : float, optional
        Volts a count where the header does not say.
    regular : bool
        Whether segments say the times.
    """

    kind: str
    members: tuple[tuple[str, tuple[Path, ...]], ...]
    given: float | None = None
    regular: bool = True


def _said(path: Path, key: str) -> str | None:
    with open(path, "rb") as f:
        raw = f.read(16384)
    found = re.search(rb"^\s*-%s[ \t]+([^\r\n\0]*)" % key.encode(), raw, re.MULTILINE)
    if found is None:
        return None
    text = "".join(c if c.isprintable() else " " for c in found[1].decode("latin-1"))
    return text.strip().strip('"')


def _words(path: Path) -> Iterator[AnyArray]:
    """A .ncs file as rows of 522 words of 16 bits, some megabytes at a time."""
    whole = (path.stat().st_size - 16384) // 1044
    for k in range(0, whole, 5000):
        count = min(5000, whole - k)
        raw = np.fromfile(path, "<i2", count * 522, offset=16384 + k * 1044)
        yield raw.reshape(count, 522)


def _heads(path: Path) -> tuple[AnyArray, AnyArray, AnyArray]:
    """Time, rate and valid samples of every record, as int64."""
    parts = [w[:, :10].astype(np.uint16).astype(np.int64) for w in _words(path)]
    words = np.concatenate([np.empty((0, 10), np.int64), *parts])
    times = words[:, 0] + (words[:, 1] << 16) + (words[:, 2] << 32) + (words[:, 3] << 48)
    return times, words[:, 6] + (words[:, 7] << 16), words[:, 8] + (words[:, 9] << 16)


class SecondReader:
    """Reads the same streams as the Reader, by other means.

    Parameters
    ----------
    wanted : dict of str to Wanted
        By stream id.
    stamped : sequence of Path
        Every file whose records share the clock.
    videos : sequence of Path
        Video files that do as well.
    """

    def __init__(
        self, wanted: dict[str, Wanted], stamped: Sequence[Path], videos: Sequence[Path]
    ) -> None:
        self._wanted = wanted
        self._stamped = (*stamped, *videos)
        self.known_zero: int | None = None
        self._stops: dict[Path, AnyArray] = {}

    def zero(self) -> int:
        """The earliest timestamp of all files, microseconds."""
        if self.known_zero is None:
            firsts = [t for path in self._stamped if (t := _earliest(path)) is not None]
            self.known_zero = min(firsts)
        return self.known_zero

    def rows(self, stream_id: str, start: int, stop: int) -> AnyArray:
        """Rows ``start..stop`` of an array stream."""
        members = self._wanted[stream_id].members
        columns = [self._samples(files, start, stop) for _, files in members]
        return np.ascontiguousarray(np.stack(columns, axis=1))

    def _samples(self, files: Sequence[Path], start: int, stop: int) -> AnyArray:
        """Samples ``start..stop`` of a channel, file after file."""
        found, before = [np.empty(0, "<i2")], 0
        for path in files:
            if path not in self._stops:
                self._stops[path] = np.cumsum(_heads(path)[2])
            stops = before + self._stops[path]
            a = int(np.searchsorted(stops, start, "right"))
            b = min(int(np.searchsorted(stops, stop, "left")) + 1, len(stops))
            if a < b:
                raw = np.fromfile(path, "<i2", (b - a) * 522, offset=16384 + a * 1044)
                rows = raw.reshape(-1, 522)
                each = [row[10 : 10 + int(row[8])] for row in rows]
                flat = np.concatenate(each)
                skip = int(stops[a]) - len(each[0])
                found.append(flat[max(start - skip, 0) : stop - skip])
            before = int(stops[-1]) if len(stops) else before
        return np.concatenate(found)

    def facts(self, stream_id: str) -> dict[str, Any] | None:
        """Gain, rate and segments; None where times are those of the records."""
        wanted = self._wanted[stream_id]
        if not wanted.regular:
            return None
        gain = []
        for _, files in wanted.members:
            said = _said(files[0], "ADBitVolts")
            volts = float(said.replace(",", ".")) if said else float(wanted.given or np.nan)
            gain.append(-volts if (_said(files[0], "InputInverted") or "") == "True" else volts)
        files = wanted.members[0][1]
        heads = [_heads(path) for path in files]
        times, rates, valid = (np.concatenate(part) for part in zip(*heads, strict=True))
        times, rates, valid = times[valid > 0], rates[valid > 0], valid[valid > 0]
        said = _said(files[0], "SamplingFrequency")
        stated = float(said.replace(",", ".")) if said else float(rates[0])
        old = _said(files[0], "NLX_Base_Class_Type") == "CscAcqEnt"
        segments = _segments(times, valid, stated, old, self.zero())
        return {
            "gain": np.array(gain),
            "offset": np.zeros(1),
            "rate": segments[0].rate,
            "segments": segments,
        }

    def table(self, stream_id: str) -> dict[str, AnyArray]:
        """Events, or spikes as ``unit`` and ``time``."""
        wanted = self._wanted[stream_id]
        if wanted.kind == "spikes":
            return self._spikes(wanted)
        rows = list(_events(wanted.members[0][1][0]))
        rows.sort(key=lambda r: r[0])
        return {
            "timestamp": np.array([(r[0] - self.zero()) / 1e6 for r in rows]),
            "ttl": np.array([r[1] for r in rows], np.uint16),
            "event_id": np.array([r[2] for r in rows], np.int16),
            "label": np.array([r[3] for r in rows], object),
        }

    def _spikes(self, wanted: Wanted) -> dict[str, AnyArray]:
        units, times = [], []
        for name, files in wanted.members:
            for path in files:
                stamps, cells = _stamps_and_cells(path)
                known, which = np.unique(cells, return_inverse=True)
                units.append(np.array([f"{name}_{cell}" for cell in known.tolist()])[which])
                times.append((stamps - self.zero()) / 1e6)
        return {"unit": np.concatenate(units), "time": np.concatenate(times)}


def _stamps_and_cells(path: Path) -> tuple[AnyArray, AnyArray]:
    """Timestamp and cell of each spike."""
    size = _spike_bytes(path)
    raw = np.fromfile(path, np.uint8, offset=16384)
    rows = raw[: len(raw) // size * size].reshape(-1, size)
    stamps = np.ascontiguousarray(rows[:, :8]).view("<i8")[:, 0]
    return stamps, np.ascontiguousarray(rows[:, 12:16]).view("<u4")[:, 0]


def _earliest(path: Path) -> int | None:
    suffix = path.suffix.lower()
    if suffix == ".ncs":
        times, _, valid = _heads(path)
        return int(times[valid > 0][0]) if valid.any() else None
    if suffix == ".nvt":
        return int(np.fromfile(path, "<u2", 7, offset=16384)[3:7].copy().view("<u8")[0])
    if suffix == ".nev":
        found = [t for t, *_ in _events(path) if t]
        return min(found, default=None)
    stamps = _stamps_and_cells(path)[0]
    return int(stamps.min()) if len(stamps) else None


def _spike_bytes(path: Path) -> int:
    wires = {"nse": 1, "nst": 2, "ntt": 4}[path.suffix.lower()[1:]]
    length, size = _said(path, "WaveformLength"), _said(path, "RecordSize")
    if size:
        return int(size)
    return 48 + 2 * wires * int(length or 32)


def _events(path: Path) -> Any:
    """``(time, ttl, id, text)`` of each record."""
    body = path.read_bytes()[16384:]
    layout = struct.Struct("<3hQhH3h8i128s")
    for parts in layout.iter_unpack(body[: len(body) // layout.size * layout.size]):
        raw = parts[-1].partition(b"\0")[0]
        try:
            text = raw.decode()
        except UnicodeDecodeError:
            text = raw.decode("latin-1")
        text = "".join(" " if not c.isprintable() else c for c in text)
        yield parts[3], parts[5], parts[4], text.strip()


def _segments(
    times: AnyArray, valid: AnyArray, stated: float, old: bool, zero: int
) -> tuple[Segment, ...]:
    """Stretches without a gap, and the rate of each, one record after the other."""
    whole = 1e6 / max(1, int(1e6 / stated))
    step = 1e6 / (whole if old else stated)
    full = [int(b - a) for a, b, n in zip(times, times[1:], valid, strict=False) if n == 512]
    if full:
        middle = float(np.median(full)) / 512
        near = max(0.002, 0.5 / stated)
        if abs(middle / step - 1) <= near or abs(middle * stated / 1e6 - 1) <= near:
            step = middle
    apart = np.abs(np.diff(times) - valid[:-1] * step)
    edges = [0, *(np.flatnonzero(apart > 2) + 1).tolist(), len(times)]
    runs = [slice(a, b) for a, b in pairwise(edges)]

    def near_enough(run: slice, rate: float) -> bool:
        counted = np.concatenate([[0], np.cumsum(valid[run])[:-1]])
        off = np.abs(times[run] - times[run][0] - counted / rate * 1e6)
        return bool(off.max() <= min(1.0, 1e5 / rate) + 1e-3)

    def own(run: slice) -> float | None:
        if run.stop - run.start < 2:
            return None
        return int(valid[run][:-1].sum()) * 1e6 / int(times[run][-1] - times[run][0])

    longest = max(runs, key=lambda r: r.stop - r.start)
    single = [
        r for r in ([whole] if old else []) + [stated] if all(near_enough(s, r) for s in runs)
    ]
    found, first = [], 0
    for run in runs:
        choices = [single[0]] if single else [own(longest) or stated, own(run) or stated]
        rate = next((r for r in choices if near_enough(run, r)), choices[-1])
        count = int(valid[run].sum())
        found.append(Segment(first, count, (int(times[run][0]) - zero) / 1e6, rate))
        first += count
    return tuple(found)
