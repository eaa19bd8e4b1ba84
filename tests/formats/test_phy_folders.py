"""Phy folders of every make: what is read of each, and what is refused or mended."""

from __future__ import annotations

import functools
import operator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nwbkit.errors import NwbkitError
from nwbkit.formats import registry
from nwbkit.formats.base import Format, Reader, Source
from nwbkit.formats.sorting.phy.stream import PhyUnits
from tests.expected.phy import CLUSTERS, PARAMS, TIMES, templates, with_templates, write_phy

RATE = PARAMS["sample_rate"]
SAMPLES = TIMES.astype(np.int64)
OF = {str(c): SAMPLES[c == CLUSTERS].tolist() for c in (0, 3, 7)}


def opened(folder: Path, *, salvage: bool = False, **options: Any) -> Reader:
    (source,) = registry.detect([folder]).sources()
    assert source.format == "phy"
    fmt: Format = registry.formats()["phy"]
    typed = {n: fmt.option(n).parse(v, where=n) for n, v in options.items()}
    return registry.open_source(Source(source.id, "phy", source.paths, typed, salvage))


def units(reader: Reader) -> dict[str, list[Any]]:
    (stream,) = reader.streams
    assert isinstance(stream, PhyUnits)
    return {name: stream.read(i, i + 1).tolist() for i, name in enumerate(stream.ids)}


def quality(reader: Reader) -> dict[str, list[Any]]:
    (stream,) = reader.streams
    assert isinstance(stream, PhyUnits)
    assert stream.properties is not None
    return {n: v.tolist() for n, v in stream.properties.read().items()}


# ------------------------------------------------------------------ spikes

STORED: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("kilosort 2: columns", {"times": TIMES[:, None], "clusters": CLUSTERS[:, None]}, {}),
    ("kilosort 4: flat int64", {"times": SAMPLES}, {}),
    ("one row", {"times": SAMPLES[None, :]}, {}),
    ("int32", {"times": TIMES.astype(np.int32)}, {}),
    ("big-endian", {"times": TIMES.astype(">u8"), "clusters": CLUSTERS.astype(">i2")}, {}),
    ("matlab doubles", {"times": TIMES.astype(float), "clusters": CLUSTERS.astype(float)}, {}),
    ("templates alone", {"clusters": None, "arrays": {"spike_templates": CLUSTERS}}, {}),
    ("far cluster ids", {"clusters": np.where(CLUSTERS == 7, 2**31 - 1, CLUSTERS)}, {}),
    ("a rate by the user", {"sample_rate": None}, {"rate": RATE}),
]


@pytest.mark.parametrize(("make", "options"), [pytest.param(*c[1:], id=c[0]) for c in STORED])
def test_samples_of_each_unit(make: dict[str, Any], options: Any, tmp_path: Path) -> None:
    reader = opened(write_phy(tmp_path / "x", **make), **options)
    found = units(reader)
    assert list(found.values()) == list(OF.values())
    assert list(found)[:2] == ["0", "3"]
    (stream,) = reader.streams
    assert isinstance(stream, PhyUnits)
    assert stream.unit == "samples"
    assert stream.dtype == np.int64
    assert stream.counts().tolist() == [6, 4, 2]
    assert stream.read(0, 3).tolist() == functools.reduce(operator.iadd, OF.values(), [])
    assert stream.timebase is not None
    assert stream.timebase.rate == RATE
    second = reader.reread_table("units")
    assert second is not None
    assert np.array_equal(second["time"], SAMPLES)


SECONDS = TIMES / RATE


@pytest.mark.parametrize("kind", ["<f8", "<f4"])
def test_seconds_are_recognised_by_lying_on_samples(kind: str, tmp_path: Path) -> None:
    reader = opened(write_phy(tmp_path / "x", times=SECONDS.astype(kind)))
    (stream,) = reader.streams
    assert isinstance(stream, PhyUnits)
    assert stream.unit == "seconds"
    assert units(reader)["0"] == SECONDS.astype(kind).astype(float)[CLUSTERS == 0].tolist()
    assert any("seconds" in note for note in reader.notes)


