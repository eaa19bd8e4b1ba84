"""What convert and verify settle before a byte is written: metadata, time, clocks, identity."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nwbkit import __version__
from nwbkit.alignment.clocks import Resolution, resolve
from nwbkit.errors import MissingFact
from nwbkit.session import OpenSession, fingerprint
from nwbkit.streams import Stream
from nwbkit.streams.views import head

if TYPE_CHECKING:
    from nwbkit.documents.metadata import MetadataDocument

_ENVELOPE = ("schema", "version", "producer", "inputs", "origins")
Maps = dict[str, tuple[float, float, float | None]]


@dataclass
class Settled:
    """A session with every question answered.

    Attributes
    ----------
    session : OpenSession
    streams : list of (address, Stream)
        Those to be written, cut to ``--stub``.
    metadata : MetadataDocument
        Merged.
    start : datetime
        session_start_time with its zone.
    clocks : Resolution
    fingerprints : dict of Path to str
        Of every source file.
    identifier : str
        The NWB file's.
    """

    session: OpenSession
    streams: list[tuple[str, Stream]]
    metadata: MetadataDocument
    start: datetime
    clocks: Resolution
    fingerprints: dict[Path, str]
    identifier: str

    @property
    def metadata_body(self) -> dict[str, Any]:
        """The metadata document's body with origins, without the envelope."""
        body = self.metadata.plain()
        return {k: v for k, v in body.items() if k not in _ENVELOPE or k == "origins"}

    @property
    def facts(self) -> dict[str, Any]:
        """The metadata document's body, without envelope and origins."""
        return body_of(self.metadata)

    def identity(self, **choices: Any) -> str:
        """Digest of everything that decides what the output holds; `choices` are further parts."""
        return _digest(self._parts(choices))

    def parts(self, **choices: Any) -> dict[str, str]:
        """What the identity is made of, one digest each, to tell what has changed."""
        parts = self._parts(choices)
        told = {
            "source files": ("fingerprints",),
            "metadata": ("metadata", "start"),
            "alignment": ("clocks", "remarks"),
            "plan": ("plan",),
        }
        named = {name for names in told.values() for name in names}
        told["options"] = tuple(name for name in parts if name not in named)
        return {name: _digest({k: parts.get(k) for k in keys}) for name, keys in told.items()}

    def _parts(self, choices: dict[str, Any]) -> dict[str, Any]:
        return {
            "nwbkit": __version__.rpartition(".")[0],
            "session": self.session.id,
            "fingerprints": sorted(self.fingerprints.values()),
            "streams": [address for address, _ in self.streams],
            "options": {r.source.id: dict(r.source.options) for r in self.session.readers},
            "metadata": self.facts,
            "start": self.start.isoformat(),
            "clocks": {n: [m.offset_s, m.scale] for n, m in self.clocks.maps.items()},
            "remarks": self.clocks.remarks,
            "salvage": self.session.salvage,
            **choices,
        }


def _digest(data: Any) -> str:
    text = json.dumps(data, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def body_of(metadata: MetadataDocument) -> dict[str, Any]:
    """A metadata document's body: no envelope, no origins."""
    return {k: v for k, v in metadata.plain().items() if k not in _ENVELOPE}


def settle(
    session: OpenSession,
    *,
    metadata: MetadataDocument,
    timezone: str | None = None,
    offsets: Sequence[str] = (),
    aligned: Maps | None = None,
    unaligned: str | None = None,
    stub: float | None = None,
) -> Settled:
    """Answer every question that a session poses, or refuse.

    Raises
    ------
    nwbkit.errors.MissingFact
        session_start_time, its zone.
    nwbkit.errors.ClockError
        Clocks that nothing joins.
    """
    from nwbkit.nwb.identity import identifier_of

    streams = session.streams()
    if stub is not None:
        streams = [(address, head(stream, stub)) for address, stream in streams]
    start = start_time(metadata, timezone, session.id)
    clocks = resolve(session.clocks(), offsets=offsets, aligned=aligned, unaligned=unaligned)
    fingerprints = {path: fingerprint(path) for path in session.files()}
    given = body_of(metadata).get("NWBFile", {}).get("identifier")
    identifier = str(given or identifier_of(list(fingerprints.values()), session.id))
    return Settled(session, streams, metadata, start, clocks, fingerprints, identifier)


def merged_metadata(
    session: OpenSession, paths: Sequence[str], set_meta: Sequence[str]
) -> MetadataDocument:
    """What the files say, then each ``-m``, then each ``--set-meta``; later wins."""
    from nwbkit.documents import envelope
    from nwbkit.documents.metadata import MetadataDocument
    from nwbkit.metadata.extract import extract
    from nwbkit.metadata.merge import apply_set, merge

    labelled = [("extracted", extract(session.readers))]
    labelled += [(path, envelope.read(path, MetadataDocument)) for path in paths]
    metadata = merge(labelled)
    for text in set_meta:
        metadata = apply_set(metadata, text)
    return metadata


def start_time(metadata: MetadataDocument, timezone: str | None, session_id: str) -> datetime:
    """session_start_time with its zone.

    Raises
    ------
    nwbkit.errors.MissingFact
        Where nobody says when, or in which time zone.
    """
    from nwbkit.metadata.times import localise

    text = body_of(metadata).get("NWBFile", {}).get("session_start_time")
    if text is None:
        raise MissingFact(
            f"session '{session_id}' has no session_start_time",
            hint="--set-meta NWBFile.session_start_time=2024-05-01T10:00:00+02:00",
        )
    _check_one_day(metadata, str(text), session_id)
    return localise(str(text), timezone)


def _check_one_day(metadata: MetadataDocument, text: str, session_id: str) -> None:
    """Refuse sources that began on different days while no user has said when the session did."""
    from nwbkit.metadata.merge import CONFLICTS

    conflicts = (metadata.model_extra or {}).get(CONFLICTS) or {}
    for claim in conflicts.get("NWBFile.session_start_time", ()):
        try:
            first, other = (datetime.fromisoformat(str(t)) for t in (text, claim["value"]))
        except ValueError:
            continue
        # a start without a zone may be off by half a day and more
        if abs(first.replace(tzinfo=None) - other.replace(tzinfo=None)) > timedelta(days=1):
            raise MissingFact(
                f"session '{session_id}' began at {text}, by {claim['origin']} at {claim['value']}",
                hint="convert their folders apart, or say when it began: "
                f"--set-meta NWBFile.session_start_time={text}",
            )


def read_alignment(path: str | None) -> Maps:
    """The clock maps of an alignment document: id to ``(offset_s, scale, error_s)``."""
    if path is None:
        return {}
    from nwbkit.documents import envelope
    from nwbkit.documents.alignment import AlignmentDocument

    clocks = envelope.read(path, AlignmentDocument).clocks
    return {name: (c.offset_s, c.scale, c.error_s) for name, c in clocks.items()}
