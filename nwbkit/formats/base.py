"""The contract of a vendor format: Format, Match, Source, Reader, Option.

A format is one module that ends in ``FORMAT = Format(...)``. ``look`` uses the standard
library only and reads no more than headers; ``open`` imports what it needs inside.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from nwbkit.errors import UsageError

if TYPE_CHECKING:  # detecting raw data must not load numpy
    import numpy.typing as npt

    from nwbkit.formats.listing import Listing
    from nwbkit.streams import Clock, Stream

Room = Literal[
    "recording",
    "sorting",
    "icephys",
    "imaging",
    "segmentation",
    "behavior",
    "photometry",
    "events",
    "tables",
]


class Strength(enum.IntEnum):
    """How sure a Format is, weakest first."""

    FALLBACK = 1
    NAME = 2
    KEY = 3
    MAGIC = 4

    @property
    def label(self) -> str:
        """The word used in documents."""
        return self.name.lower()


@dataclass(frozen=True)
class Relation:
    """How a source belongs to another one.

    Parameters
    ----------
    kind : {"derived_from", "video_of", "plane_of"}
        A sorting is derived from its recording, pose from its video.
    source : str
        Id of the other source.
    stream : str, optional
        Id of the other source's stream, where it is one.
    evidence : str
        One sentence: what in the files says so.
    """

    kind: Literal["derived_from", "video_of", "plane_of"]
    source: str
    stream: str | None = None
    evidence: str = ""


@dataclass(frozen=True)
class Candidate:
    """Another source of the same detection, as ``Format.relate`` is shown it."""

    id: str
    format: str
    match: Match


@dataclass(frozen=True)
class Match:
    """One Source that a Format recognised.

    Parameters
    ----------
    files : tuple of Path
        Every file that belongs to the source, absolute, main file first.
    strength : Strength
    evidence : str
        One sentence: what was seen that makes this the format.
    stem : str
        What the files are called without vendor suffixes; source ids are made of it.
    session : str
        Matches with one session label and one `root` make one session.
    root : Path
        The run or experiment folder.
    options : dict
        Options that `look` could tell from the files.
    companion : bool
        Belongs to a recording where there is one (a sorting, pose, video, a table) and is
        a session of its own only where there is none.
    """

    files: tuple[Path, ...]
    strength: Strength
    evidence: str
    stem: str
    session: str
    root: Path
    options: dict[str, Any] = field(default_factory=dict)
    companion: bool = False


@dataclass(frozen=True)
class Option:
    """An option that a source of a format takes: ``--set SOURCE.name=value``.

    Parameters
    ----------
    name : str
    type : {"int", "float", "str", "bool", "path"}
    help : str
        One sentence, with the unit.
    choices : tuple of str
        Where only these are allowed.
    """

    name: str
    type: Literal["int", "float", "str", "bool", "path"]
    help: str
    default: Any = None
    choices: tuple[str, ...] = ()

    def parse(self, text: Any, *, where: str) -> Any:
        """Return `text` as the option's type.

        Raises
        ------
        nwbkit.errors.UsageError
            Where it does not read as one; `where` is named in the message.
        """
        value: Any = text
        try:
            if self.type == "int":
                value = int(text)
            elif self.type == "float":
                value = float(text)
                if not math.isfinite(value):
                    raise ValueError
            elif self.type == "bool":
                value = _parse_bool(text)
            else:
                value = str(text)
        except (TypeError, ValueError):
            raise UsageError(f"'{where}' takes {_article(self.type)}, not '{text}'") from None
        if self.choices and value not in self.choices:
            listed = ", ".join(self.choices)
            raise UsageError(f"'{where}' takes one of {listed}, not '{text}'")
        return value


def _parse_bool(text: Any) -> bool:
    if isinstance(text, bool):
        return text
    word = str(text).lower()
    if word in ("true", "1"):
        return True
    if word in ("false", "0"):
        return False
    raise ValueError(text)


def _article(kind: str) -> str:
    return {
        "int": "a whole number",
        "float": "a number",
        "bool": "true or false",
        "path": "a path",
    }.get(kind, "a text")


@dataclass(frozen=True)
class Source:
    """A set of paths that a Format claimed, as opened: plain data, so that any process can.

    Parameters
    ----------
    id : str
        ``[A-Za-z0-9_-]+``.
    format : str
        Id of the Format.
    paths : tuple of Path
        Absolute, main file first.
    options : mapping
        Typed values, after ``--set``.
    salvage : bool
        ``--salvage`` was given: read what can be read of contradictory data, and record
        the loss in :attr:`Reader.losses`.
    relations : tuple of Relation
    """

    id: str
    format: str
    paths: tuple[Path, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    salvage: bool = False
    relations: tuple[Relation, ...] = ()


class Reader:
    """An opened Source: headers parsed, data still on disk.

    Subclasses fill :attr:`streams` and :attr:`clocks` and implement :meth:`metadata`.

    Attributes
    ----------
    source : Source
    streams : list of Stream
    clocks : list of Clock
        Ids are ``SOURCE/clockname``.
    losses : list of str
        With ``--salvage``: one sentence per loss, naming file, expected and found.
    notes : list of str
        What a user should know although it is no error.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        self.streams: list[Stream] = []
        self.clocks: list[Clock] = []
        self.losses: list[str] = []
        self.notes: list[str] = []

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close what is open. May be called twice."""

    def files(self) -> Sequence[Path]:
        """Every file that reading this source touches (for depfiles and fingerprints)."""
        return self.source.paths

    def metadata(self) -> dict[str, Any]:
        """What the files themselves say, in the shape of the metadata document.

        Top keys as there (``NWBFile``, ``Subject``, ``Devices``, ``ElectrodeGroups``, ...);
        ``Streams`` keyed by full address. Values that the files do not hold are absent,
        never guessed. A start time without a zone is given as a naive ISO text.
        """
        raise NotImplementedError

    def relate(self, relation: Relation, other: Reader) -> None:
        """Take from a related source what this one lacks: clock, rate, electrodes.

        Called once for each relation whose source is open too, after all were opened and
        before any stream is looked at.

        Raises
        ------
        nwbkit.errors.DamagedInput
            Where the two contradict each other (channel count, rate, length).
        """

    def reread(self, stream_id: str, start: int, stop: int) -> npt.NDArray[Any] | None:
        """Rows of an array stream by a second, independent way; None where there is none.

        It must share no code with the stream's own ``read``.
        """
        return None

    def reread_facts(self, stream_id: str) -> dict[str, Any] | None:
        """Scale and times of an array stream by a second, independent way.

        Returns
        -------
        dict or None
            ``gain`` and ``offset`` (float64, one per channel or one), ``rate`` (Hz) and
            ``segments`` (tuple of Segment, on the stream's clock); None where there is no
            second way. It must share no code with what opens the source.
        """
        return None

    def reread_table(self, stream_id: str) -> dict[str, npt.NDArray[Any]] | None:
        """The rows of a table stream by a second, independent way; None where there is none."""
        return None

    def audit(self, progress: Callable[[int], None] | None = None) -> list[str]:
        """Hold the data against the digests that the files themselves carry.

        Reads every byte. Returns one sentence per file that disagrees, naming file, field,
        expected and found; `progress` is called with the number of bytes just read.
        """
        return []

    def stream(self, stream_id: str) -> Stream:
        """The stream called `stream_id`."""
        for stream in self.streams:
            if stream.id == stream_id:
                return stream
        raise KeyError(stream_id)

    def address(self, stream: Stream) -> str:
        """``SOURCE/STREAM``."""
        return f"{self.source.id}/{stream.id}"


@dataclass(frozen=True)
class Format:
    """The declaration of one vendor format.

    Parameters
    ----------
    id : str
        ``[a-z0-9_]+``; also what ``--format`` and ``--set`` take.
    title : str
        The vendor's name for it.
    room : str
        The kind of data it mostly holds; names the folder it lives in.
    patterns : tuple of str
        File name globs (case is ignored) that send a file to `look`.
    look : callable
        ``look(listing) -> iterable of Match``, one per source found; reads headers only.
    open : callable
        ``open(source) -> Reader``.
    extra : str, optional
        The extra that ``open`` needs installed.
    options : tuple of Option
    supersedes : tuple of str
        Format ids whose claims on the same files yield to this one.
    relate : callable, optional
        ``relate(match, candidates) -> iterable of Relation``: to which of the other sources
        a match belongs, by evidence in files and names; standard library only.
    fallback : bool
        Looks at files of a general kind (csv, tiff, wav): is shown only what no other
        format claimed.
    recognised : str
        One or two sentences for the format's page: by what in files and names it is known.
    variants : tuple of str
        Versions and layouts that are read, one each.
    limits : tuple of str
        What is not read or not known, one sentence each.
    """

    id: str
    title: str
    room: Room
    patterns: tuple[str, ...]
    look: Callable[[Listing], Iterable[Match]]
    open: Callable[[Source], Reader]
    extra: str | None = None
    options: tuple[Option, ...] = ()
    supersedes: tuple[str, ...] = ()
    fallback: bool = False
    relate: Callable[[Match, Sequence[Candidate]], Iterable[Relation]] | None = None
    recognised: str = ""
    variants: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()

    def option(self, name: str) -> Option:
        """The option called `name`; UsageError with the known names where there is none."""
        for option in self.options:
            if option.name == name:
                return option
        known = ", ".join(o.name for o in self.options) or "none"
        raise UsageError(f"format '{self.id}' has no option '{name}'", hint=f"its options: {known}")
