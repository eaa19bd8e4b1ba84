"""Job folders as a user meets them: killed and gone on with, spread and joined, refused."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from examples.spikeglx_run import Probe, write_run
from nwbkit.verify import verify

SECONDS = 8.0
ROOT = Path(__file__).parents[1]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("raw")
    write_run(folder, probes=(Probe(),), nidq=None, seconds=SECONDS, sha1=False)
    return folder


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory, raw: Path) -> Path:
    """What a convert without a job makes of it."""
    out = tmp_path_factory.mktemp("plain") / "out.nwb"
    assert run(raw, "-o", out).returncode == 0
    return out


def command(*args: object) -> list[str]:
    more = ["--no-progress"]
    if "--fill" not in args:
        more += ["--timezone", "UTC"] if "--join" not in args else []
    return [sys.executable, "-m", "nwbkit.cli", "convert", *map(str, args), *more]


def run(*args: object, piped: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*args), input=piped, capture_output=True, text=True, check=False, env=ENVIRONMENT
    )


def content(out: Path) -> str:
    return str(json.loads(out.with_name(out.name + ".json").read_text())["content"])


def measured(out: Path) -> dict[str, float]:
    return dict(json.loads(out.with_name(out.name + ".json").read_text())["measured"])


def indexed(job: Path) -> int:
    """Slabs that are committed."""
    return sum(path.read_bytes().count(b"\n") for path in job.glob("pack-*.idx"))


@pytest.mark.parametrize(
    "sent, status, suffix, n_slabs, most",
    [
        (signal.SIGTERM, 75, ".nwb", 14, 0.6),
        (signal.SIGKILL, -9, ".nwb", 14, 0.6),
        (signal.SIGKILL, -9, ".nwb.zarr", 1, 0.9),  # its chunks are longer: a few slabs in all
    ],
)
def test_a_killed_convert_goes_on(
    tmp_path: Path,
    raw: Path,
    plain: Path,
    sent: signal.Signals,
    status: int,
    suffix: str,
    n_slabs: int,
    most: float,
) -> None:
    job, out = tmp_path / "job", tmp_path / f"out{suffix}"
    process = subprocess.Popen(
        command(raw, "-o", out, "--job", job, "-j", 1), stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 60
    # killed about half-way: the run has some thirty slabs
    while indexed(job) < n_slabs and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(sent)
    began = time.monotonic()
    said = process.communicate(timeout=60)[1]
    assert process.returncode == status, said
    assert time.monotonic() - began < 10 and not out.exists()
    if sent == signal.SIGTERM:
        assert f"hint: the same command goes on from job '{job}'" in said
    done = run(raw, "-o", out, "--job", job)
    assert done.returncode == 0, done.stderr
    assert content(out) == content(plain) and verify(str(out), jobs=2).ok
    sizes = sum(p.stat().st_size for p in raw.rglob("*.bin"))
    assert 0 < measured(out)["read_bytes"] <= most * sizes
    assert not job.exists()


def test_parts_are_joined(tmp_path: Path, raw: Path, plain: Path) -> None:
    job, out = tmp_path / "a job, ü", tmp_path / "out.nwb"
    assert run(raw, "--init", job).returncode == 0
    assert run("--fill", job, "--part", "1/3").returncode == 0
    early = run("--join", job, "-o", out)
    assert early.returncode == 75 and "is not finished" in early.stderr and not out.exists()
    others = [subprocess.Popen(command("--fill", job, "--part", f"{k}/3")) for k in (0, 2)]
    assert [p.wait() for p in others] == [0, 0]
    again = run("--fill", job, "--part", "0/3")
    assert again.returncode == 0 and "0 B read now" in again.stderr
    done = run("--join", job, "-o", out)
    assert done.returncode == 0, done.stderr
    assert content(out) == content(plain) and verify(str(out), jobs=2).ok
    assert not job.exists()


@pytest.mark.parametrize("made, wanted, status", [("nwb", "nwb.zarr", 0), ("nwb.zarr", "nwb", 65)])
def test_a_job_is_joined_for_another_back_end_where_its_chunks_allow(
    tmp_path: Path, raw: Path, made: str, wanted: str, status: int
) -> None:
    job = tmp_path / "job"
    assert run(raw, "--stub", 1, "--init", job, "-o", tmp_path / f"a.{made}").returncode == 0
    assert run("--fill", job).returncode == 0
    done = run("--join", job, "-o", tmp_path / f"b.{wanted}")
    assert done.returncode == status, done.stderr
    if status:
        assert "was made for an output that ends in .nwb.zarr" in done.stderr
    else:
        assert verify(str(tmp_path / f"b.{wanted}"), jobs=2).ok


def grown(raw: Path, given: list[object]) -> None:
    path = next(raw.rglob("*.lf.bin"))
    data = bytearray(path.read_bytes())
    data[1000] ^= 1
    path.write_bytes(data)


def other_metadata(raw: Path, given: list[object]) -> None:
    given += ["--set-meta", "NWBFile.lab=another"]


def other_option(raw: Path, given: list[object]) -> None:
    given += ["--stub", 2]


def other_plan(raw: Path, given: list[object]) -> None:
    plan = raw / "plan.yaml"
    plan.write_text("datasets: {'*/imec0.ap:data': {chunks: [1024, 64]}}\npolicy: ours\n")
    given += ["-p", plan]


@pytest.mark.parametrize(
    "change, said",
    [
        (grown, "source files changed"),
        (other_metadata, "metadata changed"),
        (other_option, "options changed"),
        (other_plan, "plan changed"),
    ],
)
def test_other_inputs_are_refused(tmp_path: Path, change: object, said: str) -> None:
    raw, job, out = tmp_path / "raw", tmp_path / "job", tmp_path / "out.nwb"
    write_run(raw, probes=(Probe(),), nidq=None, seconds=0.5, sha1=False)
    assert run(raw, "--init", job).returncode == 0
    given: list[object] = [raw, "-o", out, "--job", job]
    change(raw, given)  # type: ignore[operator]
    refused = run(*given)
    assert refused.returncode == 65, refused.stderr
    assert said in refused.stderr and f"hint: remove '{job}' to begin anew" in refused.stderr
    assert (job / "job.json").exists() and not out.exists()


@pytest.mark.parametrize(
    "args, status, said",
    [
        (["--fill", "nowhere"], 66, "there is no job in 'nowhere'"),
        (["--join", "nowhere", "-o", "o.nwb"], 66, "there is no job in 'nowhere'"),
        (["--join", "nowhere"], 2, "missing option '-o' / '--output'"),
        (["--fill", "j", "x.bin"], 2, "'--fill' takes no INPUTS"),
        (["--fill", "j", "--part", "3/3"], 2, "'--part' takes K/N with K from 0 to N - 1"),
        (["x.bin", "-o", "o.nwb", "--part", "0/3"], 2, "'--part' goes with '--fill'"),
        (["--init", "j"], 2, "missing argument 'INPUTS'"),
        (["x.bin", "-o", "o.nwb", "--job", "a", "--fill", "b"], 2, "exclude each other"),
    ],
)
def test_usage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, args: list[str], status: int, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run(*args)
    assert done.returncode == status and said in done.stderr


def test_folders_of_others_are_left_alone(tmp_path: Path, raw: Path) -> None:
    job = tmp_path / "job"
    job.mkdir()
    (job / "thesis.tex").write_text("mine")
    for given in (["--init", job], ["--job", job, "-o", tmp_path / "out.nwb"]):
        done = run(raw, *given)
        assert done.returncode == 73 and "it holds 'thesis.tex'" in done.stderr
    assert [p.name for p in job.iterdir()] == ["thesis.tex"]
    assert run(raw, "--init", tmp_path / "other").returncode == 0
    assert run(raw, "--init", tmp_path / "other").returncode == 73


@pytest.mark.parametrize("suffix", [".nwb", ".nwb.zarr"])
def test_data_are_read_while_libraries_are_imported(tmp_path: Path, raw: Path, suffix: str) -> None:
    """Half a second and more of each run, in which the other cores have nothing else to do."""
    script = """
