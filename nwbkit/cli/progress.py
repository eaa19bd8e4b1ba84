"""Progress of long steps: a bar on a terminal, a plain line every 30 s elsewhere."""

from __future__ import annotations

import sys
import threading
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any

from nwbkit.cli.console import CONSOLE, is_dumb, is_terminal
from nwbkit.text import duration_text, size_text

if TYPE_CHECKING:
    from typing import Self

#: A step shorter than this shows no bar: it would only flicker.
BAR_AFTER_S = 1.0
#: Off a terminal, one line in this time: enough to see life in a log, not enough to fill it.
LINE_EVERY_S = 30.0


class Progress:
    """Count bytes and show how far they are; may be called from several threads.

    Parameters
    ----------
    label : str
        What is being done: ``converting``.
    total : int, optional
        Bytes that will come, where that is known.

    Examples
    --------
    >>> with Progress("converting", 100) as progress:
    ...     progress(40)
    ...     progress(60)
    """

    def __init__(self, label: str, total: int | None = None) -> None:
        self.label = label
        self.total = total
        #: Bytes so far.
        self.done = 0
        self._lock = threading.Lock()
        self._bar: Any = None
        self._started = self._last_line = time.monotonic()

    def __enter__(self) -> Self:
        self._started = self._last_line = time.monotonic()
        if _wanted() and _has_bar():
            self._open_bar()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            CONSOLE.bar = None
            self._bar.close()
            self._bar = None

    def __call__(self, n_bytes: int) -> None:
        """Count `n_bytes` more as done."""
        with self._lock:
            self.done += n_bytes
            if self._bar is not None:
                self._bar.update(n_bytes)
            elif self._line_is_due():
                self._last_line = time.monotonic()
                CONSOLE.progress_line(self._line(), self.done, self.total)

    def expect(self, total: int) -> None:
        """Say how many bytes will come, once that is known better."""
        with self._lock:
            self.total = total
            if self._bar is not None:
                self._bar.total = total

    def _line_is_due(self) -> bool:
        if not _wanted() or time.monotonic() - self._last_line < LINE_EVERY_S:
            return False
        return not _has_bar()

    def _line(self) -> str:
        elapsed = max(time.monotonic() - self._started, 1e-9)
        rate = self.done / elapsed
        if not self.total:
            return f"{self.label}: {size_text(self.done)}, {size_text(rate)}/s"
        share = 100 * self.done / self.total
        left = (self.total - self.done) / rate if rate else 0.0
        return (
            f"{self.label}: {size_text(self.done)} of {size_text(self.total)} ({share:.0f} %), "
            f"{size_text(rate)}/s, {duration_text(max(left, 0.0))} left"
        )

    def _open_bar(self) -> None:
        from tqdm import tqdm

        self._bar = tqdm(
            total=self.total,
            desc=self.label,
            unit="B",
            unit_scale=True,
            delay=BAR_AFTER_S,
            leave=False,
            dynamic_ncols=True,
            file=sys.stderr,
        )
        CONSOLE.bar = self._bar


def _wanted() -> bool:
    return CONSOLE.progress and not CONSOLE.quiet


def _has_bar() -> bool:
    return CONSOLE.log_format == "text" and is_terminal(sys.stderr) and not is_dumb()
