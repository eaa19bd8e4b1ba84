"""Write results of a segmentation: a Suite2p folder, or EXTRACT's file with dense masks.

    python benchmarks/make_rois.py suite2p OUTDIR [--rois 2000] [--frames 10000]
    python benchmarks/make_rois.py extract OUT.mat [--rois 2000] [--size 512]

Suite2p: suite2p/plane0 with ops, stat, F, Fneu, spks, iscell (.npy), about 80 pixels a ROI.
EXTRACT: a MATLAB 7.3 file with an image of weights a cell, each a deflated chunk of its own.
The same arguments give the same bytes.

Needs numpy, for EXTRACT h5py, and the standard library.
"""

from __future__ import annotations

import argparse
import zlib
from pathlib import Path
from typing import Any

import numpy as np

SIZE = 512
RATE = 30.0


def disc(centre: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows, columns and weights of a round ROI of 5 pixels' radius."""
    cy, cx = centre
    y, x = np.mgrid[int(cy) - 5 : int(cy) + 6, int(cx) - 5 : int(cx) + 6]
    far = (y - cy) ** 2 + (x - cx) ** 2
    inside = (far < 25) & (y >= 0) & (x >= 0) & (y < size) & (x < size)
    return y[inside], x[inside], np.exp(-far[inside] / 30).astype(np.float32)


def traces(rng: np.random.Generator, rois: int, frames: int) -> dict[str, np.ndarray]:
    """F, Fneu and spks as Suite2p has them: (ROIs, frames), float32."""
    spikes = (rng.random((rois, frames), np.float32) < 0.01).astype(np.float32)
    spikes *= rng.random((rois, frames), np.float32) * 300
    calcium = np.zeros(rois, np.float32)
    bright = spikes.T.copy()
    for row in bright:  # what is left of the frame before, and what is new
        calcium *= np.float32(0.94)
        calcium += row
        row[:] = calcium
    neuropil = rng.standard_normal((rois, frames), np.float32) * 12 + 300
    cells = bright.T + rng.standard_normal((rois, frames), np.float32) * 30 + 400
    return {"F": np.ascontiguousarray(cells), "Fneu": neuropil, "spks": spikes}


def save(path: Path, value: Any) -> None:
    """One object, pickled as Suite2p does it."""
    holder = np.empty(() if isinstance(value, dict) else len(value), object)
    holder[...] = value
    np.save(path, holder)


def write_suite2p(out: Path, rois: int = 2000, frames: int = 10000, seed: int = 0) -> Path:
    """Write a Suite2p result with one plane; returns its folder.

    Parameters
    ----------
    out : Path
        Folder that will hold suite2p/.
    rois, frames, seed : int

    Returns
    -------
    Path
    """
    folder = out / "suite2p" / "plane0"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    stat = []
    for centre in rng.uniform(6, SIZE - 7, (rois, 2)):
        y, x, weight = disc(centre, SIZE)
        stat.append(
            {
                "ypix": y.astype(np.int32),
                "xpix": x.astype(np.int32),
                "lam": weight,
                "med": [float(np.median(y)), float(np.median(x))],
                "npix": len(y),
                "radius": 5.0,
                "overlap": np.zeros(len(y), bool),
                "skew": np.float32(1.5),
            }
        )
    ops = {
        "Ly": SIZE, "Lx": SIZE, "nframes": frames, "fs": RATE, "nplanes": 1, "nchannels": 1,
        "meanImg": rng.random((SIZE, SIZE), np.float32) * 500,
        "yrange": [0, SIZE], "xrange": [0, SIZE], "save_path": str(Path("suite2p", "plane0")),
    }  # fmt: skip
    save(folder / "ops.npy", ops)
    save(folder / "stat.npy", stat)
    for name, array in traces(rng, rois, frames).items():
        np.save(folder / f"{name}.npy", array)
    likely = rng.random(rois)
    np.save(folder / "iscell.npy", np.column_stack([likely > 0.3, likely]))
    return out / "suite2p"


def write_extract(
    out: Path, rois: int = 2000, size: int = SIZE, frames: int = 1000, seed: int = 0
) -> Path:
    """Write EXTRACT's result with dense masks; returns its path.

    Parameters
    ----------
    out : Path
        Ends in .mat.
    rois, size, frames, seed : int

    Returns
    -------
    Path
    """
    import h5py

    out.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    with h5py.File(out, "w", userblock_size=512) as file:
        masks = file.create_dataset(
            "output/spatial_weights", (rois, size, size), "<f4", chunks=(1, size, size),
            compression="gzip", compression_opts=1,
        )  # fmt: skip
        for i, centre in enumerate(rng.uniform(6, size - 7, (rois, 2))):
            y, x, weight = disc(centre, size)
            image = np.zeros((size, size), np.float32)
            image[x, y] = weight  # MATLAB's axes in reverse
            masks.id.write_direct_chunk((i, 0, 0), zlib.compress(image, 1))
        file["output/temporal_weights"] = rng.random((rois, frames), np.float32)
        file["output/info/version"] = np.array([[ord(c)] for c in "1.0.0"], np.uint16)
        file["output/info/summary_image"] = rng.random((size, size))
        file["output/config/preprocess"] = np.array([[1.0]])
        file["output/config/avg_cell_radius"] = np.array([[5.0]])
        file["output/config/trace_output_option"] = np.array([[ord(c)] for c in "nonneg"], "u2")
        for name in ("output", "output/info", "output/config"):
            file[name].attrs["MATLAB_class"] = np.bytes_("struct")
        for name in ("output/info/version", "output/config/trace_output_option"):
            file[name].attrs["MATLAB_class"] = np.bytes_("char")
        for name in ("output/spatial_weights", "output/temporal_weights"):
            file[name].attrs["MATLAB_class"] = np.bytes_("single")
        for name in ("info/summary_image", "config/preprocess", "config/avg_cell_radius"):
            file[f"output/{name}"].attrs["MATLAB_class"] = np.bytes_("double")
    with open(out, "r+b") as f:
        f.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM")
    return out


def main() -> None:
    """Parse and write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", choices=("suite2p", "extract"))
    parser.add_argument("out", type=Path)
    parser.add_argument("--rois", type=int, default=2000)
    parser.add_argument("--frames", type=int, help="default: 10000, for EXTRACT 1000")
    parser.add_argument("--size", type=int, default=SIZE, help="of EXTRACT's images")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    if args.what == "suite2p":
        print(write_suite2p(args.out, args.rois, args.frames or 10000, args.seed))
    else:
        print(write_extract(args.out, args.rois, args.size, args.frames or 1000, args.seed))


if __name__ == "__main__":
    main()
