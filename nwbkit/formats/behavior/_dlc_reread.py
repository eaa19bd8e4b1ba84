"""The values of a table by a second way, for verify: shares no code with what opens it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nwbkit.formats.io.hdf5 import GuardedFile

AnyArray = npt.NDArray[Any]


def table(path: Path, n_header: int) -> AnyArray | None:
    """The values of the table at `path`, shape (rows, columns); None where there is no way.

    Parameters
    ----------
    path : Path
    n_header : int
        Header rows of a csv.
    """
    if path.suffix.lower() == ".csv":
        whole = np.genfromtxt(
            path, delimiter=",", skip_header=n_header, comments="\0", encoding="utf-8-sig", ndmin=2
        )
        return np.asarray(whole[:, 1:])
    return _h5(path)


def _h5(path: Path) -> AnyArray | None:
    """Rows of PyTables' compound as they lie in the file, without HDF5's own reading.

    Only for one block of values in chunks without filter, as DeepLabCut writes it.
    """
    with GuardedFile(path) as file:
        names = [n for n in file.names() if file.dataset(f"{n}/table") is not None]
        if len(names) != 1:
            return None
        dataset = file.dataset(f"{names[0]}/table")
        if dataset is None or dataset.dtype.names != ("index", "values_block_0"):
            return None
        properties = dataset.id.get_create_plist()
        if properties.get_nfilters() or dataset.chunks is None:
            return None
        places = []
        dataset.id.chunk_iter(lambda c: places.append((c.chunk_offset[0], c.byte_offset)))
        n_rows, dtype = dataset.shape[0], dataset.dtype
        step = dataset.chunks[0]
    rows = np.empty(n_rows, dtype)
    if sum(min(step, n_rows - first) for first, _ in places) != n_rows:
        return None
    for first, offset in places:
        count = min(step, n_rows - first)
        rows[first : first + count] = np.fromfile(path, dtype, count, offset=offset)
    return np.asarray(rows["values_block_0"])
