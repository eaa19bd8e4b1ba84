"""Job folders: a conversion that survives its process, or is spread over many.

``convert --job DIR`` keeps what it has encoded in DIR, so that the same command goes on where
a killed one ended. ``convert --init JOB``, ``--fill JOB --part K/N`` and ``--join JOB -o OUT``
are the same three steps by themselves, the second one on any number of hosts at once.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nwbkit.errors import DocumentError, IOFailure, NoInput, OutputExists, OutputRefused, TryAgain
from nwbkit.storage.backends import SUFFIXES, backend_of
from nwbkit.text import size_text

if TYPE_CHECKING:
    from nwbkit.convert import Request
    from nwbkit.documents.job import HoleEntry, JobDocument
    from nwbkit.storage.holes import Hole
    from nwbkit.storage.jobs import Layout
    from nwbkit.storage.packs import Slab
    from nwbkit.storage.pipeline import Filled, Progress, Sink
    from nwbkit.storage.planning import DatasetPlan
    from nwbkit.writing import Work

JOB, SOURCES = "job.json", "sources.json"

#: What of a request is frozen; the rest (jobs, memory, output, --overwrite) is each run's own.
_PLAIN = (
    "session",
    "sets",
    "only",
    "exclude",
    "salvage",
    "set_meta",
    "timezone",
    "offsets",
    "unaligned",
    "segments",
    "stub",
    "codec",
)
_FILES = {"metadata": "metadata", "alignment": "alignment", "plan": "plan"}


@dataclass(frozen=True)
class Job:
    """A job folder.

    Parameters
    ----------
    folder : Path
    document : JobDocument
    """

    folder: Path
    document: JobDocument

    @classmethod
    def open(cls, folder: str | Path) -> Job:
        """The job in `folder`.

        Raises
        ------
        nwbkit.errors.NoInput
            Where there is none.
        """
        from nwbkit.documents import envelope
        from nwbkit.documents.job import JobDocument

        folder = Path(folder)
        if not (folder / JOB).exists():
            raise NoInput(
                f"there is no job in '{folder}'", hint=f"nwbkit convert --init '{folder}' SOURCES"
            )
        return cls(folder, envelope.read(folder / JOB, JobDocument))

    @classmethod
    def begin(cls, folder: str | Path, work: Work, layout: Layout) -> Job:
        """Write down a settled conversion, its holes and its slabs.

        Raises
        ------
        nwbkit.errors.OutputExists
            Where the folder holds something else.
        nwbkit.errors.OutputRefused
            Where it cannot be made.
        """
        from nwbkit.documents import envelope
        from nwbkit.documents.job import JobDocument

        folder = Path(folder)
        _make(folder)
        frozen = _freeze(folder, work)
        document = JobDocument(
            identity=work.identity,
            parts=work.parts,
            backend=SUFFIXES[backend_of(work.request.output)],
            request=frozen,
            holes=[_entry(hole) for hole in layout.holes],
            slab_rows=layout.slab_rows,
        )
        # last: a folder without it holds no job
        envelope.write(document, folder / JOB)
        return cls(folder, document)

    def request(self, **own: Any) -> Request:
        """The frozen request; `own` is what this run decides for itself."""
        from nwbkit.convert import Request

        frozen = {k: v for k, v in self.document.request.items() if v is not None}
        for name in _FILES:
            value = frozen.get(name)
            if isinstance(value, str):
                frozen[name] = str(self.folder / value)
            elif value is not None:
                frozen[name] = [str(self.folder / v) for v in value]
        return Request(**{"inputs": [str(self.folder / SOURCES)], **frozen, **own})

    def check(self, work: Work) -> None:
        """Refuse to go on with other inputs than those the job was made from.

        Raises
        ------
        nwbkit.errors.DocumentError
            It says what has changed.
        """
        if work.identity == self.document.identity:
            return
        changed = [name for name, digest in work.parts.items() if _differs(self, name, digest)]
        what = " and ".join(changed) or "nwbkit's version"
        raise DocumentError(
            f"job '{self.folder}' was made from other inputs: {what} changed",
            hint=f"remove '{self.folder}' to begin anew",
        )

    def plans(self, output: str) -> dict[str, DatasetPlan]:
        """The frozen layout of each hole, for an output of this name.

        Shuffled and deflated chunks are the same bytes in HDF5 and in Zarr, so that a job for
        one can be joined for the other; chunks of other codecs are not.

        Raises
        ------
        nwbkit.errors.DocumentError
            Where the job's chunks are not those of the back end.
        """
        from nwbkit.storage.planning import DatasetPlan

        backend = SUFFIXES[backend_of(output)]
        both = all(e.codec == "gzip" and not e.fletcher32 for e in self.document.holes if e.chunks)
        if backend != self.document.backend and not both:
            raise DocumentError(
                f"job '{self.folder}' was made for an output that ends in {self.document.backend}, "
                f"not in {backend}",
                hint=f"-o OUT{self.document.backend}, or begin anew with --init and that -o",
            )
        return {
            e.key: DatasetPlan(
                tuple(e.chunks), e.codec, e.level, e.shuffle, fletcher32=e.fletcher32
            )
            for e in self.document.holes
        }

    def layout(self, holes: Sequence[Hole]) -> Layout:
        """The frozen slabs over `holes`.

        Raises
        ------
        nwbkit.errors.DocumentError
            Where the holes are not those of the job.
        """
        from nwbkit.storage.jobs import Layout

        if [_entry(hole) for hole in holes] != self.document.holes:
            raise DocumentError(
                f"job '{self.folder}' is laid out otherwise than this nwbkit does it",
                hint=f"remove '{self.folder}' to begin anew",
            )
        return Layout(list(holes), list(self.document.slab_rows))

    def done(self, layout: Layout, *, check: bool) -> dict[tuple[int, int], Slab]:
        """The slabs that are there, by feed and first row; `check` reads all of their bytes."""
        from nwbkit.storage import packs

        spans = set(layout.spans())
        found = (s for s in packs.slabs_of(self.folder) if (s.feed, s.start, s.stop) in spans)
        return {(s.feed, s.start): s for s in (packs.intact(found) if check else found)}

    def fill(
        self,
        layout: Layout,
        *,
        part: tuple[int, int] = (0, 1),
        jobs: int,
        max_memory: int,
        progress: Progress | None = None,
    ) -> int:
        """Encode what is missing of part K of N; returns the bytes of rows read."""
        from nwbkit.storage.jobs import fill_packs
        from nwbkit.storage.room import check_room

        done = self.done(layout, check=True)
        wanted = layout.part(*part)
        todo = [span for span in wanted if span[:2] not in done]
        read = layout.bytes_of(todo)
        if progress is not None:
            progress(layout.bytes_of(wanted) - read)
        check_room(self.folder, layout.holes, share=read / max(1, layout.bytes_of(layout.spans())))
        fill_packs(layout, todo, self.folder, jobs=jobs, max_memory=max_memory, progress=progress)
        return read

    def join(
        self,
        layout: Layout,
        sink: Sink,
        *,
        jobs: int,
        max_memory: int,
        progress: Progress | None = None,
    ) -> Filled:
        """Copy all chunks into `sink`."""
        from nwbkit.storage.jobs import Joined

        slabs = self.complete(layout)
        joined = Joined(layout, list(slabs.values()))
        return joined.write(sink, jobs=jobs, max_memory=max_memory, progress=progress)

    def complete(self, layout: Layout) -> dict[tuple[int, int], Slab]:
        """Every slab of the job.

        Raises
        ------
        nwbkit.errors.TryAgain
            Where some are not there yet.
        """
        slabs = self.done(layout, check=False)
        missing = [span for span in layout.spans() if span[:2] not in slabs]
        if missing:
            share = layout.bytes_of(missing)
            raise TryAgain(
                f"job '{self.folder}' is not finished: {size_text(share)} of "
                f"{size_text(layout.bytes_of(layout.spans()))} are still to be read",
                hint=f"nwbkit convert --fill '{self.folder}' does what is missing",
            )
        return slabs

    def remove(self) -> None:
        """Remove what the job has put into its folder, and the folder where that was all."""
        from nwbkit.storage import packs

        packs.remove(self.folder)
        names = [self.folder / JOB, self.folder / SOURCES]
        names += [p for stem in _FILES.values() for p in self.folder.glob(f"{stem}-*")]
        for path in names:
            path.unlink(missing_ok=True)
        if not any(self.folder.iterdir()):
            self.folder.rmdir()


def _differs(job: Job, name: str, digest: str) -> bool:
    return job.document.parts.get(name) != digest


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        strange = [p.name for p in folder.iterdir() if not _ours(p.name)]
    except OSError as error:
        reason = os.strerror(error.errno or 0).lower()
        raise OutputRefused(f"cannot create job folder '{folder}': {reason}") from error
    if strange:
        raise OutputExists(
            f"'{folder}' is no job folder: it holds '{min(strange)}'", hint="name an empty folder"
        )


def _ours(name: str) -> bool:
    return name in (JOB, SOURCES) or name.startswith(("pack-", ".", *_FILES.values()))


def _freeze(folder: Path, work: Work) -> dict[str, Any]:
    """Copy what the request refers to into the folder; the request as plain data."""
    from nwbkit.documents import envelope

    envelope.write(work.sources, folder / SOURCES)
    values = asdict(work.request)
    frozen = {name: values[name] for name in _PLAIN if values.get(name) not in (None, (), [])}
    for name, stem in _FILES.items():
        given = values.get(name)
        if not given:
            continue
        many = not isinstance(given, str)
        copies = []
        for number, path in enumerate(given if many else [given]):
            copy = f"{stem}-{number}{Path(path).suffix}"
            try:
                if path == "-":
                    (folder / copy).write_bytes(envelope.stdin_again())
                else:
                    shutil.copyfile(path, folder / copy)
            except OSError as error:
                reason = os.strerror(error.errno or 0).lower()
                raise IOFailure(f"cannot copy '{path}' to '{folder}': {reason}") from error
            copies.append(copy)
        frozen[name] = copies if many else copies[0]
    return {k: list(v) if isinstance(v, tuple) else v for k, v in frozen.items()}


def _entry(hole: Hole) -> HoleEntry:
    from nwbkit.documents.job import HoleEntry

    plan = hole.plan
    return HoleEntry(
        key=hole.key,
        shape=list(hole.shape),
        dtype=hole.dtype.str if hole.dtype.names is None else str(hole.dtype),
        chunks=list(plan.chunks),
        codec=plan.codec,
        level=plan.effort,
        shuffle=plan.shuffle,
        fletcher32=plan.fletcher32,
    )


def init(request: Request, folder: str) -> tuple[Job, int]:
    """Freeze a conversion into `folder`, reading nothing but headers; the job, and its bytes."""
    from nwbkit.convert import prepared
    from nwbkit.storage.jobs import Layout
    from nwbkit.writing import assemble_file

    if (Path(folder) / JOB).exists():
        raise OutputExists(f"there is a job in '{folder}' already", hint=f"remove '{folder}'")
    with prepared(request) as work:
        assemble_file(work)
        layout = Layout.of(work.holes)
        job = Job.begin(folder, work, layout)
        return job, layout.bytes_of(layout.spans())


def fill(
    folder: str, part: tuple[int, int], *, jobs: int, max_memory: int, progress: Any
) -> tuple[int, int]:
    """Do part K of N of a job; returns the bytes read now and those of the whole part."""
    from nwbkit.convert import prepared
    from nwbkit.writing import assemble_file

    job = Job.open(folder)
    request = job.request(output=f"x{job.document.backend}", jobs=jobs, max_memory=max_memory)
    with prepared(request) as work:
        job.check(work)
        work.frozen = job.plans(request.output)
        assemble_file(work)
        layout = job.layout(work.holes)
        whole = layout.bytes_of(layout.part(*part))
        with progress("filling", whole) as done:
            read = job.fill(layout, part=part, jobs=jobs, max_memory=max_memory, progress=done)
    return read, whole


def joining(folder: str, request: Request) -> Request:
    """The request that joins a finished job: its frozen one with this run's own choices."""
    own = ("output", "overwrite", "skip_existing", "prove", "jobs", "max_memory", "tmp_dir")
    chosen = {name: getattr(request, name) for name in (*own, "depfile", "checksum", "dry_run")}
    return replace(Job.open(folder).request(**chosen), job=folder, join=True)
