"""Sound: headers that lie, files that are cut off, what is recognised, what headers tell."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nwbkit.errors import DamagedInput, MissingFact, NwbkitError, UsageError
from nwbkit.formats import registry
from tests.data import DATA, needs_data
from tests.formats.audio_files import aiff, bext, chunk, fmt, info, opened, rf64, riff, w64

pytest.importorskip("soundfile")
DATA16 = np.arange(-500, 500, dtype="<i2").reshape(-1, 2)
RAW = DATA16.tobytes()
BIG = DATA16.astype(">i2").tobytes()
GOOD = riff(fmt(), chunk(b"data", RAW))

#: name -> (bytes, what the message says, frames that --salvage reads; None: nothing)
DAMAGED: dict[str, tuple[bytes, str, int | None]] = {
    "cut.wav": (GOOD[:-800], r"2000 bytes of samples, and 1200 are there", 300),
    "odd.wav": (GOOD[:-3], r"2000 bytes of samples, and 1997 are there", 499),
    "unset0.wav": (
        riff(fmt(), chunk(b"data", RAW, size=0), total=0),
        *(r"size of chunk 'data' is 0x0, .* 2000 bytes follow", 500),
    ),
    "unsetf.wav": (
        riff(fmt(), chunk(b"data", RAW, size=0xFFFFFFFF), total=0xFFFFFFFF),
        *(r"size of chunk 'data' is 0xffffffff", 500),
    ),
    "riff0.wav": (riff(fmt(), chunk(b"data", RAW), total=0), r"size in the header is 0x0", 500),
    "riff-short.wav": (
        riff(fmt(), chunk(b"data", RAW), total=1000),
        *("1008 bytes in all, and the samples reach to byte 2044", 500),
    ),
    "riff-long.wav": (
        riff(fmt(), chunk(b"data", RAW), total=9000),
        *("9008 bytes in all, and the file has 2044", 500),
    ),
    "frames.wav": (riff(fmt(), chunk(b"data", RAW[:-2])), "no whole number of frames of 4", 499),
    "two.wav": (riff(fmt(), chunk(b"data", RAW), chunk(b"data", RAW)), "2 chunks 'data'", 500),
    "align.wav": (riff(fmt(align=5), chunk(b"data", RAW)), "says 5 bytes for 2 channels", None),
    "channels.wav": (riff(fmt(channels=0), chunk(b"data", RAW)), "says 0 channels", None),
    "rate0.wav": (riff(fmt(rate=0), chunk(b"data", RAW)), "says 0 samples per second", None),
    "bits.wav": (riff(fmt(bits=40), chunk(b"data", RAW)), "says 40 bits a sample", None),
    "f16.wav": (riff(fmt(bits=16, tag=3), chunk(b"data", RAW)), "16 bits a sample", None),
    "nofmt.wav": (riff(chunk(b"data", RAW)), "has no chunk 'fmt '", None),
    "nodata.wav": (riff(fmt()), "has no chunk 'data'", None),
    "empty.wav": (riff(fmt(), chunk(b"data", b"")), "holds no sample", None),
    "none.wav": (b"", "is empty", None),
    "short.wav": (b"RIFF\1\0\0\0", "does not begin like any sound", None),
    "fmt.wav": (riff(chunk(b"fmt ", b"\1\0\1\0"), chunk(b"data", RAW)), "of 4 bytes", None),
    "rf64.wav": (rf64(fmt(), RAW, stated=4000), "4000 bytes of samples, and 2000 are", 500),
    "cut.w64": (w64(fmt(), RAW)[:-400], r"(?:in all|bytes of samples), and", 400),
    "cut.aiff": (aiff(BIG)[:-400], "2000 bytes of samples, and 1600 are there", 400),
    "frames.aiff": (aiff(BIG, frames=400), "'COMM' says 400 frames, and .* holds 500", 500),
    "unset.aiff": (aiff(BIG, size=0), "size of chunk 'SSND' is 0x0", 500),
    "rate.aiff": (aiff(BIG, rate=0.0), r"says 0\.0 samples per second", None),
    "format.wav": (riff(fmt(tag=0x1234), chunk(b"data", RAW)), "cannot be decoded", None),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_headers_that_lie_are_refused(name: str, tmp_path: Path) -> None:
    raw, says, frames = DAMAGED[name]
    path = tmp_path / name
    path.write_bytes(raw)
    with pytest.raises(DamagedInput, match=says) as failure:
        opened(path)
    assert f"'{name}'" in str(failure.value) and "\n" not in str(failure.value)
    if frames is None:
        with pytest.raises(DamagedInput):
            opened(path, salvage=True)
        return
    assert "--salvage" in str(failure.value.hint)
    reader = opened(path, salvage=True)
    assert reader.losses and reader.streams[0].shape == (frames, 2)
    assert np.array_equal(reader.streams[0].read(0, frames), DATA16[:frames])
    assert reader.reread("audio", 0, 1) is None  # libsndfile repairs in ways of its own


@pytest.mark.parametrize(
    ("name", "subtype"), [("a.flac", "PCM_16"), ("a.ogg", "VORBIS"), ("a.mp3", "MPEG_LAYER_III")]
)
def test_coded_sound_that_is_cut_off_is_refused(name: str, subtype: str, tmp_path: Path) -> None:
    import soundfile

    path = tmp_path / name
    noise = np.random.default_rng(0).normal(size=(100_000, 2)) * 0.1
    soundfile.write(path, noise, 44100, subtype=subtype, format=name[2:].upper())
    whole = opened(path).streams[0].read(0, 1000)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    with pytest.raises(DamagedInput, match=rf"'{name}'"):
        opened(path)
    reader = opened(path, salvage=True)
    (stream,) = reader.streams
    assert reader.losses and 40_000 < stream.shape[0] < 70_000
    assert np.array_equal(stream.read(0, 1000), whole)
    stream.read(stream.shape[0] - 10, stream.shape[0])


# ---- the rate ----------------------------------------------------------------------------


def test_a_rate_against_the_bytes_per_second(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(riff(fmt(rate=44100, byte_rate=192_000), chunk(b"data", RAW)))
    with pytest.raises(DamagedInput, match="44100 samples per second and 192000 bytes") as failure:
        opened(path)
    assert str(failure.value.hint) == "--set a.rate=HZ"
    assert opened(path, rate=48000.0).streams[0].timebase.rate == 48000.0


def guano(**fields: str) -> bytes:
    text = "GUANO|Version: 1.0\n" + "\n".join(f"{k}: {v}" for k, v in fields.items())
    return chunk(b"guan", text.encode())


def test_time_expansion(tmp_path: Path) -> None:
    path = tmp_path / "bat.wav"
    data = chunk(b"data", RAW)
    path.write_bytes(riff(fmt(rate=25_000), data, guano(TE="10", Samplerate="250000")))
    reader = opened(path)
    assert reader.streams[0].timebase.rate == 250_000.0
    assert any("time expansion 10" in note for note in reader.notes)
    assert reader.reread_facts("audio") is None
    path.write_bytes(riff(fmt(rate=25_000), data, guano(TE="10", Samplerate="384000")))
    with pytest.raises(MissingFact, match="GUANO says 384000"):
        opened(path)
    path.write_bytes(riff(fmt(rate=25_000), data))
    reader = opened(path, rate=250_000.0)
    assert reader.streams[0].timebase.rate == 250_000.0 and reader.notes
    with pytest.raises(UsageError, match="positive"):
        opened(path, rate=-1.0)


# ---- what files say ----------------------------------------------------------------------

MOTH = (
    "Recorded at 19:17:30 03/02/2020 (UTC{}) by AudioMoth 24F31901602FB7E4 at medium gain setting "
    "while battery state was 4.5V and temperature was 20.1C."
)
#: name -> (file's name, chunks, start, said by)
STARTS: dict[str, tuple[str, list[bytes], str | None, str]] = {
    "bext": (
        "a",
        [bext(date="2023-05-06", time="07:08:09")],
        *("2023-05-06T07:08:09", "chunk 'bext'"),
    ),
    "bext exact": (
        "a",
        [bext(date="2023:05:06", time="00-00-02", samples=625_000)],  # 2.5 s at 250 kHz
        *("2023-05-06T00:00:02.500000", "chunk 'bext'"),
    ),
    "bext no date": ("a", [bext("Tascam", date="0000-00-00", time="00:00:00")], None, ""),
    "moth": ("a", [info(ICMT=MOTH.format(""))], "2020-02-03T19:17:30+00:00", "AudioMoth's comment"),
    "moth zone": (
        "a",
        [info(ICMT=MOTH.format("+5:30"))],
        *("2020-02-03T19:17:30+05:30", "AudioMoth's comment"),
    ),
    "moth west": (
        "a",
        [info(ICMT=MOTH.format("-8"))],
        *("2020-02-03T19:17:30-08:00", "AudioMoth's comment"),
    ),
    "guano": (
        "20240101_000000",
        [guano(Timestamp="2024-01-01T00:00:01+02:00", Make="Wildlife Acoustics", Model="SM4")],
        *("2024-01-01T00:00:01+02:00", "GUANO"),
    ),
    "name": ("SM4_20240301_063000", [], "2024-03-01T06:30:00", "the file's name"),
    "avisoft": ("T2012-03-04_12-00-00_0000001", [], "2012-03-04T12:00:00", "the file's name"),
    "avisoft number": ("T0000001", [], None, ""),
    "no date": ("20241399_063000", [], None, ""),
    "a day only": ("mouse_20240301", [], None, ""),
}


@pytest.mark.parametrize("case", STARTS)
def test_when_it_was_recorded(case: str, tmp_path: Path) -> None:
    stem, chunks, start, by = STARTS[case]
    path = tmp_path / f"{stem}.wav"
    path.write_bytes(riff(*chunks, fmt(), chunk(b"data", RAW)))
    reader = opened(path)
    said = reader.metadata().get("NWBFile", {}).get("session_start_time")
    assert said == start
    assert reader.streams[0].facts.get("start_said_by", "") == by


def test_who_recorded_it(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(riff(info(ICMT=MOTH.format("")), fmt(), chunk(b"data", RAW)))
    found = opened(path).metadata()
    device = found["Devices"]["a_recorder"]
    assert device["serial_number"] == "24F31901602FB7E4" and device["model_name"] == "AudioMoth"
    comments = found["Streams"]["a/audio"]["comments"]
    assert "medium gain" in comments and "24F31901602FB7E4" in comments


def test_what_contradicts_no_sample_is_said(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    for raw, says in (
        (riff(fmt(), chunk(b"data", RAW), total=len(GOOD)), "2052 bytes in all"),
        (GOOD + b"\0" * 50, "50 bytes after the last chunk"),
    ):
        path.write_bytes(raw)
        reader = opened(path)
        assert reader.streams[0].shape == (500, 2) and not reader.losses
        assert any(says in note for note in reader.notes)


def test_two_dates_that_differ_are_said(tmp_path: Path) -> None:
    path = tmp_path / "20240301_063000.wav"
    path.write_bytes(riff(bext(date="2023-05-06", time="07:08:09"), fmt(), chunk(b"data", RAW)))
    assert any("2024-03-01" in n and "2023-05-06" in n for n in opened(path).notes)


# ---- recognising -------------------------------------------------------------------------


def claimed(path: Path) -> list[str]:
    return sorted(
        p.name for s in registry.detect([path]).sources() if s.format == "audio" for p in s.paths
    )


FOREIGN: dict[str, bytes] = {
    "movie.avi.wav": b"RIFF\1\0\0\0AVI LIST",
    "text.wav": b"time,volume\n1,2\n",
    "cover.mp3": b"\x89PNG\r\n\x1a\n" + bytes(100),
    "theora.ogg": b"OggS" + bytes(22) + b"\x01\x2a\x80theora",
    "ilbm.aiff": b"FORM\0\0\0\4ILBM",
    "image.au": bytes(64),
}


def test_names_alone_claim_nothing(tmp_path: Path) -> None:
    for name, head in FOREIGN.items():
        (tmp_path / name).write_bytes(head.ljust(400, b"\0"))
    assert claimed(tmp_path) == []
    (tmp_path / "x.wav").write_bytes(GOOD)
    assert claimed(tmp_path) == ["x.wav"]


def test_one_stem_twice(tmp_path: Path) -> None:
    (tmp_path / "x.wav").write_bytes(GOOD)
    (tmp_path / "x.aiff").write_bytes(aiff(BIG))
    ids = sorted(s.id for s in registry.detect([tmp_path]).sources())
    assert ids == ["x-aiff", "x-wav"]


@pytest.mark.parametrize("name", ["mic é 1.wav", "x", "a b.wav", "UPPER.WAV"])
def test_odd_names(name: str, tmp_path: Path) -> None:
    folder = tmp_path / name.partition(".")[0]
    folder.mkdir()
    (folder / (name if "." in name else "x.wav")).write_bytes(GOOD)
    (source,) = registry.detect([folder]).sources()
    assert source.format == "audio"


@needs_data
def test_of_the_samples_only_sound_is_claimed() -> None:
    found: Any = [s for s in registry.detect([DATA]).sources() if s.format == "audio"]
    assert len(found) == 23
    assert {p.parent.parent.name for s in found for p in s.paths} == {"audio"}


def test_a_header_of_any_bytes_ends_in_one_line(tmp_path: Path) -> None:
    """No flip of a byte in a header crashes, or makes a file of other samples without a word."""
    rng = np.random.default_rng(2)
    path = tmp_path / "a.wav"
    head = GOOD[:44]
    for _ in range(150):
        raw = bytearray(GOOD)
        at = int(rng.integers(12, len(head)))
        raw[at] ^= 1 << int(rng.integers(0, 8))
        path.write_bytes(raw)
        try:
            stream = opened(path).streams[0]
            read = stream.read(0, stream.shape[0])
        except NwbkitError as error:
            assert "\n" not in str(error)
            continue
        assert struct.unpack_from("<I", raw, 24)[0] == stream.timebase.rate
        assert read.nbytes in (len(RAW), 2 * len(RAW)), at  # A-law and mu-law double
