"""Writer of ROI masks: PlaneSegmentation in processing/ophys/ImageSegmentation.

Pixel lists become ``pixel_mask`` (``voxel_mask`` of volumes), with x along the width; dense masks
become ``image_mask`` of shape (roi, width, height[, planes]), as NWB's schema says (num_roi,
num_x, num_y) and as movies are stored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nwbkit.nwb.columns import column
from nwbkit.nwb.compound import allow_holes
from nwbkit.nwb.units import ids_of
from nwbkit.streams import Array, Ragged, Table
from nwbkit.streams.kinds import AnyArray
from nwbkit.streams.turned import Turned

if TYPE_CHECKING:
    from pynwb import ProcessingModule

    from nwbkit.nwb.assemble import Assembler

PLACE = "processing/ophys/ImageSegmentation"
#: More than this is read in several pieces; one ROI is read whole.
_PIECE_BYTES = 4 << 20


class FlatMasks(Array):
    """The pixels of all ROIs, one after the other, read by way of the ROIs they belong to."""

    def __init__(self, masks: Ragged) -> None:
        self.stops = np.cumsum(masks.counts())
        super().__init__(
            id=f"{masks.id}-pixels",
            name="pixel_mask",
            role="values",
            shape=(int(self.stops[-1]) if len(self.stops) else 0,),
            dtype=masks.dtype,
            unit="pixels",
            concurrency=masks.concurrency,
        )
        self.masks = masks

    def read(self, start: int, stop: int, out: AnyArray | None = None) -> AnyArray:
        """The pixels ``start..stop``."""
        if out is None:
            out = np.empty(stop - start, self.dtype)
        at = start
        while at < stop:
            first = int(np.searchsorted(self.stops, at, side="right"))
            limit = min(stop, at + max(1, _PIECE_BYTES // self.dtype.itemsize))
            last = max(first + 1, int(np.searchsorted(self.stops, limit, side="right")))
            begin = int(self.stops[first - 1]) if first else 0
            part = self.masks.read(first, last)
            taken = part[at - begin : stop - begin]
            out[at - start : at - start + len(taken)] = taken
            if not len(taken):
                return out[: at - start]
            at += len(taken)
        return out


def write_pixel_masks(assembler: Assembler, address: str, stream: Ragged) -> list[str]:
    """Write pixel or voxel lists; returns the NWB path."""
    from hdmf.common import VectorData, VectorIndex

    allow_holes()
    name = "voxel_mask" if "z" in (stream.dtype.names or ()) else "pixel_mask"
    path = _path(assembler, address, stream)
    flat = FlatMasks(stream)
    data = assembler.hole(f"{address}:{name}", name, flat)
    described = f"{name[:5]}s of each ROI: x along the width, y along the height, weight"
    masks = VectorData(name=name, description=described, data=data)
    stops = flat.stops.astype(np.uint64)
    index = VectorIndex(name=f"{name}_index", target=masks, data=stops)
    assembler.expected[f"{path}/{name}_index"] = stops
    return _table(assembler, address, stream, path, ids_of(stream), [index, masks], [name])


def write_image_masks(assembler: Assembler, address: str, stream: Array) -> list[str]:
    """Write dense masks; returns the NWB path."""
    from hdmf.common import VectorData

    path = _path(assembler, address, stream)
    # each mask is turned as it is read: 2,000 of them never lie in memory together
    data = assembler.hole(f"{address}:image_mask", "image_mask", turned_masks(stream))
    described = "weight of each pixel of the image, width before height, in each ROI"
    masks = VectorData(name="image_mask", description=described, data=data)
    ids = _row_ids(stream)
    return _table(assembler, address, stream, path, ids, [masks], ["image_mask"])


def turned_masks(stream: Array) -> Array:
    """Dense masks as NWB stores them: (roi, width, height[, planes])."""
    return Turned(stream)


def _row_ids(stream: Array) -> npt.NDArray[np.int64]:
    """The segmenter's own ids where they are whole numbers, else 0, 1, ..."""
    names = stream.channel_names
    if len(names) == stream.shape[0] and all(n.isdecimal() and len(n) < 19 for n in names):
        numbers = np.array([int(n) for n in names], np.int64)
        if len(np.unique(numbers)) == len(numbers):
            return numbers
    return np.arange(stream.shape[0])


def _path(assembler: Assembler, address: str, stream: Ragged | Array) -> str:
    facts = assembler.stream_facts(address)
    name = str(facts.get("name") or stream.nwb_name or "PlaneSegmentation")
    assembler.taken(PLACE).claim(name, address)
    return f"/{PLACE}/{name}"


def _table(
    assembler: Assembler,
    address: str,
    stream: Ragged | Array,
    path: str,
    ids: npt.NDArray[np.int64],
    columns: list[Any],
    names: list[str],
) -> list[str]:
    from pynwb.ophys import ImageSegmentation, PlaneSegmentation

    facts = assembler.stream_facts(address)
    more, more_names = property_columns(assembler, path, stream.properties)
    said = str(facts.get("description") or stream.description or "regions of interest")
    description = [said, *(str(facts[k]) for k in ("comments",) if facts.get(k))]
    table = PlaneSegmentation(
        name=path.rpartition("/")[2],
        description=". ".join(description),
        imaging_plane=assembler.planes.of_stream(address, stream),
        id=ids,
        columns=[*columns, *more],
        colnames=[*names, *more_names],
    )
    assembler.expected[f"{path}/id"] = ids
    module = ophys(assembler)
    if "ImageSegmentation" not in module.data_interfaces:
        module.add(ImageSegmentation(name="ImageSegmentation"))
    module.data_interfaces["ImageSegmentation"].add_plane_segmentation(table)
    assembler.objects[address] = table
    assembler.rows[address] = len(ids)
    return [path]


def ophys(assembler: Assembler) -> ProcessingModule:
    """The processing module of what was computed from movies."""
    return assembler.module("ophys", "processed optical physiology data")


def property_columns(
    assembler: Assembler, path: str, table: Table | None
) -> tuple[list[Any], list[str]]:
    """One column a property; values that are arrays themselves become an indexed column."""
    from hdmf.common import VectorData, VectorIndex

    columns: list[Any] = []
    names: list[str] = []
    if table is None:
        return columns, names
    rows = table.read()
    for one in table.columns:
        values: Any = rows[one.name]
        described = one.description or one.name
        stops = None
        if values.dtype == object and len(values) and isinstance(values[0], np.ndarray):
            stops = np.cumsum([len(v) for v in values]).astype(np.uint64)
            values = np.concatenate(list(values))
        elif values.dtype == object:
            values = [str(v) for v in values]
        assembler.expected[f"{path}/{one.name}"] = values
        made = column(VectorData, name=one.name, description=described, data=values)
        if stops is not None:
            assembler.expected[f"{path}/{one.name}_index"] = stops
            columns.append(VectorIndex(name=f"{one.name}_index", target=made, data=stops))
        columns.append(made)
        names.append(one.name)
    return columns, names
