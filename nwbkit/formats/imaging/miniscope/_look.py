"""Recognising miniscope recordings by their JSON files, and the older ones by their names."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nwbkit.formats.base import Match, Strength
from nwbkit.formats.listing import Entry, Listing

PATTERNS = ("metadata.json", "mscam*.avi", "timestamp.dat")
_SESSION = {"recordingStartTime", "miniscopes", "cameras", "msecSinceEpoch"}
_TEXTS = ("timestamps.csv", "headorientation.csv", "metadata.json")
_OLD = re.compile(r"(mscam|behavcam)(\d+)\.avi$", re.IGNORECASE)


def look(listing: Listing) -> Iterator[Match]:
    """One Match a recording."""
    yield from _new(listing)
    yield from _older(listing)


def kind_of(said: Any) -> str:
    """Whether a metaData.json is that of a ``session`` or a ``device``; empty for neither."""
    if not isinstance(said, dict):
        return ""
    if "deviceType" in said or ("deviceName" in said and "framesPerFile" in said):
        return "device"
    if len(_SESSION & set(said)) >= 2 or isinstance(said.get("recordingStartTime"), dict):
        return "session"
    return ""


def _new(listing: Listing) -> Iterator[Match]:
    sessions: dict[Path, Entry] = {}
    devices: dict[Path, Entry] = {}
    for entry in listing.match("metadata.json"):
        kind = kind_of(_parsed(listing, entry))
        if kind == "session":
            sessions[entry.path.parent] = entry
        elif kind == "device":
            devices[entry.path.parent] = entry
    inside: dict[Path, list[Entry]] = defaultdict(list)
    for entry in listing.entries:
        if entry.path.parent in devices and _is_device_file(entry.name):
            inside[entry.path.parent].append(entry)
    runs: dict[Path, list[Path]] = defaultdict(list)
    for folder in devices:
        if any(e.name.lower().endswith(".avi") for e in inside[folder]):
            runs[folder.parent if folder.parent in sessions else _home(folder, devices)].append(
                folder
            )
    for root, folders in runs.items():
        files: list[Path] = [sessions[root].path] if root in sessions else []
        for folder in sorted(folders):
            files += [devices[folder].path]
            files += [e.path for e in inside[folder] if e.path != devices[folder].path]
        files += [
            e.path for e in listing.match("notes.csv") if e.path.parent == root and root in sessions
        ]
        names = ", ".join(f.name for f in sorted(folders))
        said = "its metaData.json says when the recording began; " if root in sessions else ""
        yield Match(
            tuple(files),
            Strength.KEY,
            f"{said}miniscope devices in {names}",
            _stem(root),
            _stem(root),
            root,
        )


def _home(folder: Path, devices: dict[Path, Entry]) -> Path:
    """Devices without a session's JSON: together where several lie beside each other."""
    beside = sum(1 for other in devices if other.parent == folder.parent)
    return folder.parent if beside > 1 else folder


def _stem(root: Path) -> str:
    """The folder's name; with the animal's or day's before it where it is a time only."""
    if re.fullmatch(r"\d\d_\d\d_\d\d|H\d+_M\d+_S\d+", root.name):
        return f"{root.parent.name}_{root.name}"
    return root.name


def _is_device_file(name: str) -> bool:
    return bool(re.fullmatch(r"\d+\.avi", name, re.IGNORECASE)) or name.lower() in _TEXTS


def _parsed(listing: Listing, entry: Entry) -> Any:
    if entry.size > 1 << 20:
        return None
    try:
        return json.loads(listing.text(entry.path, 1 << 20).removeprefix("\ufeff"))
    except (ValueError, RecursionError):
        return None


def _older(listing: Listing) -> Iterator[Match]:
    folders: dict[Path, list[Path]] = defaultdict(list)
    for entry in listing.match("mscam*.avi", "behavcam*.avi"):
        if _OLD.fullmatch(entry.name) and listing.head(entry.path, 4) == b"RIFF":
            folders[entry.path.parent].append(entry.path)
    for folder, videos in folders.items():
        if not any(v.name.lower().startswith("mscam") for v in videos):
            continue
        texts = [
            e.path
            for e in listing.match("timestamp.dat", "settings_and_notes.dat")
            if e.path.parent == folder
        ]
        said = " and timestamp.dat" if any(t.name.lower() == "timestamp.dat" for t in texts) else ""
        yield Match(
            (*texts, *videos),
            Strength.KEY if said else Strength.NAME,
            f"movies called msCam1.avi{said}",
            _stem(folder),
            _stem(folder),
            folder,
        )
