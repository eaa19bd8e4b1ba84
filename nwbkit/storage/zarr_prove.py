"""Reading a Zarr store back: every chunk decoded on all cores, and digested."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Collection
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nwbkit.errors import DamagedInput, IOFailure
from nwbkit.storage.codec import AnyArray, Bytes, Scratch, Undecodable
from nwbkit.storage.content import Names
from nwbkit.storage.digests import BlockDigester
from nwbkit.storage.past import read_file
from nwbkit.storage.pipeline import Progress, Reporter
from nwbkit.storage.prove import Chunked, Decoded, Reading, run
from nwbkit.storage.values import is_plain
from nwbkit.storage.zarr_content import ZarrNames
from nwbkit.zarrs.blosc import ChunkError, need_numcodecs
from nwbkit.zarrs.tree import CONSOLIDATED, Dataset, File, TreeError

#: Files read ahead at once, at most.
_READERS = 8

#: Checksums that some codecs keep behind the values of a chunk.
_MARGIN = 16


@dataclass
class _Stored(Chunked):
    """An array whose chunks are decoded here."""

    dataset: Dataset | None = None

    @property
    def empty(self) -> bool:
        return not any(p.name[:1].isdigit() for p in _array(self).folder.iterdir())


def _array(data: Chunked) -> Dataset:
    assert isinstance(data, _Stored) and data.dataset is not None
    return data.dataset


class StoreReading(Reading):
    """One pass over a store; a context manager.

    While a chunk is decoded, the next one abreast is being read; while the last one is, the
    first of a line that nobody has begun.
    """

    def __init__(self, file: Any, names: Names, report: Reporter) -> None:
        super().__init__(file, names, report)
        self._pool = ThreadPoolExecutor(_READERS, thread_name_prefix="nwbkit-ahead")
        self._mine = threading.local()
        #: By dataset: first row of the last line of chunks that was begun or read ahead.
        self._line: dict[str, int] = {}

    def __enter__(self) -> StoreReading:
        return self

    def __exit__(self, *exc: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def chunked(self, path: str) -> Chunked | None:
        """What is needed to decode an array of numbers; None for all else."""
        dataset: Dataset = self.file[path]
        plain = is_plain(dataset.dtype) and not dataset.dtype.hasobject and not dataset.is_text
        if not (plain and dataset.size and dataset.shape) or dataset.shape != dataset.stored_shape:
            return None
        dtype = dataset.chain.dtype
        digester = BlockDigester(dataset.shape, dtype)
        return _Stored(path, dataset.shape, dtype, dataset.chunks, (), None, {}, digester, dataset)

    def chunk(self, data: Chunked, offset: tuple[int, ...], scratch: Scratch) -> AnyArray:
        """Decode one chunk.

        Raises
        ------
        Undecodable
        """
        chain, path = _array(data).chain, _chunk_path(data, offset)
        stored = self.load(data, offset, scratch)
        following = self._following(data, offset)
        if following is not None:
            self._begin(_chunk_path(data, following), scratch)
        out = scratch.array("unpacked", (chain.size + _MARGIN,), np.uint8)
        try:
            return chain.decode(stored, out)
        except ChunkError as error:
            raise Undecodable(f"file '{path.name}': {error}") from None

    def _following(self, data: Chunked, offset: tuple[int, ...]) -> tuple[int, ...] | None:
        """Which chunk this thread will want next, as far as can be told."""
        with self.lock:
            last = self._line[data.path] = max(self._line.get(data.path, 0), offset[0])
            abreast = _next_abreast(data, offset)
            if abreast is not None or last + data.chunks[0] >= data.shape[0]:
                return abreast
            self._line[data.path] = last + data.chunks[0]
        return (last + data.chunks[0], *(0 for _ in offset[1:]))

    def _begin(self, path: Path, scratch: Scratch) -> Future[memoryview]:
        """Have a file read into the buffer that the one in use does not lie in."""
        mine = self._mine
        mine.turn = 1 - getattr(mine, "turn", 0)
        mine.path = path
        mine.future = self._pool.submit(read_file, path, scratch, f"stored {mine.turn}")
        future: Future[memoryview] = mine.future
        return future

    def load(self, data: Chunked, offset: tuple[int, ...], scratch: Scratch) -> Bytes:
        """The file of one chunk.

        Raises
        ------
        Undecodable
        """
        path = _chunk_path(data, offset)
        begun: Future[memoryview] | None = getattr(self._mine, "future", None)
        if begun is not None and self._mine.path != path:
            wait([begun])  # it has a buffer that is about to be used
            begun = None
        future = begun or self._begin(path, scratch)
        self._mine.future = None
        try:
            return future.result()
        except FileNotFoundError:
            raise Undecodable(f"file '{path.name}' is missing") from None
        except OSError as error:
            reason = os.strerror(error.errno).lower() if error.errno else str(error)
            raise Undecodable(f"file '{path.name}' cannot be read: {reason}") from None


def _chunk_path(data: Chunked, offset: tuple[int, ...]) -> Path:
    index = tuple(o // c for o, c in zip(offset, data.chunks, strict=True))
    return _array(data).chunk_path(index)


def _next_abreast(data: Chunked, offset: tuple[int, ...]) -> tuple[int, ...] | None:
    """The chunk behind `offset` in the same rows; None of the last."""
    following = list(offset)
    for axis in reversed(range(1, len(offset))):
        following[axis] += data.chunks[axis]
        if following[axis] < data.shape[axis]:
            return tuple(following)
        following[axis] = 0
    return None


def decode_store(
    path: str | Path,
    wanted: Collection[str] | None,
    jobs: int,
    max_memory: int,
    progress: Progress | None,
    cancel: threading.Event | None,
) -> Decoded:
    """As :func:`nwbkit.storage.prove.decode_digests`, of a store.

    Raises
    ------
    nwbkit.errors.DamagedInput
        Where its object tree cannot be walked.
    nwbkit.errors.MissingExtra
        numcodecs is not installed.
    """
    need_numcodecs()
    try:
        with (
            File(path) as file,
            StoreReading(file, ZarrNames(file), Reporter(progress)) as reading,
        ):
            run(reading, wanted, jobs, max_memory, cancel)
    except TreeError as error:
        raise DamagedInput(f"cannot read '{path}' as Zarr: {error}") from error
    except OSError as error:
        raise IOFailure(f"cannot read '{path}': {error}") from error
    return reading.out


def check_consolidated(path: Path) -> str | None:
    """What is wrong with a store's consolidated metadata; None where nothing is.

    They are written last, so that a store without them was never finished.
    """
    from nwbkit.storage.zarr import consolidated, metadata_files

    whole = path / CONSOLIDATED
    if not whole.exists():
        return f"'{CONSOLIDATED}' is missing: the store was never finished, or has lost it"
    found = whole.read_bytes()
    try:
        if found == consolidated(path):
            return None
    except ValueError:
        pass
    return _difference(path, found, list(metadata_files(path)))


def _difference(path: Path, found: bytes, files: list[Path]) -> str | None:
    """Which metadata file is not as consolidated; None where all are, but for their spelling."""
    try:
        known: Any = json.loads(found)["metadata"]
        names = {f.relative_to(path).as_posix(): f for f in files}
        for name in sorted(set(known) | set(names)):
            if name not in names:
                return f"metadata file '{name}' is missing"
            if name not in known:
                return f"metadata file '{name}' is not in '{CONSOLIDATED}'"
            try:
                own = json.loads(names[name].read_bytes())
            except ValueError:
                return f"metadata file '{name}' is no JSON"
            # as text, in which a NaN is like another
            if json.dumps(own, sort_keys=True) != json.dumps(known[name], sort_keys=True):
                return f"metadata file '{name}' and '{CONSOLIDATED}' contradict each other"
    except (ValueError, KeyError, TypeError, AttributeError):
        return f"'{CONSOLIDATED}' is no consolidated metadata"
    return None
