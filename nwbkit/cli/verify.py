"""``nwbkit verify``: hold an output against its digests, or against its sources."""

from __future__ import annotations

from typing import Any

import click

from nwbkit.cli.options import (
    PATH,
    json_option,
    option,
    output_option,
    resource_options,
    set_option,
)


@click.command(short_help="Hold an NWB file against its digests or sources.")
@click.argument("nwb", metavar="OUT", type=PATH)
@option(
    "--against",
    multiple=True,
    metavar="SOURCES",
    type=PATH,
    help="Open the sources again and compare with them; may be given several times.",
)
@set_option
@option(
    "--quick",
    is_flag=True,
    excludes=("against", "full"),
    help="Look at structure, completeness and sizes only; decode nothing.",
)
@option(
    "--full",
    is_flag=True,
    help="Decode every chunk and check every digest and the whole file's checksum.  [default]",
)
@output_option(help="Write the findings document here, too.")
@json_option
@resource_options
@click.pass_context
def verify(
    ctx: click.Context,
    /,
    nwb: str,
    against: tuple[str, ...],
    output: str | None,
    as_json: bool,
    full: bool,
    **settings: Any,
) -> None:
    """Check that every chunk of OUT decodes and is what was converted.

    The digests stand in OUT's sidecar (OUT.json). With --against the sources are opened
    again, and what they hold is compared value by value. The exit status is 1 where
    something differs.
    """
    from nwbkit import verify as journey
    from nwbkit.cli.output import emit_report
    from nwbkit.cli.progress import Progress

    document = journey.verify(nwb, against=against or None, progress=Progress, **settings)
    emit_report(
        document, lambda width: journey.render(document, width), output=output, as_json=as_json
    )
    if not document.ok:
        ctx.exit(1)
