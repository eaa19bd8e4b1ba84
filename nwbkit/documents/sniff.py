"""Is an argument a document or raw data? Standard library only, reads a head only."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

_SMALL = 4096
_LARGE = 1 << 20
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]]', re.DOTALL)
_JSON_VALUE = re.compile(r'\s*:\s*"nwbkit/')
_YAML_LINE = re.compile(r"""^(?:schema|"schema"|'schema')\s*:\s+["']?nwbkit/""", re.MULTILINE)


def is_document(path: str | Path) -> bool:
    """True if `path` is a regular file whose top-level ``schema`` starts with ``nwbkit/``.

    No more than the first MiB is looked at, and that only of a text that begins like JSON.
    What cannot be read is no document.
    """
    try:
        # O_NONBLOCK: a FIFO must not make us wait for its writer
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | getattr(os, "O_CLOEXEC", 0))
    except (OSError, ValueError):
        return False
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            return False
        head = os.read(handle, _SMALL)
        text = _text(head)
        if text is None:
            return False
        if not text.lstrip().startswith("{"):
            return _YAML_LINE.search(text) is not None
        found = _json_schema(text)
        if found is None and len(head) == _SMALL:
            found = _json_schema(_text(head + os.read(handle, _LARGE - _SMALL)) or "")
        return found is True
    except OSError:
        return False
    finally:
        os.close(handle)


def _text(head: bytes) -> str | None:
    if b"\0" in head:
        return None
    try:
        return head.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # a character cut by the end of the head is no reason to call it binary
        return head[: error.start].decode("utf-8-sig") if len(head) - error.start < 4 else None


def _json_schema(text: str) -> bool | None:
    """Whether the top-level ``schema`` is ours; None where it has not come yet."""
    depth = 0
    for token in _TOKEN.finditer(text):
        word = token.group()
        if word in "{[":
            depth += 1
        elif word in "}]":
            depth -= 1
            if depth == 0:
                return False
        elif depth == 1 and word == '"schema"' and text[token.end() :].lstrip().startswith(":"):
            return _JSON_VALUE.match(text, token.end()) is not None
    return None
