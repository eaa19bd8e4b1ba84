"""The one place that writes to stderr: errors, warnings, notes, progress lines."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
from dataclasses import dataclass, field
from typing import Literal, Protocol, TextIO

from nwbkit.text import printable

Level = Literal["error", "warning", "note", "detail", "progress"]


class Bar(Protocol):
    """What a progress bar must do for messages to pass it."""

    def clear(self) -> None:
        """Take it off the terminal."""

    def refresh(self) -> object:
        """Draw it again."""


@dataclass
class Console:
    """How the user wants to be spoken to, and the means to do it.

    Parameters
    ----------
    command : str
        The command as typed, for the start of each line: ``nwbkit convert``.
    quiet : bool
        Warnings and errors only.
    verbose : bool
        Details and the libraries' own warnings, too.
    debug : bool
        Tracebacks.
    log_format : {"text", "json"}
    progress : bool
        False with ``--no-progress``.
    """

    command: str = "nwbkit"
    quiet: bool = False
    verbose: bool = False
    debug: bool = False
    log_format: str = "text"
    progress: bool = True
    bar: Bar | None = None
    _lock: threading.RLock = field(default_factory=threading.RLock, repr=False)

    def error(self, message: str, *, hint: str | None = None, status: int = 1) -> None:
        """Say why the command fails, and what mends it."""
        self._say("error", message, hint=hint, status=status)

    def warn(self, message: str, *, hint: str | None = None) -> None:
        """Say what the user should look at although the command goes on."""
        self._say("warning", message, hint=hint)

    def note(self, message: str) -> None:
        """Say what was done; silent with ``-q``."""
        if not self.quiet:
            self._say("note", message)

    def detail(self, message: str) -> None:
        """Say what only ``-v`` asks for."""
        if self.verbose:
            self._say("detail", message)

    def progress_line(self, message: str, done: int, total: int | None) -> None:
        """Say how far a long step is, off a terminal."""
        self._say("progress", message, done=done, total=total)

    def block(self, text: str) -> None:
        """Write several lines as they are (tracebacks); with JSON, as one message."""
        if self.log_format == "json":
            self._say("detail", text)
        else:
            self._write("".join(f"{printable(line)}\n" for line in text.splitlines()))

    def _say(self, level: Level, message: str, **facts: object) -> None:
        if self.log_format == "json":
            record = {"level": level, "command": self.command, "message": message, **facts}
            kept = {key: value for key, value in record.items() if value is not None}
            # ASCII escapes carry any file name, also one that is not UTF-8.
            self._write(json.dumps(kept) + "\n")
            return
        label = f"{level}: " if level in ("error", "warning") else ""
        text = f"{self.command}: {label}{printable(message)}\n"
        hint = facts.get("hint")
        if hint:
            text += f"hint: {printable(hint)}\n"
        self._write(text)

    def _write(self, text: str) -> None:
        with self._lock:
            if self.bar is not None:
                self.bar.clear()
            write_stderr(text)
            if self.bar is not None:
                self.bar.refresh()


def write_stderr(text: str) -> None:
    """Write to stderr, where nothing can be done about a failure but go on."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stderr.write(text)
        sys.stderr.flush()


def is_terminal(stream: TextIO | None) -> bool:
    """Whether a person reads `stream` on something that can redraw a line."""
    try:
        return stream is not None and stream.isatty()
    except ValueError:  # closed
        return False


def is_dumb() -> bool:
    """Whether TERM says that nothing but plain lines can be shown."""
    return os.environ.get("TERM") == "dumb"


def wants_no_colour() -> bool:
    """NO_COLOR (any value but empty) or TERM=dumb."""
    return bool(os.environ.get("NO_COLOR")) or is_dumb()


#: Of this process; the options ``-q -v --debug --log-format --no-progress`` set it.
CONSOLE = Console()
