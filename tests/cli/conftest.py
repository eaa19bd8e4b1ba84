import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ENV = {
    **{k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "COLUMNS", "PYTHONUTF8")},
    "PYTHONPATH": str(ROOT),
    "TERM": "xterm",
}
NWBKIT = [sys.executable, "-m", "nwbkit.cli"]
FAKE = [sys.executable, "-m", "tests.cli.fake"]


@pytest.fixture
def nwbkit(tmp_path):
    """Run the real command line in an empty folder."""

    def run(*args, **kwargs):
        return _run([*NWBKIT, *args], **{"cwd": tmp_path, **kwargs})

    return run


@pytest.fixture
def fake(tmp_path):
    """Run the command line with the commands of fake.py added."""

    def run(*args, **kwargs):
        return _run([*FAKE, *args], **{"cwd": tmp_path, **kwargs})

    return run


def _run(command, env=(), **kwargs):
    settings = {"capture_output": True, "timeout": 60, "encoding": "utf-8", **kwargs}
    return subprocess.run(command, env={**ENV, **dict(env)}, check=False, **settings)
