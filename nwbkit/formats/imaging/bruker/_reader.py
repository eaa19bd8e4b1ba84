"""Opening a PrairieView run: channels, planes, frame times, voltage recordings."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nwbkit.errors import DamagedInput
from nwbkit.formats.base import Reader, Source
from nwbkit.formats.imaging.bruker import _again, _describe, _files, _layout, _voltage, _xml
from nwbkit.formats.io import tiff
from nwbkit.formats.io.complaints import Complaints
from nwbkit.formats.io.names import camel
from nwbkit.streams import Clock, Segment

_LAID = "line"
#: Files beside the movie that hold what is not read.
_UNREAD = re.compile(r"MarkPoints|VoltageOutput|LineScan", re.IGNORECASE)


class BrukerReader(Reader):
    """One PVScan: a movie a channel, on the clock ``SOURCE/prairieview``.

    The clock's zero is the run's first frame.
    """

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self.xml = source.paths[0]
        complaints = Complaints(source.salvage)
        self.losses, self.notes = complaints.losses, complaints.notes
        self.complaints = complaints
        self.scan = _xml.parse(self.xml, complaints)
        frames = [f for s in self.scan.sequences for f in s.frames]
        if not frames:
            raise DamagedInput(f"'{self.xml.name}' describes no frame")
        self._count_pages(frames)
        self.folder = _files.Folder(self.xml)
        every = (file for f in frames for file in f.files)
        self.pages = _files.pages_of(every, self.folder, complaints)
        self.clock = f"{source.id}/prairieview"
        self.clocks.append(Clock(self.clock, "PrairieView's frame times; zero is the first frame"))
        self.planes: dict[str, dict[str, Any]] = {}
        times = _layout.seconds(self.scan, self.xml.name)
        self.groups = _layout.groups(self.scan, times)
        for group in self.groups:
            self._add_group(group)
        self._check_size()
        self.recordings = _voltage.add(self)
        self._note_rest()

    def _count_pages(self, frames: Sequence[_xml.Frame]) -> None:
        """Give a page to files that are named several times without one."""
        names = Counter(f.filename for frame in frames for f in frame.files if not f.page)
        seen: Counter[str] = Counter()
        for frame in frames:
            found = []
            for f in frame.files:
                page = f.page
                if not page:
                    seen[f.filename] += 1
                    page = seen[f.filename] if names[f.filename] > 1 else 1
                found.append(_xml.File(f.channel, f.name, f.filename, page))
            frame.files = tuple(found)

    # ------------------------------------------------------------------ streams

    def _add_group(self, group: _layout.Group) -> None:
        first = (f for volume in group.frames for frame in volume for f in frame.files)
        loose = (f for _, frame, _ in group.loose for f in frame.files)
        channels: dict[int, str] = {}
        for file in [*first, *loose]:
            channels.setdefault(file.channel, file.name)
        tail = "Stack" if group.stacked and len(self.groups) > 1 else ""
        names = _unique(channels)
        for number in sorted(channels):
            if not group.stacked:
                self._series(group, number, names[number], tail)
            elif self.source.options.get("planes") == "split":
                for plane in range(group.n_planes):
                    self._plane(group, number, names[number], tail, plane)
            else:
                self._volume(group, number, names[number], tail)
        if group.stacked:
            self._note_stacks(group)

    def _page(self, frame: _xml.Frame, channel: int) -> int | None:
        for file in frame.files:
            if file.channel == channel:
                return self.pages.numbers.get((file.filename, file.page))
        return None

    def _series(self, group: _layout.Group, channel: int, name: str, tail: str) -> None:
        rows, times = [], []
        for (frame,), (t,) in zip(group.frames, group.times, strict=True):
            page = self._page(frame, channel)
            if page is not None:
                rows.append(page)
                times.append(t)
        self._check_named(
            name, len(group.frames), sum(self._has(f[0], channel) for f in group.frames)
        )
        self._add(name, tail, None, rows, times, self._period(group, 1))

    def _has(self, frame: _xml.Frame, channel: int) -> bool:
        return any(f.channel == channel for f in frame.files)

    def _check_named(self, name: str, n: int, named: int) -> None:
        if named < n:
            self.complaints.note(f"{n - named} of {n} frames have no file of channel '{name}'")

    def _plane(self, group: _layout.Group, channel: int, name: str, tail: str, plane: int) -> None:
        taken = [(v[plane], t[plane]) for v, t in zip(group.frames, group.times, strict=True)]
        taken += [(f, t) for p, f, t in group.loose if p == plane]
        taken.sort(key=lambda pair: pair[1])
        rows, times = [], []
        for frame, t in taken:
            page = self._page(frame, channel)
            if page is not None:
                rows.append(page)
                times.append(t)
        self._add(
            name, f"{tail}Plane{plane}", plane, rows, times, self._period(group, group.n_planes)
        )

    def _volume(self, group: _layout.Group, channel: int, name: str, tail: str) -> None:
        rows, times = [], []
        for volume, taken in zip(group.frames, group.times, strict=True):
            pages = [self._page(frame, channel) for frame in volume]
            if all(p is not None for p in pages):
                rows.append(pages)
                times.append(min(taken))
        table = np.array(rows, np.int64).reshape(len(rows), group.n_planes)
        self._add(name, tail, None, table, times, self._period(group, group.n_planes))

    def _period(self, group: _layout.Group, frames: int) -> float | None:
        """Seconds from row to row as the frames say, where all say one thing."""
        said = {f.period for volume in group.frames for f in volume}
        if said == {None}:
            said = {self.scan.state.number("framePeriod")}
        period = said.pop() if len(said) == 1 else None
        return period * frames if period else None

    def _add(
        self,
        name: str,
        tail: str,
        plane: int | None,
        rows: Sequence[int] | npt.NDArray[np.int64],
        times: Sequence[float],
        period: float | None,
    ) -> None:
        if not len(rows):
            if plane is None:
                self.complaints(
                    f"'{self.xml.name}': channel '{name}' has no whole "
                    f"{'volume' if np.ndim(rows) > 1 else 'frame'}",
                    "leaves the channel out",
                )
            return
        table = np.asarray(rows, np.int64)
        kind = self.pages.stack.kind
        if kind.samples != 1:
            raise DamagedInput(f"'{self.xml.name}': its TIFFs have {kind.samples} samples a pixel")
        ident = f"{camel(name)}{tail}"
        plane_id = f"{self.source.id}_{ident}"
        self.planes[plane_id] = {"channel": name, "plane": plane}
        self.streams.append(
            tiff.Movie(
                id=ident,
                name=f"{name} plane {plane}" if plane is not None else name,
                role="two_photon",
                timebase=_layout.timebase(self.clock, np.array(times, np.float64), period),
                description=_describe.sentence(self.scan, name, plane),
                nwb_name=f"TwoPhotonSeries{ident}",
                facts=_describe.facts(self.scan),
                shape=(len(table), kind.height, kind.width, *table.shape[1:]),
                dtype=kind.dtype,
                plane=plane_id,
                stack=self.pages.stack,
                pages=table,
            )
        )

    # ------------------------------------------------------------------ checks and notes

    def _check_size(self) -> None:
        """The size of the pages against the settings."""
        if not self.streams:
            raise DamagedInput(f"'{self.xml.name}': no channel has a whole frame or volume")
        if any(_LAID in s.kind.lower() or "point" in s.kind.lower() for s in self.scan.sequences):
            return
        kind, state = self.pages.stack.kind, self.scan.state
        for key, found in (("pixelsPerLine", kind.width), ("linesPerFrame", kind.height)):
            said = state.number(key)
            if said is not None and said != found:
                self.complaints(
                    f"'{self.xml.name}' says {key} {said:g}, the TIFFs have {found}",
                    "goes by the TIFFs",
                )

    def _note_stacks(self, group: _layout.Group) -> None:
        split = self.source.options.get("planes") == "split"
        if group.loose and not split:
            self.complaints.note(
                f"{len(group.loose)} frames of incomplete volumes are left out "
                f"(--set {self.source.id}.planes=split keeps them)"
            )
        if group.reordered:
            self.complaints.note(
                f"{group.reordered} volumes were scanned in another order of planes; each frame is "
                "put where its focus position says"
            )
        if not group.by_position:
            self.complaints.note("planes go by the index of their frames: the focus is not told")
        if not split:
            self.complaints.note(
                "the time of a volume is that of its first frame "
                f"(--set {self.source.id}.planes=split gives each plane its own times)"
            )

    def _note_rest(self) -> None:
        note = self.complaints.note
        others = set(self.scan.others).union(*(s.others for s in self.scan.sequences))
        for name in sorted(others - {"PVLinescanDefinition"}):
            note(f"'{self.xml.name}' has {name}, which is not read")
        if "PVLinescanDefinition" in others:
            note("a line scan: the rows of each frame are lines taken one after the other")
        if self.scan.gridded:
            note(
                "cycles were taken at several stage positions (xYStageGrid); they follow each other"
            )
        if self.scan.invalid:
            note(f"{self.scan.invalid} frames are marked as not valid (validData)")
        averaged = self.scan.state.number("rastersPerFrame")
        if averaged and averaged > 1:
            note(f"each frame is the mean of {averaged:g} scanned ones (rastersPerFrame)")
        for name in sorted(self.folder.renamed):
            note(f"the XML calls the files '{name}...'; they were renamed since")
        tiffs = [p for p in self.source.paths[1:] if re.search(r"\.tiff?$", p.name, re.I)]
        known = set(self.pages.paths)
        extra = [
            p for p in tiffs if p not in known and p.parent == self.xml.parent
            and not re.search(r"-(?:8|16)bit-|reference", p.name, re.I)
        ]  # fmt: skip
        if extra:
            note(f"{len(extra)} TIFFs beside it are not named in the XML, first '{extra[0].name}'")
        unread = [
            p.name
            for p in self.source.paths[1:]
            if p.suffix.lower() in (".xml", ".csv") and _UNREAD.search(p.name)
        ]
        if unread:
            note(f"{len(unread)} files are not read, first '{unread[0]}'")
        kinds = {s.kind for s in self.scan.sequences if not s.frames}
        if kinds - {"MarkPoints"}:
            n = sum(1 for s in self.scan.sequences if not s.frames)
            note(f"{n} cycles have no frame")

    # ------------------------------------------------------------------ the rest of a Reader

    def files(self) -> Sequence[Path]:
        """The XML, the TIFFs, the voltage recordings."""
        return [self.xml, *self.pages.paths, *self.recordings]

    def metadata(self) -> dict[str, Any]:
        """Start time (naive), the microscope, one imaging plane a stream."""
        return _describe.metadata(self)

    def reread(self, stream_id: str, start: int, stop: int) -> npt.NDArray[Any] | None:
        """Frames by tifffile, voltages by numpy's own reading of texts."""
        stream = self.stream(stream_id)
        if isinstance(stream, tiff.Movie):
            return stream.reread(start, stop)
        assert isinstance(stream, _voltage.Recording)
        return stream.reread(start, stop)

    def reread_facts(self, stream_id: str) -> dict[str, Any] | None:
        """Scale and rate by a search of the XML's text, where frames have one period throughout."""
        stream = self.stream(stream_id)
        if not isinstance(stream, tiff.Movie) or self.losses or len(self.groups) > 1:
            return None
        planes = self.groups[0].n_planes
        found = _again.rate(self.xml, len(stream.pages), planes, volumes=self.groups[0].stacked)
        if found is None or self.planes[str(stream.plane)]["plane"] is not None:
            return None
        segments = (Segment(0, len(stream.pages), 0.0, found),)
        return {"gain": np.ones(1), "offset": np.zeros(1), "rate": found, "segments": segments}

    def close(self) -> None:
        """Close the files."""
        self.pages.stack.close()


def _unique(channels: dict[int, str]) -> dict[int, str]:
    """Names of channels; with their numbers where two would be alike."""
    if len({camel(name).lower() for name in channels.values()}) == len(channels) and all(
        camel(name) for name in channels.values()
    ):
        return channels
    return {number: f"Ch{number}" for number in channels}
