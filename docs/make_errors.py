"""Make docs/errors.md by making every mistake in it: ``python docs/make_errors.py``.

Each case is run by ``sh`` in a folder of its own with fresh copies of small generated inputs; the
page holds the command, what nwbkit said and its exit status, so that it cannot drift from the
program: ``tests/test_docs_errors.py`` holds the page to a new run. With ``--check`` nothing is
written, and the status is 1 where the page is stale.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from examples.spikeglx_run import Nidq, Probe, write_run  # noqa: E402
from nwbkit.errors import EXIT_STATUS  # noqa: E402

PAGE = Path(__file__).with_name("errors.md")
AP = "raw/run_g0/run_g0_imec0/run_g0_t0.imec0.ap"
#: The variables that the program reads; what else the caller has set would change the page.
KEPT = ("PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH")


HEAD = """\
# What nwbkit says when something is wrong

<!-- made by docs/make_errors.py; do not edit -->

Every error is one line that names its subject, then a hint with the option or command that mends
it; both go to stderr. The exit status says what kind it is. Everything below was run to make this
page: `python docs/make_errors.py`. `raw/` is a small SpikeGLX run of one probe, `clocks/` one of
a probe and a nidq.

| status | meaning |
|---|---|
""".splitlines()


def _nothing(folder: Path) -> None:
    """Prepare nothing."""


@dataclass(frozen=True)
class Case:
    """One mistake.

    Parameters
    ----------
    title : str
        What went wrong.
    text : str
        What nwbkit makes of it, and what to do.
    commands : tuple of str
        Shell lines as shown; the last is the one that fails.
    status : int
        The exit status that the last one must have.
    prepare : callable
        Changes the folder before; what the lines themselves do not show.
    path : tuple of str
        Folders for ``PYTHONPATH``, below the case's own.
    """

    title: str
    text: str
    commands: tuple[str, ...]
    status: int
    prepare: Callable[[Path], None] = field(default=_nothing)
    path: tuple[str, ...] = ()


# ---------------------------------------------------------------- what cases need


def _lab(folder: Path) -> None:
    (folder / "lab.yaml").write_text("NWBFile:\n  session_description: a test\n")


def _without_av(folder: Path) -> None:
    """An import of PyAV fails as it does where it is not installed."""
    blocked = folder / "blocked" / "av"
    blocked.mkdir(parents=True)
    error = "ModuleNotFoundError(\"No module named 'av'\", name='av')"
    (blocked / "__init__.py").write_text(f"raise {error}\n")
    (folder / "cam.mp4").write_bytes(b"\0\0\0\x18ftypisom\0\0\2\0isomiso2" + bytes(64))


def _rival(folder: Path) -> None:
    """Another package that claims SpikeGLX runs as surely as nwbkit's own format does."""
    plugin = folder / "plugin"
    info = plugin / "acme_nwbkit-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-nwbkit\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[nwbkit.formats]\nacme_glx = acme_glx:FORMAT\n")
    (plugin / "acme_glx.py").write_text(
        "from nwbkit.formats.base import Format, Match, Strength\n\n\n"
        "def look(listing):\n"
        "    files = tuple(entry.path for entry in listing.match('*.bin', '*.meta'))\n"
        "    if files:\n"
        "        yield Match(files, Strength.MAGIC, 'Acme reads them, too', 'run_g0', 'run_g0',\n"
        "                    files[0].parent)\n\n\n"
        "FORMAT = Format(id='acme_glx', title='Acme', room='recording',\n"
        "                patterns=('*.bin', '*.meta'), look=look, open=None)\n"
    )


def _tracks(folder: Path) -> None:
    rows = ["scorer,net,net,net", "bodyparts,nose,nose,nose", "coords,x,y,likelihood"]
    rows += [f"{i},{i}.5,2.5,0.9" for i in range(5)]
    (folder / "lab.yaml").write_text("NWBFile:\n  session_start_time: 2024-05-02T10:00:00Z\n")
    (folder / "mouse.csv").write_text("\n".join(rows) + "\n")


def _two_runs(folder: Path) -> None:
    for day in ("monday", "tuesday"):
        shutil.copytree(folder / "clocks", folder / "days" / day)


