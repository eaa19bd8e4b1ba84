"""SpikeGLX: a header that contradicts its file, the others or itself is refused by name."""

from __future__ import annotations

import os
import shutil

import numpy as np
import pytest

from nwbkit.errors import DamagedInput, NoInput, NwbkitError
from nwbkit.formats import registry
from nwbkit.formats.base import Source
from tests.data import DATA, needs_data
from tests.formats.helpers import (
    N,
    counts,
    edit,
    found,
    nidq_fields,
    opened,
    probe,
    probe_fields,
    write,
)

ROW = (N + 1) * 2


def refusal(path, **options) -> NwbkitError:
    with pytest.raises(NwbkitError) as error:
        opened(path, **options)
    message = error.value.message
    assert message and "\n" not in message and not message.endswith(".")
    return error.value


# ------------------------------------------------------------------ size and time


@pytest.mark.parametrize(
    ("cut", "left"), [(1, 599), (ROW, 599), (ROW * 300, 300), (ROW * 600, 0)],
    ids=["a byte", "a sample", "half", "all"],
)  # fmt: skip
def test_a_truncated_file(tmp_path, cut, left):
    binary = probe(tmp_path)
    data = np.fromfile(binary, "<i2").reshape(-1, N + 1)
    size = 600 * ROW
    os.truncate(binary, size - cut)
    error = refusal(tmp_path)
    assert isinstance(error, DamagedInput)
    assert error.message == (
        f"'run_g0_t0.imec0.ap.bin' holds {size - cut} bytes, its header says {size} (fileSizeBytes)"
    )
    if left:
        assert error.hint == f"--salvage reads the {left} complete samples that are there"
    else:
        assert "nothing to salvage" in (error.hint or "")
    with opened(tmp_path, salvage=True) as reader:
        stream = reader.stream("imec0.ap")
        assert reader.losses == [error.message]
        assert stream.shape == (left, N)
        assert np.array_equal(stream.read(0, left), data[:left, :N])
        assert np.array_equal(reader.reread("imec0.ap", 0, left), data[:left, :N])
        assert reader.audit() == []


def test_a_longer_file(tmp_path):
    binary = probe(tmp_path)
    with open(binary, "ab") as f:
        f.write(b"x" * ROW)
    assert "holds 10818 bytes, its header says 10800" in refusal(tmp_path).message


def test_a_file_that_is_no_whole_number_of_samples(tmp_path):
    binary = probe(tmp_path)
    os.truncate(binary, 600 * ROW - 2)
    edit(binary.with_suffix(".meta"), fileSizeBytes=str(600 * ROW - 2))
    error = refusal(tmp_path)
    assert error.message == (
        "'run_g0_t0.imec0.ap.bin' holds 10798 bytes, which is no whole number of samples "
        "of 9 channels (nSavedChans)"
    )
    assert "599 complete samples" in (error.hint or "")


def test_a_wrong_rate_or_a_wrong_time(tmp_path):
    meta = probe(tmp_path).with_suffix(".meta")
    edit(meta, imSampRate="3000")
    error = refusal(tmp_path)
    assert error.message == (
        "'run_g0_t0.imec0.ap.bin' holds 600 samples, at 3000 Hz (imSampRate) 0.2 s, "
        "its header says 0.0199998 s (fileTimeSecs)"
    )
    edit(meta, imSampRate="30000.25", fileTimeSecs="0.0201")
    assert "(fileTimeSecs)" in refusal(tmp_path).message
    edit(meta, fileTimeSecs="0.02")  # reckoned with the nominal rate: as real files are
    opened(tmp_path).close()


def test_a_recording_that_was_not_ended(tmp_path):
    meta = probe(tmp_path).with_suffix(".meta")
    gone = dict.fromkeys(("fileSizeBytes", "fileTimeSecs", "firstSample", "fileSHA1"))
    edit(meta, **gone)
    error = refusal(tmp_path)
    assert "has no fileSizeBytes: recording was not ended properly" in error.message
    assert error.hint == "--salvage reads the 600 complete samples that are there"
    with opened(tmp_path, salvage=True) as reader:
        assert reader.stream("imec0.ap").shape == (600, N)
        assert any("has no firstSample" in n for n in reader.notes)


@needs_data
def test_the_real_incomplete_header(tmp_path):
    name = "sampleNP2.4_4shanks_while_acquiring_incomplete.ap"
    shutil.copy(DATA / "spikeglx" / "meta_only_ibl" / f"{name}.meta", tmp_path)
    (tmp_path / f"{name}.bin").write_bytes(b"\0" * 770 * 10 + b"\0")
    assert "--salvage reads the 10 complete samples" in (refusal(tmp_path).hint or "")
    with opened(tmp_path, salvage=True) as reader:
        assert reader.stream("imec1.ap").shape == (10, 384)


