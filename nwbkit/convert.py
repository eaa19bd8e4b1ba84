"""convert: open the sources, assemble, fill, prove, publish."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nwbkit import __version__
from nwbkit.alignment.clocks import Resolution, resolve
from nwbkit.errors import DamagedInput, MissingFact, OutputExists, UsageError
from nwbkit.session import OpenSession, fingerprint, load_sources, open_session
from nwbkit.streams import Array, Stream

if TYPE_CHECKING:
    from nwbkit.documents.conversion import ConversionDocument
    from nwbkit.nwb.assemble import Written
    from nwbkit.storage.holes import Hole

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
    session: OpenSession
    streams: list[tuple[str, Stream]]
    metadata: Any
    start: datetime
    clocks: Resolution
    fingerprints: dict[Path, str]
    identifier: str
    identity: str
    plans: dict[str, Any]
    holes: list[Hole] = field(default_factory=list)
    written: dict[str, Written] = field(default_factory=dict)
    began: float = field(default_factory=time.perf_counter)
    measured: dict[str, float] = field(default_factory=dict)
