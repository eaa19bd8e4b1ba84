"""The metadata document: what is to be said about a session, in NWB's own field names.

Every section is a mapping keyed by id, never a list. null deletes what an earlier document
said. ``Streams`` and ``Electrodes`` are keyed by address or glob: an exact key wins over a
glob, a glob with more literal characters over one with fewer, whatever the order written.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import BeforeValidator, Field

from nwbkit.documents.model import Document, Part
from nwbkit.documents.values import Number, Text, TextList, drop_empty

Entry = TypeVar("Entry")
#: Keyed by id; a null entry deletes.
Mapped = Annotated[dict[str, Entry | None], BeforeValidator(drop_empty)]
Coordinates = Annotated[list[Number], Field(min_length=2, max_length=3)]


class Fields(Part):
    """Fields of one NWB object; only those given are kept."""

    NULL_DELETES: ClassVar[bool] = True

    def given(self) -> dict[str, Any]:
        """The fields with a value, as plain data: what one hands to pynwb."""
        return {key: value for key, value in self.plain().items() if value is not None}


class NWBFileFields(Fields):
    """The file's own fields."""

    session_description: Text | None = None
    identifier: Text | None = None
    session_start_time: Text | None = None
    timestamps_reference_time: Text | None = None
    experimenter: TextList | None = None
    experiment_description: Text | None = None
    institution: Text | None = None
    lab: Text | None = None
    keywords: TextList | None = None
    session_id: Text | None = None
    notes: Text | None = None
    pharmacology: Text | None = None
    protocol: Text | None = None
    related_publications: TextList | None = None
    slices: Text | None = None
    data_collection: Text | None = None
    surgery: Text | None = None
    virus: Text | None = None
    stimulus_notes: Text | None = None
    source_script: Text | None = None
    source_script_file_name: Text | None = None
    was_generated_by: list[TextList] | None = None


class SubjectFields(Fields):
    """The animal or person."""

    subject_id: Text | None = None
    species: Text | None = None
    sex: Text | None = None
    age: Text | None = None
    age__reference: Text | None = None
    date_of_birth: Text | None = None
    genotype: Text | None = None
    strain: Text | None = None
    weight: Text | None = None
    description: Text | None = None


class DeviceFields(Fields):
    """A device and its model."""

    name: Text | None = None
    description: Text | None = None
    manufacturer: Text | None = None
    model_name: Text | None = None
    model_number: Text | None = None
    model_description: Text | None = None
    serial_number: Text | None = None


class ElectrodeGroupFields(Fields):
    """A shank, a tetrode. `device` is a key of Devices."""

    name: Text | None = None
    description: Text | None = None
    location: Text | None = None
    device: Text | None = None
    position: Coordinates | None = None


class ElectrodeFields(Fields):
    """One electrode, or all that a glob matches; other keys are columns of the table."""

    FREE: ClassVar[bool] = True

    location: Text | None = None
    x: Number | None = None
    y: Number | None = None
    z: Number | None = None
    imp: Number | None = None
    filtering: Text | None = None
    reference: Text | None = None


class OpticalChannelFields(Fields):
    """What one detector sees."""

    name: Text | None = None
    description: Text | None = None
    emission_lambda: Number | None = None


class ImagingPlaneFields(Fields):
    """A plane that was imaged. `device` is a key of Devices."""

    name: Text | None = None
    description: Text | None = None
    device: Text | None = None
    indicator: Text | None = None
    location: Text | None = None
    excitation_lambda: Number | None = None
    imaging_rate: Number | None = None
    optical_channel: Mapped[OpticalChannelFields] | None = None
    grid_spacing: Coordinates | None = None
    grid_spacing_unit: Text | None = None
    origin_coords: Coordinates | None = None
    origin_coords_unit: Text | None = None
    reference_frame: Text | None = None


class CameraFields(DeviceFields):
    """A camera: a device that videos refer to."""


