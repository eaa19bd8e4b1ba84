"""The convert journey, from opened readers to a published file, with a toy format."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from nwbkit import convert as journey
from nwbkit.convert import Request, Result
from nwbkit.depfile import make_rule
from nwbkit.errors import NwbkitError
from tests.toy import AP, EVENTS, LF, OTHER, RATE, SY, stream, toys, write_toy

__all__ = ["toys"]
pytestmark = pytest.mark.usefixtures("toys")

GAPPED = [[2000, 0.0], [3000, 7.5]]


def run(folder: Path, streams: list[dict[str, Any]], *, meta: Any = None, **options: Any) -> Result:
    raw = write_toy(folder / "raw", streams, nwbfile=meta)
    return journey.convert(
        Request(inputs=[str(raw)], output=str(folder / "out.nwb"), jobs=2, **options)
    )


def values(folder: Path) -> np.ndarray[Any, Any]:
    return np.fromfile(folder / "raw" / "rec.dat", "<i2").reshape(-1, 5)


def test_samples_gain_rate_and_names(tmp_path: Path) -> None:
    result = run(tmp_path, [AP, SY])
    assert result.status == 0
    with h5py.File(tmp_path / "out.nwb") as f:
        series = f["acquisition/ElectricalSeriesAP"]
        assert np.array_equal(series["data"][...], values(tmp_path)[:, :4])
        assert series["data"].attrs["conversion"] == 2.34375e-6
        assert series["starting_time"].attrs["rate"] == RATE
        assert series["starting_time"][()] == 0.0
        assert np.array_equal(f["acquisition/TimeSeriesSync/data"][...], values(tmp_path)[:, 4:])


def test_bands_share_their_electrodes(tmp_path: Path) -> None:
    run(tmp_path, [AP, LF])
    with h5py.File(tmp_path / "out.nwb") as f:
        table = f["general/extracellular_ephys/electrodes"]
        assert table["channel_name"].asstr()[...].tolist() == [f"AP{i},LF{i}" for i in range(4)]
        assert table["rel_y"][...].tolist() == [0.0, 10.0, 20.0, 30.0]
        assert table["location"].asstr()[0] == "unknown"
        for name in ("AP", "LF"):
            region = f[f"acquisition/ElectricalSeries{name}/electrodes"]
            assert region[...].tolist() == [0, 1, 2, 3]


def test_mixed_gains_become_a_conversion_per_channel(tmp_path: Path) -> None:
    gains = [1e-6, 2e-6, 3e-6, 4e-6]
    run(tmp_path, [{**AP, "gain": gains}])
    with h5py.File(tmp_path / "out.nwb") as f:
        series = f["acquisition/ElectricalSeriesAP"]
        assert series["data"].attrs["conversion"] == 1.0
        assert series["channel_conversion"][...].tolist() == gains


def test_a_gap_makes_timestamps_that_streams_share(tmp_path: Path) -> None:
    run(tmp_path, [{**AP, "segments": GAPPED}, {**SY, "segments": GAPPED}])
    with h5py.File(tmp_path / "out.nwb") as f:
        times = f["acquisition/ElectricalSeriesAP/timestamps"][...]
        assert times.dtype == np.float64
        expected = np.concatenate([np.arange(2000) / RATE, 7.5 + np.arange(3000) / RATE])
        assert np.array_equal(times, expected)
        shared = f["acquisition/TimeSeriesSync"].get("timestamps", getlink=True)
        assert isinstance(shared, h5py.SoftLink)


def test_split_segments_are_series_of_their_own(tmp_path: Path) -> None:
    result = run(tmp_path, [{**AP, "segments": GAPPED}], segments="split")
    with h5py.File(tmp_path / "out.nwb") as f:
        assert sorted(f["acquisition"]) == ["ElectricalSeriesAP_seg0", "ElectricalSeriesAP_seg1"]
        second = f["acquisition/ElectricalSeriesAP_seg1"]
        assert second["starting_time"][()] == 7.5
        assert np.array_equal(second["data"][...], values(tmp_path)[2000:, :4])
    assert result.document is not None
    assert len(result.document.streams["rec/ap"].nwb_paths) == 2


def test_events_are_seconds_of_the_samples(tmp_path: Path) -> None:
    run(tmp_path, [AP, EVENTS])
    with h5py.File(tmp_path / "out.nwb") as f:
        table = f["events/EventsTtl"]
        assert table["timestamp"][...].tolist() == [10 / RATE, 500 / RATE, 4999 / RATE]
        assert table["line"].asstr()[...].tolist() == ["L0", "L1", "L0"]
        assert table["timestamp"].attrs["resolution"] == 1 / RATE


def test_an_offset_moves_one_clock_and_says_so(tmp_path: Path) -> None:
    result = run(tmp_path, [AP, OTHER], offsets=["rec/box=0.25"])
    with h5py.File(tmp_path / "out.nwb") as f:
        assert f["acquisition/TimeSeriesAdc/starting_time"][()] == 0.25
        assert f["acquisition/ElectricalSeriesAP/starting_time"][()] == 0.0
    assert result.document is not None
    assert result.document.alignment["rec/box"].how == "user"


def test_keeping_clocks_unaligned_is_said_beside_the_data(tmp_path: Path) -> None:
    result = run(tmp_path, [AP, OTHER, EVENTS], unaligned="keep")
    with h5py.File(tmp_path / "out.nwb") as f:
        for name in ("ElectricalSeriesAP", "TimeSeriesAdc"):
            assert "Unaligned clock 'rec/" in f[f"acquisition/{name}"].attrs["comments"]
        assert "Unaligned clock 'rec/probe'" in f["events/EventsTtl"].attrs["description"]
    assert result.document is not None
    assert {c.how for c in result.document.alignment.values()} == {"unaligned"}


def test_a_stub_is_the_head_of_every_stream(tmp_path: Path) -> None:
    run(tmp_path, [AP, SY, EVENTS], stub=0.5)
    with h5py.File(tmp_path / "out.nwb") as f:
        data = f["acquisition/ElectricalSeriesAP/data"][...]
        assert np.array_equal(data, values(tmp_path)[: len(data), :4])
        assert len(data) == 501  # the samples at 0, 1/RATE, ... 500/RATE, all below 0.5 s
        assert f["events/EventsTtl/timestamp"].shape == (2,)


REFUSED = [
    ("two clocks", [AP, OTHER], {}, 65, "2 clocks without a common time base"),
    ("no start", [AP], {"meta": {}}, 65, "session_start_time"),
    (
        "naive start",
        [AP],
        {"meta": {"session_start_time": "2024-05-01T10:00:00"}},
        65,
        "--timezone",
    ),
    ("same name twice", [AP, {**LF, "nwb_name": "ElectricalSeriesAP"}], {}, 65, "--set-meta"),
    ("nothing left", [AP], {"exclude": ["rec/*"]}, 65, "no stream"),
    ("a pattern that matches nothing", [AP], {"only": ["rec/xy"]}, 2, "rec/ap"),
    ("a wrong suffix", [AP], {"output_name": "out.h5"}, 2, ".nwb"),
    ("no such folder", [AP], {"output_name": "none/out.nwb"}, 73, "none"),
    ("no such option", [AP], {"sets": ["rec.x=1"]}, 2, "its options: n"),
    ("an option of the wrong type", [AP], {"sets": ["toy.n=x"]}, 2, "whole number"),
    ("a short file", [{**AP, "segments": [[5001, 0.0]]}], {}, 65, "shorter"),
]


@pytest.mark.parametrize(
    ("streams", "options", "status", "said"),
    [pytest.param(*case[1:], id=case[0]) for case in REFUSED],
)
def test_refusals_name_the_way_out_and_leave_nothing(
    tmp_path: Path, streams: list[Any], options: dict[str, Any], status: int, said: str
) -> None:
    options = dict(options)
    raw = write_toy(tmp_path / "raw", streams, nwbfile=options.pop("meta", None))
    output = tmp_path / options.pop("output_name", "out.nwb")
    with pytest.raises(NwbkitError) as error:
        journey.convert(Request(inputs=[str(raw)], output=str(output), **options))
    assert error.value.status == status
    assert said in f"{error.value.message} {error.value.hint}"
    assert [p.name for p in tmp_path.iterdir()] == ["raw"]


def test_two_runs_and_any_number_of_jobs_give_equal_content(tmp_path: Path) -> None:
    raw = str(write_toy(tmp_path / "raw", [AP, SY, EVENTS]))
    documents = []
    for name, jobs in (("a", 1), ("b", 1), ("c", 2)):
        request = Request(inputs=[raw], output=str(tmp_path / f"{name}.nwb"), jobs=jobs)
        documents.append(journey.convert(request).document)
    first, *others = [d for d in documents if d is not None]
    assert len(others) == 2
    for other in others:
        assert (other.content, other.objects) == (first.content, first.objects)
        assert other.identity == first.identity


def test_skip_existing_by_identity(tmp_path: Path) -> None:
    raw = str(write_toy(tmp_path / "raw", [AP]))
    request = Request(inputs=[raw], output=str(tmp_path / "out.nwb"), skip_existing=True)
    assert not journey.convert(request).skipped
    before = (tmp_path / "out.nwb").read_bytes()
    assert journey.convert(request).skipped
    assert (tmp_path / "out.nwb").read_bytes() == before
    changed = replace(request, set_meta=["NWBFile.lab=Other"])
    with pytest.raises(NwbkitError, match="metadata changed") as error:
        journey.convert(changed)
    assert error.value.status == 73
    assert (tmp_path / "out.nwb").read_bytes() == before


def test_a_dry_run_writes_nothing_and_tells_the_tree(tmp_path: Path) -> None:
    result = run(tmp_path, [AP, SY], dry_run=True)
    assert result.document is None
    assert "/acquisition/ElectricalSeriesAP" in (result.report or "")
    assert not (tmp_path / "out.nwb").exists()


def test_a_sample_is_proven_and_said(tmp_path: Path) -> None:
    result = run(tmp_path, [AP, SY, EVENTS], prove="sample")
    assert result.document is not None
    assert result.document.prove == "sample"
    assert "prove_s" in (result.document.measured or {})


def test_the_depfile_names_every_source(tmp_path: Path) -> None:
    run(tmp_path, [AP], depfile=str(tmp_path / "out.d"))
    rule = (tmp_path / "out.d").read_text()
    assert rule.startswith(f"{tmp_path}/out.nwb: ")
    assert "rec.toy" in rule
    assert "rec.dat" in rule


def test_make_takes_odd_names_in_a_rule() -> None:
    rule = make_rule("o ut.nwb", [Path("/a b/$c#d.bin")])
    assert rule.splitlines()[0] == "o\\ ut.nwb: /a\\ b/$$c\\#d.bin"


@pytest.mark.parametrize("prove", ["full", "sample"])
def test_damage_between_writing_and_proving_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prove: str
) -> None:
    from nwbkit.storage.pipeline import Filling

    finish = Filling.finish

    def damaging(self: Filling, path: Path, *more: Any, **settings: Any) -> Any:
        filled = finish(self, path, *more, **settings)
        with h5py.File(path, "r+") as f:
            f[self.holes[0].path][7, 1] += 1
        return filled

    monkeypatch.setattr(Filling, "finish", damaging)
    with pytest.raises(NwbkitError, match="not what was read") as error:
        run(tmp_path, [AP], prove=prove)
    assert error.value.status == 74
    assert not (tmp_path / "out.nwb").exists()


def test_the_sidecar_is_a_document_with_everything_verify_needs(tmp_path: Path) -> None:
    run(tmp_path, [AP, SY])
    data = json.loads((tmp_path / "out.nwb.json").read_text())
    assert data["schema"] == "nwbkit/conversion"
    assert data["output"]["size"] == (tmp_path / "out.nwb").stat().st_size
    assert data["inputs"][0]["path"] == "raw/rec.toy"
    assert data["datasets"]["/acquisition/ElectricalSeriesAP/data"]["key"] == "rec/ap:data"


def test_names_can_be_given(tmp_path: Path) -> None:
    run(tmp_path, [AP, stream("two")], set_meta=["Streams.rec/two.name=Second"])
    with h5py.File(tmp_path / "out.nwb") as f:
        assert sorted(f["acquisition"]) == ["ElectricalSeriesAP", "Second"]
