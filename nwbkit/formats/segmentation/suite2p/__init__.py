"""Suite2p: plane folders of .npy files (all versions), or the Fall.mat made of one."""

from __future__ import annotations

from nwbkit.formats.base import Format, Option, Reader, Source
from nwbkit.formats.segmentation.suite2p.look import PATTERNS, look, relate


def open_suite2p(source: Source) -> Reader:
    """Open the plane folders of one run."""
    from nwbkit.formats.segmentation.suite2p.reader import Suite2pReader

    return Suite2pReader(source)


FORMAT = Format(
    id="suite2p",
    title="Suite2p",
    room="segmentation",
    patterns=PATTERNS,
    look=look,
    open=open_suite2p,
    relate=relate,
    options=(
        Option("rate", "float", "frames per second (Hz) of one plane, in place of fs in ops.npy"),
        Option("combined", "bool", "write the view of all planes on one canvas too", default=False),
        Option(
            "masks",
            "str",
            "how ROIs are written: lists of pixels as Suite2p keeps them, or one image a ROI",
            default="pixel",
            choices=("pixel", "image"),
        ),
    ),
    recognised=(
        "A stat.npy whose head holds the words ypix, xpix and lam; numbered folders "
        "(plane0, plane1, ...) side by side are one source, with the folder combined."
    ),
    variants=(
        "one or several planes, one or two channels, with or without redcell.npy",
        "ops.npy of all versions up to 0.14; db.npy, settings.npy, reg_outputs.npy and "
        "detect_outputs.npy of version 1.0",
        "Fall.mat on its own",
        "stat.npy without traces (detection only)",
    ),
    limits=(
        "roiextractors reads NWB files with one image a ROI only: --set SOURCE.masks=image.",
        "Recordings that Suite2p joined (several folders) have times without a pause; a note "
        "says how many frames each had.",
        "The registered movie (data.bin) is named in a note and not converted.",
        "Neuropil masks and registration shifts are not written.",
        "The delay between planes of one volume is not in Suite2p's files: all planes begin at 0.",
    ),
)
