"""The spikes of a Phy folder: when, and of which cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from nwbkit.errors import DamagedInput, MissingFact
from nwbkit.formats.io.npy import Complain, read_npy
from nwbkit.formats.sorting.phy.look import CLUSTERS, TEMPLATES, TIMES
from nwbkit.streams.kinds import AnyArray

Unit = Literal["samples", "seconds"]
Ints = npt.NDArray[np.int64]
#: Cluster or template of each spike: int32 where the ids fit, which they nearly always do.
Labels = npt.NDArray[np.signedinteger[Any]]
#: Fewer whole numbers stored as floats could be whole seconds by chance.
_ENOUGH = 10
#: Seconds are recognised by lying on samples: this far off at most, in samples.
_OFF_GRID = 0.05
#: The finest fraction of a sample that a sorter is thought to give.
_FINEST = 1024
_MAX_EXACT = 2**53
#: Spikes are looked at in stretches of as many, which stay in the core's cache.
_STRETCH = 1 << 18
#: Ids further apart than this are searched for, not looked up in a table.
_WIDEST = 1 << 22


@dataclass(frozen=True)
class Spikes:
    """Spikes in the order of the file.

    Parameters
    ----------
    times : numpy.ndarray, shape (spikes,)
        int64 samples or float64 seconds.
    unit : {"samples", "seconds"}
    clusters : numpy.ndarray, shape (spikes,)
        int32, or int64.
    templates : numpy.ndarray, shape (spikes,), optional
        The template that found each spike; int32, or int64.
    """

    times: AnyArray
    unit: Unit
    clusters: Labels
    templates: Labels | None

    def __len__(self) -> int:
        return len(self.times)

    def only(self, keep: npt.NDArray[np.bool_]) -> Spikes:
        """The spikes of which `keep` is true."""
        templates = None if self.templates is None else self.templates[keep]
        return Spikes(self.times[keep], self.unit, self.clusters[keep], templates)


@dataclass(frozen=True)
class Grouped:
    """Spikes by cluster; within a cluster in order of time.

    Parameters
    ----------
    clusters : numpy.ndarray, shape (units,)
        Ascending.
    counts : numpy.ndarray, shape (units,)
    times : numpy.ndarray, shape (spikes,)
        Of the first cluster, then of the second, ...
    """

    clusters: Ints
    counts: Ints
    times: AnyArray

    @property
    def stops(self) -> Ints:
        """Where each cluster's times end."""
        return np.cumsum(self.counts)


def read_spikes(
    files: Mapping[str, Path],
    complain: Complain,
    notes: list[str],
    *,
    rate: float | None,
    times: str | None,
    source: str,
) -> Spikes:
    """Read times, clusters and templates, and hold them against each other.

    Parameters
    ----------
    files : mapping of str to Path
        By name.
    complain : callable
    notes : list of str
    rate : float, optional
        Hz; tells seconds from samples.
    times : {"samples", "seconds"}, optional
        As the user says.
    source : str
        Id, for hints.

    Raises
    ------
    nwbkit.errors.DamagedInput
        Where they cannot be what they should.
    nwbkit.errors.MissingFact
        Where times could be samples or seconds.
    """
    stamps = _column(files[TIMES], complain)
    clusters = templates = None
    if CLUSTERS in files:
        clusters = _whole(files[CLUSTERS], complain)
    if TEMPLATES in files:
        templates = _whole(files[TEMPLATES], complain)
    if clusters is None:
        assert templates is not None
        notes.append(f"there is no '{CLUSTERS}': units are the templates of '{TEMPLATES}'")
        clusters = templates
    lengths = {TIMES: len(stamps), CLUSTERS if CLUSTERS in files else TEMPLATES: len(clusters)}
    if templates is not None and templates is not clusters:
        lengths[TEMPLATES] = len(templates)
    n = _agreed(lengths, complain)
    values, unit = as_times(stamps[:n], rate, times, source, notes)
    spikes = Spikes(values, unit, clusters[:n], None if templates is None else templates[:n])
    return _checked(spikes, complain)


