"""A segmentation beside the movie it was made of: whose plane, whose clock, and when not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import pytest

from nwbkit.formats import registry
from nwbkit.session import load_sources, open_session
from tests.formats.segmentation_files import (
    FRAMES,
    LX,
    LY,
    assert_equal,
    caiman,
    convert,
    extract_output,
    mat73,
    movie,
    plane,
    with_toy_movie,
)


@pytest.fixture(autouse=True)
def toys(monkeypatch: pytest.MonkeyPatch) -> None:
    with_toy_movie(monkeypatch)


def _session(folder: Path) -> Any:
    return open_session(load_sources([str(folder)]))


def _related(folder: Path) -> list[str]:
    return [r.evidence for s in registry.detect([folder]).sources() for r in s.relations]


def _write(kind: str, folder: Path) -> tuple[int, int]:
    """A result of `kind`; returns (height, width) of its image."""
    if kind == "suite2p":
        plane(folder / "suite2p" / "plane0")
    elif kind == "caiman":
        caiman(folder / "r.hdf5")
    else:
        mat73(folder / "r.mat", {"output": extract_output()})
        return 6, 9
    return LY, LX


@pytest.mark.parametrize("kind", ["suite2p", "caiman", "extract"])
def test_the_only_movie_beside_gives_plane_and_clock(tmp_path: Path, kind: str) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    size = _write(kind, raw)
    movie(raw / "m.tif", (FRAMES, *size))
    out = tmp_path / "o.nwb"
    convert(raw, out)
    assert_equal(out, raw)
    with h5py.File(out) as file:
        planes = file["general/optophysiology"]
        assert [planes[n]["indicator"].asstr()[()] for n in planes] == ["GCaMP6s"]
        table = file["processing/ophys/ImageSegmentation/PlaneSegmentation"]
        assert table["imaging_plane"] == planes[next(iter(planes))]
        place = "DfOverF" if kind == "extract" else "Fluorescence"
        start = file[f"processing/ophys/{place}/RoiResponseSeries/starting_time"]
        # the movie's own, and not what the segmenter was told
        assert (float(start[()]), float(start.attrs["rate"])) == (0.5, 8.0)


def test_the_movie_that_is_named_is_taken(tmp_path: Path) -> None:
    plane(tmp_path / "suite2p" / "plane0")
    movie(tmp_path / "other.tif")
    assert _related(tmp_path) == ["it is the only movie beside it; its frames are compared"]
    movie(tmp_path / "movie one.tif")  # filelist in ops.npy, on a disk that is gone
    assert _related(tmp_path) == ["its files name 'movie one.tif'"]
    (tmp_path / "other.tif").unlink()
    with _session(tmp_path) as session:
        masks = next(s for _, s in session.streams() if s.role == "masks")
        assert masks.plane == "movie-one"


@pytest.mark.parametrize(
    ("shape", "note", "clock"),
    [
        ((FRAMES, LX, LY), "no movie of 'm' has frames of 20 x 12 pixels", "frames"),
        ((FRAMES + 1, LY, LX), "has 51 frames and the traces 50", "frames"),
        ((FRAMES, LY, LX), None, "scope"),
    ],
    ids=["size", "frames", "fits"],
)
def test_frames_are_held_against_the_movie(
    tmp_path: Path, shape: Any, note: str | None, clock: str
) -> None:
    plane(tmp_path / "plane0", filelist=[])
    movie(tmp_path / "m.tif", shape)
    with _session(tmp_path) as session:
        reader = next(r for r in session.readers if r.source.format == "suite2p")
        assert (note is None) or any(note in n for n in reader.notes)
        assert reader.stream("F").timebase.clock.endswith(f"/{clock}")
        mine = reader.stream("masks").plane
        assert (mine == "m") == (note is None)
        assert ("ImagingPlanes" in reader.metadata()) == (note is not None)


def test_a_part_of_the_movie_that_is_named_has_its_plane(tmp_path: Path) -> None:
    plane(tmp_path / "plane0")
    movie(tmp_path / "movie one.tif", (FRAMES * 2, LY, LX))
    with _session(tmp_path) as session:
        reader = next(r for r in session.readers if r.source.format == "suite2p")
        assert reader.stream("masks").plane == "movie-one"
        assert reader.stream("F").timebase.clock.endswith("/frames")


def test_several_planes_of_one_size_are_not_guessed(tmp_path: Path) -> None:
    plane(tmp_path / "plane0", filelist=[])
    movie(tmp_path / "m.tif", streams=["low", "high"], planes=True)
    with _session(tmp_path) as session:
        reader = next(r for r in session.readers if r.source.format == "suite2p")
        assert reader.stream("masks").plane.endswith("_plane0")
        assert reader.stream("F").timebase.clock == "m/scope"  # they share their times
        assert any("several planes of 'm'" in n for n in reader.notes)


def test_the_sessions_side_by_side_are_not_mixed(tmp_path: Path) -> None:
    for name in ("s1", "s2"):
        plane(tmp_path / name / "suite2p" / "plane0", filelist=[])
        movie(tmp_path / name / "tiffs" / f"m{name}.tif")
    caiman(tmp_path / "s3" / "r.hdf5")  # without a movie: those of the others are not its own
    found = {s.id: [r.source for r in s.relations] for s in registry.detect([tmp_path]).sources()}
    assert found["s1"] == ["ms1"] and found["s2"] == ["ms2"] and found["r"] == []


def test_several_movies_are_not_guessed(tmp_path: Path) -> None:
    caiman(tmp_path / "r.hdf5")
    movie(tmp_path / "a.tif")
    movie(tmp_path / "b.tif")
    assert _related(tmp_path) == []


def test_another_rate_stands_back_and_is_said(tmp_path: Path) -> None:
    mat73(tmp_path / "r.mat", {"output": extract_output()})
    movie(tmp_path / "m.tif", (FRAMES, 6, 9))
    document = load_sources([str(tmp_path)])
    with open_session(document, sets=["extract.rate=3"]) as session:
        reader = next(r for r in session.readers if r.source.format == "extract")
        assert reader.stream("traces").timebase.rate == 8.0
        assert any("the rate of 3 Hz stands back" in n for n in reader.notes)
