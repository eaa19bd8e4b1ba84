"""What each use of a file asks of chunks and codecs: ``--for analysis|cloud|archive|speed``.

====================  ================  =========  ==========================================
for                   chunk             channels   tried, the first unless another saves
====================  ================  =========  ==========================================
hdf5 analysis         1 MiB (2 MiB)     64         deflate 1; 3 %
hdf5 cloud            8 MiB             64         deflate 1, 4; 10 %
hdf5 archive          4 MiB             all        deflate 1, 4, 6; 1 %
hdf5 speed            1 MiB (2 MiB)     64         none, deflate 1; 30 %
zarr analysis, cloud  16 MiB or more    128        blosc-zstd 1, zstd 3; 3 %
zarr archive          32 MiB or more    all        blosc-zstd 3, 7, zstd 9; 1 %
zarr speed            16 MiB or more    128        blosc-lz4 5, blosc-zstd 1; 20 %
====================  ================  =========  ==========================================

Deflate above level 3 is zlib's and packs 30 to 50 MB/s a core, a tenth of level 1: for the
cloud it has to earn that, an archive pays for it.

The size in brackets is that of data that is not two-dimensional. Each codec is tried with
and without shuffle. On HDF5 nothing is chosen that MatNWB or plain h5py could not read;
who wants zstd or blosc there says so with ``--codec``.

A chunk is never larger than four times its target (a large frame that is not cut) nor, where
the dataset is that large, smaller than half of it. Datasets of up to 2 MiB (Zarr: of up to
the target) are one chunk, whole: there is nothing to gain by cutting them, and a chunk, unlike
a contiguous dataset, has a checksum.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from nwbkit.storage.planning import (
    RECORDING_BYTES,
    TARGET_BYTES,
    TARGET_COLUMNS,
    ZARR_BYTES,
    ZARR_COLUMNS,
    DatasetPlan,
    chunks_of,
    default_plan,
)

USES = ("analysis", "cloud", "archive", "speed")


@dataclass(frozen=True)
class Policy:
    """Chunks and candidates for one use.

    Parameters
    ----------
    recording, other : int
        Bytes aimed at, of two-dimensional data and of the rest.
    columns : int, optional
        Of two-dimensional data, at most.
    codecs : tuple of (str, int)
        Name and level, the cheapest first.
    saving : float
        Share of bytes that a later one must save to be taken.
    """

    recording: int
    other: int
    columns: int | None
    codecs: tuple[tuple[str, int], ...]
    saving: float


_ARCHIVED = (("gzip", 1), ("gzip", 4), ("gzip", 6))
_ZARR = (("blosc-zstd", 1), ("zstd", 3))

POLICIES: dict[tuple[str, str], Policy] = {
    ("hdf5", "analysis"): Policy(
        RECORDING_BYTES, TARGET_BYTES, TARGET_COLUMNS, (("gzip", 1),), 0.03
    ),
    ("hdf5", "cloud"): Policy(8 << 20, 8 << 20, TARGET_COLUMNS, (("gzip", 1), ("gzip", 4)), 0.1),
    ("hdf5", "archive"): Policy(4 << 20, 4 << 20, None, _ARCHIVED, 0.01),
    ("hdf5", "speed"): Policy(
        RECORDING_BYTES, TARGET_BYTES, TARGET_COLUMNS, (("none", 0), ("gzip", 1)), 0.3
    ),
    ("zarr", "analysis"): Policy(ZARR_BYTES, ZARR_BYTES, ZARR_COLUMNS, _ZARR, 0.03),
    ("zarr", "cloud"): Policy(ZARR_BYTES, ZARR_BYTES, ZARR_COLUMNS, _ZARR, 0.03),
    ("zarr", "archive"): Policy(
        32 << 20,
        32 << 20,
        None,
        (("blosc-zstd", 3), ("blosc-zstd", 7), ("zstd", 9)),
        0.01,
    ),
    ("zarr", "speed"): Policy(
        ZARR_BYTES, ZARR_BYTES, ZARR_COLUMNS, (("blosc-lz4", 5), ("blosc-zstd", 1)), 0.2
    ),
}


def candidates(
    shape: Sequence[int],
    dtype: np.dtype[Any],
    policy: Policy,
    backend: str,
    codec: tuple[str, int | None] | None = None,
) -> list[DatasetPlan]:
    """Plans to be tried on a dataset, the cheapest first; one where there is no choice.

    Parameters
    ----------
    shape : sequence of int
    dtype : numpy.dtype
    policy : Policy
    backend : {"hdf5", "zarr"}
    codec : (str, int or None), optional
        Only this one.
    """
    shape = tuple(int(n) for n in shape)
    plan = default_plan(shape, dtype, backend)
    if not plan.chunks:
        return [plan]
    target = policy.recording if len(shape) == 2 else policy.other
    chunks = chunks_of(shape, dtype.itemsize, target, policy.columns, at_least=backend == "zarr")
    wanted = [codec] if codec is not None else list(policy.codecs)
    shuffles = (True, False) if dtype.itemsize > 1 else (False,)
    return [
        replace(plan, chunks=chunks, codec=name, level=level, shuffle=shuffle, fletcher32=None)
        for name, level in wanted
        for shuffle in (shuffles if name != "none" else (False,))
    ]


def n_objects(plan: DatasetPlan, shape: Sequence[int], backend: str) -> int:
    """Chunks of a dataset; Zarr keeps two files of description beside them."""
    chunks = plan.chunks or tuple(max(1, n) for n in shape)
    count = math.prod(math.ceil(n / c) for n, c in zip(shape, chunks, strict=True))
    return count + 2 if backend == "zarr" else count
