"""The second, independent reader: numpy on bytes and the JSON of structure.oebin.

It shares no code with what opens a source: neither the header, nor the sizes, nor the
kinds and scales of channels, nor jumps, nor the zero of a clock.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from nwbkit.streams import Segment
from nwbkit.streams.kinds import AnyArray


@dataclass(frozen=True)
class Place:
    """A continuous stream of one recording: its structure.oebin and its folder."""

    oebin: Path
    folder: Path


@dataclass(frozen=True)
class Wanted:
    """What makes a stream.

    Parameters
    ----------
    places : tuple of Place
        In order.
    names : tuple of str
        Of its channels.
    unit : {"electrode", "input", "word"}
    clock : tuple of (Place, bool)
        First place of every stream on the same clock, and whether seconds make its times.
    synchronised : bool
        Whether seconds make the times.
    regular : bool
        Whether segments say the times.
    folders : tuple of Path
        Of events.
    first : int, optional
        Sample number that events without a continuous stream count from.
    """

    places: tuple[Place, ...] = ()
    names: tuple[str, ...] = ()
    unit: str = "electrode"
    clock: tuple[tuple[Place, bool], ...] = ()
    synchronised: bool = False
    regular: bool = True
    folders: tuple[Path, ...] = ()
    first: int | None = None


def _entry(place: Place) -> dict[str, Any]:
    said = json.loads(place.oebin.read_bytes().decode("utf-8", "replace"))
    wanted = place.folder.name
    return next(c for c in said["continuous"] if c["folder_name"].rstrip("/\\") == wanted)


def _load(path: Path) -> AnyArray:
    loaded: AnyArray = np.load(path, allow_pickle=False)
    return loaded


def _numbers(folder: Path) -> AnyArray | None:
    for name in ("sample_numbers.npy", "timestamps.npy"):
        if (folder / name).exists():
            found = _load(folder / name)
            return found if found.dtype.kind in "iu" else None
    return None


def _seconds(folder: Path) -> AnyArray | None:
    for name in ("timestamps.npy", "synchronized_timestamps.npy"):
        if (folder / name).exists():
            found = _load(folder / name)
            if found.dtype.kind == "f":
                return found
    return None


class SecondReader:
    """Reads the same streams as the Reader, by other means.

    Parameters
    ----------
    wanted : dict of str to Wanted
        By stream id.
    """

    def __init__(self, wanted: dict[str, Wanted]) -> None:
        self._wanted = wanted

    def rows(self, stream_id: str, start: int, stop: int) -> AnyArray:
        """Rows ``start..stop`` of an array stream."""
        wanted = self._wanted[stream_id]
        parts, before = [], 0
        for place in wanted.places:
            every = [c["channel_name"] for c in _entry(place)["channels"]]
            columns = [every.index(name) for name in wanted.names]
            n = self._length(place, len(every))
            low, high = max(start - before, 0), min(stop - before, n)
            before += n
            if low < high:
                flat = np.fromfile(
                    place.folder / "continuous.dat",
                    "<i2",
                    count=(high - low) * len(every),
                    offset=low * len(every) * 2,
                )
                parts.append(flat.reshape(-1, len(every))[:, columns])
        if not parts:
            return np.empty((0, len(wanted.names)), "<i2")
        return np.ascontiguousarray(np.concatenate(parts))

    def _length(self, place: Place, width: int) -> int:
        held = (place.folder / "continuous.dat").stat().st_size // (2 * width)
        numbers = _numbers(place.folder)
        return held if numbers is None else min(held, len(numbers))

    def facts(self, stream_id: str) -> dict[str, Any] | None:
        """Gain, offset, rate and segments of an array stream; None where times are irregular."""
        wanted = self._wanted[stream_id]
        if not wanted.regular or any(_numbers(p.folder) is None for p in wanted.places):
            return None
        channels = {c["channel_name"]: c for c in _entry(wanted.places[0])["channels"]}
        gain = [_volts(channels[name], wanted.unit) for name in wanted.names]
        segments = self._segments(wanted)
        return {
            "gain": np.array(gain),
            "offset": np.zeros(1),
            "rate": segments[0].rate,
            "segments": segments,
        }

    def _zero(self, wanted: Wanted) -> Fraction:
        firsts = []
        for place, synchronised in wanted.clock:
            seconds, numbers = _seconds(place.folder), _numbers(place.folder)
            if synchronised and seconds is not None:
                firsts.append(Fraction(float(seconds[0])))
            elif numbers is not None:
                firsts.append(Fraction(int(numbers[0])) / Fraction(_entry(place)["sample_rate"]))
        return min(firsts, default=Fraction(0))

    def _segments(self, wanted: Wanted) -> tuple[Segment, ...]:
        zero, before = self._zero(wanted), 0
        found = []
        for place in wanted.places:
            entry = _entry(place)
            rate = float(entry["sample_rate"])
            n = self._length(place, len(entry["channels"]))
            numbers = _numbers(place.folder)
            assert numbers is not None
            cuts = [0, *(np.nonzero(numbers[1:n] - numbers[: n - 1] != 1)[0] + 1), n]
            seconds = _seconds(place.folder) if wanted.synchronised else None
            for a, b in pairwise(cuts):
                t0, r = float(Fraction(int(numbers[a])) / Fraction(rate) - zero), rate
                if seconds is not None:
                    t0, r = float(seconds[a]) - float(zero), _rate_of(seconds[a:b], rate)
                found.append(Segment(before + int(a), int(b - a), t0, r))
            before += n
        return tuple(found)

    def table(self, stream_id: str) -> dict[str, AnyArray]:
        """Events of a table, one file after the other."""
        wanted = self._wanted[stream_id]
        rows: list[tuple[Any, ...]] = []
        for recording, folder in enumerate(wanted.folders):
            rows += self._events(wanted, folder, recording)
        if wanted.unit == "text":
            return {
                "timestamp": np.array([r[1] for r in rows]),
                "message": np.array([r[2] for r in rows], object),
            }
        until: list[Any] = [None] * len(rows)
        after: dict[tuple[int, int], Any] = {}
        for i in range(len(rows) - 1, -1, -1):
            recording, time, state, _ = rows[i]
            later = after.get((recording, abs(state)))
            until[i] = later if later is not None and later >= time else None
            after[recording, abs(state)] = time
        unknown = np.nan if wanted.synchronised else -1
        return {
            "timestamp": np.array([r[1] for r in rows]),
            "duration": np.array(
                [unknown if u is None else u - r[1] for u, r in zip(until, rows, strict=True)]
            ),
            "line": np.array([f"TTL{abs(r[2])}" for r in rows], object),
            "value": np.array([r[2] > 0 for r in rows], np.uint8),
            "full_word": np.array([r[3] for r in rows], np.uint64),
        }

    def _events(self, wanted: Wanted, folder: Path, recording: int) -> list[tuple[Any, ...]]:
        numbers, seconds = _numbers(folder), _seconds(folder)
        assert numbers is not None
        if wanted.synchronised and seconds is not None:
            times: AnyArray = seconds - float(self._zero(wanted))
        else:
            held = _numbers(wanted.places[0].folder) if wanted.places else None
            first = wanted.first if held is None else int(held[0])
            times = numbers.astype(np.int64) - (first or 0)
        if wanted.unit == "text":
            texts = [t.decode("utf-8", "replace") for t in _load(folder / "text.npy").tolist()]
            return [(recording, t, text) for t, text in zip(times, texts, strict=False)]
        name = "states.npy" if (folder / "states.npy").exists() else "channel_states.npy"
        states = _load(folder / name)
        words = folder / "full_words.npy"
        bits: Any = _load(words) if words.exists() else np.zeros(len(states), np.uint64)
        if bits.ndim == 2:
            bits = [int.from_bytes(bytes(row.tolist()), "little") for row in bits]
        return [
            (recording, t, int(s), int(w)) for t, s, w in zip(times, states, bits, strict=False)
        ]


def _rate_of(seconds: AnyArray, nominal: float) -> float:
    index = np.arange(len(seconds))
    near = np.abs(seconds - seconds[0] - index / nominal).max()
    if near <= min(1e-6, 0.1 / nominal) or len(seconds) < 2:
        return nominal
    return float((len(seconds) - 1) / (seconds[-1] - seconds[0]))


def _volts(said: dict[str, Any], unit: str) -> float:
    if unit == "word":
        return 1.0
    per = {"": None, "V": 1.0, "mV": 1e-3, "uV": 1e-6}[said.get("units") or ""]
    if unit == "electrode":
        return float(said["bit_volts"] * (1e-6 if per is None else per))
    if per is None or (per == 1e-6 and said["bit_volts"] < 100 / 32768):
        per = 1.0
    return float(said["bit_volts"] * per)
