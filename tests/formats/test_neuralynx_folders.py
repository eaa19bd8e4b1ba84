"""Neuralynx folders: restarts, copies, empty files, events, spikes, when recording began."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from nwbkit import convert as journey
from nwbkit import verify as verifying
from nwbkit.convert import Request
from nwbkit.errors import NwbkitError
from nwbkit.formats import registry
from nwbkit.formats.base import Reader
from nwbkit.formats.recording.neuralynx.spikes import Cells
from nwbkit.streams import Array
from tests.formats.helpers import found, opened
from tests.formats.neuralynx_files import ncs, nev, spikes, stamps

T0 = int(stamps(1)[0])


def arrays(reader: Reader) -> list[Array]:
    return [s for s in reader.streams if isinstance(s, Array)]


def convert(raw: Path, out: Path, **options: Any) -> Any:
    settings: dict[str, Any] = {"timezone": "UTC", "jobs": 2}
    result = journey.convert(Request(inputs=[str(raw)], output=str(out), **{**settings, **options}))
    findings = verifying.verify(str(out), against=[str(raw)])
    assert findings.ok, findings
    return result


# --------------------------------------------------------------------- which files belong together


def test_channels_by_rate_filter_and_records(tmp_path: Path) -> None:
    for k in (1, 2, 10):
        ncs(tmp_path / f"CSC{k}.ncs", stamps(64), fields={"ADChannel": str(k)})
    ncs(tmp_path / "CSC3.ncs", stamps(63), fields={"ADChannel": "3"})
    narrow = {"DspHighCutFrequency": "500", "ADChannel": "1"}
    ncs(tmp_path / "LFP1.ncs", stamps(64), fields=narrow)
    slow = {**narrow, "SamplingFrequency": "2000", "ADBitVolts": "1e-7"}
    ncs(tmp_path / "LFP2.ncs", stamps(4, 2000.0), rate=2000, fields=slow)
    reader = opened(tmp_path)
    assert [(s.channel_names, s.role, s.nwb_name) for s in arrays(reader)] == [
        (("CSC1", "CSC2", "CSC10"), "raw", "ElectricalSeries32000HzCSC1"),
        (("CSC3",), "raw", "ElectricalSeries32000HzCSC3"),
        (("LFP1",), "raw", "ElectricalSeries32000HzLFP1"),
        (("LFP2",), "lfp_band", "ElectricalSeries2000Hz"),
    ]
    convert(tmp_path, tmp_path / "o.nwb")
    with h5py.File(tmp_path / "o.nwb") as f:
        table = f["general/extracellular_ephys/electrodes"]
        # LFP1 and LFP2 record what CSC1 records: ADChannel 1
        assert table["channel_name"].asstr()[...].tolist() == [
            "CSC1,LFP1,LFP2",
            "CSC2",
            "CSC10",
            "CSC3",
        ]


def test_gains_may_differ_in_a_stream(tmp_path: Path) -> None:
    ncs(tmp_path / "CSC1.ncs", stamps(64), fields={"ADChannel": "1", "ADBitVolts": "1e-8"})
    ncs(tmp_path / "CSC2.ncs", stamps(64), fields={"ADChannel": "2", "ADBitVolts": "3e-8"})
    convert(tmp_path, tmp_path / "o.nwb")
    with h5py.File(tmp_path / "o.nwb") as f:
        series = f["acquisition/ElectricalSeries"]
        assert series["channel_conversion"][...].tolist() == [-1e-8, -3e-8]


def test_restarts_are_segments_of_the_same_stream(tmp_path: Path) -> None:
    parts = []
    for k in (1, 2):
        said = {"AcqEntName": f"CSC{k}", "ADChannel": str(k)}
        a = ncs(tmp_path / f"CSC{k}.ncs", stamps(20), fields=said)
        b = ncs(tmp_path / f"CSC{k}_0001.ncs", stamps(30, t0=9_000_000.0), fields=said)
        parts.append(np.concatenate([a, b]))
    nev(tmp_path / "Events.nev", [(T0, 11, 0, b"one")])
    nev(tmp_path / "Events_0001.nev", [(9_000_100, 11, 0, b"two")], AcqEntName="Events")
    reader = opened(tmp_path)
    (stream,) = arrays(reader)
    assert np.array_equal(stream.read(0, 25600), np.stack(parts, axis=1))
    assert stream.timebase is not None
    assert [s.n_samples for s in stream.timebase.segments] == [20 * 512, 30 * 512]
    assert [s.nwb_name for s in reader.streams[1:]] == ["Events", "Events0001"]
    convert(tmp_path, tmp_path / "o.nwb")
    convert(tmp_path, tmp_path / "split.nwb", segments="split")


def test_restarts_with_a_clock_that_began_anew_are_sessions_of_their_own(tmp_path: Path) -> None:
    ncs(tmp_path / "CSC1.ncs", stamps(20), fields={"AcqEntName": "CSC1"})
    ncs(tmp_path / "CSC1_0001.ncs", stamps(20, t0=100.0), fields={"AcqEntName": "CSC1"})
    sessions = registry.detect([tmp_path]).sessions
    assert [[p.name for p in s.sources[0].paths] for s in sessions] == [
        ["CSC1.ncs"],
        ["CSC1_0001.ncs"],
    ]


def test_channels_that_are_called_like_restarts(tmp_path: Path) -> None:
    for k in (1, 2):
        times = stamps(64) + (2 - k)
        ncs(tmp_path / f"LFP_000{k}.ncs", times, fields={"ADChannel": str(k)})
    ((source),) = found(tmp_path)
    names = [n for s in arrays(registry.open_source(source.source())) for n in s.channel_names]
    assert names == ["LFP_0001", "LFP_0002"]


def test_copies_are_left_out_and_namesakes_are_not(tmp_path: Path) -> None:
    ncs(tmp_path / "CSC1.ncs", stamps(64))
    shutil.copyfile(tmp_path / "CSC1.ncs", tmp_path / "CSC1 - Copy.ncs")
    ncs(tmp_path / "CSC1_clean.ncs", stamps(64), fields={"AcqEntName": "CSC1"})
    reader = opened(tmp_path)
    (stream,) = arrays(reader)
    assert stream.shape[1] == 2 and len(set(stream.channel_names)) == 2
    assert any("is a copy of another file" in n for n in reader.notes)


def test_copies_of_events_and_spikes_are_left_out(tmp_path: Path) -> None:
    nev(tmp_path / "Events.nev", [(T0, 11, 0, b"one")])
    spikes(tmp_path / "TT1.ntt", [T0 + 5, T0 + 9], [0, 1])
    for name in ("Events.nev", "TT1.ntt"):
        shutil.copyfile(tmp_path / name, tmp_path / f"Copy of {name}")
    reader = opened(tmp_path)
    assert [s.id for s in reader.streams] == ["events", "units"]
    assert len(reader.streams[1].ids) == 2  # type: ignore[attr-defined]
    assert sum("is a copy of another file" in n for n in reader.notes) == 2
    convert(tmp_path, tmp_path / "o.nwb")


def test_what_is_lost_of_a_cut_off_file_is_recorded(tmp_path: Path) -> None:
    data = ncs(tmp_path / "raw" / "CSC1.ncs", stamps(10))
    nev(tmp_path / "raw" / "Events.nev", [(T0, 11, 0, b"one"), (T0 + 9, 11, 0, b"two")])
    for name, size in (("CSC1.ncs", 16384 + 9 * 1044 + 5), ("Events.nev", 16384 + 190)):
        with open(tmp_path / "raw" / name, "r+b") as f:
            f.truncate(size)
    result = convert(tmp_path / "raw", tmp_path / "o.nwb", salvage=True)
    assert result.status == 3 and len(result.document.losses) == 2
    with h5py.File(tmp_path / "o.nwb") as f:
        held = f["acquisition/ElectricalSeries/data"][...]
        assert np.array_equal(held[:, 0], data[: 9 * 512])
        assert f["events/Events/label"].asstr()[...].tolist() == ["one"]


def test_empty_files_are_named_and_left_out(tmp_path: Path) -> None:
    ncs(tmp_path / "CSC1.ncs", stamps(3))
    ncs(tmp_path / "CSC2.ncs", [])
    (tmp_path / "CSC3.ncs").write_bytes(b"")
    nev(tmp_path / "Events.nev", [])
    spikes(tmp_path / "TT1.ntt", [], [])
    (source,) = found(tmp_path)
    assert len(source.paths) == 5
    reader = opened(tmp_path)
    assert [s.id for s in reader.streams] == ["csc.32000Hz"]
    notes = "; ".join(reader.notes)
    for said in (
        "'CSC2.ncs' holds its header only",
        "'CSC3.ncs' is empty",
        "'Events.nev' holds no",
    ):
        assert said in notes
    assert "'TT1.ntt' holds no spike" in notes


def test_folders_without_a_sample_and_foreign_files(tmp_path: Path) -> None:
    (tmp_path / "a.ncs").write_bytes(b"")
    (tmp_path / "b.nev").write_bytes(b"NEURALEV" + bytes(20000))
    (tmp_path / "c.nse").write_bytes(b"hello")
    assert not [s for s in found(tmp_path) if s.format.startswith("neuralynx")]
    ncs(tmp_path / "only" / "CSC2.ncs", [])
    with pytest.raises(NwbkitError) as error:
        journey.convert(Request(inputs=[str(tmp_path / "only")], output=str(tmp_path / "o.nwb")))
    assert error.value.status == 65
    with pytest.raises(NwbkitError) as missing:
        found(tmp_path / "nothing")
    assert missing.value.status == 66


def test_odd_names_convert(tmp_path: Path) -> None:
    folder = tmp_path / "Maus 7 (größe) \u65e5"
    ncs(folder / "CSC 1 \u00b5.ncs", stamps(3), fields={"AcqEntName": None})
    nev(folder / "Ereignisse \u00e4.nev", [(T0 + 5, 4, 0, "caf\u00e9".encode("latin-1"))])
    convert(folder, tmp_path / "o.nwb")
    with h5py.File(tmp_path / "o.nwb") as f:
        (table,) = f["events"].values()
        assert table["label"].asstr()[0] == "caf\u00e9"


def test_two_sessions_in_one_folder_are_two(tmp_path: Path) -> None:
    other = {"SessionUUID": "00000000-0000-0000-0000-000000000000"}
    ncs(tmp_path / "CSC1.ncs", stamps(3))
    ncs(tmp_path / "CSC2.ncs", stamps(3), fields=other)
    assert len(registry.detect([tmp_path]).sessions) == 2


# --------------------------------------------------------------------- events


def test_ports_are_words_and_events_are_in_order(tmp_path: Path) -> None:
    ncs(tmp_path / "CSC1.ncs", stamps(3))
    rows = [
        (T0 + 50, 11, 0x8001, b"TTL Input"),
        (T0 + 10, 11, 0, b"first\0rest"),
        (T0 + 50, 4, 2, b"x"),
    ]
    nev(tmp_path / "Events.nev", rows)
    reader = opened(tmp_path)
    table = reader.stream("events").read()  # type: ignore[attr-defined]
    assert table["ttl"].tolist() == [0, 0x8001, 2]
    assert table["label"].tolist() == ["first", "TTL Input", "x"]
    assert table["timestamp"] == pytest.approx([10e-6, 50e-6, 50e-6], abs=1e-12)
    assert any("not in order of time" in n for n in reader.notes)
    convert(tmp_path, tmp_path / "o.nwb")


def test_the_earliest_record_of_all_files_is_zero(tmp_path: Path) -> None:
    ncs(tmp_path / "CSC1.ncs", stamps(3))
    nev(tmp_path / "Events.nev", [(0, 4, 0, b"no time"), (T0 - 400, 11, 0, b"Starting Recording")])
    reader = opened(tmp_path)
    assert "the earliest record of all files in the folder" in reader.clocks[0].description
    (stream,) = arrays(reader)
    assert stream.timebase is not None and stream.timebase.segments[0].t0 == 400e-6


# --------------------------------------------------------------------- spikes

KINDS = [("SE1.nse", 1, 32), ("ST1.nst", 2, 32), ("TT1.ntt", 4, 32), ("TT2.ntt", 4, 64)]


@pytest.mark.parametrize(("name", "wires", "length"), KINDS)
def test_spike_files_without_signals_convert(
    name: str, wires: int, length: int, tmp_path: Path
) -> None:
    """TRAPS: refused by readers, though the records hold the clock's microseconds."""
    times, cells = T0 + np.arange(50) * 997, np.arange(50) % 3
    waves = spikes(tmp_path / name, times.tolist(), cells.tolist(), length=length)
    convert(tmp_path, tmp_path / "o.nwb")
    stem = name.split(".")[0]
    with h5py.File(tmp_path / "o.nwb") as f:
        units = f["units"]
        assert units["unit_name"].asstr()[...].tolist() == [f"{stem}_{k}" for k in range(3)]
        assert np.diff(units["spike_times_index"][...], prepend=0).tolist() == [17, 17, 16]
        assert units["spike_times"][...][:17] == pytest.approx((times[cells == 0] - T0) / 1e6)
        assert units["classification"].asstr()[...].tolist()[:2] == ["unclassified", "classified"]
        mean = units["waveform_mean"]
        volts = waves[cells == 1].mean(axis=0) * (np.arange(wires) + 1) * 1e-8
        sign = -1  # InputInverted True
        assert mean.shape == (3, length, wires)
        assert mean[1] == pytest.approx(sign * volts, rel=1e-5, abs=1e-12)


