"""Write a two-photon movie as ScanImage does: multi-page BigTIFF files, a page a frame.

    python benchmarks/make_movie.py OUTDIR [--frames 1000] [--files 4] [--size 512]

OUTDIR/bench_00001_0000K.tif: uint16, uncompressed, each page in one piece; every page has
ScanImage's settings and its frame's number and time. Neurons that light up now and then over a
dim background, with shot noise of 20 counts a photon and read noise, so that the frames compress
about as recorded ones do. The noise is one stretch from which each frame is taken at another
place. The same arguments give the same bytes.

Needs numpy and the standard library only.
"""

from __future__ import annotations

import argparse
import struct
from pathlib import Path
from typing import BinaryIO

import numpy as np

RATE = 30.0
COUNTS_A_PHOTON = 20.0
READ_NOISE = 12.0
OFFSET = 200.0
EPOCH = "[2024  5  2 10 0 0.0]"
SETTINGS = {
    "VERSION_MAJOR": "2022",
    "VERSION_MINOR": "1",
    "VERSION_UPDATE": "0",
    "hChannels.channelName": "{'GCaMP'}",
    "hChannels.channelSave": "1",
    "hFastZ.numDiscardFlybackFrames": "0",
    "hRoiManager.imagingFovUm": "[-256 -256;256 -256;256 256;-256 256]",
    "hRoiManager.mroiEnable": "false",
    "hRoiManager.scanFrameRate": repr(RATE),
    "hRoiManager.scanVolumeRate": repr(RATE),
    "hRoiManager.scanZoomFactor": "2",
    "hScan2D.logAverageFactor": "1",
    "hStackManager.enable": "false",
    "hStackManager.framesPerSlice": "1",
    "hStackManager.numSlices": "1",
    "objectiveResolution": "15",
}
SOFTWARE = "\n".join(f"SI.{key} = {value}" for key, value in SETTINGS.items()).encode() + b"\0"
SHORT, LONG, LONG8, ASCII = 3, 4, 16, 2


def description(number: int) -> bytes:
    """What ScanImage notes of a frame, counted from 1 over all files."""
    return (
        f"frameNumbers = {number}\nacquisitionNumbers = 1\nframeNumberAcquisition = {number}\n"
        f"frameTimestamps_sec = {(number - 1) / RATE:.9f}\nacqTriggerTimestamps_sec = -1.0\n"
        f"nextFileMarkerTimestamps_sec = -1.0\nendOfAcquisition = 0\nendOfAcquisitionMode = 0\n"
        f"dcOverVoltage = 0\nepoch = {EPOCH}\nI2CData = {{}}\0"
    ).encode()


def put_page(file: BinaryIO, frame: np.ndarray, number: int, software: int, last: bool) -> None:
    """Write the directory of a frame, its text and its pixels, in the order of the file."""
    note = description(number)
    start = file.tell()
    note_at = start + 8 + 12 * 20 + 8
    pixels_at = (note_at + len(note) + 7) & ~7
    tags = [
        (256, LONG, 1, frame.shape[1]),
        (257, LONG, 1, frame.shape[0]),
        (258, SHORT, 1, 16),
        (259, SHORT, 1, 1),
        (262, SHORT, 1, 1),
        (270, ASCII, len(note), note_at),
        (273, LONG8, 1, pixels_at),
        (277, SHORT, 1, 1),
        (278, LONG, 1, frame.shape[0]),
        (279, LONG8, 1, frame.nbytes),
        (305, ASCII, len(SOFTWARE), software),
        (339, SHORT, 1, 1),
    ]
    following = 0 if last else pixels_at + frame.nbytes
    directory = struct.pack("<Q", len(tags))
    directory += b"".join(struct.pack("<HHQQ", *tag) for tag in tags)
    directory += struct.pack("<Q", following) + note
    file.write(directory.ljust(pixels_at - start, b"\0"))
    file.write(frame)


class Scene:
    """Frames one after the other.

    Parameters
    ----------
    size : int
        Height and width.
    seed : int
    """

    def __init__(self, size: int, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        y, x = np.mgrid[:size, :size].astype(np.float32)
        self._still = 3 + 2 * np.sin(x / 60) * np.cos(y / 45)  # photons a pixel
        self._cells = []
        for cy, cx in self._rng.uniform(8, size - 8, (max(1, size * size // 1500), 2)):
            rows = slice(max(0, int(cy) - 8), int(cy) + 9)
            columns = slice(max(0, int(cx) - 8), int(cx) + 9)
            far = (y[rows, columns] - cy) ** 2 + (x[rows, columns] - cx) ** 2
            spot = np.exp(-((far / 40) ** 2)).astype(np.float32)
            self._still[rows, columns] += 4 * spot
            self._cells.append((rows, columns, spot))
        self._light = np.zeros(len(self._cells), np.float32)
        self._noise = self._rng.standard_normal(size * size * 8, np.float32)
        self._size = size

    def frame(self) -> np.ndarray:
        """The next one: uint16, shape (size, size)."""
        rng, n = self._rng, self._size**2
        self._light *= 0.94
        self._light += 25 * (rng.random(len(self._light)) < 0.01)
        photons = self._still.copy()
        for (rows, columns, spot), light in zip(self._cells, self._light, strict=True):
            if light > 0.5:
                photons[rows, columns] += light * spot
        deviation = np.sqrt(photons * COUNTS_A_PHOTON**2 + READ_NOISE**2)
        at = int(rng.integers(0, len(self._noise) - n))
        photons *= COUNTS_A_PHOTON
        photons += OFFSET
        photons += deviation * self._noise[at : at + n].reshape(photons.shape)
        return np.clip(photons, 0, 65535).astype("<u2")


def write(out: Path, frames: int = 1000, files: int = 4, size: int = 512, seed: int = 0) -> Path:
    """Write a movie; returns its folder.

    Parameters
    ----------
    out : Path
        The folder to make.
    frames, files, size, seed : int

    Returns
    -------
    Path
    """
    out.mkdir(parents=True)
    scene, number = Scene(size, seed), 0
    for k in range(files):
        in_file = frames // files + (k < frames % files)
        with open(out / f"bench_00001_{k + 1:05d}.tif", "wb", buffering=1 << 20) as file:
            first = (16 + len(SOFTWARE) + 7) & ~7
            file.write(struct.pack("<2sHHHQ", b"II", 43, 8, 0, first))
            file.write(SOFTWARE.ljust(first - 16, b"\0"))
            for i in range(in_file):
                number += 1
                put_page(file, scene.frame(), number, 16, i == in_file - 1)
    return out


def main() -> None:
    """Parse and write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--frames", type=int, default=1000)
    parser.add_argument("--files", type=int, default=4)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    print(write(args.out, args.frames, args.files, args.size, args.seed))


if __name__ == "__main__":
    main()
