"""Opening a ScanImage run: pages into channels and volumes, frame times, what was set."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from nwbkit.errors import DamagedInput, MissingFact, UsageError
from nwbkit.formats.base import Reader, Source
from nwbkit.formats.imaging.scanimage import _describe, _layout, _text
from nwbkit.formats.io import _tiff_ifd as ifd
from nwbkit.formats.io import tiff
from nwbkit.formats.io.names import camel
from nwbkit.streams import Clock, Segment, Timebase

_SALVAGE = "--salvage keeps what lies before it"
#: Gaps that are told one by one.
_MAX_NOTES = 10


class ScanImageReader(Reader):
    """One run: a movie a channel, on the clock ``SOURCE/scanimage``.

    The clock's zero is the run's epoch, the moment when the acquisition began.
    """

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self.indices = [self._index(path) for path in source.paths]
        self.stack = tiff.Stack(self.indices)
        first = self.indices[0]
        self.description = first.text(ifd.DESCRIPTION)
        software = first.text(ifd.SOFTWARE)
        texts = (software, self.description, _text.block_of(first.path))
        found = (_text.Settings(text) for text in texts)
        self.settings = next((s for s in found if s.values), _text.Settings(""))
        if not self.settings.values:
            raise DamagedInput(f"'{first.path.name}' holds no ScanImage settings")
        self.channels = _layout.channels_of(self.settings)
        self.stacks = _layout.stacks_of(self.settings, first.path.name)
        self.frames = self._frames()
        self.clock = f"{source.id}/scanimage"
        self.clocks.append(Clock(self.clock, "ScanImage's frame times; zero is the run's epoch"))
        self._add_streams()
        self._note_regions()

    # ------------------------------------------------------------------ pages

    def _index(self, path: Any) -> tiff.TiffIndex:
        found = tiff.index(path)
        if found.problem:
            message = f"'{path.name}': {found.problem}"
            if not self.source.salvage:
                raise DamagedInput(message, hint=f"{_SALVAGE}: {found.n_pages} pages")
            self.losses.append(message)
        self.notes += [f"'{path.name}': {note}" for note in found.notes]
        return found

    def _frames(self) -> _layout.Frames:
        """What each frame says; a frame has as many pages as channels were saved."""
        told: list[_text.Frame | None] = []
        pages: list[npt.NDArray[np.int64]] = []
        n = len(self.channels)
        for file, found in enumerate(self.indices):
            whole, rest = divmod(found.n_pages, n)
            if rest:
                message = (
                    f"'{found.path.name}' holds {found.n_pages} pages, which is no multiple of "
                    f"its {n} saved channels (channelSave)"
                )
                if not self.source.salvage:
                    raise DamagedInput(message, hint=f"--salvage keeps {whole} whole frames")
                if message not in self.losses:
                    self.losses.append(message)
            mine = np.arange(whole, dtype=np.int64) * n
            if not self._is_old:
                told += map(_text.frame_of, found.texts(ifd.DESCRIPTION, mine, _text.FRAME_BYTES))
                self._same_frame(found, whole)
            else:
                told += [None] * whole
            pages.append(mine + self.stack.starts[file])
        self.first_pages = np.concatenate(pages)
        if not len(self.first_pages):
            raise DamagedInput(f"'{self.indices[0].path.name}' holds no whole frame")
        silent = [k for k, frame in enumerate(told) if frame is None]
        if silent and len(silent) < len(told):
            file, page = self.stack.locate(int(self.first_pages[silent[0]]))
            message = (
                f"'{self.indices[file].path.name}': page {page + 1} does not say which frame it is "
                f"(frameNumbers); nor do {len(silent) - 1} others"
            )
            if not self.source.salvage:
                raise DamagedInput(message, hint="--salvage takes all frames as unbroken")
            self.losses.append(message)
        frames = _layout.Frames.of(told)
        self._check_order(frames)
        return frames

    @property
    def _is_old(self) -> bool:
        return any(key.startswith("state.") for key in self.settings.values)

    def _same_frame(self, found: tiff.TiffIndex, whole: int) -> None:
        """The pages of the last frame's channels must name one frame."""
        n = len(self.channels)
        if n == 1 or not whole:
            return
        last = np.arange((whole - 1) * n, whole * n, dtype=np.int64)
        told = [
            _text.frame_of(text) for text in found.texts(ifd.DESCRIPTION, last, _text.FRAME_BYTES)
        ]
        numbers = [f.number for f in told if f is not None]
        if len(set(numbers)) > 1:
            raise DamagedInput(
                f"'{found.path.name}': pages {last[0] + 1} to {last[-1] + 1} are frames {numbers}, "
                f"expected one frame of {n} channels (channelSave)"
            )

    def _check_order(self, frames: _layout.Frames) -> None:
        steps = np.diff(frames.numbers)
        back = np.flatnonzero(steps <= 0)
        if back.size:
            k = int(back[0]) + 1
            file, page = self.stack.locate(int(self.first_pages[k]))
            raise DamagedInput(
                f"'{self.indices[file].path.name}': page {page + 1} is frame {frames.numbers[k]}, "
                f"after frame {frames.numbers[k - 1]} (frameNumbers)"
            )
        self._note_missing(frames, steps)

    def _note_missing(self, frames: _layout.Frames, steps: npt.NDArray[np.int64]) -> None:
        """Say where frames are missing; not of flyback frames that were never saved."""
        places = [
            k
            for k in (np.flatnonzero(steps > frames.step) + 1).tolist()
            if not _layout.only_flyback(frames, self.stacks, k)
        ]
        for k in places[:_MAX_NOTES]:
            file, page = self.stack.locate(int(self.first_pages[k]))
            missing = int(steps[k - 1]) // frames.step - 1
            self.notes.append(
                f"'{self.indices[file].path.name}': {missing} frames are missing before frame "
                f"{frames.numbers[k]} (page {page + 1})"
            )
        if len(places) > _MAX_NOTES:
            self.notes.append(f"frames are missing at {len(places) - _MAX_NOTES} more places")

    # ------------------------------------------------------------------ streams

    def _add_streams(self) -> None:
        split = self.source.options.get("planes") == "split"
        names = self.channel_names
        for k, number in enumerate(self.channels):
            if self.stacks.slices == 1:
                self._add(k, names[number], None, np.arange(len(self.first_pages), dtype=np.int64))
            elif split:
                for z in range(self.stacks.slices):
                    rows = _layout.of_slice(self.frames, self.stacks, z)
                    if len(rows):
                        self._add(k, names[number], z, rows)
                    else:
                        self.notes.append(f"no frame of plane {z} of '{names[number]}' was taken")
            else:
                table, left_out = _layout.volumes(self.frames, self.stacks)
                if not k:
                    self._note_volumes(table, left_out)
                self._add(k, names[number], None, table)
        if self.stacks.flyback:
            self.notes.append(f"{self.stacks.flyback} flyback frames of every volume are left out")

    def _add(self, channel: int, name: str, plane: int | None, rows: _layout.Indices) -> None:
        if not len(rows):
            raise DamagedInput(
                f"'{self.indices[0].path.name}' holds no whole volume: {len(self.first_pages)} "
                f"frames, a volume has {self.stacks.per_volume}",
                hint=f"--set {self.source.id}.planes=split writes every plane on its own",
            )
        kind = self.stack.kind
        tail = f"Plane{plane}" if plane is not None else ""
        planes = rows.shape[1:]
        self.streams.append(
            tiff.Movie(
                id=camel(name) + tail,
                name=f"{name} plane {plane}" if plane is not None else name,
                role="two_photon",
                timebase=self._timebase(rows, plane),
                description=_describe.sentence(self.settings, name, plane),
                nwb_name=f"TwoPhotonSeries{camel(name)}{tail}",
                facts=_describe.facts(self.settings, self.channels[channel]),
                shape=(len(rows), kind.height, kind.width, *planes),
                dtype=kind.dtype,
                plane=f"{self.source.id}_{camel(name)}{tail}",
                stack=self.stack,
                pages=self.first_pages[rows] + channel,
            )
        )

    @property
    def channel_names(self) -> dict[int, str]:
        """The user's name of each saved channel; made unique by its number."""
        said = self.settings.words("hChannels.channelName")
        found = {}
        for n in self.channels:
            name = said[n - 1] if 0 < n <= len(said) else ""
            found[n] = name if camel(name) else f"Channel {n}"
        if len({camel(name).lower() for name in found.values()}) < len(found):
            found = {n: f"{name} {n}" for n, name in found.items()}
        return found

    def _note_volumes(self, table: _layout.Indices, left_out: int) -> None:
        stacks = self.stacks
        if left_out:
            self.notes.append(
                f"{left_out} frames of incomplete volumes are left out "
                f"(--set {self.source.id}.planes=split keeps them)"
            )
        if stacks.repeats > 1:
            self.notes.append(
                f"{stacks.repeats} frames of each slice were taken before the next slice: a volume "
                "is made of the first frames of all slices, then of the second, ..."
            )
        self.notes.append(
            "the time of a volume is that of its first slice "
            f"(--set {self.source.id}.planes=split gives each plane its own times)"
        )

    # ------------------------------------------------------------------ times

    def _timebase(self, rows: _layout.Indices, plane: int | None) -> Timebase | None:
        given = self.source.options.get("rate")
        nominal = self.nominal_rate(plane)
        firsts = rows if rows.ndim == 1 else rows[:, 0]
        if self.frames.times is not None:
            if given is not None:
                raise UsageError(
                    f"'{self.source.id}.rate' is not needed: the files hold the time of each frame"
                )
            times = self.frames.times[firsts]
            if np.any(np.diff(times) <= 0):
                k = int(np.flatnonzero(np.diff(times) <= 0)[0]) + 1
                raise DamagedInput(
                    f"'{self.indices[0].path.name}': frame {self.frames.numbers[firsts[k]]} is at "
                    f"{times[k]} s, the one before at {times[k - 1]} s (frameTimestamps_sec)"
                )
            if not self._agrees(times, nominal):
                nominal = None
            return _layout.timebase(self.clock, times, nominal)
        if given is not None and not given > 0:
            raise UsageError(f"'{self.source.id}.rate' takes a positive number, not '{given}'")
        rate = given or nominal
        return None if rate is None else self._by_triggers(firsts, float(rate))

    def _by_triggers(self, firsts: _layout.Indices, rate: float) -> Timebase:
        """One segment a file, from when each was triggered: 3.x writes no frame times."""
        file_of = np.searchsorted(self.stack.starts, self.first_pages[firsts], side="right") - 1
        begins = [self._trigger(k) for k in range(len(self.indices))]
        segments, first = [], 0
        for file in range(len(self.indices)):
            n = int(np.count_nonzero(file_of == file))
            begin, zero = begins[file], begins[0]
            t0 = first / rate
            if begin is not None and zero is not None:
                t0 = (begin - zero).total_seconds()
            elif file:
                raise MissingFact(
                    f"'{self.indices[file].path.name}' does not say when it was triggered",
                    hint="convert each file on its own",
                )
            if n:
                segments.append(Segment(first, n, t0, rate))
            first += n
        return Timebase(self.clock, tuple(segments))

    def _trigger(self, file: int) -> datetime | None:
        settings = self.settings
        if file:
            settings = _text.Settings(self.indices[file].text(ifd.DESCRIPTION))
        return _text.state_time(settings.word("state.internal.triggerTimeString"))

    def nominal_rate(self, plane: int | None = None) -> float | None:
        """Frames (of volumes: volumes) per second as the settings say, unrounded."""
        s, stacks = self.settings, self.stacks
        rate = s.number("hRoiManager.scanFrameRate", "scanFrameRate", "state.acq.frameRate")
        period = s.number("hRoiManager.scanFramePeriod", "scanFramePeriod")
        if rate is None and period:
            rate = 1 / period
        if rate is None or rate <= 0:
            return None
        rate = rate / stacks.average if stacks.average > 1 else rate
        if stacks.slices == 1 or stacks.repeats > 1 or not stacks.fast:
            return rate
        volume = s.number("hRoiManager.scanVolumeRate")
        return volume if volume and stacks.average == 1 else rate / stacks.per_volume

    def _agrees(self, times: npt.NDArray[np.float64], nominal: float | None) -> bool:
        """Whether the times keep to the rate of the settings, within a thousandth."""
        if len(times) < 2 or nominal is None:
            return True
        found = 1 / float(np.median(np.diff(times)))
        note = (
            f"the frame times give {found:.6g} Hz, the settings say {nominal:.6g} Hz: the times "
            "are used"
        )
        agrees = abs(found / nominal - 1) <= 0.001
        if not agrees and note not in self.notes:
            self.notes.append(note)
        return agrees

    # ------------------------------------------------------------------ facts

    def start(self) -> datetime | None:
        """When the clock was at zero, on the computer's own clock."""
        if self._is_old:
            return self._trigger(0)
        return _text.epoch_of(self.description)

    def _note_regions(self) -> None:
        if self.settings.true("hRoiManager.mroiEnable"):
            n = _describe.n_regions(self.indices[0].text(ifd.ARTIST))
            self.notes.append(
                f"{n or 'several'} scan fields (mROI) lie one below the other in each frame, as in "
                "the file"
            )

    def metadata(self) -> dict[str, Any]:
        """Start time (naive), the microscope, one imaging plane a stream."""
        return _describe.metadata(self)

    def reread(self, stream_id: str, start: int, stop: int) -> npt.NDArray[Any] | None:
        """Frames by tifffile."""
        stream = self.stream(stream_id)
        assert isinstance(stream, tiff.Movie)
        return stream.reread(start, stop)

    def close(self) -> None:
        """Close the files."""
        self.stack.close()