# ------------------------------------------------------------------ channels


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"nSavedChans": "8"}, "says nSavedChans=8, but snsApLfSy=8,0,1 counts 9"),
        ({"snsApLfSy": "7,0,1"}, "says nSavedChans=9, but snsApLfSy=7,0,1 counts 8"),
        (
            {"snsSaveChanSubset": "0:6,16"},
            "says nSavedChans=9, but snsSaveChanSubset lists 8",
        ),
        (
            {"snsSaveChanSubset": "0:6,8,16"},
            "says snsApLfSy=8,0,1, but of the channels in snsSaveChanSubset 7 are AP "
            "(acqApLfSy=8,8,1)",
        ),
        ({"snsSaveChanSubset": "all"}, "says snsSaveChanSubset=all of 17 channels"),
        ({"snsSaveChanSubset": "0:6,16,7"}, "does not rise within the 17 acquired channels"),
        ({"snsSaveChanSubset": "0:7,99"}, "does not rise within the 17 acquired channels"),
        ({"snsSaveChanSubset": "0-7,16"}, "says snsSaveChanSubset=0-7,16, which is no list"),
        ({"snsSaveChanSubset": "0:999999999,16"}, "which is no list"),
        ({"nSavedChans": "0"}, "says nSavedChans=0"),
        ({"nSavedChans": "-9"}, "says nSavedChans=-9, which is no whole number"),
        ({"nSavedChans": "nine"}, "says nSavedChans=nine, which is no whole number"),
        ({"snsApLfSy": "8,1"}, "says snsApLfSy=8,1, not 3 whole numbers"),
        ({"acqApLfSy": "9,7,1"}, "imroTbl lists 8 channels"),
        ({"imSampRate": "0"}, "says imSampRate=0, which must be above 0"),
        ({"imSampRate": "nan"}, "says imSampRate=nan, which is no number"),
        ({"imSampRate": None}, "has no imSampRate"),
        ({"imAiRangeMax": None}, "has no imAiRangeMax"),
        ({"imMaxInt": "0"}, "says imMaxInt=0"),
        ({"imChan0apGain": "250"}, "says imChan0apGain=250, its imroTbl 500"),
        ({"~imroTbl": "(0,8)(0 0 0 500 250 1)"}, "announces 8 channels and lists 1"),
        ({"~imroTbl": "(0,8)(0 0 0 500 250 1"}, "has a torn table imroTbl"),
        ({"~imroTbl": "(0,1)(0 0 0 x 250 1)"}, "has a torn table imroTbl"),
        ({"~imroTbl": "(0,1)(0 0 0 1 2 3 4 5)"}, "has an imroTbl of an unknown shape"),
        ({"firstSample": "-3"}, "says firstSample=-3, which is no whole number"),
        ({"fileSizeBytes": "1e3"}, "says fileSizeBytes=1e3, which is no whole number"),
        (
            {"~snsGeomMap": "(NP1000,1,0,70)(0:27:0:1)"},
            "saves 8 channels with a site, but its snsGeomMap lists 1",
        ),
    ],
)
def test_a_header_that_contradicts_itself(tmp_path, fields, said):
    fields = {k.removeprefix("~"): v for k, v in fields.items()}
    meta = probe(tmp_path).with_suffix(".meta")
    meta.write_bytes(meta.read_bytes().replace(b"~", b""))
    edit(meta, **fields)
    error = refusal(tmp_path)
    assert isinstance(error, DamagedInput)
    assert error.message.startswith("'run_g0_t0.imec0.ap.meta' ")
    assert said in error.message


def test_gain_zero_is_refused(tmp_path):
    probe(tmp_path, gains=[(0, 250)] * N)
    assert "has no gain for AP0 in imroTbl" in refusal(tmp_path).message


def test_one_field_twice_with_two_values(tmp_path):
    meta = probe(tmp_path).with_suffix(".meta")
    meta.write_bytes(meta.read_bytes() + b"imSampRate=2500\r\n")
    assert "says imSampRate twice: 30000.25 and 2500" in refusal(tmp_path).message


