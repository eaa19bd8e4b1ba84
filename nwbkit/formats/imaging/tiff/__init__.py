"""TIFF, OME-TIFF, ImageJ stacks and folders of single pages, where no vendor's format fits."""

from __future__ import annotations

from nwbkit.formats.base import Format, Option, Reader, Source
from nwbkit.formats.imaging.tiff._look import PATTERNS, look


def _open(source: Source) -> Reader:
    from nwbkit.formats.imaging.tiff._reader import TiffReader

    return TiffReader(source)


FORMAT = Format(
    id="tiff",
    title="TIFF",
    room="imaging",
    patterns=PATTERNS,
    look=look,
    open=_open,
    extra="imaging",
    fallback=True,
    options=(
        Option(
            "rate",
            "float",
            "frames (of volumes: volumes) per second (Hz), where the file does not say",
        ),
        Option(
            "modality",
            "str",
            "the kind of microscope; taken as two_photon where nobody says",
            choices=("two_photon", "one_photon"),
        ),
        Option("channels", "int", "number of channels among the pages, where the file is silent"),
        Option("planes", "int", "number of planes among the pages, where the file is silent"),
        Option(
            "dimension_order",
            "str",
            "with channels or planes: how pages follow each other, fastest first, as in OME",
            choices=("XYCZT", "XYCTZ", "XYZCT", "XYZTC", "XYTCZ", "XYTZC"),
        ),
    ),
    recognised="A TIFF header (classic or BigTIFF, either byte order), of files that no other "
    "format claims. Files of one folder whose names differ in one number and that hold one page "
    "each are one movie, in the order of that number; a file of one page on its own is taken "
    "where the user names it. Files that an OME-XML names are one source.",
    variants=(
        "multi-page TIFF and BigTIFF; 8 to 64 bit integers, floats, colours (a stream each)",
        "uncompressed, deflate, LZW, PackBits, LZMA, Zstandard with predictors; JPEG and others "
        "by tifffile; strips and tiles",
        "OME-TIFF in one or several files of one folder, with companion file",
        "ImageJ hyperstacks, also above 4 GB with one directory; tifffile's and MetaMorph's "
        "stacks with one directory",
        "folders of single pages, a hundred thousand too",
    ),
    limits=(
        "Pages of other sizes among those of a movie are refused.",
        "Samples of fewer than 8 bits are refused.",
        "Of a TIFF without OME-XML, ImageJ's or tifffile's description the pages are taken as "
        "frames of one channel and plane, with a note, unless options say otherwise.",
    ),
)
