"""Digital lines as events: every change of every saved line, on the stream's own timebase.

Source: SpikeGLX metadata guide (``niXDBytes1``, "If Using TTL Trigger"): digital words are
the last 16-bit words of a sample, line 0 the lowest bit of the first; lines of a second
NI device begin at bit ``8 * niXDBytes1``. Bit 6 of a probe's SY word is the sync line.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nwbkit.streams import Column, Segment, Table
from nwbkit.streams.kinds import AnyArray, Array

WORD_BITS = 16
#: Bytes scanned at once.
SCAN_BYTES = 16 << 20

COLUMNS = (
    Column("timestamp", "timestamp", "samples", "when the line changed"),
    Column(
        "duration",
        "duration",
        "samples",
        "how long the line kept this level; unknown where the recording ends or pauses first",
    ),
    Column("line", "label", "", "which digital line changed"),
    Column("value", "value", "", "level after the change", {0: "low", 1: "high"}),
)


@dataclass(kw_only=True)
class LineEvents(Table):
    """Changes of digital lines, found by scanning the words in bounded blocks.

    One row per change, ordered by sample, then line. A line that is high when recording
    begins has no rising edge in the file and so none here; a change during a pause between
    triggers is not placed, since nobody knows when it was.

    Parameters
    ----------
    words : Array
        Whole rows; `word_columns` of them are digital words.
    word_columns : tuple of int
    lines : tuple of tuple of str
        Per word the names of its 16 bits.
    """

    words: Array
    word_columns: tuple[int, ...]
    lines: tuple[tuple[str, ...], ...]

    def read(self) -> dict[str, AnyArray]:
        """All changes: timestamp, duration (int64 samples, -1 unknown), line, value."""
        samples, bits, values = self._changes()
        order = np.lexsort((bits, samples))
        samples, bits, values = samples[order], bits[order], values[order]
        assert self.timebase is not None
        names = np.array([n for word in self.lines for n in word], dtype=object)
        return {
            "timestamp": samples,
            "duration": _durations(samples, bits, stretches(self.timebase.segments)),
            "line": names[bits] if names.size else np.empty(0, object),
            "value": values,
        }

    def _changes(
        self,
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.uint8]]:
        row = self.words.dtype.itemsize * self.words.shape[1]
        step = max(1, SCAN_BYTES // row)
        parts: list[tuple[AnyArray, AnyArray, AnyArray]] = []
        assert self.timebase is not None
        for first, stop in stretches(self.timebase.segments):
            last: AnyArray | None = None
            for start in range(first, stop, step):
                block = self.words.read(start, min(start + step, stop))
                words = block[:, list(self.word_columns)].view(np.uint16)
                parts += _edges(words, last, start)
                last = words[-1].copy()
        if not parts:
            empty = np.empty(0, np.int64)
            return empty, empty.copy(), np.empty(0, np.uint8)
        samples, bits, values = (np.concatenate(p) for p in zip(*parts, strict=True))
        return samples, bits, values


def stretches(segments: Sequence[Segment]) -> list[tuple[int, int]]:
    """Runs of samples ``(first, stop)`` without a pause; adjoining triggers are one."""
    found: list[tuple[int, int]] = []
    end = 0.0
    for segment in segments:
        if not segment.n_samples:
            continue
        if found and abs(segment.t0 - end) < 0.1 / segment.rate:
            found[-1] = (found[-1][0], segment.stop_sample)
        else:
            found.append((segment.first_sample, segment.stop_sample))
        end = segment.end
    return found


def _edges(
    words: AnyArray, last: AnyArray | None, start: int
) -> list[tuple[AnyArray, AnyArray, AnyArray]]:
    """Changes within a block, and from the word before it, as (sample, bit, level)."""
    found = []
    before = words[:1] if last is None else last[np.newaxis]
    for column in range(words.shape[1]):
        now = words[:, column]
        changed = np.empty_like(now)
        changed[0] = now[0] ^ before[0, column]
        np.bitwise_xor(now[1:], now[:-1], out=changed[1:])
        rows = np.flatnonzero(changed)
        if not rows.size:
            continue
        toggled, level = changed[rows], now[rows]
        for bit in range(WORD_BITS):
            hit = np.flatnonzero(toggled >> bit & 1)
            if hit.size:
                at = rows[hit].astype(np.int64) + start
                which = np.full(at.size, column * WORD_BITS + bit, np.int64)
                found.append((at, which, (level[hit] >> bit & 1).astype(np.uint8)))
    return found


def _durations(
    samples: npt.NDArray[np.int64],
    bits: npt.NDArray[np.int64],
    runs: Sequence[tuple[int, int]],
) -> npt.NDArray[np.int64]:
    """Samples until the same line changes again; -1 where it does not within the run."""
    durations = np.full(samples.shape, -1, np.int64)
    firsts = np.array([first for first, _ in runs], np.int64)
    run = np.searchsorted(firsts, samples, side="right")
    for bit in np.unique(bits):
        mine = np.flatnonzero(bits == bit)
        gaps = np.diff(samples[mine])
        gaps[run[mine[1:]] != run[mine[:-1]]] = -1
        durations[mine[:-1]] = gaps
    return durations


def line_names(kind: str, words: Sequence[int]) -> tuple[tuple[str, ...], ...]:
    """Names of the bits of digital words: ``XD5``; of sync words ``SY0.6``."""
    if kind == "XD":
        return tuple(tuple(f"XD{WORD_BITS * w + b}" for b in range(WORD_BITS)) for w in words)
    return tuple(tuple(f"{kind}{w}.{b}" for b in range(WORD_BITS)) for w in words)
