"""Movies as NWB stores them: width before height.

Streams of movies have the shape (frames, height, width[, planes]), as cameras and files have
it; NWB wants (frames, width, height[, planes]).
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import numpy as np

from nwbkit.streams.kinds import AnyArray, Array

#: Roles whose second and third axes change places on their way into NWB.
TURNED_ROLES = frozenset({"two_photon", "one_photon"})

#: Read from the source at once, so that what is turned is still in the core's cache.
PIECE_BYTES = 2 << 20

#: Frames up to this size are turned many at once: the loop would cost more than the copy.
SMALL_FRAME = 64 << 10


class Turned(Array):
    """Another array stream with height and width exchanged, as it is read.

    Parameters
    ----------
    base : Array
        Shape (frames, height, width[, planes]). Where it has a method ``read_turned(start,
        stop, out)`` that fills `out` and returns True, that one is asked first.
    """

    def __init__(self, base: Array) -> None:
        values: dict[str, Any] = {f.name: getattr(base, f.name) for f in fields(Array)}
        frames, height, width, *planes = base.shape
        values["shape"] = (frames, width, height, *planes)
        # what the base is cut from has other axes: it is asked for its own rows instead
        values.update(group=None, parent=None, columns=None, hdf5=None)
        # the base is read in pieces as it is
        values["piecewise"] = base.concurrency == "threads"
        if base.reopen is not None:
            values["reopen"] = functools.partial(_turned_again, base.reopen)
        super().__init__(**values)
        self.base = base
        self._local = threading.local()

    def read(self, start: int, stop: int, out: AnyArray | None = None) -> AnyArray:
        """Frames ``start..stop``, each (width, height[, planes]); into `out` where given."""
        shape = (stop - start, *self.shape[1:])
        if out is None:
            out = np.empty(shape, self.dtype)
        quicker = getattr(self.base, "read_turned", None)
        if quicker is not None and quicker(start, stop, out):
            return out
        step = self._piece()
        for low in range(start, stop, step):
            high = min(low + step, stop)
            frames = self.base.read(low, high, out=self._scratch(high - low))
            turn(frames, out[low - start : low - start + len(frames)])
            if len(frames) < high - low:
                return out[: low - start + len(frames)]
        return out

    @property
    def scratch_bytes(self) -> int:
        """Bytes that each thread holds beside what it is asked for."""
        frame = int(np.prod(self.shape[1:], dtype=np.int64)) * self.dtype.itemsize
        return max(2, self._piece()) * frame

    def _piece(self) -> int:
        frame = max(1, int(np.prod(self.shape[1:], dtype=np.int64)) * self.dtype.itemsize)
        return max(1, PIECE_BYTES // frame, self.block_rows)

    def _scratch(self, rows: int) -> AnyArray:
        """A buffer of this thread: a fresh one would be handed out page by page, zeroed."""
        kept: AnyArray | None = getattr(self._local, "buffer", None)
        if kept is None or len(kept) < rows:
            kept = np.empty((rows, *self.base.shape[1:]), self.base.dtype)
            self._local.buffer = kept
        return kept[:rows]


def _turned_again(reopen: Callable[[], Array]) -> Array:
    return Turned(reopen())


def as_stored(stream: Array) -> Array:
    """`stream` as NWB stores it: itself, or one and the same turned view of it."""
    if stream.role not in TURNED_ROLES or len(stream.shape) < 3 or isinstance(stream, Turned):
        return stream
    view: Turned | None = stream.__dict__.get("_turned_view")
    if view is None:
        view = Turned(stream)
        stream.__dict__["_turned_view"] = view
    return view


def turn(frames: AnyArray, out: AnyArray) -> None:
    """Copy `frames` (n, height, width, ...) into `out` (n, width, height, ...).

    A band of rows at a time: numpy walks the whole frame for every column otherwise, which
    at 512 by 512 pixels misses the cache with every pixel (1.5 GB/s against 3.4).
    """
    n, height = frames.shape[:2]
    if not n or frames[0].nbytes <= SMALL_FRAME:
        np.copyto(out, frames.swapaxes(1, 2))
        return
    rows = 64 if frames.dtype.itemsize == 1 else 32
    for frame, turned in zip(frames, out, strict=True):
        for low in range(0, height, rows):
            turned[:, low : low + rows] = frame[low : low + rows].swapaxes(0, 1)
