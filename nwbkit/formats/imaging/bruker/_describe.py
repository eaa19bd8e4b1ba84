"""What a PVScan says of the microscope, the planes and the session."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from nwbkit.formats.imaging.bruker._xml import Scan
from nwbkit.formats.io import tiff

if TYPE_CHECKING:
    from nwbkit.formats.imaging.bruker._reader import BrukerReader

_AMERICAN = re.compile(
    r"(\d{1,2})/(\d{1,2})/(\d{4}) (\d{1,2}):(\d\d):(\d\d)(?:\.\d+)?\s*([AP])\.?M\.?", re.IGNORECASE
)
_OTHER = re.compile(r"(\d{1,4})([-./])(\d{1,2})\2(\d{1,4})[T ](\d{1,2}):(\d\d):(\d\d)")


def version(scan: Scan) -> str:
    """PrairieView's version; empty where it is not said."""
    return scan.attributes.get("version", "")


def sentence(scan: Scan, channel: str, plane: int | None) -> str:
    """One sentence on a stream."""
    where = f", plane {plane}" if plane is not None else ""
    return f"'{channel}'{where} of PrairieView {version(scan)}".rstrip()


def facts(scan: Scan) -> dict[str, str | int | float | bool]:
    """What was set, for ``inspect``."""
    found: dict[str, str | int | float | bool] = {}
    for key in ("bitDepth", "dwellTime", "opticalZoom", "rastersPerFrame"):
        value = scan.state.number(key)
        if value is not None:
            found[key] = int(value) if value.is_integer() else value
    if scan.state.values.get("activeMode"):
        found["activeMode"] = scan.state.values["activeMode"]
    return found


def start(text: str) -> datetime | None:
    """The date of a PVScan; None where its order of day and month cannot be told."""
    american = _AMERICAN.search(text)
    try:
        if american is not None:
            month, day, year, hour, minute, second = map(int, american.groups()[:6])
            hour = hour % 12 + 12 * (american[7].upper() == "P")
            return datetime(year, month, day, hour, minute, second)
        other = _OTHER.search(text)
        if other is None:
            return None
        a, b, c, hour, minute, second = (int(other[k]) for k in (1, 3, 4, 5, 6, 7))
        if a > 31:
            return datetime(a, b, c, hour, minute, second)
        if a == b or b > 12:
            return datetime(c, a, b, hour, minute, second)
        if a > 12 or other[2] == ".":  # with dots the day comes first
            return datetime(c, b, a, hour, minute, second)
    except ValueError:
        return None
    return None


def metadata(reader: BrukerReader) -> dict[str, Any]:
    """In the shape of the metadata document."""
    scan = reader.scan
    found: dict[str, Any] = {
        "Devices": {"Microscope": _device(scan)},
        "ImagingPlanes": {},
        "Streams": {},
    }
    session: dict[str, Any] = {}
    begun = start(scan.attributes.get("date", ""))
    if begun is not None:
        session["session_start_time"] = begun.isoformat()
    elif scan.attributes.get("date"):
        said = scan.attributes["date"]
        reader.complaints.note(f"'{said}' may be read with day or month first: no start time")
    if scan.attributes.get("notes", "").strip():
        session["notes"] = scan.attributes["notes"].strip()
    if session:
        found["NWBFile"] = session
    line = scan.state.number("scanLinePeriod")
    for stream in reader.streams:
        if isinstance(stream, tiff.Movie) and stream.plane is not None:
            found["ImagingPlanes"][stream.plane] = _plane(reader, stream)
            if line:
                found["Streams"][reader.address(stream)] = {"scan_line_rate": 1 / line}
    if not found["Streams"]:
        del found["Streams"]
    return found


def _device(scan: Scan) -> dict[str, Any]:
    parts = [f"two-photon microscope run by PrairieView {version(scan)}".rstrip()]
    if scan.state.values.get("activeMode"):
        parts.append(f"mode {scan.state.values['activeMode']}")
    for number, text in scan.systems:
        parts.append(f"system {number} ({text})" if text else f"system {number}")
    major = re.match(r"\d+", version(scan))
    # Bruker took over Prairie Technologies in 2013, with PrairieView 5
    maker = "Bruker" if major is None or int(major[0]) >= 5 else "Prairie Technologies"
    return {"description": ", ".join(parts), "manufacturer": maker}


def _listed(scan: Scan, key: str) -> list[str]:
    """Values of each index of a setting, with what they are of."""
    found = []
    for name, value in scan.state.under(key):
        if name.count(".") > 1:
            continue
        index = name.rpartition(".")[2]
        found.append(f"{scan.state.descriptions.get(name) or index}: {value}")
    return found


