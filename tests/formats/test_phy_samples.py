"""The real Phy sample, from folder to proven NWB file, against values from its bytes."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from nwbkit import verify as verifying
from nwbkit.convert import Request, convert
from nwbkit.formats import registry
from tests.data import DATA, needs_data
from tests.expected.phy import CLUSTERS, SAMPLE, TIMES, with_templates, write_phy
from tests.formats.helpers import probe

pytestmark = needs_data
FOLDER = DATA / SAMPLE["folder"]
RATE = SAMPLE["rate"]
LAB = """
NWBFile:
  session_start_time: "2024-05-01T10:00:00+02:00"
Subject:
  subject_id: M1
  species: Mus musculus
  sex: F
  age: P90D
"""


def to_nwb(raw: Path, folder: Path) -> Path:
    lab = folder / "lab.yaml"
    lab.write_text(LAB)
    out = folder / "out.nwb"
    result = convert(Request([str(raw)], str(out), metadata=[str(lab)], jobs=2))
    assert result.status == 0
    assert result.document is not None
    assert result.document.losses == []
    return out


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return to_nwb(FOLDER, tmp_path_factory.mktemp("phy"))


def raw_values(name: str, dtype: str) -> np.ndarray[Any, Any]:
    """The numbers behind the header, by their place in the file."""
    data = (FOLDER / name).read_bytes()
    return np.frombuffer(data, dtype, offset=10 + int.from_bytes(data[8:10], "little"))


def test_each_spike_is_a_sample_of_the_bytes(converted: Path) -> None:
    samples = raw_values("spike_times.npy", "<u8").astype(np.int64)
    clusters = raw_values("spike_clusters.npy", "<u4")
    assert len(samples) == SAMPLE["n_spikes"]
    assert samples[:4].tolist() == SAMPLE["first"]
    assert samples[-1] == SAMPLE["last"]
    with h5py.File(converted) as f:
        units = f["units"]
        assert units["unit_name"].asstr()[...].tolist() == list(SAMPLE["units"])
        stops = units["spike_times_index"][...].astype(int)
        for (name, said), start, stop in zip(
            SAMPLE["units"].items(), [0, *stops[:-1]], stops, strict=True
        ):
            found = np.rint(units["spike_times"][start:stop] * RATE).astype(np.int64)
            assert found.tolist() == samples[clusters == int(name)].tolist()
            assert (len(found), found[0], found[-1]) == said
        labels = dict(zip(SAMPLE["units"], units["KSLabel"].asstr()[...], strict=True))
        assert [n for n, label in labels.items() if label == "good"] == SAMPLE["good"]
        amplitudes = dict(zip(SAMPLE["units"], units["Amplitude"][...].tolist(), strict=True))
        assert {n: amplitudes[n] for n in SAMPLE["amplitude"]} == SAMPLE["amplitude"]
        shape = SAMPLE["templates"]
        templates = raw_values("templates.npy", "<f4").reshape(shape, order="F")
        assert np.array_equal(units["waveform_mean"][...], templates)


def test_it_is_equal_to_its_source(converted: Path) -> None:
    document = verifying.verify(str(converted), against=[str(FOLDER)])
    assert document.ok, document.findings
    assert {c.reader for c in document.checked if c.what in ("spikes", "quality")} == {
        "independent"
    }


@pytest.fixture(scope="module")
def with_recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("phy_run")
    probe(base / "raw")
    tables = {"cluster_group.tsv": "cluster_id\tgroup\n0\tgood\n3\tmua\n"}
    write_phy(base / "raw" / "ks", arrays=with_templates(), tables=tables)
    return to_nwb(base / "raw", base)


@pytest.mark.parametrize("which", ["converted", "with_recording"])
def test_the_file_is_valid_and_without_critical_findings(
    which: str, request: pytest.FixtureRequest
) -> None:
    import pynwb
    from nwbinspector import Importance, inspect_nwbfile

    path = str(request.getfixturevalue(which))
    assert pynwb.validate(path=path) == []
    importance = Importance.BEST_PRACTICE_VIOLATION
    found = list(inspect_nwbfile(nwbfile_path=path, importance_threshold=importance))
    assert [m for m in found if m.object_type in ("Units", "VectorData")] == []
    assert [m for m in found if m.importance is Importance.CRITICAL] == []


def test_spikeinterface_reads_the_same(converted: Path) -> None:
    import spikeinterface.extractors as se

    ours = se.read_nwb_sorting(str(converted), sampling_frequency=RATE, t_start=0.0)
    theirs = se.read_phy(str(FOLDER))
    assert [str(u) for u in ours.unit_ids] == [str(u) for u in theirs.unit_ids]
    for mine, its in zip(ours.unit_ids, theirs.unit_ids, strict=True):
        assert np.array_equal(ours.get_unit_spike_train(mine), theirs.get_unit_spike_train(its))


def test_spikeinterface_finds_the_rate_in_the_recording(with_recording: Path) -> None:
    import spikeinterface.extractors as se

    sorting = se.read_nwb_sorting(
        str(with_recording), electrical_series_path="acquisition/ElectricalSeriesAP"
    )
    assert sorting.get_unit_spike_train("3").tolist() == TIMES[CLUSTERS == 3].tolist()


def test_renamed_to_x_it_is_still_the_same(converted: Path, tmp_path: Path) -> None:
    shutil.copytree(FOLDER, tmp_path / "x")
    for extra in (tmp_path / "x").glob("*.m"):
        extra.rename(extra.with_name(f"x{len(extra.name)}.m"))
    out = to_nwb(tmp_path / "x", tmp_path)
    with h5py.File(out) as a, h5py.File(converted) as b:
        for name in b["units"]:
            assert np.array_equal(a["units"][name][...], b["units"][name][...], equal_nan=False)


def test_detect_claims_phy_folders_and_nothing_else() -> None:
    sources = [s for s in registry.detect([DATA]).sources() if s.format == "phy"]
    assert [s.paths[0].parent.resolve() for s in sources] == [FOLDER.resolve()]
    assert {p.parent.resolve() for s in sources for p in s.paths} == {FOLDER.resolve()}


#: TRAPS.md: what is read without each guard.
GUARDS: list[tuple[str, str, str, Any]] = [
    ("float seconds", "spikes", "as_times", lambda v, *_: (v.astype(np.int64), "samples")),
    ("negative, unsorted", "spikes", "_checked", lambda spikes, complain: spikes),
]


@pytest.mark.parametrize(
    ("module", "name", "instead"), [pytest.param(*g[1:], id=g[0]) for g in GUARDS]
)
def test_without_a_guard_wrong_numbers_pass(
    module: str, name: str, instead: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import importlib

    guarded = importlib.import_module(f"nwbkit.formats.sorting.phy.{module}")
    wrong = TIMES / 30000.25 if name == "as_times" else TIMES.astype(np.int64) - 5
    (source,) = registry.detect([write_phy(tmp_path / "x", times=wrong)]).sources()
    right = []
    for patched in (False, True):
        if patched:
            monkeypatch.setattr(guarded, name, instead)
        try:
            (stream,) = registry.open_source(source.source()).streams
        except Exception:  # noqa: BLE001 - refusing is right too
            right.append(True)
            continue
        found = np.sort(stream.read(0, 3))  # type: ignore[attr-defined]
        right.append(bool(np.array_equal(found, wrong)) and found.min() >= 0)
    assert right == [True, False]
