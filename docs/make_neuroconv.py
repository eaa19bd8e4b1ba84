"""Make docs/neuroconv.md by reading the samples with NeuroConv and with nwbkit.

    NWBKIT_NEUROCONV_PYTHON=/path/to/python python docs/make_neuroconv.py

Needs the sample recordings (NWBKIT_TEST_DATA) and an interpreter that has NeuroConv; what is read
and the reasons for differences stand in tests/expected/neuroconv_cases.py and neuroconv.py.
"""

from __future__ import annotations

import sys
import textwrap
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.expected.neuroconv import OPEN, REASONS  # noqa: E402
from tests.expected.neuroconv_cases import CASES  # noqa: E402
from tests.expected.neuroconv_recordings import Case  # noqa: E402
from tests.neuroconv_side import (  # noqa: E402
    VERSION,
    Difference,
    differences,
    interpreter,
    ours,
    theirs,
)

PAGE = Path(__file__).with_name("neuroconv.md")
HEAD = f"""\
# Side by side with NeuroConv

<!-- made by docs/make_neuroconv.py; do not edit -->

The same recordings, read by NeuroConv {VERSION} through the interface it has for them and by
nwbkit: rates, gains in volts, channels, samples, start times, units and spikes, movie shapes and
the first frame's mean, ROIs, keypoints, frames, rows. A comparison test holds this page to both.
""".splitlines()


def page(differing: Mapping[str, Sequence[Difference]], read: Mapping[str, Any]) -> str:
    """The page of what was compared and what differs."""
    equal = [case for case in CASES if not differing[case.id]]
    facts = sum(len(f) for f in read.values() if "error" not in f)
    lines = [*HEAD, ""]
    lines += textwrap.wrap(
        f"{len(CASES)} streams, {facts} facts: {len(equal)} streams agree in all of them, "
        f"{len(REASONS)} facts differ for the reasons below, {len(OPEN)} are open.",
        98,
    )
    lines += ["", "## Where the two differ", "", "| recording | what | NeuroConv | nwbkit | why |"]
    lines += ["|---|---|---|---|---|"]
    lines += [_row(d, REASONS) for case in CASES for d in differing[case.id] if _in(d, REASONS)]
    lines += ["", "## Open", "", "Where ours is not, or not yet, shown to be right.", ""]
    lines += ["| recording | what | NeuroConv | nwbkit | what is known |", "|---|---|---|---|---|"]
    lines += [_row(d, OPEN) for case in CASES for d in differing[case.id] if _in(d, OPEN)]
    lines += ["", "## Where they agree", "", "| recording | stream | compared |", "|---|---|---|"]
    lines += [_agreed(case, read[case.id]) for case in equal]
    return "\n".join(lines) + "\n"


def _in(difference: Difference, table: Mapping[tuple[str, str], str]) -> bool:
    return (difference.case, difference.what) in table


def _row(difference: Difference, table: Mapping[tuple[str, str], str]) -> str:
    why = table[difference.case, difference.what]
    cells = [f"`{difference.case}`", difference.what, difference.theirs, difference.ours, why]
    return "| " + " | ".join(_text(cell) for cell in cells) + " |"


def _agreed(case: Case, facts: Mapping[str, Any]) -> str:
    name = case.id.removesuffix(f" {case.stream}")
    return f"| `{name}` | `{case.stream}` | {', '.join(k for k in facts)} |"


def _text(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, float):
        return f"{value:.10g}"
    if isinstance(value, list):
        return ", ".join(_text(v) for v in value)
    return str(value).replace("|", "\\|")


def main() -> None:
    """Read with both and write the page."""
    python = interpreter()
    if python is None:
        raise SystemExit("NeuroConv is not here: set NWBKIT_NEUROCONV_PYTHON to its python")
    warnings.simplefilter("ignore")
    version, read = theirs(python)
    if version != VERSION:
        raise SystemExit(f"NeuroConv {version} is installed, {VERSION} is wanted")
    differing = {case.id: differences(case, read[case.id], ours(case)) for case in CASES}
    PAGE.write_text(page(differing, read), encoding="utf-8")


if __name__ == "__main__":
    main()
