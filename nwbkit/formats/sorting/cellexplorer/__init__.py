"""CellExplorer (and buzcode): spikes, cell metrics and session files of a session."""

from __future__ import annotations

from nwbkit.formats.base import Format, Option, Reader, Source
from nwbkit.formats.sorting.cellexplorer.look import PATTERNS, look, relate


def _open(source: Source) -> Reader:
    from nwbkit.formats.sorting.cellexplorer.reader import CellExplorerReader

    return CellExplorerReader(source)


FORMAT = Format(
    id="cellexplorer",
    title="CellExplorer",
    room="sorting",
    patterns=PATTERNS,
    look=look,
    open=_open,
    relate=relate,
    options=(Option("rate", "float", "samples per second, where no file says them (Hz)"),),
    recognised="By MATLAB files called BASE.spikes.cellinfo.mat, BASE.cell_metrics.cellinfo.mat or "
    "BASE.session.mat that hold a variable spikes, cell_metrics or session. Other .mat files are "
    "not claimed.",
    variants=(
        "MATLAB 5, 6, 7 and 7.3 files",
        "spikes.cellinfo.mat of CellExplorer and buzcode; cell_metrics.cellinfo.mat beside it or "
        "alone; session.mat",
        "sampling rates of spikes, session, or buzcode's sessionInfo; positions of session, "
        "channelInfo or chanMap files",
    ),
    limits=(
        "Metrics that are more than a number or a label a unit (autocorrelograms, response curves, "
        "all waveforms) are left out; a note names them.",
        "The .dat and .lfp files themselves are a NeuroScope recording's, described by its .xml.",
        "Where no recording is open beside it, channels are numbers in columns of the units.",
        "The species is as the session file writes it.",
    ),
)
