"""Make docs/compatibility.md by reading one file with many readers.

    python docs/make_compatibility.py --date 2026-01-31

The demo session (examples/demo_session.py) is converted twice, whole and without its video. For
each line of READERS a throwaway environment gets exactly that version, and what else the resolver
gives it today; there this file runs again with ``--read`` and compares values with what the
generator knows. The page holds what came out. A reader that cannot open the whole file gets a
second row, for the file without the video.

Needs nwbkit and what the demo session needs in the interpreter that --python names, and a package
index; uv where it is to be had, else venv and pip.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import warnings
from array import array
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PAGE = Path(__file__).with_name("compatibility.md")
SECONDS = 6.0
ROWS = 8  # first and last samples compared, of all channels
#: (which of the readers below, what is installed); the first requirement names the row.
READERS = [
    ("pynwb", ["pynwb==4.2.0"]),
    ("pynwb", ["pynwb==4.2.0", "ndx-pose==0.4.0"]),
    ("pynwb", ["pynwb==4.2.0", "ndx-pose==0.2.2"]),
    ("pynwb", ["pynwb==4.1.0"]),
    ("pynwb", ["pynwb==4.0.0"]),
    ("pynwb", ["pynwb==4.0.0", "ndx-pose==0.4.0"]),
    ("pynwb", ["pynwb==3.1.3"]),
    ("pynwb", ["pynwb==3.1.3", "ndx-pose==0.2.2"]),
    ("pynwb", ["pynwb==2.8.3"]),
    ("spikeinterface", ["spikeinterface==0.105.3", "pynwb"]),
    ("spikeinterface", ["spikeinterface==0.104.9", "pynwb"]),
    ("spikeinterface", ["spikeinterface==0.103.2", "pynwb"]),
    ("spikeinterface", ["spikeinterface==0.102.3", "pynwb"]),
    ("spikeinterface", ["spikeinterface==0.102.3", "pynwb==3.1.3"]),
    ("pynapple", ["pynapple==0.11.4"]),
    ("pynapple", ["pynapple==0.10.3"]),
    ("pynapple", ["pynapple==0.9.2"]),
    ("pynapple", ["pynapple==0.9.2", "pynwb==3.1.3"]),
]
WHOLE, NO_VIDEO = "whole", "no video"

HEAD = """\
# Who can read the files

<!-- made by docs/make_compatibility.py; do not edit -->

Run of {date}: the session of [examples/demo_session.py](../examples/demo_session.py),
{seconds:g} s, written by nwbkit {nwbkit} with pynwb {pynwb} and hdmf {hdmf} (NWB {schema},
{extensions}), read on Python {python}. Each row is a new environment; the version column also
names the packages it got that matter here. *whole* is the file with everything, *no video* the
same session converted with `--exclude cam/frames`.

Reads: *yes*, everything compared was right; *part*, the file opens and what the remark names is
not there, wrong or refused; *no*, it does not open.

| package | version | file | reads | what was compared, and right | remark |
|---|---|---|---|---|---|
"""
TAIL = """
What each word of the fifth column stands for:

{words}

