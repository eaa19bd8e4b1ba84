"""The second way to read plain samples: libsndfile through ``soundfile``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from nwbkit.formats.behavior.audio.layout import Layout
from nwbkit.streams import Segment
from nwbkit.streams.kinds import AnyArray


def rows(path: Path, layout: Layout, start: int, stop: int) -> AnyArray | None:
    """Frames ``start..stop`` as stored in NWB; None where soundfile is missing or refuses."""
    try:
        import soundfile
    except (ImportError, OSError):
        return None
    try:
        with soundfile.SoundFile(path) as sound:
            sound.seek(start)
            kind = sound.subtype
            asked = {"FLOAT": "float32", "DOUBLE": "float64"}.get(kind)
            asked = asked or ("int32" if kind in ("PCM_24", "PCM_32") else "int16")
            values: AnyArray = sound.read(stop - start, dtype=asked, always_2d=True)
    except RuntimeError:
        return None
    if kind == "PCM_24":
        values = values // 256
    elif kind == "PCM_U8":
        values = (values // 256 + 128).astype(np.uint8)
    elif kind == "PCM_S8":
        values = (values // 256).astype(np.int8)
    return values[:, 0] if layout.channels == 1 else values


def facts(path: Path) -> dict[str, Any] | None:
    """Gain, offset, rate and length as libsndfile has them; None where it cannot say."""
    try:
        import soundfile
    except (ImportError, OSError):
        return None
    try:
        info = soundfile.info(path)
    except RuntimeError:
        return None
    full = {"PCM_U8": 7, "PCM_S8": 7, "PCM_16": 15, "ULAW": 15, "ALAW": 15, "PCM_24": 23}
    full |= {"PCM_32": 31, "FLOAT": 0, "DOUBLE": 0}
    if info.subtype not in full:
        return None
    rate = float(info.samplerate)
    return {
        "gain": np.array([1 / (1 << full[info.subtype])]),
        "offset": np.array([-1.0 if info.subtype == "PCM_U8" else 0.0]),
        "rate": rate,
        "segments": (Segment(0, info.frames, 0.0, rate),),
    }
