"""What headers, settings.xml and messages.events say beside the data."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

MAX_SETTINGS = 64 << 20
_PROCESSOR = re.compile(r"<PROCESSOR\b([^<>]*)>")
_ATTRIBUTE = re.compile(r"(\w+)\s*=\s*\"([^\"]*)\"")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
#: '3-Oct-2018 131650' to 0.5, '03-Apr-2025 13:38:45' since 0.6, '3 Oct 2018 13:16:50' in settings.
_DATE = re.compile(r"(\d{1,2})[- ]([A-Za-z]{3})[a-z]*[- ](\d{4})\s+(\d{1,2}):?(\d{2}):?(\d{2})")


@dataclass(frozen=True)
class Settings:
    """The GUI's version, and names of processors by id."""

    version: str = ""
    processors: Mapping[str, str] = field(default_factory=dict)


def read_settings(path: Path) -> Settings:
    """Version and processors of a settings.xml, by the text of its tags (nothing is expanded)."""
    with open(path, "rb") as f:
        text = f.read(MAX_SETTINGS).decode("utf-8", "replace")
    version = re.search(r"<VERSION>\s*([^<]{1,40}?)\s*</VERSION>", text)
    processors = {}
    for tag in _PROCESSOR.findall(text):
        said = {name.lower(): value for name, value in _ATTRIBUTE.findall(tag)}
        if "nodeid" in said:
            name = said.get("name", "").rpartition("/")[2] or said.get("pluginname", "")
            processors[said["nodeid"]] = name
    return Settings(version[1] if version else "", processors)


def date_of(text: str) -> datetime | None:
    """A date as the GUI writes it, by the computer's wall clock; None where it is none."""
    said = _DATE.search(text)
    if said is None or said[2].lower() not in _MONTHS:
        return None
    month = _MONTHS.index(said[2].lower()) + 1
    try:
        return datetime(int(said[3]), month, int(said[1]), int(said[4]), int(said[5]), int(said[6]))
    except ValueError:
        return None


def start_of(dates: Sequence[str], software_ms: int | None) -> str | None:
    """When recording began: in UTC where the messages say (0.6), else by the wall clock."""
    if software_ms is not None:
        try:
            zero = datetime(1970, 1, 1, tzinfo=UTC)
            return (zero + timedelta(milliseconds=software_ms)).isoformat()
        except OverflowError:
            pass
    known = [d for d in (date_of(text) for text in dates) if d is not None]
    return min(known).isoformat() if known else None


def device_of(processor: str, stream: str, settings: Settings) -> dict[str, Any]:
    """What the data came from, as the GUI calls it."""
    name = settings.processors.get(processor, "")
    said = name or "Open Ephys processor"
    said += f" (node {processor})" if processor else ""
    said += f", stream {stream}" if stream else ""
    said += f"; Open Ephys GUI {settings.version}" if settings.version else "; Open Ephys GUI"
    return {"description": said}
