"""An opened Open Ephys legacy experiment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nwbkit.errors import MissingFact, NoInput
from nwbkit.formats.base import Reader, Source
from nwbkit.formats.io.complaints import Complaints
from nwbkit.formats.io.names import camel
from nwbkit.formats.recording.openephys_legacy import describe, events, spikes
from nwbkit.formats.recording.openephys_legacy.look import numbered
from nwbkit.formats.recording.openephys_legacy.records import RecordArray
from nwbkit.formats.recording.openephys_legacy.reread import SecondReader
from nwbkit.formats.recording.openephys_legacy.streams import streams_of
from nwbkit.formats.recording.openephys_legacy.tracks import (
    Track,
    labels_of,
    read_seconds,
    read_tracks,
    ticks_of,
    timebase_of,
    trailing_zeros,
)
from nwbkit.streams import Array, Clock, Timebase
from nwbkit.streams.kinds import AnyArray


class LegacyReader(Reader):
    """One experiment; its recordings are segments.

    Parameters
    ----------
    source : Source

    Raises
    ------
    nwbkit.errors.DamagedInput
        Where headers, sizes and sample numbers contradict each other.
    nwbkit.errors.MissingFact
        Where a header says no rate or scale.
    """

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self._complaints = Complaints(source.salvage)
        by_suffix: dict[str, list[Path]] = {}
        for path in source.paths:
            by_suffix.setdefault(path.suffix.lower(), []).append(path)
        self._continuous = by_suffix.get(".continuous", [])
        every = by_suffix.get(".events", [])
        self._messages_path = next((p for p in every if _is_messages(p)), None)
        self._events_paths = [p for p in every if not _is_messages(p)]
        self._spikes_paths = by_suffix.get(".spikes", [])
        if not (self._continuous or self._events_paths or self._spikes_paths):
            raise NoInput(f"source '{source.id}' has no .continuous, .events or .spikes file")
        xml = [p for p in by_suffix.get(".xml", []) if p.name.lower().startswith("settings")]
        self._settings = describe.read_settings(xml[0]) if xml else describe.Settings()
        self._devices: dict[str, Any] = {}
        self._groups: dict[str, Any] = {}
        self._tracks = read_tracks(self._continuous, source.options, source.id, self._complaints)
        self._labels = labels_of(self._tracks)
        for track in self._tracks:
            read_seconds(track, by_suffix.get(".timestamps", []), self._complaints)
        self._zero_s = self._synchronised()
        self._messages = self._read_messages()
        self._open_tracks()
        self._open_events()
        self._open_spikes()
        self._second = SecondReader()
        self._describe_restarts()
        self._note_padding()
        self.losses = self._complaints.losses
        self.notes += self._complaints.notes

    # -------------------------------------------------------------- opening

    def _synchronised(self) -> float | None:
        """The first synchronised second of several tracks, all of which have such times."""
        firsts = [t.seconds[0] for t in self._tracks if t.seconds is not None and len(t.seconds)]
        if len(self._tracks) < 2 or len(firsts) < len(self._tracks):
            return None
        restarted = any(any(t.offsets) for t in self._tracks)
        return None if restarted else float(min(firsts))

    def _clock_of(self, track: Track, label: str) -> str:
        if self._zero_s is not None:
            name = f"{self.source.id}/synchronised"
            said = f"time to which the GUI synchronised its streams; its zero is {self._zero_s} s"
        else:
            name = f"{self.source.id}/{label}"
            said = f"clock of {label}; its zero is sample {track.zero}"
        if name not in {c.id for c in self.clocks}:
            self.clocks.append(Clock(name, said))
        return name

    def _open_tracks(self) -> None:
        neural = sum(any(c.kind == "neural" for c in t.channels) for t in self._tracks)
        for track, label in zip(self._tracks, self._labels, strict=True):
            timebase = timebase_of(track, self._clock_of(track, label), self._zero_s)
            hardware = f"{self.source.id}_{label.replace('.', '-')}"
            made = streams_of(track, label, hardware, timebase, neural == 1, self.source.id)
            self.streams += made
            if any(s.electrodes for s in made):
                self._devices[hardware] = describe.device_of(
                    track.processor, track.stream, self._settings
                )
                self._groups[hardware] = {
                    "description": f"the electrodes of {label}",
                    "device": hardware,
                }

    def _read_messages(self) -> events.Messages | None:
        path = self._messages_path
        return events.read_messages(path, self._complaints) if path is not None else None

    def _describe_restarts(self) -> None:
        if any(any(t.offsets) for t in self._tracks):
            gap = float(self.source.options.get("reset_gap") or 0.0)
            where = f"{gap:g} s after" if gap else "directly behind"
            for stream in self.streams:
                stream.description += (
                    f"; acquisition was restarted, and what follows is placed {where} what was "
                    "before, since the true distance is in no file"
                )

    def _note_padding(self) -> None:
        for track, label in zip(self._tracks, self._labels, strict=True):
            if n := trailing_zeros(track):
                self._complaints.note(
                    f"{label}: the last {n} samples of every channel are zeros, with which the GUI "
                    "fills a recording's last record"
                )

    def _open_events(self) -> None:
        for path in self._events_paths:
            file = events.open_events(path, self._complaints)
            if not len(file.rows):
                continue
            for index, rows in self._by_track(file):
                self._make_events(file, index, rows)
        if self._messages is not None and len(self._messages.ticks):
            self._make_messages(self._messages)

    def _by_track(self, file: events.EventFile) -> list[tuple[int | None, npt.NDArray[Any]]]:
        """Which events are on the clock of which track: by file name, else by processor."""
        every = np.arange(len(file.rows))
        if not self._tracks:
            return [(None, every)]
        if len(self._tracks) == 1:
            return [(0, every)]
        number, _, stream = numbered(file.path.stem)[0].partition("_")
        named = [
            i
            for i, t in enumerate(self._tracks)
            if t.processor == number and t.stream == stream and stream
        ]
        if named:
            return [(named[0], every)]
        processors = file.rows["processor"].astype(int)
        found = []
        for processor in np.unique(processors).tolist():
            mine = [i for i, t in enumerate(self._tracks) if t.processor == str(processor)]
            if not mine:
                mine = [0]
                self._complaints.note(
                    f"events of processor {processor} in '{file.path.name}' are placed on the "
                    f"clock of {self._labels[0]}: which one they count is not said"
                )
            found.append((mine[0], np.flatnonzero(processors == processor)))
        joined: dict[int | None, list[npt.NDArray[Any]]] = {}
        for index, rows in found:
            joined.setdefault(index, []).append(rows)
        return [(i, np.sort(np.concatenate(r))) for i, r in joined.items()]

    def _ticks(
        self, index: int | None, ticks: npt.NDArray[np.int64], recordings: Any, rate: float | None
    ) -> tuple[npt.NDArray[np.int64], Timebase, str]:
        """Samples from the clock's first, their timebase, and what the track is called."""
        if index is not None:
            track, label = self._tracks[index], self._labels[index]
            samples = track.placed(ticks, recordings)
            last = int(samples.max(initial=0))
            return samples, ticks_of(track, self._clock_of(track, label), self._zero_s, last), label
        rate = rate or self.source.options.get("rate")
        if rate is None:
            raise MissingFact(
                f"'{self.source.id}' says no rate of its events",
                hint=f"--set {self.source.id}.rate=HZ",
            )
        alone = Track("", "", float(rate), [])
        zero = int(ticks.min(initial=0))
        if self.clocks:
            zero = self._alone_zero
        else:
            self._alone_zero = zero
            said = f"clock of the events; its zero is sample {zero}"
            self.clocks.append(Clock(f"{self.source.id}/events", said))
        samples = ticks - zero
        last = int(samples.max(initial=0))
        return samples, ticks_of(alone, self.clocks[0].id, None, last), "events"

    _alone_zero = 0

    def _make_events(
        self, file: events.EventFile, index: int | None, picked: npt.NDArray[Any]
    ) -> None:
        rows, recordings = file.rows[picked], file.recordings[picked]
        samples, timebase, label = self._ticks(
            index, rows["tick"].astype(np.int64), recordings, file.rate
        )
        ttl = rows["type"] == events.TTL
        taken = {s.id for s in self.streams}
        if f"{label}.ttl" in taken:
            label = numbered(file.path.stem)[0].replace(" ", "-")
        if ttl.any():
            values = events.ttl_values(rows[ttl], samples[ttl], recordings[ttl])
            self._add_table(f"{label}.ttl", f"{label} TTL", events.TTL_COLUMNS, values, timebase)
        if (~ttl).any():
            values = events.other_values(rows[~ttl], samples[~ttl])
            name = f"{label}.events"
            self._add_table(name, f"{label} events", events.OTHER_COLUMNS, values, timebase)

    def _add_table(
        self, name: str, title: str, columns: Any, values: dict[str, AnyArray], timebase: Timebase
    ) -> None:
        what = {"ttl": "changes of TTL lines", "events": "events that are no TTL changes"}
        self.streams.append(
            events.Events(
                id=name,
                name=title,
                role="events",
                timebase=timebase,
                nwb_name=f"Events{camel(title)}",
                description=what.get(name.rpartition(".")[2], "messages of the GUI"),
                columns=columns,
                values=values,
            )
        )

    def _make_messages(self, said: events.Messages) -> None:
        index = 0 if self._tracks else None
        if len(self._tracks) > 1:
            self._complaints.note(
                f"messages are placed on the clock of {self._labels[0]}: which one they count "
                "is not said"
            )
        if index is None and not self.clocks and not self.source.options.get("rate"):
            self._complaints.note("messages are left out: no file says their rate")
            return
        recordings = np.zeros(len(said.ticks), np.int64)
        if index is not None:
            recordings = self._recording_of(self._tracks[index], said.ticks)
        rate = None
        if index is None and self.streams and self.streams[0].timebase is not None:
            rate = self.streams[0].timebase.rate
        samples, timebase, _ = self._ticks(index, said.ticks, recordings, rate)
        values = {"timestamp": samples, "message": np.array(said.texts, dtype=object)}
        self._add_table("messages", "messages", events.MESSAGE_COLUMNS, values, timebase)

    @staticmethod
    def _recording_of(track: Track, ticks: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """The recording that a message fell into: messages do not say."""
        numbers = np.zeros(len(ticks), np.int64)
        for run in track.runs:
            numbers[ticks >= run.tick] = run.recording
        return numbers

    def _open_spikes(self) -> None:
        units: list[tuple[str, str, int, npt.NDArray[np.int64]]] = []
        timebase = None
        unsorted = []
        for path in self._spikes_paths:
            file = spikes.open_spikes(path, self._complaints)
            if file is None:
                continue
            if not (file.sorted_ids > 0).any():
                unsorted.append(path.name)
                continue
            index = self._track_of(path, file.rate)
            if index is None and self._tracks:
                self._complaints.note(
                    f"sorted spikes in '{path.name}' are left out: which clock they count is "
                    "not said"
                )
                continue
            samples, base, _ = self._ticks(index, file.ticks, file.recordings, file.rate)
            if timebase is not None and timebase.clock != base.clock:
                self._complaints.note(f"'{path.name}' is left out: its units are on another clock")
                continue
            if timebase is None or base.n_samples > timebase.n_samples:
                timebase = base
            name = numbered(path.stem)[0] if path.stem != file.electrode else path.stem
            for number in np.unique(file.sorted_ids).tolist():
                mine = np.sort(samples[file.sorted_ids == number])
                units.append((f"{name}#{number}", file.electrode, number, mine))
        if unsorted:
            self._complaints.note(
                f"{len(unsorted)} files of spikes that were detected and not sorted are not "
                f"converted: {', '.join(unsorted[:3])}{', ...' if len(unsorted) > 3 else ''}"
            )
        if units and timebase is not None:
            self._add_units(sorted(units, key=lambda u: u[0]), timebase)

    def _track_of(self, path: Path, rate: float | None) -> int | None:
        for i, track in enumerate(self._tracks):
            stem = numbered(path.stem)[0]
            if track.stream and (
                path.stem.endswith(f"_{track.stream}") or stem.endswith(f"_{track.stream}")
            ):
                return i
        fitting = [i for i, t in enumerate(self._tracks) if rate in (None, t.rate)]
        return fitting[0] if len(fitting) == 1 else None

    def _add_units(self, units: list[Any], timebase: Timebase) -> None:
        values = {
            "electrode": np.array([u[1] for u in units], dtype=object),
            "sorted_id": np.array([u[2] for u in units], np.int64),
        }
        self.streams.append(
            spikes.LegacyUnits(
                id="units",
                name="units",
                role="units",
                timebase=timebase,
                nwb_name="units",
                description="spikes as sorted while recording, by electrode and sorted id",
                ids=tuple(u[0] for u in units),
                dtype=np.dtype(np.int64),
                unit="samples",
                properties=spikes.UnitFacts(
                    id="units.facts",
                    name="units",
                    role="properties",
                    columns=spikes.PROPERTIES,
                    values=values,
                ),
                times=tuple(u[3] for u in units),
            )
        )

    # -------------------------------------------------------------- Reader

    def metadata(self) -> dict[str, Any]:
        """Session start, devices, electrode groups, descriptions of streams."""
        dates = [c.file.said.get("date_created", "") for t in self._tracks for c in t.channels]
        if not dates:
            from nwbkit.formats.recording.openephys_legacy.records import read_fields

            paths = [*self._events_paths, *self._spikes_paths]
            dates = [read_fields(p).get("date_created", "") for p in paths]
        software = self._messages.software_ms if self._messages is not None else None
        start = describe.start_of(dates, software)
        found: dict[str, Any] = {}
        if start is not None:
            found["NWBFile"] = {"session_start_time": start}
        if self._devices:
            found["Devices"] = dict(self._devices)
            found["ElectrodeGroups"] = dict(self._groups)
        found["Streams"] = {self.address(s): {"description": s.description} for s in self.streams}
        return found

    def reread(self, stream_id: str, start: int, stop: int) -> AnyArray | None:
        """Rows by a structured view of each channel's bytes."""
        stream = self.stream(stream_id)
        if not isinstance(stream, RecordArray) or self.source.salvage:
            return None
        return self._second.rows([f.path for f in stream.files], start, stop)

    def reread_facts(self, stream_id: str) -> dict[str, Any] | None:
        """Gain, rate and segments by the text of the headers and a view of the records."""
        stream = self.stream(stream_id)
        if not isinstance(stream, RecordArray) or self.source.salvage or self._zero_s is not None:
            return None
        if "rate" in self.source.options or "bit_volts" in self.source.options:
            return None
        if any(any(t.offsets) for t in self._tracks):
            return None
        return self._second.facts([f.path for f in stream.files], stream.role == "analog")

    def reread_table(self, stream_id: str) -> dict[str, npt.NDArray[Any]] | None:
        """TTL changes by struct, one after the other, where one file and one clock hold them."""
        stream = self.stream(stream_id)
        one = len(self._tracks) == 1 and not any(self._tracks[0].offsets)
        if isinstance(stream, Array) or not stream_id.endswith(".ttl") or not one:
            return None
        filled = [p for p in self._events_paths if p.stat().st_size > 1024]
        if len(filled) != 1 or self.source.salvage:
            return None
        return self._second.ttl(filled[0], self._tracks[0].channels[0].file.path)


def _is_messages(path: Path) -> bool:
    return numbered(path.stem)[0].lower() == "messages"
