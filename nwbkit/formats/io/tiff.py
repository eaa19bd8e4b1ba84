"""TIFF files: where every page lies, found once, and pages read at positions.

Nothing is read whole. The directories are parsed here and not by tifffile, since one of its
objects shared by two threads gives wrong frames, and since half of a stack that has one
directory only (ImageJ above 4 GB, tifffile's own) reads there as one frame. Format facts:
TIFF 6.0, the BigTIFF design, ImageJ's ``TiffEncoder``, MetaMorph's STK.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nwbkit.errors import DamagedInput
from nwbkit.formats.io._tiff_decode import by_tifffile, decode, knows
from nwbkit.formats.io._tiff_ifd import Bytes
from nwbkit.formats.io._tiff_index import index, shaped
from nwbkit.formats.io._tiff_pages import Kind, TiffIndex, opened
from nwbkit.formats.io.flat import _OpenFiles, read_at
from nwbkit.streams.kinds import AnyArray, Array
from nwbkit.streams.turned import turn

__all__ = ["Kind", "Movie", "Stack", "TiffIndex", "index", "opened", "shaped"]

#: tifffile objects that a thread keeps open.
_KEPT = 4
_FEW_PLANES = 6
_BLOCK_PIXELS = 4096


class Stack:
    """The pages of one or more files, numbered through.

    Parameters
    ----------
    files : sequence of TiffIndex or Path
        Of a path, one page is expected, and the file is not opened before it is read: a
        folder of a hundred thousand pages opens at once.
    kind : Kind, optional
        Of every page; that of the first file where it is indexed.

    Raises
    ------
    nwbkit.errors.DamagedInput
        Where indexed files hold pages of different kinds.
    """

    def __init__(self, files: Sequence[TiffIndex | Path], kind: Kind | None = None) -> None:
        first = files[0]
        if kind is None:
            assert isinstance(first, TiffIndex)
            kind = first.kind
        self.kind = kind
        self.files = list(files)
        for file in files:
            if isinstance(file, TiffIndex):
                self._check(file)
        counts = [f.n_pages if isinstance(f, TiffIndex) else 1 for f in files]
        self.starts = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])
        self._open = _OpenFiles()
        self._local = threading.local()
        self._objects: list[Any] = []

    @property
    def n_pages(self) -> int:
        """Number of pages."""
        return int(self.starts[-1])

    def locate(self, page: int) -> tuple[int, int]:
        """``(file, page in it)`` of a page."""
        file = int(np.searchsorted(self.starts, page, side="right")) - 1
        return file, page - int(self.starts[file])

    def read(self, page: int, out: AnyArray) -> None:
        """Read one page into `out`, shape (height, width[, samples]), C order.

        Raises
        ------
        nwbkit.errors.DamagedInput
            Where it cannot be read as what its directory says.
        """
        number, at = self.locate(page)
        file = self.files[number]
        if isinstance(file, Path):
            file = self._single(file)
        if file.offsets is not None:
            with self._open.use(file.path) as fd:
                read_at(fd, _view(out), int(file.offsets[at]), file.path)
            return
        if knows(file.kind):
            with self._open.use(file.path) as fd:
                pixels = decode(Bytes(fd, file.size), file, at)
        else:
            pixels = by_tifffile(self._tifffile(file.path), file, at)
        np.copyto(out, pixels.reshape(out.shape))

    def read_run(self, page: int, n: int, out: AnyArray) -> None:
        """Read `n` pages that follow each other into `out`, at once where they lie together."""
        done = 0
        while done < n:
            number, at = self.locate(page + done)
            file = self.files[number]
            m = 1
            if isinstance(file, TiffIndex) and file.offsets is not None:
                m = _together(file, at, min(n - done, file.n_pages - at))
            if m == 1:
                self.read(page + done, out[done])
            else:
                assert isinstance(file, TiffIndex) and file.offsets is not None
                with self._open.use(file.path) as fd:
                    view = _view(out[done : done + m])
                    read_at(fd, view, int(file.offsets[at]), file.path)
            done += m

    def reread(self, page: int) -> npt.NDArray[Any]:
        """One page by tifffile alone: the independent second reader.

        Shares no code with :meth:`read`, on purpose; its object is this thread's own.
        """
        number = int(np.flatnonzero(self.starts[:-1] <= page)[-1])
        at = page - int(self.starts[number])
        file = self.files[number]
        path = file if isinstance(file, Path) else file.path
        tif = self._tifffile(path)
        kind = self.kind
        pages = tif.pages
        if at < len(pages):
            pixels = np.asarray(pages[at].asarray())
            if pixels.ndim == 3 and kind.planar == 2 and kind.samples > 1:
                pixels = np.moveaxis(pixels, 0, -1)
        else:  # one directory for all
            count = kind.height * kind.width * kind.samples
            begin = pages[0].dataoffsets[0] + at * kind.nbytes
            pixels = np.fromfile(path, kind.dtype, count, offset=begin)
        return pixels.reshape(kind.height, kind.width, kind.samples)

    def close(self) -> None:
        """Close the files. Reading again opens them again."""
        self._open.close()
        for tif in self._objects:
            tif.close()
        self._objects.clear()
        self._local = threading.local()

    def _check(self, file: TiffIndex) -> None:
        if file.kind == self.kind:
            return
        same = (file.kind.height, file.kind.width, file.kind.samples)
        if same != (self.kind.height, self.kind.width, self.kind.samples) or (
            file.kind.dtype != self.kind.dtype
        ):
            raise DamagedInput(
                f"'{file.path.name}': page 1 is {file.kind} ({file.kind.dtype.str}), those of the "
                f"files before it are {self.kind} ({self.kind.dtype.str})"
            )

    def _single(self, path: Path) -> TiffIndex:
        found = index(path)
        if found.problem:
            raise DamagedInput(f"'{path.name}': {found.problem}")
        if found.n_pages != 1:
            raise DamagedInput(f"'{path.name}' holds {found.n_pages} pages, expected 1 a file")
        self._check(found)
        return found

    def _tifffile(self, path: Path) -> Any:
        """A tifffile object of this thread: one that two threads share gives wrong frames."""
        import tifffile

        kept: OrderedDict[Path, Any] | None = getattr(self._local, "kept", None)
        if kept is None:
            kept = self._local.kept = OrderedDict()
        if path not in kept:
            while len(kept) >= _KEPT:
                _, old = kept.popitem(last=False)
                old.close()
            # for ScanImage's files it computes where pages lie from the first two: wrong for some
            kept[path] = tifffile.TiffFile(path, is_scanimage=False)
            self._objects.append(kept[path])
        kept.move_to_end(path)
        return kept[path]


def _together(file: TiffIndex, at: int, most: int) -> int:
    """How many pages from `at` on lie behind each other without anything between."""
    assert file.offsets is not None
    steps = np.diff(file.offsets[at : at + most])
    apart = np.flatnonzero(steps != file.kind.nbytes)
    return int(apart[0]) + 1 if apart.size else most


def _view(out: AnyArray) -> memoryview:
    return memoryview(out.reshape(-1).view(np.uint8).data)


@dataclass(kw_only=True, eq=False)
class Movie(Array):
    """Pages as frames: shape (frames, height, width) or (frames, height, width, planes).

    Parameters
    ----------
    stack : Stack
    pages : numpy.ndarray of int64, shape (frames,) or (frames, planes)
        The page of each frame (and plane) in the stack.
    sample : int, optional
        Which sample of each pixel, where a page has several (colours).
    """

    stack: Stack
    pages: npt.NDArray[np.int64]
    sample: int = 0
    _local: threading.local = field(default_factory=threading.local, init=False, repr=False)

    def read(self, start: int, stop: int, out: AnyArray | None = None) -> AnyArray:
        """Frames ``start..stop`` as stored, C order; into `out` where given.

        Safe from any number of threads at once.
        """
        if not 0 <= start <= stop <= self.shape[0]:
            raise IndexError(f"frames {start}..{stop} of {self.shape[0]}")
        wanted = (stop - start, *self.shape[1:])
        if out is None:
            out = np.empty(wanted, self.dtype)
        direct = (
            self.pages.ndim == 1
            and self.stack.kind.samples == 1
            and out.flags.c_contiguous
            and out.dtype == self.dtype
        )
        if direct:
            self._direct(start, stop, out)
            return out
        for row in range(start, stop):
            planes = self._planes(row)
            if self.pages.ndim == 1:
                np.copyto(out[row - start], planes[0])
            else:
                _interleave(planes, out[row - start])
        return out

    def read_turned(self, start: int, stop: int, out: AnyArray) -> bool:
        """Frames ``start..stop`` as (frames, width, height, planes), where that is quicker so.

        Returns
        -------
        bool
            False, with nothing done, for frames of one plane.
        """
        if self.pages.ndim == 1 or not out.flags.c_contiguous:
            return False
        for row in range(start, stop):
            planes = self._planes(row)
            turned = self._scratch("turned", (len(planes), *self.shape[2:0:-1]))
            turn(planes, turned)
            _interleave(turned, out[row - start])
        return True

    def _planes(self, row: int) -> AnyArray:
        """The pages of a frame, shape (planes, height, width)."""
        kind = self.stack.kind
        pages = np.atleast_1d(self.pages[row])
        planes = self._scratch("planes", (len(pages), kind.height, kind.width))
        for plane, page in enumerate(pages.tolist()):
            if kind.samples == 1:
                self.stack.read(page, planes[plane])
            else:
                pixels = self._scratch("page", (kind.height, kind.width, kind.samples))
                self.stack.read(page, pixels)
                np.copyto(planes[plane], pixels[..., self.sample])
        return planes

    def reread(self, start: int, stop: int) -> AnyArray:
        """Frames ``start..stop`` by tifffile alone."""
        frames = []
        for row in range(start, stop):
            pages = np.atleast_1d(self.pages[row])
            planes = [self.stack.reread(int(page))[..., self.sample] for page in pages]
            frames.append(planes[0] if self.pages.ndim == 1 else np.stack(planes, axis=-1))
        if not frames:
            return np.empty((0, *self.shape[1:]), self.dtype)
        return np.stack(frames)

    def _direct(self, start: int, stop: int, out: AnyArray) -> None:
        pages = self.pages[start:stop]
        breaks = np.flatnonzero(np.diff(pages) != 1) + 1
        for low, high in zip([0, *breaks], [*breaks, len(pages)], strict=True):
            if high > low:
                self.stack.read_run(int(pages[low]), int(high - low), out[low:high])

    def _scratch(self, name: str, shape: tuple[int, ...]) -> AnyArray:
        """A buffer of this thread."""
        kept: AnyArray | None = getattr(self._local, name, None)
        if kept is None:
            kept = np.empty(shape, self.dtype)
            setattr(self._local, name, kept)
        return kept


def _interleave(planes: AnyArray, out: AnyArray) -> None:
    """Copy `planes` (planes, a, b) into `out` (a, b, planes).

    A few planes one after the other, many in blocks that fit the core's cache: measured 2.0
    against 1.0 GB/s with 4 planes, 0.5 against 1.0 with 9.
    """
    flat, target = planes.reshape(len(planes), -1), out.reshape(-1, len(planes))
    if len(planes) <= _FEW_PLANES:
        for plane, pixels in enumerate(flat):
            target[:, plane] = pixels
        return
    for low in range(0, flat.shape[1], _BLOCK_PIXELS):
        np.copyto(target[low : low + _BLOCK_PIXELS], flat[:, low : low + _BLOCK_PIXELS].T)
