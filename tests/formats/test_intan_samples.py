"""Every real Intan sample, from raw folder to proven NWB file, against values from the bytes."""

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
from tests.data import DATA, needs_data
from tests.expected.intan import SAMPLES, Made, raw_of
from tests.formats.helpers import opened
from tests.formats.test_intan_layouts import stream

pytestmark = needs_data
ROOT = DATA / "intan"
LAB = """NWBFile: {session_start_time: '2024-01-01T12:00:00+00:00'}
Subject: {subject_id: M1, species: Mus musculus, sex: F, age: P90D}
"""
MAIN = {
    "rhd_traditional_A": "sampledata.rhd",
    "SYNTH_rhs_traditional": "synth_rhs_240101_120000.rhs",
    "fps_one_file_per_signal": "info.rhd",
    "fpc_one_file_per_channel": "info.rhd",
}


def request(raw: Path, out: Path, lab: Path, **options: Any) -> Request:
    return Request([str(raw)], str(out), metadata=[str(lab)], jobs=2, **options)


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Every sample converted once."""
    base = tmp_path_factory.mktemp("intan")
    lab = base / "lab.yaml"
    lab.write_text(LAB)
    made = {}
    for name in SAMPLES:
        assert journey.convert(request(ROOT / name, base / f"{name}.nwb", lab)).status == 0
        made[name] = base / f"{name}.nwb"
    return made


@pytest.mark.parametrize("name", SAMPLES)
def test_samples_scales_and_times_are_those_of_the_bytes(
    name: str, converted: dict[str, Path]
) -> None:
    wanted = SAMPLES[name]
    with h5py.File(converted[name]) as f:
        written = {**f["acquisition"], **f["stimulus/presentation"]}
        assert set(written) == set(wanted["streams"])
        for series, (rows, columns, rate, gain, offset) in wanted["streams"].items():
            data = written[series]["data"]
            raw = raw_of(ROOT, name, series)
            assert data.shape == (rows, columns)
            assert np.array_equal(data[...], raw)
            assert data.dtype == raw.dtype
            assert data.attrs["conversion"] == gain
            assert data.attrs["offset"] == pytest.approx(offset, rel=1e-15)
            start = written[series]["starting_time"]
            assert (start[()], start.attrs["rate"]) == (0.0, rate)
        events = {n: len(t["timestamp"]) for n, t in f["events"].items()} if "events" in f else {}
        assert events == wanted["events"]
        electrodes = f["general/extracellular_ephys/electrodes"]
        groups, counts = np.unique(electrodes["group_name"].asstr()[...], return_counts=True)
        assert dict(zip(groups.tolist(), counts.tolist(), strict=True)) == wanted["port"]
        assert f["acquisition/ElectricalSeries"].attrs["filtering"] == wanted["filtering"]
        notes = f["general/notes"].asstr()[()] if "notes" in f["general"] else None
        assert notes == wanted["notes"]


@pytest.mark.parametrize("name", SAMPLES)
def test_digital_events_are_those_of_the_bytes(name: str, converted: dict[str, Path]) -> None:
    if "EventsDigitalIn" not in SAMPLES[name]["events"]:
        return
    word = raw_of(ROOT, name, "TimeSeriesDigitalIn")[:, 0]
    with h5py.File(converted[name]) as f:
        table = f["events/EventsDigitalIn"]
        for line in set(table["line"].asstr()[...]):
            level = word >> (int(line[-2:]) - 1) & 1
            edges = np.flatnonzero(np.diff(level.astype(int))) + 1
            mine = table["line"].asstr()[...] == line
            assert np.rint(table["timestamp"][...][mine] * 30000).tolist() == edges.tolist()
            assert table["value"][...][mine].tolist() == level[edges].tolist()


@pytest.mark.parametrize("name", SAMPLES)
def test_it_is_valid_and_equal_to_its_source(name: str, converted: dict[str, Path]) -> None:
    import pynwb
    from nwbinspector import Importance, inspect_nwbfile

    assert pynwb.validate(path=str(converted[name])) == []
    found = list(
        inspect_nwbfile(nwbfile_path=str(converted[name]), importance_threshold=Importance.CRITICAL)
    )
    assert found == []
    document = verifying.verify(str(converted[name]), against=[str(ROOT / name)])
    assert document.ok, document.findings
    who = {c.reader for c in document.checked if c.what in ("samples", "times", "scale", "events")}
    assert "independent" in who


@pytest.mark.parametrize("name", SAMPLES)
def test_spikeinterface_reads_the_result_as_the_source(
    name: str, converted: dict[str, Path]
) -> None:
    extractors = pytest.importorskip("spikeinterface.extractors")
    ours = extractors.read_nwb_recording(
        converted[name], electrical_series_path="acquisition/ElectricalSeries"
    )
    theirs = extractors.read_intan(ROOT / name / MAIN[name], stream_id="0")
    assert ours.get_sampling_frequency() == theirs.get_sampling_frequency()
    assert [str(c) for c in ours.channel_ids] == theirs.channel_ids.tolist()
    assert np.array_equal(ours.get_traces(), theirs.get_traces())
    assert ours.get_channel_gains() == pytest.approx(theirs.get_channel_gains())
    assert ours.get_channel_offsets() == pytest.approx(theirs.get_channel_offsets())


def neo_facts(path: Path) -> dict[str, tuple[int, float, float, float]]:
    neo = pytest.importorskip("neo.rawio")
    reader = neo.IntanRawIO(str(path))
    reader.parse_header()
    streams = {s["id"]: s["name"] for s in reader.header["signal_streams"]}
    return {
        streams[c["stream_id"]]: (0, c["sampling_rate"], c["gain"], c["offset"])
        for c in reader.header["signal_channels"]
    }


def test_where_neo_is_wrong(tmp_path: Path) -> None:
    """Auxiliary inputs of .dat files last four times too long, DC volts are a thousand times
    millivolts of the wrong sign, temperatures ten times too low: traps of our own finding.
    """
    fps = neo_facts(ROOT / "fps_one_file_per_signal" / "info.rhd")
    reader = opened(ROOT / "fps_one_file_per_signal")
    assert fps["RHD2000 auxiliary input channel"][1] == 7500.0
    assert stream(reader, "auxiliary").timebase.rate == 30000.0  # type: ignore[union-attr]
    raw = raw_of(ROOT, "fps_one_file_per_signal", "TimeSeriesAuxiliary").reshape(-1, 4, 6)
    assert (raw == raw[:, :1]).all()  # a value is repeated four times
    rhs = neo_facts(ROOT / "SYNTH_rhs_traditional" / MAIN["SYNTH_rhs_traditional"])
    assert rhs["DC Amplifier channel"][2] == pytest.approx(19.23)  # mV, of the wrong sign
    dc = stream(opened(ROOT / "SYNTH_rhs_traditional"), "dc_amplifier")
    assert dc.gain[0] == -0.01923


def test_start_times_come_from_names_and_zones_are_asked_for(tmp_path: Path) -> None:
    raw = ROOT / "SYNTH_rhs_traditional"
    said = opened(raw).metadata()
    assert said["NWBFile"]["session_start_time"] == SAMPLES[raw.name]["start"]
    with pytest.raises(NwbkitError) as error:
        journey.convert(Request([str(raw)], str(tmp_path / "o.nwb")))
    assert error.value.status == 65 and "--timezone" in (error.value.hint or "")
    with pytest.raises(NwbkitError) as error:
        journey.convert(Request([str(ROOT / "rhd_traditional_A")], str(tmp_path / "o.nwb")))
    assert error.value.status == 65
    assert not list(tmp_path.iterdir())


def test_claimed_where_they_are_and_nowhere_else() -> None:
    sources = [s for s in registry.detect([DATA]).sources() if s.format == "intan"]
    assert {s.paths[0].resolve() for s in sources} == {
        (ROOT / n / m).resolve() for n, m in MAIN.items()
    }
    assert all(ROOT.resolve() in p.resolve().parents for s in sources for p in s.paths)
    assert not any(s.alternatives for s in sources)


@pytest.mark.parametrize("name", SAMPLES)
def test_recognised_when_renamed(name: str, tmp_path: Path) -> None:
    shutil.copytree(ROOT / name, tmp_path / "x")
    if MAIN[name] != "info.rhd":
        main = tmp_path / "x" / MAIN[name]
        main.rename(main.with_stem("x"))
    (source,) = (s for s in registry.detect([tmp_path]).sources() if s.format == "intan")
    assert len(source.paths) == len(list((ROOT / name).iterdir()))
    reader = opened(tmp_path)
    series = SAMPLES[name]["streams"]["ElectricalSeries"]
    assert stream(reader, "amplifier").shape == series[:2]


#: Made recordings that go all the way.
MADE: dict[str, tuple[Made, str]] = {
    "gap": (Made(counters=[*range(200), *range(250, 434)]), "traditional"),
    "pre-trigger": (Made(counters=range(-100, 668)), "per_signal"),
    "stimulation": (Made(kind="rhs", impedance=1e6), "per_channel"),
    "old": (Made(version=(1, 1), counters=range(240), temperatures=2), "traditional"),
    "rhs": (Made(kind="rhs"), "per_signal"),
}


@pytest.mark.parametrize("name", MADE)
def test_made_recordings_convert_and_verify(name: str, tmp_path: Path) -> None:
    import pynwb

    lab = tmp_path / "lab.yaml"
    lab.write_text(LAB)
    made, layout = MADE[name]
    getattr(made, layout)(tmp_path / "raw")
    (tmp_path / "raw" / "notes.txt").write_text("10, 00:00:00, hello\n")
    out = tmp_path / "o.nwb"
    journey.convert(request(tmp_path / "raw", out, lab))
    assert pynwb.validate(path=str(out)) == []
    document = verifying.verify(str(out), against=[str(tmp_path / "raw")])
    assert document.ok, document.findings
    with h5py.File(out) as f:
        series = f["acquisition/ElectricalSeries"]
        times = series["timestamps"][...] if "timestamps" in series else None
        assert (times is not None) == (name == "gap")
        if times is not None:
            assert times.tolist() == pytest.approx((np.asarray(made.counters) / 30000).tolist())
        elif name == "pre-trigger":
            assert series["starting_time"][()] == -100 / 30000


def test_a_truncated_sample_is_salvaged(tmp_path: Path) -> None:
    lab = tmp_path / "lab.yaml"
    lab.write_text(LAB)
    shutil.copytree(ROOT / "rhd_traditional_A", tmp_path / "raw")
    data = tmp_path / "raw" / "sampledata.rhd"
    data.chmod(0o600)
    with open(data, "r+b") as f:
        f.truncate(600001)
    with pytest.raises(NwbkitError, match="it is cut off"):
        journey.convert(request(tmp_path / "raw", tmp_path / "o.nwb", lab))
    result = journey.convert(request(tmp_path / "raw", tmp_path / "o.nwb", lab, salvage=True))
    assert result.status == 3
    with h5py.File(tmp_path / "o.nwb") as f:
        assert f["acquisition/ElectricalSeries/data"].shape == (142 * 60, 32)
    assert verifying.verify(str(tmp_path / "o.nwb"), against=[str(tmp_path / "raw")]).ok
