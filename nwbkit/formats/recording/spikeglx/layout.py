"""Which acquired channel each saved column is.

Source: SpikeGLX metadata guide. Acquired channels are numbered from 0, kind by kind in
the order of ``acqApLfSy`` / ``acqMnMaXaDw`` / ``acqXaDwSy``; ``snsSaveChanSubset`` lists
the saved ones, ``snsApLfSy`` and the like count them by kind, ``nSavedChans`` in all.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise

from nwbkit.errors import DamagedInput
from nwbkit.formats.recording.spikeglx.meta import COUNT_KEYS, MAX_CHANNELS, Meta, parse_subset

#: Kinds of channel in a file, in the order they are acquired and saved.
KINDS = {
    "imec": ("AP", "LF", "SY"),
    "nidq": ("MN", "MA", "XA", "XD"),
    "obx": ("XA", "XD", "SY"),
}


@dataclass(frozen=True)
class Layout:
    """The columns of one .bin.

    Parameters
    ----------
    numbers : dict of str to tuple of int
        Per kind (``AP``, ``SY``, ``XD``, ...) the saved channels, counted within the kind;
        columns follow each other in the order of the dict.
    names : tuple of str
        Of every column: ``AP12``, ``XA0``, ``SY0``.
    """

    numbers: dict[str, tuple[int, ...]]
    names: tuple[str, ...]

    @property
    def n_columns(self) -> int:
        """Channels saved, in all."""
        return len(self.names)

    def columns(self, *kinds: str) -> slice:
        """The columns of adjacent kinds."""
        before = 0
        first = last = None
        for kind, numbers in self.numbers.items():
            if kind in kinds:
                first = before if first is None else first
                last = before + len(numbers)
            before += len(numbers)
        return slice(first or 0, last or 0)


def layout(meta: Meta) -> Layout:
    """The layout that a header states.

    Raises
    ------
    nwbkit.errors.DamagedInput
        Where ``nSavedChans``, ``snsSaveChanSubset`` and the counts contradict each other.
    """
    acquired_key, saved_key = COUNT_KEYS[meta.kind]
    meta.need(saved_key)
    saved = meta.counts(saved_key) or ()
    n_saved = meta.whole("nSavedChans")
    if n_saved is None or not 0 < n_saved <= MAX_CHANNELS:
        raise DamagedInput(f"'{meta.name}' says nSavedChans={meta.fields['nSavedChans']}")
    if sum(saved) != n_saved:
        raise DamagedInput(
            f"'{meta.name}' says nSavedChans={n_saved}, but {saved_key}="
            f"{meta.fields[saved_key]} counts {sum(saved)}"
        )
    acquired = _acquired(meta, meta.counts(acquired_key) or saved, saved)
    channels = _saved_channels(meta, n_saved, sum(acquired))
    numbers = _by_kind(meta, channels, acquired, saved, acquired_key, saved_key)
    return Layout(numbers, _names(meta, channels, numbers))


def _acquired(meta: Meta, acquired: tuple[int, ...], saved: tuple[int, ...]) -> tuple[int, ...]:
    if meta.kind == "imec" and acquired[1] == 0 and saved[1]:
        # CatGT filters an LF band out of a full-band probe (NP 2.0): it numbers the
        # channels either as that probe would with LF, or as its AP channels
        subset = parse_subset(meta.text("snsSaveChanSubset") or "all")
        as_ap = subset is None or max(subset) < acquired[0] + acquired[2]
        lf_only = (0, acquired[0], acquired[2])
        return lf_only if as_ap else (acquired[0], acquired[0], acquired[2])
    return acquired


def _saved_channels(meta: Meta, n_saved: int, n_acquired: int) -> list[int]:
    text = meta.text("snsSaveChanSubset")
    if text is None or text.strip().lower() == "all":
        if n_acquired != n_saved:
            raise DamagedInput(
                f"'{meta.name}' says snsSaveChanSubset=all of {n_acquired} channels, "
                f"but nSavedChans={n_saved}"
            )
        return list(range(n_saved))
    channels = parse_subset(text)
    if channels is None:
        raise DamagedInput(f"'{meta.name}' says snsSaveChanSubset={text}, which is no list")
    if len(channels) != n_saved:
        raise DamagedInput(
            f"'{meta.name}' says nSavedChans={n_saved}, but snsSaveChanSubset lists {len(channels)}"
        )
    if max(channels) >= n_acquired or any(b <= a for a, b in pairwise(channels)):
        raise DamagedInput(
            f"'{meta.name}' says snsSaveChanSubset={text}, which does not rise within the "
            f"{n_acquired} acquired channels"
        )
    return channels


def _by_kind(
    meta: Meta,
    channels: list[int],
    acquired: tuple[int, ...],
    saved: tuple[int, ...],
    acquired_key: str,
    saved_key: str,
) -> dict[str, tuple[int, ...]]:
    numbers = {}
    first = 0
    for kind, n_acquired, n_saved in zip(KINDS[meta.kind], acquired, saved, strict=True):
        of_kind = tuple(c - first for c in channels if first <= c < first + n_acquired)
        if len(of_kind) != n_saved:
            raise DamagedInput(
                f"'{meta.name}' says {saved_key}={meta.fields[saved_key]}, but of the channels "
                f"in snsSaveChanSubset {len(of_kind)} are {kind}"
                f" ({acquired_key}={meta.text(acquired_key) or 'missing'})"
            )
        numbers[kind] = of_kind
        first += n_acquired
    return numbers


def _names(meta: Meta, channels: list[int], numbers: dict[str, tuple[int, ...]]) -> tuple[str, ...]:
    """Names as in ``snsChanMap`` where it fits the saved channels; else kind and number."""
    plain = tuple(f"{kind}{n}" for kind, ns in numbers.items() for n in ns)
    table = meta.table("snsChanMap") if meta.text("snsChanMap") else None
    entries = [e for e in (table[1] if table else []) if len(e) == 3]
    if [e[1] for e in entries] != [str(c) for c in channels]:
        return plain
    named = tuple(e[0] for e in entries)
    fit = all(re.match(p.rstrip("0123456789"), n) for n, p in zip(named, plain, strict=True))
    return named if fit and len(set(named)) == len(named) else plain
