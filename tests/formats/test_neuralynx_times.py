"""When Neuralynx samples were taken: gaps to the sample, rates, drift, resets, and damage."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nwbkit.errors import NwbkitError
from nwbkit.formats.base import Reader
from nwbkit.formats.recording.neuralynx import timing
from nwbkit.streams import Array
from tests.formats.helpers import opened
from tests.formats.neuralynx_files import OLD, ncs, ramp, stamps

PERIOD = 1e6 / 32000


def array(reader: Reader, index: int = 0) -> Array:
    stream = [s for s in reader.streams if isinstance(s, Array)][index]
    assert isinstance(stream, Array)
    return stream


def times_of(stream: Array) -> np.ndarray:
    assert stream.timebase is not None
    return stream.timebase.times(0, stream.shape[0])


def second(reader: Reader, stream: Array) -> None:
    """The independent reader must say the same."""
    rows = reader.reread(stream.id, 0, stream.shape[0])
    assert np.array_equal(rows, stream.read(0, stream.shape[0]))
    facts = reader.reread_facts(stream.id)
    if facts is not None and stream.timebase is not None:
        assert facts["segments"] == stream.timebase.segments
        assert np.array_equal(facts["gain"], stream.gain)


# --------------------------------------------------------------------- rates

RATES = [
    ("nominal", 32000.0, {}, 32000, 32000.0),
    ("measured", 32006.4012, {"SamplingFrequency": "32000"}, 32000, None),
    ("fraction in the header", 2666.6666666666665, {"SamplingFrequency": "2666.67"}, 2666, None),
    ("slow", 1017.375, {"SamplingFrequency": "1017.375"}, 1017, 1017.375),
    ("slow, rounded in the header", 1017.375, {"SamplingFrequency": "1017"}, 1017, None),
    ("30303", 30303.0303030303, {"SamplingFrequency": "30303"}, 30303, None),
    ("decimal comma", 2666.5, {"SamplingFrequency": "2666,5"}, 2666, 2666.5),
    ("no rate in the header", 32000.0, {"SamplingFrequency": None}, 32000, 32000.0),
]


@pytest.mark.parametrize(("name", "rate", "fields", "said", "exact"), RATES)
def test_no_sample_is_displaced_by_more_than_a_microsecond(
    name: str, rate: float, fields: dict[str, Any], said: int, exact: float | None, tmp_path: Path
) -> None:
    times = stamps(2000, rate)
    ncs(tmp_path / "CSC1.ncs", times, rate=said, fields=fields)
    reader = opened(tmp_path)
    stream = array(reader)
    assert stream.timebase is not None and len(stream.timebase.segments) == 1
    found = stream.timebase.rate
    assert found is not None
    if exact is not None:
        assert found == exact
    assert found == pytest.approx(rate, rel=1e-8)
    ours = times_of(stream)[::512] * 1e6 + times[0]
    assert np.abs(ours - times).max() <= 1.001
    second(reader, stream)


def test_the_whole_microseconds_of_old_boards(tmp_path: Path) -> None:
    times = 1000 + np.arange(500) * 512 * 35
    ncs(tmp_path / "CSC14.Ncs", times, rate=27789, fields=OLD)
    reader = opened(tmp_path)
    stream = array(reader)
    assert stream.timebase is not None and stream.timebase.rate == 1e6 / 35
    assert any("28571.42857 Hz by its timestamps, 27789 Hz" in n for n in reader.notes)
    second(reader, stream)


# --------------------------------------------------------------------- gaps

LOST = [1, 2, 7, 64, 127, 128, 511, 512, 5000]


@pytest.mark.parametrize("lost", LOST)
@pytest.mark.parametrize("rate", [32000.0, 30303.0303030303, 2000.0])
def test_gaps_are_found_to_the_sample(lost: int, rate: float, tmp_path: Path) -> None:
    times = stamps(400, rate)
    times[150:] = np.floor(5_000_000.3 + (np.arange(150, 400) * 512 + lost) * 1e6 / rate)
    ncs(tmp_path / "CSC1.ncs", times, rate=int(rate), fields={"SamplingFrequency": f"{rate:.2f}"})
    reader = opened(tmp_path)
    stream = array(reader)
    assert stream.timebase is not None
    ((at, missing),) = stream.timebase.gaps()
    assert at == 150 * 512
    assert missing == pytest.approx(lost / rate, abs=3e-6)
    assert any(f"{lost} sample" in n or f"{lost}." in n for n in reader.notes), reader.notes
    assert [s.n_samples for s in stream.timebase.segments] == [150 * 512, 250 * 512]
    second(reader, stream)


def test_small_gaps_in_every_tenth_record_do_not_add_up(tmp_path: Path) -> None:
    """TRAPS: readers absorb gaps up to a quarter packet."""
    n = 100
    late = np.floor(np.arange(n) // 10) * 100 * PERIOD
    times = np.floor(1000.2 + np.arange(n) * 512 * PERIOD + late).astype(np.int64)
    ncs(tmp_path / "CSC1.ncs", times)
    stream = array(opened(tmp_path))
    assert stream.timebase is not None and len(stream.timebase.segments) == 10
    assert np.abs(times_of(stream)[::512] * 1e6 + times[0] - times).max() <= 1.001


def test_the_guard_against_absorbed_gaps_is_what_finds_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = stamps(100)
    times[50:] += 3999  # just under a quarter packet
    ncs(tmp_path / "CSC1.ncs", times)
    stream = array(opened(tmp_path))
    assert stream.timebase is not None and len(stream.timebase.segments) == 2
    monkeypatch.setattr(timing, "_QUANTUM_US", 4000.0)
    without = array(opened(tmp_path))
    assert without.timebase is not None and len(without.timebase.segments) < 2


def test_partial_records_end_a_segment_unless_the_next_follows(tmp_path: Path) -> None:
    valid = [512, 300, 512, 512, 100, 512]
    starts = np.cumsum([0, 512, 300, 512, 512, 100]) * PERIOD
    starts[5:] += 412 * PERIOD  # the fifth record's missing samples are missing in time as well
    times = np.floor(777.5 + starts).astype(np.int64)
    data = ncs(tmp_path / "CSC1.ncs", times, valid=valid)
    reader = opened(tmp_path)
    stream = array(reader)
    assert stream.timebase is not None
    assert [s.n_samples for s in stream.timebase.segments] == [1936, 512]
    assert np.array_equal(stream.read(0, len(data))[:, 0], data)
    assert np.array_equal(stream.read(500, 1950)[:, 0], data[500:1950])
    assert any("412 samples missing before sample 1936" in n for n in reader.notes)
    second(reader, stream)


def test_records_without_valid_samples_hold_none(tmp_path: Path) -> None:
    data = ncs(tmp_path / "CSC1.ncs", stamps(5), valid=[512, 0, 512, 512, 0])
    reader = opened(tmp_path)
    stream = array(reader)
    assert stream.shape == (1536, 1) and np.array_equal(stream.read(0, 1536)[:, 0], data)
    assert stream.timebase is not None
    assert [g[0] for g in stream.timebase.gaps()] == [512]
    second(reader, stream)


def test_scattered_timestamps_are_followed_one_by_one(tmp_path: Path) -> None:
    """Times of a computer's clock: no rate, no gap of less than half a sample, none displaced."""
    rng = np.random.default_rng(3)
    times = stamps(300, 2000.0) + rng.integers(-60, 60, 300)
    times[200:] += 900  # 1.8 samples
    ncs(tmp_path / "CSC1.ncs", times, rate=2000, fields={"SamplingFrequency": "2000"})
    reader = opened(tmp_path)
    stream = array(reader)
    assert stream.timebase is not None and stream.timebase.read_times is not None
    assert stream.timebase.rate == 2000.0
    ours = times_of(stream)
    assert np.abs(ours[::512] * 1e6 - (times - times[0])).max() < 1e-3
    assert (np.diff(ours) > 0).all()
    assert any("scatter" in n for n in reader.notes)
    assert any("a gap by its timestamps" in n for n in reader.notes)
    assert reader.reread_facts(stream.id) is None
    assert np.array_equal(reader.reread(stream.id, 0, 999), stream.read(0, 999))


