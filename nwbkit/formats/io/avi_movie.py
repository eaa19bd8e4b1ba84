"""Gray movies out of AVI files, decoded on all cores.

Frames are read at their place in the file and handed to a decoder of the thread's own: no
container is opened, so nothing can be followed out of the file. What a decoder must decode
together (from one key frame to the next) is decoded once and kept for a while, since several
threads ask for parts of it; frames that stand for themselves go straight to who asked.
"""

from __future__ import annotations

import functools
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nwbkit.errors import DamagedInput, UnknownFormat
from nwbkit.formats.io.avi import AviIndex
from nwbkit.formats.io.flat import _OpenFiles, read_at
from nwbkit.streams.kinds import AnyArray, Array

#: FFmpeg's decoder by the codec's four letters.
CODECS = {
    **{"FFV1": "ffv1", "MJPG": "mjpeg", "HFYU": "huffyuv", "FFVH": "ffvhuff"},
    **{"LAGS": "lagarith", "MJ2C": "jpeg2000", "MJP2": "jpeg2000"},
    **dict.fromkeys(("XVID", "DIVX", "DX50", "FMP4", "MP4V"), "mpeg4"),
    **dict.fromkeys(("H264", "X264", "AVC1"), "h264"),
}
#: Uncompressed: one byte a pixel, rows without padding.
PLAIN = {"GREY", "Y800", "Y8"}
#: Codecs that lose something.
LOSSY = {"MJPG", "MJ2C", "MJP2", "XVID", "DIVX", "DX50", "FMP4", "MP4V", "H264", "X264", "AVC1"}
#: Frames decoded together are cut into pieces of at most so many, fewer of large frames.
PIECE = 32
#: What is kept of decoded frames.
KEPT_BYTES = 48 << 20


class Decoder:
    """Gives the frames of a file one after the other, as gray images.

    Parameters
    ----------
    file : AviIndex
    fetch : callable
        ``fetch(number) -> bytes`` of a stored frame.
    first : int
        Where to begin: a frame that can be decoded by itself.
    channel : {"gray", "red", "green", "blue"}
        Of coloured frames; ``gray`` demands that the three agree.
    """

    def __init__(
        self, file: AviIndex, fetch: Callable[[int], bytes], first: int, channel: str = "gray"
    ) -> None:
        import av

        name = CODECS.get(file.codec.upper())
        if name is None:
            known = ", ".join(sorted({*CODECS, *PLAIN}))
            raise UnknownFormat(
                f"'{file.path.name}' has the codec '{file.codec}'", hint=f"codecs read: {known}"
            )
        self.file, self.channel = file, channel
        #: Number of the frame that comes next.
        self.at = first
        self.pixels = ""
        self._fetch = fetch
        self._fed = first
        self._ready: deque[Any] = deque()
        context: Any = av.codec.CodecContext.create(name, "r")
        self._context = context
        self._context.width, self._context.height = file.width, file.height
        self._context.thread_count = 1  # all cores are at work already
        self._context.codec_tag = file.codec
        if file.extradata:
            self._context.extradata = file.extradata

    def next(self) -> AnyArray:
        """The next frame, (height, width).

        Raises
        ------
        nwbkit.errors.DamagedInput
            Where it cannot be decoded.
        """
        while not self._ready:
            self._feed()
        frame = self._ready.popleft()
        number, self.at = self.at, self.at + 1
        self.pixels = frame.format.name
        if frame.is_corrupt:
            raise _broken(self.file, number, "is damaged")
        image = gray(frame, self.channel)
        if isinstance(image, str):
            raise _broken(self.file, number, image)
        if image.shape != (self.file.height, self.file.width):
            shape = " x ".join(map(str, image.shape))
            said = f"{self.file.height} x {self.file.width}"
            raise _broken(self.file, number, f"is {shape} pixels, the header says {said}")
        return image

    def _feed(self) -> None:
        """Hand the next stored frame to the decoder, which may hold some of them back."""
        import av

        number = self._fed
        if number > self.file.n_frames:
            raise _broken(self.file, self.at, "is not among what was decoded")
        data = self._fetch(number) if number < self.file.n_frames else None
        if data == b"":
            raise _broken(self.file, number, "is empty")
        self._fed += 1
        try:
            frames = self._context.decode(av.Packet(data) if data is not None else None)
        except av.FFmpegError as error:
            reason = (error.strerror or str(error)).lower()
            raise _broken(self.file, number, f"cannot be decoded: {reason}") from None
        self._ready.extend(frames)


