"""DeepLabCut: csv and h5, animals, skeletons, times from rate, notes or video; the samples."""

from __future__ import annotations

import csv
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from nwbkit import verify as verifying
from nwbkit.errors import DamagedInput, MissingExtra, MissingFact, NwbkitError
from nwbkit.formats import registry
from tests.data import DATA, needs_data
from tests.expected.behavior import FIRST, LABELS, TRACKS
from tests.formats.behavior_files import (
    NET,
    PARTS,
    assert_sound,
    convert,
    encode,
    numbers,
    opened,
    table_of,
    write_csv,
    write_fixed,
    write_table,
)

pytest.importorskip("ndx_pose")
pytest.importorskip("av")


@pytest.mark.parametrize("kind", ["csv", "table", "fixed"])
def test_the_same_values_from_every_layout(tmp_path: Path, kind: str) -> None:
    values = numbers(40, 6)
    path = tmp_path / ("a.csv" if kind == "csv" else "a.h5")
    if kind == "csv":
        assert np.array_equal(write_csv(path), values, equal_nan=True)
    else:
        (write_table if kind == "table" else write_fixed)(path, values)
    with opened(path, rate=30.0) as reader:
        (pose,) = reader.streams
        assert (pose.id, pose.role, pose.keypoints, pose.n_frames) == (
            "pose",
            "pose",
            tuple(PARTS),
            40,
        )
        assert pose.facts["scorer"] == NET
        assert np.array_equal(table_of(pose), values, equal_nan=True)
        assert pose.timebase.as_rate() == (0.0, 30.0)
        again = reader.reread("pose", 5, 20)
        if again is not None:
            assert np.array_equal(again.reshape(15, 6), values[5:20], equal_nan=True)
        assert (again is None) is (kind == "fixed")


def test_several_animals_and_a_shared_skeleton(tmp_path: Path) -> None:
    values = write_csv(tmp_path / "a.csv", animals=["black mouse", "white"])
    (tmp_path / "config.yaml").write_text(
        "Task: t\nscorer: S\nmultianimalproject: true\nbodyparts: MULTI!\n"
        "multianimalbodyparts:\n- nose\n- tail\nuniquebodyparts: []\n"
        "skeleton:\n- - nose\n  - tail\n"
    )
    out = tmp_path / "o.nwb"
    convert(tmp_path / "a.csv", out, sets=["dlc.rate=25"])
    with h5py.File(out) as f:
        place = f["processing/behavior"]
        assert sorted(place) == ["PoseEstimationABlackMouse", "PoseEstimationAWhite", "Skeletons"]
        assert list(place["Skeletons"]) == ["SkeletonA"]
        assert place["Skeletons/SkeletonA/edges"][...].tolist() == [[0, 1]]
        white = place["PoseEstimationAWhite/tail"]
        assert np.array_equal(white["data"][...], values[:, 9:11])
        assert np.array_equal(white["confidence"][...], values[:, 11])
        assert white["reference_frame"].asstr()[()] == "unknown"
    assert_sound(out, tmp_path / "a.csv")


