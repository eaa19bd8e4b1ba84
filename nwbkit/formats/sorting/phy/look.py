"""Recognise Phy folders by what their params.py says and by the files beside it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from nwbkit.formats.base import Match, Strength
from nwbkit.formats.io.npy import MAGIC
from nwbkit.formats.io.params import MAX_BYTES, decode, parse_params
from nwbkit.formats.listing import Listing

PARAMS = "params.py"
TIMES = "spike_times.npy"
CLUSTERS = "spike_clusters.npy"
TEMPLATES = "spike_templates.npy"
#: What params.py of a Phy folder says.
KEYS = ("dat_path", "n_channels_dat", "sample_rate", "dtype", "offset", "hp_filtered")
#: Arrays that sorters and Phy put into such a folder. A recording's own .npy files may lie
#: beside them, so that not every .npy belongs to it.
ARRAYS = (
    TIMES,
    CLUSTERS,
    TEMPLATES,
    "amplitudes.npy",
    "channel_groups.npy",
    "channel_map.npy",
    "channel_positions.npy",
    "channel_shanks.npy",
    "kept_spikes.npy",
    "ops.npy",
    "pc_feature_ind.npy",
    "pc_features.npy",
    "similar_templates.npy",
    "spike_detection_templates.npy",
    "spike_positions.npy",
    "template_feature_ind.npy",
    "template_features.npy",
    "template_ind.npy",
    "templates.npy",
    "templates_ind.npy",
    "templates_unw.npy",
    "whitening_mat.npy",
    "whitening_mat_dat.npy",
    "whitening_mat_inv.npy",
)


def look(listing: Listing) -> Iterator[Match]:
    """One Match per folder with params.py, spike times and whose they are."""
    for entry in listing.match(PARAMS):
        folder = entry.path.parent
        owners = [n for n in (CLUSTERS, TEMPLATES) if listing.size(folder / n) is not None]
        if not owners or listing.size(folder / TIMES) is None:
            continue
        said = parse_params(decode(listing.head(entry.path, MAX_BYTES))).values
        keys = [key for key in KEYS if key in said]
        numpy = listing.head(folder / TIMES, len(MAGIC)) == MAGIC
        says = f" that says {', '.join(keys)}" if keys else ""
        yield Match(
            files=(entry.path, *_beside(listing, folder)),
            strength=Strength.MAGIC if len(keys) >= 2 and numpy else Strength.KEY,
            evidence=f"params.py{says}, beside {TIMES} and {owners[0]}",
            stem=folder.name or "phy",
            session=folder.name or "phy",
            root=folder,
            companion=True,
        )


def _beside(listing: Listing, folder: Path) -> Iterator[Path]:
    """The arrays and cluster tables in `folder`, also where params.py alone was given."""
    for name in ARRAYS:
        if listing.size(folder / name) is not None:
            yield folder / name
    tables = listing.match("cluster_*.tsv", "cluster_*.csv")
    found = {e.path for e in tables if e.path.parent == folder}
    if folder / PARAMS in listing.roots:
        found |= {p for s in ("tsv", "csv") for p in folder.glob(f"cluster_*.{s}")}
    yield from sorted(found)
