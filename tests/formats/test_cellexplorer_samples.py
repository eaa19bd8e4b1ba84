"""Every real CellExplorer sample, from raw folder to proven NWB file, against values from the bytes."""

from __future__ import annotations

import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

from nwbkit import verify as verifying
from nwbkit.formats import registry
from tests.data import DATA, needs_data
from tests.expected.cellexplorer import SAMPLES, main_of, trains_of
from tests.formats.helpers import opened
from tests.formats.test_cellexplorer import to_nwb

pytestmark = needs_data
ROOT = DATA / "cellexplorer"


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    base = tmp_path_factory.mktemp("cellexplorer")
    return {n: to_nwb(ROOT / n, base, str(k)) for k, n in enumerate(SAMPLES)}


@pytest.mark.parametrize("name", SAMPLES)
def test_spikes_and_columns_are_those_of_the_bytes(name: str, converted: dict[str, Path]) -> None:
    wanted = SAMPLES[name]
    expected = trains_of(main_of(ROOT, name))
    with h5py.File(converted[name]) as f:
        table = f["units"]
        ids = table["unit_name"].asstr()[...].tolist()
        stops = table["spike_times_index"][...].astype(int)
        found = dict(zip(ids, np.split(table["spike_times"][...], stops[:-1]), strict=True))
        assert {u: len(t) for u, t in found.items()} == {
            u: n for u, (n, _, _) in wanted["units"].items()
        }
        for unit, times in found.items():
            assert times == pytest.approx(expected[unit], abs=1e-9)
            _, first, last = wanted["units"][unit]
            if first is not None:
                assert np.rint(times[[0, -1]] * wanted["rate"]).tolist() == [first, last]
        assert table["spike_times"].attrs["resolution"] == 1 / wanted["rate"]
        for column, values in wanted["columns"].items():
            held = table[column]
            got = held.asstr()[...].tolist() if held.dtype == object else held[...].tolist()
            assert got == pytest.approx(values) if held.dtype != object else got == values
        epochs = wanted["epochs"]
        assert ("intervals/epochs" in f) == (epochs is not None)
        if epochs:
            table = f["intervals/epochs"]
            assert (
                list(zip(table["start_time"][...], table["stop_time"][...], strict=True)) == epochs
            )


@pytest.mark.parametrize("name", SAMPLES)
def test_it_is_valid_and_equal_to_its_source(name: str, converted: dict[str, Path]) -> None:
    import pynwb
    from nwbinspector import Importance, inspect_nwbfile

    assert pynwb.validate(path=str(converted[name])) == []
    importance = Importance.CRITICAL
    found = list(
        inspect_nwbfile(nwbfile_path=str(converted[name]), importance_threshold=importance)
    )
    assert found == []
    document = verifying.verify(str(converted[name]), against=[str(ROOT / name)])
    assert document.ok, document.findings
    assert {c.reader for c in document.checked if c.what == "spikes"} == {"independent"}


@pytest.mark.parametrize("name", SAMPLES)
def test_metadata_of_samples(name: str) -> None:
    said = opened(ROOT / name).metadata()
    assert said.get("NWBFile", {}).get("session_start_time") == SAMPLES[name]["start"]
    assert said["Subject"] == SAMPLES[name]["subject"]


def test_spikeinterface_reads_the_samples_of_the_source(converted: dict[str, Path]) -> None:
    extractors = pytest.importorskip("spikeinterface.extractors")
    for name, wanted in SAMPLES.items():
        rate = wanted["rate"]
        ours = extractors.read_nwb_sorting(
            str(converted[name]), sampling_frequency=rate, t_start=0.0
        )
        expected = trains_of(main_of(ROOT, name))
        assert [str(u) for u in ours.unit_ids] == list(expected)
        for unit, times in zip(ours.unit_ids, expected.values(), strict=True):
            # what spikeinterface's read_cellexplorer does with the seconds
            assert ours.get_unit_spike_train(unit).tolist() == (rate * times).round().tolist()


def test_pynapple_reads_the_spikes(converted: dict[str, Path]) -> None:
    nap = pytest.importorskip("pynapple")
    name = next(iter(SAMPLES))
    data = nap.load_file(str(converted[name]))
    expected = trains_of(main_of(ROOT, name))
    for unit, train in data["units"].items():
        assert train.t == pytest.approx(expected[str(unit)], abs=1e-6)


def test_claimed_where_they_are_and_nowhere_else() -> None:
    sources = [s for s in registry.detect([DATA]).sources() if s.format == "cellexplorer"]
    assert {s.paths[0].resolve() for s in sources} == {main_of(ROOT, n).resolve() for n in SAMPLES}
    assert all(ROOT.resolve() in p.resolve().parents for s in sources for p in s.paths)
    assert not any(s.alternatives for s in sources)


def test_recognised_when_renamed(tmp_path: Path) -> None:
    for k, name in enumerate(SAMPLES):
        folder = tmp_path / f"x{k}"
        shutil.copytree(ROOT / name, folder)
        base = main_of(ROOT, name).name.partition(".")[0]
        for path in folder.iterdir():
            path.rename(path.with_name(path.name.replace(base, "x")))
    sources = [s for s in registry.detect([tmp_path]).sources() if s.format == "cellexplorer"]
    assert sorted(len(s.paths) for s in sources) == [1, 2, 3]
