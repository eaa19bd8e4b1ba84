"""Chunks of Zarr v2 arrays, decoded strictly: what does not fit its metadata is refused.

Codecs of no use for NWB are not read, and of pickles only what hdmf-zarr makes of references,
without running them (see ``pickled``).

Sources: Zarr v2 specification; numcodecs for the layout of ``vlen-utf8`` and ``json2``;
RFC 8878 (zstd).
"""

from __future__ import annotations

import json
import math
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nwbkit.zarrs.blosc import (
    HAS_CHECKSUM,
    ZSTD_MAGIC,
    AnyArray,
    Bytes,
    ChunkError,
    check_blosc,
)

#: A chunk of texts or references that unpacks to more is not read.
MAX_TEXT_CHUNK = 1 << 30


@dataclass(frozen=True)
class Chain:
    """How the chunks of one array are encoded.

    Parameters
    ----------
    dtype : numpy.dtype
        As stored; ``object`` for texts and references.
    chunks : tuple of int
    order : {"C", "F"}
    compressor : mapping, optional
    filters : sequence of mapping
        In the order in which they were applied.
    """

    dtype: np.dtype[Any]
    chunks: tuple[int, ...]
    order: str
    compressor: Mapping[str, Any] | None
    filters: Sequence[Mapping[str, Any]]

    @property
    def size(self) -> int:
        """Bytes of a chunk before filters; -1 for objects."""
        return -1 if self.dtype.hasobject else math.prod(self.chunks) * self.dtype.itemsize

    def refused(self) -> str | None:
        """Which codec is not read here; None where all are."""
        for config in (*self.filters, *([self.compressor] if self.compressor else [])):
            name = str(config.get("id"))
            if name not in _DECODERS:
                return name
        return None

    def checked(self, data: Bytes) -> bool:
        """Whether a flipped bit in the chunk `data` would be noticed."""
        names = [str(f.get("id")) for f in self.filters]
        if {"fletcher32", "crc32", "crc32c", "adler32"} & set(names):
            return True
        name = str((self.compressor or {}).get("id"))
        if name == "blosc":
            return check_blosc(data, -1, self._packed_item(), self.compressor or {})
        return name in ("zlib", "gzip") or (name == "zstd" and bool(data[4] & HAS_CHECKSUM))

    def _packed_item(self) -> int:
        return 1 if self.filters or self.dtype.hasobject else self.dtype.itemsize

    def decode(self, data: Bytes, out: AnyArray | None = None) -> AnyArray:
        """The values of one chunk.

        Parameters
        ----------
        data : bytes-like
        out : numpy.ndarray, optional
            Bytes that the last step may unpack into.

        Raises
        ------
        ChunkError
        """
        size = self.size
        if size >= 0:
            size += sum(4 for f in self.filters if f.get("id") in _SUMS)
        steps = [*self.filters, *([self.compressor] if self.compressor else [])]
        value: Any = data
        for config in reversed(steps):
            name = str(config.get("id"))
            decoder = _DECODERS.get(name)
            if decoder is None:
                raise ChunkError(f"codec '{name}' is not read here")
            value = decoder(value, size, self._packed_item(), config, out)
            if name in _SUMS and size >= 0:
                size -= 4
        if self.dtype.hasobject:
            return _objects(value, self.chunks)
        if len(value) != size:
            raise ChunkError(f"chunk is {len(value)} bytes long, not {size}")
        flat = np.frombuffer(value, self.dtype)
        return flat.reshape(self.chunks, order="F" if self.order == "F" else "C")


def _objects(value: Any, chunks: tuple[int, ...]) -> AnyArray:
    if not isinstance(value, list) or len(value) != math.prod(chunks):
        raise ChunkError("chunk holds another number of values than its shape says")
    array = np.empty(len(value), object)
    array[:] = value
    return array.reshape(chunks)


def _limit(size: int, declared: int) -> int:
    """The length to unpack to: known, or declared and within reason."""
    if size >= 0:
        return size
    if not 0 <= declared <= MAX_TEXT_CHUNK:
        raise ChunkError(f"chunk claims to unpack to {declared} bytes")
    return declared


def _blosc(
    data: Bytes, size: int, item: int, config: Mapping[str, Any], out: AnyArray | None
) -> Any:
    from numcodecs import blosc

    check_blosc(data, size, item, config)
    size = _limit(size, struct.unpack_from("<I", data, 4)[0])
    target = np.empty(size, np.uint8) if out is None else out.reshape(-1).view(np.uint8)[:size]
    if not size:
        return target.data
    try:
        blosc.decompress(data, target)
    except (RuntimeError, ValueError) as error:
        raise ChunkError(f"blosc buffer is broken: {str(error).lower()}") from None
    return target.data


