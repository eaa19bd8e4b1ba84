"""Blackrock clocks that are set back while recording, in ns files and nev."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from nwbkit.errors import MissingFact
from tests.expected.blackrock import comment, counts, spike, wave, write_nev, write_ns
from tests.formats.helpers import opened
from tests.formats.test_blackrock_toy import to_nwb

ROWS = counts(900, 3)


def reset(folder: Path, nev: bool = True, **options: Any) -> Path:
    """900 samples, the clock is set back, 600 samples; spikes in both."""
    write_ns(folder / "r.ns5", [(0, ROWS), (0, ROWS[:600])])
    if nev:
        packets = [
            (100, 1, spike(1)),
            (880, 1, spike(1)),
            (0, 0xFFFF, comment("critical load restart")),
            (50, 1, spike(1)),
            (500, 1, spike(1)),
        ]
        write_nev(folder / "r.nev", packets, [wave(1)])
    return folder


@pytest.mark.parametrize(("sets", "gap"), [([], 0.0), (["r.reset_gap=2.5"], 2.5)])
def test_what_follows_a_reset_lies_behind_what_was_before(
    sets: list[str], gap: float, tmp_path: Path
) -> None:
    raw = reset(tmp_path / "raw")
    out = to_nwb(raw, tmp_path / "out.nwb", sets=sets)
    second = 900 / 30000 + gap
    with h5py.File(out) as f:
        series = f["acquisition/ElectricalSeries"]
        if gap:
            times = series["timestamps"][...]
            assert times[900] == pytest.approx(second)
            assert (np.diff(times) > 0).all()
        assert "true distance is in no file" in series.attrs["description"]
        assert "true distance is in no file" in f["units"].attrs["description"]
        spikes = f["units/spike_times"][...]
        assert spikes == pytest.approx(
            [100 / 30000, 880 / 30000, second + 50 / 30000, second + 500 / 30000]
        )
    with opened(raw) as reader:
        assert any("set back 1 times" in n and "reset_gap" in n for n in reader.notes)


def test_a_nev_that_does_not_show_the_reset_is_not_placed_by_guess(tmp_path: Path) -> None:
    raw = reset(tmp_path / "raw", nev=False)
    write_nev(raw / "r.nev", [(100, 1, spike(1)), (400, 1, spike(1))], [wave(1)])
    with pytest.raises(MissingFact) as caught:
        opened(raw)
    assert "r.nev_epoch" in str(caught.value.hint)
    with opened(raw, nev_epoch=1) as reader:
        assert reader.stream("units").read(0, 1).tolist() == [1000, 1300]  # type: ignore[attr-defined]


def test_a_stretch_before_the_reset_that_no_packet_fits_holds_none(tmp_path: Path) -> None:
    write_ns(tmp_path / "r.ns5", [(0, ROWS[:2]), (0, ROWS[2:])])
    write_nev(tmp_path / "r.nev", [(100, 1, spike(1)), (400, 1, spike(1))], [wave(1)])
    with opened(tmp_path) as reader:
        assert reader.stream("units").read(0, 1).tolist() == [102, 402]  # type: ignore[attr-defined]


def test_a_reset_that_only_the_nev_shows_divides_the_blocks(tmp_path: Path) -> None:
    write_ns(tmp_path / "r.ns5", [(0, ROWS[:20]), (96, ROWS[20:])])
    packets = [(10, 1, spike(1)), (0, 0xFFFF, comment("critical load restart"))]
    write_nev(tmp_path / "r.nev", [*packets, (200, 1, spike(1))], [wave(1)])
    with opened(tmp_path) as reader:
        base = reader.stream("ns5").timebase
        assert base is not None
        assert [round(s.t0 * 30000) for s in base.segments] == [0, 20 + 96]
        assert reader.stream("units").read(0, 1).tolist() == [10, 220]  # type: ignore[attr-defined]


def test_packets_slightly_out_of_order_are_no_reset(tmp_path: Path) -> None:
    packets = [(1000, 1, spike(1)), (950, 2, spike(1)), (2000, 1, spike(1))]
    write_nev(tmp_path / "r.nev", packets, [wave(1), wave(2)])
    with opened(tmp_path / "r.nev") as reader:
        units = reader.stream("units")
        assert units.read(0, 2).tolist() == [1000, 2000, 950]  # type: ignore[attr-defined]
        assert any("not in order of time" in n for n in reader.notes)
