"""Every Neuralynx sample, from raw folder to proven NWB file, against values from the bytes."""

from __future__ import annotations

import shutil
from datetime import datetime
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
from tests.expected.neuralynx import NVT, SAMPLES

pytestmark = needs_data
ROOT = DATA / "neuralynx"
LAB = "Subject: {subject_id: M1, species: Mus musculus, sex: F, age: P90D}\n"
START = "NWBFile.session_start_time=2020-01-01T00:00:00Z"


def request(raw: Path, out: Path, **options: Any) -> Request:
    settings: dict[str, Any] = {"timezone": "America/New_York", "jobs": 2}
    return Request(inputs=[str(raw)], output=str(out), **{**settings, **options})


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Every sample converted once, without --unaligned and without --salvage."""
    base = tmp_path_factory.mktemp("neuralynx")
    lab = base / "lab.yaml"
    lab.write_text(LAB)
    made = {}
    for name, sample in SAMPLES.items():
        out = base / f"{name}.nwb"
        options: dict[str, Any] = {"metadata": [str(lab)], "sets": sample.get("options", [])}
        if sample["start"] is None:
            options["set_meta"] = [START]
        assert journey.convert(request(ROOT / name, out, **options)).status == 0
        made[name] = out
    out = made["nvt"] = base / "nvt.nwb"
    journey.convert(request(DATA / "neuralynx_nvt", out, metadata=[str(lab)]))
    return made


STREAMS = [(n, k) for n, s in SAMPLES.items() for k in range(len(s["streams"]))]


@pytest.mark.parametrize(("name", "k"), STREAMS)
def test_samples_gain_and_times_are_those_of_the_bytes(
    name: str, k: int, converted: dict[str, Path]
) -> None:
    sample, stream = SAMPLES[name], SAMPLES[name]["streams"][k]
    with h5py.File(converted[name]) as f:
        assert len(f["acquisition"]) == len(sample["streams"])
        series = f["acquisition"][stream["name"]]
        data = series["data"][...]
        assert data.shape == (stream["n"], len(stream["channels"])) and data.dtype == np.int16
        for column, (first, last, total) in enumerate(stream["channels"].values()):
            assert data[:3, column].tolist() == first
            assert data[-3:, column].tolist() == last
            assert int(data[:, column].sum(dtype=np.int64)) == total
        assert series["data"].attrs["conversion"] == pytest.approx(stream["gain"], rel=1e-14)
        assert series["data"].attrs["unit"] == "volts"
        t0 = (stream["first"] - sample["zero"]) / 1e6
        if not stream["gaps"]:
            assert series["starting_time"][()] == pytest.approx(t0, abs=1e-9)
            assert series["starting_time"].attrs["rate"] == pytest.approx(stream["rate"], rel=1e-12)
            return
        times = series["timestamps"][...]
    assert times[0] == pytest.approx(t0, abs=1e-9)
    steps = np.diff(times)
    for at, microseconds in stream["gaps"]:
        missing = steps[at - 1] - 1 / stream["rate"]
        assert missing == pytest.approx(microseconds / 1e6, abs=2e-6)
        steps[at - 1] = 1 / stream["rate"]
    assert np.abs(steps - 1 / stream["rate"]).max() < 1e-6


@pytest.mark.parametrize("name", [n for n, s in SAMPLES.items() if "events" in s])
def test_events_are_those_of_the_bytes(name: str, converted: dict[str, Path]) -> None:
    sample = SAMPLES[name]
    with h5py.File(converted[name]) as f:
        assert set(f["events"]) == set(sample["events"])
        for table, rows in sample["events"].items():
            group = f["events"][table]
            n = sample.get("n_events", len(rows))
            assert len(group["timestamp"]) == n
            for k, (time, ttl, number, text) in enumerate(rows):
                assert group["timestamp"][k] == pytest.approx(
                    (time - sample["zero"]) / 1e6, abs=1e-9
                )
                assert (group["ttl"][k], group["event_id"][k]) == (ttl, number)
                assert group["label"].asstr()[k] == text


def test_spikes_are_those_of_the_bytes(converted: dict[str, Path]) -> None:
    sample = SAMPLES["Cheetah_v5.5.1"]
    raw = np.fromfile(ROOT / "Cheetah_v5.5.1" / "STet3a.nse", np.uint8, offset=16384)
    rows = raw.reshape(-1, 112)
    with h5py.File(converted["Cheetah_v5.5.1"]) as f:
        units = f["units"]
        assert units["unit_name"].asstr()[...].tolist() == list(sample["units"])
        n, first, last = sample["units"]["STet3a_0"]
        times = units["spike_times"][...]
        assert len(times) == n
        assert times[[0, -1]] == pytest.approx(
            [(first - sample["zero"]) / 1e6, (last - sample["zero"]) / 1e6], abs=1e-9
        )
        mean = np.ascontiguousarray(rows[:, 48:]).view("<i2").mean(axis=0) * 3.05185e-9
        assert units["waveform_mean"][0, :, 0] == pytest.approx(mean, rel=1e-5)
        assert units["classification"].asstr()[0] == "unclassified"
        row = units["electrodes"][0]
        table = f["general/extracellular_ephys/electrodes"]
        # the tetrode's channel was recorded continuously as well: ADChannel 8 of both headers
        assert table["channel_name"].asstr()[row] == "Tet3a"


@pytest.mark.parametrize("name", SAMPLES)
def test_start_session_and_filters(name: str, converted: dict[str, Path]) -> None:
    sample = SAMPLES[name]
    with h5py.File(converted[name]) as f:
        start = datetime.fromisoformat(f["session_start_time"].asstr()[()])
        if sample["start"] is not None:
            assert start.replace(tzinfo=None) == datetime.fromisoformat(sample["start"])
        said = f["general"].get("session_id")
        assert (None if said is None else said.asstr()[()]) == sample["session_id"]
        if name == "mne_atlas":
            filters = f["acquisition/ElectricalSeries2000Hz"].attrs
            assert filters["filtering"].startswith("high-pass 0.1 Hz (DCO); low-pass 500 Hz (FIR")
            model = f["general/devices/models"]
            assert list(model) == ["ATLAS"]


@pytest.mark.parametrize("name", [*SAMPLES, "nvt"])
def test_valid_proven_and_without_critical_findings(name: str, converted: dict[str, Path]) -> None:
    import pynwb
    from nwbinspector import Importance, inspect_nwbfile

    path = str(converted[name])
    assert pynwb.validate(path=path) == []
    assert not list(inspect_nwbfile(nwbfile_path=path, importance_threshold=Importance.CRITICAL))
    raw = DATA / "neuralynx_nvt" if name == "nvt" else ROOT / name
    findings = verifying.verify(path, against=[str(raw)])
    assert findings.ok, findings


def test_positions_are_those_of_the_bytes(converted: dict[str, Path]) -> None:
    with h5py.File(converted["nvt"]) as f:
        series = f["processing/behavior/Position/SpatialSeriesVT1"]
        data, times = series["data"][...], series["timestamps"][...]
        assert data.shape == (NVT["n"], 2)
        assert [tuple(r) for r in data[:3]] == NVT["first"]
        assert [tuple(r) for r in data[-3:]] == NVT["last"]
        assert np.flatnonzero(np.isnan(data).all(axis=1)).tolist() == NVT["lost"]
        zero = NVT["times"][0]
        assert times[:3] == pytest.approx([(t - zero) / 1e6 for t in NVT["times"]], abs=1e-9)
        assert series["data"].attrs["unit"] == NVT["unit"]
        assert "720 x 480" in series["reference_frame"].asstr()[()]
        assert "CompassDirection" not in f["processing/behavior"]
        start = datetime.fromisoformat(f["session_start_time"].asstr()[()])
        assert start.replace(tzinfo=None) == datetime.fromisoformat(NVT["start"])


def test_pynapple_reads_positions_and_units(converted: dict[str, Path]) -> None:
    nap = pytest.importorskip("pynapple")
    position = nap.load_file(str(converted["nvt"]))["SpatialSeriesVT1"]
    assert position.shape == (NVT["n"], 2)
    units = nap.load_file(str(converted["Cheetah_v5.5.1"]))["units"]
    assert len(units[0]) == 1398


NEO = ["Cheetah_v1.1.0", "Cheetah_v4.0.2", "Cheetah_v5.5.1", "Cheetah_v6.4.1dev"]


@pytest.mark.parametrize("name", NEO)
def test_spikeinterface_reads_the_result_as_neo_reads_the_source(
    name: str, converted: dict[str, Path]
) -> None:
    extractors = pytest.importorskip("spikeinterface.extractors")
    from neo.rawio import NeuralynxRawIO

    for stream in SAMPLES[name]["streams"]:
        file = ROOT / name / next(iter(stream["channels"]))
        neo = NeuralynxRawIO(str(file.parent), include_filenames=[file.name], gap_tolerance_ms=0.1)
        neo.parse_header()
        parts = [
            neo.get_analogsignal_chunk(0, k, stream_index=0) for k in range(neo.segment_count(0))
        ]
        theirs = np.concatenate(parts)
        path = f"acquisition/{stream['name']}"
        ours = extractors.read_nwb_recording(converted[name], electrical_series_path=path)
        gains = neo.header["signal_channels"]["gain"]
        assert np.array_equal(ours.get_traces(), theirs)
        assert ours.get_channel_gains() == pytest.approx(gains, rel=1e-9)


def test_a_gain_that_no_header_says_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(NwbkitError) as error:
        journey.convert(request(ROOT / "NCS_jl", tmp_path / "o.nwb"))
    assert error.value.status == 65 and SAMPLES["NCS_jl"]["refused"] in error.value.message
    assert error.value.hint == "--set NCS_jl.ad_bit_volts=VOLTS"
    with pytest.raises(NwbkitError) as error:
        journey.convert(request(ROOT / "Cheetah_v1.1.0", tmp_path / "o.nwb", timezone=None))
    assert error.value.status == 65 and "--timezone" in (error.value.hint or "")
    assert not list(tmp_path.iterdir())


def test_claimed_where_they_are_and_nowhere_else() -> None:
    sources = list(registry.detect([DATA]).sources())
    ours = {p for s in sources if s.format == "neuralynx" for p in s.paths}
    suffixes = {".ncs", ".nev", ".nse"}
    assert ours == {p for p in ROOT.rglob("*") if p.suffix.lower() in suffixes}
    tracked = {p for s in sources if s.format == "neuralynx_nvt" for p in s.paths}
    assert tracked == set((DATA / "neuralynx_nvt").rglob("*.nvt"))
    assert not any(s.alternatives for s in sources if s.format.startswith("neuralynx"))


def test_recognised_when_renamed_and_when_merged_in_one_folder(tmp_path: Path) -> None:
    target = tmp_path / "x"
    target.mkdir()
    for name in SAMPLES:
        for file in (ROOT / name).rglob("*"):
            if file.suffix.lower() in (".ncs", ".nev", ".nse"):
                shutil.copyfile(file, target / f"{name[-3:]}{file.stem}{file.suffix}")
    shutil.copyfile(DATA / "neuralynx_nvt" / "test_nvt" / "test.nvt", target / "x.nvt")
    sources = list(registry.detect([target]).sources())
    sizes = sorted(len(s.paths) for s in sources if s.format == "neuralynx")
    # one each, but the two files that name no session are left together
    assert sizes == [1, 1, 1, 2, 3, 3, 7]
    (tracked,) = [s for s in sources if s.format == "neuralynx_nvt"]
    assert not tracked.relations  # of another session than all of these
