"""One folder of seven systems is one session, and becomes one NWB file."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from nwbkit import convert as journey
from nwbkit import verify as verifying
from nwbkit.convert import Request
from nwbkit.errors import ClockError, MissingFact
from nwbkit.formats import registry
from tests.data import DATA, needs_data

pytestmark = needs_data

#: What a lab's folder of one day may look like: place in it, and the sample's files put there.
LAID = {
    "ephys": "intan/rhd_traditional_A/*",
    "ephys/sorting": "phy/phy_example_0_ks25/*",
    "imaging": "scanimage/volumetric_two_channels_multi_file_2of10/*",
    "imaging/suite2p": "suite2p/two_planes_combined/*",
    "behavior": "sleap/predictions_and_courtship/melanogaster_courtship.*",
    ".": "text/trials/trials.csv",
}
FORMATS = {"intan", "phy", "scanimage", "suite2p", "sleap", "video", "csv"}
LAB = """\
NWBFile: {session_start_time: 2025-04-30T14:51:53+02:00}
Subject: {subject_id: M1, species: Mus musculus, sex: F, age: P90D}
"""
#: NWB type of an object at each place that a reader would look at.
OBJECTS = {
    "acquisition/ElectricalSeries": "ElectricalSeries",
    "acquisition/TimeSeriesAuxiliary": "TimeSeries",
    "acquisition/TwoPhotonSeriesChannel1": "TwoPhotonSeries",
    "acquisition/VideoMelanogasterCourtship": "ImageSeries",
    "units": "Units",
    "intervals/trials": "TimeIntervals",
    "processing/ophys/ImageSegmentation/PlaneSegmentationPlane0": "PlaneSegmentation",
    "processing/ophys/Fluorescence/RoiResponseSeriesPlane1": "RoiResponseSeries",
}


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder ``mouse7_day1``, and beside it ``lab.yaml``."""
    root = tmp_path_factory.mktemp("six") / "mouse7_day1"
    for place, pattern in LAID.items():
        folder = root / place
        folder.mkdir(parents=True, exist_ok=True)
        for path in sorted(DATA.glob(pattern)):
            if path.is_dir():
                shutil.copytree(path, folder / path.name)
            else:
                shutil.copyfile(path, folder / path.name)
    (root.parent / "lab.yaml").write_text(LAB)
    return root


def request(day: Path, out: Path, **options: Any) -> Request:
    settings = {"metadata": [str(day.parent / "lab.yaml")], "jobs": 2, **options}
    return Request(inputs=[str(day)], output=str(out), **settings)


@pytest.fixture(scope="module")
def made(day: Path) -> Path:
    out = day.parent / "mouse7_day1.nwb"
    assert journey.convert(request(day, out, unaligned="keep")).status == 0
    return out


def test_one_session_of_all(day: Path) -> None:
    found = registry.detect([day])
    (session,) = found.sessions
    assert session.id == "mouse7_day1"
    assert {s.format for s in session.sources} == FORMATS
    assert not [r for r in found.reports if r.level == "warning"]


def test_two_such_folders_are_two_sessions(day: Path, tmp_path: Path) -> None:
    for name in ("monday", "tuesday"):
        shutil.copytree(day, tmp_path / name)
    sessions = registry.detect([tmp_path]).sessions
    assert [s.id for s in sessions] == ["monday", "tuesday"]
    assert all({x.format for x in s.sources} == FORMATS for s in sessions)


def test_clocks_are_not_joined_silently(day: Path, tmp_path: Path) -> None:
    with pytest.raises(ClockError) as error:
        journey.convert(request(day, tmp_path / "out.nwb"))
    assert "--unaligned keep" in str(error.value.hint)
    assert not (tmp_path / "out.nwb").exists()


def test_every_system_has_its_objects(made: Path) -> None:
    with h5py.File(made) as file:
        for path, kind in OBJECTS.items():
            assert file[path].attrs["neurodata_type"] == kind
        poses = file["processing/behavior"]
        kinds = [poses[name].attrs["neurodata_type"] for name in poses]
        assert kinds.count("PoseEstimation") == 2
        assert len(file["units/id"]) == 13 and len(file["units/spike_times"]) == 788
        assert file["acquisition/ElectricalSeries/data"].shape == (19440, 32)
        assert file["acquisition/TwoPhotonSeriesChannel1/data"].shape == (20, 20, 20, 9)
        assert np.array_equal(file["intervals/trials/id"][...], np.arange(11))


