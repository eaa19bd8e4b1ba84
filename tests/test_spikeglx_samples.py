"""Every real SpikeGLX sample, from raw folder to proven NWB file, against values from the bytes."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
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
from tests.expected.spikeglx import SAMPLES

pytestmark = needs_data
ROOT = DATA / "spikeglx"
#: What a lab adds: no header says whose brain it was.
LAB = """
Subject:
  subject_id: M1
  species: Mus musculus
  sex: F
  age: P90D
"""

BINS = [s for s in SAMPLES if s["has_bin"]]
HEADERS = [s for s in SAMPLES if not s["has_bin"]]


def folder_of(sample: dict[str, Any]) -> str:
    return str(sample["meta"]).split("/")[0]


FOLDERS = sorted({folder_of(s) for s in BINS})


def inside(folder: str) -> list[dict[str, Any]]:
    return [s for s in BINS if folder_of(s) == folder]


def request(raw: Path, out: Path, **options: Any) -> Request:
    settings: dict[str, Any] = {"timezone": "Europe/Berlin", "unaligned": "keep", "jobs": 2}
    return Request(inputs=[str(raw)], output=str(out), **{**settings, **options})


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Every sample folder converted once; damaged ones with --salvage."""
    base = tmp_path_factory.mktemp("spikeglx")
    lab = base / "lab.yaml"
    lab.write_text(LAB)
    made = {}
    for folder in FOLDERS:
        truncated = any("truncated" in s for s in inside(folder))
        out = base / f"{folder}.nwb"
        result = journey.convert(
            request(ROOT / folder, out, salvage=truncated, metadata=[str(lab)])
        )
        assert result.status == (3 if truncated else 0)
        assert result.document is not None
        assert bool(result.document.losses) is truncated
        made[folder] = out
    return made


@pytest.mark.parametrize("folder", [f for f in FOLDERS if any("truncated" in s for s in inside(f))])
def test_a_bin_shorter_than_its_header_is_refused_by_name(folder: str, tmp_path: Path) -> None:
    with pytest.raises(NwbkitError) as error:
        journey.convert(request(ROOT / folder, tmp_path / "out.nwb"))
    assert error.value.status == 65
    sizes = [s["truncated"] for s in inside(folder) if "truncated" in s]
    assert any(str(found) in error.value.message for found, _ in sizes)
    assert any(str(expected) in error.value.message for _, expected in sizes)
    assert "--salvage" in (error.value.hint or "")
    assert not list(tmp_path.iterdir())


def series_of(f: h5py.File, sample: dict[str, Any]) -> list[h5py.Group]:
    """The series that hold a sample file's analog channels, found by rows and rate."""
    found = []
    for series in f["acquisition"].values():
        start = series["starting_time"]
        same = start.attrs["rate"] == sample["rate"] and len(series["data"]) == sample["n_samples"]
        if same:
            found.append(series)
    return found


def columns(f: h5py.File, sample: dict[str, Any]) -> Iterator[np.ndarray[Any, Any]]:
    for series in series_of(f, sample):
        data = series["data"][...]
        yield from data.reshape(len(data), -1).T


@pytest.mark.parametrize("sample", BINS, ids=lambda s: Path(s["meta"]).name + "-" + folder_of(s))
def test_samples_and_gains_are_those_of_the_bytes(
    sample: dict[str, Any], converted: dict[str, Path]
) -> None:
    binary = (ROOT / sample["meta"]).with_suffix(".bin")
    raw = np.fromfile(binary, "<i2").reshape(-1, sample["n_channels"])
    with h5py.File(converted[folder_of(sample)]) as f:
        written = {bytes(column) for column in columns(f, sample)}
        for index in range(raw.shape[1]):
            column = np.ascontiguousarray(raw[:, index])
            assert bytes(column) in written, f"column {index} of {binary.name}"
        ends = sample["ends"]
        for index, values in ends.items():
            assert [*raw[:3, index].tolist(), *raw[-3:, index].tolist()] == values
        if sample["band"] in ("ap", "lf"):
            assert_scale(f, sample, raw)
    assert verifying.verify(str(converted[folder_of(sample)])).ok


def assert_scale(f: h5py.File, sample: dict[str, Any], raw: np.ndarray[Any, Any]) -> None:
    n = sample["n_saved"][0] + sample["n_saved"][1]
    for series in series_of(f, sample):
        if series["data"].ndim < 2 or series["data"].shape[1] != n:
            continue
        if not np.array_equal(series["data"][...], raw[:, :n]):
            continue  # another probe of the same run
        gain = np.full(n, series["data"].attrs["conversion"])
        if "channel_conversion" in series:
            gain = gain * series["channel_conversion"][...]
        first, last, distinct = sample["gain_uV"]
        np.testing.assert_allclose(gain[[0, -1]] * 1e6, [first, last], rtol=1e-12)
        np.testing.assert_allclose(sorted(set(gain * 1e6)), sorted(distinct), rtol=1e-12)
        table = f["general/extracellular_ephys/electrodes"]
        rows = series["electrodes"][...]
        x, y = table["rel_x"][...][rows], table["rel_y"][...][rows]
        assert_positions(sample, x, y)
        return
    raise AssertionError(f"no series holds {sample['meta']}")


