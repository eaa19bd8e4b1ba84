"""Continuous channels: files with one record structure are the columns of one stream."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from nwbkit.errors import DamagedInput, NoInput
from nwbkit.formats.io.flat import read_at
from nwbkit.formats.io.neuralynx import HEADER_BYTES
from nwbkit.formats.recording.neuralynx.files import NCS, ROOM, Complaints, NlxFile, check_times
from nwbkit.formats.recording.neuralynx.timing import Ints, Records
from nwbkit.streams import Array
from nwbkit.streams.kinds import AnyArray

#: Records of a channel read at once: long enough for the disk, short enough for the cache.
_CHUNK = 128
#: No more files than this stay open.
_MAX_OPEN = 256


@dataclass(frozen=True)
class Scan:
    """The records of one file, without those that hold no sample.

    Parameters
    ----------
    records : Records
    index : array of int64
        Where each stands in the file.
    rate : int
        Hz, as the records say, cut off to a whole number.
    """

    records: Records
    index: Ints
    rate: int


def scan(file: NlxFile, complaints: Complaints) -> Scan:
    """Read what stands beside the samples of every record.

    Raises
    ------
    nwbkit.errors.DamagedInput
        For records of several channels or rates, with more samples than they have room
        for, and for timestamps that do not increase.
    """
    name = file.path.name
    heads = [
        np.stack([block[k].astype(np.int64) for k in ("time", "channel", "rate", "valid")])
        for _, block in _checked(file)
    ]
    times, channels, rates, valid = np.concatenate(heads, axis=1)
    for what, values in (("channel", channels), ("sampling frequency", rates)):
        other = np.flatnonzero(values != values[0])
        if other.size:
            k = int(other[0])
            complaints(
                f"'{name}' has {what} {values[k]} in record {k}, expected {values[0]} as before",
                hint="--salvage reads all records as of one channel and rate",
            )
    if (valid > ROOM).any():
        k = int(np.flatnonzero(valid > ROOM)[0])
        raise DamagedInput(
            f"'{name}' says that record {k} holds {valid[k]} valid samples, it has room for {ROOM}"
        )
    index = np.flatnonzero(valid > 0)
    back = np.flatnonzero(np.diff(times[index]) <= 0)
    if back.size:
        k = int(index[back[0] + 1])
        before = int(times[index[back[0]]])
        what = "twice" if times[k] == before else "back"
        complaints(
            f"the timestamps of '{name}' run {what} at record {k}: {times[k]} us, "
            f"expected more than {before} us ({back.size} places)",
            hint="--salvage keeps the records in their order, a segment from each such place on",
        )
    return Scan(Records(times[index], valid[index]), index.astype(np.int64), int(rates[0]))


def _checked(file: NlxFile) -> Iterator[tuple[int, np.ndarray[Any, Any]]]:
    for start, block in file.blocks():
        check_times(file.path.name, block["time"])
        yield start, block


def sketch(file: NlxFile, count: int = 64) -> tuple[Any, ...]:
    """Evenly spread records' timestamps, valid samples and rates: cheap to compare files by."""
    picked = sorted({*np.linspace(0, file.n - 1, min(count, file.n)).astype(int).tolist()})
    heads = []
    with open(file.path, "rb") as f:
        for k in picked:
            f.seek(HEADER_BYTES + k * NCS.itemsize)
            one = np.frombuffer(f.read(20), "<u4")
            heads.append((int(one[0]) | int(one[1]) << 32, int(one[3]), int(one[4])))
    return (file.n, *heads)


@dataclass(frozen=True)
class Part:
    """A stretch of a stream that lies in one file a channel.

    Parameters
    ----------
    files : tuple of NlxFile
        One a channel, in order.
    scan : Scan
        Of the first one; the others are held against it as they are read.
    first : int
        Row of the stream that the part begins with.
    """

    files: tuple[NlxFile, ...]
    scan: Scan
    first: int
    firsts: Ints = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "firsts", self.scan.records.firsts)

    @property
    def rows(self) -> int:
        """Samples a channel."""
        return int(self.firsts[-1])


