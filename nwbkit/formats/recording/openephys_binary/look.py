"""Recognise Open Ephys experiments: by the content of structure.oebin, whatever lies around it."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nwbkit.errors import NwbkitError
from nwbkit.formats.base import Match, Strength
from nwbkit.formats.listing import Listing
from nwbkit.formats.recording.openephys_binary.structure import NAME, confined, load, recognised

PATTERNS = (NAME, "continuous.dat")
#: Record nodes of one experiment begin to record within this time, milliseconds.
START_TOLERANCE_MS = 5000
_SOFTWARE_TIME = re.compile(r"1970 UTC\):\s*(\d{10,13})\s")
_ARRAYS = ("continuous.dat", "sample_numbers.npy", "timestamps.npy", "synchronized_timestamps.npy")


@dataclass(frozen=True)
class Found:
    """One recording as detection sees it.

    Parameters
    ----------
    path : Path
        Of structure.oebin.
    said : mapping
        Its content.
    """

    path: Path
    said: Mapping[str, Any]

    @property
    def experiment(self) -> Path:
        """The experiment's folder."""
        return self.path.parent.parent

    @property
    def node_folder(self) -> Path:
        """What holds the experiments: a record node's folder, or the session's before 0.6."""
        return self.experiment.parent

    @property
    def node(self) -> int | None:
        """Id of the record node; None where neither header nor folder names one."""
        said = self.said["continuous"]
        recorders = [(e.get("recorded_processor"), e.get("recorded_processor_id")) for e in said]
        return node_of(recorders, self.path.parent)

    @property
    def root(self) -> Path:
        """The session's folder: the record node's parent."""
        return self.node_folder if self.node is None else self.node_folder.parent

    @property
    def software_time(self) -> int | None:
        """When recording began by sync_messages.txt, milliseconds since 1970 UTC."""
        try:
            with open(self.path.with_name("sync_messages.txt"), "rb") as f:
                match = _SOFTWARE_TIME.search(f.read(4096).decode("latin-1"))
        except OSError:
            return None
        return int(match[1]) if match else None


def look(listing: Listing) -> Iterator[Match]:
    """One Match per experiment, with the recordings of all record nodes."""
    found = []
    for path in _headers(listing):
        try:
            said = load(path)
        except NwbkitError:
            said = None
        if recognised(said):
            found.append(Found(path, said))
        else:
            yield _torn(path)
    matches = [(group, _match(group)) for group in _experiments(found)]
    counts = Counter((m.root, m.session) for _, m in matches)
    for group, match in matches:
        if counts[match.root, match.session] > 1:  # beside each other, but not of one experiment
            match = replace(match, root=group[0].node_folder)
        yield match


def _headers(listing: Listing) -> Iterable[Path]:
    """Every structure.oebin, also that of a continuous.dat that was given alone."""
    paths = {entry.path: None for entry in listing.match(NAME)}
    for entry in listing.match("continuous.dat"):
        if entry.path in listing.roots and len(entry.path.parents) > 2:
            above = entry.path.parents[2] / NAME
            if listing.size(above) is not None:
                paths[above] = None
    return sorted(paths, key=os.fsencode)


def _experiments(found: Sequence[Found]) -> list[list[Found]]:
    """Recordings of one experiment; those of two record nodes join where they began together."""
    folders: dict[Path, list[Found]] = {}
    for item in found:
        folders.setdefault(item.experiment, []).append(item)
    groups: list[list[Found]] = []
    for items in folders.values():
        home = next((g for g in groups if _together(g, items)), None)
        if home is None:
            groups.append(list(items))
        else:
            home.extend(items)
    return groups


def _together(group: Sequence[Found], items: Sequence[Found]) -> bool:
    first, other = group[0], items[0]
    nodes = {i.node for i in group}
    if first.root != other.root or None in nodes or other.node is None or other.node in nodes:
        return False
    if first.experiment.name != other.experiment.name:
        return False
    times = (first.software_time, other.software_time)
    if times[0] is None or times[1] is None:
        return all("node" in i.node_folder.name.lower() for i in (first, other))
    return abs(times[0] - times[1]) <= START_TOLERANCE_MS


def node_of(recorders: Iterable[tuple[object, object]], recording: Path) -> int | None:
    """Id of the record node: by who recorded, else by the name of its folder."""
    for name, number in recorders:
        if str(name).lower().startswith("record node") and isinstance(number, int):
            return number
    named = re.fullmatch(
        r"Record[ _]Node[ _](\d{1,9})", recording.parent.parent.name, re.IGNORECASE
    )
    return int(named[1]) if named else None


def number_of(folder: Path) -> int | None:
    """The number behind ``experiment`` or ``recording``; None for any other name."""
    match = re.fullmatch(r"(?:experiment|recording)\D{0,2}(\d{1,9})", folder.name, re.IGNORECASE)
    return int(match[1]) if match else None


def settings_of(experiment: Path) -> Path | None:
    """The settings of an experiment: ``settings.xml``, ``settings_N.xml`` from the second on."""
    number = number_of(experiment)
    named = "settings.xml" if number in (None, 1) else f"settings_{number}.xml"
    path = experiment.parent / named
    return path if path.is_file() else None


def _match(group: Sequence[Found]) -> Match:
    group = sorted(group, key=lambda f: (f.node or 0, number_of(f.path.parent) or 0, str(f.path)))
    files = [p for f in group for p in _files(f)]
    files += [p for e in dict.fromkeys(f.experiment for f in group) if (p := settings_of(e))]
    # what tells one experiment from a copy of its header is its data
    data = [p for p in files if p.name == "continuous.dat"]
    first = group[0]
    label = first.experiment.name or "experiment"
    return Match(
        files=tuple(dict.fromkeys([*data, *files])),
        strength=Strength.MAGIC,
        evidence=_evidence(group),
        stem=label,
        session=label,
        root=first.root,
    )


def _torn(path: Path) -> Match:
    """A header that does not parse: claimed by its name, so that opening it can say why."""
    return Match(
        files=(path,),
        strength=Strength.NAME,
        evidence=f"a file called {NAME}, which does not read as one",
        stem=path.parent.parent.name or path.parent.name,
        session=str(path.parent),
        root=path.parent,
    )


def _evidence(group: Sequence[Found]) -> str:
    streams = dict.fromkeys(c["folder_name"] for f in group for c in f.said["continuous"])
    names = ", ".join(str(s).rstrip("/\\") for s in streams) or "no continuous stream"
    version = group[0].said["GUI version"]
    said = f"{len(group)} structure.oebin of GUI version {version} with {names}"
    missing = [f for f in group if not any(p.name == "continuous.dat" for p in _files(f))]
    return said + ("; continuous.dat is missing" if missing else "")


def _files(found: Found) -> list[Path]:
    """The files of one recording, and nothing that others put beside them."""
    folder = found.path.parent
    wanted = [found.path, folder / "sync_messages.txt"]
    for entry in found.said["continuous"]:
        if below := _below(folder / "continuous", entry):
            wanted += [below / name for name in _ARRAYS]
    for section in ("events", "spikes"):
        for entry in found.said.get(section) or ():
            if isinstance(entry, Mapping) and (below := _below(folder / section, entry)):
                wanted += sorted(below.glob("*.npy"), key=os.fsencode)
    return [path for path in wanted if path.is_file()]


def _below(folder: Path, entry: Mapping[str, Any]) -> Path | None:
    name = entry.get("folder_name", entry.get("folder"))
    clean = confined(name) if isinstance(name, str) else None
    return folder / clean if clean else None
