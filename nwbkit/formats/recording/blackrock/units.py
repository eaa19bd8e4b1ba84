"""Spikes that were found and classified while recording, or in a later sorting (nev)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from nwbkit.formats.recording.blackrock.headers import NevHeader, old_label
from nwbkit.formats.recording.blackrock.nev import NevFile, pieces, wave_type
from nwbkit.formats.recording.blackrock.streams import nv_per_count
from nwbkit.streams import Column, Electrode, Ragged, Table, Timebase
from nwbkit.streams.kinds import AnyArray

Ints = npt.NDArray[np.int64]
_NOISE = 255
_COLUMNS = (
    Column("electrode_id", "property", "", "number of the electrode"),
    Column("label", "property", "", "label of the electrode"),
    Column("unit_class", "property", "", "0 unclassified, 1 to 16 sorted, 255 noise"),
    Column("classification", "property", "", "unclassified, sorted, noise or reserved"),
    Column("high_threshold", "property", "", "high amplitude threshold as in NEUEVWAV"),
    Column("low_threshold", "property", "", "low amplitude threshold as in NEUEVWAV"),
)


def class_name(number: int) -> str:
    """What the specification calls a unit class."""
    if number == 0:
        return "unclassified"
    if number == _NOISE:
        return "noise"
    return "sorted" if number <= 16 else "reserved"


def label_of(header: NevHeader, electrode: int) -> str:
    """Label of an electrode: its own, else what Central calls one without."""
    return header.labels.get(electrode) or old_label(electrode)


@dataclass(frozen=True)
class MeanWaveforms:
    """Mean waveforms, float32 of shape (units, samples, 1)."""

    data: npt.NDArray[np.float32]
    unit: str = "volts"
    description: str = "mean of the waveforms that the nev holds of the unit"


@dataclass(kw_only=True)
class UnitFacts(Table):
    """What the nev says of each unit, in the order of the units."""

    values: dict[str, AnyArray]

    def read(self) -> dict[str, AnyArray]:
        """Every column."""
        return dict(self.values)


@dataclass(kw_only=True)
class NevUnits(Ragged):
    """Spike times of (electrode, class) in ticks of the clock.

    Parameters
    ----------
    file : NevFile
    keys : tuple of (int, int)
        Electrode and class of each unit.
    times : tuple of arrays of int64
        Ticks from the clock's zero, ascending as in the file.
    unit_electrodes : tuple, optional
        The electrode of each unit, where a stream recorded it.
    with_waveforms : bool
    """

    file: NevFile
    keys: tuple[tuple[int, int], ...]
    times: tuple[Ints, ...]
    unit_electrodes: tuple[tuple[Electrode, ...], ...] | None = None
    observed: tuple[int, int] | None = None
    with_waveforms: bool = True
    _waveforms: MeanWaveforms | None = field(default=None, repr=False)

    def counts(self) -> Ints:
        """Number of spikes of each unit."""
        return np.array([len(t) for t in self.times], np.int64)

    def read(self, start: int, stop: int) -> AnyArray:
        """Ticks of the units ``start..stop``, joined in order."""
        return np.concatenate([np.empty(0, np.int64), *self.times[start:stop]])

    def before(self, seconds: float) -> NevUnits:
        """The same units with the spikes before `seconds` on the clock alone."""
        assert self.timebase is not None and self.timebase.rate is not None
        stop = seconds * self.timebase.rate
        observed = self.observed
        if observed is not None:
            observed = (observed[0], max(observed[0], min(observed[1], int(stop))))
        return replace(self, times=tuple(t[t < stop] for t in self.times), observed=observed)

    def waveforms(self, *, sparse: bool) -> MeanWaveforms | None:
        """Mean waveforms in volts, over all spikes in the file."""
        if not self.with_waveforms or not self.keys:
            return None
        if self._waveforms is None:
            self._waveforms = mean_waveforms(self.file, self.keys)
        return self._waveforms


def unit_id(electrode: int, number: int) -> str:
    """``ch12#3``, as neo calls it."""
    return f"ch{electrode}#{number}"


