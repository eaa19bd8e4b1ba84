"""The sources document: what is here, which format, why we think so, grouped into sessions."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from nwbkit.documents.model import Document, Part
from nwbkit.documents.paths import DocPath, resolver, shortener
from nwbkit.documents.problems import suggestion
from nwbkit.documents.values import AnyValue, Positive, Text, expected, refuse
from nwbkit.errors import UsageError

StrengthName = Literal["magic", "key", "name", "fallback"]

_SOURCE_ID = re.compile(r"[A-Za-z0-9_-]+")
_SESSION_ID = re.compile(r"[^./\x00-\x1f\x7f][^/\x00-\x1f\x7f]*")


def _source_id(text: str) -> str:
    if not _SOURCE_ID.fullmatch(text):
        raise expected("a source id of letters, digits, '_' and '-'")
    return text


def _session_id(text: str) -> str:
    # it becomes part of file names: -o 'out/{session_id}.nwb'
    if not _SESSION_ID.fullmatch(text):
        raise expected("a session id without '/' that does not begin with '.'")
    return text


SourceId = Annotated[Text, AfterValidator(_source_id)]
SessionId = Annotated[Text, AfterValidator(_session_id)]


class FilePattern(Part):
    """A huge number of files, by a glob, their count and the digest of their sorted names."""

    pattern: DocPath
    count: Positive
    digest: Text


class Alternative(Part):
    """Another format that claims the same files."""

    format: Text
    strength: StrengthName
    evidence: Text = ""


class Relation(Part):
    """How a source relates to another one of its session (`source`), or to its `stream`."""

    kind: Literal["derived_from", "video_of", "plane_of"]
    source: SourceId
    stream: Text | None = None
    evidence: Text = ""


class SourceEntry(Part):
    """A set of paths that a Format claimed."""

    id: SourceId
    format: Text = Field(pattern=r"^[a-z0-9_]+$")
    #: Every file, main file first; absolute in memory.
    paths: list[DocPath] = Field(default_factory=list)
    #: In place of very many paths.
    patterns: list[FilePattern] = Field(default_factory=list)
    strength: StrengthName
    evidence: Text = ""
    alternatives: list[Alternative] = Field(default_factory=list)
    options: dict[str, AnyValue] = Field(default_factory=dict)
    relations: list[Relation] = Field(default_factory=list)

    @model_validator(mode="after")
    def _has_paths(self) -> Self:
        if not self.paths and not self.patterns:
            raise refuse("no_paths", f"the source '{self.id}' has neither 'paths' nor 'patterns'")
        return self


class SessionEntry(Part):
    """The sources that become one NWB file."""

    id: SessionId
    sources: list[SourceEntry] = Field(min_length=1)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        ids = [source.id for source in self.sources]
        for id_ in ids:
            if ids.count(id_) > 1:
                raise refuse("twice", f"the source id '{id_}' is given twice in '{self.id}'")
        for source in self.sources:
            for relation in source.relations:
                if relation.source not in ids:
                    raise refuse(
                        "no_source",
                        f"'{source.id}' relates to '{relation.source}', "
                        f"which is no source of '{self.id}'",
                        hint=suggestion(relation.source, ids),
                    )
        return self

    def source(self, source_id: str) -> SourceEntry:
        """The source called `source_id`; UsageError with the known ids where there is none."""
        for source in self.sources:
            if source.id == source_id:
                return source
        raise UsageError(
            f"session '{self.id}' has no source '{source_id}'",
            hint=suggestion(source_id, [s.id for s in self.sources]),
        )


class SourcesDocument(Document):
    """What ``nwbkit detect`` found.

    Relative paths of sources are taken from `base` where the document gives one (itself
    relative to the document's folder), so that data which moved needs one line edited.
    """

    SCHEMA: ClassVar[str] = "nwbkit/sources"
    MADE_BY: ClassVar[str] = "nwbkit detect"

    base: DocPath | None = None
    sessions: list[SessionEntry] = Field(default_factory=list)

    @model_validator(mode="after")
    def _unique_sessions(self) -> Self:
        ids = [session.id for session in self.sessions]
        for id_ in ids:
            if ids.count(id_) > 1:
                raise refuse("twice", f"the session id '{id_}' is given twice")
        return self

    def resolved(self, folder: Path) -> Self:
        """A copy whose paths are absolute: sources from `base`, all else from `folder`."""
        base = resolver(folder)(self.base) if self.base is not None else folder
        return self._with_base(folder, base, resolver)

    def shortened(self, folder: Path | None) -> Self:
        """A copy to be written in `folder`; sources relative to `base` where there is one."""
        # on stdout (no folder) every path is absolute, base or not
        base = folder if folder is None or self.base is None else self.base
        return self._with_base(folder, base, shortener)

    def _with_base(self, folder: Path | None, base: Path | None, mapper: Any) -> Self:
        outside, inside = mapper(folder), mapper(base)
        copy = self.with_paths(outside)
        copy.sessions = [session.with_paths(inside) for session in self.sessions]
        return copy

    def session(self, session_id: str) -> SessionEntry:
        """The session called `session_id`; UsageError with the known ids where there is none."""
        for session in self.sessions:
            if session.id == session_id:
                return session
        raise UsageError(
            f"there is no session '{session_id}'",
            hint=suggestion(session_id, [s.id for s in self.sessions]),
        )

    def one_session(self, session_id: str) -> Self:
        """The same document with only that session, for JSON Lines."""
        return self.model_copy(update={"sessions": [self.session(session_id)]})
