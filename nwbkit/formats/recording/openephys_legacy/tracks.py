"""Channels that were sampled together: their files, kinds, scales, and the times of records."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nwbkit.errors import MissingFact
from nwbkit.formats.io.complaints import Complaints
from nwbkit.formats.recording.openephys_legacy.look import place
from nwbkit.formats.recording.openephys_legacy.records import (
    ChannelFile,
    Heads,
    N,
    Run,
    number_in,
    open_channel,
    probe,
    runs_of,
    scan,
)
from nwbkit.streams import Segment, Timebase

_RESCUE = "reads the records and channels that agree"
_INPUTS = re.compile(r"(?:.*[-_ ])?(ADC|AUX|AI)[-_ ]?\d*", re.I)
#: No input has a full scale above this (V); what says more is in microvolts.
_MOST_VOLTS = 100.0
FULL_SCALE = 32768


@dataclass(frozen=True)
class Channel:
    """One channel: its file, name, kind (``neural``, ``adc``, ``aux``), volts a count."""

    file: ChannelFile
    name: str
    kind: str
    gain: float


@dataclass
class Track:
    """Channels of one processor and stream at one rate.

    Parameters
    ----------
    processor, stream : str
        As file names say; may be empty.
    rate : float
    channels : list of Channel
    heads : Heads
    runs : list of Run
    offsets : list of int
        By run: what is added to its sample numbers, where acquisition was restarted.
    seconds : array of float64, optional
        Synchronised time of every record, where a .timestamps file holds it.
    """

    processor: str
    stream: str
    rate: float
    channels: list[Channel]
    heads: Heads = field(default_factory=lambda: Heads(np.empty(0, np.int64), _none()))
    runs: list[Run] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    seconds: npt.NDArray[np.float64] | None = None

    @property
    def label(self) -> str:
        """What streams of it are called."""
        slug = re.sub(r"[^A-Za-z0-9_.-]+", "-", self.stream).strip("-.")
        return slug or (f"processor{self.processor}" if self.processor else "continuous")

    @property
    def rows(self) -> int:
        """Samples."""
        return self.runs[-1].row + self.runs[-1].rows if self.runs else 0

    @property
    def zero(self) -> int:
        """Number of the first sample."""
        return self.runs[0].tick if self.runs else 0

    @property
    def kinds(self) -> dict[tuple[str, float], list[Channel]]:
        """Channels that make a stream: neural ones, and inputs of one scale."""
        found: dict[tuple[str, float], list[Channel]] = {}
        for channel in self.channels:
            key = (channel.kind, 0.0 if channel.kind == "neural" else channel.gain)
            found.setdefault(key, []).append(channel)
        return found

    def placed(self, ticks: npt.NDArray[np.int64], recordings: npt.NDArray[np.int64]) -> AnyInts:
        """Samples from the first one, of sample numbers and the recordings they belong to."""
        by_recording = {r.recording: o for r, o in zip(self.runs, self.offsets, strict=True)}
        added = np.array([by_recording.get(int(n), 0) for n in recordings], np.int64)
        return ticks + added - self.zero


AnyInts = npt.NDArray[np.int64]


def _none() -> npt.NDArray[np.uint16]:
    return np.empty(0, np.uint16)


def kind_of(name: str) -> str:
    """``adc`` and ``aux`` by name, as the GUI gives them; everything else is an electrode."""
    said = _INPUTS.fullmatch(name)
    if said is None:
        return "neural"
    return "aux" if said[1].upper() == "AUX" else "adc"


def read_tracks(
    paths: Sequence[Path],
    options: Mapping[str, object],
    source: str,
    complaints: Complaints,
) -> list[Track]:
    """Open every channel and put together those of one processor, stream and rate.

    Raises
    ------
    nwbkit.errors.DamagedInput
    nwbkit.errors.MissingFact
        Where a header says no rate or scale.
    """
    found: dict[tuple[str, str, float], Track] = {}
    for path in paths:
        file = open_channel(path, complaints)
        processor, stream, name, _ = place(path.stem, file.said.get("channel", ""))
        rate = number_in(file.said, "sampleRate") or options.get("rate")
        if rate is None:
            raise MissingFact(f"'{path.name}' says no sampleRate", hint=f"--set {source}.rate=HZ")
        key = (processor, stream, float(str(rate)))
        track = found.setdefault(key, Track(processor, stream, key[2], []))
        kind = kind_of(name)
        gain = _volts(file, kind, options, source)
        track.channels.append(Channel(file, name, kind, gain))
    tracks = sorted(found.values(), key=lambda t: (_natural(t.processor), t.stream, t.rate))
    gap = float(str(options.get("reset_gap") or 0.0))
    for track in tracks:
        track.channels.sort(key=lambda c: (c.kind != "neural", c.kind, _natural(c.name)))
        _settle(track, complaints, gap, source)
    return tracks


def _natural(text: str) -> list[tuple[int, str]]:
    return [(int(d or 0), w) for w, d in re.findall(r"(\D*)(\d*)", text)]


def _volts(file: ChannelFile, kind: str, options: Mapping[str, object], source: str) -> float:
    bit_volts = number_in(file.said, "bitVolts") or options.get("bit_volts")
    if bit_volts is None:
        raise MissingFact(
            f"'{file.path.name}' says no bitVolts", hint=f"--set {source}.bit_volts=VALUE"
        )
    value = float(str(bit_volts))
    small = value * FULL_SCALE <= _MOST_VOLTS
    return value if kind != "neural" and small else value * 1e-6


def _settle(track: Track, complaints: Complaints, gap: float, source: str) -> None:
    """Hold the channels against each other and find the runs."""
    if complaints.salvage:
        _keep_most(track, complaints)
    else:
        _hold_together(track, complaints)
    files = [c.file for c in track.channels]
    track.runs = runs_of(track.heads, files, complaints)
    _offset(track, complaints, gap, source)
    for before, after in pairwise(track.runs):
        missing = after.tick - before.tick - before.rows
        if missing > 0:
            where = (
                "between recordings" if after.recording != before.recording else "in a recording"
            )
            complaints.note(
                f"{track.label}: {missing} samples ({missing / track.rate:.9g} s) are missing "
                f"{where} before sample {after.row}"
            )


def _hold_together(track: Track, complaints: Complaints) -> None:
    """Refuse channels that do not hold the same records.

    Raises
    ------
    nwbkit.errors.DamagedInput
    """
    files = [c.file for c in track.channels]
    track.heads = scan(files[0], complaints)
    n = len(track.heads.ticks)
    least, most = min(files, key=lambda f: f.n), max(files, key=lambda f: f.n)
    if least.n != most.n:
        complaints(
            f"'{least.path.name}' holds {least.n} records, '{most.path.name}' {most.n}", _RESCUE
        )
    for file in files[1:]:
        agreeing = probe(file, track.heads, n)
        if agreeing < n:
            complaints(_differ(files[0], file, agreeing), _RESCUE)


def _differ(one: ChannelFile, other: ChannelFile, record: int) -> str:
    return (
        f"'{other.path.name}' and '{one.path.name}' say different sample numbers of record {record}"
    )


def _keep_most(track: Track, complaints: Complaints) -> None:
    """With --salvage: the records and channels that agree, as many samples as there are."""
    files = [c.file for c in track.channels]
    heads = [scan(f, complaints) for f in files]

    def agreeing(one: Heads) -> list[int]:
        return [one.same(h, min(len(h.ticks), len(one.ticks))) for h in heads]

    counts = max((agreeing(h) for h in heads), key=sum)
    chosen = next(h for h in heads if agreeing(h) == counts)
    n = max(set(counts), key=lambda m: (m * sum(c >= m for c in counts), m))
    whole = max(f.n for f in files)
    reference = files[counts.index(max(counts))]
    for file, count in zip(files, counts, strict=True):
        if count >= whole:
            continue
        short = f"'{file.path.name}' holds {file.n} records, '{reference.path.name}' {whole}"
        complaints(short if count == file.n else _differ(reference, file, count), _RESCUE)
        if count < n:
            complaints(f"'{file.path.name}' is left out", _RESCUE)
    if n < whole:
        complaints(f"of {whole} records the first {n} are read", _RESCUE)
    track.channels = [c for c, count in zip(track.channels, counts, strict=True) if count >= n]
    track.heads = Heads(chosen.ticks[:n], chosen.recordings[:n])


def _offset(track: Track, complaints: Complaints, gap: float, source: str) -> None:
    """What is added to sample numbers behind a restart, since times never go back in NWB."""
    added, end = 0, None
    for run in track.runs:
        if end is not None and run.tick + added < end:
            added = end - run.tick + round(gap * track.rate)
            complaints.note(
                f"{track.label}: sample numbers begin again with recording {run.recording}; it is "
                f"placed {f'{gap:g} s' if gap else 'directly'} behind the one before: the true "
                f"distance is in no file (--set {source}.reset_gap=S)"
            )
        track.offsets.append(added)
        end = run.tick + added + run.rows


def timebase_of(track: Track, clock: str, zero_s: float | None) -> Timebase:
    """The times of a track's samples, from its first one or, synchronised, from `zero_s`."""
    segments = []
    for run, offset in zip(track.runs, track.offsets, strict=True):
        t0, rate = (run.tick + offset - track.zero) / track.rate, track.rate
        if zero_s is not None:
            t0, rate = _synchronised(track, run, zero_s)
        segments.append(Segment(run.row, run.rows, t0, rate))
    return Timebase(clock, tuple(segments) or (Segment(0, 0, 0.0, track.rate),))


