"""``nwbkit inspect``: what the streams are, before anything is converted."""

from __future__ import annotations

from typing import Any

import click

from nwbkit.cli.options import json_option, output_option, source_options


@click.command(short_help="Streams, rates, durations, clocks, gaps, options.")
@source_options
@output_option(help="Write the inspection document here, too.")
@json_option
def inspect(inputs: tuple[str, ...], output: str | None, as_json: bool, **selection: Any) -> None:
    """Show what INPUTS hold: streams, channels, rates, durations, clocks, lines and gaps.

    INPUTS are raw paths, one sources document (- for stdin), or an NWB file. The options
    that each source takes are listed with it.
    """
    from nwbkit import inspect as journey
    from nwbkit.cli.output import emit_report

    document = journey.inspect(inputs, **selection)
    emit_report(
        document, lambda width: journey.render(document, width), output=output, as_json=as_json
    )
