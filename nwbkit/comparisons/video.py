"""Videos: the files themselves (size, sha256, frames), the reference to them, frame times."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from nwbkit.comparisons.base import Comparison
from nwbkit.streams import External, Timebase


def compare_video(c: Comparison) -> None:
    """Compare a video with the ImageSeries that refers to it."""
    stream = c.stream
    assert isinstance(stream, External)
    nwb_path = c.record.nwb_paths[0]
    group = c.file[nwb_path]
    c.check("video file", _file(c, stream))
    c.check("external file", _reference(c, group, stream))
    second = c.reader.reread_facts(stream.id)
    written = group.get("num_samples")
    recorded = c.record.rows if written is None else int(written[()])
    counts = [("same", stream.n_frames)]
    if second is not None:
        counts.append(("independent", int(second["n_frames"])))
    for who, count in counts:
        problem = None
        if recorded != count:
            problem = f"{recorded} frames were written, the source has {count}"
        c.check("frames", problem, reader=who, rows=count)
    c.check("dimension", _dimension(group, stream))
    compare_times(c, nwb_path, None if second is None else second["times"])


def compare_times(c: Comparison, nwb_path: str, independent: Any = None) -> None:
    """Compare the times of a series of frames with its stream's.

    Parameters
    ----------
    c : Comparison
    nwb_path : str
        Of the series.
    independent : array of float, optional
        Times on the stream's clock by a second way.
    """
    timebase = c.stream.timebase
    if timebase is None:
        c.check("times", "the source has no frame rate today")
        return
    found = read_times(c.file[nwb_path])
    clock_map = c.clock_map(timebase.clock)
    here = timebase.mapped(clock_map)
    claims = [("same", here.times(0, here.n_samples), 0.0)]
    if independent is not None:
        # ticks of a container against a rate: agree to what a rate may displace
        claims.append(("independent", clock_map(np.asarray(independent, np.float64)), 1e-6))
    for who, times, tolerance in claims:
        c.check("times", _times(found, times, tolerance, here), reader=who, rows=len(times))


def read_times(group: Any) -> Any:
    """The times of a series in the file: its timestamps, or its start and rate spelled out."""
    if "timestamps" in group:
        return group["timestamps"][...]
    start = group["starting_time"]
    n = int(group["num_samples"][()]) if "num_samples" in group else len(group["data"])
    return float(start[()]) + np.arange(n) / float(start.attrs["rate"])


def _times(found: Any, wanted: Any, tolerance: float, timebase: Timebase) -> str | None:
    if found.shape != wanted.shape:
        return f"{len(found)} times, the source has {len(wanted)}"
    # start and rate, spelled out here and there, differ in the last bit
    allowed = max(tolerance, 1e-9 if timebase.as_rate() is not None else 0.0)
    wrong = np.flatnonzero(~(np.abs(found - wanted) <= allowed))
    if not wrong.size:
        return None
    k = int(wrong[0])
    return f"frame {k} is at {found[k]} s, the source says {wanted[k]} s"


def _file(c: Comparison, stream: External) -> str | None:
    """Size and digest of the source's files against those that were recorded."""
    size = sum(path.stat().st_size for path in stream.paths)
    recorded = c.record.facts
    if size != recorded.get("size"):
        return f"{size} bytes, {recorded.get('size')} when it was converted"
    if " ".join(stream.sha256()) != recorded.get("sha256"):
        return "its sha256 is not the one recorded when it was converted"
    return None


def _reference(c: Comparison, group: Any, stream: External) -> str | None:
    """Whether the reference leads, from where the NWB file lies, to files of that size."""
    folder = os.path.realpath(Path(os.path.abspath(c.file.filename)).parent)
    names = group["external_file"].asstr()[...].tolist()
    if len(names) != len(stream.paths):
        return f"refers to {len(names)} files, the source has {len(stream.paths)}"
    for name, path in zip(names, stream.paths, strict=True):
        target = Path(folder, name)
        if not target.is_file():
            return f"'{name}' leads to no file from '{folder}'"
        if target.stat().st_size != path.stat().st_size:
            return f"'{name}' leads to another file than '{path.name}'"
    return None


def _dimension(group: Any, stream: External) -> str | None:
    if not (stream.width and stream.height):
        return None
    found = group["dimension"][...].tolist() if "dimension" in group else None
    wanted = [stream.width, stream.height]
    return None if found == wanted else f"dimension is {found}, the video says {wanted}"
