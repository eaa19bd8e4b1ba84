"""Documents on disk: read, check, upgrade, write.

A document is JSON with an envelope (``schema``, ``version``, ``producer``, ``inputs``). What
people write by hand may be YAML, and without envelope it is of the current version.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import stat
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any, TypeVar

from pydantic import ValidationError

from nwbkit.documents.model import Document, InputRef, Part
from nwbkit.documents.problems import document_error, show
from nwbkit.documents.sniff import is_document
from nwbkit.documents.values import EMPTY
from nwbkit.documents.yamlio import decode
from nwbkit.errors import (
    DocumentError,
    InternalError,
    IOFailure,
    NoInput,
    OutputRefused,
    UsageError,
)

__all__ = [
    "UPGRADES",
    "Document",
    "InputRef",
    "Part",
    "check",
    "dumps",
    "dumps_line",
    "is_document",
    "read",
    "read_task",
    "write",
    "write_text",
]

Model = TypeVar("Model", bound=Document)
Plain = dict[str, Any]

#: ``UPGRADES[schema][n]`` turns the data of version n into version n + 1.
UPGRADES: dict[str, dict[int, Callable[[Plain], Plain]]] = {}

#: No document is larger; a raw file given by mistake is not read whole.
MAX_BYTES = 1 << 30

#: What has come from stdin.
_stdin: list[bytes] = []


def read(path: str | Path, model: type[Model], *, stdin: IO[bytes] | None = None) -> Model:
    """The document in the file `path`, or on stdin where `path` is ``-``.

    Parameters
    ----------
    path : str or Path
    model : type
        The document expected, for example ``SourcesDocument``.
    stdin : binary file, optional
        Instead of ``sys.stdin.buffer``.

    Returns
    -------
    Document
        Its relative paths made absolute: from the document's folder, for stdin from the
        working folder.

    Raises
    ------
    nwbkit.errors.NoInput
        It is missing or may not be read.
    nwbkit.errors.DocumentError
        It cannot be parsed, is another document, is newer than this nwbkit, or breaks the
        model; one line with file, key, expected and found.
    """
    raw, where, folder = _bytes(path, stdin)
    return check(_parse(raw, where, model), model, where=where).resolved(folder)


def read_task(
    path: str | Path, k: int, model: type[Model], *, stdin: IO[bytes] | None = None
) -> Model:
    """Document number `k`, from 0, of a JSON Lines file (``detect --jsonl``)."""
    raw, where, folder = _bytes(path, stdin)
    lines = [line for line in raw.splitlines() if line.strip()]
    if not 0 <= k < len(lines):
        some = f"tasks 0 to {len(lines) - 1}" if lines else "no tasks at all"
        raise UsageError(f"there is no task '{k}' in '{where}': it has {some}", hint="--task K")
    name = f"{where}:{k + 1}"
    return check(_json(lines[k], name), model, where=name).resolved(folder)


def check(obj: Any, model: type[Model], *, where: str = "document") -> Model:
    """`obj` (parsed data) as a document, upgraded where it is older; paths as written."""
    if obj is EMPTY and model.HAND_WRITTEN:
        obj = {}
    if not isinstance(obj, dict):
        found = "an empty file" if obj is EMPTY else show(obj)
        raise DocumentError(
            f"'{where}': expected a mapping, found {found}", hint=_hint_made_by(model)
        )
    data = _upgraded(obj, model, where)
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise document_error(error, where, model.SCHEMA) from None


def dumps(doc: Document, *, relative_to: Path | None = None) -> str:
    """The text of `doc`: the same for the same content, whatever way it was made.

    Parameters
    ----------
    doc : Document
    relative_to : Path, optional
        Paths below this folder (the one it will lie in) are written relative to it; the
        others, and all where it is None (stdout), are absolute.
    """
    return _json_text(doc.shortened(relative_to).plain(), doc, indent=2) + "\n"


def dumps_line(doc: Document, *, relative_to: Path | None = None) -> str:
    """`doc` on one line, for JSON Lines."""
    return _json_text(doc.shortened(relative_to).plain(), doc, indent=None) + "\n"


def write(doc: Document, path: str | Path) -> None:
    """Write `doc` to `path`, whole or not at all; paths below its folder relative.

    Raises
    ------
    nwbkit.errors.OutputRefused
        The file cannot be created there.
    nwbkit.errors.IOFailure
        Writing failed half-way; what was there before still is.
    """
    target = Path(os.path.abspath(path))
    write_text(dumps(doc, relative_to=target.parent), target)


def write_text(text: str, path: str | Path) -> None:
    """Put `text` into the file `path`, whole or not at all."""
    target = Path(os.path.abspath(path))
    try:
        if _is_special(target):  # /dev/stdout, a FIFO: nothing that could be replaced
            target.write_text(text, encoding="utf-8")
        else:
            _replace(target, text.encode("utf-8"))
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG):
            raise IOFailure(f"cannot write '{path}': {reason}") from None
        raise OutputRefused(f"cannot create '{path}': {reason}") from None


def _replace(target: Path, raw: bytes) -> None:
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, "is a directory")
    handle, temporary = tempfile.mkstemp(".part", f".{target.name[:100]}.nwbkit-", target.parent)
    try:
        with os.fdopen(handle, "wb") as f:
            f.write(raw)
            f.flush()
            os.fchmod(f.fileno(), _mode(target))
            os.fsync(f.fileno())
        os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    with contextlib.suppress(OSError):  # some network file systems cannot
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _mode(target: Path) -> int:
    """The mode the file would have if it were simply opened for writing."""
    with contextlib.suppress(OSError):
        return stat.S_IMODE(target.stat().st_mode)
    mask = os.umask(0o077)
    os.umask(mask)
    return 0o666 & ~mask


def _is_special(target: Path) -> bool:
    try:
        mode = target.stat().st_mode
    except OSError:
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def stdin_again() -> bytes:
    """The bytes of the document that was read from stdin; it cannot be read twice."""
    return _stdin[0]


def _bytes(path: str | Path, stdin: IO[bytes] | None) -> tuple[bytes, str, Path]:
    if str(path) == "-":
        raw = (stdin or sys.stdin.buffer).read(MAX_BYTES + 1)
        _stdin[:] = [raw]
        where, folder = "-", Path.cwd()
    else:
        where, folder = str(path), Path(os.path.abspath(path)).parent
        try:
            with open(path, "rb") as f:
                raw = f.read(4096)
                if b"\0" not in raw:
                    raw += f.read(MAX_BYTES + 1 - len(raw))
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise NoInput(f"cannot open '{where}': {reason}") from None
    if b"\0" in raw[:4096]:
        raise DocumentError(f"'{where}' is not a document: it is binary")
    if len(raw) > MAX_BYTES:
        raise DocumentError(f"'{where}' is not a document: larger than {MAX_BYTES} bytes")
    return raw, where, folder


def _parse(raw: bytes, where: str, model: type[Document]) -> Any:
    from nwbkit.documents import yamlio

    suffix = Path(where).suffix.lower()
    looks_json = raw.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"{"
    if model.HAND_WRITTEN and suffix != ".json":
        if suffix in (".yaml", ".yml") or not looks_json:
            return yamlio.load(raw, where)
    elif not raw.strip():
        return EMPTY
    return _json(raw, where)


def _json(raw: bytes, where: str) -> Any:
    text = decode(raw, where)

    def no_duplicates(pairs: list[tuple[str, Any]]) -> Plain:
        data = dict(pairs)
        if len(data) < len(pairs):
            keys = [key for key, _ in pairs]
            twice = next(key for key in keys if keys.count(key) > 1)
            raise DocumentError(f"'{where}': the key '{twice}' is given twice", hint="keep one")
        return data

    def no_constant(word: str) -> Any:
        raise DocumentError(f"'{where}' is not JSON: '{word}' is not a JSON number")

    try:
        return json.loads(text, object_pairs_hook=no_duplicates, parse_constant=no_constant)
    except json.JSONDecodeError as error:
        if error.msg == "Extra data" and text[: error.pos].count("\n"):
            raise DocumentError(
                f"'{where}' holds more than one document, the second at line {error.lineno}",
                hint="JSON Lines, one session a line: choose one with --task K, from 0",
            ) from None
        raise DocumentError(
            f"'{where}' is not JSON: {error.msg.lower()}, line {error.lineno}, column {error.colno}"
        ) from None
    except RecursionError:
        raise DocumentError(f"'{where}' is not a document: nested too deep") from None


def _upgraded(obj: Mapping[str, Any], model: type[Document], where: str) -> Plain:
    data = dict(obj)
    schema = data.get("schema")
    if schema is None or schema is EMPTY:
        if not model.HAND_WRITTEN:
            raise DocumentError(
                f"'{where}' has no 'schema': expected '{model.SCHEMA}'", hint=_hint_made_by(model)
            )
        if "version" in data:
            raise DocumentError(
                f"'{where}' has a 'version' but no 'schema'",
                hint=(f"add schema: {model.SCHEMA}, or leave both out"),
            )
        return data
    if schema != model.SCHEMA:
        raise DocumentError(
            f"'{where}' has the schema {show(schema)}, expected '{model.SCHEMA}'",
            hint=_hint_made_by(model),
        )
    version = data.get("version", model.VERSION if model.HAND_WRITTEN else None)
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise DocumentError(
            f"'version' in '{where}': expected a whole number from 1, found {show(version)}"
        )
    if version > model.VERSION:
        by = f" (written by {data['producer']})" if isinstance(data.get("producer"), str) else ""
        raise DocumentError(
            f"'{where}' is of version {version} of '{schema}'{by}, newer than the "
            f"{model.VERSION} that this nwbkit reads",
            hint="pip install --upgrade nwbkit",
        )
    for old in range(version, model.VERSION):
        data = {**UPGRADES[schema][old](data), "version": old + 1}
    return data


def _hint_made_by(model: type[Document]) -> str | None:
    return f"made by: {model.MADE_BY}" if model.MADE_BY else None


def _json_text(data: Plain, doc: Document, indent: int | None) -> str:
    try:
        return json.dumps(data, ensure_ascii=False, allow_nan=False, indent=indent)
    except (TypeError, ValueError) as error:
        raise InternalError(f"a '{doc.SCHEMA}' document cannot be written: {error}") from error