UNSURE: list[tuple[str, Any, dict[str, Any]]] = [
    ("off the samples", SECONDS + 1e-5, {}),
    ("float32 after an hour", (SECONDS + 3600).astype(np.float32), {}),
    ("few whole floats", np.arange(3.0), {}),
    ("no rate", SECONDS, {"sample_rate": None}),
    ("half samples", SAMPLES + 0.5, {"sample_rate": 30000.0}),
    ("tenths of samples", SAMPLES + 0.1, {"sample_rate": 30000.0}),
    ("sixteenths of samples", SAMPLES + np.arange(12) / 16, {"sample_rate": 30000.0}),
    ("thirds of samples", SAMPLES + np.arange(12) / 3, {"sample_rate": 30000.0}),
    ("few seconds", SECONDS[:3], {}),
]


@pytest.mark.parametrize(("times", "params"), [pytest.param(*c[1:], id=c[0]) for c in UNSURE])
def test_floats_that_could_be_either_are_asked_about(
    times: Any, params: Any, tmp_path: Path
) -> None:
    folder = write_phy(tmp_path / "x", times=times, clusters=CLUSTERS[: len(times)], **params)
    with pytest.raises(NwbkitError, match="samples or seconds") as error:
        opened(folder)
    assert error.value.status == 65
    assert error.value.hint == "--set x.times=seconds"
    (stream,) = opened(folder, times="seconds").streams
    assert isinstance(stream, PhyUnits)
    assert stream.unit == "seconds"


@pytest.mark.parametrize("times", [TIMES, SECONDS])
def test_the_spikes_before_a_time(times: Any, tmp_path: Path) -> None:
    (stream,) = opened(write_phy(tmp_path / "x", times=times)).streams
    assert isinstance(stream, PhyUnits)
    early = stream.before(200.5 / RATE)
    assert early.ids == stream.ids
    assert early.counts().tolist() == [4, 2, 1]
    assert early.read(2, 3).tolist() == times[CLUSTERS == 7][:1].tolist()


