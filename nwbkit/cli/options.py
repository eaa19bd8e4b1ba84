"""Every option that more than one command takes: spelled, typed and explained once.

A command imports the decorators it needs; the order of decorators is the order in ``--help``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import click

from nwbkit.cli.console import CONSOLE
from nwbkit.cli.limits import default_jobs, default_max_memory, parse_size
from nwbkit.errors import UsageError

F = TypeVar("F", bound=Callable[..., Any])
Decorator = Callable[[F], F]

#: Never ``exists=True``: a missing input ends with 66 and a message of its own, not with 2.
#: A text, not a ``Path``: ``-`` and ``./-`` differ, and messages repeat what was typed.
PATH = click.Path(readable=False)


class Option(click.Option):
    """An option that may exclude others.

    Parameters
    ----------
    excludes : sequence of str
        Parameter names that may not be given beside this one.
    """

    def __init__(self, *args: Any, excludes: Sequence[str] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.excludes = tuple(excludes)

    def handle_parse_result(
        self, ctx: click.Context, opts: Mapping[str, Any], args: list[str]
    ) -> tuple[Any, list[str]]:
        """Refuse what excludes each other, then go on as click does."""
        if self.name in opts:
            for other in self.excludes:
                if other in opts:
                    mine, theirs = max(self.opts, key=len), f"--{other.replace('_', '-')}"
                    raise click.UsageError(f"'{mine}' and '{theirs}' exclude each other", ctx)
        return super().handle_parse_result(ctx, opts, args)


class Size(click.ParamType[int]):
    """A number of bytes: ``256M``, ``1GiB``."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return `value` in bytes."""
        if isinstance(value, int):
            return value
        try:
            return parse_size(value)
        except ValueError:
            self.fail(f"'{value}' is no size; say 256M or 1GiB", param, ctx)


class Seconds(click.ParamType[float]):
    """A positive number of seconds."""

    name = "seconds"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return `value` as seconds."""
        try:
            seconds = float(value)
        except ValueError:
            seconds = 0.0
        if not 0 < seconds < float("inf"):
            self.fail(f"'{value}' is no time above 0, in seconds", param, ctx)
        return seconds


def option(*names: str, **settings: Any) -> Callable[[F], F]:
    """``click.option`` with this package's :class:`Option` (for ``excludes=``)."""
    settings.setdefault("cls", Option)
    return click.option(*names, **settings)


def _chain(*decorators: Callable[[F], F]) -> Callable[[F], F]:
    def apply(function: F) -> F:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return apply


def _shaped(pattern: str, shape: str) -> Callable[[click.Context, click.Parameter, Any], Any]:
    """Return a callback that holds each value to a shape that the help names."""
    regex = re.compile(pattern, re.DOTALL)

    def check(ctx: click.Context, param: click.Parameter, values: Any) -> Any:
        for value in values:
            if regex.fullmatch(value) is None:
                raise UsageError(f"'{param.opts[-1]}' takes {shape}, not '{value}'")
        return values

    return check


