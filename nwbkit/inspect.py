"""inspect: streams, channels, rates, durations, clocks, gaps, and the options a source takes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from nwbkit.formats import registry
from nwbkit.formats.base import Format, Reader
from nwbkit.session import choose_session, load_sources, open_session
from nwbkit.streams import Array, Clock, External, Pose, Ragged, Stream, Sweeps, Table
from nwbkit.text import columns, count_text, size_text, wrapped

if TYPE_CHECKING:
    from nwbkit.documents.inspection import (
        ClockInfo,
        InspectionDocument,
        OptionInfo,
        SessionInfo,
        SourceInfo,
        StreamInfo,
    )
    from nwbkit.documents.sources import SourceEntry

#: Gaps listed one by one; more are only counted.
_MAX_GAPS = 100


def inspect(
    inputs: Sequence[str],
    *,
    format: str | None = None,
    session: str | None = None,
    sets: Sequence[str] = (),
    only: Sequence[str] = (),
    exclude: Sequence[str] = (),
    salvage: bool = False,
) -> InspectionDocument:
    """Open every session of `inputs`, or the one asked for, and describe what is there.

    Raises
    ------
    nwbkit.errors.NwbkitError
        Where a source cannot be opened.
    """
    from nwbkit.documents.inspection import InspectionDocument

    document = load_sources(inputs, format=format)
    entries = document.sessions if session is None else [choose_session(document, session)]
    infos: list[SessionInfo] = []
    for entry in entries:
        with open_session(
            document, session=entry.id, sets=sets, only=only, exclude=exclude, salvage=salvage
        ) as opened:
            kept = {address for address, _ in opened.streams()}
            infos.append(_session(opened.id, entry.sources, opened.readers, kept))
    return InspectionDocument(sessions=infos)


def _session(
    session_id: str, entries: Sequence[SourceEntry], readers: Sequence[Reader], kept: set[str]
) -> SessionInfo:
    from nwbkit.documents.inspection import SessionInfo

    by_id = {entry.id: entry for entry in entries}
    known = registry.formats()
    sources = [_source(r, by_id[r.source.id], known[r.source.format], kept) for r in readers]
    return SessionInfo(id=session_id, sources=sources)


def _source(reader: Reader, entry: SourceEntry, fmt: Format, kept: set[str]) -> SourceInfo:
    from nwbkit.documents.inspection import SourceInfo

    files = list(reader.files())
    return SourceInfo(
        id=reader.source.id,
        format=fmt.id,
        title=fmt.title,
        strength=entry.strength,
        evidence=entry.evidence,
        files=len(files),
        size=sum(path.stat().st_size for path in files),
        streams=[
            _stream(reader.address(stream), stream)
            for stream in reader.streams
            if reader.address(stream) in kept
        ],
        clocks=[_clock(clock) for clock in reader.clocks],
        relations=list(entry.relations),
        options=_options(fmt, reader),
        notes=list(reader.notes),
        losses=list(reader.losses),
    )


def _options(fmt: Format, reader: Reader) -> list[OptionInfo]:
    from nwbkit.documents.inspection import OptionInfo

    return [
        OptionInfo(
            name=option.name,
            type=option.type,
            help=option.help,
            default=option.default,
            choices=list(option.choices) or None,
            value=reader.source.options.get(option.name, option.default),
        )
        for option in fmt.options
    ]


def _clock(clock: Clock) -> ClockInfo:
    from nwbkit.documents.inspection import ClockInfo

    if clock.anchor is None:
        return ClockInfo(id=clock.id, description=clock.description)
    return ClockInfo(
        id=clock.id,
        description=clock.description,
        session_offset_s=clock.anchor.session_offset_s,
        how=clock.anchor.how,
        error_s=clock.anchor.error_s,
    )


def _stream(address: str, stream: Stream) -> StreamInfo:
    from nwbkit.documents.inspection import StreamInfo

    facts: dict[str, Any] = {
        "address": address,
        "kind": stream.kind,
        "role": stream.role,
        "name": stream.name,
        "description": stream.description or None,
        "nwb_name": stream.nwb_name,
        "facts": dict(stream.facts),
    }
    facts.update(_timing(stream))
    if isinstance(stream, Array):
        facts.update(_array(stream))
    elif isinstance(stream, Table):
        facts.update(shape=[stream.n_rows], lines=[c.name for c in stream.columns])
    elif isinstance(stream, Ragged):
        facts.update(shape=[len(stream.ids)], dtype=str(stream.dtype), unit=stream.unit)
    elif isinstance(stream, Sweeps):
        facts.update(shape=[len(stream.sweeps)], dtype=str(stream.dtype), unit=stream.unit)
    elif isinstance(stream, External):
        facts.update(shape=[stream.n_frames])
    elif isinstance(stream, Pose):
        facts.update(shape=[stream.n_frames], lines=list(stream.keypoints), unit=stream.unit)
    return StreamInfo(**facts)


def _timing(stream: Stream) -> dict[str, Any]:
    from nwbkit.documents.inspection import Gap

    timebase = stream.timebase
    if timebase is None:
        return {}
    facts: dict[str, Any] = {"clock": timebase.clock, "rate": timebase.rate}
    n = timebase.n_samples
    if n and not isinstance(stream, Table):
        first, last = timebase.times(0, 1)[0], timebase.times(n - 1, n)[0]
        facts["duration_s"] = float(last - first) + (1 / timebase.rate if timebase.rate else 0.0)
        facts["n_segments"] = len(timebase.segments) or 1
        gaps = timebase.gaps()
        listed = list(islice(gaps, _MAX_GAPS))
        facts["n_gaps"] = len(listed) + sum(1 for _ in gaps)
        if listed:
            facts["gaps"] = [Gap(after_sample=sample - 1, seconds=s) for sample, s in listed]
    return facts


def _array(stream: Array) -> dict[str, Any]:
    return {
        "shape": list(stream.shape),
        "dtype": str(stream.dtype),
        "unit": stream.unit,
        "gain": _agreed(stream.gain),
        "offset": _agreed(stream.offset),
        "channels": list(stream.channel_names) or None,
        "electrodes": [f"{e.group}/{e.name}" for e in stream.electrodes]
        if stream.electrodes is not None
        else None,
    }


def _agreed(values: Any) -> list[float]:
    """One value where all agree, else all."""
    distinct = np.unique(values)
    return [float(distinct[0])] if distinct.size == 1 else [float(v) for v in values]


def render(document: InspectionDocument, width: int) -> str:
    """The document as text of at most `width` columns where that can be."""
    lines: list[str] = []
    for session in document.sessions:
        lines.append(f"session {session.id}")
        for source in session.sources:
            lines += _render_source(source, width)
    return "\n".join(lines) + "\n"


def _render_source(source: SourceInfo, width: int) -> list[str]:
    files = f"{count_text(source.files or 0, 'file')}, {size_text(source.size or 0)}"
    lines = [f"  source {source.id}: {source.title} ({source.format}), {files}"]
    lines += wrapped("evidence: " + source.evidence, 4, width)
    rows = [["stream", "role", "shape", "rate (Hz)", "duration", "gaps", "scale"]]
    for stream in source.streams:
        rows.append(
            [
                stream.address.partition("/")[2],
                stream.role,
                " x ".join(str(n) for n in stream.shape or ()),
                f"{stream.rate:.12g}" if stream.rate else "",
                f"{stream.duration_s:.3f} s" if stream.duration_s is not None else "",
                str(stream.n_gaps or ""),
                _scale(stream),
            ]
        )
    lines += ["    " + line for line in columns(rows)]
    for stream in source.streams:
        lines += _render_detail(stream, width)
    for relation in source.relations:
        kind = relation.kind.replace("_", " ")
        text = f"{kind} {relation.source}: {relation.evidence}"
        lines += wrapped(text, 4, width)
    for clock in source.clocks:
        anchor = "not anchored" if clock.how is None else f"{clock.session_offset_s} s, {clock.how}"
        text = f"clock {clock.id}: {anchor}"
        lines += wrapped(text + (f"; {clock.description}" if clock.description else ""), 4, width)
    for option in source.options:
        value = "" if option.value is None else f" (now {option.value})"
        takes = "|".join(option.choices) if option.choices else option.type.upper()
        text = f"--set {source.id}.{option.name}={takes}: {option.help}{value}"
        lines += wrapped(text, 4, width)
    for label, texts in (("note", source.notes), ("loss", source.losses)):
        for text in texts:
            lines += wrapped(f"{label}: {text}", 4, width)
    return lines


def _render_detail(stream: StreamInfo, width: int) -> list[str]:
    name = stream.address.partition("/")[2]
    lines: list[str] = []
    if stream.channels:
        lines += wrapped(f"{name}: channels {_short(stream.channels)}", 4, width)
    if stream.lines:
        lines += wrapped(f"{name}: columns {', '.join(stream.lines)}", 4, width)
    for gap in (stream.gaps or [])[:5]:
        text = f"{name}: {gap.seconds:+.6f} s between samples {gap.after_sample} and "
        lines += wrapped(f"{text}{gap.after_sample + 1}", 4, width)
    for key, value in stream.facts.items():
        lines += wrapped(f"{name}: {key} {value}", 4, width)
    return lines


def _short(names: Sequence[str]) -> str:
    if len(names) <= 12:
        return ", ".join(names)
    return f"{', '.join(names[:3])}, ... {names[-1]} ({len(names)})"


def _scale(stream: StreamInfo) -> str:
    if not stream.gain or stream.unit in (None, "n.a."):
        return ""
    unit = {"volts": "V", "amperes": "A"}.get(stream.unit, stream.unit)
    if len(stream.gain) == 1:
        return f"{stream.gain[0]:.6g} {unit}"
    return f"{min(stream.gain):.6g}..{max(stream.gain):.6g} {unit}"
