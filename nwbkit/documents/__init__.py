"""Documents: the plain files between the commands, one model a file.

``envelope`` reads, checks and writes them; ``schemas`` lists them. Nothing is imported here,
so that a command loads only the document it needs.
"""
