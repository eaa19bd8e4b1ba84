"""What SpikeGLX file names say: ``{run}_g{G}_t{T|cat}.{imecP|nidq|obxP}[.ap|.lf|.obx].bin``.

Source: SpikeGLX user manual, "Output file format and tools". Phase 3A writes ``imec``
without an index; CatGT writes ``tcat``; exporting adds ``.exported``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath, PureWindowsPath

_DEVICE = r"\.(?P<device>imec|nidq|obx)(?P<index>\d{0,4})(?:\.(?P<band>ap|lf|obx))?"
_FULL = re.compile(
    r"(?P<run>.+)_g(?P<gate>\d{1,9})_t(?P<trigger>\d{1,9}|cat)(?:\.[^.]+)*?" + _DEVICE,
    re.IGNORECASE,
)
_PART = re.compile(
    r"(?P<run>.+?)(?:_g(?P<gate>\d{1,9}))?(?:_t(?P<trigger>\d{1,9}|cat))?" + _DEVICE, re.IGNORECASE
)
_BAND = re.compile(r"(?P<run>.+)\.(?P<band>ap|lf)", re.IGNORECASE)

#: Trigger number of CatGT output, which joins all triggers.
CAT = -1


@dataclass(frozen=True)
class FileName:
    """The parts of a name; None where it does not say.

    Parameters
    ----------
    run : str, optional
    gate : int, optional
    trigger : int, optional
        :data:`CAT` for CatGT output.
    index : int, optional
        Of the probe or OneBox.
    band : str, optional
        ``ap`` or ``lf``.
    """

    run: str | None = None
    gate: int | None = None
    trigger: int | None = None
    index: int | None = None
    band: str | None = None


def parse_name(stem: str) -> FileName:
    """Parse a file name without its ``.meta`` or ``.bin``; what does not parse is None."""
    match = _FULL.fullmatch(stem) or _PART.fullmatch(stem) or _BAND.fullmatch(stem)
    if match is None:
        return FileName()
    said = match.groupdict()
    trigger = said.get("trigger")
    band = (said.get("band") or "").lower()
    return FileName(
        run=said["run"],
        gate=int(said["gate"]) if said.get("gate") else None,
        trigger=None if trigger is None else CAT if trigger.lower() == "cat" else int(trigger),
        index=int(said["index"]) if said.get("index") else None,
        band=band if band in ("ap", "lf") else None,
    )


def original_name(file_name: str) -> FileName:
    """Parse the path under ``fileName``: that of the .bin on the machine that recorded it."""
    windows = "\\" in file_name
    name = PureWindowsPath(file_name).name if windows else PurePosixPath(file_name).name
    return parse_name(re.sub(r"\.bin$", "", name, flags=re.IGNORECASE))
