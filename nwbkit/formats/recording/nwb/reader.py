"""An opened NWB file: what it holds, told without reading its data.

Objects are known by their structure as the NWB schema defines it (``data`` with
``starting_time`` or ``timestamps``, ``colnames``, ``spike_times``, ``external_file``), so that
types of extensions are shown too. Source: NWB format specification 2.x, nwb.base,
nwb.image, nwb.misc; hdmf-common DynamicTable.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nwbkit.errors import DamagedInput, UnknownFormat
from nwbkit.formats.base import Reader, Source
from nwbkit.formats.recording.nwb import tree
from nwbkit.streams import Anchor, Array, Clock, Column, External, Ragged, Stream, Table, Timebase

if TYPE_CHECKING:
    import h5py

#: Every stream has it: nothing writes what is stored already.
_ROLE = "stored"
_IMAGES = ("GrayscaleImage", "RGBImage", "RGBAImage", "Image")
_GENERAL = (
    "experiment_description",
    "session_id",
    "institution",
    "lab",
    "notes",
    "pharmacology",
    "protocol",
    "slices",
    "data_collection",
    "surgery",
    "virus",
)
_SUBJECT = (
    "subject_id",
    "species",
    "sex",
    "age",
    "date_of_birth",
    "genotype",
    "strain",
    "weight",
    "description",
)


@dataclass(kw_only=True)
class StoredTable(Table):
    """A DynamicTable: its columns and number of rows."""

    rows: int

    @property
    def n_rows(self) -> int:
        """Number of rows, as the file declares it."""
        return self.rows


class NWBReader(Reader):
    """One .nwb file or .nwb.zarr store, described and closed again.

    Parameters
    ----------
    source : Source

    Raises
    ------
    nwbkit.errors.DamagedInput
        Where HDF5 or Zarr cannot read it.
    nwbkit.errors.UnknownFormat
        Where it is no NWB 2.
    """

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        path = source.paths[0]
        try:
            with tree.opened(path) as file:
                self._read(file)
        except (OSError, RuntimeError) as error:
            kind = "Zarr" if path.is_dir() else "HDF5"
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise DamagedInput(f"'{path.name}' cannot be read as {kind}: {reason}") from None

    def files(self) -> list[Path]:
        """The file, or every file of a store."""
        path = self.source.paths[0]
        if not path.is_dir():
            return [path]
        return sorted(p for p in path.rglob("*") if p.is_file())

    def _read(self, file: h5py.File) -> None:
        path = self.source.paths[0]
        version = tree.text(tree.attribute(file, "nwb_version"))
        if version is None:
            if "nwb_version" in file:
                raise UnknownFormat(f"'{path.name}' is NWB 1, which is not read here")
            kind = "a Zarr store" if path.is_dir() else "an HDF5 file"
            raise UnknownFormat(f"'{path.name}' is {kind} without nwb_version: no NWB file")
        self.notes.append(f"NWB {version}")
        self._metadata = _metadata(file)
        start = self._metadata["NWBFile"].get("session_start_time", "an unknown time")
        zero = self._metadata["NWBFile"].get("timestamps_reference_time", start)
        self._clock = f"{self.source.id}/session"
        self.clocks.append(Clock(self._clock, f"seconds from {zero}", Anchor(0.0, "header")))
        outside: list[str] = []
        for where, group in tree.groups(file, outside):
            self._group(where, group)
        for stream, short in zip(self.streams, _short_ids(self.streams), strict=True):
            stream.id = short
        if outside:
            listed = ", ".join(f"'{o}'" for o in outside[:3])
            more = f" and {len(outside) - 3} more" if len(outside) > 3 else ""
            self.notes.append(f"links to other files are not followed: {listed}{more}")

    def _group(self, where: str, group: h5py.Group) -> None:
        members = set(group)
        if {"starting_time", "timestamps"} & members and {"data", "external_file"} & members:
            self._series(where, group)
        elif "colnames" in group.attrs:
            self._table(where, group)
        else:
            for name in sorted(members):
                image = tree.child(group, name)
                if tree.is_dataset(image) and tree.kind_of(image) in _IMAGES:
                    self.streams.append(self._array(f"{where}/{name}", image, image))

    def _named(self, where: str, obj: Any) -> dict[str, Any]:
        kind = tree.kind_of(obj) or "an object without a type"
        return {
            "id": where,
            "name": f"/{where}",
            "role": _ROLE,
            "description": tree.text(tree.attribute(obj, "description")) or "",
            "facts": {"is": f"{kind} at /{where}"},
        }

    def _series(self, where: str, group: h5py.Group) -> None:
        data = tree.child(group, "data")
        external = tree.child(group, "external_file")
        n = data.shape[0] if tree.is_dataset(data) and data.shape else 0
        stream: Stream
        if tree.is_dataset(external):
            stream = self._external(where, group, external)
        elif tree.is_dataset(data):
            stream = self._array(where, group, data)
        else:
            self.notes.append(f"'{where}' has no data in this file")
            return
        electrodes = tree.child(group, "electrodes")
        if tree.is_dataset(electrodes) and electrodes.shape:
            n_electrodes = int(electrodes.shape[0])
            stream.facts["electrodes"] = n_electrodes
            shape: tuple[int, ...] = getattr(stream, "shape", ())
            if n_electrodes != (shape[1] if len(shape) > 1 else 1):
                self.notes.append(f"'/{where}' names {n_electrodes} electrodes for data of {shape}")
        self._times(stream, group, n)
        self.streams.append(stream)

    def _array(self, where: str, obj: Any, data: h5py.Dataset) -> Array:
        named = self._named(where, obj)
        shape: tuple[int, ...] = tuple(int(n) for n in data.shape or (1,))
        conversion = tree.number(tree.attribute(data, "conversion"), 1.0)
        gain = np.array([conversion], np.float64)
        channels = tree.small(tree.child(obj, "channel_conversion")) if obj is not data else None
        if isinstance(channels, np.ndarray) and channels.dtype.kind in "iuf":
            gain = gain * channels.astype(np.float64)
        unit = tree.text(tree.attribute(data, "unit")) or "n.a."
        offset = np.array([tree.number(tree.attribute(data, "offset"), 0.0)], np.float64)
        dtype = tree.type_name(data.dtype)
        if dtype == "text":
            named["facts"]["values"] = "text"
        return Array(
            **named,
            shape=shape,
            dtype=data.dtype,
            unit=unit,
            gain=gain,
            offset=offset,
            concurrency="hdf5",
        )

    def _external(self, where: str, group: h5py.Group, files: h5py.Dataset) -> External:
        named = self._named(where, group)
        listed = tree.texts(tree.small(files))
        # what they name is shown, and neither opened nor looked for
        named["facts"]["files"] = ", ".join(listed[:3]) + (", ..." if len(listed) > 3 else "")
        stamps = tree.child(group, "timestamps")
        n = stamps.shape[0] if tree.is_dataset(stamps) and stamps.shape else 0
        counted = tree.child(group, "num_samples")
        if not n and tree.is_dataset(counted):
            n = int(counted[()])
        return External(**named, paths=(), n_frames=int(n), frames_per_file=())

    def _times(self, stream: Stream, group: h5py.Group, n: int) -> None:
        """Start, rate and duration; a fact instead where they contradict themselves."""
        start = tree.child(group, "starting_time")
        if tree.is_dataset(start):
            t0 = tree.number(tree.small(start))
            rate = tree.number(tree.attribute(start, "rate"))
            if t0 is None or rate is None or rate <= 0:
                stream.facts["times"] = "no readable starting_time and rate"
                return
            stream.timebase = Timebase.regular(self._clock, int(n), rate, t0)
            stream.facts["starts"] = f"{t0:.12g} s"
            return
        stamps = tree.child(group, "timestamps")
        found = tree.ends(stamps) if tree.is_dataset(stamps) else None
        if found is None or found[1] < found[0]:
            stream.facts["times"] = (
                "none"
                if stamps is not None and not stamps.shape[0]
                else (
                    "timestamps that cannot be read here"
                    if found is None
                    else "timestamps run back"
                )
            )
            return
        n_stamps = int(stamps.shape[0])  # type: ignore[union-attr]
        # whoever describes a stream asks for its first and last time only
        known = {0: found[0], n_stamps - 1: found[1]}
        stream.timebase = Timebase.irregular(
            self._clock, n_stamps, lambda a, b: np.array([known[i] for i in range(a, b)])
        )
        stream.facts["starts"] = f"{found[0]:.12g} s, by timestamps"

    def _table(self, where: str, group: h5py.Group) -> None:
        named = self._named(where, group)
        names = tree.texts(np.asarray(tree.attribute(group, "colnames")))
        ids = tree.child(group, "id")
        rows = int(ids.shape[0]) if tree.is_dataset(ids) and ids.shape else 0
        spikes = tree.child(group, "spike_times")
        known = tree.small(ids)
        if tree.is_dataset(spikes) and spikes.shape and known is not None:
            named["facts"]["spikes"] = int(spikes.shape[0])
            named["facts"]["columns"] = ", ".join(names)
            self.streams.append(
                Ragged(
                    **named,
                    ids=tuple(str(i) for i in np.ravel(known).tolist()),
                    dtype=spikes.dtype,
                    unit="seconds",
                )
            )
            return
        columns = tuple(Column(name, "property") for name in names)
        self.streams.append(StoredTable(**named, columns=columns, rows=rows))

    def metadata(self) -> dict[str, Any]:
        """What the file says of session, subject and devices."""
        return self._metadata


def _short_ids(streams: Sequence[Stream]) -> list[str]:
    """The ends of the streams' paths, as short as tells them apart."""
    paths = [[_plain(part) for part in s.name.strip("/").split("/")] for s in streams]
    lengths = [1] * len(paths)
    while True:
        ids = [".".join(p[-n:]) for p, n in zip(paths, lengths, strict=True)]
        counts = Counter(ids)
        grown = [
            n + (counts[i] > 1 and n < len(p)) for i, n, p in zip(ids, lengths, paths, strict=True)
        ]
        if grown == lengths:
            break
        lengths = grown
    # paths that differ only in what an id cannot hold
    digests = [hashlib.sha256(s.name.encode()).hexdigest()[:8] for s in streams]
    return [i if counts[i] == 1 else f"{i}.{d}" for i, d in zip(ids, digests, strict=True)]