def units_of(
    file: NevFile, placed: Ints, timebase: Timebase, electrodes: dict[str, Electrode]
) -> NevUnits | None:
    """The units of a nev file; None where it holds no spike.

    Parameters
    ----------
    placed : array of int64
        Ticks of every packet from the clock's zero.
    electrodes : dict of str to Electrode
        By the electrode's number, of streams that recorded them.
    """
    spikes = file.spikes()
    if not len(spikes):
        return None
    codes = file.ids[spikes].astype(np.int64) << 8 | file.codes[spikes]
    order = np.argsort(codes, kind="stable")
    found, starts = np.unique(codes[order], return_index=True)
    parts = np.split(placed[spikes][order], starts[1:])
    made = sorted(
        (unit_id(code >> 8, code & 255), (code >> 8, code & 255), np.sort(times))
        for code, times in zip(found.tolist(), parts, strict=True)
    )
    keys = tuple(key for _, key, _ in made)
    mine = [electrodes.get(str(e)) for e, _ in keys]
    known = tuple((e,) for e in mine if e is not None)
    return NevUnits(
        id="units",
        name="units",
        role="units",
        timebase=timebase,
        nwb_name="units",
        description=f"spikes by electrode and unit class in '{file.path.suffix[1:]}' file "
        "of the recording",
        ids=tuple(i for i, _, _ in made),
        dtype=np.dtype(np.int64),
        unit="samples",
        properties=_facts(file.header, keys),
        file=file,
        keys=keys,
        times=tuple(t for _, _, t in made),
        unit_electrodes=known if len(known) == len(keys) else None,
        with_waveforms=_has_waveforms(file),
        facts={"spikes": len(spikes)},
    )


def _has_waveforms(file: NevFile) -> bool:
    return file.header.wave_rate == file.header.resolution


def _facts(header: NevHeader, keys: tuple[tuple[int, int], ...]) -> UnitFacts:
    labels = [label_of(header, e) for e, _ in keys]
    values: dict[str, AnyArray] = {
        "electrode_id": np.array([e for e, _ in keys], np.int64),
        "label": np.array(labels, object),
        "unit_class": np.array([c for _, c in keys], np.int64),
        "classification": np.array([class_name(c) for _, c in keys], object),
    }
    said = [header.electrodes.get(e) for e, _ in keys]
    columns: tuple[Column, ...] = _COLUMNS[:4]
    if all(s is not None for s in said):
        columns = _COLUMNS
        values["high_threshold"] = np.array([s.high for s in said if s is not None], np.int64)
        values["low_threshold"] = np.array([s.low for s in said if s is not None], np.int64)
    return UnitFacts(
        id="units.facts", name="units", role="properties", columns=columns, values=values
    )


def widths(file: NevFile, electrode: int) -> int:
    """Samples of an electrode's waveforms: as its header says, else what a packet holds."""
    room = file.header.packet - file.body - 2
    held = room // wave_type(file.header, electrode).itemsize
    said = file.header.electrodes.get(electrode)
    return min(said.width, held) if said is not None and said.width else held


def mean_waveforms(file: NevFile, keys: tuple[tuple[int, int], ...]) -> MeanWaveforms | None:
    """The mean of each unit's waveforms in volts; NaN behind those that are shorter."""
    at = {key: i for i, key in enumerate(keys)}
    width = max(widths(file, e) for e, _ in keys)
    sums = np.zeros((len(keys), width), np.int64)
    counts = np.zeros(len(keys), np.int64)
    for first, raw in pieces(file.path, file.header, file.n):
        part = slice(first, first + len(raw))
        ids, codes = file.ids[part], file.codes[part]
        for electrode in np.unique(ids[(ids >= 1) & (ids <= 2048)]).tolist():
            mine = np.flatnonzero(ids == electrode)
            dtype, n = wave_type(file.header, electrode), widths(file, electrode)
            begin = file.body + 2
            flat = np.ascontiguousarray(raw[mine, begin : begin + n * dtype.itemsize])
            samples = flat.view(dtype).astype(np.int64)
            for number in np.unique(codes[mine]).tolist():
                chosen = codes[mine] == number
                unit = at[electrode, number]
                sums[unit, :n] += samples[chosen].sum(axis=0)
                counts[unit] += int(chosen.sum())
    volts = np.full((len(keys), width), np.nan)
    for i, (electrode, _) in enumerate(keys):
        said = file.header.electrodes.get(electrode)
        if said is None or not said.factor or not counts[i]:
            continue
        n = widths(file, electrode)
        volts[i, :n] = sums[i, :n] / counts[i] * nv_per_count(said.factor) * 1e-9
    if np.isnan(volts).all():
        return None
    return MeanWaveforms(volts[:, :, None].astype(np.float32))


def same_packets(one: NevFile, other: NevFile) -> bool:
    """Whether two nev files hold the same packets, classes of spikes aside."""
    return (
        one.n == other.n
        and bool((one.ticks == other.ticks).all())
        and bool((one.ids == other.ids).all())
    )
