"""Bruker PrairieView: missing, cut and contradictory files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nwbkit.errors import DamagedInput, NoInput
from nwbkit.formats import registry
from nwbkit.formats.base import Source
from tests.formats.bruker_files import (
    Run,
    all_of,
    every,
    opened,
    refused,
)


def test_missing_files_are_refused_and_salvaged(tmp_path: Path) -> None:
    run = Run(tmp_path / "a").cycle(every(5))
    folder = run.write()
    (folder / "TSeries-001_Cycle00001_Ch2_000003.ome.tif").unlink()
    refused(folder, DamagedInput, "5 TIFF files", "1 of which", "000003")
    with opened(folder, salvage=True) as r:
        assert len(r.losses) == 1
        assert np.array_equal(all_of(r, "Ch2"), np.stack(run.data["Ch2"])[[0, 1, 3, 4]])
        times = r.streams[0].timebase.times(0, 4)
        assert times == pytest.approx([0, 0.05, 0.15, 0.2])


def test_a_run_without_its_tiffs(tmp_path: Path) -> None:
    folder = Run(tmp_path / "a").cycle(every(3)).write()
    for path in folder.glob("*.tif"):
        path.unlink()
    error = refused(folder, NoInput, "3 TIFF files, none of which")
    assert error.status == 66


@pytest.mark.parametrize("multipage", [False, True])
def test_truncated_tiffs(tmp_path: Path, multipage: bool) -> None:
    run = Run(tmp_path / "a", multipage=multipage).cycle(every(4))
    folder = run.write()
    path = sorted(folder.glob("*.tif"))[-1]
    raw = path.read_bytes()
    path.write_bytes(raw[: len(raw) // 2] if multipage else raw[:60])
    refused(folder, DamagedInput, path.name)


def test_fewer_pages_than_the_xml_names(tmp_path: Path) -> None:
    run = Run(tmp_path / "a", multipage=True).cycle(every(4))
    folder = run.write()
    import tifffile

    path = next(folder.glob("*.tif"))
    tifffile.imwrite(path, np.stack(run.data["Ch2"][:3]), photometric="minisblack", metadata=None)
    refused(folder, DamagedInput, "holds 3 pages", "names page 4")
    with opened(folder, salvage=True) as r:
        assert r.streams[0].shape[0] == 3 and len(r.losses) == 1
    tifffile.imwrite(path, np.stack(run.data["Ch2"] * 2), photometric="minisblack", metadata=None)
    with opened(folder) as r:
        assert r.streams[0].shape[0] == 4
        assert any("holds 8 pages" in n for n in r.notes)


def edited(folder: Path, *pairs: tuple[str, str]) -> Path:
    path = folder / "TSeries-001.xml"
    text = path.read_text(encoding="utf-8-sig")
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new, 1)
    path.write_text(text)
    return folder


@pytest.mark.parametrize(
    "pairs, words",
    [
        ([("</PVScan>", "")], ["cut off or broken"]),
        ([('filename="', 'filename="../')], ["a name without folder"]),
        ([('filename="', 'filename="/etc/')], ["a name without folder"]),
        ([('filename="', 'filename="C:\\')], ["a name without folder"]),
        ([('relativeTime="0.05"', 'relativeTime="later"')], ["cycle 1, frame 2", "'later'"]),
        ([('relativeTime="0.1"', 'relativeTime="0.01"')], ["cycle 1, frame 3", "before at"]),
        ([('key="pixelsPerLine" value="8"', 'key="pixelsPerLine" value="9"')], ["pixelsPerLine 9", "have 8"]),
        ([('channel="2"', 'channel="two"')], ["'two', no number"]),
    ],
)  # fmt: skip
def test_contradictions_are_refused(tmp_path: Path, pairs: Any, words: list[str]) -> None:
    folder = Run(tmp_path / "a").cycle([0.0, 0.05, 0.1]).write()
    refused(edited(folder, *pairs), DamagedInput, *words)


def test_a_cut_xml_is_salvaged(tmp_path: Path) -> None:
    folder = Run(tmp_path / "a").cycle(every(5)).write()
    path = folder / "TSeries-001.xml"
    raw = path.read_bytes()
    path.write_bytes(raw[: raw.rindex(b"<Frame") + 30])
    refused(folder, DamagedInput, "cut off")
    with opened(folder, salvage=True) as r:
        assert r.streams[0].shape[0] == 4
        assert any("not named in the XML" in n for n in r.notes)


def test_entities_are_refused(tmp_path: Path) -> None:
    folder = Run(tmp_path / "a").cycle(every(2)).write()
    bomb = '<!DOCTYPE PVScan [<!ENTITY a "aaaa">]>\n<PVScan '
    path = folder / "TSeries-001.xml"
    text = path.read_text(encoding="utf-8-sig").replace("<PVScan ", bomb, 1)
    path.write_text(text)
    source = Source("x", "bruker", (path,))
    with pytest.raises(DamagedInput, match="declares what no PVScan has"):
        registry.open_source(source)


def test_a_run_without_frames(tmp_path: Path) -> None:
    refused(Run(tmp_path / "a").write(), DamagedInput, "describes no frame")
