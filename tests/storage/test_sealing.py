"""One sweep over a finished file serves its checksum and those who read in it meanwhile."""

from __future__ import annotations

import hashlib
import os
import random
import threading
import time

import pytest
import xxhash

from nwbkit.storage import past, sealing
from nwbkit.storage.folders import checksum
from nwbkit.storage.hdf5 import ChunkFile
from nwbkit.storage.holes import hole
from nwbkit.storage.pipeline import fill
from nwbkit.storage.planning import DatasetPlan
from nwbkit.storage.prove import decode_digests
from nwbkit.storage.sealing import Sealing, Sweep

from .conftest import Memory, skeleton, values_of

BLOCK = 2 * past.PAGE


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(sealing, "BLOCK_BYTES", BLOCK)


def file_of(path, size, keep=True):
    path.write_bytes(random.Random(size).randbytes(size))
    if not keep:
        with open(path, "rb") as file:
            os.fsync(file.fileno())
            past.give_back(file.fileno())
    return path


def swept(sweep):
    """Run a sweep in a thread; a function that waits for its checksum."""
    found = []
    thread = threading.Thread(target=lambda: found.append(sweep.run()), daemon=True)
    thread.start()

    def result():
        sweep.release()
        thread.join(20)
        assert found
        sweep.close()
        return found[0]

    return result


@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize("size", [0, 1, BLOCK - 1, BLOCK, 7 * BLOCK, 40 * BLOCK + 4097])
def test_the_checksum_is_that_of_the_file(tmp_path, small, size, keep):
    path = file_of(tmp_path / "f", size, keep)
    assert swept(Sweep(path, 6))() == checksum(path) == xxhash.xxh3_128_hexdigest(path.read_bytes())


ORDERS = {
    "in order": lambda places: places,
    "backward": lambda places: places[::-1],
    "at random": lambda places: random.Random(1).sample(places, len(places)),
}


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("order", ORDERS)
def test_readers_get_what_is_there(tmp_path, small, order, threads):
    size = 40 * BLOCK + 77
    path = file_of(tmp_path / "f", size, keep=False)
    data = path.read_bytes()
    places = ORDERS[order](list(range(0, size, 3001)))
    sweep = Sweep(path, 6)
    result = swept(sweep)
    wrong = []

    def read(mine):
        for place in mine:
            buffer = bytearray(9001)
            missing = sweep.read_into(memoryview(buffer), place)
            if buffer[: 9001 - missing] != data[place : place + 9001]:
                wrong.append(place)

    readers = [threading.Thread(target=read, args=(places[k::threads],)) for k in range(threads)]
    [r.start() for r in readers]
    [r.join(20) for r in readers]
    assert not any(r.is_alive() for r in readers)
    assert not wrong
    assert result() == checksum(path)


def test_it_does_not_run_ahead_of_its_readers(tmp_path, small):
    path = file_of(tmp_path / "f", 40 * BLOCK)
    sweep = Sweep(path, 6)
    result = swept(sweep)
    time.sleep(0.1)
    assert sweep._done <= 3
    sweep.read_into(memoryview(bytearray(10)), 9 * BLOCK)
    time.sleep(0.1)
    assert 10 <= sweep._done <= 12
    assert result() == checksum(path)


def test_what_fails_ends_nobody_elses_reading(tmp_path, small, monkeypatch):
    path = file_of(tmp_path / "f", 20 * BLOCK)

    def failing(fd, room, place):
        raise OSError(5, "broken")

    monkeypatch.setattr(sealing, "read_block", failing)
    with Sealing(path, sums_as=None, known={}, sweep=6) as seal:
        buffer = bytearray(100)
        assert seal.sweep.read_into(memoryview(buffer), 5 * BLOCK) == 0
        assert bytes(buffer) == path.read_bytes()[5 * BLOCK :][:100]
        with pytest.raises(OSError, match="broken"):
            seal.result()


@pytest.mark.parametrize("sweep", [6, 0])
def test_sealing_a_file(tmp_path, sweep):
    path = file_of(tmp_path / "f.part", 100_000)
    with Sealing(path, sums_as="f.nwb", known={}, sweep=sweep) as seal:
        found, sums = seal.result()
    assert found == checksum(path)
    assert sums == f"{hashlib.sha256(path.read_bytes()).hexdigest()}  f.nwb\n".encode()


def test_leaving_without_a_result_stops_it(tmp_path, small):
    """Ctrl-C during the proof of a large file does not wait until all of it has been read."""
    path = file_of(tmp_path / "f", 40 * BLOCK)
    with pytest.raises(KeyError), Sealing(path, sums_as=None, known={}, sweep=6) as seal:
        raise KeyError
    assert seal.sweep._done < 40
    assert not [t for t in threading.enumerate() if t.name.startswith("nwbkit-seal")]


@pytest.mark.parametrize("passing", [True, False])
def test_a_file_that_passes_the_page_cache(tmp_path, monkeypatch, small, passing):
    """It is proven through a sweep all the same."""
    monkeypatch.setattr("nwbkit.storage.hdf5.WRITEBACK_BYTES", 1 << 20)
    given = []
    real = past.give_back
    monkeypatch.setattr(
        "nwbkit.storage.hdf5.give_back", lambda fd, n: (given.append(n), real(fd, n))
    )
    values = values_of((60_000, 64), "<i2")
    plan = DatasetPlan((4096, 32))
    each = hole(values.shape, "<i2", plan, source=Memory(values), key="a/b")
    path = skeleton(tmp_path / "f.h5", [each])
    starts = ChunkFile._count

    def slow(self, n):
        starts(self, n)
        time.sleep(0.02)  # the thread that gives back comes in between

    monkeypatch.setattr(ChunkFile, "_count", slow)
    result = fill(path, [each], jobs=2, max_memory=1 << 28, passing=passing)
    assert bool(given) == passing
    with Sealing(path, sums_as=None, known={}, sweep=6) as seal:
        found = decode_digests(path, jobs=2, max_memory=1 << 28, read=seal.sweep.read_into)
        assert seal.result()[0] == checksum(path)
    assert found.digests == result.digests
    assert not found.problems
