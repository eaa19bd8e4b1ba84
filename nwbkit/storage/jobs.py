"""Filling holes into packs, and joining packs: what resuming and job arrays share.

The rows of every feed are cut into slabs once, when the job is made, so that any host cuts
them alike. Slabs are as long as whole chunks and whole digest blocks of the feed's largest
hole: such a slab is finished for good. Of a hole whose chunks do not end where slabs end (a
sync word beside 384 channels; chunks of an odd length in a plan) the packs keep deflated
rows, and its chunks are made when the packs are joined.
"""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from nwbkit.errors import InternalError, IOFailure
from nwbkit.storage.codec import AnyArray, Bytes, Scratch, decode, encode
from nwbkit.storage.crew import Crew
from nwbkit.storage.digests import BlockDigester, DatasetDigest, canonical_dtype
from nwbkit.storage.feeds import Feed, Member, Span, feeds
from nwbkit.storage.holes import Hole
from nwbkit.storage.ledger import Ledger, Noting
from nwbkit.storage.packs import PackWriter, Piece, Slab
from nwbkit.storage.pipeline import (
    Filled,
    Measured,
    Progress,
    Reporter,
    Sink,
    fill_into,
    n_workers,
)
from nwbkit.storage.planning import DatasetPlan, block_rows
from nwbkit.streams import Array

#: A slab is not made longer than this for the sake of whole digest blocks.
MAX_SLAB_BYTES = 64 << 20

#: How rows are kept that are not yet chunks.
_ROWS = DatasetPlan(chunks=(1,), codec="gzip", level=1, shuffle=True)
_SHUFFLE, _DEFLATE = 2, 1


@dataclass
class Layout:
    """A job's holes, and how their rows are cut into slabs.

    Parameters
    ----------
    holes : list of Hole
    slab_rows : list of int
        By feed.
    """

    holes: list[Hole]
    slab_rows: list[int]
    feeds: list[Feed] = field(init=False)

    def __post_init__(self) -> None:
        self.feeds = feeds(self.holes)
        if len(self.feeds) != len(self.slab_rows):
            raise InternalError("a job's slabs do not fit its holes")
        for feed, rows in zip(self.feeds, self.slab_rows, strict=True):
            feed.fix(rows)
            feed.kept_row_bytes = sum(
                math.prod(m.hole.shape[1:]) * m.hole.dtype.itemsize
                for m in feed.members
                if self.keeps_rows(feed, m)
            )
        self._index = {id(hole): i for i, hole in enumerate(self.holes)}

    @classmethod
    def of(cls, holes: Sequence[Hole]) -> Layout:
        """The layout of a new job."""
        return cls(list(holes), [_slab_rows(feed) for feed in feeds(holes)])

    def number(self, hole: Hole) -> int:
        """Which of the holes it is."""
        return self._index[id(hole)]

    def spans(self) -> list[tuple[int, int, int]]:
        """``(feed, start, stop)`` of every slab, in the order of the source."""
        return [
            (number, start, min(start + feed.slab_rows, feed.n_rows))
            for number, feed in enumerate(self.feeds)
            for start in range(0, feed.n_rows, feed.slab_rows)
        ]

    def part(self, index: int, count: int) -> list[tuple[int, int, int]]:
        """The slabs of part `index` of `count`: a stretch of about that share of the bytes."""
        spans = self.spans()
        sizes = [(stop - start) * self.feeds[f].row_bytes for f, start, stop in spans]
        total, before, chosen = sum(sizes) or 1, 0, []
        for span, size in zip(spans, sizes, strict=True):
            if (2 * before + size) * count // (2 * total) == index:
                chosen.append(span)
            before += size
        return chosen

    def bytes_of(self, spans: Sequence[tuple[int, int, int]]) -> int:
        """Bytes of source rows in `spans`."""
        return sum((stop - start) * self.feeds[f].row_bytes for f, start, stop in spans)

    def keeps_rows(self, feed: Feed, member: Member) -> bool:
        """Whether slabs of `feed` do not hold whole chunks and blocks of `member`."""
        if feed.slab_rows >= feed.n_rows:
            return not member.hole.plan.chunks
        chunk, block = _units(member.hole)
        return not chunk or bool(feed.slab_rows % chunk or feed.slab_rows % block)


def _units(hole: Hole) -> tuple[int, int]:
    chunk = hole.plan.chunks[0] if hole.plan.chunks else 0
    return chunk, block_rows(hole.shape, hole.dtype.itemsize)


