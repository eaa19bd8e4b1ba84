"""Intan recordings of every version and layout, made by hand: samples, scales, times, events."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nwbkit.errors import MissingFact
from nwbkit.formats import registry
from nwbkit.formats.base import Reader
from nwbkit.streams import Array, Table
from tests.expected.intan import Made
from tests.formats.helpers import found, opened

LAYOUTS = ["traditional", "per_signal", "per_channel"]
KINDS: list[tuple[str, dict[str, Any]]] = [
    ("rhd 1.0", {"version": (1, 0), "counters": range(240)}),
    ("rhd 1.1", {"version": (1, 1), "counters": range(240), "temperatures": 2}),
    ("rhd 1.2", {"version": (1, 2), "counters": range(-120, 120), "temperatures": 1}),
    ("rhd 1.3", {"version": (1, 3), "counters": range(240), "mode": 1}),
    ("rhd 1.5", {"version": (1, 5), "counters": range(240), "mode": 0, "impedance": 1.5e6}),
    ("rhd 2.0", {"version": (2, 0), "temperatures": 3}),
    ("rhd 3.3", {"version": (3, 3)}),
    ("rhd, amplifiers only", {"auxiliary": 0, "supply": 0, "adc": 0, "lines": (), "outs": ()}),
    ("rhd, one amplifier", {"amplifiers": 1, "auxiliary": 3}),
    ("rhd, no amplifier", {"amplifiers": 0}),
    ("rhs, no amplifier", {"kind": "rhs", "amplifiers": 0, "dc": False}),
    ("rhs 1.0", {"kind": "rhs", "version": (1, 0)}),
    ("rhs 3.0", {"kind": "rhs"}),
    ("rhs without DC", {"kind": "rhs", "dc": False}),
]


def write(made: Made, layout: str, folder: Path) -> Path:
    path: Path = getattr(made, layout)(folder)
    return path


def stream(reader: Reader, name: str) -> Array:
    found = reader.stream(name)
    assert isinstance(found, Array)
    return found


def rows(reader: Reader, name: str) -> dict[str, Any]:
    table = reader.stream(name)
    assert isinstance(table, Table)
    return table.read()


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("facts", [pytest.param(k[1], id=k[0]) for k in KINDS])
def test_samples_are_those_that_were_written(
    facts: dict[str, Any], layout: str, tmp_path: Path
) -> None:
    made = Made(**facts)
    reader = opened(write(made, layout, tmp_path / "x y"))
    arrays = {s.id: s for s in reader.streams if isinstance(s, Array)}
    wanted = set(made.data)
    if layout != "traditional":
        wanted -= {"temperature"}
    assert set(arrays) == wanted
    for name in wanted:
        values = made.data[name]
        if layout != "traditional" and name != "stim":
            values = made.flat(name)
        if layout == "per_channel" and name.startswith("digital"):
            bits = made.lines if name == "digital_in" else made.outs
            values = np.concatenate([values >> b & 1 for b in bits], axis=1)
        got = arrays[name].read(0, arrays[name].shape[0])
        assert np.array_equal(got, values), name
        assert got.dtype == values.dtype
        again = reader.reread(name, 3, len(values) - 2)
        assert np.array_equal(again, values[3:-2])
        a, b = 1, max(2, len(values) - 1)
        out = np.empty((b - a, values.shape[1]), values.dtype)
        assert np.array_equal(arrays[name].read(a, b, out), values[a:b])
        claim = reader.reread_facts(name)
        assert claim is not None and arrays[name].timebase is not None
        assert claim["segments"] == arrays[name].timebase.segments
        assert claim["gain"][0] == arrays[name].gain[0]
        assert claim["offset"][0] == arrays[name].offset[0]
    for table in (s for s in reader.streams if isinstance(s, Table)):
        second = reader.reread_table(table.id)
        assert second is not None
        assert {k: v.tolist() for k, v in table.read().items()} == {
            k: second[k].tolist() for k in second
        }
    reader.close()


#: stream, layout, facts, gain, offset: from the application notes.
SCALES: list[tuple[str, str, dict[str, Any], float, float]] = [
    ("amplifier", "traditional", {}, 0.195e-6, -32768 * 0.195e-6),
    ("amplifier", "per_signal", {}, 0.195e-6, 0.0),
    ("auxiliary", "traditional", {}, 37.4e-6, 0.0),
    ("supply", "traditional", {}, 74.8e-6, 0.0),
    ("temperature", "traditional", {"temperatures": 1}, 0.01, 0.0),
    ("adc", "traditional", {"mode": 0}, 50.354e-6, 0.0),
    ("adc", "traditional", {"mode": 1}, 152.59e-6, -32768 * 152.59e-6),
    ("adc", "per_channel", {"mode": 13}, 312.5e-6, -10.24),
    ("adc", "traditional", {"kind": "rhs"}, 312.5e-6, -10.24),
    ("dac", "traditional", {"kind": "rhs"}, 312.5e-6, -10.24),
    ("dc_amplifier", "traditional", {"kind": "rhs"}, -0.01923, 512 * 0.01923),
    ("stim", "traditional", {"kind": "rhs"}, float(np.float32(5e-6)), 0.0),
]


@pytest.mark.parametrize(("name", "layout", "facts", "gain", "offset"), SCALES)
def test_scales(
    name: str, layout: str, facts: dict[str, Any], gain: float, offset: float, tmp_path: Path
) -> None:
    found = stream(opened(write(Made(**facts), layout, tmp_path)), name)
    assert set(found.gain) == {gain}
    assert found.offset[0] == pytest.approx(offset, rel=1e-15)
    assert found.unit == {"temperature": "celsius", "stim": "amperes"}.get(name, "volts")


def test_an_unknown_board_mode_is_asked_for(tmp_path: Path) -> None:
    made = Made(mode=7).traditional(tmp_path)
    with pytest.raises(MissingFact, match="board mode 7") as error:
        opened(made)
    assert "board_mode=13" in (error.value.hint or "")
    assert stream(opened(made, board_mode=0), "adc").gain[0] == 50.354e-6


# ------------------------------------------------------------------ times

#: counters, (first sample, samples, t0 in samples) of each segment
JUMP = [*range(200), *range(250, 434)]
WRAPS = [(c + 2**31) % 2**32 - 2**31 for c in range(2**31 - 200, 2**31 + 184)]
COUNTERS: list[tuple[str, list[int], list[tuple[int, int, int]]]] = [
    ("from 0", list(range(384)), [(0, 384, 0)]),
    ("a gap within a block", JUMP, [(0, 200, 0), (200, 184, 250)]),
    ("before the trigger", list(range(-100, 284)), [(0, 384, -100)]),
    ("a later file alone", list(range(1000, 1384)), [(0, 384, 0)]),
    ("32 bits wrap", WRAPS, [(0, 384, 0)]),
]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    ("counters", "segments"), [pytest.param(*c[1:], id=c[0]) for c in COUNTERS]
)
def test_time_stamps_become_segments(
    counters: list[int], segments: list[tuple[int, int, int]], layout: str, tmp_path: Path
) -> None:
    reader = opened(write(Made(counters=counters), layout, tmp_path))
    timebase = stream(reader, "amplifier").timebase
    assert timebase is not None
    got = [(s.first_sample, s.n_samples, s.t0, s.rate) for s in timebase.segments]
    assert got == [(a, n, t / 30000, 30000.0) for a, n, t in segments]
    assert any("missing before sample 200" in n for n in reader.notes) == (len(segments) > 1)
    if layout == "traditional":
        slow = stream(reader, "auxiliary").timebase
        assert slow is not None
        assert slow.times(0, 96).tolist() == pytest.approx(timebase.times(0, 384)[::4].tolist())
        assert slow.rate == 7500.0


def test_rates_are_not_rounded(tmp_path: Path) -> None:
    reader = opened(Made(rate=10000 / 3).traditional(tmp_path))
    assert stream(reader, "amplifier").timebase.rate == float(np.float32(10000 / 3))  # type: ignore[union-attr]


def minutes(folder: Path, *starts: int, every: int = 384, **names: str) -> None:
    """Files of 384 samples at 6.4 Hz, a minute each, with the counters they begin with."""
    for k, start in enumerate(starts):
        made = Made(rate=6.4, counters=range(start, start + every), seed=k)
        made.traditional(folder, f"run_240502_10{k:02d}00")


def test_files_of_a_run_are_one_recording(tmp_path: Path) -> None:
    minutes(tmp_path, -10, 374, 758)
    (source,) = found(tmp_path)
    reader = opened(tmp_path)
    amplifier = stream(reader, "amplifier")
    assert len(source.paths) == 3 and amplifier.shape == (1152, 3)
    assert amplifier.timebase is not None and len(amplifier.timebase.segments) == 3 - 2
    parts = [Made(rate=6.4, counters=range(384), seed=k).data["amplifier"] for k in range(3)]
    assert np.array_equal(amplifier.read(300, 900), np.concatenate(parts)[300:900])
    assert np.array_equal(reader.reread("amplifier", 300, 900), np.concatenate(parts)[300:900])  # type: ignore[arg-type]
    assert reader.metadata()["NWBFile"]["session_start_time"] == "2024-05-02T10:00:00"


def test_a_lost_file_of_a_run_is_a_gap(tmp_path: Path) -> None:
    minutes(tmp_path, 0, 384, 768)
    (tmp_path / "run_240502_100100.rhd").unlink()
    timebase = stream(opened(tmp_path), "amplifier").timebase
    assert timebase is not None
    assert list(timebase.gaps()) == [(384, pytest.approx(60.0))]


@pytest.mark.parametrize(
    "starts", [(0, 0, 0), (-10, 374, -10), (0, 5000, 10000)], ids=["new", "triggers", "too late"]
)
def test_what_does_not_go_on_is_another_recording(starts: tuple[int, ...], tmp_path: Path) -> None:
    minutes(tmp_path, *starts)
    sessions = registry.detect([tmp_path]).sessions
    assert len(sessions) == (2 if starts[1] == 374 else 3)


def test_other_headers_are_other_recordings(tmp_path: Path) -> None:
    minutes(tmp_path, 0)
    Made(rate=6.4, amplifiers=4, counters=range(384, 768)).traditional(
        tmp_path, "run_240502_100100"
    )
    assert len(registry.detect([tmp_path]).sessions) == 2


# ------------------------------------------------------------------ further files


def test_auxiliary_inputs_within_amplifier_dat(tmp_path: Path) -> None:
    made = Made()
    folder = made.per_signal(tmp_path)
    auxiliary = (made.flat("auxiliary").astype(int) - 32768).astype("<i2")
    np.concatenate([made.flat("amplifier"), auxiliary], axis=1).tofile(folder / "amplifier.dat")
    (folder / "auxiliary.dat").unlink()
    reader = opened(folder)
    aux = stream(reader, "auxiliary")
    assert np.array_equal(stream(reader, "amplifier").read(0, 768), made.flat("amplifier"))
    volts = aux.read(0, 768) * aux.gain[0] + aux.offset[0]
    assert volts == pytest.approx(made.flat("auxiliary") * 37.4e-6, abs=1e-12)
    for name in ("amplifier", "auxiliary"):
        assert np.array_equal(reader.reread(name, 5, 700), stream(reader, name).read(5, 700))  # type: ignore[arg-type]
        claim = reader.reread_facts(name)
        assert claim is not None
        assert (claim["gain"][0], claim["offset"][0]) == (
            stream(reader, name).gain[0],
            stream(reader, name).offset[0],
        )


@pytest.mark.parametrize("layout", ["per_signal", "per_channel"])
def test_other_bands(layout: str, tmp_path: Path) -> None:
    made = Made()
    folder = write(made, layout, tmp_path)
    low, high = made.flat("amplifier")[::4], made.flat("amplifier") // 2
    if layout == "per_signal":
        low.tofile(folder / "lowpass.dat")
        high.tofile(folder / "highpass.dat")
        (folder / "amplifier.dat").unlink()
    else:
        for k, name in enumerate(made.names("amplifier")):
            low[:, k].tofile(folder / f"low-{name}.dat")
            high[:, k].tofile(folder / f"high-{name}.dat")
            (folder / f"amp-{name}.dat").unlink()
    (folder / f"spike{'' if layout == 'per_signal' else '-A-000'}.dat").write_bytes(b"spikes")
    reader = opened(folder)
    assert np.array_equal(stream(reader, "lowpass").read(0, 192), low)
    assert stream(reader, "lowpass").timebase.rate == 7500.0  # type: ignore[union-attr]
    assert stream(reader, "lowpass").role == "lfp"
    assert np.array_equal(stream(reader, "highpass").read(0, 768), high)
    assert np.array_equal(reader.reread("lowpass", 0, 192), low)  # type: ignore[arg-type]
    assert reader.reread_facts("lowpass")["rate"] == 7500.0  # type: ignore[index]
    assert any("full band was not saved" in n for n in reader.notes)
    assert any("online" in n for n in reader.notes)


def test_stimulation_of_the_channels_that_have_a_file(tmp_path: Path) -> None:
    made = Made(kind="rhs")
    folder = made.per_channel(tmp_path)
    (folder / "stim-A-000.dat").unlink()
    reader = opened(folder)
    assert stream(reader, "stim").channel_names == ("A-001", "B-000")
    assert np.array_equal(stream(reader, "stim").read(0, 768), made.data["stim"][:, 1:])
    flags = rows(reader, "stim_flags")
    assert [
        *zip(flags["channel"], flags["flag"], flags["value"], flags["timestamp"], strict=True)
    ] == [
        ("A-001", "charge recovery", 1, 256),
        ("A-001", "compliance limit", 1, 256),
        ("A-001", "charge recovery", 0, 384),
        ("A-001", "compliance limit", 0, 384),
    ]
    assert flags["duration"].tolist() == [128, 128, -1, -1]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_digital_lines_are_events(layout: str, tmp_path: Path) -> None:
    reader = opened(write(Made(), layout, tmp_path))
    events = rows(reader, "digital_in_lines")
    assert events["timestamp"].tolist() == [153, 193, 306, 346]
    assert events["line"].tolist() == ["DIGITAL-IN-01"] * 2 + ["DIGITAL-IN-04"] * 2
    assert events["value"].tolist() == [1, 0, 1, 0]
    assert events["duration"].tolist() == [40, -1, 40, -1]


def test_a_gap_hides_changes_and_ends_durations(tmp_path: Path) -> None:
    reader = opened(Made(counters=[*range(170), *range(300, 514)]).traditional(tmp_path))
    events = rows(reader, "digital_in_lines")  # high in 76..116 and 152..192: the gap is at 170
    assert events["timestamp"].tolist() == [76, 116, 152, 192]
    assert events["duration"].tolist() == [40, -1, -1, -1]


def test_live_notes(tmp_path: Path) -> None:
    made = Made().traditional(tmp_path)
    (tmp_path / "notes.txt").write_text(
        "0, 00:00:00, begin\r\n300, 00:00:00, licks, µ\r\n9999, 00:00:00, late\r\n"
    )
    reader = opened(made)
    notes = rows(reader, "notes")
    assert notes["timestamp"].tolist() == [0, 300]
    assert notes["text"].tolist() == ["begin", "licks, µ"]
    assert any("1 notes lie behind" in n for n in reader.notes)


def test_metadata(tmp_path: Path) -> None:
    made = Made(impedance=2e5)
    folder = made.per_signal(tmp_path / "rat_231117_052500")
    (folder / "settings.xml").write_text(
        '<IntanRHX Type="ControllerRecordUSB3" Version="3.3.0"><GeneralConfig/></IntanRHX>'
    )
    reader = opened(folder)
    said = reader.metadata()
    assert said["NWBFile"] == {"session_start_time": "2023-11-17T05:25:00", "notes": "a\nµ ok"}
    (device,) = said["Devices"].values()
    assert device["model_name"] == "RHD recording controller"
    assert (
        "RHX software 3.3.0" in device["description"] and "board mode 13" in device["description"]
    )
    assert [g["name"] for g in said["ElectrodeGroups"].values()] == ["PortA", "PortB"]
    assert said["Streams"][f"{reader.source.id}/amplifier"]["filtering"] == (
        "analog band 0.1 to 7500 Hz, digital high-pass 1.5 Hz, notch 60 Hz"
    )
    electrodes = stream(reader, "amplifier").electrodes
    assert electrodes is not None
    assert [e.channel for e in electrodes] == ["A-000", "A-001", "B-000"]
    assert electrodes[0].properties == {
        "port": "Port A", "custom_name": "tetrode µ", "imp": 200000.0, "imp_phase": -30.0,
    }  # fmt: skip


def test_the_notch_filter_of_old_files_was_not_applied(tmp_path: Path) -> None:
    reader = opened(Made(version=(1, 5), counters=range(240)).traditional(tmp_path))
    said = reader.metadata()
    assert "notch" not in said["Streams"][f"{reader.source.id}/amplifier"]["filtering"]
    (device,) = said["Devices"].values()
    assert "60 Hz asked for, not applied" in device["description"]
