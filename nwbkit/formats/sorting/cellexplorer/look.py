"""Recognise CellExplorer's and buzcode's files, and the recording they derive from.

Standard library only. Every file of a session is called ``BASE.KIND.mat``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from nwbkit.formats.base import Candidate, Match, Relation, Strength
from nwbkit.formats.io.mat import names_in, version_of
from nwbkit.formats.listing import Listing

SPIKES, METRICS, SESSION = ".spikes.cellinfo.mat", ".cell_metrics.cellinfo.mat", ".session.mat"
#: What each kind of file holds; the first that is there is a source's main file.
VARIABLES = {SPIKES: "spikes", METRICS: "cell_metrics", SESSION: "session"}
PATTERNS = tuple(f"*{suffix}" for suffix in VARIABLES)
#: Files beside, used where they are there. A chanMap.mat of no session's name is a sorter's.
SESSION_INFO, CHANNEL_INFO, CHANNEL_MAP = ".sessioninfo.mat", ".channelinfo.mat", ".chanmap.mat"
_BESIDE = (SESSION_INFO, CHANNEL_INFO, CHANNEL_MAP)
_HEAD = 1 << 20


def look(listing: Listing) -> Iterator[Match]:
    """One Match per session: its spikes, metrics and session files."""
    found: dict[tuple[Path, str], dict[str, tuple[Path, Strength]]] = {}
    for suffix in VARIABLES:
        for entry in listing.match(f"*{suffix}"):
            base = entry.name[: -len(suffix)]
            strength = _strength(listing, entry.path, suffix)
            if base and strength is not None:
                key = (entry.path.parent, base.lower())
                found.setdefault(key, {})[suffix] = (entry.path, strength)
    for (folder, _), kinds in found.items():
        main, strength = next(kinds[s] for s in VARIABLES if s in kinds)
        suffix = next(s for s in VARIABLES if s in kinds)
        base = main.name[: -len(suffix)]
        files = [path for path, _ in kinds.values()] + _beside(folder, base)
        holding = ", ".join(VARIABLES[s] for s in kinds)
        yield Match(
            files=tuple(dict.fromkeys([main, *files])),
            strength=strength,
            evidence=f"MATLAB files of the session '{base}' called as CellExplorer calls them, "
            f"with {holding}",
            stem=base,
            session=base,
            root=folder,
            companion=True,
        )


def _strength(listing: Listing, path: Path, suffix: str) -> Strength | None:
    """How sure a file is; None where it surely is something else."""
    head = listing.head(path, _HEAD)
    version = version_of(head)
    if version is None:
        # damaged: claimed by its name, so that opening it can say why
        return None if suffix == SESSION else Strength.NAME
    names = names_in(head)
    if names:
        return Strength.MAGIC if VARIABLES[suffix] in names else None
    held = VARIABLES[suffix].encode() + b"\0" in head
    return Strength.MAGIC if version == "7.3" and held else Strength.KEY


def _beside(folder: Path, base: str) -> list[Path]:
    wanted = {base.lower() + suffix for suffix in _BESIDE}
    try:
        found = [p for p in sorted(folder.iterdir()) if p.name.lower() in wanted and p.is_file()]
    except OSError:
        return []
    return [p for p in found if _is_mat(p)]


def _is_mat(path: Path) -> bool:
    try:
        with open(path, "rb") as f:
            return version_of(f.read(128)) is not None
    except OSError:
        return False


def base_of(path: Path) -> str:
    """What a file is called without the suffix of its kind."""
    for suffix in VARIABLES:
        if path.name.lower().endswith(suffix):
            return path.name[: -len(suffix)]
    return path.stem


def relate(match: Match, candidates: Sequence[Candidate]) -> Iterator[Relation]:
    """The recording whose file in the same folder is called as the session is."""
    base, folder = base_of(match.files[0]), match.files[0].parent
    wanted = {f"{base}{suffix}".lower() for suffix in (".dat", ".lfp", ".eeg", ".xml")}
    fitting: dict[str, str] = {}
    for candidate in candidates:
        if candidate.match.companion:
            continue
        for file in candidate.match.files:
            if file.parent == folder and file.name.lower() in wanted:
                fitting.setdefault(candidate.id, file.name)
    if len(fitting) == 1:
        ((source, name),) = fitting.items()
        yield Relation("derived_from", source, None, f"'{name}' is called as its session is")
