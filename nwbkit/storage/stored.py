"""How HDF5 has stored a dataset, for whoever reads its chunks past HDF5."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from typing import Any

import h5py
import numpy as np

from nwbkit.storage.codec import Scratch, Undecodable
from nwbkit.storage.digests import flat_bytes

#: Fills a buffer with what lies at a place of a file; how many bytes are missing.
ReadInto = Callable[[memoryview, int], int]

#: Offset of a chunk in elements -> filter mask, place in the file, stored size.
Places = dict[tuple[int, ...], tuple[int, int, int]]


def filter_numbers(dataset: h5py.h5d.DatasetID) -> tuple[int, ...]:
    """HDF5's numbers of a dataset's filters, in the order in which they were applied."""
    create = dataset.get_create_plist()
    return tuple(create.get_filter(i)[0] for i in range(create.get_nfilters()))


def chunk_places(dataset: h5py.Dataset) -> Places:
    """Where each chunk that was ever written lies."""
    places: Places = {}

    def note(info: Any) -> None:
        places[tuple(info.chunk_offset)] = (info.filter_mask, info.byte_offset, info.size)

    dataset.id.chunk_iter(note)
    return places


def load_chunk(
    read: ReadInto,
    place: int,
    size: int,
    chunks: tuple[int, ...],
    dtype: np.dtype[Any],
    scratch: Scratch,
) -> memoryview:
    """The stored bytes of one chunk, in a buffer of `scratch`.

    Raises
    ------
    Undecodable
        Where they are not there, or cannot be a chunk's.
    """
    # Deflate never grows data by more; a longer claim would only cost memory.
    if size > 2 * math.prod(chunks) * dtype.itemsize + 4096:
        raise Undecodable(f"chunk claims to be stored in {size} bytes")
    buffer = flat_bytes(scratch.array("stored", (size,), np.uint8))
    missing = read(buffer, place)
    if missing:
        raise Undecodable(f"file ends inside of the chunk, {missing} bytes short")
    return buffer


def read_into(fd: int, buffer: memoryview, place: int) -> int:
    """Fill `buffer` with what lies at `place` of a file; how many bytes are missing."""
    got = 0
    while got < len(buffer):
        n = os.preadv(fd, [buffer[got:]], place + got)
        if n == 0:
            break
        got += n
    return len(buffer) - got
