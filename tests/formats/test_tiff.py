"""The fallback for TIFFs: what is claimed, in which order pages are, what is asked for."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from nwbkit.errors import DamagedInput, MissingFact, NwbkitError, UsageError
from nwbkit.formats.base import Strength
from tests.data import DATA, needs_data
from tests.formats.movie_files import found, opened, pages

CUBE = pages(30, dtype="u2").reshape(5, 3, 2, 6, 8)  # TZCYX


def stream(reader: Any, name: str) -> np.ndarray:
    s = reader.stream(name)
    frames = s.read(0, s.shape[0])
    assert np.array_equal(frames, s.reread(0, s.shape[0]))
    return np.asarray(frames)


def planes(data: np.ndarray) -> np.ndarray:
    return np.moveaxis(data, 1, -1)


# ------------------------------------------------------------------ order of pages


def test_imagej_hyperstack(tmp_path: Path) -> None:
    tifffile.imwrite(
        tmp_path / "a.tif",
        CUBE,
        imagej=True,
        resolution=(2, 4),
        metadata={"axes": "TZCYX", "finterval": 0.25, "unit": "um", "spacing": 3.0},
    )
    with opened(tmp_path) as r:
        assert [s.id for s in r.streams] == ["Channel0", "Channel1"]
        assert np.array_equal(stream(r, "Channel1"), planes(CUBE[:, :, 1]))
        assert r.streams[0].timebase.rate == 4.0
        said = r.metadata()["ImagingPlanes"][r.streams[0].plane]
        assert (said["grid_spacing"], said["grid_spacing_unit"]) == ([0.5, 0.25, 3.0], "um")


def test_imagej_slices_are_frames(tmp_path: Path) -> None:
    data = pages(5, dtype="u2")
    tifffile.imwrite(tmp_path / "a.tif", data, imagej=True, metadata={"axes": "ZYX"})
    with opened(tmp_path, rate=2.0) as r:
        assert r.streams[0].shape == (5, 6, 8)
        assert any("ImageJ calls its pages slices" in n for n in r.notes)


def test_imagej_default_interval_is_no_rate(tmp_path: Path) -> None:
    metadata = {"axes": "TYX", "finterval": -1.2345678}
    tifffile.imwrite(tmp_path / "a.tif", pages(3, dtype="u2"), imagej=True, metadata=metadata)
    with opened(tmp_path) as r:
        assert r.streams[0].timebase is None


def test_named_axes_of_tifffile(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", CUBE, metadata={"axes": "TZCYX"}, photometric="minisblack")
    with opened(tmp_path) as r:
        assert np.array_equal(stream(r, "Channel0"), planes(CUBE[:, :, 0]))


def test_axes_without_names_are_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "a b.tif"
    tifffile.imwrite(path, CUBE, photometric="minisblack")
    with pytest.raises(MissingFact, match="how its channels and planes follow") as error:
        opened(path)
    assert "--set a-b.dimension_order=XYCZT" in (error.value.hint or "")
    with pytest.raises(MissingFact):
        opened(path, channels=2)
    with opened(path, channels=2, planes=3, dimension_order="XYCZT") as r:
        assert np.array_equal(stream(r, "Channel1"), planes(CUBE[:, :, 1]))
    with opened(path, channels=3, planes=2, dimension_order="XYZCT") as r:
        assert np.array_equal(stream(r, "Channel2"), planes(CUBE[:, 2]))
    with pytest.raises(DamagedInput, match="no multiple of 4"):
        opened(path, channels=4, dimension_order="XYCZT")


@pytest.mark.parametrize("order", ["XYCZT", "XYCTZ", "XYZCT", "XYZTC", "XYTCZ", "XYTZC"])
def test_every_order(tmp_path: Path, order: str) -> None:
    letters = "TZC"
    stored = np.transpose(CUBE, [*(letters.index(k) for k in reversed(order[2:])), 3, 4])
    tifffile.imwrite(
        tmp_path / "a.tif", stored.reshape(30, 6, 8), photometric="minisblack", metadata=None
    )
    with opened(tmp_path, channels=2, planes=3, dimension_order=order) as r:
        assert np.array_equal(stream(r, "Channel1"), planes(CUBE[:, :, 1]))


def test_colours_are_streams(tmp_path: Path) -> None:
    data = pages(12, dtype="u1").reshape(4, 6, 8, 3)[:, :, :, :3]
    data = np.ascontiguousarray(np.random.default_rng(0).integers(0, 255, (4, 6, 8, 3), "u1"))
    tifffile.imwrite(tmp_path / "a.tif", data, photometric="rgb")
    with opened(tmp_path, rate=1.0) as r:
        assert [s.id for s in r.streams] == ["Red", "Green", "Blue"]
        assert np.array_equal(stream(r, "Green"), data[..., 1])


# ------------------------------------------------------------------ OME


def ome(tmp_path: Path, **changes: Any) -> Path:
    metadata = {
        "axes": "TZCYX",
        "TimeIncrement": 40,
        "TimeIncrementUnit": "ms",
        "PhysicalSizeX": 500,
        "PhysicalSizeXUnit": "nm",
        "PhysicalSizeY": 0.25,
        "PhysicalSizeZ": 2,
        "Channel": {
            "Name": ["GFP", "a/b red"],
            "EmissionWavelength": [520, 600],
            "ExcitationWavelength": [920, 1040],
            "Fluor": ["GCaMP6f", "tdTomato"],
        },
        **changes,
    }
    path = tmp_path / "a.ome.tif"
    tifffile.imwrite(path, CUBE, metadata=metadata)
    return path


def test_ome(tmp_path: Path) -> None:
    with opened(ome(tmp_path)) as r:
        assert r.source.id == "a"
        assert [(s.id, s.nwb_name) for s in r.streams] == [
            ("GFP", "TwoPhotonSeriesGFP"),
            ("ABRed", "TwoPhotonSeriesABRed"),
        ]
        assert np.array_equal(stream(r, "ABRed"), planes(CUBE[:, :, 1]))
        assert r.streams[0].timebase.rate == 25.0
        said = r.metadata()["ImagingPlanes"][r.streams[0].plane]
        assert said["grid_spacing"] == [0.5, 0.25, 2.0]
        assert (said["indicator"], said["excitation_lambda"]) == ("GCaMP6f", 920.0)
        assert said["optical_channel"]["GFP"]["emission_lambda"] == 520.0


HEAD = (
    '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">'
    '<Experimenter ID="E" FirstName="Jane" LastName="Doe"/><Instrument ID="I">'
    '<Microscope Manufacturer="Zeiss" Model="LSM 880"/><Objective ID="O" Model="W20x" '
    'NominalMagnification="20" LensNA="1.0"/></Instrument><Image ID="Image:0">'
    "<AcquisitionDate>2020-01-02T03:04:05</AcquisitionDate>"
)


def several(
    folder: Path, name: str = "x_{}.ome.tif", body: str = "", size_t: int = 6
) -> np.ndarray:
    """Three files of two pages; each names all of them."""
    data = pages(6, dtype="u2")
    places = "".join(
        f'<TiffData FirstT="{t}" IFD="{t % 2}" PlaneCount="1"><UUID FileName='
        f'"{name.format(t // 2)}">urn:uuid:{t // 2}</UUID></TiffData>'
        for t in range(6)
    )
    xml = (
        f'{HEAD}<Pixels ID="P" DimensionOrder="XYZCT" Type="uint16" SizeX="8" SizeY="6" '
        f'SizeZ="1" SizeC="1" SizeT="{size_t}">{places}{body}</Pixels></Image></OME>'
    )
    for k in range(3):
        with tifffile.TiffWriter(folder / f"x_{k}.ome.tif") as file:
            for j in range(2):
                text = xml if not j else None
                file.write(data[2 * k + j], description=text, metadata=None, contiguous=False)
    return data


def test_files_that_an_ome_names_are_one_source(tmp_path: Path) -> None:
    late = [0.0, 0.1, 0.2, 0.3, 0.45, 0.55]
    body = "".join(
        f'<Plane TheC="0" TheZ="0" TheT="{t}" DeltaT="{v}"/>' for t, v in enumerate(late)
    )
    data = several(tmp_path, body=body)
    with opened(tmp_path) as r:
        assert len(r.source.paths) == 3
        assert np.array_equal(stream(r, "movie"), data)
        assert r.streams[0].timebase.times(0, 6).tolist() == late
        said = r.metadata()
        assert said["NWBFile"]["session_start_time"] == "2020-01-02T03:04:05"
        assert said["NWBFile"]["experimenter"] == ["Doe, Jane"]
        assert said["Devices"]["Microscope"]["model_name"] == "LSM 880"
    (tmp_path / "x_2.ome.tif").unlink()
    with pytest.raises(DamagedInput, match=r"says it has 6 pages .* 2 of them are not there"):
        opened(tmp_path)
    with opened(tmp_path, salvage=True) as r:
        assert np.array_equal(stream(r, "movie"), data[:4]) and len(r.losses) == 1


def test_a_name_that_leads_elsewhere_is_not_followed(tmp_path: Path) -> None:
    inside = tmp_path / "in"
    inside.mkdir()
    several(inside, name="../x_{}.ome.tif")
    for path in inside.glob("x_[12]*"):
        path.rename(tmp_path / path.name)
    (source,) = found(inside)
    assert [p.name for p in source.paths] == ["x_0.ome.tif"]
    with pytest.raises(DamagedInput):
        opened(inside)


def test_entities_are_not_expanded(tmp_path: Path) -> None:
    bomb = '<!DOCTYPE OME [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><OME>&b;</OME>'
    tifffile.imwrite(
        tmp_path / "a.tif", pages(5), photometric="minisblack", metadata=None, description=bomb
    )
    with pytest.raises(DamagedInput, match=r"the OME-XML of 'a\.tif' cannot be read"):
        opened(tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('SizeX="8"', 'SizeX="9"', "says 6 x 9 pixels"),
        ('Type="uint16"', 'Type="int32"', "says pixels of type int32"),
        ('SizeT="6"', 'SizeT="999999999999"', "999999999999 planes"),
        ('SizeZ="1"', 'SizeZ="x"', "gives no sizes"),
    ],
)
def test_an_ome_against_its_pages(tmp_path: Path, old: str, new: str, message: str) -> None:
    several(tmp_path)
    for path in tmp_path.iterdir():
        data = path.read_bytes()
        with tifffile.TiffFile(path) as file:
            stack = [p.asarray() for p in file.pages]
        text = data[data.index(b"<?xml") : data.index(b"</OME>") + 6].decode().replace(old, new)
        with tifffile.TiffWriter(path) as file:
            for k, page in enumerate(stack):
                file.write(page, description=text if not k else None, metadata=None)
    with pytest.raises(DamagedInput, match=message):
        opened(tmp_path)


# ------------------------------------------------------------------ folders


def test_a_folder_of_pages_in_natural_order(tmp_path: Path) -> None:
    data = pages(12)
    for k in range(12):
        tifffile.imwrite(tmp_path / f"img {k}.tif", data[k], metadata=None)
    (source,) = found(tmp_path)
    assert source.strength is Strength.FALLBACK and len(source.paths) == 12
    with opened(tmp_path, rate=20.0) as r:
        assert r.source.id == "img"
        assert np.array_equal(stream(r, "movie"), data)


def test_a_large_folder_is_opened_as_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nwbkit.formats.imaging.tiff import _reader

    monkeypatch.setattr(_reader, "MAX_INDEXED", 4)
    data = pages(8)
    for k in range(8):
        tifffile.imwrite(tmp_path / f"{k}.tif", data[k], metadata=None)
    with opened(tmp_path, rate=20.0) as r:
        assert sum(isinstance(f, Path) for f in r.stack.files) == 6
        assert np.array_equal(stream(r, "movie"), data)
    tifffile.imwrite(tmp_path / "3.tif", data[3].astype("u1"), metadata=None)
    with (
        opened(tmp_path, rate=20.0) as r,
        pytest.raises(DamagedInput, match=r"'3\.tif': page 1 is"),
    ):
        r.streams[0].read(0, 8)


def test_other_numbers_tell_movies_apart(tmp_path: Path) -> None:
    for channel in (1, 2):
        for t in range(5):
            tifffile.imwrite(tmp_path / f"c{channel}_t{t}.tif", pages(1)[0], metadata=None)
    assert sorted(len(s.paths) for s in found(tmp_path)) == [5, 5]


def test_numbered_movies_are_not_joined(tmp_path: Path) -> None:
    for k in range(3):
        tifffile.imwrite(tmp_path / f"trial{k}.tif", pages(4), photometric="minisblack")
    assert [len(s.paths) for s in found(tmp_path)] == [1, 1, 1]


def test_a_snapshot_is_no_movie_unless_it_is_named(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", pages(1)[0])
    assert not found(tmp_path)
    assert [s.format for s in found(tmp_path / "a.tif")] == ["tiff"]


# ------------------------------------------------------------------ what is not said


def test_no_rate_and_no_modality(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", pages(3), photometric="minisblack")
    with opened(tmp_path) as r:
        (movie,) = r.streams
        assert movie.timebase is None and movie.role == "two_photon"
        assert "the file does not say what microscope it was" in movie.description
        assert any("--set a.modality=one_photon" in n for n in r.notes)
        assert "NWBFile" not in r.metadata() and "Devices" not in r.metadata()
    with opened(tmp_path, modality="one_photon", rate=12.5) as r:
        (movie,) = r.streams
        assert (movie.role, movie.nwb_name) == ("one_photon", "OnePhotonSeries")
        assert movie.timebase.rate == 12.5 and "microscope" not in movie.description
    with pytest.raises(UsageError):
        opened(tmp_path, rate=-1.0)


@pytest.mark.parametrize("how", ["imagej", "shaped", "ome"])
def test_what_is_left_of_channels_stays_in_order(tmp_path: Path, how: str) -> None:
    path = tmp_path / ("a.ome.tif" if how == "ome" else "a.tif")
    keywords: dict[str, Any] = {"metadata": {"axes": "TZCYX"}}
    keywords |= {"imagej": True} if how == "imagej" else {"photometric": "minisblack"}
    tifffile.imwrite(path, CUBE, **keywords)
    with tifffile.TiffFile(path) as file:
        start = file.pages[0].dataoffsets[0]
    os.truncate(path, start + 20 * 96 + 10)  # three whole volumes and a bit
    with pytest.raises(DamagedInput):
        opened(path)
    if how == "ome":  # its description stood behind the pages
        with pytest.raises(MissingFact):
            opened(path, salvage=True)
        return
    with opened(path, salvage=True) as r:
        assert np.array_equal(stream(r, "Channel1"), planes(CUBE[:3, :, 1]))
        assert r.losses


@pytest.mark.parametrize("size", [8, 9, 30, 100])
def test_what_is_left_of_a_header(tmp_path: Path, size: int) -> None:
    path = tmp_path / "日本 a.tif"
    tifffile.imwrite(path, pages(3), photometric="minisblack")
    os.truncate(path, size)
    with pytest.raises(NwbkitError, match="holds no image") as error:
        opened(path)
    assert error.value.status == 65


@needs_data
def test_micromanagers_milliseconds_are_no_seconds() -> None:
    folder = DATA / "micromanager" / "SYNTH_MMStack_ome_tif"
    with opened(folder) as reader:
        assert all(stream.timebase is None for stream in reader.streams)
        assert any("Micro-Manager states 50 between frames" in note for note in reader.notes)
