"""MATLAB files: every type against scipy and h5py, and what damaged or hostile ones may not do."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from nwbkit.errors import NwbkitError
from nwbkit.formats.io import _mat5
from nwbkit.formats.io.mat import (
    MatFile,
    Sparse,
    Unread,
    items,
    names_in,
    number,
    text,
    texts,
    vector,
    version_of,
)
from tests.data import DATA, needs_data
from tests.expected.cellexplorer import cell

VALUES: dict[str, Any] = {
    "double": np.arange(6.0).reshape(2, 3),
    "small": np.array([[7.0]]),
    "int8": np.array([[-1, 2]], np.int8),
    "uint16": np.array([[1, 60000]], np.uint16),
    "int64": np.array([[2**60]], np.int64),
    "single": np.array([[1.5]], np.float32),
    "logical": np.array([[True, False]]),
    "complex": np.array([[1 + 2j]]),
    "cube": np.arange(24.0).reshape(2, 3, 4),
    "empty": np.empty((0, 3)),
}


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("name", VALUES)
def test_numbers_are_those_that_were_written(name: str, compress: bool, tmp_path: Path) -> None:
    from scipy.io import savemat

    path = tmp_path / "x.mat"
    savemat(path, {"v": VALUES[name], "w": 1.0}, do_compression=compress)
    with MatFile(path) as file:
        assert file.names() == ["v", "w"]
        got = file.get("v")
    assert got.dtype == VALUES[name].dtype
    assert np.array_equal(got, VALUES[name])
    assert names_in(path.read_bytes()[:4096]) == ["v", "w"]


def test_structs_cells_texts_and_sparse(tmp_path: Path) -> None:
    from scipy.io import savemat
    from scipy.sparse import csc_matrix

    several = np.empty((1, 2), [("a", object), ("b", object)])
    several[0, 0], several[0, 1] = (1.0, "x"), (2.0, "y")
    held = {
        "text": "µ ok",
        "lines": np.array(["one  ", "three"]),
        "cell": cell(["a", np.array([[1.0, 2.0]]), cell(["deep"])]),
        "several": several,
        "nothing": "",
        "matrix": csc_matrix(np.array([[0.0, 2.0], [0.0, 0.0], [3.0, 0.0]])),
    }
    savemat(tmp_path / "x.mat", {"s": held}, do_compression=True)
    with MatFile(tmp_path / "x.mat") as file:
        assert file.fields("s") == list(held)
        assert file.get("s/text") == "µ ok"
        assert file.get("s/lines") == ["one", "three"]
        assert file.get("s/cell")[2] == ["deep"]
        assert [e["b"] for e in file.get("s/several")] == ["x", "y"]
        assert file.get("s/nothing") == "" and file.get("s/none/at/all") is None
        matrix = file.get("s/matrix")
    assert isinstance(matrix, Sparse)
    dense = np.zeros(matrix.shape)
    for column in range(matrix.shape[1]):
        part = slice(matrix.starts[column], matrix.starts[column + 1])
        dense[matrix.rows[part], column] = matrix.values[part]
    assert dense.tolist() == [[0, 2], [0, 0], [3, 0]]


def test_helpers() -> None:
    assert text(["only"]) == "only" and text(" ") is None and text(np.ones((1, 1))) is None
    assert texts(["a", np.empty((0, 0))]) == ["a", ""] and texts([{}]) is None
    assert number(np.array([[3]])) == 3.0 and number("3") is None
    assert vector(np.ones((2, 2))) is None and vector([np.ones((1, 1))] * 3).size == 3  # type: ignore[union-attr]
    assert items({}) == [{}] and items([]) == [] and items(np.empty((0, 0))) == []


@needs_data
def test_version_5_reads_as_scipy_does() -> None:
    from scipy.io import loadmat

    def same(ours: Any, theirs: Any) -> None:
        if isinstance(ours, dict):
            for name, value in ours.items():
                same(value, theirs[0, 0][name])
        elif isinstance(ours, list) and theirs.dtype == object:
            for a, b in zip(ours, theirs.ravel(order="F"), strict=True):
                same(a, b)
        elif isinstance(ours, str):
            assert ours == (str(theirs[0]) if theirs.size else "")
        elif isinstance(ours, np.ndarray):
            assert ours.size == theirs.size == 0 or np.array_equal(ours, theirs, equal_nan=True)

    paths = [
        p for p in DATA.glob("cellexplorer/**/*.mat") if version_of(p.read_bytes()[:128]) == "5"
    ]
    assert len(paths) == 2
    for path in paths:
        with MatFile(path) as file:
            for name in file.names():
                same(file.get(name), loadmat(path, mat_dtype=True)[name])


# ------------------------------------------------------------------ version 7.3


def write_73(path: Path, fill: Any) -> Path:
    """An HDF5 file with MATLAB's header in its user block."""
    with h5py.File(path, "w", userblock_size=512) as f:
        fill(f)
    raw = bytearray(path.read_bytes())
    head = b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM"
    raw[: len(head)] = head
    path.write_bytes(raw)
    return path


