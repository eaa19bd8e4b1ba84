"""Which chunks and which codec a dataset gets, and how much memory that takes.

A default plan depends on shape and dtype alone, never on a timing or on the machine, so
that the same input gives the same file layout everywhere.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nwbkit.errors import UsageError

#: Raw size aimed at. Measured on 385-channel int16 noise with isal level 1: deflate runs at
#: 510 to 540 MB/s a core from 0.25 to 4 MiB and falls to 480 above (the chunk leaves the
#: cache), inflate at 680 up to 2 MiB and 480 from 4 MiB on, the ratio is flat from 1 MiB on.
#: Two MiB is also what a reader pays at least for one frame or row.
TARGET_BYTES = 2 << 20

#: Of recordings, time by channels: a whole conversion is 5 % faster with 1 MiB than with 2,
#: since the shuffled chunk stays in the core's own cache.
RECORDING_BYTES = 1 << 20

#: Channels a chunk. SpikeInterface reads one-second slices of all channels (six chunks
#: abreast for a Neuropixels probe, nothing read that is not used) as well as a few channels
#: over long stretches (a sixth of the file is inflated, not all of it). The ratio of 64
#: channels is within 5 % of that of all 384; at 16 or 32 it falls by a tenth.
TARGET_COLUMNS = 64

#: What a worker holds besides the data it works on: compressed chunk, encoder's scratch.
_SCRATCH_CHUNKS = 4


@dataclass(frozen=True)
class DatasetPlan:
    """How one dataset is laid out.

    Parameters
    ----------
    chunks : tuple of int
        Chunk shape, one length per dimension; ``()`` for a contiguous dataset, which is
        what a dataset without elements gets.
    codec : {"gzip", "none"}
        ``gzip`` is HDF5's deflate.
    level : int
        Level 0 to 3 of ISA-L's deflate.
    shuffle : bool
        Whether bytes of equal significance are brought together before deflate.
    """

    chunks: tuple[int, ...]
    codec: str = "gzip"
    level: int = 1
    shuffle: bool = True

    def check(self, shape: Sequence[int]) -> None:
        """Refuse a plan that does not fit `shape`.

        Raises
        ------
        nwbkit.errors.UsageError
            Wrong number of dimensions, a chunk length below 1, unknown codec or level.
        """
        if self.codec not in ("gzip", "none"):
            raise UsageError(f"unknown codec '{self.codec}'", hint="codecs: gzip, none")
        if not 0 <= self.level <= 3:
            raise UsageError(
                f"level {self.level} is not a level of gzip here", hint="levels: 0 to 3"
            )
        if self.chunks == ():
            return
        if len(self.chunks) != len(shape) or min(self.chunks) < 1:
            raise UsageError(
                f"chunks {self.chunks} do not fit a dataset of shape {tuple(shape)}",
                hint="one chunk length of at least 1 for each dimension",
            )


def default_plan(shape: Sequence[int], dtype: np.dtype[Any] | str) -> DatasetPlan:
    """Return the plan for a dataset that nobody has planned.

    A dataset of up to 2 MiB is one chunk. Above, two-dimensional data is cut into blocks of
    at most 64 columns, of equal width, and a power of two of rows, about 1 MiB each;
    everything else into whole rows (frames) along the first axis, about 2 MiB. A row larger
    than that (a large frame) is a chunk of its own, halved along its longest axis until it
    is at most 8 MiB.

    Parameters
    ----------
    shape : sequence of int
        Time first.
    dtype : numpy.dtype

    Returns
    -------
    DatasetPlan
    """
    shape = tuple(int(n) for n in shape)
    itemsize = np.dtype(dtype).itemsize
    if not shape or 0 in shape:
        return DatasetPlan(chunks=(), codec="none", shuffle=False)
    shuffle = itemsize > 1
    if math.prod(shape) * itemsize <= TARGET_BYTES:
        return DatasetPlan(chunks=shape, shuffle=shuffle)
    rest = list(shape[1:])
    target = RECORDING_BYTES if len(shape) == 2 else TARGET_BYTES
    if len(shape) == 2:
        blocks = math.ceil(shape[1] / TARGET_COLUMNS)
        rest = [math.ceil(shape[1] / blocks)]
    while math.prod(rest) * itemsize > 4 * TARGET_BYTES:
        axis = rest.index(max(rest))
        rest[axis] = math.ceil(rest[axis] / 2)
    rows = _floor_power_of_two(target // (math.prod(rest) * itemsize))
    return DatasetPlan(chunks=(min(rows, shape[0]), *rest), shuffle=shuffle)


def block_rows(shape: Sequence[int], itemsize: int) -> int:
    """Rows of one digest block: the largest power of two of at most 4 MiB, at least 1.

    It depends on nothing but shape and item size, since it is part of what a content digest
    means.
    """
    row = math.prod(shape[1:]) * itemsize
    if row == 0:
        return 1 << 22
    return _floor_power_of_two((4 << 20) // row)


def _floor_power_of_two(n: int) -> int:
    return 1 << (n.bit_length() - 1) if n >= 1 else 1


_UNITS = {"": 0, "k": 10, "m": 20, "g": 30, "t": 40}


def parse_size(text: str | int) -> int:
    """Bytes that a size such as ``256M``, ``1.5 GiB`` or ``1073741824`` stands for.

    K, M, G and T are powers of 1024, as in SLURM and GNU sort, with or without ``B``/``iB``.

    Raises
    ------
    nwbkit.errors.UsageError
        Where the text is no size, or not above zero.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?\s*", str(text), re.IGNORECASE)
    size = 0
    if match:
        size = int(float(match[1]) * (1 << _UNITS[match[2].lower()]))
    if size <= 0:
        raise UsageError(f"'{text}' is not a size", hint="give bytes, or a number with K, M or G")
    return size


def format_size(size: int) -> str:
    """Write a size in bytes as :func:`parse_size` reads it, rounded up to whole MiB."""
    return f"{math.ceil(size / (1 << 20))}M"


def band_bytes(plan: DatasetPlan, shape: Sequence[int], itemsize: int) -> int:
    """Bytes of a band: the chunks abreast that share their rows, padding not counted."""
    rows = min(plan.chunks[0], shape[0]) if plan.chunks else shape[0] if shape else 1
    return rows * math.prod(shape[1:]) * itemsize


def peak_memory(plan: DatasetPlan, shape: Sequence[int], dtype: np.dtype[Any] | str) -> int:
    """Bytes that filling this dataset takes at least, with one thread.

    One band of rows as it is read, and the encoder's scratch for one chunk.
    """
    itemsize = np.dtype(dtype).itemsize
    return band_bytes(plan, shape, itemsize) + chunk_scratch(plan, itemsize)


def chunk_scratch(plan: DatasetPlan, itemsize: int) -> int:
    """Bytes that encoding or decoding one chunk takes beside its input."""
    return _SCRATCH_CHUNKS * math.prod(plan.chunks) * itemsize


def refuse_memory(path: str, needed: int, max_memory: int) -> UsageError:
    """Return the error for a chunk that cannot fit."""
    return UsageError(
        f"'{path}' needs {format_size(needed)} of memory for one row of its chunks, "
        f"--max-memory is {format_size(max_memory)}",
        hint=f"--max-memory {format_size(needed)}, or a chunk plan with fewer rows a chunk",
    )
