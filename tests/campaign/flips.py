"""Flipped bits: each one is found with the sidecar, and without it where data lie."""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Any

import h5py

from nwbkit.verify import verify

from .base import SUFFIXES, Outcome, convert, sidecar

#: Datasets up to this are stored as they are, without a checksum.
UNPROTECTED = 1 << 10


def flips(raw: Path, folder: Path, count: int, seed: int = 1) -> Outcome:
    """Flip `count` single bits, half of them in an HDF5 file, half in a Zarr store."""
    outcome = Outcome("flipped bits")
    draw = random.Random(seed)
    for suffix in SUFFIXES:
        out = folder / f"flipped{suffix}"
        convert(raw, out, "--stub", 0.5, "--overwrite")
        files = sorted(p for p in out.rglob("*") if p.is_file()) if out.is_dir() else [out]
        sizes = [p.stat().st_size for p in files]
        inside = _data_ranges(out)
        for _ in range(count // len(SUFFIXES)):
            (path,) = draw.choices(files, sizes)
            place, bit = draw.randrange(path.stat().st_size), 1 << draw.randrange(8)
            in_data = any(a <= place < b for a, b in inside.get(path, ()))
            _flip(path, place, bit)
            try:
                found, alone = _found(out), _found_alone(out)
            finally:
                _flip(path, place, bit)
            where = "in a dataset" if in_data else "elsewhere"
            outcome.counts[f"{suffix}: {where}, found with the sidecar"] += found
            outcome.counts[f"{suffix}: {where}, found without it"] += alone
            outcome.counts[f"{suffix}: {where}"] += 1
            if not found or (in_data and not alone):
                how = "with the sidecar" if not found else "without the sidecar"
                outcome.failures.append(f"{path.name} byte {place} bit {bit}: not found {how}")
        if not verify(str(out), jobs=2).ok:
            outcome.failures.append(f"{suffix}: the restored output does not verify")
    return outcome


def _flip(path: Path, place: int, bit: int) -> None:
    with open(path, "r+b") as file:
        file.seek(place)
        (byte,) = file.read(1)
        file.seek(place)
        file.write(bytes([byte ^ bit]))


def _found(out: Path) -> bool:
    return not verify(str(out), jobs=2).ok


def _found_alone(out: Path) -> bool:
    beside, aside = sidecar(out), sidecar(out).with_suffix(".aside")
    os.rename(beside, aside)
    try:
        return not verify(str(out), jobs=2).ok
    finally:
        os.rename(aside, beside)


def _data_ranges(out: Path) -> dict[Path, list[tuple[int, int]]]:
    """By file: where chunks of datasets of more than a kilobyte lie."""
    if out.is_dir():
        return {
            p: [(0, p.stat().st_size)]
            for p in out.rglob("*")
            if p.is_file() and not p.name.startswith(".") and _zarr_size(p.parent) > UNPROTECTED
        }
    ranges: list[tuple[int, int]] = []

    def note(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and item.nbytes > UNPROTECTED and item.chunks:
            item.id.chunk_iter(
                lambda c: ranges.append((c.byte_offset, c.byte_offset + c.size)) or None
            )

    with h5py.File(out, "r") as file:
        file.visititems(note)
    return {out: ranges}


def _zarr_size(array: Path) -> int:
    import json
    import math

    import numpy as np

    said = json.loads((array / ".zarray").read_text())
    itemsize = 16 if said["dtype"] == "|O" else np.dtype(_plain(said["dtype"])).itemsize
    return math.prod(said["shape"]) * itemsize


def _plain(dtype: Any) -> Any:
    return [tuple(field) for field in dtype] if isinstance(dtype, list) else dtype
