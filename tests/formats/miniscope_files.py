"""Miniscope recordings as the acquisition programs write them, small, with any oddity one likes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nwbkit.errors import DamagedInput, NwbkitError
from nwbkit.formats import registry
from nwbkit.formats.base import Reader, Source

SESSION: dict[str, Any] = {
    "animalName": "m7",
    "baseDirectory": "C:/data/m7/2022_09_19/09_18_41",
    "cameras": ["My WebCam"],
    "experimentName": "maze",
    "miniscopes": ["My V4 Miniscope"],
    "recordingStartTime": {
        "day": 19,
        "hour": 9,
        "minute": 18,
        "month": 9,
        "msec": 7,
        "msecSinceEpoch": 1663597121007,
        "second": 41,
        "year": 2022,
    },
    "researcherName": "Dr Stage",
}
SCOPE: dict[str, Any] = {
    "compression": "FFV1",
    "deviceDirectory": "C:/data/m7/2022_09_19/09_18_41/My_V4_Miniscope",
    "deviceID": 0,
    "deviceName": "My V4 Miniscope",
    "deviceType": "Miniscope_V4_BNO",
    "ewl": 12,
    "frameRate": "20FPS",
    "framesPerFile": 20,
    "gain": "Low",
    "led0": 25,
}
CAMERA: dict[str, Any] = {
    "compression": "MJPG",
    "deviceName": "My WebCam",
    "deviceType": "WebCam",
    "framesPerFile": 20,
}


def frames(n: int, height: int = 12, width: int = 16, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (n, height, width)).astype("u1")


def movie(
    path: Path, data: np.ndarray, codec: str = "ffv1", pixels: str = "gray", **options: str
) -> Path:
    """An AVI; FFV1 has a key frame every 12 as OpenCV writes it."""
    import av

    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w", format="avi") as file:
        stream = file.add_stream(codec, rate=60, options=options)
        stream.height, stream.width = data.shape[1:3]
        stream.pix_fmt = pixels
        for k, image in enumerate(data):
            kind = "gray" if image.ndim == 2 else "bgr24"
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format=kind)
            if pixels != kind:
                frame = frame.reformat(format=pixels)
            frame.pts = k
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return path


def device(
    folder: Path,
    data: np.ndarray,
    said: dict[str, Any] | None = None,
    *,
    times: Sequence[float] | None = None,
    per_file: int = 20,
    codec: str = "ffv1",
    pixels: str = "gray",
    orientation: Sequence[Sequence[float]] | None = None,
) -> Path:
    """A device's folder: metaData.json, movies, timeStamps.csv, headOrientation.csv."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "metaData.json").write_text(json.dumps(SCOPE if said is None else said))
    for k in range(0, len(data), per_file):
        movie(folder / f"{k // per_file}.avi", data[k : k + per_file], codec, pixels)
    given = list(times) if times is not None else [50 * k - 20 for k in range(len(data))]
    rows = [f"{k},{t},0" for k, t in enumerate(given)]
    (folder / "timeStamps.csv").write_text(
        "\n".join(["Frame Number,Time Stamp (ms),Buffer Index", *rows, ""])
    )
    if orientation is not None:
        lines = ["Time Stamp (ms),qw,qx,qy,qz"]
        lines += [",".join(str(v) for v in row) for row in orientation]
        (folder / "headOrientation.csv").write_text("\n".join([*lines, ""]))
    return folder


def recording(root: Path, n: int = 50, **more: Any) -> Path:
    """A recording with a miniscope and a camera."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "metaData.json").write_text(json.dumps({**SESSION, **more.pop("session", {})}))
    device(root / "My_V4_Miniscope", frames(n), **more)
    device(root / "My_WebCam", frames(n, seed=1), CAMERA, codec="mjpeg", pixels="yuvj420p")
    return root


def older(root: Path, n: int = 25, n_camera: int = 30, header: bool = True) -> Path:
    """A recording of the older control program."""
    root.mkdir(parents=True, exist_ok=True)
    data = frames(n)
    movie(root / "msCam1.avi", data[:20])
    movie(root / "msCam2.avi", data[20:])
    movie(root / "behavCam1.avi", frames(n_camera, seed=1), "mjpeg", "yuvj420p")
    lines = ["camNum\tframeNum\tsysClock\tbuffer"] if header else []
    for k in range(max(n, n_camera)):
        if k < n_camera:
            lines.append(f"0\t{k + 1}\t{33 * k if k else 65536}\t1")
        if k < n:
            lines.append(f"1\t{k + 1}\t{50 * k + 5}\t1")
    (root / "timestamp.dat").write_text("\n".join([*lines, ""]))
    (root / "settings_and_notes.dat").write_text(
        "animal\texcitation\tmsCamExposure\trecordLength\nm3\t10\t255\t600\n\n"
        "elapsedTime\tNote\n1250\tfell asleep\n"
    )
    return root


def found(*paths: Path) -> list[Any]:
    return list(registry.detect([Path(p) for p in paths]).sources())


def opened(folder: Path, *, salvage: bool = False, **options: Any) -> Reader:
    (source,) = found(folder)
    assert source.format == "miniscope"
    return registry.open_source(
        Source(source.id, source.format, source.paths, options, salvage=salvage)
    )


def all_of(reader: Any, stream: str) -> np.ndarray:
    s = reader.stream(stream)
    rows = s.read(0, s.shape[0])
    again = reader.reread(stream, 0, s.shape[0])
    assert again is None or np.array_equal(rows, again)
    return np.asarray(rows)


def refused(folder: Path, *words: str, kind: type[NwbkitError] = DamagedInput) -> NwbkitError:
    with pytest.raises(kind) as caught:
        opened(folder)
    for word in words:
        assert word in caught.value.message, caught.value.message
    return caught.value
