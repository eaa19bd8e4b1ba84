"""What the segmentation formats share: mask types, streams over arrays, the movie's plane."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nwbkit.errors import DamagedInput
from nwbkit.formats.segmentation._finding import NAMED
from nwbkit.streams import Array, Column, Images, Ragged, Segment, Table, Timebase
from nwbkit.streams.kinds import AnyArray

if TYPE_CHECKING:
    from nwbkit.formats.base import Reader, Relation

#: NWB's pixel_mask and voxel_mask, element by element.
PIXEL: np.dtype[Any] = np.dtype([("x", "<u4"), ("y", "<u4"), ("weight", "<f4")])
VOXEL: np.dtype[Any] = np.dtype([("x", "<u4"), ("y", "<u4"), ("z", "<u4"), ("weight", "<f4")])
#: Roles of streams that a plane is imaged by.
MOVIES = ("two_photon", "one_photon")
NAMES = {
    "raw": "RoiResponseSeries",
    "neuropil": "Neuropil",
    "deconvolved": "Deconvolved",
    "denoised": "Denoised",
    "baseline": "Baseline",
    "dff": "RoiResponseSeries",
}


class Masks(Ragged):
    """Pixel lists of ROIs, read item by item from `items`, a function of first and last ROI."""

    def __init__(
        self,
        counts: npt.NDArray[np.int64],
        items: Callable[[int, int], AnyArray],
        **facts: Any,
    ) -> None:
        shape = facts["image_shape"]
        super().__init__(
            role="masks",
            dtype=VOXEL if len(shape) == 3 else PIXEL,
            unit="pixels",
            **facts,
        )
        self._counts = counts
        self._items = items

    def counts(self) -> npt.NDArray[np.int64]:
        """Pixels of each ROI, shape (rois,)."""
        return self._counts

    def read(self, start: int, stop: int) -> AnyArray:
        """Pixels of the ROIs ``start..stop``, one after the other."""
        return self._items(start, stop)


class DenseMasks(Array):
    """Pixel lists as images, shape (rois, height, width[, planes]), float32, 0 outside."""

    def __init__(self, masks: Masks) -> None:
        assert masks.image_shape is not None
        super().__init__(
            id=masks.id,
            name=masks.name,
            role="masks",
            description=masks.description,
            nwb_name=masks.nwb_name,
            facts=masks.facts,
            shape=(len(masks.ids), *masks.image_shape),
            dtype=np.dtype("<f4"),
            plane=masks.plane,
            properties=masks.properties,
            channel_names=masks.ids,
            concurrency=masks.concurrency,
        )
        self.masks = masks

    def read(self, start: int, stop: int, out: AnyArray | None = None) -> AnyArray:
        """The images of the ROIs ``start..stop``."""
        if out is None:
            out = np.empty((stop - start, *self.shape[1:]), self.dtype)
        out[...] = 0
        pixels = self.masks.read(start, stop)
        which = np.repeat(np.arange(stop - start), self.masks.counts()[start:stop])
        place = (which, pixels["y"], pixels["x"])
        out[(*place, pixels["z"]) if pixels.dtype == VOXEL else place] = pixels["weight"]
        return out


class Rows(Table):
    """A table whose columns are in memory."""

    def __init__(self, id: str, columns: Sequence[tuple[Column, AnyArray]]) -> None:
        super().__init__(
            id=id, name=id, role="properties", columns=tuple(column for column, _ in columns)
        )
        self._values = {column.name: values for column, values in columns}

    def read(self) -> dict[str, AnyArray]:
        """All columns by name, one row a ROI."""
        return self._values


class Pictures(Images):
    """Pictures that functions read; `meanings` says what some of them are."""

    def __init__(
        self,
        read: Mapping[str, Callable[[], AnyArray]],
        meanings: Mapping[str, str] | None = None,
        **facts: Any,
    ) -> None:
        super().__init__(role="summary", names=tuple(read), **facts)
        self._read = dict(read)
        self.meanings = dict(meanings or {})

    def read(self, name: str) -> AnyArray:
        """One picture, shape (height, width)."""
        return self._read[name]()


def prop(name: str, values: Any, description: str) -> tuple[Column, AnyArray]:
    """A property of each ROI, with the segmenter's own name."""
    return Column(name, "property", "", description), np.asarray(values)


