"""What the real Phy sample holds, read from its bytes; and a maker of small Phy folders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

#: phy_example_0_ks25: taken from the files with `od` and `cat`, not with nwbkit.
SAMPLE: dict[str, Any] = {
    "folder": "phy/phy_example_0_ks25",
    "rate": 32000.0,
    "n_spikes": 788,
    "first": [380, 826, 972, 1332],
    "last": 319953,
    #: cluster: (spikes, first sample, last sample)
    "units": {
        "0": (30, 19514, 314681),
        "1": (30, 19558, 314725),
        "2": (12, 8454, 305328),
        "3": (53, 5197, 318460),
        "4": (129, 9830, 310649),
        "5": (50, 826, 300128),
        "6": (37, 29542, 310868),
        "7": (48, 972, 318731),
        "8": (43, 2242, 306038),
        "9": (110, 2121, 317757),
        "10": (2, 60967, 305027),
        "11": (193, 380, 319953),
        "12": (51, 1332, 318323),
    },
    "good": ["9", "10", "11"],
    "amplitude": {"0": 4066.7, "12": 3107.7},
    "templates": (13, 82, 32),
}

PARAMS: dict[str, Any] = {
    "dat_path": "run_g0_t0.imec0.ap.bin",
    "n_channels_dat": 9,
    "dtype": "int16",
    "offset": 0,
    "sample_rate": 30000.25,
    "hp_filtered": False,
}
#: 12 spikes of clusters 0, 3 and 7.
TIMES = np.array([3, 10, 11, 50, 120, 121, 200, 300, 333, 400, 450, 599], np.uint64)
CLUSTERS = np.array([0, 3, 0, 7, 3, 0, 0, 3, 7, 0, 3, 0], np.int32)


def write_params(folder: Path, **changes: Any) -> Path:
    """params.py as sorters write it; None leaves a key out."""
    said = {k: v for k, v in {**PARAMS, **changes}.items() if v is not None}
    path = folder / "params.py"
    path.write_text("".join(f"{k} = {v!r}\n" for k, v in said.items()))
    return path


def write_phy(
    folder: Path,
    *,
    times: Any = TIMES,
    clusters: Any = CLUSTERS,
    arrays: dict[str, Any] | None = None,
    tables: dict[str, str] | None = None,
    **params: Any,
) -> Path:
    """A small Phy folder; arrays and tables by name; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    write_params(folder, **params)
    every = {"spike_times": times, "spike_clusters": clusters, **(arrays or {})}
    for name, values in every.items():
        if values is not None:
            np.save(folder / f"{name}.npy", values)
    for name, text in (tables or {}).items():
        (folder / name).write_text(text)
    return folder


def templates(n: int = 8, samples: int = 5, channels: int = 8) -> np.ndarray[Any, Any]:
    """Template t is not zero on channels t and t + 1 alone."""
    values = np.zeros((n, samples, channels), np.float32)
    for t in range(n):
        values[t, :, [t % channels, (t + 1) % channels]] = np.arange(1, samples + 1) + t
    return values


def with_templates(**more: Any) -> dict[str, Any]:
    """Arrays of a whole Kilosort folder for the small probe of tests/formats/helpers.py."""
    return {
        "spike_templates": CLUSTERS.astype(np.uint32),
        "templates": templates(),
        "channel_map": np.arange(8, dtype=np.int32)[:, None],
        "channel_positions": np.arange(16, dtype=np.float64).reshape(8, 2),
        **more,
    }
