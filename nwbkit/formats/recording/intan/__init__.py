"""Intan RHD2000 and RHS2000: all three layouts, all header versions."""

from __future__ import annotations

from nwbkit.formats.base import Format, Option, Reader, Source
from nwbkit.formats.recording.intan.look import PATTERNS, look


def _open(source: Source) -> Reader:
    from nwbkit.formats.recording.intan.reader import IntanReader

    return IntanReader(source)


FORMAT = Format(
    id="intan",
    title="Intan RHD2000 / RHS2000",
    room="recording",
    patterns=PATTERNS,
    look=look,
    open=_open,
    options=(
        Option(
            "board_mode",
            "int",
            "board mode of the controller where the header's is unknown: 0 (analog inputs 0 to "
            "3.3 V), 1 (-5 to 5 V) or 13 (-10.24 to 10.24 V)",
        ),
    ),
    recognised="By the magic number at the beginning of .rhd and .rhs files, which is compared, "
    "and a header that reads to its end. Files of one name whose headers agree and whose time "
    "stamps go on as the times in their names say are one recording.",
    variants=(
        "RHD2000 headers of version 1.0 to 3.x and RHS2000 headers of version 1.0 to 3.x",
        "traditional layout: header and data blocks in one file, or in a file every few minutes",
        "one file per signal type: info.rhd or info.rhs beside amplifier.dat, auxiliary.dat, ...; "
        "auxiliary inputs within amplifier.dat too",
        "one file per channel: info.rhd or info.rhs beside amp-A-000.dat, aux-A-AUX1.dat, ...",
        "low- and high-passed bands, DC amplifiers, stimulation, live notes",
    ),
    limits=(
        "Spikes that RHX found online (spike.dat) are not converted; a note says so.",
        "Recordings that a trigger began anew have counters of their own and are sessions of "
        "their own: file names tell when, to a second only.",
        "The start time is that in the file's or folder's name, without a zone.",
        "Events are those of the digital lines that the header enables; other bits that change "
        "stay in the saved word.",
        "Where electrodes lie on their probe is not in the files.",
    ),
)
