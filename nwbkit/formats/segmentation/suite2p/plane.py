"""One plane folder of Suite2p: its dictionaries, ROIs and traces, read without unpickling.

Facts of the format: suite2p's documentation (outputs.rst), suite2p/io/save.py (the crop that
xrange and yrange describe; ``combined``; Fall.mat), suite2p/detection/stats.py.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nwbkit.errors import DamagedInput, NoInput
from nwbkit.formats.io.flat import read_at
from nwbkit.formats.io.npy import read_header, read_npy
from nwbkit.formats.io.objects import read_objects
from nwbkit.streams import Array
from nwbkit.streams.kinds import AnyArray

#: Dictionaries that make up what older versions kept in ops.npy alone; later ones win.
DICTIONARIES = ("ops.npy", "settings.npy", "db.npy", "reg_outputs.npy", "detect_outputs.npy")
#: The same of all planes, a list of dictionaries beside the folders.
OPS1 = "ops1.npy"
#: ROIs whose stretches are turned into frames at once.
_TOGETHER = 32
TRACES = ("F", "Fneu", "spks", "F_chan2", "Fneu_chan2")

#: Takes ``(message, hint)``: raises, or with ``--salvage`` records the loss and returns.
Complain = Callable[[str, str], None]


@dataclass
class Plane:
    """What one folder holds.

    Attributes
    ----------
    name : str
        The folder's.
    ops : dict
    stat : list of dict
        One a ROI.
    traces : dict of str to Array
        By file stem, each (frames, rois).
    iscell, redcell : numpy.ndarray or None
        Shape (rois, 2): yes or no, probability.
    files : list of Path
        All that were read.
    """

    name: str
    folder: Path
    ops: dict[str, Any] = field(default_factory=dict)
    stat: list[dict[str, Any]] = field(default_factory=list)
    traces: dict[str, Array] = field(default_factory=dict)
    iscell: npt.NDArray[Any] | None = None
    redcell: npt.NDArray[Any] | None = None
    files: list[Path] = field(default_factory=list)
    frames: int | None = None
    shape: tuple[int, int] = (0, 0)
    #: Classes of objects in the pickles that were not built.
    unknown: set[str] = field(default_factory=set)


class TraceFile(Array):
    """A .npy file of shape (rois, frames), read frame by frame: shape (frames, rois).

    Positioned reads of each ROI's stretch; nothing but the stretch is held.
    """

    def __init__(self, path: Path, rois: int, frames: int, **facts: Any) -> None:
        header = read_header(path)
        dtype = np.dtype(header.descr)
        super().__init__(
            id=path.stem,
            name=path.stem,
            role="traces",
            shape=(frames, rois),
            dtype=dtype.newbyteorder("<"),
            concurrency="threads",
            **facts,
        )
        self.path = path
        self._stored = dtype
        self._offset = header.offset
        self._fortran = header.fortran
        self._length = header.shape[1]

    def read(self, start: int, stop: int, out: AnyArray | None = None) -> AnyArray:
        """Frames ``start..stop`` of all ROIs."""
        n = stop - start
        if out is None:
            out = np.empty((n, self.shape[1]), self.dtype)
        try:
            fd = os.open(self.path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        except OSError as error:
            raise NoInput(f"cannot open '{self.path}': {_reason(error)}") from None
        try:
            if self._fortran:
                whole = np.empty((n, self.shape[1]), self._stored)
                self._fill(fd, whole, start * self.shape[1])
                out[...] = whole
            else:
                # a few ROIs together: turned one by one, each number is a miss of the cache
                rows = np.empty((_TOGETHER, n), self._stored)
                for low in range(0, self.shape[1], _TOGETHER):
                    some = rows[: min(_TOGETHER, self.shape[1] - low)]
                    for index, row in enumerate(some):
                        self._fill(fd, row, (low + index) * self._length + start)
                    out[:, low : low + len(some)] = some.T
        finally:
            os.close(fd)
        return out

    def _fill(self, fd: int, values: AnyArray, first: int) -> None:
        if not values.size:
            return
        view = memoryview(values.reshape(-1).view(np.uint8).data)
        read_at(fd, view, self._offset + first * self._stored.itemsize, self.path)


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


def read_plane(folder: Path, files: dict[str, Path], complain: Complain) -> Plane:
    """Read a folder of .npy files and hold them against each other.

    Raises
    ------
    nwbkit.errors.DamagedInput
        Where they contradict each other.
    """
    plane = Plane(folder.name, folder)
    for name in DICTIONARIES:
        if name in files:
            found = read_objects(files[name], plane.unknown)
            if not isinstance(found, dict):
                raise DamagedInput(f"'{files[name]}' holds no dictionary")
            plane.ops.update({k: v for k, v in found.items() if v is not None})
            plane.files.append(files[name])
    if OPS1 in files:
        plane.ops.update(_of_plane(read_objects(files[OPS1], plane.unknown), folder, files[OPS1]))
        plane.files.append(files[OPS1])
    plane.stat = _stat(files["stat.npy"], plane.unknown)
    plane.files.append(files["stat.npy"])
    for name in TRACES:
        if f"{name}.npy" in files:
            _add_trace(plane, name, files[f"{name}.npy"], complain)
    for name in ("iscell", "redcell"):
        if f"{name}.npy" in files:
            setattr(plane, name, _classified(plane, files[f"{name}.npy"]))
            plane.files.append(files[f"{name}.npy"])
    settle(plane, complain)
    return plane


def _of_plane(entries: Any, folder: Path, path: Path) -> dict[str, Any]:
    """The entry of ops1.npy that is a folder's: by its number, or the only one."""
    number = "".join(c for c in folder.name if c.isdigit())
    index = int(number) if number and isinstance(entries, list) and len(entries) > 1 else 0
    if not isinstance(entries, list) or index >= len(entries):
        raise DamagedInput(f"'{path}' holds no entry for '{folder.name}'")
    if not isinstance(entries[index], dict):
        raise DamagedInput(f"'{path}' holds no dictionaries")
    return {k: v for k, v in entries[index].items() if v is not None}


