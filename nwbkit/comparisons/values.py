"""Named lists of numbers without a time: every one of them."""

from __future__ import annotations

import numpy as np

from nwbkit.comparisons.base import Comparison
from nwbkit.streams import Ragged


def compare_values(c: Comparison) -> None:
    """Compare lists of numbers with the table they became."""
    stream = c.stream
    assert isinstance(stream, Ragged)
    group = c.file[c.record.nwb_paths[0]]
    again = c.reader.reread_table(stream.id)
    if again is None:
        who, ids = "same", list(stream.ids)
        counts, values = stream.counts(), stream.read(0, len(ids))
    else:
        who, ids = "independent", [str(v) for v in again["variable"].tolist()]
        counts, values = again["counts"], again["values"]
    found_ids = [str(v) for v in group["variable"].asstr()[...].tolist()]
    found_counts = np.diff(group["values_index"][...].astype(np.int64), prepend=0)
    found = group["values"][...]
    problem = None
    if found_ids != ids:
        problem = f"it holds the variables {found_ids}, the source has {ids}"
    elif not np.array_equal(found_counts, counts):
        k = int(np.flatnonzero(found_counts != counts)[0])
        problem = f"'{ids[k]}' has {found_counts[k]} values, the source has {int(counts[k])}"
    elif not np.array_equal(found, values, equal_nan=True):
        k = int(np.flatnonzero(found != values)[0])
        problem = f"value {k} is {found[k]}, the source says {values[k]}"
    c.check("values", problem, reader=who, rows=len(ids))
