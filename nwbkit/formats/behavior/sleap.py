"""SLEAP: labels files (.slp), and its exports for analysis (.h5, .csv)."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath

from nwbkit.formats.base import Candidate, Format, Match, Option, Reader, Relation, Source, Strength
from nwbkit.formats.io.folders import depth
from nwbkit.formats.listing import MAX_HEAD, Listing

PATTERNS = ("*.slp", "*.h5", "*.hdf5", "*.csv")
_TAIL = 1 << 20
_HDF5 = b"\x89HDF\r\n\x1a\n"
_CSV = re.compile(rb"(\xef\xbb\xbf)?track,frame_idx,instance\.score,")
#: Names of a labels file's tables, and of an export's matrices.
_LABELS = (b"pred_points", b"videos_json", b"tracks_json")
_MATRICES = (b"node_names", b"track_names")
#: A video's file name in the JSON of a labels file, and in the text of an export.
_FILENAME = re.compile(rb'"filename"\s*:\s*"((?:[^"\\]|\\.){1,1000})"')


def look(listing: Listing) -> Iterator[Match]:
    """One Match a file."""
    for entry in listing.match(*PATTERNS):
        path = entry.path
        suffix = path.suffix.lower()
        stem, what = _stem(path)
        strength = Strength.MAGIC
        if suffix == ".csv":
            if not _CSV.match(listing.head(path)):
                continue
            evidence = "a csv that begins with track, frame_idx, instance.score"
        elif not listing.head(path).startswith(_HDF5):
            continue
        else:
            head = listing.head(path, MAX_HEAD)
            if all(name in head for name in _LABELS):
                evidence = "an HDF5 file with SLEAP's tables pred_points, videos_json, tracks_json"
            elif suffix == ".slp":
                strength, evidence = Strength.KEY, "an HDF5 file called .slp"
            elif all(name in head for name in _MATRICES) and b"pandas_type" not in head:
                evidence = "an HDF5 file with SLEAP's matrices node_names and track_names"
            else:
                continue
            if suffix != ".slp" and all(name in head for name in _LABELS):
                continue  # labels under another name: SLEAP itself would not open them
        yield Match(
            (path,), strength, evidence, f"{stem}-{what}", stem, path.parent, companion=True
        )


def _stem(path: Path) -> tuple[str, str]:
    """What a file is called without what SLEAP adds to a video's name, and what it is."""
    stem = path.stem
    if path.suffix.lower() != ".slp":
        return re.sub(r"\.(analysis|tracking)$", "", stem, flags=re.I), "analysis"
    return _bare(stem), "sleap"


def _bare(stem: str) -> str:
    """``video`` for ``video.mp4.predictions``, as sleap-track calls its output."""
    stem = re.sub(r"\.(predictions|proofread|cleaned|pkg|analysis|tracked)$", "", stem, flags=re.I)
    return re.sub(r"\.(mp4|avi|mov|mkv|m4v)$", "", stem, flags=re.I)


def relate(match: Match, candidates: Sequence[Candidate]) -> Iterable[Relation]:
    """The videos that were labelled: by the names in the file, else by the file's own."""
    path = match.files[0]
    videos = [c for c in candidates if c.format == "video"]
    found = False
    for name in _video_names(path, [v.match.files[0].name for v in videos]):
        named = _nearest(path, [v for v in videos if v.match.files[0].name == name])
        if named is not None:
            found = True
            yield Relation(
                "derived_from", named.id, "frames", f"'{path.name}' names the video '{name}'"
            )
    if found:
        return
    stem = _bare(_stem(path)[0])
    alike = [v for v in videos if v.match.files[0].stem == stem]
    # exports of several videos: LABELS.000_VIDEO.analysis.h5
    alike = alike or [v for v in videos if stem.endswith(f"_{v.match.files[0].stem}")]
    named = _nearest(path, alike)
    if named is not None:
        name = named.match.files[0].name
        said = f"'{path.name}' is called like the video '{name}'"
        yield Relation("derived_from", named.id, "frames", said)


def _video_names(path: Path, known: Sequence[str]) -> list[str]:
    """Names of video files in the first and last bytes of `path`, without their folders.

    Labels keep them as JSON; an export has one path, somewhere, which is looked for by the
    names that are `known`.
    """
    try:
        with open(path, "rb") as f:
            head = f.read(MAX_HEAD)
            # exports are written in the order of their names: the path comes last
            f.seek(max(len(head), os.fstat(f.fileno()).st_size - _TAIL))
            head += f.read(_TAIL)
    except OSError:
        return []
    if path.suffix.lower() != ".slp":
        separators = (b"/", b"\\", b'"', b"\0")
        return [
            n
            for n in known
            if any(s + n.encode("utf-8", "surrogateescape") in head for s in separators)
        ]
    texts = [m.decode("utf-8", "replace") for m in _FILENAME.findall(head)]
    names = [PureWindowsPath(PurePosixPath(t.replace("\\\\", "\\")).name).name for t in texts]
    return [n for n in dict.fromkeys(names) if n not in ("", ".")]


def _nearest(path: Path, videos: Sequence[Candidate]) -> Candidate | None:
    """The one that shares most folders with `path`; None where several do."""
    ranked = sorted(
        ((depth(path, v.match.files[0]), v) for v in videos),
        key=lambda r: r[0],
        reverse=True,
    )
    if ranked and (len(ranked) == 1 or ranked[0][0] != ranked[1][0]):
        return ranked[0][1]
    return None


def _open(source: Source) -> Reader:
    from nwbkit.formats.behavior._sleap_reader import open_labels

    return open_labels(source)


FORMAT = Format(
    id="sleap",
    title="SLEAP",
    room="behavior",
    patterns=PATTERNS,
    look=look,
    open=_open,
    relate=relate,
    options=(
        Option(
            "rate",
            "float",
            "frames per second (Hz) of the video; used where the file holds none",
        ),
    ),
    recognised="A labels file by the names of its HDF5 tables (pred_points, videos_json, "
    "tracks_json); an analysis file by node_names and track_names; an analysis csv by its header.",
    variants=(
        ".slp of format 1.0 to 1.4 and later, by SLEAP or sleap-io, also packages with embedded "
        "images; several videos, tracks and skeletons; coordinates of format 1.0 are brought to "
        "pixel centres (0.5 less), as SLEAP does",
        "analysis .h5 with the axes (tracks, 2, nodes, frames), sleap-io's standard order, or as "
        "its dims say",
        "analysis .csv",
    ),
    limits=(
        "In a frame a person's label stands before a prediction of the same track, and has no "
        "confidence.",
        "Points that are marked invisible are NaN.",
        "Instances without a track go to streams untracked0, untracked1, ... by their order in "
        "the frame.",
        "Row 0 of an analysis file is taken as frame 0 of the video.",
        "Embedded images, suggestions, negative anchors, instance and tracking scores, masks, "
        "regions and 3D sessions are not converted.",
        "Labels as .json or .json.zip (before SLEAP 1.0) are not read.",
    ),
)