CASES = (
    Case(
        "A file that is not there",
        "Nothing is guessed from a path. 66 also stands for what may not be read.",
        ("nwbkit inspect nowhere.bin",),
        66,
    ),
    Case(
        "No known format",
        "Content decides, not the name. `detect` answers the question what is here, so that status "
        '1 says "nothing"; a command that needs data cannot go on.',
        ("echo hello > notes.dat", "nwbkit detect --jsonl notes.dat"),
        1,
    ),
    Case(
        "No known format, in a command that needs data",
        "`--format ID` names the format where detection cannot know it.",
        ("echo hello > notes.dat", "nwbkit convert notes.dat -o out.nwb"),
        66,
    ),
    Case(
        "A format that does not exist",
        "The nearest one that exists is named.",
        ("nwbkit detect raw --format spikglx",),
        2,
    ),
    Case(
        "An empty file",
        "The header says how long the file should be, so nwbkit knows that it was cut off.",
        (f": > {AP}.bin", "nwbkit inspect raw"),
        65,
    ),
    Case(
        "A truncated file",
        "Copying onto a full disk leaves this. `--salvage` takes the samples that are whole, ends "
        "with status 3 and notes the loss in the sidecar; without it, nothing is written.",
        (f"truncate -s -1000 {AP}.bin", "nwbkit convert raw --timezone UTC -o out.nwb"),
        65,
    ),
    Case(
        "A wrong number of channels",
        "With one channel too many every sample after the first would be on the wrong channel: a "
        "header that contradicts itself or its data is refused.",
        (f"sed -i 's/^nSavedChans=3/nSavedChans=4/' {AP}.meta", "nwbkit inspect raw"),
        65,
    ),
    Case(
        "A tie of formats",
        "Here another installed package claims the same files as surely. nwbkit does not choose: "
        "`--format spikeglx` does.",
        ("nwbkit convert raw --timezone UTC -o out.nwb",),
        65,
        prepare=_rival,
        path=("plugin",),
    ),
    Case(
        "An extra is not installed",
        "The base installation is small; what a format needs beyond it is named as the line for "
        "pip. (Run where PyAV is not installed.)",
        ("nwbkit inspect cam.mp4",),
        69,
        prepare=_without_av,
        path=("blocked",),
    ),
    Case(
        "A start time without a zone",
        "NWB demands one. The recorder noted the clock on the wall, and only you know where that "
        "hung.",
        ("nwbkit convert raw -o out.nwb",),
        65,
    ),
    Case(
        "A misspelt key in the metadata",
        "A key that nwbkit does not know is never dropped silently. What is not for NWB goes under "
        "a key that starts with `x-`.",
        ("printf 'Subjct:\\n  sex: F\\n' > lab.yaml", "nwbkit metadata validate lab.yaml"),
        65,
    ),
    Case(
        "A misspelt field in the metadata",
        "The same, one level down.",
        (
            "printf 'NWBFile:\\n  experimentor: Doe, Jane\\n' > lab.yaml",
            "nwbkit convert raw -m lab.yaml --timezone UTC -o out.nwb",
        ),
        65,
    ),
    Case(
        "Metadata that is not enough",
        "`validate` runs well and answers no: status 1.",
        ("nwbkit metadata validate lab.yaml --for dandi",),
        1,
        prepare=_lab,
    ),
    Case(
        "A fact that NWB demands and no file holds",
        "A table of DeepLabCut counts frames. Without its video nobody knows how long one lasts.",
        ("nwbkit convert mouse.csv -m lab.yaml -o out.nwb",),
        65,
        prepare=_tracks,
    ),
    Case(
        "Clocks that nothing joins",
        "Two devices, two clocks. Starting both at 0 without a word would be wrong by as much as "
        "they were apart.",
        ("nwbkit convert clocks --timezone UTC -o out.nwb",),
        65,
    ),
    Case(
        "An offset for a clock that is not there",
        "The clocks that are there are listed.",
        ("nwbkit convert clocks --timezone UTC --offset nidq=0.1 -o out.nwb",),
        2,
    ),
    Case(
        "Several sessions",
        "One session is one NWB file.",
        ("nwbkit convert days --timezone UTC -o out.nwb",),
        65,
        prepare=_two_runs,
    ),
    Case(
        "An option that the source does not take",
        "`nwbkit inspect` lists those that it takes.",
        ("nwbkit inspect raw --set run_g0.gain=2",),
        2,
    ),
    Case(
        "The output exists",
        "nwbkit never replaces a file unasked.",
        ("echo precious > out.nwb", "nwbkit convert raw --timezone UTC -o out.nwb"),
        73,
    ),
    Case(
        "A folder for the output that does not exist",
        "Told before anything is read.",
        ("nwbkit convert raw --timezone UTC -o results/out.nwb",),
        73,
    ),
    Case(
        "A document of the wrong kind",
        "Each document says what it is in its `schema`.",
        ("nwbkit detect raw -o sources.json", "nwbkit metadata validate sources.json"),
        65,
    ),
    Case(
        "An output that was changed",
        "`verify` holds every chunk and every object against the sidecar, and names what differs.",
        (
            "nwbkit convert raw -q --timezone UTC -o out.nwb",
            "python -c \"import h5py; h5py.File('out.nwb', 'a')['identifier'][()] = 'x'\"",
            "nwbkit verify out.nwb",
        ),
        1,
    ),
)


