"""Open Ephys legacy: every real sample against values from the bytes, and made-up variants."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from nwbkit.convert import Request, convert
from nwbkit.errors import MissingFact
from nwbkit.formats import registry
from nwbkit.streams import Array
from nwbkit.verify import verify
from tests.data import DATA, needs_data
from tests.expected.openephys_legacy import (
    SAMPLES,
    counts,
    header,
    write_channel,
    write_channels,
    write_events,
    write_spikes,
)
from tests.formats.helpers import found, opened

ROOT = DATA / "openephys_legacy"
LAB = "Subject: {subject_id: M1, species: Mus musculus, sex: F, age: P90D}\n"
TEN = range(5000, 5000 + 10 * 1024, 1024)
DATA_10 = counts(10 * 1024, 2)


def to_nwb(raw: Path, out: Path, **options: Any) -> Path:
    settings = {"timezone": "Europe/Berlin", "jobs": 2, **options}
    result = convert(Request([str(raw)], str(out), **settings))
    assert result.status == 0
    document = verify(str(out), against=[str(raw)], sets=options.get("sets", ()))
    assert document.ok, document.findings
    return out


# -------------------------------------------------------------- samples


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    base = tmp_path_factory.mktemp("legacy")
    lab = base / "lab.yaml"
    lab.write_text(LAB)
    options = {"metadata": [str(lab)]}
    return {n: to_nwb(ROOT / s["folder"], base / f"{n}.nwb", **options) for n, s in SAMPLES.items()}


@needs_data
@pytest.mark.parametrize("name", SAMPLES)
def test_samples_gains_and_times_are_those_of_the_bytes(
    name: str, converted: dict[str, Path]
) -> None:
    sample = SAMPLES[name]
    with h5py.File(converted[name]) as f:
        start = datetime.fromisoformat(f["session_start_time"].asstr()[()])
        assert start == datetime.fromisoformat(sample["start"])
        series = f["acquisition/ElectricalSeries"]
        data = series["data"][...]
        assert data.shape == (sample["rows"], len(sample["channels"]))
        rows = series["electrodes"][...].tolist()
        names = f["general/extracellular_ephys/electrodes/channel_name"].asstr()[...][rows].tolist()
        assert names == sample["channels"]
        for channel, (first, last, total) in sample["ends"].items():
            mine = data[:, names.index(channel)].astype(int)
            assert (mine[:3].tolist(), mine[-3:].tolist(), int(mine.sum())) == (first, last, total)
        assert series["data"].attrs["conversion"] == pytest.approx(sample["gain"], rel=1e-12)
        assert series["starting_time"].attrs["rate"] == sample["rate"]
        assert float(series["starting_time"][()]) == 0.0
        events = f["events"]
        assert set(events) == {*sample["events"], "EventsMessages"}
        n, ends = sample["messages"]
        ticks = np.rint(events["EventsMessages/timestamp"][...] * sample["rate"]).astype(int)
        assert (len(ticks), ticks[:2].tolist()) == (n, ends)
        for table, (count, first, last, lines, values) in sample["events"].items():
            ticks = np.rint(events[table]["timestamp"][...] * sample["rate"]).astype(int)
            assert (len(ticks), ticks[:3].tolist(), ticks[-2:].tolist()) == (count, first, last)
            assert events[table]["line"].asstr()[:3].tolist() == lines
            assert events[table]["value"][:3].tolist() == values


@needs_data
@pytest.mark.parametrize("name", SAMPLES)
def test_the_file_is_valid_and_without_critical_findings(
    name: str, converted: dict[str, Path]
) -> None:
    import pynwb
    from nwbinspector import Importance, inspect_nwbfile

    assert pynwb.validate(path=str(converted[name])) == []
    findings = list(inspect_nwbfile(nwbfile_path=str(converted[name])))
    assert [m for m in findings if m.importance is Importance.CRITICAL] == []


@needs_data
@pytest.mark.parametrize("name", SAMPLES)
def test_spikeinterface_reads_what_neo_reads(name: str, converted: dict[str, Path]) -> None:
    import spikeinterface.extractors as se
    from neo.rawio import OpenEphysRawIO

    ours = se.read_nwb_recording(
        str(converted[name]), electrical_series_path="acquisition/ElectricalSeries"
    )
    neo = OpenEphysRawIO(str(ROOT / SAMPLES[name]["folder"]))
    neo.parse_header()
    stop = 5000
    chunk = neo.get_analogsignal_chunk(0, 0, 0, stop, stream_index=0)
    order = list(neo.header["signal_channels"]["name"])
    columns = [order.index(n) for n in SAMPLES[name]["channels"]]
    assert np.array_equal(ours.get_traces(end_frame=stop), chunk[:, columns])
    assert ours.get_num_samples() == neo.get_signal_size(0, 0, 0)


@needs_data
def test_nothing_foreign_is_claimed() -> None:
    sources = [s for s in registry.detect([DATA]).sources() if s.format == "openephys_legacy"]
    assert {p.relative_to(ROOT).parts[0] for s in sources for p in s.paths} == set(SAMPLES)
    assert len(sources) == 2


# -------------------------------------------------------------- made-up variants


def test_gaps_become_segments_to_the_sample(tmp_path: Path) -> None:
    ticks = [*TEN[:4], *(t + 700 for t in TEN[4:7]), *(t + 90_000 for t in TEN[7:])]
    raw = write_channels(tmp_path / "raw", DATA_10, ticks, [0] * 7 + [1] * 3)
    with opened(raw) as reader:
        stream = reader.stream("processor100")
        assert isinstance(stream, Array) and stream.timebase is not None
        segments = [(s.first_sample, s.t0 * 30000) for s in stream.timebase.segments]
        assert segments == [(0, 0), (4096, 4096 + 700), (7168, pytest.approx(7168 + 90_000))]
        assert any("700 samples" in n and "in a recording" in n for n in reader.notes)
        assert any("between recordings" in n for n in reader.notes)
        for a, b in ((0, 10), (4090, 4100), (1000, 9000), (10_239, 10_240), (5, 5)):
            assert np.array_equal(stream.read(a, b), DATA_10[a:b])
    out = to_nwb(raw, tmp_path / "out.nwb")
    with h5py.File(out) as f:
        times = f["acquisition/ElectricalSeries/timestamps"][...]
        assert times[4096] == pytest.approx((4096 + 700) / 30000)


def test_zeros_that_fill_a_recording_are_removed_where_the_next_one_proves_it(
    tmp_path: Path,
) -> None:
    data = DATA_10.copy()
    data[2048 + 300 : 3072] = 0
    ticks = [*TEN[:3], *(t + TEN[2] + 300 - TEN[3] for t in TEN[3:])]
    raw = write_channels(tmp_path / "raw", data, ticks, [0] * 3 + [1] * 7)
    out = to_nwb(raw, tmp_path / "out.nwb")
    with h5py.File(out) as f:
        series = f["acquisition/ElectricalSeries"]
        assert np.array_equal(series["data"][...], np.delete(data, slice(2348, 3072), axis=0))
        assert series["starting_time"].attrs["rate"] == 30000.0


@pytest.mark.parametrize(("sets", "gap"), [([], 0), (["raw.reset_gap=2"], 60_000)])
def test_a_restart_lies_behind_what_was_before(sets: list[str], gap: int, tmp_path: Path) -> None:
    ticks = [*TEN[:5], *range(0, 5 * 1024, 1024)]
    raw = write_channels(tmp_path / "raw", DATA_10, ticks, [0] * 5 + [1] * 5)
    write_events(raw / "all_channels.events", [(5100, 3, 100, 1, 0, 0), (10, 3, 100, 1, 0, 1)])
    out = to_nwb(raw, tmp_path / "out.nwb", sets=sets)
    with h5py.File(out) as f:
        stamps = f["events/EventsProcessor100TTL/timestamp"][...] * 30000
        assert np.rint(stamps).tolist() == [100, 5120 + gap + 10]
        assert "true distance" in f["acquisition/ElectricalSeries"].attrs["description"]
        if gap:
            times = f["acquisition/ElectricalSeries/timestamps"][...]
            assert (np.diff(times) > 0).all()
            assert times[5120] == pytest.approx((5120 + gap) / 30000)


def test_electrodes_and_inputs_are_apart(tmp_path: Path) -> None:
    names = ["CH2", "CH10", "AUX1", "ADC3"]
    data = counts(2048, 4)
    raw = write_channels(tmp_path / "raw", data, TEN[:2], names=names)
    write_channel(
        raw / "100_AUX1.continuous", data[:, 2], TEN[:2], channel="AUX1", bitVolts=3.74e-05
    )
    out = to_nwb(raw, tmp_path / "out.nwb")
    with h5py.File(out) as f:
        group = f["acquisition"]
        assert np.array_equal(group["ElectricalSeries/data"][...], data[:, :2])
        assert group["ElectricalSeries/data"].attrs["conversion"] == pytest.approx(0.195e-6)
        aux = group["TimeSeriesProcessor100AUX/data"]
        assert aux.attrs["conversion"] == pytest.approx(3.74e-05)
        adc = group["TimeSeriesProcessor100ADC/data"]
        assert adc.attrs["conversion"] == pytest.approx(0.00015258789)
        assert np.array_equal(adc[...].ravel(), data[:, 3])


def test_experiments_are_sessions_of_their_own(tmp_path: Path) -> None:
    raw = write_channels(tmp_path / "raw", DATA_10, TEN)
    write_channels(raw, DATA_10[::-1], TEN, suffix="_2")
    write_events(raw / "all_channels.events", [(5100, 3, 100, 1, 0, 0)])
    write_events(raw / "all_channels_2.events", [(5200, 3, 100, 1, 0, 0)])
    (raw / "messages_2.events").write_text("5050 second\n")
    (raw / "settings_2.xml").write_text("<SETTINGS/>")
    sources = found(raw)
    assert [[p.name for p in s.paths] for s in sources] == [
        ["100_CH1.continuous", "100_CH2.continuous", "all_channels.events"],
        [
            "100_CH1_2.continuous",
            "100_CH2_2.continuous",
            "all_channels_2.events",
            "messages_2.events",
            "settings_2.xml",
        ],
    ]
    out = to_nwb(raw, tmp_path / "out.nwb", session="experiment2")
    with h5py.File(out) as f:
        assert np.array_equal(f["acquisition/ElectricalSeries/data"][...], DATA_10[::-1])
        assert f["events/EventsMessages/message"].asstr()[...].tolist() == ["second"]


def test_streams_of_one_node_keep_their_own_clocks_unless_synchronised(tmp_path: Path) -> None:
    raw = write_channels(tmp_path / "raw", DATA_10, TEN, prefix="100_probe-a_", version="0.6")
    later = range(9_000_000, 9_000_000 + 5 * 1024, 1024)
    write_channels(
        raw, DATA_10[:5120], later, prefix="102_NI-DAQ_", version="0.6", sampleRate=10000
    )
    with opened(raw) as reader:
        assert len(reader.clocks) == 2
    np.array([7.0 + k * 1024 / 30000 for k in range(10)]).tofile(raw / "100_probe-a.timestamps")
    np.array([7.5 + k * 1024 / 10001 for k in range(5)]).tofile(raw / "102_NI-DAQ.timestamps")
    write_events(raw / "102_NI-DAQ.events", [(9_000_100, 3, 102, 1, 4, 0)], sampleRate=None)
    out = to_nwb(raw, tmp_path / "out.nwb")
    with h5py.File(out) as f:
        a = f["acquisition/ElectricalSeriesProbeA/starting_time"]
        b = f["acquisition/ElectricalSeriesNIDAQ/starting_time"]
        assert (float(a[()]), a.attrs["rate"]) == (0.0, 30000.0)
        assert (float(b[()]), b.attrs["rate"]) == (0.5, pytest.approx(10001, abs=1e-6))
        events = f["events/EventsNIDAQTTL"]
        assert events["timestamp"][0] == pytest.approx(0.5 + 100 / 10001)
        assert events["line"].asstr()[0] == "TTL5"


def test_headers_before_recording_numbers(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    for k in range(2):
        path = raw / f"100_CH{k + 1}.continuous"
        write_channel(path, DATA_10[:, k], TEN, old=True, version="0.1", bufferSize=None)
    with opened(raw) as reader:
        stream = reader.stream("processor100")
        assert np.array_equal(stream.read(1000, 3000), DATA_10[1000:3000])  # type: ignore[attr-defined]
    to_nwb(raw, tmp_path / "out.nwb")


def test_header_texts_quoted_and_not(tmp_path: Path) -> None:
    from nwbkit.formats.recording.openephys_legacy.look import fields

    odd = (
        "header.a = 'x; y = z';\r\nheader.b=7 ;\nheader.c = \"q\";  \n;\n"
        "header.d = __import__('os').abort();\n"
    )
    said = {"a": "x; y = z", "b": "7", "c": "q", "d": "__import__('os').abort()"}
    assert fields(odd) == said


def test_what_a_header_does_not_say_is_asked_for(tmp_path: Path) -> None:
    for field, option in (("sampleRate", "rate"), ("bitVolts", "bit_volts")):
        raw = write_channels(tmp_path / field, DATA_10, TEN, **{field: None})
        with pytest.raises(MissingFact) as caught:
            opened(raw)
        assert f"{field}.{option}=" in str(caught.value.hint)
        with opened(raw, **{option: 2.0}) as reader:
            assert reader.stream("processor100").shape == (10_240, 2)  # type: ignore[attr-defined]


def test_sorted_spikes_are_units_and_others_are_not(tmp_path: Path) -> None:
    raw = write_channels(tmp_path / "raw", DATA_10, TEN)
    write_spikes(raw / "TT1.spikes", [(5100, 2), (5050, 2), (6000, 0), (7000, 1)])
    write_spikes(raw / "TT2.spikes", [(5100, 0)], "TT 2")
    out = to_nwb(raw, tmp_path / "out.nwb")
    with h5py.File(out) as f:
        assert f["units/unit_name"].asstr()[...].tolist() == ["TT1#0", "TT1#1", "TT1#2"]
        times = np.rint(f["units/spike_times"][...] * 30000).tolist()
        assert times == [1000, 2000, 50, 100]
    with opened(raw) as reader:
        assert any("not sorted" in n and "TT2" in n for n in reader.notes)


def test_events_alone(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    rows = [(500, 3, 100, 1, 0, 0), (800, 3, 100, 0, 0, 0), (900, 5, 100, 1, 0, 0)]
    write_events(raw / "all_channels.events", rows)
    out = to_nwb(raw, tmp_path / "out.nwb")
    with h5py.File(out) as f:
        assert f["events/EventsEventsTTL/duration"][0] == pytest.approx(300 / 30000)
        assert f["events/EventsEventsEvents/event_type"][...].tolist() == [5]


def test_renamed_and_merged_folders(tmp_path: Path) -> None:
    raw = write_channels(tmp_path / "x" / "x", DATA_10, TEN, prefix="7_x_")
    (raw / "x.continuous").write_bytes(b"another format")
    (raw / "structure.oebin").write_text("{}")
    (raw / "Events.events").write_bytes(header("x").replace(b"Open Ephys", b"Other kind"))
    (source,) = [s for s in found(tmp_path) if s.format == "openephys_legacy"]
    assert [p.name for p in source.paths] == ["7_x_CH1.continuous", "7_x_CH2.continuous"]


@pytest.mark.parametrize(
    ("stem", "channel", "said"),
    [
        ("100_CH1", "CH1", ("100", "", "CH1", 1)),
        ("100_CH1_2", "CH1", ("100", "", "CH1", 2)),
        ("100_example-data_CH1", "CH1", ("100", "example-data", "CH1", 1)),
        ("100_example-data_CH1_12", "CH1", ("100", "example-data", "CH1", 12)),
        ("100_my_chan_3", "my_chan_3", ("100", "", "my_chan_3", 1)),
        ("100_Probe-A_my-chan", "my_chan", ("100", "Probe-A", "my_chan", 1)),
        ("x", "CH1", ("", "", "x", 1)),
        ("102_AUX1", "", ("102", "", "AUX1", 1)),
    ],
)
def test_what_file_names_say(stem: str, channel: str, said: tuple[Any, ...]) -> None:
    from nwbkit.formats.recording.openephys_legacy.look import place

    assert place(stem, channel) == said
