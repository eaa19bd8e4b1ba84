"""Safe reading of .npy and params.py: what would act does not, what claims too much is refused."""

from __future__ import annotations

import os
import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from nwbkit.errors import DamagedInput, NoInput, NwbkitError
from nwbkit.formats import registry
from nwbkit.formats.io.npy import MAX_HEADER, read_npy
from nwbkit.formats.io.params import MAX_BYTES, parse_params, read_params
from nwbkit.formats.sorting.phy import spikes as spikes_module
from nwbkit.formats.sorting.phy import templates as templates_module
from tests.expected.phy import write_phy

ARRAYS = [
    np.arange(5, dtype="<u8"),
    np.arange(5, dtype=">i4"),
    np.arange(6, dtype="<f4").reshape(2, 3),
    np.asfortranarray(np.arange(24, dtype="<f8").reshape(2, 3, 4)),
    np.zeros((0, 4), "<i2"),
    np.array(7, "<i8"),
    np.array([True, False]),
]


@pytest.mark.parametrize("array", ARRAYS, ids=lambda a: f"{a.dtype}{a.shape}")
def test_arrays_are_read_as_numpy_reads_them(array: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    for version in ((1, 0), (2, 0), (3, 0)):
        with open(path, "wb") as f:
            np.lib.format.write_array(f, array, version=version)
        found = read_npy(path)
        assert np.array_equal(found, array)
        assert found.dtype == array.dtype.newbyteorder("=")


def header(fields: str, length: int | None = None) -> bytes:
    text = fields.encode()
    return b"\x93NUMPY\x01\0" + struct.pack("<H", length or len(text)) + text


GOOD = "{'descr': '<i8', 'fortran_order': False, 'shape': (2,)}"
BROKEN: list[tuple[str, bytes, str]] = [
    ("empty", b"", "is empty"),
    ("another format", b"PK\x03\x04" * 9, "does not begin"),
    ("cut in its magic", b"\x93NUMPY\x01", "ends inside its header"),
    ("cut in its header", header(GOOD)[:30], "ends inside its header"),
    ("version 9", b"\x93NUMPY\x09\0" + bytes(200), "version 9"),
    ("a header of 4 GB", b"\x93NUMPY\x02\0" + b"\xff" * 400, f"at most {MAX_HEADER}"),
    ("objects", header(GOOD.replace("<i8", "|O")) + bytes(16), "could run code"),
    ("records with objects", header(GOOD.replace("'<i8'", "[('a', '|O')]")), "could run code"),
    ("records", header(GOOD.replace("'<i8'", "[('a', '<i8')]")), "no plain numbers"),
    ("text", header(GOOD.replace("<i8", "<U4")) + bytes(32), "no plain numbers"),
    ("a call in the header", header(GOOD.replace("(2,)", "__import__('os')")), "cannot be read"),
    ("a negative shape", header(GOOD.replace("(2,)", "(-2,)")), "says shape"),
    ("a shape of a float", header(GOOD.replace("(2,)", "(2.0,)")), "says shape"),
    ("five terabytes", header(GOOD.replace("(2,)", "(2**3,)")), "cannot be read"),
    ("a size bomb", header(GOOD.replace("(2,)", "(640000000000,)")) + bytes(16), "5120000000000"),
    ("an item of 3 bytes", header(GOOD.replace("<i8", "<i3")) + bytes(6), "'<i3'"),
    ("one element short", header(GOOD) + bytes(8), "holds 8 bytes of data, its header says 16"),
    ("one element long", header(GOOD) + bytes(24), "holds 24 bytes of data, its header says 16"),
]


@pytest.mark.parametrize(("raw", "said"), [pytest.param(*c[1:], id=c[0]) for c in BROKEN])
def test_broken_npy_is_refused_by_name(raw: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "ä b.npy"
    path.write_bytes(raw)
    with pytest.raises(DamagedInput) as error:
        read_npy(path)
    assert said in error.value.message
    assert "ä b.npy" in error.value.message
    assert "\n" not in error.value.message


@pytest.mark.parametrize("fortran", [False, True])
def test_the_complete_rows_of_a_short_file_can_be_had(fortran: bool, tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    array = np.arange(10, dtype="<i8")[:, None]
    np.save(path, np.asfortranarray(array) if fortran else array)
    path.write_bytes(path.read_bytes()[:-20])
    said: list[str] = []
    found = read_npy(path, lambda message, hint: said.append(message))
    assert found.tolist() == [[i] for i in range(7)]
    assert len(said) == 1


class Acts:
    """Makes a file when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.marker),)


def test_a_pickle_in_an_npy_is_not_loaded(tmp_path: Path) -> None:
    folder, marker = write_phy(tmp_path / "ks"), tmp_path / "marker"
    np.save(folder / "spike_times.npy", np.array([Acts(marker)], dtype=object), allow_pickle=True)
    (source,) = registry.detect([folder]).sources()
    with pytest.raises(DamagedInput, match="could run code"):
        registry.open_source(source.source())
    assert not marker.exists()
    (folder / "spike_times.npy").write_bytes(pickle.dumps(Acts(marker)))
    with pytest.raises(DamagedInput, match="does not begin"):
        registry.open_source(source.source())
    assert not marker.exists()
    np.load(folder / "spike_times.npy", allow_pickle=True)  # it would have acted
    assert marker.exists()


ACTS = """
import os
os.mkdir({marker!r})
dat_path = os.mkdir({marker!r}) or 'x.bin'
sample_rate = __import__('os').mkdir({marker!r}) or 30000.
n_channels_dat = (lambda: os.mkdir({marker!r}))()
dtype = [os.mkdir({marker!r}) for _ in '1'][0]
offset = f"{{os.mkdir({marker!r})}}"
"""


def test_a_params_py_that_would_act_does_not(tmp_path: Path) -> None:
    folder, marker = write_phy(tmp_path / "ks"), tmp_path / "marker"
    text = ACTS.format(marker=str(marker))
    (folder / "params.py").write_text(text)
    (source,) = registry.detect([folder]).sources()
    reader = registry.open_source(source.source())
    assert not marker.exists()
    assert sum("not run" in note for note in reader.notes) == 7
    assert reader.streams[0].timebase is None  # no rate was believed
    exec(text.splitlines()[1], scope := {})
    exec(text.splitlines()[2], scope)  # it would have acted
    assert marker.exists()


PARAMS: list[tuple[str, str, dict[str, Any], int]] = [
    (
        "plain",
        "a = 'x'\nb = 1\nc = 2.5\nd = True\ne = None\n",
        {"a": "x", "b": 1, "c": 2.5, "d": True, "e": None},
        0,
    ),
    ("negative, list", "a = -1\nb = ['x', 'y']\n", {"a": -1, "b": ["x", "y"]}, 0),
    ("comments and a doc", "'''doc'''\n# c\na = 1 # d\n", {"a": 1}, 0),
    ("annotated", "a: int = 1\n", {"a": 1}, 0),
    ("crlf and a mark", "\ufeffa = 1\r\nb = 'x'\r\n", {"a": 1, "b": "x"}, 0),
    ("a windows path", "a = 'D:\\new\\temp\\run.bin'\n", {"a": "D:\\new\\temp\\run.bin"}, 0),
    ("its slashes doubled", "a = 'D:\\\\new\\\\run.bin'\n", {"a": "D:\\new\\run.bin"}, 0),
    ("raw", "a = r'D:\\new\\run.bin'\n", {"a": "D:\\new\\run.bin"}, 0),
    (
        "no Python",
        "a = 'C:\\Users\\x.bin'\nb = 30000.\n",
        {"a": "C:\\Users\\x.bin", "b": 30000.0},
        0,
    ),
    ("a call", "a = WindowsPath('x')\nb = 1\n", {"b": 1}, 1),
    ("reassigned by a call", "a = 1\na = f()\n", {}, 1),
    ("a broken line", "a = \nb = 1\n", {"b": 1}, 1),
    ("nested too deep", "a = " + "(" * 5000 + "\nb = 1\n", {"b": 1}, 1),
    ("many signs", "a = " + "-" * 50000 + "1\nb = 1\n", {"b": 1}, 1),
    ("a number too long", "a = " + "9" * 9999 + "\nb = 1\n", {"b": 1}, 1),
    ("no text at all", "\0\1\2", {}, 1),
    ("empty", "", {}, 0),
]


@pytest.mark.parametrize(
    ("text", "values", "ignored"), [pytest.param(*c[1:], id=c[0]) for c in PARAMS]
)
def test_assignments_are_read_and_nothing_else(
    text: str, values: dict[str, Any], ignored: int, tmp_path: Path
) -> None:
    path = tmp_path / "params.py"
    path.write_bytes(text.encode())
    found = read_params(path)
    assert found.values == values
    assert len(found.ignored) == ignored
    assert parse_params(text.removeprefix("\ufeff")).values == values


def test_what_is_no_file_of_parameters(tmp_path: Path) -> None:
    (tmp_path / "params.py").write_bytes(b"#" * (MAX_BYTES + 1))
    cases: list[tuple[str, type[NwbkitError]]] = [("params.py", DamagedInput), ("none.py", NoInput)]
    for name, kind in cases:
        with pytest.raises(kind, match=name):
            read_params(tmp_path / name)
    with pytest.raises(NoInput, match=r"none\.npy"):
        read_npy(tmp_path / "none.npy")


@pytest.mark.parametrize(
    "ids",
    [
        np.arange(3, 9),
        np.array([-7, 0, 300, 70_000]),
        np.array([-(2**31), 5, 2**31]),  # too far apart for a table, too large for int32
        np.arange(300),  # more than 8 bits of places
    ],
    ids=["close", "negative", "wide", "many"],
)
def test_spikes_are_grouped_and_templates_shared_as_by_hand(
    monkeypatch: pytest.MonkeyPatch, ids: npt.NDArray[np.int64]
) -> None:
    monkeypatch.setattr(spikes_module, "_STRETCH", 64)
    rng = np.random.default_rng(0)
    clusters = rng.choice(ids, 2000)
    templates = rng.integers(0, 5, 2000)
    times = np.sort(rng.integers(0, 10**6, 2000))
    found = spikes_module.group(spikes_module.Spikes(times, "samples", clusters, templates))
    present = sorted(set(clusters.tolist()))
    assert found.clusters.tolist() == present
    assert found.counts.tolist() == [int((clusters == c).sum()) for c in present]
    assert found.times.tolist() == [t for c in present for t in times[clusters == c].tolist()]
    wanted = found.clusters[::2]
    for most in (1 << 22, 0):
        monkeypatch.setattr(templates_module, "_MOST_CELLS", most)
        shares = templates_module._shares(clusters, templates, wanted)
        for cluster, (which, weights) in zip(wanted.tolist(), shares, strict=True):
            mine = np.bincount(templates[clusters == cluster], minlength=5)
            assert which.tolist() == np.flatnonzero(mine).tolist()
            assert np.allclose(weights, mine[mine > 0] / mine.sum())
