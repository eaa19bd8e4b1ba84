"""The 16 kB text header that begins every Neuralynx file.

Sources: Neuralynx, "Data File Formats" and the headers that Cheetah 1 to 6, Pegasus,
Neuraview and the BML tools wrote. Lines are ``-Key value``, or ``## Sentence: value`` for
the file's name and the times of opening and closing. The text is Latin-1, in some files
UTF-8 (``DspFilterDelay_µs`` has either mu), and ends in zeros or blanks.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import PureWindowsPath

#: Records begin here.
HEADER_BYTES = 16384
MAGIC = b"######## Neuralynx"
_LINE = re.compile(r"^[ \t]*-([A-Za-z]\S*)[ \t]*(.*?)[ \t]*$", re.MULTILINE)
_NAMED = re.compile(r"^## ?File Name:?[ \t]*(.*?)[ \t]*$", re.MULTILINE)
_TIMED = r"## ?(?:Time|Date) {}:?\s*\([^)]*\):?\s*(\S+)\s+(?:\([^)]*\)|At Time:)\s*(\S+)"
_OPENED, _CLOSED = (re.compile(_TIMED.format(word)) for word in ("Opened", "Closed"))
_DATED = re.compile(r"\d{4}-\d{1,2}-\d{1,2}_\d{1,2}-\d{1,2}-\d{1,2}")
_APPLICATION = re.compile(r'(\S+)\s+"?([^"]*?)"?\s*$')


@dataclass(frozen=True)
class Header:
    """What a header says.

    Parameters
    ----------
    fields : dict of str to str
        By key in lower case (``adbitvolts``); quotes are taken off. A key that stands there
        twice (``Feature``) has the first value.
    original : str
        The file's name and folder when it was recorded; may be empty.
    opened, closed : datetime, optional
        On the recording computer's wall clock, without a zone.
    """

    fields: dict[str, str] = field(default_factory=dict)
    original: str = ""
    opened: datetime | None = None
    closed: datetime | None = None

    def text(self, *keys: str) -> str:
        """The first value of `keys` that is there; empty where none is."""
        return next((v for k in keys if (v := self.fields.get(k.lower(), ""))), "")

    def number(self, *keys: str) -> float | None:
        """The first of `keys` as a number; None where none is there or it is no number."""
        numbers = self.numbers(*keys)
        return numbers[0] if numbers else None

    def numbers(self, *keys: str) -> tuple[float, ...]:
        """All numbers of the first of `keys` that is there; one a channel."""
        return tuple(n for word in self.text(*keys).split() if (n := number_of(word)) is not None)

    def says(self, key: str) -> bool | None:
        """A yes or no; None where the header does not say."""
        word = self.text(key).lower()
        if word in ("true", "enabled", "1", "yes"):
            return True
        return False if word in ("false", "disabled", "0", "no") else None

    @property
    def session(self) -> str:
        """Name of the folder that the file was recorded into; empty where unknown.

        Cheetah names it by the time, ``2021-02-26_15-46-33``; a file that was saved again may
        lie deeper.
        """
        parts = PureWindowsPath(self.original).parts[:-1]
        dated = [part for part in parts if _DATED.fullmatch(part)]
        return dated[-1] if dated else PureWindowsPath(self.original).parent.name

    @property
    def origin(self) -> str:
        """What tells files of one session from those of another; empty where nothing does."""
        if _DATED.fullmatch(self.session):
            return self.session
        folder = str(PureWindowsPath(self.original).parent).lower()
        return "" if folder == "." else folder

    @property
    def application(self) -> tuple[str, str]:
        """Name and version of what wrote the file; empty where the header does not say."""
        said = self.text("ApplicationName")
        if said:
            found = _APPLICATION.match(said)
            return (found[1], found[2].strip()) if found else (said, "")
        if revision := self.text("CheetahRev"):
            return "Cheetah", revision
        return "", ""

    @property
    def hardware(self) -> tuple[str, str]:
        """Name and type of the acquisition system: ``("AcqSystem1", "DigitalLynxSX")``."""
        name, _, kind = self.text("AcquisitionSystem").partition(" ")
        if not kind:
            name = self.text("HardwareSubSystemName") or name
            kind = self.text("HardwareSubSystemType")
        return name.strip(), kind.strip()


def number_of(word: str) -> float | None:
    """A number as Cheetah writes it, also with a decimal comma; None for any other text."""
    if word.count(",") == 1 and "." not in word:
        word = word.replace(",", ".")
    if not re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d{1,4})?", word, re.IGNORECASE):
        return None
    value = float(word)
    return value if math.isfinite(value) else None


def parse(raw: bytes) -> Header | None:
    """The header that `raw`, the first 16384 bytes of a file, begins with.

    None where it does not begin as a Neuralynx header does.
    """
    if not raw.startswith(MAGIC):
        return None
    text = _decoded(raw[:HEADER_BYTES].split(b"\0", 1)[0]).replace("\r", "\n")
    fields: dict[str, str] = {}
    for key, value in _LINE.findall(text):
        fields.setdefault(key.lower().replace("\u03bc", "\u00b5"), _unquoted(value))
    named = _NAMED.search(text)
    original = fields.get("originalfilename") or (_unquoted(named[1]) if named else "")
    opened, closed = fields.get("timecreated", ""), fields.get("timeclosed", "")
    return Header(
        fields,
        "" if original.lower() == "null" else original,
        _created(opened) or _sentence(_OPENED, text),
        _created(closed) or _sentence(_CLOSED, text),
    )


def _decoded(raw: bytes) -> str:
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    # what a header says is shown on terminals
    return "".join(c if c.isprintable() or c in "\r\n\t" else " " for c in text)


def _unquoted(value: str) -> str:
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] == '"' else value


def _created(text: str) -> datetime | None:
    """``2021/02/26 15:46:52``."""
    found = re.match(r"(\d{4})/(\d{1,2})/(\d{1,2})\s+(\d{1,2}):(\d{1,2}):(\d{1,2})", text)
    return _datetime(*(int(n) for n in found.groups())) if found else None


def _sentence(pattern: re.Pattern[str], text: str) -> datetime | None:
    """``(m/d/y): 10/4/2003  At Time: 10:3:0.578``: no part is padded, nor are milliseconds."""
    found = pattern.search(text)
    date = re.fullmatch(r"(\d{1,2})/(\d{1,2})/(\d{2}|\d{4})", found[1]) if found else None
    time = (
        re.fullmatch(r"(\d{1,2}):(\d{1,2}):(\d{1,2})(?:\.(\d{1,3}))?", found[2]) if found else None
    )
    if date is None or time is None:
        return None
    month, day, year = (int(n) for n in date.groups())
    if year < 100:
        year += 1900 if year >= 69 else 2000
    hour, minute, second = (int(n) for n in time.groups()[:3])
    moment = _datetime(year, month, day, hour, minute, second)
    return moment + timedelta(milliseconds=int(time[4] or 0)) if moment else None


def _datetime(*parts: int) -> datetime | None:
    try:
        return datetime(*parts)  # type: ignore[arg-type]
    except ValueError:
        return None
