"""Writer of ROI traces: RoiResponseSeries in Fluorescence or DfOverF of processing/ophys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nwbkit.errors import MissingFact
from nwbkit.nwb.rois import ophys
from nwbkit.nwb.series import common_arguments, parts, single_scale
from nwbkit.streams import Array

if TYPE_CHECKING:
    from nwbkit.nwb.assemble import Assembler

#: Names that readers of NWB look for (roiextractors, NWB GUIDE), by what the traces are.
NAMES = {
    "raw": "RoiResponseSeries",
    "dff": "RoiResponseSeries",
    "neuropil": "Neuropil",
    "deconvolved": "Deconvolved",
    "denoised": "Denoised",
    "baseline": "Baseline",
}


def write_traces(assembler: Assembler, address: str, stream: Array) -> list[str]:
    """Write the traces of one segmentation; returns the NWB paths.

    Raises
    ------
    nwbkit.errors.MissingFact
        Where nobody knows the frame rate, or the ROIs are left out of the file.
    """
    from pynwb.ophys import DfOverF, Fluorescence, RoiResponseSeries

    source = address.partition("/")[0]
    if stream.timebase is None:
        raise MissingFact(
            f"stream '{address}' has no frame rate",
            hint=f"--set {source}.rate=HZ, with the frames per second of one plane",
        )
    kind = DfOverF if stream.quantity == "dff" else Fluorescence
    place = f"processing/ophys/{kind.__name__}"
    facts = assembler.stream_facts(address)
    paths = []
    for name, part in parts(assembler, address, stream, NAMES.get(stream.quantity or "", "Traces")):
        assembler.taken(place).claim(name, address)
        arguments = common_arguments(assembler, address, part, name, facts)
        arguments["conversion"], arguments["offset"] = single_scale(address, part)
        arguments["rois"] = _region(assembler, address, stream, f"/{place}/{name}")
        series = RoiResponseSeries(**arguments, unit=stream.unit)
        module = ophys(assembler)
        if kind.__name__ not in module.data_interfaces:
            module.add(kind(name=kind.__name__))
        module.data_interfaces[kind.__name__].add_roi_response_series(series)
        assembler.remember_times(part.timebase, series)
        paths.append(f"/{place}/{name}")
    return paths


def _region(assembler: Assembler, address: str, stream: Array, path: str) -> Any:
    """All ROIs of the segmentation, in order: they are the columns of the traces."""
    from hdmf.common import DynamicTableRegion

    source = address.partition("/")[0]
    masks = f"{source}/{stream.rois}"
    table = assembler.objects.get(masks)
    if table is None:
        raise MissingFact(
            f"the ROIs of '{address}' ('{masks}') are left out, and NWB has no traces without",
            hint=f"--exclude '{address}' as well",
        )
    rows = np.arange(stream.shape[1])
    assembler.expected[f"{path}/rois"] = rows
    return DynamicTableRegion(
        name="rois", description="the ROI of each column", data=rows, table=table
    )
