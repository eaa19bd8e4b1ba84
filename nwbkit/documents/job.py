"""The job document: ``JOB/job.json``, a conversion frozen so that any host can go on with it."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from nwbkit.documents.model import Document, Part
from nwbkit.documents.values import AnyValue, Flag, Hex, Positive, Size, Text, Whole


class HoleEntry(Part):
    """One big dataset: what it is and how its chunks are encoded."""

    #: ``SOURCE/STREAM:field``.
    key: Text
    shape: list[Size]
    dtype: Text
    chunks: list[Whole]
    codec: Text
    level: Whole
    shuffle: Flag
    fletcher32: Flag


class JobDocument(Document):
    """What ``nwbkit convert --init JOB`` and ``--job JOB`` write. Not for editing."""

    SCHEMA: ClassVar[str] = "nwbkit/job"
    MADE_BY: ClassVar[str] = "nwbkit convert --init"

    #: As in the sidecar of the output to come.
    identity: Hex
    #: What the identity is made of, one digest each, to say what has changed.
    parts: dict[str, Hex] = Field(default_factory=dict)
    backend: Text
    #: The options of convert that decide what is written; files among them lie in the folder.
    request: dict[str, AnyValue] = Field(default_factory=dict)
    holes: list[HoleEntry] = Field(default_factory=list)
    #: Rows of a slab, by feed.
    slab_rows: list[Positive] = Field(default_factory=list)
