"""Blosc buffers that notice a flipped bit.

A plain blosc buffer (hdmf-zarr's default) and a plain zstd frame decode to wrong values after
most bit flips. Blosc keeps each block as a frame of zstd, and zstd frames may carry a checksum
of their content which every decoder of zstd tests: :func:`seal` adds it. The result is a blosc
buffer like any other to zarr-python 2 and 3, numcodecs, tensorstore and zarr.js. What stands
outside of the frames (16 bytes of header, where blocks begin, how long they are) is tested by
:func:`check_blosc` here.

Sources: c-blosc 1.x README_HEADER.rst; RFC 8878 (zstd).
"""

from __future__ import annotations

import itertools
import math
import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import xxhash

from nwbkit.errors import MissingExtra

AnyArray = npt.NDArray[Any]
Bytes = bytes | memoryview

#: Blocks within a blosc buffer. Of Neuropixels data 1 MiB packs as well as 4 MiB and faster.
BLOCK_BYTES = 1 << 20

NO_SHUFFLE, BYTE_SHUFFLE, BIT_SHUFFLE = 0, 1, 2

_HEADER = struct.Struct("<BBBBIII")
_MEMCPYED = 2
_ZSTD_CODE = 4 << 5
_CODES = {"blosclz": 0, "lz4": 1, "lz4hc": 1, "snappy": 2, "zlib": 3, "zstd": 4}
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
HAS_CHECKSUM = 4


class ChunkError(Exception):
    """A chunk whose bytes are not what its array's metadata promises."""


def need_numcodecs() -> None:
    """Refuse to go on without numcodecs.

    Raises
    ------
    nwbkit.errors.MissingExtra
    """
    try:
        import numcodecs  # noqa: F401
    except ImportError:
        raise MissingExtra("Zarr", "zarr", package="numcodecs") from None


def sealed_blosc(values: AnyArray, level: int, shuffle: int) -> bytes:
    """`values`, contiguous, as a blosc buffer of zstd frames with checksums.

    Parameters
    ----------
    values : numpy.ndarray
        Little-endian; its item size is what is shuffled.
    level : int
        Of zstd as blosc counts, 1 to 9.
    shuffle : int
        0 none, 1 bytes, 2 bits.
    """
    from numcodecs import blosc

    return seal(blosc.compress(values, b"zstd", level, shuffle, BLOCK_BYTES))


def seal(data: bytes) -> bytes:
    """Give each zstd frame of a blosc buffer its checksum."""
    head = _HEADER.unpack_from(data)
    _, _, flags, itemsize, nbytes, blocksize, _ = head
    if flags & _MEMCPYED:  # blosc gave up and keeps the bytes as they are, unchecked
        return _stored(data[16:], itemsize)
    starts = _starts(data, nbytes, blocksize)
    ends = dict(zip(sorted(starts), [*sorted(starts)[1:], len(data)], strict=True))
    return _joined(
        head,
        nbytes,
        [
            _block(data, start, ends[start], min(blocksize, nbytes - index * blocksize))
            for index, start in enumerate(starts)
        ],
    )


def _joined(head: tuple[int, ...], nbytes: int, blocks: Sequence[list[Bytes]]) -> bytes:
    """A buffer of sealed blocks, each in pieces; `head` as of any buffer packed like them."""
    version, packer, flags, itemsize, _, blocksize, _ = head
    at = 16 + 4 * len(blocks)
    places = []
    for pieces in blocks:
        places.append(at)
        at += sum(map(len, pieces))
    made = _HEADER.pack(version, packer, flags, itemsize, nbytes, blocksize, at)
    return b"".join(
        [made, struct.pack(f"<{len(places)}I", *places), *itertools.chain.from_iterable(blocks)]
    )


def _block(data: bytes, start: int, end: int, size: int) -> list[Bytes]:
    """One block, sealed, in pieces that are copied once."""
    pieces: list[Bytes] = []
    for frame in _frames(data, start, end, size):
        pieces += [struct.pack("<I", sum(map(len, frame))), *frame]
    return pieces


