"""Bruker PrairieView: files into channels, planes and cycles; times; what is missing or wrong."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nwbkit.formats.base import Strength
from nwbkit.formats.imaging.bruker import _describe
from nwbkit.streams import Segment
from tests.formats.bruker_files import (
    STATE,
    STEP,
    Run,
    all_of,
    every,
    found,
    opened,
    stacks,
    state_xml,
)


@pytest.mark.parametrize("multipage", [False, True])
@pytest.mark.parametrize("channels", [("Ch2",), ("Ch1", "Ch2")])
def test_channels_are_streams(tmp_path: Path, multipage: bool, channels: Any) -> None:
    run = Run(tmp_path / "a", channels=channels, multipage=multipage).cycle(every(5))
    with opened(run.write()) as r:
        assert [(s.id, s.nwb_name) for s in r.streams] == [
            (c, f"TwoPhotonSeries{c}") for c in channels
        ]
        for c in channels:
            assert np.array_equal(all_of(r, c), np.stack(run.data[c]))
        assert r.streams[0].timebase.segments == (Segment(0, 5, 0.0, 20.0),)


def test_times_are_those_of_the_frames(tmp_path: Path) -> None:
    times = [0.0, 0.05, 0.1004, 0.1501, 0.2]
    with opened(Run(tmp_path / "a").cycle(times).write()) as r:
        timebase = r.streams[0].timebase
        assert timebase.as_rate() is None and timebase.rate is None
        assert timebase.times(0, 5).tolist() == times


def test_a_pause_between_cycles_is_a_gap(tmp_path: Path) -> None:
    run = Run(tmp_path / "a").cycle(every(3)).cycle(every(4, 0.0), absolute=every(4, 13.5))
    with opened(run.write()) as r:
        assert r.streams[0].timebase.segments == (
            Segment(0, 3, 0.0, 20.0),
            Segment(3, 4, 10.0, 20.0),
        )


def test_dropped_frames_are_a_gap(tmp_path: Path) -> None:
    with opened(Run(tmp_path / "a").cycle([*every(3), *every(3, 0.5)]).write()) as r:
        assert [s.n_samples for s in r.streams[0].timebase.segments] == [3, 3]
        assert next(iter(r.streams[0].timebase.gaps()))[0] == 3


def test_volumes(tmp_path: Path) -> None:
    run = stacks(tmp_path / "a")
    volumes = np.moveaxis(np.stack(run.data["Ch2"]).reshape(3, 4, 6, 8), 1, -1)
    with opened(run.write()) as r:
        assert np.array_equal(all_of(r, "Ch2"), volumes)
        assert r.streams[0].timebase.times(0, 3) == pytest.approx([0, 0.2, 0.4])
        plane = r.metadata()["ImagingPlanes"][r.streams[0].plane]
        assert plane["grid_spacing"] == [1.5, 1.25, 10.0]  # the step that was taken
        assert plane["imaging_rate"] == pytest.approx(5)
    with opened(tmp_path / "a", planes="split") as r:
        assert [s.nwb_name for s in r.streams] == [f"TwoPhotonSeriesCh2Plane{p}" for p in range(4)]
        assert np.array_equal(all_of(r, "Ch2Plane2"), volumes[..., 2])
        assert r.streams[2].timebase.times(0, 1) == pytest.approx([0.1])
        assert "100 + 20 um" in r.metadata()["ImagingPlanes"][r.streams[2].plane]["description"]


def test_bidirectional_stacks_go_by_focus(tmp_path: Path) -> None:
    run = Run(tmp_path / "a")
    for v in range(3):
        up = [0.0, 10.0, 20.003 if v else 20.0]
        z = up if v % 2 == 0 else up[::-1]
        times = every(3, 3 * v * STEP)
        run.cycle(times, "TSeries ZSeries Element", z=z, attributes='bidirectionalZ="True"')
    taken = np.stack(run.data["Ch2"]).reshape(3, 3, 6, 8)
    taken[1] = taken[1, ::-1].copy()
    with opened(run.write()) as r:
        assert np.array_equal(all_of(r, "Ch2"), np.moveaxis(taken, 1, -1))
        assert any("another order of planes" in n for n in r.notes)
        assert r.streams[0].timebase.times(0, 3) == pytest.approx([0, 0.15, 0.3])
    with opened(tmp_path / "a", planes="split") as r:
        assert r.streams[0].timebase.times(0, 3) == pytest.approx([0, 0.25, 0.3])


def test_without_focus_planes_go_by_their_index(tmp_path: Path) -> None:
    run = Run(tmp_path / "a")
    for v in range(2):
        index = (lambda k: k + 1) if v == 0 else (lambda k: 3 - k)
        run.cycle(every(3, 3 * v * STEP), "TSeries ZSeries Element", index=index)
    taken = np.stack(run.data["Ch2"]).reshape(2, 3, 6, 8)
    taken[1] = taken[1, ::-1].copy()
    with opened(run.write()) as r:
        assert np.array_equal(all_of(r, "Ch2"), np.moveaxis(taken, 1, -1))
        assert any("by the index of their frames" in n for n in r.notes)


def test_an_incomplete_last_volume_is_left_out_and_counted(tmp_path: Path) -> None:
    run = stacks(tmp_path / "a", last=2)
    with opened(run.write()) as r:
        assert r.streams[0].shape == (2, 6, 8, 4)
        assert any(n.startswith("2 frames of incomplete volumes") for n in r.notes)
    with opened(tmp_path / "a", planes="split") as r:
        assert [s.shape[0] for s in r.streams] == [3, 3, 2, 2]


def test_stacks_beside_a_time_series(tmp_path: Path) -> None:
    run = Run(tmp_path / "a").cycle(every(4))
    run.cycle(every(3, 1.0), "TSeries ZSeries Element", z=[0, 5, 10])
    with opened(run.write()) as r:
        assert [(s.id, s.shape) for s in r.streams] == [
            ("Ch2", (4, 6, 8)),
            ("Ch2Stack", (1, 6, 8, 3)),
        ]


def test_prairieview_4(tmp_path: Path) -> None:
    old = state_xml({**STATE, "framePeriod": "0.05"}, old=True)
    run = Run(tmp_path / "a", version="4.3.2.24", old=True).cycle(every(4), shard=old)
    run.state = {}
    with opened(run.write()) as r:
        assert r.streams[0].timebase.rate == 20.0
        found = r.metadata()
        assert found["Devices"]["Microscope"]["manufacturer"] == "Prairie Technologies"
        assert found["ImagingPlanes"][r.streams[0].plane]["grid_spacing"] == [1.5, 1.25]


def test_what_is_said_of_microscope_and_session(tmp_path: Path) -> None:
    run = Run(tmp_path / "a", notes="awake").cycle(every(4))
    run.state = {**STATE, "rastersPerFrame": "4", "laserWavelength": {"0": "920"}}
    with opened(run.write()) as r:
        said = r.metadata()
        assert said["NWBFile"] == {"session_start_time": "2023-02-20T15:58:25", "notes": "awake"}
        plane = said["ImagingPlanes"]["TSeries-001_Ch2"]
        assert plane["excitation_lambda"] == 920
        assert (
            "objective 16X" in plane["description"] and "PMT gain (0: 750)" in plane["description"]
        )
        assert said["Streams"]["TSeries-001/Ch2"]["scan_line_rate"] == pytest.approx(16000)
        assert any("mean of 4 scanned" in n for n in r.notes)


@pytest.mark.parametrize(
    "lasers, powers, expected",
    [
        ({"0": "920", "1": "1064"}, {"0": "5", "1": "0"}, 920),
        ({"0": "920", "1": "1064"}, {"0": "5", "1": "3"}, None),
        ({}, {"0": "5"}, None),
    ],
)
def test_wavelength_is_that_of_the_only_laser_in_use(
    tmp_path: Path, lasers: Any, powers: Any, expected: float | None
) -> None:
    run = Run(tmp_path / "a").cycle(every(2))
    run.state = {**STATE, "laserWavelength": lasers, "laserPower": powers}
    with opened(run.write()) as r:
        plane = r.metadata()["ImagingPlanes"]["TSeries-001_Ch2"]
        assert plane.get("excitation_lambda") == expected


@pytest.mark.parametrize(
    "text, expected",
    [
        ("2/20/2023 3:58:25 PM", "2023-02-20T15:58:25"),
        ("12/1/2023 12:00:01 AM", "2023-12-01T00:00:01"),
        ("20/02/2023 15:58:25", "2023-02-20T15:58:25"),
        ("20.02.2023 15:58:25", "2023-02-20T15:58:25"),
        ("2023-02-20 15:58:25", "2023-02-20T15:58:25"),
        ("03/02/2023 15:58:25", None),  # March or February
        ("yesterday", None),
        ("13/13/2023 1:00:00 PM", None),
    ],
)
def test_dates(text: str, expected: str | None) -> None:
    found = _describe.start(text)
    assert (found.isoformat() if found else None) == expected


# ------------------------------------------------------------------ finding


def test_a_renamed_run_is_found(tmp_path: Path) -> None:
    run = Run(tmp_path / "a").cycle(every(3))
    run.write()
    folder = tmp_path / "x"
    folder.mkdir()
    for path in (tmp_path / "a").iterdir():
        shutil.copy(path, folder / path.name.replace("TSeries-001", "x"))
    with opened(folder) as r:
        assert np.array_equal(all_of(r, "Ch2"), np.stack(run.data["Ch2"]))
        assert any("renamed" in n for n in r.notes)
        assert len(r.source.paths) == 5


def test_only_the_xml_was_renamed(tmp_path: Path) -> None:
    folder = Run(tmp_path / "a").cycle(every(3)).write()
    (folder / "TSeries-001.xml").rename(folder / "x.xml")
    with opened(folder) as r:
        assert r.streams[0].shape == (3, 6, 8)


def test_two_runs_in_one_folder(tmp_path: Path) -> None:
    a = Run(tmp_path / "a", name="one", seed=7).cycle(every(3))
    b = Run(tmp_path / "a", name="two").cycle(every(4))
    a.write(), b.write()
    sources = found(tmp_path)
    assert [(s.format, len(s.paths), s.strength) for s in sources] == [
        ("bruker", 5, Strength.MAGIC),
        ("bruker", 6, Strength.MAGIC),
    ]


def test_references_belong_to_the_run(tmp_path: Path) -> None:
    folder = Run(tmp_path / "a").cycle(every(3)).write()
    (folder / "References").mkdir()
    reference = "TSeries-001-Cycle00001_Ch2_Window1-Ch2-16bit-Reference.tif"
    shutil.copy(next(folder.glob("*.tif")), folder / "References" / reference)
    (source,) = found(tmp_path)
    assert folder / "References" / reference in source.paths
    with opened(folder) as r:
        assert not any("References" in str(p) for p in r.files())


def test_other_xml_is_not_claimed(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text("<?xml version='1.0'?><session><PVScan/></session>")
    (tmp_path / "b.xml").write_bytes(b"")
    assert found(tmp_path) == []


def test_what_is_not_read_is_named(tmp_path: Path) -> None:
    run = Run(tmp_path / "a").cycle(every(3)).cycle([], "MarkPoints", extra="<MarkPoints />")
    folder = run.write()
    (folder / "TSeries-001_Cycle00002_MarkPoints.xml").write_text("<PVMarkPointSeriesElements />")
    with opened(folder) as r:
        assert r.streams[0].shape[0] == 3
        assert any("has MarkPoints, which is not read" in n for n in r.notes)
        assert any("1 files are not read" in n and "MarkPoints.xml" in n for n in r.notes)
