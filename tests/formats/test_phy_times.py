"""Spike times and observation intervals of recordings with segments or with timestamps."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from nwbkit import verify as verifying
from nwbkit.comparisons import units as comparing
from nwbkit.convert import Request, convert
from nwbkit.formats import registry
from nwbkit.formats.sorting.phy.spikes import Grouped
from nwbkit.formats.sorting.phy.stream import PhyUnits
from nwbkit.nwb import units as writing
from nwbkit.streams import Segment, Timebase
from tests.data import DATA, needs_data
from tests.expected.phy import CLUSTERS, TIMES, write_phy


def stamped(times: Any, rate: float | None = 100.0) -> Timebase:
    values = np.asarray(times, float)
    return Timebase.irregular("x/c", len(values), lambda a, b: values[a:b], rate)


def stream(timebase: Timebase, observed: tuple[int, int]) -> PhyUnits:
    grouped = Grouped(np.array([1]), np.array([0]), np.zeros(0, np.int64))
    common: dict[str, Any] = {"id": "u", "name": "u", "role": "units", "ids": ("1",)}
    common |= {"dtype": np.dtype("<i8"), "unit": "samples", "grouped": grouped}
    return PhyUnits(timebase=timebase, observed=observed, **common)


REGULAR = np.arange(50) / 100.0
GAPPED = np.concatenate([REGULAR[:20], REGULAR[20:] + 3.0])
BACK = np.concatenate([REGULAR[:20], REGULAR[20:] - 0.15])
SEGMENTS = (Segment(0, 20, 0.0, 100.0), Segment(20, 10, 0.2, 100.0), Segment(30, 20, 5.0, 100.0))
INTERVALS: list[tuple[str, Timebase, tuple[int, int], list[list[float]]]] = [
    ("one segment", Timebase.regular("x/c", 50, 100.0, 2.0), (0, 50), [[2.0, 2.5]]),
    ("a part of it", Timebase.regular("x/c", 50, 100.0), (10, 20), [[0.1, 0.2]]),
    ("segments, two without a gap", Timebase("x/c", SEGMENTS), (0, 50), [[0, 0.3], [5, 5.2]]),
    ("a part of segments", Timebase("x/c", SEGMENTS), (25, 31), [[0.25, 0.3], [5, 5.01]]),
    ("timestamps", stamped(REGULAR), (0, 50), [[0, 0.5]]),
    ("a part of them", stamped(REGULAR), (10, 11), [[0.1, 0.11]]),
    ("timestamps with a gap", stamped(GAPPED), (0, 50), [[0, 0.2], [3.2, 3.5]]),
    ("timestamps that go back", stamped(BACK), (0, 50), [[0, 0.2], [0.05, 0.35]]),
]


@pytest.mark.parametrize("stretch", [7, 1 << 20])
@pytest.mark.parametrize(
    ("timebase", "observed", "wanted"), [pytest.param(*c[1:], id=c[0]) for c in INTERVALS]
)
def test_when_data_were_recorded(
    timebase: Timebase,
    observed: tuple[int, int],
    wanted: list[list[float]],
    stretch: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(writing, "_STRETCH", stretch)
    monkeypatch.setattr(comparing, "_STRETCH", stretch)
    units = stream(timebase, observed)
    for found in (
        writing.observed_intervals(units, timebase),
        comparing._observed(units, timebase),
    ):
        assert found is not None
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-12)


def test_timestamps_without_a_rate_tell_no_intervals() -> None:
    timebase = stamped(REGULAR, None)
    units = stream(timebase, (0, 50))
    assert writing.observed_intervals(units, timebase) is None
    assert comparing._observed(units, timebase) is None


@pytest.mark.parametrize("stretch", [7, 1 << 20])
def test_times_of_samples_in_any_order(stretch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "_STRETCH", stretch)
    monkeypatch.setattr(comparing, "_STRETCH", stretch)
    samples = np.random.default_rng(0).integers(0, 50, 40)
    for timebase in (stamped(GAPPED), Timebase("x/c", SEGMENTS)):
        wanted = timebase.times(0, 50)[samples]
        for found in (writing.seconds_of(samples, timebase), comparing._seconds(samples, timebase)):
            np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-15)


OPEN_EPHYS = DATA / "openephys_binary" / "v0.6.x_neuropixels_multiexp_multistream"


@needs_data
@pytest.mark.parametrize("dat_path", ["continuous.dat", "temp_wh.dat", None])
def test_of_many_files_of_one_name_the_place_tells(dat_path: str | None, tmp_path: Path) -> None:
    """Open Ephys: three experiments of two probes, all in files called continuous.dat."""
    raw = tmp_path / "raw"
    shutil.copytree(OPEN_EPHYS, raw, copy_function=shutil.copy)
    for path in [raw, *raw.rglob("*")]:
        path.chmod(0o755)
    (probe,) = raw.rglob("experiment3/recording1/continuous/*ProbeC")
    write_phy(
        probe / "ks",
        times=TIMES // 7,
        dat_path=dat_path,
        n_channels_dat=384,
        sample_rate=30000.0,
    )
    session = next(
        s for s in registry.detect([raw]).sessions if any(x.format == "phy" for x in s.sources)
    )
    (source,) = [s for s in session.sources if s.format == "phy"]
    (relation,) = source.relations
    assert relation.source.endswith("experiment3")
    assert len(session.sources) == 2
    start = ["NWBFile.session_start_time=2024-05-02T10:00:00+02:00"]
    only = ["ks", f"{relation.source}/ProbeC"]
    out = tmp_path / "o.nwb"
    settings: dict[str, Any] = {"session": session.id, "set_meta": start, "only": only}
    result = convert(Request([str(raw)], str(out), salvage=True, **settings))
    assert result.document is not None
    (clock,) = result.document.alignment
    assert clock.startswith(relation.source)
    with h5py.File(out) as f:
        (series,) = f["acquisition"].values()
        begin, rate = series["starting_time"][()], series["starting_time"].attrs["rate"]
        order = np.argsort(CLUSTERS, kind="stable")
        wanted = begin + (TIMES.astype(int)[order] // 7) / rate
        np.testing.assert_allclose(f["units/spike_times"][...], wanted, rtol=0, atol=1e-9)
    document = verifying.verify(str(out), against=[str(raw)])
    units = [c for c in document.checked if c.address == "ks/units"]
    assert units
    assert all(c.equal for c in units)
