"""How near nwbkit's fill comes to the codec alone, in one process, turn by turn.

    python benchmarks/ceiling.py RAW [--mb 500] [--runs 3] [--json] [-- CONVERT-OPTIONS]

Opens RAW as `nwbkit convert` does, writes the skeleton, and times:

    codec   encoding (cut, shuffle, deflate) of the first `mb` of the same chunks held in memory
    fill    reading, digesting, encoding and writing all of it (nwbkit.storage.pipeline.fill)
    prove   `--prove full` and `--prove sample` of what was written
    write   already encoded chunks put into the file by one thread, which is what is done while
            HDF5's lock is held; read: the source read by one thread

codec and fill take turns on one core and on all. The fill inside `nwbkit convert` begins while
pynwb is still being imported, so it cannot be timed there; here it is whole and by itself.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from nwbkit.convert import Request, prepared
from nwbkit.nwb.library import load_pynwb
from nwbkit.nwb.skeleton import write_skeleton
from nwbkit.proving import check_arrays, check_expected
from nwbkit.storage import pipeline
from nwbkit.storage.backends import sink_of
from nwbkit.storage.codec import Scratch
from nwbkit.storage.cutting import chunks_of
from nwbkit.storage.holes import Hole, resolve
from nwbkit.storage.protected import protect
from nwbkit.storage.spot import spot_check
from nwbkit.writing import Work, assemble_file

LAB = Path(__file__).with_name("lab.yaml")
MEMORY = 1 << 30
_own = threading.local()


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds that `work` takes, and its result."""
    began = time.perf_counter()
    result = work()
    return time.perf_counter() - began, result


def bands(holes: Sequence[Hole], budget: int) -> list[tuple[Hole, int, Any]]:
    """The first lines of chunks of each hole, in memory, `budget` bytes of all together."""
    total = sum(h.nbytes for h in holes) or 1
    made = []
    for hole in holes:
        step = hole.plan.chunks[0] if hole.plan.chunks else 0
        if not step or not hole.nbytes:
            continue
        row = hole.nbytes // hole.shape[0]
        rows = min(hole.shape[0], max(1, round(budget * hole.nbytes / total / row / step)) * step)
        for start in range(0, rows, step):
            block = hole.source.read(start, min(start + step, hole.shape[0]))
            made.append((hole, start, block.reshape(len(block), *hole.shape[1:])))
    return made


def encode_all(blocks: Sequence[tuple[Hole, int, Any]], threads: int) -> list[Any]:
    """Encode every chunk of `blocks`; ``(hole, offset, bytes)`` of each."""

    def one(item: tuple[Hole, int, Any]) -> list[Any]:
        scratch = _own.__dict__.setdefault("scratch", Scratch())
        hole, start, band = item
        return [(hole, at, bytes(d)) for at, d in chunks_of(hole, start, band, scratch)]

    with ThreadPoolExecutor(threads) as pool:
        return [chunk for chunks in pool.map(one, blocks) for chunk in chunks]


