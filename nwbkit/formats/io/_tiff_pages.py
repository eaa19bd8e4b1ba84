"""What is known of the pages of a TIFF file once its directories were read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nwbkit.errors import NoInput
from nwbkit.formats.io import _tiff_ifd as ifd


@dataclass(frozen=True)
class Kind:
    """What decides how the bytes of a page become pixels; equal for all pages of a movie.

    Parameters
    ----------
    height, width, samples : int
    dtype : numpy.dtype
        In the file's byte order.
    compression, predictor, photometric, planar : int
        As in TIFF.
    tiled : bool
    bits : int
        Of one sample.
    """

    height: int
    width: int
    samples: int
    dtype: np.dtype[Any]
    compression: int
    predictor: int
    photometric: int
    planar: int
    tiled: bool
    bits: int

    @property
    def nbytes(self) -> int:
        """Bytes of a page in memory."""
        return self.height * self.width * self.samples * self.dtype.itemsize

    @property
    def plain(self) -> bool:
        """Whether the bytes of a strip are the pixels."""
        return (
            self.compression == 1
            and not self.tiled
            and self.predictor == 1
            and self.bits == 8 * self.dtype.itemsize
        )

    def __str__(self) -> str:
        samples = f" x {self.samples}" if self.samples > 1 else ""
        return f"{self.height} x {self.width}{samples} {self.dtype.name}"


@dataclass(frozen=True, eq=False)
class TiffIndex:
    """Where the pages of one file lie.

    Parameters
    ----------
    path : Path
    size : int
        Of the file.
    header : Header
    kind : Kind
        Of every page that is kept.
    directories : numpy.ndarray of int64
        Offset of the directory of each page; 0 where a page has none of its own.
    offsets : numpy.ndarray of int64, optional
        Where the pixels of each page begin, for plain pages in one piece; None where pages
        must be decoded.
    first : Directory
        That of the first page.
    problem : str
        What is wrong with the file; empty where nothing is. What is kept lies before it.
    notes : tuple of str
    """

    path: Path
    size: int
    header: ifd.Header
    kind: Kind
    directories: npt.NDArray[np.int64]
    offsets: npt.NDArray[np.int64] | None
    first: ifd.Directory
    problem: str = ""
    notes: tuple[str, ...] = ()

    @property
    def n_pages(self) -> int:
        """Number of pages."""
        return len(self.directories)

    def text(self, tag: int) -> str:
        """A text of the first page; empty where it has none."""
        entry = self.first.entries.get(tag)
        if entry is None:
            return ""
        with opened(self.path) as source:
            return ifd.text(source, entry)

    def numbers(self, tag: int) -> tuple[float, ...]:
        """Numbers of the first page; empty where it has none."""
        entry = self.first.entries.get(tag)
        if entry is None:
            return ()
        with opened(self.path) as source:
            return ifd.values(source, self.header, entry)

    def texts(
        self, tag: int, pages: npt.NDArray[np.int64] | None = None, limit: int = 1 << 20
    ) -> Iterator[str]:
        """The first `limit` bytes of a text of each page (of `pages`), in order.

        Empty where a page has none.
        """
        with opened(self.path) as source:
            for page in range(self.n_pages) if pages is None else pages:
                offset = int(self.directories[page])
                entry = None
                if offset:
                    found = ifd.parse_directory(source, self.header, offset)
                    entry = found.entries.get(tag)
                yield ifd.text(source, entry, limit) if entry is not None else ""


@contextmanager
def opened(path: Path) -> Iterator[ifd.Bytes]:
    """A file to be read at positions.

    Raises
    ------
    nwbkit.errors.NoInput
        Where it is missing or may not be read.
    """
    try:
        fd = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise NoInput(f"cannot open '{path}': {reason}") from None
    try:
        yield ifd.Bytes(fd, os.fstat(fd).st_size)
    finally:
        os.close(fd)
