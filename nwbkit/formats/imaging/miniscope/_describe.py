"""What the JSON files say of session, devices and planes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nwbkit.formats.imaging.miniscope import _texts
from nwbkit.formats.imaging.miniscope._devices import Device
from nwbkit.formats.io.avi import AviIndex
from nwbkit.streams import Array, External

if TYPE_CHECKING:
    from nwbkit.formats.imaging.miniscope._reader import MiniscopeReader

ORIENTATION = (
    "orientation of the miniscope by its BNO055 sensor, as unit quaternions qw, qx, qy, qz of the "
    "sensor's absolute orientation (scaled by 1/2^14 by the acquisition program)"
)
#: Of a metaData.json: what does not describe the device.
_ELSEWHERE = {"deviceName", "deviceDirectory", "deviceID", "framesPerFile", "ROI"}


def sentence(device: Device) -> str:
    """One sentence on a stream."""
    what = "miniscope" if device.is_scope else "camera"
    kind = device.said.get("deviceType")
    return f"{what} '{device.name}'" + (f" ({kind})" if kind else "")


def facts(device: Device, first: AviIndex) -> dict[str, str | int | float | bool]:
    """For ``inspect``: the codec, and what was set."""
    found: dict[str, str | int | float | bool] = {
        "codec": first.codec,
        "files": len(device.movies),
    }
    for key, value in device.said.items():
        if key not in _ELSEWHERE and isinstance(value, str | int | float | bool) and value != "":
            found[key] = value
    return found


def _settings(device: Device) -> str:
    parts = []
    for key, value in sorted(device.said.items()):
        if key in _ELSEWHERE or value in ("", None):
            continue
        if isinstance(value, str | int | float | bool):
            parts.append(f"{key} {value}")
    roi = device.said.get("ROI")
    if isinstance(roi, dict):
        parts.append("ROI " + ", ".join(f"{k} {v}" for k, v in sorted(roi.items())))
    return ", ".join(parts)


def metadata(reader: MiniscopeReader) -> dict[str, Any]:
    """In the shape of the metadata document."""
    recording = reader.recording
    found: dict[str, Any] = {"Devices": {}, "Cameras": {}, "ImagingPlanes": {}, "Streams": {}}
    session, subject = _session(reader)
    if session:
        found["NWBFile"] = session
    if subject:
        found["Subject"] = subject
    by_id = {d.id: d for d in recording.devices}
    for stream in reader.streams:
        device = by_id.get(stream.id)
        if device is None:
            continue
        about: dict[str, Any] = {"name": device.camel}
        settings = _settings(device)
        if settings:
            about["description"] = settings
        if isinstance(stream, External):
            found["Cameras"][f"{reader.source.id}_{device.camel}"] = about
        elif isinstance(stream, Array) and stream.plane is not None:
            found["Devices"][f"{reader.source.id}_{device.camel}"] = about
            found["ImagingPlanes"][stream.plane] = _plane(reader, device, stream)
        found["Streams"][reader.address(stream)] = {"device": f"{reader.source.id}_{device.camel}"}
    return {key: value for key, value in found.items() if value}


def _session(reader: MiniscopeReader) -> tuple[dict[str, Any], dict[str, Any]]:
    recording = reader.recording
    session: dict[str, Any] = {}
    if recording.is_old:
        begun = _texts.old_start(recording.root)
        if begun is not None:
            reader.complaints.note("the start time is that in the names of the folders")
        animal = recording.said.get("animal")
    else:
        begun = _texts.start(recording.said)
        animal = recording.said.get("animalName")
        for key, field in (
            ("researcherName", "experimenter"),
            ("experimentName", "experiment_description"),
        ):
            if isinstance(recording.said.get(key), str) and recording.said[key].strip():
                session[field] = recording.said[key].strip()
    if begun is not None:
        session["session_start_time"] = begun.isoformat()
    named = isinstance(animal, str) and animal.strip()
    return session, {"subject_id": str(animal).strip()} if named else {}


def _plane(reader: MiniscopeReader, device: Device, stream: Array) -> dict[str, Any]:
    plane: dict[str, Any] = {"device": f"{reader.source.id}_{device.camel}"}
    plane["optical_channel"] = {
        "OpticalChannel": {"description": f"the image sensor of '{device.name}'"}
    }
    assert stream.timebase is not None
    rate = stream.timebase.rate
    if rate is None:
        times = stream.timebase.times(0, stream.shape[0])
        steps = np.diff(times)
        if steps.size and times[-1] > times[0] and steps.max() <= 1.8 * np.median(steps):
            rate = float(steps.size / (times[-1] - times[0]))
    if rate is not None:
        plane["imaging_rate"] = rate
    focus = device.said.get("ewl")
    if isinstance(focus, int | float):
        plane["description"] = f"electrowetting lens at {focus:g} (the program's units)"
    return plane
