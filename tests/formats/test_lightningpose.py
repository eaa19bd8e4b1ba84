"""Lightning Pose: told from DeepLabCut, from its own tables of losses; ensembles; the sample."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from nwbkit.errors import DamagedInput, MissingFact
from nwbkit.formats import registry
from nwbkit.formats.behavior import deeplabcut
from tests.data import DATA, needs_data
from tests.expected.behavior2 import LIGHTNING
from tests.formats.behavior_files import assert_sound, convert, numbers

pytest.importorskip("ndx_pose")
pytest.importorskip("av")


def write(
    path: Path, scorer: str = "heatmap_tracker", coords: Any = ("x", "y", "likelihood")
) -> Any:
    """Predictions of two keypoints in 20 frames; returns the values."""
    columns = [(scorer, part, coord) for part in ("nose", "tail") for coord in coords]
    values = numbers(20, len(columns))
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", newline="") as f:
        writer = csv.writer(f)
        for level, name in enumerate(("scorer", "bodyparts", "coords")):
            writer.writerow([name, *(c[level] for c in columns)])
        for row in range(20):
            cells = ["" if np.isnan(v) else repr(float(v)) for v in values[row]]
            writer.writerow([row, *cells])
    return values


def opened(path: Path, **options: Any) -> Any:
    (source,) = registry.detect([path]).sources()
    assert source.format == "lightningpose"
    again = source.source()
    return registry.open_source(type(again)(source.id, source.format, source.paths, options))


SCORERS = [
    *("heatmap_tracker", "heatmap_mhcrnn_tracker", "regression_tracker", "semi_supervised_tracker"),
    *("heatmap_multiview_transformer_tracker", "ensemble-kalman_smoother"),
]


@pytest.mark.parametrize("scorer", SCORERS)
def test_scorers(tmp_path: Path, scorer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "v.csv", scorer)
    # even if DeepLabCut took it for its own
    monkeypatch.setattr(deeplabcut, "_LIGHTNING", deeplabcut.re.compile("none"))
    assert [s.format for s in registry.detect([tmp_path]).sources()] == ["lightningpose"]


def test_deeplabcut_keeps_its_own(tmp_path: Path) -> None:
    write(tmp_path / "v.csv", "DLC_resnet50_tracker_shuffle1_1000")
    assert [s.format for s in registry.detect([tmp_path]).sources()] == ["dlc"]


def test_each_view_is_a_pose_and_losses_are_none(tmp_path: Path) -> None:
    for view in ("cam0", "cam1"):
        write(tmp_path / f"predictions_{view}.csv")
        for loss in ("pca_singleview_error", "temporal_norm", "pixel_error"):
            (tmp_path / f"predictions_{view}_{loss}.csv").write_text(",nose,tail\n0,1.5,2\n1,3,4\n")
    found = registry.detect([tmp_path])
    names = sorted(s.paths[0].name for s in found.sources())
    assert names == ["predictions_cam0.csv", "predictions_cam1.csv"]
    assert len(found.unclaimed) == 6


def test_medians_and_variances_of_an_ensemble(tmp_path: Path) -> None:
    coords = ("x", "y", "likelihood", "x_ens_median", "y_ens_median", "x_posterior_var")
    values = write(tmp_path / "v.csv", "ensemble-kalman_smoother", coords)
    reader = opened(tmp_path / "v.csv", rate=30.0)
    (pose,) = reader.streams
    positions, confidence = pose.read(1)
    assert np.array_equal(positions, values[:, 6:8]) and np.array_equal(confidence, values[:, 8])
    assert np.array_equal(reader.reread("pose", 0, 20)[:, 1], values[:, 6:9])
    assert reader.notes == [
        "not read: the columns x_ens_median, x_posterior_var, y_ens_median of each keypoint"
    ]


def test_a_rate_is_asked_for_and_a_cut_line_is_told(tmp_path: Path) -> None:
    write(tmp_path / "v.csv")
    with pytest.raises(MissingFact) as error:
        convert(tmp_path / "v.csv", tmp_path / "o.nwb")
    assert "--set v-pose.rate=" in (error.value.hint or "")
    (tmp_path / "v.csv").write_bytes((tmp_path / "v.csv").read_bytes()[:-4])
    with pytest.raises(DamagedInput, match="no end of line"):
        opened(tmp_path / "v.csv")


@needs_data
def test_the_sample(tmp_path: Path) -> None:
    raw = tmp_path / "x"
    shutil.copytree(DATA / "lightningpose/outputs_2023-11-09", raw)
    found = registry.detect([raw])
    assert sorted(s.format for s in found.sources()) == ["lightningpose", "video"]
    assert len(found.sessions) == 1
    out = tmp_path / "o.nwb"
    convert(raw, out)
    with h5py.File(out) as f:
        (name,) = [n for n in f["processing/behavior"] if n.startswith("PoseEstimation")]
        pose = f["processing/behavior"][name]
        assert pose["scorer"].asstr()[()] == "heatmap_tracker"
        (skeleton,) = [pose[k] for k in pose if k.startswith("Skeleton")]
        keypoints = skeleton["nodes"].asstr()[...].tolist()
        assert keypoints == LIGHTNING["keypoints"]
        first, last = pose[keypoints[0]], pose[keypoints[-1]]
        assert first["data"].shape == (LIGHTNING["rows"], 2)
        assert first["starting_time"].attrs["rate"] == LIGHTNING["rate"]
        assert [*first["data"][0], first["confidence"][0]] == LIGHTNING["first"]
        assert [*last["data"][-1], last["confidence"][-1]] == LIGHTNING["last"]
    assert_sound(out, raw)


@needs_data
def test_everything_in_one_folder_called_x(tmp_path: Path) -> None:
    """Samples of six formats side by side: each file goes to its own format, none to two."""
    raw = tmp_path / "x"
    raw.mkdir()
    wanted = {
        "sleap": ["sleap/predictions_and_courtship/*.slp"],
        "video": ["sleap/predictions_and_courtship/*.mp4", "lightningpose/*/*.mp4"],
        "lightningpose": ["lightningpose/*/test_vid.csv"],
        "fictrac": ["fictrac/*/*/*.dat", "fictrac/utils2p_camera_3/*.dat"],
        "medpc": ["medpc/medpcpy_raw/*"],
        "dlc": ["dlc/vame_cropped_video_csv/*.csv", "dlc/open_field_without_video/*.h5"],
    }
    beside = ["lightningpose/*/*_error.csv", "lightningpose/*/*_norm.csv"]
    names: dict[str, set[str]] = {}
    for format_, patterns in {**wanted, "": beside}.items():
        for path in (p for pattern in patterns for p in DATA.glob(pattern)):
            shutil.copyfile(path, raw / path.name)
            names.setdefault(format_, set()).add(path.name)
    detection = registry.detect([raw])
    found: dict[str, set[str]] = {}
    for source in detection.sources():
        found.setdefault(source.format, set()).update(p.name for p in source.paths)
        assert not source.alternatives
    lost = names.pop("")
    assert found == names
    assert {p.name for p in detection.unclaimed} == lost
