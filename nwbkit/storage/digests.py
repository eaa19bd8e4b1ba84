"""Content digests: what a dataset holds, whatever its chunks, codec, threads or back end.

The logical values, in C order and little-endian, are cut into blocks of rows whose size
depends on shape and dtype alone; each block has an xxh3_128, and the dataset's digest is the
xxh3_128 of dtype, shape and block digests. Blocks rather than one running hash, so that
threads may hash in any order and a difference can be named by its rows.
"""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import xxhash

from nwbkit.errors import InternalError
from nwbkit.storage.planning import block_rows

AnyArray = npt.NDArray[Any]


@dataclass(frozen=True)
class Difference:
    """How two digests of one dataset differ.

    Parameters
    ----------
    what : {"dtype", "shape", "values"}
    detail : str
        What was found and expected, for dtype and shape.
    ranges : tuple of (int, int)
        ``start, stop`` of each stretch of rows that holds a difference; whole blocks.
    """

    what: str
    detail: str = ""
    ranges: tuple[tuple[int, int], ...] = ()

    def __str__(self) -> str:
        if self.what != "values":
            return f"{self.what} differs: {self.detail}"
        start, stop = self.ranges[0]
        more = f" and {len(self.ranges) - 1} more ranges" if len(self.ranges) > 1 else ""
        return f"values differ in rows {start} to {stop}{more}"


