"""settings.xml: when, with which devices, and which stream was the main one.

Parsed by expat with document types refused, so that no entity is ever expanded.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from nwbkit.errors import DamagedInput, NoInput
from nwbkit.formats.recording.openephys_binary.structure import Continuous

MAX_SETTINGS = 64 << 20
MAX_DEPTH = 200
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DATE = re.compile(r"(\d{1,2}) ([A-Za-z]{3})[a-z]* (\d{4}) (\d{1,2}):(\d{2}):(\d{2})")


@dataclass(frozen=True)
class Settings:
    """What a settings.xml says.

    Parameters
    ----------
    path : Path
    version : str
        Of the GUI.
    date : datetime, optional
        Naive, by the computer's wall clock.
    processors : dict of int to dict
        Attributes by node id.
    devices : dict of (int, str) to str
        ``device_name`` by processor id and stream name.
    mains : dict of int to (int, str)
        By record node: processor id and name of its main stream.
    probes : list of dict
        Attributes of each probe.
    """

    path: Path
    version: str = ""
    date: datetime | None = None
    processors: dict[int, dict[str, str]] = field(default_factory=dict)
    devices: dict[tuple[int, str], str] = field(default_factory=dict)
    mains: dict[int, tuple[int, str]] = field(default_factory=dict)
    probes: list[dict[str, str]] = field(default_factory=list)

    def model_of(self, continuous: Continuous) -> str:
        """What the plug-in calls the device behind a stream; may be empty."""
        return self.devices.get((continuous.processor_id, continuous.stream), "")


def parse_xml(path: Path) -> Element:
    """The root of an XML file.

    Raises
    ------
    nwbkit.errors.NoInput
        Where it cannot be read.
    nwbkit.errors.DamagedInput
        Where it is torn, has a document type, or is larger or deeper than any real one.
    """
    try:
        with open(path, "rb") as f:
            raw = f.read(MAX_SETTINGS + 1)
    except OSError as error:
        raise NoInput(f"cannot open '{path}': {(error.strerror or str(error)).lower()}") from None
    if len(raw) > MAX_SETTINGS:
        raise DamagedInput(f"'{path}' is larger than {MAX_SETTINGS} bytes")
    builder, depth = TreeBuilder(), [0]

    def refuse(*_: Any) -> None:
        raise DamagedInput(f"'{path}' has a document type or entities, which are not read")

    def start(tag: str, attributes: dict[str, str]) -> None:
        depth[0] += 1
        if depth[0] > MAX_DEPTH:
            raise DamagedInput(f"'{path}' is nested more than {MAX_DEPTH} deep")
        builder.start(tag, attributes)

    def end(tag: str) -> None:
        depth[0] -= 1
        builder.end(tag)

    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = builder.data
    try:
        parser.Parse(raw, True)
    except (expat.ExpatError, ValueError) as error:
        raise DamagedInput(f"'{path}' is no XML: {str(error).lower()}") from None
    return builder.close()


def read_settings(path: Path) -> Settings:
    """Read a settings.xml; what :func:`parse_xml` raises."""
    root = parse_xml(path)
    found = Settings(path, (root.findtext("INFO/VERSION") or "").strip(), _date(root))
    for processor in root.iter("PROCESSOR"):
        node = _whole(processor.get("nodeId") or processor.get("NodeId"))
        if node is None:
            continue
        found.processors[node] = dict(processor.attrib)
        for stream in processor.iter("STREAM"):
            name = stream.get("name") or ""
            if stream.get("device_name"):
                found.devices[node, name] = stream.get("device_name") or ""
            source = _whole(stream.get("source_node_id"))
            if stream.get("isMainStream") == "1" and source is not None:
                found.mains[node] = (source, name)
        found.probes.extend({**p.attrib, "node": str(node)} for p in processor.iter("NP_PROBE"))
    return found


def _date(root: Element) -> datetime | None:
    match = _DATE.search(root.findtext("INFO/DATE") or "")
    if match is None or match[2].lower() not in _MONTHS:
        return None
    day, _, year, hour, minute, second = match.groups()
    month = _MONTHS.index(match[2].lower()) + 1
    try:
        return datetime(int(year), month, int(day), int(hour), int(minute), int(second))
    except ValueError:
        return None


def _whole(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdecimal() and len(text) < 10 else None
