"""What pynwb writes by itself: chunked and checked, and otherwise just as it would be."""

from __future__ import annotations

import datetime
import os
import warnings
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from nwbkit.storage import protected
from nwbkit.storage.codec import DEFLATE, FLETCHER32
from nwbkit.storage.content import content_digest, digest_rest, walk
from nwbkit.storage.protected import SMALL, protect

os.environ.setdefault("PYNWB_NO_CACHE_DIR", "1")
#: The cached schema is a scalar a namespace, and scalars have no chunks.
SCHEMA = "/specifications"


def build(n: int) -> Any:
    """A file with every sort of dataset that pynwb makes from memory."""
    from hdmf.common import DynamicTable, VectorData
    from pynwb import NWBFile, TimeSeries

    rng = np.random.default_rng(0)
    start = datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)
    file = NWBFile("d", "i", start, file_create_date=start)
    series = TimeSeries(
        name="ts",
        data=rng.integers(0, 9, (n, 3)).astype("<i2"),
        timestamps=np.sort(rng.random(n)),
        unit="m",
    )
    file.add_acquisition(series)
    columns = {
        "i": rng.integers(0, 99, n),
        "f": rng.random(n).astype(">f4"),
        "b": rng.random(n) > 0.5,
        "s": [f"é{i}" for i in range(n)],
        "m": rng.random((n, 2)),
        "l": rng.integers(0, 9, n).tolist(),
        "n": rng.random((n, 2)).tolist(),
        "u": np.array([f"x{i}" for i in range(n)]),
    }
    file.add_acquisition(
        DynamicTable(
            name="tab",
            description="d",
            columns=[
                VectorData(name=name, description=name, data=v) for name, v in columns.items()
            ],
            id=np.arange(n),
        )
    )
    device = file.create_device("d")
    group = file.create_electrode_group("g", "d", "l", device)
    for _ in range(200):
        file.add_electrode(location="x", group=group, group_name="g")
    for i in range(120):
        file.add_epoch(float(i), i + 0.5, timeseries=[series], tags=["a", "b"])
    return file


@pytest.fixture(scope="module", params=[200, 3000], ids=["small", "large"])
def pair(request: Any, tmp_path_factory: Any) -> tuple[Path, Path]:
    """The same file as hdmf writes it, and protected; the large one by our own encoder."""
    from pynwb import NWBHDF5IO

    folder = tmp_path_factory.mktemp("protected")
    paths = folder / "plain.nwb", folder / "protected.nwb"
    large = protected._LARGE
    protected._LARGE = 1 << 14
    try:
        for path in paths:
            file = build(request.param)
            for i, each in enumerate(sorted(file.all_children(), key=lambda c: str(c.name))):
                each._AbstractContainer__object_id = str(i)
            with warnings.catch_warnings(), NWBHDF5IO(str(path), "w") as io:
                warnings.simplefilter("ignore")
                if path is paths[1]:
                    protect(io)
                io.write(file)
    finally:
        protected._LARGE = large
    return paths


def datasets(file: h5py.File) -> dict[str, h5py.Dataset]:
    found: dict[str, h5py.Dataset] = {}
    file.visititems(lambda n, o: found.update({n: o}) if isinstance(o, h5py.Dataset) else None)
    return {n: d for n, d in found.items() if not f"/{n}".startswith(SCHEMA)}


def filters(dataset: h5py.Dataset) -> set[int]:
    create = dataset.id.get_create_plist()
    return {create.get_filter(i)[0] for i in range(create.get_nfilters())}


def test_every_dataset_over_a_kilobyte_has_a_checksum(pair: tuple[Path, Path]) -> None:
    with h5py.File(pair[1]) as file:
        large = {
            name: dataset
            for name, dataset in datasets(file).items()
            if dataset.size * dataset.dtype.itemsize > SMALL
        }
        large.update({n: d for n, d in datasets(file).items() if d.chunks is not None})
        assert len(large) >= 20
        bare = [n for n, d in large.items() if not filters(d) & {DEFLATE, FLETCHER32}]
    assert not bare


def test_hdmf_alone_has_none(pair: tuple[Path, Path]) -> None:
    """The reason for all this; if it begins to fail, hdmf compresses by itself."""
    with h5py.File(pair[0]) as file:
        assert not any(filters(dataset) for dataset in datasets(file).values())


def test_types_shapes_and_room_to_grow_stay(pair: tuple[Path, Path]) -> None:
    with h5py.File(pair[0]) as plain, h5py.File(pair[1]) as safe:
        ours = datasets(safe)
        for name, dataset in datasets(plain).items():
            mine = ours.pop(name)
            assert (mine.shape, mine.dtype) == (dataset.shape, dataset.dtype), name
            assert mine.maxshape == dataset.maxshape, name
            assert set(mine.attrs) == set(dataset.attrs), name
        assert not ours


def test_the_content_is_the_same(pair: tuple[Path, Path]) -> None:
    digests = []
    for path in pair:
        with h5py.File(path) as file:
            digests.append(content_digest(walk(file), digest_rest(file, {})))
    assert digests[0] == digests[1]


def test_pynwb_reads_it(pair: tuple[Path, Path]) -> None:
    from pynwb import NWBHDF5IO

    with NWBHDF5IO(str(pair[1]), "r") as io:
        file = io.read()
        assert file.electrodes["group"][3].name == "g"
        assert file.epochs["timeseries"][5][0].timeseries.name == "ts"
        assert file.acquisition["tab"]["s"][7] == "é7"


NUMBERS = ["acquisition/tab/i", "acquisition/tab/b", "acquisition/ts/timestamps"]


@pytest.mark.parametrize("name", [*NUMBERS, "acquisition/tab/id", "acquisition/tab/m"])
def test_a_flipped_bit_is_found_by_reading(
    pair: tuple[Path, Path], tmp_path: Path, name: str
) -> None:
    """By any reader, without a sidecar."""
    with h5py.File(pair[1]) as file:
        chunk = file[name].id.get_chunk_info(0)
        place, size = chunk.byte_offset, chunk.size
        values = file[name][...]
    data = pair[1].read_bytes()
    for bit in range(0, 8 * size, max(1, size // 4)):
        broken = bytearray(data)
        broken[place + bit // 8] ^= 1 << bit % 8
        path = tmp_path / "broken.nwb"
        path.write_bytes(broken)
        with h5py.File(path) as file:
            try:
                found = file[name][...]
            except OSError:
                continue
            # deflate has header bits that play no part in decoding
            assert np.array_equal(found, values), bit