def regular(clock: str, frames: int, rate: float | None) -> Timebase | None:
    """Frames at a constant rate from the clock's zero; None where the rate is not known."""
    if rate is None:
        return None
    return Timebase(clock, (Segment(0, frames, 0.0, float(rate)),))


def checked_rate(value: Any, where: str) -> float | None:
    """A frame rate as the files give it; None where they give none.

    Raises
    ------
    nwbkit.errors.DamagedInput
        Where it cannot be one.
    """
    try:
        rate = float(np.asarray(value).item())
    except (TypeError, ValueError):
        return None
    if not np.isfinite(rate) or rate <= 0:
        raise DamagedInput(
            f"{where} is {rate}, which is no frame rate", hint="--set SOURCE.rate=HZ"
        )
    return rate


def from_flat(
    pixels: npt.NDArray[Any], weights: npt.NDArray[Any], shape: Sequence[int]
) -> AnyArray:
    """Masks of pixels that are numbered column by column (Fortran order) in `shape`.

    `shape` is (height, width[, planes]): pixel ``y + x * height + z * height * width``.
    """
    height, width = int(shape[0]), int(shape[1])
    made = np.empty(len(pixels), VOXEL if len(shape) == 3 else PIXEL)
    made["y"] = pixels % height
    made["x"] = pixels // height % width
    if len(shape) == 3:
        made["z"] = pixels // (height * width)
    made["weight"] = weights
    return made


def plane_id(source_id: str, plane: str) -> str:
    """Id of a plane under the metadata's ImagingPlanes."""
    return f"{source_id}_{plane}"


def take_plane(
    reader: Reader, relation: Relation, other: Reader, height: int, width: int, frames: int
) -> tuple[str | None, Timebase | None]:
    """Which plane and times of `other`'s movies ROIs in such an image, of so many frames, have.

    Returns
    -------
    plane : str or None
        The movie's plane, where exactly one fits: by size and number of frames; by size alone
        where the segmentation's files name the movie, of which it may be a part.
    timebase : Timebase or None
        The movie's, where the frames are as many.
    """
    movies = [
        s
        for s in other.streams
        if isinstance(s, Array) and s.role in MOVIES and tuple(s.shape[1:3]) == (height, width)
    ]
    if not movies:
        reader.notes.append(
            f"no movie of '{other.source.id}' has frames of {width} x {height} pixels: "
            "its plane and clock are not taken over"
        )
        return None, None
    timed = [s for s in movies if s.n_samples == frames]
    if not timed:
        counts = ", ".join(str(n) for n in sorted({s.n_samples for s in movies}))
        reader.notes.append(
            f"the movie of '{other.source.id}' has {counts} frames and the traces {frames}: "
            "its clock is not taken over"
        )
        if not relation.evidence.startswith(NAMED):
            return None, None
    fitting = timed or movies
    planes = {s.plane or other.source.id for s in fitting}
    bases = {(s.timebase.clock, s.timebase.segments) for s in timed if s.timebase is not None}
    plane = planes.pop() if len(planes) == 1 else None
    if plane is None:
        reader.notes.append(
            f"several planes of '{other.source.id}' have this size: "
            "name one with --set-meta 'Streams.ADDRESS.imaging_plane=PLANE'"
        )
    timebase = timed[0].timebase if len(bases) == 1 else None
    return plane, timebase


def take_times(reader: Reader, traces: Sequence[Array], timebase: Timebase) -> None:
    """Give `traces` the movie's times, and say so where another rate was known."""
    said = {t.timebase.rate for t in traces if t.timebase is not None} - {None}
    movie = timebase.rate
    for rate in sorted(r for r in said if r is not None):
        if movie is not None and abs(rate - movie) > 1e-3 * movie:
            reader.notes.append(
                f"the rate of {rate:g} Hz stands back: frames have the times of the movie, "
                f"{movie:g} Hz"
            )
    for trace in traces:
        trace.timebase = timebase


class InMemory(Array):
    """An array that is in memory already."""

    def __init__(self, id: str, values: AnyArray, **facts: Any) -> None:
        super().__init__(id=id, name=id, shape=values.shape, dtype=values.dtype, **facts)
        self._array = values

    def read(self, start: int, stop: int, out: AnyArray | None = None) -> AnyArray:
        """The rows ``start..stop``."""
        if out is None:
            return np.ascontiguousarray(self._array[start:stop])
        np.copyto(out, self._array[start:stop])
        return out
