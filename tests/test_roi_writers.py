"""Writers of ROIs: pixel lists and dense masks stream through holes, names, ids, properties."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from nwbkit.errors import MissingFact
from nwbkit.formats.segmentation._rois import PIXEL, VOXEL, Masks
from nwbkit.nwb.rois import FlatMasks
from nwbkit.streams import Array, Ragged
from tests.formats.segmentation_files import convert, opened, plane, rois


def _ragged(counts: list[int], **facts: Any) -> tuple[Masks, np.ndarray]:
    stops = np.cumsum(counts)
    flat = np.zeros(int(stops[-1]), PIXEL)
    flat["x"] = np.arange(len(flat))
    flat["weight"] = np.arange(len(flat)) / 7
    starts = [0, *stops.tolist()]
    masks = Masks(
        np.array(counts, np.int64),
        lambda a, b: flat[starts[a] : starts[b]],
        id="masks",
        name="masks",
        ids=tuple(str(i) for i in range(len(counts))),
        image_shape=(4, 1 << 20),
        **facts,
    )
    return masks, flat


@pytest.mark.parametrize("counts", [[5, 0, 7, 1, 0], [0, 0, 3], [1] * 50, [1000, 2]])
def test_pixels_are_cut_anywhere(counts: list[int]) -> None:
    masks, flat = _ragged(counts)
    stream = FlatMasks(masks)
    for start in range(len(flat)):
        for stop in (start, start + 1, (start + len(flat)) // 2, len(flat)):
            if start <= stop:
                assert np.array_equal(stream.read(start, stop), flat[start:stop])


def test_pixel_lists_are_read_a_few_rois_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    import nwbkit.nwb.rois as writer

    monkeypatch.setattr(writer, "_PIECE_BYTES", 100 * PIXEL.itemsize)
    asked: list[int] = []

    class Counted(Masks):
        def read(self, start: int, stop: int) -> Any:
            asked.append(stop - start)
            return super().read(start, stop)

    masks, flat = _ragged([10] * 500)
    masks.__class__ = Counted
    assert np.array_equal(FlatMasks(masks).read(0, 5000), flat)
    assert max(asked) <= 10


def _dtypes(monkeypatch: pytest.MonkeyPatch, folder: Path, stream: Ragged | Array) -> Path:
    """Convert a plane whose masks are `stream` instead."""
    from nwbkit.formats.segmentation.suite2p import reader

    def masks(self: Any, plane: Any, id: str, nwb_name: str, place: str) -> Any:
        stream.id, stream.nwb_name, stream.plane = id, nwb_name, place
        return stream

    monkeypatch.setattr(reader.Suite2pReader, "_masks", masks)
    raw = plane(folder / "p", F=None, Fneu=None, spks=None, iscell=None)
    out = folder / "o.nwb"
    convert(raw, out)
    return out


def test_a_compound_hole_of_millions_of_pixels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """hdmf would walk them one by one: a minute, and a tuple each."""
    masks, flat = _ragged([3000] * 1000)
    out = _dtypes(monkeypatch, tmp_path, masks)
    with h5py.File(out) as file:
        dataset = file["processing/ophys/ImageSegmentation/PlaneSegmentation/pixel_mask"]
        assert dataset.dtype == PIXEL and dataset.shape == (3_000_000,)
        assert dataset.chunks and dataset.chunks[0] * PIXEL.itemsize <= 4 << 20
        assert dataset.compression == "gzip"
        assert np.array_equal(dataset[...], flat)
    import pynwb

    with pynwb.NWBHDF5IO(str(out), "r") as io:
        table = io.read().processing["ophys"]["ImageSegmentation"]["PlaneSegmentation"]
        assert [tuple(v) for v in table["pixel_mask"][999][-1:]] == [tuple(flat[-1])]
    assert not pynwb.validate(path=str(out))


def test_dense_masks_stream(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """400 masks of 256 KB are never asked for together."""
    asked: list[int] = []

    class Dense(Array):
        def read(self, start: int, stop: int, out: Any = None) -> Any:
            asked.append(stop - start)
            made = np.zeros((stop - start, *self.shape[1:]), self.dtype) if out is None else out
            made[...] = np.arange(start, stop)[:, None, None]
            made[:, 3, 5] = -1
            return made

    shape = (400, 128, 512)
    stream = Dense(id="masks", name="m", role="masks", shape=shape, dtype=np.dtype("<f4"))
    out = _dtypes(monkeypatch, tmp_path, stream)
    assert max(asked) * 128 * 512 * 4 <= 16 << 20
    with h5py.File(out) as file:
        dataset = file["processing/ophys/ImageSegmentation/PlaneSegmentation/image_mask"]
        assert dataset.shape == (400, 512, 128)
        for index in (0, 7, 399):
            image = dataset[index]
            assert image[5, 3] == -1 and image[3, 5] == index


def test_voxels(tmp_path: Path) -> None:
    flat = np.zeros(6, VOXEL)
    masks = Masks(
        np.array([2, 4]),
        lambda a, b: flat[[0, 2, 6][a] : [0, 2, 6][b]],
        id="m",
        name="m",
        ids=("0", "1"),
        image_shape=(2, 3, 4),
    )
    assert masks.dtype == VOXEL and FlatMasks(masks).dtype == VOXEL


def test_two_segmentations_of_one_name_are_refused(tmp_path: Path) -> None:
    for name in ("a", "b"):
        plane(tmp_path / "raw" / name, spks=None, Fneu=None)
    from nwbkit.session import load_sources, open_session

    document = load_sources([str(tmp_path / "raw")])
    both = [s for session in document.sessions for s in session.sources]
    session = document.sessions[0].model_copy(update={"sources": both})
    document = document.model_copy(update={"sessions": [session]})
    with open_session(document) as opened_session:
        assert len(opened_session.readers) == 2
    import json

    from nwbkit.documents import envelope

    path = tmp_path / "sources.json"
    path.write_text(envelope.dumps(document, relative_to=tmp_path))
    assert json.loads(path.read_text())["sessions"][0]["sources"]
    with pytest.raises(MissingFact) as error:
        convert(path, tmp_path / "o.nwb", unaligned="keep")
    assert "would both be" in error.value.message and "--set-meta" in (error.value.hint or "")


def test_names_and_descriptions_by_metadata(tmp_path: Path) -> None:
    raw = plane(tmp_path / "p")
    meta = [
        "Streams.p/masks.name=Cells",
        "Streams.p/masks.description=hand-picked",
        "Streams.p/F.name=Brightness",
        "Streams.p/images.name=Pictures",
        "ImagingPlanes.p_p.indicator=GCaMP8m",
        "ImagingPlanes.p_p.location=VISp",
    ]
    convert(raw, tmp_path / "o.nwb", set_meta=meta)
    with h5py.File(tmp_path / "o.nwb") as file:
        ophys = file["processing/ophys"]
        table = ophys["ImageSegmentation/Cells"]
        assert table.attrs["description"] == "hand-picked"
        assert table["imaging_plane/indicator"].asstr()[()] == "GCaMP8m"
        assert "Brightness" in ophys["Fluorescence"] and "mean" in ophys["Pictures"]
        columns = table.attrs["colnames"].tolist()
        assert columns[0] == "pixel_mask" and "is_accepted" in columns
        assert table["overlap"].shape == (sum(len(r["overlap"]) for r in rois(4)),)


def test_masks_as_images(tmp_path: Path) -> None:
    raw = plane(tmp_path / "p")
    with opened(raw, "suite2p", masks="image") as reader:
        stream = reader.stream("masks")
        assert stream.kind == "array" and stream.shape == (4, 12, 20)
        images = stream.read(1, 3)
        for image, roi in zip(images, rois(4)[1:3], strict=True):
            wanted = np.zeros((12, 20), np.float32)
            wanted[roi["ypix"], roi["xpix"]] = roi["lam"]
            assert np.array_equal(image, wanted)
