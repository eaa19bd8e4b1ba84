"""Small Open Ephys experiments of any release, and that other readers agree on what they are."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nwbkit.formats import registry
from nwbkit.formats.base import Reader, Source
from nwbkit.streams import Array

RATE = 30000.0
NEURAL, ADC = 0.195, 0.000152587890625


@dataclass
class Stream:
    """One continuous stream as it is to be written."""

    name: str = "ProbeA"
    processor: str = "Acquisition Board"
    processor_id: int = 100
    rate: float = RATE
    channels: Sequence[str] = ("CH1", "CH2", "CH3", "CH4")
    bits: Sequence[float] | None = None
    units: str = ""
    numbers: Sequence[int] | np.ndarray = field(default_factory=lambda: np.arange(9000, 9600))
    #: Seconds; None for those of the sample numbers, "unsynced" for -1, "none" for no file.
    seconds: Any = None
    rows: int | None = None
    described: Sequence[str] | None = None
    metadata: Sequence[int] | None = None
    #: (sample number, signed line, seconds or None)
    events: Sequence[tuple[int, int, float]] = ()

    def entry(self, node: int, old: bool) -> dict[str, Any]:
        bits = self.bits or [
            ADC if c.startswith("A") and c[:2] != "AP" else NEURAL for c in self.channels
        ]
        described = self.described or ["" for _ in self.channels]
        channels = [
            {"channel_name": c, "bit_volts": b, "units": self.units, "description": d}
            for c, b, d in zip(self.channels, bits, described, strict=True)
        ]
        for channel, electrode in zip(channels, self.metadata or (), strict=False):
            channel["channel_metadata"] = [{"name": "electrode_index", "value": [electrode]}]
        said: dict[str, Any] = {
            "folder_name": self.folder(old) + "/",
            "sample_rate": self.rate,
            "source_processor_name": self.processor,
            "source_processor_id": self.processor_id,
            "recorded_processor": self.processor if old else "Record Node",
            "recorded_processor_id": self.processor_id if old else node,
            "num_channels": len(self.channels),
            "channels": channels,
        }
        return said | ({"source_processor_sub_idx": 0} if old else {"stream_name": self.name})

    def folder(self, old: bool) -> str:
        processor = self.processor.replace(" ", "_")
        return f"{processor}-{self.processor_id}.{0 if old else self.name}"

    def data(self) -> np.ndarray:
        n = len(self.numbers) if self.rows is None else self.rows
        seed = sum(map(ord, self.name)) + int(self.numbers[0])
        shape = (n, len(self.channels))
        return np.random.default_rng(seed).integers(-999, 999, shape).astype("<i2")


def write(
    root: Path,
    *streams: Stream,
    experiment: int = 1,
    recording: int = 1,
    node: int = 101,
    node_name: str | None = None,
    version: str = "0.6.7",
    software_ms: int | None = 1651600344618,
    messages: Sequence[tuple[int, str]] = (),
    date: str = "3 May 2022 10:52:24",
) -> Path:
    """One recording; returns its folder."""
    old = version.startswith(("0.4", "0.5"))
    home = root if old else root / (node_name or f"Record Node {node}")
    folder = home / f"experiment{experiment}" / f"recording{recording}"
    events = []
    for stream in streams:
        below = folder / "continuous" / stream.folder(old)
        below.mkdir(parents=True)
        stream.data().tofile(below / "continuous.dat")
        numbers = np.asarray(stream.numbers, np.int64)
        np.save(below / ("timestamps.npy" if old else "sample_numbers.npy"), numbers)
        if not old and not (isinstance(stream.seconds, str) and stream.seconds == "none"):
            np.save(below / "timestamps.npy", _seconds(stream, numbers))
        if stream.events:
            events.append(_ttl(folder, stream, old))
    if messages:
        events.append(_messages(folder, streams[0], messages, old))
    said = {
        "GUI version": version,
        "continuous": [s.entry(node, old) for s in streams],
        "events": events,
        "spikes": [],
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "structure.oebin").write_text(json.dumps(said))
    if software_ms is not None and not old:
        text = f"Software Time (milliseconds since midnight Jan 1st 1970 UTC): {software_ms}\n"
        (folder / "sync_messages.txt").write_text(text)
    name = "settings.xml" if experiment == 1 else f"settings_{experiment}.xml"
    (home / name).write_text(
        f"<SETTINGS><INFO><VERSION>{version}</VERSION><DATE>{date}</DATE></INFO></SETTINGS>"
    )
    return folder


def _seconds(stream: Stream, numbers: np.ndarray) -> np.ndarray:
    if stream.seconds is None:
        return numbers / stream.rate
    if isinstance(stream.seconds, str):
        return np.full(len(numbers), -1.0)
    return np.asarray(stream.seconds, np.float64)


def _ttl(folder: Path, stream: Stream, old: bool) -> dict[str, Any]:
    name = f"{stream.folder(old)}/{'TTL_1' if old else 'TTL'}"
    below = folder / "events" / name
    below.mkdir(parents=True)
    numbers = np.array([e[0] for e in stream.events], np.int64)
    states = np.array([e[1] for e in stream.events], np.int16)
    words = np.cumsum(np.sign(states) * 2 ** (np.abs(states).astype(int) - 1))
    np.save(below / ("channel_states.npy" if old else "states.npy"), states)
    np.save(below / ("timestamps.npy" if old else "sample_numbers.npy"), numbers)
    np.save(below / "full_words.npy", words.astype(np.uint8 if old else np.uint64))
    if old:
        np.save(below / "channels.npy", np.abs(states).astype(np.uint16))
    else:
        np.save(below / "timestamps.npy", np.array([e[2] for e in stream.events], np.float64))
    return {
        "folder_name": name + "/",
        "channel_name": "TTL",
        "sample_rate": stream.rate,
        "type": "int16",
        "source_processor": stream.processor,
        "stream_name": stream.name,
    }


def _messages(
    folder: Path, stream: Stream, messages: Sequence[tuple[int, str]], old: bool
) -> dict[str, Any]:
    name = "Message_Center-904.0/TEXT_group_1" if old else "MessageCenter"
    below = folder / "events" / name
    below.mkdir(parents=True)
    numbers = np.array([m[0] for m in messages], np.int64)
    np.save(below / ("timestamps.npy" if old else "sample_numbers.npy"), numbers)
    if not old:
        np.save(below / "timestamps.npy", numbers / stream.rate)
    np.save(below / "text.npy", np.array([m[1].encode() for m in messages], "S513"))
    return {
        "folder_name": name + "/",
        "channel_name": "Messages",
        "sample_rate": stream.rate,
        "type": "string",
        "source_processor": "Message Center",
        "stream_name": stream.name,
    }


def sources(*paths: Path | str) -> list[Any]:
    return list(registry.detect([Path(p) for p in paths]).sources())


def opened(path: Path | str, *, salvage: bool = False) -> Reader:
    """The one Open Ephys source below `path`, opened."""
    (found,) = [s for s in sources(path) if s.format == "openephys_binary"]
    return registry.open_source(Source(found.id, found.format, found.paths, salvage=salvage))


N0 = 9000
NUMBERS = np.arange(N0, N0 + 3000)


def arrays(reader: Any) -> dict[str, Array]:
    return {s.id: s for s in reader.streams if isinstance(s, Array)}


def synced(offset: float, ppm: float, numbers: np.ndarray = NUMBERS) -> np.ndarray:
    """Times on the main stream's clock of a device that runs `ppm` fast and began late."""
    return offset + (numbers - N0) / (RATE * (1 + ppm * 1e-6))


@pytest.mark.parametrize("version", ["0.4.5", "0.6.7", "1.0.1"])
def test_neo_reads_the_toy_as_we_do(tmp_path: Path, version: str) -> None:
    rawio = pytest.importorskip("neo.rawio")
    stream = Stream(units="uV", events=[(9010, 1, 0.30), (9020, -1, 0.31)])
    write(tmp_path / "session", stream, version=version)
    neo = rawio.OpenEphysBinaryRawIO(str(tmp_path / "session"))
    neo.parse_header()
    theirs = neo.get_analogsignal_chunk(0, 0, 0, 600, 0)
    with opened(tmp_path) as reader:
        (ours,) = [s for s in reader.streams if s.kind == "array"]
        assert np.array_equal(ours.read(0, 600), theirs)
        assert ours.timebase.rate == neo.get_signal_sampling_rate(0)
        assert ours.nwb_name == "ElectricalSeries"
