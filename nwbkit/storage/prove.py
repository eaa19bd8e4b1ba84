"""Reading back: every chunk decoded on all cores, past HDF5's lock, and digested.

Chunks that went through shuffle, deflate and fletcher32 are read at their place in the file
and decoded here; everything else goes through h5py. A chunk that does not decode is noted
with its dataset and place, and the rest is read all the same.
"""

from __future__ import annotations

import functools
import itertools
import math
import os
import threading
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from nwbkit.errors import DamagedInput, IOFailure
from nwbkit.storage.backends import is_folder
from nwbkit.storage.codec import AnyArray, Bytes, Scratch, Undecodable, decodable, decode
from nwbkit.storage.content import Names
from nwbkit.storage.crew import Crew
from nwbkit.storage.digests import BlockDigester, DatasetDigest
from nwbkit.storage.pipeline import Progress, Reporter
from nwbkit.storage.plugins import refuse_missing
from nwbkit.storage.stored import (
    Places,
    ReadInto,
    chunk_places,
    filter_numbers,
    load_chunk,
    read_into,
)
from nwbkit.storage.values import digest_dataset, is_plain, nbytes, stored_as

#: As many chunks of one dataset are named; the rest is counted.
MAX_NAMED = 20

#: A dataset that claims more than this and stores nothing is a claim, not data.
_EMPTY_CLAIM = 1 << 30


@dataclass
class Damage:
    """What could not be decoded of one dataset.

    Parameters
    ----------
    path : str
    count : int
        Number of failures.
    named : list of str
        The first of them, each with its chunk's offset in elements.
    """

    path: str
    count: int = 0
    named: list[str] = field(default_factory=list)

    def add(self, text: str) -> None:
        """Note one failure."""
        self.count += 1
        if len(self.named) < MAX_NAMED:
            self.named.append(text)

    def __str__(self) -> str:
        more = f" and {self.count - 1} more" if self.count > 1 else ""
        return f"'{self.path}' cannot be decoded: {self.named[0]}{more}"


@dataclass
class Decoded:
    """Result of reading a file back.

    Parameters
    ----------
    digests : dict of str to DatasetDigest
        Of every dataset that decodes whole.
    problems : dict of str to Damage
        Of every dataset that does not.
    """

    digests: dict[str, DatasetDigest] = field(default_factory=dict)
    problems: dict[str, Damage] = field(default_factory=dict)


@dataclass
class Chunked:
    """A dataset whose chunks are decoded here."""

    path: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    chunks: tuple[int, ...]
    filters: tuple[int, ...]
    fill: Any
    stored: Places
    digester: BlockDigester

    @property
    def empty(self) -> bool:
        """Whether nothing is stored of it."""
        return not self.stored

    @property
    def band_bytes(self) -> int:
        """Of a line of chunks, decoded."""
        return self.chunks[0] * math.prod(self.shape[1:]) * self.dtype.itemsize

    @property
    def worker_bytes(self) -> int:
        """Held by each thread that decodes it."""
        chunk = math.prod(self.chunks) * self.dtype.itemsize
        row = math.prod(self.shape[1:]) * self.dtype.itemsize
        block = self.digester.block_rows
        pieces = 2 * block * row if self.chunks[0] % block else 0
        return self.band_bytes + 4 * chunk + pieces


def _chunked(dataset: h5py.Dataset, path: str) -> Chunked | None:
    """Return what is needed to decode `dataset` here; None where h5py has to."""
    if not dataset.chunks or not dataset.size or not is_plain(dataset.dtype):
        return None
    filters = filter_numbers(dataset.id)
    if not decodable(filters):
        refuse_missing(dataset)
        return None
    dtype = dataset.dtype
    if dtype.hasobject or not stored_as(dataset.id.get_type(), dtype):
        return None
    stored = chunk_places(dataset)
    digester = BlockDigester(dataset.shape, dtype)
    fill = dataset.fillvalue
    return Chunked(path, dataset.shape, dtype, dataset.chunks, filters, fill, stored, digester)


