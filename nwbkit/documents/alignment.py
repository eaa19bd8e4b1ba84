"""The alignment document: for each clock the map to session time, its error, how it was found."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from nwbkit.documents.model import Document, Part
from nwbkit.documents.values import AnyValue, NotNegative, Number, Text

HowName = Literal["header", "shared_hardware", "alignment", "user", "sole", "unaligned"]


class ClockAlignment(Part):
    """``session = offset_s + scale * clock``."""

    offset_s: Number
    #: Session seconds per clock second; exactly 1 where only an offset is known.
    scale: Number = Field(default=1.0, gt=0)
    how: HowName = "user"
    #: Largest error in seconds; absent where it is not known.
    error_s: NotNegative | None = None
    #: One sentence: from what it was found.
    evidence: Text | None = None


class AlignmentDocument(Document):
    """What ``nwbkit align`` found, or a person states. Clock ids are ``SOURCE/clockname``."""

    SCHEMA: ClassVar[str] = "nwbkit/alignment"
    HAND_WRITTEN: ClassVar[bool] = True
    MADE_BY: ClassVar[str] = "nwbkit align"

    #: The clock that is session time, where one is.
    reference: Text | None = None
    clocks: dict[str, ClockAlignment] = Field(default_factory=dict)
    notes: list[Text] = Field(default_factory=list)
    measured: dict[str, AnyValue] | None = None
