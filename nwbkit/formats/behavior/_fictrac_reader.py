"""Opening what FicTrac tracked: the ball's rotation, the animal's path, heading and speed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from nwbkit.errors import DamagedInput, UsageError
from nwbkit.formats.base import Reader, Relation, Source
from nwbkit.formats.behavior._fictrac_table import Columns, Rows, scan
from nwbkit.formats.io.frames import at_frames, given_rate, video_of, video_times
from nwbkit.streams import Clock, Timebase

AnyArray = npt.NDArray[Any]
#: Milliseconds above this count from 1970, below it they are a position in a video.
EPOCH_MS = 1e11
LAB = "FicTrac's laboratory coordinates: x forward, y right, z down, as its configImg shows"
CAMERA = "camera coordinates: x right, y down, z forward"
#: What a unit becomes when it is multiplied with the ball's radius.
_METRES = {"radians": "meters", "radians/frame": "meters/frame"}


@dataclass(frozen=True)
class Part:
    """Some columns of the table (numbered from 1, as FicTrac does) that make one stream."""

    id: str
    columns: tuple[int, int]
    role: Literal["position", "direction", "behavior"]
    unit: str
    description: str
    frame: str | None = None
    #: Lengths on the ball's surface in units of its radius; angles are never scaled.
    scaled: bool = False


PARTS = (
    Part("rotation_delta_cam", (2, 4), "behavior", "radians/frame",
         "Rotation of the ball since the last frame, as angle times axis", CAMERA),
    Part("rotation_delta_error", (5, 5), "behavior", "n.a.",
         "Error score of the rotation estimate, as FicTrac wrote it"),
    Part("rotation_delta_lab", (6, 8), "behavior", "radians/frame",
         "Rotation of the ball since the last frame, as angle times axis", LAB),
    Part("rotation_cam", (9, 11), "behavior", "radians",
         "Orientation of the ball, as angle times axis", CAMERA),
    Part("rotation_lab", (12, 14), "behavior", "radians",
         "Orientation of the ball, as angle times axis", LAB),
    Part("position", (15, 16), "position", "radians",
         "Integrated position of the animal, x and y, its heading taken into account", LAB, True),
    Part("heading", (17, 17), "direction", "radians",
         "Integrated heading of the animal: where it faces", LAB),
    Part("movement_direction", (18, 18), "direction", "radians",
         "Direction in which the animal runs; add the heading to get it in the world", LAB),
    Part("movement_speed", (19, 19), "behavior", "radians/frame",
         "Running speed of the animal", None, True),
    Part("integrated_motion", (20, 21), "behavior", "radians",
         "Integrated forward and side motion of the ball, heading left aside", LAB, True),
    Part("frame_counter", (1, 1), "behavior", "n.a.", "Number of the frame in its source"),
    Part("sequence_counter", (23, 23), "behavior", "n.a.",
         "Number of the frame since tracking last started"),
    Part("time_of_day", (25, 25), "behavior", "milliseconds",
         "Time of day, local, at which FicTrac took the frame from its source"),
)  # fmt: skip


class FicTracReader(Reader):
    """One ``.dat``: a stream for each quantity, all on one clock."""

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self.path = source.paths[0]
        self.index = scan(self.path, self.losses, salvage=source.salvage)
        self.start: datetime | None = None
        self.version = self._version()
        radius = source.options.get("radius_m")
        if radius is not None and not radius > 0:
            raise UsageError(f"'{source.id}.radius_m' takes a positive number, not '{radius}'")
        self.radius: float | None = None if radius is None else float(radius)
        self.parent = Rows(
            id="rows",
            name=self.path.name,
            role="stored",
            shape=(self.index.n_rows, self.index.width),
            dtype=np.dtype(np.float64),
            path=self.path,
            index=self.index,
            block_rows=1024,
        )
        parts = [p for p in PARTS if p.columns[1] <= self.index.width]
        self.streams = [self._stream(p) for p in parts]
        self._sequence()
        self._set_times(self._own_times())

    def _stream(self, part: Part) -> Columns:
        first, last = part.columns
        n = last - first + 1
        radius = self.radius if part.scaled else None
        scaled = radius is not None
        unit = _METRES[part.unit] if scaled else part.unit
        facts: dict[str, str | int | float | bool] = {"columns": f"{first}-{last}"}
        if self.version:
            facts["source_software"] = f"FicTrac {self.version}"
        if radius is not None:
            facts["radius_m"] = radius
        description = part.description
        if part.scaled and not scaled:
            description += ", in units of the ball's radius"
        if part.frame and part.role == "behavior":
            description += f" ({part.frame})"
        return Columns(
            id=part.id,
            name=part.id,
            nwb_name="FicTrac" + "".join(w.capitalize() for w in part.id.split("_")),
            role=part.role,
            description=description,
            shape=(self.index.n_rows, n) if n > 1 else (self.index.n_rows,),
            dtype=np.dtype(np.float64),
            unit=unit,
            gain=np.array([1.0 if radius is None else radius]),
            facts=facts,
            group=str(self.path),
            parent=self.parent,
            columns=slice(first - 1, last),
            reference_frame=part.frame,
            block_rows=1024,
        )

    def _version(self) -> str | None:
        for path in self.source.paths[1:]:
            with open(path, "rb") as f:
                head = f.read(4096).decode("utf-8", "replace")
            found = re.search(r"FicTrac v?(\d+(?:\.\d+)+)", head)
            if found:
                return found[1]
        return None

    def _sequence(self) -> None:
        """Frames that are missing, and starts of the tracking."""
        steps = np.diff(self.index.counter)
        back = np.flatnonzero(steps <= 0)
        if back.size:
            k = int(back[0])
            problem = (
                f"'{self.path.name}': frame {self.index.counter[k + 1]:g} follows frame "
                f"{self.index.counter[k]:g} in row {k + 1}"
            )
            if not self.source.salvage:
                raise DamagedInput(problem, hint="--salvage reads the rows as they are")
            self.losses.append(problem)
        missing = int((steps[steps > 1] - 1).sum())
        if missing:
            k = int(np.flatnonzero(steps > 1)[0])
            self.notes.append(
                f"{missing} frames are missing at {int((steps > 1).sum())} places, the first one "
                f"behind frame {self.index.counter[k]:g}: not tracked"
            )
        resets = int((np.diff(self.index.sequence) < 0).sum())
        if resets:
            self.notes.append(f"tracking was started again {resets} times: paths begin anew there")

    def _own_times(self) -> Timebase | None:
        """Times by ``--set``, else those that FicTrac wrote where they are times."""
        clock = f"{self.source.id}/frames"
        n = self.index.n_rows
        rate = given_rate(self.source)
        if rate is not None:
            self.clocks = [Clock(clock, "frames at the rate that was given; the first one at 0")]
            frames = (self.index.counter - self.index.counter[0]).astype(np.int64)
            if np.array_equal(frames, np.arange(n)):
                return Timebase.regular(clock, n, rate)
            times = frames / rate
            return Timebase.irregular(clock, n, lambda a, b: times[a:b], rate)
        seconds = self._timestamps()
        if seconds is None:
            self.clocks = [Clock(clock, "frames of FicTrac's source")]
            return None
        return Timebase.irregular(clock, n, lambda a, b: seconds[a:b])

    def _timestamps(self) -> AnyArray | None:
        """Column 22 in seconds on the reader's clock; None where it holds no times."""
        clock = f"{self.source.id}/frames"
        stamps = self.index.timestamp.copy()
        late = stamps >= EPOCH_MS
        if late.all():
            first = float(stamps[0])
            self.start = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=first)
            self.clocks = [
                Clock(clock, "time at which the computer took the frames; zero at the first one")
            ]
            stamps -= first
        else:
            if late[0] and not late[1:].any():
                # OpenCV says 0 for a video's first frame, and FicTrac then writes the clock
                stamps[0] = 0.0
                self.notes.append(
                    "the first time stamp is when the video was processed; as position in the "
                    "video it is 0"
                )
            elif late.any():
                k = int(np.flatnonzero(late[1:] != late[:-1])[-1]) + 1
                self.notes.append(
                    f"{int(late.sum())} of {len(late)} time stamps are the time of day at which "
                    f"a video was processed (last from row {k} on), not positions in it: none "
                    "is used"
                )
                return None
            self.clocks = [Clock(clock, "position in the video, or the camera's own time")]
        steps = np.diff(stamps)
        if not np.isfinite(stamps).all() or (steps < 0).any() or (len(steps) and not steps.any()):
            self.notes.append("time stamps stand still or go back; they are not used")
            return None
        usual = float(np.median(steps)) if len(steps) else 0.0
        frames = np.diff(self.index.counter)
        late_frames = int(((steps > 1.5 * usual) & (frames == 1)).sum()) if usual else 0
        if late_frames:
            self.notes.append(
                f"{late_frames} frames come more than half a frame late ({usual:g} ms is usual)"
            )
        return stamps / 1000.0

    def _set_times(self, timebase: Timebase | None) -> None:
        for stream in self.streams:
            stream.timebase = timebase

    def relate(self, relation: Relation, other: Reader) -> None:
        """Take clock and frame times from the video, by the number of each frame in it."""
        video = video_of(relation, other)
        if video is None:
            return
        frames = self._frames_of(video.n_frames)
        if frames is None:
            counter = self.index.counter
            self.notes.append(
                f"frames {counter[0]:g} to {counter[-1]:g} cannot be told in the video "
                f"'{video.name}' of {video.n_frames} frames: times are FicTrac's own"
            )
            return
        timebase = video_times(video, given_rate(self.source), self.notes)
        if timebase is None:
            return
        self.notes = [
            note
            for note in self.notes
            if not note.startswith("the first time stamp") and "time stamps are" not in note
        ]
        self.start, self.clocks = None, []
        self._set_times(at_frames(timebase, frames))

    def _frames_of(self, n_video: int) -> npt.NDArray[np.int64] | None:
        """Which frames of a video the rows are, from 0; None where that cannot be told.

        FicTrac's manual counts from 1, its versions 2.1 from 0: a table that begins with 1
        counts from 1 only if it ends with the video's last frame.
        """
        counter = self.index.counter
        if (np.diff(counter) <= 0).any() or counter[0] not in (0, 1):
            return None
        if counter[0] == 1 and counter[-1] != n_video:
            return None
        frames: npt.NDArray[np.int64] = (counter - counter[0]).astype(np.int64)
        return frames if frames[-1] < n_video else None

    def metadata(self) -> dict[str, Any]:
        """The session's start, where frames carry the time at which they were taken."""
        if self.start is None:
            return {}
        return {"NWBFile": {"session_start_time": self.start.isoformat()}}

    def reread(self, stream_id: str, start: int, stop: int) -> AnyArray | None:
        """Rows ``start..stop``, each cell read by Python's own ``float``."""
        part = next(p for p in PARTS if p.id == stream_id)
        first, last = part.columns
        rows = []
        with open(self.path, encoding="latin-1") as f:
            for number, line in enumerate(f):
                if number >= stop:
                    break
                if number >= start:
                    rows.append([float(cell) for cell in line.split(",")[first - 1 : last]])
        values = np.array(rows, np.float64).reshape(-1, last - first + 1)
        return values if last > first else values[:, 0]
