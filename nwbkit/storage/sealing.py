"""Sealing: a finished output is brought to the disk and summed up, beside its proof.

Of an HDF5 file that has passed the page cache (:mod:`nwbkit.storage.past`) the proof would
fetch every chunk from the disk, and the checksum all of it once more. :class:`Sweep` reads it
once, front to back, for both.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xxhash

from nwbkit.storage.past import PAGE, page_aligned, read_block
from nwbkit.storage.publish import file_checksum, sha256_lines, sync_output
from nwbkit.storage.stored import ReadInto, read_into

#: Read at once.
BLOCK_BYTES = 2 << 20


def blocks_kept(prove: str, jobs: int, max_memory: int) -> int:
    """How many blocks a sweep keeps, among which a full proof's threads find what they need.

    Each works on a line of chunks, and those who wrote the lines did so side by side. Other
    proofs need no sweep: 0.
    """
    if prove != "full":
        return 0
    return max(4, min(8 + 2 * jobs, max_memory // 8 // BLOCK_BYTES))


class _Slot:
    """A place for one of the blocks kept; its lock is held while it is filled or read."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.number = -1
        self.size = 0
        self.room: npt.NDArray[np.uint8] | None = None

    def load(self, fd: int, number: int) -> memoryview:
        """Fill it with a block of the file; the bytes."""
        with self.lock:
            if self.room is None:
                self.room = page_aligned(np.empty(BLOCK_BYTES + PAGE, np.uint8), BLOCK_BYTES)
            self.number, self.size = -1, 0
            view = memoryview(self.room)  # type: ignore[arg-type]
            self.size = read_block(fd, view, number * BLOCK_BYTES)
            self.number = number
            return view[: self.size]

    def copy(self, number: int, start: int, buffer: memoryview) -> int:
        """Fill `buffer` from byte `start` of a block; how many bytes came, 0 where it is gone."""
        with self.lock:
            if self.number != number or self.room is None:
                return 0
            count = max(0, min(len(buffer), self.size - start))
            buffer[:count] = memoryview(self.room[start : start + count])  # type: ignore[arg-type]
            return count


class Sweep:
    """One pass over a file that sums it up, and lets others read what it has just read.

    Parameters
    ----------
    path : Path
    blocks : int
        Kept; by a third of them the sweep may be ahead of what was asked for.

    Raises
    ------
    OSError
    """

    def __init__(self, path: Path, blocks: int = 12) -> None:
        # two, since one is read past the page cache at times
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._other = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._n_blocks = -(-os.fstat(self._fd).st_size // BLOCK_BYTES)
        self._slots = [_Slot() for _ in range(blocks)]
        self._ahead = max(1, blocks // 3)
        self._change = threading.Condition()
        self._done = 0
        self._wanted = 0
        self._stopped = self._ended = False

    def run(self) -> str:
        """Go through the file, as far as is asked for; the xxh3_128 of its bytes.

        What it returns after :meth:`stop` means nothing.
        """
        machine = xxhash.xxh3_128()
        try:
            for number in range(self._n_blocks):
                with self._change:
                    self._wait_until_wanted(number)
                    if self._stopped:
                        break
                machine.update(self._slots[number % len(self._slots)].load(self._fd, number))
                with self._change:
                    self._done = number + 1
                    self._change.notify_all()
        finally:
            with self._change:
                self._ended = True
                self._change.notify_all()
        return machine.hexdigest()

    def _wait_until_wanted(self, number: int) -> None:
        self._change.wait_for(lambda: number <= self._wanted + self._ahead)

    def read_into(self, buffer: memoryview, place: int) -> int:
        """Fill `buffer` with what lies at `place` of the file; how many bytes are missing."""
        got = 0
        while got < len(buffer):
            number, start = divmod(place + got, BLOCK_BYTES)
            count = self._taken(number, start, buffer[got:])
            if not count:
                return read_into(self._other, buffer[got:], place + got)
            got += count
        return 0

    def _taken(self, number: int, start: int, buffer: memoryview) -> int:
        with self._change:
            if number >= self._n_blocks or number + len(self._slots) <= self._done:
                return 0
            if number > self._wanted:
                self._wanted = number
                self._change.notify_all()
            self._change.wait_for(lambda: self._done > number or self._ended)
        return self._slots[number % len(self._slots)].copy(number, start, buffer)

    def release(self) -> None:
        """Nothing more will be asked for: the rest is gone through without waiting."""
        with self._change:
            self._wanted = self._n_blocks
            self._change.notify_all()

    def stop(self) -> None:
        """Nobody wants the checksum any more."""
        with self._change:
            self._stopped = True
        self.release()

    def close(self) -> None:
        """Close the file. Nothing may be running."""
        os.close(self._fd)
        os.close(self._other)


class Sealing:
    """An output on its way to the disk; a context manager.

    Parameters
    ----------
    part : Path
        The finished file or folder.
    sums_as : str, optional
        The output's name, where ``OUT.sha256`` is wanted.
    known : mapping of str to str
        Digests of files of a folder, as they were when they were written.
    sweep : int
        Blocks that a sweep keeps, see :func:`blocks_kept`; 0 where no proof will read in it.
    """

    def __init__(
        self, part: Path, *, sums_as: str | None, known: Mapping[str, str], sweep: int
    ) -> None:
        self._part, self._name, self._known = part, sums_as, known
        self.sweep = Sweep(part, sweep) if sweep and not part.is_dir() else None

    def __enter__(self) -> Sealing:
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="nwbkit-seal")
        self._synced: Future[bytes | None] = self._pool.submit(self._sync)
        self._summed: Future[str] = self._pool.submit(self._checksum)
        return self

    @property
    def read(self) -> ReadInto | None:
        """Reads in the file as the sweep goes; None where there is no sweep."""
        return self.sweep.read_into if self.sweep is not None else None

    def _sync(self) -> bytes | None:
        sync_output(self._part)
        return sha256_lines(self._part, self._name) if self._name is not None else None

    def _checksum(self) -> str:
        if self.sweep is not None:
            return self.sweep.run()
        return file_checksum(self._part, self._known)

    def result(self) -> tuple[str, bytes | None]:
        """Wait for it: the checksum, and the content of ``OUT.sha256`` where that is wanted."""
        if self.sweep is not None:
            self.sweep.release()
        return self._summed.result(), self._synced.result()

    def __exit__(self, *exc: Any) -> None:
        if self.sweep is not None:
            self.sweep.stop()  # of no consequence where the result has been had
        self._pool.shutdown()
        if self.sweep is not None:
            self.sweep.close()
