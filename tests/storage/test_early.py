"""A fill that begins before its file exists."""

from __future__ import annotations

import threading
import time

import h5py
import numpy as np
import pytest

from nwbkit.storage.crew import Crew
from nwbkit.storage.holes import hole
from nwbkit.storage.pipeline import Filling, Relay
from nwbkit.storage.planning import DatasetPlan as P
from tests.storage.conftest import Memory, skeleton, values_of


def made(values, **kind):
    return hole(values.shape, values.dtype, P((500, 16)), source=Memory(values, **kind), key="a/b")


def wait_for(condition):
    for _ in range(500):
        if condition():
            return
        time.sleep(0.01)
    pytest.fail("nothing happened")


def test_what_is_encoded_early_is_written_when_the_file_is_there(tmp_path):
    values = values_of((400_000, 32), "<i2")
    early, late = made(values), made(values[::-1].copy())
    with Filling([early], jobs=2, max_memory=64 << 20) as filling:
        wait_for(lambda: filling._relay._bytes > 0)
        path = skeleton(tmp_path / "a.h5", [early, late])
        filled = filling.finish(path, [late])
    with h5py.File(path) as f:
        assert np.array_equal(f[early.path][...], values)
        assert np.array_equal(f[late.path][...], values[::-1])
    assert set(filled.digests) == {early.path, late.path}
    assert filled.measured.raw == 2 * values.nbytes


def test_leaving_early_leaves_no_thread(tmp_path):
    before = threading.active_count()
    with (
        pytest.raises(ZeroDivisionError),
        Filling([made(values_of((400_000, 32), "<i2"))], jobs=2, max_memory=64 << 20),
    ):
        raise ZeroDivisionError
    assert threading.active_count() == before


def test_a_failure_of_the_source_comes_out_as_it_is(tmp_path):
    class Broken(Memory):
        def read(self, start, stop, out=None):
            raise LookupError("broken")

    values = values_of((4000, 32), "<i2")
    each = hole(values.shape, "<i2", P((500, 16)), source=Broken(values), key="a/b")
    with (
        pytest.raises(LookupError, match="broken"),
        Filling([each], jobs=2, max_memory=64 << 20) as f,
    ):
        f.finish(skeleton(tmp_path / "a.h5", [each]))


def test_no_more_is_held_than_the_budget():
    relay = Relay(1000, Crew(1))
    taken = []

    class Sink:
        lock_wait_s = 0.0
        stored = 0

        def put(self, hole, offset, data):
            taken.append(offset)

    worker = threading.Thread(
        target=lambda: [relay.put(None, (i,), bytes(300)) for i in range(10)], daemon=True
    )
    worker.start()
    wait_for(lambda: relay._bytes == 900)
    time.sleep(0.05)
    assert relay._bytes == 900
    relay.open(Sink())
    worker.join(5)
    assert sorted(taken) == [(i,) for i in range(10)]
