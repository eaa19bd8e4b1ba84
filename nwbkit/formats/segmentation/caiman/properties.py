"""What CaImAn says of each component, as columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nwbkit.errors import DamagedInput
from nwbkit.formats.segmentation._hdf5 import is_array
from nwbkit.formats.segmentation._rois import prop
from nwbkit.streams import Column
from nwbkit.streams.kinds import AnyArray

if TYPE_CHECKING:
    from nwbkit.formats.segmentation.caiman.reader import CaimanReader

#: caiman/source_extraction/cnmf/estimates.py
_MEANING = {
    "SNR_comp": "signal to noise ratio of the trace",
    "r_values": "space correlation of the footprint with the data when it is active",
    "cnn_preds": "probability of being a neuron, by CaImAn's convolutional network",
    "ecc": "eccentricity of the footprint",
    "bl": "baseline of the trace",
    "c1": "initial value of the trace",
    "g": "time constants of the trace (coefficients of the autoregression)",
    "neurons_sn": "noise standard deviation of the trace",
    "lam": "penalty of the deconvolution",
}


def properties(reader: CaimanReader, n: int) -> list[tuple[Column, AnyArray]]:
    """Acceptance, where components were evaluated, and one column a quality that is there."""
    found: list[tuple[Column, AnyArray]] = []
    accepted = _accepted(reader, n)
    if accepted is not None:
        found.append(
            prop("is_accepted", accepted, "whether the component was accepted (idx_components)")
        )
    centres: Any = reader.file.dataset("estimates/center")
    if is_array(centres) and centres.shape == (n, len(reader.shape)):
        order = [1, 0, 2][: len(reader.shape)]
        described = "centre of the footprint (center) as x, y" + (", z" * (len(order) == 3))
        found.append(prop("ROICentroids", centres[...][:, order], described))
    for name, meaning in _MEANING.items():
        values = _values(reader.file.find(f"estimates/{name}"), n)
        if values is not None:
            found.append(prop(name, values, meaning))
    return found


def _accepted(reader: CaimanReader, n: int) -> AnyArray | None:
    indices: Any = reader.file.dataset("estimates/idx_components")
    bad: Any = reader.file.dataset("estimates/idx_components_bad")
    if not _is_list(indices):
        return None
    chosen = indices[...].astype(np.int64)
    rejected = bad[...].astype(np.int64) if _is_list(bad) else np.empty(0, np.int64)
    both = np.concatenate([chosen, rejected])
    if both.size and not 0 <= both.min() <= both.max() < n:
        raise DamagedInput(
            f"'{reader.path.name}': idx_components names component {int(both.max())}, there are {n}"
        )
    if not len(chosen) and not len(rejected) and n:
        return None  # both empty: nothing was evaluated
    accepted = np.zeros(n, bool)
    accepted[chosen] = True
    return accepted


def _is_list(found: Any) -> bool:
    """Whether a dataset is a list of numbers, perhaps an empty one; None is a text instead."""
    return (
        found is not None
        and found.shape is not None
        and (len(found.shape) == 1 and found.dtype.kind in "iuf")
    )


def _values(found: Any, n: int) -> AnyArray | None:
    """One number (or row of numbers) a component; texts of numbers are read as such."""
    if found is None or not hasattr(found, "dtype") or not found.shape or found.shape[0] != n:
        return None
    if found.dtype.kind == "S":
        try:
            return np.array([float(text) for text in found[...].tolist()])
        except ValueError:
            return None
    if found.dtype.kind not in "biuf" or found.ndim > 2 or not found.size:
        return None
    values: AnyArray = found[...]
    return values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values