class Reading:
    """One pass over a file: tasks, what came of them, and the file they read.

    Parameters
    ----------
    file : h5py.File
    names : Names
    report : Reporter
    read : callable, optional
        Reads in the same file, past HDF5.
    """

    def __init__(
        self, file: Any, names: Names, report: Reporter, read: ReadInto | None = None
    ) -> None:
        self.file = file
        self.names = names
        self.read = read
        self.report = report
        self.out = Decoded()
        self.lock = threading.Lock()
        self.crew: Crew | None = None

    def chunked(self, path: str) -> Chunked | None:
        """What is needed to decode a dataset here; None where its own library has to."""
        return None if self.file.userblock_size else _chunked(self.file[path], path)

    def damaged(self, path: str, text: str) -> None:
        """Note what is wrong with a dataset."""
        with self.lock:
            self.out.problems.setdefault(path, Damage(path)).add(text)

    def slices(self, path: str, scratch: Scratch) -> None:
        """Read a dataset as a whole, through h5py."""
        dataset = self.file[path]
        try:
            digest = digest_dataset(dataset, self.names.resolve)
        except (OSError, RuntimeError, ValueError, MemoryError) as error:
            text = str(error).splitlines()[0] if str(error) else type(error).__name__
            self.damaged(path, text.lower())
            return
        with self.lock:
            self.out.digests[path] = digest
        self.report(nbytes(dataset))

    def band(self, data: Chunked, start: int, scratch: Scratch) -> None:
        """Decode one row of chunks."""
        rows = min(data.chunks[0], data.shape[0] - start)
        steps = [range(0, n, c) for n, c in zip(data.shape[1:], data.chunks[1:], strict=True)]
        alone = all(n == c for n, c in zip(data.shape[1:], data.chunks[1:], strict=True))
        band = None if alone else scratch.array("band", (rows, *data.shape[1:]), data.dtype)
        whole = True
        for corner in itertools.product(*steps):
            if self.crew is not None and self.crew.stopping:
                return
            try:
                values = self.chunk(data, (start, *corner), scratch)
            except Undecodable as error:
                self.damaged(data.path, f"chunk at {[start, *corner]}: {error}")
                whole = False
                continue
            if band is None:
                band = values[:rows]
                continue
            place = tuple(
                slice(low, min(low + c, n))
                for low, c, n in zip(corner, data.chunks[1:], data.shape[1:], strict=True)
            )
            inside = tuple(slice(0, s.stop - s.start) for s in place)
            band[(slice(None), *place)] = values[(slice(0, rows), *inside)]
        if whole and band is not None:
            data.digester.add(start, band)
            self.report(band.nbytes)

    def chunk(self, data: Chunked, offset: tuple[int, ...], scratch: Scratch) -> AnyArray:
        """Decode one chunk.

        Raises
        ------
        Undecodable
        """
        stored = self.load(data, offset, scratch)
        if stored is None:
            values = scratch.array("fill", data.chunks, data.dtype)
            values[...] = data.fill
            return values
        mask = data.stored[offset][0]
        return decode(stored, data.filters, mask, data.chunks, data.dtype, scratch)

    def load(self, data: Chunked, offset: tuple[int, ...], scratch: Scratch) -> Bytes | None:
        """The stored bytes of one chunk; None where it was never written.

        Raises
        ------
        Undecodable
            Where they are not there.
        """
        if offset not in data.stored:
            return None
        _, place, size = data.stored[offset]
        assert self.read is not None
        return load_chunk(self.read, place, size, data.chunks, data.dtype, scratch)


Task = Callable[[Scratch], None]


def _tasks(
    reading: Reading, wanted: Collection[str] | None, max_memory: int
) -> tuple[list[Chunked], Iterator[Task], int]:
    """Return datasets decoded here, all tasks, and the bytes that the largest needs."""
    chunked: list[Chunked] = []
    others: list[str] = []
    for path, (kind, _) in reading.names.objects.items():
        if kind != "dataset" or (wanted is not None and path not in wanted):
            continue
        data = reading.chunked(path)
        if data is not None and data.worker_bytes <= max_memory:
            chunked.append(data)
        else:
            others.append(path)
    for data in list(chunked):
        size = math.prod(data.shape) * data.dtype.itemsize
        if data.empty and size > _EMPTY_CLAIM:
            reading.damaged(data.path, f"{size} bytes are declared and none is stored")
            chunked.remove(data)

    def tasks() -> Iterator[Task]:
        for path in others:
            yield functools.partial(reading.slices, path)
        for data in chunked:
            for start in range(0, data.shape[0], data.chunks[0]):
                yield functools.partial(reading.band, data, start)

    return chunked, tasks(), max((d.worker_bytes for d in chunked), default=1)


