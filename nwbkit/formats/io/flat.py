"""Interleaved flat binaries: rows of equal size, over one or more files.

Read with positioned reads into one buffer, not through a memory map: a map counts as
memory, and a file that shrinks while mapped kills the process with SIGBUS.
"""

from __future__ import annotations

import bisect
import hashlib
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from nwbkit.errors import DamagedInput, IOFailure, NoInput
from nwbkit.streams.kinds import AnyArray, Array

#: A stream may consist of thousands of trigger files; no more than these are open at once.
MAX_OPEN = 32


def complete_rows(path: Path, row_bytes: int, header: int = 0) -> tuple[int, int]:
    """How many whole rows a file holds, and how many bytes are left over.

    Parameters
    ----------
    path : Path
    row_bytes : int
        Bytes of one row.
    header : int
        Bytes before the first row.

    Returns
    -------
    rows, rest : int
        `rest` is negative where not even the header is complete.

    Raises
    ------
    nwbkit.errors.NoInput
        Where the file is missing or may not be read.
    """
    try:
        size = os.stat(path).st_size
    except OSError as error:
        raise NoInput(f"cannot open '{path}': {_reason(error)}") from None
    if size < header:
        return 0, size - header
    rows, rest = divmod(size - header, row_bytes)
    return rows, rest


@dataclass(frozen=True)
class FlatFile:
    """One file of a flat binary: where its rows begin (bytes) and how many there are."""

    path: Path
    n_rows: int
    header: int = 0


class _OpenFiles:
    """Descriptors by path, opened when first needed, at most `limit` idle or in use.

    More than `limit` threads reading different files at once may exceed it for a moment.
    """

    def __init__(self, limit: int = MAX_OPEN) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._fds: OrderedDict[Path, int] = OrderedDict()
        self._users: dict[Path, int] = {}

    @contextmanager
    def use(self, path: Path) -> Iterator[int]:
        """The descriptor of `path`; it stays open while in use."""
        with self._lock:
            fd = self._fds.get(path)
            if fd is None:
                self._make_room()
                try:
                    fd = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
                except OSError as error:
                    raise NoInput(f"cannot open '{path}': {_reason(error)}") from None
                self._fds[path] = fd
            self._fds.move_to_end(path)
            self._users[path] = self._users.get(path, 0) + 1
        try:
            yield fd
        finally:
            with self._lock:
                self._users[path] -= 1

    def _make_room(self) -> None:
        for path in [p for p in self._fds if not self._users.get(p)]:
            if len(self._fds) < self._limit:
                return
            os.close(self._fds.pop(path))

    def close(self) -> None:
        """Close what nobody is reading."""
        with self._lock:
            for path in [p for p in self._fds if not self._users.get(p)]:
                os.close(self._fds.pop(path))

    def __len__(self) -> int:
        return len(self._fds)


