"""Kills and full disks: a store is there whole, or the older one is."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from examples.spikeglx_run import Nidq, Probe, write_run
from nwbkit import verify as verifying
from nwbkit.storage.publish import file_checksum

pytest.importorskip("hdmf_zarr")
pytestmark = pytest.mark.xdist_group("kills")
KILLS = 8
#: Of each kill, whether the older store was still there.
KEPT: list[bool] = []


def convert(raw: Path, out: Path, *more: str) -> list[str]:
    command = [sys.executable, "-m", "nwbkit.cli", "convert", str(raw), "--timezone", "UTC"]
    return [*command, "-o", str(out), "--overwrite", "-j", "2", "--no-progress", *more]


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("raw")
    write_run(folder, probes=(Probe(bands=("ap",)),), nidq=None, seconds=2.0, sha1=False)
    return folder


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, raw: Path) -> tuple[Path, float]:
    """A folder with an older output, and how long a convert takes."""
    out = tmp_path_factory.mktemp("out") / "out.nwb.zarr"
    began = time.monotonic()
    subprocess.run(convert(raw, out), check=True, capture_output=True)
    return out, time.monotonic() - began


def litter(folder: Path) -> list[str]:
    return [p.name for p in folder.iterdir() if p.name.startswith(".")]


@pytest.mark.parametrize("k", range(KILLS))
def test_a_kill_leaves_a_whole_store(k: int, raw: Path, home: tuple[Path, float]) -> None:
    out, seconds = home
    sent = signal.SIGKILL if k % 2 else signal.SIGTERM
    before = file_checksum(out)
    left = litter(out.parent)
    process = subprocess.Popen(
        convert(raw, out, "--set-meta", f"NWBFile.notes=run {k} {os.getpid()}"),
        stderr=subprocess.DEVNULL,
    )
    # from the moment on when there is something to lose
    while process.poll() is None and len(litter(out.parent)) <= len(left):
        time.sleep(0.005)
    time.sleep(seconds * random.Random(k).uniform(0.0, 0.5))
    process.send_signal(sent)
    status = process.wait(timeout=60)
    assert status in (-sent, 0)
    KEPT.append(file_checksum(out) == before)
    assert verifying.verify(str(out), jobs=2).ok
    if sent == signal.SIGTERM:
        assert set(litter(out.parent)) <= set(left)


def test_kills_came_before_the_exchange() -> None:
    assert sum(KEPT) >= len(KEPT) // 4


def test_the_next_run_reaps_what_kills_left(raw: Path, home: tuple[Path, float]) -> None:
    out, _ = home
    part = out.parent / f".{out.name}.nwbkit-00ff00ff00ff.part"
    (part / "acquisition").mkdir(parents=True)
    (part / "acquisition" / "0").write_bytes(b"left by a kill -9")
    subprocess.run(convert(raw, out), check=True, capture_output=True)
    assert litter(out.parent) == []
    assert sorted(p.name for p in out.parent.iterdir()) == [out.name, out.name + ".json"]
    assert verifying.verify(str(out), jobs=2).ok


@pytest.fixture(scope="module")
def digital(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording without a probe: nothing is written before the output is."""
    folder = tmp_path_factory.mktemp("digital")
    write_run(folder, probes=(), nidq=Nidq(), seconds=2.0, sha1=False)
    return folder


@pytest.mark.parametrize(
    ("source", "blocks", "what"),
    [
        ("raw", 4, "temporary file"),
        ("digital", 4, "out.nwb.zarr"),
        ("raw", 40, "out.nwb.zarr"),
        ("raw", 4000, "out.nwb.zarr"),
    ],
    ids=["aside", "skeleton", "chunk", "late"],
)
def test_a_full_disk_is_74_and_leaves_the_older_store(
    source: str, blocks: int, what: str, request: pytest.FixtureRequest, home: tuple[Path, float]
) -> None:
    """RLIMIT_FSIZE stands in for a full disk."""
    raw = request.getfixturevalue(source)
    out, _ = home
    before = file_checksum(out)
    left = litter(out.parent)
    done = subprocess.run(
        ["sh", "-c", f'ulimit -f {blocks}; exec "$@"', "sh", *convert(raw, out)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 74, done.stderr
    assert "Traceback" not in done.stderr
    assert what in done.stderr
    assert file_checksum(out) == before
    assert set(litter(out.parent)) <= set(left)


def test_one_of_many_converts_to_one_store_wins(raw: Path, tmp_path: Path) -> None:
    out = tmp_path / "race.nwb.zarr"
    command = [c for c in convert(raw, out) if c != "--overwrite"]
    racers = [subprocess.Popen(command, stderr=subprocess.DEVNULL) for _ in range(2)]
    results = sorted(r.wait(timeout=120) for r in racers)
    assert results[0] == 0
    assert set(results[1:]) <= {73, 75}
    assert verifying.verify(str(out), jobs=2).ok
    assert sorted(p.name for p in tmp_path.iterdir()) == [out.name, out.name + ".json"]
