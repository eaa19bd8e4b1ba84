"""What ScanImage's settings say of the microscope, the planes and the channels."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from nwbkit.formats.imaging.scanimage._text import Settings
from nwbkit.streams import Array

if TYPE_CHECKING:
    from nwbkit.formats.imaging.scanimage._reader import ScanImageReader


def version(settings: Settings) -> str:
    """The program's version; empty where it is not said."""
    if "state.software.version" in settings.values:
        return settings.values["state.software.version"]
    values = settings.values
    parts = [values.get(f"VERSION_{p}", "").strip("' ") for p in ("MAJOR", "MINOR", "UPDATE")]
    return ".".join(p for p in parts if p)


def sentence(settings: Settings, channel: str, plane: int | None) -> str:
    """One sentence on a stream."""
    where = f", plane {plane}" if plane is not None else ""
    return f"'{channel}'{where} of ScanImage {version(settings)}".rstrip()


def facts(settings: Settings, channel: int) -> dict[str, str | int | float | bool]:
    """What was set for a channel, for ``inspect``."""
    found: dict[str, str | int | float | bool] = {}
    offsets = settings.numbers("hChannels.channelOffset", "hScan2D.channelOffsets")
    if 0 < channel <= len(offsets):
        found["channel_offset"] = offsets[channel - 1]
    subtract = settings.values.get("hChannels.channelSubtractOffset", "").strip("[]").split()
    if 0 < channel <= len(subtract):
        found["offset_subtracted"] = subtract[channel - 1].lower() in ("true", "1")
    ranges = settings.numbers("hChannels.channelInputRange")
    if 0 < channel <= len(ranges) // 2:
        low, high = ranges[2 * channel - 2 : 2 * channel]
        found["input_range_volts"] = f"{low:g} to {high:g}"
    return found


def metadata(reader: ScanImageReader) -> dict[str, Any]:
    """In the shape of the metadata document."""
    settings = reader.settings
    found: dict[str, Any] = {"Devices": {"Microscope": _device(settings)}, "ImagingPlanes": {}}
    start = reader.start()
    if start is not None:
        found["NWBFile"] = {"session_start_time": start.isoformat()}
    streams: dict[str, Any] = {}
    for stream in reader.streams:
        assert isinstance(stream, Array) and stream.plane is not None
        found["ImagingPlanes"][stream.plane] = _plane(reader, stream)
        line = settings.number("hRoiManager.linePeriod")
        if line:
            streams[reader.address(stream)] = {"scan_line_rate": 1 / line}
    if streams:
        found["Streams"] = streams
    return found


def _device(settings: Settings) -> dict[str, Any]:
    parts = [f"laser scanning microscope run by ScanImage {version(settings)}".rstrip()]
    system = settings.word("imagingSystem", "hScan2D.name")
    if system:
        parts.append(f"imaging system '{system}'")
    scanner = settings.word("hScan2D.scannerType")
    mode = settings.word("hScan2D.scanMode")
    if scanner:
        parts.append(f"scanner type {scanner}" + (f" ({mode})" if mode else ""))
    frequency = settings.number("hScan2D.scannerFrequency")
    if frequency:
        parts.append(f"scanner frequency {frequency:.12g} Hz")
    resolution = settings.number("objectiveResolution")
    if resolution:
        parts.append(f"objective resolution {resolution:.12g} um/degree")
    return {"description": ", ".join(parts)}


def _plane(reader: ScanImageReader, stream: Array) -> dict[str, Any]:
    settings = reader.settings
    parts = []
    zoom = settings.number("hRoiManager.scanZoomFactor", "state.acq.zoomFactor", "scanZoomFactor")
    if zoom is not None:
        parts.append(f"zoom {zoom:.12g}")
    field = _field_um(settings)
    if field is not None:
        parts.append(f"field of view {field[0]:.12g} x {field[1]:.12g} um")
    depths = _depths(settings)
    channel, _, number = stream.name.partition(" plane ")
    if number.isdigit() and int(number) < len(depths):
        depths = [depths[int(number)]]
    if depths:
        parts.append("focus at " + ", ".join(f"{z:.12g}" for z in depths[:64]) + " um")
    powers = [p for p in settings.numbers("hBeams.powers") if math.isfinite(p)]
    if powers:
        parts.append("beam power " + ", ".join(f"{p:.12g}" for p in powers) + " %")
    plane: dict[str, Any] = {"device": "Microscope"}
    plane["optical_channel"] = {channel: {"description": f"ScanImage channel '{channel}'"}}
    if parts:
        plane["description"] = ", ".join(parts)
    rate = stream.timebase.rate if stream.timebase is not None else None
    if rate is None and stream.timebase is not None:
        rate = _measured(stream)
    if rate is not None:
        plane["imaging_rate"] = rate
    spacing = _spacing(reader, stream, field)
    if spacing:
        plane["grid_spacing"], plane["grid_spacing_unit"] = spacing, "um"
    return plane


def _measured(stream: Array) -> float | None:
    """Frames per second of the frame times, where there is no gap among them."""
    assert stream.timebase is not None
    times = stream.timebase.times(0, stream.shape[0])
    steps = np.diff(times)
    if not steps.size or steps.max() > 1.5 * np.median(steps):
        return None
    return float(steps.size / (times[-1] - times[0]))


def _field_um(settings: Settings) -> tuple[float, float] | None:
    """Width and height of what was scanned, in micrometres; not of several regions."""
    corners = settings.numbers("hRoiManager.imagingFovUm")
    if len(corners) != 8 or settings.true("hRoiManager.mroiEnable"):
        return None
    width, height = max(corners[::2]) - min(corners[::2]), max(corners[1::2]) - min(corners[1::2])
    return (width, height) if width > 0 and height > 0 else None


def _depths(settings: Settings) -> list[float]:
    zs = settings.numbers("hStackManager.zs") if settings.true("hStackManager.enable") else []
    return list(dict.fromkeys(zs))


def _spacing(
    reader: ScanImageReader, stream: Array, field: tuple[float, float] | None
) -> list[float] | None:
    """Distance of pixels (and planes, where it is one) in micrometres."""
    if field is None:
        return None
    height, width = stream.shape[1:3]
    spacing = [field[0] / width, field[1] / height]
    if len(stream.shape) == 4:
        settings = reader.settings
        step = settings.number("hStackManager.actualStackZStepSize", "hStackManager.stackZStepSize")
        if step and settings.word("hStackManager.stackDefinition") in ("", "uniform"):
            spacing.append(abs(step))
    return spacing


def n_regions(text: str) -> int:
    """Number of enabled imaging regions in the Artist tag's JSON; 0 where it is not said."""
    try:
        groups = json.loads(text)["RoiGroups"]["imagingRoiGroup"]
        rois = groups["rois"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return 0
    rois = rois if isinstance(rois, list) else [rois]
    return sum(1 for roi in rois if isinstance(roi, dict) and roi.get("enable", 1))
