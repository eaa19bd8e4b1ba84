"""TTL lines and messages as tables on the clock of the stream they belong to.

Source: Open Ephys documentation, "Binary format". ``states.npy`` (before 0.6
``channel_states.npy``) holds the line, from 1, with a sign: positive on, negative off;
``full_words.npy`` the state of all lines. Since 0.6 ``sample_numbers.npy`` counts samples
and ``timestamps.npy`` holds synchronised seconds; before, ``timestamps.npy`` counts samples.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nwbkit.formats.recording.openephys_binary.complaints import Complaints, name_of
from nwbkit.formats.recording.openephys_binary.npy import Npy, open_npy
from nwbkit.formats.recording.openephys_binary.structure import text_of
from nwbkit.streams import Column, Table
from nwbkit.streams.kinds import AnyArray

Ints = npt.NDArray[np.int64]
_ARRAYS = (
    "states",
    "channel_states",
    "text",
    "full_words",
    "sample_numbers",
    "timestamps",
    "synchronized_timestamps",
)


@dataclass(frozen=True)
class Folder:
    """One event folder, opened: `numbers` count samples, `seconds` are synchronised."""

    path: Path
    numbers: Npy
    seconds: Npy | None
    values: Npy
    words: Npy | None = None

    @property
    def rows(self) -> int:
        """Events that can be read of every file."""
        sizes = [self.numbers.rows, self.values.rows]
        sizes += [n.rows for n in (self.seconds, self.words) if n is not None]
        return min(sizes)


def open_folder(path: Path, kind: str, complaints: Complaints) -> Folder | None:
    """Open the arrays of a TTL or text folder; None where the folder is not there."""
    if not path.is_dir():
        complaints.note(f"'{name_of(path)}' is listed in structure.oebin, but is not there")
        return None
    found = {
        name: open_npy(file, complaints, dimensions=2 if name == "full_words" else 1)
        for name in _ARRAYS
        if (file := path / f"{name}.npy").is_file()
    }
    values = (
        found.get("text") if kind == "text" else found.get("states", found.get("channel_states"))
    )
    numbers, seconds = found.get("sample_numbers"), found.get("timestamps")
    if numbers is None and seconds is not None and not seconds.is_seconds:
        numbers, seconds = seconds, found.get("synchronized_timestamps")
    if numbers is None or values is None or numbers.dtype.kind not in "iu":
        lacks = "sample numbers" if values is not None else "states"
        lacks = "text" if values is None and kind == "text" else lacks
        complaints(f"'{name_of(path)}' has no {lacks}", hint="--salvage leaves these events out")
        return None
    if kind == "ttl" and values.dtype.kind not in "iu":
        raise complaints.damaged(f"'{name_of(values.path)}' holds {values.dtype}, not TTL lines")
    seconds = seconds if seconds is not None and seconds.is_seconds else None
    words = found.get("full_words")
    if words is not None and (words.dtype.kind not in "iu" or math.prod(words.shape[1:]) > 8):
        complaints.note(f"'{name_of(words.path)}' is left out: no words of at most 64 lines")
        words = None
    folder = Folder(path, numbers, seconds, values, words)
    sizes = {n.path.name: n.rows for n in (numbers, seconds, values, folder.words) if n is not None}
    if len(set(sizes.values())) > 1:
        said = ", ".join(f"{n} in {name}" for name, n in sizes.items())
        complaints(
            f"'{name_of(path)}' holds unequal numbers of events: {said}",
            hint=f"--salvage reads the first {folder.rows}",
        )
    return folder


@dataclass(kw_only=True)
class _Events(Table):
    """Events of one folder name through the recordings of an experiment.

    Parameters
    ----------
    folders : tuple of Folder
        In order.
    zero : float or int
        Subtracted from seconds, or from sample numbers.
    synchronised : bool
    """

    folders: tuple[Folder, ...]
    zero: float = 0.0
    synchronised: bool = False
    columns: tuple[Column, ...] = field(default=())

    def _times(self) -> AnyArray:
        if self.synchronised:
            parts = [f.seconds.read(0, f.rows) for f in self.folders if f.seconds is not None]
            return np.concatenate(parts).astype(np.float64) - float(self.zero)
        parts = [f.numbers.read(0, f.rows) for f in self.folders]
        return np.concatenate(parts).astype(np.int64) - int(self.zero)


@dataclass(kw_only=True)
class Lines(_Events):
    """Changes of TTL lines."""

    def read(self) -> dict[str, AnyArray]:
        """timestamp, duration (until the line changes again), line, value, full_word."""
        times = self._times()
        states = np.concatenate([f.values.read(0, f.rows) for f in self.folders]).astype(np.int64)
        recording = np.repeat(np.arange(len(self.folders)), [f.rows for f in self.folders])
        found = {
            "timestamp": times,
            "duration": _durations(times, np.abs(states), recording),
            "line": np.array([f"TTL{n}" for n in np.abs(states)], dtype=object),
            "value": (states > 0).astype(np.uint8),
        }
        if all(f.words is not None for f in self.folders):
            words = [_joined(f.words.read(0, f.rows)) for f in self.folders if f.words is not None]
            found["full_word"] = np.concatenate(words)
        return {c.name: found[c.name] for c in self.columns}


@dataclass(kw_only=True)
class Messages(_Events):
    """Texts that were broadcast while recording."""

    def read(self) -> dict[str, AnyArray]:
        """timestamp, message."""
        texts = [t for f in self.folders for t in f.values.read(0, f.rows).tolist()]
        said = [text_of(t) if isinstance(t, bytes) else str(t) for t in texts]
        return {"timestamp": self._times(), "message": np.array(said, dtype=object)}


def _joined(words: AnyArray) -> AnyArray:
    """Words as 64-bit numbers; before 0.6 they are rows of bytes, lowest lines first."""
    wide = words.astype(np.uint64)
    if wide.ndim == 1:
        return wide
    shifts = np.arange(wide.shape[1], dtype=np.uint64) * np.uint64(8)
    joined: AnyArray = np.bitwise_or.reduce(wide << shifts, axis=1)
    return joined


def _durations(times: AnyArray, lines: Ints, recording: Ints) -> AnyArray:
    """Time until the same line changes again in the same recording; -1 or NaN where not."""
    unknown = np.nan if times.dtype.kind == "f" else -1
    found = np.full(times.shape, unknown, times.dtype)
    for line in np.unique(lines):
        mine = np.flatnonzero(lines == line)
        steps = np.diff(times[mine])
        known = (recording[mine[1:]] == recording[mine[:-1]]) & (steps >= 0)
        found[mine[:-1]] = np.where(known, steps, unknown)
    return found


def line_columns(synchronised: bool, words: bool) -> tuple[Column, ...]:
    """The columns of a table of TTL changes."""
    unit = "seconds" if synchronised else "samples"
    found = [
        Column("timestamp", "timestamp", unit, "when the line changed"),
        Column(
            "duration",
            "duration",
            unit,
            "how long the line kept this level; unknown where the recording ends first",
        ),
        Column("line", "label", "", "which TTL line changed"),
        Column("value", "value", "", "level after the change", {0: "off", 1: "on"}),
    ]
    if words:
        found.append(Column("full_word", "value", "", "state of all TTL lines after the change"))
    return tuple(found)


def message_columns(synchronised: bool) -> tuple[Column, ...]:
    """The columns of a table of messages."""
    unit = "seconds" if synchronised else "samples"
    return (
        Column("timestamp", "timestamp", unit, "when the message was broadcast"),
        Column("message", "label", "", "text of the message"),
    )


def all_timed(folders: Sequence[Folder]) -> bool:
    """Whether every event has a synchronised time."""
    return all(
        f.seconds is not None and not (f.seconds.read(0, f.rows) == -1).any() for f in folders
    )
