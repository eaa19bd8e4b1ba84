"""The command line: one thin file per command; everything else is imported inside functions."""
