"""Kills at random moments: no incomplete output, no older one lost, and jobs go on."""

from __future__ import annotations

import itertools
import random
import shutil
import signal
import time
from pathlib import Path

from .base import SUFFIXES, Outcome, command, content, convert, copy, remove, start, whole


def kills(raw: Path, folder: Path, count: int, seed: int = 1) -> Outcome:
    """Kill `count` converts, both back ends, with and without a job folder and an older output."""
    outcome = Outcome("kills")
    draw = random.Random(seed)
    older, expected, seconds = {}, "", {}
    for suffix in SUFFIXES:
        older[suffix] = folder / f"older{suffix}"
        convert(raw, older[suffix], "--set-meta", "NWBFile.lab=older", "--stub", 0.1)
        began = time.monotonic()
        expected = convert(raw, folder / f"new{suffix}")
        seconds[suffix] = time.monotonic() - began
        remove(folder / f"new{suffix}")
    kinds = itertools.cycle(
        itertools.product(SUFFIXES, (False, True), (True, False), (signal.SIGKILL, signal.SIGTERM))
    )
    for number, (suffix, job, had, sent) in zip(range(count), kinds, strict=False):
        out = folder / f"out{suffix}"
        remove(out)
        shutil.rmtree(folder / "job", ignore_errors=True)
        if had:
            copy(older[suffix], out)
        more = ["--overwrite", *(["--job", folder / "job"] if job else [])]
        process = start(command(raw, out, *more))
        time.sleep(seconds[suffix] * draw.uniform(0.05, 1.05))
        process.send_signal(sent)
        process.communicate(timeout=120)
        said = f"kill {number}: {suffix} job={job} older={had} {sent.name}"
        _judge(outcome, out, process.returncode, sent, job, had, content(older[suffix]), said)
        if job and process.returncode:
            after = convert(raw, out, *more)
            outcome.counts["job gone on with"] += 1
            if after != expected:
                outcome.failures.append(f"{said}: the resumed run holds something else")
    return outcome


def _judge(
    outcome: Outcome,
    out: Path,
    status: int,
    sent: signal.Signals,
    job: bool,
    had: bool,
    older: str,
    said: str,
) -> None:
    allowed = {0, -sent, 75} if job and sent == signal.SIGTERM else {0, -sent}
    if status not in allowed:
        outcome.failures.append(f"{said}: exit status {status}")
    if not out.exists():
        outcome.counts["nothing at the final path"] += 1
        if had:
            outcome.failures.append(f"{said}: the older output is gone")
        return
    # a kill -9 between two renames may leave the new sidecar beside the older output, which
    # the checksum in it tells apart
    is_older = had and not whole(out)
    if is_older or (had and content(out) == older):
        outcome.counts["older output in place"] += 1
        if is_older and not _opens(out):
            outcome.failures.append(f"{said}: what is at the final path cannot be read")
    else:
        outcome.counts["new output, whole"] += 1
        if not whole(out):
            outcome.failures.append(f"{said}: an incomplete output at the final path")


def _opens(out: Path) -> bool:
    from nwbkit.verify import verify

    kept = out.with_name(out.name + ".json")
    aside = kept.with_suffix(".aside")
    kept.rename(aside)
    try:
        return verify(str(out), jobs=2).ok
    finally:
        aside.rename(kept)
