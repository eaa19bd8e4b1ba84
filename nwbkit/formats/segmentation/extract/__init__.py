"""EXTRACT: the struct that ``extractor`` returns, saved by MATLAB; and CIAtah's form of it."""

from __future__ import annotations

from nwbkit.formats.base import Format, Option, Reader, Source
from nwbkit.formats.segmentation.extract.look import look, relate


def open_extract(source: Source) -> Reader:
    """Open one .mat file."""
    from nwbkit.formats.segmentation.extract.reader import ExtractReader

    return ExtractReader(source)


FORMAT = Format(
    id="extract",
    title="EXTRACT",
    room="segmentation",
    patterns=("*.mat",),
    look=look,
    open=open_extract,
    relate=relate,
    options=(
        Option("rate", "float", "frames per second (Hz); the file does not hold it"),
        Option("variable", "str", "name of the struct in the .mat file"),
    ),
    recognised=(
        "A .mat file (5 to 7.3) with a struct that has the fields spatial_weights and "
        "temporal_weights, or a struct extractAnalysisOutput with filters and traces."
    ),
    variants=(
        "output of EXTRACT 1.0 and newer, of any variable name",
        "extractAnalysisOutput as calciumImagingAnalysis (CIAtah) saves it",
        "spatial weights as a full array or as a plain sparse matrix",
    ),
    limits=(
        "The frame rate is in none of these files and is asked for; totalTime of the older struct "
        "is how long the algorithm ran.",
        "Spatial weights that are an ndSparse object (use_sparse_arrays) can only be read by "
        "MATLAB: the message says how to save them in full.",
    ),
)
