"""An output is published whole or not at all, by one job at a time."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nwbkit.errors import IOFailure, OutputExists, OutputRefused
from nwbkit.storage import publish as publish_module
from nwbkit.storage.lock import OutputLock
from nwbkit.storage.publish import Publication, file_checksum, sidecar_path, write_atomic

from .conftest import assert_old, environment, listing, put


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
    os.mkfifo(tmp_path / "fifo.nwb")  # of our own: were the guard broken, a device would be lost
    with pytest.raises(OutputRefused, match="regular"):
        put(tmp_path / "fifo.nwb", overwrite=True)
    (tmp_path / "fifo.nwb").unlink()
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
    for attempt in range(100):
        if attempt >= 12 and leavings:
            break
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
