"""Sorted spikes in .spikes files; snippets that nobody sorted are not units.

A spike has 42 bytes, channels * samples uint16, a float32 gain and a uint16 threshold a channel,
and a uint16 recording number (version 0.4 and later).
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nwbkit.formats.io.complaints import Complaints
from nwbkit.formats.recording.openephys_legacy.look import HEADER
from nwbkit.formats.recording.openephys_legacy.records import number_in, read_fields
from nwbkit.streams import Column, Ragged, Table
from nwbkit.streams.kinds import AnyArray

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class SpikeFile:
    """A .spikes file: sample number, sorted id and recording of each spike."""

    path: Path
    electrode: str
    rate: float | None
    ticks: Ints
    sorted_ids: Ints
    recordings: Ints


def spike_dtype(channels: int, samples: int) -> np.dtype[Any]:
    """A spike of that many channels and samples."""
    return np.dtype(
        [
            ("type", "u1"),
            ("tick", "<i8"),
            ("software", "<i8"),
            ("source", "<u2"),
            ("channels", "<u2"),
            ("samples", "<u2"),
            ("sorted", "<u2"),
            ("electrode", "<u2"),
            ("channel", "<u2"),
            ("color", "u1", (3,)),
            ("pc", "<f4", (2,)),
            ("rate", "<u2"),
            ("waveform", "<u2", (channels * samples,)),
            ("gain", "<f4", (channels,)),
            ("threshold", "<u2", (channels,)),
            ("recording", "<u2"),
        ]
    )


def open_spikes(path: Path, complaints: Complaints) -> SpikeFile | None:
    """Read a .spikes file; None where it holds none, or is of a version that is not known."""
    said = read_fields(path)
    size = os.path.getsize(path) - HEADER
    if size <= 0:
        return None
    raw = np.fromfile(path, "u1", count=min(size, 23), offset=HEADER)
    channels, samples = raw[19:23].view("<u2").tolist() if len(raw) == 23 else (0, 0)
    version = number_in(said, "version")
    if not channels or not samples or (version is not None and version < 0.4):
        complaints.note(f"'{path.name}' is of an older version: its spikes are not converted")
        return None
    dtype = spike_dtype(channels, samples)
    n, rest = divmod(size, dtype.itemsize)
    if rest:
        complaints(
            f"'{path.name}' ends inside a spike: {rest} bytes after spike {n} of {dtype.itemsize}",
            f"reads the {n} complete ones",
        )
    rows = np.fromfile(path, dtype, count=n, offset=HEADER)
    odd = np.flatnonzero((rows["channels"] != channels) | (rows["samples"] != samples))
    if odd.size:
        k = int(odd[0])
        complaints(
            f"'{path.name}' says {rows['channels'][k]} channels of {rows['samples'][k]} samples "
            f"of spike {k}, expected {channels} of {samples}",
            f"reads the {k} before it",
        )
        rows = rows[:k]
    return SpikeFile(
        path,
        said.get("electrode", path.stem),
        number_in(said, "sampleRate"),
        rows["tick"].astype(np.int64),
        rows["sorted"].astype(np.int64),
        rows["recording"].astype(np.int64),
    )


@dataclass(kw_only=True)
class UnitFacts(Table):
    """Electrode and sorted id of each unit."""

    values: dict[str, AnyArray]

    def read(self) -> dict[str, AnyArray]:
        """Every column."""
        return dict(self.values)


@dataclass(kw_only=True)
class LegacyUnits(Ragged):
    """Spike times of sorted units, in samples from the clock's first."""

    times: tuple[Ints, ...]

    def counts(self) -> Ints:
        """Number of spikes of each unit."""
        return np.array([len(t) for t in self.times], np.int64)

    def read(self, start: int, stop: int) -> AnyArray:
        """Samples of the units ``start..stop``, joined in order."""
        return np.concatenate([np.empty(0, np.int64), *self.times[start:stop]])

    def before(self, seconds: float) -> LegacyUnits:
        """The same units with the spikes before `seconds` on the clock alone."""
        timebase = self.timebase
        assert timebase is not None
        return replace(self, times=tuple(t[timebase.time_of(t) < seconds] for t in self.times))


PROPERTIES = (
    Column("electrode", "property", "", "name of the electrode"),
    Column("sorted_id", "property", "", "number of the unit on its electrode; 0 is unsorted"),
)
