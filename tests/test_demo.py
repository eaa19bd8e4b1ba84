"""The demo's session, converted, against what its generator knows."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

pytest.importorskip("av")
pytest.importorskip("openpyxl")
pytest.importorskip("ndx_pose")

from examples.demo_session import KEYPOINTS, LAB, TRIAL_LINE, main, write_session
from nwbkit.convert import Request, convert
from nwbkit.formats import registry

ROOT = Path(__file__).parents[1]
SECONDS = 5.0
CHANNELS = range(180, 196)  # 191, the reference, among them


def tree(folder):
    return {p.relative_to(folder): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo") / "a session"
    return folder, write_session(folder, seconds=SECONDS, channels=CHANNELS, units=4)


@pytest.fixture(scope="module")
def nwb(session):
    folder, truth = session
    out = folder.parent / "out.nwb"
    result = convert(
        Request(
            inputs=(str(folder),),
            output=str(out),
            metadata=(str(folder / "lab.yaml"),),
            timezone="Europe/Lisbon",
            offsets=tuple(f"{clock}={offset!r}" for clock, offset in truth.offsets.items()),
        )
    )
    assert result.status == 0
    with h5py.File(out, "r") as file:
        yield file


def test_same_arguments_same_bytes(session, tmp_path):
    folder, truth = session
    again = write_session(tmp_path / "again", seconds=SECONDS, channels=CHANNELS, units=4)
    assert tree(tmp_path / "again") == tree(folder)
    assert again.offsets == truth.offsets
    other = write_session(tmp_path / "other", seconds=1, channels=CHANNELS, units=4, seed=1)
    # the shell examples give these offsets for every session of the rig
    assert other.offsets == truth.offsets
    with pytest.raises(FileExistsError):
        write_session(tmp_path / "other")


def test_one_session_with_its_relations(session):
    folder, _ = session
    (found,) = registry.to_document(registry.detect([folder])).sessions
    formats = {source.id: source.format for source in found.sources}
    assert formats == {
        "run_g0": "spikeglx",
        "kilosort": "phy",
        "cam": "video",
        "camDLC": "dlc",
        "trials": "csv",
    }
    related = {s.id: [(r.kind, r.source) for r in s.relations] for s in found.sources}
    assert related == {
        "run_g0": [],
        "kilosort": [("derived_from", "run_g0")],
        "cam": [],
        "camDLC": [("derived_from", "cam")],
        "trials": [],
    }
    assert not any(source.alternatives for source in found.sources)


def test_samples(session, nwb):
    folder, truth = session
    for band, name in (("ap", "ElectricalSeriesAP"), ("lf", "ElectricalSeriesLF")):
        file = next(f for f in truth.files if f.band == band)
        raw = np.fromfile(folder / file.path, "<i2").reshape(file.n_samples, file.n_channels)
        series = nwb["acquisition"][name]
        np.testing.assert_array_equal(series["data"][()], raw[:, :-1])
        assert series["starting_time"][()] == 0
        assert series["starting_time"].attrs["rate"] == file.rate


def test_spikes(session, nwb):
    _, truth = session
    ap = next(f for f in truth.files if f.band == "ap")
    units = nwb["units"]
    stops = units["spike_times_index"][()]
    parts = np.split(units["spike_times"][()], stops[:-1])
    names = [int(name) for name in units["unit_name"].asstr()[()]]
    assert names == list(truth.spikes)
    for name, seconds in zip(names, parts, strict=True):
        samples = np.array(truth.spikes[name])
        assert len(samples) > 10
        np.testing.assert_array_equal(np.rint(seconds * ap.rate).astype(int), samples)
        np.testing.assert_allclose(seconds, samples / ap.rate, rtol=0, atol=1e-9)
    assert dict(zip(names, units["group"].asstr()[()], strict=True)) == truth.groups
    # the electrode with the largest trough is the one the unit was put at
    electrodes = nwb["general/extracellular_ephys/electrodes"]
    channel = np.array([int(n.split(",")[0][2:]) for n in electrodes["channel_name"].asstr()[()]])
    mine = np.split(units["electrodes"][()], units["electrodes_index"][()][:-1])
    for unit, rows, wave in zip(ap.spikes, mine, units["waveform_mean"][()], strict=True):
        there = ~np.isnan(wave).all(axis=0)
        best = int(np.argmin(wave[:, there].min(axis=0)))
        assert there.sum() == len(rows) and channel[rows[best]] == unit["channel"]
        assert 191 not in channel[rows]


def test_lines_of_the_nidq(session, nwb):
    _, truth = session
    ni = next(f for f in truth.files if f.device == "nidq")
    table = nwb["events/EventsNIDQ"]
    line, value = table["line"].asstr()[()], table["value"][()]
    for number, edges in ni.lines.items():
        for level, samples in ((1, edges["rising"]), (0, edges["falling"])):
            found = table["timestamp"][()][(line == f"XD{number}") & (value == level)]
            expected = truth.on_probe("run_g0/nidq", np.array(samples) / ni.rate)
            np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)
            assert len(samples)


def test_trials_are_where_their_pulses_are(session, nwb):
    _, truth = session
    trials = nwb["intervals/trials"]
    ni = next(f for f in truth.files if f.device == "nidq")
    pulses = truth.on_probe("run_g0/nidq", np.array(ni.lines[TRIAL_LINE]["rising"]) / ni.rate)
    assert len(pulses) == len(trials["id"]) >= 2
    # the behaviour program rounds to a tenth of a ms
    np.testing.assert_allclose(trials["start_time"][()], pulses, rtol=0, atol=0.51e-4)
    for name in ("start_time", "stop_time"):
        expected = truth.on_probe("trials/table", truth.trials[name])
        np.testing.assert_allclose(trials[name][()], expected, rtol=0, atol=1e-12)
    assert trials["choice"].asstr()[()].tolist() == truth.trials["choice"]
    assert trials["correct"][()].tolist() == truth.trials["correct"]


def test_frames_and_tracks(session, nwb):
    _, truth = session
    video = nwb["acquisition/VideoCam"]
    assert video["num_samples"][()] == truth.n_frames
    assert video["external_file"].asstr()[0] == "a session/cam.mp4"
    ni = next(f for f in truth.files if f.device == "nidq")
    camera = truth.on_probe("run_g0/nidq", np.array(ni.lines[1]["rising"]) / ni.rate)
    assert len(camera) == truth.n_frames
    start, rate = video["starting_time"][()], video["starting_time"].attrs["rate"]
    frames = start + np.arange(truth.n_frames) / rate
    # a pulse is seen at the next sample of the nidq
    assert np.all((camera - frames > -1e-9) & (camera - frames < 1 / ni.rate + 1e-9))
    pose = nwb["processing/behavior/PoseEstimationCamDLC"]
    for name in KEYPOINTS:
        expected = np.array(truth.pose[name])
        assert expected.shape == (truth.n_frames, 3)
        np.testing.assert_array_equal(pose[name]["data"][()], expected[:, :2])
        np.testing.assert_array_equal(pose[name]["confidence"][()], expected[:, 2])
        assert pose[name]["starting_time"][()] == start


def test_others_find_nothing_wrong(nwb):
    nwbinspector = pytest.importorskip("nwbinspector")
    pynwb = pytest.importorskip("pynwb")
    assert pynwb.validate(path=nwb.filename) == []
    found = list(nwbinspector.inspect_nwbfile(nwbfile_path=nwb.filename))
    # nothing worse than a suggestion
    worst = nwbinspector.Importance.BEST_PRACTICE_SUGGESTION
    assert [m for m in found if m.importance != worst] == []


def test_what_the_lab_said(nwb):
    assert "Doe, Jane" in LAB
    assert nwb["general/experimenter"].asstr()[0] == "Doe, Jane"
    assert nwb["general/subject/subject_id"].asstr()[()] == "mouse1"
    assert nwb["session_start_time"].asstr()[()] == "2024-05-02T10:00:00+01:00"


def test_command_line(tmp_path, capsys):
    args = [str(tmp_path / "out"), "--seconds", "1", "--channels", "4"]
    main([*args, "--truth", str(tmp_path / "truth.json")])
    said = capsys.readouterr().out
    assert "  cam/frames=0.249996667\n" in said
    assert (tmp_path / "truth.json").stat().st_size
    with pytest.raises(SystemExit, match="is not empty"):
        main(args)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("sh") is None, reason="no shell")
def test_the_whole_demo(tmp_path):
    """examples/demo.sh, on two seconds: every step ends well, and nothing but a table is wide."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for name, module in (("nwbkit", "-m nwbkit.cli"), ("python", "")):
        (tools / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {module} "$@"\n')
        (tools / name).chmod(0o755)
    env = os.environ | {
        "PATH": f"{tools}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "DEMO": str(tmp_path / "demo"),
        "SECONDS_OF_DATA": "2",
    }
    done = subprocess.run(
        ["sh", str(ROOT / "examples/demo.sh")], env=env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    said = done.stdout
    assert "verified: " in said and "NOT verified" not in said
    assert "(exit status 65)" in said
    assert "└ units/  (Units)" in said
    commands = [line for line in said.splitlines() if line.startswith("$ ")]
    assert [line.split()[2] for line in commands if line.startswith("$ nwbkit")] == [
        *("detect", "inspect", "metadata", "metadata", "metadata", "metadata"),
        *("convert", "convert", "verify", "verify"),
    ]
    assert max(map(len, commands)) <= 80

    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "precious.bin").touch()
    done = subprocess.run(
        ["sh", str(ROOT / "examples/demo.sh")],
        env=env | {"DEMO": str(tmp_path / "mine")},
        capture_output=True,
    )
    assert done.returncode == 73 and (tmp_path / "mine" / "precious.bin").exists()
