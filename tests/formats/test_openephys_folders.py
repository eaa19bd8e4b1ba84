"""Open Ephys: recordings, experiments, record nodes, and what all is called."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nwbkit.formats import registry
from nwbkit.streams import Segment
from tests.formats.test_openephys_toy import (
    NUMBERS,
    RATE,
    Stream,
    arrays,
    opened,
    sources,
    synced,
    write,
)

# ------------------------------------------------------------------ recordings, nodes, names


def test_recordings_are_segments_of_one_stream(tmp_path: Path) -> None:
    first = Stream("A", numbers=np.arange(3000, 3100), seconds="unsynced")
    second = Stream("A", numbers=np.arange(33000, 33050), seconds="unsynced")
    write(tmp_path, second, recording=10)
    write(tmp_path, first, recording=2)
    with opened(tmp_path) as reader:
        array = arrays(reader)["A"]
        assert array.timebase.segments == (
            Segment(0, 100, 0.0, RATE),
            Segment(100, 50, 1.0, RATE),
        )
        both = np.concatenate([first.data(), second.data()])
        assert np.array_equal(array.read(0, 150), both)
        assert np.array_equal(array.read(90, 110), both[90:110])
        assert np.array_equal(reader.reread("A", 90, 110), both[90:110])
        # the DATE in settings.xml is that of recording1, which is not here
        assert reader.reread_facts("A")["segments"] == array.timebase.segments


def test_streams_may_come_and_go_and_change_their_channels(tmp_path: Path) -> None:
    a1 = Stream("A", numbers=np.arange(3000, 3100))
    a2 = Stream("A", numbers=np.arange(6000, 6100), channels=["CH1", "CH3"])
    b2 = Stream("B", processor_id=101, numbers=np.arange(6000, 6200))
    for s in (a1, a2, b2):
        s.seconds = "unsynced"
    write(tmp_path, a1, recording=1)
    write(tmp_path, a2, b2, recording=2)
    with opened(tmp_path) as reader:
        shapes = {n: s.shape for n, s in arrays(reader).items()}
        assert shapes == {"A": (100, 4), "A.recording2": (100, 2), "B": (200, 4)}
        assert arrays(reader)["A.recording2"].timebase.segments[0].t0 == pytest.approx(0.1)
        assert arrays(reader)["A.recording2"].nwb_name == "ElectricalSeriesARecording2"


def test_experiments_are_sessions(tmp_path: Path) -> None:
    for experiment in (1, 3, 6):
        write(tmp_path, Stream("A"), experiment=experiment)
    found = registry.detect([tmp_path]).sessions
    assert [s.id for s in found] == ["experiment1", "experiment3", "experiment6"]
    assert all(s.root == tmp_path for s in found)
    named = [[p.name for p in s.sources[0].paths if p.suffix == ".xml"] for s in found]
    assert named == [["settings.xml"], ["settings_3.xml"], ["settings_6.xml"]]


def test_two_record_nodes_of_one_experiment(tmp_path: Path) -> None:
    write(tmp_path, Stream("A"), node=101)
    write(tmp_path, Stream("A"), node=105, software_ms=1651600344620)
    with opened(tmp_path) as reader:
        found = arrays(reader)
        assert list(found) == ["node101.A", "node105.A"]
        assert [s.nwb_name for s in found.values()] == [
            "ElectricalSeriesANode101",
            "ElectricalSeriesANode105",
        ]
        assert len(reader.clocks) == 1  # the same device, twice
        assert found["node101.A"].electrodes == found["node105.A"].electrodes


def test_a_second_node_is_on_the_time_of_the_first(tmp_path: Path) -> None:
    main = Stream("A", numbers=NUMBERS)
    other = Stream("B", processor_id=101, numbers=NUMBERS, seconds=synced(0.32, 94))
    write(tmp_path, main, other, node=104)
    write(tmp_path, main, node=105)
    write(tmp_path, main, other, node=106)
    with opened(tmp_path) as reader:
        assert [c.id.rpartition("/")[2] for c in reader.clocks] == ["synchronized"]
        starts = {n: s.timebase.segments[0].t0 for n, s in arrays(reader).items()}
        assert starts == {
            f"node{n}.{s}": pytest.approx(0.02 if s == "B" else 0.0, abs=1e-12)
            for n, s in ((104, "A"), (104, "B"), (105, "A"), (106, "A"), (106, "B"))
        }
        for name, stream in arrays(reader).items():
            assert reader.reread_facts(name)["segments"] == stream.timebase.segments


def test_the_node_is_in_the_folders_name_where_the_header_says_none(tmp_path: Path) -> None:
    for node in (101, 105):
        write(tmp_path / f"Record Node {node}", Stream("A"), version="0.5.4")
    with opened(tmp_path) as reader:
        assert len(arrays(reader)) == 2


def test_sessions_that_lie_side_by_side_are_not_joined(tmp_path: Path) -> None:
    write(tmp_path, Stream("A"), node=101, node_name="x")
    write(tmp_path, Stream("A"), node=105, node_name="y", software_ms=1651600999999)
    write(tmp_path / "z", Stream("A"), version="0.4.5")
    write(tmp_path / "ü v", Stream("A"), version="0.4.5")
    assert len(registry.detect([tmp_path]).sessions) == 4


@pytest.mark.parametrize("version", ["0.4.5", "0.6.7"])
@pytest.mark.parametrize("names", [("x", "x", "x"), ("a b", "é n", "記録")])
def test_recognised_whatever_the_folders_are_called(
    tmp_path: Path, version: str, names: tuple[str, str, str]
) -> None:
    folder = write(tmp_path / "r", Stream("A"), version=version)
    for path, name in zip((folder, folder.parent, folder.parent.parent), names, strict=True):
        path.rename(path.with_name(name))
    with opened(tmp_path) as reader:
        assert len(arrays(reader)) == 1
        assert reader.metadata()["NWBFile"]["session_start_time"]


@pytest.mark.parametrize("below", ["", "experiment1", "experiment1/recording1"])
def test_any_folder_of_a_recording_may_be_given(tmp_path: Path, below: str) -> None:
    write(tmp_path, Stream("A"))
    home = tmp_path / "Record Node 101"
    with opened(home / below) as reader:
        assert list(arrays(reader)) == ["A"]
    folder = home / "experiment1/recording1"
    with opened(folder / "structure.oebin") as reader:
        assert list(arrays(reader)) == ["A"]
    with opened(next(folder.rglob("continuous.dat"))) as reader:
        assert list(arrays(reader)) == ["A"]


def test_two_streams_of_one_name(tmp_path: Path) -> None:
    a = Stream("in", processor_id=100, seconds="unsynced")
    b = Stream("in", processor_id=101, seconds="unsynced")
    write(tmp_path, a, b)
    with opened(tmp_path) as reader:
        found = arrays(reader)
        assert list(found) == ["Acquisition_Board-100.in", "Acquisition_Board-101.in"]
        assert len({s.nwb_name for s in found.values()}) == 2
        assert len({s.electrodes[0].group for s in found.values()}) == 2


def test_what_lies_inside_a_recording_is_left_to_its_own_format(tmp_path: Path) -> None:
    folder = write(tmp_path, Stream("A"))
    sorting = next(folder.rglob("continuous.dat")).parent / "kilosort4"
    sorting.mkdir()
    (sorting / "spike_times.npy").write_bytes(b"x")
    (folder.parent / "notes.csv").write_text("a\n1\n")
    (found,) = [s for s in sources(tmp_path) if s.format == "openephys_binary"]
    assert not [p for p in found.paths if p.name in ("spike_times.npy", "notes.csv")]
