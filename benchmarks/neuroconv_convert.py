"""Convert the AP band of a SpikeGLX run as NeuroConv's own guide does, with all its defaults.

    neuroconv_convert.py RUN OUT.nwb

RUN is the folder of one gate, with one probe, imec0. Runs in NeuroConv's environment.
"""

from __future__ import annotations

import sys
from datetime import UTC

from neuroconv.datainterfaces import SpikeGLXRecordingInterface


def convert(run: str, out: str) -> None:
    """Write `out` with the default backend (HDF5), chunks, codec and buffers.

    Parameters
    ----------
    run : str
        Folder of one gate.
    out : str
        The file to make; must not exist.
    """
    interface = SpikeGLXRecordingInterface(folder_path=run, stream_id="imec0.ap")
    metadata = interface.get_metadata()
    start = metadata["NWBFile"]["session_start_time"]
    metadata["NWBFile"]["session_start_time"] = start.replace(tzinfo=UTC)
    interface.run_conversion(nwbfile_path=out, metadata=metadata)


if __name__ == "__main__":
    convert(*sys.argv[1:])