MatNWB is not in the table: it needs MATLAB, which the machine that made this page does not have.
"""


# ---------------------------------------------------------------- in a reader's environment


class Differs(Exception):
    """A value is not what the generator knows."""


def same(what: str, got: Any, wanted: Any, tolerance: float = 0.0) -> None:
    """Refuse a difference; numbers may differ by the tolerance, shapes not at all."""
    import numpy as np

    got, wanted = np.asarray(got), np.asarray(wanted)
    if got.shape != wanted.shape:
        raise Differs(f"{what}: shape {got.shape} for {wanted.shape}")
    if tolerance:
        equal = bool(np.allclose(got.astype(float), wanted, rtol=0, atol=tolerance))
    else:
        equal = bool((got == wanted).all())
    if not equal:
        raise Differs(f"{what}: {got.ravel()[:3].tolist()} for {wanted.ravel()[:3].tolist()}")


def pynwb_checks(path: str, truth: dict, note: Callable) -> Iterator[tuple[str, Callable]]:
    """What pynwb makes of the file."""
    import numpy as np
    from pynwb import NWBHDF5IO

    if find_spec("ndx_pose"):
        import ndx_pose  # noqa: F401 - whose classes are then used

    io = NWBHDF5IO(path, "r")
    nwb = io.read()

    def series(key: str) -> None:
        t, s = truth[key], nwb.acquisition[truth[key]["name"]]
        same("shape", s.data.shape, t["shape"])
        same("first rows", s.data[:ROWS], t["first"])
        same("last rows", s.data[-ROWS:], t["last"])
        same("volts per count", s.conversion, t["volts"], 1e-15)
        same("rate", s.rate, t["rate"])
        same("start", s.starting_time, t["start"], 1e-9)

    def electrodes() -> None:
        s = nwb.acquisition["ElectricalSeriesAP"]
        same("electrodes", len(nwb.electrodes), len(s.electrodes))
        same("channels", [n.split(",")[0] for n in nwb.electrodes["channel_name"][:]],
             truth["channels"])  # fmt: skip
        same("location", set(nwb.electrodes["location"][:]) == {truth["location"]}, True)
        same("group", nwb.electrodes["group"][0].location, truth["location"])

    def units() -> None:
        same("names", list(nwb.units["unit_name"][:]), list(truth["units"]))
        same("labels", list(nwb.units["group"][:]), list(truth["labels"].values()))
        for i, times in enumerate(truth["units"].values()):
            same("spike times", nwb.units["spike_times"][i], times, 1e-9)

    def trials() -> None:
        for name, values in truth["trials"].items():
            tolerance = 1e-9 if name.endswith("_time") else 0.0
            same(name, nwb.trials[name][:], values, tolerance)

    def events() -> None:
        tables = getattr(nwb, "events", None)
        if not tables:
            raise Differs("the file object has none")
        if "EventsNIDQ" not in tables:
            raise Differs(f"only {sorted(tables)}")
        rows = tables["EventsNIDQ"].to_dataframe()
        for line, edges in truth["lines"].items():
            mine = rows[rows["line"] == line]
            for level, times in edges.items():
                at = mine["timestamp"][mine["value"] == int(level)]
                same(f"{line} to {level}", at.to_numpy(), times, 1e-9)

    def video() -> None:
        t, s = truth["video"], nwb.acquisition["VideoCam"]
        same("file", (Path(path).parent / s.external_file[0]).is_file(), True)
        same("rate", s.rate, t["rate"])
        same("start", s.starting_time, t["start"], 1e-9)
        if hasattr(s, "num_samples"):
            same("frames", s.num_samples, t["frames"])

    def pose() -> None:
        t, p = truth["pose"], nwb.processing["behavior"]["PoseEstimationCamDLC"]
        note("pose classes", type(p).__module__.split(".")[0])
        same("nodes", sorted(p.skeleton.nodes[:]), sorted(t["points"]))
        for name, values in t["points"].items():
            s, v = p.pose_estimation_series[name], np.asarray(values)
            same(name, s.data[:], v[:, :2], 1e-9)
            same(f"confidence of {name}", s.confidence[:], v[:, 2], 1e-9)
            same("rate", s.rate, t["rate"])
            same("start", s.starting_time, t["start"], 1e-9)

    def subject() -> None:
        same("subject", [nwb.subject.subject_id, nwb.subject.weight], truth["subject"])
        same("start", nwb.session_start_time.isoformat(), truth["session_start"])

    def valid() -> None:
        import pynwb

        try:
            found = pynwb.validate(path=path)
        except TypeError:
            found = pynwb.validate(paths=[path])
        if isinstance(found, tuple):
            found = found[0]
        if found:
            raise Differs(f"{len(found)} errors, the first: {found[0]}")

    for key in ("AP", "LF", "NIDQ", "SYNC"):
        yield key, lambda key=key: series(key)
    yield from {
        "electrodes": electrodes,
        "units": units,
        "trials": trials,
        "events": events,
    }.items()
    if truth["file"] != NO_VIDEO:
        yield "video", video
    yield from {"pose": pose, "subject": subject, "validates": valid}.items()


def spikeinterface_checks(path: str, truth: dict, note: Callable) -> Iterator[tuple[str, Callable]]:
    """What SpikeInterface makes of the file: with h5py as it does by itself, and through pynwb."""
    from spikeinterface.extractors import read_nwb_recording, read_nwb_sorting

    def recording(key: str, **how: Any) -> None:
        t = truth[key]
        r = read_nwb_recording(path, electrical_series_path=f"acquisition/{t['name']}", **how)
        n = r.get_num_samples()
        same("shape", [n, r.get_num_channels()], t["shape"])
        same("rate", r.get_sampling_frequency(), t["rate"])
        same("start", r.get_times()[0], t["start"], 1e-9)
        same("first rows", r.get_traces(end_frame=ROWS), t["first"])
        same("last rows", r.get_traces(start_frame=n - ROWS), t["last"])
        same("gains", r.get_channel_gains(), [t["volts"] * 1e6] * t["shape"][1], 1e-9)
        same("offsets", r.get_channel_offsets(), [0.0] * t["shape"][1])
        same("area", set(r.get_property("brain_area")) == {truth["location"]}, True)
        same("sites", len({tuple(p) for p in r.get_channel_locations()}), t["shape"][1])

    def sorting(**how: Any) -> None:
        s = read_nwb_sorting(path, **how)
        same("units", [str(u) for u in s.unit_ids], list(truth["units"]))
        for unit, name in zip(s.unit_ids, truth["units"], strict=True):
            same("spike trains", s.get_unit_spike_train(unit), truth["spike_samples"][name])
        same("labels", list(s.get_property("group")), list(truth["labels"].values()))

    def alone() -> None:
        try:
            sorting(sampling_frequency=truth["AP"]["rate"])
        except ValueError:
            note(
                "sorting", "sampling_frequency alone is refused: the sorting needs t_start as well"
            )

    ap = "acquisition/ElectricalSeriesAP"
    yield "AP", lambda: recording("AP")
    yield "LF", lambda: recording("LF")
    yield "sorting", lambda: sorting(electrical_series_path=ap)
    yield "sorting by rate", lambda: sorting(sampling_frequency=truth["AP"]["rate"], t_start=0.0)
    yield "AP by pynwb", lambda: recording("AP", use_pynwb=True)
    yield "LF by pynwb", lambda: recording("LF", use_pynwb=True)
    alone()


def pynapple_checks(path: str, truth: dict, note: Callable) -> Iterator[tuple[str, Callable]]:
    """What pynapple makes of the file."""
    import numpy as np
    import pynapple as nap

    data = nap.load_file(path)
    lost = {"EventsNIDQ"} - set(data.keys())
    if lost:
        note("lost", f"does not list {', '.join(sorted(lost))}")

    def units() -> None:
        group = data["units"]
        same("type", isinstance(group, nap.TsGroup), True)
        same("units", len(group), len(truth["units"]))
        for i, times in zip(group.keys(), truth["units"].values(), strict=True):
            same("spike times", group[i].t, times, 1e-9)
        same("labels", list(group["group"]), list(truth["labels"].values()))

    def trials() -> None:
        got = data["trials"]
        same("type", isinstance(got, nap.IntervalSet), True)
        same("starts", got["start"], truth["trials"]["start_time"], 1e-9)
        same("stops", got["end"], truth["trials"]["stop_time"], 1e-9)
        same("choice", list(got["choice"]), truth["trials"]["choice"])

    def series(key: str) -> None:
        t, s = truth[key], data[truth[key]["name"]]
        same("shape", s.shape, t["shape"])
        first = np.asarray(s.values[:ROWS], float)
        if t["volts"] != 1.0 and not np.array_equal(first, t["first"]):
            same("first rows", first, np.asarray(t["first"]) * t["volts"], 1e-9)
            note("scale", "series in volts")
        else:
            same("first rows", first, t["first"])
            note("scale", "series in counts: conversion is not applied")
        times = np.arange(t["shape"][0]) / t["rate"] + t["start"]
        same("times", s.t, times, 1e-8)

    def pose() -> None:
        t = truth["pose"]
        for name, values in t["points"].items():
            s = data[name]
            same(name, s.values, np.asarray(values)[:, :2], 1e-9)
            same("times", s.t, np.arange(len(values)) / t["rate"] + t["start"], 1e-8)
        note("confidence", "pose without its confidence")

    def video() -> None:
        if not isinstance(data["VideoCam"], nap.TsdTensor):
            note("video", "VideoCam comes as pynwb's ImageSeries: external frames are not decoded")

    yield from {"units": units, "trials": trials, "pose": pose}.items()
    for key in ("AP", "LF", "NIDQ"):
        yield key, lambda key=key: series(key)
    if truth["file"] != NO_VIDEO:
        video()


CHECKS = {
    "pynwb": pynwb_checks,
    "spikeinterface": spikeinterface_checks,
    "pynapple": pynapple_checks,
}


def one(error: object, length: int = 180) -> str:
    """One line of an error, as it may stand in a table."""
    text = " ".join(str(error).split())
    text = re.sub(r"\(got '(\w+)', expected .*\)$", r"(got '\1')", text)
    text = re.sub(r"/\S*/(\S+\.nwb)", r"\1", text)
    return (text if len(text) <= length else text[: length - 3] + "...").replace("|", "\\|")


def older(message: str) -> list[str]:
    """What a warning says of schema versions."""
    found = re.findall(r"(\S+) - cached version: (\S+), loaded version: (\S+)", message)
    return [
        f"{name} {has} for {wrote}" for name, wrote, has in found if not name.startswith("hdmf")
    ]


def fails_alike(folder: Path, control: str, error: Exception) -> bool:
    """Whether pynwb here says the same of a file that nwbkit had no hand in."""
    from pynwb import NWBHDF5IO

    try:
        with NWBHDF5IO(str(folder / CONTROLS[control]), "r") as io:
            io.read()
    except Exception as other:  # noqa: BLE001
        return str(other) == str(error)
    return False


def read(reader: str, path: str, truth_file: str) -> None:
    """Run the checks of one reader here; one JSON object to stdout."""
    from importlib.metadata import PackageNotFoundError, version

    truth = json.loads(Path(truth_file).read_text())
    notes: dict[str, str] = {}
    out: dict[str, Any] = {"versions": {}, "right": [], "wrong": {}, "opens": True}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            for name, check in CHECKS[reader](path, truth, notes.__setitem__):
                try:
                    check()
                    out["right"].append(name)
                except Exception as error:  # noqa: BLE001 - whatever it is, it is the finding
                    kind = "" if isinstance(error, Differs) else f"{type(error).__name__}: "
                    out["wrong"][name] = kind + one(error)
        except Exception as error:  # noqa: BLE001
            out["opens"] = False
            out["wrong"]["open"] = f"{type(error).__name__}: {one(error)}"
            alike = [what for what in CONTROLS if fails_alike(Path(path).parent, what, error)]
            if alike:
                notes["alike"] = f"the same with a file by plain pynwb that holds {alike[0]}"
    schemas = sorted({s for w in caught for s in older(str(w.message))})
    if schemas:
        notes["schema"] = f"has the schema {', '.join(schemas)} of the file"
    out["notes"] = notes
    for package in ("pynwb", "hdmf", "ndx-pose", "numpy"):
        try:
            out["versions"][package] = version(package)
        except PackageNotFoundError:
            continue
    print(json.dumps(out))


# ---------------------------------------------------------------- the files and the truth


def run(command: list[str], **more: Any) -> str:
    """Stdout of a command that must succeed."""
    done = subprocess.run(command, capture_output=True, text=True, **more)
    if done.returncode:
        raise RuntimeError((done.stderr or done.stdout).strip() or f"status {done.returncode}")
    return done.stdout


def excerpt(session: Path, file: dict, columns: slice, start: float, name: str) -> dict[str, Any]:
    """First and last samples as the .bin has them, read without nwbkit."""
    counts, n, width = array("h"), file["n_samples"], file["n_channels"]
    counts.frombytes((session / file["path"]).read_bytes())
    rows = [counts[i * width : (i + 1) * width][columns].tolist() for i in range(n)
            if i < ROWS or i >= n - ROWS]  # fmt: skip
    return {
        "name": name,
        "shape": [n, len(rows[0])],
        "first": rows[:ROWS],
        "last": rows[-ROWS:],
        "volts": file["volts_per_count"][0],
        "rate": file["rate"],
        "start": start,
    }


def expected(session: Path, told: dict) -> dict[str, Any]:
    """What the readers must find: the generator's own account, on the session clock."""
    files = {f["band"]: f for f in told["files"]}
    ap, nidq = files["ap"], files["nidq"]
    offsets = {clock.rpartition("/")[2]: at for clock, at in told["offsets"].items()}
    trials = {
        name: [v + offsets["table"] for v in values] if name.endswith("_time") else values
        for name, values in told["trials"].items()
    }
    sync = excerpt(session, ap, slice(-1, None), 0.0, "TimeSeriesSyncImec0")
    edges = {
        f"XD{line}": {
            level: [i / nidq["rate"] + offsets["nidq"] for i in both[kind]]
            for level, kind in (("1", "rising"), ("0", "falling"))
        }
        for line, both in nidq["lines"].items()
        if line in ("1", "2")  # the camera's and the trials'
    }
    return {
        "AP": excerpt(session, ap, slice(0, -1), 0.0, "ElectricalSeriesAP"),
        "LF": excerpt(session, files["lf"], slice(0, -1), 0.0, "ElectricalSeriesLF"),
        "NIDQ": excerpt(session, nidq, slice(0, 1), offsets["nidq"], "TimeSeriesNIDQ"),
        "SYNC": {**sync, "volts": 1.0},
        "channels": [f"AP{c}" for c in ap["channels"]],
        "location": "VISp",
        "units": {u: [i / ap["rate"] for i in s] for u, s in told["spikes"].items()},
        "spike_samples": told["spikes"],
        "labels": told["groups"],
        "trials": trials,
        "lines": edges,
        "video": {"rate": 60.0, "start": offsets["frames"], "frames": told["n_frames"]},
        "pose": {"rate": 60.0, "start": offsets["frames"], "points": told["pose"]},
        "subject": ["mouse1", "0.025 kg"],
        "session_start": "2024-05-02T10:00:00+00:00",
    }


