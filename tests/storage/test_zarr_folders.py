"""A store is published whole or not at all, and never in the place of another folder."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nwbkit.errors import IOFailure, OutputExists, OutputRefused
from nwbkit.storage import folders
from nwbkit.storage.publish import Publication, file_checksum, output_size, sidecar_path

from .conftest import environment, listing


def make_store(folder: Path, data: bytes) -> Path:
    (folder / "a").mkdir(parents=True)
    (folder / ".zgroup").write_text('{"zarr_format": 2}')
    (folder / ".zattrs").write_text('{"nwb_version": "2.9.0"}')
    (folder / "a" / "0").write_bytes(data)
    return folder


def put(out: Path, data: bytes = b"new", **settings) -> None:
    with Publication(out, **settings) as publication:
        make_store(publication.part, data)
        publication.publish(data + b" sidecar")


def content(out: Path) -> tuple[bytes, bytes]:
    return (out / "a" / "0").read_bytes(), sidecar_path(out).read_bytes()


@pytest.fixture
def out(tmp_path):
    return tmp_path / "o.nwb.zarr"


@pytest.fixture
def old(out):
    make_store(out, b"old")
    sidecar_path(out).write_bytes(b"old sidecar")
    return out


@pytest.fixture(params=["exchange", "no exchange"])
def system(request, monkeypatch):
    """File systems that exchange two names, and those that do not."""
    if request.param == "no exchange":

        def refuse(old, new, flags):
            raise folders.NoExchange(errno.EINVAL, "Invalid argument")

        monkeypatch.setattr(folders, "_renameat2", refuse)
    return request.param


def whole(out: Path) -> None:
    assert listing(out.parent) == [out.name, out.name + ".json"]


def test_publish(out, system):
    put(out)
    assert content(out) == (b"new", b"new sidecar")
    whole(out)


def test_overwrite(old, system):
    put(old, overwrite=True)
    assert content(old) == (b"new", b"new sidecar")
    whole(old)


def test_existing_is_refused(old, system):
    with pytest.raises(OutputExists):
        put(old)
    assert content(old) == (b"old", b"old sidecar")
    whole(old)


def test_what_appears_meanwhile_is_not_replaced(out, system):
    with pytest.raises(OutputExists), Publication(out) as publication:
        make_store(publication.part, b"new")
        make_store(out, b"theirs")
        publication.publish(b"new sidecar")
    assert (out / "a" / "0").read_bytes() == b"theirs"
    assert listing(out.parent) == [out.name]


@pytest.mark.parametrize("kind", ["folder", "empty folder", "other store", "file"])
def test_what_is_no_store_is_never_replaced(out, kind):
    if kind == "file":
        out.write_bytes(b"precious")
    else:
        out.mkdir()
    if kind == "folder":
        (out / "precious").write_bytes(b"")
    if kind == "other store":
        (out / ".zgroup").write_text("{}")
        (out / ".zattrs").write_text("{}")
    before = listing(out.parent)
    with pytest.raises(OutputRefused):
        put(out, overwrite=True)
    assert listing(out.parent) == before


def test_a_store_is_not_replaced_by_a_file(tmp_path):
    out = make_store(tmp_path / "o.nwb", b"old")
    with pytest.raises(OutputRefused, match="folder"), Publication(out, overwrite=True):
        pass
    assert listing(tmp_path) == ["o.nwb"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_failure_leaves_the_older_store(old, error):
    with pytest.raises(error), Publication(old, overwrite=True) as publication:
        make_store(publication.part, b"new")
        raise error
    assert content(old) == (b"old", b"old sidecar")
    whole(old)


@pytest.mark.parametrize("step", ["exchange", "rename_new", "put"])
def test_an_error_while_publishing_restores_all(old, monkeypatch, step):
    def fail(*arguments, **options):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(folders, "put" if step == "put" else step, fail)
    if step == "rename_new":
        monkeypatch.setattr(folders, "exchange", fail)
    with pytest.raises(IOFailure):
        put(old, overwrite=True)
    assert content(old) == (b"old", b"old sidecar")
    whole(old)


def test_a_signal_right_after_the_exchange(old, monkeypatch):
    exchange = folders.exchange

    def interrupted(one, other):
        exchange(one, other)
        raise KeyboardInterrupt

    monkeypatch.setattr(folders, "exchange", interrupted)
    with pytest.raises(KeyboardInterrupt):
        put(old, overwrite=True)
    assert content(old) == (b"new", b"new sidecar")
    whole(old)


def test_a_signal_while_clearing_up(old, monkeypatch):
    remove, calls = folders.remove, []

    def interrupted(path):
        calls.append(path)
        if len(calls) == 1:
            raise KeyboardInterrupt
        remove(path)

    with pytest.raises(KeyboardInterrupt), Publication(old, overwrite=True) as publication:
        make_store(publication.part, b"new")
        publication.publish(b"new sidecar")
        monkeypatch.setattr(folders, "remove", interrupted)
    assert content(old) == (b"new", b"new sidecar")
    whole(old)


def test_an_older_store_left_aside_is_put_back(out):
    """A kill -9 between the two renames of a file system that cannot exchange."""
    make_store(out.with_name(f".{out.name}.nwbkit-0123.older"), b"old")
    make_store(out.with_name(f".{out.name}.nwbkit-0123.part"), b"new")
    with pytest.raises(OutputExists):
        put(out)
    assert (out / "a" / "0").read_bytes() == b"old"
    put(out, b"newer", overwrite=True)
    assert content(out) == (b"newer", b"newer sidecar")
    whole(out)


def test_what_kills_left_is_reaped(old):
    make_store(old.with_name(f".{old.name}.nwbkit-00ff.part"), b"half")
    make_store(old.with_name(f".{old.name}.nwbkit-00ff.older"), b"older still")
    put(old, overwrite=True)
    whole(old)


def test_tmp_dir_on_another_file_system(old, tmp_path, monkeypatch):
    rename = os.rename

    def far(a, b):
        if Path(a).parent != Path(b).parent:
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        rename(a, b)

    monkeypatch.setattr(os, "rename", far)
    elsewhere = tmp_path / "tmp"
    elsewhere.mkdir()
    put(old, overwrite=True, tmp_dir=elsewhere)
    assert content(old) == (b"new", b"new sidecar")
    assert listing(elsewhere) == []
    assert listing(tmp_path) == [old.name, old.name + ".json", "tmp"]


def test_size_and_checksum(out):
    make_store(out, b"12345")
    assert output_size(out) == 5 + len('{"zarr_format": 2}') + len('{"nwb_version": "2.9.0"}')
    before = file_checksum(out)
    assert file_checksum(out) == before
    (out / "a" / "0").write_bytes(b"12346")
    assert file_checksum(out) != before
    (out / "a" / "0").write_bytes(b"12345")
    assert file_checksum(out) == before
    (out / "a" / "0").rename(out / "a" / "1")
    assert file_checksum(out) != before


KILLED = """
import sys
from pathlib import Path
from nwbkit.storage.publish import Publication
from tests.storage.test_zarr_folders import make_store
out = Path(sys.argv[1])
print("ready", flush=True)
for k in range(10000):
    data = b"%d" % k
    with Publication(out, overwrite=True) as publication:
        make_store(publication.part, data)
        publication.publish(data + b" sidecar")
