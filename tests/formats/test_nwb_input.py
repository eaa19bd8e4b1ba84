"""NWB files as input: what inspect tells of them, and what a hostile one cannot do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from nwbkit.errors import DamagedInput, NwbkitError, UnknownFormat
from nwbkit.formats import registry
from nwbkit.formats.base import Reader, Source
from nwbkit.formats.recording.nwb import FORMAT, tree
from nwbkit.inspect import inspect, render
from nwbkit.metadata.extract import extract
from tests.data import DATA, needs_data

KNOWN = {"nwb": FORMAT}
SAMPLE = DATA / "nwb" / "pynwb_tutorial" / "ecephys_tutorial_v2.5.0.nwb"


def opened(path: Path) -> Reader:
    return registry.open_source(Source("n", "nwb", (path,)), known=KNOWN)


def make(path: Path, fill: Callable[[h5py.File], None] = lambda f: None) -> Path:
    """A file with what every NWB file has, and what `fill` adds."""
    with h5py.File(path, "w") as f:
        f.attrs["nwb_version"] = "2.8.0"
        f.attrs["neurodata_type"] = "NWBFile"
        f["session_start_time"] = "2024-05-01T10:00:00+02:00"
        f["identifier"] = "x"
        f.create_group("acquisition")
        f.create_group("general")
        fill(f)
    return path


def series(f: h5py.File, name: str = "acquisition/S", **times: Any) -> h5py.Group:
    group = f.create_group(name)
    group.attrs["neurodata_type"] = "TimeSeries"
    data = group.create_dataset("data", data=np.arange(6, dtype="<i2").reshape(3, 2))
    data.attrs.update(unit="volts", conversion=0.5)
    if "rate" in times:
        group["starting_time"] = times.get("start", 0.0)
        group["starting_time"].attrs["rate"] = times["rate"]
    if "timestamps" in times:
        group["timestamps"] = times["timestamps"]
    return group


@needs_data
def test_the_sample_reads_as_it_is() -> None:
    reader = opened(SAMPLE)
    found = {s.id: s for s in reader.streams}
    assert sorted(found) == ["LFP.ElectricalSeries", "acquisition.ElectricalSeries", "electrodes",
                             "units"]  # fmt: skip
    raw: Any = found["acquisition.ElectricalSeries"]
    with h5py.File(SAMPLE) as f:
        data = f["acquisition/ElectricalSeries/data"]
        assert (raw.shape, raw.dtype) == (data.shape, data.dtype)
        start = f["acquisition/ElectricalSeries/starting_time"]
        assert raw.timebase.rate == start.attrs["rate"] == 20000.0
        assert raw.timebase.segments[0].t0 == start[()]
        assert len(found["units"].ids) == len(f["units/id"])  # type: ignore[attr-defined]
        assert found["units"].facts["spikes"] == len(f["units/spike_times"])
        assert found["electrodes"].n_rows == 12  # type: ignore[attr-defined]
    assert raw.facts["electrodes"] == 12
    assert any("names 12 electrodes" in note for note in reader.notes)
    assert reader.clocks[0].anchor is not None
    said = extract([reader]).fields("NWBFile")
    assert said["session_start_time"] == "2022-10-12T12:16:56.588593+02:00"
    assert said["experimenter"] == ["Dr. Bilbo Baggins"]


@needs_data
def test_inspect_reads_well() -> None:
    text = render(inspect([str(SAMPLE)]), 80)
    head, _, details = text.partition("units   ")
    assert "acquisition.ElectricalSeries" in head
    assert all(len(line) <= 80 for line in details.splitlines())


def test_kinds_and_times(tmp_path: Path) -> None:
    def fill(f: h5py.File) -> None:
        series(f, "acquisition/Even", rate=10.5, start=2.0)
        one = series(f, "acquisition/Stamped", timestamps=[1.0, 2.0, 4.5])
        shared = series(f, "acquisition/Shared")
        shared["timestamps"] = h5py.SoftLink(one.name + "/timestamps")
        movie = f.create_group("acquisition/Movie")
        movie["external_file"] = np.array(["../../etc/passwd", "b.avi"], dtype=object)
        movie["timestamps"] = [0.0, 0.5]
        table = f.create_group("intervals/trials")
        table.attrs["colnames"] = np.array(["start_time", "stop_time"], dtype=object)
        table["id"] = np.arange(7)
        images = f.create_group("acquisition/images")
        images["mean"] = np.zeros((4, 5))
        images["mean"].attrs["neurodata_type"] = "GrayscaleImage"

    reader = opened(make(tmp_path / "x.nwb", fill))
    found: dict[str, Any] = {s.id: s for s in reader.streams}
    assert {i: s.kind for i, s in found.items()} == {
        "Even": "array", "Stamped": "array", "Shared": "array", "Movie": "external",
        "trials": "table", "mean": "array",
    }  # fmt: skip
    assert found["Even"].timebase.rate == 10.5
    for name in ("Stamped", "Shared"):
        assert found[name].timebase.times(2, 3)[0] == 4.5
    assert found["Movie"].n_frames == 2
    assert found["Movie"].paths == ()
    assert found["trials"].n_rows == 7
    assert found["mean"].timebase is None
    assert float(found["Even"].gain[0]) == 0.5
    assert "Even" in render(inspect([str(tmp_path / "x.nwb")]), 80)


ODD: dict[str, Callable[[h5py.File], Any]] = {
    "no rate": lambda f: series(f, rate=float("nan")),
    "rate of zero": lambda f: series(f, rate=0.0),
    "text for a rate": lambda f: series(f, rate="fast"),
    "times run back": lambda f: series(f, timestamps=[3.0, 2.0, 1.0]),
    "times are not numbers": lambda f: series(f, timestamps=[float("nan")] * 3),
    "no times": lambda f: series(f, timestamps=np.zeros(0)),
    "times are text": lambda f: series(f, timestamps=np.array(["a"], dtype=object)),
}


@pytest.mark.parametrize("case", ODD)
def test_times_that_make_no_sense_are_said(case: str, tmp_path: Path) -> None:
    path = make(tmp_path / "x.nwb", ODD[case])
    (stream,) = opened(path).streams
    assert stream.timebase is None
    assert stream.facts["times"]
    assert "S: times" in render(inspect([str(path)]), 80)


def secret(folder: Path) -> Path:
    with h5py.File(folder / "secret.h5", "w") as f:
        series(f, "secret", timestamps=[11.0, 12.0, 13.0])
    return folder / "secret.h5"


def test_links_to_other_files_are_not_followed(tmp_path: Path) -> None:
    other = secret(tmp_path)

    def fill(f: h5py.File) -> None:
        f["acquisition/out"] = h5py.ExternalLink(str(other), "/secret")
        inner = series(f)
        inner["timestamps"] = h5py.ExternalLink(str(other), "/secret/timestamps")
        f["session_description"] = h5py.ExternalLink(str(other), "/secret/data")
        f["acquisition/around"] = h5py.SoftLink("/acquisition/out/data")

    reader = opened(make(tmp_path / "x.nwb", fill))
    assert [s.id for s in reader.streams] == ["S"]
    assert reader.streams[0].timebase is None
    assert any("not followed" in note and "'acquisition/out'" in note for note in reader.notes)
    assert "session_description" not in reader.metadata()["NWBFile"]


def test_without_the_guard_a_link_would_be_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = secret(tmp_path)

    def fill(f: h5py.File) -> None:
        series(f)["timestamps"] = h5py.ExternalLink(str(other), "/secret/timestamps")

    path = make(tmp_path / "x.nwb", fill)
    monkeypatch.setattr(tree, "child", lambda group, name, depth=0: group.get(name))
    timebase = opened(path).streams[0].timebase
    assert timebase is not None
    assert timebase.times(0, 1)[0] == 11.0


def test_values_kept_in_other_files_are_not_read(tmp_path: Path) -> None:
    raw = tmp_path / "raw.bin"
    np.array([11.0, 12.0, 13.0]).tofile(raw)

    def fill(f: h5py.File) -> None:
        group = series(f)
        group.create_dataset("timestamps", (3,), "<f8", external=[(str(raw), 0, 24)])
        layout = h5py.VirtualLayout((3,), "<f8")
        layout[:] = h5py.VirtualSource(str(secret(tmp_path)), "secret/timestamps", (3,))
        series(f, "acquisition/V").create_virtual_dataset("timestamps", layout)

    for stream in opened(make(tmp_path / "x.nwb", fill)).streams:
        assert stream.timebase is None


def test_declared_sizes_cost_nothing(tmp_path: Path) -> None:
    def fill(f: h5py.File) -> None:
        group = f.create_group("acquisition/big")
        group.create_dataset("data", (1 << 36, 64), "<f8", chunks=(1 << 16, 64))
        group.create_dataset("timestamps", (1 << 36,), "<f8", chunks=(1 << 28,))
        units = f.create_group("units")
        units.attrs["colnames"] = np.array(["spike_times"], dtype=object)
        units.create_dataset("id", (1 << 40,), "<i8", chunks=(1 << 10,))
        units.create_dataset("spike_times", (1 << 40,), "<f8", chunks=(1 << 10,))
        f.create_dataset("session_description", (1 << 40,), h5py.string_dtype(), chunks=(1024,))

    streams = {s.id: s for s in opened(make(tmp_path / "x.nwb", fill)).streams}
    assert streams["big"].shape == (1 << 36, 64)  # type: ignore[attr-defined]
    assert streams["big"].timebase is None
    assert streams["units"].n_rows == 1 << 40  # type: ignore[attr-defined]


def test_a_group_within_itself_ends(tmp_path: Path) -> None:
    def fill(f: h5py.File) -> None:
        series(f, rate=1.0)
        f["acquisition/again"] = f["acquisition"]
        f["acquisition/up"] = h5py.SoftLink("/acquisition/up")

    assert [s.id for s in opened(make(tmp_path / "x.nwb", fill)).streams] == ["S"]


def test_names_that_an_id_cannot_hold(tmp_path: Path) -> None:
    def fill(f: h5py.File) -> None:
        series(f, "acquisition/a b", rate=1.0)
        series(f, "acquisition/a-b", rate=1.0)
        series(f, "acquisition/ü", rate=1.0)

    ids = [s.id for s in opened(make(tmp_path / "x.nwb", fill)).streams]
    assert len(set(ids)) == 3
    assert all(set(i) <= set("abcdefghijklmnopqrstuvwxyz0123456789.-") for i in ids)


def h5(path: Path, **attrs: Any) -> Path:
    with h5py.File(path, "w") as f:
        f.attrs.update(attrs)
    return path


def old(path: Path) -> Path:
    with h5py.File(path, "w") as f:
        f["nwb_version"] = "NWB-1.0.6"
    return path


def cut(path: Path) -> Path:
    whole = make(path, lambda f: series(f, rate=1.0) and None)
    raw = whole.read_bytes()
    whole.write_bytes(raw[: len(raw) // 2])
    return path


BAD: dict[str, tuple[Callable[[Path], Path], type[NwbkitError], str]] = {
    "hdf5 of another kind": (lambda p: h5(p, a=1), UnknownFormat, "without nwb_version"),
    "nwb 1": (old, UnknownFormat, "NWB 1"),
    "truncated": (cut, DamagedInput, "cannot be read as HDF5"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_no_readable_nwb_is_refused_in_one_line(case: str, tmp_path: Path) -> None:
    build, kind, said = BAD[case]
    with pytest.raises(kind, match=said) as error:
        opened(build(tmp_path / "x.nwb"))
    assert "'x.nwb'" in error.value.message
    assert "\n" not in error.value.message


@pytest.mark.parametrize("content", [b"", b"start,stop\n1,2\n", b"\x89HDF", b"PK\x03\x04"])
def test_other_files_named_nwb_are_not_claimed(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.nwb").write_bytes(content)
    assert registry.detect([tmp_path / "x.nwb"], known=KNOWN).sessions == ()


def test_own_outputs_are_passed_over_in_a_walk_and_shown_when_named(tmp_path: Path) -> None:
    path = make(tmp_path / "x.nwb", lambda f: series(f, rate=1.0) and None)
    assert len(registry.detect([tmp_path], known=KNOWN).sessions) == 1
    (tmp_path / "x.nwb.json").write_text("{}")
    assert registry.detect([tmp_path], known=KNOWN).sessions == ()
    assert len(registry.detect([path], known=KNOWN).sessions) == 1


@needs_data
def test_outside_its_samples_nothing_is_claimed() -> None:
    found = registry.detect([DATA], known=KNOWN).sources()
    assert [p for s in found for p in s.paths] == [SAMPLE]
