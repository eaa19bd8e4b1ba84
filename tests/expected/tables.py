"""What the real tables hold, typed in from the files as a person reads them."""

from __future__ import annotations

from typing import Any

_STARTS = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1]
_STOPS = [0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2]
_TRIALS: dict[str, Any] = {
    "start_time": _STARTS,
    "stop_time": _STOPS,
    "condition": [1, 2, 3, 1, 3, 2, 2, 3, 1, 2, 3],
}
#: ``(file below the samples, session id in its folder, NWB path, columns)``.
SAMPLES: list[tuple[str, str, str, dict[str, Any]]] = [
    ("text/trials/trials.csv", "trials-csv", "/intervals/trials", _TRIALS),
    ("text/trials/trials.xlsx", "trials-xlsx", "/intervals/trials", _TRIALS),
]
