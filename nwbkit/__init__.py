"""nwbkit: composable commands that turn neurophysiology recordings into verified NWB files."""

__version__ = "0.1.0"
