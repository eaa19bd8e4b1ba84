"""SpikeGLX: headers that are odd but valid, and what they say beside the data."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from nwbkit.formats import registry
from tests.formats.helpers import (
    MIXED,
    N,
    counts,
    edit,
    found,
    nidq_fields,
    opened,
    probe,
    probe_fields,
    volts,
    write,
)


def test_equal_signs_latin1_and_blank_lines(tmp_path):
    binary = probe(tmp_path, "run_g0_t0.imec0.ap")
    meta = binary.with_suffix(".meta")
    edit(meta, fileName="D:/a=b/c=d_g0_t0.imec0.ap.bin", userNotes="Größe 5 µm = groß\\nzweite")
    meta.write_bytes(meta.read_bytes() + b"\r\n\r\nno equals sign\r\n")
    with opened(tmp_path) as reader:
        assert reader.metadata()["NWBFile"]["notes"] == "Größe 5 µm = groß\nzweite"
        assert np.array_equal(reader.reread("imec0.ap", 0, 5), reader.stream("imec0.ap").read(0, 5))


@pytest.mark.parametrize(
    ("encoding", "notes"),
    [("utf-8", "Mäuse’"), ("utf-8-sig", "日本"), ("cp1252", "Mäuse’"), ("latin-1", "Mäuse\x81")],
)
def test_encodings_of_notes(tmp_path, encoding, notes):
    fields = probe_fields(userNotes=notes)
    write(tmp_path, "run_g0_t0.imec0.ap", fields, counts(60, N + 1), encoding=encoding)
    with opened(tmp_path) as reader:
        assert reader.metadata()["NWBFile"]["notes"] == notes


def test_a_next_line_character_ends_no_line(tmp_path):
    meta = probe(tmp_path).with_suffix(".meta")
    meta.write_bytes(meta.read_bytes() + b"userNotes=a\x85nSavedChans=3\r\n")
    with opened(tmp_path) as reader:
        assert reader.stream("imec0.ap").shape[1] == N


def test_file_names_beyond_ascii(tmp_path):
    probe(tmp_path / "Mäuse =1", "Mäuse =1 日本_g0_t0.imec0.ap")
    with opened(tmp_path) as reader:
        assert reader.source.id == "Mause-1_g0" or reader.source.id.startswith("Mause-1")
        assert reader.stream("imec0.ap").read(0, 3).shape == (3, N)


def test_tables_without_tilde(tmp_path):
    meta = probe(tmp_path, gains=MIXED).with_suffix(".meta")
    meta.write_bytes(meta.read_bytes().replace(b"~", b""))
    with opened(tmp_path) as reader:
        assert reader.stream("imec0.ap").gain[2] == volts(1000)


def test_a_long_way_round_the_reader_is_rebuilt_from_plain_data(tmp_path):
    probe(tmp_path)
    (source,) = found(tmp_path)
    copy = pickle.loads(pickle.dumps(source.source()))
    with registry.open_source(copy) as reader:
        assert reader.stream("imec0.ap").read(0, 1).shape == (1, N)


def test_metadata_states_facts_only(tmp_path):
    probe(tmp_path, imDatHs_pn="NP2_HS_30")
    write(tmp_path, "run_g0_t0.nidq", nidq_fields(firstSample="2500"), counts(500, 2))
    with opened(tmp_path) as reader:
        said = reader.metadata()
    assert said["Devices"]["NeuropixelsImec0"] == {
        "manufacturer": "imec",
        "model_number": "NP1000",
        "model_name": "Neuropixels 1.0 probe (NP1000)",
        "serial_number": "19000000001",
        "description": "Neuropixels 1.0 probe; slot 2, port 1, dock 1, headstage NP2_HS_30",
    }
    assert said["Devices"]["NIDQ"]["model_name"] == "PXIe-6363"
    assert said["ElectrodeGroups"] == {
        "NeuropixelsImec0": {
            "description": "the shank of probe imec0",
            "device": "NeuropixelsImec0",
        }
    }
    assert said["Streams"]["run_g0/imec0.ap"] == {
        "description": "AP band of probe imec0, gain 500",
        "filtering": "high-pass 300 Hz (AP filter on)",
    }
    assert "Subject" not in said


def test_nwb_names_carry_the_probe_where_there_are_two(tmp_path):
    probe(tmp_path, "run_g0_t0.imec0.ap", imDatPrb_sn="1")
    probe(tmp_path, "run_g0_t0.imec1.ap", imDatPrb_sn="2", imDatPrb_port="2")
    with opened(tmp_path) as reader:
        assert [s.nwb_name for s in reader.streams] == [
            *("ElectricalSeriesAPImec0", "TimeSeriesSyncImec0"),
            *("ElectricalSeriesAPImec1", "TimeSeriesSyncImec1"),
        ]
        keys = {e.key for s in reader.streams if s.role == "raw" for e in s.electrodes}
        assert len(keys) == 2 * N


def test_the_second_reader_reads_odd_headers_too(tmp_path):
    fields = probe_fields(userNotes="Mäuse = 3", gains=MIXED)
    binary = write(tmp_path, "run_g0_t0.imec0.ap", fields, counts(60, N + 1), encoding="utf-8-sig")
    binary.with_suffix(".meta").rename(binary.with_suffix(".META"))
    with opened(tmp_path) as reader:
        stream = reader.stream("imec0.ap")
        assert np.array_equal(reader.reread_facts("imec0.ap")["gain"], stream.gain)
        assert np.array_equal(reader.reread("imec0.ap", 7, 60), stream.read(7, 60))
