"""MED-PC's data files as text: sessions one after the other, each a head and its variables.

Layout as MED-PC IV and V write it (Med Associates, "MED-PC Programmer's Manual", annotated
data files): ``Key: value`` lines, then ``A:   1.000`` for a variable, or ``A:`` and rows of
``index: number number ...`` for an array. Standard library only: ``look`` uses it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from nwbkit.errors import DamagedInput

#: Larger files are no text that a person's experiment filled.
MAX_BYTES = 256 << 20
HEAD = (
    "Start Date",
    "End Date",
    "Subject",
    "Experiment",
    "Group",
    "Box",
    "Start Time",
    "End Time",
    "MSN",
)
_HEAD = re.compile(rf"({'|'.join(HEAD)}):[ \t]*(.*?)[ \t]*$")
#: Further lines of a head: ``Species: rat``.
_OTHER = re.compile(r"([A-Za-z][\w .#/-]{1,40}):[ \t]*(.*?)[ \t]*$")
_VARIABLE = re.compile(r"([A-Z]):[ \t]*(\S*)[ \t]*$")
_ROW = re.compile(r"[ \t]+(\d+):[ \t]*(.*?)[ \t]*$")
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$")


@dataclass
class Session:
    """One session of a file.

    Parameters
    ----------
    first_line : int
        From 1: that of its ``Start Date``.
    head : dict of str to str
        As printed; empty values are left out.
    variables : dict of str to list of str
        Numbers as printed, in the order of the file; one for a plain variable.
    arrays : set of str
        Which of them were printed as arrays.
    comments : list of str
    problems : list of str
        What does not fit; an array ends before its first problem.
    """

    first_line: int
    head: dict[str, str] = field(default_factory=dict)
    variables: dict[str, list[str]] = field(default_factory=dict)
    arrays: set[str] = field(default_factory=set)
    comments: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def start_text(self) -> str:
        """Date and time as printed."""
        return " ".join(self.head.get(key, "") for key in ("Start Date", "Start Time")).strip()

    def start(self, day_first: bool = False) -> datetime | None:
        """Date and time without a zone; None where they cannot be read."""
        date, time = self.head.get("Start Date", ""), self.head.get("Start Time", "")
        orders = ["%d/%m", "%m/%d"] if day_first else ["%m/%d", "%d/%m"]
        for order in orders:
            for year in ("%y", "%Y"):
                try:
                    return datetime.strptime(f"{date} {time}", f"{order}/{year} %H:%M:%S")
                except ValueError:
                    continue
        return None


def read(path: Path) -> list[Session]:
    """Every session of the file at `path`, problems noted in each.

    Raises
    ------
    nwbkit.errors.DamagedInput
        Where the file is too large, or holds no session.
    """
    if path.stat().st_size > MAX_BYTES:
        raise DamagedInput(f"'{path.name}' is larger than {MAX_BYTES} bytes: no MED-PC file")
    sessions: list[Session] = []
    state = _State(sessions)
    for number, line, ended in _lines(path):
        state.take(number, line, ended)
    if not sessions:
        raise DamagedInput(f"'{path.name}' holds no line 'Start Date:'")
    return sessions


def heads(path: Path) -> list[Session]:
    """The sessions of a file with their heads only."""
    sessions: list[Session] = []
    if path.stat().st_size > MAX_BYTES:
        return sessions
    for number, line, _ in _lines(path):
        found = _HEAD.match(line)
        if found and found[1] == "Start Date":
            sessions.append(Session(number))
        if found and sessions and found[2]:
            sessions[-1].head.setdefault(found[1], found[2])
    return sessions


def _lines(path: Path) -> Iterator[tuple[int, str, bool]]:
    """``(number from 1, text, whether it has an end)``; a stray return is no line of its own."""
    with open(path, encoding="latin-1", newline="\n") as f:
        for number, line in enumerate(f, 1):
            yield number, line.rstrip("\r\n"), line.endswith("\n")


class _State:
    """The session and array that lines belong to."""

    def __init__(self, sessions: list[Session]) -> None:
        self.sessions = sessions
        self.array: list[str] | None = None
        self.name = ""

    def take(self, number: int, line: str, ended: bool) -> None:
        head = _HEAD.match(line)
        if head and head[1] == "Start Date":
            self.sessions.append(Session(number))
            self.array = None
        if not self.sessions:
            return
        session = self.sessions[-1]
        if head:
            if head[2]:
                session.head.setdefault(head[1], head[2])
            return
        if not line.strip() or line.startswith("File:"):
            return
        if line.startswith("\\"):
            session.comments.append(line[1:].strip())
            return
        other = _OTHER.match(line)
        if other and not session.variables:
            session.comments.append(f"{other[1]} {other[2]}".strip())
            return
        problem = self._data(session, line, ended)
        if problem:
            session.problems.append(f"line {number}: {problem}")
            self.array = None

    def _data(self, session: Session, line: str, ended: bool) -> str | None:
        variable = _VARIABLE.match(line)
        if variable:
            self.array, self.name = None, variable[1]
            if self.name in session.variables:
                return f"variable {self.name} is printed twice"
            if not variable[2]:
                self.array = session.variables[self.name] = []
                session.arrays.add(self.name)
                return None
            if not ended:
                return f"variable {self.name} has no end of line: its number may be cut off"
            if not _NUMBER.match(variable[2]):
                return f"variable {self.name} is '{variable[2]}', no number"
            session.variables[self.name] = [variable[2]]
            return None
        row = _ROW.match(line)
        if row is None:
            return f"'{line.strip()[:40]}' is no line of a MED-PC file"
        if self.array is None:
            return None if session.problems else "a row of numbers belongs to no array"
        return self._row(row, ended)

    def _row(self, row: re.Match[str], ended: bool) -> str | None:
        assert self.array is not None
        if int(row[1]) != len(self.array):
            return f"array {self.name} goes on with index {row[1]}, expected {len(self.array)}"
        for cell in row[2].split():
            if not _NUMBER.match(cell):
                return f"array {self.name} holds '{cell[:20]}', no number"
            self.array.append(cell)
        if not ended:
            self.array.pop()
            return f"array {self.name} has no end of line: its last number may be cut off"
        return None


def session_labels(sessions: Sequence[Session]) -> list[str]:
    """What tells the sessions of a file apart: start, then box, then animal, as printed."""
    labels = [s.start_text for s in sessions]
    for key in ("Box", "Subject"):
        again = [label for label in labels if labels.count(label) > 1]
        labels = [
            f"{label} {key} {s.head.get(key, '')}".strip() if label in again else label
            for s, label in zip(sessions, labels, strict=True)
        ]
    return [
        f"{label} line {s.first_line}" if labels.count(label) > 1 else label
        for s, label in zip(sessions, labels, strict=True)
    ]
