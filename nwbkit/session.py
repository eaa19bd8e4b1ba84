"""From a sources document, or raw paths, to opened Readers."""

from __future__ import annotations

import difflib
import functools
import os
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nwbkit.errors import DocumentError, MissingFact, NoInput, UnknownFormat, UsageError
from nwbkit.formats.base import Reader, Relation, Source
from nwbkit.streams import Array, Clock, Stream

if TYPE_CHECKING:
    from nwbkit.documents.sources import SessionEntry, SourceEntry, SourcesDocument

#: Files up to this size are fingerprinted whole; of larger ones, evenly spread samples.
_WHOLE = 16 << 20
_SAMPLES = 32
_SAMPLE = 128 << 10


@dataclass
class OpenSession:
    """A session with every source open; a context manager.

    Attributes
    ----------
    id : str
    entry : SessionEntry
        As in the sources document.
    readers : list of Reader
    salvage : bool
    """

    id: str
    entry: SessionEntry
    readers: list[Reader]
    salvage: bool = False
    only: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    _stack: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> OpenSession:
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    def streams(self) -> list[tuple[str, Stream]]:
        """``(address, stream)`` of every stream that ``--only`` and ``--exclude`` leave.

        Raises
        ------
        nwbkit.errors.UsageError
            For a pattern that matches nothing.
        nwbkit.errors.MissingFact
            Where nothing is left.
        """
        from nwbkit.documents.metadata import means

        everything = [
            (reader.address(stream), stream) for reader in self.readers for stream in reader.streams
        ]
        addresses = [address for address, _ in everything]
        for option, patterns in (("--only", self.only), ("--exclude", self.exclude)):
            for pattern in patterns:
                # a source that was excluded whole was never opened
                closed = any(fnmatchcase(s.id, pattern) for s in self.entry.sources)
                if not closed and not any(means(pattern, address) for address in addresses):
                    raise UsageError(
                        f"'{option} {pattern}' matches no stream",
                        hint="streams: " + ", ".join(addresses),
                    )
        left = [
            (address, stream)
            for address, stream in everything
            if (not self.only or any(means(p, address) for p in self.only))
            and not any(means(p, address) for p in self.exclude)
        ]
        if not left:
            raise MissingFact(f"session '{self.id}' has no stream to work on")
        return left

    def clocks(self) -> list[Clock]:
        """The clocks that the streams in use are on, in order of first use."""
        used = {s.timebase.clock for _, s in self.streams() if s.timebase is not None}
        return [c for reader in self.readers for c in reader.clocks if c.id in used]

    def files(self) -> list[Path]:
        """Every file that reading the session touches, once each."""
        return list(dict.fromkeys(p for reader in self.readers for p in reader.files()))


def load_sources(inputs: Sequence[str], *, format: str | None = None) -> SourcesDocument:
    """The sources document that `inputs` are: one document (``-`` for stdin), or raw paths.

    Parameters
    ----------
    inputs : sequence of str
    format : str, optional
        Format id that the raw paths are to be read as.

    Raises
    ------
    nwbkit.errors.NoInput, nwbkit.errors.UnknownFormat, nwbkit.errors.DocumentError
    """
    from nwbkit.documents import envelope
    from nwbkit.documents.sources import SourcesDocument

    documents = [i for i in inputs if i == "-" or envelope.is_document(Path(i))]
    if documents:
        if len(inputs) > 1:
            raise UsageError("give one sources document, or raw paths, not both")
        return envelope.read(documents[0], SourcesDocument)
    from nwbkit.formats import registry

    detection = registry.detect([Path(i) for i in inputs], format=format)
    document = registry.to_document(detection)
    if not document.sessions:
        named = ", ".join(f"'{i}'" for i in inputs)
        raise UnknownFormat(
            f"no known format in {named}", hint="nwbkit detect -v tells what was looked at"
        )
    return document


def open_session(
    document: SourcesDocument,
    *,
    session: str | None = None,
    sets: Sequence[str] = (),
    only: Sequence[str] = (),
    exclude: Sequence[str] = (),
    salvage: bool = False,
) -> OpenSession:
    """Open every source of one session.

    Parameters
    ----------
    document : SourcesDocument
    session : str, optional
        Id; needed where the document holds several.
    sets : sequence of str
        ``SOURCE.option=value``; SOURCE is a source id, a glob of them, or a format id.
    only, exclude : sequence of str
        Globs of addresses.
    salvage : bool

    Raises
    ------
    nwbkit.errors.MissingFact
        Where a choice is needed: of a session, or between formats that both claim a file.
    """
    from nwbkit.formats import registry

    entry = choose_session(document, session)
    options = _typed_options(entry.sources, sets)
    opened = OpenSession(entry.id, entry, [], salvage, tuple(only), tuple(exclude))
    try:
        for source in entry.sources:
            if _wholly_excluded(source.id, exclude):
                continue
            _refuse_tie(source)
            reader = registry.open_source(
                Source(
                    id=source.id,
                    format=source.format,
                    paths=tuple(_paths(source)),
                    options=options[source.id],
                    salvage=salvage,
                    relations=_relations(source),
                )
            )
            opened._stack.callback(reader.close)
            opened.readers.append(reader)
        _relate(opened.readers)
        for reader in opened.readers:
            _let_reopen(reader)
    except BaseException:
        opened._stack.close()
        raise
    return opened