def test_numbered_scorers_are_one(tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv", scorers=[NET, *(f"{NET}.{i}" for i in range(1, 6))])
    assert opened(tmp_path / "a.csv").streams[0].facts["scorer"] == NET
    write_csv(tmp_path / "b.csv", scorers=[NET] * 3 + ["other"] * 3)
    with pytest.raises(DamagedInput, match="2 scorers"):
        opened(tmp_path / "b.csv")


def test_frame_numbers_that_skip_leave_a_gap(tmp_path: Path) -> None:
    numbers_ = [str(i if i < 10 else i + 5) for i in range(40)]
    write_csv(tmp_path / "a.csv", index=numbers_)
    with opened(tmp_path / "a.csv", rate=10.0) as reader:
        base = reader.streams[0].timebase
        assert np.allclose(base.times(0, 40), np.array(numbers_, float) / 10)
        assert [round(s, 6) for _, s in base.gaps()] == [0.5]


def test_without_a_rate_one_is_asked_for(tmp_path: Path) -> None:
    write_csv(tmp_path / "mouse.csv")
    with pytest.raises(MissingFact) as error:
        convert(tmp_path / "mouse.csv", tmp_path / "o.nwb")
    assert "--set mouse.rate=" in (error.value.hint or "")
    assert not (tmp_path / "o.nwb").exists()


def session(folder: Path, *, rows: int = 40, n: int = 40, **how: Any) -> Path:
    """A video and its table."""
    folder.mkdir()
    encode(folder / "cam.mkv", n=n, **how)
    write_csv(folder / f"cam{NET}.csv", rows)
    return folder


def test_the_video_gives_clock_and_times(tmp_path: Path) -> None:
    pts = [i * 40 + (i % 3) * 7 for i in range(40)]
    raw = session(tmp_path / "raw", pts=pts)
    out = tmp_path / "o.nwb"
    document = convert(raw, out).document
    (relation,) = [r for s in document.session.sources for r in s.relations]
    assert (relation.kind, relation.source, relation.stream) == ("derived_from", "cam", "frames")
    assert list(document.alignment) == ["cam/frames"]
    with h5py.File(out) as f:
        pose = f["processing/behavior/PoseEstimationCamDLC"]
        assert np.allclose(pose["nose/timestamps"][...], np.array(pts) / 1000, atol=1e-9)
        link = pose["tail"].get("timestamps", getlink=True)
        assert isinstance(link, h5py.SoftLink)
        assert link.path.endswith("/nose/timestamps")
        assert any(
            "VideoCam" in str(pose.get(n, getlink=True).path)
            for n in pose
            if isinstance(pose.get(n, getlink=True), h5py.SoftLink)
        )
    assert_sound(out, raw)


def test_a_video_of_another_length_is_refused(tmp_path: Path) -> None:
    raw = session(tmp_path / "raw", rows=38)
    with pytest.raises(
        DamagedInput, match=r"frame 37, the video 'cam\.mkv' has 40 frames"
    ) as error:
        convert(raw, tmp_path / "o.nwb")
    assert "--salvage" in (error.value.hint or "")
    assert convert(raw, tmp_path / "p.nwb", salvage=True).status == 3


def test_without_its_video_a_table_needs_a_rate(tmp_path: Path) -> None:
    raw = session(tmp_path / "raw", rows=38)
    assert convert(raw, tmp_path / "q.nwb", exclude=["cam"], sets=["dlc.rate=25"]).status == 0


def test_without_ndx_pose_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_csv(tmp_path / "a.csv")
    monkeypatch.setitem(sys.modules, "ndx_pose", None)
    with pytest.raises(MissingExtra) as error:
        convert(tmp_path / "a.csv", tmp_path / "o.nwb", sets=["dlc.rate=25"])
    assert error.value.status == 69
    assert "nwbkit[pose]" in (error.value.hint or "")


def test_a_table_longer_than_its_video_keeps_what_both_have(tmp_path: Path) -> None:
    raw = session(tmp_path / "raw", rows=45)
    out = tmp_path / "o.nwb"
    assert convert(raw, out, salvage=True).status == 3
    with h5py.File(out) as f:
        assert len(f["processing/behavior/PoseEstimationCamDLC/nose/data"]) == 40
    assert verifying.verify(str(out), against=[str(raw)]).ok


def test_a_rate_by_hand_stands_above_the_video_and_is_noted(tmp_path: Path) -> None:
    raw = session(tmp_path / "raw")
    result = convert(raw, tmp_path / "o.nwb", sets=["dlc.rate=100"])
    assert any("25 Hz" in n for n in result.document.notes)
    with h5py.File(tmp_path / "o.nwb") as f:
        start = f["processing/behavior/PoseEstimationCamDLC/nose/starting_time"]
        assert start.attrs["rate"] == 100.0


def test_the_same_name_in_folders_side_by_side(tmp_path: Path) -> None:
    session(tmp_path / "a")
    session(tmp_path / "b")
    found = {s.id: s for s in registry.detect([tmp_path]).sources()}
    for letter in "ab":
        (relation,) = found[f"{letter}-camDLC"].relations
        assert relation.source == f"{letter}-cam"
    os.unlink(tmp_path / "b" / "cam.mkv")
    assert not {s.id: s for s in registry.detect([tmp_path]).sources()}["b-camDLC"].relations


def test_the_only_video_of_the_project(tmp_path: Path) -> None:
    encode(tmp_path / "x.mp4")
    write_csv(tmp_path / "y.csv")
    (tmp_path / "config.yaml").write_text(
        "Task: t\nscorer: S\nvideo_sets:\n  C:\\lab\\x.mp4:\n    crop: 0, 64, 0, 48\n"
        "bodyparts:\n- nose\n- tail\n"
    )
    (source,) = [s for s in registry.detect([tmp_path]).sources() if s.format == "dlc"]
    assert [(r.source, "video_sets" in r.evidence) for r in source.relations] == [("x", True)]


FOREIGN = [
    ("lightning", "scorer,heatmap_tracker,heatmap_tracker\nbodyparts,a,a\ncoords,x,y\n0,1,2\n"),
    ("plain", "a,b,c\n1,2,3\n"),
    ("empty", ""),
    ("half a header", "scorer,net\n"),
]


@pytest.mark.parametrize("text", [f[1] for f in FOREIGN], ids=[f[0] for f in FOREIGN])
def test_other_tables_are_left_alone(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.csv").write_text(text)
    (tmp_path / "b.h5").write_text(text)
    assert not [s for s in registry.detect([tmp_path]).sources() if s.format == "dlc"]


@needs_data
def test_claims_in_all_samples() -> None:
    found = {p for s in registry.detect([DATA]).sources() if s.format == "dlc" for p in s.paths}
    assert {p.relative_to(DATA).parts[0] for p in found} == {"dlc"}
    tables = {p for p in (DATA / "dlc").rglob("*") if p.suffix in (".csv", ".h5")}
    assert tables <= found


@needs_data
@pytest.mark.parametrize("sample", TRACKS, ids=lambda s: s["folder"])
def test_a_folder_renamed_is_still_recognised(sample: dict[str, Any], tmp_path: Path) -> None:
    path = DATA / "dlc" / sample["folder"] / sample["table"]
    (tmp_path / "x").mkdir()
    shutil.copy(path, tmp_path / "x" / f"x{path.suffix}")
    (source,) = registry.detect([tmp_path]).sources()
    assert (source.format, source.strength.label) == ("dlc", "magic")


def independent(path: Path) -> Any:
    """The table by the csv module, or from the rows of the compound by numpy."""
    if path.suffix == ".csv":
        with open(path, newline="") as f:
            rows = list(csv.reader(f))[3:]
        return np.array([[float(c) for c in r[1:]] for r in rows])
    with h5py.File(path) as f:
        return f["df_with_missing/table"][...]["values_block_0"]


@needs_data
@pytest.mark.parametrize("sample", TRACKS, ids=lambda s: s["folder"])
def test_tracks(sample: dict[str, Any], tmp_path: Path) -> None:
    folder = DATA / "dlc" / sample["folder"]
    out = tmp_path / "out.nwb"
    if sample["sets"]:
        with pytest.raises(MissingFact, match="no frame rate"):
            convert(folder, out)
    convert(folder, out, sets=sample["sets"])
    values = independent(folder / sample["table"])
    assert values.shape == (sample["rows"], 3 * len(sample["keypoints"]))
    assert values[0, :3].tolist() == FIRST.get(sample["folder"], values[0, :3].tolist())
    with h5py.File(out) as f:
        (pose,) = [g for n, g in f["processing/behavior"].items() if n != "Skeletons"]
        assert pose["scorer"].asstr()[()] == sample["scorer"]
        assert pose["source_software"].asstr()[()] == "DeepLabCut"
        for k, keypoint in enumerate(sample["keypoints"]):
            series = pose[keypoint]
            assert np.array_equal(series["data"][...], values[:, 3 * k : 3 * k + 2])
            assert np.array_equal(series["confidence"][...], values[:, 3 * k + 2])
            assert series["starting_time"].attrs["rate"] == sample["rate"]
            assert series["reference_frame"].asstr()[()] == "unknown"
        assert len(f["acquisition"]) == (1 if sample["video"] else 0)
    assert_sound(out, folder)


@needs_data
def test_fps_from_the_notes_of_the_sample(tmp_path: Path) -> None:
    """Without its video: what DeepLabCut noted on it, as plain data out of the pickle."""
    folder = DATA / "dlc" / "open_field_with_video"
    for path in folder.iterdir():
        if path.suffix != ".mp4":
            shutil.copy(path, tmp_path / path.name)
    with opened(tmp_path) as reader:
        assert reader.streams[0].timebase.rate == 30.00030000300003


@needs_data
@pytest.mark.parametrize("sample", LABELS, ids=lambda s: Path(s["file"]).name)
def test_labels_of_images_are_shown_and_not_converted(
    sample: dict[str, Any], tmp_path: Path
) -> None:
    raw = DATA / "dlc" / sample["file"]
    if "damaged" in sample:
        with pytest.raises(DamagedInput, match=sample["damaged"]):
            opened(raw)
        return
    with opened(raw, rate=30.0) as reader:
        assert [s.role for s in reader.streams] == ["labels"] * len(sample["animals"])
        assert [list(s.keypoints) for s in reader.streams] == sample["animals"]
        assert {s.n_frames for s in reader.streams} == {sample["rows"]}
    with pytest.raises(NwbkitError, match="training images") as error:
        convert(raw, tmp_path / "o.nwb", sets=["dlc.rate=30"])
    assert error.value.status == 65
    assert "--exclude" in (error.value.hint or "")
