"""Events (.nev): the state of the digital port, and what was typed or noted, as a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from nwbkit.formats.recording.neuralynx.files import Complaints, NlxFile, check_times
from nwbkit.streams import Column, Table
from nwbkit.streams.kinds import AnyArray

COLUMNS = (
    Column("timestamp", "timestamp", "seconds", "time at which the event was registered"),
    Column("ttl", "value", "", "the 16 bits of the digital port as the record holds them"),
    Column("event_id", "id", "", "id of the kind of event as Neuralynx numbers them"),
    Column("label", "label", "", "text of the event"),
)


def read_events(file: NlxFile, complaints: Complaints) -> np.ndarray[Any, Any]:
    """All records, in order of their timestamps; those of one time stay as they were.

    Events of several sources are written as they come in, and may so be out of order.
    """
    rows = file.read(0, file.n)
    check_times(file.path.name, rows["time"])
    name = file.path.name
    if (np.diff(rows["time"].astype(np.int64)) < 0).any():
        complaints.note(f"events in '{name}' are not in order of time, and have been sorted")
        rows = rows[np.argsort(rows["time"], kind="stable")]
    if rows["extra"].any():
        complaints.note(f"the extra bits of events in '{name}' are not converted")
    return rows


@dataclass(kw_only=True, eq=False)
class Events(Table):
    """The events of one file.

    Parameters
    ----------
    rows : numpy.ndarray
        As :func:`read_events` gives them.
    zero : int
        Timestamp of the clock's zero, microseconds.
    """

    rows: np.ndarray[Any, Any]
    zero: int

    def read(self) -> dict[str, AnyArray]:
        """All events."""
        return {
            "timestamp": (self.rows["time"].astype(np.int64) - self.zero) / 1e6,
            "ttl": self.rows["ttl"].astype(np.uint16),
            "event_id": self.rows["id"].astype(np.int16),
            "label": np.array([text_of(t) for t in self.rows["text"].tolist()], dtype=object),
        }


def text_of(raw: bytes) -> str:
    """An event's text: up to the first zero, Latin-1 where it is not UTF-8."""
    raw = raw.split(b"\0", 1)[0]
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    # HDF5 and JSON take no control characters
    return "".join(c if c.isprintable() else " " for c in text).strip()
