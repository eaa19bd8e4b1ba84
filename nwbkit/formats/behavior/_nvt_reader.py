"""An opened Neuralynx video tracking file."""

from __future__ import annotations

import os
import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nwbkit.errors import DamagedInput
from nwbkit.formats.base import Reader, Relation, Source
from nwbkit.formats.io.names import camel
from nwbkit.formats.io.neuralynx import HEADER_BYTES, Header, parse
from nwbkit.streams import Array, Clock, Segment, Timebase
from nwbkit.streams.kinds import AnyArray
from nwbkit.streams.timebase import Times

RECORD = np.dtype(
    [
        ("stx", "<u2"),
        ("system", "<u2"),
        ("size", "<u2"),
        ("time", "<u8"),
        ("points", "<u4", (400,)),
        ("crc", "<i2"),
        ("x", "<i4"),
        ("y", "<i4"),
        ("angle", "<i4"),
        ("targets", "<i4", (50,)),
    ]
)
_KEPT = ("stx", "time", "x", "y", "angle")
_BLOCK = 2048
_LAST_TIME = 1 << 62
#: A step of more than so many frame periods is a dropped frame.
_DROPPED = 1.5


class NvtReader(Reader):
    """Position and direction of one tracker.

    Parameters
    ----------
    source : Source

    Raises
    ------
    nwbkit.errors.DamagedInput
        For a torn header, a file that ends within a record, and timestamps that do not
        increase.
    """

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self.path = source.paths[0]
        self._related = False
        self.header = self._read_header()
        self._rows = self._read_rows()
        times = self._rows["time"].astype(np.int64)
        self._zero = int(times[0]) if len(times) else 0
        clock = Clock(
            f"{source.id}/neuralynx",
            f"microseconds of the acquisition system; zero is the first frame ({self._zero} us)",
        )
        self.clocks.append(clock)
        self._check(times)
        if len(times):
            self.streams = self._streams(times, clock.id)
        else:
            self.notes.append(f"'{self.path.name}' holds no frame")

    # -------------------------------------------------------------- opening

    def _complain(self, message: str, hint: str) -> None:
        if not self.source.salvage:
            raise DamagedInput(message, hint=hint)
        self.losses.append(message)

    def _read_header(self) -> Header:
        with open(self.path, "rb") as f:
            raw = f.read(HEADER_BYTES)
        header = parse(raw)
        if header is None or len(raw) < HEADER_BYTES:
            raise DamagedInput(
                f"'{self.path.name}' does not begin with a Neuralynx header of {HEADER_BYTES} bytes"
            )
        said = header.text("RecordSize")
        if said and header.number("RecordSize") != RECORD.itemsize:
            raise DamagedInput(
                f"'{self.path.name}' says RecordSize={said}, expected {RECORD.itemsize} bytes"
            )
        return header

    def _read_rows(self) -> np.ndarray[Any, Any]:
        """What is kept of each record; 22 bytes a frame."""
        size = os.stat(self.path).st_size
        n, rest = divmod(size - HEADER_BYTES, RECORD.itemsize)
        if rest:
            self._complain(
                f"'{self.path.name}' holds {size} bytes, which is {rest} more than {n} records of "
                f"{RECORD.itemsize} bytes behind the header: it was cut off",
                f"--salvage reads the {n} complete records",
            )
        kept = np.empty(n, np.dtype([(k, RECORD[k]) for k in _KEPT]))
        with open(self.path, "rb") as f:
            f.seek(HEADER_BYTES)
            for start in range(0, n, _BLOCK):
                stop = min(start + _BLOCK, n)
                raw = f.read((stop - start) * RECORD.itemsize)
                if len(raw) != (stop - start) * RECORD.itemsize:
                    raise DamagedInput(f"'{self.path.name}' has become shorter while it was read")
                block = np.frombuffer(raw, RECORD)
                for key in _KEPT:
                    kept[key][start:stop] = block[key]
        return kept

    def _check(self, times: npt.NDArray[np.int64]) -> None:
        stx, name = self._rows["stx"], self.path.name
        odd = np.flatnonzero(stx != stx[0]) if len(stx) else stx
        if len(odd):
            k = int(odd[0])
            self._complain(
                f"record {k} of '{name}' begins with {stx[k]:#x}, the first with {stx[0]:#x}",
                "--salvage reads it as it is",
            )
        if (self._rows["time"] >= _LAST_TIME).any():
            k = int(np.flatnonzero(self._rows["time"] >= _LAST_TIME)[0])
            raise DamagedInput(
                f"'{name}' has the timestamp {self._rows['time'][k]} us in record {k}"
            )
        back = np.flatnonzero(np.diff(times) <= 0)
        if back.size:
            k = int(back[0])
            self._complain(
                f"the timestamps of '{name}' do not increase at record {k + 1}: {times[k + 1]} us "
                f"after {times[k]} us ({back.size} places)",
                "--salvage keeps the frames as they are",
            )
        rate = self.header.number("SamplingFrequency")
        steps = np.diff(times)
        if rate and steps.size:
            dropped = np.flatnonzero(steps > _DROPPED * 1e6 / rate)
            missing = int(np.rint(steps[dropped] * rate / 1e6 - 1).sum())
            if dropped.size:
                self.notes.append(
                    f"{missing} frames are missing at {dropped.size} places of '{name}', the first "
                    f"before frame {int(dropped[0]) + 1}"
                )

    def _streams(self, times: npt.NDArray[np.int64], clock: str) -> list[Any]:
        rows, name = self._rows, self.header.text("AcqEntName") or self.path.stem
        lost = (rows["x"] == 0) & (rows["y"] == 0)
        if lost.any():
            self.notes.append(
                f"no target was found in {int(lost.sum())} of {len(rows)} frames of "
                f"'{self.path.name}': their position (0, 0) is written as NaN"
            )
        timebase = Timebase.irregular(
            clock, len(rows), FrameTimes(times, self._zero), self.header.number("SamplingFrequency")
        )
        size = self.header.text("Resolution").split()
        frame = (
            f"the video frame of {size[0]} x {size[1]} pixels"
            if len(size) == 2
            else ("the video frame, in pixels")
        )
        pixel = self.source.options.get("meters_per_pixel")
        values = np.stack([rows["x"], rows["y"]], axis=1).astype(np.float64)
        values[lost] = np.nan
        found: list[Any] = [
            Tracked(
                id="position",
                name=f"{name} position",
                role="position",
                nwb_name=f"SpatialSeries{camel(name)}",
                timebase=timebase,
                description=f"position (x, y) of the target that {name} extracted in each frame; "
                "NaN where there was none",
                shape=values.shape,
                dtype=values.dtype,
                unit="meters" if pixel else "pixels",
                gain=np.array([pixel or 1.0]),
                offset=np.zeros(1),
                channel_names=("x", "y"),
                reference_frame=f"columns and rows of {frame}, as the tracker counts them",
                facts=self._facts(),
                values=values,
            )
        ]
        direction = self._direction(timebase, name, lost)
        return found + ([direction] if direction is not None else [])

    def _direction(self, timebase: Timebase, name: str, lost: Any) -> Tracked | None:
        angle = self._rows["angle"]
        if not angle.any():
            self.notes.append(f"'{self.path.name}' holds no angles: angle tracking was off")
            return None
        values = angle.astype(np.float64)
        # no angle: a sentinel that Cheetah writes where it sees one of two colours only
        beyond = (angle < -360) | (angle > 360)
        values[beyond | lost] = np.nan
        if beyond.any():
            self.notes.append(
                f"{int(beyond.sum())} angles of '{self.path.name}' are beyond 360 degrees "
                f"(the first: {int(angle[beyond][0])}), which no direction is: written as NaN"
            )
        return Tracked(
            id="direction",
            name=f"{name} direction",
            role="direction",
            nwb_name=f"SpatialSeries{camel(name)}Direction",
            timebase=timebase,
            description=f"direction of the target that {name} extracted in each frame; NaN where "
            "there was none",
            shape=values.shape,
            dtype=values.dtype,
            unit="degrees",
            channel_names=("angle",),
            reference_frame="degrees clockwise from the positive y axis"
            + (f", direction offset {o}" if (o := self.header.text("DirectionOffset")) else ""),
            values=values,
        )

    def _facts(self) -> dict[str, str | int | float | bool]:
        keys = ("VideoFormat", "Resolution", "CameraDelay", "SamplingFrequency")
        facts: dict[str, str | int | float | bool] = {
            key: said for key in keys if (said := self.header.text(key))
        }
        return {**facts, "first_timestamp_us": self._zero}

    # -------------------------------------------------------------- Reader

    def relate(self, relation: Relation, other: Reader) -> None:
        """Take the clock of the recording: its microseconds are these."""
        zero, clock = getattr(other, "zero", None), getattr(other, "clock", None)
        if zero is None or clock is None or not self.streams:
            return
        self._zero, self.clocks, self._related = int(zero), [], True
        times = FrameTimes(self._rows["time"].astype(np.int64), self._zero)
        ahead = -float(times(0, 1)[0])
        if ahead > 0:
            self.notes.append(
                f"'{self.path.name}' begins {ahead:.6f} s before the recording's first record: its "
                "first times are negative"
            )
        for stream in self.streams:
            assert stream.timebase is not None
            stream.timebase = replace(stream.timebase, clock=clock.id, read_times=times)

    def files(self) -> Sequence[Path]:
        """The one file."""
        return self.source.paths[:1]

    def metadata(self) -> dict[str, Any]:
        """Session start by the header, and what the series are."""
        streams = {self.address(s): {"description": s.description} for s in self.streams}
        found: dict[str, Any] = {"Streams": streams}
        if self.header.opened is not None and not self._related:
            found["NWBFile"] = {"session_start_time": self.header.opened.isoformat()}
        return found

    def reread(self, stream_id: str, start: int, stop: int) -> AnyArray | None:
        """Values by struct, record after record."""
        rows = []
        with open(self.path, "rb") as f:
            f.seek(16384 + start * 1828)
            for _ in range(start, stop):
                _, x, y, angle = struct.unpack_from("<h3i", f.read(1828), 1614)
                rows.append((x, y, angle))
        values = np.array(rows, np.float64).reshape(-1, 3)
        lost = (values[:, 0] == 0) & (values[:, 1] == 0)
        if stream_id == "direction":
            angles = values[:, 2]
            angles[lost | (np.abs(angles) > 360)] = np.nan
            return angles
        values = np.ascontiguousarray(values[:, :2])
        values[lost] = np.nan
        return values

    def reread_facts(self, stream_id: str) -> dict[str, Any] | None:
        """Scale, and the time of each frame, from the bytes."""
        if self.source.salvage:
            return None
        raw = np.fromfile(self.path, np.uint8, offset=16384).reshape(-1, 1828)
        stamps = np.ascontiguousarray(raw[:, 6:14]).view("<i8")[:, 0]
        seconds = ((stamps - self._zero) / 1e6).tolist()
        scale = self.source.options.get("meters_per_pixel") if stream_id == "position" else None
        return {
            "gain": np.array([scale or 1.0]),
            "offset": np.zeros(1),
            "rate": None,
            "segments": tuple(Segment(k, 1, t, 1.0) for k, t in enumerate(seconds)),
        }


@dataclass(frozen=True)
class FrameTimes:
    """Times of frames on the clock whose zero is the timestamp `zero`."""

    times: npt.NDArray[np.int64]
    zero: int

    def __call__(self, start: int, stop: int) -> Times:
        """Seconds of the frames ``start..stop``."""
        seconds: Times = (self.times[start:stop] - self.zero) / 1e6
        return seconds


class Tracked(Array):
    """Values of frames, which are in memory already."""

    def __init__(self, *, values: AnyArray, **facts: Any) -> None:
        super().__init__(**facts)
        self.values = values

    def read(self, start: int, stop: int, out: AnyArray | None = None) -> AnyArray:
        """Frames ``start..stop``."""
        if out is None:
            return np.ascontiguousarray(self.values[start:stop])
        np.copyto(out, self.values[start:stop])
        return out
