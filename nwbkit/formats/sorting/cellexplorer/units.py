"""Spikes and properties of units, as the structs ``spikes`` and ``cell_metrics`` hold them.

Source: cellexplorer.org, "Data structure and format": ``times`` are seconds from the beginning
of the .dat file, ``ts`` the same in samples, ``maxWaveformCh1`` counts channels from 1,
``filtWaveform`` is in microvolts, ``timeWaveform`` in milliseconds. buzcode calls the rate
``samplingRate``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from nwbkit.errors import DamagedInput
from nwbkit.formats.io.mat import MatFile, number, texts, vector
from nwbkit.streams.kinds import AnyArray

Complain = Callable[[str, str], None]
Floats = npt.NDArray[np.float64]
#: ``times`` times the rate may be so far from ``ts``, in samples.
_OFF = 0.01
#: Fields that are no property of a unit, or are read elsewhere.
_NOT_PROPERTIES = frozenset((
    "UID", "times", "ts", "ids", "spindices", "numcells", "sr", "samplingRate", "basename",
    "sessionName", "total", "spikeCount", "processinginfo", "spikes", "general", "acg", "isi",
    "waveforms", "filtWaveform", "rawWaveform", "timeWaveform", "filtWaveform_std",
    "rawWaveform_std", "batchIDs", "cellID", "animal", "animal_geneticLine", "animal_sex",
    "animal_species", "animal_strain", "session_investigator", "session_sessionType",
    "session_spikeSortingMethod", "amplitudes", "peakVoltage_sorted",
))  # fmt: skip
#: Columns of NWB's own that a field may not be called as.
_TAKEN = frozenset(
    (
        "id",
        "unit_name",
        "spike_times",
        "obs_intervals",
        "electrodes",
        "electrode_group",
        "waveform_mean",
        "waveform_sd",
        "waveforms",
    )
)


@dataclass(frozen=True)
class Units:
    """All units.

    Parameters
    ----------
    ids : tuple of str
    times : list of numpy.ndarray
        Per unit: int64 samples or float64 seconds.
    in_samples : bool
    rate : float, optional
        Hz.
    properties : dict of str to numpy.ndarray
        By column; texts as objects.
    channels : numpy.ndarray, shape (units,), optional
        Channel of the largest waveform, from 0.
    waveforms : numpy.ndarray, shape (units, samples, 1), optional
        float32 volts.
    """

    ids: tuple[str, ...]
    times: list[AnyArray]
    in_samples: bool
    rate: float | None
    properties: dict[str, AnyArray] = field(default_factory=dict)
    channels: npt.NDArray[np.int64] | None = None
    waveforms: npt.NDArray[np.float32] | None = None


def read_units(
    file: MatFile,
    variable: str,
    metrics: MatFile | None,
    rate: float | None,
    complain: Complain,
    notes: list[str],
) -> Units | None:
    """The units of ``spikes``, or of ``cell_metrics`` alone; None where there is none.

    Parameters
    ----------
    file : MatFile
    variable : {"spikes", "cell_metrics"}
    metrics : MatFile, optional
        Where ``cell_metrics`` lies beside ``spikes``.
    rate : float, optional
        Where neither says one.
    complain : callable
    notes : list of str

    Raises
    ------
    nwbkit.errors.DamagedInput
    """
    name = file.path.name
    if variable not in file.names():
        raise DamagedInput(f"'{name}' holds no variable '{variable}'")
    inner = f"{variable}/spikes/times" if variable == "cell_metrics" else f"{variable}/times"
    seconds = _trains(file.get(inner))
    if seconds is None:
        raise DamagedInput(f"'{name}': {inner.replace('/', '.')} is no cell of spike times")
    if not seconds:
        return None
    own = number(file.get(f"{variable}/sr")) or number(file.get(f"{variable}/samplingRate"))
    rate = own or rate
    numbers = vector(file.get(f"{variable}/UID"))
    if numbers is None:
        notes.append(f"'{name}' names no UID: units are numbered in its order, from 1")
        numbers = np.arange(1, len(seconds) + 1)
    ids = _ids(numbers, len(seconds), name)
    _check_counts(file, variable, seconds, complain)
    seconds = _checked(seconds, ids, name, complain)
    samples = _samples(file, variable, seconds, rate, complain)
    properties = _properties(file, variable, ids, None, notes)
    if metrics is not None:
        described = _metrics(metrics, ids, notes)
        properties |= {k: v for k, v in described.items() if k not in properties}
    return Units(
        ids,
        seconds if samples is None else samples,
        samples is not None,
        rate,
        properties,
        _channels(properties, len(ids)),
        _waveforms(file, variable, len(ids), rate, notes),
    )


def _trains(value: Any) -> list[Floats] | None:
    if isinstance(value, np.ndarray):  # one unit, or none
        if not value.size:
            return []
        value = [value]
    if not isinstance(value, list):
        return None
    found = []
    for each in value:
        train = vector(each) if isinstance(each, np.ndarray) else None
        if train is None:
            return None
        found.append(train.astype(np.float64))
    return found


def _ids(numbers: AnyArray, n: int, name: str) -> tuple[str, ...]:
    whole = numbers.astype(np.int64)
    if len(numbers) != n:
        raise DamagedInput(f"'{name}' holds spike times of {n} units and {len(numbers)} UIDs")
    if not np.array_equal(whole, numbers) or len(np.unique(whole)) != n:
        raise DamagedInput(f"the UIDs of '{name}' are no distinct whole numbers")
    return tuple(str(i) for i in whole.tolist())


def _check_counts(
    file: MatFile, variable: str, seconds: Sequence[Floats], complain: Complain
) -> None:
    """Hold what the file counted against the spikes that are there."""
    for name, found in (("numcells", [len(seconds)]), ("total", [len(s) for s in seconds])):
        said = vector(file.get(f"{variable}/{name}"))
        if said is None or not said.size:
            continue
        if len(said) != len(found) or (said != found).any():
            k = next((k for k, (a, b) in enumerate(zip(said, found, strict=False)) if a != b), 0)
            complain(
                f"'{file.path.name}' says {variable}.{name} {said[k]:.12g}, "
                f"{variable}.times holds {found[min(k, len(found) - 1)]}",
                f"--salvage believes {variable}.times",
            )


def _checked(
    seconds: list[Floats], ids: Sequence[str], name: str, complain: Complain
) -> list[Floats]:
    """Times that are numbers, not negative, and in order."""
    kept = []
    for unit, times in zip(ids, seconds, strict=True):
        wrong = ~(times >= 0) | ~np.isfinite(times)
        if wrong.any():
            complain(
                f"'{name}': unit {unit} has {int(wrong.sum())} spike times that are negative or no "
                f"numbers, the first {times[wrong][0]}",
                "--salvage leaves these spikes out",
            )
            times = times[~wrong]
        if (np.diff(times) < 0).any():
            complain(
                f"'{name}': the spike times of unit {unit} are not in order",
                "--salvage sorts them",
            )
            times = np.sort(times)
        kept.append(times)
    return kept


def _samples(
    file: MatFile, variable: str, seconds: Sequence[Floats], rate: float | None, complain: Complain
) -> list[AnyArray] | None:
    """``ts`` as samples, where they are those of ``times``; None where there are none."""
    value = file.get(f"{variable}/ts") if variable == "spikes" else None
    trains = _trains(value) if value is not None else None
    if not trains or rate is None:
        return None
    for k, (ts, times) in enumerate(zip(trains, seconds, strict=False)):
        if (
            len(ts) != len(times)
            or (np.abs(times * rate - ts) > _OFF).any()
            or bool((ts % 1).any())
        ):
            complain(
                f"'{file.path.name}': spikes.ts of unit number {k + 1} are not spikes.times at "
                f"{rate:.12g} Hz",
                "--salvage believes spikes.times",
            )
            return None
    if len(trains) != len(seconds):
        complain(
            f"'{file.path.name}': spikes.ts has {len(trains)} units, spikes.times {len(seconds)}",
            "--salvage believes spikes.times",
        )
        return None
    return [ts.astype(np.int64) for ts in trains]


# ------------------------------------------------------------------ properties


def _properties(
    file: MatFile, variable: str, ids: Sequence[str], order: Sequence[int] | None, notes: list[str]
) -> dict[str, AnyArray]:
    """Numbers and labels that a struct holds one of a unit; what else it holds is noted."""
    found: dict[str, AnyArray] = {}
    left = []
    n = len(ids) if order is None else len(order)
    for name in file.fields(variable):
        if name in _NOT_PROPERTIES or name in _TAKEN or name.endswith("_all"):
            continue
        column = _column(file.get(f"{variable}/{name}"), n)
        if column is None:
            left.append(name)
        elif column.size:
            found[name] = column
    if left:
        notes.append(
            f"{variable} holds more than a number or label a unit in {', '.join(left)}: left out"
        )
    return found


def _column(value: Any, n: int) -> AnyArray | None:
    """A column of `n` values; empty for what is empty; None for anything else."""
    if isinstance(value, str):
        return np.empty(0) if not value else None
    if isinstance(value, dict | list) and not value:
        return np.empty(0)
    numbers = vector(value)
    if numbers is not None:
        return numbers if len(numbers) == n else np.empty(0) if not len(numbers) else None
    labels = texts(value) if isinstance(value, list) else None
    if labels is None or len(labels) != n:
        return None
    return np.array(labels, object)


def _metrics(file: MatFile, ids: Sequence[str], notes: list[str]) -> dict[str, AnyArray]:
    """The properties of ``cell_metrics``, in the order of the units."""
    numbers = vector(file.get("cell_metrics/UID"))
    if numbers is None:
        notes.append(f"'{file.path.name}' names no UID: its metrics are left out")
        return {}
    known = {str(int(u)): k for k, u in enumerate(numbers.tolist())}
    missing = [i for i in ids if i not in known]
    if missing:
        notes.append(
            f"'{file.path.name}' has no metrics of {len(missing)} units: " + ", ".join(missing[:10])
        )
    order = [known.get(i, -1) for i in ids]
    columns = _properties(file, "cell_metrics", ids, range(len(numbers)), notes)
    return {name: _picked(values, order) for name, values in columns.items()}


def _picked(values: AnyArray, order: Sequence[int]) -> AnyArray:
    if -1 not in order:
        return values[list(order)]
    if values.dtype == object:
        return np.array([values[k] if k >= 0 else "" for k in order], object)
    return np.array([float(values[k]) if k >= 0 else np.nan for k in order])


def _channels(properties: dict[str, AnyArray], n: int) -> npt.NDArray[np.int64] | None:
    for name, first in (("maxWaveformCh1", 1), ("maxWaveformCh", 0)):
        values = properties.get(name)
        if values is not None and len(values) == n and values.dtype.kind in "iuf":
            if not np.isfinite(values).all() or (values % 1).any():
                return None
            return values.astype(np.int64) - first
    return None


def _waveforms(
    file: MatFile, variable: str, n: int, rate: float | None, notes: list[str]
) -> npt.NDArray[np.float32] | None:
    """Mean filtered waveforms on the largest channel, in volts."""
    place = {
        "spikes": ("filtWaveform", "timeWaveform"),
        "cell_metrics": ("waveforms/filt", "waveforms/time"),
    }
    shapes, times = (file.get(f"{variable}/{name}") for name in place[variable])
    if not isinstance(shapes, list) or len(shapes) != n or rate is None:
        return None
    found = [vector(each) if isinstance(each, np.ndarray) else None for each in shapes]
    lengths = {None if each is None else each.size for each in found}
    clock = vector(times[0] if isinstance(times, list) and times else times)
    regular = (
        clock is None or clock.size < 2 or abs(np.diff(clock) * rate - 1000).max() < 1e-3 * rate
    )
    if None in lengths or len(lengths) != 1 or 0 in lengths or not regular:
        notes.append("mean waveforms differ in length or are not at the recording's rate: left out")
        return None
    return (np.stack([each for each in found if each is not None]) * 1e-6).astype(np.float32)[
        :, :, None
    ]