def classed(f: Any, name: str, data: Any, kind: str, **attributes: Any) -> Any:
    made = f.create_dataset(name, data=data)
    made.attrs["MATLAB_class"] = np.bytes_(kind)
    for key, value in attributes.items():
        made.attrs[key] = value
    return made


def usual(f: Any) -> None:
    classed(f, "number", [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], "double")
    classed(f, "word", np.array([[ord(c)] for c in "µ x"], "<u2"), "char", MATLAB_int_decode=2)
    classed(f, "flag", np.array([[1]], "u1"), "logical", MATLAB_int_decode=1)
    classed(f, "none", np.array([0, 3], "u8"), "double", MATLAB_empty=np.uint8(1))
    classed(f, "handle", np.array([[1]], "u4"), "function_handle")
    classed(f, "thing", np.array([[1]], "u4"), "string", MATLAB_object_decode=np.int32(3))
    refs = f.create_group("#refs#")
    classed(refs, "a", [[7.0]], "double")
    references = np.array([[refs["a"].ref], [refs["a"].ref]], h5py.ref_dtype)
    f.create_dataset("cell", data=references, dtype=h5py.ref_dtype).attrs["MATLAB_class"] = (
        np.bytes_("cell")
    )
    group = f.create_group("many")
    group.attrs["MATLAB_class"] = np.bytes_("struct")
    group.create_dataset("field", data=references, dtype=h5py.ref_dtype)


def test_version_73(tmp_path: Path) -> None:
    with MatFile(write_73(tmp_path / "x.mat", usual)) as file:
        assert file.version == "7.3" and "#refs#" not in file.names()
        assert file.get("number").tolist() == [[1, 3, 5], [2, 4, 6]]
        assert file.get("word") == "µ x"
        assert file.get("flag").dtype == bool
        assert file.get("none").shape == (0, 3)
        assert file.get("handle") == Unread("function_handle")
        assert file.get("thing") == Unread("object")
        assert [v.tolist() for v in file.get("cell")] == [[[7.0]], [[7.0]]]
        assert [e["field"].item() for e in file.get("many")] == [7.0, 7.0]
        assert file.fields("many") == ["field"] and file.fields("number") == []
        assert file.get("absent") is None


def circle(f: Any) -> None:
    made = f.create_dataset("v", shape=(1, 1), dtype=h5py.ref_dtype)
    made.attrs["MATLAB_class"] = np.bytes_("cell")
    made[0, 0] = made.ref


def doubling(f: Any) -> None:
    refs = f.create_group("#refs#")
    last = classed(refs, "a0", [[1.0]], "double")
    for k in range(1, 60):
        made = refs.create_dataset(
            f"a{k}", data=np.array([[last.ref], [last.ref]], h5py.ref_dtype), dtype=h5py.ref_dtype
        )
        made.attrs["MATLAB_class"] = np.bytes_("cell")
        last = made
    f["v"] = last


def named(f: Any) -> None:
    f["v"] = np.dtype("f8")


def nowhere(f: Any) -> None:
    f.create_dataset("v", shape=(1, 1), dtype=h5py.ref_dtype).attrs["MATLAB_class"] = np.bytes_(
        "cell"
    )


def elsewhere(f: Any) -> None:
    f["v"] = h5py.ExternalLink("/etc/hostname", "/x")


def huge(f: Any) -> None:
    made = f.create_dataset("v", shape=(1 << 40,), dtype="f8", chunks=(1 << 10,))
    made.attrs["MATLAB_class"] = np.bytes_("double")


def over_and_over(f: Any) -> None:
    refs = f.create_group("#refs#")
    big = classed(refs, "a", np.zeros((1 << 22,)), "double")
    made = f.create_dataset(
        "v", data=np.full((100, 1), big.ref, h5py.ref_dtype), dtype=h5py.ref_dtype
    )
    made.attrs["MATLAB_class"] = np.bytes_("cell")


HOSTILE_73 = [named, circle, doubling, nowhere, elsewhere, huge]


