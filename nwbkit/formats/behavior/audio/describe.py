"""When and by what a sound was recorded, as far as its file says.

Sources: EBU Tech 3285 (bext); the GUANO specification 1.0 (guano-md.org), chunk ``guan``; the
comment that AudioMoth's firmware writes into LIST INFO ICMT (AudioMoth-Firmware-Basic, main.c);
Song Meter, AudioMoth and Avisoft RECORDER put the local time into the file's name.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path

_NAMED = re.compile(
    r"(?<!\d)((?:19|20)\d\d)[-_.]?(\d\d)[-_.]?(\d\d)[-_ T.]+"
    r"(\d\d)[-_.:h]?(\d\d)[-_.:m]?(\d\d)(?!\d)"
)
_MOTH = re.compile(
    r"Recorded at (\d\d):(\d\d):(\d\d)(\.\d+)? (\d\d)/(\d\d)/(\d{4}) "
    r"\(UTC(?:([+-]\d{1,2})(?::?(\d\d))?)?\)(?: during deployment [0-9A-F]+)?"
    r"(?: by (AudioMoth) ([0-9A-F]{16})|)(?:.*? at ([^.]*?gain))?",
)
#: Field of GUANO -> field of a device.
_GUANO = {"make": "manufacturer", "model": "model_name", "serial": "serial_number"}
#: How far apart two statements of one second may lie.
_SAME_S = 2.0


@dataclass
class Said:
    """What a file says of its recording.

    Parameters
    ----------
    start : datetime, optional
        Of the first sample; naive where no zone is said.
    said_by : str
        Where `start` stands.
    rate_factor : float
        By which the header's rate is to be multiplied: time expansion.
    device : dict of str to str
        ``manufacturer``, ``model_name``, ``serial_number``, ``description``.
    comments : list of str
    notes : list of str
    """

    start: datetime | None = None
    said_by: str = ""
    rate_factor: float = 1.0
    stated_rate: float | None = None
    device: dict[str, str] = field(default_factory=dict)
    comments: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def take_start(self, start: datetime | None, said_by: str) -> None:
        """The first that says a time is believed; another that differs is noted."""
        if start is None:
            return
        if self.start is None:
            self.start, self.said_by = start, said_by
            return
        apart = (start.replace(tzinfo=None) - self.start.replace(tzinfo=None)).total_seconds()
        both = start.tzinfo is not None and self.start.tzinfo is not None
        if both:
            apart = (start - self.start).total_seconds()
        if abs(apart) > _SAME_S:
            self.notes.append(
                f"{self.said_by} says {self.start.isoformat()}, {said_by} says "
                f"{start.isoformat()}; the first is taken"
            )


def describe(path: Path, texts: Mapping[str, bytes], rate: float) -> Said:
    """What the chunks of text in `texts`, and the name, say.

    Parameters
    ----------
    path : Path
    texts : mapping of str to bytes
        As ``Layout.texts``.
    rate : float
        Samples per second, for bext's count of samples since midnight.
    """
    said = Said()
    if "guan" in texts:
        _guano(said, plain(texts["guan"]))
    comment = plain(texts.get("ICMT", b""))
    _moth(said, comment)
    if "bext" in texts:
        _bext(said, texts["bext"], rate)
    said.take_start(named(path.stem), "the file's name")
    for key, what in (("INAM", "title"), ("IART", "artist"), ("ICMT", "comment"), ("ISFT", "by")):
        text = plain(texts.get(key, b""))
        if text:
            said.comments.append(f"{what}: {text}")
    for key, what in (("NAME", "title"), ("AUTH", "author"), ("ANNO", "annotation")):
        text = plain(texts.get(key, b""))
        if text:
            said.comments.append(f"{what}: {text}")
    return said


def plain(raw: bytes) -> str:
    """Text of a chunk: to the first NUL, UTF-8 or Latin-1, one line."""
    raw = raw.partition(b"\0")[0]
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    if "guan" in text[:4].lower() or "\n" in text:
        return re.sub(r"[\x00-\x09\x0b-\x1f]", " ", text).strip()
    return re.sub(r"[\x00-\x1f]", " ", text).strip()


def named(stem: str) -> datetime | None:
    """The date and time in a file's name; None where there is none, or more than one."""
    found = _NAMED.findall(stem)
    return _moment(*map(int, found[0])) if len(found) == 1 else None


