"""Videos: frame counts and true times from containers, truncation, references in NWB."""

from __future__ import annotations

import os
import shutil
import struct
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from nwbkit import verify as verifying
from nwbkit.errors import DamagedInput, MissingExtra, MissingFact, NwbkitError, UnknownFormat
from nwbkit.formats import registry
from nwbkit.formats.base import Source
from nwbkit.formats.behavior import _containers, _video_reader
from tests.data import DATA, needs_data
from tests.expected.behavior import VIDEOS
from tests.formats.behavior_files import assert_sound, convert, encode

av = pytest.importorskip("av")


def write_avi(path: Path, sizes: list[int], *, stated: int | None = None) -> Path:
    """An AVI by hand, 25 Hz; a size of 0 is a frame that the camera dropped."""

    def chunk(tag: bytes, body: bytes) -> bytes:
        return tag + struct.pack("<I", len(body)) + body + b"\0" * (len(body) & 1)

    n = len(sizes) if stated is None else stated
    numbers = (0, 0, 0, 0, 1, 25, 0, n, 0, 2**32 - 1, 0, 0, 0, 64, 48)
    strh = struct.pack("<4s4sIHHIIIIIIII4H", b"vids", b"MJPG", *numbers)
    strf = struct.pack("<IiiHH4sIiiII", 40, 64, 48, 1, 24, b"MJPG", 9216, 0, 0, 0, 0)
    avih = struct.pack("<14I", 40_000, 0, 0, 0x10, n, 0, 1, 0, 64, 48, 0, 0, 0, 0)
    strl = chunk(b"LIST", b"strl" + chunk(b"strh", strh) + chunk(b"strf", strf))
    movi, index = b"movi", b""
    for size in sizes:
        index += struct.pack("<4sIII", b"00dc", 16, len(movi), size)
        movi += chunk(b"00dc", b"\xff\xd8" + b"x" * (size - 2) if size else b"")
    body = b"AVI " + chunk(b"LIST", b"hdrl" + chunk(b"avih", avih) + strl)
    body += chunk(b"LIST", movi) + chunk(b"idx1", index)
    path.write_bytes(chunk(b"RIFF", body))
    return path


def opened(path: Path, *, salvage: bool = False, **options: Any) -> Any:
    return registry.open_source(Source("cam", "video", (path,), options, salvage))


MADE: list[tuple[str, dict[str, Any]]] = [
    ("plain.mp4", {}),
    ("reordered.mp4", {"b_frames": 2}),
    ("streamable.mp4", {"container": {"movflags": "faststart"}}),
    ("fragments.mp4", {"container": {"movflags": "frag_keyframe+empty_moov"}}),
    ("plain.mov", {}),
    ("plain.m4v", {}),
    ("plain.avi", {}),
    ("raw.avi", {"codec": "rawvideo"}),
    ("plain.mkv", {}),
    ("plain.wmv", {"codec": "wmv2"}),
    ("plain.flv", {"codec": "flv1"}),
]


@pytest.mark.parametrize(("name", "how"), MADE, ids=[m[0] for m in MADE])
def test_every_container_gives_count_rate_and_size(
    tmp_path: Path, name: str, how: dict[str, Any]
) -> None:
    path = encode(tmp_path / name, **how)
    (source,) = registry.detect([path]).sources()
    assert (source.format, source.strength.label) == ("video", "fallback")
    with opened(path) as reader:
        (stream,) = reader.streams
        assert (stream.n_frames, stream.width, stream.height) == (40, 64, 48)
        assert stream.timebase.as_rate() == (0.0, 25.0)
        second = reader.reread_facts("frames")
        if second is not None:
            assert np.allclose(second["times"], np.arange(40) / 25, rtol=0, atol=1e-12)
        # the index is read where there is one: not of fragments, mkv, wmv, flv
        has_index = path.suffix in (".mp4", ".mov", ".m4v", ".avi") and "frag" not in name
        assert (second is not None) is has_index


CUTS = (1, 7, 100, 800, 0.25, 0.5, 0.75)


