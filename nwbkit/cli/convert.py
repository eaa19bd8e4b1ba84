"""``nwbkit convert``: a session as one NWB file, verified before it is published."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

import click

from nwbkit.cli.options import (
    alignment_option,
    depfile_option,
    dry_run_option,
    existing_options,
    json_option,
    meta_option,
    offset_option,
    output_option,
    plan_option,
    prove_option,
    resource_options,
    segments_option,
    set_meta_option,
    source_options,
    stub_option,
    timezone_option,
    tmp_dir_option,
    unaligned_option,
)

if TYPE_CHECKING:
    from nwbkit.documents.conversion import ConversionDocument


@click.command(short_help="Write a session as a verified NWB file.")
@source_options
@output_option(required=True, help="The file to write: OUT.nwb (HDF5).")
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
@prove_option
@resource_options
@tmp_dir_option
@depfile_option
@json_option
@click.pass_context
def convert(ctx: click.Context, /, as_json: bool, **request: Any) -> None:
    """Convert one session of INPUTS to NWB.

    INPUTS are raw paths, or one sources document (- for stdin). The output appears whole or
    not at all, with its sidecar OUT.nwb.json beside it. A fact that the files do not hold
    is asked for by the name of the option that gives it.
    """
    from nwbkit import convert as journey
    from nwbkit.cli.console import CONSOLE
    from nwbkit.cli.output import emit_document, emit_text
    from nwbkit.cli.progress import Progress

    began = time.monotonic()
    result = journey.convert(journey.Request(**request), progress=Progress)
    if result.report is not None:
        emit_text(result.report)
    if as_json and result.document is not None:
        emit_document(result.document, as_json=True)
    output = request["output"]
    if result.skipped:
        CONSOLE.note(f"'{output}' is there already, made from the same inputs")
    elif result.document is not None:
        for loss in result.document.losses:
            CONSOLE.warn(loss)
        CONSOLE.note(_closing_line(output, result.document, time.monotonic() - began))
    ctx.exit(result.status)


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
