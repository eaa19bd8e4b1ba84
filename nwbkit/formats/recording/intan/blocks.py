"""The traditional layout: header and data blocks in one file, several files one after the other.

A block holds 60 or 128 samples: time stamps, then channel after channel every signal. Auxiliary
inputs have a value every four samples, supply voltages and temperatures one a block.
Source: "Traditional Intan File Format" in Intan's application notes on data file formats.
"""

from __future__ import annotations

import bisect
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nwbkit.errors import NoInput
from nwbkit.formats.io.flat import FlatArray, FlatFile, read_at
from nwbkit.formats.recording.intan.header import Header
from nwbkit.streams.kinds import AnyArray, Array

#: Blocks up to this size are read whole, whatever part of them is wanted.
SMALL_BLOCK = 4096
#: Bytes taken apart at once.
STEP_BYTES = 8 << 20


@dataclass(frozen=True)
class Section:
    """Where one signal lies in a block.

    Parameters
    ----------
    offset : int
        Bytes from the block's beginning.
    channels : int
    samples : int
        Of each channel, in one block.
    dtype : numpy.dtype
    """

    offset: int
    channels: int
    samples: int
    dtype: np.dtype[Any]

    @property
    def nbytes(self) -> int:
        """Bytes in one block."""
        return self.channels * self.samples * self.dtype.itemsize