@pytest.mark.parametrize("seed", range(25))
def test_any_records_are_followed_to_the_microsecond(seed: int, tmp_path: Path) -> None:
    """Whatever drift, gaps, partial and empty records: no record's first sample is displaced."""
    rng = np.random.default_rng(seed)
    n, rate = int(rng.integers(2, 400)), float(rng.choice([32000, 30303, 2000, 40000, 1017.375]))
    true = rate * (1 + rng.uniform(-1, 1) * 5e-5)
    valid = np.where(rng.random(n) < 0.02, rng.integers(0, 512, n), 512)
    skipped = np.where(rng.random(n) < 0.02, rng.integers(1, 3000, n), 0)
    index = np.cumsum(valid + skipped) - valid
    times = np.floor(rng.uniform(0, 1e15) + index * 1e6 / true).astype(np.int64)
    data = ncs(
        tmp_path / "CSC1.ncs",
        times,
        valid=valid.tolist(),
        rate=int(rate),
        fields={"SamplingFrequency": f"{rate:g}"},
    )
    reader = opened(tmp_path)
    stream = array(reader)
    assert np.array_equal(stream.read(0, len(data))[:, 0], data)
    held = valid > 0
    firsts = (np.cumsum(valid) - valid)[held]
    ours = times_of(stream)[firsts] * 1e6 + times[held][0]
    # float64 holds so large timestamps to an eighth of a microsecond
    assert np.abs(ours - times[held]).max() <= 1.2
    second(reader, stream)


