"""Real commands over a real (toy) recording: pipes, statuses, streams, nothing left behind."""

import json
import shutil
import subprocess
import sys

import pytest

from ..toy import AP, OTHER, SY, write_toy
from .conftest import ENV

TOY = [sys.executable, "-m", "tests.cli.toy_main"]


def nwbkit(*args, status=0, **kwargs):
    done = subprocess.run(
        [*TOY, *map(str, args)],
        env=ENV,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        **kwargs,
    )
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture
def raw(tmp_path):
    folder = tmp_path / "raw"
    write_toy(folder, [AP, SY])
    return folder


@pytest.fixture(scope="module")
def converted(tmp_path_factory):
    """raw/, out.nwb and its sidecar, made by one pipe."""
    folder = tmp_path_factory.mktemp("converted")
    write_toy(folder / "raw", [AP, SY])
    sources = nwbkit("detect", folder / "raw").stdout
    done = nwbkit("convert", "-", "-o", folder / "out.nwb", input=sources)
    assert done.stdout == ""
    assert done.stderr.startswith(f"nwbkit convert: wrote '{folder / 'out.nwb'}': ")
    return folder


def test_detect_names_the_source(raw):
    document = json.loads(nwbkit("detect", raw).stdout)
    assert [s["format"] for s in document["sessions"][0]["sources"]] == ["toy"]


def test_inspect_takes_raw_paths_and_documents(raw, tmp_path):
    path = tmp_path / "sources.json"
    assert nwbkit("detect", raw, "-o", path).stdout == ""
    assert nwbkit("inspect", raw).stdout == nwbkit("inspect", path).stdout
    piped = nwbkit("detect", raw).stdout  # absolute paths: good in any folder
    assert nwbkit("inspect", "-", input=piped).stdout == nwbkit("inspect", raw).stdout


def test_the_output_and_its_sidecar_and_nothing_else(converted):
    assert sorted(p.name for p in converted.iterdir()) == ["out.nwb", "out.nwb.json", "raw"]


def test_verify(converted):
    nwbkit("verify", converted / "out.nwb")
    done = nwbkit("verify", converted / "out.nwb", "--against", converted / "raw", "--json")
    assert json.loads(done.stdout)["ok"]


def test_verify_finds_damage(converted, tmp_path):
    for name in ("out.nwb", "out.nwb.json"):
        shutil.copy(converted / name, tmp_path)
    with open(tmp_path / "out.nwb", "r+b") as f:
        f.truncate(f.seek(0, 2) - 1000)
    done = nwbkit("verify", tmp_path / "out.nwb", status=1)
    assert done.stdout


def test_an_output_that_exists(converted, tmp_path):
    for name in ("out.nwb", "out.nwb.json"):
        shutil.copy(converted / name, tmp_path)
    out, raw = tmp_path / "out.nwb", converted / "raw"
    before = out.read_bytes()
    assert "--overwrite" in nwbkit("convert", raw, "-o", out, status=73).stderr
    assert "is there already" in nwbkit("convert", raw, "-o", out, "--skip-existing").stderr
    nwbkit("convert", raw, "-o", out, "--skip-existing", "--set-meta", "NWBFile.lab=x", status=73)
    assert out.read_bytes() == before
    nwbkit("convert", raw, "-o", out, "--overwrite", "-q")


def test_json_is_the_sidecar(raw, tmp_path):
    done = nwbkit("convert", raw, "-o", tmp_path / "out.nwb", "--json", "-q")
    document = json.loads(done.stdout)
    assert document["identity"] == json.loads((tmp_path / "out.nwb.json").read_text())["identity"]
    assert done.stderr == ""


def test_a_dry_run_writes_nothing(raw, tmp_path):
    done = nwbkit("convert", raw, "-o", tmp_path / "out.nwb", "-n")
    assert "ElectricalSeriesAP" in done.stdout
    assert [p.name for p in tmp_path.iterdir()] == ["raw"]


def test_two_clocks_are_refused_with_the_way_out(tmp_path):
    write_toy(tmp_path / "raw", [AP, OTHER])
    done = nwbkit("convert", tmp_path / "raw", "-o", tmp_path / "out.nwb", status=65)
    assert "hint: " in done.stderr
    assert "--offset" in done.stderr
    nwbkit("convert", tmp_path / "raw", "-o", tmp_path / "out.nwb", "--unaligned", "keep")


def test_damage_is_65(raw, tmp_path):
    with open(raw / "rec.dat", "r+b") as f:
        f.truncate(20000)
    nwbkit("convert", raw, "-o", tmp_path / "out.nwb", status=65)
    assert [p.name for p in tmp_path.iterdir()] == ["raw"]


@pytest.mark.parametrize("out", ["missing/out.nwb", "out.txt", "raw"])
def test_an_output_that_cannot_be(raw, tmp_path, out):
    done = subprocess.run(
        [*TOY, "convert", str(raw), "-o", str(tmp_path / out)],
        env=ENV,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (2, 73), done.stderr
    assert "nwbkit convert: error: " in done.stderr


@pytest.mark.parametrize("kilobytes", [16, 64])
def test_a_full_disk_is_74_and_leaves_nothing(raw, tmp_path, kilobytes):
    """RLIMIT_FSIZE stands in for a full disk: writing fails in pynwb, or in our pipeline."""
    out = tmp_path / "out.nwb"
    script = f'ulimit -f {kilobytes * 2}; exec "$@"'  # sh counts blocks of 512
    done = subprocess.run(
        ["sh", "-c", script, "sh", *TOY, "convert", str(raw), "-o", str(out)],
        env=ENV,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 74, done.stderr
    assert "file too large" in done.stderr
    assert "Traceback" not in done.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["raw"]
