"""Where the sites behind the channels lie: probeinterface, held against the vendor's own map.

Sources: probeinterface (the ProbeTable of the probes' maker) turns part number and
readout table into electrodes and positions; ``~snsGeomMap`` (since release 20230202) and
``~snsShankMap`` (before) say shank and place of every saved channel.
"""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nwbkit.errors import DamagedInput, IOFailure
from nwbkit.formats.io.probes import load_probeinterface
from nwbkit.formats.recording.spikeglx.imro import Imro, probe_type, reference_names
from nwbkit.formats.recording.spikeglx.layout import Layout
from nwbkit.formats.recording.spikeglx.meta import Meta
from nwbkit.streams import Electrode

#: The map and the probe's table may differ by a shift per probe (the map counts x from the
#: shank's edge), not by more than this beside it.
TOLERANCE_UM = 0.51


@dataclass(frozen=True)
class Site:
    """The site behind one acquired channel; positions in um on the probe."""

    name: str
    shank: int
    x: float | None
    y: float | None
    properties: dict[str, str | int | float | bool]


@dataclass(frozen=True)
class Geometry:
    """Sites of a probe by acquired channel.

    Parameters
    ----------
    sites : dict of int to Site
    n_shanks : int
    model : str
        What the maker calls the probe; empty where unknown.
    notes : tuple of str
    """

    sites: dict[int, Site]
    n_shanks: int
    model: str = ""
    notes: tuple[str, ...] = ()

    def electrodes(self, device: str, band: str, layout: Layout) -> tuple[Electrode, ...]:
        """One Electrode per saved channel of `band`; groups are the shanks of `device`."""
        found = []
        for channel in layout.numbers[band]:
            site = self.sites[channel]
            group = device if self.n_shanks == 1 else f"{device}Shank{site.shank}"
            found.append(
                Electrode(group, site.name, str(channel), site.x, site.y, dict(site.properties))
            )
        return tuple(found)

    def shanks(self) -> list[int]:
        """The shanks that have a site."""
        return sorted({site.shank for site in self.sites.values()})


def read_geometry(
    meta: Meta, layout: Layout, imro: Imro | None, complain: Callable[[str], None]
) -> Geometry:
    """The sites behind the saved channels of a probe's file.

    Where probeinterface does not know the part number, the vendor's map in the header
    serves; where that is absent too, positions stay unknown.

    Parameters
    ----------
    meta : Meta
    layout : Layout
    imro : Imro, optional
    complain : callable
        Called with a message where the map in the header contradicts the readout table;
        raises unless the user wants to salvage, in which case the table is believed.

    Raises
    ------
    nwbkit.errors.DamagedInput
        For a torn map, or one of another number of sites.
    """
    band = "LF" if layout.numbers["LF"] else "AP"
    channels = layout.numbers[band]
    mapped = _mapped(meta, channels)
    probe, problem = _probe(meta, imro)
    notes = []
    if probe is None:
        notes.append(
            f"positions are those of the map in '{meta.name}': {problem}"
            if mapped
            else f"positions of the sites are unknown: {problem}"
        )
        return _from_map(meta, channels, mapped, imro, tuple(notes))
    sites = _sites(meta, probe, channels, imro)
    n_shanks = _shank_count(probe)
    model = str(probe.description or "")
    if model.startswith("duplicate of"):  # the catalogue's remark on a part number, no name
        model = ""
    geometry = Geometry(sites, n_shanks, model)
    if mapped:
        _compare(meta, sites, mapped, n_shanks, complain)
    return geometry


# ------------------------------------------------------------------ probeinterface


