"""Peak memory stays under --max-memory + 300 MiB, whatever the recording's length and -j."""

from __future__ import annotations

import subprocess
import sys

import pytest

from .conftest import environment

SCRIPT = """
import os, sys
import numpy as np
from nwbkit.storage.holes import hole
from nwbkit.storage.pipeline import fill
from nwbkit.storage.planning import DatasetPlan
from nwbkit.storage.prove import decode_digests
from nwbkit.streams import Array
import h5py

class Made(Array):
    def read(self, start, stop, out=None):
        out[...] = np.arange(start, stop)[:, None]
        return out

def peak_kib():
    # ru_maxrss of a child starts at what its parent had when it forked
    with open("/proc/self/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmHWM"))

path, block_rows, mib = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
shape = (400_000, 384)  # 307 MB
dtype = np.dtype("<i2")
source = Made(id="s", name="s", role="raw", shape=shape, dtype=dtype, block_rows=block_rows)
each = hole(shape, "<i2", DatasetPlan((8192, 64)), source=source, key="a/b")
each.path = "/d"
with h5py.File(path, "w") as f:
    f.create_dataset("d", shape, "<i2", chunks=(8192, 64), compression="gzip", shuffle=True)
base = peak_kib()
result = fill(path, [each], jobs=64, max_memory=mib << 20)
assert result.measured.workers >= 2, result
decoded = decode_digests(path, jobs=64, max_memory=mib << 20)
assert decoded.digests == result.digests
peak = peak_kib()
print((peak - base) >> 10, base >> 10)
"""


@pytest.mark.parametrize(("block_rows", "mib"), [(0, 64), (30_000, 192)])
def test_peak(tmp_path, block_rows, mib):
    script = tmp_path / "s.py"
    script.write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, script, tmp_path / "f.h5", str(block_rows), str(mib)],
        capture_output=True,
        text=True,
        check=True,
        env=environment(),
    )
    grown, base = map(int, done.stdout.split())
    assert grown < mib + 40, f"grew by {grown} MiB"
    assert base + grown < mib + 300
