"""How long nwbkit takes next to NeuroConv, both as whole processes, and next to its own codec.

    python benchmarks/run.py [--cases neuropixels,movie] [--gb 1 --gb 2] [--runs 3] [--work DIR]
                             [--scale 0.05] [--sides full,neuroconv] [--no-memory] [--check]

Run it with the Python of nwbkit's environment; NeuroConv gets its own, made on the first run.
Standard library only; Linux. See README.md beside this file for what the numbers mean.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.cases import CASES, SIDES, SMALL, command
from benchmarks.floors import findings
from benchmarks.measuring import (
    ENV,
    HERE,
    ROOT,
    Failed,
    compile_bytecode,
    facts,
    measure,
    neuroconv_python,
    warm,
)
from benchmarks.performance import page, table

#: Sides that only the largest size of a case runs.
LARGEST_ONLY = ("none", "sample", "zarr", "neuroconv_zarr")


def turns(
    name: str, source: Path, sides: Sequence[str], runs: int, work: Path, neuroconv: Path
) -> tuple[dict[str, list[dict[str, Any]]], dict[str, str]]:
    """Let the sides take turns; returns what was measured, and which side failed with what."""
    measured: dict[str, list[dict[str, Any]]] = {side: [] for side in sides}
    failed: dict[str, str] = {}
    for i in range(runs):
        for side in sides:
            if side in failed:
                continue
            out, line = command(side, name, source, work, neuroconv)
            warm(source)
            try:
                found = measure(line, out, work / f"{side}.log")
            except Failed as error:
                failed[side] = str(error)
                print(f"{name}  {side}: {error}", file=sys.stderr)
                continue
            measured[side].append(found)
            print(f"{name}  {side} {i + 1}: {found['wall_s']:.2f} s", file=sys.stderr)
    return measured, failed


def same(name: str, sides: Sequence[str], work: Path, neuroconv: Path) -> list[str]:
    """Hold each nwbkit output of the last turn against NeuroConv's, once."""
    said = []
    for side in sides:
        other = "neuroconv_zarr" if side == "zarr" else "neuroconv"
        if side.startswith("neuroconv") or other not in sides:
            continue
        outs = [command(s, name, work, work, neuroconv)[0] for s in (side, other)]
        look = [neuroconv, HERE / "same_samples.py", name, *outs]
        done = subprocess.run(
            list(map(str, look)), env=ENV, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise SystemExit(f"{name}: {side} and {other}: {done.stdout}{done.stderr[-1500:]}")
        said.append(f"{side} and {other} {done.stdout.strip()}")
        print(f"{name}  {said[-1]}", file=sys.stderr)
    return said


def against_codec(name: str, source: Path, work: Path, runs: int) -> dict[str, Any]:
    """What ceiling.py says of the case."""
    line = [sys.executable, HERE / "ceiling.py", source, "--json", "--work", work]
    line += ["--runs", runs, "--", *CASES[name].options]
    done = subprocess.run(
        list(map(str, line)), cwd=ROOT, env=ENV, stdout=subprocess.PIPE, text=True, check=True
    )
    return dict(json.loads(done.stdout))


def ratios(measured: dict[str, list[dict[str, Any]]]) -> dict[str, list[float]]:
    """NeuroConv's wall time by nwbkit's, pair by pair, for each of nwbkit's sides."""
    found = {}
    for side, values in measured.items():
        other = measured.get("neuroconv_zarr" if side == "zarr" else "neuroconv", ())
        if not side.startswith("neuroconv"):
            found[side] = [
                b["wall_s"] / a["wall_s"] for a, b in zip(values, other, strict=False)
            ]  # fmt: skip
    return found


def run_case(name: str, size: float, largest: bool, args: Any, neuroconv: Path) -> dict[str, Any]:
    """All of one case at one size; a smaller one has fewer sides and is not held to the codec."""
    sides = [s for s in args.sides or SIDES if s in CASES[name].sides]
    if not largest:
        sides = [s for s in sides if s not in LARGEST_ONLY]
    case, work = CASES[name], args.work
    small = case.make(name, work, size * SMALL)
    _, failed = turns(name, small, sides, 1, work, neuroconv)
    if failed:
        raise SystemExit(f"{name}: {', '.join(failed)} failed at the warm-up")
    source = case.make(name, work, size)
    raw = warm(source)
    runs = max(1, args.runs - case.fewer)
    measured, failed = turns(name, source, sides, runs, work, neuroconv)
    sides = [side for side in sides if side not in failed]
    found = {
        "case": name,
        "size": size,
        "title": case.title.format(size=f"{size:g}"),
        "raw_bytes": raw,
        "data_bytes": next(
            (v[0]["measured"]["raw_bytes"] for v in measured.values() if v and "measured" in v[0]),
            raw,
        ),
        "measured": measured,
        "failed": failed,
        "same": same(name, sides, work, neuroconv),
        "ratios": ratios(measured),
    }
    found["median_ratios"] = {k: statistics.median(v) for k, v in found["ratios"].items() if v}
    if not args.no_ceiling and "full" in sides and largest:
        found["ceiling"] = against_codec(name, source, work, args.runs)
    return found


def memory(args: Any, scale: float) -> list[dict[str, Any]]:
    """What memory.py says."""
    sizes = [f"{max(0.02, gb * scale):g}" for gb in (1, 8)]
    line = [sys.executable, HERE / "memory.py", "--json", "--work", args.work, "--gb", *sizes]
    done = subprocess.run(
        list(map(str, line)), cwd=ROOT, env=ENV, stdout=subprocess.PIPE, text=True, check=True
    )
    return list(json.loads(done.stdout))


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    add = parser.add_argument
    add("--cases", default=",".join(CASES), help=f"of {', '.join(CASES)}; default: all")
    add("--gb", type=float, action="append", help="sizes of neuropixels (default: 1 and 2)")
    add("--scale", type=float, default=1.0, help="of all sizes, for a trial")
    add("--runs", type=int, default=3, help="measured conversions a side (default: 3)")
    add("--sides", help="; ".join(f"{k}: {v}" for k, v in SIDES.items()))
    add("--work", type=Path, default=Path("bench-out"), help="folder used (default: ./bench-out)")
    add("--no-ceiling", action="store_true", help="leave out the codec alone")
    add("--no-memory", action="store_true", help="leave out memory.py (always with --cases)")
    add("--check", action="store_true", help="exit 1 where a floor of floors.py is missed")
    add("--page", type=Path, help="where the page goes (default, for a whole run: the docs)")
    args = parser.parse_args()
    args.cases = args.cases.split(",")
    args.sides = args.sides.split(",") if args.sides else None
    args.whole = set(args.cases) == set(CASES) and args.scale == 1 and not args.sides
    unknown = set(args.cases) - set(CASES) or set(args.sides or ()) - set(SIDES)
    if unknown or args.runs < 1:
        parser.error(f"no such case or side: {', '.join(unknown)}" if unknown else "--runs from 1")
    args.work = args.work.resolve()
    return args


def main() -> int:
    """Parse, prepare, measure, tell."""
    args = arguments()
    args.work.mkdir(parents=True, exist_ok=True)
    neuroconv = neuroconv_python(args.work)
    compile_bytecode(neuroconv, neuroconv.parents[1] / "lib")
    compile_bytecode(sys.executable, sysconfig.get_path("purelib"), ROOT / "nwbkit")
    # pynwb's type map, which NeuroConv's own warm-up leaves in ~/.cache
    subprocess.run([sys.executable, "-m", "nwbkit.nwb.library"], env=ENV, cwd=ROOT, check=True)
    result: dict[str, Any] = {"facts": facts(neuroconv), "scale": args.scale, "cases": []}
    saved = args.work / "result.json"
    for name in args.cases:
        sizes = sorted(args.gb or [1.0, 2.0]) if name == "neuropixels" else [CASES[name].default]
        for size in sizes:
            largest = size == sizes[-1]
            result["cases"].append(run_case(name, size * args.scale, largest, args, neuroconv))
            print("\n" + table(result["cases"][-1]), flush=True)
            saved.write_text(json.dumps(result, indent=1) + "\n")
    if not args.no_memory and set(args.cases) == set(CASES):
        result["memory"] = memory(args, args.scale)
        saved.write_text(json.dumps(result, indent=1) + "\n")
    where = args.page or (ROOT / "docs" / "performance.md" if args.whole else None)
    if where is not None:
        where.write_text(page(result))
    missed = [f for f in findings(result) if not f.ok]
    print(*findings(result), sep="\n")
    return int(args.check and bool(missed))


if __name__ == "__main__":
    sys.exit(main())
