"""Packs: the encoded chunks of an unfinished conversion, appended by one writer each.

A pack is two files. ``pack-*.bin`` holds what was encoded, one piece behind the other;
``pack-*.idx`` has a line for every slab of rows that is whole: its pieces with their places,
lengths and CRC-32, the digests of its rows, and a CRC-32 of the line itself. A line is
written after all that it speaks of, so a kill leaves at most a torn last line, which is
dropped, and pieces that no line names.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isal import isal_zlib

from nwbkit.errors import IOFailure
from nwbkit.storage.codec import Bytes
from nwbkit.storage.hdf5 import WRITEBACK_BYTES, Writeback, io_failure
from nwbkit.storage.lock import start_time


@dataclass(frozen=True)
class Piece:
    """One encoded chunk, or the rows of a slab that no whole chunks can be made of yet.

    Parameters
    ----------
    hole : int
        Which of the job's holes it belongs to.
    offset : tuple of int
        Of the chunk, in elements; ``(first row,)`` of rows.
    rows : bool
        Rows, not a chunk.
    place, size, crc : int
        Where in the pack, how many bytes, and their CRC-32.
    """

    hole: int
    offset: tuple[int, ...]
    rows: bool
    place: int
    size: int
    crc: int

    def as_json(self) -> list[Any]:
        """Plain data for the index."""
        return [self.hole, list(self.offset), int(self.rows), self.place, self.size, self.crc]

    @classmethod
    def from_json(cls, data: list[Any]) -> Piece:
        """What :meth:`as_json` gave."""
        hole, offset, rows, place, size, crc = data
        return cls(hole, tuple(offset), bool(rows), place, size, crc)


@dataclass(frozen=True)
class Slab:
    """A stretch of rows of one feed that is done.

    Parameters
    ----------
    feed, start, stop : int
    pieces : tuple of Piece
    blocks : mapping of int to list of str
        By hole: digests of the blocks that the slab is made of; of holes that are kept as
        rows there are none.
    pack : Path, optional
        The ``.bin`` file.
    """

    feed: int
    start: int
    stop: int
    pieces: tuple[Piece, ...]
    blocks: Mapping[int, list[str]]
    pack: Path | None = None

    def line(self) -> bytes:
        """The index line."""
        body = json.dumps(
            {
                "feed": self.feed,
                "rows": [self.start, self.stop],
                "pieces": [p.as_json() for p in self.pieces],
                "blocks": {str(k): v for k, v in self.blocks.items()},
            },
            separators=(",", ":"),
        ).encode()
        return b"%08x %s\n" % (isal_zlib.crc32(body), body)

    @classmethod
    def parse(cls, line: bytes, pack: Path) -> Slab | None:
        """The slab of an index line; None of one that is torn or damaged."""
        crc, _, body = line.rstrip(b"\n").partition(b" ")
        if not line.endswith(b"\n") or crc != b"%08x" % isal_zlib.crc32(body):
            return None
        try:
            data = json.loads(body)
            return cls(
                data["feed"],
                data["rows"][0],
                data["rows"][1],
                tuple(Piece.from_json(p) for p in data["pieces"]),
                {int(k): v for k, v in data["blocks"].items()},
                pack,
            )
        except (ValueError, KeyError, TypeError, IndexError):
            return None

    def load(self, piece: Piece, fd: int) -> bytes | None:
        """The bytes of `piece`; None where they are not those that were written."""
        data = os.pread(fd, piece.size, piece.place)
        intact = len(data) == piece.size and isal_zlib.crc32(data) == piece.crc
        return data if intact else None


class PackWriter:
    """Appends to a pack of its own. Safe to use from several threads; a context manager.

    Parameters
    ----------
    folder : Path
        The job folder.
    """

    def __init__(self, folder: Path) -> None:
        token = f"{socket.gethostname()}-{os.getpid()}-{start_time(os.getpid())}"
        self.path = folder / f"pack-{token}-{secrets.token_hex(4)}.bin"
        self.stored = 0
        self._lock = threading.Lock()
        self._asked = 0

    def __enter__(self) -> PackWriter:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        try:
            self._data = os.open(self.path, flags, 0o666)
            self._index = os.open(self.path.with_suffix(".idx"), flags | os.O_APPEND, 0o666)
        except OSError as error:
            raise io_failure(self.path, error, "create") from error
        self._writeback = Writeback(self.path)
        return self

    def append(self, hole: int, offset: tuple[int, ...], data: Bytes, *, rows: bool) -> Piece:
        """Store one piece; it counts once its slab is committed.

        Raises
        ------
        nwbkit.errors.IOFailure
            Disk full or another failure to write.
        """
        size = len(data)
        with self._lock:
            place = self.stored
            self.stored += size
            ask = self.stored - self._asked >= WRITEBACK_BYTES
            if ask:
                self._asked = self.stored
        try:
            view, done = memoryview(data), 0
            while done < size:
                done += os.pwrite(self._data, view[done:], place + done)
        except OSError as error:
            raise io_failure(self.path, error) from error
        if ask:
            self._writeback.start()
        return Piece(hole, offset, rows, place, size, isal_zlib.crc32(data))

    def commit(self, slab: Slab) -> None:
        """Make all of a slab's pieces count."""
        line = slab.line()
        try:
            with self._lock:
                written = os.write(self._index, line)
        except OSError as error:
            raise io_failure(self.path, error) from error
        if written != len(line):
            raise IOFailure(f"cannot write '{self.path}': no space left on device")

    def __exit__(self, *exc: object) -> None:
        self._writeback.close()
        try:
            os.fsync(self._data)
            os.fsync(self._index)
        except OSError as error:
            if exc[0] is None:
                raise io_failure(self.path, error) from error
        finally:
            os.close(self._data)
            os.close(self._index)
        if not self.stored:  # nothing was left to do
            self.path.unlink(missing_ok=True)
            self.path.with_suffix(".idx").unlink(missing_ok=True)


def slabs_of(folder: Path) -> Iterator[Slab]:
    """Every slab that any writer has committed to the packs in `folder`."""
    for index in sorted(folder.glob("pack-*.idx")):
        pack = index.with_suffix(".bin")
        with open(index, "rb") as file:
            for line in file:
                slab = Slab.parse(line, pack)
                if slab is not None:
                    yield slab


def intact(slabs: Iterable[Slab]) -> Iterator[Slab]:
    """Those of `slabs` whose pieces are all as they were written; every byte is read."""
    fd, opened = -1, None
    try:
        for slab in slabs:
            if slab.pack != opened:
                if fd >= 0:
                    os.close(fd)
                fd, opened = -1, slab.pack
                try:
                    fd = os.open(slab.pack or "", os.O_RDONLY)
                except FileNotFoundError:
                    continue
            if fd >= 0 and all(slab.load(p, fd) is not None for p in slab.pieces):
                yield slab
    finally:
        if fd >= 0:
            os.close(fd)


def remove(folder: Path) -> None:
    """Remove the packs in `folder`, and nothing else."""
    for path in [*folder.glob("pack-*.idx"), *folder.glob("pack-*.bin")]:
        path.unlink(missing_ok=True)
