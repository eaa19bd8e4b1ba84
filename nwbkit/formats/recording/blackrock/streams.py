"""Array streams of an ns file: electrodes in volts, analog inputs apart, by scale."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nwbkit.errors import DamagedInput, MissingFact
from nwbkit.formats.io.complaints import Complaints
from nwbkit.formats.io.flat import FlatArray
from nwbkit.formats.recording.blackrock.headers import Channel, NevHeader
from nwbkit.formats.recording.blackrock.nsx import NsFile, PacketArray
from nwbkit.streams import Array, Electrode

_PER_UNIT = {"uv": 1e-6, "µv": 1e-6, "mv": 1e-3, "v": 1.0, "nv": 1e-9}
#: 5 V at full scale is 152588 nV a count, which does not fit the header's 16 bits: Blackrock's
#: own reader (NPMK) takes what is left of it for 152592.547.
OVERFLOWN, ANALOG_NV = 21516, 152592.547
#: Bands beside the raw one: 500, 1000, 2000 and 10000 Hz.
_BANDS = ("ns1", "ns2", "ns3", "ns4")
#: More than this at full scale is an input, not an electrode.
_LEAST_INPUT_V = 1.0


@dataclass(frozen=True)
class Scale:
    """Physical value = counts * gain + offset, in `unit`."""

    gain: float
    offset: float
    unit: str


def scale_of(
    channel: Channel, nev: NevHeader | None, gain_uv: float | None, found: NsFile, source: str
) -> Scale:
    """The scale of a channel: by its own ranges, else (spec 2.1) by the nev, else as told.

    Raises
    ------
    nwbkit.errors.MissingFact
        Where no file holds it.
    nwbkit.errors.DamagedInput
        For ranges that make no scale.
    """
    if channel.digital is None or channel.analog is None:
        return _scale_21(channel, nev, gain_uv, found, source)
    (dmin, dmax), (amin, amax) = channel.digital, channel.analog
    if dmax <= dmin or amax <= amin:
        raise DamagedInput(
            f"'{found.path.name}' says analog {amin} to {amax} at digital {dmin} to {dmax} of "
            f"channel '{channel.label}'"
        )
    per = _PER_UNIT.get(channel.unit.lower())
    unit = "volts" if per is not None else channel.unit or "n.a."
    factor = per if per is not None else 1.0
    gain = (amax - amin) / (dmax - dmin)
    offset = amin - dmin * gain
    # ranges that mirror each other: what is left is rounding
    offset = 0.0 if abs(offset) < 1e-9 * (amax - amin) else offset
    return Scale(gain * factor, offset * factor, unit)


def _scale_21(
    channel: Channel, nev: NevHeader | None, gain_uv: float | None, found: NsFile, source: str
) -> Scale:
    said = nev.electrodes.get(channel.electrode) if nev is not None else None
    if said is not None and said.factor:
        return Scale(nv_per_count(said.factor) * 1e-9, 0.0, "volts")
    if gain_uv is not None:
        return Scale(gain_uv * 1e-6, 0.0, "volts")
    why = "there is no nev" if nev is None else "its nev says nothing of it"
    raise MissingFact(
        f"'{found.path.name}' is of file specification 2.1, which holds no scale, and {why}: "
        f"microvolts a count of channel '{channel.label}'",
        hint=f"--set {source}.gain_uv=UV_PER_COUNT",
    )


def nv_per_count(factor: int) -> float:
    """Nanovolts a count, of a digitization factor."""
    return ANALOG_NV if factor == OVERFLOWN else float(factor)


def is_input(channel: Channel, scale: Scale) -> bool:
    """Whether a channel is an analog input rather than an electrode."""
    if re.match(r"(?:ainp|analog|audio|aout)", channel.label.lower()):
        return True
    if channel.digital is None:
        return channel.electrode > 128
    return scale.unit != "volts" or scale.gain * channel.digital[1] >= _LEAST_INPUT_V


@dataclass(frozen=True)
class Sorted:
    """Channels of an ns file by what they are: column, channel, scale."""

    electrodes: list[tuple[int, Channel, Scale]]
    inputs: list[tuple[int, Channel, Scale]]


def sort_channels(
    found: NsFile, nev: NevHeader | None, gain_uv: float | None, source: str
) -> Sorted:
    """Scale every channel and tell electrodes from inputs."""
    made = Sorted([], [])
    for i, channel in enumerate(found.header.channels):
        scale = scale_of(channel, nev, gain_uv, found, source)
        (made.inputs if is_input(channel, scale) else made.electrodes).append((i, channel, scale))
    return made


def bank(number: int) -> str:
    """A connector by its letter, as Blackrock calls it."""
    return chr(ord("A") + number - 1) if 1 <= number <= 26 else str(number)


def electrode_of(group: str, channel: Channel, nev: NevHeader | None) -> Electrode:
    """The electrode behind a channel, with its connector and pin."""
    said = nev.electrodes.get(channel.electrode) if nev is not None else None
    place = (said.bank, said.pin) if said is not None else None
    if channel.bank is not None and channel.pin is not None:
        place = (channel.bank, channel.pin)
    properties: dict[str, str | int | float | bool] = {"electrode_id": channel.electrode}
    if place is not None:
        properties |= {"bank": bank(place[0]), "pin": place[1]}
    return Electrode(group, channel.label, str(channel.electrode), properties=properties)


def is_band(found: NsFile) -> bool:
    """Whether this is a band that the hardware recorded beside the raw one."""
    return found.number in _BANDS


def streams_of(
    found: NsFile,
    rows: FlatArray | PacketArray,
    made: Sorted,
    nev: NevHeader | None,
    group: str,
    alone: bool,
    complaints: Complaints,
) -> list[Array]:
    """Every array stream of an ns file; `alone` where no other has electrodes of its kind."""
    streams = []
    by_offset: dict[tuple[float, str], list[tuple[int, Channel, Scale]]] = {}
    for item in made.electrodes:
        by_offset.setdefault((item[2].offset, item[2].unit), []).append(item)
    for k, items in enumerate(by_offset.values()):
        suffix = f"-{k + 1}" if k else ""
        word = "ElectricalSeriesLF" if is_band(found) else "ElectricalSeries"
        word += "" if alone else found.number.capitalize()
        streams.append(
            Array(
                **_facts(found, rows, items),
                id=found.number + suffix,
                role="lfp_band" if is_band(found) else "raw",
                nwb_name=word + (f"Part{k + 1}" if k else ""),
                description=f"electrodes at {found.header.rate:g} Hz, {found.path.suffix[1:]}",
                unit="volts",
                gain=np.array([s.gain for _, _, s in items]),
                offset=np.full(len(items), items[0][2].offset),
                electrodes=tuple(electrode_of(group, c, nev) for _, c, _ in items),
            )
        )
    return streams + _inputs(found, rows, made.inputs)


def _inputs(
    found: NsFile, rows: FlatArray | PacketArray, inputs: Sequence[tuple[int, Channel, Scale]]
) -> list[Array]:
    groups: dict[Scale, list[tuple[int, Channel, Scale]]] = {}
    for item in inputs:
        groups.setdefault(item[2], []).append(item)
    streams = []
    for k, (scale, items) in enumerate(groups.items()):
        names = ", ".join(c.label for _, c, _ in items)
        streams.append(
            Array(
                **_facts(found, rows, items),
                id=f"{found.number}.analog" + (f"-{k + 1}" if k else ""),
                role="analog",
                nwb_name=f"TimeSeries{found.number.capitalize()}Analog" + (str(k + 1) if k else ""),
                description=f"analog inputs {names} at {found.header.rate:g} Hz",
                unit=scale.unit,
                gain=np.array([scale.gain]),
                offset=np.array([scale.offset]),
            )
        )
    return streams


def _facts(
    found: NsFile, rows: FlatArray | PacketArray, items: Sequence[tuple[int, Channel, Scale]]
) -> dict[str, Any]:
    columns = [i for i, _, _ in items]
    adjacent = columns == list(range(columns[0], columns[-1] + 1))
    return {
        "name": found.header.label or found.number,
        "shape": (rows.shape[0], len(columns)),
        "dtype": rows.dtype,
        "parent": rows,
        "columns": slice(columns[0], columns[-1] + 1) if adjacent else np.array(columns, np.intp),
        "group": rows.group,
        "timebase": rows.timebase,
        "channel_names": tuple(c.label for _, c, _ in items),
        "facts": {"file_specification": "{}.{}".format(*found.header.spec)},
    }


def filtering(items: Sequence[tuple[int, Channel, Scale]]) -> str:
    """The filters of channels in words; those of some channels named where they differ."""
    said: dict[str, list[str]] = {}
    for _, channel, _ in items:
        words = str(channel.filter) if channel.filter is not None else ""
        said.setdefault(words, []).append(channel.label)
    if len(said) == 1:
        return next(iter(said))
    return "; ".join(f"{', '.join(names)}: {words or 'none'}" for words, names in said.items())
