"""Opening a miniscope recording: movies, behavior videos, head orientation, notes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nwbkit.errors import DamagedInput, MissingFact, UnknownFormat, UsageError
from nwbkit.formats.base import Reader, Source
from nwbkit.formats.imaging.miniscope import _describe, _texts
from nwbkit.formats.imaging.miniscope._devices import Device, devices_of
from nwbkit.formats.imaging.miniscope._streams import Notes, Orientation
from nwbkit.formats.io import avi, avi_movie
from nwbkit.formats.io.complaints import Complaints
from nwbkit.streams import Clock, Column, External, Timebase

Times = npt.NDArray[np.float64]


class MiniscopeReader(Reader):
    """One recording: all devices on the clock ``SOURCE/recording``.

    The clock is the acquisition computer's; its zero is the recording's start.
    """

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self.complaints = Complaints(source.salvage)
        self.losses, self.notes = self.complaints.losses, self.complaints.notes
        self.recording = devices_of(source, self.complaints)
        self.clock = f"{source.id}/recording"
        self.clocks.append(
            Clock(self.clock, "the acquisition computer's clock; zero is the recording's start")
        )
        self._movies: list[avi_movie.AviMovie] = []
        self._listed: dict[str, Path] = {}
        for device in self.recording.devices:
            self._add_device(device)
        if not self.streams:
            raise DamagedInput(f"'{self.recording.root.name}' holds no device with a frame")
        self._add_notes()

    # ------------------------------------------------------------------ devices

    def _add_device(self, device: Device) -> None:
        files = [f for path in device.movies if (f := self._index(path)) and f.n_frames]
        if not files:
            self.complaints(f"'{device.folder}' holds no frame", "leaves the device out")
            return
        self._check_alike(files)
        files, timebase = self._timed(device, files)
        if device.is_scope:
            self._add_movie(device, files, timebase)
        else:
            self._add_video(device, files, timebase)
        if device.orientation is not None:
            self._add_orientation(device, device.orientation)

    def _index(self, path: Path) -> avi.AviIndex | None:
        where = _texts.label(path)
        try:
            found = avi.index(path)
        except (DamagedInput, UnknownFormat) as error:
            self.complaints(error.message, "leaves the file out")
            return None
        rescue = f"keeps the {found.n_frames} frames that are whole"
        if found.problem:
            self.complaints(f"'{where}': {found.problem}", rescue)
        elif found.stated and found.stated != found.n_frames:
            self.complaints(
                f"'{where}': its header says {found.stated} frames, it holds {found.n_frames}",
                rescue,
            )
        empty = np.flatnonzero(found.sizes == 0)
        if empty.size:
            self.complaints(
                f"'{where}': frame {empty[0]} is empty, as are {empty.size - 1} others",
                f"keeps the {empty[0]} frames before it",
            )
            found = _head(found, int(empty[0]))
        return found

    def _check_alike(self, files: Sequence[avi.AviIndex]) -> None:
        first = files[0]
        for other in files[1:]:
            if (other.width, other.height) != (first.width, first.height):
                raise DamagedInput(
                    f"'{_texts.label(other.path)}' has frames of {other.width} x {other.height} "
                    f"pixels, '{first.path.name}' of {first.width} x {first.height}"
                )

    # ------------------------------------------------------------------ times

    def _timed(
        self, device: Device, files: list[avi.AviIndex]
    ) -> tuple[list[avi.AviIndex], Timebase]:
        """The frames that have a time, and their times."""
        if device.times is None:
            return files, self._by_rate(device, files)
        times = device.times
        self._listed[device.id] = device.times_path or device.movies[0]
        rows = self._rows(device, files)
        n = len(rows)
        if device.missing or n != len(times):
            name = _texts.label(device.times_path or device.movies[0])
            problem = f"'{name}' has the times of {len(times)} frames, the movies hold {n}"
            if device.missing:
                problem = f"'{device.folder}' lacks {', '.join(device.missing)}; {problem}"
            self.complaints(problem, "keeps the frames that both have")
            files, rows = _kept(files, rows, len(times))
            if not len(rows):
                raise DamagedInput(problem)
        self._note_times(device)
        mine = times[rows]

        def read(start: int, stop: int) -> Times:
            return mine[start:stop]

        return files, Timebase.irregular(self.clock, len(mine), read)

    def _rows(self, device: Device, files: Sequence[avi.AviIndex]) -> npt.NDArray[np.int64]:
        """Which row of the list of times each frame has: by the file's number where one lacks."""
        counts = [f.n_frames for f in files]
        if not device.per_file or (not device.missing and len(counts) == len(device.movies)):
            return np.arange(sum(counts), dtype=np.int64)
        parts = [
            device.number(f.path) * device.per_file + np.arange(n, dtype=np.int64)
            for f, n in zip(files, counts, strict=True)
        ]
        return np.concatenate(parts)

    def _by_rate(self, device: Device, files: Sequence[avi.AviIndex]) -> Timebase:
        """Times by the user's rate, on a clock of the device's own."""
        rate = self.source.options.get("rate")
        if rate is None:
            raise MissingFact(
                f"'{device.folder}' has no timeStamps.csv: the times of its frames are not known",
                hint=f"--set {self.source.id}.rate=20, with its frames per second (Hz)",
            )
        if not rate > 0:
            raise UsageError(f"'{self.source.id}.rate' takes a positive number, not '{rate}'")
        clock = f"{self.source.id}/{device.id}"
        self.clocks.append(Clock(clock, f"frames of '{device.folder}'; zero is the first one"))
        self.complaints.note(f"times of '{device.folder}' are by --set rate={rate:.12g}")
        return Timebase.regular(clock, sum(f.n_frames for f in files), float(rate))

    def _note_times(self, device: Device) -> None:
        """What numbers and times of the frames tell of lost ones."""
        assert device.times is not None
        note = self.complaints.note
        if device.frame_numbers is not None and len(device.frame_numbers) > 1:
            steps = np.diff(device.frame_numbers)
            lost = int((steps[steps > 1] - 1).sum())
            if lost:
                k = int(np.flatnonzero(steps > 1)[0]) + 1
                note(
                    f"'{device.folder}': {lost} frames are missing by their numbers, first before "
                    f"frame {device.frame_numbers[k]:.0f}"
                )
            again = int((steps <= 0).sum())
            if again:
                note(f"'{device.folder}': {again} frames have the number of an earlier one")
        steps = np.diff(device.times)
        if not steps.size:
            return
        back = np.flatnonzero(steps < 0)
        if back.size:
            k = int(back[0])
            self.complaints(
                f"'{device.folder}': frame {k + 1} is at {device.times[k + 1]:.3f} s, the one "
                f"before at {device.times[k]:.3f} s",
                "keeps the times as written",
            )
        same = int((steps == 0).sum())
        if same:
            note(f"'{device.folder}': {same} frames have the time of the frame before")
        usual = float(np.median(steps))
        long = np.flatnonzero(steps > 1.8 * usual)
        if usual > 0 and long.size:
            k = int(long[0])
            note(
                f"'{device.folder}': {long.size} steps are longer than 1.8 frames, first "
                f"{steps[k]:.3f} s behind frame {k} where {usual:.3f} s is usual: frames were "
                "dropped there"
            )

    # ------------------------------------------------------------------ streams

    def _add_movie(self, device: Device, files: Sequence[avi.AviIndex], timebase: Timebase) -> None:
        channel = str(self.source.options.get("channel") or "gray")
        first = files[0]
        try:
            dtype, pixels = avi_movie.probe(first, channel)
        except DamagedInput as error:
            if "coloured" in error.message:
                error.hint = f"--set {self.source.id}.channel=green, or red or blue"
            raise
        several = sum(d.is_scope for d in self.recording.devices) > 1
        movie = avi_movie.AviMovie(
            id=device.id,
            name=device.name,
            role="one_photon",
            timebase=timebase,
            description=_describe.sentence(device),
            nwb_name=f"OnePhotonSeries{device.camel if several else ''}",
            facts=_describe.facts(device, first),
            shape=(sum(f.n_frames for f in files), first.height, first.width),
            dtype=dtype,
            plane=f"{self.source.id}_{device.camel}",
            files=tuple(files),
            channel=channel,
        )
        lossy = sorted({f.codec for f in files if f.codec.upper() in avi_movie.LOSSY})
        if lossy:
            self.complaints.note(
                f"'{device.folder}' is in {', '.join(lossy)}, which loses something: frames are "
                "stored as they decode here"
            )
        if pixels.startswith("yuv4"):
            self.complaints.note(
                f"'{device.folder}' holds luma and chroma ({pixels}): the luma is stored, in which "
                "16 is black and 235 is white"
            )
        self._movies.append(movie)
        self.streams.append(movie)

    def _add_video(self, device: Device, files: Sequence[avi.AviIndex], timebase: Timebase) -> None:
        first = files[0]
        self.streams.append(
            External(
                id=device.id,
                name=device.name,
                role="video",
                timebase=timebase,
                description=_describe.sentence(device),
                nwb_name=f"Video{device.camel}",
                facts=_describe.facts(device, first),
                paths=tuple(f.path for f in files),
                n_frames=sum(f.n_frames for f in files),
                frames_per_file=tuple(f.n_frames for f in files),
                width=first.width,
                height=first.height,
            )
        )

    def _add_orientation(self, device: Device, path: Path) -> None:
        listed = _texts.numbers(path, 5)
        where = _texts.label(path)
        if listed.cut:
            self.complaints(f"'{where}': {listed.cut}", "keeps the rows before it")
        if not len(listed.rows):
            self.complaints.note(f"'{where}' holds no row")
            return
        columns = [listed.column(q, k + 1) for k, q in enumerate(("qw", "qx", "qy", "qz"))]
        times = listed.column("time", 0) / 1000
        stream = Orientation(
            id=f"{device.id}_orientation",
            name=f"{device.name} head orientation",
            role="behavior",
            timebase=Timebase.irregular(self.clock, len(times), lambda a, b: times[a:b]),
            description=_describe.ORIENTATION,
            nwb_name=f"HeadOrientation{device.camel if len(self.recording.turned) > 1 else ''}",
            shape=(len(times), 4),
            dtype=np.dtype("<f8"),
            unit="n.a.",
            channel_names=("qw", "qx", "qy", "qz"),
            path=path,
            values=np.ascontiguousarray(np.stack(columns, axis=1)),
            order=tuple(_place(listed, q, k) for k, q in enumerate(("qw", "qx", "qy", "qz"))),
        )
        lengths = np.sqrt((stream.values**2).sum(axis=1))
        off = int((np.abs(lengths - 1) > 0.05).sum())
        if off:
            self.complaints.note(
                f"'{where}': {off} of {len(times)} quaternions are not of length 1, as the sensor "
                "gives them where it has no valid reading"
            )
        self.streams.append(stream)

    def _add_notes(self) -> None:
        times, texts = self.recording.notes
        if not len(times):
            return
        self.streams.append(
            Notes(
                id="notes",
                name="notes",
                role="events",
                timebase=Timebase.irregular(self.clock, len(times), lambda a, b: times[a:b]),
                description="notes taken while recording",
                nwb_name="RecordingNotes",
                columns=(
                    Column("timestamp", "timestamp", "seconds", "when the note was sent"),
                    Column("note", "label", "", "as typed"),
                ),
                times=times,
                texts=texts,
            )
        )

    # ------------------------------------------------------------------ the rest of a Reader

    def files(self) -> Sequence[Path]:
        """Every file of the recording."""
        return self.source.paths

    def metadata(self) -> dict[str, Any]:
        """Start time, subject and experimenter where given, devices, imaging planes."""
        return _describe.metadata(self)

    def reread(self, stream_id: str, start: int, stop: int) -> npt.NDArray[Any] | None:
        """Frames by PyAV's own demuxer, head orientation by numpy's reading of texts."""
        stream = self.stream(stream_id)
        if isinstance(stream, Orientation):
            return stream.reread(start, stop)
        if not isinstance(stream, avi_movie.AviMovie) or self.losses:
            return None
        out = np.empty((stop - start, *stream.shape[1:]), stream.dtype)
        paths = [f.path for f in stream.files]
        for k, frame in enumerate(avi_movie.again(paths, start, stop, stream.channel)):
            out[k] = frame
        return out

    def reread_facts(self, stream_id: str) -> dict[str, Any] | None:
        """Frame count and times of a video by PyAV's demuxer and numpy's reading of texts."""
        stream = self.stream(stream_id)
        if not isinstance(stream, External) or self.losses or self.recording.is_old:
            return None
        if stream_id not in self._listed:
            return None
        times = np.genfromtxt(self._listed[stream_id], delimiter=",", skip_header=1, usecols=(1,))
        n = sum(avi_movie.count(p) for p in stream.paths)
        return {"n_frames": n, "times": np.atleast_1d(times) / 1000}

    def close(self) -> None:
        """Close the files."""
        for movie in self._movies:
            movie.close()


def _place(listed: _texts.Listed, name: str, k: int) -> int:
    names = [n.lower() for n in listed.names]
    return names.index(name) if name in names else k + 1


def _head(file: avi.AviIndex, n: int) -> avi.AviIndex:
    """The first `n` frames of a file."""
    return replace(file, offsets=file.offsets[:n], sizes=file.sizes[:n], keys=file.keys[:n])


def _kept(
    files: Sequence[avi.AviIndex], rows: npt.NDArray[np.int64], n_times: int
) -> tuple[list[avi.AviIndex], npt.NDArray[np.int64]]:
    """Files and rows without the frames that have no time."""
    n = int(np.searchsorted(rows, n_times))
    kept, left = [], n
    for file in files:
        if left > 0:
            kept.append(_head(file, min(left, file.n_frames)))
        left -= file.n_frames
    return kept, rows[:n]
