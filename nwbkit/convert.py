"""convert: open the sources, assemble, fill, prove, publish."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nwbkit.dry_run import describe
from nwbkit.errors import OutputExists, UsageError
from nwbkit.existing import existing
from nwbkit.plans import read_plan
from nwbkit.preparing import merged_metadata, read_alignment, settle
from nwbkit.repack import repack, stored_session
from nwbkit.session import load_sources, open_session
from nwbkit.writing import Done, ProgressFactory, Work, assemble_file, publish, write

if TYPE_CHECKING:
    from nwbkit.documents.conversion import ConversionDocument
    from nwbkit.documents.sources import SourcesDocument
    from nwbkit.jobs import Job


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
    codec: str | None = None
    segments: str = "gaps"
    stub: float | None = None
    prove: str = "full"
    jobs: int = 1
    max_memory: int = 1 << 30
    tmp_dir: str | None = None
    overwrite: bool = False
    skip_existing: bool = False
    depfile: str | None = None
    checksum: bool = False
    dry_run: bool = False
    job: str | None = None
    join: bool = False


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
    out = Path(request.output)
    _check_request(request, out)
    document = load_sources(request.inputs, format=request.format)
    stored = stored_session(document, request.session)
    if stored is not None:
        return repack(request, stored, progress or _silent)
    with prepared(request, document) as work:
        settled, identity = work.settled, work.identity
        if request.dry_run:
            assemble_file(work)
            return Result(
                None,
                report=describe(
                    settled, request.output, request.timezone, work.holes, work.written
                ),
            )
        if request.skip_existing and out.exists():
            return Result(existing(settled, identity, out), skipped=True)
        sidecar = _published(work, progress or _silent)
        return Result(sidecar, status=3 if sidecar.losses else 0)


def _published(work: Work, progress: ProgressFactory) -> ConversionDocument:
    from nwbkit.storage.publish import Publication

    request = work.request
    tmp_dir = Path(request.tmp_dir) if request.tmp_dir else None
    with Publication(
        Path(request.output), overwrite=request.overwrite, tmp_dir=tmp_dir
    ) as publication:
        job = _job(work)
        sidecar = write(work, publication.part, progress, job)
        publish(work, publication, sidecar)
    if job is not None:
        job.remove()
    return sidecar


def _job(work: Work) -> Job | None:
    """The job that this conversion goes on with; a new one where there is none."""
    folder = work.request.job
    if folder is None:
        return None
    from nwbkit.jobs import JOB, Job
    from nwbkit.storage.jobs import Layout

    if (Path(folder) / JOB).exists() or work.request.join:
        job = Job.open(folder)
        job.check(work)
        work.frozen = job.plans(work.request.output)
        return job
    assemble_file(work)
    return Job.begin(folder, work, Layout.of(work.holes))


@contextmanager
def prepared(request: Request, document: SourcesDocument | None = None) -> Iterator[Work]:
    """Open and settle the session of a request; nothing is written yet."""
    from nwbkit.storage.backends import backend_of

    if document is None:
        document = load_sources(request.inputs, format=request.format)
    with open_session(
        document,
        session=request.session,
        sets=request.sets,
        only=request.only,
        exclude=request.exclude,
        salvage=request.salvage,
    ) as session:
        settled = settle(
            session,
            metadata=merged_metadata(session, request.metadata, request.set_meta),
            timezone=request.timezone,
            offsets=request.offsets,
            aligned=read_alignment(request.alignment),
            unaligned=request.unaligned,
            stub=request.stub,
        )
        backend = backend_of(request.output)
        plans = read_plan(request.plan, settled, codec=request.codec, backend=backend)
        choices = {"plan": plans, "segments": request.segments, "stub": request.stub}
        work = Work(request, settled, settled.identity(**choices), plans, document)
        work.parts = settled.parts(**choices)
        yield work


def _check_request(request: Request, out: Path) -> None:
    if not out.name.endswith((".nwb", ".nwb.zarr")):
        hint = "-o OUT.nwb.zarr" if out.suffix == ".zarr" else "-o OUT.nwb, or -o OUT.nwb.zarr"
        raise UsageError(f"'{request.output}' does not end in .nwb or .nwb.zarr", hint=hint)
    if out.name.endswith(".nwb.zarr"):
        from nwbkit.nwb.zarr import need_zarr

        need_zarr()
    if request.overwrite and request.skip_existing:
        raise UsageError("--overwrite and --skip-existing exclude each other")
    if request.stub is not None and not request.stub > 0:
        raise UsageError(f"'--stub' takes a positive number of seconds, not '{request.stub}'")
    if not (request.overwrite or request.skip_existing or request.dry_run) and out.exists():
        raise OutputExists(f"'{out}' exists", hint="--overwrite, or --skip-existing")


class _Silence:
    """Progress that nobody looks at."""

    def __call__(self, n_bytes: int) -> None:
        pass

    def expect(self, total: int) -> None:
        pass


@contextmanager
def _silent(label: str, total: int) -> Iterator[Done]:
    yield _Silence()