def test_the_map_against_the_readout_table(tmp_path):
    good = [(27, 0), (59, 0), (11, 20), (43, 20), (27, 40), (59, 40), (11, 60), (43, 60)]
    table = "(NP1000,1,0,70)" + "".join(f"(0:{x}:{y}:1)" for x, y in good)
    probe(tmp_path, **{"~snsGeomMap": table})
    opened(tmp_path).close()
    edit(tmp_path / "run_g0_t0.imec0.ap.meta", **{"~snsGeomMap": table.replace("59:40", "59:60")})
    error = refusal(tmp_path)
    assert error.message == (
        "'run_g0_t0.imec0.ap.meta' places channel 5 at shank 0, (59, 60) um in snsGeomMap, "
        "but its imroTbl selects e5 at (48, 40) um"
    )
    with opened(tmp_path, salvage=True) as reader:
        assert reader.losses == [error.message]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"niMNGain": None}, "has no niMNGain"),
        ({"niMNGain": "0"}, "says niMNGain=0, which must be above 0"),
        ({"niAiRangeMax": None}, "has no niAiRangeMax"),
        ({"niMaxInt": "0"}, "says niMaxInt=0"),
        ({"snsMnMaXaDw": "1,0,1"}, "says snsMnMaXaDw=1,0,1, not 4 whole numbers"),
    ],
)
def test_a_nidq_header_that_does_not_say(tmp_path, fields, said):
    binary = write(tmp_path, "run_g0_t0.nidq", nidq_fields(mn=1), counts(500, 3))
    edit(binary.with_suffix(".meta"), **fields)
    assert said in refusal(tmp_path).message


# ------------------------------------------------------------------ files against each other


def test_a_missing_bin(tmp_path):
    probe(tmp_path).unlink()
    error = refusal(tmp_path)
    assert (error.status, error.message) == (
        66,
        "'run_g0_t0.imec0.ap.meta' has no data: 'run_g0_t0.imec0.ap.bin' is missing",
    )
    assert refusal(tmp_path, salvage=True).message == error.message


def test_one_bin_missing_of_two(tmp_path):
    probe(tmp_path)
    probe(tmp_path, "run_g0_t0.imec0.lf", band="lf", rows=50, firstSample="250").unlink()
    error = refusal(tmp_path)
    assert error.message.startswith("'run_g0_t0.imec0.lf.meta' has no data")
    assert error.hint == "--salvage reads the files that are there"
    with opened(tmp_path, salvage=True) as reader:
        assert [s.id for s in reader.streams] == ["imec0.ap", "imec0.sync"]
        assert reader.losses == [error.message]


def test_compressed_data(tmp_path):
    binary = probe(tmp_path)
    binary.rename(binary.with_suffix(".cbin"))
    error = refusal(tmp_path)
    assert isinstance(error, NoInput)
    assert error.message == (
        "'run_g0_t0.imec0.ap.meta' has its data compressed by mtscomp ('run_g0_t0.imec0.ap.cbin')"
    )
    assert (error.hint or "").startswith("mtsdecomp ")


def test_a_source_without_any_header(tmp_path):
    binary = probe(tmp_path)
    binary.with_suffix(".meta").unlink()
    with pytest.raises(NoInput, match="no SpikeGLX header"):
        registry.open_source(Source("s", "spikeglx", (binary,)))


def test_a_header_that_is_none(tmp_path):
    binary = probe(tmp_path)
    meta = binary.with_suffix(".meta")
    meta.write_text("hello")
    with pytest.raises(DamagedInput, match="is no SpikeGLX header"):
        registry.open_source(Source("s", "spikeglx", (meta,)))


def test_overlapping_triggers(tmp_path):
    probe(tmp_path, "run_g0_t0.imec0.ap", firstSample="1000")
    probe(tmp_path, "run_g0_t1.imec0.ap", firstSample="1500")
    assert refusal(tmp_path).message == (
        "'run_g0_t1.imec0.ap.bin' begins at sample 1500 (firstSample), "
        "before 'run_g0_t0.imec0.ap.bin' ends at 1600"
    )


def test_triggers_of_different_shape_or_rate(tmp_path):
    probe(tmp_path, "run_g0_t0.imec0.ap", firstSample="1000")
    probe(tmp_path, "run_g0_t1.imec0.ap", firstSample="5000", gains=[(250, 250)] * N)
    assert "differs from 'run_g0_t0.imec0.ap.meta' in imroTbl" in refusal(tmp_path).message
    (tmp_path / "run_g0_t1.imec0.ap.meta").unlink()
    probe(tmp_path, "run_g0_t1.imec0.ap", firstSample="5000", imSampRate="30001")
    assert "says 30001.0 Hz, 'run_g0_t0.imec0.ap.meta' 30000.25 Hz" in refusal(tmp_path).message


def test_triggers_without_a_place_in_time(tmp_path):
    probe(tmp_path, "run_g0_t0.imec0.ap", firstSample=None)
    probe(tmp_path, "run_g0_t1.imec0.ap", firstSample="5000")
    assert "has no firstSample" in refusal(tmp_path).message