def test_spikes_and_signals_share_electrodes_and_the_clock(tmp_path: Path) -> None:
    for k in range(4):
        ncs(tmp_path / f"CSC{k}.ncs", stamps(64), fields={"ADChannel": str(8 + k)})
    times = [T0 + 900, T0 + 100, T0 + 500]
    spikes(tmp_path / "TT1.ntt", times, [1, 1, 0])
    spikes(tmp_path / "TT1_0001.ntt", [T0 + 5000], [1], AcqEntName="TT1")
    reader = opened(tmp_path)
    assert len(reader.clocks) == 1
    stream = reader.stream("units")
    assert isinstance(stream, Cells) and stream.counts().tolist() == [1, 3]
    assert stream.read(1, 2) == pytest.approx([100e-6, 900e-6, 5000e-6], abs=1e-12)
    convert(tmp_path, tmp_path / "o.nwb")
    with h5py.File(tmp_path / "o.nwb") as f:
        assert f["units/electrodes"][:4].tolist() == [0, 1, 2, 3]
    journey.convert(
        Request(inputs=[str(tmp_path)], output=str(tmp_path / "s.nwb"), timezone="UTC", stub=0.0006)
    )
    with h5py.File(tmp_path / "s.nwb") as f:
        assert len(f["units/spike_times"]) == 2


