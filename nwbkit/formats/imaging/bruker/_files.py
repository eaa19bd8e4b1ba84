"""The TIFFs that a PVScan names, found beside it and nowhere else."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nwbkit.errors import DamagedInput, NoInput
from nwbkit.formats.imaging.bruker._look import CYCLE
from nwbkit.formats.imaging.bruker._xml import File
from nwbkit.formats.io import tiff
from nwbkit.formats.io.complaints import Complaints


@dataclass
class Pages:
    """Where the page of each file entry is.

    Parameters
    ----------
    stack : Stack
    numbers : dict of (str, int) to int
        File name and page (from 1) to page of the stack; absent where it is missing on disk.
    """

    stack: tiff.Stack
    numbers: dict[tuple[str, int], int]
    paths: list[Path]


class Folder:
    """What lies beside the XML, by name.

    Parameters
    ----------
    xml : Path
    """

    def __init__(self, xml: Path) -> None:
        self.xml = xml
        try:
            with os.scandir(xml.parent) as entries:
                self.sizes = {e.name: e.stat().st_size for e in entries if e.is_file()}
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise NoInput(f"cannot open '{xml.parent}': {reason}") from None
        self.renamed: set[str] = set()
        self._tails: dict[str, list[str]] | None = None

    def find(self, name: str) -> Path | None:
        """The file called `name`, or called so before the run was renamed; None where missing.

        Raises
        ------
        nwbkit.errors.DamagedInput
            For what is no plain file name.
        """
        if not name or name in (".", "..") or re.search(r"[/\\\0]", name):
            raise DamagedInput(
                f"'{self.xml.name}' names the file '{name}', expected a name without folder"
            )
        if name in self.sizes:
            return self.xml.parent / name
        cut = CYCLE.match(name)
        if cut is None:
            return None
        mine = f"{self.xml.stem}{cut[2]}"
        if mine not in self.sizes:
            alike = self._by_tail().get(cut[2], [])
            if len(alike) != 1:
                return None
            mine = alike[0]
        self.renamed.add(cut[1])
        return self.xml.parent / mine

    def _by_tail(self) -> dict[str, list[str]]:
        if self._tails is None:
            self._tails = {}
            for name in self.sizes:
                cut = CYCLE.match(name)
                if cut is not None:
                    self._tails.setdefault(cut[2], []).append(name)
        return self._tails


def pages_of(files: Iterable[File], folder: Folder, complaints: Complaints) -> Pages:
    """Find every page that `files` name.

    Files that are named for one page are not opened before they are read.

    Raises
    ------
    nwbkit.errors.NoInput
        Where none is there.
    nwbkit.errors.DamagedInput
        Where some are missing, cut off, or hold fewer pages than are named.
    """
    wanted: dict[str, list[int]] = {}
    for file in files:
        wanted.setdefault(file.filename, []).append(file.page)
    where = {name: folder.find(name) for name in wanted}
    gone = [name for name, path in where.items() if path is None]
    if len(gone) == len(wanted):
        raise NoInput(
            f"'{folder.xml.name}' names {len(wanted)} TIFF files, none of which is beside it",
            hint=f"put '{gone[0]}' and the others beside the XML" if gone else None,
        )
    if gone:
        complaints(
            f"'{folder.xml.name}' names {len(wanted)} TIFF files, {len(gone)} of which are "
            f"missing, first '{gone[0]}'",
            "keeps the frames that are there",
        )
    return _indexed({n: p for n, p in where.items() if p is not None}, wanted, folder, complaints)


def _indexed(
    where: dict[str, Path], wanted: dict[str, list[int]], folder: Folder, complaints: Complaints
) -> Pages:
    items: list[tiff.TiffIndex | Path] = []
    kept: list[tuple[str, int]] = []
    kind: tiff.Kind | None = None
    for name, path in where.items():
        numbered = any(p > 0 for p in wanted[name])
        if kind is not None and len(wanted[name]) == 1 and wanted[name][0] <= 1:
            if folder.sizes[path.name] < (kind.nbytes if kind.plain else 1):
                complaints(
                    f"'{path.name}' has {folder.sizes[path.name]} bytes, expected at least "
                    f"{kind.nbytes} ({kind})",
                    "leaves it out",
                )
                continue
            items.append(path)
            kept.append((name, 1))
            continue
        found = tiff.index(path)
        kind = kind or found.kind
        for note in found.notes:
            complaints.note(f"'{path.name}': {note}")
        if found.problem:
            rescue = f"keeps what lies before it: {found.n_pages} pages"
            complaints(f"'{path.name}': {found.problem}", rescue)
        last = max(wanted[name]) if numbered else len(wanted[name])
        _hold_against(found, max(last, 1), folder.xml.name, complaints)
        items.append(found)
        kept.append((name, found.n_pages))
    if not items:
        raise DamagedInput(f"no TIFF that '{folder.xml.name}' names can be read")
    if kind is None:
        raise DamagedInput(f"no TIFF that '{folder.xml.name}' names can be read")
    stack = tiff.Stack(items, kind)
    starts: npt.NDArray[np.int64] = stack.starts
    numbers = {
        (name, page + 1): int(starts[k]) + page
        for k, (name, n) in enumerate(kept)
        for page in range(n)
    }
    return Pages(stack, numbers, list(where.values()))


def _hold_against(found: tiff.TiffIndex, last: int, xml: str, complaints: Complaints) -> None:
    """The pages of a file against those that the XML names."""
    if found.n_pages < last and not found.problem:
        complaints(
            f"'{found.path.name}' holds {found.n_pages} pages, '{xml}' names page {last}",
            "keeps the frames that are there",
        )
    elif found.n_pages > last:
        complaints.note(
            f"'{found.path.name}' holds {found.n_pages} pages, '{xml}' names {last} of them: "
            "the others have no time and are left out"
        )
