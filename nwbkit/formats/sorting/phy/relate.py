"""To which recording a Phy folder belongs, by what the files say. Standard library only."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from nwbkit.errors import NwbkitError
from nwbkit.formats.base import Candidate, Match, Relation
from nwbkit.formats.io.params import read_params

#: Rates in params.py are often rounded; those that a device may have do not lie so close.
RATE_TOLERANCE = 1e-3
#: How headers of recordings state a sampling rate (SpikeGLX .meta, Open Ephys .oebin).
_RATE = re.compile(r'(?:^|\W)(?:im|ni|ob)SampRate=([0-9.]+)|"sample_rate"\s*:\s*([0-9.]+)', re.M)
_HEADERS = (".meta", ".oebin")
_HEAD = 64 << 10


def dat_paths(values: dict[str, Any]) -> list[tuple[str, ...]]:
    """The data files that params.py names, each as its path's parts (of either system)."""
    said = values.get("dat_path")
    said = [said] if isinstance(said, str) else said
    if not isinstance(said, list | tuple):
        return []
    found = [
        tuple(p for p in re.split(r"[\\/]+", text) if p not in ("", "."))
        for text in said
        if isinstance(text, str)
    ]
    return [parts for parts in found if parts and parts[-1] != ".."]


def rate_of(values: dict[str, Any]) -> float | None:
    """A usable ``sample_rate``; None where there is none."""
    said = values.get("sample_rate")
    if isinstance(said, bool) or not isinstance(said, int | float):
        return None
    try:
        rate = float(said)
    except OverflowError:
        return None
    return rate if 0 < rate < 1e9 else None


def same_rate(a: float, b: float) -> bool:
    """Whether two statements of a rate may mean the same device."""
    return abs(a - b) <= RATE_TOLERANCE * max(a, b)


def relate(match: Match, candidates: Sequence[Candidate]) -> Iterator[Relation]:
    """The recording that was sorted: the one whose file params.py names, else the only one
    whose folder the sorting lies in or beside and whose header says the same rate.

    Where two fit there is no relation: none is guessed.
    """
    try:
        values = read_params(match.files[0]).values
    except NwbkitError:
        return
    runs = [c for c in candidates if not c.match.companion]
    named = _named(dat_paths(values), runs, match.root)
    if named is not None:
        name = dat_paths(values)[0][-1]
        yield Relation("derived_from", named.id, None, f"its params.py names '{name}' (dat_path)")
        return
    if any(_holding(parts, run) for parts in dat_paths(values) for run in runs):
        return  # several recordings hold a file of that name
    rate = rate_of(values)
    near = _near(match.root, runs, rate) if rate is not None else None
    if near is not None:
        run, where, header = near
        said = f"it lies {where} the folder of '{run.id}', and '{header}' says the same rate"
        yield Relation("derived_from", run.id, None, f"{said} as its params.py, {rate:.12g} Hz")


def _named(
    wanted: Sequence[tuple[str, ...]], runs: Sequence[Candidate], folder: Path
) -> Candidate | None:
    """The one run that holds every file named; of several, the one whose path agrees longest."""
    if not wanted:
        return None
    scores = []
    for run in runs:
        agreeing = [
            max((agreement(p, file, folder) for file in _holding(p, run)), default=0)
            for p in wanted
        ]
        if all(agreeing):
            scores.append((min(agreeing), run))
    best = max((score for score, _ in scores), default=0)
    fitting = [run for score, run in scores if score == best]
    return fitting[0] if len(fitting) == 1 else None


def _holding(parts: Sequence[str], run: Candidate) -> list[Path]:
    return [file for file in run.match.files if file.name == parts[-1]]


def agreement(parts: Sequence[str], file: Path, folder: Path) -> int:
    """How well `file` agrees with a path named in `folder`: twice the trailing parts they share,
    and one more where the file lies around the folder (Open Ephys calls every file alike).

    A relative path that leads to the file itself agrees best. Names are compared only:
    nothing is opened where a path in a file points.
    """
    if os.path.normpath(folder.joinpath(*parts)) == os.path.normpath(file):
        return 1000
    count = 0
    for a, b in zip(reversed(parts), reversed(file.parts), strict=False):
        if a != b:
            break
        count += 1
    return 2 * count + folder.is_relative_to(file.parent) if count else 0


def _near(
    folder: Path, runs: Sequence[Candidate], rate: float
) -> tuple[Candidate, str, str] | None:
    """The one run whose files lie in a folder around, or beside, `folder`, at this rate."""
    around: list[tuple[int, Candidate, str]] = []
    for run in runs:
        depth = max((_depth(f.parent, folder) for f in run.match.files), default=0)
        header = _says_rate(run, rate)
        if depth and header is not None:
            around.append((depth, run, header))
    deepest = max((depth for depth, _, _ in around), default=0)
    inside = [(run, header) for depth, run, header in around if depth == deepest]
    if inside:
        return (inside[0][0], "in", inside[0][1]) if len(inside) == 1 else None
    beside = []
    for run in runs:
        header = _says_rate(run, rate)
        if header is not None and folder.parent in (run.match.root, run.match.root.parent):
            beside.append((run, header))
    return (beside[0][0], "beside", beside[0][1]) if len(beside) == 1 else None


def _depth(outer: Path, inner: Path) -> int:
    """Number of parts of `outer` where it is `inner` or around it; else 0."""
    return len(outer.parts) if inner.is_relative_to(outer) else 0


def _says_rate(run: Candidate, rate: float) -> str | None:
    """Name of the run's header that says this rate."""
    for file in run.match.files:
        if file.suffix.lower() in _HEADERS:
            try:
                with open(file, "rb") as f:
                    text = f.read(_HEAD).decode("latin-1")
            except OSError:
                continue
            for a, b in _RATE.findall(text):
                try:
                    if same_rate(float(a or b), rate):
                        return file.name
                except ValueError:
                    continue
    return None
