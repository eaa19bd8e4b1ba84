"""The units as a stream."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from nwbkit.streams import Electrode, Ragged, Table
from nwbkit.streams.kinds import AnyArray


@dataclass(frozen=True)
class Waveforms:
    """Mean waveforms on each unit's largest channel, float32 of shape (units, samples, 1)."""

    data: npt.NDArray[np.float32]
    unit: str = "volts"
    description: str = "mean waveform on the channel where it is largest, filtered"


@dataclass(kw_only=True)
class Properties(Table):
    """What the files say of each unit, in the order of the units."""

    values: dict[str, AnyArray]

    def read(self) -> dict[str, AnyArray]:
        """Every column."""
        return dict(self.values)


@dataclass(kw_only=True)
class CellUnits(Ragged):
    """Spike times of units: samples of the timebase, or seconds on its clock.

    Parameters
    ----------
    trains : list of numpy.ndarray
    observed : tuple of int, optional
        ``(first, stop)`` samples of the timebase that were sorted; None where unknown.
    electrodes : tuple of Electrode, optional
        The electrode of each unit's largest waveform.
    means : Waveforms, optional
    """

    trains: list[AnyArray]
    observed: tuple[int, int] | None = None
    electrodes: tuple[Electrode, ...] | None = None
    means: Waveforms | None = None

    def counts(self) -> npt.NDArray[np.int64]:
        """Number of spikes of each unit."""
        return np.array([len(t) for t in self.trains], np.int64)

    def read(self, start: int, stop: int) -> AnyArray:
        """Times of the units ``start..stop``, joined in order."""
        return np.concatenate([np.empty(0, self.dtype), *self.trains[start:stop]])

    def before(self, stop_s: float) -> CellUnits:
        """The same units with the spikes before `stop_s` (seconds on the clock) alone."""
        if self.timebase is None:
            return self
        trains, observed = [], self.observed
        for train in self.trains:
            times = self.timebase.time_of(train) if self.unit == "samples" else train
            trains.append(train[times < stop_s])
        if observed is not None:
            from nwbkit.streams.views import rows_before

            stop = rows_before(self.timebase, stop_s)
            observed = (min(observed[0], stop), min(observed[1], stop))
        return replace(self, trains=trains, observed=observed)

    @property
    def unit_electrodes(self) -> tuple[tuple[Electrode, ...], ...] | None:
        """Of each unit: its electrode; None where it is not known."""
        return None if self.electrodes is None else tuple((e,) for e in self.electrodes)

    def waveforms(self, *, sparse: bool) -> Waveforms | None:
        """Mean waveforms; None where there are none."""
        return self.means
