"""Filling holes: read, digest, encode and write, overlapped on a few threads.

Every worker carries a slab through all steps, so that one worker's read or write overlaps
another's deflate, and what is in flight is one slab a worker: a bound on memory that needs
no queue. Workers take slabs in order and buffers are reused, so the peak does not depend on
the recording's length.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from nwbkit.errors import TryAgain
from nwbkit.storage.codec import AnyArray, Bytes, Scratch, encode
from nwbkit.storage.digests import DatasetDigest
from nwbkit.storage.feeds import Feed, Member, feeds
from nwbkit.storage.holes import Hole
from nwbkit.storage.planning import refuse_memory

Progress = Callable[[int], None]


class Sink(Protocol):
    """A back end that takes encoded chunks, from any thread."""

    def put(self, hole: Hole, offset: tuple[int, ...], data: Bytes) -> None:
        """Store one encoded chunk at `offset` (elements)."""

    def put_rows(self, hole: Hole, start: int, rows: AnyArray) -> None:
        """Store rows of a dataset without chunks."""

    @property
    def lock_wait_s(self) -> float:
        """Seconds that workers have waited for one another's writes, summed."""

    @property
    def stored(self) -> int:
        """Bytes stored so far."""


@dataclass(frozen=True)
class Measured:
    """What a fill took; stands under ``measured`` in the sidecar, outside every digest.

    Parameters
    ----------
    seconds : float
        Wall time.
    raw, stored : int
        Bytes before and after encoding.
    workers : int
    lock_wait_s : float
        Seconds that workers waited to write, summed over workers.
    """

    seconds: float
    raw: int
    stored: int
    workers: int
    lock_wait_s: float


@dataclass(frozen=True)
class Filled:
    """Result of a fill.

    Parameters
    ----------
    digests : dict of str to DatasetDigest
        By dataset path, taken as the data left the reader.
    measured : Measured
    """

    digests: dict[str, DatasetDigest]
    measured: Measured


@dataclass
class Crew:
    """A few threads that share work, the first failure, and the wish to stop.

    A failure in one thread stops the others at their next chunk and is raised in the caller
    as it was; so is whatever a signal handler raises in the caller meanwhile. No thread is
    left behind in any case.
    """

    size: int
    cancel: threading.Event | None = None
    stop: threading.Event = field(default_factory=threading.Event)
    failures: list[BaseException] = field(default_factory=list)
    _done: threading.Event = field(default_factory=threading.Event)
    _running: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self, work: Callable[[], None]) -> None:
        """Run `work` in every thread and wait.

        Raises
        ------
        nwbkit.errors.TryAgain
            Where `cancel` was set.
        BaseException
            What the first failing thread raised.
        """
        threads = [
            threading.Thread(target=self._guarded, args=(work,), name=f"nwbkit-{i}", daemon=True)
            for i in range(self.size)
        ]
        self._running = len(threads)
        started: list[threading.Thread] = []
        try:
            for thread in threads:
                thread.start()
                started.append(thread)
            # Short waits, since a wait without limit is not woken by signals everywhere.
            while not self._done.wait(0.2):
                if self.cancel is not None and self.cancel.is_set():
                    self.stop.set()
        finally:
            self.stop.set()
            for thread in started:
                _join(thread)
        if self.failures:
            raise self.failures[0]
        if self.cancel is not None and self.cancel.is_set():
            raise TryAgain("cancelled before all data was written")

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - raised again in run()
            with self._lock:
                self.failures.append(error)
            self.stop.set()
        finally:
            with self._lock:
                self._running -= 1
                last = self._running == 0
            if last:
                self._done.set()

    @property
    def stopping(self) -> bool:
        """Whether workers should leave off at the next chunk."""
        return self.stop.is_set() or (self.cancel is not None and self.cancel.is_set())


def _join(thread: threading.Thread) -> None:
    # A second Ctrl-C must not leave a thread writing into a file that is being closed.
    interrupted: BaseException | None = None
    while thread.is_alive():
        try:
            thread.join()
        except BaseException as error:  # noqa: BLE001 - raised below
            interrupted = error
    if interrupted is not None:
        raise interrupted


