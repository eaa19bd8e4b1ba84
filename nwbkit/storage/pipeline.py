"""Filling holes: read, digest, encode and write, overlapped on a few threads.

Every worker carries a slab through all steps, so that one worker's read or write overlaps
another's deflate, and what is in flight is one slab a worker: a bound on memory that needs
no queue. Workers take slabs in order and buffers are reused, so the peak does not depend on
the recording's length.
"""

from __future__ import annotations

import itertools
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from nwbkit.errors import UsageError
from nwbkit.storage.codec import AnyArray, Bytes, Scratch
from nwbkit.storage.crew import Crew
from nwbkit.storage.digests import DatasetDigest
from nwbkit.storage.feeds import Feed, feeds
from nwbkit.storage.holes import Hole
from nwbkit.storage.ledger import Ledger, Noting
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

    @property
    def sums(self) -> Mapping[str, str]:
        """Digests of files that are finished and need not be read for the output's checksum."""


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
    ledger : Ledger
        The encoded chunks.
    sums : mapping of str to str
        As of :class:`Sink`.
    """

    digests: dict[str, DatasetDigest]
    measured: Measured
    ledger: Ledger
    sums: Mapping[str, str]


class Reporter:
    """Hands progress on, one call at a time."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress
        #: Threads that worked at once, at most.
        self.workers = 0
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
    passing: bool = False,
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
    passing : bool
        As of :func:`nwbkit.storage.backends.sink_of`.

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
    with Filling(holes, jobs=jobs, max_memory=max_memory, progress=progress, cancel=cancel) as f:
        return f.finish(path, passing=passing)


class Filling:
    """A fill that may begin before its file exists; a context manager.

    While pynwb is imported and the skeleton written, all cores but one would stand idle: as
    many workers read and encode meanwhile, and what they have made is held in memory (a
    quarter of `max_memory` at most) until :meth:`finish` says where it goes.

    Parameters
    ----------
    holes : sequence of Hole
    jobs, max_memory, progress, cancel
        As of :func:`fill`.
    """

    def __init__(
        self,
        holes: Sequence[Hole],
        *,
        jobs: int,
        max_memory: int,
        progress: Progress | None = None,
        cancel: threading.Event | None = None,
    ) -> None:
        self.holes = list(holes)
        self._jobs, self._max_memory, self._cancel = jobs, max_memory, cancel
        self._report = Reporter(progress)
        self._feeds = feeds(self.holes)
        held = max_memory // 4
        try:
            workers = n_workers(self._feeds, jobs, max_memory - held)
        except UsageError:  # a tight limit goes to the worker that needs it
            held, workers = 0, n_workers(self._feeds, jobs, max_memory)
        self._crew = Crew(workers, cancel)
        self._relay = Relay(held, self._crew)
        self._ledger = Ledger()
        self._ledger.expect(self.holes)
        self._began = time.perf_counter()
        self._interval = sys.getswitchinterval()
        self._ranks = itertools.count()

    def __enter__(self) -> Filling:
        # an importing thread holds the interpreter for 5 ms at a time otherwise, and a
        # worker asks for it ten times a chunk
        sys.setswitchinterval(0.0005)
        self._crew.start(self._worker)
        return self

    def _worker(self) -> None:
        # one core is the importing thread's: with all of them taken, it takes twice as long
        if next(self._ranks) == self._crew.size - 1:
            while not self._crew.stopping and not self._relay.opened.wait(0.1):
                pass
        _work(self._feeds, Noting(self._relay, self._ledger), self._crew, self._report)

    def __exit__(self, *exc: object) -> None:
        sys.setswitchinterval(self._interval)
        self._crew.leave()
        for feed in self._feeds:
            feed.close()

    def finish(
        self, path: str | Path, more: Sequence[Hole] = (), *, passing: bool = False
    ) -> Filled:
        """Write everything into the skeleton at `path`, `more` holes as well."""
        from nwbkit.storage.backends import sink_of

        sys.setswitchinterval(self._interval)
        holes = [*self.holes, *more]
        with sink_of(path, holes, passing=passing) as sink:
            self._relay.open(sink)
            self._crew.wait()
            digests = fill_into(
                sink,
                more,
                self._ledger,
                jobs=self._jobs,
                max_memory=self._max_memory,
                report=self._report,
                cancel=self._cancel,
            )
            stored, waited, sums = sink.stored, sink.lock_wait_s, sink.sums
        digests.update(_digests(self._feeds))
        raw = sum(hole.nbytes for hole in holes)
        seconds = time.perf_counter() - self._began
        workers = max(self._crew.size if self._feeds else 0, self._report.workers)
        measured = Measured(seconds, raw, stored, workers, waited)
        return Filled(digests, measured, self._ledger, sums)