#: Made by plain pynwb, to tell what is nwbkit's doing from what is pynwb's.
CONTROLS = {
    "an electrodes table": "control_electrodes.nwb",
    "a video file with num_samples": "control_video.nwb",
}
CONTROL = """
import datetime, sys, pynwb, pynwb.image
for kind, path in zip(("electrodes", "video"), sys.argv[1:]):
    start = datetime.datetime(2024, 5, 2, tzinfo=datetime.timezone.utc)
    nwb = pynwb.NWBFile("control", "control", start)
    if kind == "electrodes":
        group = nwb.create_electrode_group("g", "a group", "VISp", nwb.create_device("d"))
        nwb.add_electrode(location="VISp", group=group)
    else:
        nwb.add_acquisition(pynwb.image.ImageSeries("v", external_file=["v.mp4"], rate=60.0,
            starting_frame=[0], format="external", num_samples=9))
    with pynwb.NWBHDF5IO(path, "w") as io:
        io.write(nwb)
"""
WRITER = """
import json, sys, h5py, hdmf, nwbkit, pynwb
with h5py.File(sys.argv[1]) as f:
    cached = {name: list(group)[-1] for name, group in f["specifications"].items()}
print(json.dumps({"nwbkit": nwbkit.__version__, "pynwb": pynwb.__version__,
    "hdmf": hdmf.__version__, "python": "%d.%d" % sys.version_info[:2], "schema": cached["core"],
    "extensions": ", ".join(f"{n} {v}" for n, v in cached.items() if n.startswith("ndx"))}))
"""