def sections_of(header: Header) -> tuple[dict[str, Section], int]:
    """The sections of a block by signal, and a block's size in bytes."""
    n = header.block
    amplifiers = len(header.of("amplifier"))
    rhs = header.kind == "rhs"
    order = [
        ("time", 1, n, "<i4" if header.signed_time else "<u4"),
        ("amplifier", amplifiers, n, "<u2"),
        ("dc_amplifier", amplifiers if header.dc_saved else 0, n, "<u2"),
        ("stim", amplifiers if rhs else 0, n, "<u2"),
        ("auxiliary", len(header.of("auxiliary")), n // 4, "<u2"),
        ("supply", len(header.of("supply")), 1, "<u2"),
        ("temperature", header.temperatures, 1, "<i2"),
        ("adc", len(header.of("adc")), n, "<u2"),
        ("dac", len(header.of("dac")), n, "<u2"),
        ("digital_in", int(bool(header.of("digital_in"))), n, "<u2"),
        ("digital_out", int(bool(header.of("digital_out"))), n, "<u2"),
    ]
    found, at = {}, 0
    for name, channels, samples, kind in order:
        if channels:
            found[name] = Section(at, channels, samples, np.dtype(kind))
            at += found[name].nbytes
    return found, at


@dataclass(frozen=True)
class Blocks:
    """The blocks of one or more files.

    Parameters
    ----------
    files : tuple of FlatFile
        Their rows are blocks.
    size : int
        Bytes of a block.
    samples : int
        Amplifier samples of a block.
    """

    files: tuple[FlatFile, ...]
    size: int
    samples: int
    _rows: FlatArray = field(init=False, repr=False, compare=False)
    _starts: tuple[int, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        starts = [0]
        for file in self.files:
            starts.append(starts[-1] + file.n_rows)
        rows = FlatArray(
            id="blocks",
            name="blocks",
            role="rows",
            shape=(starts[-1], self.size),
            dtype=np.dtype("u1"),
            files=self.files,
        )
        object.__setattr__(self, "_starts", tuple(starts))
        object.__setattr__(self, "_rows", rows)

    @property
    def count(self) -> int:
        """Number of blocks."""
        return self._starts[-1]

    def file_of(self, block: int) -> Path:
        """The file that a block lies in."""
        return self.files[bisect.bisect_right(self._starts, block) - 1].path

    def read(self, section: Section, first: int, stop: int) -> AnyArray:
        """A section of the blocks ``first..stop``, shape (blocks, channels, samples)."""
        if self.size <= SMALL_BLOCK or 2 * section.nbytes >= self.size:
            whole = self._rows.read(first, stop)
            raw = whole[:, section.offset : section.offset + section.nbytes]
        else:
            raw = np.empty((stop - first, section.nbytes), np.uint8)
            self._pick(section, first, stop, memoryview(raw.reshape(-1).data))
        # the bytes of a section are contiguous in either case: taking them as numbers is a view
        values = raw.view(section.dtype)
        return values.reshape(stop - first, section.channels, section.samples)

    def _pick(self, section: Section, first: int, stop: int, view: memoryview) -> None:
        """Positioned reads of one section of each block."""
        size, at = section.nbytes, first
        for file, start, end in zip(self.files, self._starts, self._starts[1:], strict=False):
            last = min(stop, end)
            if at >= last or at < start:
                continue
            fd = _open(file.path)
            try:
                offset = file.header + (at - start) * self.size + section.offset
                for block in range(at, last):
                    where = (block - first) * size
                    read_at(fd, view[where : where + size], offset, file.path)
                    offset += self.size
            finally:
                os.close(fd)
            at = last

    def close(self) -> None:
        """Close the files."""
        self._rows.close()


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_RDONLY)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise NoInput(f"cannot open '{path}': {reason}") from None


@dataclass(kw_only=True, eq=False)
class BlockArray(Array):
    """One signal of the blocks as rows, shape (samples, channels).

    Parameters
    ----------
    blocks : Blocks
    section : Section
    """

    blocks: Blocks
    section: Section

    def __post_init__(self) -> None:
        self.block_rows = self.section.samples

    def read(self, start: int, stop: int, out: AnyArray | None = None) -> AnyArray:
        """Rows ``start..stop`` as stored, C order. Safe from any number of threads at once.

        Raises
        ------
        IndexError
            Outside ``0..shape[0]``.
        nwbkit.errors.DamagedInput
            Where a file has become shorter since it was opened.
        """
        if not 0 <= start <= stop <= self.shape[0]:
            raise IndexError(f"rows {start}..{stop} of {self.shape[0]}")
        n, per_block = stop - start, self.section.samples
        rows = out if out is not None else np.empty((n, self.shape[1]), self.dtype)
        step = max(1, STEP_BYTES // max(self.blocks.size, self.section.nbytes))
        block, done = start // per_block, 0
        skip = start - block * per_block
        while done < n:
            wanted = min(step, -(-(n - done + skip) // per_block))
            part = self.blocks.read(self.section, block, block + wanted)
            _into(rows[done:], part, skip)
            done += min(wanted * per_block - skip, n - done)
            block, skip = block + wanted, 0
        return rows


def _into(rows: AnyArray, part: AnyArray, skip: int) -> None:
    """Put blocks of (channels, samples) into rows of channels, without the first `skip` rows."""
    blocks, channels, samples = part.shape
    end = min(len(rows), blocks * samples - skip)
    if skip == 0 and end == blocks * samples and rows.flags.c_contiguous:
        target = rows[:end].reshape(blocks, samples, channels)
        np.copyto(target, part.transpose(0, 2, 1))
        return
    flat = part.transpose(0, 2, 1).reshape(blocks * samples, channels)
    np.copyto(rows[:end], flat[skip : skip + end])


def counters(blocks: Blocks, section: Section) -> Iterator[npt.NDArray[np.int64]]:
    """The time stamps of all samples, in stretches."""
    step = max(1, STEP_BYTES // max(blocks.size, section.nbytes))
    if blocks.size > SMALL_BLOCK:  # no more than the time stamps are read then
        step = max(1, STEP_BYTES // section.nbytes)
    for first in range(0, blocks.count, step):
        part = blocks.read(section, first, min(first + step, blocks.count))
        yield part.reshape(-1).astype(np.int64)


def block_files(parts: Sequence[tuple[Path, int, int]]) -> tuple[FlatFile, ...]:
    """Files of ``(path, header bytes, blocks)``."""
    return tuple(FlatFile(path, blocks, header) for path, header, blocks in parts)
