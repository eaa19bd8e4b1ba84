"""Write an Intan recording in the layout 'one file per signal type', of any length.

    python benchmarks/make_intan.py OUTDIR --gb 1 [--channels 64]

OUTDIR/bench_240502_100000/ holds info.rhd, time.dat and amplifier.dat, as RHX writes them. Noise
of 10 uV, spikes, and slow waves common to all channels. The noise is one stretch of two seconds
from which each block is taken at another place, so a recording is written about as fast as the
disk takes it. The same arguments give the same bytes.

Source of the layout: Intan Technologies, "RHD2000 Application Note: Data File Formats".
Needs numpy and the standard library only.
"""

from __future__ import annotations

import argparse
import struct
from pathlib import Path

import numpy as np

NAME = "bench_240502_100000"
RATE = 30000
MAGIC = 0xC6912702
COUNT_UV = 0.195
ROWS = 1 << 15


def text(value: str) -> bytes:
    """A string as Intan's headers hold it: a length in bytes, UTF-16."""
    raw = value.encode("utf-16-le")
    return struct.pack("<I", len(raw)) + raw


def header(channels: int) -> bytes:
    """info.rhd of version 3.0: one port, amplifiers only."""
    out = struct.pack("<Ihh", MAGIC, 3, 0)
    # rate, DSP on, its cut-off, lower and upper band; the same three as desired; notch 60 Hz
    out += struct.pack("<fh6f", RATE, 1, 1.0, 0.1, 7500.0, 1.0, 0.1, 7500.0)
    out += struct.pack("<h2f", 0, 1000.0, 1000.0)
    out += text("made by benchmarks/make_intan.py") + text("") + text("")
    out += struct.pack("<hh", 0, 0) + text("")  # temperature sensors, board mode, reference
    out += struct.pack("<h", 1) + text("Port A") + text("A")
    out += struct.pack("<hhh", 1, channels, channels)
    for i in range(channels):
        name = f"A-{i:03d}"
        out += text(name) + text(name)
        # orders, amplifier, enabled, chip channel, stream; trigger of the spike scope
        out += struct.pack("<6h4h", i, i, 0, 1, i % 32, i // 32, 1, 0, 0, 0)
        out += struct.pack("<2f", 0.0, 0.0)
    return out


def noise(rows: int, channels: int, seed: int) -> np.ndarray:
    """Counts of noise with spikes, shape (rows, channels)."""
    rng = np.random.default_rng(seed)
    made = rng.standard_normal((rows, channels), np.float32)
    made *= 10 / COUNT_UV
    t = np.arange(-10, 25)
    shape = -np.exp(-((t / 4) ** 2)) + 0.3 * np.exp(-(((t - 16) / 9) ** 2))
    for channel in range(0, channels, 3):
        for at in rng.integers(0, rows - len(t), rows // 3000):
            made[at : at + len(t), channel] += 100 / COUNT_UV * shape
    return made.astype(np.int16)


def write(out: Path, n_bytes: float, channels: int = 64, seed: int = 0) -> Path:
    """Write a recording; returns its folder.

    Parameters
    ----------
    out : Path
        Folder that will hold the recording's own.
    n_bytes : float
        Size of amplifier.dat, to a block.
    channels : int
    seed : int

    Returns
    -------
    Path
    """
    folder = out / NAME
    folder.mkdir(parents=True)
    (folder / "info.rhd").write_bytes(header(channels))
    pool = noise(2 * ROWS, channels, seed)
    rng = np.random.default_rng([seed, 1])
    blocks = max(1, round(n_bytes / (2 * channels * ROWS)))
    with open(folder / "amplifier.dat", "wb") as data, open(folder / "time.dat", "wb") as times:
        for k in range(blocks):
            at = int(rng.integers(0, ROWS))
            t = np.arange(k * ROWS, (k + 1) * ROWS, dtype="<i4")
            slow = 200 * np.sin(2 * np.pi * 7 * t / RATE) + 350 * np.sin(2 * np.pi * 0.9 * t / RATE)
            block = pool[at : at + ROWS] + slow.astype(np.int16)[:, None]
            data.write(block.astype("<i2", copy=False))
            times.write(t)
    return folder


def main() -> None:
    """Parse and write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--gb", type=float, default=1, help="size of amplifier.dat (default: 1)")
    parser.add_argument("--channels", type=int, default=64)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    print(write(args.out, args.gb * 1e9, args.channels, args.seed))


if __name__ == "__main__":
    main()
