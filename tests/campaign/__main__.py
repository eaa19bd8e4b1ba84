"""The long forms, and docs/reliability.md made from them.

python -m tests.campaign [--kills 200] [--sizes 50] [--racers 16] [--flips 1000] [--write]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from .base import ROOT, Outcome, session
from .flips import flips
from .full_disk import full_disks
from .kills import kills
from .racers import racers

ABOUT = {
    "kills": "Converts killed at random moments with SIGKILL and SIGTERM: both back ends, with and "
    "without a job folder, with and without an older output. A failure would be an incomplete "
    "output at the final path, an older output lost, or a resumed run with other content.",
    "full disks": "Converts onto tmpfs of many sizes, with an older output in place. A failure would "
    "be another exit status than 74, a changed older output, or anything left behind.",
    "racers": "As many processes on one output at once. A failure would be more or fewer than one "
    "that wins, or an output that does not verify.",
    "flipped bits": "Single bits flipped in finished outputs, half in HDF5, half in Zarr; each is "
    "looked for by `nwbkit verify` with the sidecar and without it. A failure would be one that is "
    "not found with the sidecar, or one within a dataset of more than 1 kB not found without.",
}


def main() -> int:
    """Run the campaigns."""
    parser = argparse.ArgumentParser()
    for name, default in (("kills", 200), ("sizes", 50), ("racers", 16), ("flips", 1000)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--write", action="store_true")
    asked = parser.parse_args()
    outcomes = []
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        raw = session(folder / "raw")
        steps: list[Callable[[], Outcome | None]] = [
            lambda: racers(raw, folder, asked.racers),
            lambda: full_disks(raw, folder, asked.sizes),
            lambda: flips(raw, folder, asked.flips),
            lambda: kills(raw, folder, asked.kills),
        ]
        for step in steps:
            began = time.monotonic()
            outcome = step()
            if outcome is None:
                print("full disks: skipped, a tmpfs cannot be mounted here")
                continue
            outcomes.append(outcome)
            print(f"{outcome.title}, {time.monotonic() - began:.0f} s")
            print("\n".join([*outcome.rows(), *outcome.failures]), flush=True)
    if asked.write:
        _write(outcomes)
    return 1 if any(o.failures for o in outcomes) else 0


def _write(outcomes: list[Outcome]) -> None:
    lines = [
        "# Reliability",
        "",
        "Made by `make reliability`; the short forms run with the tests (tests/test_campaigns.py).",
    ]
    for outcome in outcomes:
        lines += ["", f"## {outcome.title.capitalize()}", "", ABOUT[outcome.title], ""]
        lines += ["| outcome | number |", "|---|---|", *outcome.rows()]
    (ROOT / "docs" / "reliability.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
