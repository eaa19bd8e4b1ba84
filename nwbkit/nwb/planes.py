"""Imaging planes: one object a plane, shared by the movies, masks and traces taken from it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from nwbkit.errors import MissingFact
from nwbkit.nwb.devices import Hardware
from nwbkit.nwb.facts import UNKNOWN, lookup, section
from nwbkit.nwb.names import camel, check
from nwbkit.streams import Stream

if TYPE_CHECKING:
    from pynwb import NWBFile
    from pynwb.device import Device
    from pynwb.ophys import ImagingPlane, OpticalChannel

#: The id, in the metadata's Devices, of the device that NWB demands where nobody names one.
MICROSCOPE = "Microscope"

#: Metres in one unit of length; others are written with their own name.
_METRES = {
    **dict.fromkeys(("um", "µm", "μm", "micrometer", "micrometers", "micron", "microns"), 1e-6),
    **dict.fromkeys(("m", "meter", "meters", "metre", "metres"), 1.0),
    **dict.fromkeys(("mm", "millimeter", "millimeters"), 1e-3),
    **dict.fromkeys(("nm", "nanometer", "nanometers"), 1e-9),
}


class Planes:
    """Gives out imaging planes by the id they have in the metadata's ``ImagingPlanes``.

    Parameters
    ----------
    nwbfile : pynwb.NWBFile
    metadata : mapping
        The merged metadata document's body.
    hardware : Hardware
        Makes the devices.
    """

    def __init__(self, nwbfile: NWBFile, metadata: Mapping[str, Any], hardware: Hardware) -> None:
        self._nwbfile = nwbfile
        self._metadata = metadata
        self._hardware = hardware
        self._planes: dict[str, ImagingPlane] = {}
        self._names: dict[str, str] = {}

    def of_stream(self, address: str, stream: Stream) -> ImagingPlane:
        """The plane of a stream: ``Streams.ADDRESS.imaging_plane``, else what the stream says.

        A stream that names no plane has one of its own source, called like the source.
        """
        facts = lookup(self._metadata, "Streams", address)
        said = facts.get("imaging_plane") or getattr(stream, "plane", None)
        return self.of(str(said or address.partition("/")[0]), address)

    def of(self, plane_id: str, address: str) -> ImagingPlane:
        """The plane `plane_id`, made when first asked for; `address` is whose it is.

        Raises
        ------
        nwbkit.errors.MissingFact
            Where its name cannot stand in NWB, or another plane has it.
        """
        if plane_id not in self._planes:
            self._planes[plane_id] = self._make(plane_id)
        return self._planes[plane_id]

    def _make(self, plane_id: str) -> ImagingPlane:
        from pynwb.ophys import ImagingPlane

        facts = lookup(self._metadata, "ImagingPlanes", plane_id)
        plane = ImagingPlane(
            name=self._name(plane_id, facts),
            optical_channel=_channels(facts),
            device=self._device(facts),
            excitation_lambda=_number(facts.get("excitation_lambda")),
            indicator=str(facts.get("indicator") or UNKNOWN),
            location=str(facts.get("location") or UNKNOWN),
            **_optional(facts),
        )
        self._nwbfile.add_imaging_plane(plane)
        return plane

    def _name(self, plane_id: str, facts: Mapping[str, Any]) -> str:
        """As said; else ``ImagingPlane``, with what tells its id from others' behind it."""
        known = {*section(self._metadata, "ImagingPlanes"), *self._planes, plane_id}
        tail = ""
        if len(known) > 1:
            tail = camel(plane_id.removeprefix(_shared(known)))
        name = str(facts.get("name") or f"ImagingPlane{tail}")
        hint = f"--set-meta 'ImagingPlanes.{plane_id}.name=...'"
        try:
            check(name, plane_id)
        except MissingFact:
            message = f"'{name}' cannot be the name of imaging plane '{plane_id}'"
            raise MissingFact(message, hint=f"{hint} without '/' and ':'") from None
        if name in self._names:
            raise MissingFact(
                f"imaging planes '{self._names[name]}' and '{plane_id}' would both be '{name}'",
                hint=hint,
            )
        self._names[name] = plane_id
        return name

    def _device(self, facts: Mapping[str, Any]) -> Device:
        """The device named; where nobody names one, a microscope of which nothing is said."""
        if facts.get("device"):
            return self._hardware.device(str(facts["device"]))
        return self._hardware.device(MICROSCOPE)


def _shared(ids: Iterable[str]) -> str:
    """What all ids begin with, up to a ``_``: the source, where there is one only."""
    first, *others = sorted(ids)
    while first and not all(other.startswith(first) for other in others):
        first = first[:-1]
    return first[: first.rfind("_") + 1]


def _optional(facts: Mapping[str, Any]) -> dict[str, Any]:
    """What NWB does not demand, as far as it is known."""
    found: dict[str, Any] = {}
    for name in ("description", "reference_frame"):
        if facts.get(name):
            found[name] = str(facts[name])
    if facts.get("imaging_rate") is not None:
        found["imaging_rate"] = float(facts["imaging_rate"])
    for name in ("grid_spacing", "origin_coords"):
        if facts.get(name) is not None:
            values, unit = in_metres(facts[name], facts.get(f"{name}_unit"))
            found[name], found[f"{name}_unit"] = values, unit
    return found


def in_metres(values: Any, unit: str | None) -> tuple[list[float], str]:
    """Lengths in metres where `unit` is one of length; else as they are, with `unit`.

    Without a unit they are taken as metres, NWB's own default.
    """
    numbers = [float(v) for v in values]
    scale = _METRES.get(str(unit or "meters").strip())
    if scale is None:
        return numbers, str(unit)
    # dividing keeps the shortest decimal: 0.5 um is 5e-07 m and not 4.9999999999999998e-07
    inverse = round(1 / scale)
    return [n / inverse for n in numbers], "meters"


def _channels(facts: Mapping[str, Any]) -> list[OpticalChannel]:
    """The optical channels; NWB demands at least one."""
    from pynwb.ophys import OpticalChannel

    said = {k: v for k, v in (facts.get("optical_channel") or {}).items() if v is not None}
    made = []
    for key, channel in (said or {"OpticalChannel": {}}).items():
        name = str(channel.get("name") or key)
        made.append(
            OpticalChannel(
                name=check(name.replace("/", "-").replace(":", "-"), key),
                description=str(channel.get("description") or UNKNOWN),
                emission_lambda=_number(channel.get("emission_lambda")),
            )
        )
    return made


def _number(value: Any) -> float:
    return float(value) if value is not None else math.nan