def _plane(reader: BrukerReader, stream: tiff.Movie) -> dict[str, Any]:
    scan = reader.scan
    assert stream.plane is not None
    known = reader.planes[stream.plane]
    state = scan.state
    parts = []
    lens = state.values.get("objectiveLens")
    if lens:
        aperture = state.number("objectiveLensNA")
        parts.append(f"objective {lens}" + (f" (NA {aperture:.12g})" if aperture else ""))
    zoom = state.number("opticalZoom")
    if zoom is not None:
        parts.append(f"optical zoom {zoom:.12g}")
    focus = _focus(reader, stream, known["plane"])
    if focus:
        parts.append(f"focus at {focus} um")
    for key, text in (
        ("laserPower", "laser power"),
        ("twophotonLaserPower", "two-photon laser power"),
        ("laserWavelength", "laser wavelength"),
        ("pmtGain", "PMT gain"),
    ):
        values = _listed(scan, key) or [v for v in [state.values.get(key)] if v]
        if values:
            parts.append(f"{text} ({', '.join(values)})")
    channel = known["channel"]
    plane: dict[str, Any] = {
        "device": "Microscope",
        "optical_channel": {channel: {"description": f"PrairieView channel '{channel}'"}},
    }
    if parts:
        plane["description"] = ", ".join(parts)
    rate = _rate(stream)
    if rate is not None:
        plane["imaging_rate"] = rate
    wavelength = _wavelength(scan)
    if wavelength is not None:
        plane["excitation_lambda"] = wavelength
    spacing = _spacing(reader, stream)
    if spacing:
        plane["grid_spacing"], plane["grid_spacing_unit"] = spacing, "um"
    return plane


def _rate(stream: tiff.Movie) -> float | None:
    """Rows per second, by the times where there is no constant rate and no gap."""
    assert stream.timebase is not None
    if stream.timebase.rate is not None:
        return stream.timebase.rate
    times = stream.timebase.times(0, stream.shape[0])
    steps = np.diff(times)
    if not steps.size or steps.max() > 1.5 * np.median(steps):
        return None
    return float(steps.size / (times[-1] - times[0]))


def _wavelength(scan: Scan) -> float | None:
    """Of the only laser that has one (nm); of several, that of the only one with power."""
    said = {
        k.rpartition(".")[2]: scan.state.number(k) for k, _ in scan.state.under("laserWavelength")
    }
    if not said:
        said = {"0": scan.state.number("laserWavelength")}
    known = {k: v for k, v in said.items() if v}
    if len(known) > 1:
        known = {k: v for k, v in known.items() if scan.state.number(f"laserPower.{k}")}
    return next(iter(known.values())) if len(known) == 1 else None


def _positions(reader: BrukerReader) -> list[tuple[float, ...]]:
    """Where the focus of each plane of a volume was."""
    for group in reader.groups:
        if group.stacked and group.by_position and group.frames:
            return [f.z for f in group.frames[0]]
    return []


def _focus(reader: BrukerReader, stream: tiff.Movie, plane: int | None) -> str:
    places = _positions(reader)
    if stream.pages.ndim == 1 and plane is None:
        places = [reader.groups[0].frames[0][0].z] if not reader.groups[0].stacked else []
    elif plane is not None:
        places = places[plane : plane + 1]
    return ", ".join(" + ".join(f"{v:.12g}" for v in z) for z in places[:64] if z)


def _spacing(reader: BrukerReader, stream: tiff.Movie) -> list[float] | None:
    """Distance of pixels, and of planes where they are evenly spaced, in micrometres."""
    state = reader.scan.state
    x, y = (state.number(f"micronsPerPixel.{axis}Axis") for axis in "XY")
    if not x or not y:
        return None
    spacing = [abs(x), abs(y)]
    if stream.pages.ndim == 2 and stream.pages.shape[1] > 1:
        step = _step(reader)
        if step:
            spacing.append(step)
    return spacing


def _step(reader: BrukerReader) -> float | None:
    places = _positions(reader)
    if not places:
        step = reader.scan.state.number("micronsPerPixel.ZAxis")
        return abs(step) if step else None
    width = min(len(z) for z in places)
    steps = np.diff(np.array([z[:width] for z in places]), axis=0)
    moving = [k for k in range(width) if np.abs(steps[:, k]).max() > 0]
    if len(moving) != 1:
        return None
    mine = steps[:, moving[0]]
    even = np.abs(mine - mine.mean()).max() <= 1e-3 * abs(mine.mean())
    return float(abs(mine.mean())) if even else None
