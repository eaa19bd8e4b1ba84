"""Open Ephys: what the numbers mean: scale, kinds of channel, clocks, times, events, names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nwbkit.alignment.clocks import resolve
from nwbkit.errors import ClockError
from nwbkit.streams import Segment
from tests.formats.test_openephys_toy import (
    ADC,
    NEURAL,
    NUMBERS,
    RATE,
    Stream,
    arrays,
    opened,
    synced,
    write,
)

# ------------------------------------------------------------------ channels


CHANNELS = [
    # names, units, descriptions, bits -> stream id: (columns, role, volts a count)
    (["CH1", "CH2"], "", None, {"A": ([0, 1], "raw", NEURAL * 1e-6)}),
    (
        ["CH1", "ADC1"],
        "uV",
        None,
        {"A": ([0], "raw", NEURAL * 1e-6), "A.adc": ([1], "analog", ADC)},
    ),
    (["CH1", "ADC1"], "", None, {"A": ([0], "raw", NEURAL * 1e-6), "A.adc": ([1], "analog", ADC)}),
    (["ADC1", "ADC2"], "V", None, {"A.adc": ([0, 1], "analog", ADC)}),
    (["AI0", "AI1"], "", None, {"A.adc": ([0, 1], "analog", ADC)}),
    (
        ["CH1", "CH_SYNC"],
        "",
        ["Neuropixels electrode", "Neuropixels sync line (continuously sampled)"],
        {"A": ([0], "raw", NEURAL * 1e-6), "A.sync": ([1], "sync", 1.0)},
    ),
    (
        ["CH1", "AUX1", "CH2"],
        "uV",
        ["Headstage data channel", "Auxiliar data channel", "Headstage data channel"],
        {"A": ([0, 2], "raw", NEURAL * 1e-6), "A.aux": ([1], "analog", ADC)},
    ),
    (["probe 7"], "uV", ["Headstage data channel"], {"A": ([0], "raw", NEURAL * 1e-6)}),
]


@pytest.mark.parametrize(("names", "units", "described", "expected"), CHANNELS)
def test_kinds_of_channel_and_their_scale(
    tmp_path: Path, names: Any, units: str, described: Any, expected: Any
) -> None:
    stream = Stream("A", channels=names, units=units, described=described)
    write(tmp_path, stream)
    with opened(tmp_path) as reader:
        found = arrays(reader)
        assert set(found) == set(expected)
        for name, (columns, role, gain) in expected.items():
            array = found[name]
            assert array.role == role
            assert array.gain == pytest.approx(gain, rel=1e-15)
            assert array.unit == ("n.a." if role == "sync" else "volts")
            assert np.array_equal(array.read(0, 600), stream.data()[:, columns])
            assert np.array_equal(reader.reread(name, 0, 600), stream.data()[:, columns])
            facts = reader.reread_facts(name)
            assert facts is not None and np.array_equal(facts["gain"], array.gain)
            assert facts["segments"] == array.timebase.segments


def test_an_adc_with_a_real_scale_in_microvolts(tmp_path: Path) -> None:
    write(tmp_path, Stream("A", channels=["ADC1"], bits=[152.587890625], units="uV"))
    with opened(tmp_path) as reader:
        assert arrays(reader)["A.adc"].gain[0] == pytest.approx(ADC)


def test_inputs_of_different_range_are_streams_of_their_own(tmp_path: Path) -> None:
    write(tmp_path, Stream("A", channels=["AI0", "AI1", "AI2"], bits=[ADC, ADC, 2 * ADC]))
    with opened(tmp_path) as reader:
        found = arrays(reader)
        assert {n: s.channel_names for n, s in found.items()} == {
            "A.adc.AI0": ("AI0", "AI1"),
            "A.adc.AI2": ("AI2",),
        }
        assert [s.nwb_name for s in found.values()] == ["TimeSeriesAADCAI0", "TimeSeriesAADCAI2"]


def test_mixed_gains_of_electrodes_stay_one_stream(tmp_path: Path) -> None:
    write(tmp_path, Stream("A", channels=["CH1", "CH2"], bits=[0.195, 2.34375]))
    with opened(tmp_path) as reader:
        assert arrays(reader)["A"].gain.tolist() == [0.195 * 1e-6, 2.34375 * 1e-6]


def test_names_of_bands(tmp_path: Path) -> None:
    ap = Stream("ProbeA-AP", processor="Neuropix-PXI", numbers=np.arange(12000, 13200))
    lf = Stream("ProbeA-LFP", processor="Neuropix-PXI", rate=2500.0, numbers=np.arange(1000, 1100))
    ap.seconds = lf.seconds = "unsynced"
    write(tmp_path, ap, lf)
    with opened(tmp_path) as reader:
        found = arrays(reader)
        said = {n: (s.role, s.nwb_name) for n, s in found.items()}
        assert said == {
            "ProbeA-AP": ("raw", "ElectricalSeriesProbeAAP"),
            "ProbeA-LFP": ("lfp_band", "ElectricalSeriesProbeALFP"),
        }
        # one headstage, one oscillator: no --offset needed between its bands
        assert len(reader.clocks) == 1
        assert found["ProbeA-LFP"].timebase.segments[0].t0 == 0.0
        assert found["ProbeA-AP"].electrodes[0].group == "NeuropixelsProbeA"


# ------------------------------------------------------------------ clocks and times


def test_synchronised_streams_share_a_clock_and_have_their_measured_rate(tmp_path: Path) -> None:
    main = Stream("A", numbers=NUMBERS)
    other = Stream("B", processor_id=101, numbers=NUMBERS, seconds=synced(0.32, 94))
    write(tmp_path, main, other)
    with opened(tmp_path) as reader:
        found = arrays(reader)
        assert [c.id for c in reader.clocks] == [f"{reader.source.id}/synchronized"]
        assert reader.clocks[0].anchor is None
        assert found["A"].timebase.segments == (Segment(0, 3000, 0.0, RATE),)
        (segment,) = found["B"].timebase.segments
        assert segment.t0 == pytest.approx(0.02, abs=1e-12)
        assert segment.rate == pytest.approx(RATE * (1 + 94e-6), rel=1e-9)
        assert reader.reread_facts("B")["segments"] == (segment,)


def test_streams_that_nobody_synchronised_are_refused_by_convert(tmp_path: Path) -> None:
    a = Stream("A", numbers=NUMBERS, seconds="unsynced")
    b = Stream("B", processor_id=101, numbers=NUMBERS + 77, seconds="unsynced")
    write(tmp_path, a, b)
    with opened(tmp_path) as reader:
        assert [c.id.rpartition("/")[2] for c in reader.clocks] == ["A", "B"]
        assert all(s.timebase.segments[0].t0 == 0.0 for s in arrays(reader).values())
        with pytest.raises(ClockError):
            resolve(reader.clocks)


@pytest.mark.parametrize("seconds", [None, "none"], ids=["each its own", "no file"])
def test_seconds_that_are_each_devices_own_join_nothing(tmp_path: Path, seconds: Any) -> None:
    a = Stream("A", numbers=NUMBERS, seconds=seconds)
    b = Stream("B", processor_id=101, numbers=NUMBERS + 500000, seconds=seconds)
    write(tmp_path, a, b)
    with opened(tmp_path) as reader:
        assert len(reader.clocks) == 2


def test_a_stream_that_was_synchronised_late_is_not_believed(tmp_path: Path) -> None:
    late = synced(0.32, 94)
    late[:1000] = -1
    a, b = Stream("A", numbers=NUMBERS), Stream("B", processor_id=101, numbers=NUMBERS)
    b.seconds = late
    write(tmp_path, a, b)
    with opened(tmp_path) as reader:
        assert len(reader.clocks) == 2
        assert arrays(reader)["B"].timebase.segments == (Segment(0, 3000, 0.0, RATE),)


def test_times_that_are_not_on_a_line_are_kept_as_written(tmp_path: Path) -> None:
    uneven = synced(0.32, 94)
    uneven[1500:] += 20e-6
    a, b = Stream("A", numbers=NUMBERS), Stream("B", processor_id=101, numbers=NUMBERS)
    b.seconds = uneven
    write(tmp_path, a, b)
    with opened(tmp_path) as reader:
        timebase = arrays(reader)["B"].timebase
        assert timebase.segments == () and timebase.rate == RATE
        assert np.array_equal(timebase.times(0, 3000), uneven - 0.3)
        assert timebase.times(1499, 1501).tolist() == (uneven[1499:1501] - 0.3).tolist()


@pytest.mark.parametrize("version", ["0.4.5", "0.5.4", "0.6.7"])
def test_jumps_of_sample_numbers_are_gaps(tmp_path: Path, version: str) -> None:
    numbers = np.concatenate([np.arange(3000, 3100), np.arange(3400, 3900)])
    write(tmp_path, Stream("A", numbers=numbers), version=version)
    with opened(tmp_path) as reader:
        ((name, array),) = arrays(reader).items()
        assert array.timebase.segments == (
            Segment(0, 100, 0.0, RATE),
            Segment(100, 500, 400 / RATE, RATE),
        )
        assert list(array.timebase.gaps()) == [(100, pytest.approx(0.01))]
        assert reader.reread_facts(name)["segments"] == array.timebase.segments
        assert any("jumps at row 100: 300 samples are missing" in n for n in reader.notes)


def test_integer_timestamps_are_samples_and_not_seconds(tmp_path: Path) -> None:
    write(tmp_path, Stream("A", numbers=np.arange(30000, 30600)), version="0.5.4")
    with opened(tmp_path) as reader:
        (array,) = arrays(reader).values()
        assert array.timebase.segments == (Segment(0, 600, 0.0, RATE),)
        assert array.facts["first_sample_number"] == 30000
        assert "sample 30000" in reader.clocks[0].description


def test_seconds_of_release_05_lie_beside_its_sample_numbers(tmp_path: Path) -> None:
    main = Stream("0", processor="In", processor_id=1, numbers=NUMBERS)
    other = Stream("0", processor="In", processor_id=2, numbers=NUMBERS)
    folder = write(tmp_path, main, other, version="0.5.4")
    for name, seconds in (("In-1.0", NUMBERS / RATE), ("In-2.0", synced(0.32, 94))):
        np.save(folder / "continuous" / name / "synchronized_timestamps.npy", seconds)
    with opened(tmp_path) as reader:
        assert [c.id.rpartition("/")[2] for c in reader.clocks] == ["synchronized"]
        segment = arrays(reader)["In-2.0"].timebase.segments[0]
        assert segment.t0 == pytest.approx(0.02, abs=1e-12)
        assert segment.rate == pytest.approx(RATE * (1 + 94e-6), rel=1e-9)
        assert reader.reread_facts("In-2.0")["segments"] == (segment,)
