"""Signals that end a run: clean up, then die by that signal, so that the caller sees it."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
from types import FrameType
from typing import NoReturn


class Interrupted(BaseException):
    """A signal that asks this process to end; passes through ``except Exception``."""

    def __init__(self, signum: int) -> None:
        super().__init__(signum)
        self.signum = signum


_ENDING = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)
_received: list[int] = []
_answered: list[bool] = []


def install() -> None:
    """Turn SIGINT, SIGTERM and SIGHUP into :class:`Interrupted` in the main thread.

    A signal that the caller ignores (``nohup``, a background job of a script) stays ignored.
    """
    _received.clear()
    _answered.clear()
    for signum in _ENDING:
        if signal.getsignal(signum) is not signal.SIG_IGN:
            signal.signal(signum, _on_signal)


def restore() -> None:
    """Give the signals back their default effect."""
    for signum in _ENDING:
        if signal.getsignal(signum) is _on_signal:
            signal.signal(signum, signal.SIG_DFL)


def received() -> int | None:
    """The first signal that came, also one whose exception a library swallowed."""
    return _received[0] if _received and not _answered else None


def answered() -> None:
    """The signal has been taken as a wish to stop, and ends with a status instead."""
    _answered.append(True)


def _on_signal(signum: int, frame: FrameType | None) -> None:
    if _received:
        # While cleaning up. A second Ctrl-C means now; make, SLURM and timeout may send
        # SIGTERM twice by themselves, and have SIGKILL for those who do not listen.
        if signum == signal.SIGINT:
            die(signum)
        return
    _received.append(signum)
    raise Interrupted(signum)


def die(signum: int) -> NoReturn:
    """End this process by `signum`, so that a shell reports 128 + signum."""
    # Nothing is flushed here: a pipe that nobody reads would hold us for ever.
    with contextlib.suppress(OSError, ValueError):
        signal.signal(signum, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signum])
        os.kill(os.getpid(), signum)
    os._exit(128 + signum)  # the signal does not kill here (process 1 of a container)


def pipe_is_closed() -> bool:
    """Whether who read our stdout or stderr has gone (and not some socket's other end)."""
    poll = select.poll()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            poll.register(stream.fileno(), 0)
    return any(event & select.POLLERR for _, event in poll.poll(0))
