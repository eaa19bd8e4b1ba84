"""Streams of one band: what its columns are, in volts or as words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nwbkit.errors import DamagedInput
from nwbkit.formats.io.flat import FlatArray, FlatFile
from nwbkit.formats.recording.spikeglx.events import COLUMNS, LineEvents, line_names
from nwbkit.formats.recording.spikeglx.geometry import Geometry
from nwbkit.formats.recording.spikeglx.imro import Imro, channel_gains, max_int
from nwbkit.formats.recording.spikeglx.meta import Meta
from nwbkit.formats.recording.spikeglx.runs import Band
from nwbkit.streams import Stream, Timebase

DTYPE = np.dtype("<i2")
#: NI-DAQ and OneBox samples are 16 bit; releases before 2023 leave niMaxInt out.
DEFAULT_NI_MAX_INT = 32768


def camel_device(device: str) -> str:
    """``Imec0``, ``NIDQ``, ``OneBox0`` of ``imec0``, ``nidq``, ``obx0``."""
    if device == "nidq":
        return "NIDQ"
    return device.replace("imec", "Imec").replace("obx", "OneBox")


def hardware_id(device: str) -> str:
    """Id of the device in the metadata document: ``NeuropixelsImec0``, ``NIDQ``, ``OneBox0``."""
    prefix = "Neuropixels" if device.startswith("imec") else ""
    return prefix + camel_device(device)


@dataclass(frozen=True)
class Context:
    """What making the streams of a band needs beside the band.

    Parameters
    ----------
    source : str
        Id of the source.
    timebase : Timebase
    n_probes : int
        NWB names carry the probe where there is more than one.
    bands : tuple of str
        The bands of the same device.
    imro : Imro, optional
    geometry : Geometry, optional
    sync_lines : bool
        Make tables of the changes of sync words too.
    """

    source: str
    timebase: Timebase
    n_probes: int
    bands: tuple[str, ...]
    imro: Imro | None = None
    geometry: Geometry | None = None
    sync_lines: bool = False


def rows_of(band: Band, context: Context) -> FlatArray:
    """Whole rows of the band's files: what all its streams are cut from."""
    width = band.layout.n_columns
    return FlatArray(
        id=f"{band.device}.{band.band}.rows",
        name=band.files[0].path.name,
        role="rows",
        timebase=context.timebase,
        shape=(band.n_samples, width),
        dtype=DTYPE,
        files=tuple(FlatFile(f.path, f.n_samples) for f in band.files),
        group=("spikeglx", context.source, band.device, band.band),
        channel_names=band.layout.names,
    )


def streams_of(band: Band, rows: FlatArray, context: Context) -> list[Stream]:
    """Every stream of a band: neural or analog channels, words, and changes of lines."""
    if band.meta.kind == "imec":
        return [*_neural(band, rows, context), *_sync(band, rows, context)]
    found = [*_analog(band, rows, context), *_digital(band, rows, context)]
    return found + (_sync(band, rows, context) if band.meta.kind == "obx" else [])


# ------------------------------------------------------------------ probes


def _neural(band: Band, rows: FlatArray, context: Context) -> list[Stream]:
    kind = band.band.upper()
    numbers = band.layout.numbers[kind]
    if not numbers:
        return []
    assert context.geometry is not None
    columns = band.layout.columns(kind)
    gains = channel_gains(band.meta, context.imro, kind, numbers)
    suffix = camel_device(band.device) if context.n_probes > 1 else ""
    said = sorted({f"{g:g}" for g in gains}, key=float)
    stream = rows.cut(
        columns,
        id=f"{band.device}.{band.band}",
        name=f"{band.device}.{band.band}",
        role="raw" if kind == "AP" else "lfp_band",
        timebase=context.timebase,
        nwb_name=f"ElectricalSeries{kind}{suffix}",
        description=f"{_band_words(band)} of probe {band.device}, gain {' and '.join(said)}",
        unit="volts",
        gain=_volts(band.meta, "imAiRangeMax", max_int(band.meta), gains),
        offset=np.zeros(len(gains)),
        channel_names=band.layout.names[columns],
        electrodes=context.geometry.electrodes(hardware_id(band.device), kind, band.layout),
    )
    return [stream]


def _band_words(band: Band) -> str:
    full = band.band == "ap" and band.meta.fields.get("acqApLfSy", "").split(",")[1:2] == ["0"]
    return "full band" if full else f"{band.band.upper()} band"


