"""A sorting and its recording: found by evidence, held against each other, written together."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from nwbkit import verify as verifying
from nwbkit.convert import Request, Result, convert
from nwbkit.errors import NwbkitError
from nwbkit.formats import registry
from nwbkit.formats.detection import DetectedSource
from tests.expected.phy import CLUSTERS, PARAMS, TIMES, with_templates, write_phy
from tests.formats.helpers import edit, probe

RATE = PARAMS["sample_rate"]
SAMPLES = TIMES.astype(np.int64)
ORDER = np.argsort(CLUSTERS, kind="stable")
START = ["NWBFile.session_start_time=2024-05-02T10:00:00+02:00"]


def run(raw: Path, out: Path, **options: Any) -> Result:
    settings: dict[str, Any] = {"set_meta": START, "jobs": 2, **options}
    return convert(Request(inputs=[str(raw)], output=str(out), **settings))


def sorting(path: Path) -> DetectedSource:
    (source,) = [s for s in registry.detect([path]).sources() if s.format == "phy"]
    return source


def related(path: Path) -> list[str]:
    return [r.source for r in sorting(path).relations]


# ------------------------------------------------------------------ found by evidence


def test_by_the_file_that_params_py_names(tmp_path: Path) -> None:
    probe(tmp_path / "raw", "x_g0_t0.imec0.ap")
    probe(tmp_path / "other", "run_g0_t0.imec0.ap")
    write_phy(tmp_path / "sorted" / "ks", dat_path="D:\\data\\run_g0_t0.imec0.ap.bin")
    (relation,) = sorting(tmp_path).relations
    assert relation.source == "run_g0"
    assert "'run_g0_t0.imec0.ap.bin' (dat_path)" in relation.evidence
    session = next(s for s in registry.detect([tmp_path]).sessions if len(s.sources) == 2)
    assert {s.format for s in session.sources} == {"phy", "spikeglx"}


SAID: list[tuple[str, Any]] = [
    ("a list", ["/data/run_g0_t0.imec0.ap.bin"]),
    ("forward slashes", "D:/data/run_g0_t0.imec0.ap.bin"),
    ("relative", "../raw/run_g0_t0.imec0.ap.bin"),
]


@pytest.mark.parametrize("said", [pytest.param(c[1], id=c[0]) for c in SAID])
def test_however_the_path_is_written(said: Any, tmp_path: Path) -> None:
    probe(tmp_path / "raw")
    write_phy(tmp_path / "ks", dat_path=said)
    assert related(tmp_path) == ["run_g0"]


def test_of_two_files_of_one_name_the_path_tells(tmp_path: Path) -> None:
    for day in ("monday", "friday"):
        probe(tmp_path / day)
    write_phy(tmp_path / "ks", dat_path="/lab/friday/run_g0_t0.imec0.ap.bin")
    assert related(tmp_path) == ["friday-run_g0"]
    write_phy(tmp_path / "ks", dat_path="/lab/x/run_g0_t0.imec0.ap.bin")
    assert related(tmp_path) == []
    write_phy(tmp_path / "monday" / "ks2", dat_path="../run_g0_t0.imec0.ap.bin")
    shutil.rmtree(tmp_path / "ks")
    assert related(tmp_path) == ["monday-run_g0"]


PLACES: list[tuple[str, str, dict[str, Any], list[str]]] = [
    ("in the run's folder", "a/ks", {}, ["run_g0"]),
    ("deeper in it", "a/x/y/ks", {}, ["run_g0"]),
    ("in it, at another rate", "a/ks", {"sample_rate": 20000.0}, []),
    ("in it, without a rate", "a/ks", {"sample_rate": None}, []),
    ("in it, at a rounded rate", "a/ks", {"sample_rate": 30000}, ["run_g0"]),
    ("beside both", "ks", {}, []),
    ("far away", "far/away/ks", {}, []),
]


@pytest.mark.parametrize(
    ("place", "params", "wanted"), [pytest.param(*c[1:], id=c[0]) for c in PLACES]
)
def test_by_place_and_rate(
    place: str, params: dict[str, Any], wanted: list[str], tmp_path: Path
) -> None:
    probe(tmp_path / "a", "run_g0_t0.imec0.ap")
    probe(tmp_path / "b", "other_g0_t0.imec0.ap")
    write_phy(tmp_path / place, **{"dat_path": "temp_wh.dat", **params})
    assert related(tmp_path) == wanted


def test_beside_the_only_run(tmp_path: Path) -> None:
    probe(tmp_path / "a")
    write_phy(tmp_path / "ks", dat_path="temp_wh.dat")
    assert related(tmp_path) == ["run_g0"]


def test_without_a_recording_it_has_a_clock_of_its_own(tmp_path: Path) -> None:
    write_phy(tmp_path / "x")
    run(tmp_path / "x", tmp_path / "o.nwb")
    with h5py.File(tmp_path / "o.nwb") as f:
        assert f["units/spike_times"][0] == SAMPLES[0] / RATE
        assert "obs_intervals" not in f["units"]
        assert "electrodes" not in f["units"]
    document = verifying.verify(str(tmp_path / "o.nwb"), against=[str(tmp_path / "x")])
    assert document.ok, document.findings


# ------------------------------------------------------------------ written together


def whole(tmp_path: Path, **params: Any) -> Path:
    """A run of 600 samples with a sorting in its folder."""
    raw = tmp_path / "raw"
    probe(raw)
    tables = {"cluster_group.tsv": "cluster_id\tgroup\n0\tgood\n3\tmua\n7\tnoise\n"}
    write_phy(raw / "ks", arrays=with_templates(), tables=tables, **params)
    return raw


def test_times_electrodes_and_quality(tmp_path: Path) -> None:
    raw = whole(tmp_path)
    assert run(raw, tmp_path / "o.nwb").status == 0
    with h5py.File(tmp_path / "o.nwb") as f:
        units = f["units"]
        assert units["spike_times"][...].tolist() == (SAMPLES[ORDER] / RATE).tolist()
        assert units["spike_times"].attrs["resolution"] == 1 / RATE
        assert units["spike_times_index"][...].tolist() == [6, 10, 12]
        assert units["unit_name"].asstr()[...].tolist() == ["0", "3", "7"]
        assert units["id"][...].tolist() == [0, 3, 7]
        assert units["group"].asstr()[...].tolist() == ["good", "mua", "noise"]
        assert units["obs_intervals"][...].tolist() == [[0.0, 600 / RATE]] * 3
        names = f["general/extracellular_ephys/electrodes/electrode_name"].asstr()[...]
        assert names[units["electrodes"][...]].tolist() == ["e0", "e1", "e3", "e4", "e0", "e7"]
        assert units["waveform_mean"].shape == (3, 5, 2)
        assert units["waveform_mean"].attrs["unit"] == "a.u."
        assert list(units.attrs["colnames"])[:2] == ["unit_name", "spike_times"]
    document = verifying.verify(str(tmp_path / "o.nwb"), against=[str(raw)])
    assert document.ok, document.findings
    spikes = [c for c in document.checked if c.what == "spikes"]
    assert [(c.reader, c.rows) for c in spikes] == [("independent", 12)]


def test_channel_map_leads_to_electrodes(tmp_path: Path) -> None:
    raw = whole(tmp_path)
    np.save(raw / "ks" / "channel_map.npy", np.arange(8, dtype=np.int32)[::-1])
    run(raw, tmp_path / "o.nwb")
    with h5py.File(tmp_path / "o.nwb") as f:
        names = f["general/extracellular_ephys/electrodes/electrode_name"].asstr()[...]
        rows = f["units/electrodes"][...]
        assert names[rows].tolist() == ["e7", "e6", "e4", "e3", "e7", "e0"]
    assert verifying.verify(str(tmp_path / "o.nwb"), against=[str(raw)]).ok


def gapped(tmp_path: Path, **params: Any) -> Path:
    """Two triggers of 600 samples, the second a second later; spikes of both."""
    raw = tmp_path / "raw"
    probe(raw, "run_g0_t0.imec0.ap", firstSample=0)
    probe(raw, "run_g0_t1.imec0.ap", firstSample=30000)
    write_phy(raw / "ks", times=SAMPLES * 2, **params)
    return raw


def test_spikes_are_placed_across_gaps(tmp_path: Path) -> None:
    names = ["run_g0_t0.imec0.ap.bin", "run_g0_t1.imec0.ap.bin"]
    raw = gapped(tmp_path, dat_path=names)
    run(raw, tmp_path / "o.nwb")
    samples = SAMPLES[ORDER] * 2
    first = samples < 600
    with h5py.File(tmp_path / "o.nwb") as f:
        seconds = f["units/spike_times"][...]
        assert seconds[first].tolist() == (samples[first] / RATE).tolist()
        wanted = 30000 / RATE + (samples[~first] - 600) / RATE
        assert seconds[~first].tolist() == wanted.tolist()
        intervals = f["units/obs_intervals"][:2]
        np.testing.assert_allclose(
            intervals, [[0, 600 / RATE], [30000 / RATE, 30600 / RATE]], rtol=1e-14
        )
    assert verifying.verify(str(tmp_path / "o.nwb"), against=[str(raw)]).ok


STRETCHES: list[tuple[str, dict[str, Any], int]] = [
    ("the second trigger alone", {"dat_path": "run_g0_t1.imec0.ap.bin"}, 30000),
    ("an offset in bytes", {"dat_path": "run_g0_t0.imec0.ap.bin", "offset": 9 * 2 * 10}, 10),
]


@pytest.mark.parametrize(("params", "first"), [pytest.param(*c[1:], id=c[0]) for c in STRETCHES])
def test_the_sorters_zero_may_lie_later(params: Any, first: int, tmp_path: Path) -> None:
    raw = gapped(tmp_path, **params)
    write_phy(raw / "ks", times=SAMPLES // 2, **params)
    run(raw, tmp_path / "o.nwb")
    with h5py.File(tmp_path / "o.nwb") as f:
        wanted = first / RATE + SAMPLES[ORDER] // 2 / RATE
        np.testing.assert_allclose(f["units/spike_times"][...], wanted, rtol=0, atol=1e-12)
        assert len(f["units/obs_intervals"]) == 3
        assert f["units/obs_intervals"][0, 0] == pytest.approx(first / RATE, abs=1e-12)
    assert verifying.verify(str(tmp_path / "o.nwb"), against=[str(raw)]).ok


def test_the_recordings_rate_counts_not_the_rounded_one(tmp_path: Path) -> None:
    result = run(whole(tmp_path, sample_rate=30000), tmp_path / "o.nwb")
    assert result.document is not None
    assert any("30000 Hz, the recording 30000.25" in note for note in result.document.notes)
    with h5py.File(tmp_path / "o.nwb") as f:
        assert f["units/spike_times"][...].tolist() == (SAMPLES[ORDER] / RATE).tolist()


def test_seconds_and_an_offset_of_the_clock(tmp_path: Path) -> None:
    raw = whole(tmp_path)
    np.save(raw / "ks" / "spike_times.npy", TIMES / RATE)
    run(raw, tmp_path / "o.nwb", offsets=["run_g0/imec0=5"])
    with h5py.File(tmp_path / "o.nwb") as f:
        assert f["units/spike_times"][...].tolist() == (TIMES[ORDER] / RATE + 5).tolist()
        assert f["units/obs_intervals"][0, 0] == 5.0
    assert verifying.verify(str(tmp_path / "o.nwb"), against=[str(raw)]).ok


def test_without_the_recordings_samples_units_keep_its_clock(tmp_path: Path) -> None:
    result = run(whole(tmp_path), tmp_path / "o.nwb", exclude=["run_g0/*"])
    assert result.document is not None
    assert list(result.document.alignment) == ["run_g0/imec0"]
    with h5py.File(tmp_path / "o.nwb") as f:
        assert "electrodes" not in f["units"]
        assert f["units/waveform_mean"].shape == (3, 5, 8)
        assert f["units/spike_times"][0] == SAMPLES[0] / RATE


Break = Callable[[Path], Any]
CONTRADICTIONS: list[tuple[str, dict[str, Any], Break, str, list[float] | None]] = [
    ("rate", {"sample_rate": 25000.0}, lambda r: 0, "sample_rate 25000 Hz", None),
    ("channels", {"n_channels_dat": 385}, lambda r: 0, "n_channels_dat 385, the file of", None),
    ("dtype", {"dtype": "float32"}, lambda r: 0, "dtype 'float32'", None),
    ("offset", {"offset": 7}, lambda r: 0, "offset 7 bytes, which is no sample", None),
    (
        "beyond the end",
        {},
        lambda r: np.save(r / "ks" / "spike_times.npy", SAMPLES + 10),
        "beyond the 600 samples of 'run_g0/imec0.ap': 1 of 12, the last 609",
        [11],
    ),
    (
        "the map",
        {},
        lambda r: np.save(r / "ks" / "channel_map.npy", np.arange(1, 9)),
        "names channel 8, which is no neural channel",
        None,
    ),
]


@pytest.mark.parametrize(
    ("params", "change", "said", "left"), [pytest.param(*c[1:], id=c[0]) for c in CONTRADICTIONS]
)
def test_a_recording_that_cannot_be_the_one_sorted(
    params: Any, change: Break, said: str, left: list[float] | None, tmp_path: Path
) -> None:
    raw = whole(tmp_path, **params)
    change(raw)
    with pytest.raises(NwbkitError) as error:
        run(raw, tmp_path / "o.nwb")
    assert error.value.status == 65
    assert said in error.value.message
    assert not (tmp_path / "o.nwb").exists()
    if left is not None:
        result = run(raw, tmp_path / "o.nwb", salvage=True)
        assert result.status == 3
        with h5py.File(tmp_path / "o.nwb") as f:
            assert len(f["units/spike_times"]) == left[0]
        assert verifying.verify(str(tmp_path / "o.nwb"), against=[str(raw)]).ok


def test_of_several_streams_that_fit_one_must_be_named(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    probe(raw, "run_g0_t0.imec0.ap")
    probe(raw, "run_g0_t0.imec1.ap", imDatPrb_sn="19000000002", imDatPrb_port="2")
    write_phy(raw / "ks", dat_path="temp_wh.dat")
    with pytest.raises(NwbkitError, match=r"imec0\.ap or imec1\.ap") as error:
        run(raw, tmp_path / "o.nwb", unaligned="keep")
    assert error.value.hint == "--set ks.stream=imec0.ap"
    run(raw, tmp_path / "o.nwb", unaligned="keep", sets=["ks.stream=imec1.ap"])
    with h5py.File(tmp_path / "o.nwb") as f:
        assert "Unaligned clock 'run_g0/imec1'" in f["units"].attrs["description"]
    with pytest.raises(NwbkitError, match="no neural stream") as error:
        run(raw, tmp_path / "p.nwb", unaligned="keep", sets=["ks.stream=x"])
    assert error.value.status == 2


def test_two_sortings_are_never_silently_renamed(tmp_path: Path) -> None:
    raw = whole(tmp_path)
    shutil.copytree(raw / "ks", raw / "ks_curated")
    with pytest.raises(NwbkitError) as error:
        run(raw, tmp_path / "o.nwb")
    assert error.value.status == 65
    assert "ks/units" in error.value.message
    assert "--exclude" in (error.value.hint or "")
    named = [*START, "Streams.ks_curated/units.name=units_curated"]
    run(raw, tmp_path / "o.nwb", set_meta=named)
    with h5py.File(tmp_path / "o.nwb") as f:
        second = f["processing/ecephys/units_curated"]
        assert second["spike_times"][...].tolist() == f["units/spike_times"][...].tolist()
    assert verifying.verify(str(tmp_path / "o.nwb"), against=[str(raw)]).ok


def test_a_recording_with_another_rate_is_no_relation_by_place(tmp_path: Path) -> None:
    raw = whole(tmp_path, dat_path="temp_wh.dat")
    edit(raw / "run_g0_t0.imec0.ap.meta", imSampRate="25000", fileTimeSecs=str(600 / 25000))
    assert related(raw) == []


MUTATIONS: list[tuple[str, str, Callable[[Any], None], str]] = [
    ("a spike a sample later", "spike_times", lambda d: d.__setitem__(3, d[3] + 1 / RATE), "spikes"),
    ("a spike in another unit", "spike_times_index", lambda d: d.__setitem__(0, 5), "spikes"),
    ("units exchanged", "unit_name", lambda d: d.__setitem__(0, "9"), "units"),
    ("a label", "group", lambda d: d.__setitem__(0, "mua"), "quality"),
    ("an electrode", "electrodes", lambda d: d.__setitem__(0, 5), "electrodes"),
    ("an interval", "obs_intervals", lambda d: d.__setitem__((0, 1), 9.0), "obs_intervals"),
    ("a waveform", "waveform_mean", lambda d: d.__setitem__((0, 0, 0), 9.0), "waveforms"),
    ("the resolution", "spike_times", lambda d: d.attrs.__setitem__("resolution", 1.0), "resolution"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "mutate", "what"), [pytest.param(*c[1:], id=c[0]) for c in MUTATIONS]
)
def test_verify_against_finds_what_differs(
    name: str, mutate: Callable[[Any], None], what: str, tmp_path: Path
) -> None:
    raw = whole(tmp_path)
    run(raw, tmp_path / "o.nwb")
    with h5py.File(tmp_path / "o.nwb", "r+") as f:
        mutate(f["units"][name])
    document = verifying.verify(str(tmp_path / "o.nwb"), against=[str(raw)])
    failed = {c.what for c in document.checked if c.address == "ks/units" and not c.equal}
    assert failed == {what}
