"""``python -m nwbkit.cli``: the command line where the console script is not installed."""

from nwbkit.cli.main import script

script()
