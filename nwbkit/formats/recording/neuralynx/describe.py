"""What the headers say beside the data, in the shape of the metadata document."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from nwbkit.formats.io.neuralynx import Header
from nwbkit.formats.recording.neuralynx.channels import group_of, hardware_of
from nwbkit.formats.recording.neuralynx.files import NlxFile

#: Types of acquisition system that Neuralynx makes.
_MAKES = ("digitallynx", "atlas", "cheetah", "hawk", "lynx")
_LOGS = ("CheetahLogFile.txt", "PegasusLogFile.txt")
_LOG_BYTES = 4 << 20
_LOG_DAY = re.compile(
    r"Time Opened:? \(m/d/y\):?\s+(\d{1,2})/(\d{1,2})/(\d{4}) at time (\d{1,2}):(\d{1,2}):"
)
_LOG_LINE = re.compile(
    r"(\d{1,2}):(\d{2}):(\d{2})\.(\d{3}) - (\d{1,18}) - AcquisitionControl::StartRecording"
)
#: A line of the log about the recording's start is written so near to its first record.
_LOG_NEAR_US = 1_000_000
_EPOCH = datetime(1970, 1, 1)  # timestamps count local time


def start_of(files: Sequence[NlxFile]) -> datetime | None:
    """When the first of the files was opened, by the recording computer's clock."""
    times = [f.header.opened for f in files if f.header.opened is not None]
    return min(times, default=None)


def wall_time(zero: int, start: datetime | None) -> datetime | None:
    """When the first record was taken, where timestamps count local time since 1970.

    Cheetah 6 and Pegasus set the clock by the computer's: then this is within a day of the
    files' opening.
    """
    if start is None or zero < 10**15:
        return None
    try:
        taken = _EPOCH + timedelta(microseconds=zero)
    except OverflowError:
        return None
    return taken if timedelta(0) <= taken - start < timedelta(days=1) else None


def logged_time(folder: Path, zero: int) -> datetime | None:
    """When the first record was taken, by the log of Cheetah or Pegasus; None without one.

    Its lines hold the wall clock and the timestamp: ``17:21:21.805 - 26122561157 -
    AcquisitionControl::StartRecording()``; the date stands in the second line.
    """
    for name in _LOGS:
        try:
            with open(folder / name, "rb") as f:
                text = f.read(_LOG_BYTES).decode("latin-1")
        except OSError:
            continue
        day = _LOG_DAY.search(text)
        stamps = [(int(m[5]), m) for m in _LOG_LINE.finditer(text)]
        if day is None or not stamps:
            continue
        stamp, line = min(stamps, key=lambda s: abs(s[0] - zero))
        if abs(stamp - zero) > _LOG_NEAR_US:
            continue
        hours, minutes, seconds, milliseconds = (int(line[k]) for k in range(1, 5))
        try:
            date = datetime(int(day[3]), int(day[1]), int(day[2]))
        except ValueError:
            continue
        moment = date + timedelta(
            hours=hours, minutes=minutes, seconds=seconds, milliseconds=milliseconds
        )
        begun = timedelta(hours=int(day[4]), minutes=int(day[5]))
        if moment - date < begun:  # past midnight
            moment += timedelta(days=1)
        return moment + timedelta(microseconds=zero - stamp)
    return None


def filter_text(header: Header) -> str:
    """The filters in one text; empty where the header does not say."""
    parts = [_band(header, "Low", "high-pass"), _band(header, "High", "low-pass")]
    if header.text("AmpLowCut", "AmpHiCut"):
        parts.append(f"amplifier {header.text('AmpLowCut')} to {header.text('AmpHiCut')} Hz")
    delay = header.text("DspFilterDelay_\u00b5s")
    if delay:
        state = header.says("DspDelayCompensation")
        done = {True: ", compensated", False: ", not compensated", None: ""}[state]
        parts.append(f"filter delay {delay} us{done}")
    return "; ".join(p for p in parts if p)


def _band(header: Header, which: str, called: str) -> str:
    enabled, cut = (
        header.says(f"DSP{which}CutFilterEnabled"),
        header.text(f"Dsp{which}CutFrequency"),
    )
    if enabled is None or not cut:
        return ""
    if not enabled:
        return f"no {called}"
    kind, taps = header.text(f"Dsp{which}CutFilterType"), header.text(f"Dsp{which}CutNumTaps")
    more = ", ".join(p for p in (kind, f"{taps} taps" if taps not in ("", "0") else "") if p)
    return f"{called} {cut} Hz" + (f" ({more})" if more else "")


def software(header: Header) -> str:
    """``Cheetah 6.4.1 Development``."""
    return " ".join(part for part in header.application if part).strip()


def devices_of(files: Iterable[NlxFile]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Devices and electrode groups by id."""
    devices: dict[str, Any] = {}
    groups: dict[str, Any] = {}
    for file in files:
        device, group = hardware_of(file), group_of(file)
        devices.setdefault(device, _device(file.header))
        probe = file.header.text("ProbeName")
        text = f"the electrodes of probe {probe}" if probe else f"the electrodes of {device}"
        groups.setdefault(group, {"description": text, "device": device})
    return devices, groups


def _device(header: Header) -> dict[str, Any]:
    name, kind = header.hardware
    said = "acquisition system" + (f" {name}" if name else "")
    by = software(header)
    found = {"description": said + (f"; recorded by {by}" if by else "")}
    if kind:
        found["model_name"] = kind
    if kind.lower().startswith(_MAKES) or header.application[0] in ("Cheetah", "Pegasus"):
        found["manufacturer"] = "Neuralynx"
    return found


def document(
    start: datetime | None,
    session: str,
    files: Sequence[NlxFile],
    streams: dict[str, dict[str, str]],
) -> dict[str, Any]:
    """The metadata of a source; `streams` by address."""
    found: dict[str, Any] = {}
    facts = {}
    if start is not None:
        facts["session_start_time"] = start.isoformat()
    if session:
        facts["session_id"] = session
    if facts:
        found["NWBFile"] = facts
    devices, groups = devices_of(files)
    if devices:
        found["Devices"] = devices
        found["ElectrodeGroups"] = groups
    found["Streams"] = streams
    return found
