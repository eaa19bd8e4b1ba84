"""AVI files: where every frame lies, found without decoding one.

Layouts: Microsoft's AVI RIFF reference, the OpenDML extension. The chunks themselves are walked
and not only the index read: a file that was cut off, or never closed, tells what it holds.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nwbkit.errors import DamagedInput, NoInput, UnknownFormat

#: In ``idx1``: the frame can be decoded without those before it.
_KEY = 0x10
#: Codecs whose frames all stand for themselves.
INTRA = {b"MJPG", b"GREY", b"Y800", b"Y8  ", b"HFYU", b"FFVH", b"MJ2C", b"MJP2", b"LAGS", b"DIB "}
INTRA |= {b"\0\0\0\0"}
#: Headers and indexes beyond this are none.
_MAX_TABLE = 256 << 20


@dataclass(frozen=True, eq=False)
class AviIndex:
    """Where the frames of the first video stream lie.

    Parameters
    ----------
    path : Path
    width, height : int
    bits : int
        Of a pixel, as the header says.
    flipped : bool
        Whether rows of uncompressed frames go from the bottom up.
    fourcc : bytes
        Codec; four zeros for uncompressed frames.
    extradata : bytes
        For the decoder.
    offsets, sizes : numpy.ndarray of int64, shape (frames,)
        Bytes.
    keys : numpy.ndarray of bool, shape (frames,)
        Whether a frame can be decoded without those before it.
    stated : int
        Frames as the stream's header says; 0 where it does not.
    rate : float, optional
        Frames per second as the header says: of players, not of cameras.
    problem : str
        What is wrong with the file; what is kept lies before it.
    """

    path: Path
    width: int
    height: int
    bits: int
    flipped: bool
    fourcc: bytes
    extradata: bytes
    offsets: npt.NDArray[np.int64]
    sizes: npt.NDArray[np.int64]
    keys: npt.NDArray[np.bool_]
    stated: int
    rate: float | None
    problem: str = ""

    @property
    def n_frames(self) -> int:
        """Number of frames."""
        return len(self.offsets)

    @property
    def codec(self) -> str:
        """The codec's four letters; ``raw`` for uncompressed frames."""
        return self.fourcc.decode("latin-1").strip("\0 ") or "raw"


def index(path: Path) -> AviIndex:
    """Find every frame of the AVI at `path`.

    Raises
    ------
    nwbkit.errors.NoInput
        Where it is missing or may not be read.
    nwbkit.errors.UnknownFormat
        Where it is no AVI.
    nwbkit.errors.DamagedInput
        Where its headers are cut off.
    """
    try:
        fd = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise NoInput(f"cannot open '{path}': {reason}") from None
    try:
        return _Walk(path, fd, os.fstat(fd).st_size).run()
    finally:
        os.close(fd)


