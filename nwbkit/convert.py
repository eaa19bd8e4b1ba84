"""convert: open the sources, assemble, fill, prove, publish."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nwbkit import __version__
from nwbkit.depfile import make_rule
from nwbkit.dry_run import describe
from nwbkit.errors import IOFailure, OutputExists, UsageError
from nwbkit.existing import existing
from nwbkit.preparing import (
    Settled,
    merged_metadata,
    planned,
    read_alignment,
    read_plan,
    settle,
)
from nwbkit.session import load_sources, open_session
from nwbkit.sidecar import make_sidecar
from nwbkit.streams import Array

if TYPE_CHECKING:
    from pynwb import NWBFile

    from nwbkit.documents.conversion import ConversionDocument
    from nwbkit.nwb.assemble import Written
    from nwbkit.storage.digests import DatasetDigest
    from nwbkit.storage.holes import Hole
    from nwbkit.storage.publish import Publication

#: Array roles that one writer puts into one dataset as they are: their fill may begin early.
EARLY = {("array", role) for role in ("raw", "lfp_band", "lfp", "analog", "sync")}

#: ``(label, total bytes)`` -> a context manager whose value is called with bytes done.
ProgressFactory = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]


@dataclass(frozen=True)
class Request:
    """What one convert is asked to do; see the command's options for each field."""

    inputs: Sequence[str]
    output: str
    format: str | None = None
    session: str | None = None
    sets: Sequence[str] = ()
    only: Sequence[str] = ()
    exclude: Sequence[str] = ()
    salvage: bool = False
    metadata: Sequence[str] = ()
    set_meta: Sequence[str] = ()
    timezone: str | None = None
    offsets: Sequence[str] = ()
    unaligned: str | None = None
    alignment: str | None = None
    plan: str | None = None
    segments: str = "gaps"
    stub: float | None = None
    prove: str = "full"
    jobs: int = 1
    max_memory: int = 1 << 30
    tmp_dir: str | None = None
    overwrite: bool = False
    skip_existing: bool = False
    depfile: str | None = None
    dry_run: bool = False


@dataclass
class Result:
    """What came of it.

    Attributes
    ----------
    document : ConversionDocument
        The sidecar; None on a dry run.
    status : int
        0, or 3 where ``--salvage`` lost something.
    report : str
        On a dry run: what would be written.
    skipped : bool
        ``--skip-existing`` found the output made from the same inputs.
    """

    document: ConversionDocument | None
    status: int = 0
    report: str | None = None
    skipped: bool = False


@dataclass
class _Work:
    """A conversion under way."""

    request: Request
    settled: Settled
    identity: str
    plans: dict[str, dict[str, Any]]
    holes: list[Hole] = field(default_factory=list)
    begun: dict[str, Hole] = field(default_factory=dict)
    written: dict[str, Written] = field(default_factory=dict)
    expected: dict[str, DatasetDigest] = field(default_factory=dict)
    began: float = field(default_factory=time.perf_counter)
    measured: dict[str, Any] = field(default_factory=dict)

    @property
    def choices(self) -> dict[str, Any]:
        """What was asked for that changes what is written."""
        return {
            "segments": self.request.segments,
            "stub": self.request.stub,
            "salvage": self.request.salvage,
        }

    def clocked(self, name: str, began: float) -> None:
        """Record how long a step took, in seconds."""
        self.measured[name] = round(time.perf_counter() - began, 3)


