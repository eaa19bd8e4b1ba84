"""Sound files: WAV and its kin, AIFF, FLAC, Ogg, MP3."""

from __future__ import annotations

from nwbkit.formats.base import Format, Option, Reader, Source
from nwbkit.formats.behavior.audio.look import PATTERNS, look


def _open(source: Source) -> Reader:
    from nwbkit.formats.behavior.audio.reader import AudioReader

    return AudioReader(source)


FORMAT = Format(
    id="audio",
    title="Audio file",
    room="behavior",
    patterns=PATTERNS,
    look=look,
    open=_open,
    extra="audio",
    fallback=True,
    options=(
        Option(
            "rate",
            "float",
            "samples per second (Hz) at which the sound was recorded, where the header says "
            "another rate: time expansion, a header that contradicts itself",
        ),
        Option(
            "place",
            "str",
            "where the sound goes in NWB (default: acquisition; stimulus: played to the subject)",
            choices=("acquisition", "stimulus"),
        ),
    ),
    recognised="The first bytes: RIFF, RIFX, RF64 or BW64 with WAVE, the GUIDs of Sony Wave64, "
    "FORM with AIFF or AIFC, fLaC, an Ogg page of Vorbis, Opus or FLAC, an ID3 tag or MPEG frames "
    "in a file called .mp3, .snd of Sun and NeXT, caff of Apple.",
    variants=(
        "WAV with chunks in any order (JUNK, bext, LIST, guan before fmt), RF64, BW64, RIFX, "
        "Wave64, WAVE_FORMAT_EXTENSIBLE",
        "PCM of 8 (unsigned), 16, 24 and 32 bits as the integers they are, float32 and float64, "
        "A-law and mu-law as the 16-bit integers they stand for",
        "AIFF and AIFC: NONE, twos, sowt, raw, in24, in32, fl32, fl64, alaw, ulaw",
        "FLAC in the integers it holds; Vorbis, Opus and MP3 as libsndfile decodes them (float32)",
        "ADPCM and GSM in WAV and AIFC, AU and CAF, by libsndfile",
        "start times in bext, GUANO, AudioMoth's comment, or the file's name",
    ),
    limits=(
        "A file starts at 0 of its own clock: that its name or header says when is no alignment.",
        "Full scale is 1.0: no file says what sound pressure that is.",
        "ndx-sound's AcousticWaveformSeries holds one or two channels; more become a TimeSeries.",
        "Channels stay in the order of the file; that of Vorbis and Opus is not that of WAV.",
        "Cue points, markers and sampler loops are left out.",
        "Lossy files (Vorbis, Opus, MP3) are decoded front to back, by one thread.",
    ),
)
