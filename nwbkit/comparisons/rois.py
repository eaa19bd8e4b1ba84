"""Masks, traces and summary images of a segmentation."""

from __future__ import annotations

from typing import Any

import numpy as np

from nwbkit.comparisons.arrays import compare_array
from nwbkit.comparisons.base import Comparison, digest_rows
from nwbkit.proving import same_values
from nwbkit.streams import Array, Images, Ragged, Table

#: Pixels are looked at ROI after ROI, about so many at once.
_STRETCH = 1 << 19


def compare_pixel_masks(c: Comparison) -> None:
    """Compare pixel lists with the pixel_mask or voxel_mask that they became."""
    stream = c.stream
    assert isinstance(stream, Ragged)
    group = c.file[c.record.nwb_paths[0]]
    name = "voxel_mask" if "z" in (stream.dtype.names or ()) else "pixel_mask"
    counts = stream.counts()
    if name not in group or f"{name}_index" not in group:
        c.check("masks", f"{name} is missing")
        return
    found = np.diff(group[f"{name}_index"][...].astype(np.int64), prepend=0)
    again = c.reader.reread(stream.id, 0, 0)
    who = "same" if again is None else "independent"
    problem = None
    if not np.array_equal(found, counts):
        problem = f"the ROIs have {_few(found)} pixels, those of the source {_few(counts)}"
    else:
        problem = _pixels(c, group[name], stream, counts, again is not None)
    c.check("masks", problem, reader=who, rows=int(counts.sum()))
    _ids(c, group, len(counts), stream.ids)
    _properties(c, group, stream.properties)


def _few(counts: Any) -> str:
    return f"{', '.join(str(n) for n in counts[:3].tolist())}, ... ({len(counts)} ROIs)"


def _pixels(c: Comparison, dataset: Any, stream: Ragged, counts: Any, again: bool) -> str | None:
    stops = np.cumsum(counts)
    roi = 0
    while roi < len(counts):
        begin = int(stops[roi - 1]) if roi else 0
        last = max(roi + 1, int(np.searchsorted(stops, begin + _STRETCH, side="right")))
        wanted = c.reader.reread(stream.id, roi, last) if again else stream.read(roi, last)
        found = dataset[begin : int(stops[last - 1])]
        for field in stream.dtype.names or ():
            if wanted is None or len(wanted) != len(found):
                return f"of ROIs {roi} to {last - 1} are not as many as in the source"
            same = found[field] == wanted[field]
            if field == "weight":
                same |= np.isnan(found[field]) & np.isnan(wanted[field])
            wrong = np.flatnonzero(~same)
            if wrong.size:
                at = int(np.searchsorted(stops, begin + int(wrong[0]), side="right"))
                return f"{field} of ROI {at} differs"
        roi = last
    return None


def compare_image_masks(c: Comparison) -> None:
    """Compare dense masks with the image_mask that they became."""
    stream = c.stream
    assert isinstance(stream, Array)
    path = c.record.nwb_paths[0]
    again = c.reader.reread(stream.id, 0, 0) is not None
    frames, height, width, *planes = stream.shape

    def read(start: int, stop: int) -> Any:
        rows = c.reader.reread(stream.id, start, stop) if again else stream.read(start, stop)
        # turned here by numpy's own words, and not by the view that convert reads through
        return np.swapaxes(np.asarray(rows), 1, 2)

    shape = (frames, width, height, *planes)
    expected = digest_rows(read, shape, stream.dtype, jobs=c.jobs)
    found = c.digest_at(f"{path}/image_mask")
    difference = "could not be decoded" if found is None else found.compare(expected)
    who = "independent" if again else "same"
    problem = str(difference) if difference is not None else None
    c.check("masks", problem, reader=who, rows=frames)
    _ids(c, c.file[path], frames, stream.channel_names)
    _properties(c, c.file[path], stream.properties)


def _ids(c: Comparison, group: Any, n: int, ids: tuple[str, ...]) -> None:
    found = group["id"][...].tolist()
    numbers = [int(i) for i in ids if i.isdecimal()]
    wanted = numbers if len(set(numbers)) == n else list(range(n))
    c.check("roi ids", None if found == wanted else f"are {found[:3]}, expected {wanted[:3]}")


def _properties(c: Comparison, group: Any, table: Table | None) -> None:
    if table is None:
        return
    rows = table.read()
    problems = []
    for column in table.columns:
        values: Any = rows[column.name]
        if values.dtype == object and len(values) and isinstance(values[0], np.ndarray):
            stops = np.cumsum([len(v) for v in values])
            index = f"{column.name}_index"
            if index not in group or not np.array_equal(group[index][...], stops):
                problems.append(f"column '{index}' differs")
            values = np.concatenate(list(values))
        if column.name not in group:
            problems.append(f"column '{column.name}' is missing")
        elif not same_values(group[column.name], values):
            problems.append(f"column '{column.name}' differs")
    c.check("properties", "; ".join(problems) or None, rows=len(table.columns))


def compare_traces(c: Comparison) -> None:
    """Compare traces with their series, and the ROI that each column is of."""
    compare_array(c)
    stream = c.stream
    assert isinstance(stream, Array)
    for path in c.record.nwb_paths:
        region = c.file[path]["rois"]
        problem = None
        if region[...].tolist() != list(range(stream.shape[1])):
            problem = "the columns are not those of the ROIs in their order"
        elif len(c.file[region.attrs["table"]]["id"]) != stream.shape[1]:
            problem = "the ROIs they refer to are not as many"
        c.check("rois", problem)


def compare_summary(c: Comparison) -> None:
    """Compare every summary image."""
    stream = c.stream
    assert isinstance(stream, Images)
    group = c.file[c.record.nwb_paths[0]]
    for name in stream.names:
        problem = None
        if name not in group:
            problem = "is missing"
        elif not same_values(group[name], np.asarray(stream.read(name)).T):
            problem = "differs"
        c.check(f"image {name}", problem, rows=1)
