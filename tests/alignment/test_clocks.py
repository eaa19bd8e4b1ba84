"""One unanchored clock is the session's; more are joined or refused, never silently from 0."""

from __future__ import annotations

import pytest

from nwbkit.alignment.clocks import resolve
from nwbkit.errors import ClockError, UsageError
from nwbkit.streams import Anchor, Clock

IMEC, NIDQ, CAM = Clock("r/imec0"), Clock("r/nidq"), Clock("v/cam")


def test_one_clock_alone_is_session_time() -> None:
    found = resolve([IMEC])
    assert found.anchors["r/imec0"].how == "sole"
    assert found.maps["r/imec0"](2.5) == 2.5
    assert not found.remarks


def test_two_clocks_are_refused_with_the_three_ways_out() -> None:
    with pytest.raises(ClockError) as error:
        resolve([IMEC, NIDQ])
    assert "'r/imec0', 'r/nidq'" in error.value.message
    for way in ("--offset r/nidq=SECONDS", "nwbkit align", "--unaligned keep"):
        assert way in (error.value.hint or "")


def test_an_offset_leaves_one_clock_that_is_session_time() -> None:
    found = resolve([IMEC, NIDQ], offsets=["r/nidq=-0.25"])
    assert found.anchors["r/nidq"] == Anchor(-0.25, "user")
    assert found.anchors["r/imec0"].how == "sole"
    assert found.maps["r/nidq"](1.0) == 0.75
    assert not found.remarks


def test_offsets_take_globs() -> None:
    found = resolve([IMEC, NIDQ, CAM], offsets=["r/*=1"])
    assert found.anchors["v/cam"].how == "sole"
    assert found.maps["r/imec0"](0.0) == 1.0


def test_keeping_clocks_unaligned_is_remarked_on_each() -> None:
    found = resolve([IMEC, NIDQ, CAM], offsets=["v/cam=3"], unaligned="keep")
    assert set(found.remarks) == {"r/imec0", "r/nidq"}
    assert "'r/nidq'" in found.remarks["r/imec0"]
    assert found.anchors["r/imec0"].how == "unaligned"


def test_an_alignment_maps_with_its_scale() -> None:
    found = resolve(
        [IMEC, NIDQ], aligned={"r/nidq": (0.5, 1.0001, 1e-4), "r/imec0": (0.0, 1.0, 0.0)}
    )
    assert found.maps["r/nidq"](10.0) == pytest.approx(10.501)
    assert found.anchors["r/nidq"].error_s == 1e-4


def test_the_users_offset_wins_over_the_header() -> None:
    anchored = NIDQ.anchored(Anchor(7.0, "header", 0.1))
    assert resolve([anchored]).maps["r/nidq"](0.0) == 7.0
    assert resolve([IMEC, anchored], offsets=["r/nidq=1"]).maps["r/nidq"](0.0) == 1.0


def test_one_loose_clock_beside_anchored_ones_is_not_quietly_put_at_0() -> None:
    anchored = NIDQ.anchored(Anchor(7.0, "header", 0.1))
    with pytest.raises(ClockError, match="no common time base with 'r/nidq': 'r/imec0'"):
        resolve([IMEC, anchored])
    kept = resolve([IMEC, anchored], unaligned="keep")
    assert "'r/nidq'" in kept.remarks["r/imec0"]
    assert "r/nidq" not in kept.remarks


@pytest.mark.parametrize("text", ["r/nidq", "r/nidq=", "r/nidq=soon", "r/nidq=nan", "=1", "x/y=1"])
def test_a_wrong_offset_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError, match="--offset"):
        resolve([IMEC, NIDQ], offsets=[text])