@dataclass(kw_only=True, eq=False)
class FlatArray(Array):
    """Whole rows of an interleaved flat binary, shape (rows, columns).

    Streams that are columns of it are plain :class:`~nwbkit.streams.Array` objects with
    this one as `parent` (see :meth:`cut`).

    Parameters
    ----------
    files : tuple of FlatFile
        In order; their rows follow each other.
    """

    files: tuple[FlatFile, ...]
    piecewise: bool = True
    _starts: list[int] = field(init=False, repr=False)
    _open: _OpenFiles = field(init=False, repr=False)

    def __post_init__(self) -> None:
        starts = [0]
        for file in self.files:
            starts.append(starts[-1] + file.n_rows)
        if starts[-1] != self.shape[0]:
            raise ValueError(f"the files hold {starts[-1]} rows, not {self.shape[0]}")
        self._starts = starts
        self._open = _OpenFiles()
        if self.parent is None:
            self.group = self.group if self.group is not None else ("flat", id(self))

    @property
    def row_bytes(self) -> int:
        """Bytes of one row."""
        return int(np.prod(self.shape[1:], dtype=np.int64)) * self.dtype.itemsize

    def read(self, start: int, stop: int, out: AnyArray | None = None) -> AnyArray:
        """Rows ``start..stop`` as stored, C order; into `out` where given.

        Safe from any number of threads at once.

        Raises
        ------
        IndexError
            Outside ``0..shape[0]``.
        nwbkit.errors.DamagedInput
            Where a file has become shorter since it was opened.
        nwbkit.errors.IOFailure
            Where the system cannot read it.
        """
        if not 0 <= start <= stop <= self.shape[0]:
            raise IndexError(f"rows {start}..{stop} of {self.shape[0]}")
        wanted = (stop - start, *self.shape[1:])
        if out is not None and out.shape != wanted:
            raise ValueError(f"out has shape {out.shape}, not {wanted}")
        fits = out is not None and out.flags.c_contiguous and out.dtype == self.dtype
        buffer = out if out is not None and fits else np.empty(wanted, self.dtype)
        if buffer.size:
            self._fill(memoryview(buffer.reshape(-1).view(np.uint8).data), start, stop)
        if out is not None and not fits:
            np.copyto(out, buffer)
            return out
        return buffer

    def _fill(self, view: memoryview, start: int, stop: int) -> None:
        row = self.row_bytes
        index = bisect.bisect_right(self._starts, start) - 1
        at = start
        while at < stop:
            file, first = self.files[index], self._starts[index]
            end = min(stop, first + file.n_rows)
            if end > at:
                part = view[(at - start) * row : (end - start) * row]
                with self._open.use(file.path) as fd:
                    read_at(fd, part, file.header + (at - first) * row, file.path)
                at = end
            index += 1

    def cut(self, columns: slice, **facts: Any) -> Array:
        """A stream made of `columns` of these rows; `facts` as Array takes them."""
        width = len(range(*columns.indices(self.shape[1])))
        return Array(
            shape=(self.shape[0], width),
            dtype=self.dtype,
            parent=self,
            columns=columns,
            group=self.group,
            concurrency=self.concurrency,
            **facts,
        )

    def close(self) -> None:
        """Close the files. Reading again opens them again."""
        self._open.close()


def read_at(fd: int, view: memoryview, offset: int, path: Path) -> None:
    """Fill `view` with what lies at byte `offset` of the open file `path`.

    Raises
    ------
    nwbkit.errors.DamagedInput
        Where the file has become shorter.
    nwbkit.errors.IOFailure
        Where the system cannot read it.
    """
    done, size = 0, len(view)
    while done < size:
        try:
            count = os.preadv(fd, [view[done:]], offset + done)
        except OSError as error:
            raise IOFailure(f"cannot read '{path}': {_reason(error)}") from None
        if count == 0:
            raise DamagedInput(
                f"'{path.name}' ends at byte {offset + done}, where {size - done} more were "
                "to be read: it has become shorter since it was opened"
            )
        done += count


def sha1(path: Path, progress: Callable[[int], None] | None = None) -> str:
    """SHA-1 of a file in hex, upper case; `progress` gets the bytes of each block."""
    digest = hashlib.sha1(usedforsecurity=False)
    try:
        with open(path, "rb", buffering=0) as f:
            while block := f.read(4 << 20):
                digest.update(block)
                if progress is not None:
                    progress(len(block))
    except OSError as error:
        raise NoInput(f"cannot read '{path}': {_reason(error)}") from None
    return digest.hexdigest().upper()


def reread_rows(
    files: Sequence[tuple[Path, int, int]],
    dtype: np.dtype[Any],
    n_columns: int,
    start: int,
    stop: int,
) -> AnyArray:
    """Rows ``start..stop`` of the same files by numpy alone: the independent second reader.

    Shares no code with :class:`FlatArray`, on purpose.

    Parameters
    ----------
    files : sequence of (path, rows, header bytes)
    """
    parts = []
    before = 0
    for path, rows, header in files:
        low, high = max(start - before, 0), min(stop - before, rows)
        before += rows
        if low < high:
            flat = np.fromfile(
                path,
                dtype=dtype,
                count=(high - low) * n_columns,
                offset=header + low * n_columns * dtype.itemsize,
            )
            parts.append(flat.reshape(-1, n_columns))
    return np.concatenate(parts) if parts else np.empty((0, n_columns), dtype)


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
