"""What every comparison is given."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from nwbkit.formats.base import Reader
from nwbkit.streams import ClockMap, Stream

if TYPE_CHECKING:
    import h5py

    from nwbkit.documents.conversion import StreamRecord
    from nwbkit.storage.digests import DatasetDigest


#: Read at once by each thread.
_STEP_BYTES = 8 << 20


class Report(Protocol):
    """Takes the outcome of checks; see :class:`nwbkit.verify.Report`."""

    def check(
        self,
        address: str,
        what: str,
        problem: str | None,
        *,
        reader: Any = None,
        rows: int | None = None,
    ) -> None:
        """Add a check; `problem` is what differs, None where nothing does."""


@dataclass(frozen=True)
class Comparison:
    """One stream, the objects it became, and where outcomes go.

    Parameters
    ----------
    address : str
    stream : Stream
        As the source gives it today, cut to ``--stub`` where the output was.
    reader : Reader
    record : StreamRecord
        Where the stream went.
    file : h5py.File
    decoded : mapping of str to DatasetDigest
        What the datasets of the file hold, by path.
    maps : mapping of str to ClockMap
        As recorded, by clock id.
    report : Report
    jobs : int
    stub : bool
        Whether the output is a stub.
    """

    address: str
    stream: Stream
    reader: Reader
    record: StreamRecord
    file: h5py.File
    decoded: Mapping[str, DatasetDigest]
    maps: Mapping[str, ClockMap]
    report: Report
    jobs: int
    stub: bool

    def clock_map(self, clock: str) -> ClockMap:
        """The recorded map of a clock to session time."""
        return self.maps.get(clock, ClockMap())

    def check(
        self, what: str, problem: str | None, *, reader: str = "same", rows: int | None = None
    ) -> None:
        """Report one check of this stream."""
        self.report.check(self.address, what, problem, reader=reader, rows=rows)

    def digest_at(self, path: str) -> DatasetDigest | None:
        """Digest of the dataset at `path`, followed through a link to another series' times."""
        if path in self.decoded:
            return self.decoded[path]
        parent, _, name = path.rpartition("/")
        if parent not in self.file or name not in self.file[parent]:
            return None
        link = self.file[parent].get(name, getlink=True)
        return self.decoded.get(str(getattr(link, "path", self.file[path].name)))


def digest_rows(
    read: Callable[[int, int], Any],
    shape: Sequence[int],
    dtype: Any,
    *,
    jobs: int,
    row_bytes: int = 0,
) -> DatasetDigest:
    """Digest of the rows that `read` gives, read block by block on `jobs` threads.

    Parameters
    ----------
    read : callable
        ``read(start, stop)``.
    shape : sequence of int
    dtype : numpy.dtype
    jobs : int
    row_bytes : int
        What a row costs to read, where that is more than it holds: one column of wide rows
        is read by way of all the others.

    Raises
    ------
    nwbkit.errors.DamagedInput
        What `read` raises.
    """
    from nwbkit.storage.digests import BlockDigester

    digester = BlockDigester(shape, dtype)
    step = digester.block_rows
    if row_bytes:
        step = max(1, min(step, _STEP_BYTES // row_bytes))

    def one(start: int) -> None:
        rows = np.asarray(read(start, min(start + step, shape[0])), dtype=dtype)
        digester.add(start, rows.reshape(len(rows), *shape[1:]))

    starts = range(0, shape[0], step)
    with ThreadPoolExecutor(max_workers=max(1, jobs)) as pool:
        for _ in pool.map(one, starts):
            pass
    return digester.result()
