"""The HDF5 back end: encoded chunks into an existing file, past HDF5's own filters."""

from __future__ import annotations

import contextlib
import errno
import os
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

import h5py

from nwbkit.errors import InternalError, IOFailure
from nwbkit.storage.codec import AnyArray, Bytes, filters_of
from nwbkit.storage.holes import Hole
from nwbkit.storage.past import begin_writing, give_back
from nwbkit.storage.stored import filter_numbers

#: Bytes after which the kernel is asked to begin writing them to the disk.
WRITEBACK_BYTES = 32 << 20


def io_failure(path: str | Path, error: OSError, doing: str = "write") -> IOFailure:
    """Return the failure that `error` means for the user."""
    text = str(error)
    if error.errno in (errno.ENOSPC, errno.EDQUOT) or "errno = 28" in text:
        return IOFailure(
            f"cannot {doing} '{path}': no space left on device",
            hint="--tmp-dir puts the temporary file elsewhere; `convert -n` says what is needed",
        )
    reason = os.strerror(error.errno).lower() if error.errno else text.splitlines()[0].lower()
    return IOFailure(f"cannot {doing} '{path}': {reason}")


class Writeback:
    """Has the kernel start on dirty pages early, so that the final fsync does not stall.

    Parameters
    ----------
    path : path
    passing : bool
        Whether pages are given back when the disk has them. Those it was asked to write the
        time before are there by then, if it keeps up.
    """

    def __init__(self, path: str | Path, *, passing: bool = False) -> None:
        self._passing = passing
        self._begun = 0
        self._fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        self._wake = threading.Event()
        self._closing = False
        self._thread = threading.Thread(target=self._loop, name="nwbkit-writeback", daemon=True)
        self._thread.start()

    def start(self) -> None:
        """Ask for what is dirty now."""
        self._wake.set()

    def _loop(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            if self._closing:
                return
            size = os.fstat(self._fd).st_size
            begin_writing(self._fd)
            if self._passing and self._begun:
                give_back(self._fd, self._begun)
            self._begun = size

    def close(self) -> None:
        """End the thread."""
        self._closing = True
        self._wake.set()
        self._thread.join()
        os.close(self._fd)


class ChunkFile:
    """An HDF5 file whose holes are being filled; a context manager.

    Parameters
    ----------
    path : path
    holes : sequence of Hole
    passing : bool
        As of :func:`nwbkit.storage.backends.sink_of`.

    Raises
    ------
    nwbkit.errors.InternalError
        Where a dataset in the file is not what its hole says.
    nwbkit.errors.IOFailure
        On any failure to write, also when closing.
    """

    def __init__(self, path: str | Path, holes: Sequence[Hole], *, passing: bool = False) -> None:
        self._passing = passing
        self._path = path
        self._holes = holes
        self._lock = threading.Lock()
        self.stored = 0
        self.lock_wait_s = 0.0
        #: None: what a file is, is known when HDF5 has closed it.
        self.sums: dict[str, str] = {}
        self._next_writeback = WRITEBACK_BYTES

    def __enter__(self) -> ChunkFile:
        try:
            self._file = h5py.File(self._path, "r+")
        except OSError as error:
            raise io_failure(self._path, error, "open") from error
        try:
            self._datasets = {hole.path: self._checked(hole) for hole in self._holes}
            self._writeback = Writeback(self._path, passing=self._passing)
        except BaseException:
            self._file.close()
            raise
        return self

    def _checked(self, hole: Hole) -> h5py.Dataset:
        dataset = self._file[hole.path]
        plan = hole.plan
        found = (dataset.shape, dataset.dtype, dataset.chunks or ())
        if found != (hole.shape, hole.dtype, plan.chunks):
            raise InternalError(f"the skeleton has {found} at '{hole.path}', not {hole}")
        filters = list(filter_numbers(dataset.id))
        wanted = [number for number, _ in filters_of(plan, hole.dtype)]
        if plan.chunks and filters != wanted:
            raise InternalError(f"the skeleton has filters {filters} at '{hole.path}'")
        return dataset

    @contextlib.contextmanager
    def _writing(self):  # type: ignore[no-untyped-def]
        waiting = time.perf_counter()
        with self._lock:
            self.lock_wait_s += time.perf_counter() - waiting
            try:
                yield
            except OSError as error:
                raise io_failure(self._path, error) from error

    def put(self, hole: Hole, offset: tuple[int, ...], data: Bytes) -> None:
        """Store one encoded chunk at `offset` (elements)."""
        with self._writing():
            self._datasets[hole.path].id.write_direct_chunk(offset, data)
            self._count(len(data))

    def put_rows(self, hole: Hole, start: int, rows: AnyArray) -> None:
        """Store rows of a dataset without chunks."""
        with self._writing():
            self._datasets[hole.path][start : start + len(rows)] = rows
            self._count(rows.nbytes)

    def _count(self, n: int) -> None:
        self.stored += n
        if self.stored >= self._next_writeback:
            self._next_writeback = self.stored + WRITEBACK_BYTES
            self._writeback.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._writeback.close()
        try:
            self._file.close()
        except (OSError, RuntimeError) as failure:
            # HDF5 reports a full disk once more when it flushes; the first report counts.
            if kind is None:
                if isinstance(failure, OSError):
                    raise io_failure(self._path, failure) from failure
                raise IOFailure(f"cannot write '{self._path}': {failure}") from failure
