"""The real command line, with the toy format of tests/toy.py beside the others."""

from nwbkit.cli.main import run
from nwbkit.formats import registry

from ..toy import FORMAT

_builtin = registry.builtin_formats


def _with_toy():
    formats, reports = _builtin()
    return {**formats, FORMAT.id: FORMAT}, reports


registry.builtin_formats = _with_toy

if __name__ == "__main__":
    run()
