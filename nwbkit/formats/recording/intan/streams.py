"""Streams of a recording's signals: scales, names, electrodes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from nwbkit.errors import MissingFact
from nwbkit.formats.recording.intan.events import (
    FLAG_COLUMNS,
    FLAGS,
    LINE_COLUMNS,
    BitEvents,
)
from nwbkit.formats.recording.intan.header import Channel, Header
from nwbkit.formats.recording.intan.parts import Part
from nwbkit.formats.recording.intan.times import every
from nwbkit.streams import Array, Electrode, Stream, Timebase
from nwbkit.streams.kinds import AnyArray

#: Volts (or what stands in `UNITS`) per count, from the application notes.
AMPLIFIER_V = 0.195e-6
DC_V = -0.01923
GAINS = {"amplifier": AMPLIFIER_V, "lowpass": AMPLIFIER_V, "highpass": AMPLIFIER_V}
GAINS |= {"dc_amplifier": DC_V, "auxiliary": 37.4e-6, "supply": 74.8e-6, "temperature": 0.01}
UNITS = {"temperature": "celsius", "stim": "amperes", "digital_in": "n.a.", "digital_out": "n.a."}
#: Volts per count, and the count of 0 V, of board ADC inputs by the header's board mode.
ADC = {0: (50.354e-6, 0), 1: (152.59e-6, 32768), 13: (312.5e-6, 32768)}
_STEP = (312.5e-6, 32768)

_ROLES = {"amplifier": "raw", "highpass": "raw", "lowpass": "lfp", "dc_amplifier": "lfp_band"}
_ROLES |= {"digital_in": "sync", "digital_out": "sync", "stim": "stimulus"}
_NAMES = {
    "amplifier": "ElectricalSeries", "highpass": "ElectricalSeriesHighpass",
    "lowpass": "ElectricalSeriesLFP", "dc_amplifier": "ElectricalSeriesDC",
    "stim": "TimeSeriesStimulation", "auxiliary": "TimeSeriesAuxiliary",
    "supply": "TimeSeriesSupplyVoltage", "temperature": "TimeSeriesTemperature",
    "adc": "TimeSeriesADC", "dac": "TimeSeriesDAC", "digital_in": "TimeSeriesDigitalIn",
    "digital_out": "TimeSeriesDigitalOut",
}  # fmt: skip
_SAID = {
    "amplifier": "electrode voltages at the full band of the amplifiers",
    "highpass": "electrode voltages, high-passed by the software",
    "lowpass": "electrode voltages, low-passed by the software",
    "dc_amplifier": "electrode voltages of the DC amplifiers, of low gain",
    "stim": "stimulation currents",
    "auxiliary": "auxiliary inputs of the headstages",
    "supply": "supply voltages of the headstages",
    "temperature": "temperature sensors of the headstages",
    "adc": "analog inputs of the controller",
    "dac": "analog outputs of the controller",
    "digital_in": "digital inputs of the controller",
    "digital_out": "digital outputs of the controller",
}


@dataclass(frozen=True)
class Context:
    """What making the streams needs beside the parts.

    Parameters
    ----------
    source : str
        Id of the source.
    header : Header
    layout : {"blocks", "signals", "channels"}
    timebase : Timebase
        Of amplifier samples.
    board_mode : int, optional
        As the user says.
    """

    source: str
    header: Header
    layout: str
    timebase: Timebase
    board_mode: int | None = None


@dataclass(kw_only=True, eq=False)
class Currents(Array):
    """Currents out of stimulation words, in steps: eight bits and, above, the sign.

    Parameters
    ----------
    words : Array
        Shape (samples, channels).
    """

    words: Array

    def read(self, start: int, stop: int, out: AnyArray | None = None) -> AnyArray:
        """Steps of the rows ``start..stop``, int16."""
        words = self.words.read(start, stop)
        steps = (words & 0xFF).astype(np.int16)
        np.negative(steps, out=steps, where=(words & 0x100) != 0)
        if out is None:
            return steps
        np.copyto(out, steps)
        return out


def streams_of(parts: dict[str, Part], context: Context) -> Iterator[Stream]:
    """Every stream, those of one signal after the other."""
    for signal, part in parts.items():
        if signal == "stim":
            yield from _stimulation(part, context)
        elif signal in ("digital_in", "digital_out"):
            yield from _digital(signal, part, context)
        else:
            yield _analog(signal, part, context)


def scale_of(signal: str, part: Part, context: Context) -> tuple[float, float]:
    """Gain and offset, in the unit of the signal.

    Raises
    ------
    nwbkit.errors.MissingFact
        Where the board mode of the header is unknown.
    """
    header = context.header
    if signal == "adc" and header.kind == "rhd":
        mode = context.board_mode if context.board_mode is not None else header.board_mode or 0
        if mode not in ADC:
            raise MissingFact(
                f"the header says board mode {mode}: the range of the analog inputs is not known",
                hint=f"--set {context.source}.board_mode=13 (0: 0 to 3.3 V, 1: 5 V, 13: 10.24 V)",
            )
        gain, zero = ADC[mode]
    elif signal in ("adc", "dac"):
        gain, zero = _STEP
    elif signal == "dc_amplifier":
        gain, zero = DC_V, 512
    else:
        gain, zero = GAINS[signal], part.excess
    return gain, -zero * gain if zero else 0.0


def _facts(signal: str, part: Part, context: Context) -> dict[str, Any]:
    return {
        "id": signal,
        "name": signal,
        "role": _ROLES.get(signal, "analog"),
        "timebase": every(context.timebase, part.factor) if part.factor > 1 else context.timebase,
        "nwb_name": _NAMES[signal],
        "unit": UNITS.get(signal, "volts"),
        "description": _described(signal, part, context),
    }


def _described(signal: str, part: Part, context: Context) -> str:
    said = _SAID[signal]
    if signal in ("auxiliary", "supply") and context.layout != "blocks":
        held = "four times" if signal == "auxiliary" else "until the next one is measured"
        said += f"; each value is repeated {held} to fill the amplifiers' rate"
    if signal == "stim":
        said += ", in steps; a column a channel"
    if signal == "temperature":
        return said
    if signal in ("digital_in", "digital_out"):
        lines = ", ".join(f"bit {c.order} {_called(c)}" for c in part.channels)
        return f"{said}: {lines}" if part.word else f"{said}: {_list(part.channels)}"
    if signal in _ROLES and signal != "stim":
        return said
    return f"{said}: {_list(part.channels)}"


def _list(channels: tuple[Channel, ...]) -> str:
    return ", ".join(_called(c) for c in channels)


def _called(channel: Channel) -> str:
    custom = channel.custom if channel.custom not in ("", channel.native) else ""
    return f"{channel.native} ({custom})" if custom else channel.native


def _names(signal: str, part: Part, width: int) -> tuple[str, ...]:
    if signal == "temperature":
        return tuple(f"TEMP{i + 1}" for i in range(width))
    return (
        (signal.upper().replace("_", "-"),) if part.word else tuple(c.native for c in part.channels)
    )


def _analog(signal: str, part: Part, context: Context) -> Array:
    gain, offset = scale_of(signal, part, context)
    width = context.header.temperatures if signal == "temperature" else len(part.channels)
    electrodes = None
    if _ROLES.get(signal) in ("raw", "lfp", "lfp_band"):
        measured = any(c.impedance > 0 for c in part.channels)
        electrodes = tuple(electrode_of(c, measured, context.source) for c in part.channels)
    return part.make(
        **_facts(signal, part, context),
        gain=np.full(width, gain),
        offset=np.full(1, offset),
        channel_names=_names(signal, part, width),
        electrodes=electrodes,
    )


def group_of(channel: Channel, source: str) -> str:
    """Id of the electrode group of a port; unique among the sources of a session."""
    word = "".join(c for c in channel.prefix if c.isalnum()) or "".join(
        c for c in channel.port if c.isalnum()
    )
    return f"{source}-Port{word}"


def electrode_of(channel: Channel, measured: bool, source: str) -> Electrode:
    """The electrode behind an amplifier channel; where it lies is not in the files."""
    properties: dict[str, str | int | float | bool] = {"port": channel.port}
    if channel.custom not in ("", channel.native):
        properties["custom_name"] = channel.custom
    if measured and channel.impedance > 0:
        properties["imp"] = channel.impedance
        properties["imp_phase"] = channel.phase
    return Electrode(
        group_of(channel, source), channel.native, channel.native, None, None, properties
    )


def _digital(signal: str, part: Part, context: Context) -> Iterator[Stream]:
    width = 1 if part.word else len(part.channels)
    words = part.make(**_facts(signal, part, context), channel_names=_names(signal, part, width))
    yield words
    camel = "".join(word.capitalize() for word in signal.split("_"))
    yield BitEvents(
        id=f"{signal}_lines",
        name=f"{signal}_lines",
        role="events",
        timebase=context.timebase,
        nwb_name=f"Events{camel}",
        description=f"changes of the {_SAID[signal]}: {_list(part.channels)}",
        columns=LINE_COLUMNS,
        words=words,
        bits=tuple((0, c.order) if part.word else (i, 0) for i, c in enumerate(part.channels)),
        labels={"line": tuple(c.native for c in part.channels)},
    )


def _stimulation(part: Part, context: Context) -> Iterator[Stream]:
    words = part.make(id="stim_words", name="stim_words", role="rows", timebase=context.timebase)
    names = tuple(c.native for c in part.channels)
    step = context.header.stim_step
    yield Currents(
        **_facts("stim", part, context),
        shape=words.shape,
        dtype=np.dtype("<i2"),
        gain=np.full(len(names), step),
        block_rows=words.block_rows,
        channel_names=names,
        words=words,
    )
    lines = [(column, bit) for column in range(len(names)) for bit in FLAGS]
    yield BitEvents(
        id="stim_flags",
        name="stim_flags",
        role="events",
        timebase=context.timebase,
        nwb_name="EventsStimulationFlags",
        description="when amplifiers were settled, charge was recovered, and the compliance limit "
        "was met, by channel",
        columns=FLAG_COLUMNS,
        words=words,
        bits=tuple(lines),
        labels={
            "channel": tuple(names[column] for column, _ in lines),
            "flag": tuple(FLAGS[bit] for _, bit in lines),
        },
    )
