"""Feeds: what is read together, in slabs, and what each worker needs memory for.

A feed is one reader and the holes that are cut from its rows. A slab is a stretch of whole
rows that one worker carries through all steps. A long one is read in pieces, where the reader
can do that cheaply, so that it need not be in memory as a whole.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nwbkit.errors import DamagedInput, InternalError
from nwbkit.storage.codec import AnyArray, Scratch
from nwbkit.storage.cutting import Bands, Cutter
from nwbkit.storage.digests import BlockDigester, Run, little
from nwbkit.storage.holes import Hole
from nwbkit.storage.planning import (
    band_bytes,
    block_rows,
    chunk_scratch,
    floor_power_of_two,
)
from nwbkit.storage.reading import served
from nwbkit.streams import Array

#: Slabs are at least so large where the plan's chunks are small.
MIN_SLAB_BYTES = 4 << 20

#: ... and for the sake of whole digest blocks not larger than this.
MAX_SLAB_BYTES = 16 << 20

#: Slabs of at least so many of the source's blocks need not begin where those do.
SMALL_BLOCKS = 16

#: Slabs above that are read in pieces of about so much, if the reader can. Shorter ones cost
#: more calls than they save, whole slabs of Zarr's chunks 100 MB a worker.
PIECE_BYTES = 4 << 20

#: Readers that must not be called by two threads at once share this lock: several streams of
#: one file often stand on one vendor object.
_one_reader = threading.Lock()


@dataclass(eq=False)
class Member:
    """A hole in a feed: where its columns lie, its digest so far, its unfinished bands."""

    hole: Hole
    columns: slice | npt.NDArray[np.intp] | None
    digester: BlockDigester
    bands: Bands

    def cut(self, slab: AnyArray, scratch: Scratch) -> AnyArray:
        """Return this hole's part of `slab`, contiguous and little-endian."""
        hole = self.hole
        part = slab if self.columns is None else slab[:, self.columns]
        shape = (len(slab), *hole.shape[1:])
        if math.prod(part.shape) != math.prod(shape):
            raise InternalError(f"columns of '{hole.key}' give {part.shape}, not {shape}")
        if part.flags.c_contiguous and part.dtype == hole.dtype:
            return part.reshape(shape)
        if little(part.dtype) != hole.dtype:
            raise InternalError(f"'{hole.key}' is read as {part.dtype}, not {hole.dtype}")
        out = scratch.array("part", part.shape, hole.dtype)
        out[...] = part
        return out.reshape(shape)


@dataclass
class Span:
    """Rows that one worker carries through all steps.

    Parameters
    ----------
    start, stop : int
    pieces : iterator of (int, numpy.ndarray)
        The rows in order, piece by piece, each with its first row; a piece is valid until the
        next is asked for.
    """

    start: int
    stop: int
    pieces: Iterator[tuple[int, AnyArray]]


#: What becomes of a slab: the member, a chunk's offset, its bytes; of a hole without chunks
#: the first row and rows as they are.
Made = tuple["Member", tuple[int, ...], Any]


