"""Recognising Suite2p's output: heads only, standard library only."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from nwbkit.formats.base import Candidate, Match, Relation, Strength
from nwbkit.formats.io.mat import HEADER, version_of
from nwbkit.formats.listing import Listing
from nwbkit.formats.segmentation._finding import base_names, movie_candidates
from nwbkit.formats.segmentation._mat5 import beginnings

PATTERNS = ("stat.npy", "*.mat")
STAT = "stat.npy"
#: Files of a plane's folder, in the order in which a source lists them.
FILES = (
    *(STAT, "ops.npy", "db.npy", "settings.npy", "reg_outputs.npy", "detect_outputs.npy"),
    *("F.npy", "Fneu.npy", "spks.npy", "iscell.npy", "redcell.npy"),
    *("F_chan2.npy", "Fneu_chan2.npy", "Fall.mat"),
)
PLANE = re.compile(r"plane_?(\d+)", re.IGNORECASE)
COMBINED = "combined"
_KEYS = (b"ypix", b"xpix", b"lam")
_HEAD = 64 << 10
_OPS_HEAD = 4 << 20
#: How the names of movies end, what no name holds, and how long a name may be before its end.
_ENDS = re.compile(rb"\.(?:tiff?|btf|h5|sbx|nd2|isxd|avi)", re.IGNORECASE)
_FOREIGN = re.compile(rb"[\x00-\x1f\"*/:<>?\\|]")
_LONGEST = 200


def look(listing: Listing) -> Iterator[Match]:
    """One Match a run of Suite2p: its plane folders, with ``combined`` beside them."""
    folders: dict[Path, list[Path]] = {}
    for entry in listing.match(STAT):
        head = listing.head(entry.path, _HEAD)
        if head.startswith(b"\x93NUMPY") and b"'|O'" in head[:256] and _is_stat(head):
            folders[entry.path.parent] = _files(listing, entry.path.parent)
    for entry in listing.match("*.mat"):
        if version_of(listing.head(entry.path, HEADER)) == "5" and any(
            _is_stat(begin) for begin, _ in beginnings(entry.path)
        ):
            whole = folders.get(entry.path.parent)
            if whole is None:
                folders[entry.path.parent] = [entry.path]
            elif entry.path not in whole:
                whole.append(entry.path)
    for root, group in _runs(folders):
        yield _match(listing, root, group, folders)


def _is_stat(head: bytes) -> bool:
    return all(key in head for key in _KEYS)


def _files(listing: Listing, folder: Path) -> list[Path]:
    return [folder / name for name in FILES if listing.size(folder / name) is not None]


def order(folder: Path) -> tuple[int, int, str]:
    """Planes by number, then folders of other names, ``combined`` last."""
    number = PLANE.fullmatch(folder.name)
    if number is not None:
        return 0, int(number.group(1)), folder.name
    return (2 if folder.name.lower() == COMBINED else 1), 0, folder.name


def _runs(folders: dict[Path, list[Path]]) -> Iterator[tuple[Path, list[Path]]]:
    """``(root, folders)``: numbered planes and their combined view are one run."""
    runs: dict[Path, list[Path]] = {}
    for folder in folders:
        numbered = PLANE.fullmatch(folder.name) is not None
        runs.setdefault(folder.parent if numbered else folder, []).append(folder)
    for root in list(runs):
        home = runs.get(root.parent)
        if root.name.lower() == COMBINED and home is not None and runs[root] == [root]:
            home += runs.pop(root)
    for root in sorted(runs):
        yield root, sorted(runs[root], key=order)


def _match(
    listing: Listing, root: Path, group: Sequence[Path], folders: dict[Path, list[Path]]
) -> Match:
    files = [path for folder in group for path in folders[folder]]
    ops1 = root / "ops1.npy"
    if listing.size(ops1) is not None:
        files.append(ops1)
    planes = [f for f in group if f.name.lower() != COMBINED]
    what = f"{len(planes)} plane{'s' if len(planes) != 1 else ''}"
    first = "stat.npy" if files[0].name == STAT else files[0].name
    named = root.parent if root.name.lower() == "suite2p" and root.parent.name else root
    return Match(
        tuple(files),
        Strength.MAGIC,
        f"ROIs with ypix, xpix and lam in {first}, {what}",
        named.name or "suite2p",
        named.name or "suite2p",
        root,
        companion=True,
    )


def relate(match: Match, candidates: Sequence[Candidate]) -> Iterable[Relation]:
    """The movie that was segmented: named in ops.npy, else the only one beside the folder."""
    ops = next((p for p in match.files if p.name in ("ops.npy", "db.npy")), None)
    head = b""
    if ops is not None:
        with open(ops, "rb") as f:
            head = f.read(_OPS_HEAD)
    named = base_names(name.decode("utf-8", "replace") for name in _movie_names(head))
    for candidate, evidence in movie_candidates(match, candidates, named):
        yield Relation("plane_of", candidate.id, None, evidence)


def _movie_names(head: bytes) -> Iterator[bytes]:
    """Names of movies among the texts of a pickle or header, found from their ends."""
    after = 0
    for end in _ENDS.finditer(head):
        before = head[max(after, end.start() - _LONGEST) : end.start()]
        name = _FOREIGN.split(before)[-1]
        if name:
            after = end.end()
            yield name + end.group()