def test_overlapping_records_are_segments_and_named(tmp_path: Path) -> None:
    times = stamps(100)
    times[60:] -= 8000
    ncs(tmp_path / "CSC1.ncs", times)
    reader = opened(tmp_path)
    stream = array(reader)
    assert stream.timebase is not None
    ((at, missing),) = stream.timebase.gaps()
    assert at == 60 * 512 and missing == pytest.approx(-0.008, abs=2e-6)
    assert any("256 samples too many before sample 30720" in n for n in reader.notes)


# --------------------------------------------------------------------- damage


def reset(times: np.ndarray) -> np.ndarray:
    return np.concatenate([times[:50], times[:50] - 1_000_000])


def swapped(times: np.ndarray) -> np.ndarray:
    times[[40, 41]] = times[[41, 40]]
    return times


def twice(times: np.ndarray) -> np.ndarray:
    return np.insert(times, 30, times[29])


BACK = [("a reset", reset, "run back"), ("out of order", swapped, "run back")]
BACK.append(("a record twice", twice, "run twice"))


@pytest.mark.parametrize(("name", "change", "said"), BACK)
def test_time_that_does_not_run_on_is_refused(
    name: str, change: Any, said: str, tmp_path: Path
) -> None:
    ncs(tmp_path / "CSC1.ncs", change(stamps(100)))
    with pytest.raises(NwbkitError, match=f"CSC1.ncs' {said} at record") as error:
        opened(tmp_path)
    assert error.value.status == 65 and "--salvage" in (error.value.hint or "")
    reader = opened(tmp_path, salvage=True)
    assert len(reader.losses) == 1
    stream = array(reader)
    assert stream.timebase is not None and len(stream.timebase.segments) >= 2
    assert any(missing < 0 for _, missing in stream.timebase.gaps())


BAD: list[tuple[str, dict[str, Any], str, bool]] = [
    ("two channels", {"channel": [3] * 5 + [4] * 5}, "has channel 4 in record 5, expected 3", True),
    ("two rates", {"rate": [32000] * 9 + [16000]}, "sampling frequency 16000 in record 9", True),
    ("too many valid", {"valid": [512] * 9 + [600]}, "record 9 holds 600 valid samples", False),
    ("header rate", {"rate": 2000}, "SamplingFrequency=32000, its records say 2000 Hz", True),
    ("record size", {"fields": {"RecordSize": "1045"}}, "RecordSize=1045, expected 1044", False),
    ("channels", {"fields": {"NumADChannels": "4"}}, "NumADChannels=4, expected 1", False),
    ("gains", {"fields": {"ADBitVolts": "1e-8 2e-8"}}, "ADBitVolts of 2 channels", False),
]


