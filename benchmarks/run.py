"""How long nwbkit takes for a Neuropixels run, next to NeuroConv, both as whole processes.

    python benchmarks/run.py [--gb 1 --gb 4] [--runs 3] [--sides AB] [--work DIR] [--check]

Run it with the Python of nwbkit's environment; NeuroConv gets its own, made on the first run.
Standard library only; Linux. See README.md beside this file for what the numbers mean.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import sysconfig
import time
from datetime import UTC, datetime
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
GENERATOR = ROOT / "examples" / "spikeglx_run.py"
REQUIREMENTS = HERE / "neuroconv-requirements.txt"
SIDES = {
    "A": "nwbkit",
    "B": "NeuroConv",
    "C": "nwbkit --prove none",
    "D": "nwbkit --max-memory 256M",
}
BYTES_A_SECOND = 385 * 2 * 30000.123456  # of the AP band of the generator's first probe
FLOOR, FLOOR_GB = 5.0, 1.0  # what --check asks of B/A, and at which size
PACKAGES = ["neuroconv", "spikeinterface", "neo", "pynwb", "hdmf", "h5py", "numpy", "isal"]
# No bytecode is written where this is set, and an import then costs seconds on either side.
ENV = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}


# ---------------------------------------------------------------- what is needed first


def run_folder(work: Path, gb: float) -> Path:
    """Folder of a generated gate with one AP file of `gb` times 10**9 bytes, made if not there.

    Parameters
    ----------
    work : Path
    gb : float
        Size of the .bin file.

    Returns
    -------
    Path
        It ends in ``bench_g0``.
    """
    made_by = hashlib.sha256(GENERATOR.read_bytes()).hexdigest()[:8]
    folder = work / "runs" / f"{gb:g}GB-{made_by}"
    if not folder.exists():
        print(f"making a run of {gb:g} GB", file=sys.stderr)
        part = folder.with_name(folder.name + ".part")
        shutil.rmtree(part, ignore_errors=True)
        command = [sys.executable, GENERATOR, part, "--run", "bench", "--bands", "ap"]
        command += ["--no-nidq", "--seconds", repr(gb * 1e9 / BYTES_A_SECOND)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        part.rename(folder)
    return folder / "bench_g0"


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


# ---------------------------------------------------------------- one conversion


def warm(run: Path) -> int:
    """Read the raw file once, so that it is in the page cache; returns its size."""
    (path,) = run.rglob("*.bin")
    buffer = bytearray(1 << 23)
    with open(path, "rb", buffering=0) as f:
        while f.readinto(buffer):
            pass
    return path.stat().st_size


def busy() -> float:
    """CPU seconds that the whole machine has spent, on anything, since it started."""
    line = Path("/proc/stat").read_text().partition("\n")[0]
    user, nice, system, _, _, *rest = map(int, line.split()[1:9])
    return (user + nice + system + sum(rest)) / os.sysconf("SC_CLK_TCK")


def measure(command: list, out: Path, log: Path) -> dict:
    """Run one conversion to its end.

    Parameters
    ----------
    command : list
    out : Path
        The file it writes.
    log : Path
        Where its messages go.

    Returns
    -------
    dict
        ``wall_s``, ``cpu_s`` (user + system), ``others_cpu_s`` (of all other processes
        meanwhile), ``rss_bytes`` (peak), ``out_bytes``.
    """
    shutil.rmtree(out.parent, ignore_errors=True)
    out.parent.mkdir(parents=True)
    os.sync()  # nobody pays for what an earlier process left to be written
    with open(log, "wb") as messages:
        before, began = busy(), time.perf_counter()
        child = subprocess.Popen(
            command, cwd=ROOT, env=ENV, stdin=subprocess.DEVNULL, stdout=messages, stderr=messages
        )
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.perf_counter() - began
    cpu = usage.ru_utime + usage.ru_stime
    others = max(0.0, busy() - before - cpu)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        sys.exit(f"{log.read_text(errors='replace')[-2000:]}\nexit {child.returncode}: {log}")
    return {
        "wall_s": wall,
        "cpu_s": cpu,
        "others_cpu_s": others,
        "rss_bytes": usage.ru_maxrss * 1024,
        "out_bytes": out.stat().st_size,
    }


def commands(run: Path, out: Path, neuroconv: Path) -> dict[str, list]:
    """The command line of each side."""
    nwbkit = [sys.executable, "-m", "nwbkit.cli", "convert", run]
    nwbkit += ["-m", HERE / "lab.yaml", "-o", out]
    return {
        "A": nwbkit,
        "B": [neuroconv, HERE / "neuroconv_convert.py", run, out],
        "C": [*nwbkit, "--prove", "none"],
        "D": [*nwbkit, "--max-memory", "256M"],
    }


def compare(work: Path, gb: float, sides: str, runs: int, neuroconv: Path) -> dict:
    """All conversions of one size: a warm-up of each side, then A B A B.

    Parameters
    ----------
    work : Path
    gb : float
        Size of the raw file.
    sides : str
        Some of the letters of ``SIDES``, in order.
    runs : int
        Times that each is measured.
    neuroconv : Path
        Its interpreter.

    Returns
    -------
    dict
        The measured values, and the ratio B/A of each pair.
    """
    run, out = run_folder(work, gb), work / "out" / "out.nwb"
    every, measured = commands(run, out, neuroconv), {side: [] for side in sides}
    size = {"gb": gb, "raw_bytes": warm(run)}
    for i in range(runs + 1):
        for side in sides:
            warm(run)
            values = measure(every[side], out, work / f"{side}.log")
            if i == 0:  # the warm-up's product is looked at, its time thrown away
                look = [neuroconv, HERE / "same_samples.py", run, out]
                values["samples"] = subprocess.run(
                    look, check=True, env=ENV, stdout=subprocess.PIPE, text=True
                ).stdout.strip()
            note = values.get("samples") or f"{values['wall_s']:.2f} s"
            print(f"{gb:g} GB  {side} {i or 'warm-up'}: {note}", file=sys.stderr)
            if i:
                measured[side].append(values)
    shutil.rmtree(out.parent)
    pairs = zip(measured.get("B", ()), measured.get("A", ()), strict=False)
    ratios = [b["wall_s"] / a["wall_s"] for b, a in pairs]
    ratio = statistics.median(ratios) if ratios else None
    return {**size, "measured": measured, "ratios": ratios, "ratio": ratio}


# ---------------------------------------------------------------- what is said of it


def facts(neuroconv: Path) -> dict:
    """Machine and versions."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = {x.partition(":")[2].strip() for x in lines if x.startswith("model name")}
    code = (
        "import importlib.metadata as m, json, sys\n"
        "have = {d.name.lower(): d.version for d in m.distributions()}\n"
        "print(json.dumps({p: have[p] for p in sys.argv[1:] if p in have}))"
    )

    def said(*command) -> str:
        done = subprocess.run(command, cwd=ROOT, env=ENV, capture_output=True, text=True)
        return done.stdout.strip() if done.returncode == 0 else "unknown"

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
        "neuroconv_side": json.loads(said(neuroconv, "-c", code, *PACKAGES)),
    }


