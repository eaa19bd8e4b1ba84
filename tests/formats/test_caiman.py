"""CaImAn: orientation, 2-D and 3-D, sparse and dense, what is None, damage, the sample."""

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
from tests.expected.segmentation import CAIMAN
from tests.formats.segmentation_files import (
    FRAMES,
    LX,
    LY,
    assert_equal,
    assert_sound,
    caiman,
    convert,
    footprints,
    opened,
)

SAMPLE = DATA / "caiman" / "caiman_analysis" / "caiman_analysis.hdf5"


def _dense(masks: Any) -> np.ndarray:
    """The images of all ROIs, put together pixel by pixel."""
    images = np.zeros((len(masks.ids), *masks.image_shape))
    for index in range(len(masks.ids)):
        for p in masks.read(index, index + 1):
            images[(index, *[int(p[axis]) for axis in ("y", "x", "z")[: images.ndim - 1]])] = p[-1]
    return images


@needs_data
def test_the_sample() -> None:
    with opened(SAMPLE, "caiman") as reader:
        masks = reader.stream("masks")
        assert len(masks.ids) == CAIMAN["rois"] and masks.image_shape == (128, 128)
        assert masks.counts()[:2].tolist() == CAIMAN["counts"]
        assert masks.counts().sum() == CAIMAN["pixels"]
        assert masks.read(0, 1)[0].tolist() == pytest.approx(CAIMAN["first"])
        assert masks.read(71, 72)[-1].tolist() == pytest.approx(CAIMAN["last"])
        said = masks.properties.read()
        assert "is_accepted" not in said  # nobody evaluated these components
        assert said["bl"][0] == CAIMAN["bl"] and said["g"][0] == pytest.approx(CAIMAN["g"])
        for name, (first, last, third) in CAIMAN["traces"].items():
            values = reader.stream(name).read(0, 1000)
            assert values.shape == (1000, 72)
            assert (values[0, 0], values[-1, -1], values[2, 1]) == (first, last, third), name
            assert reader.stream(name).timebase.as_rate() == (0.0, CAIMAN["rate"])
            assert np.array_equal(reader.reread(name, 5, 77), values[5:77])
        assert reader.stream("images").read("noise_sd")[3, 7] == CAIMAN["noise_sd"]
        assert reader.stream("background_masks").read(1, 2)[0, 3, 7] == CAIMAN["background"]


@needs_data
def test_orientation_held_against_suite2p_on_the_same_movie() -> None:
    """Both samples are of CaImAn's demo movie: the background looks like the mean image."""
    ops = DATA / "suite2p" / "two_planes_combined" / "plane0" / "ops.npy"
    mean = np.load(ops, allow_pickle=True).item()["meanImg"]
    with opened(SAMPLE, "caiman") as reader:
        images = reader.stream("background_masks").read(0, 2)
        level = reader.stream("background").read(0, 1000).mean(axis=0)
    image = np.tensordot(level, images, 1)
    assert np.corrcoef(image.ravel(), mean.ravel())[0, 1] > 0.999
    assert np.corrcoef(image.T.ravel(), mean.ravel())[0, 1] < 0.1


@needs_data
@pytest.mark.parametrize("how", ["pixel", "image"])
def test_the_sample_converted_and_read_back(tmp_path: Path, how: str) -> None:
    roiextractors = pytest.importorskip("roiextractors")
    import pynwb

    out = tmp_path / "o.nwb"
    convert(SAMPLE, out, sets=[f"caiman.masks={how}"])
    (assert_sound if how == "pixel" else assert_equal)(out, SAMPLE)
    vendor = roiextractors.CaimanSegmentationExtractor(SAMPLE)
    images = vendor.get_roi_image_masks()[..., :72]
    if how == "pixel":
        with pynwb.NWBHDF5IO(str(out), "r") as nwb:
            ophys = nwb.read().processing["ophys"]
            table = ophys["ImageSegmentation"]["PlaneSegmentation"]
            for index in (0, 17, 71):
                image = np.zeros((128, 128), np.float32)
                for x, y, weight in table["pixel_mask"][index]:
                    image[y, x] = weight
                assert np.array_equal(image, images[..., index])
            assert ophys["DfOverF"]["RoiResponseSeries"].rate == 30.0
        return
    found = roiextractors.NwbSegmentationExtractor(str(out))
    assert np.array_equal(found.get_roi_image_masks(), images)
    assert found.get_sampling_frequency() == vendor.get_sampling_frequency()
    theirs = vendor.get_traces_dict()
    for name in ("raw", "dff", "denoised", "deconvolved"):
        ours = np.asarray(found.get_traces_dict()[name][:])
        assert np.array_equal(ours, np.asarray(theirs[name][:])), name


