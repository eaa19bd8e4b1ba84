"""What the segmentation samples hold, read from their bytes with numpy, h5py and scipy alone.

stat.npy and ops.npy were read with ``numpy.load(allow_pickle=True)``; pixels are given as (x, y,
weight).
"""

from __future__ import annotations

from typing import Any

#: By plane: ROIs, pixels, of the first ROIs, first and last pixel, accepted, red, image values at
#: row 3, column 7; traces: shape (frames, ROIs), first, last, that of frame 2 in ROI 1.
SUITE2P: dict[str, dict[str, Any]] = {
    "plane0": {
        "rois": 15,
        "pixels": 1544,
        "counts": [74, 170, 163],
        "first": (58, 82, 0.004441145807504654),
        "last": (44, 78, 0.009022600017488003),
        "centre": (58.0, 86.5),
        "accepted": 7,
        "red": 4,
        "probability": 0.9091238218777077,
        "images": {
            "mean": 441.74,
            "correlation": 1.0168131052151115,
            "maximum_projection": 448.1000061035156,
        },
        "traces": {
            "F": (489.09222412109375, 423.0762634277344, 446.75372314453125),
            "Fneu": (451.5610046386719, 444.5412292480469, 456.0241394042969),
            "spks": (0.0, 0.5787202715873718, 0.0),
            "F_chan2": (486.0266418457031, 425.725341796875, 439.4903869628906),
        },
    },
    "plane1": {
        "rois": 25,
        "pixels": 2327,
        "counts": [81, 149, 57],
        "first": (58, 82, 0.004867463372647762),
        "last": (98, 122, 0.009605406783521175),
        "centre": (58.0, 86.0),
        "accepted": 7,
        "red": 9,
        "probability": 0.9526943250057057,
        "images": {
            "mean": 441.67333333333335,
            "correlation": 1.6731724911201291,
            "maximum_projection": 447.20001220703125,
        },
        "traces": {
            "F": (482.8942565917969, 379.0874938964844, 442.62908935546875),
            "Fneu": (443.8351745605469, 401.2585144042969, 451.5744323730469),
            "spks": (0.0, 0.04730302095413208, 0.0),
            "F_chan2": (488.093017578125, 372.9066162109375, 449.0652770996094),
        },
    },
}
#: The view of both planes on one canvas.
COMBINED = {"rois": 40, "pixels": 3871, "last": (226, 122, 0.009605406783521175), "width": 256}

CAIMAN: dict[str, Any] = {
    "rois": 72,
    "pixels": 25527,
    "counts": [312, 312],
    "first": (15, 12, 0.07281302903557062),
    "last": (15, 30, 0.007672812642329408),
    "rate": 30.0,
    "noise_sd": 4.377147674560547,  # row 3, column 7
    "background": 0.0064869912398232,  # the same of the second component
    "bl": 11.86078179925275,
    "g": 0.68875033,
    "traces": {
        "C": (98.3260231403036, 38.813390279873104, 33.378100031440546),
        "S": (0.0, 0.0, 0.0),
        "F_dff": (0.024662777211947335, -0.01336745074511085, 0.004602377511656125),
        "raw": (
            98.3260231403036 + 10.837297137828529,
            38.813390279873104 - 64.60461888202653,
            33.378100031440546 - 2.7259119196322357,
        ),
    },
}

EXTRACT: dict[str, Any] = {
    "rois": 20,
    "frames": 2000,
    "size": (50, 50),
    "sum": 81.85997009277344,
    "pixel": ((3, 27), 0.0023668795),  # (x, y) of the first pixel above 0 in the first mask
    "trace": (-0.014050012, -0.0047868383, -0.0015160597),
    "summary_image": 0.10205817222595215,  # row 3, column 7
    "metrics": (15.68710709, 0.03865971),
    "version": "1.1.0",
}
