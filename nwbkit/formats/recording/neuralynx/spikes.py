"""Spike files (.nse, .nst, .ntt): each cell of each electrode is a unit, cell 0 is unsorted."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from nwbkit.formats.recording.neuralynx.channels import electrode_of, gain_of
from nwbkit.formats.recording.neuralynx.files import WIRES, Complaints, NlxFile, check_times
from nwbkit.formats.recording.neuralynx.look import kind_of
from nwbkit.streams import Column, Electrode, Ragged, Table
from nwbkit.streams.kinds import AnyArray

_RESTART = re.compile(r"_\d{4}$")
_TYPES = {".nse": "single electrode", ".nst": "stereotrode", ".ntt": "tetrode"}


@dataclass(eq=False)
class Trode:
    """One spike entity: its files, and time and cell of each spike in file order."""

    name: str
    files: tuple[NlxFile, ...]
    times: npt.NDArray[np.int64]
    cells: npt.NDArray[np.int64]

    @cached_property
    def by_cell(self) -> dict[int, npt.NDArray[np.int64]]:
        """Timestamps of each cell's spikes, ascending."""
        order = np.lexsort((self.times, self.cells))
        cells, starts = np.unique(self.cells[order], return_index=True)
        parts = np.split(self.times[order], starts[1:])
        return dict(zip(cells.tolist(), parts, strict=True))

    def check_gains(self, source: str) -> None:
        """Raise what :func:`gain_of` raises where a header speaks of volts a count at all."""
        for file in self.files:
            if file.header.text("ADBitVolts"):
                gain_of(file, source, None, self.wires)

    @property
    def wires(self) -> int:
        """Electrodes of a waveform."""
        return WIRES[kind_of(self.files[0].path)]

    @property
    def electrodes(self) -> tuple[Electrode, ...]:
        """One a wire, where the header names them all."""
        numbers = self.files[0].header.text("ADChannel").split()
        if len(numbers) != self.wires:
            return ()
        return tuple(electrode_of(self.files[0], n) for n in numbers)


def trodes_of(files: Sequence[NlxFile], complaints: Complaints) -> list[Trode]:
    """Spike entities that have a spike; a restart's file continues its entity's."""
    groups: dict[tuple[str, str], list[NlxFile]] = {}
    for file in files:
        if not file.n:
            complaints.note(f"'{file.path.name}' holds no spike")
            continue
        stem = _RESTART.sub("", file.path.stem).lower()
        groups.setdefault((file.name, stem + kind_of(file.path)), []).append(file)
    found: list[Trode] = []
    for (name, _), members in groups.items():
        if any(t.name == name for t in found):
            name = members[0].path.stem
        heads = [_heads(f) for f in members]
        times = np.concatenate([t for t, _ in heads])
        cells = np.concatenate([c for _, c in heads])
        found.append(Trode(name, tuple(members), times, cells))
    return found


def _heads(file: NlxFile) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    times, cells = [], []
    for _, block in file.blocks():
        check_times(file.path.name, block["time"])
        times.append(block["time"].astype(np.int64))
        cells.append(block["cell"].astype(np.int64))
    return np.concatenate(times), np.concatenate(cells)


@dataclass(frozen=True)
class Mean:
    """Mean waveforms as the writer of units takes them."""

    data: npt.NDArray[np.float32]
    unit: str = "volts"
    description: str = "mean of the unit's waveforms in the spike file, on each of its electrodes"


