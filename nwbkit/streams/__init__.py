"""What a recording consists of: streams of a few kinds, each on one clock."""

from nwbkit.streams.clock import Anchor, Clock, ClockMap
from nwbkit.streams.electrodes import Electrode
from nwbkit.streams.kinds import (
    Array,
    Column,
    Concurrency,
    External,
    Images,
    Pose,
    Ragged,
    Stream,
    Sweep,
    Sweeps,
    Table,
)
from nwbkit.streams.timebase import Segment, Timebase

__all__ = [
    "Anchor",
    "Array",
    "Clock",
    "ClockMap",
    "Column",
    "Concurrency",
    "Electrode",
    "External",
    "Images",
    "Pose",
    "Ragged",
    "Segment",
    "Stream",
    "Sweep",
    "Sweeps",
    "Table",
    "Timebase",
]
