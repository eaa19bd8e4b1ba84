"""SpikeGLX: Neuropixels probes, NI-DAQ and OneBox inputs of one run and gate."""

from __future__ import annotations

from nwbkit.formats.base import Format, Option, Reader, Source
from nwbkit.formats.recording.spikeglx.look import PATTERNS, look


def _open(source: Source) -> Reader:
    from nwbkit.formats.recording.spikeglx.reader import SpikeGLXReader

    return SpikeGLXReader(source)


FORMAT = Format(
    id="spikeglx",
    title="SpikeGLX",
    room="recording",
    patterns=PATTERNS,
    look=look,
    open=_open,
    options=(
        Option(
            "sync_lines",
            "bool",
            "also write the changes of the probes' sync words as events (reads each .bin twice)",
            default=False,
        ),
    ),
    recognised=(
        "A .meta file by what it says (typeThis, the sampling rate, the saved channels), "
        "whatever it "
        "is called, with the .bin beside it. All streams of one run and gate are one source; what "
        "CatGT made of a run is another."
    ),
    variants=(
        "Neuropixels 1.0, 2.0, NHP, Ultra, QuadBase and phase 3A probes; NI-DAQ; OneBox",
        "AP and LF bands, sync words, analog and digital inputs; any saved subset of channels",
        "several triggers of a gate as segments; CatGT's joined files",
    ),
    limits=(
        "Data compressed by mtscomp (.cbin) are refused, with the command that unpacks them.",
        "A .meta without its .bin is refused: there is no sample to convert.",
        "The start time of exported and joined files is left out: it is not that of their first "
        "sample.",
        "A wrong number of channels is refused, even with --salvage.",
    ),
)
