"""What the headers say beside the data, in the shape of the metadata document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from nwbkit.formats.recording.blackrock.headers import NevHeader
from nwbkit.formats.recording.blackrock.nsx import NsFile


def start_of(files: Sequence[NsFile], nevs: Sequence[NevHeader]) -> datetime | None:
    """The time origin, UTC: the earliest, where files differ by the time it took to open them."""
    said = [f.header.origin for f in files] + [n.origin for n in nevs]
    times = [t for t in said if t is not None]
    return min(times) if times else None


def device_of(files: Sequence[NsFile], nev: NevHeader | None) -> dict[str, Any]:
    """The acquisition system; what model it is, no file says."""
    specs = sorted({"{}.{}".format(*f.header.spec) for f in files})
    said = "Blackrock acquisition system"
    if nev is not None and nev.application:
        said += f"; files written by {nev.application}"
    specs = specs or (["{}.{}".format(*nev.spec)] if nev is not None else [])
    said += f"; file specification {', '.join(specs)}" if specs else ""
    return {"description": said, "manufacturer": "Blackrock Microsystems"}


def group_of(device: str, nev: NevHeader | None) -> dict[str, Any]:
    """The one group of all electrodes; which array they belong to is said at most by name."""
    said = "the electrodes of the recording"
    if nev is not None and nev.array:
        said = f"electrode array '{nev.array}'"
    if nev is not None and nev.map_file:
        said += f", map file '{nev.map_file}'"
    return {"description": said, "device": device}


def notes_of(files: Sequence[NsFile], nev: NevHeader | None) -> str:
    """The comments that the experimenter typed into the file dialog."""
    said = [nev.comment] if nev is not None else []
    said += [f.header.comment for f in files]
    return "\n".join(dict.fromkeys(c for c in said if c))


def document(
    start: datetime | None,
    notes: str,
    devices: Mapping[str, Any],
    groups: Mapping[str, Any],
    streams: Mapping[str, Mapping[str, str]],
) -> dict[str, Any]:
    """The metadata of a source; `streams` are facts by address."""
    nwbfile: dict[str, Any] = {}
    if start is not None:
        nwbfile["session_start_time"] = start.isoformat()
    if notes:
        nwbfile["notes"] = notes
    found: dict[str, Any] = {"NWBFile": nwbfile} if nwbfile else {}
    if devices:
        found["Devices"] = dict(devices)
    if groups:
        found["ElectrodeGroups"] = dict(groups)
    found["Streams"] = {address: dict(facts) for address, facts in streams.items()}
    return found
