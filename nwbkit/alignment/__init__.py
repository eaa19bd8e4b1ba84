"""Clocks joined to one session time."""