import sys
from nwbkit import convert, writing
begin = writing._begin
def begun(work):
    print(*sorted({"pynwb", "hdmf_zarr", "pandas"} & set(sys.modules)))
    return begin(work)
writing._begin = begun
convert.convert(convert.Request(inputs=[sys.argv[1]], output=sys.argv[2], timezone="UTC"))
"""
    made = subprocess.run(
        [sys.executable, "-c", script, raw, tmp_path / f"out{suffix}"],
        capture_output=True,
        text=True,
        check=True,
        env=ENVIRONMENT,
    )
    assert made.stdout == "\n"


@pytest.mark.parametrize("what", ["sources", "metadata"])
def test_what_came_from_stdin_is_kept(tmp_path: Path, raw: Path, plain: Path, what: str) -> None:
    """stdin can be read once, and the job needs it again in another process."""
    job, out = tmp_path / "job", tmp_path / "out.nwb"
    text, given = "NWBFile: {notes: piped}\n", [raw, "-m", "-"]
    if what == "sources":
        detect = [sys.executable, "-m", "nwbkit.cli", "detect", raw]
        text = subprocess.run(detect, capture_output=True, text=True, env=ENVIRONMENT).stdout
        given = ["-"]
    made = run(*given, "--init", job, "-o", out, piped=text)
    assert made.returncode == 0, made.stderr
    assert run("--fill", job).returncode == 0
    joined = run("--join", job, "-o", out)
    assert joined.returncode == 0, joined.stderr
    assert verify(str(out), jobs=2).ok
    assert (content(out) == content(plain)) == (what == "sources")
    at_once = run(*given, "--job", tmp_path / "other", "-o", tmp_path / "b.nwb", piped=text)
    assert at_once.returncode == 0, at_once.stderr
