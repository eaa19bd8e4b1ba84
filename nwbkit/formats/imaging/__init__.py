"""Formats of movies: microscopes, cameras, TIFF."""
