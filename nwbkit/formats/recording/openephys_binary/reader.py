"""An opened Open Ephys experiment: all its recordings, streams and record nodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nwbkit.errors import NoInput, NwbkitError
from nwbkit.formats.base import Reader, Source
from nwbkit.formats.io.flat import FlatArray
from nwbkit.formats.recording.openephys_binary import describe
from nwbkit.formats.recording.openephys_binary.clocks import Basis, settle, timebase_of
from nwbkit.formats.recording.openephys_binary.complaints import Complaints, name_of
from nwbkit.formats.recording.openephys_binary.look import settings_of
from nwbkit.formats.recording.openephys_binary.naming import hardware_id, name_tracks
from nwbkit.formats.recording.openephys_binary.placing import EventOpener
from nwbkit.formats.recording.openephys_binary.probes import is_neuropixels, read_probe
from nwbkit.formats.recording.openephys_binary.reread import Place, SecondReader, Wanted
from nwbkit.formats.recording.openephys_binary.settings import Settings, read_settings
from nwbkit.formats.recording.openephys_binary.streams import (
    Named,
    neural_indices,
    plain_electrodes,
    rows_of,
    streams_of,
)
from nwbkit.formats.recording.openephys_binary.structure import NAME, read_structure
from nwbkit.formats.recording.openephys_binary.tracks import Recording, Track, read_tracks
from nwbkit.streams import Array, Electrode, Table
from nwbkit.streams.kinds import AnyArray


class OpenEphysReader(Reader):
    """One experiment; its recordings are segments of the same streams.

    Parameters
    ----------
    source : Source

    Raises
    ------
    nwbkit.errors.NoInput
        Where a continuous.dat is missing.
    nwbkit.errors.DamagedInput
        Where headers, sizes, sample numbers and times contradict each other.
    """

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self._complaints = Complaints(source.salvage)
        headers = [p for p in source.paths if p.name.lower() == NAME]
        if not headers:
            raise NoInput(f"source '{source.id}' has no {NAME} among its paths")
        self._recordings = [Recording.of(read_structure(p)) for p in headers]
        self._recordings.sort(key=lambda r: (r.node or 0, r.number, str(r.folder)))
        self._settings = self._read_settings()
        self._rows: list[FlatArray] = []
        self._wanted: dict[str, Wanted] = {}
        self._devices: dict[str, Any] = {}
        self._groups: dict[str, Any] = {}
        tracks = read_tracks(self._recordings, self._complaints)
        names = name_tracks(tracks)
        bases = self._settle(tracks, names)
        self._open_tracks(tracks, names, bases)
        self._open_events(tracks, names, bases)
        self._note_spikes()
        self._second = SecondReader(self._wanted)
        self.losses = self._complaints.losses
        self.notes += self._complaints.notes

    # -------------------------------------------------------------- opening

    def _read_settings(self) -> dict[Path, Settings]:
        """By experiment folder; one that cannot be read is noted, the data do not need it."""
        found = {}
        for experiment in dict.fromkeys(r.folder.parent for r in self._recordings):
            path = settings_of(experiment)
            if path is None:
                self._complaints.note(f"'{experiment.name}' has no settings.xml")
                continue
            try:
                found[experiment] = read_settings(path)
            except NwbkitError as error:
                self._complaints.note(f"settings are left out: {error.message}")
        return found

    def _settings_of(self, track: Track) -> Settings | None:
        return self._settings.get(track.parts[0].recording.folder.parent)

    def _settle(self, tracks: Sequence[Track], names: Sequence[Named]) -> list[Basis]:
        mains: dict[int | None, tuple[int, str]] = {}
        for track in tracks:
            settings = self._settings_of(track)
            if settings is not None and track.node in settings.mains:
                mains[track.node] = settings.mains[track.node]
        labels = {i: n.id for i, n in enumerate(names)}
        bases = settle(self.source.id, tracks, labels, mains)
        self.clocks += list({b.clock.id: b.clock for b in bases}.values())
        return bases

    def _open_tracks(
        self, tracks: Sequence[Track], names: Sequence[Named], bases: Sequence[Basis]
    ) -> None:
        neural = sum(bool(neural_indices(t.continuous)) for t in tracks)
        clocks: dict[str, list[tuple[Place, bool]]] = {}
        for track, basis in zip(tracks, bases, strict=True):
            first = (_places(track)[0], basis.synchronised)
            clocks.setdefault(basis.clock.id, []).append(first)
        for track, named, basis in zip(tracks, names, bases, strict=True):
            timebase = timebase_of(track, basis)
            rows = rows_of(track, named, timebase, self.source.id)
            self._rows.append(rows)
            electrodes = self._electrodes(track, named)
            for stream in streams_of(track, rows, named, electrodes, neural == 1):
                self.streams.append(stream)
                self._wanted[stream.id] = Wanted(
                    places=_places(track),
                    names=stream.channel_names,
                    unit=_unit(stream),
                    clock=tuple(clocks[basis.clock.id]),
                    synchronised=basis.synchronised,
                    regular=timebase.read_times is None,
                )

    def _electrodes(self, track: Track, named: Named) -> tuple[Electrode, ...]:
        continuous = track.continuous
        channels = [continuous.channels[i] for i in neural_indices(continuous)]
        if not channels:
            return ()
        settings = self._settings_of(track)
        version = track.parts[0].recording.structure.version
        neuropixels = is_neuropixels(continuous)
        hardware = hardware_id(track, named, neuropixels)
        probe = None
        if neuropixels:
            probe, problem = read_probe(settings, continuous, channels, hardware)
            if probe is None:
                self._complaints.note(f"{named.id}: positions of the sites are unknown: {problem}")
        groups = describe.groups_of(hardware, probe, named.id)
        if probe is not None:
            self._devices[hardware] = describe.probe_device(probe, version)
        else:
            self._devices.setdefault(hardware, describe.device_of(continuous, settings, version))
        self._groups.update(groups)
        return probe.electrodes if probe is not None else plain_electrodes(channels, hardware)

    def _open_events(
        self, tracks: Sequence[Track], names: Sequence[Named], bases: Sequence[Basis]
    ) -> None:
        opener = EventOpener(
            self.source.id, self._recordings, tracks, names, bases, self._complaints
        )
        for table, wanted, clock in opener.tables():
            self.streams.append(table)
            self._wanted[table.id] = wanted
            if clock is not None and clock.id not in {c.id for c in self.clocks}:
                self.clocks.append(clock)

    def _note_spikes(self) -> None:
        for recording in self._recordings:
            for folder in recording.structure.spikes:
                path = recording.folder / "spikes" / folder
                if path.is_dir():
                    self._complaints.note(
                        f"spikes that the GUI detected in '{name_of(path)}' are not converted"
                    )

    # -------------------------------------------------------------- Reader

    def close(self) -> None:
        """Close the files. May be called twice."""
        for rows in self._rows:
            rows.close()

    def files(self) -> Sequence[Path]:
        """What detection found, and all that is read beside it."""
        read = [p for rows in self._rows for p in (f.path for f in rows.files)]
        events = [f for w in self._wanted.values() for d in w.folders for f in d.glob("*.npy")]
        return list(dict.fromkeys([*self.source.paths, *read, *sorted(events)]))

    def metadata(self) -> dict[str, Any]:
        """Session start, devices, electrode groups, descriptions of streams."""
        start = describe.start_of(self._recordings, list(self._settings.values()))
        streams: Mapping[str, str] = {self.address(s): s.description for s in self.streams}
        return describe.document(start, self._devices, self._groups, streams)

    def reread(self, stream_id: str, start: int, stop: int) -> AnyArray | None:
        """Rows by numpy.fromfile and the JSON of structure.oebin."""
        if not isinstance(self.stream(stream_id), Array):
            return None
        return self._second.rows(stream_id, start, stop)

    def reread_facts(self, stream_id: str) -> dict[str, Any] | None:
        """Gain, offset, rate and segments by numpy.load and the JSON of structure.oebin."""
        if not isinstance(self.stream(stream_id), Array):
            return None
        return self._second.facts(stream_id)

    def reread_table(self, stream_id: str) -> dict[str, AnyArray] | None:
        """Events by numpy.load, row after row."""
        if not isinstance(self.stream(stream_id), Table) or self.source.salvage:
            return None
        return self._second.table(stream_id)


def _places(track: Track) -> tuple[Place, ...]:
    return tuple(Place(p.recording.structure.path, p.path.parent) for p in track.parts)


def _unit(stream: Array) -> str:
    if stream.role == "sync":
        return "word"
    return "input" if stream.role == "analog" else "electrode"
