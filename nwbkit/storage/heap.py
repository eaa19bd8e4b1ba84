"""Keeping what the allocator has given back within the process."""

from __future__ import annotations

import ctypes
import functools

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3

#: Above what an encoded chunk needs. Slabs and bands are larger, few, and used again by their
#: owners; they are mapped as before.
_KEPT = 4 << 20


@functools.cache
def keep_heap() -> None:
    """Have glibc reuse buffers of up to 4 MiB in place of returning each to the kernel.

    Every encoded chunk is a buffer of some hundred kilobytes. By default each is mapped, zeroed
    page by page, and unmapped again, and on several cores every unmapping interrupts all of
    them: 5 % of a fill's time. Elsewhere than on glibc nothing is done.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return
    mallopt(_MMAP_THRESHOLD, _KEPT)
    mallopt(_TRIM_THRESHOLD, 16 * _KEPT)
    mallopt(_TOP_PAD, 1 << 20)
