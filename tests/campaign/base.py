"""What the campaigns share: a small session, the command, and what must never be seen."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from examples.spikeglx_run import Probe, write_run
from nwbkit.verify import verify

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}
SUFFIXES = (".nwb", ".nwb.zarr")


@dataclass
class Outcome:
    """What a campaign saw.

    Parameters
    ----------
    title : str
    counts : Counter
        How often each outcome came.
    failures : list of str
        What must never happen; empty where all is well.
    """

    title: str
    counts: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    def rows(self) -> list[str]:
        """Lines of a table in Markdown."""
        lines = [f"| {what} | {n} |" for what, n in sorted(self.counts.items())]
        return [*lines, f"| **failures** | **{len(self.failures)}** |"]


def session(folder: Path, seconds: float = 2.0) -> Path:
    """A probe's recording of AP and LF."""
    write_run(folder, probes=(Probe(),), nidq=None, seconds=seconds, sha1=False)
    return folder


def command(raw: Path, out: Path, *more: object) -> list[str]:
    """The convert under trial."""
    line = [sys.executable, "-m", "nwbkit.cli", "convert", raw, "-o", out, "--timezone", "UTC"]
    return [str(word) for word in (*line, "--no-progress", "-q", *more)]


def start(line: Sequence[str]) -> subprocess.Popen[str]:
    """Run a command aside."""
    return subprocess.Popen(
        line, env=ENVIRONMENT, text=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )


def convert(raw: Path, out: Path, *more: object) -> str:
    """Convert, and return the content digest."""
    done = subprocess.run(
        command(raw, out, *more), env=ENVIRONMENT, text=True, capture_output=True, check=False
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    return content(out)


def sidecar(out: Path) -> Path:
    """Where the sidecar of `out` lies."""
    return out.with_name(out.name + ".json")


def content(out: Path) -> str:
    """The content digest that the sidecar of `out` names."""
    return str(json.loads(sidecar(out).read_text())["content"])


def whole(out: Path) -> bool:
    """Whether `out` is what its sidecar says, chunk by chunk."""
    return verify(str(out), jobs=2).ok


def remove(out: Path) -> None:
    """Remove an output and its sidecar."""
    sidecar(out).unlink(missing_ok=True)
    if out.is_dir():
        shutil.rmtree(out)
    else:
        out.unlink(missing_ok=True)


def copy(source: Path, target: Path) -> None:
    """Copy an output and its sidecar."""
    remove(target)
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        shutil.copyfile(source, target)
    shutil.copyfile(sidecar(source), sidecar(target))
