"""Reading back finds what is damaged, names it, and agrees with stock h5py on the rest."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from nwbkit.errors import DamagedInput
from nwbkit.storage.codec import fletcher32
from nwbkit.storage.digests import digest_array
from nwbkit.storage.planning import DatasetPlan
from nwbkit.storage.prove import decode_digests

from .conftest import values_of

SETTINGS = {"jobs": 3, "max_memory": 1 << 28}

LAYOUTS = [
    {},
    {"chunks": (64, 4)},
    {"chunks": (64, 13), "compression": "gzip"},
    {"chunks": (64, 4), "compression": "gzip", "shuffle": True},
    {"chunks": (64, 4), "compression": "gzip", "shuffle": True, "fletcher32": True},
    {"chunks": (64, 4), "shuffle": True},
    {"chunks": (64, 4), "fletcher32": True},
    {"chunks": (1001, 1), "compression": "gzip"},
    {"chunks": (64, 4), "compression": "lzf"},
    {"chunks": (64, 4), "maxshape": (None, None), "compression": "gzip"},
]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", ["<i2", ">i2", "<f4", "<f8", "|u1", "|b1"])
def test_digests_do_not_depend_on_the_layout(tmp_path, layout, dtype):
    values = values_of((1001, 13), dtype)
    path = tmp_path / "f.h5"
    with h5py.File(path, "w") as f:
        f.create_dataset("g/d", data=values, **layout)
    found = decode_digests(path, **SETTINGS)
    assert found.problems == {}
    assert found.digests == {"/g/d": digest_array(values)}


@pytest.mark.parametrize(
    ("shape", "chunks"),
    [
        ((5001,), (512,)),
        ((51, 9, 11), (4, 5, 11)),
        ((21, 9, 11, 3), (4, 9, 4, 3)),
        ((1, 1), (1, 1)),
    ],
)
def test_shapes(tmp_path, shape, chunks):
    values = values_of(shape, "<u2")
    path = tmp_path / "f.h5"
    with h5py.File(path, "w") as f:
        f.create_dataset("d", data=values, chunks=chunks, compression="gzip", shuffle=True)
        f["s"] = 3.0
        f["t"] = ["a", "bc"]
        f["e"] = np.empty((0, 4))
    found = decode_digests(path, **SETTINGS)
    assert found.digests["/d"] == digest_array(values)
    assert set(found.digests) == {"/d", "/s", "/t", "/e"}
    assert set(decode_digests(path, ["/d"], **SETTINGS).digests) == {"/d"}


def test_little_memory_reads_all_the_same(tmp_path):
    values = values_of((3000, 100), "<i2")
    path = tmp_path / "f.h5"
    with h5py.File(path, "w") as f:
        f.create_dataset("d", data=values, chunks=(3000, 10), compression="gzip")
    found = decode_digests(path, jobs=2, max_memory=1000)
    assert found.digests["/d"] == digest_array(values)


def test_chunks_never_written_hold_the_fill_value(tmp_path):
    path = tmp_path / "f.h5"
    with h5py.File(path, "w") as f:
        dataset = f.create_dataset("d", (100, 4), "<i2", chunks=(10, 4), fillvalue=7)
        dataset[20:30] = 5
    values = np.full((100, 4), 7, "<i2")
    values[20:30] = 5
    assert decode_digests(path, **SETTINGS).digests["/d"] == digest_array(values)


def test_asked_for_under_another_name_or_missing(tmp_path):
    path = tmp_path / "f.h5"
    values = values_of((100, 4), "<i2")
    with h5py.File(path, "w") as f:
        f.create_dataset("a", data=values, chunks=(10, 4))
        f["b"] = f["a"]
        f.create_group("g")
    found = decode_digests(path, ["/b", "/g", "/none"], **SETTINGS)
    assert found.digests["/b"] == digest_array(values)
    assert set(found.problems) == {"/g", "/none"}


def stored(path, name, index):
    with h5py.File(path) as f:
        info = f[name].id.get_chunk_info(index)
        return info.byte_offset, info.size, info.chunk_offset


PLAN = DatasetPlan((64, 4))


@pytest.mark.parametrize("where", [0.02, 0.5, 1.0])
def test_a_flipped_bit_is_found_and_named(filled, where):
    path, each, result = filled(values_of((1001, 13), "<i2") & 0xFF, PLAN)
    place, size, offset = stored(path, each.path, 9)
    with open(path, "r+b") as f:
        f.seek(place + int((size - 1) * where))
        byte = f.read(1)[0]
        f.seek(-1, 1)
        f.write(bytes([byte ^ 0x10]))
    found = decode_digests(path, **SETTINGS)
    problem = found.problems.get(each.path)
    if problem is None:  # the stream still inflates, to other values
        assert found.digests[each.path].compare(result.digests[each.path]) is not None
    else:
        assert problem.count == 1
        assert f"chunk at {list(offset)}" in str(problem)
        assert each.path not in found.digests


def test_a_chunk_of_another_length_is_found(filled):
    import zlib

    path, each, _ = filled(values_of((1001, 13), "<i2"), PLAN)
    for length in (64 * 4 * 2 - 2, 64 * 4 * 2 + 2, 0):
        with h5py.File(path, "r+") as f:
            f[each.path].id.write_direct_chunk((64, 4), zlib.compress(bytes(length)))
        found = decode_digests(path, **SETTINGS)
        assert "does not inflate to 512 bytes" in str(found.problems[each.path])


def test_other_values_in_a_chunk_differ(filled):
    values = values_of((1001, 13), "<i2")
    path, each, result = filled(values, PLAN)
    with h5py.File(path, "r+") as f:
        f[each.path][500, 5] ^= 1
    found = decode_digests(path, **SETTINGS)
    difference = found.digests[each.path].compare(result.digests[each.path])
    assert difference.what == "values"


def test_all_damage_is_collected_and_the_rest_read(tmp_path):
    path = tmp_path / "f.h5"
    values = values_of((1000, 4), "<i2")
    with h5py.File(path, "w") as f:
        for name in "abc":
            f.create_dataset(name, data=values, chunks=(10, 4), compression="gzip")
        for name in "ab":
            for row in range(0, 1000, 20):
                f[name].id.write_direct_chunk((row, 0), b"broken")
    found = decode_digests(path, **SETTINGS)
    assert {p: problem.count for p, problem in found.problems.items()} == {"/a": 50, "/b": 50}
    assert len(found.problems["/a"].named) == 20
    assert set(found.digests) == {"/c"}


def test_fletcher32_that_does_not_fit(tmp_path):
    path = tmp_path / "f.h5"
    with h5py.File(path, "w") as f:
        f.create_dataset("d", data=values_of((100, 4), "<i2"), chunks=(10, 4), fletcher32=True)
    place, _, _ = stored(path, "d", 3)
    with open(path, "r+b") as f:
        f.seek(place + 5)
        f.write(b"!")
    assert "fletcher32" in str(decode_digests(path, **SETTINGS).problems["/d"])


@pytest.mark.parametrize("data", [b"", b"a", bytes(1000), b"\xff" * 70000, bytes(range(256)) * 999])
def test_fletcher32_is_hdf5s(tmp_path, data):
    if data:
        with h5py.File(tmp_path / "f.h5", "w") as f:
            values = np.frombuffer(data, "u1")
            dataset = f.create_dataset("d", data=values, chunks=values.shape, fletcher32=True)
            _, raw = dataset.id.read_direct_chunk((0,))
        assert int.from_bytes(raw[-4:], "little") == fletcher32(data)
    else:
        assert fletcher32(data) == 0


def test_a_file_cut_short(filled):
    path, _, _ = filled(values_of((100_001, 13), "<i2"), PLAN)
    with open(path, "r+b") as f:
        f.truncate(f.seek(0, 2) // 2)
    with pytest.raises(DamagedInput, match="as HDF5"):
        decode_digests(path, **SETTINGS)


def test_a_huge_claim_is_not_followed(tmp_path):
    path = tmp_path / "f.h5"
    with h5py.File(path, "w") as f:
        f.create_dataset("d", (1 << 40,), "f8", chunks=(1 << 16,), compression="gzip")
    assert "none is stored" in str(decode_digests(path, **SETTINGS).problems["/d"])