class Blocks:
    """A sealed buffer whose values come block by block; byte for byte what all at once gives.

    Parameters
    ----------
    nbytes : int
        Of all values; more than one block.
    dtype : numpy.dtype
        Of the items that are shuffled.
    level, shuffle : int
        As of :func:`sealed_blosc`.
    """

    def __init__(self, nbytes: int, dtype: np.dtype[Any], level: int, shuffle: int) -> None:
        self.nbytes, self._dtype = nbytes, dtype
        self._level, self._shuffle = level, shuffle
        #: Bytes of a block; blosc cuts what it is asked for down to whole items.
        self.size = BLOCK_BYTES // dtype.itemsize * dtype.itemsize
        self._head: tuple[int, ...] | None = None
        self._blocks: list[list[Bytes]] = []

    def add(self, values: AnyArray) -> None:
        """Pack one block: bytes, fewer than :attr:`size` only at the end."""
        items = values.view(self._dtype)
        data = self._packed(items) if values.nbytes == self.size else b""
        if not data or data[2] & _MEMCPYED:
            # What does not pack, and a shorter last block, are made as in a longer buffer
            before = np.zeros(self.size // self._dtype.itemsize, self._dtype)
            data = self._packed(np.concatenate([before, items]))
            start, end = _starts(data, self.size + values.nbytes, self.size)[1], len(data)
        else:
            start, end = 20, len(data)
        self._head = self._head or _HEADER.unpack_from(data)
        self._blocks.append(_block(data, start, end, values.nbytes))

    def _packed(self, items: AnyArray) -> bytes:
        from numcodecs import blosc

        return bytes(blosc.compress(items, b"zstd", self._level, self._shuffle, BLOCK_BYTES))

    def finish(self) -> bytes:
        """The buffer."""
        assert self._head is not None
        data = _joined(self._head, self.nbytes, self._blocks)
        if not _all_raw(data):
            return data
        from numcodecs import blosc

        # nothing packed: as all at once, the values are kept without being shuffled
        whole = np.frombuffer(blosc.decompress(data), self._dtype)
        return sealed_blosc(whole, self._level, self._shuffle)


def _frames(data: bytes, start: int, end: int, size: int) -> Iterator[list[Bytes]]:
    """The frames of one block, each with its checksum, in pieces that are copied once."""
    from numcodecs import zstd

    whole = memoryview(data)
    while start < end:
        (length,) = struct.unpack_from("<I", data, start)
        frame = whole[start + 4 : start + 4 + length]
        start += 4 + length
        if length == size or frame[:4] != ZSTD_MAGIC:  # kept as it is: did not pack
            yield [_raw_frame(frame)]
        else:
            content = zstd.decompress(frame)
            head = ZSTD_MAGIC + bytes([frame[4] | HAS_CHECKSUM])
            yield [head, frame[5:], _checksum(content)]


def _checksum(content: Bytes) -> bytes:
    return (xxhash.xxh64_intdigest(content) & 0xFFFFFFFF).to_bytes(4, "little")


def _raw_frame(content: Bytes) -> bytes:
    """A zstd frame that keeps `content` as it is, with its checksum."""
    pieces: list[Bytes] = [ZSTD_MAGIC, bytes([0xA4]), len(content).to_bytes(4, "little")]
    step = 128 << 10  # the longest block that zstd knows
    starts = range(0, len(content), step) or (0,)
    for start in starts:
        part = content[start : start + step]
        last = start + step >= len(content)
        pieces += [(len(part) << 3 | last).to_bytes(3, "little"), part]
    return b"".join([*pieces, _checksum(content)])


def _stored(content: bytes, itemsize: int) -> bytes:
    """A blosc buffer of frames that keep `content` as it is."""
    from numcodecs import blosc

    sample = blosc.compress(np.zeros(256, np.uint8), b"zstd", 1, 0, 0)
    n = math.ceil(len(content) / BLOCK_BYTES)
    blocksize = min(BLOCK_BYTES, len(content))
    at = 16 + 4 * n
    places, pieces = [], []
    for index in range(n):
        frame = _raw_frame(content[index * blocksize : (index + 1) * blocksize])
        places.append(at)
        pieces += [struct.pack("<I", len(frame)), frame]
        at += 4 + len(frame)
    # no shuffle, blocks not split, zstd
    head = _HEADER.pack(
        sample[0],
        sample[1],
        _ZSTD_CODE | 0x10,
        min(itemsize, 255),
        len(content),
        max(blocksize, 1),
        at,
    )
    return b"".join([head, struct.pack(f"<{n}I", *places), *pieces])


def _starts(data: Bytes, nbytes: int, blocksize: int) -> tuple[int, ...]:
    count = math.ceil(nbytes / blocksize) if blocksize else 0
    return struct.unpack_from(f"<{count}I", data, 16)


def check_blosc(data: Bytes, size: int, itemsize: int, config: Mapping[str, Any]) -> bool:
    """Hold what stands outside of a blosc buffer's frames against the chunk's metadata.

    Parameters
    ----------
    data : bytes-like
    size : int
        Of the chunk, unpacked; negative where that is not known.
    itemsize : int
    config : mapping
        Of the codec, as .zarray states it.

    Returns
    -------
    bool
        Whether all that was packed carries a checksum.

    Raises
    ------
    ChunkError
    """
    if len(data) < 16:
        raise ChunkError(f"a blosc buffer of {len(data)} bytes")
    version, packer, flags, typesize, nbytes, blocksize, cbytes = _HEADER.unpack_from(data)
    if cbytes != len(data):
        raise ChunkError(f"{len(data)} bytes are there of a blosc buffer of {cbytes}")
    if size >= 0 and nbytes != size:
        raise ChunkError(f"blosc buffer of {nbytes} bytes for a chunk of {size}")
    if flags & _MEMCPYED:
        if cbytes != nbytes + 16:
            raise ChunkError("blosc header contradicts itself")
        return False
    if not 0 < blocksize <= nbytes or 16 + 4 * math.ceil(nbytes / blocksize) > cbytes:
        raise ChunkError("blosc header contradicts itself")
    said = _CODES.get(str(config.get("cname")), -1)
    if flags >> 5 != said or version != 2 or packer != 1 or flags & 0x08:
        raise ChunkError("blosc header is of another codec than .zarray says")
    checked = _check_blocks(data, nbytes, blocksize, said)
    if checked and not _shuffle_fits(flags, typesize, itemsize, config, data):
        raise ChunkError("blosc header is of another shuffle than .zarray says")
    return checked


def _shuffle_fits(
    flags: int, typesize: int, itemsize: int, config: Mapping[str, Any], data: Bytes
) -> bool:
    """Whether the shuffle is the array's; what did not pack is kept whole and not shuffled."""
    if typesize != min(itemsize, 255) or not flags & 0x10:
        return False
    found = flags & 5
    stated = config.get("shuffle")
    if stated == -1:
        stated = BIT_SHUFFLE if itemsize == 1 else BYTE_SHUFFLE
    wanted = {BYTE_SHUFFLE: 1, BIT_SHUFFLE: 4}.get(int(stated or 0), 0)
    if _all_raw(data):
        return found == 0
    return found == wanted or (wanted == 1 and typesize == 1 and not found)


def _all_raw(data: Bytes) -> bool:
    _, _, _, _, nbytes, blocksize, _ = _HEADER.unpack_from(data)
    for index, start in enumerate(_starts(data, nbytes, blocksize)):
        size = min(blocksize, nbytes - index * blocksize)
        (length,) = struct.unpack_from("<I", data, start)
        if length != size + 13 + 3 * max(1, math.ceil(size / (128 << 10))):
            return False
    return True


def _check_blocks(data: Bytes, nbytes: int, blocksize: int, code: int) -> bool:
    """Whether blocks follow one another without a gap, and all are frames with a checksum."""
    starts = _starts(data, nbytes, blocksize)
    ends = sorted({*starts, len(data)})
    if len(ends) != len(starts) + 1 or ends[0] != 16 + 4 * len(starts) or ends[-1] > len(data):
        raise ChunkError("blocks of the blosc buffer overlap or leave gaps")
    if code != _CODES["zstd"]:
        return False
    checked = True
    for start, end in itertools.pairwise(ends):
        at = start
        while at < end:
            if at + 9 > end:
                raise ChunkError("a block of the blosc buffer is cut short")
            (length,) = struct.unpack_from("<I", data, at)
            frame = data[at + 4 : at + 9]
            at += 4 + length
            checked &= bytes(frame[:4]) == ZSTD_MAGIC and bool(frame[4] & HAS_CHECKSUM)
        if at != end:
            raise ChunkError("a block of the blosc buffer has another length than it says")
    # Blocks stand in order where one thread wrote them, as here; so a swap of two is found.
    return checked and list(starts) == ends[:-1]
