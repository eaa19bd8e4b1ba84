"""An output is published whole or not at all, by one job at a time."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nwbkit.errors import IOFailure, OutputExists, OutputRefused, TryAgain
from nwbkit.storage import lock as lock_module
from nwbkit.storage import publish as publish_module
from nwbkit.storage.lock import OutputLock, Owner
from nwbkit.storage.publish import Publication, file_checksum, sidecar_path, write_atomic

from .conftest import environment


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


def test_publish(out, tmp_path):
    depfile = tmp_path / "o.d"
    before = os.umask(0o027)
    try:
        with Publication(out) as publication:
            assert publication.part.parent == tmp_path
            assert publication.part.name.startswith(".o.nwb.nwbkit-")
            assert publication.part.name.endswith(".part")
            publication.part.write_bytes(b"data")
            assert not out.exists()
            publication.publish(b"{}", depfile=(depfile, b"o.nwb: x"))
    finally:
        os.umask(before)
    assert out.read_bytes() == b"data"
    assert sidecar_path(out).read_bytes() == b"{}"
    assert depfile.read_bytes() == b"o.nwb: x"
    assert listing(tmp_path) == ["o.d", "o.nwb", "o.nwb.json"]
    assert {p.stat().st_mode & 0o777 for p in tmp_path.iterdir()} == {0o640}
    assert out.stat().st_nlink == 1


def test_existing_is_refused(old):
    with pytest.raises(OutputExists) as caught:
        put(old)
    assert caught.value.hint == "--overwrite or --skip-existing"
    assert_old(old)


def test_overwrite(old):
    put(old, overwrite=True)
    assert old.read_bytes() == b"new"
    assert sidecar_path(old).read_bytes() == b"new sidecar"
    assert listing(old.parent) == ["o.nwb", "o.nwb.json"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("written", [True, False])
def test_failure_leaves_the_old_output(old, error, written):
    with pytest.raises(error), Publication(old, overwrite=True) as publication:
        if written:
            publication.part.write_bytes(b"half")
        raise error
    assert_old(old)


@pytest.mark.parametrize("step", ["o.nwb.json", "o.d", "o.nwb"])
@pytest.mark.parametrize("error", [OSError(28, "full"), KeyboardInterrupt()])
def test_failure_between_the_renames_puts_the_sidecar_back(old, tmp_path, monkeypatch, step, error):
    original = os.replace

    def replace(source, target):
        if Path(target).name == step and b"new" in Path(source).read_bytes():
            raise error
        original(source, target)

    monkeypatch.setattr(os, "replace", replace)
    expected = IOFailure if isinstance(error, OSError) else KeyboardInterrupt
    with pytest.raises(expected), Publication(old, overwrite=True) as publication:
        publication.part.write_bytes(b"new")
        publication.publish(b"new sidecar", depfile=(tmp_path / "o.d", b"new rule"))
    (tmp_path / "o.d").unlink(missing_ok=True)
    assert_old(old)


def test_a_signal_after_the_rename_leaves_both_new(old, monkeypatch):
    original = os.replace

    def replace(source, target):
        original(source, target)
        if Path(target) == old:
            raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(KeyboardInterrupt):
        put(old, overwrite=True)
    assert old.read_bytes() == b"new"
    assert sidecar_path(old).read_bytes() == b"new sidecar"


def test_an_output_that_appears_meanwhile_is_not_replaced(out):
    with pytest.raises(OutputExists), Publication(out) as publication:
        publication.part.write_bytes(b"new")
        out.write_bytes(b"another program's")
        publication.publish(b"new sidecar")
    assert out.read_bytes() == b"another program's"
    assert listing(out.parent) == ["o.nwb"]


def test_an_output_that_appears_before_the_lock_is_refused_at_once(out, monkeypatch):
    original = OutputLock.acquire

    def acquire(self):
        out.write_bytes(b"a rival's")
        return original(self)

    monkeypatch.setattr(OutputLock, "acquire", acquire)
    with pytest.raises(OutputExists), Publication(out):
        pytest.fail("an hour of work would have been done for nothing")
    assert listing(out.parent) == ["o.nwb"]


def test_folders(tmp_path, monkeypatch):
    with pytest.raises(OutputRefused, match="no folder") as caught:
        put(tmp_path / "none" / "o.nwb")
    assert "mkdir -p" in caught.value.hint
    with pytest.raises(OutputRefused, match="no folder"):
        put(tmp_path / "o.nwb", tmp_dir=tmp_path / "none")
    (tmp_path / "d.nwb").mkdir()
    with pytest.raises(OutputRefused, match="is a folder"):
        put(tmp_path / "d.nwb", overwrite=True)
    with pytest.raises(OutputRefused, match="regular"):
        put("/dev/null", overwrite=True)
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(OutputRefused, match="not writable"):
        put(tmp_path / "o.nwb")
    assert listing(tmp_path) == ["d.nwb"]


def test_a_folder_that_refuses_new_files():
    # /proc looks writable to root and takes no files
    with pytest.raises(OutputRefused):
        put("/proc/o.nwb")


@pytest.mark.skipif(not os.access("/dev/shm", os.W_OK), reason="needs a second file system")
def test_tmp_dir_on_another_file_system(old, tmp_path):
    import tempfile

    with tempfile.TemporaryDirectory(dir="/dev/shm") as other:
        if os.stat(other).st_dev == tmp_path.stat().st_dev:
            pytest.skip("needs a second file system")
        with Publication(old, overwrite=True, tmp_dir=other) as publication:
            assert publication.part.parent == Path(other)
            publication.part.write_bytes(b"x" * 1_000_000)
            publication.publish(b"new sidecar")
        assert os.listdir(other) == []
    assert old.read_bytes() == b"x" * 1_000_000
    assert listing(tmp_path) == ["o.nwb", "o.nwb.json"]


def test_tmp_dir_on_the_same_file_system(out, tmp_path):
    (tmp_path / "t").mkdir()
    put(out, tmp_dir=tmp_path / "t")
    assert out.read_bytes() == b"new"
    assert listing(tmp_path) == ["o.nwb", "o.nwb.json", "t"]
    assert listing(tmp_path / "t") == []


def test_disk_full_while_copying(old, tmp_path, monkeypatch):
    (tmp_path / "t").mkdir()

    def rename(source, target):
        raise OSError(18, "cross-device")

    def copyfile(source, target):
        Path(target).write_bytes(b"ha")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(publish_module.os, "rename", rename)
    monkeypatch.setattr(publish_module.shutil, "copyfile", copyfile)
    with pytest.raises(IOFailure, match="no space left"):
        put(old, overwrite=True, tmp_dir=tmp_path / "t")
    assert listing(tmp_path / "t") == []
    (tmp_path / "t").rmdir()
    assert_old(old)


def test_disk_full_in_earnest(tmp_path, old):
    """A limit on file size is the full disk that needs no mount."""
    script = tmp_path / "s.py"
    script.write_text(
        "import resource, signal, sys\n"
        "from nwbkit.storage.publish import Publication\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "with Publication(sys.argv[1], overwrite=True) as p:\n"
        "    p.part.write_bytes(b'new')\n"
        "    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "    p.publish(bytes(5000))\n"
    )
    done = subprocess.run(
        [sys.executable, script, old], capture_output=True, text=True, env=environment()
    )
    script.unlink()
    assert "IOFailure: cannot write" in done.stderr
    assert "no space left on device" in done.stderr
    assert_old(old)


# --- locks


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


KILLED = """
import sys
from nwbkit.storage.publish import Publication
print("up", flush=True)
while True:
    with Publication(sys.argv[1], overwrite=True) as p:
        p.part.write_bytes(b"new" * 10_000)
        p.publish(b"new sidecar")