def make_files(python: str, folder: Path) -> tuple[dict[str, tuple[Path, Path]], dict[str, str]]:
    """Session, both conversions and what is true of them; and the versions that wrote."""
    session, told = folder / "session", folder / "told.json"
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    run([python, str(ROOT / "examples" / "demo_session.py"), str(session), "--seconds",
         str(SECONDS), "--truth", str(told)], env=env)  # fmt: skip
    account = json.loads(told.read_text())
    truth = expected(session, account)
    convert = [python, "-m", "nwbkit.cli", "convert", str(session), "--quiet", "--timezone", "UTC"]
    convert += ["-m", str(session / "lab.yaml")]
    for clock, at in account["offsets"].items():
        convert += ["--offset", f"{clock}={at!r}"]
    made = {}
    for name, extra in ((WHOLE, []), (NO_VIDEO, ["--exclude", "cam/frames"])):
        stem = folder / name.replace(" ", "_")
        path, facts = stem.with_suffix(".nwb"), stem.with_suffix(".truth.json")
        run([*convert, *extra, "-o", str(path)], env=env)
        facts.write_text(json.dumps({**truth, "file": name}))
        made[name] = (path, facts)
    run([python, "-c", CONTROL, *(str(folder / name) for name in CONTROLS.values())], env=env)
    wrote = json.loads(run([python, "-c", WRITER, str(made[WHOLE][0])], env=env))
    return made, wrote


