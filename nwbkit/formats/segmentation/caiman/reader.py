"""CaImAn's results as streams.

Facts of the format: caiman/source_extraction/cnmf/estimates.py (A is pixels by components, each
column flattened in Fortran order; C, S, F_dff and YrA are components by frames; b and f are the
background), cnmf.py (``save``), utils/utils.py (None is written as the text NoneType).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from nwbkit.errors import DamagedInput
from nwbkit.formats.base import Reader, Relation, Source
from nwbkit.formats.io.hdf5 import GuardedFile
from nwbkit.formats.segmentation._hdf5 import Compressed, Traces, is_array, slab
from nwbkit.formats.segmentation._rois import (
    NAMES,
    DenseMasks,
    Masks,
    Pictures,
    Rows,
    checked_rate,
    plane_id,
    regular,
    take_plane,
    take_times,
)
from nwbkit.formats.segmentation.caiman.background import Background
from nwbkit.formats.segmentation.caiman.properties import properties
from nwbkit.streams import Clock
from nwbkit.streams.kinds import AnyArray

#: Dataset, what it holds, sentence.
_TRACES = (
    ("F_dff", "dff", "Detrended dF/F of each component"),
    ("C", "denoised", "Denoised temporal trace of each component"),
    ("S", "deconvolved", "Deconvolved activity of each component"),
)
_FACTS = ("data/caiman_version", "data/decay_time", "init/method_init", "preprocess/p")
_PICTURES = {"Cn": "correlation", "sn": "noise_sd", "b0": "baseline"}
_MEANINGS = {
    "correlation": "local correlation image (Cn)",
    "noise_sd": "standard deviation of the noise of each pixel (sn)",
    "baseline": "constant baseline of each pixel (b0)",
}


class CaimanReader(Reader):
    """Opens one results file."""

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self.path = source.paths[0]
        self.file = GuardedFile(self.path)
        self._place = plane_id(source.id, "plane")
        self._taken = False
        self._same_as: dict[str, tuple[str, ...]] = {}
        try:
            self._build()
        except BaseException as error:
            # closes the file, and turns what h5py raises into DamagedInput
            self.file.__exit__(type(error), error, error.__traceback__)
            raise

    def close(self) -> None:
        """Close the file."""
        self.file.close()

    def _build(self) -> None:
        self.shape = self._dims()
        self.clock = Clock(f"{self.source.id}/frames", "frames of the movie; zero is the first one")
        self.clocks.append(self.clock)
        matrix, n = self._footprints()
        traces = self._traces(n)
        frames = {t.n_samples for t in traces}
        if len(frames) > 1:
            raise DamagedInput(
                f"'{self.path.name}': traces have {', '.join(map(str, sorted(frames)))} frames"
            )
        self.frames = frames.pop() if frames else None
        files = self.file.dataset("params/data/fnames")
        if files is not None and files.shape and files.shape[0] > 1:
            self.notes.append(
                f"the frames are those of {files.shape[0]} files one behind the other; what time "
                "lay between is not in this file, and the times run on without a pause"
            )
        self.streams.append(self._masks(matrix, n))
        self.streams += traces
        self._background()
        pictures = self._pictures()
        if pictures:
            self.streams.append(
                Pictures(
                    pictures,
                    id="images",
                    name="summary images",
                    nwb_name="SegmentationImages",
                    plane=self._place,
                    description="Images that CaImAn keeps with its estimates",
                    meanings=_MEANINGS,
                )
            )

    def _array(self, name: str) -> Any:
        """The dataset of numbers at `name`; None where it is absent, None or empty."""
        found = self.file.find(name)
        return found if is_array(found) else None

    def _dims(self) -> tuple[int, ...]:
        for name in ("estimates/dims", "dims", "params/data/dims"):
            found = self._array(name)
            if found is not None and found.ndim == 1 and len(found) in (2, 3):
                return tuple(int(n) for n in found[...])
        raise DamagedInput(
            f"'{self.path.name}' does not say how large the image is: none of estimates/dims, "
            "dims and params/data/dims holds 2 or 3 numbers"
        )

    def _footprints(self) -> tuple[Compressed, int]:
        where = f"{self.path.name}/estimates/A"
        return self._matrix("estimates/A", where)

    def _matrix(self, name: str, where: str) -> tuple[Compressed, int]:
        """A matrix of pixels by components, sparse or dense."""
        pixels = int(np.prod(self.shape))
        found = self.file.find(name)
        if found is None or (hasattr(found, "dtype") and not is_array(found)):
            raise DamagedInput(f"'{where}' is missing or None: there are no footprints")
        if hasattr(found, "dtype"):
            return self._dense(found, pixels, where)
        data, indices, indptr, shape = (
            self.file.dataset(f"{name}/{part}") for part in ("data", "indices", "indptr", "shape")
        )
        if data is None or indices is None or indptr is None or shape is None:
            raise DamagedInput(f"'{where}' lacks one of data, indices, indptr and shape")
        rows, n = (int(v) for v in shape[...])
        if rows != pixels:
            size = " x ".join(str(v) for v in self.shape)
            raise DamagedInput(f"'{where}' has {rows} pixels, dims says {size} = {pixels}")
        starts = indptr[...]
        if len(starts) != n + 1:
            raise DamagedInput(f"'{where}': indptr has {len(starts)} values, expected {n + 1}")
        return Compressed(data, indices, starts, self.shape, where), n

    def _dense(self, found: Any, pixels: int, where: str) -> tuple[Compressed, int]:
        if found.ndim != 2 or found.shape[0] != pixels:
            raise DamagedInput(f"'{where}' has shape {found.shape}, dims says {pixels} pixels")
        n = found.shape[1]
        parts, rows, starts = [np.empty(0, found.dtype)], [np.empty(0, np.int64)], [0]
        for roi in range(n):  # a column at a time: a dense matrix may be larger than memory
            one = slab(found, (slice(None), slice(roi, roi + 1)), where)[:, 0]
            inside = np.flatnonzero(one)
            parts.append(one[inside])
            rows.append(inside)
            starts.append(starts[-1] + len(inside))
        data, indices = np.concatenate(parts), np.concatenate(rows)
        return Compressed(data, indices, np.array(starts), self.shape, where), n

    def _masks(self, matrix: Compressed, n: int) -> Masks | DenseMasks:
        facts = {key.rpartition("/")[2]: self._setting(f"params/{key}") for key in _FACTS}
        masks = Masks(
            matrix.counts,
            matrix.items,
            id="masks",
            name="A",
            nwb_name="PlaneSegmentation",
            ids=tuple(str(i) for i in range(n)),
            image_shape=self.shape,
            plane=self._place,
            properties=Rows("masks_properties", properties(self, n)),
            description="Spatial footprints of the components that CaImAn found",
            facts={k: v for k, v in facts.items() if v is not None},
            concurrency="hdf5",
        )
        return DenseMasks(masks) if self.source.options.get("masks") == "image" else masks

    def _traces(self, n: int) -> list[Traces]:
        made = []
        rate = self._rate()
        c, rest = self._array("estimates/C"), self._array("estimates/YrA")
        if c is not None and rest is not None and c.shape == rest.shape:
            made.append(
                self._trace("raw", "raw", ("C", "YrA"), n, rate, "Denoised trace plus residual")
            )
        for name, quantity, sentence in _TRACES:
            if self._array(f"estimates/{name}") is not None:
                made.append(self._trace(name, quantity, (name,), n, rate, sentence))
        return made

    def _trace(
        self, id: str, quantity: str, names: tuple[str, ...], n: int, rate: Any, sentence: str
    ) -> Traces:
        parts = [self._array(f"estimates/{name}") for name in names]
        if parts[0].ndim != 2 or parts[0].shape[0] != n:
            raise DamagedInput(
                f"'{self.path.name}/estimates/{names[0]}' has shape {parts[0].shape}, "
                f"A has {n} components"
            )
        self._same_as[id] = names
        trace = Traces(
            parts,
            False,
            self.path.name,
            id=id,
            name=" + ".join(names),
            nwb_name=NAMES[quantity],
            quantity=quantity,
            rois="masks",
            plane=self._place,
            description=sentence,
        )
        trace.timebase = regular(self.clock.id, trace.n_samples, rate)
        return trace

    def _background(self) -> None:
        """Spatial and temporal background components, where both are there and fit."""
        f, b = self._array("estimates/f"), self.file.find("estimates/b")
        if f is None or b is None or f.ndim != 2 or (self.frames or f.shape[1]) != f.shape[1]:
            return
        if hasattr(b, "dtype") and not is_array(b):
            return
        images = Background(b, self._sparse_background(b), f.shape[0], self.shape, self.path.name)
        if images.found != f.shape[0]:
            self.notes.append(
                f"b holds {images.found} and f {f.shape[0]} background components: left out"
            )
            return
        images.plane = self._place
        trace = Traces(
            [f],
            False,
            self.path.name,
            id="background",
            name="f",
            nwb_name="Background",
            rois=images.id,
            plane=self._place,
            description="Temporal traces of the background components",
        )
        trace.timebase = regular(self.clock.id, trace.n_samples, self._rate())
        self._same_as[trace.id] = ("f",)
        self.streams += [images, trace]

    def _sparse_background(self, b: Any) -> Compressed | None:
        where = f"{self.path.name}/estimates/b"
        return None if hasattr(b, "dtype") else self._matrix("estimates/b", where)[0]

    def _setting(self, name: str) -> Any:
        """A setting as text or number; None where CaImAn left it at None."""
        found = self.file.dataset(name)
        if found is None or found.shape != ():
            return None
        value = found[()]
        if isinstance(value, bytes):
            text = value.decode("utf-8", "replace")
            return None if text in ("NoneType", "None") else text
        if isinstance(value, np.generic):
            return value.item()
        return value if isinstance(value, str | int | float) else None

    def _rate(self) -> float | None:
        given = self.source.options.get("rate")
        if given is not None:
            return checked_rate(given, f"{self.source.id}.rate")
        return checked_rate(self._setting("params/data/fr"), f"{self.path.name}/params/data/fr")

    def _pictures(self) -> dict[str, Callable[[], AnyArray]]:
        found: dict[str, Callable[[], AnyArray]] = {}
        if len(self.shape) != 2:
            return found
        for name, title in _PICTURES.items():
            dataset = self._array(f"estimates/{name}")
            if dataset is None:
                continue
            if dataset.shape == self.shape:
                found[title] = partial(_picture, dataset)
            elif dataset.shape == (int(np.prod(self.shape)),):
                found[title] = partial(_flat_picture, dataset, self.shape)
        return found

    def metadata(self) -> dict[str, Any]:
        """The plane with its rate, unless it is that of a movie of the session."""
        if self._taken:
            return {}
        facts: dict[str, Any] = {"description": "plane that CaImAn was given"}
        rate = self._rate()
        if rate is not None:
            facts["imaging_rate"] = rate
        return {"ImagingPlanes": {self._place: facts}}

    def relate(self, relation: Relation, other: Reader) -> None:
        """Take plane and clock of the movie that was segmented, where its frames fit."""
        if relation.kind != "plane_of" or self.frames is None:
            return
        plane, timebase = take_plane(
            self, relation, other, self.shape[0], self.shape[1], self.frames
        )
        if plane is not None:
            self._taken = True
        for stream in self.streams:
            if plane is not None:
                stream.plane = plane  # type: ignore[attr-defined]
        if timebase is not None:
            take_times(self, [s for s in self.streams if isinstance(s, Traces)], timebase)

    def reread(self, stream_id: str, start: int, stop: int) -> AnyArray | None:
        """ROIs of the masks by scipy's sparse matrix and numpy's unravel_index; traces by h5py."""
        from nwbkit.formats.segmentation.caiman.reread import reread_masks, reread_traces

        if stream_id == "masks":
            dense = self.source.options.get("masks") == "image"
            return reread_masks(self.path, self.shape, start, stop, dense)
        names = self._same_as.get(stream_id)
        return None if names is None else reread_traces(self.path, names, start, stop)


def _picture(dataset: Any) -> AnyArray:
    return np.asarray(slab(dataset, (slice(None), slice(None)), dataset.name))


def _flat_picture(dataset: Any, shape: tuple[int, ...]) -> AnyArray:
    return np.asarray(slab(dataset, (slice(None),), dataset.name)).reshape(shape, order="F")