def _plain(part: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]+", "-", part).strip("-") or "object"


def _metadata(file: h5py.File) -> dict[str, Any]:
    nwbfile: dict[str, Any] = {}
    names = ("session_description", "identifier", "session_start_time", "timestamps_reference_time")
    for name in names:
        nwbfile[name] = tree.text(tree.small(tree.child(file, name)))
    general = tree.child(file, "general")
    found: dict[str, Any] = {"NWBFile": nwbfile}
    if tree.is_group(general):
        for name in _GENERAL:
            nwbfile[name] = tree.text(tree.small(tree.child(general, name)))
        for name in ("experimenter", "keywords", "related_publications"):
            nwbfile[name] = tree.texts(tree.small(tree.child(general, name))) or None
        found["Subject"] = _subject(tree.child(general, "subject"))
        found["Devices"] = _devices(tree.child(general, "devices"))
    found["NWBFile"] = {k: v for k, v in nwbfile.items() if v is not None}
    return {k: v for k, v in found.items() if v or k == "NWBFile"}


def _subject(group: Any) -> dict[str, Any]:
    if not tree.is_group(group):
        return {}
    facts = {name: tree.text(tree.small(tree.child(group, name))) for name in _SUBJECT}
    reference = tree.attribute(tree.child(group, "age"), "reference") if "age" in group else None
    facts["age__reference"] = tree.text(reference)
    return {k: v for k, v in facts.items() if v is not None}


def _devices(group: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in group if tree.is_group(group) else ():
        device = tree.child(group, name)
        if tree.is_group(device) and tree.kind_of(device) != "DeviceModel":
            facts = {
                key: tree.text(tree.attribute(device, key))
                for key in ("description", "manufacturer", "serial_number")
            }
            found[name] = {"name": name, **{k: v for k, v in facts.items() if v is not None}}
    return found
