"""Publishing an output: whole or not at all.

The order is: the temporary file is made durable, then the new sidecar and depfile beside
their final names, then three renames: sidecar, depfile, output. The output comes last, since
it is what Make and users look at. Any failure or signal in between puts the old sidecar
back. A kill -9 or a power cut between the renames (microseconds) can leave the new sidecar
beside the old output; so that this is found, a sidecar carries the size and checksum
(:func:`file_checksum`) of the output it belongs to. The old output is whole at every moment.

An output may be a folder (a Zarr store); :mod:`nwbkit.storage.folders` has what is different.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import secrets
import shutil
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType

from nwbkit.errors import IOFailure, OutputExists, OutputRefused, TryAgain
from nwbkit.storage import folders
from nwbkit.storage.backends import backend_of
from nwbkit.storage.lock import OutputLock, dead_claims

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def file_checksum(path: str | Path, known: Mapping[str, str] | None = None) -> str:
    """Digest of an output, 32 hex digits: the xxh3_128 of a file's bytes, or of a folder's list.

    See :func:`nwbkit.storage.folders.store_checksum` for the latter, and for `known`.
    """
    path = Path(path)
    return folders.store_checksum(path, known=known) if path.is_dir() else folders.checksum(path)


def output_size(path: str | Path) -> int:
    """Bytes of an output: of a file, or of all files of a folder."""
    return folders.size_of(Path(path))


def sidecar_path(out: str | Path) -> Path:
    """Where the sidecar of `out` lies: ``OUT.json``."""
    out = Path(out)
    return out.with_name(out.name + ".json")


def sums_path(out: str | Path) -> Path:
    """Where the checksum file of `out` lies: ``OUT.sha256``."""
    out = Path(out)
    return out.with_name(out.name + ".sha256")


def sha256_lines(path: str | Path, name: str) -> bytes:
    """The lines by which ``sha256sum -c`` checks an output, run in the folder it will lie in.

    Parameters
    ----------
    path : path
        Where it lies now, file or folder.
    name : str
        What it will be called.
    """
    path = Path(path)
    listed = [(path, name)]
    if path.is_dir():
        listed = [(path / file, f"{name}/{file}") for file in sorted(folders.files_of(path))]
    with ThreadPoolExecutor(2) as pool:
        digests = pool.map(_sha256, (file for file, _ in listed))
    return b"".join(
        _sum_line(digest, text) for digest, (_, text) in zip(digests, listed, strict=True)
    )


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sum_line(digest: str, name: str) -> bytes:
    # as coreutils writes it: a name with a backslash or a newline is escaped, and says so first
    escaped = name.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
    mark = "\\" if escaped != name else ""
    return os.fsencode(f"{mark}{digest}  {escaped}\n")


def write_failure(path: Path, error: OSError) -> IOFailure:
    """The failure that an error while writing `path` means for the user."""
    reason = "no space left on device" if error.errno in _FULL else _reason(error)
    return IOFailure(f"cannot write '{path}': {reason}")


def _reason(error: OSError) -> str:
    return os.strerror(error.errno).lower() if error.errno else str(error).lower()


def _temporary(path: Path) -> Path:
    return path.with_name(f".{path.name}.nwbkit-{secrets.token_hex(6)}.part")


def _is_part(path: Path, of: Path) -> bool:
    """Whether `path` is called as a temporary file of `of` is."""
    return path.name.startswith(f".{of.name}.nwbkit-") and path.name.endswith(".part")


def _is_older(path: Path, of: Path) -> bool:
    """Whether `path` is called as an older folder `of` that was moved aside."""
    return path.name.startswith(f".{of.name}.nwbkit-") and path.name.endswith(".older")


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        folders.remove(path)


def sync_output(path: Path) -> None:
    """Have an output, file or folder, on the disk when this returns."""
    if path.is_dir():
        folders.sync_tree(path)
    else:
        sync(path)


def sync(path: Path) -> None:
    """Have the bytes of a file, or the names in a folder, on the disk when this returns."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _sync_folder(folder: Path) -> None:
    # Not every network file system lets a folder be synced; its rename is durable then
    # when the server says so.
    with contextlib.suppress(OSError):
        sync(folder)


def _write_new(aside: Path, data: bytes) -> None:
    """Write `data` durably to the new file `aside`, with the mode that umask gives."""
    try:
        with open(aside, "xb") as f:
            f.write(data)
            f.flush()
            os.fsync(f.fileno())
    except BaseException:
        aside.unlink(missing_ok=True)
        raise


