"""Do two NWB files, nwbkit's and NeuroConv's, hold the same values of a case?

    same_samples.py CASE NWBKIT_OUT NEUROCONV_OUT

Reads both with h5py, or with the zarr library where they are folders, and with numpy alone, so
it judges either converter by the same rule. Runs in NeuroConv's environment; exits 1 with a
message when the answer is no.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

BYTES = 1 << 26
OPHYS = "processing/ophys"
FLUORESCENCE = f"{OPHYS}/Fluorescence"
PLANE = f"{OPHYS}/ImageSegmentation/PlaneSegmentation"
#: By case: paths in nwbkit's file and in NeuroConv's; None: the same.
PAIRS: dict[str, dict[str, str | None]] = {
    "neuropixels": {"acquisition/ElectricalSeriesAP/data": None},
    "intan": {"acquisition/ElectricalSeries/data": None},
    "movie": {"acquisition/TwoPhotonSeriesGCaMP/data": "acquisition/MicroscopySeries/data"},
    "sorting": {"units/spike_times": None, "units/spike_times_index": None},
    "rois": {
        f"{FLUORESCENCE}/RoiResponseSeries/data": None,
        f"{FLUORESCENCE}/Neuropil/data": None,
        f"{FLUORESCENCE}/Deconvolved/data": None,
        f"{PLANE}/pixel_mask": None,
        f"{PLANE}/pixel_mask_index": None,
    },
    "masks": {
        f"{PLANE}/image_mask": None,
        f"{OPHYS}/DfOverF/RoiResponseSeries/data": f"{FLUORESCENCE}/DfOverF/data",
    },
}
#: Pixel masks: NeuroConv 0.10.2 stores Suite2p's ypix as x and its xpix as y. nwbkit does not.
TURNED = {"x": "y", "y": "x", "weight": "weight"}


def opened(path: str) -> Any:
    """An NWB file of either back end."""
    if Path(path).is_dir():
        import zarr

        return zarr.open(path, "r")
    import h5py

    return h5py.File(path)


def equal(ours: np.ndarray, theirs: np.ndarray, name: str) -> bool:
    """Bit-equal; of spike times in seconds: within a nanosecond, which is no other sample."""
    if name == "units/spike_times":
        return bool(np.abs(ours - theirs).max() < 1e-9)
    if ours.dtype.names:
        return all(np.array_equal(ours[n], theirs[TURNED[n]]) for n in ours.dtype.names)
    return np.array_equal(ours, theirs)


def compare(ours: Any, theirs: Any, name: str) -> str:
    """One dataset, block by block; returns what was compared."""
    if ours.shape != theirs.shape:
        sys.exit(f"{name}: {ours.shape} and {theirs.shape}")
    if ours.dtype != theirs.dtype and ours.dtype.kind not in "uV":
        sys.exit(f"{name}: {ours.dtype} and {theirs.dtype}")
    row = max(1, int(np.prod(ours.shape[1:]))) * ours.dtype.itemsize
    step = max(1, BYTES // row)
    if ours.chunks:
        step = -(-step // ours.chunks[0]) * ours.chunks[0]
    for a in range(0, ours.shape[0], step):
        if not equal(ours[a : a + step], theirs[a : a + step], name):
            sys.exit(f"{name}: values differ in rows {a} to {a + step}")
    kind = "(NeuroConv's x and y are exchanged)" if ours.dtype.names else ours.dtype.str
    return f"{name} {ours.shape} {kind}"


def facts(series: Any) -> dict[str, float]:
    """Rate, gain and offset of a series."""
    said = {}
    if "starting_time" in series:
        said["rate"] = float(series["starting_time"].attrs["rate"])
    for key, default in (("conversion", 1.0), ("offset", 0.0)):
        said[key] = float(series["data"].attrs.get(key, default))
    return said


def check(case: str, ours: str, theirs: str) -> str:
    """Compare all that both files hold.

    Parameters
    ----------
    case : str
    ours, theirs : str

    Returns
    -------
    str
        What was compared.
    """
    a, b, done = opened(ours), opened(theirs), []
    for name, other in PAIRS[case].items():
        done.append(compare(a[name], b[other or name], name))
        if name.startswith("acquisition"):
            mine, his = (facts(f[n.rpartition("/")[0]]) for f, n in ((a, name), (b, other or name)))
            if not all(np.isclose(mine[k], his[k], rtol=1e-6) for k in mine):
                sys.exit(f"{name}: {mine} and {his}")
    return "equal: " + "; ".join(done)


if __name__ == "__main__":
    print(check(*sys.argv[1:]))
