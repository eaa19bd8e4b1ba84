"""Which runs are one session: those of one folder that holds no two of one room."""

from __future__ import annotations

from pathlib import Path

import pytest

from nwbkit.formats.base import Match, Relation, Strength
from nwbkit.formats.claims import Claim
from nwbkit.formats.relating import group

RUN, MATE = False, True
#: Claims as (room, folder, companion), and the sessions as (label, members).
CASES = {
    "a recording and a movie": (
        [("recording", "/d/ephys", RUN), ("imaging", "/d/scope", RUN)],
        [("d", [0, 1])],
    ),
    "in one folder": (
        [("recording", "/d", RUN), ("imaging", "/d", RUN)],
        [("d", [0, 1])],
    ),
    "two recordings": (
        [("recording", "/d/a", RUN), ("recording", "/d/b", RUN)],
        [("run0", [0]), ("run1", [1])],
    ),
    "two days, each with both": (
        [
            ("recording", "/d/mon/e", RUN),
            ("imaging", "/d/mon/i", RUN),
            ("recording", "/d/tue/e", RUN),
            ("imaging", "/d/tue/i", RUN),
        ],
        [("mon", [0, 1]), ("tue", [2, 3])],
    ),
    "one day complete, of the other a recording": (
        [
            ("recording", "/d/mon/e", RUN),
            ("imaging", "/d/mon/i", RUN),
            ("recording", "/d/tue/e", RUN),
        ],
        [("mon", [0, 1]), ("run2", [2])],
    ),
    "two recordings and a movie: whose is it?": (
        [("recording", "/d/a", RUN), ("recording", "/d/b", RUN), ("imaging", "/d/i", RUN)],
        [("run0", [0]), ("run1", [1]), ("run2", [2])],
    ),
    "three rooms": (
        [("recording", "/d/e", RUN), ("imaging", "/d/i", RUN), ("events", "/d", RUN)],
        [("d", [0, 1, 2])],
    ),
    "mates join what was joined": (
        [
            ("recording", "/d/e", RUN),
            ("imaging", "/d/i", RUN),
            ("sorting", "/d/e/s", MATE),
            ("tables", "/d", MATE),
        ],
        [("d", [0, 1, 2, 3])],
    ),
    "no run": (
        [("tables", "/d", MATE), ("behavior", "/d", MATE)],
        [("run0", [0]), ("run1", [1])],
    ),
}


def claim(number: int, folder: str, companion: bool) -> Claim:
    root = Path(folder)
    match = Match(
        (root / f"{number}.dat",),
        Strength.MAGIC,
        "said",
        f"run{number}",
        f"run{number}",
        root,
        companion=companion,
    )
    return Claim("toy", match, ())


@pytest.mark.parametrize("name", CASES)
def test_sessions(name: str) -> None:
    given, expected = CASES[name]
    claims = [claim(n, folder, mate) for n, (_, folder, mate) in enumerate(given)]
    ids = [f"s{n}" for n in range(len(claims))]
    found = group(claims, ids, [()] * len(claims), [room for room, _, _ in given])
    assert [(g.label, g.members) for g in found] == expected
    again = group(claims, ids, [()] * len(claims), [room for room, _, _ in given])
    assert again == found


def test_related_mates_of_one_of_two_runs() -> None:
    claims = [claim(0, "/d/a", RUN), claim(1, "/d/b", RUN), claim(2, "/d", MATE)]
    related = [(), (), (Relation("derived_from", "s1"),)]
    found = group(claims, ["s0", "s1", "s2"], related, ["recording", "recording", "sorting"])
    assert [g.members for g in found] == [[0], [1, 2]]


def test_many_runs_are_quick() -> None:
    claims = [claim(n, f"/d/{n}/x", RUN) for n in range(3000)]
    found = group(claims, [f"s{n}" for n in range(3000)], [()] * 3000, ["recording"] * 3000)
    assert len(found) == 3000
