"""The plan document: what will be written, in which chunks, with which codec."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from nwbkit.documents.model import Document, Part
from nwbkit.documents.values import AnyValue, Flag, Positive, Text, Whole


class DatasetPlan(Part):
    """How one dataset is stored. What is left out, nwbkit chooses."""

    #: Rows along time first.
    chunks: Annotated[list[Positive], Field(min_length=1)] | None = None
    #: ``gzip``, ``zstd``, ``blosc-zstd``, ``none``, ...: what the back end takes.
    codec: Text | None = None
    level: Whole | None = None
    shuffle: Flag | None = None


class PlanDocument(Document):
    """What ``nwbkit chunk-plan`` proposes. Keys are ``SOURCE/STREAM:field``."""

    SCHEMA: ClassVar[str] = "nwbkit/plan"
    HAND_WRITTEN: ClassVar[bool] = True
    MADE_BY: ClassVar[str] = "nwbkit chunk-plan"

    policy: Text | None = None
    #: Digest of the sources the plan was made for.
    inputs_digest: Text | None = None
    datasets: dict[str, DatasetPlan] = Field(default_factory=dict)
    #: Sizes and times, outside every digest.
    measured: dict[str, AnyValue] | None = None