def _broken(file: AviIndex, number: int, what: str) -> DamagedInput:
    return DamagedInput(f"'{file.path.parent.name}/{file.path.name}': frame {number} {what}")


def gray(frame: Any, channel: str) -> AnyArray | str:
    """The gray values of a decoded frame, as stored; a text where it has none.

    Of frames with luma and chroma the luma; of red, green and blue the one that `channel`
    names.
    """
    name = frame.format.name
    wide = name.endswith(("le", "be")) or name in ("gray16", "gray10", "gray12")
    if name.startswith("gray") or name.startswith(("yuv", "yuvj", "nv12", "nv21")):
        dtype = np.dtype(np.uint16 if wide else np.uint8).newbyteorder(
            ">" if name.endswith("be") else "<"
        )
        return _plane(frame, 0, frame.width, dtype)
    order = {"bgra": "bgr", "bgr0": "bgr", "bgr24": "bgr", "rgb24": "rgb", "rgba": "rgb"}
    order |= {"rgb0": "rgb", "argb": ".rgb", "0rgb": ".rgb", "gbrp": "planes", "gbrap": "planes"}
    if name not in order:
        return f"has pixels of the kind '{name}', which have no gray value"
    if order[name] == "planes":
        green, blue, red = (_plane(frame, k, frame.width, np.dtype(np.uint8)) for k in range(3))
    else:
        depth = 3 if name.endswith("24") else 4
        pixels = _plane(frame, 0, frame.width * depth, np.dtype(np.uint8))
        pixels = pixels.reshape(frame.height, frame.width, depth)
        red, green, blue = (pixels[..., order[name].index(c)] for c in "rgb")
    if channel != "gray":
        return {"red": red, "green": green, "blue": blue}[channel]
    if not (np.array_equal(red, green) and np.array_equal(green, blue)):
        return "is coloured: its red, green and blue differ"
    return green


def _plane(frame: Any, number: int, width: int, dtype: np.dtype[Any]) -> AnyArray:
    plane = frame.planes[number]
    rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: frame.height]
    return rows[:, : width * dtype.itemsize].view(dtype)