@dataclass(frozen=True)
class DatasetDigest:
    """Digest of one dataset's logical content.

    Parameters
    ----------
    dtype : str
        Canonical name of the element type, see :func:`canonical_dtype`.
    shape : tuple of int
    block_rows : int
        Rows of a block; the last one may be shorter.
    digest : str
        32 hex digits over dtype, shape and blocks.
    blocks : tuple of str
        32 hex digits each, in row order.
    """

    dtype: str
    shape: tuple[int, ...]
    block_rows: int
    digest: str
    blocks: tuple[str, ...] = field(repr=False)

    @classmethod
    def of_blocks(
        cls, dtype: str, shape: Sequence[int], rows: int, blocks: Sequence[str]
    ) -> DatasetDigest:
        """Return the digest that follows from its parts."""
        shape = tuple(int(n) for n in shape)
        head = json.dumps([dtype, shape, rows], separators=(",", ":"))
        digest = xxhash.xxh3_128(head.encode() + b"\0" + "".join(blocks).encode()).hexdigest()
        return cls(dtype, shape, rows, digest, tuple(blocks))

    def compare(self, expected: DatasetDigest) -> Difference | None:
        """How this content differs from `expected`; None where it does not."""
        if self.dtype != expected.dtype:
            return Difference("dtype", f"found {self.dtype}, expected {expected.dtype}")
        if self.shape != expected.shape:
            return Difference("shape", f"found {self.shape}, expected {expected.shape}")
        ranges: list[tuple[int, int]] = []
        total = self.shape[0] if self.shape else 1
        for index, (mine, theirs) in enumerate(zip(self.blocks, expected.blocks, strict=True)):
            if mine == theirs:
                continue
            start = index * self.block_rows
            stop = min(start + self.block_rows, total)
            if ranges and ranges[-1][1] == start:
                ranges[-1] = (ranges[-1][0], stop)
            else:
                ranges.append((start, stop))
        return Difference("values", ranges=tuple(ranges)) if ranges else None

    def as_json(self) -> dict[str, Any]:
        """Plain data, for the sidecar."""
        return {
            "dtype": self.dtype,
            "shape": list(self.shape),
            "block_rows": self.block_rows,
            "digest": self.digest,
            "blocks": list(self.blocks),
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> DatasetDigest:
        """Return what :meth:`as_json` wrote.

        Raises
        ------
        ValueError
            Where the digest does not follow from its own parts.
        """
        made = cls.of_blocks(data["dtype"], data["shape"], data["block_rows"], data["blocks"])
        if made.digest != data["digest"] or len(made.blocks) != n_blocks(
            made.shape, made.block_rows
        ):
            raise ValueError("digest and blocks of a dataset contradict each other")
        return made


def n_blocks(shape: Sequence[int], rows: int) -> int:
    """Number of digest blocks of a dataset."""
    if 0 in shape:
        return 0
    return math.ceil(shape[0] / rows) if shape else 1


def little(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return `dtype` little-endian and, if compound, without padding."""
    if dtype.names is not None:
        fields = [(name, little(dtype[name])) for name in dtype.names]
        return np.dtype(fields)
    if dtype.subdtype is not None:
        base, shape = dtype.subdtype
        return np.dtype((little(base), shape))
    return np.dtype(dtype.newbyteorder("<").str) if dtype.kind != "V" else dtype


def canonical_dtype(dtype: np.dtype[Any] | str) -> str:
    """Name of a numpy dtype in digests: its little-endian type string, or a list of fields."""
    dtype = little(np.dtype(dtype))
    if dtype.names is None:
        if dtype.subdtype is not None:
            base, shape = dtype.subdtype
            return f"{canonical_dtype(base)}{list(shape)}"
        return dtype.str
    fields = [[name, canonical_dtype(dtype[name])] for name in dtype.names]
    return json.dumps(fields, separators=(",", ":"))


def canonical_bytes(array: AnyArray) -> memoryview:
    """Return the bytes of `array` in C order, little-endian; no copy where it is so already."""
    plain = np.ascontiguousarray(array, dtype=little(array.dtype))
    return flat_bytes(plain)


def flat_bytes(array: AnyArray) -> memoryview:
    """Return the bytes of a contiguous array as they lie."""
    return memoryview(array.reshape(-1).view(np.uint8))  # type: ignore[arg-type]


class BlockDigester:
    """Digest of a dataset whose rows arrive in any pieces, order and thread.

    Blocks that lie whole in one piece are hashed where they lie; a block that straddles
    pieces is gathered in a buffer of its own (at most 4 MiB, or a row) until it is whole, so
    that memory is bounded by the pieces in flight.

    Parameters
    ----------
    shape : sequence of int
    dtype : numpy.dtype
    """

    def __init__(self, shape: Sequence[int], dtype: np.dtype[Any] | str) -> None:
        self.shape = tuple(int(n) for n in shape)
        self.dtype = little(np.dtype(dtype))
        self.block_rows = block_rows(self.shape, self.dtype.itemsize)
        self._rows = self.shape[0] if self.shape else 1
        self._row_bytes = math.prod(self.shape[1:]) * self.dtype.itemsize
        self._blocks: list[str | None] = [None] * n_blocks(self.shape, self.block_rows)
        self._partial: dict[int, tuple[bytearray, int]] = {}
        self._lock = threading.Lock()

    def add(self, start: int, array: AnyArray) -> None:
        """Take in rows ``start..start + len(array)``. May be called from any thread.

        Raises
        ------
        nwbkit.errors.InternalError
            Where rows lie outside of the dataset or come twice.
        """
        for index, low, high, first, data in self.parts(start, array):
            self.add_part(index, low, high, first, data)

    def parts(self, start: int, array: AnyArray) -> Iterator[tuple[int, int, int, int, memoryview]]:
        """Cut rows where blocks end: each one's number, first and last row, and what is here."""
        stop = start + len(array)
        if not self._blocks or start == stop:
            return
        if start < 0 or stop > self._rows or array.shape[1:] != self.shape[1:]:
            raise InternalError(f"rows {start} to {stop} do not belong to shape {self.shape}")
        for index in range(start // self.block_rows, (stop - 1) // self.block_rows + 1):
            low = index * self.block_rows
            high = min(low + self.block_rows, self._rows)
            first, last = max(low, start), min(high, stop)
            yield index, low, high, first, canonical_bytes(array[first - start : last - start])

    def add_part(self, index: int, low: int, high: int, first: int, data: memoryview) -> None:
        """Take in rows from `first` on of the block `index`, which is ``low..high``."""
        rows = len(data) // self._row_bytes
        if rows == high - low:
            self.finish(index, xxhash.xxh3_128_hexdigest(data))
        else:
            self._gather(index, first - low, rows, high - low, data)

    def run(self, start: int, stop: int) -> Run:
        """Take in rows ``start..stop`` piece by piece, in order, by one thread."""
        return Run(self, start, stop)

    def known(self) -> dict[int, str]:
        """The digests of the blocks that are whole so far, by number."""
        return {i: block for i, block in enumerate(self._blocks) if block is not None}

    def _gather(self, index: int, at: int, rows: int, whole: int, data: memoryview) -> None:
        with self._lock:
            buffer, missing = self._partial.get(index) or (
                bytearray(whole * self._row_bytes),
                whole,
            )
            begin = at * self._row_bytes
            buffer[begin : begin + len(data)] = data
            missing -= rows
            self._partial[index] = (buffer, missing)
            if missing > 0:
                return
            del self._partial[index]
        self.finish(index, xxhash.xxh3_128_hexdigest(buffer))

    def finish(self, index: int, digest: str) -> None:
        """Take down the digest of a whole block."""
        with self._lock:
            if self._blocks[index] is not None or index in self._partial:
                raise InternalError(f"block {index} of a dataset was digested twice")
            self._blocks[index] = digest

    def result(self) -> DatasetDigest:
        """Return the digest.

        Raises
        ------
        nwbkit.errors.InternalError
            Where rows are missing.
        """
        blocks = [b for b in self._blocks if b is not None]
        if len(blocks) != len(self._blocks):
            missing = self._blocks.index(None) * self.block_rows
            raise InternalError(f"rows from {missing} on were never digested")
        return DatasetDigest.of_blocks(
            canonical_dtype(self.dtype), self.shape, self.block_rows, blocks
        )


class Run:
    """Rows on their way into a digest, one piece after another.

    Blocks that lie whole in the run are hashed as they come, without being gathered.

    Parameters
    ----------
    digester : BlockDigester
    start, stop : int
        Rows of the run.
    """

    def __init__(self, digester: BlockDigester, start: int, stop: int) -> None:
        self._digester = digester
        self._next, self._stop = start, stop
        self._machine: Any = None

    def add(self, array: AnyArray) -> None:
        """Take in the next rows.

        Raises
        ------
        nwbkit.errors.InternalError
            Where there are more than the run has.
        """
        start, self._next = self._next, self._next + len(array)
        if self._next > self._stop:
            raise InternalError(f"rows to {self._next} of a run that ends at {self._stop}")
        for index, low, high, first, data in self._digester.parts(start, array):
            if first == low and high <= self._stop:
                self._machine = xxhash.xxh3_128()
            if self._machine is None:
                self._digester.add_part(index, low, high, first, data)
                continue
            self._machine.update(data)
            if high <= self._next:
                self._digester.finish(index, self._machine.hexdigest())
                self._machine = None


def digest_array(array: AnyArray) -> DatasetDigest:
    """Return the digest of an array in memory (of numbers; at least one-dimensional)."""
    digester = BlockDigester(array.shape, array.dtype)
    digester.add(0, array)
    return digester.result()