def _zstd(
    data: Bytes, size: int, item: int, config: Mapping[str, Any], out: AnyArray | None
) -> Any:
    from numcodecs import zstd

    size = _limit(size, _zstd_size(data))
    target = np.empty(size, np.uint8) if out is None else out.reshape(-1).view(np.uint8)[:size]
    if _zstd_size(data) != size:
        raise ChunkError(f"zstd frame does not unpack to {size} bytes")
    try:
        zstd.decompress(data, target)
    except (RuntimeError, ValueError) as error:
        raise ChunkError(f"zstd frame is broken: {str(error).lower()}") from None
    return target.data


def _zstd_size(data: Bytes) -> int:
    """What a zstd frame says that it unpacks to."""
    if bytes(data[:4]) != ZSTD_MAGIC or len(data) < 6:
        raise ChunkError("not a zstd frame")
    descriptor = data[4]
    width = (1 if descriptor & 0x20 else 0, 2, 4, 8)[descriptor >> 6]
    at = 5 + (not descriptor & 0x20) + (0, 1, 2, 4)[descriptor & 3]
    if not width:
        raise ChunkError("a zstd frame of undeclared size")
    return int.from_bytes(data[at : at + width], "little") + (256 if width == 2 else 0)


def _zlib(
    data: Bytes, size: int, item: int, config: Mapping[str, Any], out: AnyArray | None
) -> Any:
    limit = size if size >= 0 else MAX_TEXT_CHUNK
    machine = zlib.decompressobj(31 if config.get("id") == "gzip" else 15)
    try:
        raw = machine.decompress(data, limit + 1)
    except zlib.error as error:
        raise ChunkError(f"deflate stream is broken: {error}") from None
    if len(raw) > limit or not machine.eof or machine.unused_data:
        raise ChunkError(f"chunk does not inflate to {limit} bytes")
    return raw


def _shuffled(
    data: Bytes, size: int, item: int, config: Mapping[str, Any], out: AnyArray | None
) -> Any:
    width = int(config.get("elementsize", 1))
    if width < 1 or len(data) % width:
        raise ChunkError(f"chunk of {len(data)} bytes is no shuffle of {width}")
    return np.ascontiguousarray(np.frombuffer(data, np.uint8).reshape(width, -1).T).reshape(-1).data


def _summed(
    data: Bytes, size: int, item: int, config: Mapping[str, Any], out: AnyArray | None
) -> Any:
    import numcodecs

    try:
        return memoryview(numcodecs.get_codec(dict(config)).decode(data)).cast("B")
    except (RuntimeError, ValueError, TypeError) as error:
        raise ChunkError(f"checksum does not fit: {str(error).splitlines()[0].lower()}") from None


def _vlen(
    data: Bytes, size: int, item: int, config: Mapping[str, Any], out: AnyArray | None
) -> Any:
    """Texts: their number, then each one's length and UTF-8."""
    raw = bytes(data)
    if len(raw) < 4:
        raise ChunkError("texts are cut short")
    (count,) = struct.unpack_from("<I", raw)
    at, texts = 4, []
    for _ in range(count):
        if at + 4 > len(raw):
            raise ChunkError("texts are cut short")
        (length,) = struct.unpack_from("<I", raw, at)
        at += 4
        if at + length > len(raw):
            raise ChunkError("texts are cut short")
        texts.append(raw[at : at + length])
        at += length
    if at != len(raw):
        raise ChunkError("texts are followed by something else")
    return texts


def _json(
    data: Bytes, size: int, item: int, config: Mapping[str, Any], out: AnyArray | None
) -> Any:
    """Values as JSON, with the array's dtype and shape at the end."""
    try:
        *items, _, shape = json.loads(bytes(data))
        for _ in range(len(shape) - 1):
            items = [value for row in items for value in row]
        if len(items) != math.prod(shape):
            raise ValueError(shape)
    except (ValueError, TypeError, RecursionError):
        raise ChunkError("chunk is no JSON of values, dtype and shape") from None
    return items


def _pickled(
    data: Bytes, size: int, item: int, config: Mapping[str, Any], out: AnyArray | None
) -> Any:
    """References as hdmf-zarr keeps them by default; nothing of the pickle is run."""
    from nwbkit.zarrs.pickled import values

    return values(bytes(data))


_SUMS = ("fletcher32", "crc32", "adler32", "crc32c")
_DECODERS = {
    "blosc": _blosc,
    "zstd": _zstd,
    "zlib": _zlib,
    "gzip": _zlib,
    "shuffle": _shuffled,
    "vlen-utf8": _vlen,
    "vlen-bytes": _vlen,
    "json2": _json,
    "pickle": _pickled,
    **dict.fromkeys(_SUMS, _summed),
}
