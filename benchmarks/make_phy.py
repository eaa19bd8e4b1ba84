"""Write a sorting as Kilosort and Phy leave it, with any number of units and spikes.

    python benchmarks/make_phy.py OUTDIR [--units 500] [--spikes 10000000]

OUTDIR holds params.py, spike_times, spike_clusters, spike_templates, amplitudes, templates,
channel_map, channel_positions (.npy), cluster_group.tsv and cluster_KSLabel.tsv. Rates of units
are log-normal, their mean 5.5 Hz. The same arguments give the same bytes.

Needs numpy and the standard library only.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

RATE = 30000.0
MEAN_RATE_HZ = 5.5
CHANNELS = 32


def write(out: Path, units: int = 500, spikes: int = 10_000_000, seed: int = 0) -> Path:
    """Write a sorting; returns its folder.

    Parameters
    ----------
    out : Path
        The folder to make.
    units, spikes, seed : int

    Returns
    -------
    Path
    """
    out.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    seconds = spikes / (units * MEAN_RATE_HZ)
    times = rng.integers(0, max(1, int(seconds * RATE)), spikes)
    times.sort()
    weights = rng.lognormal(0, 1, units)
    counts = np.maximum(1, np.floor(weights / weights.sum() * (spikes - units))).astype(int)
    counts[0] += spikes - counts.sum()
    clusters = np.repeat(np.arange(units, dtype=np.int32), counts)
    rng.shuffle(clusters)
    t = np.arange(-20, 41)
    shape = -np.exp(-((t / 4) ** 2)) + 0.3 * np.exp(-(((t - 16) / 9) ** 2))
    far = np.abs(np.arange(CHANNELS)[None, :] - (np.arange(units) % CHANNELS)[:, None])
    fall = np.where(far <= 4, np.exp(-far / 2), 0.0)
    index = np.arange(CHANNELS)
    arrays = {
        "spike_times": times[:, None],
        "spike_clusters": clusters,
        "spike_templates": clusters[:, None],
        "amplitudes": rng.normal(20, 3, spikes)[:, None],
        "templates": (shape[None, :, None] * fall[:, None, :]).astype(np.float32),
        "channel_map": index.astype(np.int32)[:, None],
        "channel_positions": np.stack([16.0 * (index % 2), 20.0 * (index // 2)], 1),
    }
    for name, array in arrays.items():
        np.save(out / f"{name}.npy", array)
    for column, names in {"group": ("good", "mua", "noise"), "KSLabel": ("good", "mua")}.items():
        rows = [f"{u}\t{names[u % len(names)]}" for u in range(units)]
        (out / f"cluster_{column}.tsv").write_text("\n".join([f"cluster_id\t{column}", *rows, ""]))
    (out / "params.py").write_text(
        f"dat_path = 'recording.dat'\nn_channels_dat = {CHANNELS}\ndtype = 'int16'\n"
        f"offset = 0\nsample_rate = {RATE!r}\nhp_filtered = False\n"
    )
    return out


def main() -> None:
    """Parse and write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--units", type=int, default=500)
    parser.add_argument("--spikes", type=int, default=10_000_000)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    print(write(args.out, args.units, args.spikes, args.seed))


if __name__ == "__main__":
    main()
