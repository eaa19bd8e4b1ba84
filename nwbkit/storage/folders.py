"""An output that is a folder: made durable, summed up, and put in its place in one step.

Renaming cannot replace a folder that holds something. Linux exchanges two names in one step
(``renameat2``); where a file system does not know that (NFS, some FUSE), the older folder is
moved aside first, and moved back by the next run should a kill come in between.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import xxhash

from nwbkit.storage.past import begin_writing

_AT_FDCWD = -100
_NOREPLACE, _EXCHANGE = 1, 2

#: Files that are synced or read at once: what a disk or a file server works on abreast.
_ABREAST = 8
_BUFFER = 4 << 20


class NoExchange(OSError):
    """A file system that cannot exchange two names, or not refuse to replace one."""


def files_of(folder: Path) -> Iterator[str]:
    """Paths of all files below `folder`, relative to it."""
    for parent, folders, names in os.walk(folder):
        folders.sort()
        below = os.path.relpath(parent, folder)
        yield from (name if below == "." else f"{below}/{name}" for name in sorted(names))


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files of a folder."""
    if not path.is_dir():
        return path.stat().st_size
    return sum(os.stat(path / name).st_size for name in files_of(path))


def checksum(path: Path) -> str:
    """The xxh3_128 of a file's bytes, 32 hex digits."""
    machine = xxhash.xxh3_128()
    buffer = memoryview(bytearray(_BUFFER))
    with open(path, "rb", buffering=0) as f:
        while n := f.readinto(buffer):
            machine.update(buffer[:n])
    return machine.hexdigest()


def store_checksum(folder: Path, jobs: int = 2, known: Mapping[str, str] | None = None) -> str:
    """The xxh3_128 over path, size and xxh3_128 of every file of a folder, sorted by path.

    One line a file: digest, size and path, with a blank between, in UTF-8.

    Parameters
    ----------
    folder : Path
    jobs : int
    known : mapping of str to str, optional
        Digests of files that need not be read, by path.
    """
    known = known or {}

    def line(name: str) -> bytes:
        path = folder / name
        digest = known.get(name) or _small(path) or checksum(path)
        return f"{digest} {path.stat().st_size} ".encode() + os.fsencode(name) + b"\n"

    names = sorted(files_of(folder), key=os.fsencode)
    machine = xxhash.xxh3_128()
    with ThreadPoolExecutor(max(1, jobs)) as pool:
        for text in pool.map(line, names):
            machine.update(text)
    return machine.hexdigest()


def _small(path: Path) -> str | None:
    """The digest of a file of less than a buffer, without a buffer of that size."""
    if path.stat().st_size > _BUFFER:
        return None
    return xxhash.xxh3_128_hexdigest(path.read_bytes())


def sync_tree(folder: Path) -> None:
    """Have everything below `folder` on the disk when this returns.

    The kernel is asked to write all files before the first is waited for, so that waiting is
    once for all and not once for each. ``syncfs`` would be one call, and would wait for what
    everybody else on the machine has written.
    """
    names = list(files_of(folder))
    for name in names:
        with _opened(folder / name) as fd:
            begin_writing(fd)

    def durable(path: Path) -> None:
        with _opened(path) as fd:
            os.fsync(fd)

    folders = [Path(parent) for parent, _, _ in os.walk(folder, topdown=False)]
    with ThreadPoolExecutor(_ABREAST) as pool:
        for _ in pool.map(durable, [folder / name for name in names]):
            pass
        for path in folders:
            # not every network file system lets a folder be synced
            with contextlib.suppress(OSError):
                durable(path)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[int]:
    fd = os.open(path, os.O_RDONLY)
    try:
        yield fd
    finally:
        os.close(fd)


def is_store(folder: Path) -> bool:
    """Whether a folder is an NWB file as a Zarr store: may be replaced by another one."""
    if not (folder / ".zgroup").is_file():
        return False
    try:
        return "nwb_version" in json.loads((folder / ".zattrs").read_bytes())
    except (OSError, ValueError, TypeError):
        return False


def _renameat2(old: Path, new: Path, flags: int) -> None:
    call = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if call is None:
        raise NoExchange(errno.ENOSYS, os.strerror(errno.ENOSYS))
    ctypes.set_errno(0)
    if call(_AT_FDCWD, os.fsencode(old), _AT_FDCWD, os.fsencode(new), flags) == 0:
        return
    number = ctypes.get_errno()
    kind = NoExchange if number in (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP) else OSError
    raise kind(number, os.strerror(number), os.fspath(new))


def exchange(one: Path, other: Path) -> None:
    """Let two folders change names, in one step.

    Raises
    ------
    NoExchange
        The file system cannot; nothing has happened.
    OSError
    """
    _renameat2(one, other, _EXCHANGE)


def rename_new(old: Path, new: Path) -> None:
    """Rename a folder, never onto something that is there.

    Raises
    ------
    FileExistsError
    OSError
    """
    try:
        _renameat2(old, new, _NOREPLACE)
    except NoExchange:
        if os.path.lexists(new):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), os.fspath(new)) from None
        os.rename(old, new)


def put(staged: Path, out: Path, aside: Path, *, replace: bool) -> None:
    """Give the finished folder `staged` the name `out`.

    Parameters
    ----------
    staged, out : Path
        On one file system.
    aside : Path
        Where the older folder may lie in between; see :func:`recover`.
    replace : bool
        Whether there may be an older one. It lies at `staged` or `aside` afterwards.

    Raises
    ------
    FileExistsError
        There is something at `out` that may not be replaced.
    OSError
    """
    if not (replace and os.path.lexists(out)):
        rename_new(staged, out)
        return
    try:
        exchange(staged, out)
    except NoExchange:
        os.rename(out, aside)
        try:
            os.rename(staged, out)
        except BaseException:
            if not os.path.lexists(out):
                os.rename(aside, out)
            raise


def recover(out: Path, aside: list[Path]) -> None:
    """Put an older folder back that a kill has left aside; only the lock's holder may."""
    for path in aside:
        if not os.path.lexists(out) and is_store(path):
            os.rename(path, out)


def remove(path: Path) -> None:
    """Remove a file, or a folder with all in it; what cannot be removed stays."""
    with contextlib.suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
