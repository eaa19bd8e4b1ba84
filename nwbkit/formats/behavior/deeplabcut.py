"""DeepLabCut: tracks as csv or pandas' HDF5, of one animal or several, with config.yaml."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath

from nwbkit.formats.base import Candidate, Format, Match, Option, Reader, Relation, Source, Strength
from nwbkit.formats.io.folders import depth
from nwbkit.formats.listing import Listing

PATTERNS = ("*.csv", "*.h5", "*.hdf5")
CONFIG = "config.yaml"
META = "_meta.pickle"
#: What networks are called in the names of DeepLabCut's outputs: ``VIDEO + "DLC" + ...``.
_MARKS = ("DLC", "DeepCut")
#: Lightning Pose writes the same three header rows; its scorers are called so.
_LIGHTNING = re.compile(r"(heatmap|regression|ensemble)\w*|.*_tracker", re.ASCII)
_HDF5 = b"\x89HDF\r\n\x1a\n"
#: ``((length of the name, shared folders), video, evidence)``.
_Ranked = tuple[tuple[int, int], Candidate, str]
_H5_HEAD = 256 << 10
_CSV_HEAD = 64 << 10


def look(listing: Listing) -> Iterator[Match]:
    """One Match a table of tracks; a csv and an h5 of one name are one source."""
    found: dict[tuple[Path, str], dict[str, Path]] = {}
    for entry in listing.match(*PATTERNS):
        kind = "csv" if entry.path.suffix.lower() == ".csv" else "h5"
        head = listing.head(entry.path)
        says = _csv_says(listing, entry.path) if kind == "csv" else None
        if kind == "h5" and head.startswith(_HDF5):
            says = _h5_says(listing.head(entry.path, _H5_HEAD))
        if says:
            found.setdefault((entry.path.parent, entry.path.stem), {})[kind] = entry.path
    for (folder, stem), files in found.items():
        main = files.get("h5") or files["csv"]
        others = [files["csv"]] if "h5" in files and "csv" in files else []
        beside = [_config(listing, folder), _meta(listing, folder, stem)]
        evidence = "header rows scorer, bodyparts, coords" + (
            " in a pandas table" if "h5" in files else ""
        )
        short = _short(stem)
        yield Match(
            (main, *others, *(p for p in beside if p is not None)),
            Strength.MAGIC,
            evidence,
            short,
            short,
            folder,
            companion=True,
        )


def _csv_says(listing: Listing, path: Path) -> bool:
    """Whether a csv begins with DeepLabCut's header rows."""
    head = listing.head(path, _CSV_HEAD).removeprefix(b"\xef\xbb\xbf")
    rows = [line.split(b",") for line in head.split(b"\n")[:4]]
    names = [row[0].strip().decode("latin-1") for row in rows]
    if names[:3] != ["scorer", "bodyparts", "coords"] and names[:4] != [
        *("scorer", "individuals", "bodyparts", "coords")
    ]:
        return False
    scorers = [cell.strip().decode("latin-1") for cell in rows[0][1:] if cell.strip()]
    return bool(scorers) and not _LIGHTNING.fullmatch(scorers[0])


def _h5_says(head: bytes) -> bool:
    """Whether the attributes at the start of an HDF5 file are those of such a table."""
    return all(word in head for word in (b"pandas_type", b"scorer", b"bodyparts", b"coords"))


def _config(listing: Listing, folder: Path) -> Path | None:
    """The project's config.yaml: beside the table, or up to two folders above in the tree."""
    listed = {entry.path for entry in listing.match(CONFIG)}
    for above, place in enumerate((folder, *folder.parents[:2])):
        path = place / CONFIG
        if path not in listed and not (above == 0 and listing.size(path) is not None):
            continue
        text = listing.text(path)
        if re.search(r"^\s*Task\s*:", text, re.M) and re.search(r"^bodyparts\s*:", text, re.M):
            return path
    return None


