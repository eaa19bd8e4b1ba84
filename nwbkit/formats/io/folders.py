"""How near files lie to each other. Standard library only: ``relate`` uses it."""

from __future__ import annotations

from pathlib import Path


def depth(a: Path, b: Path) -> int:
    """How many folders two files have in common."""
    pairs = zip(reversed(a.parents), reversed(b.parents), strict=False)
    return sum(1 for x, y in pairs if x == y)
