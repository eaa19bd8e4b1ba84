"""Running one conversion as a process of its own and taking its measure. Linux, standard library.

The runner itself must stay small: the kernel gives a child the peak of the process that started
it as its first peak, so nothing that is large is imported here.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
REQUIREMENTS = HERE / "neuroconv-requirements.txt"
# No bytecode is written where this is set, and an import then costs seconds on either side.
ENV = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
ENV["PYTHONPATH"] = str(ROOT)
PACKAGES = (
    "neuroconv", "spikeinterface", "roiextractors", "tifffile", "neo", "pynwb", "hdmf",
    "hdmf_zarr", "zarr", "numcodecs", "h5py", "numpy", "isal",
)  # fmt: skip


class Failed(Exception):
    """A process that did not end with the status it should."""


def neuroconv_python(work: Path) -> Path:
    """Python of an environment with exactly the pinned requirements, made if not there.

    Returns
    -------
    Path
        Its interpreter.
    """
    pins = hashlib.sha256(sys.version.encode() + REQUIREMENTS.read_bytes()).hexdigest()[:8]
    venv, python = work / f"neuroconv-{pins}", work / f"neuroconv-{pins}" / "bin" / "python"
    if not (venv / "complete").exists():
        print("making an environment for NeuroConv", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", "--clear", venv], check=True)
        install = [python, "-m", "pip", "install", "--quiet", "-r", REQUIREMENTS]
        subprocess.run(install, check=True)
        (venv / "complete").touch()
    return python


def compile_bytecode(python: Path | str, *folders: Path | str) -> None:
    """Compile all that lies in `folders` and has no up-to-date bytecode yet."""
    # Packages carry a few files that are not meant to compile: its exit status says nothing.
    subprocess.run([python, "-m", "compileall", "-qq", "-j0", *folders], env=ENV, check=False)


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files below a folder."""
    if path.is_file():
        return path.stat().st_size
    return sum(p.stat().st_size for p in path.rglob("*") if p.is_file())


def warm(source: Path) -> int:
    """Read every raw file once, so that it is in the page cache; returns their size."""
    buffer, total = bytearray(1 << 23), 0
    for path in [source] if source.is_file() else sorted(source.rglob("*")):
        if path.is_file():
            with open(path, "rb", buffering=0) as f:
                while n := f.readinto(buffer):
                    total += n
    return total


def busy() -> float:
    """CPU seconds that the whole machine has spent, on anything, since it started."""
    line = Path("/proc/stat").read_text().partition("\n")[0]
    user, nice, system, _, _, *rest = map(int, line.split()[1:9])
    return (user + nice + system + sum(rest)) / os.sysconf("SC_CLK_TCK")


def measure(
    command: Sequence[Any], out: Path, log: Path, limit: Any = None, timeout: float = 1800
) -> dict[str, Any]:
    """Run one conversion to its end.

    Parameters
    ----------
    command : sequence
    out : Path
        What it writes; its folder is emptied first.
    log : Path
        Where its messages go.
    limit : callable, optional
        Called in the child before it becomes `command`.
    timeout : float
        Seconds.

    Returns
    -------
    dict
        ``wall_s``, ``cpu_s`` (user + system), ``user_s``, ``system_s``, ``others_cpu_s`` (of all
        other processes meanwhile), ``rss_bytes`` (peak), ``out_bytes``, and of nwbkit
        ``measured``, from the sidecar.

    Raises
    ------
    Failed
        Where it ends with another status than 0.
    """
    shutil.rmtree(out.parent, ignore_errors=True)
    out.parent.mkdir(parents=True)
    os.sync()  # nobody pays for what an earlier process left to be written
    with open(log, "wb") as messages:
        before, began = busy(), time.perf_counter()
        child = subprocess.Popen(
            ["timeout", "-k", "5", str(timeout), *map(str, command)] if limit is None
            else list(map(str, command)),
            cwd=ROOT, env=ENV, stdin=subprocess.DEVNULL, stdout=messages, stderr=messages,
            preexec_fn=limit,
        )  # fmt: skip
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.perf_counter() - began
    cpu = usage.ru_utime + usage.ru_stime
    others = max(0.0, busy() - before - cpu)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        tail = log.read_text(errors="replace")[-1500:]
        raise Failed(f"{tail}\nexit {child.returncode}: {log}")
    found = {
        "wall_s": wall,
        "cpu_s": cpu,
        "user_s": usage.ru_utime,
        "system_s": usage.ru_stime,
        "others_cpu_s": others,
        "rss_bytes": usage.ru_maxrss * 1024,
        "out_bytes": size_of(out),
    }
    sidecar = out.with_name(out.name + ".json")
    if sidecar.exists():
        found["measured"] = json.loads(sidecar.read_text())["measured"]
    return found


def said(*command: Any) -> str:
    """What a command prints; 'unknown' where it fails."""
    done = subprocess.run(
        list(map(str, command)), cwd=ROOT, env=ENV, capture_output=True, text=True, check=False
    )
    return done.stdout.strip() if done.returncode == 0 else "unknown"


def facts(neuroconv: Path | None) -> dict[str, Any]:
    """Machine and versions."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = {x.partition(":")[2].strip() for x in lines if x.startswith("model name")}
    code = (
        "import importlib.metadata as m, json, sys\n"
        "have = {d.name.lower().replace('-', '_'): d.version for d in m.distributions()}\n"
        "print(json.dumps({p: have[p] for p in sys.argv[1:] if p in have}))"
    )
    nwbkit = said(sys.executable, "-m", "nwbkit.cli", "--version")
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "cpu": ", ".join(models) or platform.machine(),
        "cpus": len(os.sched_getaffinity(0)),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "system": platform.platform(),
        "python": platform.python_version(),
        "nwbkit": f"{nwbkit} ({said('git', 'describe', '--always', '--dirty')})",
        "nwbkit_side": json.loads(said(sys.executable, "-c", code, *PACKAGES)),
        "neuroconv_side": (json.loads(said(neuroconv, "-c", code, *PACKAGES)) if neuroconv else {}),
    }
