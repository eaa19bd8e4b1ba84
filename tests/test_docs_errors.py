"""docs/errors.md is what nwbkit says now."""

import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from nwbkit.errors import EXIT_STATUS

DOCS = Path(__file__).parents[1] / "docs"
PAGE = (DOCS / "errors.md").read_text(encoding="utf-8")
CASES = runpy.run_path(str(DOCS / "make_errors.py"))["CASES"]


def test_fresh():
    """``python docs/make_errors.py`` would change nothing; each case still has its status."""
    script = DOCS / "make_errors.py"
    done = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr or "run: python docs/make_errors.py"


def test_nothing_of_this_machine():
    assert not re.search(r"/tmp|/home|/work|Traceback|\t", PAGE)
    assert str(Path.home()) not in PAGE


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_case(case):
    assert case.status in EXIT_STATUS
    (part,) = re.findall(rf"^## {re.escape(case.title)}\n(.*?)(?=^## |\Z)", PAGE, re.M | re.S)
    assert part.endswith(f"$ echo $?\n{case.status}\n```\n\n") or part.endswith(
        f"$ echo $?\n{case.status}\n```\n"
    )
    assert all(f"$ {command}\n" in part for command in case.commands)
    if case.status != 1:  # a finding is no error
        (message,) = re.findall(r"^nwbkit [a-z ]+: error: (.*)$", part, re.M)
        assert message and not message.endswith(".")
