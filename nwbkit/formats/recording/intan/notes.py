"""notes.txt: what the user typed while RHX was recording."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nwbkit.streams import Column, Table, Timebase
from nwbkit.streams.kinds import AnyArray

_LINE = re.compile(r"\s*(\d{1,18}), \d\d:\d\d:\d\d, (.*)")
_MAX = 16 << 20


@dataclass(kw_only=True)
class Notes(Table):
    """Notes with the number of samples that had been recorded."""

    rows: list[tuple[int, str]]

    def read(self) -> dict[str, AnyArray]:
        """``timestamp`` (samples) and ``text``."""
        return {
            "timestamp": np.array([at for at, _ in self.rows], np.int64),
            "text": np.array([text for _, text in self.rows], object),
        }


def live_notes(path: Path, timebase: Timebase, notes: list[str]) -> Iterator[Notes]:
    """The table of live notes; none where there are none."""
    try:
        with open(path, "rb") as f:
            text = f.read(_MAX).decode("utf-8", "replace")
    except OSError:
        notes.append(f"'{path.name}' cannot be read: its notes are left out")
        return
    found = [
        (int(m[1]), m[2].strip()) for line in text.splitlines() if (m := _LINE.fullmatch(line))
    ]
    late = sum(at > timebase.n_samples for at, _ in found)
    if late:
        notes.append(f"'{path.name}': {late} notes lie behind the end of the recording, left out")
    found = sorted((at, text) for at, text in found if at <= timebase.n_samples)
    if found:
        yield Notes(
            id="notes",
            name="notes",
            role="events",
            timebase=timebase,
            nwb_name="EventsLiveNotes",
            description="notes that were typed during the recording",
            columns=(
                Column("timestamp", "timestamp", "samples", "when the note was entered"),
                Column("text", "label", "", "the note"),
            ),
            rows=found,
        )
