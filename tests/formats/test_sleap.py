"""SLEAP: labels files and exports, tracks, videos, persons and networks; the samples."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from nwbkit import verify as verifying
from nwbkit.errors import DamagedInput, MissingFact
from nwbkit.formats import registry
from nwbkit.formats.behavior import _sleap_reader, _sleap_slp
from tests.data import DATA, needs_data
from tests.expected.behavior2 import FLY, FLY_EDGES, SLEAP
from tests.formats.behavior_files import assert_sound, convert, encode
from tests.formats.sleap_files import (
    EDGES,
    NODES,
    instance,
    media,
    predictions,
    write_slp,
)

pytest.importorskip("ndx_pose")
pytest.importorskip("av")


def opened(path: Path, *, salvage: bool = False, **options: Any) -> Any:
    (source,) = [s for s in registry.detect([path]).sources() if s.format == "sleap"]
    again = source.source(salvage=salvage)
    return registry.open_source(
        type(again)(source.id, "sleap", source.paths, options, salvage, source.relations)
    )


def head(pose: Any, node: int = 0) -> Any:
    """x, y and score of a node in every frame."""
    positions, confidence = pose.read(node)
    return np.column_stack([positions, confidence])


@pytest.mark.parametrize("chunks", [False, True])
def test_tracks_of_one_video(tmp_path: Path, chunks: bool) -> None:
    write_slp(tmp_path / "fly.slp", predictions(), chunks=chunks)
    reader = opened(tmp_path / "fly.slp", rate=50.0)
    a, b = reader.streams
    assert [s.id for s in reader.streams] == ["pose-a", "pose-b"]
    assert (a.keypoints, a.edges, a.n_frames) == (tuple(NODES), EDGES, 10)
    assert a.facts["scorer"] == "net"
    assert head(b, 2)[4].tolist() == [106.0, 102.0, 0.104]
    assert np.isnan(head(b)[3]).all() and not np.isnan(head(a)).any()
    assert a.timebase.as_rate() == (0.0, 50.0)
    for pose in (a, b):
        again = reader.reread(pose.id, 2, 7)
        mine = np.stack([head(pose, k)[2:7] for k in range(3)], axis=1)
        assert np.array_equal(again, mine, equal_nan=True)


def test_points_read_in_blocks_are_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_slp(tmp_path / "fly.slp", predictions(40))
    whole = [head(s, k) for s in opened(tmp_path / "fly.slp").streams for k in range(3)]
    monkeypatch.setattr(_sleap_slp, "BLOCK", 7)
    monkeypatch.setattr(_sleap_reader, "KEEP_BYTES", 0)
    parts = [head(s, k) for s in opened(tmp_path / "fly.slp").streams for k in range(3)]
    assert all(np.array_equal(a, b, equal_nan=True) for a, b in zip(whole, parts, strict=True))


def test_format_1_0_is_brought_to_pixel_centres(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SLEAP moved (0, 0) from the corner of a pixel to its centre with format 1.1."""
    write_slp(tmp_path / "old.slp", predictions(), format_id=1.0)
    reader = opened(tmp_path / "old.slp")
    assert head(reader.streams[0])[2].tolist() == [1.5, 1.5, 0.002]
    assert any("0.5 was taken off" in note for note in reader.notes)
    assert np.array_equal(reader.reread("pose-a", 2, 3)[0, 0], [1.5, 1.5, 0.002])
    for format_id in (1.1, 1.3, 2.3, None):
        write_slp(tmp_path / "new.slp", predictions(), format_id=format_id)
        assert head(opened(tmp_path / "new.slp").streams[0])[2].tolist() == [2.0, 2.0, 0.002]
    monkeypatch.setattr(_sleap_slp, "CENTRED", 0.0)  # without the guard it would be half a pixel
    assert head(opened(tmp_path / "old.slp").streams[0])[2].tolist() == [2.0, 2.0, 0.002]


