"""Formats that mostly hold sorted units."""
