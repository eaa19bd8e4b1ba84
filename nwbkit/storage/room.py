"""Whether a file system has room for what is about to be written."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from nwbkit.errors import IOFailure
from nwbkit.storage.holes import Hole
from nwbkit.storage.planning import format_size
from nwbkit.storage.sampling import expected_bytes

#: How much of the estimate must be free: it comes from a few chunks, and to refuse a job that
#: would have fitted is worse than to begin one that will not.
_SURE = 0.9


def check_room(folder: Path, holes: Sequence[Hole], *, share: float = 1.0) -> None:
    """Refuse to begin where `folder`'s file system clearly lacks the room.

    Parameters
    ----------
    folder : Path
    holes : sequence of Hole
    share : float
        Of all rows, how much is still to be written.

    Raises
    ------
    nwbkit.errors.IOFailure
        Naming what is needed and what is there.
    """
    try:
        status = os.statvfs(folder)
    except OSError:
        return
    free = status.f_bavail * status.f_frsize
    if not share or sum(h.nbytes for h in holes) * share <= free:
        return
    needed = int(sum(expected_bytes(h, len(holes)) for h in holes) * share)
    if needed * _SURE > free:
        raise IOFailure(
            f"'{folder}' has {format_size(free)} free, about {format_size(needed)} are needed: "
            "no space left on device",
            hint="free some space, or name another folder with -o, --job or --tmp-dir",
        )
