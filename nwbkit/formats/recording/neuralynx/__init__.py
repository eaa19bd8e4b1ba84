"""Neuralynx: continuous channels (.ncs), events (.nev) and spikes (.nse, .nst, .ntt)."""

from __future__ import annotations

from nwbkit.formats.base import Format, Option, Reader, Source
from nwbkit.formats.recording.neuralynx.look import PATTERNS, look, relate


def _open(source: Source) -> Reader:
    from nwbkit.formats.recording.neuralynx.reader import NeuralynxReader

    return NeuralynxReader(source)


FORMAT = Format(
    id="neuralynx",
    title="Neuralynx Cheetah and Pegasus",
    room="recording",
    patterns=PATTERNS,
    look=look,
    open=_open,
    relate=relate,
    options=(
        Option(
            "ad_bit_volts",
            "float",
            "volts a count, for .ncs and spike files whose header has no ADBitVolts",
        ),
        Option(
            "scan",
            "bool",
            "read the record headers of every .ncs file when opening, not those of one file of "
            "each group: for channels that lost different records",
            default=False,
        ),
    ),
    recognised="By the text '######## Neuralynx' at the beginning of .ncs, .nev, .nse, .nst and "
    ".ntt files. The files of one folder that were recorded in one session (SessionUUID, or the "
    "folder of the original file name) are one source; CSC1_0001.ncs continues CSC1.ncs. Spikes "
    "and events in another folder join the recording of that session.",
    variants=(
        "Cheetah 1 to 4: NLX_Base_Class headers, sampled every whole microsecond",
        "Cheetah 5 and 6, Pegasus 2: Digital Lynx, Digital Lynx SX, Cheetah64, ATLAS",
        "BML and Neuraview files",
        ".ncs with partial records, gaps, and several rates in one folder",
        ".nev of Cheetah, Pegasus and Neuraview",
        ".nse, .nst and .ntt, with and without sorted cells, with or without .ncs beside them",
    ),
    limits=(
        "Raw data files (.nrd) are named in a note and not read.",
        "Features, and the waveforms of single spikes, are not converted; mean waveforms are.",
        "The header's time of opening stands for the session's start; recording may have begun "
        "later.",
        "A .ncs file of several channels is refused.",
    ),
)