# ---------------------------------------------------------------- the environments


@dataclass
class Row:
    """One line of the page."""

    package: str
    version: str
    file: str
    reads: str
    right: list[str] = field(default_factory=list)
    remark: str = ""

    def text(self) -> str:
        """As Markdown."""
        cells = [self.package, self.version, self.file, self.reads, ", ".join(self.right) or "–",
                 self.remark]  # fmt: skip
        return f"| {' | '.join(cells)} |"


def find_uv() -> str | None:
    """The uv to use, if there is one."""
    return shutil.which("uv") or shutil.which("/opt/nk/bin/uv")


def install(uv: str | None, python: str, folder: Path, wanted: list[str]) -> Path:
    """Make an environment of these packages; the interpreter in it."""
    inside = folder / "bin" / "python"
    if uv:
        run([uv, "venv", "--quiet", "--python", python, str(folder)])
        run([uv, "pip", "install", "--quiet", "--python", str(inside), *wanted])
    else:
        run([python, "-m", "venv", str(folder)])
        run([str(inside), "-m", "pip", "install", "--quiet", *wanted])
    return inside


def row(reader: str, wanted: list[str], name: str, result: dict[str, Any]) -> Row:
    """What one reader said of one file."""
    main, *rest = (w.partition("==") for w in wanted)
    has = result["versions"]
    package = " + ".join([main[0], *(w[0] for w in rest if w[0] != "pynwb")])
    beside = ["hdmf"] if reader == "pynwb" else ["pynwb", "hdmf"]
    beside += ["ndx-pose"] if any(w[0] == "ndx-pose" for w in rest) else []
    version = f"{main[2]} ({', '.join(f'{b} {has[b]}' for b in beside if b in has)})"
    reads = "no" if not result["opens"] else "part" if result["wrong"] else "yes"
    causes: dict[str, list[str]] = {}
    for what, why in result["wrong"].items():
        causes.setdefault(why, []).append(what)
    said = [f"{', '.join(what)}: {why}" for why, what in causes.items()]
    said += [text for key, text in result["notes"].items() if key != "pose classes"]
    classes = result["notes"].get("pose classes")
    if classes:
        source = "the schema in the file" if classes == "abc" else classes.replace("_", "-")
        said.append(f"pose classes from {source}")
    return Row(package, version, name, reads, result["right"], "; ".join(said))


