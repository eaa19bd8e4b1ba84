"""The root command, its table of subcommands, and the one place where a run ends."""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import signal
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import click

from nwbkit import __version__
from nwbkit.cli import signals
from nwbkit.cli.console import CONSOLE, Console, wants_no_colour, write_stderr
from nwbkit.cli.options import with_common

#: Name -> where the command is, and its line in ``nwbkit --help``. Imported when asked for.
COMMANDS: dict[str, tuple[str, str]] = {
    "detect": ("nwbkit.cli.detect:detect", "What is here: formats, sources, sessions."),
    "inspect": ("nwbkit.cli.inspect:inspect", "Streams, rates, durations, clocks, gaps, options."),
    "metadata": ("nwbkit.cli.metadata:metadata", "Extract, merge, fill in and check metadata."),
    "chunk-plan": ("nwbkit.cli.chunk_plan:chunk_plan", "Chunks and codecs, tried on the data."),
    "convert": ("nwbkit.cli.convert:convert", "Write a session as a verified NWB file."),
    "verify": ("nwbkit.cli.verify:verify", "Hold an NWB file against its digests or sources."),
}

# What libraries read when they are imported; what the user has set stays. pynwb would write
# to $HOME (array tasks race on that file, and some homes may not be written to); each numeric
# library would start a thread per CPU beside ours; locks fail on many network file systems.
_ENVIRONMENT = {
    "PYNWB_NO_CACHE_DIR": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "BLOSC_NTHREADS": "1",
    "HDF5_USE_FILE_LOCKING": "BEST_EFFORT",
}

_DISTRIBUTIONS = (
    *("click", "numpy", "h5py", "hdmf", "pynwb", "pydantic", "PyYAML", "isal", "xxhash", "tqdm"),
    *("pandas", "probeinterface", "neo", "hdmf-zarr", "zarr", "numcodecs", "hdf5plugin"),
    *("tifffile", "av", "soundfile", "openpyxl", "ndx-pose", "dandi"),
)


class LazyGroup(click.Group):
    """A group that imports a subcommand when it is asked for, and not before."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the table, which is that of the work."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the subcommand and give it the options that all have."""
        if cmd_name not in COMMANDS:
            return None
        target, _ = COMMANDS[cmd_name]
        module, _, name = target.partition(":")
        return with_common(getattr(importlib.import_module(module), name))

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table; click would import every command for its short help."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Refuse an unknown name with the nearest known ones."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            raise click.NoSuchCommand(args[0], possibilities=COMMANDS, ctx=ctx)
        return super().resolve_command(ctx, args)


def _show_version(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value:
        click.echo(f"nwbkit {__version__}")
        ctx.exit()


def _show_versions(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if not value:
        return
    import platform
    from importlib import metadata

    click.echo(f"nwbkit {__version__}")
    click.echo(f"python {platform.python_version()} ({platform.python_implementation()})")
    click.echo(f"platform {platform.platform()}")
    for name in _DISTRIBUTIONS:
        try:
            click.echo(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            click.echo(f"{name} not installed")
    ctx.exit()


def _show_schema(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
    if value is None:
        return
    from nwbkit.cli.output import emit_text
    from nwbkit.documents.schemas import schema_text

    emit_text(schema_text(value))
    ctx.exit()


_EAGER: dict[str, Any] = {"expose_value": False, "is_eager": True}


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "show_default": True},
    epilog="Each step reads and writes plain files; see 'nwbkit COMMAND --help'.",
)
@click.option(
    "-V",
    "--version",
    is_flag=True,
    callback=_show_version,
    help="Print the version and leave.",
    **_EAGER,
)
@click.option(
    "--show-versions",
    is_flag=True,
    callback=_show_versions,
    help="Print the versions of all that matters to a bug report, and leave.",
    **_EAGER,
)
@click.option(
    "--schema",
    metavar="NAME",
    callback=_show_schema,
    help="Print the JSON Schema of a document (sources, metadata, ...), and leave.",
    **_EAGER,
)
def root() -> None:
    """Turn neurophysiology recordings into verified NWB files."""
    from nwbkit.cli.libraries import route_warnings

    route_warnings()


with_common(root)


def run(args: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and end the process: the console script.

    Parameters
    ----------
    args : sequence of str, optional
        Instead of ``sys.argv[1:]``.
    """
    vars(CONSOLE).update(vars(Console()))
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    try:
        signals.install()
        status = _attempt(list(sys.argv[1:] if args is None else args))
        swallowed = signals.received()
        if swallowed is not None:
            raise signals.Interrupted(swallowed)
        signals.restore()
    except signals.Interrupted as stop:
        CONSOLE.note(f"stopped by {signal.Signals(stop.signum).name}")
        signals.die(stop.signum)
    _leave(status)


def script() -> NoReturn:
    """The console script: :func:`run`, then leave at once.

    Taking the interpreter down object by object costs 0.2 s after pynwb, and everything that
    must be done has been done by then: outputs closed, temporary files gone, streams flushed.
    """
    # looking for cycles among what is being imported costs a tenth of the start
    gc.set_threshold(50_000, 50, 100)
    try:
        run()
    except SystemExit as done:
        status = done.code if isinstance(done.code, int) else 1
    with contextlib.suppress(OSError, AttributeError):
        sys.stderr.flush()
    os._exit(status)


def _attempt(args: list[str]) -> int:
    """Run the command; tell of a failure; return the exit status."""
    try:
        status = _invoke(args)
        if sys.stdout is not None:
            sys.stdout.flush()
        return status
    except (SystemExit, signals.Interrupted):
        raise
    except KeyboardInterrupt:
        raise signals.Interrupted(signal.SIGINT) from None
    except BrokenPipeError as error:
        if signals.pipe_is_closed():
            signals.die(signal.SIGPIPE)
        return _tell(error)
    except BaseException as error:  # noqa: BLE001 - here every run ends
        return _tell(error)


def _invoke(args: list[str]) -> int:
    # Not root.main(): it turns Ctrl-C into 1, swallows EPIPE, and leaves other errors alone.
    asked = os.environ.get("_NWBKIT_COMPLETE")
    if asked:
        from click.shell_completion import shell_complete

        return shell_complete(root, {}, "nwbkit", "_NWBKIT_COMPLETE", asked)
    colour = False if wants_no_colour() else None
    try:
        with root.make_context("nwbkit", args, color=colour) as ctx:
            root.invoke(ctx)
    except click.exceptions.NoArgsIsHelpError as error:
        write_stderr(error.format_message() + "\n")
        return 2
    except click.exceptions.Exit as leaving:
        return leaving.exit_code
    return 0


def _tell(error: BaseException) -> int:
    from nwbkit.cli.failures import explain

    failure = explain(error, CONSOLE.command)
    if failure.command is not None:
        CONSOLE.command = failure.command
    if CONSOLE.debug:
        import traceback

        CONSOLE.block("".join(traceback.format_exception(error)))
    CONSOLE.error(failure.message, hint=failure.hint, status=failure.status)
    return failure.status


def _leave(status: int) -> NoReturn:
    if status == 74:
        # HDF5 crashes at exit after a full disk, and Python would try stdout once more.
        os._exit(status)
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        os._exit(status or 74)
    sys.exit(status)