"""


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGTERM])
def test_killed_at_any_moment_there_is_a_whole_store(old, sent):
    root = str(Path(__file__).parents[2])
    for k in range(6):
        process = subprocess.Popen(
            [sys.executable, "-c", KILLED, str(old)],
            env={**environment(), "PYTHONPATH": root},
            stdout=subprocess.PIPE,
        )
        process.stdout.readline()
        time.sleep(0.05 + 0.013 * k)
        process.send_signal(sent)
        process.wait()
        assert (old / "a" / "0").exists()
        assert folders.is_store(old)
    put(old, overwrite=True)
    assert content(old) == (b"new", b"new sidecar")
    whole(old)


RACER = """
import sys
from pathlib import Path
from nwbkit.errors import NwbkitError
from nwbkit.storage.publish import Publication
from tests.storage.test_zarr_folders import make_store
out = Path(sys.argv[1])
sys.stdin.readline()
try:
    with Publication(out) as publication:
        make_store(publication.part, sys.argv[2].encode())
        publication.publish(sys.argv[2].encode() + b" sidecar")
except NwbkitError as error:
    sys.exit(error.status)
"""


def test_one_of_many_racers_wins(out):
    root = str(Path(__file__).parents[2])
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACER, str(out), str(k)],
            env={**environment(), "PYTHONPATH": root},
            stdin=subprocess.PIPE,
        )
        for k in range(6)
    ]
    for racer in racers:
        racer.stdin.write(b"\n")
        racer.stdin.close()
    results = [racer.wait() for racer in racers]
    assert results.count(0) == 1
    assert set(results) <= {0, 73, 75}
    winner = str(results.index(0)).encode()
    assert content(out) == (winner, winner + b" sidecar")
    whole(out)
