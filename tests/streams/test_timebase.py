"""Times of samples: never rounded, never materialised, gaps kept."""

from __future__ import annotations

import numpy as np
import pytest

from nwbkit.streams import ClockMap, Segment, Timebase
from nwbkit.streams.views import cut, rows_before

RATE = 30000.390639481
GAPPED = Timebase("r/imec0", (Segment(0, 100, 0.0, RATE), Segment(100, 50, 1.0, RATE)))
SEAMLESS = Timebase("r/imec0", (Segment(0, 90, 2.0, RATE), Segment(90, 60, 2.0 + 90 / RATE, RATE)))
LAZY = Timebase.irregular("r/cam", 5, lambda a, b: np.array([0.0, 0.1, 0.25, 0.3, 0.9])[a:b])


def test_rate_is_kept_to_the_last_bit() -> None:
    assert Timebase.regular("c", 10, RATE).as_rate() == (0.0, RATE)


@pytest.mark.parametrize(
    ("timebase", "start", "stop", "expected"),
    [
        (Timebase.regular("c", 10, 2.0, 5.0), 2, 5, [6.0, 6.5, 7.0]),
        (GAPPED, 99, 101, [99 / RATE, 1.0]),
        (GAPPED, 100, 100, []),
        (LAZY, 1, 3, [0.1, 0.25]),
    ],
)
def test_times(timebase: Timebase, start: int, stop: int, expected: list[float]) -> None:
    assert timebase.times(start, stop).tolist() == expected


def test_time_of_and_sample_of_are_inverse_across_gaps() -> None:
    samples = np.array([0, 1, 99, 100, 149])
    times = GAPPED.time_of(samples)
    assert times.tolist() == [0.0, 1 / RATE, 99 / RATE, 1.0, 1.0 + 49 / RATE]
    assert GAPPED.sample_of(times).tolist() == samples.tolist()


def test_time_of_the_end_belongs_to_the_last_segment() -> None:
    assert GAPPED.time_of(np.array([150]))[0] == 1.0 + 50 / RATE


def test_time_of_lazy_timestamps_keeps_order() -> None:
    assert LAZY.time_of(np.array([4, 1])).tolist() == [0.9, 0.1]


@pytest.mark.parametrize(
    ("timebase", "regular"),
    [
        (SEAMLESS, True),
        (GAPPED, False),
        (LAZY, False),
        (Timebase("c", (Segment(0, 9, 0.0, 10.0), Segment(9, 9, 0.9 + 2e-6, 10.0))), False),
        (Timebase("c", (Segment(0, 9, 0.0, 10.0), Segment(9, 9, 0.9 + 5e-7, 10.0))), True),
        (Timebase("c", (Segment(0, 9, 0.0, 1e6), Segment(9, 9, 9.2e-6, 1e6))), False),
        (Timebase("c", (Segment(0, 9, 0.0, 10.0), Segment(9, 9, 0.9, 11.0))), False),
    ],
)
def test_a_rate_is_given_only_where_no_sample_is_displaced(
    timebase: Timebase, regular: bool
) -> None:
    assert (timebase.as_rate() is not None) is regular


def test_gaps_are_found_and_signed() -> None:
    assert list(SEAMLESS.gaps()) == []
    ((sample, missing),) = GAPPED.gaps()
    assert sample == 100
    assert missing == pytest.approx(1.0 - 100 / RATE)
    back = Timebase("c", (Segment(0, 10, 0.0, 10.0), Segment(10, 10, 0.5, 10.0)))
    assert next(back.gaps())[1] == pytest.approx(-0.5)


def test_mapping_by_an_offset_leaves_the_rate_untouched() -> None:
    mapped = GAPPED.mapped(ClockMap(0.25))
    assert mapped.rate == RATE
    assert [s.t0 for s in mapped.segments] == [0.25, 1.25]
    assert LAZY.mapped(ClockMap(1.0, 2.0)).times(1, 2)[0] == pytest.approx(1.2)


def test_mapping_by_a_scale_moves_every_sample_as_the_map_says() -> None:
    clock_map = ClockMap(0.5, 1.0001)
    np.testing.assert_allclose(
        GAPPED.mapped(clock_map).times(0, 150), clock_map(GAPPED.times(0, 150)), rtol=0, atol=1e-12
    )


@pytest.mark.parametrize(
    "segments",
    [
        (Segment(1, 5, 0.0, 1.0),),
        (Segment(0, 5, 0.0, 1.0), Segment(6, 5, 9.0, 1.0)),
        (Segment(0, 5, 0.0, 0.0),),
        (Segment(0, 5, 0.0, float("nan")),),
    ],
)
def test_impossible_segments_are_refused(segments: tuple[Segment, ...]) -> None:
    with pytest.raises(ValueError, match=r"segments|rate"):
        Timebase("c", segments)


@pytest.mark.parametrize("timebase", [GAPPED, LAZY])
def test_cut_keeps_the_times_of_what_it_keeps(timebase: Timebase) -> None:
    first, stop = 1, min(timebase.n_samples, 120)
    part = cut(timebase, first, stop)
    assert part.n_samples == stop - first
    np.testing.assert_allclose(
        part.times(0, part.n_samples), timebase.times(first, stop), rtol=0, atol=1e-12
    )


@pytest.mark.parametrize(
    ("timebase", "stop_s", "rows"),
    [(GAPPED, 0.5, 100), (GAPPED, 1.0, 100), (GAPPED, 99.0, 150), (LAZY, 0.25, 2), (LAZY, 0.0, 0)],
)
def test_rows_before(timebase: Timebase, stop_s: float, rows: int) -> None:
    assert rows_before(timebase, stop_s) == rows