def _relations(source: SourceEntry) -> tuple[Relation, ...]:
    return tuple(Relation(r.kind, r.source, r.stream, r.evidence or "") for r in source.relations)


def _paths(source: SourceEntry) -> list[Path]:
    """Every file of a source, those told by a pattern as well."""
    from nwbkit.formats.patterns import unfold

    paths = [Path(p) for p in source.paths]
    for each in source.patterns:
        main = paths[0] if paths else None
        paths += unfold(main, str(each.pattern), each.count, each.digest)
    return paths


def _let_reopen(reader: Reader) -> None:
    """Tell the streams that are read in processes of their own how to come by themselves."""
    for stream in reader.streams:
        if isinstance(stream, Array) and stream.concurrency == "process":
            stream.reopen = functools.partial(_reopened, reader.source, stream.id)


def _reopened(source: Source, stream_id: str) -> Array:
    from nwbkit.formats import registry

    stream = registry.open_source(source).stream(stream_id)
    assert isinstance(stream, Array)
    return stream


def _relate(readers: Sequence[Reader]) -> None:
    """Introduce each reader to those it is related to and that are open too."""
    by_id = {reader.source.id: reader for reader in readers}
    for reader in readers:
        for relation in reader.source.relations:
            if relation.source in by_id:
                reader.relate(relation, by_id[relation.source])


def choose_session(document: SourcesDocument, session: str | None) -> SessionEntry:
    """The session called `session`, or the only one.

    Raises
    ------
    nwbkit.errors.MissingFact
        Where there are several and none was named.
    """
    ids = [s.id for s in document.sessions]
    if not ids:
        raise DocumentError("the sources document holds no session")
    if session is None:
        if len(ids) > 1:
            raise MissingFact(
                f"there are {len(ids)} sessions: {listed(ids)}",
                hint=f"choose one: --session {ids[0]}",
            )
        return document.sessions[0]
    for entry in document.sessions:
        if entry.id == session:
            return entry
    close = difflib.get_close_matches(session, ids, 1)
    raise UsageError(
        f"no session '{session}' here",
        hint=f"did you mean '{close[0]}'?" if close else f"sessions: {', '.join(ids)}",
    )


def listed(names: Iterable[str]) -> str:
    """Names for a message: each in quotes, with commas between."""
    return ", ".join(f"'{name}'" for name in names)


def _wholly_excluded(source_id: str, exclude: Iterable[str]) -> bool:
    return any("/" not in p and fnmatchcase(source_id, p) for p in exclude)


def _refuse_tie(source: SourceEntry) -> None:
    rivals = [a for a in source.alternatives if a.strength == source.strength]
    if rivals:
        names = [source.format, *(a.format for a in rivals)]
        raise MissingFact(
            f"source '{source.id}' could be any of {listed(names)}",
            hint=" or ".join(f"--format {name}" for name in names),
        )


def _typed_options(
    sources: Sequence[SourceEntry], sets: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """Options of each source: those of the document, then ``--set``, in their types."""
    from nwbkit.formats import registry

    known = registry.formats()
    typed: dict[str, dict[str, Any]] = {}
    for source in sources:
        if source.format not in known:
            raise UnknownFormat(f"source '{source.id}' has the unknown format '{source.format}'")
        fmt = known[source.format]
        typed[source.id] = {
            name: fmt.option(name).parse(value, where=f"{source.id}.{name}")
            for name, value in source.options.items()
        }
    for text in sets:
        target, equals, value = text.partition("=")
        who, dot, name = target.rpartition(".")
        if not (equals and dot and who and name):
            raise UsageError(f"'--set {text}' is not SOURCE.option=value")
        meant = [s for s in sources if fnmatchcase(s.id, who) or s.format == who]
        if not meant:
            raise UsageError(
                f"'--set {text}' names no source",
                hint="sources: " + ", ".join(f"{s.id} ({s.format})" for s in sources),
            )
        for source in meant:
            option = known[source.format].option(name)
            typed[source.id][name] = option.parse(value, where=f"--set {target}")
    return typed


def fingerprint(path: Path) -> str:
    """A digest that tells whether a source file is the same, wherever it lies.

    Size and content: whole up to 16 MiB, beyond that 32 evenly spread samples of 128 KiB
    with both ends among them. Names and times do not count: a copied or touched file is
    the same file.

    Raises
    ------
    nwbkit.errors.NoInput
        Where the file cannot be read.
    """
    import xxhash

    digest = xxhash.xxh3_128()
    try:
        with open(path, "rb", buffering=0) as f:
            size = os.fstat(f.fileno()).st_size
            digest.update(b"%d:" % size)
            if size <= _WHOLE:
                while block := f.read(1 << 20):
                    digest.update(block)
            else:
                for i in range(_SAMPLES):
                    f.seek((size - _SAMPLE) * i // (_SAMPLES - 1))
                    digest.update(f.read(_SAMPLE))
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise NoInput(f"cannot read '{path}': {reason}") from None
    return digest.hexdigest()