def _stat(path: Path, unknown: set[str]) -> list[dict[str, Any]]:
    found = read_objects(path, unknown)
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise DamagedInput(f"'{path}' is no list of ROIs")
    return found


def _add_trace(plane: Plane, name: str, path: Path, complain: Complain) -> None:
    header = read_header(path)
    if len(header.shape) == 1 and not header.shape[0]:
        return  # nothing found: numpy writes an empty list
    if len(header.shape) != 2:
        raise DamagedInput(f"'{path}' has shape {header.shape}, expected (ROIs, frames)")
    rois, frames = header.shape
    item = np.dtype(header.descr).itemsize
    missing = header.offset + rois * frames * item - path.stat().st_size
    if missing > 0:
        complain(
            f"'{path}' is cut off: its header says {rois} ROIs of {frames} frames, "
            f"{missing} bytes are missing",
            "copy the file again; --salvage leaves it out",
        )
        return
    if rois != len(plane.stat):
        raise DamagedInput(f"'{path}' holds {rois} ROIs, stat.npy {len(plane.stat)}")
    first = next(iter(plane.traces.values()), None)
    if first is not None and first.n_samples != frames:
        message = f"'{path}' holds {frames} frames, {first.name}.npy {first.n_samples}"
        complain(message, "--salvage leaves it out")
        return
    plane.traces[name] = TraceFile(path, rois, frames)
    plane.files.append(path)


def _classified(plane: Plane, path: Path) -> npt.NDArray[Any]:
    values = read_npy(path)
    if values.ndim == 1 and len(values) == len(plane.stat):  # early versions: no probability
        values = values[:, None]
    if values.ndim != 2 or len(values) != len(plane.stat):
        raise DamagedInput(
            f"'{path}' has shape {values.shape}, stat.npy holds {len(plane.stat)} ROIs"
        )
    return values


def settle(plane: Plane, complain: Complain) -> None:
    """Find the image's size and the number of frames; refuse what contradicts them.

    Raises
    ------
    nwbkit.errors.DamagedInput
    """
    where = f"'{plane.folder.name}'"
    said = plane.ops.get("nframes")
    trace = next(iter(plane.traces.values()), None)
    plane.frames = trace.n_samples if trace is not None else None
    if said is not None and plane.frames is not None and int(said) != plane.frames:
        complain(
            f"{where}: ops.npy says nframes {int(said)}, F.npy holds {plane.frames} frames",
            f"--salvage writes the {plane.frames} frames that are there",
        )
    height, width = plane.ops.get("Ly"), plane.ops.get("Lx")
    if height is None or width is None:
        if not any("ypix" in roi for roi in plane.stat):
            return
        raise DamagedInput(
            f"{where} does not say how large the image is: Ly and Lx are in none of "
            + ", ".join(DICTIONARIES),
            hint="copy ops.npy from where Suite2p wrote it",
        )
    plane.shape = (int(height), int(width))
    if min(plane.shape) <= 0:
        raise DamagedInput(f"{where}: ops.npy says the image is {width} x {height} pixels")
    for number, roi in enumerate(plane.stat):
        _check_roi(roi, number, plane.shape, where)


def _check_roi(roi: dict[str, Any], number: int, shape: tuple[int, int], where: str) -> None:
    try:
        y, x = np.asarray(roi["ypix"]).reshape(-1), np.asarray(roi["xpix"]).reshape(-1)
        weight = np.asarray(roi["lam"]).reshape(-1)
    except KeyError as error:
        raise DamagedInput(f"{where}: ROI {number} has no {error.args[0]}") from None
    if not len(y) == len(x) == len(weight):
        raise DamagedInput(
            f"{where}: ROI {number} has {len(y)} ypix, {len(x)} xpix and {len(weight)} lam"
        )
    for axis, values, size in (("ypix", y, shape[0]), ("xpix", x, shape[1])):
        if values.size and (values.dtype.kind not in "iu" or values.min() < 0):
            raise DamagedInput(f"{where}: {axis} of ROI {number} are no pixels")
        if values.size and values.max() >= size:
            raise DamagedInput(
                f"{where}: {axis} of ROI {number} reaches {values.max()}, the image has {size}"
            )
