"""What the storage tests share: sources in memory and skeletons without pynwb."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import h5py
import numpy as np
import pytest

from nwbkit.storage.holes import hole
from nwbkit.storage.publish import Publication, sidecar_path
from nwbkit.streams import Array


def environment():
    """Environment in which a child process finds this nwbkit, installed or not."""
    import nwbkit

    root = str(Path(nwbkit.__file__).parents[1])
    return {**os.environ, "PYTHONPATH": root}


class Memory(Array):
    """An array stream over memory that counts how often each row is read."""

    def __init__(self, values, **settings):
        settings.setdefault("id", "s")
        super().__init__(name="s", role="raw", shape=values.shape, dtype=values.dtype, **settings)
        self.values = values
        self.counts = np.zeros(values.shape[0], int)
        self.most_at_once = 0
        self.starts = []
        self._inside = 0
        self._lock = threading.Lock()

    def read(self, start, stop, out=None):
        with self._lock:
            self._inside += 1
            self.most_at_once = max(self.most_at_once, self._inside)
            self.counts[start:stop] += 1
            self.starts.append(start)
        try:
            return self.deliver(start, stop, out)
        finally:
            with self._lock:
                self._inside -= 1

    def deliver(self, start, stop, out):
        rows = self.values[start:stop]
        if out is None:
            return rows
        out[: len(rows)] = rows
        return out[: len(rows)]


def values_of(shape, dtype, seed=0):
    """Reproducible values, with every byte of wide types in use."""
    rng = np.random.default_rng(seed)
    dtype = np.dtype(dtype)
    if dtype.kind == "b":
        return rng.random(shape) > 0.5
    if dtype.kind in "fc":
        return (rng.standard_normal(shape) * 1e3).astype(dtype)
    info = np.iinfo(dtype)
    return rng.integers(info.min, info.max, shape, dtype.newbyteorder("="), endpoint=True).astype(
        dtype
    )


def skeleton(path, holes, names=None):
    """Write an HDF5 file with an empty dataset for every hole, as pynwb would."""
    with h5py.File(path, "w") as f:
        for i, each in enumerate(holes):
            settings = dict(each.placeholder.io_settings)
            settings.update(shape=each.shape, dtype=each.dtype)
            name = names[i] if names else f"/d{i}"
            f.create_dataset(name, **settings)
            each.path = name
    return path


@pytest.fixture
def filled(tmp_path):
    """Fill one dataset; gives ``(path, hole, result)``."""
    from nwbkit.storage.pipeline import fill

    def make(values, plan=None, jobs=2, name="f.h5", max_memory=1 << 28):
        each = hole(values.shape, values.dtype, plan, source=Memory(values), key="a/b")
        path = skeleton(tmp_path / name, [each])
        return path, each, fill(path, [each], jobs=jobs, max_memory=max_memory)

    return make


def listing(folder):
    return sorted(p.name for p in folder.iterdir())


def put(out, data=b"new", sidecar=b"new sidecar", **settings):
    with Publication(out, **settings) as publication:
        publication.part.write_bytes(data)
        publication.publish(sidecar)


@pytest.fixture
def out(tmp_path):
    return tmp_path / "o.nwb"


@pytest.fixture
def old(out):
    """An output that was there before."""
    out.write_bytes(b"old")
    sidecar_path(out).write_bytes(b"old sidecar")
    return out


def assert_old(out):
    assert out.read_bytes() == b"old"
    assert sidecar_path(out).read_bytes() == b"old sidecar"
    assert listing(out.parent) == [out.name, out.name + ".json"]