@pytest.mark.parametrize(("name", "facts", "said", "salvageable"), BAD)
def test_contradictions_are_refused(
    name: str, facts: dict[str, Any], said: str, salvageable: bool, tmp_path: Path
) -> None:
    ncs(tmp_path / "CSC1.ncs", stamps(10), **facts)
    with pytest.raises(NwbkitError, match=said) as error:
        opened(tmp_path)
    assert error.value.status == 65
    if salvageable:
        reader = opened(tmp_path, salvage=True)
        assert len(reader.losses) == 1 and array(reader).shape == (5120, 1)


def test_a_file_that_was_cut_off_is_refused(tmp_path: Path) -> None:
    data = ncs(tmp_path / "CSC1.ncs", stamps(10))
    with open(tmp_path / "CSC1.ncs", "r+b") as f:
        f.truncate(16384 + 9 * 1044 + 500)
    with pytest.raises(NwbkitError, match="500 more than 9 records of 1044 bytes"):
        opened(tmp_path)
    reader = opened(tmp_path, salvage=True)
    stream = array(reader)
    assert len(reader.losses) == 1 and np.array_equal(stream.read(0, 4608)[:, 0], data[:4608])
    assert np.array_equal(reader.reread(stream.id, 4000, 4608), stream.read(4000, 4608))


def test_a_file_that_shrinks_while_open_is_named(tmp_path: Path) -> None:
    ncs(tmp_path / "CSC1.ncs", stamps(10))
    stream = array(opened(tmp_path))
    with open(tmp_path / "CSC1.ncs", "r+b") as f:
        f.truncate(20000)
    with pytest.raises(NwbkitError, match="has become shorter since it was opened"):
        stream.read(0, stream.shape[0])


def test_a_torn_header_is_refused(tmp_path: Path) -> None:
    ncs(tmp_path / "CSC1.ncs", stamps(10))
    with open(tmp_path / "CSC1.ncs", "r+b") as f:
        f.truncate(9000)
    with pytest.raises(NwbkitError, match="holds 9000 bytes, its header alone takes 16384"):
        opened(tmp_path)


def test_channels_that_lost_different_records_are_found_when_read(tmp_path: Path) -> None:
    """Same length, same ends, same sketch: only reading or scanning every record can tell."""
    n = 3000
    times = stamps(n)
    other = times.copy()
    other[1001] += 40
    a = ncs(tmp_path / "CSC1.ncs", times)
    b = ncs(tmp_path / "CSC2.ncs", other)
    stream = array(opened(tmp_path))
    assert stream.shape == (n * 512, 2)
    with pytest.raises(
        NwbkitError, match=r"'CSC2\.ncs' has other record times than 'CSC1\.ncs'"
    ) as e:
        stream.read(900 * 512, 1100 * 512)
    assert e.value.hint is not None and ".scan=true" in e.value.hint
    reader = opened(tmp_path, scan=True)
    first, last = array(reader, 0), array(reader, 1)
    assert np.array_equal(first.read(0, n * 512)[:, 0], a)
    assert np.array_equal(last.read(0, n * 512)[:, 0], b)
    assert first.nwb_name != last.nwb_name


def test_many_channels_are_read_alike_from_many_threads(tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    valid = [512] * 299 + [17]
    data = [
        ncs(tmp_path / f"CSC{k}.ncs", stamps(300), valid=valid, samples=ramp(300, k))
        for k in range(1, 13)
    ]
    whole = np.stack(data, axis=1)
    stream = array(opened(tmp_path))
    assert stream.channel_names == tuple(f"CSC{k}" for k in range(1, 13))
    windows = [(k, min(k + 9999, len(whole))) for k in range(0, len(whole), 3571)]
    with ThreadPoolExecutor(4) as pool:
        for (a, b), rows in zip(windows, pool.map(lambda w: stream.read(*w), windows), strict=True):
            assert np.array_equal(rows, whole[a:b])
    out = np.zeros((700, 12), "<i2")
    assert stream.read(100, 800, out) is out and np.array_equal(out, whole[100:800])
