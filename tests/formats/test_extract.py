"""EXTRACT: both kinds of struct, MATLAB 5 to 7.3, one cell, sparse weights, damage, the sample."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from nwbkit.errors import DamagedInput, MissingFact
from nwbkit.formats import registry
from tests.data import DATA, needs_data
from tests.expected.segmentation import EXTRACT
from tests.formats.segmentation_files import (
    FRAMES,
    assert_equal,
    assert_sound,
    convert,
    extract_output,
    mat73,
    opened,
    weights,
)

SAMPLE = DATA / "extract" / "extract_public_output" / "extract_public_output.mat"


@needs_data
def test_the_sample(tmp_path: Path) -> None:
    with opened(SAMPLE, "extract", rate=20.0) as reader:
        masks, traces = reader.stream("masks"), reader.stream("traces")
        assert masks.shape == (EXTRACT["rois"], *EXTRACT["size"]) and masks.dtype == "<f4"
        first = masks.read(0, 1)[0]
        assert first.sum() == pytest.approx(EXTRACT["sum"])
        (x, y), value = EXTRACT["pixel"]
        assert first[y, x] == pytest.approx(value) and not first[:, :x].any()
        values = traces.read(0, 2000)
        assert values.shape == (EXTRACT["frames"], EXTRACT["rois"])
        assert [values[0, 0], values[-1, -1], values[2, 1]] == pytest.approx(EXTRACT["trace"])
        assert traces.quantity == "dff" and traces.timebase.as_rate() == (0.0, 20.0)
        assert reader.stream("images").read("summary_image")[3, 7] == EXTRACT["summary_image"]
        said = masks.properties.read()
        assert said["metrics"].shape == (20, 29) and said["is_attr_bad"].shape == (20, 9)
        assert said["metrics"][0, :2] == pytest.approx(EXTRACT["metrics"])
        assert said["is_bad"].tolist() == [False] * 20
        assert masks.facts["version"] == EXTRACT["version"]


@needs_data
def test_the_sample_converted_and_read_back(tmp_path: Path) -> None:
    roiextractors = pytest.importorskip("roiextractors")
    with pytest.raises(MissingFact) as error:
        convert(SAMPLE, tmp_path / "o.nwb")
    assert "--set extract_public_output.rate=" in (error.value.hint or "")
    out = tmp_path / "o.nwb"
    convert(SAMPLE, out, sets=["extract.rate=20"])
    assert_sound(out, SAMPLE)
    found = roiextractors.NwbSegmentationExtractor(str(out))
    vendor = roiextractors.ExtractSegmentationExtractor(SAMPLE, sampling_frequency=20.0)
    assert np.array_equal(found.get_roi_image_masks(), vendor.get_roi_image_masks())
    ours, theirs = (e.get_traces_dict()["dff"][:] for e in (found, vendor))
    assert np.array_equal(np.asarray(ours), np.asarray(theirs))
    for name in ("summary_image", "max_image"):
        assert np.array_equal(found.get_images_dict()[name], vendor.get_images_dict()[name])


def _old(content: dict[str, Any]) -> dict[str, Any]:
    """As calciumImagingAnalysis saves what EXTRACT returned."""
    return {
        "filters": content["spatial_weights"],
        "traces": content["temporal_weights"].T,
        "info": content["info"],
        "config": content["config"],
        "time": {"totalTime": 123.0},
    }


def _write(path: Path, version: str, name: str, content: dict[str, Any]) -> Path:
    if version == "7.3":
        return mat73(path, {name: content, "other": 1.0})
    savemat = pytest.importorskip("scipy.io").savemat
    savemat(path, {"other": 1.0, name: content}, do_compression=version == "7")
    return path


@pytest.mark.parametrize("version", ["5", "7", "7.3"])
@pytest.mark.parametrize("kind", ["new", "renamed", "old"])
def test_every_container_gives_the_same(tmp_path: Path, version: str, kind: str) -> None:
    content = extract_output()
    name = {"new": "output", "renamed": "myCells", "old": "extractAnalysisOutput"}[kind]
    raw = _write(tmp_path / "x.mat", version, name, _old(content) if kind == "old" else content)
    wanted = np.moveaxis(weights(), -1, 0)
    out = tmp_path / "o.nwb"
    with opened(raw, "extract", rate=5.0) as reader:
        masks, traces = reader.stream("masks"), reader.stream("traces")
        assert np.array_equal(masks.read(0, 3), wanted)
        assert np.array_equal(masks.read(1, 2), wanted[1:2])
        assert np.array_equal(traces.read(4, 30), content["temporal_weights"][4:30])
        assert np.array_equal(reader.reread("masks", 1, 3), wanted[1:3])
        assert np.array_equal(reader.reread("traces", 4, 30), content["temporal_weights"][4:30])
        assert traces.timebase.rate == 5.0 and traces.quantity == "dff"
        image = reader.stream("images").read("summary_image")
        assert np.array_equal(image, content["info"]["summary_image"])
        said = masks.properties.read()
        assert said["metrics"].shape == (3, 5) and said["is_bad"].shape == (3,)
    if kind == "renamed" or (kind == "new" and version == "5"):
        return  # nothing of it is left once it is open
    convert(raw, out, sets=["extract.rate=5"])
    (assert_sound if (kind, version) == ("old", "7") else assert_equal)(out, raw)
    with h5py.File(out) as file:
        table = file["processing/ophys/ImageSegmentation/PlaneSegmentation"]
        assert np.array_equal(np.swapaxes(table["image_mask"][...], 1, 2), wanted)
        data = file["processing/ophys/DfOverF/RoiResponseSeries/data"][...]
        assert np.array_equal(data, content["temporal_weights"])


@pytest.mark.parametrize("version", ["7", "7.3"])
def test_one_cell(tmp_path: Path, version: str) -> None:
    """MATLAB drops the last axis of an array that is one deep."""
    content = extract_output(n=1)
    content["spatial_weights"] = content["spatial_weights"][..., 0]
    raw = _write(tmp_path / "x.mat", version, "output", content)
    with opened(raw, "extract") as reader:
        assert reader.stream("masks").shape == (1, 6, 9)
        assert np.array_equal(reader.stream("masks").read(0, 1)[0], weights(n=1)[..., 0])
        assert reader.stream("traces").shape == (FRAMES, 1)
    convert(raw, tmp_path / "o.nwb", sets=["extract.rate=5"])
    assert_equal(tmp_path / "o.nwb", raw)


@pytest.mark.parametrize(
    ("config", "quantity"),
    [({}, "dff"), ({"preprocess": 0.0}, "raw"), ({"skip_dff": 1.0}, "raw")],
)
def test_traces_are_dff_where_the_movie_was(
    tmp_path: Path, config: dict[str, float], quantity: str
) -> None:
    raw = mat73(tmp_path / "x.mat", {"output": extract_output(**config)})
    with opened(raw, "extract") as reader:
        assert reader.stream("traces").quantity == quantity


def test_the_run_time_is_no_duration(tmp_path: Path) -> None:
    """roiextractors divides the frames by totalTime, how long the algorithm took."""
    raw = mat73(tmp_path / "x.mat", {"extractAnalysisOutput": _old(extract_output())})
    with opened(raw, "extract") as reader:
        assert reader.stream("traces").timebase is None


def _sparse(path: Path, kind: str) -> Path:
    content = extract_output()
    flat = np.stack([c.reshape(-1, order="F") for c in np.moveaxis(weights(), -1, 0)], axis=1)
    if kind == "7":
        sparse = pytest.importorskip("scipy.sparse").csc_matrix(flat.astype(float))
        return _write(path, kind, "output", {**content, "spatial_weights": sparse})
    parts = pytest.importorskip("scipy.sparse").csc_matrix(flat.astype(float))
    mat73(path, {"output": {**content, "spatial_weights": {}}})
    with h5py.File(path, "r+") as file:
        group = file["output/spatial_weights"]
        group.attrs["MATLAB_class"] = np.bytes_("double")
        group.attrs["MATLAB_sparse"] = np.uint64(flat.shape[0])
        group["data"], group["ir"], group["jc"] = parts.data, parts.indices, parts.indptr
    return path


@pytest.mark.parametrize("version", ["7", "7.3"])
def test_a_sparse_matrix_of_weights(tmp_path: Path, version: str) -> None:
    raw = _sparse(tmp_path / "x.mat", version)
    with opened(raw, "extract") as reader:
        masks = reader.stream("masks")
        assert masks.kind == "ragged" and masks.image_shape == (6, 9)
        for index, image in enumerate(np.moveaxis(weights(), -1, 0)):
            found = np.zeros((6, 9), np.float32)
            part = masks.read(index, index + 1)
            found[part["y"], part["x"]] = part["weight"]
            assert np.array_equal(found, image)
    convert(raw, tmp_path / "o.nwb", sets=["extract.rate=5"])
    assert_equal(tmp_path / "o.nwb", raw)


def test_an_object_that_only_matlab_reads(tmp_path: Path) -> None:
    raw = mat73(tmp_path / "x.mat", {"output": extract_output()})
    with h5py.File(raw, "r+") as file:
        del file["output/spatial_weights"]
        file["output/spatial_weights"] = np.zeros((1, 6), np.uint32)
        file["output/spatial_weights"].attrs["MATLAB_class"] = np.bytes_("ndSparse")
        file["output/spatial_weights"].attrs["MATLAB_object_decode"] = np.int32(3)
    with pytest.raises(DamagedInput, match="only MATLAB can read") as error:
        opened(raw, "extract")
    assert "full(output.spatial_weights)" in (error.value.hint or "")


def test_chunks_that_span_all_cells_are_inflated_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MATLAB chunks so: 2,000 masks read four at a time would inflate the file 500 times."""
    from nwbkit.formats.segmentation.extract import reader as module

    asked: list[int] = []
    whole = module.slab

    def slab(dataset: Any, place: Any, where: str) -> Any:
        if dataset.ndim == 3:
            asked.append(place[0].stop - place[0].start)
        return whole(dataset, place, where)

    monkeypatch.setattr(module, "slab", slab)
    monkeypatch.setattr(module, "KEPT_BYTES", 20 * 6 * 9 * 4)
    content = extract_output(n=50)
    raw = mat73(tmp_path / "x.mat", {"output": content})
    with h5py.File(raw, "r+") as file:
        values = file["output/spatial_weights"][...]
        del file["output/spatial_weights"]
        file["output"].create_dataset("spatial_weights", data=values, chunks=(50, 9, 2))
    with opened(raw, "extract") as reader:
        masks = reader.stream("masks")
        for start in range(0, 50, 3):
            stop = min(start + 3, 50)
            assert np.array_equal(masks.read(start, stop), np.swapaxes(values[start:stop], 1, 2))
        assert np.array_equal(masks.read(0, 50), np.swapaxes(values, 1, 2))
        assert np.array_equal(reader.reread("masks", 7, 50), np.swapaxes(values[7:], 1, 2))
    assert len(asked) <= 6 and max(asked[:-1]) <= 22


