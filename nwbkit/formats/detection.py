"""What `detect` found: plain data, no reader, no vendor library."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from nwbkit.formats.base import Relation, Source, Strength


@dataclass(frozen=True)
class Report:
    """Something a user should hear of although detection went on.

    Parameters
    ----------
    level : {"warning", "note"}
    message : str
        One line, lower case, the subject in quotes.
    format : str, optional
        Id of the format it is about.
    """

    level: Literal["warning", "note"]
    message: str
    format: str | None = None


@dataclass(frozen=True)
class Alternative:
    """Another format that claims the same files with the same strength."""

    format: str
    strength: Strength
    evidence: str


@dataclass(frozen=True)
class DetectedSource:
    """A Source as found.

    Parameters
    ----------
    id : str
        ``[A-Za-z0-9_-]+``, unique in the detection.
    format : str
    paths : tuple of Path
        Absolute, main file first.
    strength : Strength
    evidence : str
    alternatives : tuple of Alternative
        Not empty where convert must be told which format it is.
    options : dict
        What the format could tell from the files.
    relations : tuple of Relation
        To other sources of the same session.
    """

    id: str
    format: str
    paths: tuple[Path, ...]
    strength: Strength
    evidence: str
    alternatives: tuple[Alternative, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)
    relations: tuple[Relation, ...] = ()

    def source(self, *, salvage: bool = False) -> Source:
        """As ``registry.open_source`` takes it."""
        return Source(self.id, self.format, self.paths, self.options, salvage, self.relations)


@dataclass(frozen=True)
class DetectedSession:
    """Sources that become one NWB file: those of one run or experiment folder."""

    id: str
    root: Path
    sources: tuple[DetectedSource, ...]


@dataclass(frozen=True)
class Detection:
    """All that was found below the paths given.

    Parameters
    ----------
    sessions : tuple of DetectedSession
        Empty where nothing was recognised.
    reports : tuple of Report
    unclaimed : tuple of Path
        Files that no format claimed.
    roots : tuple of Path
    """

    sessions: tuple[DetectedSession, ...]
    reports: tuple[Report, ...] = ()
    unclaimed: tuple[Path, ...] = ()
    roots: tuple[Path, ...] = ()

    def sources(self) -> Iterator[DetectedSource]:
        """Every source of every session."""
        for session in self.sessions:
            yield from session.sources
