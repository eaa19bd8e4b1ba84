"""Suite2p: planes, channels, the combined view, versions of its files, crops, damage, samples."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from nwbkit.formats import registry
from tests.data import DATA, needs_data
from tests.expected.segmentation import COMBINED, SUITE2P
from tests.formats.segmentation_files import (
    FRAMES,
    LX,
    LY,
    assert_equal,
    assert_sound,
    convert,
    opened,
    pixels_of,
    plane,
    rois,
    save_object,
)

SAMPLE = DATA / "suite2p" / "two_planes_combined"


def _rows(masks: Any, index: int) -> np.ndarray:
    part = masks.read(index, index + 1)
    return np.column_stack([part["x"], part["y"], part["weight"]])


@needs_data
def test_the_sample_plane_by_plane() -> None:
    with opened(SAMPLE, "suite2p") as reader:
        assert not reader.losses
        for name, want in SUITE2P.items():
            masks = reader.stream(f"{name}_masks")
            assert len(masks.ids) == want["rois"] and masks.image_shape == (128, 128)
            assert masks.counts()[:3].tolist() == want["counts"]
            assert masks.counts().sum() == want["pixels"]
            assert _rows(masks, 0)[0].tolist() == pytest.approx(want["first"], rel=1e-7)
            assert _rows(masks, want["rois"] - 1)[-1].tolist() == pytest.approx(want["last"])
            said = masks.properties.read()
            assert said["is_accepted"].sum() == want["accepted"]
            assert said["is_red"].sum() == want["red"]
            assert said["cell_probability"][0] == want["probability"]
            assert said["ROICentroids"][0].tolist() == list(want["centre"])
            for stem, (first, last, third) in want["traces"].items():
                trace = reader.stream(f"{name}_{stem}")
                assert trace.shape == (250, want["rois"]) and trace.dtype == "<f4"
                values = trace.read(0, 250)
                assert (values[0, 0], values[-1, -1], values[2, 1]) == (first, last, third)
                assert np.array_equal(trace.read(17, 40), values[17:40])
                assert np.array_equal(reader.reread(trace.id, 17, 40), values[17:40])
                assert trace.timebase.as_rate() == (0.0, 10.0)
            images = reader.stream(f"{name}_images")
            for title, value in want["images"].items():
                assert images.read(title)[3, 7] == value
        assert "combined" in reader.notes[0]


@needs_data
def test_the_combined_view_is_written_on_demand_only() -> None:
    with opened(SAMPLE, "suite2p") as reader:
        assert not any(s.id.startswith("combined") for s in reader.streams)
        assert {p.parent.name for p in reader.files()} == {"plane0", "plane1"}
    with opened(SAMPLE, "suite2p", combined=True) as reader:
        masks = reader.stream("combined_masks")
        assert (len(masks.ids), masks.counts().sum()) == (COMBINED["rois"], COMBINED["pixels"])
        assert masks.image_shape == (128, COMBINED["width"])
        assert _rows(masks, 39)[-1].tolist() == pytest.approx(COMBINED["last"])
        assert masks.properties.read()["iplane"].tolist() == [0] * 15 + [1] * 25


@needs_data
def test_the_sample_converted_and_read_back(tmp_path: Path) -> None:
    pytest.importorskip("roiextractors")
    import pynwb

    out = tmp_path / "o.nwb"
    convert(SAMPLE, out)
    assert_sound(out, SAMPLE)
    stat = np.load(SAMPLE / "plane1" / "stat.npy", allow_pickle=True)
    with pynwb.NWBHDF5IO(str(out), "r") as nwb:
        ophys = nwb.read().processing["ophys"]
        table = ophys["ImageSegmentation"]["PlaneSegmentationPlane1"]
        assert table.imaging_plane.imaging_rate == 10.0
        for index, roi in enumerate(stat):
            found = np.array([list(p) for p in table["pixel_mask"][index]])
            assert np.array_equal(found, np.column_stack([roi["xpix"], roi["ypix"], roi["lam"]]))
            assert table["overlap"][index].tolist() == roi["overlap"].tolist()
        series = ophys["Fluorescence"]["RoiResponseSeriesPlane1"]
        assert np.array_equal(series.data[...].T, np.load(SAMPLE / "plane1" / "F.npy"))
        assert series.rois.table is table and series.rois.data[...].tolist() == list(range(25))
        ops = np.load(SAMPLE / "plane1" / "ops.npy", allow_pickle=True).item()
        image = ophys["SegmentationImagesPlane1"]["mean"].data[...]
        assert np.array_equal(image.T, ops["meanImg"])


@needs_data
def test_roiextractors_reads_the_same_from_one_plane(tmp_path: Path) -> None:
    roiextractors = pytest.importorskip("roiextractors")
    out = tmp_path / "o.nwb"
    convert(SAMPLE / "plane0", out, sets=["suite2p.masks=image"])
    assert_equal(out, SAMPLE / "plane0")
    found = roiextractors.NwbSegmentationExtractor(str(out))
    vendor = roiextractors.Suite2pSegmentationExtractor(
        SAMPLE, channel_name="chan1", plane_name="plane0"
    )
    assert found.get_sampling_frequency() == vendor.get_sampling_frequency() == 10.0
    assert np.array_equal(found.get_roi_image_masks(), vendor.get_roi_image_masks())
    theirs = vendor.get_traces_dict()
    for name, traces in found.get_traces_dict().items():
        if traces is not None:
            assert np.array_equal(np.asarray(traces[:]), np.asarray(theirs[name][:])), name
    for name, image in vendor.get_images_dict().items():
        if image is not None:
            assert np.array_equal(found.get_images_dict()[name], image), name


@needs_data
def test_all_three_in_one_folder_under_other_names(tmp_path: Path) -> None:
    x = tmp_path / "x"
    shutil.copytree(SAMPLE / "plane1", x)
    shutil.copy(DATA / "caiman/caiman_analysis/caiman_analysis.hdf5", x / "x.h5")
    shutil.copy(DATA / "extract/extract_public_output/extract_public_output.mat", x / "y.mat")
    shutil.copy(DATA / "cnmfe/SYNTH_cnmfeAnalysis/2014_synth_cnmfeAnalysis.mat", x / "z.mat")
    found = {s.format: s.paths for s in registry.detect([x]).sources()}
    assert {"suite2p", "caiman", "extract"} <= set(found)
    assert found["caiman"] == (x / "x.h5",) and found["extract"] == (x / "y.mat",)
    assert len(found["suite2p"]) == 9 and not any(x / "z.mat" in p for p in found.values())


def test_detecting_loads_no_numpy(tmp_path: Path) -> None:
    plane(tmp_path / "p")
    code = (
        "import sys; from nwbkit.formats import registry\n"
        f"found = registry.detect([{str(tmp_path)!r}])\n"
        "assert [s.format for s in found.sources()] == ['suite2p']\n"
        "assert not {'numpy', 'h5py', 'scipy'} & set(sys.modules)"
    )
    root = str(Path(registry.__file__).parents[2])
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "PYTHONPATH": root})


def test_a_single_plane_in_a_folder_of_any_name(tmp_path: Path) -> None:
    folder = plane(tmp_path / "mäuse 1" / "x")
    with opened(tmp_path, "suite2p") as reader:
        assert [s.id for s in reader.streams] == ["masks", "F", "Fneu", "spks", "images"]
        assert reader.stream("masks").nwb_name == "PlaneSegmentation"
        for index, wanted in enumerate(pixels_of(rois(4))):
            assert np.array_equal(_rows(reader.stream("masks"), index), wanted)
        assert reader.stream("F").timebase.rate == 7.8125
        assert set(reader.files()) == {p for p in folder.iterdir() if p.suffix == ".npy"}


def test_fs_is_the_rate_of_each_plane(tmp_path: Path) -> None:
    for i in range(3):
        plane(tmp_path / "suite2p" / f"plane{i}", nplanes=3)
    with opened(tmp_path, "suite2p") as reader:
        assert {s.timebase.rate for s in reader.streams if s.timebase} == {7.8125}
        assert any("fs (7.8125 Hz) is taken as the rate of each plane" in n for n in reader.notes)
    with opened(tmp_path, "suite2p", rate=2.5) as reader:
        assert {s.timebase.rate for s in reader.streams if s.timebase} == {2.5}
        assert not any("taken as the rate" in n for n in reader.notes)


def test_planes_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for i in (10, 2, 0):
        plane(tmp_path / f"plane{i}", nplanes=3)
    with opened(tmp_path, "suite2p") as reader:
        names = [s.id for s in reader.streams if s.role == "masks"]
        assert names == ["plane0_masks", "plane2_masks", "plane10_masks"]


def test_two_channels(tmp_path: Path) -> None:
    f2 = np.random.default_rng(5).random((4, FRAMES)).astype("f4")
    red = np.column_stack([[0, 1, 0, 0], np.arange(4) / 4])
    more = {"F_chan2": f2, "Fneu_chan2": f2 * 2, "redcell": red}
    raw = plane(tmp_path / "p", nchannels=2, functional_chan=2, **more)
    convert(raw, tmp_path / "o.nwb")
    assert_equal(tmp_path / "o.nwb", raw)
    with h5py.File(tmp_path / "o.nwb") as file:
        traces = file["processing/ophys/Fluorescence"]
        assert np.array_equal(traces["RoiResponseSeriesChan2/data"][...], f2.T)
        assert np.array_equal(traces["NeuropilChan2/data"][...], f2.T * 2)
        table = file["processing/ophys/ImageSegmentation/PlaneSegmentation"]
        assert table["is_red"][...].tolist() == [False, True, False, False]
        (name,) = file["general/optophysiology"]
        place = file[f"general/optophysiology/{name}"]
        said = {c: place[f"{c}/description"].asstr()[()] for c in ("Channel1", "Channel2")}
        assert "looked for cells" in said["Channel2"] and said["Channel1"] == "channel 1"


def test_recordings_that_were_joined_are_said(tmp_path: Path) -> None:
    plane(tmp_path / "p", frames_per_folder=np.array([20, 30]), frames_per_file=np.array([10] * 5))
    (note,) = opened(tmp_path, "suite2p").notes
    assert "2 folders one behind the other (20, 30)" in note
    plane(tmp_path / "p", frames_per_folder=np.array([50]))
    assert not opened(tmp_path, "suite2p").notes


def test_missing_planes_are_said(tmp_path: Path) -> None:
    plane(tmp_path / "plane0", nplanes=3)
    assert any(
        "says 3 planes, 1 plane folder is here" in n for n in opened(tmp_path, "suite2p").notes
    )


def test_cropped_images_lie_where_the_crop_was(tmp_path: Path) -> None:
    """roiextractors counts yrange from the other end; suite2p's own combined view does not."""
    crop = np.arange(5 * 8, dtype=np.float32).reshape(5, 8)
    plane(tmp_path / "p", yrange=[2, 7], xrange=[3, 11], max_proj=crop, Vcorr=crop * 2)
    with opened(tmp_path, "suite2p") as reader:
        image = reader.stream("images").read("maximum_projection")
        assert image.shape == (LY, LX)
        assert np.array_equal(image[2:7, 3:11], crop)
        assert np.isnan(image).sum() == LY * LX - crop.size
        assert reader.stream("images").names == ("mean", "maximum_projection", "correlation")