class Relay:
    """A sink that holds what it is given until the true one is open.

    Parameters
    ----------
    budget : int
        Bytes held at most; workers wait then.
    crew : Crew
        Whose wish to stop ends the waiting.
    """

    def __init__(self, budget: int, crew: Crew) -> None:
        self._budget = budget
        self._crew = crew
        self._sink: Sink | None = None
        self._held: list[Callable[[Sink], None]] = []
        self._bytes = 0
        self._change = threading.Condition()
        self.opened = threading.Event()

    def put(self, hole: Hole, offset: tuple[int, ...], data: Bytes) -> None:
        """As of :class:`Sink`."""
        sink = self._sink
        if sink is None:
            kept = bytes(data)
            sink = self._hold(len(kept), lambda s: s.put(hole, offset, kept))
        if sink is not None:
            sink.put(hole, offset, data)

    def put_rows(self, hole: Hole, start: int, rows: AnyArray) -> None:
        """As of :class:`Sink`."""
        sink = self._sink
        if sink is None:
            kept = rows.copy()
            sink = self._hold(kept.nbytes, lambda s: s.put_rows(hole, start, kept))
        if sink is not None:
            sink.put_rows(hole, start, rows)

    def _hold(self, size: int, put: Callable[[Sink], None]) -> Sink | None:
        """Keep `put` for later, or return the sink where it has been opened meanwhile."""
        with self._change:
            while self._sink is None and self._bytes and self._bytes + size > self._budget:
                if self._crew.stopping:
                    return None
                self._change.wait(0.1)
            if self._sink is None:
                self._held.append(put)
                self._bytes += size
            return self._sink

    def open(self, sink: Sink) -> None:
        """Hand over what is held, and everything from now on."""
        self.opened.set()
        while True:
            with self._change:
                held, self._held, self._bytes = self._held, [], 0
                if not held or self._crew.stopping:
                    self._sink = sink
                    self._change.notify_all()
                    return
                self._change.notify_all()
            while held:
                held.pop(0)(sink)

    @property
    def lock_wait_s(self) -> float:
        """As of :class:`Sink`."""
        return self._sink.lock_wait_s if self._sink is not None else 0.0

    @property
    def stored(self) -> int:
        """As of :class:`Sink`."""
        return self._sink.stored if self._sink is not None else 0

    @property
    def sums(self) -> Mapping[str, str]:
        """As of :class:`Sink`."""
        return self._sink.sums if self._sink is not None else {}


def _work(work: Sequence[Feed], sink: Sink, crew: Crew, report: Reporter) -> None:
    scratch = Scratch()
    for feed in work:
        while not crew.stopping:
            span = feed.next(scratch)
            if span is None:
                break
            runs = [m.digester.run(span.start, span.stop) for m in feed.members]
            for member, offset, data in feed.carry(span, scratch, runs):
                if member.hole.plan.chunks:
                    sink.put(member.hole, offset, data)
                else:
                    sink.put_rows(member.hole, offset[0], data)
                if crew.stop.is_set():
                    return
            report((span.stop - span.start) * feed.row_bytes)


def fill_into(
    sink: Sink,
    holes: Sequence[Hole],
    ledger: Ledger,
    *,
    jobs: int,
    max_memory: int,
    report: Reporter,
    cancel: threading.Event | None = None,
) -> dict[str, DatasetDigest]:
    """Fill `holes` into an open sink; digests by path."""
    work = feeds(holes)
    ledger.expect(holes)
    noting = Noting(sink, ledger)
    try:
        if work:
            crew = Crew(n_workers(work, jobs, max_memory), cancel)
            report.workers = max(report.workers, crew.size)
            crew.run(lambda: _work(work, noting, crew, report))
    finally:
        for feed in work:
            feed.close()
    return _digests(work)


def _digests(work: Sequence[Feed]) -> dict[str, DatasetDigest]:
    return {m.hole.path: m.digester.result() for feed in work for m in feed.members}