def try_reader(uv: str | None, python: str, folder: Path, made: dict[str, tuple[Path, Path]],
               reader: str, wanted: list[str]) -> list[Row]:  # fmt: skip
    """The rows of one environment."""
    rows = []
    package, _, version = wanted[0].partition("==")
    env = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")}
    try:
        inside = install(uv, python, folder, wanted)
        for name in (WHOLE, NO_VIDEO):
            files = [str(p) for p in made[name]]
            command = [str(inside), str(Path(__file__).resolve()), "--read", reader, *files]
            result = json.loads(run(command, env=env).splitlines()[-1])
            rows.append(row(reader, wanted, name, result))
            if len(rows) == 2 and rows[0].remark == rows[1].remark:
                rows.pop()  # the video was not the reason
                break
            if rows[-1].reads == "yes" or (result["opens"] and result["right"]):
                break
    except (RuntimeError, ValueError) as error:
        last = str(error).splitlines()[-1] if str(error) else repr(error)
        rows.append(Row(package, version, "–", "not tried", [], one(last)))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(*(r.text() for r in rows), sep="\n", file=sys.stderr)
    return rows


WORDS = {
    "AP, LF, NIDQ, SYNC": f"first and last {ROWS} rows of all channels with the bytes of the "
    "`.bin`, shape, rate, volts per count, start on the session clock; with SpikeInterface also "
    "gains, offsets, brain area, a site of its own for each channel; with pynapple first rows and "
    "all times",
    "electrodes": "count, channel names, location, their group's location",
    "units": "names, the curator's labels, every spike time",
    "sorting": "units, labels, every spike as a sample number; sampling frequency from "
    "`electrical_series_path`, or (by rate) from `sampling_frequency` and `t_start`",
    "trials": "starts, stops, choice; with pynwb also correct",
    "events": "every edge of the camera's and the trials' line",
    "video": "the file it refers to, rate, start, number of frames where the reader has it",
    "pose": "every point of every frame, rate, start or times; with pynwb also confidence, nodes",
    "subject": "id, weight; start of the session",
    "validates": "`pynwb.validate` of that environment finds nothing",
    "by pynwb": "read with `use_pynwb=True`",
}


