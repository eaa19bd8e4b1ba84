"""``nwbkit chunk-plan``: chunk shape and codec of each dataset, tried on the data."""

from __future__ import annotations

from typing import Any

import click

from nwbkit.cli.options import (
    alignment_option,
    codec_option,
    json_option,
    meta_option,
    offset_option,
    option,
    output_option,
    set_meta_option,
    source_options,
)


@click.command("chunk-plan", short_help="Chunks and codecs, tried on the data.")
@source_options
@output_option(help="Write the plan document here.")
@option(
    "--for",
    "use",
    type=click.Choice(["analysis", "cloud", "archive", "speed"]),
    default="analysis",
    help="The use that chunks and codecs are to serve.",
)
@option(
    "--backend",
    type=click.Choice(["hdf5", "zarr"]),
    default="hdf5",
    help="What the plan is for: OUT.nwb or OUT.nwb.zarr.",
)
@codec_option
@option(
    "--no-measure",
    "measure",
    is_flag=True,
    default=True,
    flag_value=False,
    help="Leave the speeds out, so that the same inputs give the same bytes.",
)
@meta_option
@set_meta_option
@alignment_option
@offset_option
@json_option
@click.pass_context
def chunk_plan(
    ctx: click.Context, /, output: str | None, as_json: bool, measure: bool, **request: Any
) -> None:
    """Plan how the datasets of one session of INPUTS are stored.

    INPUTS are raw paths, or one sources document (- for stdin). A few blocks of each dataset
    are packed with several codecs; the smallest wins, speeds are only reported. The plan
    document can be edited and is used by 'nwbkit convert -p'; with 'policy: NAME' in place
    of 'sources', and globs for keys, it is a standard for any data.
    """
    from nwbkit import chunk_plan as journey
    from nwbkit.cli.console import CONSOLE
    from nwbkit.cli.output import emit_document

    document, losses = journey.chunk_plan(journey.Request(measure=measure, **request))
    emit_document(
        document,
        output=output,
        as_json=as_json,
        table=lambda width: journey.render(document, width),
    )
    for loss in losses:
        CONSOLE.warn(loss)
    if losses:
        ctx.exit(3)
