"""Damaged and contradictory Blackrock files: an error that says what, or a recorded loss."""

from __future__ import annotations

import contextlib
import random
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from nwbkit.errors import DamagedInput, NoInput, NwbkitError
from nwbkit.formats import registry
from nwbkit.formats.base import Source
from nwbkit.formats.recording.blackrock import nsx, timeline
from nwbkit.formats.recording.blackrock.headers import read_nev, read_ns
from tests.expected.blackrock import (
    channel,
    counts,
    spike,
    wave,
    write_nev,
    write_ns,
    write_ns21,
    write_ptp,
)
from tests.formats.helpers import found, opened

ROWS = counts(900, 3)


def cut(path: Path, size: int) -> None:
    path.write_bytes(path.read_bytes()[:size])


def edit(path: Path, at: int, value: bytes) -> None:
    raw = bytearray(path.read_bytes())
    raw[at : at + len(value)] = value
    path.write_bytes(bytes(raw))


def ns(path: Path) -> Path:
    return write_ns(path / "r.ns5", [(0, ROWS[:400]), (9000, ROWS[400:])])


HEAD = 314 + 66 * 3
SECOND = HEAD + 9 + 400 * 6

#: What is done to the files, what the error says, rows that --salvage reads.
CASES: dict[str, tuple[Callable[[Path], object], str, int | None]] = {
    "truncated": (lambda p: cut(ns(p), SECOND + 9 + 100 * 6 + 3), "ends after 100 of the 500", 500),
    "half a block head": (lambda p: cut(ns(p), SECOND + 5), "inside the header of a block", 400),
    "no block there": (lambda p: edit(ns(p), SECOND, b"\x07"), "0x07 at byte", 400),
    "not closed": (
        lambda p: edit(ns(p), SECOND + 5, struct.pack("<I", 0)),
        "says 0 points of its last block",
        900,
    ),
    "never closed": (
        lambda p: edit(ns(p), SECOND + 5, struct.pack("<I", 0xFFFFFFFF)),
        "says 4294967295 points",
        900,
    ),
    "21 inside a sample": (
        lambda p: (
            write_nev(p / "r.nev", [], [wave(i) for i in (1, 2, 3)], spec=(2, 1)),
            cut(write_ns21(p / "r.ns5", ROWS, [1, 2, 3]), 44 + 6 * 899 + 2),
        ),
        "ends inside a sample: 2 bytes after sample 899",
        899,
    ),
    "ptp inside a packet": (
        lambda p: write_ptp(p / "r.ns6", range(0, 900 * 33333, 33333), ROWS, tail=b"\x01\x02"),
        "2 bytes after packet 900",
        900,
    ),
    "ptp not one point": (
        lambda p: write_ptp(p / "r.ns6", range(0, 900 * 33333, 33333), ROWS, says={700: 2}),
        "says 2 points of packet 700",
        700,
    ),
    "bytes in headers": (
        lambda p: edit(ns(p), 10, struct.pack("<I", 999)),
        "bytes in headers 999, expected 512",
        None,
    ),
    "channel count": (lambda p: edit(ns(p), 310, struct.pack("<I", 4)), "expected 578", None),
    "no period": (lambda p: edit(ns(p), 286, struct.pack("<I", 0)), "says period 0", None),
    "no scale": (
        lambda p: write_ns(p / "r.ns5", [(0, ROWS[:, :1])], [channel(1, digital=(0, 0))]),
        "digital 0 to 0",
        None,
    ),
    "half a header": (lambda p: cut(ns(p), 400), "ends inside its header", None),
    "a magic and no more": (lambda p: cut(ns(p), 8), "ends inside its header", None),
    "nev inside a packet": (
        lambda p: (
            ns(p),
            write_nev(p / "r.nev", [(5, 1, spike(1))], [wave(1)], tail=b"abc"),
        ),
        "3 bytes after packet 1",
        900,
    ),
    "another day": (
        lambda p: (
            ns(p),
            write_nev(p / "r.nev", [], [wave(1)], origin=(2024, 5, 5, 3, 10, 30, 15, 250)),
        ),
        "not of one recording",
        900,
    ),
    "other clocks": (
        lambda p: (ns(p), write_nev(p / "r.nev", [], resolution=10000)),
        "different time stamps a second",
        None,
    ),
    "resets of the nev only": (
        lambda p: (
            write_ns(p / "r.ns5", [(0, ROWS)]),
            write_nev(p / "r.nev", [(90000, 1, spike(1)), (5, 1, spike(1))], [wave(1)]),
        ),
        "'r.nev' shows 1 clock resets, the ns files 0",
        900,
    ),
    "resets of one file only": (
        lambda p: (
            write_ns(p / "r.ns5", [(0, ROWS), (0, ROWS)]),
            write_ns(p / "r.ns2", [(0, ROWS)], period=30),
        ),
        "clock resets",
        None,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_it_is_refused(name: str, tmp_path: Path) -> None:
    make, says, _ = CASES[name]
    make(tmp_path)
    with pytest.raises(DamagedInput) as caught:
        opened(tmp_path)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", [n for n, case in CASES.items() if case[2] is not None])
def test_salvage_reads_what_is_there_and_says_what_is_lost(name: str, tmp_path: Path) -> None:
    make, says, rows = CASES[name]
    make(tmp_path)
    with opened(tmp_path, salvage=True) as reader:
        (array,) = [s for s in reader.streams if s.role == "raw"]
        assert array.shape[0] == rows  # type: ignore[attr-defined]
        assert (array.read(0, rows) == ROWS[:rows]).all()  # type: ignore[attr-defined]
        assert any(says in loss for loss in reader.losses)


@pytest.mark.parametrize("content", [b"", b"NEURAL", b"NEURALCX" * 40, b"\0" * 5000])
def test_other_content_under_the_name_is_not_claimed(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "r.ns5").write_bytes(content)
    (tmp_path / "r.nev").write_bytes(content)
    with contextlib.suppress(NwbkitError):
        assert [s for s in found(tmp_path) if s.format == "blackrock"] == []


def test_missing_files_are_named(tmp_path: Path) -> None:
    gone = Source("r", "blackrock", (tmp_path / "r.ns5",))
    with pytest.raises(NoInput, match=r"r\.ns5"):
        registry.open_source(gone)


def test_a_file_that_becomes_shorter_is_noticed(tmp_path: Path) -> None:
    path = ns(tmp_path)
    with opened(tmp_path) as reader:
        cut(path, SECOND)
        with pytest.raises(DamagedInput, match="shorter"):
            reader.stream("ns5").read(0, 900)  # type: ignore[attr-defined]


def test_headers_of_any_bytes_raise_nothing_else(tmp_path: Path) -> None:
    from nwbkit.formats.recording.blackrock.headers import BadHeader

    random.seed(4)
    whole = ns(tmp_path).read_bytes()[:600]
    event = write_nev(tmp_path / "r.nev", [], [wave(1)] * 4).read_bytes()
    for read, raw in ((read_ns, whole), (read_nev, event)):
        for _ in range(300):
            broken = bytearray(raw)
            for _ in range(4):
                broken[random.randrange(8, len(raw))] = random.randrange(256)
            with contextlib.suppress(BadHeader):
                read(bytes(broken[: random.randrange(8, len(raw) + 1)]))


# -------------------------------------------------------------- TRAPS, without their guards


def test_without_its_guard_an_open_block_would_vanish(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    edit(ns(tmp_path), SECOND + 5, struct.pack("<I", 0))
    monkeypatch.setattr(nsx, "_chains", lambda *_: True)
    with pytest.raises(DamagedInput, match="where a block begins"):
        opened(tmp_path)


def test_without_its_guard_times_would_go_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_ns(tmp_path / "r.ns5", [(0, ROWS), (0, ROWS)])
    monkeypatch.setattr(timeline, "epochs_of", lambda blocks, step: [0] * len(blocks))
    with opened(tmp_path) as reader:
        base = reader.stream("ns5").timebase
        assert base is not None
        assert any(missing < 0 for _, missing in base.gaps())


def test_a_nev_alone_is_converted_at_the_header_s_rate(tmp_path: Path) -> None:
    """Readers refuse it for want of continuous data, though the header holds the clock."""
    write_nev(tmp_path / "r.nev", [(30, 1, spike(1))], [wave(1)], resolution=10000)
    with opened(tmp_path) as reader:
        base = reader.stream("units").timebase
        assert base is not None
        assert base.rate == 10000.0