@pytest.mark.parametrize("how", ["pixel", "image"])
@pytest.mark.parametrize("shape", [(LY, LX), (5, 7, 3)], ids=["2-D", "3-D"])
def test_pixels_are_numbered_column_by_column(
    tmp_path: Path, shape: tuple[int, ...], how: str
) -> None:
    """Images that are not square: another order of axes puts every pixel elsewhere."""
    raw = caiman(tmp_path / "r.hdf5", shape)
    wanted = footprints(shape, 4).astype(np.float32)
    with opened(raw, "caiman") as reader:
        assert np.array_equal(_dense(reader.stream("masks")), wanted)
        assert reader.stream("background_masks").shape == (2, *shape)
    out = tmp_path / "o.nwb"
    convert(raw, out, sets=[f"caiman.masks={how}"])
    (assert_sound if (len(shape), how) == (3, "pixel") else assert_equal)(out, raw)
    with h5py.File(out) as file:
        table = file["processing/ophys/ImageSegmentation/PlaneSegmentation"]
        if how == "image":
            assert np.array_equal(np.swapaxes(table["image_mask"][...], 1, 2), wanted)
        else:
            assert ("voxel_mask" in table) == (len(shape) == 3)
        assert table["is_accepted"][...].tolist() == [True, False, True, False]


def test_dense_and_sparse_give_the_same(tmp_path: Path) -> None:
    flat = np.stack([i.reshape(-1, order="F") for i in footprints((LY, LX), 4)], axis=1)
    sparse = caiman(tmp_path / "s.hdf5")
    dense = tmp_path / "d.hdf5"
    shutil.copy(sparse, dense)
    with h5py.File(dense, "r+") as file:
        del file["estimates/A"]
        file["estimates/A"] = flat
    with opened(sparse, "caiman") as one, opened(dense, "caiman") as other:
        assert np.array_equal(one.stream("masks").read(0, 4), other.stream("masks").read(0, 4))


def test_a_sparse_background(tmp_path: Path) -> None:
    sparse = pytest.importorskip("scipy.sparse")
    b = np.random.default_rng(0).random((LY * LX, 2))
    b[b < 0.5] = 0
    parts = sparse.csc_matrix(b)
    raw = caiman(tmp_path / "r.hdf5", estimates__b=None)
    with h5py.File(raw, "r+") as file:
        for name in ("data", "indices", "indptr"):
            file[f"estimates/b/{name}"] = getattr(parts, name)
        file["estimates/b/shape"] = np.array(parts.shape)
    with opened(raw, "caiman") as reader:
        images = reader.stream("background_masks").read(0, 2)
        assert np.array_equal(images, [c.reshape((LY, LX), order="F") for c in b.T])


@pytest.mark.parametrize(
    "nothing", ["NoneType", None, np.empty((0, 0))], ids=["None", "absent", "empty"]
)
def test_what_is_none_is_left_out(tmp_path: Path, nothing: Any) -> None:
    names = ("F_dff", "S", "YrA", "b", "idx_components", "SNR_comp", "Cn")
    raw = caiman(tmp_path / "r.hdf5", **{f"estimates__{n}": nothing for n in names})
    with opened(raw, "caiman") as reader:
        assert [s.id for s in reader.streams] == ["masks", "C"]
        assert not {"is_accepted", "SNR_comp"} & set(reader.stream("masks").properties.read())
    if nothing is None:
        convert(raw, tmp_path / "o.nwb")
        assert_equal(tmp_path / "o.nwb", raw)