@dataclass
class _Walk:
    """One pass over the chunks of a file."""

    path: Path
    fd: int
    size: int
    number: int | None = None
    streams: int = 0
    header: bytes = b""
    pixels: bytes = b""
    offsets: list[int] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    flags: dict[int, bool] = field(default_factory=dict)
    movi: int = 0
    problem: str = ""

    @property
    def label(self) -> str:
        """The file with its folder: those of several devices are called alike."""
        return f"{self.path.parent.name}/{self.path.name}"

    def run(self) -> AviIndex:
        head = os.pread(self.fd, 12, 0)
        if head[:4] != b"RIFF" or head[8:12] != b"AVI ":
            raise UnknownFormat(f"'{self.label}' {'is no AVI file' if head else 'is empty'}")
        at = 0
        while at + 12 <= self.size and not self.problem:
            tag, length, kind = struct.unpack("<4sI4s", os.pread(self.fd, 12, at))
            if tag != b"RIFF" or kind not in (b"AVI ", b"AVIX"):
                break  # padding behind the last one
            end = at + 8 + length
            if end > self.size or length < 4:
                self._wrong(f"its RIFF header says {length + 8} bytes, the file has {self.size}")
            self._chunks(at + 12, min(end, self.size) if length >= 4 else self.size)
            at = end + (end & 1)
        if self.number is None or len(self.pixels) < 40:
            if self.problem:
                raise DamagedInput(f"'{self.label}' holds no video stream: {self.problem}")
            raise DamagedInput(f"'{self.label}' holds no video stream")
        return self._found()

    def _wrong(self, problem: str) -> None:
        self.problem = self.problem or problem

    def _chunks(self, start: int, stop: int) -> None:
        """Take in what lies in ``start..stop``."""
        at = start
        while at + 8 <= stop:
            tag, length = struct.unpack("<4sI", os.pread(self.fd, 8, at))
            body, end = at + 8, at + 8 + length
            if tag == b"LIST" and length >= 4:
                kind = os.pread(self.fd, 4, body)
                if kind == b"movi" and not self.movi:
                    self.movi = body
                if kind in (b"hdrl", b"strl", b"movi", b"rec "):
                    if kind == b"movi" and end > stop:
                        self._wrong(
                            f"its list of frames ends at byte {end}, the file at {self.size}"
                        )
                    self._chunks(body + 4, min(end, stop))
                    self.streams += kind == b"strl"
            elif tag[2:] in (b"dc", b"db") and tag[:2].isdigit():
                if not self._frame(tag, body, length, stop):
                    return
            elif not self._other(tag, body, length, stop):
                return
            at = end + (length & 1)

    def _frame(self, tag: bytes, body: int, length: int, stop: int) -> bool:
        if self.number is None or int(tag[:2]) != self.number:
            return True
        if body + length > stop:
            self._wrong(
                f"frame {len(self.offsets)} ends at byte {body + length}, the file at {self.size}"
            )
            return False
        self.offsets.append(body)
        self.sizes.append(length)
        return True

    def _other(self, tag: bytes, body: int, length: int, stop: int) -> bool:
        """Headers and indexes; False where nothing sensible follows."""
        if tag == b"\0\0\0\0" or not all(32 <= c < 127 for c in tag):
            self._wrong(f"at byte {body - 8} lies no chunk")
            return False
        known = tag in (b"strh", b"strf", b"idx1") or tag[:2] == b"ix"
        if not known:
            return True
        if length > _MAX_TABLE or body + length > stop:
            self._wrong(f"its '{tag.decode()}' ends at byte {body + length}, beyond the file's end")
            return False
        raw = os.pread(self.fd, length, body)
        if tag == b"strh" and raw[:4] == b"vids" and self.number is None and len(raw) >= 36:
            self.number, self.header = self.streams, raw
        elif tag == b"strf" and self.number == self.streams and not self.pixels:
            self.pixels = raw
        elif tag == b"idx1":
            self._old_index(raw)
        elif tag[:2] == b"ix":
            self._new_index(raw)
        return True

    def _old_index(self, raw: bytes) -> None:
        kind = np.dtype([("id", "S4"), ("flags", "<u4"), ("at", "<u4"), ("size", "<u4")])
        rows = np.frombuffer(raw, kind, len(raw) // 16)
        mine = np.char.startswith(rows["id"], b"%02d" % (self.number or 0))
        rows = rows[
            mine & (np.char.endswith(rows["id"], b"dc") | np.char.endswith(rows["id"], b"db"))
        ]
        if not len(rows) or not self.offsets:
            return
        # places count from the list's name, or from the file's beginning
        shift = self.offsets[0] - 8 - int(rows["at"][0])
        for row in rows:
            self.flags[int(row["at"]) + shift + 8] = bool(row["flags"] & _KEY)

    def _new_index(self, raw: bytes) -> None:
        if len(raw) < 24 or raw[3] != 1:  # an index of chunks, not of indexes
            return
        count, base = struct.unpack_from("<I", raw, 4)[0], struct.unpack_from("<Q", raw, 12)[0]
        pairs = np.frombuffer(raw, "<u4", min(2 * count, (len(raw) - 24) // 4), 24)
        for at, size in pairs[: len(pairs) // 2 * 2].reshape(-1, 2).tolist():
            self.flags[base + at] = not size & 0x80000000

    def _found(self) -> AviIndex:
        width, height, _, bits = struct.unpack_from("<iihh", self.pixels, 4)
        fourcc = self.pixels[16:20]
        if not 0 < width < 1 << 16 or not 0 < abs(height) < 1 << 16:
            raise DamagedInput(f"'{self.label}' says its frames are {width} x {height} pixels")
        scale, rate, _, stated = struct.unpack_from("<IIII", self.header, 20)
        keys = np.array([self.flags.get(at, fourcc in INTRA) for at in self.offsets], bool)
        if fourcc.upper() in INTRA:
            keys[:] = True
        if fourcc.upper() not in INTRA and fourcc != b"FFV1":
            keys[:] = False  # headers may stand in the first frame only
        keys[:1] = True
        return AviIndex(
            self.path,
            width,
            abs(height),
            bits,
            height > 0,
            fourcc,
            self.pixels[40:],
            np.array(self.offsets, np.int64),
            np.array(self.sizes, np.int64),
            keys,
            stated,
            rate / scale if scale and rate else None,
            self.problem,
        )
