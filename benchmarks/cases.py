"""The cases of the benchmark: how raw data are made, and the command line of each side."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.measuring import ENV, HERE, ROOT

#: Sides, in the order of their turns. Those with NeuroConv's name run in its environment.
SIDES = {
    "full": "nwbkit",
    "neuroconv": "NeuroConv",
    "none": "nwbkit --prove none",
    "sample": "nwbkit --prove sample",
    "zarr": "nwbkit, Zarr",
    "neuroconv_zarr": "NeuroConv, Zarr",
}
BASIC = ("full", "neuroconv")
#: Of the AP band of the generator's first probe.
BYTES_A_SECOND = 385 * 2 * 30000.123456
#: A size at which a warm-up is over soon.
SMALL = 0.02


@dataclass(frozen=True)
class Case:
    """One kind of raw data.

    Parameters
    ----------
    title : str
        Formatted with ``size``.
    generator : Path
    arguments : callable
        From the output folder and the size to the generator's arguments.
    source : callable
        From the output folder to what is converted.
    default : float
        Size: GB, or thousands of frames, spikes (millions), ROIs.
    unit : str
    options : tuple of str
        That nwbkit needs beside lab.yaml.
    sides : tuple of str
    fewer : int
        Measured conversions less than asked for, of cases without a floor.
    """

    title: str
    generator: Path
    arguments: Callable[[Path, float], list[Any]]
    source: Callable[[Path], Path]
    default: float
    unit: str
    options: tuple[str, ...] = ()
    sides: tuple[str, ...] = BASIC
    fewer: int = 0

    def make(self, name: str, work: Path, size: float) -> Path:
        """The raw data of a size, made if not there.

        Returns
        -------
        Path
            What is converted.
        """
        made_by = hashlib.sha256(self.generator.read_bytes()).hexdigest()[:8]
        folder = work / "raw" / f"{name}-{size:g}-{made_by}"
        if not folder.exists():
            print(f"making {self.title.format(size=f'{size:g}')}", file=sys.stderr)
            part = folder.with_name(folder.name + ".part")
            shutil.rmtree(part, ignore_errors=True)
            part.parent.mkdir(parents=True, exist_ok=True)
            command = [sys.executable, self.generator, *self.arguments(part, size)]
            subprocess.run(
                list(map(str, command)), check=True, stdout=subprocess.DEVNULL, env=ENV, cwd=ROOT
            )
            part.rename(folder)
        return self.source(folder)


def _neuropixels(out: Path, size: float) -> list[Any]:
    seconds = repr(size * 1e9 / BYTES_A_SECOND)
    return [out, "--run", "bench", "--bands", "ap", "--no-nidq", "--seconds", seconds]


def _whole(size: float, times: float) -> int:
    return max(8, round(size * times))


CASES = {
    "neuropixels": Case(
        "Neuropixels 1.0 AP band, {size} GB", ROOT / "examples" / "spikeglx_run.py",
        _neuropixels, lambda f: f / "bench_g0", 2.0, "GB", sides=tuple(SIDES),
    ),
    "intan": Case(
        "64 channels of Intan, one file per signal type, {size} GB", HERE / "make_intan.py",
        lambda out, size: [out, "--gb", repr(size)], lambda f: f / "bench_240502_100000", 1.0, "GB",
        fewer=1,
    ),
    "movie": Case(
        "movie of {size} thousand frames, 512 x 512 uint16, four TIFF files",
        HERE / "make_movie.py",
        lambda out, size: [out, "--frames", _whole(size, 1000)], lambda f: f, 1.0,
        "thousand frames",
    ),
    "sorting": Case(
        "Phy sorting, 500 units, {size} million spikes", HERE / "make_phy.py",
        lambda out, size: [out, "--units", 500, "--spikes", _whole(size, 1e6)], lambda f: f, 10.0,
        "million spikes",
    ),
    "rois": Case(
        "Suite2p, {size} thousand ROIs, 10,000 frames", HERE / "make_rois.py",
        lambda out, size: ["suite2p", out, "--rois", _whole(size, 1000)],
        lambda f: f / "suite2p", 2.0, "thousand ROIs", fewer=1,
    ),
    "masks": Case(
        "EXTRACT, {size} thousand dense masks of 512 x 512", HERE / "make_rois.py",
        lambda out, size: ["extract", out / "result.mat", "--rois", _whole(size, 1000)],
        lambda f: f / "result.mat", 2.0, "thousand ROIs", options=("--set", "extract.rate=30"),
        fewer=1,
    ),
}  # fmt: skip


def nwbkit(name: str, source: Path, out: Path) -> list[Any]:
    """The command line of nwbkit, with full proving."""
    command = [sys.executable, "-m", "nwbkit.cli", "convert", source, "-m", HERE / "lab.yaml"]
    return [*command, *CASES[name].options, "-o", out]


def command(side: str, name: str, source: Path, work: Path, neuroconv: Path) -> tuple[Path, list]:
    """What a side writes, and its command line."""
    zarr = side.endswith("zarr")
    out = work / "out" / side / ("out.nwb.zarr" if zarr else "out.nwb")
    if side.startswith("neuroconv"):
        script = HERE / "neuroconv_convert.py"
        return out, [neuroconv, script, name, source, out, "zarr" if zarr else "hdf5"]
    prove = ["--prove", side] if side in ("none", "sample") else []
    return out, [*nwbkit(name, source, out), *prove]
