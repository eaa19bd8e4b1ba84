"""Devices, device models and electrode groups; made only when something links to them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nwbkit.errors import MissingFact
from nwbkit.nwb.facts import UNKNOWN, lookup, section
from nwbkit.nwb.names import check

if TYPE_CHECKING:
    from pynwb import NWBFile
    from pynwb.device import Device, DeviceModel
    from pynwb.ecephys import ElectrodeGroup


class Hardware:
    """Gives out devices and electrode groups by the id they have in the metadata document."""

    def __init__(self, nwbfile: NWBFile, metadata: Mapping[str, Any]) -> None:
        self._nwbfile = nwbfile
        self._metadata = metadata
        self._devices: dict[str, Device] = {}
        self._groups: dict[str, ElectrodeGroup] = {}

    def device(self, device_id: str) -> Device:
        """The device `device_id`, with its model where the metadata names one."""
        if device_id not in self._devices:
            self._devices[device_id] = self._make_device(device_id)
        return self._devices[device_id]

    def _make_device(self, device_id: str) -> Device:
        from pynwb.device import Device

        facts = lookup(self._metadata, "Devices", device_id)
        arguments: dict[str, Any] = {"name": check(facts.get("name") or device_id, device_id)}
        for name in ("description", "serial_number"):
            if facts.get(name) is not None:
                arguments[name] = str(facts[name])
        model = self._model(facts)
        if model is not None:
            arguments["model"] = model
        elif facts.get("manufacturer"):
            # NWB wants it in the model; without a model's name there is nowhere else
            arguments["manufacturer"] = str(facts["manufacturer"])
        device = Device(**arguments)
        self._nwbfile.add_device(device)
        return device

    def _model(self, facts: Mapping[str, Any]) -> DeviceModel | None:
        """The DeviceModel; NWB demands a manufacturer, without one there is none."""
        from pynwb.device import DeviceModel

        name = facts.get("model_name") or facts.get("model_number")
        if not name or not facts.get("manufacturer"):
            return None
        name = str(name).replace("/", "-").replace(":", "-")
        if name in self._nwbfile.device_models:
            return self._nwbfile.device_models[name]
        arguments = {"name": name, "manufacturer": str(facts["manufacturer"])}
        if facts.get("model_number"):
            arguments["model_number"] = str(facts["model_number"])
        model = DeviceModel(**arguments)
        self._nwbfile.add_device_model(model)
        return model

    def group(self, group_id: str) -> ElectrodeGroup:
        """The electrode group `group_id`; its location is ``unknown`` where nobody says."""
        if group_id not in self._groups:
            self._groups[group_id] = self._make_group(group_id)
        return self._groups[group_id]

    def _make_group(self, group_id: str) -> ElectrodeGroup:
        from pynwb.ecephys import ElectrodeGroup

        facts = lookup(self._metadata, "ElectrodeGroups", group_id)
        device_id = facts.get("device")
        if not device_id:
            known = ", ".join(section(self._metadata, "Devices")) or "none"
            raise MissingFact(
                f"electrode group '{group_id}' names no device (known: {known})",
                hint=f"--set-meta 'ElectrodeGroups.{group_id}.device=DEVICE'",
            )
        group = ElectrodeGroup(
            name=check(facts.get("name") or group_id, group_id),
            description=str(facts.get("description") or group_id),
            location=str(facts.get("location") or UNKNOWN),
            device=self.device(str(device_id)),
            position=facts.get("position"),
        )
        self._nwbfile.add_electrode_group(group)
        return group