def test_offsets_in_place_of_keep(day: Path, tmp_path: Path) -> None:
    """A user who knows when each device began says so; the rest follows its source."""
    with pytest.raises(ClockError) as error:
        journey.convert(request(day, tmp_path / "out.nwb"))
    clocks = re.findall(r"--offset (\S+)=SECONDS", str(error.value.hint))
    offsets = [f"{clock}={n + 0.5}" for n, clock in enumerate(clocks)]
    assert len(offsets) == 5
    out = tmp_path / "out.nwb"
    assert journey.convert(request(day, out, offsets=offsets)).status == 0
    movie = next(n for n, c in enumerate(clocks) if c.endswith("/scanimage"))
    with h5py.File(out) as file:
        found = file["acquisition/TwoPhotonSeriesChannel1"]
        first = found["starting_time"][()] if "starting_time" in found else found["timestamps"][0]
    assert first == pytest.approx(movie + 0.5)
    assert verifying.verify(str(out), against=[str(day)], jobs=2).ok


def test_valid(made: Path) -> None:
    import pynwb
    from nwbinspector import Importance, inspect_nwbfile

    assert pynwb.validate(path=str(made)) == []
    found = list(inspect_nwbfile(nwbfile_path=str(made), importance_threshold=Importance.CRITICAL))
    assert [m.message for m in found] == []


@pytest.mark.parametrize("suffix", [".nwb", ".nwb.zarr"])
def test_equal_to_its_sources(day: Path, made: Path, suffix: str, tmp_path: Path) -> None:
    out = made
    if suffix == ".nwb.zarr":
        pytest.importorskip("hdmf_zarr")
        out = tmp_path / "mouse7_day1.nwb.zarr"
        assert journey.convert(request(day, out, unaligned="keep")).status == 0
    answer = verifying.verify(str(out), against=[str(day)], jobs=2)
    assert answer.ok, answer.findings
    streams = json.loads(Path(f"{out}.json").read_text())["streams"]
    compared = {c.address for c in answer.checked}
    assert set(streams) <= compared
    if out is not made:
        sidecars = [json.loads(Path(f"{o}.json").read_text()) for o in (made, out)]
        digests = [{p: d["digest"] for p, d in s["datasets"].items()} for s in sidecars]
        assert digests[0] == digests[1]


def test_zarr_is_read_by_pynwb(day: Path, tmp_path: Path) -> None:
    zarr = pytest.importorskip("hdmf_zarr")
    out = tmp_path / "mouse7_day1.nwb.zarr"
    assert journey.convert(request(day, out, unaligned="keep")).status == 0
    with zarr.NWBZarrIO(str(out), "r") as io:
        nwb = io.read()
        assert len(nwb.units) == 13 and len(nwb.trials) == 11
        assert nwb.acquisition["TwoPhotonSeriesChannel1"].data.shape == (20, 20, 20, 9)
        assert set(nwb.processing) == {"behavior", "ophys"}


def test_runs_of_different_days_are_not_one_session_silently(tmp_path: Path) -> None:
    for place, sample in (
        ("e", "blackrock/PauseCorrect"),
        ("i", "scanimage/volumetric_no_flyback"),
    ):
        shutil.copytree(DATA / sample, tmp_path / "raw" / place)
    asked = Request(
        inputs=[str(tmp_path / "raw")],
        output=str(tmp_path / "out.nwb"),
        timezone="UTC",
        unaligned="keep",
    )
    with pytest.raises(MissingFact, match="scanimage") as error:
        journey.convert(asked)
    assert "--set-meta NWBFile.session_start_time=" in str(error.value.hint)
    said = ["NWBFile.session_start_time=2018-03-01T12:36:16Z"]
    assert journey.convert(dataclasses.replace(asked, set_meta=said)).status == 0
