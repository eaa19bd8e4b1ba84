"""Which headers belong together: one run and gate, all its probes, bands and triggers.

Names decide where they say something, what is in the header where they do not; so a run
whose folder and files were renamed is still one run, and a tree with several runs merged
into it falls apart into them again.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from nwbkit.formats.recording.spikeglx.names import CAT, FileName, original_name, parse_name

#: Files of one run agree within this many seconds on when acquisition began, reckoned
#: from fileCreateTime (whole seconds, taken when the file is made) and firstSample.
START_TOLERANCE_S = 120.0
_EPOCH = datetime(1970, 1, 1)


@dataclass(frozen=True)
class Item:
    """One header as grouping sees it.

    Parameters
    ----------
    path : Path
        Of the .meta.
    fields : mapping
    kind : {"imec", "nidq", "obx"}
    name, original : FileName
        What the file's name says, and what ``fileName`` inside says.
    """

    path: Path
    fields: Mapping[str, str] = field(repr=False)
    kind: str
    name: FileName
    original: FileName

    @classmethod
    def of(cls, path: Path, fields: Mapping[str, str], kind: str) -> Item:
        """From a parsed header."""
        stem = path.name[: -len(".meta")] if path.name.lower().endswith(".meta") else path.name
        return cls(path, fields, kind, parse_name(stem), original_name(fields.get("fileName", "")))

    @property
    def catgt(self) -> bool:
        """Whether CatGT made the file; its output and the raw run are separate sessions."""
        made = any(key.startswith("catGT") for key in self.fields)
        return made or CAT in (self.name.trigger, self.original.trigger)

    @property
    def run(self) -> tuple[str, int | None] | None:
        """Run and gate by the file's name, the gate by ``fileName`` where the name has none."""
        if self.name.run is None:
            return None
        gate = self.name.gate if self.name.gate is not None else self.original.gate
        return self.name.run, gate

    @property
    def original_run(self) -> tuple[str, int | None] | None:
        """Run and gate as recorded."""
        return None if self.original.run is None else (self.original.run, self.original.gate)

    @property
    def gate(self) -> int | None:
        """The gate by either name."""
        return self.name.gate if self.name.gate is not None else self.original.gate

    @property
    def trigger(self) -> int:
        """The trigger by either name; 0 where neither says."""
        if self.catgt:
            return CAT
        for said in (self.name.trigger, self.original.trigger):
            if said is not None:
                return said
        return 0

    @property
    def band(self) -> str:
        """``ap`` or ``lf`` by the channels that were saved; else the kind."""
        if self.kind != "imec":
            return self.kind
        counts = self.fields.get("snsApLfSy", "").split(",")
        if len(counts) > 1 and counts[0].strip() == "0" and counts[1].strip() != "0":
            return "lf"
        return "ap"

    @property
    def index(self) -> int | None:
        """Index of the probe or OneBox by either name; None where neither says."""
        if self.kind == "nidq":
            return None
        return self.name.index if self.name.index is not None else self.original.index

    @property
    def socket(self) -> tuple[int, ...]:
        """Slot, port and dock: what orders probes that have no index."""
        keys: tuple[str, ...] = ("imDatPrb_slot", "imDatPrb_port", "imDatPrb_dock")
        if self.kind == "obx":
            keys = ("imDatObx_slot",)
        said = [self.fields.get(key, "") for key in keys]
        return tuple(whole(s) or 0 for s in said)

    @property
    def device(self) -> tuple[str, ...]:
        """What tells one device from another: its serial number, else its index and socket."""
        if self.kind == "nidq":
            return ("nidq",)
        serial = self.fields.get("imDatPrb_sn") or self.fields.get("imProbeSN")
        if self.kind == "imec" and serial:
            return ("imec", serial)
        return (self.kind, str(self.index), *map(str, self.socket))

    @property
    def slot(self) -> tuple[object, ...]:
        """Two files with the same slot cannot be of one run."""
        return (self.device, self.band, self.trigger)

    @property
    def acquisition_start(self) -> float | None:
        """When sample 0 was taken, in seconds since 1970 by the recorder's own wall clock."""
        created = created_at(self.fields)
        first = whole(self.fields.get("firstSample", ""))
        rate = next((r for r in _rates(self.fields) if r > 1), None)
        if created is None or rate is None or first is None:
            return None
        return _seconds(created) - first / rate


def created_at(fields: Mapping[str, str]) -> datetime | None:
    """When the data were recorded: ``fileCreateTime``, for CatGT output that of its input.

    None where the header does not say. CatGT and the file viewer keep the input's time as
    ``fileCreateTime_original`` and put their own under ``fileCreateTime``. An exported
    stretch begins later than the file it was cut from, and a supercat has CatGT output as
    its input: neither says when its own first sample was taken.
    """
    text = fields.get("fileCreateTime", "")
    made_later = any(key.startswith("catGT") for key in fields)
    if "fileCreateTime_original" in fields:
        if not made_later or "catNRuns" in fields:
            return None
        text = fields["fileCreateTime_original"]
    elif made_later:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment


def whole(text: str) -> int | None:
    """A whole number of reasonable length; None for anything else."""
    return int(text) if len(text) < 19 and text.isascii() and text.isdecimal() else None


def _seconds(moment: datetime) -> float:
    return (moment.replace(tzinfo=None) - _EPOCH).total_seconds()


def _rates(fields: Mapping[str, str]) -> Iterable[float]:
    for key in ("imSampRate", "niSampRate", "obSampRate"):
        try:
            value = float(fields.get(key, "nan"))
        except ValueError:
            continue
        if math.isfinite(value):
            yield value


