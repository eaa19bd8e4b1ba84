"""OME-XML: which page is which channel, plane and time, and what it says of the microscope.

Format facts: the OME data model (2008 to 2016-06), "OME-TIFF specification".
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import Any

from nwbkit.errors import DamagedInput

#: In micrometres, nanometres, seconds.
_LENGTHS = {"nm": 1e-3, "µm": 1.0, "μm": 1.0, "um": 1.0, "mm": 1e3, "cm": 1e4, "m": 1e6}
_TIMES = {"s": 1.0, "ms": 1e-3, "µs": 1e-6, "μs": 1e-6, "us": 1e-6, "ns": 1e-9, "min": 60.0}
_TIMES["h"] = 3600.0
TYPES = {"int8": "i1", "int16": "i2", "int32": "i4", "uint8": "u1", "uint16": "u2", "uint32": "u4"}
TYPES |= {"float": "f4", "double": "f8"}
#: Planes that one description may name; more is no recording.
MAX_PLANES = 100_000_000


@dataclass(frozen=True)
class Channel:
    """One channel as described; numbers are nanometres."""

    name: str
    fluor: str
    emission: float | None
    excitation: float | None
    samples: int


@dataclass
class Image:
    """One Image element.

    Parameters
    ----------
    sizes : dict
        ``C`` (of planes: samples of one pixel count once), ``Z``, ``T``, ``X``, ``Y``.
    order : str
        Of planes, fastest first: ``CZT`` ...
    pages : list of (file name or None, page, first plane, count or None)
        The TiffData elements: None for the file itself, None for as many as there are.
    spacing : list of float
        Micrometres: x, y and z where they are given.
    period : float, optional
        Seconds.
    times : dict
        ``(c, z, t)`` -> seconds since the start.
    """

    name: str
    sizes: dict[str, int]
    order: str
    type: str
    channels: list[Channel]
    pages: list[tuple[str | None, int, int, int | None]] = field(default_factory=list)
    spacing: list[float] = field(default_factory=list)
    period: float | None = None
    times: dict[tuple[int, int, int], float] = field(default_factory=dict)
    date: str = ""
    #: A period stands in the file without a unit; OME's is the second then.
    no_unit: bool = False

    @property
    def n_planes(self) -> int:
        """Pages that it says it has."""
        return self.sizes["C"] * self.sizes["Z"] * self.sizes["T"]


@dataclass(frozen=True)
class Ome:
    """A whole description.

    Parameters
    ----------
    images : list of Image
    companion : str
        Name of the file that holds the description, where this one does not.
    device : dict
        As the metadata document has it.
    experimenters : list of str
    """

    images: list[Image]
    companion: str
    device: dict[str, str]
    experimenters: list[str]


def parse(text: str, name: str) -> Ome:
    """Read an OME-XML; entities are not expanded.

    Raises
    ------
    nwbkit.errors.DamagedInput
        Where it cannot be parsed or contradicts itself; `name` is the file's.
    """
    import defusedxml.ElementTree as ET  # type: ignore[import-untyped]

    try:
        root = ET.fromstring(text.encode())
    except Exception as error:  # noqa: BLE001 - defusedxml and expat raise errors of their own
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DamagedInput(f"the OME-XML of '{name}' cannot be read: {reason}") from None
    only = _first(root, "BinaryOnly")
    images = [_image(e, name) for e in _all(root, "Image") if _first(e, "Pixels") is not None]
    people = []
    for person in _all(root, "Experimenter"):
        first, last = person.get("FirstName"), person.get("LastName")
        if last:
            people.append(f"{last}, {first}" if first else last)
    companion = only.get("MetadataFile", "") if only is not None else ""
    return Ome(images, companion, _device(root), people)


def _image(element: Any, name: str) -> Image:
    pixels = _first(element, "Pixels")
    try:
        sizes = {k: int(pixels.get(f"Size{k}")) for k in "XYZCT"}
    except (TypeError, ValueError):
        raise DamagedInput(f"the OME-XML of '{name}' gives no sizes of its pixels") from None
    order = (pixels.get("DimensionOrder") or "XYCZT")[2:]
    if sorted(order) != ["C", "T", "Z"] or min(sizes.values()) < 1:
        raise DamagedInput(f"the OME-XML of '{name}' says {sizes}, order '{order}'")
    channels = [_channel(c) for c in _all(pixels, "Channel")]
    samples = channels[0].samples if channels else 1
    if samples > 1 and sizes["C"] % samples == 0:
        sizes["C"] //= samples
    image = Image(
        element.get("Name") or "", sizes, order, (pixels.get("Type") or "").lower(), channels
    )
    if image.n_planes > MAX_PLANES:
        raise DamagedInput(f"the OME-XML of '{name}' says it has {image.n_planes} planes")
    image.pages = [_tiff_data(e, image, name) for e in _all(pixels, "TiffData")]
    image.spacing = _spacing(pixels)
    image.period = _scaled(pixels.get("TimeIncrement"), pixels.get("TimeIncrementUnit"), _TIMES)
    image.no_unit = image.period is not None and pixels.get("TimeIncrementUnit") is None
    date = _first(element, "AcquisitionDate")
    date = _first(element, "CreationDate") if date is None else date
    image.date = ((date.text if date is not None else element.get("AcquiredDate")) or "").strip()
    for plane in _all(pixels, "Plane"):
        at = _scaled(plane.get("DeltaT"), plane.get("DeltaTUnit"), _TIMES, zero=True)
        if at is not None:
            c, z, t = (_whole(plane.get(f"The{k}")) for k in "CZT")
            image.times[c, z, t] = at
    return image


def _tiff_data(element: Any, image: Image, name: str) -> tuple[str | None, int, int, int | None]:
    place = {k: _whole(element.get(f"First{k}")) for k in "CZT"}
    if any(place[k] >= image.sizes[k] for k in "CZT"):
        raise DamagedInput(f"the OME-XML of '{name}' places a page at {place}")
    plane, step = 0, 1
    for letter in image.order:
        plane += place[letter] * step
        step *= image.sizes[letter]
    count = element.get("PlaneCount")
    if count is None and element.get("IFD") is not None:
        count = "1"
    uuid = _first(element, "UUID")
    file = uuid.get("FileName") if uuid is not None else None
    return file, _whole(element.get("IFD")), plane, _whole(count) if count is not None else None


def _channel(element: Any) -> Channel:
    def wavelength(kind: str) -> float | None:
        unit = element.get(f"{kind}WavelengthUnit") or "nm"
        found = _scaled(element.get(f"{kind}Wavelength"), unit, _LENGTHS)
        return None if found is None else float(f"{found * 1000:.12g}")

    return Channel(
        element.get("Name") or "",
        element.get("Fluor") or "",
        wavelength("Emission"),
        wavelength("Excitation"),
        max(1, _whole(element.get("SamplesPerPixel") or "1")),
    )


def _spacing(pixels: Any) -> list[float]:
    found = []
    for axis in "XYZ":
        unit = pixels.get(f"PhysicalSize{axis}Unit") or "µm"
        size = _scaled(pixels.get(f"PhysicalSize{axis}"), unit, _LENGTHS)
        if size is None:
            break
        found.append(size)
    return found if len(found) >= 2 else []


def _device(root: Any) -> dict[str, str]:
    found: dict[str, str] = {}
    microscope, objective = _first(root, "Microscope"), _first(root, "Objective")
    if microscope is not None:
        names = {"manufacturer": "Manufacturer", "model_name": "Model"}
        names["serial_number"] = "SerialNumber"
        found = {k: str(microscope.get(v)) for k, v in names.items() if microscope.get(v)}
    if objective is not None:
        parts = [objective.get(k) for k in ("Manufacturer", "Model") if objective.get(k)]
        for key, text in (("NominalMagnification", "{} x"), ("LensNA", "NA {}")):
            if objective.get(key):
                parts.append(text.format(objective.get(key)))
        if objective.get("Immersion"):
            parts.append(str(objective.get("Immersion")))
        if parts:
            found["description"] = "objective " + ", ".join(str(p) for p in parts)
    return found


def _all(element: Any, tag: str) -> list[Any]:
    return [e for e in element.iter() if re.sub(r"^\{.*\}", "", str(e.tag)) == tag]


def _first(element: Any, tag: str) -> Any:
    return next(iter(_all(element, tag)), None)


def _whole(text: str | None) -> int:
    return int(text) if text is not None and re.fullmatch(r"\d{1,12}", text) else 0


def _scaled(
    text: str | None, unit: str | None, units: dict[str, float], *, zero: bool = False
) -> float | None:
    """A number in the first unit of `units`; None where it is not one, or not positive."""
    try:
        value = float(text) if text is not None else math.nan
    except ValueError:
        return None
    scale = units.get(unit or next(k for k, v in units.items() if v == 1.0))
    if scale is None or not math.isfinite(value) or value < 0 or (value == 0 and not zero):
        return None
    return value if scale == 1.0 else value * scale
