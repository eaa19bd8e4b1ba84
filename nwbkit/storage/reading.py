"""Reading from many threads what their readers alone would read from one.

``hdf5``: h5py holds one lock for the whole process. Where a stream is a dataset, its stored
bytes are read at their place in the file and decoded here. ``process``: a reader that keeps
the interpreter to itself is opened once more in a process of each thread that reads.
``serial`` readers are asked by one thread at a time, in order (see feeds).
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import math
import multiprocessing
import os
import threading
from collections.abc import Callable
from dataclasses import fields
from multiprocessing import shared_memory
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from nwbkit.errors import DamagedInput, InternalError, NwbkitError
from nwbkit.storage.codec import AnyArray, Scratch, Undecodable, decodable, decode
from nwbkit.storage.digests import flat_bytes
from nwbkit.storage.stored import Places, chunk_places, filter_numbers, load_chunk, read_into
from nwbkit.storage.values import stored_as
from nwbkit.streams import Array

if TYPE_CHECKING:
    from multiprocessing.connection import Connection


def served(array: Array) -> Array:
    """`array`, or what reads the same rows from any number of threads."""
    if array.concurrency == "hdf5" and array.hdf5 is not None:
        return StoredRows.of(array) or array
    if array.concurrency == "process" and array.reopen is not None:
        return ProcessRows(array, array.reopen)
    return array


def _like(array: Array, **changed: Any) -> dict[str, Any]:
    return {f.name: getattr(array, f.name) for f in fields(Array)} | changed


class StoredRows(Array):
    """Rows of an HDF5 dataset, read past HDF5: positioned reads of its chunks, decoded here.

    Made by :meth:`of`.
    """

    scratch_bytes: int
    _stored: Places
    _filters: tuple[int, ...]
    _chunks: tuple[int, ...] | None
    _full: tuple[int, ...]
    _fill: Any
    _scratch: threading.local
    _place: int | None
    _fd: int
    _name: str

    @classmethod
    def of(cls, array: Array) -> StoredRows | None:
        """The rows of `array`; None where its dataset is stored in a way only HDF5 reads."""
        assert array.hdf5 is not None
        path, name = array.hdf5
        with h5py.File(path, "r") as file:
            dataset = _dataset(file, name)
            if dataset is None or file.userblock_size or not dataset.size:
                return None
            same = array.shape in (dataset.shape, (*dataset.shape, 1)) or (
                (*array.shape, 1) == dataset.shape
            )
            if not same or dataset.dtype != array.dtype:
                return None
            if not stored_as(dataset.id.get_type(), dataset.dtype):
                return None
            filters = filter_numbers(dataset.id)
            if not decodable(filters) or dataset.dtype.hasobject:
                return None
            if dataset.id.get_create_plist().get_external_count():
                return None
            rows = cls._made(array, dataset, filters)
        if rows is not None:
            rows._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            rows._name = f"{os.path.basename(path)}:{name}"
        return rows

    @classmethod
    def _made(
        cls, array: Array, dataset: h5py.Dataset, filters: tuple[int, ...]
    ) -> StoredRows | None:
        block = dataset.chunks[0] if dataset.chunks else array.block_rows
        whole = not dataset.chunks
        self = cls(**_like(array, concurrency="threads", block_rows=block, piecewise=whole))
        self._filters, self._chunks, self._full = filters, dataset.chunks, dataset.shape
        self._fill, self._scratch = dataset.fillvalue, threading.local()
        self.scratch_bytes = 0
        if not dataset.chunks:
            self._place = dataset.id.get_offset()
            return self if self._place is not None else None
        self._stored = chunk_places(dataset)
        self.scratch_bytes = 4 * math.prod(dataset.chunks) * dataset.dtype.itemsize
        return self

    def read(self, start: int, stop: int, out: AnyArray | None = None) -> AnyArray:
        """As of :class:`Array`."""
        if out is None:
            out = np.empty((stop - start, *self.shape[1:]), self.dtype)
        rows = out.reshape((stop - start, *self._full[1:]))
        if self._chunks is None:
            assert self._place is not None
            row = math.prod(self.shape[1:]) * self.dtype.itemsize
            missing = read_into(self._fd, flat_bytes(rows), self._place + start * row)
            if missing:
                raise DamagedInput(f"'{self._name}' ends {missing} bytes short")
            return out
        scratch = self._own_scratch()
        first = start - start % self._chunks[0]
        steps = [range(0, n, c) for n, c in zip(self._full[1:], self._chunks[1:], strict=True)]
        for low in range(first, stop, self._chunks[0]):
            begin, end = max(low, start), min(low + self._chunks[0], stop)
            for corner in itertools.product(*steps):
                values = self._chunk((low, *corner), scratch)
                place = tuple(
                    slice(a, min(a + c, n))
                    for a, c, n in zip(corner, self._chunks[1:], self._full[1:], strict=True)
                )
                inside = tuple(slice(0, s.stop - s.start) for s in place)
                rows[(slice(begin - start, end - start), *place)] = values[
                    (slice(begin - low, end - low), *inside)
                ]
        return out

    def _own_scratch(self) -> Scratch:
        if not hasattr(self._scratch, "buffers"):
            self._scratch.buffers = Scratch()
        buffers: Scratch = self._scratch.buffers
        return buffers

    def _chunk(self, offset: tuple[int, ...], scratch: Scratch) -> AnyArray:
        assert self._chunks is not None
        if offset not in self._stored:
            values = scratch.array("fill", self._chunks, self.dtype)
            values[...] = self._fill
            return values
        mask, place, size = self._stored[offset]
        try:
            read = functools.partial(read_into, self._fd)
            buffer = load_chunk(read, place, size, self._chunks, self.dtype, scratch)
            return decode(buffer, self._filters, mask, self._chunks, self.dtype, scratch)
        except Undecodable as error:
            raise self._damaged(offset, str(error)) from None

    def _damaged(self, offset: tuple[int, ...], problem: str) -> DamagedInput:
        return DamagedInput(f"'{self._name}': the chunk at {list(offset)} is damaged: {problem}")

    def close(self) -> None:
        """Close the file."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def _dataset(file: h5py.File, name: str) -> h5py.Dataset | None:
    """The dataset `name`, by hard links alone: what lies elsewhere is not opened."""
    item: Any = file
    for part in name.strip("/").split("/"):
        if not isinstance(item, h5py.Group) or not isinstance(
            item.get(part, getlink=True), h5py.HardLink
        ):
            return None
        item = item[part]
    return item if isinstance(item, h5py.Dataset) else None


