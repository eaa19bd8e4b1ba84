"""Zarr output: the same content as HDF5, readable by others, proven, damage found."""

from __future__ import annotations

import json
import random
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nwbkit import convert as journey
from nwbkit import verify as verifying
from nwbkit.convert import Request, Result
from nwbkit.errors import IOFailure, NwbkitError
from tests.data import DATA, needs_data
from tests.toy import AP, EVENTS, LF, OTHER, SY, stream, toys, write_toy

pytest.importorskip("hdmf_zarr")
pytestmark = pytest.mark.filterwarnings("ignore")

__all__ = ["toys"]
GAPPED = [[2000, 0.0], [3000, 7.5]]
MIXED = {**AP, "gain": [1e-6, 2e-6, 3e-6, 4e-6]}
NAME = "out.nwb.zarr"


def run(folder: Path, streams: list[dict[str, Any]], out: str = NAME, **options: Any) -> Result:
    raw = write_toy(folder / "raw", streams)
    return journey.convert(Request(inputs=[str(raw)], output=str(folder / out), jobs=2, **options))


def different(a: Any, b: Any) -> list[str]:
    """Objects in which two sidecars differ."""
    names = a.objects.keys() | b.objects.keys()
    return sorted(n for n in names if a.objects.get(n) != b.objects.get(n))


@pytest.mark.parametrize(
    ("streams", "options"),
    [
        ([MIXED, LF, SY, EVENTS], {}),
        ([{**AP, "segments": GAPPED}, {**SY, "segments": GAPPED}, EVENTS], {}),
        ([{**AP, "segments": GAPPED}], {"segments": "split"}),
        ([AP, OTHER], {"offsets": ["rec/box=0.125"]}),
        ([AP, OTHER, EVENTS], {"unaligned": "keep"}),
        ([AP, SY, {**EVENTS, "events": []}], {"stub": 0.5}),
        ([SY], {"set_meta": ["NWBFile.keywords=[a, b]", "Subject.subject_id=m1"]}),
    ],
)
@pytest.mark.usefixtures("toys")
def test_content_is_that_of_hdf5(
    tmp_path: Path, streams: list[Any], options: dict[str, Any]
) -> None:
    hdf5 = run(tmp_path, streams, "out.nwb", **options).document
    zarr = run(tmp_path, streams, **options).document
    assert hdf5 is not None and zarr is not None
    assert different(hdf5, zarr) == []
    assert zarr.content == hdf5.content
    assert zarr.datasets.keys() == hdf5.datasets.keys()
    assert (zarr.output.backend, hdf5.output.backend) == ("zarr", "hdf5")
    report = verifying.verify(str(tmp_path / NAME), against=[str(tmp_path / "raw")], jobs=2)
    assert report.ok, report.findings
    assert {c.what for c in report.checked} >= {"values", "content", "consolidated metadata"}


SAMPLES = [
    ("spikeglx/DigitalChannelTest_g0", ["--timezone"], None),
    ("spikeglx/long_nhp_lf_only", ["--timezone"], None),
    ("openephys_binary", ["--timezone"], None),
    ("phy", [], None),
    ("lightningpose", [], None),
    ("text", [], "trials-csv"),
    ("suite2p", [], None),
    ("video", [], "video_mp4"),
]


def _sessions(path: Path, session: str | None) -> list[Any]:
    from nwbkit.session import load_sources

    found = load_sources([str(path)]).sessions
    return [s for s in found if session in (None, s.id)][:2]


