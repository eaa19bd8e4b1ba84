"""Writing the assembled NWBFile, holes still empty."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pynwb import NWBFile


def write_skeleton(
    nwbfile: NWBFile,
    path: Path,
    on_written: Callable[[], None],
    prepare: Callable[[Any], None] | None = None,
) -> None:
    """Write `nwbfile` to `path` (HDF5).

    Parameters
    ----------
    nwbfile : pynwb.NWBFile
    path : Path
    on_written : callable
        Called while the file is still open: each hole takes note of its dataset's path.
    prepare : callable, optional
        Called with hdmf's io before it writes.
    """
    from pynwb import NWBHDF5IO

    with warnings.catch_warnings():
        # hdmf's advice to people who call it by hand; what concerns users is said by nwbkit
        warnings.simplefilter("ignore")
        with NWBHDF5IO(os.fspath(path), mode="w") as io:
            if prepare is not None:
                prepare(io)
            io.write(nwbfile)
            on_written()
