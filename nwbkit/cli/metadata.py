"""``nwbkit metadata``: extract, merge, fill in and check what is said about a session."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from nwbkit.cli.options import (
    PATH,
    format_option,
    inputs_argument,
    json_option,
    meta_option,
    option,
    output_option,
    overwrite_option,
    session_option,
    set_meta_option,
    set_option,
    source_options,
    timezone_option,
)

if TYPE_CHECKING:
    from nwbkit.documents.metadata import MetadataDocument
    from nwbkit.session import OpenSession


@click.group(short_help="Extract, merge, fill in and check metadata.")
def metadata() -> None:
    """Extract, merge, fill in and check metadata.

    A metadata document is JSON between commands and YAML where a person writes it; the
    field names are NWB's. Later documents win over earlier ones, and null deletes.
    """


@metadata.command(short_help="What the files themselves say.")
@source_options
@output_option(help="Write the metadata document here.")
@json_option
@click.pass_context
def extract(
    ctx: click.Context,
    /,
    inputs: tuple[str, ...],
    output: str | None,
    as_json: bool,
    **selection: Any,
) -> None:
    """Write what the files of one session of INPUTS say themselves, with its origin.

    INPUTS are raw paths, or one sources document (- for stdin).
    """
    from nwbkit.metadata.extract import extract

    with _opened(inputs, **selection) as session:
        document = extract(session.readers)
    _emit(document, output, as_json)
    _end_partly(ctx, session)


@metadata.command(short_help="Lay metadata files over each other.")
@inputs_argument
@set_meta_option
@output_option(help="Write the metadata document here.")
@json_option
def merge(
    inputs: tuple[str, ...], set_meta: tuple[str, ...], output: str | None, as_json: bool
) -> None:
    """Lay metadata files INPUTS (JSON or YAML; - for stdin) over each other; later wins."""
    from nwbkit.metadata.files import merge_files

    _emit(merge_files(inputs, set_meta), output, as_json)


@metadata.command(short_help="YAML to fill in: what is missing.")
@source_options
@meta_option
@output_option(help="Write the YAML here; a file that is there stays.")
@overwrite_option
@click.pass_context
def template(
    ctx: click.Context,
    /,
    inputs: tuple[str, ...],
    metadata: tuple[str, ...],
    output: str | None,
    overwrite: bool,
    **selection: Any,
) -> None:
    """Write YAML to fill in for one session of INPUTS: what is missing, required first.

    What the files say, and what -m adds, is shown as comments.
    """
    from nwbkit.cli.output import emit_text
    from nwbkit.documents.envelope import write_text
    from nwbkit.errors import OutputExists
    from nwbkit.metadata import files
    from nwbkit.metadata.extract import extract
    from nwbkit.metadata.merge import merge
    from nwbkit.metadata.template import facts_of, template

    # what a person has filled in is not made again by running a command
    if output is not None and os.path.isfile(output) and not overwrite:
        raise OutputExists(f"'{output}' exists", hint="--overwrite replaces it")
    with _opened(inputs, **selection) as session:
        docs = [("extracted", extract(session.readers))]
        docs += [(path, files.load(path)) for path in metadata]
        text = template(merge(docs), facts_of(session.id, session.readers))
    if output is None:
        emit_text(text)
    else:
        write_text(text, output)
    _end_partly(ctx, session)


@metadata.command(short_help="Is it enough for NWB, best practice, DANDI?")
@click.argument("meta", metavar="META", type=PATH)
@option(
    "--for",
    "level",
    type=click.Choice(["nwb", "best", "dandi"]),
    default="nwb",
    help="What it is to be enough for.",
)
@option(
    "--sources",
    multiple=True,
    metavar="SOURCES",
    type=PATH,
    help="Hold it against this data, too, and add what the files say themselves.",
)
@format_option
@session_option
@set_option
@timezone_option
@set_meta_option
@output_option(help="Write the findings document here, too.")
@json_option
@click.pass_context
def validate(
    ctx: click.Context,
    /,
    meta: str,
    level: Any,
    sources: tuple[str, ...],
    timezone: str | None,
    set_meta: tuple[str, ...],
    output: str | None,
    as_json: bool,
    **selection: Any,
) -> None:
    """Check whether the metadata document META (- for stdin) says enough.

    The exit status is 1 where it does not.
    """
    from contextlib import ExitStack

    from nwbkit.cli.output import emit_report
    from nwbkit.errors import UsageError
    from nwbkit.metadata import files
    from nwbkit.metadata.merge import apply_set
    from nwbkit.metadata.validate import render, validate

    if meta == "-" and "-" in sources:
        raise UsageError("stdin ('-') can be read once only")
    document = files.load(meta)
    for text in set_meta:
        document = apply_set(document, text)
    with ExitStack() as stack:
        readers = stack.enter_context(_opened(sources, **selection)).readers if sources else None
        findings = validate(document, readers=readers, level=level, timezone=timezone)
    emit_report(findings, lambda width: render(findings), output=output, as_json=as_json)
    if not findings.ok:
        ctx.exit(1)


def _opened(inputs: tuple[str, ...], format: str | None = None, **selection: Any) -> OpenSession:
    from nwbkit.session import load_sources, open_session

    return open_session(load_sources(inputs, format=format), **selection)


def _end_partly(ctx: click.Context, session: OpenSession) -> None:
    """With ``--salvage``: say what was lost, and leave with 3 where anything was."""
    from nwbkit.cli.console import CONSOLE

    losses = [loss for reader in session.readers for loss in reader.losses]
    for loss in losses:
        CONSOLE.warn(loss)
    if losses:
        ctx.exit(3)


def _emit(document: MetadataDocument, output: str | None, as_json: bool) -> None:
    from nwbkit.cli.output import emit_document
    from nwbkit.metadata.files import rows
    from nwbkit.text import table

    header = ("KEY", "VALUE", "ORIGIN")
    emit_document(
        document,
        output=output,
        as_json=as_json,
        table=lambda width: table(header, rows(document), width=width),
    )
