"""The peak memory of convert is that of its limit, not that of its input; long form: make bench."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

memory = pytest.importorskip("benchmarks.memory")  # Linux only, and not in the sdist

MIB = 1 << 20
ROOT = Path(__file__).parents[1]
SIZES = (0.04, 0.12)  # GB; far more than the limit below lets be in flight


SCRIPT = """
import json, pathlib, sys
from benchmarks import memory
memory.MAX_MEMORY = 32 << 20
kind, gb, limit, folder = sys.argv[1:]
print(json.dumps(memory.peak(kind, float(gb), limit, pathlib.Path(folder))))
"""


def peak(kind: str, gb: float, limit: str, folder: Path) -> dict[str, Any]:
    """What benchmarks/memory.py measures, from a small process.

    The kernel reckons to a child what its parent had in memory when it forked, and whoever
    runs these tests has a gigabyte.
    """
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, kind, str(gb), limit, str(folder)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize("kind", memory.KINDS)
def test_peak_memory_does_not_grow(kind: str, tmp_path: Path) -> None:
    found = [peak(kind, gb, "--max-memory 256M", tmp_path) for gb in SIZES]
    assert not [row["note"] for row in found if "note" in row]
    small, large = (row["rss_bytes"] for row in found)
    # Of the 80 MB that are more, a tenth at most may be seen; allocators jitter by a few MiB.
    assert large - small < 12 * MIB
    assert large < 332 * MIB


def test_address_space_may_be_limited(tmp_path: Path) -> None:
    limit = next(name for name in memory.LIMITS if "RLIMIT_AS" in name)
    row = peak("flat", SIZES[0], limit, tmp_path)
    assert row.get("note") is None, row