@needs_data
@pytest.mark.parametrize("sample", SAMPLES, ids=[s[0] for s in SAMPLES])
def test_content_of_real_recordings_is_that_of_hdf5(tmp_path: Path, sample: Any) -> None:
    path = DATA / sample[0]
    if not path.exists():
        pytest.skip(f"no {path}")
    sessions = _sessions(path, sample[2])
    assert sessions
    for session in sessions:
        documents = []
        for name in ("out.nwb", NAME):
            request = Request(
                inputs=[str(path)],
                output=str(tmp_path / name),
                session=session.id,
                timezone="UTC",
                unaligned="keep",
                set_meta=["NWBFile.session_start_time=2024-01-01T00:00:00Z"],
                overwrite=True,
                jobs=2,
            )
            documents.append(journey.convert(request).document)
        hdf5, zarr = documents
        assert hdf5 is not None and zarr is not None
        assert different(hdf5, zarr) == []
        assert zarr.content == hdf5.content
        report = verifying.verify(str(tmp_path / NAME), against=[str(path)], jobs=2)
        assert report.ok, report.findings


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A finished store and its raw data; copied by who changes it."""
    from nwbkit.formats import registry
    from tests.toy import FORMAT

    folder = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "builtin_formats", lambda: ({"toy": FORMAT}, ()))
        patch.setattr(registry, "plugin_formats", lambda: ({}, ()))
        run(folder, [MIXED, LF, SY, EVENTS])
    return folder


@pytest.fixture
def copied(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made, tmp_path / "x")
    return tmp_path / "x" / NAME


def test_read_by_pynwb(made: Path) -> None:
    from hdmf_zarr import NWBZarrIO

    raw = np.fromfile(made / "raw" / "rec.dat", "<i2").reshape(-1, 5)
    with NWBZarrIO(str(made / NAME), "r") as io:
        nwbfile = io.read()
        series = nwbfile.acquisition["ElectricalSeriesAP"]
        assert np.array_equal(series.data[:], raw[:, :4])
        table = series.electrodes.to_dataframe()
        assert list(table["group_name"]) == ["shank"] * 4
        assert {g.name for g in table["group"]} == {"shank"}
        assert table["group"].iloc[0].device.name == "box"
        events = nwbfile.events["EventsTtl"].to_dataframe()
        assert list(events["line"]) == ["L0", "L1", "L0"]
        ids = {nwbfile.object_id, series.object_id}
    document = json.loads((made / f"{NAME}.json").read_bytes())
    again = made.parent / "again"
    assert len(ids) == 2
    assert document["output"]["backend"] == "zarr"
    assert not again.exists()


def test_read_by_spikeinterface(made: Path) -> None:
    extractors = pytest.importorskip("spikeinterface.extractors")
    path = "acquisition/ElectricalSeriesLF"
    recording = extractors.read_nwb_recording(str(made / NAME), electrical_series_path=path)
    raw = np.fromfile(made / "raw" / "rec.dat", "<i2").reshape(-1, 5)
    assert np.array_equal(recording.get_traces(), raw[:, :4])
    assert recording.get_channel_gains().tolist() == [4.6875] * 4
    assert "4 channels" in repr(recording)  # the start is a number, not an array of one
    assert recording.get_channel_locations()[:, 1].tolist() == [0.0, 10.0, 20.0, 30.0]


def test_every_array_is_checked_and_metadata_are_consolidated(made: Path) -> None:
    from nwbkit.zarrs.arrays import Dataset
    from nwbkit.zarrs.tree import File

    store = made / NAME
    stamps = {p: p.stat().st_mtime_ns for p in store.rglob("*") if p.is_file()}
    assert max(stamps, key=lambda p: stamps[p]).name == ".zmetadata"
    n = 0
    with File(store) as file:
        for meta in store.rglob(".zarray"):
            name = "/" + meta.parent.relative_to(store).as_posix()
            dataset = file[name]
            assert isinstance(dataset, Dataset)
            for chunk in (p for p in meta.parent.iterdir() if not p.name.startswith(".")):
                assert dataset.chain.checked(chunk.read_bytes()), chunk
                n += 1
    assert n > 40


@pytest.mark.usefixtures("toys")
def test_two_runs_give_equal_bytes(tmp_path: Path) -> None:
    documents = [
        run(tmp_path, [AP, SY, EVENTS], f"{name}.nwb.zarr", set_meta=["NWBFile.lab=x"]).document
        for name in "ab"
    ]
    one, two = (tmp_path / f"{n}.nwb.zarr" for n in "ab")
    names = sorted(p.relative_to(one) for p in one.rglob("*") if p.is_file())
    assert names == sorted(p.relative_to(two) for p in two.rglob("*") if p.is_file())
    differ = [n for n in names if (one / n).read_bytes() != (two / n).read_bytes()]
    # the time of writing is the one thing that changes
    assert {n.parts[0] for n in differ} <= {"file_create_date"}
    assert documents[0] is not None and documents[1] is not None
    assert documents[0].content == documents[1].content


def test_any_flip_in_any_file_is_found(copied: Path) -> None:
    """All with the sidecar; in chunks without it, unless the values stay what they were."""
    rng = random.Random(5)
    files = sorted(p for p in copied.rglob("*") if p.is_file() and p.stat().st_size)
    sidecar = copied.with_name(f"{NAME}.json")
    inside = [f for f in files if not f.name.startswith(".")]
    missed = []
    for k in range(24):
        path = rng.choice(files if k < 12 else inside)
        data = path.read_bytes()
        damaged = bytearray(data)
        damaged[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        path.write_bytes(bytes(damaged))
        report = verifying.verify(str(copied))
        assert report.findings, path
        if k >= 12:
            kept = sidecar.read_bytes()
            sidecar.unlink()
            report = verifying.verify(str(copied))
            if all(f.code == "no-sidecar" for f in report.findings):
                missed.append((path, damaged))
            sidecar.write_bytes(kept)
        path.write_bytes(data)
    assert len(missed) <= 1  # zstd has a bit or two a frame that mean nothing
    assert verifying.verify(str(copied)).ok


def remove_chunk(store: Path) -> None:
    (store / "acquisition/ElectricalSeriesAP/data/0.0").unlink()


def cut_chunk(store: Path) -> None:
    path = store / "acquisition/ElectricalSeriesAP/data/0.0"
    path.write_bytes(path.read_bytes()[:-9])


def remove_column(store: Path) -> None:
    (store / "general/extracellular_ephys/electrodes/rel_x/0").unlink()


def remove_consolidated(store: Path) -> None:
    (store / ".zmetadata").unlink()


def change_attribute(store: Path) -> None:
    path = store / "acquisition/ElectricalSeriesAP/data/.zattrs"
    path.write_text(path.read_text().replace('"conversion": 1.0', '"conversion": 2.0'))


def break_metadata(store: Path) -> None:
    (store / "acquisition/ElectricalSeriesAP/data/.zarray").write_text("{")


def remove_object(store: Path) -> None:
    shutil.rmtree(store / "acquisition/TimeSeriesSync")


def remove_root(store: Path) -> None:
    (store / ".zgroup").unlink()


def no_nwb(store: Path) -> None:
    (store / ".zattrs").write_text("{}")


DAMAGE = [
    (remove_chunk, "'0.0' is missing"),
    (cut_chunk, "'0.0'"),
    (remove_column, "rel_x"),
    (remove_consolidated, "never finished"),
    (change_attribute, "contradict"),
    (break_metadata, "no JSON"),
    (remove_object, "TimeSeriesSync"),
    (remove_root, "no Zarr v2 group"),
    (no_nwb, "no NWB file"),
]


@pytest.mark.parametrize("sidecar", [True, False])
@pytest.mark.parametrize(("damage", "said"), DAMAGE)
def test_damage_is_named(
    copied: Path, damage: Callable[[Path], None], said: str, sidecar: bool
) -> None:
    if not sidecar:
        copied.with_name(f"{NAME}.json").unlink()
    damage(copied)
    report = verifying.verify(str(copied))
    assert not report.ok
    assert any(said in f"{f.where} {f.message}" for f in report.findings), report.findings


@pytest.mark.parametrize("damage", [remove_consolidated, remove_object, remove_root, no_nwb])
def test_quick_finds_what_is_not_there(copied: Path, damage: Callable[[Path], None]) -> None:
    assert verifying.verify(str(copied), quick=True).ok
    damage(copied)
    assert not verifying.verify(str(copied), quick=True).ok


@pytest.mark.usefixtures("toys")
@pytest.mark.parametrize("prove", ["full", "sample"])
def test_what_is_wrong_is_not_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prove: str
) -> None:
    from nwbkit.storage.zarr import ChunkFolder

    write = ChunkFolder._write

    def damaged(self: ChunkFolder, path: str, data: Any) -> None:
        write(self, path, bytes(data)[:-1] + bytes([bytes(data)[-1] ^ 1]))

    monkeypatch.setattr(ChunkFolder, "_write", damaged)
    with pytest.raises(IOFailure, match="what was written is not what was read"):
        run(tmp_path, [AP], prove=prove)
    assert [p.name for p in tmp_path.iterdir()] == ["raw"]
    monkeypatch.setattr(ChunkFolder, "_write", write)
    run(tmp_path, [AP], prove=prove)


@pytest.mark.usefixtures("toys")
def test_existing_stores(tmp_path: Path) -> None:
    run(tmp_path, [AP])
    before = (tmp_path / f"{NAME}.json").read_bytes()
    with pytest.raises(NwbkitError, match="exists") as error:
        run(tmp_path, [AP])
    assert error.value.status == 73
    assert run(tmp_path, [AP], skip_existing=True).skipped
    with pytest.raises(NwbkitError, match="from other inputs"):
        run(tmp_path, [AP, SY], skip_existing=True)
    assert (tmp_path / f"{NAME}.json").read_bytes() == before
    run(tmp_path, [AP, SY], overwrite=True)
    assert verifying.verify(str(tmp_path / NAME)).ok
    assert sorted(p.name for p in tmp_path.iterdir()) == [NAME, f"{NAME}.json", "raw"]


@pytest.mark.usefixtures("toys")
@pytest.mark.parametrize("out", ["out.zarr", "out.nwb.zip"])
def test_other_suffixes_are_refused(tmp_path: Path, out: str) -> None:
    with pytest.raises(NwbkitError, match=r"does not end in \.nwb or \.nwb\.zarr") as error:
        run(tmp_path, [AP], out)
    assert error.value.status == 2
    assert "nwb.zarr" in str(error.value.hint)


@pytest.mark.usefixtures("toys")
def test_a_missing_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "hdmf_zarr", None)
    with pytest.raises(NwbkitError) as error:
        run(tmp_path, [AP])
    assert error.value.status == 69
    assert error.value.hint == "pip install 'nwbkit[zarr]'"


def test_rows_that_refer_to_others_are_refused(tmp_path: Path) -> None:
    from datetime import UTC, datetime

    from pynwb import NWBFile, TimeSeries

    from nwbkit.nwb.zarr import zarr_skeleton
    from nwbkit.storage.zarr_codecs import sealed, table_codec

    nwbfile = NWBFile("a session", "x", datetime(2024, 1, 1, tzinfo=UTC))
    series = TimeSeries(name="t", data=np.arange(10.0), unit="V", rate=1.0)
    nwbfile.add_acquisition(series)
    nwbfile.add_trial(start_time=0.0, stop_time=1.0, timeseries=[series])
    with pytest.raises(NwbkitError, match="cannot be kept in Zarr") as error:
        zarr_skeleton(nwbfile, tmp_path / NAME, "x", codec=table_codec(), seal=sealed)
    assert (error.value.status, error.value.hint) == (65, "-o OUT.nwb")


@pytest.mark.usefixtures("toys")
@pytest.mark.parametrize("codec", ["gzip", "zstd", "blosc-lz4", "none"])
def test_other_codecs(tmp_path: Path, codec: str) -> None:
    from hdmf_zarr import NWBZarrIO

    run(tmp_path, [stream("ap"), EVENTS], codec=codec)
    raw = np.fromfile(tmp_path / "raw" / "rec.dat", "<i2").reshape(-1, 5)
    with NWBZarrIO(str(tmp_path / NAME), "r") as io:
        (series,) = io.read().acquisition.values()
        assert np.array_equal(series.data[:], raw[:, :4])
    assert verifying.verify(str(tmp_path / NAME)).ok


@pytest.mark.usefixtures("toys")
def test_inspect_shows_what_it_shows_of_hdf5(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nwbkit.formats import registry
    from nwbkit.formats.recording.nwb import FORMAT
    from nwbkit.inspect import inspect

    run(tmp_path, [MIXED, LF, SY, EVENTS], "out.nwb")
    monkeypatch.setattr(registry, "builtin_formats", lambda: ({"nwb": FORMAT}, ()))
    shown = []
    for path in (made / NAME, tmp_path / "out.nwb"):
        (session,) = inspect([str(path)]).sessions
        shown.append(session.sources[0].streams)
    assert shown[0] == shown[1]
    assert len(shown[0]) >= 4


@pytest.mark.usefixtures("toys")
def test_a_job_and_its_parts_make_the_same_store(tmp_path: Path) -> None:
    whole = run(tmp_path, [AP, SY, EVENTS]).document
    job = run(tmp_path, [AP, SY, EVENTS], "job.nwb.zarr", job=str(tmp_path / "job")).document
    assert whole is not None and job is not None
    assert job.content == whole.content
    assert verifying.verify(str(tmp_path / "job.nwb.zarr")).ok
