"""Made CellExplorer sessions: variants, damage, and the recording beside."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nwbkit import convert as journey
from nwbkit import verify as verifying
from nwbkit.convert import Request
from nwbkit.errors import NwbkitError
from nwbkit.formats import registry
from nwbkit.formats.base import Reader, Relation, Source
from nwbkit.streams import Array, Clock, Electrode, Segment, Timebase
from tests.expected.cellexplorer import (
    RATE,
    SAMPLES_OF,
    cell,
    metrics,
    session,
    spikes,
    write,
)
from tests.formats.helpers import opened

LAB = """NWBFile: {session_start_time: '2024-01-01T12:00:00+00:00'}
Subject: {subject_id: M1, species: Mus musculus, sex: F, age: P90D}
"""


def to_nwb(raw: Path, base: Path, name: str = "o") -> Path:
    lab = base / "lab.yaml"
    lab.write_text(LAB)
    out = base / f"{name}.nwb"
    journey.convert(Request([str(raw)], str(out), metadata=[str(lab)], jobs=2))
    return out


def units(reader: Reader) -> Any:
    return reader.stream("units")


def trains(reader: Reader) -> dict[str, list[Any]]:
    stream = units(reader)
    return {unit: stream.read(k, k + 1).tolist() for k, unit in enumerate(stream.ids)}


def columns(reader: Reader) -> dict[str, list[Any]]:
    return {k: v.tolist() for k, v in units(reader).properties.read().items()}


# ------------------------------------------------------------------ made sessions


def test_everything_of_a_session(tmp_path: Path) -> None:
    folder = write(tmp_path / "µ x", spikes=spikes(), cell_metrics=metrics(), session=session())
    reader = opened(folder)
    assert trains(reader) == {str(u): t for u, t in SAMPLES_OF.items()}
    assert units(reader).unit == "samples" and units(reader).dtype == np.int64
    held = columns(reader)
    assert held["cluID"] == [11, 12, 17] and held["region"] == ["CA1", "CA3", "CA1"]
    assert held["firingRate"] == pytest.approx([1.5, np.nan, 7.5], nan_ok=True)
    assert held["putativeCellType"] == ["Pyramidal Cell", "", "Narrow Interneuron"]
    assert not {"ids", "ts", "total", "filtWaveform", "acg"} & set(held)
    assert any("firingRateMap: left out" in n for n in reader.notes)
    assert any("no metrics of 1 units: 2" in n for n in reader.notes)
    means = units(reader).waveforms(sparse=True)
    assert means.unit == "volts" and means.data.shape == (3, 4, 1)
    assert means.data[2, :, 0] == pytest.approx(np.arange(4) * 3e-6)
    epochs = reader.stream("epochs").read()  # type: ignore[attr-defined]
    assert epochs["name"].tolist() == ["sleep", "maze"]
    said = reader.metadata()
    assert said["NWBFile"]["session_start_time"] == "2024-05-02T10:00:00"
    assert said["NWBFile"]["experimenter"] == ["A B", "C D"]
    assert said["Subject"] == {"subject_id": "M1", "sex": "F", "species": "Mouse"}
    assert "Electrodes" not in said
    again = reader.reread_table("units")
    assert again is not None and again["time"].tolist() == [
        t for v in SAMPLES_OF.values() for t in v
    ]
    out = to_nwb(folder, tmp_path)
    assert verifying.verify(str(out), against=[str(folder)]).ok


#: changes of spikes, session; rate and unit that come out
RATES: list[
    tuple[str, dict[str, Any], dict[str, Any] | None, dict[str, Any], float | None, str]
] = [
    ("spikes.sr", {}, None, {}, RATE, "samples"),
    ("session", {"sr": None}, session(), {}, RATE, "samples"),
    ("buzcode", {"sr": None, "samplingRate": np.array([[RATE]])}, None, {}, RATE, "samples"),
    ("option", {"sr": None}, None, {"rate": RATE}, RATE, "samples"),
    ("none", {"sr": None}, None, {}, None, "seconds"),
    ("no ts", {"ts": None}, None, {}, RATE, "seconds"),
]


@pytest.mark.parametrize(
    ("changes", "beside", "options", "rate", "unit"), [pytest.param(*c[1:], id=c[0]) for c in RATES]
)
def test_rates(
    changes: dict[str, Any],
    beside: dict[str, Any] | None,
    options: dict[str, Any],
    rate: float | None,
    unit: str,
    tmp_path: Path,
) -> None:
    structs = {"spikes": spikes(**changes), **({"session": beside} if beside else {})}
    reader = opened(write(tmp_path / "raw", **structs), **options)
    assert units(reader).timebase.rate == rate
    assert units(reader).unit == unit
    seconds = [t / RATE for v in SAMPLES_OF.values() for t in v]
    found = units(reader).read(0, 3)
    assert (found / RATE if unit == "samples" else found).tolist() == pytest.approx(seconds)
    if not options:
        out = to_nwb(tmp_path / "raw", tmp_path)
        assert verifying.verify(str(out), against=[str(tmp_path / "raw")]).ok


def test_cell_metrics_alone_hold_spikes(tmp_path: Path) -> None:
    times = cell([np.array([[0.1], [0.2]]), np.array([[0.3]])])
    alone = metrics(spikes={"times": times}, sr=np.array([[RATE]]))
    reader = opened(write(tmp_path, cell_metrics=alone))
    assert trains(reader) == {"7": [0.1, 0.2], "1": [0.3]}
    assert columns(reader)["firingRate"] == [7.5, 1.5]
    assert reader.metadata()["Subject"] == {"subject_id": "M1", "sex": "F"}


def test_a_session_file_alone(tmp_path: Path) -> None:
    reader = opened(write(tmp_path, session=session()))
    assert [s.id for s in reader.streams] == ["epochs"]


def test_one_unit_and_none(tmp_path: Path) -> None:
    one = spikes(
        UID=np.array([[4.0]]), times=cell([np.array([[0.5]])]), ts=None, total=np.array([[1.0]]),
        numcells=np.array([[1.0]]), cluID=np.array([[9.0]]), region=cell(["CA1"]), shankID=None,
        maxWaveformCh=None, maxWaveformCh1=None, filtWaveform=None, timeWaveform=None,
        filtWaveform_all=None,
    )  # fmt: skip
    reader = opened(write(tmp_path / "a", spikes=one))
    assert trains(reader) == {"4": [0.5]}
    assert columns(reader) == {"cluID": [9], "region": ["CA1"]}
    none = {"UID": np.empty((1, 0)), "times": np.empty((1, 0)), "sr": RATE}
    reader = opened(write(tmp_path / "b", spikes=none))
    assert reader.streams == [] and any("holds no unit" in n for n in reader.notes)


# ------------------------------------------------------------------ damage

BAD = spikes()
#: changes of spikes, what the error says, unit 1 with --salvage (None: refused)
DAMAGED: list[tuple[str, dict[str, Any], str, list[float] | None]] = [
    ("another ts", {"ts": cell([BAD["ts"][0, 0] + 1, *BAD["ts"][0, 1:]])}, "spikes.ts of unit number 1 are not", [10, 400, 799]),
    ("another rate", {"sr": np.array([[10000.0]])}, "are not spikes.times at 10000 Hz", [10, 400, 799]),
    ("counts", {"total": np.array([[3.0, 5.0, 4.0]])}, "says spikes.total 5, spikes.times holds 2", [10, 400, 799]),
    ("fewer", {"numcells": np.array([[4.0]])}, "says spikes.numcells 4", [10, 400, 799]),
    ("negative", {"ts": None, "times": cell([np.array([[-0.1], [0.02], [0.03]]), *BAD["times"][0, 1:]])}, "negative", [400, 600]),
    ("unsorted", {"ts": None, "times": cell([np.array([[0.03], [0.02], [0.04]]), *BAD["times"][0, 1:]])}, "are not in order", [400, 600, 800]),
    ("not a number", {"ts": None, "times": cell([np.array([[np.nan], [0.02], [0.03]]), *BAD["times"][0, 1:]])}, "no numbers", [400, 600]),
    ("no times", {"times": None}, "spikes.times is no cell of spike times", None),
    ("texts for times", {"times": cell(["a", "b", "c"])}, "no cell of spike times", None),
    ("twice", {"UID": np.array([[1.0, 1.0, 2.0]])}, "no distinct whole numbers", None),
    ("fewer ids", {"UID": np.array([[1.0, 2.0]])}, "3 units and 2 UIDs", None),
]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "said", "left"), [pytest.param(*c[1:], id=c[0]) for c in DAMAGED]
)
def test_damage_is_named_and_mended_on_demand(
    changes: dict[str, Any], said: str, left: list[float] | None, tmp_path: Path
) -> None:
    folder = write(tmp_path, spikes=spikes(**changes))
    with pytest.raises(NwbkitError) as error:
        opened(folder)
    assert error.value.status == 65
    assert said in error.value.message and "\n" not in error.value.message
    if left is None:
        with pytest.raises(NwbkitError):
            opened(folder, salvage=True)
        return
    assert "--salvage" in (error.value.hint or "")
    reader = opened(folder, salvage=True)
    assert said in reader.losses[0]
    found = units(reader).read(0, 1)
    samples = found if units(reader).unit == "samples" else found * RATE
    assert samples.tolist() == pytest.approx(left)
    assert reader.reread_table("units") is None


Change = Callable[[Path], Any]
FILES: list[tuple[str, Change, int, str]] = [
    ("empty", lambda p: p.write_bytes(b""), 65, "is empty"),
    ("truncated", lambda p: p.write_bytes(p.read_bytes()[:-40]), 65, "cut off"),
    ("another format", lambda p: p.write_bytes(b"x" * 1000), 65, "does not begin as a MATLAB file"),
]


@pytest.mark.parametrize(
    ("change", "status", "said"), [pytest.param(*f[1:], id=f[0]) for f in FILES]
)
def test_files_that_are_none(change: Change, status: int, said: str, tmp_path: Path) -> None:
    path = write(tmp_path, spikes=spikes()) / "x.spikes.cellinfo.mat"
    change(path)
    with pytest.raises(NwbkitError) as error:
        opened(path)
    assert error.value.status == status and said in error.value.message


def test_only_its_own_files_are_claimed(tmp_path: Path) -> None:
    folder = write(tmp_path, spikes=spikes(), session=session())
    write(folder, "y", spikes=spikes())
    write(folder, "z", **{"ripples.events": {"a": 1.0}})  # type: ignore[arg-type]
    write(folder, "w", **{"session": {"a": 1.0}})
    shutil.copy(folder / "z.ripples.events.mat", folder / "q.session.mat")
    shutil.copy(folder / "z.ripples.events.mat", folder / "chanMap.mat")
    sources = {s.id: s for s in registry.detect([folder]).sources() if s.format == "cellexplorer"}
    assert {i: len(s.paths) for i, s in sources.items()} == {"x": 2, "y": 1, "w": 1}


# ------------------------------------------------------------------ beside a recording


class Recording(Reader):
    """A recording of 4 channels and 1000 samples, from 5 s on."""

    def __init__(self, n: int = 1000, rate: float = RATE, segments: int = 1) -> None:
        super().__init__(Source("rec", "toy", ()))
        self.clocks = [Clock("rec/clock")]
        parts = [Segment(k * n // segments, n // segments, 5.0 + k, rate) for k in range(segments)]
        sites = tuple(Electrode("g", f"e{i}", str(i)) for i in range(4))
        self.streams = [
            Array(
                id="raw", name="raw", role="raw", timebase=Timebase("rec/clock", tuple(parts)),
                shape=(n, 4), dtype=np.dtype("<i2"), electrodes=sites,
            )
        ]  # fmt: skip


RELATION = Relation("derived_from", "rec")


def test_it_takes_clock_and_electrodes_of_its_recording(tmp_path: Path) -> None:
    reader = opened(write(tmp_path, spikes=spikes(), session=session()))
    reader.relate(RELATION, Recording())
    stream = units(reader)
    assert reader.clocks == [] and stream.timebase.clock == "rec/clock"
    assert stream.timebase.time_of(stream.read(0, 1)) == pytest.approx([5.0005, 5.02, 5.03995])
    assert [e[0].name for e in stream.unit_electrodes] == ["e0", "e2", "e3"]
    assert stream.observed == (0, 1000)
    assert reader.metadata()["Electrodes"] == {
        "g/e0": {"rel_x": 0.0, "rel_y": 0.0, "location": "CA1"},
        "g/e1": {"rel_x": 1.0, "rel_y": -10.0, "location": "CA1, CA3"},
        "g/e2": {"rel_x": 2.0, "rel_y": -20.0, "location": "CA3"},
        "g/e3": {"rel_x": 3.0, "rel_y": -30.0},
    }


def test_seconds_begin_with_the_recording(tmp_path: Path) -> None:
    reader = opened(write(tmp_path, spikes=spikes(ts=None)))
    reader.relate(RELATION, Recording())
    assert units(reader).read(1, 2) == pytest.approx([5.00275, 5.0028])
    again = reader.reread_table("units")
    assert again is not None and again["time"] == pytest.approx(units(reader).read(0, 3))
    with pytest.raises(NwbkitError, match="has gaps: which seconds is not said"):
        opened(tmp_path).relate(RELATION, Recording(segments=2))


def test_spikes_beyond_the_recording(tmp_path: Path) -> None:
    folder = write(tmp_path, spikes=spikes())
    with pytest.raises(NwbkitError, match="holds 1 spikes beyond the 500 samples of 'rec/raw'"):
        opened(folder).relate(RELATION, Recording(500))
    reader = opened(folder, salvage=True)
    reader.relate(RELATION, Recording(500))
    assert trains(reader)["1"] == [10, 400] and len(reader.losses) == 1


def test_a_recording_of_another_rate_is_not_used(tmp_path: Path) -> None:
    reader = opened(write(tmp_path, spikes=spikes()))
    reader.relate(RELATION, Recording(rate=1250.0))
    assert any("no stream at the rate" in n for n in reader.notes)
    assert len(reader.clocks) == 1


def test_positions_of_a_channel_map(tmp_path: Path) -> None:
    from scipy.io import savemat

    plain = session(extracellular={"nChannels": np.array([[4.0]])}, brainRegions=None)
    folder = write(tmp_path, spikes=spikes(), session=plain)
    places = {"xcoords": np.arange(4.0)[:, None], "ycoords": np.array([[5.0], [6], [np.nan], [8]])}
    savemat(folder / "x.chanMap.mat", places)
    reader = opened(folder)
    reader.relate(RELATION, Recording())
    said = reader.metadata()["Electrodes"]
    assert said == {f"g/e{k}": {"rel_x": float(k), "rel_y": 5.0 + k} for k in (0, 1, 3)}


def test_a_stub_keeps_the_first_spikes(tmp_path: Path) -> None:
    reader = opened(write(tmp_path, spikes=spikes()))
    assert [len(units(reader).before(0.01).read(k, k + 1)) for k in range(3)] == [1, 2, 1]