def convert(request: Request, *, progress: ProgressFactory | None = None) -> Result:
    """Convert one session into one proven NWB file.

    Parameters
    ----------
    request : Request
    progress : callable, optional
        Makes the progress bar.

    Raises
    ------
    nwbkit.errors.NwbkitError
        Whatever went wrong; an output that was there before is untouched then.
    """
    from nwbkit.storage.publish import Publication

    out = Path(request.output)
    _check_request(request, out)
    document = load_sources(request.inputs, format=request.format)
    with open_session(
        document,
        session=request.session,
        sets=request.sets,
        only=request.only,
        exclude=request.exclude,
        salvage=request.salvage,
    ) as session:
        metadata = merged_metadata(session, request.metadata, request.set_meta)
        settled = settle(
            session,
            metadata=metadata,
            timezone=request.timezone,
            offsets=request.offsets,
            aligned=read_alignment(request.alignment),
            unaligned=request.unaligned,
            stub=request.stub,
        )
        plans = read_plan(request.plan)
        identity = settled.identity(plan=plans, segments=request.segments, stub=request.stub)
        work = _Work(request, settled, identity, plans)
        if request.dry_run:
            _assemble(work)
            return Result(
                None,
                report=describe(
                    settled, request.output, request.timezone, work.holes, work.written
                ),
            )
        if request.skip_existing and out.exists():
            return Result(existing(settled, identity, out), skipped=True)
        tmp_dir = Path(request.tmp_dir) if request.tmp_dir else None
        with Publication(out, overwrite=request.overwrite, tmp_dir=tmp_dir) as publication:
            sidecar = _write(work, publication.part, progress or _silent)
            _publish(work, publication, sidecar)
        return Result(sidecar, status=3 if sidecar.losses else 0)


def _check_request(request: Request, out: Path) -> None:
    if not out.name.endswith(".nwb"):
        if out.name.endswith(".nwb.zarr"):
            raise UsageError("Zarr output is not available in this version", hint="-o OUT.nwb")
        raise UsageError(f"'{request.output}' does not end in .nwb", hint="-o OUT.nwb")
    if request.overwrite and request.skip_existing:
        raise UsageError("--overwrite and --skip-existing exclude each other")
    if request.stub is not None and not request.stub > 0:
        raise UsageError(f"'--stub' takes a positive number of seconds, not '{request.stub}'")
    if not (request.overwrite or request.skip_existing or request.dry_run) and out.exists():
        raise OutputExists(f"'{out}' exists", hint="--overwrite, or --skip-existing")


def _assemble(work: _Work) -> NWBFile:
    """Build the NWBFile with holes; fills ``work.holes``, ``work.written``, ``work.expected``."""
    from nwbkit.nwb.assemble import assemble
    from nwbkit.nwb.library import load_pynwb

    load_pynwb()

    def make_hole(key: str, array: Array) -> Any:
        made = work.begun.get(key)
        if made is None or made.source is not array:
            made = _hole(work, key, array)
        work.holes.append(made)
        return made.placeholder

    settled = work.settled
    assembled = assemble(
        settled.streams,
        settled.facts,
        identifier=settled.identifier,
        start=settled.start,
        description=_sentence(work),
        source_script=f"nwbkit {__version__}, inputs {work.identity}",
        maps=settled.clocks.maps,
        remarks=settled.clocks.remarks,
        make_hole=make_hole,
        segments=work.request.segments,
        output=Path(work.request.output),
    )
    work.written, work.expected = assembled.written, assembled.expected
    return assembled.nwbfile


def _hole(work: _Work, key: str, array: Array) -> Hole:
    from nwbkit.storage.holes import hole

    plan = planned(work.plans, key, array.shape, array.dtype)
    return hole(array.shape, array.dtype, plan, source=array, key=key)


def _begin(work: _Work) -> list[Hole]:
    """Holes that can be known before pynwb is loaded: those of whole array streams."""
    if work.request.segments == "split":
        return []
    for address, stream in work.settled.streams:
        if isinstance(stream, Array) and (stream.kind, stream.role) in EARLY and stream.n_samples:
            key = f"{address}:data"
            work.begun[key] = _hole(work, key, stream)
    return list(work.begun.values())


def _sentence(work: _Work) -> str:
    """What the session is, in one factual sentence: formats, names, streams."""
    from nwbkit.formats import registry

    known = registry.formats()
    readers = work.settled.session.readers
    parts = []
    for reader in readers:
        streams = [a.partition("/")[2] for a, _ in work.settled.streams if _of(a, reader.source.id)]
        if streams:
            title = known[reader.source.format].title
            parts.append(f"{title} '{reader.source.id}' ({', '.join(streams)})")
    return "; ".join(parts)


