"""A convert that is killed leaves the older file whole, and the next run clears up after it."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from examples.spikeglx_run import Probe, write_run
from nwbkit import verify as verifying
from nwbkit.storage.publish import file_checksum

pytestmark = pytest.mark.xdist_group("kills")
KILLS = 20
#: Of each kill, whether the older file was still there.
KEPT: list[bool] = []


def convert(raw: Path, out: Path, *more: str) -> list[str]:
    command = [sys.executable, "-m", "nwbkit.cli", "convert", str(raw), "--timezone", "UTC"]
    return [*command, "-o", str(out), "--overwrite", "-j", "2", "--no-progress", *more]


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("raw")
    write_run(folder, probes=(Probe(bands=("ap",)),), nidq=None, seconds=4.0, sha1=False)
    return folder


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, raw: Path) -> tuple[Path, float]:
    """A folder with an older output, and how long a convert takes."""
    out = tmp_path_factory.mktemp("out") / "out.nwb"
    for _ in range(2):  # the first one also warms caches
        began = time.monotonic()
        subprocess.run(convert(raw, out), check=True, capture_output=True)
    return out, time.monotonic() - began


def litter(folder: Path) -> list[str]:
    return [p.name for p in folder.iterdir() if p.name.startswith(".")]


@pytest.mark.parametrize("k", range(KILLS))
def test_a_kill_leaves_a_whole_file(k: int, raw: Path, home: tuple[Path, float]) -> None:
    out, seconds = home
    sent = signal.SIGKILL if k % 2 else signal.SIGTERM
    before = file_checksum(out)
    left = litter(out.parent)  # by a kill -9 before this one
    # another content each time, so that a new file could not be taken for the older one
    process = subprocess.Popen(
        convert(raw, out, "--set-meta", f"NWBFile.notes=run {k} {os.getpid()}"),
        stderr=subprocess.DEVNULL,
    )
    time.sleep(seconds * random.Random(k).uniform(0.2, 0.9))
    process.send_signal(sent)
    status = process.wait(timeout=60)
    assert status in (-sent, 0)
    KEPT.append(file_checksum(out) == before)
    # the older file as it was, or (killed after the rename) the new one whole with its sidecar
    assert verifying.verify(str(out), jobs=2).ok
    if sent == signal.SIGTERM:
        assert set(litter(out.parent)) <= set(left)


def test_kills_came_before_the_rename() -> None:
    assert sum(KEPT) >= len(KEPT) // 4  # or the tests above have killed nothing of interest


def test_the_next_run_reaps_what_kills_left(raw: Path, home: tuple[Path, float]) -> None:
    out, _ = home
    (out.parent / f".{out.name}.nwbkit-00ff00ff00ff.part").write_bytes(b"left by a kill -9")
    subprocess.run(convert(raw, out), check=True, capture_output=True)
    assert litter(out.parent) == []
    assert sorted(p.name for p in out.parent.iterdir()) == ["out.nwb", "out.nwb.json"]
    assert verifying.verify(str(out), jobs=2).ok
