"""What other libraries say on their own: shown with ``-v``, in the format asked for."""

from __future__ import annotations

import logging
import warnings
from typing import TextIO

from nwbkit.cli.console import CONSOLE


def route_warnings() -> None:
    """Send Python warnings and log records to the console, as details.

    They speak of a library's insides, in its words, and would break ``--log-format json``.
    What a user must know of the data, nwbkit says itself.
    """
    warnings.showwarning = _show
    handler = _Handler(logging.WARNING)
    # Not a handler of the root logger: a library that configures logging keeps its own.
    logging.lastResort = handler


class _Handler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        CONSOLE.detail(f"{record.name}: {record.getMessage()}")


def _show(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    CONSOLE.detail(f"{category.__name__}: {message} ({filename}:{lineno})")