"""


def test_kill_9_at_any_moment_leaves_a_whole_output(tmp_path):
    out = tmp_path / "o" / "o.nwb"
    out.parent.mkdir()
    out.write_bytes(b"old")
    sidecar_path(out).write_bytes(b"old sidecar")
    script = tmp_path / "s.py"
    script.write_text(KILLED)
    random.seed(0)
    leavings = 0
    for _ in range(12):
        process = subprocess.Popen(
            [sys.executable, script, out], stdout=subprocess.PIPE, env=environment()
        )
        process.stdout.readline()
        time.sleep(random.random() * 0.05)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert out.read_bytes() in (b"old", b"new" * 10_000)
        assert sidecar_path(out).read_bytes() in (b"old sidecar", b"new sidecar")
        leavings += len(listing(out.parent)) > 2
        put(out, b"old", b"old sidecar", overwrite=True)
        assert_old(out)
    assert leavings  # or this test has killed nothing of interest


def test_release_without_acquire(out):
    OutputLock(out, out).release()


# --- single files


def test_write_atomic(tmp_path):
    path = tmp_path / "a.json"
    write_atomic(path, b"1")
    write_atomic(path, b"2")
    assert path.read_bytes() == b"2"
    assert listing(tmp_path) == ["a.json"]
    with pytest.raises(OutputRefused):
        write_atomic(tmp_path / "none" / "a.json", b"")


def test_file_checksum(tmp_path):
    import xxhash

    path = tmp_path / "f"
    data = random.Random(0).randbytes(9_000_001)
    path.write_bytes(data)
    assert file_checksum(path) == xxhash.xxh3_128_hexdigest(data)
