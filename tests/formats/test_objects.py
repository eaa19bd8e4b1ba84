"""Object .npy files: what numpy wrote comes out the same, and nothing in them is run."""

from __future__ import annotations

import datetime
import os
import pathlib
import pickle
import pickletools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nwbkit.errors import DamagedInput, NoInput
from nwbkit.formats.io.objects import read_objects
from nwbkit.formats.io.pickles import opcodes
from tests.data import DATA, needs_data

CONTENT: dict[str, Any] = {
    "f": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "big": np.arange(4, dtype=">i2"),
    "none": np.zeros((0, 3)),
    "single": np.float32(3),
    "bool": np.bool_(True),
    "texts": np.array(["ab", "c"]),
    "ragged": np.array([np.arange(2), np.arange(3)], dtype=object),
    "nested": [{"a": (1, None, 2.5)}, "é", -(1 << 70)],
}


def _same(a: Any, b: Any) -> None:
    if isinstance(a, np.ndarray):
        assert a.dtype == b.dtype and a.shape == b.shape
        assert all(np.array_equal(x, y) for x, y in zip(a.ravel(), b.ravel(), strict=True))
    elif isinstance(a, dict):
        assert list(a) == list(b)
        for key in a:
            _same(a[key], b[key])
    elif isinstance(a, list | tuple):
        assert len(a) == len(b) and type(a) is type(b)
        for x, y in zip(a, b, strict=True):
            _same(x, y)
    else:
        assert type(a) is type(b) and a == b


def _save(path: Path, value: Any, protocol: int = 4) -> Path:
    whole = np.empty((), object)
    whole[()] = value
    with open(path, "wb") as f:
        header = {"descr": "|O", "fortran_order": False, "shape": ()}
        np.lib.format.write_array_header_1_0(f, header)
        pickle.dump(whole, f, protocol=protocol)
    return path


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_every_protocol(tmp_path: Path, protocol: int) -> None:
    _same(CONTENT, read_objects(_save(tmp_path / "a.npy", CONTENT, protocol)))
    other = {
        "path": pathlib.PurePosixPath("/a/b c"),
        "windows": pathlib.PureWindowsPath("C:\\x\\y"),
        "date": datetime.datetime(2024, 5, 6, 7, 8, 9, 10),
    }
    assert read_objects(_save(tmp_path / "b.npy", other, protocol)) == {
        "path": "/a/b c",
        "windows": "C:\\x\\y",
        "date": "2024-05-06T07:08:09.000010",
    }


@needs_data
def test_the_samples() -> None:
    for path in (DATA / "suite2p").rglob("*.npy"):
        if path.name in ("ops.npy", "stat.npy"):
            whole = np.load(path, allow_pickle=True)
            _same(whole.item() if whole.ndim == 0 else whole.tolist(), read_objects(path))


class _Calls:
    def __init__(self, function: Any, *arguments: Any) -> None:
        self.said = function, arguments

    def __reduce__(self) -> Any:
        return self.said


@pytest.mark.parametrize(
    "call",
    [
        _Calls(os.mkdir, "ran"),
        _Calls(eval, "open('ran', 'w')"),
        _Calls(np.load, "other.npy", None, True),
        _Calls(__import__, "ran"),
    ],
)
def test_nothing_is_called(tmp_path: Path, call: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ran.py").write_text("open('imported', 'w').close()")
    monkeypatch.syspath_prepend(str(tmp_path))
    unknown: set[str] = set()
    assert read_objects(_save(tmp_path / "a.npy", {"x": call, "y": 1}), unknown) == {
        "x": None,
        "y": 1,
    }
    assert unknown
    assert not (tmp_path / "ran").exists() and not (tmp_path / "imported").exists()


def test_a_dtype_that_lies_about_its_flags(tmp_path: Path) -> None:
    """An object dtype that says it is plain makes numpy take bytes for pointers."""
    honest = _save(tmp_path / "a.npy", np.array([1, 2], dtype=np.int64), 2)
    forged = honest.read_bytes().replace(b"\x02\x00\x00\x00i8", b"\x02\x00\x00\x00O8")
    assert forged != honest.read_bytes()
    (tmp_path / "b.npy").write_bytes(forged)
    with pytest.raises(DamagedInput):
        read_objects(tmp_path / "b.npy")


DAMAGE = {
    "empty": b"",
    "other": b"MATLAB 5.0",
    "header": b"\x93NUMPY\x01\x00v\x00{'descr': '|O', ",
    "numbers": None,
    "no pickle": b"nothing of the kind",
    "memo": b"\x80\x04K\x01r\xff\xff\xff\x7f.",
    "persistent": b"\x80\x04Pid\n.",
    "deep": b"\x80\x04" + b"]" * 5000 + b"a" * 4999 + b".",
}


@pytest.mark.parametrize("name", list(DAMAGE))
def test_damage_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / "a.npy"
    raw = DAMAGE[name]
    if raw is None:
        np.save(path, np.arange(3))
    elif name in ("empty", "other", "header"):
        path.write_bytes(raw)
    else:
        whole = _save(path, 1).read_bytes()
        path.write_bytes(whole[: whole.index(b"\n") + 1] + raw)
    if name == "memo":  # a memo of 2 GB in C's unpickler, one entry here
        assert read_objects(path) == 1
        return
    with pytest.raises(DamagedInput):
        read_objects(path)


def test_cut_anywhere(tmp_path: Path) -> None:
    whole = _save(tmp_path / "a.npy", CONTENT).read_bytes()
    for size in range(0, len(whole), 37):
        (tmp_path / "b.npy").write_bytes(whole[:size])
        with pytest.raises(DamagedInput):
            read_objects(tmp_path / "b.npy")
    with pytest.raises(NoInput):
        read_objects(tmp_path / "c.npy")


@pytest.mark.parametrize("protocol", range(6))
def test_opcodes_are_split_as_pickletools_does(protocol: int) -> None:
    raw = pickle.dumps([CONTENT["nested"], b"x" * 300, "y" * 300, bytearray(b"z")], protocol)
    expected = [(opcode.name, argument) for opcode, argument, _ in pickletools.genops(raw)]
    assert list(opcodes(raw)) == expected
    for stop in range(len(raw)):
        with pytest.raises(ValueError):
            list(opcodes(raw[:stop]))
