"""An opened SpikeGLX run: probes, NI-DAQ and OneBox inputs of one gate."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from nwbkit.formats.base import Reader, Source
from nwbkit.formats.io.flat import FlatArray, sha1
from nwbkit.formats.recording.spikeglx.describe import describe
from nwbkit.formats.recording.spikeglx.events import LineEvents
from nwbkit.formats.recording.spikeglx.geometry import Geometry, read_geometry
from nwbkit.formats.recording.spikeglx.imro import check_channels, read_imro
from nwbkit.formats.recording.spikeglx.reread import SecondReader, Wanted
from nwbkit.formats.recording.spikeglx.runs import (
    Band,
    BinFile,
    Complaints,
    read_bands,
    segments_of,
)
from nwbkit.formats.recording.spikeglx.streams import Context, rows_of, streams_of
from nwbkit.streams import Clock, Segment, Timebase
from nwbkit.streams.kinds import AnyArray, Array


class SpikeGLXReader(Reader):
    """One run and gate.

    Every headstage, NI device and OneBox keeps time by an oscillator of its own, so each
    has a clock, none of them anchored: its zero is the first sample of the device's
    earliest file. AP, LF and SY of a probe share one.

    Parameters
    ----------
    source : Source

    Raises
    ------
    nwbkit.errors.NoInput
        Where a .bin is missing.
    nwbkit.errors.DamagedInput
        Where headers contradict their files, each other or themselves.
    """

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        complaints = Complaints(source.salvage)
        self._bands = read_bands(source.paths, complaints)
        self._rows: list[FlatArray] = []
        self._geometries: dict[str, Geometry] = {}
        self._wanted: dict[str, Wanted] = {}
        devices = list(dict.fromkeys(b.device for b in self._bands))
        n_probes = sum(d.startswith("imec") for d in devices)
        for device in devices:
            self._open_device(device, n_probes, complaints)
        self._second = SecondReader(self._wanted)
        self.losses = complaints.losses
        self._note_catgt()
        self._metadata_notes: list[str] = []
        self._metadata = self._describe()
        self.notes += self._metadata_notes

    def _open_device(self, device: str, n_probes: int, complaints: Complaints) -> None:
        bands = [b for b in self._bands if b.device == device]
        clock = Clock(
            f"{self.source.id}/{device}",
            f"clock of {device}; its zero is the first sample of "
            f"'{min((f for b in bands for f in b.files), key=_begin).path.name}'",
        )
        self.clocks.append(clock)
        segments = segments_of(bands, self._note_once)
        for band in bands:
            self._open_band(band, bands, clock, segments[band.band], n_probes, complaints)

    def _open_band(
        self,
        band: Band,
        bands: Sequence[Band],
        clock: Clock,
        segments: tuple[Segment, ...],
        n_probes: int,
        complaints: Complaints,
    ) -> None:
        imro = geometry = None
        if band.meta.kind == "imec":
            imro = read_imro(band.meta)
            check_channels(band.meta, imro)
            geometry = read_geometry(band.meta, band.layout, imro, complaints)
            self._keep_geometry(band.device, geometry)
        context = Context(
            self.source.id,
            Timebase(clock.id, segments),
            n_probes,
            tuple(b.band for b in bands),
            imro,
            geometry,
            bool(self.source.options.get("sync_lines", False)),
        )
        rows = rows_of(band, context)
        self._rows.append(rows)
        for stream in streams_of(band, rows, context):
            self.streams.append(stream)
            self._wanted[stream.id] = _wanted(stream, band, bands)

    def _keep_geometry(self, device: str, geometry: Geometry) -> None:
        for note in geometry.notes:
            self._note_once(f"{device}: {note}")
        known = self._geometries.get(device)
        if known is not None:  # AP and LF may have saved different channels
            sites = {**geometry.sites, **known.sites}
            geometry = Geometry(sites, known.n_shanks, known.model, known.notes)
        self._geometries[device] = geometry

    def _note_once(self, note: str) -> None:
        if note not in self.notes:
            self.notes.append(note)

    def _note_catgt(self) -> None:
        if any(f.item.catgt for b in self._bands for f in b.files):
            self._note_once(
                "CatGT made these files: it fills gaps between triggers with zeros, "
                "so that a gap in the recording does not show here"
            )

    def _describe(self) -> dict[str, Any]:
        streams = {self.address(s): s for s in self.streams}
        return describe(self._bands, self._geometries, streams, self._metadata_notes)

    def close(self) -> None:
        """Close the files. May be called twice."""
        for rows in self._rows:
            rows.close()

    def files(self) -> Sequence[Path]:
        """Every .bin and its .meta."""
        return [p for b in self._bands for f in b.files for p in (f.path, f.meta.path)]

    def metadata(self) -> dict[str, Any]:
        """Session start and id, notes, devices, shanks, descriptions of streams."""
        return self._metadata

    def reread(self, stream_id: str, start: int, stop: int) -> AnyArray | None:
        """Rows by numpy.fromfile and a header parser of its own."""
        if not isinstance(self.stream(stream_id), Array):
            return None
        return self._second.rows(stream_id, start, stop)

    def reread_facts(self, stream_id: str) -> dict[str, Any] | None:
        """Gain, offset, rate and segments by a header parser of its own."""
        if not isinstance(self.stream(stream_id), Array):
            return None
        return self._second.facts(stream_id)

    def reread_table(self, stream_id: str) -> dict[str, AnyArray] | None:
        """Changes of digital lines by unpacking every bit."""
        stream = self.stream(stream_id)
        if not isinstance(stream, LineEvents):
            return None
        names = [name for word in stream.lines for name in word]
        return self._second.table(stream_id, names)

    def audit(self, progress: Callable[[int], None] | None = None) -> list[str]:
        """Hold every whole .bin against the ``fileSHA1`` of its header.

        CatGT writes 0, which says nothing. Files that are shorter or longer than their
        header says were complained of already.
        """
        found = []
        for file in [f for b in self._bands for f in b.files]:
            said = (file.meta.text("fileSHA1") or "0").upper()
            if len(said) != 40 or not file.whole:
                continue
            digest = sha1(file.path, progress)
            if digest != said:
                found.append(
                    f"'{file.path.name}' has SHA-1 {digest}, its header says {said} (fileSHA1)"
                )
        return found


def _begin(file: BinFile) -> float:
    return (file.first_sample or 0) / file.meta.rate


def _wanted(stream: Any, band: Band, bands: Sequence[Band]) -> Wanted:
    """Which files and kinds of channel a stream is made of, for the second reader."""
    kinds: tuple[str, ...] = ()
    name = stream.id.partition(".")[2]
    if name in ("ap", "lf"):
        kinds = (name.upper(),)
    elif name.endswith("sync") or name.endswith("sync_lines"):
        kinds = ("SY",)
    elif name in ("digital", "lines"):
        kinds = ("XD",)
    elif name == "analog":
        kinds = ("MN", "MA", "XA")
    else:
        kinds = (name.upper(),)
    kinds = tuple(k for k in kinds if band.layout.numbers.get(k))
    others = tuple(f.path for b in bands if b is not band for f in b.files)
    return Wanted(tuple(f.path for f in band.files), others, kinds)
