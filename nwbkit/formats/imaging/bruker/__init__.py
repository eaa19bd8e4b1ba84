"""Bruker (Prairie) PrairieView: a PVScan XML and the TIFFs that it names."""

from __future__ import annotations

from nwbkit.formats.base import Format, Option, Reader, Source
from nwbkit.formats.imaging.bruker._look import PATTERNS, look


def _open(source: Source) -> Reader:
    from nwbkit.formats.imaging.bruker._reader import BrukerReader

    return BrukerReader(source)


FORMAT = Format(
    id="bruker",
    title="Bruker PrairieView",
    room="imaging",
    patterns=PATTERNS,
    look=look,
    open=_open,
    extra="imaging",
    supersedes=("tiff", "csv"),
    options=(
        Option(
            "planes",
            "str",
            "of volumes: 'volume' makes one stream a channel with the planes as last axis, "
            "'split' one stream a channel and plane, each with its own times",
            default="volume",
            choices=("volume", "split"),
        ),
    ),
    recognised="An XML file whose root is `PVScan`; the TIFFs beside it that are called "
    "`NAME_Cycle00001_Ch1_000001.ome.tif` go with it.",
    variants=(
        "PrairieView 5 (PVStateValue) and 4 and earlier (Key): one TIFF a frame, or many pages a "
        "TIFF (5.5 and later)",
        "one and several channels; time series, volumes (ZSeries elements, also bidirectional), "
        "single images; several cycles, with pauses",
        "voltage recordings (CSV and XML) on the same clock",
    ),
    limits=(
        "The frames of an incomplete volume are left out of volumes and counted in a note; "
        "planes=split keeps them.",
        "Line scans are stored as the images they are saved as: the rows of each are its lines.",
        "Photostimulation (MarkPoints) and voltage outputs are named in a note, not read.",
        "Excitation wavelengths are taken from laserWavelength only, never from a laser's name.",
    ),
)
