"""Suite2p's output as streams: per plane masks, traces and summary images."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from nwbkit.errors import DamagedInput
from nwbkit.formats.base import Reader, Relation, Source
from nwbkit.formats.segmentation._rois import (
    NAMES,
    PIXEL,
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
from nwbkit.formats.segmentation.suite2p.look import COMBINED, order
from nwbkit.formats.segmentation.suite2p.plane import DICTIONARIES, OPS1, Plane, read_plane
from nwbkit.formats.segmentation.suite2p.properties import properties
from nwbkit.streams import Array, Clock
from nwbkit.streams.kinds import AnyArray

#: What each trace file holds: quantity, second channel, sentence.
_TRACES = {
    "F": ("raw", False, "Fluorescence of each ROI, averaged over its pixels"),
    "Fneu": ("neuropil", False, "Fluorescence of the neuropil around each ROI"),
    "spks": ("deconvolved", False, "Deconvolved activity of each ROI"),
    "F_chan2": ("raw", True, "Fluorescence of each ROI in the second channel"),
    "Fneu_chan2": ("neuropil", True, "Neuropil fluorescence around each ROI, second channel"),
}
#: Pictures of the whole frame, and those of the part that xrange and yrange leave.
_WHOLE = {
    "meanImg": "mean",
    "meanImgE": "mean_enhanced",
    "refImg": "reference",
    "meanImg_chan2": "mean_chan2",
    "meanImg_chan2_corrected": "mean_chan2_corrected",
}
_CROPPED = {"max_proj": "maximum_projection", "Vcorr": "correlation"}
_MEANINGS = {
    "mean": "mean of the registered frames",
    "mean_enhanced": "mean image, high-pass filtered and scaled",
    "reference": "the frame that the others were registered to",
    "mean_chan2": "mean of the registered frames of the second channel",
    "mean_chan2_corrected": "mean image of the second channel, corrected for bleed-through",
    "maximum_projection": "maximum of the registered, binned frames; NaN outside of the crop",
    "correlation": "correlation of each pixel with its neighbours; NaN outside of the crop",
}
#: Settings worth showing.
_FACTS = ("tau", "neucoeff", "diameter", "functional_chan", "suite2p_version", "version")


class Suite2pReader(Reader):
    """Opens the plane folders of one run."""

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self._again: dict[str, tuple[Plane, str]] = {}
        self._mine: dict[str, list[Any]] = {}
        self._taken: dict[str, str] = {}
        self.planes = self._open()
        self.clock = Clock(
            f"{source.id}/frames", "frames that Suite2p was given; zero is the first one"
        )
        self.clocks.append(self.clock)
        several = len([p for p in self.planes if p.name.lower() != COMBINED]) > 1
        for plane in self.planes:
            self._add(plane, several or (plane.name.lower() == COMBINED and len(self.planes) > 1))
        self._note(several)

    def _open(self) -> list[Plane]:
        folders: dict[Path, dict[str, Path]] = {}
        for path in self.source.paths:
            folders.setdefault(path.parent, {})[path.name] = path
        found = sorted((f for f in folders if _holds_plane(folders[f])), key=order)
        if not found:
            name = self.source.paths[0].name
            raise DamagedInput(f"'{name}' is no stat.npy of Suite2p", hint="give the plane folder")
        alone = len(found) == 1
        left = [f for f in found if f.name.lower() == COMBINED and not alone]
        if left and not self.source.options.get("combined"):
            found = [f for f in found if f not in left]
            self.notes.append(
                "the folder combined shows the ROIs of all planes on one canvas and is left out; "
                f"--set {self.source.id}.combined=true writes it too"
            )
        return [self._plane(folder, self._with_ops1(folder, folders)) for folder in found]

    def _with_ops1(self, folder: Path, folders: dict[Path, dict[str, Path]]) -> dict[str, Path]:
        """The folder's files; ops1.npy above it stands in where it has no dictionary itself."""
        files = folders[folder]
        ops1 = folders.get(folder.parent, {}).get(OPS1)
        if ops1 is None or any(name in files for name in DICTIONARIES):
            return files
        return {**files, OPS1: ops1}

    def _plane(self, folder: Path, files: dict[str, Path]) -> Plane:
        if "stat.npy" in files:
            plane = read_plane(folder, files, self._complain)
        else:
            from nwbkit.formats.segmentation.suite2p.mat import read_mat

            mats = [p for n, p in files.items() if n.lower().endswith(".mat")]
            plane = read_mat(mats[0], self._complain)
        if plane.unknown:
            self.notes.append(
                f"objects of {', '.join(sorted(plane.unknown))} in '{folder.name}' are not read"
            )
        movies = [n for n in ("data.bin", "data_chan2.bin") if (folder / n).exists()]
        if movies:
            self.notes.append(
                f"{' and '.join(movies)} in '{folder.name}', the registered movie, is not converted"
            )
        return plane

    def _complain(self, message: str, hint: str) -> None:
        if not self.source.salvage:
            raise DamagedInput(message, hint=hint)
        self.losses.append(message)

    def _rate(self, plane: Plane) -> float | None:
        given = self.source.options.get("rate")
        if given is not None:
            return checked_rate(given, f"{self.source.id}.rate")
        return checked_rate(plane.ops.get("fs"), f"fs in '{plane.name}/ops.npy'")

    def _add(self, plane: Plane, named: bool) -> None:
        prefix = f"{plane.name}_" if named else ""
        suffix = _suffix(plane.name) if named else ""
        place = plane_id(self.source.id, plane.name)
        streams: list[Any] = []
        if plane.stat and plane.shape != (0, 0):
            masks = self._masks(plane, f"{prefix}masks", f"PlaneSegmentation{suffix}", place)
            streams.append(masks)
            for stem, trace in plane.traces.items():
                self._trace(plane, stem, trace, f"{prefix}{stem}", suffix, masks.id, place)
                streams.append(trace)
        else:
            self.notes.append(f"'{plane.name}' holds no ROI")
        pictures = _pictures(plane)
        if pictures:
            streams.append(
                Pictures(
                    {name: partial(_constant, array) for name, array in pictures.items()},
                    id=f"{prefix}images",
                    name=f"summary images of {plane.name}",
                    nwb_name=f"SegmentationImages{suffix}",
                    plane=place,
                    description="Summary images that Suite2p made of the registered movie",
                    meanings=_MEANINGS,
                )
            )
        self.streams += streams
        self._mine[plane.name] = streams

    def _masks(self, plane: Plane, id: str, nwb_name: str, place: str) -> Masks | DenseMasks:
        counts = np.array([np.size(roi["ypix"]) for roi in plane.stat], np.int64)
        masks = Masks(
            counts,
            lambda start, stop: _pixels(plane.stat[start:stop]),
            id=id,
            name="stat",
            nwb_name=nwb_name,
            ids=tuple(str(i) for i in range(len(plane.stat))),
            image_shape=plane.shape,
            plane=place,
            properties=Rows(f"{id}_properties", properties(plane)),
            description="ROIs found by Suite2p; weights are its lam",
            facts={k: _shown(plane.ops[k]) for k in _FACTS if _shown(plane.ops.get(k)) is not None},
        )
        return DenseMasks(masks) if self.source.options.get("masks") == "image" else masks

    def _trace(
        self, plane: Plane, stem: str, trace: Array, id: str, suffix: str, masks: str, place: str
    ) -> None:
        quantity, second, sentence = _TRACES[stem]
        self._again[id] = (plane, stem)
        trace.id, trace.name, trace.quantity = id, stem, quantity
        trace.description, trace.rois, trace.plane = sentence, masks, place
        trace.nwb_name = NAMES[quantity] + ("Chan2" if second else "") + suffix
        trace.timebase = regular(self.clock.id, trace.n_samples, self._rate(plane))

    def _note(self, several: bool) -> None:
        if several and self.source.options.get("rate") is None:
            rates = sorted({p.ops["fs"] for p in self.planes if "fs" in p.ops})
            if rates:
                self.notes.append(
                    f"fs ({', '.join(f'{float(r):g}' for r in rates)} Hz) is taken as the rate of "
                    "each plane, as Suite2p documents it; where the rate of the whole volume "
                    f"scan was typed in, give --set {self.source.id}.rate=HZ"
                )
        folders = [int(n) for n in np.ravel(self.planes[0].ops.get("frames_per_folder", ())) if n]
        if len(folders) > 1:
            self.notes.append(
                f"the frames are those of {len(folders)} folders one behind the other "
                f"({', '.join(map(str, folders))}); what time lay between is not in the files, "
                "and the times run on without a pause"
            )
        said = {int(p.ops["nplanes"]) for p in self.planes if _is_count(p.ops.get("nplanes"))}
        there = len([p for p in self.planes if p.name.lower() != COMBINED])
        if said and there not in said and not any(p.ops.get("mesoscan") for p in self.planes):
            self.notes.append(
                f"ops.npy says {max(said)} planes, {there} plane folder"
                f"{'s are' if there != 1 else ' is'} here"
            )

    def files(self) -> Sequence[Path]:
        """The files that were read: without ``combined`` where it is left out."""
        return [path for plane in self.planes for path in plane.files]

    def metadata(self) -> dict[str, Any]:
        """Planes with their rates, unless they are those of a movie of the session."""
        planes = {}
        for plane in self.planes:
            if plane.name in self._taken or not self._mine[plane.name]:
                continue
            facts: dict[str, Any] = {"description": f"plane that Suite2p calls '{plane.name}'"}
            rate = self._rate(plane)
            if rate is not None:
                facts["imaging_rate"] = rate
            channels = _channels(plane)
            if channels:
                facts["optical_channel"] = channels
            planes[plane_id(self.source.id, plane.name)] = facts
        return {"ImagingPlanes": planes} if planes else {}

    def relate(self, relation: Relation, other: Reader) -> None:
        """Take plane and clock of the movie that was segmented, where its frames fit."""
        if relation.kind != "plane_of":
            return
        for plane in self.planes:
            if plane.frames is None or plane.name.lower() == COMBINED:
                continue
            place, timebase = take_plane(self, relation, other, *plane.shape, plane.frames)
            if place is not None:
                self._taken[plane.name] = place
            for stream in self._mine[plane.name]:
                stream.plane = place or stream.plane
            if timebase is not None:
                traces = [s for s in self._mine[plane.name] if s.role == "traces"]
                take_times(self, traces, timebase)

    def reread(self, stream_id: str, start: int, stop: int) -> AnyArray | None:
        """Frames of a trace by numpy's own memory map of the .npy file."""
        plane, stem = self._again.get(stream_id, (None, ""))
        if plane is None or not (plane.folder / f"{stem}.npy").exists():
            return None
        again = np.load(plane.folder / f"{stem}.npy", mmap_mode="r", allow_pickle=False)
        return np.ascontiguousarray(again[:, start:stop].T)


