"""Writing one settled session: assemble, fill, prove, and the sidecar that says so."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from nwbkit import __version__
from nwbkit.depfile import make_rule
from nwbkit.errors import IOFailure
from nwbkit.plans import check_plan_used, planned
from nwbkit.preparing import Settled
from nwbkit.sidecar import make_sidecar
from nwbkit.streams import Array
from nwbkit.streams.turned import as_stored

if TYPE_CHECKING:
    from pynwb import NWBFile

    from nwbkit.convert import Request
    from nwbkit.documents.conversion import ConversionDocument
    from nwbkit.documents.sources import SourcesDocument
    from nwbkit.jobs import Job
    from nwbkit.nwb.assemble import Written
    from nwbkit.storage.digests import DatasetDigest
    from nwbkit.storage.holes import Hole
    from nwbkit.storage.pipeline import Filled
    from nwbkit.storage.planning import DatasetPlan
    from nwbkit.storage.publish import Publication
    from nwbkit.storage.stored import ReadInto

#: Array roles that one writer puts into one dataset as they are: their fill may begin early.
EARLY = {
    ("array", role)
    for role in ("raw", "lfp_band", "lfp", "analog", "sync", "two_photon", "one_photon")
}

#: ``(label, total bytes)`` -> a context manager whose value is called with bytes done.
ProgressFactory = Callable[[str, int], AbstractContextManager["Done"]]


class Done(Protocol):
    """What a progress bar is told."""

    def __call__(self, n_bytes: int) -> None:
        """`n_bytes` more are done."""

    def expect(self, total: int) -> None:
        """How many bytes there will be, once that is known."""


@dataclass
class Work:
    """A conversion under way."""

    request: Request
    settled: Settled
    identity: str
    plans: dict[str, dict[str, Any]]
    sources: SourcesDocument
    holes: list[Hole] = field(default_factory=list)
    begun: dict[str, Hole] = field(default_factory=dict)
    written: dict[str, Written] = field(default_factory=dict)
    expected: dict[str, DatasetDigest] = field(default_factory=dict)
    began: float = field(default_factory=time.perf_counter)
    measured: dict[str, Any] = field(default_factory=dict)
    parts: dict[str, str] = field(default_factory=dict)
    #: By key: the layouts of a job that was begun earlier.
    frozen: dict[str, DatasetPlan] = field(default_factory=dict)
    nwbfile: NWBFile | None = None
    #: ``OUT.sha256``, where it is wanted.
    sums: bytes | None = None

    @property
    def choices(self) -> dict[str, Any]:
        """What was asked for that changes what is written."""
        return {
            "segments": self.request.segments,
            "stub": self.request.stub,
            "salvage": self.request.salvage,
        }

    @property
    def content_identity(self) -> str:
        """The identity without the plan: chunks and codecs are no part of what a file says."""
        request = self.request
        return self.settled.identity(segments=request.segments, stub=request.stub)

    @property
    def passing(self) -> bool:
        """See :func:`nwbkit.storage.past.passes`."""
        from nwbkit.storage.backends import backend_of
        from nwbkit.storage.past import passes

        return passes(self.request.prove, backend_of(self.request.output))

    def clocked(self, name: str, began: float) -> None:
        """Record how long a step took, in seconds."""
        self.measured[name] = round(time.perf_counter() - began, 3)


def assemble_file(work: Work) -> NWBFile:
    """Build the NWBFile with holes, once; fills ``holes``, ``written`` and ``expected``."""
    if work.nwbfile is not None:
        return work.nwbfile
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
        source_script=f"nwbkit {__version__}, inputs {work.content_identity}",
        maps=settled.clocks.maps,
        remarks=settled.clocks.remarks,
        make_hole=make_hole,
        segments=work.request.segments,
        output=Path(work.request.output),
    )
    work.written, work.expected = assembled.written, assembled.expected
    check_plan_used(work.plans, [hole.key for hole in work.holes])
    work.nwbfile = assembled.nwbfile
    return work.nwbfile


def _hole(work: Work, key: str, array: Array) -> Hole:
    from nwbkit.storage.backends import backend_of
    from nwbkit.storage.holes import hole

    backend = backend_of(work.request.output)
    plan = work.frozen.get(key)
    if plan is None:
        plan = planned(work.plans, key, array.shape, array.dtype, backend)
    return hole(array.shape, array.dtype, plan, source=array, key=key, backend=backend)


def _begin(work: Work) -> list[Hole]:
    """Holes that can be known before pynwb is loaded: those of whole array streams."""
    if work.request.segments == "split":
        return []
    for address, stream in work.settled.streams:
        if not isinstance(stream, Array) or stream.timebase is None:
            continue  # a movie without a rate is refused: nothing of it is to be read before
        if (stream.kind, stream.role) in EARLY and stream.n_samples:
            key = f"{address}:data"
            work.begun[key] = _hole(work, key, as_stored(stream))
    return list(work.begun.values())


def _sentence(work: Work) -> str:
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


def write(
    work: Work, part: Path, progress: ProgressFactory, job: Job | None = None
) -> ConversionDocument:
    """Write, fill and prove the unpublished file; returns its sidecar.

    Parameters
    ----------
    work : Work
    part : Path
        The temporary file.
    progress : callable
    job : Job, optional
        Where what is encoded is kept meanwhile.
    """
    from nwbkit.storage.publish import output_size
    from nwbkit.storage.sealing import Sealing, blocks_kept
    from nwbkit.storage.summary import summarise

    request = work.request
    name = Path(request.output).name if request.checksum else None
    with progress("converting", 0) as done:
        filled = _fill(work, part, done) if job is None else _fill_job(work, part, done, job)
        # the bytes are final now: they go to the disk and are summed up beside the proof
        sweep = blocks_kept(request.prove, request.jobs, request.max_memory)
        with Sealing(part, sums_as=name, known=filled.sums, sweep=sweep) as sealing:
            if request.prove != "none":
                began = time.perf_counter()
                _prove(work, part, filled, done, sealing.read)
                work.clocked("prove_s", began)
            summary = summarise(part, filled.digests)
            checksum, work.sums = sealing.result()
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
        size=output_size(part),
        checksum=checksum,
        identity=work.identity,
        choices=work.choices,
        holes=work.holes,
        written=work.written,
        digests=filled.digests,
        summary=summary,
        prove=request.prove,
        measured=work.measured,
    )


def _fill(work: Work, part: Path, done: Done) -> Filled:
    """Skeleton and data; workers begin with the data while pynwb is still being imported."""
    from nwbkit.storage import pipeline

    request = work.request
    began = time.perf_counter()
    early = _begin(work)
    _expect(work, early, done)
    with pipeline.Filling(
        early, jobs=request.jobs, max_memory=request.max_memory, progress=done
    ) as filling:
        _write_skeleton(work, part)
        _expect(work, work.holes, done)
        work.clocked("skeleton_s", began)
        began = time.perf_counter()
        more = [h for h in work.holes if h not in early]
        filled = filling.finish(part, more, passing=work.passing)
        work.clocked("fill_s", began)
    return filled


def _fill_job(work: Work, part: Path, done: Done, job: Job) -> Filled:
    """What is missing in the job's packs, the skeleton, and all chunks out of the packs."""
    from nwbkit.storage.backends import sink_of

    request = work.request
    assemble_file(work)
    _expect(work, work.holes, done, passes=2)
    layout = job.layout(work.holes)
    began = time.perf_counter()
    if request.join:
        job.complete(layout)
        done(layout.bytes_of(layout.spans()))
    else:
        work.measured["read_bytes"] = job.fill(
            layout, jobs=request.jobs, max_memory=request.max_memory, progress=done
        )
        work.clocked("fill_s", began)
    _write_skeleton(work, part)
    began = time.perf_counter()
    with sink_of(part, layout.holes, passing=work.passing) as sink:
        filled = job.join(
            layout, sink, jobs=request.jobs, max_memory=request.max_memory, progress=done
        )
    work.clocked("join_s", began)
    return filled


