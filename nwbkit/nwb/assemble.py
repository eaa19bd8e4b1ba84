"""From opened streams and merged metadata to pynwb objects with named holes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nwbkit.errors import InternalError
from nwbkit.nwb.audio import write_audio
from nwbkit.nwb.behavior import write_behavior, write_values
from nwbkit.nwb.devices import Hardware
from nwbkit.nwb.electrodes import ElectrodeRows
from nwbkit.nwb.events import write_events
from nwbkit.nwb.facts import lookup
from nwbkit.nwb.file import build_file
from nwbkit.nwb.images import write_summary
from nwbkit.nwb.intervals import write_intervals
from nwbkit.nwb.movies import write_movie
from nwbkit.nwb.names import Taken
from nwbkit.nwb.planes import Planes
from nwbkit.nwb.pose import refuse_labels, write_pose
from nwbkit.nwb.refused import STORED_KINDS, refuse_stored
from nwbkit.nwb.rois import write_image_masks, write_pixel_masks
from nwbkit.nwb.series import write_electrical, write_series, written_as
from nwbkit.nwb.spatial import write_direction, write_position
from nwbkit.nwb.traces import write_traces
from nwbkit.nwb.units import write_units
from nwbkit.nwb.video import write_video
from nwbkit.streams import Array, ClockMap, External, Pose, Stream, Timebase

if TYPE_CHECKING:
    from pynwb import NWBFile, ProcessingModule, TimeSeries

#: Makes the placeholder that pynwb is given for the rows of an array: ``(key, array) -> data``.
MakeHole = Callable[[str, Array], Any]
Writer = Callable[["Assembler", str, Any], list[str]]

WRITERS: dict[tuple[str, str], Writer] = {
    ("array", "raw"): write_electrical,
    ("array", "lfp_band"): write_electrical,
    ("array", "lfp"): write_electrical,
    ("array", "analog"): write_series,
    ("array", "sync"): write_series,
    ("array", "behavior"): write_behavior,
    ("ragged", "values"): write_values,
    ("array", "stimulus"): write_series,
    ("array", "audio"): write_audio,
    ("array", "two_photon"): write_movie,
    ("array", "one_photon"): write_movie,
    ("array", "position"): write_position,
    ("array", "direction"): write_direction,
    ("table", "events"): write_events,
    ("ragged", "units"): write_units,
    ("ragged", "masks"): write_pixel_masks,
    ("array", "masks"): write_image_masks,
    ("array", "traces"): write_traces,
    ("images", "summary"): write_summary,
    ("table", "intervals"): write_intervals,
    **dict.fromkeys(((kind, "stored") for kind in STORED_KINDS), refuse_stored),
    ("external", "video"): write_video,
    ("pose", "pose"): write_pose,
    ("pose", "labels"): refuse_labels,
}


@dataclass(frozen=True)
class Written:
    """Where a stream went.

    Parameters
    ----------
    nwb_paths : list of str
        Of the objects, not of their datasets.
    times : str, optional
        ``rate`` or ``timestamps``, for streams with samples.
    rows : int, optional
        Of a table.
    """

    nwb_paths: list[str]
    times: str | None = None
    rows: int | None = None


@dataclass(frozen=True)
class Assembled:
    """What :func:`assemble` hands over.

    Parameters
    ----------
    nwbfile : pynwb.NWBFile
        With holes where the big datasets go.
    written : dict of str to Written
        By address.
    expected : dict of str to array or list
        By path of a dataset: the values of tables as they left their reader, for the proof.
    """

    nwbfile: NWBFile
    written: dict[str, Written]
    expected: dict[str, Any]


@dataclass
class Assembler:
    """What the writers share while one file is put together.

    Parameters
    ----------
    nwbfile : pynwb.NWBFile
    metadata : mapping
        The merged metadata document's body.
    maps : mapping of str to ClockMap
        By clock id; a clock that is absent is session time itself.
    remarks : mapping of str to str
        By clock id: what must be said in the comments of each object on that clock.
    make_hole : callable
    segments : {"gaps", "split"}
    output : Path, optional
        Where the file will lie: what it refers to is named from there.
    """

    nwbfile: NWBFile
    metadata: Mapping[str, Any]
    maps: Mapping[str, ClockMap]
    remarks: Mapping[str, str]
    make_hole: MakeHole
    segments: str = "gaps"
    output: Path | None = None
    electrodes: ElectrodeRows = field(default_factory=ElectrodeRows)

    def __post_init__(self) -> None:
        self.hardware = Hardware(self.nwbfile, self.metadata)
        self.planes = Planes(self.nwbfile, self.metadata, self.hardware)
        self._taken: dict[str, Taken] = {}
        self._times: dict[tuple[str, Any], TimeSeries] = {}
        self.expected: dict[str, Any] = {}
        self.rows: dict[str, int] = {}
        #: By address: the pynwb object of a stream that others link to.
        self.objects: dict[str, Any] = {}

    def stream_facts(self, address: str) -> dict[str, Any]:
        """What the metadata says of the stream at `address`."""
        return lookup(self.metadata, "Streams", address)

    def hole(self, key: str, name: str, array: Array) -> Any:
        """A placeholder for the rows of `array`; `key` is ``SOURCE/STREAM:field``."""
        marker = name.rpartition("_seg")
        if marker[1] and marker[2].isdigit() and self.segments == "split":
            key = f"{key}@seg{marker[2]}"
        return self.make_hole(key, array)

    def clock_map(self, clock: str) -> ClockMap:
        """The map of a clock to session time."""
        return self.maps.get(clock, ClockMap())

    def in_session(self, timebase: Timebase) -> Timebase:
        """`timebase` in session time."""
        return timebase.mapped(self.clock_map(timebase.clock))

    def remark(self, stream: Stream) -> str:
        """What must be said beside a stream's data, because of its clock; may be empty."""
        return self.remarks.get(stream.timebase.clock, "") if stream.timebase is not None else ""

    def taken(self, place: str) -> Taken:
        """The names given so far in `place`."""
        return self._taken.setdefault(place, Taken(place))

    def module(self, name: str, description: str) -> ProcessingModule:
        """The processing module `name`."""
        if name in self.nwbfile.processing:
            return self.nwbfile.processing[name]
        return self.nwbfile.create_processing_module(name=name, description=description)

    def remember_times(self, timebase: Timebase | None, series: TimeSeries) -> None:
        """Let other series with the same times link to those of `series`."""
        if timebase is not None and timebase.segments and series.timestamps is not None:
            self._times.setdefault((timebase.clock, timebase.segments), series)

    def times_of(self, timebase: Timebase) -> TimeSeries | None:
        """A series that holds exactly these times already."""
        return self._times.get((timebase.clock, timebase.segments)) if timebase.segments else None