def _channels(plane: Plane) -> dict[str, dict[str, str]]:
    """The channels of a plane that has several; which one cells were looked for in."""
    count: Any = plane.ops.get("nchannels")
    if not _is_count(count) or not 1 < int(count) <= 16:
        return {}
    functional = plane.ops.get("functional_chan")
    return {
        f"Channel{i}": {
            "description": "channel in which Suite2p looked for cells"
            if functional == i
            else f"channel {i}"
        }
        for i in range(1, int(count) + 1)
    }


def _holds_plane(files: dict[str, Path]) -> bool:
    return "stat.npy" in files or any(name.lower().endswith(".mat") for name in files)


def _suffix(name: str) -> str:
    """``Plane0`` for ``plane0``; only letters and digits."""
    words = "".join(c if c.isalnum() and c.isascii() else " " for c in name).split()
    return "".join(w[0].upper() + w[1:] for w in words) or "Plane"


def _pixels(rois: Sequence[dict[str, Any]]) -> AnyArray:
    parts = []
    for roi in rois:
        y = np.asarray(roi["ypix"]).reshape(-1)
        made = np.empty(len(y), PIXEL)
        made["y"], made["x"] = y, np.asarray(roi["xpix"]).reshape(-1)
        made["weight"] = np.asarray(roi["lam"]).reshape(-1)
        parts.append(made)
    return np.concatenate(parts) if parts else np.empty(0, PIXEL)