def main() -> None:
    """Write the page, or, with --read, be one of the readers."""
    if sys.argv[1:2] == ["--read"]:
        return read(*sys.argv[2:])
    ap = argparse.ArgumentParser(description="Make docs/compatibility.md.")
    ap.add_argument("--date", required=True, help="the day of the run, as it is to stand there")
    ap.add_argument("--python", default=sys.executable, help="the interpreter that has nwbkit's")
    ap.add_argument("--jobs", type=int, default=2, help="environments at a time")
    ap.add_argument("-o", "--output", type=Path, default=PAGE)
    a = ap.parse_args()
    uv = find_uv()
    with tempfile.TemporaryDirectory(prefix="nwbkit-compat-") as name:
        folder = Path(name)
        made, wrote = make_files(a.python, folder)
        with ThreadPoolExecutor(a.jobs) as pool:
            tasks = [
                pool.submit(try_reader, uv, a.python, folder / f"env{i}", made, reader, wanted)
                for i, (reader, wanted) in enumerate(READERS)
            ]
            rows = [r for task in tasks for r in task.result()]
    words = "\n".join(f"- *{word}*: {text}." for word, text in WORDS.items())
    page = HEAD.format(date=a.date, seconds=SECONDS, **wrote)
    page += "\n".join(r.text() for r in rows) + "\n" + TAIL.format(words=words)
    a.output.write_text(page)


if __name__ == "__main__":
    main()
