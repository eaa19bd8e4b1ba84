"""What the sound samples hold.

The plain ones were read from their bytes with a hex viewer and the standard library's ``wave``.
All but the natural recording are a tone of 440 Hz and half of full scale on every channel, so
that the lossy ones are known as well: 0.5 sin(2 pi 440 n / 44100), as near as their codec comes.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Sound:
    """A file; first and last value of channel 0 as stored, the greatest distance from the tone."""

    file: str
    channels: int
    dtype: str
    gain: float
    first: tuple[float, ...] = ()
    last: float | None = None
    near: float | None = None
    frames: int = 4410
    rate: float = 44100.0
    #: Second way to read it.
    independent: bool = False


_TONE = (0, 1026, 2048, 3063)
_16, _32 = 2.0**-15, 2.0**-31
SOUNDS = [
    Sound("5.1_Surround_16bit_AIFF.aiff", 6, "<i2", _16, _TONE, -1026, 2e-4, independent=True),
    Sound("5.1_Surround_16bit_FLAC.flac", 6, "<i2", _16, _TONE, -1026, 2e-4),
    Sound("5.1_Surround_16bit_OGG.ogg", 6, "<f4", 1.0, near=0.05),
    Sound("5.1_Surround_16bit_PCM.wav", 6, "<i2", _16, _TONE, -1026, 2e-4, independent=True),
    Sound("7.1_Surround_16bit_AIFF.aiff", 8, "<i2", _16, _TONE, -1026, 2e-4, independent=True),
    Sound("7.1_Surround_16bit_FLAC.flac", 8, "<i2", _16, _TONE, -1026, 2e-4),
    Sound("7.1_Surround_16bit_OGG.ogg", 8, "<f4", 1.0, near=0.05),
    Sound("7.1_Surround_16bit_PCM.wav", 8, "<i2", _16, _TONE, -1026, 2e-4, independent=True),
    Sound("Mono_128kbps_MP3.mp3", 1, "<f4", 1.0, near=0.05),
    Sound("Mono_16bit_AIFF.aiff", 1, "<i2", _16, _TONE, -1026, 2e-4, independent=True),
    Sound("Mono_16bit_FLAC.flac", 1, "<i2", _16, _TONE, -1026, 2e-4),
    Sound("Mono_16bit_OGG.ogg", 1, "<f4", 1.0, near=0.05),
    Sound("Mono_16bit_PCM.wav", 1, "<i2", _16, _TONE, -1026, 2e-4, independent=True),
    Sound("Mono_320kbps_MP3.mp3", 1, "<f4", 1.0, near=0.05),
    Sound("Stereo_128kbps_MP3.mp3", 2, "<f4", 1.0, near=0.05),
    Sound("Stereo_16bit_AIFF.aiff", 2, "<i2", _16, _TONE, -1026, 2e-4, independent=True),
    Sound("Stereo_16bit_FLAC.flac", 2, "<i2", _16, _TONE, -1026, 2e-4),
    Sound("Stereo_16bit_OGG.ogg", 2, "<f4", 1.0, near=0.05),
    Sound("Stereo_16bit_PCM.wav", 2, "<i2", _16, _TONE, -1026, 2e-4, independent=True),
    # called 24 bits; its header says 32, and its bytes are
    Sound(
        "Stereo_24bit_PCM.wav",
        *(2, "<i4", _32, (0, 0x04026E1D, 0x0800D3E9, 0x0BF72D1E)),
        near=1e-6,
        independent=True,
    ),
    Sound("Stereo_320kbps_MP3.mp3", 2, "<f4", 1.0, near=0.05),
    Sound("Stereo_32bit_Float_PCM.wav", 2, "<f4", 1.0, near=1e-6, independent=True),
    Sound(
        "natural_audio_recording.wav",
        *(1, "<i2", _16, (6, 4, 7, 11, 13, 17, 16, 10)),
        frames=269248,
        rate=48000.0,
        independent=True,
    ),
]
