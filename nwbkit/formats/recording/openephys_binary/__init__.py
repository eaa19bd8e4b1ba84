"""Open Ephys binary: every record node, stream and recording of one experiment."""

from __future__ import annotations

from nwbkit.formats.base import Format, Reader, Source
from nwbkit.formats.recording.openephys_binary.look import PATTERNS, look


def _open(source: Source) -> Reader:
    from nwbkit.formats.recording.openephys_binary.reader import OpenEphysReader

    return OpenEphysReader(source)


FORMAT = Format(
    id="openephys_binary",
    title="Open Ephys binary",
    room="recording",
    patterns=PATTERNS,
    look=look,
    open=_open,
    recognised=(
        "structure.oebin by its content. All record nodes, streams and recordings of one "
        "experiment "
        "are one source; each experiment is a session."
    ),
    variants=(
        "GUI 0.4 and 0.5 (streams by number), 0.6 and later (streams by name)",
        "electrodes, auxiliary and ADC channels of a stream apart; TTL lines; messages",
        "several recordings, pauses and lost samples as segments, by sample_numbers.npy",
        "geometry of Neuropixels probes from settings.xml",
    ),
    limits=(
        "Spikes that the GUI detected are named in a note and not converted.",
        "Streams that the GUI did not synchronise keep a clock of their own.",
        "A structure.oebin without its continuous.dat is refused: there is no sample to convert.",
    ),
)