def assert_positions(sample: dict[str, Any], x: Any, y: Any) -> None:
    """Positions agree with the vendor's table up to one common origin."""
    pitch = sample["shank_pitch"]
    wanted = {i: (s * pitch + px, py) for i, (s, px, py) in sample["electrodes"].items()}
    origin = min(wanted)
    for i, (wx, wy) in wanted.items():
        assert x[i] - x[origin] == pytest.approx(wx - wanted[origin][0])
        assert y[i] - y[origin] == pytest.approx(wy - wanted[origin][1])


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_file_is_valid_and_without_critical_findings(
    folder: str, converted: dict[str, Path]
) -> None:
    import pynwb
    from nwbinspector import Importance, inspect_nwbfile

    path = converted[folder]
    assert pynwb.validate(path=str(path)) == []
    messages = [
        m
        for m in inspect_nwbfile(nwbfile_path=str(path), importance_threshold=Importance.CRITICAL)
        # a stub of 100 samples of 384 channels is wider than long, and is meant to be
        if not (m.check_function_name == "check_data_orientation" and "(100, 384)" in m.message)
    ]
    assert messages == []


@pytest.mark.parametrize("folder", FOLDERS)
def test_it_is_equal_to_its_source(folder: str, converted: dict[str, Path]) -> None:
    document = verifying.verify(str(converted[folder]), against=[str(ROOT / folder)], jobs=2)
    assert document.ok, document.findings
    samples = [c for c in document.checked if c.what == "samples"]
    assert samples
    assert {c.reader for c in samples} == {"independent"}


@pytest.mark.parametrize("folder", [f for f in FOLDERS if inside(f)[0]["kind"] == "imec"])
def test_spikeinterface_reads_the_same(folder: str, converted: dict[str, Path]) -> None:
    import spikeinterface.extractors as se

    path = str(converted[folder])
    with h5py.File(path) as f:
        names = [n for n in f["acquisition"] if n.startswith("ElectricalSeries")]
    assert names
    for name in names:
        recording = se.read_nwb_recording(path, electrical_series_path=f"acquisition/{name}")
        sample, raw = next((s, r) for s in inside(folder) for r in [_raw(s)] if _same(recording, r))
        n = recording.get_num_channels()
        assert np.array_equal(recording.get_traces(), raw[:, :n])
        first, last, _ = sample["gain_uV"]
        gains = recording.get_channel_gains()
        np.testing.assert_allclose(gains[[0, -1]], [first, last], rtol=1e-6)
        assert recording.get_sampling_frequency() == sample["rate"]


def _raw(sample: dict[str, Any]) -> np.ndarray[Any, Any]:
    binary = (ROOT / sample["meta"]).with_suffix(".bin")
    return np.fromfile(binary, "<i2").reshape(-1, sample["n_channels"])


def _same(recording: Any, raw: np.ndarray[Any, Any]) -> bool:
    n = recording.get_num_channels()
    return recording.get_num_samples() == len(raw) and np.array_equal(
        recording.get_traces(), raw[:, :n]
    )


@pytest.mark.parametrize("folder", FOLDERS)
def test_renamed_to_x_it_is_still_the_same(
    folder: str, converted: dict[str, Path], tmp_path: Path
) -> None:
    raw = tmp_path / "x"
    shutil.copytree(ROOT / folder, raw)
    _rename_free_parts(raw)
    salvage = any("truncated" in s for s in inside(folder))
    result = journey.convert(request(raw, tmp_path / "out.nwb", salvage=salvage))
    assert result.document is not None
    with h5py.File(converted[folder]) as a, h5py.File(tmp_path / "out.nwb") as b:
        assert sorted(a["acquisition"]) == sorted(b["acquisition"])
        for name in a["acquisition"]:
            assert np.array_equal(a[f"acquisition/{name}/data"], b[f"acquisition/{name}/data"])


def _rename_free_parts(raw: Path) -> None:
    """The run's name, in files and folders, becomes x; what the vendor adds stays."""
    for path in sorted(raw.rglob("*"), key=lambda p: -len(p.parts)):
        _, mark, rest = path.name.partition("_g0")
        if mark:
            path.rename(path.with_name("x" + mark + rest))


@pytest.mark.parametrize("sample", HEADERS, ids=lambda s: s["meta"])
def test_a_header_alone_is_refused_in_one_line(sample: dict[str, Any], tmp_path: Path) -> None:
    meta = shutil.copy(ROOT / sample["meta"], tmp_path)
    with pytest.raises(NwbkitError) as error:
        journey.convert(request(Path(meta), tmp_path / "out.nwb"))
    assert error.value.status in (65, 66)
    assert "\n" not in error.value.message
    assert Path(sample["meta"]).stem in error.value.message
    assert not (tmp_path / "out.nwb").exists()


def test_detect_claims_spikeglx_files_and_nothing_else() -> None:
    detection = registry.detect([DATA])
    sources = [source for s in detection.sessions for source in s.sources]
    claimed = [p for source in sources if source.format == "spikeglx" for p in source.paths]
    assert claimed
    assert [p for p in claimed if ROOT.resolve() not in p.resolve().parents] == []
    metas = set(ROOT.rglob("*.meta"))
    assert {p.resolve() for p in claimed if p.suffix == ".meta"} == {p.resolve() for p in metas}