@pytest.mark.parametrize(("name", "how"), MADE, ids=[m[0] for m in MADE])
def test_a_cut_file_is_never_taken_for_whole(
    tmp_path: Path, name: str, how: dict[str, Any]
) -> None:
    whole = encode(tmp_path / name, **how).read_bytes()
    for cut in CUTS:
        gone = cut if isinstance(cut, int) else int(len(whole) * cut)
        path = tmp_path / f"cut{Path(name).suffix}"
        path.write_bytes(whole[:-gone])
        with pytest.raises(DamagedInput) as error:
            opened(path)
        assert path.name in error.value.message
        try:
            reader = opened(path, salvage=True)
        except DamagedInput:
            continue  # nothing can be read at all: no moov
        assert reader.losses
        assert 0 < reader.streams[0].n_frames <= 40


def test_the_guard_against_cuts_is_what_finds_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An AVI cut in its index reads without complaint through FFmpeg alone."""
    path = write_avi(tmp_path / "a.avi", [100] * 10)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(DamagedInput, match="RIFF size says"):
        opened(path)
    monkeypatch.setattr(_containers, "problems", lambda *a: [])
    assert opened(path).streams[0].n_frames == 10


def test_frames_that_the_header_counts_and_nobody_stored(tmp_path: Path) -> None:
    path = write_avi(tmp_path / "a.avi", [100] * 8, stated=10)
    with pytest.raises(DamagedInput, match="says 10 frames, found 8"):
        opened(path)
    with opened(path, salvage=True) as reader:
        assert reader.streams[0].n_frames == 8
        assert len(reader.losses) == 1


def test_dropped_frames_leave_a_gap_in_time(tmp_path: Path) -> None:
    path = write_avi(tmp_path / "a.avi", [100] * 4 + [0, 0] + [100] * 4)
    with opened(path) as reader:
        (stream,) = reader.streams
        times = stream.timebase.times(0, 8)
        expected = np.array([0, 1, 2, 3, 6, 7, 8, 9]) / 25
        assert stream.timebase.as_rate() is None
        assert np.allclose(times, expected, rtol=0, atol=1e-12)
        assert np.allclose(reader.reread_facts("frames")["times"], expected)
        assert "2 frames were dropped" in reader.notes[0]


def test_a_variable_rate_keeps_every_time(tmp_path: Path) -> None:
    pts = [i * 40 + (i % 3) * 7 + (200 if i > 20 else 0) for i in range(40)]
    raw = encode(tmp_path / "raw.mkv", pts=pts)
    out = tmp_path / "out.nwb"
    convert(raw, out)
    with h5py.File(out) as f:
        series = f["acquisition/VideoRaw"]
        assert "starting_time" not in series
        found = series["timestamps"][...]
    assert np.allclose(found, (np.array(pts) - pts[0]) / 1000, rtol=0, atol=1e-9)
    assert_sound(out, raw)


def test_a_coarse_tick_is_no_excuse_to_move_frames() -> None:
    """33, 33, 34 ms are what the file says; at 30 Hz frames would be off by 0.3 ms."""
    ticks = np.array([0, 33, 67, 100], np.int64)
    base = _video_reader.timebase_of("c", ticks, Fraction(1, 1000), Fraction(30))
    assert base.as_rate() is None
    assert base.times(0, 4).tolist() == [0.0, 0.033, 0.067, 0.1]


def test_the_rate_is_the_exact_ratio() -> None:
    ticks = np.arange(5, dtype=np.int64) * 1001
    base = _video_reader.timebase_of("c", ticks, Fraction(1, 30000), None)
    assert base.as_rate() == (0.0, 30000 / 1001)


def test_the_user_may_know_the_rate_better(tmp_path: Path) -> None:
    path = encode(tmp_path / "fast.mp4")
    with opened(path, rate=500.0) as reader:
        assert reader.streams[0].timebase.as_rate() == (0.0, 500.0)
        assert "25 Hz" in reader.notes[0]
        assert reader.reread_facts("frames") is None


def _no_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    scan = _video_reader.scan

    def without(*args: Any) -> Any:
        from dataclasses import replace

        return replace(scan(*args), ticks=None, rate=None)

    monkeypatch.setattr(_video_reader, "scan", without)


def test_without_a_rate_one_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = encode(tmp_path / "cam.mp4")
    _no_rate(monkeypatch)
    with pytest.raises(MissingFact) as error:
        convert(raw, tmp_path / "out.nwb")
    assert "--set cam.rate=" in (error.value.hint or "")
    assert convert(raw, tmp_path / "out.nwb", sets=["video.rate=25"]).status == 0


def _playlist(path: Path, secret: Path) -> None:
    path.write_text(f"#EXTM3U\n#EXT-X-VERSION:3\n#EXTINF:10,\nfile://{secret}\n#EXT-X-ENDLIST\n")


def _parts(path: Path, secret: Path) -> None:
    path.write_text(f"ffconcat version 1.0\nfile '{secret}'\n")


@pytest.mark.parametrize("write", [_playlist, _parts], ids=["hls", "ffconcat"])
def test_a_playlist_called_mp4_leads_nowhere(
    tmp_path: Path, write: Callable[[Path, Path], None]
) -> None:
    secret = encode(tmp_path / "secret.mp4")
    path = tmp_path / "x" / "list.mp4"
    path.parent.mkdir()
    write(path, secret)
    assert not list(registry.detect([path]).sources())
    with pytest.raises(NwbkitError):
        opened(path)
    # the second guard: even a file that got past the first names no other one
    with pytest.raises(NwbkitError):
        _video_reader.scan(path, "mov")


REFUSED: list[tuple[str, bytes, type[NwbkitError], str]] = [
    ("empty", b"", DamagedInput, "is empty"),
    ("text", b"hello, this is no video at all", DamagedInput, "does not begin"),
    ("only a head", b"\0\0\0\x18ftypmp42" + b"\0" * 12, DamagedInput, "moov"),
    ("only RIFF", b"RIFF\0\0\0\0AVI ", DamagedInput, "RIFF size"),
]


@pytest.mark.parametrize(("content", "kind", "said"), [c[1:] for c in REFUSED])
def test_what_is_no_video_is_said(
    tmp_path: Path, content: bytes, kind: type[NwbkitError], said: str
) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(content)
    with pytest.raises(kind) as error:
        opened(path)
    assert said in error.value.message
    assert "\n" not in error.value.message


def test_sound_alone_is_no_video(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("aac", rate=44100)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.sample_rate = 44100
        for packet in [*stream.encode(frame), *stream.encode()]:
            out.mux(packet)
    with pytest.raises(UnknownFormat, match="no video stream"):
        opened(path)


def test_without_pyav_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = encode(tmp_path / "a.mp4")
    monkeypatch.setitem(__import__("sys").modules, "av", None)
    with pytest.raises(MissingExtra) as error:
        opened(path)
    assert error.value.status == 69
    assert "nwbkit[video]" in (error.value.hint or "")


@pytest.mark.parametrize("name", ["my cam (1).mp4", "Käfig 日本.mp4", "a:b.mp4", "x"])
def test_odd_names_are_referred_to_as_they_are(tmp_path: Path, name: str) -> None:
    raw = tmp_path / "raw data" / name
    raw.parent.mkdir()
    shutil.move(encode(tmp_path / "t.mp4"), raw)
    if name == "x":
        raw = raw.rename(raw.with_name("x.mp4"))
    (tmp_path / "out").mkdir()
    out = tmp_path / "out" / "o.nwb"
    convert(raw, out)
    with h5py.File(out) as f:
        (series,) = f["acquisition"].values()
        (said,) = series["external_file"].asstr()[...]
    assert said == f"../raw data/{raw.name}"
    assert os.path.samefile(out.parent / said, raw)


def test_a_name_that_is_no_utf8_is_refused(tmp_path: Path) -> None:
    raw = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.mp4"))
    shutil.move(encode(tmp_path / "t.mp4"), raw)
    with pytest.raises(NwbkitError) as error:
        convert(raw, tmp_path / "out.nwb")
    assert error.value.status == 66


def test_the_camera_of_the_metadata_is_linked(tmp_path: Path) -> None:
    raw = encode(tmp_path / "front.mp4")
    out = tmp_path / "o.nwb"
    said = ["Cameras.front.manufacturer=Basler", "Cameras.front.model_name=acA1300"]
    convert(raw, out, set_meta=said)
    with h5py.File(out) as f:
        assert f["general/devices/models/acA1300"].attrs["manufacturer"] == "Basler"
        assert "model" in f["general/devices/front"]
        assert "device" in f["acquisition/VideoFront"]
    named = ["Cameras.c1.description=top", "Streams.front/frames.device=c1"]
    convert(raw, tmp_path / "p.nwb", set_meta=named)
    with h5py.File(tmp_path / "p.nwb") as f:
        assert list(f["general/devices"]) == ["c1"]


def test_verify_sees_another_video_and_a_broken_reference(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    raw = encode(tmp_path / "raw" / "cam.mp4")
    out = tmp_path / "o.nwb"
    document = convert(raw, out).document
    facts = document.streams["cam/frames"].facts
    assert facts["size"] == raw.stat().st_size
    assert len(facts["sha256"]) == 64
    assert_sound(out, raw)
    elsewhere = tmp_path / "moved" / "deep"
    elsewhere.mkdir(parents=True)
    for name in ("o.nwb", "o.nwb.json"):
        shutil.copy(tmp_path / name, elsewhere / name)
    codes = {
        f.code for f in verifying.verify(str(elsewhere / "o.nwb"), against=[str(raw)]).findings
    }
    assert "external-file-differs" in codes
    changed = bytearray(raw.read_bytes())
    changed[1000] ^= 1
    raw.write_bytes(changed)
    codes = {f.code for f in verifying.verify(str(out), against=[str(raw)]).findings}
    assert "video-file-differs" in codes
    encode(raw, n=30)
    codes = {f.code for f in verifying.verify(str(out), against=[str(raw)]).findings}
    assert {"frames-differs", "times-differs"} <= codes


@needs_data
@pytest.mark.parametrize("sample", VIDEOS, ids=lambda s: s["path"].replace("/", "-"))
def test_samples(sample: dict[str, Any], tmp_path: Path) -> None:
    raw = DATA / sample["path"]
    out = tmp_path / "out.nwb"
    convert(raw, out)
    with h5py.File(out) as f:
        (series,) = f["acquisition"].values()
        assert series["num_samples"][()] == sample["frames"]
        assert series["dimension"][...].tolist() == sample["size"]
        assert os.path.samefile(tmp_path / series["external_file"].asstr()[0], raw)
        if sample["rate"] is None:
            times = series["timestamps"][...]
            assert np.array_equal(times, flv_times(raw))
        else:
            assert series["starting_time"].attrs["rate"] == sample["rate"]
            assert series["starting_time"][()] == 0.0
    assert_sound(out, raw)


def flv_times(path: Path) -> Any:
    """Presentation times of the video tags, from the bytes: timestamp + composition time."""
    raw, at, times = path.read_bytes(), 13, []
    while at + 11 <= len(raw):
        length = int.from_bytes(raw[at + 1 : at + 4], "big")
        stamp = int.from_bytes(raw[at + 7 : at + 8] + raw[at + 4 : at + 7], "big")
        body = raw[at + 11 : at + 11 + length]
        if raw[at] == 9 and body[1] == 1:  # AVC, a picture
            times.append(stamp + int.from_bytes(body[2:5], "big", signed=True))
        at += 11 + length + 4
    return np.sort(times) / 1000


@needs_data
def test_lone_videos_are_claimed_and_nothing_else() -> None:
    found = [s for s in registry.detect([DATA]).sources() if s.format == "video"]
    suffixes = {s.paths[0].suffix for s in found}
    assert suffixes <= {".mp4", ".avi", ".flv"}
    assert {s.strength.label for s in found} <= {"fallback"}
    assert {p for s in found for p in s.paths} >= {
        DATA / "video/CFR" / f"video_{k}"
        for k in (
            "avi.avi",
            "mp4.mp4",
            "flv.flv",
        )
    }
