"""What commands hand out: documents and text on stdout, documents in files."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from nwbkit.cli.console import is_terminal
from nwbkit.errors import IOFailure

if TYPE_CHECKING:
    from nwbkit.documents.envelope import Document

#: Where stdout is no terminal: what a log or a mail shows without breaking lines.
PIPED_WIDTH = 80


def width() -> int:
    """Columns that text on stdout may take."""
    if is_terminal(sys.stdout):
        return max(40, shutil.get_terminal_size((PIPED_WIDTH, 24)).columns)
    return PIPED_WIDTH


def emit_document(
    document: Document,
    *,
    output: str | None = None,
    as_json: bool = False,
    table: Callable[[int], str] | None = None,
) -> None:
    """Hand out a document that is the command's product.

    With `output` it goes there, whole or not at all, and stdout stays empty (but for
    ``--json``). Else to stdout: JSON off a terminal or with ``--json``, `table` on one.

    Parameters
    ----------
    document : Document
    output : str, optional
        ``-o``.
    as_json : bool
        ``--json``.
    table : callable, optional
        Takes the terminal's width, returns the text to show there; empty for none.
    """
    if output is not None:
        _write(document, output)
        if not as_json:
            return
    if table is not None and not as_json and is_terminal(sys.stdout):
        if text := table(width()):
            emit_text(text)
    else:
        _emit_json(document)


def emit_report(
    document: Document,
    text: Callable[[int], str],
    *,
    output: str | None = None,
    as_json: bool = False,
) -> None:
    """Hand out text that a person reads, or with ``--json`` the document behind it.

    `output` gets the document in any case, beside what stdout shows.
    """
    if output is not None:
        _write(document, output)
    if as_json:
        _emit_json(document)
    else:
        emit_text(text(width()))


def emit_text(text: str) -> None:
    """Write text to stdout, with one newline at its end.

    Raises
    ------
    nwbkit.errors.IOFailure
        Where stdout is closed or full.
    BrokenPipeError
        Where its reader has gone.
    """
    data = (text.rstrip("\n") + "\n").encode("utf-8", "backslashreplace")
    if sys.stdout is None:
        raise IOFailure("cannot write to standard output: it is closed")
    try:
        stream = getattr(sys.stdout, "buffer", None)
        if stream is None:  # replaced by a test or a notebook
            sys.stdout.write(data.decode("utf-8"))
        else:
            sys.stdout.flush()
            stream.write(data)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise IOFailure(f"cannot write to standard output: {reason}") from error


def _write(document: Document, path: str) -> None:
    from nwbkit.documents import envelope

    envelope.write(document, path)


def _emit_json(document: Document) -> None:
    from nwbkit.documents import envelope

    emit_text(envelope.dumps(document))
