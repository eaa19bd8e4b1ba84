"""Blackrock files of every specification and kind of packet, made up byte by byte."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from nwbkit.convert import Request, convert
from nwbkit.errors import MissingFact
from nwbkit.streams import Array
from nwbkit.verify import verify
from tests.expected.blackrock import (
    ORIGIN,
    channel,
    comment,
    counts,
    extended,
    spike,
    wave,
    write_nev,
    write_ns,
    write_ns21,
    write_ptp,
)
from tests.formats.helpers import found, opened

ROWS = counts(900, 3)


def to_nwb(raw: Path, out: Path, *, status: int = 0, against: bool = True, **options: Any) -> Path:
    result = convert(Request([str(raw)], str(out), jobs=2, **options))
    assert result.status == status
    if against:
        document = verify(str(out), against=[str(raw)], sets=options.get("sets", ()))
        assert document.ok, document.findings
    return out


@pytest.mark.parametrize("spec", [(2, 2), (2, 3), (3, 0)])
def test_each_specification(spec: tuple[int, int], tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    write_ns(raw / "a b.ns6", [(600, ROWS)], spec=spec)
    write_ns(raw / "a b.ns2", [(600, ROWS[:30])], spec=spec, period=30)
    packet = 108 if spec[0] >= 3 else 104
    spikes = [(700, 1, spike(2, range(48))), (900, 2, spike(0)), (650, 1, spike(2, range(48)))]
    write_nev(raw / "a b.nev", spikes, [wave(1), wave(2)], spec=spec, packet=packet)
    out = to_nwb(raw, tmp_path / "out.nwb")
    with h5py.File(out) as f:
        series = f["acquisition/ElectricalSeries"]
        assert np.array_equal(series["data"][...], ROWS)
        assert float(series["starting_time"][()]) == 600 / 30000
        assert series["starting_time"].attrs["rate"] == 30000.0
        assert series["data"].attrs["conversion"] == pytest.approx(8191 / 32764 * 1e-6)
        band = f["acquisition/ElectricalSeriesLF"]
        assert band["starting_time"].attrs["rate"] == 1000.0
        assert "high-pass 0.3 Hz" in series.attrs["filtering"]
        assert f["session_start_time"].asstr()[()].startswith("2024-05-02T10:30:15.25")
        assert "left hemisphere" in f["general/notes"].asstr()[()]
        assert f["units/unit_name"].asstr()[...].tolist() == ["ch1#2", "ch2#0"]
        assert np.rint(f["units/spike_times"][:2] * 30000).tolist() == [650, 700]
        rows = f["units/electrodes"][...].tolist()
        table = f["general/extracellular_ephys/electrodes"]
        assert table["channel_name"].asstr()[...][rows].tolist() == ["chan1", "chan2"]
        assert len(table["id"]) == 3  # both bands share the rows
        assert table["bank"].asstr()[...].tolist() == ["A"] * 3
        mean = f["units/waveform_mean"][0, :, 0]
        assert mean == pytest.approx(np.arange(48) * 250e-9)


def test_neo_reads_the_same_samples(tmp_path: Path) -> None:
    from neo.rawio import BlackrockRawIO

    write_ns(tmp_path / "r.ns5", [(0, ROWS[:500]), (90_000, ROWS[500:])])
    neo = BlackrockRawIO(str(tmp_path / "r"))
    neo.parse_header()
    with opened(tmp_path / "r.ns5") as reader:
        stream = reader.stream("ns5")
        assert isinstance(stream, Array) and stream.timebase is not None
        at = 0
        for k in range(neo.segment_count(0)):
            chunk = neo.get_analogsignal_chunk(0, k, stream_index=0)
            assert np.array_equal(stream.read(at, at + len(chunk)), chunk)
            assert stream.timebase.times(at, at + 1)[0] == neo.get_signal_t_start(0, k, 0)
            at += len(chunk)
        gains = neo.header["signal_channels"]["gain"] * 1e-6
        assert np.allclose(stream.gain, gains, rtol=1e-12)
        assert at == stream.n_samples


def test_neo_reads_the_same_ptp(tmp_path: Path) -> None:
    from neo.rawio import BlackrockRawIO

    ticks = ptp(903)
    kept = [t for k, t in enumerate(ticks) if k not in (300, 301, 302)]
    write_ptp(tmp_path / "r.ns6", kept, ROWS)
    neo = BlackrockRawIO(str(tmp_path / "r"), gap_tolerance_ms=0.0)
    neo.parse_header()
    sizes = [neo.get_signal_size(0, k, 0) for k in range(neo.segment_count(0))]
    with opened(tmp_path / "r.ns6") as reader:
        stream = reader.stream("ns6")
        assert isinstance(stream, Array) and stream.timebase is not None
        assert [s.n_samples for s in stream.timebase.segments] == sizes == [300, 600]
        chunk = neo.get_analogsignal_chunk(0, 1, stream_index=0)
        assert np.array_equal(stream.read(300, 900), chunk)


def test_spikeinterface_reads_back_what_it_reads_of_the_source(tmp_path: Path) -> None:
    import spikeinterface.extractors as se

    raw = tmp_path / "raw"
    write_ns(raw / "r.ns6", [(3000, ROWS)])
    out = to_nwb(raw, tmp_path / "out.nwb")
    ours = se.read_nwb_recording(str(out), electrical_series_path="acquisition/ElectricalSeries")
    theirs = se.read_blackrock(str(raw / "r.ns6"), stream_id="6")
    assert np.array_equal(ours.get_traces(), theirs.get_traces())
    assert np.allclose(ours.get_channel_gains(), theirs.get_channel_gains(), rtol=1e-9)
    assert ours.get_sampling_frequency() == theirs.get_sampling_frequency()
    assert ours.get_start_time() == theirs.get_start_time() == 0.1


def test_pauses_are_segments_and_blocks_without_a_gap_are_one(tmp_path: Path) -> None:
    blocks = [(0, ROWS[:100]), (100, ROWS[100:300]), (5000, ROWS[300:300]), (9000, ROWS[300:])]
    raw = tmp_path / "raw"
    write_ns(raw / "r.ns5", blocks)
    with opened(raw) as reader:
        stream = reader.stream("ns5")
        assert stream.timebase is not None
        segments = [(s.first_sample, s.n_samples, s.t0) for s in stream.timebase.segments]
        assert segments == [(0, 300, 0.0), (300, 600, 9000 / 30000)]
        assert [n for n in reader.notes if "gap of 0.29 s after sample 300" in n]
    out = to_nwb(raw, tmp_path / "out.nwb")
    with h5py.File(out) as f:
        times = f["acquisition/ElectricalSeries/timestamps"][...]
        assert times[299] == pytest.approx(299 / 30000)
        assert times[300] == pytest.approx(9000 / 30000)


def ptp(n: int, start: int = 1_700_000_000_000_000_000) -> list[int]:
    return [start + k * 1_000_000_000 // 30000 for k in range(n)]


def test_ptp_without_a_gap_has_a_rate(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    ticks = ptp(900)
    write_ptp(raw / "r.ns6", ticks, ROWS)
    packets = [(ticks[10], 1, spike(1)), (ticks[40] + 5, 0, struct.pack("<BBH", 1, 0, 7))]
    write_nev(raw / "r.nev", packets, [wave(1)], spec=(3, 0), packet=108, resolution=1_000_000_000)
    out = to_nwb(raw, tmp_path / "out.nwb")
    with h5py.File(out) as f:
        series = f["acquisition/ElectricalSeries"]
        assert np.array_equal(series["data"][...], ROWS)
        assert float(series["starting_time"][()]) == 0.0
        assert series["starting_time"].attrs["rate"] == 30000.0
        # to the nanosecond, which seconds since 1970 could not hold
        assert f["units/spike_times"][0] == pytest.approx((ticks[10] - ticks[0]) * 1e-9, abs=1e-12)
        event = f["events/EventsDigitalInput/timestamp"][0]
        assert event == pytest.approx((ticks[40] + 5 - ticks[0]) * 1e-9, abs=1e-12)


def test_ptp_gaps_are_found_to_the_sample(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    ticks = ptp(904)
    kept = [t for k, t in enumerate(ticks) if k not in (250, 700, 701, 702)]
    write_ptp(raw / "r.ns6", kept, ROWS)
    with opened(raw) as reader:
        stream = reader.stream("ns6")
        assert stream.timebase is not None
        firsts = [s.first_sample for s in stream.timebase.segments]
        assert firsts == [0, 250, 699]
        assert [n for n in reader.notes if "after sample 250" in n]
    out = to_nwb(raw, tmp_path / "out.nwb")
    with h5py.File(out) as f:
        found_times = f["acquisition/ElectricalSeries/timestamps"][...]
        assert np.abs(found_times - (np.array(kept) - kept[0]) * 1e-9).max() < 2e-9


def test_ptp_times_that_are_not_even_are_kept_as_written(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    jitter = np.random.default_rng(1).integers(-4000, 4000, 900)
    ticks = [t + int(j) for t, j in zip(ptp(900), jitter, strict=True)]
    write_ptp(raw / "r.ns6", ticks, ROWS)
    out = to_nwb(raw, tmp_path / "out.nwb")
    with h5py.File(out) as f:
        times = f["acquisition/ElectricalSeries/timestamps"][...]
        assert np.abs(times - (np.array(ticks) - ticks[0]) * 1e-9).max() < 1e-12
        assert np.array_equal(f["acquisition/ElectricalSeries/data"][...], ROWS)


def test_packets_in_pieces_are_scanned_as_one(tmp_path: Path, monkeypatch: Any) -> None:
    from nwbkit.formats.recording.blackrock import nsx

    monkeypatch.setattr(nsx, "_PIECE", 19 * 64)
    ticks = ptp(901)
    write_ptp(tmp_path / "r.ns6", ticks[:500] + ticks[501:], ROWS)
    with opened(tmp_path / "r.ns6") as reader:
        stream = reader.stream("ns6")
        assert stream.timebase is not None
        assert [s.first_sample for s in stream.timebase.segments] == [0, 500]
        assert np.array_equal(reader.stream("ns6").read(490, 510), ROWS[490:510])  # type: ignore[attr-defined]


def test_blocks_of_one_sample_at_30_khz_are_no_ptp(tmp_path: Path) -> None:
    write_ns(tmp_path / "r.ns5", [(0, ROWS[:1]), (3, ROWS[1:2]), (9, ROWS[2:])], spec=(3, 0))
    with opened(tmp_path / "r.ns5") as reader:
        stream = reader.stream("ns5")
        assert isinstance(stream, Array) and stream.timebase is not None
        assert [s.n_samples for s in stream.timebase.segments] == [1, 1, 898]
        assert np.array_equal(stream.read(0, 900), ROWS)


def test_spec_21_takes_its_scale_from_the_nev(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    write_ns21(raw / "r.ns5", ROWS, [1, 2, 129])
    write_nev(raw / "r.nev", [], [wave(1, 250), wave(2, 500), wave(129, 21516)], spec=(2, 1))
    with h5py.File(to_nwb(raw, tmp_path / "out.nwb")) as f:
        series = f["acquisition/ElectricalSeries"]
        assert series["data"].shape == (900, 2)  # all of them: neo drops the last
        gains = series["data"].attrs["conversion"] * series["channel_conversion"][...]
        assert gains == pytest.approx([250e-9, 500e-9])
        assert f["acquisition/TimeSeriesNs5Analog/data"].attrs["conversion"] == pytest.approx(
            152592.547e-9
        )


def test_spec_21_without_nev_asks_for_the_scale(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    write_ns21(raw / "r.ns2", ROWS, [1, 2, 3], period=30)
    with pytest.raises(MissingFact) as caught:
        opened(raw)
    assert "r.gain_uv" in str(caught.value.hint)
    out = to_nwb(
        raw,
        tmp_path / "out.nwb",
        against=False,
        sets=["r.gain_uv=0.25"],
        set_meta=["NWBFile.session_start_time=2020-01-01T00:00:00+00:00"],
    )
    with h5py.File(out) as f:
        assert f["acquisition/ElectricalSeriesLF/data"].attrs["conversion"] == pytest.approx(
            0.25e-6
        )


def test_inputs_are_apart_and_offsets_kept(tmp_path: Path) -> None:
    channels = [
        channel(1),
        channel(129, "ainp1", "mV", (-32767, 32767), (-5000, 5000)),
        channel(130, "pressure", "kPa", (0, 1000), (50, 250)),
    ]
    write_ns(tmp_path / "raw/r.ns3", [(0, ROWS)], channels, period=15)
    out = to_nwb(tmp_path / "raw", tmp_path / "out.nwb")
    with h5py.File(out) as f:
        group = f["acquisition"]
        assert group["ElectricalSeriesLF/data"].shape == (900, 1)
        assert group["TimeSeriesNs3Analog/data"].attrs["conversion"] == pytest.approx(5 / 32767)
        pressure = group["TimeSeriesNs3Analog2/data"]
        assert pressure.attrs["unit"] == "kPa"
        assert (pressure.attrs["conversion"], pressure.attrs["offset"]) == (0.2, 50.0)
        assert group["ElectricalSeriesLF/starting_time"].attrs["rate"] == 2000.0


def test_two_raw_files_are_told_apart(tmp_path: Path) -> None:
    write_ns(tmp_path / "raw/r.ns5", [(0, ROWS)])
    write_ns(tmp_path / "raw/r.ns6", [(0, ROWS)])
    with h5py.File(to_nwb(tmp_path / "raw", tmp_path / "out.nwb")) as f:
        assert set(f["acquisition"]) == {"ElectricalSeriesNs5", "ElectricalSeriesNs6"}


def test_every_kind_of_packet(tmp_path: Path) -> None:
    headers = [
        wave(1),
        extended(b"DIGLABEL", b"digin".ljust(16, b"\0") + b"\x01"),
        extended(b"VIDEOSYN", struct.pack("<H16sf", 3, b"ceiling", 25.0)),
        extended(b"TRACKOBJ", struct.pack("<HHH16s", 1, 7, 2, b"left paw")),
        extended(b"ARRAYNME", b"M1 array"),
        extended(b"CCOMMENT", b" and more"),
    ]
    packets = [
        (10, 0, struct.pack("<BBH", 1, 0, 513)),
        (20, 0, struct.pack("<BBH", 129, 0, 66)),
        (30, 0xFFFF, comment("déjà vu", 1, 0x11223344)),
        (40, 0xFFFF, comment("begun", 0, 36, 1)),
        (0x41424344, 0xFFFF, comment("Comment2" + "DCBA")),
        (0x41424345, 0xFFFE, struct.pack("<HIII", 1, 12, 480, 3)),
        (0x41424346, 0xFFFD, struct.pack("<HHHH4H", 0, 7, 1, 4, 1, 2, 3, 4)),
        (0x41424347, 0xFFFC, struct.pack("<H", 1)),
        (0x41424348, 0xFFFB, struct.pack("<H", 1) + b"thresholds"),
        (0x41424349, 5121, b"stimulation"),
    ]
    raw = tmp_path / "raw"
    write_nev(raw / "r.nev", packets, headers)
    with opened(raw) as reader:
        assert any("1 packets of id 5121" in n for n in reader.notes)
        assert "and more" in reader.metadata()["NWBFile"]["notes"]
    with h5py.File(to_nwb(raw, tmp_path / "out.nwb")) as f:
        events = f["events"]
        assert events["EventsDigitalInput/value"][...].tolist() == [513]
        assert "digin" in events["EventsDigitalInput"].attrs["description"]
        assert events["EventsSerialInput/value"][...].tolist() == [66]
        said = events["EventsComments/comment"].asstr()[...].tolist()
        assert said == ["déjà vu", "begun", "Comment2"]
        assert events["EventsComments/color"].asstr()[...].tolist()[:2] == ["#11223344", ""]
        assert events["EventsComments/begun"][1] == pytest.approx(36 / 30000)
        video = events["EventsVideoSync"]
        assert (int(video["frame"][0]), video["video_source"].asstr()[0]) == (12, "ceiling")
        track = events["EventsTracking"]
        assert (track["object"].asstr()[0], track["points"].asstr()[0]) == ("left paw", "1 2 3 4")
        assert events["EventsButtons/value"][...].tolist() == [1]
        assert events["EventsConfiguration/text"].asstr()[...].tolist() == ["thresholds"]
        ticks = np.rint(events["EventsVideoSync/timestamp"][...] * 30000)
        assert ticks.tolist() == [0x41424345]


def test_waveforms_of_one_byte_and_of_several_widths(tmp_path: Path) -> None:
    packets = [(5, 1, spike(1, [-3, 4, 5], "i1")), (9, 2, spike(1, [7, 8], "i1"))]
    headers = [wave(1, 1000, 3, 1), wave(2, 1000, 2, 1)]
    write_nev(tmp_path / "r.nev", packets, headers, flags=0)
    with opened(tmp_path / "r.nev") as reader:
        waveforms = reader.stream("units").waveforms(sparse=False)  # type: ignore[attr-defined]
        assert waveforms.data[0, :, 0] == pytest.approx([-3e-6, 4e-6, 5e-6])
        assert waveforms.data[1, :2, 0] == pytest.approx([7e-6, 8e-6])
        assert np.isnan(waveforms.data[1, 2, 0])


def test_ptp_that_goes_back_a_little_never_goes_back_in_time(tmp_path: Path) -> None:
    ticks = ptp(900)
    ticks = [*ticks[:400], *(t - 200_000 for t in ticks[400:])]
    write_ptp(tmp_path / "raw/r.ns6", ticks, ROWS)
    with h5py.File(to_nwb(tmp_path / "raw", tmp_path / "out.nwb")) as f:
        series = f["acquisition/ElectricalSeries"]
        assert series["starting_time"].attrs["rate"] == 30000.0  # directly behind each other


def test_very_uneven_ptp_is_no_heap_of_segments(tmp_path: Path, monkeypatch: Any) -> None:
    from nwbkit.formats.recording.blackrock import nsx

    monkeypatch.setattr(nsx, "_MOST_RUNS", 50)
    ticks = [1000 + k * 100_000 for k in range(900)]
    write_ptp(tmp_path / "raw/r.ns6", ticks, ROWS)
    with h5py.File(to_nwb(tmp_path / "raw", tmp_path / "out.nwb")) as f:
        times = f["acquisition/ElectricalSeries/timestamps"][...]
        assert np.allclose(times, np.arange(900) * 1e-4, atol=1e-12)


# -------------------------------------------------------------- names


def test_renamed_and_merged_folders(tmp_path: Path) -> None:
    raw = tmp_path / "x"
    write_ns(raw / "x.ns5", [(0, ROWS)])
    write_nev(raw / "x.nev", [(5, 1, spike(1))], [wave(1)])
    write_nev(raw / "x-02.nev", [(5, 1, spike(3))], [wave(1)])
    write_nev(raw / "y.nev", [(5, 1, spike(1))], [wave(1)])
    other = (*ORIGIN[:5], 11, *ORIGIN[6:])
    write_nev(raw / "y-02.nev", [(5, 1, spike(3))], [wave(1)], origin=other)
    (raw / "Events.nev").write_bytes(b"######## Neuralynx Data File Header".ljust(16384, b"\0"))
    claimed = [[p.name for p in s.paths] for s in found(raw) if s.format == "blackrock"]
    assert sorted(claimed) == [["x.ns5", "x.nev", "x-02.nev"], ["y-02.nev"], ["y.nev"]]


def test_a_name_in_another_script(tmp_path: Path) -> None:
    raw = tmp_path / "猿 1"
    write_ns(raw / "録音 (1).ns5", [(0, ROWS)])
    out = to_nwb(raw, tmp_path / "o u t.nwb")
    with h5py.File(out) as f:
        assert f["acquisition/ElectricalSeries/data"].shape == (900, 3)