def test_lf_that_is_no_twelfth_of_ap(tmp_path):
    probe(tmp_path)
    rate = {"imSampRate": "2400", "fileTimeSecs": str(50 / 2400)}
    probe(tmp_path, "run_g0_t0.imec0.lf", band="lf", rows=50, firstSample="250", **rate)
    assert "imSampRate=2400, which is not a twelfth of the 30000.25" in refusal(tmp_path).message


def test_files_of_one_name_are_named_with_their_folder(tmp_path):
    for i in (1, 2):
        probe(
            tmp_path / f"probe_{i}",
            "npx.imec.ap",
            imDatPrb_sn=str(i),
            fileName=f"D:/npx.imec{i - 1}.ap.bin",
        )
    os.truncate(tmp_path / "probe_2" / "npx.imec.ap.bin", 18)
    assert refusal(tmp_path).message.startswith("'probe_2/npx.imec.ap.bin' holds 18 bytes")


def test_an_empty_trigger_is_no_damage(tmp_path):
    probe(tmp_path)
    fields = {**probe_fields(), "firstSample": "9000"}
    write(tmp_path, "run_g0_t1.imec0.ap", fields, np.empty((0, N + 1)))
    with opened(tmp_path) as reader:
        assert reader.stream("imec0.ap").shape == (600, N)


def test_audit_holds_the_data_against_their_digest(tmp_path):
    binary = probe(tmp_path)
    with opened(tmp_path) as reader:
        assert reader.audit() == []  # fileSHA1=0: CatGT says nothing
    from nwbkit.formats.io.flat import sha1

    edit(binary.with_suffix(".meta"), fileSHA1=sha1(binary).lower())
    seen: list[int] = []
    with opened(tmp_path) as reader:
        assert reader.audit(seen.append) == []
    assert sum(seen) == 600 * ROW
    with open(binary, "r+b") as f:
        f.seek(77)
        f.write(b"\xff\xfe")
    with opened(tmp_path) as reader:
        (finding,) = reader.audit()
    assert finding.startswith("'run_g0_t0.imec0.ap.bin' has SHA-1 ")
    assert finding.endswith("(fileSHA1)")
    if DATA.is_dir():
        with opened(DATA / "spikeglx" / "DigitalChannelTest_g0") as reader:
            assert reader.audit() == []


def test_a_file_that_shrinks_while_open(tmp_path):
    binary = probe(tmp_path)
    with opened(tmp_path) as reader:
        os.truncate(binary, 100)
        with pytest.raises(DamagedInput, match="has become shorter"):
            reader.stream("imec0.ap").read(0, 600)


# ------------------------------------------------------------------ every guard is needed


def _no_check(*_args, **_kwargs):
    return True


@pytest.mark.parametrize(
    ("guard", "case"),
    [
        ("runs._check_size", test_a_longer_file),
        ("runs._check_time", test_a_wrong_rate_or_a_wrong_time),
        ("runs._check_pair", test_overlapping_triggers),
        ("runs._check_rates", test_lf_that_is_no_twelfth_of_ap),
        ("geometry._compare", test_the_map_against_the_readout_table),
    ],
)
def test_without_the_guard_the_damage_passes(tmp_path, monkeypatch, guard, case):
    monkeypatch.setattr(f"nwbkit.formats.recording.spikeglx.{guard}", _no_check)
    with pytest.raises(BaseException, match="DID NOT RAISE"):
        case(tmp_path)


@needs_data
def test_every_real_header_opens_with_data_of_the_size_it_states(tmp_path):
    """All headers of the samples, each with a sparse .bin of the size it states."""
    refused = []
    for n, path in enumerate(sorted((DATA / "spikeglx").rglob("*.meta"))):
        meta = tmp_path / str(n) / path.name
        meta.parent.mkdir()
        shutil.copy(path, meta)
        lines = dict(line.split("=", 1) for line in meta.read_text("latin-1").splitlines())
        with open(meta.with_suffix(".bin"), "wb") as f:
            f.truncate(int(lines.get("fileSizeBytes", 0)))
        (source,) = found(meta.parent)
        try:
            with registry.open_source(source.source()) as reader:
                for stream in reader.streams:
                    facts = reader.reread_facts(stream.id)
                    if facts is not None:
                        assert np.array_equal(
                            np.broadcast_to(facts["gain"], len(stream.gain)), stream.gain
                        )
                        assert facts["segments"] == stream.timebase.segments
                    if getattr(stream, "electrodes", None):
                        assert len({e.key for e in stream.electrodes}) == stream.shape[1]
                        assert all(e.rel_x is not None for e in stream.electrodes)
        except DamagedInput:
            refused.append(path.name)
    assert refused == ["sampleNP2.4_4shanks_while_acquiring_incomplete.ap.meta"]
