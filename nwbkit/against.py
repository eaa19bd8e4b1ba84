"""verify --against: the source is opened again and compared with what the file holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nwbkit.comparisons.arrays import compare_array
from nwbkit.comparisons.base import Comparison
from nwbkit.comparisons.events import compare_events
from nwbkit.comparisons.intervals import compare_intervals
from nwbkit.comparisons.pose import compare_pose
from nwbkit.comparisons.rois import (
    compare_image_masks,
    compare_pixel_masks,
    compare_summary,
    compare_traces,
)
from nwbkit.comparisons.units import compare_units
from nwbkit.comparisons.values import compare_values
from nwbkit.comparisons.video import compare_video
from nwbkit.errors import NoInput
from nwbkit.repack_against import check_repacked
from nwbkit.session import OpenSession, fingerprint, load_sources, open_session
from nwbkit.streams import ClockMap
from nwbkit.streams.views import head

if TYPE_CHECKING:
    from nwbkit.documents.conversion import ConversionDocument
    from nwbkit.documents.sources import SourcesDocument
    from nwbkit.storage.digests import DatasetDigest
    from nwbkit.verify import Report

#: By kind and role; a kind alone where every role compares alike.
COMPARISONS: dict[tuple[str, str | None], Callable[[Comparison], None]] = {
    ("array", None): compare_array,
    ("ragged", "values"): compare_values,
    ("table", "events"): compare_events,
    ("ragged", "units"): compare_units,
    ("ragged", "masks"): compare_pixel_masks,
    ("array", "masks"): compare_image_masks,
    ("array", "traces"): compare_traces,
    ("images", "summary"): compare_summary,
    ("table", "intervals"): compare_intervals,
    ("external", None): compare_video,
    ("pose", None): compare_pose,
}


def check_against(
    path: Path,
    sidecar: ConversionDocument,
    against: Sequence[str],
    decoded: Mapping[str, DatasetDigest],
    report: Report,
    *,
    sets: Sequence[str],
    jobs: int,
) -> None:
    """Compare every stream of the file at `path` with its source; results go to `report`.

    Parameters
    ----------
    path : Path
    sidecar : ConversionDocument
    against : sequence of str
        Raw paths, or a sources document.
    decoded : mapping of str to DatasetDigest
        What the datasets of the file were found to hold.
    report : Report
    sets : sequence of str
    jobs : int

    Raises
    ------
    nwbkit.errors.NoInput
        Where `against` holds no source that could be the recorded one.
    """
    from nwbkit.storage.backends import open_output
    from nwbkit.storage.plugins import enable

    document = _todays(sidecar, load_sources(against))
    if sidecar.choices.get("repack"):
        source = Path(document.sessions[0].sources[0].paths[0])
        check_repacked(path, sidecar, source, decoded, report, jobs=jobs)
        return
    stub = sidecar.choices.get("stub")
    maps = {name: ClockMap(c.offset_s, c.scale) for name, c in sidecar.alignment.items()}
    salvage = bool(sidecar.choices.get("salvage"))
    with open_session(document, sets=sets, salvage=salvage) as session:
        _check_files(session, sidecar, report)
        streams = {r.address(s): (r, s) for r in session.readers for s in r.streams}
        with open_output(path) as file:
            enable(file)
            for address, record in sidecar.streams.items():
                if address not in streams:
                    report.check(address, "stream", "is no longer in the source")
                    continue
                reader, whole = streams[address]
                stream = head(whole, float(stub)) if stub else whole
                _compare(
                    Comparison(
                        address,
                        stream,
                        reader,
                        record,
                        file,
                        decoded,
                        maps,
                        report,
                        jobs,
                        bool(stub),
                    )
                )


def _compare(c: Comparison) -> None:
    compare = COMPARISONS.get((c.stream.kind, c.stream.role)) or COMPARISONS.get(
        (c.stream.kind, None)
    )
    if compare is None:
        c.check("stream", f"nothing compares a {c.stream.kind} of role '{c.stream.role}'")
        return
    compare(c)


def _todays(sidecar: ConversionDocument, found: SourcesDocument) -> SourcesDocument:
    """The recorded session with the paths that its sources have today."""
    candidates = [s for session in found.sessions for s in session.sources]
    recorded = {i.fingerprint for i in sidecar.inputs}
    sources = []
    for source in sidecar.session.sources:
        same = [c for c in candidates if c.format == source.format]
        exact = [c for c in same if c.id == source.id] or same
        if len(exact) > 1:
            exact = [c for c in exact if fingerprint(Path(c.paths[0])) in recorded] or exact
        if not exact:
            raise NoInput(
                f"no '{source.format}' source that could be '{source.id}' in what was given",
                hint="give the raw folder that the output was made from",
            )
        options = sidecar.options.get(source.id, {})
        sources.append(
            source.model_copy(
                update={
                    "paths": exact[0].paths,
                    "patterns": exact[0].patterns,
                    "options": options,
                    "alternatives": [],
                }
            )
        )
    session = sidecar.session.model_copy(update={"sources": sources})
    return found.model_copy(update={"sessions": [session]})


def _check_files(session: OpenSession, sidecar: ConversionDocument, report: Report) -> None:
    """Whether each source file is the one that was converted, and is what its vendor says."""
    recorded = {i.fingerprint for i in sidecar.inputs}
    for path in session.files():
        changed = fingerprint(path) not in recorded
        report.check(
            path.name, "source file", "has changed since it was converted" if changed else None
        )
    for reader in session.readers:
        for sentence in reader.audit():
            report.find("error", "source-damaged", reader.source.id, sentence)
