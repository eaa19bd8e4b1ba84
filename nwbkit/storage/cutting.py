"""Cutting rows into chunks: at once where they are all there, piece by piece where they come so.

A chunk that has the rows of many pieces is built up from them in the form in which its codec
takes them (:class:`Builder`): byte planes for deflate, finished frames for blosc. Its rows as
they were read need not be held together then.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from typing import Protocol

import numpy as np

from nwbkit.storage.codec import AnyArray, Bytes, Scratch
from nwbkit.storage.holes import Hole

#: A chunk's offset in elements, and what is stored.
Chunk = tuple[tuple[int, ...], Bytes]


class Builder(Protocol):
    """One chunk whose rows come in order."""

    def add(self, rows: AnyArray) -> None:
        """Take in the next rows; they may be narrower than the chunk, at the dataset's edge."""

    def finish(self) -> Bytes:
        """The stored bytes; what rows are missing are zeros. Valid until the next chunk."""


def corners(hole: Hole) -> Iterator[tuple[tuple[int, ...], tuple[slice, ...]]]:
    """Of the chunks abreast: where each begins in all but the first dimension, and its columns."""
    steps = [range(0, n, c) for n, c in zip(hole.shape[1:], hole.plan.chunks[1:], strict=True)]
    for corner in itertools.product(*steps):
        yield (
            corner,
            tuple(slice(low, low + c) for low, c in zip(corner, hole.plan.chunks[1:], strict=True)),
        )


def chunks_of(hole: Hole, start: int, band: AnyArray, scratch: Scratch) -> Iterator[Chunk]:
    """Encode a band: ``(offset, stored bytes)`` of each of its chunks.

    Parameters
    ----------
    hole : Hole
        With chunks.
    start : int
        First row of the band.
    band : numpy.ndarray
        The rows of one line of chunks; fewer at the end of the dataset.
    scratch : Scratch
        What is yielded may lie in it and is valid until the next chunk.
    """
    for corner, inside in corners(hole):
        yield (start, *corner), hole.encode(band[(slice(None), *inside)], scratch)


class Bands:
    """Gathers the rows of bands that several threads bring, or one thread at several times.

    Parameters
    ----------
    hole : Hole
    """

    def __init__(self, hole: Hole) -> None:
        self._hole = hole
        self._open: dict[int, tuple[AnyArray, int]] = {}
        self._lock = threading.Lock()

    def gather(self, low: int, high: int, first: int, rows: AnyArray) -> AnyArray | None:
        """Take in `rows` from `first` on of the band ``low..high``; the band when it is whole."""
        with self._lock:
            if low not in self._open:
                band = np.empty((high - low, *self._hole.shape[1:]), self._hole.dtype)
                self._open[low] = (band, high - low)
            band, missing = self._open[low]
            band[first - low : first - low + len(rows)] = rows
            self._open[low] = (band, missing - len(rows))
            return self._open.pop(low)[0] if missing == len(rows) else None


class Cutter:
    """Cuts a stretch of one hole's rows, which come piece by piece, into chunks.

    Bands that lie whole in a piece are cut as they are; those that lie whole in the stretch
    are built up; what reaches beyond it is gathered with what other stretches bring.

    Parameters
    ----------
    hole : Hole
        With chunks.
    start, stop : int
        Rows of the stretch.
    bands : Bands
        Of the hole, shared by all threads.
    scratch : Scratch
        Of this thread.
    name : str
        Tells apart what several holes keep in `scratch`.
    """

    def __init__(
        self, hole: Hole, start: int, stop: int, bands: Bands, scratch: Scratch, name: str
    ) -> None:
        self._hole, self._bands = hole, bands
        self._start, self._stop = start, stop
        self._scratch, self._name = scratch, name
        self._building: list[tuple[tuple[int, ...], tuple[slice, ...], Builder]] = []

    def add(self, first: int, rows: AnyArray) -> Iterator[Chunk]:
        """Yield every chunk that `rows`, from row `first` on, make whole."""
        hole, step = self._hole, self._hole.plan.chunks[0]
        last = first + len(rows)
        for low in range(first - first % step, last, step):
            high = min(low + step, hole.shape[0])
            begin, end = max(low, first), min(high, last)
            part = rows[begin - first : end - first]
            if begin == low and end == high:
                yield from chunks_of(hole, low, part, self._scratch)
            elif low >= self._start and high <= self._stop:
                yield from self._build(low, high, begin, part)
            else:
                whole = self._bands.gather(low, high, begin, part)
                if whole is not None:
                    yield from chunks_of(hole, low, whole, self._scratch)

    def _build(self, low: int, high: int, begin: int, rows: AnyArray) -> Iterator[Chunk]:
        if begin == low:
            self._building = [
                (corner, inside, self._hole.builder(self._scratch, f"{self._name}/{number}"))
                for number, (corner, inside) in enumerate(corners(self._hole))
            ]
        for _, inside, builder in self._building:
            builder.add(rows[(slice(None), *inside)])
        if begin + len(rows) == high:
            built, self._building = self._building, []
            for corner, _, builder in built:
                yield (low, *corner), builder.finish()
