"""The second, independent reader: numpy on bytes and a header parser of its own.

``nwbkit verify --against`` compares a finished file with what this module reads, so it
shares no code with what opens a source: neither the parser, nor the layout, nor the
gains, nor the order and times of triggers.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from nwbkit.formats.io.flat import reread_rows
from nwbkit.streams.kinds import AnyArray
from nwbkit.streams.timebase import Segment

_WORD = np.dtype("<i2")
_FIXED = {"21": 80, "24": 80, "2003": 100, "2013": 100, "2020": 100, "2021": 100}
_FIXED |= {"3010": 100, "3020": 100, "3022": 100}
_BITS = {"21": 8192, "24": 8192, "2003": 2048, "2013": 2048, "2020": 2048, "2021": 2048}
_BITS |= {"3010": 2048, "3020": 2048, "3022": 2048}


def _said(meta: Path) -> dict[str, str]:
    text = meta.read_bytes().decode("latin-1").removeprefix("\xef\xbb\xbf")
    return dict(re.findall(r"(?:^|[\r\n])[~ ]*([^=\r\n]+)=([^\r\n]*)", text))


@dataclass(frozen=True)
class Wanted:
    """Which columns of which files make a stream.

    Parameters
    ----------
    bins : tuple of Path
        The triggers, in any order; a .meta lies beside each.
    companions : tuple of Path
        Every other .bin of the same device, for the clock's zero.
    kinds : tuple of str
        ``AP``, ``LF``, ``SY``, ``MN``, ``MA``, ``XA``, ``XD``.
    """

    bins: tuple[Path, ...]
    companions: tuple[Path, ...]
    kinds: tuple[str, ...]


class SecondReader:
    """Reads the same streams as the Reader, by other means.

    Parameters
    ----------
    wanted : dict of str to Wanted
        By stream id.
    """

    def __init__(self, wanted: dict[str, Wanted]) -> None:
        self._wanted = wanted
        self._headers: dict[Path, dict[str, str]] = {}

    def _header(self, path: Path) -> dict[str, str]:
        if path not in self._headers:
            metas = [path.with_suffix(s) for s in (".meta", ".META")]
            self._headers[path] = _said(next(m for m in metas if m.exists()))
        return self._headers[path]

    def _ordered(self, wanted: Wanted) -> list[tuple[Path, int, int]]:
        width = int(self._header(wanted.bins[0])["nSavedChans"]) * 2
        files = [(path, os.path.getsize(path) // width, 0) for path in wanted.bins]
        return sorted(files, key=lambda f: int(self._header(f[0]).get("firstSample") or 0))

    def _counts(self, wanted: Wanted) -> dict[str, int]:
        said = self._header(wanted.bins[0])
        for key, kinds in (
            ("snsApLfSy", ("AP", "LF", "SY")),
            ("snsMnMaXaDw", ("MN", "MA", "XA", "XD")),
            ("snsXaDwSy", ("XA", "XD", "SY")),
        ):
            if key in said:
                return dict(zip(kinds, map(int, said[key].split(",")), strict=True))
        return {}

    def _columns(self, wanted: Wanted) -> AnyArray:
        every = np.repeat(list(self._counts(wanted)), list(self._counts(wanted).values()))
        return np.flatnonzero(np.isin(every, wanted.kinds))

    def rows(self, stream_id: str, start: int, stop: int) -> AnyArray:
        """Rows ``start..stop`` of an array stream."""
        wanted = self._wanted[stream_id]
        width = int(self._header(wanted.bins[0])["nSavedChans"])
        rows = reread_rows(self._ordered(wanted), _WORD, width, start, stop)
        return np.ascontiguousarray(rows[:, self._columns(wanted)])

    def facts(self, stream_id: str) -> dict[str, Any]:
        """Gain, offset, rate and segments of an array stream."""
        wanted = self._wanted[stream_id]
        said = self._header(wanted.bins[0])
        gain = self._gain(wanted, said)
        return {
            "gain": gain,
            "offset": np.zeros(1),
            "rate": _rate(said),
            "segments": self._segments(wanted),
        }

    def _gain(self, wanted: Wanted, said: dict[str, str]) -> AnyArray:
        kind = wanted.kinds[0]
        if kind in ("SY", "XD"):
            return np.ones(1)
        if kind in ("AP", "LF"):
            return _imec_gain(said, kind)
        gains = []
        for name in wanted.kinds:
            amplified = 1.0 if name == "XA" else float(said[f"ni{name}Gain"])
            top = float(said["obAiRangeMax" if "obAiRangeMax" in said else "niAiRangeMax"])
            full = int(said.get("obMaxInt") or said.get("niMaxInt") or 32768)
            gains += [top / full / amplified] * self._counts(wanted)[name]
        return np.array(gains)

    def _segments(self, wanted: Wanted) -> tuple[Segment, ...]:
        def ticks(path: Path) -> Fraction:
            # in AP samples where the device has an AP file, else in its own
            said = self._header(path)
            steps = 12 if with_ap and said["snsApLfSy"].startswith("0,") else 1
            return Fraction(int(said.get("firstSample") or 0) * steps)

        everything = [*wanted.bins, *wanted.companions]
        ap = [p for p in everything if not self._header(p).get("snsApLfSy", "0,").startswith("0,")]
        rates = {_rate(self._header(p)) for p in everything}
        with_ap = bool(ap) and max(rates) > 11 * min(rates)
        per_second = Fraction(_rate(self._header(ap[0] if with_ap else wanted.bins[0])))
        zero = min(ticks(p) for p in everything)
        segments, at = [], 0
        for path, rows, _ in self._ordered(wanted):
            t0 = float((ticks(path) - zero) / per_second)
            segments.append(Segment(at, rows, t0, _rate(self._header(path))))
            at += rows
        return tuple(segments)

    def table(self, stream_id: str, names: Sequence[str]) -> dict[str, AnyArray]:
        """Changes of digital lines, found by unpacking every bit of every sample."""
        wanted = self._wanted[stream_id]
        segments = self._segments(wanted)
        rows: list[tuple[int, int, int, int]] = []
        last: dict[int, tuple[int, int]] = {}  # bit -> row in `rows`, sample
        level: AnyArray | None = None
        for number, segment in enumerate(segments):
            paused = number == 0 or segment.t0 - segments[number - 1].end > 0.1 / segment.rate
            if paused:
                level, last = None, {}
            stop = segment.first_sample + segment.n_samples
            for start in range(segment.first_sample, stop, 1 << 19):
                words = self.rows(stream_id, start, min(start + (1 << 19), stop))
                bits = np.unpackbits(
                    words.astype("<u2").view(np.uint8), axis=1, bitorder="little"
                ).astype(np.int8)
                before = bits[:1] if level is None else level
                at, which = np.nonzero(np.diff(bits, axis=0, prepend=before))
                for sample, bit in zip((at + start).tolist(), which.tolist(), strict=True):
                    if bit in last:
                        row, since = last[bit]
                        rows[row] = (*rows[row][:3], sample - since)
                    last[bit] = (len(rows), sample)
                    rows.append((sample, bit, int(bits[sample - start, bit]), -1))
                level = bits[-1:]
        changes = np.array(rows, np.int64).reshape(-1, 4)
        return {
            "timestamp": changes[:, 0],
            "duration": changes[:, 3],
            "line": np.array([names[b] for b in changes[:, 1]], object),
            "value": changes[:, 2].astype(np.uint8),
        }


def _rate(said: dict[str, str]) -> float:
    return float(next(said[k] for k in ("imSampRate", "niSampRate", "obSampRate") if k in said))


def _imec_gain(said: dict[str, str], kind: str) -> AnyArray:
    table = said.get("imroTbl", "()").strip("()").split(")(")
    head, entries = table[0].split(","), [e.split() for e in table[1:]]
    probe = said.get("imDatPrb_type") or head[0].removeprefix("NP")
    n_ap, n_lf, n_sy = map(int, said["snsApLfSy"].split(","))
    n = n_ap if kind == "AP" else n_lf
    place = 3 if kind == "AP" else 4
    if "imProbeOpt" not in said and probe in _FIXED:
        shared = said.get("imChan0apGain") if kind == "AP" else said.get("imChan0lfGain")
        shared = shared or said.get("imChan0apGain")
        gains = np.full(n, float(shared or _FIXED[probe]))
        full = int(said.get("imMaxInt") or _BITS[probe])
    else:
        full = int(said.get("imMaxInt") or 512)
        if len(head) == 6:
            gains = np.full(n, float(head[place]))
        else:
            by_channel = {int(e[0]): float(e[place]) for e in entries}
            first = 0 if kind == "AP" else int(said["acqApLfSy"].split(",")[0])
            text = said.get("snsSaveChanSubset", "all")
            acquired = sum(map(int, said["acqApLfSy"].split(",")))
            spans = [f"0:{acquired - 1}"] if text == "all" else text.split(",")
            saved = [
                c
                for span in spans
                for c in range(int(span.split(":")[0]), int(span.split(":")[-1]) + 1)
            ]
            gains = np.array([by_channel[c - first] for c in saved[: len(saved) - n_sy]])
    return np.array([float(said["imAiRangeMax"]) / full / g for g in gains])