@pytest.mark.parametrize("fill", HOSTILE_73)
def test_hostile_73(fill: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from nwbkit.formats.io import _mat73

    monkeypatch.setattr(_mat73, "MAX_VALUES", 1000)
    path = write_73(tmp_path / "x.mat", fill)
    with MatFile(path) as file, pytest.raises(NwbkitError) as error:
        file.get("v")
    assert error.value.status == 65
    assert "\n" not in error.value.message


def test_cells_that_name_one_dataset_over_and_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nwbkit.formats.io import _mat73

    monkeypatch.setattr(_mat73, "_FREE_BYTES", 1 << 26)
    monkeypatch.setattr(_mat73, "_MAX_RATIO", 1)
    path = write_73(tmp_path / "x.mat", over_and_over)
    with MatFile(path) as file, pytest.raises(NwbkitError, match="too many bytes"):
        file.get("v")


# ------------------------------------------------------------------ hostile version 5


def element(kind: int, data: bytes) -> bytes:
    return struct.pack("<II", kind, len(data)) + data + bytes(-len(data) % 8)


def matrix(
    kind: int, shape: tuple[int, ...], body: bytes, flags: int = 0, name: bytes = b"v"
) -> bytes:
    raw = element(6, struct.pack("<II", kind | flags, 0))
    raw += element(5, struct.pack(f"<{len(shape)}i", *shape)) + element(1, name)
    return element(14, raw + body)


HEAD = b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM"


def nested() -> bytes:
    body = matrix(6, (1, 1), element(9, struct.pack("<d", 1)), name=b"")
    for _ in range(100):
        body = matrix(1, (1, 1), body, name=b"")
    return matrix(1, (1, 1), body)


HOSTILE_5: list[tuple[str, bytes, str]] = [
    ("cut off", matrix(6, (1, 1), element(9, bytes(8)))[:-9], "cut off"),
    ("numbers declared", matrix(6, (1 << 15, 1 << 15), element(9, bytes(8))), "1 numbers of dimensions"),
    ("cells declared", matrix(1, (1 << 30, 1), b""), "declare more values"),
    ("structs declared", matrix(2, (1 << 30, 1), element(5, struct.pack("<i", 8)) + element(1, b"a".ljust(8, b"\0"))), "declare more values"),
    ("negative", matrix(6, (-1, 1), element(9, bytes(8))), "dimensions"),
    ("text", matrix(4, (2, 1 << 30), element(16, b"abcd")), "a text of 4 characters"),
    ("nested", nested(), "nested more than"),
    ("no flags", element(14, element(6, b"")), ""),
    ("a long small element", struct.pack("<HHI", 14, 5000, 0) + bytes(99), "a small element of 5000 bytes"),
    ("sparse", matrix(5, (2, 2), element(5, struct.pack("<i", 9)) + element(5, struct.pack("<3i", 0, 1, 1)) + element(9, bytes(8))), "names rows"),
    ("broken zlib", element(15, b"x\x9c" + bytes(20)), ""),
]  # fmt: skip


@pytest.mark.parametrize(("raw", "said"), [pytest.param(*c[1:], id=c[0]) for c in HOSTILE_5])
def test_hostile_5(raw: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "x.mat"
    path.write_bytes(HEAD + raw)
    try:
        with MatFile(path) as file:
            assert file.get("v") is None  # without a name there is no such variable
            assert said == ""
    except NwbkitError as error:
        assert error.status == 65
        assert said in error.message
        assert "\n" not in error.message


def test_a_deflated_bomb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_mat5, "_FREE_BYTES", 1 << 20)
    body = matrix(9, (1, 1 << 24), element(2, bytes(1 << 24)))
    path = tmp_path / "x.mat"
    packed = zlib.compress(body)
    path.write_bytes(HEAD + struct.pack("<II", 15, len(packed)) + packed)
    with MatFile(path) as file:
        assert file.names() == ["v"]
        with pytest.raises(NwbkitError, match="unfolds to more than"):
            file.get("v")


def test_objects_and_functions_are_not_built(tmp_path: Path) -> None:
    opaque = element(
        14, element(6, struct.pack("<II", 17, 0)) + element(1, b"v") + element(1, b"MCOS")
    )
    path = tmp_path / "x.mat"
    thing = matrix(3, (1, 1), element(1, b"inline"), name=b"o")
    path.write_bytes(HEAD + thing + opaque)
    with MatFile(path) as file:
        assert file.get("o") == Unread("object")


@pytest.mark.parametrize(
    ("raw", "status"),
    [(b"", 65), (b"MATLAB 4", 65), (b"x" * 500, 65), (None, 66), (HEAD[:100], 65)],
)
def test_files_that_are_none(raw: bytes | None, status: int, tmp_path: Path) -> None:
    path = tmp_path / "x.mat"
    if raw is not None:
        path.write_bytes(raw)
    with pytest.raises(NwbkitError) as error:
        MatFile(path)
    assert error.value.status == status


def test_big_endian(tmp_path: Path) -> None:
    body = struct.pack(">II", 6, 8) + struct.pack(">II", 6, 0) + struct.pack(">IIii", 5, 8, 1, 2)
    body += struct.pack(">HH4s", 1, 1, b"v") + struct.pack(">IIdd", 9, 16, 1.5, -2.0)
    path = tmp_path / "x.mat"
    path.write_bytes(
        b"MATLAB 5.0".ljust(124) + b"\x01\x00MI" + struct.pack(">II", 14, len(body)) + body
    )
    with MatFile(path) as file:
        assert file.get("v").tolist() == [[1.5, -2.0]]
