"""Small SpikeGLX files with any header one likes, and formats that recognise what one says."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from nwbkit.formats import registry
from nwbkit.formats.base import Format, Match, Reader, Source, Strength
from nwbkit.formats.detection import DetectedSource

N = 8  # acquired channels of the small probe
#: Gains (AP, LF) of its channels that all differ.
MIXED = [(500, 250), (250, 125), (1000, 50), (50, 500), (125, 1000), (2000, 3000), (3000, 1500)]
MIXED.append((1500, 2000))


def volts(gain: float, top: float = 0.6, full: int = 512) -> float:
    return top / full / gain


def ranges(channels: Iterable[int]) -> str:
    return ",".join(str(c) for c in channels)


def write(
    folder: Path,
    stem: str,
    fields: dict[str, Any],
    data: np.ndarray,
    *,
    newline: str = "\r\n",
    encoding: str = "utf-8",
) -> Path:
    """A .bin and its .meta; returns the .bin."""
    folder.mkdir(parents=True, exist_ok=True)
    binary = folder / f"{stem}.bin"
    data.astype("<i2").tofile(binary)
    rate = next(v for k, v in fields.items() if k.endswith("SampRate"))
    fields = {
        "fileName": f"D:/SGL_DATA/{stem}.bin",
        "fileCreateTime": "2024-05-02T10:00:00",
        "fileSHA1": "0",
        "fileSizeBytes": data.size * 2,
        "fileTimeSecs": len(data) / float(rate),
        "firstSample": 3000,
        "nSavedChans": data.shape[1],
        "userNotes": "",
        **fields,
    }
    lines = [f"{k}={v}" for k, v in fields.items() if v is not None]
    (folder / f"{stem}.meta").write_bytes((newline.join(lines) + newline).encode(encoding))
    return binary


def probe_fields(
    channels: Iterable[int] = range(N),
    *,
    sync: bool = True,
    band: str = "ap",
    gains: Iterable[tuple[int, int]] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """Header of a probe of type 0 with :data:`N` acquired channels per band."""
    channels = list(channels)
    gains = list(gains) if gains is not None else [(500, 250)] * N
    first = N if band == "lf" else 0
    saved = [first + c for c in channels] + ([2 * N] if sync else [])
    n = len(channels)
    table = "".join(f"({c} 0 0 {a} {b} 1)" for c, (a, b) in enumerate(gains))
    return {
        "acqApLfSy": f"{N},{N},1",
        "imAiRangeMax": "0.6",
        "imAiRangeMin": "-0.6",
        "imDatPrb_pn": "NP1000",
        "imDatPrb_type": "0",
        "imDatPrb_slot": "2",
        "imDatPrb_port": "1",
        "imDatPrb_dock": "1",
        "imDatPrb_sn": "19000000001",
        "imMaxInt": "512",
        "imSampRate": "30000.25" if band == "ap" else "2500.0208333333335",
        "snsApLfSy": f"{n},0,{int(sync)}" if band == "ap" else f"0,{n},{int(sync)}",
        "snsSaveChanSubset": ranges(saved),
        "typeThis": "imec",
        "~imroTbl": f"(0,{N}){table}",
        **more,
    }


def nidq_fields(mn: int = 0, ma: int = 0, xa: int = 1, xd: int = 1, **more: Any) -> dict[str, Any]:
    counts = f"{mn},{ma},{xa},{xd}"
    return {
        "acqMnMaXaDw": counts,
        "niAiRangeMax": "5",
        "niDev1ProductName": "PXIe-6363",
        "niMAGain": "1",
        "niMNGain": "200",
        "niMaxInt": "32768",
        "niSampRate": "25000.5",
        "snsMnMaXaDw": counts,
        "snsSaveChanSubset": "all",
        "typeThis": "nidq",
        **more,
    }


def counts(rows: int, columns: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(-500, 500, (rows, columns)).astype("<i2")


def probe(folder: Path, stem: str = "run_g0_t0.imec0.ap", rows: int = 600, **fields: Any) -> Path:
    """A small AP (or LF) file."""
    header = probe_fields(**fields)
    width = sum(int(v) for v in header["snsApLfSy"].split(","))
    return write(folder, stem, header, counts(rows, width))


def found(*paths: Path | str) -> list[DetectedSource]:
    return list(registry.detect([Path(p) for p in paths]).sources())


def opened(path: Path | str, *, salvage: bool = False, **options: Any) -> Reader:
    """The one source below `path`, opened."""
    (source,) = found(path)
    return registry.open_source(
        Source(source.id, source.format, source.paths, options, salvage=salvage)
    )


def edit(meta: Path, **fields: str | None) -> None:
    """Change fields of a header; None drops one."""
    lines = meta.read_bytes().decode("latin-1").splitlines()
    kept = [line for line in lines if line.split("=")[0] not in fields]
    kept += [f"{k}={v}" for k, v in fields.items() if v is not None]
    meta.write_bytes("\r\n".join(kept).encode("latin-1") + b"\r\n")


def fake(
    id: str,
    *patterns: str,
    strength: Strength = Strength.NAME,
    supersedes: tuple[str, ...] = (),
    fallback: bool = False,
    raises: Exception | None = None,
    together: bool = False,
) -> Format:
    """A format that claims every file matching its patterns, each alone or all together."""

    def look(listing: Any) -> Iterable[Match]:
        if raises is not None:
            raise raises
        files = [e.path for e in listing.match(*patterns)]
        groups = [files] if together else [[f] for f in files]
        for group in groups:
            first = group[0]
            stem = first.name.split(".")[0]
            yield Match(tuple(group), strength, f"seen by {id}", stem, stem, first.parent)

    return Format(
        id, id.title(), "tables", patterns, look, Reader, supersedes=supersedes, fallback=fallback
    )
