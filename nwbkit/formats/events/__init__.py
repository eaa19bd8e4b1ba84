"""Formats of behavioural and device events."""
