"""Movies in NWB: turned, on their planes, compared; and every sample, from folder to file."""

from __future__ import annotations

import math
import shutil
import warnings
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import tifffile

from nwbkit import convert as journey
from nwbkit import verify as verifying
from nwbkit.convert import Request
from nwbkit.errors import MissingFact
from nwbkit.formats import registry
from nwbkit.nwb.planes import in_metres
from nwbkit.streams import Array, Timebase
from nwbkit.streams.turned import Turned, as_stored, turn
from nwbkit.streams.views import Window
from tests.data import DATA, needs_data
from tests.expected.movies import SAMPLES
from tests.formats.movie_files import pages, scanimage

LAB = "Subject: {subject_id: M1, species: Mus musculus, sex: F, age: P90D}\n"
START = "NWBFile.session_start_time=2020-01-01T00:00:00+00:00"


class Held(Array):
    """A stream that is held in memory."""

    data: np.ndarray

    def read(self, start: int, stop: int, out: Any = None) -> Any:
        rows = self.data[start:stop]
        if out is None:
            return rows.copy()
        np.copyto(out[: len(rows)], rows)
        return out[: len(rows)]


def held(data: np.ndarray, role: str = "two_photon", **facts: Any) -> Held:
    stream = Held(id="m", name="m", role=role, shape=data.shape, dtype=data.dtype, **facts)
    stream.data = data
    return stream


def request(raw: Path, out: Path, **options: Any) -> Request:
    lab = out.with_suffix(".yaml")
    lab.write_text(LAB)
    settings: dict[str, Any] = {"timezone": "Europe/Berlin", "jobs": 2, "metadata": [str(lab)]}
    return Request(inputs=[str(raw)], output=str(out), **{**settings, **options})


# ------------------------------------------------------------------ turning


@pytest.mark.parametrize("dtype", ["u1", "u2", ">i2", "f4", "f8"])
@pytest.mark.parametrize(
    "shape", [(5, 7, 11), (3, 300, 201), (4, 7, 11, 3), (2, 130, 140, 2), (0, 3, 2)]
)
def test_turned_is_transposed(dtype: str, shape: tuple[int, ...]) -> None:
    data = np.random.default_rng(0).integers(0, 200, shape).astype(dtype)
    view = as_stored(held(data))
    expected = data.swapaxes(1, 2)
    assert isinstance(view, Turned) and view.shape == expected.shape
    assert np.array_equal(view.read(0, len(data)), expected)
    out = np.empty_like(expected, order="C")
    assert view.read(0, len(data), out=out) is out and np.array_equal(out, expected)
    if len(data):
        assert np.array_equal(view.read(1, 2), expected[1:2])


def test_turned_pieces_are_joined(monkeypatch: pytest.MonkeyPatch) -> None:
    from nwbkit.streams import turned

    monkeypatch.setattr(turned, "PIECE_BYTES", 1)
    data = pages(9)
    assert np.array_equal(as_stored(held(data)).read(2, 9), data[2:].swapaxes(1, 2))


def test_one_view_a_stream_and_none_of_others() -> None:
    stream = held(pages(3))
    assert as_stored(stream) is as_stored(stream)
    traces = held(pages(3)[:, 0], "traces")
    assert as_stored(traces) is traces
    window = Window(held(pages(9), timebase=Timebase.regular("c", 9, 1.0)), 2, 5)
    assert np.array_equal(as_stored(window).read(0, 3), pages(9)[2:5].swapaxes(1, 2))


def test_turning_goes_band_by_band() -> None:
    frame = np.random.default_rng(0).integers(0, 999, (1, 512, 512)).astype("u2")
    out = np.empty((1, 512, 512), "u2")
    turn(frame, out)
    assert np.array_equal(out[0], frame[0].T)


# ------------------------------------------------------------------ planes


@pytest.mark.parametrize(
    ("values", "unit", "expected"),
    [
        ([0.5, 0.75], "um", ([5e-7, 7.5e-7], "meters")),
        ([0.84375], "µm", ([8.4375e-7], "meters")),
        ([2.0], None, ([2.0], "meters")),
        ([2.0], "pixels", ([2.0], "pixels")),
    ],
)
def test_lengths(values: list[float], unit: str | None, expected: Any) -> None:
    assert in_metres(values, unit) == expected