def _slab_rows(feed: Feed) -> int:
    if not feed.n_rows or not feed.row_bytes:
        return max(1, feed.n_rows)
    chunk, block = _units(max((m.hole for m in feed.members), key=lambda h: h.nbytes))
    unit = math.lcm(chunk or block, block)
    if unit * feed.row_bytes > max(MAX_SLAB_BYTES, feed.slab_rows * feed.row_bytes):
        unit = feed.slab_rows
    return min(unit * max(1, feed.slab_rows // unit), feed.n_rows)


def fill_packs(
    layout: Layout,
    todo: Sequence[tuple[int, int, int]],
    folder: Path,
    *,
    jobs: int,
    max_memory: int,
    progress: Progress | None = None,
    cancel: threading.Event | None = None,
) -> None:
    """Read and encode the slabs `todo` into a new pack in `folder`.

    Raises
    ------
    nwbkit.errors.UsageError
        Where a slab does not fit `max_memory`.
    nwbkit.errors.IOFailure
        Disk full or another failure to write.
    """
    report = Reporter(progress)
    wanted = [f for f in layout.feeds if f.n_rows]
    for number, feed in enumerate(layout.feeds):
        mine = [(start, stop) for f, start, stop in todo if f == number]
        feed.spans = iter(mine)
        if not mine:
            wanted = [f for f in wanted if f is not feed]
    if not wanted:
        return
    crew = Crew(n_workers(wanted, jobs, max_memory), cancel)
    try:
        with PackWriter(folder) as writer:
            crew.run(lambda: _fill(layout, writer, crew, report))
    finally:
        for feed in layout.feeds:
            feed.close()


def _fill(layout: Layout, writer: PackWriter, crew: Crew, report: Reporter) -> None:
    scratch = Scratch()
    for number, feed in enumerate(layout.feeds):
        while not crew.stopping:
            span = feed.next(scratch)
            if span is None:
                break
            pieces: list[Piece] = []
            digesters = _digesters(layout, feed, span)
            for member, offset, data in _encoded(feed, span, digesters, scratch):
                if crew.stop.is_set():
                    return
                hole = layout.number(member.hole)
                rows = layout.keeps_rows(feed, member)
                pieces.append(writer.append(hole, offset, data, rows=rows))
            blocks = {
                layout.number(m.hole): list(d.result().blocks)
                for m, d in zip(feed.members, digesters, strict=True)
                if d is not None
            }
            writer.commit(Slab(number, span.start, span.stop, tuple(pieces), blocks))
            report((span.stop - span.start) * feed.row_bytes)


def _digesters(layout: Layout, feed: Feed, span: Span) -> list[BlockDigester | None]:
    """A digest of these rows for each member; None of those that are kept as rows."""
    return [
        None
        if layout.keeps_rows(feed, m)
        else BlockDigester((span.stop - span.start, *m.hole.shape[1:]), m.hole.dtype)
        for m in feed.members
    ]


def _encoded(
    feed: Feed, span: Span, digesters: Sequence[BlockDigester | None], scratch: Scratch
) -> Iterator[tuple[Member, tuple[int, ...], Bytes]]:
    """What a slab becomes, piece by piece; of members that are kept as rows all of them."""
    n_rows = span.stop - span.start
    kept: dict[int, AnyArray] = {}
    runs = [d.run(0, n_rows) if d is not None else None for d in digesters]
    for member, offset, data in feed.carry(span, scratch, runs):
        number = feed.members.index(member)
        if runs[number] is not None:
            yield member, offset, data
            continue
        if number not in kept:
            shape = (n_rows, *member.hole.shape[1:])
            kept[number] = scratch.array(f"kept {number}", shape, member.hole.dtype)
        first = offset[0] - span.start
        kept[number][first : first + len(data)] = data
    for number, rows in kept.items():
        packed = encode(rows, replace(_ROWS, chunks=rows.shape), scratch)
        yield feed.members[number], (span.start,), packed


class Joined:
    """The packs of a finished job as what a fill returns.

    Parameters
    ----------
    layout : Layout
    slabs : sequence of Slab
        One for every span of the layout.
    """

    def __init__(self, layout: Layout, slabs: Sequence[Slab]) -> None:
        self.layout = layout
        self.slabs = {(s.feed, s.start): s for s in slabs}
        missing = [s for s in layout.spans() if s[:2] not in self.slabs]
        if missing:
            raise InternalError(f"{len(missing)} slabs of the job are not there")
        self._fds: dict[Path, int] = {}
        self._lock = threading.Lock()

    def fd(self, pack: Path) -> int:
        """The open pack."""
        with self._lock:
            if pack not in self._fds:
                self._fds[pack] = os.open(pack, os.O_RDONLY)
            return self._fds[pack]

    def load(self, slab: Slab, piece: Piece) -> bytes:
        """The bytes of a piece.

        Raises
        ------
        nwbkit.errors.IOFailure
            Where they are no longer what was written.
        """
        assert slab.pack is not None
        data = slab.load(piece, self.fd(slab.pack))
        if data is None:
            raise IOFailure(
                f"'{slab.pack}' is damaged at byte {piece.place}",
                hint="run the fill again: it makes anew what is damaged",
            )
        return data

    def write(
        self,
        sink: Sink,
        *,
        jobs: int,
        max_memory: int,
        progress: Progress | None = None,
        cancel: threading.Event | None = None,
    ) -> Filled:
        """Copy all chunks into `sink`, and make those that are kept as rows."""
        began = time.perf_counter()
        report = Reporter(progress)
        crew = Crew(max(1, jobs), cancel)
        ledger = Ledger()
        ledger.expect(self.layout.holes)
        noting = Noting(sink, ledger)
        spans = iter(self.layout.spans())
        claim = threading.Lock()
        try:
            crew.run(lambda: self._copy(noting, spans, claim, crew, report))
            kept = self._kept_as_rows(ledger)
            rest = fill_into(
                sink, kept, ledger, jobs=jobs, max_memory=max_memory, report=report, cancel=cancel
            )
        finally:
            for fd in self._fds.values():
                os.close(fd)
            self._fds.clear()
        raw = sum(hole.nbytes for hole in self.layout.holes)
        seconds = time.perf_counter() - began
        return Filled(
            {**self._digests(), **rest},
            Measured(seconds, raw, sink.stored, crew.size, sink.lock_wait_s),
            ledger,
            sink.sums,
        )

    def _copy(
        self,
        sink: Sink,
        spans: Iterator[tuple[int, int, int]],
        claim: threading.Lock,
        crew: Crew,
        report: Callable[[int], None],
    ) -> None:
        while not crew.stopping:
            with claim:
                span = next(spans, None)
            if span is None:
                return
            slab = self.slabs[span[:2]]
            for piece in slab.pieces:
                if crew.stop.is_set():
                    return
                if not piece.rows:
                    hole = self.layout.holes[piece.hole]
                    sink.put(hole, piece.offset, self.load(slab, piece))
                    report(math.prod(hole.plan.chunks) * hole.dtype.itemsize)

    def _digests(self) -> dict[str, DatasetDigest]:
        digests = {}
        for number, feed in enumerate(self.layout.feeds):
            slabs = sorted((s for s in self.slabs.values() if s.feed == number), key=_start)
            for member in feed.members:
                if self.layout.keeps_rows(feed, member):
                    continue
                hole = member.hole
                index = self.layout.number(hole)
                blocks = [block for slab in slabs for block in slab.blocks.get(index, ())]
                empty = BlockDigester(hole.shape, hole.dtype)
                digests[hole.path] = DatasetDigest.of_blocks(
                    canonical_dtype(hole.dtype), hole.shape, empty.block_rows, blocks
                )
        return digests

    def _kept_as_rows(self, ledger: Ledger) -> list[Hole]:
        made = []
        for number, feed in enumerate(self.layout.feeds):
            slabs = sorted((s for s in self.slabs.values() if s.feed == number), key=_start)
            for member in feed.members:
                if self.layout.keeps_rows(feed, member):
                    hole = member.hole
                    source = _Rows.of(hole, self.layout.number(hole), slabs, self)
                    again = Hole(hole.key, hole.shape, hole.dtype, hole.plan, source, hole.backend)
                    again.path = hole.path
                    if hole in ledger.entries:
                        ledger.entries[again] = ledger.entries[hole]
                    made.append(again)
        return made


def _start(slab: Slab) -> int:
    return slab.start


@dataclass(kw_only=True)
class _Rows(Array):
    """Rows out of the packs."""

    number: int
    slabs: list[Slab]
    joined: Joined

    @classmethod
    def of(cls, hole: Hole, number: int, slabs: list[Slab], joined: Joined) -> _Rows:
        return cls(
            id="rows",
            name=hole.key,
            role="analog",
            shape=hole.shape,
            dtype=hole.dtype,
            block_rows=slabs[0].stop if slabs else 0,
            number=number,
            slabs=slabs,
            joined=joined,
        )

    def read(self, start: int, stop: int, out: AnyArray | None = None) -> AnyArray:
        """As of :class:`Array`."""
        if out is None:
            out = np.empty((stop - start, *self.shape[1:]), self.dtype)
        scratch = Scratch()
        for slab in self.slabs:
            first, last = max(start, slab.start), min(stop, slab.stop)
            if first >= last:
                continue
            (piece,) = (p for p in slab.pieces if p.hole == self.number)
            shape = (slab.stop - slab.start, *self.shape[1:])
            filters = (_SHUFFLE, _DEFLATE) if self.dtype.itemsize > 1 else (_DEFLATE,)
            data = self.joined.load(slab, piece)
            rows = decode(data, filters, 0, shape, self.dtype, scratch)
            out[first - start : last - start] = rows[first - slab.start : last - slab.start]
        return out
