"""Files of fixed-size records behind a 16 kB header, held against their own size.

Record layouts: Neuralynx, "Data File Formats".
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from nwbkit.errors import DamagedInput, NoInput
from nwbkit.formats.io.neuralynx import HEADER_BYTES, Header, parse
from nwbkit.formats.recording.neuralynx.look import entity_of, kind_of

#: Samples a .ncs record has room for.
ROOM = 512
NCS = np.dtype(
    [
        ("time", "<u8"),
        ("channel", "<u4"),
        ("rate", "<u4"),
        ("valid", "<u4"),
        ("samples", "<i2", (ROOM,)),
    ]
)
NEV = np.dtype(
    [
        ("reserved", "<i2"),
        ("system", "<i2"),
        ("size", "<i2"),
        ("time", "<u8"),
        ("id", "<i2"),
        ("ttl", "<u2"),
        ("crc", "<u2"),
        ("dummies", "<i2", (2,)),
        ("extra", "<i4", (8,)),
        ("text", "S128"),
    ]
)
#: Wires of a spike file.
WIRES = {".nse": 1, ".nst": 2, ".ntt": 4}
_SPIKE_HEAD = 48
_WAVEFORM, _LONGEST = 32, 4096
#: Later timestamps (microseconds; the year 2116 since 1970) are no timestamps.
LAST_TIME = 1 << 62
#: Records read at once while scanning.
_BLOCK = 4096


class Complaints:
    """Contradictions: refused, or with ``--salvage`` kept as losses; and notes."""

    def __init__(self, salvage: bool) -> None:
        self.salvage = salvage
        self.losses: list[str] = []
        self.notes: list[str] = []

    def __call__(self, message: str, *, hint: str | None = None) -> None:
        """Raise DamagedInput, or record the loss."""
        if not self.salvage:
            raise DamagedInput(message, hint=hint)
        if message not in self.losses:
            self.losses.append(message)

    def note(self, message: str) -> None:
        """Keep what a user should know, once."""
        if message not in self.notes:
            self.notes.append(message)


@dataclass(frozen=True)
class NlxFile:
    """A file with its header and the number of complete records.

    Parameters
    ----------
    path : Path
    header : Header
    dtype : numpy.dtype
        Of one record.
    n : int
        Complete records.
    """

    path: Path
    header: Header
    dtype: np.dtype[Any] = field(compare=False)
    n: int = 0

    @property
    def name(self) -> str:
        """The acquisition entity's name; the file's where the header has none."""
        return entity_of(self.header) or self.path.stem

    def read(self, start: int, stop: int) -> np.ndarray[Any, Any]:
        """Records ``start..stop``.

        Raises
        ------
        nwbkit.errors.DamagedInput
            Where the file has become shorter since it was opened.
        """
        with open(self.path, "rb") as f:
            f.seek(HEADER_BYTES + start * self.dtype.itemsize)
            raw = f.read((stop - start) * self.dtype.itemsize)
        if len(raw) != (stop - start) * self.dtype.itemsize:
            raise DamagedInput(f"'{self.path.name}' has become shorter since it was opened")
        return np.frombuffer(raw, self.dtype)

    def blocks(self) -> Iterator[tuple[int, np.ndarray[Any, Any]]]:
        """``(first record, records)``, a few megabytes at a time."""
        for start in range(0, self.n, _BLOCK):
            yield start, self.read(start, min(start + _BLOCK, self.n))


def open_file(path: Path, complaints: Complaints) -> NlxFile | None:
    """Read the header and hold the size against it; None for a file that nothing was written to.

    Raises
    ------
    nwbkit.errors.NoInput
    nwbkit.errors.DamagedInput
        For a header that is torn or that contradicts the records' size, and for a file that
        ends within a record.
    """
    size = _size(path)
    if size == 0:
        complaints.note(f"'{path.name}' is empty: not even a header was written")
        return None
    with open(path, "rb") as f:
        raw = f.read(HEADER_BYTES)
    header = parse(raw)
    if header is None:
        complaints(f"'{path.name}' does not begin with '######## Neuralynx'")
        return None
    if size < HEADER_BYTES:
        complaints(
            f"'{path.name}' holds {size} bytes, its header alone takes {HEADER_BYTES}",
            hint="--salvage leaves the file out",
        )
        return None
    dtype = record_of(path, header)
    said = header.text("RecordSize")
    if said and header.number("RecordSize") != dtype.itemsize:
        raise DamagedInput(f"'{path.name}' says RecordSize={said}, expected {dtype.itemsize} bytes")
    n, rest = divmod(size - HEADER_BYTES, dtype.itemsize)
    if rest:
        complaints(
            f"'{path.name}' holds {size} bytes, which is {rest} more than {n} records of "
            f"{dtype.itemsize} bytes behind the header: it was cut off",
            hint=f"--salvage reads the {n} complete records",
        )
    return NlxFile(path, header, dtype, n)


def _size(path: Path) -> int:
    try:
        return os.stat(path).st_size
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise NoInput(f"cannot open '{path}': {reason}") from None


def record_of(path: Path, header: Header) -> np.dtype[Any]:
    """The layout of a record: by suffix, and of spikes by the length of a waveform."""
    kind = kind_of(path)
    if kind == ".ncs":
        return NCS
    if kind == ".nev":
        return NEV
    wires = WIRES[kind]
    said, size = header.number("WaveformLength"), header.number("RecordSize")
    length = int(said) if said is not None and 0 < said <= _LONGEST else _WAVEFORM
    if size is not None and _SPIKE_HEAD < size <= _SPIKE_HEAD + 2 * wires * _LONGEST:
        # what lies in the file is by the record's size; the waveform's may be a later setting
        length = max(1, (int(size) - _SPIKE_HEAD) // (2 * wires))
    return spike_dtype(wires, length)


def spike_dtype(wires: int, length: int) -> np.dtype[Any]:
    """The record of a spike on `wires` electrodes, `length` samples each."""
    return np.dtype(
        [
            ("time", "<u8"),
            ("entity", "<u4"),
            ("cell", "<u4"),
            ("features", "<i4", (8,)),
            ("samples", "<i2", (length, wires)),
        ]
    )


def without_copies(files: Sequence[NlxFile], complaints: Complaints) -> list[NlxFile]:
    """The files without those that hold, byte by byte, what one before them holds."""
    kept: list[NlxFile] = []
    for file in files:
        same = (f for f in kept if f.n == file.n and f.header.fields == file.header.fields)
        if file.n and any(_same_records(file, other) for other in same):
            complaints.note(f"'{file.path.name}' is a copy of another file, and is left out")
        else:
            kept.append(file)
    return kept


def _same_records(a: NlxFile, b: NlxFile) -> bool:
    pairs = zip(a.blocks(), b.blocks(), strict=True)
    return all(x.tobytes() == y.tobytes() for (_, x), (_, y) in pairs)


def check_times(name: str, times: np.ndarray[Any, Any]) -> None:
    """Refuse timestamps that cannot be any.

    Raises
    ------
    nwbkit.errors.DamagedInput
    """
    wrong = np.flatnonzero(times >= LAST_TIME)
    if wrong.size:
        k = int(wrong[0])
        raise DamagedInput(f"'{name}' has the timestamp {int(times[k])} us in record {k}")
