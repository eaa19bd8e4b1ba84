"""UCLA Miniscope: movies decoded, cut, damaged."""

from __future__ import annotations

import struct
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nwbkit.errors import DamagedInput, NwbkitError
from nwbkit.formats import registry
from nwbkit.formats.base import Source
from nwbkit.formats.io import avi, avi_movie
from nwbkit.streams import External
from tests.formats import miniscope_files as files
from tests.formats.miniscope_files import all_of, found, opened, refused

pytest.importorskip("av")
SCOPE, CAMERA = "My_V4_Miniscope", "My_WebCam"


CODECS = [
    ("ffv1", "gray", True),
    ("ffv1", "bgr0", True),
    ("rawvideo", "gray", True),
    ("rawvideo", "bgr24", True),
    ("huffyuv", "bgra", True),
    ("mjpeg", "yuvj420p", False),
    ("mpeg4", "yuv420p", False),
]


@pytest.mark.parametrize("codec, pixels, lossless", CODECS)
def test_codecs(tmp_path: Path, codec: str, pixels: str, lossless: bool) -> None:
    data = files.frames(50, 48, 64)
    files.device(tmp_path / "a", data, codec=codec, pixels=pixels)
    with opened(tmp_path) as r:
        rows = all_of(r, SCOPE)
        assert rows.shape == data.shape and rows.dtype == np.uint8
        assert not lossless or np.array_equal(rows, data)
        assert lossless != any("loses something" in n for n in r.notes)
        part = r.stream(SCOPE).read(13, 31)
        assert np.array_equal(part, rows[13:31])


def test_many_threads_read_one_movie(tmp_path: Path, monkeypatch: Any) -> None:
    data = files.frames(200)
    files.device(tmp_path / "a", data, per_file=100)
    monkeypatch.setattr(avi_movie, "KEPT_BYTES", 1)  # nothing stays for long
    with opened(tmp_path) as r, ThreadPoolExecutor(4) as pool:
        s = r.streams[0]
        starts = np.random.default_rng(0).permutation(np.arange(0, 195, 5)).tolist()
        for low, part in zip(starts, pool.map(lambda k: s.read(k, k + 5), starts), strict=True):
            assert np.array_equal(part, data[low : low + 5])


def test_long_stretches_without_key_frames(tmp_path: Path) -> None:
    data = files.frames(100)
    path = files.movie(tmp_path / "a.avi", data, g="1000")
    index = avi.index(path)
    assert index.keys.sum() == 1
    movie = avi_movie.AviMovie(
        id="a", name="a", role="one_photon", shape=data.shape, dtype=np.dtype("u1"), files=(index,)
    )
    for low in (90, 40, 0, 64):
        assert np.array_equal(movie.read(low, low + 10), data[low : low + 10])
    assert np.array_equal(movie.read(0, 100), data)


def test_nothing_is_decoded_to_open(tmp_path: Path, monkeypatch: Any) -> None:
    root = files.recording(tmp_path / "a")
    seen = []
    real = avi_movie.Decoder.next

    def counted(self: Any) -> Any:
        seen.append(self.at)
        return real(self)

    monkeypatch.setattr(avi_movie.Decoder, "next", counted)
    with opened(root):
        assert seen == [0]  # the first frame of the miniscope, for its kind of pixels


def test_coloured_movies_need_a_choice(tmp_path: Path) -> None:
    data = np.random.default_rng(0).integers(0, 256, (24, 12, 16, 3)).astype("u1")
    files.device(tmp_path / "a", data, codec="rawvideo", pixels="bgr24")
    error = refused(tmp_path, "is coloured")
    assert error.hint is not None and ".channel=green" in error.hint
    with opened(tmp_path, channel="red") as r:
        assert np.array_equal(all_of(r, SCOPE), data[..., 2])


# ------------------------------------------------------------------ damaged movies


def cut(path: Path, part: float) -> Path:
    raw = path.read_bytes()
    at = avi.index(path).offsets
    path.write_bytes(raw[: int(at[int(len(at) * part)]) + 20])
    return path


