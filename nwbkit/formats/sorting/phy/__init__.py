"""Phy folders: what Kilosort 1 to 4 and other sorters write for Phy, curated or not."""

from __future__ import annotations

from nwbkit.formats.base import Format, Option, Reader, Source
from nwbkit.formats.sorting.phy.look import look
from nwbkit.formats.sorting.phy.relate import relate


def _open(source: Source) -> Reader:
    from nwbkit.formats.sorting.phy.reader import PhyReader

    return PhyReader(source)


FORMAT = Format(
    id="phy",
    title="Phy / Kilosort",
    room="sorting",
    patterns=("params.py",),
    look=look,
    open=_open,
    relate=relate,
    options=(
        Option("rate", "float", "samples per second, where params.py says none (Hz)"),
        Option(
            "times",
            "str",
            "what spike_times.npy counts, where its numbers are not whole",
            choices=("samples", "seconds"),
        ),
        Option(
            "keep",
            "str",
            "which units: all, or those whose group (without one, whose KSLabel) is good",
            default="all",
            choices=("all", "good"),
        ),
        Option("stream", "str", "the recording's stream that was sorted, where several fit"),
    ),
    recognised=(
        "params.py, read as plain values and never run, beside spike_times.npy and "
        "spike_clusters.npy "
        "or spike_templates.npy."
    ),
    variants=(
        "Kilosort 1 to 4 and other sorters' exports for Phy, curated or not",
        "spike times in samples or in seconds; columns of every cluster_*.tsv and .csv",
        "templates.npy, dense or sparse, as mean waveforms",
        "clock, rate and electrodes of the recording, where that is in the same session",
    ),
    limits=(
        "Waveforms are in arbitrary units, never volts.",
        "Single spike waveforms, features and amplitudes are not converted.",
        "A second sorting of a session needs a name (--set-meta) and goes to /processing/ecephys.",
    ),
)
