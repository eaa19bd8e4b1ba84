"""Disks that fill up at every possible moment: 74, the older output whole, nothing left."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

from .base import ENVIRONMENT, ROOT, SUFFIXES, Outcome, command, convert, copy, sidecar


def full_disks(raw: Path, folder: Path, count: int) -> Outcome | None:
    """Convert onto tmpfs of `count` sizes; None where this user may not mount one.

    The mounts live in a mount namespace of their own, so that nothing is left of them.
    """
    line = ["unshare", "-rm", sys.executable, "-m", "tests.campaign.full_disk", raw, folder, count]
    done = subprocess.run(
        [str(word) for word in line],
        cwd=ROOT,
        env=ENVIRONMENT,
        text=True,
        capture_output=True,
        check=False,
    )
    if done.returncode:
        if "unshare" in done.stderr or "mount" in done.stderr:
            return None
        raise RuntimeError(done.stderr)
    said = json.loads(done.stdout)
    outcome = Outcome("full disks", failures=said["failures"])
    outcome.counts.update(said["counts"])
    return outcome


def _size(out: Path) -> int:
    if not out.is_dir():
        return out.stat().st_size
    return sum(-(-p.stat().st_size // 4096) * 4096 for p in out.rglob("*") if p.is_file())


def _try_sizes(raw: Path, folder: Path, count: int) -> Outcome:
    outcome = Outcome("full disks")
    disk = folder / "disk"
    disk.mkdir(exist_ok=True)
    for suffix in SUFFIXES:
        older, new = folder / f"old{suffix}", folder / f"all{suffix}"
        convert(raw, older, "--stub", 0.05, "--overwrite")
        convert(raw, new, "--overwrite")
        base = _size(older) + sidecar(older).stat().st_size + (256 << 10)
        for number in range(count // len(SUFFIXES)):
            share = (number + 0.5) / (count // len(SUFFIXES))
            # up to where all but the last few kilobytes fit
            _one(outcome, raw, disk, older, int(base + share * 0.97 * _size(new)))
    return outcome


def _one(outcome: Outcome, raw: Path, disk: Path, older: Path, size: int) -> None:
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size >> 10}k", "none", str(disk)], check=True
    )
    try:
        out = disk / f"out{''.join(older.suffixes)}"
        copy(older, out)
        before = _bytes(out), sidecar(out).read_bytes()
        done = subprocess.run(
            command(raw, out, "--overwrite"),
            env=ENVIRONMENT,
            text=True,
            capture_output=True,
            check=False,
        )
        outcome.counts[f"{older.name.partition('.')[2]}: exit status {done.returncode}"] += 1
        said = f"{out.name} on {size >> 10} kB"
        if done.returncode != 74:
            outcome.failures.append(f"{said}: exit status {done.returncode}: {done.stderr}")
        if "no space left" not in done.stderr:
            outcome.failures.append(f"{said}: says {done.stderr!r}")
        if (_bytes(out), sidecar(out).read_bytes()) != before:
            outcome.failures.append(f"{said}: the older output has changed")
        left = {p.name for p in disk.iterdir()} - {out.name, sidecar(out).name}
        if left:
            outcome.failures.append(f"{said}: left behind {sorted(left)}")
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def _bytes(out: Path) -> dict[str, bytes]:
    files = out.rglob("*") if out.is_dir() else [out]
    return {str(p): p.read_bytes() for p in files if p.is_file()}


if __name__ == "__main__":
    seen = _try_sizes(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
    shutil.rmtree(Path(sys.argv[2]) / "disk", ignore_errors=True)
    print(json.dumps({"counts": dict(seen.counts), "failures": seen.failures}))
