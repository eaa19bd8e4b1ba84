"""Documents as plain data, for the cases."""

from __future__ import annotations

import os
from typing import Any

NOT_UTF8 = os.fsdecode(b"caf\xe9.bin")


def source(**changes: Any) -> dict[str, Any]:
    return {"id": "imec0", "format": "spikeglx", "paths": ["a.bin"], "strength": "magic", **changes}


def sources(**changes: Any) -> dict[str, Any]:
    return {
        "schema": "nwbkit/sources",
        "version": 1,
        "sessions": [{"id": "run", "sources": [source()]}],
        **changes,
    }


def conversion(**changes: Any) -> dict[str, Any]:
    return {
        "schema": "nwbkit/conversion",
        "version": 1,
        "output": {"name": "o.nwb", "backend": "hdf5"},
        "identity": "ab12",
        "session": {"id": "run", "sources": [source()]},
        "datasets": {
            "/acquisition/E/data": {
                "key": "imec0/ap:data",
                "shape": [10, 4],
                "dtype": "int16",
                "block_rows": 5,
                "digest": "ff",
                "blocks": ["00", "01"],
            }
        },
        **changes,
    }


def one(**changes: Any) -> dict[str, Any]:
    return sources(sessions=[{"id": "run", "sources": [source(**changes)]}])
