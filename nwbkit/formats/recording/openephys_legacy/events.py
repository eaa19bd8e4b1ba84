"""TTL lines and messages, on the clock of the channels they belong to.

An event has 16 bytes: int64 sample number, int16 position (not used), uint8 type (3 TTL, 5
message), uint8 processor, uint8 event id (TTL: 1 on, 0 off), uint8 channel from 0, uint16
recording number (not before version 0.2). messages.events is text: a sample number and words.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nwbkit.formats.io.complaints import Complaints
from nwbkit.formats.recording.openephys_legacy.look import HEADER
from nwbkit.formats.recording.openephys_legacy.records import number_in, read_fields
from nwbkit.streams import Column, Table
from nwbkit.streams.kinds import AnyArray

TTL = 3
MAX_MESSAGES = 256 << 20
_LINE = re.compile(r"\s*(\d{1,19})\s*,?\s?(.*)")
_SOFTWARE = re.compile(r"Software Time \(milliseconds since midnight Jan 1st 1970 UTC\)", re.I)
TTL_COLUMNS = (
    Column("timestamp", "timestamp", "samples", "when the line changed"),
    Column(
        "duration",
        "duration",
        "samples",
        "how long the line kept this level; unknown where the recording ends first",
    ),
    Column("line", "label", "", "which TTL line changed, counted from 1 as the GUI shows it"),
    Column("value", "value", "", "level after the change", {0: "off", 1: "on"}),
    Column("processor", "value", "", "id of the processor that made the event"),
)
OTHER_COLUMNS = (
    Column("timestamp", "timestamp", "samples", "when the event was made"),
    Column("event_type", "value", "", "type as the file says"),
    Column("event_id", "value", "", "id as the file says"),
    Column("channel", "value", "", "channel as the file says, from 0"),
    Column("processor", "value", "", "id of the processor that made the event"),
)
MESSAGE_COLUMNS = (
    Column("timestamp", "timestamp", "samples", "when the message was written"),
    Column("message", "label", "", "text of the message"),
)


def event_dtype(numbered: bool) -> np.dtype[Any]:
    """An event, with or without recording number."""
    fields: list[Any] = [("tick", "<i8"), ("position", "<i2"), ("type", "u1"), ("processor", "u1")]
    fields += [("id", "u1"), ("channel", "u1")] + ([("recording", "<u2")] if numbered else [])
    return np.dtype(fields)


@dataclass(frozen=True)
class EventFile:
    """An .events file, read."""

    path: Path
    rate: float | None
    rows: AnyArray

    @property
    def recordings(self) -> npt.NDArray[np.int64]:
        """The recording of each event."""
        if "recording" not in (self.rows.dtype.names or ()):
            return np.zeros(len(self.rows), np.int64)
        numbers: npt.NDArray[np.int64] = self.rows["recording"].astype(np.int64)
        return numbers


def open_events(path: Path, complaints: Complaints) -> EventFile:
    """Read an .events file.

    Raises
    ------
    nwbkit.errors.DamagedInput
    nwbkit.errors.NoInput
    """
    said = read_fields(path)
    version = number_in(said, "version")
    dtype = event_dtype(version is None or version >= 0.2)
    n, rest = divmod(os.path.getsize(path) - HEADER, dtype.itemsize)
    if rest:
        complaints(
            f"'{path.name}' ends inside an event: {rest} bytes after event {n}",
            f"reads the {n} complete ones",
        )
    rows = np.fromfile(path, dtype, count=n, offset=HEADER)
    return EventFile(path, number_in(said, "sampleRate"), rows)


@dataclass(kw_only=True)
class Events(Table):
    """Events whose columns are known."""

    values: dict[str, AnyArray]

    def read(self) -> dict[str, AnyArray]:
        """Every column."""
        return {c.name: self.values[c.name] for c in self.columns}


def ttl_values(rows: AnyArray, samples: npt.NDArray[np.int64], recordings: AnyArray) -> Any:
    """Columns of TTL changes; `samples` are counted from the clock's first."""
    return {
        "timestamp": samples,
        "duration": _durations(samples, rows, recordings),
        "line": np.array([f"TTL{c + 1}" for c in rows["channel"].astype(int)], dtype=object),
        "value": (rows["id"] != 0).astype(np.uint8),
        "processor": rows["processor"].copy(),
    }


def other_values(rows: AnyArray, samples: npt.NDArray[np.int64]) -> dict[str, AnyArray]:
    """Columns of events that are no TTL changes."""
    return {
        "timestamp": samples,
        "event_type": rows["type"].copy(),
        "event_id": rows["id"].copy(),
        "channel": rows["channel"].copy(),
        "processor": rows["processor"].copy(),
    }


def _durations(
    samples: npt.NDArray[np.int64], rows: AnyArray, recordings: AnyArray
) -> npt.NDArray[np.int64]:
    """Samples until the same line of a processor changes again in its recording; -1 where not."""
    found = np.full(len(samples), -1, np.int64)
    keys = rows["processor"].astype(np.int64) << 8 | rows["channel"]
    for key in np.unique(keys):
        mine = np.flatnonzero(keys == key)
        steps = np.diff(samples[mine])
        known = (recordings[mine[1:]] == recordings[mine[:-1]]) & (steps >= 0)
        found[mine[:-1]] = np.where(known, steps, -1)
    return found


@dataclass(frozen=True)
class Messages:
    """messages.events: sample number and text of each line, and the computer's time in ms."""

    ticks: npt.NDArray[np.int64]
    texts: list[str]
    software_ms: int | None


def read_messages(path: Path, complaints: Complaints) -> Messages:
    """Read messages.events; lines that do not begin with a number belong to the one before."""
    raw = path.read_bytes()[:MAX_MESSAGES]
    ticks: list[int] = []
    texts: list[str] = []
    software = None
    for line in raw.decode("utf-8", "replace").splitlines():
        said = _LINE.fullmatch(line)
        if said is None or int(said[1]) >= 1 << 63:
            if texts and line.strip():
                texts[-1] += "\n" + line
            elif line.strip():
                complaints.note(f"'{path.name}' begins with a line without a sample number")
            continue
        if _SOFTWARE.match(said[2]):
            software = software if software is not None else int(said[1])
            continue
        ticks.append(int(said[1]))
        texts.append(said[2])
    return Messages(np.array(ticks, np.int64), texts, software)
