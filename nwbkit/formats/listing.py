"""The listing that ``look`` is given: one walk of the tree, cheap and guarded access to heads."""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from nwbkit.errors import NoInput

#: Nothing that `look` reads may be larger; headers are small.
MAX_HEAD = 4 << 20


@dataclass(frozen=True)
class Entry:
    """A file of the tree: absolute path and size in bytes (as of the walk)."""

    path: Path
    size: int

    @property
    def name(self) -> str:
        """The file's name."""
        return self.path.name


class Listing:
    """The files below the paths a user gave.

    Parameters
    ----------
    roots : sequence of Path
        Folders (walked) and files (taken as they are). Symlinks are followed, each folder
        once; hidden files, nwbkit's own temporary files and outputs are skipped.

    Raises
    ------
    nwbkit.errors.NoInput
        For a root that is missing or may not be read.
    """

    def __init__(self, roots: Sequence[Path]) -> None:
        self.roots = tuple(Path(os.path.abspath(root)) for root in roots)
        #: Folders below the roots that could not be listed, with the reason.
        self.unreadable: list[tuple[Path, str]] = []
        self.entries: list[Entry] = []
        self._heads: dict[Path, bytes] = {}
        seen: set[Path] = set()
        for root, given in zip(self.roots, roots, strict=True):
            for entry in self._walk(root, os.fspath(given)):
                if entry.path not in seen:
                    seen.add(entry.path)
                    self.entries.append(entry)
        self.entries.sort(key=lambda e: os.fsencode(e.path))
        self._by_name: dict[str, list[Entry]] = {}
        for entry in self.entries:
            self._by_name.setdefault(entry.name.lower(), []).append(entry)

    def match(self, *patterns: str) -> list[Entry]:
        """Entries whose name matches one of the globs; case is ignored."""
        regexes = [re.compile(fnmatch.translate(p.lower())) for p in patterns]
        found = [
            entry
            for name, entries in self._by_name.items()
            if any(r.match(name) for r in regexes)
            for entry in entries
        ]
        return sorted(found, key=lambda e: os.fsencode(e.path))

    def restricted(self, entries: Iterable[Entry]) -> Listing:
        """The same tree with only `entries` in it (for fallbacks: what nobody claimed)."""
        clone = object.__new__(Listing)
        clone.roots, clone.unreadable, clone._heads = self.roots, self.unreadable, self._heads
        clone.entries = list(entries)
        clone._by_name = {}
        for entry in clone.entries:
            clone._by_name.setdefault(entry.name.lower(), []).append(entry)
        return clone

    def head(self, path: Path, size: int = 4096) -> bytes:
        """The first `size` bytes of a file; empty where it cannot be read."""
        cached = self._heads.get(path)
        if cached is None or (len(cached) < size and len(cached) % 4096 == 0):
            try:
                with open(path, "rb") as f:
                    cached = f.read(min(max(size, 4096), MAX_HEAD))
            except OSError:
                cached = b""
            self._heads[path] = cached
        return cached[:size]

    def text(self, path: Path, size: int = MAX_HEAD) -> str:
        """The head of a text file; bytes that are not UTF-8 are read as Latin-1."""
        raw = self.head(path, size)
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError:
            return raw.decode("latin-1")

    def size(self, path: Path) -> int | None:
        """Size in bytes of a file beside the entries; None where there is none."""
        try:
            return path.stat().st_size if path.is_file() else None
        except OSError:
            return None

    def _walk(self, root: Path, given: str) -> Iterator[Entry]:
        try:
            info = os.stat(root)
        except FileNotFoundError:
            raise NoInput(f"cannot open '{given}': no such file or folder") from None
        except OSError as error:
            raise NoInput(f"cannot open '{given}': {_reason(error)}") from None
        if root.name.endswith(".nwb.zarr") and os.path.isdir(root):
            yield Entry(root, 0)  # a store is one thing, and meant where it is named
            return
        if not os.path.isdir(root):
            if not os.access(root, os.R_OK):
                raise NoInput(f"cannot open '{given}': permission denied")
            yield Entry(root, info.st_size)
            return
        try:
            os.listdir(root)
        except OSError as error:
            raise NoInput(f"cannot open '{given}': {_reason(error)}") from None
        visited: set[tuple[int, int]] = set()
        for folder, folders, names in os.walk(
            root, followlinks=True, onerror=self._note_unreadable
        ):
            info = os.stat(folder)
            if (info.st_dev, info.st_ino) in visited:
                folders.clear()
                continue
            visited.add((info.st_dev, info.st_ino))
            folders[:] = sorted(f for f in folders if not _skipped_folder(f))
            for name in names:
                if name.startswith("."):
                    continue
                path = Path(folder, name)
                try:
                    yield Entry(path, path.stat().st_size)
                except OSError:
                    continue  # a dangling link, or gone since it was listed

    def _note_unreadable(self, error: OSError) -> None:
        self.unreadable.append((Path(os.fsdecode(error.filename)), _reason(error)))


def _skipped_folder(name: str) -> bool:
    return name.startswith(".") or name.endswith(".nwb.zarr")


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
