"""A PVScan XML, read element by element: what was set, and which file holds which frame.

Names of elements and keys as PrairieView 4 (``Key``) and 5 (``PVStateValue``) write them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nwbkit.errors import DamagedInput
from nwbkit.formats.io.complaints import Complaints

#: Old keys carry what the newer have as an index: ``micronsPerPixel_XAxis``.
_OLD_INDEX = re.compile(r"^(.+)_([XYZ]Axis|\d+)$")
#: Of a whole file; an hour of two channels at 30 Hz is 150 MB.
MAX_BYTES = 8 << 30


@dataclass
class State:
    """Settings: ``key``, ``key.index`` or ``key.index.subindex`` to value and description."""

    values: dict[str, str] = field(default_factory=dict)
    descriptions: dict[str, str] = field(default_factory=dict)

    def number(self, key: str) -> float | None:
        """A finite number; None where there is none."""
        try:
            value = float(self.values[key])
        except (KeyError, ValueError):
            return None
        return value if math.isfinite(value) else None

    def under(self, key: str) -> list[tuple[str, str]]:
        """``(key, value)`` of all indices of `key`, in order."""
        return [(k, v) for k, v in self.values.items() if k.startswith(f"{key}.")]

    def over(self, below: State) -> State:
        """These settings upon those of `below`."""
        return State({**below.values, **self.values}, {**below.descriptions, **self.descriptions})


@dataclass(frozen=True)
class File:
    """Where a channel of a frame is: file name, page from 1 (0 where it is not said)."""

    channel: int
    name: str
    filename: str
    page: int


@dataclass
class Frame:
    """One frame: seconds, number from 1, focus in um of each z device, files of its channels."""

    relative: float
    absolute: float | None
    index: int
    z: tuple[float, ...]
    period: float | None
    files: tuple[File, ...]


@dataclass
class Sequence:
    """One cycle: what was taken in one go."""

    kind: str
    cycle: int
    frames: list[Frame] = field(default_factory=list)
    recordings: list[dict[str, str]] = field(default_factory=list)
    others: set[str] = field(default_factory=set)


@dataclass
class Scan:
    """A PVScan XML.

    Parameters
    ----------
    attributes : dict
        Of the root: version, date, notes.
    systems : list of (str, str)
        Id and description of the microscope.
    state : State
        Global settings, upon which those of the first cycle and frame are laid.
    sequences : list of Sequence
    others : set of str
        Elements that hold data which is not read.
    invalid : int
        Frames that are marked as not valid.
    gridded : bool
        Whether cycles are of several stage positions.
    """

    attributes: dict[str, str] = field(default_factory=dict)
    systems: list[tuple[str, str]] = field(default_factory=list)
    state: State = field(default_factory=State)
    sequences: list[Sequence] = field(default_factory=list)
    others: set[str] = field(default_factory=set)
    invalid: int = 0
    gridded: bool = False


def parse(path: Path, complaints: Complaints) -> Scan:
    """Read the XML at `path`; entities and document types are refused.

    Raises
    ------
    nwbkit.errors.DamagedInput
        Where it is no PVScan, or cut off (with ``--salvage`` the frames before stay).
    """
    from defusedxml.common import DefusedXmlException  # type: ignore[import-untyped]
    from defusedxml.ElementTree import ParseError, iterparse  # type: ignore[import-untyped]

    builder = _Builder(path.name)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise DamagedInput(f"'{path.name}' is larger than {MAX_BYTES} bytes")
        with open(path, "rb") as f:
            for event, element in iterparse(f, events=("start", "end"), forbid_dtd=True):
                builder.take(event, element)
    except DefusedXmlException as error:
        raise DamagedInput(f"'{path.name}' declares what no PVScan has: {_line(error)}") from None
    except ParseError as error:
        if builder.root is None:
            raise DamagedInput(f"'{path.name}' is no XML: {_line(error)}") from None
        n = sum(len(s.frames) for s in builder.scan.sequences)
        complaints(
            f"'{path.name}' is cut off or broken: {_line(error)}",
            f"keeps the {n} frames that it describes before",
        )
    if builder.root != "PVScan":
        raise DamagedInput(f"'{path.name}' is '{builder.root}', expected PVScan")
    return builder.finished()


def _line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


class _Builder:
    """Takes elements as they end, and lets them go."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.scan = Scan()
        self.root: str | None = None
        self._stack: list[Any] = []
        self._sequence: Sequence | None = None
        self._shared = State()
        self._first: State | None = None
        self._shard = State()

    def take(self, event: str, element: Any) -> None:
        tag = element.tag
        if event == "start":
            if self.root is None:
                self.root = tag
                self.scan.attributes = dict(element.attrib)
            elif tag == "Sequence" and len(self._stack) == 1:
                self._begin(element)
            elif tag == "Frame":
                self._shard = State()
            self._stack.append(element)
            return
        self._stack.pop()
        within = self._stack[-1].tag if self._stack else ""
        if tag == "PVStateShard":
            self._keep(read_state(element), within)
        elif tag == "Frame" and self._sequence is not None:
            self._frame(element)
        elif tag == "VoltageRecording" and self._sequence is not None:
            self._sequence.recordings.append(dict(element.attrib))
        elif tag in ("MarkPoints", "MarkPointSeries", "VoltageOutput", "PVLinescanDefinition"):
            (self._sequence.others if self._sequence else self.scan.others).add(tag)
        elif tag == "SystemID" and within == "SystemIDs":
            known = (element.get("SystemID") or "", element.get("Description") or "")
            self.scan.systems.append(known)
        if tag in ("Frame", "Sequence", "PVStateShard"):
            element.clear()
            if tag == "Frame" and self._stack:
                self._stack[-1].clear()

    def _begin(self, element: Any) -> None:
        number = len(self.scan.sequences) + 1
        cycle = self._whole(element, "cycle", number)
        self._sequence = Sequence(element.get("type") or "", cycle)
        self._shared = State()
        grid = (element.get("xYStageGridDefined") or "").lower() == "true"
        self.scan.gridded = self.scan.gridded or grid
        self.scan.sequences.append(self._sequence)

    def _keep(self, state: State, within: str) -> None:
        if within == "PVScan":
            self.scan.state = state.over(self.scan.state)
        elif within == "Sequence":
            self._shared = state
        elif within == "Frame":
            self._shard = state

    def _frame(self, element: Any) -> None:
        assert self._sequence is not None
        number = len(self._sequence.frames) + 1
        where = f"cycle {self._sequence.cycle}, frame {number}"
        shard = self._shard
        if self._first is None:
            self._first = shard.over(self._shared)
        files = []
        for found in element.iter("File"):
            channel = self._whole(found, "channel", 0)
            files.append(
                File(
                    channel,
                    found.get("channelName") or f"Ch{channel}",
                    found.get("filename") or "",
                    self._whole(found, "page", 0),
                )
            )
        extra = element.find("ExtraParameters")
        if extra is not None and (extra.get("validData") or "True").lower() == "false":
            self.scan.invalid += 1
        absolute = element.get("absoluteTime")
        period = shard.number("framePeriod")
        self._sequence.frames.append(
            Frame(
                self._seconds(element.get("relativeTime"), where, "relativeTime"),
                None if absolute is None else self._seconds(absolute, where, "absoluteTime"),
                self._whole(element, "index", number),
                _focus((shard, self._shared, self.scan.state)),
                self._shared.number("framePeriod") if period is None else period,
                tuple(files),
            )
        )

    def _seconds(self, text: str | None, where: str, field: str) -> float:
        try:
            value = float((text or "").replace(",", "."))  # as some locales write it
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise DamagedInput(f"'{self.name}': {where} has {field} '{text}', expected seconds")
        return value

    def _whole(self, element: Any, field: str, default: int) -> int:
        text = element.get(field)
        if text is None:
            return default
        if not re.fullmatch(r"\s*\d{1,9}\s*", text):
            raise DamagedInput(f"'{self.name}': {element.tag} has {field} '{text}', no number")
        return int(text)

    def finished(self) -> Scan:
        if self._first is not None:
            self.scan.state = self._first.over(self.scan.state)
        return self.scan


def read_state(element: Any) -> State:
    """The settings of a PVStateShard."""
    state = State()

    def keep(key: str, item: Any) -> None:
        if item.get("value") is not None:
            state.values[key] = item.get("value")
        if item.get("description"):
            state.descriptions[key] = item.get("description")

    for item in element:
        key = item.get("key") or ""
        if item.tag == "Key":
            old = _OLD_INDEX.match(key)
            keep(f"{old[1]}.{old[2]}" if old else key, item)
            continue
        keep(key, item)
        for inner in item:
            index = f"{key}.{inner.get('index')}"
            keep(index, inner)
            for least in inner:
                keep(f"{index}.{least.get('subindex')}", least)
    return state


def _focus(states: Iterable[State]) -> tuple[float, ...]:
    """Where the z devices are, by the first of `states` that says so."""
    for state in states:
        found = [state.number(k) for k, _ in state.under("positionCurrent.ZAxis")]
        found = found or [state.number("positionCurrent.ZAxis")]
        known = tuple(v for v in found if v is not None)
        if known:
            return known
    return ()