def _of(address: str, source_id: str) -> bool:
    return address.partition("/")[0] == source_id


def _write(work: _Work, part: Path, progress: ProgressFactory) -> ConversionDocument:
    """Write, fill and prove the unpublished file; returns its sidecar."""
    from nwbkit.nwb.identity import assign_object_ids
    from nwbkit.nwb.skeleton import write_skeleton
    from nwbkit.storage import pipeline
    from nwbkit.storage.holes import resolve
    from nwbkit.storage.summary import summarise

    request = work.request
    began = time.perf_counter()
    early = _begin(work)
    total = sum(h.nbytes for h in early)
    with (
        ThreadPoolExecutor(1) as aside,
        progress("converting", total * (2 if request.prove == "full" else 1)) as done,
        pipeline.Filling(
            early, jobs=request.jobs, max_memory=request.max_memory, progress=done
        ) as filling,
    ):
        nwbfile = _assemble(work)
        write_skeleton(nwbfile, part, lambda: resolve(work.holes))
        assign_object_ids(part, work.settled.identifier)
        work.clocked("skeleton_s", began)
        began = time.perf_counter()
        filled = filling.finish(part, [h for h in work.holes if h not in early])
        work.clocked("fill_s", began)
        # the bytes are final now: they go to the disk and are summed up beside the proof
        checksum = aside.submit(_seal, part)
        if request.prove != "none":
            began = time.perf_counter()
            _prove(work, part, filled.digests, done)
            work.clocked("prove_s", began)
        summary = summarise(part, filled.digests)
    work.measured.update(
        raw_bytes=filled.measured.raw,
        stored_bytes=filled.measured.stored,
        workers=filled.measured.workers,
        lock_wait_s=round(filled.measured.lock_wait_s, 3),
        total_s=round(time.perf_counter() - work.began, 3),
    )
    return make_sidecar(
        work.settled,
        output=Path(request.output),
        size=part.stat().st_size,
        checksum=checksum.result(),
        identity=work.identity,
        choices=work.choices,
        holes=work.holes,
        written=work.written,
        digests=filled.digests,
        summary=summary,
        prove=request.prove,
        measured=work.measured,
    )


def _seal(part: Path) -> str:
    from nwbkit.storage.publish import file_checksum, sync

    sync(part)
    return file_checksum(part)


def _prove(
    work: _Work, part: Path, digests: dict[str, DatasetDigest], done: Callable[[int], None]
) -> None:
    """Decode the unpublished file and hold it against what left the readers.

    With ``--prove full`` every chunk, with ``sample`` every twentieth block of rows; all
    tables in both cases.

    Raises
    ------
    nwbkit.errors.IOFailure
        Where they differ; nothing is published then.
    """
    from nwbkit.proving import check_arrays, check_expected, check_sample

    request = work.request
    if request.prove == "sample":
        problems = check_sample(part, digests)
    else:
        problems, _ = check_arrays(
            part, digests, jobs=request.jobs, max_memory=request.max_memory, progress=done
        )
    problems.update(check_expected(part, work.expected))
    for name, problem in problems.items():
        raise IOFailure(
            f"what was written is not what was read: '{name}' {problem}",
            hint="nothing was published; check the disk and memory of this machine, then run again",
        )


def _publish(work: _Work, publication: Publication, sidecar: ConversionDocument) -> None:
    from nwbkit.documents import envelope

    folder = Path(os.path.abspath(work.request.output)).parent
    text = envelope.dumps(sidecar, relative_to=folder)
    depfile = None
    if work.request.depfile:
        rule = make_rule(work.request.output, work.settled.session.files())
        depfile = (Path(work.request.depfile), os.fsencode(rule))
    publication.publish(text.encode(), depfile=depfile)


@contextmanager
def _silent(label: str, total: int) -> Iterator[Callable[[int], None]]:
    yield lambda done: None
