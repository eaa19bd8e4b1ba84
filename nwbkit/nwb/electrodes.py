"""The electrodes table: one row per (group, electrode, channel), shared by bands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nwbkit.nwb.devices import Hardware
from nwbkit.nwb.facts import UNKNOWN, lookup
from nwbkit.streams import Array, Electrode

if TYPE_CHECKING:
    from hdmf.common import DynamicTableRegion
    from pynwb import NWBFile

_DESCRIPTIONS = {
    "location": "location of the electrode within the subject",
    "group": "reference to the electrode group",
    "group_name": "name of the electrode group",
    "channel_name": "name of the channel in each stream that records from the electrode",
    "electrode_name": "name of the electrode on its probe",
    "rel_x": "x position on the probe in micrometers",
    "rel_y": "y position on the probe in micrometers",
    "x": "x position in the brain in micrometers (+x is posterior)",
    "y": "y position in the brain in micrometers (+y is inferior)",
    "z": "z position in the brain in micrometers (+z is right)",
    "imp": "impedance in ohms",
    "filtering": "hardware filtering",
    "reference": "reference electrode or scheme",
    "shank": "number of the shank on the probe",
    "bank": "electrode bank that the channel was connected to",
    "ap_gain": "amplifier gain of the AP band",
    "lf_gain": "amplifier gain of the LF band",
    "ap_high_pass_filter": "whether the AP band's high-pass filter was on",
    "adc_group": "number of the converter that the channel shares with others",
    "adc_sample_order": "position in the order in which the converter samples its channels",
}
_LAST = ("x", "y", "z", "imp", "filtering", "reference")


class ElectrodeRows:
    """Collects the electrodes of all streams, then writes the table once.

    Every stream is first passed to :meth:`add`; :meth:`build` writes the table;
    :meth:`region` then gives a stream's rows.
    """

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str, str], int] = {}
        self._electrodes: list[Electrode] = []
        self._channels: list[list[str]] = []
        self._properties: list[dict[str, Any]] = []

    def add(self, stream: Array) -> None:
        """Take note of the electrodes of `stream`."""
        names = stream.channel_names or tuple(str(i) for i in range(len(stream.electrodes or ())))
        for electrode, name in zip(stream.electrodes or (), names, strict=True):
            row = self._rows.setdefault(electrode.key, len(self._electrodes))
            if row == len(self._electrodes):
                self._electrodes.append(electrode)
                self._channels.append([])
                self._properties.append({})
            if name not in self._channels[row]:
                self._channels[row].append(name)
            self._properties[row].update(electrode.properties)

    def __len__(self) -> int:
        return len(self._electrodes)

    def build(self, nwbfile: NWBFile, hardware: Hardware, metadata: Mapping[str, Any]) -> None:
        """Write the table into `nwbfile`."""
        if not self._electrodes:
            return
        from hdmf.common import VectorData
        from pynwb.ecephys import ElectrodesTable

        columns = self._columns(hardware, metadata)
        nwbfile.electrodes = ElectrodesTable(
            columns=[
                VectorData(name=name, description=_DESCRIPTIONS.get(name, name), data=values)
                for name, values in columns.items()
            ],
            colnames=list(columns),
            id=list(range(len(self._electrodes))),
        )

    def _columns(self, hardware: Hardware, metadata: Mapping[str, Any]) -> dict[str, Any]:
        said = [lookup(metadata, "Electrodes", f"{e.group}/{e.name}") for e in self._electrodes]
        groups = [hardware.group(e.group) for e in self._electrodes]
        columns: dict[str, Any] = {
            "location": [
                str(facts.get("location") or group.location or UNKNOWN)
                for facts, group in zip(said, groups, strict=True)
            ],
            "group": groups,
            "group_name": [group.name for group in groups],
            "channel_name": [",".join(names) for names in self._channels],
            "electrode_name": [e.name for e in self._electrodes],
        }
        for axis in ("rel_x", "rel_y"):
            values = [getattr(e, axis) for e in self._electrodes]
            if any(v is not None for v in values):
                columns[axis] = _uniform(values)
        rows = [
            {**properties, **{k: v for k, v in facts.items() if k not in ("location", "name")}}
            for properties, facts in zip(self._properties, said, strict=True)
        ]
        for name in _ordered({key for row in rows for key in row if not key.startswith("x-")}):
            if name not in columns:
                columns[name] = _uniform([row.get(name) for row in rows])
        return columns

    def region(self, stream: Array, nwbfile: NWBFile) -> DynamicTableRegion:
        """The rows of the electrodes behind the channels of `stream`, in channel order."""
        rows = [self._rows[e.key] for e in stream.electrodes or ()]
        return nwbfile.create_electrode_table_region(
            region=rows, description="the electrodes of the channels, in their order"
        )


def _ordered(names: set[str]) -> list[str]:
    return sorted(names - set(_LAST)) + [name for name in _LAST if name in names]


def _uniform(values: Sequence[Any]) -> Any:
    """One column of one type; what is absent becomes NaN or an empty text."""
    present = [v for v in values if v is not None]
    if any(isinstance(v, str) for v in present):
        return ["" if v is None else str(v) for v in values]
    if len(present) == len(values):
        return np.asarray(values)
    return np.array([np.nan if v is None else float(v) for v in values], dtype=np.float64)
