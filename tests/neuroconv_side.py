"""The same samples read by NeuroConv, in its own interpreter, and by nwbkit; and what differs."""

from __future__ import annotations

import json
import math
import os
import subprocess
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np

from nwbkit.formats.base import Reader
from nwbkit.session import load_sources, open_session
from nwbkit.streams import Array, External, Pose, Ragged, Stream, Table
from tests.data import DATA
from tests.expected.neuroconv_cases import CASES
from tests.expected.neuroconv_recordings import Case

#: As in benchmarks/neuroconv-requirements.txt.
VERSION = "0.10.2"
SCRIPT = Path(__file__).with_name("neuroconv_reads.py")
PATHS = ("file_path", "folder_path", "video_file_path", "original_video_file_path")
#: NeuroConv computes in single precision here and there.
RELATIVE = 1e-5

Facts = dict[str, Any]


@dataclass(frozen=True)
class Difference:
    """One fact of one case that the two read differently."""

    case: str
    what: str
    theirs: Any
    ours: Any


def interpreter() -> str | None:
    """NeuroConv's interpreter: what NWBKIT_NEUROCONV_PYTHON names, if anything."""
    return os.environ.get("NWBKIT_NEUROCONV_PYTHON") or None


def theirs(python: str, cases: list[Case] = CASES) -> tuple[str, dict[str, Facts]]:
    """The version of NeuroConv, and what it reads by case."""
    tasks = [{"id": c.id, "interface": c.interface, "kwargs": _kwargs(c)} for c in cases]
    done = subprocess.run(
        [python, str(SCRIPT)], input=json.dumps(tasks), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    answer = json.loads(done.stdout)
    found = answer["found"]
    for facts in found.values():
        if "error" in facts:
            facts["error"] = facts["error"].replace(f"{DATA}/", "")
    return answer["version"], found


def _kwargs(case: Case) -> Facts:
    root = DATA / case.sample
    kwargs = {**case.kwargs}
    for key in PATHS:
        if key in kwargs:
            kwargs[key] = str(root / kwargs[key])
    if "file_paths" in kwargs:
        kwargs["file_paths"] = [str(root / name) for name in kwargs["file_paths"]]
    return kwargs


# ------------------------------------------------------------------ ours


def ours(case: Case) -> Facts:
    """What nwbkit reads of the case's stream."""
    document = load_sources([str(DATA / case.sample)])
    fitting = [
        s.id for s in document.sessions if case.session is None or fnmatchcase(s.id, case.session)
    ]
    (session,) = fitting
    with open_session(document, session=session, sets=case.sets, salvage=case.salvage) as opened:
        ((reader, stream),) = [
            (r, s) for r in opened.readers for s in r.streams if fnmatchcase(s.id, case.stream)
        ]
        facts = _facts(reader, stream)
        start = None
        for one in opened.readers:  # a session has one start, whichever source says it
            start = start or one.metadata().get("NWBFile", {}).get("session_start_time")
    facts["start"] = None if start is None else str(start)
    return facts


def _facts(reader: Reader, stream: Stream) -> Facts:
    timebase = stream.timebase
    rate = timebase.rate if timebase is not None else None
    if isinstance(stream, Ragged) and stream.role == "units":
        counts = stream.counts()
        return {"rate": rate, "units": len(stream.ids), "spikes": int(counts.sum())}
    if stream.role == "masks":
        return _segmentation(reader, stream)
    if isinstance(stream, Array) and stream.role in ("two_photon", "one_photon"):
        return _movie(stream)
    if isinstance(stream, Array) and stream.role == "position":
        assert timebase is not None
        n = stream.n_samples
        first, last = timebase.times(0, 1)[0], timebase.times(n - 1, n)[0]
        return {"rows": n, "first_s": float(first), "last_s": float(last)}
    if isinstance(stream, Array):
        return _recording(stream)
    if isinstance(stream, Pose):
        positions, confidence = stream.read(0)
        first = [float(v) for v in (*positions[0], confidence[0])]
        return {
            "rate": rate,
            "keypoints": list(stream.keypoints),
            "frames": stream.n_frames,
            "first": first,
        }
    if isinstance(stream, External):
        return {"rate": rate, "frames": stream.n_frames}
    assert isinstance(stream, Table)
    return {"rows": stream.n_rows, "columns": [c.name for c in stream.columns]}


def _recording(stream: Array) -> Facts:
    assert stream.timebase is not None
    segments = [s.n_samples for s in stream.timebase.segments] or [stream.n_samples]
    return {
        "rate": stream.timebase.rate,
        "channels": stream.shape[1] if len(stream.shape) > 1 else 1,
        "samples": segments,
        "gain": sorted({float(f"{g:.6g}") for g in stream.gain}),
    }


def _movie(stream: Array) -> Facts:
    assert stream.timebase is not None
    return {
        "rate": stream.timebase.rate,
        "shape": list(stream.shape),
        "dtype": str(stream.dtype),
        "first_frame_mean": float(stream.read(0, 1).mean(dtype=np.float64)),
    }


def _segmentation(reader: Reader, stream: Stream) -> Facts:
    assert isinstance(stream, Array | Ragged)
    traces = next(
        s
        for s in reader.streams
        if isinstance(s, Array) and s.role == "traces" and s.rois == stream.id
    )
    assert traces.timebase is not None
    if isinstance(stream, Ragged):
        assert stream.image_shape is not None
        rois, size = len(stream.ids), stream.image_shape
    else:
        rois, size = stream.shape[0], stream.shape[1:]
    return {
        "rate": traces.timebase.rate,
        "rois": rois,
        "frames": traces.n_samples,
        "size": list(size),
    }


# ------------------------------------------------------------------ differences


def differences(case: Case, their: Facts, own: Facts) -> list[Difference]:
    """What the two read differently; what only one of them looks at is not compared."""
    if "error" in their:
        return [Difference(case.id, "error", their["error"], "is read")]
    found = [
        Difference(case.id, what, their[what], own[what])
        for what in their
        if what in own and what != "start" and not _same(their[what], own[what])
    ]
    wall, zone = _wall(their["start"]), _wall(own["start"])
    if wall[0] != zone[0]:
        found.append(Difference(case.id, "start", their["start"], own["start"]))
    elif wall[1] != zone[1]:
        found.append(Difference(case.id, "zone", their["start"], own["start"]))
    return found


def _wall(text: str | None) -> tuple[datetime | None, Any]:
    if text is None:
        return None, None
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=None), moment.utcoffset()


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(_same(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, float) and isinstance(b, float | int):
        return math.isclose(a, b, rel_tol=RELATIVE, abs_tol=0) or (math.isnan(a) and math.isnan(b))
    return bool(a == b)
