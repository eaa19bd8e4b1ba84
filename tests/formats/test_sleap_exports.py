"""SLEAP's exports for analysis: HDF5 in any order of axes, csv."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from nwbkit.errors import DamagedInput
from tests.formats.behavior_files import convert, encode
from tests.formats.sleap_files import EDGES, matrix, write_analysis, write_csv
from tests.formats.test_sleap import head, opened

pytest.importorskip("ndx_pose")
pytest.importorskip("av")

LAYOUTS = [
    (("track", "xy", "node", "frame"), False),
    (("track", "xy", "node", "frame"), True),
    (("frame", "track", "node", "xy"), False),
    (("frame", "track", "node", "xy"), True),
    (("frame", "node", "xy", "track"), False),
    (("node", "frame", "xy", "track"), True),
]


@pytest.mark.parametrize(("axes", "dims"), LAYOUTS)
def test_an_export_in_any_order_of_axes(tmp_path: Path, axes: Any, dims: bool) -> None:
    values, scores = matrix()
    write_analysis(tmp_path / "v.analysis.h5", values, scores, axes=axes, dims=dims)
    reader = opened(tmp_path / "v.analysis.h5", rate=10.0)
    assert [s.id for s in reader.streams] == ["pose-a", "pose-b"]
    for track, pose in enumerate(reader.streams):
        assert pose.edges == EDGES
        for node in range(3):
            assert np.array_equal(head(pose, node)[:, :2], values[:, track, node], equal_nan=True)
            assert np.array_equal(head(pose, node)[:, 2], scores[:, track, node])
        again = reader.reread(pose.id, 1, 9)
        assert np.array_equal(again[..., :2], values[1:9, track], equal_nan=True)
        assert np.array_equal(again[..., 2], scores[1:9, track])


def test_an_export_beside_its_video(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    encode(raw / "cam.mkv", n=12)
    values, scores = matrix()
    provenance = np.bytes_(json.dumps({"model_paths": ["x/net.a"]}))
    more = {"provenance": provenance, "video_path": np.bytes_("/mnt/d/cam.mkv")}
    write_analysis(raw / "x.analysis.h5", values, scores, tracks=["a", "b"], **more)
    out = tmp_path / "o.nwb"
    convert(raw, out)
    with h5py.File(out) as f:
        pose = f["processing/behavior/PoseEstimationXAnalysisB"]
        assert pose["head/starting_time"].attrs["rate"] == 25.0
        assert pose["scorer"].asstr()[()] == "net.a"
        assert np.array_equal(pose["tail/data"][...], values[:, 1, 2], equal_nan=True)


def test_an_export_that_contradicts_itself(tmp_path: Path) -> None:
    values, scores = matrix()
    write_analysis(tmp_path / "v.analysis.h5", values, scores[:7])
    with pytest.raises(DamagedInput, match="point_scores has the shape"):
        opened(tmp_path / "v.analysis.h5")
    write_analysis(tmp_path / "w.analysis.h5", values, scores, tracks=["a", "b", "c"])
    with pytest.raises(DamagedInput, match="expected axes of 3 track, 3 node, 2 xy"):
        opened(tmp_path / "w.analysis.h5")


def test_an_export_as_csv(tmp_path: Path) -> None:
    values, scores = matrix()
    path = write_csv(tmp_path / "v.analysis.csv", values, scores, ["a", "b"])
    reader = opened(path, rate=10.0)
    a, b = reader.streams
    assert np.array_equal(head(a, 1)[:, :2], values[:, 0, 1], equal_nan=True)
    assert np.array_equal(head(b, 2)[:, 2], scores[:, 1, 2])
    path.write_text(path.read_text().replace("b,5,", "b,4,"))
    with pytest.raises(DamagedInput, match="has a frame of 'b' twice"):
        opened(path)
