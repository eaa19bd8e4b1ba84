"""A huge number of files, told by a pattern, their count and a digest of their names."""

from __future__ import annotations

import glob
import hashlib
import os
import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nwbkit.errors import DamagedInput

#: Up to so many files of one kind in one folder are listed one by one.
LISTED = 256


def fold(paths: Sequence[Path]) -> tuple[list[Path], list[dict[str, Any]]]:
    """What to list, and patterns for the rest.

    Only files are folded that a pattern gives back exactly, in the same order: all those of
    one folder and one suffix that begin alike. The first path, the main file, is always
    listed.

    Returns
    -------
    paths : list of Path
    patterns : list of dict
        ``pattern``, ``count`` and ``digest``, as in the sources document.
    """
    if len(paths) <= LISTED:
        return list(paths), []
    kinds: dict[tuple[Path, str], list[Path]] = defaultdict(list)
    for path in paths[1:]:
        kinds[path.parent, path.suffix].append(path)
    folded: set[Path] = set()
    patterns = []
    for (folder, suffix), members in kinds.items():
        if len(members) <= LISTED:
            continue
        # letter by letter is what is wanted here: these are names, not paths
        prefix = os.path.commonprefix([p.name for p in members])  # noqa: RUF071
        if prefix.endswith(suffix):
            prefix = prefix[: len(prefix) - len(suffix)]
        pattern = str(folder / f"{glob.escape(prefix)}*{glob.escape(suffix)}")
        if _matches(pattern, paths[0]) == members:
            folded.update(members)
            patterns.append({"pattern": pattern, "count": len(members), "digest": _digest(members)})
    return [p for p in paths if p not in folded], patterns


def unfold(main: Path | None, pattern: str, count: int, digest: str) -> list[Path]:
    """The files that a pattern stands for, but `main`.

    Raises
    ------
    nwbkit.errors.DamagedInput
        Where they are not those that were detected.
    """
    found = _matches(pattern, main)
    if len(found) != count or _digest(found) != digest:
        raise DamagedInput(
            f"'{pattern}' matches {len(found)} files, and not the {count} that were detected",
            hint="nwbkit detect looks at the folder again",
        )
    return found


def _matches(pattern: str, main: Path | None) -> list[Path]:
    found = [Path(p) for p in glob.glob(pattern, include_hidden=True)]
    return sorted((p for p in found if p != main), key=_natural)


def _natural(path: Path) -> list[tuple[int, int, str]]:
    """As people sort: img2 before img10."""
    parts = re.split(r"(\d+)", path.name)
    return [(0, int(p), p) if p.isdecimal() else (1, 0, p) for p in parts]


def _digest(paths: Sequence[Path]) -> str:
    names = "\0".join(sorted(p.name for p in paths))
    return hashlib.sha256(os.fsencode(names)).hexdigest()
