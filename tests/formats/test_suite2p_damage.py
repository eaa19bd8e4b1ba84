"""Suite2p: contradictions, damage, pickles that would run code, what verify finds."""

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
from tests.formats.segmentation_files import (
    FRAMES,
    assert_equal,
    convert,
    opened,
    plane,
    rois,
)

SAMPLE = DATA / "suite2p" / "two_planes_combined"


def test_keys_that_nwb_has_itself(tmp_path: Path) -> None:
    stat = [{**r, "id": 7, "name": 3.0, "a/b": 1.5, "why": "text"} for r in rois(4)]
    raw = plane(tmp_path / "p", stat=stat)
    convert(raw, tmp_path / "o.nwb")
    assert_equal(tmp_path / "o.nwb", raw)
    with h5py.File(tmp_path / "o.nwb") as file:
        table = file["processing/ophys/ImageSegmentation/PlaneSegmentation"]
        assert table["id"][...].tolist() == [0, 1, 2, 3] and table["a-b"][0] == 1.5
        assert "name" not in table and "why" not in table


def test_no_roi(tmp_path: Path) -> None:
    folder = plane(tmp_path / "p", n=2)
    np.save(folder / "stat.npy", np.empty(0, object))
    for name in ("F", "Fneu", "spks", "iscell"):
        np.save(folder / f"{name}.npy", np.empty((0, FRAMES)))
    assert not list(registry.detect([tmp_path]).sources())  # nothing says that it is Suite2p's


DAMAGE: list[tuple[str, dict[str, Any], str]] = [
    ("frames", {"nframes": 60}, "nframes 60, F.npy holds 50"),
    ("trace frames", {"spks": np.zeros((4, 49), "f4")}, "spks.npy' holds 49 frames, F.npy 50"),
    ("trace rois", {"F": np.zeros((3, FRAMES), "f4")}, "F.npy' holds 3 ROIs, stat.npy 4"),
    ("iscell", {"iscell": np.zeros((3, 2))}, "iscell.npy' has shape (3, 2)"),
    ("size", {"Lx": 10}, "of ROI 0 reaches"),
    ("zero", {"Ly": 0}, "image is 20 x 0 pixels"),
    ("no size", {"Ly": None}, "does not say how large the image is"),
    ("rate", {"fs": 0.0}, "fs in"),
    ("no lam", {"stat": [{**r, "lam": r["lam"][1:]} for r in rois(4)]}, "4 lam"),
    ("negative", {"stat": [{**r, "ypix": r["ypix"] - 100} for r in rois(4)]}, "are no pixels"),
]


@pytest.mark.parametrize(
    ("changes", "message"), [d[1:] for d in DAMAGE], ids=[d[0] for d in DAMAGE]
)
def test_contradictions_are_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    plane(tmp_path / "p", **changes)
    with pytest.raises(DamagedInput) as error:
        opened(tmp_path, "suite2p")
    assert message in error.value.message


def test_frames_that_are_there_can_be_salvaged(tmp_path: Path) -> None:
    raw = plane(tmp_path / "p", nframes=60, spks=np.zeros((4, 49), "f4"))
    with opened(raw, "suite2p", salvage=True) as reader:
        assert len(reader.losses) == 2
        assert reader.stream("F").n_samples == FRAMES
        assert not any(s.id == "spks" for s in reader.streams)
    assert convert(raw, tmp_path / "o.nwb", salvage=True).status == 3


@pytest.mark.parametrize("name", ["F.npy", "stat.npy", "ops.npy", "iscell.npy"])
def test_files_that_are_cut_off(tmp_path: Path, name: str) -> None:
    folder = plane(tmp_path / "p")
    os.truncate(folder / name, (folder / name).stat().st_size - 40)
    with pytest.raises(DamagedInput) as error:
        opened(tmp_path, "suite2p")
    assert name in error.value.message
    if name == "F.npy":
        with opened(tmp_path, "suite2p", salvage=True) as reader:
            assert [s.id for s in reader.streams] == ["masks", "Fneu", "spks", "images"]
            assert "F.npy' is cut off" in reader.losses[0]


def test_a_rate_that_nobody_knows_is_asked_for(tmp_path: Path) -> None:
    raw = plane(tmp_path / "p", fs=None)
    with pytest.raises(MissingFact) as error:
        convert(raw, tmp_path / "o.nwb")
    assert ".rate=" in (error.value.hint or "")


class _Evil:
    """Touches a file when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return os.system, (f"touch '{self.mark}'",)


def test_pickles_run_nothing(tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    folder = plane(tmp_path / "p", classifier=_Evil(mark), after=3)
    with opened(folder, "suite2p") as reader:
        assert any(f"{os.system.__module__}.system" in n for n in reader.notes)
        assert reader.stream("F").timebase.rate == 7.8125
    whole = np.empty((), object)
    whole[()] = _Evil(mark)
    np.save(folder / "ops.npy", whole)
    with pytest.raises(DamagedInput):
        opened(folder, "suite2p")
    assert not mark.exists()
    np.load(folder / "ops.npy", allow_pickle=True)  # what happens to those who do not look
    assert mark.exists()


def test_leaving_out_the_masks_needs_the_traces_left_out(tmp_path: Path) -> None:
    raw = plane(tmp_path / "p")
    with pytest.raises(MissingFact) as error:
        convert(raw, tmp_path / "o.nwb", exclude=["*/masks"])
    assert "--exclude" in (error.value.hint or "")


@needs_data
def test_change_is_found_by_verify(tmp_path: Path) -> None:
    from nwbkit import verify as verifying

    raw = tmp_path / "raw"
    shutil.copytree(SAMPLE / "plane0", raw)
    for file in raw.iterdir():
        file.chmod(0o644)
    out = tmp_path / "o.nwb"
    convert(raw, out)
    stat = np.load(raw / "stat.npy", allow_pickle=True)
    stat[3]["lam"][2] += 1
    np.save(raw / "stat.npy", stat)
    f = np.load(raw / "F.npy")
    f[2, 100] += 1
    np.save(raw / "F.npy", f)
    report = verifying.verify(str(out), against=[str(raw)])
    text = str(report.findings)
    assert not report.ok and "weight of ROI 3 differs" in text and "/F" in text
