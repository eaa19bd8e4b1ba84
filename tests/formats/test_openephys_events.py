"""Open Ephys: start times, TTL lines, messages, probes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.data import DATA, needs_data
from tests.formats.test_openephys_toy import (
    NUMBERS,
    RATE,
    Stream,
    opened,
    synced,
    write,
)

# ------------------------------------------------------------------ start and settings


STARTS = [
    ({}, "2022-05-03T17:52:24.618000+00:00"),
    ({"software_ms": None}, "2022-05-03T10:52:24"),
    ({"software_ms": None, "date": "5 Sept 2025 14:09:32"}, "2025-09-05T14:09:32"),
    ({"software_ms": None, "date": "31 Feb 2022 10:52:24"}, None),
    ({"software_ms": None, "recording": 2}, None),
    ({"version": "0.4.5"}, "2022-05-03T10:52:24"),
]


@pytest.mark.parametrize(("facts", "start"), STARTS)
def test_when_recording_began(tmp_path: Path, facts: dict[str, Any], start: str | None) -> None:
    write(tmp_path, Stream("A"), **facts)
    with opened(tmp_path) as reader:
        assert reader.metadata().get("NWBFile", {}).get("session_start_time") == start


# ------------------------------------------------------------------ events


EVENTS = [(9010, 1, 0.5), (9020, -1, 0.6), (8990, 3, 0.7), (9100, 1, 0.8)]


def table(reader: Any, name: str) -> dict[str, Any]:
    stream = reader.stream(name)
    rows = stream.read()
    again = reader.reread_table(name)
    for column, values in rows.items():
        assert np.array_equal(values, again[column], equal_nan=values.dtype.kind == "f"), column
        assert values.dtype == again[column].dtype
    return rows


@pytest.mark.parametrize("version", ["0.4.5", "0.6.7"])
def test_ttl_lines_by_sample_number(tmp_path: Path, version: str) -> None:
    write(tmp_path, Stream("A", events=EVENTS), version=version)
    with opened(tmp_path) as reader:
        (name,) = [s.id for s in reader.streams if s.kind == "table"]
        rows = table(reader, name)
        assert rows["timestamp"].tolist() == [10, 20, -10, 100]
        assert rows["duration"].tolist() == [10, 80, -1, -1]
        assert rows["line"].tolist() == ["TTL1", "TTL1", "TTL3", "TTL1"]
        assert rows["value"].tolist() == [1, 0, 1, 1]
        assert rows["full_word"].tolist() == [1, 0, 4, 5]
        times = reader.stream(name).timebase.time_of(rows["timestamp"])
        assert times == pytest.approx(np.array([10, 20, -10, 100]) / RATE)


def test_ttl_lines_have_the_synchronised_times_that_were_written(tmp_path: Path) -> None:
    main = Stream("A", numbers=NUMBERS)
    other = Stream("B", processor_id=101, numbers=NUMBERS, seconds=synced(0.32, 94), events=EVENTS)
    write(tmp_path, main, other)
    with opened(tmp_path) as reader:
        rows = table(reader, "B.ttl")
        assert rows["timestamp"] == pytest.approx([0.2, 0.3, 0.4, 0.5])
        assert rows["duration"][:2] == pytest.approx([0.1, 0.2])
        assert np.isnan(rows["duration"][2:]).all()
        assert reader.stream("B.ttl").timebase.clock == reader.clocks[0].id


def test_events_without_times_follow_the_measured_rate(tmp_path: Path) -> None:
    main = Stream("A", numbers=NUMBERS)
    untimed = [(n, s, -1.0) for n, s, _ in EVENTS]
    other = Stream("B", processor_id=101, numbers=NUMBERS, seconds=synced(0.32, 94), events=untimed)
    write(tmp_path, main, other)
    with opened(tmp_path) as reader:
        stream = reader.stream("B.ttl")
        rows = table(reader, "B.ttl")
        expected = 0.02 + np.array([10, 20, -10, 100]) / (RATE * (1 + 94e-6))
        assert stream.timebase.time_of(rows["timestamp"]) == pytest.approx(expected, abs=1e-9)
        assert any("placed by sample number" in n for n in reader.notes)


def test_words_of_more_than_eight_lines_before_06(tmp_path: Path) -> None:
    folder = write(tmp_path, Stream("A", events=EVENTS), version="0.5.4")
    words = np.array([[1, 0], [0, 0], [0, 2], [5, 128]], np.uint8)
    np.save(next(folder.rglob("full_words.npy")), words)
    with opened(tmp_path) as reader:
        (name,) = [s.id for s in reader.streams if s.kind == "table"]
        assert table(reader, name)["full_word"].tolist() == [1, 0, 512, 5 + (128 << 8)]


def test_messages(tmp_path: Path) -> None:
    said = [(9030, "light on"), (9090, "fünf µl; 記録")]
    write(tmp_path, Stream("A"), messages=said)
    with opened(tmp_path) as reader:
        rows = table(reader, "messages")
        assert rows["timestamp"].tolist() == [30, 90]
        assert rows["message"].tolist() == [text for _, text in said]
        assert reader.stream("messages").nwb_name == "EventsMessages"


def test_events_of_several_recordings_are_one_table(tmp_path: Path) -> None:
    for recording, n0 in ((1, 9000), (2, 39000)):
        stream = Stream("A", numbers=np.arange(n0, n0 + 600), seconds="unsynced")
        stream.events = [(n0 + 10, 1, -1.0), (n0 + 20, -1, -1.0)]
        write(tmp_path, stream, recording=recording)
    with opened(tmp_path) as reader:
        rows = table(reader, "A.ttl")
        assert rows["timestamp"].tolist() == [10, 20, 30010, 30020]
        assert rows["duration"].tolist() == [10, -1, 10, -1]


def test_events_of_a_stream_that_was_not_recorded(tmp_path: Path) -> None:
    folder = write(tmp_path, Stream("A", seconds="unsynced", events=EVENTS))
    header = folder / "structure.oebin"
    said = json.loads(header.read_text())
    (folder / "events" / "Box-7.in").mkdir()
    (folder / "events/Acquisition_Board-100.A/TTL").rename(folder / "events/Box-7.in/TTL")
    said["events"][0] |= {"folder_name": "Box-7.in/TTL/", "stream_name": "in"}
    header.write_text(json.dumps(said))
    with opened(tmp_path) as reader:
        rows = table(reader, "in.ttl")
        assert rows["timestamp"].tolist() == [0, 10, -20, 90]
        assert [c.id.rpartition("/")[2] for c in reader.clocks] == ["A", "Box-7.in"]


# ------------------------------------------------------------------ probes

PROBES = DATA / "openephys_binary" / "settings_and_oebin_only_probeinterface"
NODES = [
    ("OE_Neuropix-PXI-NP1-binary/Record_Node_101", "NeuropixelsProbeAShank0"),
    ("OE_Neuropix-PXI-NP2-multishank-binary/Record_Node_109", "NeuropixelsProbeAShank3"),
    ("OE_OneBox-NP2014-binary/Record_Node_101", "NeuropixelsProbeAShank0"),
]


@needs_data
@pytest.mark.parametrize(("node", "group"), NODES)
def test_each_channel_lies_where_its_own_electrode_does(
    tmp_path: Path, node: str, group: str
) -> None:
    """Real headers with made data: electrode numbers tell which site a channel is."""
    import shutil

    shutil.copytree(PROBES / node, tmp_path / "node")
    header = next(tmp_path.rglob("structure.oebin"))
    said = json.loads(header.read_text())
    for stream in said["continuous"]:
        below = header.parent / "continuous" / stream["folder_name"]
        below.mkdir(parents=True)
        np.zeros((10, stream["num_channels"]), "<i2").tofile(below / "continuous.dat")
        np.save(below / "sample_numbers.npy", np.arange(500, 510))
    channels = said["continuous"][0]["channels"]
    wanted = [m["value"][0] for c in channels for m in c.get("channel_metadata", [])]
    with opened(tmp_path) as reader:
        stream = reader.stream("ProbeA")
        assert len(stream.electrodes) == 384
        assert stream.electrodes[0].group == group
        for electrode, number in zip(stream.electrodes, wanted, strict=True):
            shank, site = divmod(number, 1280)
            assert electrode.name == f"s{shank}e{site}"
            # two columns, 32 um apart, rows of 15 um, shanks of 250 um
            assert electrode.rel_x == shank * 250 + site % 2 * 32
            assert electrode.rel_y == site // 2 * 15
        assert reader.metadata()["Devices"]["NeuropixelsProbeA"]["manufacturer"] == "imec"


@needs_data
def test_positions_are_not_guessed_where_channels_do_not_fit(tmp_path: Path) -> None:
    folder = write(
        tmp_path,
        Stream("ProbeB", processor="Neuropix-PXI", channels=[f"CH{n}" for n in range(1, 9)]),
    )
    real = DATA / "openephys_binary/v0.6.x_neuropixels_multiexp_multistream/Record Node 101"
    (folder.parent.parent / "settings.xml").write_bytes((real / "settings.xml").read_bytes())
    with opened(tmp_path) as reader:
        assert all(e.rel_x is None for e in reader.stream("ProbeB").electrodes)
        assert any("positions of the sites are unknown" in n for n in reader.notes)
