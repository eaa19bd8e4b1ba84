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
)
