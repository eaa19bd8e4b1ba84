"""The numbers of a MED-PC session by a second way, for verify: one search over its text."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

AnyArray = npt.NDArray[Any]


def variables(path: Path, first_line: int) -> dict[str, AnyArray]:
    """The numbers of each variable of the session that begins at a line (from 1)."""
    lines = path.read_bytes().decode("latin-1").split("\n")[first_line - 1 :]
    text = "\n".join(lines)
    again = text.find("\nStart Date:", 1)
    text = text[: again if again > 0 else None]
    parts = re.split(r"^([A-Z]):", text.replace("\r", ""), flags=re.M)[1:]
    found = {}
    for letter, body in zip(parts[::2], parts[1::2], strict=True):
        body = re.split(r"^(?:File:|\\)", body, flags=re.M)[0]
        bare = re.sub(r"^[ \t]+\d+:", " ", body, flags=re.M)
        found[letter] = np.array([float(cell) for cell in bare.split()], np.float64)
    return found


def flat(found: dict[str, AnyArray]) -> dict[str, AnyArray]:
    """As the comparison of values takes them."""
    return {
        "variable": np.array(list(found), object),
        "counts": np.array([len(v) for v in found.values()], np.int64),
        "values": np.concatenate([np.empty(0), *found.values()]),
    }
