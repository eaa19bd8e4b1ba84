"""From a slab of rows to encoded chunks and digests, out of the core's own cache.

A slab of a Neuropixels recording is 6 MB; carried whole through cutting, digesting and
shuffling, each step fetches it from memory again, and two cores then wait for the same
memory. Here rows are taken in pieces that stay in the second-level cache: read, cut, digested
and shuffled straight into the byte planes of all chunks abreast, which are then deflated.
Slabs that cannot be worked on so (other codecs, chunks that end elsewhere) are carried whole.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import xxhash

from nwbkit.storage.codec import AnyArray, Bytes, Scratch, deflate, shuffle
from nwbkit.storage.digests import flat_bytes
from nwbkit.storage.feeds import Feed, Member
from nwbkit.storage.holes import Hole
from nwbkit.storage.planning import block_rows

#: Bytes of a piece: with its copies it fits the 2 MiB of today's second-level caches. Smaller
#: ones gain nothing, since every call into numpy gives up the interpreter's lock.
PIECE_BYTES = 800 << 10


@dataclass(frozen=True)
class Chunk:
    """An encoded chunk; its data may lie in the scratch, until the next item is asked for."""

    member: Member
    offset: tuple[int, ...]
    data: Bytes


@dataclass(frozen=True)
class Blocks:
    """The digests of all blocks of a member that begin in the slab."""

    member: Member
    first: int
    digests: list[str]


@dataclass(frozen=True)
class Rows:
    """A member's rows as they were read, contiguous; nothing of them is done yet."""

    member: Member
    start: int
    rows: AnyArray


Item = Chunk | Blocks | Rows


def next_slab(feed: Feed, scratch: Scratch) -> tuple[int, int, Iterator[Item]] | None:
    """Take the next slab of a feed: its rows, and what becomes of them; None when all are taken."""
    fused = [m for m in feed.members if _fuses(feed, m)]
    if not fused or feed.reader.concurrency != "threads":
        whole = feed.next(scratch)
        if whole is None:
            return None
        start, rows = whole
        return start, start + len(rows), _carried(feed, start, rows, scratch)
    span = feed.take()
    if span is None:
        return None
    return (*span, _in_pieces(feed, fused, *span, scratch))


def _carried(feed: Feed, start: int, rows: AnyArray, scratch: Scratch) -> Iterator[Item]:
    for member in feed.members:
        yield Rows(member, start, member.cut(rows, scratch))


def _fuses(feed: Feed, member: Member) -> bool:
    """Whether whole chunks and whole digest blocks of `member` lie in each slab of `feed`."""
    hole, plan = member.hole, member.hole.plan
    if hole.backend != "hdf5" or not plan.chunks or plan.codec != "gzip" or plan.fletcher32:
        return False
    if not plan.shuffle or hole.dtype.kind not in "iuf" or hole.dtype.itemsize not in (2, 4):
        return False
    if len(hole.shape) < 2 or 0 in hole.shape or feed.reader.block_rows > _piece_rows(feed):
        return False
    units = (plan.chunks[0], block_rows(hole.shape, hole.dtype.itemsize))
    return feed.slab_rows >= feed.n_rows or not any(feed.slab_rows % unit for unit in units)