def table(size: dict) -> str:
    """Medians of one size, one line a side."""
    rows = [("", "wall s", "min-max", "cpu s", "others s", "peak MiB", "out MB", "raw MB/s")]
    for side, values in size["measured"].items():
        keys = ("wall_s", "cpu_s", "others_cpu_s", "rss_bytes", "out_bytes")
        wall, cpu, others, rss, out = (statistics.median(v[k] for v in values) for k in keys)
        walls = sorted(v["wall_s"] for v in values)
        texts = [f"{wall:.2f}", f"{walls[0]:.2f}-{walls[-1]:.2f}", f"{cpu:.2f}", f"{others:.2f}"]
        numbers = (rss / 2**20, out / 1e6, size["raw_bytes"] / wall / 1e6)
        rows.append((f"{side} {SIDES[side]}", *texts, *(f"{x:.0f}" for x in numbers)))
    lines = [f"{size['gb']:g} GB raw, medians"]
    lines += [row[0].ljust(26) + "".join(f"{cell:>12}" for cell in row[1:]) for row in rows]
    if size["ratios"]:
        each = ", ".join(f"{r:.2f}" for r in size["ratios"])
        lines.append(f"B/A {size['ratio']:.2f} (pairs: {each})")
    return "\n".join(lines)


def main() -> int:
    """Parse, prepare, measure, tell."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    add = parser.add_argument
    add("--gb", type=float, action="append", help="size of the raw file (default: 1 and 4)")
    add("--runs", type=int, default=3, help="measured conversions a side (default: 3)")
    add("--sides", default="AB", help="; ".join(f"{k}: {v}" for k, v in SIDES.items()))
    add("--work", type=Path, default=Path("bench-out"), help="folder used (default: ./bench-out)")
    add("--check", action="store_true", help=f"exit 1 if B/A < {FLOOR:g} at {FLOOR_GB:g} GB")
    args = parser.parse_args()
    sizes = args.gb or [1.0, 4.0]
    if args.runs < 1 or not args.sides or set(args.sides) - set(SIDES):
        parser.error(f"--runs from 1, --sides of {''.join(SIDES)}")
    if args.check and not (FLOOR_GB in sizes and {"A", "B"} <= set(args.sides)):
        parser.error(f"--check needs --gb {FLOOR_GB:g} and --sides AB")
    work = args.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    neuroconv = neuroconv_python(work)
    compile_bytecode(neuroconv, neuroconv.parents[1] / "lib")
    compile_bytecode(sys.executable, sysconfig.get_path("purelib"), ROOT / "nwbkit")
    # pynwb's type map, which NeuroConv's own warm-up leaves in ~/.cache
    subprocess.run([sys.executable, "-m", "nwbkit.nwb.library"], env=ENV, cwd=ROOT, check=True)

    result = {"facts": facts(neuroconv), "sizes": []}
    for name, value in result["facts"].items():
        print(f"{name}: {value}")
    for gb in sizes:
        result["sizes"].append(compare(work, gb, args.sides, args.runs, neuroconv))
        print("\n" + table(result["sizes"][-1]), flush=True)
        (work / "result.json").write_text(json.dumps(result, indent=1) + "\n")
    if args.check:
        ratio = next(size["ratio"] for size in result["sizes"] if size["gb"] == FLOOR_GB)
        print(f"\n{'ok' if ratio >= FLOOR else 'FAILED'}: {ratio:.2f}, asked for {FLOOR:g}")
        return int(ratio < FLOOR)
    return 0


if __name__ == "__main__":
    sys.exit(main())
