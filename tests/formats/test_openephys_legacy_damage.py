"""Damaged and contradictory Open Ephys legacy files: an error, or a recorded loss."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from nwbkit.errors import DamagedInput, NoInput
from nwbkit.formats import registry
from nwbkit.formats.base import Source
from nwbkit.formats.recording.openephys_legacy import tracks
from nwbkit.formats.recording.openephys_legacy.records import Run
from tests.expected.openephys_legacy import counts, write_channels, write_events, write_spikes
from tests.formats.helpers import found, opened

TEN = range(5000, 5000 + 10 * 1024, 1024)
DATA = counts(10 * 1024, 3)
SIZE = 2070


def edit(path: Path, at: int, value: bytes) -> None:
    raw = bytearray(path.read_bytes())
    raw[at : at + len(value)] = value
    path.write_bytes(bytes(raw))


def cut(path: Path, size: int) -> None:
    path.write_bytes(path.read_bytes()[:size])


def record(k: int) -> int:
    return 1024 + k * SIZE


#: What is done to channels, what the error says, rows (or channels) that --salvage reads.
CASES: dict[str, tuple[Callable[[Path], object], str, int | None]] = {
    "half a record": (
        lambda p: [cut(p / f"100_CH{k}.continuous", record(9) + 100) for k in (1, 2, 3)],
        "100 bytes after record 9",
        9 * 1024,
    ),
    "unequal lengths": (
        lambda p: cut(p / "100_CH2.continuous", record(7)),
        "'100_CH2.continuous' holds 7 records",
        7 * 1024,
    ),
    "another sample number": (
        lambda p: edit(p / "100_CH3.continuous", record(9), struct.pack("<q", 77)),
        "different sample numbers of record 9",
        9 * 1024,
    ),
    "goes back": (
        lambda p: [
            edit(p / f"100_CH{k}.continuous", record(6), struct.pack("<q", TEN[2]))
            for k in (1, 2, 3)
        ],
        "says sample 7048 of record 6",
        6 * 1024,
    ),
    "overlaps": (
        lambda p: [
            edit(p / f"100_CH{k}.continuous", record(6), struct.pack("<q", TEN[6] - 5))
            for k in (1, 2, 3)
        ],
        "of record 6",
        6 * 1024,
    ),
    "no marker": (
        lambda p: edit(p / "100_CH1.continuous", record(4) - 3, b"\0\0\0"),
        "no record marker behind record 3",
        -2,
    ),
    "another count": (
        lambda p: edit(p / "100_CH1.continuous", record(4) + 8, struct.pack("<H", 512)),
        "says 512 samples in record 4",
        -2,
    ),
    "no marker at all": (
        lambda p: edit(p / "100_CH1.continuous", record(1) - 10, bytes(10)),
        "no record marker behind its first record",
        None,
    ),
    "half a header": (lambda p: cut(p / "100_CH1.continuous", 700), "700 bytes of header", None),
    "another block length": (
        lambda p: edit(
            p / "100_CH1.continuous", 0, _header(p, b"blockLength = 1024", b"blockLength = 512")
        ),
        "blockLength 512",
        None,
    ),
    "half an event": (
        lambda p: _append(write_events(p / "all_channels.events", [(5100, 3, 1, 1, 0, 0)])),
        "5 bytes after event 1",
        10 * 1024,
    ),
    "half a spike": (
        lambda p: _append(write_spikes(p / "TT1.spikes", [(5100, 1)])),
        "5 bytes after spike 1",
        10 * 1024,
    ),
}


def _header(folder: Path, old: bytes, new: bytes) -> bytes:
    raw = (folder / "100_CH1.continuous").read_bytes()[:1024]
    return raw.replace(old, new).ljust(1024)[:1024]


def _append(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"abcde")


@pytest.mark.parametrize("name", CASES)
def test_it_is_refused(name: str, tmp_path: Path) -> None:
    make, says, _ = CASES[name]
    make(write_channels(tmp_path, DATA, TEN))
    with pytest.raises(DamagedInput) as caught:
        opened(tmp_path)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", [n for n, case in CASES.items() if case[2] is not None])
def test_salvage_reads_what_is_there_and_says_what_is_lost(name: str, tmp_path: Path) -> None:
    make, says, rows = CASES[name]
    assert rows is not None
    make(write_channels(tmp_path, DATA, TEN))
    with opened(tmp_path, salvage=True) as reader:
        stream = reader.stream("processor100")
        data = DATA[:rows] if rows > 0 else DATA[:, rows:]  # negative: as many channels are kept
        assert stream.shape == data.shape  # type: ignore[attr-defined]
        assert np.array_equal(stream.read(0, len(data)), data)  # type: ignore[attr-defined]
        assert any(says in loss for loss in reader.losses)


def test_a_contradiction_between_the_probes_is_found_as_it_is_read(tmp_path: Path) -> None:
    many = range(0, 1024 * 100, 1024)
    write_channels(tmp_path, counts(1024 * 100, 2), many)
    edit(tmp_path / "100_CH2.continuous", record(50), struct.pack("<q", 3))
    with opened(tmp_path) as reader, pytest.raises(DamagedInput, match=r"sample 3 of record 50"):
        reader.stream("processor100").read(0, 1024 * 100)  # type: ignore[attr-defined]


def test_a_file_that_becomes_shorter_is_noticed(tmp_path: Path) -> None:
    write_channels(tmp_path, DATA, TEN)
    with opened(tmp_path) as reader:
        cut(tmp_path / "100_CH2.continuous", record(5))
        with pytest.raises(DamagedInput, match="shorter"):
            reader.stream("processor100").read(0, 10_240)  # type: ignore[attr-defined]


def test_headers_without_records(tmp_path: Path) -> None:
    write_channels(tmp_path, DATA[:0], [])
    with opened(tmp_path) as reader:
        assert reader.stream("processor100").shape == (0, 3)  # type: ignore[attr-defined]


def test_missing_files_are_named(tmp_path: Path) -> None:
    gone = Source("r", "openephys_legacy", (tmp_path / "100_CH1.continuous",))
    with pytest.raises(NoInput, match=r"100_CH1\.continuous"):
        registry.open_source(gone)


def test_an_xml_with_entities_is_not_expanded(tmp_path: Path) -> None:
    raw = write_channels(tmp_path, DATA, TEN)
    bomb = '<!DOCTYPE a [<!ENTITY b "x"><!ENTITY c SYSTEM "file:///etc/passwd">]>'
    (raw / "settings.xml").write_text(
        f"{bomb}<SETTINGS><VERSION>&c;</VERSION><PROCESSOR name='n' NodeId='1'/></SETTINGS>"
    )
    with opened(raw) as reader:
        assert "root:" not in str(reader.metadata())


def test_without_its_guard_a_gap_would_be_absorbed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What readers do that take a number of samples for a length of time."""
    write_channels(tmp_path, DATA, [*TEN[:5], *(t + 5000 for t in TEN[5:])])
    with opened(tmp_path) as reader:
        base = reader.stream("processor100").timebase
        assert base is not None and [n for n, _ in base.gaps()] == [5120]
    whole = [Run(0, 10_240, TEN[0], 0, 0)]
    monkeypatch.setattr(tracks, "runs_of", lambda *_: whole)
    with opened(tmp_path) as reader:
        base = reader.stream("processor100").timebase
        assert base is not None and not list(base.gaps())


def test_empty_and_foreign_files_are_not_claimed(tmp_path: Path) -> None:
    (tmp_path / "100_CH1.continuous").write_bytes(b"")
    (tmp_path / "a.spikes").write_bytes(b"\0" * 4096)
    from nwbkit.errors import NwbkitError

    try:
        sources = found(tmp_path)
    except NwbkitError:
        sources = []
    assert [s for s in sources if s.format == "openephys_legacy"] == []