def test_a_crop_that_does_not_fit_is_left_out(tmp_path: Path) -> None:
    plane(tmp_path / "p", max_proj=np.zeros((3, 3)), refImg=np.zeros((1, LY, LX), np.int16))
    assert opened(tmp_path, "suite2p").stream("images").names == ("mean", "reference")


def test_version_1_keeps_its_dictionaries_apart(tmp_path: Path) -> None:
    folder = plane(tmp_path / "p", Ly=None, Lx=None, fs=None, nframes=None, meanImg=None)
    (folder / "ops.npy").unlink()
    save_object(folder / "db.npy", np.array({"Ly": LY, "Lx": LX, "nframes": FRAMES}, dtype=object))
    settings = {"fs": 3.5, "tau": 0.7, "run": {"do_detection": True}, "torch_device": "cuda"}
    save_object(folder / "settings.npy", np.array(settings, dtype=object))
    registered = {"meanImg": np.ones((LY, LX)), "yrange": np.array([1, 9]), "xrange": [0, LX]}
    save_object(folder / "reg_outputs.npy", np.array(registered, dtype=object))
    detected = {"max_proj": np.ones((8, LX))}
    save_object(folder / "detect_outputs.npy", np.array(detected, dtype=object))
    with opened(tmp_path, "suite2p") as reader:
        assert reader.stream("F").timebase.rate == 3.5
        assert reader.stream("images").names == ("mean", "maximum_projection")
        assert reader.stream("masks").facts["tau"] == 0.7


