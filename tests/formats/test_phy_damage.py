"""Phy folders that are damaged, contradict themselves or lack a fact: named, asked for, mended."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nwbkit.errors import NwbkitError
from nwbkit.formats import registry
from tests.expected.phy import CLUSTERS, templates, with_templates, write_phy
from tests.formats.test_phy_folders import OF, SAMPLES, opened, quality, units

Change = Callable[[Path], Any]


def put(name: str, values: Any) -> Change:
    return lambda folder: np.save(folder / f"{name}.npy", values)


def text(name: str, content: str) -> Change:
    return lambda folder: (folder / name).write_text(content)


def cut(name: str, n: int) -> Change:
    return lambda folder: (folder / name).write_bytes((folder / name).read_bytes()[:-n])


NEGATIVE = SAMPLES.copy()
NEGATIVE[0] = -5
SHUFFLED = SAMPLES[[1, 0, *range(2, 12)]]
#: name, change, what the error says, what --salvage leaves of unit 0 (None: refused too)
DAMAGED: list[tuple[str, Change, str, list[int] | None]] = [
    ("negative", put("spike_times", NEGATIVE), "1 of 12, the first -5", OF["0"][1:]),
    ("negative, wrapped", put("spike_times", NEGATIVE.astype(np.uint64)), "first -5", OF["0"][1:]),
    ("unsorted", put("spike_times", SHUFFLED), "not in order: spike 1 at 3 follows one at 10", [10, *OF["0"][1:]]),
    ("truncated times", cut("spike_times.npy", 12), "holds 84 bytes", [*OF["0"][:-1]]),
    ("one cluster less", put("spike_clusters", CLUSTERS[:-1]), "'spike_times.npy' holds 12", OF["0"][:-1]),
    ("one template less", put("spike_templates", CLUSTERS[:-1]), "'spike_templates.npy' holds 11", OF["0"][:-1]),
    ("a table of times", put("spike_times", SAMPLES.reshape(6, 2)), "expected one number a spike", None),
    ("complex times", put("spike_times", SAMPLES * 1j), "expected one number a spike", None),
    ("NaN", put("spike_times", np.full(12, np.nan)), "no numbers", None),
    ("clusters of 0.5", put("spike_clusters", CLUSTERS + 0.5), "not whole", None),
    ("huge cluster", put("spike_clusters", CLUSTERS.astype(np.int64) + 2**40), "no cluster id", None),
    ("empty times", lambda f: (f / "spike_times.npy").write_bytes(b""), "'spike_times.npy' is empty", None),
    ("no clusters", lambda f: (f / "spike_clusters.npy").write_bytes(b"x" * 99), "does not begin", None),
    ("rate 0", text("params.py", "sample_rate = 0\ndat_path = 'x'\n"), "sample_rate 0", None),
    ("rate a text", text("params.py", "sample_rate = 'fast'\ndat_path = 'x'\n"), "'fast'", None),
    ("rate infinite", text("params.py", "sample_rate = 1e999\ndat_path = 'x'\n"), "sample_rate inf", None),
    ("a cluster twice", text("cluster_x.tsv", "cluster_id\tx\n0\t1\n0\t2\n"), "cluster 0 again in line 3", OF["0"]),
    ("too many cells", text("cluster_x.tsv", "cluster_id\tx\n0\t1\t2\n"), "3 cells in line 2", OF["0"]),
    ("a row of no cluster", text("cluster_x.tsv", "cluster_id\tx\nzero\t1\n"), "line 2 names no cluster: 'zero'", None),
    ("a binary table", lambda f: (f / "cluster_x.tsv").write_bytes(b"\0\1"), "no table of clusters", None),
    ("stale counts", text("cluster_info.tsv", "cluster_id\tn_spikes\n0\t5\n"), "n_spikes 5 of cluster 0, 'spike_clusters.npy' holds 6", OF["0"]),
    ("templates of other channels", put("templates", templates(8, 5, 7)), "has 7 channels, 'channel_map.npy' 8", OF["0"]),
    ("too few templates", put("templates", templates(7)), "holds 7 templates, 'spike_templates.npy' names 7", OF["0"]),
    ("templates of two axes", put("templates", np.zeros((8, 5))), "expected (templates, samples, channels)", OF["0"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "said", "left"), [pytest.param(*c[1:], id=c[0]) for c in DAMAGED]
)
def test_damage_is_named_and_mended_on_demand(
    change: Change, said: str, left: list[int] | None, tmp_path: Path
) -> None:
    folder = write_phy(tmp_path / "µ x", arrays=with_templates())
    change(folder)
    with pytest.raises(NwbkitError) as error:
        opened(folder)
    assert error.value.status == 65
    assert said in error.value.message
    assert "\n" not in error.value.message
    if left is None:
        with pytest.raises(NwbkitError, match=r"."):
            opened(folder, salvage=True)
        return
    assert "--salvage" in (error.value.hint or "")
    reader = opened(folder, salvage=True)
    assert units(reader)["0"] == left
    assert len(reader.losses) >= 1
    assert said in reader.losses[0]


def test_two_tables_that_contradict_each_other(tmp_path: Path) -> None:
    tables = {
        "cluster_group.tsv": "cluster_id\tgroup\n0\tgood\n",
        "cluster_groups.csv": "cluster_id\tgroup\n0\tmua\n",
    }
    folder = write_phy(tmp_path / "x", tables=tables)
    reader = opened(folder)
    # the file is called otherwise than its column: both are kept, each under a name of its own
    assert set(quality(reader)) == {"group", "groups"}
    (folder / "cluster_group.csv").write_text("cluster_id,group\n0,noise\n")
    with pytest.raises(NwbkitError, match="says group") as error:
        opened(folder)
    assert error.value.status == 65


def test_no_spikes_are_no_units(tmp_path: Path) -> None:
    none = np.zeros(0, np.uint64)
    reader = opened(write_phy(tmp_path / "x", times=none, clusters=none.astype(np.int32)))
    assert reader.streams == []
    assert any("no spike" in note for note in reader.notes)


def test_a_missing_rate_is_asked_for_by_option(tmp_path: Path) -> None:
    from nwbkit.convert import Request, convert

    write_phy(tmp_path / "x", sample_rate=None)
    start = ["NWBFile.session_start_time=2024-05-01T10:00:00+02:00"]
    request = Request([str(tmp_path / "x")], str(tmp_path / "o.nwb"), set_meta=start)
    with pytest.raises(NwbkitError, match="no sampling rate") as error:
        convert(request)
    assert (error.value.status, error.value.hint) == (65, "--set x.rate=HZ")


def test_a_choice_of_good_units_without_labels(tmp_path: Path) -> None:
    with pytest.raises(NwbkitError, match="neither group nor KSLabel") as error:
        opened(write_phy(tmp_path / "x"), keep="good")
    assert error.value.hint == "--set x.keep=all"


# ------------------------------------------------------------------ detection

ALMOST: list[tuple[str, Change]] = [
    ("no params.py", lambda f: (f / "params.py").unlink()),
    ("no times", lambda f: (f / "spike_times.npy").unlink()),
    ("no clusters", lambda f: (f / "spike_clusters.npy").unlink()),
]


@pytest.mark.parametrize("change", [pytest.param(c[1], id=c[0]) for c in ALMOST])
def test_less_than_a_phy_folder_is_not_claimed(change: Change, tmp_path: Path) -> None:
    folder = write_phy(tmp_path / "x")
    change(folder)
    assert [s for s in registry.detect([folder]).sources() if s.format == "phy"] == []


def test_only_what_belongs_to_it_is_claimed(tmp_path: Path) -> None:
    folder = write_phy(tmp_path / "x", tables={"cluster_group.tsv": "cluster_id\tgroup\n"})
    np.save(folder / "timestamps.npy", np.arange(9))  # a recording's, in the same folder
    (folder / "sub").mkdir()
    (folder / "sub" / "cluster_group.tsv").write_text("cluster_id\tgroup\n")
    (source,) = [s for s in registry.detect([tmp_path]).sources() if s.format == "phy"]
    names = [p.relative_to(folder).as_posix() for p in source.paths]
    assert names == ["params.py", "spike_times.npy", "spike_clusters.npy", "cluster_group.tsv"]
    (alone,) = registry.detect([folder / "params.py"]).sources()
    assert alone.paths == source.paths
