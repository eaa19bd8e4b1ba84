"""What a user types: commands in a shell, joined by pipes and files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import h5py
import pytest

from examples.spikeglx_run import Nidq, Probe, Truth, write_run

NWBKIT = f"{sys.executable} -m nwbkit.cli"
LAB = """
NWBFile:
  experimenter: [Doe, Jane]
Subject:
  subject_id: M1
"""


def sh(command: str, folder: Path, status: int = 0) -> subprocess.CompletedProcess[str]:
    """Run a shell command with `nwbkit` in it; the status must be as given."""
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command.replace("nwbkit ", NWBKIT + " ")],
        cwd=folder,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1]), "COLUMNS": "80"},
    )
    assert done.returncode == status, f"{command}\n{done.stdout}\n{done.stderr}"
    return done


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Truth]:
    folder = tmp_path_factory.mktemp("s p a c e é")
    truth = write_run(
        folder / "raw", probes=(Probe(),), nidq=Nidq(lines=10), seconds=1.0, run="run ü"
    )
    (folder / "lab.yaml").write_text(LAB)
    return folder, truth


def test_detect_pipes_into_convert(session: tuple[Path, Truth]) -> None:
    folder, _ = session
    options = "-m lab.yaml --timezone Europe/Berlin --unaligned keep"
    piped = sh(f"nwbkit detect raw | nwbkit convert - {options} -o piped.nwb", folder)
    assert piped.stdout == ""
    sh(f"nwbkit convert raw {options} -o direct.nwb", folder)
    contents = [
        json.loads((folder / f"{name}.nwb.json").read_text())["content"]
        for name in ("piped", "direct")
    ]
    assert contents[0] == contents[1]
    with h5py.File(folder / "piped.nwb") as f:
        assert f["general/subject/subject_id"].asstr()[()] == "M1"
        assert "Unaligned clock" in f["acquisition/ElectricalSeriesAP"].attrs["comments"]


def test_two_clocks_are_refused_and_offsets_join_them(session: tuple[Path, Truth]) -> None:
    folder, truth = session
    refused = sh("nwbkit convert raw --timezone UTC -o two.nwb", folder, 65)
    for said in ("imec0", "nidq", "--offset", "nwbkit align", "--unaligned keep"):
        assert said in refused.stderr
    offset = truth.find("nidq").start_s - truth.find("imec0", "ap").start_s
    sh(f"nwbkit convert raw --timezone UTC --offset '*/nidq={offset!r}' -o two.nwb", folder)
    with h5py.File(folder / "two.nwb") as f:
        starts = {n: s["starting_time"][()] for n, s in f["acquisition"].items()}
        assert {v for n, v in starts.items() if "NIDQ" in n.upper()} == {offset}
        assert {v for n, v in starts.items() if "NIDQ" not in n.upper()} == {0.0}


def test_documents_are_files_between_commands(session: tuple[Path, Truth]) -> None:
    folder, _ = session
    sh("nwbkit detect raw -o s.json", folder)
    sh("nwbkit metadata extract s.json -o extracted.json", folder)
    sh("nwbkit metadata merge extracted.json lab.yaml -o merged.json", folder)
    merged = json.loads((folder / "merged.json").read_text())
    assert merged["Subject"]["subject_id"] == "M1"
    assert merged["NWBFile"]["session_start_time"].startswith("2024-05-02T10:00:00")
    sh("nwbkit metadata template s.json > filled.yaml", folder)
    sh("nwbkit metadata merge filled.yaml lab.yaml", folder)
    found = sh("nwbkit metadata validate lab.yaml --json", folder, 1)
    assert json.loads(found.stdout)["schema"] == "nwbkit/findings"
    shown = json.loads(sh("nwbkit inspect s.json --json", folder).stdout)
    (source,) = shown["sessions"][0]["sources"]
    assert {s["address"].partition("/")[2] for s in source["streams"]} >= {"imec0.ap", "imec0.lf"}


def test_verify_answers_by_its_exit_status(session: tuple[Path, Truth]) -> None:
    folder, _ = session
    only = "--only '*/imec0.*' --timezone UTC"
    sh(f"nwbkit convert raw {only} -o v.nwb", folder)
    assert "verified" in sh("nwbkit verify v.nwb --against raw", folder).stdout
    with h5py.File(folder / "v.nwb", "r+") as f:
        f["acquisition/ElectricalSeriesAP/data"][5, 5] += 1
    assert "rows 0 to" in sh("nwbkit verify v.nwb", folder, 1).stdout


def test_the_second_run_does_nothing_and_the_output_is_protected(
    session: tuple[Path, Truth],
) -> None:
    folder, _ = session
    command = "nwbkit convert raw --only '*/imec0.lf' --timezone UTC -o once.nwb"
    sh(command, folder)
    before = (folder / "once.nwb").read_bytes()
    assert "--overwrite" in sh(command, folder, 73).stderr
    sh(command + " --skip-existing", folder)
    assert (folder / "once.nwb").read_bytes() == before
    assert "metadata" in sh(command + " --skip-existing -m lab.yaml", folder, 73).stderr


WRONG = [
    ("nwbkit detect nothing", 66, "'nothing'"),
    ("nwbkit detect empty", 1, "no known format"),
    ("nwbkit convert empty -o x.nwb", 66, "no known format"),
    ("nwbkit convert raw -o x.nwb --unaligned keep", 65, "--timezone"),
    ("nwbkit convert raw -m typo.yaml -o x.nwb", 65, "did you mean"),
    ("nwbkit convert raw -m none.yaml -o x.nwb", 66, "none.yaml"),
    ("nwbkit convert lab.yaml -o x.nwb", 66, "lab.yaml"),
    ("nwbkit convert raw -o none/x.nwb --timezone UTC --unaligned keep", 73, "none"),
    ("nwbkit convert raw", 2, "-o"),
    ("nwbkit convert raw -o x.nwb --offset nidq", 2, "--offset"),
    ("nwbkit verify nothing.nwb", 66, "nothing.nwb"),
    ("nwbkit convert raw -o x.nwb --only 'a/b'", 2, "imec0.ap"),
    ("nwbkit inspect raw --set spikeglx.wrong=1", 2, "has no option"),
    ("nwbkit convert merged -o x.nwb --timezone UTC", 65, "--session"),
    ("echo '{' | nwbkit convert - -o x.nwb", 65, "'-'"),
]


@pytest.mark.parametrize(("command", "status", "said"), WRONG)
def test_what_is_wrong_is_said_in_one_line_with_the_way_out(
    session: tuple[Path, Truth], command: str, status: int, said: str
) -> None:
    folder, _ = session
    (folder / "empty").mkdir(exist_ok=True)
    (folder / "typo.yaml").write_text("Subject:\n  subjct_id: M1\n")
    if not (folder / "merged").exists():
        for run in ("a", "b"):
            write_run(
                folder / "merged", run=run, probes=(Probe(bands=("lf",)),), nidq=None, seconds=0.1
            )
    done = sh(command, folder, status)
    assert said in done.stderr
    lines = done.stderr.strip().splitlines()
    assert all(line.startswith(("nwbkit", "hint:")) for line in lines)
    assert len(lines) <= 2
    assert not (folder / "x.nwb").exists()
