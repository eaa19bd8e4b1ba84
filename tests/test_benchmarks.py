"""The benchmark's raw data are what they are meant to be, and its floors hold what they should."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nwbkit.formats import registry

cases = pytest.importorskip("benchmarks.cases")  # Linux only, and not in the sdist
floors = pytest.importorskip("benchmarks.floors")

FORMATS = {
    "neuropixels": "spikeglx",
    "intan": "intan",
    "movie": "scanimage",
    "sorting": "phy",
    "rois": "suite2p",
    "masks": "extract",
}
TINY = {"neuropixels": 0.001, "intan": 0.001, "movie": 0.01, "sorting": 0.01, "rois": 0.02}


@pytest.mark.parametrize("name", cases.CASES)
def test_data_are_of_one_source_and_always_the_same(name: str, tmp_path: Path) -> None:
    made = [cases.CASES[name].make(name, tmp_path / x, TINY.get(name, 0.008)) for x in "ab"]
    (source,) = registry.detect([made[0]]).sources()
    assert source.format == FORMATS[name]
    first, second = (
        [(p.name, p.read_bytes()) for p in sorted(folder.rglob("*")) if p.is_file()]
        for folder in (tmp_path / "a", tmp_path / "b")
    )
    if name == "masks":  # HDF5 notes when a dataset was made
        first, second = ([(n, len(raw)) for n, raw in each] for each in (first, second))
    assert first == second


def result(wall: float, fill: float = 0.9, peaks: tuple[int, int] = (200, 201)) -> dict[str, Any]:
    one = {
        "case": "neuropixels",
        "size": 2.0,
        "measured": {"full": [{"out_bytes": 104}], "neuroconv": [{"out_bytes": 100}]},
        "median_ratios": {"full": 50 / wall},
        "ceiling": {
            "cores": 2,
            "fill_of_codec": fill,
            "efficiency": 0.9,
            "prove_share": 0.6,
            "sample_share": 0.05,
        },
    }
    memory = [
        {"kind": "flat", "gb": gb, "limit": "", "rss_bytes": p << 20, "allowed_bytes": 556 << 20}
        for gb, p in zip((1.0, 8.0), peaks, strict=True)
    ]
    return {"cases": [one, {**one, "size": 1.0, "median_ratios": {"full": 1}}], "memory": memory}


@pytest.mark.parametrize(
    ("changes", "missed"),
    [
        ({"wall": 9.0}, []),
        ({"wall": 9.2}, ["neuropixels: times as fast as NeuroConv, full"]),
        ({"wall": 9.0, "fill": 0.79}, ["neuropixels: fill by the codec alone"]),
        ({"wall": 9.0, "peaks": (200, 300)}, ["memory, flat, : last size by first"]),
        ({"wall": 9.0, "peaks": (600, 600)}, ["memory, flat, : MiB over --max-memory + 300 MiB"]),
    ],
)
def test_what_is_below_a_floor_is_found(changes: dict[str, Any], missed: list[str]) -> None:
    assert [f.what for f in floors.findings(result(**changes)) if not f.ok] == missed
