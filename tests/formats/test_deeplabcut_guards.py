"""DeepLabCut tables that contradict themselves, or would act or lead elsewhere when opened."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from nwbkit.errors import DamagedInput, NwbkitError
from nwbkit.formats.behavior import _dlc_reread
from nwbkit.formats.behavior._dlc_h5 import read_h5
from nwbkit.formats.io import hdf5, pickles
from nwbkit.formats.io.pose_csv import read_csv
from tests.formats.behavior_files import (
    NET,
    attributes,
    numbers,
    opened,
    table_of,
    write_csv,
    write_fixed,
    write_table,
)


def _shorter(folder: Path) -> Path:
    path = folder / "a.csv"
    write_csv(path)
    text = path.read_text()
    path.write_text(text[: text.rindex(",")] + "\n")
    return path


def _cut(folder: Path) -> Path:
    path = folder / "a.csv"
    write_csv(path)
    path.write_bytes(path.read_bytes()[:-3])
    return path


def _no_number(folder: Path) -> Path:
    path = folder / "a.csv"
    write_csv(path)
    path.write_text(path.read_text().replace("\n39,", "\n39,oops,"))
    return path


def _repeated(folder: Path) -> Path:
    path = folder / "a.csv"
    write_csv(path, index=[str(i % 20) for i in range(40)])
    return path


def _nothing(folder: Path) -> Path:
    path = folder / "a.csv"
    write_csv(path, rows=2)
    path.write_text("".join(path.read_text().splitlines(True)[:3]))
    return path


def _rows(folder: Path) -> Path:
    path = folder / "a.h5"
    write_table(path, numbers(40, 6))
    with h5py.File(path, "r+") as f:
        f["df_with_missing/table"].attrs["NROWS"] = np.int64(50)
    return path


def _twins(folder: Path) -> Path:
    write_table(folder / "a.h5", numbers(40, 6))
    write_csv(folder / "a.csv", rows=39)
    return folder


def _noted(folder: Path) -> Path:
    write_table(folder / "a.h5", numbers(40, 6))
    (folder / "a_meta.pickle").write_bytes(pickle.dumps({"data": {"fps": 30.5, "nframes": 41}}))
    return folder / "a.h5"


def _truncated(folder: Path) -> Path:
    path = folder / "a.h5"
    write_table(path, numbers(40, 6))
    path.write_bytes(path.read_bytes()[:-200])
    return path


def _columns(folder: Path) -> Path:
    path = folder / "a.h5"
    write_table(path, numbers(40, 6), kind=pickle.dumps([(NET, "nose", "x")], 0))
    return path


DAMAGE = [
    (_shorter, "has 6 cells, expected 7", True),
    (_cut, "no end of line", True),
    (_no_number, "row 39 has 8 cells", True),
    (_repeated, "frame 0 follows frame 19", False),
    (_nothing, "no row", False),
    (_rows, "NROWS says 50 rows, found 40", True),
    (_twins, "has 40 rows, 'a.csv' has 39", True),
    (_noted, "says 41 frames", True),
    (_truncated, "cannot be opened as HDF5", False),
    (_columns, "has 6 columns", False),
]


@pytest.mark.parametrize(("make", "said", "salvaged"), DAMAGE, ids=[d[0].__name__ for d in DAMAGE])
def test_contradictions_are_named(tmp_path: Path, make: Any, said: str, salvaged: bool) -> None:
    path = make(tmp_path)
    with pytest.raises(DamagedInput, match=said) as error:
        opened(path)
    assert "\n" not in error.value.message
    if not salvaged:
        return
    with opened(path, salvage=True) as reader:
        assert len(reader.losses) == 1
        assert reader.streams[0].n_frames >= 39


class Acts:
    """Pickles to something that makes `marker` when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return (os.system, (f"touch '{self.marker}'",))


def test_these_pickles_would_act(tmp_path: Path) -> None:
    pickle.loads(pickle.dumps(Acts(tmp_path / "marker")))
    assert (tmp_path / "marker").exists()


@pytest.mark.parametrize("protocol", range(6))
def test_a_pickle_beside_the_table_does_nothing(tmp_path: Path, protocol: int) -> None:
    marker = tmp_path / "marker"
    write_csv(tmp_path / "a.csv")
    evil = {"data": {"fps": 30.5, "nframes": 40, "x": Acts(marker)}}
    (tmp_path / "a_meta.pickle").write_bytes(pickle.dumps(evil, protocol))
    with opened(tmp_path / "a.csv") as reader:
        # what is plain beside it is read all the same
        assert reader.streams[0].timebase.rate == 30.5
        assert "fps" in reader.notes[0]
    (tmp_path / "a_meta.pickle").write_bytes(pickle.dumps(Acts(marker), protocol))
    with opened(tmp_path / "a.csv") as reader:
        assert reader.streams[0].timebase is None
    assert not marker.exists()


@pytest.mark.parametrize("protocol", range(6))
def test_a_pickle_in_an_attribute_does_nothing(tmp_path: Path, protocol: int) -> None:
    marker = tmp_path / "marker"
    evil = pickle.dumps([Acts(marker)], protocol)
    write_table(tmp_path / "a.h5", numbers(40, 6), kind=b"N.")
    with h5py.File(tmp_path / "a.h5", "r+") as f:
        f["df_with_missing/table"].attrs["values_block_0_kind"] = np.void(evil)
    with pytest.raises(DamagedInput, match="not plain data"):
        opened(tmp_path / "a.h5")
    assert not marker.exists()


