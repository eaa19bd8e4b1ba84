"""Convert one benchmark case as NeuroConv's own guide does, with all its defaults.

    neuroconv_convert.py CASE SOURCE OUT [hdf5|zarr]

Runs in NeuroConv's environment. What an interface cannot know (the rate of a TIFF movie, of
EXTRACT's traces, the start of the session) is given as its signature asks.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

RATE = 30.0  # of the movie and of the segmentations
START = datetime(2024, 5, 2, 10, tzinfo=UTC)


def neuropixels(source: Path) -> Any:
    """The AP band of probe imec0."""
    from neuroconv.datainterfaces import SpikeGLXRecordingInterface

    return SpikeGLXRecordingInterface(folder_path=source, stream_id="imec0.ap")


def intan(source: Path) -> Any:
    """The amplifiers of a recording in one file per signal type."""
    from neuroconv.datainterfaces import IntanRecordingInterface

    return IntanRecordingInterface(file_path=source / "info.rhd")


def movie(source: Path) -> Any:
    """A movie in several multi-page files."""
    from neuroconv.datainterfaces import TiffImagingInterface

    files = sorted(source.glob("*.tif"))
    return TiffImagingInterface(file_paths=files, sampling_frequency=RATE)


def sorting(source: Path) -> Any:
    """A Phy folder."""
    from neuroconv.datainterfaces import PhySortingInterface

    return PhySortingInterface(folder_path=source)


def rois(source: Path) -> Any:
    """One plane of Suite2p."""
    from neuroconv.datainterfaces import Suite2pSegmentationInterface

    return Suite2pSegmentationInterface(folder_path=source)


def masks(source: Path) -> Any:
    """EXTRACT's dense masks."""
    from neuroconv.datainterfaces import ExtractSegmentationInterface

    return ExtractSegmentationInterface(file_path=source, sampling_frequency=RATE)


CASES = {f.__name__: f for f in (neuropixels, intan, movie, sorting, rois, masks)}


def convert(case: str, source: str, out: str, backend: str = "hdf5") -> None:
    """Write `out` with the back end's default chunks, codec and buffers.

    Parameters
    ----------
    case : str
    source : str
        Raw file or folder.
    out : str
        What to make; must not exist.
    backend : {"hdf5", "zarr"}
    """
    interface = CASES[case](Path(source))
    metadata = interface.get_metadata()
    start = metadata["NWBFile"].get("session_start_time", START)
    if isinstance(start, str):
        start = datetime.fromisoformat(start)
    metadata["NWBFile"]["session_start_time"] = start.replace(tzinfo=UTC)
    asked = {} if backend == "hdf5" else {"backend": backend}
    interface.run_conversion(nwbfile_path=out, metadata=metadata, **asked)


if __name__ == "__main__":
    convert(*sys.argv[1:])
