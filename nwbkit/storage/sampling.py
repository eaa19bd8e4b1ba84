"""How small and how fast a dataset becomes with a codec: tried on blocks of its own data.

The blocks are spread over the recording, the same ones for the same data; how many bytes
are looked at is bounded, and so is the time, since the slowest codec tried packs some
30 MB/s. Ratios follow from the data alone and may decide; speeds never do.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from nwbkit.errors import DamagedInput
from nwbkit.storage.codec import AnyArray, Bytes, Scratch, decode, encode, filters_of
from nwbkit.storage.digests import little
from nwbkit.storage.holes import Hole
from nwbkit.storage.planning import DatasetPlan
from nwbkit.streams import Array

#: Blocks looked at of each dataset.
BLOCKS = 5

#: Raw bytes looked at of each dataset, and of all together.
DATASET_BYTES = 10 << 20
SESSION_BYTES = 1 << 30


@dataclass(frozen=True)
class Trial:
    """What a codec made of the samples of one dataset.

    Parameters
    ----------
    plan : DatasetPlan
    raw, stored : int
        Bytes before and after.
    encode_s, decode_s : float
        Seconds on one core.
    """

    plan: DatasetPlan
    raw: int
    stored: int
    encode_s: float
    decode_s: float

    @property
    def ratio(self) -> float:
        """Raw by stored; 1 where there was nothing to try on."""
        return self.raw / self.stored if self.stored else 1.0


def blocks_of(source: Array, shape: Sequence[int], chunk_rows: int, budget: int) -> list[AnyArray]:
    """Blocks of rows, evenly spread, of `budget` bytes together at most (one row at least).

    Parameters
    ----------
    source : nwbkit.streams.Array
    shape : sequence of int
        Of the dataset, which is that of the source or ``(n,)`` for ``(n, 1)``.
    chunk_rows : int
        No block is longer; blocks begin where chunks do.
    budget : int

    Raises
    ------
    nwbkit.errors.DamagedInput
        Where the source ends early.
    """
    n_rows = shape[0]
    row = max(1, math.prod(shape[1:]) * source.dtype.itemsize)
    rows = max(1, min(chunk_rows, budget // BLOCKS // row, n_rows))
    count = min(BLOCKS, math.ceil(n_rows / rows))
    blocks = []
    for start in dict.fromkeys(_starts(n_rows, rows, chunk_rows, count)):
        stop = min(start + rows, n_rows)
        got = np.asarray(source.read(start, stop))
        if len(got) < stop - start:
            raise DamagedInput(
                f"'{source.id}' ends at row {start + len(got)} of {n_rows}",
                hint="--salvage keeps what is there and records the loss",
            )
        stored = got.astype(little(got.dtype), copy=False)
        blocks.append(np.ascontiguousarray(stored).reshape(stop - start, *shape[1:]))
    return blocks


def _starts(n_rows: int, rows: int, chunk_rows: int, count: int) -> Iterator[int]:
    if n_rows <= count * rows:
        yield from range(0, n_rows, rows)
        return
    for i in range(count):
        middle = (2 * i + 1) * n_rows // (2 * count)
        start = middle - middle % chunk_rows
        yield start if start + rows <= n_rows else max(0, n_rows - rows)


def try_plan(blocks: Sequence[AnyArray], plan: DatasetPlan, backend: str = "hdf5") -> Trial:
    """Encode and decode `blocks` as `plan` says, for one back end or the other."""
    scratch = Scratch()
    raw = stored = 0
    encode_s = decode_s = 0.0
    for block in blocks:
        cut = replace(plan, chunks=(min(plan.chunks[0], len(block)), *plan.chunks[1:]))
        pack, unpack = _coders(cut, block.dtype, backend, scratch)
        raw += block.nbytes
        steps = [range(0, n, c) for n, c in zip(block.shape, cut.chunks, strict=True)]
        for corner in itertools.product(*steps):
            inside = tuple(slice(at, at + c) for at, c in zip(corner, cut.chunks, strict=True))
            began = time.perf_counter()
            data = pack(block[inside])
            encoded = time.perf_counter()
            unpack(data)
            decode_s += time.perf_counter() - encoded
            encode_s += encoded - began
            stored += len(data)
    return Trial(plan, raw, stored, encode_s, decode_s)


def _coders(
    plan: DatasetPlan, dtype: np.dtype[Any], backend: str, scratch: Scratch
) -> tuple[Callable[[AnyArray], Bytes], Callable[[Bytes], AnyArray]]:
    """What encodes and what decodes one chunk."""
    if backend == "zarr":
        from nwbkit.storage import zarr_codecs
        from nwbkit.zarrs.codecs import Chain

        said = zarr_codecs.array_metadata(plan.chunks, dtype, plan)
        chain = Chain(dtype, plan.chunks, "C", said["compressor"], said["filters"] or ())
        return lambda block: zarr_codecs.encode(block, plan, scratch), chain.decode
    filters = tuple(number for number, _ in filters_of(plan, dtype))
    other = Scratch()
    return (
        lambda block: encode(block, plan, scratch),
        lambda data: decode(data, filters, 0, plan.chunks, dtype, other),
    )


def choose(trials: Sequence[Trial], saving: float) -> Trial:
    """The first trial, unless a later one is smaller by at least the share `saving`.

    Parameters
    ----------
    trials : sequence of Trial
        The cheapest to read and write first.
    saving : float
        0.03: three per cent of the stored bytes.
    """
    chosen = trials[0]
    for trial in trials[1:]:
        if trial.stored < chosen.stored * (1 - saving):
            chosen = trial
    return chosen


def expected_bytes(hole: Hole, n_holes: int) -> int:
    """Bytes that a dataset, one of `n_holes`, will take, from samples of its data."""
    if not hole.plan.chunks or not hole.nbytes:
        return hole.nbytes
    budget = min(DATASET_BYTES, SESSION_BYTES // max(1, n_holes))
    blocks = blocks_of(hole.source, hole.shape, hole.plan.chunks[0], budget)
    return round(hole.nbytes / try_plan(blocks, hole.plan, hole.backend).ratio)
