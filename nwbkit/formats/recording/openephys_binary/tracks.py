"""One stream through the recordings of an experiment: rows, sample numbers, times.

Sources: Open Ephys documentation, "Binary format", and ``Synchronizer.cpp``. Since 0.6
``sample_numbers.npy`` counts the device's samples (int64) and ``timestamps.npy`` holds
seconds (float64) on the time of the record node's main stream, -1 where a stream is not
synchronised to it; before, ``timestamps.npy`` counts samples and, in 0.5,
``synchronized_timestamps.npy`` holds the seconds.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np

from nwbkit.errors import NoInput
from nwbkit.formats.io.flat import complete_rows
from nwbkit.formats.recording.openephys_binary.complaints import Complaints, name_of
from nwbkit.formats.recording.openephys_binary.look import node_of, number_of
from nwbkit.formats.recording.openephys_binary.npy import Npy, open_npy
from nwbkit.formats.recording.openephys_binary.structure import NAME, Continuous, Structure
from nwbkit.formats.recording.openephys_binary.sync import Start, read_starts
from nwbkit.streams.timebase import MAX_DISPLACEMENT_S

#: Rows of sample numbers or times looked at together.
BLOCK = 1 << 20
#: A time that is its sample number over the nominal rate, to within this, is the device's own.
SAME_TIME_S = 1e-6


@dataclass(frozen=True)
class Recording:
    """One recording folder of one record node."""

    structure: Structure
    node: int | None
    number: int
    starts: Start

    @property
    def folder(self) -> Path:
        """Where structure.oebin lies."""
        return self.structure.folder

    @classmethod
    def of(cls, structure: Structure) -> Recording:
        """From a parsed header."""
        recorders = [(c.recorder, c.recorder_id) for c in structure.continuous]
        return cls(
            structure,
            node_of(recorders, structure.folder),
            number_of(structure.folder) or 0,
            read_starts(structure.folder / "sync_messages.txt"),
        )


@dataclass(frozen=True)
class Run:
    """A stretch without a jump: first row, rows, the device's number of the first sample."""

    first: int
    n: int
    number: int


@dataclass(frozen=True)
class Line:
    """Times of a run: ``t0 + i / rate`` seconds, to within a microsecond."""

    t0: float
    rate: float


@dataclass(frozen=True)
class Part:
    """One stream in one recording.

    Parameters
    ----------
    recording : Recording
    continuous : Continuous
    path : Path
        Of continuous.dat.
    rows : int
        Samples that can be read.
    runs : tuple of Run
    seconds : Npy, optional
        The synchronised times; None where there are none for every sample.
    lines : tuple of Line or None
        One per run; None where the times are not regular.
    """

    recording: Recording
    continuous: Continuous
    path: Path
    rows: int
    runs: tuple[Run, ...]
    seconds: Npy | None = None
    lines: tuple[Line | None, ...] = ()

    def own_time(self) -> bool:
        """Whether the times are the sample numbers at the nominal rate."""
        rate = self.continuous.rate
        if self.seconds is None or not self.rows:
            return False
        last = self.runs[-1]
        number = last.number + last.n - 1
        first_at, last_at = (
            self.seconds.read(0, 1)[0],
            self.seconds.read(self.rows - 1, self.rows)[0],
        )
        return bool(
            abs(first_at - self.runs[0].number / rate) < SAME_TIME_S
            and abs(last_at - number / rate) < SAME_TIME_S
        )


@dataclass
class Track:
    """One stream of one record node: its parts in the order they were recorded.

    Parts whose channels differ are tracks of their own; `variant` is then the number of
    the first recording with these channels.
    """

    node: int | None
    continuous: Continuous
    parts: list[Part] = field(default_factory=list)
    variant: int | None = None

    @property
    def rows(self) -> int:
        """Samples in all."""
        return sum(p.rows for p in self.parts)

    @property
    def synchronised(self) -> bool:
        """Whether Open Ephys wrote a synchronised time for every sample."""
        return bool(self.parts) and all(p.seconds is not None for p in self.parts)

    @property
    def hardware(self) -> tuple[int, str]:
        """What keeps the time: AP and LFP band of a probe have one oscillator."""
        return (self.continuous.processor_id, probe_of(self.continuous.key[1]))

    def runs(self) -> Iterator[tuple[Part, Run, Line | None]]:
        """Every run of every part."""
        for part in self.parts:
            lines = part.lines or (None,) * len(part.runs)
            for run, line in zip(part.runs, lines, strict=True):
                yield part, run, line


