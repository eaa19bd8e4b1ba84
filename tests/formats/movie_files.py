"""TIFFs as microscopes and programs write them, small, with any oddity one likes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from nwbkit.formats import registry
from nwbkit.formats.base import Reader, Source
from nwbkit.formats.detection import DetectedSource

EPOCH = "[2024  5  2 10 20 30.25]"


def pages(n: int, height: int = 6, width: int = 8, dtype: str = "i2", seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 4000, (n, height, width)).astype(dtype)


def settings(**changes: Any) -> str:
    """The Software tag of ScanImage; names with ``__`` for the dot."""
    said: dict[str, Any] = {
        "VERSION_MAJOR": "2022",
        "VERSION_MINOR": "1",
        "VERSION_UPDATE": "0",
        "hChannels.channelName": "{'GCaMP' 'tdTomato'}",
        "hChannels.channelSave": "1",
        "hFastZ.numDiscardFlybackFrames": "0",
        "hRoiManager.imagingFovUm": "[-4 -3;4 -3;4 3;-4 3]",
        "hRoiManager.mroiEnable": "false",
        "hRoiManager.scanFrameRate": "30",
        "hRoiManager.scanVolumeRate": "10",
        "hRoiManager.scanZoomFactor": "2.5",
        "hScan2D.logAverageFactor": "1",
        "hStackManager.enable": "false",
        "hStackManager.framesPerSlice": "1",
        "hStackManager.numSlices": "1",
        "hStackManager.stackMode": "'fast'",
        "hStackManager.stackZStepSize": "5",
        "objectiveResolution": "15",
        **{key.replace("__", "."): value for key, value in changes.items()},
    }
    return "\n".join(f"SI.{key} = {value}" for key, value in said.items() if value is not None)


def frame_text(number: int, time: float, acquisition: int = 1, within: int | None = None) -> str:
    return (
        f"frameNumbers = {number}\nacquisitionNumbers = {acquisition}\n"
        f"frameNumberAcquisition = {within or number}\nframeTimestamps_sec = {time:.9f}\n"
        f"acqTriggerTimestamps_sec = -1.0\nepoch = {EPOCH}\nI2CData = {{}}"
    )


def scanimage(
    path: Path,
    data: np.ndarray,
    *,
    channels: int = 1,
    numbers: Sequence[int] | None = None,
    times: Sequence[float] | None = None,
    acquisitions: Sequence[int] | None = None,
    within: Sequence[int] | None = None,
    artist: str = "",
    **changes: Any,
) -> Path:
    """A file as ScanImage 2016 and later write it; `data` has a page a channel and frame."""
    n = len(data) // channels
    numbers = list(numbers) if numbers is not None else list(range(1, n + 1))
    times = list(times) if times is not None else [(k - 1) / 30 for k in numbers]
    if channels > 1:
        changes.setdefault(
            "hChannels__channelSave", f"[{' '.join(map(str, range(1, channels + 1)))}]"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    with tifffile.TiffWriter(path, bigtiff=True) as file:
        for k, page in enumerate(data):
            f = min(k // channels, n - 1)
            text = frame_text(
                numbers[f],
                times[f],
                acquisitions[f] if acquisitions is not None else 1,
                within[f] if within is not None else None,
            )
            extra = [(315, 2, 0, artist, True)] if artist else []
            file.write(
                page,
                description=text,
                software=settings(**changes),
                metadata=None,
                contiguous=False,
                extratags=extra,
            )
    return path


def old(
    path: Path, data: np.ndarray, trigger: str = "5/2/2024 10:20:30.250", **changes: Any
) -> Path:
    """A file as ScanImage 3.8 writes it."""
    said: dict[str, Any] = {
        "state.configPath": "'C:\\cfg'",
        "state.software.version": "3.8",
        "state.acq.numberOfZSlices": "1",
        "state.acq.numberOfFrames": str(len(data)),
        "state.acq.averaging": "0",
        "state.acq.frameRate": "3.90625",
        "state.acq.savingChannel1": "1",
        "state.acq.savingChannel2": "0",
        "state.internal.triggerTimeString": f"'{trigger}'",
        "state.internal.triggerTimeFirstString": "'5/2/2024 10:20:30.250'",
        **{key.replace("__", "."): value for key, value in changes.items()},
    }
    text = "\r".join(f"{key}={value}" for key, value in said.items() if value is not None)
    with tifffile.TiffWriter(path) as file:
        for page in data:
            file.write(page, description=text, metadata=None, contiguous=False)
    return path


def found(*paths: Path) -> list[DetectedSource]:
    return list(registry.detect(list(paths)).sources())


def opened(path: Path, *, salvage: bool = False, **options: Any) -> Reader:
    """The one source at `path`, opened."""
    (source,) = found(path)
    return registry.open_source(
        Source(source.id, source.format, source.paths, options, salvage=salvage)
    )
