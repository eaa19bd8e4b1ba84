"""What structure.oebin says: streams, channels, event and spike folders of one recording.

Sources: Open Ephys documentation, "Binary format"; ``BinaryRecording.cpp`` of the GUI.
Releases before 0.6 number the streams of a processor (``source_processor_sub_idx``), later
ones name them (``stream_name``).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from nwbkit.errors import DamagedInput, NoInput

NAME = "structure.oebin"
#: A channel takes about 700 bytes; no real header comes near.
MAX_STRUCTURE = 64 << 20
MAX_CHANNELS = 1 << 16
MAX_NUMBER = 1e12


@dataclass(frozen=True)
class Channel:
    """One channel: `bit_volts` are `units` a count; `kind` is 0 electrode, 1 aux, 2 ADC."""

    name: str
    bit_volts: float
    units: str
    description: str
    kind: int | None
    electrode: int | None


@dataclass(frozen=True)
class Continuous:
    """One continuous stream.

    Parameters
    ----------
    folder : str
        Below ``continuous/``; confined to it.
    rate : float
        Nominal, Hz.
    processor, stream : str
        Names; `stream` is empty before GUI 0.6.
    processor_id, sub_index : int
    recorder : str
        Who recorded: a record node since 0.6, the source before.
    recorder_id : int
    channels : tuple of Channel
    """

    folder: str
    rate: float
    processor: str
    processor_id: int
    sub_index: int
    stream: str
    recorder: str
    recorder_id: int
    channels: tuple[Channel, ...]

    @property
    def key(self) -> tuple[int, str]:
        """What tells one stream of an experiment from another."""
        return (self.processor_id, self.stream or str(self.sub_index))


@dataclass(frozen=True)
class EventSource:
    """One event folder below ``events/``; `kind` is ``ttl``, ``text`` or ``binary``."""

    folder: str
    kind: str
    name: str
    rate: float
    processor: str
    stream: str

    @property
    def owner(self) -> str:
        """The folder's first part, which is that of the continuous stream it belongs to."""
        return PurePosixPath(self.folder).parts[0]


@dataclass(frozen=True)
class Structure:
    """A parsed structure.oebin."""

    path: Path
    version: str
    continuous: tuple[Continuous, ...]
    events: tuple[EventSource, ...]
    spikes: tuple[str, ...]

    @property
    def folder(self) -> Path:
        """The recording's folder."""
        return self.path.parent

    @property
    def release(self) -> tuple[int, ...]:
        """The GUI's version as numbers; empty where it does not read as one."""
        return tuple(int(n) for n in re.findall(r"\d{1,6}", self.version))


def recognised(said: Any) -> bool:
    """Whether a JSON value is what the GUI writes into structure.oebin."""
    return (
        isinstance(said, Mapping)
        and isinstance(said.get("GUI version"), str)
        and isinstance(said.get("continuous"), list)
        and all(isinstance(c, Mapping) and _is_text(c, "folder_name") for c in said["continuous"])
        and all(isinstance(said.get(s) or [], list) for s in ("events", "spikes"))
    )


