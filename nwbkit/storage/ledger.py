"""What was stored, chunk by chunk: CRC-32 of the encoded bytes, for a proof without decoding."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from isal import isal_zlib

from nwbkit.storage.codec import AnyArray, Bytes
from nwbkit.storage.holes import Hole

if TYPE_CHECKING:
    from nwbkit.storage.pipeline import Sink


@dataclass
class Entry:
    """The chunks of one dataset.

    Parameters
    ----------
    chunks : tuple of int
        Chunk shape.
    grid : tuple of int
        Chunks along each dimension.
    crcs, sizes : numpy.ndarray of uint32
        By chunk, in C order; size 0 where none was stored.
    """

    chunks: tuple[int, ...]
    grid: tuple[int, ...]
    crcs: npt.NDArray[np.uint32]
    sizes: npt.NDArray[np.uint32]

    @classmethod
    def of(cls, shape: Sequence[int], chunks: Sequence[int]) -> Entry:
        """An entry without chunks."""
        grid = tuple(-(-n // c) for n, c in zip(shape, chunks, strict=True))
        count = math.prod(grid)
        return cls(tuple(chunks), grid, np.zeros(count, np.uint32), np.zeros(count, np.uint32))

    def index(self, offset: Sequence[int]) -> int:
        """Number of the chunk at `offset` (elements)."""
        number = 0
        for at, length, n in zip(offset, self.chunks, self.grid, strict=True):
            number = number * n + at // length
        return number

    def offset(self, index: int) -> tuple[int, ...]:
        """Where chunk number `index` begins, in elements."""
        at = np.unravel_index(index, self.grid)
        return tuple(int(a) * c for a, c in zip(at, self.chunks, strict=True))


@dataclass
class Ledger:
    """The chunks of every filled hole; eight bytes for each.

    Parameters
    ----------
    entries : dict of Hole to Entry
        By the hole itself: its path may not be known yet.
    """

    entries: dict[Hole, Entry] = field(default_factory=dict)

    def expect(self, holes: Sequence[Hole]) -> None:
        """Make room for the chunks of `holes`."""
        for hole in holes:
            if hole.plan.chunks and hole not in self.entries:
                self.entries[hole] = Entry.of(hole.shape, hole.plan.chunks)

    def note(self, hole: Hole, offset: tuple[int, ...], data: Bytes) -> None:
        """Take down one encoded chunk. May be called from any thread."""
        entry = self.entries[hole]
        index = entry.index(offset)
        entry.sizes[index] = len(data)
        entry.crcs[index] = isal_zlib.crc32(data)

    def by_path(self, holes: Sequence[Hole]) -> Mapping[str, Entry]:
        """The entries by the path of each dataset."""
        return {hole.path: self.entries[hole] for hole in holes if hole.plan.chunks}


@dataclass
class Noting:
    """A sink that takes down what goes through it.

    Parameters
    ----------
    sink : Sink
    ledger : Ledger
    """

    sink: Sink
    ledger: Ledger

    def put(self, hole: Hole, offset: tuple[int, ...], data: Bytes) -> None:
        """As of :class:`Sink`."""
        self.ledger.note(hole, offset, data)
        self.sink.put(hole, offset, data)

    def put_rows(self, hole: Hole, start: int, rows: AnyArray) -> None:
        """As of :class:`Sink`."""
        self.sink.put_rows(hole, start, rows)

    @property
    def lock_wait_s(self) -> float:
        """As of :class:`Sink`."""
        return self.sink.lock_wait_s

    @property
    def stored(self) -> int:
        """As of :class:`Sink`."""
        return self.sink.stored

    @property
    def sums(self) -> Mapping[str, str]:
        """As of :class:`Sink`."""
        return self.sink.sums
