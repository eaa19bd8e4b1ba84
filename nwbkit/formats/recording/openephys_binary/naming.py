"""What streams, clocks and groups are called: by the vendor's names, as short as is unique."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence

from nwbkit.formats.io.names import camel
from nwbkit.formats.recording.openephys_binary.streams import Named
from nwbkit.formats.recording.openephys_binary.structure import Continuous
from nwbkit.formats.recording.openephys_binary.tracks import Track, probe_of


def slug(text: str) -> str:
    """`text` as a stream id: ``[A-Za-z0-9_.-]+``; empty where nothing is left."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", text).strip("-.")


def _folder(continuous: Continuous) -> str:
    return slug(continuous.folder.replace("/", "-")) or f"stream{continuous.processor_id}"


def _short(continuous: Continuous) -> str:
    return slug(continuous.stream) or _folder(continuous)


def _camel(continuous: Continuous) -> str:
    if continuous.stream and camel(continuous.stream):
        return camel(continuous.stream)
    sub = f"Sub{continuous.sub_index}" if continuous.sub_index else ""
    return f"{camel(continuous.processor)}{continuous.processor_id}{sub}"


def _long_camel(continuous: Continuous) -> str:
    return camel(f"{continuous.processor} {continuous.processor_id} {_camel(continuous)}")


def name_tracks(tracks: Sequence[Track]) -> list[Named]:
    """One Named per track; the node and the recording are in it only where they must be."""
    nodes = {t.node for t in tracks}
    ids = _distinct(tracks, _short, _folder)
    camels = _distinct(tracks, _camel, _long_camel)
    found = []
    for track, name, word in zip(tracks, ids, camels, strict=True):
        if len(nodes) > 1:
            name, word = f"node{track.node}.{name}", f"{word}Node{track.node}"
        if track.variant is not None:
            name, word = f"{name}.recording{track.variant}", f"{word}Recording{track.variant}"
        found.append(Named(name, word))
    return found


def _distinct(
    tracks: Sequence[Track],
    short: Callable[[Continuous], str],
    longer: Callable[[Continuous], str],
) -> list[str]:
    """Short names where no other stream of the source has the same, longer ones elsewhere."""
    streams = {t.continuous.key: t.continuous for t in tracks}
    counts = Counter(short(c).lower() for c in streams.values())
    return [
        short(t.continuous) if counts[short(t.continuous).lower()] == 1 else longer(t.continuous)
        for t in tracks
    ]


def hardware_id(track: Track, named: Named, neuropixels: bool) -> str:
    """Id of the device in the metadata document: ``NeuropixelsProbeA``, ``RhythmFPGA100``."""
    continuous = track.continuous
    if not neuropixels:
        return _camel(continuous) if named.camel.startswith(_camel(continuous)) else named.camel
    probe = camel(probe_of(continuous.stream)) or _camel(continuous)
    if not named.camel.lower().startswith(_camel(continuous).lower()):
        probe = camel(f"{continuous.processor_id} {probe}")
    return f"Neuropixels{probe}"
