"""From an exception to one line, one hint and one exit status."""

from __future__ import annotations

import errno
import os
import re
import traceback
from dataclasses import dataclass
from pathlib import Path

import click

from nwbkit.errors import NwbkitError

_MISSING = {
    errno.ENOENT,
    errno.EACCES,
    errno.EPERM,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.ELOOP,
    errno.ENAMETOOLONG,
}
_UNCREATABLE = {errno.EROFS, errno.EEXIST, errno.ENOTEMPTY}
_PASSING = {
    errno.EAGAIN,
    errno.ETIMEDOUT,
    errno.ECONNREFUSED,
    errno.ECONNRESET,
    errno.ECONNABORTED,
    errno.EHOSTUNREACH,
    errno.ENETUNREACH,
}
# HDF5 wraps the system's error in its own text: "(... errno = 28, error message = ...)".
_HDF5_ERRNO = re.compile(r"errno = (\d+), error message = '([^']*)'")
_PACKAGE = str(Path(__file__).parents[1])


@dataclass(frozen=True)
class Failure:
    """What is said, and the exit status."""

    message: str
    hint: str | None
    status: int
    command: str | None = None


def explain(error: BaseException, command: str) -> Failure:
    """Return how `error`, which ended `command`, is told to the user."""
    if isinstance(error, NwbkitError):
        hint = error.hint or (_help_hint(command) if error.status == 2 else None)
        return Failure(error.message, hint, error.status)
    if isinstance(error, click.UsageError):
        where = error.ctx.command_path if error.ctx is not None else command
        return _usage(error, where)
    if isinstance(error, click.ClickException):
        status = 66 if isinstance(error, click.FileError) else 70
        return Failure(_house_style(error.format_message()), None, status)
    if isinstance(error, MemoryError):
        detail = f": {_house_style(str(error))}" if str(error) else ""
        return Failure(f"out of memory{detail}", "give a smaller --max-memory or fewer --jobs", 70)
    if isinstance(error, OSError):
        return _system(error)
    wrapped = _HDF5_ERRNO.search(str(error)) if isinstance(error, RuntimeError) else None
    if wrapped is not None:
        return _system(OSError(int(wrapped[1]), wrapped[2]))
    return _internal(error)


def _usage(error: click.UsageError, command: str) -> Failure:
    hint = _help_hint(command)
    message = error.format_message()
    if isinstance(error, (click.NoSuchOption, click.NoSuchCommand)):
        message = error.message
        if error.possibilities:
            likely = " or ".join(f"'{name}'" for name in error.possibilities)
            hint = f"did you mean {likely}?"
    return Failure(_house_style(message), hint, 2, command)


def _help_hint(command: str) -> str:
    return f"try '{command} --help'"


def _house_style(message: str) -> str:
    """Lower case, no full stop, as all of nwbkit's own messages are."""
    text = " ".join(message.split()).replace("...'", "'").rstrip(".")
    return text[:1].lower() + text[1:]


def _system(error: OSError) -> Failure:
    wrapped = _HDF5_ERRNO.search(str(error))
    number = error.errno if error.errno is not None else int(wrapped[1]) if wrapped else None
    reason = os.strerror(number).lower() if number else str(error) or type(error).__name__
    if error.filename is not None:
        verb = "open" if number in _MISSING else "use"
        message = f"cannot {verb} '{os.fsdecode(error.filename)}': {reason}"
    else:
        message = reason
    if number in _MISSING:
        return Failure(message, None, 66)
    if number in _UNCREATABLE:
        return Failure(message, None, 73)
    if number in _PASSING:
        return Failure(message, None, 75)
    hint = "free some space, or name another folder with -o or --tmp-dir"
    return Failure(message, hint if number in (errno.ENOSPC, errno.EDQUOT) else None, 74)


def _internal(error: BaseException) -> Failure:
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    where = ""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if frame.filename.startswith(_PACKAGE):
            inside = os.path.relpath(frame.filename, os.path.dirname(_PACKAGE))
            where = f" ({inside}:{frame.lineno})"
            break
    hint = "this is a fault of nwbkit: run again with --debug and report what it says"
    return Failure(f"internal error: {text}{where}", hint, 70)
