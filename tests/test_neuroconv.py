"""Side by side with NeuroConv: the same facts of the same samples, or the reason why not."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

from tests.data import needs_data
from tests.expected.neuroconv import OPEN, REASONS
from tests.expected.neuroconv_cases import CASES
from tests.neuroconv_side import VERSION, Difference, differences, interpreter, ours, theirs

PYTHON = interpreter()
pytestmark = [
    needs_data,
    pytest.mark.skipif(
        PYTHON is None, reason="NeuroConv is not here (set NWBKIT_NEUROCONV_PYTHON to its python)"
    ),
]
DOCS = Path(__file__).parents[1] / "docs"


@pytest.fixture(scope="module")
def read() -> dict[str, Any]:
    """What NeuroConv reads, by case; one run of its interpreter for all."""
    assert PYTHON is not None
    version, found = theirs(PYTHON)
    if version != VERSION:
        pytest.skip(f"NeuroConv {version} is installed, the reasons are for {VERSION}")
    return found


@pytest.fixture(scope="module")
def differing(read: dict[str, Any]) -> dict[str, list[Difference]]:
    return {case.id: differences(case, read[case.id], ours(case)) for case in CASES}


def test_ids_are_unique() -> None:
    assert len({case.id for case in CASES}) == len(CASES)
    assert not REASONS.keys() & OPEN.keys()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_equal_or_explained(case: Any, differing: dict[str, list[Difference]]) -> None:
    """A difference has its reason, and a reason its difference."""
    wanted = {what for name, what in REASONS | OPEN if name == case.id}
    assert {d.what for d in differing[case.id]} == wanted, differing[case.id]


def test_every_reason_is_of_a_case() -> None:
    assert {name for name, _ in REASONS | OPEN} <= {case.id for case in CASES}


def test_page_is_fresh(differing: dict[str, list[Difference]], read: dict[str, Any]) -> None:
    made = runpy.run_path(str(DOCS / "make_neuroconv.py"))["page"](differing, read)
    page = (DOCS / "neuroconv.md").read_text(encoding="utf-8")
    assert page == made, "run: python docs/make_neuroconv.py"
