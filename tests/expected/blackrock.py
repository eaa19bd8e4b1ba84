"""What the samples in DATA/blackrock hold, by struct on the bytes alone; and files of any kind.

`some` units: (spikes, first and last time stamp). `waveform`: samples 0 to 2 and 9 to 11 of the
mean of the first unit, in volts. Blocks: (time stamp, samples). `ends`: channels 0 and last of the
first and last sample of each block.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

# fmt: off
SAMPLES: dict[str, dict[str, Any]] = {
    "PauseCorrect": {
        "start": "2018-03-01T12:36:16.677000+00:00", "clock": 30000, "spikes": 11183, "units": 195,
        "some": {"ch1#0": (183, 420, 1048473), "ch46#1": (1, 1015662, 1015662), "ch96#1": (72, 7485, 1049972)},
        "classes": {0, 1, 2, 3, 4},
        "waveform": ([-5.587431693989071e-07, -8.879781420765028e-07, -1.0478142076502733e-06],
                     [-1.505054644808743e-05, -3.045081967213115e-05, -4.517622950819672e-05]),
        "tables": {},
        "array": {"name": "TimeSeriesNs2Analog", "file": "pause_correct.ns2", "width": 16, "rate": 1000.0,
                  "gain": 10000 / 65534 * 1e-3, "unit": "volts", "blocks": [(0, 4000), (930261, 4000)],
                  "offsets": [1379, 129388],
                  "ends": [[[20701, 7], [25961, 9]], [[24282, 11], [21008, 11]]], "sum": -350073669},
    },
    "blackrock_2_1": {
        "start": "2010-12-10T10:50:10.156000+00:00", "clock": 30000, "spikes": 14210, "units": 324,
        "some": {"ch1#0": (276, 281, 108817), "ch49#0": (108, 2346, 108469), "ch96#255": (2, 8284, 10524)},
        "classes": {0, 1, 2, 3, 255},
        "waveform": ([-1.3623188405797104e-06, -1.3840579710144929e-06, -1.5869565217391304e-06],
                     [-1.9347826086956523e-05, -1.573913043478261e-05, -8.942028985507247e-06]),
        "tables": {"EventsDigitalInput": (8, 4047, 73280)},
        "digital": [65280, 65296, 65382],
        "array": {"name": "TimeSeriesNs2Analog", "file": "l101210-001.ns2", "width": 6, "rate": 1000.0,
                  "gain": 152592.547e-9, "unit": "volts", "blocks": [(0, 3641)], "offsets": [56],
                  "ends": [[[137, 12869], [232, 12881]]], "sum": 59357044},
    },
    "nev_only/FileSpec2.3001.nev": {
        "start": "2014-01-06T13:23:05.555000+00:00", "clock": 30000, "spikes": 964, "units": 4,
        "some": {"ch1#0": (259, 19312, 890131), "ch5#0": (218, 49299, 890132), "ch7#0": (253, 4302, 875127)},
        "classes": {0},
        "waveform": ([-3.1361003861003864e-06, -2.856177606177606e-06, 4.25e-06],
                     [-3.0685328185328186e-06, -4.0192084942084945e-05, -8.165637065637066e-05]),
        "tables": {"EventsDigitalInput": (190, 62927, 630624), "EventsComments": (3, 355816, 856210)},
        "digital": [65533, 65535, 65535], "comments": ["Comment", "Comment2", "Comment3"],
    },
    "nev_only/file_spec_3_0.nev": {
        "start": "2022-10-01T04:03:59.441000+00:00", "clock": 30000, "spikes": 864, "units": 10,
        "some": {"ch1#1": (36, 26864699, 27104101), "ch4#0": (108, 26827207, 27104101),
                 "ch8#0": (108, 26827207, 27104101)},
        "classes": {0, 1, 2, 3},
        "waveform": ([2.4236111111111114e-06, -6.805555555555556e-07, -1.5416666666666668e-06],
                     [-1.313888888888889e-05, -4.3402777777777786e-05, -0.00010322222222222224]),
        "tables": {"EventsRecordingEvents": (2, 26810700, 27111000)},
    },
    "nev_only/reset_fail.nev": {
        "start": "2018-03-01T12:27:59.329000+00:00", "clock": 30000, "spikes": 5451, "units": 189,
        "some": {"ch1#0": (40, 18002, 119870), "ch47#0": (49, 2187, 118915), "ch96#1": (60, 2359, 119005)},
        "classes": {0, 1, 2, 3, 4},
        "waveform": ([1.21875e-06, 6.250000000000001e-08, -1.39375e-06],
                     [-1.535e-05, -3.0537500000000004e-05, -4.6225000000000006e-05]),
        "tables": {},
    },
}
# fmt: on

ORIGIN = (2024, 5, 4, 2, 10, 30, 15, 250)  # 2 May 2024, a Thursday


def counts(rows: int, columns: int, seed: int = 0) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).integers(-3000, 3000, (rows, columns)).astype("<i2")


def channel(
    number: int,
    label: str = "",
    unit: str = "uV",
    digital: tuple[int, int] = (-32764, 32764),
    analog: tuple[int, int] = (-8191, 8191),
    filters: tuple[int, ...] = (300, 1, 1, 7500000, 3, 1),
) -> bytes:
    """An extended header of an ns file."""
    return struct.pack(
        "<2sH16sBBhhhh16sIIHIIH",
        b"CC",
        number,
        (label or f"chan{number}").encode("latin-1"),
        1 + (number - 1) // 32,
        1 + (number - 1) % 32,
        *digital,
        *analog,
        unit.encode("latin-1"),
        *filters,
    )


def write_ns(
    path: Path,
    blocks: Sequence[tuple[int, np.ndarray[Any, Any]]],
    channels: Sequence[bytes] | None = None,
    *,
    spec: tuple[int, int] = (2, 3),
    period: int = 1,
    resolution: int = 30000,
    origin: Sequence[int] = ORIGIN,
    says: Sequence[int | None] = (),
    tail: bytes = b"",
) -> Path:
    """An ns file since 2.2; `says` replaces the number of points that a block's header says."""
    width = blocks[0][1].shape[1] if blocks else len(channels or ())
    channels = channels if channels is not None else [channel(i + 1) for i in range(width)]
    raw = b"BRSMPGRP" if spec[0] >= 3 else b"NEURALCD"
    raw += bytes(spec) + struct.pack("<I", 314 + 66 * len(channels))
    raw += b"30 kS/s".ljust(16, b"\0") + b"left hemisphere".ljust(256, b"\0")
    raw += struct.pack("<II8HI", period, resolution, *origin, len(channels))
    raw += b"".join(channels)
    for k, (tick, data) in enumerate(blocks):
        n = says[k] if k < len(says) and says[k] is not None else len(data)
        raw += struct.pack("<BQI" if spec[0] >= 3 else "<BII", 1, tick, n)
        raw += data.astype("<i2").tobytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(raw + tail)
    return path