def read_rate(holes: Sequence[Hole], budget: int) -> float:
    """Raw bytes a second that one thread reads."""
    total, began = 0, time.perf_counter()
    for hole in holes:
        step = max(1, (16 << 20) // max(1, hole.nbytes // max(1, hole.shape[0])))
        for start in range(0, hole.shape[0], step):
            if total > budget:
                break
            total += hole.source.read(start, min(start + step, hole.shape[0])).nbytes
    return total / (time.perf_counter() - began)


class Bench:
    """One session, its skeleton, and what is timed on it.

    Parameters
    ----------
    work : Work
        Assembled.
    folder : Path
        For the file.
    """

    def __init__(self, work: Work, folder: Path) -> None:
        self.work, self.holes = work, list(work.holes)
        self.skeleton, self.part = folder / "skeleton.nwb", folder / "part.nwb"
        write_skeleton(work.nwbfile, self.skeleton, lambda: resolve(self.holes), prepare=protect)
        self.raw = sum(h.nbytes for h in self.holes)
        self.filled: Any = None

    def _fresh(self) -> None:
        shutil.copyfile(self.skeleton, self.part)
        os.sync()

    def fill(self, jobs: int) -> dict[str, float]:
        """One fill."""
        self._fresh()
        fill = lambda: pipeline.fill(self.part, self.holes, jobs=jobs, max_memory=MEMORY)  # noqa: E731
        seconds, self.filled = timed(fill)
        return {"s": seconds, "lock_wait_s": self.filled.measured.lock_wait_s}

    def prove(self, jobs: int) -> float:
        """The whole proof."""
        seconds, found = timed(
            lambda: check_arrays(self.part, self.filled.digests, jobs=jobs, max_memory=MEMORY)
        )
        return seconds + self._tables(found[0])

    def sample(self, jobs: int) -> float:
        """The proof by sample."""
        ledger = self.filled.ledger.by_path(self.holes)
        seconds, problems = timed(
            lambda: spot_check(self.part, ledger, self.filled.digests, jobs=jobs, max_memory=MEMORY)
        )
        return seconds + self._tables(problems)

    def _tables(self, problems: Any) -> float:
        seconds, tables = timed(lambda: check_expected(self.part, self.work.expected))
        if problems or tables:
            raise SystemExit(f"not what was written: {problems} {tables}")
        return seconds

    def write(self, chunks: Sequence[Any]) -> float:
        """Seconds to put encoded chunks into a fresh file, one after the other."""
        self._fresh()
        with sink_of(self.part, self.holes) as sink:
            return timed(lambda: [sink.put(*chunk) for chunk in chunks])[0]


def rounds(bench: Bench, mb: float, runs: int) -> dict[str, Any]:
    """All that is timed, `runs` times, after one round that is not."""
    budget, cores = int(mb * 1e6), len(os.sched_getaffinity(0))
    blocks = bands(bench.holes, budget)
    held = sum(block.nbytes for _, _, block in blocks)
    made: list[dict[str, float]] = []
    for k in range(runs + 1):
        found: dict[str, float] = {}
        for n in (cores, 1):
            seconds, chunks = timed(lambda n=n: encode_all(blocks, n))
            found[f"codec_{n}"] = held / seconds
            fill = bench.fill(n)
            found[f"fill_{n}"] = bench.raw / fill["s"]
            if n == cores:
                found["lock_share"] = fill["lock_wait_s"] / (fill["s"] * n)
                found["prove_share"] = bench.prove(n) / fill["s"]
                found["sample_share"] = bench.sample(n) / fill["s"]
        found["write_s_a_gb"] = bench.write(chunks) / held * 1e9
        found["read_rate"] = read_rate(bench.holes, budget)
        if k or not runs:
            made.append(found)
    median = {key: statistics.median(one[key] for one in made) for key in made[0]}
    pairs = [one[f"fill_{cores}"] / one[f"codec_{cores}"] for one in made]
    efficient = [one[f"fill_{cores}"] / (cores * one["fill_1"]) for one in made]
    stored = sum(len(data) for _, _, data in chunks)
    return {
        **median, "cores": cores, "raw_bytes": bench.raw, "block_bytes": held,
        "ratio": held / stored, "fill_of_codec": statistics.median(pairs),
        "efficiency": statistics.median(efficient),
        "codec_efficiency": median[f"codec_{cores}"] / (cores * median["codec_1"]),
        "concurrency": sorted({h.source.concurrency for h in bench.holes}),
        "each": made,
    }  # fmt: skip


def table(r: dict[str, Any]) -> str:
    """The result as text."""
    n = r["cores"]
    lines = [
        f"{r['raw_bytes'] / 1e6:.0f} MB, {r['block_bytes'] / 1e6:.0f} MB of it in memory for the "
        f"codec alone; ratio {r['ratio']:.2f}",
        f"{'MB/s of raw data':24}{'1 core':>10}{f'{n} cores':>10}{'efficient':>11}",
    ]
    for name, efficient in (("codec", "codec_efficiency"), ("fill", "efficiency")):
        one, all_ = (r[f"{name}_{k}"] / 1e6 for k in (1, n))
        lines.append(f"{name:24}{one:10.0f}{all_:10.0f}{r[efficient]:11.0%}")
    lines += [
        f"fill of codec {r['fill_of_codec']:.0%}; waiting for the lock {r['lock_share']:.1%}",
        f"prove {r['prove_share']:.0%} of the fill, by sample {r['sample_share']:.1%}",
        f"write under the lock {r['write_s_a_gb']:.3f} s a GB of raw data; read by one thread "
        f"{r['read_rate'] / 1e6:.0f} MB/s ({', '.join(r['concurrency'])})",
    ]
    return "\n".join(lines)


def main() -> None:
    """Open, measure and print."""
    own, theirs = sys.argv[1:], []
    if "--" in own:
        at = own.index("--")
        own, theirs = own[:at], own[at + 1 :]
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("raw", help="what is converted")
    parser.add_argument("--mb", type=float, default=500, help="blocks in memory (default: 500)")
    parser.add_argument("--runs", type=int, default=3, help="measured rounds (default: 3)")
    parser.add_argument("--work", type=Path, help="folder for the file (default: a temporary one)")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args(own)
    sets = [theirs[i + 1] for i, word in enumerate(theirs) if word == "--set"]
    load_pynwb()
    with tempfile.TemporaryDirectory(dir=args.work) as folder:
        request = Request([args.raw], f"{folder}/o.nwb", metadata=[str(LAB)], sets=sets)
        with prepared(request) as work:
            assemble_file(work)
            result = rounds(Bench(work, Path(folder)), args.mb, args.runs)
    print(json.dumps(result) if args.json else table(result))


if __name__ == "__main__":
    main()
