"""Formats that mostly hold continuous recordings."""
