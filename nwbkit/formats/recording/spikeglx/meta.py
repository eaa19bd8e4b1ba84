"""SpikeGLX .meta files: ``key=value`` lines, read without trusting them.

Source of the facts: SpikeGLX metadata guides (billkarsh.github.io/SpikeGLX, Markdown/
Metadata_30.md, Metadata_3B2.md, Support/Metadata_3A.md) and the headers that releases
20180525 to 20260115 wrote. Tables carry a ``~`` before their key, which some copies lack.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from nwbkit.errors import DamagedInput, NoInput

#: The largest header read; a quad-base probe writes 120 kB.
MAX_META = 8 << 20
#: Channel counts of a file by kind of stream: in acquisition order.
COUNT_KEYS = {
    "imec": ("acqApLfSy", "snsApLfSy"),
    "nidq": ("acqMnMaXaDw", "snsMnMaXaDw"),
    "obx": ("acqXaDwSy", "snsXaDwSy"),
}
RATE_KEYS = {"imec": "imSampRate", "nidq": "niSampRate", "obx": "obSampRate"}
#: No stream has more channels; a header that says so is not believed.
MAX_CHANNELS = 65536

_NEWLINE = re.compile(r"\r\n|\n|\r")  # splitlines() would also cut at U+0085 and the like


def decode(raw: bytes) -> str:
    """Text of a header: UTF-8, else the Western code page of the Windows that wrote it."""
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    return raw.decode("latin-1")


def parse(text: str) -> tuple[dict[str, str], list[tuple[str, str, str]]]:
    """The fields of a header, and those said twice as ``(key, first, last)``.

    A value may itself hold ``=``; a leading ``~`` of the key is dropped; lines without
    ``=`` (blank ones, torn ones) say nothing.
    """
    fields: dict[str, str] = {}
    twice: list[tuple[str, str, str]] = []
    for line in _NEWLINE.split(text):
        key, equals, value = line.partition("=")
        key = key.strip().removeprefix("~")
        if not equals or not key:
            continue
        value = value.strip()
        if key in fields and fields[key] != value:
            twice.append((key, fields[key], value))
        fields[key] = value
    return fields, twice


def kind_of(fields: Mapping[str, str]) -> str | None:
    """``imec``, ``nidq`` or ``obx`` where these are the fields of a SpikeGLX header."""
    kind = fields.get("typeThis", "").strip().lower()
    if kind in COUNT_KEYS and COUNT_KEYS[kind][1] in fields and "nSavedChans" in fields:
        return kind
    return None


@dataclass(frozen=True)
class Meta:
    """One parsed header.

    Parameters
    ----------
    path : Path
    fields : dict of str to str
        Without the ``~`` of table keys.
    kind : {"imec", "nidq", "obx"}
    with_folder : bool
        Messages name the folder too, since other files are called the same.
    """

    path: Path
    fields: dict[str, str] = field(repr=False)
    kind: str
    with_folder: bool = False

    @classmethod
    def read(cls, path: Path, *, with_folder: bool = False) -> Meta:
        """Parse the header at `path`.

        Raises
        ------
        nwbkit.errors.NoInput
            Where it cannot be read.
        nwbkit.errors.DamagedInput
            Where it is no SpikeGLX header, or says one thing twice differently.
        """
        try:
            with open(path, "rb") as f:
                raw = f.read(MAX_META + 1)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise NoInput(f"cannot open '{path}': {reason}") from None
        if len(raw) > MAX_META:
            raise DamagedInput(f"'{path.name}' is larger than any SpikeGLX header ({MAX_META} B)")
        fields, twice = parse(decode(raw))
        kind = kind_of(fields)
        if kind is None:
            raise DamagedInput(
                f"'{path.name}' is no SpikeGLX header: typeThis, the channel counts "
                "(snsApLfSy, snsMnMaXaDw or snsXaDwSy) or nSavedChans are missing"
            )
        for key, first, last in twice:
            if key not in ("userNotes", "fileName") and not key.startswith(("rmt_", "catGT")):
                raise DamagedInput(f"'{path.name}' says {key} twice: {first} and {last}")
        return cls(path, fields, kind, with_folder)

    @property
    def name(self) -> str:
        """What messages call the header."""
        return self.shown(self.path)

    def shown(self, path: Path) -> str:
        """What messages call a file beside the header."""
        return f"{path.parent.name}/{path.name}" if self.with_folder else path.name

    def text(self, key: str) -> str | None:
        """The value of `key`; None where absent or blank."""
        return self.fields.get(key) or None

    def need(self, key: str) -> str:
        """The value of `key`; DamagedInput where absent or blank."""
        value = self.text(key)
        if value is None:
            raise DamagedInput(f"'{self.name}' has no {key}")
        return value

    def whole(self, key: str) -> int | None:
        """The whole number under `key`, not negative; None where absent."""
        value = self.text(key)
        if value is None:
            return None
        # later guides show 1e3 nowhere; "123.0" is what a spreadsheet makes of a count
        if not re.fullmatch(r"\d{1,18}", value):
            raise DamagedInput(f"'{self.name}' says {key}={value}, which is no whole number")
        return int(value)

    def number(self, key: str) -> float | None:
        """The finite number under `key`; None where absent."""
        value = self.text(key)
        if value is None:
            return None
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            raise DamagedInput(f"'{self.name}' says {key}={value}, which is no number")
        return number

    def positive(self, key: str) -> float:
        """The number under `key`, which must be there and above 0."""
        self.need(key)
        number = self.number(key)
        if number is None or number <= 0:
            raise DamagedInput(
                f"'{self.name}' says {key}={self.fields[key]}, which must be above 0"
            )
        return number

    @property
    def rate(self) -> float:
        """Samples per second, exactly the text of the header."""
        return self.positive(RATE_KEYS[self.kind])

    def counts(self, key: str) -> tuple[int, ...] | None:
        """Numbers like ``384,384,1``; None where absent."""
        value = self.text(key)
        if value is None:
            return None
        parts = [p.strip() for p in value.split(",")]
        wanted = 4 if self.kind == "nidq" else 3
        if len(parts) != wanted or not all(re.fullmatch(r"\d{1,6}", p) for p in parts):
            raise DamagedInput(f"'{self.name}' says {key}={value}, not {wanted} whole numbers")
        return tuple(int(p) for p in parts)

    def table(self, key: str) -> tuple[list[str], list[list[str]]] | None:
        """A table ``(a,b)(c d e)(f g h)...`` as header fields and entries; None where absent."""
        value = self.text(key)
        if value is None:
            return None
        groups = re.findall(r"\(([^()]*)\)", value)
        if not groups or "".join(f"({g})" for g in groups) != value:
            raise DamagedInput(f"'{self.name}' has a torn table {key}")
        return groups[0].split(","), [re.split(r"[ :;]", g) for g in groups[1:]]


def parse_subset(text: str) -> list[int] | None:
    """Channels of a printer-like list ``0:35,72,384``; None where it does not read as one."""
    channels: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d{1,6})(?::(\d{1,6}))?\s*", part)
        if match is None:
            return None
        first = int(match[1])
        last = int(match[2]) if match[2] else first
        if last < first or len(channels) + last - first >= MAX_CHANNELS:
            return None
        channels.extend(range(first, last + 1))
    return channels
