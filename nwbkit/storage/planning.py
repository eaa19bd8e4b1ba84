"""Which chunks and which codec a dataset gets, and how much memory that takes.

A default plan depends on shape and dtype alone, never on a timing or on the machine, so
that the same input gives the same file layout everywhere.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
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


#: Zarr stores a file a chunk, so that small chunks cost inodes on a cluster and requests in a
#: cloud. Larger ones than this would cost memory: a reader holds whole chunks.
ZARR_BYTES = 16 << 20

#: Channels a Zarr chunk: with the 64 of HDF5 a line of chunks of a Neuropixels probe would be
#: 100 MB to be held by each worker; with these it is half of that.
ZARR_COLUMNS = 128


#: No plan may ask for more: a reader holds whole chunks, blosc takes 2 GiB, HDF5 4.
MAX_CHUNK_BYTES = 1 << 30


@dataclass(frozen=True)
class Codec:
    """A codec and its levels.

    Parameters
    ----------
    levels : range
    default : int
        The level where none is said.
    everywhere : bool
        Whether every HDF5 reader has it: MatNWB, h5py without hdf5plugin, HDFView.
    checked : bool
        Whether it notices a flipped bit by itself when decoding.
    """

    levels: range
    default: int
    everywhere: bool = False
    checked: bool = False


CODECS: dict[str, Codec] = {
    # 0 to 3 are ISA-L's levels (510 MB/s a core at 1), 4 to 9 zlib's (50 MB/s at 4, 5 % smaller).
    "gzip": Codec(range(10), 1, everywhere=True, checked=True),
    "zstd": Codec(range(1, 23), 3, checked=True),
    "blosc-zstd": Codec(range(1, 10), 1),
    "blosc-lz4": Codec(range(1, 10), 5),
    "none": Codec(range(1), 0, everywhere=True),
}


@dataclass(frozen=True)
class DatasetPlan:
    """How one dataset is laid out.

    Parameters
    ----------
    chunks : tuple of int
        Chunk shape, one length per dimension; ``()`` for a contiguous dataset, which is
        what a dataset without elements gets.
    codec : {"gzip", "zstd", "blosc-zstd", "blosc-lz4", "none"}
        ``gzip`` is deflate.
    level : int
        Of the codec, see :data:`CODECS`; ``None`` is its default.
    shuffle : bool
        Whether what is alike is brought together first: bytes of equal significance for
        gzip, zstd and none, bits for blosc.
    fletcher32 : bool
        Whether a checksum goes with each chunk. HDF5: fletcher32 over the encoded bytes;
        Zarr: a checksum of the values. ``None`` is true for the codecs that would let a
        flipped bit through (blosc, none).
    """

    chunks: tuple[int, ...]
    codec: str = "gzip"
    level: int | None = None
    shuffle: bool = True
    fletcher32: bool | None = None

    def __post_init__(self) -> None:
        known = CODECS.get(self.codec)
        if known is None:
            return
        if self.level is None:
            object.__setattr__(self, "level", known.default)
        if self.fletcher32 is None:
            object.__setattr__(self, "fletcher32", bool(self.chunks) and not known.checked)

    @property
    def protected(self) -> bool:
        """Whether a flipped bit in a chunk is found by decoding it."""
        return bool(self.chunks) and (bool(self.fletcher32) or CODECS[self.codec].checked)

    @property
    def effort(self) -> int:
        """The level as a number, for encoders."""
        return self.level if self.level is not None else CODECS[self.codec].default

    def check(self, shape: Sequence[int]) -> None:
        """Refuse a plan that does not fit `shape`.

        Raises
        ------
        nwbkit.errors.UsageError
            Wrong number of dimensions, a chunk length below 1, unknown codec or level.
        """
        check_codec(self.codec, self.level)
        if self.chunks == ():
            return
        if len(self.chunks) != len(shape) or min(self.chunks) < 1:
            raise UsageError(
                f"chunks {list(self.chunks)} do not fit a dataset of shape {list(shape)}",
                hint="one chunk length of at least 1 for each dimension",
            )


def check_codec(name: str, level: int | None) -> None:
    """Refuse a codec that there is not, or a level that it does not have.

    Raises
    ------
    nwbkit.errors.UsageError
    """
    known = CODECS.get(name)
    if known is None:
        raise UsageError(f"unknown codec '{name}'", hint=f"codecs: {', '.join(CODECS)}")
    if level is not None and level not in known.levels:
        raise UsageError(
            f"level {level} is not a level of {name}",
            hint=f"levels: {known.levels.start} to {known.levels.stop - 1}",
        )


def unreadable_by(codecs: Iterable[str]) -> str | None:
    """Who cannot read an HDF5 file that holds these codecs; None where everyone can."""
    special = sorted({name for name in codecs if name in CODECS and not CODECS[name].everywhere})
    if not special:
        return None
    return (
        f"{' and '.join(special)} in HDF5: MatNWB, HDFView and h5py without hdf5plugin "
        "cannot read it"
    )


def layout_warnings(plans: Mapping[str, DatasetPlan], backend: str) -> list[str]:
    """What must be said of a file's layout: who cannot read it, what has no checksum.

    Parameters
    ----------
    plans : mapping of str to DatasetPlan
        By dataset.
    backend : {"hdf5", "zarr"}
    """
    found = []
    who = unreadable_by(plan.codec for plan in plans.values())
    if who and backend == "hdf5":
        found.append(who)
    bare = sorted(key for key, plan in plans.items() if plan.chunks and not plan.protected)
    if bare:
        more = f" and {len(bare) - 1} more" if len(bare) > 1 else ""
        found.append(
            f"'{bare[0]}'{more} has no checksum, as planned: only the sidecar tells whether "
            "a bit has flipped"
        )
    return found


def parse_codec(text: str) -> tuple[str, int | None]:
    """``NAME[:LEVEL]`` as codec and level.

    Raises
    ------
    nwbkit.errors.UsageError
    """
    name, colon, level = text.partition(":")
    if colon and not re.fullmatch(r"\d{1,3}", level):
        raise UsageError(
            f"'{level}' is no level of codec '{name}'", hint="--codec NAME[:LEVEL], such as zstd:3"
        )
    number = int(level) if colon else None
    check_codec(name, number)
    return name, number


def default_plan(
    shape: Sequence[int], dtype: np.dtype[Any] | str, backend: str = "hdf5"
) -> DatasetPlan:
    """Return the plan for a dataset that nobody has planned.

    HDF5: a dataset of up to 2 MiB is one chunk. Above, two-dimensional data is cut into
    blocks of at most 64 columns, of equal width, and a power of two of rows, about 1 MiB
    each; everything else into whole rows (frames) along the first axis, about 2 MiB. A row
    larger than that (a large frame) is a chunk of its own, halved along its longest axis
    until it is at most 8 MiB. Shuffle and deflate, which everyone reads.

    Zarr: the same with 16 MiB at least and 128 columns, in blosc-zstd with a checksum.

    Parameters
    ----------
    shape : sequence of int
        Time first.
    dtype : numpy.dtype
    backend : {"hdf5", "zarr"}

    Returns
    -------
    DatasetPlan
    """
    shape = tuple(int(n) for n in shape)
    itemsize = np.dtype(dtype).itemsize
    if not shape or 0 in shape:
        return DatasetPlan(chunks=(), codec="none", shuffle=False)
    if backend == "zarr":
        chunks = chunks_of(shape, itemsize, ZARR_BYTES, ZARR_COLUMNS, at_least=True)
        # higher levels cost 30 to 50 % of the speed, for 0.1 to 0.3 % of Neuropixels data
        return DatasetPlan(chunks, "blosc-zstd", 1, shuffle=itemsize > 1)
    target = RECORDING_BYTES if len(shape) == 2 else TARGET_BYTES
    chunks = chunks_of(shape, itemsize, target, TARGET_COLUMNS)
    return DatasetPlan(chunks, shuffle=itemsize > 1)


def chunks_of(
    shape: tuple[int, ...],
    itemsize: int,
    target: int,
    columns: int | None,
    *,
    at_least: bool = False,
) -> tuple[int, ...]:
    """Chunk shape of about `target` bytes: whole rows, of two-dimensional data `columns` wide.

    Parameters
    ----------
    shape : tuple of int
        Without zeros.
    itemsize, target : int
    columns : int, optional
        At most so many of a two-dimensional dataset; None: all.
    at_least : bool
        Whether a chunk has at least (and then less than twice) `target` bytes, not at most.
    """
    if math.prod(shape) * itemsize <= max(target, TARGET_BYTES):
        return shape
    rest = list(shape[1:])
    if len(shape) == 2 and columns is not None:
        blocks = math.ceil(shape[1] / columns)
        rest = [math.ceil(shape[1] / blocks)]
    while math.prod(rest) * itemsize > 4 * max(target, TARGET_BYTES):
        axis = rest.index(max(rest))
        rest[axis] = math.ceil(rest[axis] / 2)
    row = math.prod(rest) * itemsize
    rows = floor_power_of_two(target // row)
    if at_least and rows * row < target:
        rows *= 2
    return (min(rows, shape[0]), *rest)


def block_rows(shape: Sequence[int], itemsize: int) -> int:
    """Rows of one digest block: the largest power of two of at most 4 MiB, at least 1.

    It depends on nothing but shape and item size, since it is part of what a content digest
    means.
    """
    row = math.prod(shape[1:]) * itemsize
    if row == 0:
        return 1 << 22
    return floor_power_of_two((4 << 20) // row)


def floor_power_of_two(n: int) -> int:
    """The largest power of two up to `n`; 1 below that."""
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