# ---------------------------------------------------------------- running them


def run(case: Case, inputs: Path, work: Path) -> tuple[str, int]:
    """What the last command printed (stdout, then stderr), and its status.

    Raises
    ------
    RuntimeError
        Where a line before it fails, or the status is not the case's.
    """
    folder = work / case.title.replace(" ", "-")
    shutil.copytree(inputs, folder)
    case.prepare(folder)
    env = {k: os.environ[k] for k in KEPT if k in os.environ}
    env |= {"PYTHONPATH": ":".join([*(str(folder / p) for p in case.path), str(ROOT)])}
    env |= {"LC_ALL": "C.UTF-8", "NO_COLOR": "1", "COLUMNS": "80", "PYTHONDONTWRITEBYTECODE": "1"}
    python = shlex.quote(sys.executable)
    aliases = f'nwbkit() {{ {python} -m nwbkit.cli "$@"; }}; python() {{ {python} "$@"; }}\n'
    for command in case.commands:
        done = subprocess.run(
            ["sh", "-c", aliases + command], cwd=folder, env=env, capture_output=True, text=True
        )
        last = command is case.commands[-1]
        if done.returncode != (case.status if last else 0):
            raise RuntimeError(
                f"'{case.title}': '{command}' ended with {done.returncode}\n{done.stderr}"
            )
    said = (done.stdout + done.stderr).rstrip("\n")
    return said.replace(str(folder.resolve()) + "/", "").replace(str(folder) + "/", ""), case.status


def make_inputs(folder: Path) -> None:
    """``raw``: a run of one probe with two channels; ``clocks``: the same with a nidq."""
    probe = Probe(bands=["ap"], save_channels=[0, 1], units=0)
    for name, nidq in (("raw", None), ("clocks", Nidq())):
        write_run(folder / name, run="run", probes=[probe], nidq=nidq, seconds=0.1)


def page() -> str:
    """Run all cases and return the page."""
    with tempfile.TemporaryDirectory() as temporary:
        inputs, work = Path(temporary, "inputs"), Path(temporary, "work")
        make_inputs(inputs)
        with ThreadPoolExecutor(2) as pool:
            results = list(pool.map(lambda case: run(case, inputs, work), CASES))
    lines = [*HEAD, *(f"| {status} | {meaning} |" for status, meaning in EXIT_STATUS.items())]
    for case, (said, status) in zip(CASES, results, strict=True):
        shown = [f"$ {command}" for command in case.commands]
        text = textwrap.wrap(case.text, 96)
        lines += ["", f"## {case.title}", "", *text, "", "```console", *shown]
        lines += [*said.splitlines(), "$ echo $?", str(status), "```"]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write the page, or with ``--check`` compare."""
    parser = argparse.ArgumentParser(description="Make docs/errors.md by making the errors.")
    parser.add_argument("--check", action="store_true", help="fail where the page is stale")
    check = parser.parse_args().check
    text = page()
    if check:
        raise SystemExit(int(not PAGE.exists() or PAGE.read_text(encoding="utf-8") != text))
    PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
