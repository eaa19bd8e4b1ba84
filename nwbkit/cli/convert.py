"""``nwbkit convert``: a session as one NWB file, verified before it is published."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from nwbkit.cli.options import (
    alignment_option,
    checksum_option,
    codec_option,
    depfile_option,
    dry_run_option,
    existing_options,
    job_options,
    json_option,
    meta_option,
    offset_option,
    optional_inputs_argument,
    output_option,
    plan_option,
    prove_option,
    resource_options,
    segments_option,
    selection_options,
    set_meta_option,
    stub_option,
    timezone_option,
    tmp_dir_option,
    unaligned_option,
)
from nwbkit.errors import TryAgain, UsageError

if TYPE_CHECKING:
    from nwbkit.convert import Result
    from nwbkit.documents.conversion import ConversionDocument


@click.command(short_help="Write a session as a verified NWB file.")
@optional_inputs_argument
@selection_options
@output_option(help="What to write: OUT.nwb (HDF5) or OUT.nwb.zarr.")
@existing_options
@dry_run_option
@meta_option
@set_meta_option
@timezone_option
@alignment_option
@offset_option
@unaligned_option
@segments_option
@stub_option
@plan_option
@codec_option
@prove_option
@resource_options
@tmp_dir_option
@job_options
@checksum_option
@depfile_option
@json_option
@click.pass_context
def convert(ctx: click.Context, /, as_json: bool, **request: Any) -> None:
    """Convert one session of INPUTS to NWB.

    INPUTS are raw paths, or one sources document (- for stdin). The output appears whole or
    not at all, with its sidecar OUT.nwb.json beside it. A fact that the files do not hold
    is asked for by the name of the option that gives it.

    An NWB file as the input is repacked: its content, whoever wrote it, in the layout of -p
    and the back end of -o.

    For recordings that take longer than a job may run, --job DIR makes a convert that goes on
    where it was killed; --init, --fill and --join are its steps, for job arrays.
    """
    from nwbkit import convert as journey
    from nwbkit.cli.output import emit_document, emit_text
    from nwbkit.cli.progress import Progress

    init, fill, join = (request.pop(name) for name in ("init", "fill", "join"))
    part = request.pop("part")
    _check(request, init=init, fill=fill, join=join, part=part)
    if init is not None:
        _init(request, init)
        return
    if fill is not None:
        _fill(fill, part or (0, 1), request["jobs"], request["max_memory"])
        return
    began = time.monotonic()
    wanted = journey.Request(**request)
    if join is not None:
        from nwbkit.jobs import joining

        wanted = joining(join, wanted)
    with _resumable(wanted.job):
        result = journey.convert(wanted, progress=Progress)
    if result.report is not None:
        emit_text(result.report)
    if as_json and result.document is not None:
        emit_document(result.document, as_json=True)
    _conclude(request["output"], result, time.monotonic() - began)
    ctx.exit(result.status)


def _check(request: dict[str, Any], *, init: Any, fill: Any, join: Any, part: Any) -> None:
    """Which of INPUTS and -o must be there, and which may not."""
    from_job = fill or join
    if not from_job and not request["inputs"]:
        raise click.UsageError("missing argument 'INPUTS...'")
    if from_job and request["inputs"]:
        word = "--fill" if fill else "--join"
        raise UsageError(f"'{word}' takes no INPUTS: the job '{from_job}' knows them")
    if part is not None and not fill:
        raise UsageError("'--part' goes with '--fill'", hint="--fill JOB --part 0/4")
    if request["output"] is None and not (init or fill):
        raise click.UsageError("missing option '-o' / '--output'")


def _init(request: dict[str, Any], folder: str) -> None:
    from nwbkit.cli.console import CONSOLE
    from nwbkit.convert import Request
    from nwbkit.jobs import init
    from nwbkit.text import size_text

    request["output"] = request["output"] or "x.nwb"
    job, size = init(Request(**request), folder)
    CONSOLE.note(
        f"job '{folder}': {size_text(size)} of data in {len(job.document.holes)} datasets; "
        f"next: nwbkit convert --fill '{folder}' --part K/N, for K from 0 to N - 1"
    )


def _fill(folder: str, part: tuple[int, int], jobs: int, max_memory: int) -> None:
    from nwbkit.cli.console import CONSOLE
    from nwbkit.cli.progress import Progress
    from nwbkit.jobs import fill
    from nwbkit.text import size_text

    with _resumable(folder):
        read, whole = fill(folder, part, jobs=jobs, max_memory=max_memory, progress=Progress)
    CONSOLE.note(
        f"part {part[0]}/{part[1]} of job '{folder}' is done: "
        f"{size_text(read)} read now, of {size_text(whole)}"
    )


@contextmanager
def _resumable(job: str | None) -> Iterator[None]:
    """With a job folder, SIGTERM ends with 75: a scheduler may start the same command again."""
    from nwbkit.cli import signals

    try:
        yield
    except signals.Interrupted as stop:
        if job is None or stop.signum != signal.SIGTERM:
            raise
        signals.answered()
        raise TryAgain(
            "interrupted by SIGTERM", hint=f"the same command goes on from job '{job}'"
        ) from None


def _conclude(output: str, result: Result, seconds: float) -> None:
    from nwbkit.cli.console import CONSOLE
    from nwbkit.storage.planning import unreadable_by

    if result.skipped:
        CONSOLE.note(f"'{output}' is there already, made from the same inputs")
    elif result.document is not None:
        for loss in result.document.losses:
            CONSOLE.warn(loss)
        who = unreadable_by(d.codec for d in result.document.datasets.values() if d.codec)
        if who and not output.rstrip("/").endswith(".zarr"):
            CONSOLE.warn(who)
        CONSOLE.note(_closing_line(output, result.document, seconds))


def _closing_line(output: str, document: ConversionDocument, seconds: float) -> str:
    """``wrote 'out.nwb': 1.2 GB from 3.4 GB of data in 12.3 s (276 MB/s)``."""
    from nwbkit.text import duration_text, size_text

    line = f"wrote '{output}': {size_text(_size(output))}"
    read = (document.measured or {}).get("raw_bytes")
    if not isinstance(read, int) or not read:
        return f"{line} in {duration_text(seconds)}"
    rate = size_text(read / max(seconds, 1e-9))
    return f"{line} from {size_text(read)} of data in {duration_text(seconds)} ({rate}/s)"


def _size(path: str) -> int:
    if not os.path.isdir(path):
        return os.path.getsize(path)
    return sum(
        os.path.getsize(os.path.join(folder, name))
        for folder, _, names in os.walk(path)
        for name in names
    )
