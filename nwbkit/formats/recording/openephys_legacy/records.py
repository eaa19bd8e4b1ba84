"""Continuous files: 1024 bytes of header, then records of 1024 samples.

Source: Open Ephys documentation, "Open Ephys format", and the recording engine's source. A
record holds an int64 sample number, uint16 N = 1024, uint16 recording number (not before version
0.2), N big-endian int16 and the ten bytes 0 1 2 3 4 5 6 7 8 255. Every channel has a file of its
own. The last record of a recording is filled up with zeros.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nwbkit.errors import DamagedInput, IOFailure, NoInput
from nwbkit.formats.io.complaints import Complaints
from nwbkit.formats.recording.openephys_legacy.look import HEADER, fields
from nwbkit.streams.kinds import AnyArray, Array

N = 1024
MARKER = np.array([0, 1, 2, 3, 4, 5, 6, 7, 8, 255], np.uint8)
_PIECE = 32 << 20

Ints = npt.NDArray[np.int64]


def record_dtype(numbered: bool) -> np.dtype[Any]:
    """A record, with or without recording number."""
    head: list[Any] = [("tick", "<i8"), ("n", "<u2")]
    head += [("recording", "<u2")] if numbered else []
    return np.dtype([*head, ("samples", ">i2", (N,)), ("marker", "u1", (10,))])


@dataclass
class ChannelFile:
    """A .continuous file: its header's fields and how many records it holds."""

    path: Path
    said: dict[str, str]
    dtype: np.dtype[Any]
    n: int

    def pieces(self) -> Iterator[tuple[int, AnyArray]]:
        """Records, some megabytes at a time: ``(first, records)``."""
        each = max(1, _PIECE // self.dtype.itemsize)
        for first in range(0, self.n, each):
            yield first, self.read(first, min(self.n, first + each))

    def read(self, start: int, stop: int) -> AnyArray:
        """The records ``start..stop``.

        Raises
        ------
        nwbkit.errors.DamagedInput
            Where the file has become shorter.
        """
        buffer = np.empty(stop - start, self.dtype)
        view = memoryview(buffer.view(np.uint8).data) if stop > start else memoryview(b"")
        done, at = 0, HEADER + start * self.dtype.itemsize
        try:
            with open(self.path, "rb", buffering=0) as f:
                f.seek(at)
                while done < len(view):
                    count = f.readinto(view[done:])
                    if not count:
                        raise DamagedInput(
                            f"'{self.path.name}' ends at byte {at + done}: it has become shorter "
                            "since it was opened"
                        )
                    done += count
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise IOFailure(f"cannot read '{self.path}': {reason}") from None
        return buffer


def read_fields(path: Path) -> dict[str, str]:
    """The header of any file of the format.

    Raises
    ------
    nwbkit.errors.NoInput
    nwbkit.errors.DamagedInput
    """
    try:
        with open(path, "rb") as f:
            raw = f.read(HEADER)
    except OSError as error:
        raise NoInput(f"cannot open '{path}': {(error.strerror or str(error)).lower()}") from None
    said = fields(raw.decode("latin-1"))
    if len(raw) < HEADER or "format" not in said:
        raise DamagedInput(f"'{path.name}' has {len(raw)} bytes of header, expected {HEADER}")
    if said.get("header_bytes", str(HEADER)) != str(HEADER):
        raise DamagedInput(
            f"'{path.name}' says header_bytes {said['header_bytes']}, expected {HEADER}"
        )
    return said


def number_in(said: dict[str, str], name: str) -> float | None:
    """A positive number of a header; None where it says none."""
    try:
        value = float(said.get(name, ""))
    except ValueError:
        return None
    return value if value > 0 and np.isfinite(value) else None


def open_channel(path: Path, complaints: Complaints) -> ChannelFile:
    """Read the header of a .continuous file and count its records.

    Raises
    ------
    nwbkit.errors.DamagedInput
    """
    said = read_fields(path)
    if said.get("blockLength", str(N)) != str(N):
        raise DamagedInput(f"'{path.name}' says blockLength {said['blockLength']}, expected {N}")
    size = os.path.getsize(path) - HEADER
    version = number_in(said, "version")
    numbered = version is None or version >= 0.2
    dtype = record_dtype(numbered)
    if 0 < dtype.itemsize <= size:
        other = record_dtype(not numbered)
        probe = ChannelFile(path, said, np.dtype("u1"), size)
        raw = probe.read(0, min(size, max(dtype.itemsize, other.itemsize)))
        fits = [d for d in (dtype, other) if _ends(raw, d)]
        if not fits:
            raise DamagedInput(
                f"'{path.name}' has no record marker behind its first record of "
                f"{dtype.itemsize} bytes"
            )
        dtype = fits[0]
    n, rest = divmod(size, dtype.itemsize)
    if rest:
        complaints(
            f"'{path.name}' ends inside a record: {rest} bytes after record {n}",
            f"reads the {n} complete ones",
        )
    return ChannelFile(path, said, dtype, n)


def _ends(raw: AnyArray, dtype: np.dtype[Any]) -> bool:
    return bool((raw[dtype.itemsize - 10 : dtype.itemsize] == MARKER).all())


@dataclass(frozen=True)
class Run:
    """Records that follow each other without a gap.

    Parameters
    ----------
    first : int
        Index of the first record.
    rows : int
        Samples, zeros that fill up the last record left out.
    tick : int
        Number of the first sample.
    recording : int
    row : int
        Index of the first sample in the stream.
    """

    first: int
    rows: int
    tick: int
    recording: int
    row: int


@dataclass
class Heads:
    """Sample and recording numbers of the records of a channel."""

    ticks: Ints
    recordings: npt.NDArray[np.uint16]

    def same(self, other: Heads, n: int) -> int:
        """How many of the first `n` records agree."""
        differ = (self.ticks[:n] != other.ticks[:n]) | (self.recordings[:n] != other.recordings[:n])
        where = np.flatnonzero(differ)
        return int(where[0]) if where.size else n


def scan(file: ChannelFile, complaints: Complaints) -> Heads:
    """Read every head of a channel and check every record.

    Raises
    ------
    nwbkit.errors.DamagedInput
    """
    ticks, numbers = np.empty(file.n, np.int64), np.zeros(file.n, np.uint16)
    for first, records in file.pieces():
        part = slice(first, first + len(records))
        ticks[part] = records["tick"]
        if "recording" in (file.dtype.names or ()):
            numbers[part] = records["recording"]
        bad = np.flatnonzero(_broken(records))
        if bad.size:
            k = first + int(bad[0])
            complaints(_says(file, records[int(bad[0])], k), f"reads the {k} records before it")
            return Heads(ticks[:k], numbers[:k])
    return Heads(ticks, numbers)


def _broken(records: AnyArray) -> AnyArray:
    broken: AnyArray = (records["n"] != N) | (records["marker"] != MARKER).any(axis=1)
    return broken


def _says(file: ChannelFile, record: AnyArray, k: int) -> str:
    if int(record["n"]) != N:
        return f"'{file.path.name}' says {int(record['n'])} samples in record {k}, expected {N}"
    return f"'{file.path.name}' has no record marker behind record {k}"


def probe(file: ChannelFile, heads: Heads, n: int) -> int:
    """How many of `n` records agree with `heads` as far as a few of them tell.

    Every record is held against the first channel's as it is read.
    """
    for k in sorted({0, *range(0, n, max(1, n // 16)), n - 1}) if n else ():
        record = file.read(k, k + 1)
        number = int(record["recording"][0]) if "recording" in (file.dtype.names or ()) else 0
        if int(record["tick"][0]) != heads.ticks[k] or number != heads.recordings[k]:
            return int(k)
    return n


def runs_of(heads: Heads, files: list[ChannelFile], complaints: Complaints) -> list[Run]:
    """Stretches of records without a gap: a jump and a new recording begin one.

    Raises
    ------
    nwbkit.errors.DamagedInput
        Where sample numbers go back inside a recording.
    """
    ticks, numbers = heads.ticks, heads.recordings
    if not len(ticks):
        return []
    steps, changes = np.diff(ticks), np.diff(numbers.astype(np.int64)) != 0
    name = files[0].path.name
    back = np.flatnonzero((steps < N) & ~changes)
    if back.size:
        k = int(back[0]) + 1
        complaints(
            f"'{name}' says sample {ticks[k]} of record {k}, behind {ticks[k - 1]} of the record "
            f"before it, expected {ticks[k - 1] + N} or more",
            f"reads the {k} records before it",
        )
        return runs_of(Heads(ticks[:k], numbers[:k]), files, complaints)
    cuts = [0, *(np.flatnonzero((steps != N) | changes) + 1).tolist(), len(ticks)]
    found, row = [], 0
    for a, b in pairwise(cuts):
        rows = (b - a) * N
        if b < len(ticks) and 0 < steps[b - 1] < N:
            rows -= N - _true_rows(files, b - 1, int(steps[b - 1]), complaints)
        found.append(Run(a, rows, int(ticks[a]), int(numbers[a]), row))
        row += rows
    return found


def _true_rows(files: list[ChannelFile], record: int, n: int, complaints: Complaints) -> int:
    """Samples of a recording's last record: `n`, since the next recording begins there."""
    filled = all(not f.read(record, record + 1)["samples"][0, n:].any() for f in files)
    if filled:
        return n
    complaints(
        f"'{files[0].path.name}' has {N} samples in record {record}, and the next record begins "
        f"{n} later",
        f"keeps the first {n}",
    )
    return n


@dataclass(kw_only=True, eq=False)
class RecordArray(Array):
    """Channels that lie in files of their own, shape (samples, channels).

    Parameters
    ----------
    files : tuple of ChannelFile
        One a channel.
    heads : Heads
        Of all of them.
    runs : tuple of Run
    """

    files: tuple[ChannelFile, ...]
    heads: Heads
    runs: tuple[Run, ...]
    firsts: Ints = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.firsts = np.array([r.row for r in self.runs], np.int64)
        self.block_rows = self.block_rows or N
        self.group = self.group if self.group is not None else ("records", id(self))

    def read(self, start: int, stop: int, out: AnyArray | None = None) -> AnyArray:
        """Rows ``start..stop``; safe from any number of threads.

        Raises
        ------
        IndexError
            Outside ``0..shape[0]``.
        nwbkit.errors.DamagedInput
            Where the records of a channel are not those of the first one.
        """
        if not 0 <= start <= stop <= self.shape[0]:
            raise IndexError(f"rows {start}..{stop} of {self.shape[0]}")
        found = out if out is not None else np.empty((stop - start, self.shape[1]), self.dtype)
        at = start
        while at < stop:
            run = self.runs[int(np.searchsorted(self.firsts, at, side="right")) - 1]
            end = min(stop, run.row + run.rows)
            self._fill(found[at - start : end - start], run, at - run.row, end - run.row)
            at = end
        return found

    def _fill(self, part: AnyArray, run: Run, low: int, high: int) -> None:
        first, last = run.first + low // N, run.first + (high - 1) // N + 1
        skip = low % N
        for column, file in enumerate(self.files):
            records = file.read(first, last)
            self._check(file, records, first)
            part[:, column] = records["samples"].reshape(-1)[skip : skip + high - low]

    def _check(self, file: ChannelFile, records: AnyArray, first: int) -> None:
        wrong = _broken(records)
        wrong |= records["tick"] != self.heads.ticks[first : first + len(records)]
        if wrong.any():
            k = int(np.flatnonzero(wrong)[0])
            said = int(records["tick"][k])
            raise DamagedInput(
                f"'{file.path.name}' says sample {said} of record {first + k}, "
                f"'{self.files[0].path.name}' {self.heads.ticks[first + k]}"
                if not _broken(records[k : k + 1])[0]
                else _says(file, records[k], first + k),
                hint="--salvage reads the records before it",
            )
