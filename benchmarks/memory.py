"""Peak memory of `nwbkit convert`, which must not grow with what is converted.

    python benchmarks/memory.py [--gb 1 8] [--kinds flat,hdf5,movie,masks] [--work DIR] [--json]

Each kind of source at each size, with --max-memory 256M: as it is, under RLIMIT_AS, and in a
cgroup (v2) of its own where this process may make one. The peak resident set must stay under
--max-memory + 300 MiB and be the same at all sizes. Standard library only; Linux.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.cases import CASES, nwbkit
from benchmarks.measuring import Failed, measure
from benchmarks.performance import memory_table

MIB = 1 << 20
MAX_MEMORY = 256 * MIB
ALLOWED = MAX_MEMORY + 300 * MIB
#: Address space is more than memory: libraries, a stack and an arena a thread.
ADDRESS_SPACE = 1536 * MIB
MASKS_GB = 2000 * 512 * 512 * 4 / 1e9
KINDS = ("flat", "hdf5", "movie", "masks")


class Skipped(Exception):
    """A limit that this machine does not let us set."""


def flat(work: Path, gb: float) -> tuple[str, Path]:
    """A Neuropixels run."""
    return "neuropixels", CASES["neuropixels"].make("neuropixels", work, gb)


def movie(work: Path, gb: float) -> tuple[str, Path]:
    """A movie in four TIFF files."""
    return "movie", CASES["movie"].make("movie", work, round(gb * 1e6 / (512 * 512 * 2), 3))


def masks(work: Path, gb: float) -> tuple[str, Path]:
    """Dense masks in a MATLAB 7.3 file, 2,000 at most."""
    thousands = round(min(gb, MASKS_GB) * 1e6 / (512 * 512 * 4), 3)
    return "masks", CASES["masks"].make("masks", work, thousands)


def hdf5(work: Path, gb: float) -> tuple[str, Path]:
    """The NWB file of a Neuropixels run, to be repacked."""
    name, source = flat(work, gb)
    kept = work / "raw" / f"hdf5-{source.parent.name}" / "in.nwb"
    if not kept.exists():
        out = work / "out" / "made" / "in.nwb"
        measure([*nwbkit(name, source, out), "--prove", "none"], out, work / "hdf5.log")
        kept.parent.mkdir(parents=True, exist_ok=True)
        out.rename(kept)
    return "hdf5", kept


MAKERS: dict[str, Callable[[Path, float], tuple[str, Path]]] = {
    f.__name__: f for f in (flat, hdf5, movie, masks)
}


def command(name: str, source: Path, out: Path) -> list[Any]:
    """The conversion, in little memory."""
    if name == "hdf5":  # it has all its metadata
        line = [sys.executable, "-m", "nwbkit.cli", "convert", source, "-o", out]
    else:
        line = nwbkit(name, source, out)
    return [*line, "--max-memory", f"{MAX_MEMORY // MIB}M"]


@contextlib.contextmanager
def nothing() -> Iterator[Callable[[], None] | None]:
    """No limit but --max-memory."""
    yield None


@contextlib.contextmanager
def address_space() -> Iterator[Callable[[], None]]:
    """RLIMIT_AS."""
    yield lambda: resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))


@contextlib.contextmanager
def cgroup() -> Iterator[Callable[[], None]]:
    """A cgroup below our own with memory.max; nothing of our own is changed.

    Raises
    ------
    Skipped
    """
    own = own_cgroup()
    try:
        if "memory" not in (own / "cgroup.subtree_control").read_text().split():
            raise Skipped("our cgroup does not hand the memory controller on")
        made = own / f"nwbkit-bench-{os.getpid()}"
        made.mkdir()
    except OSError as error:
        raise Skipped(f"cannot make a cgroup: {error.strerror}") from None
    try:
        (made / "memory.max").write_text(str(ALLOWED))
        with contextlib.suppress(OSError):
            (made / "memory.swap.max").write_text("0")

        def enter() -> None:
            (made / "cgroup.procs").write_text(str(os.getpid()))

        yield enter
    finally:
        made.rmdir()


def own_cgroup() -> Path:
    """The folder of the cgroup (v2) of this process.

    Raises
    ------
    Skipped
    """
    lines = Path("/proc/self/cgroup").read_text().splitlines()
    place = next((line[3:] for line in lines if line.startswith("0::")), None)
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    root = next((m[1] for m in mounts if m[2] == "cgroup2"), None)
    if place is None or root is None:
        raise Skipped("no cgroup v2")
    folder = Path(root) / place.lstrip("/")
    controllers = folder / "cgroup.controllers"
    if not controllers.exists() or "memory" not in controllers.read_text().split():
        raise Skipped("cgroup v2 without the memory controller")
    return folder


LIMITS = {
    f"--max-memory {MAX_MEMORY // MIB}M": nothing,
    f"and RLIMIT_AS {ADDRESS_SPACE // MIB} MiB": address_space,
    f"and a cgroup of {ALLOWED // MIB} MiB": cgroup,
}


def peak(kind: str, gb: float, limit: str, work: Path) -> dict[str, Any]:
    """One conversion; where it fails or cannot be limited, `note` says why."""
    name, source = MAKERS[kind](work, gb)
    shown = min(gb, round(MASKS_GB, 1)) if kind == "masks" else gb
    row: dict[str, Any] = {"kind": kind, "gb": shown, "limit": limit, "allowed_bytes": ALLOWED}
    out = work / "out" / "memory" / "out.nwb"
    try:
        with LIMITS[limit]() as prepare:
            found = measure(command(name, source, out), out, work / f"memory-{kind}.log", prepare)
        return {**row, "rss_bytes": found["rss_bytes"], "wall_s": found["wall_s"]}
    except Skipped as reason:
        return {**row, "note": f"skipped: {reason}"}
    except Failed as error:
        print(f"memory {kind} {gb:g} GB, {limit}: {error}", file=sys.stderr)
        return {**row, "note": f"failed: {str(error).strip().splitlines()[0]}"}


def rows(
    kinds: Sequence[str], sizes: Sequence[float], limits: Sequence[str], work: Path
) -> list[dict[str, Any]]:
    """All of the table."""
    made: list[dict[str, Any]] = []
    skipped: set[str] = set()
    for kind in kinds:
        for limit in limits:
            for gb in sizes:
                if limit in skipped:
                    continue
                row = peak(kind, gb, limit, work)
                said = row.get("note") or f"{row['rss_bytes'] / MIB:.0f} MiB"
                print(f"memory  {kind} {gb:g} GB, {limit}: {said}", file=sys.stderr)
                if said.startswith("skipped"):  # a matter of this machine, not of the kind
                    skipped.add(limit)
                    row |= {"kind": "all", "gb": 0}
                made.append(row)
    return made


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--gb", type=float, nargs="+", default=[1.0, 8.0])
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--work", type=Path, default=Path("bench-out"))
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    work = args.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    found = rows(args.kinds.split(","), sorted(args.gb), list(LIMITS), work)
    print(json.dumps(found) if args.json else memory_table(found), end="")


if __name__ == "__main__":
    main()