def test_ops1_stands_in_for_lost_dictionaries(tmp_path: Path) -> None:
    entries = []
    for i in range(2):
        folder = plane(tmp_path / f"plane{i}")
        entries.append({**np.load(folder / "ops.npy", allow_pickle=True).item(), "fs": 3.0 + i})
        (folder / "ops.npy").unlink()
    save_object(tmp_path / "ops1.npy", np.array(entries, dtype=object))
    with opened(tmp_path, "suite2p") as reader:
        assert [reader.stream(f"plane{i}_F").timebase.rate for i in range(2)] == [3.0, 4.0]
        assert tmp_path / "ops1.npy" in reader.files()


@pytest.mark.parametrize("compressed", [False, True])
def test_fall_mat_on_its_own(tmp_path: Path, compressed: bool) -> None:
    savemat = pytest.importorskip("scipy.io").savemat
    stat = np.empty(4, object)
    stat[:] = rois(4)
    f = np.random.default_rng(1).random((4, FRAMES)).astype(np.float32)
    iscell = np.column_stack([[1, 0, 1, 1], np.arange(4) / 10])
    content = {
        "stat": stat,
        "ops": {"Ly": LY, "Lx": LX, "fs": 12.5, "nframes": FRAMES, "meanImg": np.ones((LY, LX))},
        "F": f,
        "iscell": iscell,
        "redcell": np.array([]),
    }
    savemat(tmp_path / "Fall.mat", content, do_compression=compressed)
    with opened(tmp_path, "suite2p") as reader:
        assert np.array_equal(reader.stream("F").read(0, FRAMES), f.T)
        assert reader.stream("F").timebase.rate == 12.5
        for index, wanted in enumerate(pixels_of(rois(4))):
            assert np.array_equal(_rows(reader.stream("masks"), index), wanted)
        said = reader.stream("masks").properties.read()
        assert said["is_accepted"].tolist() == [True, False, True, True]
        assert said["radius"].tolist() == [1.5, 2.5, 3.5, 4.5]