def decode_digests(
    path: str | Path,
    dataset_paths: Collection[str] | None = None,
    *,
    jobs: int,
    max_memory: int,
    progress: Progress | None = None,
    cancel: threading.Event | None = None,
    read: ReadInto | None = None,
) -> Decoded:
    """Decode a file's datasets and return their digests.

    Parameters
    ----------
    path : path
        An HDF5 file or a Zarr store that nobody is writing.
    dataset_paths : collection of str, optional
        Default: all datasets.
    jobs : int
        Threads.
    max_memory : int
        Bytes that the threads' buffers may take together.
    progress : callable, optional
        Called from worker threads, one at a time, with the raw bytes done since last time.
    cancel : threading.Event, optional
        When set, workers stop at their next chunk.
    read : callable, optional
        Reads in the file, past HDF5; default: positioned reads of it.

    Returns
    -------
    Decoded
        Digests of datasets that decode, damage of those that do not.

    Raises
    ------
    nwbkit.errors.DamagedInput
        Where the file is no HDF5 file, or its object tree cannot be walked.
    nwbkit.errors.IOFailure
        Where the disk fails while reading.
    """
    if is_folder(path):
        from nwbkit.storage.zarr_prove import decode_store

        return decode_store(path, dataset_paths, jobs, max_memory, progress, cancel)
    fd = os.open(path, os.O_RDONLY)
    try:
        try:
            with h5py.File(path, "r") as file:
                read = read or functools.partial(read_into, fd)
                reading = Reading(file, Names(file), Reporter(progress), read)
                run(reading, dataset_paths, jobs, max_memory, cancel)
        except (RuntimeError, KeyError) as error:
            raise _unreadable(path, error) from error
        except OSError as error:
            if error.errno is not None:
                raise IOFailure(f"cannot read '{path}': {os.strerror(error.errno)}") from error
            raise _unreadable(path, error) from error
        return reading.out
    finally:
        os.close(fd)


def _unreadable(path: str | Path, error: Exception) -> DamagedInput:
    return DamagedInput(f"cannot read '{path}' as HDF5: {str(error).splitlines()[0].lower()}")


def do_tasks(
    reading: Reading, tasks: Iterator[Task], size: int, cancel: threading.Event | None
) -> None:
    """Do `tasks` on `size` threads (one at least), each with buffers of its own."""
    taking = threading.Lock()
    crew = reading.crew = Crew(max(1, size), cancel)

    def work() -> None:
        scratch = Scratch()
        while not crew.stopping:
            with taking:
                task = next(tasks, None)
            if task is None:
                return
            task(scratch)

    crew.run(work)


def run(
    reading: Reading,
    wanted: Collection[str] | None,
    jobs: int,
    max_memory: int,
    cancel: threading.Event | None,
) -> None:
    """Decode what is `wanted` (None: all) on `jobs` threads; what came of it is in ``out``."""
    asked = {path: reading.names.canonical(path) for path in wanted or ()}
    there = reading.names.of_kind("dataset")
    for path, canonical in asked.items():
        if canonical not in there:
            reading.damaged(path, "there is no such dataset")
    chunked, tasks, needed = _tasks(
        reading, None if wanted is None else set(asked.values()), max_memory
    )
    do_tasks(reading, tasks, min(jobs, max_memory // max(1, needed)), cancel)
    for data in chunked:
        if data.path not in reading.out.problems:
            reading.out.digests[data.path] = data.digester.result()
    for path, canonical in asked.items():
        if path != canonical and canonical in reading.out.digests:
            reading.out.digests[path] = reading.out.digests[canonical]
        if path != canonical and canonical in reading.out.problems:
            reading.out.problems[path] = reading.out.problems[canonical]
