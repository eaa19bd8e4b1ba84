"""A toy format: a JSON header beside a flat binary, for testing what follows a reader."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nwbkit.errors import DamagedInput
from nwbkit.formats import registry
from nwbkit.formats.base import Format, Match, Option, Reader, Source, Strength
from nwbkit.formats.listing import Listing
from nwbkit.streams import Array, Clock, Column, Electrode, Segment, Table, Timebase


class Columns(Array):
    """Columns of the flat file, read whole."""

    path: Path
    n_columns: int
    first: int

    def read(self, start: int, stop: int, out: Any = None) -> Any:
        rows = np.fromfile(self.path, self.dtype).reshape(-1, self.n_columns)[start:stop]
        if len(rows) < stop - start:
            raise DamagedInput(f"'{self.path.name}' is shorter than its header says")
        part = rows[:, self.first : self.first + self.shape[1]]
        if out is None:
            return np.ascontiguousarray(part)
        np.copyto(out, part)
        return out


class Edges(Table):
    """Events as the header lists them."""

    rows: list[list[int]]

    def read(self) -> dict[str, Any]:
        samples = np.array([r[0] for r in self.rows], np.int64)
        lines = np.array([f"L{r[1]}" for r in self.rows], dtype=object)
        return {"timestamp": samples, "line": lines}


class ToyReader(Reader):
    """Opens the toy format."""

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self.path = source.paths[0]
        self.header = json.loads(self.path.read_text())
        for name in self.header["clocks"]:
            self.clocks.append(Clock(f"{source.id}/{name}", "a toy clock"))
        for entry in self.header["streams"]:
            self.streams.append(self._stream(entry))

    def _stream(self, entry: dict[str, Any]) -> Any:
        segments, first = [], 0
        for n, t0 in entry["segments"]:
            segments.append(Segment(first, n, t0, entry["rate"]))
            first += n
        timebase = Timebase(f"{self.source.id}/{entry['clock']}", tuple(segments))
        common = {"id": entry["id"], "name": entry["id"], "timebase": timebase}
        if "events" in entry:
            columns = (
                Column("timestamp", "timestamp", "samples", "sample of the edge"),
                Column("line", "label", "", "line"),
            )
            edges = Edges(role="events", columns=columns, **common)
            edges.rows = entry["events"]
            return edges
        gain = np.array(entry["gain"], float)
        electrodes = None
        if entry["role"] in ("raw", "lfp_band"):
            electrodes = tuple(
                Electrode("shank", f"e{i}", str(i), float(i), 10.0 * i) for i in range(len(gain))
            )
        stream = Columns(
            role=entry["role"],
            shape=(first, len(gain)),
            dtype=np.dtype("<i2"),
            unit="volts",
            gain=gain,
            electrodes=electrodes,
            channel_names=tuple(f"{entry['id'].upper()}{i}" for i in range(len(gain))),
            nwb_name=entry.get("nwb_name"),
            **common,
        )
        stream.path = self.path.with_suffix(".dat")
        stream.n_columns = self.header["n_columns"]
        stream.first = entry["first_column"]
        return stream

    def files(self) -> list[Path]:
        return [self.path, self.path.with_suffix(".dat")]

    def metadata(self) -> dict[str, Any]:
        return {
            "NWBFile": self.header.get("nwbfile", {}),
            "Devices": {"box": {"manufacturer": "Toys", "model_number": "T1"}},
            "ElectrodeGroups": {"shank": {"device": "box"}},
        }

    def reread(self, stream_id: str, start: int, stop: int) -> Any:
        entry = next(e for e in self.header["streams"] if e["id"] == stream_id)
        row = self.header["n_columns"] * 2
        raw = self.path.with_suffix(".dat").read_bytes()[start * row : stop * row]
        values = np.frombuffer(raw, "<i2").reshape(-1, self.header["n_columns"])
        first = entry["first_column"]
        return values[:, first : first + len(entry["gain"])]


def look(listing: Listing) -> Iterable[Match]:
    for entry in listing.match("*.toy"):
        if listing.head(entry.path, 1) == b"{":
            yield Match(
                (entry.path, entry.path.with_suffix(".dat")),
                Strength.MAGIC,
                "a toy header",
                entry.path.stem,
                entry.path.stem,
                entry.path.parent,
            )


FORMAT = Format(
    "toy",
    "Toy",
    "recording",
    ("*.toy",),
    look,
    ToyReader,
    options=(Option("n", "int", "a number"),),
)


@pytest.fixture
def toys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make ``toy`` the only format there is."""
    monkeypatch.setattr(registry, "builtin_formats", lambda: ({"toy": FORMAT}, ()))
    monkeypatch.setattr(registry, "plugin_formats", lambda: ({}, ()))


RATE = 1000.390639481
START = {"session_start_time": "2024-05-01T10:00:00+02:00"}


def stream(id: str, first: int = 0, n: int = 4, **changes: Any) -> dict[str, Any]:
    """An array stream of `n` columns from column `first` on."""
    return {
        "id": id,
        "role": "raw",
        "clock": "probe",
        "rate": RATE,
        "segments": [[5000, 0.0]],
        "first_column": first,
        "gain": [2.34375e-6] * n,
        **changes,
    }


AP = stream("ap", nwb_name="ElectricalSeriesAP")
LF = stream("lf", role="lfp_band", nwb_name="ElectricalSeriesLF", gain=[4.6875e-6] * 4)
SY = stream("sync", 4, 1, role="sync")
OTHER = stream("adc", 4, 1, role="analog", clock="box")
EVENTS = {
    "id": "ttl",
    "clock": "probe",
    "rate": RATE,
    "segments": [[5000, 0.0]],
    "events": [[10, 0], [500, 1], [4999, 0]],
}


def write_toy(
    folder: Path, streams: list[dict[str, Any]], *, nwbfile: dict[str, Any] | None = None
) -> Path:
    """Write a toy recording of 5000 rows and 5 columns; returns its header's path."""
    folder.mkdir(parents=True, exist_ok=True)
    clocks = list(dict.fromkeys(s["clock"] for s in streams))
    header = {
        "n_columns": 5,
        "clocks": clocks,
        "streams": streams,
        "nwbfile": START if nwbfile is None else nwbfile,
    }
    path = folder / "rec.toy"
    path.write_text(json.dumps(header))
    values = np.random.default_rng(1).integers(-300, 300, (5000, 5)).astype("<i2")
    path.with_suffix(".dat").write_bytes(values.tobytes())
    return path
