"""Writing and reading files past the page cache, where the disk keeps up.

What a conversion writes is read once more by its proof, and by nobody else soon. Kept in the
page cache it would push out what others on the machine need, the sources first; and on virtual
machines that give free memory back to their host, every new page of the cache has to be
fetched from there (up to 3 s a GB was measured). So pages are given back when the disk has
them, and what is no longer in memory is read straight from the disk: the proof holds what the
disk returns against what was meant. Where the disk is slower than the fill, pages are not
written yet when they would be given back; they stay, and are read from memory.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import mmap
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nwbkit.storage.backends import Backend
from nwbkit.storage.codec import Scratch
from nwbkit.storage.digests import flat_bytes
from nwbkit.storage.stored import read_into

#: Where reads past the page cache begin and end, in the file and in memory.
PAGE = 4096

_LIBC = ctypes.CDLL(None)
_sync_range: Callable[..., int] | None = getattr(_LIBC, "sync_file_range", None)
_mincore: Callable[..., int] | None = getattr(_LIBC, "mincore", None)
_SYNC_WRITE = 2

#: What file systems say that cannot read past the cache.
_UNABLE = (errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS)


def passes(prove: str, backend: Backend) -> bool:
    """Whether an output need not stay in the page cache.

    A full proof reads it from the disk as it goes. A proof by sample reads more than it
    decodes; and without one an HDF5 file is read at once for its checksum.
    """
    return prove == "full" or (prove == "none" and backend == "zarr")


def begin_writing(fd: int) -> None:
    """Have the kernel start on a file's dirty pages, without waiting for it.

    `sync_file_range` does so, unlike fdatasync, which also would hold up other writers of the
    file. Where there is none, nothing is done.
    """
    if _sync_range is not None:
        _sync_range(fd, ctypes.c_int64(0), ctypes.c_int64(0), ctypes.c_uint(_SYNC_WRITE))


def give_back(fd: int, length: int = 0) -> None:
    """Give back the pages of a file, or its first `length` bytes, that the disk has already."""
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(fd, 0, length, os.POSIX_FADV_DONTNEED)


def page_aligned(raw: npt.NDArray[np.uint8], size: int) -> npt.NDArray[np.uint8]:
    """`size` bytes of `raw`, which has a page more, that begin where a page does."""
    at = -raw.ctypes.data % PAGE
    return raw[at : at + size]


def read_file(path: Path, scratch: Scratch, name: str) -> memoryview:
    """The bytes of a file: from memory if all is there, else from the disk.

    Parameters
    ----------
    path : Path
    scratch : Scratch
        Holds them by `name`, until that is used again.
    name : str

    Raises
    ------
    OSError
    """
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        whole = -(-os.fstat(fd).st_size // PAGE) * PAGE
        room = page_aligned(scratch.array(name, (whole + PAGE,), np.uint8), whole)
        view = flat_bytes(room)
        return view[: read_block(fd, view, 0)]
    finally:
        os.close(fd)


def read_block(fd: int, room: memoryview, place: int) -> int:
    """Read pages of a file, from memory if all are there, else past the page cache.

    Parameters
    ----------
    fd : int
        Of no other thread meanwhile.
    room : memoryview
        Whole pages.
    place : int
        Where a page begins.

    Returns
    -------
    int
        Bytes read; fewer than `room` has only at the file's end.
    """
    size = max(0, min(len(room), os.fstat(fd).st_size - place))
    got = 0 if in_memory(fd, place, size) else min(size, _from_disk(fd, room, place))
    return size - read_into(fd, room[got:size], place + got)


def in_memory(fd: int, place: int, size: int) -> bool:
    """Whether a stretch of a file is in the page cache; True where nobody can tell."""
    if _mincore is None or size <= 0 or not hasattr(os, "O_DIRECT"):
        return True
    try:
        # writable, since a ctypes pointer can be had of nothing else; nothing touches it
        with mmap.mmap(fd, size, flags=mmap.MAP_PRIVATE, offset=place) as pages:
            start = ctypes.c_char.from_buffer(pages)
            found = np.zeros(-(-size // mmap.PAGESIZE), np.uint8)
            to = ctypes.c_void_p(found.ctypes.data)
            failed = _mincore(ctypes.byref(start), ctypes.c_size_t(size), to)
            del start
    except (OSError, ValueError):
        return True
    return bool(failed) or bool((found & 1).all())


def _from_disk(fd: int, room: memoryview, place: int) -> int:
    """Read past the page cache; how many bytes came, 0 where that cannot be done here."""
    flags = fcntl.fcntl(fd, fcntl.F_GETFL)
    try:
        fcntl.fcntl(fd, fcntl.F_SETFL, flags | os.O_DIRECT)
        return os.preadv(fd, [room], place)
    except OSError as error:
        if error.errno not in _UNABLE:
            raise
        return 0
    finally:
        fcntl.fcntl(fd, fcntl.F_SETFL, flags)
