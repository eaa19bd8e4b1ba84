"""SpikeGLX: every number in volts and seconds, where today's readers get them wrong."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from examples.spikeglx_run import Nidq, Probe, write_run
from nwbkit.errors import DamagedInput
from nwbkit.formats.recording.spikeglx.events import LineEvents
from tests.formats.helpers import (
    MIXED,
    N,
    counts,
    nidq_fields,
    opened,
    probe,
    probe_fields,
    volts,
    write,
)

# ------------------------------------------------------------------ gains


def test_without_its_sync_channel_the_last_gain_is_right(tmp_path):
    probe(tmp_path, sync=False)
    with opened(tmp_path) as reader:
        (stream,) = reader.streams
        assert stream.id == "imec0.ap" and stream.shape[1] == N
        assert np.array_equal(stream.gain, np.full(N, volts(500)))


@pytest.mark.parametrize("band", ["ap", "lf"])
def test_gains_of_a_subset_are_those_of_the_channels_saved(tmp_path, band):
    stem = f"run_g0_t0.imec0.{band}"
    probe(tmp_path, stem, channels=[1, 4, 6], gains=MIXED, band=band)
    with opened(tmp_path) as reader:
        stream = reader.stream(f"imec0.{band}")
        which = ("ap", "lf").index(band)
        assert list(stream.gain) == [volts(MIXED[c][which]) for c in (1, 4, 6)]
        assert stream.channel_names == tuple(f"{band.upper()}{c}" for c in (1, 4, 6))
        assert [e.name for e in stream.electrodes] == ["e1", "e4", "e6"]
        assert [e.channel for e in stream.electrodes] == ["1", "4", "6"]
        assert np.array_equal(reader.reread_facts(stream.id)["gain"], stream.gain)


def test_bands_of_a_probe_share_their_electrodes(tmp_path):
    probe(tmp_path, gains=MIXED)
    probe(tmp_path, "run_g0_t0.imec0.lf", rows=50, band="lf", gains=MIXED, firstSample="250")
    with opened(tmp_path) as reader:
        ap, lf = reader.stream("imec0.ap"), reader.stream("imec0.lf")
        assert [e.key for e in ap.electrodes] == [e.key for e in lf.electrodes]
        assert list(ap.gain) != list(lf.gain)
        assert ap.electrodes[2].properties["ap_gain"] == 1000.0
        assert (ap.role, ap.nwb_name) == ("raw", "ElectricalSeriesAP")
        assert (lf.role, lf.nwb_name) == ("lfp_band", "ElectricalSeriesLF")
        assert reader.stream("imec0.sync").shape[0] == ap.shape[0]
        assert reader.stream("imec0.lf_sync").shape[0] == lf.shape[0]


TABLES = {
    # header and one entry of each flavour -> gain of AP, default imMaxInt
    "3A": ("(641251510,3,{n})", "({c} 0 0 250 125)", {"imProbeOpt": "3"}, 250, 512),
    "1020": ("(1020,{n})", "({c} 0 0 1500 250 1)", {}, 1500, 512),
    "1200": ("(1200,{n})", "({c} 0 0 125 250 1)", {}, 125, 512),
    "21": ("(21,{n})", "({c} 1 0 {c})", {}, 80, 8192),
    "24": ("(24,{n})", "({c} 0 0 0 {c})", {}, 80, 8192),
    "2003": ("(2003,{n})", "({c} 1 0 {c})", {}, 100, 2048),
    "2013": ("(2013,{n})", "({c} 0 0 0 {c})", {}, 100, 2048),
    "2020": ("(NP2020,{n})", "({c} 0 0 0 {c})", {}, 100, 2048),
    "24 with imChan0apGain": ("(24,{n})", "({c} 0 0 0 {c})", {"imChan0apGain": "82"}, 82, 8192),
}


@pytest.mark.parametrize("flavour", TABLES)
@pytest.mark.parametrize("said", [True, False], ids=["imMaxInt", "no imMaxInt"])
def test_gains_of_every_readout_table(tmp_path, flavour, said):
    header, entry, more, gain, full = TABLES[flavour]
    kind = flavour.split()[0]
    more = {
        **more,
        "~imroTbl": header.format(n=N) + "".join(entry.format(c=c) for c in range(N)),
        "imDatPrb_type": None if kind == "3A" else kind,
        "imDatPrb_pn": None,
        "imMaxInt": str(full) if said else None,
    }
    probe(tmp_path, **more)
    with opened(tmp_path) as reader:
        stream = reader.stream("imec0.ap")
        assert list(stream.gain) == [volts(gain, full=full)] * N
        assert np.array_equal(reader.reread_facts("imec0.ap")["gain"], stream.gain)


def test_gains_of_np1110_are_in_its_table_header(tmp_path):
    groups = "".join(f"({g} 0 0)" for g in range(24))
    more = {"~imroTbl": f"(1110,2,0,1000,125,0){groups}", "imDatPrb_type": "1110"}
    probe(tmp_path, imDatPrb_pn="NP1110", **more)
    with opened(tmp_path) as reader:
        stream = reader.stream("imec0.ap")
        assert list(stream.gain) == [volts(1000)] * N
        assert stream.electrodes[0].properties["ap_high_pass_filter"] is False


def test_a_probe_whose_gain_nobody_knows_is_refused(tmp_path):
    table = f"(9999,{N})" + "".join(f"({c} 0 0 {c})" for c in range(N))
    probe(tmp_path, imDatPrb_type="9999", imDatPrb_pn="NP9999", **{"~imroTbl": table})
    with pytest.raises(DamagedInput, match="does not tell the gain of its channels"):
        opened(tmp_path)


def test_an_unknown_part_is_placed_by_the_map_in_the_header(tmp_path):
    table = "(NP9999,2,250,70)" + "".join(f"({c % 2}:{27 + c}:{20 * c}:1)" for c in range(N))
    probe(tmp_path, imDatPrb_pn="NP9999", **{"~snsGeomMap": table})
    with opened(tmp_path) as reader:
        electrode = reader.stream("imec0.ap").electrodes[3]
        assert (electrode.rel_x, electrode.rel_y) == (280.0, 60.0)
        assert electrode.group == "NeuropixelsImec0Shank1"
        assert "probeinterface does not know probe NP9999" in reader.notes[0]


def test_an_unknown_part_without_a_map_has_no_positions(tmp_path):
    probe(tmp_path, imDatPrb_pn="NP9999")
    with opened(tmp_path) as reader:
        electrode = reader.stream("imec0.ap").electrodes[3]
        assert (electrode.name, electrode.rel_x, electrode.rel_y) == ("ch3", None, None)
        assert "positions of the sites are unknown" in reader.notes[0]


def test_lf_made_by_catgt_from_a_full_band_probe(tmp_path):
    table = f"(2013,{N})" + "".join(f"({c} 0 0 0 {c})" for c in range(N))
    more = {
        **{"acqApLfSy": f"{N},0,1", "snsApLfSy": f"0,{N},1", "snsSaveChanSubset": f"0:{N}"},
        **{"imDatPrb_type": "2013", "imDatPrb_pn": "NP2013", "imMaxInt": "2048"},
        **{"catGTCmdline0": "<CatGT>", "~imroTbl": table, "imSampRate": "2500"},
    }
    probe(tmp_path, "run_g0_tcat.imec0.lf", **more)
    with opened(tmp_path) as reader:
        assert list(reader.stream("imec0.lf").gain) == [volts(100, full=2048)] * N


def test_four_shanks_are_four_groups(tmp_path):
    table = f"(2013,{N})" + "".join(f"({c} {c % 4} 0 2 {c})" for c in range(N))
    more = {"imDatPrb_type": "2013", "imDatPrb_pn": "NP2013", "~imroTbl": table}
    probe(tmp_path, **more)
    with opened(tmp_path) as reader:
        electrodes = reader.stream("imec0.ap").electrodes
        assert [e.group for e in electrodes[:4]] == [f"NeuropixelsImec0Shank{s}" for s in range(4)]
        assert electrodes[6].name == "s2e6"
        assert electrodes[6].properties["reference"] == "tip0"
        groups = reader.metadata()["ElectrodeGroups"]
        assert groups["NeuropixelsImec0Shank2"]["device"] == "NeuropixelsImec0"
        assert all("location" not in g for g in groups.values())


def test_four_sync_words_are_four_columns(tmp_path):
    fields = probe_fields(
        acqApLfSy=f"{N},0,4", snsApLfSy=f"{N},0,4", snsSaveChanSubset=f"0:{N + 3}"
    )
    write(tmp_path, "run_g0_t0.imec0.ap", fields, counts(100, N + 4))
    with opened(tmp_path, sync_lines=True) as reader:
        assert reader.stream("imec0.sync").shape == (100, 4)
        assert reader.stream("imec0.sync").channel_names == ("SY0", "SY1", "SY2", "SY3")
        assert "SY3.6" in set(reader.stream("imec0.sync_lines").read()["line"])


# ------------------------------------------------------------------ nidq and OneBox


def test_analog_channels_of_one_gain_are_one_stream(tmp_path):
    write(tmp_path, "run_g0_t0.nidq", nidq_fields(xa=3), counts(500, 4))
    with opened(tmp_path) as reader:
        stream = reader.stream("nidq.analog")
        assert list(stream.gain) == [5 / 32768] * 3
        assert (stream.nwb_name, stream.channel_names) == ("TimeSeriesNIDQ", ("XA0", "XA1", "XA2"))


def test_analog_channels_of_several_gains_are_one_stream_each(tmp_path):
    fields = nidq_fields(2, 1, 1, 1, niMaxInt=None, niMAGain="2")
    write(tmp_path, "run_g0_t0.nidq", fields, counts(500, 5))
    with opened(tmp_path) as reader:
        gains = {s.id: list(s.gain) for s in reader.streams if s.role == "analog"}
        assert gains == {
            "nidq.mn": [5 / 32768 / 200] * 2,
            "nidq.ma": [5 / 32768 / 2],
            "nidq.xa": [5 / 32768],
        }
        for name in gains:
            assert np.array_equal(reader.reread_facts(name)["gain"], gains[name])
            assert np.array_equal(reader.reread(name, 3, 9), reader.stream(name).read(3, 9))


def test_onebox_inputs(tmp_path):
    fields = {
        **{"acqXaDwSy": "11,1,1", "snsXaDwSy": "2,1,1", "snsSaveChanSubset": "0,3,11,12"},
        **{"obAiRangeMax": "5", "obMaxInt": "32768", "obSampRate": "30303.25", "typeThis": "obx"},
        "imDatBsc_sn": "21470034",
    }
    write(tmp_path, "run_g0_t0.obx1.obx", fields, counts(400, 4))
    with opened(tmp_path) as reader:
        assert [s.id for s in reader.streams] == [
            *("obx1.analog", "obx1.digital", "obx1.lines", "obx1.sync")
        ]
        stream = reader.stream("obx1.analog")
        assert list(stream.gain) == [5 / 32768] * 2
        assert stream.channel_names == ("XA0", "XA3")
        assert stream.timebase.rate == 30303.25
        assert reader.metadata()["Devices"]["OneBox1"]["serial_number"] == "21470034"
        assert reader.clocks[0].id == "run_g0/obx1"


# ------------------------------------------------------------------ digital lines


@pytest.fixture(scope="module")
def forty_lines(tmp_path_factory):
    root = tmp_path_factory.mktemp("lines")
    truth = write_run(
        root,
        probes=(),
        nidq=Nidq(lines=40, xa=2, sync_line=7),
        seconds=1.0,
        triggers=(0, 1),
        trigger_gap_s=0.31,
    )
    return root, truth


def test_all_lines_of_all_words_are_events(forty_lines):
    root, truth = forty_lines
    with opened(root) as reader:
        rows = reader.stream("nidq.lines").read()
        second = reader.reread_table("nidq.lines")
        assert all(np.array_equal(rows[k], second[k]) for k in rows)
        assert rows["timestamp"].dtype == np.int64
        assert {"XD39", "XD7"} <= set(rows["line"])
    before = 0
    for file in truth.files:
        for line, edges in file.lines.items():
            for value, name in ((1, "rising"), (0, "falling")):
                mine = (rows["line"] == f"XD{line}") & (rows["value"] == value)
                at = rows["timestamp"][mine]
                at = at[(at >= before) & (at < before + file.n_samples)] - before
                assert at.tolist() == edges[name]
        before += file.n_samples


def test_events_are_on_the_timebase_of_the_analog_channels(forty_lines):
    root, truth = forty_lines
    with opened(root) as reader:
        events, analog = reader.stream("nidq.lines"), reader.stream("nidq.analog")
        assert events.timebase == analog.timebase
        first, second = truth.files
        assert events.timebase.segments[0].t0 == 0.0
        later = Fraction(second.first_sample - first.first_sample) / Fraction(first.rate)
        assert events.timebase.segments[1].t0 == float(later)


def test_events_agree_whatever_the_block(forty_lines, monkeypatch):
    from nwbkit.formats.recording.spikeglx import events

    root, _ = forty_lines
    with opened(root) as reader:
        whole = reader.stream("nidq.lines").read()
        monkeypatch.setattr(events, "SCAN_BYTES", 10 * 97)
        small = reader.stream("nidq.lines").read()
        assert all(np.array_equal(whole[k], small[k]) for k in whole)


def test_durations_end_with_the_level_and_not_across_a_pause(tmp_path):
    words = np.zeros((10, 1), "<u2")
    words[3:5] = 1
    words[8:] = 1 << 15
    fields = nidq_fields(xa=0)
    write(tmp_path, "run_g0_t0.nidq", {**fields, "firstSample": 0}, words)
    write(tmp_path, "run_g0_t1.nidq", {**fields, "firstSample": 15}, words)
    with opened(tmp_path) as reader:
        rows = reader.stream("nidq.lines").read()
        second = reader.reread_table("nidq.lines")
    assert all(np.array_equal(rows[k], second[k]) for k in rows)
    # the line that is high at the end of one trigger and low in the next fell who knows when
    assert rows["timestamp"].tolist() == [3, 5, 8, 13, 15, 18]
    assert rows["value"].tolist() == [1, 0, 1, 1, 0, 1]
    assert rows["duration"].tolist() == [2, -1, -1, 2, -1, -1]
    assert rows["line"].tolist() == ["XD0", "XD0", "XD15"] * 2


def test_adjoining_triggers_have_no_gap_and_lose_no_edge(tmp_path):
    low, high = np.zeros((10, 1), "<u2"), np.ones((10, 1), "<u2")
    fields = nidq_fields(xa=0)
    write(tmp_path, "run_g0_t0.nidq", {**fields, "firstSample": 90}, low)
    write(tmp_path, "run_g0_t1.nidq", {**fields, "firstSample": 100}, high)
    with opened(tmp_path) as reader:
        stream = reader.stream("nidq.lines")
        assert list(stream.timebase.gaps()) == []
        assert stream.read()["timestamp"].tolist() == [10]
        assert reader.reread_table("nidq.lines")["timestamp"].tolist() == [10]


def test_digital_only_has_no_analog_stream(tmp_path):
    write(tmp_path, "run_g0_t0.nidq", nidq_fields(xa=0), np.zeros((9, 1)))
    with opened(tmp_path) as reader:
        assert [s.id for s in reader.streams] == ["nidq.digital", "nidq.lines"]
        rows = reader.stream("nidq.lines").read()
        assert [len(v) for v in rows.values()] == [0, 0, 0, 0]


def test_words_of_a_subset_keep_their_line_numbers(tmp_path):
    fields = nidq_fields(xa=2, xd=3, snsMnMaXaDw="0,0,1,1", snsSaveChanSubset="1,4")
    data = np.zeros((10, 2), "<u2")
    data[4:, 1] = 1 << 3
    write(tmp_path, "run_g0_t0.nidq", fields, data)
    with opened(tmp_path) as reader:
        assert reader.stream("nidq.lines").read()["line"].tolist() == ["XD35"]
        assert reader.stream("nidq.analog").channel_names == ("XA1",)


def test_sync_lines_are_there_on_demand(tmp_path):
    root = tmp_path
    truth = write_run(root, probes=[Probe(0, bands=["ap"], units=0)], nidq=None, seconds=1.2)
    with opened(root) as reader:
        assert not any(isinstance(s, LineEvents) for s in reader.streams)
    with opened(root, sync_lines=True) as reader:
        rows = reader.stream("imec0.sync_lines").read()
    (file,) = truth.files
    assert set(rows["line"]) == {"SY0.6"}
    assert rows["timestamp"].tolist() == sorted(file.sync_rising + file.sync_falling)


# ------------------------------------------------------------------ time


def test_rates_and_times_are_exact(tmp_path):
    write_run(
        tmp_path,
        probes=[Probe(0, units=0, rate=30000.390639481)],
        nidq=Nidq(rate=25000.654321),
        triggers=(0, 1),
        seconds=0.05,
        trigger_gap_s=0.2,
    )
    with opened(tmp_path) as reader:
        ap, lf = reader.stream("imec0.ap"), reader.stream("imec0.lf")
        assert ap.timebase.rate == 30000.390639481
        assert ap.timebase.clock == lf.timebase.clock == "demo_g0/imec0"
        assert reader.stream("nidq.analog").timebase.clock == "demo_g0/nidq"
        for a, b in zip(ap.timebase.segments, lf.timebase.segments, strict=True):
            assert a.t0 == b.t0
        assert ap.timebase.segments[0].t0 == 0.0
        (gap,) = ap.timebase.gaps()
        assert gap[1] == pytest.approx(0.2, abs=2e-3)
        for stream in (ap, lf):
            assert reader.reread_facts(stream.id)["segments"] == stream.timebase.segments
        assert reader.metadata()["NWBFile"] == {
            "session_id": "demo_g0",
            "session_start_time": "2024-05-02T10:00:00",
        }


def test_triggers_are_in_order_of_samples_not_of_names(tmp_path):
    for trigger, first in [(2, 1000), (10, 2000), (1, 3000)]:
        probe(tmp_path, f"run_g0_t{trigger}.imec0.ap", rows=50, firstSample=str(first))
    with opened(tmp_path) as reader:
        names = [f.path.name for f in reader._bands[0].files]
        assert names == [f"run_g0_t{t}.imec0.ap.bin" for t in (2, 10, 1)]


def test_lf_that_begins_later_than_ap_says_so(tmp_path):
    probe(tmp_path, firstSample="3000")
    probe(tmp_path, "run_g0_t0.imec0.lf", band="lf", firstSample="255", rows=50)
    with opened(tmp_path) as reader:
        begin = reader.stream("imec0.lf").timebase.segments[0].t0
        assert begin == float(Fraction(60) / Fraction(30000.25))
