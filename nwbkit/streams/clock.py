"""Clocks: time bases kept by one device, and how each relates to session time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, TypeVar

import numpy as np
import numpy.typing as npt

How = Literal["header", "shared_hardware", "alignment", "user", "sole", "unaligned"]
Number = TypeVar("Number", float, npt.NDArray[np.float64])


@dataclass(frozen=True)
class Anchor:
    """Where a clock's zero lies in session time.

    Parameters
    ----------
    session_offset_s : float
        Seconds to add to a time on the clock to get session time.
    how : {"header", "shared_hardware", "alignment", "user", "sole", "unaligned"}
        Who says so. ``sole``: the session's only clock, which therefore defines
        session time. ``unaligned``: nobody says so; written from 0 by the user's
        explicit ``--unaligned keep``.
    error_s : float, optional
        Largest error in seconds; None where it is not known.
    """

    session_offset_s: float
    how: How
    error_s: float | None = None


@dataclass(frozen=True)
class Clock:
    """A time base kept by one device.

    Parameters
    ----------
    id : str
        ``SOURCE/clockname``.
    description : str
        One sentence: whose clock, and what its zero is.
    anchor : Anchor, optional
        None where the source does not say how the clock relates to others.
    """

    id: str
    description: str = ""
    anchor: Anchor | None = None

    def anchored(self, anchor: Anchor) -> Clock:
        """Return this clock with `anchor`."""
        return replace(self, anchor=anchor)


@dataclass(frozen=True)
class ClockMap:
    """The map of one clock to session time: ``session = offset_s + scale * clock``.

    Parameters
    ----------
    offset_s : float
        Session time of the clock's zero, in seconds.
    scale : float
        Session seconds per clock second; exactly 1.0 where only an offset is known,
        so that rates pass through unrounded.
    """

    offset_s: float = 0.0
    scale: float = 1.0

    def __call__(self, t: Number) -> Number:
        """Session time in seconds of clock time `t` (seconds, scalar or array)."""
        if self.scale == 1.0:
            return t + self.offset_s if self.offset_s else t
        return t * self.scale + self.offset_s
