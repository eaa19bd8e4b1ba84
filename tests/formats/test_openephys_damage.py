"""Open Ephys: what contradicts itself, is torn, or leads elsewhere is refused by name."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nwbkit.errors import DamagedInput, NoInput, NwbkitError
from nwbkit.formats import registry
from nwbkit.formats.base import Strength
from nwbkit.streams import Segment
from tests.formats.test_openephys_toy import RATE, Stream, opened, sources, write

ROW = 8
NAME = "recording1/continuous/Acquisition_Board-100.A"


def refusal(path: Path) -> NwbkitError:
    with pytest.raises(NwbkitError) as error:
        opened(path)
    message = error.value.message
    assert message and "\n" not in message and not message.endswith(".")
    return error.value


def file(folder: Path, name: str) -> Path:
    return next(folder.rglob(name))


def edit(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    header = folder / "structure.oebin"
    said = json.loads(header.read_text())
    change(said)
    header.write_text(json.dumps(said))


# ------------------------------------------------------------------ sizes


@pytest.mark.parametrize("version", ["0.4.5", "0.6.7"])
@pytest.mark.parametrize(
    ("cut", "left"), [(1, 599), (ROW, 599), (ROW * 300, 300)], ids=["a byte", "a sample", "half"]
)
def test_a_truncated_file(tmp_path: Path, version: str, cut: int, left: int) -> None:
    stream = Stream("A")
    folder = write(tmp_path, stream, version=version)
    os.truncate(file(folder, "continuous.dat"), 600 * ROW - cut)
    numbers = "timestamps.npy" if version == "0.4.5" else "sample_numbers.npy"
    error = refusal(tmp_path)
    assert isinstance(error, DamagedInput)
    assert f"holds {600 * ROW - cut} bytes, expected {600 * ROW}: 600 samples" in error.message
    assert f"({numbers}) of 4 channels (num_channels)" in error.message
    assert error.message.startswith(f"'experiment1/{NAME[:-2]}"[:40])
    assert error.hint == f"--salvage reads the {left} complete samples that are there"
    with opened(tmp_path, salvage=True) as reader:
        (array,) = reader.streams
        assert reader.losses == [error.message]
        assert array.shape == (left, 4)
        assert np.array_equal(array.read(0, left), stream.data()[:left])
        assert np.array_equal(reader.reread(array.id, 0, left), stream.data()[:left])


@pytest.mark.parametrize("n", [3, 5, 8])
def test_a_wrong_channel_count(tmp_path: Path, n: int) -> None:
    folder = write(tmp_path, Stream("A"))

    def change(said: dict[str, Any]) -> None:
        entry = said["continuous"][0]
        entry["num_channels"] = n
        entry["channels"] = (entry["channels"] * 2)[:n]

    edit(folder, change)
    assert f"expected {600 * 2 * n}: 600 samples" in refusal(tmp_path).message


def test_a_count_that_is_not_that_of_the_list(tmp_path: Path) -> None:
    folder = write(tmp_path, Stream("A"))
    edit(folder, lambda said: said["continuous"][0].update(num_channels=5))
    assert (
        "says num_channels=5 of 'Acquisition_Board-100.A', but lists 4" in refusal(tmp_path).message
    )


def test_an_empty_recording_is_noted(tmp_path: Path) -> None:
    folder = write(tmp_path, Stream("A"), Stream("B", processor_id=101))
    os.truncate(folder / "continuous/Acquisition_Board-101.B/continuous.dat", 0)
    np.save(folder / "continuous/Acquisition_Board-101.B/sample_numbers.npy", np.empty(0, np.int64))
    with opened(tmp_path) as reader:
        assert [s.id for s in reader.streams] == ["A"]
        assert any("holds no samples" in n for n in reader.notes)


def test_missing_data(tmp_path: Path) -> None:
    folder = write(tmp_path, Stream("A"))
    file(folder, "continuous.dat").unlink()
    error = refusal(tmp_path)
    assert isinstance(error, NoInput) and error.status == 66
    assert "continuous.dat': no such file" in error.message and error.hint


# ------------------------------------------------------------------ sample numbers and times


def test_seconds_are_never_read_as_sample_numbers(tmp_path: Path) -> None:
    folder = write(tmp_path, Stream("A"))
    file(folder, "sample_numbers.npy").unlink()
    error = refusal(tmp_path)
    assert error.message == (
        f"'experiment1/{NAME}' has no sample_numbers.npy, and timestamps.npy holds seconds"
    )
    assert error.hint == "--salvage takes the samples as unbroken, at the nominal rate"
    with opened(tmp_path, salvage=True) as reader:
        assert reader.losses == [error.message]
        assert reader.streams[0].timebase.segments == (Segment(0, 600, 0.0, RATE),)


def test_neither_numbers_nor_seconds(tmp_path: Path) -> None:
    folder = write(tmp_path, Stream("A"), version="0.4.5")
    file(folder, "timestamps.npy").unlink()
    assert "has no sample_numbers.npy, and no timestamps.npy" in refusal(tmp_path).message


def test_sample_numbers_that_are_no_integers(tmp_path: Path) -> None:
    folder = write(tmp_path, Stream("A"))
    np.save(file(folder, "sample_numbers.npy"), np.arange(600) / RATE)
    assert "holds float64, not sample numbers" in refusal(tmp_path).message


@pytest.mark.parametrize("back", [9050, 9099], ids=["back", "twice"])
def test_sample_numbers_that_go_back(tmp_path: Path, back: int) -> None:
    numbers = np.concatenate([np.arange(9000, 9100), np.arange(back, back + 500)])
    write(tmp_path, Stream("A", numbers=numbers))
    error = refusal(tmp_path)
    assert f"goes back at row 100: {back} after 9099" in error.message
    with opened(tmp_path, salvage=True) as reader:
        assert reader.losses and reader.streams[0].shape == (600, 4)
        assert next(reader.streams[0].timebase.gaps())[1] < 0


def test_a_jump_and_its_return_do_not_cancel(tmp_path: Path) -> None:
    numbers = np.arange(9000, 9600)
    numbers[200:300] += 5
    write(tmp_path, Stream("A", numbers=numbers))
    assert "goes back at row 300: 9300 after 9304" in refusal(tmp_path).message


def test_a_jump_where_blocks_meet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from nwbkit.formats.recording.openephys_binary import tracks

    numbers = np.concatenate([np.arange(9000, 9128), np.arange(9200, 9672)])
    write(tmp_path, Stream("A", numbers=numbers))
    monkeypatch.setattr(tracks, "BLOCK", 64)
    with opened(tmp_path) as reader:
        assert [s.first_sample for s in reader.streams[0].timebase.segments] == [0, 128]


def test_fewer_times_than_samples(tmp_path: Path) -> None:
    folder = write(tmp_path, Stream("A"))
    np.save(file(folder, "timestamps.npy"), np.arange(9000, 9500) / RATE)
    assert "holds 500 times for 600 samples of 'sample_numbers.npy'" in refusal(tmp_path).message


def test_recordings_that_overlap(tmp_path: Path) -> None:
    write(tmp_path, Stream("A"), recording=1)
    write(tmp_path, Stream("A", numbers=np.arange(9300, 9900)), recording=2)
    assert "begins at sample number 9300, before" in refusal(tmp_path).message


# ------------------------------------------------------------------ .npy


class Marker:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (os.mkdir, (str(self.path),))


def torn(path: Path, marker: Path) -> None:
    path.write_bytes(path.read_bytes()[:-80])


def pickled(path: Path, marker: Path) -> None:
    np.save(path, np.array([Marker(marker)] * 600, dtype=object), allow_pickle=True)


def bare_pickle(path: Path, marker: Path) -> None:
    path.write_bytes(pickle.dumps(Marker(marker)))


def bomb(path: Path, marker: Path) -> None:
    with open(path, "wb") as f:
        np.lib.format.write_array_header_1_0(
            f, {"descr": "<i8", "fortran_order": False, "shape": (1 << 50,)}
        )
        f.write(b"\0" * 800)


def code(path: Path, marker: Path) -> None:
    text = f"{{'descr': __import__('os').mkdir({str(marker)!r})}}"
    raw = text.encode().ljust(117) + b"\n"
    path.write_bytes(b"\x93NUMPY\x01\x00" + len(raw).to_bytes(2, "little") + raw)


NPY = [
    (torn, "its header says 4800 (600 rows)"),
    (pickled, "holds Python objects"),
    (bare_pickle, "does not begin as a .npy file does"),
    (bomb, f"holds 800 bytes of data, its header says {(1 << 50) * 8}"),
    (code, "cannot be read"),
    (lambda path, _: path.write_bytes(b""), "is empty"),
]


@pytest.mark.parametrize(("damage", "said"), NPY)
@pytest.mark.parametrize("name", ["sample_numbers.npy", "timestamps.npy", "states.npy"])
def test_npy_files_that_lie_or_act(tmp_path: Path, damage: Any, said: str, name: str) -> None:
    numbers = np.arange(9000, 9600)
    events = [(int(n), 1 if n % 2 else -1, 0.1) for n in numbers]
    folder = write(tmp_path, Stream("A", events=events))
    path = file(folder, name)
    if name == "states.npy":
        np.save(path, np.ones(600, np.int64))
    damage(path, tmp_path / "marker")
    error = refusal(tmp_path)
    assert said in error.message and name in error.message
    assert error.status == 65
    assert not (tmp_path / "marker").exists()


@pytest.mark.parametrize("name", ["sample_numbers.npy", "timestamps.npy", "states.npy"])
def test_npy_files_of_more_than_one_column(tmp_path: Path, name: str) -> None:
    folder = write(tmp_path, Stream("A", events=[(9010, 1, 0.3)]))
    np.save(file(folder, name), np.ones((600, 2), np.int64))
    error = refusal(tmp_path)
    assert error.message.endswith(f"{name}' has 2 dimensions, not 1")


def test_event_files_that_become_shorter_while_open(tmp_path: Path) -> None:
    folder = write(tmp_path, Stream("A", events=[(9010, 1, 0.3), (9020, -1, 0.4)]))
    with opened(tmp_path) as reader:
        os.truncate(file(folder, "states.npy"), 130)
        with pytest.raises(DamagedInput, match="has become shorter since it was opened"):
            reader.stream("A.ttl").read()


def test_events_of_unequal_length(tmp_path: Path) -> None:
    folder = write(tmp_path, Stream("A", events=[(9010, 1, 0.3), (9020, -1, 0.4)]))
    np.save(file(folder, "states.npy"), np.array([1], np.int16))
    error = refusal(tmp_path)
    assert "unequal numbers of events: 2 in sample_numbers.npy" in error.message
    with opened(tmp_path, salvage=True) as reader:
        assert reader.stream("A.ttl").read()["timestamp"].tolist() == [10]
        assert reader.losses


def test_missing_event_files(tmp_path: Path) -> None:
    folder = write(tmp_path, Stream("A", events=[(9010, 1, 0.3)]))
    file(folder, "states.npy").unlink()
    assert "has no states" in refusal(tmp_path).message
    with opened(tmp_path, salvage=True) as reader:
        assert [s.id for s in reader.streams] == ["A"]


# ------------------------------------------------------------------ headers

ELSEWHERE = [
    "../../secret",
    "/etc",
    "C:\\data",
    "..\\..\\secret",
    "a/../../b",
    "\\\\host\\share",
    "",
]


@pytest.mark.parametrize("name", ELSEWHERE)
@pytest.mark.parametrize("section", ["continuous", "events"])
def test_a_folder_name_that_leads_out_of_the_recording(
    tmp_path: Path, name: str, section: str
) -> None:
    events = [(9010, 1, 0.3)]
    folder = write(tmp_path / "session", Stream("A", events=events))
    outside = folder.parent.parent.parent / "secret"
    outside.mkdir()
    np.zeros(4, "<i2").tofile(outside / "continuous.dat")
    np.save(outside / "sample_numbers.npy", np.arange(1))
    edit(folder, lambda said: said[section][0].update(folder_name=name))
    error = refusal(tmp_path)
    assert "outside the recording" in error.message and "structure.oebin" in error.message
    (found,) = sources(tmp_path)
    assert not [p for p in found.paths if "secret" in p.parts]


HEADERS: list[tuple[Any, str]] = [
    (
        lambda s: s["continuous"][0].pop("sample_rate"),
        "sample_rate=None, which is no sensible number",
    ),
    (lambda s: s["continuous"][0].update(sample_rate=0), "says sample_rate=0"),
    (lambda s: s["continuous"][0].update(sample_rate=float("nan")), "which is no sensible number"),
    (lambda s: s["continuous"][0].update(sample_rate="30k"), "which is no sensible number"),
    (lambda s: s["continuous"][0].update(channels="x"), "lists no channels"),
    (lambda s: s["continuous"][0]["channels"][1].pop("bit_volts"), "bit_volts=None"),
    (lambda s: s["continuous"][0]["channels"][1].update(bit_volts=0), "bit_volts=0"),
    (lambda s: s["continuous"][0].update(sample_rate=10**400), "which is no sensible number"),
    (lambda s: s.update(events=5), "lacks 'GUI version' or 'continuous'"),
    (lambda s: s["continuous"][0]["channels"][1].update(units="kg"), "units='kg'"),
]


@pytest.mark.parametrize(("change", "said"), HEADERS)
def test_a_header_without_sense(tmp_path: Path, change: Any, said: str) -> None:
    edit(write(tmp_path, Stream("A")), change)
    error = refusal(tmp_path)
    assert said in error.message and error.status == 65


FOREIGN = [b"", b"{", b"[]", b"{}", b'{"continuous": []}', b"\x00" * 100, b"[" * 100000]


@pytest.mark.parametrize("raw", FOREIGN, ids=range(len(FOREIGN)))
def test_a_header_that_is_none_is_refused_by_name(tmp_path: Path, raw: bytes) -> None:
    folder = write(tmp_path, Stream("A"))
    (folder / "structure.oebin").write_bytes(raw)
    found = registry.detect([tmp_path])
    (source,) = [s for s in found.sources() if s.format == "openephys_binary"]
    assert source.strength == Strength.NAME and len(source.paths) == 1
    assert not found.reports
    error = refusal(tmp_path)
    assert error.status == 65 and "structure.oebin'" in error.message


@pytest.mark.parametrize(
    "text",
    [
        '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><SETTINGS>&b;</SETTINGS>',
        '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><SETTINGS>&a;</SETTINGS>',
        "<SETTINGS>",
        "",
        "<a>" * 5000,
        "<a>" * 5000 + "</a>" * 5000,
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_settings_that_act_or_are_torn_are_left_out(
    tmp_path: Path, text: str, encoding: str
) -> None:
    folder = write(tmp_path, Stream("ProbeA", processor="Neuropix-PXI"), software_ms=None)
    (folder.parent.parent / "settings.xml").write_bytes(text.encode(encoding))
    with opened(tmp_path) as reader:
        assert any("settings are left out" in n for n in reader.notes)
        assert "NWBFile" not in reader.metadata()


def test_settings_with_entities_never_reach_probeinterface(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import probeinterface

    from nwbkit.formats.recording.openephys_binary.probes import read_probe
    from nwbkit.formats.recording.openephys_binary.settings import Settings
    from nwbkit.formats.recording.openephys_binary.structure import read_structure

    folder = write(tmp_path, Stream("ProbeA"))
    path = tmp_path / "settings.xml"
    path.write_text('<!DOCTYPE x [<!ENTITY a "b">]><SETTINGS>&a;</SETTINGS>')
    called: list[object] = []
    for name in ("read_openephys", "read_openephys_neuropixels"):
        monkeypatch.setattr(probeinterface, name, lambda *a, **k: called.append(a), raising=False)
    continuous = read_structure(folder / "structure.oebin").continuous[0]
    probe, why = read_probe(Settings(path), continuous, continuous.channels, "NeuropixelsProbeA")
    assert probe is None and "document type" in why and not called
