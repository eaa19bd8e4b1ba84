"""What a sorting takes from the recording it derives from: times, sites, and how much it covers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nwbkit.errors import DamagedInput, MissingFact, UsageError
from nwbkit.formats.base import Reader, Relation
from nwbkit.formats.io.flat import FlatArray, FlatFile
from nwbkit.formats.sorting.phy.relate import agreement, dat_paths, rate_of, same_rate
from nwbkit.streams import Array, Electrode, Timebase

#: What to do where params.py and a recording contradict each other.
_OTHER = "another recording was sorted: give that one, or --exclude one of them"
_ROLES = ("raw", "lfp_band", "lfp")


@dataclass(frozen=True)
class Sorted:
    """The stretch of a recording's stream that was sorted.

    Parameters
    ----------
    stream : Array
    first, stop : int
        Samples of the stream; the sorter's sample 0 is `first`.
    named : bool
        Whether params.py names the stream's own file.
    columns : int
        Columns of that file, neural or not.
    """

    stream: Array
    first: int
    stop: int
    named: bool
    columns: int

    @property
    def timebase(self) -> Timebase:
        """The stream's."""
        assert self.stream.timebase is not None
        return self.stream.timebase


def find_sorted(
    values: dict[str, Any],
    folder: Path,
    relation: Relation,
    other: Reader,
    *,
    wanted: str | None,
    rate: float | None,
    source: str,
) -> Sorted:
    """The stream of `other` that was sorted, by the files that params.py names, else by rate.

    Parameters
    ----------
    values : dict
        What params.py says.
    folder : Path
        The Phy folder.
    wanted : str, optional
        The stream's id as the user says.
    rate : float, optional
        The sorter's, in Hz.
    source : str
        Id of the sorting, for hints.

    Raises
    ------
    nwbkit.errors.MissingFact
        Where several streams fit.
    nwbkit.errors.DamagedInput
        Where none does.
    """
    streams = [
        s
        for s in other.streams
        if isinstance(s, Array) and s.role in _ROLES and s.timebase is not None
    ]
    wanted = wanted or relation.stream
    if wanted is not None:
        chosen = [s for s in streams if s.id == wanted]
        if not chosen:
            known = ", ".join(s.id for s in streams) or "none"
            raise UsageError(
                f"source '{other.source.id}' has no neural stream '{wanted}'",
                hint=f"its neural streams: {known}",
            )
        return _stretch(chosen[0], values, folder)
    best = _fitting(streams, values, folder, rate)
    if len(best) == 1:
        return _stretch(best[0], values, folder)
    if not best:
        said = f" at {rate:.12g} Hz" if rate is not None else ""
        raise DamagedInput(
            f"'{source}' derives from '{other.source.id}', which has no neural stream{said} "
            "that could have been sorted",
            hint=f"--set {source}.stream=STREAM, or --exclude {source}",
        )
    raise MissingFact(
        f"'{source}' may have been sorted from {' or '.join(s.id for s in best)} "
        f"of '{other.source.id}'",
        hint=f"--set {source}.stream={best[0].id}",
    )


def _fitting(
    streams: Sequence[Array], values: dict[str, Any], folder: Path, rate: float | None
) -> list[Array]:
    """The streams that may be the one: by the files named, else by rate and place."""
    named = _by_file(streams, dat_paths(values), folder)
    if rate is None:
        return named
    alike = [s for s in named or streams if (r := _rate(s)) is not None and same_rate(r, rate)]
    if named:
        return named if len(named) == 1 else alike or named
    return _innermost(alike, folder) if len(alike) > 1 else alike


def _rate(stream: Array) -> float | None:
    return stream.timebase.rate if stream.timebase is not None else None


def files_of(stream: Array) -> tuple[FlatFile, ...]:
    """The files that a stream's rows lie in; empty where it is no flat binary."""
    rows = stream.parent if stream.parent is not None else stream
    return rows.files if isinstance(rows, FlatArray) else ()


def _by_file(
    streams: Sequence[Array], paths: Sequence[tuple[str, ...]], folder: Path
) -> list[Array]:
    scores = []
    for stream in streams:
        files = files_of(stream)
        agreeing = [max((_score(p, f.path, folder) for f in files), default=0) for p in paths]
        if agreeing and all(agreeing):
            scores.append((min(agreeing), stream))
    best = max((score for score, _ in scores), default=0)
    return [stream for score, stream in scores if score == best]


def _score(parts: tuple[str, ...], file: Path, folder: Path) -> int:
    return agreement(parts, file, folder) if file.name == parts[-1] else 0


def _innermost(streams: Sequence[Array], folder: Path) -> list[Array]:
    """Those whose files lie in the deepest folder around `folder`."""
    depths = [
        max(
            (len(f.path.parent.parts) for f in files_of(s) if folder.is_relative_to(f.path.parent)),
            default=0,
        )
        for s in streams
    ]
    return [s for s, depth in zip(streams, depths, strict=True) if depth == max(depths)]