def _agreed(lengths: Mapping[str, int], complain: Complain) -> int:
    """The number of spikes in all files."""
    n = min(lengths.values())
    if len(set(lengths.values())) > 1:
        said = ", ".join(f"'{name}' holds {length}" for name, length in lengths.items())
        complain(f"spikes differ in number: {said}", f"--salvage reads the first {n} of each")
    return n


def _checked(spikes: Spikes, complain: Complain) -> Spikes:
    if len(spikes) and spikes.times.min() < 0:
        negative = spikes.times < 0
        n = int(negative.sum())
        complain(
            f"'{TIMES}' holds negative times, spikes before the recording began: "
            f"{n} of {len(spikes)}, the first {spikes.times[negative][0]}",
            "--salvage leaves these spikes out",
        )
        spikes = spikes.only(~negative)
    back = np.flatnonzero(spikes.times[1:] < spikes.times[:-1])
    if back.size:
        k = int(back[0]) + 1
        complain(
            f"'{TIMES}' is not in order: spike {k} at {spikes.times[k]} follows one at "
            f"{spikes.times[k - 1]} (the first of {back.size})",
            "--salvage sorts the times of each unit",
        )
        order = np.argsort(spikes.times, kind="stable")
        templates = None if spikes.templates is None else spikes.templates[order]
        spikes = Spikes(spikes.times[order], spikes.unit, spikes.clusters[order], templates)
    return spikes


def _column(path: Path, complain: Complain) -> AnyArray:
    """An array of one number a spike, whichever of its axes is the long one."""
    array = read_npy(path, complain)
    if sum(n != 1 for n in array.shape) > 1 or array.dtype.kind not in "iuf":
        raise DamagedInput(
            f"'{path.name}' has shape {array.shape} and type {array.dtype}, "
            "expected one number a spike"
        )
    return array.reshape(-1)


def _whole(path: Path, complain: Complain) -> Labels:
    array = _column(path, complain)
    if array.dtype.kind == "f" and not (
        np.isfinite(array).all() and np.array_equal(array, np.rint(array))
    ):
        raise DamagedInput(f"'{path.name}' holds numbers that are not whole: no cluster ids")
    low, high = (array.min(), array.max()) if array.size else (0, 0)
    if high > 2**31 or low < -(2**31):
        raise DamagedInput(f"'{path.name}' holds {high}: no cluster id")
    return array.astype(np.int32 if high < 2**31 else np.int64, copy=False)


def as_times(
    values: AnyArray, rate: float | None, said: str | None, source: str, notes: list[str]
) -> tuple[AnyArray, Unit]:
    """What is in spike_times.npy: samples, or seconds that some tools write instead.

    Integers are samples. Floats that are whole are samples as well (Matlab stores them so);
    floats that lie on samples once multiplied by the rate are seconds; others are refused.
    """
    if values.dtype.kind in "iu":
        if said == "seconds":
            raise DamagedInput(
                f"'{TIMES}' holds whole numbers ({values.dtype}): samples, not seconds",
                hint=f"leave out --set {source}.times",
            )
        if values.dtype == np.uint64:  # what wrapped round is negative
            return values.view(np.int64), "samples"
        return values.astype(np.int64, copy=False), "samples"
    if not np.isfinite(values).all():
        raise DamagedInput(f"'{TIMES}' holds times that are no numbers (NaN or infinite)")
    wide = values.astype(np.float64)
    whole = bool((wide == np.rint(wide)).all() and (np.abs(wide) < _MAX_EXACT).all())
    if whole and said != "seconds" and (said == "samples" or len(wide) >= _ENOUGH or not len(wide)):
        notes.append(f"'{TIMES}' holds whole numbers as {values.dtype}: samples")
        return wide.astype(np.int64), "samples"
    if said == "samples":
        raise DamagedInput(f"'{TIMES}' holds {values.dtype} that are not whole: no samples")
    if said == "seconds" or (rate is not None and not whole and _on_samples(values, wide, rate)):
        notes.append(f"'{TIMES}' holds {values.dtype} seconds, not samples")
        return wide, "seconds"
    example = next((v for v in wide.tolist() if v != round(v)), wide[0])
    raise MissingFact(
        f"'{TIMES}' holds {values.dtype} such as {example:.9g}: samples or seconds",
        hint=f"--set {source}.times=seconds",
    )


