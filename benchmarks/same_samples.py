"""Is every AP sample of a SpikeGLX run in an NWB file, unchanged, with its rate?

    same_samples.py RUN OUT.nwb

Reads both with h5py and numpy alone, so it judges either converter by the same rule. Exits 1
with a message when the answer is no. RUN is the folder of one gate, with one probe, imec0.
"""

from __future__ import annotations

import sys
from pathlib import Path

import h5py
import numpy as np

ROWS = 1 << 17


def check(run: str, out: str) -> str:
    """Compare, one block of rows after the other.

    Parameters
    ----------
    run : str
        Folder of one gate.
    out : str
        NWB file with ``/acquisition/ElectricalSeriesAP``.

    Returns
    -------
    str
        What was compared, chunk shape and filters included.
    """
    (path,) = Path(run).rglob("*.imec0.ap.bin")
    lines = path.with_suffix(".meta").read_text("latin-1").splitlines()
    meta = dict(line.split("=", 1) for line in lines)
    raw = np.memmap(path, "<i2", "r").reshape(-1, int(meta["nSavedChans"]))
    with h5py.File(out) as f:
        series = f["acquisition/ElectricalSeriesAP"]
        data, rate = series["data"], series["starting_time"].attrs["rate"]
        if data.shape != (len(raw), 384) or data.dtype != np.int16:
            sys.exit(f"{out}: data is {data.dtype}{data.shape}, not int16{(len(raw), 384)}")
        if rate != float(meta["imSampRate"]):
            sys.exit(f"{out}: rate {rate!r}, not {meta['imSampRate']}")
        for a in range(0, len(raw), ROWS):
            if not np.array_equal(data[a : a + ROWS], raw[a : a + ROWS, :384]):
                sys.exit(f"{out}: samples differ in rows {a} to {a + ROWS}")
        return f"{len(raw)} x 384 samples equal; chunks {data.chunks}, {data.compression}"


if __name__ == "__main__":
    print(check(*sys.argv[1:]))