@dataclass(kw_only=True, eq=False)
class Cells(Ragged):
    """Units of all spike files; values are seconds on the clock.

    Parameters
    ----------
    cells : tuple of (Trode, int)
        The entity and cell number of each unit, in order.
    zero : int
        Timestamp of the clock's zero, microseconds.
    stop_us : int, optional
        Spikes at and after this timestamp are left out.
    """

    cells: tuple[tuple[Trode, int], ...]
    zero: int
    stop_us: int | None = None
    unit_electrodes: tuple[tuple[Electrode, ...], ...] | None = field(default=None)

    def times(self, unit: int) -> npt.NDArray[np.int64]:
        """Timestamps of a unit's spikes, ascending."""
        trode, cell = self.cells[unit]
        times = trode.by_cell[cell]
        return times if self.stop_us is None else times[times < self.stop_us]

    def counts(self) -> npt.NDArray[np.int64]:
        """Spikes of each unit."""
        return np.array([len(self.times(k)) for k in range(len(self.cells))], np.int64)

    def read(self, start: int, stop: int) -> AnyArray:
        """Times of the units ``start..stop`` in seconds."""
        parts = [np.empty(0, np.int64), *(self.times(k) for k in range(start, stop))]
        return (np.concatenate(parts) - self.zero) / 1e6

    def before(self, seconds: float) -> Ragged:
        """The same units with the spikes before `seconds` only."""
        return replace(self, stop_us=self.zero + int(np.ceil(seconds * 1e6)))

    def waveforms(self, *, sparse: bool) -> Mean | None:
        """Mean waveforms in volts; None where lengths differ or no scale is known."""
        trodes = list(dict.fromkeys(id(t) for t, _ in self.cells))
        lengths = {t.files[0].dtype["samples"].shape[0] for t, _ in self.cells}
        scaled = all(f.header.numbers("ADBitVolts") for t, _ in self.cells for f in t.files)
        if len(lengths) != 1 or not scaled or not trodes or self.stop_us is not None:
            return None
        wires = max(t.wires for t, _ in self.cells)
        mean = np.full((len(self.cells), lengths.pop(), wires), np.nan, np.float32)
        for key in trodes:
            trode = next(t for t, _ in self.cells if id(t) == key)
            sums, counts = _sums(trode)
            for k, (other, cell) in enumerate(self.cells):
                if other is trode:
                    mean[k, :, : trode.wires] = sums[cell] / counts[cell]
        return Mean(mean)


def _sums(trode: Trode) -> tuple[dict[int, Any], dict[int, int]]:
    """Sum in volts, and number, of each cell's waveforms."""
    sums: dict[int, Any] = {}
    counts: dict[int, int] = {}
    for file in trode.files:
        gain = gain_of(file, "", None, trode.wires)
        for _, block in file.blocks():
            for cell in np.unique(block["cell"]).tolist():
                mine = block["samples"][block["cell"] == cell]
                volts = mine.sum(axis=0, dtype=np.int64) * gain
                sums[cell] = sums.get(cell, 0.0) + volts
                counts[cell] = counts.get(cell, 0) + len(mine)
    return sums, counts


@dataclass(kw_only=True, eq=False)
class Properties(Table):
    """What is known of each unit."""

    cells: tuple[tuple[Trode, int], ...]

    def read(self) -> dict[str, AnyArray]:
        """One row a unit."""
        kinds = [_TYPES[kind_of(t.files[0].path)] for t, _ in self.cells]
        sorted_ = ["classified" if cell else "unclassified" for _, cell in self.cells]
        return {
            "acquisition_entity": np.array([t.name for t, _ in self.cells], dtype=object),
            "electrode_type": np.array(kinds, dtype=object),
            "cell_number": np.array([cell for _, cell in self.cells], np.int64),
            "classification": np.array(sorted_, dtype=object),
        }


_COLUMNS = (
    Column("acquisition_entity", "label", "", "name of the electrode that the spikes are of"),
    Column("electrode_type", "label", "", "single electrode, stereotrode or tetrode"),
    Column("cell_number", "id", "", "number of the cell in the spike file; 0 is unclassified"),
    Column("classification", "label", "", "whether the spikes were classified as of a cell"),
)


def unit_name(trode: Trode, cell: int) -> str:
    """``TT3_1``: the entity and the cell's number."""
    return f"{trode.name}_{cell}"


def cells_stream(trodes: Sequence[Trode], timebase: Any, zero: int) -> Cells:
    """The units of all entities, as one stream."""
    pairs = [(t, cell) for t in trodes for cell in t.by_cell]
    pairs.sort(key=lambda p: unit_name(*p))
    ids = tuple(unit_name(*p) for p in pairs)
    electrodes = tuple(t.electrodes for t, _ in pairs)
    return Cells(
        id="units",
        name="spikes",
        role="units",
        timebase=timebase,
        description="cells of Neuralynx spike files; the spikes of a cell 0 are unclassified",
        ids=ids,
        dtype=np.dtype("<f8"),
        unit="seconds",
        cells=tuple(pairs),
        zero=zero,
        unit_electrodes=electrodes if all(electrodes) else None,
        properties=Properties(
            id="units.properties",
            name="cells",
            role="properties",
            columns=_COLUMNS,
            cells=tuple(pairs),
        ),
    )
