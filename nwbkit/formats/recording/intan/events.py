"""Digital lines and flags of stimulation as events: every change of every line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nwbkit.streams import Column, Segment, Table, Timebase
from nwbkit.streams.kinds import AnyArray, Array

Ints = npt.NDArray[np.int64]
#: Bytes scanned at once.
SCAN_BYTES = 16 << 20
#: Bits of a stimulation word; the lower nine are the current.
FLAGS = {13: "amplifier settle", 14: "charge recovery", 15: "compliance limit"}

_WHEN = (
    Column("timestamp", "timestamp", "samples", "when the line changed"),
    Column(
        "duration",
        "duration",
        "samples",
        "how long the line kept this level; unknown where the recording ends or pauses first",
    ),
)
_VALUE = Column("value", "value", "", "level after the change", {0: "low", 1: "high"})
LINE_COLUMNS = (*_WHEN, Column("line", "label", "", "which digital line changed"), _VALUE)
FLAG_COLUMNS = (
    *_WHEN,
    Column("channel", "label", "", "amplifier channel that was stimulated"),
    Column("flag", "label", "", "which flag of the stimulation changed"),
    _VALUE,
)


@dataclass(kw_only=True)
class BitEvents(Table):
    """Changes of bits of words, found by scanning the words in bounded blocks.

    A line that is high when recording begins has no rising edge in the file and so none here;
    a change during a gap is not placed, since nobody knows when it was.

    Parameters
    ----------
    words : Array
        Unsigned words, shape (samples, columns).
    bits : tuple of (int, int)
        Column and bit of each line.
    labels : dict of str to tuple of str
        By label column: the text of each line.
    """

    words: Array
    bits: tuple[tuple[int, int], ...]
    labels: dict[str, tuple[str, ...]]

    def read(self) -> dict[str, AnyArray]:
        """All changes: timestamp, duration (int64 samples, -1 unknown), labels, value."""
        assert self.timebase is not None
        runs = stretches(self.timebase)
        samples, lines, values = self._changes(runs)
        order = np.lexsort((lines, samples))
        samples, lines, values = samples[order], lines[order], values[order]
        found: dict[str, AnyArray] = {
            "timestamp": samples,
            "duration": _durations(samples, lines, runs),
        }
        for name, texts in self.labels.items():
            known = np.array(texts, dtype=object)
            found[name] = known[lines] if known.size else np.empty(0, object)
        found["value"] = values
        return found

    def _changes(self, runs: Sequence[tuple[int, int]]) -> tuple[Ints, Ints, AnyArray]:
        step = max(1, SCAN_BYTES // max(1, 2 * self.words.shape[1]))
        parts: list[tuple[AnyArray, AnyArray, AnyArray]] = []
        for first, stop in runs:
            last: AnyArray | None = None
            for start in range(first, stop, step):
                block = self.words.read(start, min(start + step, stop))
                parts += self._edges(block, last, start)
                last = block[-1].copy()
        if not parts:
            return np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.uint8)
        samples, lines, values = (np.concatenate(p) for p in zip(*parts, strict=True))
        return samples, lines, values

    def _edges(
        self, words: AnyArray, last: AnyArray | None, start: int
    ) -> list[tuple[AnyArray, AnyArray, AnyArray]]:
        """Changes within a block, and from the word before it, as (sample, line, level)."""
        changed = np.empty_like(words)
        changed[0] = 0 if last is None else words[0] ^ last
        np.bitwise_xor(words[1:], words[:-1], out=changed[1:])
        rows = np.flatnonzero(changed.any(axis=1))
        if not rows.size:
            return []
        changed, levels = changed[rows], words[rows]
        found = []
        for line, (column, bit) in enumerate(self.bits):
            hit = np.flatnonzero(changed[:, column] >> bit & 1)
            if hit.size:
                at = rows[hit].astype(np.int64) + start
                level = (levels[hit, column] >> bit & 1).astype(np.uint8)
                found.append((at, np.full(at.size, line, np.int64), level))
        return found


def stretches(timebase: Timebase) -> list[tuple[int, int]]:
    """Runs of samples ``(first, stop)`` without a gap."""
    found: list[tuple[int, int]] = []
    before: Segment | None = None
    for segment in timebase.segments:
        if not segment.n_samples:
            continue
        if before is not None and abs(segment.t0 - before.end) < 0.1 / segment.rate:
            found[-1] = (found[-1][0], segment.stop_sample)
        else:
            found.append((segment.first_sample, segment.stop_sample))
        before = segment
    return found


def _durations(samples: Ints, lines: Ints, runs: Sequence[tuple[int, int]]) -> Ints:
    """Samples until the same line changes again; -1 where it does not within the run."""
    durations = np.full(samples.shape, -1, np.int64)
    firsts = np.array([first for first, _ in runs], np.int64)
    run = np.searchsorted(firsts, samples, side="right")
    order = np.argsort(lines, kind="stable")
    same = (lines[order][1:] == lines[order][:-1]) & (run[order][1:] == run[order][:-1])
    steps = np.diff(samples[order])
    durations[order[:-1][same]] = steps[same]
    return durations
