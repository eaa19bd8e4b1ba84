"""examples/multi: three sessions, one damaged, by Make and by a pipeline of commands."""

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("av")
pytest.importorskip("openpyxl")
pytest.importorskip("ndx_pose")

from examples.demo_session import write_session

ROOT = Path(__file__).parents[1]
MULTI = ROOT / "examples/multi"
pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="no make")
CUT = "'run_g0_t0.imec0.ap.bin' holds 2039000 bytes, its header says 2040000"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a copy of the example, and `nwbkit` and `python` on its PATH."""
    folder = tmp_path_factory.mktemp("multi")
    tools = folder / "bin"
    tools.mkdir()
    for name, module in (("nwbkit", "-m nwbkit.cli"), ("python", "")):
        (tools / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {module} "$@"\n')
        (tools / name).chmod(0o755)
    for name in ("Makefile", "lab.yaml", "pipeline.sh"):
        shutil.copy(MULTI / name, folder)
    return folder


def run(place, *command):
    env = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}
    env |= {"PATH": f"{place / 'bin'}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=place, env=env, capture_output=True, text=True)


def make(place, *options):
    return run(place, "make", "-k", "-j2", f"EXAMPLES={ROOT / 'examples'}", *options)


def converted(done):
    """Which sessions Make converted, and which it detected."""
    converts = re.findall(r"^nwbkit convert sources/(\w+)\.json", done.stdout, re.M)
    detects = re.findall(r"^nwbkit detect raw/(\w+)", done.stdout, re.M)
    return sorted(converts), sorted(detects)


def touch(path):
    time.sleep(0.02)  # newer than what was written last, on coarse clocks too
    path.touch()


@pytest.fixture(scope="module")
def first(place):
    return make(place)


def test_two_made_and_the_damaged_one_told(place, first):
    assert first.returncode == 2
    assert converted(first) == ((["mouse1", "mouse2", "mouse3"],) * 2)
    assert CUT in first.stderr and "hint: --salvage" in first.stderr
    assert sorted(p.name for p in place.glob("nwb/*")) == [
        f"mouse{i}.{suffix}" for i in (1, 2) for suffix in ("d", "nwb", "nwb.json")
    ]


def test_again_only_the_damaged_one_is_tried(place, first):
    again = make(place)
    assert again.returncode == 2
    assert converted(again) == (["mouse3"], [])


def test_salvaged_then_what_depends(place, first):
    """One after the other: each step changes what the next one finds."""
    salvaged = make(place, "SALVAGE=--salvage")
    assert salvaged.returncode == 0, salvaged.stderr
    assert converted(salvaged) == (["mouse3"], [])
    assert f"warning: {CUT}" in salvaged.stderr
    assert (place / "nwb/mouse3.nwb").exists()

    nothing = make(place, "SALVAGE=--salvage")
    assert nothing.returncode == 0
    assert nothing.stdout == "make: Nothing to be done for 'all'.\n"
    assert nothing.stderr == ""

    dry = ("SALVAGE=--salvage", "-n")
    for changed, sessions in (
        ("lab.yaml", (["mouse1", "mouse2", "mouse3"], [])),
        ("raw/mouse2/run_g0/run_g0_t0.nidq.bin", (["mouse2"], [])),
        ("raw/mouse1/kilosort/spike_times.npy", (["mouse1"], [])),
        ("raw/mouse1/camDLC_resnet50_demoMay2shuffle1_1000.csv", (["mouse1"], [])),
        ("raw/mouse1/lab.yaml", (["mouse1"], ["mouse1"])),
    ):
        before = (place / changed).stat()
        touch(place / changed)
        assert converted(make(place, *dry)) == sessions, changed
        os.utime(place / changed, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert make(place, *dry).stdout == nothing.stdout

    # and not only on paper
    made = {i: (place / f"nwb/mouse{i}.nwb").stat().st_mtime_ns for i in (1, 2, 3)}
    touch(place / "raw/mouse2/trials.xlsx")
    redone = make(place, "SALVAGE=--salvage")
    assert redone.returncode == 0 and converted(redone) == (["mouse2"], [])
    now = {i: (place / f"nwb/mouse{i}.nwb").stat().st_mtime_ns for i in (1, 2, 3)}
    assert [i for i in now if now[i] != made[i]] == [2]
    assert "Nothing to be done" in make(place, "SALVAGE=--salvage").stdout


def test_raw_files_stay(place):
    """Sessions of one's own without a lab.yaml are told of, not generated over."""
    for name in ("mine", "mouse1", "mouse3"):
        kept = place / "own" / "raw" / name / "precious.bin"
        kept.parent.mkdir(parents=True)
        kept.write_bytes(b"data")
    for name in ("Makefile", "lab.yaml"):
        shutil.copy(MULTI / name, place / "own")
    done = make(place, "-C", "own", "SESSIONS=mine mouse1 mouse3")
    assert done.returncode == 2
    assert "No rule to make target 'raw/mine/lab.yaml'" in done.stderr
    assert "demo_session: 'raw/mouse1' is not empty" in done.stderr
    assert "demo_session: 'raw/mouse3' is not empty" in done.stderr
    assert make(place, "-C", "own", "clean").returncode == 0
    assert sorted(str(p.relative_to(place / "own")) for p in place.glob("own/raw/*/*")) == [
        "raw/mine/precious.bin",
        "raw/mouse1/precious.bin",
        "raw/mouse3/precious.bin",
    ]


def options():
    """The offsets that the Makefile gives."""
    return re.findall(r"--offset '([^']+)'", (MULTI / "Makefile").read_text())


def test_pipeline(place, first):
    given = [word for offset in options() for word in ("--offset", offset)]
    done = run(place, "sh", "pipeline.sh", "raw", "out dir", "-m", "lab.yaml",
               "--timezone", "Europe/Lisbon", *given)  # fmt: skip
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        "mouse1-run_g0\t0\t",
        "mouse2-run_g0\t0\t",
        f"mouse3-run_g0\t65\t {CUT} (fileSizeBytes)",
    ]
    assert sorted(p.name for p in place.glob("out dir/*.nwb")) == [
        "mouse1-run_g0.nwb",
        "mouse2-run_g0.nwb",
    ]


def test_pipeline_where_there_is_nothing(place):
    (place / "empty").mkdir()
    done = run(place, "sh", "pipeline.sh", "empty", "none")
    assert done.returncode == 1
    assert "no known format in 'empty'" in done.stderr
    assert run(place, "sh", "pipeline.sh").returncode != 0


def test_offsets_are_those_of_the_rig(tmp_path):
    truth = write_session(tmp_path / "s", seconds=1, channels=[0], units=1)
    by_clock = {clock.split("/")[1]: f"{offset:.9f}" for clock, offset in truth.offsets.items()}
    given = dict(offset.removeprefix("*/").split("=") for offset in options())
    assert given == by_clock
