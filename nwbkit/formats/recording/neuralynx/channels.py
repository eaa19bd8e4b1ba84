"""Which files are one channel, and which channels make one stream."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nwbkit.errors import DamagedInput, MissingFact
from nwbkit.formats.recording.neuralynx.csc import Part, Scan, scan, sketch
from nwbkit.formats.recording.neuralynx.files import Complaints, NlxFile
from nwbkit.formats.recording.neuralynx.look import natural_key
from nwbkit.formats.recording.neuralynx.timing import Nominal
from nwbkit.streams import Electrode

_RESTART = re.compile(r"_\d{4}$")
#: What of a header describes the filters, in the order they are told in.
FILTER_KEYS = (
    "DSPLowCutFilterEnabled",
    "DspLowCutFrequency",
    "DspLowCutNumTaps",
    "DspLowCutFilterType",
    "DSPHighCutFilterEnabled",
    "DspHighCutFrequency",
    "DspHighCutNumTaps",
    "DspHighCutFilterType",
    "DspDelayCompensation",
    "DspFilterDelay_\u00b5s",
    "AmpLowCut",
    "AmpHiCut",
)
#: No acquisition system of Neuralynx samples slower or faster, Hz.
_SLOWEST, _FASTEST = 0.1, 1e6
#: Boards whose sampling clock divides 1 MHz say so by this class.
_WHOLE_US = "CscAcqEnt"


@dataclass
class Channel:
    """One channel: its files in the order of their times."""

    name: str
    files: list[NlxFile] = field(default_factory=list)

    @property
    def header(self) -> Any:
        """The first file's."""
        return self.files[0].header

    @property
    def number(self) -> str:
        """The number of the AD channel; empty where the header has none."""
        numbers = self.header.text("ADChannel").split()
        return str(numbers[0]) if numbers else ""


@dataclass
class Group:
    """Channels of one rate, filter and record structure."""

    channels: list[Channel]
    nominal: Nominal
    parts: tuple[Part, ...] = ()


def channels_of(files: Sequence[NlxFile], complaints: Complaints) -> list[Channel]:
    """Channels in natural order; restarts (``CSC1_0001.ncs``) continue theirs."""
    found: list[Channel] = []
    for file in sorted(files, key=lambda f: natural_key(f.path)):
        if int(file.header.number("NumADChannels") or 1) > 1:
            said = file.header.text("NumADChannels")
            raise DamagedInput(
                f"'{file.path.name}' says NumADChannels={said}, expected 1: a .ncs record has no "
                "place for more"
            )
        if not file.n:
            complaints.note(f"'{file.path.name}' holds its header only: nothing was recorded")
            continue
        same = [c for c in found if c.name == file.name and c.number == Channel("", [file]).number]
        if any(_duplicate(file, other) for c in same for other in c.files):
            complaints.note(f"'{file.path.name}' is a copy of another file, and is left out")
            continue
        stem = _RESTART.sub("", file.path.stem).lower()
        home = next(
            (c for c in same if _RESTART.sub("", c.files[0].path.stem).lower() == stem), None
        )
        if home is None:
            name = file.name if all(c.name != file.name for c in found) else file.path.stem
            found.append(Channel(name, [file]))
        else:
            home.files.append(file)
    for channel in found:
        channel.files.sort(key=lambda f: sketch(f, 1)[1][0])
    return found


def _duplicate(a: NlxFile, b: NlxFile) -> bool:
    if a.n != b.n or a.header.fields != b.header.fields or a.path.samefile(b.path):
        return a.path.samefile(b.path)
    if sketch(a) != sketch(b):
        return False
    return all(
        x.tobytes() == y.tobytes()
        for x, y in ((f.read(k, k + 1) for f in (a, b)) for k in (0, a.n - 1))
    )


def nominal_of(file: NlxFile, record_rate: int, complaints: Complaints) -> Nominal:
    """The rate that the header states; that of the records where it states none.

    Raises
    ------
    nwbkit.errors.DamagedInput
        Where the two are not the same number, cut off to a whole one.
    nwbkit.errors.MissingFact
        Where neither says.
    """
    said = file.header.number("SamplingFrequency")
    name = file.path.name
    if said is not None and not _SLOWEST <= said <= _FASTEST:
        raise DamagedInput(f"'{name}' says SamplingFrequency={said:g}, which is no rate")
    if said is None:
        if text := file.header.text("SamplingFrequency"):
            complaints(
                f"'{name}' says SamplingFrequency={text!r}, which is no number",
                hint="--salvage takes that of the records",
            )
        if record_rate <= 0:
            raise MissingFact(f"'{name}' says no sampling frequency, neither do its records")
        return Nominal(float(record_rate))
    if record_rate > 0 and abs(said - record_rate) > 1:
        complaints(
            f"'{name}' says SamplingFrequency={said:g}, its records say {record_rate} Hz",
            hint="--salvage takes the header's",
        )
    old = file.header.text("NLX_Base_Class_Type") == _WHOLE_US
    return Nominal(said, whole_us=old)


