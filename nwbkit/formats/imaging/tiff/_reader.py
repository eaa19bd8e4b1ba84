"""Opening TIFF movies of no vendor's own format."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nwbkit.errors import DamagedInput, UsageError
from nwbkit.formats.base import Reader, Source
from nwbkit.formats.imaging.tiff import _ome, _order
from nwbkit.formats.io import _tiff_ifd as ifd
from nwbkit.formats.io import tiff
from nwbkit.formats.io.names import camel
from nwbkit.streams import Clock, Timebase

#: More files than this are opened as they are read, the first and last ones now.
MAX_INDEXED = 1000
#: More is a number that means something else.
MAX_CHANNELS = 256
_PHOTOMETRIC = {
    0: "the file says that its smallest value is white; values are stored as they are",
    3: "the pixels are numbers of colours in a map; the numbers are stored",
}
_COLOURS = ("Red", "Green", "Blue", "Alpha")

#: Tag of a page in which Micro-Manager keeps its own metadata.
_MICROMANAGER = 51123


class TiffReader(Reader):
    """A movie a channel (and image, and colour), on the clock ``SOURCE/frames``."""

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self.main = source.paths[0]
        self._companion = ""
        self._found: dict[str, list[str]] = {}
        paths = [p for p in source.paths if not self._is_companion(p)]
        self.stack = self._stack(paths)
        first = self.stack.files[0]
        for note, names in self._found.items():
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            self.notes.append(f"'{names[0]}'{more}: {note}")
        self.first = first if isinstance(first, tiff.TiffIndex) else tiff.index(first)
        self.text = self._description()
        self.ome = self._read_ome()
        self.clock = f"{source.id}/frames"
        self.clocks.append(Clock(self.clock, f"frame times of '{self.main.name}'"))
        self.orders: dict[str, _order.Order] = {}
        self._channels: dict[str, _ome.Channel] = {}
        if self.ome is not None and self.ome.images:
            if len(self.ome.images) > 1 and not all(i.pages for i in self.ome.images):
                raise DamagedInput(
                    f"the OME-XML of '{self.main.name}' does not say which pages belong to which "
                    f"of its {len(self.ome.images)} images"
                )
            for number, image in enumerate(self.ome.images):
                self._add_image(image, f"Image{number}" if len(self.ome.images) > 1 else "")
        else:
            self._add_pages()
        self._note_modality()
        if self.stack.kind.photometric in _PHOTOMETRIC:
            self.notes.append(_PHOTOMETRIC[self.stack.kind.photometric])

    # ------------------------------------------------------------------ files

    def _is_companion(self, path: Path) -> bool:
        if path.name.lower().endswith((".companion.ome", ".xml", ".ome.xml")):
            with open(path, "rb") as f:
                self._companion = f.read(64 << 20).decode("utf-8", "replace")
            return True
        return False

    def _stack(self, paths: list[Path]) -> tiff.Stack:
        if not paths:
            raise DamagedInput(f"'{self.main.name}' names no TIFF file that is there")
        if len(paths) <= MAX_INDEXED:
            return tiff.Stack([self._index(path) for path in paths])
        ends = {0: self._index(paths[0]), len(paths) - 1: self._index(paths[-1])}
        for found in ends.values():
            if found.n_pages != 1:
                raise DamagedInput(f"'{found.path.name}' holds {found.n_pages} pages, expected 1")
        files = [ends.get(k, path) for k, path in enumerate(paths)]
        return tiff.Stack(files)

    def _index(self, path: Path) -> tiff.TiffIndex:
        found = tiff.index(path)
        if found.problem:
            message = f"'{path.name}': {found.problem}"
            if not self.source.salvage:
                raise DamagedInput(
                    message, hint=f"--salvage keeps the {found.n_pages} pages before it"
                )
            self.losses.append(message)
        for note in found.notes:
            self._found.setdefault(note, []).append(path.name)
        return found

    def _description(self) -> str:
        """The first page's description, which some programs write behind all pages."""
        entry = self.first.first.entries.get(ifd.DESCRIPTION)
        self._cut_off = entry is not None and entry.at + entry.size > self.first.size
        if entry is None or not self._cut_off:
            return self.first.text(ifd.DESCRIPTION)
        message = (
            f"'{self.first.path.name}': the description of page 1 ends at byte "
            f"{entry.at + entry.size}, the file at {self.first.size}"
        )
        if not self.source.salvage:
            raise DamagedInput(message, hint="--salvage reads the pages without it")
        self.losses.append(message)
        return ""

    def _doubt_periods(self, found: _ome.Ome) -> None:
        """Micro-Manager writes milliseconds where OME, without a unit, means seconds."""
        if _MICROMANAGER not in self.first.first.entries:
            return
        for image in found.images:
            if image.no_unit:
                self.notes.append(
                    f"Micro-Manager states {image.period:g} between frames and no unit; it is "
                    "not used, since OME means seconds and Micro-Manager milliseconds"
                )
                image.period = None

    def _read_ome(self) -> _ome.Ome | None:
        text = self._companion
        if not text and re.search(r"<(?:\w+:)?OME\b", self.text[:2000]):
            text = self.text
        if not text:
            return None
        found = _ome.parse(text, self.main.name)
        self._doubt_periods(found)
        if not found.images and found.companion:
            name = found.companion
            beside = self.main.parent / name
            if Path(name).name != name or not beside.is_file():
                raise DamagedInput(
                    f"'{self.main.name}' has its description in '{name}', which is not beside it"
                )
            found = _ome.parse(beside.read_text("utf-8", "replace"), name)
        return found

    # ------------------------------------------------------------------ streams

    def _add_image(self, image: _ome.Image, prefix: str) -> None:
        kind = self.stack.kind
        said = (image.sizes["Y"], image.sizes["X"])
        if said != (kind.height, kind.width):
            raise DamagedInput(
                f"'{self.main.name}': the OME-XML says {said[0]} x {said[1]} pixels (SizeY, "
                f"SizeX), its pages are {kind}"
            )
        wanted = _ome.TYPES.get(image.type)
        if wanted and np.dtype(wanted) != kind.dtype.newbyteorder("="):
            raise DamagedInput(
                f"'{self.main.name}': the OME-XML says pixels of type {image.type}, its pages are "
                f"{kind}"
            )
        files = [f if isinstance(f, tiff.TiffIndex) else tiff.index(f) for f in self.stack.files]
        losses = self.losses if self.source.salvage else None
        order = _order.by_ome(image, files, self.stack.starts, self.main, losses)
        self._add_order(order, image.channels, prefix, image)

    def _add_pages(self) -> None:
        n, name = self.stack.n_pages, self.main.name
        order = _order.by_user(self.source.options, self.source.id, n, name)
        if order is None and len(self.stack.files) == 1:
            lost, mine = bool(self.losses), self.source.id
            order = _order.by_imagej(self.text, self.first, n, mine, salvaged=lost)
            order = order or _order.by_shape(self.text, self.first, n, mine, salvaged=lost)
            if order is None and self._cut_off:
                raise _order.not_told(name, mine)
        if order is None:
            note = "the pages are taken as frames of one channel and one plane"
            order = _order.Order(np.arange(n, dtype=np.int64)[None, None], note=note)
        if order.note:
            hint = f"--set {self.source.id}.channels=, .planes= and .dimension_order= say otherwise"
            self.notes.append(f"{order.note} ({hint})")
        self._add_order(order, [], "", None)

    def _add_order(
        self,
        order: _order.Order,
        channels: list[_ome.Channel],
        prefix: str,
        image: _ome.Image | None,
    ) -> None:
        n_channels, n_planes, _ = order.table.shape
        samples = self.stack.kind.samples
        if n_channels > MAX_CHANNELS:
            raise DamagedInput(f"'{self.main.name}' says it has {n_channels} channels")
        for c in range(n_channels):
            channel = channels[c] if c < len(channels) else None
            label = channel.name if channel is not None and camel(channel.name) else ""
            if not label and n_channels > 1:
                label = f"Channel {c}"
            for s in range(samples):
                colour = ""
                if samples > 1:
                    colour = _COLOURS[s] if samples in (3, 4) else f"Sample{s}"
                ident = prefix + camel(label) + colour
                if any(stream.id == (ident or "movie") for stream in self.streams):
                    ident = f"{prefix}Channel{c}{camel(label)}{colour}"
                table = order.table[c].T if n_planes > 1 else order.table[c, 0]
                timebase = self._timebase(order, image, c, len(table))
                self._add(ident, label, table, s, timebase, order)
                if channel is not None:
                    self._channels[ident or "movie"] = channel

    def _add(
        self,
        ident: str,
        label: str,
        table: _order.Table,
        sample: int,
        timebase: Timebase | None,
        order: _order.Order,
    ) -> None:
        kind = self.stack.kind
        facts: dict[str, str | int | float | bool] = {}
        written = self.first.text(ifd.DATE_TIME)
        if written:
            facts["file_date"] = written
        self.orders[ident or "movie"] = order
        role = self.source.options.get("modality") or "two_photon"
        kept = "TwoPhotonSeries" if role == "two_photon" else "OnePhotonSeries"
        about = f"Movie '{self.main.name}'" + (f", channel '{label}'" if label else "")
        self.streams.append(
            tiff.Movie(
                id=ident or "movie",
                name=label or ident or self.main.name,
                role=role,
                timebase=timebase,
                description=about + self._assumed,
                nwb_name=kept + ident,
                facts=facts,
                shape=(len(table), kind.height, kind.width, *table.shape[1:]),
                dtype=kind.dtype,
                plane=f"{self.source.id}_{ident}" if ident else self.source.id,
                stack=self.stack,
                pages=np.ascontiguousarray(table),
                sample=sample,
            )
        )

    def _timebase(
        self, order: _order.Order, image: _ome.Image | None, channel: int, n: int
    ) -> Timebase | None:
        given = self.source.options.get("rate")
        if given is not None:
            if not given > 0:
                raise UsageError(f"'{self.source.id}.rate' takes a positive number, not '{given}'")
            if order.period is not None and not math.isclose(given * order.period, 1, rel_tol=1e-6):
                note = f"the rate is that of --set; the file says {1 / order.period:.12g} Hz"
                if note not in self.notes:
                    self.notes.append(note)
            return Timebase.regular(self.clock, n, float(given))
        if image is not None and image.times:
            found = [image.times.get((channel, 0, t)) for t in range(n)]
            times = np.array([math.nan if v is None else v for v in found])
            if n > 1 and np.isfinite(times).all() and np.all(np.diff(times) > 0):
                nominal = 1 / order.period if order.period else None
                return _irregular(self.clock, times, nominal)
        if order.period is None:
            return None
        return Timebase.regular(self.clock, n, 1 / order.period)

    @property
    def _assumed(self) -> str:
        if self.source.options.get("modality"):
            return ""
        return "; taken as a two-photon movie, since the file does not say what microscope it was"

    def _note_modality(self) -> None:
        if self._assumed:
            self.notes.append(
                "taken as a two-photon movie, since the file does not say what microscope it was "
                f"(--set {self.source.id}.modality=one_photon)"
            )

    # ------------------------------------------------------------------ facts

    def metadata(self) -> dict[str, Any]:
        """What OME-XML and ImageJ say: start (as written), device, channels, pixel sizes."""
        found: dict[str, Any] = {"ImagingPlanes": {}}
        device = self.ome.device if self.ome is not None else {}
        if device:
            found["Devices"] = {"Microscope": device}
        if self.ome is not None:
            file: dict[str, Any] = {}
            if self.ome.images and self.ome.images[0].date:
                file["session_start_time"] = self.ome.images[0].date
            if self.ome.experimenters:
                file["experimenter"] = self.ome.experimenters
            if file:
                found["NWBFile"] = file
        for stream in self.streams:
            assert isinstance(stream, tiff.Movie) and stream.plane is not None
            found["ImagingPlanes"][stream.plane] = self._plane(stream, bool(device))
        return found

    def _plane(self, stream: tiff.Movie, device: bool) -> dict[str, Any]:
        plane: dict[str, Any] = {"device": "Microscope"} if device else {}
        rate = stream.timebase.rate if stream.timebase is not None else None
        if rate is not None:
            plane["imaging_rate"] = rate
        spacing = self.orders[stream.id].spacing[: len(stream.shape) - 1]
        if spacing:
            plane["grid_spacing"], plane["grid_spacing_unit"] = spacing, "um"
        channel = self._channels.get(stream.id)
        if channel is None:
            return plane
        if channel.excitation is not None:
            plane["excitation_lambda"] = channel.excitation
        if channel.fluor:
            plane["indicator"] = channel.fluor
        optical: dict[str, Any] = {}
        if channel.emission is not None:
            optical["emission_lambda"] = channel.emission
        if channel.name:
            optical["description"] = f"channel '{channel.name}'"
        if optical:
            plane["optical_channel"] = {camel(channel.name) or "OpticalChannel": optical}
        return plane

    def reread(self, stream_id: str, start: int, stop: int) -> npt.NDArray[Any] | None:
        """Frames by tifffile."""
        stream = self.stream(stream_id)
        assert isinstance(stream, tiff.Movie)
        return stream.reread(start, stop)

    def close(self) -> None:
        """Close the files."""
        self.stack.close()


def _irregular(clock: str, times: npt.NDArray[np.float64], nominal: float | None) -> Timebase:
    def read(start: int, stop: int) -> npt.NDArray[np.float64]:
        return times[start:stop]

    return Timebase.irregular(clock, len(times), read, nominal)
