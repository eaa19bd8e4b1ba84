"""Sites behind the channels of Neuropixels streams: probeinterface on settings.xml.

A position is believed only where each channel of the recording is found again among the
probe's: by the electrode that structure.oebin names with each channel, or by the channel
names, which count from 1 before GUI 1.0 and from 0 since.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from nwbkit.errors import NwbkitError
from nwbkit.formats.io.probes import load_probeinterface
from nwbkit.formats.recording.openephys_binary.settings import Settings, parse_xml
from nwbkit.formats.recording.openephys_binary.structure import Channel, Continuous
from nwbkit.formats.recording.openephys_binary.tracks import probe_of
from nwbkit.streams import Electrode

#: Sites of one shank of a Neuropixels 2.0 multishank probe; what its electrode numbers count.
SHANK_SITES = 1280


@dataclass(frozen=True)
class Probe:
    """A probe and its sites.

    Parameters
    ----------
    name : str
        ``ProbeA``.
    model, part, serial : str
        Empty where unknown.
    n_shanks : int
    electrodes : tuple of Electrode
        One per neural channel of the stream.
    """

    name: str
    model: str
    part: str
    serial: str
    n_shanks: int
    electrodes: tuple[Electrode, ...]


def is_neuropixels(continuous: Continuous) -> bool:
    """Whether a stream comes from a Neuropixels plug-in."""
    described = any("neuropixels" in c.description.lower() for c in continuous.channels)
    return described or "neuropix" in continuous.processor.lower()


def read_probe(
    settings: Settings | None, continuous: Continuous, channels: Sequence[Channel], hardware: str
) -> tuple[Probe | None, str]:
    """The probe behind a stream's neural `channels`, or why its sites are unknown.

    Parameters
    ----------
    settings : Settings, optional
    continuous : Continuous
    channels : sequence of Channel
    hardware : str
        Id of the device in the metadata document; electrode groups are made of it.
    """
    if settings is None:
        return None, "there is no settings.xml"
    try:
        parse_xml(settings.path)  # probeinterface's own parser would expand entities
        probeinterface = load_probeinterface()

        read = getattr(probeinterface, "read_openephys_neuropixels", probeinterface.read_openephys)
        name = continuous.stream or f"{continuous.processor_id}.{continuous.sub_index}"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = read(settings.path, stream_name=name)
    except NwbkitError as error:
        return None, error.message
    except Exception as error:  # noqa: BLE001 - settings it does not know end in many ways
        said = (str(error).splitlines() or [type(error).__name__])[0][:80]
        return None, f"probeinterface cannot read them ({said})"
    ids = [str(i) for i in found.contact_ids]
    order = by_electrode(ids, channels) or _by_name(found, ids, channels)
    if order is None:
        return None, "its channels are not those of the probe in settings.xml"
    return _probe(found, continuous, order, hardware), ""


def by_electrode(ids: Sequence[str], channels: Sequence[Channel]) -> list[int] | None:
    """Contacts by the electrode that each channel names; None unless all are found."""
    numbers = {n: i for i, text in enumerate(ids) if (n := _number(text)) is not None}
    found = [numbers.get(c.electrode) if c.electrode is not None else None for c in channels]
    if any(i is None for i in found):
        return None
    return [i for i in found if i is not None]


def _number(contact: str) -> int | None:
    match = re.fullmatch(r"(?:s(\d+))?e(\d+)", contact)
    return None if match is None else int(match[1] or 0) * SHANK_SITES + int(match[2])


def _by_name(found: Any, ids: Sequence[str], channels: Sequence[Channel]) -> list[int] | None:
    keys = found.contact_annotations.get("settings_channel_key")
    if any(c.electrode is not None for c in channels) or len(ids) != len(channels):
        return None
    if keys is None:
        return None
    contacts = {int(k[2:]): i for i, k in enumerate(map(str, keys)) if re.fullmatch(r"CH\d+", k)}
    named = [re.fullmatch(r"(?:CH|AP|LFP)(\d+)", c.name) for c in channels]
    numbers = [int(m[1]) for m in named if m is not None]
    if len(numbers) != len(channels) or len(contacts) != len(ids):
        return None
    for base in (0, 1):
        if sorted(n - base for n in numbers) == sorted(contacts):
            return [contacts[n - base] for n in numbers]
    return None


def _probe(found: Any, continuous: Continuous, order: Sequence[int], hardware: str) -> Probe:
    ids = [str(i) for i in found.contact_ids]
    shanks = [int(m[1]) if (m := re.match(r"s(\d+)e", i)) else None for i in ids]
    tips = found.annotations.get("shank_tips")
    several = any(s is not None for s in shanks)
    n_shanks = (
        max(len(tips) if tips else 0, *(s + 1 for s in shanks if s is not None)) if several else 1
    )
    keys = found.contact_annotations.get("settings_channel_key")
    electrodes = []
    for i in order:
        x, y = (float(v) for v in found.contact_positions[i][:2])
        shank = shanks[i] or 0
        channel = str(keys[i]).removeprefix("CH") if keys is not None else ids[i]
        properties: dict[str, str | int | float | bool] = {"shank": shank}
        for name in ("adc_group", "adc_sample_order"):
            values = found.contact_annotations.get(name)
            if values is not None:
                properties[name] = int(values[i])
        group = hardware if n_shanks == 1 else f"{hardware}Shank{shank}"
        electrodes.append(Electrode(group, ids[i], channel, x, y, properties))
    said = found.annotations
    return Probe(
        probe_of(continuous.stream) or str(said.get("name") or ""),
        str(said.get("description") or ""),
        str(said.get("part_number") or said.get("model_name") or ""),
        str(said.get("serial_number") or ""),
        n_shanks,
        tuple(electrodes),
    )