def _probe(meta: Meta, imro: Imro | None) -> tuple[Any, str]:
    """A probeinterface Probe with all acquired channels in order, or why there is none."""
    if imro is None:
        return None, "the header has no readout table"
    if meta.text("imProbeOpt") == "4" and any(imro.bank.values()):
        # 276 channels a bank, where probeinterface reckons with 384
        return None, "probeinterface does not know the banks of a phase 3A option 4 probe"
    probeinterface = load_probeinterface()

    # read_spikeglx takes a file, reads it in the locale's encoding, and fails on LF
    # headers; it is given only what it needs, with every channel saved
    with _written("probe.ap.meta", _clean_header(meta, imro)) as path:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                probe = probeinterface.read_spikeglx(path)
        except Exception as error:  # noqa: BLE001 - a probe it does not know ends in many ways
            part = meta.text("imDatPrb_pn") or meta.text("imDatPrb_type") or "without part number"
            said = str(error).splitlines() or [""]
            return None, f"probeinterface does not know probe {part} ({said[0][:80]})"
    if probe.get_contact_count() != imro.n_channels:
        return None, f"probeinterface knows {probe.get_contact_count()} of its channels"
    return probe, ""


@contextlib.contextmanager
def _written(name: str, text: str) -> Iterator[Path]:
    """A file of this name and text in a folder of its own, for as long as it is needed."""
    try:
        folder = tempfile.TemporaryDirectory(prefix="nwbkit-")
    except OSError as error:
        raise _no_room(error) from error
    with folder:
        path = Path(folder.name) / name
        try:
            path.write_text(text, encoding="ascii", errors="replace")
        except OSError as error:
            raise _no_room(error) from error
        yield path


def _no_room(error: OSError) -> IOFailure:
    place = tempfile.tempdir or "/tmp"
    reason = os.strerror(error.errno).lower() if error.errno else str(error)
    return IOFailure(
        f"cannot write a small temporary file in '{place}': {reason}",
        hint="free some space there, or set TMPDIR to another folder",
    )


def _clean_header(meta: Meta, imro: Imro) -> str:
    kept = ["imDatPrb_pn", "imDatPrb_type", "imProbeOpt", "imDatPrb_sn", "imProbeSN"]
    lines = [f"{key}={meta.fields[key]}" for key in kept if meta.text(key)]
    if meta.text("imDatPrb_pn") is None and meta.text("imProbeOpt") is None:
        kind = probe_type(meta) or 0
        part = {0: "NP1000", 21: "NP2000", 24: "NP2010"}.get(kind, f"NP{kind}")
        lines.append(f"imDatPrb_pn={part}")
    lines.append(f"nSavedChans={imro.n_channels}")
    lines.append(f"snsApLfSy={imro.n_channels},0,0")
    lines.append(f"snsSaveChanSubset=0:{imro.n_channels - 1}")
    lines.append(f"~imroTbl={meta.fields['imroTbl']}")
    return "\n".join(lines) + "\n"


def _shank_count(probe: Any) -> int:
    ids = [str(i) for i in probe.contact_ids]
    # probes of one shank name their sites e12, others s0e12
    if not any(re.match(r"s\d+e", i) for i in ids):
        return 1
    tips = probe.annotations.get("shank_tips")
    return max(2, len(tips)) if tips else 4


def _sites(meta: Meta, probe: Any, channels: tuple[int, ...], imro: Imro | None) -> dict[int, Site]:
    # the entries of the readout table may be in any order; probeinterface keeps it
    order = list(imro.reference) if imro is not None and imro.reference else []
    index = {c: n for n, c in enumerate(order)} if len(order) == len(probe.contact_ids) else {}
    groups = probe.contact_annotations.get("adc_group")
    orders = probe.contact_annotations.get("adc_sample_order")
    sites = {}
    for channel in channels:
        n = index.get(channel, channel)
        name = str(probe.contact_ids[n])
        shank = re.match(r"s(\d+)e", name)
        properties = _properties(meta, imro, channel)
        if groups is not None and orders is not None:
            properties["adc_group"] = int(groups[n])
            properties["adc_sample_order"] = int(orders[n])
        x, y = (float(v) for v in probe.contact_positions[n][:2])
        number = int(shank[1]) if shank else 0
        properties["shank"] = number
        sites[channel] = Site(name, number, x, y, properties)
    return sites


