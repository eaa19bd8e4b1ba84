"""The plan document: what will be written, in which chunks, with which codec."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from nwbkit.documents.model import Document, Part
from nwbkit.documents.values import AnyValue, Flag, Hex, NotNegative, Positive, Size, Text, Whole


class DatasetPlan(Part):
    """How one dataset is stored. What is left out, nwbkit chooses."""

    #: Rows along time first.
    chunks: Annotated[list[Positive], Field(min_length=1)] | None = None
    #: ``gzip``, ``zstd``, ``blosc-zstd``, ``blosc-lz4``, ``none``.
    codec: Text | None = None
    level: Whole | None = None
    #: Bring bytes (blosc: bits) of equal significance together first.
    shuffle: Flag | None = None
    #: A checksum with every chunk.
    fletcher32: Flag | None = None


class Expected(Part):
    """What storing a dataset, or all of them, will take; from samples of the data."""

    raw_bytes: Size
    stored_bytes: Size
    #: raw / stored
    ratio: NotNegative | None = None
    #: Chunks, which are objects or files in Zarr.
    objects: Size | None = None
    #: Of buffers for each thread.
    memory_bytes: Size | None = None


class PlanDocument(Document):
    """What ``nwbkit chunk-plan`` proposes. Keys are ``SOURCE/STREAM:field``.

    With ``policy`` keys may be globs and belong to no source: a lab's standard.
    """

    SCHEMA: ClassVar[str] = "nwbkit/plan"
    HAND_WRITTEN: ClassVar[bool] = True
    MADE_BY: ClassVar[str] = "nwbkit chunk-plan"

    #: Name of a standard that goes for any sources.
    policy: Text | None = None
    #: The access that chunks and codecs were chosen for.
    for_: Literal["analysis", "cloud", "archive", "speed"] | None = Field(default=None, alias="for")
    backend: Literal["hdf5", "zarr"] | None = None
    #: Source id -> digest of the source's files; convert refuses others.
    sources: dict[str, Hex] | None = None
    datasets: dict[str, DatasetPlan] = Field(default_factory=dict)
    #: What was found when the plan was made; changing it changes nothing.
    expected: dict[str, Expected] | None = None
    total: Expected | None = None
    #: Times and speeds, outside every digest.
    measured: dict[str, AnyValue] | None = None