def load(path: Path) -> Any:
    """The JSON value of a structure.oebin.

    Raises
    ------
    nwbkit.errors.NoInput
        Where it cannot be read.
    nwbkit.errors.DamagedInput
        Where it is no JSON, torn, or larger than any header.
    """
    try:
        with open(path, "rb") as f:
            raw = f.read(MAX_STRUCTURE + 1)
    except OSError as error:
        raise NoInput(f"cannot open '{path}': {(error.strerror or str(error)).lower()}") from None
    if len(raw) > MAX_STRUCTURE:
        raise DamagedInput(f"'{path}' is larger than {MAX_STRUCTURE} bytes: no such header is")
    try:
        return json.loads(text_of(raw))
    except (ValueError, RecursionError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DamagedInput(f"'{path}' is no JSON: {reason.lower()}") from None


def text_of(raw: bytes) -> str:
    """Bytes as text: UTF-8, else Latin-1 as older releases on Windows write."""
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def read_structure(path: Path) -> Structure:
    """Parse a structure.oebin.

    Raises
    ------
    nwbkit.errors.NoInput
    nwbkit.errors.DamagedInput
        Where it is torn, contradicts itself, or names a folder outside the recording.
    """
    said = load(path)
    if not recognised(said):
        raise DamagedInput(f"'{path}' lacks 'GUI version' or 'continuous'")
    parser = _Parser(path)
    events = [e for e in said.get("events") or () if isinstance(e, Mapping)]
    spikes = [s for s in said.get("spikes") or () if isinstance(s, Mapping)]
    return Structure(
        path,
        said["GUI version"],
        tuple(parser.continuous(c) for c in said["continuous"]),
        tuple(parser.event(e) for e in events),
        tuple(parser.folder(s, ("folder_name", "folder")) for s in spikes),
    )


class _Parser:
    def __init__(self, path: Path) -> None:
        self._path = path

    def _torn(self, what: str) -> DamagedInput:
        return DamagedInput(f"'{self._path}' {what}")

    def folder(self, said: Mapping[str, Any], keys: Sequence[str] = ("folder_name",)) -> str:
        """A folder name that stays below the recording."""
        name = next((said[k] for k in keys if isinstance(said.get(k), str)), None)
        if name is None:
            raise self._torn("has an entry without folder_name")
        clean = confined(name)
        if clean is None:
            raise self._torn(f"names the folder '{_printable(name)}', outside the recording")
        return clean

    def _number(self, said: Mapping[str, Any], key: str, default: float | None = None) -> float:
        value = said.get(key, default)
        plain = isinstance(value, int | float) and not isinstance(value, bool)
        # beyond that no number in a header makes sense, and an int may not fit a float
        if not plain or not -MAX_NUMBER < value < MAX_NUMBER:
            raise self._torn(f"says {key}={str(value)[:40]}, which is no sensible number")
        return float(value)

    def continuous(self, said: Mapping[str, Any]) -> Continuous:
        folder = self.folder(said)
        rate = self._number(said, "sample_rate")
        if rate <= 0:
            raise self._torn(f"says sample_rate={rate:g} of '{folder}'")
        entries = said.get("channels")
        n = int(self._number(said, "num_channels"))
        if not isinstance(entries, list) or not all(isinstance(c, Mapping) for c in entries):
            raise self._torn(f"lists no channels of '{folder}'")
        if len(entries) != n or not 0 < n <= MAX_CHANNELS:
            raise self._torn(f"says num_channels={n} of '{folder}', but lists {len(entries)}")
        return Continuous(
            folder,
            rate,
            _text(said, "source_processor_name"),
            int(self._number(said, "source_processor_id", 0)),
            int(self._number(said, "source_processor_sub_idx", 0)),
            _text(said, "stream_name"),
            _text(said, "recorded_processor"),
            int(self._number(said, "recorded_processor_id", 0)),
            tuple(self._channel(c, folder, i) for i, c in enumerate(entries)),
        )

    def _channel(self, said: Mapping[str, Any], folder: str, index: int) -> Channel:
        kind = said.get("type")
        bit_volts = self._number(said, "bit_volts")
        if bit_volts == 0:
            raise self._torn(f"says bit_volts=0 of channel {index} of '{folder}'")
        return Channel(
            _text(said, "channel_name") or f"channel{index}",
            bit_volts,
            _text(said, "units"),
            _text(said, "description"),
            kind if isinstance(kind, int) and not isinstance(kind, bool) else None,
            _electrode(said),
        )

    def event(self, said: Mapping[str, Any]) -> EventSource:
        folder = self.folder(said)
        last = PurePosixPath(folder).name.lower()
        kind = "binary"
        if str(said.get("type")) == "string":
            kind = "text"
        elif last.startswith("ttl"):
            kind = "ttl"
        return EventSource(
            folder,
            kind,
            _text(said, "channel_name"),
            self._number(said, "sample_rate", 0.0),
            _text(said, "source_processor"),
            _text(said, "stream_name"),
        )


def confined(name: str) -> str | None:
    """`name` as a relative path with ``/``; None where it could lead elsewhere."""
    parts = [p for p in name.replace("\\", "/").split("/") if p not in ("", ".")]
    absolute = name[:1] in ("/", "\\") or re.match(r"[A-Za-z]:", name) is not None
    if absolute or not parts or ".." in parts or any(_impossible(p) for p in parts):
        return None
    return "/".join(parts)


def _impossible(part: str) -> bool:
    # no file system takes these; asking for them raises
    return "\0" in part or len(part.encode("utf-8", "replace")) > 255


def _is_text(said: Mapping[str, Any], key: str) -> bool:
    return isinstance(said.get(key), str)


def _printable(name: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in name)[:200]


def _text(said: Mapping[str, Any], key: str) -> str:
    value = said.get(key)
    return value if isinstance(value, str) else ""


def _electrode(said: Mapping[str, Any]) -> int | None:
    """The electrode that ``channel_metadata`` names; None where it names none."""
    entries = said.get("channel_metadata")
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, Mapping) and entry.get("name") == "electrode_index":
            value = entry.get("value")
            value = value[0] if isinstance(value, list) and value else value
            if isinstance(value, int) and not isinstance(value, bool):
                return value
    return None
