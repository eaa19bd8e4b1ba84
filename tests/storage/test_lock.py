"""The lock of an output: one job at a time, and nothing left of dead ones."""

from __future__ import annotations

import json
import multiprocessing
import os
import socket
import subprocess
import sys
import time

import pytest

from nwbkit.errors import OutputExists, TryAgain
from nwbkit.storage import lock as lock_module
from nwbkit.storage.lock import OutputLock, Owner
from nwbkit.storage.publish import Publication, sidecar_path

from .conftest import assert_old, listing, put


def race(out, start, results):
    start.wait()
    try:
        with Publication(out) as publication:
            publication.part.write_bytes(str(os.getpid()).encode())
            time.sleep(0.05)
            publication.publish(str(os.getpid()).encode())
        results.put("won")
    except TryAgain:
        results.put("again")
    except OutputExists:
        results.put("exists")
    except BaseException as error:
        results.put(repr(error))
        raise


@pytest.mark.parametrize("stale", [False, True])
def test_of_eight_racers_one_wins(tmp_path, stale):
    context = multiprocessing.get_context("fork")
    for attempt in range(5):
        out = tmp_path / f"{attempt}.nwb"
        if stale:
            plant_lock(out, pid=dead_pid())
        start, results = context.Event(), context.Queue()
        racers = [context.Process(target=race, args=(out, start, results)) for _ in range(8)]
        [r.start() for r in racers]
        start.set()
        outcome = sorted(results.get(timeout=30) for _ in racers)
        [r.join() for r in racers]
        assert outcome.count("won") == 1, outcome
        assert len(outcome) == 8
        assert out.read_bytes() == sidecar_path(out).read_bytes()
    assert len(listing(tmp_path)) == 10


def dead_pid():
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


def plant_lock(out, age=0.0, **changes):
    part = out.with_name(f".{out.name}.nwbkit-0123.part")
    part.write_bytes(b"half")
    owner = {**vars(Owner.me(part)), **changes}
    path = out.with_name(f".{out.name}.nwbkit-lock")
    path.write_text(json.dumps(owner))
    os.utime(path, (time.time() - age,) * 2)
    return path


STALE = {
    "dead process": {"pid": -1},
    "pid used again": {"started": "1"},
    "other boot": {"boot": "x", "age": 100},
    "other host, silent": {"host": "elsewhere", "age": 700},
    "other namespace, silent": {"namespace": "pid:[1]", "age": 700},
}
LIVE = {
    "this process": {},
    "other boot, just seen": {"boot": "x"},
    "other host": {"host": "elsewhere", "age": 300},
    "other host, same pid dead here": {"host": "elsewhere", "pid": -1},
    "other namespace": {"namespace": "pid:[1]", "pid": -1},
}


@pytest.mark.parametrize("case", STALE)
def test_a_dead_jobs_lock_and_leavings_are_reaped(out, case):
    settings = dict(STALE[case])
    if settings.get("pid") == -1:
        settings["pid"] = dead_pid()
    plant_lock(out, **settings)
    put(out)
    assert listing(out.parent) == ["o.nwb", "o.nwb.json"]


@pytest.mark.parametrize("case", LIVE)
def test_a_live_jobs_lock_is_respected(out, case):
    settings = dict(LIVE[case])
    if settings.get("pid") == -1:
        settings["pid"] = dead_pid()
    path = plant_lock(out, **settings)
    before = listing(out.parent), path.read_text()
    with pytest.raises(TryAgain, match="is being written by process") as caught:
        put(out)
    assert str(path) in caught.value.hint
    assert (listing(out.parent), path.read_text()) == before


def test_a_lock_that_cannot_be_read_is_respected(out):
    out.with_name(".o.nwb.nwbkit-lock").write_text("?")
    with pytest.raises(TryAgain, match="cannot be read"):
        put(out)


def test_the_heartbeat_beats(out, monkeypatch):
    monkeypatch.setattr(lock_module, "HEARTBEAT_S", 0.01)
    with Publication(out) as publication:
        path = out.with_name(".o.nwb.nwbkit-lock")
        os.utime(path, (0, 0))
        for _ in range(500):
            if path.stat().st_mtime > 1:
                break
            time.sleep(0.01)
        assert path.stat().st_mtime > 1
        assert json.loads(path.read_text())["host"] == socket.gethostname()
        assert json.loads(path.read_text())["part"] == str(publication.part)


def test_who_has_lost_the_lock_does_not_publish(old):
    with pytest.raises(TryAgain, match="taken over"), Publication(old, overwrite=True) as p:
        p.part.write_bytes(b"new")
        path = old.with_name(".o.nwb.nwbkit-lock")
        path.write_text(path.read_text().replace(p._lock._me.token, "other"))
        p.publish(b"new sidecar")
    assert path.exists()  # the other's
    path.unlink()
    assert_old(old)


def test_a_dead_jobs_part_in_tmp_dir_is_reaped_and_no_other(out, tmp_path):
    other = tmp_path / "t"
    other.mkdir()
    mine, foreign = other / ".o.nwb.nwbkit-1.part", other / ".o.nwb.nwbkit-2.part"
    mine.write_bytes(b"")
    foreign.write_bytes(b"")
    precious = tmp_path / "precious"
    precious.write_bytes(b"")
    plant_lock(out, pid=dead_pid(), part=str(mine))
    put(out, tmp_dir=other)
    assert listing(other) == [foreign.name]
    plant_lock(out, pid=dead_pid(), part=str(precious))
    put(out, overwrite=True)
    assert precious.exists()  # a lock's word is not enough to delete just anything


def test_release_without_acquire(out):
    OutputLock(out, out).release()


def test_a_half_written_claim_of_a_dead_process_is_litter(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", "pass"])
    process.wait()
    out = tmp_path / "o.nwb"
    dead = tmp_path / f".o.nwb.nwbkit-{lock_module._here()}.{process.pid}.00ff.claim"
    alive = tmp_path / f".o.nwb.nwbkit-{lock_module._here()}.{os.getpid()}.00ff.claim"
    foreign = tmp_path / f".o.nwb.nwbkit-000000000000.{process.pid}.00ff.claim"
    for path in (dead, alive, foreign):
        path.touch()
    assert lock_module.dead_claims(out, dead.stat().st_mtime) == [dead]
