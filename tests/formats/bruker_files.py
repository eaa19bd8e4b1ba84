"""PrairieView runs, small, with any oddity one likes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from nwbkit.errors import NwbkitError
from nwbkit.formats import registry
from nwbkit.formats.base import Reader, Source

STATE = {
    "activeMode": "ResonantGalvo",
    "framePeriod": "0.05",
    "linesPerFrame": "6",
    "micronsPerPixel": {"XAxis": "1.5", "YAxis": "1.25", "ZAxis": "7"},
    "objectiveLens": "16X",
    "opticalZoom": "2",
    "pixelsPerLine": "8",
    "pmtGain": {"0": "750"},
    "rastersPerFrame": "1",
    "scanLinePeriod": "6.25E-05",
}


def state_xml(state: dict[str, object], old: bool = False) -> str:
    """A PVStateShard: of PrairieView 5, or of 4."""
    lines = []
    for key, value in state.items():
        if not isinstance(value, dict):
            tag = "Key" if old else "PVStateValue"
            lines.append(f'<{tag} key="{key}" value="{value}" />')
        elif old:
            lines += [
                f'<Key key="{key}_{k}" permissions="Read" value="{v}" />' for k, v in value.items()
            ]
        else:
            inner = "".join(f'<IndexedValue index="{k}" value="{v}" />' for k, v in value.items())
            lines.append(f'<PVStateValue key="{key}">{inner}</PVStateValue>')
    return f"<PVStateShard>{''.join(lines)}</PVStateShard>"


def focus(z: float) -> str:
    """A PVStateShard of a frame with a z position."""
    return (
        '<PVStateShard><PVStateValue key="positionCurrent"><SubindexedValues index="ZAxis">'
        '<SubindexedValue subindex="0" value="100" description="Z Focus" />'
        f'<SubindexedValue subindex="1" value="{z}" description="ETL" />'
        "</SubindexedValues></PVStateValue></PVStateShard>"
    )


@dataclass
class Run:
    """A run that is put together cycle by cycle."""

    folder: Path
    name: str = "TSeries-001"
    channels: Sequence[str] = ("Ch2",)
    multipage: bool = False
    old: bool = False
    version: str = "5.6.64.400"
    date: str = "2/20/2023 3:58:25 PM"
    notes: str = ""
    state: dict[str, object] = field(default_factory=lambda: dict(STATE))
    cycles: list[str] = field(default_factory=list)
    pages: dict[str, list[np.ndarray]] = field(default_factory=dict)
    data: dict[str, list[np.ndarray]] = field(default_factory=dict)
    seed: int = 0

    def cycle(
        self,
        times: Sequence[float],
        kind: str = "TSeries Timed Element",
        *,
        absolute: Sequence[float | None] | None = None,
        z: Sequence[float] | None = None,
        index: Callable[[int], int] = lambda k: k + 1,
        extra: str = "",
        shard: str = "",
        attributes: str = "",
    ) -> Run:
        """Add a cycle with a frame at each of `times`."""
        number = len(self.cycles) + 1
        lines = [
            f'<Sequence type="{kind}" cycle="{number}" {attributes}>',
            extra,
            "<PVStateShard />",
        ]
        rng = np.random.default_rng(self.seed + number)
        for k, t in enumerate(times):
            files = []
            for channel in self.channels:
                head = f"{self.name}_Cycle{number:05d}_{channel}_"
                file = f"{head}{1 if self.multipage else k + 1:06d}.ome.tif"
                page = rng.integers(0, 4000, (6, 8)).astype("<u2")
                self.pages.setdefault(file, []).append(page)
                self.data.setdefault(channel, []).append(page)
                said = f'page="{k + 1}" ' if self.multipage else ""
                files.append(
                    f'<File channel="{channel[-1]}" channelName="{channel}" {said}filename="{file}" />'
                )
            when = t + 3.5 if absolute is None else absolute[k]
            clock = "" if when is None else f'absoluteTime="{when!r}" '
            own = focus(z[k]) if z is not None else shard
            lines.append(
                f'<Frame relativeTime="{t!r}" {clock}index="{index(k)}">{"".join(files)}'
                f'<ExtraParameters lastGoodFrame="0" />{own}</Frame>'
            )
        self.cycles.append("\n".join([*lines, "</Sequence>"]))
        return self

    def write(self) -> Path:
        """Write XML and TIFFs; returns the folder."""
        self.folder.mkdir(parents=True, exist_ok=True)
        text = (
            '<?xml version="1.0" encoding="utf-8"?>\n'
            f'<PVScan version="{self.version}" date="{self.date}" notes="{self.notes}">\n'
            f"{state_xml(self.state, self.old)}\n" + "\n".join(self.cycles) + "\n</PVScan>"
        )
        (self.folder / f"{self.name}.xml").write_text(text, encoding="utf-8-sig")
        (self.folder / f"{self.name}.env").write_text("<Environment />")
        for name, pages in self.pages.items():
            tifffile.imwrite(
                self.folder / name, np.stack(pages), photometric="minisblack", metadata=None
            )
        return self.folder


def stacks(
    folder: Path, n: int = 3, planes: int = 4, last: int | None = None, **more: object
) -> Run:
    """A run of volumes, one cycle each."""
    run = Run(folder, **more)  # type: ignore[arg-type]
    step = 0.05
    for v in range(n):
        count = planes if last is None or v < n - 1 else last
        times = [step * (v * planes + p) for p in range(count)]
        run.cycle(times, "TSeries ZSeries Element", z=[10.0 * p for p in range(count)])
    return run


STEP = 0.05

SETTINGS = (
    '<?xml version="1.0"?><VRecSessionEntry><Experiment><Rate>1000</Rate><SignalList>'
    "<VRecSignal><Name>Input 0</Name><Unit><UnitName>mV</UnitName><Multiplier>1</Multiplier>"
    "<Divisor>0.1</Divisor></Unit></VRecSignal></SignalList></Experiment>"
    "<SamplesAcquired>{n}</SamplesAcquired></VRecSessionEntry>"
)


def every(n: int, start: float = 0.0) -> list[float]:
    return [start + STEP * k for k in range(n)]


def found(*paths: Path) -> list[Any]:
    return list(registry.detect([Path(p) for p in paths]).sources())


def opened(folder: Path, *, salvage: bool = False, **options: Any) -> Reader:
    (source,) = found(folder)
    assert source.format == "bruker"
    return registry.open_source(
        Source(source.id, source.format, source.paths, options, salvage=salvage)
    )


def all_of(reader: Any, stream: str) -> np.ndarray:
    s = reader.stream(stream)
    rows = s.read(0, s.shape[0])
    assert np.array_equal(rows, reader.reread(stream, 0, s.shape[0]))
    return np.asarray(rows)


def refused(folder: Path, kind: type[NwbkitError], *words: str) -> NwbkitError:
    with pytest.raises(kind) as caught:
        opened(folder)
    for word in words:
        assert word in caught.value.message, caught.value.message
    return caught.value


def voltage(
    folder: Path, n: int = 10000, end: str = "\n", cycle: int = 1, said: int | None = None
) -> np.ndarray:
    values = np.round(np.random.default_rng(cycle).normal(size=(n, 2)), 6)
    rows = [f"{k},{a:.6f},{b:.6f}" for k, (a, b) in enumerate(values.tolist())]
    stem = f"TSeries-001_Cycle{cycle:05d}_VoltageRecording_001"
    folder.mkdir(exist_ok=True)
    text = end.join(["Time(ms), Input 0, Input 1", *rows, ""])
    (folder / f"{stem}.csv").write_text(text, newline="")
    (folder / f"{stem}.xml").write_text(SETTINGS.format(n=said or n))
    return values


def recording(cycle: int = 1, absolute: str = "3.25") -> str:
    stem = f"TSeries-001_Cycle{cycle:05d}_VoltageRecording_001"
    return (
        f'<VoltageRecording name="VoltageRecording" configurationFile="{stem}.xml" '
        f'dataFile="{stem}.csv" relativeTime="0" absoluteTime="{absolute}" />'
    )