class Descriptors:
    """Open files by path, for positioned reads from any number of threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[Path, int] = {}

    @contextmanager
    def use(self, path: Path) -> Iterator[int]:
        """The descriptor of `path`; of the first few hundred files it stays open."""
        with self._lock:
            fd = self._open.get(path)
            kept = fd is not None
            if fd is None:
                fd = self._new(path)
                if len(self._open) < _MAX_OPEN:
                    self._open[path] = fd
                    kept = True
        try:
            yield fd
        finally:
            if not kept:
                os.close(fd)

    def _new(self, path: Path) -> int:
        try:
            return os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise NoInput(f"cannot open '{path}': {reason}") from None

    def close(self) -> None:
        """Close all. Nobody may be reading."""
        with self._lock:
            for fd in self._open.values():
                os.close(fd)
            self._open.clear()


@dataclass(kw_only=True, eq=False)
class CscArray(Array):
    """Channels with one record structure, shape (samples, channels).

    Parameters
    ----------
    parts : tuple of Part
        In order.
    hint : str
        What to do where a channel's records turn out to be others than the first one's.
    """

    parts: tuple[Part, ...]
    hint: str = ""
    _files: Descriptors = field(default_factory=Descriptors, repr=False)

    def __post_init__(self) -> None:
        self.block_rows = ROOM

    def read(self, start: int, stop: int, out: AnyArray | None = None) -> AnyArray:
        """Rows ``start..stop`` as stored; into `out` where given. Safe from any thread.

        Raises
        ------
        IndexError
            Outside ``0..shape[0]``.
        nwbkit.errors.DamagedInput
            Where a file has become shorter, or a channel's records differ from the first's.
        """
        if not 0 <= start <= stop <= self.shape[0]:
            raise IndexError(f"rows {start}..{stop} of {self.shape[0]}")
        wanted = (stop - start, self.shape[1])
        if out is None:
            out = np.empty(wanted, self.dtype)
        elif out.shape != wanted:
            raise ValueError(f"out has shape {out.shape}, not {wanted}")
        for part in self.parts:
            low, high = max(start - part.first, 0), min(stop - part.first, part.rows)
            if low < high:
                at = part.first + low - start
                self._read_part(part, low, high, out[at : at + high - low])
        return out

    def _read_part(self, part: Part, start: int, stop: int, out: AnyArray) -> None:
        firsts = part.firsts
        a = int(np.searchsorted(firsts, start, side="right")) - 1
        b = int(np.searchsorted(firsts, stop, side="left"))
        for k in range(a, b, _CHUNK):
            end = min(k + _CHUNK, b)
            low, high = max(start, int(firsts[k])), min(stop, int(firsts[end]))
            rows = np.empty((len(part.files), int(firsts[end] - firsts[k])), self.dtype)
            for row, file in zip(rows, part.files, strict=True):
                self._samples(part, file, k, end, row)
            skip = int(firsts[k])
            out[low - start : high - start] = rows[:, low - skip : high - skip].T

    def _samples(self, part: Part, file: NlxFile, a: int, b: int, row: AnyArray) -> None:
        """The samples of the records ``a..b`` of one channel."""
        records, index = part.scan.records, part.scan.index
        found = self._records(file, int(index[a]), int(index[b - 1]) + 1)
        valid = found["valid"]
        if (valid == 0).any():
            found, valid = found[valid > 0], valid[valid > 0]
        if not (
            np.array_equal(found["time"], records.times[a:b].view("<u8"))
            and np.array_equal(valid, records.valid[a:b])
        ):
            raise DamagedInput(
                f"'{file.path.name}' has other record times than '{part.files[0].path.name}' "
                f"between records {index[a]} and {index[b - 1]}",
                hint=self.hint or None,
            )
        if (valid == ROOM).all():
            row.reshape(-1, ROOM)[...] = found["samples"]
        else:
            row[...] = found["samples"][np.arange(ROOM) < valid[:, None]]

    def _records(self, file: NlxFile, start: int, stop: int) -> np.ndarray[Any, Any]:
        size, at = (stop - start) * NCS.itemsize, HEADER_BYTES + start * NCS.itemsize
        buffer = bytearray(size)
        with self._files.use(file.path) as fd:
            read_at(fd, memoryview(buffer), at, file.path)
        return np.frombuffer(buffer, NCS)

    def close(self) -> None:
        """Close the files."""
        self._files.close()


def joined(scans: Sequence[Scan]) -> Records:
    """The records of several files, one after the other."""
    return Records(
        np.concatenate([s.records.times for s in scans]),
        np.concatenate([s.records.valid for s in scans]),
    )
