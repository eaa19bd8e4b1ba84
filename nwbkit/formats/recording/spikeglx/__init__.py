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
)
