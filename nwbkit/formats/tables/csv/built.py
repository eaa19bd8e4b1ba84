"""A table ready to be a stream."""

from __future__ import annotations

from dataclasses import dataclass, field

from nwbkit.formats.tables.csv import clocks
from nwbkit.streams.kinds import AnyArray, Column


@dataclass
class Built:
    """A table ready to be a stream.

    Parameters
    ----------
    kind : {"intervals", "events"}
    columns : tuple of Column
    values : dict of str to array
        By column name.
    sources : dict of str to str
        Column name to the name in the file's header that its values come from.
    durations : dict of str to str
        Column name of a stop that was made of a start and a duration, to the duration's header.
    units : dict of str to str
        By header name of a time column.
    rate : float, optional
        Of times in samples.
    dropped : set of int
        Lines of the file whose rows were left out with ``--salvage``.
    """

    kind: str
    columns: tuple[Column, ...]
    values: dict[str, AnyArray]
    sources: dict[str, str]
    units: dict[str, str]
    durations: dict[str, str] = field(default_factory=dict)
    rate: float | None = None
    #: ``point`` or ``comma``.
    decimal: str = "point"
    dropped: set[int] = field(default_factory=set)
    #: From which dates are counted, where there are dates.
    zero: clocks.Zero | None = None
