"""The conversion document: the sidecar ``OUT.nwb.json``, all that verify needs to know."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field

from nwbkit.documents.alignment import ClockAlignment
from nwbkit.documents.metadata import MetadataBody
from nwbkit.documents.model import Document, InputRef, Part
from nwbkit.documents.sources import SessionEntry
from nwbkit.documents.values import AnyValue, Hex, Positive, Size, Text, Whole, plain


class FingerprintedInput(InputRef):
    """A source file as it was when it was converted."""

    mtime_ns: Whole | None = None
    #: Digest of size and sampled bytes, as session.py makes it.
    fingerprint: Text | None = None


class OutputRef(Part):
    """The file or Zarr folder beside the sidecar; by name, since the two move together."""

    name: Text
    size: Size | None = None
    checksum: Text | None = None
    backend: Literal["hdf5", "zarr"]


class DatasetRecord(Part):
    """Digests of one dataset's logical values: C order, little-endian, over fixed row blocks."""

    #: ``SOURCE/STREAM:field``; absent for what has no stream.
    key: Text | None = None
    shape: list[Size]
    dtype: Text
    block_rows: Positive
    #: Over `blocks`.
    digest: Hex
    blocks: list[Hex] = Field(default_factory=list)
    chunks: list[Whole] | None = None
    codec: Text | None = None


class StreamRecord(Part):
    """Where a stream went."""

    #: Of the objects: one, or one a segment with ``--segments split``.
    nwb_paths: list[Text]
    kind: Text
    role: Text
    rows: Size | None = None
    #: ``rate`` or ``timestamps``.
    times: Text | None = None
    #: Clock id.
    clock: Text | None = None
    facts: Annotated[dict[str, AnyValue], BeforeValidator(plain)] = Field(default_factory=dict)


class ConversionDocument(Document):
    """What ``nwbkit convert`` writes beside its output."""

    SCHEMA: ClassVar[str] = "nwbkit/conversion"
    MADE_BY: ClassVar[str] = "nwbkit convert (OUT.nwb.json)"

    inputs: list[FingerprintedInput] = Field(default_factory=list)  # type: ignore[assignment]
    output: OutputRef
    #: Digest of fingerprints, options, metadata, alignment, plan, nwbkit's minor version.
    identity: Hex
    #: Digest of everything logical in the file: two outputs are equal if these agree.
    content: Hex | None = None
    session: SessionEntry
    #: Per source id, every option at the value used.
    options: dict[str, dict[str, AnyValue]] = Field(default_factory=dict)
    metadata: MetadataBody = Field(default_factory=MetadataBody)
    #: Per clock id.
    alignment: dict[str, ClockAlignment] = Field(default_factory=dict)
    #: Per NWB path.
    datasets: dict[str, DatasetRecord] = Field(default_factory=dict)
    #: Per path, digest of one object: attributes, links, types, and values of small datasets.
    objects: dict[str, Hex] = Field(default_factory=dict)
    #: What was asked for that changes what is written: stub, segments, salvage, streams.
    choices: dict[str, AnyValue] = Field(default_factory=dict)
    #: Per address.
    streams: dict[str, StreamRecord] = Field(default_factory=dict)
    losses: list[Text] = Field(default_factory=list)
    notes: list[Text] = Field(default_factory=list)
    prove: Literal["full", "sample", "none"] = "full"
    #: Times, speeds, memory: outside every digest.
    measured: dict[str, AnyValue] | None = None