def assemble(
    streams: Sequence[tuple[str, Stream]],
    metadata: Mapping[str, Any],
    *,
    identifier: str,
    start: datetime,
    description: str,
    source_script: str,
    maps: Mapping[str, ClockMap],
    remarks: Mapping[str, str],
    make_hole: MakeHole,
    segments: str = "gaps",
    output: Path | None = None,
) -> Assembled:
    """Put one NWB file together; see :class:`Assembled`.

    Parameters
    ----------
    streams : sequence of (address, Stream)
    metadata : mapping
        The merged metadata document's body.
    identifier, description, source_script : str
    start : datetime
        With zone.
    maps, remarks, make_hole, segments, output
        See :class:`Assembler`.
    """
    nwbfile = build_file(
        metadata,
        identifier=identifier,
        start=start,
        description=description,
        source_script=source_script,
    )
    assembler = Assembler(nwbfile, metadata, maps, remarks, make_hole, segments, output)
    for _, stream in streams:
        if isinstance(stream, Array) and stream.electrodes is not None:
            assembler.electrodes.add(stream)
    assembler.electrodes.build(nwbfile, assembler.hardware, metadata)
    written: dict[str, Written] = {}
    # videos first: poses link to them
    for address, stream in sorted(streams, key=lambda s: not isinstance(s[1], External)):
        paths = writer_for(stream)(assembler, address, stream)
        times, rows = None, assembler.rows.get(address)
        if isinstance(stream, Array | External | Pose) and stream.timebase is not None:
            times = written_as(assembler.in_session(stream.timebase))
            if segments == "split" and len(paths) > 1:
                times = "rate"
        written[address] = Written(paths, times, rows)
    return Assembled(nwbfile, written, assembler.expected)


def writer_for(stream: Stream) -> Writer:
    """The writer for a stream's kind and role.

    Raises
    ------
    nwbkit.errors.InternalError
        Where a format hands out a stream that nothing can write.
    """
    writer = WRITERS.get((stream.kind, stream.role))
    if writer is None:
        raise InternalError(
            f"nothing writes a stream of kind '{stream.kind}' and role '{stream.role}'"
        )
    return writer
