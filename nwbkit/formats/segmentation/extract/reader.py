"""EXTRACT's results as streams.

Facts of the format: schnitzer-lab/EXTRACT-public, extractor.m (spatial_weights is height x width x
cells, temporal_weights frames x cells) and EXTRACT_output_to_nwb.m (traces are dF/F where
config.preprocess is set); calciumImagingAnalysis (filters as spatial_weights, traces cells x
frames). HDF5 has MATLAB's axes in reverse order.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from nwbkit.errors import DamagedInput
from nwbkit.formats.base import Reader, Relation, Source
from nwbkit.formats.io.mat import MatFile, Sparse, Unread, number, text
from nwbkit.formats.segmentation._hdf5 import Compressed, Traces, is_array, slab
from nwbkit.formats.segmentation._rois import (
    NAMES,
    InMemory,
    Masks,
    Pictures,
    Rows,
    checked_rate,
    plane_id,
    prop,
    regular,
    take_plane,
    take_times,
)
from nwbkit.formats.segmentation.extract.look import NEW, NEW_NAME, OLD, OLD_NAME
from nwbkit.streams import Array, Clock, Column
from nwbkit.streams.kinds import AnyArray

_PICTURES = ("summary_image", "F_per_pixel", "max_image")
_MEANINGS = {
    "summary_image": "EXTRACT's summary image of the preprocessed movie",
    "F_per_pixel": "baseline fluorescence of each pixel",
    "max_image": "maximum of each pixel over time",
}
#: Of masks that are kept between two reads.
KEPT_BYTES = 64 << 20
_FACTS = ("trace_output_option", "avg_cell_radius", "downsample_time_by", "downsample_space_by")
_CHECKS = {
    "is_bad": "whether EXTRACT's quality check found the cell bad",
    "is_attr_bad": "for each attribute of the quality check whether it was found bad",
    "metrics": "the metrics of the quality check",
}


class Filters(Array):
    """Masks in MATLAB's HDF5 order, (cells, width, height), as (cells, height, width).

    MATLAB's chunks span many cells or all of them: read a few cells at a time, every chunk would
    be inflated over and over. A stretch of cells is kept instead.
    """

    def __init__(self, dataset: Any, where: str, **facts: Any) -> None:
        shape = dataset.shape if dataset.ndim == 3 else (1, *dataset.shape)
        super().__init__(
            role="masks",
            shape=(shape[0], shape[2], shape[1]),
            dtype=dataset.dtype.newbyteorder("<"),
            concurrency="hdf5",
            **facts,
        )
        self._dataset, self._where = dataset, where
        cell = max(1, int(np.prod(shape[1:])) * self.dtype.itemsize)
        chunks = dataset.chunks
        #: Cells that are read at once; 0 where chunks hold one cell each.
        self._stretch = max(1, KEPT_BYTES // cell) if chunks and chunks[0] > 1 else 0
        self._kept: tuple[int, AnyArray] | None = None

    def _rows(self, start: int, stop: int) -> AnyArray:
        """Cells ``start..stop`` as they lie, from what is kept where that holds them."""
        if not self._stretch:
            return slab(self._dataset, (slice(start, stop),), self._where)
        first = self._kept[0] if self._kept is not None else -1
        if self._kept is None or not first <= start <= stop <= first + len(self._kept[1]):
            first = start - start % self._stretch
            last = max(stop, min(first + self._stretch, self.shape[0]))
            self._kept = None  # the old stretch goes before the new one comes
            self._kept = (first, slab(self._dataset, (slice(first, last),), self._where))
        return self._kept[1][start - first : stop - first]

    def read(self, start: int, stop: int, out: AnyArray | None = None) -> AnyArray:
        """The masks ``start..stop``."""
        if self._dataset.ndim == 3:
            part = self._rows(start, stop)
        else:
            part = slab(self._dataset, (slice(None),), self._where)[None][start:stop]
        part = np.swapaxes(part, 1, 2)
        if out is None:
            return np.ascontiguousarray(part, self.dtype)
        np.copyto(out, part)
        return out


class ExtractReader(Reader):
    """Opens one .mat file."""

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self.path = source.paths[0]
        self._place = plane_id(source.id, "plane")
        self._taken = False
        self.file = MatFile(self.path)
        try:
            self._build()
        except BaseException as error:
            self.file.__exit__(type(error), error, error.__traceback__)
            raise
        if self.file.version == "5":
            self.file.close()

    def close(self) -> None:
        """Close the file."""
        self.file.close()

    def _build(self) -> None:
        self._name, (spatial, temporal) = self._variable()
        self.clock = Clock(f"{self.source.id}/frames", "frames of the movie; zero is the first one")
        self.clocks.append(self.clock)
        masks = self._masks(spatial)
        n = len(masks.ids) if isinstance(masks, Masks) else masks.shape[0]
        trace = self._trace(temporal, n)
        masks.properties = Rows("masks_properties", self._checks(n))
        self.streams += [masks, trace]
        pictures = self._pictures()
        if pictures:
            self.streams.append(
                Pictures(
                    pictures,
                    id="images",
                    name="info",
                    nwb_name="SegmentationImages",
                    plane=self._place,
                    description="Summary images that EXTRACT made of the movie",
                    meanings=_MEANINGS,
                )
            )

    def _variable(self) -> tuple[str, tuple[str, str]]:
        given = self.source.options.get("variable")
        names = [str(given)] if given else [NEW_NAME, OLD_NAME, *self.file.names()]
        for name in names:
            for fields in (NEW, OLD):
                if all(self._has(name, field) for field in fields):
                    return name, fields
        what = f"no struct '{given}'" if given else "no struct"
        raise DamagedInput(
            f"'{self.path.name}' holds {what} with spatial_weights and temporal_weights",
            hint=f"--set {self.source.id}.variable=NAME; there are {', '.join(self.file.names())}",
        )

    def _has(self, name: str, field: str) -> bool:
        if self.file.hdf5 is not None:
            return self.file.hdf5.find(f"{name}/{field}") is not None
        return isinstance(self._whole(name), dict) and field in self._whole(name)

    def _whole(self, name: str) -> Any:
        """A variable of versions 5 to 7, read once."""
        kept: dict[str, Any] = self.__dict__.setdefault("_read", {})
        if name not in kept:
            kept[name] = self.file.get(name)
        return kept[name]

    def _field(self, *path: str) -> Any:
        """A small field of the struct; None where it is absent."""
        if self.file.hdf5 is not None:
            return self.file.get("/".join((self._name, *path)))
        value = self._whole(self._name)
        for part in path:
            value = value.get(part) if isinstance(value, dict) else None
        return value

    def _large(self, field: str) -> Any:
        """A large field: a dataset of version 7.3, else what was read."""
        if self.file.hdf5 is None:
            return self._whole(self._name)[field]
        found = self.file.hdf5.find(f"{self._name}/{field}")
        return found if is_array(found) and not _is_object(found) else self._field(field)

    def _masks(self, field: str) -> Filters | InMemory | Masks:
        found = self._large(field)
        where = f"{self.path.name}/{self._name}/{field}"
        facts: dict[str, Any] = {
            "id": "masks",
            "nwb_name": "PlaneSegmentation",
            "plane": self._place,
            "description": "Spatial weights of the cells that EXTRACT found",
        }
        shown = self._facts()
        if isinstance(found, Sparse):
            return self._sparse(found, where, name=field, facts=shown, **facts)
        if isinstance(found, Unread) or found is None:
            raise DamagedInput(
                f"'{where}' is an object that only MATLAB can read (ndSparse)",
                hint=f"in MATLAB: {self._name}.{field} = full({self._name}.{field}); "
                f"save FILE {self._name} -v7.3",
            )
        if hasattr(found, "id"):  # a dataset
            if found.ndim not in (2, 3):
                raise DamagedInput(f"'{where}' has {found.ndim} axes, expected 3")
            return Filters(found, where, name=field, facts=shown, **facts)
        if not isinstance(found, np.ndarray) or found.ndim not in (2, 3) or not found.size:
            raise DamagedInput(f"'{where}' is no array of height, width and cells")
        cells = found if found.ndim == 3 else found[:, :, None]
        values = np.ascontiguousarray(np.moveaxis(cells, 2, 0))
        made = InMemory(values=values, role="masks", facts=shown, **facts)
        made.name = field
        return made

    def _sparse(self, found: Sparse, where: str, **facts: Any) -> Masks:
        """A plain sparse matrix of pixels by cells; the summary image says how large it is."""
        shape = next(
            (i.shape for i in (self._picture(n) for n in _PICTURES) if i is not None), None
        )
        if shape is None or int(np.prod(shape)) != found.shape[0]:
            raise DamagedInput(
                f"'{where}' has {found.shape[0]} pixels, and no summary image says of what size"
            )
        matrix = Compressed(found.values, found.rows, found.starts, shape, where)
        ids = tuple(str(i) for i in range(found.shape[1]))
        return Masks(matrix.counts, matrix.items, ids=ids, image_shape=shape, **facts)

    def _trace(self, field: str, n: int) -> Array:
        found = self._large(field)
        where = f"{self.path.name}/{self._name}/{field}"
        cells_first = field == OLD[1]  # in MATLAB's own order of axes
        quantity, sentence = self._quantity()
        facts: dict[str, Any] = {
            "id": "traces",
            "nwb_name": NAMES[quantity],
            "quantity": quantity,
            "rois": "masks",
            "plane": self._place,
            "description": sentence,
        }
        if hasattr(found, "id") and found.ndim == 2:
            trace: Array = Traces([found], cells_first, self.path.name, name=field, **facts)
        elif isinstance(found, np.ndarray) and found.ndim == 2:
            values = np.ascontiguousarray(found.T if cells_first else found)
            trace = InMemory(values=values, role="traces", **facts)
            trace.name = field
        else:
            raise DamagedInput(f"'{where}' is no array of frames and cells")
        if trace.shape[1] != n:
            raise DamagedInput(
                f"'{where}' holds {trace.shape[1]} cells (of {trace.shape[0]} frames), "
                f"there are {n} masks"
            )
        trace.timebase = regular(self.clock.id, trace.n_samples, self._rate())
        return trace

    def _quantity(self) -> tuple[str, str]:
        config = {name: number(self._field("config", name)) for name in ("preprocess", "skip_dff")}
        if config["preprocess"] and not config["skip_dff"]:
            return "dff", "Temporal weight of each cell, of the movie as dF/F"
        return "raw", "Temporal weight of each cell"

    def _rate(self) -> float | None:
        given = self.source.options.get("rate")
        return None if given is None else checked_rate(given, f"{self.source.id}.rate")

    def _facts(self) -> dict[str, str | int | float | bool]:
        facts: dict[str, str | int | float | bool] = {}
        version = text(self._field("info", "version"))
        if version:
            facts["version"] = version
        for name in _FACTS:
            value = self._field("config", name)
            shown = text(value) if isinstance(value, str) else number(value)
            if shown is not None:
                facts[name] = shown
        return facts

    def _checks(self, n: int) -> list[tuple[Column, AnyArray]]:
        """The quality check of each cell, where it is of these cells."""
        found = []
        for name, meaning in _CHECKS.items():
            values = self._field("info", "cellcheck", name)
            if not isinstance(values, np.ndarray) or values.dtype.kind not in "biuf":
                continue
            if values.ndim != 2 or n not in values.shape or not values.size:
                continue
            rows = values.T if values.shape[1] == n else values  # attributes x cells
            rows = rows[:, 0] if rows.shape[1] == 1 else np.ascontiguousarray(rows)
            if name != "metrics":
                rows = rows.astype(bool)
            found.append(prop(name, rows, meaning))
        return found

    def _picture(self, name: str) -> AnyArray | None:
        value = self._field("info", name)
        fits = isinstance(value, np.ndarray) and value.ndim == 2 and value.size > 1
        return np.asarray(value) if fits and value.dtype.kind in "biuf" else None

    def _pictures(self) -> dict[str, Callable[[], AnyArray]]:
        found: dict[str, Callable[[], AnyArray]] = {}
        for name in _PICTURES:
            values = self._picture(name)
            if values is not None:
                found[name] = _constant(values)
        return found

    def metadata(self) -> dict[str, Any]:
        """The plane with its rate, unless it is that of a movie of the session."""
        if self._taken:
            return {}
        facts: dict[str, Any] = {"description": "plane that EXTRACT was given"}
        rate = self._rate()
        if rate is not None:
            facts["imaging_rate"] = rate
        return {"ImagingPlanes": {self._place: facts}}

    def relate(self, relation: Relation, other: Reader) -> None:
        """Take plane and clock of the movie that was segmented, where its frames fit."""
        if relation.kind != "plane_of":
            return
        masks, trace = self.streams[0], self.streams[1]
        height, width = _image(masks)
        assert isinstance(trace, Array)
        plane, timebase = take_plane(self, relation, other, height, width, trace.n_samples)
        if plane is not None:
            self._taken = True
            for stream in self.streams:
                stream.plane = plane  # type: ignore[attr-defined]
        if timebase is not None:
            take_times(self, [trace], timebase)

    def reread(self, stream_id: str, start: int, stop: int) -> AnyArray | None:
        """Masks and traces of version 7.3 by h5py, of versions 5 to 7 by scipy."""
        from nwbkit.formats.segmentation.extract.reread import reread

        if stream_id not in ("masks", "traces") or isinstance(self.stream(stream_id), Masks):
            return None
        fields = NEW if self._has_new else OLD
        field = fields[0] if stream_id == "masks" else fields[1]
        return reread(self.path, self._name, field, start, stop)

    @property
    def _has_new(self) -> bool:
        return self.stream("masks").name == NEW[0]


def _constant(values: AnyArray) -> Callable[[], AnyArray]:
    return lambda: values


def _image(masks: Any) -> tuple[int, int]:
    shape: Any = masks.image_shape if isinstance(masks, Masks) else masks.shape[1:]
    return int(shape[0]), int(shape[1])


def _is_object(dataset: Any) -> bool:
    """Whether a dataset stands for an object of a class of its own."""
    return "MATLAB_object_decode" in dataset.attrs