def _moment(*parts: int) -> datetime | None:
    try:
        return datetime(*parts)  # type: ignore[arg-type]
    except ValueError:
        return None


def _guano(said: Said, text: str) -> None:
    """``Key: value`` lines."""
    fields = {}
    for line in text.splitlines():
        key, colon, value = line.partition(":")
        if colon and value.strip():
            fields[key.strip().lower()] = value.strip()
    if not any(key.startswith("guano|") for key in fields):
        return
    try:
        stamp = fields.get("timestamp", "").replace("Z", "+00:00")
        said.take_start(datetime.fromisoformat(stamp) if stamp else None, "GUANO")
    except ValueError:
        said.notes.append(f"GUANO's time stamp '{fields['timestamp']}' is no date")
    for key, name in _GUANO.items():
        if key in fields:
            said.device[name] = fields[key]
    for key, name in (("te", "rate_factor"), ("samplerate", "stated_rate")):
        try:
            if key in fields:
                setattr(said, name, float(fields[key]))
        except ValueError:
            said.notes.append(f"GUANO's '{key}' is '{fields[key]}', no number")
    if not said.rate_factor > 0:
        said.rate_factor = 1.0
    for key in ("note", "species manual id"):
        if key in fields:
            said.comments.append(f"{key}: {fields[key]}")


def _moth(said: Said, comment: str) -> None:
    match = _MOTH.search(comment)
    if match is None:
        return
    hour, minute, second, fraction, day, month, year = match.groups()[:7]
    hours, minutes, _, serial, gain = match.groups()[7:]
    start = _moment(*map(int, (year, month, day, hour, minute, second)))
    if start is not None:
        offset = int(hours or 0) * 60
        offset += (-1 if (hours or "").startswith("-") else 1) * int(minutes or 0)
        start += timedelta(seconds=float(fraction or 0))
        start = start.replace(tzinfo=timezone(timedelta(minutes=offset)))
    said.take_start(start, "AudioMoth's comment")
    if serial:
        said.device.setdefault("manufacturer", "Open Acoustic Devices")
        said.device.setdefault("model_name", "AudioMoth")
        said.device.setdefault("serial_number", serial)
    if gain:
        said.device.setdefault("description", f"recorded at {gain}")


def _bext(said: Said, raw: bytes, rate: float) -> None:
    """EBU Tech 3285: description 256, originator 32, reference 32, date 10, time 8, samples 8."""
    if len(raw) < 346:
        if raw:
            said.notes.append(f"chunk 'bext' has {len(raw)} bytes, where 602 are the least")
        return
    description, originator = plain(raw[:256]), plain(raw[256:288])
    if description:
        said.comments.append(description)
    if originator:
        said.comments.append(f"originator: {originator}")
    date = re.fullmatch(r"(\d{4})\D(\d\d)\D(\d\d)", plain(raw[320:330]))
    time = re.fullmatch(r"(\d\d)\D(\d\d)\D(\d\d)", plain(raw[330:338]))
    samples = struct.unpack_from("<Q", raw, 338)[0]
    if not date or not time:
        return
    start = _moment(*map(int, (*date.groups(), *time.groups())))
    if start is None:
        said.notes.append("chunk 'bext' holds no date that there is")
        return
    midnight = start.replace(hour=0, minute=0, second=0)
    exact = midnight + timedelta(seconds=samples / rate) if samples / rate < 86400 else start
    if samples and abs((exact - start).total_seconds()) < 1.0:
        start = exact  # the same second, counted in samples since midnight
    elif samples:
        said.notes.append(
            f"chunk 'bext' says {start.time().isoformat()}, and {samples} samples since midnight: "
            "the first is taken"
        )
    said.take_start(start, "chunk 'bext'")
