"""sync_messages.txt: when recording began, by the computer's clock and by each device's.

Since GUI 0.6: ``Software Time (milliseconds since midnight Jan 1st 1970 UTC): MS`` and
``Start Time for PROCESSOR (ID) - STREAM @ RATE Hz: NUMBER``; before: ``Processor: NAME Id:
ID subProcessor: SUB start time: NUMBER@RATEHz``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from nwbkit.formats.recording.openephys_binary.structure import Continuous, text_of

_SOFTWARE = re.compile(r"1970 UTC\):\s*(\d{10,13})\s*$", re.MULTILINE)
_NAMED = re.compile(r"Start Time for .*?\((\d{1,9})\) - (.+?) @ [\d.]+ Hz: (\d{1,18})")
_NUMBERED = re.compile(r"Id: (\d{1,9}) subProcessor: (\d{1,9}) start time: (\d{1,18})@")
_MAX = 1 << 20


@dataclass(frozen=True)
class Start:
    """What a sync_messages.txt says; empty where there is none.

    Parameters
    ----------
    software_ms : int, optional
        Milliseconds since 1970 UTC.
    samples : dict of (int, str) to int
        By processor id, and stream name or number: sample number at the start.
    """

    software_ms: int | None = None
    samples: dict[tuple[int, str], int] = field(default_factory=dict)

    def sample(self, continuous: Continuous) -> int | None:
        """The sample number at which a stream's recording began."""
        return self.samples.get(continuous.key)


def read_starts(path: Path) -> Start:
    """Read a sync_messages.txt; a missing one says nothing."""
    try:
        with open(path, "rb") as f:
            text = text_of(f.read(_MAX))
    except OSError:
        return Start()
    software = _SOFTWARE.search(text)
    samples = {(int(p), s.strip()): int(n) for p, s, n in _NAMED.findall(text)}
    samples |= {(int(p), str(int(s))): int(n) for p, s, n in _NUMBERED.findall(text)}
    return Start(int(software[1]) if software else None, samples)
