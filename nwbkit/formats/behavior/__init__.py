"""Behavior: videos and what was tracked in them."""