def test_ten_thousand_units_are_grouped_at_once(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    n = 400_000
    times = np.sort(rng.integers(0, 10**9, n)).astype(np.uint64)
    clusters = rng.integers(0, 70_000, n).astype(np.uint32)
    reader = opened(write_phy(tmp_path / "x", times=times, clusters=clusters))
    (stream,) = reader.streams
    assert isinstance(stream, PhyUnits)
    for k in (0, 1, len(stream.ids) - 1):
        mine = times[clusters == int(stream.ids[k])]
        assert stream.read(k, k + 1).tolist() == mine.tolist()
    assert stream.counts().sum() == n


# ------------------------------------------------------------------ tables

TABLES: list[tuple[str, dict[str, str], dict[str, list[Any]], str]] = [
    (
        "a cluster that no table has is kept",
        {"cluster_group.tsv": "cluster_id\tgroup\n0\tgood\n3\tmua\n"},
        {"group": ["good", "mua", ""]},
        "in no table are kept: 7",
    ),
    (
        "one without spikes is said",
        {"cluster_fr.tsv": "cluster_id\tfr\n0\t1.5\n3\t2\n7\t3\n9\t4\n"},
        {"fr": [1.5, 2.0, 3.0]},
        "no spikes (merged or split in Phy) are no units: 9",
    ),
    (
        "whole numbers, absent ones",
        {
            "cluster_sh.tsv": "cluster_id\tsh\n0\t1\n3\t2\n7\t\n",
            "cluster_ch.tsv": "cluster_id\tch\n0\t4\n3\t5\n7\t6\n",
        },
        {"ch": [4, 5, 6], "sh": [1.0, 2.0, np.nan]},
        "",
    ),
    (
        "cluster_info with the column id",
        {
            "cluster_info.tsv": "id\tamp\tn_spikes\tgroup\n0\t9.5\t6\tgood\n3\t8\t4\t\n7\t7\t2\tnoise\n"
        },
        {"amp": [9.5, 8.0, 7.0], "n_spikes": [6, 4, 2], "group": ["good", "", "noise"]},
        "",
    ),
    (
        "Phy's own table wins over its summary",
        {
            "cluster_group.tsv": "cluster_id\tgroup\n0\tgood\n3\tgood\n7\tgood\n",
            "cluster_info.tsv": "cluster_id\tgroup\n0\tmua\n3\tgood\n7\tgood\n",
        },
        {"group": ["good", "good", "good"]},
        "differ in group of clusters 0:",
    ),
    (
        "kilosort 2.5 heads cluster_group.tsv with KSLabel",
        {
            "cluster_KSLabel.tsv": "cluster_id\tKSLabel\n0\tgood\n3\tmua\n7\tmua\n",
            "cluster_group.tsv": "cluster_id\tKSLabel\n0\tgood\n3\tmua\n7\tnoise\n",
        },
        {"KSLabel": ["good", "mua", "mua"], "group": ["good", "mua", "noise"]},
        "is called 'group'",
    ),
    (
        "the same twice is once",
        {
            "cluster_KSLabel.tsv": "cluster_id\tKSLabel\n0\tgood\n3\tmua\n7\tmua\n",
            "cluster_group.tsv": "cluster_id\tKSLabel\n0\tgood\n3\tmua\n7\tmua\n",
        },
        {"KSLabel": ["good", "mua", "mua"]},
        "",
    ),
    (
        "commas, quotes, a mark, CRLF",
        {"cluster_note.csv": '\ufeffcluster_id,note\r\n0,"a, b"\r\n3,ü\r\n7,x\r\n'},
        {"note": ["a, b", "ü", "x"]},
        "",
    ),
    (
        "names that NWB has a use for",
        {"cluster_x.tsv": "cluster_id\telectrodes\ta/b:c\n0\t1\t2\n3\t1\t2\n7\t1\t2\n"},
        {"phy_electrodes": [1, 1, 1], "a_b_c": [2, 2, 2]},
        "'electrodes' of 'cluster_x.tsv' is called 'phy_electrodes'",
    ),
    ("no column of clusters", {"cluster_x.tsv": "a\tb\n1\t2\n"}, {}, "left aside"),
    ("an empty table", {"cluster_x.tsv": ""}, {}, "is empty"),
]


@pytest.mark.parametrize(
    ("tables", "wanted", "note"), [pytest.param(*c[1:], id=c[0]) for c in TABLES]
)
def test_tables_of_clusters(
    tables: dict[str, str], wanted: dict[str, list[Any]], note: str, tmp_path: Path
) -> None:
    reader = opened(write_phy(tmp_path / "x", tables=tables))
    assert units(reader) == OF
    if wanted:
        found = quality(reader)
        assert set(found) == set(wanted)
        for name, values in wanted.items():
            np.testing.assert_array_equal(found[name], values)
    assert any(note in n for n in reader.notes) or not note
    assert bool(reader.notes) is bool(note)


KEPT: list[tuple[str, dict[str, str], list[str]]] = [
    ("by group", {"cluster_group.tsv": "cluster_id\tgroup\n0\tgood\n3\tnoise\n"}, ["0"]),
    (
        "group before KSLabel",
        {
            "cluster_group.tsv": "cluster_id\tgroup\n7\tgood\n",
            "cluster_KSLabel.tsv": "cluster_id\tKSLabel\n0\tgood\n3\tgood\n",
        },
        ["7"],
    ),
    ("by KSLabel", {"cluster_KSLabel.tsv": "cluster_id\tKSLabel\n0\tgood\n3\tgood\n"}, ["0", "3"]),
]


@pytest.mark.parametrize(("tables", "ids"), [pytest.param(*c[1:], id=c[0]) for c in KEPT])
def test_good_units_alone(tables: dict[str, str], ids: list[str], tmp_path: Path) -> None:
    folder = write_phy(tmp_path / "x", tables=tables)
    reader = opened(folder, keep="good")
    assert units(reader) == {i: OF[i] for i in ids}
    assert any("left out" in note for note in reader.notes)
    assert units(opened(folder)) == OF


def test_no_good_unit_at_all(tmp_path: Path) -> None:
    folder = write_phy(tmp_path / "x", tables={"cluster_group.tsv": "cluster_id\tgroup\n0\tmua\n"})
    assert opened(folder, keep="good").streams == []


def test_identifiers_are_not_rounded(tmp_path: Path) -> None:
    table = "cluster_id\tuid\n0\t12345678901234567890\n3\t1\n"
    found = quality(opened(write_phy(tmp_path / "x", tables={"cluster_uid.tsv": table})))
    assert found["uid"] == ["12345678901234567890", "1", ""]


# ------------------------------------------------------------------ templates


def waveforms(reader: Reader, sparse: bool) -> Any:
    (stream,) = reader.streams
    assert isinstance(stream, PhyUnits)
    return stream.waveforms(sparse=sparse)


def test_a_template_is_the_mean_waveform_on_its_channels(tmp_path: Path) -> None:
    reader = opened(write_phy(tmp_path / "x", arrays=with_templates()))
    whole, mine = waveforms(reader, False), waveforms(reader, True)
    assert np.array_equal(whole.data, templates()[[0, 3, 7]])
    assert [c.tolist() for c in mine.channels] == [[0, 1], [3, 4], [0, 7]]
    assert np.array_equal(mine.data[1], templates()[3][:, [3, 4]])
    assert "not volts" in whole.description
    assert "whitened space" in whole.description


def test_whitening_is_undone_where_the_folder_tells_how(tmp_path: Path) -> None:
    inverse = np.diag(np.arange(1.0, 9.0)) + np.eye(8, k=1) * 0.5
    folder = write_phy(tmp_path / "x", arrays=with_templates(whitening_mat_inv=inverse))
    found = waveforms(opened(folder), True)
    wanted = (templates() @ inverse.astype(np.float32))[3][:, [3, 4]]
    assert np.array_equal(found.data[1], wanted)
    assert "unwhitened with whitening_mat_inv.npy" in found.description


def test_a_multiple_of_the_identity_undoes_nothing(tmp_path: Path) -> None:
    folder = write_phy(tmp_path / "x", arrays=with_templates(whitening_mat_inv=np.eye(8) * 200))
    found = waveforms(opened(folder), False)
    assert np.array_equal(found.data, templates()[[0, 3, 7]])
    assert "200 times the identity" in found.description


def test_a_merged_unit_has_the_mean_over_its_spikes(tmp_path: Path) -> None:
    merged = np.where(CLUSTERS == 7, 3, CLUSTERS)
    reader = opened(write_phy(tmp_path / "x", clusters=merged, arrays=with_templates()))
    found = waveforms(reader, False)
    wanted = (4 * templates()[3] + 2 * templates()[7]) / 6
    np.testing.assert_allclose(found.data[1], wanted, rtol=1e-6)
    assert "of units found by several (1) the mean over their spikes" in found.description
    assert waveforms(reader, True).channels[1].tolist() == [0, 3, 4, 7]
    assert np.isnan(waveforms(reader, True).data[0][:, 2:]).all()


def test_templates_on_channels_of_their_own(tmp_path: Path) -> None:
    local = np.zeros((8, 5, 3), np.float32)
    index = np.array([[t, (t + 1) % 8, -1] for t in range(8)], np.float64)
    for t in range(8):
        local[t, :, :2] = templates()[t][:, index[t, :2].astype(int)]
    arrays = with_templates(templates=local, templates_ind=index)
    found = waveforms(opened(write_phy(tmp_path / "x", arrays=arrays)), False)
    assert np.array_equal(found.data, templates()[[0, 3, 7]])
    index[3, 0] = 8  # a channel that there is not
    folder = write_phy(tmp_path / "x", arrays={**arrays, "templates_ind": index})
    with pytest.raises(NwbkitError, match="template 3 on channel 8") as error:
        waveforms(opened(folder), False)
    assert error.value.status == 65