@dataclass(kw_only=True, eq=False)
class AviMovie(Array):
    """Frames of AVI files that follow each other, shape (frames, height, width).

    Parameters
    ----------
    files : tuple of AviIndex
    channel : str
        As of :class:`Decoder`.
    """

    files: tuple[AviIndex, ...]
    channel: str = "gray"

    def __post_init__(self) -> None:
        counts = [f.n_frames for f in self.files]
        self._starts = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])
        self._open = _OpenFiles()
        self._kept: OrderedDict[tuple[int, int], AnyArray] = OrderedDict()
        self._lock = threading.Lock()
        self._busy: dict[tuple[int, int], threading.Lock] = {}
        self._long: dict[tuple[int, int], Decoder] = {}
        frame = self.shape[1] * self.shape[2] * self.dtype.itemsize
        self._piece_frames = max(1, min(PIECE, KEPT_BYTES // (4 * max(1, frame))))
        self._room = max(2, KEPT_BYTES // max(1, frame * self._piece_frames))

    def read(self, start: int, stop: int, out: AnyArray | None = None) -> AnyArray:
        """Frames ``start..stop``, C order; into `out` where given. Safe from several threads.

        Raises
        ------
        nwbkit.errors.DamagedInput
            Where a frame cannot be decoded.
        """
        if not 0 <= start <= stop <= self.shape[0]:
            raise IndexError(f"frames {start}..{stop} of {self.shape[0]}")
        if out is None:
            out = np.empty((stop - start, *self.shape[1:]), self.dtype)
        for number, file in enumerate(self.files):
            first = int(self._starts[number])
            low, high = max(start, first) - first, min(stop, first + file.n_frames) - first
            if low < high:
                part = out[first + low - start : first + high - start]
                self._read_file(number, low, high, part)
        return out

    def _read_file(self, number: int, low: int, high: int, out: AnyArray) -> None:
        file = self.files[number]
        if file.codec.upper() in PLAIN or file.codec in ("raw", "DIB"):
            for k in range(low, high):
                out[k - low] = self._plain(file, k)
            return
        if file.keys.all():
            decoder = self._decoder(file, low)
            for k in range(low, high):
                out[k - low] = decoder.next()
            return
        for key, first, last in _groups(file, low, high, self._piece_frames):
            a, b = max(low, first), min(high, last)
            out[a - low : b - low] = self._piece(number, key, first, last)[a - first : b - first]

    def _decoder(self, file: AviIndex, first: int) -> Decoder:
        return Decoder(file, functools.partial(self._bytes, file), first, self.channel)

    def _bytes(self, file: AviIndex, k: int) -> bytes:
        raw = np.empty(int(file.sizes[k]), np.uint8)
        with self._open.use(file.path) as fd:
            read_at(fd, memoryview(raw.data), int(file.offsets[k]), file.path)
        return raw.tobytes()

    def _plain(self, file: AviIndex, k: int) -> AnyArray:
        """An uncompressed frame."""
        grey = file.codec.upper() in PLAIN or file.bits == 8
        depth = 1 if grey else file.bits // 8
        packed = file.codec.upper() in PLAIN
        line = file.width * depth if packed else -(-file.width * depth // 4) * 4
        if file.bits not in (8, 24, 32) and not packed:
            raise _broken(file, k, f"has {file.bits} bits a pixel, expected 8, 24 or 32")
        raw = np.frombuffer(self._bytes(file, k), np.uint8)
        if raw.size not in (line * file.height, file.width * depth * file.height):
            wanted = line * file.height
            raise _broken(file, k, f"has {raw.size} bytes, expected {wanted}")
        rows = raw.reshape(file.height, -1)[:, : file.width * depth]
        if file.flipped and not packed:
            rows = rows[::-1]
        if grey:
            return rows
        pixels = rows.reshape(file.height, file.width, depth)
        blue, green, red = (pixels[..., c] for c in range(3))
        if self.channel != "gray":
            return {"red": red, "green": green, "blue": blue}[self.channel]
        if not (np.array_equal(red, green) and np.array_equal(green, blue)):
            raise _broken(file, k, "is coloured: its red, green and blue differ")
        return green

    def _piece(self, number: int, key: int, first: int, last: int) -> AnyArray:
        """Frames ``first..last`` that hang on the key frame `key`, decoded once for all."""
        name = (number, first)
        with self._lock:
            kept = self._kept.get(name)
            if kept is not None:
                self._kept.move_to_end(name)
                return kept
            # pieces of one long stretch come out of one decoder, one after the other
            busy = self._busy.setdefault((number, key), threading.Lock())
        with busy:
            with self._lock:
                kept = self._kept.get(name)
            if kept is not None:
                return kept
            frames = self._decoded(number, key, first, last)
        with self._lock:
            self._kept[name] = frames
            while len(self._kept) > self._room:
                self._kept.popitem(last=False)
        return frames

    def _decoded(self, number: int, key: int, first: int, last: int) -> AnyArray:
        file = self.files[number]
        decoder = self._long.pop((number, key), None)
        if decoder is None or decoder.at > first:
            decoder = self._decoder(file, key)
        while decoder.at < first:
            decoder.next()
        frames = np.empty((last - first, *self.shape[1:]), self.dtype)
        for k in range(first, last):
            frames[k - first] = decoder.next()
        if last < file.n_frames and not file.keys[last]:
            while len(self._long) >= 4:
                self._long.pop(next(iter(self._long)), None)
            self._long[number, key] = decoder
        return frames

    def close(self) -> None:
        """Let go of files, decoders and decoded frames."""
        self._open.close()
        with self._lock:
            self._kept.clear()
            self._long.clear()


def _groups(file: AviIndex, low: int, high: int, most: int) -> Iterator[tuple[int, int, int]]:
    """``(key frame, first, last + 1)`` of the pieces, of at most `most` frames, that hold
    the frames ``low..high``.
    """
    keys = np.flatnonzero(file.keys)
    at = int(np.searchsorted(keys, low, side="right")) - 1
    while at < len(keys) and keys[at] < high:
        key = int(keys[at])
        end = int(keys[at + 1]) if at + 1 < len(keys) else file.n_frames
        for first in range(key, end, most):
            last = min(first + most, end)
            if first < high and last > low:
                yield key, first, last
        at += 1


def probe(file: AviIndex, channel: str = "gray") -> tuple[np.dtype[Any], str]:
    """The kind of number that frames decode to, and FFmpeg's name of their pixels.

    Decodes the first frame; uncompressed ones have no name.

    Raises
    ------
    nwbkit.errors.DamagedInput, nwbkit.errors.UnknownFormat
    """
    movie = AviMovie(
        id="probe",
        name="probe",
        role="one_photon",
        shape=(file.n_frames, file.height, file.width),
        dtype=np.dtype(np.uint8),
        files=(file,),
        channel=channel,
    )
    try:
        if file.codec.upper() in PLAIN or file.codec in ("raw", "DIB"):
            return movie._plain(file, 0).dtype, ""
        decoder = movie._decoder(file, 0)
        return decoder.next().dtype, decoder.pixels
    finally:
        movie.close()


def again(
    paths: Sequence[Path], start: int, stop: int, channel: str = "gray"
) -> Iterator[AnyArray]:
    """Frames ``start..stop`` of files by PyAV's own demuxer: the independent second way."""
    import av

    first = 0
    for path in paths:
        with av.open(str(path), format="avi", options={"format_whitelist": "avi"}) as opened:
            stream = opened.streams.video[0]
            n = int(stream.frames) or sum(1 for p in opened.demux(stream) if p.size)
        if first < stop and first + n > start:
            yield from _by_container(path, max(start - first, 0), min(stop - first, n), channel)
        first += n


def _by_container(path: Path, low: int, high: int, channel: str) -> Iterator[AnyArray]:
    import av

    with av.open(str(path), format="avi", options={"format_whitelist": "avi"}) as opened:
        stream = opened.streams.video[0]
        number = None
        if low and stream.codec_context.name not in ("h264", "mpeg4"):
            opened.seek(low, stream=stream, backward=True, any_frame=False)
        else:
            number = 0  # frames may come in another order than they are stored
        for frame in opened.decode(stream):
            number = int(frame.pts or 0) if number is None else number
            if number >= low:
                name = frame.format.name
                coloured = name.startswith(("bgr", "rgb", "gbr", "argb", "0rgb"))
                pixels = frame.to_ndarray(format="bgr24") if coloured else frame.to_ndarray()
                if pixels.ndim == 3:
                    pixels = pixels[..., {"red": 2, "blue": 0}.get(channel, 1)]
                yield pixels[: frame.height]
            number += 1
            if number >= high:
                return


def count(path: Path) -> int:
    """Number of frames by PyAV's demuxer; none is decoded."""
    import av

    with av.open(str(path), format="avi", options={"format_whitelist": "avi"}) as opened:
        return sum(1 for p in opened.demux(opened.streams.video[0]) if p.size)
