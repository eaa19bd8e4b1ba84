"""An opened Blackrock recording: ns files and nev on one clock."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nwbkit.errors import NoInput, UsageError
from nwbkit.formats.base import Reader, Source
from nwbkit.formats.io.complaints import Complaints
from nwbkit.formats.io.flat import FlatArray
from nwbkit.formats.recording.blackrock import describe
from nwbkit.formats.recording.blackrock.nev import NevFile, open_nev
from nwbkit.formats.recording.blackrock.nsx import NsFile, PacketArray, open_ns, rows_of
from nwbkit.formats.recording.blackrock.reread import SecondReader
from nwbkit.formats.recording.blackrock.streams import (
    Sorted,
    filtering,
    is_band,
    sort_channels,
    streams_of,
)
from nwbkit.formats.recording.blackrock.tables import Packets, tables_of, undocumented
from nwbkit.formats.recording.blackrock.timeline import lay, timebase_of
from nwbkit.formats.recording.blackrock.units import NevUnits, same_packets, units_of
from nwbkit.streams import Array, Clock, Electrode, Segment, Timebase
from nwbkit.streams.kinds import AnyArray

#: The headers of one recording are written within this time.
_ORIGINS_S = 60.0
#: A clock that was set to zero as recording began shows its first data before this.
_LATE_S = 10.0


class BlackrockReader(Reader):
    """One recording; pauses are segments.

    Parameters
    ----------
    source : Source

    Raises
    ------
    nwbkit.errors.DamagedInput
        Where headers, sizes and time stamps contradict each other.
    nwbkit.errors.MissingFact
        Where a scale or the place of a reset is in no file.
    """

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self._complaints = Complaints(source.salvage)
        paths = [p for p in source.paths if p.suffix.lower() not in (".ccf", ".sif")]
        nevs = [p for p in paths if p.suffix.lower() == ".nev"]
        if not paths:
            raise NoInput(f"source '{source.id}' has no ns or nev file among its paths")
        self._ns = [open_ns(p, self._complaints) for p in paths if p not in nevs]
        self._nevs = [open_nev(p, self._complaints) for p in nevs]
        self._nev = self._nevs[0] if self._nevs else None
        self._note_files(source.paths)
        self._check_origins()
        self._laid = lay(
            self._ns,
            self._nev,
            gap=float(source.options.get("reset_gap") or 0.0),
            nev_epoch=source.options.get("nev_epoch"),
            source=source.id,
            complaints=self._complaints,
        )
        self._clock = Clock(f"{source.id}/clock", self._zero())
        self.clocks = [self._clock]
        self._rows: list[FlatArray | PacketArray] = []
        self._made: dict[str, Sorted] = {}
        self._filters: dict[str, str] = {}
        self._open_ns()
        self._open_nev()
        self._second = SecondReader(
            [f.path for f in self._ns],
            self._nev.path if self._nev is not None else None,
            self._laid.timeline.zero,
        )
        if said := self._laid.said:
            for stream in self.streams:
                stream.description += f"; {said}"
        self._note_running_clock()
        self.losses = self._complaints.losses
        self.notes += self._complaints.notes

    # -------------------------------------------------------------- opening

    def _zero(self) -> str:
        timeline = self._laid.timeline
        if timeline.zero:
            return (
                f"clock of the acquisition system; its zero is time stamp {timeline.zero} "
                f"at {timeline.resolution} a second, the first of the recording"
            )
        return "clock of the acquisition system; its zero is time stamp 0, the time origin"

    def _note_files(self, paths: Sequence[Path]) -> None:
        for path in paths:
            if path.suffix.lower() in (".ccf", ".sif"):
                self._complaints.note(f"'{path.name}' (settings) is not read")

    def _note_running_clock(self) -> None:
        """Clocks that were not set to zero as recording began: since Central 7, usually."""
        timeline = self._laid.timeline
        starts = [f.blocks[0].tick for f in self._ns if f.blocks]
        starts += [int(self._nev.ticks[0])] if self._nev is not None and self._nev.n else []
        if starts and not timeline.zero and min(starts) > _LATE_S * timeline.resolution:
            self._complaints.note(
                f"the first time stamp is {min(starts) / timeline.resolution:.9g} s: times are "
                "counted from time stamp 0, which by the specification is the time origin"
            )

    def _check_origins(self) -> None:
        said = {f.path.name: f.header.origin for f in self._ns}
        said |= {n.path.name: n.header.origin for n in self._nevs}
        known = {name: t for name, t in said.items() if t is not None}
        if not known:
            return
        first, last = min(known, key=known.__getitem__), max(known, key=known.__getitem__)
        apart = (known[last] - known[first]).total_seconds()
        if apart > _ORIGINS_S:
            self._complaints(
                f"'{first}' says time origin {known[first].isoformat()}, '{last}' "
                f"{known[last].isoformat()}: not of one recording",
                "takes them as of one clock all the same",
            )

    def _open_ns(self) -> None:
        header = self._nev.header if self._nev is not None else None
        for f in self._ns:
            gain = self.source.options.get("gain_uv")
            self._made[f.number] = sort_channels(f, header, gain, self.source.id)
        kinds = [is_band(f) for f in self._ns if self._made[f.number].electrodes]
        for f in self._ns:
            if not f.width:
                continue
            rows = rows_of(f, self.source.id)
            rows.timebase = timebase_of(f, rows, self._laid, self._clock.id, self._complaints)
            self._rows.append(rows)
            made = self._made[f.number]
            self._note_gaps(f)
            for stream in streams_of(
                f,
                rows,
                made,
                header,
                self._group,
                kinds.count(is_band(f)) == 1,
                self._complaints,
            ):
                self.streams.append(stream)
                items = made.inputs if stream.role == "analog" else made.electrodes
                mine = [i for i in items if i[1].label in stream.channel_names]
                if words := filtering(mine):
                    self._filters[stream.id] = words

    @property
    def _group(self) -> str:
        return f"{self.source.id}_electrodes"

    def _note_gaps(self, f: NsFile) -> None:
        epochs = self._laid.blocks[f.path.name]
        step, resolution = f.header.ticks, f.header.resolution
        for i in range(1, len(f.blocks)):
            missing = f.blocks[i].tick - f.blocks[i - 1].end(step)
            if epochs[i] == epochs[i - 1] and abs(missing) > 0.5 * step:
                self._complaints.note(
                    f"'{f.path.name}' has a gap of {missing / resolution:.9g} s after sample "
                    f"{sum(b.n for b in f.blocks[:i])}"
                )
            if len(self._complaints.notes) > 200:
                self._complaints.note("more gaps are not listed")
                return

    def _open_nev(self) -> None:
        nev, packets = self._nev, self._laid.packets
        if nev is None or packets is None:
            return
        timeline = self._laid.timeline
        offsets = np.array(timeline.offsets, np.int64)
        placed = nev.ticks - timeline.zero + offsets[packets]
        observed = self._observed()
        last = max(int(placed.max(initial=0)) + 1, observed[1] if observed is not None else 0)
        segment = Segment(0, last, 0.0, float(timeline.resolution))
        timebase = Timebase(self._clock.id, (segment,))
        self._note_back(nev, packets)
        chosen = self._sorted(nev)
        units = units_of(chosen, placed, timebase, self._electrodes())
        if units is not None:
            units.observed = observed
            units.description = f"spikes by electrode and unit class in {chosen.path.suffix[1:]}"
            if chosen is not nev:
                units.description += ", classified again after the recording"
            self.streams.append(units)
        self.streams += tables_of(nev, placed, timebase)
        for number, count in undocumented(nev).items():
            self._complaints.note(
                f"'{nev.path.name}' holds {count} packets of id {number}, which the "
                "specification does not document: they are left out"
            )

    def _note_back(self, nev: NevFile, packets: npt.NDArray[np.int64]) -> None:
        back = int(((np.diff(nev.ticks) < 0) & (np.diff(packets) == 0)).sum())
        if back:
            self._complaints.note(f"{back} packets of '{nev.path.name}' are not in order of time")

    def _sorted(self, nev: NevFile) -> NevFile:
        """The nev that units are taken from: the one asked for, else the latest sorting."""
        wanted = self.source.options.get("nev")
        names = [n.path.name for n in self._nevs]
        if wanted is not None and wanted not in names:
            raise UsageError(
                f"source '{self.source.id}' has no nev '{wanted}'",
                hint=f"it has {', '.join(names)}",
            )
        fitting = [n for n in self._nevs if n is nev or same_packets(n, nev)]
        for other in self._nevs:
            if other not in fitting:
                self._complaints.note(
                    f"'{other.path.name}' does not hold the packets of '{nev.path.name}': "
                    "it is left out"
                )
        chosen = next((n for n in fitting if n.path.name == wanted), fitting[-1])
        if len(fitting) > 1:
            others = ", ".join(n.path.name for n in fitting if n is not chosen)
            self._complaints.note(
                f"units are those of '{chosen.path.name}'; for others: --set "
                f"{self.source.id}.nev=FILE, FILE one of {others}"
            )
        return chosen

    def _electrodes(self) -> dict[str, Electrode]:
        found: dict[str, Electrode] = {}
        for stream in self.streams:
            if isinstance(stream, Array):
                found |= {e.channel: e for e in stream.electrodes or ()}
        return found

    def _observed(self) -> tuple[int, int] | None:
        """What was recorded, in ticks: known where ns files show one stretch."""
        timeline = self._laid.timeline
        if len(timeline.offsets) > 1 or any(len(f.blocks) != 1 for f in self._ns) or not self._ns:
            return None
        starts = [timeline.place(f.blocks[0].tick) for f in self._ns]
        stops = [round(f.blocks[0].end(f.header.ticks)) - timeline.zero for f in self._ns]
        return min(starts), max(stops)

    # -------------------------------------------------------------- Reader

    def close(self) -> None:
        """Close the files. May be called twice."""
        for rows in self._rows:
            rows.close()

    def metadata(self) -> dict[str, Any]:
        """Session start (UTC), device, electrode group, filters, comments."""
        nev = self._nev.header if self._nev is not None else None
        streams: dict[str, dict[str, str]] = {}
        for stream in self.streams:
            facts = {"description": stream.description}
            if stream.id in self._filters:
                facts["filtering"] = self._filters[stream.id]
            streams[self.address(stream)] = facts
        device = f"Blackrock_{self.source.id}"
        neural = any(isinstance(s, Array) and s.electrodes for s in self.streams)
        return describe.document(
            describe.start_of(self._ns, [nev] if nev is not None else []),
            describe.notes_of(self._ns, nev),
            {device: describe.device_of(self._ns, nev)},
            {self._group: describe.group_of(device, nev)} if neural else {},
            streams,
        )

    def reread(self, stream_id: str, start: int, stop: int) -> AnyArray | None:
        """Rows by numpy.memmap on the bytes behind each block's header."""
        stream = self.stream(stream_id)
        if not isinstance(stream, Array):
            return None
        return self._second.rows(stream_id, stream.channel_names, start, stop)

    def reread_facts(self, stream_id: str) -> dict[str, Any] | None:
        """Gain, offset, rate and segments by struct on the bytes of the headers."""
        stream = self.stream(stream_id)
        if not isinstance(stream, Array) or len(self._laid.timeline.offsets) > 1:
            return None
        if self.source.salvage or "gain_uv" in self.source.options:
            return None
        if stream.timebase is None or stream.timebase.read_times is not None:
            return None
        return self._second.facts(stream_id, stream.channel_names)

    def reread_table(self, stream_id: str) -> dict[str, npt.NDArray[Any]] | None:
        """Events packet by packet, spikes by a structured view of the packets."""
        stream = self.stream(stream_id)
        if len(self._laid.timeline.offsets) > 1:
            return None
        if isinstance(stream, NevUnits):
            return self._second.spikes(stream.file.path)
        if isinstance(stream, Packets) and stream_id in ("digital", "serial"):
            return self._second.inputs(stream_id, [c.name for c in stream.columns])
        return None