def test_a_person_stands_before_the_network(tmp_path: Path) -> None:
    frames = predictions(6)
    frames[2] = (0, 2, [instance(2), instance(777, user=True), instance(102, 1)])
    # a correction of an instance without a track supersedes what it was made from
    frames[4] = (0, 4, [instance(4), instance(999, -1), instance(104, 1)])
    frames[5] = (0, 5, [instance(5), instance(888, 1, user=True, of=13)])
    write_slp(tmp_path / "fly.slp", frames)
    reader = opened(tmp_path / "fly.slp")
    a = reader.streams[0]
    assert head(a)[2][:2].tolist() == [777.0, 777.0] and np.isnan(head(a)[2][2])
    assert np.array_equal(reader.reread("pose-a", 2, 3)[0, 0], head(a)[2], equal_nan=True)
    assert any("2 of" in n and "labelled by a person" in n for n in reader.notes)


def test_corrected_predictions_are_left_out(tmp_path: Path) -> None:
    frames = [(0, 0, [instance(1, -1), instance(9, 0, user=True, of=0)])]
    write_slp(tmp_path / "fly.slp", frames)
    (only,) = opened(tmp_path / "fly.slp").streams
    assert only.id == "pose-a"


def test_hidden_points_are_nan(tmp_path: Path) -> None:
    frames = [(0, 0, [instance(5, user=True, hidden=(1,))]), (0, 1, [instance(6, hidden=(1,))])]
    write_slp(tmp_path / "fly.slp", frames)
    reader = opened(tmp_path / "fly.slp")
    found = head(reader.streams[0], 1)
    assert np.isnan(found[:, :2]).all() and found[1, 2] == 0.006
    assert np.array_equal(reader.reread("pose-a", 0, 2)[:, 1], found, equal_nan=True)


def test_without_tracks(tmp_path: Path) -> None:
    write_slp(tmp_path / "one.slp", [(0, f, [instance(f, -1)]) for f in range(4)], tracks=[])
    assert [s.id for s in opened(tmp_path / "one.slp").streams] == ["pose"]
    frames = [(0, f, [instance(f, -1), instance(100 + f, -1)]) for f in range(4)]
    write_slp(tmp_path / "two.slp", frames, tracks=[])
    reader = opened(tmp_path / "two.slp")
    assert [s.id for s in reader.streams] == ["pose-untracked0", "pose-untracked1"]
    assert head(reader.streams[1])[3][0] == 103
    assert any("need not be the same animal" in note for note in reader.notes)


