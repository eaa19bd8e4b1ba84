"""What the samples in DATA/openephys_legacy hold, by numpy on the bytes alone; and files of any kind.

`ends`: channel -> its first three and last three samples, and the sum of all.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

# fmt: off
SAMPLES: dict[str, dict[str, Any]] = {
    "SampleData_1": {
        "folder": "SampleData_1", "start": "2018-10-03T13:16:50+02:00", "rate": 40000.0, "gain": 0.05e-6,
        "channels": ["CH0", "CH1"], "rows": 423936, "first": 51968,
        "ends": {"CH0": ([-1912, -1846, -1840], [0, 0, 0], -14235798),
                 "CH1": ([531, 556, 533], [0, 0, 0], -6213488)}, "events": {}, "messages": (2, [11, 0]),
    },
    "v0.6.7_OpenEphys": {
        "folder": "v0.6.7_OpenEphys/Record Node 105", "start": "2025-04-03T11:38:45.032000+00:00",
        "rate": 40000.0, "gain": 0.05e-6, "channels": [f"CH{i}" for i in range(1, 17)], "rows": 133120,
        "first": 251635, "ends": {"CH1": ([-125, -103, -77], [0, 0, 0], 362), "CH10": ([68, 59, 35], [0, 0, 0], -476),
                 "CH9": ([-354, -169, -28], [0, 0, 0], 1552)},
        "events": {"EventsExampleDataTTL": (128, [0, 0, 853], [11942, 11942], ["TTL1", "TTL1", "TTL2"], [1, 0, 1])},
        "messages": (16, [0, 0]),
    },
}
# fmt: on


def counts(rows: int, columns: int, seed: int = 0) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).integers(-3000, 3000, (rows, columns)).astype("<i2")


def header(channel: str, kind: str = "Continuous", **fields: Any) -> bytes:
    """1024 bytes of header; a field that is None is left out."""
    said: dict[str, Any] = {
        "format": "'Open Ephys Data Format'",
        "version": "0.4",
        "header_bytes": 1024,
        "description": "'each record contains ... (0 1 2 3 4 5 6 7 8 255)'",
        "date_created": "'3-Oct-2018 131650'",
        "channel": f"'{channel}'",
        "channelType": f"'{kind}'",
        "sampleRate": 30000,
        "blockLength": 1024,
        "bufferSize": 1024,
        "bitVolts": 0.195,
        **fields,
    }
    lines = [f"header.{k} = {v};\n" for k, v in said.items() if v is not None]
    return "".join(lines).encode("latin-1").ljust(1024)


def records(
    samples: np.ndarray[Any, Any],
    ticks: Sequence[int],
    numbers: Sequence[int] | None = None,
    *,
    old: bool = False,
) -> bytes:
    """Records of 1024 samples."""
    raw = b""
    for k, tick in enumerate(ticks):
        raw += struct.pack("<qH", tick, 1024)
        raw += b"" if old else struct.pack("<H", numbers[k] if numbers is not None else 0)
        raw += samples[k * 1024 : (k + 1) * 1024].astype(">i2").tobytes()
        raw += bytes([0, 1, 2, 3, 4, 5, 6, 7, 8, 255])
    return raw


def write_channel(
    path: Path,
    samples: np.ndarray[Any, Any],
    ticks: Sequence[int],
    numbers: Sequence[int] | None = None,
    *,
    channel: str | None = None,
    old: bool = False,
    **fields: Any,
) -> Path:
    """A .continuous file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    name = channel if channel is not None else path.stem.split("_")[-1]
    path.write_bytes(header(name, **fields) + records(samples, ticks, numbers, old=old))
    return path


def write_channels(
    folder: Path,
    data: np.ndarray[Any, Any],
    ticks: Sequence[int],
    numbers: Sequence[int] | None = None,
    *,
    names: Sequence[str] = (),
    prefix: str = "100_",
    suffix: str = "",
    **fields: Any,
) -> Path:
    """A file for each column of `data`."""
    names = names or [f"CH{i + 1}" for i in range(data.shape[1])]
    for k, name in enumerate(names):
        more = dict(fields)
        if not name.startswith("CH"):
            more.setdefault("bitVolts", 0.00015258789)
        path = folder / f"{prefix}{name}{suffix}.continuous"
        write_channel(path, data[:, k], ticks, numbers, channel=name, **more)
    return folder


def write_events(
    path: Path, rows: Sequence[tuple[int, int, int, int, int, int]], **fields: Any
) -> Path:
    """An .events file; rows are (sample number, type, processor, id, channel, recording)."""
    raw = header("Events", "Event", **fields)
    raw += b"".join(struct.pack("<qhBBBBH", r[0], 0, *r[1:]) for r in rows)
    path.write_bytes(raw)
    return path


def write_spikes(
    path: Path, spikes: Sequence[tuple[int, int]], electrode: str = "TT 1", **fields: Any
) -> Path:
    """A .spikes file of a stereotrode; spikes are (sample number, sorted id)."""
    raw = header("", **{"electrode": f"'{electrode}'", "num_channels": 2, **fields})
    for tick, number in spikes:
        raw += struct.pack(
            "<BqqHHHHHH3B2fH", 2, tick, 0, 104, 2, 40, number, 0, 0, 0, 0, 0, 0, 0, 30000
        )
        raw += np.full(80, 32768, "<u2").tobytes() + struct.pack("<2f2HH", 2e4, 2e4, 50, 50, 0)
    path.write_bytes(raw)
    return path
