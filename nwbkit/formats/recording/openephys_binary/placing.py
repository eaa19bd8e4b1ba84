"""Event tables of an experiment, each on the clock of the stream it belongs to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from nwbkit.formats.io.names import camel
from nwbkit.formats.recording.openephys_binary.clocks import Basis
from nwbkit.formats.recording.openephys_binary.complaints import Complaints, name_of
from nwbkit.formats.recording.openephys_binary.events import (
    Folder,
    Lines,
    Messages,
    all_timed,
    line_columns,
    message_columns,
    open_folder,
)
from nwbkit.formats.recording.openephys_binary.naming import slug
from nwbkit.formats.recording.openephys_binary.reread import Place, Wanted
from nwbkit.formats.recording.openephys_binary.streams import Named
from nwbkit.formats.recording.openephys_binary.structure import EventSource
from nwbkit.formats.recording.openephys_binary.tracks import Recording, Track
from nwbkit.streams import Clock, Segment, Table, Timebase


@dataclass(frozen=True)
class Placing:
    """How the times of a table are made.

    Parameters
    ----------
    timebase : Timebase
    zero : float or int
        Subtracted from seconds, or from sample numbers.
    synchronised : bool
    track : Track, optional
        Whose first sample number is `zero`.
    clock : Clock, optional
        Where it is not one of a continuous stream.
    """

    timebase: Timebase
    zero: float
    synchronised: bool
    track: Track | None = None
    clock: Clock | None = None


class EventOpener:
    """Opens the event folders of all recordings.

    Parameters
    ----------
    source : str
        Id of the source.
    recordings : sequence of Recording
    tracks, names, bases : sequence
        The continuous streams, what they are called, and their clocks.
    complaints : Complaints
    """

    def __init__(
        self,
        source: str,
        recordings: Sequence[Recording],
        tracks: Sequence[Track],
        names: Sequence[Named],
        bases: Sequence[Basis],
        complaints: Complaints,
    ) -> None:
        self._source = source
        self._recordings = recordings
        self._pairs = list(zip(tracks, bases, strict=True))
        self._names = {id(t): n for t, n in zip(tracks, names, strict=True)}
        self._complaints = complaints
        self._nodes = {r.node for r in recordings}

    def tables(self) -> Iterator[tuple[Table, Wanted, Clock | None]]:
        """Each table that has a row, what the second reader must know, its clock if new."""
        folders: dict[tuple[int | None, str], list[tuple[Recording, EventSource, Folder]]] = {}
        for recording in self._recordings:
            for event in recording.structure.events:
                path = recording.folder / "events" / event.folder
                if event.kind == "binary":
                    self._complaints.note(
                        f"'{event.name}' events in '{name_of(path)}' are not converted: "
                        "what their bytes mean is known to the plug-in only"
                    )
                    continue
                opened = open_folder(path, event.kind, self._complaints)
                if opened is not None and opened.rows:
                    key = (recording.node, event.folder)
                    folders.setdefault(key, []).append((recording, event, opened))
        taken: set[str] = set()
        for (node, _), items in folders.items():
            yield self._table(node, items, taken)

    def _table(
        self,
        node: int | None,
        items: Sequence[tuple[Recording, EventSource, Folder]],
        taken: set[str],
    ) -> tuple[Table, Wanted, Clock | None]:
        event = items[0][1]
        opened = tuple(folder for _, _, folder in items)
        placing = self._place(node, items[0][0], event, opened)
        name, word = self._named(node, event, taken)
        facts: dict[str, Any] = {
            "id": name,
            "name": event.name or event.folder,
            "role": "events",
            "timebase": placing.timebase,
            "nwb_name": f"Events{word}",
            "folders": opened,
            "zero": placing.zero,
            "synchronised": placing.synchronised,
        }
        made: Table
        if event.kind == "text":
            columns = message_columns(placing.synchronised)
            made = Messages(**facts, columns=columns, description="messages broadcast by the GUI")
        else:
            words = all(f.words is not None for f in opened)
            whose = event.owner if event.stream == "" else event.stream
            made = Lines(
                **facts,
                columns=line_columns(placing.synchronised, words),
                description=f"changes of the TTL lines of {whose}: {event.name}",
            )
        return made, self._wanted(event, opened, placing), placing.clock

    def _wanted(self, event: EventSource, opened: Sequence[Folder], placing: Placing) -> Wanted:
        firsts = []
        for track, basis in self._pairs:
            if basis.clock.id == placing.timebase.clock:
                part = track.parts[0]
                place = Place(part.recording.structure.path, part.path.parent)
                firsts.append((place, basis.synchronised))
        places: tuple[Place, ...] = ()
        if placing.track is not None:
            part = placing.track.parts[0]
            places = (Place(part.recording.structure.path, part.path.parent),)
        return Wanted(
            places=places,
            unit="text" if event.kind == "text" else "lines",
            clock=tuple(firsts),
            synchronised=placing.synchronised,
            folders=tuple(f.path for f in opened),
            first=None if places else int(placing.zero),
        )

    def _named(self, node: int | None, event: EventSource, taken: set[str]) -> tuple[str, str]:
        prefix = f"node{node}." if len(self._nodes) > 1 else ""
        suffix = f"Node{node}" if prefix else ""
        if event.kind == "text":
            choices = [("messages", "Messages"), (slug(event.folder.replace("/", ".")), "")]
        else:
            short = event.stream or event.owner
            whole = event.folder.replace("/", ".")
            choices = [(f"{slug(short)}.ttl", camel(short)), (slug(whole), camel(whole))]
            owner = self._owner(node, event)
            if owner is not None:
                named = self._names[id(owner[0])]
                choices.insert(0, (f"{named.id.removeprefix(prefix)}.ttl", named.camel))
        for name, word in choices:
            if prefix + name not in taken and name:
                taken.add(prefix + name)
                word = word.removesuffix(suffix) if suffix else word
                return prefix + name, (word or camel(event.folder)) + suffix
        raise AssertionError(f"two event folders are called {event.folder}")

    # -------------------------------------------------------------- times

    def _place(
        self,
        node: int | None,
        recording: Recording,
        event: EventSource,
        opened: Sequence[Folder],
    ) -> Placing:
        owner = self._owner(node, event)
        timed = all_timed(opened)
        if owner is None:
            return self._alone(node, recording, event, opened, timed)
        track, basis = owner
        if basis.synchronised and timed:
            return Placing(Timebase(basis.clock.id), float(basis.zero), True)
        part, run, line = next(iter(track.runs()))
        rate = part.continuous.rate
        t0 = float(run.number / Fraction(rate) - basis.zero)
        if basis.synchronised:
            assert part.seconds is not None
            t0 = float(part.seconds.read(0, 1)[0]) - float(basis.zero)
            rate = line.rate if line is not None else rate
            self._complaints.note(
                f"'{name_of(opened[0].path)}' has no synchronised times: its events are placed "
                f"by sample number, at {rate:.10g} Hz"
            )
        return Placing(
            _line_from(basis.clock.id, opened, run.number, t0, rate), run.number, False, track
        )

    def _owner(self, node: int | None, event: EventSource) -> tuple[Track, Basis] | None:
        mine = [(t, b) for t, b in self._pairs if t.node == node]
        same = [(t, b) for t, b in mine if t.continuous.folder == event.owner]
        if not same and event.kind == "text":
            same = [(t, b) for t, b in mine if event.stream and t.continuous.stream == event.stream]
            if not same and len({b.clock.id for _, b in mine}) == 1:
                same = [(t, b) for t, b in mine if t.continuous.rate == event.rate]
        return same[0] if same else None

    def _alone(
        self,
        node: int | None,
        recording: Recording,
        event: EventSource,
        opened: Sequence[Folder],
        timed: bool,
    ) -> Placing:
        """Events of a stream that was not recorded: on the synchronised time, or their own."""
        shared = [b for t, b in self._pairs if t.node == node and b.synchronised]
        if timed and shared:
            return Placing(Timebase(shared[0].clock.id), float(shared[0].zero), True)
        first = int(min(f.numbers.read(0, 1)[0] for f in opened))
        for (_, stream), number in recording.starts.samples.items():
            if event.stream and stream == event.stream:
                first = number
        name = slug(event.owner)
        clock = Clock(
            f"{self._source}/{name}",
            f"clock of the device behind the events of {event.owner}; its zero is sample {first}",
        )
        if event.rate <= 0:
            raise self._complaints.damaged(
                f"'{recording.structure.path}' says no sample_rate of '{event.folder}'"
            )
        line = _line_from(clock.id, opened, first, 0.0, event.rate)
        return Placing(line, first, False, None, clock)


def _line_from(
    clock: str, opened: Sequence[Folder], first: int, t0: float, rate: float
) -> Timebase:
    """Sample numbers from `first` at `rate`, long enough for every event."""
    last = max(int(f.numbers.read(0, f.rows).max()) for f in opened)
    return Timebase(clock, (Segment(0, max(1, last - first + 1), t0, rate),))
