"""What headers, settings.xml and file names say beside the data, as metadata."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from nwbkit.errors import MissingExtra
from nwbkit.formats.recording.intan.header import Channel, Header
from nwbkit.formats.recording.intan.look import stamp_of
from nwbkit.formats.recording.intan.streams import group_of
from nwbkit.streams import Stream

#: The controllers that write settings.xml, as it names them.
_CONTROLLERS = {
    "ControllerRecordUSB2": "RHD USB interface board",
    "ControllerRecordUSB3": "RHD recording controller",
    "ControllerStimRecord": "RHS stimulation/recording controller",
    "ControllerStimRecordUSB2": "RHS stimulation/recording controller",
}
_BOARDS = {0: "RHD USB interface board", 13: "RHD recording controller"}
_MAX_SETTINGS = 16 << 20


def read_settings(path: Path) -> dict[str, str] | None:
    """The attributes of settings.xml's root and general part; None where it does not read.

    Raises
    ------
    nwbkit.errors.MissingExtra
        Without a safe XML parser.
    """
    if importlib.util.find_spec("defusedxml") is None:
        raise MissingExtra(f"'{path.name}'", "recordings", package="defusedxml")
    from defusedxml.common import DefusedXmlException  # type: ignore[import-untyped]
    from defusedxml.ElementTree import ParseError, fromstring  # type: ignore[import-untyped]

    try:
        with open(path, "rb") as f:
            raw = f.read(_MAX_SETTINGS)
        root = fromstring(raw)
    except (OSError, ParseError, DefusedXmlException, ValueError):
        return None
    general = root.find("GeneralConfig")
    return {**dict(general.attrib if general is not None else {}), **dict(root.attrib)}


def start_of(main: Path, layout: str) -> str | None:
    """When recording began, by the name of the file, or of the folder; no zone is said."""
    name = main.stem if layout == "blocks" else main.parent.name
    stamp = stamp_of(name)[1]
    return stamp.isoformat() if stamp is not None else None


def filtering_of(header: Header) -> str:
    """What was done to the amplifiers' signals before they were saved."""
    parts = [f"analog band {header.lower:.6g} to {header.upper:.6g} Hz"]
    if header.dsp is not None:
        parts.append(f"digital high-pass {header.dsp:.6g} Hz")
    if header.notch and header.version[0] >= 3:
        # before RHX the notch filter was for the screen, and a hint for whoever reads the file
        parts.append(f"notch {header.notch} Hz")
    return ", ".join(parts)


def document(
    source: str,
    header: Header,
    start: str | None,
    settings: Mapping[str, str],
    streams: Iterable[tuple[str, Stream]],
) -> dict[str, Any]:
    """The metadata of a source; `streams` by address."""
    found: dict[str, Any] = {}
    notes = [n for n in header.notes if n.strip()]
    general: dict[str, Any] = {"session_start_time": start} if start else {}
    if notes:
        general["notes"] = "\n".join(notes)
    if general:
        found["NWBFile"] = general
    device = device_id(source)
    amplifiers = header.of("amplifier")
    found["Devices"] = {device: device_of(header, settings)}
    if amplifiers:
        found["ElectrodeGroups"] = _groups(source, device, amplifiers)
    found["Streams"] = {
        address: {"description": stream.description, **_filtering(stream, header)}
        for address, stream in streams
    }
    return found


def device_id(source: str) -> str:
    """Id of the controller in the metadata document."""
    return f"Intan-{source}"


def device_of(header: Header, settings: Mapping[str, str]) -> dict[str, Any]:
    """The controller."""
    said = {"name": "IntanController", "manufacturer": "Intan Technologies"}
    model = _CONTROLLERS.get(settings.get("Type", ""))
    if model is None:
        rhs = header.kind == "rhs"
        board = -1 if header.board_mode is None else header.board_mode
        model = "RHS stimulation/recording controller" if rhs else _BOARDS.get(board)
    if model:
        said["model_name"] = model
    version = f"{header.version[0]}.{header.version[1]}"
    parts = [f"{header.kind.upper()}2000 system, file version {version}"]
    if settings.get("Version"):
        parts.append(f"RHX software {settings['Version']}")
    if header.board_mode is not None:
        parts.append(f"board mode {header.board_mode}")
    if header.reference not in ("", "n/a"):
        parts.append(f"software reference {header.reference}")
    if header.notch and header.version[0] < 3:
        parts.append(f"notch filter {header.notch} Hz asked for, not applied to the saved data")
    parts += [f"{name} {value:.6g}" for name, value in header.settings.items()]
    if header.kind == "rhs":
        parts.append(f"stimulation step (A) {header.stim_step:.6g}")
    said["description"] = "; ".join(parts)
    return said


def _groups(source: str, device: str, channels: Sequence[Channel]) -> dict[str, Any]:
    """One group a port. Where in the brain its electrodes lie is not in the files."""
    found: dict[str, Any] = {}
    for channel in channels:
        group = group_of(channel, source)
        name = group.removeprefix(f"{source}-")
        text = f"electrodes of the headstages on {channel.port or channel.prefix}"
        found.setdefault(group, {"name": name, "description": text, "device": device})
    return found


def _filtering(stream: Stream, header: Header) -> dict[str, str]:
    return {"filtering": filtering_of(header)} if stream.id == "amplifier" else {}
