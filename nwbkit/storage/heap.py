"""Keeping what the allocator has given back within the process."""

from __future__ import annotations

import ctypes
import functools

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3

#: Above what an encoded chunk of HDF5 needs. Slabs and bands are larger, few, and used again by
#: their owners; they are mapped as before.
_CHUNK = 4 << 20

#: Above what one of Zarr needs, of 16 MiB before encoding; the largest that glibc takes.
ZARR_CHUNK = 32 << 20


@functools.cache
def keep_heap(size: int = _CHUNK) -> None:
    """Have glibc reuse buffers of up to `size` bytes in place of returning each to the kernel.

    Every encoded chunk is a buffer of some hundred kilobytes. By default each is mapped, zeroed
    page by page, and unmapped again, and on several cores every unmapping interrupts all of
    them: 5 % of a fill's time. Elsewhere than on glibc nothing is done.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return
    mallopt(_MMAP_THRESHOLD, size)
    mallopt(_TRIM_THRESHOLD, max(64 << 20, 4 * size))
    mallopt(_TOP_PAD, 1 << 20)