def test_one_plane_object_for_all_of_it(tmp_path: Path) -> None:
    from datetime import UTC, datetime

    from nwbkit.nwb.assemble import assemble
    from nwbkit.storage.holes import hole

    times = Timebase.regular("s/c", 4, 30.0)
    movies = [
        ("s/a", held(pages(4), timebase=times, plane="s_A", nwb_name="A")),
        ("s/b", held(pages(4), "one_photon", timebase=times, plane="s_A", nwb_name="B")),
        ("s/c", held(pages(4), timebase=times, plane="s_C", nwb_name="C")),
    ]
    planes = {
        "s_A": {"device": "scope", "grid_spacing": [1, 2], "grid_spacing_unit": "um"},
        "s_C": {
            "name": "mine",
            "location": "V1",
            "optical_channel": {"g": {"emission_lambda": 520}},
        },
    }
    made = assemble(
        movies,
        {
            "ImagingPlanes": planes,
            "Devices": {"scope": {"manufacturer": "Acme"}},
            "Streams": {"s/a": {"pmt_gain": 3}, "s/b": {"binning": 2, "device": "scope"}},
        },
        identifier="x",
        start=datetime.now(UTC),
        description="d",
        source_script="s",
        maps={},
        remarks={},
        make_hole=lambda key, array: (
            hole(array.shape, array.dtype, source=array, key=key).placeholder
        ),
    ).nwbfile
    a, b, c = (made.acquisition[k] for k in "ABC")
    assert a.imaging_plane is b.imaging_plane is not c.imaging_plane
    assert (type(a).__name__, type(b).__name__) == ("TwoPhotonSeries", "OnePhotonSeries")
    assert (a.imaging_plane.name, c.imaging_plane.name) == ("ImagingPlaneA", "mine")
    assert a.imaging_plane.device.name == "scope" and c.imaging_plane.device.name == "Microscope"
    assert list(a.imaging_plane.grid_spacing) == [1e-6, 2e-6]
    assert (a.imaging_plane.indicator, a.imaging_plane.location) == ("unknown", "unknown")
    assert math.isnan(a.imaging_plane.excitation_lambda)
    assert math.isnan(a.imaging_plane.optical_channel[0].emission_lambda)
    assert (
        c.imaging_plane.optical_channel[0].emission_lambda == 520
        and c.imaging_plane.location == "V1"
    )
    assert (a.pmt_gain, b.binning, b.device.name) == (3.0, 2, "scope")


# ------------------------------------------------------------------ whole way


