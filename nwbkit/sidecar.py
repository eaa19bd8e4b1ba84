"""The conversion document that stands beside every output."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nwbkit.storage.backends import backend_of
from nwbkit.storage.publish import sidecar_path
from nwbkit.streams import Array

__all__ = ["make_sidecar", "sidecar_path"]

if TYPE_CHECKING:
    from nwbkit.documents.conversion import ConversionDocument, DatasetRecord
    from nwbkit.nwb.assemble import Written
    from nwbkit.preparing import Settled
    from nwbkit.storage.digests import DatasetDigest
    from nwbkit.storage.holes import Hole
    from nwbkit.storage.summary import Summary


def make_sidecar(
    settled: Settled,
    *,
    output: Path,
    size: int,
    checksum: str,
    identity: str,
    choices: Mapping[str, Any],
    holes: Sequence[Hole],
    written: Mapping[str, Written],
    digests: Mapping[str, DatasetDigest],
    summary: Summary,
    prove: str,
    measured: Mapping[str, Any],
) -> ConversionDocument:
    """The sidecar of a finished file, which will be called `output`."""
    from nwbkit.documents.alignment import ClockAlignment
    from nwbkit.documents.conversion import ConversionDocument, OutputRef
    from nwbkit.documents.metadata import MetadataBody

    readers = settled.session.readers
    return ConversionDocument(
        inputs=_inputs(settled),
        output=OutputRef(
            name=output.name,
            size=size,
            checksum=checksum,
            backend=backend_of(output),
        ),
        identity=identity,
        content=summary.digest,
        session=settled.session.entry,
        options={r.source.id: dict(r.source.options) for r in readers},
        metadata=MetadataBody(**settled.metadata_body),
        alignment={
            name: ClockAlignment(
                offset_s=clock_map.offset_s,
                scale=clock_map.scale,
                how=settled.clocks.anchors[name].how,
                error_s=settled.clocks.anchors[name].error_s,
            )
            for name, clock_map in settled.clocks.maps.items()
        },
        datasets={h.path: _dataset(h, digests[h.path]) for h in holes},
        objects=summary.objects,
        choices=dict(choices),
        streams=_streams(settled, written),
        losses=[loss for r in readers for loss in r.losses],
        notes=[note for r in readers for note in r.notes] + _layout_warnings(output, holes),
        prove=prove,
        measured=dict(measured),
    )


def _layout_warnings(output: Path, holes: Sequence[Hole]) -> list[str]:
    """Who cannot read what was written, and what of it has no checksum."""
    from nwbkit.storage.planning import layout_warnings

    return layout_warnings({hole.key: hole.plan for hole in holes}, backend_of(output))


def _inputs(settled: Settled) -> list[Any]:
    from nwbkit.documents.conversion import FingerprintedInput

    return [
        FingerprintedInput(path=path, size=path.stat().st_size, fingerprint=digest)
        for path, digest in settled.fingerprints.items()
    ]


def _dataset(hole: Hole, digest: DatasetDigest) -> DatasetRecord:
    from nwbkit.documents.conversion import DatasetRecord

    return DatasetRecord(
        key=hole.key, chunks=list(hole.plan.chunks), codec=hole.plan.codec, **digest.as_json()
    )


def _streams(settled: Settled, written: Mapping[str, Written]) -> dict[str, Any]:
    from nwbkit.documents.conversion import StreamRecord

    records = {}
    for address, stream in settled.streams:
        where = written[address]
        records[address] = StreamRecord(
            nwb_paths=where.nwb_paths,
            kind=stream.kind,
            role=stream.role,
            rows=stream.shape[0] if isinstance(stream, Array) else where.rows,
            times=where.times,
            clock=stream.timebase.clock if stream.timebase is not None else None,
            facts=dict(stream.facts),
        )
    return records