def test_images_and_other_rate(tmp_path: Path) -> None:
    cn = np.random.default_rng(0).random((LY, LX))
    raw = caiman(tmp_path / "r.hdf5", estimates__Cn=cn, estimates__sn=cn.reshape(-1, order="F"))
    with opened(raw, "caiman", rate=7.5) as reader:
        images = reader.stream("images")
        assert images.names == ("correlation", "noise_sd")
        assert all(np.array_equal(images.read(n), cn) for n in images.names)
        assert reader.stream("C").timebase.rate == 7.5
        assert reader.metadata()["ImagingPlanes"]["r_plane"]["imaging_rate"] == 7.5


def test_files_that_were_joined_are_said(tmp_path: Path) -> None:
    raw = caiman(tmp_path / "r.hdf5", params__data__fnames=np.array([b"a.tif", b"b.tif"]))
    assert any("2 files one behind the other" in n for n in opened(raw, "caiman").notes)


def test_a_rate_that_nobody_knows_is_asked_for(tmp_path: Path) -> None:
    raw = caiman(tmp_path / "r.hdf5", params__data__fr="NoneType")
    with pytest.raises(MissingFact) as error:
        convert(raw, tmp_path / "o.nwb")
    assert "--set r.rate=" in (error.value.hint or "")


DAMAGE: list[tuple[str, dict[str, Any], str]] = [
    ("dims", {"estimates__dims": np.array([5, 5])}, "dims says 5 x 5 = 25"),
    ("no dims", dict.fromkeys(("estimates__dims", "dims", "params__data__dims")), "how large"),
    ("components", {"estimates__C": np.zeros((3, FRAMES))}, "A has 4 components"),
    ("frames", {"estimates__S": np.zeros((4, 49))}, "49, 50 frames"),
    ("accepted", {"estimates__idx_components": np.array([0, 9])}, "names component 9"),
    ("indices", {"estimates__A__indices": np.zeros(3, "i4")}, "3 indices"),
    ("A", {"estimates__A__indptr": None}, "lacks one of"),
    ("rate", {"params__data__fr": -1.0}, "no frame rate"),
]


@pytest.mark.parametrize(
    ("changes", "message"), [d[1:] for d in DAMAGE], ids=[d[0] for d in DAMAGE]
)
def test_contradictions_are_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    raw = caiman(tmp_path / "r.hdf5", **changes)
    with pytest.raises(DamagedInput) as error:
        opened(raw, "caiman")
    assert message in error.value.message


def test_a_pixel_outside_of_the_image(tmp_path: Path) -> None:
    raw = caiman(tmp_path / "r.hdf5")
    with h5py.File(raw, "r+") as file:
        file["estimates/A/indices"][3] = LY * LX
    with opened(raw, "caiman") as reader, pytest.raises(DamagedInput, match="the image has"):
        reader.stream("masks").read(0, 4)
    with pytest.raises(DamagedInput):
        convert(raw, tmp_path / "o.nwb")
    assert not (tmp_path / "o.nwb").exists()


@needs_data
def test_a_file_that_is_cut_off(tmp_path: Path) -> None:
    raw = tmp_path / "r.hdf5"
    shutil.copy(SAMPLE, raw)
    raw.chmod(0o644)
    os.truncate(raw, raw.stat().st_size - 1000)
    found = list(registry.detect([raw]).sources())
    with pytest.raises(DamagedInput):
        registry.open_source(found[0].source())


def test_links_out_of_the_file_are_not_followed(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["secret"] = np.zeros((4, FRAMES))
    raw = caiman(tmp_path / "r.hdf5", estimates__S=None)
    with h5py.File(raw, "r+") as file:
        file["estimates/S"] = h5py.ExternalLink("other.h5", "/secret")
    with pytest.raises(DamagedInput, match="not followed"):
        opened(raw, "caiman")


def test_other_hdf5_files_are_not_claimed(tmp_path: Path) -> None:
    for name in ("a.h5", "b.hdf5"):
        with h5py.File(tmp_path / name, "w") as file:
            file["estimates/x"] = 1
            file["params/y"] = 2
    assert not [s for s in registry.detect([tmp_path]).sources() if s.format == "caiman"]
    caiman(tmp_path / "c.h5")
    assert [s.id for s in registry.detect([tmp_path]).sources() if s.format == "caiman"] == ["c"]
