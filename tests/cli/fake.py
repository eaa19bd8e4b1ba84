"""Commands that fail in every way there is, behind the real entry point.

python -m tests.cli.fake fail DamagedInput
"""

import os
import signal
import sys
import time
from pathlib import Path

import click

from nwbkit import errors
from nwbkit.cli import main

RAISES = {
    **{
        name: cls("'x.bin' is wrong", hint="mend it")
        for name, cls in vars(errors).items()
        if isinstance(cls, type)
        and issubclass(cls, errors.NwbkitError)
        and cls is not errors.MissingExtra
    },
    "MissingExtra": errors.MissingExtra("'x.mp4'", "video", package="av"),
    "KeyError": KeyError("boom"),
    "AssertionError": AssertionError(),
    "MemoryError": MemoryError(),
    "ENOENT": FileNotFoundError(2, "No such file or directory", "x.bin"),
    "EACCES": PermissionError(13, "Permission denied", "x.bin"),
    "EEXIST": FileExistsError(17, "File exists", "x.nwb"),
    "ENOSPC": OSError(28, "No space left on device"),
    "EIO": OSError(5, "Input/output error"),
    "ECONNRESET": ConnectionResetError(104, "Connection reset by peer"),
    "EPIPE-of-a-socket": BrokenPipeError(32, "Broken pipe"),
    "HDF5": RuntimeError(
        "Can't decrement id ref count (file write failed: time = Mon, filename = 'x.nwb', "
        "errno = 28, error message = 'No space left on device', buf = 0x1)"
    ),
    "Exit": click.exceptions.Exit(3),
    "SystemExit": SystemExit(5),
    "not-utf8": errors.NoInput(f"cannot open '{os.fsdecode(b'caf' + bytes([0xE9]))}.bin'"),
    "escape": errors.NoInput("cannot open 'a\x1b[2Jb\nc'"),
}


@click.command()
@click.argument("name")
def fail(name: str) -> None:
    raise RAISES[name]


@click.command()
@click.argument("folder")
@click.option("--swallow", is_flag=True)
def hang(folder: str, swallow: bool) -> None:
    """Work until a signal comes; clean up as a conversion would."""
    path = Path(folder, "x.part")
    path.touch()
    try:
        Path(folder, "ready").touch()
        for _ in range(2000):
            time.sleep(0.01)
    except BaseException:
        if not swallow:
            raise
    finally:
        path.unlink()
        Path(folder, "cleaned").touch()


@click.command()
def much() -> None:
    from nwbkit.cli.output import emit_text

    for _ in range(1000):
        emit_text("x" * 1000)


@click.command()
def messages() -> None:
    import logging
    import warnings

    from nwbkit.cli.console import CONSOLE

    CONSOLE.note("a note")
    CONSOLE.warn("a warning", hint="look")
    CONSOLE.detail("a detail")
    warnings.warn("from a library", UserWarning, stacklevel=1)
    logging.getLogger("some.library").warning("logged")


@click.command()
@click.option("--signal", "signum", type=int, default=signal.SIGTERM)
def progress(signum: int) -> None:
    from nwbkit.cli import progress as module

    module.LINE_EVERY_S = module.BAR_AFTER_S = 0.0
    with module.Progress("converting", 4_000_000) as done:
        for _ in range(4):
            time.sleep(0.05)
            done(1_000_000)


for command in (fail, hang, much, messages, progress):
    main.COMMANDS[command.name or ""] = (f"tests.cli.fake:{command.name}", "A fake.")

if __name__ == "__main__":
    sys.modules["tests.cli.fake"] = sys.modules["__main__"]
    main.run()