def _sync(band: Band, rows: FlatArray, context: Context) -> list[Stream]:
    """The SY words, and on demand their changes.

    ``imec0.sync`` are those at the highest rate saved; beside them the ones that the LF
    file repeats are ``imec0.lf_sync``.
    """
    words = band.layout.numbers["SY"]
    if not words:
        return []
    second = band.band == "lf" and "ap" in context.bands
    name = f"{band.device}.{'lf_sync' if second else 'sync'}"
    camel = camel_device(band.device)
    columns = band.layout.columns("SY")
    rest = "bit 6 is the sync line, the others are status flags"
    stream = rows.cut(
        columns,
        id=name,
        name=name,
        role="sync",
        timebase=context.timebase,
        nwb_name=f"TimeSeriesSync{'LF' if second else ''}{camel}",
        description=f"status word of {band.device} with each sample; {rest}",
        unit="n.a.",
        channel_names=band.layout.names[columns],
    )
    if not context.sync_lines:
        return [stream]
    table = _lines(band, rows, context, "SY", f"{name}_lines", f"EventsSync{camel}")
    return [stream, table]


# ------------------------------------------------------------------ NI-DAQ and OneBox


def _analog(band: Band, rows: FlatArray, context: Context) -> list[Stream]:
    """Analog channels: one stream, or one per kind of input where their gains differ."""
    meta = band.meta
    kinds = [k for k in ("MN", "MA", "XA") if band.layout.numbers.get(k)]
    if not kinds:
        return []
    gains = {k: _analog_gain(meta, k) for k in kinds}
    parts: Sequence[tuple[str, list[str]]] = [("analog", kinds)]
    if len(set(gains.values())) > 1:
        parts = [(k.lower(), [k]) for k in kinds]
    found: list[Stream] = []
    for name, of_kinds in parts:
        columns = band.layout.columns(*of_kinds)
        per_channel = [gains[k] for k in of_kinds for _ in band.layout.numbers[k]]
        suffix = "" if name == "analog" else name.upper()
        prefix, top = ("ob", "obMaxInt") if meta.kind == "obx" else ("ni", "niMaxInt")
        full_scale = _positive_int(meta, top)
        found.append(
            rows.cut(
                columns,
                id=f"{band.device}.{name}",
                name=f"{band.device}.{name}",
                role="analog",
                timebase=context.timebase,
                nwb_name=f"TimeSeries{camel_device(band.device)}{suffix}",
                description=f"analog channels {', '.join(band.layout.names[columns])} "
                f"of {band.device}",
                unit="volts",
                gain=_volts(meta, f"{prefix}AiRangeMax", full_scale, per_channel),
                offset=np.zeros(len(per_channel)),
                channel_names=band.layout.names[columns],
            )
        )
    return found


def _analog_gain(meta: Meta, kind: str) -> float:
    """``niMNGain`` and ``niMAGain`` amplify multiplexed inputs; XA inputs have gain 1."""
    return 1.0 if kind == "XA" else meta.positive(f"ni{kind}Gain")


def _positive_int(meta: Meta, key: str) -> int:
    value = meta.whole(key)
    if value == 0:
        raise DamagedInput(f"'{meta.name}' says {key}=0")
    return DEFAULT_NI_MAX_INT if value is None else value


def _digital(band: Band, rows: FlatArray, context: Context) -> list[Stream]:
    words = band.layout.numbers["XD"]
    if not words:
        return []
    columns = band.layout.columns("XD")
    camel = camel_device(band.device)
    stream = rows.cut(
        columns,
        id=f"{band.device}.digital",
        name=f"{band.device}.digital",
        role="sync",
        timebase=context.timebase,
        nwb_name=f"TimeSeries{camel}Digital",
        description=f"digital words of {band.device}: bit b of word XDw is line 16 * w + b",
        unit="n.a.",
        channel_names=band.layout.names[columns],
    )
    table = _lines(band, rows, context, "XD", f"{band.device}.lines", f"Events{camel}")
    return [stream, table]


def _lines(
    band: Band, rows: FlatArray, context: Context, kind: str, name: str, nwb_name: str
) -> LineEvents:
    columns = band.layout.columns(kind)
    return LineEvents(
        id=name,
        name=name,
        role="events",
        timebase=context.timebase,
        nwb_name=nwb_name,
        description=f"changes of the digital lines of {band.device}",
        columns=COLUMNS,
        words=rows,
        word_columns=tuple(range(columns.start, columns.stop)),
        lines=line_names(kind, band.layout.numbers[kind]),
    )


def _volts(
    meta: Meta, range_key: str, full_scale: int, gains: Sequence[float]
) -> npt.NDArray[np.float64]:
    """Volts per count: range / full scale / gain, in that order, never rounded."""
    top: Any = meta.positive(range_key)
    return np.array([top / full_scale / gain for gain in gains], np.float64)