class Reporter:
    """Hands progress on, one call at a time."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress
        self._lock = threading.Lock()

    def __call__(self, n: int) -> None:
        """Report `n` more bytes."""
        if self._progress is not None:
            with self._lock:
                self._progress(n)


def n_workers(work: Sequence[Feed], jobs: int, max_memory: int) -> int:
    """Return how many workers fit the memory; also settles the feeds' slabs.

    Raises
    ------
    nwbkit.errors.UsageError
        Where not even one worker fits, saying what is needed.
    """
    size = max(1, jobs)
    for feed in work:
        needed = feed.fit(max_memory)
        if needed > max_memory:
            raise refuse_memory(feed.members[0].hole.key, needed, max_memory)
        size = min(size, max_memory // max(1, needed))
    return min(size, sum(-(-feed.n_rows // feed.slab_rows) for feed in work) or 1)


def memory_needed(holes: Sequence[Hole]) -> int:
    """Bytes of memory that filling `holes` takes with one thread, for a dry run."""
    return max((feed.fit(0) for feed in feeds(holes)), default=0)


def fill(
    path: str | Path,
    holes: Sequence[Hole],
    *,
    jobs: int,
    max_memory: int,
    progress: Progress | None = None,
    cancel: threading.Event | None = None,
) -> Filled:
    """Fill the holes of the HDF5 skeleton at `path`.

    Parameters
    ----------
    path : path
        Written by pynwb with the holes' placeholders, and closed.
    holes : sequence of Hole
        With resolved paths.
    jobs : int
        Threads.
    max_memory : int
        Bytes that slabs, bands and scratch may take together; fewer threads run where
        `jobs` of them would need more.
    progress : callable, optional
        Called from worker threads, one at a time, with the raw bytes done since last time.
    cancel : threading.Event, optional
        When set, workers stop at their next chunk.

    Raises
    ------
    nwbkit.errors.UsageError
        One row of chunks does not fit `max_memory`.
    nwbkit.errors.DamagedInput
        A source returns fewer rows than its shape says, or raises this itself.
    nwbkit.errors.IOFailure
        Disk full or another failure to write.
    nwbkit.errors.TryAgain
        `cancel` was set.
    """
    from nwbkit.storage.hdf5 import ChunkFile

    began = time.perf_counter()
    work = feeds(holes)
    crew = Crew(n_workers(work, jobs, max_memory), cancel)
    report = Reporter(progress)
    with ChunkFile(path, holes) as sink:
        crew.run(lambda: _work(work, sink, crew, report))
        stored, waited = sink.stored, sink.lock_wait_s
    digests = {m.hole.path: m.digester.result() for feed in work for m in feed.members}
    raw = sum(hole.nbytes for hole in holes)
    seconds = time.perf_counter() - began
    return Filled(digests, Measured(seconds, raw, stored, crew.size, waited))


def _work(work: Sequence[Feed], sink: Sink, crew: Crew, report: Reporter) -> None:
    scratch = Scratch()
    for feed in work:
        while not crew.stopping:
            slab = feed.next(scratch)
            if slab is None:
                break
            for member in feed.members:
                part = member.cut(slab[1], scratch)
                member.digester.add(slab[0], part)
                for start, band in member.bands.add(slab[0], part):
                    _store(member, start, band, sink, crew, scratch)
                report(part.nbytes)


def _store(
    member: Member, start: int, band: AnyArray, sink: Sink, crew: Crew, scratch: Scratch
) -> None:
    hole = member.hole
    if not hole.plan.chunks:
        sink.put_rows(hole, start, band)
        return
    steps = [range(0, n, c) for n, c in zip(hole.shape[1:], hole.plan.chunks[1:], strict=True)]
    for corner in itertools.product(*steps):
        if crew.stopping:
            return
        inside = tuple(
            slice(low, low + c) for low, c in zip(corner, hole.plan.chunks[1:], strict=True)
        )
        sink.put(hole, (start, *corner), encode(band[(slice(None), *inside)], hole.plan, scratch))