class StreamFields(Fields):
    """What a stream is to be called and said of it."""

    name: Text | None = None
    description: Text | None = None
    comments: Text | None = None
    filtering: Text | None = None
    stimulus_description: Text | None = None
    reference_frame: Text | None = None
    device: Text | None = None
    imaging_plane: Text | None = None
    pmt_gain: Number | None = None
    scan_line_rate: Number | None = None
    exposure_time: Number | None = None
    power: Number | None = None
    binning: Number | None = None
    intensity: Number | None = None


class ColumnFields(Fields):
    """A column of a table; `labels` says what each code means."""

    name: Text | None = None
    description: Text | None = None
    labels: Mapped[Text] | None = None


class TableFields(Fields):
    """A table: trials, epochs, events."""

    name: Text | None = None
    description: Text | None = None
    columns: Mapped[ColumnFields] | None = None


class MetadataBody(Fields):
    """The sections, and where each value came from."""

    NWBFile: NWBFileFields | None = None
    Subject: SubjectFields | None = None
    Devices: Mapped[DeviceFields] | None = None
    ElectrodeGroups: Mapped[ElectrodeGroupFields] | None = None
    Electrodes: Mapped[ElectrodeFields] | None = None
    ImagingPlanes: Mapped[ImagingPlaneFields] | None = None
    Cameras: Mapped[CameraFields] | None = None
    Streams: Mapped[StreamFields] | None = None
    Tables: Mapped[TableFields] | None = None
    #: ``NWBFile.session_start_time``: ``spikeglx run_g0/run_g0_t0.imec0.ap.meta:fileCreateTime``
    origins: dict[str, Text] | None = None

    def body(self) -> dict[str, Any]:
        """The sections as plain data, without envelope and origins, nulls kept."""
        beside = {"origins", *Document.keys()}
        return {key: value for key, value in self.plain().items() if key not in beside}

    def fields(self, section: str, key: str | None = None) -> dict[str, Any]:
        """The given fields of ``NWBFile`` or ``Subject``, or of one entry of another section.

        Nulls are left out; empty where there is nothing.
        """
        part = getattr(self, section)
        if key is not None:
            part = (part or {}).get(key)
        return _without_null(part.plain()) if part is not None else {}

    def entries(self, section: str) -> dict[str, dict[str, Any]]:
        """Every entry of a section keyed by id, with its given fields."""
        part = getattr(self, section) or {}
        return {key: self.fields(section, key) for key in part if part[key] is not None}

    def matched(self, section: str, address: str) -> dict[str, Any]:
        """The fields of ``Streams``, ``Electrodes`` or ``Tables`` that hold for `address`.

        All matching entries are laid over each other, the most specific one last.
        """
        part = getattr(self, section) or {}
        merged: dict[str, Any] = {}
        for key in applying(part, address):
            if part[key] is not None:
                merged.update(part[key].plain())
        return _without_null(merged)


class MetadataDocument(MetadataBody, Document):
    """What ``nwbkit metadata extract`` and ``merge`` print, and what people write as YAML."""

    SCHEMA: ClassVar[str] = "nwbkit/metadata"
    HAND_WRITTEN: ClassVar[bool] = True
    MADE_BY: ClassVar[str] = "nwbkit metadata extract, merge, template; or written by hand"


#: The sections, in their order.
SECTIONS = tuple(key for key in MetadataBody.model_fields if key != "origins")
#: Those that are not keyed by id.
FLAT_SECTIONS = ("NWBFile", "Subject")


def means(key: str, address: str) -> bool:
    """Whether `key`, an address or glob, holds for `address`; without ``/``: for all below it."""
    whole = key == address or fnmatchcase(address, key)
    return whole or ("/" not in key and fnmatchcase(address.partition("/")[0], key))


def applying(keys: Iterable[str], address: str) -> list[str]:
    """Those of `keys` that hold for `address`, the most specific last: exact beats glob."""
    return sorted((key for key in keys if means(key, address)), key=specificity)


def specificity(key: str) -> tuple[bool, int, str]:
    """Sorts keys and globs: the most specific last."""
    literal = re.sub(r"\[[^]]*\]|[*?]", "", key)
    return literal == key, len(literal), key


def _without_null(data: dict[str, Any]) -> dict[str, Any]:
    return {
        key: _without_null(value) if isinstance(value, dict) else value
        for key, value in data.items()
        if value is not None
    }
