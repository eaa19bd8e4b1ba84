"""Blackrock: ns1 to ns6 with their nev, file specifications 2.1, 2.2, 2.3 and 3.0."""

from __future__ import annotations

from nwbkit.formats.base import Format, Option, Reader, Source
from nwbkit.formats.recording.blackrock.look import PATTERNS, look


def _open(source: Source) -> Reader:
    from nwbkit.formats.recording.blackrock.reader import BlackrockReader

    return BlackrockReader(source)


FORMAT = Format(
    id="blackrock",
    title="Blackrock (Cerebus, Gemini)",
    room="recording",
    patterns=PATTERNS,
    look=look,
    open=_open,
    options=(
        Option(
            "gain_uv",
            "float",
            "microvolts a count, for channels whose scale no file holds (spec 2.1 without nev)",
        ),
        Option(
            "reset_gap",
            "float",
            "seconds from the last sample before a clock reset to the clock's new zero, which no "
            "file holds",
            default=0.0,
        ),
        Option(
            "nev_epoch",
            "int",
            "after which clock reset the nev was recorded (0: before the first), where it shows "
            "fewer resets than the ns files",
        ),
        Option("nev", "str", "file name of the nev that the units are taken from"),
    ),
    recognised="By the first eight bytes: NEURALSG, NEURALCD, BRSMPGRP (ns), NEURALEV, BREVENTS "
    "(nev). Files of one name in one folder are one source; 'NAME-02.nev' with the same time "
    "origin, a later sorting, belongs to it.",
    variants=(
        "ns1 to ns6 of file specification 2.1 (NEURALSG), 2.2, 2.3 (NEURALCD), 3.0 (BRSMPGRP)",
        "3.0 with a time for every sample (PTP, nanoseconds)",
        "nev of file specification 2.1, 2.2, 2.3 (NEURALEV), 3.0 (BREVENTS), also without ns files",
        "pauses, clock resets, files that were not closed (with --salvage)",
    ),
    limits=(
        "Files of several hubs or NSPs of one recording are separate sessions.",
        "The time between a clock reset and the data before it is in no file: reset_gap, else 0.",
        "Single spike waveforms are not converted; the mean waveform of each unit is.",
        "Settings in .ccf and .sif files, and map files (.cmp), are not read.",
        "Packets of kinds that the specification does not document are counted and left out.",
    ),
)
