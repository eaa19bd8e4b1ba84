"""The readout table of a probe (``~imroTbl``) and the volts per count that follow from it.

Source: SpikeGLX "imro tables" guide (sglhome/docs/help/imroTables.md) and the metadata
guides; V = i * imAiRangeMax / imMaxInt / gain. The table lists every acquired channel,
whatever was saved, so gains are looked up by channel, never by column.

========================================  ==========================================
header                                    entries
========================================  ==========================================
``(serial,option,channels)`` phase 3A     ``channel bank ref apgain lfgain``
``(0|1020|1030|1100|1120-3|1200|1300,n)``  ``channel bank ref apgain lfgain apfilter``
``(1110,colmode,ref,ap,lf,apfilter)``     ``group bankA bankB``
``(21|2003|3010,n)``                      ``channel bank(mask) ref electrode``
``(24|2013|2020|3020,n)``                 ``channel shank bank ref electrode``
========================================  ==========================================

Since release 20260115 the first field may be a part number (``NP2020``).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from nwbkit.errors import DamagedInput
from nwbkit.formats.recording.spikeglx.meta import Meta

#: Probes of fixed gain, by probe type: (gain, imMaxInt of releases that leave it out).
FIXED_GAIN = {
    21: (80.0, 8192),
    24: (80.0, 8192),
    2003: (100.0, 2048),
    2013: (100.0, 2048),
    2020: (100.0, 2048),
    2021: (100.0, 2048),
    3010: (100.0, 2048),
    3020: (100.0, 2048),
    3022: (100.0, 2048),
}
#: imMaxInt of probes with selectable gain (10 bit) where the header leaves it out.
DEFAULT_MAX_INT = 512

_BANK_REFERENCES = {0: "ext", 1: "tip", 2: "bank0", 3: "bank1", 4: "bank2", 5: "bank3"}
_GROUND = {0: "ext", 1: "gnd", 2: "tip"}
_GROUND_TIPS = {0: "ext", 1: "gnd", 2: "tip0", 3: "tip1", 4: "tip2", 5: "tip3"}
_TYPE_24 = {0: "ext"} | {1 + s: f"tip{s}" for s in range(4)}
_TYPE_24 |= {5 + 4 * s + b: f"shank{s}bank{b}" for s in range(4) for b in range(4)}
#: Meaning of the reference number, by probe type; other types use the first table.
REFERENCES = {
    24: _TYPE_24,
    2003: _GROUND,
    2013: _GROUND_TIPS,
    2020: _GROUND,
    2021: _GROUND,
    3010: _GROUND,
    3020: _GROUND_TIPS,
    3022: _GROUND_TIPS,
}


@dataclass(frozen=True)
class Imro:
    """What the readout table says, by acquired channel.

    Parameters
    ----------
    n_channels : int
    ap_gain, lf_gain : dict of int to float
        Empty for probes of fixed gain.
    reference, bank, shank, electrode : dict of int to int
        Empty where the table has no such field.
    ap_filter : dict of int to bool
        Whether the 300 Hz high-pass of the AP band is on.
    """

    n_channels: int
    ap_gain: dict[int, float] = field(default_factory=dict)
    lf_gain: dict[int, float] = field(default_factory=dict)
    reference: dict[int, int] = field(default_factory=dict)
    bank: dict[int, int] = field(default_factory=dict)
    shank: dict[int, int] = field(default_factory=dict)
    electrode: dict[int, int] = field(default_factory=dict)
    ap_filter: dict[int, bool] = field(default_factory=dict)


def probe_type(meta: Meta) -> int | None:
    """The probe type: ``imDatPrb_type``, else the first field of the readout table.

    Phase 3A headers (``imProbeOpt``) have neither and are of type 0.
    """
    if meta.text("imProbeOpt") is not None:
        return 0
    said = meta.whole("imDatPrb_type")
    if said is not None:
        return said
    table = meta.table("imroTbl")
    if table is None:
        return None
    first = table[0][0].strip().upper().removeprefix("NP")
    return int(first) if first.isdecimal() and len(table[0]) != 3 else None


def read_imro(meta: Meta) -> Imro | None:
    """The readout table of a header; None where there is none.

    Raises
    ------
    nwbkit.errors.DamagedInput
        Where it is torn, or of a shape that no known probe has.
    """
    table = meta.table("imroTbl")
    if table is None:
        return None
    header, entries = table
    try:
        rows = [[int(v) for v in entry if v] for entry in entries]
        numbers = [int(v) for v in header[1:]]
    except ValueError:
        raise DamagedInput(f"'{meta.name}' has a torn table imroTbl") from None
    width = {len(row) for row in rows}
    if len(header) == 6 and width == {3}:
        return _of_groups(meta, numbers)
    if len(width) != 1 or len(header) not in (2, 3):
        raise DamagedInput(f"'{meta.name}' has an imroTbl of an unknown shape")
    n_channels = numbers[-1]
    if n_channels != len(rows) or len({row[0] for row in rows}) != len(rows):
        raise DamagedInput(
            f"'{meta.name}' has an imroTbl that announces {n_channels} channels "
            f"and lists {len({row[0] for row in rows})}"
        )
    shapes = {(2, 6): _selectable, (3, 5): _selectable, (2, 4): _one_shank, (2, 5): _shanks}
    shape = shapes.get((len(header), width.pop()))
    if shape is None:
        raise DamagedInput(f"'{meta.name}' has an imroTbl of an unknown shape")
    return shape(n_channels, rows)


def _selectable(n_channels: int, rows: list[list[int]]) -> Imro:
    return Imro(
        n_channels,
        ap_gain={r[0]: float(r[3]) for r in rows},
        lf_gain={r[0]: float(r[4]) for r in rows},
        reference={r[0]: r[2] for r in rows},
        bank={r[0]: r[1] for r in rows},
        ap_filter={r[0]: bool(r[5]) for r in rows if len(r) > 5},
    )


def _one_shank(n_channels: int, rows: list[list[int]]) -> Imro:
    return Imro(
        n_channels,
        reference={r[0]: r[2] for r in rows},
        electrode={r[0]: r[3] for r in rows},
    )


def _shanks(n_channels: int, rows: list[list[int]]) -> Imro:
    return Imro(
        n_channels,
        reference={r[0]: r[3] for r in rows},
        bank={r[0]: r[2] for r in rows},
        shank={r[0]: r[1] for r in rows},
        electrode={r[0]: r[4] for r in rows},
    )


def _of_groups(meta: Meta, numbers: list[int]) -> Imro:
    # NP1110: one setting for all channels, in the header
    _, reference, ap_gain, lf_gain, ap_filter = numbers
    acquired = meta.counts("acqApLfSy")
    n_channels = acquired[0] if acquired else 384
    every = range(n_channels)
    return Imro(
        n_channels,
        ap_gain=dict.fromkeys(every, float(ap_gain)),
        lf_gain=dict.fromkeys(every, float(lf_gain)),
        reference=dict.fromkeys(every, reference),
        ap_filter=dict.fromkeys(every, bool(ap_filter)),
    )


def reference_names(kind: int | None) -> dict[int, str]:
    """Meaning of the reference number for a probe type."""
    return REFERENCES.get(kind if kind is not None else 0, _BANK_REFERENCES)


def channel_gains(
    meta: Meta, imro: Imro | None, band: str, channels: tuple[int, ...]
) -> list[float]:
    """Amplification of AP or LF channels of a probe.

    Parameters
    ----------
    meta : Meta
    imro : Imro, optional
    band : {"AP", "LF"}
    channels : tuple of int
        As acquired, counted within the band.

    Raises
    ------
    nwbkit.errors.DamagedInput
        Where the header does not say and the probe's type fixes none: never a guess.
    """
    table = (imro.ap_gain if band == "AP" else imro.lf_gain) if imro is not None else {}
    key = f"imChan0{band.lower()}Gain"
    said = meta.number(key)
    if table:
        if said is not None and table.get(0, said) != said:
            raise DamagedInput(
                f"'{meta.name}' says {key}={meta.fields[key]}, its imroTbl {table[0]:g}"
            )
        gains = [table.get(c, 0.0) for c in channels]
        for channel, gain in zip(channels, gains, strict=True):
            if not gain > 0:
                raise DamagedInput(f"'{meta.name}' has no gain for {band}{channel} in imroTbl")
        return gains
    if band == "LF":  # made by CatGT from a full-band probe, whose one gain holds
        said = said if said is not None else meta.number("imChan0apGain")
    if said is None:
        fixed = FIXED_GAIN.get(probe_type(meta) or -1)
        if fixed is None:
            raise DamagedInput(
                f"'{meta.name}' does not tell the gain of its channels: no imroTbl with gains, "
                f"no {key}, and probe type {meta.text('imDatPrb_type') or 'unknown'} fixes none"
            )
        said = fixed[0]
    if said <= 0:
        raise DamagedInput(f"'{meta.name}' says {key}={meta.fields.get(key)}")
    return [said] * len(channels)


def max_int(meta: Meta) -> int:
    """The integer that stands for ``imAiRangeMax``: ``imMaxInt``, else the probe type's."""
    said = meta.whole("imMaxInt")
    if said is None:
        fixed = FIXED_GAIN.get(probe_type(meta) or -1)
        return fixed[1] if fixed else DEFAULT_MAX_INT
    if said == 0:
        raise DamagedInput(f"'{meta.name}' says imMaxInt=0")
    return said


def check_channels(meta: Meta, imro: Imro | None) -> None:
    """Hold the readout table against the number of acquired channels."""
    acquired = meta.counts("acqApLfSy")
    if imro is None or acquired is None:
        return
    n = acquired[0] or acquired[1]
    if imro.n_channels != n:
        raise DamagedInput(
            f"'{meta.name}' says acqApLfSy={meta.fields['acqApLfSy']}, "
            f"but its imroTbl lists {imro.n_channels} channels"
        )