def test_cells_that_do_not_agree(tmp_path: Path) -> None:
    content = extract_output()
    content["temporal_weights"] = content["temporal_weights"][:, :2]
    raw = mat73(tmp_path / "x.mat", {"output": content})
    with pytest.raises(DamagedInput, match="holds 2 cells"):
        opened(raw, "extract")


def test_the_variable_can_be_named(tmp_path: Path) -> None:
    other = extract_output()
    other["temporal_weights"] = other["temporal_weights"] + 1
    raw = mat73(tmp_path / "x.mat", {"output": extract_output(), "second": other})
    with opened(raw, "extract", variable="second") as reader:
        assert reader.stream("traces").read(0, 1).min() >= 1
    with pytest.raises(DamagedInput) as error:
        opened(raw, "extract", variable="third")
    assert "second" in (error.value.hint or "")


@needs_data
@pytest.mark.parametrize("size", [0, 100, 300_000])
def test_files_that_are_cut_off(tmp_path: Path, size: int) -> None:
    raw = tmp_path / "x.mat"
    shutil.copy(SAMPLE, raw)
    raw.chmod(0o644)
    os.truncate(raw, size)
    for source in registry.detect([raw]).sources():
        if source.format == "extract":
            with pytest.raises(DamagedInput):
                registry.open_source(source.source())


@needs_data
def test_other_mat_files_are_not_claimed() -> None:
    found = registry.detect([DATA])
    mine = {s.id: s for s in found.sources() if s.format in ("suite2p", "caiman", "extract")}
    assert sorted(s.format for s in mine.values()) == ["caiman", "extract", "suite2p"]
    assert not any(s.alternatives for s in mine.values())
    assert not [r for r in found.reports if r.format in ("suite2p", "caiman", "extract")]
