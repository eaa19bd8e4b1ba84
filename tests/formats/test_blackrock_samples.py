"""Every real Blackrock sample, from file to proven NWB file, against values from the bytes."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from nwbkit import convert as journey
from nwbkit import verify as verifying
from nwbkit.convert import Request
from nwbkit.formats import registry
from tests.data import DATA, needs_data
from tests.expected.blackrock import SAMPLES

pytestmark = needs_data
ROOT = DATA / "blackrock"
LAB = "Subject: {subject_id: M1, species: Mus musculus, sex: F, age: P90D}\n"
NAMES = list(SAMPLES)


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Every sample converted once; no time zone is given, since the files say UTC."""
    base = tmp_path_factory.mktemp("blackrock")
    lab = base / "lab.yaml"
    lab.write_text(LAB)
    made = {}
    for k, name in enumerate(NAMES):
        out = base / f"{k}.nwb"
        result = journey.convert(
            Request(inputs=[str(ROOT / name)], output=str(out), metadata=[str(lab)], jobs=2)
        )
        assert result.status == 0
        made[name] = out
    return made


@pytest.mark.parametrize("name", NAMES)
def test_units_and_events_are_those_of_the_packets(name: str, converted: dict[str, Path]) -> None:
    sample = SAMPLES[name]
    with h5py.File(converted[name]) as f:
        assert datetime.fromisoformat(
            f["session_start_time"].asstr()[()]
        ) == datetime.fromisoformat(sample["start"])
        units = f["units"]
        ids = units["unit_name"].asstr()[...].tolist()
        stops = units["spike_times_index"][...].astype(int)
        assert (len(ids), int(stops[-1])) == (sample["units"], sample["spikes"])
        assert set(units["unit_class"][...].tolist()) == sample["classes"]
        times = dict(zip(ids, np.split(units["spike_times"][...], stops[:-1]), strict=True))
        for unit, (n, first, last) in sample["some"].items():
            mine = np.rint(times[unit] * sample["clock"]).astype(int)
            assert (len(mine), mine[0], mine[-1]) == (n, first, last)
            assert np.abs(mine / sample["clock"] - times[unit]).max() < 1e-9
        first_unit = units["waveform_mean"][ids.index("ch1#0" if "ch1#0" in ids else "ch1#1")]
        begin, middle = sample["waveform"]
        assert first_unit[:3, 0] == pytest.approx(begin, rel=1e-6)
        assert first_unit[9:12, 0] == pytest.approx(middle, rel=1e-6)
        events = f.get("events", {})
        assert set(events) == set(sample["tables"])
        for table, (n, first, last) in sample["tables"].items():
            ticks = np.rint(events[table]["timestamp"][...] * sample["clock"]).astype(int)
            assert (len(ticks), ticks[0], ticks[-1]) == (n, first, last)
        if "digital" in sample:
            values = events["EventsDigitalInput"]["value"][...].tolist()
            assert [*values[:2], values[-1]] == sample["digital"]
        if "comments" in sample:
            assert events["EventsComments"]["comment"].asstr()[...].tolist() == sample["comments"]


@pytest.mark.parametrize("name", [n for n in NAMES if "array" in SAMPLES[n]])
def test_samples_gains_and_times_are_those_of_the_bytes(
    name: str, converted: dict[str, Path]
) -> None:
    said = SAMPLES[name]["array"]
    raw = (ROOT / name / said["file"]).read_bytes()
    with h5py.File(converted[name]) as f:
        assert list(f["acquisition"]) == [said["name"]]
        series = f["acquisition"][said["name"]]
        data = series["data"][...]
        assert data.shape == (sum(n for _, n in said["blocks"]), said["width"])
        assert int(data.astype(np.int64).sum()) == said["sum"]
        assert series["data"].attrs["conversion"] == pytest.approx(said["gain"], rel=1e-12)
        assert series["data"].attrs["unit"] == said["unit"]
        at = 0
        for k, (tick, n) in enumerate(said["blocks"]):
            block = np.frombuffer(raw, "<i2", n * said["width"], said["offsets"][k])
            assert np.array_equal(data[at : at + n], block.reshape(n, -1))
            assert data[[at, at + n - 1]][:, [0, -1]].tolist() == said["ends"][k]
            start = tick / 30000
            if "timestamps" in series:
                found = series["timestamps"][at : at + n]
                assert np.abs(found - (start + np.arange(n) / said["rate"])).max() < 1e-9
            else:
                assert float(series["starting_time"][()]) == start
                assert series["starting_time"].attrs["rate"] == said["rate"]
            at += n


@pytest.mark.parametrize("name", NAMES)
def test_it_is_equal_to_its_source(name: str, converted: dict[str, Path]) -> None:
    document = verifying.verify(str(converted[name]), against=[str(ROOT / name)])
    assert document.ok, document.findings
    checked = [c for c in document.checked if c.what in ("samples", "spikes", "scale")]
    assert any(c.reader == "independent" for c in checked)


@pytest.mark.parametrize("name", NAMES)
def test_the_file_is_valid_and_without_critical_findings(
    name: str, converted: dict[str, Path]
) -> None:
    import pynwb
    from nwbinspector import Importance, inspect_nwbfile

    path = str(converted[name])
    assert pynwb.validate(path=path) == []
    found = list(inspect_nwbfile(nwbfile_path=path))
    assert [m for m in found if m.importance is Importance.CRITICAL] == []


@pytest.mark.parametrize("name", [n for n in NAMES if n.endswith(".nev")])
def test_spikeinterface_reads_what_neo_reads(name: str, converted: dict[str, Path]) -> None:
    import spikeinterface.extractors as se
    from neo.rawio import BlackrockRawIO

    ours = se.read_nwb_sorting(str(converted[name]), sampling_frequency=30000.0, t_start=0.0)
    neo = BlackrockRawIO(str(ROOT / name).removesuffix(".nev"))
    neo.parse_header()
    theirs: dict[str, Any] = {}
    for k, unit in enumerate(neo.header["spike_channels"]["name"]):
        segments = range(neo.segment_count(0))
        parts = [neo.get_spike_timestamps(0, s, k, None, None) for s in segments]
        theirs[str(unit)] = np.sort(np.concatenate(parts).astype(np.int64))
    assert set(theirs) == {str(u) for u in ours.unit_ids}
    for unit in ours.unit_ids:
        assert np.array_equal(ours.get_unit_spike_train(unit), theirs[str(unit)])


def test_the_online_sorting_can_be_taken_instead(tmp_path: Path) -> None:
    (source,) = registry.detect([ROOT / "blackrock_2_1"]).sources()
    from nwbkit.formats.base import Source

    options = {"nev": "l101210-001.nev"}
    with registry.open_source(Source(source.id, source.format, source.paths, options)) as reader:
        assert len(reader.stream("units").ids) == 218  # type: ignore[attr-defined]


def test_nothing_foreign_is_claimed() -> None:
    found = [s for s in registry.detect([DATA]).sources() if s.format == "blackrock"]
    claimed = {p.relative_to(ROOT).parts[0] for s in found for p in s.paths}
    assert claimed == {"PauseCorrect", "blackrock_2_1", "nev_only"}
    assert len(found) == 5