def _expect(work: Work, holes: Sequence[Hole], done: Done, passes: int = 1) -> None:
    passes += work.request.prove == "full"
    done.expect(sum(h.nbytes for h in holes) * passes)


def _write_skeleton(work: Work, part: Path) -> None:
    from nwbkit.nwb.identity import assign_object_ids
    from nwbkit.nwb.skeleton import write_skeleton
    from nwbkit.storage.backends import backend_of
    from nwbkit.storage.holes import resolve
    from nwbkit.storage.protected import protect

    nwbfile = assemble_file(work)
    if backend_of(work.request.output) == "zarr":
        from nwbkit.nwb.zarr import zarr_skeleton
        from nwbkit.storage.zarr import write_files
        from nwbkit.storage.zarr_codecs import sealed, table_codec

        files = zarr_skeleton(
            nwbfile, part, work.settled.identifier, codec=table_codec(), seal=sealed
        )
        write_files(part, files)
        resolve(work.holes)
        return
    write_skeleton(nwbfile, part, lambda: resolve(work.holes), prepare=protect)
    assign_object_ids(part, work.settled.identifier)


def _prove(
    work: Work,
    part: Path,
    filled: Filled,
    done: Callable[[int], None],
    read: ReadInto | None,
) -> None:
    """Decode the unpublished file and hold it against what left the readers.

    With ``--prove full`` every chunk is decoded; with ``sample`` the stored bytes of every
    chunk are checked and a twentieth is decoded; all tables in both cases.

    Raises
    ------
    nwbkit.errors.IOFailure
        Where they differ; nothing is published then.
    """
    from nwbkit.proving import check_arrays, check_expected
    from nwbkit.storage.spot import spot_check

    request = work.request
    if request.prove == "sample":
        ledger = filled.ledger.by_path(work.holes)
        problems = spot_check(
            part, ledger, filled.digests, jobs=request.jobs, max_memory=request.max_memory
        )
    else:
        problems, _ = check_arrays(
            part,
            filled.digests,
            jobs=request.jobs,
            max_memory=request.max_memory,
            progress=done,
            read=read,
        )
    problems.update(check_expected(part, work.expected))
    for name, problem in problems.items():
        raise IOFailure(
            f"what was written is not what was read: '{name}' {problem}",
            hint="nothing was published; check the disk and memory of this machine, then run again",
        )


def publish(work: Work, publication: Publication, sidecar: ConversionDocument) -> None:
    """Give the finished file its name, its sidecar and its depfile."""
    from nwbkit.documents import envelope

    folder = Path(os.path.abspath(work.request.output)).parent
    text = envelope.dumps(sidecar, relative_to=folder)
    depfile = None
    if work.request.depfile:
        rule = make_rule(work.request.output, work.settled.session.files())
        depfile = (Path(work.request.depfile), os.fsencode(rule))
    publication.publish(text.encode(), depfile=depfile, sums=work.sums)
