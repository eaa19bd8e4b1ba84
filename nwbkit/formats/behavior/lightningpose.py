"""Lightning Pose: predictions as csv with DeepLabCut's header rows, one file a video or view."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from nwbkit.formats.base import Candidate, Format, Match, Option, Reader, Relation, Source, Strength
from nwbkit.formats.io.folders import depth
from nwbkit.formats.listing import Listing

PATTERNS = ("*.csv",)
_HEAD = 64 << 10
#: What its trackers are called (``heatmap_tracker``, ``heatmap_mhcrnn_tracker``, ...), and the
#: ensemble Kalman smoother that runs over several of them.
_SCORER = re.compile(r"\w*_tracker|(heatmap|regression)\w*|ensemble[\w-]*|eks[\w-]*", re.ASCII)


def look(listing: Listing) -> Iterator[Match]:
    """One Match a csv whose scorer is one of Lightning Pose's.

    The tables of losses beside it (``_pca_singleview_error.csv``, ``_temporal_norm.csv``)
    have one header row and no scorer.
    """
    for entry in listing.match(*PATTERNS):
        scorer = _scorer(listing.head(entry.path, _HEAD))
        if scorer is None:
            continue
        stem = entry.path.stem
        yield Match(
            (entry.path,),
            Strength.MAGIC,
            f"header rows scorer, bodyparts, coords with the scorer '{scorer}'",
            f"{stem}-pose",  # the video has the bare name
            stem,
            entry.path.parent,
            companion=True,
        )


def _scorer(head: bytes) -> str | None:
    """The scorer of a csv with DeepLabCut's header rows, where it is one of Lightning Pose's."""
    lines = head.removeprefix(b"\xef\xbb\xbf").split(b"\n")[:4]
    rows = [line.split(b",") for line in lines]
    names = [row[0].strip().strip(b'"').decode("latin-1") for row in rows]
    if names[:3] != ["scorer", "bodyparts", "coords"] and names[:4] != [
        *("scorer", "individuals", "bodyparts", "coords")
    ]:
        return None
    cells = [c.strip().strip(b'"').decode("latin-1") for c in rows[0][1:] if c.strip()]
    return cells[0] if cells and _SCORER.fullmatch(cells[0]) else None


def relate(match: Match, candidates: Sequence[Candidate]) -> Iterable[Relation]:
    """The video of the same name that shares most folders with the table."""
    table = match.files[0]
    named = [
        (depth(table, c.match.files[0]), c)
        for c in candidates
        # image_preds/VIDEO.mp4/predictions.csv: a folder is called like the video
        if c.format == "video"
        and (c.match.files[0].stem == table.stem or c.match.files[0].name == table.parent.name)
    ]
    named.sort(key=lambda n: n[0], reverse=True)
    if named and (len(named) == 1 or named[0][0] != named[1][0]):
        name = named[0][1].match.files[0].name
        yield Relation(
            "derived_from",
            named[0][1].id,
            "frames",
            f"'{table.name}' is called like the video '{name}'",
        )


def _open(source: Source) -> Reader:
    from nwbkit.formats.behavior._lightningpose_reader import LightningPoseReader

    return LightningPoseReader(source)


FORMAT = Format(
    id="lightningpose",
    title="Lightning Pose",
    room="behavior",
    patterns=PATTERNS,
    look=look,
    open=_open,
    relate=relate,
    supersedes=("dlc",),
    options=(Option("rate", "float", "frames per second (Hz) of the video; the table holds none"),),
    recognised="A csv with the header rows scorer, bodyparts, coords whose scorer is called like "
    "one of Lightning Pose's trackers (heatmap_tracker, ..._tracker) or its ensemble smoother.",
    variants=(
        "predictions on a video (one row a frame), one file a view",
        "output of the ensemble Kalman smoother: its medians and variances are left out",
    ),
    limits=(
        "Predictions on single labelled images have no time and are refused.",
        "The tables of losses beside the predictions (pixel error, PCA error, temporal norm) "
        "are not read.",
    ),
)