def test_spikes_in_a_folder_of_their_own_join_their_recording(tmp_path: Path) -> None:
    ncs(tmp_path / "csc" / "CSC1.ncs", stamps(64))
    spikes(tmp_path / "sorted" / "SE1.nse", [T0 + 5000, T0 + 700], [1, 1])
    nev(tmp_path / "events" / "Events.nev", [(T0 + 10, 11, 1, b"go")])
    sessions = registry.detect([tmp_path]).sessions
    assert len(sessions) == 1 and len(sessions[0].sources) == 3
    convert(tmp_path, tmp_path / "o.nwb")
    with h5py.File(tmp_path / "o.nwb") as f:
        assert f["units/spike_times"][...] == pytest.approx([700e-6, 5000e-6], abs=1e-12)
        assert f["events/Events/timestamp"][...] == pytest.approx([10e-6], abs=1e-12)
        assert f["units/electrodes"][...].tolist() == [0]


def test_spikes_of_another_session_do_not(tmp_path: Path) -> None:
    ncs(tmp_path / "csc" / "CSC1.ncs", stamps(64))
    other = {"SessionUUID": "1", "OriginalFileName": "E:\\x\\SE1.nse"}
    spikes(tmp_path / "sorted" / "SE1.nse", [T0 + 5000], [1], **other)
    assert not any(s.relations for s in found(tmp_path))


# --------------------------------------------------------------------- when recording began

LOG = (
    "Neuralynx Base Log File Opened\r\n"
    "Time Opened: (m/d/y)  2/26/2021 at time 15:46:33.254\r\n"
    "-* NOTICE  *-  15:50:00.500 - {} - AcquisitionControl::StartRecording() - Recording Started\r\n"
)
LOGS = [
    ("near", T0 + 3000, "2021-02-26T15:50:00.497000 by the log"),
    ("far", T0 + 3_000_000_000, None),
]


@pytest.mark.parametrize(("name", "stamp", "said"), LOGS)
def test_the_log_says_when_the_first_record_was_taken(
    name: str, stamp: int, said: str | None, tmp_path: Path
) -> None:
    ncs(tmp_path / "CSC1.ncs", stamps(64))
    (tmp_path / "CheetahLogFile.txt").write_bytes(LOG.format(stamp).encode())
    reader = opened(tmp_path)
    assert reader.metadata()["NWBFile"]["session_start_time"] == "2021-02-26T15:46:52"
    notes = "; ".join(reader.notes)
    assert (said in notes) if said else ("first record was taken" not in notes)
