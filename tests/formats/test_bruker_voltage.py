"""Bruker PrairieView: voltage recordings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nwbkit.errors import DamagedInput
from nwbkit.formats.imaging.bruker import _voltage
from nwbkit.streams import Segment
from tests.formats.bruker_files import (
    Run,
    all_of,
    every,
    opened,
    recording,
    refused,
    voltage,
)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_voltages_are_on_the_frames_clock(tmp_path: Path, end: str) -> None:
    values = voltage(tmp_path / "a", end=end)
    with opened(Run(tmp_path / "a").cycle(every(4), extra=recording()).write()) as r:
        assert [s.id for s in r.streams] == ["Ch2", "VoltageRecording"]
        stream = r.stream("VoltageRecording")
        assert stream.channel_names == ("Input 0", "Input 1")
        assert np.array_equal(all_of(r, "VoltageRecording"), values)
        assert np.array_equal(stream.read(4090, 8200), values[4090:8200])
        assert stream.timebase.segments == (Segment(0, 10000, -0.25, 1000.0),)
        assert stream.timebase.clock == r.streams[0].timebase.clock
        assert "UnitName mV" in stream.description
        assert len(list(r.files())) == 7


def test_voltages_of_cycles_are_segments(tmp_path: Path) -> None:
    a, b = voltage(tmp_path / "a", 50), voltage(tmp_path / "a", 70, cycle=2)
    run = Run(tmp_path / "a").cycle(every(4), extra=recording())
    run.cycle(every(4, 10), extra=recording(2, "13.5"))
    with opened(run.write()) as r:
        stream = r.stream("VoltageRecording")
        assert np.array_equal(all_of(r, "VoltageRecording"), np.concatenate([a, b]))
        assert stream.timebase.segments == (Segment(0, 50, -0.25, 1e3), Segment(50, 70, 10.0, 1e3))


def test_damaged_voltages(tmp_path: Path) -> None:
    voltage(tmp_path / "a", 100, said=120)
    folder = Run(tmp_path / "a").cycle(every(4), extra=recording()).write()
    refused(folder, DamagedInput, "holds 100 samples", "says 120")
    with opened(folder, salvage=True) as r:
        assert r.stream("VoltageRecording").shape == (100, 2)
    path = next(folder.glob("*.csv"))
    path.write_text(path.read_text()[:-9])
    with (
        pytest.raises(DamagedInput, match=r"values, expected|no number"),
        opened(folder, salvage=True),
    ):
        pass
    path.unlink()
    refused(folder, DamagedInput, "which is missing")
    with opened(folder, salvage=True) as r:
        assert [s.id for s in r.streams] == ["Ch2"]


def test_a_table_of_voltages_is_read_in_pieces(tmp_path: Path, monkeypatch: Any) -> None:
    values = voltage(tmp_path / "a", 10000)
    monkeypatch.setattr(_voltage, "_BLOCK", 1000)
    text = _voltage.index(next((tmp_path / "a").glob("*.csv")))
    assert text.n_rows == 10000 and len(text.places) == 4
    assert np.array_equal(text.rows(4095, 4097)[:, 1:], values[4095:4097])


def test_a_large_table_is_read_again_from_its_middle(tmp_path: Path, monkeypatch: Any) -> None:
    values = voltage(tmp_path / "a", 9000)
    folder = Run(tmp_path / "a").cycle(every(4), extra=recording()).write()
    monkeypatch.setattr(_voltage, "_BLOCK", 1000)
    with opened(folder) as r:
        for low, high in ((0, 3), (4095, 4098), (4096, 4097), (8990, 9000)):
            rows = r.reread("VoltageRecording", low, high)
            assert rows is not None and np.array_equal(rows, values[low:high])