def probe_of(stream: str) -> str:
    """A stream's name without the band: ``ProbeA`` of ``ProbeA-LFP``."""
    for band in ("-AP", "-LFP"):
        if stream.upper().endswith(band):
            return stream[: -len(band)]
    return stream


def read_tracks(recordings: Sequence[Recording], complaints: Complaints) -> list[Track]:
    """Every continuous stream of the recordings, opened and held against its own numbers.

    Raises
    ------
    nwbkit.errors.NoInput
        Where a continuous.dat is missing.
    nwbkit.errors.DamagedInput
        Where sizes, sample numbers and times contradict each other.
    """
    tracks: dict[tuple[object, ...], Track] = {}
    for recording in recordings:
        for continuous in recording.structure.continuous:
            part = _part(recording, continuous, complaints)
            if not part.rows:
                complaints.note(f"'{name_of(part.path)}' holds no samples")
                continue
            same = (recording.node, continuous.key)
            channels = tuple((c.name, c.bit_volts, c.units) for c in continuous.channels)
            track = tracks.setdefault(
                (same, continuous.rate, channels), Track(recording.node, continuous)
            )
            if not track.parts and any(k[0] == same and t is not track for k, t in tracks.items()):
                track.variant = recording.number
            track.parts.append(part)
    for track in tracks.values():
        _check_order(track, complaints)
    return list(tracks.values())


def _part(recording: Recording, continuous: Continuous, complaints: Complaints) -> Part:
    folder = recording.folder / "continuous" / continuous.folder
    path = folder / "continuous.dat"
    row = 2 * len(continuous.channels)
    if not path.is_file():
        raise NoInput(
            f"cannot open '{path}': no such file",
            hint=f"'{recording.folder.name}/{NAME}' lists it: copy the data beside their header",
        )
    rows, rest = complete_rows(path, row)
    numbers, seconds = _arrays(folder, complaints)
    if numbers is None:
        if rest:
            _complain_size(path, rows, rest, row, None, complaints)
        begin = recording.starts.sample(continuous) or 0
        return Part(recording, continuous, path, rows, (Run(0, rows, begin),) if rows else ())
    if rest or rows != numbers.rows:
        _complain_size(path, rows, rest, row, numbers, complaints)
        rows = min(rows, numbers.rows)
    runs = find_runs(numbers, rows, complaints)
    if seconds is None or not rows:
        return Part(recording, continuous, path, rows, runs)
    if seconds.rows < rows:
        complaints(
            f"'{name_of(seconds.path)}' holds {seconds.rows} times for {rows} samples "
            f"of '{numbers.path.name}'",
            hint="--salvage uses the sample numbers alone",
        )
        return Part(recording, continuous, path, rows, runs)
    lines = [_line(seconds, run, continuous.rate, complaints) for run in runs]
    if any(line is False for line in lines):
        return Part(recording, continuous, path, rows, runs)
    kept = tuple(line if isinstance(line, Line) else None for line in lines)
    return Part(recording, continuous, path, rows, runs, seconds, kept)


def _complain_size(
    path: Path, rows: int, rest: int, row: int, numbers: Npy | None, complaints: Complaints
) -> None:
    size = rows * row + rest
    if numbers is None:
        said = f"which is no whole number of samples of {row // 2} channels (num_channels)"
        left = rows
    else:
        said = (
            f"expected {numbers.rows * row}: {numbers.rows} samples ({numbers.path.name}) "
            f"of {row // 2} channels (num_channels)"
        )
        left = min(rows, numbers.rows)
    complaints(
        f"'{name_of(path)}' holds {size} bytes, {said}",
        hint=f"--salvage reads the {left} complete samples that are there",
    )


