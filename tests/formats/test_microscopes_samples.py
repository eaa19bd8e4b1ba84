"""Bruker and miniscope recordings from folder to NWB: real samples, and small odd ones."""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from nwbkit import convert as converting
from nwbkit import verify as verifying
from nwbkit.convert import Request
from nwbkit.errors import NwbkitError
from nwbkit.formats import registry
from nwbkit.formats.base import Source
from tests.data import DATA, needs_data
from tests.expected.microscopes import REFUSED, SAMPLES
from tests.formats import bruker_files, miniscope_files
from tests.formats.bruker_files import recording as voltage_element
from tests.formats.bruker_files import voltage

av = pytest.importorskip("av")
NAMES = [str(s["sample"]) for s in SAMPLES]


LAB = "Subject: {subject_id: m7, species: Mus musculus, sex: F, age: P90D}\n"


def converted(raw: Path, out: Path, status: int = 0, **more: Any) -> Path:
    lab = out.with_suffix(".yaml")
    lab.write_text(LAB)
    request = Request(
        inputs=[str(raw)],
        output=str(out),
        timezone="America/Chicago",
        jobs=2,
        metadata=[str(lab)],
        **more,
    )
    assert converting.convert(request).status == status
    return out


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    base = tmp_path_factory.mktemp("microscopes")
    return {
        name: converted(DATA / name, base / f"{number}.nwb") for number, name in enumerate(NAMES)
    }


def times_of(series: h5py.Group) -> np.ndarray:
    if "timestamps" in series:
        return np.asarray(series["timestamps"][...])
    start = series["starting_time"]
    return np.asarray(start[()] + np.arange(len(series["data"])) / start.attrs["rate"])


@needs_data
@pytest.mark.parametrize("sample", SAMPLES, ids=NAMES)
def test_samples_hold_what_their_bytes_say(sample: dict[str, Any], made: dict[str, Path]) -> None:
    (source,) = registry.detect([DATA / sample["sample"]]).sources()
    assert (source.format, len(source.paths)) == (sample["format"], sample["files"])
    with h5py.File(made[sample["sample"]]) as f:
        assert f["session_start_time"].asstr()[()].startswith(sample["start"])
        assert len(f["acquisition"]) == len(sample["streams"]) + ("video" in sample)
        for name, stream in sample["streams"].items():
            series = f["acquisition"][name]
            frames = series["data"][...].swapaxes(1, 2)
            assert frames.shape == stream["shape"] and frames.dtype.name == stream["dtype"]
            flat = frames.reshape(-1)
            assert [*flat[:3].tolist(), *flat[-3:].tolist()] == stream["ends"]
            assert int(frames.sum(dtype=np.int64)) == stream["total"]
            if "mid" in stream:
                assert frames[4, 240, 300:306].tolist() == stream["mid"]
            assert times_of(series) == pytest.approx(stream["times"], abs=1e-9)
            rate = "starting_time" in series and series["starting_time"].attrs["rate"]
            assert (rate or None) == stream["rate"]
            if sample["spacing"]:
                plane = f["general/optophysiology/ImagingPlane"]
                assert plane["grid_spacing"][...].tolist() == pytest.approx(sample["spacing"])
        if "video" in sample:
            video, said = f["acquisition"][sample["video"]["name"]], sample["video"]
            assert video["num_samples"][()] == said["n_frames"]
            assert tuple(video["dimension"][...]) == said["size"]
            assert video["timestamps"][...].tolist() == said["times"]


@needs_data
@pytest.mark.parametrize("name", NAMES)
def test_samples_are_equal_to_their_source(name: str, made: dict[str, Path]) -> None:
    result = verifying.verify(str(made[name]), against=[str(DATA / name)])
    assert result.ok, result.findings


@needs_data
@pytest.mark.parametrize("name", [NAMES[1], NAMES[2]])
def test_samples_are_valid(name: str, made: dict[str, Path]) -> None:
    check_valid(made[name])


def check_valid(path: Path) -> None:
    import pynwb
    from nwbinspector import Importance, inspect_nwbfile

    assert pynwb.validate(path=str(path)) == []
    found = [
        m
        for m in inspect_nwbfile(nwbfile_path=str(path))
        if m.importance.value >= Importance.CRITICAL.value
        # a few frames of many pixels look to it like a movie whose time is not first
        and m.check_function_name != "check_data_orientation"
    ]
    assert not found


@needs_data
@pytest.mark.parametrize("name, status, message", REFUSED)
def test_samples_that_cannot_be_converted(
    name: str, status: int, message: str, tmp_path: Path
) -> None:
    with pytest.raises(NwbkitError) as caught:
        converted(DATA / name, tmp_path / "o.nwb")
    assert (caught.value.status, caught.value.message) == (status, message)


@needs_data
def test_a_user_reads_the_samples_with_roiextractors(made: dict[str, Path]) -> None:
    pytest.importorskip("roiextractors")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from roiextractors import BrukerTiffMultiPlaneImagingExtractor
        from roiextractors.extractors.nwbextractors import NwbImagingExtractor

        folder = next((DATA / NAMES[1]).glob("*/"))
        theirs = BrukerTiffMultiPlaneImagingExtractor(folder_path=folder)
        with h5py.File(made[NAMES[1]]) as f:
            mine = f["acquisition/TwoPhotonSeriesCh2/data"][...].swapaxes(1, 2)
        assert np.array_equal(theirs.get_series(), mine)
        read = NwbImagingExtractor(str(made[NAMES[2]]), optical_series_name="OnePhotonSeries")
        # theirs of the movie wants OpenCV; FFmpeg's own gray is what that gives
        with av.open(str(DATA / NAMES[2] / "Miniscope" / "0.avi")) as file:
            frames = [f.to_ndarray()[..., 0] for f in file.decode(video=0)]
        assert np.array_equal(read.get_series(), np.stack(frames))


