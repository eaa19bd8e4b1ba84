"""The kinds of stream, one small protocol each.

A Format hands out objects of these classes (or subclasses that override the reading
methods); everything downstream knows only them. ``kind`` and ``role`` together choose
the NWB writer.

Roles in use
------------
Array: ``raw`` (what a device recorded at its full band), ``lfp_band`` (a band that the
hardware recorded beside it), ``lfp`` (computed from another stream), ``analog``,
``sync``, ``stimulus``, ``audio``, ``behavior`` (measured of the animal), ``two_photon`` and
``one_photon`` (movies), ``traces`` (of ROIs), ``masks`` (dense, one image a ROI),
``position``, ``direction``.
Table: ``events``, ``intervals``, ``properties``.
Ragged: ``units``, ``masks`` (pixel lists), ``values`` (numbers without a time).
External: ``video``. Sweeps: ``voltage_clamp``, ``current_clamp``, ``izero``. Pose: ``pose``.
Images: ``summary``.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from nwbkit.streams.electrodes import Electrode
from nwbkit.streams.timebase import Timebase

#: How a stream's ``read`` may be called. ``threads``: from any number of threads at once;
#: ``hdf5``: h5py's process-wide lock is held, so raw chunks are read and inflated by us;
#: ``process``: reopen the reader in worker processes; ``serial``: one caller at a time.
Concurrency = Literal["threads", "hdf5", "process", "serial"]

AnyArray = npt.NDArray[Any]


@dataclass(kw_only=True)
class Stream:
    """One thing with one kind, one role and one clock.

    Parameters
    ----------
    id : str
        Unique in its source; ``[A-Za-z0-9_.-]+``.
    name : str
        The vendor's own name.
    role : str
        What it is for; see the module's list.
    timebase : Timebase, optional
        None for what has no time (masks, properties).
    description : str
        One factual sentence; empty where nothing is known.
    """

    kind: ClassVar[str]

    id: str
    name: str
    role: str
    timebase: Timebase | None = None
    description: str = ""
    #: Name of the NWB object where the vendor's convention fixes one; else chosen in nwb/.
    nwb_name: str | None = None
    #: Further facts worth showing in ``inspect`` and keeping in the sidecar.
    facts: dict[str, str | int | float | bool] = field(default_factory=dict)


@dataclass(kw_only=True)
class Array(Stream):
    """Samples along time: recordings, analog signals, movies, traces, audio.

    Subclasses implement :meth:`read`. Physical value = ``data * gain + offset``, in `unit`.

    Parameters
    ----------
    shape : tuple of int
        Time first: ``(samples, channels)``, ``(frames, height, width)``, ...
    dtype : numpy.dtype
        As stored; never widened.
    unit : str
        Unit of the physical values: ``volts``, ``n.a.`` for words.
    gain, offset : numpy.ndarray, shape (channels,)
        Float64, per channel; length 1 where there is one channel or all agree by nature.
    channel_names : tuple of str
        The vendor's name of each channel.
    electrodes : tuple of Electrode, optional
        One per channel for extracellular streams.
    block_rows : int
        Rows that the source can only read together (a record, a strip, a chunk): stretches
        that begin and end at multiples of it are cheapest. 0 where any stretch will do.
    piecewise : bool
        Whether stretches of some megabytes cost no more a byte than long ones, so that a long
        one need not be in memory as a whole.
    concurrency : {"threads", "hdf5", "process", "serial"}
    group : hashable, optional
        Streams of equal `group` are cut from the same rows of the same files; reading
        `parent` once serves them all, so that no file is read twice.
    parent : Array, optional
        With `group`: the stream of whole rows.
    columns : slice or integer array, optional
        With `parent`: which columns of the parent's rows make this stream.
    plane : str, optional
        Of movies, traces and masks: id of the plane under the metadata's ``ImagingPlanes``,
        unique among all sources of a session (``SOURCE_PLANE``); what the files say of the
        plane stands there.
    rois : str, optional
        Of traces: id of the stream of the same source that holds the masks; its ROIs are the
        columns, in order.
    quantity : str, optional
        Of traces: ``raw``, ``neuropil``, ``deconvolved``, ``denoised``, ``dff``, ``baseline``.
    properties : Table, optional
        Of dense masks: one row a ROI.
    reference_frame : str, optional
        Of positions and directions: what zero and the axes are.
    hdf5 : (Path, str), optional
        With concurrency ``hdf5``: file and path of the dataset that holds exactly these rows,
        so that its stored chunks can be read past h5py's lock.
    reopen : callable, optional
        With concurrency ``process``: gives the same stream in another process; set by who
        opens the source, and made of plain data.
    """

    kind: ClassVar[str] = "array"

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    unit: str = "n.a."
    gain: npt.NDArray[np.float64] = field(default_factory=lambda: np.ones(1))
    offset: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros(1))
    channel_names: tuple[str, ...] = ()
    electrodes: tuple[Electrode, ...] | None = None
    block_rows: int = 0
    piecewise: bool = False
    concurrency: Concurrency = "threads"
    group: Hashable | None = None
    parent: Array | None = None
    columns: slice | npt.NDArray[np.intp] | None = None
    plane: str | None = None
    rois: str | None = None
    quantity: str | None = None
    properties: Table | None = None
    reference_frame: str | None = None
    hdf5: tuple[Path, str] | None = None
    reopen: Callable[[], Array] | None = None

    def read(self, start: int, stop: int, out: AnyArray | None = None) -> AnyArray:
        """Rows ``start..stop`` in `dtype`, C order; into `out` where given.

        The default takes `columns` of what `parent` reads.

        Raises
        ------
        nwbkit.errors.DamagedInput
            Where the source holds fewer rows than its header said.
        """
        if self.parent is None or self.columns is None:
            raise NotImplementedError(f"{type(self).__name__} must implement read()")
        part = self.parent.read(start, stop)[:, self.columns]
        if out is None:
            return np.ascontiguousarray(part)
        np.copyto(out, part)
        return out

    @property
    def n_samples(self) -> int:
        """Length along time."""
        return self.shape[0]


ColumnRole = Literal[
    "timestamp", "duration", "start", "stop", "value", "label", "id", "property", "time_property"
]


@dataclass(frozen=True)
class Column:
    """One column of a Table.

    Parameters
    ----------
    name : str
        As it will be called in NWB.
    role : str
        ``timestamp``, ``start`` and ``stop`` are times, ``duration`` a length of time.
    unit : str
        ``samples``: integers on the table's timebase, turned into seconds once, in nwb/;
        ``seconds``: float64 on the table's clock; any other unit is the value's own.
    description : str
        One sentence.
    labels : dict, optional
        Meaning of each value, for columns of codes.
    """

    name: str
    role: ColumnRole
    unit: str = ""
    description: str = ""
    labels: dict[int, str] | None = None


@dataclass(kw_only=True)
class Table(Stream):
    """Rows with named columns: events, intervals, ROI and unit properties.

    Subclasses implement :meth:`read`.
    """

    kind: ClassVar[str] = "table"

    columns: tuple[Column, ...]

    @property
    def n_rows(self) -> int:
        """Number of rows. May have to scan the source: call it once."""
        columns = self.read()
        return len(next(iter(columns.values()))) if columns else 0

    def read(self) -> dict[str, AnyArray]:
        """All rows, by column name. Tables fit in memory by definition.

        Columns of unit ``samples`` are int64, of unit ``seconds`` float64; text columns are
        object arrays of str.
        """
        raise NotImplementedError


@dataclass(kw_only=True)
class Ragged(Stream):
    """Items of unequal length in one flat array: spike times of units, pixel masks.

    Subclasses implement :meth:`counts` and :meth:`read`.

    Parameters
    ----------
    ids : tuple of str
        The sorter's or segmenter's own id of each item.
    dtype : numpy.dtype
        Of the flat values: int64 sample indices where the source has them, else float64
        seconds; a structured type for masks.
    unit : str
        ``samples`` (on the timebase), ``seconds`` (on the clock) or ``pixels``.
    properties : Table, optional
        One row an item.
    plane : str, optional
        Of masks: as of :class:`Array`.
    image_shape : tuple of int, optional
        Of masks: ``(height, width)`` or ``(height, width, planes)`` of the image they lie in.
    """

    kind: ClassVar[str] = "ragged"

    ids: tuple[str, ...]
    dtype: np.dtype[Any]
    unit: str
    properties: Table | None = None
    plane: str | None = None
    image_shape: tuple[int, ...] | None = None
    concurrency: Concurrency = "threads"

    def counts(self) -> npt.NDArray[np.int64]:
        """Number of values of each item, shape (items,)."""
        raise NotImplementedError

    def read(self, start: int, stop: int) -> AnyArray:
        """The flat values of items ``start..stop``, joined in order."""
        raise NotImplementedError

    def before(self, seconds: float) -> Ragged:
        """The same items with only the values before `seconds` on the clock, for ``--stub``.

        The default is the stream itself: what has no times is not cut.
        """
        return self


@dataclass(frozen=True)
class Sweep:
    """One stretch of an intracellular recording.

    Parameters
    ----------
    t0 : float
        Seconds on the stream's clock.
    rate : float
        Hz, unrounded.
    n_samples : int
    electrode : str
        Id of the intracellular electrode.
    number : int
        The vendor's sweep or episode number.
    """

    t0: float
    rate: float
    n_samples: int
    electrode: str
    number: int


@dataclass(kw_only=True)
class Sweeps(Stream):
    """Many short arrays and a table: intracellular recordings.

    Subclasses implement :meth:`read`; physical value = ``data * gain + offset`` in `unit`.
    """

    kind: ClassVar[str] = "sweeps"

    sweeps: tuple[Sweep, ...]
    dtype: np.dtype[Any]
    unit: str
    gain: float = 1.0
    offset: float = 0.0
    properties: Table | None = None

    def read(self, index: int) -> AnyArray:
        """The samples of sweep `index`, shape (n_samples,)."""
        raise NotImplementedError


@dataclass(kw_only=True)
class External(Stream):
    """A file that is referred to, not copied: video.

    The timebase gives the frame times; ``n_frames`` what the container says.
    """

    kind: ClassVar[str] = "external"

    paths: tuple[Path, ...]
    n_frames: int
    frames_per_file: tuple[int, ...]
    width: int | None = None
    height: int | None = None

    def sha256(self) -> Sequence[str]:
        """Digest of each file, hex."""
        import hashlib

        digests = []
        for path in self.paths:
            with open(path, "rb") as f:
                digests.append(hashlib.file_digest(f, "sha256").hexdigest())
        return digests


@dataclass(kw_only=True)
class Pose(Stream):
    """Keypoints over time: a table of arrays, one (frames, 2 or 3) array a keypoint.

    Subclasses implement :meth:`read`.
    """

    kind: ClassVar[str] = "pose"

    keypoints: tuple[str, ...]
    n_frames: int
    n_dims: int = 2
    edges: tuple[tuple[int, int], ...] = ()
    subject: str | None = None
    video: str | None = None
    unit: str = "pixels"

    def read(self, keypoint: int) -> tuple[AnyArray, AnyArray]:
        """``(positions, confidence)`` of one keypoint: (frames, n_dims) and (frames,)."""
        raise NotImplementedError


@dataclass(kw_only=True)
class Images(Stream):
    """A few pictures without time: a mean, a correlation image.

    Subclasses implement :meth:`read`.

    Parameters
    ----------
    names : tuple of str
        ``mean``, ``correlation``, ``maximum_projection``, ... or the vendor's own.
    plane : str, optional
        As of :class:`Array`.
    """

    kind: ClassVar[str] = "images"

    names: tuple[str, ...]
    plane: str | None = None

    def read(self, name: str) -> AnyArray:
        """One picture, shape (height, width)."""
        raise NotImplementedError
