"""convert of what is an NWB file already: the same content in another layout or back end.

Nothing is read as NWB here. Every object of the file, whoever put it there, is written again;
large datasets go through the pipeline, in chunks that the plan says. The proof is that the
content digests of both files agree.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nwbkit.errors import (
    DamagedInput,
    IOFailure,
    OutputExists,
    UsageError,
)
from nwbkit.repack_work import Repack, prepared
from nwbkit.session import choose_session

if TYPE_CHECKING:
    from nwbkit.convert import Request, Result
    from nwbkit.documents.conversion import ConversionDocument
    from nwbkit.documents.sources import SessionEntry, SourcesDocument
    from nwbkit.storage.pipeline import Filled
    from nwbkit.storage.publish import Publication
    from nwbkit.storage.repacking.equal import Contents
    from nwbkit.storage.stored import ReadInto
    from nwbkit.writing import Done, ProgressFactory


#: Objects that a message names; the rest is counted.
_NAMED = 3


def stored_session(document: SourcesDocument, session: str | None) -> SessionEntry | None:
    """The session to be repacked: one that is an NWB file and nothing else."""
    if session is None and len(document.sessions) != 1:
        return None
    entry = choose_session(document, session)
    alone = len(entry.sources) == 1 and entry.sources[0].format == "nwb"
    return entry if alone else None


def repack(request: Request, entry: SessionEntry, progress: ProgressFactory) -> Result:
    """Write an NWB file once more.

    Parameters
    ----------
    request : nwbkit.convert.Request
    entry : SessionEntry
        From :func:`stored_session`.
    progress : callable

    Raises
    ------
    nwbkit.errors.UsageError
        For options that would change what the file says.
    nwbkit.errors.NwbkitError
        Whatever went wrong; an output that was there before is untouched then.
    """
    from nwbkit.convert import Result
    from nwbkit.storage.repacking.zarr_limits import refusal

    _check(request)
    with prepared(request, entry) as work:
        if request.dry_run:
            from nwbkit.repack_report import describe

            return Result(None, report=describe(work))
        if request.skip_existing and work.out.exists():
            return Result(_existing(work), skipped=True)
        if work.refused:
            raise refusal(work.refused) if work.layout.backend == "zarr" else _refusal(work)
        return Result(_published(work, progress))


def _refusal(work: Repack) -> Exception:
    from nwbkit.errors import MissingFact

    more = f" and {len(work.refused) - _NAMED} more" if len(work.refused) > _NAMED else ""
    return MissingFact(
        f"HDF5 cannot keep {', '.join(work.refused[:_NAMED])}{more}",
        hint="-o OUT.nwb.zarr keeps everything",
    )


def _check(request: Request) -> None:
    """Refuse options that say something about content."""
    asked = {
        "-m": request.metadata,
        "--set-meta": request.set_meta,
        "--timezone": request.timezone,
        "--set": request.sets,
        "--only": request.only,
        "--exclude": request.exclude,
        "--offset": request.offsets,
        "--unaligned": request.unaligned,
        "--alignment": request.alignment,
        "--segments": request.segments != "gaps",
        "--stub": request.stub is not None,
        "--salvage": request.salvage,
        "--job": request.job,
    }
    for option, given in asked.items():
        if given:
            raise UsageError(
                f"'{option}' does not go with an input that is an NWB file already",
                hint="convert of an NWB file changes its layout and back end, never its content",
            )


def _existing(work: Repack) -> ConversionDocument:
    """The sidecar of an output that was made from the same input; the output is touched."""
    from nwbkit.documents import envelope
    from nwbkit.documents.conversion import ConversionDocument
    from nwbkit.storage.publish import sidecar_path

    path = sidecar_path(work.out)
    if not path.exists():
        raise OutputExists(
            f"'{work.out}' exists and has no sidecar to tell what it was made from",
            hint="--overwrite",
        )
    sidecar = envelope.read(path, ConversionDocument)
    if sidecar.identity != work.identity:
        same = work.prints in {i.fingerprint for i in sidecar.inputs}
        what = "plan, place or nwbkit's version" if same else "source file"
        raise OutputExists(
            f"'{work.out}' exists from other inputs: {what} changed", hint="--overwrite"
        )
    os.utime(work.out)
    return sidecar


def _published(work: Repack, progress: ProgressFactory) -> ConversionDocument:
    from nwbkit.storage.publish import Publication

    request = work.request
    tmp_dir = Path(request.tmp_dir) if request.tmp_dir else None
    with Publication(work.out, overwrite=request.overwrite, tmp_dir=tmp_dir) as publication:
        sidecar = _write(work, publication.part, progress)
        _publish(work, publication, sidecar)
    return sidecar


def _write(work: Repack, part: Path, progress: ProgressFactory) -> ConversionDocument:
    from nwbkit.storage.publish import output_size
    from nwbkit.storage.sealing import Sealing, blocks_kept

    request = work.request
    name = work.out.name if request.checksum else None
    with progress("repacking", 0) as done:
        passes = 1 + (request.prove == "full")
        done.expect(sum(h.nbytes for h in work.layout.holes) * passes)
        began = time.perf_counter()
        _skeleton(work, part)
        work.measured["skeleton_s"] = round(time.perf_counter() - began, 3)
        began = time.perf_counter()
        filled = _fill(work, part, done)
        work.measured["fill_s"] = round(time.perf_counter() - began, 3)
        sweep = blocks_kept(request.prove, request.jobs, request.max_memory)
        with Sealing(part, sums_as=name, known=filled.sums, sweep=sweep) as sealing:
            began = time.perf_counter()
            content, objects = _prove(work, part, filled, done, sealing.read)
            work.measured["prove_s"] = round(time.perf_counter() - began, 3)
            checksum, work.sums = sealing.result()
    work.measured.update(
        raw_bytes=filled.measured.raw,
        stored_bytes=filled.measured.stored,
        workers=filled.measured.workers,
        total_s=round(time.perf_counter() - work.began, 3),
    )
    return _sidecar(work, filled, content, objects, output_size(part), checksum)


def _skeleton(work: Repack, part: Path) -> None:
    """Everything but the rows of the large datasets."""
    from nwbkit.storage.repacking.from_zarr import write_from_store
    from nwbkit.storage.repacking.hdf5 import write_copy
    from nwbkit.storage.repacking.zarr import store_files
    from nwbkit.storage.zarr import write_files

    if work.layout.backend == "zarr":
        write_files(part, store_files(work.file, work.layout))
    elif work.source.is_dir():
        write_from_store(work.file, work.layout, part)
    else:
        write_copy(work.file, work.layout, part)


def _fill(work: Repack, part: Path, done: Done) -> Filled:
    from nwbkit.storage import pipeline
    from nwbkit.storage.past import passes

    request = work.request
    holes = work.layout.holes
    filled = pipeline.fill(
        part,
        holes,
        jobs=request.jobs,
        max_memory=request.max_memory,
        progress=done,
        passing=passes(request.prove, work.layout.backend),
    )
    if work.layout.backend == "hdf5" and not work.source.is_dir():
        from nwbkit.storage.repacking.hdf5 import copy_userblock

        copy_userblock(work.source, part, work.file.userblock_size)
    return filled


def _prove(
    work: Repack, part: Path, filled: Filled, done: Done, read: ReadInto | None
) -> tuple[str, dict[str, str]]:
    """Hold the unpublished file against the input; content digest and object digests of it.

    Raises
    ------
    nwbkit.errors.IOFailure
        Where what was written is not what was read.
    nwbkit.errors.DamagedInput
        Where the new back end has turned something into something else.
    """
    from nwbkit.proving import check_arrays
    from nwbkit.storage.backends import open_output
    from nwbkit.storage.plugins import enable
    from nwbkit.storage.repacking.equal import Contents, differences
    from nwbkit.storage.spot import spot_check
    from nwbkit.storage.summary import summarise
    from nwbkit.zarrs.blosc import ChunkError

    request = work.request
    problems: Mapping[str, str] = {}
    if request.prove == "full":
        problems, _ = check_arrays(
            part,
            filled.digests,
            jobs=request.jobs,
            max_memory=request.max_memory,
            progress=done,
            read=read,
        )
    elif request.prove == "sample":
        ledger = filled.ledger.by_path(work.layout.holes)
        problems = spot_check(
            part, ledger, filled.digests, jobs=request.jobs, max_memory=request.max_memory
        )
    for name, problem in problems.items():
        raise IOFailure(
            f"what was written is not what was read: '{name}' {problem}",
            hint="nothing was published; check the disk and memory of this machine, then run again",
        )
    expected = _contents(work, filled.digests)
    try:
        with open_output(part) as file:
            enable(file)
            found = Contents.of(file, filled.digests)
    except (OSError, RuntimeError, ValueError, ChunkError) as error:
        raise IOFailure(f"what was written cannot be read: {error}") from error
    wrong = differences(found.seen_from({}, across=work.across), expected)
    if wrong:
        named = "; ".join(f"'{path}': {what}" for path, what in wrong[:_NAMED])
        more = f"; and {len(wrong) - _NAMED} more" if len(wrong) > _NAMED else ""
        raise DamagedInput(
            f"the copy would not be equal: {named}{more}",
            hint="nothing was published"
            + ("; -o OUT.nwb keeps what Zarr cannot" if work.layout.backend == "zarr" else ""),
        )
    return found.digest, summarise(part, filled.digests).objects


def _contents(work: Repack, known: Mapping[str, Any]) -> Contents:
    """What the input holds, as the output is to hold it."""
    from nwbkit.storage.repacking.equal import Contents
    from nwbkit.zarrs.blosc import ChunkError

    try:
        read = Contents.of(work.file, known)
    except (OSError, RuntimeError, ValueError, ChunkError) as error:
        raise DamagedInput(f"'{work.source.name}' cannot be read: {error}") from error
    return read.seen_from(work.layout.external_targets, across=work.across)


def _sidecar(
    work: Repack,
    filled: Filled,
    content: str,
    objects: dict[str, str],
    size: int,
    checksum: str,
) -> ConversionDocument:
    from nwbkit.documents.conversion import (
        ConversionDocument,
        DatasetRecord,
        FingerprintedInput,
        OutputRef,
    )
    from nwbkit.storage.publish import output_size

    source = FingerprintedInput(
        path=work.source, size=output_size(work.source), fingerprint=work.prints
    )
    return ConversionDocument(
        inputs=[source],
        output=OutputRef(
            name=work.out.name, size=size, checksum=checksum, backend=work.layout.backend
        ),
        identity=work.identity,
        content=content,
        session=work.entry,
        options={work.entry.sources[0].id: {}},
        datasets={
            h.path: DatasetRecord(
                key=h.path,
                chunks=list(h.plan.chunks),
                codec=h.plan.codec,
                **filled.digests[h.path].as_json(),
            )
            for h in work.layout.holes
        },
        objects=objects,
        choices={"repack": True, "external": dict(work.layout.external_targets)},
        notes=work.notes,
        prove=work.request.prove,
        measured=work.measured,
    )


def _publish(work: Repack, publication: Publication, sidecar: ConversionDocument) -> None:
    from nwbkit.depfile import make_rule
    from nwbkit.documents import envelope

    folder = Path(os.path.abspath(work.request.output)).parent
    text = envelope.dumps(sidecar, relative_to=folder)
    depfile = None
    if work.request.depfile:
        files = [work.source]
        if work.source.is_dir():
            files = sorted(p for p in work.source.rglob("*") if p.is_file())
        rule = make_rule(work.request.output, files)
        depfile = (Path(work.request.depfile), os.fsencode(rule))
    publication.publish(text.encode(), depfile=depfile, sums=work.sums)