def write_atomic(path: str | Path, data: bytes) -> None:
    """Replace the file `path` by `data`, whole or not at all.

    Raises
    ------
    nwbkit.errors.OutputRefused
        Where the folder is missing or not writable.
    nwbkit.errors.IOFailure
        Disk full or another failure to write.
    """
    path = Path(path)
    check_folder(path)
    try:
        aside = _temporary(path)
        _write_new(aside, data)
        os.replace(aside, path)
    except OSError as error:
        raise write_failure(path, error) from error
    _sync_folder(path.parent)


def check_folder(out: Path) -> None:
    """Refuse an output whose folder is missing or not writable, or that is no such thing.

    A folder may be replaced by a Zarr store only where it is one.

    Raises
    ------
    nwbkit.errors.OutputRefused
    """
    folder = out.parent
    if not folder.is_dir():
        raise OutputRefused(
            f"cannot create '{out}': no folder '{folder}'", hint=f"mkdir -p '{folder}'"
        )
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputRefused(f"cannot create '{out}': folder '{folder}' is not writable")
    if out.is_dir():
        if not (backend_of(out) == "zarr" and folders.is_store(out)):
            raise OutputRefused(f"cannot create '{out}': it is a folder that is no NWB store")
        return
    if out.exists() and backend_of(out) == "zarr":
        raise OutputRefused(f"cannot create '{out}': it is a file, a Zarr store is a folder")
    if out.exists() and not out.is_file():
        raise OutputRefused(f"cannot create '{out}': it is no regular file")


