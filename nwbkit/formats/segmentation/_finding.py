"""Which source is the movie that was segmented; standard library only."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath

from nwbkit.formats.base import Candidate, Match

#: How the evidence begins where the segmentation's own files name the movie.
NAMED = "its files name"
#: Files that a camera which films the animal does not write.
_MOVIE_FILES = (".tif", ".tiff", ".btf", ".sbx", ".isxd", ".nd2", ".mmap")
#: What folders are called that hold nothing but results.
_OUTPUTS = ("suite2p", "s2p", "caiman", "extract", "segmentation", "rois", "processed", "analysis")
_MOVIE_WORDS = ("scanimage", "bruker", "miniscope", "tiff", "thor", "scanbox", "inscopix_movie")


def base_names(values: Iterable[str]) -> set[str]:
    """File names, lower case, of paths of any system."""
    found = set()
    for text in values:
        name = PureWindowsPath(text).name if "\\" in text else PurePosixPath(text).name
        found.add(name.lower())
    return found - {""}


def movie_candidates(
    match: Match, candidates: Sequence[Candidate], named: Collection[str]
) -> list[tuple[Candidate, str]]:
    """Sources that may be the movie, with evidence: those that have a file of a name in `named`.

    Where none has, the only movie in the folder of the segmentation, else in one of the two above
    it, the nearest first. Folders side by side may be other sessions: they count only where the
    segmentation's folder is called like one. The reader holds the movie's frames against the
    image that the ROIs lie in.
    """
    movies = [c for c in candidates if _is_movie(c)]
    said = []
    for candidate in movies:
        file = next((p.name for p in candidate.match.files if p.name.lower() in named), None)
        if file is not None:
            said.append((candidate, f"{NAMED} '{file}'"))
    if said:
        return said
    folder = Path(match.root)
    for depth, base in enumerate((folder, *folder.parents[:2])):
        deeper = depth == 0 or (depth == 1 and folder.name.lower() in _OUTPUTS)
        beside = [c for c in movies if _lies_in(Path(c.match.root), base, deeper)]
        if beside:
            evidence = "it is the only movie beside it; its frames are compared"
            return [(beside[0], evidence)] if len(beside) == 1 else []
    return []


def _lies_in(root: Path, base: Path, deeper: bool) -> bool:
    return root == base or (deeper and root.parent == base)


def _is_movie(candidate: Candidate) -> bool:
    """Whether a source is a movie of cells, as far as its format and files tell."""
    main = candidate.match.files[0].name.lower()
    return main.endswith(_MOVIE_FILES) or any(w in candidate.format for w in _MOVIE_WORDS)