@dataclass
class Unit:
    """Headers already known to belong together."""

    items: list[Item]
    folders: set[Path] = field(init=False)
    slots: set[tuple[object, ...]] = field(init=False)
    span: tuple[float, float] | None = field(init=False)
    created: dict[int, float] = field(init=False)

    def __post_init__(self) -> None:
        self.folders = {item.path.parent for item in self.items}
        self.slots = {item.slot for item in self.items}
        starts = [s for i in self.items if (s := i.acquisition_start) is not None]
        self.span = (min(starts), max(starts)) if starts else None
        times = [(i.trigger, created_at(i.fields)) for i in self.items]
        self.created = {t: _seconds(c) for t, c in times if c is not None}

    def admits(self, other: Unit) -> bool:
        """Whether `other` can be of the same run: no file twice, one start of acquisition."""
        if self.slots & other.slots:
            return False
        span = _joined(self.span, other.span)
        if span is not None and self.span is not None and other.span is not None:
            return span[1] - span[0] <= START_TOLERANCE_S
        # a header without firstSample was not finished; its trigger began with the others'
        both = self.created.keys() & other.created.keys()
        return all(abs(self.created[t] - other.created[t]) <= START_TOLERANCE_S for t in both)

    def near(self, other: Unit) -> bool:
        """Whether the folders are the same, parent and child, or siblings."""
        first = (self.items[0], other.items[0])
        if any((whole(i.fields.get("nDataDirs", "")) or 1) > 1 for i in first):
            return True  # SpikeGLX spreads such a run over several disks
        return any(_near(a, b) for a in self.folders for b in other.folders)

    def absorb(self, other: Unit) -> None:
        """Take in the headers of `other`."""
        self.items += other.items
        self.folders |= other.folders
        self.slots |= other.slots
        self.span = _joined(self.span, other.span)
        self.created = {**other.created, **self.created}


def _joined(
    a: tuple[float, float] | None, b: tuple[float, float] | None
) -> tuple[float, float] | None:
    if a is None or b is None:
        return a or b
    return min(a[0], b[0]), max(a[1], b[1])


def _near(a: Path, b: Path) -> bool:
    return a == b or a.parent in (b, b.parent) or b.parent == a


def group(items: Sequence[Item]) -> list[list[Item]]:
    """Split headers into runs and gates, each ordered by device, band and trigger."""
    units = _units(items)
    for key in ("run", "original_run"):
        units = _merged(units, key)
    return [sorted(u.items, key=_order) for u in units]


def _order(item: Item) -> tuple[object, ...]:
    begin = whole(item.fields.get("firstSample", "")) or 0
    index = item.index if item.index is not None else 1 << 20
    kinds = ("imec", "obx", "nidq")
    return (kinds.index(item.kind), index, item.socket, item.band, begin, os.fsencode(item.path))


def _units(items: Sequence[Item]) -> list[Unit]:
    """Per folder and run; a second file for the same slot starts a unit of its own."""
    buckets: dict[tuple[object, ...], list[Unit]] = {}
    for item in sorted(items, key=lambda i: os.fsencode(i.path)):
        bucket = buckets.setdefault(
            (item.path.parent, item.run or item.original_run, item.catgt), []
        )
        single = Unit([item])
        for unit in bucket:
            if unit.admits(single):
                unit.absorb(single)
                break
        else:
            bucket.append(single)
    return [unit for bucket in buckets.values() for unit in bucket]


def _merged(units: Sequence[Unit], key: str) -> list[Unit]:
    """Join units that agree on `key`, lie near each other and admit each other."""
    buckets: dict[tuple[object, ...], list[Unit]] = {}
    for unit in sorted(units, key=lambda u: _depth_first(u)):
        names = {getattr(i, key) for i in unit.items} - {None}
        bucket = buckets.setdefault(
            (min(names, key=str, default=unit.items[0].path), unit.items[0].catgt), []
        )
        for other in bucket:
            if other.near(unit) and other.admits(unit):
                other.absorb(unit)
                break
        else:
            bucket.append(unit)
    return [unit for bucket in buckets.values() for unit in bucket]


def _depth_first(unit: Unit) -> tuple[object, ...]:
    folder = min(unit.folders)
    return (len(folder.parts), os.fsencode(folder), os.fsencode(min(i.path for i in unit.items)))


def label(items: Sequence[Item]) -> str:
    """What the run is called: ``{run}_g{gate}``, with ``_tcat`` for CatGT output."""
    named = [i.run or i.original_run for i in items]
    run, gate = next((n for n in named if n is not None), (items[0].path.parent.name, None))
    stem = run if gate is None else f"{run}_g{gate}"
    return f"{stem}_tcat" if items[0].catgt else stem


def indices(items: Sequence[Item]) -> dict[tuple[str, ...], int]:
    """Index of every probe and OneBox, by :attr:`Item.device`.

    As the names say; where a name has no index, or two devices of a kind claim the same,
    by order of slot, port and dock.
    """
    found: dict[tuple[str, ...], int] = {}
    for kind in ("imec", "obx"):
        said: dict[tuple[str, ...], int | None] = {}
        sockets: dict[tuple[str, ...], tuple[object, ...]] = {}
        for item in items:
            if item.kind == kind:
                said[item.device] = said.get(item.device, item.index)
                place = (item.socket, os.fsencode(item.path))
                sockets[item.device] = min(place, sockets.get(item.device, place))
        ordered = sorted(said, key=lambda d: sockets[d])
        known = [i for i in said.values() if i is not None]
        if len(known) == len(said) == len(set(known)):
            found.update({d: i for d, i in said.items() if i is not None})
        else:
            found.update({device: n for n, device in enumerate(ordered)})
    return found
