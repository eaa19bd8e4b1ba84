"""Sound that a codec must unpack, by libsndfile through ``soundfile``.

Lossless sound is read from any frame on, by as many threads as ask, each with a file of its
own. A lossy codec's samples depend on those before them: after a jump they may differ in the
last bits from what decoding front to back gives, so nothing jumps, and blocks that were
decoded are kept for a while for those who ask a little out of order.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nwbkit.errors import DamagedInput
from nwbkit.formats.behavior.audio.samples import Scale
from nwbkit.streams import Array
from nwbkit.streams.kinds import AnyArray

if TYPE_CHECKING:
    import soundfile

#: Subtype of libsndfile -> (type in NWB, bits, type that libsndfile is asked for).
_EXACT = {
    "PCM_S8": ("i1", 8, "int16"),
    "PCM_U8": ("u1", 8, "int16"),
    "PCM_16": ("i2", 16, "int16"),
    "PCM_24": ("i4", 24, "int32"),
    "PCM_32": ("i4", 32, "int32"),
    "FLOAT": ("f4", 0, "float32"),
    "DOUBLE": ("f8", 0, "float64"),
    "ALAC_16": ("i2", 16, "int16"),
    "ALAC_20": ("i4", 20, "int32"),
    "ALAC_24": ("i4", 24, "int32"),
    "ALAC_32": ("i4", 32, "int32"),
}
#: Codecs that give 16-bit integers by their definition.
_SIXTEEN = ("ULAW", "ALAW", "IMA_ADPCM", "MS_ADPCM", "GSM610", "G721_32", "G723_24", "G723_40")
#: Codecs whose every sample can be had without those before it.
_JUMPS = ("PCM_S8", "PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW")
_BLOCK = 1 << 16
_KEPT = 24


@dataclass(frozen=True)
class Coded:
    """How libsndfile's samples of a subtype become ours."""

    scale: Scale
    asked: str
    bits: int
    jumps: bool

    def ours(self, values: AnyArray) -> AnyArray:
        """Fewer bits stand at the top of libsndfile's integers; back to their own value."""
        width = np.dtype(self.asked).itemsize * 8
        if self.bits and self.bits < width:
            values = values >> (width - self.bits)
        if self.scale.dtype.kind == "u":
            values = values + 128
        return values.astype(self.scale.dtype, copy=False)


def coded(subtype: str) -> Coded:
    """What libsndfile's `subtype` is read as."""
    if subtype in _EXACT:
        name, bits, asked = _EXACT[subtype]
        gain = 2.0 ** (1 - bits) if bits else 1.0
        offset = -1.0 if name == "u1" else 0.0
        scale = Scale(np.dtype(name), gain, offset)
        return Coded(scale, asked, bits, subtype in _JUMPS)
    if subtype in _SIXTEEN:
        return Coded(Scale(np.dtype(np.int16), 2.0**-15), "int16", 16, subtype in _JUMPS)
    return Coded(Scale(np.dtype(np.float32), 1.0), "float32", 0, False)


