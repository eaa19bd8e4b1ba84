"""Names in HDF5 groups by the standard library: as h5py lists them, or nothing."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import h5py
import pytest

from nwbkit.formats.io.hdf5_names import SIGNATURE, group_names
from tests.data import DATA, needs_data


@pytest.mark.parametrize("version", ["earliest", "latest", ("v110", "v110")])
@pytest.mark.parametrize("block", [0, 512, 2048])
def test_styles_of_groups(tmp_path: Path, version: Any, block: int) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w", libver=version, userblock_size=block) as f:
        for name in ("one", "two", "dreiß"):
            f.create_group(f"{name}/inner")["x"] = 1
        f.attrs["long"] = list(range(500))
        f["soft"] = h5py.SoftLink("/one")
        f["out"] = h5py.ExternalLink("b.h5", "/")
    assert group_names(path) == {"one", "two", "dreiß"}
    assert group_names(path, "two/inner") == {"x"}
    assert group_names(path, "nothing") is None


def test_many_names(tmp_path: Path) -> None:
    for version, told in (("earliest", True), ("latest", False)):
        path = tmp_path / f"{version}.h5"
        with h5py.File(path, "w", libver=version) as f:
            for i in range(300):
                f.create_group(f"group{i}")
        names = group_names(path)
        assert names == ({f"group{i}" for i in range(300)} if told else None)


def test_cut_anywhere(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as f:
        f.create_group("one/two")
    whole = path.read_bytes()
    for size in range(0, len(whole), 13):
        os.truncate(path, 0)
        path.write_bytes(whole[:size])
        assert group_names(path) in (None, {"one"}, set())
    assert group_names(tmp_path / "none.h5") is None


@needs_data
def test_as_h5py_lists_them() -> None:
    seen = 0
    for path in sorted(DATA.rglob("*")):
        if path.suffix not in (".h5", ".hdf5", ".mat", ".nwb") or not path.is_file():
            continue
        with open(path, "rb") as f:
            head = f.read(520)
        if SIGNATURE not in (head[:8], head[512:]):
            continue
        with h5py.File(path, "r") as file:
            assert group_names(path) == set(file), path
            seen += 1
    assert seen > 10
