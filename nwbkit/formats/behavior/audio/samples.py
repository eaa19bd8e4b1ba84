"""Plain samples by positioned reads: integers as they are, A-law and mu-law by table."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nwbkit.formats.behavior.audio.layout import Layout
from nwbkit.formats.io.flat import FlatArray, FlatFile
from nwbkit.streams import Array
from nwbkit.streams.kinds import AnyArray


@dataclass(frozen=True)
class Scale:
    """``data * gain + offset`` is 1.0 at full scale."""

    dtype: np.dtype[Any]
    gain: float
    offset: float = 0.0


def scale_of(layout: Layout) -> Scale:
    """How the samples of a plain layout are stored in NWB."""
    if layout.coding in ("alaw", "ulaw"):
        return Scale(np.dtype(np.int16), 2.0**-15)
    if layout.coding == "float":
        return Scale(np.dtype(f"f{layout.sample_bytes}"), 1.0)
    gain = 2.0 ** (1 - 8 * layout.sample_bytes)
    if layout.sample_bytes == 1 and layout.unsigned:
        return Scale(np.dtype(np.uint8), gain, -1.0)
    width = {1: 1, 2: 2, 3: 4, 4: 4}[layout.sample_bytes]
    return Scale(np.dtype(f"i{width}"), gain)


@dataclass(kw_only=True, eq=False)
class Samples(Array):
    """Samples of a file in their own width, native byte order.

    Shape (samples,) for one channel, else (samples, channels). 24-bit samples are int32 of the
    same value.
    """

    flat: FlatArray
    layout: Layout

    def read(self, start: int, stop: int, out: AnyArray | None = None) -> AnyArray:
        """Rows ``start..stop``; safe from any number of threads at once."""
        raw = self.flat.read(start, stop)
        wanted = (stop - start, *self.shape[1:])
        values: AnyArray
        if self.layout.coding in ("alaw", "ulaw"):
            values = _TABLES[self.layout.coding][raw]
        elif self.layout.sample_bytes == 3:
            values = from_24(raw, big_endian=self.layout.big_endian)
        else:
            values = raw.astype(self.dtype, copy=False)
        values = values.reshape(wanted)
        if out is None:
            return np.ascontiguousarray(values)
        np.copyto(out, values)
        return out


def open_samples(path: Path, layout: Layout, **facts: Any) -> Samples:
    """The stream of a plain layout; `facts` as Array takes them."""
    scale = scale_of(layout)
    n, channels = layout.n_frames, layout.channels
    stored, columns = _stored(layout)
    flat = FlatArray(
        id="bytes",
        name=path.name,
        role="audio",
        shape=(n, columns),
        dtype=stored,
        files=(FlatFile(path, n, layout.offset),),
    )
    return Samples(
        shape=(n,) if channels == 1 else (n, channels),
        dtype=scale.dtype,
        gain=np.array([scale.gain]),
        offset=np.array([scale.offset]),
        flat=flat,
        layout=layout,
        **facts,
    )


def _stored(layout: Layout) -> tuple[np.dtype[Any], int]:
    """Type and number of the elements of a frame in the file."""
    order = ">" if layout.big_endian else "<"
    if layout.sample_bytes == 3:
        return np.dtype(np.uint8), 3 * layout.channels
    if layout.coding in ("alaw", "ulaw") or layout.unsigned:
        return np.dtype(np.uint8), layout.channels
    letter = "f" if layout.coding == "float" else "i"
    return np.dtype(f"{order}{letter}{layout.sample_bytes}"), layout.channels


def from_24(raw: npt.NDArray[np.uint8], *, big_endian: bool) -> npt.NDArray[np.int32]:
    """Three bytes each -> int32 of the same value; shape (rows, 3 n) -> (rows, n)."""
    bytes_of = raw.reshape(len(raw), raw.shape[1] // 3, 3)
    wide = np.zeros((*bytes_of.shape[:2], 4), np.uint8)
    wide[..., 1:] = bytes_of[..., ::-1] if big_endian else bytes_of
    values: npt.NDArray[np.int32] = wide.view("<i4")[..., 0] >> 8
    return values.astype(np.int32, copy=False)


def _alaw() -> npt.NDArray[np.int16]:
    """ITU-T G.711, table 1: 13 bits, left justified in 16."""
    code = np.arange(256) ^ 0x55
    exponent, mantissa = code >> 4 & 7, (code & 15) << 4
    size = np.where(exponent == 0, mantissa + 8, (mantissa + 0x108) << np.maximum(exponent - 1, 0))
    return np.where(code & 0x80, size, -size).astype(np.int16)


def _ulaw() -> npt.NDArray[np.int16]:
    """ITU-T G.711, table 2: 14 bits, left justified in 16."""
    code = ~np.arange(256) & 0xFF
    size = (((code & 15) << 3) + 0x84 << (code >> 4 & 7)) - 0x84
    return np.where(code & 0x80, -size, size).astype(np.int16)


_TABLES = {"alaw": _alaw(), "ulaw": _ulaw()}