class ProcessRows(Array):
    """Rows that another process reads, one for each thread that asks.

    Parameters
    ----------
    array : Array
    reopen : callable
        Gives the stream anew; sent to the other process.
    """

    def __init__(self, array: Array, reopen: Callable[[], Array]) -> None:
        super().__init__(**_like(array, concurrency="threads", piecewise=False))
        self._reopen = reopen
        self._mine = threading.local()
        self._all: list[_Helper] = []
        self._lock = threading.Lock()

    def read(self, start: int, stop: int, out: AnyArray | None = None) -> AnyArray:
        """As of :class:`Array`."""
        helper: _Helper | None = getattr(self._mine, "helper", None)
        if helper is None:
            helper = self._mine.helper = _Helper(self._reopen)
            with self._lock:
                self._all.append(helper)
        shape = (stop - start, *self.shape[1:])
        if out is None:
            out = np.empty(shape, self.dtype)
        return helper.read(start, stop, out)

    def close(self) -> None:
        """End the processes."""
        with self._lock:
            helpers, self._all = self._all, []
        for helper in helpers:
            helper.close()
        self._mine = threading.local()


class _Helper:
    """A process that reads, and the memory through which the rows come."""

    def __init__(self, reopen: Callable[[], Array]) -> None:
        # spawn: a process forked from one with threads may never wake up
        context = multiprocessing.get_context("spawn")
        self._ours, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, reopen), daemon=True)
        self._process.start()
        theirs.close()
        self._memory: shared_memory.SharedMemory | None = None

    def read(self, start: int, stop: int, out: AnyArray) -> AnyArray:
        if self._memory is None or self._memory.size < out.nbytes:
            self._release()
            self._memory = shared_memory.SharedMemory(create=True, size=max(1, out.nbytes))
        try:
            self._ours.send((start, stop, self._memory.name))
            answer = self._ours.recv()
        except (EOFError, OSError):
            raise InternalError("a process that reads the source has died") from None
        if isinstance(answer, BaseException):
            raise answer
        rows = np.ndarray((int(answer), *out.shape[1:]), out.dtype, self._memory.buf)
        out[:answer] = rows
        return out[:answer]

    def _release(self) -> None:
        if self._memory is not None:
            self._memory.close()
            self._memory.unlink()
            self._memory = None

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._ours.close()
        self._process.join(5)
        if self._process.is_alive():
            self._process.kill()
        self._release()


def _serve(asked: Connection, reopen: Callable[[], Array]) -> None:
    """What the other process does: read what it is asked for until nobody asks."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's business
    array: Array | None = None
    while True:
        try:
            start, stop, name = asked.recv()
        except (EOFError, OSError):
            return
        answer: int | BaseException
        try:
            if array is None:
                array = reopen()
            answer = _into(array, start, stop, name)
        except NwbkitError as error:
            answer = type(error)(error.message, hint=error.hint)
        except Exception as error:  # noqa: BLE001 - told to who asked
            answer = InternalError(f"{type(error).__name__}: {error}")
        asked.send(answer)


def _into(array: Array, start: int, stop: int, name: str) -> int:
    rows = array.read(start, stop)
    memory = shared_memory.SharedMemory(name=name)
    try:
        np.ndarray(rows.shape, array.dtype, memory.buf)[...] = rows
    finally:
        memory.close()
    return len(rows)