def open_sound(path: Path) -> soundfile.SoundFile:
    """`path`, open.

    Raises
    ------
    nwbkit.errors.DamagedInput
        Where libsndfile cannot read it.
    """
    import soundfile

    try:
        return soundfile.SoundFile(path)
    except (soundfile.LibsndfileError, RuntimeError) as error:
        raise DamagedInput(f"'{path.name}' cannot be decoded: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    text = str(getattr(error, "error_string", error)) or type(error).__name__
    return text.rstrip(".").lower()


class Pool:
    """Open files of one path; each is used by one thread at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._free: list[Any] = []
        self._lock = threading.Lock()

    @contextmanager
    def file(self) -> Iterator[Any]:
        """One of them, or a new one."""
        with self._lock:
            sound = self._free.pop() if self._free else None
        if sound is None:
            sound = open_sound(self._path)
        try:
            yield sound
        finally:
            with self._lock:
                self._free.append(sound)

    def close(self) -> None:
        """Close those that nobody uses."""
        with self._lock:
            for sound in self._free:
                sound.close()
            self._free.clear()


def take(sound: Any, n: int, path: Path, coding: Coded) -> AnyArray:
    """The next `n` frames, shape (n, channels), in our type.

    Raises
    ------
    nwbkit.errors.DamagedInput
        Where there are fewer, or they cannot be decoded.
    """
    import soundfile

    at = sound.tell()
    try:
        values = sound.read(n, dtype=coding.asked, always_2d=True)
    except (soundfile.LibsndfileError, RuntimeError) as error:
        raise DamagedInput(f"'{path.name}' cannot be decoded: {_reason(error)}") from None
    if len(values) != n:
        raise DamagedInput(
            f"'{path.name}' ends at frame {at + len(values)}, where its header says {sound.frames}",
            hint="--salvage reads what is there",
        )
    return coding.ours(values)


@dataclass(kw_only=True, eq=False)
class Decoded(Array):
    """Samples that libsndfile unpacks; shape as of ``Samples``."""

    path: Path
    coding: Coded
    _pool: Pool = field(init=False, repr=False)
    _kept: OrderedDict[int, AnyArray] = field(init=False, repr=False)
    _lock: threading.Lock = field(init=False, repr=False)
    _sound: Any = field(init=False, repr=False, default=None)

    def __post_init__(self) -> None:
        self._pool, self._kept, self._lock = Pool(self.path), OrderedDict(), threading.Lock()
        self.block_rows = _BLOCK
        self.concurrency = "threads" if self.coding.jumps else "serial"

    def read(self, start: int, stop: int, out: AnyArray | None = None) -> AnyArray:
        """Rows ``start..stop``.

        Raises
        ------
        nwbkit.errors.DamagedInput
            Where the file cannot be decoded so far.
        """
        if not 0 <= start <= stop <= self.shape[0]:
            raise IndexError(f"rows {start}..{stop} of {self.shape[0]}")
        values = self._jump(start, stop) if self.coding.jumps else self._follow(start, stop)
        values = values.reshape(stop - start, *self.shape[1:])
        if out is None:
            return np.ascontiguousarray(values)
        np.copyto(out, values)
        return out

    def _jump(self, start: int, stop: int) -> AnyArray:
        with self._pool.file() as sound:
            if stop > start:
                seek(sound, start, self.path)
            return take(sound, stop - start, self.path, self.coding)

    def _follow(self, start: int, stop: int) -> AnyArray:
        """The rows out of blocks that were decoded one after the other."""
        channels = self.shape[1] if len(self.shape) > 1 else 1
        rows = np.empty((stop - start, channels), self.dtype)
        with self._lock:
            for block in range(start // _BLOCK, -(-stop // _BLOCK)):
                first = block * _BLOCK
                low, high = max(start, first), min(stop, first + _BLOCK)
                rows[low - start : high - start] = self._block(block)[low - first : high - first]
        return rows

    def _block(self, wanted: int) -> AnyArray:
        if wanted in self._kept:
            return self._kept[wanted]
        if self._sound is None or self._sound.tell() > wanted * _BLOCK:
            self._rewind()
        while True:
            at = self._sound.tell()
            n = min(_BLOCK, self.shape[0] - at)
            rows = self._kept[at // _BLOCK] = take(self._sound, n, self.path, self.coding)
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
            if at // _BLOCK == wanted:
                return rows

    def _rewind(self) -> None:
        if self._sound is not None:
            self._sound.close()
        self._kept.clear()
        self._sound = open_sound(self.path)

    def close(self) -> None:
        """Close the files. Reading again opens them again."""
        self._pool.close()
        with self._lock:
            if self._sound is not None:
                self._sound.close()
            self._sound = None


def seek(sound: Any, frame: int, path: Path) -> None:
    """Go to `frame`.

    Raises
    ------
    nwbkit.errors.DamagedInput
        Where the file does not reach so far.
    """
    import soundfile

    try:
        sound.seek(frame)
    except (soundfile.LibsndfileError, RuntimeError) as error:
        raise DamagedInput(
            f"'{path.name}' cannot be decoded from frame {frame}: {_reason(error)}",
            hint="--salvage reads what is there",
        ) from None


def flac_md5(path: Path, progress: Callable[[int], None] | None = None) -> tuple[str, str] | None:
    """``(stated, found)`` MD5 of a FLAC file's samples; None where the file states none.

    Source: RFC 9639, 8.2: over all samples, interleaved, little-endian, in as many bytes as
    their bits need.
    """
    at = flac_start(path)
    with open(path, "rb") as f:
        f.seek(at + 8)
        info = f.read(34)
    stated = info[18:34]
    if len(info) < 34 or not any(stated):
        return None
    bits = ((info[12] & 1) << 4 | info[13] >> 4) + 1
    digest = hashlib.md5(usedforsecurity=False)
    with open_sound(path) as sound:
        coding = coded(sound.subtype)
        left = sound.frames
        while left:
            n = min(left, _BLOCK)
            values = take(sound, n, path, coding).astype("<i4")
            raw = values.view(np.uint8).reshape(-1, 4)[:, : (bits + 7) // 8]
            digest.update(raw.tobytes())
            left -= n
            if progress is not None:
                progress(raw.size)
    return stated.hex(), digest.hexdigest()


def flac_start(path: Path) -> int:
    """Offset of ``fLaC``: an ID3 tag may stand before it."""
    with open(path, "rb") as f:
        head = f.read(10)
    if head[:3] != b"ID3":
        return 0
    size = 0
    for byte in head[6:10]:
        size = size << 7 | byte & 0x7F
    return 10 + size
