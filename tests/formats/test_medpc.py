"""MED-PC: sessions in a file, numbers as printed, mappings, damage; the samples."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from nwbkit.errors import DamagedInput, MissingFact, NoInput, NwbkitError, UsageError
from nwbkit.formats import registry
from tests.data import DATA, needs_data
from tests.expected.behavior2 import MEDPC
from tests.formats.behavior_files import assert_sound, convert


def session(
    date: str = "04/09/19",
    time: str = "10:34:30",
    box: str = "1",
    subject: str = "M1",
    arrays: dict[str, list[str]] | None = None,
    columns: int = 5,
    end: str = "\n",
) -> str:
    """The text of one session."""
    lines = [
        *("", f"Start Date: {date}", f"End Date: {date}", f"Subject: {subject}"),
        *("Experiment: ", "Group: ", f"Box: {box}", f"Start Time: {time}", "End Time: 11:35:53"),
        *("MSN: FR1", "K:    3601.000"),
    ]
    given = arrays if arrays is not None else {"A": ["1.500", "2.250", "7.000"], "B": []}
    for name, cells in given.items():
        lines.append(f"{name}:")
        for first in range(0, len(cells), columns):
            row = "".join(f"{c:>13}" for c in cells[first : first + columns])
            lines.append(f"{first:>6}:{row}")
    return end.join(lines) + end


def write(path: Path, *sessions: str) -> Path:
    path.write_bytes(("File: C:\\MED-PC\\x\n\n\n" + "\n".join(sessions)).encode("latin-1"))
    return path


def found(path: Path) -> list[Any]:
    return [s for s in registry.detect([path]).sources() if s.format == "medpc"]


def opened(path: Path, *, salvage: bool = False, which: int = 0, **options: Any) -> Any:
    again = found(path)[which].source(salvage=salvage)
    merged = {**again.options, **options}
    return registry.open_source(
        type(again)(again.id, "medpc", again.paths, merged, salvage, again.relations)
    )


def values(reader: Any) -> dict[str, list[float]]:
    stream = reader.stream("variables")
    ends = np.cumsum(stream.counts())[:-1]
    parts = np.split(stream.read(0, len(stream.ids)), ends)
    return {name: part.tolist() for name, part in zip(stream.ids, parts, strict=True)}


@pytest.mark.parametrize("columns", [1, 5, 6])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_numbers_as_printed(tmp_path: Path, columns: int, end: str) -> None:
    cells = [f"{v:.3f}" for v in np.random.default_rng(1).random(23) * 1e4 - 50]
    path = write(tmp_path / "day1", session(arrays={"C": cells}, columns=columns, end=end))
    reader = opened(path)
    assert values(reader) == {"K": [3601.0], "C": [float(c) for c in cells]}
    again = reader.reread_table("variables")
    assert again["counts"].tolist() == [1, 23]
    assert again["values"].tolist() == [3601.0, *map(float, cells)]


NAMES = ["!2019-04-09_10h34m.Subject 95", "95.259", "day1.txt", "day 1", "Ünïcode.TXT", "x.mpc"]


@pytest.mark.parametrize("name", NAMES)
def test_any_name(tmp_path: Path, name: str) -> None:
    write(tmp_path / name, session())
    assert len(found(tmp_path)) == 1


def test_a_source_for_each_session(tmp_path: Path) -> None:
    texts = [
        session(),
        session(box="2", subject="M2"),  # at the same time in the next box
        session("04/10/19", arrays={"A": ["9.000"]}),
    ]
    path = write(tmp_path / "cohort.txt", *texts)
    detection = registry.detect([path])
    assert [s.id for s in detection.sessions] == [
        "M1_2019-04-09_10-34-30",
        "M1_2019-04-10_10-34-30",
        "M2_2019-04-09_10-34-30",
    ]
    said = [s.options["session"] for s in detection.sources()]
    assert said == ["04/09/19 10:34:30 Box 1", "04/10/19 10:34:30", "04/09/19 10:34:30 Box 2"]
    assert values(opened(path, which=1))["A"] == [9.0]
    assert opened(path, which=2).metadata()["Subject"] == {"subject_id": "M2"}
    with pytest.raises(MissingFact, match="holds 3 sessions") as error:
        opened(path, session=None)
    assert "session=04/09/19 10:34:30 Box 1" in (error.value.hint or "")
    with pytest.raises(UsageError, match="has 0 sessions"):
        opened(path, session="04/11/19 10:34:30")


def test_what_the_head_says(tmp_path: Path) -> None:
    text = session().replace("Group: ", "Group: sham").replace("Experiment: ", "Experiment: FR")
    reader = opened(write(tmp_path / "a.txt", text))
    assert reader.metadata() == {
        "NWBFile": {
            "session_start_time": "2019-04-09T10:34:30",
            "protocol": "MED-PC program 'FR1'",
            "notes": "MED-PC: Experiment FR; Group sham; Box 1",
        },
        "Subject": {"subject_id": "M1"},
    }
    for date, order, start in (
        ("04/09/19", "dmy", "2019-09-04"),
        ("21/09/19", None, "2019-09-21"),
        ("10/09/2019", None, "2019-10-09"),
        ("01/02/97", None, "1997-01-02"),
    ):
        options = {} if order is None else {"date_order": order}
        again = opened(write(tmp_path / "b.txt", session(date)), **options)
        assert again.metadata()["NWBFile"]["session_start_time"][:10] == start


def test_comments_and_further_lines_of_a_head(tmp_path: Path) -> None:
    text = session().replace("MSN: FR1", "MSN: FR1\nSpecies: rat") + "\\slept all the time\n"
    reader = opened(write(tmp_path / "a.txt", text))
    assert reader.metadata()["NWBFile"]["notes"] == "MED-PC: Box 1; Species rat; slept all the time"


def test_nothing_is_invented(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", session())
    reader = opened(path)
    assert [s.id for s in reader.streams] == ["variables"]
    assert any("arrays without a meaning: A (3)" in note for note in reader.notes)
    with pytest.raises(MissingFact) as error:
        opened(path, arrays="poke=A")
    assert "--set a.unit=s" in (error.value.hint or "")


UNITS = {"s": 1.0, "ms": 0.001, "min": 60.0, "0.01": 0.01}


@pytest.mark.parametrize("unit", UNITS)
def test_named_arrays_become_events(tmp_path: Path, unit: str) -> None:
    arrays = {"A": ["1.500", "2.250", "7.000"], "E": ["0.500", "0.100", "0.200"], "H": ["3"] * 3}
    path = write(tmp_path / "a.txt", session(arrays=arrays))
    reader = opened(path, arrays="poke=A, entry = A/E", unit=unit)
    poke, entry = reader.streams[1:]
    assert poke.read()["timestamp"] == pytest.approx(np.array([1.5, 2.25, 7.0]) * UNITS[unit])
    assert entry.read()["duration"] == pytest.approx(np.array([0.5, 0.1, 0.2]) * UNITS[unit])
    for stream in (poke, entry):
        again = reader.reread_table(stream.id)
        assert all(np.array_equal(again[k], v) for k, v in stream.read().items())


def test_a_mapping_in_a_file(tmp_path: Path) -> None:
    arrays = {"T": ["12.990", "40.100", "40.990"], "H": ["1.000", "2.000"]}
    path = write(tmp_path / "a.txt", session(arrays=arrays))
    (tmp_path / "map.yaml").write_text(
        "unit: s\nevents:\n"
        "  trial: {times: T, codes: 3, labels: {990: start}, description: trials}\n"
        "  press: {times: H, columns: {again: H}}\n"
    )
    reader = opened(path, arrays="map.yaml")
    trial, press = reader.streams[1:]
    assert trial.read()["timestamp"].tolist() == [12.0, 40.0, 40.0]
    assert trial.read()["code"].tolist() == [990, 100, 990]
    assert trial.columns[1].labels == {990: "start"} and trial.description == "trials"
    assert press.read()["again"].tolist() == [1.0, 2.0]
    assert (tmp_path / "map.yaml").resolve() in reader.files()
    out = tmp_path / "o.nwb"
    convert(path, out, sets=["a.arrays=map.yaml"])
    with h5py.File(out) as f:
        assert sorted(f["events"]) == ["press", "trial"]
        assert f["events/trial/code"][...].tolist() == [990, 100, 990]


def test_neuroconvs_metadata_as_mapping(tmp_path: Path) -> None:
    arrays = {"A": ["1.000", "2.000"], "G": ["3.000"], "E": ["0.250"]}
    path = write(tmp_path / "a.txt", session(arrays=arrays))
    (tmp_path / "nc.yml").write_text(
        "NWBFile: {}\nMedPC:\n  medpc_name_to_info_dict:\n"
        "    A: {name: left_poke_times, is_array: true}\n"
        "    G: {name: entry_times, is_array: true}\n"
        "    E: {name: entry_durations, is_array: true}\n"
        "  Events:\n  - {name: left_poke_times, description: Left}\n"
        "  IntervalSeries:\n  - {name: entries, description: x, onset_name: entry_times, "
        "duration_name: entry_durations}\n"
    )
    reader = opened(path, arrays="nc.yml", unit="s")
    assert [s.id for s in reader.streams[1:]] == ["left_poke_times", "entries"]
    assert reader.streams[2].read()["duration"].tolist() == [0.25]


def test_unused_places_and_short_partners(tmp_path: Path) -> None:
    arrays = {"A": ["1.000", "2.000", "0.000", "0.000"], "E": ["0.500", "0.000", "0.000"]}
    arrays["G"] = ["3.000", "4.000", "5.000"]
    reader = opened(write(tmp_path / "a.txt", session(arrays=arrays)), arrays="p=A/E", unit="s")
    assert reader.streams[1].read()["timestamp"].tolist() == [1.0, 2.0]
    assert any("2 zeros at the end of array A" in note for note in reader.notes)
    arrays["E"] = ["0.500"]
    reader = opened(write(tmp_path / "a.txt", session(arrays=arrays)), arrays="p=A/E", unit="s")
    assert np.array_equal(reader.streams[1].read()["duration"], [0.5, np.nan], equal_nan=True)
    with pytest.raises(DamagedInput, match="array G has 3 values for 2 times"):
        opened(tmp_path / "a.txt", arrays="p=A/G", unit="s")


WRONG: dict[str, tuple[dict[str, str], type[NwbkitError], str]] = {
    "no grammar": ({"arrays": "A:poke"}, UsageError, "takes name=ARRAY"),
    "twice": ({"arrays": "p=A,p=B"}, UsageError, "names 'p' twice"),
    "alike": ({"arrays": "a b=A,a_b=A"}, UsageError, "two tables alike"),
    "our own": ({"arrays": "variables=A"}, UsageError, "two tables alike"),
    "not there": ({"arrays": "p=Q"}, UsageError, "array Q"),
    "no array": ({"arrays": "p=K"}, UsageError, "array K"),
    "no file": ({"arrays": "none.yaml"}, NoInput, "no such file"),
    "unit": ({"arrays": "p=A", "unit": "years"}, UsageError, "takes one of"),
    "no times": ({"arrays": "p=C"}, DamagedInput, "goes back from 5 to 2"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_mappings(tmp_path: Path, case: str) -> None:
    options, error, message = WRONG[case]
    path = write(tmp_path / "a.txt", session(arrays={"A": ["1.0"], "B": [], "C": ["5", "2", "3"]}))
    with pytest.raises(error, match=message):
        opened(path, **{"unit": "s", **options})


def damaged() -> dict[str, tuple[str, str]]:
    text = session(arrays={"A": [f"{k}.000" for k in range(1, 13)], "B": ["7.000"]})
    lines = text.splitlines(keepends=True)
    rows = [k for k, line in enumerate(lines) if line.startswith("     5:")]
    return {
        "a row is missing": ("".join(lines[: rows[0]] + lines[rows[0] + 1 :]), "index 10, expect"),
        "the end is cut off": (text[:-2], "no end of line"),
        "a cell is no number": (text.replace("7.000", "7,000", 1), "no number"),
        "a variable comes twice": (text + "A:\n     0: 1.000\n", "printed twice"),
        "a strange line": (text + "hello world\n", "no line of a MED-PC file"),
    }


@pytest.mark.parametrize("case", damaged())
def test_damage_is_told(tmp_path: Path, case: str) -> None:
    text, message = damaged()[case]
    path = write(tmp_path / "a.txt", text)
    with pytest.raises(DamagedInput, match=message):
        opened(path)
    reader = opened(path, salvage=True)
    assert reader.losses and values(reader)["K"] == [3601.0]
    assert values(reader)["A"] == [float(k) for k in range(1, len(values(reader)["A"]) + 1)]


def test_damage_in_another_session_is_not_ours(tmp_path: Path) -> None:
    bad = session("04/10/19").replace("     0:", "     3:")
    path = write(tmp_path / "a.txt", session(), bad)
    assert values(opened(path, which=0))["A"] == [1.5, 2.25, 7.0]
    with pytest.raises(DamagedInput, match="index 3, expected 0"):
        opened(path, which=1)


def test_what_is_not_medpcs(tmp_path: Path) -> None:
    (tmp_path / "empty.txt").write_text("")
    (tmp_path / "README").write_text("Start Date: 04/09/19 and nothing else that fits " * 3)
    (tmp_path / "meta.txt").write_text("Start Date: soon\nSubject: x\nStart Time: y\nMSN: z\n" * 9)
    assert not found(tmp_path)


@needs_data
def test_nothing_else_in_data_is_claimed() -> None:
    files = {s.paths[0] for s in found(DATA)}
    assert files == {DATA / "medpc" / s["file"] for s in MEDPC}


@needs_data
@pytest.mark.parametrize("sample", MEDPC, ids=lambda s: s["session"])
def test_samples(tmp_path: Path, sample: dict[str, Any]) -> None:
    folder = tmp_path / "x"
    folder.mkdir()
    path = folder / Path(sample["file"]).name
    shutil.copyfile(DATA / "medpc" / sample["file"], path)
    which = [s.id for s in found(folder)].index(sample["session"])
    reader = opened(folder, which=which)
    said = reader.metadata()
    assert said["NWBFile"]["session_start_time"] == sample["start"]
    assert said["NWBFile"]["notes"] == sample["notes"]
    assert said["NWBFile"]["protocol"] == f"MED-PC program '{sample['program']}'"
    assert said["Subject"]["subject_id"] == sample["subject"]
    for name, (n, first, last) in sample["arrays"].items():
        cells = values(reader)[name]
        assert len(cells) == n
        assert first is None or cells[0] == first
        assert last is None or cells[-1] == last


@needs_data
def test_a_sample_read_back(tmp_path: Path) -> None:
    from pynwb import NWBHDF5IO

    raw, out = DATA / "medpc/example_3_sessions", tmp_path / "o.nwb"
    sets = ["medpc.arrays=left_nose_poke=A,port_entry=G/E", "medpc.unit=s"]
    convert(raw, out, session="95-259_2019-04-09_10-34-30", sets=sets)
    with NWBHDF5IO(out) as io:
        nwbfile = io.read()
        entries = nwbfile.events["port_entry"].to_dataframe()
        assert len(entries) == 184 and entries["duration"].isna().sum() == 2
        assert entries["timestamp"].iloc[[0, -1]].tolist() == [79.0, 3405.55]
        table = nwbfile.acquisition["MedPCVariables"].to_dataframe().set_index("variable")
        assert table.loc["A", "values"][-1] == 2726.25 and len(table.loc["U", "values"]) == 6501
    assert_sound(out, raw)
