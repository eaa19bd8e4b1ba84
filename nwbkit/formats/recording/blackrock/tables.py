"""Everything in a nev that is no spike, one table a kind."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nwbkit.formats.recording.blackrock import nev as packets
from nwbkit.formats.recording.blackrock.nev import NevFile, column
from nwbkit.streams import Column, Table, Timebase
from nwbkit.streams.kinds import AnyArray

Ints = npt.NDArray[np.int64]
_TIME = Column("timestamp", "timestamp", "samples", "when the packet was made")
#: Insertion reason of id 0: bit 0 the port changed, 1 to 5 an analog input, 6 periodic, 7 serial.
_SERIAL, _ANALOG = 0x80, 0x7E
_BUTTONS = {0: "undefined", 1: "button press", 2: "event reset"}
_CHANGES = {0: "normal", 1: "critical"}
_CHARSETS = {0: "ANSI", 1: "UTF-16", 255: "NeuroMotive ANSI"}


@dataclass(kw_only=True)
class Packets(Table):
    """Packets of one kind.

    Parameters
    ----------
    file : NevFile
    picked : array of int
        Indices of the packets.
    ticks : array of int64
        Of these, from the clock's zero.
    what : str
        The kind; the stream's id.
    """

    file: NevFile
    picked: npt.NDArray[np.intp]
    ticks: Ints
    what: str

    def read(self) -> dict[str, AnyArray]:
        """Ticks from the clock's zero, and the kind's own columns."""
        raw, ticks = self.file.pick(self.picked), self.file.ticks[self.picked]
        found = {"timestamp": self.ticks, **_READERS[self.what](self.file, raw, ticks)}
        return {c.name: found[c.name] for c in self.columns}


def _texts(values: list[str]) -> AnyArray:
    return np.array(values, dtype=object)


def _digital(file: NevFile, raw: AnyArray, ticks: Ints) -> dict[str, AnyArray]:
    found: dict[str, AnyArray] = {"value": column(raw, 2, "<u2"), "reason": raw[:, 0].copy()}
    if raw.shape[1] >= 14:
        found |= {f"analog_{i + 1}": column(raw, 4 + 2 * i, "<i2") for i in range(5)}
    return found


def _comments(file: NevFile, raw: AnyArray, ticks: Ints) -> dict[str, AnyArray]:
    begun = raw[:, 1] == 1  # else the number is a colour
    number = column(raw, 2, "<u4").astype(np.int64)
    return {
        "comment": _texts([_comment(r, t) for r, t in zip(raw, ticks.tolist(), strict=True)]),
        "charset": _texts([_CHARSETS.get(int(c), str(int(c))) for c in raw[:, 0]]),
        "color": _texts(
            ["" if b else f"#{n:08X}" for b, n in zip(begun, number.tolist(), strict=True)]
        ),
        "begun": np.where(begun, number / file.header.resolution, np.nan),
    }


def _comment(row: AnyArray, tick: int) -> str:
    raw = row[6:].tobytes()
    if row[0] == 1:
        said = raw[: len(raw) // 2 * 2].decode("utf-16-le", "replace").split("\0", 1)[0]
    else:
        said = raw.split(b"\0", 1)[0].decode("latin-1")
        # behind a text of 8, 16, ... letters Central leaves the packet's own time stamp
        stamp = tick.to_bytes(8, "little").split(b"\0", 1)[0].decode("latin-1")
        said = said.removesuffix(stamp) if len(stamp) > 1 else said
    kept = "".join(c if c.isprintable() or c in "\t\r\n" else "\0" for c in said)
    return kept.split("\0", 1)[0].rstrip()


def _video(file: NevFile, raw: AnyArray, ticks: Ints) -> dict[str, AnyArray]:
    source = column(raw, 10, "<u4")
    return {
        "file_number": column(raw, 0, "<u2"),
        "frame": column(raw, 2, "<u4"),
        "elapsed_ms": column(raw, 6, "<u4"),
        "video_source": _texts([_video_name(file, int(s)) for s in source]),
    }


def _video_name(file: NevFile, number: int) -> str:
    return file.header.videos.get(number, ("", 0.0))[0] or str(number)


def _tracking(file: NevFile, raw: AnyArray, ticks: Ints) -> dict[str, AnyArray]:
    counts = column(raw, 6, "<u2")
    points = []
    for row, count in zip(raw, counts.tolist(), strict=True):
        held = row[8 : 8 + len(row[8:]) // 2 * 2].copy().view("<u2").tolist()[:count]
        points.append(" ".join(str(p) for p in held))
    nodes = column(raw, 2, "<u2")
    return {
        "parent_node": column(raw, 0, "<u2"),
        "node": nodes,
        "object": _texts([file.header.trackables.get(int(n), "") for n in nodes]),
        "node_count": column(raw, 4, "<u2"),
        "point_count": counts,
        "points": _texts(points),
    }


def _code(file: NevFile, raw: AnyArray, ticks: Ints) -> dict[str, AnyArray]:
    return {"value": column(raw, 0, "<u2")}


def _text_behind(raw: AnyArray, at: int) -> AnyArray:
    said = [r[at:].tobytes().split(b"\0", 1)[0].decode("latin-1") for r in raw]
    return _texts(["".join(c for c in s if c.isprintable()).rstrip() for s in said])


def _configuration(file: NevFile, raw: AnyArray, ticks: Ints) -> dict[str, AnyArray]:
    return {"value": column(raw, 0, "<u2"), "text": _text_behind(raw, 2)}


def _log(file: NevFile, raw: AnyArray, ticks: Ints) -> dict[str, AnyArray]:
    return {
        "value": column(raw, 0, "<u2"),
        "application": _text_behind(raw[:, :18], 2),
        "text": _text_behind(raw, 18),
    }


_READERS = {
    "digital": _digital,
    "serial": _digital,
    "comments": _comments,
    "video": _video,
    "tracking": _tracking,
    "buttons": _code,
    "recording": _code,
    "configuration": _configuration,
    "log": _log,
}
_VALUE = Column("value", "value", "", "number that the packet holds")
_PORT = (
    _TIME,
    Column("value", "value", "", "word on the port"),
    Column("reason", "value", "", "why the packet was made: bit 0 change, 6 periodic, 7 serial"),
)
_COLUMNS: dict[str, tuple[Column, ...]] = {
    "digital": _PORT,
    "serial": _PORT,
    "comments": (
        _TIME,
        Column("comment", "label", "", "text of the comment"),
        Column("charset", "label", "", "how the text was encoded"),
        Column("color", "label", "", "colour of the comment (RGBA); empty where it has none"),
        Column("begun", "value", "", "device time in seconds at which its writing began, if said"),
    ),
    "video": (
        _TIME,
        Column("file_number", "value", "", "number of the video file"),
        Column("frame", "value", "", "number of the frame"),
        Column("elapsed_ms", "value", "", "milliseconds since the video file began"),
        Column("video_source", "label", "", "name of the camera, else its number"),
    ),
    "tracking": (
        _TIME,
        Column("parent_node", "value", "", "id of the parent node"),
        Column("node", "value", "", "id of the node"),
        Column("object", "label", "", "name of the trackable object; empty where it has none"),
        Column("node_count", "value", "", "number of nodes"),
        Column("point_count", "value", "", "number of coordinates as the packet says"),
        Column("points", "label", "", "coordinates in pixels, as they follow each other"),
    ),
    "buttons": (_TIME, Column("value", "value", "", "trigger type", _BUTTONS)),
    "recording": (_TIME, Column("value", "value", "", "recording event as the packet says")),
    "configuration": (
        _TIME,
        Column("value", "value", "", "kind of change", _CHANGES),
        Column("text", "label", "", "what was changed"),
    ),
    "log": (
        _TIME,
        Column("value", "value", "", "mode"),
        Column("application", "label", "", "which program wrote it"),
        Column("text", "label", "", "text of the entry"),
    ),
}
_IDS = {
    "comments": packets.COMMENT,
    "video": packets.VIDEO,
    "tracking": packets.TRACKING,
    "buttons": packets.BUTTON,
    "configuration": packets.CONFIGURATION,
    "log": packets.LOG,
    "recording": packets.RECORDING,
}
_SAID = {
    "digital": "changes of the digital input port",
    "serial": "bytes on the serial port",
    "comments": "comments",
    "video": "video frames",
    "tracking": "positions of tracked objects",
    "buttons": "patient triggers and buttons",
    "configuration": "changes of the configuration",
    "log": "log entries",
    "recording": "recording events",
}
_NAMES = {
    "digital": "DigitalInput",
    "serial": "SerialInput",
    "comments": "Comments",
    "video": "VideoSync",
    "tracking": "Tracking",
    "buttons": "Buttons",
    "configuration": "Configuration",
    "log": "Log",
    "recording": "RecordingEvents",
}


def tables_of(file: NevFile, placed: Ints, timebase: Timebase) -> Iterator[Packets]:
    """One table for each kind of packet that the file holds."""
    for what, picked in _picked(file):
        if not len(picked):
            continue
        columns = _COLUMNS[what]
        if what == "digital" and file.header.spec < (2, 3) and (file.codes[picked] & _ANALOG).any():
            columns += tuple(
                Column(f"analog_{i}", "value", "", f"analog input {i} in millivolts")
                for i in range(1, 6)
            )
        said = _SAID[what]
        label = file.header.digital.get({"digital": 1, "serial": 0}.get(what, -1), "")
        yield Packets(
            id=what,
            name=label or what,
            role="events",
            timebase=timebase,
            nwb_name=f"Events{_NAMES[what]}",
            description=said + (f" '{label}'" if label else ""),
            columns=columns,
            file=file,
            picked=picked,
            ticks=placed[picked],
            what=what,
        )


def _picked(file: NevFile) -> Iterator[tuple[str, npt.NDArray[np.intp]]]:
    inputs = file.ids == packets.DIGITAL
    serial = (file.codes & _SERIAL) != 0
    yield "digital", np.flatnonzero(inputs & ~serial)
    yield "serial", np.flatnonzero(inputs & serial)
    for what, number in _IDS.items():
        if number in (packets.LOG, packets.RECORDING) and not file.long:
            continue
        yield what, np.flatnonzero(file.ids == number)


def undocumented(file: NevFile) -> dict[int, int]:
    """How many packets there are of ids that the specification does not say."""
    known = np.isin(file.ids, list(_IDS.values())) | (file.ids <= packets.MAX_ELECTRODE)
    if not file.long:
        known &= ~np.isin(file.ids, [packets.LOG, packets.RECORDING])
    ids, counts = np.unique(file.ids[~known], return_counts=True)
    return dict(zip(ids.tolist(), counts.tolist(), strict=True))
