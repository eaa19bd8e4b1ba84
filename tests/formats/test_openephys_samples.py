"""Every real Open Ephys sample, from raw folder to proven NWB file, against values from the bytes."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
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
from tests.expected.openephys import SAMPLES
from tests.formats.test_openephys_toy import Stream, write

pytestmark = needs_data
ROOT = DATA / "openephys_binary"
LAB = "Subject: {subject_id: M1, species: Mus musculus, sex: F, age: P90D}\n"


def folder_of(sample: dict[str, Any]) -> str:
    return str(sample["recording"]).split("/")[0]


def experiment_of(sample: dict[str, Any]) -> str:
    return str(sample["recording"]).split("/")[-2]


def request(raw: Path, out: Path, **options: Any) -> Request:
    settings: dict[str, Any] = {"timezone": "Europe/Berlin", "jobs": 2}
    return Request(inputs=[str(raw)], output=str(out), **{**settings, **options})


IDS = [f"{folder_of(s)}-{experiment_of(s)}" for s in SAMPLES]


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Every experiment converted once, without --unaligned and without --salvage."""
    base = tmp_path_factory.mktemp("openephys")
    lab = base / "lab.yaml"
    lab.write_text(LAB)
    made = {}
    for name, sample in zip(IDS, SAMPLES, strict=True):
        out = base / f"{name}.nwb"
        options = {"session": experiment_of(sample), "metadata": [str(lab)]}
        result = journey.convert(request(ROOT / folder_of(sample), out, **options))
        assert result.status == 0
        made[name] = out
    return made


def series_of(f: h5py.File, stream: dict[str, Any], raw: np.ndarray) -> h5py.Group:
    a, b = stream["columns"]
    for series in f["acquisition"].values():
        data = series["data"][...]
        if np.array_equal(data.reshape(len(data), -1), raw[:, a:b]):
            return series
    raise AssertionError(f"no series holds {stream['folder']}")


@pytest.mark.parametrize("name", IDS)
def test_samples_gains_and_times_are_those_of_the_bytes(
    name: str, converted: dict[str, Path]
) -> None:
    sample = SAMPLES[IDS.index(name)]
    with h5py.File(converted[name]) as f:
        for stream in sample["streams"]:
            folder = ROOT / sample["recording"] / "continuous" / stream["folder"]
            raw = np.fromfile(folder / "continuous.dat", "<i2").reshape(-1, stream["width"])
            assert len(raw) == stream["n_samples"]
            series = series_of(f, stream, raw)
            data = series["data"][...]
            for column, values in stream["ends"].items():
                assert [*data[:3, column].tolist(), *data[-3:, column].tolist()] == values
            volts = stream["bit_volts"] * (1e-6 if stream["kind"] == "neural" else 1)
            assert series["data"].attrs["conversion"] == pytest.approx(volts, rel=1e-14)
            assert series["data"].attrs["unit"] == "volts"
            start = series["starting_time"]
            assert start[()] == pytest.approx(stream["first_s"] - sample["zero_s"], abs=1e-9)
            assert start.attrs["rate"] == pytest.approx(stream["rate"], rel=2e-4)
            kind = "ElectricalSeries" if stream["kind"] == "neural" else "TimeSeries"
            assert series.attrs["neurodata_type"] == kind
            assert series.name.rpartition("/")[2].startswith(kind)
        assert len(f["acquisition"]) == len(sample["streams"])
    assert verifying.verify(str(converted[name])).ok


@pytest.mark.parametrize("name", [n for n, s in zip(IDS, SAMPLES, strict=True) if s["events"]])
def test_ttl_events_are_those_of_the_bytes(name: str, converted: dict[str, Path]) -> None:
    sample = SAMPLES[IDS.index(name)]
    with h5py.File(converted[name]) as f:
        assert len(f["events"]) == len([e for e in sample["events"] if e["n"]])
        for event in sample["events"]:
            table = f["events"][
                "Events" + event["folder"].split(".")[1].split("/")[0].replace("-", "")
            ]
            times = table["timestamp"][...]
            assert len(times) == event["n"]
            zero = sample["zero_s"]
            assert times[[0, -1]] == pytest.approx(
                [event["first_s"] - zero, event["last_s"] - zero]
            )
            lines = table["line"].asstr()[...]
            values = table["value"][...]
            for line, (on, off) in event["lines"].items():
                mine = lines == f"TTL{line}"
                assert (int(values[mine].sum()), int((values[mine] == 0).sum())) == (on, off)
            states = np.load(ROOT / sample["recording"] / "events" / event["folder"] / "states.npy")
            assert np.array_equal(values == 1, states > 0)