class Publication:
    """One output on its way: a context manager.

    Inside, the caller writes the file at :attr:`part` and ends with :meth:`publish`. Leaving
    in any other way removes the temporary file and the lock and touches nothing else.

    Parameters
    ----------
    out : path
    overwrite : bool
        Whether an existing output may be replaced.
    tmp_dir : path, optional
        Where the temporary file goes; default: the output's folder. On another file system
        it is copied when published.

    Attributes
    ----------
    part : pathlib.Path
        The temporary file, ``.OUT.nwbkit-*.part``.

    Raises
    ------
    nwbkit.errors.OutputExists
        The output is there and `overwrite` is not set.
    nwbkit.errors.OutputRefused
        Its folder, or `tmp_dir`, is missing or not writable.
    nwbkit.errors.TryAgain
        A live job is writing the same output.
    """

    def __init__(
        self, out: str | Path, *, overwrite: bool = False, tmp_dir: str | Path | None = None
    ) -> None:
        self.out = Path(out)
        self._overwrite = overwrite
        beside = _temporary(self.out)
        self.part = Path(tmp_dir) / beside.name if tmp_dir is not None else beside
        self._lock = OutputLock(self.out, self.part)
        self._published = False
        self._temporaries = [self.part]

    def __enter__(self) -> Publication:
        check_folder(self.out)
        if self.part.parent != self.out.parent:
            check_folder(self.part)
        self._refuse_existing()
        try:
            left = self._lock.acquire()
            older = [p for p in self.out.parent.iterdir() if _is_older(p, self.out)]
            folders.recover(self.out, older)
            # Somebody may have published between the first look and the lock.
            self._refuse_existing()
            self._reap(left)
        except OSError as error:
            self._lock.release()
            raise OutputRefused(f"cannot create '{self.out}': {_reason(error)}") from error
        except BaseException:
            self._lock.release()
            raise
        return self

    def _refuse_existing(self) -> None:
        if not self._overwrite and os.path.lexists(self.out):
            raise OutputExists(
                f"'{self.out}' exists already", hint="--overwrite or --skip-existing"
            )

    def _reap(self, left: list[Path]) -> None:
        """Remove what dead jobs left; whoever holds the lock owns all temporary files."""
        now = self._lock.path.stat().st_mtime
        _remove(p for p in self.out.parent.iterdir() if _is_part(p, self.out))
        # Elsewhere, a file of this name may belong to an output of the same name in another
        # folder: only the one that the dead job's lock names is removed.
        _remove(p for p in left if _is_part(p, self.out))
        _remove(p for p in self.out.parent.iterdir() if _is_older(p, self.out))
        _remove(dead_claims(self.out, now))

    def publish(
        self,
        sidecar: bytes,
        *,
        depfile: tuple[Path, bytes] | None = None,
        sums: bytes | None = None,
    ) -> None:
        """Put the finished file in its place, with its sidecar and depfile.

        Parameters
        ----------
        sidecar : bytes
            Content of ``OUT.json``; should carry size and checksum of the file.
        depfile : (path, bytes), optional
            Where to write Make's dependencies, and what.
        sums : bytes, optional
            Content of ``OUT.sha256``.

        Raises
        ------
        nwbkit.errors.TryAgain
            The lock was lost to another job, which held this one for dead.
        nwbkit.errors.OutputExists
            The output has appeared meanwhile and `overwrite` is not set.
        nwbkit.errors.IOFailure
            Disk full or another failure to write.
        """
        if depfile is not None:
            check_folder(depfile[0])
        try:
            sync_output(self.part)
            staged = self._stage()
            renames = [self._aside(sidecar_path(self.out), sidecar)]
            if depfile is not None:
                renames.append(self._aside(*depfile))
            if sums is not None:
                renames.append(self._aside(sums_path(self.out), sums))
            backup = self._backup(sidecar_path(self.out))
        except OSError as error:
            raise write_failure(self.out, error) from error
        if not self._lock.is_mine():
            raise TryAgain(f"'{self.out}' was taken over by another job")
        self._swap(staged, renames, backup)
        if sums is None:  # those of the older output would be a lie
            sums_path(self.out).unlink(missing_ok=True)
        for folder in {self.out.parent, *(path.parent for _, path in renames)}:
            _sync_folder(folder)

    def _stage(self) -> Path:
        """Bring the temporary file onto the output's file system; return where it is."""
        if self.part.parent == self.out.parent:
            return self.part
        staged = _temporary(self.out)
        self._temporaries.append(staged)
        try:
            os.rename(self.part, staged)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            if self.part.is_dir():
                shutil.copytree(self.part, staged)
            else:
                shutil.copyfile(self.part, staged)
            sync_output(staged)
        return staged

    def _aside(self, path: Path, data: bytes) -> tuple[Path, Path]:
        # Named after the output where it can be, so that the next run reaps it with the rest.
        beside = path.parent == self.out.parent
        if not beside:
            _remove(p for p in path.parent.iterdir() if _is_part(p, path))
        aside = _temporary(self.out if beside else path)
        _write_new(aside, data)
        self._temporaries.append(aside)
        return aside, path

    def _backup(self, sidecar: Path) -> Path | None:
        if not sidecar.exists():
            return None
        backup = _temporary(self.out)
        self._temporaries.append(backup)
        try:
            os.link(sidecar, backup)
        except OSError:  # no hard links here
            shutil.copyfile(sidecar, backup)
        return backup

    def _swap(self, staged: Path, renames: list[tuple[Path, Path]], backup: Path | None) -> None:
        sidecar = sidecar_path(self.out)
        mine = _identity(staged)
        try:
            for aside, path in renames:
                os.replace(aside, path)
            self._put(staged)
            self._published = True
        except BaseException as error:
            # a signal may have come after the output was in place and before that was noted
            if not self._published and mine != _identity(self.out):
                if backup is not None:
                    os.replace(backup, sidecar)
                else:
                    sidecar.unlink(missing_ok=True)
            if isinstance(error, OSError):
                raise write_failure(self.out, error) from error
            raise

    def _put(self, staged: Path) -> None:
        if staged.is_dir():
            self._put_folder(staged)
            return
        if self._overwrite:
            os.replace(staged, self.out)
            return
        try:
            # A hard link, unlike a rename, never replaces what some other program put here.
            os.link(staged, self.out)
        except FileExistsError:
            self._refuse_existing()
            raise
        except OSError:  # no hard links here
            self._refuse_existing()
            os.replace(staged, self.out)

    def _put_folder(self, staged: Path) -> None:
        aside = staged.with_name(staged.name.removesuffix(".part") + ".older")
        os.utime(staged)  # what Make looks at
        if self._overwrite:
            check_folder(self.out)  # what was there before may have gone, or be another thing
        try:
            folders.put(staged, self.out, aside, replace=self._overwrite)
        except FileExistsError:
            self._refuse_existing()
            raise
        self._temporaries.append(aside)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            _remove(self._temporaries)
        except BaseException:  # a signal meanwhile: a folder takes its time
            _remove(self._temporaries)
            raise
        finally:
            self._lock.release()


def _identity(path: Path) -> tuple[int, int] | None:
    """What tells a file or folder from all others, whatever its name; None where it is gone."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
