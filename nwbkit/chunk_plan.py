"""chunk-plan: for each dataset a chunk shape and a codec, tried on samples of its data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nwbkit.errors import UsageError
from nwbkit.plans import source_digests
from nwbkit.preparing import Settled, body_of, merged_metadata, read_alignment, settle
from nwbkit.repack import stored_session
from nwbkit.repack_work import stored_holes
from nwbkit.session import load_sources, open_session
from nwbkit.text import size_text, table

if TYPE_CHECKING:
    from nwbkit.documents.metadata import MetadataDocument
    from nwbkit.documents.plan import Expected, PlanDocument
    from nwbkit.documents.sources import SessionEntry
    from nwbkit.session import OpenSession
    from nwbkit.storage.backends import Backend
    from nwbkit.storage.holes import Hole
    from nwbkit.storage.sampling import Trial

#: Stands in where nobody says when the session began: no chunk depends on it.
_SOME_TIME = "NWBFile.session_start_time=1970-01-01T00:00:00+00:00"


@dataclass(frozen=True)
class Request:
    """What a chunk-plan is asked for; see the command's options for each field."""

    inputs: Sequence[str]
    use: str = "analysis"
    backend: str = "hdf5"
    codec: str | None = None
    measure: bool = True
    format: str | None = None
    session: str | None = None
    sets: Sequence[str] = ()
    only: Sequence[str] = ()
    exclude: Sequence[str] = ()
    salvage: bool = False
    metadata: Sequence[str] = ()
    set_meta: Sequence[str] = ()
    offsets: Sequence[str] = ()
    alignment: str | None = None


@dataclass
class _Choice:
    """A dataset with what was tried on it."""

    hole: Hole
    chosen: Trial
    trials: list[Trial]
    expected: Expected


def chunk_plan(request: Request) -> tuple[PlanDocument, list[str]]:
    """Plan the datasets of one session.

    Returns
    -------
    PlanDocument
    losses : list of str
        With ``--salvage``: what of the sources could not be read.

    Raises
    ------
    nwbkit.errors.NwbkitError
        Where a source cannot be opened or read.
    """
    from nwbkit.storage.codec import require
    from nwbkit.storage.planning import parse_codec
    from nwbkit.storage.policies import POLICIES

    check_use(request.use, request.backend)
    codec = parse_codec(request.codec) if request.codec is not None else None
    policy = POLICIES[request.backend, request.use]
    for name in [codec[0]] if codec is not None else [name for name, _ in policy.codecs]:
        require(name)
    found = load_sources(request.inputs, format=request.format)
    stored = stored_session(found, request.session)
    if stored is not None:
        return _plan_stored(request, stored, codec), []
    with open_session(
        found,
        session=request.session,
        sets=request.sets,
        only=request.only,
        exclude=request.exclude,
        salvage=request.salvage,
    ) as session:
        settled = _settled(session, request)
        holes = _holes(settled)
        choices = [_choose(hole, request, codec, len(holes)) for hole in holes]
        sources = source_digests(session, settled.fingerprints)
        document = _document(request, list(settled.fingerprints), sources, choices)
        losses = [loss for reader in session.readers for loss in reader.losses]
    return document, losses


def _plan_stored(
    request: Request, entry: SessionEntry, codec: tuple[str, int | None] | None
) -> PlanDocument:
    """Plan the datasets of an NWB file: keys are their paths."""
    backend: Backend = "zarr" if request.backend == "zarr" else "hdf5"
    with stored_holes(entry, backend) as (holes, path, fingerprint):
        choices = [_choose(hole, request, codec, len(holes)) for hole in holes]
        return _document(request, [path], {entry.sources[0].id: fingerprint}, choices)


def _settled(session: OpenSession, request: Request) -> Settled:
    metadata = merged_metadata(session, request.metadata, request.set_meta)
    return settle(
        session,
        metadata=_dated(metadata),
        timezone="UTC",
        offsets=request.offsets,
        aligned=read_alignment(request.alignment),
        unaligned="keep",
    )