def test_fall_mat_beside_the_folders_is_not_read_twice(tmp_path: Path) -> None:
    pytest.importorskip("scipy.io").savemat(tmp_path / "Fall.mat", {"stat": rois(2)})
    plane(tmp_path)
    with opened(tmp_path, "suite2p") as reader:
        assert len(reader.stream("masks").ids) == 4


def test_nan_stays(tmp_path: Path) -> None:
    f = np.ones((4, FRAMES), np.float32)
    f[2, 5:8] = np.nan
    raw = plane(tmp_path / "p", F=f)
    out = tmp_path / "o.nwb"
    convert(raw, out)
    assert_equal(out, raw)
    with h5py.File(out) as file:
        found = file["processing/ophys/Fluorescence/RoiResponseSeries/data"][...]
    assert np.array_equal(found, f.T, equal_nan=True) and np.isnan(found).sum() == 3


def test_other_layouts_of_the_trace_files(tmp_path: Path) -> None:
    """Fortran order and big-endian, as numpy.save writes what it is given."""
    f = np.random.default_rng(0).random((4, FRAMES))
    plane(tmp_path / "p", F=np.asfortranarray(f), Fneu=f.astype(">f8"), spks=None)
    with opened(tmp_path, "suite2p") as reader:
        for name in ("F", "Fneu"):
            assert reader.stream(name).dtype == "<f8"
            assert np.array_equal(reader.stream(name).read(3, 30), f.T[3:30])


def test_masks_without_traces(tmp_path: Path) -> None:
    raw = plane(tmp_path / "p", F=None, Fneu=None, spks=None, iscell=None)
    out = tmp_path / "o.nwb"
    convert(raw, out)
    assert_equal(out, raw)
    with h5py.File(out) as file:
        assert list(file["processing/ophys"]) == ["ImageSegmentation", "SegmentationImages"]


def test_the_stub_cuts_traces_and_keeps_masks(tmp_path: Path) -> None:
    raw = plane(tmp_path / "p")
    convert(raw, tmp_path / "o.nwb", stub=2.0)
    with h5py.File(tmp_path / "o.nwb") as file:
        assert file["processing/ophys/Fluorescence/RoiResponseSeries/data"].shape == (16, 4)
        assert len(file["processing/ophys/ImageSegmentation/PlaneSegmentation/id"]) == 4
    assert_equal(tmp_path / "o.nwb", raw)


def test_the_registered_movie_is_named(tmp_path: Path) -> None:
    folder = plane(tmp_path / "p")
    (folder / "data.bin").write_bytes(b"\0" * 480)
    assert any("data.bin" in n for n in opened(tmp_path, "suite2p").notes)
