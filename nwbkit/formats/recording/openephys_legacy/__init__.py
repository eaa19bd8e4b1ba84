"""Open Ephys legacy format: .continuous, .events and .spikes files of one experiment."""

from __future__ import annotations

from nwbkit.formats.base import Format, Option, Reader, Source
from nwbkit.formats.recording.openephys_legacy.look import PATTERNS, look


def _open(source: Source) -> Reader:
    from nwbkit.formats.recording.openephys_legacy.reader import LegacyReader

    return LegacyReader(source)


FORMAT = Format(
    id="openephys_legacy",
    title="Open Ephys legacy",
    room="recording",
    patterns=PATTERNS,
    look=look,
    open=_open,
    options=(
        Option("rate", "float", "samples per second, where a header says none (Hz)"),
        Option(
            "bit_volts",
            "float",
            "microvolts a count of electrodes, volts of other inputs, where a header says none",
        ),
        Option(
            "reset_gap",
            "float",
            "seconds from the last sample before acquisition was restarted to the first after it, "
            "which no file holds",
            default=0.0,
        ),
    ),
    recognised="By the header of .continuous, .events and .spikes files (format = 'Open Ephys "
    "Data Format'). Files of one folder and one experiment number (_2, _3, ...) are one source.",
    variants=(
        "headers of version 0.1 to 0.6, with and without recording numbers",
        "one file a channel named PROCESSOR_CHANNEL (to 0.5) or PROCESSOR_STREAM_CHANNEL (0.6)",
        "all_channels.events and PROCESSOR_STREAM.events, messages.events",
        "sorted spikes (.spikes) of version 0.4 and later",
    ),
    limits=(
        "The GUI fills the last record of a recording with zeros: they are removed only where a "
        "later time stamp proves them.",
        "Spikes that were detected and not sorted are not converted.",
        "Files that hold one recording each (separatefiles) are read as experiments of their own.",
    ),
)