@needs_data
def test_nothing_foreign_is_claimed() -> None:
    for source in registry.detect([DATA]).sources():
        for path in source.paths:
            room = path.relative_to(DATA).parts[0]
            assert (source.format in ("bruker", "miniscope")) == (room in ("bruker", "miniscope"))


@needs_data
def test_samples_are_found_under_any_name_beside_others(tmp_path: Path) -> None:
    folder = tmp_path / "x"
    folder.mkdir()
    for path in next((DATA / NAMES[1]).glob("*/")).iterdir():
        name = path.name.replace("NCCR32_2022_11_03_IntoTheVoid_t_series-005", "x")
        shutil.copyfile(path, folder / name)
    for sub in (DATA / NAMES[2]).iterdir():
        if sub.is_file():
            shutil.copyfile(sub, folder / sub.name)
            continue
        (folder / sub.name[:1]).mkdir()
        for path in sub.iterdir():
            shutil.copyfile(path, folder / sub.name[:1] / path.name)
    shutil.copyfile(next((DATA / "tiff").rglob("example.tif")), folder / "other.tif")
    sources = {s.format: s for s in registry.detect([tmp_path]).sources()}
    assert set(sources) == {"bruker", "miniscope", "tiff"}
    assert (len(sources["bruker"].paths), len(sources["miniscope"].paths)) == (11, 7)
    for name in ("bruker", "miniscope"):
        s = sources[name]
        with registry.open_source(Source(s.id, s.format, s.paths)) as reader:
            assert reader.streams[-1].shape[0] == 5  # type: ignore[attr-defined]


# ------------------------------------------------------------------ small ones, to the end


def test_a_bruker_run_with_all_it_can_have(tmp_path: Path) -> None:
    values = voltage(tmp_path / "a", 5000)
    run = bruker_files.Run(tmp_path / "a", channels=("Ch1", "Ch2"), multipage=True)
    times = [0.05 * k for k in range(30)]
    run.cycle(times, extra=voltage_element())
    run.cycle([0.05 * k for k in range(20)], absolute=[10.0 + 0.05 * k for k in range(20)])
    out = converted(run.write(), tmp_path / "o.nwb")
    assert verifying.verify(str(out), against=[str(tmp_path / "a")]).ok
    check_valid(out)
    with h5py.File(out) as f:
        assert set(f["acquisition"]) == {
            "TwoPhotonSeriesCh1",
            "TwoPhotonSeriesCh2",
            "TimeSeriesVoltageRecording",
        }
        recorded = f["acquisition/TimeSeriesVoltageRecording"]
        assert np.array_equal(recorded["data"][...], values)
        assert recorded["starting_time"][()] == -0.25
        series = f["acquisition/TwoPhotonSeriesCh2"]
        assert np.array_equal(series["data"][...].swapaxes(1, 2), np.stack(run.data["Ch2"]))
        assert series["timestamps"][30] == pytest.approx(6.5)
        assert sorted(f["general/optophysiology"]) == ["ImagingPlaneCh1", "ImagingPlaneCh2"]


def test_a_miniscope_recording_with_all_it_can_have(tmp_path: Path) -> None:
    rows = [[50 * k - 20, 1, 0, 0, 0] for k in range(50)]
    root = miniscope_files.recording(tmp_path / "a", orientation=rows)
    (root / "notes.csv").write_text("1500,lever\n")
    out = converted(root, tmp_path / "o.nwb")
    result = verifying.verify(str(out), against=[str(root)])
    assert result.ok, result.findings
    check_valid(out)
    with h5py.File(out) as f:
        assert set(f["acquisition"]) == {"OnePhotonSeries", "VideoMyWebCam"}
        turned = f["processing/behavior/HeadOrientation"]
        assert turned["data"].shape == (50, 4) and turned["timestamps"][1] == 0.03
        assert f["general/subject/subject_id"].asstr()[()] == "m7"
        assert f["events/RecordingNotes/timestamp"][...].tolist() == [1.5]


def test_an_older_miniscope_recording(tmp_path: Path) -> None:
    root = miniscope_files.older(tmp_path / "6_22_2017" / "H10_M19_S59")
    out = converted(root, tmp_path / "o.nwb")
    result = verifying.verify(str(out), against=[str(root)])
    assert result.ok, result.findings
    with h5py.File(out) as f:
        assert f["session_start_time"].asstr()[()].startswith("2017-06-22T10:19:59")
        assert np.array_equal(
            f["acquisition/OnePhotonSeries/data"][...].swapaxes(1, 2), miniscope_files.frames(25)
        )


@pytest.mark.parametrize("kind", ["bruker", "miniscope"])
def test_salvage_is_recorded(tmp_path: Path, kind: str) -> None:
    root = tmp_path / "a"
    if kind == "bruker":
        bruker_files.Run(root).cycle([0.05 * k for k in range(5)]).write()
        sorted(root.glob("*.tif"))[2].unlink()
    else:
        miniscope_files.recording(root, times=[50 * k for k in range(45)])
    with pytest.raises(NwbkitError) as caught:
        converted(root, tmp_path / "o.nwb")
    assert caught.value.status == 65 and "--salvage" in (caught.value.hint or "")
    out = converted(root, tmp_path / "o.nwb", 3, salvage=True)
    result = verifying.verify(str(out), against=[str(root)])
    assert result.ok, result.findings
