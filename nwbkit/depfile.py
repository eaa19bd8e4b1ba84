"""The rule that tells Make what an output was made from."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path


def make_rule(target: str, sources: Sequence[Path]) -> str:
    """A Make rule that names every source file of `target`, and each as a target of its own.

    The second part lets Make go on when a source file has been deleted.
    """
    names = [_escape(os.fspath(p)) for p in sources]
    lines = [f"{_escape(target)}: " + " \\\n  ".join(names)]
    lines += [f"{name}:" for name in names]
    return "\n".join(lines) + "\n"


def _escape(path: str) -> str:
    for character in ("\\", " ", "#", "%", ":"):
        path = path.replace(character, "\\" + character)
    return path.replace("$", "$$")
