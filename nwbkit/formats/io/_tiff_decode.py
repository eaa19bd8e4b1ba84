"""Pages that are compressed, tiled or in several pieces.

The common codecs are called here and every piece must give exactly the bytes it stands for:
tifffile fills what is missing with zeros. What is left (JPEG, JPEG 2000, WebP, 12-bit
samples) goes to tifffile, one object a thread.
"""

from __future__ import annotations

import logging
import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nwbkit.errors import DamagedInput
from nwbkit.formats.io import _tiff_ifd as ifd
from nwbkit.formats.io._tiff_pages import Kind, TiffIndex

# tifffile tells what it met by logging; what matters of it is raised here
logging.getLogger("tifffile").addHandler(logging.NullHandler())

#: Codecs by their number in TIFF, as imagecodecs calls them.
_CODECS = {1: None, 5: "lzw", 8: "zlib", 32946: "zlib", 32773: "packbits"}
_CODECS |= {34925: "lzma", 50000: "zstd", 34926: "zstd"}


def knows(kind: Kind) -> bool:
    """Whether pages of this kind are decoded here, without tifffile."""
    whole = kind.bits == 8 * kind.dtype.itemsize
    return kind.compression in _CODECS and kind.predictor in (1, 2, 3) and whole


def decode(source: ifd.Bytes, index: TiffIndex, page: int) -> npt.NDArray[Any]:
    """The pixels of a page, shape (height, width, samples), in the file's dtype.

    Raises
    ------
    nwbkit.errors.DamagedInput
        Where they cannot be decoded, or are fewer than the page says.
    """
    try:
        return _decode(source, index, page)
    except DamagedInput:
        raise
    except ImportError:
        raise
    except Exception as error:  # noqa: BLE001 - each codec raises errors of its own
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DamagedInput(
            f"'{index.path.name}': page {page + 1} cannot be decoded: {reason}"
        ) from None


def _decode(source: ifd.Bytes, index: TiffIndex, page: int) -> npt.NDArray[Any]:
    kind, header = index.kind, index.header
    found = ifd.parse_directory(source, header, int(index.directories[page]))
    names = (ifd.TILE_OFFSETS, ifd.TILE_COUNTS)
    if not kind.tiled:
        names = (ifd.STRIP_OFFSETS, ifd.STRIP_COUNTS)
    offsets = [int(v) for v in ifd.values(source, header, found.entries[names[0]])]
    sizes = [kind.nbytes]
    if names[1] in found.entries:
        sizes = [int(v) for v in ifd.values(source, header, found.entries[names[1]])]

    def number(tag: int, default: int) -> int:
        entry = found.entries.get(tag)
        return int(ifd.values(source, header, entry)[0]) if entry is not None else default

    if kind.tiled:
        height, width = number(ifd.TILE_LENGTH, 0), number(ifd.TILE_WIDTH, 0)
    else:
        height, width = min(number(ifd.ROWS_PER_STRIP, kind.height), kind.height), kind.width
    if not (0 < height <= kind.height + 4096 and 0 < width <= kind.width + 4096):
        raise ValueError(f"its tiles are {height} x {width}")
    separate = kind.planar == 2 and kind.samples > 1
    samples = 1 if separate else kind.samples
    out = np.empty((kind.height, kind.width, kind.samples), kind.dtype)
    down, across = math.ceil(kind.height / height), math.ceil(kind.width / width)
    if len(offsets) != down * across * (kind.samples if separate else 1):
        raise ValueError(f"it has {len(offsets)} pieces of {height} x {width}")
    for k, (offset, size) in enumerate(zip(offsets, sizes, strict=True)):
        sample, place = divmod(k, down * across)
        row, column = place // across * height, place % across * width
        rows = height if kind.tiled else min(height, kind.height - row)
        raw = source.at(offset, size)
        if len(raw) < size:
            raise ValueError(f"the file ends at byte {source.size}, its data at {offset + size}")
        piece = _piece(raw, kind, (rows, width, samples))
        target = out[row : row + rows, column : column + width]
        part = piece[: target.shape[0], : target.shape[1]]
        if separate:
            target[:, :, sample] = part[:, :, 0]
        else:
            target[...] = part
    return out


def _piece(raw: bytes, kind: Kind, shape: tuple[int, int, int]) -> npt.NDArray[Any]:
    """One strip or tile."""
    import imagecodecs

    size = math.prod(shape) * kind.dtype.itemsize
    codec = _CODECS[kind.compression]
    if codec is not None:
        # the room given bounds what a bomb can unpack to
        room = bytearray(size)
        raw = getattr(imagecodecs, f"{codec}_decode")(raw, out=room)
    if len(raw) < size:
        raise ValueError(f"a piece of it holds {len(raw)} bytes, expected {size}")
    if kind.predictor == 3:
        values = np.frombuffer(raw, np.uint8, size).reshape(shape[0], -1)
        native = np.empty(shape, kind.dtype.newbyteorder("="))
        flat = values.reshape(shape[0], shape[1], -1)
        return np.asarray(_float_predicted(flat, native, shape))
    pixels = np.frombuffer(raw, kind.dtype, math.prod(shape)).reshape(shape)
    if kind.predictor == 2:
        unsigned = np.dtype(f"u{kind.dtype.itemsize}")
        steps = pixels.view(unsigned.newbyteorder(kind.dtype.byteorder)).astype(unsigned)
        return np.cumsum(steps, axis=1, dtype=unsigned).view(kind.dtype.newbyteorder("="))
    return pixels


def _float_predicted(
    flat: npt.NDArray[np.uint8], out: npt.NDArray[Any], shape: tuple[int, int, int]
) -> npt.NDArray[Any]:
    """Undo the floating point predictor (Adobe's Technical Note 3): bytes apart, differenced."""
    rows, width, samples = shape
    item = out.dtype.itemsize
    line = flat.reshape(rows, width * item, samples)
    total = np.cumsum(line, axis=1, dtype=np.uint8).reshape(rows, item, width * samples)
    # the most significant byte comes first, whatever the file's order
    values = np.ascontiguousarray(total.transpose(0, 2, 1)).view(out.dtype.newbyteorder(">"))
    return values.reshape(shape).astype(out.dtype)


def by_tifffile(tif: Any, index: TiffIndex, page: int) -> npt.NDArray[Any]:
    """A page read by tifffile, from its directory; shape (height, width, samples).

    Raises
    ------
    nwbkit.errors.DamagedInput
        Where it cannot be decoded or is of another shape.
    """
    import tifffile

    kind = index.kind
    try:
        tif.filehandle.seek(int(index.directories[page]))
        pixels = np.asarray(tifffile.TiffPage(tif, page).asarray())
    except ImportError:
        raise
    except Exception as error:  # noqa: BLE001 - tifffile passes on what each codec raises
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise _undecoded(index.path, page, reason) from None
    if kind.planar == 2 and kind.samples > 1 and pixels.ndim == 3:
        pixels = np.moveaxis(pixels, 0, -1)
    if pixels.dtype.newbyteorder("=") != kind.dtype.newbyteorder("="):
        raise _undecoded(index.path, page, f"it is {pixels.dtype}, expected {kind.dtype.name}")
    if pixels.size != kind.height * kind.width * kind.samples:
        raise _undecoded(index.path, page, f"its shape is {pixels.shape}, expected {kind}")
    return pixels.reshape(kind.height, kind.width, kind.samples)


def _undecoded(path: Path, page: int, reason: str) -> DamagedInput:
    return DamagedInput(f"'{path.name}': page {page + 1} cannot be decoded: {reason}")
