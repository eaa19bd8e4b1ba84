"""Every sample is recognised as what it is, under any name and beside any other; no false claims."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

from nwbkit.formats import registry
from tests.data import DATA, needs_data
from tests.expected.claims import CLAIMS, FIXED_NAMES, FREE_NAMES

pytestmark = needs_data
Claims = list[tuple[str, str]]


def folders() -> list[str]:
    """``kind/sample`` of every sample folder, ours and foreign ones."""
    if not DATA.is_dir():
        return []
    return sorted(
        p.relative_to(DATA).as_posix() for p in DATA.glob("*/*") if p.is_dir() and p.name[0] != "."
    )


def claims(folder: Path) -> Claims:
    found = registry.detect([folder])
    said = [r for r in found.reports if r.level == "warning"]
    assert not said, said
    assert not [s for s in found.sources() if s.alternatives]
    return sorted((s.format, s.paths[0].relative_to(folder).as_posix()) for s in found.sources())


def laid(sample: str, folder: Path, names: dict[str, str] | None = None) -> None:
    """The sample's files below `folder`, as links; with parts of their names replaced."""
    root = DATA / sample
    for path in sorted(p for p in root.rglob("*") if p.is_file()):
        place = folder / renamed(path.relative_to(root).as_posix(), names or {})
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(path.resolve())


def renamed(path: str, names: dict[str, str]) -> str:
    for old, new in names.items():
        path = path.replace(old, new)
    return path


def files(sample: str) -> set[str]:
    root = DATA / sample
    return {p.relative_to(root).as_posix().lower() for p in root.rglob("*") if p.is_file()}


def collide(one: str, other: str) -> bool:
    """Whether both have a file of one name at one place: they cannot lie in one folder."""
    return bool(files(one) & files(other))


def pairs() -> list[tuple[str, str]]:
    """Every sample of ours beside another of ours and beside a foreign one, always the same."""
    every = folders()
    ours = [s for s in every if s in CLAIMS]
    foreign = [s for s in every if s not in CLAIMS]
    dice = random.Random(5)
    drawn = []
    for sample in ours:
        for others in (ours, foreign):
            fitting = [o for o in others if o.split("/")[0] != sample.split("/")[0]]
            dice.shuffle(fitting)
            partner = next((o for o in fitting if not collide(sample, o)), None)
            if partner is not None:
                drawn.append((sample, partner))
    return drawn


@pytest.mark.parametrize("sample", folders())
def test_claims_are_true(sample: str) -> None:
    assert claims(DATA / sample) == sorted(CLAIMS.get(sample, []))


def test_table_names_samples() -> None:
    every = set(folders())
    assert set(CLAIMS) <= every
    assert set(FREE_NAMES) | set(FIXED_NAMES) == set(CLAIMS)
    assert not set(FREE_NAMES) & set(FIXED_NAMES)


def test_all_at_once() -> None:
    """One walk over all samples claims what a walk over each does."""
    expected = sorted(
        (fmt, f"{sample}/{main}") for sample, mine in CLAIMS.items() for fmt, main in mine
    )
    assert claims(DATA) == expected


@pytest.mark.parametrize("sample", sorted(CLAIMS))
def test_names_do_not_matter(sample: str, tmp_path: Path) -> None:
    """The folder is called x, and so is what people name freely; a copy, not links."""
    names = FREE_NAMES.get(sample, {})
    root = tmp_path / "x"
    if names:
        laid(sample, root, names)
    else:
        shutil.copytree(DATA / sample, root, symlinks=False)
    expected = sorted((fmt, renamed(main, names)) for fmt, main in CLAIMS[sample])
    assert claims(root) == expected


@pytest.mark.parametrize(("one", "other"), pairs())
def test_neighbours_do_not_matter(one: str, other: str, tmp_path: Path) -> None:
    laid(one, tmp_path / "x")
    laid(other, tmp_path / "x")
    expected = sorted([*CLAIMS[one], *CLAIMS.get(other, [])])
    assert claims(tmp_path / "x") == expected