def group(
    channels: Sequence[Channel], complaints: Complaints, *, every: bool = False
) -> list[Group]:
    """Channels that can be columns of one array, fastest first.

    Parameters
    ----------
    channels : sequence of Channel
    complaints : Complaints
    every : bool
        Compare all records of all files, not evenly spread ones.
    """
    scans: dict[int, list[Scan]] = {}
    groups: dict[tuple[Any, ...], Group] = {}
    for channel in channels:
        rate = sketch(channel.files[0], 1)[1][1]
        nominal = nominal_of(channel.files[0], rate, complaints)
        key: tuple[Any, ...] = (nominal, filters_of(channel))
        key += tuple(sketch(f) for f in channel.files)
        if every:
            scans[id(channel)] = [scan(f, complaints) for f in channel.files]
            for one in scans[id(channel)]:
                key += (one.records.times.tobytes(), one.records.valid.tobytes())
        groups.setdefault(key, Group([], nominal)).channels.append(channel)
    for one_group in groups.values():
        one_group.parts = _parts(one_group, scans, complaints)
    return sorted(groups.values(), key=lambda g: -g.nominal.rate)


def _parts(group: Group, scans: dict[int, list[Scan]], complaints: Complaints) -> tuple[Part, ...]:
    parts: list[Part] = []
    first, last = 0, -1
    known = scans.get(id(group.channels[0]))
    for k, file in enumerate(group.channels[0].files):
        one = known[k] if known else scan(file, complaints)
        if not len(one.index):
            complaints.note(f"no record of '{file.path.name}' holds a valid sample")
            continue
        if int(one.records.times[0]) <= last:
            complaints(
                f"'{file.path.name}' begins at {int(one.records.times[0])} us, before "
                f"'{parts[-1].files[0].path.name}' ends ({last} us)",
                hint="convert the restarts one by one, each in a folder of its own",
            )
        last = int(one.records.times[-1])
        parts.append(Part(tuple(c.files[k] for c in group.channels), one, first))
        first += parts[-1].rows
    return tuple(parts)


def filters_of(channel: Channel) -> tuple[str, ...]:
    """What the header says of the filters, a text each."""
    return tuple(channel.header.text(key) for key in FILTER_KEYS)


def gain_of(
    file: NlxFile, source: str, given: float | None, wires: int = 1
) -> np.ndarray[Any, Any]:
    """Volts a count of each wire, negative where the amplifier's input was inverted.

    ADBitVolts refers to the input: the amplifier's gain is in it. With ``InputInverted True``
    Cheetah stores the signal upside down.

    Raises
    ------
    nwbkit.errors.MissingFact
        Where neither the header nor the user says.
    """
    said, text = file.header.numbers("ADBitVolts"), file.header.text("ADBitVolts")
    if len(said) != len(text.split()):
        raise DamagedInput(f"'{file.path.name}' says ADBitVolts={text!r}, which is no number")
    said = said or ((given,) if given is not None else ())
    if not said or not all(np.isfinite(said)) or 0.0 in said:
        raise MissingFact(
            f"'{file.path.name}' says no ADBitVolts: volts a count are not known",
            hint=f"--set {source}.ad_bit_volts=VOLTS",
        )
    if len(said) not in (1, wires):
        raise DamagedInput(
            f"'{file.path.name}' says ADBitVolts of {len(said)} channels, expected {wires}"
        )
    sign = -1.0 if file.header.says("InputInverted") else 1.0
    return sign * np.broadcast_to(np.array(said, np.float64), wires)


def hardware_of(file: NlxFile) -> str:
    """Id of the device and electrode group in the metadata: ``AcqSystem1``."""
    name = re.sub(r"[^A-Za-z0-9_-]+", "", file.header.hardware[0])
    return name or "Neuralynx"


def group_of(file: NlxFile) -> str:
    """Id of the electrode group: the probe where the header names one, else the device."""
    probe = re.sub(r"[^A-Za-z0-9_-]+", "", file.header.text("ProbeName"))
    return f"{hardware_of(file)}{probe}" if probe else hardware_of(file)


def electrode_of(file: NlxFile, number: str) -> Electrode:
    """The electrode behind AD channel `number`; known by the entity's name where there is none."""
    name = f"AD{number}" if number else file.name
    return Electrode(group_of(file), name, number or file.name)


def references_of(channels: Sequence[Channel]) -> dict[tuple[str, str, str], str]:
    """What each electrode is recorded against, where all channels of it say the same."""
    said: dict[tuple[str, str, str], set[str]] = {}
    for channel in channels:
        key = electrode_of(channel.files[0], channel.number).key
        said.setdefault(key, set()).add(channel.header.text("ReferenceChannel"))
    return {key: texts.pop() for key, texts in said.items() if len(texts) == 1 and "" not in texts}


def electrodes_of(
    channels: Sequence[Channel], references: Mapping[tuple[str, str, str], str]
) -> tuple[Electrode, ...]:
    """By AD channel; by name where two channels of a stream record the same one."""
    found = []
    keys = [electrode_of(c.files[0], c.number).key for c in channels]
    for channel, key in zip(channels, keys, strict=True):
        group, name, number = key
        if keys.count(key) > 1:
            name = channel.name
        said = references.get(key)
        found.append(Electrode(group, name, number, properties={"reference": said} if said else {}))
    return tuple(found)
