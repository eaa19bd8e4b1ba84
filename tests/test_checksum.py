"""--checksum writes what `sha256sum -c` reads, and none outlives its output."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from nwbkit.convert import Request, convert
from nwbkit.storage.publish import sha256_lines, sums_path

from .toy import stream, toys, write_toy  # noqa: F401

needs_sha256sum = pytest.mark.skipif(not shutil.which("sha256sum"), reason="no sha256sum here")


def check(out: Path) -> int:
    line = ["sha256sum", "-c", "--quiet", "--strict", sums_path(out).name]
    return subprocess.run(line, cwd=out.parent, check=False, capture_output=True).returncode


@needs_sha256sum
@pytest.mark.usefixtures("toys")
@pytest.mark.parametrize("name", ["out.nwb", "mouse 1, ü.nwb", "out.nwb.zarr"])
def test_sha256sum_checks_it(tmp_path: Path, name: str) -> None:
    raw = write_toy(tmp_path / "raw", [stream("a")])
    out = tmp_path / name
    given = {"inputs": [str(raw)], "output": str(out), "timezone": "UTC"}
    convert(Request(**given, checksum=True))
    assert check(out) == 0
    changed = next(p for p in out.rglob("*") if p.is_file()) if out.is_dir() else out
    before = changed.read_bytes()
    changed.write_bytes(before[:-1] + bytes([before[-1] ^ 1]))
    assert check(out) == 1
    # an output that is made anew without them leaves no older sums behind
    convert(Request(**given, overwrite=True))
    assert not sums_path(out).exists()


@needs_sha256sum
def test_names_that_need_an_escape(tmp_path: Path) -> None:
    out = tmp_path / "a\\b\nc.nwb"
    out.write_bytes(b"x")
    sums_path(out).write_bytes(sha256_lines(out, out.name))
    line = ["sha256sum", "-c", "--quiet", "--strict", sums_path(out).name]
    assert subprocess.run(line, cwd=tmp_path, check=False, capture_output=True).returncode == 0