def _properties(meta: Meta, imro: Imro | None, channel: int) -> dict[str, str | int | float | bool]:
    found: dict[str, str | int | float | bool] = {}
    if imro is None:
        return found
    if channel in imro.reference:
        number = imro.reference[channel]
        found["reference"] = reference_names(probe_type(meta)).get(number, str(number))
    if channel in imro.bank:
        found["bank"] = imro.bank[channel]
    if channel in imro.ap_gain:
        found["ap_gain"] = imro.ap_gain[channel]
        found["lf_gain"] = imro.lf_gain[channel]
    if channel in imro.ap_filter:
        found["ap_high_pass_filter"] = imro.ap_filter[channel]
    return found


# ------------------------------------------------------------------ the vendor's maps


def _mapped(meta: Meta, channels: tuple[int, ...]) -> dict[int, tuple[int, float, float]] | None:
    """Shank, x and y (um, x from the shank's edge) by channel from ``snsGeomMap``."""
    table = meta.table("snsGeomMap")
    if table is None:
        return None
    _, entries = table
    try:
        places = [(int(e[0]), float(e[1]), float(e[2])) for e in entries]
    except (ValueError, IndexError):
        raise DamagedInput(f"'{meta.name}' has a torn table snsGeomMap") from None
    if len(places) != len(channels):
        raise DamagedInput(
            f"'{meta.name}' saves {len(channels)} channels with a site, "
            f"but its snsGeomMap lists {len(places)}"
        )
    return dict(zip(channels, places, strict=True))


def _from_map(
    meta: Meta,
    channels: tuple[int, ...],
    mapped: dict[int, tuple[int, float, float]] | None,
    imro: Imro | None,
    notes: tuple[str, ...],
) -> Geometry:
    table = meta.table("snsGeomMap") or meta.table("snsShankMap")
    header = table[0] if table else []
    position = 1 if meta.text("snsGeomMap") else 0
    known = len(header) > position and header[position].strip().isdecimal()
    n_shanks = max(1, int(header[position])) if known else 1
    pitch = _pitch(meta, header) if mapped and n_shanks > 1 else 0.0
    sites = {}
    for channel in channels:
        shank, x, y = mapped[channel] if mapped else (0, None, None)
        if imro is not None and not mapped:
            shank = imro.shank.get(channel, 0)
            n_shanks = max(n_shanks, shank + 1)
        name = f"ch{channel}"
        if imro is not None and channel in imro.electrode:
            prefix = f"s{shank}" if n_shanks > 1 else ""
            name = f"{prefix}e{imro.electrode[channel]}"
        properties = _properties(meta, imro, channel)
        properties["shank"] = shank
        x = None if x is None else x + shank * pitch
        sites[channel] = Site(name, shank, x, y, properties)
    return Geometry(sites, n_shanks, "", notes)


def _pitch(meta: Meta, header: list[str]) -> float:
    """Distance between shanks in um, from the head of ``snsGeomMap``."""
    try:
        return float(header[2])
    except (ValueError, IndexError):
        raise DamagedInput(f"'{meta.name}' has a torn table snsGeomMap") from None


def _compare(
    meta: Meta,
    sites: dict[int, Site],
    mapped: dict[int, tuple[int, float, float]],
    n_shanks: int,
    complain: Callable[[str], None],
) -> None:
    table = meta.table("snsGeomMap")
    assert table is not None
    pitch = _pitch(meta, table[0]) if n_shanks > 1 else 0.0
    shift: float | None = None
    for channel, site in sites.items():
        shank, x, y = mapped[channel]
        assert site.x is not None and site.y is not None
        dx = site.x - shank * pitch - x
        shift = dx if shift is None else shift
        wrong = shank != site.shank or abs(y - site.y) > TOLERANCE_UM
        if wrong or abs(dx - shift) > TOLERANCE_UM:
            return complain(
                f"'{meta.name}' places channel {channel} at shank {shank}, ({x:g}, {y:g}) um in "
                f"snsGeomMap, but its imroTbl selects {site.name} at ({site.x:g}, {site.y:g}) um"
            )
