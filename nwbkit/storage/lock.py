"""The lock of an output: who is writing it, and whether that job still lives.

A lock is a file beside the output that says host, boot, process and its start, and whose
modification time its owner refreshes. It appears whole and only once (written aside, then
hard-linked to its name). flock alone would be no lock on network file systems; it is used
here only to keep two jobs from taking over one dead job's lock at the same moment, where
the file system has it.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import secrets
import socket
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from nwbkit.errors import TryAgain

#: Seconds between two signs of life.
HEARTBEAT_S = 5.0

#: A job on another host, or in another process namespace, is dead after so long a silence.
FOREIGN_SILENCE_S = 600.0

#: A job of this host's name but of another boot is dead after so long a silence. (The boot
#: alone does not settle it: clusters have nodes that are all called localhost.)
REBOOT_SILENCE_S = 60.0


def _first_line(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""


def start_time(pid: int) -> str:
    """When process `pid` began, in clock ticks since boot; empty where it cannot be known."""
    # The command's name, in brackets, may itself hold spaces and brackets.
    after = _first_line(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return after[19] if len(after) > 19 else ""


def _namespace() -> str:
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""


def _here() -> str:
    """The present host, boot and process namespace in a few letters."""
    parts = (socket.gethostname(), _first_line("/proc/sys/kernel/random/boot_id"), _namespace())
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]


def _named_dead(name: str) -> bool:
    """Whether the name of a claim tells that its process, one of this machine, is gone."""
    place, _, rest = name.rpartition(".nwbkit-")[2].partition(".")
    pid = rest.partition(".")[0]
    if place != _here() or not pid.isdecimal():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except OSError:
        pass
    return False


@dataclass(frozen=True)
class Owner:
    """The job that holds a lock.

    Parameters
    ----------
    host, boot, namespace : str
        Host name, boot id, process namespace.
    pid : int
    started : str
        The process's start time, so that a reused pid is not taken for it.
    token : str
        Unique to the lock.
    part : str
        The temporary file it writes.
    """

    host: str
    boot: str
    namespace: str
    pid: int
    started: str
    token: str
    part: str

    @classmethod
    def me(cls, part: Path) -> Owner:
        """The present process, about to write `part`."""
        return cls(
            host=socket.gethostname(),
            boot=_first_line("/proc/sys/kernel/random/boot_id"),
            namespace=_namespace(),
            pid=os.getpid(),
            started=start_time(os.getpid()),
            # where it came from is in the name too, for claims that were killed half-written
            token=f"{_here()}.{os.getpid()}.{secrets.token_hex(8)}",
            part=str(part.absolute()),
        )

    @classmethod
    def read(cls, path: Path) -> Owner | None:
        """The owner that the file `path` names; None where it does not name one."""
        try:
            return cls(**json.loads(path.read_text()))
        except (ValueError, TypeError):
            return None

    def is_dead(self, silence_s: float) -> bool:
        """Whether this job cannot be running any more, last seen `silence_s` seconds ago."""
        if self.host != socket.gethostname():
            return silence_s > FOREIGN_SILENCE_S
        if self.boot != _first_line("/proc/sys/kernel/random/boot_id"):
            return silence_s > REBOOT_SILENCE_S
        if self.namespace != _namespace():
            return silence_s > FOREIGN_SILENCE_S
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            pass
        started = start_time(self.pid)
        return bool(started and self.started and started != self.started)


class OutputLock:
    """The lock of one output.

    Parameters
    ----------
    out : pathlib.Path
        The output; its folder must exist.
    part : pathlib.Path
        The temporary file, noted in the lock for whoever cleans up.
    """

    def __init__(self, out: Path, part: Path) -> None:
        self.path = out.with_name(f".{out.name}.nwbkit-lock")
        self._out = out
        self._me = Owner.me(part)
        self._ended = threading.Event()
        self._heart: threading.Thread | None = None

    def acquire(self) -> list[Path]:
        """Take the lock; return temporary files that dead jobs have left behind.

        Raises
        ------
        nwbkit.errors.TryAgain
            Where a live job holds it.
        OSError
            Where the folder cannot be written.
        """
        claim = self.path.with_name(f".{self._out.name}.nwbkit-{self._me.token}.claim")
        left: list[Path] = []
        try:
            with open(claim, "x") as f:
                json.dump(asdict(self._me), f)
                f.flush()
                os.fsync(f.fileno())
            with _folder_flock(self.path.parent):
                while not self._link(claim):
                    left += self._depose(claim)
        finally:
            claim.unlink(missing_ok=True)
        self._heart = threading.Thread(target=self._beat, name="nwbkit-lock", daemon=True)
        self._heart.start()
        return left

    def _link(self, claim: Path) -> bool:
        try:
            os.link(claim, self.path)
        except FileExistsError:
            return False
        return True

    def _depose(self, claim: Path) -> list[Path]:
        """Remove the lock of a dead job; return its temporary file."""
        try:
            # Silence is measured on the file server's clock: that of the claim just written.
            silence = claim.stat().st_mtime - self.path.stat().st_mtime
            owner = Owner.read(self.path)
        except FileNotFoundError:
            return []
        if owner is None:
            # Locks appear whole, so this is none of ours, or the disk has lost it.
            if silence <= FOREIGN_SILENCE_S:
                raise TryAgain(
                    f"'{self._out}' has a lock that cannot be read",
                    hint=f"remove '{self.path}' if nothing is writing this output",
                )
            self.path.unlink(missing_ok=True)
            return []
        if not owner.is_dead(silence):
            raise TryAgain(
                f"'{self._out}' is being written by process {owner.pid} on '{owner.host}'",
                hint=f"wait for it; if that job is gone, remove '{self.path}'",
            )
        # Moved aside first: should somebody else have been faster, what is moved is their
        # lock, which goes back where it was.
        aside = self.path.with_name(f".{self._out.name}.nwbkit-{self._me.token}.stale")
        with contextlib.suppress(FileNotFoundError):
            os.rename(self.path, aside)
            if Owner.read(aside) != owner:
                with contextlib.suppress(FileExistsError):
                    os.link(aside, self.path)
            aside.unlink()
        return [Path(owner.part)]

    def _beat(self) -> None:
        while not self._ended.wait(HEARTBEAT_S):
            with contextlib.suppress(OSError):
                if self.is_mine():
                    os.utime(self.path)

    def is_mine(self) -> bool:
        """Whether the lock is still this job's."""
        try:
            return Owner.read(self.path) == self._me
        except OSError:
            return False

    def release(self) -> None:
        """Give the lock up; nothing happens where it is not held."""
        self._ended.set()
        if self._heart is not None:
            self._heart.join()
            self._heart = None
        if self.is_mine():
            self.path.unlink(missing_ok=True)


@contextlib.contextmanager
def _folder_flock(folder: Path) -> Iterator[None]:
    fd = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # not every file system has it
            fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def dead_claims(out: Path, now: float) -> list[Path]:
    """Claims and moved-aside locks that killed jobs have left in the folder of `out`.

    Parameters
    ----------
    out : pathlib.Path
    now : float
        The time on the file server's clock, seconds since the epoch.
    """
    found = []
    for path in out.parent.iterdir():
        name = path.name
        if name.startswith(f".{out.name}.nwbkit-") and name.endswith((".claim", ".stale")):
            with contextlib.suppress(OSError):
                owner = Owner.read(path)
                silence = now - path.stat().st_mtime
                if owner is not None:
                    dead = owner.is_dead(silence)
                else:  # killed while it was written, or about to be written by a rival
                    dead = _named_dead(name) or silence > FOREIGN_SILENCE_S
                if dead:
                    found.append(path)
    return found
