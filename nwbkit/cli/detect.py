"""``nwbkit detect``: what is here, which format, and why we think so."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from nwbkit.cli.options import PATH, format_option, json_option, option, output_option

if TYPE_CHECKING:
    from nwbkit.documents.sources import SourcesDocument
    from nwbkit.formats.detection import Detection


@click.command(short_help="What is here: formats, sources, sessions.")
@click.argument("raw", metavar="RAW...", nargs=-1, required=True, type=PATH)
@output_option(help="Write the sources document here.")
@json_option
@option(
    "--jsonl",
    is_flag=True,
    excludes=("as_json", "output"),
    help="Write one session a line, for xargs, GNU parallel and array jobs.",
)
@format_option
@click.pass_context
def detect(
    ctx: click.Context,
    /,
    raw: tuple[str, ...],
    output: str | None,
    as_json: bool,
    jsonl: bool,
    format: str | None,
) -> None:
    """Say what is in RAW (files, folders): the sources document.

    A terminal gets a table, a pipe the document as JSON. The exit status is 1 where no
    known format is found.
    """
    from pathlib import Path

    from nwbkit.cli.console import CONSOLE
    from nwbkit.cli.output import emit_document, emit_text
    from nwbkit.errors import UsageError
    from nwbkit.formats import registry

    if "-" in raw:
        raise UsageError("'detect' looks at files and folders; it does not read stdin")
    detection = registry.detect([Path(path) for path in raw], format=format)
    document = registry.to_document(detection)
    _tell_reports(detection)
    if jsonl:
        text = "".join(_lines(document))
        if text:
            emit_text(text)
    else:
        emit_document(
            document, output=output, as_json=as_json, table=lambda width: _table(document, width)
        )
    if not document.sessions:
        named = ", ".join(f"'{path}'" for path in raw)
        CONSOLE.error(f"no known format in {named}", hint=_looked_at(detection), status=1)
        ctx.exit(1)


def _tell_reports(detection: Detection) -> None:
    from nwbkit.cli.console import CONSOLE

    for report in detection.reports:
        tell = CONSOLE.warn if report.level == "warning" else CONSOLE.note
        tell(report.message)
    for path in detection.unclaimed:
        CONSOLE.detail(f"no format claims '{path}'")


def _looked_at(detection: Detection) -> str:
    from nwbkit.text import count_text

    seen = count_text(len(detection.unclaimed), "file")
    return f"looked at {seen}; -v lists them, --format ID names a format"


def _lines(document: SourcesDocument) -> list[str]:
    from nwbkit.documents.envelope import dumps_line

    return [
        dumps_line(document.model_copy(update={"sessions": [session]}))
        for session in document.sessions
    ]


def _table(document: SourcesDocument, width: int) -> str:
    from nwbkit.text import table

    rows = [
        (
            session.id,
            source.id,
            source.format,
            source.strength,
            len(source.paths) + sum(p.count for p in source.patterns),
            source.evidence,
        )
        for session in document.sessions
        for source in session.sources
    ]
    header = ("SESSION", "SOURCE", "FORMAT", "STRENGTH", "FILES", "EVIDENCE")
    return table(header, rows, width=width, right=(4,)) if rows else ""
