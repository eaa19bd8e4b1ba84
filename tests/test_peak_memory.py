"""The peak memory of convert is that of its limit, not that of its input; long form: make bench."""

from __future__ import annotations

from pathlib import Path

import pytest

memory = pytest.importorskip("benchmarks.memory")  # Linux only, and not in the sdist

MIB = 1 << 20
SIZES = (0.04, 0.12)  # GB; far more than the limit below lets be in flight


@pytest.mark.parametrize("kind", memory.KINDS)
def test_peak_memory_does_not_grow(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "MAX_MEMORY", 32 * MIB)
    found = [memory.peak(kind, gb, "--max-memory 256M", tmp_path) for gb in SIZES]
    assert not [row["note"] for row in found if "note" in row]
    small, large = (row["rss_bytes"] for row in found)
    # Of the 80 MB that are more, a tenth at most may be seen; allocators jitter by a few MiB.
    assert large - small < 12 * MIB
    assert large < 332 * MIB


def test_address_space_may_be_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "MAX_MEMORY", 32 * MIB)
    limit = next(name for name in memory.LIMITS if "RLIMIT_AS" in name)
    row = memory.peak("flat", SIZES[0], limit, tmp_path)
    assert row.get("note") is None, row