def _synchronised(track: Track, run: Run, zero_s: float) -> tuple[float, float]:
    assert track.seconds is not None
    last = run.first + (run.rows - 1) // N
    first_s, last_s = float(track.seconds[run.first]), float(track.seconds[last])
    n = (last - run.first) * N
    off = abs(last_s - first_s - n / track.rate)
    if not n or last_s <= first_s or off <= min(1e-6, 0.1 / track.rate):
        return first_s - zero_s, track.rate
    return first_s - zero_s, n / (last_s - first_s)


def ticks_of(track: Track, clock: str, zero_s: float | None, last: int) -> Timebase:
    """Times of sample numbers from the track's first, long enough for number `last`."""
    t0, rate = 0.0, track.rate
    if zero_s is not None and track.runs:
        t0, rate = _synchronised(track, track.runs[0], zero_s)
    return Timebase(clock, (Segment(0, max(last + 1, 1), t0, rate),))


def read_seconds(track: Track, paths: Sequence[Path], complaints: Complaints) -> None:
    """Take the synchronised times of a .timestamps file, one float64 a record.

    They are used where every record has one and the GUI had synchronised it (-1: not yet).
    """
    stem = f"{track.processor}_{track.stream}"
    mine = [p for p in paths if p.stem == stem or re.fullmatch(rf"{re.escape(stem)}_\d+", p.stem)]
    if not mine or not track.stream:
        return
    n = len(track.heads.ticks)
    if mine[0].stat().st_size != n * 8:
        complaints.note(
            f"'{mine[0].name}' holds {mine[0].stat().st_size // 8} times, the channels {n} "
            "records: it is not used"
        )
        return
    seconds = np.fromfile(mine[0], "<f8")
    if n and np.isfinite(seconds).all() and (seconds >= 0).all() and (np.diff(seconds) > 0).all():
        track.seconds = seconds


def trailing_zeros(track: Track) -> int:
    """Samples at the end of the last record that are zero on every channel."""
    n, least = len(track.heads.ticks), N
    for channel in track.channels if n else ():
        samples = channel.file.read(n - 1, n)["samples"][0]
        found = np.flatnonzero(samples)
        least = min(least, N - 1 - int(found[-1]) if found.size else N)
    return least if n else 0


def labels_of(tracks: Sequence[Track]) -> list[str]:
    """What tracks are called, told apart by processor and rate where names are equal."""
    longer = [
        [t.label for t in tracks],
        [f"{t.label}-{t.processor}" for t in tracks],
        [f"{t.label}-{t.processor}-{t.rate:g}Hz" for t in tracks],
    ]
    labels = longer[0]
    for more in longer[1:]:
        counts = Counter(labels)
        labels = [m if counts[n] > 1 else n for n, m in zip(labels, more, strict=True)]
    return labels
