"""Array streams of a track: neural channels in volts, ADC and auxiliary inputs apart.

``bit_volts`` is microvolts a count for electrodes and volts for other inputs. Since GUI 1.0
``units`` says so; 0.6 leaves it empty, and 0.4 and 0.5 say uV of every channel, which would
make the full scale of an ADC 5 uV rather than 5 V.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nwbkit.errors import DamagedInput
from nwbkit.formats.io.flat import FlatArray, FlatFile
from nwbkit.formats.recording.openephys_binary.structure import Channel, Continuous
from nwbkit.formats.recording.openephys_binary.tracks import Track
from nwbkit.streams import Array, Electrode, Timebase

DTYPE = np.dtype("<i2")
FULL_SCALE = 32768
#: An input that is no electrode has a full scale above this; below, "uV" means volts.
LEAST_FULL_SCALE_UV = 100.0
_PER_UNIT = {"v": 1.0, "volts": 1.0, "mv": 1e-3, "uv": 1e-6, "µv": 1e-6, "μv": 1e-6}
_PER_UNIT |= {"microvolts": 1e-6}
_KINDS = {0: "neural", 1: "aux", 2: "adc"}
_WORDS = {"adc": "ADC", "aux": "AUX", "sync": "Sync"}


def kind_of(channel: Channel, continuous: Continuous) -> str:
    """``neural``, ``adc``, ``aux`` or ``sync``: by type, description, name, then source."""
    said = channel.description.lower()
    if re.search(r"(^|_)SYNC$", channel.name.upper()) or "sync line" in said:
        return "sync"
    if channel.kind in _KINDS and (channel.kind or not _is_input(channel, continuous)):
        return _KINDS[channel.kind]
    if "auxil" in said or "aux " in said:
        return "aux"
    if "headstage" in said or "electrode" in said:
        return "neural"
    if _is_input(channel, continuous):
        return "adc"
    return "aux" if re.fullmatch(r"(?:\w+_)?AUX\d*", channel.name.upper()) else "neural"


def _is_input(channel: Channel, continuous: Continuous) -> bool:
    said = channel.description.lower()
    named = re.fullmatch(r"(?:ADC|AI|ANALOG)[ _-]?\d*", channel.name.upper()) is not None
    described = re.search(r"\badc\b|analog input", said) is not None
    return named or described or continuous.processor.lower().startswith("ni-daq")


def volts_per_count(channel: Channel, kind: str, where: str) -> float:
    """Volts a count of a channel; 1.0 of a sync word.

    Raises
    ------
    nwbkit.errors.DamagedInput
        For a unit that is not one of volts.
    """
    if kind == "sync":
        return 1.0
    unit = channel.units.strip().lower() or ("uv" if kind == "neural" else "v")
    factor = _PER_UNIT.get(unit)
    if factor is None:
        raise DamagedInput(f"'{where}' says units={channel.units!r} of channel '{channel.name}'")
    small = channel.bit_volts * FULL_SCALE < LEAST_FULL_SCALE_UV
    if kind != "neural" and factor == 1e-6 and small:
        factor = 1.0
    return channel.bit_volts * factor


def is_lfp(continuous: Continuous, channels: Sequence[Channel]) -> bool:
    """Whether the hardware recorded this band beside a wide one."""
    if continuous.stream.upper().endswith("LFP"):
        return True
    if channels and all(re.fullmatch(r"LFP\d+", c.name.upper()) for c in channels):
        return True
    return "neuropix" in continuous.processor.lower() and continuous.rate <= 2500


@dataclass(frozen=True)
class Named:
    """How a track and what is made of it are called.

    Parameters
    ----------
    id : str
        Stream id, which those of its parts begin with.
    camel : str
        For NWB names.
    """

    id: str
    camel: str


def rows_of(track: Track, named: Named, timebase: Timebase, source: str) -> FlatArray:
    """Whole rows of the track's files."""
    width = len(track.continuous.channels)
    return FlatArray(
        id=f"{named.id}.rows",
        name=track.continuous.folder,
        role="rows",
        timebase=timebase,
        shape=(track.rows, width),
        dtype=DTYPE,
        files=tuple(FlatFile(p.path, p.rows) for p in track.parts),
        group=("openephys_binary", source, named.id),
        channel_names=tuple(c.name for c in track.continuous.channels),
    )