class Feed:
    """One reader, its holes, and the slabs still to be read.

    Parameters
    ----------
    reader : nwbkit.streams.Array
    holes : sequence of Hole
    """

    def __init__(self, reader: Array, holes: Sequence[Hole]) -> None:
        self.reader = reader
        self.members = [
            Member(
                hole,
                None if reader is hole.source else hole.source.columns,
                BlockDigester(hole.shape, hole.dtype),
                Bands(hole),
            )
            for hole in holes
        ]
        self.n_rows = reader.shape[0]
        for hole in holes:
            if hole.shape[0] != self.n_rows:
                raise InternalError(f"'{hole.key}' has other rows than what it is read from")
        self.reader = served(reader)
        self.row_bytes = math.prod(reader.shape[1:]) * reader.dtype.itemsize
        self._chunk_rows = self._lead_chunk_rows()
        self.slab_rows = self._aligned(self._chunk_rows)
        self._next = 0
        #: Bytes of each row that whoever works on a slab keeps until all of it is there.
        self.kept_row_bytes = 0
        #: Spans of rows still to be read, where not all are wanted.
        self.spans: Iterator[tuple[int, int]] | None = None
        self._claim = threading.Lock()

    def _lead_chunk_rows(self) -> int:
        lead = max((m.hole for m in self.members), key=lambda h: h.nbytes)
        chunk = lead.plan.chunks[0] if lead.plan.chunks else 1
        if not self.row_bytes:
            return max(1, self.n_rows)
        rows = chunk * math.ceil(MIN_SLAB_BYTES / (chunk * self.row_bytes))
        # whole digest blocks as well, where that takes little more: they are hashed where they lie
        unit = math.lcm(chunk, block_rows(lead.shape, lead.dtype.itemsize))
        if unit * self.row_bytes <= MAX_SLAB_BYTES:
            rows = math.ceil(rows / unit) * unit
        return min(rows, max(1, self.n_rows))

    def _aligned(self, rows: int) -> int:
        """Slab rows that the source reads cheaply, near `rows`."""
        prefer = self.reader.block_rows
        if prefer <= 0 or rows % prefer == 0 or rows >= self.n_rows:
            return rows
        if rows >= SMALL_BLOCKS * prefer:
            return rows  # reading a block twice at either end costs less than bands that are cut
        return min(math.ceil(rows / prefer) * prefer, self.n_rows)

    def fix(self, rows: int) -> None:
        """Cut the rows into slabs of `rows`, whatever the memory."""
        self.slab_rows = self._chunk_rows = max(1, rows)

    def fit(self, budget: int) -> int:
        """Choose slabs that fit `budget` bytes with one worker; return what one worker needs.

        Slabs of the source's preferred length give way first: they cost time, not memory
        that is not there.
        """
        needed = self.worker_bytes()
        if needed > budget and self.slab_rows != self._chunk_rows:
            self.slab_rows = self._chunk_rows
            needed = self.worker_bytes()
        return needed

    def worker_bytes(self) -> int:
        """Bytes a worker holds at most while it works on one slab."""
        piece = min(self.piece_rows, self.n_rows) * self.row_bytes
        total = piece if self.reader.concurrency == "threads" else 2 * piece
        total += getattr(self.reader, "scratch_bytes", 0)
        parts = scratch = 0
        for member in self.members:
            hole = member.hole
            row = math.prod(hole.shape[1:]) * hole.dtype.itemsize
            if row != self.row_bytes or member.columns is not None:
                parts = max(parts, min(self.piece_rows, self.n_rows) * row)
            scratch = max(scratch, chunk_scratch(hole.plan, hole.dtype.itemsize))
            if hole.plan.chunks and self.piece_rows < min(hole.plan.chunks[0], self.n_rows):
                total += band_bytes(hole.plan, hole.shape, hole.dtype.itemsize)
            if hole.plan.chunks and self.slab_rows % hole.plan.chunks[0]:
                total += 2 * band_bytes(hole.plan, hole.shape, hole.dtype.itemsize)
            digest_rows = block_rows(hole.shape, hole.dtype.itemsize)
            if self.slab_rows % digest_rows:
                total += 2 * digest_rows * row
        # the rows that are kept, and their byte planes when they are packed
        kept = 2 * self.kept_row_bytes * min(self.slab_rows, self.n_rows)
        return total + parts + scratch + kept

    def next(self, scratch: Scratch) -> Span | None:
        """Claim the next slab; None when all are taken.

        Readers that only one thread may call are also asked in order, since going back costs
        a sequential decoder dearly.

        Raises
        ------
        nwbkit.errors.DamagedInput
            Where the source returns fewer rows than it was asked for; also while the pieces
            are gone through.
        """
        if self.reader.concurrency == "threads":
            span = self.take()
            return None if span is None else Span(*span, self._pieces(*span, scratch))
        with _one_reader:
            span = self.take()
            if span is None:
                return None
            return Span(*span, iter([(span[0], self.read(*span, scratch))]))

    def _pieces(self, start: int, stop: int, scratch: Scratch) -> Iterator[tuple[int, AnyArray]]:
        for low in range(start, stop, self.piece_rows):
            yield low, self.read(low, min(low + self.piece_rows, stop), scratch)

    @property
    def piece_rows(self) -> int:
        """Rows that are read at once."""
        reader = self.reader
        small = self.slab_rows * self.row_bytes <= MAX_SLAB_BYTES
        if small or not reader.piecewise or reader.concurrency != "threads":
            return self.slab_rows
        rows = floor_power_of_two(PIECE_BYTES // self.row_bytes)
        block = max(1, reader.block_rows)
        return min(max(1, rows // block) * block, self.slab_rows)

    def carry(self, span: Span, scratch: Scratch, runs: Sequence[Run | None]) -> Iterator[Made]:
        """Digest and cut the rows of a slab, and yield what is to be stored.

        Parameters
        ----------
        span : Span
        scratch : Scratch
            What is yielded may lie in it and is valid until the next.
        runs : sequence of Run
            The digest of each member, for these rows; None for members whose rows are wanted
            as they are, neither digested nor cut.
        """
        cutters = [
            Cutter(m.hole, span.start, span.stop, m.bands, scratch, f"built {number}")
            for number, m in enumerate(self.members)
        ]
        for first, rows in span.pieces:
            for member, run, cutter in zip(self.members, runs, cutters, strict=True):
                part = member.cut(rows, scratch)
                if run is not None:
                    run.add(part)
                if run is None or not member.hole.plan.chunks:
                    yield member, (first,), part
                    continue
                for offset, data in cutter.add(first, part):
                    yield member, offset, data

    def close(self) -> None:
        """Give up what reading has opened beside the source."""
        close = getattr(self.reader, "close", None)
        if close is not None and self.reader.concurrency == "threads":
            close()

    def take(self) -> tuple[int, int] | None:
        """Claim the next slab's rows; None when all are taken."""
        with self._claim:
            if self.spans is not None:
                return next(self.spans, None)
            start = self._next
            if start >= self.n_rows:
                return None
            self._next = min(start + self.slab_rows, self.n_rows)
            return start, self._next

    def read(self, start: int, stop: int, scratch: Scratch) -> AnyArray:
        """Rows of the source, in a buffer of `scratch`.

        Raises
        ------
        nwbkit.errors.DamagedInput
            Where the source returns fewer.
        """
        shape = (stop - start, *self.reader.shape[1:])
        out = scratch.array("slab", shape, self.reader.dtype)
        rows = self.reader.read(start, stop, out=out)
        if rows.shape[1:] != shape[1:]:
            raise InternalError(
                f"'{self.members[0].hole.key}' was read as {rows.shape}, not {shape}"
            )
        if len(rows) != stop - start:
            raise DamagedInput(
                f"'{self.members[0].hole.key}' ends at row {start + len(rows)} of {self.n_rows}",
                hint="--salvage keeps what is there and records the loss",
            )
        return rows


def feeds(holes: Sequence[Hole]) -> list[Feed]:
    """Group holes into feeds: streams of equal ``group`` share one read of their parent."""
    groups: dict[object, tuple[Array, list[Hole]]] = {}
    for hole in holes:
        source = hole.source
        shared = source.group is not None and source.parent is not None
        reader = source.parent if shared and source.parent is not None else source
        key: object = ("group", source.group) if shared else ("own", len(groups))
        groups.setdefault(key, (reader, []))[1].append(hole)
    return [Feed(reader, members) for reader, members in groups.values()]
