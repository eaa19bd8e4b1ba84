"""Plans: made from samples of the data, the same every time, edited by hand, used by convert."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from nwbkit import convert as converting
from nwbkit import plans
from nwbkit.chunk_plan import Request, chunk_plan, render
from nwbkit.documents import envelope
from nwbkit.documents.plan import PlanDocument
from nwbkit.errors import DocumentError, NwbkitError, UsageError
from nwbkit.plans import plan_for, planned
from nwbkit.storage import codec as codecs
from nwbkit.storage import planning, policies
from nwbkit.storage.planning import MAX_CHUNK_BYTES, DatasetPlan
from nwbkit.storage.sampling import BLOCKS, Trial, blocks_of, choose, try_plan
from nwbkit.streams import Array
from tests.data import DATA, needs_data
from tests.storage.conftest import environment
from tests.toy import AP, EVENTS, SY, stream, toys, write_toy

__all__ = ["toys"]

GAPPED = {**AP, "segments": [[2000, 0.0], [3000, 7.5]]}


@pytest.fixture
def raw(tmp_path: Path, toys: None) -> Path:
    return write_toy(tmp_path / "raw", [AP, SY, EVENTS])


def plan(raw: Path, **options: Any) -> PlanDocument:
    return chunk_plan(Request(inputs=[str(raw)], **options))[0]


def convert(raw: Path, out: Path, **options: Any) -> Any:
    request = converting.Request(inputs=[str(raw)], output=str(out), jobs=2, **options)
    return converting.convert(request)


def write(path: Path, **content: Any) -> str:
    path.write_text(json.dumps(content))
    return str(path)


# ---------------------------------------------------------------- the document


def test_it_names_every_dataset_that_convert_fills(raw: Path, tmp_path: Path) -> None:
    document = plan(raw)
    convert(raw, tmp_path / "out.nwb")
    sidecar = json.loads((tmp_path / "out.nwb.json").read_text())
    assert set(document.datasets) == {d["key"] for d in sidecar["datasets"].values()}
    assert document.expected is not None
    assert set(document.expected) == set(document.datasets) == {"rec/ap:data", "rec/sync:data"}


def test_timestamps_are_planned_too(tmp_path: Path, toys: None) -> None:
    document = plan(write_toy(tmp_path / "raw", [GAPPED]))
    assert set(document.datasets) == {"rec/ap:data", "rec/ap:timestamps"}


def test_no_start_time_and_no_clock_are_needed(tmp_path: Path, toys: None) -> None:
    raw = write_toy(
        tmp_path / "raw", [AP, stream("adc", 4, 1, role="analog", clock="box")], nwbfile={}
    )
    assert set(plan(raw).datasets) == {"rec/ap:data", "rec/adc:data"}


def test_the_same_inputs_give_the_same_bytes(raw: Path, tmp_path: Path) -> None:
    first = envelope.dumps(plan(raw, measure=False))
    assert "measured" not in json.loads(first)
    assert envelope.dumps(plan(raw, measure=False)) == first
    measured = json.loads(envelope.dumps(plan(raw)))
    assert measured.pop("measured")["datasets"]["rec/ap:data"]["tried"]
    assert measured == json.loads(first)


def test_speeds_never_decide(raw: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the clock says, the plan is the same."""
    expected = plan(raw, measure=False)
    ticks = iter(np.random.default_rng(3).random(10_000).cumsum())
    monkeypatch.setattr("nwbkit.storage.sampling.time.perf_counter", lambda: next(ticks))
    assert envelope.dumps(plan(raw, measure=False)) == envelope.dumps(expected)


def test_expectations_are_what_comes_out(raw: Path, tmp_path: Path) -> None:
    """These datasets are sampled whole, so the forecast is exact."""
    document = plan(raw)
    path = tmp_path / "plan.json"
    envelope.write(document, path)
    convert(raw, tmp_path / "out.nwb", plan=str(path))
    with h5py.File(tmp_path / "out.nwb") as file:
        dataset = file["acquisition/ElectricalSeriesAP/data"]
        found = document.expected["rec/ap:data"]  # type: ignore[index]
        assert found.stored_bytes == pytest.approx(dataset.id.get_storage_size(), abs=1)
        assert found.objects == dataset.id.get_num_chunks()
        assert found.raw_bytes == dataset.nbytes
    assert document.total is not None
    assert document.total.raw_bytes == 5000 * 5 * 2