def neural_indices(continuous: Continuous) -> list[int]:
    """The columns that are electrodes."""
    return [i for i, c in enumerate(continuous.channels) if kind_of(c, continuous) == "neural"]


def streams_of(
    track: Track, rows: FlatArray, named: Named, electrodes: tuple[Electrode, ...], alone: bool
) -> list[Array]:
    """Every array stream of a track.

    Parameters
    ----------
    track : Track
    rows : FlatArray
    named : Named
    electrodes : tuple of Electrode
        Of the neural channels.
    alone : bool
        Whether these are the only neural channels of the source.
    """
    continuous = track.continuous
    where = track.parts[0].recording.structure.path.name
    groups: dict[tuple[str, float], list[int]] = {}
    for i, channel in enumerate(continuous.channels):
        kind = kind_of(channel, continuous)
        gain = volts_per_count(channel, kind, where)
        groups.setdefault((kind, 0.0 if kind == "neural" else gain), []).append(i)
    found = []
    for (kind, gain), columns in groups.items():
        mixed = sum(k == kind for k, _ in groups) > 1
        if kind == "neural":
            found.append(_neural(track, rows, named, columns, electrodes, alone))
        else:
            found.append(_other(track, rows, named, kind, gain, columns, mixed))
    return found


def _neural(
    track: Track,
    rows: FlatArray,
    named: Named,
    columns: list[int],
    electrodes: tuple[Electrode, ...],
    alone: bool,
) -> Array:
    channels = [track.continuous.channels[i] for i in columns]
    where = track.parts[0].recording.structure.path.name
    lfp = is_lfp(track.continuous, channels)
    facts = _facts(track, rows, columns)
    return Array(
        **facts,
        id=named.id,
        name=track.continuous.stream or track.continuous.folder,
        role="lfp_band" if lfp else "raw",
        nwb_name="ElectricalSeries" + ("" if alone else named.camel),
        description=f"{'LFP band' if lfp else 'electrode channels'} of {_whose(track)}",
        unit="volts",
        gain=np.array([volts_per_count(c, "neural", where) for c in channels]),
        offset=np.zeros(len(channels)),
        electrodes=electrodes,
    )


def _other(
    track: Track,
    rows: FlatArray,
    named: Named,
    kind: str,
    gain: float,
    columns: list[int],
    mixed: bool,
) -> Array:
    facts = _facts(track, rows, columns)
    first = re.sub(r"[^A-Za-z0-9]+", "", facts["channel_names"][0]) if mixed else ""
    words = {"adc": "analog inputs", "aux": "auxiliary channels", "sync": "sync words"}[kind]
    return Array(
        **facts,
        id=f"{named.id}.{kind}" + (f".{first}" if first else ""),
        name=f"{track.continuous.stream or track.continuous.folder} {_WORDS[kind]}",
        role="sync" if kind == "sync" else "analog",
        nwb_name=f"TimeSeries{named.camel}{_WORDS[kind]}{first}",
        description=f"{words} {', '.join(facts['channel_names'])} of {_whose(track)}",
        unit="n.a." if kind == "sync" else "volts",
        gain=np.full(len(columns), gain),
        offset=np.zeros(len(columns)),
    )


def _facts(track: Track, rows: FlatArray, columns: list[int]) -> dict[str, Any]:
    """What all parts of a track share; `columns` as a slice where they are adjacent."""
    adjacent = columns == list(range(columns[0], columns[-1] + 1))
    return {
        "shape": (rows.shape[0], len(columns)),
        "dtype": rows.dtype,
        "parent": rows,
        "columns": slice(columns[0], columns[-1] + 1) if adjacent else np.array(columns, np.intp),
        "group": rows.group,
        "timebase": rows.timebase,
        "channel_names": tuple(track.continuous.channels[i].name for i in columns),
        "facts": {"first_sample_number": track.parts[0].runs[0].number},
    }


def _whose(track: Track) -> str:
    said = f"{track.continuous.processor} ({track.continuous.processor_id})"
    said += f" {track.continuous.stream}" if track.continuous.stream else ""
    return said + (f", record node {track.node}" if track.node is not None else "")


def plain_electrodes(channels: Sequence[Channel], group: str) -> tuple[Electrode, ...]:
    """Electrodes of which only the channel is known."""
    return tuple(Electrode(group, c.name, c.name) for c in channels)
