"""ScanImage: TIFF movies of two-photon microscopes, 3.8 to today."""

from __future__ import annotations

from nwbkit.formats.base import Format, Option, Reader, Source
from nwbkit.formats.imaging.scanimage._look import PATTERNS, look


def _open(source: Source) -> Reader:
    from nwbkit.formats.imaging.scanimage._reader import ScanImageReader

    return ScanImageReader(source)


FORMAT = Format(
    id="scanimage",
    title="ScanImage",
    room="imaging",
    patterns=PATTERNS,
    look=look,
    open=_open,
    extra="imaging",
    options=(
        Option(
            "planes",
            "str",
            "of volumes: 'volume' makes one stream a channel with the planes as last axis, "
            "'split' one stream a channel and plane, each with its own times",
            default="volume",
            choices=("volume", "split"),
        ),
        Option(
            "rate",
            "float",
            "frames (of volumes: volumes) per second (Hz), where the files hold neither frame "
            "times nor a rate",
        ),
    ),
    recognised="The Software tag of the first page begins with `SI.` (2016 and later), or its "
    "description holds `scanimage.SI...` settings (4 and 5) or is one of `state.` "
    "settings (3). Files of one folder and stem that name the same epoch are one run.",
    variants=(
        "ScanImage 2016 to 2023 (BigTIFF): settings in the Software tag, frame numbers and times "
        "in each description, regions in the Artist tag",
        "ScanImage 4 and 5: settings in each description",
        "ScanImage 3.8: `state.` settings; a rate, no frame times",
        "several saved channels; fast and slow stacks, with and without flyback frames, several "
        "frames a slice; averaged frames; runs over several files; loops of acquisitions",
    ),
    limits=(
        "Frames of several regions (mROI) are stored as in the file, one region below the other.",
        "Flyback frames, and the frames of an incomplete volume, are left out and counted in a "
        "note.",
        "Auxiliary triggers and I2C data of the frames are not read.",
    ),
)