def _arrays(folder: Path, complaints: Complaints) -> tuple[Npy | None, Npy | None]:
    """Sample numbers and synchronised seconds of a stream."""
    named = {
        name: open_npy(path, complaints) if (path := folder / f"{name}.npy").is_file() else None
        for name in ("sample_numbers", "timestamps", "synchronized_timestamps")
    }
    numbers, seconds = named["sample_numbers"], named["timestamps"]
    if numbers is None and seconds is not None and not seconds.is_seconds:
        numbers, seconds = seconds, named["synchronized_timestamps"]
    hint = "--salvage takes the samples as unbroken, at the nominal rate"
    if numbers is None:
        where = name_of(folder / "continuous.dat").rpartition("/")[0]
        why = "no timestamps.npy" if seconds is None else "timestamps.npy holds seconds"
        complaints(f"'{where}' has no sample_numbers.npy, and {why}", hint=hint)
        return None, None
    if numbers.dtype.kind not in "iu":
        complaints(
            f"'{name_of(numbers.path)}' holds {numbers.dtype}, not sample numbers", hint=hint
        )
        return None, None
    return numbers, seconds if seconds is not None and seconds.is_seconds else None


def find_runs(numbers: Npy, rows: int, complaints: Complaints) -> tuple[Run, ...]:
    """Stretches of consecutive sample numbers; numbers that go back are complained of."""
    starts: list[tuple[int, int]] = []
    before: int | None = None
    for at in range(0, rows, BLOCK):
        block = numbers.read(at, min(at + BLOCK, rows)).astype(np.int64)
        breaks = (np.flatnonzero(np.diff(block) != 1) + 1).tolist()
        if before is None or int(block[0]) != before + 1:
            breaks.insert(0, 0)
        for i in breaks:
            now, last = int(block[i]), int(block[i - 1]) if i else before
            if last is not None and now <= last:
                complaints(
                    f"'{name_of(numbers.path)}' goes back at row {at + i}: {now} after {last}",
                    hint="--salvage keeps the samples in the order of the file",
                )
            starts.append((at + i, now))
        before = int(block[-1])
    stops = [first for first, _ in starts[1:]] + [rows] * bool(starts)
    runs = tuple(Run(f, stop - f, n) for (f, n), stop in zip(starts, stops, strict=True))
    for one, run in pairwise(runs):
        missing = run.number - one.number - one.n
        complaints.note(
            f"'{name_of(numbers.path)}' jumps at row {run.first}: {missing} samples are missing"
        )
    return runs


def _line(seconds: Npy, run: Run, nominal: float, complaints: Complaints) -> Line | bool:
    """The line that the times of a run lie on; True for none, False for no times (-1)."""
    first = float(seconds.read(run.first, run.first + 1)[0])
    last = float(seconds.read(run.first + run.n - 1, run.first + run.n)[0])
    rates = [nominal]
    if run.n > 1 and math.isfinite(last - first) and last > first:
        rates.append((run.n - 1) / (last - first))
    worst = [0.0] * len(rates)
    before = -math.inf
    for at in range(0, run.n, BLOCK):
        times = seconds.read(run.first + at, run.first + min(at + BLOCK, run.n)).astype(np.float64)
        if not np.isfinite(times).all() or (times == -1).any():
            return False
        if times[0] <= before or (np.diff(times) <= 0).any():
            complaints.note(f"the times in '{name_of(seconds.path)}' go back or stand still")
        before = float(times[-1])
        index = np.arange(at, at + len(times), dtype=np.float64)
        for k, rate in enumerate(rates):
            worst[k] = max(worst[k], float(np.abs(times - (first + index / rate)).max()))
    for rate, off in zip(rates, worst, strict=True):
        if off <= min(MAX_DISPLACEMENT_S, 0.1 / nominal):
            return Line(first, rate)
    return True


def _check_order(track: Track, complaints: Complaints) -> None:
    """A later recording of an experiment goes on counting where acquisition was not stopped."""
    track.parts.sort(key=lambda p: (p.recording.number, p.runs[0].number))
    for before, after in zip(track.parts[:-1], track.parts[1:], strict=True):
        last = before.runs[-1]
        if after.runs[0].number < last.number + last.n:
            complaints(
                f"'{name_of(after.path)}' begins at sample number {after.runs[0].number}, before "
                f"'{name_of(before.path)}' ends ({last.number + last.n - 1})",
                hint="--salvage keeps both as they are",
            )
