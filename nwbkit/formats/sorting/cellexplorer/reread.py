"""The second way: scipy for MATLAB 5 to 7, plain h5py for 7.3.

Shares no code with formats.io.mat, on purpose.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from nwbkit.streams.kinds import AnyArray


def rows_of(
    path: Path, variable: str, rate: float | None, start: float
) -> dict[str, AnyArray] | None:
    """One row a spike; None where the file does not say it in order, or no library reads it.

    Parameters
    ----------
    path : Path
    variable : {"spikes", "cell_metrics"}
    rate : float, optional
        Hz; makes seconds samples.
    start : float
        Added to seconds.
    """
    with open(path, "rb") as f:
        newer = f.read(128)[124:126] in (b"\x00\x02", b"\x02\x00")
    found = _hdf5(path, variable) if newer else _scipy(path, variable)
    if found is None:
        return None
    numbers, trains = found
    units = np.asarray(numbers).ravel().astype(np.int64)
    counts = np.array([len(t) for t in trains])
    # np.unique orders units, and knows none without spikes
    if len(units) != len(trains) or (np.diff(units) <= 0).any() or (counts == 0).any():
        return None
    seconds = np.concatenate(trains).astype(np.float64)
    times = seconds + start if rate is None else np.rint(seconds * rate).astype(np.int64)
    return {"unit": np.repeat(units, counts), "time": times}


def _scipy(path: Path, variable: str) -> tuple[Any, list[AnyArray]] | None:
    try:
        from scipy.io import loadmat  # type: ignore[import-untyped]
    except ImportError:
        return None
    held = loadmat(path, variable_names=[variable], struct_as_record=True)[variable][0, 0]
    names = held.dtype.names or ()
    if "UID" not in names:
        return None
    spikes = held["spikes"][0, 0] if variable == "cell_metrics" else held
    return held["UID"], [np.asarray(t).ravel() for t in spikes["times"].ravel()]


def _hdf5(path: Path, variable: str) -> tuple[Any, list[AnyArray]] | None:
    import h5py

    with h5py.File(path, "r") as f:
        held = f[variable]
        if "UID" not in held:
            return None
        times = (held["spikes"] if variable == "cell_metrics" else held)["times"]
        trains = [np.asarray(f[r]).ravel() for r in np.asarray(times).ravel()]
        return np.asarray(held["UID"]), trains