def _dated(metadata: MetadataDocument) -> MetadataDocument:
    from nwbkit.metadata.merge import apply_set

    if body_of(metadata).get("NWBFile", {}).get("session_start_time") is not None:
        return metadata
    return apply_set(metadata, _SOME_TIME)


def _holes(settled: Settled) -> list[Hole]:
    """Every dataset that convert would fill, found by putting the file together as it does."""
    from nwbkit.nwb.assemble import assemble
    from nwbkit.nwb.library import load_pynwb
    from nwbkit.storage.holes import hole

    load_pynwb()
    holes: list[Hole] = []

    def make_hole(key: str, array: Any) -> Any:
        holes.append(hole(array.shape, array.dtype, source=array, key=key))
        return holes[-1].placeholder

    assemble(
        settled.streams,
        settled.facts,
        identifier=settled.identifier,
        start=settled.start,
        description="",
        source_script="",
        maps=settled.clocks.maps,
        remarks=settled.clocks.remarks,
        make_hole=make_hole,
    )
    return holes


def _choose(
    hole: Hole, request: Request, codec: tuple[str, int | None] | None, n_holes: int
) -> _Choice:
    from nwbkit.documents.plan import Expected
    from nwbkit.storage.planning import peak_memory
    from nwbkit.storage.policies import POLICIES, candidates, n_objects
    from nwbkit.storage.sampling import (
        DATASET_BYTES,
        SESSION_BYTES,
        Trial,
        blocks_of,
        choose,
        try_plan,
    )

    policy = POLICIES[request.backend, request.use]
    plans = candidates(hole.shape, hole.dtype, policy, request.backend, codec)
    if not plans[0].chunks:
        trials = [Trial(plans[0], 0, 0, 0.0, 0.0)]
    else:
        budget = min(DATASET_BYTES, SESSION_BYTES // n_holes)
        blocks = blocks_of(hole.source, hole.shape, plans[0].chunks[0], budget)
        trials = [try_plan(blocks, plan, request.backend) for plan in plans]
    chosen = choose(trials, policy.saving)
    expected = Expected(
        raw_bytes=hole.nbytes,
        stored_bytes=round(hole.nbytes / chosen.ratio),
        ratio=_digits(chosen.ratio),
        objects=n_objects(chosen.plan, hole.shape, request.backend),
        memory_bytes=peak_memory(chosen.plan, hole.shape, hole.dtype),
    )
    return _Choice(hole, chosen, trials, expected)


def _document(
    request: Request,
    paths: Sequence[Path],
    sources: dict[str, str],
    choices: Sequence[_Choice],
) -> PlanDocument:
    from nwbkit.documents.envelope import InputRef
    from nwbkit.documents.plan import Expected, PlanDocument

    all_expected = {c.hole.key: c.expected for c in choices}
    stored = sum(e.stored_bytes for e in all_expected.values())
    raw = sum(e.raw_bytes for e in all_expected.values())
    total = Expected(
        raw_bytes=raw,
        stored_bytes=stored,
        ratio=_digits(raw / stored) if stored else None,
        objects=sum(e.objects or 0 for e in all_expected.values()),
        memory_bytes=max((e.memory_bytes or 0 for e in all_expected.values()), default=0),
    )
    return PlanDocument(
        inputs=[InputRef(path=p, size=p.stat().st_size) for p in paths],
        for_=request.use,
        backend=request.backend,
        sources=sources,
        datasets={c.hole.key: _entry(c.chosen) for c in choices},
        expected=all_expected,
        total=total,
        measured=_measured(choices) if request.measure else None,
    )


def _entry(trial: Trial) -> Any:
    from nwbkit.documents.plan import DatasetPlan

    plan = trial.plan
    if not plan.chunks:
        return DatasetPlan()
    return DatasetPlan(
        chunks=list(plan.chunks),
        codec=plan.codec,
        level=plan.level,
        shuffle=plan.shuffle,
        fletcher32=plan.fletcher32,
    )


def _measured(choices: Sequence[_Choice]) -> dict[str, Any]:
    """Speeds on one core of this machine, of all that was tried, and what follows from them."""
    datasets: dict[str, Any] = {}
    total = 0.0
    for choice in choices:
        chosen = choice.chosen
        seconds = choice.hole.nbytes * chosen.encode_s / chosen.raw if chosen.raw else 0.0
        total += seconds
        datasets[choice.hole.key] = {
            "encode_s": _digits(seconds),
            "tried": [_trial(t) for t in choice.trials if t.raw],
        }
    return {"datasets": datasets, "encode_s": _digits(total)}


def _trial(trial: Trial) -> dict[str, Any]:
    return {
        "codec": trial.plan.codec,
        "level": trial.plan.level,
        "shuffle": trial.plan.shuffle,
        "ratio": _digits(trial.ratio),
        "encode_mb_s": _digits(trial.raw / max(trial.encode_s, 1e-9) / 1e6),
        "decode_mb_s": _digits(trial.raw / max(trial.decode_s, 1e-9) / 1e6),
    }


def _digits(value: float) -> float:
    """Four significant digits: more would be noise."""
    return float(np.format_float_positional(value, 4, unique=False, fractional=False))


def render(document: PlanDocument, width: int) -> str:
    """A plan as a table for a terminal."""
    from nwbkit.storage.planning import unreadable_by

    measured = (document.measured or {}).get("datasets", {})
    header = ["DATASET", "CHUNKS", "CODEC", "RAW", "STORED", "RATIO", "OBJECTS", "MEMORY"]
    if measured:
        header.append("ENCODE")
    rows = []
    for key, plan in document.datasets.items():
        row = [key, "x".join(str(n) for n in plan.chunks or ()) or "whole", codec_text(plan)]
        row += _figures((document.expected or {}).get(key))
        if measured:
            seconds = measured.get(key, {}).get("encode_s")
            row.append(f"{seconds:.1f} s" if seconds is not None else "")
        rows.append(row)
    if document.total is not None:
        rows.append(["total", "", "", *_figures(document.total)])
        if measured:
            rows[-1].append(f"{(document.measured or {}).get('encode_s', 0):.1f} s")
    # on a narrow terminal an address is worth more than a figure that the document has as well
    while len(header) > _ALWAYS and _natural([header, *rows]) > width:
        header.pop()
        rows = [row[: len(header)] for row in rows]
    text = table(header, rows, width=width, right=tuple(range(3, len(header))))
    who = unreadable_by(p.codec for p in document.datasets.values() if p.codec)
    if document.backend == "hdf5" and who:
        text += f"\n{who}"
    return text


#: Columns of the table that are shown at any width.
_ALWAYS = 6


def _natural(rows: Sequence[Sequence[str]]) -> int:
    """Width of a table that wraps nothing."""
    return sum(max(map(len, column)) + 2 for column in zip(*rows, strict=True)) - 2


def codec_text(plan: Any) -> str:
    """``gzip:1 shuffle``, of a plan as a document or a hole has it."""
    if plan.codec is None:
        return ""
    parts = [plan.codec if plan.codec == "none" else f"{plan.codec}:{plan.level}"]
    parts += ["shuffle"] if plan.shuffle and plan.codec != "none" else []
    parts += ["fletcher32"] if plan.fletcher32 else []
    return " ".join(parts)


def _figures(expected: Expected | None) -> list[str]:
    if expected is None:
        return [""] * 5
    return [
        size_text(expected.raw_bytes),
        size_text(expected.stored_bytes),
        f"{expected.ratio:.2f}" if expected.ratio is not None else "",
        str(expected.objects) if expected.objects is not None else "",
        size_text(expected.memory_bytes) if expected.memory_bytes is not None else "",
    ]


def check_use(use: str, backend: str) -> None:
    """Refuse what there is no policy for.

    Raises
    ------
    nwbkit.errors.UsageError
    """
    from nwbkit.storage.policies import POLICIES

    if (backend, use) not in POLICIES:
        uses = ", ".join(u for b, u in POLICIES if b == backend)
        raise UsageError(f"no chunks are known for '{use}' on '{backend}'", hint=f"uses: {uses}")
