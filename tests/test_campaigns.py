"""The short forms of the campaigns; `make reliability` runs the long ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from .campaign.base import session
from .campaign.flips import flips
from .campaign.full_disk import full_disks
from .campaign.kills import kills
from .campaign.racers import racers

pytestmark = pytest.mark.xdist_group("campaigns")


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return session(tmp_path_factory.mktemp("campaign") / "raw", seconds=1.0)


def test_kills(raw: Path, tmp_path: Path) -> None:
    outcome = kills(raw, tmp_path, 8)
    assert not outcome.failures and sum(outcome.counts.values()) >= 8


def test_racers(raw: Path, tmp_path: Path) -> None:
    assert not racers(raw, tmp_path, 4).failures


def test_flips(raw: Path, tmp_path: Path) -> None:
    outcome = flips(raw, tmp_path, 24)
    assert not outcome.failures and sum(outcome.counts.values()) >= 24


def test_full_disks(raw: Path, tmp_path: Path) -> None:
    outcome = full_disks(raw, tmp_path, 4)
    if outcome is None:
        pytest.skip("this user may not mount a tmpfs in a namespace of its own")
    assert not outcome.failures and sum(outcome.counts.values()) == 4
