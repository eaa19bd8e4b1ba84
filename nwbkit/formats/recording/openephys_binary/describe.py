"""What the headers say beside the data, in the shape of the metadata document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from nwbkit.formats.recording.openephys_binary.probes import Probe
from nwbkit.formats.recording.openephys_binary.settings import Settings
from nwbkit.formats.recording.openephys_binary.structure import Continuous
from nwbkit.formats.recording.openephys_binary.tracks import Recording

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def start_of(recordings: Sequence[Recording], settings: Sequence[Settings]) -> str | None:
    """When the earliest recording began.

    sync_messages.txt says since GUI 0.6, in UTC. Before, ``DATE`` of settings.xml does, by
    the wall clock: the GUI writes it as an experiment's first recording begins.
    """
    first = min(r.number for r in recordings)
    earliest = [r for r in recordings if r.number == first]
    times = [r.starts.software_ms for r in earliest if r.starts.software_ms is not None]
    if times:
        return (_EPOCH + timedelta(milliseconds=min(times))).isoformat()
    dates = [s.date for s in settings if s.date is not None]
    return min(dates).isoformat() if dates and first <= 1 else None


def device_of(continuous: Continuous, settings: Settings | None, version: str) -> dict[str, Any]:
    """The device behind a stream that is no known probe."""
    said = f"{continuous.processor} (node {continuous.processor_id})"
    said += f", stream {continuous.stream}" if continuous.stream else ""
    model = settings.model_of(continuous) if settings is not None else ""
    found: dict[str, Any] = {"description": f"{said}; Open Ephys GUI {version}"}
    if model:
        found["model_name"] = model
    return found


def probe_device(probe: Probe, version: str) -> dict[str, Any]:
    """A Neuropixels probe."""
    model = f"{probe.model} ({probe.part})" if probe.model and probe.part else probe.model
    found = {
        "description": f"Neuropixels probe {probe.name}; Open Ephys GUI {version}",
        "manufacturer": "imec",
        "model_name": model,
        "model_number": probe.part,
        "serial_number": probe.serial if probe.serial.strip("0") else "",
    }
    return {key: value for key, value in found.items() if value}


def groups_of(hardware: str, probe: Probe | None, whose: str) -> dict[str, Any]:
    """One group a shank; where in the brain it lies is not in the files."""
    if probe is None:
        return {hardware: {"description": f"the electrodes of {whose}", "device": hardware}}
    if probe.n_shanks == 1:
        text = f"the shank of probe {probe.name}"
        return {hardware: {"description": text, "device": hardware}}
    shanks = sorted({int(e.properties["shank"]) for e in probe.electrodes})
    return {
        f"{hardware}Shank{shank}": {
            "description": f"shank {shank} of {probe.n_shanks} of probe {probe.name}",
            "device": hardware,
        }
        for shank in shanks
    }


def document(
    start: str | None,
    devices: Mapping[str, Any],
    groups: Mapping[str, Any],
    streams: Mapping[str, str],
) -> dict[str, Any]:
    """The metadata of a source; `streams` are descriptions by address."""
    found: dict[str, Any] = {}
    if start is not None:
        found["NWBFile"] = {"session_start_time": start}
    if devices:
        found["Devices"] = dict(devices)
    if groups:
        found["ElectrodeGroups"] = dict(groups)
    found["Streams"] = {address: {"description": text} for address, text in streams.items()}
    return found
