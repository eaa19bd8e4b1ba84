"""What the headers say beside the data, in the shape of the metadata document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nwbkit.formats.recording.spikeglx.geometry import Geometry
from nwbkit.formats.recording.spikeglx.grouping import created_at, label
from nwbkit.formats.recording.spikeglx.imro import read_imro
from nwbkit.formats.recording.spikeglx.meta import Meta
from nwbkit.formats.recording.spikeglx.runs import Band
from nwbkit.formats.recording.spikeglx.streams import hardware_id
from nwbkit.streams import Stream

_PROBE_PARTS = (
    ("option", "imProbeOpt"),
    ("slot", "imDatPrb_slot"),
    ("port", "imDatPrb_port"),
    ("dock", "imDatPrb_dock"),
    ("headstage", "imDatHs_pn"),
    ("headstage serial", "imDatHs_sn"),
    ("flex", "imDatFx_pn"),
    ("basestation", "imDatBsc_pn"),
    ("basestation serial", "imDatBsc_sn"),
    ("basestation firmware", "imDatBs_fw"),
    ("Imec API", "imDatApi"),
    ("Imec API", "imVersAPI"),
    ("calibrated", "imCalibrated"),
)


def describe(
    bands: Sequence[Band],
    geometries: Mapping[str, Geometry],
    streams: Mapping[str, Stream],
    notes: list[str],
) -> dict[str, Any]:
    """The metadata of a source.

    Parameters
    ----------
    bands : sequence of Band
    geometries : mapping of str to Geometry
        By probe.
    streams : mapping of str to Stream
        By address.
    notes : list of str
        Added to where something a user needs is not said.
    """
    found: dict[str, Any] = {"NWBFile": _file(bands, notes), "Devices": {}}
    for band in bands:
        found["Devices"].setdefault(hardware_id(band.device), _device(band, geometries))
    groups = {}
    for device, geometry in geometries.items():
        meta = next(b.meta for b in bands if b.device == device)
        groups.update(_groups(device, geometry, meta))
    if groups:
        found["ElectrodeGroups"] = groups
    found["Streams"] = {a: _stream(s, bands) for a, s in streams.items()}
    return found


def _file(bands: Sequence[Band], notes: list[str]) -> dict[str, Any]:
    files = [f for b in bands for f in b.files]
    said: dict[str, Any] = {"session_id": label([f.item for f in files])}
    created = [c for f in files if (c := created_at(f.meta.fields)) is not None]
    if created and len(created) == len(files):
        said["session_start_time"] = min(created, key=lambda c: c.replace(tzinfo=None)).isoformat()
    else:
        other = next((t for f in files if (t := f.meta.text("fileCreateTime_original"))), None)
        text = "the headers do not say when recording began"
        notes.append(text + (f"; they were made from a file of {other}" if other else ""))
    user = dict.fromkeys(n for f in files if (n := f.meta.text("userNotes")))
    if user:
        # SpikeGLX keeps notes on one line
        said["notes"] = "\n".join(n.replace("\\n", "\n") for n in user)
    return said


def _device(band: Band, geometries: Mapping[str, Geometry]) -> dict[str, Any]:
    meta = band.meta
    if meta.kind == "imec":
        return _probe(meta, geometries.get(band.device))
    if meta.kind == "obx":
        parts = _listed(meta, (("slot", "imDatObx_slot"), ("Imec API", "imDatApi")))
        said = {"description": f"OneBox auxiliary inputs{parts}", "manufacturer": "imec"}
        serial = meta.text("imDatBsc_sn")
        return said | ({"serial_number": serial} if serial else {})
    product = meta.text("niDev1ProductName")
    parts = _listed(
        meta,
        (
            ("device", "niDev1"),
            ("second device", "niDev2ProductName"),
            ("sample clock", "niClockSource"),
            ("range in V", "niAiRangeMax"),
        ),
    )
    said = {
        "description": f"NI-DAQ auxiliary inputs{parts}",
        "manufacturer": "National Instruments",
    }
    return said | ({"model_name": product, "model_number": product} if product else {})


def _probe(meta: Meta, geometry: Geometry | None) -> dict[str, Any]:
    said: dict[str, Any] = {"manufacturer": "imec"}
    part = meta.text("imDatPrb_pn")
    model = geometry.model if geometry is not None else ""
    if meta.text("imProbeOpt"):
        model = "Neuropixels phase 3A"
    if part:
        said["model_number"] = part
    if model:
        said["model_name"] = model if not part else f"{model} ({part})"
    elif part:
        said["model_name"] = f"Neuropixels {part}"
    serial = meta.text("imDatPrb_sn") or meta.text("imProbeSN")
    if serial:
        said["serial_number"] = serial
    said["description"] = f"{model or 'Neuropixels probe'}{_listed(meta, _PROBE_PARTS)}"
    return said


def _listed(meta: Meta, parts: Sequence[tuple[str, str]]) -> str:
    named = [f"{word} {value}" for word, key in parts if (value := meta.text(key))]
    return "; " + ", ".join(named) if named else ""


def _groups(device: str, geometry: Geometry, meta: Meta) -> dict[str, Any]:
    """One group a shank. Where in the brain it lies is not in the files."""
    hardware = hardware_id(device)
    if geometry.n_shanks == 1:
        return {hardware: {"description": f"the shank of probe {device}", "device": hardware}}
    return {
        f"{hardware}Shank{shank}": {
            "description": f"shank {shank} of {geometry.n_shanks} of probe {device}",
            "device": hardware,
        }
        for shank in geometry.shanks()
    }


def _stream(stream: Stream, bands: Sequence[Band]) -> dict[str, Any]:
    said: dict[str, Any] = {"description": stream.description}
    if stream.role == "raw":
        meta = next(b.meta for b in bands if stream.id == f"{b.device}.{b.band}")
        filtering = ap_filtering(meta)
        if filtering:
            said["filtering"] = filtering
    return said


def ap_filtering(meta: Meta) -> str | None:
    """The high-pass of the AP band as the header states it; None where it does not."""
    if meta.text("imHpFlt"):
        return f"high-pass {meta.fields['imHpFlt']} Hz (imHpFlt)"
    imro = read_imro(meta)
    states = set(imro.ap_filter.values()) if imro is not None else set()
    if states == {True}:
        return "high-pass 300 Hz (AP filter on)"
    if states == {False}:
        return "no high-pass (AP filter off)"
    return "high-pass 300 Hz on some channels (AP filter, see electrodes)" if states else None
