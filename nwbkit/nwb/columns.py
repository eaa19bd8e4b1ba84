"""Columns of tables, with and without rows."""

from __future__ import annotations

from typing import Any


def column(kind: Any, **arguments: Any) -> Any:
    """A table column of class `kind` (VectorData or a subclass).

    hdmf leaves a table's ``colnames`` empty where every column is falsy, as columns without
    rows are: those get a class that is not.
    """
    if len(arguments["data"]):
        return kind(**arguments)
    return type(kind.__name__, (kind,), {"__bool__": lambda self: True})(**arguments)
