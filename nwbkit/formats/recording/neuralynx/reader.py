"""An opened Neuralynx folder: continuous channels, events and cells, all on one clock."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from nwbkit.formats.base import Reader, Relation, Source
from nwbkit.formats.io.names import camel
from nwbkit.formats.io.neuralynx import HEADER_BYTES, Header, parse
from nwbkit.formats.recording.neuralynx import describe
from nwbkit.formats.recording.neuralynx.channels import (
    Channel,
    Group,
    channels_of,
    electrodes_of,
    gain_of,
    group,
    references_of,
)
from nwbkit.formats.recording.neuralynx.csc import CscArray, joined
from nwbkit.formats.recording.neuralynx.events import COLUMNS, Events, read_events
from nwbkit.formats.recording.neuralynx.files import Complaints, NlxFile, open_file, without_copies
from nwbkit.formats.recording.neuralynx.look import EVENTS, RAW, SIGNALS, SPIKES, kind_of
from nwbkit.formats.recording.neuralynx.reread import SecondReader, Wanted
from nwbkit.formats.recording.neuralynx.spikes import Cells, cells_stream, trodes_of
from nwbkit.formats.recording.neuralynx.timing import (
    cuts_of,
    describe_gaps,
    gaps_of,
    period_of,
    timebase_of,
)
from nwbkit.streams import Array, Clock, Timebase
from nwbkit.streams.kinds import AnyArray

#: A band of at most so many samples a second beside a faster one is a field potential.
_LFP_RATE = 5000.0
#: Where the first timestamp of a video record stands (behind the header).
_VIDEO_STAMP = 6


class NeuralynxReader(Reader):
    """The files of one folder and session.

    Parameters
    ----------
    source : Source

    Raises
    ------
    nwbkit.errors.DamagedInput
        Where a file is cut off, or headers, records and timestamps contradict each other.
    nwbkit.errors.MissingFact
        Where no header says volts a count, or a rate.
    """

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self._complaints = Complaints(source.salvage)
        self._wanted: dict[str, Wanted] = {}
        self._arrays: list[CscArray] = []
        self._videos: list[Path] = []
        self._related = False
        self._files = self._open_files()
        groups = self._groups()
        events = [
            (f, read_events(f, self._complaints))
            for f in without_copies(self._of(EVENTS), self._complaints)
            if self._has_rows(f)
        ]
        trodes = trodes_of(without_copies(self._of(SPIKES), self._complaints), self._complaints)
        for trode in trodes:
            trode.check_gains(source.id)
        stamps = [int(p.scan.records.times[0]) for g in groups for p in g.parts]
        stamps += [int(t.times.min()) for t in trodes]
        # an event without a time of its own has none that could begin a session
        stamps += [int(e["time"][e["time"] > 0].min()) for _, e in events if e["time"].any()]
        self.zero = min(stamps + self._video_starts(), default=0)
        self.clock = Clock(
            f"{source.id}/neuralynx",
            "microseconds of the acquisition system, shared by .ncs, .nev, spike and .nvt files; "
            f"its zero is the earliest record of all files in the folder ({self.zero} us)",
        )
        self.clocks.append(self.clock)
        self._open_groups(groups)
        self._open_events(events)
        if trodes:
            rates = {t.files[0].header.number("SamplingFrequency") for t in trodes}
            rate = rates.pop() if len(rates) == 1 else None
            timebase = Timebase.irregular(
                self.clock.id, 0, lambda a, b: np.empty(0, np.float64), rate or None
            )
            self.streams.append(cells_stream(trodes, timebase, self.zero))
            self._wanted["units"] = Wanted(
                "spikes", tuple((t.name, tuple(f.path for f in t.files)) for t in trodes)
            )
        self._note_start()
        self._second = SecondReader(self._wanted, self._stamped(), self._videos)
        self.losses = self._complaints.losses
        self.notes += self._complaints.notes

    # -------------------------------------------------------------- opening

    def _open_files(self) -> list[NlxFile]:
        found = []
        for path in self.source.paths:
            if kind_of(path) in RAW:
                self._complaints.note(f"'{path.name}' is a raw data file, and is not read")
                continue
            if (file := open_file(path, self._complaints)) is not None:
                found.append(file)
        return found

    def _of(self, kinds: Sequence[str]) -> list[NlxFile]:
        return [f for f in self._files if kind_of(f.path) in kinds]

    def _has_rows(self, file: NlxFile) -> bool:
        if not file.n:
            self._complaints.note(f"'{file.path.name}' holds no event")
        return file.n > 0

    def _groups(self) -> list[Group]:
        channels = channels_of(self._of(SIGNALS), self._complaints)
        every = bool(self.source.options.get("scan"))
        return [g for g in group(channels, self._complaints, every=every) if g.parts]

    def _video_starts(self) -> list[int]:
        """First timestamps of the .nvt files beside: they may be the earliest."""
        if not self._files:
            return []
        mine = {key for f in self._files for key in _keys(f.header)}
        found = []
        for path in sorted(self._files[0].path.parent.iterdir()):
            if path.suffix.lower() != ".nvt" or not path.is_file():
                continue
            with open(path, "rb") as f:
                head = f.read(HEADER_BYTES + _VIDEO_STAMP + 8)
            header = parse(head)
            if header is None or len(head) < HEADER_BYTES + _VIDEO_STAMP + 8:
                continue
            keys = _keys(header)
            if keys & mine or not (keys and mine):
                self._videos.append(path)
                found.append(int.from_bytes(head[-8:], "little"))
        return found

    def _open_groups(self, groups: Sequence[Group]) -> None:
        rates = Counter(round(g.nominal.rate) for g in groups)
        self._references = references_of([c for g in groups for c in g.channels])
        for one in groups:
            first = one.channels[0]
            apart = rates[round(one.nominal.rate)] > 1
            records = joined([p.scan for p in one.parts])
            timebase = timebase_of(records, one.nominal, self.clock.id, self.zero)
            label, word = f"{one.nominal.rate:.10g}Hz", f"{round(one.nominal.rate)}Hz"
            if apart:
                label, word = f"{label}.{_slug(first.name)}", word + camel(first.name)
            name = "ElectricalSeries" + (word if len(groups) > 1 else "")
            stream_id = self._unused(f"csc.{label}", first)
            stream = self._stream(one, stream_id, name, timebase, groups[0].nominal.rate)
            self._note_times(stream, one, records)
            self._arrays.append(stream)
            self.streams.append(stream)
            self._wanted[stream.id] = Wanted(
                "signal",
                tuple(
                    (c.name, tuple(p.files[k].path for p in one.parts))
                    for k, c in enumerate(one.channels)
                ),
                given=self.source.options.get("ad_bit_volts"),
                regular=timebase.read_times is None,
            )

    def _stream(
        self, one: Group, stream_id: str, nwb_name: str, timebase: Timebase, fastest: float
    ) -> CscArray:
        files = [c.files[0] for c in one.channels]
        given = self.source.options.get("ad_bit_volts")
        gain = np.concatenate([gain_of(f, self.source.id, given) for f in files])
        self._check_gains(one)
        low = one.nominal.rate <= _LFP_RATE and one.nominal.rate < fastest
        facts: dict[str, str | int | float | bool] = {
            "header_rate_hz": one.nominal.rate,
            "first_timestamp_us": int(one.parts[0].scan.records.times[0]),
        }
        reference = {f.header.text("ReferenceChannel") for f in files}
        if len(reference) == 1 and (said := reference.pop()):
            facts["reference"] = said
        return CscArray(
            id=stream_id,
            name=", ".join(c.name for c in one.channels[:3]) + ("..." if files[3:] else ""),
            role="lfp_band" if low else "raw",
            nwb_name=nwb_name,
            timebase=timebase,
            description=f"{len(files)} continuous channels of {one.nominal.rate:.10g} Hz by their "
            f"headers: {', '.join(c.name for c in one.channels)}",
            shape=(sum(p.rows for p in one.parts), len(files)),
            dtype=np.dtype("<i2"),
            unit="volts",
            gain=gain,
            offset=np.zeros(len(files)),
            channel_names=tuple(c.name for c in one.channels),
            electrodes=electrodes_of(one.channels, self._references),
            facts=facts,
            parts=one.parts,
            hint=f"--set {self.source.id}.scan=true compares all records when opening, and makes "
            "channels that lost different records streams of their own",
        )

    def _unused(self, name: str, first: Channel) -> str:
        """`name`, and the AD channel where another stream is called so already."""
        taken = {a.id for a in self._arrays}
        for more in ("", f".AD{first.number}", f".{first.files[0].path.stem.encode().hex()}"):
            if name + more not in taken:
                return name + more
        raise AssertionError(f"two channels are called {first.name}")

    def _check_gains(self, one: Group) -> None:
        given = self.source.options.get("ad_bit_volts")
        for channel in one.channels:
            gains = [float(gain_of(f, self.source.id, given)[0]) for f in channel.files]
            for file, gain in zip(channel.files, gains, strict=True):
                if gain != gains[0]:
                    self._complaints(
                        f"'{file.path.name}' has {gain:g} volts a count, expected {gains[0]:g} as "
                        f"'{channel.files[0].path.name}'",
                        hint="convert the restarts one by one, each in a folder of its own",
                    )

    def _note_times(self, stream: CscArray, one: Group, records: Any) -> None:
        period = period_of(records, one.nominal)
        gaps = gaps_of(records, period, cuts_of(records, period))
        describe_gaps(stream.id, gaps, self._complaints)
        assert stream.timebase is not None
        segments = stream.timebase.segments
        if not segments:
            self._complaints.note(
                f"the timestamps of {stream.id} scatter by more than a microsecond: its samples "
                "have the times of their records, not those of a rate"
            )
            return
        rate = max(segments, key=lambda s: s.n_samples).rate
        if rate != one.nominal.rate:
            self._complaints.note(
                f"{stream.id} has {rate:.10g} Hz by its timestamps, {one.nominal.rate:.10g} Hz by "
                "its headers: the timestamps are followed"
            )

    def _open_events(self, events: Sequence[tuple[NlxFile, np.ndarray[Any, Any]]]) -> None:
        for file, rows in events:
            stem = file.path.stem
            alone = len(events) == 1
            word = camel(stem)
            word = word if word.lower().startswith("events") else f"Events{word}"
            name = "events" if alone else f"events.{_slug(stem)}"
            self.streams.append(
                Events(
                    id=name,
                    name=file.path.name,
                    role="events",
                    nwb_name="Events" if alone else word,
                    description=f"events of {file.path.name}",
                    timebase=Timebase(self.clock.id),
                    columns=COLUMNS,
                    rows=rows,
                    zero=self.zero,
                )
            )
            self._wanted[name] = Wanted("events", ((stem, (file.path,)),))

    def _stamped(self) -> list[Path]:
        return [f.path for f in self._files if f.n]

    def _note_start(self) -> None:
        """Say when recording began where the files tell it more exactly than their headers."""
        start = self._start()
        if start is None or not self._files:
            return
        said = "by the log"
        taken = describe.logged_time(self._files[0].path.parent, self.zero)
        if taken is None:
            said = "by its timestamp, read as local time since 1970,"
            taken = describe.wall_time(self.zero, start)
        if taken is not None and abs((taken - start).total_seconds()) >= 1:
            self._complaints.note(
                f"the session's start {start.isoformat()} is when the files were opened; the first "
                f"record was taken at {taken.isoformat()} {said} "
                f"(--set-meta NWBFile.session_start_time={taken.isoformat()})"
            )

    # -------------------------------------------------------------- Reader

    def _start(self) -> Any:
        for kinds in (SIGNALS, SPIKES, EVENTS):
            start = describe.start_of(self._of(kinds))
            if start is not None:
                return start
        return None

    def relate(self, relation: Relation, other: Reader) -> None:
        """Spikes and events of a folder of their own take the clock of the recording."""
        if not isinstance(other, NeuralynxReader) or self._arrays:
            return
        self.zero, self.clock, self.clocks = other.zero, other.clock, []
        self._second.known_zero = other.zero
        self._related = True
        for stream in self.streams:
            if isinstance(stream, Events | Cells) and stream.timebase is not None:
                stream.zero = self.zero
                stream.timebase = replace(stream.timebase, clock=self.clock.id)

    def close(self) -> None:
        """Close the files. May be called twice."""
        for array in self._arrays:
            array.close()

    def files(self) -> Sequence[Path]:
        """The files, and the .nvt files whose first record decides where the clock's zero is."""
        return list(dict.fromkeys([*self.source.paths, *self._videos]))

    def metadata(self) -> dict[str, Any]:
        """Session start, devices, electrode groups, filters."""
        sessions = {u for f in self._files if (u := f.header.text("SessionUUID"))}
        streams: dict[str, dict[str, str]] = {}
        for stream in self.streams:
            streams[self.address(stream)] = {"description": stream.description}
            if isinstance(stream, CscArray):
                filters = describe.filter_text(stream.parts[0].files[0].header)
                if filters:
                    streams[self.address(stream)]["filtering"] = filters
        with_electrodes = [f for f in self._of(SIGNALS) if f.n]
        session = sessions.pop() if len(sessions) == 1 else ""
        start = None if self._related else self._start()
        return describe.document(start, session, with_electrodes, streams)

    def reread(self, stream_id: str, start: int, stop: int) -> AnyArray | None:
        """Rows by numpy.fromfile."""
        if not isinstance(self.stream(stream_id), Array):
            return None
        return self._second.rows(stream_id, start, stop)

    def reread_facts(self, stream_id: str) -> dict[str, Any] | None:
        """Gain, rate and segments from the bytes."""
        if not isinstance(self.stream(stream_id), Array) or self.source.salvage:
            return None
        return self._second.facts(stream_id)

    def reread_table(self, stream_id: str) -> dict[str, AnyArray] | None:
        """Events and spikes by struct, one after the other."""
        if isinstance(self.stream(stream_id), Array) or self.source.salvage:
            return None
        return self._second.table(stream_id)


def _slug(text: str) -> str:
    plain = re.sub(r"[^A-Za-z0-9_.-]+", "-", text).strip("-.")
    return plain or "".join(f"u{ord(c):x}" for c in text)


def _keys(header: Header) -> set[str]:
    """What tells a session from others: its UUID, and the folder it was recorded into."""
    return {key for key in (header.text("SessionUUID").lower(), header.origin) if key}