def test_a_missing_rate_is_asked_for(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", pages(5), photometric="minisblack")
    with pytest.raises(MissingFact, match="'a/movie' has no frame rate") as error:
        journey.convert(request(tmp_path / "a.tif", tmp_path / "o.nwb", set_meta=[START]))
    assert error.value.hint and "--set a.rate=" in error.value.hint
    assert not (tmp_path / "o.nwb").exists()


@pytest.mark.parametrize("segments", ["gaps", "split"])
def test_a_movie_with_a_gap(tmp_path: Path, segments: str) -> None:
    data = pages(8, 40, 30)
    raw = scanimage(tmp_path / "a.tif", data, numbers=[1, 2, 3, 4, 11, 12, 13, 14])
    out = tmp_path / "o.nwb"
    journey.convert(request(raw, out, segments=segments))
    with h5py.File(out) as f:
        series = f["acquisition"]
        if segments == "gaps":
            whole = series["TwoPhotonSeriesGCaMP"]
            assert np.array_equal(whole["data"][...], data.swapaxes(1, 2))
            assert whole["timestamps"][4] == pytest.approx(10 / 30, abs=1e-8)
        else:
            part = series["TwoPhotonSeriesGCaMP_seg1"]
            assert np.array_equal(part["data"][...], data[4:].swapaxes(1, 2))
            assert part["starting_time"][()] == pytest.approx(10 / 30, abs=1e-8)
    assert verifying.verify(str(out), against=[str(raw)]).ok


def test_a_stub(tmp_path: Path) -> None:
    data = pages(60, 40, 30)
    raw = scanimage(tmp_path / "a.tif", data)
    journey.convert(request(raw, tmp_path / "o.nwb", stub=1.0))
    with h5py.File(tmp_path / "o.nwb") as f:
        stored = f["acquisition/TwoPhotonSeriesGCaMP/data"]
        assert np.array_equal(stored[...], data[:30].swapaxes(1, 2))
    assert verifying.verify(str(tmp_path / "o.nwb"), against=[str(raw)]).ok


def test_a_changed_pixel_is_found(tmp_path: Path) -> None:
    data = pages(6, 40, 30)
    raw = scanimage(tmp_path / "raw" / "a.tif", data)
    out = tmp_path / "o.nwb"
    journey.convert(request(raw, out))
    copy = tmp_path / "copy"
    copy.mkdir()
    shutil.copy(raw, copy / raw.name)
    changed = data.copy()
    changed[3, 5, 7] += 1
    scanimage(copy / raw.name, changed)
    result = verifying.verify(str(out), against=[str(copy)])
    assert not result.ok
    assert any("samples" in str(f) and "a/GCaMP" in str(f) for f in result.findings)


IDS = [str(s["sample"]) for s in SAMPLES]


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    base = tmp_path_factory.mktemp("movies")
    made = {}
    for number, sample in enumerate(SAMPLES):
        raw, out = DATA / sample["sample"], base / f"{number}.nwb"
        more = {} if sample["start"] else {"set_meta": [START], "sets": ["tiff.rate=10"]}
        assert journey.convert(request(raw, out, **more)).status == 0
        made[sample["sample"]] = out
    return made


@needs_data
@pytest.mark.parametrize("name", IDS)
def test_samples_hold_what_their_bytes_say(name: str, converted: dict[str, Path]) -> None:
    sample = SAMPLES[IDS.index(name)]
    (source,) = registry.detect([DATA / name]).sources()
    assert (source.format, len(source.paths)) == (sample["format"], sample["files"])
    with h5py.File(converted[name]) as f:
        if sample["start"]:
            assert f["session_start_time"].asstr()[()].startswith(sample["start"])
        assert len(f["acquisition"]) == len(sample["streams"])
        for ident, stream in sample["streams"].items():
            series = f["acquisition"]["TwoPhotonSeries" + ("" if ident == "movie" else ident)]
            data = series["data"][...]
            frames = data.swapaxes(1, 2)
            assert frames.shape == stream["shape"] and data.dtype.name == sample["dtype"]
            flat = frames.reshape(-1)
            assert [*flat[:3].tolist(), *flat[-3:].tolist()] == stream["ends"]
            assert frames.astype("f8").sum() == stream["total"]
            assert series["data"].attrs["unit"] == "n.a."
            check_times(series, stream)
            plane = series["imaging_plane"]
            if sample["spacing"]:
                assert plane["grid_spacing"][...].tolist() == pytest.approx(sample["spacing"])
            else:
                assert "grid_spacing" not in plane


def check_times(series: h5py.Group, stream: dict[str, Any]) -> None:
    if stream["times"] is None:
        assert series["starting_time"].attrs["rate"] == 10.0
        return
    if stream["rate"] is not None:
        assert series["starting_time"].attrs["rate"] == pytest.approx(stream["rate"], rel=1e-7)
        start, rate = series["starting_time"][()], series["starting_time"].attrs["rate"]
        times = start + np.arange(len(stream["times"])) / rate
    else:
        times = series["timestamps"][: len(stream["times"])]
    assert times == pytest.approx(stream["times"], abs=1e-6)


@needs_data
@pytest.mark.parametrize("name", IDS)
def test_samples_are_equal_to_their_source(name: str, converted: dict[str, Path]) -> None:
    result = verifying.verify(str(converted[name]), against=[str(DATA / name)])
    assert result.ok


@needs_data
@pytest.mark.parametrize("name", [IDS[0], IDS[1], IDS[4], IDS[5]])
def test_samples_are_valid(name: str, converted: dict[str, Path]) -> None:
    import pynwb
    from nwbinspector import Importance, inspect_nwbfile

    path = str(converted[name])
    assert pynwb.validate(path=path) == []
    found = [
        m
        for m in inspect_nwbfile(nwbfile_path=path)
        if m.importance.value >= Importance.CRITICAL.value
        # a few frames of many pixels look to it like a movie whose time is not first
        and m.check_function_name != "check_data_orientation"
    ]
    assert not found


@needs_data
def test_a_user_reads_a_sample_with_roiextractors(converted: dict[str, Path]) -> None:
    pytest.importorskip("roiextractors")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from roiextractors.extractors.nwbextractors import NwbImagingExtractor
        from roiextractors.extractors.tiffimagingextractors import ScanImageImagingExtractor

        name = "tiff/sima_example/example.tif"
        read = NwbImagingExtractor(str(converted[name]), optical_series_name="TwoPhotonSeries")
        assert np.array_equal(read.get_series(), tifffile.imread(DATA / name))
        name = "scanimage/volumetric_two_channels_multi_file_2of10"
        theirs = ScanImageImagingExtractor(
            file_path=str(next((DATA / name).glob("*_00001.tif"))), channel_name="Channel 2"
        )
        with h5py.File(converted[name]) as f:
            mine = f["acquisition/TwoPhotonSeriesChannel2/data"][...].swapaxes(1, 2)
        assert np.array_equal(theirs.get_series(), mine)
        # theirs is the time of a volume's last slice, eight frames after the first
        first = theirs.get_native_timestamps()[:3] - 8 * 0.00190849
        assert first == pytest.approx(np.arange(3) / 32.7484726, abs=1e-6)


@needs_data
def test_nothing_foreign_is_taken_for_scanimage() -> None:
    taken = {
        str(path.relative_to(DATA)).split("/")[0]
        for source in registry.detect([DATA]).sources()
        for path in source.paths
        if source.format == "scanimage"
    }
    assert taken == {"scanimage"}