def _not_stdout(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    if value == "-":
        raise UsageError(
            "'--output' takes a path, not '-'", hint="documents go to stdout by default"
        )
    return value


def _stdin_once(ctx: click.Context, param: click.Parameter, value: Any) -> Any:
    count = ctx.meta.get("nwbkit.stdin", 0) + list(value).count("-")
    if count > 1:
        raise UsageError("stdin ('-') can be read once only")
    ctx.meta["nwbkit.stdin"] = count
    return value


# ---------------------------------------------------------------- inputs

inputs_argument = click.argument(
    "inputs", metavar="INPUTS...", nargs=-1, required=True, type=PATH, callback=_stdin_once
)
format_option = option(
    "-f", "--format", metavar="ID", help="Take the inputs for this format, whatever they look like."
)
session_option = option(
    "--session", metavar="ID", help="Which session, where the inputs hold several."
)
set_option = option(
    "--set",
    "sets",
    multiple=True,
    metavar="SOURCE.OPTION=VALUE",
    callback=_shaped(r"[^.=]+\.[^.=]+=.*", "SOURCE.option=value"),
    help="An option of a source, as `nwbkit inspect` lists them; SOURCE may be a format id.",
)
only_option = option(
    "--only",
    multiple=True,
    metavar="ADDRESS",
    help="Take these streams only: SOURCE/STREAM, globs.",
)
exclude_option = option(
    "--exclude", multiple=True, metavar="ADDRESS", help="Leave these streams out."
)
salvage_option = option(
    "--salvage",
    is_flag=True,
    help="Read what can be read of damaged inputs; the loss is recorded, and the exit status is 3.",
)


def selection_options(function: F) -> F:
    """``--format --session --set --only --exclude --salvage``."""
    return _chain(
        format_option, session_option, set_option, only_option, exclude_option, salvage_option
    )(function)


optional_inputs_argument = click.argument(
    "inputs", metavar="[INPUTS...]", nargs=-1, type=PATH, callback=_stdin_once
)


def source_options(function: F) -> F:
    """The positional INPUTS and everything that says how they are read."""
    return _chain(inputs_argument, selection_options)(function)


# ---------------------------------------------------------------- outputs


def output_option(*, help: str, required: bool = False) -> Callable[[F], F]:
    """``-o/--output PATH``."""
    return option(
        "-o",
        "--output",
        metavar="PATH",
        type=PATH,
        required=required,
        callback=_not_stdout,
        help=help,
    )


json_option = option(
    "--json", "as_json", is_flag=True, help="Write the document to stdout, as JSON."
)
overwrite_option = option(
    "--overwrite",
    is_flag=True,
    excludes=("skip_existing",),
    help="Replace an output that exists; until the new one is whole, the old one stays.",
)
skip_existing_option = option(
    "--skip-existing",
    is_flag=True,
    help="Succeed at once where the output exists and was made from the same inputs.",
)
dry_run_option = option(
    "-n",
    "--dry-run",
    is_flag=True,
    help="Show what would be written, what is missing, and the disk and memory needed.",
)
depfile_option = option(
    "--depfile", metavar="FILE", type=PATH, help="Write every file read, as a rule for Make."
)
checksum_option = option(
    "--checksum",
    is_flag=True,
    help="Write OUT.sha256 as well, for `sha256sum -c`.",
)
tmp_dir_option = option(
    "--tmp-dir",
    metavar="DIR",
    type=PATH,
    help="Where unfinished files are kept.  [default: beside the output]",
)
keep_going_option = option(
    "--keep-going",
    is_flag=True,
    help="Go on with the others after one failed; the exit status is 3.",
)


def _part(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[int, int] | None:
    if value is None:
        return None
    shape = re.fullmatch(r"(\d+)/(\d+)", value)
    if shape is None or not int(shape[1]) < int(shape[2]):
        raise UsageError(
            f"'--part' takes K/N with K from 0 to N - 1, not '{value}'", hint="--part 0/4"
        )
    return int(shape[1]), int(shape[2])


def job_options(function: F) -> F:
    """``--job | --init | --fill --part | --join``."""
    return _chain(
        option(
            "--job",
            metavar="DIR",
            type=PATH,
            excludes=("init", "fill", "join"),
            help="Keep what is encoded in DIR until the output is there: the same command goes "
            "on where a killed one ended.",
        ),
        option(
            "--init",
            metavar="JOB",
            type=PATH,
            excludes=("fill", "join"),
            help="Only write down what is to be done, into the folder JOB.",
        ),
        option(
            "--fill",
            metavar="JOB",
            type=PATH,
            excludes=("join",),
            help="Only read and encode, what is missing in JOB; any number of hosts at once.",
        ),
        option(
            "--part",
            metavar="K/N",
            callback=_part,
            help="With --fill: part K (from 0) of N.  [default: all]",
        ),
        option(
            "--join",
            metavar="JOB",
            type=PATH,
            help="Make the output of a JOB that is filled.",
        ),
    )(function)


def existing_options(function: F) -> F:
    """``--overwrite | --skip-existing``."""
    return _chain(overwrite_option, skip_existing_option)(function)


# ---------------------------------------------------------------- facts

meta_option = option(
    "-m",
    "--metadata",
    multiple=True,
    metavar="FILE",
    type=PATH,
    callback=_stdin_once,
    help="Metadata, YAML or JSON; may be given several times, later wins.",
)
set_meta_option = option(
    "--set-meta",
    multiple=True,
    metavar="KEY=VALUE",
    callback=_shaped(r"[^=]+=.*", "key=value"),
    help="One metadata value, by its dotted key: Subject.subject_id=mouse1; wins over -m.",
)
timezone_option = option(
    "--timezone",
    metavar="ZONE",
    help="Time zone of start times that name none: Europe/Lisbon, +02:00.",
)
alignment_option = option(
    "-a",
    "--alignment",
    metavar="FILE",
    type=PATH,
    help="An alignment document: one session clock for all streams.",
)
plan_option = option(
    "-p", "--plan", metavar="FILE", type=PATH, help="A plan document: chunks and codecs."
)
codec_option = option(
    "--codec",
    metavar="NAME[:LEVEL]",
    help="gzip, zstd, blosc-zstd, blosc-lz4 or none, for all data. MatNWB and h5py without "
    "hdf5plugin read gzip and none only.  [default: gzip:1]",
)
offset_option = option(
    "--offset",
    "offsets",
    multiple=True,
    metavar="CLOCK=SECONDS",
    callback=_shaped(r"[^=]+=.+", "CLOCK=seconds"),
    help="Where a clock's zero lies on the session clock.",
)
unaligned_option = option(
    "--unaligned",
    type=click.Choice(["keep"]),
    help="Write streams of clocks that nothing aligns from 0, and say so in the file.",
)
segments_option = option(
    "--segments",
    type=click.Choice(["gaps", "split"]),
    default="gaps",
    help="A stream with gaps becomes one series with timestamps, or one series per segment.",
)
stub_option = option(
    "--stub", metavar="SECONDS", type=Seconds(), help="Convert only the first seconds, for a look."
)
prove_option = option(
    "--prove",
    type=click.Choice(["full", "sample", "none"]),
    default="full",
    help="Decode what was written and compare with what was read: every chunk, a twentieth, none.",
)

# ---------------------------------------------------------------- resources

jobs_option = option(
    "-j",
    "--jobs",
    metavar="N",
    type=click.IntRange(min=1),
    default=default_jobs,
    show_default="the CPUs this process may use",
    help="CPUs to keep busy.",
)
max_memory_option = option(
    "--max-memory",
    metavar="SIZE",
    type=Size(),
    default=default_max_memory,
    show_default="1GiB, or half of what the cgroup or SLURM allows",
    help="Memory for data in flight; the process stays under it + 300 MiB.",
)


def resource_options(function: F) -> F:
    """``--jobs --max-memory``."""
    return _chain(jobs_option, max_memory_option)(function)


# ---------------------------------------------------------------- common to every command


def _remember(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    # Runs for every command on the way down, before its other options are looked at.
    CONSOLE.command = ctx.command_path
    if value:
        assert param.name is not None
        setattr(CONSOLE, param.name, value)


def _no_progress(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value:
        CONSOLE.progress = False


def _common() -> list[click.Option]:
    settings: dict[str, Any] = {"expose_value": False, "is_eager": True, "callback": _remember}
    return [
        Option(
            ["-q", "--quiet"],
            is_flag=True,
            excludes=("verbose",),
            help="Only warnings and errors.",
            **settings,
        ),
        Option(["-v", "--verbose"], is_flag=True, help="Say more.", **settings),
        Option(["--debug"], is_flag=True, help="Show tracebacks.", **settings),
        Option(
            ["--log-format"],
            type=click.Choice(["text", "json"]),
            help="Messages as text, or one JSON object a line.",
            **settings,
        ),
        Option(
            ["--no-progress"],
            is_flag=True,
            help="No progress bar or lines.",
            **(settings | {"callback": _no_progress}),
        ),
    ]


def with_common(command: click.Command) -> click.Command:
    """Add ``-q -v --debug --log-format --no-progress`` to a command and all below it.

    Commands are declared without them, so that none can forget one.
    """
    taken = {name for param in command.params for name in param.opts}
    command.params += [o for o in _common() if not taken.intersection(o.opts)]
    if isinstance(command, click.Group):
        for below in command.commands.values():
            with_common(below)
    return command
