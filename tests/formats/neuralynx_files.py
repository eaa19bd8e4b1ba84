"""Small Neuralynx files with any header and record one likes, written by struct and numpy."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

MODERN: dict[str, str] = {
    "FileType": "NCS",
    "FileVersion": "3.4",
    "SessionUUID": "f58d55bb-22f6-4682-b3a2-aa116fabb78e",
    "OriginalFileName": '"D:\\CheetahData\\2021-02-26_15-46-33\\X.ncs"',
    "TimeCreated": "2021/02/26 15:46:52",
    "TimeClosed": "2021/02/26 16:00:00",
    "ApplicationName": 'Cheetah "6.4.1 Development"',
    "AcquisitionSystem": "AcqSystem1 DigitalLynxSX",
    "ReferenceChannel": '"AD Channel 0005"',
    "SamplingFrequency": "32000",
    "ADMaxValue": "32767",
    "ADBitVolts": "0.000000061035156250000001",
    "NumADChannels": "1",
    "ADChannel": "8",
    "InputRange": "2000",
    "InputInverted": "True",
    "DSPLowCutFilterEnabled": "True",
    "DspLowCutFrequency": "0.1",
    "DspLowCutNumTaps": "0",
    "DspLowCutFilterType": "DCO",
    "DSPHighCutFilterEnabled": "True",
    "DspHighCutFrequency": "8000",
    "DspHighCutNumTaps": "256",
    "DspHighCutFilterType": "FIR",
    "DspDelayCompensation": "Enabled",
    "DspFilterDelay_\u00b5s": "3984",
}
OLD = (
    "######## Neuralynx Data File Header\r\n"
    "## File Name: D:\\Cheetah_Data\\2003-10-4_10-2-58\\CSC14.Ncs\r\n"
    "## Time Opened: (m/d/y): 10/4/2003  At Time: 10:3:0.578\r\n"
    "-CheetahRev 4.0.2\r\n-NLX_Base_Class_Name\tCSC14\r\n-NLX_Base_Class_Type\tCscAcqEnt\r\n"
    "-RecordSize  1044\r\n-ADChannel\t13\r\n-SamplingFrequency\t27789\r\n"
    "-ADBitVolts\t0.000000244260\r\n"
)


def header(fields: dict[str, Any] | str, encoding: str = "latin-1") -> bytes:
    """16 kB of header: a whole text, or fields of a modern one (None leaves one out)."""
    if isinstance(fields, str):
        text = fields
    else:
        said = {**MODERN, **fields}
        lines = [f"-{k} {v}" for k, v in said.items() if v is not None]
        text = "######## Neuralynx Data File Header\r\n" + "\r\n".join(lines) + "\r\n"
    raw = text.encode(encoding)
    assert len(raw) < 16384
    return raw.ljust(16384, b"\0")


def stamps(n: int, rate: float = 32000.0, t0: float = 5_000_000.3) -> np.ndarray:
    """Timestamps of `n` full records, cut off to microseconds."""
    return np.floor(t0 + np.arange(n) * 512e6 / rate).astype(np.int64)


def ramp(n: int, seed: int = 0) -> np.ndarray:
    """Samples that tell records and channels apart, shape (n, 512)."""
    rng = np.random.default_rng(seed)
    return rng.integers(-3000, 3000, (n, 512)).astype("<i2")


def ncs(
    path: Path,
    times: Sequence[int] | np.ndarray,
    *,
    valid: Sequence[int] | None = None,
    samples: np.ndarray | None = None,
    channel: int | Sequence[int] = 3,
    rate: int | Sequence[int] = 32000,
    fields: dict[str, Any] | str | None = None,
    encoding: str = "latin-1",
) -> np.ndarray:
    """A continuous channel; returns its valid samples, one after the other."""
    n = len(times)
    dtype = [("t", "<u8"), ("c", "<u4"), ("r", "<u4"), ("n", "<u4"), ("s", "<i2", 512)]
    rows = np.zeros(n, dtype)
    rows["t"], rows["c"], rows["r"] = times, channel, rate
    rows["n"] = 512 if valid is None else valid
    rows["s"] = (
        ramp(n, seed=len(path.stem) * 7 + sum(path.stem.encode())) if samples is None else samples
    )
    said = (
        fields
        if isinstance(fields, str)
        else {"AcqEntName": path.stem, "RecordSize": "1044", **(fields or {})}
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(header(said, encoding) + rows.tobytes())
    kept = [row["s"][: row["n"]] for row in rows]
    return np.concatenate(kept) if kept else np.empty(0, "<i2")


def nev(path: Path, events: Sequence[tuple[int, int, int, bytes]], **fields: Any) -> None:
    """Events ``(time, id, ttl, text)``."""
    dtype = [("a", "<i2", 3), ("t", "<u8"), ("i", "<i2"), ("v", "<u2"), ("b", "<i2", 3)]
    rows = np.zeros(len(events), [*dtype, ("x", "<i4", 8), ("s", "S128")])
    for row, (time, number, ttl, text) in zip(rows, events, strict=True):
        row["t"], row["i"], row["v"], row["s"] = time, number, ttl, text
    assert rows.dtype.itemsize == 184
    said = {"FileType": "Event", "RecordSize": "184", "AcqEntName": path.stem, **fields}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(header(said) + rows.tobytes())


def spikes(
    path: Path,
    times: Sequence[int],
    cells: Sequence[int],
    *,
    length: int = 32,
    waveforms: np.ndarray | None = None,
    **fields: Any,
) -> np.ndarray:
    """A .nse, .nst or .ntt; returns the waveforms."""
    wires = {".nse": 1, ".nst": 2, ".ntt": 4}[path.suffix.lower()]
    dtype = [
        ("t", "<u8"),
        ("e", "<u4"),
        ("c", "<u4"),
        ("f", "<i4", 8),
        ("s", "<i2", (length, wires)),
    ]
    rows = np.zeros(len(times), dtype)
    rows["t"], rows["c"] = times, cells
    if waveforms is None:
        waveforms = np.random.default_rng(4).integers(-500, 500, (len(times), length, wires))
    rows["s"] = waveforms
    said = {
        "FileType": "Spike",
        "RecordSize": str(rows.dtype.itemsize),
        "AcqEntName": path.stem,
        "NumADChannels": str(wires),
        "ADChannel": " ".join(str(8 + k) for k in range(wires)),
        "ADBitVolts": " ".join(f"{(k + 1) * 1e-8:.3e}" for k in range(wires)),
        "WaveformLength": str(length),
        **fields,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(header(said) + rows.tobytes())
    return np.asarray(rows["s"])


def nvt(
    path: Path, times: Sequence[int], xy: np.ndarray, angle: Sequence[int] | int = 0, **fields: Any
) -> None:
    """A video tracking file."""
    dtype = [("h", "<u2", 3), ("t", "<u8"), ("p", "<u4", 400), ("c", "<i2"), ("x", "<i4")]
    rows = np.zeros(len(times), [*dtype, ("y", "<i4"), ("a", "<i4"), ("g", "<i4", 50)])
    assert rows.dtype.itemsize == 1828
    rows["h"], rows["t"], rows["a"] = (0x800, 0, 1828), times, angle
    rows["x"], rows["y"] = xy[:, 0], xy[:, 1]
    said = {
        "FileType": "Video",
        "RecordSize": "1828",
        "AcqEntName": path.stem,
        "Resolution": "720 480",
        "SamplingFrequency": "29.97",
        **fields,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(header(said) + rows.tobytes())