@pytest.mark.parametrize("use", policies.USES)
@pytest.mark.parametrize("backend", ["hdf5", "zarr"])
def test_every_use_of_every_back_end_can_be_converted(
    raw: Path, tmp_path: Path, use: str, backend: str
) -> None:
    document = plan(raw, use=use, backend=backend, measure=False)
    assert (document.for_, document.backend) == (use, backend)
    path = tmp_path / "plan.json"
    envelope.write(document, path)
    settled_plans = plans.read_plan(str(path), backend=backend)
    for key, shape in (("rec/ap:data", (5000, 4)), ("rec/sync:data", (5000, 1))):
        used = planned(settled_plans, key, shape, "<i2", backend)
        said = document.datasets[key]
        assert [list(used.chunks), used.codec, used.level, used.shuffle, used.fletcher32] == [
            said.chunks,
            said.codec,
            said.level,
            said.shuffle,
            said.fletcher32,
        ]
        assert used.protected
        if backend == "hdf5":
            assert planning.CODECS[used.codec].everywhere


def test_a_plan_can_be_edited_and_used(raw: Path, tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    envelope.write(plan(raw), path)
    content = json.loads(path.read_text())
    content["datasets"]["rec/ap:data"].update(chunks=[512, 2], codec="none", level=0)
    del content["datasets"]["rec/ap:data"]["fletcher32"]
    path.write_text(json.dumps(content))
    convert(raw, tmp_path / "out.nwb", plan=str(path))
    with h5py.File(tmp_path / "out.nwb") as file:
        dataset = file["acquisition/ElectricalSeriesAP/data"]
        assert dataset.chunks == (512, 2)
        assert dataset.compression is None
        assert dataset.fletcher32


def test_the_table_tells_sizes_and_who_cannot_read_it(raw: Path) -> None:
    text = render(plan(raw, codec="zstd:5"), 120)
    assert text.splitlines()[0].split()[:3] == ["DATASET", "CHUNKS", "CODEC"]
    assert "rec/ap:data" in text and "zstd:5" in text and "total" in text
    assert "MatNWB" in text
    assert "MatNWB" not in render(plan(raw, measure=False), 120)


# ---------------------------------------------------------------- use and refusal

REFUSED = [
    ({"datasets": {"rec/ap:dat": {"level": 2}}}, "which 'rec/ap' does not have", "rec/ap:data"),
    ({"datasets": {"rec/app:data": {"level": 2}}}, "is no stream of these sources", "rec/ap"),
    ({"datasets": {"*/ap:data": {"level": 2}}}, "is a pattern", "policy: NAME"),
    ({"datasets": {"rec/ap:data": {"codek": "gzip"}}}, "unknown key", "did you mean 'codec'?"),
    ({"datsets": {}}, "unknown key 'datsets'", "did you mean 'datasets'?"),
    ({"datasets": {"rec/ap:data": {"codec": "lzma"}}}, "unknown codec 'lzma'", "gzip, zstd"),
    ({"datasets": {"rec/ap:data": {"level": 99}}}, "level 99", "0 to 9"),
    ({"datasets": {"rec/ap:data": {"chunks": [9]}}}, "do not fit", "each dimension"),
    ({"policy": "lab", "sources": {"rec": "00"}}, "a policy and is bound", "keep one"),
    ({"sources": {"rec": "00"}}, "made for other sources: 'rec' holds other data", "chunk-plan"),
    ({"sources": {"other": "00"}}, "'rec' is not among them", "policy: NAME"),
    ({"backend": "zarr"}, "a plan for zarr, the output is hdf5", "--backend hdf5"),
]


@pytest.mark.parametrize(("content", "message", "hint"), REFUSED)
def test_a_plan_that_cannot_be_used_is_refused(
    raw: Path, tmp_path: Path, content: dict[str, Any], message: str, hint: str
) -> None:
    path = write(tmp_path / "plan.json", **content)
    with pytest.raises(DocumentError) as caught:
        convert(raw, tmp_path / "out.nwb", plan=path)
    assert message in str(caught.value)
    assert hint in (caught.value.hint or "")
    assert caught.value.status == 65
    assert not (tmp_path / "out.nwb").exists()


def test_a_plan_of_other_data_is_refused_and_of_moved_data_is_not(
    raw: Path, tmp_path: Path
) -> None:
    path = tmp_path / "plan.json"
    envelope.write(plan(raw), path)
    moved = tmp_path / "elsewhere"
    raw.parent.rename(moved)
    convert(moved / "rec.toy", tmp_path / "moved.nwb", plan=str(path))
    data = moved / "rec.dat"
    data.write_bytes(bytes([1]) + data.read_bytes()[1:])
    with pytest.raises(DocumentError, match="made for other sources"):
        convert(moved / "rec.toy", tmp_path / "out.nwb", plan=str(path))


def test_a_policy_goes_for_any_source(raw: Path, tmp_path: Path) -> None:
    path = write(
        tmp_path / "lab.json",
        policy="lab standard",
        datasets={
            "*": {"codec": "gzip", "level": 3},
            "*/ap:data": {"chunks": [1000, 4]},
            "rec/sync": {"codec": "none"},
            "other/thing:data": {"level": 2},
        },
    )
    convert(raw, tmp_path / "out.nwb", plan=path)
    with h5py.File(tmp_path / "out.nwb") as file:
        ap = file["acquisition/ElectricalSeriesAP/data"]
        sync = file["acquisition/TimeSeriesSync/data"]
        assert (ap.chunks, ap.compression, ap.compression_opts) == ((1000, 4), "gzip", 3)
        assert (sync.compression, sync.fletcher32) == (None, True)


def test_yaml_without_envelope(raw: Path, tmp_path: Path) -> None:
    path = tmp_path / "lab.yaml"
    path.write_text("policy: ours\ndatasets:\n  '*/ap:data':\n    chunks: [100, 4]\n")
    convert(raw, tmp_path / "out.nwb", plan=str(path))
    with h5py.File(tmp_path / "out.nwb") as file:
        assert file["acquisition/ElectricalSeriesAP/data"].chunks == (100, 4)


PATTERNS: list[tuple[dict[str, dict[str, Any]], str, dict[str, Any]]] = [
    ({"*": {"level": 1}, "a/b:c": {"level": 2}}, "a/b:c", {"level": 2}),
    ({"a": {"level": 1}, "a/b*": {"shuffle": False}}, "a/b:c", {"level": 1, "shuffle": False}),
    ({"a/b": {"level": 1}, "*:c": {"level": 3}}, "a/b:c", {"level": 1}),
    ({"a": {"level": 9}, "a/b": {"codec": "none"}}, "a/b:c", {"codec": "none"}),
    ({"a/b:c": {"level": 4}}, "a/b:c@seg3", {"level": 4}),
    ({"a/b:c@seg3": {"level": 5}, "a/b:c": {"level": 4}}, "a/b:c@seg3", {"level": 5}),
    ({"a/b:d": {"level": 5}, "a/x*": {"level": 4}}, "a/b:c", {}),
]


@pytest.mark.parametrize(("said", "key", "found"), PATTERNS)
def test_the_most_specific_pattern_wins(said: Any, key: str, found: Any) -> None:
    assert plan_for(said, key) == found


def test_what_is_not_said_follows_from_what_is() -> None:
    """Another codec brings its own level and checksum, not those of the default."""
    shape = (1_000_000, 64)
    said = {"codec": "blosc-zstd"}
    assert planned({"*": said}, "a/b:c", shape, "<i2") == DatasetPlan(
        (8192, 64), "blosc-zstd", 1, True, True
    )
    assert planned({"*": {"codec": "none"}}, "a/b:c", shape, "<i2") == DatasetPlan(
        (8192, 64), "none", 0, False, True
    )
    assert planned({"*": {"level": 5}}, "a/b:c", shape, "<i2").level == 5
    assert planned({}, "a/b:c", shape, "<i2") == planning.default_plan(shape, "<i2")


def test_a_chunk_that_no_reader_could_hold_is_refused() -> None:
    rows = MAX_CHUNK_BYTES // 2 + 1
    with pytest.raises(DocumentError, match="more than 1 GiB"):
        planned({"*": {"chunks": [rows]}}, "a/b:c", (1 << 40,), "<i2")


# ---------------------------------------------------------------- --codec


@pytest.mark.parametrize("asked", ["zstd", "zstd:9", "blosc-zstd:5", "blosc-lz4", "none", "gzip:6"])
def test_codec_gives_a_file_of_equal_content(raw: Path, tmp_path: Path, asked: str) -> None:
    plain = convert(raw, tmp_path / "plain.nwb")
    special = convert(raw, tmp_path / "special.nwb", codec=asked)
    assert special.document.content == plain.document.content
    name = asked.partition(":")[0]
    assert {d.codec for d in special.document.datasets.values()} == {name}
    said = [note for note in special.document.notes if "MatNWB" in note]
    assert bool(said) is (not planning.CODECS[name].everywhere)
    if not planning.CODECS[name].everywhere:
        pytest.importorskip("hdf5plugin")
    reader = "import sys, h5py\n"
    reader += "" if planning.CODECS[name].everywhere else "import hdf5plugin\n"
    reader += (
        "f = h5py.File(sys.argv[1])\nprint(f['acquisition/ElectricalSeriesAP/data'][...].sum())"
    )
    found = subprocess.run(
        [sys.executable, "-c", reader, str(tmp_path / "special.nwb")],
        capture_output=True,
        text=True,
        check=True,
    )
    values = np.fromfile(raw.with_suffix(".dat"), "<i2").reshape(-1, 5)[:, :4]
    assert int(found.stdout) == values.sum()


@pytest.mark.parametrize("prove", ["full", "sample"])
def test_proving_needs_no_plug_in(raw: Path, tmp_path: Path, prove: str) -> None:
    convert(raw, tmp_path / "out.nwb", codec="zstd", prove=prove)


def test_codec_wins_over_a_plan_and_keeps_its_chunks(raw: Path, tmp_path: Path) -> None:
    path = write(
        tmp_path / "plan.json",
        datasets={"rec/ap:data": {"chunks": [700, 4], "codec": "none", "fletcher32": False}},
    )
    said = plans.read_plan(path, codec="gzip:2")
    assert planned(said, "rec/ap:data", (5000, 4), "<i2") == DatasetPlan((700, 4), "gzip", 2)
    assert planned(said, "rec/sync:data", (5000, 1), "<i2").level == 2


def test_another_codec_is_another_output(raw: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.nwb"
    convert(raw, out)
    assert convert(raw, out, skip_existing=True).skipped
    with pytest.raises(NwbkitError):
        convert(raw, out, skip_existing=True, codec="gzip:3")


def test_a_missing_library_is_named_before_anything_is_written(
    raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(codecs, "_have_numcodecs", lambda: False)
    for run in (
        lambda: convert(raw, tmp_path / "out.nwb", codec="zstd"),
        lambda: plan(raw, codec="zstd"),
        lambda: plan(raw, backend="zarr"),
    ):
        with pytest.raises(NwbkitError, match="needs the package 'numcodecs'") as caught:
            run()
        assert caught.value.status == 69
        assert caught.value.hint == "pip install 'nwbkit[codecs]'"
    assert not (tmp_path / "out.nwb").exists()


@pytest.mark.parametrize("asked", ["lzma", "zstd:23", "gzip:x"])
def test_a_codec_that_there_is_not(raw: Path, tmp_path: Path, asked: str) -> None:
    for run in (
        lambda: convert(raw, tmp_path / "out.nwb", codec=asked),
        lambda: plan(raw, codec=asked),
    ):
        with pytest.raises(UsageError):
            run()


# ---------------------------------------------------------------- sampling


class Counting(Array):
    """Rows that hold their own number; notes what is read."""

    read_rows: int = 0
    starts: list[int]

    def read(self, start: int, stop: int, out: Any = None) -> Any:
        self.read_rows += stop - start
        self.starts.append(start)
        rows = np.repeat(np.arange(start, stop, dtype=self.dtype)[:, None], self.shape[1], axis=1)
        return rows if out is None else np.copyto(out, rows)


def counting(shape: tuple[int, ...]) -> Counting:
    made = Counting(id="s", name="s", role="raw", shape=shape, dtype=np.dtype("<i8"))
    made.starts = []
    return made


@pytest.mark.parametrize("n_rows", [1, 10, 4999, 5000, 5001, 1_000_003, 10**10])
def test_samples_are_few_spread_and_whole_chunks(n_rows: int) -> None:
    source = counting((n_rows, 4))
    blocks = blocks_of(source, source.shape, 1000, 10 << 20)
    assert 1 <= len(blocks) <= BLOCKS
    assert source.read_rows <= 5000
    assert source.starts == sorted(set(source.starts))
    if n_rows <= 5000:
        assert source.read_rows == n_rows
    else:
        assert all(start % 1000 == 0 for start in source.starts)
        assert source.starts[-1] > 0.8 * n_rows - 1000


def test_samples_stay_within_their_budget() -> None:
    source = counting((10**6, 1000))
    blocks = blocks_of(source, source.shape, 10**5, 1 << 20)
    assert sum(b.nbytes for b in blocks) <= 1 << 20
    one = counting((100, 10**5))
    assert [len(b) for b in blocks_of(one, one.shape, 5, 1000)] == [1] * BLOCKS


def trial(stored: int, name: str) -> Trial:
    return Trial(DatasetPlan((1,), name), 1000, stored, 1.0, 1.0)


@pytest.mark.parametrize(
    ("sizes", "saving", "chosen"),
    [
        ([100, 98], 0.03, 0),
        ([100, 96], 0.03, 1),
        ([100, 96, 95], 0.03, 1),
        ([100, 96, 90], 0.03, 2),
        ([100, 200], 0.03, 0),
    ],
)
def test_choose(sizes: list[int], saving: float, chosen: int) -> None:
    trials = [trial(size, "gzip") for size in sizes]
    assert choose(trials, saving) is trials[chosen]


def test_data_that_shuffle_spoils_are_not_shuffled(tmp_path: Path, toys: None) -> None:
    """Random two-byte words out of few: repeats of whole words are lost by splitting them."""
    raw = write_toy(tmp_path / "raw", [AP])
    words = np.random.default_rng(0).integers(-(2**15), 2**15, 4).astype("<i2")
    rows = np.random.default_rng(1).integers(0, 4, (5000, 5))
    raw.with_suffix(".dat").write_bytes(words[rows].tobytes())
    document = plan(raw)
    tried = document.measured["datasets"]["rec/ap:data"]["tried"]  # type: ignore[index]
    best = max(tried, key=lambda t: t["ratio"])
    assert document.datasets["rec/ap:data"].shuffle is best["shuffle"]


BIG_COLUMNS = [
    ("spike times", lambda r, n: np.sort(r.random(n)) * 3600, 1.4),
    ("sorted samples", lambda r, n: np.sort(r.integers(0, 1 << 30, n)), 3.0),
    ("line numbers", lambda r, n: r.integers(0, 8, n), 8.0),
]


@pytest.mark.parametrize(("name", "make", "least"), BIG_COLUMNS)
def test_big_columns_pack_well_by_default(name: str, make: Any, least: float) -> None:
    values = make(np.random.default_rng(0), 1 << 18)
    default = planning.default_plan((10_000_000,), values.dtype)
    assert default.chunks == (1 << 18,)  # 2 MiB
    assert try_plan([values], default).ratio > least


@pytest.mark.parametrize("use", policies.USES)
@pytest.mark.parametrize("backend", ["hdf5", "zarr"])
@pytest.mark.parametrize(
    ("shape", "dtype"),
    [
        ((54_000_000, 384), "<i2"),
        ((54_000_000, 1), "<i2"),
        ((10_000_000,), "<f8"),
        ((10_000, 512, 512), "<u2"),
        ((1000, 480, 640, 3), "|u1"),
        ((2000, 512, 512), "<f4"),
        ((100, 3), "<f8"),
    ],
)
def test_chunks_stay_within_the_documented_limits(
    use: str, backend: str, shape: tuple[int, ...], dtype: str
) -> None:
    policy = policies.POLICIES[backend, use]
    target = policy.recording if len(shape) == 2 else policy.other
    for each in policies.candidates(shape, np.dtype(dtype), policy, backend):
        size = int(np.prod(each.chunks)) * np.dtype(dtype).itemsize
        each.check(shape)
        assert each.protected
        if each.chunks == shape:
            assert size <= max(target, 2 << 20)
        else:
            assert target // 2 <= size <= 4 * max(target, 2 << 20)
            assert backend == "hdf5" or size >= 16 << 20


def test_objects_are_counted() -> None:
    each = DatasetPlan((100, 4))
    assert policies.n_objects(each, (1001, 9), "hdf5") == 11 * 3
    assert policies.n_objects(each, (1001, 9), "zarr") == 11 * 3 + 2


# ---------------------------------------------------------------- dry run


def test_the_dry_run_shows_layout_disk_memory_and_objects(raw: Path, tmp_path: Path) -> None:
    text = convert(raw, tmp_path / "out.nwb", dry_run=True, codec="zstd:2").report
    assert "data: int16 [5000, 4], chunks [5000, 4], zstd:2 shuffle" in text
    assert "40.0 kB as about" in text and "in 1 object" in text
    assert "disk: about" in text and "50.0 kB before compression" in text
    assert "objects: 2 chunks" in text
    assert "warning: zstd in HDF5: MatNWB" in text


def test_a_plan_without_checksums_is_warned_of(raw: Path, tmp_path: Path) -> None:
    path = write(
        tmp_path / "plan.json",
        datasets={"rec/ap:data": {"codec": "none", "fletcher32": False}},
    )
    warning = "'rec/ap:data' has no checksum, as planned"
    assert warning in convert(raw, tmp_path / "out.nwb", plan=path, dry_run=True).report
    document = convert(raw, tmp_path / "out.nwb", plan=path).document
    assert [note for note in document.notes if warning in note]


def test_the_dry_run_warns_of_a_full_disk(
    raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full:
        f_bavail, f_frsize = 1, 4096

    monkeypatch.setattr("nwbkit.dry_run.os.statvfs", lambda path: Full)
    text = convert(raw, tmp_path / "new" / "out.nwb", dry_run=True).report
    assert f"warning: '{tmp_path}' has 4.1 kB free, about" in text


# ---------------------------------------------------------------- the command

PHY = DATA / "phy" / "phy_example_0_ks25"


def nwbkit(*arguments: object, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "nwbkit.cli", *map(str, arguments)],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )


@needs_data
def test_the_command_hands_on_to_convert(tmp_path: Path) -> None:
    piped = nwbkit("chunk-plan", PHY, "--no-measure", folder=tmp_path)
    assert (piped.returncode, piped.stderr) == (0, "")
    written = nwbkit(
        "chunk-plan", PHY, "--no-measure", "-o", "p.json", "--codec", "zstd:2", folder=tmp_path
    )
    assert (written.returncode, written.stdout) == (0, "")
    content = json.loads((tmp_path / "p.json").read_text())
    assert set(content["datasets"]) == set(json.loads(piped.stdout)["datasets"])
    assert {d["codec"] for d in content["datasets"].values()} == {"zstd"}
    done = nwbkit(
        *("convert", PHY, "-p", "p.json", "-o", "o.nwb", "--unaligned", "keep"),
        *("--set-meta", "NWBFile.session_start_time=2024-05-01T10:00:00Z"),
        folder=tmp_path,
    )
    assert done.returncode == 0
    assert "warning: zstd in HDF5: MatNWB" in done.stderr
    assert nwbkit("verify", "o.nwb", "--against", PHY, folder=tmp_path).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["--for", "tape"], 2),
        (["--backend", "tar"], 2),
        (["--codec", "lzma"], 2),
        (["-o", "-"], 2),
        ([], 66),
    ],
)
def test_the_command_refuses(tmp_path: Path, arguments: list[str], status: int) -> None:
    done = nwbkit("chunk-plan", "missing", *arguments, folder=tmp_path)
    assert done.returncode == status
    assert done.stdout == ""
    assert done.stderr.startswith("nwbkit chunk-plan: error: ")
