"""What the real CellExplorer samples hold, read with scipy and h5py; and a maker of small ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

_PETER: dict[str, Any] = {
    "rate": 20000.0,
    #: UID: (spikes, first and last sample)
    "units": {
        "1": (1368, 48978665, 242588521),
        "2": (2263, 433126, 242917958),
        "3": (1981, 54168255, 242587444),
    },
    "columns": {"cluID": [1078, 1086, 1105], "shankID": [2, 9, 4]},
    "epochs": [(0.0, 6327.792), (6327.792, 8006.508), (8006.508, 12150.036)],
    "start": "2018-06-29T11:03:19",
    "subject": {
        "subject_id": "MS22",
        "species": "Rat",
        "sex": "M",
        "strain": "Long Evans",
        "genotype": "Wild type",
    },
}
#: By folder below cellexplorer/.
SAMPLES: dict[str, dict[str, Any]] = {
    "dataset_4/Peter_MS22_180629_110319_concat_stubbed": _PETER,
    "dataset_4/Peter_MS22_180629_110319_concat_stubbed_hdf5": _PETER,
    "groundtruth_cell_metrics": {
        "rate": 10000.0,
        "units": {"1": (849, None, None)},
        "columns": {"firingRate": [3.58330207], "putativeCellType": ["Pyramidal Cell"]},
        "epochs": None,
        "start": None,
        "subject": {
            "subject_id": "hc_1",
            "species": "Rat",
            "sex": "M",
            "strain": "Long Evans",
            "genotype": "Wild type",
        },
    },
}


def main_of(root: Path, name: str) -> Path:
    """The main file of a sample."""
    return next(p for p in sorted((root / name).glob("*.cellinfo.mat")))


def trains_of(path: Path) -> dict[str, np.ndarray[Any, Any]]:
    """Spike times in seconds by UID, by scipy or h5py."""
    with open(path, "rb") as f:
        newer = f.read(128)[124:126] == b"\x00\x02"
    if not newer:
        from scipy.io import loadmat

        held = loadmat(path)["spikes"][0, 0]
        trains = [t.ravel() for t in held["times"].ravel()]
        return {str(u): t for u, t in zip(held["UID"].ravel(), trains, strict=True)}
    import h5py

    with h5py.File(path) as f:
        held = f["spikes"] if "spikes" in f else f["cell_metrics"]
        times = held["times"] if "times" in held else held["spikes/times"]
        trains = [f[r][...].ravel() for r in times[...].ravel()]
        return {str(int(u)): t for u, t in zip(held["UID"][...].ravel(), trains, strict=True)}


# ------------------------------------------------------------------ small sessions

RATE = 20000.0
SAMPLES_OF = {1: [10, 400, 799], 2: [55, 56], 7: [0, 300, 301, 302]}


def cell(values: list[Any]) -> np.ndarray[Any, Any]:
    """A MATLAB cell, one row."""
    found = np.empty((1, len(values)), object)
    for k, value in enumerate(values):
        found[0, k] = value
    return found


def spikes(**changes: Any) -> dict[str, Any]:
    """The struct ``spikes`` as CellExplorer writes it; None leaves a field out."""
    ts = [np.array(s, float)[:, None] for s in SAMPLES_OF.values()]
    found = {
        "UID": np.array([[*SAMPLES_OF]], float),
        "times": cell([t / RATE for t in ts]),
        "ts": cell(ts),
        "cluID": np.array([[11.0, 12.0, 17.0]]),
        "shankID": np.array([[1.0, 1.0, 2.0]]),
        "total": np.array([[len(t) for t in ts]], float),
        "maxWaveformCh1": np.array([[1.0, 3.0, 4.0]]),
        "maxWaveformCh": np.array([[0.0, 2.0, 3.0]]),
        "region": cell(["CA1", "CA3", "CA1"]),
        "filtWaveform": cell([np.arange(4.0)[None] * k for k in (1, 2, 3)]),
        "timeWaveform": cell([np.arange(4.0)[None] / 20 for _ in range(3)]),
        "filtWaveform_all": cell([np.zeros((4, 4))] * 3),
        "numcells": np.array([[3.0]]),
        "sr": np.array([[RATE]]),
        "basename": "x",
    }
    return {k: v for k, v in {**found, **changes}.items() if v is not None}


def metrics(**changes: Any) -> dict[str, Any]:
    """The struct ``cell_metrics``, of two of the units, in another order."""
    found = {
        "UID": np.array([[7.0, 1.0]]),
        "firingRate": np.array([[7.5, 1.5]]),
        "putativeCellType": cell(["Narrow Interneuron", "Pyramidal Cell"]),
        "acg": {"wide": np.zeros((5, 2))},
        "firingRateMap": np.zeros((2, 2)),
        "animal": cell(["M1", "M1"]),
        "animal_sex": cell(["Female", "Female"]),
    }
    return {k: v for k, v in {**found, **changes}.items() if v is not None}


def session(**changes: Any) -> dict[str, Any]:
    """The struct ``session``."""
    found = {
        "general": {
            "name": "x",
            "date": "2024-05-02",
            "time": "10:00:00",
            "experimenters": "A B and C D",
        },
        "animal": {"name": "M1", "sex": "Female", "species": "Mouse"},
        "extracellular": {
            "sr": np.array([[RATE]]),
            "nChannels": np.array([[4.0]]),
            "chanCoords": {"x": np.arange(4.0)[:, None], "y": -10 * np.arange(4.0)[:, None]},
        },
        "brainRegions": {
            "CA1": {"channels": np.array([[1.0, 2.0]])},
            "CA3": {"channels": np.array([[2.0, 3.0]])},
        },
        "epochs": cell(
            [
                {"name": "sleep", "startTime": np.array([[0.0]]), "stopTime": np.array([[0.02]])},
                {"name": "maze", "startTime": np.array([[0.02]]), "stopTime": np.array([[0.04]])},
            ]
        ),
    }
    return {k: v for k, v in {**found, **changes}.items() if v is not None}


def write(
    folder: Path, base: str = "x", *, compress: bool = True, **structs: dict[str, Any]
) -> Path:
    """MATLAB 5 (or 7) files ``BASE.KIND.mat`` of `structs`; returns the folder."""
    from scipy.io import savemat

    folder.mkdir(parents=True, exist_ok=True)
    kinds = {
        "spikes": "spikes.cellinfo",
        "cell_metrics": "cell_metrics.cellinfo",
        "session": "session",
    }
    for name, struct in structs.items():
        path = folder / f"{base}.{kinds.get(name, name)}.mat"
        savemat(path, {name: struct}, do_compression=compress, long_field_names=True)
    return folder