def write_ns21(
    path: Path, data: np.ndarray[Any, Any], numbers: Sequence[int], period: int = 1
) -> Path:
    """An ns file of spec 2.1."""
    raw = b"NEURALSG" + b"30 kS/s".ljust(16, b"\0") + struct.pack("<II", period, len(numbers))
    raw += struct.pack(f"<{len(numbers)}I", *numbers) + data.astype("<i2").tobytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(raw)
    return path


def write_ptp(
    path: Path,
    ticks: Iterable[int],
    data: np.ndarray[Any, Any],
    *,
    says: dict[int, int] | None = None,
    resolution: int = 1_000_000_000,
    tail: bytes = b"",
) -> Path:
    """An ns file of spec 3.0 with a packet a sample."""
    write_ns(path, [(0, data[:0])], spec=(3, 0), resolution=resolution)
    head = path.read_bytes()[: -struct.calcsize("<BQI")]
    body = b"".join(
        struct.pack("<BQI", 1, tick, (says or {}).get(k, 1)) + row.astype("<i2").tobytes()
        for k, (tick, row) in enumerate(zip(ticks, data, strict=True))
    )
    path.write_bytes(head + body + tail)
    return path


def extended(kind: bytes, body: bytes) -> bytes:
    """An extended header of a nev."""
    return kind.ljust(8, b"\0") + body.ljust(24, b"\0")


def wave(number: int, factor: int = 250, width: int = 48, size: int = 2) -> bytes:
    """The header NEUEVWAV of an electrode."""
    return extended(
        b"NEUEVWAV",
        struct.pack("<HBBHHhhBBH", number, 1, number % 32, factor, 0, 0, -156, 2, size, width),
    )


def write_nev(
    path: Path,
    packets: Sequence[tuple[int, int, bytes]],
    headers: Sequence[bytes] = (),
    *,
    spec: tuple[int, int] = (2, 3),
    packet: int = 104,
    resolution: int = 30000,
    origin: Sequence[int] = ORIGIN,
    flags: int = 1,
    tail: bytes = b"",
) -> Path:
    """A nev file; packets are (time stamp, id, what follows)."""
    raw = (b"BREVENTS" if spec[0] >= 3 else b"NEURALEV") + bytes(spec)
    size = 336 + 32 * len(headers)
    raw += struct.pack("<HIIII", flags, size, packet, resolution, 30000)
    raw += struct.pack("<8H", *origin) + b"File Dialog v7.5.1".ljust(32, b"\0")
    raw += b"left hemisphere".ljust(256, b"\0") + struct.pack("<I", len(headers))
    raw += b"".join(headers)
    for tick, number, body in packets:
        head = struct.pack("<QH" if spec[0] >= 3 else "<IH", tick, number)
        raw += (head + body).ljust(packet, b"\0")[:packet]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(raw + tail)
    return path


def spike(unit: int, samples: Sequence[int] = (), dtype: str = "<i2") -> bytes:
    """The body of a spike packet."""
    return bytes([unit, 0]) + np.array(samples, dtype).tobytes()


def comment(text: str, charset: int = 0, number: int = 0, flag: int = 0) -> bytes:
    """The body of a comment packet."""
    said = text.encode("utf-16-le" if charset == 1 else "latin-1")
    return struct.pack("<BBI", charset, flag, number) + said
