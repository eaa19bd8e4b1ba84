"""The templates of a Phy folder as mean waveforms.

templates.npy is (templates, samples, channels). Kilosort stores it in whitened space;
``template @ whitening_mat_inv`` undoes that (rezToPhy.m of Kilosort 2, phylib's
``TemplateModel._unwhiten``). Kilosort 2.5 and later write a multiple of the identity there,
since Phy is shown the data of temp_wh.dat: nothing can be undone with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nwbkit.errors import DamagedInput
from nwbkit.formats.io.npy import Complain, read_header, read_npy
from nwbkit.formats.sorting.phy.spikes import Ints, Labels, Spikes, places, stretches

FILE = "templates.npy"
INVERSE = "whitening_mat_inv.npy"
INDEX = ("templates_ind.npy", "template_ind.npy")
MAP = "channel_map.npy"
Floats = npt.NDArray[np.float32]
#: A table of units by templates may have so many cells; else their pairs are sorted.
_MOST_CELLS = 1 << 22


@dataclass(frozen=True)
class Waveforms:
    """One mean waveform a unit.

    Parameters
    ----------
    data : numpy.ndarray, shape (units, samples, width)
        float32; NaN where a unit has fewer channels than the widest, and for a unit that the
        sorter left no template of.
    channels : tuple of arrays of int
        Of each unit: its channels, as indices into channel_map.npy, in the order of `data`.
        All of them, unless the waveforms are `sparse`.
    unit : str
    description : str
    """

    data: Floats
    channels: tuple[npt.NDArray[np.intp], ...]
    unit: str
    description: str


def check_templates(files: Mapping[str, Path], spikes: Spikes, complain: Complain) -> bool:
    """Hold headers against spikes and channels; whether there are usable templates.

    Raises
    ------
    nwbkit.errors.DamagedInput
        Through `complain`.
    """
    if FILE not in files or spikes.templates is None:
        return False
    header = read_header(files[FILE])
    problem = None
    if len(header.shape) != 3 or not header.descr.lstrip("<>|=").startswith("f"):
        problem = f"'{FILE}' has shape {header.shape}, expected (templates, samples, channels)"
    elif len(spikes) and int(spikes.templates.max()) >= header.shape[0]:
        problem = (
            f"'{FILE}' holds {header.shape[0]} templates, 'spike_templates.npy' names "
            f"{int(spikes.templates.max())}"
        )
    elif len(spikes) and int(spikes.templates.min()) < 0:
        problem = f"'spike_templates.npy' names template {int(spikes.templates.min())}"
    elif MAP in files and not any(n in files for n in INDEX):
        channels = read_header(files[MAP]).count
        if header.shape[2] != channels:
            problem = f"'{FILE}' has {header.shape[2]} channels, '{MAP}' {channels}"
    if problem is not None:
        complain(problem, "--salvage leaves the waveforms out")
    return problem is None


def read_waveforms(
    files: Mapping[str, Path], spikes: Spikes, clusters: Ints, *, sparse: bool
) -> Waveforms:
    """The mean waveform of each of `clusters`: its spikes' templates, averaged.

    With `sparse` a unit keeps the channels on which the sorter placed its templates: those
    where one is not zero.
    """
    templates = _dense(files)
    support = (templates != 0).any(axis=1)
    templates, said = _unwhitened(files, templates)
    assert spikes.templates is not None
    shares = _shares(spikes.clusters, spikes.templates, clusters)
    whole = np.arange(templates.shape[2])
    channels = [
        np.flatnonzero(support[which].any(axis=0)) if sparse else whole for which, _ in shares
    ]
    width = max((len(c) for c in channels), default=0)
    data = np.full((len(clusters), templates.shape[1], width), np.nan, np.float32)
    for unit, ((which, weights), mine) in enumerate(zip(shares, channels, strict=True)):
        if len(which):
            part = templates[which][:, :, mine]
            mean = part[0] if len(which) == 1 else np.tensordot(weights, part, axes=1)
            data[unit, :, : len(mine)] = mean
    mixed = sum(len(which) > 1 for which, _ in shares)
    parts = [f"the sorter's templates ({FILE})", said]
    if mixed:
        parts.append(f"of units found by several ({mixed}) the mean over their spikes")
    parts.append("arbitrary units that the sorter scales for each spike, not volts")
    parts.append(
        "the channels are the unit's electrodes, NaN beyond them"
        if sparse
        else f"the channels are those of {MAP}, in its order"
        if MAP in files
        else "the channels are in the sorter's own order"
    )
    return Waveforms(data, tuple(channels), "a.u.", "; ".join(parts))


def _shares(
    clusters: Labels, templates: Labels, wanted: Ints
) -> list[tuple[Ints, npt.NDArray[np.float64]]]:
    """Of each wanted cluster: the templates that found its spikes, and their share."""
    n = int(templates.max(initial=0)) + 1
    pairs, counts = _pairs(clusters, templates, wanted, n)
    starts = np.searchsorted(pairs, np.arange(len(wanted) + 1) * n)
    found = []
    for a, b in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True):
        found.append((pairs[a:b] % n, counts[a:b] / max(1, counts[a:b].sum())))
    return found


def _pairs(clusters: Labels, templates: Labels, wanted: Ints, n: int) -> tuple[Ints, Ints]:
    """What pairs ``place in wanted * n + template`` there are, ascending, and how often."""
    place = places(wanted)
    cells = len(wanted) * n
    if cells > _MOST_CELLS:
        codes = place(clusters).astype(np.int64)
        mine = codes < len(wanted)
        pairs, counts = np.unique(codes[mine] * n + templates[mine], return_counts=True)
        return pairs, counts.astype(np.int64)
    table = np.zeros(cells + n, np.int64)  # a last row for clusters that are not wanted
    for part in stretches(len(clusters)):
        codes = place(clusters[part]).astype(np.int64)
        codes *= n
        codes += templates[part]
        counted = np.bincount(codes)
        table[: len(counted)] += counted
    pairs = np.flatnonzero(table[:cells]).astype(np.int64)
    return pairs, table[pairs]


def _dense(files: Mapping[str, Path]) -> npt.NDArray[Any]:
    """Templates on all channels; templates_ind.npy may say which ones a template has.

    There, what is no channel (-1, or one too many) stands for none.
    """
    templates = read_npy(files[FILE])
    name = next((n for n in INDEX if n in files), None)
    if name is None:
        return templates
    index = read_npy(files[name])
    n, _, local = templates.shape
    if index.shape != (n, local):
        raise DamagedInput(f"'{name}' has shape {index.shape}, '{FILE}' needs {(n, local)}")
    n_channels = local if MAP not in files else read_header(files[MAP]).count
    if local == n_channels and (index == np.arange(local)).all():
        return templates
    if MAP not in files:
        raise DamagedInput(f"'{name}' names channels of a '{MAP}', which is missing")
    dense = np.zeros((n, templates.shape[1], n_channels), templates.dtype)
    for template, row in enumerate(index):
        used = (row >= 0) & (row < n_channels)
        if (templates[template][:, ~used] != 0).any():
            raise DamagedInput(
                f"'{FILE}' has template {template} on channel {row[~used][0]:g} ({name}), "
                f"'{MAP}' has {n_channels} channels"
            )
        dense[template][:, row[used].astype(np.intp)] = templates[template][:, used]
    return dense


def _unwhitened(
    files: Mapping[str, Path], templates: npt.NDArray[Any]
) -> tuple[npt.NDArray[Any], str]:
    """Templates without whitening where the folder tells how, and what was done."""
    if INVERSE not in files:
        return templates, f"as stored, in the sorter's whitened space (no {INVERSE})"
    inverse = read_npy(files[INVERSE])
    n = templates.shape[2]
    if inverse.shape != (n, n):
        raise DamagedInput(f"'{INVERSE}' has shape {inverse.shape}, '{FILE}' has {n} channels")
    diagonal = np.diagonal(inverse)
    if np.array_equal(inverse, np.diag(diagonal)) and np.ptp(diagonal) <= 1e-3 * abs(diagonal[0]):
        return templates, (
            f"as stored ({INVERSE} is {diagonal[0]:.6g} times the identity, so that it "
            "undoes no whitening)"
        )
    return templates @ inverse.astype(templates.dtype), f"unwhitened with {INVERSE}"
