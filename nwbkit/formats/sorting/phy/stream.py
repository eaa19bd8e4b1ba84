"""The units of a Phy folder as a stream."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from nwbkit.formats.sorting.phy.spikes import Grouped
from nwbkit.formats.sorting.phy.templates import Waveforms
from nwbkit.streams import Electrode, Ragged, Table
from nwbkit.streams.kinds import AnyArray
from nwbkit.streams.views import rows_before


@dataclass(kw_only=True)
class Quality(Table):
    """What the tables beside the spikes say of each unit, in the order of the units."""

    values: dict[str, AnyArray]

    def read(self) -> dict[str, AnyArray]:
        """Every column."""
        return dict(self.values)


@dataclass(kw_only=True)
class PhyUnits(Ragged):
    """Spike times of units: samples of the timebase, or seconds on its clock.

    Parameters
    ----------
    grouped : Grouped
    shift : int
        Sample of the timebase at which the sorter began to count.
    start_s : float
        The same in seconds on the clock, for times that are seconds.
    observed : tuple of int, optional
        ``(first, stop)`` samples of the timebase that were sorted; None where unknown.
    sites : tuple of Electrode, optional
        The electrode of each of the sorter's channels.
    load_waveforms : callable, optional
        Reads the mean waveforms; told whether only those on a unit's own channels.
    """

    grouped: Grouped
    shift: int = 0
    start_s: float = 0.0
    observed: tuple[int, int] | None = None
    sites: tuple[Electrode, ...] | None = None
    load_waveforms: Callable[[bool], Waveforms] | None = field(default=None, repr=False)

    def counts(self) -> npt.NDArray[np.int64]:
        """Number of spikes of each unit."""
        return self.grouped.counts

    def read(self, start: int, stop: int) -> AnyArray:
        """Times of the units ``start..stop``, joined in order."""
        stops = self.grouped.stops
        first = int(stops[start - 1]) if start else 0
        last = int(stops[stop - 1]) if stop else 0
        times = self.grouped.times[first:last]
        if self.unit == "seconds":
            return times + self.start_s
        return times + self.shift if self.shift else times

    def before(self, stop_s: float) -> PhyUnits:
        """The same units with the spikes before `stop_s` (seconds on the clock) alone."""
        timebase = self.timebase
        if timebase is None:
            return self
        times = self.read(0, len(self.ids))
        observed = self.observed
        if self.unit == "samples":
            if timebase.n_samples:
                stop = rows_before(timebase, stop_s)
                keep = times < stop
                if observed is not None:
                    observed = (min(observed[0], stop), min(observed[1], stop))
            else:
                keep = timebase.time_of(times) < stop_s
        else:
            keep = times < stop_s
            if observed is not None:
                observed = (observed[0], min(observed[1], rows_before(timebase, stop_s)))
        units = np.repeat(np.arange(len(self.ids)), self.grouped.counts)
        counts = np.bincount(units[keep], minlength=len(self.ids)).astype(np.int64)
        kept = Grouped(self.grouped.clusters, counts, self.grouped.times[keep])
        return replace(self, grouped=kept, observed=observed)

    @property
    def unit_electrodes(self) -> tuple[tuple[Electrode, ...], ...] | None:
        """Of each unit: the electrodes of its waveform's channels; None where not known."""
        waveforms = self.waveforms(sparse=True) if self.sites is not None else None
        if self.sites is None or waveforms is None:
            return None
        return tuple(tuple(self.sites[c] for c in mine) for mine in waveforms.channels)

    def waveforms(self, *, sparse: bool) -> Waveforms | None:
        """Mean waveforms, with `sparse` of each unit's electrodes; None where there are none."""
        return self.load_waveforms(sparse) if self.load_waveforms is not None else None


def facts(n_spikes: int, values: dict[str, Any], rate: float | None) -> dict[str, Any]:
    """What is worth showing of a folder: plain values, no paths of the machine it was made on."""
    found: dict[str, Any] = {"spikes": n_spikes}
    if rate is not None:
        found["sorter_rate"] = rate
    for key in ("n_channels_dat", "hp_filtered"):
        if isinstance(values.get(key), bool | int):
            found[key] = values[key]
    return found
