"""Writing the assembled NWBFile, holes still empty."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pynwb import NWBFile

    from nwbkit.storage.holes import Hole


def write_skeleton(nwbfile: NWBFile, path: Path, holes: Iterable[Hole]) -> None:
    """Write `nwbfile` to `path` (HDF5) and fix the dataset path of each hole."""
    # import pynwb writes a cache below $HOME unless told not to, and array tasks would race on it
    os.environ.setdefault("PYNWB_NO_CACHE_DIR", "1")
    from pynwb import NWBHDF5IO

    from nwbkit.storage.holes import resolve

    with warnings.catch_warnings():
        # hdmf's advice to people who call it by hand; what concerns users is said by nwbkit
        warnings.simplefilter("ignore")
        with NWBHDF5IO(os.fspath(path), mode="w") as io:
            io.write(nwbfile)
            resolve(holes)
