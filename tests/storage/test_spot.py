"""A proof by sample: every stored byte is checked, and one line of chunks in twenty decoded."""

from __future__ import annotations

import os
import random

import h5py
import numpy as np
import pytest

from nwbkit.storage import codec, pipeline, spot
from nwbkit.storage.holes import hole
from nwbkit.storage.pipeline import fill
from nwbkit.storage.planning import DatasetPlan
from nwbkit.storage.prove import Reading

from .conftest import Memory, skeleton, values_of

P = DatasetPlan
LIMITS = {"jobs": 2, "max_memory": 256 << 20}
PLANS = [P((512, 16)), P((8192, 10)), P((1000, 40)), P((4096, 40), codec="none")]


def written(tmp_path, plan, shape=(400_000, 40)):
    values = values_of(shape, "<i2")
    each = hole(shape, "<i2", plan, source=Memory(values), key="s/a:data")
    path = skeleton(tmp_path / "f.h5", [each])
    filled = fill(path, [each], **LIMITS)
    return path, each, filled


def check(path, each, filled):
    return spot.spot_check(path, filled.ledger.by_path([each]), filled.digests, **LIMITS)


@pytest.mark.parametrize("plan", PLANS)
def test_what_was_written_is_found(tmp_path, plan, monkeypatch):
    path, each, filled = written(tmp_path, plan)
    rows = []
    band = Reading.band
    monkeypatch.setattr(
        Reading, "band", lambda s, d, start, c: rows.append(start) or band(s, d, start, c)
    )
    assert check(path, each, filled) == {}
    # the first and the last line are among a few that are decoded
    lines = -(-each.shape[0] // each.plan.chunks[0])
    assert min(rows) == 0 and max(rows) == (lines - 1) * each.plan.chunks[0]
    assert len(rows) <= max(10, lines // 5)


def chunk_places(path, name):
    places = []
    with h5py.File(path) as file:
        file[name].id.chunk_iter(lambda c: places.append((c.byte_offset, c.size)) or None)
    return places


@pytest.mark.parametrize("seed", range(6))
def test_every_flipped_bit_is_found(tmp_path, seed):
    path, each, filled = written(tmp_path, P((1024, 20)), (40_000, 40))
    draw = random.Random(seed)
    place, size = draw.choice(chunk_places(path, each.path))
    with open(path, "r+b") as file:
        at = place + draw.randrange(size)
        byte = os.pread(file.fileno(), 1, at)[0]
        os.pwrite(file.fileno(), bytes([byte ^ 1 << draw.randrange(8)]), at)
    (problem,) = check(path, each, filled).values()
    assert "chunk at" in problem


def test_an_encoder_that_is_wrong_is_found(tmp_path, monkeypatch):
    # what it stores is intact, and not what was read
    deflate = codec.deflate
    monkeypatch.setattr(
        codec,
        "deflate",
        lambda data, *more: deflate(bytes(data[:-1]) + bytes([data[-1] ^ 1]), *more),
    )
    path, each, filled = written(tmp_path, P((8192, 40)))
    (problem,) = check(path, each, filled).values()
    assert problem.startswith("values differ in rows")


def test_a_chunk_that_was_never_stored_is_found(tmp_path, monkeypatch):
    put = pipeline.Relay.put
    monkeypatch.setattr(
        pipeline.Relay,
        "put",
        lambda self, hole, offset, data: (
            None if offset == (16_384, 0) else put(self, hole, offset, data)
        ),
    )
    path, each, filled = written(tmp_path, P((1024, 40)))
    assert "chunk at [16384, 0]: other bytes" in check(path, each, filled)[each.path]


def test_small_datasets_are_decoded_whole(tmp_path):
    path, each, filled = written(tmp_path, P((64, 4)), (1000, 10))
    with h5py.File(path, "r+") as file:
        file[each.path][500, 5] += 1  # rewritten by HDF5, so that its chunk is intact
    problems = spot.spot_check(path, {}, filled.digests, **LIMITS)
    assert problems[each.path].startswith("values differ")
    assert np.count_nonzero(filled.ledger.entries[each].sizes) == 48
