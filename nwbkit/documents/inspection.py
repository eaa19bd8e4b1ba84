"""The inspection document: streams, channels, rates, durations, clocks, gaps, options."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from nwbkit.documents.alignment import HowName
from nwbkit.documents.model import Document, Part
from nwbkit.documents.sources import Relation, SessionId, SourceId, StrengthName
from nwbkit.documents.values import AnyValue, NotNegative, Number, Size, Text, Whole


class Gap(Part):
    """Where samples are missing (seconds > 0) or the clock went back (seconds < 0)."""

    after_sample: Whole
    seconds: Number


class StreamInfo(Part):
    """One stream of a source."""

    address: Text
    kind: Text
    role: Text
    #: The vendor's own name.
    name: Text = ""
    description: Text | None = None
    shape: list[Whole] | None = None
    dtype: Text | None = None
    #: Hz as the source states it.
    rate: Number | None = None
    duration_s: NotNegative | None = None
    n_segments: Size | None = None
    n_gaps: Size | None = None
    #: The first of them where there are very many; `n_gaps` counts all.
    gaps: list[Gap] | None = None
    unit: Text | None = None
    #: One value where all channels agree.
    gain: list[Number] | None = None
    offset: list[Number] | None = None
    channels: list[Text] | None = None
    electrodes: list[Text] | None = None
    #: Lines of a digital stream, columns of a table, keypoints.
    lines: list[Text] | None = None
    clock: Text | None = None
    nwb_name: Text | None = None
    facts: dict[str, AnyValue] = Field(default_factory=dict)


class ClockInfo(Part):
    """A time base kept by one device; without `how` it is not anchored."""

    id: Text
    description: Text = ""
    session_offset_s: Number | None = None
    how: HowName | None = None
    error_s: NotNegative | None = None


class OptionInfo(Part):
    """An option the source takes: ``--set SOURCE.name=value``."""

    name: Text
    type: Text
    help: Text = ""
    default: AnyValue = None
    choices: list[Text] | None = None
    #: What it is set to.
    value: AnyValue = None


class SourceInfo(Part):
    """One opened source."""

    id: SourceId
    format: Text
    title: Text = ""
    strength: StrengthName | None = None
    evidence: Text = ""
    files: Size | None = None
    size: Size | None = None
    streams: list[StreamInfo] = Field(default_factory=list)
    clocks: list[ClockInfo] = Field(default_factory=list)
    relations: list[Relation] = Field(default_factory=list)
    options: list[OptionInfo] = Field(default_factory=list)
    notes: list[Text] = Field(default_factory=list)
    losses: list[Text] = Field(default_factory=list)


class SessionInfo(Part):
    """The sources that become one NWB file."""

    id: SessionId
    sources: list[SourceInfo] = Field(default_factory=list)


class InspectionDocument(Document):
    """What ``nwbkit inspect --json`` prints."""

    SCHEMA: ClassVar[str] = "nwbkit/inspection"
    MADE_BY: ClassVar[str] = "nwbkit inspect"

    sessions: list[SessionInfo] = Field(default_factory=list)
