"""Neuralynx headers of all versions, and hostile ones."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from nwbkit.errors import NwbkitError
from nwbkit.formats.io.neuralynx import parse
from tests.formats.helpers import opened
from tests.formats.neuralynx_files import OLD, header, ncs, spikes, stamps
from tests.formats.test_neuralynx_folders import arrays

HEAD = "######## Neuralynx Data File Header\r\n"
TIMES = [
    ("## Time Opened (m/d/y): 11/29/2013  (h:m:s.ms) 17:5:16.793", "2013-11-29T17:05:16.793"),
    ("## Time Opened: (m/d/y): 10/4/2003  At Time: 10:3:0.78", "2003-10-04T10:03:00.078"),
    ("## Time Opened (m/d/y): 1/01/2001  At Time: 0:00:00.000", "2001-01-01T00:00:00"),
    ("## Time Opened: (m/d/y): 10/20/06  At Time: 17:35:12.000", "2006-10-20T17:35:12"),
    ("## Date Opened: (mm/dd/yyy): 12/14/2015 At Time: 15:58:32", "2015-12-14T15:58:32"),
    ("-TimeCreated 2017/02/16 17:56:04", "2017-02-16T17:56:04"),
    ("-TimeCreated 2017/13/16 17:56:04", None),
    ("## Time Opened (m/d/y): File was  not closed properly", None),
    ("", None),
]


@pytest.mark.parametrize(("line", "opened_at"), TIMES)
def test_times_of_opening(line: str, opened_at: str | None) -> None:
    said = parse(header(f"{HEAD}{line}\r\n-CheetahRev 5.5.1 \r\n"))
    assert said is not None
    assert said.opened == (None if opened_at is None else datetime.fromisoformat(opened_at))
    assert said.application == ("Cheetah", "5.5.1")


FOLDERS = [
    (r"D:\CheetahData\2021-02-26_15-46-33\CSC1.ncs", "2021-02-26_15-46-33", "2021-02-26_15-46-33"),
    (
        r"F:\p\2018-01-07_15-14-54\04. tmaze\VT1_fixed.nvt",
        "2018-01-07_15-14-54",
        "2018-01-07_15-14-54",
    ),
    (r"E:\Rats\R7\CSC1.ncs", "R7", r"e:\rats\r7"),
    ("/Users/x/R7/CSC1.ncs", "R7", r"\users\x\r7"),
    ("CSC17.Ncs", "", ""),
    ("null", "", ""),
]


@pytest.mark.parametrize(("path", "session", "origin"), FOLDERS)
def test_the_folder_of_the_session(path: str, session: str, origin: str) -> None:
    for line in (f"## File Name: {path}", f'-OriginalFileName "{path}"'):
        said = parse(header(f"{HEAD}{line}\r\n"))
        assert said is not None and (said.session, said.origin) == (session, origin)


APPLICATIONS = [
    ('-ApplicationName Cheetah "6.4.1 Development"', ("Cheetah", "6.4.1 Development")),
    ('-ApplicationName Pegasus "2.1.3 "', ("Pegasus", "2.1.3")),
    ("-ApplicationName Pegasus", ("Pegasus", "")),
    ("", ("", "")),
]


@pytest.mark.parametrize(("line", "wanted"), APPLICATIONS)
def test_applications(line: str, wanted: tuple[str, str]) -> None:
    said = parse(header(f"{HEAD}\t{line}\n"))
    assert said is not None and said.application == wanted


@pytest.mark.parametrize("encoding", ["latin-1", "utf-8"])
def test_either_mu_and_lines_that_tabs_begin(encoding: str, tmp_path: Path) -> None:
    ncs(tmp_path / "CSC1.ncs", stamps(3), encoding=encoding)
    reader = opened(tmp_path)
    facts = reader.metadata()["Streams"][reader.address(reader.streams[0])]
    assert facts["filtering"] == (
        "high-pass 0.1 Hz (DCO); low-pass 8000 Hz (FIR, 256 taps); "
        "filter delay 3984 us, compensated"
    )
    device = reader.metadata()["Devices"]["AcqSystem1"]
    assert device["manufacturer"] == "Neuralynx" and device["model_name"] == "DigitalLynxSX"


GAINS = [("False", 6e-8), ("True", -6e-8), (None, 6e-8)]


@pytest.mark.parametrize(("inverted", "gain"), GAINS)
def test_an_inverted_input_is_a_negative_gain(
    inverted: str | None, gain: float, tmp_path: Path
) -> None:
    ncs(tmp_path / "C.ncs", stamps(3), fields={"InputInverted": inverted, "ADBitVolts": "6e-008"})
    assert arrays(opened(tmp_path))[0].gain.tolist() == [gain]


def test_headers_without_admaxvalue_and_bare_ones(tmp_path: Path) -> None:
    ncs(tmp_path / "CSC14.Ncs", stamps(3, 1e6 / 35), rate=27789, fields=OLD)
    (stream,) = arrays(opened(tmp_path))
    assert stream.gain.tolist() == [2.4426e-7] and stream.channel_names == ("CSC14",)
    assert stream.electrodes is not None and stream.electrodes[0].name == "AD13"


# --------------------------------------------------------------------- hostile headers

HOSTILE: list[tuple[str, dict[str, Any]]] = [
    ("rate", {"SamplingFrequency": "1e300"}),
    ("rate", {"SamplingFrequency": "0"}),
    ("rate", {"SamplingFrequency": "-5"}),
    ("rate", {"SamplingFrequency": "3200v"}),
    ("gain", {"ADBitVolts": "6e-8x"}),
    ("gain", {"ADBitVolts": "nan"}),
    ("gain", {"ADBitVolts": "1e999"}),
    ("gain", {"ADBitVolts": "0"}),
    ("size", {"RecordSize": "99999999999999999999"}),
]


@pytest.mark.parametrize(("name", "fields"), HOSTILE)
def test_hostile_headers_are_refused(name: str, fields: dict[str, Any], tmp_path: Path) -> None:
    ncs(tmp_path / "CSC1.ncs", stamps(3), fields=fields)
    with pytest.raises(NwbkitError) as error:
        opened(tmp_path)
    assert error.value.status == 65 and "\n" not in error.value.message


def test_the_size_of_a_spike_record_decides_how_long_its_waveforms_are(tmp_path: Path) -> None:
    spikes(tmp_path / "TT1.ntt", [1, 2], [0, 0], WaveformLength="40")
    reader = opened(tmp_path)
    assert reader.stream("units").waveforms(sparse=False).data.shape == (1, 32, 4)  # type: ignore[attr-defined]
    spikes(tmp_path / "TT1.ntt", [1, 2], [0, 0], RecordSize="305")
    with pytest.raises(NwbkitError, match="RecordSize=305, expected 304"):
        opened(tmp_path)


def test_names_do_not_reach_terminals_as_control_sequences(tmp_path: Path) -> None:
    ncs(tmp_path / "a.ncs", stamps(3), fields={"AcqEntName": "\x1b[31mCSC\x07"})
    (stream,) = arrays(opened(tmp_path))
    assert all(c.isprintable() for c in stream.description)


def test_streams_of_names_without_a_letter_have_ids(tmp_path: Path) -> None:
    for k, name in enumerate(("\u00b5", "CSC 1", "CSC-1")):
        ncs(tmp_path / f"{k}.ncs", stamps(9 - k), fields={"AcqEntName": name, "ADChannel": str(k)})
    ids = [s.id for s in opened(tmp_path).streams]
    assert len(set(ids)) == 3 and all(i.replace(".", "").replace("-", "").isalnum() for i in ids)
