"""The Zarr back end: a skeleton's files, and encoded chunks straight into files of their own."""

from __future__ import annotations

import functools
import json
import os
import threading
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import xxhash

from nwbkit.errors import InternalError
from nwbkit.storage.codec import AnyArray, Bytes
from nwbkit.storage.hdf5 import io_failure
from nwbkit.storage.heap import ZARR_CHUNK, keep_heap
from nwbkit.storage.past import begin_writing, give_back
from nwbkit.storage.zarr_codecs import array_metadata
from nwbkit.zarrs.tree import CONSOLIDATED

if TYPE_CHECKING:
    from nwbkit.storage.holes import Hole

#: Files stay open, and in the page cache, until so much more has been written.
RECENT_BYTES = 64 << 20
RECENT_FILES = 64

_METADATA = (".zarray", ".zattrs", ".zgroup")


@functools.cache
def _placeholder_class() -> Any:
    from hdmf.data_utils import AbstractDataChunkIterator

    class Placeholder(AbstractDataChunkIterator):  # type: ignore[misc]
        """Data that never comes: hdmf-zarr makes the array and leaves it empty."""

        def __init__(self, shape: tuple[int, ...], dtype: Any, zarray: dict[str, Any]) -> None:
            self.shape = shape
            self._dtype = dtype
            self.zarray = zarray
            #: Set by the writer of the skeleton.
            self.path: str | None = None

        def __iter__(self) -> Any:
            # hdmf copies the rows of compound types: the one row it finds is this object
            return iter([(self,)])

        def __next__(self) -> Any:
            raise StopIteration

        def __bool__(self) -> bool:
            return bool(self.shape and self.shape[0])

        def __len__(self) -> int:
            return self.shape[0]

        def recommended_chunk_shape(self) -> Any:
            return tuple(self.zarray["chunks"])

        def recommended_data_shape(self) -> Any:
            return self.shape

        @property
        def dtype(self) -> Any:
            return self._dtype

        @property
        def maxshape(self) -> Any:
            return self.shape

    return Placeholder


def placeholder(hole: Hole) -> Any:
    """What pynwb is given as ``data=`` for a hole in a Zarr store."""
    zarray = array_metadata(hole.shape, hole.dtype, hole.plan)
    return _placeholder_class()(hole.shape, hole.dtype, zarray)


def write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write a skeleton's files into the new folder `folder`, consolidated metadata not yet.

    Raises
    ------
    nwbkit.errors.IOFailure
    """
    made: set[Path] = set()
    try:
        folder.mkdir()
        for name in sorted(files):
            path = folder / name
            if path.parent not in made:
                path.parent.mkdir(parents=True, exist_ok=True)
                made.add(path.parent)
            path.write_bytes(files[name])
    except OSError as error:
        raise io_failure(folder, error) from error


def consolidated(folder: Path) -> bytes:
    """The consolidated metadata that fits what is in a store.

    Raises
    ------
    OSError
    ValueError
        Where a metadata file is no JSON.
    """
    found = {}
    for path in metadata_files(folder):
        found[path.relative_to(folder).as_posix()] = json.loads(path.read_bytes())
    text = {"metadata": dict(sorted(found.items())), "zarr_consolidated_format": 1}
    return json.dumps(text, indent=4, sort_keys=True, separators=(",", ": ")).encode("ascii")


def metadata_files(folder: Path) -> Iterable[Path]:
    """All metadata files of a store but the consolidated ones."""
    for parent, _, names in os.walk(folder):
        yield from (Path(parent, name) for name in names if name in _METADATA)


class ChunkFolder:
    """A Zarr store whose holes are being filled; a context manager.

    Each chunk is a file, written once by the thread that made it: no worker waits for another.
    Leaving without an error writes the consolidated metadata, the last file of the store.

    Parameters
    ----------
    path : path
    holes : sequence of Hole
    passing : bool
        As of :func:`nwbkit.storage.backends.sink_of`.

    Raises
    ------
    nwbkit.errors.InternalError
        Where an array of the skeleton is not what its hole says.
    nwbkit.errors.IOFailure
        On any failure to write.
    """

    def __init__(self, path: str | Path, holes: Sequence[Hole], *, passing: bool = False) -> None:
        self._passing = passing
        self._path = Path(path)
        self._holes = holes
        self._lock = threading.Lock()
        self.stored = 0
        self.lock_wait_s = 0.0
        #: Digests of the chunks' files, by path: they need not be read for the store's.
        self.sums: dict[str, str] = {}
        self._root = f"{os.fspath(self._path)}/"
        self._recent: deque[tuple[int, int]] = deque()

    def __enter__(self) -> ChunkFolder:
        keep_heap(ZARR_CHUNK)
        self._folders = {hole.path: self._checked(hole) for hole in self._holes}
        return self

    def _checked(self, hole: Hole) -> str:
        folder = self._path / hole.path.strip("/")
        try:
            found = json.loads((folder / ".zarray").read_bytes())
        except (OSError, ValueError) as error:
            raise InternalError(f"the skeleton has no array '{hole.path}'") from error
        if found != array_metadata(hole.shape, hole.dtype, hole.plan):
            raise InternalError(f"the skeleton has {found} at '{hole.path}', not {hole}")
        return os.fspath(folder)

    def put(self, hole: Hole, offset: tuple[int, ...], data: Bytes) -> None:
        """Store one encoded chunk at `offset` (elements)."""
        index = (o // c for o, c in zip(offset, hole.plan.chunks, strict=True))
        self._write(f"{self._folders[hole.path]}/{'.'.join(map(str, index))}", data)

    def put_rows(self, hole: Hole, start: int, rows: AnyArray) -> None:
        """Store rows of a dataset without chunks: there are none, it is empty."""
        if rows.size:
            raise InternalError(f"'{hole.path}' has rows and no chunks")

    def _write(self, path: str, data: Bytes) -> None:
        try:
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
            try:
                left = memoryview(data).cast("B")
                while left:
                    left = left[os.write(fd, left) :]
                # has the kernel begin now, so that the fsync at the end does not stall
                begin_writing(fd)
            except BaseException:
                os.close(fd)
                raise
        except OSError as error:
            raise io_failure(self._path, error) from error
        digest = xxhash.xxh3_128_hexdigest(data)
        with self._lock:
            self.stored += len(data)
            self.sums[path[len(self._root) :]] = digest
            self._recent.append((fd, len(data)))
        self._settle(RECENT_BYTES)

    def _settle(self, keep: int) -> None:
        """Close the files written first, until `keep` bytes are open, and give back their pages."""
        while True:
            with self._lock:
                held = sum(size for _, size in self._recent)
                if held <= keep and len(self._recent) <= RECENT_FILES:
                    return
                fd, _ = self._recent.popleft()
            if self._passing:
                give_back(fd)
            os.close(fd)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._settle(0)
        if kind is None:
            try:
                (self._path / CONSOLIDATED).write_bytes(consolidated(self._path))
            except OSError as failure:
                raise io_failure(self._path, failure) from failure