def _meta(listing: Listing, folder: Path, stem: str) -> Path | None:
    """What DeepLabCut noted on the video; never unpickled, see the reader."""
    for name in (stem, stem.removesuffix("_filtered")):
        path = folder / f"{name}{META}"
        if listing.size(path) is not None:
            return path
    return None


def _short(stem: str) -> str:
    """``m3v1DLC`` for ``m3v1DLC_resnet50_openfieldOct30shuffle1_1000``."""
    for mark in _MARKS:
        video, found, _ = stem.partition(mark)
        if found and video:
            return video + mark + ("_filtered" if stem.endswith("_filtered") else "")
    return stem


def relate(match: Match, candidates: Sequence[Candidate]) -> Iterable[Relation]:
    """The video that was tracked: by the name of the table, else by config.yaml."""
    table = match.files[0]
    videos = [c for c in candidates if c.format == "video"]
    tables = [c.match.files[0] for c in candidates if c.format == "dlc"]
    ranked: list[_Ranked] = []
    for video in videos:
        path = video.match.files[0]
        said = _named_alike(table, path)
        if said is None:
            continue
        shared = depth(table, path)
        # of folders side by side, two sessions may use one name: a table that lies nearer to
        # the video has it
        apart = table.parent not in path.parents and path.parent not in table.parents
        if not (apart and any(_named_alike(t, path) and depth(t, path) > shared for t in tables)):
            ranked.append(((len(path.stem), shared), video, said))
    ranked = ranked or _listed(match, videos)
    ranked.sort(key=lambda r: r[0], reverse=True)
    if ranked and (len(ranked) == 1 or ranked[0][0] != ranked[1][0]):
        yield Relation("derived_from", ranked[0][1].id, "frames", ranked[0][2])


def _named_alike(table: Path, video: Path) -> str | None:
    """What in the names says that `table` was tracked in `video`; None where nothing does."""
    if any(table.stem.startswith(video.stem + mark) for mark in _MARKS):
        return f"'{table.name}' begins with the video's name and 'DLC'"
    return f"both are called '{table.stem}'" if table.stem == video.stem else None


def _listed(match: Match, videos: Sequence[Candidate]) -> list[_Ranked]:
    """The project's only video, where it is here."""
    configs = [f for f in match.files if f.name == CONFIG]
    if not configs:
        return []
    try:
        text = configs[0].read_text("utf-8", "replace")
    except OSError:
        return []
    block = re.search(r"^video_sets\s*:[^\n]*\n((?:[ \t]+[^\n]*\n?)*)", text, re.M)
    paths = re.findall(
        r"^[ \t]+\??[ \t]*(\S.*?\.\w+)['\"]?[ \t]*:?[ \t]*$", (block or [""])[0], re.M
    )
    names = {PureWindowsPath(PurePosixPath(p.strip("'\"")).name).name for p in paths}
    found = [v for v in videos if v.match.files[0].name in names]
    if len(names) != 1 or len(found) != 1:
        return []
    return [((0, 0), found[0], f"the only video in video_sets of '{CONFIG}'")]


def _open(source: Source) -> Reader:
    from nwbkit.formats.behavior._dlc_reader import DeepLabCutReader

    return DeepLabCutReader(source)


FORMAT = Format(
    id="dlc",
    title="DeepLabCut",
    room="behavior",
    patterns=PATTERNS,
    look=look,
    open=_open,
    relate=relate,
    options=(Option("rate", "float", "frames per second (Hz) of the video; the table holds none"),),
    recognised="A csv with the header rows scorer, (individuals,) bodyparts, coords; an HDF5 file "
    "with a pandas table of such columns.",
    variants=(
        "csv, and h5 in pandas' layouts table and fixed, of one animal or several",
        "skeleton from config.yaml; frame rate and count from _meta.pickle, never unpickled",
    ),
    limits=(
        "Labels of training images have no time and are refused.",
        "Only tracks in one image (x, y, likelihood) are read, no 3D.",
    ),
)
