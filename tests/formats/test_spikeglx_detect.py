"""SpikeGLX: recognised by content, sorted into runs, whatever the files are called."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from examples.spikeglx_run import Nidq, Probe, write_run
from nwbkit.formats import registry
from nwbkit.formats.base import Strength
from nwbkit.formats.recording.spikeglx.names import CAT, FileName, original_name, parse_name
from tests.data import DATA, needs_data
from tests.formats.helpers import (
    counts,
    edit,
    found,
    nidq_fields,
    opened,
    probe,
    probe_fields,
    write,
)


def ids(path) -> list[str]:
    return sorted(s.id for s in found(path))


def names(source) -> list[str]:
    return sorted(p.name for p in source.paths)


def stream_ids(path, **options) -> list[str]:
    with opened(path, **options) as reader:
        return sorted(s.id for s in reader.streams)


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """Two probes of two kinds, a nidq, two gates of two triggers."""
    root = tmp_path_factory.mktemp("runs")
    write_run(
        root,
        run="mouse1",
        gates=(0, 1),
        triggers=(0, 1),
        probes=[Probe(0, units=0), Probe(1, "NP2.0-4shank", units=0)],
        nidq=Nidq(),
        seconds=0.05,
        trigger_gap_s=0.1,
    )
    return root


def test_a_gate_is_a_session_with_all_its_probes_bands_and_triggers(run):
    detection = registry.detect([run])
    assert [s.id for s in detection.sessions] == ["mouse1_g0", "mouse1_g1"]
    (source,) = detection.sessions[0].sources
    assert (source.format, source.strength) == ("spikeglx", Strength.MAGIC)
    assert len(source.paths) == 2 * (2 * 2 + 2 + 2)
    assert source.paths[0].suffix == ".bin"
    assert "typeThis=imec, nidq" in source.evidence
    with registry.open_source(source.source()) as reader:
        assert [s.id for s in reader.streams] == [
            *("imec0.ap", "imec0.sync", "imec0.lf", "imec0.lf_sync"),
            *("imec1.ap", "imec1.sync"),
            *("nidq.analog", "nidq.digital", "nidq.lines"),
        ]
        assert [c.id for c in reader.clocks] == [
            *("mouse1_g0/imec0", "mouse1_g0/imec1", "mouse1_g0/nidq")
        ]
        assert all(c.anchor is None for c in reader.clocks)
        assert set(reader.files()) == set(source.paths)


def test_nothing_outside_spikeglx_is_claimed():
    if not DATA.is_dir():
        pytest.skip("no sample recordings (set NWBKIT_TEST_DATA)")
    detection = registry.detect([DATA], format="spikeglx")
    assert all(DATA / "spikeglx" in p.parents for s in detection.sources() for p in s.paths)
    claimed = {p for s in detection.sources() for p in s.paths}
    assert set((DATA / "spikeglx").rglob("*.meta")) <= claimed


@needs_data
@pytest.mark.parametrize(
    ("folder", "expected"),
    [
        ("Noise4Sam_g0", ["Noise4Sam_g0"]),
        ("NP2_with_sync", ["all_chan_g0"]),
        ("multi_probe_filename_without_info", ["npx"]),
        (
            "meta_only_ibl/np2split",
            [
                *("NP1_meta", "NP21_meta", "NP24_meta", "NP2QB_meta", "NP2QB_single_shank_meta"),
                "np2split",
            ],
        ),
    ],
)
def test_real_trees_fall_into_their_runs(folder, expected):
    assert [i.removesuffix("-_spikeglx_ephysData_g0") for i in ids(DATA / "spikeglx" / folder)] == (
        expected
    )


@needs_data
def test_probes_without_index_are_told_apart():
    folder = DATA / "spikeglx" / "multi_probe_filename_without_info"
    with opened(folder, salvage=True) as reader:
        devices = reader.metadata()["Devices"]
        assert [s.id for s in reader.streams if s.role == "raw"] == [
            *("imec0.ap", "imec1.ap", "imec2.ap")
        ]
    assert [devices[f"NeuropixelsImec{i}"]["serial_number"] for i in range(3)] == [
        *("19122511841", "19122514182", "19122502062")
    ]


@pytest.mark.parametrize("inside", [False, True], ids=["names kept inside", "renamed inside too"])
def test_renamed_to_x_it_is_still_one_run(run, tmp_path, inside):
    raw = tmp_path / "x"
    for path in sorted((run / "mouse1_g0").rglob("*.*")):
        folder = raw / ("x" if path.parent.name != "mouse1_g0" else "")
        if path.parent.name.endswith("imec1"):
            folder = raw / "x1"
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, folder / path.name.replace("mouse1_g0", "x_g0"))
    if inside:
        for meta in raw.rglob("*.meta"):
            edit(meta, fileName=f"D:/x/{meta.stem}.bin")
    (source,) = found(raw)
    assert source.id == "x_g0"
    with registry.open_source(source.source()) as reader:
        assert len(reader.streams) == 9


def test_stems_without_a_vendor_part(run, tmp_path):
    bins = sorted((run / "mouse1_g0").rglob("*t0*.bin"))
    for letter, path in zip("abcd", bins, strict=True):
        shutil.copy(path, tmp_path / f"{letter}.bin")
        shutil.copy(path.with_suffix(".meta"), tmp_path / f"{letter}.meta")
    (source,) = found(tmp_path)
    assert source.id == "mouse1_g0"
    with registry.open_source(source.source()) as reader:
        assert {s.id for s in reader.streams} >= {"imec0.ap", "imec0.lf", "imec1.ap", "nidq.lines"}


def test_stems_and_file_names_inside_say_nothing(run, tmp_path):
    bins = sorted((run / "mouse1_g0").rglob("*t0*.bin"))
    for letter, path in zip("abcd", bins, strict=True):
        shutil.copy(path, tmp_path / f"{letter}.bin")
        shutil.copy(path.with_suffix(".meta"), tmp_path / f"{letter}.meta")
        edit(tmp_path / f"{letter}.meta", fileName=f"D:/{letter}.bin")
    (source,) = found(tmp_path)
    with registry.open_source(source.source()) as reader:
        assert {s.id for s in reader.streams} >= {"imec0.ap", "imec0.lf", "imec1.ap", "nidq.lines"}


def test_a_bin_alone_brings_its_header_and_the_other_way_round(tmp_path):
    binary = probe(tmp_path)
    assert names(found(binary)[0]) == names(found(binary.with_suffix(".meta"))[0])
    assert stream_ids(binary) == ["imec0.ap", "imec0.sync"]


def test_two_runs_merged_into_one_folder_split_again(tmp_path):
    probe(tmp_path, "a_g0_t0.imec0.ap")
    probe(tmp_path, "b_g0_t0.imec0.ap", imDatPrb_sn="2")
    write(tmp_path, "b_g0_t0.nidq", nidq_fields(), counts(500, 2))
    assert ids(tmp_path) == ["a_g0", "b_g0"]


def test_runs_of_one_name_on_two_days_are_not_joined(tmp_path):
    probe(tmp_path / "m1", "run_g0_t0.imec0.ap", imDatPrb_sn="1")
    more = {"imDatPrb_sn": "2", "fileCreateTime": "2024-05-03T10:00:00"}
    probe(tmp_path / "m2", "run_g0_t0.imec1.ap", **more)
    assert ids(tmp_path) == ["m1-run_g0", "m2-run_g0"]


def test_folders_side_by_side_of_one_run_are_joined(tmp_path):
    probe(tmp_path / "run_g0_imec0", "run_g0_t0.imec0.ap", imDatPrb_sn="1")
    probe(tmp_path / "run_g0_imec1", "run_g0_t0.imec1.ap", imDatPrb_sn="2")
    write(tmp_path, "run_g0_t0.nidq", nidq_fields(firstSample="2500"), counts(500, 2))
    (source,) = found(tmp_path)
    assert len(source.paths) == 6


def test_a_run_spread_over_two_disks_is_joined(tmp_path):
    for disk, index in [("D", 0), ("E", 1)]:
        folder = tmp_path / disk / "data" / "run_g0" / f"run_g0_imec{index}"
        probe(folder, f"run_g0_t0.imec{index}.ap", imDatPrb_sn=str(index + 1), nDataDirs="2")
    (source,) = found(tmp_path)
    assert len(source.paths) == 4


def test_copies_in_two_folders_are_two_sources(tmp_path):
    probe(tmp_path / "one")
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    assert ids(tmp_path) == ["one-run_g0", "two-run_g0"]


def test_an_export_beside_its_run_is_a_session_of_its_own(tmp_path):
    probe(tmp_path)
    shutil.copy(tmp_path / "run_g0_t0.imec0.ap.bin", tmp_path / "run_g0_t0.exported.imec0.ap.bin")
    meta = tmp_path / "run_g0_t0.exported.imec0.ap.meta"
    shutil.copy(tmp_path / "run_g0_t0.imec0.ap.meta", meta)
    edit(meta, fileCreateTime_original="2024-05-02T10:00:00", fileCreateTime="2024-06-01T10:00:00")
    assert len(registry.detect([tmp_path]).sessions) == 2


def test_catgt_output_is_a_session_of_its_own(tmp_path):
    probe(tmp_path / "run_g0")
    more = {
        "catGTCmdline0": "<CatGT -g=0 -t=0,9>",
        "fileCreateTime": "2025-01-01T00:00:00",
        "fileCreateTime_original": "2024-05-02T10:00:00",
    }
    probe(tmp_path / "catgt_run_g0", "run_g0_tcat.imec0.ap", **more)
    assert ids(tmp_path) == ["run_g0", "run_g0_tcat"]
    with opened(tmp_path / "catgt_run_g0") as reader:
        assert "zeros" in reader.notes[0]
        assert reader.metadata()["NWBFile"]["session_start_time"] == "2024-05-02T10:00:00"


def test_what_was_made_later_does_not_lend_its_time(tmp_path):
    more = {"catGTCmdline": "<CatGT -supercat>", "catNRuns": "2"}
    probe(tmp_path, "run_g0_tcat.imec0.ap", fileCreateTime_original="2024-05-02T10:00:00", **more)
    with opened(tmp_path) as reader:
        assert "session_start_time" not in reader.metadata()["NWBFile"]
        assert any("do not say when recording began" in n for n in reader.notes)


def test_a_header_without_data_is_still_detected(tmp_path):
    probe(tmp_path).unlink()
    (source,) = found(tmp_path)
    assert "the .bin of 'run_g0_t0.imec0.ap.meta' is missing" in source.evidence


def test_foreign_meta_and_bin_files_are_left_alone(tmp_path):
    (tmp_path / "a.meta").write_text("typeThis=imec\nnSavedChans=3\n")
    (tmp_path / "b.meta").write_bytes(bytes(range(256)) * 10)
    (tmp_path / "c.meta").write_bytes(b"")
    (tmp_path / "d.bin").write_bytes(b"x" * 100)
    detection = registry.detect([tmp_path])
    assert detection.sessions == () and detection.reports == ()
    assert len(detection.unclaimed) == 4


def test_upper_case_suffixes(tmp_path):
    binary = probe(tmp_path)
    binary.rename(binary.with_suffix(".BIN"))
    meta = binary.with_suffix(".meta")
    meta.rename(meta.with_suffix(".META"))
    assert stream_ids(tmp_path) == ["imec0.ap", "imec0.sync"]


def test_thousands_of_triggers_stay_quick(tmp_path):
    import time

    for i in range(400):
        more = {"firstSample": 3000 + 100 * i}
        write(tmp_path, f"run_g0_t{i}.imec0.ap", {**probe_fields(), **more}, counts(10, 9))
    start = time.perf_counter()
    with opened(tmp_path) as reader:
        stream = reader.stream("imec0.ap")
        assert len(stream.timebase.segments) == 400
        assert len(list(stream.timebase.gaps())) == 399
        assert stream.read(0, 4000).shape == (4000, 8)
    assert time.perf_counter() - start < 10


@pytest.mark.parametrize(
    ("stem", "expected"),
    [
        ("run_g0_t0.imec0.ap", FileName("run", 0, 0, 0, "ap")),
        ("a_g1_b_g12_t345.imec17.lf", FileName("a_g1_b", 12, 345, 17, "lf")),
        (
            "77.230125_2023-04-27_g0_tcat.imec0.ap",
            FileName("77.230125_2023-04-27", 0, CAT, 0, "ap"),
        ),
        ("run_g0_tcat.exported.imec0.ap", FileName("run", 0, CAT, 0, "ap")),
        ("sample3A_g0_t0.imec.ap", FileName("sample3A", 0, 0, None, "ap")),
        ("run_g0_t0.nidq", FileName("run", 0, 0, None, None)),
        ("run_g0_t0.obx1.obx", FileName("run", 0, 0, 1, None)),
        ("doppio_t0.imec0.ap", FileName("doppio", None, 0, 0, "ap")),
        ("phase3a.imec.ap", FileName("phase3a", None, None, None, "ap")),
        ("renamed.ap", FileName("renamed", None, None, None, "ap")),
        ("a name = with_g0_t0.imec0.ap", FileName("a name = with", 0, 0, 0, "ap")),
        ("catgt", FileName()),
    ],
)
def test_names(stem, expected):
    assert parse_name(stem) == expected


def test_original_names_of_both_systems():
    assert original_name(r"D:\a=b\run_g0_t0.nidq.bin").run == "run"
    assert original_name("/media/a/run_g3_t0.nidq.bin").gate == 3
    assert original_name("") == FileName()
