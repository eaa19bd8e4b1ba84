"""Ids of sources and sessions: slugs of what the files are called, never counters."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

# Letters that Unicode does not decompose into a base letter and a mark.
_LETTERS = str.maketrans(
    {"ß": "ss", "æ": "ae", "Æ": "AE", "ø": "o", "Ø": "O", "œ": "oe", "Œ": "OE", "ł": "l"}
    | {"Ł": "L", "đ": "d", "Đ": "D", "ð": "d", "þ": "th", "µ": "u", "μ": "u", "ı": "i"}
)


def slug(text: str) -> str:
    """`text` in ``[A-Za-z0-9_-]+``: marks dropped, everything else foreign turned into ``-``.

    A text without a single Latin letter or digit is spelled by its code points
    (``u65e5u672c``), so that it still is itself and not a number.
    """
    plain = unicodedata.normalize("NFKD", text.translate(_LETTERS))
    plain = "".join(c for c in plain if not unicodedata.combining(c))
    ascii_only = re.sub(r"[^A-Za-z0-9_]+", "-", plain).strip("-")
    if re.search(r"[A-Za-z0-9]", ascii_only):
        return ascii_only
    spelled = "".join(f"u{ord(c):x}" for c in text if not c.isspace())
    return spelled or "source"


@dataclass(frozen=True)
class Named:
    """What an id is made of: a stem, the folder it lies in, and what else tells it apart."""

    stem: str
    folder: Path
    kind: str = ""
    main: Path | None = None


def unique_ids(items: Sequence[Named]) -> list[str]:
    """One id per item, in order: the slug of the stem, longer only where two would agree.

    Clashing ids are extended to the left with the names of parent folders until they
    differ, then with the kind (the format), then with the main file's name; two items
    that agree in all of these get a digest of their paths.
    """
    depths = [0] * len(items)
    ids = [_spelled(item, 0) for item in items]
    while clashing := _clashing(ids):
        grown = False
        for index in clashing:
            if depths[index] < _deepest(items[index]):
                depths[index] += 1
                longer = _spelled(items[index], depths[index])
                grown = grown or longer != ids[index]
                ids[index] = longer
        if not grown and all(depths[i] >= _deepest(items[i]) for i in clashing):
            return _last_resort(items, ids)
    return ids


def _clashing(ids: Sequence[str]) -> list[int]:
    # file systems that ignore case would mix up outputs named after such ids
    counts = Counter(i.lower() for i in ids)
    return [n for n, i in enumerate(ids) if counts[i.lower()] > 1]


def _folders(item: Named) -> list[str]:
    return [part for part in item.folder.parts if slug(part) != "source" and part != "/"]


def _deepest(item: Named) -> int:
    return len(_folders(item)) + 2


def _spelled(item: Named, depth: int) -> str:
    folders = _folders(item)
    parts = folders[len(folders) - min(depth, len(folders)) :]
    parts = [*parts, item.stem]
    if depth > len(folders) and item.kind:
        parts.append(item.kind)
    if depth > len(folders) + 1 and item.main is not None:
        parts.append(item.main.name)
    # a folder that is called like what lies in it says nothing new
    kept = [p for n, p in enumerate(parts) if n == len(parts) - 1 or p != parts[n + 1]]
    return "-".join(slug(p) for p in kept)


def _last_resort(items: Sequence[Named], ids: Sequence[str]) -> list[str]:
    unique = list(ids)
    for index in _clashing(ids):
        path = str(items[index].main or items[index].folder)
        digest = hashlib.sha256(path.encode("utf-8", "surrogateescape")).hexdigest()
        unique[index] = f"{unique[index]}-{digest[:8]}"
    return unique