def _pictures(plane: Plane) -> dict[str, AnyArray]:
    """Summary images in the frame's own size; NaN where the frame was cropped."""
    found: dict[str, AnyArray] = {}
    for key, name in {**_WHOLE, **_CROPPED}.items():
        value = plane.ops.get(key)
        if not isinstance(value, np.ndarray) or value.dtype.kind not in "biuf" or not value.size:
            continue
        if value.ndim == 3 and len(value) == 1:
            value = value[0]
        if value.ndim != 2:
            continue
        placed = _placed(value, plane)
        if placed is not None:
            found[name] = placed
    return found


def _placed(value: AnyArray, plane: Plane) -> AnyArray | None:
    """A picture in the frame: as it is, or where yrange and xrange say (io/save.py: combined)."""
    if value.shape == plane.shape:
        return value
    try:
        (y0, y1), (x0, x1) = (
            (int(plane.ops[axis][0]), int(plane.ops[axis][-1])) for axis in ("yrange", "xrange")
        )
    except (KeyError, TypeError, ValueError, IndexError):
        return None
    inside = 0 <= y0 <= y1 <= plane.shape[0] and 0 <= x0 <= x1 <= plane.shape[1]
    if value.shape != (y1 - y0, x1 - x0) or not inside:
        return None
    whole = np.full(plane.shape, np.nan, np.result_type(value.dtype, np.float32))
    whole[y0:y1, x0:x1] = value
    return whole


def _constant(array: AnyArray) -> AnyArray:
    return array


def _is_count(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def _shown(value: Any) -> str | int | float | bool | None:
    """A setting as a plain value; None for what is none."""
    if isinstance(value, np.generic):
        value = value.item()
    return value if isinstance(value, str | int | float | bool) and value != "" else None
