"""What the benchmark must reach."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median
from typing import Any

#: A fill that is dominated by the codec is held against it; one of a few MB is start-up.
FILLED = ("neuropixels", "intan", "movie")


@dataclass(frozen=True)
class Finding:
    """One floor: what was measured against what is asked for.

    Parameters
    ----------
    what : str
    value, floor : float
    most : bool
        `floor` is the most that `value` may be, not the least.
    """

    what: str
    value: float
    floor: float
    most: bool = False

    @property
    def ok(self) -> bool:
        """Whether it is reached."""
        return self.value <= self.floor if self.most else self.value >= self.floor

    def __str__(self) -> str:
        asked = f"at {'most' if self.most else 'least'} {self.floor:g}"
        return f"{'ok    ' if self.ok else 'MISSED'} {self.what}: {self.value:.2f}, {asked}"


def _largest(result: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for one in sorted(result["cases"], key=lambda c: float(c["size"])):
        found[one["case"]] = one
    return found


def bytes_of(one: dict[str, Any], side: str) -> float:
    """Median size of what a side writes."""
    return median(v["out_bytes"] for v in one["measured"][side])


def findings(result: dict[str, Any]) -> Iterator[Finding]:
    """Every floor of which something was measured."""
    for name, one in _largest(result).items():
        yield from _speed(name, one)
        yield from _sizes(name, one)
        if "ceiling" in one:
            yield from _ceiling(name, one["ceiling"])
            yield from _proving(name, one)
    yield from _memory(result.get("memory", ()))


def _speed(name: str, one: dict[str, Any]) -> Iterator[Finding]:
    floors = {
        "neuropixels": {"full": 5.5, "none": 8.0, "zarr": 5.0},
        "movie": {"full": 5.0},
        "sorting": {"full": 3.0},
    }
    for side, floor in floors.get(name, {}).items():
        if side in one["median_ratios"]:
            what = f"{name}: times as fast as NeuroConv, {side}"
            yield Finding(what, one["median_ratios"][side], floor)


def _sizes(name: str, one: dict[str, Any]) -> Iterator[Finding]:
    if name != "neuropixels":
        return
    for side, other, most in (("full", "neuroconv", 1.05), ("zarr", "neuroconv_zarr", 1.0)):
        if one["measured"].get(side) and one["measured"].get(other):
            share = bytes_of(one, side) / bytes_of(one, other)
            yield Finding(f"{name}: size by {other}'s", share, most, most=True)


def _ceiling(name: str, ceiling: dict[str, Any]) -> Iterator[Finding]:
    if name in FILLED:
        yield Finding(f"{name}: fill by the codec alone", ceiling["fill_of_codec"], 0.80)
        if ceiling["cores"] > 1:
            what = f"{name}: efficiency of {ceiling['cores']} cores"
            yield Finding(what, ceiling["efficiency"], 0.85)
    if name == "neuropixels":
        yield Finding(f"{name}: proof by fill, each alone", ceiling["prove_share"], 0.65, most=True)
        yield Finding(f"{name}: proof by sample by fill", ceiling["sample_share"], 0.08, most=True)


def proving_adds(one: dict[str, Any]) -> float | None:
    """Seconds by which a whole process is longer for its full proof."""
    full, none = (one["measured"].get(side) for side in ("full", "none"))
    if not full or not none:
        return None
    return median(v["wall_s"] for v in full) - median(v["wall_s"] for v in none)


def _proving(name: str, one: dict[str, Any]) -> Iterator[Finding]:
    added, ceiling = proving_adds(one), one["ceiling"]
    if name == "neuropixels" and added is not None:
        share = added * ceiling[f"fill_{ceiling['cores']}"] / ceiling["raw_bytes"]
        yield Finding(f"{name}: what full proving adds, by fill", share, 0.65, most=True)


def _memory(rows: Any) -> Iterator[Finding]:
    kinds: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in rows:
        if row.get("rss_bytes"):
            kinds.setdefault((row["kind"], row["limit"]), []).append(row)
    for (kind, limit), found in kinds.items():
        peaks = [r["rss_bytes"] for r in sorted(found, key=lambda r: float(r["gb"]))]
        if len(peaks) > 1:
            yield Finding(f"memory, {kind}, {limit}: last size by first", peaks[-1] / peaks[0],
                          1.15, most=True)  # fmt: skip
        over = max(r["rss_bytes"] - r["allowed_bytes"] for r in found) / 2**20
        yield Finding(f"memory, {kind}, {limit}: MiB over --max-memory + 300 MiB", over, 0, True)