@pytest.mark.parametrize("name", IDS)
def test_start_time(name: str, converted: dict[str, Path]) -> None:
    sample = SAMPLES[IDS.index(name)]
    with h5py.File(converted[name]) as f:
        start = datetime.fromisoformat(f["session_start_time"].asstr()[()])
    if sample["start_ms"] is not None:
        assert start.timestamp() * 1000 == pytest.approx(sample["start_ms"], abs=1e-3)
    else:
        assert start.year in (2021, 2022) and start.utcoffset() is not None


@pytest.mark.parametrize("name", IDS)
def test_the_file_is_valid_and_without_critical_findings(
    name: str, converted: dict[str, Path]
) -> None:
    import pynwb
    from nwbinspector import Importance, inspect_nwbfile

    assert pynwb.validate(path=str(converted[name])) == []
    found = [
        m
        for m in inspect_nwbfile(
            nwbfile_path=str(converted[name]), importance_threshold=Importance.CRITICAL
        )
        # stubs of 100 samples of 384 channels, and 16 of 32, are wider than long
        if not (
            m.check_function_name == "check_data_orientation"
            and any(shape in m.message for shape in ("(100, 384)", "(16, 32)"))
        )
    ]
    assert found == []


@pytest.mark.parametrize("name", IDS)
def test_verify_against_the_source(name: str, converted: dict[str, Path]) -> None:
    sample = SAMPLES[IDS.index(name)]
    findings = verifying.verify(str(converted[name]), against=[str(ROOT / folder_of(sample))])
    assert findings.ok, findings


@pytest.mark.parametrize("name", IDS)
def test_spikeinterface_reads_the_result_as_it_reads_the_source(
    name: str, converted: dict[str, Path]
) -> None:
    extractors = pytest.importorskip("spikeinterface.extractors")
    sample = SAMPLES[IDS.index(name)]
    neural = [s for s in sample["streams"] if s["kind"] == "neural"]
    for stream in neural:
        word = "" if len(neural) == 1 else stream["folder"].split(".")[1]
        path = f"acquisition/ElectricalSeries{word}"
        ours = extractors.read_nwb_recording(converted[name], electrical_series_path=path)
        raw = np.fromfile(
            ROOT / sample["recording"] / "continuous" / stream["folder"] / "continuous.dat", "<i2"
        ).reshape(-1, stream["width"])[:, slice(*stream["columns"])]
        assert np.array_equal(ours.get_traces(), raw)
        assert ours.get_channel_gains() == pytest.approx(stream["bit_volts"])


@pytest.fixture(scope="module")
def theirs() -> Iterator[Any]:
    yield pytest.importorskip("spikeinterface.extractors")


def test_positions_are_those_of_spikeinterface(converted: dict[str, Path], theirs: Any) -> None:
    name = "v0.6.x_neuropixels_multiexp_multistream-experiment1"
    raw = ROOT / "v0.6.x_neuropixels_multiexp_multistream"
    for probe in ("ProbeB", "ProbeC"):
        stream = f"Record Node 101#Neuropix-PXI-100.{probe}"
        rec = theirs.read_openephys(raw, stream_name=stream, block_index=0)
        with h5py.File(converted[name]) as f:
            rows = f[f"acquisition/ElectricalSeries{probe}/electrodes"][...]
            table = f["general/extracellular_ephys/electrodes"]
            ours = np.stack([table[a][...][rows] for a in ("rel_x", "rel_y")], axis=1)
        assert np.array_equal(ours, rec.get_channel_locations())


HEADERS_ONLY = "settings_and_oebin_only_probeinterface"


def test_headers_without_data_are_refused_by_name(tmp_path: Path) -> None:
    found = registry.detect([ROOT / HEADERS_ONLY]).sessions
    assert len(found) == 3
    for session in found:
        with pytest.raises(NwbkitError) as error:
            journey.convert(request(ROOT / HEADERS_ONLY, tmp_path / "o.nwb", session=session.id))
        assert error.value.status == 66 and error.value.hint
        assert "continuous.dat': no such file" in error.value.message