def test_each_video_has_its_frames_and_clock(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    encode(raw / "left.mkv", n=20)
    frames = [(0, f, [instance(f)]) for f in range(20)]
    frames += [(1, f, [instance(500 + f), instance(600 + f, 1)]) for f in range(5)]
    videos = [media("C:\\data\\left.mkv"), media("/mnt/x/right.mp4", fps=100.0)]
    write_slp(raw / "both.slp", frames, videos=videos)
    out = tmp_path / "o.nwb"
    convert(raw, out, unaligned="keep")
    with h5py.File(out) as f:
        place = f["processing/behavior"]
        assert sorted(n for n in place if n.startswith("Pose")) == [
            f"PoseEstimationBothSleap{n}" for n in ("LeftA", "RightA", "RightB")
        ]
        left, right = place["PoseEstimationBothSleapLeftA"], place["PoseEstimationBothSleapRightA"]
        assert left["head/data"].shape == (20, 2) and right["head/data"].shape == (5, 2)
        assert left["head/starting_time"].attrs["rate"] == 25.0
        assert right["head/starting_time"].attrs["rate"] == 100.0
        assert list(place["Skeletons"]) == ["SkeletonBothSleap"]
    assert_sound(out, raw)


def test_embedded_images_name_their_video(tmp_path: Path) -> None:
    inner = {"filename": ".", "backend": {"filename": ".", "dataset": "video7/video"}}
    video = {**inner, "source_video": {"backend": {"filename": "/x/cam.mkv"}}}
    write_slp(tmp_path / "a.pkg.slp", [(7, 3, [instance(4)])], videos=[video])
    encode(tmp_path / "cam.mkv", n=9)
    (source,) = [s for s in registry.detect([tmp_path]).sources() if s.format == "sleap"]
    assert [r.evidence for r in source.relations] == ["'a.pkg.slp' names the video 'cam.mkv'"]
    reader = opened(tmp_path / "a.pkg.slp")
    assert reader.streams[0].n_frames == 4
    assert any("embedded" in note for note in reader.notes)


def test_a_group_names_the_video_of_embedded_images(tmp_path: Path) -> None:
    video = {"filename": ".", "backend": {"filename": ".", "dataset": "video0/video"}}
    path = write_slp(tmp_path / "a.pkg.slp", [(0, 3, [instance(4, user=True)])], videos=[video])
    with h5py.File(path, "r+") as f:
        text = json.dumps(media("D:\\x\\cam.avi"))
        f.create_group("video0/source_video").attrs["json"] = text
    assert opened(path).labelled[0].name == "cam.avi"


def test_more_frames_than_the_video_are_refused(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    encode(raw / "cam.mkv", n=8)
    write_slp(raw / "cam.slp", predictions(10))
    with pytest.raises(DamagedInput, match=r"ends with frame 9, the video 'cam.mkv' has 8"):
        convert(raw, tmp_path / "o.nwb")
    convert(raw, tmp_path / "o.nwb", salvage=True)
    with h5py.File(tmp_path / "o.nwb") as f:
        data = f["processing/behavior/PoseEstimationCamSleapA/head/data"]
        assert data.shape == (8, 2)
    stated = [media("cam.mkv", shape=[19, 48, 64, 1])]
    write_slp(raw / "cam.slp", predictions(8), videos=stated)
    with pytest.raises(DamagedInput, match=r"says that its video has 19 frames, 'cam.mkv' has 8"):
        convert(raw, tmp_path / "o2.nwb")


def test_a_count_that_opencv_estimated_is_noted(tmp_path: Path) -> None:
    encode(tmp_path / "cam.mkv", n=8)
    write_slp(tmp_path / "cam.slp", predictions(8), videos=[media("cam.mkv", shape=[9, 4, 6, 1])])
    readers = {
        s.format: registry.open_source(s.source()) for s in registry.detect([tmp_path]).sources()
    }
    (relation,) = readers["sleap"].source.relations
    readers["sleap"].relate(relation, readers["video"])
    assert any("has 9 frames, 'cam.mkv' has 8" in note for note in readers["sleap"].notes)
    assert readers["sleap"].streams[0].timebase.as_rate() == (0.0, 25.0)


def test_tracks_of_one_name_stay_apart(tmp_path: Path) -> None:
    write_slp(tmp_path / "fly.slp", predictions(), tracks=["fly", "fly"])
    reader = opened(tmp_path / "fly.slp")
    assert [s.id for s in reader.streams] == ["pose-fly-0", "pose-fly-1"]
    assert len({s.nwb_name for s in reader.streams}) == 2


def test_a_frame_number_beyond_all_videos(tmp_path: Path) -> None:
    write_slp(tmp_path / "fly.slp", [(0, 2**60, [instance(1)])])
    with pytest.raises(DamagedInput, match="more than any video has"):
        opened(tmp_path / "fly.slp")


def broken(tmp_path: Path, change: Any) -> Path:
    path = write_slp(tmp_path / "bad.slp", predictions())
    with h5py.File(path, "r+") as f:
        change(f)
    return path


def _table(name: str, row: int, field: str, value: int) -> Any:
    def change(f: Any) -> None:
        table = f[name][...]
        table[field][row] = value
        f[name][...] = table

    return change


def _drop(f: Any) -> None:
    del f["pred_points"]


def _no_json(f: Any) -> None:
    f["metadata"].attrs["json"] = np.bytes_(b"{")


def _outside(f: Any) -> None:
    del f["pred_points"]
    f["pred_points"] = h5py.ExternalLink("/etc/passwd", "/x")


DAMAGE = {
    "instances beyond the table": (_table("frames", 9, "instance_id_end", 99), "the table holds"),
    "points beyond the table": (_table("instances", 3, "point_id_end", 9999), "has the points"),
    "a track that is none": (_table("instances", 0, "track", 7), "has track 7, there are 2"),
    "a skeleton that is none": (_table("instances", 0, "skeleton", 1), "has skeleton 1"),
    "a video that is none": (_table("frames", 0, "video", 3), "videos_json has none such"),
    "no points": (_drop, "has the points"),
    "no metadata": (_no_json, "is not JSON"),
    "a link out of the file": (_outside, "not followed"),
    "one track twice": (_table("instances", 1, "track", 0), "two instances of the track 'a'"),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_damage_is_told(tmp_path: Path, case: str) -> None:
    change, message = DAMAGE[case]
    path = broken(tmp_path, change)
    with pytest.raises(DamagedInput, match=message):
        opened(path)
    if case != "no points" and "--salvage" in (_raised(path).hint or ""):
        reader = opened(path, salvage=True)
        assert reader.losses and reader.streams


def _raised(path: Path) -> DamagedInput:
    with pytest.raises(DamagedInput) as error:
        opened(path)
    return error.value


def test_truncated_empty_and_foreign_files(tmp_path: Path) -> None:
    path = write_slp(tmp_path / "a.slp", predictions())
    (tmp_path / "cut.slp").write_bytes(path.read_bytes()[:-3000])
    with pytest.raises(DamagedInput, match=r"'cut.slp'"):
        opened(tmp_path / "cut.slp")
    (tmp_path / "empty.slp").write_bytes(b"")
    with h5py.File(tmp_path / "other.h5", "w") as f:
        f["tracks"] = np.zeros((2, 2))
        f["node_names"] = np.bytes_("x")
    found = {p.name for s in registry.detect([tmp_path]).sources() for p in s.paths}
    assert found == {"a.slp", "cut.slp"}


def test_without_a_rate_one_is_asked_for(tmp_path: Path) -> None:
    write_slp(tmp_path / "fly.slp", predictions())
    with pytest.raises(MissingFact) as error:
        convert(tmp_path / "fly.slp", tmp_path / "o.nwb")
    assert "--set fly-sleap.rate=" in (error.value.hint or "")


@needs_data
@pytest.mark.parametrize("sample", SLEAP, ids=lambda s: s["session"])
def test_samples(tmp_path: Path, sample: dict[str, Any]) -> None:
    raw = DATA / "sleap/predictions_and_courtship"
    out = tmp_path / "o.nwb"
    convert(raw, out, session=sample["session"], sets=sample["sets"])
    with h5py.File(out) as f:
        place = f["processing/behavior"]
        for track, (n, first, last, abdomens, total) in sample["tracks"].items():
            (name,) = [p for p in place if p.endswith(track.title().replace("_", ""))]
            found = place[name]
            head_ = found["head"]
            assert head_["data"].shape == (sample["frames"], 2)
            assert head_["starting_time"].attrs["rate"] == sample["rate"]
            assert np.isnan(head_["data"][:, 0]).sum() == sample["frames"] - n
            assert (*head_["data"][0], head_["confidence"][0]) == first
            eye = found["eyeR"]
            assert (*eye["data"][-1], eye["confidence"][-1]) == last
            missing = int(np.isnan(found["abdomen/data"][:, 0]).sum())
            assert missing == abdomens + sample["frames"] - n
            assert np.isclose(np.nansum(head_["data"][:, 0]), total)
            (skeleton,) = [found[k] for k in found if k.startswith("Skeleton")]
            assert skeleton["nodes"].asstr()[...].tolist() == FLY
            assert [tuple(e) for e in skeleton["edges"][...].tolist()] == FLY_EDGES
    assert_sound(out, raw)


@needs_data
def test_a_renamed_folder_and_a_changed_point(tmp_path: Path) -> None:
    raw = tmp_path / "x"
    raw.mkdir()
    source = DATA / "sleap/predictions_and_courtship/predictions_1.2.7_provenance_and_tracking.slp"
    shutil.copyfile(source, raw / "x.slp")
    out = tmp_path / "o.nwb"
    convert(raw, out, sets=["sleap.rate=30"])
    with h5py.File(raw / "x.slp", "r+") as f:
        table = f["pred_points"][...]
        table["y"][400] += 1e-9
        f["pred_points"][...] = table
    report = verifying.verify(str(out), against=[str(raw)])
    assert any("data of" in finding.message for finding in report.findings), report.findings
