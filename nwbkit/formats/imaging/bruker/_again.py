"""A second way to a run's frame rate: the XML's text searched, and not parsed."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

_TIME = re.compile(rb'<Frame\b[^>]*?\brelativeTime="([^"]+)"')
_PERIOD = re.compile(rb'\bkey="framePeriod"[^>]*?\bvalue="([^"]+)"')
#: Longer ones are read by the first way only.
_MAX_BYTES = 256 << 20


def rate(xml: Path, n_rows: int, planes: int, *, volumes: bool) -> float | None:
    """Rows per second; None where the text does not give one rate for all.

    Parameters
    ----------
    xml : Path
    n_rows, planes : int
        Rows of the stream, and frames in each.
    volumes : bool
        Whether rows are volumes.
    """
    if xml.stat().st_size > _MAX_BYTES:
        return None
    text = xml.read_bytes()
    times = np.array([float(t) for t in _TIME.findall(text)])
    first = text.find(b"<Frame")
    periods = {float(p) for p in _PERIOD.findall(text, first)}
    periods = periods or {float(p) for p in _PERIOD.findall(text)}
    if len(periods) != 1 or len(times) != n_rows * planes or len(times) < 2:
        return None
    found = 1 / (periods.pop() * planes) if volumes else 1 / periods.pop()
    regular = np.arange(n_rows) / found
    if np.abs(times[::planes] - times[0] - regular).max() > min(1e-6, 0.1 / found):
        return None
    return found