def test_a_naive_start_needs_a_zone_and_several_experiments_a_choice(tmp_path: Path) -> None:
    with pytest.raises(NwbkitError) as error:
        journey.convert(
            request(ROOT / "neural_and_non_neural_data_mixed", tmp_path / "o.nwb", timezone=None)
        )
    assert error.value.status == 65 and "--timezone" in (error.value.hint or "")
    with pytest.raises(NwbkitError) as error:
        journey.convert(
            request(ROOT / "v0.6.x_neuropixels_multiexp_multistream", tmp_path / "o.nwb")
        )
    assert error.value.hint == "choose one: --session experiment1"
    assert not list(tmp_path.iterdir())


def test_claimed_where_they_are_and_nowhere_else() -> None:
    sources = registry.detect([DATA]).sources()
    ours = [s for s in sources if s.format == "openephys_binary"]
    headers = {p.parent for p in DATA.rglob("structure.oebin")}
    claimed = {p.parent for s in ours for p in s.paths if p.name == "structure.oebin"}
    assert claimed == headers
    assert all(ROOT in p.parents for s in ours for p in s.paths)
    assert len({s.id for s in ours}) == len(ours)


@pytest.mark.parametrize("name", sorted({folder_of(s) for s in SAMPLES}))
def test_recognised_when_renamed(name: str, tmp_path: Path) -> None:
    shutil.copytree(ROOT / name, tmp_path / "x")
    for node in (tmp_path / "x").glob("Record Node *"):
        node.rename(node.with_name("x"))
    found = [s for s in registry.detect([tmp_path]).sources() if s.format == "openephys_binary"]
    assert len(found) == len([s for s in SAMPLES if folder_of(s) == name])


# ------------------------------------------------------------------ made recordings, converted


def uneven() -> np.ndarray:
    times = 0.32 + np.arange(3000) / (30000 * (1 + 94e-6))
    times[1500:] += 20e-6
    return times


NUMBERS = np.arange(9000, 12000)
EVENTS = [(9010, 1, 0.5), (9020, -1, 0.6), (9030, 3, 0.7)]
JUMP = np.concatenate([np.arange(3000, 3100), np.arange(3400, 3900)])
MADE: dict[str, tuple[list[Stream], dict[str, Any]]] = {
    "jump": ([Stream("A", numbers=JUMP)], {}),
    "old jump and messages": (
        [Stream("A", numbers=JUMP, events=[(3010, 1, 0), (3020, -1, 0)])],
        {"version": "0.4.5", "messages": [(3050, "hello")]},
    ),
    "measured": (
        [
            Stream("A", numbers=NUMBERS),
            Stream("B", processor_id=101, numbers=NUMBERS, events=EVENTS),
        ],
        {},
    ),
    "uneven": (
        [
            Stream("A", numbers=NUMBERS),
            Stream("B", processor_id=101, numbers=NUMBERS, seconds=uneven(), events=EVENTS),
        ],
        {},
    ),
    "mixed": (
        [Stream("A", channels=["CH1", "ADC1", "CH2", "AUX1"], bits=[0.195, 1e-4, 2.3, 3e-5])],
        {},
    ),
}
MADE["measured"][0][1].seconds = 0.32 + np.arange(3000) / (30000 * (1 + 94e-6))


@pytest.mark.parametrize("name", MADE)
def test_made_recordings_convert_and_verify(name: str, tmp_path: Path) -> None:
    import pynwb

    streams, facts = MADE[name]
    write(tmp_path / "raw", *streams, **facts)
    out = tmp_path / "o.nwb"
    journey.convert(request(tmp_path / "raw", out))
    assert pynwb.validate(path=str(out)) == []
    findings = verifying.verify(str(out), against=[str(tmp_path / "raw")])
    assert findings.ok, findings


def test_a_truncated_sample_is_salvaged(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "neural_and_non_neural_data_mixed", tmp_path / "raw")
    data = next(tmp_path.rglob("continuous.dat"))
    with open(data, "r+b") as f:
        f.truncate(180005)
    with pytest.raises(NwbkitError) as error:
        journey.convert(request(tmp_path / "raw", tmp_path / "o.nwb"))
    assert "holds 180005 bytes, expected 360000" in error.value.message
    result = journey.convert(request(tmp_path / "raw", tmp_path / "o.nwb", salvage=True))
    assert result.status == 3
    with h5py.File(tmp_path / "o.nwb") as f:
        assert f["acquisition/ElectricalSeries/data"].shape == (15000, 4)
    assert verifying.verify(str(tmp_path / "o.nwb"), against=[str(tmp_path / "raw")]).ok
