"""Very many files are told by a pattern, and given back as they were."""

from __future__ import annotations

from pathlib import Path

import pytest

from nwbkit.errors import DamagedInput
from nwbkit.formats.patterns import LISTED, fold, unfold


def names(folder: Path, template: str, n: int = 1000) -> list[Path]:
    paths = [folder / template.format(i) for i in range(1, n + 1)]
    for path in paths:
        path.touch()
    return paths


@pytest.mark.parametrize(
    "template", ["img_{:05d}.tif", "img{}.tif", "a [1]*{}.tif", "ü {}.ome.tif"]
)
def test_they_come_back_in_order(tmp_path: Path, template: str) -> None:
    paths = [tmp_path / "main.xml", *names(tmp_path, template)]
    listed, (pattern,) = fold(paths)
    assert listed == paths[:1] and pattern["count"] == 1000
    assert [*listed, *unfold(listed[0], **pattern)] == paths
    # the first of them may be the main file
    listed, (pattern,) = fold(paths[1:])
    assert [*listed, *unfold(listed[0], **pattern)] == paths[1:]


def test_few_are_listed(tmp_path: Path) -> None:
    paths = names(tmp_path, "img_{}.tif", LISTED)
    assert fold(paths) == (paths, [])


def test_what_a_pattern_would_not_give_back_is_listed(tmp_path: Path) -> None:
    paths = names(tmp_path, "img_{:04d}.tif")
    some = [*paths[:500], *paths[501:]]
    assert fold(some) == (some, [])  # one more lies there than is meant
    assert fold(paths[::-1]) == (paths[::-1], [])  # another order


@pytest.mark.parametrize("change", ["gone", "renamed", "more"])
def test_other_files_are_refused(tmp_path: Path, change: str) -> None:
    paths = names(tmp_path, "img_{:04d}.tif")
    listed, (pattern,) = fold(paths)
    if change == "more":
        (tmp_path / "img_5000.tif").touch()
    else:
        paths[500].unlink()
    if change == "renamed":
        (tmp_path / "img_5000.tif").touch()
    with pytest.raises(DamagedInput, match="and not the 999 that were detected"):
        unfold(listed[0], **pattern)