def _on_samples(values: AnyArray, wide: npt.NDArray[np.float64], rate: float) -> bool:
    """Whether every time is a whole number of samples, to what its type can hold.

    A float32 of more than a few minutes is coarser than a sample: it shows nothing. Neither do
    halves, tenths, ... : 380.5 samples of a sorter that interpolates, times 30000, are whole too.
    """
    if len(wide) < _ENOUGH or _on_fractions(wide):
        return False
    samples = wide * rate
    coarse = float(np.abs(samples).max()) * float(np.finfo(values.dtype).eps)
    if coarse > _OFF_GRID:
        return False
    return bool((np.abs(samples - np.rint(samples)) <= _OFF_GRID).all())


def _on_fractions(wide: npt.NDArray[np.float64]) -> bool:
    """Whether all times are multiples of one simple fraction, as interpolated samples are."""
    some = wide[:: max(1, len(wide) // 1000)]
    for parts in range(1, _FINEST + 1):
        scaled = some * parts
        if (np.abs(scaled - np.rint(scaled)) <= 1e-6).all():
            return True
    return False


def group(spikes: Spikes) -> Grouped:
    """Spikes by cluster. Linear in the number of spikes: ten million take a third of a second."""
    clusters, counts = _counted(spikes.clusters)
    place = places(clusters)
    times = np.empty_like(spikes.times)
    begins = np.cumsum(counts) - counts  # where the next spike of each cluster goes
    for part in stretches(len(spikes)):
        codes = place(spikes.clusters[part])
        order = np.argsort(codes, kind="stable")  # a radix sort of 8 and 16 bits
        here = np.bincount(codes, minlength=len(clusters))
        shift = begins - (np.cumsum(here) - here)
        where = np.repeat(shift, here)
        where += np.arange(len(where))
        times[where] = spikes.times[part][order]
        begins += here
    return Grouped(clusters, counts, times)


def stretches(n: int) -> Iterator[slice]:
    """Parts of `n` spikes."""
    return (slice(at, at + _STRETCH) for at in range(0, n, _STRETCH))


def _counted(clusters: Labels) -> tuple[Ints, Ints]:
    """The clusters there are, ascending, and the number of spikes of each."""
    low, high = (int(clusters.min()), int(clusters.max())) if clusters.size else (0, 0)
    if not clusters.size or high - low >= _WIDEST:
        found, counts = np.unique(clusters, return_counts=True)
        return found.astype(np.int64), counts.astype(np.int64)
    every = np.zeros(high - low + 1, np.int64)
    # counting a stretch costs as much as the table is long
    step = max(_STRETCH, len(every))
    for at in range(0, len(clusters), step):
        part = np.subtract(clusters[at : at + step], low, dtype=np.int64)
        counted = np.bincount(part)
        every[: len(counted)] += counted
    present = np.flatnonzero(every)
    return present.astype(np.int64) + low, every[present]


def places(clusters: Ints) -> Callable[[Labels], npt.NDArray[Any]]:
    """A function that finds labels in `clusters`, which ascend; what is not there is at its end.

    The places are of the smallest unsigned type that holds them.
    """
    n = len(clusters)
    kind = np.min_scalar_type(n)
    if n and int(clusters[-1]) - int(clusters[0]) < _WIDEST:
        before = int(clusters[0]) - 1
        table = np.full(int(clusters[-1]) - before + 2, n, kind)
        table[clusters - before] = np.arange(n)
        return lambda labels: table.take(np.subtract(labels, before, dtype=np.int64), mode="clip")

    def search(labels: Labels) -> npt.NDArray[Any]:
        found = np.searchsorted(clusters, labels)
        missing = found == n
        found[missing] = 0
        missing |= clusters[found] != labels if n else True
        found[missing] = n
        return found.astype(kind)

    return search
