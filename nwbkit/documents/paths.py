"""Paths in documents: relative where they lie below, and faithful where they are not UTF-8."""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

from nwbkit.documents.values import expected

PathMap = Callable[[Path], Path]

_JSON_SCHEMA: dict[str, Any] = {
    "anyOf": [
        {"type": "string"},
        {
            "type": "object",
            "properties": {"bytes": {"type": "string", "contentEncoding": "base64"}},
            "required": ["bytes"],
            "additionalProperties": False,
        },
    ]
}


def decode_path(value: Any) -> Path:
    """The path that a document means by a text or by ``{"bytes": base64}``."""
    if isinstance(value, Path):
        return value
    if isinstance(value, str) and value and "\0" not in value and _utf8(value):
        return Path(value)
    if isinstance(value, dict) and set(value) == {"bytes"} and isinstance(value["bytes"], str):
        try:
            raw = base64.b64decode(value["bytes"], validate=True)
        except binascii.Error:
            raise expected('a path: a text or {"bytes": base64}') from None
        if raw and b"\0" not in raw:
            return Path(os.fsdecode(raw))
    raise expected('a path: a text or {"bytes": base64}')


def encode_path(path: Path) -> str | dict[str, str]:
    """The text of `path`, or ``{"bytes": base64}`` where it is not UTF-8."""
    raw = os.fsencode(path)
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return {"bytes": base64.b64encode(raw).decode("ascii")}


def resolver(folder: Path) -> PathMap:
    """What turns a path as written into an absolute one."""
    return lambda path: Path(os.path.abspath(folder / path))


def shortener(folder: Path | None) -> PathMap:
    """What turns a path into the one to write: below `folder` relative, else absolute."""
    home = Path(os.path.abspath(folder)) if folder is not None else None

    def shorten(path: Path) -> Path:
        path = Path(os.path.abspath(path))
        return path.relative_to(home) if home and path.is_relative_to(home) else path

    return shorten


def _utf8(text: str) -> bool:
    # a lone surrogate cannot have come from UTF-8, and would be another file's name
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


#: A ``pathlib.Path``; see :func:`decode_path` for its spellings in JSON.
DocPath = Annotated[Path, BeforeValidator(decode_path), WithJsonSchema(_JSON_SCHEMA)]
