"""Array streams of a track: electrodes, ADC and auxiliary inputs apart."""

from __future__ import annotations

import re

import numpy as np

from nwbkit.formats.io.names import camel
from nwbkit.formats.recording.openephys_legacy.records import RecordArray
from nwbkit.formats.recording.openephys_legacy.tracks import Channel, Track
from nwbkit.streams import Electrode, Timebase

_WORDS = {"adc": "ADC", "aux": "AUX"}


def is_lfp(track: Track, channels: list[Channel]) -> bool:
    """Whether the hardware recorded this band beside a wide one."""
    named = all(re.fullmatch(r"LFP\d+", c.name, re.I) for c in channels)
    return named or track.stream.upper().endswith("LFP")


def streams_of(
    track: Track, label: str, group: str, timebase: Timebase, alone: bool, source: str
) -> list[RecordArray]:
    """Every array stream of a track; `alone` where no other has electrodes."""
    found = []
    kinds = track.kinds
    for (kind, gain), channels in kinds.items():
        mixed = sum(k == kind for k, _ in kinds) > 1
        first = re.sub(r"[^A-Za-z0-9]+", "", channels[0].name) if mixed else ""
        names = tuple(c.name for c in channels)
        neural = kind == "neural"
        word = camel(label)
        stream = RecordArray(
            id=label if neural else f"{label}.{kind}" + (f".{first}" if first else ""),
            name=label if neural else f"{label} {_WORDS[kind]}",
            role=("lfp_band" if is_lfp(track, channels) else "raw") if neural else "analog",
            nwb_name=f"ElectricalSeries{'' if alone else word}"
            if neural
            else f"TimeSeries{word}{_WORDS[kind]}{first}",
            description=_described(track, kind, names),
            timebase=timebase,
            shape=(track.rows, len(channels)),
            dtype=np.dtype("<i2"),
            unit="volts",
            gain=np.array([c.gain for c in channels]) if neural else np.array([gain]),
            offset=np.zeros(1),
            channel_names=names,
            electrodes=tuple(Electrode(group, n, n) for n in names) if neural else None,
            group=("openephys_legacy", source, label, kind, first),
            files=tuple(c.file for c in channels),
            heads=track.heads,
            runs=tuple(track.runs),
            facts={"first_sample_number": track.zero},
        )
        found.append(stream)
    return found


def _described(track: Track, kind: str, names: tuple[str, ...]) -> str:
    who = f"processor {track.processor}" if track.processor else "the recording"
    who += f", stream {track.stream}" if track.stream else ""
    if kind == "neural":
        return f"electrode channels of {who}"
    words = {"adc": "analog inputs", "aux": "auxiliary channels"}[kind]
    return f"{words} {', '.join(names)} of {who}"
