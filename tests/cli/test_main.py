"""The entry point: exit statuses, signals, streams, lazy imports, messages."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nwbkit import __version__, errors
from nwbkit.cli.main import COMMANDS, LazyGroup, root

from .conftest import ENV, FAKE, NWBKIT, ROOT

STATUSES = [
    *((n, c.status) for n, c in vars(errors).items() if hasattr(c, "status")),
    ("KeyError", 70),
    ("AssertionError", 70),
    ("MemoryError", 70),
    ("ENOENT", 66),
    ("EACCES", 66),
    ("EEXIST", 73),
    ("ENOSPC", 74),
    ("EIO", 74),
    ("ECONNRESET", 75),
    ("EPIPE-of-a-socket", 74),
    ("HDF5", 74),
    ("Exit", 3),
    ("SystemExit", 5),
]


@pytest.mark.parametrize(("name", "status"), STATUSES)
def test_exit_status(fake, name, status):
    done = fake("fail", name)
    assert done.returncode == status
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    if "Exit" not in name:
        assert re.match(r"nwbkit fail: error: [^\n]*[^.\n]\n(hint: [^\n]+\n)?\Z", done.stderr)


MESSAGES = [
    (["fail", "DamagedInput"], "nwbkit fail: error: 'x.bin' is wrong\nhint: mend it\n"),
    (
        ["fail", "MissingExtra"],
        "nwbkit fail: error: 'x.mp4' needs the package 'av', which is not installed\n"
        "hint: pip install 'nwbkit[video]'\n",
    ),
    (
        ["fail", "ENOENT"],
        "nwbkit fail: error: cannot open 'x.bin': no such file or directory\n",
    ),
    (["fail", "not-utf8"], "nwbkit fail: error: cannot open 'caf\\xe9.bin'\n"),
    (["fail", "escape"], "nwbkit fail: error: cannot open 'a\\x1b[2Jb\\nc'\n"),
    (["fail"], "nwbkit fail: error: missing argument 'NAME'\nhint: try 'nwbkit fail --help'\n"),
    (
        ["convrt"],
        "nwbkit: error: no such command 'convrt'\nhint: did you mean 'convert'?\n",
    ),
    (["qqq"], "nwbkit: error: no such command 'qqq'\nhint: try 'nwbkit --help'\n"),
    (
        ["detect", "--jsn", "x"],
        "nwbkit detect: error: no such option '--jsn'\nhint: did you mean '--json'",
    ),
    (
        ["convert", "x"],
        "nwbkit convert: error: missing option '-o' / '--output'\n"
        "hint: try 'nwbkit convert --help'\n",
    ),
    (["-q", "-v", "detect", "x"], "nwbkit: error: '--quiet' and '--verbose' exclude each other\n"),
]


@pytest.mark.parametrize(("args", "expected"), MESSAGES)
def test_message(fake, args, expected):
    done = fake(*args)
    assert done.stderr.startswith(expected)
    assert done.stdout == ""


@pytest.mark.parametrize("args", [[], ["convrt"], ["convert"], ["detect", "--nope", "x"]])
def test_usage_is_2(nwbkit, args):
    done = nwbkit(*args)
    assert done.returncode == 2
    assert done.stdout == ""


def test_internal_error_names_the_place_and_debug_shows_the_traceback(fake):
    short, long = fake("fail", "KeyError"), fake("fail", "KeyError", "--debug")
    assert "internal error: KeyError: 'boom'" in short.stderr
    assert "--debug" in short.stderr
    assert "Traceback (most recent call last)" in long.stderr
    assert fake("--debug", "fail", "KeyError").stderr == long.stderr


def test_json_messages(fake):
    done = fake("--log-format", "json", "fail", "DamagedInput")
    assert [json.loads(line) for line in done.stderr.splitlines()] == [
        {
            "level": "error",
            "command": "nwbkit fail",
            "message": "'x.bin' is wrong",
            "hint": "mend it",
            "status": 65,
        }
    ]
    for args in (["fail", "not-utf8"], ["fail", "KeyError", "--debug"], ["messages", "-v"]):
        for line in fake(*args, "--log-format=json").stderr.splitlines():
            assert json.loads(line)["message"]


def test_quiet_and_verbose(fake):
    assert fake("messages").stderr.splitlines() == [
        "nwbkit messages: a note",
        "nwbkit messages: warning: a warning",
        "hint: look",
    ]
    assert "note" not in fake("messages", "-q").stderr
    assert "warning" in fake("-q", "messages").stderr
    verbose = fake("messages", "-v").stderr
    assert "a detail" in verbose
    assert "UserWarning: from a library" in verbose
    assert "some.library: logged" in verbose


# ---------------------------------------------------------------- signals and pipes


def _wait_for(path: Path) -> None:
    for _ in range(1000):
        if path.exists():
            return
        time.sleep(0.01)
    raise AssertionError(f"{path} did not appear")


def _hang(folder, signum, action, *options):
    """A command at work, to which its parent has left `signum` as `action`."""
    process = subprocess.Popen(
        [*FAKE, "hang", str(folder), *options],
        env=ENV,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signum, action),
    )
    _wait_for(folder / "ready")
    return process


def test_nohup_is_obeyed(tmp_path):
    process = _hang(tmp_path, signal.SIGHUP, signal.SIG_IGN)
    process.send_signal(signal.SIGHUP)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(timeout=1)
    process.terminate()
    assert process.wait(timeout=20) == -signal.SIGTERM
    assert not (tmp_path / "x.part").exists()


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("swallow", [[], ["--swallow"]])
def test_a_signal_cleans_up_and_kills(tmp_path, signum, swallow):
    process = _hang(tmp_path, signum, signal.SIG_DFL, *swallow)
    process.send_signal(signum)
    _, err = process.communicate(timeout=20)
    assert process.returncode == -signum
    assert (tmp_path / "cleaned").exists()
    assert not (tmp_path / "x.part").exists()
    assert err.decode() == f"nwbkit hang: stopped by {signum.name}\n"


def test_the_shell_sees_128_plus_the_signal(tmp_path):
    script = f"{' '.join(FAKE)} hang '{tmp_path}' & pid=$!; " + (
        f"until [ -e '{tmp_path}/ready' ]; do sleep 0.05; done; kill -TERM $pid; wait $pid; echo $?"
    )
    done = subprocess.run(
        ["bash", "-c", script], env=ENV, capture_output=True, text=True, timeout=30, check=False
    )
    assert done.stdout.splitlines()[-1] == "143"


def test_an_ignored_signal_stays_ignored(tmp_path):
    script = f"trap '' HUP; exec {' '.join(FAKE)} hang '{tmp_path}'"
    process = subprocess.Popen(["sh", "-c", script], env=ENV, stderr=subprocess.PIPE)
    _wait_for(tmp_path / "ready")
    process.send_signal(signal.SIGHUP)
    time.sleep(0.3)
    assert process.poll() is None
    process.terminate()
    process.communicate(timeout=20)
    assert process.returncode == -signal.SIGTERM


@pytest.mark.parametrize("command", [[*NWBKIT, "--help"], [*FAKE, "much"]])
def test_a_closed_pipe_is_sigpipe(command):
    read, write = os.pipe()
    os.close(read)
    process = subprocess.Popen(command, env=ENV, stdout=write, stderr=subprocess.PIPE)
    os.close(write)
    _, err = process.communicate(timeout=30)
    assert process.returncode == -signal.SIGPIPE
    assert err == b""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("command", [[*NWBKIT, "--help"], [*NWBKIT, "-V"], [*FAKE, "much"]])
def test_a_full_disk_at_stdout_is_74(command):
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            command,
            env=ENV,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=30,
            check=False,
        )
    assert done.returncode == 74
    assert "no space left on device" in done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


def test_a_closed_stdout_is_74_where_something_is_said():
    script = f"{' '.join(FAKE)} much >&-"
    done = subprocess.run(
        ["sh", "-c", script], env=ENV, capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 74
    assert "standard output: it is closed" in done.stderr


def test_a_closed_stderr_changes_no_status():
    script = f"{' '.join(FAKE)} fail DamagedInput 2>&-"
    done = subprocess.run(["sh", "-c", script], env=ENV, timeout=30, check=False)
    assert done.returncode == 65


# ---------------------------------------------------------------- what is imported


def _loaded(*args: str) -> set[str]:
    """Top-level modules that a command loads beyond those of a bare interpreter."""
    program = (
        "import sys; before = set(sys.modules)\n"
        "from nwbkit.cli.main import run\n"
        "try: run(sys.argv[1:])\n"
        "except SystemExit: pass\n"
        "new = {n.partition('.')[0] for n in set(sys.modules) - before}\n"
        "print('\\n' + ' '.join(sorted(new)), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *args],
        env=ENV,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return set(done.stderr.splitlines()[-1].split())


@pytest.mark.parametrize("args", [["--help"], ["--version"], ["convrt"], ["detect", "--help"]])
def test_help_loads_only_the_standard_library_and_click(args):
    assert _loaded(*args) - set(sys.stdlib_module_names) == {"click", "nwbkit"}


def test_detect_loads_nothing_heavy(tmp_path):
    tmp_path.joinpath("x.txt").write_text("nothing known")
    heavy = {"numpy", "pynwb", "hdmf", "h5py", "pandas", "scipy", "neo", "spikeinterface", "zarr"}
    assert not _loaded("detect", str(tmp_path)) & heavy


# ---------------------------------------------------------------- what is shown


def test_versions(nwbkit):
    assert nwbkit("-V").stdout == f"nwbkit {__version__}\n"
    lines = nwbkit("--show-versions").stdout.splitlines()
    assert lines[0] == f"nwbkit {__version__}"
    assert any(line.startswith("pynwb 4.") for line in lines)
    assert any(line.startswith("python 3.") for line in lines)


def test_schema(nwbkit):
    done = nwbkit("--schema", "sources")
    assert json.loads(done.stdout)["properties"]["schema"] == {"const": "nwbkit/sources"}
    done = nwbkit("--schema", "sorces")
    assert done.returncode == 2
    assert "did you mean 'sources'" in done.stderr


@pytest.mark.parametrize("env", [{"NO_COLOR": "1"}, {"TERM": "dumb"}, {}])
def test_no_colour_in_a_pipe(nwbkit, env):
    assert "\x1b" not in nwbkit("--help", env=env).stdout


@pytest.mark.parametrize(
    ("env", "colour"),
    [({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False), ({"NO_COLOR": ""}, None)],
)
def test_colour_of_the_context(monkeypatch, env, colour):
    from nwbkit.cli import main

    seen = []
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for key, value in env.items():
        monkeypatch.setenv(key, value)
    monkeypatch.setattr(main.root, "invoke", lambda ctx: seen.append(ctx.color))
    main._invoke(["detect"])
    assert seen == [colour]


def test_the_table_of_commands_is_true():
    """Every command of the table imports, says the same in its help, has the common options."""
    ctx = root.make_context("nwbkit", ["detect"])
    assert isinstance(root, LazyGroup)
    for name, (_, line) in COMMANDS.items():
        if name == "metadata":
            pytest.importorskip("nwbkit.cli.metadata")
        command = root.get_command(ctx, name)
        assert command is not None
        assert command.name == name
        assert (
            command.get_short_help_str(80) == line.rstrip(".") + "." or command.short_help is None
        )
        names = {option for param in command.params for option in param.opts}
        assert {"-q", "-v", "--debug", "--log-format", "--no-progress"} <= names


def test_completion(nwbkit):
    done = nwbkit(env={"_NWBKIT_COMPLETE": "bash_source"})
    assert "_NWBKIT_COMPLETE" in done.stdout
    done = nwbkit(
        env={"_NWBKIT_COMPLETE": "bash_complete", "COMP_WORDS": "nwbkit c", "COMP_CWORD": "1"}
    )
    assert "convert" in done.stdout


def test_missing_inputs_are_66(nwbkit):
    for command in (["detect"], ["convert", "-o", "out.nwb"]):
        done = nwbkit(*command, "nowhere")
        assert done.returncode == 66
        assert re.search(r"cannot open '.*nowhere': no such file or folder", done.stderr)


def test_a_missing_name_that_is_not_utf8(tmp_path):
    done = subprocess.run(
        [*NWBKIT, "detect", b"caf\xe9"], env=ENV, cwd=tmp_path, capture_output=True, check=False
    )
    assert done.returncode == 66
    assert b"caf\\xe9" in done.stderr


def test_detect_finds_nothing(nwbkit, tmp_path):
    tmp_path.joinpath("x.txt").write_text("nothing known")
    done = nwbkit("detect", str(tmp_path))
    assert done.returncode == 1
    assert "no known format in" in done.stderr
    assert json.loads(done.stdout)["sessions"] == []
    assert nwbkit("detect", "--jsonl", str(tmp_path)).stdout == ""
    assert nwbkit("detect", "-").returncode == 2


@pytest.mark.script_launch_mode("subprocess")
def test_console_script(script_runner):
    script = Path(sys.executable).with_name("nwbkit")
    if not script.exists():
        pytest.skip("nwbkit is not installed in this environment")
    done = script_runner.run([str(script), "--version"])
    assert done.success
    assert done.stdout == f"nwbkit {__version__}\n"


def test_the_readme_has_the_exit_status_table():
    readme = ROOT / "README.md"
    if not readme.exists() or not readme.read_text():
        pytest.skip("no README.md yet")
    rows = re.findall(r"^\|\s*(\d+)\s*\|\s*(.+?)\s*\|\s*$", readme.read_text(), re.MULTILINE)
    assert {int(status): text.replace("`", "") for status, text in rows} == errors.EXIT_STATUS
