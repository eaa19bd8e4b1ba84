"""What Suite2p says of each ROI, as columns."""

from __future__ import annotations

from typing import Any

import numpy as np

from nwbkit.formats.segmentation._rois import prop
from nwbkit.formats.segmentation.suite2p.plane import Plane
from nwbkit.streams import Column
from nwbkit.streams.kinds import AnyArray

#: suite2p/detection/stats.py and the documentation of outputs; others are named as they are.
_MEANING = {
    "npix": "number of pixels",
    "npix_soma": "number of pixels of the soma",
    "npix_norm": "number of pixels over the mean of all ROIs",
    "npix_norm_no_crop": "number of pixels over the mean of all ROIs, before cropping to the soma",
    "footprint": "spatial extent of the ROI's functional signal",
    "mrs": "mean distance of the pixels from the centre over that of a disk",
    "mrs0": "mean distance of the pixels of a disk of the same size from its centre",
    "compact": "how compact the ROI is: 1 is a disk",
    "solidity": "ratio of soma pixels to the area of their convex hull",
    "radius": "radius of a Gaussian fitted to the mask, in pixels",
    "aspect_ratio": "ratio of the axes of a Gaussian fitted to the mask",
    "skew": "skewness of the neuropil-corrected trace",
    "std": "standard deviation of the neuropil-corrected trace",
    "snr": "signal to noise ratio of the trace",
    "iplane": "index of the plane in which the ROI was found",
    "chan2_prob": "probability that the ROI is seen in the second channel",
}
#: One value a pixel: kept as lists.
_PER_PIXEL = {
    "overlap": "for each pixel whether another ROI has it too",
    "soma_crop": "for each pixel whether it belongs to the soma",
}
#: Kept in the masks themselves; and what NWB's own parts of such a table are called.
_MASK = frozenset({"ypix", "xpix", "lam", "med"})
_RESERVED = frozenset(
    {"id", "name", "description", "columns", "colnames", "imaging_plane", "reference_images"}
    | {"image_mask", "pixel_mask", "voxel_mask", "pixel_mask_index", "voxel_mask_index"}
)


def properties(plane: Plane) -> list[tuple[Column, AnyArray]]:
    """Acceptance and probability, then each number that stat.npy holds of every ROI."""
    found: list[tuple[Column, AnyArray]] = []
    for name, table, flag, chance in (
        ("iscell", plane.iscell, "is_accepted", "cell_probability"),
        ("redcell", plane.redcell, "is_red", "red_probability"),
    ):
        if table is None:
            continue
        what = "a cell" if name == "iscell" else "red"
        found.append(prop(flag, table[:, 0] > 0, f"whether the ROI is {what} ({name}.npy)"))
        if table.shape[1] > 1:
            described = f"probability of being {what} ({name}.npy)"
            found.append(prop(chance, table[:, 1].astype(np.float64), described))
    centres = _centres(plane)
    if centres is not None:
        found.append(prop("ROICentroids", centres, "median pixel (med) of the ROI as x, y"))
    taken = {column.name for column, _ in found}
    for key in dict.fromkeys(k for roi in plane.stat for k in roi):
        if key in _MASK | _RESERVED or key in taken or not isinstance(key, str):
            continue
        values = _per_pixel(plane, key) if key in _PER_PIXEL else _numbers(plane, key)
        if values is not None:
            meaning = _PER_PIXEL.get(key) or _MEANING.get(key) or f"Suite2p's '{key}' of the ROI"
            found.append(prop(key.replace("/", "-"), values, meaning))
    return found


def _centres(plane: Plane) -> AnyArray | None:
    try:
        centres = np.array([[float(v) for v in roi["med"]][::-1] for roi in plane.stat])
    except (KeyError, TypeError, ValueError):
        return None
    return centres if centres.shape == (len(plane.stat), 2) else None


def _numbers(plane: Plane, key: str) -> AnyArray | None:
    """A number a ROI; NaN where a ROI has none; None where it is not a number."""
    values: list[Any] = []
    for roi in plane.stat:
        value = roi.get(key, np.nan)
        if isinstance(value, np.ndarray) and value.ndim == 0:
            value = value.item()
        if not isinstance(value, bool | int | float | np.bool_ | np.integer | np.floating):
            return None
        values.append(value)
    made = np.array(values)
    return made if made.dtype.kind in "biuf" else None


def _per_pixel(plane: Plane, key: str) -> AnyArray | None:
    """Object array of one array a ROI, as long as its pixels; None where they are not."""
    made = np.empty(len(plane.stat), object)
    for index, roi in enumerate(plane.stat):
        value = np.asarray(roi.get(key, ())).reshape(-1)
        if value.size != np.size(roi["ypix"]):
            return None
        made[index] = value.astype(bool)
    return made
