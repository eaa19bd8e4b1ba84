"""How many CPUs and how much memory this process may use: affinity, cgroup, SLURM."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

GIB = 1 << 30

_UNITS = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3, "t": 1024**4}
_DECIMAL = {"k": 1000, "m": 1000**2, "g": 1000**3, "t": 1000**4}
_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?)(i?b|)\s*", re.IGNORECASE)
# cgroup v1 says "no limit" with a number close to 2**63.
_UNLIMITED = 1 << 60


def parse_size(text: str) -> int:
    """Return ``256M`` or ``1GiB`` (powers of 1024) or ``1GB`` (of 1000) in bytes.

    Raises
    ------
    ValueError
        For what does not read as a size, and for 0.
    """
    match = _SIZE.fullmatch(text)
    if match is None:
        raise ValueError(f"'{text}' is no size")
    number, prefix, suffix = match[1], match[2].lower(), match[3].lower()
    if suffix == "ib" and not prefix:
        raise ValueError(f"'{text}' is no size")
    units = _DECIMAL if suffix == "b" and prefix else _UNITS
    size = int(float(number) * units[prefix])
    if size < 1:
        raise ValueError(f"'{text}' is no size")
    return size


def default_jobs(environ: Mapping[str, str] | None = None) -> int:
    """The CPUs this process may use: its affinity, and SLURM_CPUS_PER_TASK where set."""
    env = os.environ if environ is None else environ
    if hasattr(os, "sched_getaffinity"):
        cpus = len(os.sched_getaffinity(0))
    else:  # macOS
        cpus = os.cpu_count() or 1
    granted = _whole(env.get("SLURM_CPUS_PER_TASK"))
    return max(1, min(cpus, granted) if granted else cpus)


def default_max_memory(environ: Mapping[str, str] | None = None) -> int:
    """The smaller of 1 GiB and half of what the cgroup or SLURM allows, in bytes."""
    env = os.environ if environ is None else environ
    allowed = [limit for limit in (cgroup_limit(), slurm_limit(env)) if limit]
    return min([GIB, *(limit // 2 for limit in allowed)])


def slurm_limit(env: Mapping[str, str]) -> int | None:
    """What SLURM granted this job on this node, in bytes; None outside of SLURM.

    SLURM counts in MiB; 0 stands for the whole node.
    """
    per_node = _whole(env.get("SLURM_MEM_PER_NODE"))
    if per_node:
        return per_node << 20
    per_cpu = _whole(env.get("SLURM_MEM_PER_CPU"))
    if not per_cpu:
        return None
    cpus = _whole(env.get("SLURM_CPUS_ON_NODE")) or _whole(env.get("SLURM_CPUS_PER_TASK")) or 1
    return per_cpu * cpus << 20


def cgroup_limit(
    membership: Path = Path("/proc/self/cgroup"), root: Path = Path("/sys/fs/cgroup")
) -> int | None:
    """The tightest memory limit of this process's cgroup and its parents; None without one."""
    limits = []
    for line in _lines(membership):
        _, controllers, path = (*line.split(":", 2), "", "")[:3]
        if not controllers:
            folder, name = root, "memory.max"
        elif "memory" in controllers.split(","):
            folder, name = root / "memory", "memory.limit_in_bytes"
        else:
            continue
        limits += _limits_below(folder, path, name)
    return min(limits, default=None)


def _limits_below(folder: Path, path: str, name: str) -> list[int]:
    # Inside a container the path may be the host's, which is not to be seen here: what
    # does not exist is passed over, and the root itself is asked last.
    found = []
    parts = [p for p in path.split("/") if p not in ("", ".", "..")]
    for depth in range(len(parts), -1, -1):
        for line in _lines(folder.joinpath(*parts[:depth], name)):
            limit = _whole(line)
            if limit and limit < _UNLIMITED:
                found.append(limit)
    return found


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text("utf-8", "replace").splitlines()
    except OSError:
        return []


def _whole(text: str | None) -> int | None:
    return int(text) if text is not None and text.strip().isdecimal() else None