def test_plain_pickles_are_what_python_makes_of_them() -> None:
    plain = {"a": [1, -2, 2**70, 1.5, None, True], "b": ("x", ("y", [])), "c": {}, "ü": b"z"}
    for protocol in range(3, 6):
        assert pickles.loads(pickle.dumps(plain, protocol), "t") == plain
    for protocol in range(3):
        del plain["ü"]  # bytes are an object there
        assert pickles.loads(pickle.dumps(plain, protocol), "t") == plain
        plain["ü"] = b"z"
    for cut in range(len(pickle.dumps(plain))):
        with pytest.raises(DamagedInput):
            pickles.loads(pickle.dumps(plain)[:cut], "t")


def _external_link(path: Path, secret: Path) -> None:
    with h5py.File(path, "r+") as f:
        del f["df_with_missing/table"]
        f["df_with_missing/table"] = h5py.ExternalLink(str(secret), "df_with_missing/table")


def _soft_link(path: Path, secret: Path) -> None:
    with h5py.File(path, "r+") as f:
        del f["df_with_missing/table"]
        f["out"] = h5py.ExternalLink(str(secret), "/")
        f["df_with_missing/table"] = h5py.SoftLink("/out/df_with_missing/table")


def _circle(path: Path, secret: Path) -> None:
    with h5py.File(path, "r+") as f:
        del f["df_with_missing/table"]
        f["df_with_missing/table"] = h5py.SoftLink("table")


def _storage(path: Path, secret: Path) -> None:
    with h5py.File(path, "r+") as f:
        table = f["df_with_missing/table"]
        kept, dtype, shape = dict(table.attrs), table.dtype, table.shape
        del f["df_with_missing/table"]
        size = dtype.itemsize * shape[0]
        new = f["df_with_missing"].create_dataset(
            "table", shape, dtype, external=[(str(secret), 0, size)]
        )
        attributes(new, **kept)


def _virtual(path: Path, secret: Path) -> None:
    with h5py.File(path, "r+") as f:
        table = f["df_with_missing/table"]
        kept, dtype, shape = dict(table.attrs), table.dtype, table.shape
        del f["df_with_missing/table"]
        layout = h5py.VirtualLayout(shape, dtype)
        layout[:] = h5py.VirtualSource(str(secret), "df_with_missing/table", shape, dtype)
        attributes(f["df_with_missing"].create_virtual_dataset("table", layout), **kept)


def _bomb(path: Path, secret: Path) -> None:
    with h5py.File(path, "r+") as f:
        table = f["df_with_missing/table"]
        kept, dtype = dict(table.attrs), table.dtype
        del f["df_with_missing/table"]
        new = f["df_with_missing"].create_dataset(
            "table", (10**11,), dtype, chunks=(1024,), compression="gzip"
        )
        attributes(new, **{**kept, "NROWS": np.int64(10**11)})


ELSEWHERE = [
    (_external_link, "not followed"),
    (_soft_link, "not followed"),
    (_circle, "circle"),
    (_storage, "lie in another file"),
    (_virtual, "other files"),
    (_bomb, "declares 5600000000000 bytes"),
]


@pytest.mark.parametrize(("make", "said"), ELSEWHERE, ids=[e[0].__name__ for e in ELSEWHERE])
def test_an_h5_that_leads_elsewhere_is_refused(tmp_path: Path, make: Any, said: str) -> None:
    secret = tmp_path / "secret" / "s.h5"
    secret.parent.mkdir()
    write_table(secret, numbers(40, 6))
    path = tmp_path / "raw" / "a.h5"
    path.parent.mkdir()
    write_table(path, numbers(40, 6))
    make(path, secret)
    before = os.stat(secret).st_atime_ns
    with pytest.raises(DamagedInput, match=said):
        opened(path)
    with pytest.raises(DamagedInput, match=said):
        _dlc_reread.table(path, 3)
    assert os.stat(secret).st_atime_ns == before


def test_without_the_guard_the_link_would_be_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret, path = tmp_path / "secret.h5", tmp_path / "raw" / "a.h5"
    path.parent.mkdir()
    values = numbers(40, 6)
    write_table(secret, values)
    write_table(path, np.zeros((40, 6)))
    _external_link(path, secret)
    monkeypatch.setattr(hdf5.GuardedFile, "find", lambda self, name: self._file.get(name))
    reader = opened(path, rate=30.0)
    assert np.array_equal(table_of(reader.streams[0]), values, equal_nan=True)


def test_an_alias_bomb_in_the_config_is_only_noted(tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv")
    lines = ["Task: t", "bodyparts: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"k{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 9)]
    (tmp_path / "config.yaml").write_text("\n".join(lines))
    with opened(tmp_path / "a.csv") as reader:
        assert "no skeleton" in reader.notes[0]
    tag = "Task: !!python/object/apply:os.system ['touch marker']\nbodyparts: []\n"
    (tmp_path / "config.yaml").write_text(tag)
    with opened(tmp_path / "a.csv") as reader:
        assert "tag" in reader.notes[0]
    assert not list(tmp_path.glob("marker")) and not Path("marker").exists()


@pytest.mark.parametrize("name", ["a.csv", "table.h5", "fixed.h5"])
def test_flipped_bits_end_in_one_line_or_in_values(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    write = {"a.csv": lambda p, v: write_csv(p), "table.h5": write_table, "fixed.h5": write_fixed}
    write[name](path, numbers(40, 6))
    whole = path.read_bytes()
    places = np.random.default_rng(0).integers(0, min(len(whole), 6000), 60)
    reading = read_csv if name == "a.csv" else read_h5
    for place in places.tolist():
        damaged = bytearray(whole)
        damaged[place] ^= 0xFF
        path.write_bytes(damaged)
        try:
            assert reading(path, salvage=True).values.ndim == 2
        except NwbkitError as error:
            assert "\n" not in error.message