def _stretch(stream: Array, values: dict[str, Any], folder: Path) -> Sorted:
    rows = stream.parent if stream.parent is not None else stream
    columns = rows.shape[1] if len(rows.shape) > 1 else 1
    files, paths = files_of(stream), dat_paths(values)
    matched = [_file(files, parts, folder) for parts in paths]
    if not matched or None in matched:
        return Sorted(stream, 0, stream.n_samples, False, columns)
    numbers = [n for n in matched if n is not None]
    if numbers != list(range(numbers[0], numbers[0] + len(numbers))):
        raise DamagedInput(
            "params.py names " + ", ".join(f"'{p[-1]}'" for p in paths) + " (dat_path), "
            f"the recording has {', '.join(repr(f.path.name) for f in files)}: other files or "
            "another order",
            hint=_OTHER,
        )
    starts = np.cumsum([0, *(f.n_rows for f in files)])
    first = int(starts[numbers[0]]) + _offset(values, columns, files[numbers[0]], rows)
    return Sorted(stream, first, int(starts[numbers[-1] + 1]), True, columns)


def _file(files: Sequence[FlatFile], parts: tuple[str, ...], folder: Path) -> int | None:
    scores = [_score(parts, f.path, folder) for f in files]
    best = max(scores, default=0)
    return scores.index(best) if best else None


def _offset(values: dict[str, Any], columns: int, file: FlatFile, rows: Array) -> int:
    """Samples that ``offset`` (bytes at the beginning of the file) skips beyond its header."""
    said = values.get("offset", 0)
    if isinstance(said, bool) or not isinstance(said, int) or said < 0:
        raise DamagedInput(f"'params.py' says offset {said!r:.40}: no number of bytes", hint=_OTHER)
    if said == 0:
        return 0
    samples, rest = divmod(said - file.header, columns * rows.dtype.itemsize)
    if rest or samples < 0 or samples > file.n_rows:
        raise DamagedInput(
            f"'params.py' says offset {said} bytes, which is no sample of '{file.path.name}' "
            f"({columns} channels of {rows.dtype.itemsize} bytes)",
            hint=_OTHER,
        )
    return int(samples)


def check_sorted(found: Sorted, values: dict[str, Any], rate: float | None, who: str) -> list[str]:
    """Hold params.py against the recording; returns notes.

    Raises
    ------
    nwbkit.errors.DamagedInput
        Where rate, channel count or type contradict.
    """
    notes = []
    own = found.timebase.rate
    if rate is not None and own is not None and rate != own:
        if not same_rate(rate, own):
            raise DamagedInput(
                f"'params.py' says sample_rate {rate:.12g} Hz, '{who}' {own:.12g} Hz",
                hint=_OTHER,
            )
        notes.append(
            f"params.py says {rate:.12g} Hz, the recording {own:.12g} Hz: the recording's is used"
        )
    if not found.named:
        return notes
    said = values.get("n_channels_dat")
    if said is not None and said != found.columns:
        raise DamagedInput(
            f"'params.py' says n_channels_dat {said!r:.40}, the file of '{who}' has "
            f"{found.columns} channels",
            hint=_OTHER,
        )
    dtype = values.get("dtype")
    if isinstance(dtype, str):
        try:
            same = np.dtype(dtype).newbyteorder("=") == found.stream.dtype.newbyteorder("=")
        except TypeError:
            return notes
        if not same:
            raise DamagedInput(
                f"'params.py' says dtype '{dtype}', '{who}' is {found.stream.dtype}", hint=_OTHER
            )
    return notes


def sites(
    found: Sorted, channel_map: npt.NDArray[Any], values: dict[str, Any], who: str
) -> tuple[Electrode, ...] | None:
    """The electrode of each entry of channel_map.npy; None where that cannot be told.

    Entries are columns of the file that was sorted. Where that is another file (one that
    the sorter was given filtered), they are believed only if it has as many channels.

    Raises
    ------
    nwbkit.errors.DamagedInput
        Where an entry is no neural channel of the recording's own file.
    """
    stream = found.stream
    if stream.electrodes is None:
        return None
    n = stream.shape[1] if len(stream.shape) > 1 else 1
    columns = np.arange(n)
    if stream.parent is not None and stream.columns is not None:
        columns = np.arange(found.columns)[stream.columns]
    if not found.named:
        if values.get("n_channels_dat") not in (n, found.columns):
            return None
        if not np.array_equal(columns, np.arange(n)):
            return None
    at = {int(column): k for k, column in enumerate(columns)}
    strange = [int(c) for c in channel_map if int(c) not in at]
    if strange:
        raise DamagedInput(
            f"'channel_map.npy' names channel {strange[0]}, which is no neural channel of '{who}'",
            hint=_OTHER,
        )
    return tuple(stream.electrodes[at[int(c)]] for c in channel_map)


def rate_in(values: dict[str, Any], option: float | None) -> float | None:
    """The sorter's rate: as the user says, else as params.py does.

    Raises
    ------
    nwbkit.errors.DamagedInput
        For a ``sample_rate`` that is none.
    """
    if option is not None:
        if option <= 0:
            raise UsageError(f"a rate of {option} Hz cannot be")
        return option
    rate = rate_of(values)
    if rate is None and values.get("sample_rate") is not None:
        raise DamagedInput(
            f"'params.py' says sample_rate {values['sample_rate']!r:.40}", hint="--set phy.rate=HZ"
        )
    return rate
