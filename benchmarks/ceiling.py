"""How fast the codec alone can be on this machine: nwbkit's fill rate is held against it.

    python benchmarks/ceiling.py RUN [--mb 500] [--runs 3]

Takes the first `mb` of the AP file of a SpikeGLX run into memory, cuts it into the chunks that
nwbkit writes (8192 rows of 64 channels), and times on all cores: deflate by ISA-L at level 1
over bytes already shuffled, the same with cutting and shuffling, and inflate with unshuffling.
Nothing is read from or written to a disk. Needs numpy and isal, both of which nwbkit brings.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from isal import isal_zlib

ROWS, COLUMNS, LEVEL = 8192, 64, 1


def load(run: Path, mb: float) -> np.ndarray:
    """The first rows of the run's AP file, the sync word left out of sight.

    Parameters
    ----------
    run : Path
        Folder of one gate with one probe.
    mb : float
        How much to read, in units of 10**6 bytes; whole chunks are kept.

    Returns
    -------
    numpy.ndarray
        Rows by 384, a view of rows of 385.
    """
    (path,) = run.rglob("*.imec0.ap.bin")
    meta = path.with_suffix(".meta").read_text("latin-1").splitlines()
    width = int(next(line for line in meta if line.startswith("nSavedChans=")).split("=")[1])
    rows = int(min(mb * 1e6, path.stat().st_size)) // (2 * width) // ROWS * ROWS
    if not rows:
        raise SystemExit(f"{path}: less than one chunk of {ROWS} rows")
    return np.fromfile(path, "<i2", rows * width).reshape(rows, width)[:, : width - 1]


def cut(data: np.ndarray) -> list[np.ndarray]:
    """Chunks as views: the order of the file, rows first."""
    return [
        data[a : a + ROWS, b : b + COLUMNS]
        for a in range(0, data.shape[0], ROWS)
        for b in range(0, data.shape[1], COLUMNS)
    ]


def shuffle(chunk: np.ndarray) -> np.ndarray:
    """All low bytes, then all high bytes, as HDF5's shuffle filter lays them out."""
    words = chunk.view("<u2")
    planes = np.empty((2, *chunk.shape), np.uint8)
    np.copyto(planes[0], words, casting="unsafe")
    np.right_shift(words, 8, out=planes[1], casting="unsafe")
    return planes


def deflate(shuffled: np.ndarray) -> bytes:
    """A zlib stream, which is what HDF5 stores."""
    return isal_zlib.compress(shuffled, LEVEL)


def encode(chunk: np.ndarray) -> bytes:
    """From a view of the raw rows to what is stored."""
    return deflate(shuffle(chunk))


def decode(stored: bytes) -> np.ndarray:
    """Back to samples."""
    low, high = np.frombuffer(isal_zlib.decompress(stored), np.uint8).reshape(2, -1)
    words = high.astype("<u2")
    words <<= 8
    words |= low
    return words.view("<i2").reshape(-1, COLUMNS)


def rate(work: Callable, items: Sequence, size: int, runs: int, threads: int) -> float:
    """Median speed over all `items`, in 10**6 raw bytes a second.

    Parameters
    ----------
    work : callable
        What is done to each item, its result dropped.
    items : sequence
        One for each chunk.
    size : int
        Raw bytes that the items stand for.
    runs : int
        Measured passes, after one that is not.
    threads : int
        Workers.

    Returns
    -------
    float
        Speed.
    """
    took = []
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(runs + 1):
            began = time.perf_counter()
            for _ in pool.map(lambda item: len(work(item)), items):
                pass
            took.append(time.perf_counter() - began)
    return size / statistics.median(took[1:]) / 1e6


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("run", type=Path, help="gate folder, e.g. bench-out/runs/*/bench_g0")
    parser.add_argument("--mb", type=float, default=500, help="raw data used (default: 500)")
    parser.add_argument("--runs", type=int, default=3, help="measured passes (default: 3)")
    args = parser.parse_args()
    data = load(args.run, args.mb)
    chunks, threads = cut(data), len(os.sched_getaffinity(0))
    shuffled = [shuffle(chunk) for chunk in chunks]
    stored = [deflate(chunk) for chunk in shuffled]
    if not all(np.array_equal(decode(s), c) for s, c in zip(stored, chunks, strict=True)):
        raise SystemExit("decoded samples differ")
    print(f"{data.nbytes / 1e6:.0f} MB, {len(chunks)} chunks, ratio ", end="")
    print(f"{data.nbytes / sum(map(len, stored)):.2f}; MB/s of raw data, 1 and {threads} threads")
    for name, work, items in (
        ("deflate", deflate, shuffled),
        ("cut, shuffle, deflate", encode, chunks),
        ("inflate, unshuffle", decode, stored),
    ):
        one, all_ = (rate(work, items, data.nbytes, args.runs, n) for n in (1, threads))
        print(f"{name:24}{one:8.0f}{all_:8.0f}", flush=True)


if __name__ == "__main__":
    main()
