"""A proof without decoding everything: the CRC-32 of every stored chunk, and some decoded.

What was encoded is known by its CRC-32 (see ledger); that the same bytes lie on the disk is
checked for every chunk. That they decode to what was read is checked for one in twenty lines
of chunks, and for every dataset below a few megabytes.
"""

from __future__ import annotations

import contextlib
import functools
import math
import os
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import h5py
import numpy as np
from isal import isal_zlib

from nwbkit.errors import IOFailure
from nwbkit.storage.backends import is_folder
from nwbkit.storage.codec import Scratch, Undecodable
from nwbkit.storage.content import Names
from nwbkit.storage.digests import DatasetDigest
from nwbkit.storage.ledger import Entry
from nwbkit.storage.pipeline import Progress, Reporter
from nwbkit.storage.prove import Chunked, Reading, Task, do_tasks
from nwbkit.storage.stored import read_into

#: One line of chunks of so many is decoded.
SAMPLED = 20

#: Datasets up to this are decoded whole.
SMALL = 4 << 20

#: Chunks whose bytes are checked in one go.
_AT_ONCE = 16


def spot_check(
    path: str | Path,
    ledger: Mapping[str, Entry],
    expected: Mapping[str, DatasetDigest],
    *,
    jobs: int,
    max_memory: int,
    progress: Progress | None = None,
    cancel: threading.Event | None = None,
) -> dict[str, str]:
    """Hold an unpublished output against what was put into it.

    Parameters
    ----------
    path : path
    ledger : mapping of str to Entry
        By dataset path.
    expected : mapping of str to DatasetDigest
        As the data left the readers.
    jobs, max_memory, progress, cancel
        As of :func:`nwbkit.storage.prove.decode_digests`.

    Returns
    -------
    dict of str to str
        By dataset path: what is wrong.

    Raises
    ------
    nwbkit.errors.IOFailure
        Where the output cannot be read at all.
    """
    with _opened(Path(path), Reporter(progress)) as reading:
        chunked: list[Chunked] = []
        tasks: list[Task] = []
        for name, digest in expected.items():
            data = reading.chunked(name)
            if data is None:
                tasks.append(functools.partial(reading.slices, name))
                continue
            chunked.append(data)
            if name in ledger:
                chunks = range(len(ledger[name].sizes))
                tasks += [
                    functools.partial(
                        _encoded, reading, data, ledger[name], chunks[i : i + _AT_ONCE]
                    )
                    for i in chunks[::_AT_ONCE]
                ]
            tasks += [functools.partial(reading.band, data, row) for row in _lines(data, digest)]
        needed = max((d.worker_bytes for d in chunked), default=1)
        do_tasks(reading, iter(tasks), min(jobs, max_memory // max(1, needed)), cancel)
        problems = {name: str(damage) for name, damage in reading.out.problems.items()}
        for name, found in reading.out.digests.items():
            difference = found.compare(expected[name])
            if difference is not None:
                problems[name] = str(difference)
        for data in chunked:
            _compare(data, expected[data.path], problems)
    return problems


@contextlib.contextmanager
def _opened(path: Path, report: Reporter) -> Iterator[Reading]:
    try:
        if is_folder(path):
            from nwbkit.storage.zarr_content import ZarrNames
            from nwbkit.storage.zarr_prove import StoreReading
            from nwbkit.zarrs.tree import File

            with File(path) as store, StoreReading(store, ZarrNames(store), report) as reading:
                yield reading
            return
        fd = os.open(path, os.O_RDONLY)
        try:
            with h5py.File(path, "r") as file:
                yield Reading(file, Names(file), report, functools.partial(read_into, fd))
        finally:
            os.close(fd)
    except OSError as error:
        raise IOFailure(f"cannot read '{path}': {str(error).splitlines()[0].lower()}") from error


def _encoded(
    reading: Reading, data: Chunked, entry: Entry, chunks: range, scratch: Scratch
) -> None:
    """Check the stored bytes of a few chunks."""
    for number in chunks:
        if reading.crew is not None and reading.crew.stop.is_set():
            return
        offset = entry.offset(number)
        try:
            stored = reading.load(data, offset, scratch)
        except Undecodable as error:
            reading.damaged(data.path, f"chunk at {list(offset)}: {error}")
            continue
        size = 0 if stored is None else len(stored)
        if size != entry.sizes[number] or (
            stored is not None and isal_zlib.crc32(stored) != entry.crcs[number]
        ):
            reading.damaged(data.path, f"chunk at {list(offset)}: other bytes than were encoded")


def _lines(data: Chunked, digest: DatasetDigest) -> list[int]:
    """First rows of the lines of chunks to decode: together they hold whole digest blocks."""
    step, total = data.chunks[0], data.shape[0]
    if math.prod(data.shape) * data.dtype.itemsize <= SMALL:
        return list(range(0, total, step))
    # as many lines abreast as it takes to hold a whole block, wherever it begins
    fits = step % digest.block_rows == 0 or digest.block_rows % step == 0
    abreast = max(1, -(-digest.block_rows // step)) + (0 if fits else 1)
    groups = -(-total // (step * abreast))
    chosen = np.unique(np.linspace(0, groups - 1, max(2, groups // SAMPLED)).astype(int))
    return [
        row
        for group in chosen.tolist()
        for row in range(group * abreast * step, min((group + 1) * abreast * step, total), step)
    ]


def _compare(data: Chunked, expected: DatasetDigest, problems: dict[str, str]) -> None:
    if (data.digester.shape, data.digester.block_rows) != (expected.shape, expected.block_rows):
        problems[data.path] = f"shape differs: found {data.shape}, expected {expected.shape}"
        return
    for number, digest in data.digester.known().items():
        if digest != expected.blocks[number]:
            start = number * expected.block_rows
            stop = min(start + expected.block_rows, expected.shape[0])
            problems.setdefault(data.path, f"values differ in rows {start} to {stop}")
