"""CaImAn: the HDF5 file that ``CNMF.save`` and ``OnACID.save`` write."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from nwbkit.formats.base import (
    Candidate,
    Format,
    Match,
    Option,
    Reader,
    Relation,
    Source,
    Strength,
)
from nwbkit.formats.io.hdf5_names import SIGNATURE, group_names
from nwbkit.formats.listing import Listing
from nwbkit.formats.segmentation._finding import base_names, movie_candidates

#: CNMF keeps its results in the one and its settings in the other.
_ROOT = {"estimates", "params"}
_ESTIMATES = {"A", "C"}
_HEAD = 4 << 20
_NAMES = re.compile(
    rb"[^\x00-\x1f\"*<>?|]{1,400}?\.(?:tiff?|btf|hdf5|h5|sbx|mmap|nd2|isxd|avi)", re.I
)


def look(listing: Listing) -> Iterator[Match]:
    """One Match a file that holds estimates and params, with footprints and traces in it."""
    for entry in listing.match("*.hdf5", "*.h5", "*.hdf"):
        if not listing.head(entry.path, 16).startswith(SIGNATURE):
            continue
        root = group_names(entry.path)
        if root is None:
            head = listing.head(entry.path, _HEAD)
            if not all(w in head for w in (b"estimates", b"params", b"neurons_sn", b"YrA")):
                continue
        elif not root >= _ROOT or not (group_names(entry.path, "estimates") or _ESTIMATES) >= (
            _ESTIMATES
        ):
            continue
        yield Match(
            (entry.path,),
            Strength.MAGIC,
            "HDF5 groups estimates (with A and C) and params of CaImAn",
            entry.path.stem,
            entry.path.stem,
            entry.path.parent,
            companion=True,
        )


def relate(match: Match, candidates: Sequence[Candidate]) -> Iterable[Relation]:
    """The movie that was segmented: named in params, else the only one beside the file."""
    with open(match.files[0], "rb") as f:
        head = f.read(_HEAD)
    named = base_names(m.decode("utf-8", "replace") for m in _NAMES.findall(head))
    for candidate, evidence in movie_candidates(match, candidates, named):
        yield Relation("plane_of", candidate.id, None, evidence)


def open_caiman(source: Source) -> Reader:
    """Open one results file."""
    from nwbkit.formats.segmentation.caiman.reader import CaimanReader

    return CaimanReader(source)


FORMAT = Format(
    id="caiman",
    title="CaImAn",
    room="segmentation",
    patterns=("*.hdf5", "*.h5", "*.hdf"),
    look=look,
    open=open_caiman,
    relate=relate,
    options=(
        Option("rate", "float", "frames per second (Hz), in place of params/data/fr"),
        Option(
            "masks",
            "str",
            "how ROIs are written: lists of pixels as CaImAn keeps them, or one image a ROI",
            default="pixel",
            choices=("pixel", "image"),
        ),
    ),
    recognised=(
        "An HDF5 file whose root holds the groups estimates and params, with the footprints A and "
        "the traces C in the first."
    ),
    variants=(
        "batch and online (OnACID) results, 2-D and 3-D",
        "footprints as compressed columns or as a dense matrix",
        "fields that CaImAn left at None (text NoneType) or empty",
    ),
    limits=(
        "roiextractors reads NWB files with one image a ROI only: --set SOURCE.masks=image.",
        "Weights are float64 in the file and float32 in NWB's pixel_mask.",
        "The residual YrA is not written by itself: the raw traces are C + YrA, as CaImAn's own "
        "NWB export has them.",
        "The ring model of one-photon backgrounds (W) is not written.",
    ),
)