def _piece_rows(feed: Feed) -> int:
    """Rows of a piece: a multiple of what the source reads cheaply, where it says so."""
    rows = max(1, PIECE_BYTES // max(1, feed.row_bytes))
    prefer = max(1, feed.reader.block_rows)
    return max(prefer, rows // prefer * prefer)


def _in_pieces(
    feed: Feed, fused: list[Member], start: int, stop: int, scratch: Scratch
) -> Iterator[Item]:
    planes = {
        id(m): _Planes(m.hole, stop - start, scratch, f"planes{n}") for n, m in enumerate(fused)
    }
    kept = {
        id(m): scratch.array(f"kept{n}", (stop - start, *m.hole.shape[1:]), m.hole.dtype)
        for n, m in enumerate(feed.members)
        if id(m) not in planes
    }
    step = _piece_rows(feed)
    for first in range(start, stop, step):
        rows = feed.read(first, min(first + step, stop), scratch)
        for member in feed.members:
            part = member.cut(rows, scratch)
            if id(member) in planes:
                planes[id(member)].add(first - start, part)
            else:
                kept[id(member)][first - start : first - start + len(part)] = part
    for member in feed.members:
        if id(member) not in planes:
            yield Rows(member, start, kept[id(member)])
            continue
        mine = planes[id(member)]
        yield Blocks(member, start // mine.block, mine.digests())
        for offset, data in mine.chunks(start):
            yield Chunk(member, offset, data)


class _Planes:
    """The byte planes of all chunks of a slab, and the running digest of its blocks."""

    def __init__(self, hole: Hole, n_rows: int, scratch: Scratch, name: str) -> None:
        self.hole, self.n_rows, self.scratch = hole, n_rows, scratch
        chunks = hole.plan.chunks
        self.step = chunks[0]
        self.corners = list(
            itertools.product(
                *(range(0, n, c) for n, c in zip(hole.shape[1:], chunks[1:], strict=True))
            )
        )
        bands = -(-n_rows // self.step)
        shape = (bands, len(self.corners), hole.dtype.itemsize, *chunks)
        self.planes = scratch.array(name, shape, np.uint8)
        if n_rows % self.step or any(
            n % c for n, c in zip(hole.shape[1:], chunks[1:], strict=True)
        ):
            self.planes[...] = 0  # what lies beyond the dataset's edge is stored as zeros
        self.block = block_rows(hole.shape, hole.dtype.itemsize)
        self._hash = xxhash.xxh3_128()
        self._done: list[str] = []
        self._hashed = 0

    def add(self, at: int, part: AnyArray) -> None:
        """Take in the rows from `at` of the slab on; they come in order."""
        self._digest(part)
        stop = at + len(part)
        for low in range(at - at % self.step, stop, self.step):
            first, last = max(low, at), min(low + self.step, stop)
            rows = part[first - at : last - at]
            for number, corner in enumerate(self.corners):
                self._spread(rows, low // self.step, number, corner, first - low)

    def _spread(
        self, rows: AnyArray, band: int, number: int, corner: tuple[int, ...], at: int
    ) -> None:
        inside = tuple(
            slice(low, low + c) for low, c in zip(corner, self.hole.plan.chunks[1:], strict=True)
        )
        block = rows[(slice(None), *inside)]
        if not block.flags.c_contiguous:
            # gathered first: a cast over rows of 64 columns pays for every row anew
            tight = self.scratch.array("tight", block.shape, block.dtype)
            np.copyto(tight, block)
            block = tight
        planes = self.planes[band, number]
        shuffle(
            block, planes[(slice(None), slice(at, at + len(block)), *map(slice, block.shape[1:]))]
        )

    def _digest(self, part: AnyArray) -> None:
        while len(part):
            room = self.block - self._hashed
            head = part[:room]
            self._hash.update(flat_bytes(head))
            self._hashed += len(head)
            part = part[room:]
            if self._hashed == self.block:
                self._close()

    def _close(self) -> None:
        self._done.append(self._hash.hexdigest())
        self._hash.reset()
        self._hashed = 0

    def digests(self) -> list[str]:
        """The digests of the slab's blocks; the last one of a dataset may be shorter."""
        if self._hashed:
            self._close()
        return self._done

    def chunks(self, start: int) -> Iterator[tuple[tuple[int, ...], Bytes]]:
        """Deflate the planes of a slab that begins with row `start`."""
        hole = self.hole
        for band in range(len(self.planes)):
            for number, corner in enumerate(self.corners):
                data = flat_bytes(self.planes[band, number])
                packed = deflate(data, hole.plan, hole.dtype, len(hole.shape))
                yield (start + band * self.step, *corner), packed