@pytest.mark.parametrize("device", [SCOPE, CAMERA])
@pytest.mark.parametrize("codec", ["ffv1", "rawvideo"])
def test_truncated_movies_are_refused(tmp_path: Path, device: str, codec: str) -> None:
    root = files.recording(tmp_path / "a", codec=codec)
    cut(root / device / "2.avi", 0.6)
    refused(root, f"{device}/2.avi", "the file has")
    with opened(root, salvage=True) as r:
        kept = r.stream(device)
        n = kept.n_frames if isinstance(kept, External) else kept.shape[0]
        assert 40 < n < 50 and r.losses
        assert n == 46
        if device == SCOPE:  # no black frames
            assert np.array_equal(kept.read(0, n), files.frames(50)[:n])


def test_a_movie_that_was_never_closed(tmp_path: Path) -> None:
    root = files.recording(tmp_path / "a")
    path = root / SCOPE / "2.avi"
    raw = bytearray(path.read_bytes())
    at = raw.rindex(b"idx1")
    del raw[at:]
    raw[4:8] = bytes(4)
    movi = raw.index(b"movi")
    raw[movi - 4 : movi] = bytes(4)
    path.write_bytes(raw)
    refused(root, "2.avi")


def test_a_movie_filled_with_zeros(tmp_path: Path) -> None:
    root = files.recording(tmp_path / "a")
    path = root / SCOPE / "2.avi"
    raw = path.read_bytes()
    half = avi.index(path).offsets[5] - 8
    path.write_bytes(raw[:half] + bytes(len(raw) - half))
    refused(root, "lies no chunk")
    with opened(root, salvage=True) as r:
        assert r.stream(SCOPE).shape[0] == 45


def test_a_header_that_counts_other_frames(tmp_path: Path) -> None:
    root = files.recording(tmp_path / "a")
    path = root / SCOPE / "0.avi"
    raw = bytearray(path.read_bytes())
    at = raw.index(b"strh") + 8 + 32
    assert struct.unpack_from("<I", raw, at)[0] == 20
    struct.pack_into("<I", raw, at, 25)
    path.write_bytes(raw)
    refused(root, "its header says 25 frames, it holds 20")


def test_a_frame_that_cannot_be_decoded(tmp_path: Path) -> None:
    files.device(tmp_path / "a", files.frames(20), codec="huffyuv", pixels="bgra")
    index = avi.index(tmp_path / "a" / "0.avi")
    raw = bytearray((tmp_path / "a" / "0.avi").read_bytes())
    at = int(index.offsets[7])
    struct.pack_into("<I", raw, at - 4, 2)  # a frame of two bytes
    rest = int(index.sizes[7]) - 2
    raw[at + 2 : at + 10] = b"JUNK" + struct.pack("<I", rest - 8 + (rest & 1))
    (tmp_path / "a" / "0.avi").write_bytes(raw)
    with opened(tmp_path) as r, pytest.raises(DamagedInput, match=r"a/0\.avi': frame 7"):
        r.streams[0].read(0, 20)


@pytest.mark.parametrize("content", [b"", b"RIFF", b"not a movie at all"])
def test_what_is_no_movie(tmp_path: Path, content: bytes) -> None:
    root = files.recording(tmp_path / "a")
    (root / SCOPE / "1.avi").write_bytes(content)
    refused(root, f"{SCOPE}/1.avi")
    with opened(root, salvage=True) as r:
        # the frames of 2.avi keep their own times
        assert r.stream(SCOPE).timebase.times(20, 21).tolist() == [40 * 0.05 - 0.02]


@pytest.mark.parametrize("content", ["{", "[1]", '{"deviceType": '])
def test_broken_json(tmp_path: Path, content: str) -> None:
    root = files.recording(tmp_path / "a")
    source = found(root)[0]
    (root / SCOPE / "metaData.json").write_text(content)
    with pytest.raises(DamagedInput, match=f"{SCOPE}/metaData.json"):
        registry.open_source(Source("a", "miniscope", source.paths))


def test_unknown_codecs_are_named(tmp_path: Path) -> None:
    files.device(tmp_path / "a", files.frames(20), codec="cinepak", pixels="rgb24")
    with pytest.raises(NwbkitError, match="has the codec 'cvid'"):
        opened(tmp_path)
