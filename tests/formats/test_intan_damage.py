"""Intan files that are damaged or contradict themselves: named, refused, and mended on demand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nwbkit.errors import NwbkitError
from nwbkit.formats import registry
from nwbkit.formats.base import Source
from tests.expected.intan import Made
from tests.formats.helpers import opened
from tests.formats.test_intan_layouts import stream, write

Change = Callable[[Path], Any]
RUN = "run_240502_100000.rhd"


def cut(name: str, n: int) -> Change:
    return lambda folder: (folder / name).write_bytes((folder / name).read_bytes()[:-n])


def drop(name: str) -> Change:
    return lambda folder: (folder / name).unlink()


def edit(name: str, at: int, raw: bytes) -> Change:
    def change(folder: Path) -> None:
        held = bytearray((folder / name).read_bytes())
        held[at : at + len(raw)] = raw
        (folder / name).write_bytes(held)

    return change


def times(*counters: int) -> Change:
    return lambda folder: np.array(counters, "<i4").tofile(folder / "time.dat")


#: layout, change, status, what the error says, amplifier samples with --salvage (None: refused)
DAMAGED: list[tuple[str, str, Change, int, str, int | None]] = [
    ("half a block", "traditional", cut(RUN, 100), 65, "it is cut off, or its header names other channels", 640),
    ("half a header", "traditional", cut(RUN, 14000), 65, "inside its header", None),
    ("header alone", "traditional", lambda f: (f / RUN).write_bytes(Made().header()), 65, "a header and no data", None),
    ("version", "traditional", edit(RUN, 4, b"\xff\xff"), 65, "it says version -1.0", None),
    ("rate", "traditional", edit(RUN, 8, b"\0\0\0\0"), 65, "a sampling rate of 0.0 Hz", None),
    ("not a number", "traditional", edit(RUN, 8, b"\0\0\xc0\x7f"), 65, "a sampling rate of nan Hz", None),
    ("long text", "traditional", edit(RUN, 48, b"\xff\xff\xff\x7f"), 65, "a text of 2147483647 bytes", None),
    ("half a row", "per_signal", cut("amplifier.dat", 3), 65, "no whole number of rows of 6", 767),
    ("fewer rows", "per_signal", cut("analogin.dat", 200), 65, "'analogin.dat' holds 668 samples, 'time.dat' 768", 668),
    ("fewer time stamps", "per_signal", cut("time.dat", 400), 65, "samples, 'time.dat' 668", 668),
    ("no time stamps", "per_signal", drop("time.dat"), 65, "'time.dat' is missing beside 'info.rhd'", 768),
    ("empty time stamps", "per_signal", times(), 65, "'time.dat' holds no data", None),
    ("no amplifiers", "per_signal", drop("amplifier.dat"), 65, "names amplifier channels (A-000, A-001, B-000)", 0),
    ("no auxiliary", "per_signal", drop("auxiliary.dat"), 65, "names auxiliary channels", 768),
    ("no data files", "per_signal", lambda f: [p.unlink() for p in f.glob("*.dat")], 65, "no .dat files beside it", None),
    ("strange signal", "per_signal", lambda f: (f / "dcamplifier.dat").write_bytes(bytes(1536)), 65, "'info.rhd' names no channel of it", 768),
    ("no channel", "per_channel", drop("amp-A-001.dat"), 65, "'amp-A-001.dat' is missing", 768),
    ("unknown channel", "per_channel", lambda f: (f / "amp-C-007.dat").write_bytes(bytes(1536)), 65, "'amp-C-007.dat' is there, and 'info.rhd' does not name its channel", 768),
    ("a shorter channel", "per_channel", cut("amp-B-000.dat", 10), 65, "'amp-B-000.dat' holds 763 samples, 'time.dat' 768", 763),
    ("time goes back", "per_channel", times(*range(500), *range(268)), 65, "go back from 499 to 0 at sample 500", 500),
    ("time stands still", "per_signal", times(*range(500), *range(499, 767)), 65, "go back from 499 to 499 at sample 500", 500),
]  # fmt: skip


@pytest.mark.parametrize(
    ("layout", "change", "status", "said", "left"), [pytest.param(*c[1:], id=c[0]) for c in DAMAGED]
)
def test_damage_is_named_and_mended_on_demand(
    layout: str, change: Change, status: int, said: str, left: int | None, tmp_path: Path
) -> None:
    folder = tmp_path / "µ x"
    write(Made(), layout, folder)
    change(folder)
    with pytest.raises(NwbkitError) as error:
        opened(folder)
    assert error.value.status == status
    assert said in error.value.message
    assert "\n" not in error.value.message
    if left is None:
        with pytest.raises(NwbkitError):
            opened(folder, salvage=True)
        return
    assert "--salvage" in (error.value.hint or "")
    reader = opened(folder, salvage=True)
    assert said in reader.losses[0]
    if not left:
        assert "amplifier" not in {s.id for s in reader.streams}
        return
    amplifier = stream(reader, "amplifier")
    assert amplifier.shape[0] == left
    whole = Made().data["amplifier"] if layout == "traditional" else Made().flat("amplifier")
    names = Made().names("amplifier")
    columns = [names.index(c) for c in amplifier.channel_names]
    assert np.array_equal(amplifier.read(0, left), whole[:left, columns])
    assert reader.reread("amplifier", 0, 0) is None


def test_a_header_of_other_channels_is_found_by_the_time_stamps(tmp_path: Path) -> None:
    # 4 amplifiers fewer make blocks of which a whole number fits as well
    made = Made(
        amplifiers=7, auxiliary=0, supply=0, adc=0, lines=(), outs=(), counters=range(128 * 9 * 5)
    )
    other = Made(amplifiers=3, auxiliary=0, supply=0, adc=0, lines=(), outs=(), counters=range(128))
    path = tmp_path / "run.rhd"
    path.write_bytes(other.header() + made.blocks())
    with pytest.raises(NwbkitError, match=r"time stamps of 'run.rhd' (go back|jump)") as error:
        opened(path)
    assert error.value.status == 65


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "holds 0 bytes: no Intan header"),
        (b"\x02\x27\x91\xc7" + bytes(500), "its magic number is 0xC7912702, expected 0xC6912702"),
        (b"\x02\x27\x91\xc6", "inside its header"),
    ],
)
def test_files_that_are_none(raw: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "x.rhd"
    path.write_bytes(raw)
    claimed = list(registry.detect([path]).sources())
    assert bool(claimed) == (len(raw) == 4)  # cut off behind its magic number: opening it says so
    with pytest.raises(NwbkitError) as error:
        registry.open_source(Source("x", "intan", (path,)))
    assert error.value.status == 65
    assert said in error.value.message


def test_a_file_that_shrinks_while_it_is_read(tmp_path: Path) -> None:
    for layout in ("traditional", "per_signal", "per_channel"):
        folder = tmp_path / layout
        write(Made(amplifiers=40), layout, folder)
        reader = opened(folder)
        for name in ("amplifier", "adc", "supply"):
            array = stream(reader, name)
            for path in folder.iterdir():
                if path.suffix != ".xml" and not path.name.startswith("info"):
                    path.write_bytes(path.read_bytes()[:1000])
            with pytest.raises(NwbkitError, match="shorter since it was opened"):
                array.read(0, array.shape[0])


def test_unreadable_and_missing(tmp_path: Path) -> None:
    for path in (tmp_path / "none.rhd", tmp_path):
        with pytest.raises(NwbkitError) as error:
            registry.open_source(Source("x", "intan", (path,)))
        assert error.value.status == 66


def test_settings_that_bite_are_left_alone(tmp_path: Path) -> None:
    made = Made().per_signal(tmp_path)
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaa">]><IntanRHX Type="&a;" Version="1"/>'
    (made / "settings.xml").write_text(bomb)
    reader = opened(made)
    assert any("'settings.xml' does not read" in n for n in reader.notes)
    (device,) = reader.metadata()["Devices"].values()
    assert "RHX software" not in device["description"]


# ------------------------------------------------------------------ detection


def test_an_info_file_alone_finds_its_neighbours(tmp_path: Path) -> None:
    folder = Made().per_channel(tmp_path / "rec")
    (source,) = registry.detect([folder / "info.rhd"]).sources()
    assert len(source.paths) == 1 + len(list(folder.glob("*.dat")))


def test_only_what_belongs_to_it_is_claimed(tmp_path: Path) -> None:
    folder = Made().per_signal(tmp_path / "rec")
    for name, text in (
        ("settings.xml", "<SETTINGS/>"),
        ("notes.txt", "my notes"),
        ("other.dat", "x"),
    ):
        (folder / name).write_text(text)
    (source,) = (s for s in registry.detect([tmp_path]).sources() if s.format == "intan")
    names = {p.name for p in source.paths}
    assert not names & {"settings.xml", "notes.txt", "other.dat"}
    assert len(names) == 8


def test_several_layouts_in_one_folder(tmp_path: Path) -> None:
    Made().per_signal(tmp_path)
    Made(kind="rhs").traditional(tmp_path)
    sources = {s.paths[0].name: s for s in registry.detect([tmp_path]).sources()}
    assert set(sources) == {"info.rhd", "run_240502_100000.rhs"}
    assert len(sources["run_240502_100000.rhs"].paths) == 1


# ------------------------------------------------------------------ TRAPS.md

#: what readers get wrong, module, name, instead, what then comes out wrong
GUARDS: list[tuple[str, str, str, Any]] = [
    ("magic number never compared", "header", "MAGIC", {b"\x02\x27\x91\xc7": "rhd"}),
    ("truncation divided away", "parts", "complete_rows", lambda p, w, h=0: ((p.stat().st_size - h) // w, 0)),
    ("gaps absorbed", "reader", "find_runs", None),
]  # fmt: skip


@pytest.mark.parametrize(
    ("module", "name", "instead"), [pytest.param(*g[1:], id=g[0]) for g in GUARDS]
)
def test_without_a_guard_damage_passes(
    module: str, name: str, instead: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import importlib

    from nwbkit.formats.recording.intan.times import Run

    counters = [*range(200), *range(250, 434)] if name == "find_runs" else range(768)
    path = Made(counters=counters).traditional(tmp_path)
    if name == "MAGIC":
        edit(path.name, 0, b"\x02\x27\x91\xc7")(tmp_path)
    if name == "complete_rows":
        cut(path.name, 100)(tmp_path)
    guarded = importlib.import_module(f"nwbkit.formats.recording.intan.{module}")
    told = []
    for patched in (False, True):
        if patched:
            instead = instead or (lambda stretches, _: [Run(0, sum(map(len, stretches)), 0)])
            monkeypatch.setattr(guarded, name, instead)
        try:
            reader = registry.open_source(Source("x", "intan", (path,)))
            told.append(any("missing" in n for n in reader.notes))
        except NwbkitError:
            told.append(True)
    assert told == [True, False]
